//! Writes a whole chat completion.
//!
//! It says what the stream of the same request says, joined: the same words, ids of calls, reasons and
//! counts. `choices` are in the order of their `index`, and the reply is due when the longest of them
//! would have been finished, since a host makes them side by side.

use http::StatusCode;
use waystation_core::ObjectWriter;

use super::Reply;
use crate::{
    SimReply,
    mind::{self, Said},
    pacing::Tempo,
};

/// The reply, due when its last token would have come.
pub(super) fn write(reply: &Reply<'_>, tempo: Tempo) -> SimReply {
    let mut out = Vec::with_capacity(1024);
    let mut object = ObjectWriter::open(&mut out);
    reply.head(&mut object, "chat.completion");
    let list = object.key("choices");
    list.push(b'[');
    for (at, said) in reply.said.iter().enumerate() {
        if at > 0 {
            list.push(b',');
        }
        choice(reply, at, said, list);
    }
    list.push(b']');
    reply.sources(true, &mut object);
    reply.usage(&mut object);
    object.close();
    let longest = reply
        .said
        .iter()
        .map(Said::tokens)
        .max()
        .unwrap_or_default();
    let bytes = usize::try_from(longest * 4).unwrap_or(usize::MAX);
    let mut whole = SimReply::json(StatusCode::OK, out);
    whole.delay = tempo.first() + tempo.text(bytes);
    whole
}

/// One entry of `choices`: the message, log probabilities where they were asked for, the finish
/// reason. `content` is `null` beside tool calls, as on the real wire.
fn choice(reply: &Reply<'_>, at: usize, said: &Said, out: &mut Vec<u8>) {
    let mut choice = ObjectWriter::open(out);
    choice.number("index", u64::try_from(at).unwrap_or_default());
    let mut message = choice.object("message");
    message.string("role", "assistant");
    match &said.text {
        Some(text) => message.string("content", text),
        None => message.null("content"),
    };
    if let Some(key) = reply.reasoning_key().filter(|_| !said.reasoning.is_empty()) {
        message.string(key, &said.reasoning);
    }
    if !said.calls.is_empty() {
        let list = message.key("tool_calls");
        list.push(b'[');
        for (place, call) in said.calls.iter().enumerate() {
            if place > 0 {
                list.push(b',');
            }
            let mut object = ObjectWriter::open(list);
            object
                .string("id", &reply.call_id(at, place))
                .string("type", "function");
            let mut function = object.object("function");
            function
                .string("name", &call.name)
                .string("arguments", &call.arguments);
            function.close();
            object.close();
        }
        list.push(b']');
    }
    message.null("refusal");
    reply.annotations(said, message.key("annotations"));
    message.close();
    match (reply.question.logprobs, &said.text) {
        (Some(top), Some(text)) => {
            reply.logprobs(top, mind::pieces(text), choice.key("logprobs"));
        }
        _ => {
            choice.null("logprobs");
        }
    }
    choice.string("finish_reason", said.finish.as_str());
    choice.close();
}
