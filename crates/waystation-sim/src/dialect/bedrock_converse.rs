//! Amazon Bedrock's Converse as a server: the wire of `POST …/model/<m>/converse` and
//! `/converse-stream`, the latter in AWS's binary frames. Signatures are not checked, and no tools of
//! Amazon's own are run.
//!
//! Source:
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html>
//! (2026-08) and recorded replies.

mod frame;
mod request;

use std::borrow::Cow;

use http::{HeaderName, StatusCode, header};
use waystation_core::{FinishReason, ObjectWriter};

use super::{
    Dialect,
    answer::{Answer, Flow, array, object},
    path,
};
use crate::{
    SimReply,
    mind::{self, Called},
    pacing::Tempo,
    reply::EVENT_STREAM,
    simulator::Arrival,
};

/// The wire.
pub(super) struct BedrockConverse;

/// An answer on its way to the wire.
struct Reply<'a>(Answer<'a>);

/// One block of the content.
enum Block<'a> {
    /// Reasoning, with its signature.
    Reasoning(&'a str, String),
    /// Words.
    Text(&'a str),
    /// A call, with its id.
    ToolUse(String, &'a Called),
}

/// What streaming addresses end in.
const STREAM: &str = "/converse-stream";

// === impl BedrockConverse ===

impl Dialect for BedrockConverse {
    fn serves(&self, path: &str) -> bool {
        path.ends_with("/converse") || path.ends_with(STREAM)
    }

    fn model<'a>(&self, arrival: &Arrival<'a>) -> Cow<'a, str> {
        path::model(arrival.path).unwrap_or_default()
    }

    fn streams(&self, arrival: &Arrival<'_>) -> bool {
        arrival.path.ends_with(STREAM)
    }

    fn answer(&self, arrival: &Arrival<'_>) -> SimReply {
        // The schema of the answer is text within the text.
        let schema = request::schema(arrival);
        let asked = match request::read(arrival, self.model(arrival), schema.as_deref()) {
            Ok(asked) => asked,
            Err(refusal) => return self.error(refusal.status, &refusal.told()),
        };
        let tempo = arrival.tempo(&asked.model);
        let reply = Reply(Answer::in_objects(&asked, 0));
        let written = if self.streams(arrival) {
            reply.stream(tempo)
        } else {
            reply.whole(tempo)
        };
        let id = format!("sim{:016x}", reply.0.id);
        written.with_header(HeaderName::from_static("x-amzn-requestid"), &id)
    }

    /// Source of the words:
    /// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors>
    /// (2026-08).
    fn error(&self, status: StatusCode, message: &str) -> SimReply {
        let kind = match status.as_u16() {
            401 => "UnrecognizedClientException",
            403 => "AccessDeniedException",
            404 => "ResourceNotFoundException",
            408 => "ModelTimeoutException",
            424 => "ModelErrorException",
            429 => "ThrottlingException",
            503 => "ServiceUnavailableException",
            400..=499 => "ValidationException",
            _ => "InternalServerException",
        };
        let kind = format!("{kind}:http://internal.amazon.com/coral/com.amazon.bedrock/");
        let mut out = Vec::new();
        object(&mut out, |body| {
            body.string("message", message);
        });
        let name = HeaderName::from_static("x-amzn-errortype");
        SimReply::json(status, out).with_header(name, &kind)
    }
}

// === impl Reply ===

impl Reply<'_> {
    /// The blocks of the content, in order.
    fn blocks(&self) -> Vec<Block<'_>> {
        let said = &self.0.said;
        let mut blocks = Vec::new();
        if !said.reasoning.is_empty() {
            blocks.push(Block::Reasoning(&said.reasoning, self.0.seal()));
        }
        blocks.extend(self.0.text().map(Block::Text));
        let calls = said.calls.iter().enumerate();
        blocks.extend(calls.map(|(nth, call)| {
            let id = format!("tooluse_sim{:012x}", self.0.name(nth));
            Block::ToolUse(id, call)
        }));
        blocks
    }

    /// The reply whole.
    fn whole(&self, tempo: Tempo) -> SimReply {
        let mut out = Vec::with_capacity(1024);
        object(&mut out, |object| {
            self.metrics(tempo, object);
            let mut output = object.object("output");
            let mut message = output.object("message");
            array(message.key("content"), self.blocks(), |block, out| {
                block.write(out);
            });
            message.string("role", "assistant");
            message.close();
            output.close();
            object.string("stopReason", self.stop());
            self.usage(object);
        });
        self.0.whole(out, tempo)
    }

    /// The reply as a stream of frames. The counts come behind the stop.
    fn stream(&self, tempo: Tempo) -> SimReply {
        let head = SimReply::status(StatusCode::OK).with_header(header::CONTENT_TYPE, EVENT_STREAM);
        let mut flow = Flow::over(head, tempo);
        let mut nth = 0;
        let mut push = |bytes, kind: &str, write: &dyn Fn(&mut ObjectWriter<'_>)| {
            nth += 1;
            flow.push(bytes, frame::event(kind, self.0.name(nth), write));
        };
        push(0, "messageStart", &|object| {
            object.string("role", "assistant");
        });
        for (index, block) in (0..).zip(self.blocks()) {
            // Only calls have a start.
            if let Block::ToolUse(id, call) = &block {
                push(call.name.len(), "contentBlockStart", &|object| {
                    object.number("contentBlockIndex", index);
                    let mut start = object.object("start");
                    let mut tool = start.object("toolUse");
                    tool.string("name", &call.name).string("toolUseId", id);
                    tool.close();
                    start.close();
                });
            }
            for (bytes, delta) in block.deltas() {
                push(bytes, "contentBlockDelta", &|object| {
                    object
                        .number("contentBlockIndex", index)
                        .raw("delta", &delta);
                });
            }
            push(0, "contentBlockStop", &|object| {
                object.number("contentBlockIndex", index);
            });
        }
        push(0, "messageStop", &|object| {
            object.string("stopReason", self.stop());
        });
        push(0, "metadata", &|object| {
            self.metrics(tempo, object);
            self.usage(object);
        });
        flow.close()
    }

    /// Why it ended.
    const fn stop(&self) -> &'static str {
        match (self.0.said.finish, &self.0.said.stopped) {
            (FinishReason::Length, _) => "max_tokens",
            (FinishReason::ToolCalls, _) => "tool_use",
            (_, Some(_)) => "stop_sequence",
            _ => "end_turn",
        }
    }

    /// How long it took.
    fn metrics(&self, tempo: Tempo, object: &mut ObjectWriter<'_>) {
        let took = u64::try_from(self.0.took(tempo).as_millis());
        let mut metrics = object.object("metrics");
        metrics.number("latencyMs", took.unwrap_or(u64::MAX));
        metrics.close();
    }

    fn usage(&self, object: &mut ObjectWriter<'_>) {
        let (input, output) = (self.0.asked.prompt_tokens, self.0.said.tokens());
        let mut usage = object.object("usage");
        usage
            .number("inputTokens", input)
            .number("outputTokens", output)
            .number("totalTokens", input + output);
        usage.close();
    }
}

// === impl Block ===

impl Block<'_> {
    /// The block whole.
    fn write(&self, out: &mut Vec<u8>) {
        object(out, |block| match self {
            Self::Reasoning(text, signature) => {
                let mut content = block.object("reasoningContent");
                let mut reasoning = content.object("reasoningText");
                reasoning
                    .string("text", text)
                    .string("signature", signature);
                reasoning.close();
                content.close();
            }
            Self::Text(text) => {
                block.string("text", text);
            }
            Self::ToolUse(id, call) => {
                let mut tool = block.object("toolUse");
                tool.raw("input", call.arguments.as_bytes())
                    .string("name", &call.name)
                    .string("toolUseId", id);
                tool.close();
            }
        });
    }

    /// The block's deltas, and the bytes of text that each brings. Reasoning ends with its signature.
    fn deltas(&self) -> Vec<(usize, Vec<u8>)> {
        let delta = |holder: &str, key: &str, piece: &str| {
            let mut out = Vec::new();
            object(&mut out, |delta| {
                if holder.is_empty() {
                    delta.string(key, piece);
                } else {
                    let mut inner = delta.object(holder);
                    inner.string(key, piece);
                    inner.close();
                }
            });
            (piece.len(), out)
        };
        let split = |text, holder, key| -> Vec<(usize, Vec<u8>)> {
            mind::pieces(text)
                .map(|piece| delta(holder, key, piece))
                .collect()
        };
        match self {
            Self::Reasoning(text, signature) => {
                let mut deltas = split(text, "reasoningContent", "text");
                let (_, sealed) = delta("reasoningContent", "signature", signature);
                deltas.push((0, sealed));
                deltas
            }
            Self::Text(text) => split(text, "", "text"),
            Self::ToolUse(_, call) => split(&call.arguments, "toolUse", "input"),
        }
    }
}

#[cfg(test)]
mod tests;
