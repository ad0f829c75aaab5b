//! An operator's changes laid over a catalogue. The catalogue itself stays as it is.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use waystation_core::{
    AuthScheme, DataPolicy, DialectId, Endpoint, EndpointId, Modalities, Multiplier, ParameterSet,
    ParseMoneyError, Price, Quirks, Rates, Settings, Tokens, Trust, Upstream, UsdPerMTok,
};

use crate::{
    Catalog, CatalogError, Changes, EndpointChange, Model, ModelChange, Override, Provider,
    ProviderChange, RowError, SettingsChange, Warning,
    catalog::Parts,
    load::{self, described, no_provider},
    provider::placeholders,
};

pub(crate) fn apply(
    base: &Catalog,
    changes: Changes,
) -> Result<(Catalog, Vec<Warning>), CatalogError> {
    let mut parts = base.parts();
    let mut warnings = Vec::new();
    for change in &changes.providers {
        let at = format!("providers.{}", change.slug);
        change_provider(&mut parts, change, &at)?;
    }
    for (place, change) in changes.models.iter().enumerate() {
        change_model(
            &mut parts,
            change,
            &format!("models[{place}]"),
            &mut warnings,
        )?;
    }
    for (place, change) in changes.overrides.iter().enumerate() {
        override_rows(
            base,
            &mut parts,
            change,
            &format!("overrides[{place}]"),
            &mut warnings,
        )?;
    }
    for (name, target) in changes.aliases {
        if parts.models.iter().any(|model| model.id == name) {
            warnings.push(Warning {
                at: format!("aliases.{:?}", name.as_str()),
                message: "hides the model of that id".into(),
            });
        }
        parts.aliases.insert(name, target);
    }
    let Parts {
        version,
        models,
        providers,
        aliases,
        latest,
    } = parts;
    Ok((
        Catalog::assemble(version, models, providers, aliases, latest)?,
        warnings,
    ))
}

// --- providers ---

fn change_provider(
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
            quirks: change.quirks.clone().unwrap_or_else(Quirks::default),
            settings: Settings::default(),
        },
        aliases: Vec::new(),
        dialect: dialect.clone(),
        wires: BTreeMap::new(),
        env: Vec::new(),
        env_identity: Vec::new(),
        env_auth: BTreeMap::new(),
        env_base_url: Vec::new(),
        env_settings: BTreeMap::new(),
        base_urls: BTreeMap::new(),
        keyless: auth == AuthScheme::None,
        general_identity: false,
        policy: change.policy.unwrap_or_else(DataPolicy::default),
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
        let url = url.trim_end_matches('/').to_owned();
        let before = provider.upstream.base_url.clone();
        // Other wires below the same address move along with it.
        each_wire(provider, |upstream| {
            if let Some(rest) = upstream.base_url.strip_prefix(&before) {
                upstream.base_url = format!("{url}{rest}");
            }
        });
    }
    each_wire(provider, |upstream| fill(upstream, settings));
}

fn fill(upstream: &mut Upstream, settings: &SettingsChange) {
    for name in placeholders(&upstream.base_url.clone()) {
        if let Some(value) = settings.value(name) {
            upstream.base_url = upstream.base_url.replace(&format!("{{{name}}}"), value);
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

// --- models ---

fn change_model(
    parts: &mut Parts,
    change: &ModelChange,
    at: &str,
    warnings: &mut Vec<Warning>,
) -> Result<(), CatalogError> {
    if change.id.as_str().contains(':') {
        return Err(RowError::colon(&change.id).at(format!("{at}.id")));
    }
    for (limit, field) in [
        (change.context_length, "context_length"),
        (change.max_output, "max_output_tokens"),
    ] {
        load::tokens(limit.map(Tokens::get)).map_err(|why| why.at(format!("{at}.{field}")))?;
    }
    let place = match parts.models.iter().position(|model| model.id == change.id) {
        Some(place) => place,
        None => {
            parts.models.push(new_model(change));
            parts.models.len() - 1
        }
    };
    let providers: HashMap<&str, &Provider> = parts
        .providers
        .iter()
        .map(|provider| (provider.upstream.slug.as_str(), provider))
        .collect();
    let Some(model) = parts.models.get_mut(place) else {
        return Ok(());
    };
    set_facts(model, change);
    let mut mine = Vec::new();
    for (place, endpoint) in change.endpoints.iter().enumerate() {
        let at = format!("{at}.endpoints[{place}]");
        let Some(provider) = providers.get(endpoint.provider.as_str()) else {
            let why = no_provider(endpoint.provider.as_str(), providers.keys().copied());
            return Err(why.at(format!("{at}.provider")));
        };
        let made = new_endpoint(endpoint, model, provider, &at)?;
        if mine.contains(&made.tag) {
            let name = made.tag.to_string();
            return Err(RowError::Twice { name }.at(format!("{at}.tag")));
        }
        mine.push(made.tag.clone());
        match model
            .endpoints
            .iter_mut()
            .find(|known| known.tag == made.tag)
        {
            Some(known) => {
                warnings.push(Warning {
                    at,
                    message: format!("replaces the catalogue's endpoint {}", known.id),
                });
                *known = made;
            }
            None => model.endpoints.push(made),
        }
    }
    Ok(())
}

fn new_model(change: &ModelChange) -> Model {
    let name = change.name.as_deref().unwrap_or(change.id.as_str());
    let input = change.input.unwrap_or(Modalities::TEXT);
    let output = change.output.unwrap_or(Modalities::TEXT);
    Model {
        canonical_slug: change.id.clone(),
        id: change.id.clone(),
        name: name.into(),
        description: described(name, input, output).into(),
        created: None,
        context_length: None,
        max_output: None,
        input,
        output,
        tokenizer: None,
        parameters: ParameterSet::ALL,
        knowledge_cutoff: None,
        expiration_date: None,
        reasoning: false,
        open_weights: None,
        router: false,
        deprecated: false,
        endpoints: Vec::new(),
        as_of: "".into(),
        sources: Vec::new().into(),
    }
}

fn set_facts(model: &mut Model, change: &ModelChange) {
    if let Some(name) = &change.name {
        model.name = name.as_str().into();
    }
    if let Some(description) = &change.description {
        model.description = description.as_str().into();
    }
    model.context_length = change.context_length.or(model.context_length);
    model.max_output = change.max_output.or(model.max_output);
    model.input = change.input.unwrap_or(model.input);
    model.output = change.output.unwrap_or(model.output);
    model.parameters = change.parameters.unwrap_or(model.parameters);
    model.reasoning = change.reasoning.unwrap_or(model.reasoning);
}

fn new_endpoint(
    change: &EndpointChange,
    model: &Model,
    provider: &Provider,
    at: &str,
) -> Result<Endpoint, CatalogError> {
    check_price(&change.price).map_err(|why| why.at(format!("{at}.price")))?;
    for (limit, field) in [
        (change.context_length, "context_length"),
        (change.max_output, "max_output_tokens"),
    ] {
        load::tokens(limit.map(Tokens::get)).map_err(|why| why.at(format!("{at}.{field}")))?;
    }
    let tag = match &change.tag {
        Some(tag) => tag.clone(),
        None => change
            .provider
            .as_str()
            .parse()
            .map_err(|error| RowError::Name(error).at(format!("{at}.provider")))?,
    };
    Ok(Endpoint {
        id: EndpointId::new(&model.id, &tag),
        model: model.id.clone(),
        provider: change.provider.clone(),
        tag,
        dialect: change
            .dialect
            .clone()
            .unwrap_or_else(|| provider.dialect.clone()),
        upstream_model: change
            .model
            .as_deref()
            .unwrap_or_else(|| model.id.slug())
            .into(),
        price: change.price.clone(),
        context_length: change.context_length.or(model.context_length),
        max_output: change.max_output.or(model.max_output),
        parameters: change.parameters.unwrap_or(model.parameters),
        input: model.input,
        output: model.output,
        quantization: change.quantization,
        // What the operator writes down needs no second source.
        trust: if provider.aggregator {
            Trust::Aggregator
        } else {
            Trust::Firm
        },
        policy: provider.policy,
        variant: None,
        service_tier: None,
        billed_by_upstream: provider.aggregator,
    })
}

fn check_price(price: &Price) -> Result<(), RowError> {
    let steps = price.tiers.iter().map(|tier| &tier.rates);
    for rates in std::iter::once(&price.rates).chain(steps) {
        for rate in each_rate(*rates).into_iter().flatten() {
            load::per_mtok(Some(&rate.to_string()))?;
        }
    }
    Ok(())
}

const fn each_rate(rates: Rates) -> [Option<UsdPerMTok>; 7] {
    [
        rates.prompt,
        rates.completion,
        rates.cache_read,
        rates.cache_write,
        rates.cache_write_1h,
        rates.audio,
        rates.reasoning,
    ]
}

// --- overrides ---

fn override_rows(
    base: &Catalog,
    parts: &mut Parts,
    change: &Override,
    at: &str,
    warnings: &mut Vec<Warning>,
) -> Result<(), CatalogError> {
    if change.model.is_none() && change.provider.is_none() {
        return Err(RowError::NoMatch.at(format!("{at}.match")));
    }
    if let Some(price) = &change.price {
        check_price(price).map_err(|why| why.at(format!("{at}.price")))?;
    }
    // Names of known providers, else the slug of one that the same config adds.
    let slugs: Option<Vec<&str>> = change.provider.as_deref().map(|name| {
        let known = base.providers_named(name);
        if known.is_empty() {
            vec![name]
        } else {
            known.iter().map(|slug| slug.as_str()).collect()
        }
    });
    let pattern = change.model.as_deref().map(str::to_ascii_lowercase);
    let mut hits = 0_usize;
    for model in &mut parts.models {
        if pattern
            .as_deref()
            .is_some_and(|pattern| !matches(pattern, model.id.as_str()))
        {
            continue;
        }
        let selected = |endpoint: &Endpoint| {
            slugs
                .as_ref()
                .is_none_or(|slugs| slugs.contains(&endpoint.provider.as_str()))
        };
        for endpoint in model
            .endpoints
            .iter_mut()
            .filter(|endpoint| selected(endpoint))
        {
            hits += 1;
            patch(endpoint, change)
                .map_err(|error| RowError::Money(error).at(format!("{at}.price_multiplier")))?;
        }
        if change.enabled == Some(false) {
            model.endpoints.retain(|endpoint| !selected(endpoint));
        }
    }
    if hits == 0 {
        let message = "matches no endpoint and changes nothing".into();
        warnings.push(Warning {
            at: at.into(),
            message,
        });
    }
    Ok(())
}

fn patch(endpoint: &mut Endpoint, change: &Override) -> Result<(), ParseMoneyError> {
    if let Some(price) = &change.price {
        let own = &mut endpoint.price;
        own.rates = price.rates.over(own.rates);
        own.tiers.clone_from(&price.tiers);
        own.request = price.request.or(own.request);
        own.image = price.image.or(own.image);
        own.web_search = price.web_search.or(own.web_search);
    }
    if let Some(factor) = change.price_multiplier {
        scale(&mut endpoint.price, factor)?;
    }
    if let Some(name) = &change.upstream_model {
        endpoint.upstream_model = name.as_str().into();
    }
    Ok(())
}

fn scale(price: &mut Price, factor: Multiplier) -> Result<(), ParseMoneyError> {
    let scaled = |rate: Option<UsdPerMTok>| rate.map(|rate| rate.scaled(factor)).transpose();
    let scale_rates = |rates: &mut Rates| -> Result<(), ParseMoneyError> {
        rates.prompt = scaled(rates.prompt)?;
        rates.completion = scaled(rates.completion)?;
        rates.cache_read = scaled(rates.cache_read)?;
        rates.cache_write = scaled(rates.cache_write)?;
        rates.cache_write_1h = scaled(rates.cache_write_1h)?;
        rates.audio = scaled(rates.audio)?;
        rates.reasoning = scaled(rates.reasoning)?;
        Ok(())
    };
    scale_rates(&mut price.rates)?;
    for tier in &mut price.tiers {
        scale_rates(&mut tier.rates)?;
    }
    Ok(())
}

/// Whether `text` is `pattern`, in which `*` stands for any letters, none included. Linear in the
/// text for each star.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        match rest.split_once(piece) {
            Some((_, tail)) => rest = tail,
            None => return false,
        }
    }
    true
}
