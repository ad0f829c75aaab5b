//! Upstream replies beyond those of `waystation_sim::fixtures`: usage with details, tool calls.

use serde_json::{Value, json};
use waystation_sim::Reply;

/// A whole reply: this message, this finish reason, this usage.
#[must_use]
pub fn completion(message: Value, finish: &str, usage: Value) -> Reply {
    let body = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "upstream-name",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": usage,
    });
    Reply::json(200, body.to_string())
}

/// A whole reply that says `Hi`, with this usage.
#[must_use]
pub fn with_usage(usage: Value) -> Reply {
    completion(json!({"role": "assistant", "content": "Hi"}), "stop", usage)
}

/// The text of one stream event with this delta.
#[must_use]
pub fn event(delta: Value, finish: Option<&str>) -> String {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "upstream-name",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    })
    .to_string()
}

/// A stream of two tool calls whose arguments come in pieces, as OpenAI sends them.
#[must_use]
pub fn tool_stream() -> Reply {
    let call = |index: u64, more: Value| {
        let mut call = json!({"index": index});
        let more = more.as_object().expect("an object").clone();
        call.as_object_mut().expect("an object").extend(more);
        event(json!({"tool_calls": [call]}), None)
    };
    let named = |id: &str, name: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": ""}});
    let piece = |text: &str| json!({"function": {"arguments": text}});
    Reply::sse([
        event(json!({"role": "assistant", "content": null}), None),
        call(0, named("call_a", "weather")),
        call(0, piece("{\"city\":")),
        call(0, piece("\"Zürich\"}")),
        call(1, named("call_b", "time")),
        call(1, piece("{\"zone\":\"CET\"}")),
        event(json!({}), Some("tool_calls")),
        json!({"id": "chatcmpl-1", "choices": [], "usage":
            {"prompt_tokens": 20, "completion_tokens": 12, "total_tokens": 32}})
        .to_string(),
        "[DONE]".to_owned(),
    ])
}
