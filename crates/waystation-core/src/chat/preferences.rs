//! The `provider` object: how a client wants its request routed. Source: API contract, section 3.

use serde::{Deserialize, Serialize};

use super::{
    ChatRequest, InvalidRequest,
    rules::{self, Rule},
};
use crate::{Json, Kind, ProviderSlug, Quantization, RawJson, Usd, UsdPerMTok};

/// A client's routing wishes, typed. The default asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ProviderPreferences {
    /// Providers to try first, in this order, as spelled.
    pub order: Vec<String>,
    /// The only providers to use, as spelled; `None` is no restriction.
    pub only: Option<Vec<String>>,
    /// Providers not to use, as spelled.
    pub ignore: Vec<String>,
    /// Whether other endpoints may serve when the first choice fails.
    pub allow_fallbacks: Option<bool>,
    /// Only endpoints that support every parameter sent.
    pub require_parameters: bool,
    /// Whether providers that collect prompts may be used.
    pub data_collection: Option<DataCollection>,
    /// Only endpoints with zero data retention.
    pub zdr: bool,
    /// Only models whose text may be distilled.
    pub enforce_distillable_text: bool,
    /// Only these number formats; `None` is no restriction.
    pub quantizations: Option<Vec<Quantization>>,
    /// What to sort by, and whether across models.
    pub sort: Option<SortBy>,
    /// Whether models stay apart in the order.
    pub partition: Option<Partition>,
    /// Tokens per second that an endpoint should reach.
    pub preferred_min_throughput: Option<Threshold>,
    /// Seconds to the first token that an endpoint should stay below.
    pub preferred_max_latency: Option<Threshold>,
    /// Charges that an endpoint must not exceed.
    pub max_price: MaxPrice,
    /// Members for one provider alone: (slug, object).
    pub options: Vec<(ProviderSlug, RawJson)>,
}

/// Whether providers that collect prompts may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataCollection {
    /// They may.
    Allow,
    /// They may not.
    Deny,
}

/// What an explicit order compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SortBy {
    /// Lowest price first.
    Price,
    /// Most tokens per second first.
    Throughput,
    /// Shortest time to the first token first.
    Latency,
    /// Best tool-call quality first.
    Exacto,
}

/// Whether the endpoints of one model stay together in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Partition {
    /// All endpoints of the first model, then those of the second.
    Model,
    /// One list over all models.
    None,
}

/// Cutoffs by percentile; all given ones must hold. A plain number is the median's.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Threshold {
    /// Half of the requests do at least this well.
    pub p50: Option<f64>,
    /// Three quarters do.
    pub p75: Option<f64>,
    /// Nine tenths do.
    pub p90: Option<f64>,
    /// Nearly all do.
    pub p99: Option<f64>,
}

/// Charges that an endpoint must not exceed; absent is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaxPrice {
    /// Per million prompt tokens (`prompt` or `input`).
    pub prompt: Option<UsdPerMTok>,
    /// Per million answer tokens (`completion` or `output`).
    pub completion: Option<UsdPerMTok>,
    /// Per request.
    pub request: Option<Usd>,
    /// Per image.
    pub image: Option<Usd>,
    /// Per million audio tokens.
    pub audio: Option<UsdPerMTok>,
}

const KEYS: &[&str] = &[
    "order",
    "only",
    "ignore",
    "allow_fallbacks",
    "require_parameters",
    "data_collection",
    "zdr",
    "enforce_distillable_text",
    "quantizations",
    "sort",
    "preferred_min_throughput",
    "preferred_max_latency",
    "max_price",
    "options",
];

// === impl ProviderPreferences ===

impl ProviderPreferences {
    /// Reads the `provider` object, and `route`, the older spelling of the partition.
    ///
    /// # Errors
    /// [`InvalidRequest`] for an unknown key (the object is closed) or a wrong value.
    pub fn of(chat: &ChatRequest) -> Result<Self, InvalidRequest> {
        let mut wishes = Self::default();
        wishes.read(chat)?;
        Ok(wishes)
    }

    /// The same into wishes that are there: they are large, and most requests have none.
    ///
    /// # Errors
    /// As of [`of`](Self::of).
    pub fn read(&mut self, chat: &ChatRequest) -> Result<(), InvalidRequest> {
        if let Some(route) = chat.get("route") {
            let partition = if route.is("sort") {
                Partition::None
            } else {
                Partition::Model
            };
            self.partition = Some(partition);
        }
        let Some(object) = chat.get("provider") else {
            return Ok(());
        };
        rules::unique_keys("provider", object, KEYS)?;
        for (key, value) in object.members() {
            let name = key.name();
            if !KEYS.contains(&&*name) {
                let known = KEYS.iter().copied();
                return Err(InvalidRequest::unknown_key("provider", &name, known));
            }
            if !value.is_null() {
                self.take(&name, &format!("provider.{name}"), value)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, key: &str, path: &str, value: Json<'_>) -> Result<(), InvalidRequest> {
        match key {
            "order" => self.order = texts(path, value)?,
            "only" => self.only = Some(texts(path, value)?),
            "ignore" => self.ignore = texts(path, value)?,
            "allow_fallbacks" => self.allow_fallbacks = Some(rules::flag(path, value)?),
            "require_parameters" => self.require_parameters = rules::flag(path, value)?,
            "data_collection" => self.data_collection = Some(data_collection(path, value)?),
            "zdr" => self.zdr = rules::flag(path, value)?,
            "enforce_distillable_text" => self.enforce_distillable_text = rules::flag(path, value)?,
            "quantizations" => self.quantizations = Some(quantizations(path, value)?),
            "sort" => self.take_sort(path, value)?,
            "preferred_min_throughput" => {
                self.preferred_min_throughput = Some(threshold(path, value)?);
            }
            "preferred_max_latency" => self.preferred_max_latency = Some(threshold(path, value)?),
            "max_price" => self.max_price = MaxPrice::read(path, value)?,
            _ => self.options = options(path, value)?,
        }
        Ok(())
    }

    fn take_sort(&mut self, path: &str, value: Json<'_>) -> Result<(), InvalidRequest> {
        if value.kind() != Kind::Object {
            self.sort = Some(sort_by(path, value)?);
            return Ok(());
        }
        for (key, value) in value.members().filter(|(_, value)| !value.is_null()) {
            let name = key.name();
            let path = format!("{path}.{name}");
            match &*name {
                "by" => self.sort = Some(sort_by(&path, value)?),
                "partition" if value.is("model") => self.partition = Some(Partition::Model),
                "partition" if value.is("none") => self.partition = Some(Partition::None),
                "partition" => return Err(InvalidRequest::expected(path, "model or none", value)),
                _ => {
                    return Err(InvalidRequest::unknown_key(
                        "provider.sort",
                        &name,
                        ["by", "partition"],
                    ));
                }
            }
        }
        Ok(())
    }
}

// === impl MaxPrice ===

impl MaxPrice {
    const KEYS: [&'static str; 7] = [
        "prompt",
        "completion",
        "input",
        "output",
        "request",
        "image",
        "audio",
    ];

    /// Reads caps as numbers or strings, from the number's own text, never through a float. What is finer
    /// than prices are is cut off, and no cap is too high.
    ///
    /// # Errors
    /// [`InvalidRequest`] for an unknown key (a cap that is not understood must not fail open), a
    /// negative or non-numeric cap, or two spellings of one cap that differ.
    pub fn read(path: &str, object: Json<'_>) -> Result<Self, InvalidRequest> {
        rules::check(path, object, Rule::Object)?;
        rules::unique_keys(path, object, &Self::KEYS)?;
        let mut caps = Self::default();
        for (key, value) in object.members().filter(|(_, value)| !value.is_null()) {
            let name = key.name();
            let path = format!("{path}.{name}");
            match &*name {
                "prompt" | "input" => put(&mut caps.prompt, &path, value, UsdPerMTok::cap)?,
                "completion" | "output" => {
                    put(&mut caps.completion, &path, value, UsdPerMTok::cap)?
                }
                "audio" => put(&mut caps.audio, &path, value, UsdPerMTok::cap)?,
                "request" => put(&mut caps.request, &path, value, Usd::cap)?,
                "image" => put(&mut caps.image, &path, value, Usd::cap)?,
                _ => {
                    return Err(InvalidRequest::unknown_key(
                        "provider.max_price",
                        &name,
                        Self::KEYS,
                    ));
                }
            }
        }
        Ok(caps)
    }
}

fn put<T: PartialEq + Copy>(
    slot: &mut Option<T>,
    path: &str,
    value: Json<'_>,
    read: fn(&str) -> Result<T, crate::ParseMoneyError>,
) -> Result<(), InvalidRequest> {
    let text = match value.kind() {
        Kind::Number => value.text(),
        Kind::String => value.string().unwrap_or_default(),
        _ => return Err(InvalidRequest::expected(path, "a number of dollars", value)),
    };
    let cap = read(&text).map_err(|error| InvalidRequest::new(path, format!("{error}")))?;
    if slot.is_some_and(|other| other != cap) {
        return Err(InvalidRequest::new(
            path,
            "two spellings of this cap differ; send one",
        ));
    }
    *slot = Some(cap);
    Ok(())
}

fn texts(path: &str, value: Json<'_>) -> Result<Vec<String>, InvalidRequest> {
    rules::check(path, value, Rule::Texts(256))?;
    Ok(value
        .elements()
        .filter_map(|text| text.string().map(Into::into))
        .collect())
}

fn data_collection(path: &str, value: Json<'_>) -> Result<DataCollection, InvalidRequest> {
    match value.string().as_deref() {
        Some("allow") => Ok(DataCollection::Allow),
        Some("deny") => Ok(DataCollection::Deny),
        _ => Err(InvalidRequest::expected(path, "allow or deny", value)),
    }
}

fn sort_by(path: &str, value: Json<'_>) -> Result<SortBy, InvalidRequest> {
    match value.string().as_deref() {
        Some("price") => Ok(SortBy::Price),
        Some("throughput") => Ok(SortBy::Throughput),
        Some("latency") => Ok(SortBy::Latency),
        Some("exacto") => Ok(SortBy::Exacto),
        _ => Err(InvalidRequest::expected(
            path,
            "price, throughput, latency or exacto",
            value,
        )),
    }
}

fn quantizations(path: &str, value: Json<'_>) -> Result<Vec<Quantization>, InvalidRequest> {
    rules::check(path, value, Rule::Texts(64))?;
    let read = |(at, text): (usize, Json<'_>)| {
        let word = text.string().unwrap_or_default();
        word.parse()
            .map_err(|error| InvalidRequest::new(format!("{path}[{at}]"), format!("{error}")))
    };
    value.elements().enumerate().map(read).collect()
}

fn threshold(path: &str, value: Json<'_>) -> Result<Threshold, InvalidRequest> {
    let number = |path: &str, value: Json<'_>| match value.f64() {
        Some(number) if number >= 0.0 => Ok(number),
        _ => Err(InvalidRequest::expected(path, "a number from 0 up", value)),
    };
    if value.kind() != Kind::Object {
        return Ok(Threshold {
            p50: Some(number(path, value)?),
            ..Threshold::default()
        });
    }
    let mut threshold = Threshold::default();
    for (key, value) in value.members().filter(|(_, value)| !value.is_null()) {
        let name = key.name();
        let cutoff = Some(number(&format!("{path}.{name}"), value)?);
        match &*name {
            "p50" => threshold.p50 = cutoff,
            "p75" => threshold.p75 = cutoff,
            "p90" => threshold.p90 = cutoff,
            "p99" => threshold.p99 = cutoff,
            _ => {
                return Err(InvalidRequest::unknown_key(
                    path,
                    &name,
                    ["p50", "p75", "p90", "p99"],
                ));
            }
        }
    }
    Ok(threshold)
}

fn options(path: &str, value: Json<'_>) -> Result<Vec<(ProviderSlug, RawJson)>, InvalidRequest> {
    rules::check(path, value, Rule::Object)?;
    let read = |(key, value): (crate::json::Key<'_>, Json<'_>)| {
        let path = format!("{path}.{}", key.name());
        rules::check(&path, value, Rule::Object)?;
        rules::few_members(&path, value.members().count())?;
        let slug = key
            .name()
            .parse()
            .map_err(|e| InvalidRequest::new(&path, format!("{e}")))?;
        Ok((
            slug,
            RawJson::checked(bytes::Bytes::copy_from_slice(value.bytes())),
        ))
    };
    value.members().map(read).collect()
}
