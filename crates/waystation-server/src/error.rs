//! The one place that writes the error envelope: `{error: {code, message, error_type, …}}`. Source:
//! API contract, section 2.

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};
use waystation_core::{ErrorType, GenerationId, JsonText, ObjectWriter, UnixMs};
use waystation_gateway::{AttemptReport, AttemptsFailed, GatewayError};
use waystation_router::NoRoute;

use crate::{body::BodyError, ending::SHUTTING_DOWN, reply::METADATA};

/// What errors are explained at, in `availability.docs_url`.
const DOCS: &str = "https://github.com/waystation/waystation/blob/main/docs/errors.md";

/// Writes a JSON response.
#[must_use]
pub fn json(status: StatusCode, text: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// A failure that the gateway itself tells, with nothing to add.
#[must_use]
pub fn plain(kind: ErrorType, message: &str) -> Response {
    plain_status(kind.status(), kind, message)
}

/// The same under a status of its own.
#[must_use]
pub fn plain_status(status: StatusCode, kind: ErrorType, message: &str) -> Response {
    let mut out = Vec::with_capacity(256);
    let mut envelope = ObjectWriter::open(&mut out);
    write_plain(status, kind, message, envelope.key("error"));
    envelope.close();
    json(status, out)
}

/// All places for requests are taken.
#[must_use]
pub fn too_many_requests() -> Response {
    overloaded("too many requests are under way; see [server] max_streams")
}

/// The gateway ends before the answer does.
#[must_use]
pub(crate) fn shutting_down() -> Response {
    overloaded(SHUTTING_DOWN)
}

/// A body that could not be had.
#[must_use]
pub fn body(error: &BodyError) -> Response {
    match error {
        BodyError::Full => overloaded(&error.to_string()),
        BodyError::Slow => plain_status(
            StatusCode::REQUEST_TIMEOUT,
            ErrorType::InvalidRequest,
            &error.to_string(),
        ),
        BodyError::Broken => plain(ErrorType::InvalidRequest, &error.to_string()),
        BodyError::TooLarge { .. } => plain(ErrorType::PayloadTooLarge, &error.to_string()),
    }
}

/// The gateway has no room, or no time: a moment later it, or another one, may.
fn overloaded(message: &str) -> Response {
    let mut response = plain(ErrorType::ProviderOverloaded, message);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// A chat request that was not answered.
#[must_use]
pub fn response(error: &GatewayError) -> Response {
    response_with(error, None)
}

/// The same, with `openrouter_metadata` beside the error.
#[must_use]
pub fn response_with(error: &GatewayError, metadata: Option<&[u8]>) -> Response {
    let mut out = Vec::with_capacity(512);
    let mut envelope = ObjectWriter::open(&mut out);
    write(error, envelope.key("error"));
    if let Some(metadata) = metadata {
        envelope.raw(METADATA, metadata);
    }
    envelope.close();
    let mut response = json(error.kind().status(), out);
    if let GatewayError::Attempts(failed) = error
        && let Some(seconds) = retry_after(failed)
    {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The same as the only chunk of a stream whose status is 200 already: the envelope, and a choice,
/// since clients exist that take an error without one for success.
#[must_use]
pub fn chunk(
    error: &GatewayError,
    of: (&GenerationId, &str, UnixMs),
    metadata: Option<&[u8]>,
) -> Vec<u8> {
    lone(of, metadata, |out| write(error, out))
}

/// The same for a gateway that ends before its answer begins.
#[must_use]
pub(crate) fn last_chunk(of: (&GenerationId, &str, UnixMs)) -> Vec<u8> {
    let kind = ErrorType::ProviderOverloaded;
    lone(of, None, |out| {
        write_plain(kind.status(), kind, SHUTTING_DOWN, out)
    })
}

/// A chunk with an error and nothing else.
fn lone(
    (id, model, created): (&GenerationId, &str, UnixMs),
    metadata: Option<&[u8]>,
    error: impl FnOnce(&mut Vec<u8>),
) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let mut object = ObjectWriter::open(&mut out);
    object
        .string("id", id.as_str())
        .string("model", model)
        .string("object", "chat.completion.chunk")
        .number("created", created.seconds());
    let choice = br#"[{"index":0,"delta":{"content":""},"finish_reason":"error","native_finish_reason":null}]"#;
    object.raw("choices", choice);
    error(object.key("error"));
    if let Some(metadata) = metadata {
        object.raw(METADATA, metadata);
    }
    object.close();
    out
}

/// The error object of a reply that broke off.
#[must_use]
pub fn inline(kind: ErrorType, message: &str, provider: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let mut object = open(kind.status(), kind, message, &mut out);
    let mut metadata = object.object("metadata");
    metadata
        .string("error_type", kind.as_str())
        .string("provider_name", provider);
    metadata.close();
    object.close();
    out
}

fn open<'a>(
    status: StatusCode,
    kind: ErrorType,
    message: &str,
    out: &'a mut Vec<u8>,
) -> ObjectWriter<'a> {
    let mut object = ObjectWriter::open(out);
    object
        .number("code", status.as_u16().into())
        .string("message", message)
        .string("error_type", kind.as_str())
        .number("http_status", status.as_u16().into());
    object
}

fn write_plain(status: StatusCode, kind: ErrorType, message: &str, out: &mut Vec<u8>) {
    let mut object = open(status, kind, message, out);
    let mut metadata = object.object("metadata");
    metadata.string("error_type", kind.as_str());
    metadata.close();
    object.close();
}

/// The error object of an unanswered request.
pub(crate) fn write(error: &GatewayError, out: &mut Vec<u8>) {
    let (kind, message) = (error.kind(), error.to_string());
    match error {
        GatewayError::NoRoute(none) => write_no_route(none, out),
        GatewayError::Attempts(failed) => write_attempts(failed, out),
        GatewayError::Invalid(invalid) => {
            let mut object = open(kind.status(), kind, &message, out);
            // A body that is no request has no member at fault.
            let field = Some(&invalid.field).filter(|field| !field.is_empty());
            // `param` is where OpenAI's clients look for it.
            if let Some(field) = field {
                object.string("param", field);
            }
            let mut metadata = object.object("metadata");
            metadata.string("error_type", kind.as_str());
            if let Some(field) = field {
                metadata.string("field", field);
            }
            metadata.close();
            object.close();
        }
        _ => write_plain(kind.status(), kind, &message, out),
    }
}

fn write_no_route(none: &NoRoute, out: &mut Vec<u8>) {
    let mut object = open(none.kind.status(), none.kind, &none.message, out);
    let mut metadata = object.object("metadata");
    metadata.string("error_type", none.kind.as_str());
    if let Some(suggestion) = &none.suggestion {
        metadata.string("suggestion", suggestion.as_str());
    }
    metadata.close();
    if let Some(code) = none.code {
        let mut availability = object.object("availability");
        availability
            .string("code", code.as_str())
            .bool("retryable", false);
        texts(
            availability.key("requested_models"),
            none.requested.iter().map(String::as_str),
        );
        if !none.excluded_by.is_empty() {
            texts(
                availability.key("excluded_by"),
                none.excluded_by.iter().copied(),
            );
        }
        if let Some(constraint) = &none.constraint {
            let mut inner = availability.object("constraint");
            inner
                .string("field", constraint.field)
                .string("detail", &constraint.detail);
            inner.close();
        }
        availability.string("docs_url", DOCS);
        availability.close();
    }
    object.close();
}

fn write_attempts(failed: &AttemptsFailed, out: &mut Vec<u8>) {
    let mut object = open(failed.kind.status(), failed.kind, &failed.message, out);
    let mut metadata = object.object("metadata");
    metadata.string("error_type", failed.kind.as_str());
    if let Some(last) = failed.attempts.last() {
        metadata.string("provider_name", &last.provider);
        if let Some(code) = &last.error.code {
            metadata.string("provider_code", code);
        }
        if let (Some(raw), true) = (&last.error.raw, failed.tells_raw()) {
            metadata.string("raw", raw);
        }
    }
    if let Some(annotations) = &failed.file_annotations {
        metadata.json("file_annotations", annotations);
    }
    let list = metadata.key("previous_errors");
    list.push(b'[');
    for (place, attempt) in failed.attempts.iter().enumerate() {
        if place > 0 {
            list.push(b',');
        }
        write_attempt(attempt, list);
    }
    list.push(b']');
    metadata.close();
    if let Some(code) = failed.availability {
        let mut availability = object.object("availability");
        let retryable = failed.kind != ErrorType::NotFound;
        availability
            .string("code", code)
            .bool("retryable", retryable);
        texts(
            availability.key("requested_models"),
            failed.requested.iter().map(String::as_str),
        );
        if let Some(seconds) = retry_after(failed) {
            availability.number("retry_after", seconds);
        }
        let mut providers: Vec<&str> = Vec::new();
        for attempt in &failed.attempts {
            if !providers.contains(&&*attempt.provider) {
                providers.push(&attempt.provider);
            }
        }
        texts(
            availability.key("affected_providers"),
            providers.into_iter(),
        );
        availability.string("docs_url", DOCS);
        availability.close();
    }
    object.close();
}

fn write_attempt(attempt: &AttemptReport, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    // A reply that makes no sense may have come with 200, which is no error's code.
    let told = attempt.error.status.filter(|status| *status >= 400);
    let status = told.unwrap_or_else(|| attempt.error.kind.status().as_u16());
    object
        .number("code", status.into())
        .string("message", attempt.told())
        .string("provider_name", &attempt.provider)
        .string("provider", &attempt.provider)
        .string("model", attempt.model.as_str())
        .number("status", status.into())
        .string("error_type", attempt.error.kind.as_str());
    object.close();
}

fn texts<'a>(out: &mut Vec<u8>, texts: impl Iterator<Item = &'a str>) {
    out.push(b'[');
    for (place, text) in texts.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(JsonText::of(text).quoted().bytes());
    }
    out.push(b']');
}

/// Whole seconds, rounded up; at least one.
fn retry_after(failed: &AttemptsFailed) -> Option<u64> {
    let wait = failed.retry_after?;
    Some(
        wait.as_millis()
            .div_ceil(1000)
            .try_into()
            .unwrap_or(u64::MAX)
            .max(1),
    )
}
