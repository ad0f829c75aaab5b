//! What a client was shown: a whole reply, or a stream taken apart the way clients do it, by hand
//! and apart from the gateway's own reading.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::BodyExt as _;
use serde_json::Value;

/// A reply read to its end.
#[derive(Clone, Debug)]
pub struct Whole {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// One event of a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A line that begins with `:`.
    Comment(String),
    /// The JSON of a `data:` line.
    Chunk(Value),
    /// `data: [DONE]`.
    Done,
}

/// A stream read to its end.
#[derive(Clone, Debug)]
pub struct Streamed {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The events in order; empty when the reply is no event stream.
    pub events: Vec<Event>,
    /// The body as it came.
    pub body: Bytes,
}

/// The number after `"key":` as it is written, digit by digit. The first one when there are more.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn literal<'a>(text: &'a str, key: &str) -> &'a str {
    let mark = format!("\"{key}\":");
    let at = text
        .find(&mark)
        .unwrap_or_else(|| panic!("no {key:?} in {text}"));
    let rest = text[at + mark.len()..].trim_start();
    &rest[..rest.find([',', '}', ']']).unwrap_or(rest.len())]
}

async fn collect(response: Response<Body>) -> (u16, HeaderMap, Bytes) {
    let (head, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .expect("a body that does not break")
        .to_bytes();
    (head.status.as_u16(), head.headers, body)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

// === impl Whole ===

impl Whole {
    pub(crate) async fn read(response: Response<Body>) -> Self {
        let (status, headers, body) = collect(response).await;
        Self {
            status,
            headers,
            body,
        }
    }

    /// The body as text.
    ///
    /// # Panics
    /// When it is no UTF-8.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The body of a success.
    ///
    /// # Panics
    /// When the status is not 200.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }

    /// `choices[0].message.content` of a success.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn content(&self) -> String {
        let json = self.ok();
        let content = json["choices"][0]["message"]["content"].as_str();
        content
            .unwrap_or_else(|| panic!("no content: {json}"))
            .to_owned()
    }

    /// The `error` of a failure with this status, which the envelope must repeat.
    ///
    /// # Panics
    /// When it is another, or the envelope is not complete.
    pub fn error(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        let error = self.json()["error"].clone();
        assert_eq!(error["code"], status, "{error}");
        assert_eq!(error["http_status"], status, "{error}");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{error}"
        );
        assert_eq!(
            error["error_type"], error["metadata"]["error_type"],
            "{error}"
        );
        error
    }
}

// === impl Streamed ===

impl Streamed {
    pub(crate) async fn read(response: Response<Body>) -> Self {
        let (status, headers, body) = collect(response).await;
        let is_stream = header(&headers, "content-type") == Some("text/event-stream");
        let events = if is_stream { events(&body) } else { Vec::new() };
        Self {
            status,
            headers,
            events,
            body,
        }
    }

    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The chunks, checked to be those of a stream that ended as it should: 200, `[DONE]` last.
    ///
    /// # Panics
    /// When it did not.
    #[must_use]
    pub fn chunks(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", self.text());
        assert_eq!(self.events.last(), Some(&Event::Done), "{}", self.text());
        let done = self.events.iter().filter(|event| **event == Event::Done);
        assert_eq!(done.count(), 1, "{}", self.text());
        let chunks = self.events.iter().filter_map(|event| match event {
            Event::Chunk(chunk) => Some(chunk.clone()),
            Event::Comment(_) | Event::Done => None,
        });
        chunks.collect()
    }

    /// How many comments there were.
    #[must_use]
    pub fn comments(&self) -> usize {
        self.events
            .iter()
            .filter(|event| matches!(event, Event::Comment(_)))
            .count()
    }

    /// What the deltas of the first choice say, put together.
    #[must_use]
    pub fn content(&self) -> String {
        let chunks = self.chunks();
        let pieces = chunks
            .iter()
            .filter_map(|c| c["choices"][0]["delta"]["content"].as_str());
        pieces.collect()
    }

    /// The finish reason.
    #[must_use]
    pub fn finish(&self) -> Option<String> {
        let chunks = self.chunks();
        let mut reasons = chunks
            .iter()
            .filter_map(|c| c["choices"][0]["finish_reason"].as_str());
        reasons.next().map(Into::into)
    }

    /// The `usage` of the last chunk.
    ///
    /// # Panics
    /// When there is no chunk.
    #[must_use]
    pub fn usage(&self) -> Value {
        self.chunks().last().expect("a chunk")["usage"].clone()
    }
}

/// Events as clients read them: blocks between blank lines, of one line each.
fn events(body: &[u8]) -> Vec<Event> {
    let text = std::str::from_utf8(body).expect("UTF-8");
    assert!(
        text.is_empty() || text.ends_with("\n\n"),
        "an event is cut: {text:?}"
    );
    let blocks = text.split("\n\n").filter(|block| !block.is_empty());
    let read = |block: &str| match block.strip_prefix("data: ") {
        Some("[DONE]") => Event::Done,
        Some(data) => Event::Chunk(serde_json::from_str(data).expect("JSON in one line")),
        None if block.starts_with(':') => Event::Comment(block.to_owned()),
        None => panic!("neither data nor comment: {block:?}"),
    };
    blocks.map(read).collect()
}
