//! Messages as `contents`, in their order. System and developer messages are given back, for the
//! instruction beside them. No message is dropped but one that says nothing, and no text is changed
//! but for a speaker's name before it.

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

/// Writes the `contents` array and gives back the texts of the instruction.
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
        list: List::open(out),
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
    if contents.list.empty {
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

/// The texts of a message, each as a JSON string.
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

/// One text part, from the text as JSON.
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

/// An array that is being written.
struct List<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

/// The contents that are being written.
struct Contents<'a> {
    list: List<'a>,
    media: Media<'a>,
    family: Family,
    made: Made,
    round: Round,
    notes: &'a mut Vec<Note>,
}

// === impl List ===

impl<'a> List<'a> {
    /// Writes the opening bracket.
    fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'[');
        Self { out, empty: true }
    }

    /// Lends the buffer for the next element.
    fn next(&mut self) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
        self.out
    }

    /// Writes the closing bracket.
    fn close(self) {
        self.out.push(b']');
    }
}

// === impl Contents ===

impl Contents<'_> {
    /// Writes one content of these parts.
    fn content(&mut self, role: &str, parts: &[u8]) {
        let mut object = ObjectWriter::open(self.list.next());
        object.string("role", role);
        let list = object.key("parts");
        list.push(b'[');
        list.extend_from_slice(parts);
        list.push(b']');
        object.close();
    }

    /// The results of a round are complete.
    fn end_round(&mut self) {
        if !self.round.is_empty() {
            for parts in self.round.contents() {
                self.content("user", &parts);
            }
        }
    }

    /// A message of the person. The wire has no place for a name: it goes before the words.
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
        if let Some(signature) = replay.loose() {
            parts.push(text_part(b"\"\"", Some(signature.bytes())));
        }
        if parts.is_empty() {
            note(self.notes, path, "left out: it says nothing");
        } else {
            self.content("model", &parts.join(&b","[..]));
        }
        Ok(())
    }

    /// The words of an answer, cut where signed parts began and ended.
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

    /// One call. Its arguments are an object on this wire; text that is none goes back inside one.
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
    let signature = call
        .json()
        .at(&["extra_content", "google", "thought_signature"])?;
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
