//! Signatures on their way back: reasoning details of an earlier answer, told apart by what they
//! stood on. Details of other formats are not for this wire and stay; so do thoughts without a
//! signature, which the wire does not want back.
//!
//! A signature without a place, or with one that the message does not have any more, belongs to the
//! first call if that has none, else to the text: the two places where a signature is looked for.
//! Another gateway of this vocabulary may have sent such details to the client.

use std::{borrow::Cow, collections::VecDeque};

use waystation_core::{Json, Message, ObjectWriter};

use super::mark::{FORMAT, Mark};

/// What stands for the signature of a call that another host's model made: without any, models of
/// the third generation refuse the call.
/// Source: <https://ai.google.dev/gemini-api/docs/thought-signatures> (2026-08-22).
pub(super) const FOREIGN: &str = "\"skip_thought_signature_validator\"";

/// The signatures of one message.
#[derive(Debug, Default)]
pub(super) struct Replay<'a> {
    calls: Vec<(Cow<'a, str>, Json<'a>)>,
    /// Bytes of the text, and the signature of the part that they were.
    pub(super) texts: Vec<(usize, usize, Json<'a>)>,
    images: Vec<(usize, Json<'a>)>,
    /// Parts that go back whole, before the text: signed thoughts, tools of the host's own.
    pub(super) parts: Vec<Vec<u8>>,
    /// Signatures that do not say what they stood on.
    loose: VecDeque<Json<'a>>,
}

// === impl Replay ===

impl<'a> Replay<'a> {
    /// The signatures that `message` brings back.
    pub(super) fn of(message: &Message<'a>) -> Self {
        let mut replay = Self::default();
        let details = message.get("reasoning_details").into_iter();
        for detail in details.flat_map(Json::elements) {
            if detail.get("format").is_some_and(|format| format.is(FORMAT)) {
                replay.detail(detail, message);
            }
        }
        replay.texts.sort_by_key(|(start, end, _)| (*start, *end));
        replay
    }

    /// Takes one detail.
    fn detail(&mut self, detail: Json<'a>, message: &Message<'a>) {
        let string = |key: &str| detail.get(key).filter(|value| value.escaped().is_some());
        let is = |kind: &str| detail.get("type").is_some_and(|found| found.is(kind));
        let signature = string("signature");
        if is("reasoning.server_tool_call") {
            self.parts.extend(server_tool(detail, signature));
        } else if is("reasoning.text") {
            if let Some(signature) = signature {
                let mut out = Vec::new();
                let mut part = ObjectWriter::open(&mut out);
                part.raw("text", string("text").map_or(b"\"\"", Json::bytes));
                part.bool("thought", true)
                    .raw("thoughtSignature", signature.bytes());
                part.close();
                self.parts.push(out);
            }
        } else if let Some(data) = string("data") {
            let id = string("id").and_then(Json::string).unwrap_or_default();
            if message.tool_calls().any(|call| call.id() == id) {
                self.calls.push((id, data));
                return;
            }
            match Mark::of(&id) {
                Some(Mark::Text(start, end)) => self.texts.push((start, end, data)),
                Some(Mark::Image(at)) => self.images.push((at, data)),
                None => self.loose.push_back(data),
            }
        }
    }

    /// The signature of a call; `first` tells the first call of the message, which is the one that
    /// has a signature when it does not say what it stood on.
    pub(super) fn call(&mut self, id: &str, first: bool) -> Option<Json<'a>> {
        let found = self.calls.iter().find(|(known, _)| known == id);
        match found {
            Some((_, signature)) => Some(*signature),
            None if first => self.loose.pop_front(),
            None => None,
        }
    }

    /// The signature of an image.
    pub(super) fn image(&self, at: usize) -> Option<Json<'a>> {
        let found = self.images.iter().find(|(known, _)| *known == at);
        found.map(|(_, signature)| *signature)
    }

    /// Takes a signature out that does not say what it stood on.
    pub(super) fn loose(&mut self) -> Option<Json<'a>> {
        self.loose.pop_front()
    }

    /// Puts a signature aside whose place is not there any more.
    pub(super) fn loosen(&mut self, signature: Json<'a>) {
        self.loose.push_back(signature);
    }
}

/// A part of a tool that the host ran itself, as it came.
fn server_tool(detail: Json<'_>, signature: Option<Json<'_>>) -> Option<Vec<u8>> {
    const KINDS: [&str; 4] = [
        "executableCode",
        "codeExecutionResult",
        "toolCall",
        "toolResponse",
    ];
    let name = detail.get("tool_name")?;
    let kind = KINDS.into_iter().find(|kind| name.is(kind))?;
    let held = detail
        .get("arguments")
        .or_else(|| detail.get("result"))?
        .string()?;
    let inner = Json::parse(held.as_bytes()).ok()?;
    let mut out = Vec::new();
    let mut part = ObjectWriter::open(&mut out);
    part.raw(kind, inner.bytes());
    if let Some(signature) = signature {
        part.raw("thoughtSignature", signature.bytes());
    }
    part.close();
    Some(out)
}
