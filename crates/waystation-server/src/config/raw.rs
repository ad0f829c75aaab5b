//! The config file as it is written: every key there is, all of them optional.
//!
//! Says which keys exist and of which shape they are; defaults, and what a value means, are in
//! `settings`. Units are in each key's doc.

mod plugin;
mod provider;

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de::Error as _, de::Visitor};
use waystation_core::{PresetSlug, ProviderSlug, Secret, Usd, UsdPerMTok};

pub(super) use plugin::{
    AutoEngine, RawAutoRouter, RawCompression, RawFileParser, RawParetoRouter, RawPlugins,
    RawService, RawWeb, WebEngine,
};
pub(super) use provider::{
    RawDataPolicy, RawEndpoint, RawKey, RawModel, RawOverride, RawPrice, RawProvider, RawSpeed,
};

use super::{
    settings::{FallbackOn, Listing, MinTrust, Sort},
    shape,
};

/// A whole `waystation.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawConfig {
    /// Listeners and their limits.
    pub(in crate::config) server: RawServer,
    /// Clients' keys.
    pub(in crate::config) auth: RawAuth,
    /// Reserved for the durable ledger.
    pub(in crate::config) ledger: RawReserved,
    /// Reserved for state that several gateways share.
    pub(in crate::config) shared_state: RawReserved,
    /// Which models exist and how they are shown.
    pub(in crate::config) catalog: RawCatalog,
    /// Defaults and bounds of routing.
    pub(in crate::config) routing: RawRouting,
    /// Where the API may differ from its model.
    pub(in crate::config) compat: RawCompat,
    /// Other names of models: name = model id.
    pub(in crate::config) aliases: BTreeMap<String, String>,
    /// Partial chat bodies by name; keys of the request win.
    pub(in crate::config) presets: BTreeMap<PresetSlug, JsonTable>,
    /// Patches of catalogue rows.
    pub(in crate::config) overrides: Vec<RawOverride>,
    /// Providers, by slug.
    pub(in crate::config) providers: Option<BTreeMap<ProviderSlug, RawProvider>>,
    /// Private models, or more endpoints of catalogued ones.
    pub(in crate::config) models: Vec<RawModel>,
    /// Time limits of upstream calls.
    pub(in crate::config) timeouts: RawTimeouts,
    /// Bounds on trying again.
    pub(in crate::config) retries: RawRetries,
    /// Bounds on load.
    pub(in crate::config) limits: RawLimits,
    /// Plugins, by id.
    pub(in crate::config) plugins: RawPlugins,
}

/// `[server]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawServer {
    /// Address of the data plane, `host:port`.
    pub(in crate::config) listen: Option<String>,
    /// Address of metrics and management, `host:port`, or `off`.
    pub(in crate::config) admin_listen: Option<String>,
    /// The largest request body, in bytes.
    pub(in crate::config) max_body_bytes: Option<u64>,
    /// How long streams may take to finish after a stop signal, in milliseconds.
    pub(in crate::config) drain_ms: Option<u64>,
    /// Time to the first keep-alive comment of a stream, in milliseconds.
    pub(in crate::config) keepalive_first_ms: Option<u64>,
    /// Time between further keep-alive comments, in milliseconds.
    pub(in crate::config) keepalive_ms: Option<u64>,
    /// Time for the head of a request, in milliseconds; beyond, 408.
    pub(in crate::config) head_ms: Option<u64>,
    /// How long a connection may wait for its next request, in milliseconds.
    pub(in crate::config) idle_ms: Option<u64>,
    /// Time between two pieces of a request's body, in milliseconds; beyond, 408.
    pub(in crate::config) body_ms: Option<u64>,
    /// How long a client may take nothing of what is written, in milliseconds.
    pub(in crate::config) write_ms: Option<u64>,
    /// The largest head of a request, in bytes; beyond, 431.
    pub(in crate::config) max_head_bytes: Option<u64>,
    /// The most chat requests at once, streamed or whole; beyond, 503 with `Retry-After`.
    pub(in crate::config) max_streams: Option<u64>,
    /// The most connections of clients at once; beyond, they wait. 0 is half of the open files.
    pub(in crate::config) max_connections: Option<u64>,
    /// The most of them from one address; beyond, they are closed. 0 is any number.
    pub(in crate::config) max_connections_per_address: Option<u64>,
    /// The most bytes of request bodies at once; beyond, 503 with `Retry-After`.
    pub(in crate::config) max_buffered_bytes: Option<u64>,
    /// Origins whose pages may call the gateway.
    pub(in crate::config) cors_origins: Option<Vec<String>>,
}

/// `[auth]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawAuth {
    /// Clients' bearer keys, each of at least 16 characters.
    pub(in crate::config) keys: Option<Vec<RawSecret>>,
    /// Keys of the management routes.
    pub(in crate::config) management_keys: Option<Vec<RawSecret>>,
}

/// A table that is reserved for later.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawReserved {
    /// Where the store is.
    pub(in crate::config) url: Option<RawSecret>,
}

/// `[catalog]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawCatalog {
    /// Whether the bundled models exist.
    pub(in crate::config) bundled: Option<bool>,
    /// The model of requests that name none.
    pub(in crate::config) default_model: Option<String>,
    /// Which models `/v1/models` shows: `all` or `available`.
    pub(in crate::config) list: Option<Listing>,
    /// The least trusted rows that may serve: `any` or `firm`.
    pub(in crate::config) min_trust: Option<MinTrust>,
    /// Whether an id without its author resolves when it is unambiguous.
    pub(in crate::config) bare_ids: Option<bool>,
    /// Whether keys in the environment enable providers beside `[providers.*]` tables.
    pub(in crate::config) providers_from_env: Option<bool>,
}

/// `[routing]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawRouting {
    /// Default order: `price`, `throughput`, `latency` or `exacto`; absent = a weighted draw.
    pub(in crate::config) sort: Option<Sort>,
    /// The only providers to use; a client's `only` intersects.
    pub(in crate::config) only: Option<Vec<String>>,
    /// Providers never to use; a client's `ignore` unites.
    pub(in crate::config) ignore: Option<Vec<String>>,
    /// Whether providers that collect prompts may serve: `allow` or `deny`.
    pub(in crate::config) data_collection: Option<Collection>,
    /// Whether only providers with zero data retention may serve.
    pub(in crate::config) zdr: Option<bool>,
    /// Charges that no endpoint may exceed.
    pub(in crate::config) max_price: RawMaxPrice,
    /// Whether names that match nothing are refused.
    pub(in crate::config) strict: Option<bool>,
    /// Share, 0 to 1, of requests sorted by speed that start at an unmeasured endpoint.
    pub(in crate::config) explore: Option<f64>,
    /// Which failures lead to the next endpoint.
    pub(in crate::config) fallback_on: Option<Vec<FallbackOn>>,
    /// Whether a `max_tokens` above an endpoint's limit is lowered in place of dropping it.
    pub(in crate::config) clamp_max_tokens: Option<bool>,
    /// Whether endpoints with the operator's own keys go before aggregators.
    pub(in crate::config) byok_first: Option<bool>,
}

/// Whether providers that collect prompts may serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Collection {
    Allow,
    Deny,
}

/// `[routing] max_price`, in dollars: tokens per million, the rest per piece.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawMaxPrice {
    /// Prompt tokens.
    pub(in crate::config) prompt: Option<Exact<UsdPerMTok>>,
    /// The same by its other name.
    pub(in crate::config) input: Option<Exact<UsdPerMTok>>,
    /// Answer tokens.
    pub(in crate::config) completion: Option<Exact<UsdPerMTok>>,
    /// The same by its other name.
    pub(in crate::config) output: Option<Exact<UsdPerMTok>>,
    /// One request.
    pub(in crate::config) request: Option<Exact<Usd>>,
    /// One image.
    pub(in crate::config) image: Option<Exact<Usd>>,
    /// Audio tokens.
    pub(in crate::config) audio: Option<Exact<UsdPerMTok>>,
}

/// `[compat]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawCompat {
    /// The most entries of `models`.
    pub(in crate::config) models_cap: Option<u64>,
}

/// `[timeouts]`, in milliseconds.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawTimeouts {
    /// To open a connection.
    pub(in crate::config) connect: Option<u64>,
    /// Streamed: to the reply's head.
    pub(in crate::config) first_byte: Option<u64>,
    /// Streamed: to the first content, reasoning or tool delta.
    pub(in crate::config) first_token: Option<u64>,
    /// Streamed: the same where reasoning is on.
    pub(in crate::config) first_token_reasoning: Option<u64>,
    /// Streamed: between any two bytes.
    pub(in crate::config) idle: Option<u64>,
    /// Whole: from sending to the last byte.
    pub(in crate::config) whole: Option<u64>,
}

/// `[retries]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawRetries {
    /// Over all endpoints and models of one request.
    pub(in crate::config) max_attempts: Option<u64>,
    /// Whole replies: all attempts together, in milliseconds.
    pub(in crate::config) deadline: Option<u64>,
    /// Default of the request's `waystation.hedge`.
    pub(in crate::config) hedge: Option<bool>,
    /// Default of the request's `waystation.continue`.
    #[serde(rename = "continue")]
    pub(in crate::config) continue_: Option<bool>,
}

/// `[limits]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawLimits {
    /// The most requests at once to one provider.
    pub(in crate::config) max_concurrent: Option<u64>,
}

/// A secret, out of sight as soon as it is read.
#[derive(Clone, Debug)]
pub(in crate::config) struct RawSecret(pub(in crate::config) Secret);

/// A value that is read from its exact text, whether it is written as a string or as a number.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct Exact<T>(pub(in crate::config) T);

/// A table, as JSON.
#[derive(Clone, Debug)]
pub(in crate::config) struct JsonTable(pub(in crate::config) String);

// === impl RawSecret ===

impl RawSecret {
    /// Hides a text.
    pub(in crate::config) fn new(text: &str) -> Self {
        Self(Secret::new(text))
    }
}

impl<'de> Deserialize<'de> for RawSecret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(Secret::new(&text)))
    }
}

// === impl Exact ===

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Exact<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = from.deserialize_newtype_struct(shape::EXACT, Text)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

// === impl JsonTable ===

impl<'de> Deserialize<'de> for JsonTable {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_newtype_struct(shape::JSON, Text).map(Self)
    }
}

struct Text;

// === impl Text ===

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number, best in quotes")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.into())
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<String, E> {
        Ok(text)
    }
}
