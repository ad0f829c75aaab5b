//! Sample requests and replies that several benches share. Measures nothing itself.

mod gateway;
mod host;
mod recoding;

pub use gateway::{Load, load, runtime};
pub use host::{Host, codec};
pub use recoding::Recoding;

use bytes::Bytes;
use serde_json::{Value, json};
use waystation_sim::{CannedReply, CannedWire};

/// A chat body of about `bytes` bytes: a conversation whose last message is the long one.
///
/// # Panics
/// Never: the body is an object.
#[must_use]
pub fn chat(model: &str, bytes: usize, more: Value) -> Bytes {
    let mut body = json!({
        "model": model,
        "messages": [
            {"role": "system", "content": "You are a terse assistant."},
            {"role": "user", "content": "What is a gateway?"},
            {"role": "assistant", "content": "A door between networks."},
            {"role": "user", "content": ""},
        ],
        "temperature": 0.7,
        "max_tokens": 256,
        "tools": [{"type": "function", "function": {"name": "weather", "parameters":
            {"type": "object", "properties": {"city": {"type": "string"}}}}}],
    });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    let missing = bytes.saturating_sub(body.to_string().len());
    let text = "The quick brown fox says \"hello\" to the läzy dog.\n".repeat(missing / 52 + 1);
    body["messages"][3]["content"] = text.into();
    body.to_string().into()
}

/// A whole reply of about 0.9 kB: the mock's that answers at once.
#[must_use]
pub fn whole_reply() -> Bytes {
    CannedReply::of(CannedWire::Chat, false).body()
}

/// A stream of `events` events, with `[DONE]` after them: the reply of the published comparison has
/// 43.
#[must_use]
pub fn stream_reply(events: usize) -> Bytes {
    let head = r#"{"id":"chatcmpl-123","object":"chat.completion.chunk","created":1767225600,"model":"m-2026-01-01","system_fingerprint":"fp_1","choices":"#;
    let mut out = String::with_capacity(events * 240);
    let mut event = |rest: &str| {
        out.push_str("data: ");
        out.push_str(head);
        out.push_str(rest);
        out.push_str("}\n\n");
    };
    event(
        r#"[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]"#,
    );
    for _ in 0..events.saturating_sub(3) {
        event(
            r#"[{"index":0,"delta":{"content":" gateway"},"logprobs":null,"finish_reason":null}]"#,
        );
    }
    event(r#"[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]"#);
    event(r#"[],"usage":{"prompt_tokens":25,"completion_tokens":40,"total_tokens":65}"#);
    out.push_str("data: [DONE]\n\n");
    out.into()
}
