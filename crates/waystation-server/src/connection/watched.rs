//! A connection that waits for nobody without end. Between requests its reads have a deadline, and its
//! writes always; a client that is late with a head is told so, 408, before the connection ends. It
//! knows of HTTP only what begins a connection of HTTP/2.

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

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::Patience;

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
    reading: Reading,
    /// What was read to know the protocol, and has still to be given out.
    beginning: Vec<u8>,
    /// Of reads. Set anew only where the deadline comes nearer: it may go off too early, never too
    /// late, and costs a request nothing.
    alarm: Option<Pin<Box<Sleep>>>,
    /// Of the write that waits.
    stalled: Option<Pin<Box<Sleep>>>,
}

/// What is known of the bytes that come.
#[derive(Debug)]
struct Reading {
    /// Requests that had begun when this was last looked at.
    begun: usize,
    /// Since when a head is coming.
    head: Option<Instant>,
    /// How much of it has come.
    head_bytes: usize,
    /// Bytes between requests belong to no head.
    http2: bool,
}

/// What happens at a time.
#[derive(Clone, Copy, Debug)]
enum Deadline {
    /// What is under way may have ended.
    Look(Instant),
    /// The client is too late.
    Late(Instant),
}

/// What begins every connection of HTTP/2. Source: RFC 9113, section 3.4.
const PREFACE: &[u8] = b"PRI ";

/// What a late head gets.
const TOO_LATE: &str =
    "HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\nconnection: close\r\n";
const REASON: &str = r#"{"error":{"code":408,"message":"the head of the request did not come in time; see [server] head_ms","metadata":{"error_type":"invalid_request"}}}"#;

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

// === impl Reading ===

impl Reading {
    /// Looks at the requests, and says until when the next bytes must have come. While a request is under
    /// way there is no limit: the time is then when to look again, since nobody says when an answer ends.
    fn deadline(&mut self, requests: &Requests, patience: &Patience) -> Deadline {
        let begun = self.look(requests);
        if requests.under_way.load(Ordering::Relaxed) > 0 {
            return Deadline::Look(Instant::now() + patience.idle);
        }
        let quiet = Duration::from_micros(requests.quiet.load(Ordering::Relaxed));
        let quiet = requests.opened + quiet;
        Deadline::Late(match self.head {
            Some(since) => since + patience.head,
            // Nobody has asked for anything yet.
            None if begun == 0 => quiet + patience.head,
            None => quiet + patience.idle,
        })
    }

    /// Takes notice of requests that have begun; gives how many. Their heads are complete.
    fn look(&mut self, requests: &Requests) -> usize {
        let begun = requests.begun.load(Ordering::Relaxed);
        if self.begun != begun {
            (self.begun, self.head, self.head_bytes) = (begun, None, 0);
        }
        begun
    }

    /// Takes notice of bytes that have come. A head's time begins with its first.
    fn came(&mut self, bytes: &[u8], requests: &Requests) {
        self.look(requests);
        if bytes.is_empty() || !self.is_head(requests) {
            return;
        }
        self.head_bytes += bytes.len();
        if self.head.is_none() {
            self.head = Some(Instant::now());
        }
    }

    /// Whether what comes belongs to a head of HTTP/1.
    fn is_head(&self, requests: &Requests) -> bool {
        requests.under_way.load(Ordering::Relaxed) == 0 && !self.http2
    }
}

// === impl Watched ===

impl<Io> Watched<Io> {
    pub(super) const fn new(io: Io, patience: Patience, requests: Arc<Requests>) -> Self {
        Self {
            io,
            patience,
            requests,
            reading: Reading {
                begun: 0,
                head: None,
                head_bytes: 0,
                http2: false,
            },
            beginning: Vec::new(),
            alarm: None,
            stalled: None,
        }
    }

    /// Whether the client is too late with what it should send.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let mut until = self.reading.deadline(&self.requests, &self.patience);
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

impl<Io: AsyncWrite + Unpin> Watched<Io> {
    /// Tells the client why the connection ends, where it has begun to ask. What the connection does
    /// not take at once is left out: it ends in any case.
    fn tell(&mut self, cx: &mut Context<'_>) {
        if self.reading.head.is_none() {
            return;
        }
        let reply = format!("{TOO_LATE}content-length: {}\r\n\r\n{REASON}", REASON.len());
        let _ = Pin::new(&mut self.io).poll_write(cx, reply.as_bytes());
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Watched<Io> {
    /// Whether the client speaks HTTP/2: reads as much as it takes to know, which is read again then,
    /// together with what has come behind it.
    ///
    /// # Errors
    /// What the system says of the connection; its end.
    pub(super) async fn begins_http2(&mut self) -> io::Result<bool> {
        let mut beginning = Vec::with_capacity(PREFACE.len());
        while beginning.len() < PREFACE.len() && PREFACE.starts_with(&beginning) {
            let missing = PREFACE.len().saturating_sub(beginning.len());
            let mut reader = AsyncReadExt::take(&mut *self, missing as u64);
            if reader.read_buf(&mut beginning).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let http2 = beginning == PREFACE;
        if http2 {
            self.reading.head = None;
        }
        (self.reading.http2, self.beginning) = (http2, beginning);
        Ok(http2)
    }

    /// Reads what comes from the client, with a deadline.
    fn poll_more(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        // A head ends where it is too large: whoever reads takes no more at once, however much has come.
        let most = if self.reading.is_head(&self.requests) {
            let largest = self.patience.max_head_bytes;
            largest.saturating_sub(self.reading.head_bytes).max(1)
        } else {
            usize::MAX
        };
        let mut io = AsyncReadExt::take(&mut self.io, most as u64);
        match Pin::new(&mut io).poll_read(cx, buffer) {
            Poll::Ready(Ok(())) => {
                let came = buffer.filled().get(before..).unwrap_or_default();
                self.reading.came(came, &self.requests);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                std::task::ready!(self.poll_late(cx));
                self.tell(cx);
                // As if the client had closed.
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncRead for Watched<Io> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.beginning.is_empty() {
            return this.poll_more(cx, buffer);
        }
        let fits = this.beginning.len().min(buffer.remaining());
        this.beginning
            .drain(..fits)
            .for_each(|byte| buffer.put_slice(&[byte]));
        if buffer.remaining() > 0 {
            let before = buffer.filled().len();
            // Not there yet, or an end: the next read is told.
            let _ = Pin::new(&mut this.io).poll_read(cx, buffer);
            let came = buffer.filled().get(before..).unwrap_or_default();
            this.reading.came(came, &this.requests);
        }
        Poll::Ready(Ok(()))
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
