//! AWS Signature Version 4: signs a request that is complete but for its signature. Finds no
//! credentials, refreshes none and reads no clock; the time is an argument.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
//! (2026-08-22). Of the protocol only what a POST of JSON or of a form needs is here:
//!
//! | part | how |
//! |---|---|
//! | credential | `Secret` as `id:key` or `id:key:token`; none of the three holds a colon |
//! | path | as it leaves, each segment encoded once more, since the service is not S3 |
//! | query | its pairs sorted |
//! | headers | `content-type`, `host`, `x-amz-date` and, for passing credentials, `x-amz-security-token` |
//! | body | its SHA-256; it is never sent unsigned |
//! | key | the HMAC chain of date, region, service and `aws4_request` |
//!
//! The signature goes into `authorization`, marked as a secret like the token. What a transport adds
//! later (`accept-encoding`, `user-agent`) is not signed and may differ.

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, HeaderValue, header};
use sha2::{Digest, Sha256};
use waystation_core::{EncodeError, HttpRequest, Secret, UnixMs};

use crate::address::percent;

/// The one algorithm that is spoken.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What a signature is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    /// `us-east-1`.
    pub region: &'a str,
    /// `bedrock`.
    pub service: &'a str,
    /// When it is made; it holds for a few minutes.
    pub now: UnixMs,
}

/// A credential, taken apart.
struct Keys<'a> {
    id: &'a str,
    key: &'a str,
    token: Option<&'a str>,
}

/// Signs `request` with `secret`.
///
/// # Errors
/// [`EncodeError::Credential`] when the secret is not of the form above, or holds characters that no
/// header can carry.
pub fn sign(
    mut request: HttpRequest,
    secret: &Secret,
    scope: Scope<'_>,
) -> Result<HttpRequest, EncodeError> {
    let keys = Keys::of(secret)?;
    let time = stamp(scope.now);
    let date = time.get(..8).unwrap_or_default();
    let host = request.url.authority().map_or("", |host| host.as_str());
    let host = value(host.rsplit('@').next().unwrap_or(host))?;
    let headers = &mut request.headers;
    headers.insert(header::HOST, host);
    headers.insert(HeaderName::from_static("x-amz-date"), value(&time)?);
    if let Some(token) = keys.token {
        let mut token = value(token)?;
        token.set_sensitive(true);
        headers.insert(HeaderName::from_static("x-amz-security-token"), token);
    }
    let names = signed_names(&request);
    let within = format!("{date}/{}/{}/aws4_request", scope.region, scope.service);
    let canonical = hex(&Sha256::digest(canonical(&request, &names)));
    let told = format!("{ALGORITHM}\n{time}\n{within}\n{canonical}");
    let mut key = mac(format!("AWS4{}", keys.key).as_bytes(), date)?;
    for step in [scope.region, scope.service, "aws4_request"] {
        key = mac(&key, step)?;
    }
    let signature = hex(&mac(&key, &told)?);
    let names = names.join(";");
    let text = format!(
        "{ALGORITHM} Credential={}/{within}, SignedHeaders={names}, Signature={signature}",
        keys.id
    );
    let mut authorization = value(&text)?;
    authorization.set_sensitive(true);
    request.headers.insert(header::AUTHORIZATION, authorization);
    Ok(request)
}

/// The names of the headers that are signed, sorted.
fn signed_names(request: &HttpRequest) -> Vec<&'static str> {
    const NAMES: [&str; 4] = ["content-type", "host", "x-amz-date", "x-amz-security-token"];
    let has = |name: &&str| request.headers.contains_key(*name);
    NAMES.into_iter().filter(has).collect()
}

/// The request in the form that is hashed: method, path, query, headers, their names, the body's
/// hash, one a line.
fn canonical(request: &HttpRequest, names: &[&str]) -> String {
    let mut out = String::with_capacity(512);
    out.push_str(request.method.as_str());
    out.push('\n');
    for (place, segment) in request.url.path().split('/').enumerate() {
        if place > 0 {
            out.push('/');
        }
        percent(segment, &mut out);
    }
    out.push('\n');
    let query = request.url.query().unwrap_or_default();
    let mut pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    pairs.sort_unstable();
    for (place, pair) in pairs.into_iter().enumerate() {
        if place > 0 {
            out.push('&');
        }
        out.push_str(pair);
        if !pair.contains('=') {
            out.push('=');
        }
    }
    out.push('\n');
    for name in names {
        let value = request.headers.get(*name);
        let value = value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        out.push_str(name);
        out.push(':');
        out.push_str(value.trim());
        out.push('\n');
    }
    out.push('\n');
    out.push_str(&names.join(";"));
    out.push('\n');
    out.push_str(&hex(&Sha256::digest(&request.body)));
    out
}

/// The HMAC-SHA256 of `text`.
///
/// # Errors
/// Never: keys of any length are taken.
fn mac(key: &[u8], text: &str) -> Result<Vec<u8>, EncodeError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| UNFIT)?;
    mac.update(text.as_bytes());
    Ok(mac.finalize().into_bytes().to_vec())
}

/// Bytes as digits, two a byte.
fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for nibble in bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
        out.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
    }
    out
}

/// A header's value.
fn value(text: &str) -> Result<HeaderValue, EncodeError> {
    HeaderValue::from_str(text).map_err(|_| UNFIT)
}

/// The credential is none that signs.
const UNFIT: EncodeError = EncodeError::Credential {
    expected: "an access key as ID:KEY or ID:KEY:TOKEN",
};

/// A time as `20260822T093000Z`.
fn stamp(now: UnixMs) -> String {
    let (date, second) = (now.date(), now.seconds() % 86_400);
    let (year, month, day) = (date.year(), date.month(), date.day());
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

// === impl Keys ===

impl<'a> Keys<'a> {
    fn of(secret: &'a Secret) -> Result<Self, EncodeError> {
        let (id, rest) = secret.expose().split_once(':').ok_or(UNFIT)?;
        let (key, token) = match rest.split_once(':') {
            Some((key, token)) => (key, Some(token).filter(|token| !token.is_empty())),
            None => (rest, None),
        };
        if id.is_empty() || key.is_empty() {
            return Err(UNFIT);
        }
        Ok(Self { id, key, token })
    }
}

#[cfg(test)]
mod tests;
