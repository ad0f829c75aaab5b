//! The catalogue as rows: what a person writes in TOML and what is embedded as JSON, one schema for
//! both. Rows are texts and numbers as they stand; they are not validated here, and nothing is
//! looked up in them. [`Catalog::from_rows`](crate::Catalog::from_rows) does both.

mod fact;
mod provider;
mod text;

use serde::{Deserialize, Serialize};

pub use fact::{LicenseRow, SpeedRow};
pub use provider::{PolicyRow, ProviderRow, WireRow};
pub use text::Text;

use crate::CatalogError;

/// Everything that one catalogue holds.
///
/// ```
/// use waystation_catalog::{Catalog, source::Rows};
///
/// let rows = Rows::from_toml(r#"
/// version = "2026-11-10"
///
/// [[provider]]
/// slug = "acme"
/// name = "Acme"
/// dialect = "openai-chat"
/// base_url = "https://llm.acme.example/v1"
/// auth = "bearer"
///
/// [[model]]
/// id = "acme/fast"
/// name = "Acme Fast"
/// context_length = 32768
/// input = ["text"]
/// output = ["text"]
///
/// [[model.endpoint]]
/// provider = "acme"
/// model = "fast-70b"
/// price.prompt = "0.10"
/// confidence = "high"
/// "#)?;
/// let catalog = Catalog::from_rows(&rows)?;
/// let price = &catalog.model("acme/fast").unwrap().endpoints[0].price;
/// assert_eq!(price.rates.prompt.unwrap().to_string(), "0.1");
/// assert_eq!(price.rates.completion, None);
/// # Ok::<(), waystation_catalog::CatalogError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rows<'a> {
    /// Date of the newest fact, `YYYY-MM-DD`.
    #[serde(borrow)]
    pub version: Text<'a>,
    /// Who serves models.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty")]
    pub provider: Vec<ProviderRow<'a>>,
    /// What is served.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty")]
    pub model: Vec<ModelRow<'a>>,
    /// `~author/family-latest` names.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty")]
    pub latest: Vec<LatestRow<'a>>,
    /// Other spellings of model ids.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty")]
    pub alias: Vec<AliasRow<'a>>,
    /// Licences of weights.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty")]
    pub license: Vec<LicenseRow<'a>>,
}

/// One model and the endpoints that serve it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelRow<'a> {
    /// `author/slug`.
    #[serde(borrow)]
    pub id: Text<'a>,
    /// The permanent id, when it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canonical_slug: Option<Text<'a>>,
    /// Display name.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// What the model is for, when somebody wrote it down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Text<'a>>,
    /// Release date, `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Text<'a>>,
    /// Promised context in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_length: Option<u64>,
    /// What the sources say where the promise differs. Not embedded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_length_sources: Option<u64>,
    /// The longest answer in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output: Option<u64>,
    /// Kinds of input.
    #[serde(borrow)]
    pub input: Vec<Text<'a>>,
    /// Kinds of output.
    #[serde(borrow)]
    pub output: Vec<Text<'a>>,
    /// Family of the tokenizer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<Text<'a>>,
    /// The model reasons.
    #[serde(skip_serializing_if = "is_false")]
    pub reasoning: bool,
    /// Its reasoning cannot be switched off, by its author's documentation.
    #[serde(skip_serializing_if = "is_false")]
    pub reasoning_mandatory: bool,
    /// Where that was read; absent, nobody has checked it. Not embedded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_source: Option<Text<'a>>,
    /// Request parameters that it takes.
    #[serde(borrow)]
    pub parameters: Vec<Text<'a>>,
    /// The parameters are concluded from others, not read from a list. Not embedded.
    #[serde(skip_serializing_if = "is_false")]
    pub parameters_derived: bool,
    /// Last date of the training data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub knowledge_cutoff: Option<Text<'a>>,
    /// When it goes away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration_date: Option<Text<'a>>,
    /// The weights are public.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_weights: Option<bool>,
    /// The licence of the weights, as a row of licences calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<Text<'a>>,
    /// Where the licence was read. Not embedded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license_source: Option<Text<'a>>,
    /// The id stands for a choice among models.
    #[serde(skip_serializing_if = "is_false")]
    pub router: bool,
    /// No current list has it any more.
    #[serde(skip_serializing_if = "is_false")]
    pub deprecated: bool,
    /// Where the facts were read.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Text<'a>>,
    /// The newest date on which a source had the model.
    #[serde(borrow)]
    pub seen: Text<'a>,
    /// Fields that an import must not touch. Not embedded.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty")]
    pub pinned: Vec<Text<'a>>,
    /// Who serves it.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty")]
    pub endpoint: Vec<EndpointRow<'a>>,
}

/// One way to reach one model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EndpointRow<'a> {
    /// Slug of the provider.
    #[serde(borrow)]
    pub provider: Text<'a>,
    /// Static variant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<Text<'a>>,
    /// What the provider calls the model.
    #[serde(borrow)]
    pub model: Text<'a>,
    /// The wire, when it is not the provider's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Text<'a>>,
    /// Context in tokens; absent, the model's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_length: Option<u64>,
    /// The longest answer in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output: Option<u64>,
    /// Number format of the weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantization: Option<Text<'a>>,
    /// How fast its host says that it is.
    #[serde(borrow, skip_serializing_if = "SpeedRow::is_unknown")]
    pub speed: SpeedRow<'a>,
    /// Charges.
    #[serde(borrow, skip_serializing_if = "PriceRow::is_unknown")]
    pub price: PriceRow<'a>,
    /// Charges of long prompts.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<TierRow<'a>>,
    /// Charges in a batch. Not embedded.
    #[serde(borrow, skip_serializing_if = "PriceRow::is_unknown")]
    pub batch: PriceRow<'a>,
    /// Charges at other hours. Not embedded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub off_peak: Option<OffPeakRow<'a>>,
    /// Other names at the provider. Not embedded.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty")]
    pub spellings: Vec<SpellingRow<'a>>,
    /// `high`, `medium` or `low`.
    #[serde(borrow)]
    pub confidence: Text<'a>,
    /// The provider resells somebody else's closed model.
    #[serde(skip_serializing_if = "is_false")]
    pub reseller: bool,
    /// Served as a trial.
    #[serde(skip_serializing_if = "is_false")]
    pub trial: bool,
    /// The newest list does not have it.
    #[serde(skip_serializing_if = "is_false")]
    pub stale: bool,
    /// The price moves from day to day. Not embedded.
    #[serde(skip_serializing_if = "is_false")]
    pub volatile: bool,
    /// When the provider stops serving it. Not embedded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retires: Option<Text<'a>>,
    /// Where the facts were read. Not embedded.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Text<'a>>,
    /// The newest date on which a source had the row. Not embedded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Text<'a>>,
    /// Fields that an import must not touch. Not embedded.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty")]
    pub pinned: Vec<Text<'a>>,
}

/// Charges as decimal texts: USD per million tokens, `request` in USD.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PriceRow<'a> {
    /// Prompt tokens.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Text<'a>>,
    /// Answer tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion: Option<Text<'a>>,
    /// Prompt tokens read from a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<Text<'a>>,
    /// Prompt tokens written to a five-minute cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<Text<'a>>,
    /// Prompt tokens written to a one-hour cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<Text<'a>>,
    /// Prompt tokens of audio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<Text<'a>>,
    /// Reasoning tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Text<'a>>,
    /// Flat fee per request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Text<'a>>,
    /// Fee per input image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<Text<'a>>,
    /// Fee per search that the provider runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web_search: Option<Text<'a>>,
}

/// Charges of prompts above a size.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TierRow<'a> {
    /// Prompts of more tokens than this.
    pub above: u64,
    /// Prompt tokens.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Text<'a>>,
    /// Answer tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion: Option<Text<'a>>,
    /// Prompt tokens read from a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<Text<'a>>,
    /// Prompt tokens written to a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<Text<'a>>,
}

/// Charges at other hours.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OffPeakRow<'a> {
    /// Prompt tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Text<'a>>,
    /// Answer tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion: Option<Text<'a>>,
    /// Prompt tokens read from a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<Text<'a>>,
    /// When, as `weekdays hours` in UTC: `1-5 04:00-06:00`.
    #[serde(borrow)]
    pub windows: Vec<Text<'a>>,
}

/// Another name of the model at the same provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpellingRow<'a> {
    /// The name.
    #[serde(borrow)]
    pub model: Text<'a>,
    /// Prompt tokens, when charged differently.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Text<'a>>,
    /// Answer tokens, when charged differently.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion: Option<Text<'a>>,
}

/// What `~author/family-latest` stands for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LatestRow<'a> {
    /// `author/family-latest`, without the `~`.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// The model; absent when no source lets it be concluded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Text<'a>>,
    /// How the target is known. Not embedded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Text<'a>>,
    /// Date of that. Not embedded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Text<'a>>,
    /// An import must not touch the row. Not embedded.
    #[serde(skip_serializing_if = "is_false")]
    pub pinned: bool,
}

/// Another spelling of a model id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AliasRow<'a> {
    /// The spelling.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// The model.
    #[serde(borrow)]
    pub target: Text<'a>,
}

// serde's `skip_serializing_if` hands over a reference.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

// === impl Rows ===

impl<'a> Rows<'a> {
    /// Reads rows from one TOML file of the source tree.
    ///
    /// # Errors
    /// [`CatalogError::Toml`], with line and key.
    pub fn from_toml(text: &'a str) -> Result<Self, CatalogError> {
        toml::from_str(text).map_err(|error| CatalogError::Toml(Box::new(error)))
    }

    /// Reads rows from their embedded form.
    ///
    /// # Errors
    /// [`CatalogError::Json`].
    pub fn from_json(text: &'a [u8]) -> Result<Self, CatalogError> {
        serde_json::from_slice(text).map_err(CatalogError::Json)
    }

    /// Adds the rows of another file.
    pub fn extend(&mut self, more: Self) {
        self.version = std::mem::take(&mut self.version).max(more.version);
        self.provider.extend(more.provider);
        self.model.extend(more.model);
        self.latest.extend(more.latest);
        self.alias.extend(more.alias);
        self.license.extend(more.license);
    }

    /// Drops what the gateway does not need, sorts, and sets the version to the newest date.
    #[must_use]
    pub fn compact(mut self) -> Self {
        for model in &mut self.model {
            self.version = std::mem::take(&mut self.version).max(model.seen.clone());
            model.compact();
        }
        for provider in &mut self.provider {
            provider.seen = None;
            provider.policy.source = None;
        }
        for latest in &mut self.latest {
            (latest.source, latest.seen, latest.pinned) = (None, None, false);
        }
        self.license.iter_mut().for_each(LicenseRow::compact);
        self.latest.retain(|row| row.target.is_some());
        self.model.sort_by(|a, b| a.id.cmp(&b.id));
        self.provider.sort_by(|a, b| a.slug.cmp(&b.slug));
        self.latest.sort_by(|a, b| a.name.cmp(&b.name));
        self.alias.sort_by(|a, b| a.name.cmp(&b.name));
        self.license.sort_by(|a, b| a.id.cmp(&b.id));
        self
    }

    /// The embedded form, before compression.
    ///
    /// # Errors
    /// [`CatalogError::Json`].
    pub fn to_json(&self) -> Result<Vec<u8>, CatalogError> {
        serde_json::to_vec(self).map_err(CatalogError::Json)
    }
}

// === impl ModelRow ===

impl ModelRow<'_> {
    fn compact(&mut self) {
        self.context_length_sources = None;
        self.license_source = None;
        self.reasoning_source = None;
        self.parameters_derived = false;
        self.pinned.clear();
        for endpoint in &mut self.endpoint {
            endpoint.batch = PriceRow::default();
            endpoint.off_peak = None;
            endpoint.spellings.clear();
            endpoint.speed.compact();
            endpoint.volatile = false;
            endpoint.retires = None;
            endpoint.sources.clear();
            endpoint.seen = None;
            endpoint.pinned.clear();
        }
    }
}

// === impl PriceRow ===

impl PriceRow<'_> {
    /// Whether no charge is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}
