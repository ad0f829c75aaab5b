//! The body of a reply as it arrives: one item for whatever one read brought. A complete exchange gives
//! its connection back; one that is dropped before closes it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;
use waystation_core::{Phase, Sent, TransportError};

use super::{
    desk::ROOM,
    exchange::{Rest, failed},
    framing::Framing,
    pool::{Key, Pool},
};

/// A body that is still arriving.
pub(super) struct ReplyBody {
    /// `None` when there is nothing more to read.
    rest: Option<Rest>,
    /// Where the connection goes when the exchange is complete.
    home: Option<(Arc<Pool>, Key)>,
    /// Room for the next read: more while reads fill it.
    room: usize,
}

/// A body that has come with its head.
pub(super) struct Here(Option<Bytes>);

/// The most that one read takes.
const MAX_ROOM: usize = 128 * 1024;

// === impl ReplyBody ===

impl ReplyBody {
    pub(super) const fn new(rest: Rest, pool: Arc<Pool>, key: Key) -> Self {
        Self {
            rest: Some(rest),
            home: Some((pool, key)),
            room: ROOM,
        }
    }

    /// The reply has been read to its end.
    fn complete(&mut self) {
        if let (Some(rest), Some((pool, key))) = (self.rest.take(), self.home.take())
            && rest.may_serve_again()
        {
            pool.give(key, rest.socket);
        }
    }

    /// Closes the connection. What was read before is with the caller already.
    fn broken(&mut self, message: &str) -> TransportError {
        self.rest = None;
        TransportError {
            phase: Phase::Body,
            sent: Sent::Maybe,
            timed_out: false,
            message: message.to_owned(),
        }
    }
}

// === impl Here ===

impl Here {
    pub(super) fn of(body: Bytes) -> Self {
        Self(Some(body).filter(|body| !body.is_empty()))
    }
}

impl Stream for Here {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.get_mut().0.take().map(Ok))
    }
}

impl Stream for ReplyBody {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            let Some(rest) = &mut this.rest else {
                return Poll::Ready(None);
            };
            let taken = rest.framing.take(&mut rest.input);
            let done = rest.framing.is_done();
            match taken {
                Err(error) => return Poll::Ready(Some(Err(this.broken(&error.to_string())))),
                Ok(bytes) => {
                    if done {
                        this.complete();
                    }
                    if !bytes.is_empty() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                    if done {
                        return Poll::Ready(None);
                    }
                }
            }
            let Some(rest) = &mut this.rest else {
                return Poll::Ready(None);
            };
            let expected = usize::try_from(rest.framing.expected()).unwrap_or(MAX_ROOM);
            let room = this.room.max(expected.min(MAX_ROOM));
            if rest.input.is_empty() {
                // Events that are kept hold no buffer that is read into again.
                rest.input = bytes::BytesMut::new();
            }
            match ready!(rest.socket.poll_read(cx, &mut rest.input, room)) {
                Err(error) => {
                    this.rest = None;
                    return Poll::Ready(Some(Err(failed(Phase::Body, Sent::Maybe, &error))));
                }
                Ok(0) if matches!(rest.framing, Framing::UntilClose) => {
                    this.rest = None;
                    return Poll::Ready(None);
                }
                Ok(0) => {
                    let message = "the connection was closed before the response was complete";
                    return Poll::Ready(Some(Err(this.broken(message))));
                }
                Ok(count) if count >= room => this.room = (this.room * 2).min(MAX_ROOM),
                Ok(_) => {}
            }
        }
    }
}
