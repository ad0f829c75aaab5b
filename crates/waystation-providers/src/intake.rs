//! Takes in the bytes of a reply: tells a stream from a whole reply and from a failure, collects
//! what must be collected, and hands events and bodies to a dialect. What they say is the dialect's
//! to know; how a failure is read is `fault`'s.
//!
//! | what comes | how it is read |
//! |---|---|
//! | a status that is no success | collected up to 64 KiB, then an error |
//! | `text/event-stream`, or a body that begins like an event | server-sent events |
//! | `application/vnd.amazon.eventstream` | frames, each an event; exceptions are errors |
//! | `application/json`, or a body that begins like JSON or HTML | collected up to 64 MiB, then read at once |
//!
//! Hosts that stream unasked, or do not stream when asked, are read all the same.

use std::fmt;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use waystation_core::{
    ChatEvent, ErrorType, Json, JsonText, Outline, Reader, ReplyHead, Secret, UpstreamError, Usage,
};

use crate::{
    FrameError, FrameParser, SseError, SseEvent, SseParser,
    body::Body,
    fault::{exception, fault},
    refrain::Refrain,
};

/// The largest body of a failure that is read, in bytes.
const MAX_FAULT: usize = 64 << 10;
/// The largest whole reply, in bytes: room for images.
const MAX_WHOLE: usize = 64 << 20;

/// What a dialect makes of a reply.
pub(crate) trait Listener: fmt::Debug + Send {
    /// Takes one event of a stream, whose data is `json`.
    ///
    /// # Errors
    /// [`Failed`] for a failure in band; the reader is spent then.
    fn event(
        &mut self,
        json: Json<'_>,
        event: &SseEvent,
        out: &mut Vec<ChatEvent>,
    ) -> Result<Heard, Failed>;

    /// Takes one event whose data is no JSON. It is skipped by most: what it held is lost, the rest of the
    /// reply is not.
    ///
    /// # Errors
    /// As [`event`](Self::event).
    fn words(&mut self, _: &SseEvent, _: &mut Vec<ChatEvent>) -> Result<Heard, Failed> {
        Ok(Heard::More)
    }

    /// Takes a whole reply, which stands in `body`.
    ///
    /// # Errors
    /// [`Failed`] for a failure in the place of a reply, and for JSON that is no reply.
    fn whole(
        &mut self,
        reply: Json<'_>,
        body: &Bytes,
        out: &mut Vec<ChatEvent>,
    ) -> Result<(), Failed>;

    /// The stream is over, and no event has said that nothing more comes.
    ///
    /// # Errors
    /// [`Failed::CUT`] unless the reply is complete.
    fn end(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), Failed>;

    /// Whether the latest event, were it to come again with another text, would say nothing but that text.
    fn repeats(&self) -> bool {
        false
    }

    /// It did: this text was given out.
    fn again(&mut self, _: &JsonText) {}

    /// The counts that the upstream has told by now; see [`Reader::reported`].
    fn reported(&self) -> Option<Usage> {
        None
    }
}

/// Whether more is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The reply goes on.
    More,
    /// The reply is complete: nothing behind this is read.
    Complete,
}

/// Why a reply is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// The upstream says so, in this JSON.
    Said(Bytes),
    /// The reply is not what the dialect allows.
    Garbage(&'static str),
}

// === impl Failed ===

impl Failed {
    /// The stream broke off.
    pub(crate) const CUT: Self = Self::Garbage("the stream ended without a finish reason");
}

/// Reads one reply of one call.
///
/// A stream's bytes are not kept. A failure's body is collected up to a limit, since its reason may
/// stand anywhere in it; a whole reply is collected to its end and then read at once.
#[derive(Debug)]
pub(crate) struct Intake<L> {
    wire: Wire,
    listener: L,
    secret: Option<Secret>,
    /// Where the values of the latest text stand: kept for its memory.
    outline: Outline,
    refrain: Refrain,
}

/// How the bytes are to be taken.
#[derive(Debug)]
enum Wire {
    /// The body's first byte decides between a stream and a whole reply.
    Waiting { stream: bool },
    /// Server-sent events.
    Events(SseParser),
    /// Frames of AWS.
    Frames(FrameParser),
    /// One JSON value.
    Whole(Body),
    /// A failure, whose reason is collected.
    Fault(ReplyHead, Body),
    /// The reply is complete.
    Done,
}

// === impl Intake ===

impl<L: Listener> Intake<L> {
    /// Reads a reply that was asked for as a stream, or whole; what comes is read either way.
    /// `secret` is struck out of failures.
    #[inline]
    pub(crate) fn new(listener: L, stream: bool, secret: Option<Secret>) -> Self {
        Self {
            wire: Wire::Waiting { stream },
            listener,
            secret,
            outline: Outline::default(),
            refrain: Refrain::default(),
        }
    }

    /// What a dialect's verdict is to the gateway.
    fn failure(&self, failed: Failed) -> UpstreamError {
        match failed {
            Failed::Said(body) => fault(None, &body, self.secret.as_ref()),
            Failed::Garbage(message) => UpstreamError::garbage(message),
        }
    }

    /// The next event that is complete. A frame is an event whose name and data are its type and
    /// its payload; one of an error is that error.
    fn next(&mut self) -> Result<Option<SseEvent>, UpstreamError> {
        match &mut self.wire {
            Wire::Events(sse) => sse.next_event().map_err(garbled),
            Wire::Frames(frames) => {
                let frame = frames.next_frame();
                let Some(frame) = frame.map_err(broken)? else {
                    return Ok(None);
                };
                let secret = self.secret.as_ref();
                match frame.header(":message-type") {
                    Some("exception") => {
                        let name = frame.header(":exception-type").unwrap_or_default();
                        return Err(exception(name, &frame.payload, secret));
                    }
                    Some("error") => {
                        let name = frame.header(":error-code").unwrap_or_default();
                        let message = frame.header(":error-message").unwrap_or_default();
                        let message = Bytes::copy_from_slice(message.as_bytes());
                        return Err(exception(name, &message, secret));
                    }
                    _ => {}
                }
                Ok(Some(SseEvent {
                    name: frame.shared_header(":event-type"),
                    data: frame.payload,
                }))
            }
            _ => Ok(None),
        }
    }

    /// Takes the events that are complete.
    fn drain(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        while let Some(event) = self.next()? {
            if let Some(delta) = self.refrain.again(&event) {
                delta
                    .content
                    .iter()
                    .for_each(|text| self.listener.again(text));
                out.push(ChatEvent::Delta(delta));
                continue;
            }
            let before = out.len();
            self.hear(&event, out)?;
            if self.listener.repeats() {
                let given = out.get(before..).unwrap_or_default();
                self.refrain.heard(&event, given);
            } else {
                self.refrain.ends();
            }
        }
        Ok(())
    }

    /// Takes one event.
    fn hear(&mut self, event: &SseEvent, out: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        let heard = match Json::outlined(&event.data, &mut self.outline) {
            Ok(json) => self.listener.event(json, event, out),
            Err(_) => self.listener.words(event, out),
        };
        match heard {
            Ok(Heard::More) => Ok(()),
            Ok(Heard::Complete) => {
                self.wire = Wire::Done;
                Ok(())
            }
            Err(failed) => Err(self.failure(failed)),
        }
    }

    /// The stream is over.
    fn end_events(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        let last = match &mut self.wire {
            Wire::Events(sse) => sse.finish().map_err(garbled)?,
            Wire::Frames(frames) => {
                frames.finish().map_err(broken)?;
                None
            }
            _ => None,
        };
        if let Some(event) = last {
            self.hear(&event, out)?;
        }
        if matches!(self.wire, Wire::Done) {
            return Ok(());
        }
        let ended = self.listener.end(out);
        ended.map_err(|failed| self.failure(failed))
    }

    /// The whole reply is there.
    fn whole(&mut self, body: &Bytes, out: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        let text = body
            .strip_prefix(b"\xEF\xBB\xBF")
            .map(|text| body.slice_ref(text));
        let body = text.as_ref().unwrap_or(body);
        let Ok(reply) = Json::outlined(body, &mut self.outline) else {
            let shown = fault(None, body, self.secret.as_ref());
            let what = if body.trim_ascii().starts_with(b"<") {
                "expected a reply in JSON, found a page of HTML"
            } else {
                "expected a reply in JSON, found something else or a part of it"
            };
            return Err(UpstreamError {
                message: what.into(),
                kind: ErrorType::ProviderUnavailable,
                ..shown
            });
        };
        let read = self.listener.whole(reply, body, out);
        read.map_err(|failed| self.failure(failed))
    }
}

impl<L: Listener> Reader for Intake<L> {
    fn head(&mut self, head: &ReplyHead) -> Result<(), UpstreamError> {
        if !head.status.is_success() {
            self.wire = Wire::Fault(head.clone(), Body::default());
            return Ok(());
        }
        let kind = head.headers.get(CONTENT_TYPE);
        if let Some(kind) = kind.and_then(|kind| kind.to_str().ok()) {
            let is = |known: &str| {
                let begin = kind.trim_start().get(..known.len());
                begin.is_some_and(|begin| begin.eq_ignore_ascii_case(known))
            };
            if is("text/event-stream") {
                self.wire = Wire::Waiting { stream: true };
            } else if is("application/vnd.amazon.eventstream") {
                self.wire = Wire::Frames(FrameParser::default());
            } else if is("application/json") {
                self.wire = Wire::Waiting { stream: false };
            }
        }
        Ok(())
    }

    fn push(&mut self, bytes: &Bytes, out: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        let mut bytes = bytes.clone();
        if let Wire::Waiting { stream } = self.wire {
            let space = bytes.len() - bytes.trim_ascii_start().len();
            bytes = bytes.slice(space..);
            let Some(first) = bytes.first() else {
                return Ok(());
            };
            self.wire = wire_of(*first, stream);
        }
        match &mut self.wire {
            Wire::Events(sse) => {
                sse.push(&bytes);
                self.drain(out)
            }
            Wire::Frames(frames) => {
                frames.push(&bytes);
                self.drain(out)
            }
            Wire::Whole(body) => {
                if body.push(&bytes, MAX_WHOLE) {
                    return Ok(());
                }
                let message = format!("expected a reply of at most {MAX_WHOLE} bytes");
                Err(UpstreamError::garbage(message))
            }
            Wire::Fault(_, body) => {
                body.push(&bytes, MAX_FAULT);
                Ok(())
            }
            Wire::Waiting { .. } | Wire::Done => Ok(()),
        }
    }

    fn finish(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        match &mut self.wire {
            Wire::Waiting { .. } => Err(UpstreamError::garbage(
                "expected a reply, found an empty body",
            )),
            Wire::Events(_) | Wire::Frames(_) => self.end_events(out),
            Wire::Whole(body) => {
                let body = body.take();
                self.whole(&body, out)
            }
            Wire::Fault(head, body) => {
                let body = body.take();
                Err(fault(Some(head), &body, self.secret.as_ref()))
            }
            Wire::Done => Ok(()),
        }
    }

    fn reported(&self) -> Option<Usage> {
        self.listener.reported()
    }
}

/// A stream of events that is none.
fn garbled(error: SseError) -> UpstreamError {
    UpstreamError::garbage(error.to_string())
}

/// A stream of frames that is none.
fn broken(error: FrameError) -> UpstreamError {
    UpstreamError::garbage(error.to_string())
}

/// How a body is read that starts with `first`: JSON and HTML start like no event does, and nothing
/// else makes a whole reply. In doubt the head's word counts.
fn wire_of(first: u8, stream: bool) -> Wire {
    let stream = match first {
        b'{' | b'[' | b'<' | b'"' => false,
        b':' | b'd' | b'e' => true,
        _ => stream,
    };
    if stream {
        Wire::Events(SseParser::default())
    } else {
        Wire::Whole(Body::default())
    }
}
