//! The members of a reply that are read. Members under other names are passed by; `null` is absence.

use waystation_core::Json;

use crate::field::fields;

fields! {
    /// A chunk of a stream, or a whole reply.
    Chunk {
        id, object, created, model, choices, usage, system_fingerprint, service_tier, error, x_groq,
        search_results, citations, web_search,
    }
}

fields! {
    /// One element of `choices`.
    ChoiceFields {
        index, delta, message, text, logprobs, finish_reason, native_finish_reason, usage, error,
    }
}

fields! {
    /// A delta or a message.
    Said {
        content, reasoning, reasoning_content, reasoning_details, refusal, tool_calls,
        function_call, annotations, images, audio, executed_tools,
    }
}

/// The first element of a list, if there is one.
pub(super) fn first(list: Option<Json<'_>>) -> Option<Json<'_>> {
    list?.elements().next()
}
