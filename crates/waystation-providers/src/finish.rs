//! Why a choice ended: the words of hosts, and what they come to. Source: API contract, section
//! 1.7, and recorded traffic. The host's own word goes on to the client beside it, untouched.
//!
//! Words are compared without regard to case. One that nobody has seen yet means that the model was
//! done; a stop beside calls means that it calls.

use waystation_core::{FinishReason, JsonText};

/// What a host's word comes to. `called` says whether the choice made tool calls: several hosts say
/// "stop" all the same.
pub(crate) fn reason(word: &str, called: bool) -> FinishReason {
    const WORDS: &[(&str, FinishReason)] = &[
        ("stop", FinishReason::Stop),
        ("length", FinishReason::Length),
        ("tool_calls", FinishReason::ToolCalls),
        ("content_filter", FinishReason::ContentFilter),
        ("max_tokens", FinishReason::Length),
        ("max_output_tokens", FinishReason::Length),
        ("model_length", FinishReason::Length),
        ("model_context_window_exceeded", FinishReason::Length),
        ("tool_use", FinishReason::ToolCalls),
        ("tool_call", FinishReason::ToolCalls),
        ("function_call", FinishReason::ToolCalls),
        ("guardrail_intervened", FinishReason::ContentFilter),
        ("content_filtered", FinishReason::ContentFilter),
        ("safety", FinishReason::ContentFilter),
        ("recitation", FinishReason::ContentFilter),
        ("refusal", FinishReason::ContentFilter),
        ("sensitive", FinishReason::ContentFilter),
        ("blocklist", FinishReason::ContentFilter),
        ("prohibited_content", FinishReason::ContentFilter),
        ("error_toxic", FinishReason::ContentFilter),
        ("error_limit", FinishReason::Length),
        ("error", FinishReason::Error),
        ("abort", FinishReason::Error),
        ("network_error", FinishReason::Error),
        ("malformed_function_call", FinishReason::Error),
        ("malformed_model_output", FinishReason::Error),
        ("malformed_tool_use", FinishReason::Error),
        ("insufficient_system_resource", FinishReason::Error),
    ];
    let known = WORDS
        .iter()
        .find(|(known, _)| word.eq_ignore_ascii_case(known))
        .map(|(_, reason)| *reason);
    // `eos`, `end_turn`, `stop_sequence` and words that nobody has seen yet: the model was done.
    match known.unwrap_or(FinishReason::Stop) {
        FinishReason::Stop if called => FinishReason::ToolCalls,
        reason => reason,
    }
}

/// The same for a word as it stands between its quotes. What most hosts say is not looked for among all that
/// any says.
pub(crate) fn reason_of(word: &JsonText, called: bool) -> FinishReason {
    match word.escaped() {
        b"stop" | b"end_turn" if !called => FinishReason::Stop,
        _ => reason(&word.decode(), called),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_to_reasons() {
        for (word, expected) in [
            ("eos", FinishReason::Stop),
            ("stop", FinishReason::Stop),
            ("end_turn", FinishReason::Stop),
            ("STOP", FinishReason::Stop),
            ("MAX_TOKENS", FinishReason::Length),
            ("model_length", FinishReason::Length),
            ("function_call", FinishReason::ToolCalls),
            ("SAFETY", FinishReason::ContentFilter),
            ("MALFORMED_FUNCTION_CALL", FinishReason::Error),
        ] {
            assert_eq!(reason(word, false), expected, "{word}");
            for called in [false, true] {
                let told = [reason(word, called), reason_of(&JsonText::of(word), called)];
                assert_eq!(told[0], told[1], "{word}");
            }
        }
        assert_eq!(reason("stop", true), FinishReason::ToolCalls);
        assert_eq!(reason("length", true), FinishReason::Length);
    }
}
