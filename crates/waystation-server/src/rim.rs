//! What happens to every request before its route sees it: an id, the rules for a gateway without
//! keys, CORS, and the client's key. Writes no reply of its own but refusals.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use waystation_core::ErrorType;

use crate::{
    app::{App, Live},
    auth::{self, Caller},
    error,
    head::firsts,
    message::{Answer, Asked, REQUEST_ID},
};

/// The request's id, echoed from the client or made here.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

/// Set on upstream requests by no one but a gateway: one that comes back to itself is a loop.
pub(crate) static HOP: HeaderName = HeaderName::from_static("x-waystation-hop");

/// Paths that anybody may read.
const PUBLIC: &[&str] = &[
    "/health",
    "/ready",
    "/v1/models",
    "/v1/model",
    "/v1/providers",
];

/// What the answer to a request says of it, whoever gives that answer.
#[derive(Debug)]
pub(crate) struct Entrance {
    /// The request's id.
    pub(crate) id: Arc<str>,
    /// Its origin, where that is listed.
    allowed: Option<HeaderValue>,
}

/// The rim as a layer.
pub async fn rim(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let (entrance, admitted) = Entrance::of(&app, &Asked::head(&request));
    let response = match admitted {
        Ok(caller) => {
            let id = RequestId(Arc::clone(&entrance.id));
            request.extensions_mut().insert(caller);
            request.extensions_mut().insert(id);
            next.run(request).await
        }
        Err(refusal) => *refusal,
    };
    entrance.mark(response.into()).into()
}

// === impl Entrance ===

impl Entrance {
    /// Looks at a request's head: who asks, or the answer that it gets in place of its route's.
    pub(crate) fn of<B>(app: &App, asked: &Asked<B>) -> (Self, Result<Caller, Box<Response>>) {
        let live = app.live();
        let wanted = [
            &header::ORIGIN,
            &REQUEST_ID,
            &HOP,
            &header::CONTENT_ENCODING,
        ];
        let [origin, id, hop, coding] = firsts(&asked.headers, wanted);
        let entrance = Self {
            id: request_id(id, app),
            allowed: origin.filter(|origin| is_listed(&live, origin)).cloned(),
        };
        let listed = entrance.allowed.is_some();
        let refusal = coding
            .and_then(refuse_coding)
            .or_else(|| refuse(&live, (app, hop), asked, listed));
        let admitted = match refusal {
            Some(refusal) => Err(Box::new(refusal)),
            None if listed && asked.method == Method::OPTIONS => Err(Box::new(preflight(asked))),
            None => caller(&live, asked),
        };
        (entrance, admitted)
    }

    /// Names the request in its answer.
    pub(crate) fn mark(self, mut answer: Answer) -> Answer {
        answer.ids.request = Some(self.id);
        let headers = &mut answer.headers;
        if let Some(origin) = self.allowed {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::VARY, HeaderValue::from_static("origin"));
            let exposed = "x-generation-id, x-request-id, retry-after, x-waystation-warning, \
                           x-waystation-compressed, x-waystation-simulated";
            let exposed = HeaderValue::from_static(exposed);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
        answer
    }
}

/// The client's own id where it is sane, else a new one.
fn request_id(sent: Option<&HeaderValue>, app: &App) -> Arc<str> {
    let sane = |text: &&str| {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
        (1..=128).contains(&text.len()) && text.bytes().all(legal)
    };
    match sent.and_then(|id| id.to_str().ok()).filter(sane) {
        Some(id) => id.into(),
        None => made_up(app.chance()),
    }
}

/// `req-` and sixteen hexadecimal digits.
fn made_up(chance: u64) -> Arc<str> {
    let mut text = *b"req-0000000000000000";
    let (_, digits) = text.split_at_mut("req-".len());
    let mut rest = chance;
    for place in digits.iter_mut().rev() {
        let digit = usize::try_from(rest & 15).unwrap_or_default();
        *place = b"0123456789abcdef".get(digit).copied().unwrap_or(b'0');
        rest >>= 4;
    }
    // All of it is ASCII.
    std::str::from_utf8(&text).unwrap_or_default().into()
}

fn is_listed(live: &Live, origin: &HeaderValue) -> bool {
    let listed = &live.config.server.cors_origins;
    listed
        .iter()
        .any(|known| known == "*" || known.as_bytes() == origin.as_bytes())
}

/// A body that is compressed: it would be taken for broken JSON. Source: RFC 9110, section 15.5.16.
fn refuse_coding(coding: &HeaderValue) -> Option<Response> {
    if coding.as_bytes().eq_ignore_ascii_case(b"identity") {
        return None;
    }
    let mut refusal = error::plain_status(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorType::InvalidRequest,
        "the body has a content-encoding: send it uncompressed",
    );
    let identity = HeaderValue::from_static("identity");
    refusal
        .headers_mut()
        .insert(header::ACCEPT_ENCODING, identity);
    Some(refusal)
}

/// The reasons to refuse a request whoever sends it.
fn refuse<B>(
    live: &Live,
    (app, hop): (&App, Option<&HeaderValue>),
    asked: &Asked<B>,
    origin_listed: bool,
) -> Option<Response> {
    let headers = &asked.headers;
    if let Some(hop) = hop
        && hop.as_bytes() == app.instance().as_bytes()
    {
        let message = "the request came back to this gateway: a base_url, or a variable such as \
                       OPENAI_BASE_URL, points at the gateway itself";
        return Some(error::plain_status(
            StatusCode::LOOP_DETECTED,
            ErrorType::InvalidRequest,
            message,
        ));
    }
    if !live.keys.is_open() || live.config.auth.insecure_open {
        // A page that may not ask is told so before its request needs a key.
        let asks = header::ACCESS_CONTROL_REQUEST_METHOD;
        let asked = asked.method == Method::OPTIONS && headers.contains_key(asks);
        return (asked && !origin_listed).then(unlisted_origin);
    }
    // Without keys, nothing but the listener's being on loopback protects the owner's money. A web
    // page can reach loopback, by a form, a script, or a name that it points here.
    let host = asked.uri.authority().map(http::uri::Authority::as_str);
    let host = host.or_else(|| {
        headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok())
    });
    // Every browser names a host. A simple checker of health, over HTTP/1.0, does not.
    let checker = host.is_none() && is_check(asked);
    if !checker && host.is_none_or(|host| !auth::is_loopback_host(host)) {
        let message = "without client keys only loopback names are served: use 127.0.0.1 or localhost as \
                       host, or configure [auth] keys";
        return Some(error::plain(ErrorType::PermissionDenied, message));
    }
    if headers.contains_key(header::ORIGIN) && !origin_listed {
        return Some(unlisted_origin());
    }
    let json = headers.get(header::CONTENT_TYPE).is_some_and(is_json);
    if asked.method == Method::POST && !json {
        let message = "expected content-type: application/json";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Some(error::plain_status(
            status,
            ErrorType::InvalidRequest,
            message,
        ));
    }
    None
}

/// Whether nothing but the process's health is asked for.
fn is_check<B>(asked: &Asked<B>) -> bool {
    matches!(asked.method, Method::GET | Method::HEAD) && asked.uri.path() == "/health"
}

fn unlisted_origin() -> Response {
    let message = "this origin may not call the gateway: list it in [server] cors_origins";
    error::plain(ErrorType::PermissionDenied, message)
}

fn is_json(value: &HeaderValue) -> bool {
    let essence = value
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

fn preflight<B>(asked: &Asked<B>) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let methods = HeaderValue::from_static("GET, POST, OPTIONS");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    let wanted = asked
        .headers
        .get(header::ACCESS_CONTROL_REQUEST_HEADERS)
        .cloned();
    let wanted = wanted.unwrap_or_else(|| HeaderValue::from_static("authorization, content-type"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted);
    headers.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static("600"),
    );
    response
}

/// The caller. Public paths are open to everybody, but a valid key is recognised there too.
fn caller<B>(live: &Live, asked: &Asked<B>) -> Result<Caller, Box<Response>> {
    let path = asked.uri.path();
    let path = path
        .strip_prefix("/api")
        .filter(|rest| rest.starts_with("/v1/"))
        .unwrap_or(path);
    let below = |open: &&str| {
        path.strip_prefix(*open)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    // HEAD is what watchers of services ask with.
    let reads = matches!(asked.method, Method::GET | Method::HEAD);
    match live.keys.caller(&asked.headers) {
        Ok(caller) => Ok(caller),
        Err(_) if reads && PUBLIC.iter().any(below) => Ok(Caller { key: None }),
        Err(denied) => {
            let mut refusal = error::plain(ErrorType::Authentication, &denied.to_string());
            // Every 401 names a scheme: RFC 9110, section 15.5.2.
            let scheme = HeaderValue::from_static("Bearer");
            refusal
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, scheme);
            Err(Box::new(refusal))
        }
    }
}
