//! A connection, with or without TLS, as bytes in and out. It knows nothing of HTTP.

use std::{
    cell::RefCell,
    future::Future,
    io::{self, IoSlice},
    pin::{Pin, pin},
    task::{Context, Poll},
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite as _, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// An open connection.
///
/// Reading and writing are polled by the one task that owns it: there is no second half that could be
/// woken on its own.
pub(super) enum Socket {
    /// Bare TCP.
    Plain(TcpStream),
    /// TLS over it.
    Tls(Box<TlsStream<TcpStream>>),
}

/// What a read takes at most, unless more is known to come: a reply of a few kB, or the events of a
/// fast stream.
pub(super) const ROOM: usize = 16 * 1024;

thread_local! {
    /// What reads of [`ROOM`] go through, on their way to a buffer of just the size that came: a thread
    /// serves thousands of connections, and reads one at a time.
    static DESK: RefCell<Box<[u8]>> = RefCell::new(vec![0; ROOM].into());
}

// === impl Socket ===

impl Socket {
    /// Appends what is there to `buffer`, at most about `room` bytes. A silent
    /// connection holds no buffer, and one of a few bytes holds those. 0 is the end.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
        room: usize,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(tcp) => poll_read(tcp, cx, buffer, room),
            Self::Tls(tls) => poll_read(&mut **tls, cx, buffer, room),
        }
    }

    /// Writes from the first of `slices` that is not empty, and from those behind it where that is as
    /// cheap.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, slices),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_write_vectored(cx, slices),
        }
    }

    /// Sends what TLS has kept back.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_flush(cx),
        }
    }

    /// Whether an idle connection may be used again: it is open, and nothing came that nobody asked
    /// for.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut unasked = BytesMut::new();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        self.poll_read(&mut cx, &mut unasked, ROOM).is_pending()
    }
}

fn poll_read(
    io: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    buffer: &mut BytesMut,
    room: usize,
) -> Poll<io::Result<usize>> {
    if room <= ROOM {
        return DESK.with_borrow_mut(|desk| {
            let mut read = ReadBuf::new(desk);
            std::task::ready!(Pin::new(io).poll_read(cx, &mut read))?;
            buffer.extend_from_slice(read.filled());
            Poll::Ready(Ok(read.filled().len()))
        });
    }
    // Much is coming: it is read where it stays.
    if buffer.capacity() - buffer.len() < room / 4 {
        buffer.reserve(room);
    }
    let read = pin!(io.read_buf(buffer)).poll(cx);
    if read.is_pending() && buffer.is_empty() {
        *buffer = BytesMut::new();
    }
    read
}
