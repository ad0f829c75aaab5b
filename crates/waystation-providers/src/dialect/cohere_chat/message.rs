//! Messages under Cohere's names. Every message leaves, in its order.
//!
//! | of a message | becomes |
//! |---|---|
//! | `system`, `developer` | `system` |
//! | `name` | words before the message: the dialect has no member for it |
//! | `image_url` parts | the same, by address or as data |
//! | files, audio, video | an error that names the part: the dialect has no place for them |
//! | words of the assistant beside calls | `tool_plan` |
//! | `reasoning_details` of this dialect | `thinking` parts before the words |
//! | `tool_calls` | the same; blank arguments are `{}` |
//! | `tool` | a string, texts, or `document` parts as they came, which the answer can cite |
//! | images in results | a message of the user behind the results |

use waystation_core::{Content, Elements, EncodeError, Json, Kind, Message, ObjectWriter, Role};

use super::FORMAT;
use crate::{
    array::ArrayWriter,
    demand::Demand,
    thought::{Block, Thought},
};

/// Writes the messages; `told` is one more instruction.
pub(super) fn write(
    demand: &Demand<'_>,
    told: Option<&str>,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let mut messages = Messages {
        list: ArrayWriter::open(out),
        images: Vec::new(),
    };
    if let Some(told) = told {
        let mut object = messages.list.object();
        object.string("role", "system").string("content", told);
        object.close();
    }
    for (at, message) in demand.chat.messages().enumerate() {
        messages.one(at, &message)?;
    }
    messages.show();
    messages.list.close();
    Ok(())
}

/// The messages so far.
struct Messages<'a, 'b> {
    list: ArrayWriter<'b>,
    /// Images of results, which follow as a message of the user.
    images: Vec<Json<'a>>,
}

// === impl Messages ===

impl<'a> Messages<'a, '_> {
    fn one(&mut self, at: usize, message: &Message<'a>) -> Result<(), EncodeError> {
        let role = message.role();
        if !matches!(role, Role::Tool | Role::Function) {
            self.show();
        }
        match role {
            Role::System | Role::Developer => self.said("system", at, message),
            Role::User => self.said("user", at, message),
            Role::Assistant => {
                self.assistant(message);
                Ok(())
            }
            Role::Tool | Role::Function => self.result(at, message),
        }
    }

    /// Words of somebody who is no model. A name goes before them: the dialect has no member for it
    /// (API contract, section 1.3).
    fn said(&mut self, role: &str, at: usize, message: &Message<'a>) -> Result<(), EncodeError> {
        let name = message.get("name").and_then(Json::escaped);
        let mut object = self.list.object();
        object.string("role", role);
        let out = object.key("content");
        match message.content() {
            Content::Absent => quoted(&[], out),
            Content::Text(text) => {
                let text = text.escaped().unwrap_or_default();
                match name {
                    Some(name) => quoted(&[name, b": ", text], out),
                    None => quoted(&[text], out),
                }
            }
            Content::Parts(parts) => {
                let mut list = ArrayWriter::open(out);
                if let Some(name) = name {
                    text_part(&[name, b": "], list.object());
                }
                for (place, part) in parts.enumerate() {
                    write_part(part, at, place, list.object())?;
                }
                list.close();
            }
        }
        object.close();
        Ok(())
    }

    /// What the model thought, said and did. What it said beside its calls is its plan.
    fn assistant(&mut self, message: &Message<'a>) {
        let thoughts = Block::all(message.json(), FORMAT);
        let thoughts = || {
            let all = thoughts.iter();
            all.filter(|block| block.thought == Thought::Text && !block.text.is_empty())
        };
        let text = message.text();
        let text = match message.get("refusal").and_then(Json::string) {
            Some(refusal) if text.is_empty() => refusal,
            _ => text,
        };
        let mut calls = message.tool_calls().peekable();
        let called = calls.peek().is_some();
        let mut object = self.list.object();
        object.string("role", "assistant");
        if thoughts().next().is_some() {
            let mut list = ArrayWriter::open(object.key("content"));
            for block in thoughts() {
                let mut part = list.object();
                part.string("type", "thinking");
                quoted(&[&block.text], part.key("thinking"));
                part.close();
            }
            if !called {
                let mut part = list.object();
                part.string("type", "text").string("text", &text);
                part.close();
            }
            list.close();
        } else if !called {
            object.string("content", &text);
        }
        if called {
            if !text.is_empty() {
                object.string("tool_plan", &text);
            }
            let mut list = ArrayWriter::open(object.key("tool_calls"));
            for call in calls {
                let mut one = list.object();
                one.string("id", &call.id()).string("type", "function");
                let mut function = one.object("function");
                function.string("name", &call.name());
                let arguments = call.arguments();
                let empty = arguments.trim().is_empty();
                function.string("arguments", if empty { "{}" } else { &arguments });
                function.close();
                one.close();
            }
            list.close();
        }
        object.close();
    }

    /// What a tool answered. Images are kept for later.
    fn result(&mut self, at: usize, message: &Message<'a>) -> Result<(), EncodeError> {
        let id = message.tool_call_id();
        let id = id.or_else(|| message.get("name").and_then(Json::string));
        let mut object = self.list.object();
        object
            .string("role", "tool")
            .string("tool_call_id", &id.unwrap_or_default());
        let out = object.key("content");
        match message.content() {
            Content::Absent => quoted(&[], out),
            Content::Text(text) => out.extend_from_slice(text.bytes()),
            Content::Parts(parts) => {
                let images = result_parts(parts, at, out)?;
                self.images.extend(images);
            }
        }
        object.close();
        Ok(())
    }

    /// Images of the results so far, as a message of the user.
    fn show(&mut self) {
        if self.images.is_empty() {
            return;
        }
        let mut object = self.list.object();
        object.string("role", "user");
        let mut list = ArrayWriter::open(object.key("content"));
        text_part(&[b"Images that the tools returned:"], list.object());
        for part in self.images.drain(..) {
            image(part, list.object());
        }
        list.close();
        object.close();
    }
}

/// Parts of a result: texts, and documents as they came. Gives back the images.
fn result_parts<'a>(
    parts: Elements<'a>,
    at: usize,
    out: &mut Vec<u8>,
) -> Result<Vec<Json<'a>>, EncodeError> {
    let mut images = Vec::new();
    let mut list = ArrayWriter::open(out);
    for (place, part) in parts.enumerate() {
        match part.get("type").and_then(Json::string).as_deref() {
            Some("image_url") => images.push(part),
            Some("document") => list.next().extend_from_slice(part.bytes()),
            _ => write_part(part, at, place, list.object())?,
        }
    }
    if list.is_empty() {
        text_part(&[b"(an image, shown below)"], list.object());
    }
    list.close();
    Ok(images)
}

/// One part of a message.
fn write_part(
    part: Json<'_>,
    at: usize,
    place: usize,
    mut object: ObjectWriter<'_>,
) -> Result<(), EncodeError> {
    let kind = part.get("type").and_then(Json::string).unwrap_or_default();
    match &*kind {
        "text" => {
            let text = part.get("text").and_then(Json::escaped);
            text_part(&[text.unwrap_or_default()], object);
        }
        "image_url" => image(part, object),
        "file" | "input_audio" | "video_url" | "input_video" => {
            return Err(EncodeError::Unsupported {
                field: format!("messages[{at}].content[{place}]"),
                reason: format!("expected text or an image, found a part of the type {kind:?}"),
            });
        }
        _ => {
            for (key, value) in part.members() {
                object
                    .escaped_key(key.escaped())
                    .extend_from_slice(value.bytes());
            }
            object.close();
        }
    }
    Ok(())
}

/// A text as a part.
fn text_part(pieces: &[&[u8]], mut object: ObjectWriter<'_>) {
    object.string("type", "text");
    quoted(pieces, object.key("text"));
    object.close();
}

/// An image as a part: by address or as data.
fn image(part: Json<'_>, mut object: ObjectWriter<'_>) {
    object.string("type", "image_url");
    if let Some(image) = part.get("image_url") {
        if image.kind() == Kind::Object {
            object.raw("image_url", image.bytes());
        } else {
            let mut inner = object.object("image_url");
            inner.raw("url", image.bytes());
            inner.close();
        }
    }
    object.close();
}

/// Pieces of text that are escaped already, as one JSON string.
fn quoted(pieces: &[&[u8]], out: &mut Vec<u8>) {
    out.push(b'"');
    for piece in pieces {
        out.extend_from_slice(piece);
    }
    out.push(b'"');
}
