//! What tests of every wire share: sending, reading events, and the questions that each wire has to
//! answer alike. How a wire is read is each test's own, as an unmodified client would.

use serde_json::{Value, json};
use waystation_core::{HttpRequest, Json};

use crate::{End, Pacing, SimReply, Simulator};

/// What a client makes of a reply, streamed or whole.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Heard {
    pub(super) text: String,
    pub(super) reasoning: String,
    /// Name and arguments of each call.
    pub(super) calls: Vec<(String, Value)>,
    pub(super) finish: String,
    /// Tokens read and written.
    pub(super) usage: (u64, u64),
}

// === impl Heard ===

impl Heard {
    /// Appends a piece of text.
    pub(super) fn says(&mut self, piece: &Value) {
        self.text += piece.as_str().unwrap_or_default();
    }

    /// Appends a piece of reasoning.
    pub(super) fn thinks(&mut self, piece: &Value) {
        self.reasoning += piece.as_str().unwrap_or_default();
    }

    /// Adds a call whose arguments are text.
    pub(super) fn calls(&mut self, name: &Value, arguments: &str) {
        let arguments = serde_json::from_str(arguments).unwrap_or_else(|_| json!(arguments));
        self.calls.push((name.as_str().unwrap().into(), arguments));
    }

    /// Takes the counts.
    pub(super) fn counts(&mut self, read: &Value, written: &Value) {
        self.usage = (read.as_u64().unwrap(), written.as_u64().unwrap());
    }
}

/// Sends `body` to `url`.
pub(super) fn send(url: &str, body: &Value) -> SimReply {
    send_with("", url, body)
}

/// The same with a script of faults.
pub(super) fn send_with(script: &str, url: &str, body: &Value) -> SimReply {
    let request = HttpRequest::post_json(url, body.to_string().into()).unwrap();
    Simulator::new(7)
        .with_pacing(Pacing::Instant)
        .with_script(script.parse().unwrap())
        .handle(&request)
}

/// The body of a success, checked by the project's own reader of JSON too.
pub(super) fn success(reply: &SimReply) -> Value {
    assert_eq!(reply.head.status, 200, "{:?}", reply.body());
    Json::parse(&reply.body()).unwrap();
    serde_json::from_slice(&reply.body()).unwrap()
}

/// The events of a stream, each a piece of its own: name and data. `[DONE]` is a string.
pub(super) fn events(reply: &SimReply) -> Vec<(String, Value)> {
    assert_eq!(reply.head.status, 200, "{:?}", reply.body());
    assert!(reply.is_stream());
    let pieces = reply.pieces.iter().map(|(_, piece)| {
        let text = std::str::from_utf8(piece).unwrap().replace("\r\n", "\n");
        let text = text.strip_suffix("\n\n").unwrap();
        let (name, data) = text.split_once("data: ").unwrap();
        let name = name.strip_prefix("event: ").unwrap_or(name).trim_end();
        let data = serde_json::from_str(data).unwrap_or_else(|_| json!(data));
        (name.to_owned(), data)
    });
    pieces.collect()
}

/// `body` with further members, which replace those of the same name.
pub(super) fn with(mut body: Value, more: Value) -> Value {
    let Value::Object(more) = more else {
        panic!("expected an object, found {more}")
    };
    body.as_object_mut().unwrap().extend(more);
    body
}

/// An object with one member.
pub(super) fn under(key: &str, value: Value) -> Value {
    Value::Object([(key.to_owned(), value)].into_iter().collect())
}

/// A schema for answers.
pub(super) fn person() -> Value {
    json!({"type": "object", "additionalProperties": false, "required": ["name", "age"],
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}})
}

/// A schema for arguments.
pub(super) fn place() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
}

/// A script that cuts streams after three events, and one that overloads the upstream.
pub(super) fn faults_work(url: &str, body: &Value) -> Value {
    let whole = send(url, body);
    let cut = send_with("[[rule]]\ncut_after_events = 3", url, body);
    assert_eq!((cut.end, cut.pieces.len()), (End::Cut, 3));
    assert_eq!(cut.pieces[..3], whole.pieces[..3]);
    let broken = send_with("[[rule]]\nmalformed_event = 2", url, body);
    assert_eq!(broken.pieces[0], whole.pieces[0]);
    assert_ne!(broken.pieces[1], whole.pieces[1]);
    assert_eq!(broken.pieces[2], whole.pieces[2]);
    let refused = send_with("[[rule]]\nstatus = 429\nretry_after = 3", url, body);
    assert_eq!(refused.head.status, 429);
    assert_eq!(refused.head.headers["retry-after"], "3");
    serde_json::from_slice(&refused.body()).unwrap()
}
