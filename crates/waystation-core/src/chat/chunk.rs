//! Events as `chat.completion.chunk`s in server-sent events: the client's side of a stream. Nothing is
//! sent here, and what a chunk says of cost or of an error is written elsewhere. Source: API contract,
//! section 1.8.

use super::{ChatEvent, Delta, Finish, Start, ToolCallDelta};
use crate::{GenerationId, ObjectWriter, UnixMs, json::write_number};

/// What every chunk of a stream says first.
#[derive(Clone, Copy, Debug)]
pub struct ChunkHead<'a> {
    /// The generation.
    pub id: &'a GenerationId,
    /// Display name of the provider that serves.
    pub provider: &'a str,
    /// The model that serves.
    pub model: &'a str,
    /// When the request came.
    pub created: UnixMs,
}

/// What the last chunk of a stream carries beside its head.
#[derive(Debug)]
pub struct LastChunk<'a, F> {
    /// Writes the value of `usage`.
    pub usage: F,
    /// One more member, its name and its value.
    pub metadata: Option<(&'a str, &'a [u8])>,
}

/// Writes the chunks of one stream: `id`, `model` and `created` are the same on all of them.
///
/// ```
/// use waystation_core::{ChatEvent, ChunkHead, ChunkWriter, UnixMs};
///
/// let id = "gen-1-0123456789abcdef".parse()?;
/// let head = ChunkHead { id: &id, provider: "Acme", model: "acme/fast", created: UnixMs::new(1_000) };
/// let mut out = Vec::new();
/// ChunkWriter::new(&head).event(&ChatEvent::text(0, "Hi".into()), &mut out);
/// let text = String::from_utf8(out)?;
/// // The role, and then the text.
/// assert_eq!(text.matches("\n\n").count(), 2);
/// assert!(text.contains(r#""choices":[{"index":0,"delta":{"content":"Hi"}"#), "{text}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ChunkWriter {
    /// Everything from `data:` up to `choices`, the same for every chunk.
    head: Vec<u8>,
    /// `service_tier` and the like, behind `choices`.
    tail: Vec<u8>,
    /// Which choices have had their role: bit n for choice n, the last for all beyond.
    roles: u64,
}

// === impl ChunkWriter ===

impl ChunkWriter {
    /// The writer of a stream that begins so.
    #[must_use]
    pub fn new(head: &ChunkHead<'_>) -> Self {
        Self {
            head: Self::head(head),
            tail: Vec::new(),
            roles: 0,
        }
    }

    fn head(of: &ChunkHead<'_>) -> Vec<u8> {
        let mut head = Vec::with_capacity(256);
        head.extend_from_slice(b"data: ");
        let mut object = ObjectWriter::open(&mut head);
        object
            .string("id", of.id.as_str())
            .string("provider", of.provider)
            .string("model", of.model)
            .string("object", "chat.completion.chunk")
            .number("created", of.created.seconds());
        // Not closed on purpose: chunks continue where the head ends.
        head
    }

    /// Another provider goes on with the answer: chunks name it from here on, and no longer what the
    /// one before said of itself.
    pub fn goes_on(&mut self, head: &ChunkHead<'_>) {
        self.head = Self::head(head);
        self.tail.clear();
    }

    /// Appends `event` as SSE data lines.
    pub fn event(&mut self, event: &ChatEvent, out: &mut Vec<u8>) {
        match event {
            ChatEvent::Start(start) => self.start(start),
            ChatEvent::Delta(delta) => {
                self.role(delta.choice, out);
                self.delta(delta, out);
            }
            ChatEvent::Finish(finish) => {
                self.role(finish.choice, out);
                self.finish(finish, out);
            }
            _ => {}
        }
    }

    /// A body that went upstream, in a chunk without choices. Source: API contract, section 2.6.
    pub fn echo(&self, body: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"choices\":[],\"debug\":{\"echo_upstream_body\":");
        out.extend_from_slice(body);
        out.extend_from_slice(b"}}\n\n");
    }

    fn start(&mut self, start: &Start) {
        if let Some(fingerprint) = &start.system_fingerprint {
            self.head.extend_from_slice(b",\"system_fingerprint\":\"");
            self.head.extend_from_slice(fingerprint.escaped());
            self.head.push(b'"');
        }
        if let Some(tier) = &start.service_tier {
            self.tail.extend_from_slice(b",\"service_tier\":\"");
            self.tail.extend_from_slice(tier.escaped());
            self.tail.push(b'"');
        }
    }

    /// The role chunk of a choice, before its first other one.
    fn role(&mut self, choice: u32, out: &mut Vec<u8>) {
        let bit = 1_u64 << choice.min(63);
        if self.roles & bit != 0 {
            return;
        }
        self.roles |= bit;
        self.open(choice, out);
        out.extend_from_slice(br#""delta":{"role":"assistant","content":""},"#);
        out.extend_from_slice(UNFINISHED);
        self.close(out);
    }

    fn open(&self, choice: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"choices\":[{\"index\":");
        write_number(choice.into(), out);
        out.push(b',');
    }

    fn close(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"}]");
        out.extend_from_slice(&self.tail);
        out.extend_from_slice(b"}\n\n");
    }

    fn delta(&self, delta: &Delta, out: &mut Vec<u8>) {
        self.open(delta.choice, out);
        out.extend_from_slice(b"\"delta\":");
        write_delta(delta, out);
        out.push(b',');
        out.extend_from_slice(UNFINISHED);
        if let Some(logprobs) = &delta.logprobs {
            out.extend_from_slice(b",\"logprobs\":");
            out.extend_from_slice(logprobs.bytes());
        }
        self.close(out);
    }

    fn finish(&self, finish: &Finish, out: &mut Vec<u8>) {
        self.open(finish.choice, out);
        out.extend_from_slice(b"\"delta\":{},\"finish_reason\":\"");
        out.extend_from_slice(finish.reason.as_str().as_bytes());
        out.extend_from_slice(b"\",\"native_finish_reason\":");
        match &finish.native {
            Some(native) => out.extend_from_slice(native.quoted().bytes()),
            None => out.extend_from_slice(b"null"),
        }
        self.close(out);
    }

    /// The last chunk of a stream that came to its end: no choices, usage and cost.
    pub fn usage<F: FnOnce(&mut Vec<u8>)>(&self, last: LastChunk<'_, F>, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"choices\":[]");
        self.end(last, out);
    }

    /// The chunk that tells of a failure after the commitment: a choice is always there, since
    /// clients exist that take an error without one for success (API contract, section 2.5).
    /// Carries the usage, since nothing follows it. `error` is the member's value.
    pub fn failure<F>(&self, error: &[u8], last: LastChunk<'_, F>, out: &mut Vec<u8>)
    where
        F: FnOnce(&mut Vec<u8>),
    {
        self.open(0, out);
        out.extend_from_slice(
            br#""delta":{"content":""},"finish_reason":"error","native_finish_reason":null}],"error":"#,
        );
        out.extend_from_slice(error);
        self.end(last, out);
    }

    /// The end of the last chunk.
    fn end<F: FnOnce(&mut Vec<u8>)>(&self, last: LastChunk<'_, F>, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"usage\":");
        (last.usage)(out);
        if let Some((name, value)) = last.metadata {
            out.extend_from_slice(b",\"");
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            out.extend_from_slice(value);
        }
        out.extend_from_slice(&self.tail);
        out.extend_from_slice(b"}\n\n");
    }

    /// What ends every stream.
    pub const DONE: &'static [u8] = b"data: [DONE]\n\n";
}

const UNFINISHED: &[u8] = br#""finish_reason":null,"native_finish_reason":null"#;

fn write_delta(delta: &Delta, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    if let Some(content) = &delta.content {
        object.text("content", content);
    }
    if let Some(reasoning) = &delta.reasoning {
        object.text("reasoning", reasoning);
    }
    if let Some(details) = &delta.reasoning_details {
        object.json("reasoning_details", details);
    }
    if let Some(refusal) = &delta.refusal {
        object.text("refusal", refusal);
    }
    if !delta.tool_calls.is_empty() {
        write_calls(&delta.tool_calls, object.key("tool_calls"));
    }
    for (key, value) in [
        ("annotations", &delta.annotations),
        ("images", &delta.images),
        ("audio", &delta.audio),
    ] {
        if let Some(value) = value {
            object.json(key, value);
        }
    }
    object.close();
}

fn write_calls(calls: &[ToolCallDelta], out: &mut Vec<u8>) {
    out.push(b'[');
    for (place, call) in calls.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        let mut object = ObjectWriter::open(out);
        object.number("index", call.index.into());
        if let Some(id) = &call.id {
            object.text("id", id).string("type", "function");
        }
        let mut function = object.object("function");
        if let Some(name) = &call.name {
            function.text("name", name);
        }
        function.text("arguments", &call.arguments);
        function.close();
        object.close();
    }
    out.push(b']');
}
