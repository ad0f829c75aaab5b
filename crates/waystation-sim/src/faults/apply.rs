//! What a rule does to a reply.
//!
//! The answer is only made where the rule does not replace it. Events are pieces of a reply, which is
//! why every wire has to write one event a piece; a reply that is no stream (a whole one, or Gemini's
//! growing array) is treated as one body, of which half is left.

use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, header};

use super::Rule;
use crate::{End, SimReply};

/// One rule at work on one request.
pub(crate) struct Fault<'a>(&'a Rule);

// === impl Fault ===

impl<'a> Fault<'a> {
    /// The rule that was chosen.
    pub(super) const fn of(rule: &'a Rule) -> Self {
        Self(rule)
    }

    /// The reply that goes wrong: `answer` makes the one that would have been, `error` an error in
    /// the dialect's envelope.
    pub(crate) fn apply(
        &self,
        answer: impl FnOnce() -> SimReply,
        error: impl FnOnce(StatusCode, &str) -> SimReply,
    ) -> SimReply {
        let rule = self.0;
        let mut reply = self.replaced(error).unwrap_or_else(answer);
        if let Some(status) = self.status() {
            reply.head.status = status;
        }
        if let Some(nth) = rule.malformed_event {
            malform(&mut reply, nth);
        }
        if let Some(events) = rule.cut_after_events {
            reply = ended(reply, events, End::Cut);
        }
        if let Some(events) = rule.stall_after_events {
            reply = ended(reply, events, End::Stall);
        }
        if rule.silent {
            reply.pieces.clear();
            reply.end = End::Stall;
        }
        if let Some(seconds) = rule.retry_after {
            reply = reply.with_header(header::RETRY_AFTER, &seconds.to_string());
        }
        reply.spaced(rule.gap_ms).delayed(rule.delay_ms)
    }

    /// The status that the rule names; it was checked when the script was read.
    fn status(&self) -> Option<StatusCode> {
        self.0
            .status
            .and_then(|status| StatusCode::from_u16(status).ok())
    }

    /// The reply that the rule itself gives, when it names a status or a body.
    fn replaced(&self, error: impl FnOnce(StatusCode, &str) -> SimReply) -> Option<SimReply> {
        let rule = self.0;
        let status = self.status();
        match (&rule.body, status) {
            (Some(serde_json::Value::String(text)), _) => {
                let status = status.unwrap_or(StatusCode::OK);
                let kind = if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
                    "application/json"
                } else {
                    "text/plain; charset=utf-8"
                };
                let reply = SimReply::status(status).with_header(header::CONTENT_TYPE, kind);
                Some(reply.then(Duration::ZERO, text.clone()))
            }
            (Some(body), _) => {
                let status = status.unwrap_or(StatusCode::OK);
                Some(SimReply::json(status, body.to_string()))
            }
            (None, Some(status)) if !status.is_success() => Some(error(status, "scripted fault")),
            (None, _) => None,
        }
    }
}

/// Breaks the `nth` event, counted from 1; the whole body when there are no events. The JSON of a
/// text event ends early; a frame keeps its length, and one of its bytes is another, so that its
/// checksum fails and those behind it can be read.
fn malform(reply: &mut SimReply, nth: usize) {
    let streamed = reply.is_stream();
    let framed = streamed && !reply.is_sse();
    let at = if streamed { nth.saturating_sub(1) } else { 0 };
    let Some((_, piece)) = reply.pieces.get_mut(at) else {
        return;
    };
    let middle = piece.len() / 2;
    let mut broken = piece.to_vec();
    if framed {
        if let Some(byte) = broken.get_mut(middle) {
            *byte ^= 1;
        }
    } else {
        broken.truncate(middle);
        if streamed {
            broken.extend_from_slice(b"\n\n");
        }
    }
    *piece = broken.into();
}

/// Ends a stream after `events` events; a whole reply in its middle.
fn ended(mut reply: SimReply, events: usize, end: End) -> SimReply {
    if reply.is_stream() {
        reply.pieces.truncate(events);
    } else if let Some((_, body)) = reply.pieces.first_mut() {
        let half: Bytes = body.slice(..body.len() / 2);
        *body = half;
        reply.pieces.truncate(1);
    }
    reply.end = end;
    reply
}
