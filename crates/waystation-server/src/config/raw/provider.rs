//! Providers, models and overrides, as a config file writes them.
//! What they mean is in `providers` and `models`.

use std::collections::BTreeMap;

use serde::Deserialize;
use waystation_core::{
    AuthScheme, Modality, Multiplier, ProviderSlug, Quantization, Quirks, ServiceTier, Tag, Usd,
    UsdPerMTok,
};

use super::{Exact, RawSecret, RawTimeouts};

/// `[[overrides]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawOverride {
    /// Which rows.
    #[serde(rename = "match")]
    pub(in crate::config) matches: RawMatch,
    /// Factor on every charge, a decimal number.
    pub(in crate::config) price_multiplier: Option<Exact<Multiplier>>,
    /// Charges in place of the row's.
    pub(in crate::config) price: Option<RawPrice>,
    /// What the provider calls the model.
    pub(in crate::config) model: Option<String>,
    /// How fast the endpoints are expected to be, until that is measured.
    #[serde(default)]
    pub(in crate::config) speed: RawSpeed,
    /// Whether other models may be trained on what the models write. It is said of models: with it, `match`
    /// names no provider.
    pub(in crate::config) distillable: Option<bool>,
    /// Whether the endpoint exists.
    pub(in crate::config) enabled: Option<bool>,
}

/// Which rows an override is for; `*` stands for any text.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawMatch {
    /// Model ids.
    pub(in crate::config) model: Option<String>,
    /// Provider slugs.
    pub(in crate::config) provider: Option<String>,
}

/// `[providers.*]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawProvider {
    /// Display name.
    pub(in crate::config) name: Option<String>,
    /// The wire that it speaks.
    pub(in crate::config) dialect: Option<String>,
    /// Where it is.
    pub(in crate::config) base_url: Option<String>,
    /// How its key travels.
    pub(in crate::config) auth: Option<AuthScheme>,
    /// Its key.
    pub(in crate::config) api_key: Option<RawSecret>,
    /// More keys.
    pub(in crate::config) keys: Vec<RawKey>,
    /// Azure: name of the resource.
    pub(in crate::config) resource: Option<String>,
    /// Azure: dated API version; with it the older deployment path is used.
    pub(in crate::config) api_version: Option<String>,
    /// Azure: deployment names by model id.
    pub(in crate::config) deployments: BTreeMap<String, String>,
    /// AWS region.
    pub(in crate::config) region: Option<String>,
    /// Google project.
    pub(in crate::config) project: Option<String>,
    /// Google location.
    pub(in crate::config) location: Option<String>,
    /// Cloudflare account.
    pub(in crate::config) account_id: Option<String>,
    /// What it does with prompts.
    pub(in crate::config) data_policy: Option<RawDataPolicy>,
    /// Small deviations from the dialect.
    pub(in crate::config) quirks: Option<Quirks>,
    /// Time limits of its own.
    pub(in crate::config) timeouts: RawTimeouts,
    /// The most requests at once.
    pub(in crate::config) max_concurrent: Option<u64>,
}

/// `[[providers.*.keys]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawKey {
    /// Its name in logs.
    pub(in crate::config) name: Option<String>,
    /// The key.
    pub(in crate::config) api_key: RawSecret,
    /// Requests per minute.
    pub(in crate::config) rpm: Option<u32>,
    /// Tokens per minute.
    pub(in crate::config) tpm: Option<u64>,
}

/// `data_policy` of a provider; absent is unknown.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawDataPolicy {
    /// Whether prompts may train models.
    pub(in crate::config) training: Option<bool>,
    /// How long prompts are kept: `none`, or any other text for some time.
    pub(in crate::config) retention: Option<String>,
    /// Whether zero data retention is promised.
    pub(in crate::config) zdr: Option<bool>,
}

/// `[[models]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawModel {
    /// `author/model`.
    pub(in crate::config) id: String,
    /// Display name.
    pub(in crate::config) name: Option<String>,
    /// One or two sentences.
    pub(in crate::config) description: Option<String>,
    /// Prompt and answer together, in tokens.
    pub(in crate::config) context_length: Option<u64>,
    /// The longest answer, in tokens.
    pub(in crate::config) max_output_tokens: Option<u64>,
    /// Kinds of input.
    pub(in crate::config) input_modalities: Option<Vec<Modality>>,
    /// Kinds of output.
    pub(in crate::config) output_modalities: Option<Vec<Modality>>,
    /// Request parameters that it takes.
    pub(in crate::config) supported_parameters: Option<Vec<String>>,
    /// Whether it reasons before it answers.
    pub(in crate::config) reasoning: Option<bool>,
    /// Whether its reasoning cannot be switched off.
    pub(in crate::config) reasoning_mandatory: Option<bool>,
    /// Whether other models may be trained on what it writes, for `enforce_distillable_text`. Absent, what
    /// its licence is known to say; unknown for a model of your own.
    pub(in crate::config) distillable: Option<bool>,
    /// Who serves it.
    #[serde(default)]
    pub(in crate::config) endpoints: Vec<RawEndpoint>,
}

/// `[[models.endpoints]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawEndpoint {
    /// Who serves it.
    pub(in crate::config) provider: ProviderSlug,
    /// Its name among the model's endpoints; absent, the provider's slug.
    pub(in crate::config) tag: Option<Tag>,
    /// What the provider calls the model; absent, the id behind the author.
    pub(in crate::config) model: Option<String>,
    /// The wire, where it is not the provider's.
    pub(in crate::config) dialect: Option<String>,
    /// Charges.
    pub(in crate::config) price: Option<RawPrice>,
    /// Request parameters that it takes, where they are not the model's.
    pub(in crate::config) supported_parameters: Option<Vec<String>>,
    /// Prompt and answer together, in tokens, where it is not the model's.
    pub(in crate::config) context_length: Option<u64>,
    /// The longest answer, in tokens, where it is not the model's.
    pub(in crate::config) max_output_tokens: Option<u64>,
    /// Number format of the weights.
    pub(in crate::config) quantization: Option<Quantization>,
    /// How fast it is expected to be, until that is measured.
    #[serde(default)]
    pub(in crate::config) speed: RawSpeed,
    /// The service tier that it sells: `flex`, `priority`, `scale` or `ultrafast`. Absent, the one that
    /// `tag` ends in, if any.
    pub(in crate::config) service_tier: Option<ServiceTier>,
}

/// `speed` of an endpoint: what stands in for measurements while there are none.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawSpeed {
    /// Answer tokens per second.
    pub(in crate::config) throughput_tps: Option<f64>,
    /// Seconds to the first token.
    pub(in crate::config) latency_s: Option<f64>,
}

/// Charges in dollars: tokens per million, the rest per piece. Absent is unknown, never 0.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawPrice {
    /// Prompt tokens.
    pub(in crate::config) prompt: Option<Exact<UsdPerMTok>>,
    /// Answer tokens.
    pub(in crate::config) completion: Option<Exact<UsdPerMTok>>,
    /// Prompt tokens read from a cache.
    pub(in crate::config) cache_read: Option<Exact<UsdPerMTok>>,
    /// Prompt tokens written to a five-minute cache.
    pub(in crate::config) cache_write: Option<Exact<UsdPerMTok>>,
    /// Prompt tokens written to a one-hour cache.
    pub(in crate::config) cache_write_1h: Option<Exact<UsdPerMTok>>,
    /// Audio tokens of the prompt.
    pub(in crate::config) audio: Option<Exact<UsdPerMTok>>,
    /// Reasoning tokens.
    pub(in crate::config) reasoning: Option<Exact<UsdPerMTok>>,
    /// One request.
    pub(in crate::config) request: Option<Exact<Usd>>,
    /// One image.
    pub(in crate::config) image: Option<Exact<Usd>>,
    /// One search that the provider runs.
    pub(in crate::config) web_search: Option<Exact<Usd>>,
}
