//! The plugins that this gateway has, as the configuration wants them, and what replies say of what
//! they did. What they do is theirs.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use waystation_core::{Json, StageReport};
use waystation_plugins::{ContextCompression, Defaults, FileParser, Registry, ResponseHealing};

use crate::config::Config;

/// How many messages were taken out or shortened so that the prompt fits.
const COMPRESSED: HeaderName = HeaderName::from_static("x-waystation-compressed");

/// Every plugin of this build, with the operator's options. Foreign files are read where there is a sandbox.
#[must_use]
pub fn registry(config: &Config, sandboxed: bool) -> Registry {
    let compression = ContextCompression {
        everywhere: settings(config, "context-compression").enabled,
    };
    Registry::default()
        .with(
            Arc::new(compression),
            on_by_itself(config, "context-compression"),
        )
        .with(
            Arc::new(FileParser { sandboxed }),
            on_by_itself(config, "file-parser"),
        )
        .with(
            Arc::new(ResponseHealing),
            settings(config, "response-healing"),
        )
}

/// What the configuration says of a plugin.
fn settings(config: &Config, id: &str) -> Defaults {
    let plugin = config.plugins.get(id);
    plugin.map_or_else(Defaults::default, |plugin| Defaults {
        enabled: plugin.enabled,
        prevent_overrides: plugin.prevent_overrides,
        options: Some(plugin.options.clone()),
    })
}

/// The same for a plugin that looks by itself whether there is something to do: files in the prompt,
/// a small endpoint. It is off only where the operator has the last word and says no.
fn on_by_itself(config: &Config, id: &str) -> Defaults {
    let mut settings = settings(config, id);
    settings.enabled |= !settings.prevent_overrides;
    settings
}

/// Says in the headers what plugins changed where a client should know of it.
///
/// Source: API contract, section 7.4: what is cut is always told.
pub fn mark(stages: &[StageReport], headers: &mut HeaderMap) {
    let mut stages = stages.iter().rev();
    let cut = stages.find(|stage| stage.plugin == "context-compression");
    let Some(data) = cut.and_then(|stage| stage.data.as_ref()) else {
        return;
    };
    let count = |key: &str| {
        let figure = data.json().get(key).and_then(Json::u64);
        figure.unwrap_or_default()
    };
    let removed = count("original_count").saturating_sub(count("compressed_count"));
    headers.insert(
        COMPRESSED,
        HeaderValue::from(removed + count("shortened_count")),
    );
}
