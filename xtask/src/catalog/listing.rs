//! The lines that an import reads: one JSON object each, its shape the collector's. Numbers that are
//! money stay texts. An unknown key is an error, so that no fact is lost unseen.

use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{failure::Failure, root::read};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "keys are named to be known; some repeat what others say"
)]
pub(super) struct Model {
    pub(super) id: String,
    pub(super) name: String,
    author: String,
    pub(super) created: Option<String>,
    pub(super) context_length: Option<u64>,
    pub(super) context_length_sources: Option<u64>,
    context_length_note: Option<String>,
    pub(super) max_output_tokens: Option<u64>,
    pub(super) input_modalities: Vec<String>,
    pub(super) output_modalities: Vec<String>,
    pub(super) tokenizer: Option<String>,
    #[serde(default)]
    pub(super) reasoning: bool,
    pub(super) parameters_source: String,
    pub(super) supported_parameters: Vec<String>,
    pub(super) knowledge_cutoff: Option<String>,
    pub(super) expiration_date: Option<String>,
    pub(super) open_weights: Option<bool>,
    on_openrouter: Option<bool>,
    pub(super) openrouter_last_seen: Option<String>,
    openrouter_only: Option<bool>,
    openrouter_free_variant_only: Option<bool>,
    #[serde(default)]
    pub(super) deprecated: bool,
    deprecated_note: Option<String>,
    #[serde(default)]
    pub(super) router: bool,
    note: Option<String>,
    providers: Option<u64>,
    providers_firm: Option<u64>,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) sources: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "keys are named to be known; some repeat what others say"
)]
pub(super) struct Endpoint {
    pub(super) provider: String,
    provider_name: String,
    pub(super) native_model_id: String,
    pub(super) api: String,
    #[serde(default)]
    pub(super) also_api: Vec<String>,
    pub(super) context_length: Option<u64>,
    pub(super) max_completion_tokens: Option<u64>,
    pub(super) pricing: Charges,
    #[serde(default)]
    pub(super) pricing_tiers: Vec<Tier>,
    pub(super) batch_pricing: Option<Charges>,
    pub(super) off_peak: Option<OffPeak>,
    pub(super) pricing_note: Option<String>,
    #[serde(default)]
    pub(super) native_aliases: Vec<Charges>,
    pub(super) confidence: String,
    pub(super) last_seen: String,
    last_confirmed: Option<String>,
    pub(super) sources: Vec<String>,
    aggregator: Option<bool>,
    free: Option<bool>,
    #[serde(default)]
    pub(super) volatile_price: bool,
    #[serde(default)]
    pub(super) reseller: bool,
    #[serde(default)]
    pub(super) stale: bool,
    #[serde(default)]
    pub(super) trial: bool,
    pub(super) variant: Option<String>,
    pub(super) quantization: Option<String>,
    pub(super) retires: Option<String>,
}

/// Charges in USD per million tokens; `request` in USD.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Charges {
    pub(super) native_model_id: Option<String>,
    pub(super) input: Option<Box<RawValue>>,
    pub(super) output: Option<Box<RawValue>>,
    pub(super) cache_read: Option<Box<RawValue>>,
    pub(super) cache_write: Option<Box<RawValue>>,
    pub(super) cache_write_1h: Option<Box<RawValue>>,
    pub(super) audio_input: Option<Box<RawValue>>,
    pub(super) reasoning: Option<Box<RawValue>>,
    pub(super) request: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tier {
    pub(super) above: u64,
    pub(super) input: Option<Box<RawValue>>,
    pub(super) output: Option<Box<RawValue>>,
    pub(super) cache_read: Option<Box<RawValue>>,
    pub(super) cache_write: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OffPeak {
    pub(super) input: Option<Box<RawValue>>,
    pub(super) output: Option<Box<RawValue>>,
    pub(super) cache_read: Option<Box<RawValue>>,
    pub(super) windows: Vec<Window>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Window {
    pub(super) hours_utc: OneOrMany,
    pub(super) weekdays: Vec<u8>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "keys are named to be known; prose is written anew by a person"
)]
pub(super) struct Provider {
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    pub(super) base_url: String,
    pub(super) api: String,
    pub(super) also_api: Vec<String>,
    pub(super) auth: String,
    pub(super) env: Vec<String>,
    pub(super) docs: Option<String>,
    quirks: Vec<String>,
    data_policy: serde_json::Value,
    #[serde(default)]
    pub(super) aggregator: bool,
    is_openrouter_slug: Option<bool>,
    chat_endpoints_in_catalog: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "keys are named to be known; the target alone is used"
)]
pub(super) struct Alias {
    pub(super) alias: String,
    pub(super) target: Option<String>,
    candidates: Vec<String>,
    pub(super) as_of: String,
    input: Option<Box<RawValue>>,
    output: Option<Box<RawValue>>,
    how: String,
}

/// Reads a file of one object a line.
pub(super) fn lines<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Vec<T>, Failure> {
    let text = read(path)?;
    let mut rows = Vec::new();
    for (number, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let row = serde_json::from_str(line)
            .map_err(|error| Failure::at(path, format!("line {}: {error}", number + 1)))?;
        rows.push(row);
    }
    Ok(rows)
}
