//! One connection of a client, served, with a limit on every wait for it: to begin a request, to send
//! the rest of its head, and to take what is written. Bodies are bounded where they are read (`body.rs`);
//! what is answered is the site's.

mod http1;
mod http2;

use std::time::Duration;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};

use crate::{ending::Stage, routes::Site};

/// How long a client may let the gateway wait, and how large a head may be.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From a connection's beginning, or the first byte of a later head, to the head's end.
    pub head: Duration,
    /// From the end of one request to the beginning of the next on the same connection.
    pub idle: Duration,
    /// Until something of what is written is taken.
    pub write: Duration,
    /// The largest head, in bytes. Beyond it 431.
    pub max_head_bytes: usize,
}

/// Small answers of a thread are written side by side, as requests to upstreams are: a client that has
/// asked for several is woken once. A larger answer is written as soon as it is there, and an event of a
/// stream waits for nothing.
const SMALL: u64 = 16 * 1024;

/// Serves `io` until it is closed, or until the gateway takes no more requests and its last one is answered.
pub async fn serve<Io>(io: Io, site: Site, patience: Patience, stage: watch::Receiver<Stage>)
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match http1::serve(io, &site, patience, stage.clone()).await {
        http1::Ended::Closed => {}
        http1::Ended::Http2(read) => Box::pin(http2::serve(read, site, patience, stage)).await,
    }
}

// === impl Patience ===

impl Patience {
    /// What a gateway has whose configuration says nothing else.
    pub const USUAL: Self = Self {
        head: Duration::from_secs(30),
        idle: Duration::from_secs(120),
        write: Duration::from_secs(300),
        max_head_bytes: 408 * 1024,
    };
}

#[cfg(test)]
mod tests;
