//! Reads replies: tells events, an array of chunks, a whole reply and a failure apart, takes chunks
//! apart, and gives the end of a reply only when it has come. The candidates themselves are read in
//! `candidate`.
//!
//! The wire has no mark for the end of a stream: it is the end of the body, and every candidate has
//! a finish reason by then. Counts come with every chunk, so the last ones are given out there.
//!
//! | first byte of the body | form |
//! |---|---|
//! | `[` | an array of chunks: a stream that was not asked to come as events, or one error in an array |
//! | `{` | one reply, or one error |
//! | `<`, `"` | no reply: a page of a proxy |
//! | anything else | events, whose lines end in CRLF |
//!
//! The head's content type is not asked: hosts and proxies between them get it wrong, the first byte
//! cannot. All forms go through the same code, chunk by chunk, so that they come to the same.
//!
//! Order of what is given out: `Start`, then deltas as they come; at the end, candidate by candidate,
//! what is left to say (citations, unfinished calls, an empty text), then the finish of each
//! candidate, then the counts, once.

use bytes::Bytes;
use waystation_core::{
    ChatEvent, Delta, ErrorType, Finish, FinishReason, Json, JsonText, Kind, Outline, Reader,
    ReplyHead, Secret, Start, UpstreamError, Usage,
};

use super::{
    array::ArraySplitter,
    candidate::{Candidate, Habits},
    field::{CandidateFields, Chunk},
    usage::Counts,
};
use crate::{SseParser, body::Body, fault::fault};

/// The largest body of a failure that is read, in bytes.
const MAX_FAULT: usize = 64 << 10;
/// The largest whole reply, and the largest element of an array, in bytes: room for images.
const MAX_WHOLE: usize = 64 << 20;
/// The largest event, in bytes: images come in one.
const MAX_EVENT: usize = 64 << 20;
/// How many candidates a reply may have: what a request can ask for.
const MAX_CANDIDATES: usize = 128;

/// Reads one reply of one call.
///
/// What is kept of a stream is small and bounded: the candidates that were begun, the latest counts
/// and metadata, and the visible text only where citations are to be found in it.
#[derive(Debug)]
pub(super) struct GeminiReader {
    wire: Wire,
    reply: Reply,
    secret: Option<Secret>,
    /// Where the values of the latest chunk stand: kept for its memory.
    outline: Outline,
}

/// How the bytes are to be taken.
#[derive(Debug)]
enum Wire {
    /// The body's first byte decides.
    Waiting,
    /// Server-sent events.
    Events(SseParser),
    /// One JSON array, an element a chunk.
    Array(ArraySplitter),
    /// One JSON value.
    Whole(Body),
    /// A failure, whose reason is collected.
    Fault(ReplyHead, Body),
}

/// What the reply has said so far.
#[derive(Debug, Default)]
struct Reply {
    habits: Habits,
    started: bool,
    /// The reply's id, for calls that come without one.
    id: JsonText,
    candidates: Vec<Candidate>,
    counts: Counts,
    /// Why the prompt was refused: the wire's word, and its reason for people.
    blocked: Option<(JsonText, Option<JsonText>)>,
}

// === impl GeminiReader ===

impl GeminiReader {
    /// The reader of one reply; what equals `secret` is struck out of errors.
    pub(super) fn new(habits: Habits, secret: Option<Secret>) -> Self {
        let reply = Reply {
            habits,
            ..Reply::default()
        };
        Self {
            wire: Wire::Waiting,
            reply,
            secret,
            outline: Outline::default(),
        }
    }

    /// The failure in band that `body` tells of.
    fn fault(&self, body: &Bytes) -> UpstreamError {
        fault(None, body, self.secret.as_ref())
    }

    /// Takes the chunks that are complete, from events or from an array.
    ///
    /// # Errors
    /// For an error in band, and for an event or element beyond the limit.
    fn drain(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        loop {
            let next = match &mut self.wire {
                Wire::Events(sse) => {
                    let event = sse.next_event();
                    event
                        .map(|event| event.map(|event| event.data))
                        .map_err(|e| e.to_string())
                }
                Wire::Array(array) => array.next_element().map_err(|error| error.to_string()),
                Wire::Waiting | Wire::Whole(_) | Wire::Fault(..) => Ok(None),
            };
            let Some(data) = next.map_err(UpstreamError::garbage)? else {
                return Ok(());
            };
            // What is no JSON is skipped: what it held is lost, the rest of the reply is not.
            self.chunk(&data, out)?;
        }
    }

    /// Takes one chunk, or a whole reply, which is `data`; `false` when that is no JSON. An `error`
    /// member is a failure, whatever was said before it; it may come in an array of one.
    ///
    /// # Errors
    /// For such an error, typed by its own code and status.
    fn chunk(&mut self, data: &Bytes, out: &mut Vec<ChatEvent>) -> Result<bool, UpstreamError> {
        let Ok(json) = Json::outlined(data, &mut self.outline) else {
            return Ok(false);
        };
        let chunk = Chunk::of(json.elements().next().unwrap_or(json));
        let failed = chunk.error.is_some_and(|error| match error.kind() {
            Kind::Object => error.members().next().is_some(),
            Kind::String => error.escaped().is_some_and(|text| !text.is_empty()),
            Kind::Null | Kind::Bool | Kind::Number | Kind::Array => false,
        });
        if failed {
            return Err(self.fault(data));
        }
        self.reply.chunk(&chunk, data, out);
        Ok(true)
    }

    /// The stream of events is over. What stands behind the last blank line is an event too, if it is
    /// whole.
    ///
    /// # Errors
    /// For an error in it, and when the stream was cut.
    fn end_events(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        let Wire::Events(sse) = &mut self.wire else {
            return Ok(());
        };
        let last = sse.finish();
        let last = last.map_err(|error| UpstreamError::garbage(error.to_string()))?;
        if let Some(event) = last {
            // A last event that is no JSON was cut in the middle, whatever came before it.
            if !self.chunk(&event.data, out)? {
                return Err(broken_off());
            }
        }
        self.end(out)
    }

    /// Everything has come: the reply ends, if it says that it does.
    ///
    /// # Errors
    /// When a candidate has no finish reason, or there is no candidate and no refusal of the prompt.
    fn end(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        if !self.reply.is_complete() {
            return Err(broken_off());
        }
        self.reply.close(out);
        Ok(())
    }

    /// The whole reply is there. Its text is kept while it is read, since it costs nothing here:
    /// citations are always located in whole replies.
    ///
    /// # Errors
    /// For what is no JSON, for an error in the place of a reply, for a reply without candidates, and
    /// for a candidate that neither ended nor called a function.
    fn whole(&mut self, body: &Bytes, out: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        let garbage = |found: UpstreamError, message: String| UpstreamError {
            message,
            kind: ErrorType::ProviderUnavailable,
            ..found
        };
        self.reply.habits.keep_text = true;
        if !self.chunk(body, out)? {
            let what = if body.trim_ascii().starts_with(b"<") {
                "expected a reply in JSON, found a page of HTML"
            } else {
                "expected a reply in JSON, found something else or a part of it"
            };
            return Err(garbage(self.fault(body), what.into()));
        }
        if self.reply.is_empty() {
            let found = self.fault(body);
            let what = format!(
                "expected candidates in the reply, found none: {}",
                found.message
            );
            return Err(garbage(found, what));
        }
        // A whole reply that calls functions was not cut, whatever it says of its end.
        if !self.reply.is_complete() && !self.reply.candidates.iter().all(Candidate::called) {
            let message = "the reply has a candidate without a finish reason";
            return Err(UpstreamError::garbage(message));
        }
        self.reply.close(out);
        Ok(())
    }
}

impl Reader for GeminiReader {
    fn head(&mut self, head: &ReplyHead) -> Result<(), UpstreamError> {
        if !head.status.is_success() {
            self.wire = Wire::Fault(head.clone(), Body::default());
        }
        Ok(())
    }

    fn push(&mut self, bytes: &Bytes, out: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        let mut bytes = bytes.clone();
        if matches!(self.wire, Wire::Waiting) {
            let Some(start) = bytes.iter().position(|byte| !is_nothing(*byte)) else {
                return Ok(());
            };
            bytes = bytes.slice(start..);
            self.wire = wire_of(bytes.first().copied().unwrap_or_default());
        }
        match &mut self.wire {
            Wire::Events(sse) => {
                sse.push(&bytes);
                self.drain(out)
            }
            Wire::Array(array) => {
                array.push(&bytes);
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
            Wire::Waiting => Ok(()),
        }
    }

    fn finish(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        match &mut self.wire {
            Wire::Waiting => Err(UpstreamError::garbage(
                "expected a reply, found an empty body",
            )),
            Wire::Events(_) => self.end_events(out),
            Wire::Array(array) if array.is_closed() => self.end(out),
            Wire::Array(_) => Err(broken_off()),
            Wire::Whole(body) => {
                let body = body.take();
                self.whole(&body, out)
            }
            Wire::Fault(head, body) => {
                let body = body.take();
                Err(fault(Some(head), &body, self.secret.as_ref()))
            }
        }
    }

    fn reported(&self) -> Option<Usage> {
        self.reply.counts.so_far()
    }
}

/// White space and the bytes of a byte order mark, which may stand before anything.
const fn is_nothing(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, 0xEF | 0xBB | 0xBF)
}

/// How a body is read that starts with `first`: JSON and HTML start like no event does.
fn wire_of(first: u8) -> Wire {
    match first {
        b'[' => Wire::Array(ArraySplitter::with_limit(MAX_WHOLE)),
        b'{' | b'<' | b'"' => Wire::Whole(Body::default()),
        _ => Wire::Events(SseParser::with_limit(MAX_EVENT)),
    }
}

/// The failure of a stream that stops without saying so.
fn broken_off() -> UpstreamError {
    let message = "the stream ended without a finish reason";
    UpstreamError::new(ErrorType::ProviderUnavailable, message)
}

// === impl Reply ===

impl Reply {
    /// Whether nothing was said at all.
    fn is_empty(&self) -> bool {
        self.candidates.is_empty() && self.blocked.is_none()
    }

    /// Whether every candidate that was begun has ended, and there is one, or the prompt was
    /// refused.
    fn is_complete(&self) -> bool {
        if self.candidates.is_empty() {
            return self.blocked.is_some();
        }
        self.candidates.iter().all(Candidate::is_finished)
    }

    /// Takes one chunk of a stream, or a whole reply, which stands in `data`. Vertex numbers no
    /// candidate when there is one; the place in the list counts then.
    fn chunk(&mut self, chunk: &Chunk<'_>, data: &Bytes, out: &mut Vec<ChatEvent>) {
        self.start(chunk, data, out);
        let text = |value: Option<Json<'_>>| {
            let text = value.and_then(|text| text.json_text(data));
            text.filter(|text| !text.is_empty())
        };
        let of_feedback = |key: &str| text(chunk.feedback.and_then(|feedback| feedback.get(key)));
        if let Some(word) = of_feedback("blockReason") {
            self.blocked = Some((word, of_feedback("blockReasonMessage")));
        }
        let candidates = chunk.candidates.into_iter().flat_map(Json::elements);
        for (place, element) in candidates.enumerate() {
            let json = CandidateFields::of(element);
            let index = json.index.and_then(Json::u64);
            let index = index.and_then(|index| u32::try_from(index).ok());
            let index = index.unwrap_or_else(|| u32::try_from(place).unwrap_or_default());
            let habits = self.habits;
            if let Some(candidate) = candidate(&mut self.candidates, index) {
                out.extend(candidate.take(&json, data, self.id.escaped(), habits));
            }
        }
        if let Some(usage) = chunk.usage {
            self.counts.take(usage);
        }
    }

    /// Says what the reply is, with the first chunk that says anything.
    fn start(&mut self, chunk: &Chunk<'_>, data: &Bytes, out: &mut Vec<ChatEvent>) {
        let text = |value: Option<Json<'_>>| {
            let text = value.and_then(|text| text.json_text(data));
            text.filter(|text| !text.is_empty())
        };
        let id = text(chunk.id);
        let silent = id.is_none() && chunk.candidates.is_none() && chunk.feedback.is_none();
        if self.started || silent {
            return;
        }
        self.started = true;
        self.id = id.clone().unwrap_or_default();
        out.push(ChatEvent::Start(Start {
            id,
            model: text(chunk.model),
            service_tier: text(chunk.usage.and_then(|usage| usage.get("serviceTier"))),
            ..Start::default()
        }));
    }

    /// Everything has come: the candidates end, then the counts follow. A refused prompt is one
    /// choice that a filter ended, with the host's reason as its refusal: the wire answers 200 to it,
    /// and so does the contract (section 1.7).
    fn close(&mut self, out: &mut Vec<ChatEvent>) {
        self.candidates.sort_by_key(|candidate| candidate.index);
        let searches: Vec<u64> = self
            .candidates
            .iter()
            .filter_map(Candidate::searches)
            .collect();
        for candidate in &mut self.candidates {
            out.extend(candidate.close());
        }
        out.extend(self.candidates.iter_mut().map(Candidate::finish));
        if let Some((word, message)) = self.blocked.take().filter(|_| self.candidates.is_empty()) {
            let mut refused = Delta::of(0);
            refused.refusal = message.map(Box::new);
            if !refused.is_empty() {
                out.push(ChatEvent::Delta(refused));
            }
            out.push(ChatEvent::Finish(Finish {
                choice: 0,
                reason: FinishReason::ContentFilter,
                native: Some(word),
            }));
        }
        let searches = (!searches.is_empty()).then(|| searches.iter().sum());
        if let Some(usage) = self.counts.usage(searches) {
            out.push(ChatEvent::Usage(Box::new(usage)));
        }
    }
}

/// The candidate with this index, made when it is new; `None` beyond what a request can ask for.
fn candidate(candidates: &mut Vec<Candidate>, index: u32) -> Option<&mut Candidate> {
    let at = match candidates.iter().position(|found| found.index == index) {
        Some(at) => at,
        None if candidates.len() >= MAX_CANDIDATES => return None,
        None => {
            candidates.push(Candidate::new(index));
            candidates.len() - 1
        }
    };
    candidates.get_mut(at)
}
