//! Steps of tools that the host runs itself, such as its code interpreter and its search: what went in
//! and what came out, kept as details that the client sends back, and written again as the blocks that
//! they were. Nothing here calls a tool.
//!
//! | of the wire | becomes |
//! |---|---|
//! | `toolUse` with the type `server_tool_use`, its input in pieces or whole | `arguments` |
//! | `toolResult` of the model's turn, its parts in pieces or whole | `result` |
//! | their other members | `native` |

use waystation_core::{Json, JsonText, ObjectWriter, RawJson};

use super::block;
use crate::ran::{self, Held, Step};

/// The most that is kept of one step, in bytes: what was longer is not sent back half.
const MAX_KEPT: usize = 4 << 20;

/// A block of a step that is being told.
#[derive(Debug)]
pub(super) struct Started {
    /// The block as it was started, or whole.
    block: RawJson,
    is_result: bool,
    /// What came behind the start: pieces of the input's text, or elements of the result's list.
    pieces: Vec<JsonText>,
    size: usize,
}

// === impl Started ===

impl Started {
    /// A step that starts with `block`.
    pub(super) const fn of(block: RawJson, is_result: bool) -> Self {
        Self {
            block,
            is_result,
            pieces: Vec::new(),
            size: 0,
        }
    }

    /// A piece of the input, or a list of parts of the result.
    pub(super) fn push(&mut self, piece: JsonText) {
        self.size += piece.len();
        if self.size <= MAX_KEPT {
            self.pieces.push(piece);
        }
    }

    /// Parts of the result.
    pub(super) fn push_parts(&mut self, list: Json<'_>) {
        for part in list.elements() {
            if !self.pieces.is_empty() {
                self.push(JsonText::from_static(","));
            }
            self.push(JsonText::of(&part.text()));
        }
    }

    /// The step as details, the `index`th of the reply, behind so many characters of content.
    pub(super) fn details(&self, format: &str, index: u32, offset: u64) -> Option<RawJson> {
        let block = self.block.json();
        let (key, apart): (_, &[&str]) = if self.is_result {
            ("content", &["toolUseId", "content"])
        } else {
            ("input", &["toolUseId", "name", "input"])
        };
        let mut said = JsonText::join(&self.pieces);
        if self.size > MAX_KEPT {
            return None;
        } else if said.is_empty() {
            let whole = block.get(key);
            let nothing = if self.is_result { "[]" } else { "{}" };
            said = JsonText::of(&whole.map_or(nothing.into(), Json::text));
        } else if self.is_result {
            said = JsonText::join(&[JsonText::from_static("["), said, JsonText::from_static("]")]);
        }
        let named = block.get(if self.is_result { "type" } else { "name" });
        let step = Step {
            tool: named.map_or(b"\"\"", Json::bytes),
            call: block.get("toolUseId"),
            held: if self.is_result {
                Held::Result(&said)
            } else {
                Held::Arguments(&said)
            },
            native: Some((block, apart)),
            format,
            index,
            offset,
        };
        step.details()
    }
}

/// Writes a step that a client sends back; nothing when it holds no JSON any more.
pub(super) fn replay(detail: Json<'_>, blocks: &mut Vec<u8>) {
    let input = ran::held(detail, "arguments");
    let Some(held) = input.clone().or_else(|| ran::held(detail, "result")) else {
        return;
    };
    let text = |key: &str| detail.get(key).map_or(b"\"\"".as_slice(), Json::bytes);
    let mut object = ObjectWriter::open(block::next(blocks));
    let mut tool = match input {
        Some(_) => object.object("toolUse"),
        None => object.object("toolResult"),
    };
    tool.raw("toolUseId", text("tool_call_id"));
    match input {
        Some(_) => tool.raw("name", text("tool_name")).json("input", &held),
        None => tool.json("content", &held),
    };
    for (key, value) in detail.get("native").into_iter().flat_map(Json::members) {
        tool.escaped_key(key.escaped())
            .extend_from_slice(value.bytes());
    }
    tool.close();
    object.close();
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use waystation_core::ChatEvent;

    use super::{
        super::{model::Family, reply::Reply},
        *,
    };
    use crate::{SseEvent, intake::Listener as _};

    /// What the reply's details come to, put back.
    fn put_back(events: &[ChatEvent]) -> String {
        let mut blocks = Vec::new();
        for event in events {
            if let ChatEvent::Delta(delta) = event {
                let details = delta.reasoning_details.iter();
                details.for_each(|list| {
                    list.json()
                        .elements()
                        .for_each(|detail| replay(detail, &mut blocks))
                });
            }
        }
        String::from_utf8(blocks).unwrap()
    }

    const CALL: &str = r#"{"toolUse":{"toolUseId":"t1","name":"run","input":{"code":"1 + \"é\""},"type":"server_tool_use"}}"#;
    const RESULT: &str = r#"{"toolResult":{"toolUseId":"t1","content":[{"json":{"out":"2"}},{"text":"x"}],"status":"success","type":"run_result"}}"#;

    #[test]
    fn steps_of_a_stream_go_back_as_they_came() {
        let events = [
            (
                "contentBlockStart",
                r#"{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"t1","name":"run","type":"server_tool_use"}}}"#,
            ),
            (
                "contentBlockDelta",
                r#"{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{\"code\":\"1"}}}"#,
            ),
            (
                "contentBlockDelta",
                r#"{"contentBlockIndex":0,"delta":{"toolUse":{"input":" + \\\"é\\\"\"}"}}}"#,
            ),
            ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
            (
                "contentBlockStart",
                r#"{"contentBlockIndex":1,"start":{"toolResult":{"toolUseId":"t1","status":"success","type":"run_result"}}}"#,
            ),
            (
                "contentBlockDelta",
                r#"{"contentBlockIndex":1,"delta":{"toolResult":[{"json":{"out":"2"}}]}}"#,
            ),
            (
                "contentBlockDelta",
                r#"{"contentBlockIndex":1,"delta":{"toolResult":[{"text":"x"}]}}"#,
            ),
            ("contentBlockStop", r#"{"contentBlockIndex":1}"#),
        ];
        let mut reply = Reply::expecting(Family::Nova, false);
        let mut out = Vec::new();
        for (name, data) in events {
            let event = SseEvent {
                name: Some(Bytes::from_static(name.as_bytes())),
                data: Bytes::from_static(data.as_bytes()),
            };
            let json = Json::parse(data.as_bytes()).unwrap();
            assert!(reply.event(json, &event, &mut out).is_ok());
        }
        assert_eq!(put_back(&out), format!("{CALL},{RESULT}"));
    }

    #[test]
    fn steps_of_a_whole_reply_go_back_as_they_came() {
        let body = format!(
            r#"{{"output":{{"message":{{"content":[{CALL},{RESULT},{{"text":"2"}}]}}}},"stopReason":"end_turn"}}"#
        );
        let body = Bytes::from(body);
        let mut out = Vec::new();
        let mut reply = Reply::expecting(Family::Nova, false);
        let read = reply.whole(Json::parse(&body).unwrap(), &body, &mut out);
        assert!(read.is_ok());
        assert_eq!(put_back(&out), format!("{CALL},{RESULT}"));
    }
}
