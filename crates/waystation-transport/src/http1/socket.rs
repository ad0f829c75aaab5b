//! A connection, with or without TLS, as bytes in and out. It knows nothing of HTTP.

use std::{
    future::{Future as _, poll_fn},
    io::{self, IoSlice},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::BytesMut;
use tokio::{io::AsyncWrite as _, net::TcpStream, task::coop::unconstrained};
use tokio_rustls::client::TlsStream;

use super::desk::{ROOM, poll_read};

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
    /// for. It is really looked at, however much the task's turn has done already.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut unasked = BytesMut::new();
        let mut cx = Context::from_waker(Waker::noop());
        let read = unconstrained(poll_fn(|cx| self.poll_read(cx, &mut unasked, ROOM)));
        pin!(read).poll(&mut cx).is_pending()
    }
}
