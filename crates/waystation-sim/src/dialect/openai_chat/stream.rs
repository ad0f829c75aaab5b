//! Writes a chat completion as a stream: role chunk, deltas, finish chunk for each choice, usage
//! chunk, `[DONE]`.
//!
//! Where usage goes depends on `stream_options`, because hosts differ and a gateway meets them all:
//!
//! | `stream_options` | usage |
//! |---|---|
//! | `{"include_usage": true}` | in a chunk of its own with `choices: []`; every other chunk says `usage: null` |
//! | absent | on the last finish chunk |
//! | `{"include_usage": false}` or `{}` | nowhere |
//!
//! Cut by a script after `k` events, a stream has `k` chunks; `[DONE]` counts as one event.

use std::time::Duration;

use waystation_core::ObjectWriter;

use super::{
    Reply,
    request::{Sources, StreamUsage},
};
use crate::{
    SimReply,
    mind::{self, Said},
    pacing::Tempo,
    reply::sse_event,
};

/// One chunk to come: its choice's inside, and the bytes of text that take time.
struct Step {
    /// Which choice it belongs to.
    choice: usize,
    /// The members of `delta`, and `logprobs` beside it.
    delta: Vec<u8>,
    /// The value of `logprobs`, where it was asked for.
    logprobs: Option<Vec<u8>>,
    /// The finish reason, on the choice's last chunk.
    finish: Option<&'static str>,
    /// Bytes of text in it; what carries no text takes no time.
    bytes: usize,
}

/// The stream, one event a piece, each due at the pace of `tempo`.
pub(super) fn write(reply: &Reply<'_>, usage: StreamUsage, tempo: Tempo) -> SimReply {
    let mut lanes: Vec<_> = reply
        .said
        .iter()
        .enumerate()
        .map(|(at, said)| steps(reply, at, said).into_iter())
        .collect();
    let mut stream = SimReply::stream::<Vec<u8>>([]);
    stream.delay = tempo.first();
    let (mut nth, mut finished) = (0, 0);
    // Choices take turns, as they do on the real wire.
    loop {
        let mut moved = false;
        for lane in &mut lanes {
            let Some(step) = lane.next() else {
                continue;
            };
            moved = true;
            nth += 1;
            finished += usize::from(step.finish.is_some());
            let last = finished == reply.said.len();
            let carries = usage == StreamUsage::OnFinish && last;
            let event = chunk(reply, &step, carries, usage);
            stream = stream.then(tempo.piece(step.bytes, nth), event);
        }
        if !moved {
            break;
        }
    }
    if usage == StreamUsage::Own {
        stream = stream.then(Duration::ZERO, usage_chunk(reply));
    }
    stream.then(Duration::ZERO, sse_event("[DONE]"))
}

/// Everything that one choice sends.
fn steps(reply: &Reply<'_>, choice: usize, said: &Said) -> Vec<Step> {
    let step = |delta: Vec<u8>, bytes: usize| Step {
        choice,
        delta,
        logprobs: None,
        finish: None,
        bytes,
    };
    let mut steps = vec![step(role(said), 0)];
    if let Some(key) = reply.reasoning_key() {
        let pieces = mind::pieces(&said.reasoning);
        steps.extend(pieces.map(|piece| step(delta(key, piece), piece.len())));
    }
    for piece in said.text.as_deref().into_iter().flat_map(mind::pieces) {
        let mut next = step(delta("content", piece), piece.len());
        next.logprobs = reply.question.logprobs.map(|top| {
            let mut out = Vec::new();
            reply.logprobs(top, std::iter::once(piece), &mut out);
            out
        });
        steps.push(next);
    }
    if said.search.is_some() && reply.question.sources == Sources::Annotations {
        let mut out = Vec::new();
        let mut delta = ObjectWriter::open(&mut out);
        reply.annotations(said, delta.key("annotations"));
        delta.close();
        steps.push(step(out, 0));
    }
    for (place, call) in said.calls.iter().enumerate() {
        let id = reply.call_id(choice, place);
        let first = tool_delta(place, Some((&id, &call.name)), "");
        steps.push(step(first, call.name.len()));
        let pieces = mind::pieces(&call.arguments);
        steps.extend(pieces.map(|piece| step(tool_delta(place, None, piece), piece.len())));
    }
    steps.push(Step {
        finish: Some(said.finish.as_str()),
        ..step(b"{}".to_vec(), 0)
    });
    steps
}

/// The first delta: the role, and empty content, or `null` when tools will be called.
fn role(said: &Said) -> Vec<u8> {
    let mut out = Vec::new();
    let mut delta = ObjectWriter::open(&mut out);
    delta.string("role", "assistant");
    match &said.text {
        Some(_) => delta.string("content", ""),
        None => delta.null("content"),
    };
    delta.null("refusal");
    delta.close();
    out
}

/// A delta with one piece of text under `key`.
fn delta(key: &str, piece: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut delta = ObjectWriter::open(&mut out);
    delta.string(key, piece);
    delta.close();
    out
}

/// A piece of a call: id and name on its first alone, the place on all.
fn tool_delta(place: usize, named: Option<(&str, &str)>, arguments: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut delta = ObjectWriter::open(&mut out);
    let list = delta.key("tool_calls");
    list.push(b'[');
    let mut call = ObjectWriter::open(list);
    call.number("index", u64::try_from(place).unwrap_or_default());
    if let Some((id, _)) = named {
        call.string("id", id).string("type", "function");
    }
    let mut function = call.object("function");
    if let Some((_, name)) = named {
        function.string("name", name);
    }
    function.string("arguments", arguments);
    function.close();
    call.close();
    list.push(b']');
    delta.close();
    out
}

/// One chunk with one choice as a framed event. `carries`: it bears the usage too. Where the usage
/// has a chunk of its own, every other chunk says `usage: null`, as OpenAI's do.
fn chunk(reply: &Reply<'_>, step: &Step, carries: bool, usage: StreamUsage) -> bytes::Bytes {
    let mut out = b"data: ".to_vec();
    let mut object = ObjectWriter::open(&mut out);
    reply.head(&mut object, "chat.completion.chunk");
    let list = object.key("choices");
    list.push(b'[');
    let mut choice = ObjectWriter::open(list);
    choice.number("index", u64::try_from(step.choice).unwrap_or_default());
    choice.raw("delta", &step.delta);
    match &step.logprobs {
        Some(logprobs) => choice.raw("logprobs", logprobs),
        None => choice.null("logprobs"),
    };
    match step.finish {
        Some(reason) => choice.string("finish_reason", reason),
        None => choice.null("finish_reason"),
    };
    choice.close();
    list.push(b']');
    reply.sources(step.finish.is_some(), &mut object);
    if carries {
        reply.usage(&mut object);
    } else if usage == StreamUsage::Own {
        object.null("usage");
    }
    object.close();
    out.extend_from_slice(b"\n\n");
    out.into()
}

/// The chunk with the usage and no choice.
fn usage_chunk(reply: &Reply<'_>) -> bytes::Bytes {
    let mut out = b"data: ".to_vec();
    let mut object = ObjectWriter::open(&mut out);
    reply.head(&mut object, "chat.completion.chunk");
    object.raw("choices", b"[]");
    reply.usage(&mut object);
    object.close();
    out.extend_from_slice(b"\n\n");
    out.into()
}
