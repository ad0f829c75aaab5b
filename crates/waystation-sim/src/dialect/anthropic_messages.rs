//! Anthropic's Messages as a server: the wire of `POST …/v1/messages`, and of the same on Vertex,
//! where the address names the model and whether to stream. Of Anthropic's own tools it acts out the
//! search of the web.
//!
//! Source: <https://platform.claude.com/docs/en/api/messages> (2026-08),
//! <https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude> (2026-08) and
//! recorded replies.
//!
//! # What is read
//!
//! | member | what comes of it |
//! |---|---|
//! | `max_tokens` | has to be there; the limit on thinking and words together |
//! | `messages` | turns of `user` and `assistant`; results of tools are blocks of a user's turn |
//! | `system` | counted as input, and no more |
//! | `tools` | those without a `type`, or with `custom`; `web_search_…`, which the host runs; the others are passed by |
//! | `tool_choice` | `auto`, `any`, `none` or `tool` with a `name`; `disable_parallel_tool_use` |
//! | `thinking` | `enabled` with `budget_tokens`, `adaptive`, `disabled`; `display: omitted` hides the text |
//! | `output_config.format` | its `schema` decides the words |
//! | `stop_sequences`, `stream` | as they say |
//!
//! # What is written
//!
//! A stream has `message_start` (with the input's count), then for each block `content_block_start`,
//! `content_block_delta`s and `content_block_stop`, then `message_delta` with the reason and the final
//! counts, then `message_stop`. Each event has its name twice: in the line `event:` and in `type`.
//! Blocks come in the order thinking, search and its results, text, `tool_use`; `index` counts all of them. Thinking ends
//! with exactly one `signature_delta`, and a call's first `partial_json` is empty.
//! A search is a `server_tool_use` with its input in pieces and a `web_search_tool_result` that comes
//! whole. Words that cite are blocks of their own, whose `citations_delta` stands in front.
//! Source: <https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool> (2026-08).
//! Source of the order: <https://platform.claude.com/docs/en/build-with-claude/streaming> (2026-08).
//!
//! Usage counts input apart from what caches gave (always 0 here); the count in `message_start` is 1,
//! the one in `message_delta` covers everything, thinking included. That one counts searches too.
//!
//! Errors are `{"type":"error","error":{"type","message"},"request_id"}`. The wire has no place for
//! the offending member, so that the message names it. A scripted status gets the word that belongs
//! to it: 429 `rate_limit_error`, 529 `overloaded_error`. Scripts count `ping` as an event.

mod block;
mod request;

use std::borrow::Cow;

use http::{HeaderName, StatusCode};
use waystation_core::{FinishReason, Json, ObjectWriter};

use super::{
    Dialect,
    answer::{Answer, Flow, array, event, object},
    path,
};
use crate::{SimReply, pacing::Tempo, simulator::Arrival};
use block::Block;

/// The wire.
pub(super) struct AnthropicMessages;

/// An answer with what the wire wants to know of the question.
struct Reply<'a> {
    answer: Answer<'a>,
    /// Whether the text of thinking is shown.
    shown: bool,
}

/// The verbs that end an address on Vertex.
const VERBS: [&str; 2] = [":rawPredict", ":streamRawPredict"];

// === impl AnthropicMessages ===

impl Dialect for AnthropicMessages {
    fn serves(&self, path: &str) -> bool {
        path.ends_with("/messages") || VERBS.iter().any(|verb| path.ends_with(verb))
    }

    fn model<'a>(&self, arrival: &Arrival<'a>) -> Cow<'a, str> {
        let body = arrival.body.as_ref().ok();
        let named = body.and_then(|body| body.get("model"));
        let named = named.and_then(Json::string);
        named
            .or_else(|| path::model(arrival.path))
            .unwrap_or_default()
    }

    fn streams(&self, arrival: &Arrival<'_>) -> bool {
        let body = arrival.body.as_ref().ok();
        let stream = body.and_then(|body| body.get("stream"));
        arrival.path.ends_with(":streamRawPredict") || stream.and_then(Json::bool) == Some(true)
    }

    fn answer(&self, arrival: &Arrival<'_>) -> SimReply {
        let (asked, shown) = match request::read(arrival, self.model(arrival)) {
            Ok(question) => question,
            Err(refusal) => return self.error(refusal.status, &refusal.told()),
        };
        let tempo = arrival.tempo(&asked.model);
        let answer = Answer::in_objects(&asked, 0);
        let reply = Reply { answer, shown };
        let written = if self.streams(arrival) {
            reply.stream(tempo)
        } else {
            reply.whole(tempo)
        };
        written.with_header(REQUEST_ID, &format!("req_sim{:016x}", reply.answer.id))
    }

    /// Source of the words: <https://platform.claude.com/docs/en/api/errors> (2026-08).
    fn error(&self, status: StatusCode, message: &str) -> SimReply {
        let kind = match status.as_u16() {
            401 => "authentication_error",
            402 => "billing_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            504 => "timeout_error",
            529 => "overloaded_error",
            400..=499 => "invalid_request_error",
            _ => "api_error",
        };
        let mut out = Vec::new();
        object(&mut out, |body| {
            body.string("type", "error");
            let mut error = body.object("error");
            error.string("type", kind).string("message", message);
            error.close();
            body.string("request_id", "req_simulated");
        });
        SimReply::json(status, out).with_header(REQUEST_ID, "req_simulated")
    }
}

/// The header with the request's id.
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

// === impl Reply ===

impl Reply<'_> {
    /// The blocks of the content, in order.
    fn blocks(&self) -> Vec<Block<'_>> {
        let said = &self.answer.said;
        let mut blocks = Vec::new();
        if !said.reasoning.is_empty() {
            let text = if self.shown { &*said.reasoning } else { "" };
            blocks.push(Block::Thinking(text, self.answer.seal()));
        }
        if let Some(search) = &said.search {
            let id = format!("srvtoolu_sim{:012x}", self.answer.name(64));
            blocks.push(Block::Search(id.clone(), &search.query));
            blocks.push(Block::Found(id, &search.sources, self.answer.seal()));
        }
        match (self.answer.text(), &said.search) {
            (Some(text), Some(search)) if !text.is_empty() => {
                let runs = search.runs(text).into_iter();
                blocks.extend(runs.map(|(run, source)| match source {
                    Some(source) => Block::Cited(run, source, self.answer.seal()),
                    None => Block::Text(run),
                }));
            }
            (text, _) => blocks.extend(text.map(Block::Text)),
        }
        let calls = said.calls.iter().enumerate();
        blocks.extend(calls.map(|(nth, call)| {
            let id = format!("toolu_sim{:012x}", self.answer.name(nth));
            Block::ToolUse(id, call)
        }));
        blocks
    }

    /// The message whole.
    fn whole(&self, tempo: Tempo) -> SimReply {
        let mut out = Vec::with_capacity(1024);
        object(&mut out, |object| {
            self.head(object);
            array(object.key("content"), self.blocks(), |block, out| {
                block.write(out);
            });
            self.stop(object);
            self.usage(None, object);
        });
        self.answer.whole(out, tempo)
    }

    /// The message as a stream: its start, each block with its pieces, how it ended, its stop. A
    /// ping follows the first block's start, as it mostly does.
    fn stream(&self, tempo: Tempo) -> SimReply {
        let mut flow = Flow::sse(tempo);
        let start = named("message_start", |object| {
            let mut message = object.object("message");
            self.head(&mut message);
            message.raw("content", b"[]");
            message.null("stop_reason").null("stop_sequence");
            self.usage(Some(1), &mut message);
            message.close();
        });
        flow.push(0, start);
        for (index, block) in (0..).zip(self.blocks()) {
            let begun = named("content_block_start", |object| {
                object.number("index", index);
                block.begin(object.key("content_block"));
            });
            flow.push(0, begun);
            if index == 0 {
                flow.push(0, named("ping", |_| {}));
            }
            for (bytes, delta) in block.deltas() {
                let piece = named("content_block_delta", |object| {
                    object.number("index", index).raw("delta", &delta);
                });
                flow.push(bytes, piece);
            }
            let ended = named("content_block_stop", |object| {
                object.number("index", index);
            });
            flow.push(0, ended);
        }
        let end = named("message_delta", |object| {
            let mut delta = object.object("delta");
            self.stop(&mut delta);
            delta.close();
            self.usage(None, object);
        });
        flow.push(0, end);
        flow.push(0, named("message_stop", |_| {}));
        flow.close()
    }

    /// The members that a message begins with.
    fn head(&self, object: &mut ObjectWriter<'_>) {
        object
            .string("id", &format!("msg_sim{:016x}", self.answer.id))
            .string("type", "message")
            .string("role", "assistant")
            .string("model", &self.answer.asked.model);
    }

    /// Why it ended.
    fn stop(&self, object: &mut ObjectWriter<'_>) {
        let said = &self.answer.said;
        let reason = match (said.finish, &said.stopped) {
            (FinishReason::Length, _) => "max_tokens",
            (FinishReason::ToolCalls, _) => "tool_use",
            (_, Some(_)) => "stop_sequence",
            _ => "end_turn",
        };
        object.string("stop_reason", reason);
        match &said.stopped {
            Some(stop) => object.string("stop_sequence", stop),
            None => object.null("stop_sequence"),
        };
    }

    /// `usage` after so many tokens of output; of the whole message when none are named.
    fn usage(&self, begun: Option<u64>, object: &mut ObjectWriter<'_>) {
        let output = begun.unwrap_or_else(|| self.answer.said.tokens());
        let thoughts = self.answer.thoughts();
        let mut usage = object.object("usage");
        usage
            .number("input_tokens", self.answer.asked.prompt_tokens)
            .number("cache_creation_input_tokens", 0)
            .number("cache_read_input_tokens", 0)
            .number("output_tokens", output);
        if thoughts > 0 && output >= thoughts {
            let mut details = usage.object("output_tokens_details");
            details.number("thinking_tokens", thoughts);
            details.close();
        }
        if begun.is_none() && self.answer.said.search.is_some() {
            let mut tools = usage.object("server_tool_use");
            tools
                .number("web_search_requests", 1)
                .number("web_fetch_requests", 0);
            tools.close();
        }
        usage.string("service_tier", "standard");
        usage.close();
    }
}

/// One event, whose data repeats its name.
fn named(name: &str, write: impl FnOnce(&mut ObjectWriter<'_>)) -> Vec<u8> {
    event(name, |object| {
        object.string("type", name);
        write(object);
    })
}

#[cfg(test)]
mod tests;
