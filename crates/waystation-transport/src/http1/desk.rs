//! Reading from a connection into no more memory than it takes: for connections to upstreams here, and
//! for those of clients in the server. It knows nothing of HTTP.

use std::{
    cell::RefCell,
    future::Future,
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};

/// What a read takes at most, unless more is known to come: a message of a few kB, or the events of a
/// fast stream.
pub const ROOM: usize = 16 * 1024;

thread_local! {
    /// What reads of [`ROOM`] go through, on their way to a buffer of just the size that came: a thread
    /// serves thousands of connections, and reads one at a time.
    static DESK: RefCell<Box<[u8]>> = RefCell::new(vec![0; ROOM].into());
}

/// Appends what is there to `buffer`, at most about `room` bytes, and no more than that where it is at
/// most [`ROOM`]. A silent connection holds no buffer, and one of a few bytes holds those. 0 is the end.
///
/// # Errors
/// What the system says of the connection.
pub fn poll_read(
    io: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    buffer: &mut BytesMut,
    room: usize,
) -> Poll<io::Result<usize>> {
    if room <= ROOM {
        return DESK.with_borrow_mut(|desk| {
            let mut read = ReadBuf::new(desk.get_mut(..room).unwrap_or_default());
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
