//! Private models, further endpoints and overrides of the file, as changes to the catalogue.
//! Applying them, and most checks on them, are the catalogue's.

use waystation_catalog::{EndpointChange, ModelChange, Override, Speed};
use waystation_core::{
    DialectId, Modalities, Modality, ModelId, Parameter, ParameterSet, Price, ServiceTier, Tokens,
    nearest,
};

use super::{
    complete::Context,
    document::{element, join},
    providers::dialect,
    raw::{Exact, RawEndpoint, RawModel, RawOverride, RawPrice, RawSpeed},
};

/// The models of the file.
pub(super) fn models(raw: Vec<RawModel>, cx: &mut Context<'_>) -> Vec<ModelChange> {
    raw.into_iter()
        .enumerate()
        .filter_map(|(place, model)| {
            let change = change(model, &element("models", place), cx)?;
            if change.endpoints.is_empty() {
                let id = change.id.clone();
                cx.models_without_endpoints.push((place, id));
            }
            Some(change)
        })
        .collect()
}

fn change(raw: RawModel, path: &str, cx: &mut Context<'_>) -> Option<ModelChange> {
    let id = match model_id(&raw.id) {
        Ok(id) => Some(id),
        Err(message) => {
            cx.wrong(&join(path, "id"), &message);
            None
        }
    };
    let parameters = parameters(path, raw.supported_parameters.as_deref(), cx);
    let endpoints = raw
        .endpoints
        .into_iter()
        .enumerate()
        .map(|(place, raw)| endpoint(raw, &element(&join(path, "endpoints"), place), cx))
        .collect();
    let mut model = ModelChange::new(id?);
    model.name = raw.name;
    model.description = raw.description;
    model.context_length = raw.context_length.map(Tokens::new);
    model.max_output = raw.max_output_tokens.map(Tokens::new);
    model.input = modalities(raw.input_modalities);
    model.output = modalities(raw.output_modalities);
    model.parameters = parameters;
    model.reasoning = raw.reasoning;
    model.reasoning_mandatory = raw.reasoning_mandatory;
    model.distillable = raw.distillable;
    model.endpoints = endpoints;
    Some(model)
}

/// A model id without `:`, which in a request begins a suffix.
fn model_id(text: &str) -> Result<ModelId, String> {
    if text.contains(':') {
        return Err(format!(
            "expected an id without `:`, which begins a suffix such as `:nitro`; spell it {:?}",
            text.replace(':', "-")
        ));
    }
    text.parse().map_err(|error| format!("{error}"))
}

fn endpoint(raw: RawEndpoint, path: &str, cx: &mut Context<'_>) -> EndpointChange {
    let mut endpoint = EndpointChange::new(raw.provider);
    endpoint.tag = raw.tag;
    endpoint.model = raw.model;
    endpoint.dialect = wire(path, raw.dialect.as_deref(), cx);
    endpoint.price = raw.price.map_or_else(Price::default, |raw| price(&raw));
    endpoint.context_length = raw.context_length.map(Tokens::new);
    endpoint.max_output = raw.max_output_tokens.map(Tokens::new);
    endpoint.parameters = parameters(path, raw.supported_parameters.as_deref(), cx);
    endpoint.quantization = raw.quantization;
    endpoint.speed = speed(&raw.speed, path, cx);
    endpoint.service_tier = raw.service_tier;
    if let Some(tier @ (ServiceTier::Auto | ServiceTier::Default)) = raw.service_tier {
        let found =
            format!("expected flex, priority, scale or ultrafast, found {tier}; leave it out");
        cx.wrong(&join(path, "service_tier"), &found);
    }
    endpoint
}

/// The speed below `path`, checked.
fn speed(raw: &RawSpeed, path: &str, cx: &mut Context<'_>) -> Speed {
    let speed = Speed {
        throughput_tps: raw.throughput_tps,
        latency_s: raw.latency_s,
    };
    speed.checked().unwrap_or_else(|error| {
        cx.wrong(&join(path, "speed"), &error.to_string());
        Speed::default()
    })
}

/// The dialect at `path`, checked.
pub(super) fn wire(path: &str, found: Option<&str>, cx: &mut Context<'_>) -> Option<DialectId> {
    match dialect(found?) {
        Ok(dialect) => Some(dialect),
        Err(message) => {
            cx.wrong(&join(path, "dialect"), &message);
            None
        }
    }
}

fn modalities(found: Option<Vec<Modality>>) -> Option<Modalities> {
    found.map(|kinds| kinds.into_iter().collect())
}

fn parameters(path: &str, names: Option<&[String]>, cx: &mut Context<'_>) -> Option<ParameterSet> {
    let path = join(path, "supported_parameters");
    let mut set = ParameterSet::EMPTY;
    for (place, name) in names?.iter().enumerate() {
        match Parameter::named(name) {
            Some(parameter) => set = set.with(parameter),
            None => {
                let known = || Parameter::ALL.iter().map(|known| known.as_str());
                let message = match nearest(name, known()) {
                    Some(near) => format!("unknown parameter {name:?}, did you mean {near:?}?"),
                    None => {
                        let all: Vec<_> = known().collect();
                        format!("expected one of {}, found {name:?}", all.join(", "))
                    }
                };
                cx.wrong(&element(&path, place), &message);
            }
        }
    }
    Some(set)
}

fn price(raw: &RawPrice) -> Price {
    let mut price = Price::default();
    price.rates.prompt = raw.prompt.map(|Exact(price)| price);
    price.rates.completion = raw.completion.map(|Exact(price)| price);
    price.rates.cache_read = raw.cache_read.map(|Exact(price)| price);
    price.rates.cache_write = raw.cache_write.map(|Exact(price)| price);
    price.rates.cache_write_1h = raw.cache_write_1h.map(|Exact(price)| price);
    price.rates.audio = raw.audio.map(|Exact(price)| price);
    price.rates.reasoning = raw.reasoning.map(|Exact(price)| price);
    price.request = raw.request.map(|Exact(price)| price);
    price.image = raw.image.map(|Exact(price)| price);
    price.web_search = raw.web_search.map(|Exact(price)| price);
    price
}

/// The overrides of the file.
pub(super) fn overrides(raw: Vec<RawOverride>, cx: &mut Context<'_>) -> Vec<Override> {
    raw.into_iter()
        .enumerate()
        .map(|(place, raw)| {
            let path = element("overrides", place);
            if raw.matches.model.is_none() && raw.matches.provider.is_none() {
                let message = "expected `model`, `provider` or both, found neither";
                cx.wrong(&join(&path, "match"), message);
            }
            let does_something = raw.price_multiplier.is_some()
                || raw.price.is_some()
                || raw.model.is_some()
                || raw.enabled.is_some()
                || raw.distillable.is_some()
                || raw.speed.throughput_tps.or(raw.speed.latency_s).is_some();
            if !does_something {
                let message = "expected one of price_multiplier, price, model, speed, distillable, enabled, found none";
                cx.wrong(&path, message);
            }
            if raw.distillable.is_some() && raw.matches.provider.is_some() {
                let message = "it is said of models: expected a `match` without `provider`";
                cx.wrong(&join(&path, "distillable"), message);
            }
            Override {
                speed: speed(&raw.speed, &path, cx),
                distillable: raw.distillable,
                model: raw.matches.model,
                provider: raw.matches.provider,
                price_multiplier: raw.price_multiplier.map(|Exact(factor)| factor),
                price: raw.price.map(|raw| price(&raw)),
                upstream_model: raw.model,
                enabled: raw.enabled,
            }
        })
        .collect()
}
