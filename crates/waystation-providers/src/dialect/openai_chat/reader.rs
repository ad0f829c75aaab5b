//! Reads replies: tells a stream from a whole reply and from a failure, takes chunks apart, and
//! gives the end of a reply only when it has come. The choices themselves are read in `choice`.
//!
//! A piece of text costs no allocation on its way: it is a slice of the bytes that the network
//! gave, from the event to the client. Nothing is kept of what was given out but a few flags.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use waystation_core::{
    ChatEvent, ChatRequest, ErrorType, Json, JsonText, Kind, Outline, Reader, ReplyHead, Secret,
    Start, Target, UpstreamError, Usage,
};

use super::{
    choice::{Choice, Habits},
    citation::Citations,
    field::{ChoiceFields, Chunk, first},
    usage,
};
use crate::{SseEvent, SseParser, body::Body, fault::fault, refrain::Refrain};

/// The largest body of a failure that is read, in bytes.
const MAX_FAULT: usize = 64 << 10;
/// The largest whole reply, in bytes: room for images.
const MAX_WHOLE: usize = 64 << 20;
/// How many choices a reply may have: what a request can ask for.
const MAX_CHOICES: usize = 128;

/// Reads one reply of one call.
///
/// A stream's state is small and bounded: the choices that were begun, their calls' ids, the latest
/// counts. Of the text nothing is kept. A failure's body is collected up to a limit, since its
/// reason may stand anywhere in it; a whole reply is collected to its end and then read at once,
/// through the same code as one chunk of a stream, so that both come to the same.
#[derive(Debug)]
pub(super) struct ChatReader {
    wire: Wire,
    reply: Reply,
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
    Stream(SseParser),
    /// One JSON value.
    Whole(Body),
    /// A failure, whose reason is collected.
    Fault(ReplyHead, Body),
    /// The reply is complete.
    Done,
}

/// What the reply has said so far.
#[derive(Debug, Default)]
struct Reply {
    habits: Habits,
    started: bool,
    /// The reply's id, for calls that come without one.
    id: JsonText,
    choices: Vec<Choice>,
    usage: Option<Box<Usage>>,
    citations: Citations,
    /// Annotations came as such: citations beside them say the same.
    annotated: bool,
}

// === impl ChatReader ===

impl ChatReader {
    /// The reader of the reply to `chat`.
    pub(super) fn expecting(chat: &ChatRequest, to: &Target<'_>) -> Self {
        let habits = Habits {
            think_tags: to.upstream.quirks.think_tags,
            exclude_reasoning: chat.reasoning().is_some_and(|wish| wish.exclude),
            whole: false,
        };
        Self {
            wire: Wire::Waiting {
                stream: chat.stream(),
            },
            reply: Reply {
                habits,
                ..Reply::default()
            },
            secret: to.lease.secret.clone(),
            outline: Outline::default(),
            refrain: Refrain::default(),
        }
    }

    /// The failure in band that `body` tells of.
    fn fault(&self, body: &Bytes) -> UpstreamError {
        fault(None, body, self.secret.as_ref())
    }

    /// Takes the events that are complete.
    fn drain(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        loop {
            let Wire::Stream(sse) = &mut self.wire else {
                return Ok(());
            };
            let event = sse.next_event();
            let event = event.map_err(|error| UpstreamError::garbage(error.to_string()))?;
            let Some(event) = event else {
                return Ok(());
            };
            if let Some(delta) = self.refrain.again(&event) {
                out.push(ChatEvent::Delta(delta));
                continue;
            }
            let before = out.len();
            self.event(&event, out)?;
            if self.reply.repeats() {
                let given = out.get(before..).unwrap_or_default();
                self.refrain.heard(&event, given);
            } else {
                self.refrain.ends();
            }
        }
    }

    /// Takes one event of a stream.
    fn event(&mut self, event: &SseEvent, out: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        let data = &event.data;
        if event.name.as_deref() == Some(b"error") {
            return Err(self.fault(data));
        }
        if data.trim_ascii() == b"[DONE]" {
            if self.reply.is_complete() {
                self.reply.close(out);
                self.wire = Wire::Done;
            }
            return Ok(());
        }
        // A line that is no JSON is skipped: what it held is lost, the rest of the reply is not.
        let Ok(chunk) = Json::outlined(data, &mut self.outline) else {
            return Ok(());
        };
        let Some(chunk) = members(chunk) else {
            return Err(self.fault(data));
        };
        let read = self.reply.chunk(&chunk, data, out);
        read.map_err(|failed| self.fault(&failed))
    }

    /// The stream is over.
    fn end_stream(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        let Wire::Stream(sse) = &mut self.wire else {
            return Ok(());
        };
        let last = sse.finish();
        let last = last.map_err(|error| UpstreamError::garbage(error.to_string()))?;
        if let Some(event) = last {
            self.event(&event, out)?;
        }
        if matches!(self.wire, Wire::Done) {
            return Ok(());
        }
        if !self.reply.is_complete() {
            let message = "the stream ended without a finish reason";
            return Err(UpstreamError::new(ErrorType::ProviderUnavailable, message));
        }
        self.reply.close(out);
        Ok(())
    }

    /// The whole reply is there.
    fn whole(&mut self, body: &Bytes, out: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        let text = body
            .strip_prefix(b"\xEF\xBB\xBF")
            .map(|text| body.slice_ref(text));
        let body = text.as_ref().unwrap_or(body);
        let Ok(reply) = Json::outlined(body, &mut self.outline) else {
            let shown = self.fault(body);
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
        let Some(chunk) = members(reply) else {
            return Err(self.fault(body));
        };
        if first(chunk.choices).is_none() {
            let found = self.fault(body);
            return Err(UpstreamError {
                message: format!(
                    "expected choices in the reply, found none: {}",
                    found.message
                ),
                kind: ErrorType::ProviderUnavailable,
                ..found
            });
        }
        self.reply.habits.whole = true;
        let read = self.reply.chunk(&chunk, body, out);
        read.map_err(|failed| self.fault(&failed))?;
        if !self.reply.is_complete() {
            let message = "the reply has a choice without a finish reason";
            return Err(UpstreamError::garbage(message));
        }
        self.reply.close(out);
        Ok(())
    }
}

impl Reader for ChatReader {
    fn head(&mut self, head: &ReplyHead) -> Result<(), UpstreamError> {
        if !head.status.is_success() {
            self.wire = Wire::Fault(head.clone(), Body::default());
            return Ok(());
        }
        let kind = head.headers.get(CONTENT_TYPE);
        if let Some(kind) = kind {
            let kind = kind.as_bytes().trim_ascii_start();
            let is = |known: &str| {
                let begin = kind.get(..known.len());
                begin.is_some_and(|begin| begin.eq_ignore_ascii_case(known.as_bytes()))
            };
            let stream = if is("text/event-stream") {
                true
            } else if is("application/json") {
                false
            } else {
                return Ok(());
            };
            self.wire = Wire::Waiting { stream };
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
            Wire::Stream(sse) => {
                sse.push(&bytes);
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
            Wire::Stream(_) => self.end_stream(out),
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
        self.reply.usage.as_deref().cloned()
    }
}

/// How a body is read that starts with `first`: JSON and HTML start like no event does, and nothing
/// else makes a whole reply. In doubt the head's word counts.
fn wire_of(first: u8, stream: bool) -> Wire {
    let stream = match first {
        b'{' | b'[' | b'<' | b'"' => false,
        b':' | b'd' => true,
        _ => stream,
    };
    if stream {
        Wire::Stream(SseParser::default())
    } else {
        Wire::Whole(Body::default())
    }
}

/// Whether an `error` member says that something failed.
fn says(error: Option<Json<'_>>) -> bool {
    error.is_some_and(|error| match error.kind() {
        Kind::Object => error.members().next().is_some(),
        Kind::String => error.escaped().is_some_and(|text| !text.is_empty()),
        Kind::Null | Kind::Bool | Kind::Number | Kind::Array => false,
    })
}

/// The members of a chunk or a reply; `None` when it is a failure in band.
#[inline]
fn members(json: Json<'_>) -> Option<Chunk<'_>> {
    let chunk = Chunk::of(json.elements().next().unwrap_or(json));
    if says(chunk.error) || chunk.object.is_some_and(|object| object.is("error")) {
        return None;
    }
    Some(chunk)
}

// === impl Reply ===

impl Reply {
    /// Whether every choice that was begun has ended, and there is one.
    fn is_complete(&self) -> bool {
        !self.choices.is_empty() && self.choices.iter().all(Choice::is_finished)
    }

    /// Whether a piece of text that comes again with other words says nothing but these words: nothing in
    /// it is looked for, and no call is under way that other members could go on with.
    fn repeats(&self) -> bool {
        !self.habits.think_tags && !self.choices.iter().any(Choice::calls)
    }

    /// Takes one chunk of a stream, or a whole reply, which stands in `data`. A choice that failed
    /// is given back.
    fn chunk(
        &mut self,
        chunk: &Chunk<'_>,
        data: &Bytes,
        out: &mut Vec<ChatEvent>,
    ) -> Result<(), Bytes> {
        self.start(chunk, data, out);
        self.citations.take(chunk, data);
        let choices = chunk.choices.map(Json::elements).unwrap_or_default();
        for (place, element) in choices.enumerate() {
            let json = ChoiceFields::of(element);
            if says(json.error) {
                return Err(element.slice_of(data));
            }
            let index = json.index.and_then(Json::u64);
            let index = index.and_then(|index| u32::try_from(index).ok());
            let index = index.unwrap_or_else(|| u32::try_from(place).unwrap_or_default());
            self.usage_of(json.usage);
            let habits = self.habits;
            let Some(choice) = choice(&mut self.choices, index, habits) else {
                continue;
            };
            let event = choice.take(&json, data, self.id.escaped(), habits);
            if let Some(ChatEvent::Delta(delta)) = &event {
                self.annotated |= delta.annotations.is_some();
            }
            out.extend(event);
        }
        self.usage_of(chunk.x_groq.and_then(|groq| groq.get("usage")));
        self.usage_of(chunk.usage);
        Ok(())
    }

    /// The latest counts stand.
    fn usage_of(&mut self, json: Option<Json<'_>>) {
        if let Some(json) = json {
            usage::read(json, &mut self.usage);
        }
    }

    /// Says what the reply is, with the first chunk that says anything. A preamble without id and
    /// choices (Azure's filter results) waits for the next.
    fn start(&mut self, chunk: &Chunk<'_>, data: &Bytes, out: &mut Vec<ChatEvent>) {
        if self.started {
            return;
        }
        let text = |value: Option<Json<'_>>| {
            let text = value.and_then(|text| text.json_text(data));
            text.filter(|text| !text.is_empty())
        };
        let id = text(chunk.id);
        if id.is_none() && first(chunk.choices).is_none() {
            return;
        }
        self.started = true;
        self.id = id.clone().unwrap_or_default();
        out.push(ChatEvent::Start(Start {
            id,
            model: text(chunk.model),
            created: chunk.created.and_then(Json::u64),
            system_fingerprint: text(chunk.system_fingerprint),
            service_tier: text(chunk.service_tier),
        }));
    }

    /// Everything has come: the choices end, then the counts follow.
    fn close(&mut self, out: &mut Vec<ChatEvent>) {
        let mut annotations = self.citations.annotations().filter(|_| !self.annotated);
        self.choices.sort_by_key(|choice| choice.index);
        for choice in &mut self.choices {
            out.extend(choice.close(annotations.take(), self.habits));
        }
        out.extend(self.choices.iter_mut().filter_map(Choice::finish));
        if let Some(usage) = self.usage.take() {
            out.push(ChatEvent::Usage(usage));
        }
    }
}

/// The choice with this index, made when it is new; `None` beyond what a request can ask for.
fn choice(choices: &mut Vec<Choice>, index: u32, habits: Habits) -> Option<&mut Choice> {
    let at = match choices.iter().position(|choice| choice.index == index) {
        Some(at) => at,
        None if choices.len() >= MAX_CHOICES => return None,
        None => {
            // Nearly always there is one.
            choices.reserve_exact(1);
            choices.push(Choice::new(index, habits));
            choices.len() - 1
        }
    };
    choices.get_mut(at)
}
