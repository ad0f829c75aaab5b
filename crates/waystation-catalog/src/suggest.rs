//! The model that a wrong id probably means. It only ever suggests: nothing is routed by it.

use waystation_core::{ModelId, nearest};

use crate::{Catalog, Model};

/// Longer texts are not compared letter by letter, since that takes time by the square.
const MAX_COMPARED: usize = 80;

pub(crate) fn suggest<'a>(catalog: &'a Catalog, wrong: &str) -> Option<&'a ModelId> {
    let text = wrong.trim().trim_start_matches('~').to_ascii_lowercase();
    if let Some(known) = text.parse().ok().and_then(|id| catalog.resolve(&id)) {
        return Some(&known.id);
    }
    let text = text.split(':').next().unwrap_or_default();
    let last = text.rsplit('/').next().unwrap_or_default();
    if last.is_empty() {
        return None;
    }
    same_slug(catalog, text, last)
        .or_else(|| upstream_name(catalog, text, last))
        .or_else(|| similar(catalog, text, last))
}

/// `gpt-5.4` and `vertex_ai/gemini-3.1-pro-preview`: the slug is right, the author missing or
/// another's. The author that is most like the one written wins.
fn same_slug<'a>(catalog: &'a Catalog, text: &str, last: &str) -> Option<&'a ModelId> {
    best(
        catalog.models().filter(|model| model.id.slug() == last),
        text,
    )
}

/// `claude-sonnet-4-6` and `bedrock/us.anthropic.claude-sonnet-4-6`: what a provider calls it.
fn upstream_name<'a>(catalog: &'a Catalog, text: &str, last: &str) -> Option<&'a ModelId> {
    let dashed = last.replace('.', "-");
    let named = |model: &&Model| {
        model.id.slug().replace('.', "-") == dashed
            || model.endpoints.iter().any(|endpoint| {
                let name = &*endpoint.upstream_model;
                [text, last]
                    .iter()
                    .any(|wanted| name.eq_ignore_ascii_case(wanted))
            })
    };
    best(catalog.models().filter(named), text)
}

/// A slip of the finger, in the whole id or in a bare slug.
fn similar<'a>(catalog: &'a Catalog, text: &str, last: &str) -> Option<&'a ModelId> {
    if text.len() > MAX_COMPARED {
        return None;
    }
    if text.contains('/') {
        let ids = catalog.models().map(|model| model.id.as_str());
        if let Some(id) = nearest(text, ids) {
            return catalog.model(id).map(|model| &model.id);
        }
    }
    let slug = nearest(last, catalog.models().map(|model| model.id.slug()))?;
    same_slug(catalog, text, slug)
}

/// Of several models, a current one before an old one, the one whose author appears in the text,
/// then the one that most endpoints serve.
fn best<'a>(models: impl Iterator<Item = &'a Model>, text: &str) -> Option<&'a ModelId> {
    models
        .max_by_key(|model| {
            let author = model.id.author().split('-').next().unwrap_or_default();
            (
                !model.deprecated,
                text.contains(author),
                model.endpoints.len(),
                std::cmp::Reverse(&model.id),
            )
        })
        .map(|model| &model.id)
}
