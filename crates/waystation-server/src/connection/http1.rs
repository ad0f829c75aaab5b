//! A connection of HTTP/1.1, on one task: it reads a head, gives the request to the site, writes the
//! answer, and begins again. What belongs to which request is decided in `head.rs` and the transport's
//! `framing.rs`; waits are bounded in `line.rs`.
//!
//! Not hyper's: its connection cost more than routing a request does. It is made of a state machine for
//! messages inside one for bytes, each polled on every turn; of channels, for bodies of any size; and of
//! answers behind several layers of futures. Here a request of the usual size is one read, one buffer
//! that its head and its body are pieces of, and one write. The price is that what RFC 9112 asks of a
//! server is to be held here, by the tests and by the fuzz target `http1-request`.
//!
//! Not spoken: upgrades, trailers, and pipelining beyond what keeps requests in order.

mod answer;
mod body;
mod exchange;
mod head;
mod line;

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::Instant,
};
use waystation_core::ErrorType;
use waystation_transport::{desk, field, framing};

use super::Patience;
use crate::{
    ending::{Ear, Stage},
    error,
    message::Answer,
    routes::Site,
};
use answer::{Manner, Reply};
use exchange::Behind;
use framing::Framing;
use head::{Head, HeadError};
use line::{Line, Unsent};

/// How a connection ended.
pub(super) enum Ended<Io> {
    /// It is closed, or to be.
    Closed,
    /// It is one of HTTP/2, and this much of it has been read.
    Http2((Io, BytesMut)),
}

/// The connection.
struct Connection<Io> {
    line: Line<Io>,
    patience: Patience,
    /// Read, and not understood yet.
    input: BytesMut,
    /// Of the request's body that is under way.
    framing: Framing,
    /// Where that body goes.
    inlet: Option<Arc<body::Inlet>>,
    /// The client sends it when it is told to.
    expects: bool,
    /// How much of it nobody wanted.
    skipped: u64,
    /// What comes can be no request's any more.
    broken: bool,
    /// A request has been read.
    begun: bool,
    /// Since when none is under way.
    quiet: Instant,
    /// How much of a head has been looked at.
    seen: usize,
    /// Since when it is coming, if it did not come at once.
    since: Option<Instant>,
    ear: Ear,
}

/// What comes next.
enum Next {
    /// A request's head, and what has come behind it.
    Request(Head, Bytes),
    /// Bytes that are none.
    Refused(HeadError),
    /// A head that began and did not come in time.
    Late,
    /// What begins a connection of HTTP/2.
    Http2,
    /// Nothing.
    End,
}

/// What begins every connection of HTTP/2. Source: RFC 9113, section 3.4.
const PREFACE: &[u8] = b"PRI ";
/// What a late head is told.
const LATE: &str = "the head of the request did not come in time; see [server] head_ms";
/// How long, and for how many bytes, a client is listened to behind an answer that it may not have read
/// yet: one that is cut off while it sends never sees the reason.
const LINGER: (Duration, usize) = (Duration::from_secs(5), 32 * 1024 * 1024);

/// Serves `io` until it is closed, or until the gateway takes no more requests and its last one is answered,
/// or until it turns out to be of HTTP/2.
pub(super) async fn serve<Io>(
    io: Io,
    site: &Site,
    patience: Patience,
    stage: watch::Receiver<Stage>,
) -> Ended<Io>
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let mut connection = Connection::new(io, patience, stage);
    loop {
        let behind = match poll_fn(|cx| connection.poll_next(cx)).await {
            Next::Request(head, behind) => connection.exchange(site, head, behind).await,
            Next::Refused(error) => {
                let kind = ErrorType::InvalidRequest;
                let refusal = error::plain_status(error.status(), kind, &error.to_string());
                connection.framing = Framing::UntilClose;
                connection.respond(refusal.into(), Manner::LAST).await
            }
            Next::Late => {
                let status = StatusCode::REQUEST_TIMEOUT;
                let late = error::plain_status(status, ErrorType::InvalidRequest, LATE);
                connection.tell(late.into()).await;
                Behind::Close
            }
            Next::Http2 => {
                let Connection { line, input, .. } = connection;
                return Ended::Http2((line.into_inner(), input));
            }
            Next::End => Behind::Close,
        };
        match behind {
            Behind::Next => {}
            Behind::Linger => {
                connection.linger().await;
                return Ended::Closed;
            }
            Behind::Close => return Ended::Closed,
        }
    }
}

// === impl Connection ===

impl<Io> Connection<Io> {
    fn new(io: Io, patience: Patience, stage: watch::Receiver<Stage>) -> Self {
        Self {
            line: Line::new(io, patience.write),
            patience,
            input: BytesMut::new(),
            framing: Framing::Done,
            inlet: None,
            expects: false,
            skipped: 0,
            broken: false,
            begun: false,
            quiet: Instant::now(),
            seen: 0,
            since: None,
            ear: Ear::of(stage),
        }
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Connection<Io> {
    /// Reads a head, within its time; between requests the connection ends when the gateway does.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let largest = self.patience.max_head_bytes;
        loop {
            if self.input.len() > self.seen {
                if !self.begun && self.input.starts_with(PREFACE) {
                    return Poll::Ready(Next::Http2);
                }
                match Head::take(&mut self.input, self.seen, largest) {
                    Ok(Some((head, behind))) => {
                        (self.begun, self.seen, self.since) = (true, 0, None);
                        return Poll::Ready(Next::Request(head, behind));
                    }
                    Ok(None) => self.seen = self.input.len(),
                    Err(error) => return Poll::Ready(Next::Refused(error)),
                }
            }
            // A head ends where it is too large: nothing behind that is read.
            let room = largest.saturating_sub(self.input.len()).max(1);
            match self.line.poll_read(cx, &mut self.input, room) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Next::End),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending if self.input.is_empty() => {
                    self.ear.listen(cx);
                    if self.ear.is_stopped() {
                        return Poll::Ready(Next::End);
                    }
                    let wait = if self.begun {
                        self.patience.idle
                    } else {
                        self.patience.head
                    };
                    ready!(self.line.poll_late(cx, self.quiet + wait));
                    return Poll::Ready(Next::End);
                }
                Poll::Pending => {
                    let since = *self.since.get_or_insert_with(Instant::now);
                    ready!(self.line.poll_late(cx, since + self.patience.head));
                    return Poll::Ready(Next::Late);
                }
            }
        }
    }

    /// Writes as much of an answer as is taken at once. The connection ends in any case.
    async fn tell(&mut self, answer: Answer) {
        let mut unsent = Unsent::new();
        let mut reply = Reply::begin(answer, Manner::LAST, Instant::now(), &mut unsent.sheet);
        poll_fn(|cx| {
            if reply.gather(cx, &mut unsent).is_ok() {
                self.line.put(std::mem::take(&mut unsent));
                let _ = self.line.poll_sent(cx);
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Says that nothing more is written, and reads on for a while.
    async fn linger(&mut self) {
        let (time, mut most) = LINGER;
        let deadline = Instant::now() + time;
        poll_fn(|cx| {
            if matches!(self.line.poll_shutdown(cx), Poll::Ready(Err(_))) {
                return Poll::Ready(());
            }
            loop {
                self.input.clear();
                match self.line.poll_read(cx, &mut self.input, desk::ROOM) {
                    Poll::Ready(Ok(count)) if count > 0 && count < most => most -= count,
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => return self.line.poll_late(cx, deadline),
                }
            }
        })
        .await;
    }
}

#[cfg(test)]
mod tests;
