//! A whole reply as one `chat.completion`. Source: API contract, sections 1.7 and 13.

use waystation_core::{Answer, AnswerChoice, ObjectWriter};
use waystation_gateway::{Reply, Settled};

use super::{METADATA, Metadata};

/// Writes the completion, with metadata where the client wishes it.
#[must_use]
pub fn completion(
    reply: &Reply,
    answer: &Answer,
    settled: &Settled,
    metadata: Option<&Metadata>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(3 * 1024);
    let mut object = ObjectWriter::open(&mut out);
    object
        .plain("id", reply.id.as_str())
        .string("provider", &reply.provider)
        .plain("model", reply.model.as_str())
        .fixed(r#""object":"chat.completion""#)
        .number("created", reply.created.seconds());
    match &answer.start.system_fingerprint {
        Some(fingerprint) => object.text("system_fingerprint", fingerprint),
        None => object.null("system_fingerprint"),
    };
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
    out
}

fn write_choice(choice: &AnswerChoice, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    object.number("index", choice.index.into());
    match &choice.finish {
        Some(finish) => {
            object.plain("finish_reason", finish.reason.as_str());
            match &finish.native {
                Some(native) => object.text("native_finish_reason", native),
                None => object.null("native_finish_reason"),
            };
        }
        None => {
            object.fixed(r#""finish_reason":null,"native_finish_reason":null"#);
        }
    }
    match choice.logprobs() {
        Some(logprobs) => object.json("logprobs", &logprobs),
        None => object.null("logprobs"),
    };
    write_message(choice, object.key("message"));
    object.close();
}

fn write_message(choice: &AnswerChoice, out: &mut Vec<u8>) {
    let mut message = ObjectWriter::open(out);
    message.fixed(r#""role":"assistant""#);
    // `content` is null beside tool calls and refusals, and an empty string otherwise.
    match choice.content() {
        Some(content) => message.text("content", &content),
        None if choice.tool_calls.is_empty() && choice.refusal().is_none() => {
            message.string("content", "")
        }
        None => message.null("content"),
    };
    match choice.refusal() {
        Some(refusal) => message.text("refusal", &refusal),
        None => message.null("refusal"),
    };
    match choice.reasoning() {
        Some(reasoning) => message.text("reasoning", &reasoning),
        None => message.null("reasoning"),
    };
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
