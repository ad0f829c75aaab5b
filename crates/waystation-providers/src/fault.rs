//! What an upstream says when it refuses or fails: one reading for the many shapes of error bodies.
//! Decides the kind, the reason in the upstream's own words and how long to wait; knows no dialect's
//! replies and writes nothing for clients.
//!
//! Shapes read (recordings of 2024 to 2026): `{"error":{..}}` of OpenAI and most hosts, the flat
//! `{"code","error"}` of xAI, `{"detail"}` as text or list and `{"object":"error"}` of Mistral,
//! `metadata.raw` of gateways, `innererror` of Azure, `status` and `details[].reason` of Google, which
//! may come as an array of one, plain text and HTML of proxies.

mod kind;
mod wait;

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use waystation_core::{ErrorType, Json, Kind, ReplyHead, Secret, UpstreamError};

/// How much of a body is kept with an error, in bytes.
const MAX_RAW: usize = 4 << 10;
/// How long a reason may be, in bytes.
const MAX_MESSAGE: usize = 2 << 10;
/// How deep errors are dug out of errors that quote them.
const MAX_QUOTES: u32 = 3;
/// The shortest part of a credential that is taken for a secret of its own.
const SHORTEST_PART: usize = 12;
/// What is shown in place of a text that spells out the credential.
const WITHHELD: &str = "[withheld: it repeats the credential]";

/// What one error body says. Every member is the upstream's own word, in no way checked: only
/// [`fault`] decides what becomes of it.
#[derive(Debug, Default)]
struct Reason {
    /// The reason for people.
    message: Option<String>,
    /// The reason for programs: `error.code`, a word or a number.
    code: Option<String>,
    /// The `type` beside the code.
    kind: Option<String>,
    /// A more exact code below the code.
    inner: Option<String>,
    /// The HTTP status that the body repeats; in band it is the only one.
    status: Option<u16>,
    /// The type that another gateway of this vocabulary has decided on already.
    error_type: Option<ErrorType>,
    /// Who said it, when a gateway quotes.
    provider: Option<String>,
}

/// The error in `body`, which came with `head`, or in band when there is none.
///
/// Never fails: a body that says nothing makes a message of the status. Whatever equals `secret` is
/// struck out of everything that is kept, since some hosts repeat the key that they refuse. The
/// body itself is kept up to 4 KiB, except for HTML, which tells a client nothing.
pub(crate) fn fault(
    head: Option<&ReplyHead>,
    body: &Bytes,
    secret: Option<&Secret>,
) -> UpstreamError {
    // AWS names the error in a header, with an address behind it.
    let named = head.and_then(|head| head.headers.get("x-amzn-errortype")?.to_str().ok());
    let named = named.map(|name| name.split(':').next().unwrap_or(name));
    let status = head.map(|head| head.status.as_u16());
    read(head, status, named, (body, secret))
}

/// The error in `body`, which an event stream of AWS calls `name`: an error in band.
pub(crate) fn exception(name: &str, body: &Bytes, secret: Option<&Secret>) -> UpstreamError {
    /// What the same errors are as statuses. Source: API reference of Bedrock's `ConverseStream`,
    /// 2026-08.
    const STATUSES: &[(&str, u16)] = &[
        ("validationException", 400),
        ("modelTimeoutException", 408),
        ("modelStreamErrorException", 424),
        ("throttlingException", 429),
        ("internalServerException", 500),
        ("serviceUnavailableException", 503),
    ];
    let status = STATUSES.iter().find(|(known, _)| *known == name);
    read(
        None,
        status.map(|(_, status)| *status),
        Some(name),
        (body, secret),
    )
}

/// Reads an error: `named` is what it is called outside of its body.
fn read(
    head: Option<&ReplyHead>,
    status: Option<u16>,
    named: Option<&str>,
    (body, secret): (&Bytes, Option<&Secret>),
) -> UpstreamError {
    let body = unwrapped(body);
    let text = String::from_utf8_lossy(body);
    let mut reason = Json::parse(body).map_or_else(|_| plain(&text), |json| Reason::of(json, 0));
    reason.code = reason.code.or_else(|| named.map(str::to_owned));
    let status = status.or(reason.status);
    let words = [&reason.code, &reason.inner, &reason.kind].map(|word| word.as_deref());
    let spoken = reason.message.as_deref().unwrap_or_default();
    let kind = reason
        .error_type
        .unwrap_or_else(|| kind::of(status, words, spoken));
    let wait = wait::of(head, body, spoken, kind);
    let message = match (&reason.message, &reason.provider) {
        (Some(message), Some(provider)) => format!("{provider}: {message}"),
        (Some(message), None) => message.clone(),
        (None, _) => unspoken(status, &text),
    };
    let clean = |text: &str, max: usize| {
        let text = struck(text, secret);
        let shown = if spells(&text, secret) {
            WITHHELD
        } else {
            &text
        };
        cut(shown, max)
    };
    UpstreamError {
        kind,
        message: clean(message.trim(), MAX_MESSAGE),
        status,
        code: reason.code().map(|code| clean(code, 256)),
        raw: (!text.trim().is_empty() && !is_html(&text)).then(|| clean(&text, MAX_RAW)),
        retry_after: wait,
    }
}

/// The JSON of a body that wraps it as an event, which some hosts do whatever the status; else the
/// body as it is.
fn unwrapped(body: &[u8]) -> &[u8] {
    let lines = || body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let opens = lines().find(|line| !line.is_empty()).unwrap_or_default();
    if !opens.starts_with(b"data:") && !opens.starts_with(b"event:") {
        return body;
    }
    let data = lines().find_map(|line| line.strip_prefix(b"data:"));
    data.map_or(body, <[u8]>::trim_ascii)
}

/// What a body without JSON says.
fn plain(text: &str) -> Reason {
    let text = text.trim();
    let message = (!text.is_empty() && !is_html(text)).then(|| text.to_owned());
    Reason {
        message,
        ..Reason::default()
    }
}

/// The message of a failure that gives no reason.
fn unspoken(status: Option<u16>, body: &str) -> String {
    let what = if body.trim().is_empty() {
        "with an empty body"
    } else if is_html(body) {
        "with a page of HTML"
    } else {
        "without a reason"
    };
    match status.and_then(|status| StatusCode::from_u16(status).ok()) {
        // None is followed: credentials would go where nobody said that they may.
        Some(status) if status.is_redirection() => {
            format!("HTTP {status}: redirects are not followed, so that base_url may be wrong")
        }
        Some(status) => format!("HTTP {status} {what}"),
        None => format!("an error {what}"),
    }
}

/// Whether a text is a page of a proxy rather than the words of an API.
fn is_html(text: &str) -> bool {
    text.trim_start().starts_with('<')
}

/// What must not be shown of a credential: the whole of it, and the parts of one that signs
/// (`id:key:token`), which do not travel together. Too short a text is no secret, and would strike
/// out words.
fn shapes(secret: Option<&Secret>) -> impl Iterator<Item = &str> {
    let whole = secret.map(Secret::expose).filter(|text| text.len() >= 4);
    let parts = whole.into_iter().flat_map(|text| text.split(':'));
    whole
        .into_iter()
        .chain(parts.filter(|part| part.len() >= SHORTEST_PART))
}

/// `text` without the credential, should an upstream have repeated it.
fn struck<'a>(text: &'a str, secret: Option<&Secret>) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    for shape in shapes(secret) {
        if text.contains(shape) {
            text = Cow::Owned(text.replace(shape, "[credential]"));
        }
    }
    text
}

/// Whether `text` holds the credential as a JSON string may spell it, with `\/` or `\u002b`, also
/// in a string within a string. Such a text is not shown at all: there is no one place to strike.
fn spells(text: &str, secret: Option<&Secret>) -> bool {
    let mut text = Cow::Borrowed(text);
    for _ in 0..=MAX_QUOTES {
        if !text.contains('\\') {
            return false;
        }
        let plain = unescaped(&text);
        if shapes(secret).any(|shape| plain.contains(shape)) {
            return true;
        }
        text = Cow::Owned(plain);
    }
    false
}

/// `text` with one level of JSON's escapes undone, wherever they stand.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        plain.push_str(before);
        let code = behind.strip_prefix('u').and_then(|hex| hex.get(..4));
        let spelled = code.and_then(|hex| u32::from_str_radix(hex, 16).ok());
        rest = match spelled.and_then(char::from_u32) {
            Some(letter) => {
                plain.push(letter);
                behind.get(5..).unwrap_or_default()
            }
            None => {
                let mut letters = behind.chars();
                plain.extend(letters.next());
                letters.as_str()
            }
        };
    }
    plain.push_str(rest);
    plain
}

/// The longest start of `text` of at most `max` bytes.
fn cut(text: &str, max: usize) -> String {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

// === impl Reason ===

impl Reason {
    /// Reads an error body, or an error that another one quotes.
    fn of(json: Json<'_>, quotes: u32) -> Self {
        let root = json.elements().next().unwrap_or(json);
        let error = root.get("error").filter(|error| !error.is_null());
        let holder = error
            .filter(|error| error.kind() == Kind::Object)
            .unwrap_or(root);
        let word = |key: &str| holder.get(key).and_then(word_of);
        let code = word("code").or_else(|| word("error_type"));
        let mut reason = Self {
            message: error.and_then(text_of).or_else(|| message_of(holder)),
            kind: word("type").or_else(|| word("status").filter(|word| is_word(word))),
            inner: holder
                .at(&["innererror", "code"])
                .and_then(word_of)
                .or_else(|| detailed(holder)),
            status: ["status_code", "raw_status_code", "code", "status"]
                .into_iter()
                .find_map(|key| holder.get(key).and_then(status_of)),
            code,
            ..Self::default()
        };
        reason.quote(holder, quotes);
        reason
    }

    /// The most telling code: hosts that repeat the status as the code tell more in the type.
    fn code(&self) -> Option<&str> {
        let (code, kind) = (self.code.as_deref(), self.kind.as_deref());
        code.filter(|code| is_word(code)).or(kind).or(code)
    }

    /// Gateways say "provider returned error" and put what the provider said into `metadata`.
    fn quote(&mut self, holder: Json<'_>, quotes: u32) {
        let Some(metadata) = holder.get("metadata") else {
            return;
        };
        let word = |key: &str| metadata.get(key).and_then(text_of);
        self.error_type = word("error_type").and_then(|word| word.parse().ok());
        self.inner = self.inner.take().or_else(|| word("provider_code"));
        let said = match metadata.get("raw") {
            Some(raw) if raw.kind() == Kind::Object && quotes < MAX_QUOTES => {
                Self::of(raw, quotes + 1).message
            }
            Some(raw) => text_of(raw).map(|text| match Json::parse(text.as_bytes()) {
                Ok(json) if json.kind() != Kind::String && quotes < MAX_QUOTES => {
                    Self::of(json, quotes + 1).message.unwrap_or(text.clone())
                }
                _ => text,
            }),
            None => None,
        };
        if let Some(said) = said.filter(|said| !is_html(said)) {
            self.message = Some(said);
            self.provider = word("provider_name");
        }
    }
}

/// Whether a code is more than an HTTP status.
fn is_word(code: &str) -> bool {
    !code.parse().is_ok_and(|code: u16| code < 600)
}

/// Google's `details[].reason`: what exactly is behind a status word.
fn detailed(holder: Json<'_>) -> Option<String> {
    let details = holder.get("details")?;
    details
        .elements()
        .find_map(|detail| detail.get("reason").and_then(text_of))
}

/// A string that says something.
fn text_of(value: Json<'_>) -> Option<String> {
    let text = value.string()?;
    (!text.trim().is_empty()).then(|| text.into_owned())
}

/// A code: a string or a number.
fn word_of(value: Json<'_>) -> Option<String> {
    match value.kind() {
        Kind::Number => Some(value.text().into_owned()),
        _ => text_of(value),
    }
}

/// An HTTP status of a failure.
fn status_of(value: Json<'_>) -> Option<u16> {
    let status = u16::try_from(value.u64()?).ok()?;
    (400..600).contains(&status).then_some(status)
}

/// The reason in an error object, under the names that hosts use.
fn message_of(holder: Json<'_>) -> Option<String> {
    ["message", "detail", "msg", "error_message", "errors"]
        .into_iter()
        .filter_map(|key| holder.get(key))
        .find_map(|value| match value.kind() {
            Kind::String => text_of(value),
            Kind::Array => list_of(value),
            Kind::Object => message_of(value).or_else(|| Some(value.text().into_owned())),
            Kind::Null | Kind::Bool | Kind::Number => None,
        })
}

/// Several reasons, each with the place that it speaks of: `body.messages: field required`.
fn list_of(list: Json<'_>) -> Option<String> {
    let one = |entry: Json<'_>| {
        let reason = text_of(entry).or_else(|| message_of(entry))?;
        let place: Vec<String> = entry
            .get("loc")
            .into_iter()
            .flat_map(Json::elements)
            .filter_map(word_of)
            .collect();
        Some(if place.is_empty() {
            reason
        } else {
            format!("{}: {reason}", place.join("."))
        })
    };
    let reasons: Vec<String> = list.elements().take(8).filter_map(one).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

#[cfg(test)]
mod tests;
