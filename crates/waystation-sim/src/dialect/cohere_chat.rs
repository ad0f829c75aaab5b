//! Cohere's chat, version 2, as a server: the wire of `POST …/v2/chat`. Cites nothing, and gives no
//! log probabilities.
//!
//! Source: <https://docs.cohere.com/reference/chat> (2026-08) and recorded replies.
//!
//! # What is read
//!
//! | member | what comes of it |
//! |---|---|
//! | `messages` | roles `system`, `developer`, `user`, `assistant`, `tool`; a tool's result needs `tool_call_id` |
//! | `documents` | counted as input; nothing is cited |
//! | `tools` | functions; an absent schema means no arguments |
//! | `tool_choice` | `REQUIRED` (which needs `tools`) or `NONE`; absent, the model decides |
//! | `response_format` | JSON, with a schema or without |
//! | `thinking` | `enabled`, unless `token_budget` is 0, or `disabled` |
//! | `max_tokens`, `stop_sequences`, `stream` | as they say |
//!
//! # What is written
//!
//! A stream is `message-start`, then `tool-plan-delta`s, then each part of the content as
//! `content-start`, `content-delta`s and `content-end`, then each call as `tool-call-start`,
//! `tool-call-delta`s and `tool-call-end`, then `message-end` with `finish_reason` and `usage`, then
//! `data: [DONE]`. Parts and calls count their `index` apart.
//! Source: <https://docs.cohere.com/docs/streaming> (2026-08).
//!
//! Before it calls tools, a model that does not think says what it plans; the plan is left out where
//! the limit has no room for it. Beside calls there is no text; thoughts alone make a `content`.
//!
//! Usage comes twice: `billed_units`, and `tokens`, which the gateway counts; here both are the same,
//! except that only `tokens` tells reasoning apart.
//!
//! Errors are `{"id","message"}`, and nothing more: the status alone says what kind they are.

mod request;

use http::StatusCode;
use waystation_core::{FinishReason, ObjectWriter};

use super::{
    Dialect,
    answer::{Answer, Flow, array, event, object},
};
use crate::{
    SimReply,
    asked::tokens,
    mind::{self, Called},
    pacing::Tempo,
    reply::sse_event,
    simulator::Arrival,
};

/// The wire.
pub(super) struct CohereChat;

/// An answer, and what the model says before it calls tools.
struct Reply<'a> {
    answer: Answer<'a>,
    /// The plan, on models that do not think instead.
    plan: Option<String>,
}

// === impl CohereChat ===

impl Dialect for CohereChat {
    fn serves(&self, path: &str) -> bool {
        path.ends_with("/v2/chat")
    }

    fn answer(&self, arrival: &Arrival<'_>) -> SimReply {
        let asked = match request::read(arrival, self.model(arrival)) {
            Ok(asked) => asked,
            Err(refusal) => return self.error(refusal.status, &refusal.told()),
        };
        let tempo = arrival.tempo(&asked.model);
        let reply = Reply::of(Answer::to(&asked, 0));
        if self.streams(arrival) {
            reply.stream(tempo)
        } else {
            reply.whole(tempo)
        }
    }

    fn error(&self, status: StatusCode, message: &str) -> SimReply {
        let mut out = Vec::new();
        object(&mut out, |body| {
            body.string("id", &uuid(0, u64::from(status.as_u16())))
                .string("message", message);
        });
        SimReply::json(status, out)
    }
}

// === impl Reply ===

impl<'a> Reply<'a> {
    /// Plans the calls of `answer`, where there is room for it.
    fn of(answer: Answer<'a>) -> Self {
        let said = &answer.said;
        let names: Vec<&str> = said.calls.iter().map(|call| &*call.name).collect();
        let plan = format!(
            "This simulated model will call {}.",
            names.join(" and then ")
        );
        let total = said.tokens() + tokens(plan.len());
        let room = answer.asked.limit.is_none_or(|limit| total <= limit);
        let plans = !names.is_empty() && said.reasoning.is_empty() && room;
        Self {
            plan: plans.then_some(plan),
            answer,
        }
    }

    /// The reply whole.
    fn whole(&self, tempo: Tempo) -> SimReply {
        let said = &self.answer.said;
        let mut out = Vec::with_capacity(1024);
        object(&mut out, |object| {
            object.string("id", &self.id());
            let mut message = object.object("message");
            message.string("role", "assistant");
            if let Some(plan) = &self.plan {
                message.string("tool_plan", plan);
            }
            if !said.calls.is_empty() {
                let calls = said.calls.iter().enumerate();
                array(message.key("tool_calls"), calls, |(nth, call), out| {
                    self.call(nth, call, &call.arguments, out);
                });
            }
            let parts = self.parts();
            if !parts.is_empty() {
                array(message.key("content"), parts, |(kind, text), out| {
                    part(kind, text, out);
                });
            }
            message.close();
            self.end(object);
        });
        self.answer.whole(out, tempo)
    }

    /// The reply as a stream: its start, thoughts, plan and calls or words, its end, `[DONE]`.
    fn stream(&self, tempo: Tempo) -> SimReply {
        let mut flow = Flow::sse(tempo);
        let start = named("message-start", None, |object| {
            object.string("id", &self.id());
            object.raw(
                "delta",
                br#"{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}"#,
            );
        });
        flow.push(0, start);
        for piece in self.plan.iter().flat_map(|plan| mind::pieces(plan)) {
            let event = within("tool-plan-delta", None, |message| {
                message.string("tool_plan", piece);
            });
            flow.push(piece.len(), event);
        }
        for (index, (kind, text)) in (0..).zip(self.parts()) {
            let start = within("content-start", Some(index), |message| {
                part(kind, "", message.key("content"));
            });
            flow.push(0, start);
            for piece in mind::pieces(text) {
                let event = within("content-delta", Some(index), |message| {
                    let mut content = message.object("content");
                    content.string(kind, piece);
                    content.close();
                });
                flow.push(piece.len(), event);
            }
            flow.push(0, named("content-end", Some(index), |_| {}));
        }
        for (index, (nth, call)) in (0..).zip(self.answer.said.calls.iter().enumerate()) {
            let start = within("tool-call-start", Some(index), |message| {
                self.call(nth, call, "", message.key("tool_calls"));
            });
            flow.push(call.name.len(), start);
            for piece in mind::pieces(&call.arguments) {
                let event = within("tool-call-delta", Some(index), |message| {
                    let mut calls = message.object("tool_calls");
                    let mut function = calls.object("function");
                    function.string("arguments", piece);
                    function.close();
                    calls.close();
                });
                flow.push(piece.len(), event);
            }
            flow.push(0, named("tool-call-end", Some(index), |_| {}));
        }
        let end = named("message-end", None, |object| {
            let mut delta = object.object("delta");
            self.end(&mut delta);
            delta.close();
        });
        flow.push(0, end);
        flow.push(0, sse_event("[DONE]"));
        flow.close()
    }

    /// The parts of the content, each with its type.
    fn parts(&self) -> Vec<(&'static str, &str)> {
        let thoughts = &*self.answer.said.reasoning;
        let thoughts = (!thoughts.is_empty()).then_some(("thinking", thoughts));
        let text = self.answer.text().map(|text| ("text", text));
        thoughts.into_iter().chain(text).collect()
    }

    /// One call, whose id begins with the function's name.
    fn call(&self, nth: usize, call: &Called, arguments: &str, out: &mut Vec<u8>) {
        object(out, |object| {
            object
                .string(
                    "id",
                    &format!("{}_sim{:012x}", call.name, self.answer.name(nth)),
                )
                .string("type", "function");
            let mut function = object.object("function");
            function
                .string("name", &call.name)
                .string("arguments", arguments);
            function.close();
        });
    }

    /// Why it ended, and the counts.
    fn end(&self, object: &mut ObjectWriter<'_>) {
        let said = &self.answer.said;
        let reason = match (said.finish, &said.stopped) {
            (FinishReason::Length, _) => "MAX_TOKENS",
            (FinishReason::ToolCalls, _) => "TOOL_CALL",
            (_, Some(_)) => "STOP_SEQUENCE",
            _ => "COMPLETE",
        };
        object.string("finish_reason", reason);
        let input = self.answer.asked.prompt_tokens;
        let plan = self.plan.as_ref().map_or(0, |plan| tokens(plan.len()));
        let output = said.tokens() + plan;
        let mut usage = object.object("usage");
        for key in ["billed_units", "tokens"] {
            let mut counts = usage.object(key);
            counts
                .number("input_tokens", input)
                .number("output_tokens", output);
            if key == "tokens" && self.answer.thoughts() > 0 {
                counts.number("reasoning_tokens", self.answer.thoughts());
            }
            counts.close();
        }
        usage.number("cached_tokens", 0);
        usage.close();
    }

    fn id(&self) -> String {
        uuid(self.answer.id, self.answer.name(0))
    }
}

/// An id in the form that Cohere's have.
fn uuid(high: u64, low: u64) -> String {
    let (a, b, c) = (high >> 32, (high >> 16) & 0xFFFF, high & 0xFFF);
    format!(
        "{a:08x}-{b:04x}-4{c:03x}-8000-{:012x}",
        low & 0xFFFF_FFFF_FFFF
    )
}

/// One part of the content.
fn part(kind: &str, text: &str, out: &mut Vec<u8>) {
    object(out, |part| {
        part.string("type", kind).string(kind, text);
    });
}

/// One event, whose data repeats its name.
fn named(name: &str, index: Option<u64>, write: impl FnOnce(&mut ObjectWriter<'_>)) -> Vec<u8> {
    event(name, |object| {
        object.string("type", name);
        if let Some(index) = index {
            object.number("index", index);
        }
        write(object);
    })
}

/// The same with what it brings inside `delta.message`.
fn within(name: &str, index: Option<u64>, write: impl FnOnce(&mut ObjectWriter<'_>)) -> Vec<u8> {
    named(name, index, |object| {
        let mut delta = object.object("delta");
        let mut message = delta.object("message");
        write(&mut message);
        message.close();
        delta.close();
    })
}

#[cfg(test)]
mod tests;
