//! Amazon Bedrock's Converse as a server: the wire of `POST …/model/<m>/converse` and
//! `/converse-stream`, the latter in AWS's binary frames. Signatures are not checked. Of Amazon's
//! own tools it acts out the search of the web, `nova_grounding`.
//!
//! Source:
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html>
//! (2026-08) and recorded replies.
//!
//! A search is a `toolUse` of the type `server_tool_use` and a `toolResult` whose text is hidden; what the
//! words of a block cite stands in a block of its own behind them, a `citationsContent` without words, in
//! a stream one `citation`. A page has an address and a host, and no title. Usage does not count it.
//! Source: <https://docs.aws.amazon.com/nova/latest/nova2-userguide/web-grounding.html> (2026-11), the
//! shapes of the service model that botocore 1.44 carries, and replies that users of it have published.

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
    search::Source,
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
    /// A search that the host runs, with its id and its query.
    Search(String, &'a str),
    /// That it found something, with the search's id.
    Found(String),
    /// The source of the words before it.
    Cited(&'a Source),
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
        if let Some(search) = &said.search {
            let id = format!("tooluse_sim{:012x}", self.0.name(64));
            blocks.push(Block::Search(id.clone(), &search.query));
            blocks.push(Block::Found(id));
        }
        match (self.0.text(), &said.search) {
            (Some(text), Some(search)) if !text.is_empty() => {
                for (run, source) in search.runs(text) {
                    blocks.push(Block::Text(run));
                    blocks.extend(source.map(Block::Cited));
                }
            }
            (text, _) => blocks.extend(text.map(Block::Text)),
        }
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
            if let Some((bytes, start)) = block.start() {
                push(bytes, "contentBlockStart", &|object| {
                    object
                        .number("contentBlockIndex", index)
                        .raw("start", &start);
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
            Self::Search(id, query) => {
                let mut tool = block.object("toolUse");
                let mut input = tool.object("input");
                input.string("query", query);
                input.close();
                ran(id, &mut tool);
                tool.close();
            }
            Self::Found(id) => {
                let mut result = block.object("toolResult");
                hidden(result.key("content"));
                gave(id, &mut result);
                result.close();
            }
            Self::Cited(source) => {
                let mut cited = block.object("citationsContent");
                array(cited.key("citations"), [source], |source, out| {
                    citation(source, out);
                });
                cited.close();
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

    /// How the block starts in a stream, and the bytes of text in it. Only tools have a start.
    fn start(&self) -> Option<(usize, Vec<u8>)> {
        let within = |key: &str, write: &dyn Fn(&mut ObjectWriter<'_>)| {
            let mut out = Vec::new();
            object(&mut out, |start| {
                let mut holder = start.object(key);
                write(&mut holder);
                holder.close();
            });
            out
        };
        match self {
            Self::ToolUse(id, call) => {
                let start = within("toolUse", &|tool| {
                    tool.string("name", &call.name).string("toolUseId", id);
                });
                Some((call.name.len(), start))
            }
            Self::Search(id, _) => Some((0, within("toolUse", &|tool| ran(id, tool)))),
            Self::Found(id) => Some((0, within("toolResult", &|result| gave(id, result)))),
            Self::Reasoning(..) | Self::Text(_) | Self::Cited(_) => None,
        }
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
            Self::Search(_, query) => {
                let mut input = Vec::new();
                object(&mut input, |input| {
                    input.string("query", query);
                });
                let input = String::from_utf8(input).unwrap_or_default();
                let (_, whole) = delta("toolUse", "input", &input);
                vec![(0, whole)]
            }
            Self::Found(_) => {
                let mut parts = Vec::new();
                object(&mut parts, |delta| hidden(delta.key("toolResult")));
                vec![(0, parts)]
            }
            Self::Cited(source) => {
                let mut cites = Vec::new();
                object(&mut cites, |delta| citation(source, delta.key("citation")));
                vec![(0, cites)]
            }
            Self::ToolUse(_, call) => split(&call.arguments, "toolUse", "input"),
        }
    }
}

/// What a search is called and how it is known, beside its input.
fn ran(id: &str, tool: &mut ObjectWriter<'_>) {
    tool.string("name", "nova_grounding")
        .string("toolUseId", id)
        .string("type", "server_tool_use");
}

/// How a search ended, beside what it found.
fn gave(id: &str, result: &mut ObjectWriter<'_>) {
    result
        .string("status", "success")
        .string("toolUseId", id)
        .string("type", "nova_grounding_result");
}

/// What a search found, as the model alone sees it.
fn hidden(out: &mut Vec<u8>) {
    array(out, ["[HIDDEN]"], |text, out| {
        object(out, |part| {
            part.string("text", text);
        });
    });
}

/// One citation.
fn citation(source: &Source, out: &mut Vec<u8>) {
    object(out, |citation| {
        let mut location = citation.object("location");
        let mut web = location.object("web");
        web.string("url", &source.url).string("domain", source.host);
        web.close();
        location.close();
    });
}

#[cfg(test)]
mod tests;
