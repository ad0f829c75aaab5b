//! The conversation, in the wire's shape: instructions apart, turns of user and assistant that
//! alternate, tool results at the head of the user's turn, thinking at the head of the assistant's.
//!
//! Nothing is dropped but blank texts, which the wire refuses, and reasoning that it cannot take
//! back: without a signature, or another's. A conversation of instructions alone is said by the
//! user, since somebody must speak.
//!
//! Why each thing moves: the wire refuses a `system` role within `messages`, two turns of one speaker
//! in a row (it joins them itself, but not around tool results), results that do not stand first in
//! the turn behind their calls, and, while thinking has a budget, an assistant's turn that does not
//! begin with thinking. Calls of the older kind have no ids; theirs are counted.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use waystation_core::{
    ChatRequest, Content, EncodeError, Json, JsonText, Kind, Message, Note, ObjectWriter, Part,
    Role, ToolCall,
};

use super::{
    FORMAT,
    part::{Blocks, Marker, Piece, is_blank, marker, text, write_mark},
    thinking::is_whole,
    tool::{Names, write_id},
};
use crate::{
    array::ArrayWriter,
    demand::note,
    ran,
    thought::{Block, Thought, Woven, weave},
};

/// The conversation, written.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    /// The blocks of `system`.
    pub(super) system: Blocks,
    turns: Vec<Turn>,
}

/// What one speaker says without being interrupted.
#[derive(Debug)]
struct Turn {
    assistant: bool,
    /// Tool results, which the wire wants first.
    results: Blocks,
    blocks: Blocks,
}

/// Writes one conversation.
struct Scribe<'a> {
    names: &'a Names,
    /// No message has a name or a cache marker.
    plain: bool,
    into: Conversation,
    /// The older way to call has no ids: how many such calls were made.
    functions: usize,
    /// Some arguments were no object.
    wrapped: bool,
}

// === impl Conversation ===

impl Conversation {
    /// Writes the messages of `chat`.
    ///
    /// # Errors
    /// [`EncodeError::Unsupported`] for parts that have no form on the wire.
    pub(super) fn of(
        chat: &ChatRequest,
        names: &Names,
        notes: &mut Vec<Note>,
    ) -> Result<Self, EncodeError> {
        let mut scribe = Scribe {
            names,
            plain: chat.is_plain_talk(),
            into: Self::default(),
            functions: 0,
            wrapped: false,
        };
        let mut messages = chat.messages().enumerate().peekable();
        while let Some((at, message)) = messages.next() {
            let last = messages.peek().is_none();
            scribe.message(at, &message, last)?;
        }
        if scribe.wrapped {
            let what = "arguments that are no JSON object went into one";
            note(notes, "messages", what);
        }
        let mut made = scribe.into;
        if made.turns.iter().all(Turn::is_empty) && !made.system.is_empty() {
            note(
                notes,
                "messages",
                "the instructions became the user's, who says nothing else",
            );
            made.turns = vec![Turn {
                assistant: false,
                results: Blocks::default(),
                blocks: std::mem::take(&mut made.system),
            }];
        }
        Ok(made)
    }

    /// About how many bytes it takes.
    pub(super) fn size(&self) -> usize {
        let size = |turn: &Turn| turn.blocks.bytes().len() + turn.results.bytes().len() + 40;
        self.turns.iter().map(size).sum::<usize>() + self.system.bytes().len()
    }

    /// Whether a part is a file by its id.
    pub(super) fn has_files(&self) -> bool {
        static FILE: LazyLock<Finder<'static>> =
            LazyLock::new(|| Finder::new(br#""source":{"type":"file","#));
        let blocks = |turn: &Turn| {
            [turn.results.bytes(), turn.blocks.bytes()].map(|blocks| FILE.find(blocks).is_some())
        };
        self.turns.iter().any(|turn| blocks(turn).contains(&true))
    }

    /// Writes the turns, as the array `messages`.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut list = ArrayWriter::open(out);
        for turn in self.turns.iter().filter(|turn| !turn.is_empty()) {
            let mut object = list.object();
            object.fixed(if turn.assistant {
                r#""role":"assistant""#
            } else {
                r#""role":"user""#
            });
            let content = object.key("content");
            content.push(b'[');
            content.extend_from_slice(turn.results.bytes());
            if !turn.results.is_empty() && !turn.blocks.is_empty() {
                content.push(b',');
            }
            content.extend_from_slice(turn.blocks.bytes());
            content.push(b']');
            object.close();
        }
        list.close();
    }

    /// The turn of a speaker: the one that goes on, or a new one. Turns of which nothing is left do
    /// not separate their neighbours.
    fn turn(&mut self, assistant: bool) -> &mut Turn {
        while self.turns.last().is_some_and(Turn::is_empty) {
            self.turns.pop();
        }
        if self
            .turns
            .last()
            .is_none_or(|turn| turn.assistant != assistant)
        {
            self.turns.push(Turn {
                assistant,
                results: Blocks::default(),
                blocks: Blocks::default(),
            });
        }
        let last = self.turns.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "pushed above")]
        &mut self.turns[last]
    }
}

// === impl Turn ===

impl Turn {
    const fn is_empty(&self) -> bool {
        self.blocks.is_empty() && self.results.is_empty()
    }
}

// === impl Scribe ===

impl Scribe<'_> {
    /// Writes one message.
    fn message(&mut self, at: usize, message: &Message<'_>, last: bool) -> Result<(), EncodeError> {
        match (message.content(), message.role()) {
            (Content::Text(said), Role::System) if self.plain => {
                text(Some(said), None, None, &mut self.into.system);
                return Ok(());
            }
            (Content::Text(said), Role::User) if self.plain => {
                text(Some(said), None, None, &mut self.into.turn(false).blocks);
                return Ok(());
            }
            _ => {}
        }
        match message.role() {
            Role::System | Role::Developer => say(message, at, None, &mut self.into.system),
            Role::User => {
                let name = message.get("name");
                say(message, at, name, &mut self.into.turn(false).blocks)
            }
            Role::Tool | Role::Function => self.result(at, message),
            Role::Assistant => self.assistant(at, message, last),
        }
    }

    /// Thinking, words, calls.
    fn assistant(
        &mut self,
        at: usize,
        message: &Message<'_>,
        last: bool,
    ) -> Result<(), EncodeError> {
        let turn = self.into.turn(true);
        let mut blocks = Block::all(message.json(), FORMAT);
        blocks.retain(is_whole);
        let calls = message.tool_calls().next().is_some();
        if let Content::Text(said) = message.content() {
            let whole = said.string().unwrap_or_default();
            // Words to be continued must not end in white space.
            let open = last && !calls;
            let kept = if open { whole.trim_end() } else { &*whole };
            told(message, kept, &blocks, &mut turn.blocks);
        } else {
            for block in &blocks {
                replay(block, turn.blocks.next());
            }
            say(message, at, message.get("name"), &mut turn.blocks)?;
        }
        for call in message.tool_calls() {
            self.wrapped |= !write_call(&call, self.names, turn.blocks.next());
        }
        if let Some(call) = message.get("function_call") {
            self.functions += 1;
            let id = format!("function_{}", self.functions);
            let name = call.get("name").and_then(Json::string).unwrap_or_default();
            let arguments = call.get("arguments").and_then(Json::string);
            let mut block = ObjectWriter::open(turn.blocks.next());
            block.string("type", "tool_use").string("id", &id);
            block.string("name", self.names.sent(&name));
            self.wrapped |= !input(&arguments.unwrap_or_default(), block.key("input"));
            block.close();
        }
        Ok(())
    }

    /// The result of a call. That it failed is said by `is_error`, which other wires pass by.
    fn result(&mut self, at: usize, message: &Message<'_>) -> Result<(), EncodeError> {
        let id = message
            .tool_call_id()
            .unwrap_or_else(|| format!("function_{}", self.functions.max(1)).into());
        let mut held = Blocks::default();
        let parts = message.content().parts().enumerate();
        for (place, part) in parts {
            piece(part, (at, place), None, None).write(&mut held)?;
        }
        let inner = message
            .content()
            .parts()
            .last()
            .and_then(|part| marker(part.json()));
        let turn = self.into.turn(false);
        let mut block = ObjectWriter::open(turn.results.next());
        block.string("type", "tool_result");
        write_id(&mut block, "tool_use_id", &id);
        match message.content() {
            Content::Text(said) if !is_blank(said) => {
                block.raw("content", said.bytes());
            }
            Content::Parts(_) if !held.is_empty() => {
                let out = block.key("content");
                out.push(b'[');
                out.extend_from_slice(held.bytes());
                out.push(b']');
            }
            _ => {}
        }
        if message.get("is_error").and_then(Json::bool) == Some(true) {
            block.bool("is_error", true);
        }
        let outer = marker(message.json()).filter(|_| inner.is_none());
        write_mark(outer, &mut block);
        block.close();
        Ok(())
    }
}

/// Writes what the assistant said and thought, one after the other as it came.
fn told(message: &Message<'_>, said: &str, blocks: &[Block<'_>], list: &mut Blocks) {
    let woven = weave(said, blocks);
    let is_words = |one: &&Woven<'_, '_>| matches!(one, Woven::Words(_));
    let mut left = woven.iter().filter(is_words).count();
    let mut name = message.get("name");
    for one in &woven {
        match one {
            Woven::Words(words) => {
                left -= 1;
                let mark = marker(message.json()).filter(|_| left == 0);
                let words = JsonText::of(words).quoted();
                text(Some(words.json()), name.take(), mark, list);
            }
            Woven::Block(block) => replay(block, list.next()),
        }
    }
}

/// Writes the content of a message.
fn say(
    message: &Message<'_>,
    at: usize,
    name: Option<Json<'_>>,
    list: &mut Blocks,
) -> Result<(), EncodeError> {
    let mark = message.get("cache_control");
    match message.content() {
        Content::Absent => Ok(()),
        Content::Text(said) => {
            text(Some(said), name, mark.map(Marker::Sent), list);
            Ok(())
        }
        Content::Parts(_) => {
            let last = message.content().parts().count().saturating_sub(1);
            let mut named = name;
            for (place, part) in message.content().parts().enumerate() {
                let mark = mark.filter(|_| place == last);
                let is_text = part.text().is_some();
                piece(part, (at, place), mark, named).write(list)?;
                // The name stands in front of the first text alone.
                named = named.filter(|_| !is_text);
            }
            Ok(())
        }
    }
}

/// A part on its way out.
const fn piece<'a>(
    part: Part<'a>,
    place: (usize, usize),
    mark: Option<Json<'a>>,
    name: Option<Json<'a>>,
) -> Piece<'a> {
    Piece {
        part,
        place,
        mark,
        name,
    }
}

/// Writes a block of thinking, or a step of a tool that the provider ran, as it came.
fn replay(block: &Block<'_>, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    let (kind, key) = match block.thought {
        Thought::Encrypted => ("redacted_thinking", "data"),
        Thought::Text | Thought::Summary => ("thinking", "thinking"),
        Thought::Ran => return step(block.detail, object),
    };
    object.string("type", kind);
    let out = object.key(key);
    out.push(b'"');
    out.extend_from_slice(&block.text);
    out.push(b'"');
    if let Some(signature) = block.signature {
        object.raw("signature", signature.bytes());
    }
    object.close();
}

/// Writes a step of a tool that the provider ran: the call, or its result.
fn step(detail: Json<'_>, mut object: ObjectWriter<'_>) {
    let native = detail.get("native").into_iter().flat_map(Json::members);
    for (key, value) in native {
        object
            .escaped_key(key.escaped())
            .extend_from_slice(value.bytes());
    }
    let call = detail
        .get("tool_call_id")
        .map_or(b"\"\"".as_slice(), Json::bytes);
    if let Some(input) = ran::held(detail, "arguments") {
        let name = detail
            .get("tool_name")
            .map_or(b"\"\"".as_slice(), Json::bytes);
        object
            .raw("id", call)
            .raw("name", name)
            .json("input", &input);
    } else if let Some(result) = ran::held(detail, "result") {
        object.raw("tool_use_id", call).json("content", &result);
    }
    object.close();
}

/// Writes a call, and says whether its arguments were the object that the wire wants.
fn write_call(call: &ToolCall<'_>, names: &Names, out: &mut Vec<u8>) -> bool {
    let mut block = ObjectWriter::open(out);
    block.string("type", "tool_use");
    write_id(&mut block, "id", &call.id());
    block.string("name", names.sent(&call.name()));
    let fit = input(&call.arguments(), block.key("input"));
    if let Some(mark) = call.json().get("cache_control") {
        block.raw("cache_control", mark.bytes());
    }
    block.close();
    fit
}

/// Writes arguments: an object as the model spelled it, nothing as an empty one. What is no object,
/// a broken one included, goes into one, so that the model sees what it said.
fn input(arguments: &str, out: &mut Vec<u8>) -> bool {
    if arguments.trim().is_empty() {
        out.extend_from_slice(b"{}");
        return true;
    }
    match Json::parse(arguments.as_bytes()) {
        Ok(json) if json.kind() == Kind::Object => {
            out.extend_from_slice(json.bytes());
            true
        }
        _ => {
            let mut object = ObjectWriter::open(out);
            object.string("arguments", arguments);
            object.close();
            false
        }
    }
}
