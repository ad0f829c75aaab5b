//! An operator's changes laid over a catalogue. The catalogue itself stays as it is.

mod price;
mod provider;

use std::collections::HashMap;

use waystation_core::{
    DialectId, Endpoint, EndpointId, Modalities, Modality, ModelId, NativeSearch, Parameter,
    ParameterSet, ServiceTier, Tokens, Trust,
};

use crate::{
    Catalog, CatalogError, Changes, EndpointChange, Endpoints, Model, ModelChange, Provider,
    RowError, Warning,
    catalog::Parts,
    load::{self, described, no_provider},
};
use price::{check_price, override_rows};
use provider::change_provider;

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
                at: alias_path(&name),
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

/// Where a configuration has the alias `name`, as TOML spells keys.
pub(crate) fn alias_path(name: &ModelId) -> String {
    let name = name.as_str();
    let bare = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if name.bytes().all(bare) {
        format!("aliases.{name}")
    } else {
        format!("aliases.{name:?}")
    }
}

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
        let speed = endpoint.speed.checked().map_err(|why| why.at(at.clone()))?;
        if mine.contains(&made.tag) {
            let name = made.tag.to_string();
            return Err(RowError::Twice { name }.at(format!("{at}.tag")));
        }
        mine.push(made.tag.clone());
        model.speeds.retain(|(tag, _)| *tag != made.tag);
        model.speeds.push((made.tag.clone(), speed));
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
    // Unknown limits nothing: a private model that sees images need not say so.
    let input = change
        .input
        .unwrap_or_else(|| Modality::ALL.iter().copied().collect());
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
        reasoning_mandatory: false,
        open_weights: None,
        license: None,
        distillable: None,
        router: false,
        deprecated: false,
        endpoints: Endpoints::default(),
        speeds: Vec::new(),
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
    model.distillable = change.distillable.or(model.distillable);
    let always = change.reasoning_mandatory;
    model.reasoning_mandatory = always.unwrap_or(model.reasoning_mandatory);
    model.reasoning = change.reasoning.unwrap_or(model.reasoning) || model.reasoning_mandatory;
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
    let tag = match (&change.tag, change.service_tier) {
        (Some(tag), _) => Ok(tag.clone()),
        (None, Some(tier)) => format!("{}/{tier}", change.provider).parse(),
        (None, None) => change.provider.as_str().parse(),
    };
    let tag = tag.map_err(|error| RowError::Name(error).at(format!("{at}.provider")))?;
    let dialect = change
        .dialect
        .clone()
        .unwrap_or_else(|| provider.dialect.clone());
    let parameters = change.parameters.unwrap_or(model.parameters);
    Ok(Endpoint {
        id: EndpointId::new(&model.id, &tag),
        model: model.id.clone(),
        provider: change.provider.clone(),
        service_tier: change.service_tier.or_else(|| ServiceTier::of_tag(&tag)),
        tag,
        search: search(provider, &dialect, parameters),
        dialect,
        upstream_model: change
            .model
            .as_deref()
            .unwrap_or_else(|| model.id.slug())
            .into(),
        price: change.price.clone(),
        context_length: change.context_length.or(model.context_length),
        max_output: change.max_output.or(model.max_output),
        parameters,
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
        billed_by_upstream: provider.aggregator,
    })
}

/// Whether an endpoint of the operator's searches the web itself: the provider is known to, or the row
/// lists `web_search_options`. That unknown abilities are taken for all does not count.
fn search(provider: &Provider, dialect: &DialectId, takes: ParameterSet) -> Option<NativeSearch> {
    let listed = takes != ParameterSet::ALL && takes.takes(Parameter::WebSearchOptions);
    let known = provider.search(dialect, takes);
    known.or_else(|| listed.then_some(NativeSearch::Plain))
}
