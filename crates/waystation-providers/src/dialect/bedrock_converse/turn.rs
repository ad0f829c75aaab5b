//! The conversation as Converse wants it: instructions apart, turns that alternate and begin with the
//! user, results of tools at the head of the user's turn, reasoning at the head of the assistant's.
//! Blank texts, which the wire refuses, are the only thing that stays.
//!
//! | of the conversation | becomes |
//! |---|---|
//! | `system`, `developer`, wherever they stand | blocks of `system`; parts that are no text are the user's |
//! | several messages of one speaker | one turn |
//! | `name` | words before the message: the wire has no member for it |
//! | `tool`, `function` | `toolResult` blocks at the head of the user's turn |
//! | a turn of which nothing is left | `(empty)`: the wire wants a block |
//! | a document without words beside it | `(a document)` beside it: the wire wants words |
//! | no beginning by the user | `(start)`, with a note |
//! | `cache_control` of a part | a `cachePoint` behind its block |
//! | `cache_control` of the request | a `cachePoint` at the end of the last turn |

use std::{borrow::Cow, collections::BTreeSet};

use waystation_core::{Content, EncodeError, Json, Message, Note, ObjectWriter, Role};

use super::{block, model::Family};
use crate::{
    array::ArrayWriter,
    demand::{Demand, note},
};

/// The conversation, written.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    /// The blocks of `system`, with commas between them.
    pub(super) system: Vec<u8>,
    /// Names of the tools that were called.
    pub(super) names: BTreeSet<String>,
    turns: Vec<Turn>,
    /// Names of the documents so far.
    documents: Vec<String>,
    /// Prompts can be marked for the cache.
    caches: bool,
}

/// What one speaker says without being interrupted: blocks, with commas between them.
#[derive(Debug, Default)]
struct Turn {
    assistant: bool,
    results: Vec<u8>,
    blocks: Vec<u8>,
    has_text: bool,
    has_document: bool,
}

// === impl Conversation ===

impl Conversation {
    /// Writes the messages; `told` is one more instruction.
    ///
    /// # Errors
    /// [`EncodeError::Unsupported`] for parts that have no form on the wire.
    pub(super) fn of(
        demand: &Demand<'_>,
        family: Family,
        told: Option<&str>,
        notes: &mut Vec<Note>,
    ) -> Result<Self, EncodeError> {
        let mut talk = Self {
            caches: family.caches(),
            ..Self::default()
        };
        if let Some(told) = told {
            block::text(told, block::next(&mut talk.system));
        }
        for (at, message) in demand.chat.messages().enumerate() {
            match message.role() {
                Role::System | Role::Developer => talk.instruct(at, &message)?,
                Role::User => talk.user(at, &message)?,
                Role::Assistant => talk.assistant(&message, family, notes),
                Role::Tool | Role::Function => talk.result(at, &message)?,
            }
        }
        let mark = demand.chat.get("cache_control").filter(|_| talk.caches);
        if let (Some(mark), Some(turn)) = (mark, talk.turns.last_mut()) {
            block::cache_point(mark, block::next(&mut turn.blocks));
        }
        if talk.turns.first().is_none_or(|turn| turn.assistant) {
            let what = "begun with a word of the user: the wire wants it";
            note(notes, "messages", what);
            let mut first = Turn::default();
            first.say("(start)");
            talk.turns.insert(0, first);
        }
        Ok(talk)
    }

    /// The turns as the array `messages`.
    pub(super) fn messages(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut list = ArrayWriter::open(&mut out);
        for turn in &self.turns {
            let mut object = list.object();
            object.string("role", if turn.assistant { "assistant" } else { "user" });
            let mut blocks = ArrayWriter::open(object.key("content"));
            for some in [&turn.results, &turn.blocks] {
                if !some.is_empty() {
                    blocks.next().extend_from_slice(some);
                }
            }
            if turn.has_document && !turn.has_text {
                // The wire wants words beside a document.
                block::text("(a document)", blocks.next());
            }
            if blocks.is_empty() {
                block::text("(empty)", blocks.next());
            }
            blocks.close();
            object.close();
        }
        list.close();
        out
    }

    /// The turn of this speaker: the one that is going on, or a new one.
    fn turn(&mut self, assistant: bool) -> &mut Turn {
        if self
            .turns
            .last()
            .is_none_or(|turn| turn.assistant != assistant)
        {
            self.turns.push(Turn {
                assistant,
                ..Turn::default()
            });
        }
        let last = self.turns.len() - 1;
        // `last` is in bounds: there is a turn.
        #[expect(clippy::indexing_slicing, reason = "pushed above where there was none")]
        &mut self.turns[last]
    }

    /// Instructions. Anything but text is the user's to say.
    fn instruct(&mut self, at: usize, message: &Message<'_>) -> Result<(), EncodeError> {
        match message.content() {
            Content::Absent => {}
            Content::Text(_) => {
                let text = message.text();
                if !text.trim().is_empty() {
                    block::text(&text, block::next(&mut self.system));
                }
            }
            Content::Parts(parts) => {
                for (place, part) in parts.enumerate() {
                    let kind = part.get("type").and_then(Json::string);
                    if kind.as_deref() != Some("text") {
                        self.part(part, (at, place))?;
                        continue;
                    }
                    let text = part.get("text").and_then(Json::string).unwrap_or_default();
                    if !text.trim().is_empty() {
                        block::text(&text, block::next(&mut self.system));
                    }
                    if let Some(mark) = part.get("cache_control").filter(|_| self.caches) {
                        block::cache_point(mark, block::next(&mut self.system));
                    }
                }
            }
        }
        Ok(())
    }

    /// Words of the user. A name goes before them: the wire has no member for it (API contract,
    /// section 1.3).
    fn user(&mut self, at: usize, message: &Message<'_>) -> Result<(), EncodeError> {
        let name = message.get("name").and_then(Json::string);
        match message.content() {
            Content::Absent => {
                self.turn(false);
            }
            Content::Text(_) => {
                let text = message.text();
                let text = match name {
                    Some(name) => Cow::Owned(format!("{name}: {text}")),
                    None => text,
                };
                self.turn(false).say(&text);
            }
            Content::Parts(parts) => {
                self.turn(false);
                if let Some(name) = name {
                    self.turn(false).say(&format!("{name}:"));
                }
                for (place, part) in parts.enumerate() {
                    self.part(part, (at, place))?;
                }
            }
        }
        Ok(())
    }

    /// One part of what the user says.
    fn part(&mut self, part: Json<'_>, (at, place): (usize, usize)) -> Result<(), EncodeError> {
        let caches = self.caches;
        let kind = part.get("type").and_then(Json::string).unwrap_or_default();
        let mut documents = std::mem::take(&mut self.documents);
        let turn = self.turn(false);
        if kind == "text" {
            turn.say(&part.get("text").and_then(Json::string).unwrap_or_default());
        } else {
            let written = block::media(part, &kind, &mut documents, &mut turn.blocks);
            turn.has_document |= written.map_err(|reason| unsupported(at, place, reason))?;
        }
        if let Some(mark) = part.get("cache_control").filter(|_| caches) {
            block::cache_point(mark, block::next(&mut turn.blocks));
        }
        self.documents = documents;
        Ok(())
    }

    /// What the model thought, said and did, in this order.
    fn assistant(&mut self, message: &Message<'_>, family: Family, notes: &mut Vec<Note>) {
        let text = message.text();
        let text = match message.get("refusal").and_then(Json::string) {
            Some(refusal) if text.is_empty() => refusal,
            _ => text,
        };
        for call in message.tool_calls() {
            self.names.insert(call.name().into_owned());
        }
        let turn = self.turn(true);
        turn.has_text |= block::thoughts(message.json(), family, &text, &mut turn.blocks);
        let mut wrapped = false;
        for call in message.tool_calls() {
            wrapped |= block::call(&call, block::next(&mut turn.blocks));
        }
        if wrapped {
            let what = "arguments that are no object were put into one";
            note(notes, "messages", what);
        }
    }

    /// What a tool answered.
    fn result(&mut self, at: usize, message: &Message<'_>) -> Result<(), EncodeError> {
        let id = message.tool_call_id();
        let id = id.or_else(|| message.get("name").and_then(Json::string));
        let id = id.unwrap_or_default();
        let id = block::tool_id(&id);
        let mut documents = std::mem::take(&mut self.documents);
        let turn = self.turn(false);
        let mut object = ObjectWriter::open(block::next(&mut turn.results));
        let mut result = object.object("toolResult");
        result.string("toolUseId", &id);
        let out = result.key("content");
        match message.content() {
            Content::Parts(parts) => {
                let mut blocks = Vec::new();
                for (place, part) in parts.enumerate() {
                    let kind = part.get("type").and_then(Json::string).unwrap_or_default();
                    if kind == "text" {
                        let text = part.get("text").and_then(Json::string).unwrap_or_default();
                        if !text.trim().is_empty() {
                            block::text(&text, block::next(&mut blocks));
                        }
                        continue;
                    }
                    let written = block::media(part, &kind, &mut documents, &mut blocks);
                    written.map_err(|reason| unsupported(at, place, reason))?;
                }
                if blocks.is_empty() {
                    block::text("(empty)", &mut blocks);
                }
                out.push(b'[');
                out.extend_from_slice(&blocks);
                out.push(b']');
            }
            Content::Text(_) | Content::Absent => {
                let text = message.text();
                let blank = text.trim().is_empty();
                out.push(b'[');
                block::text(if blank { "(empty)" } else { &text }, out);
                out.push(b']');
            }
        }
        result.close();
        object.close();
        self.documents = documents;
        Ok(())
    }
}

// === impl Turn ===

impl Turn {
    /// A text, unless it is blank.
    fn say(&mut self, text: &str) {
        self.has_text |= block::words(text, &mut self.blocks);
    }
}

/// A part that has no form on the wire.
fn unsupported(at: usize, place: usize, reason: &str) -> EncodeError {
    EncodeError::Unsupported {
        field: format!("messages[{at}].content[{place}]"),
        reason: reason.into(),
    }
}
