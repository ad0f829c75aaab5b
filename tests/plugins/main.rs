//! The tests of the plugins, asked for as clients ask for them; a test's doc names the statement of
//! the API contract (section 12) that it holds. The parts of `cases` run over the shared sets of
//! cases where they are at hand, and print their figures.

mod cases;
mod compression;
mod files;
mod healing;
mod pdf;
mod pipeline;
mod server_tools;
mod web;
