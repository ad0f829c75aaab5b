//! The plugins that this gateway has, as the configuration wants them, and what replies say of what
//! they did. What they do is theirs.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use waystation_core::{Json, StageReport};
use waystation_plugins::{ContextCompression, Defaults, Registry, ResponseHealing};

use crate::config::Config;

/// How many messages were taken out or shortened so that the prompt fits.
const COMPRESSED: HeaderName = HeaderName::from_static("x-waystation-compressed");

/// Every plugin of this build, with the operator's options.
#[must_use]
pub fn registry(config: &Config) -> Registry {
    let compression = settings(config, "context-compression");
    // Small endpoints compress by default: it is always on, unless the operator has the last word
    // and says no.
    let small = Defaults {
        enabled: compression.enabled || !compression.prevent_overrides,
        ..compression.clone()
    };
    let everywhere = ContextCompression {
        everywhere: compression.enabled,
    };
    Registry::default()
        .with(Arc::new(everywhere), small)
        .with(Arc::new(ResponseHealing), settings(config, "response-healing"))
}

/// What the configuration says of a plugin.
fn settings(config: &Config, id: &str) -> Defaults {
    config.plugins.get(id).map_or_else(Defaults::default, |plugin| Defaults {
        enabled: plugin.enabled,
        prevent_overrides: plugin.prevent_overrides,
        options: Some(plugin.options.clone()),
    })
}

/// Says in the headers what plugins changed where a client should know of it.
///
/// Source: API contract, section 7.4: what is cut is always told.
pub fn mark(stages: &[StageReport], headers: &mut HeaderMap) {
    let cut = stages.iter().rev().find(|stage| stage.plugin == "context-compression");
    let Some(data) = cut.and_then(|stage| stage.data.as_ref()) else {
        return;
    };
    let count = |key: &str| data.json().get(key).and_then(Json::u64).unwrap_or_default();
    let removed = count("original_count").saturating_sub(count("compressed_count"));
    headers.insert(COMPRESSED, HeaderValue::from(removed + count("shortened_count")));
}
