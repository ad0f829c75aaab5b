//! Plugins and the services that they ask, as a config file writes them.
//! What they mean is in `plugins`.

use std::collections::BTreeMap;

use serde::Deserialize;

use waystation_core::Usd;

use super::{Exact, RawSecret};

/// `[plugins.*]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::config) struct RawPlugins {
    /// Web search.
    pub(in crate::config) web: Option<RawWeb>,
    /// Documents in prompts.
    pub(in crate::config) file_parser: Option<RawFileParser>,
    /// Models picked by prompt.
    pub(in crate::config) auto_router: Option<RawAutoRouter>,
    /// The same for `openrouter/auto-beta`, with settings of its own.
    pub(in crate::config) auto_beta_router: Option<RawAutoRouter>,
    /// Models picked by how well they code.
    pub(in crate::config) pareto_router: Option<RawParetoRouter>,
    /// Repair of JSON replies.
    pub(in crate::config) response_healing: Option<RawPlugin>,
    /// Prompts made to fit.
    pub(in crate::config) context_compression: Option<RawCompression>,
}

/// A plugin that has only the two keys of every plugin.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawPlugin {
    /// Whether it runs for requests that do not name it.
    pub(in crate::config) enabled: bool,
    /// Whether requests may not change its options.
    pub(in crate::config) prevent_overrides: bool,
}

/// `[plugins.web]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawWeb {
    pub(in crate::config) enabled: bool,
    pub(in crate::config) prevent_overrides: bool,
    /// `native`, `searxng`, `exa`, `tavily` or `brave`.
    pub(in crate::config) engine: Option<WebEngine>,
    /// What results are introduced with.
    pub(in crate::config) search_prompt: Option<String>,
    /// The most results of one search, from 1 to 25.
    pub(in crate::config) max_results: Option<u64>,
    pub(in crate::config) searxng: Option<RawService>,
    pub(in crate::config) exa: Option<RawService>,
    pub(in crate::config) tavily: Option<RawService>,
    pub(in crate::config) brave: Option<RawService>,
}

/// Who searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum WebEngine {
    Native,
    Searxng,
    Exa,
    Tavily,
    Brave,
}

/// `[plugins.file-parser]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawFileParser {
    pub(in crate::config) enabled: bool,
    pub(in crate::config) prevent_overrides: bool,
    /// OCR by Mistral.
    pub(in crate::config) mistral_ocr: Option<RawService>,
    /// Files that a request names by address.
    pub(in crate::config) fetch: RawFetch,
}

/// `[plugins.file-parser] fetch`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawFetch {
    /// Whether addresses of private networks may be fetched.
    pub(in crate::config) allow_private_networks: Option<bool>,
    /// The largest file, in bytes.
    pub(in crate::config) max_bytes: Option<u64>,
}

/// `[plugins.auto-router]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawAutoRouter {
    pub(in crate::config) enabled: bool,
    pub(in crate::config) prevent_overrides: bool,
    /// `embedded` or `notdiamond`.
    pub(in crate::config) engine: Option<AutoEngine>,
    pub(in crate::config) notdiamond: Option<RawService>,
    /// Patterns of the models to choose from.
    pub(in crate::config) allowed_models: Option<Vec<String>>,
    /// Patterns of models that are never chosen.
    pub(in crate::config) excluded_models: Option<Vec<String>>,
    /// `low`, `medium`, `high`, `xhigh` or `max`.
    pub(in crate::config) cost_tier: Option<String>,
    /// From 0, quality alone, to 10, cost alone.
    pub(in crate::config) cost_quality_tradeoff: Option<u8>,
    /// Whether the model of the last answer is kept.
    pub(in crate::config) pin_model: Option<bool>,
    /// What models can do, from 0 to 1, by pattern of ids, or by `pattern task`.
    pub(in crate::config) quality: BTreeMap<String, f32>,
    /// Whether scores of answers move what is thought of models.
    pub(in crate::config) feedback: Option<bool>,
    /// The share of requests that try a candidate nearly as good as the best, up to 0.05.
    pub(in crate::config) explore: Option<f64>,
}

/// `[plugins.pareto-router]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawParetoRouter {
    pub(in crate::config) enabled: bool,
    pub(in crate::config) prevent_overrides: bool,
    /// How good at code a model must be, from 0 to 1.
    pub(in crate::config) min_coding_score: Option<f64>,
}

/// Who ranks models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum AutoEngine {
    Embedded,
    Notdiamond,
}

/// `[plugins.context-compression]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawCompression {
    pub(in crate::config) enabled: bool,
    pub(in crate::config) prevent_overrides: bool,
    /// `middle-out` or `extract`.
    pub(in crate::config) engine: Option<String>,
}

/// A service that a plugin asks.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawService {
    /// Its key.
    pub(in crate::config) api_key: Option<RawSecret>,
    /// Where it is.
    pub(in crate::config) base_url: Option<String>,
    /// Whether it promises zero data retention.
    pub(in crate::config) zdr: bool,
    /// What one search costs, in USD, where the service does not say so itself.
    pub(in crate::config) price: Option<Exact<Usd>>,
}
