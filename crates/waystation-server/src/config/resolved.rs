//! Puts file, environment and command line together into what the gateway starts with.
//! Opens no socket and starts nothing.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use waystation_catalog::{Catalog, CatalogError, Changes};
use waystation_core::{
    AuthScheme, Clock, CredentialId, DialectId, ProviderSlug, Transport, Upstream, nearest,
};

use super::{
    complete::{self, Context, Flags},
    document::{Document, element},
    environment::Environment,
    failure::{ConfigErrors, Place, Problems},
    mentions, models,
    providers::{self, Enabled, Origin, Providers},
    raw::RawConfig,
    settings::{Config, Timeouts},
    shape,
};
use crate::credentials::{Keyring, StaticCredentials};

/// The file that is read when no other is named and it is there.
const DEFAULT_FILE: &str = "waystation.toml";

/// What the gateway starts with. A reload makes a new one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Resolved {
    /// Settings, complete.
    pub config: Config,
    /// Models and endpoints, the operator's included.
    pub catalog: Catalog,
    /// How to reach each enabled provider.
    pub upstreams: BTreeMap<ProviderSlug, EnabledProvider>,
    /// What is odd but no error.
    pub warnings: Vec<String>,
    /// The file that was read; `None` when there is none.
    pub file: Option<PathBuf>,
    /// Upstreams are simulated: nothing may leave the process.
    pub simulated: bool,
    pub(super) keyring: Keyring,
}

/// A provider that may be used.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EnabledProvider {
    /// Its address on its own wire.
    pub upstream: Arc<Upstream>,
    /// The same on its other wires.
    pub wires: BTreeMap<DialectId, Arc<Upstream>>,
    /// Its time limits.
    pub timeouts: Timeouts,
    /// The most requests at once.
    pub max_concurrent: usize,
    /// What enabled it.
    pub origin: Origin,
}

/// What decides whether a gateway without `--simulate` simulates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation {
    /// A config file was read.
    pub has_file: bool,
    /// A provider is configured, reachable or not; a keyless local one counts.
    pub has_provider: bool,
    /// Clients need a key.
    pub has_client_keys: bool,
    /// Only this machine can reach the data plane.
    pub on_loopback: bool,
}

/// Reads the configuration that `flags` and `env` lead to.
///
/// `env` is the captured environment; variables of `--env-file` are added to it here.
///
/// # Errors
/// [`ConfigErrors`] with everything that is wrong, each with file, line and key where it has them.
pub fn resolve(flags: &Flags, env: &Environment) -> Result<Resolved, ConfigErrors> {
    let mut env = env.clone();
    if let Some(path) = &flags.env_file {
        env.add_file(path)?;
    }
    let file = find_file(flags, &env)?;
    let (name, text) = match &file {
        Some((path, text)) => (path.display().to_string(), text.as_str()),
        None => (String::new(), ""),
    };
    let mut resolved = from_text(&name, text, flags, &env)?;
    resolved.file = file.map(|(path, _)| path);
    Ok(resolved)
}

/// Reads the text of a config file called `name`; an empty name says that there is none.
///
/// # Errors
/// [`ConfigErrors`], as [`resolve`].
pub fn from_text(
    name: &str,
    text: &str,
    flags: &Flags,
    env: &Environment,
) -> Result<Resolved, ConfigErrors> {
    let document = Document::parse(name, text, env)?;
    let places = document.places;
    let mut raw: RawConfig =
        shape::read(document.root).map_err(|error| places.error(&error.path, &error.message))?;
    let mut cx = Context {
        places: &places,
        env,
        flags,
        problems: Problems::default(),
        warnings: Vec::new(),
        models_without_endpoints: Vec::new(),
    };
    let config = complete::config(&mut raw, &mut cx);
    let bundled = Catalog::bundled().map_err(|error| row_error(&error, &cx))?;
    let base = if config.catalog.bundled {
        bundled
    } else {
        bundled.without_models()
    };
    let mut providers = providers::providers(raw.providers.take(), &config, &base, &mut cx);
    let changes = Changes {
        providers: std::mem::take(&mut providers.changes),
        models: models::models(std::mem::take(&mut raw.models), &mut cx),
        overrides: models::overrides(std::mem::take(&mut raw.overrides), &mut cx),
        aliases: config.aliases.clone(),
    };
    let (catalog, odd) = match base.with(changes) {
        Ok(changed) => changed,
        Err(error) => {
            // What was noted before may be what the catalogue stumbled over.
            if cx.problems.is_empty() {
                cx.problems.note(row_error(&error, &cx));
            }
            return Err(cx.problems.refuse());
        }
    };
    let odd = odd.iter().map(|warning| {
        let place = places.of(&warning.at);
        format!("{place}: {}", warning.message)
    });
    cx.warnings.extend(odd);
    check_names(&config, &catalog, &mut cx);
    mentions::check(&config, &catalog, &mut cx);
    check_listeners(&config, &catalog, &providers, &mut cx);
    finish(!name.is_empty(), config, catalog, providers, cx)
}

/// The file to read: `--config`, else `WAYSTATION_CONFIG`, else `./waystation.toml` when present.
fn find_file(flags: &Flags, env: &Environment) -> Result<Option<(PathBuf, String)>, ConfigErrors> {
    let variable = "WAYSTATION_CONFIG";
    let (path, place) = match (&flags.config, env.get(variable)) {
        (Some(path), _) => (path.clone(), Place::flag("--config")),
        (None, Some(path)) => (path.into(), Place::variable(variable)),
        (None, None) if Path::new(DEFAULT_FILE).exists() => (DEFAULT_FILE.into(), Place::default()),
        (None, None) => return Ok(None),
    };
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some((path, text))),
        Err(error) => {
            let path = path.display();
            let message = format!("expected a readable config file, found {path}: {error}");
            Err(place.error(message).into())
        }
    }
}

/// A catalogue's error, at the key of the file that it is about.
fn row_error(error: &CatalogError, cx: &Context<'_>) -> super::ConfigError {
    match error {
        CatalogError::Row { at, why } => cx.places.error(at, &why.to_string()),
        other => Place::default().error(other.to_string()),
    }
}

/// Whether a gateway that was not told to simulate does so: only when all four conditions hold.
/// Source: the reference, "Simulation is never an accident".
#[must_use]
pub const fn simulates_by_itself(situation: Situation) -> bool {
    !situation.has_file
        && !situation.has_provider
        && !situation.has_client_keys
        && situation.on_loopback
}

/// The operator's own guard rails must not fail open by a typo: a provider that nobody knows warns,
/// and is an error where names that match nothing are refused.
fn check_names(config: &Config, catalog: &Catalog, cx: &mut Context<'_>) {
    let routing = &config.routing;
    let lists = [
        ("routing.only", &routing.only),
        ("routing.ignore", &routing.ignore),
    ];
    for (path, names) in lists {
        for (at, name) in names.iter().enumerate() {
            let base = name.split_once('/').map_or(name.as_str(), |(base, _)| base);
            let mut endpoints = catalog.models().flat_map(|model| &model.endpoints);
            if !catalog.providers_named(base).is_empty()
                || endpoints.any(|endpoint| endpoint.tag == name.as_str())
            {
                continue;
            }
            let known = catalog.providers().map(|p| p.upstream.slug.as_str());
            let near = nearest(base, known);
            let hint = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
            let message = format!("{name:?} matches no provider{hint}");
            let path = element(path, at);
            if routing.strict {
                cx.wrong(&path, &message);
            } else {
                let place = cx.places.of(&path);
                cx.warnings.push(format!("{place}: {message}"));
            }
        }
    }
}

/// Who may reach the listeners, and who must not be asked through them.
fn check_listeners(
    config: &Config,
    catalog: &Catalog,
    providers: &Providers,
    cx: &mut Context<'_>,
) {
    let listen = &config.server.listen;
    if config.auth.keys.is_empty() && !listen.is_loopback() && !cx.flags.insecure_open {
        let message = format!(
            "expected client keys, since others can reach {listen}; make one with\n    \
             export WAYSTATION_API_KEY=sk-$(openssl rand -hex 24)\nor listen on 127.0.0.1 \
             (--insecure-open lets everybody spend your money)"
        );
        let mut place = cx.places.of("auth.keys");
        if place.line.is_none() {
            place.file = None;
        }
        cx.wrong_at(place, &message);
    }
    let admin = config.server.admin_listen.as_ref();
    let own: Vec<_> = std::iter::once(listen).chain(admin).collect();
    providers::refuse_own_listeners(catalog, providers, &own, cx);
}

fn finish(
    has_file: bool,
    config: Config,
    catalog: Catalog,
    providers: Providers,
    mut cx: Context<'_>,
) -> Result<Resolved, ConfigErrors> {
    let situation = Situation {
        has_file,
        has_provider: !providers.enabled.is_empty(),
        has_client_keys: !config.auth.keys.is_empty(),
        on_loopback: config.server.listen.is_loopback(),
    };
    let simulated = cx.flags.simulate || simulates_by_itself(situation);
    let mut keyring = Keyring::new();
    let mut upstreams = BTreeMap::new();
    if simulated {
        upstreams = everybody_simulated(&config, &catalog);
    } else {
        for (slug, enabled) in providers.enabled {
            if let Some(provider) = reach(&slug, &enabled, &catalog, &mut cx) {
                keyring.insert(slug.clone(), enabled.keys);
                upstreams.insert(slug, provider);
            }
        }
        if upstreams.is_empty() && cx.problems.is_empty() {
            let message = nobody(&catalog, &cx.warnings);
            cx.problems.note(Place::default().error(message));
        }
    }
    let warnings = cx.warnings;
    cx.problems.finish(Resolved {
        config,
        catalog,
        upstreams,
        warnings,
        file: None,
        simulated,
        keyring,
    })
}

/// How an enabled provider is reached; `None`, with a warning, while its address is incomplete.
fn reach(
    slug: &ProviderSlug,
    enabled: &Enabled,
    catalog: &Catalog,
    cx: &mut Context<'_>,
) -> Option<EnabledProvider> {
    let provider = catalog.provider(slug.as_str())?;
    let unfilled = provider.unfilled(&provider.dialect);
    if !unfilled.is_empty() {
        let missing: Vec<String> = unfilled
            .iter()
            .map(|name| {
                let variables = provider.env_settings.get(*name);
                let variable = variables.and_then(|names| names.first());
                variable.map_or_else(|| (*name).to_owned(), |var| format!("{name} ({var})"))
            })
            .collect();
        let address = provider.env_base_url.first();
        let address = address.map_or_else(String::new, |name| format!(" ({name})"));
        cx.warnings.push(format!(
            "{slug} (enabled by {}) stays off: it needs {}, or base_url{address}",
            enabled.origin,
            missing.join(" and ")
        ));
        return None;
    }
    let filled = provider
        .wires
        .iter()
        .filter(|(dialect, _)| provider.unfilled(dialect).is_empty());
    Some(EnabledProvider {
        upstream: Arc::new(Upstream::clone(&provider.upstream)),
        wires: filled
            .map(|(dialect, wire)| (dialect.clone(), Arc::new(Upstream::clone(wire))))
            .collect(),
        timeouts: enabled.timeouts,
        max_concurrent: enabled.max_concurrent,
        origin: enabled.origin.clone(),
    })
}

/// Every provider, under a name that says that it is simulated. Nobody checks credentials there, so
/// that nothing is signed, and a Google project need not exist.
fn everybody_simulated(
    config: &Config,
    catalog: &Catalog,
) -> BTreeMap<ProviderSlug, EnabledProvider> {
    let simulated = |upstream: &Upstream| {
        let mut upstream = Upstream::clone(upstream);
        upstream.name = format!("{} (simulated)", upstream.name).into();
        upstream.base_url = upstream.base_url.replace(['{', '}'], "").into();
        match upstream.auth {
            AuthScheme::Sigv4 => upstream.auth = AuthScheme::Bearer,
            AuthScheme::GoogleOauth => {
                let project = &mut upstream.settings.project;
                project.get_or_insert_with(|| "simulated".into());
            }
            _ => {}
        }
        Arc::new(upstream)
    };
    let all = catalog.providers().map(|provider| {
        let wires = provider.wires.iter();
        let enabled = EnabledProvider {
            upstream: simulated(&provider.upstream),
            wires: wires
                .map(|(dialect, wire)| (dialect.clone(), simulated(wire)))
                .collect(),
            timeouts: config.timeouts,
            max_concurrent: config.limits.max_concurrent,
            origin: Origin::Simulated,
        };
        (provider.upstream.slug.clone(), enabled)
    });
    all.collect()
}

/// Why there is nobody to ask, and what would change that.
fn nobody(catalog: &Catalog, warnings: &[String]) -> String {
    let variables: Vec<&str> = catalog
        .providers()
        .filter(|provider| !provider.general_identity)
        .filter_map(|provider| {
            provider
                .env
                .first()
                .or_else(|| provider.env_base_url.first())
        })
        .map(String::as_str)
        .collect();
    let reasons: String = warnings.iter().map(|line| format!("\n  {line}")).collect();
    format!(
        "expected a usable provider, found none: set one of {}, add a [providers.*] table, or \
         start with --simulate{reasons}",
        variables.join(", ")
    )
}

// === impl Resolved ===

impl Resolved {
    /// The names of a provider's keys.
    pub fn key_names(&self, provider: &ProviderSlug) -> impl Iterator<Item = &CredentialId> {
        let keys = self.keyring.get(provider).into_iter().flatten();
        keys.map(|key| &key.id)
    }

    /// The credentials of the enabled providers; `None` while upstreams are simulated. Tokens are asked
    /// for over `transport`.
    #[must_use]
    pub fn credentials(
        &self,
        clock: Arc<dyn Clock>,
        transport: Arc<dyn Transport>,
    ) -> Option<Arc<StaticCredentials>> {
        let keyring = (!self.simulated).then(|| self.keyring.clone())?;
        Some(Arc::new(StaticCredentials::new(keyring, clock, transport)))
    }
}
