//! A whole reply as one `chat.completion`. Source: API contract, sections 1.7 and 13.

use waystation_core::{Answer, AnswerChoice, JsonText, ObjectWriter, write_number};
use waystation_gateway::{Reply, Settled};

use super::{METADATA, Metadata, buffer, buffer::Lent};

/// Writes the completion, with metadata where the client wishes it.
#[must_use]
pub(crate) fn completion(
    reply: &Reply,
    answer: &Answer,
    settled: &Settled,
    metadata: Option<&Metadata>,
) -> Lent {
    buffer::written(room(settled), |out| {
        write(out, (reply, answer), settled, metadata);
    })
}

fn write(
    out: &mut Vec<u8>,
    (reply, answer): (&Reply, &Answer),
    settled: &Settled,
    metadata: Option<&Metadata>,
) {
    let mut object = ObjectWriter::open(out);
    object
        .plain("id", reply.id.as_str())
        .string("provider", &reply.provider)
        .plain("model", reply.model.as_str());
    let more = object.more();
    more.extend_from_slice(br#","object":"chat.completion","created":"#);
    write_number(reply.created.seconds(), more);
    more.extend_from_slice(br#","system_fingerprint":"#);
    or_null(answer.start.system_fingerprint.as_ref(), more);
    if let Some(tier) = &answer.start.service_tier {
        object.text("service_tier", tier);
    }
    let list = object.key("choices");
    list.push(b'[');
    for (place, choice) in answer.choices.iter().enumerate() {
        if place > 0 {
            list.push(b',');
        }
        write_choice(choice, list);
    }
    list.push(b']');
    super::write_usage(settled, object.key("usage"));
    if let Some(metadata) = metadata {
        object.raw(METADATA, &metadata.served(reply, settled));
    }
    object.close();
}

/// What is allocated for a reply: its frame, and its text at the length that tokens usually have.
fn room(settled: &Settled) -> usize {
    let tokens = settled.usage.completion.get().min(MOST_EXPECTED);
    let text = usize::try_from(tokens).unwrap_or_default();
    FRAME + BYTES_PER_TOKEN * text
}

/// The bytes of a reply without its text, about.
const FRAME: usize = 900;
/// Of text, with its escapes.
const BYTES_PER_TOKEN: usize = 5;
/// Whoever says more than that is not believed: the text is at hand, and room for it is made as it comes.
const MOST_EXPECTED: u64 = 8 * 1024;

/// A text that is escaped already, or `null`.
fn or_null(text: Option<&JsonText>, out: &mut Vec<u8>) {
    match text {
        Some(text) => {
            out.push(b'"');
            out.extend_from_slice(text.escaped());
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
}

fn write_choice(choice: &AnswerChoice, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"index":"#);
    write_number(choice.index.into(), out);
    match &choice.finish {
        Some(finish) => {
            out.extend_from_slice(br#","finish_reason":""#);
            out.extend_from_slice(finish.reason.as_str().as_bytes());
            out.extend_from_slice(br#"","native_finish_reason":"#);
            or_null(finish.native.as_ref(), out);
        }
        None => out.extend_from_slice(br#","finish_reason":null,"native_finish_reason":null"#),
    }
    out.extend_from_slice(br#","logprobs":"#);
    match choice.logprobs() {
        Some(logprobs) => out.extend_from_slice(logprobs.bytes()),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(br#","message":"#);
    write_message(choice, out);
    out.push(b'}');
}

fn write_message(choice: &AnswerChoice, out: &mut Vec<u8>) {
    let mut message = ObjectWriter::open(out);
    message.fixed(r#""role":"assistant""#);
    let more = message.more();
    let (content, refusal) = (choice.content(), choice.refusal());
    more.extend_from_slice(br#","content":"#);
    // `content` is null beside tool calls and refusals, and an empty string otherwise.
    if content.is_none() && choice.tool_calls.is_empty() && refusal.is_none() {
        more.extend_from_slice(br#""""#);
    } else {
        or_null(content.as_ref(), more);
    }
    more.extend_from_slice(br#","refusal":"#);
    or_null(refusal.as_ref(), more);
    more.extend_from_slice(br#","reasoning":"#);
    or_null(choice.reasoning().as_ref(), more);
    for (key, value) in [
        ("reasoning_details", choice.reasoning_details()),
        ("annotations", choice.annotations()),
        ("images", choice.images()),
        ("audio", choice.audio()),
    ] {
        if let Some(value) = value {
            message.json(key, &value);
        }
    }
    if !choice.tool_calls.is_empty() {
        write_calls(choice, message.key("tool_calls"));
    }
    message.close();
}

fn write_calls(choice: &AnswerChoice, out: &mut Vec<u8>) {
    out.push(b'[');
    for (place, call) in choice.tool_calls.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        let mut object = ObjectWriter::open(out);
        object
            .text("id", &call.id)
            .string("type", "function")
            .number("index", call.index.into());
        let mut function = object.object("function");
        function
            .text("name", &call.name)
            .text("arguments", &call.arguments());
        function.close();
        object.close();
    }
    out.push(b']');
}
