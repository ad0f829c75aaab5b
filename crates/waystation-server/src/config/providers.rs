//! Which providers are enabled, by what, with which keys: the file's tables, then the environment.
//! Their addresses and wires are the catalogue's, with the file's changes.

mod identity;
mod keys;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use waystation_catalog::{Catalog, Provider, ProviderChange, SettingsChange};
use waystation_core::{DataPolicy, DialectId, ProviderSlug, nearest};

use super::{
    complete::Context,
    document::join,
    failure::Place,
    listen::{Listen, url_fault},
    models::wire,
    raw::{RawDataPolicy, RawProvider},
    settings::{Config, Timeouts},
};
use crate::credentials::ProviderKey;

/// The dialects that a config may name. Source: the reference of `waystation.toml`.
const DIALECTS: &[&str] = &[
    "openai-chat",
    "openai-responses",
    "anthropic-messages",
    "gemini",
    "bedrock-converse",
    "cohere-chat",
];

/// What enabled a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A variable of the environment.
    Variable(String),
    /// A table of the config file.
    File(Place),
    /// Nothing: it is simulated.
    Simulated,
}

/// One enabled provider, before its address is known.
#[derive(Debug)]
pub(super) struct Enabled {
    pub(super) origin: Origin,
    pub(super) keys: Vec<ProviderKey>,
    pub(super) timeouts: Timeouts,
    pub(super) max_concurrent: usize,
}

/// One `[providers.*]` table's name.
pub(super) struct Table<'a> {
    /// The provider.
    slug: ProviderSlug,
    /// The table's path in the file.
    path: String,
    /// The catalogue's row.
    known: Option<&'a Provider>,
}

/// What the file and the environment say about providers.
#[derive(Debug, Default)]
pub(super) struct Providers {
    /// Changes to the catalogue.
    pub(super) changes: Vec<ProviderChange>,
    /// Those that are to be used.
    pub(super) enabled: BTreeMap<ProviderSlug, Enabled>,
    /// Where addresses that are not the catalogue's come from.
    pub(super) addresses: BTreeMap<ProviderSlug, Place>,
}

/// Reads the dialect of a provider or an endpoint.
pub(super) fn dialect(text: &str) -> Result<DialectId, String> {
    match text.parse::<DialectId>() {
        Ok(dialect) if DIALECTS.contains(&text) => Ok(dialect),
        _ => Err(match nearest(text, DIALECTS.iter().copied()) {
            Some(near) => format!("unknown dialect {text:?}, did you mean {near:?}?"),
            None => format!("expected one of {}, found {text:?}", DIALECTS.join(", ")),
        }),
    }
}

/// Every provider that the file or the environment enables.
pub(super) fn providers(
    raw: Option<BTreeMap<ProviderSlug, RawProvider>>,
    config: &Config,
    catalog: &Catalog,
    cx: &mut Context<'_>,
) -> Providers {
    let mut all = Providers::default();
    let tables = raw.unwrap_or_default();
    let from_env = tables.is_empty() || config.catalog.providers_from_env;
    let named: BTreeSet<ProviderSlug> = tables.keys().cloned().collect();
    for (slug, raw) in tables {
        let table = Table {
            path: join("providers", slug.as_str()),
            known: catalog.provider(slug.as_str()),
            slug,
        };
        if table.known.is_none() {
            new_provider_is_complete(&table, &raw, catalog, cx);
        }
        all.add_table(&table, raw, config, cx);
    }
    if from_env {
        let rest = catalog
            .providers()
            .filter(|provider| !named.contains(&provider.upstream.slug));
        for provider in rest {
            all.add_from_environment(provider, config, cx);
        }
    }
    all
}

// === impl Origin ===

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => f.write_str(name),
            Self::File(place) => place.fmt(f),
            Self::Simulated => f.write_str("simulated"),
        }
    }
}

// === impl Providers ===

impl Providers {
    /// One `[providers.*]` table.
    fn add_table(
        &mut self,
        table: &Table<'_>,
        mut raw: RawProvider,
        config: &Config,
        cx: &mut Context<'_>,
    ) {
        let path = &table.path;
        let timeouts = cx.timeouts(&join(path, "timeouts"), &raw.timeouts, config.timeouts);
        let bound = u64::try_from(config.limits.max_concurrent).unwrap_or(u64::MAX);
        let max_concurrent = cx.count(&join(path, "max_concurrent"), raw.max_concurrent, bound);
        let enabled = Enabled {
            origin: Origin::File(cx.places.of(path)),
            keys: keys::of_table(table, &mut raw, cx),
            timeouts,
            max_concurrent,
        };
        self.enabled.insert(table.slug.clone(), enabled);
        let change = self.change(table, raw, cx);
        self.changes.push(change);
    }

    /// What one table changes about the catalogue.
    fn change(
        &mut self,
        table: &Table<'_>,
        raw: RawProvider,
        cx: &mut Context<'_>,
    ) -> ProviderChange {
        let Table { slug, path, known } = table;
        let mut change = ProviderChange::new(slug.clone());
        change.dialect = wire(path, raw.dialect.as_deref(), cx);
        change.base_url = match raw.base_url {
            Some(url) => {
                let place = cx.places.of(&join(path, "base_url"));
                self.address(slug, &url, place, cx)
            }
            None => self.address_from_environment(slug, *known, cx),
        };
        let mut settings = settings_from_environment(*known, cx);
        settings.region = raw.region.or(raw.location).or(settings.region);
        settings.project = raw.project.or(settings.project);
        settings.api_version = raw.api_version.or(settings.api_version);
        settings.deployments = raw.deployments;
        let values = [("resource", raw.resource), ("account_id", raw.account_id)];
        for (name, value) in values {
            if let Some(value) = value {
                settings.values.insert(name.into(), value);
            }
        }
        change.settings = settings;
        change.name = raw.name;
        change.auth = raw.auth;
        change.quirks = raw.quirks;
        change.policy = raw.data_policy.map(policy);
        change
    }

    /// A provider of which the environment alone speaks.
    fn add_from_environment(&mut self, provider: &Provider, config: &Config, cx: &mut Context<'_>) {
        let slug = &provider.upstream.slug;
        let Some((variable, key)) = keys::of_environment(provider, cx).or_else(|| {
            // A local server that wants no key is enabled by its address.
            let names = provider
                .keyless
                .then(|| address_names(slug, Some(provider)))?;
            let (name, _) = cx.env.first(names.iter().map(String::as_str))?;
            Some((name.to_owned(), keys::keyless(slug)?))
        }) else {
            return;
        };
        let mut change = ProviderChange::new(slug.clone());
        change.base_url = self.address_from_environment(slug, Some(provider), cx);
        change.settings = settings_from_environment(Some(provider), cx);
        self.changes.push(change);
        let enabled = Enabled {
            origin: Origin::Variable(variable),
            keys: vec![key],
            timeouts: config.timeouts,
            max_concurrent: config.limits.max_concurrent,
        };
        self.enabled.insert(slug.clone(), enabled);
    }

    /// Checks an address that is not the catalogue's; a fault is noted at `place`.
    fn address(
        &mut self,
        slug: &ProviderSlug,
        url: &str,
        place: Place,
        cx: &mut Context<'_>,
    ) -> Option<String> {
        if let Some(message) = url_fault(url) {
            cx.wrong_at(place, message);
            return None;
        }
        self.addresses.insert(slug.clone(), place);
        Some(url.trim_end_matches('/').to_owned())
    }

    fn address_from_environment(
        &mut self,
        slug: &ProviderSlug,
        known: Option<&Provider>,
        cx: &mut Context<'_>,
    ) -> Option<String> {
        let names = address_names(slug, known);
        let (name, url) = cx.env.first(names.iter().map(String::as_str))?;
        let (place, url) = (Place::variable(name), url.to_owned());
        self.address(slug, &url, place, cx)
    }
}

/// Notes every provider whose address is one of the gateway's own listeners: one that was given, by
/// its key or variable, and one that is the catalogue's, by the key that changes it.
pub(super) fn refuse_own_listeners(
    catalog: &Catalog,
    providers: &Providers,
    own: &[&Listen],
    cx: &mut Context<'_>,
) {
    let unstated = |slug: &&ProviderSlug| !providers.addresses.contains_key(*slug);
    let enabled = providers.enabled.keys().filter(unstated);
    for slug in providers.addresses.keys().chain(enabled) {
        let Some(provider) = catalog.provider(slug.as_str()) else {
            continue;
        };
        let url = &provider.upstream.base_url;
        let Some(listen) = own.iter().find(|listen| listen.is_target_of(url)) else {
            continue;
        };
        let own =
            format!("this gateway's own listener {listen}: requests would come back for ever");
        match providers.addresses.get(slug) {
            Some(place) => {
                let message = format!("expected the address of {slug}, found {own}");
                cx.wrong_at(place.clone(), &message);
            }
            None => {
                let place = cx
                    .places
                    .of(&join(&join("providers", slug.as_str()), "base_url"));
                let place = match providers.enabled.get(slug).map(|enabled| &enabled.origin) {
                    Some(Origin::Variable(_)) => Place::variable(
                        address_names(slug, Some(provider))
                            .first()
                            .map_or("", String::as_str),
                    ),
                    _ => place,
                };
                let message = format!(
                    "expected the address of {slug}, found none, and its usual one, {url}, is {own}; \
                     say where {slug} is, or let the gateway listen elsewhere"
                );
                cx.wrong_at(place, &message);
            }
        }
    }
}

/// Variables that override a provider's address.
fn address_names(slug: &ProviderSlug, known: Option<&Provider>) -> Vec<String> {
    let mut names = known.map_or_else(Vec::new, |provider| provider.env_base_url.clone());
    let generic = slug
        .as_str()
        .to_ascii_uppercase()
        .replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    names.push(format!("{generic}_BASE_URL"));
    names
}

fn settings_from_environment(known: Option<&Provider>, cx: &Context<'_>) -> SettingsChange {
    let mut settings = SettingsChange::default();
    let variables = known.map(|provider| &provider.env_settings);
    for (name, variables) in variables.into_iter().flatten() {
        let Some((_, value)) = cx.env.first(variables.iter().map(String::as_str)) else {
            continue;
        };
        let value = value.to_owned();
        match name.as_str() {
            "region" | "location" => settings.region = Some(value),
            "project" => settings.project = Some(value),
            "api_version" => settings.api_version = Some(value),
            other => {
                settings.values.insert(other.into(), value);
            }
        }
    }
    settings
}

fn new_provider_is_complete(
    table: &Table<'_>,
    raw: &RawProvider,
    catalog: &Catalog,
    cx: &mut Context<'_>,
) {
    let needed = [
        ("name", raw.name.is_none()),
        ("dialect", raw.dialect.is_none()),
        ("base_url", raw.base_url.is_none()),
    ];
    let missing: Vec<&str> = needed
        .iter()
        .filter_map(|(key, missing)| missing.then_some(*key))
        .collect();
    if missing.is_empty() {
        return;
    }
    let known = catalog
        .providers()
        .map(|known| known.upstream.slug.as_str());
    let hint = nearest(table.slug.as_str(), known).map_or_else(String::new, |near| {
        format!("; did you mean the known provider {near:?}?")
    });
    let message = format!(
        "a new provider needs name, dialect and base_url, found no {}{hint}",
        missing.join(" and no ")
    );
    cx.wrong(&table.path, &message);
}

fn policy(raw: RawDataPolicy) -> DataPolicy {
    DataPolicy {
        training: raw.training,
        retained: raw.retention.map(|kept| kept != "none"),
        zdr: raw.zdr,
    }
}
