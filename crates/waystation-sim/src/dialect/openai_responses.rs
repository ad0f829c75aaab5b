//! OpenAI's Responses as a server: the wire of `POST …/responses`, Azure's paths included. Keeps no
//! responses, so that none can be gone on from.
//!
//! Source: <https://platform.openai.com/docs/api-reference/responses> (2026-08) and recorded replies.
//!
//! # What is read
//!
//! | member | what comes of it |
//! |---|---|
//! | `input` | a text, or items: messages, calls, results, reasoning |
//! | `instructions` | counted as input, and repeated in the response |
//! | `tools` | those of type `function`; `web_search` and its versions, which the host runs; the others are passed by |
//! | `tool_choice` | a word, a function, or `allowed_tools`, which leaves only those |
//! | `reasoning` | wanted unless `effort` is `none`; `summary` shows it |
//! | `include` | `reasoning.encrypted_content` seals reasoning, `message.output_text.logprobs` adds numbers |
//! | `text.format` | `text`, `json_object`, `json_schema` |
//! | `max_output_tokens`, `parallel_tool_calls`, `top_logprobs`, `stream` | as they say |
//! | `previous_response_id` | refused with 404: nothing is kept |
//!
//! # What is written
//!
//! The output is a list of items in the order reasoning, search, message, calls. A stream tells each with
//! `response.output_item.added`, what belongs to it, and `response.output_item.done`; around them stand
//! `response.created`, `response.in_progress` and the end. `sequence_number` counts all events from 0.
//! The events `response.completed` and `response.incomplete` hold the whole response with its usage, so
//! that a client may ignore all others. There is no `[DONE]`.
//! Source: <https://platform.openai.com/docs/api-reference/responses-streaming> (2026-08).
//!
//! A search is an item `web_search_call`, and what it found is cited in the message's `annotations`;
//! usage does not count it. Source: <https://platform.openai.com/docs/guides/tools-web-search> (2026-08).
//!
//! There is no finish reason: `status` is `completed` whether tools are called or not, and `incomplete`
//! with `incomplete_details.reason` `max_output_tokens` where the limit came. A result of a tool names
//! the `call_id` (`call_…`), never the item's `id` (`fc_…`).
//!
//! Errors are those of chat completions, with `param` and `code`. A scripted cut before the last event
//! leaves a client without usage and without an end, which is the case worth testing.

mod item;
mod request;
mod stream;

use http::{HeaderName, StatusCode};
use waystation_core::{FinishReason, Json, ObjectWriter};

use super::{
    Dialect,
    answer::{Answer, CREATED, array, object},
    envelope,
};
use crate::{SimReply, simulator::Arrival};
use item::Item;
use request::Question;

/// The wire.
pub(super) struct OpenAiResponses;

/// An answer with what the wire wants to know of the question.
struct Reply<'a> {
    answer: Answer<'a>,
    question: Shape<'a>,
}

/// What shapes the reply beside the answer itself.
struct Shape<'a> {
    /// The request's body, of which the response repeats members.
    body: Json<'a>,
    /// A stream is wanted.
    stream: bool,
    /// Reasoning is summarised.
    summary: bool,
    /// Reasoning comes sealed too.
    sealed: bool,
    /// Log probabilities are wanted, with so many alternatives.
    logprobs: Option<u64>,
}

/// How far a response has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing is there yet.
    Begun,
    /// Everything is.
    Ended,
}

// === impl OpenAiResponses ===

impl Dialect for OpenAiResponses {
    fn serves(&self, path: &str) -> bool {
        path.ends_with("/responses")
    }

    fn answer(&self, arrival: &Arrival<'_>) -> SimReply {
        let Question { asked, shape } = match request::read(arrival, self.model(arrival)) {
            Ok(question) => question,
            Err(refusal) => return envelope::write(&refusal),
        };
        let tempo = arrival.tempo(&asked.model);
        let reply = Reply {
            answer: Answer::to(&asked, 0),
            question: shape,
        };
        let written = if reply.question.stream {
            stream::write(&reply, tempo)
        } else {
            let mut out = Vec::with_capacity(2048);
            reply.response(Stage::Ended, &mut out);
            reply.answer.whole(out, tempo)
        };
        let id = format!("req_sim{:016x}", reply.answer.id);
        written.with_header(HeaderName::from_static("x-request-id"), &id)
    }

    fn error(&self, status: StatusCode, message: &str) -> SimReply {
        envelope::of_status(status, message)
    }
}

// === impl Reply ===

impl Reply<'_> {
    /// The items of the output, in order.
    fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        if !self.answer.said.reasoning.is_empty() {
            items.push(Item::Reasoning);
        }
        if self.answer.said.search.is_some() {
            items.push(Item::Search);
        }
        if self.answer.text().is_some() {
            items.push(Item::Message);
        }
        items.extend((0..self.answer.said.calls.len()).map(Item::Call));
        items
    }

    /// Whether the limit on output ended it.
    fn is_cut(&self) -> bool {
        self.answer.said.finish == FinishReason::Length
    }

    /// The response object.
    fn response(&self, stage: Stage, out: &mut Vec<u8>) {
        let ended = stage == Stage::Ended;
        object(out, |object| {
            object
                .string("id", &format!("resp_sim{:016x}", self.answer.id))
                .string("object", "response")
                .number("created_at", CREATED);
            let status = match (ended, self.is_cut()) {
                (false, _) => "in_progress",
                (true, true) => "incomplete",
                (true, false) => "completed",
            };
            object
                .string("status", status)
                .bool("background", false)
                .null("error");
            if ended && self.is_cut() {
                let mut details = object.object("incomplete_details");
                details.string("reason", "max_output_tokens");
                details.close();
            } else {
                object.null("incomplete_details");
            }
            object.string("model", &self.answer.asked.model);
            let items = if ended { self.items() } else { Vec::new() };
            let places = items.iter().enumerate();
            array(object.key("output"), places, |(place, item), out| {
                item.write(self, place, Stage::Ended, out);
            });
            self.echo(object);
            if ended {
                self.usage(object);
            } else {
                object.null("usage");
            }
        });
    }

    /// Members that the response repeats from the request, or else their defaults.
    fn echo(&self, object: &mut ObjectWriter<'_>) {
        const DEFAULTS: &[(&str, &str)] = &[
            ("instructions", "null"),
            ("max_output_tokens", "null"),
            ("max_tool_calls", "null"),
            ("metadata", "{}"),
            ("parallel_tool_calls", "true"),
            ("previous_response_id", "null"),
            ("prompt_cache_key", "null"),
            ("reasoning", r#"{"effort":null,"summary":null}"#),
            ("safety_identifier", "null"),
            ("store", "true"),
            ("temperature", "1.0"),
            ("text", r#"{"format":{"type":"text"},"verbosity":"medium"}"#),
            ("tool_choice", "\"auto\""),
            ("tools", "[]"),
            ("top_logprobs", "0"),
            ("top_p", "1.0"),
            ("truncation", "\"disabled\""),
            ("user", "null"),
        ];
        object.string("service_tier", "default");
        for (key, default) in DEFAULTS {
            let sent = self.question.body.get(key).filter(|sent| !sent.is_null());
            object.raw(key, sent.map_or(default.as_bytes(), Json::bytes));
        }
    }

    /// `usage`, with the details that OpenAI gives.
    fn usage(&self, object: &mut ObjectWriter<'_>) {
        let (input, output) = (self.answer.asked.prompt_tokens, self.answer.said.tokens());
        let mut usage = object.object("usage");
        usage.number("input_tokens", input);
        let mut details = usage.object("input_tokens_details");
        details.number("cached_tokens", 0);
        details.close();
        usage.number("output_tokens", output);
        let mut details = usage.object("output_tokens_details");
        details.number("reasoning_tokens", self.answer.thoughts());
        details.close();
        usage.number("total_tokens", input + output);
        usage.close();
    }
}

#[cfg(test)]
mod tests;
