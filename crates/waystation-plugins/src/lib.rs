//! Request plugins of the waystation gateway: which plugins a request asks for, and in which order
//! they run. The plugins themselves are registered by whoever composes a gateway; this crate opens
//! no socket and reads no file.
//!
//! ```
//! use waystation_core::{ChatRequest, Plugins};
//! use waystation_plugins::Registry;
//!
//! let registry = Registry::default();
//! let body = br#"{"messages": [{"role": "user", "content": "Hi"}], "plugins": [{"id": "webb"}]}"#;
//! let chat = ChatRequest::parse(&body.as_slice().into())?;
//! let refused = registry.begin(&chat).err().expect("there is no such plugin");
//! assert_eq!(refused.field, "plugins[0].id");
//! assert!(refused.message.contains("did you mean \"web\"?"), "{refused}");
//! # Ok::<(), waystation_core::InvalidRequest>(())
//! ```

mod registry;
mod wish;

pub use registry::{Defaults, Registry};

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
