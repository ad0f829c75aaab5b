//! An operator's changes to providers: address, wire, settings, policy.

use std::{collections::BTreeMap, sync::Arc};

use waystation_core::{AuthScheme, DialectId, Endpoint, Settings, Upstream};

use crate::{
    CatalogError, Model, Provider, ProviderChange, RowError, SettingsChange, catalog::Parts,
    provider::placeholders,
};

pub(super) fn change_provider(
    parts: &mut Parts,
    change: &ProviderChange,
    at: &str,
) -> Result<(), CatalogError> {
    let known = parts
        .providers
        .iter_mut()
        .find(|known| known.upstream.slug == change.slug);
    let Some(provider) = known else {
        parts.providers.push(new_provider(change, at)?);
        return Ok(());
    };
    if let Some(name) = &change.name {
        rename(provider, name);
    }
    if let Some(dialect) = &change.dialect {
        switch(provider, dialect);
        for endpoint in endpoints_of(&mut parts.models, provider) {
            endpoint.dialect = dialect.clone();
            endpoint.search = provider.search(dialect, endpoint.parameters);
        }
    }
    set_address(provider, change);
    if let Some(auth) = change.auth {
        each_wire(provider, |upstream| upstream.auth = auth);
        provider.keyless = auth == AuthScheme::None;
    }
    if let Some(quirks) = &change.quirks {
        provider.upstream.quirks = quirks.clone();
    }
    if let Some(policy) = change.policy {
        provider.policy = policy;
        for endpoint in endpoints_of(&mut parts.models, provider) {
            endpoint.policy = policy;
        }
    }
    Ok(())
}

fn new_provider(change: &ProviderChange, at: &str) -> Result<Provider, CatalogError> {
    let missing = |field: &'static str| {
        let reason = "the catalogue does not know this provider";
        RowError::Missing { field, reason }.at(format!("{at}.{field}"))
    };
    let name = change.name.as_deref().ok_or_else(|| missing("name"))?;
    let dialect = change.dialect.as_ref().ok_or_else(|| missing("dialect"))?;
    let base_url = change
        .base_url
        .as_deref()
        .ok_or_else(|| missing("base_url"))?;
    let auth = change.auth.unwrap_or_else(|| default_auth(dialect));
    let mut provider = Provider {
        upstream: Upstream {
            slug: change.slug.clone(),
            name: name.into(),
            base_url: base_url.into(),
            auth,
            quirks: change.quirks.clone().unwrap_or_default(),
            settings: Settings::default(),
        },
        aliases: Vec::new(),
        dialect: dialect.clone(),
        wires: BTreeMap::new(),
        env: Vec::new(),
        env_identity: Vec::new(),
        key_variable: None,
        env_auth: BTreeMap::new(),
        env_base_url: Vec::new(),
        env_settings: BTreeMap::new(),
        base_urls: BTreeMap::new(),
        search: BTreeMap::new(),
        keyless: auth == AuthScheme::None,
        general_identity: false,
        policy: change.policy.unwrap_or_default(),
        aggregator: false,
        privacy_policy_url: None,
        terms_of_service_url: None,
        status_page_url: None,
        headquarters: None,
        datacenters: None,
    };
    set_address(&mut provider, change);
    Ok(provider)
}

/// How a dialect's credential travels when nobody says otherwise.
fn default_auth(dialect: &DialectId) -> AuthScheme {
    match dialect.as_str() {
        "anthropic-messages" => AuthScheme::XApiKey,
        "gemini" => AuthScheme::XGoogApiKey,
        "bedrock-converse" => AuthScheme::Sigv4,
        _ => AuthScheme::Bearer,
    }
}

fn rename(provider: &mut Provider, name: &str) {
    let name: Arc<str> = name.into();
    each_wire(provider, |upstream| upstream.name = Arc::clone(&name));
}

/// Makes `dialect` the provider's own wire, with the address that it has for it.
fn switch(provider: &mut Provider, dialect: &DialectId) {
    if let Some(own) = provider.wires.remove(dialect) {
        let before = std::mem::replace(&mut provider.upstream, own);
        provider.wires.insert(provider.dialect.clone(), before);
    }
    provider.dialect = dialect.clone();
}

/// Puts in an address and settings, and fills the names in braces.
fn set_address(provider: &mut Provider, change: &ProviderChange) {
    let settings = &change.settings;
    let regional = settings
        .region
        .as_ref()
        .and_then(|region| provider.base_urls.get(region));
    if let Some(url) = change.base_url.as_ref().or(regional) {
        let before = provider.upstream.base_url.clone();
        let mut url = url.trim_end_matches('/').to_owned();
        if provider.keyless && path(&url).is_empty() {
            // People name a local server by host and port alone; its path is as the row has it.
            url.push_str(path(&before));
        }
        // Other wires below the same address move along with it.
        each_wire(provider, |upstream| {
            if let Some(rest) = upstream.base_url.strip_prefix(&*before) {
                upstream.base_url = format!("{url}{rest}").into();
            }
        });
    }
    each_wire(provider, |upstream| fill(upstream, settings));
}

/// What stands behind the host.
fn path(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let rest = url.get(host..).unwrap_or_default();
    rest.find('/')
        .and_then(|at| rest.get(at..))
        .unwrap_or_default()
}

fn fill(upstream: &mut Upstream, settings: &SettingsChange) {
    for name in placeholders(&upstream.base_url.clone()) {
        if let Some(value) = settings.value(name) {
            let filled = upstream.base_url.replace(&format!("{{{name}}}"), value);
            upstream.base_url = filled.into();
        }
    }
    let own = &mut upstream.settings;
    let put = |to: &mut Option<String>, from: &Option<String>| {
        if from.is_some() {
            to.clone_from(from);
        }
    };
    put(&mut own.region, &settings.region);
    put(&mut own.project, &settings.project);
    put(&mut own.api_version, &settings.api_version);
    own.deployments.extend(settings.deployments.clone());
}

fn each_wire(provider: &mut Provider, mut act: impl FnMut(&mut Upstream)) {
    act(&mut provider.upstream);
    provider.wires.values_mut().for_each(act);
}

fn endpoints_of<'a>(
    models: &'a mut [Model],
    provider: &'a Provider,
) -> impl Iterator<Item = &'a mut Endpoint> {
    let slug = &provider.upstream.slug;
    let all = models.iter_mut().flat_map(|model| &mut model.endpoints);
    all.filter(move |endpoint| endpoint.provider == *slug)
}
