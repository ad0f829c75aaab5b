//! The members of a reply that are read, found in one walk over each object, under the wire's
//! names and their older spellings with underscores. Members under other names are passed by;
//! `null` is absence.

use waystation_core::Json;

macro_rules! fields {
    ($(#[$doc:meta])* $name:ident { $($field:ident = $($key:literal)|+),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        pub(super) struct $name<'a> { $(pub(super) $field: Option<Json<'a>>),* }

        impl<'a> $name<'a> {
            /// Finds the members of `object`.
            pub(super) fn of(object: Json<'a>) -> Self {
                let mut found = Self::default();
                for (key, value) in object.members() {
                    let field = match key.escaped() {
                        $($($key)|+ => &mut found.$field,)*
                        _ => continue,
                    };
                    *field = Some(value).filter(|value| !value.is_null());
                }
                found
            }
        }
    };
}

fields! {
    /// A chunk of a stream, or a whole reply.
    Chunk {
        candidates = b"candidates",
        feedback = b"promptFeedback" | b"prompt_feedback",
        usage = b"usageMetadata" | b"usage_metadata",
        model = b"modelVersion" | b"model_version",
        id = b"responseId" | b"response_id",
        error = b"error",
    }
}

fields! {
    /// One element of `candidates`.
    CandidateFields {
        index = b"index",
        content = b"content",
        finish_reason = b"finishReason" | b"finish_reason",
        finish_message = b"finishMessage" | b"finish_message",
        logprobs = b"logprobsResult" | b"logprobs_result",
        grounding = b"groundingMetadata" | b"grounding_metadata",
        citations = b"citationMetadata" | b"citation_metadata",
    }
}

fields! {
    /// One element of `content.parts`.
    PartFields {
        text = b"text",
        thought = b"thought",
        signature = b"thoughtSignature" | b"thought_signature",
        call = b"functionCall" | b"function_call",
        blob = b"inlineData" | b"inline_data",
        code = b"executableCode" | b"executable_code",
        code_result = b"codeExecutionResult" | b"code_execution_result",
        tool_call = b"toolCall" | b"tool_call",
        tool_response = b"toolResponse" | b"tool_response",
    }
}

fields! {
    /// A `functionCall`, whole or in pieces.
    CallFields {
        id = b"id",
        name = b"name",
        args = b"args",
        partial = b"partialArgs" | b"partial_args",
        continues = b"willContinue" | b"will_continue",
    }
}
