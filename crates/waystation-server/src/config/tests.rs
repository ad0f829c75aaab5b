//! Tests of the configuration as a whole: a text and an environment in, an error or a result out.

use std::{fs, path::PathBuf};

use super::*;

mod errors;
mod identities;
mod listeners;
mod providers;
mod secrets;
mod values;

/// A client key that is long enough.
const KEY: &str = "sk-0123456789abcdef";

fn env<const N: usize>(variables: [(&str, &str); N]) -> Environment {
    variables.into_iter().collect()
}

/// An environment with one provider, so that there is somebody to ask.
fn openai() -> Environment {
    env([("OPENAI_API_KEY", "sk-from-the-environment")])
}

fn load(text: &str, env: &Environment) -> Result<Resolved, ConfigErrors> {
    from_text("w.toml", text, &Flags::default(), env)
}

fn good(text: &str) -> Resolved {
    load(text, &openai()).unwrap()
}

/// Every error, one a line.
fn bad(text: &str, env: &Environment) -> String {
    load(text, env).unwrap_err().to_string()
}

fn slugs(resolved: &Resolved) -> Vec<&str> {
    resolved
        .upstreams
        .keys()
        .map(|slug| slug.as_str())
        .collect()
}

fn base_url<'a>(resolved: &'a Resolved, slug: &str) -> &'a str {
    &resolved.upstreams.get(slug).unwrap().upstream.base_url
}

/// A file of this process's own in the directory for temporary files.
fn file(name: &str, text: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("waystation-{}-{name}", std::process::id()));
    fs::write(&path, text).unwrap();
    path
}
