//! The tests of the plugins, asked for as clients ask for them; a test's doc names the statement of
//! the API contract (section 12) that it holds. The parts of `cases` run over the shared sets of
//! cases where they are at hand, and print their figures.

mod cases;
mod compression;
mod fetched;
mod files;
mod healing;
mod ocr;
mod pdf;
mod pipeline;
mod scene;
mod server_tools;
mod web;
