//! Messages as input items. Every message leaves, in its order; what an assistant did is an item for
//! each block of reasoning, for its words and for each of its calls.
//!
//! | of a message | becomes |
//! |---|---|
//! | `system`, `developer` | a message of that role; `developer` is `system` where the host wants it |
//! | `user` | a message; texts, images, files and audio as `input_text`, `input_image`, `input_file` and as they came |
//! | `name` | words before the message: the dialect has no member for it |
//! | `reasoning_details` of this host | `reasoning` items: `summary`, `content`, `encrypted_content`, before the words and calls |
//! | `reasoning_details` of others, `reasoning` | nothing: only their maker can read the one, nobody takes the other |
//! | steps of tools that this host ran | the items that they were |
//! | words of the assistant | messages whose content is a string, between the blocks where they stood |
//! | `refusal` | the same, where there are no other words beside it |
//! | `tool_calls` | `function_call` items; `custom_tool_call` where the tool was declared as one |
//! | `tool`, `function` | `function_call_output` or `custom_tool_call_output`, with parts where parts were sent |
//! | `images` of the assistant | nothing, with a note |
//! | `annotations`, `audio`, cache markers | nothing |
//!
//! The order matters to the host: a `reasoning` item without the item that it led to is a 400. A seal
//! ends an item, and so does another id: hosts give several items one id, and one item several
//! summaries.

use std::{borrow::Cow, collections::HashSet};

use waystation_core::{
    Content, Elements, EncodeError, Json, Kind, Message, Note, ObjectWriter, Role,
};

use crate::{
    array::ArrayWriter,
    demand::{Demand, note},
    ran,
    thought::{Block, Thought, Woven, weave},
};

/// Writes the messages as the array `input`. `format` marks the reasoning that goes back.
pub(super) fn write(
    demand: &Demand<'_>,
    format: &str,
    out: &mut Vec<u8>,
    notes: &mut Vec<Note>,
) -> Result<(), EncodeError> {
    let custom = |tool: Json<'_>| {
        let is_custom = tool.get("type").is_some_and(|kind| kind.is("custom"));
        let name = tool.at(&["custom", "name"]).or_else(|| tool.get("name"));
        name.filter(|_| is_custom)
            .and_then(|name| Some(name.string()?.into_owned()))
    };
    let mut input = Input {
        format,
        plain_system: demand.to.upstream.quirks.no_developer_role,
        customs: demand.chat.tools().filter_map(custom).collect(),
        custom_calls: HashSet::new(),
        list: ArrayWriter::open(out),
    };
    for (at, message) in demand.chat.messages().enumerate() {
        input.message(at, &message, notes)?;
    }
    input.list.close();
    Ok(())
}

/// The items so far.
struct Input<'a> {
    format: &'a str,
    /// `developer` is spelled `system`.
    plain_system: bool,
    /// Names of the tools whose input is free text.
    customs: HashSet<String>,
    /// Ids of the calls of such tools.
    custom_calls: HashSet<String>,
    list: ArrayWriter<'a>,
}

// === impl Input ===

impl Input<'_> {
    fn message(
        &mut self,
        at: usize,
        message: &Message<'_>,
        notes: &mut Vec<Note>,
    ) -> Result<(), EncodeError> {
        match message.role() {
            Role::System => self.said("system", at, message),
            Role::Developer if self.plain_system => self.said("system", at, message),
            Role::Developer => self.said("developer", at, message),
            Role::User => self.said("user", at, message),
            Role::Assistant => {
                self.assistant(at, message, notes);
                Ok(())
            }
            Role::Tool | Role::Function => self.result(at, message),
        }
    }

    /// A message of somebody who is no model. A name goes before the words: the dialect has no
    /// member for it (API contract, section 1.3).
    fn said(&mut self, role: &str, at: usize, message: &Message<'_>) -> Result<(), EncodeError> {
        let name = message.get("name").and_then(Json::escaped);
        let mut object = self.list.object();
        object.string("role", role);
        let out = object.key("content");
        match (message.content(), name) {
            (Content::Parts(parts), None) => write_parts(parts, at, out)?,
            (Content::Parts(parts), Some(name)) => {
                let mut list = ArrayWriter::open(out);
                let mut before = list.object();
                before.string("type", "input_text");
                quoted(&[name, b": "], before.key("text"));
                before.close();
                for (place, one) in parts.enumerate() {
                    write_part(one, at, place, list.next())?;
                }
                list.close();
            }
            (Content::Text(text), name) => {
                let name = name.map(|name| [name, b": ".as_slice()]);
                let before = name.iter().flatten().copied();
                let pieces: Vec<&[u8]> = before.chain(text.escaped()).collect();
                quoted(&pieces, out);
            }
            (Content::Absent, _) => out.extend_from_slice(b"\"\""),
        }
        object.close();
        Ok(())
    }

    /// What the model thought, said and did, in this order.
    fn assistant(&mut self, at: usize, message: &Message<'_>, notes: &mut Vec<Note>) {
        let text = message.text();
        let blocks = Block::all(message.json(), self.format);
        let refusal = message.get("refusal").and_then(Json::escaped);
        let called =
            message.tool_calls().next().is_some() || message.get("function_call").is_some();
        self.told(&text, &blocks);
        if text.is_empty() && refusal.is_none() && !called {
            self.words("");
        }
        if let Some(refusal) = refusal.filter(|refusal| !refusal.is_empty()) {
            let mut object = self.list.object();
            object.string("role", "assistant");
            quoted(&[refusal], object.key("content"));
            object.close();
        }
        if message
            .get("images")
            .is_some_and(|list| list.elements().next().is_some())
        {
            let field = format!("messages[{at}].images");
            note(
                notes,
                &field,
                "left out: the dialect takes back no images of the model",
            );
        }
        for call in message.tool_calls() {
            self.call(call.json());
        }
        if let Some(function) = message.get("function_call") {
            let name = function.get("name").and_then(Json::string);
            let arguments = function.get("arguments").and_then(Json::escaped);
            let name = name.unwrap_or_default();
            self.function(&name, &name, arguments.unwrap_or(b"{}"));
        }
    }

    /// What the model said, thought and searched, one after the other as it came.
    fn told(&mut self, text: &str, blocks: &[Block<'_>]) {
        let mut group: Vec<&Block<'_>> = Vec::new();
        for one in weave(text, blocks) {
            match one {
                Woven::Words(words) => {
                    self.reasoning(&std::mem::take(&mut group));
                    self.words(words);
                }
                Woven::Block(block) => group.push(block),
            }
        }
        self.reasoning(&group);
    }

    /// Words of the model.
    fn words(&mut self, words: &str) {
        let mut object = self.list.object();
        object.string("role", "assistant").string("content", words);
        object.close();
    }

    /// Blocks of this host, several in one item where the host gave them so: a seal ends an item,
    /// and so does another id. Steps of its own tools are items by themselves, as they came.
    fn reasoning(&mut self, blocks: &[&Block<'_>]) {
        let ends = |before: &Block<'_>, next: &Block<'_>| {
            let ran = before.thought == Thought::Ran || next.thought == Thought::Ran;
            ran || before.thought == Thought::Encrypted || before.id != next.id
        };
        for group in blocks.chunk_by(|before, next| !ends(before, next)) {
            if let Some(step) = group.first().filter(|one| one.thought == Thought::Ran) {
                if let Some(item) = ran::held(step.detail, "arguments") {
                    self.list.next().extend_from_slice(item.bytes());
                }
                continue;
            }
            let all = || group.iter().copied();
            let of = |thought| all().filter(move |block| block.thought == thought);
            let mut object = self.list.object();
            object.string("type", "reasoning");
            if let Some(id) = group.first().and_then(|block| block.id) {
                object.raw("id", id.bytes());
            }
            texts("summary_text", of(Thought::Summary), object.key("summary"));
            if of(Thought::Text).next().is_some() {
                texts("reasoning_text", of(Thought::Text), object.key("content"));
            }
            if let Some(seal) = of(Thought::Encrypted).next() {
                quoted(&[&seal.text], object.key("encrypted_content"));
            }
            object.close();
        }
    }

    /// One call of a tool.
    fn call(&mut self, call: Json<'_>) {
        let string = |path: &[&str]| call.at(path).and_then(Json::string);
        let id = string(&["id"]).unwrap_or_default();
        let custom = call.get("custom");
        let name = string(&["function", "name"]).or_else(|| string(&["custom", "name"]));
        let name = name.unwrap_or_default();
        let arguments = call
            .at(&["function", "arguments"])
            .or_else(|| call.at(&["custom", "input"]))
            .and_then(Json::escaped);
        if custom.is_none() && !self.customs.contains(&*name) {
            self.function(&id, &name, arguments.unwrap_or(b"{}"));
            return;
        }
        let mut object = self.list.object();
        object
            .string("type", "custom_tool_call")
            .string("call_id", &id)
            .string("name", &name);
        quoted(&[arguments.unwrap_or_default()], object.key("input"));
        object.close();
        self.custom_calls.insert(id.into_owned());
    }

    /// One call of a function; `arguments` as they stand between quotes.
    fn function(&mut self, id: &str, name: &str, arguments: &[u8]) {
        let arguments = match arguments {
            b"" => b"{}",
            arguments => arguments,
        };
        let mut object = self.list.object();
        object
            .string("type", "function_call")
            .string("call_id", id)
            .string("name", name);
        quoted(&[arguments], object.key("arguments"));
        object.close();
    }

    /// What a tool answered.
    fn result(&mut self, at: usize, message: &Message<'_>) -> Result<(), EncodeError> {
        let id = message.tool_call_id();
        let id = id.or_else(|| message.get("name").and_then(Json::string));
        let id: Cow<'_, str> = id.unwrap_or_default();
        let kind = if self.custom_calls.contains(&*id) {
            "custom_tool_call_output"
        } else {
            "function_call_output"
        };
        let mut object = self.list.object();
        object.string("type", kind).string("call_id", &id);
        let out = object.key("output");
        match message.content() {
            Content::Absent => out.extend_from_slice(b"\"\""),
            Content::Text(text) => out.extend_from_slice(text.bytes()),
            Content::Parts(parts) => write_parts(parts, at, out)?,
        }
        object.close();
        Ok(())
    }
}

/// The texts of blocks, as parts of the type `kind`.
fn texts<'a>(kind: &str, blocks: impl Iterator<Item = &'a Block<'a>>, out: &mut Vec<u8>) {
    let mut list = ArrayWriter::open(out);
    for block in blocks {
        let mut object = list.object();
        object.string("type", kind);
        quoted(&[&block.text], object.key("text"));
        object.close();
    }
    list.close();
}

/// Pieces of text that are escaped already, as one JSON string.
fn quoted(pieces: &[&[u8]], out: &mut Vec<u8>) {
    out.push(b'"');
    for piece in pieces {
        out.extend_from_slice(piece);
    }
    out.push(b'"');
}

/// Parts of content.
fn write_parts(parts: Elements<'_>, at: usize, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let mut list = ArrayWriter::open(out);
    for (place, part) in parts.enumerate() {
        write_part(part, at, place, list.next())?;
    }
    list.close();
    Ok(())
}

/// One part. What a provider made up goes as it came: it may know it.
fn write_part(
    part: Json<'_>,
    at: usize,
    place: usize,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let kind = part.get("type").and_then(Json::string).unwrap_or_default();
    let mut object = match &*kind {
        "text" | "image_url" | "file" => ObjectWriter::open(out),
        "video_url" | "input_video" => {
            return Err(EncodeError::Unsupported {
                field: format!("messages[{at}].content[{place}]"),
                reason: "expected text, images, files or audio, found video".into(),
            });
        }
        _ => {
            out.extend_from_slice(part.bytes());
            return Ok(());
        }
    };
    match &*kind {
        "text" => {
            object.string("type", "input_text");
            object.raw("text", part.get("text").map_or(b"\"\"", Json::bytes));
            if let Some(mark) = part.get("prompt_cache_breakpoint") {
                object.raw("prompt_cache_breakpoint", mark.bytes());
            }
        }
        "image_url" => image(part, &mut object),
        _ => file(part.get("file").unwrap_or(part), &mut object),
    }
    object.close();
    Ok(())
}

/// An image, by address or as data.
fn image(part: Json<'_>, object: &mut ObjectWriter<'_>) {
    object.string("type", "input_image");
    let Some(image) = part.get("image_url") else {
        return;
    };
    let address = match image.kind() {
        Kind::Object => image.get("url"),
        _ => Some(image),
    };
    if let Some(address) = address {
        object.raw("image_url", address.bytes());
    }
    let detail = image.get("detail").filter(|detail| !detail.is_null());
    object.raw("detail", detail.map_or(b"\"auto\"", Json::bytes));
}

/// A file: data, an address, or the id of one that the host keeps.
fn file(file: Json<'_>, object: &mut ObjectWriter<'_>) {
    object.string("type", "input_file");
    for (key, value) in file.members().filter(|(_, value)| !value.is_null()) {
        let is_address = value
            .string()
            .is_some_and(|text| text.starts_with("https://"));
        if key.is("file_data") && is_address {
            object.raw("file_url", value.bytes());
        } else {
            object
                .escaped_key(key.escaped())
                .extend_from_slice(value.bytes());
        }
    }
}
