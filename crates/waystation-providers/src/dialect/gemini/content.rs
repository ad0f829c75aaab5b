//! Messages as `contents`, in their order. System and developer messages are given back, for the
//! instruction beside them. No message is dropped but one that says nothing, and no text is changed
//! but for a speaker's name before it.
//!
//! | message | content |
//! |---|---|
//! | `system`, `developer`, wherever they stand | parts of `systemInstruction`, in order; alone, a content of the user |
//! | `user` | role `user`, a part for each part |
//! | `assistant` | role `model`: signed thoughts and the host's own tools, text, images, calls |
//! | `tool`, `function`, one behind the other | one content of role `user` with a `functionResponse` each |
//! | the last message, when it is the assistant's | role `model` too: the host goes on from there |
//!
//! Messages of one role are not merged: the host takes several contents of one role in a row, and
//! clients that replay a conversation send it that way (recordings of 2026). Results
//! are, because the host wants as many results in a content as there were calls in the one before.
//!
//! Source: <https://ai.google.dev/api/caching#Content> (2026-08-22) and API contract, section 1.3.

use waystation_core::{
    ChatRequest, Content, EncodeError, Json, JsonText, Kind, Message, Note, ObjectWriter, RawJson,
    Role, Target, ToolCall,
};

use super::{
    mark,
    media::Media,
    note,
    replay::{FOREIGN, Replay},
    result::{Made, Round},
    site::{Family, Site},
};
use crate::array::ArrayWriter;

/// Writes the `contents` array into `out` and gives back the texts of the instruction, each a JSON
/// string. When there are only such texts they are the contents, and nothing is given back: the host
/// refuses a request without contents.
///
/// What had to be changed is said in `notes`: arguments that are no object, and messages that say
/// nothing.
///
/// # Errors
/// [`EncodeError::Unsupported`] for media and results that have no form here.
pub(super) fn write(
    chat: &ChatRequest,
    to: &Target<'_>,
    site: Site<'_>,
    out: &mut Vec<u8>,
    notes: &mut Vec<Note>,
) -> Result<Vec<RawJson>, EncodeError> {
    let mut contents = Contents {
        list: ArrayWriter::open(out),
        media: Media::of(to, site),
        family: Family::of(&to.endpoint.upstream_model),
        made: Made::default(),
        round: Round::default(),
        notes,
    };
    let mut system = Vec::new();
    for (at, message) in chat.messages().enumerate() {
        let path = format!("messages[{at}]");
        if !matches!(message.role(), Role::Tool | Role::Function) {
            contents.end_round();
        }
        match message.role() {
            Role::System | Role::Developer => system.extend(texts(&message)),
            Role::User => contents.user(&message, &path)?,
            Role::Assistant => contents.assistant(&message, &path)?,
            Role::Tool | Role::Function => {
                let inside = contents.family.is_third();
                let media = (contents.media, inside);
                contents
                    .round
                    .take(&message, &path, &contents.made, media)?;
            }
        }
    }
    contents.end_round();
    if contents.list.is_empty() {
        // The wire wants contents: an instruction alone is something to answer.
        let parts: Vec<Vec<u8>> = system
            .drain(..)
            .map(|text| text_part(text.bytes(), None))
            .collect();
        contents.content("user", &parts.join(&b","[..]));
    }
    contents.list.close();
    Ok(system)
}

/// The texts of a message, each as a JSON string. Parts that are no text have no place in an
/// instruction; the contract does not allow them there.
fn texts(message: &Message<'_>) -> Vec<RawJson> {
    match message.content() {
        Content::Parts(_) => {
            let texts = message.content().parts().filter_map(|part| part.text());
            texts.map(|text| JsonText::of(&text).quoted()).collect()
        }
        Content::Text(_) => vec![JsonText::of(&message.text()).quoted()],
        Content::Absent => Vec::new(),
    }
}

/// One text part, from the text as JSON and the signature that it came with, as JSON too. A part
/// may be empty and signed: that is how streams bring the signature of a text that is over.
fn text_part(text: &[u8], signature: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 16);
    let mut part = ObjectWriter::open(&mut out);
    part.raw("text", text);
    if let Some(signature) = signature {
        part.raw("thoughtSignature", signature);
    }
    part.close();
    out
}

/// The contents that are being written, and what must be remembered from message to message: the
/// calls that were made, for the names of their results, and the results of the round that is not
/// complete yet.
struct Contents<'a> {
    list: ArrayWriter<'a>,
    media: Media<'a>,
    family: Family,
    made: Made,
    round: Round,
    notes: &'a mut Vec<Note>,
}

// === impl Contents ===

impl Contents<'_> {
    /// Writes one content of these parts, which are separated by commas already.
    fn content(&mut self, role: &str, parts: &[u8]) {
        let mut object = self.list.object();
        object.string("role", role);
        let list = object.key("parts");
        list.push(b'[');
        list.extend_from_slice(parts);
        list.push(b']');
        object.close();
    }

    /// The results of a round are complete: another message comes, or none.
    fn end_round(&mut self) {
        if !self.round.is_empty() {
            for parts in self.round.contents() {
                self.content("user", &parts);
            }
        }
    }

    /// A message of the person. The wire has no place for a name: it goes before the first words, as
    /// the contract has it for hosts without names (section 1.3).
    ///
    /// # Errors
    /// [`EncodeError::Unsupported`] for parts that the host cannot be given.
    fn user(&mut self, message: &Message<'_>, path: &str) -> Result<(), EncodeError> {
        let name = message.get("name").and_then(Json::string);
        let mut name = name.filter(|name| !name.is_empty());
        let mut named = |text: &str| match name.take() {
            Some(name) => JsonText::of(&format!("{name}: {text}")).quoted(),
            None => JsonText::of(text).quoted(),
        };
        let mut parts = Vec::new();
        match message.content() {
            Content::Absent => parts.extend_from_slice(&text_part(b"\"\"", None)),
            Content::Text(_) => {
                let text = named(&message.text());
                parts.extend_from_slice(&text_part(text.bytes(), None));
            }
            Content::Parts(_) => {
                for (at, part) in message.content().parts().enumerate() {
                    if at > 0 {
                        parts.push(b',');
                    }
                    match part.text() {
                        Some(text) => {
                            parts.extend_from_slice(&text_part(named(&text).bytes(), None));
                        }
                        None => {
                            let path = format!("{path}.content[{at}]");
                            self.media.write(&part, &path, &mut parts)?;
                        }
                    }
                }
            }
        }
        self.content("user", &parts);
        Ok(())
    }

    /// An answer of the model's: its text, its images and its calls, with the signatures that they
    /// came with.
    ///
    /// Models of the third generation refuse a call that was made in the current round and has no
    /// signature; only the first of parallel calls has one. A call that another host's model made has
    /// none to give back, so the first one gets the word that the host takes in its place. That is
    /// what lets a conversation change its model in the middle of a loop.
    ///
    /// # Errors
    /// [`EncodeError::Unsupported`] for parts that the host cannot be given.
    fn assistant(&mut self, message: &Message<'_>, path: &str) -> Result<(), EncodeError> {
        let mut replay = Replay::of(message);
        let mut parts = std::mem::take(&mut replay.parts);
        self.said(message, path, &mut replay, &mut parts)?;
        let images = message.get("images").into_iter().flat_map(Json::elements);
        for (at, image) in images.enumerate() {
            if let Some(part) = image_part(image, replay.image(at)) {
                parts.push(part);
            }
        }
        for (at, call) in message.tool_calls().enumerate() {
            self.made.take(&call);
            let field = format!("{path}.tool_calls[{at}].function.arguments");
            let signature = replay
                .call(&call.id(), at == 0)
                .or_else(|| compatible(&call));
            let foreign = at == 0 && self.family.wants_signatures();
            let signature = match signature {
                Some(signature) => Some(signature.bytes()),
                None => foreign.then_some(FOREIGN.as_bytes()),
            };
            parts.push(self.call(&call, signature, &field));
        }
        if parts.is_empty()
            && let Some(signature) = replay.loose()
        {
            parts.push(text_part(b"\"\"", Some(signature.bytes())));
        }
        if parts.is_empty() {
            note(self.notes, path, "left out: it says nothing");
        } else {
            self.content("model", &parts.join(&b","[..]));
        }
        Ok(())
    }

    /// The words of an answer, cut where signed parts began and ended: the host wants a signed part
    /// back as it was, neither shortened nor joined with its neighbours. Marks that do not fit the
    /// text any more, because the client edited it, are put aside.
    ///
    /// # Errors
    /// [`EncodeError::Unsupported`] for parts that the host cannot be given.
    fn said<'m>(
        &self,
        message: &Message<'m>,
        path: &str,
        replay: &mut Replay<'m>,
        parts: &mut Vec<Vec<u8>>,
    ) -> Result<(), EncodeError> {
        let marks = std::mem::take(&mut replay.texts);
        if marks.is_empty()
            && let Content::Parts(_) = message.content()
        {
            for (at, part) in message.content().parts().enumerate() {
                let mut out = Vec::new();
                self.media
                    .write(&part, &format!("{path}.content[{at}]"), &mut out)?;
                parts.push(out);
            }
            return Ok(());
        }
        let mut text = message.text();
        if text.is_empty()
            && let Some(refusal) = message.get("refusal").and_then(Json::string)
        {
            text = refusal;
        }
        let quoted = |text: &str| JsonText::of(text).quoted();
        let mut from = 0;
        for (start, end, signature) in marks {
            let (Some(before), Some(signed)) = (text.get(from..start), text.get(start..end)) else {
                replay.loosen(signature);
                continue;
            };
            if !before.is_empty() {
                parts.push(text_part(quoted(before).bytes(), None));
            }
            parts.push(text_part(quoted(signed).bytes(), Some(signature.bytes())));
            from = end;
        }
        let rest = text.get(from..).unwrap_or_default();
        if !rest.is_empty() {
            // A signature that does not say what it stood on: on the text, unless there are calls.
            let called = message.tool_calls().next().is_some();
            let signature = if called { None } else { replay.loose() };
            let signature = signature.map(Json::bytes);
            parts.push(text_part(quoted(rest).bytes(), signature));
        }
        Ok(())
    }

    /// One call. Its arguments are an object on this wire; text that is none goes back inside one,
    /// so that what a model said once, broken or not, is in the conversation still. Ids that were
    /// made here are left out: the host never gave them, and matches by order.
    fn call(&mut self, call: &ToolCall<'_>, signature: Option<&[u8]>, field: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let mut part = ObjectWriter::open(&mut out);
        let mut function = part.object("functionCall");
        let id = call.id();
        if !id.is_empty() && !mark::is_made(&id) {
            function.string("id", &id);
        }
        function.string("name", &call.name());
        let text = call.arguments();
        let args = function.key("args");
        match Json::parse(text.as_bytes()) {
            Ok(json) if json.kind() == Kind::Object => args.extend_from_slice(json.bytes()),
            _ if text.trim().is_empty() => args.extend_from_slice(b"{}"),
            _ => {
                note(
                    self.notes,
                    field,
                    "sent inside an object: it is no JSON object",
                );
                let mut wrapped = ObjectWriter::open(args);
                wrapped.string("arguments", &text);
                wrapped.close();
            }
        }
        function.close();
        if let Some(signature) = signature {
            part.raw("thoughtSignature", signature);
        }
        part.close();
        out
    }
}

/// The signature of a call as Google's OpenAI-compatible endpoint gives it to clients.
fn compatible<'a>(call: &ToolCall<'a>) -> Option<Json<'a>> {
    let mut extra = call.json().get("extra_content")?.members();
    let signature = extra.find_map(|(_, held)| held.get("thought_signature"))?;
    (signature.kind() == Kind::String).then_some(signature)
}

/// An image of an earlier answer, which clients echo as a data URL.
fn image_part(image: Json<'_>, signature: Option<Json<'_>>) -> Option<Vec<u8>> {
    let url = image.at(&["image_url", "url"])?.string()?;
    let (kind, bytes) = url.strip_prefix("data:")?.split_once(";base64,")?;
    let mut out = Vec::new();
    let mut part = ObjectWriter::open(&mut out);
    let mut blob = part.object("inlineData");
    blob.string("mimeType", kind).string("data", bytes);
    blob.close();
    if let Some(signature) = signature {
        part.raw("thoughtSignature", signature.bytes());
    }
    part.close();
    Some(out)
}
