//! Results of function calls. The wire wants the results of one round in one content, by the
//! function's name, each an object; clients send one message each, by the call's id, as text.
//!
//! | a result's text | `response` |
//! |---|---|
//! | a JSON object | the object, as it came |
//! | anything else | `{"output": text}`, the host's own word for it |
//! | none, beside media | `{}` |
//!
//! Images and files of a result stand inside it for models of the third generation, and in a content
//! of their own behind the round for earlier ones, which take none inside. Ids go along when the host
//! gave them; without ids it matches by order, so results leave in the order of their calls, whatever
//! the order in which the client sent them.
//!
//! Source: <https://ai.google.dev/api/caching#FunctionResponse> (2026-08-22) and recorded loops.

use std::collections::HashMap;

use waystation_core::{
    Content, EncodeError, Json, JsonText, Kind, Message, ObjectWriter, ToolCall,
};

use super::{mark, media::Media, unsupported};

/// The calls that a conversation has made so far.
#[derive(Debug, Default)]
pub(super) struct Made {
    calls: HashMap<String, (String, usize)>,
}

/// The results of one round, until it is complete.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// Which call each answers, in the order of the calls, and the part that it makes.
    parts: Vec<(usize, Vec<u8>)>,
    /// Media that stand beside the results, for models that take none inside.
    beside: Vec<Vec<u8>>,
}

// === impl Made ===

impl Made {
    /// Takes note of a call. An id that was used before names the later call from here on.
    pub(super) fn take(&mut self, call: &ToolCall<'_>) {
        let order = self.calls.len();
        let name = call.name().into_owned();
        self.calls.insert(call.id().into_owned(), (name, order));
    }

    /// The name of the function that a result comes from, and the call's place.
    fn named(&self, message: &Message<'_>, path: &str) -> Result<(String, usize), EncodeError> {
        let id = message.tool_call_id().unwrap_or_default();
        if let Some(found) = self.calls.get(&*id) {
            return Ok(found.clone());
        }
        match message.get("name").and_then(Json::string) {
            Some(name) => Ok((name.into_owned(), usize::MAX)),
            None => {
                let reason = format!(
                    "{id:?} answers no earlier tool call; expected its id, or the function's name beside it"
                );
                Err(unsupported(format!("{path}.tool_call_id"), reason))
            }
        }
    }
}

// === impl Round ===

impl Round {
    /// Whether there is no result.
    pub(super) const fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Takes one result; `inside` says whether the model takes media in results.
    ///
    /// # Errors
    /// [`EncodeError::Unsupported`] for a result of a call that nobody made and that does not name its
    /// function, and for media that the host cannot be given.
    pub(super) fn take(
        &mut self,
        message: &Message<'_>,
        path: &str,
        made: &Made,
        (media, inside): (Media<'_>, bool),
    ) -> Result<(), EncodeError> {
        let (name, order) = made.named(message, path)?;
        let mut held = Vec::new();
        for (at, part) in message.content().parts().enumerate() {
            if part.text().is_none() {
                let mut out = Vec::new();
                media.write(&part, &format!("{path}.content[{at}]"), &mut out)?;
                held.push(out);
            }
        }
        let mut out = Vec::new();
        let mut part = ObjectWriter::open(&mut out);
        let mut response = part.object("functionResponse");
        let id = message.tool_call_id().unwrap_or_default();
        if !id.is_empty() && !mark::is_made(&id) {
            response.string("id", &id);
        }
        response.string("name", &name);
        write_value(message, response.key("response"));
        if inside && !held.is_empty() {
            let list = response.key("parts");
            list.push(b'[');
            list.extend_from_slice(&held.join(&b","[..]));
            list.push(b']');
        } else {
            self.beside.append(&mut held);
        }
        response.close();
        part.close();
        self.parts.push((order, out));
        Ok(())
    }

    /// The contents that the round makes: the results in the order of their calls, since calls
    /// without ids are matched by it, and then what stands beside them.
    pub(super) fn contents(&mut self) -> Vec<Vec<u8>> {
        self.parts.sort_by_key(|(order, _)| *order);
        let results: Vec<Vec<u8>> = self.parts.drain(..).map(|(_, part)| part).collect();
        let beside = std::mem::take(&mut self.beside);
        let lists = [results, beside]
            .into_iter()
            .filter(|list| !list.is_empty());
        lists.map(|list| list.join(&b","[..])).collect()
    }
}

/// A result as an object: itself when its text is one, else its text as `output`.
fn write_value(message: &Message<'_>, out: &mut Vec<u8>) {
    let text = message.text();
    if let Ok(json) = Json::parse(text.as_bytes())
        && json.kind() == Kind::Object
    {
        out.extend_from_slice(json.bytes());
        return;
    }
    let mut object = ObjectWriter::open(out);
    if !(text.is_empty() && matches!(message.content(), Content::Parts(_))) {
        object.text("output", &JsonText::of(&text));
    }
    object.close();
}
