//! Reads replies: events of a stream, or a whole reply, which is read as the blocks that a stream
//! would have brought. The end waits for the counts, which come last.
//!
//! | event | what comes of it |
//! |---|---|
//! | `messageStart` | the reply begins; the wire gives neither id nor model |
//! | `contentBlockStart` | a call is told with its id and name |
//! | `contentBlockDelta` | a piece of content, reasoning, arguments or a citation |
//! | `contentBlockStop` | arguments where none came, annotations with the place of the block's text, or of the text before it where it has none |
//! | `messageStop` | kept: the counts come behind it |
//! | `metadata` | the end, then the counts |
//! | exceptions | an error: `intake` sees to them |
//! | calls and results of tools that the host runs | details, when their block is complete (`step`) |
//! | others, `p` | nothing |
//!
//! | stop reason | comes to |
//! |---|---|
//! | `end_turn`, `stop_sequence` | `stop` |
//! | `max_tokens`, `model_context_window_exceeded` | `length` |
//! | `tool_use` | `tool_calls` |
//! | `guardrail_intervened`, `content_filtered` | `content_filter` |
//! | `malformed_model_output`, `malformed_tool_use` | `error` |

use bytes::Bytes;
use waystation_core::{
    ChatEvent, Delta, Finish, Json, JsonText, Kind, RawJson, Start, ToolCallDelta, Usage,
};

use super::{
    field::{Block, Event, Whole},
    model::Family,
    step::Started,
    usage,
};
use crate::{
    SseEvent,
    citation::{Citation, annotations, characters},
    finish,
    intake::{Failed, Heard, Listener},
    thought::{Piece, Thought},
};

/// What a reply has said so far.
#[derive(Debug)]
pub(super) struct Reply {
    family: Family,
    /// The client does not want to see reasoning.
    hides_reasoning: bool,
    /// Something other than reasoning was given out.
    shown: bool,
    /// Characters of content so far.
    characters: u64,
    /// Which of them the latest block with text had.
    spoken: (u64, u64),
    /// Calls, and blocks of reasoning, so far.
    calls: u32,
    thoughts: u32,
    /// The block that is being told.
    block: Told,
    finish: Option<JsonText>,
    usage: Option<Usage>,
}

/// What is known of the block that is being told. Blocks come one after the other.
#[derive(Debug, Default)]
struct Told {
    index: u64,
    /// Which call it is, and whether arguments have come.
    call: Option<(u32, bool)>,
    /// Which block of reasoning it is.
    thought: Option<u32>,
    /// A step of a tool that the host runs.
    step: Option<Started>,
    /// Where its text starts in the content.
    start: u64,
    /// What its text cites.
    citations: Vec<RawJson>,
}

/// How many citations of one block are kept: above any real answer, so that memory stays bounded.
const MAX_CITATIONS: usize = 1024;

// === impl Reply ===

impl Reply {
    /// A reply of which nothing has come yet.
    pub(super) fn expecting(family: Family, hides_reasoning: bool) -> Self {
        Self {
            family,
            hides_reasoning,
            shown: false,
            characters: 0,
            spoken: (0, 0),
            calls: 0,
            thoughts: 0,
            block: Told::default(),
            finish: None,
            usage: None,
        }
    }

    /// Gives out a piece, unless it is empty.
    fn give(&mut self, mut delta: Delta, out: &mut Vec<ChatEvent>) {
        if self.hides_reasoning {
            (delta.reasoning, delta.reasoning_details) = (None, None);
        }
        if !delta.is_empty() {
            let thinks = delta.reasoning.is_some() || delta.reasoning_details.is_some();
            self.shown |= delta.is_content() && !thinks;
            out.push(ChatEvent::Delta(delta));
        }
    }

    /// Turns to the block `index`: the one before is complete.
    fn turn_to(&mut self, index: u64, out: &mut Vec<ChatEvent>) {
        if self.block.index != index {
            self.close_block(out);
            self.block.index = index;
        }
    }

    /// The block is complete: a call without arguments gets `{}`, and citations find their place.
    fn close_block(&mut self, out: &mut Vec<ChatEvent>) {
        let told = std::mem::replace(
            &mut self.block,
            Told {
                start: self.characters,
                ..Told::default()
            },
        );
        self.block.index = told.index;
        if let Some((index, false)) = told.call {
            let call = ToolCallDelta {
                index,
                arguments: JsonText::from_static("{}"),
                ..ToolCallDelta::default()
            };
            self.give(calling(call), out);
        }
        if let Some(step) = told.step {
            let (format, index) = (self.family.sealed_format(), self.thoughts);
            self.thoughts += 1;
            let mut delta = Delta::of(0);
            delta.reasoning_details = step.details(format, index, self.characters);
            self.give(delta, out);
        }
        // Sources that come as a block of their own are those of the text before them.
        if told.start < self.characters {
            self.spoken = (told.start, self.characters);
        }
        let range = self.spoken;
        let cited = told.citations.iter();
        let mut delta = Delta::of(0);
        let found = annotations(cited.filter_map(|one| citation(one.json(), range)));
        delta.annotations = found.map(Box::new);
        self.give(delta, out);
    }

    /// A piece of visible text.
    fn say(&mut self, said: JsonText, out: &mut Vec<ChatEvent>) {
        self.characters += characters(&said);
        let mut delta = Delta::of(0);
        delta.content = Some(said);
        self.give(delta, out);
    }

    /// A piece of reasoning: text, its signature, or something sealed. Whole replies put text and
    /// signature into an object of their own.
    fn think(&mut self, json: Json<'_>, data: &Bytes, out: &mut Vec<ChatEvent>) {
        let inner = json.get("reasoningText").unwrap_or(json);
        let said = text(inner.get("text"), data);
        let signature = text(inner.get("signature"), data);
        let sealed = text(json.get("redactedContent"), data);
        if said.is_none() && signature.is_none() && sealed.is_none() {
            return;
        }
        let index = *self.block.thought.get_or_insert_with(|| {
            let index = self.thoughts;
            self.thoughts += 1;
            index
        });
        let (thought, format) = match &sealed {
            Some(_) => (Thought::Encrypted, self.family.sealed_format()),
            None => (Thought::Text, self.family.format()),
        };
        let piece = Piece {
            thought,
            text: sealed.as_ref().or(said.as_ref()),
            signature: signature.as_ref(),
            id: None,
            format,
            index,
            offset: self.characters,
        };
        let mut delta = Delta::of(0);
        delta.reasoning_details = piece.details();
        delta.reasoning = said;
        self.give(delta, out);
    }

    /// A call begins, or comes whole. Calls of tools that the host runs itself are no calls.
    fn call(&mut self, json: Json<'_>, data: &Bytes, out: &mut Vec<ChatEvent>) {
        if json
            .get("type")
            .is_some_and(|kind| kind.is("server_tool_use"))
        {
            self.block.step = Some(Started::of(json.raw(data), false));
            return;
        }
        let index = self.calls;
        self.calls += 1;
        let arguments = json
            .get("input")
            .filter(|input| input.kind() == Kind::Object);
        let arguments = arguments.map(|input| JsonText::of(&input.text()));
        self.block.call = Some((index, arguments.is_some()));
        let call = ToolCallDelta {
            index,
            id: Some(text(json.get("toolUseId"), data).unwrap_or_default()),
            name: Some(text(json.get("name"), data).unwrap_or_default()),
            arguments: arguments.unwrap_or_default(),
        };
        self.give(calling(call), out);
    }

    /// A piece of a call's arguments.
    fn argue(&mut self, arguments: Option<JsonText>, out: &mut Vec<ChatEvent>) {
        if let Some(step) = &mut self.block.step {
            return arguments.into_iter().for_each(|piece| step.push(piece));
        }
        let (Some((index, argued)), Some(arguments)) = (&mut self.block.call, arguments) else {
            return;
        };
        *argued = true;
        let call = ToolCallDelta {
            index: *index,
            arguments,
            ..ToolCallDelta::default()
        };
        self.give(calling(call), out);
    }

    /// Keeps a citation until its block is complete.
    fn cite(&mut self, citation: Json<'_>, data: &Bytes) {
        if self.block.citations.len() < MAX_CITATIONS {
            self.block.citations.push(citation.raw(data));
        }
    }

    /// A piece of a block.
    fn delta(&mut self, json: Json<'_>, data: &Bytes, out: &mut Vec<ChatEvent>) {
        let block = Block::of(json);
        if let Some(said) = text(block.text, data) {
            self.say(said, out);
        }
        if let Some(reasoning) = block.reasoning {
            self.think(reasoning, data, out);
        }
        if let Some(tool) = block.tool_use {
            self.argue(text(tool.get("input"), data), out);
        }
        if let (Some(parts), Some(step)) = (block.tool_result, &mut self.block.step) {
            step.push_parts(parts);
        }
        if let Some(citation) = block.citation {
            self.cite(citation, data);
        }
    }

    /// A whole block.
    fn block(&mut self, json: Json<'_>, data: &Bytes, out: &mut Vec<ChatEvent>) {
        let block = Block::of(json);
        if let Some(said) = text(block.text, data) {
            self.say(said, out);
        }
        if let Some(reasoning) = block.reasoning {
            self.think(reasoning, data, out);
        }
        if let Some(tool) = block.tool_use {
            self.call(tool, data, out);
        }
        if let Some(result) = block.tool_result {
            self.block.step = Some(Started::of(result.raw(data), true));
        }
        if let Some(image) = block.image {
            let mut delta = Delta::of(0);
            delta.images = picture(image).map(Box::new);
            self.give(delta, out);
        }
        if let Some(cited) = block.citations {
            let list = |key: &str| cited.get(key).into_iter().flat_map(Json::elements);
            for said in list("content").filter_map(|part| text(part.get("text"), data)) {
                self.say(said, out);
            }
            list("citations").for_each(|citation| self.cite(citation, data));
        }
        self.close_block(out);
    }

    /// Everything has come: how the reply ended, then the counts. `false` when it has not ended.
    fn close(&mut self, out: &mut Vec<ChatEvent>) -> bool {
        let Some(native) = self.finish.take() else {
            return false;
        };
        self.close_block(out);
        if !self.shown {
            out.push(ChatEvent::text(0, JsonText::default()));
        }
        out.push(ChatEvent::Finish(Finish {
            choice: 0,
            reason: finish::reason(&native.decode(), self.calls > 0),
            native: Some(native),
        }));
        let usage = self.usage.take();
        out.extend(usage.map(|usage| ChatEvent::Usage(Box::new(usage))));
        true
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
        if let Some(index) = fields.index.and_then(Json::u64) {
            self.turn_to(index, out);
        }
        match event.name.as_deref() {
            Some(b"messageStart") => out.push(ChatEvent::Start(Start::default())),
            Some(b"contentBlockStart") => {
                if let Some(tool) = fields.start.and_then(|start| start.get("toolUse")) {
                    self.call(tool, data, out);
                }
                if let Some(result) = fields.start.and_then(|start| start.get("toolResult")) {
                    self.block.step = Some(Started::of(result.raw(data), true));
                }
            }
            Some(b"contentBlockDelta") => {
                if let Some(delta) = fields.delta {
                    self.delta(delta, data, out);
                }
            }
            Some(b"contentBlockStop") => self.close_block(out),
            Some(b"messageStop") => self.finish = text(fields.stop_reason, data),
            Some(b"metadata") => {
                self.usage = fields.usage.and_then(usage::read);
                if self.close(out) {
                    return Ok(Heard::Complete);
                }
            }
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
        let fields = Whole::of(reply);
        let message = fields.output.and_then(|output| output.get("message"));
        let Some(message) = message else {
            return Err(Failed::Said(body.clone()));
        };
        let tier = fields.service_tier.and_then(|tier| tier.get("type"));
        out.push(ChatEvent::Start(Start {
            service_tier: text(tier, body),
            ..Start::default()
        }));
        let blocks = message.get("content").into_iter().flat_map(Json::elements);
        for block in blocks {
            self.block(block, body, out);
        }
        self.finish = text(fields.stop_reason, body);
        self.usage = fields.usage.and_then(usage::read);
        if self.close(out) {
            return Ok(());
        }
        Err(Failed::CUT)
    }

    fn end(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), Failed> {
        if self.close(out) {
            return Ok(());
        }
        Err(Failed::CUT)
    }

    fn reported(&self) -> Option<Usage> {
        self.usage.clone()
    }
}

/// A string that is not empty.
fn text(value: Option<Json<'_>>, data: &Bytes) -> Option<JsonText> {
    value?.json_text(data).filter(|text| !text.is_empty())
}

/// One piece of a call, as a piece of the choice.
fn calling(call: ToolCallDelta) -> Delta {
    Delta {
        tool_calls: vec![call],
        ..Delta::of(0)
    }
}

/// A citation of the text at `range`. Sources without an address are named by their title, pages
/// without a title by their host.
fn citation(json: Json<'_>, range: (u64, u64)) -> Option<Citation<'_>> {
    let string = |path: &[&str]| json.at(path).filter(|text| text.kind() == Kind::String);
    let title = string(&["title"]);
    let url = string(&["location", "web", "url"]).or_else(|| string(&["source"]));
    let said = json
        .get("sourceContent")
        .and_then(|list| list.elements().next());
    let said = said.and_then(|said| said.get("text"));
    Some(Citation {
        url: url.or(title)?.bytes(),
        title: title
            .or_else(|| string(&["location", "web", "domain"]))
            .map(Json::bytes),
        content: said
            .filter(|text| text.kind() == Kind::String)
            .map(Json::bytes),
        range,
    })
}

/// An image of the model, as a data URL.
fn picture(image: Json<'_>) -> Option<RawJson> {
    let data = image.at(&["source", "bytes"])?.escaped()?;
    let format = image.get("format").and_then(Json::escaped);
    let mut out = br#"[{"type":"image_url","image_url":{"url":"data:image/"#.to_vec();
    out.extend_from_slice(format.unwrap_or(b"png"));
    out.extend_from_slice(b";base64,");
    out.extend_from_slice(data);
    out.extend_from_slice(br#""}}]"#);
    RawJson::parse(&Bytes::from(out)).ok()
}
