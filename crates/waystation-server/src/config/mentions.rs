//! What the file says of models by name, and what its presets say at all, held against the catalogue and
//! the rules of requests: a preset that no request can use is found at the start, not by its clients.

use waystation_catalog::Catalog;
use waystation_core::{
    ChatRequest, InvalidRequest, Json, Kind, ModelRef, ObjectWriter, Parameter,
    ProviderPreferences, RawJson, nearest,
};

use super::{
    complete::Context,
    document::{element, join},
    settings::Config,
};
use crate::preset::SYSTEM;

/// What stands before the ids of routers, which are models of no catalogue.
const ROUTERS: &str = "openrouter/";

/// Checks what names models, and presets.
pub(super) fn check(config: &Config, catalog: &Catalog, cx: &mut Context<'_>) {
    if let Some(wrong) = &config.catalog.default_model
        && let Some(message) = unknown(wrong, config, catalog)
    {
        cx.wrong("catalog.default_model", &message);
    }
    for (slug, preset) in &config.presets {
        let path = join("presets", slug.as_str());
        if let Err(error) = read(preset) {
            let at = match error.field.is_empty() {
                true => path.clone(),
                false => format!("{path}.{}", error.field),
            };
            cx.wrong(&at, &error.message);
            continue;
        }
        let members = preset.json();
        if let Some(model) = members.get("model").and_then(Json::string) {
            warn(&join(&path, "model"), unknown(&model, config, catalog), cx);
        }
        let models = members
            .get("models")
            .filter(|list| list.kind() == Kind::Array);
        for (place, model) in models.iter().flat_map(|list| list.elements()).enumerate() {
            let model = model.string().unwrap_or_default();
            let at = element(&join(&path, "models"), place);
            warn(&at, unknown(&model, config, catalog), cx);
        }
        for (name, _) in members.members() {
            warn(&join(&path, &name.name()), misspelt(&name.name()), cx);
        }
    }
    for (place, model) in cx.models_without_endpoints.clone() {
        let served = catalog
            .resolve(&model)
            .is_some_and(|known| !known.endpoints.is_empty());
        let message =
            (!served).then(|| "has no endpoint: nobody serves it; add [[models.endpoints]]".into());
        warn(&element("models", place), message, cx);
    }
}

fn warn(path: &str, message: Option<String>, cx: &mut Context<'_>) {
    if let Some(message) = message {
        let place = cx.places.of(path);
        cx.warnings.push(format!("{place}: {message}"));
    }
}

/// A preset as part of a request.
fn read(preset: &RawJson) -> Result<(), InvalidRequest> {
    let mut body = Vec::new();
    let mut out = ObjectWriter::open(&mut body);
    let members = preset.json();
    for (key, value) in members.members() {
        if key.is(SYSTEM) && value.kind() != Kind::String {
            return Err(InvalidRequest::expected(SYSTEM, "a string", value));
        }
        out.raw(&key.name(), value.bytes());
    }
    if members.get("messages").is_none() && members.get("prompt").is_none() {
        out.raw("messages", br#"[{"role":"user","content":""}]"#);
    }
    out.close();
    let chat = ChatRequest::parse(&body.into())?;
    ProviderPreferences::of(&chat).map(drop)
}

/// Why the model of this name is none; `None` when it is one, or when that is not known here.
fn unknown(name: &str, config: &Config, catalog: &Catalog) -> Option<String> {
    let reference: ModelRef = match name.parse() {
        Ok(reference) => reference,
        Err(error) => return Some(format!("{error}")),
    };
    if let Some(preset) = reference.preset
        && !config.presets.contains_key(&preset)
    {
        return Some(format!("there is no preset {:?}", preset.as_str()));
    }
    let id = reference.name?;
    let known = if reference.latest {
        catalog.latest(id.as_str()).is_some()
    } else {
        let bare = config.catalog.bare_ids && !id.as_str().contains('/');
        bare || id.as_str().starts_with(ROUTERS) || catalog.find(&id).is_some()
    };
    let hint = || {
        let near = catalog.suggest(id.as_str());
        near.map_or_else(String::new, |near| {
            format!("; did you mean {:?}?", near.as_str())
        })
    };
    (!known).then(|| format!("no model is called {name:?}{}", hint()))
}

/// A member that is nearly one that is known. Others are for providers, and go to them as they are.
fn misspelt(name: &str) -> Option<String> {
    if name == SYSTEM || ChatRequest::knows(name) {
        return None;
    }
    let near = nearest(name, Parameter::ALL.iter().map(|known| known.as_str()))?;
    Some(format!(
        "goes to providers as it is; did you mean `{near}`?"
    ))
}
