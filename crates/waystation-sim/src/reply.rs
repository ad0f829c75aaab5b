//! One upstream reply as a value: when its head comes, its pieces with their delays, and how it
//! ends. Turning it into a stream is here too; sockets are not.

use std::{future, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderName, HeaderValue, StatusCode, header};
use waystation_core::{Headers, HttpStream, Phase, ReplyHead, Sent, TransportError};

use crate::Pacing;

/// Names the reply as simulated, wherever it is seen.
pub const SIMULATED_HEADER: HeaderName = HeaderName::from_static("x-waystation-simulated");

/// The type of a body of AWS's event-stream frames.
/// Source: <https://smithy.io/2.0/aws/amazon-eventstream.html> (2026-08).
pub(crate) const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

/// One reply of a simulated or scripted upstream, complete and inert.
///
/// Builders change a reply in the order in which they are called: `cut_after(10).chunked(3)` cuts
/// first.
///
/// ```
/// use waystation_sim::{End, SimReply};
///
/// let reply = SimReply::sse(["one", "two"]).spaced(20).delayed(300).cut_after(15);
/// assert_eq!(reply.duration().as_millis(), 340);
/// assert_eq!(reply.body(), "data: one\n\ndata");
/// assert_eq!(reply.end, End::Cut);
/// ```
#[derive(Clone, Debug)]
pub struct SimReply {
    /// Time from the request to the head.
    pub delay: Duration,
    /// Status and headers. There is no `content-length`: whoever sends the body frames it.
    pub head: ReplyHead,
    /// The body: how long after the one before each piece comes, and the piece. A stream has one
    /// event a piece.
    pub pieces: Vec<(Duration, Bytes)>,
    /// How the body ends.
    pub end: End,
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum End {
    /// Properly.
    #[default]
    Clean,
    /// The connection closes in its midst.
    Cut,
    /// Nothing comes any more, and nothing closes.
    Stall,
}

// === impl SimReply ===

impl SimReply {
    /// A reply with this status and an empty body.
    #[must_use]
    pub fn status(status: StatusCode) -> Self {
        Self {
            delay: Duration::ZERO,
            head: ReplyHead {
                status,
                headers: Headers::default(),
            },
            pieces: Vec::new(),
            end: End::Clean,
        }
    }

    /// A JSON body in one piece. `body` is not checked: it may be garbage on purpose.
    #[must_use]
    pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self::status(status)
            .with_header(header::CONTENT_TYPE, "application/json")
            .then(Duration::ZERO, body)
    }

    /// A 200 with an event stream: each text becomes one `data:` event. `[DONE]` is not added.
    #[must_use]
    pub fn sse<T: AsRef<str>>(events: impl IntoIterator<Item = T>) -> Self {
        let events = events.into_iter().map(|event| sse_event(event.as_ref()));
        Self::stream(events)
    }

    /// A 200 with an event stream of pieces that are framed already.
    #[must_use]
    pub fn stream<T: Into<Bytes>>(pieces: impl IntoIterator<Item = T>) -> Self {
        let reply =
            Self::status(StatusCode::OK).with_header(header::CONTENT_TYPE, "text/event-stream");
        pieces
            .into_iter()
            .fold(reply, |reply, piece| reply.then(Duration::ZERO, piece))
    }

    /// Sets a header. A value that no header can carry is left out.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.head.headers.insert(name, value);
        }
        self
    }

    /// Appends a piece that comes `after` the one before it.
    #[must_use]
    pub fn then(mut self, after: Duration, piece: impl Into<Bytes>) -> Self {
        self.pieces.push((after, piece.into()));
        self
    }

    /// Adds `ms` milliseconds before the head.
    #[must_use]
    pub fn delayed(mut self, ms: u64) -> Self {
        self.delay += Duration::from_millis(ms);
        self
    }

    /// Adds `ms` milliseconds before each piece.
    #[must_use]
    pub fn spaced(mut self, ms: u64) -> Self {
        for (delay, _) in &mut self.pieces {
            *delay += Duration::from_millis(ms);
        }
        self
    }

    /// Keeps the first `bytes` bytes of the body and then closes the connection.
    #[must_use]
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.keep_bytes(bytes);
        self.end = End::Cut;
        self
    }

    /// Keeps the first `bytes` bytes of the body and then goes silent.
    #[must_use]
    pub fn stall_after(mut self, bytes: usize) -> Self {
        self.keep_bytes(bytes);
        self.end = End::Stall;
        self
    }

    /// Goes silent where the body would have ended.
    #[must_use]
    pub const fn stalling(mut self) -> Self {
        self.end = End::Stall;
        self
    }

    /// Cuts the body into pieces of `bytes` bytes (at least one). A piece comes when its last byte
    /// would have come.
    ///
    /// ```
    /// use waystation_sim::SimReply;
    ///
    /// let reply = SimReply::sse(["hi"]).chunked(4);
    /// let pieces: Vec<_> = reply.pieces.iter().map(|(_, piece)| &piece[..]).collect();
    /// assert_eq!(pieces, [&b"data"[..], b": hi", b"\n\n"]);
    /// ```
    #[must_use]
    pub fn chunked(mut self, bytes: usize) -> Self {
        let size = bytes.max(1);
        let mut pieces = Vec::new();
        let (mut waited, mut held) = (Duration::ZERO, Vec::new());
        for (delay, piece) in std::mem::take(&mut self.pieces) {
            waited += delay;
            for byte in piece {
                held.push(byte);
                if held.len() == size {
                    let whole = std::mem::take(&mut held);
                    pieces.push((std::mem::take(&mut waited), whole.into()));
                }
            }
        }
        if !held.is_empty() {
            pieces.push((waited, held.into()));
        }
        self.pieces = pieces;
        self
    }

    /// The whole body, delays aside.
    #[must_use]
    pub fn body(&self) -> Bytes {
        match &*self.pieces {
            [(_, only)] => only.clone(),
            many => many
                .iter()
                .flat_map(|(_, piece)| piece)
                .copied()
                .collect::<Vec<_>>()
                .into(),
        }
    }

    /// How long the reply takes from the request to its last byte.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.delay
            + self
                .pieces
                .iter()
                .map(|(delay, _)| *delay)
                .sum::<Duration>()
    }

    /// Whether the body is a stream of events, each a piece: server-sent ones, or frames of AWS.
    ///
    /// ```
    /// use waystation_sim::SimReply;
    ///
    /// assert!(SimReply::sse(["hi"]).is_stream());
    /// assert!(!SimReply::json(http::StatusCode::OK, "{}").is_stream());
    /// ```
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.is_sse() || self.is_of_kind(EVENT_STREAM)
    }

    /// Whether the body is a stream of server-sent events.
    pub(crate) fn is_sse(&self) -> bool {
        self.is_of_kind("text/event-stream")
    }

    fn is_of_kind(&self, wanted: &str) -> bool {
        let kind = self.head.headers.get(header::CONTENT_TYPE);
        kind.is_some_and(|kind| kind.as_bytes().starts_with(wanted.as_bytes()))
    }

    /// The reply as a [`Transport`](waystation_core::Transport) gives it: returns when the head is
    /// due, and the body then comes piece by piece. [`Pacing::Instant`] skips every delay, those
    /// of scripts too; a stall remains a stall.
    ///
    /// Delays are waited for with tokio's timer (feature `paced`); without the feature there are
    /// none.
    ///
    /// Whoever owns a socket writes the pieces out as they come; an error in the body means that the
    /// connection is to be closed without its proper end.
    pub async fn into_stream(self, pacing: Pacing) -> HttpStream {
        if pacing == Pacing::Live {
            wait(self.delay).await;
        }
        self.into_body(pacing)
    }

    /// The same from the head on.
    pub(crate) fn into_body(self, pacing: Pacing) -> HttpStream {
        let end = self.end;
        let pieces = self.pieces.into_iter();
        let body = stream::unfold(Some(pieces), move |state| async move {
            let mut pieces = state?;
            match pieces.next() {
                Some((delay, piece)) => {
                    if pacing == Pacing::Live {
                        wait(delay).await;
                    }
                    Some((Ok(piece), Some(pieces)))
                }
                None => match end {
                    End::Clean => None,
                    End::Cut => Some((Err(closed()), None)),
                    End::Stall => future::pending().await,
                },
            }
        });
        HttpStream {
            head: self.head,
            body: Box::pin(body),
        }
    }

    /// Drops everything after the first `bytes` bytes; empty pieces go too.
    fn keep_bytes(&mut self, bytes: usize) {
        let mut left = bytes;
        self.pieces.retain_mut(|(_, piece)| {
            piece.truncate(left);
            left -= piece.len();
            !piece.is_empty()
        });
    }
}

/// One server-sent event with `data` in it. Source: <https://html.spec.whatwg.org/multipage/server-sent-events.html>
/// (2026-06): a line break inside the data starts a new `data:` line.
pub(crate) fn sse_event(data: &str) -> Bytes {
    let mut out = String::with_capacity(data.len() + 8);
    for line in data.split('\n') {
        out.push_str("data: ");
        out.push_str(line);
        out.push('\n');
    }
    out.push('\n');
    out.into()
}

/// What a reader meets when the connection closes in the midst of a body.
fn closed() -> TransportError {
    TransportError {
        phase: Phase::Body,
        sent: Sent::Maybe,
        timed_out: false,
        message: "the connection closed before the response ended".into(),
    }
}

/// Waits on the runtime's timer, which tests may pause.
#[cfg(feature = "paced")]
pub(crate) async fn wait(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// Without a timer nothing takes time.
#[cfg(not(feature = "paced"))]
pub(crate) fn wait(_: Duration) -> future::Ready<()> {
    future::ready(())
}

#[cfg(test)]
mod tests;
