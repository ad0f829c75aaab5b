//! Which plugins a request asks for, and in which order they run.
#![doc = include_str!("../README.md")]

mod calendar;
mod compress;
mod context_compression;
mod documents;
mod file_parser;
mod heal;
mod registry;
mod response_healing;
mod server_tool;
mod web;
mod wish;

pub use compress::{Compressed, Engine, Room, TooLong, compress, size};
pub use context_compression::{ContextCompression, SMALL_CONTEXT};
#[cfg(feature = "documents")]
pub use documents::read_foreign;
pub use documents::{FileKind, MOST_TEXT, read_document};
pub use file_parser::{FileParser, OcrService};
pub use heal::{Healed, Outcome, heal};
pub use registry::{Defaults, Registry};
pub use response_healing::ResponseHealing;
pub use web::{
    Domains, SearchHit, SearchQuery, SearchReply, SearchService, SearchWire, Web, WebSearch,
};

/// The ids that requests may name, whether or not this build has the plugin.
///
/// Source: API contract, section 7.0, 2026-11-22.
pub const KNOWN: &[&str] = &[
    "web",
    "web-fetch",
    "file-parser",
    "response-healing",
    "context-compression",
    "moderation",
    "auto-router",
    "auto-beta-router",
    "pareto-router",
    "fusion",
    "armor",
    "alignment",
    "jev-router",
    "switchyard-router",
];
