//! What an operator may change about the catalogue. These are plain values; reading them from a
//! config file is the server's work, applying them is [`Catalog::with`](crate::Catalog::with)'s.

use std::collections::BTreeMap;

use waystation_core::{
    AuthScheme, DataPolicy, DialectId, Modalities, ModelId, Multiplier, ParameterSet, Price,
    ProviderSlug, Quantization, Quirks, ServiceTier, Tag, Tokens,
};

use crate::Speed;

/// Everything that one config changes, applied in the order of the fields.
///
/// ```
/// use waystation_catalog::{Catalog, Changes, EndpointChange, ModelChange, ProviderChange};
/// use waystation_core::Tokens;
///
/// let mut provider = ProviderChange::new("my-vllm".parse()?);
/// provider.name = Some("My vLLM".into());
/// provider.dialect = Some("openai-chat".parse()?);
/// provider.base_url = Some("http://10.0.0.5:8000/v1".into());
///
/// let mut model = ModelChange::new("acme/fast".parse()?);
/// model.context_length = Some(Tokens::new(131_072));
/// model.endpoints.push(EndpointChange::new("my-vllm".parse()?));
///
/// let changes = Changes {
///     providers: vec![provider],
///     models: vec![model],
///     ..Changes::default()
/// };
/// let (catalog, warnings) = Catalog::bundled()?.with(changes)?;
/// assert!(warnings.is_empty());
/// assert_eq!(catalog.model("acme/fast").unwrap().endpoints.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// New providers, and changes to known ones.
    pub providers: Vec<ProviderChange>,
    /// New models, and more endpoints or other facts for known ones.
    pub models: Vec<ModelChange>,
    /// Patches to endpoints by selector; where several match, the last one wins.
    pub overrides: Vec<Override>,
    /// Other names of models, by name. A name that is also a model's id hides that model.
    pub aliases: BTreeMap<ModelId, ModelId>,
}

/// A new provider, or changes to a known one. A new one needs name, dialect and base URL.
#[derive(Clone, Debug)]
pub struct ProviderChange {
    /// Which one.
    pub slug: ProviderSlug,
    /// Display name.
    pub name: Option<String>,
    /// The wire of all of its endpoints.
    pub dialect: Option<DialectId>,
    /// Address, as its dialect wants it.
    pub base_url: Option<String>,
    /// How the key travels; each dialect has its default.
    pub auth: Option<AuthScheme>,
    /// Deviations from the dialect; all of them, when given.
    pub quirks: Option<Quirks>,
    /// Names that its address or its dialect needs.
    pub settings: SettingsChange,
    /// What it does with prompts; all of it, when given.
    pub policy: Option<DataPolicy>,
}

/// Names that a provider's address or dialect needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsChange {
    /// AWS region or Google location: fills `{region}` and `{location}`.
    pub region: Option<String>,
    /// Google project: fills `{project}`.
    pub project: Option<String>,
    /// Azure's dated API version.
    pub api_version: Option<String>,
    /// Deployment names by model id.
    pub deployments: BTreeMap<String, String>,
    /// What else the address has in braces, by name: `resource`, `account_id`.
    pub values: BTreeMap<String, String>,
}

/// A new model, or changes to a known one.
#[derive(Clone, Debug)]
pub struct ModelChange {
    /// Which one.
    pub id: ModelId,
    /// Display name; a new model without one is called by its id.
    pub name: Option<String>,
    /// A sentence about it.
    pub description: Option<String>,
    /// Promised context.
    pub context_length: Option<Tokens>,
    /// The longest answer.
    pub max_output: Option<Tokens>,
    /// Kinds of input; every kind when a new model says nothing, since unknown limits nothing.
    pub input: Option<Modalities>,
    /// Kinds of output; text when a new model says nothing.
    pub output: Option<Modalities>,
    /// Request parameters that it takes; a new model that says nothing takes all.
    pub parameters: Option<ParameterSet>,
    /// It reasons before it answers.
    pub reasoning: Option<bool>,
    /// Its reasoning cannot be switched off.
    pub reasoning_mandatory: Option<bool>,
    /// Other models may be trained on what it writes, whatever its licence is known to say.
    pub distillable: Option<bool>,
    /// Further endpoints. One whose tag is taken replaces that endpoint.
    pub endpoints: Vec<EndpointChange>,
}

/// A further endpoint.
#[derive(Clone, Debug)]
pub struct EndpointChange {
    /// Who serves it.
    pub provider: ProviderSlug,
    /// Its name among the model's endpoints; absent, the provider's slug.
    pub tag: Option<Tag>,
    /// The service tier that it sells; absent, the one that its tag ends in, if any. Without a tag, its
    /// name is the provider's slug with the tier behind it.
    pub service_tier: Option<ServiceTier>,
    /// What the provider calls the model; absent, the id behind the author.
    pub model: Option<String>,
    /// The wire; absent, the provider's.
    pub dialect: Option<DialectId>,
    /// Charges; absent ones are unknown.
    pub price: Price,
    /// Context; absent, the model's.
    pub context_length: Option<Tokens>,
    /// The longest answer; absent, the model's.
    pub max_output: Option<Tokens>,
    /// Request parameters that it takes; absent, the model's.
    pub parameters: Option<ParameterSet>,
    /// Number format of the weights.
    pub quantization: Option<Quantization>,
    /// How fast it is expected to be.
    pub speed: Speed,
}

/// A patch to every endpoint that it selects. It selects by model, by provider, or by both.
///
/// One that selects nothing changes nothing and is a [`Warning`](crate::Warning): a slip of the pen
/// in a discount must not go unseen.
///
/// ```
/// use waystation_catalog::{Catalog, Changes, Override};
///
/// let slip = Override {
///     model: Some("antropic/*".into()),
///     price_multiplier: Some("0.92".parse()?),
///     ..Override::default()
/// };
/// let changes = Changes { overrides: vec![slip], ..Changes::default() };
/// let (_, warnings) = Catalog::bundled()?.with(changes)?;
/// assert_eq!(warnings[0].to_string(), "overrides[0]: matches no endpoint and changes nothing");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Override {
    /// Models, as an id or a pattern in which `*` stands for any letters: `anthropic/*`.
    pub model: Option<String>,
    /// The provider, by slug, display name or alias.
    pub provider: Option<String>,
    /// Multiplies every charge per token; flat fees stay.
    pub price_multiplier: Option<Multiplier>,
    /// Charges that replace those of the row. Charges that it leaves out stay as they are; steps by
    /// prompt size go, unless it has its own.
    pub price: Option<Price>,
    /// What the provider calls the model.
    pub upstream_model: Option<String>,
    /// How fast the endpoints are expected to be. Figures that it leaves out stay as they are.
    pub speed: Speed,
    /// Whether other models may be trained on what the models write. It is said of models: such an
    /// override must not name a provider.
    pub distillable: Option<bool>,
    /// `Some(false)` takes the endpoint away.
    pub enabled: Option<bool>,
}

// === impl ProviderChange, ModelChange, EndpointChange ===

impl ProviderChange {
    /// A change that changes nothing yet.
    #[must_use]
    pub fn new(slug: ProviderSlug) -> Self {
        Self {
            slug,
            name: None,
            dialect: None,
            base_url: None,
            auth: None,
            quirks: None,
            settings: SettingsChange::default(),
            policy: None,
        }
    }
}

impl ModelChange {
    /// A change that changes nothing yet.
    #[must_use]
    pub fn new(id: ModelId) -> Self {
        Self {
            id,
            name: None,
            description: None,
            context_length: None,
            max_output: None,
            input: None,
            output: None,
            parameters: None,
            reasoning: None,
            reasoning_mandatory: None,
            distillable: None,
            endpoints: Vec::new(),
        }
    }
}

impl EndpointChange {
    /// An endpoint of which nothing is known but who serves it.
    #[must_use]
    pub fn new(provider: ProviderSlug) -> Self {
        Self {
            provider,
            tag: None,
            service_tier: None,
            model: None,
            dialect: None,
            price: Price::default(),
            context_length: None,
            max_output: None,
            parameters: None,
            quantization: None,
            speed: Speed::default(),
        }
    }
}

// === impl SettingsChange ===

impl SettingsChange {
    /// What fills `{name}` in an address.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        match name {
            "region" | "location" => self.region.as_deref(),
            "project" => self.project.as_deref(),
            other => self.values.get(other).map(String::as_str),
        }
    }
}
