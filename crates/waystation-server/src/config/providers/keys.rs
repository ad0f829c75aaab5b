//! The keys of one provider: those of its table, else the one that the environment holds.
//! Which of them an attempt gets is decided in `credentials`.

use waystation_catalog::Provider;
use waystation_core::{AuthScheme, ProviderSlug, Secret};

use super::Table;
use crate::{
    config::{
        complete::Context,
        document::{element, join},
        raw::{RawKey, RawProvider, RawSecret},
    },
    credentials::ProviderKey,
};

/// The keys of a provider that has a table. None, with an error noted, when it needs one and has
/// none.
pub(super) fn of_table(
    table: &Table<'_>,
    raw: &mut RawProvider,
    cx: &mut Context<'_>,
) -> Vec<ProviderKey> {
    let Table { slug, path, known } = table;
    let free = raw.auth == Some(AuthScheme::None)
        || known.is_none_or(|known| known.keyless || known.upstream.auth == AuthScheme::None);
    let written = raw.api_key.is_some() || !raw.keys.is_empty();
    if written {
        return of_file(slug, path, raw, cx);
    }
    let identity = known.and_then(|known| {
        let names = known.env.iter().chain(&known.env_identity);
        let (name, value) = cx.env.first(names.map(String::as_str))?;
        key(name, Secret::new(value))
    });
    match identity {
        Some(key) if raw.auth != Some(AuthScheme::None) => vec![key],
        _ if free => keyless(slug).into_iter().collect(),
        _ => {
            cx.wrong(path, &missing(*known));
            Vec::new()
        }
    }
}

/// The key that alone enables a provider, and the variable that holds it.
pub(super) fn of_environment(
    provider: &Provider,
    cx: &Context<'_>,
) -> Option<(String, ProviderKey)> {
    let names = provider.env.iter().map(String::as_str);
    let (name, value) = cx.env.first(names)?;
    Some((name.to_owned(), key(name, Secret::new(value))?))
}

/// What a provider that needs no key leases.
pub(super) fn keyless(slug: &ProviderSlug) -> Option<ProviderKey> {
    Some(ProviderKey {
        id: slug.as_str().parse().ok()?,
        secret: None,
        rpm: None,
    })
}

fn key(name: &str, secret: Secret) -> Option<ProviderKey> {
    Some(ProviderKey {
        id: name.parse().ok()?,
        secret: Some(secret),
        rpm: None,
    })
}

fn of_file(
    slug: &ProviderSlug,
    path: &str,
    raw: &mut RawProvider,
    cx: &mut Context<'_>,
) -> Vec<ProviderKey> {
    let mut keys = Vec::new();
    if let Some(RawSecret(secret)) = raw.api_key.take() {
        check(&join(path, "api_key"), &secret, cx);
        keys.extend(key(&format!("{slug}/1"), secret));
    }
    for (place, raw) in std::mem::take(&mut raw.keys).into_iter().enumerate() {
        let path = element(&join(path, "keys"), place);
        let name = format!("{slug}/{}", keys.len() + 1);
        keys.extend(of_entry(&path, name, raw, cx));
    }
    keys
}

/// One of `[[providers.*.keys]]`.
fn of_entry(path: &str, name: String, raw: RawKey, cx: &mut Context<'_>) -> Option<ProviderKey> {
    let RawSecret(secret) = raw.api_key;
    check(&join(path, "api_key"), &secret, cx);
    if raw.rpm == Some(0) {
        cx.wrong(&join(path, "rpm"), "expected a number from 1 up, found 0");
    }
    if raw.tpm.is_some() {
        let place = cx.places.of(&join(path, "tpm"));
        cx.warnings.push(format!(
            "{place}: tokens per minute are not counted in this version; use rpm"
        ));
    }
    let name = raw.name.unwrap_or(name);
    match name.parse() {
        Ok(id) => Some(ProviderKey {
            id,
            secret: Some(secret),
            rpm: raw.rpm,
        }),
        Err(error) => {
            cx.wrong(&join(path, "name"), &format!("{error}"));
            None
        }
    }
}

fn check(path: &str, secret: &Secret, cx: &mut Context<'_>) {
    let text = secret.expose();
    if text.is_empty() {
        cx.wrong(path, "expected a key, found an empty string");
    } else if !text.bytes().all(|b| b.is_ascii_graphic()) {
        let message = "expected a key of printable ASCII characters without spaces";
        cx.wrong(path, message);
    }
}

fn missing(known: Option<&Provider>) -> String {
    match known.and_then(|provider| provider.env.first()) {
        Some(variable) => format!(
            "expected api_key = \"${{{variable}}}\" (or auth = \"none\"), found no key here and \
             {variable} unset"
        ),
        None => "expected api_key (or auth = \"none\"), found no key".into(),
    }
}
