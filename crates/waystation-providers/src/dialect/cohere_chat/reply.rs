//! Reads replies: events of a stream, or a whole reply. A stream ends with `message-end`.
//!
//! | event | what comes of it |
//! |---|---|
//! | `message-start` | the reply's id; the wire names no model |
//! | `tool-plan-delta` | content: the plan is what the model says before it calls |
//! | `content-start`, `content-delta` | content, or reasoning, by the type of the block |
//! | `tool-call-start`, `tool-call-delta` | calls, counted from 0 |
//! | `citation-start` | annotations, one for each source |
//! | `message-end` | the end and the counts, or an error with Cohere's reason |
//! | `content-end`, `tool-call-end`, `citation-end`, others | nothing |
//!
//! | finish reason | comes to |
//! |---|---|
//! | `COMPLETE`, `STOP_SEQUENCE` | `stop` |
//! | `MAX_TOKENS` | `length` |
//! | `TOOL_CALL` | `tool_calls` |
//! | `ERROR_TOXIC` | `content_filter` |
//! | `ERROR` | an error, though the status was 200 |
//!
//! Citations count characters of the block that they stand in; annotations count those of the whole
//! content, the plan included.

use bytes::Bytes;
use waystation_core::{
    ChatEvent, Delta, Finish, FinishReason, Json, JsonText, Kind, ObjectWriter, RawJson, Start,
    Tokens, ToolCallDelta, Usage,
};

use super::{
    FORMAT,
    field::{End, Event, Said},
};
use crate::{
    SseEvent,
    array::ArrayWriter,
    citation::{Citation, annotations, characters},
    finish,
    intake::{Failed, Heard, Listener},
    thought::{Piece, Thought},
};

/// What a reply has said so far.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// The client does not want to see reasoning.
    hides_reasoning: bool,
    started: bool,
    /// Something other than reasoning was given out.
    shown: bool,
    /// Characters of content so far.
    characters: u64,
    /// Text blocks so far: the wire's index, and where the block starts in the content.
    texts: Vec<(u64, u64)>,
    /// Thinking blocks so far, by the wire's index.
    thoughts: Vec<u64>,
    /// Calls so far: the wire's index, and whether arguments have come.
    calls: Vec<(u64, bool)>,
}

/// How many blocks and calls are kept apart: above any real answer, so that memory stays bounded.
const MAX: usize = 1024;

// === impl Reply ===

impl Reply {
    /// A reply of which nothing has come yet.
    pub(super) fn expecting(hides_reasoning: bool) -> Self {
        Self {
            hides_reasoning,
            ..Self::default()
        }
    }

    /// Says what the reply is, once; the wire names no model.
    fn start(&mut self, id: Option<Json<'_>>, data: &Bytes, out: &mut Vec<ChatEvent>) {
        if !std::mem::replace(&mut self.started, true) {
            out.push(ChatEvent::Start(Start {
                id: text(id, data),
                ..Start::default()
            }));
        }
    }

    /// Gives out a piece, unless it is empty.
    fn give(&mut self, mut delta: Delta, out: &mut Vec<ChatEvent>) {
        if self.hides_reasoning {
            (delta.reasoning, delta.reasoning_details) = (None, None);
        }
        if !delta.is_empty() {
            self.shown |= delta.content.is_some() || !delta.tool_calls.is_empty();
            out.push(ChatEvent::Delta(delta));
        }
    }

    /// A piece of visible text, in the block `index` or, for a plan, in none.
    fn say(&mut self, index: Option<u64>, said: Option<JsonText>, out: &mut Vec<ChatEvent>) {
        let Some(said) = said else {
            return;
        };
        if let Some(index) = index {
            self.open(index);
        }
        self.characters += characters(&said);
        self.give(
            Delta {
                content: Some(said),
                ..Delta::of(0)
            },
            out,
        );
    }

    /// A text block begins, unless it has.
    fn open(&mut self, index: u64) {
        if self.texts.len() < MAX && self.texts.iter().all(|(known, _)| *known != index) {
            self.texts.push((index, self.characters));
        }
    }

    /// A piece of thinking, in the block `index`.
    fn think(&mut self, index: u64, said: Option<JsonText>, out: &mut Vec<ChatEvent>) {
        let Some(said) = said else {
            return;
        };
        let at = self.thoughts.iter().position(|known| *known == index);
        let at = at.unwrap_or_else(|| {
            if self.thoughts.len() < MAX {
                self.thoughts.push(index);
            }
            self.thoughts.len() - 1
        });
        let piece = Piece {
            thought: Thought::Text,
            text: Some(&said),
            signature: None,
            id: None,
            format: FORMAT,
            index: u32::try_from(at).unwrap_or(u32::MAX),
            offset: 0,
        };
        let delta = Delta {
            reasoning_details: piece.details(),
            reasoning: Some(said),
            ..Delta::of(0)
        };
        self.give(delta, out);
    }

    /// A block of content, or a piece of one: text or thinking.
    fn content(&mut self, index: u64, block: Json<'_>, data: &Bytes, out: &mut Vec<ChatEvent>) {
        if block.kind() == Kind::String {
            self.say(Some(index), text(Some(block), data), out);
            return;
        }
        self.think(index, text(block.get("thinking"), data), out);
        self.say(Some(index), text(block.get("text"), data), out);
    }

    /// A call begins, or comes whole.
    fn call(&mut self, index: u64, call: Json<'_>, data: &Bytes, out: &mut Vec<ChatEvent>) {
        if self.calls.len() >= MAX || self.calls.iter().any(|(known, _)| *known == index) {
            return;
        }
        let name = call.at(&["function", "name"]);
        let arguments = text(call.at(&["function", "arguments"]), data);
        let piece = ToolCallDelta {
            index: number(self.calls.len()),
            id: Some(text(call.get("id"), data).unwrap_or_default()),
            name: Some(text(name, data).unwrap_or_default()),
            arguments: arguments.unwrap_or_default(),
        };
        self.calls.push((index, !piece.arguments.is_empty()));
        self.give(calling(piece), out);
    }

    /// A piece of a call's arguments.
    fn argue(&mut self, index: u64, arguments: JsonText, out: &mut Vec<ChatEvent>) {
        let at = self.calls.iter().position(|(known, _)| *known == index);
        if let Some((at, (_, argued))) = at.and_then(|at| Some((at, self.calls.get_mut(at)?))) {
            *argued = true;
            let piece = ToolCallDelta {
                index: number(at),
                arguments,
                ..ToolCallDelta::default()
            };
            self.give(calling(piece), out);
        }
    }

    /// Citations of the answer.
    fn cite<'a>(&mut self, citations: impl Iterator<Item = Json<'a>>, out: &mut Vec<ChatEvent>) {
        let texts = &self.texts;
        let start = |citation: Json<'_>| {
            let block = citation.get("content_index").and_then(Json::u64);
            let named = block.and_then(|block| texts.iter().find(|(known, _)| *known == block));
            named
                .or_else(|| texts.last())
                .map_or(0, |(_, start)| *start)
        };
        let each = citations.flat_map(|citation| sources(citation, start(citation)));
        let annotations = annotations(each).map(Box::new);
        self.give(
            Delta {
                annotations,
                ..Delta::of(0)
            },
            out,
        );
    }

    /// The reply is complete: `end` says how, and what was counted.
    fn close(
        &mut self,
        end: &End<'_>,
        data: &Bytes,
        out: &mut Vec<ChatEvent>,
    ) -> Result<(), Failed> {
        let Some(native) = text(end.finish_reason, data) else {
            return Err(Failed::CUT);
        };
        for at in 0..self.calls.len() {
            if let Some((index, false)) = self.calls.get(at).copied() {
                self.argue(index, JsonText::from_static("{}"), out);
            }
        }
        if !self.shown {
            out.push(ChatEvent::text(0, JsonText::default()));
        }
        let reason = finish::reason(&native.decode(), !self.calls.is_empty());
        if reason == FinishReason::Error {
            return Err(Failed::Garbage("the model failed without a reason"));
        }
        out.push(ChatEvent::Finish(Finish {
            choice: 0,
            reason,
            native: Some(native),
        }));
        if let Some(usage) = end.usage.and_then(usage) {
            out.push(ChatEvent::Usage(Box::new(usage)));
        }
        Ok(())
    }
}

impl Listener for Reply {
    fn event(
        &mut self,
        json: Json<'_>,
        event: &SseEvent,
        out: &mut Vec<ChatEvent>,
    ) -> Result<Heard, Failed> {
        let data = &event.data;
        let fields = Event::of(json);
        let name = event.name.as_deref().map(String::from_utf8_lossy);
        let kind = fields.kind.and_then(Json::string).or(name);
        let index = fields.index.and_then(Json::u64).unwrap_or_default();
        let message = fields.delta.and_then(|delta| delta.get("message"));
        let said = message.map(Said::of).unwrap_or_default();
        match kind.as_deref() {
            Some("message-start") => self.start(fields.id, data, out),
            Some("content-start" | "content-delta") => {
                if let Some(content) = said.content {
                    self.content(index, content, data, out);
                }
            }
            Some("tool-plan-delta") => self.say(None, text(said.tool_plan, data), out),
            Some("tool-call-start") => {
                if let Some(call) = said.tool_calls {
                    self.call(index, call, data, out);
                }
            }
            Some("tool-call-delta") => {
                let arguments = said
                    .tool_calls
                    .and_then(|call| call.at(&["function", "arguments"]));
                if let Some(arguments) = text(arguments, data) {
                    self.argue(index, arguments, out);
                }
            }
            Some("citation-start") => {
                let cited = said.citations.into_iter();
                self.cite(cited.flat_map(each), out);
            }
            Some("message-end") => {
                let delta = fields.delta.unwrap_or(json);
                let end = End::of(delta);
                if end.error.is_some() {
                    return Err(Failed::Said(delta.slice_of(data)));
                }
                self.close(&end, data, out)?;
                return Ok(Heard::Complete);
            }
            None if json.get("message").is_some() => return Err(Failed::Said(data.clone())),
            _ => {}
        }
        Ok(Heard::More)
    }

    fn whole(
        &mut self,
        reply: Json<'_>,
        body: &Bytes,
        out: &mut Vec<ChatEvent>,
    ) -> Result<(), Failed> {
        let end = End::of(reply);
        let message = end.message.filter(|message| message.kind() == Kind::Object);
        let Some(message) = message.filter(|_| end.error.is_none()) else {
            return Err(Failed::Said(body.clone()));
        };
        self.start(end.id, body, out);
        let said = Said::of(message);
        self.say(None, text(said.tool_plan, body), out);
        for (index, block) in (0..).zip(said.content.into_iter().flat_map(each)) {
            self.content(index, block, body, out);
        }
        let calls = said.tool_calls.into_iter().flat_map(Json::elements);
        for (index, call) in (0..).zip(calls) {
            self.call(index, call, body, out);
        }
        self.cite(said.citations.into_iter().flat_map(each), out);
        let mut delta = Delta::of(0);
        delta.logprobs = end.logprobs.and_then(logprobs).map(Box::new);
        self.give(delta, out);
        self.close(&end, body, out)
    }

    fn end(&mut self, _out: &mut Vec<ChatEvent>) -> Result<(), Failed> {
        Err(Failed::CUT)
    }
}

/// The elements of a list, or the one thing that stands in its place.
fn each<'a>(list: Json<'a>) -> impl Iterator<Item = Json<'a>> {
    let one = (list.kind() != Kind::Array).then_some(list);
    one.into_iter().chain(list.elements())
}

/// A string that is not empty.
fn text(value: Option<Json<'_>>, data: &Bytes) -> Option<JsonText> {
    value?.json_text(data).filter(|text| !text.is_empty())
}

/// A place as the index that clients see.
fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// One piece of a call, as a piece of the choice.
fn calling(call: ToolCallDelta) -> Delta {
    Delta {
        tool_calls: vec![call],
        ..Delta::of(0)
    }
}

/// The sources of one citation in a text that starts `start` characters into the content.
fn sources(citation: Json<'_>, start: u64) -> impl Iterator<Item = Citation<'_>> {
    let index = |key: &str| citation.get(key).and_then(Json::u64).unwrap_or_default();
    let range = (
        index("start").saturating_add(start),
        index("end").saturating_add(start),
    );
    let list = citation.get("sources").into_iter().flat_map(Json::elements);
    list.filter_map(move |source| {
        let told = ["document", "tool_output"]
            .into_iter()
            .find_map(|key| source.get(key));
        let of = |key: &str| told?.get(key).filter(|text| text.kind() == Kind::String);
        let id = source.get("id").filter(|id| id.kind() == Kind::String);
        Some(Citation {
            url: of("url").or(id)?.bytes(),
            title: of("title").map(Json::bytes),
            content: None,
            range,
        })
    })
}

/// Log probabilities in the form of chat completions: what Cohere gives for pieces of text.
fn logprobs(list: Json<'_>) -> Option<RawJson> {
    list.elements().next()?;
    let mut out = Vec::new();
    let mut object = ObjectWriter::open(&mut out);
    let mut content = ArrayWriter::open(object.key("content"));
    for piece in list.elements() {
        let chance = piece
            .get("logprobs")
            .and_then(|list| list.elements().next());
        let (Some(token), Some(chance)) = (piece.get("text"), chance) else {
            continue;
        };
        let mut one = content.object();
        one.raw("token", token.bytes())
            .raw("logprob", chance.bytes())
            .null("bytes")
            .raw("top_logprobs", b"[]");
        one.close();
    }
    content.close();
    object.null("refusal");
    object.close();
    RawJson::parse(&Bytes::from(out)).ok()
}

/// Token counts: what the model saw, or what is billed where nothing else is said. Cached tokens and
/// reasoning lie inside them.
fn usage(json: Json<'_>) -> Option<Usage> {
    let counts = ["tokens", "billed_units"]
        .into_iter()
        .find_map(|key| json.get(key).filter(|counts| !counts.is_null()))?;
    let count = |json: Json<'_>, key: &str| json.get(key).and_then(Json::u64).map(Tokens::new);
    let mut usage = Usage::default();
    usage.prompt = count(counts, "input_tokens")?;
    usage.completion = count(counts, "output_tokens").unwrap_or_default();
    usage.cached = count(json, "cached_tokens");
    usage.reasoning = count(counts, "reasoning_tokens");
    Some(usage)
}
