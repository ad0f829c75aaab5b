//! Rows to a catalogue: names, money and vocabularies are checked, texts that repeat are kept once.
//! It opens no file.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    str::FromStr,
    sync::Arc,
};

use serde::Deserialize;
use serde::de::value::{Error as ValueError, StrDeserializer};
use waystation_core::{
    AuthScheme, DataPolicy, DialectId, Endpoint, EndpointId, Modalities, Modality, ModelId,
    Parameter, ParameterSet, Price, PriceTier, Quirks, Rates, Settings, Tag, Tokens, Trust,
    Upstream, Usd, UsdPerMTok,
};

use crate::{
    Catalog, CatalogError, Model, Provider, RowError,
    source::{EndpointRow, ModelRow, PriceRow, ProviderRow, Rows, Text},
};

/// From here up a price is a slip of the unit: 1000 USD per million tokens.
const DEAR: UsdPerMTok = UsdPerMTok::from_nanos(1_000_000_000_000);

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
        models.push(shared.model(row, &by_slug, &makers)?);
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
            base_url: row.base_url.trim_end_matches('/').to_owned(),
            auth: auth(&row.auth)?,
            quirks: quirks(&row.quirks)?,
            settings: Settings::default(),
        };
        let dialect = self.dialect(&row.dialect)?;
        let mut wires = BTreeMap::new();
        for (name, wire) in &row.wire {
            let base_url = wire.base_url.as_deref().unwrap_or(&row.base_url);
            let upstream = Upstream {
                base_url: base_url.trim_end_matches('/').to_owned(),
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
            env_auth: env_auth(&row.env_auth)?,
            env_base_url: strings(&row.env_base_url),
            env_settings: (row.settings.iter())
                .map(|(name, variables)| (name.to_string(), strings(variables)))
                .collect(),
            base_urls: (row.base_urls.iter())
                .map(|(region, url)| (region.to_string(), url.to_string()))
                .collect(),
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
                Some(slug) => self::id(slug)?,
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
            open_weights: row.open_weights,
            router: row.router,
            deprecated: row.deprecated,
            endpoints: Vec::with_capacity(row.endpoint.len()),
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
        Ok(Endpoint {
            id: EndpointId::new(&model.id, &tag),
            model: model.id.clone(),
            provider: provider.upstream.slug.clone(),
            tag,
            dialect: match &row.dialect {
                Some(name) => self.dialect(name)?,
                None => provider.dialect.clone(),
            },
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

fn price(row: &EndpointRow<'_>) -> Result<Price, RowError> {
    let mut price = Price::default();
    price.rates = rates(&row.price)?;
    price.request = usd(row.price.request.as_ref())?;
    price.image = usd(row.price.image.as_ref())?;
    price.web_search = usd(row.price.web_search.as_ref())?;
    for tier in &row.tiers {
        let mut rates = Rates::default();
        rates.prompt = per_mtok(tier.prompt.as_deref())?;
        rates.completion = per_mtok(tier.completion.as_deref())?;
        rates.cache_read = per_mtok(tier.cache_read.as_deref())?;
        rates.cache_write = per_mtok(tier.cache_write.as_deref())?;
        price.tiers.push(PriceTier {
            above: Tokens::new(tier.above),
            rates,
        });
    }
    price.tiers.sort_by_key(|tier| tier.above);
    Ok(price)
}

fn rates(row: &PriceRow<'_>) -> Result<Rates, RowError> {
    let mut rates = Rates::default();
    rates.prompt = per_mtok(row.prompt.as_deref())?;
    rates.completion = per_mtok(row.completion.as_deref())?;
    rates.cache_read = per_mtok(row.cache_read.as_deref())?;
    rates.cache_write = per_mtok(row.cache_write.as_deref())?;
    rates.cache_write_1h = per_mtok(row.cache_write_1h.as_deref())?;
    rates.audio = per_mtok(row.audio.as_deref())?;
    rates.reasoning = per_mtok(row.reasoning.as_deref())?;
    Ok(rates)
}

/// Reads a price and refuses one that can only be a slip of the unit.
pub(crate) fn per_mtok(text: Option<&str>) -> Result<Option<UsdPerMTok>, RowError> {
    let Some(text) = text else {
        return Ok(None);
    };
    let price: UsdPerMTok = text.parse()?;
    if price >= DEAR {
        return Err(RowError::Dear {
            found: price.to_string(),
        });
    }
    Ok(Some(price))
}

fn usd(text: Option<&Text<'_>>) -> Result<Option<Usd>, RowError> {
    Ok(text.map(|text| text.parse()).transpose()?)
}

pub(crate) fn tokens(count: Option<u64>) -> Result<Option<Tokens>, RowError> {
    match count {
        Some(0) => Err(RowError::Zero),
        other => Ok(other.map(Tokens::new)),
    }
}

pub(crate) fn modalities<T: AsRef<str>>(names: &[T]) -> Result<Modalities, RowError> {
    names
        .iter()
        .map(|name| word::<Modality>(name.as_ref()))
        .collect()
}

pub(crate) fn parameters<T: AsRef<str>>(names: &[T]) -> Result<ParameterSet, RowError> {
    let named = |name: &T| {
        Parameter::named(name.as_ref()).ok_or_else(|| RowError::Unknown {
            expected: "a request parameter such as \"temperature\"".into(),
            found: name.as_ref().into(),
        })
    };
    names.iter().map(named).collect()
}

/// A word of one of core's vocabularies.
pub(crate) fn word<T: FromStr>(found: &str) -> Result<T, RowError>
where
    T::Err: std::fmt::Display,
{
    found.parse().map_err(|error: T::Err| {
        let text = error.to_string();
        let expected = text
            .strip_prefix("expected ")
            .and_then(|rest| rest.split_once(", found "));
        RowError::Unknown {
            expected: expected
                .map_or(text.as_str(), |(words, _)| words)
                .to_owned(),
            found: found.to_owned(),
        }
    })
}

fn auth(text: &str) -> Result<AuthScheme, RowError> {
    AuthScheme::deserialize(StrDeserializer::<ValueError>::new(text)).map_err(|_| {
        let expected =
            "`auth` to be bearer, x-api-key, api-key, x-goog-api-key, sigv4, google-oauth or none";
        RowError::Unknown {
            expected: expected.into(),
            found: text.into(),
        }
    })
}

fn env_auth(row: &BTreeMap<Text<'_>, Text<'_>>) -> Result<BTreeMap<String, AuthScheme>, RowError> {
    let travels =
        |(variable, scheme): (&Text<'_>, &Text<'_>)| Ok((variable.to_string(), auth(scheme)?));
    row.iter().map(travels).collect()
}

fn quirks(map: &serde_json::Map<String, serde_json::Value>) -> Result<Quirks, RowError> {
    Quirks::deserialize(map).map_err(|error| RowError::Unknown {
        expected: format!("`quirks` to be fields of `Quirks` ({error})"),
        found: serde_json::to_string(map).unwrap_or_default(),
    })
}

fn id(text: &str) -> Result<ModelId, RowError> {
    Ok(text.parse()?)
}

pub(crate) fn no_provider<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> RowError {
    RowError::NoProvider {
        found: found.into(),
        nearest: waystation_core::nearest(found, known).map(Into::into),
    }
}

pub(crate) fn described(name: &str, input: Modalities, output: Modalities) -> String {
    let list = |set: Modalities| {
        let words: Vec<&str> = set.iter().map(Modality::as_str).collect();
        words.join(", ")
    };
    format!(
        "{name}: takes {} and answers with {}.",
        list(input),
        list(output)
    )
}

/// Midnight UTC of `YYYY-MM-DD`, or of the first day of `YYYY-MM`, in seconds since 1970.
///
/// Days are counted in 400-year cycles from 0000-03-01, where leap days come last. Source: Howard
/// Hinnant, "chrono-compatible low-level date algorithms", `days_from_civil`.
fn day(text: &str) -> Result<u64, RowError> {
    let bad = || RowError::Unknown {
        expected: "a date, YYYY-MM-DD".into(),
        found: text.into(),
    };
    let number = |part: &str| part.parse::<u64>().map_err(|_| bad());
    let mut parts = text.splitn(3, '-');
    let year = number(parts.next().unwrap_or_default())?;
    let month = number(parts.next().unwrap_or_default())?;
    let day = parts.next().map_or(Ok(1), number)?;
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return Err(bad());
    }
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    days.checked_sub(719_468)
        .map(|days| days * 86_400)
        .ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_seconds() {
        assert_eq!(day("1970-01-01"), Ok(0));
        assert_eq!(day("2026-03-05"), Ok(1_772_668_800));
        assert_eq!(day("2024-02-29"), Ok(1_709_164_800));
        assert_eq!(day("2026-03"), day("2026-03-01"));
        for bad in [
            "",
            "2026",
            "2026-13-01",
            "2026-01-00",
            "26-01-01",
            "2026-01-01x",
            "a-b-c",
        ] {
            assert!(day(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn slips_are_refused() {
        assert!(matches!(per_mtok(Some("1000")), Err(RowError::Dear { .. })));
        assert!(per_mtok(Some("-1")).is_err());
        assert_eq!(per_mtok(None), Ok(None));
        assert_eq!(tokens(Some(0)), Err(RowError::Zero));
        let error = parameters(&["temprature"]).unwrap_err().to_string();
        assert!(error.contains("temprature"), "{error}");
        let error = modalities(&["smell"]).unwrap_err().to_string();
        assert_eq!(
            error,
            "expected one of text, image, file, audio, video, found \"smell\""
        );
    }
}
