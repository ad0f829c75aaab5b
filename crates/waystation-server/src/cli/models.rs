//! `waystation models`: the catalogue as a table, or as JSON.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;
use waystation_catalog::Model;
use waystation_core::{Endpoint, ModelId, Tokens, UsdPerMTok};

use super::{Refusal, Source, say};
use crate::config::Environment;

/// Arguments of `models`.
#[derive(Clone, Debug, Args)]
pub(super) struct ModelsArgs {
    #[command(flatten)]
    source: Source,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// A part of the ids to show; `*` stands for any text.
    #[arg(value_name = "PATTERN")]
    pattern: Option<String>,
}

/// One model as it is listed.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    id: &'a ModelId,
    name: &'a str,
    context_length: Option<u64>,
    max_output_tokens: Option<u64>,
    /// Of the most trusted endpoint, the cheapest of them.
    price: Charges,
    providers: Vec<&'a str>,
}

/// USD per million tokens.
#[derive(Debug, Default, Serialize)]
struct Charges {
    prompt: Option<UsdPerMTok>,
    completion: Option<UsdPerMTok>,
}

/// Runs the command.
pub(super) fn run(args: &ModelsArgs, env: &Environment) -> Result<(), Refusal> {
    let resolved = args.source.resolve_catalog(env)?;
    let pattern = args.pattern.as_deref().unwrap_or("*").to_lowercase();
    let listed: Vec<Listed<'_>> = resolved
        .catalog
        .models()
        .filter(|model| matches(&pattern, model.id.as_str()))
        .map(listed)
        .collect();
    if args.json {
        say(&format!("{}\n", serde_json::to_string_pretty(&listed)?));
        return Ok(());
    }
    if listed.is_empty() {
        let hint = resolved.catalog.suggest(&pattern);
        let hint = hint.map_or_else(String::new, |id| format!("; did you mean {id}?"));
        return Err(Refusal(format!(
            "error: no model id matches {pattern:?}{hint}"
        )));
    }
    say(&table(&listed));
    Ok(())
}

/// Whether `pattern` is somewhere in `id`; with a `*` in it, whether it is the whole of it.
fn matches(pattern: &str, id: &str) -> bool {
    let Some((head, mut rest)) = pattern.split_once('*') else {
        return id.contains(pattern);
    };
    let Some(mut left) = id.strip_prefix(head) else {
        return false;
    };
    while let Some((piece, tail)) = rest.split_once('*') {
        let Some((_, after)) = left.split_once(piece) else {
            return false;
        };
        (left, rest) = (after, tail);
    }
    left.ends_with(rest)
}

fn listed(model: &Model) -> Listed<'_> {
    let mut providers: Vec<&str> = Vec::new();
    for endpoint in &model.endpoints {
        if !providers.contains(&endpoint.provider.as_str()) {
            providers.push(endpoint.provider.as_str());
        }
    }
    Listed {
        id: &model.id,
        name: &model.name,
        context_length: model.context_length.map(Tokens::get),
        max_output_tokens: model.max_output.map(Tokens::get),
        price: price(&model.endpoints),
        providers,
    }
}

/// What the most trusted endpoints ask at least; unknown prices only where all are unknown.
fn price(endpoints: &[Endpoint]) -> Charges {
    let plain = endpoints
        .iter()
        .filter(|endpoint| endpoint.variant.is_none() && endpoint.service_tier.is_none());
    let priced = plain.filter_map(|endpoint| {
        let blended = endpoint.price.rates.blended_x4()?;
        Some(((endpoint.trust, blended), endpoint.price.rates))
    });
    let best = priced.min_by_key(|(rank, _)| *rank);
    best.map_or_else(Charges::default, |(_, rates)| Charges {
        prompt: rates.prompt,
        completion: rates.completion,
    })
}

fn table(listed: &[Listed<'_>]) -> String {
    let ids = listed.iter().map(|model| model.id.as_str().len());
    let width = ids.max().unwrap_or_default().max(2);
    let mut text = format!(
        "{:width$}  {:>9}  {:>9}  {:>9}  providers\n",
        "id", "context", "$/M in", "$/M out"
    );
    for model in listed {
        let charge = |price: Option<UsdPerMTok>| price.map_or("?".into(), |p| p.to_string());
        let context = model.context_length.map_or("?".into(), |n| n.to_string());
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:width$}  {context:>9}  {:>9}  {:>9}  {}",
            model.id.as_str(),
            charge(model.price.prompt),
            charge(model.price.completion),
            model.providers.join(", ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_parts_or_globs() {
        for (pattern, id) in [
            ("gpt", "openai/gpt-5.4"),
            ("*", "a/b"),
            ("openai/*", "openai/gpt-5.4"),
            ("*mini", "openai/gpt-5.4-mini"),
            ("o*gpt*i", "openai/gpt-5.4-mini"),
        ] {
            assert!(matches(pattern, id), "{pattern} {id}");
        }
        for (pattern, id) in [
            ("gtp", "openai/gpt-5.4"),
            ("penai/*", "openai/x"),
            ("*x", "a/b"),
        ] {
            assert!(!matches(pattern, id), "{pattern} {id}");
        }
    }
}
