//! One request and its answer. While the answer is under way the client is listened to: what the answer
//! wants of the request's body is read for it, what comes behind the request is kept for later, within a
//! bound, and when the client closes, the answer is dropped at once.

use std::{
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::{Method, Version};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};
use waystation_transport::desk;

use super::{
    Connection,
    answer::{Manner, Reply},
    body::{Arriving, Inlet},
    framing::Framing,
    head::Head,
    line::Unsent,
};
use crate::{
    body::BodyError,
    connection::SMALL,
    message::{Answer, Asked},
    routes::{Answering, Site},
};

/// What came of listening to the client.
enum Heard {
    /// Something for the answer.
    More,
    /// It has closed.
    Gone,
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// The next request.
    Next,
    /// The end, but the client may be sending still.
    Linger,
    /// The end.
    Close,
}

/// How much of a body that its answer did not want is read, so that the connection can be kept.
const SKIPPED: u64 = 64 * 1024;
/// What a client is told that waits with its body.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

impl<Io: AsyncRead + AsyncWrite + Unpin> Connection<Io> {
    /// Answers the request with this head, behind which `behind` has come.
    pub(super) async fn exchange(&mut self, site: &Site, head: Head, behind: Bytes) -> Behind {
        let Head {
            method,
            uri,
            old,
            headers,
            framing,
            keep,
            expects,
        } = head;
        let bodiless = method == Method::HEAD;
        (self.expects, self.skipped) = (expects, 0);
        let body = self.body(framing, behind);
        let version = if old {
            Version::HTTP_10
        } else {
            Version::HTTP_11
        };
        let mut under_way = site.answer(Asked {
            method,
            uri,
            version,
            headers,
            body,
        });
        let Some(answer) = poll_fn(|cx| self.poll_answer(cx, &mut under_way)).await else {
            return Behind::Close;
        };
        drop(under_way);
        let small = |size| size <= SMALL;
        if answer.body.size().is_some_and(small) {
            tokio::task::yield_now().await;
        }
        let keep = keep && self.may_keep();
        let manner = Manner {
            old,
            bodiless,
            keep,
        };
        self.respond(answer, manner).await
    }

    /// Writes an answer.
    pub(super) async fn respond(&mut self, answer: Answer, manner: Manner) -> Behind {
        let now = Instant::now();
        // A client that waits for a word gets this one.
        self.expects = false;
        let mut unsent = Unsent::new();
        let mut reply = Reply::begin(answer, manner, now, &mut unsent.sheet);
        let mut unsent = Some(unsent);
        let mut waited = false;
        let written = poll_fn(|cx| {
            let written = self.poll_respond(cx, &mut reply, &mut unsent);
            waited |= written.is_pending();
            written
        });
        if written.await.is_err() {
            return Behind::Close;
        }
        self.quiet = if waited { Instant::now() } else { now };
        self.inlet = None;
        match self.framing {
            Framing::Done if reply.keep => Behind::Next,
            Framing::Length(_) if reply.keep => self.skip().await,
            Framing::Done => Behind::Close,
            _ => Behind::Linger,
        }
    }

    /// The body of a request, of which `behind` has come, and perhaps more than it.
    fn body(&mut self, framing: Framing, mut behind: Bytes) -> Arriving {
        let length = match framing {
            Framing::Done => Some(0),
            Framing::Length(length) => Some(length),
            _ => None,
        };
        if let Some(length) = length.and_then(|length| usize::try_from(length).ok())
            && length <= behind.len()
        {
            self.framing = Framing::Done;
            let here = behind.split_to(length);
            if !behind.is_empty() {
                self.input = BytesMut::from(behind);
            }
            return Arriving::whole(here);
        }
        (self.framing, self.input) = (framing, BytesMut::from(behind));
        let inlet = Arc::new(Inlet::default());
        self.inlet = Some(Arc::clone(&inlet));
        Arriving::coming(inlet, length).held_back(self.expects)
    }

    /// Whether another request may follow, as far as the gateway and the rest of this one's body go.
    fn may_keep(&self) -> bool {
        let rest = match self.framing {
            Framing::Done => true,
            Framing::Length(left) => left <= SKIPPED && !self.expects,
            _ => false,
        };
        rest && !self.broken && !self.ear.is_stopped()
    }

    /// The answer; `None` when nobody waits for it any more.
    fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        under_way: &mut Answering,
    ) -> Poll<Option<Answer>> {
        loop {
            if let Poll::Ready(answer) = under_way.as_mut().poll(cx) {
                return Poll::Ready(Some(answer));
            }
            match ready!(self.poll_listen(cx)) {
                Heard::More => {}
                Heard::Gone => return Poll::Ready(None),
            }
        }
    }

    /// Writes what is ready of the answer, as long as something is; the next piece is asked for when the
    /// last one has been taken. `begun` is the head.
    fn poll_respond(
        &mut self,
        cx: &mut Context<'_>,
        reply: &mut Reply,
        begun: &mut Option<Unsent>,
    ) -> Poll<io::Result<()>> {
        loop {
            let sent = self.line.poll_sent(cx)?;
            if sent.is_ready() {
                let mut unsent = match begun.take() {
                    Some(begun) => begun,
                    None if reply.is_done() => return Poll::Ready(Ok(())),
                    None => Unsent::new(),
                };
                let gathered = reply.gather(cx, &mut unsent);
                let nothing = unsent.is_empty();
                if nothing {
                    unsent.done();
                } else {
                    self.line.put(unsent);
                }
                if gathered.is_err() {
                    // What there was of it is sent, and no end.
                    let _ = self.line.poll_sent(cx);
                    return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                }
                if !nothing || reply.is_done() {
                    continue;
                }
            }
            if matches!(ready!(self.poll_listen(cx)), Heard::Gone) {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
        }
    }

    /// Reads for the answer while it is under way, and sees whether the client is still there.
    fn poll_listen(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        // An answer may have to end before it is complete.
        self.ear.listen(cx);
        if let Some(inlet) = self.inlet.take() {
            // A body that its route has dropped is wanted by nobody.
            if Arc::strong_count(&inlet) > 1 {
                let fed = self.poll_feed(cx, &inlet);
                if !self.framing.is_done() && !self.broken {
                    self.inlet = Some(inlet);
                }
                if fed.is_ready() || self.inlet.is_some() {
                    return fed;
                }
            }
        }
        loop {
            if !self.framing.is_done() {
                match self.framing.take(&mut self.input) {
                    Ok(unwanted) => self.skipped += unwanted.len() as u64,
                    Err(_) => self.broken = true,
                }
            }
            let enough = self.framing.is_done() && self.input.len() >= desk::ROOM;
            if enough || self.broken || self.skipped > SKIPPED {
                return Poll::Pending;
            }
            let read = self.line.poll_read(cx, &mut self.input, desk::ROOM);
            if matches!(ready!(read), Ok(0) | Err(_)) {
                return Poll::Ready(Heard::Gone);
            }
        }
    }

    /// Reads what a route waits for.
    fn poll_feed(&mut self, cx: &mut Context<'_>, inlet: &Inlet) -> Poll<Heard> {
        let Some(mut flow) = inlet.look(cx) else {
            return Poll::Pending;
        };
        if !flow.is_wanted(cx) {
            return Poll::Pending;
        }
        loop {
            match self.framing.take(&mut self.input) {
                Ok(piece) if piece.is_empty() && !self.framing.is_done() => {}
                Ok(piece) => {
                    flow.give(&piece);
                    break;
                }
                Err(_) => {
                    self.broken = true;
                    flow.end(Err(BodyError::Broken));
                    break;
                }
            }
            self.go_on(cx);
            let spare = flow.room().capacity() - flow.room().len();
            let (read, given) = match &mut self.framing {
                Framing::Length(left) if spare > desk::ROOM && *left > desk::ROOM as u64 => {
                    let most = usize::try_from(*left).unwrap_or(usize::MAX);
                    let read = ready!(self.line.poll_fill(cx, flow.room(), most));
                    let count = *read.as_ref().unwrap_or(&0);
                    *left -= count as u64;
                    if *left == 0 {
                        self.framing = Framing::Done;
                    }
                    flow.came(count);
                    (read, true)
                }
                _ => {
                    let read = self.line.poll_read(cx, &mut self.input, desk::ROOM);
                    (ready!(read), false)
                }
            };
            let end = matches!(read, Ok(0) | Err(_));
            if end {
                self.broken = true;
                flow.end(Err(BodyError::Broken));
            }
            if end || given {
                break;
            }
        }
        if self.framing.is_done() {
            flow.end(Ok(()));
        }
        if self.input.is_empty() {
            // What it was a part of is not kept for it.
            self.input = BytesMut::new();
        }
        flow.fed(cx);
        Poll::Ready(Heard::More)
    }

    /// Tells a client that waits with its body to send it. That it cannot be told is seen by reading.
    fn go_on(&mut self, cx: &mut Context<'_>) {
        if self.expects {
            self.expects = false;
            let mut unsent = Unsent::new();
            unsent.sheet.extend_from_slice(CONTINUE);
            self.line.put(unsent);
        }
        let _ = self.line.poll_sent(cx);
    }

    /// Reads the rest of a body that its answer did not want.
    async fn skip(&mut self) -> Behind {
        let deadline = self.quiet + self.patience.head;
        poll_fn(|cx| {
            loop {
                // Of a body of known length every byte is one.
                let _ = self.framing.take(&mut self.input);
                if self.framing.is_done() {
                    return Poll::Ready(Behind::Next);
                }
                match self.line.poll_read(cx, &mut self.input, desk::ROOM) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Behind::Close),
                    Poll::Ready(Ok(_)) => {}
                    Poll::Pending => {
                        ready!(self.line.poll_late(cx, deadline));
                        return Poll::Ready(Behind::Close);
                    }
                }
            }
        })
        .await
    }
}
