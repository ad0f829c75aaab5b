//! The catalogue and its look-ups. It is immutable; a changed one is a new one. It chooses nothing:
//! candidates, order and price are the router's.

use std::{collections::BTreeMap, io::Read, sync::Arc};

use rustc_hash::FxHashMap;
use waystation_core::{EndpointId, ModelId, ProviderSlug};

use crate::{
    CatalogError, Changes, Model, Provider, RowError, Speed, Warning, load,
    name::ProviderNames,
    overlay::{self, alias_path},
    source::Rows,
    suggest,
};

/// The embedded form. `cargo xtask catalog build` makes it; `cargo xtask catalog check` holds it to
/// the source tree.
const BUNDLED: &[u8] = include_bytes!("../data/catalog.json.gz");

/// What the embedded form may unpack to, so that a wrong file cannot fill the memory.
const MAX_UNPACKED: u64 = 64 * 1024 * 1024;

/// Models, providers, and the names of both. Put it into an `Arc` to share it.
///
/// ```
/// use waystation_catalog::Catalog;
///
/// let catalog = Catalog::bundled()?;
/// let model = catalog.model("openai/gpt-5.4").unwrap();
/// assert!(model.endpoints.iter().any(|endpoint| endpoint.provider == "openai"));
/// # Ok::<(), waystation_catalog::CatalogError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Catalog {
    version: Arc<str>,
    /// Sorted by id.
    models: Vec<Model>,
    /// Sorted by slug.
    providers: Vec<Provider>,
    places: Places,
    names: ProviderNames,
    aliases: BTreeMap<ModelId, ModelId>,
    /// Permanent ids that differ from the id.
    canonical: BTreeMap<ModelId, ModelId>,
    latest: BTreeMap<Arc<str>, ModelId>,
}

/// Where rows stand, by their names.
///
/// Every plan asks several times. The names in it are the catalogue's own and not a client's, so that
/// nobody can choose them to collide: a hash for speed will do.
#[derive(Clone, Debug, Default)]
struct Places {
    models: FxHashMap<ModelId, usize>,
    providers: FxHashMap<ProviderSlug, usize>,
}

// === impl Places ===

impl Places {
    fn of(models: &[Model], providers: &[Provider]) -> Self {
        let models = models.iter().enumerate();
        let providers = providers.iter().enumerate();
        Self {
            models: models.map(|(at, model)| (model.id.clone(), at)).collect(),
            providers: providers
                .map(|(at, provider)| (provider.upstream.slug.clone(), at))
                .collect(),
        }
    }
}

// === impl Catalog ===

impl Catalog {
    /// The catalogue that is built in. Takes a few milliseconds; keep it.
    ///
    /// # Errors
    /// Never for a released crate: the embedded form is checked before it is committed.
    pub fn bundled() -> Result<Self, CatalogError> {
        Self::from_gzip(BUNDLED)
    }

    /// A catalogue in the embedded form: gzip of the JSON that
    /// [`Rows::to_json`](crate::source::Rows::to_json) writes.
    ///
    /// # Errors
    /// [`CatalogError`], for what cannot be unpacked, read or believed.
    pub fn from_gzip(bytes: &[u8]) -> Result<Self, CatalogError> {
        let mut json = Vec::with_capacity(bytes.len().saturating_mul(16));
        flate2::read::GzDecoder::new(bytes)
            .take(MAX_UNPACKED)
            .read_to_end(&mut json)
            .map_err(CatalogError::Unpack)?;
        Self::from_rows(&Rows::from_json(&json)?)
    }

    /// A catalogue of rows.
    ///
    /// # Errors
    /// [`CatalogError::Row`] names the row that is wrong.
    pub fn from_rows(rows: &Rows<'_>) -> Result<Self, CatalogError> {
        load::load(rows)
    }

    /// A catalogue without anything in it.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            version: "".into(),
            models: Vec::new(),
            providers: Vec::new(),
            places: Places::default(),
            names: ProviderNames::default(),
            aliases: BTreeMap::new(),
            canonical: BTreeMap::new(),
            latest: BTreeMap::new(),
        }
    }

    /// This catalogue's providers and none of its models: what is left with `bundled = false`.
    #[must_use]
    pub fn without_models(&self) -> Self {
        Self {
            version: Arc::clone(&self.version),
            providers: self.providers.clone(),
            places: Places::of(&[], &self.providers),
            names: self.names.clone(),
            ..Self::empty()
        }
    }

    /// Date of the newest fact, `YYYY-MM-DD`; empty for an empty catalogue.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The same, for who keeps it.
    #[must_use]
    pub fn shared_version(&self) -> Arc<str> {
        Arc::clone(&self.version)
    }

    /// Every model, by id.
    pub fn models(&self) -> impl Iterator<Item = &Model> {
        self.models.iter()
    }

    /// How fast endpoints are said to be, by their hosts or by the operator: figures that nobody
    /// measured. Takes time in proportion to the models.
    ///
    /// ```
    /// let catalog = waystation_catalog::Catalog::bundled()?;
    /// let fast = catalog.speeds().filter(|(_, speed)| speed.throughput_tps > Some(1_000.0));
    /// assert!(fast.count() > 0);
    /// # Ok::<(), waystation_catalog::CatalogError>(())
    /// ```
    pub fn speeds(&self) -> impl Iterator<Item = (&EndpointId, Speed)> {
        self.models.iter().flat_map(|model| {
            let known = model.speeds.iter();
            known.filter_map(|(tag, speed)| Some((&model.endpoint(tag.as_str())?.id, *speed)))
        })
    }

    /// The model of exactly this id.
    #[must_use]
    pub fn model(&self, id: &str) -> Option<&Model> {
        self.models.get(*self.places.models.get(id)?)
    }

    /// The model that `id` names: by an alias, its id, its permanent id, or any of these with a
    /// static variant (`:free`) in which it is served. Case is of no matter, since ids have none.
    #[must_use]
    pub fn resolve(&self, id: &ModelId) -> Option<&Model> {
        self.find(id).map(|(model, _)| model)
    }

    /// As [`resolve`](Self::resolve), with the static variant that `id`, or the alias that it is,
    /// asks for. An endpoint is of use when its variant is the one that is asked for.
    ///
    /// ```
    /// let catalog = waystation_catalog::Catalog::bundled()?;
    /// let id = "openai/gpt-oss-20b:free".parse().unwrap();
    /// let (model, variant) = catalog.find(&id).unwrap();
    /// assert_eq!((model.id.as_str(), variant), ("openai/gpt-oss-20b", Some("free")));
    /// # Ok::<(), waystation_catalog::CatalogError>(())
    /// ```
    #[must_use]
    pub fn find(&self, id: &ModelId) -> Option<(&Model, Option<&str>)> {
        let id = self
            .aliases
            .get(id)
            .or_else(|| self.canonical.get(id))
            .unwrap_or(id);
        if let Some(model) = self.model(id.as_str()) {
            return Some((model, None));
        }
        let wanted = id.variant()?;
        let base = id.base();
        let base = self
            .aliases
            .get(&base)
            .or_else(|| self.canonical.get(&base))
            .unwrap_or(&base);
        let model = self.model(base.as_str())?;
        let variant = model
            .variants()
            .into_iter()
            .find(|variant| *variant == wanted)?;
        Some((model, Some(variant)))
    }

    /// The model that `~author/family-latest` stands for; `alias` may have the `~` or not. `None`
    /// also where the family is known and no source says which model is its newest: nothing else is
    /// served in its place. Source: API contract, section 4.3.
    ///
    /// ```
    /// let catalog = waystation_catalog::Catalog::bundled()?;
    /// let model = catalog.latest("~anthropic/claude-sonnet-latest").unwrap();
    /// assert!(model.id.as_str().starts_with("anthropic/claude-sonnet-"));
    /// # Ok::<(), waystation_catalog::CatalogError>(())
    /// ```
    #[must_use]
    pub fn latest(&self, alias: &str) -> Option<&Model> {
        let alias = alias
            .strip_prefix('~')
            .unwrap_or(alias)
            .to_ascii_lowercase();
        self.latest
            .get(alias.as_str())
            .and_then(|id| self.model(id.as_str()))
    }

    /// Every `author/family-latest` and its target.
    pub fn latest_aliases(&self) -> impl Iterator<Item = (&str, &ModelId)> {
        self.latest.iter().map(|(alias, id)| (&**alias, id))
    }

    /// Every other spelling and the id that it stands for.
    pub fn aliases(&self) -> impl Iterator<Item = (&ModelId, &ModelId)> {
        self.aliases.iter()
    }

    /// The provider of exactly this slug.
    #[must_use]
    pub fn provider(&self, slug: &str) -> Option<&Provider> {
        self.providers.get(*self.places.providers.get(slug)?)
    }

    /// Every provider, by slug.
    pub fn providers(&self) -> impl Iterator<Item = &Provider> {
        self.providers.iter()
    }

    /// The providers that a name means: by slug, else by display name, else by alias. Case and the
    /// characters space `_ . -` are of no matter. Empty when the name means none.
    ///
    /// ```
    /// let catalog = waystation_catalog::Catalog::bundled()?;
    /// assert_eq!(catalog.providers_named("Z.AI"), ["z-ai"]);
    /// assert_eq!(catalog.providers_named("Google"), ["google-ai-studio", "google-vertex"]);
    /// # Ok::<(), waystation_catalog::CatalogError>(())
    /// ```
    #[must_use]
    pub fn providers_named(&self, name: &str) -> Vec<&ProviderSlug> {
        self.names.get(name).iter().collect()
    }

    /// The id that an unknown one probably means: the same slug of another or no author, a
    /// provider's own name for a model, or a slip of the finger. A few milliseconds at worst.
    ///
    /// ```
    /// let catalog = waystation_catalog::Catalog::bundled()?;
    /// assert_eq!(catalog.suggest("gpt-5.4").unwrap().as_str(), "openai/gpt-5.4");
    /// # Ok::<(), waystation_catalog::CatalogError>(())
    /// ```
    #[must_use]
    pub fn suggest(&self, wrong: &str) -> Option<&ModelId> {
        suggest::suggest(self, wrong)
    }

    /// The catalogue with an operator's changes, and what is odd about them.
    ///
    /// # Errors
    /// [`CatalogError::Row`] with the path of the change that is wrong, as
    /// `models[0].endpoints[1].provider`; providers by slug, as `providers.acme.base_url`. Refused
    /// are a new provider without name, dialect or address, an endpoint of a provider that is not
    /// there, two endpoints of one tag, prices of 1000 USD per million tokens or more, limits of
    /// zero, an id with `:`, an override that selects by nothing, an alias of no model.
    pub fn with(&self, changes: Changes) -> Result<(Self, Vec<Warning>), CatalogError> {
        overlay::apply(self, changes)
    }

    /// Sorts and indexes, and refuses what cannot be told apart.
    pub(crate) fn assemble(
        version: Arc<str>,
        mut models: Vec<Model>,
        mut providers: Vec<Provider>,
        aliases: BTreeMap<ModelId, ModelId>,
        latest: BTreeMap<Arc<str>, ModelId>,
    ) -> Result<Self, CatalogError> {
        models.sort_by(|a, b| a.id.cmp(&b.id));
        providers.sort_by(|a, b| a.upstream.slug.cmp(&b.upstream.slug));
        models.shrink_to_fit();
        providers.shrink_to_fit();
        let twice = |name: &str| RowError::Twice { name: name.into() };
        if let Some(id) = first_twice(models.iter().map(|model| model.id.as_str())) {
            return Err(twice(id).at(format!("model {id:?}")));
        }
        let slugs = providers
            .iter()
            .map(|provider| provider.upstream.slug.as_str());
        if let Some(slug) = first_twice(slugs) {
            return Err(twice(slug).at(format!("provider {slug:?}")));
        }
        for model in &models {
            let mut tags: Vec<&str> = model
                .endpoints
                .iter()
                .map(|endpoint| endpoint.tag.as_str())
                .collect();
            tags.sort_unstable();
            if let Some(tag) = first_twice(tags) {
                return Err(twice(tag).at(format!("model {:?}, endpoints", model.id)));
            }
        }
        let canonical = models
            .iter()
            .filter(|model| model.canonical_slug != model.id)
            .map(|model| (model.canonical_slug.clone(), model.id.clone()))
            .collect();
        let names = ProviderNames::of(&providers);
        let made = Self {
            places: Places::of(&models, &providers),
            version,
            models,
            providers,
            names,
            aliases,
            canonical,
            latest,
        };
        made.check_targets()?;
        Ok(made)
    }

    fn check_targets(&self) -> Result<(), CatalogError> {
        let no_model = |target: &ModelId| RowError::NoModel {
            found: target.to_string(),
            nearest: self.suggest(target.as_str()).map(ToString::to_string),
        };
        for (name, target) in &self.aliases {
            if self.model(target.as_str()).is_none() && self.find(target).is_none() {
                return Err(no_model(target).at(alias_path(name)));
            }
        }
        for (name, target) in &self.latest {
            if self.model(target.as_str()).is_none() {
                return Err(no_model(target).at(format!("latest {name:?}")));
            }
        }
        Ok(())
    }

    /// The parts, for an overlay to change and assemble again.
    pub(crate) fn parts(&self) -> Parts {
        Parts {
            version: Arc::clone(&self.version),
            models: self.models.clone(),
            providers: self.providers.clone(),
            aliases: self.aliases.clone(),
            latest: self.latest.clone(),
        }
    }
}

/// The parts of a catalogue that is being changed.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) version: Arc<str>,
    pub(crate) models: Vec<Model>,
    pub(crate) providers: Vec<Provider>,
    pub(crate) aliases: BTreeMap<ModelId, ModelId>,
    pub(crate) latest: BTreeMap<Arc<str>, ModelId>,
}

/// The first of neighbours that are equal.
fn first_twice<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut before = None;
    names
        .into_iter()
        .find(|name| before.replace(*name) == Some(*name))
}
