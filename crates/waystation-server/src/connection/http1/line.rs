//! The connection itself: bytes in and out, and a limit on every wait for the client. It knows nothing
//! of HTTP.

use std::{
    cell::Cell,
    future::Future as _,
    io::{self, IoSlice},
    mem,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite},
    time::{Instant, Sleep, sleep_until},
};
use waystation_transport::desk;

/// A connection, and what it has not taken yet.
pub(super) struct Line<Io> {
    io: Io,
    /// How long the client may take nothing of what is written.
    write: Duration,
    /// Of reads. Set anew only where the deadline comes nearer: it may go off too early, never too late,
    /// and costs a request nothing.
    alarm: Option<Pin<Box<Sleep>>>,
    /// Of the write that waits.
    stalled: Option<Pin<Box<Sleep>>>,
    unsent: Unsent,
}

/// What is to be written, in this order.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    /// Heads, chunk sizes, and small bodies.
    pub(super) sheet: Vec<u8>,
    /// A piece that is too large to be copied.
    pub(super) large: Bytes,
    /// What ends it.
    pub(super) behind: &'static [u8],
    /// How much of the sheet has been taken.
    at: usize,
}

thread_local! {
    /// What is written goes out from here: nearly always the connection takes it at once.
    static SHEET: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A larger sheet is not kept.
const KEPT: usize = 64 * 1024;

// === impl Unsent ===

impl Unsent {
    /// An empty sheet.
    pub(super) fn new() -> Self {
        Self {
            sheet: SHEET.take(),
            ..Self::default()
        }
    }

    /// Whether there is nothing to write.
    pub(super) const fn is_empty(&self) -> bool {
        self.sheet.len() == self.at && self.large.is_empty() && self.behind.is_empty()
    }

    /// Gives the sheet back, where there is one.
    pub(super) fn done(mut self) {
        if (1..=KEPT).contains(&self.sheet.capacity()) {
            self.sheet.clear();
            SHEET.set(self.sheet);
        }
    }

    fn poll_write(
        &mut self,
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let sheet = self.sheet.get(self.at..).unwrap_or_default();
        if self.large.is_empty() && self.behind.is_empty() {
            return Pin::new(io).poll_write(cx, sheet);
        }
        let slices = [
            IoSlice::new(sheet),
            IoSlice::new(&self.large),
            IoSlice::new(self.behind),
        ];
        // The first is never empty: who writes no slices in one takes the first.
        let empty = slices.iter().take_while(|slice| slice.is_empty()).count();
        Pin::new(io).poll_write_vectored(cx, slices.get(empty..).unwrap_or_default())
    }

    fn taken(&mut self, mut count: usize) {
        let of_sheet = count.min(self.sheet.len() - self.at);
        self.at += of_sheet;
        count -= of_sheet;
        let of_large = count.min(self.large.len());
        self.large.advance(of_large);
        count -= of_large;
        self.behind = self.behind.get(count..).unwrap_or_default();
    }
}

// === impl Line ===

impl<Io> Line<Io> {
    pub(super) fn new(io: Io, write: Duration) -> Self {
        Self {
            io,
            write,
            alarm: None,
            stalled: None,
            unsent: Unsent::default(),
        }
    }

    /// The connection for somebody else. Nothing was written.
    pub(super) fn into_inner(self) -> Io {
        self.io
    }

    /// Ready when `deadline` has passed.
    pub(super) fn poll_late(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let alarm = self
            .alarm
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        loop {
            if alarm.deadline() > deadline {
                alarm.as_mut().reset(deadline);
            }
            ready!(alarm.as_mut().poll(cx));
            if alarm.deadline() == deadline {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(deadline);
        }
    }

    /// What is to be written next. What was to be written before has been taken.
    pub(super) fn put(&mut self, unsent: Unsent) {
        self.unsent = unsent;
    }
}

impl<Io: AsyncRead + Unpin> Line<Io> {
    /// Appends what is there to `buffer`, at most `room` bytes and [`desk::ROOM`]. 0 is the end.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
        room: usize,
    ) -> Poll<io::Result<usize>> {
        desk::poll_read(&mut self.io, cx, buffer, room.min(desk::ROOM))
    }

    /// Reads into the room that `buffer` has, at most `most` bytes. 0 is the end.
    pub(super) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        pin!(self.io.read_buf(&mut buffer.limit(most))).poll(cx)
    }
}

impl<Io: AsyncWrite + Unpin> Line<Io> {
    /// Writes what is left to be written. An error when the client takes nothing for too long.
    pub(super) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            match self.unsent.poll_write(&mut self.io, cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => {
                    self.unsent.taken(count);
                    self.stalled = None;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    let limit = self.write;
                    let stalled = || Box::pin(sleep_until(Instant::now() + limit));
                    let stalled = self.stalled.get_or_insert_with(stalled);
                    ready!(stalled.as_mut().poll(cx));
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
        mem::take(&mut self.unsent).done();
        Poll::Ready(Ok(()))
    }

    /// Tells the client that nothing more is written.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
