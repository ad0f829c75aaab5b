//! Calls to token services, through the gateway's own transport. What is asked and what an answer
//! means is each identity's to say.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::time::timeout;
use waystation_core::{
    Clock, Headers, HttpRequest, HttpStream, PoolKey, Secret, SendLimits, Transport,
};

/// The longest that one call may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest time to open a connection: metadata services are near, or are not there.
const CONNECT: Duration = Duration::from_secs(3);
/// The largest answer that is read.
const MOST_BYTES: usize = 64 << 10;
/// The lifetime of a token that comes without one.
const UNSAID: Duration = Duration::from_secs(300);

/// What identities reach the world through.
#[derive(Clone, Copy)]
pub(super) struct World<'a> {
    pub(super) transport: &'a dyn Transport,
    pub(super) clock: &'a dyn Clock,
}

/// A token, or keys that expire like one.
#[derive(Clone, Debug)]
pub(super) struct Minted {
    pub(super) secret: Secret,
    /// From the moment at which it was asked for.
    pub(super) lifetime: Duration,
}

/// What token services of OAuth 2 answer. Source: RFC 6749, section 5.1.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: Option<u64>,
}

/// What they answer in place of a token. Source: RFC 6749, section 5.2.
#[derive(Deserialize)]
struct Denied {
    error: String,
    #[serde(default)]
    error_codes: Vec<u64>,
}

// === impl World ===

impl World<'_> {
    /// Asks for a token with a form.
    ///
    /// # Errors
    /// A sentence with the service's word for what is wrong; never what was sent.
    pub(super) async fn grant(self, url: &str, fields: &[(&str, &str)]) -> Result<Minted, String> {
        self.granted(form(url, fields)?).await
    }

    /// Sends a form and reads a successful answer.
    pub(super) async fn form(self, url: &str, fields: &[(&str, &str)]) -> Result<Bytes, String> {
        self.bytes(form(url, fields)?).await
    }

    /// Sends a request whose answer is a token.
    pub(super) async fn granted(self, request: HttpRequest) -> Result<Minted, String> {
        let granted: Granted = self.json(request).await?;
        if granted.access_token.is_empty() {
            return Err("expected an access token, found an empty text".into());
        }
        Ok(Minted {
            secret: Secret::new(&granted.access_token),
            lifetime: granted.expires_in.map_or(UNSAID, Duration::from_secs),
        })
    }

    /// Sends a request whose answer is JSON of a known form.
    pub(super) async fn json<T: DeserializeOwned>(self, request: HttpRequest) -> Result<T, String> {
        let body = self.bytes(request).await?;
        // An error of serde's may quote the text, which is a token.
        serde_json::from_slice(&body)
            .map_err(|error| format!("expected JSON of another form, at byte {}", error.column()))
    }

    /// Sends a request and reads a successful answer.
    pub(super) async fn bytes(self, request: HttpRequest) -> Result<Bytes, String> {
        let host = request.url.host().unwrap_or_default().to_owned();
        let answer = timeout(PATIENCE, self.answer(request)).await;
        let (status, body) = answer
            .map_err(|_| format!("{host} did not answer within {} s", PATIENCE.as_secs()))?
            .map_err(|reason| format!("{host}: {reason}"))?;
        if status.is_success() {
            return Ok(body);
        }
        let reason = serde_json::from_slice::<Denied>(&body).ok();
        let reason = reason.and_then(|denied| denied.shown());
        let reason = reason.map_or_else(String::new, |word| format!(": {word}"));
        Err(format!("{host} answered {}{reason}", status.as_u16()))
    }

    async fn answer(self, request: HttpRequest) -> Result<(StatusCode, Bytes), String> {
        let limits = SendLimits {
            connect: CONNECT,
            head: None,
            pool: PoolKey("credentials".into()),
        };
        let sent = self.transport.send(request, limits).await;
        let HttpStream { head, mut body } = sent.map_err(|error| error.to_string())?;
        let mut bytes = BytesMut::new();
        while let Some(piece) = body.next().await {
            bytes.extend_from_slice(&piece.map_err(|error| error.to_string())?);
            if bytes.len() > MOST_BYTES {
                return Err(format!("the answer is longer than {MOST_BYTES} bytes"));
            }
        }
        Ok((head.status, bytes.freeze()))
    }
}

// === impl Denied ===

impl Denied {
    /// The service's word, where it is one: a sentence might repeat what was sent.
    fn shown(&self) -> Option<String> {
        let word = &self.error;
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        let shown = word.len() <= 64 && !word.is_empty() && word.bytes().all(is_word);
        let code = self.error_codes.first();
        let code = code.map_or_else(String::new, |code| format!(" ({code})"));
        shown.then(|| format!("{word}{code}"))
    }
}

/// A request without a body.
pub(super) fn request(method: Method, url: &str) -> Result<HttpRequest, String> {
    let url: Uri = url
        .parse()
        .map_err(|_| "expected an address such as https://login.example/token".to_owned())?;
    Ok(HttpRequest {
        method,
        url,
        headers: Headers::default(),
        body: Bytes::new(),
    })
}

/// A form.
pub(super) fn form(url: &str, fields: &[(&str, &str)]) -> Result<HttpRequest, String> {
    let mut request = request(Method::POST, url)?;
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers.insert(header::CONTENT_TYPE, form);
    request.body = encoded(fields).into();
    Ok(request)
}

/// Adds a header that no log may show.
pub(super) fn secret_header(
    mut request: HttpRequest,
    name: &'static str,
    value: &str,
) -> Result<HttpRequest, String> {
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| format!("expected a text that the header {name} can carry"))?;
    value.set_sensitive(true);
    request.headers.insert(HeaderName::from_static(name), value);
    Ok(request)
}

/// `application/x-www-form-urlencoded`.
pub(super) fn encoded(fields: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    out
}

/// What is wrong with the address of a token service: secrets go there, so they travel encrypted, or
/// do not leave this machine.
pub(crate) fn address_fault(url: &str) -> Option<&'static str> {
    let Ok(url) = url.parse::<Uri>() else {
        return Some("expected an address such as https://login.example/token");
    };
    let host = url.host().unwrap_or_default();
    let near = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    match url.scheme_str() {
        Some("https") if !host.is_empty() => None,
        Some("http") if near => None,
        _ => Some("expected an address that begins with https://"),
    }
}
