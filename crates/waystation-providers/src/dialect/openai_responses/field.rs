//! The members of events and items that are read.

use crate::field::fields;

fields! {
    /// One event of a stream.
    Event {
        kind = "type", delta, output_index, content_index, summary_index, item_id, item, response,
        logprobs, annotation, error,
    }
}

fields! {
    /// A response: inside the first and the last event, or a whole reply.
    Response {
        id, model, created_at, service_tier, status, incomplete_details, error, output, usage,
        metadata,
    }
}

fields! {
    /// One item of an output.
    Item {
        kind = "type", id, call_id, name, arguments, input, content, summary, encrypted_content,
        result, output_format,
    }
}
