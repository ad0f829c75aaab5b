//! OpenAI's error envelope, which chat completions and Responses share.
//!
//! Source: <https://platform.openai.com/docs/guides/error-codes> (2026-06) and recorded replies.

use http::StatusCode;

use super::{answer::object, body::Refusal};
use crate::SimReply;

/// The error in the envelope.
pub(super) fn write(refusal: &Refusal) -> SimReply {
    let kind = match refusal.status.as_u16() {
        402 => "insufficient_quota",
        429 => "requests",
        503 => "service_unavailable_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    };
    let mut out = Vec::new();
    object(&mut out, |body| {
        let mut error = body.object("error");
        error
            .string("message", &refusal.message)
            .string("type", kind);
        match &refusal.param {
            Some(param) => error.string("param", param),
            None => error.null("param"),
        };
        match refusal.code {
            Some(code) => error.string("code", code),
            None => error.null("code"),
        };
        error.close();
    });
    SimReply::json(refusal.status, out)
}

/// An error that no member is to blame for, with the code that its status has.
pub(super) fn of_status(status: StatusCode, message: &str) -> SimReply {
    let code = match status.as_u16() {
        401 => Some("invalid_api_key"),
        402 => Some("insufficient_quota"),
        403 => Some("unsupported_country_region_territory"),
        404 => Some("model_not_found"),
        429 => Some("rate_limit_exceeded"),
        503 => Some("overloaded"),
        _ => None,
    };
    write(&Refusal {
        status,
        code,
        ..Refusal::of("", message)
    })
}
