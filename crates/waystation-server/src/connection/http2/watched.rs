//! A connection of HTTP/2 that waits for nobody without end: its reads have a deadline while no request
//! is under way, and its writes always. It knows nothing of what is read and written.

use std::{
    future::Future as _,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf as _, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use crate::connection::Patience;

/// The requests of one connection, as far as its deadlines need to know.
#[derive(Debug)]
pub(super) struct Requests {
    under_way: AtomicUsize,
    begun: AtomicUsize,
    /// When the connection was opened.
    opened: Instant,
    /// When the last answer ended, in microseconds after that.
    quiet: AtomicU64,
}

/// One request under way, from the end of its head to the end of its answer.
#[derive(Debug)]
pub(super) struct Request(Arc<Requests>);

/// The connection.
pub(super) struct Watched<Io> {
    io: Io,
    patience: Patience,
    requests: Arc<Requests>,
    /// What was read to know the protocol, and has still to be given out.
    beginning: BytesMut,
    /// Of reads. Set anew only where the deadline comes nearer: it may go off too early, never too
    /// late, and costs a request nothing.
    alarm: Option<Pin<Box<Sleep>>>,
    /// Of the write that waits.
    stalled: Option<Pin<Box<Sleep>>>,
}

/// What happens at a time.
#[derive(Clone, Copy, Debug)]
enum Deadline {
    /// What is under way may have ended.
    Look(Instant),
    /// The client is too late.
    Late(Instant),
}

// === impl Requests ===

impl Requests {
    /// A head is complete.
    pub(super) fn begin(self: &Arc<Self>) -> Request {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        self.begun.fetch_add(1, Ordering::Relaxed);
        Request(Arc::clone(self))
    }

    /// It is quiet from now on, as far as is known.
    fn rest(&self) {
        let after = u64::try_from(self.opened.elapsed().as_micros());
        self.quiet
            .store(after.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Until when the next bytes must have come. While a request is under way there is no limit: the
    /// time is then when to look again, since nobody says when an answer ends.
    fn deadline(&self, patience: &Patience) -> Deadline {
        if self.under_way.load(Ordering::Relaxed) > 0 {
            return Deadline::Look(Instant::now() + patience.idle);
        }
        let quiet = Duration::from_micros(self.quiet.load(Ordering::Relaxed));
        let quiet = self.opened + quiet;
        Deadline::Late(match self.begun.load(Ordering::Relaxed) {
            // Nobody has asked for anything yet.
            0 => quiet + patience.head,
            _ => quiet + patience.idle,
        })
    }
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            under_way: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            opened: Instant::now(),
            quiet: AtomicU64::new(0),
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.0.rest();
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

// === impl Watched ===

impl<Io> Watched<Io> {
    /// Watches `io`, of which `beginning` has been read.
    pub(super) const fn new(
        io: Io,
        beginning: BytesMut,
        patience: Patience,
        requests: Arc<Requests>,
    ) -> Self {
        Self {
            io,
            patience,
            requests,
            beginning,
            alarm: None,
            stalled: None,
        }
    }

    /// Whether the client is too late with what it should send.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let mut until = self.requests.deadline(&self.patience);
            if self.stalled.is_some() {
                // An answer has ended, but not for the client: writes have a limit of their own.
                until = Deadline::Look(Instant::now() + self.patience.idle);
            }
            let (Deadline::Look(time) | Deadline::Late(time)) = until;
            let alarm = self
                .alarm
                .get_or_insert_with(|| Box::pin(sleep_until(time)));
            if alarm.deadline() > time {
                alarm.as_mut().reset(time);
            }
            std::task::ready!(alarm.as_mut().poll(cx));
            if matches!(until, Deadline::Late(_)) && alarm.deadline() >= time {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(time);
        }
    }

    /// A write went on, or waits.
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        wrote: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            if self.stalled.take().is_some() {
                self.requests.rest();
            }
            return wrote;
        }
        let limit = self.patience.write;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(after(limit)));
        match stalled.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

fn after(limit: Duration) -> Sleep {
    sleep_until(Instant::now() + limit)
}

impl<Io: AsyncRead + Unpin> AsyncRead for Watched<Io> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.beginning.is_empty() {
            let fits = this.beginning.len().min(buffer.remaining());
            buffer.put_slice(this.beginning.get(..fits).unwrap_or_default());
            this.beginning.advance(fits);
            return Poll::Ready(Ok(()));
        }
        match Pin::new(&mut this.io).poll_read(cx, buffer) {
            Poll::Pending => {
                std::task::ready!(this.poll_late(cx));
                // As if the client had closed.
                Poll::Ready(Ok(()))
            }
            read @ Poll::Ready(_) => read,
        }
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Watched<Io> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.io).poll_write(cx, bytes);
        this.written(cx, wrote)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.io).poll_write_vectored(cx, slices);
        this.written(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
