//! One event as one `chat.completion.chunk`. Source: API contract, section 1.8.

use waystation_core::{ChatEvent, Delta, Finish, ObjectWriter, Start, ToolCallDelta};
use waystation_gateway::{Reply, Settled};

/// Writes the chunks of one stream: `id`, `model` and `created` are the same on all of them.
#[derive(Debug)]
pub(crate) struct ChunkWriter {
    /// Everything up to `choices`, the same for every chunk.
    head: Vec<u8>,
    /// `service_tier` and the like, behind `choices`.
    tail: Vec<u8>,
    /// Which choices have had their role: bit n for choice n, the last for all beyond.
    roles: u64,
}

// === impl ChunkWriter ===

impl ChunkWriter {
    pub(crate) fn new(reply: &Reply) -> Self {
        Self {
            head: Self::head(reply),
            tail: Vec::new(),
            roles: 0,
        }
    }

    fn head(reply: &Reply) -> Vec<u8> {
        let mut head = Vec::with_capacity(192);
        let mut object = ObjectWriter::open(&mut head);
        object
            .string("id", reply.id.as_str())
            .string("provider", &reply.provider)
            .string("model", reply.model.as_str())
            .string("object", "chat.completion.chunk")
            .number("created", reply.created.seconds());
        // Not closed on purpose: chunks continue where the head ends.
        head
    }

    /// Another provider goes on with the answer: chunks name it from here on, and no longer what the
    /// one before said of itself.
    pub(crate) fn goes_on(&mut self, reply: &Reply) {
        self.head = Self::head(reply);
        self.tail.clear();
    }

    /// Appends `event` as SSE data lines.
    pub(crate) fn event(&mut self, event: &ChatEvent, out: &mut Vec<u8>) {
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
    pub(crate) fn echo(&self, body: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
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
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"choices\":[{\"index\":");
        number(choice, out);
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

    /// The last chunk: no choices, usage and cost, and metadata where the client wishes it.
    pub(crate) fn usage(&self, settled: &Settled, metadata: Option<&[u8]>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"choices\":[],\"usage\":");
        super::write_usage(settled, out);
        self.end(metadata, out);
    }

    /// The chunk that tells of a failure after the commitment: a choice is always there, since
    /// clients exist that take an error without one for success (API contract, section 2.5).
    /// Carries the usage, since nothing follows it.
    pub(crate) fn failure(
        &self,
        error: &[u8],
        settled: &Settled,
        metadata: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) {
        self.open(0, out);
        out.extend_from_slice(
            br#""delta":{"content":""},"finish_reason":"error","native_finish_reason":null}],"error":"#,
        );
        out.extend_from_slice(error);
        out.extend_from_slice(b",\"usage\":");
        super::write_usage(settled, out);
        self.end(metadata, out);
    }

    /// The end of the last chunk.
    fn end(&self, metadata: Option<&[u8]>, out: &mut Vec<u8>) {
        if let Some(metadata) = metadata {
            out.extend_from_slice(b",\"");
            out.extend_from_slice(super::METADATA.as_bytes());
            out.extend_from_slice(b"\":");
            out.extend_from_slice(metadata);
        }
        out.extend_from_slice(&self.tail);
        out.extend_from_slice(b"}\n\n");
    }
}

const UNFINISHED: &[u8] = br#""finish_reason":null,"native_finish_reason":null"#;

/// What ends every stream.
pub(crate) const DONE: &[u8] = b"data: [DONE]\n\n";

fn number(number: u32, out: &mut Vec<u8>) {
    use std::io::Write as _;
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{number}");
}

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
