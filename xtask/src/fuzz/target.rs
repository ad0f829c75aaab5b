//! What is fuzzed, and the laws that every input is held to. Nothing here makes inputs: `cargo xtask
//! fuzz` mutates seeds, and the cargo-fuzz targets in `fuzz/` are driven by libFuzzer.
//!
//! An input for a dialect begins with two bytes: what the head says of the reply, and how long the
//! pieces are into which it is cut the second time. The rest is the body; for a stream of AWS frames
//! it is lines of an event's type and its payload, which are framed here, for no mutation finds the
//! checksums.

// The transport's own files: a dependency would bring its clients and TLS along.
#[path = "../../../crates/waystation-transport/src/http1/field.rs"]
mod field;
#[path = "../../../crates/waystation-transport/src/http1/framing.rs"]
mod framing;
#[path = "target/function.rs"]
mod function;
#[path = "../../../crates/waystation-transport/src/http1/head.rs"]
mod head;
#[path = "target/host.rs"]
mod host;
#[path = "target/http1_request.rs"]
mod http1_request;
#[path = "target/reply.rs"]
mod reply;
#[path = "target/request.rs"]
mod request;
// The server's own file, for the same reason.
#[path = "../../../crates/waystation-server/src/connection/http1/head.rs"]
mod request_head;

use std::{collections::BTreeSet, fmt::Debug};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use waystation_core::{ChatEvent, ChatRequest, Headers, ReplyHead, UpstreamError};
use waystation_providers::{FrameParser, SseParser, codec};

use host::Host;

/// The parsers below the dialects.
const PARSERS: [&str; 4] = ["sse", "eventstream", "http1-reply", "http1-request"];

/// Bodies of requests, and the plain functions of the plugins.
const FUNCTIONS: [&str; 6] = ["request", "heal", "compress", "read", "rtf", "office"];

/// How a reply ended, and what it said until then.
type Heard = (Vec<ChatEvent>, Result<(), UpstreamError>);

/// Every target: the parsers, requests, the functions of plugins, and the reader of every dialect.
pub fn names() -> Vec<&'static str> {
    let dialects = waystation_providers::DIALECTS.iter().map(|(name, _)| *name);
    let own = PARSERS.into_iter().chain(FUNCTIONS);
    own.chain(dialects).collect()
}

/// Runs one input through one target; says which law it breaks. Panics are for the caller to catch.
pub fn run(name: &str, input: &[u8]) -> Result<(), String> {
    match name {
        "sse" => same("sse", |size| events(input, size)),
        "eventstream" => same("eventstream", |size| frames(input, size)),
        "request" => request::request(input),
        "heal" => function::healed(input),
        "compress" => function::compressed(input),
        "read" => function::read(input),
        "rtf" => function::rtf(input),
        "office" => function::office(input),
        "http1-reply" => reply::held(input),
        "http1-request" => http1_request::held(input),
        dialect => reader(dialect, input),
    }
}

/// Cutting: any partition of the bytes comes to the same.
fn same<T: PartialEq + Debug>(what: &str, read: impl Fn(usize) -> T) -> Result<(), String> {
    let whole = read(usize::MAX);
    for size in [1, 3, 64] {
        let cut = read(size);
        if cut != whole {
            return Err(format!("{what} by {size}: {cut:?}\nis not {whole:?}"));
        }
    }
    Ok(())
}

fn events(input: &[u8], size: usize) -> Vec<String> {
    let mut parser = SseParser::with_limit(4096);
    let mut found = Vec::new();
    for piece in input.chunks(size) {
        parser.push(&Bytes::copy_from_slice(piece));
        loop {
            match parser.next_event() {
                Ok(Some(event)) => found.push(format!("{event:?}")),
                Ok(None) => break,
                // How much of an event was there when it grew too long depends on the cut.
                Err(_) => return found,
            }
        }
    }
    if let Ok(Some(event)) = parser.finish() {
        found.push(format!("{event:?}"));
    }
    found
}

fn frames(input: &[u8], size: usize) -> Vec<String> {
    let mut parser = FrameParser::default();
    let mut found = Vec::new();
    for piece in input.chunks(size) {
        parser.push(&Bytes::copy_from_slice(piece));
        loop {
            match parser.next_frame() {
                Ok(Some(frame)) => found.push(format!("{frame:?}")),
                Ok(None) => break,
                Err(error) => {
                    found.push(error.to_string());
                    return found;
                }
            }
        }
    }
    found.push(parser.finish().is_ok().to_string());
    found
}

/// Holds the reader of a dialect to its laws: cutting, and the order of what it gives out.
fn reader(dialect: &str, input: &[u8]) -> Result<(), String> {
    let [how, pieces, body @ ..] = input else {
        return Ok(());
    };
    let aws = dialect == "bedrock-converse";
    let (status, kind) = match (how % 4, aws) {
        (0, true) => (StatusCode::OK, "application/vnd.amazon.eventstream"),
        (0, false) => (StatusCode::OK, "text/event-stream"),
        (1, _) => (StatusCode::OK, "application/json"),
        (2, _) => (StatusCode::TOO_MANY_REQUESTS, "application/json"),
        _ => (StatusCode::OK, ""),
    };
    let framed = if aws && how % 4 == 0 {
        framed(body)
    } else {
        body.to_vec()
    };
    let mut headers = Headers::default();
    if !kind.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    let head = ReplyHead { status, headers };
    let whole = hear(dialect, &head, &framed, usize::MAX)?;
    let cut = hear(dialect, &head, &framed, usize::from(pieces % 97) + 1)?;
    if cut != whole {
        return Err(format!("cut: {cut:?}\nwhole: {whole:?}"));
    }
    ordered(&whole)
}

/// Reads a reply in pieces of `size` bytes.
fn hear(dialect: &str, head: &ReplyHead, body: &[u8], size: usize) -> Result<Heard, String> {
    let host = Host::of(dialect)?;
    let ask = br#"{"messages":[{"role":"user","content":"Hi"}],"stream":true,"tools":[{"type":"function","function":{"name":"f"}}]}"#;
    let ask = ChatRequest::parse(&Bytes::from_static(ask)).map_err(|e| e.to_string())?;
    let codec = codec(&host.endpoint.dialect).ok_or("no such dialect")?;
    let mut reader = codec
        .encode(&ask, &host.target())
        .map_err(|error| error.to_string())?
        .reader;
    let mut out = Vec::new();
    let mut read = || {
        reader.head(head)?;
        for piece in body.chunks(size) {
            reader.push(&Bytes::copy_from_slice(piece), &mut out)?;
        }
        reader.finish(&mut out)
    };
    let ended = read();
    Ok((out, ended))
}

/// Ending: a choice's finish comes once and behind its deltas, counts come last, and a reply that ended
/// well has a finish. Calls are counted from 0 and named once.
fn ordered((events, ended): &Heard) -> Result<(), String> {
    let mut finished = Vec::new();
    let mut calls = BTreeSet::new();
    let mut counted = false;
    for event in events {
        if counted {
            return Err(format!("behind the counts: {event:?}"));
        }
        match event {
            ChatEvent::Delta(delta) => {
                if finished.contains(&delta.choice) {
                    return Err(format!("behind its finish: {delta:?}"));
                }
                for call in &delta.tool_calls {
                    // A host's own order stands: a call whose name was lost is told at the end.
                    let fresh = calls.insert((delta.choice, call.index));
                    if fresh != call.id.is_some() || fresh != call.name.is_some() {
                        return Err(format!("a call named twice or never: {call:?}"));
                    }
                }
            }
            ChatEvent::Finish(finish) => {
                if finished.contains(&finish.choice) {
                    return Err(format!("a second finish: {finish:?}"));
                }
                finished.push(finish.choice);
            }
            ChatEvent::Usage(_) => counted = true,
            _ => {}
        }
    }
    if ended.is_ok() && finished.is_empty() {
        return Err(format!("ended well without a finish: {events:?}"));
    }
    if ended.is_err() && (counted || !finished.is_empty()) {
        return Err(format!("a failed reply with an end: {events:?}"));
    }
    Ok(())
}

/// Lines of a type and a payload as frames of AWS with the right checksums.
fn framed(lines: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let space = line.iter().position(|byte| *byte == b' ');
        let (name, payload) = line.split_at(space.unwrap_or(0));
        frame(name, payload.trim_ascii_start(), &mut out);
    }
    out
}

fn frame(name: &[u8], payload: &[u8], out: &mut Vec<u8>) {
    let name = name.get(..name.len().min(255)).unwrap_or_default();
    let mut headers = Vec::new();
    for (key, value) in [
        (b":message-type".as_slice(), b"event".as_slice()),
        (b":event-type".as_slice(), name),
    ] {
        headers.push(u8::try_from(key.len()).unwrap_or_default());
        headers.extend_from_slice(key);
        headers.push(7);
        headers.extend_from_slice(&u16::try_from(value.len()).unwrap_or_default().to_be_bytes());
        headers.extend_from_slice(value);
    }
    let length = |size: usize| u32::try_from(size).unwrap_or_default().to_be_bytes();
    let start = out.len();
    out.extend_from_slice(&length(16 + headers.len() + payload.len()));
    out.extend_from_slice(&length(headers.len()));
    let prelude = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&prelude.to_be_bytes());
    out.extend_from_slice(&headers);
    out.extend_from_slice(payload);
    let all = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&all.to_be_bytes());
}
