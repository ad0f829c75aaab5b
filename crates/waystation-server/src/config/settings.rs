//! The configuration, complete: every value has been checked and every default is filled in.
//!
//! Which providers are reachable and which models exist is in [`Resolved`](super::Resolved). There
//! is no `Default`: a configuration comes from a file and an environment, empty ones included.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize, Serializer, ser::SerializeSeq as _};
use waystation_core::{MaxPrice, ModelId, PluginId, PresetSlug, RawJson, Secret, Usd};

use super::listen::Listen;
use crate::{body::Bounds, connection::Patience};

/// What secrets look like wherever a configuration is printed.
pub const HIDDEN: &str = "(hidden)";

/// Everything that is not a provider or a model. Serialised, it shows no secret.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Config {
    /// Listeners and their limits.
    pub server: Server,
    /// Clients' keys.
    pub auth: Auth,
    /// Which models exist and how they are shown.
    pub catalog: CatalogRules,
    /// The operator's defaults and bounds of routing.
    pub routing: Routing,
    /// Where the API may differ from its model.
    pub compat: Compat,
    /// Other names of models.
    pub aliases: BTreeMap<ModelId, ModelId>,
    /// Partial chat bodies, JSON objects; keys of the request win.
    #[serde(serialize_with = "as_bodies")]
    pub presets: BTreeMap<PresetSlug, RawJson>,
    /// Time limits of upstream calls, unless the provider has its own.
    pub timeouts: Timeouts,
    /// Bounds on trying again.
    pub retries: Retries,
    /// Bounds on load.
    pub limits: Limits,
    /// Plugins that the file speaks of, by id.
    pub plugins: BTreeMap<PluginId, PluginConfig>,
    /// Files that a request names by address.
    pub fetch: Fetch,
}

/// Listeners and their limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Server {
    /// Where the data plane listens.
    pub listen: Listen,
    /// Where metrics and management listen; `None` is nowhere.
    #[serde(serialize_with = "or_off")]
    pub admin_listen: Option<Listen>,
    /// The largest request body, in bytes.
    pub max_body_bytes: u64,
    /// How long streams may take to finish after a stop signal.
    #[serde(rename = "drain_ms", serialize_with = "as_ms")]
    pub drain: Duration,
    /// Time to the first keep-alive comment of a stream.
    #[serde(rename = "keepalive_first_ms", serialize_with = "as_ms")]
    pub keepalive_first: Duration,
    /// Time between further keep-alive comments.
    #[serde(rename = "keepalive_ms", serialize_with = "as_ms")]
    pub keepalive: Duration,
    /// From a connection's beginning, or the first byte of a later head, to the head's end.
    #[serde(rename = "head_ms", serialize_with = "as_ms")]
    pub head: Duration,
    /// From the end of one request to the beginning of the next on the same connection.
    #[serde(rename = "idle_ms", serialize_with = "as_ms")]
    pub idle: Duration,
    /// Between two pieces of a request's body.
    #[serde(rename = "body_ms", serialize_with = "as_ms")]
    pub body: Duration,
    /// Until something of what is written is taken.
    #[serde(rename = "write_ms", serialize_with = "as_ms")]
    pub write: Duration,
    /// The largest head of a request, in bytes.
    pub max_head_bytes: u64,
    /// The most chat requests at once, streamed or whole.
    pub max_streams: u64,
    /// The most connections of clients at once; 0 is half of the files that may be open.
    pub max_connections: u64,
    /// The most of them from one address; 0 is any number.
    pub max_connections_per_address: u64,
    /// The most bytes of request bodies at once.
    pub max_buffered_bytes: u64,
    /// Origins whose pages may call the gateway; `*` is every one.
    pub cors_origins: Vec<String>,
}

impl Server {
    /// What a request's body may cost.
    #[must_use]
    pub fn body_bounds(&self) -> Bounds {
        Bounds {
            bytes: usize::try_from(self.max_body_bytes).unwrap_or(usize::MAX),
            wait: self.body,
        }
    }

    /// How long a client may let the gateway wait.
    #[must_use]
    pub fn patience(&self) -> Patience {
        Patience {
            head: self.head,
            idle: self.idle,
            write: self.write,
            max_head_bytes: usize::try_from(self.max_head_bytes).unwrap_or(usize::MAX),
        }
    }
}

/// Clients' keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Auth {
    /// Keys of the data plane; empty is open, which only a loopback listener may be.
    #[serde(serialize_with = "hidden_keys")]
    pub keys: Vec<ClientKey>,
    /// Keys of the management routes.
    #[serde(serialize_with = "hidden_keys")]
    pub management_keys: Vec<ClientKey>,
    /// `--insecure-open`: no keys on a listener that others can reach.
    #[serde(skip)]
    pub insecure_open: bool,
}

/// One bearer key of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKey {
    /// Its name in logs and records: `key-1` is the first.
    pub name: Arc<str>,
    /// The key.
    pub secret: Secret,
}

/// Which models exist and how they are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CatalogRules {
    /// Whether the bundled models exist.
    pub bundled: bool,
    /// The model of requests that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_model: Option<String>,
    /// Which models `/v1/models` shows.
    pub list: Listing,
    /// The least trusted rows that may serve.
    pub min_trust: MinTrust,
    /// Whether an id without its author resolves when it is unambiguous.
    pub bare_ids: bool,
    /// Whether the environment enables providers beside those of the file.
    pub providers_from_env: bool,
}

/// Which models `/v1/models` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Listing {
    /// Every one.
    All,
    /// Those with credentials.
    Available,
}

/// The least trusted rows that may serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MinTrust {
    /// Every one; trust is a rank only.
    Any,
    /// Firm ones only.
    Firm,
}

/// The operator's defaults and bounds of routing.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Routing {
    /// Default order; `None` is a weighted draw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort: Option<Sort>,
    /// The only providers to use; empty is no restriction.
    pub only: Vec<String>,
    /// Providers never to use.
    pub ignore: Vec<String>,
    /// Providers that collect prompts may not serve.
    #[serde(rename = "data_collection", serialize_with = "allow_or_deny")]
    pub deny_data_collection: bool,
    /// Only providers with zero data retention may serve.
    pub zdr: bool,
    /// Charges that no endpoint may exceed.
    #[serde(serialize_with = "as_max_price")]
    pub max_price: MaxPrice,
    /// Names that match nothing are refused.
    pub strict: bool,
    /// Share, 0 to 1, of requests sorted by speed that start at an unmeasured endpoint.
    pub explore: f64,
    /// Which failures lead to the next endpoint; empty is none.
    pub fallback_on: Vec<FallbackOn>,
    /// A `max_tokens` above an endpoint's limit is lowered in place of dropping the endpoint.
    pub clamp_max_tokens: bool,
    /// Endpoints with the operator's own keys go before aggregators.
    pub byok_first: bool,
}

/// A default order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// Lowest price first.
    Price,
    /// Most tokens per second first.
    Throughput,
    /// Shortest time to the first token first.
    Latency,
    /// Best tool-call quality first.
    Exacto,
}

/// A class of failures that leads to the next endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FallbackOn {
    /// Every failure that another endpoint might not have.
    Any,
    /// 429.
    RateLimit,
    /// 5xx and overload.
    ServerError,
    /// A time limit passed.
    Timeout,
    /// No connection, or one that broke.
    Network,
    /// A refused credential or an empty account.
    Credentials,
}

/// Where the API may differ from its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Compat {
    /// The most entries of `models`.
    pub models_cap: usize,
}

/// Time limits of upstream calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Timeouts {
    /// To open a connection.
    #[serde(serialize_with = "as_ms")]
    pub connect: Duration,
    /// Streamed: to the reply's head.
    #[serde(serialize_with = "as_ms")]
    pub first_byte: Duration,
    /// Streamed: to the first content, reasoning or tool delta.
    #[serde(serialize_with = "as_ms")]
    pub first_token: Duration,
    /// Streamed: the same where reasoning is on.
    #[serde(serialize_with = "as_ms")]
    pub first_token_reasoning: Duration,
    /// Streamed: between any two bytes.
    #[serde(serialize_with = "as_ms")]
    pub idle: Duration,
    /// Whole: from sending to the last byte.
    #[serde(serialize_with = "as_ms")]
    pub whole: Duration,
}

/// Bounds on trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Retries {
    /// Over all endpoints and models of one request.
    pub max_attempts: usize,
    /// Whole replies: all attempts together.
    #[serde(serialize_with = "as_ms")]
    pub deadline: Duration,
    /// Default of a request's `waystation.hedge`.
    pub hedge: bool,
    /// Default of a request's `waystation.continue`.
    #[serde(rename = "continue")]
    pub continue_: bool,
}

/// Bounds on load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Limits {
    /// The most requests at once to one provider that sets no bound of its own.
    pub max_concurrent: usize,
}

/// One plugin, as the operator wants it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PluginConfig {
    /// Whether it runs for requests that do not name it.
    pub enabled: bool,
    /// Whether requests may not change its options.
    pub prevent_overrides: bool,
    /// Options as a request would spell them, a JSON object. Holds no secret.
    #[serde(serialize_with = "as_body")]
    pub options: RawJson,
    /// Services that it may ask, by the name of their key in the file.
    pub services: BTreeMap<&'static str, Service>,
}

/// A service that a plugin asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Service {
    /// Its key; `None` where it needs none.
    #[serde(serialize_with = "hidden_key", skip_serializing_if = "Option::is_none")]
    pub api_key: Option<Secret>,
    /// Where it is; no trailing slash.
    pub base_url: String,
    /// Zero data retention is promised, so requests that demand it may use the service.
    pub zdr: bool,
    /// What one call costs, where the service does not say so itself.
    #[serde(
        serialize_with = "exact_price",
        skip_serializing_if = "Option::is_none"
    )]
    pub price: Option<Usd>,
}

/// Bounds on files that a request names by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Fetch {
    /// Addresses of private networks may be fetched.
    pub allow_private_networks: bool,
    /// The largest file, in bytes.
    pub max_bytes: u64,
}

fn as_ms<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn or_off<S: Serializer>(listen: &Option<Listen>, to: S) -> Result<S::Ok, S::Error> {
    match listen {
        Some(listen) => listen.serialize(to),
        None => to.serialize_str("off"),
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
fn allow_or_deny<S: Serializer>(deny: &bool, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(if *deny { "deny" } else { "allow" })
}

fn hidden_keys<S: Serializer>(keys: &[ClientKey], to: S) -> Result<S::Ok, S::Error> {
    let mut list = to.serialize_seq(Some(keys.len()))?;
    for _ in keys {
        list.serialize_element(HIDDEN)?;
    }
    list.end()
}

#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn hidden_key<S: Serializer>(_: &Option<Secret>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(HIDDEN)
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn exact_price<S: Serializer>(price: &Option<Usd>, to: S) -> Result<S::Ok, S::Error> {
    match price {
        Some(price) => to.collect_str(price),
        None => to.serialize_none(),
    }
}

fn as_body<S: Serializer>(body: &RawJson, to: S) -> Result<S::Ok, S::Error> {
    let value: serde_json::Value =
        serde_json::from_slice(body.bytes()).map_err(serde::ser::Error::custom)?;
    value.serialize(to)
}

fn as_bodies<S: Serializer>(
    presets: &BTreeMap<PresetSlug, RawJson>,
    to: S,
) -> Result<S::Ok, S::Error> {
    let values: Result<BTreeMap<&str, serde_json::Value>, _> = presets
        .iter()
        .map(|(name, body)| Ok((name.as_str(), serde_json::from_slice(body.bytes())?)))
        .collect();
    values
        .map_err(|error: serde_json::Error| serde::ser::Error::custom(error))?
        .serialize(to)
}

fn as_max_price<S: Serializer>(max: &MaxPrice, to: S) -> Result<S::Ok, S::Error> {
    let tokens = |price: Option<waystation_core::UsdPerMTok>| price.map(|price| price.to_string());
    let piece = |price: Option<Usd>| price.map(|price| price.to_string());
    let all = [
        ("prompt", tokens(max.prompt)),
        ("completion", tokens(max.completion)),
        ("request", piece(max.request)),
        ("image", piece(max.image)),
        ("audio", tokens(max.audio)),
    ];
    to.collect_map(
        all.into_iter()
            .filter_map(|(name, price)| Some((name, price?))),
    )
}
