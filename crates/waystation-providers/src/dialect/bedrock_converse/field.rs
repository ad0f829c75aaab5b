//! The members of events, replies and blocks that are read.

use crate::field::fields;

fields! {
    /// The payload of an event.
    Event {
        index = "contentBlockIndex", start, delta, stop_reason = "stopReason", usage,
        service_tier = "serviceTier",
    }
}

fields! {
    /// A whole reply.
    Whole { output, stop_reason = "stopReason", usage, service_tier = "serviceTier" }
}

fields! {
    /// A block of content, or a piece of one.
    Block {
        text, tool_use = "toolUse", tool_result = "toolResult", reasoning = "reasoningContent", citation,
        citations = "citationsContent", image,
    }
}
