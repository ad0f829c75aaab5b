//! Why a candidate ended: the wire's words, or their numbers where a host sends enums as numbers,
//! and what they come to, beside the words that all dialects share. Numbers come from a host that
//! was asked for them (`enum-encoding=int`). The host's own word goes on to the client, untouched.
//!
//! A call that the model was not to make (`UNEXPECTED_TOOL_CALL`) is a failure of the model's, not a
//! call to answer; the call itself is given out all the same, for clients that want to see it.
//!
//! Source: API contract, section 1.7, the published enum
//! (<https://ai.google.dev/api/generate-content#FinishReason>, 2026-08-22) and recorded traffic.

use bytes::Bytes;
use waystation_core::{FinishReason, Json, JsonText};

/// The words by their numbers, as far as AI Studio and Vertex agree on them.
const NUMBERED: &[&str] = &[
    "FINISH_REASON_UNSPECIFIED",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
];

/// The wire's own word; `None` for absence in its several spellings.
pub(super) fn word(value: Option<Json<'_>>, data: &Bytes) -> Option<JsonText> {
    let value = value?;
    let numbered = || NUMBERED.get(usize::try_from(value.u64()?).ok()?);
    let word = match value.json_text(data) {
        Some(word) => word,
        None => match numbered() {
            Some(word) => JsonText::from_static(word),
            None => JsonText::of(&value.text()),
        },
    };
    let said = !word.is_empty() && word.escaped() != b"FINISH_REASON_UNSPECIFIED";
    said.then_some(word)
}

/// What a word comes to. `called` says whether the candidate made tool calls: the wire says `STOP`
/// all the same.
pub(super) fn reason(word: &str, called: bool) -> FinishReason {
    match word {
        "SPII"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => FinishReason::ContentFilter,
        "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MISSING_THOUGHT_SIGNATURE"
        | "MALFORMED_RESPONSE"
        | "LANGUAGE"
        | "OTHER"
        | "IMAGE_OTHER"
        | "NO_IMAGE" => FinishReason::Error,
        word => crate::finish::reason(word, called),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_come_to_reasons() {
        for (text, expected) in [
            ("\"STOP\"", Some(FinishReason::Stop)),
            ("1", Some(FinishReason::Stop)),
            ("2", Some(FinishReason::Length)),
            ("\"MAX_TOKENS\"", Some(FinishReason::Length)),
            ("\"MODEL_ARMOR\"", Some(FinishReason::ContentFilter)),
            ("\"UNEXPECTED_TOOL_CALL\"", Some(FinishReason::Error)),
            ("77", Some(FinishReason::Stop)),
            ("\"\"", None),
            ("0", None),
        ] {
            let data = Bytes::from(text);
            let found = word(Some(Json::parse(&data).unwrap()), &data);
            let found = found.map(|word| reason(&word.decode(), false));
            assert_eq!(found, expected, "{text}");
        }
        assert_eq!(reason("STOP", true), FinishReason::ToolCalls);
        assert_eq!(reason("MAX_TOKENS", true), FinishReason::Length);
        assert_eq!(reason("SAFETY", true), FinishReason::ContentFilter);
    }
}
