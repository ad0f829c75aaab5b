//! Replies that are the same for every request, for an upstream that answers at once: what is
//! measured in front of it is the gateway. They look like a provider's and say nothing of what was
//! asked; a reply that fits its request is [`Simulator`](crate::Simulator)'s.

use bytes::Bytes;

/// A reply's body, in the pieces that an upstream would write it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CannedReply {
    /// Server-sent events, not one JSON value.
    pub stream: bool,
    /// One piece for a whole reply, one for each event of a stream.
    pub pieces: Vec<Bytes>,
}

/// Events of a stream in the published comparison of gateways, the last one's `[DONE]` not counted.
pub const STREAM_EVENTS: usize = 43;

/// Which wire a canned reply speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CannedWire {
    /// OpenAI's chat completions.
    Chat,
    /// Anthropic's messages.
    Messages,
}

const TEXT: &str = "A gateway takes requests, decides where they go, and brings the answers back. ";

// === impl CannedReply ===

impl CannedReply {
    /// The reply to a request for a whole one, of about 0.9 kB, or for a stream of
    /// [`STREAM_EVENTS`] events.
    ///
    /// ```
    /// use waystation_sim::{CannedReply, CannedWire, STREAM_EVENTS};
    ///
    /// assert_eq!(CannedReply::of(CannedWire::Chat, false).pieces.len(), 1);
    /// assert_eq!(CannedReply::of(CannedWire::Chat, true).pieces.len(), STREAM_EVENTS + 1);
    /// ```
    #[must_use]
    pub fn of(wire: CannedWire, stream: bool) -> Self {
        let pieces = match (wire, stream) {
            (CannedWire::Chat, false) => vec![chat()],
            (CannedWire::Chat, true) => chat_events(),
            (CannedWire::Messages, false) => vec![messages()],
            (CannedWire::Messages, true) => messages_events(),
        };
        let pieces = pieces.into_iter().map(Bytes::from).collect();
        Self { stream, pieces }
    }

    /// Everything in one piece.
    #[must_use]
    pub fn body(&self) -> Bytes {
        self.pieces.concat().into()
    }
}

fn chat() -> String {
    let text = TEXT.repeat(7);
    format!(
        r#"{{"id":"chatcmpl-123","object":"chat.completion","created":1767225600,"model":"m-2026-01-01","system_fingerprint":"fp_1","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":25,"completion_tokens":120,"total_tokens":145,"prompt_tokens_details":{{"cached_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0}}}}}}"#
    )
}

fn chat_events() -> Vec<String> {
    let head = r#"{"id":"chatcmpl-123","object":"chat.completion.chunk","created":1767225600,"model":"m-2026-01-01","system_fingerprint":"fp_1","choices":"#;
    let event = |rest: &str| format!("data: {head}{rest}}}\n\n");
    let word =
        r#"[{"index":0,"delta":{"content":" gateway"},"logprobs":null,"finish_reason":null}]"#;
    let mut events = vec![event(
        r#"[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]"#,
    )];
    events.resize_with(STREAM_EVENTS - 2, || event(word));
    events.push(event(
        r#"[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]"#,
    ));
    events.push(event(
        r#"[],"usage":{"prompt_tokens":25,"completion_tokens":40,"total_tokens":65}"#,
    ));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

fn messages() -> String {
    let text = TEXT.repeat(7);
    format!(
        r#"{{"id":"msg_123","type":"message","role":"assistant","model":"m-2026-01-01","content":[{{"type":"text","text":"{text}"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":25,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":120}}}}"#
    )
}

/// As many events as a chat stream has, counted without `[DONE]`, and one more.
fn messages_events() -> Vec<String> {
    let event =
        |name: &str, rest: &str| format!("event: {name}\ndata: {{\"type\":\"{name}\",{rest}}}\n\n");
    let start = r#""message":{"id":"msg_123","type":"message","role":"assistant","model":"m-2026-01-01","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"output_tokens":1}}"#;
    let word = r#""index":0,"delta":{"type":"text_delta","text":" gateway"}"#;
    let mut events = vec![
        event("message_start", start),
        event(
            "content_block_start",
            r#""index":0,"content_block":{"type":"text","text":""}"#,
        ),
    ];
    events.resize_with(STREAM_EVENTS - 2, || event("content_block_delta", word));
    events.push(event("content_block_stop", r#""index":0"#));
    events.push(event(
        "message_delta",
        r#""delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":40}"#,
    ));
    events.push("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n".to_owned());
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_data_line_is_json_or_done() {
        for wire in [CannedWire::Chat, CannedWire::Messages] {
            let whole = CannedReply::of(wire, false).body();
            serde_json::from_slice::<serde_json::Value>(&whole).unwrap();
            let stream = CannedReply::of(wire, true);
            assert_eq!(stream.pieces.len(), STREAM_EVENTS + 1, "{wire:?}");
            for piece in &stream.pieces {
                let text = std::str::from_utf8(piece).unwrap();
                let data = text.lines().find_map(|line| line.strip_prefix("data: "));
                let data = data.unwrap();
                assert!(
                    data == "[DONE]" || serde_json::from_str::<serde_json::Value>(data).is_ok()
                );
            }
        }
    }
}
