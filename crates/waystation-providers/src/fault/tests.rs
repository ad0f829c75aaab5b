//! Error bodies in every shape that hosts send, and what each comes to. No reply is read here.

use std::time::Duration;

use http::{HeaderName, HeaderValue, header::RETRY_AFTER};
use waystation_core::Headers;

use super::*;

fn head(status: u16) -> ReplyHead {
    ReplyHead {
        status: StatusCode::from_u16(status).unwrap(),
        headers: Headers::default(),
    }
}

fn read(status: u16, body: &str) -> UpstreamError {
    fault(
        Some(&head(status)),
        &Bytes::copy_from_slice(body.as_bytes()),
        None,
    )
}

use ErrorType as E;

/// Status, body, the kind that it comes to, and what the message holds.
const SHAPES: &[(u16, &str, ErrorType, &str)] = &[
    (
        400,
        r#"{"error":{"message":"too big","code":"context_length_exceeded"}}"#,
        E::ContextLengthExceeded,
        "too big",
    ),
    (
        400,
        r#"{"error":{"message":"This model's maximum context length is 8192 tokens","code":null}}"#,
        E::ContextLengthExceeded,
        "maximum context length",
    ),
    (
        500,
        r#"{"error":{"message":"the request exceeds the available context size"}}"#,
        E::ContextLengthExceeded,
        "exceeds",
    ),
    (
        429,
        r#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#,
        E::PaymentRequired,
        "quota",
    ),
    (
        429,
        r#"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#,
        E::RateLimitExceeded,
        "slow down",
    ),
    (
        400,
        r#"{"code":"invalid-argument","error":"Incorrect API key provided: ab***"}"#,
        E::Authentication,
        "Incorrect API key",
    ),
    (
        401,
        "{\"detail\":\"Invalid API Key\"}\n",
        E::Authentication,
        "Invalid API Key",
    ),
    (
        422,
        r#"{"detail":[{"loc":["body","messages",0],"msg":"field required","type":"missing"}]}"#,
        E::Unprocessable,
        "body.messages.0: field required",
    ),
    (
        400,
        r#"{"object":"error","message":"Invalid model: x","type":"invalid_model","code":"1500"}"#,
        E::NotFound,
        "Invalid model: x",
    ),
    (
        400,
        r#"{"error":{"code":"content_filter","message":"filtered","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
        E::ContentPolicyViolation,
        "filtered",
    ),
    (
        400,
        r#"{"error":{"code":null,"message":"no","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
        E::ContentPolicyViolation,
        "no",
    ),
    (
        404,
        r#"{"error":"model 'x' not found"}"#,
        E::NotFound,
        "model 'x' not found",
    ),
    (
        400,
        r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#,
        E::Authentication,
        "API key not valid",
    ),
    (
        400,
        r#"{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT","details":[{},{"reason":"API_KEY_INVALID"}]}}"#,
        E::Authentication,
        "no",
    ),
    (
        400,
        r#"{"error":{"code":400,"message":"The input token count (9) exceeds the maximum number of tokens allowed (8).","status":"INVALID_ARGUMENT"}}"#,
        E::ContextLengthExceeded,
        "input token count",
    ),
    (
        429,
        r#"{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED"}}"#,
        E::RateLimitExceeded,
        "quota",
    ),
    (
        503,
        "<html><body>secret page</body></html>",
        E::ProviderOverloaded,
        "HTTP 503 Service Unavailable with a page of HTML",
    ),
    (
        502,
        "",
        E::ProviderUnavailable,
        "HTTP 502 Bad Gateway with an empty body",
    ),
    (
        301,
        "<html>moved</html>",
        E::ProviderUnavailable,
        "HTTP 301 Moved Permanently: redirects are not followed, so that base_url may be wrong",
    ),
    (
        429,
        "event: error\ndata: {\"error\":{\"message\":\"as an event\"}}\n\n",
        E::RateLimitExceeded,
        "as an event",
    ),
    (
        530,
        "error code: 1033",
        E::ProviderUnavailable,
        "error code: 1033",
    ),
    (
        500,
        "{}",
        E::ProviderUnavailable,
        "HTTP 500 Internal Server Error without a reason",
    ),
    (
        400,
        r#"{"error":{"message":{"detail":[{"msg":"a"},{"msg":"b"}]}}}"#,
        E::InvalidRequest,
        "a; b",
    ),
];

#[test]
fn every_shape_gives_its_reason_and_kind() {
    for (status, body, kind, message) in SHAPES {
        let error = read(*status, body);
        assert_eq!(error.kind, *kind, "{body}");
        assert!(error.message.contains(message), "{body}: {}", error.message);
        assert_eq!(error.status, Some(*status));
    }
}

#[test]
fn what_a_gateway_quotes_is_dug_out() {
    let inner = r#"{\"error\":{\"message\":\"the real reason\"}}"#;
    let body = format!(
        r#"{{"error":{{"code":429,"message":"Provider returned error","metadata":{{"provider_name":"Acme","raw":"{inner}"}}}}}}"#
    );
    assert_eq!(read(429, &body).message, "Acme: the real reason");
    let typed = r#"{"error":{"code":502,"message":"gone","metadata":{"error_type":"timeout"}}}"#;
    let error = fault(None, &typed.into(), None);
    assert_eq!((error.kind, error.status), (ErrorType::Timeout, Some(502)));
}

#[test]
fn an_error_in_band_is_typed_by_the_status_in_its_body() {
    let body = r#"{"error":{"message":"bad call","code":"tool_use_failed","status_code":400}}"#;
    let error = fault(None, &body.into(), None);
    assert_eq!(error.kind, ErrorType::InvalidRequest);
    assert_eq!(error.code.as_deref(), Some("tool_use_failed"));
    let silent = fault(None, &r#"{"error":{"message":"oops"}}"#.into(), None);
    assert_eq!(silent.kind, ErrorType::ProviderUnavailable);
}

#[test]
fn the_credential_never_comes_back() {
    let secret = Secret::new("sk-very-secret");
    let body = r#"{"error":{"message":"bad key sk-very-secret","code":"sk-very-secret"}}"#;
    let error = fault(Some(&head(401)), &body.into(), Some(&secret));
    assert!(!format!("{error:?}").contains("very-secret"), "{error:?}");
}

#[test]
fn the_credential_is_known_in_the_spellings_of_json() {
    let secret = Secret::new("sk/very+secret");
    let plain = r#"{"error":{"message":"bad key sk/very+secret"}}"#;
    let once = plain.replace('/', r"\/").replace('+', r"\u002B");
    let twice = format!(r#"{{"raw":{:?}}}"#, once);
    for body in [&once, &twice, &format!("{plain} {once}")] {
        let error = fault(Some(&head(400)), &body.clone().into(), Some(&secret));
        assert_eq!(
            error.raw.as_deref(),
            Some("[withheld: it repeats the credential]")
        );
        assert!(!error.message.contains("very"), "{error:?}");
    }
    let other = fault(
        Some(&head(400)),
        &r#"{"message":"a\/b \u00e9"}"#.into(),
        Some(&secret),
    );
    assert_eq!(other.raw.as_deref(), Some(r#"{"message":"a\/b \u00e9"}"#));
}

#[test]
fn waits_come_from_headers_bodies_and_words() {
    let mut with = head(429);
    let wait =
        |head: &ReplyHead, body: &'static str| fault(Some(head), &body.into(), None).retry_after;
    let said = |text: &'static str| wait(&head(429), text).map(|wait| wait.as_millis());
    assert_eq!(
        said(r#"{"error":{"message":"Please try again in 7.66s. Visit"}}"#),
        Some(7_660)
    );
    assert_eq!(
        said(r#"{"error":{"message":"try again in 1m2.5s"}}"#),
        Some(62_500)
    );
    assert_eq!(
        said(r#"{"error":{"message":"try again in 20 seconds."}}"#),
        Some(20_000)
    );
    assert_eq!(
        said(r#"{"error":{"message":"try again in a while"}}"#),
        None
    );
    assert_eq!(
        said(r#"[{"error":{"message":"x","details":[{},{"retryDelay":"31s"}]}}]"#),
        Some(31_000)
    );
    with.headers
        .insert(RETRY_AFTER, HeaderValue::from_static("3"));
    assert_eq!(wait(&with, "{}"), Some(Duration::from_secs(3)));
    with.headers.insert(
        HeaderName::from_static("retry-after-ms"),
        HeaderValue::from_static("250.5"),
    );
    assert_eq!(wait(&with, "{}"), Some(Duration::from_millis(251)));
    with.headers.insert(
        RETRY_AFTER,
        HeaderValue::from_static("Fri, 31 Dec 1999 23:59:59 GMT"),
    );
    with.headers
        .remove(HeaderName::from_static("retry-after-ms"));
    assert_eq!(wait(&with, "{}"), None);
}
