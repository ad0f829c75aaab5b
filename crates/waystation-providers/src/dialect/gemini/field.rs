//! The members of a reply that are read. Members under other names are passed by: safety ratings,
//! averages, times, and whatever comes next year. `null` is absence.
//!
//! Requests may be spelled with underscores on this wire; replies never are, so one spelling is
//! read.

use crate::field::fields;

fields! {
    /// A chunk of a stream, or a whole reply.
    Chunk {
        candidates,
        feedback = "promptFeedback",
        usage = "usageMetadata",
        model = "modelVersion",
        id = "responseId",
        error,
    }
}

fields! {
    /// One element of `candidates`. `content` may be empty, without parts, or missing.
    CandidateFields {
        index,
        content,
        finish_reason = "finishReason",
        finish_message = "finishMessage",
        logprobs = "logprobsResult",
        grounding = "groundingMetadata",
        citations = "citationMetadata",
    }
}

fields! {
    /// One element of `content.parts`: what it holds, and what is said of it.
    PartFields {
        text,
        thought,
        signature = "thoughtSignature",
        call = "functionCall",
        blob = "inlineData",
        code = "executableCode",
        code_result = "codeExecutionResult",
        tool_call = "toolCall",
        tool_response = "toolResponse",
    }
}

fields! {
    /// A `functionCall`, whole or in pieces.
    CallFields {
        id,
        name,
        args,
        partial = "partialArgs",
        continues = "willContinue",
    }
}
