//! The members of events and replies that are read.

use crate::field::fields;

fields! {
    /// One event of a stream.
    Event { kind = "type", id, index, delta }
}

fields! {
    /// The end of a stream, or a whole reply.
    End { id, message, finish_reason, usage, error, logprobs }
}

fields! {
    /// A message, or a piece of one.
    Said { content, tool_plan, tool_calls, citations }
}
