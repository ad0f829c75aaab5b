//! Signatures on their way out: `thoughtSignature` of a part as a reasoning detail, byte for byte
//! as it stood, with what it stood on. Nothing is checked or decoded; on the way back `replay`
//! puts it where it was.
//!
//! Losing a signature breaks the second turn of a tool loop with a 400 on models of the third
//! generation, and costs earlier ones their train of thought. So details are given out even when the
//! client does not want to see reasoning: they cannot be read.
//!
//! Source: API contract, section 1.4; <https://ai.google.dev/gemini-api/docs/thought-signatures> (2026-08-22).

use waystation_core::{Json, JsonText, ObjectWriter};

use super::{field::PartFields, mark::FORMAT};

/// Counts the details of one candidate, since each carries its place.
#[derive(Debug, Default)]
pub(super) struct Details {
    next: u64,
}

// === impl Details ===

impl Details {
    /// Opens a detail in the list `out`, which is closed by the caller.
    fn open<'a>(&mut self, kind: &str, out: &'a mut Vec<u8>) -> ObjectWriter<'a> {
        out.push(if out.is_empty() { b'[' } else { b',' });
        let mut detail = ObjectWriter::open(out);
        detail.string("type", kind).string("format", FORMAT);
        detail.number("index", self.next);
        self.next += 1;
        detail
    }

    /// The signature of a call, a text or an image.
    pub(super) fn signed(&mut self, id: &JsonText, signature: Json<'_>, out: &mut Vec<u8>) {
        let mut detail = self.open("reasoning.encrypted", out);
        detail.text("id", id).raw("data", signature.bytes());
        detail.close();
    }

    /// A thought that is signed itself. Thoughts without a signature are reasoning and no more:
    /// the wire does not want them back.
    pub(super) fn thought(
        &mut self,
        text: Option<Json<'_>>,
        signature: Json<'_>,
        out: &mut Vec<u8>,
    ) {
        let mut detail = self.open("reasoning.text", out);
        detail.raw("text", text.map_or(b"\"\"", Json::bytes));
        detail.raw("signature", signature.bytes());
        detail.close();
    }

    /// A part of a tool that the host ran itself: code, its result, a search. It is no call for the
    /// client; it goes back as it came, since signatures behind it may rest on it.
    pub(super) fn server_tool(
        &mut self,
        part: &PartFields<'_>,
        signature: Option<Json<'_>>,
        out: &mut Vec<u8>,
    ) {
        let kinds = [
            ("executableCode", part.code),
            ("codeExecutionResult", part.code_result),
            ("toolCall", part.tool_call),
            ("toolResponse", part.tool_response),
        ];
        let found = kinds
            .into_iter()
            .find_map(|(kind, inner)| Some((kind, inner?)));
        let Some((kind, inner)) = found else {
            return;
        };
        let mut detail = self.open("reasoning.server_tool_call", out);
        detail.string("tool_name", kind);
        let held = if matches!(kind, "executableCode" | "toolCall") {
            "arguments"
        } else {
            "result"
        };
        detail.string(held, &inner.text());
        if let Some(id) = inner.get("id").filter(|id| id.escaped().is_some()) {
            detail.raw("tool_call_id", id.bytes());
        }
        if let Some(signature) = signature {
            detail.raw("signature", signature.bytes());
        }
        detail.close();
    }
}
