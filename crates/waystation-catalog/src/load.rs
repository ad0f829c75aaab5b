//! Rows to a catalogue: names, money and vocabularies are checked, texts that repeat are kept once.
//! It opens no file.

mod field;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use waystation_core::{
    DataPolicy, DialectId, Endpoint, EndpointId, Settings, Tag, Trust, Upstream,
};

pub(crate) use field::{described, no_provider, per_mtok, tokens};

use crate::{
    Catalog, CatalogError, Model, Provider, RowError, Speed,
    source::{EndpointRow, LicenseRow, ModelRow, ProviderRow, Rows, Text},
};
use field::{auth, day, env_auth, id, modalities, native_search, parameters, price, quirks, word};

/// Makes a catalogue of rows.
pub(crate) fn load(rows: &Rows<'_>) -> Result<Catalog, CatalogError> {
    let mut shared = Shared::default();
    let mut providers = Vec::with_capacity(rows.provider.len());
    for row in &rows.provider {
        let provider = shared
            .provider(row)
            .map_err(|why| why.at(format!("provider {:?}", row.slug)))?;
        providers.push(provider);
    }
    let makers = makers(&rows.provider);
    let by_slug: HashMap<&str, &Provider> = providers
        .iter()
        .map(|provider| (provider.upstream.slug.as_str(), provider))
        .collect();
    let mut models = Vec::with_capacity(rows.model.len());
    for row in &rows.model {
        let mut model = shared.model(row, &by_slug, &makers)?;
        if let Some(id) = &row.license {
            let license = license(id, &rows.license);
            let license = license.map_err(|why| why.at(format!("model {:?}", row.id)))?;
            model.license = Some(shared.text(id));
            model.distillable = license.distillable;
        }
        models.push(model);
    }
    let mut latest = BTreeMap::new();
    for row in &rows.latest {
        let at = || format!("latest {:?}", row.name);
        if let Some(target) = &row.target {
            let target = id(target).map_err(|why| why.at(at()))?;
            if latest.insert(shared.text(&row.name), target).is_some() {
                return Err(RowError::Twice {
                    name: row.name.to_string(),
                }
                .at(at()));
            }
        }
    }
    let mut aliases = BTreeMap::new();
    for row in &rows.alias {
        let at = || format!("alias {:?}", row.name);
        let name = id(&row.name).map_err(|why| why.at(at()))?;
        let target = id(&row.target).map_err(|why| why.at(at()))?;
        if aliases.insert(name, target).is_some() {
            return Err(RowError::Twice {
                name: row.name.to_string(),
            }
            .at(at()));
        }
    }
    let version = shared.text(&rows.version);
    Catalog::assemble(version, models, providers, aliases, latest)
}

/// The licence of that id.
fn license<'a>(id: &str, rows: &'a [LicenseRow<'a>]) -> Result<&'a LicenseRow<'a>, RowError> {
    let found = rows.iter().find(|row| *row.id == *id);
    found.ok_or_else(|| RowError::Unknown {
        expected: "`license` to be the `id` of a licence".into(),
        found: id.into(),
    })
}

/// Which providers make which author's models.
fn makers<'a>(rows: &'a [ProviderRow<'a>]) -> HashSet<(&'a str, &'a str)> {
    rows.iter()
        .flat_map(|row| {
            row.makes
                .iter()
                .map(|author| (author.as_str(), row.slug.as_str()))
        })
        .collect()
}

/// Texts that many rows share, each kept once.
#[derive(Default)]
struct Shared {
    texts: HashSet<Arc<str>>,
    dialects: HashMap<Box<str>, DialectId>,
    tags: HashMap<String, Tag>,
}

// === impl Shared ===

impl Shared {
    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&text));
        text
    }

    fn maybe(&mut self, text: Option<&Text<'_>>) -> Option<Arc<str>> {
        text.map(|text| self.text(text))
    }

    fn texts(&mut self, texts: &[Text<'_>]) -> Vec<Arc<str>> {
        texts.iter().map(|text| self.text(text)).collect()
    }

    fn dialect(&mut self, text: &str) -> Result<DialectId, RowError> {
        if let Some(known) = self.dialects.get(text) {
            return Ok(known.clone());
        }
        let dialect: DialectId = text.parse()?;
        self.dialects.insert(text.into(), dialect.clone());
        Ok(dialect)
    }

    fn tag(&mut self, provider: &str, variant: Option<&str>) -> Result<Tag, RowError> {
        let text = match variant {
            Some(variant) => format!("{provider}/{variant}"),
            None => provider.to_owned(),
        };
        if let Some(known) = self.tags.get(&text) {
            return Ok(known.clone());
        }
        let tag: Tag = text.parse()?;
        self.tags.insert(text, tag.clone());
        Ok(tag)
    }

    fn provider(&mut self, row: &ProviderRow<'_>) -> Result<Provider, RowError> {
        let upstream = Upstream {
            slug: row.slug.parse()?,
            name: self.text(&row.name),
            base_url: row.base_url.trim_end_matches('/').into(),
            auth: auth(&row.auth)?,
            quirks: quirks(&row.quirks)?,
            settings: Settings::default(),
        };
        let dialect = self.dialect(&row.dialect)?;
        let mut wires = BTreeMap::new();
        for (name, wire) in &row.wire {
            let base_url = wire.base_url.as_deref().unwrap_or(&row.base_url);
            let upstream = Upstream {
                base_url: base_url.trim_end_matches('/').into(),
                auth: wire.auth.as_deref().map_or(Ok(upstream.auth), auth)?,
                quirks: quirks(&wire.quirks)?,
                ..upstream.clone()
            };
            wires.insert(self.dialect(name)?, upstream);
        }
        let strings = |texts: &[Text<'_>]| texts.iter().map(ToString::to_string).collect();
        Ok(Provider {
            upstream,
            aliases: self.texts(&row.aliases),
            dialect,
            wires,
            env: strings(&row.env),
            env_identity: strings(&row.env_identity),
            key_variable: self.maybe(row.env.first().or(row.env_identity.first())),
            env_auth: env_auth(&row.env_auth)?,
            env_base_url: strings(&row.env_base_url),
            env_settings: (row.settings.iter())
                .map(|(name, variables)| (name.to_string(), strings(variables)))
                .collect(),
            base_urls: (row.base_urls.iter())
                .map(|(region, url)| (region.to_string(), url.to_string()))
                .collect(),
            search: (row.search.iter())
                .map(|(dialect, search)| Ok((self.dialect(dialect)?, native_search(search)?)))
                .collect::<Result<_, RowError>>()?,
            keyless: row.keyless,
            general_identity: row.general_identity,
            policy: DataPolicy {
                training: row.policy.training,
                retained: row.policy.retained,
                zdr: row.policy.zdr,
            },
            aggregator: row.aggregator,
            privacy_policy_url: self.maybe(row.privacy_policy_url.as_ref()),
            terms_of_service_url: self.maybe(row.terms_of_service_url.as_ref()),
            status_page_url: self.maybe(row.status_page_url.as_ref()),
            headquarters: self.maybe(row.headquarters.as_ref()),
            datacenters: (!row.datacenters.is_empty()).then(|| self.texts(&row.datacenters)),
        })
    }

    fn model(
        &mut self,
        row: &ModelRow<'_>,
        providers: &HashMap<&str, &Provider>,
        makers: &HashSet<(&str, &str)>,
    ) -> Result<Model, CatalogError> {
        let at = || format!("model {:?}", row.id);
        let mut model = self.facts(row).map_err(|why| why.at(at()))?;
        for endpoint in &row.endpoint {
            let at = || format!("{}, endpoint {:?}", at(), endpoint.provider);
            let Some(provider) = providers.get(endpoint.provider.as_str()) else {
                let why = no_provider(&endpoint.provider, providers.keys().copied());
                return Err(why.at(at()));
            };
            let maker = makers.contains(&(model.id.author(), endpoint.provider.as_str()));
            let made = self
                .endpoint(endpoint, &model, provider, maker)
                .map_err(|w| w.at(at()))?;
            if !endpoint.speed.is_unknown() {
                let speed = Speed {
                    throughput_tps: endpoint.speed.throughput_tps,
                    latency_s: endpoint.speed.latency_s,
                };
                let speed = speed.checked().map_err(|w| w.at(at()))?;
                model.speeds.push((made.tag.clone(), speed));
            }
            model.endpoints.push(made);
        }
        Ok(model)
    }

    fn facts(&mut self, row: &ModelRow<'_>) -> Result<Model, RowError> {
        let id = id(&row.id)?;
        let (input, output) = (modalities(&row.input)?, modalities(&row.output)?);
        let description = match &row.description {
            Some(text) => self.text(text),
            None => described(&row.name, input, output).into(),
        };
        let sources: Vec<Arc<str>> = self.texts(&row.sources);
        Ok(Model {
            canonical_slug: match &row.canonical_slug {
                Some(slug) => field::id(slug)?,
                None => id.clone(),
            },
            id,
            name: self.text(&row.name),
            description,
            created: row.created.as_deref().map(day).transpose()?,
            context_length: tokens(row.context_length)?,
            max_output: tokens(row.max_output)?,
            input,
            output,
            tokenizer: self.maybe(row.tokenizer.as_ref()),
            parameters: parameters(&row.parameters)?,
            knowledge_cutoff: self.maybe(row.knowledge_cutoff.as_ref()),
            expiration_date: self.maybe(row.expiration_date.as_ref()),
            reasoning: row.reasoning,
            reasoning_mandatory: row.reasoning_mandatory,
            open_weights: row.open_weights,
            license: None,
            distillable: None,
            router: row.router,
            deprecated: row.deprecated,
            endpoints: Vec::with_capacity(row.endpoint.len()).into(),
            speeds: Vec::new(),
            as_of: self.text(&row.seen),
            sources: sources.into(),
        })
    }

    fn endpoint(
        &mut self,
        row: &EndpointRow<'_>,
        model: &Model,
        provider: &Provider,
        maker: bool,
    ) -> Result<Endpoint, RowError> {
        let tag = self.tag(&row.provider, row.variant.as_deref())?;
        let dialect = match &row.dialect {
            Some(name) => self.dialect(name)?,
            None => provider.dialect.clone(),
        };
        Ok(Endpoint {
            id: EndpointId::new(&model.id, &tag),
            model: model.id.clone(),
            provider: provider.upstream.slug.clone(),
            tag,
            search: provider.search(&dialect, model.parameters),
            dialect,
            upstream_model: self.text(&row.model),
            price: price(row)?,
            context_length: tokens(row.context_length)?.or(model.context_length),
            max_output: tokens(row.max_output)?,
            parameters: model.parameters,
            input: model.input,
            output: model.output,
            quantization: row.quantization.as_deref().map(word).transpose()?,
            trust: trust(row, provider, maker)?,
            policy: provider.policy,
            variant: self.maybe(row.variant.as_ref()),
            service_tier: None,
            billed_by_upstream: provider.aggregator,
        })
    }
}

/// How far a row is to be believed: a rank, from the facts that the import kept.
fn trust(row: &EndpointRow<'_>, provider: &Provider, maker: bool) -> Result<Trust, RowError> {
    let sure = match row.confidence.as_str() {
        "high" | "medium" => true,
        "low" => false,
        found => {
            let expected = "`confidence` to be high, medium or low".into();
            return Err(RowError::Unknown {
                expected,
                found: found.into(),
            });
        }
    };
    Ok(if provider.aggregator {
        Trust::Aggregator
    } else if row.reseller || row.trial {
        Trust::Low
    } else if sure && !row.stale {
        Trust::Firm
    } else if maker {
        Trust::Maker
    } else {
        Trust::Low
    })
}
