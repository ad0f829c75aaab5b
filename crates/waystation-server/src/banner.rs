//! What `serve` prints when it is up: which file, which providers are live and what enabled each,
//! and a curl line that works as pasted.

use std::{io::Write as _, net::SocketAddr, path::PathBuf};

use waystation_core::Tag;

use crate::{app::App, config::Resolved, serve::reachable};

/// What the banner says of the configuration.
#[derive(Clone, Debug)]
pub struct Facts {
    file: Option<PathBuf>,
    providers: Vec<(String, String)>,
    simulated: bool,
    has_keys: bool,
    default_model: Option<String>,
}

// === impl Facts ===

impl Facts {
    /// Reads them off.
    #[must_use]
    pub fn of(resolved: &Resolved) -> Self {
        let origin = |(slug, provider): (
            &waystation_core::ProviderSlug,
            &crate::config::EnabledProvider,
        )| { (slug.to_string(), provider.origin.to_string()) };
        Self {
            file: resolved.file.clone(),
            providers: resolved.upstreams.iter().map(origin).collect(),
            simulated: resolved.simulated,
            has_keys: !resolved.config.auth.keys.is_empty(),
            default_model: resolved.config.catalog.default_model.clone(),
        }
    }
}

/// Prints the banner to standard output.
pub fn print(facts: &Facts, app: &App, address: Option<SocketAddr>) {
    let text = text(facts, app, address);
    let mut out = std::io::stdout().lock();
    // Nobody may be reading.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn text(facts: &Facts, app: &App, address: Option<SocketAddr>) -> String {
    let address = address.map_or_else(|| "?".into(), |address| reachable(address).to_string());
    let file = facts
        .file
        .as_ref()
        .map_or("none, from the environment".into(), |file| {
            file.display().to_string()
        });
    let mut text = format!(
        "waystation {} listens at http://{address}\n",
        env!("CARGO_PKG_VERSION")
    );
    text.push_str(&format!("  config     {file}\n"));
    if facts.simulated {
        text.push_str(
            "  upstreams  SIMULATED: no provider is configured, nothing leaves this machine and nothing costs.\n             \
             Set a provider's key (OPENAI_API_KEY, ANTHROPIC_API_KEY, OPENROUTER_API_KEY, …) and start again.\n",
        );
    } else {
        for (place, (slug, origin)) in facts.providers.iter().enumerate() {
            let label = if place == 0 { "providers" } else { "" };
            text.push_str(&format!("  {label:<10} {slug} (from {origin})\n"));
        }
    }
    match servable(facts, app) {
        Some(model) => text.push_str(&curl(&address, &model, facts.has_keys)),
        None => text.push_str("  no model of the catalogue can be served by these providers\n"),
    }
    text
}

/// A model that the present keys can serve: the default model, a seed of the catalogue, or any.
fn servable(facts: &Facts, app: &App) -> Option<String> {
    let snapshot = app.gateway().snapshot();
    let dialects = app.gateway().parts().codecs.dialects();
    let serves = |model: &waystation_catalog::Model| {
        let live = |endpoint: &waystation_core::Endpoint| {
            endpoint.variant.is_none()
                && dialects.contains(&endpoint.dialect)
                && snapshot.is_usable(&endpoint.provider)
        };
        !model.router && !model.deprecated && model.endpoints.iter().any(live)
    };
    let preferred = facts
        .default_model
        .as_deref()
        .and_then(|id| snapshot.catalog.model(id));
    if let Some(model) = preferred.filter(|model| serves(model)) {
        return Some(model.id.to_string());
    }
    // The newest that a firm endpoint serves, so that the first request is likely to succeed.
    let newest = snapshot
        .catalog
        .models()
        .filter(|model| serves(model))
        .max_by_key(|model| {
            let own = |tag: &Tag| tag.as_str() == model.id.author();
            (
                model.endpoints.iter().any(|e| own(&e.tag)),
                model.created,
                model.id.clone(),
            )
        });
    newest.map(|model| model.id.to_string())
}

fn curl(address: &str, model: &str, has_keys: bool) -> String {
    let key = if has_keys {
        " \\\n    -H \"Authorization: Bearer $WAYSTATION_API_KEY\""
    } else {
        ""
    };
    format!(
        "  try it:\n  curl http://{address}/v1/chat/completions{key} \\\n    -H 'Content-Type: application/json' \\\n    \
         -d '{{\"model\": \"{model}\", \"messages\": [{{\"role\": \"user\", \"content\": \"Say hello\"}}]}}'\n"
    )
}
