//! One content block of a reply, from its start to its stop. A whole reply's blocks are started with
//! all that is in them and stopped at once, so that streamed and whole come to the same.
//!
//! | block | at its start | at a delta | at its stop |
//! |---|---|---|---|
//! | `text` | its text, mostly none | text; citations are kept | annotations over the whole block |
//! | `thinking` | what is there of it | text, then the signature, as pieces of one index | nothing |
//! | `redacted_thinking` | all of it | | |
//! | `tool_use` | id and name | arguments | `{}`, or what the start gave, if no piece came |
//! | the tool that is the answer | nothing | content | the same |
//! | `server_tool_use`, `mcp_tool_use` | nothing | arguments are kept | a detail that goes back as the block |
//! | their results | a detail that goes back as the block | | |
//! | all others | nothing | nothing | nothing |
//!
//! In recordings the first piece of arguments is always empty, and tools without arguments have no
//! other; citations of a block come before its text, so that their place is known at its end alone.

use bytes::Bytes;
use waystation_core::{Delta, Json, JsonText, Kind, ToolCallDelta};

use super::{FORMAT, citation::Citations, request::Sent, tool::Names};
use crate::{
    citation::characters,
    field::fields,
    ran::{Held, Step},
    thought::{Piece, Thought},
};

/// How many calls one reply may make: above any real answer, so that memory stays bounded.
const MAX_CALLS: u32 = 1024;

/// How much of a provider's own call is kept, in bytes: above any real one.
const MAX_KEPT: usize = 1 << 20;

fields! {
    /// A block of text.
    TextFields {
        text, citations,
    }
}

/// A block that has been started.
#[derive(Debug)]
pub(super) enum Block {
    /// Text.
    Text {
        /// Where in the answer it starts, in characters.
        from: u64,
        /// What it cites.
        cited: Citations,
    },
    /// Thinking, by its place among the reply's.
    Thought(u32),
    /// A call that the client is to make.
    Call {
        /// Its place among the reply's calls; blocks of other kinds do not count.
        index: u32,
        /// What is known of its arguments.
        input: Input,
    },
    /// The input of the tool that stands for the answer's form.
    Answer(Input),
    /// A call of a tool that the provider runs.
    Ran {
        /// The block as it was started.
        started: Bytes,
        /// Its place among the reply's blocks of thinking.
        index: u32,
        /// Its arguments.
        told: Pieces,
    },
    /// Nothing that a client is shown: what is not known yet.
    Silent,
}

/// The input of a tool so far.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// What the start of the block said.
    given: Option<JsonText>,
    /// Pieces have come.
    told: bool,
}

/// Arguments that are kept until they are whole.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    list: Vec<JsonText>,
    /// Their length, in bytes.
    size: usize,
}

/// What the blocks of a reply have in common.
#[derive(Debug)]
pub(super) struct Blocks {
    /// The client does not want to see reasoning.
    hides: bool,
    /// Names of tools that are others on the wire.
    names: Names,
    /// The tool whose input is the answer.
    answer: Option<String>,
    /// How many calls were started.
    calls: u32,
    /// How many blocks of thinking were started, sealed ones included.
    thoughts: u32,
    /// How many characters of the answer were given out.
    length: u64,
    /// Text or a call was given out.
    pub(super) shown: bool,
}

// === impl Blocks ===

impl Blocks {
    /// Of a reply to what was sent.
    pub(super) fn of(sent: Sent, hides: bool) -> Self {
        Self {
            hides,
            names: sent.names,
            answer: sent.answer,
            calls: 0,
            thoughts: 0,
            length: 0,
            shown: false,
        }
    }

    /// Whether any call was made.
    pub(super) const fn called(&self) -> bool {
        self.calls > 0
    }

    /// Whether a tool's input stands for the answer.
    pub(super) const fn emulates(&self) -> bool {
        self.answer.is_some()
    }

    /// Starts a block, which stands in `data`, and puts what it says at once into `out`. A `tool_use`
    /// beyond the limit is read and not given out.
    pub(super) fn start(&mut self, block: Json<'_>, data: &Bytes, out: &mut Delta) -> Block {
        let text = |key: &str| block.get(key).and_then(|text| text.json_text(data));
        let kind = block
            .get("type")
            .and_then(Json::spelled)
            .unwrap_or_default();
        match &*kind {
            b"text" => {
                let said = TextFields::of(block);
                let mut cited = Citations::default();
                for citation in said.citations.map(Json::elements).unwrap_or_default() {
                    cited.take(citation, data);
                }
                let from = self.length;
                let words = said.text.and_then(|text| text.json_text(data));
                self.say(words.unwrap_or_default(), out);
                Block::Text { from, cited }
            }
            b"thinking" => {
                let index = self.thoughts;
                self.thoughts += 1;
                let (said, signature) = (text("thinking"), text("signature"));
                let filled = |text: &Option<JsonText>| text.as_ref().is_some_and(|t| !t.is_empty());
                if filled(&said) || filled(&signature) {
                    let signature = signature.filter(|text| !text.is_empty());
                    self.think(index, said.unwrap_or_default(), signature.as_ref(), out);
                }
                Block::Thought(index)
            }
            b"redacted_thinking" => {
                let index = self.thoughts;
                self.thoughts += 1;
                if let Some(sealed) = text("data").filter(|_| !self.hides) {
                    out.reasoning_details = Piece {
                        thought: Thought::Encrypted,
                        text: Some(&sealed),
                        signature: None,
                        id: None,
                        format: FORMAT,
                        index,
                        offset: self.length,
                    }
                    .details();
                }
                Block::Silent
            }
            b"tool_use" => self.call(block, data, out),
            b"server_tool_use" | b"mcp_tool_use" => {
                let index = self.thoughts;
                self.thoughts += 1;
                Block::Ran {
                    started: block.slice_of(data),
                    index,
                    told: Pieces::default(),
                }
            }
            kind if kind.ends_with(b"_tool_result") => {
                self.result(block, out);
                Block::Silent
            }
            _ => Block::Silent,
        }
    }

    /// Starts a call.
    fn call(&mut self, block: Json<'_>, data: &Bytes, out: &mut Delta) -> Block {
        let text = |key: &str| block.get(key).and_then(|text| text.json_text(data));
        let given = block.get("input").filter(|input| match input.kind() {
            Kind::Object => input.members().next().is_some(),
            Kind::Array => true,
            Kind::Null | Kind::Bool | Kind::Number | Kind::String => false,
        });
        let input = Input {
            given: given.map(|input| JsonText::of(&input.text())),
            told: false,
        };
        let name = text("name").unwrap_or_default();
        if self
            .answer
            .as_deref()
            .is_some_and(|answer| name.decode() == answer)
        {
            return Block::Answer(input);
        }
        if self.calls >= MAX_CALLS {
            return Block::Silent;
        }
        let index = self.calls;
        self.calls += 1;
        self.shown = true;
        out.tool_calls.push(ToolCallDelta {
            index,
            id: Some(text("id").unwrap_or_default()),
            name: Some(self.names.original(&name)),
            arguments: JsonText::default(),
        });
        Block::Call { index, input }
    }

    /// Takes a delta of a block that was started, and puts what it says into `out`. A delta of
    /// another kind than its block says nothing.
    pub(super) fn take(
        &mut self,
        block: &mut Block,
        delta: Json<'_>,
        data: &Bytes,
        out: &mut Delta,
    ) {
        let text = |key: &str| {
            let text = delta.get(key).and_then(|text| text.json_text(data));
            text.filter(|text| !text.is_empty())
        };
        match block {
            Block::Text { cited, .. } => {
                if let Some(citation) = delta.get("citation") {
                    cited.take(citation, data);
                }
                self.say(text("text").unwrap_or_default(), out);
            }
            Block::Thought(index) => {
                let (said, signature) = (text("thinking"), text("signature"));
                if said.is_some() || signature.is_some() {
                    self.think(*index, said.unwrap_or_default(), signature.as_ref(), out);
                }
            }
            Block::Call { index, input } => {
                if let Some(piece) = text("partial_json") {
                    input.told = true;
                    out.tool_calls.push(more(*index, piece));
                }
            }
            Block::Answer(input) => {
                if let Some(piece) = text("partial_json") {
                    input.told = true;
                    self.say(piece, out);
                }
            }
            Block::Ran { told, .. } => {
                let piece = text("partial_json").unwrap_or_default();
                told.size = told.size.saturating_add(piece.len());
                if told.size <= MAX_KEPT {
                    told.list.push(piece);
                }
            }
            Block::Silent => {}
        }
    }

    /// Stops a block: what is still to be said of it. Arguments are never nothing.
    pub(super) fn stop(&mut self, block: Block, out: &mut Delta) {
        match block {
            Block::Text { from, cited } => {
                out.annotations = cited.annotations(from, self.length).map(Box::new);
            }
            Block::Call { index, input } => {
                if let Some(rest) = input.rest() {
                    out.tool_calls.push(more(index, rest));
                }
            }
            Block::Answer(input) => {
                if let Some(rest) = input.rest() {
                    self.say(rest, out);
                }
            }
            Block::Ran {
                started,
                index,
                told,
            } => self.ran(&started, index, &told, out),
            Block::Thought(_) | Block::Silent => {}
        }
    }

    /// A call of a tool that the provider runs, whole. Arguments that were too long to be kept are
    /// not sent back half.
    fn ran(&self, started: &Bytes, index: u32, told: &Pieces, out: &mut Delta) {
        let Ok(block) = Json::parse(started) else {
            return;
        };
        let given = || {
            let input = block.get("input");
            JsonText::of(&input.map_or("{}".into(), Json::text))
        };
        let input = match told.size {
            0 => given(),
            1..=MAX_KEPT => JsonText::join(&told.list),
            _ => return,
        };
        let native = (block, ["id", "name", "input"].as_slice());
        let step = Step {
            tool: block.get("name").map_or(b"\"\"", Json::bytes),
            call: block.get("id"),
            held: Held::Arguments(&input),
            native: Some(native),
            format: FORMAT,
            index,
            offset: self.length,
        };
        out.reasoning_details = step.details().filter(|_| !self.hides);
    }

    /// What came out of a tool that the provider ran.
    fn result(&mut self, block: Json<'_>, out: &mut Delta) {
        let index = self.thoughts;
        self.thoughts += 1;
        let content = block.get("content");
        let result = JsonText::of(&content.map_or("null".into(), Json::text));
        let step = Step {
            tool: block.get("type").map_or(b"\"\"", Json::bytes),
            call: block.get("tool_use_id"),
            held: Held::Result(&result),
            native: Some((block, ["tool_use_id", "content"].as_slice())),
            format: FORMAT,
            index,
            offset: self.length,
        };
        out.reasoning_details = step.details().filter(|_| !self.hides);
    }

    /// Gives out text.
    fn say(&mut self, text: JsonText, out: &mut Delta) {
        if text.is_empty() {
            return;
        }
        self.said(&text);
        out.content = Some(text);
    }

    /// This text was given out.
    pub(super) fn said(&mut self, text: &JsonText) {
        self.shown = true;
        self.length += characters(text);
    }

    /// Gives out a piece of thinking, as text and as a block that can be sent back.
    fn think(&self, index: u32, said: JsonText, signature: Option<&JsonText>, out: &mut Delta) {
        if self.hides {
            return;
        }
        out.reasoning_details = Piece {
            thought: Thought::Text,
            text: Some(&said),
            signature,
            id: None,
            format: FORMAT,
            index,
            offset: self.length,
        }
        .details();
        out.reasoning = Some(said).filter(|text| !text.is_empty());
    }
}

// === impl Input ===

impl Input {
    /// What no piece has told: the input of the block's start, else an empty one.
    fn rest(self) -> Option<JsonText> {
        let empty = || JsonText::from_static("{}");
        (!self.told).then(|| self.given.unwrap_or_else(empty))
    }
}

/// A further piece of a call.
fn more(index: u32, arguments: JsonText) -> ToolCallDelta {
    ToolCallDelta {
        index,
        id: None,
        name: None,
        arguments,
    }
}
