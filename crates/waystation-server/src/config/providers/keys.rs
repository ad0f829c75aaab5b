//! The keys of one provider: those of its table, else the one that the environment holds, else the
//! cloud identity that it takes. Which of them an attempt gets is decided in `credentials`.

use waystation_catalog::Provider;
use waystation_core::{AuthScheme, ProviderSlug, Secret};

use super::{
    Table,
    identity::{self, Found, Noted},
};
use crate::{
    config::{
        complete::Context,
        document::{element, join},
        raw::{RawKey, RawProvider, RawSecret},
    },
    credentials::{Google, Identity, Limits, ProviderKey, Source},
};

/// A provider that takes this variable takes tokens of the identity service that it is named for.
const DIRECTORY_TOKEN: &str = "AZURE_AD_TOKEN";

/// The keys of a provider that has a table. None, with an error noted, when it needs one and has
/// none. Settings that a key file knows, and the table does not name, are put into the table.
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
        return of_file(table, raw, cx);
    }
    let found = match raw.auth {
        Some(AuthScheme::None) => Ok(None),
        _ => find(table, raw.auth, cx),
    };
    match found {
        Ok(Some(found)) => {
            raw.region = raw.region.take().or(found.region);
            raw.project = raw.project.take().or(found.project);
            let key = key(&found.name, found.source);
            let scheme = found.scheme.filter(|_| raw.auth.is_none());
            key.map(|key| ProviderKey { scheme, ..key })
                .into_iter()
                .collect()
        }
        Ok(None) if free => keyless(slug).into_iter().collect(),
        Ok(None) => {
            cx.wrong(path, &missing(*known));
            Vec::new()
        }
        Err(Noted) => Vec::new(),
    }
}

/// The key that alone enables a provider, and the variable that holds it. Where the provider takes an
/// identity that serves many purposes, only a variable whose key travels in a way of its own is one.
pub(super) fn of_environment(
    provider: &Provider,
    cx: &Context<'_>,
) -> Option<(String, ProviderKey)> {
    let alone = |name: &&String| {
        !provider.general_identity || provider.env_auth.contains_key(name.as_str())
    };
    let names = provider.env.iter().filter(alone).map(String::as_str);
    let (name, value) = cx.env.first(names)?;
    let key = key(name, Source::Key(Secret::new(value)))?;
    let scheme = provider.env_auth.get(name).copied();
    Some((name.to_owned(), ProviderKey { scheme, ..key }))
}

/// What a provider that needs no key leases.
pub(super) fn keyless(slug: &ProviderSlug) -> Option<ProviderKey> {
    key(slug.as_str(), Source::Free)
}

fn key(name: &str, source: Source) -> Option<ProviderKey> {
    Some(ProviderKey::new(name.parse().ok()?, source))
}

/// The key or the identity that a table means which names none.
///
/// Variables come first, in the catalogue's order, then what the way in which keys travel stands for.
/// `auth` of the table restricts both to what travels so.
fn find(
    table: &Table<'_>,
    auth: Option<AuthScheme>,
    cx: &mut Context<'_>,
) -> Result<Option<Found>, Noted> {
    let usual = table.known.map(|known| known.upstream.auth);
    let Some(travels) = auth.or(usual) else {
        return Ok(None);
    };
    let names = || {
        let known = table.known.iter();
        known.flat_map(|known| known.env.iter().chain(&known.env_identity))
    };
    let own = |name: &str| {
        table
            .known
            .and_then(|known| known.env_auth.get(name).copied())
    };
    let directory = names().any(|name| name == DIRECTORY_TOKEN);
    let env = cx.env;
    let key = |name: &str| {
        let value = env.get(name)?;
        Some(Found::new(name, Source::Key(Secret::new(value))))
    };
    if auth.is_some() {
        let named = names().find(|name| own(name) == auth && env.get(name).is_some());
        if let Some(found) = named.and_then(|name| key(name)) {
            return Ok(Some(found));
        }
    }
    if directory
        && auth == Some(AuthScheme::Bearer)
        && let Some(found) = identity::entra(cx)?
    {
        return Ok(Some(found));
    }
    for name in names() {
        let Some(value) = env.get(name) else { continue };
        match (own(name), travels) {
            (Some(_), _) if auth.is_some() => {}
            (None, AuthScheme::Sigv4) => {}
            (None, AuthScheme::GoogleOauth) => {
                return identity::google_key(name, value, cx).map(Some);
            }
            (scheme, _) => return Ok(key(name).map(|found| Found { scheme, ..found })),
        }
    }
    match travels {
        AuthScheme::Sigv4 => identity::aws(&table.path, cx).map(Some),
        AuthScheme::GoogleOauth => identity::google_default(&table.path, cx).map(Some),
        _ if directory && auth.is_none() => identity::entra(cx),
        _ => Ok(None),
    }
}

fn of_file(table: &Table<'_>, raw: &mut RawProvider, cx: &mut Context<'_>) -> Vec<ProviderKey> {
    let Table { slug, path, .. } = table;
    let usual = table.known.map(|known| known.upstream.auth);
    let travels = raw.auth.or(usual);
    let mut keys = Vec::new();
    if let Some(RawSecret(secret)) = raw.api_key.take() {
        let path = join(path, "api_key");
        let key = key(&format!("{slug}/1"), Source::Free);
        let read = written(&path, &secret, travels, cx);
        keys.extend(key.map(|key| with(key, read, raw)));
    }
    for (place, entry) in std::mem::take(&mut raw.keys).into_iter().enumerate() {
        let path = element(&join(path, "keys"), place);
        let name = format!("{slug}/{}", keys.len() + 1);
        let read = written(&join(&path, "api_key"), &entry.api_key.0, travels, cx);
        let key = of_entry(&path, name, entry, cx);
        keys.extend(key.map(|key| with(key, read, raw)));
    }
    keys
}

/// A key as it was read, with the settings that it knows.
fn with(key: ProviderKey, read: Found, raw: &mut RawProvider) -> ProviderKey {
    raw.project = raw.project.take().or(read.project);
    ProviderKey {
        source: read.source,
        scheme: read.scheme.filter(|_| raw.auth.is_none()),
        ..key
    }
}

/// One of `[[providers.*.keys]]`, without the key itself.
fn of_entry(path: &str, name: String, raw: RawKey, cx: &mut Context<'_>) -> Option<ProviderKey> {
    for (field, zero) in [("rpm", raw.rpm == Some(0)), ("tpm", raw.tpm == Some(0))] {
        if zero {
            cx.wrong(&join(path, field), "expected a number from 1 up, found 0");
        }
    }
    let name = raw.name.unwrap_or(name);
    match name.parse() {
        Ok(id) => Some(ProviderKey {
            limits: Limits {
                rpm: raw.rpm,
                tpm: raw.tpm,
            },
            ..ProviderKey::new(id, Source::Free)
        }),
        Err(error) => {
            cx.wrong(&join(path, "name"), &format!("{error}"));
            None
        }
    }
}

/// What a key of the file is: a text, or a whole JSON key where tokens are made from one. Where
/// requests are signed, a text that is no pair of id and key is a key that travels as it is.
fn written(
    path: &str,
    secret: &Secret,
    travels: Option<AuthScheme>,
    cx: &mut Context<'_>,
) -> Found {
    let text = secret.expose();
    if travels == Some(AuthScheme::GoogleOauth) && text.trim_start().starts_with('{') {
        return match Google::parse(text) {
            Ok(google) => Found {
                project: google.project().map(Into::into),
                ..Found::new(path, Source::Minted(Identity::Google(google)))
            },
            Err(message) => {
                cx.wrong(path, &message);
                Found::new(path, Source::Free)
            }
        };
    }
    check(path, secret, cx);
    let scheme = (travels == Some(AuthScheme::Sigv4)).then(|| {
        if text.contains(':') {
            AuthScheme::Sigv4
        } else {
            AuthScheme::Bearer
        }
    });
    Found {
        scheme,
        ..Found::new(path, Source::Key(secret.clone()))
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
