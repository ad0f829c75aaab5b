//! `waystation check`: validates the configuration and prints what it comes to, secrets hidden.

use clap::Args;
use serde::Serialize;

use super::{Refusal, Source, say};
use crate::config::{Environment, HIDDEN, Resolved, Timeouts};

/// Arguments of `check`.
#[derive(Clone, Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    source: Source,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// An enabled provider as it is printed.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    base_url: &'a str,
    enabled_by: String,
    keys: Vec<String>,
    max_concurrent: usize,
    timeouts: Timeouts,
}

/// Runs the command.
pub(super) fn run(args: &CheckArgs, env: &Environment) -> Result<(), Refusal> {
    let resolved = args.source.resolve(env)?;
    let table = table(&resolved)?;
    if args.json {
        say(&format!("{}\n", serde_json::to_string_pretty(&table)?));
        return Ok(());
    }
    say(&heading(&resolved));
    say(&toml::to_string(&table)?);
    Ok(())
}

/// What is not part of the config, as comments.
fn heading(resolved: &Resolved) -> String {
    let file = match &resolved.file {
        Some(file) => file.display().to_string(),
        None => "none; from the environment".into(),
    };
    let models = resolved.catalog.models().count();
    let mut text = format!("# file: {file}\n# models: {models}\n");
    if resolved.simulated {
        text.push_str("# upstreams: simulated\n");
    }
    for warning in &resolved.warnings {
        text.push_str(&format!("# warning: {}\n", warning.replace('\n', "\n# ")));
    }
    text.push('\n');
    text
}

/// The whole configuration, ready to print.
fn table(resolved: &Resolved) -> Result<toml::Table, toml::ser::Error> {
    let mut all = toml::Table::try_from(&resolved.config)?;
    if resolved.simulated {
        return Ok(all);
    }
    let mut providers = toml::Table::new();
    for (slug, provider) in &resolved.upstreams {
        let keys = resolved.key_names(slug);
        let shown = Shown {
            name: &provider.upstream.name,
            base_url: &provider.upstream.base_url,
            enabled_by: provider.origin.to_string(),
            keys: keys.map(|name| format!("{name} {HIDDEN}")).collect(),
            max_concurrent: provider.max_concurrent,
            timeouts: provider.timeouts,
        };
        providers.insert(slug.to_string(), toml::Value::try_from(&shown)?);
    }
    all.insert("providers".into(), providers.into());
    Ok(all)
}
