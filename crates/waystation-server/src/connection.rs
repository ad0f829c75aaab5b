//! One connection of a client, served, with a limit on every wait for it: to begin a request, to send
//! the rest of its head, and to take what is written. Bodies are bounded where they are read (`body.rs`);
//! what is answered is the site's.

mod watched;

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use crate::routes::Site;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};
use watched::{Requests, Watched};

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

/// A response's body that counts as a request under way while it lives.
struct Answering {
    body: Body,
    _request: watched::Request,
}

/// A larger answer is written as soon as it is there.
const SMALL: u64 = 16 * 1024;

/// Serves `io` until it is closed, or until `stopped` says so and its last request is answered.
pub async fn serve<Io>(io: Io, site: Site, patience: Patience, mut stopped: watch::Receiver<bool>)
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let requests = Arc::new(Requests::default());
    let mut io = Watched::new(io, patience, Arc::clone(&requests));
    let stop = async {
        // A sender that is gone has nothing more to say.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    let mut stop = pin!(stop);
    let http2 = tokio::select! {
        http2 = io.begins_http2() => http2,
        () = stop.as_mut() => return,
    };
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let under_way = requests.begin();
        let answer = site.answer(request);
        async move {
            let response = answer.await;
            if response
                .size_hint()
                .exact()
                .is_some_and(|size| size <= SMALL)
            {
                // Small answers of a thread are written side by side, as requests to upstreams are: a client
                // that has asked for several is woken once. An event of a stream waits for nothing.
                tokio::task::yield_now().await;
            }
            Ok::<Response<Answering>, Infallible>(response.map(|body| Answering {
                body,
                _request: under_way,
            }))
        }
    });
    let io = TokioIo::new(io);
    let ended = match http2 {
        Ok(false) => {
            let connection = http1::Builder::new()
                // Every wait is bounded in `watched.rs`, which tells the client.
                .header_read_timeout(None)
                .max_buf_size(patience.max_head_bytes)
                .serve_connection(io, service);
            let connection = pin!(connection);
            until(connection, http1::Connection::graceful_shutdown, stop).await
        }
        Ok(true) => {
            let connection = http2::Builder::new(TokioExecutor::new())
                .max_header_list_size(u32::try_from(patience.max_head_bytes).unwrap_or(u32::MAX))
                .serve_connection(io, service);
            let connection = pin!(connection);
            until(connection, http2::Connection::graceful_shutdown, stop).await
        }
        Err(error) => return tracing::debug!(%error, "a connection ended before a request"),
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}

/// Drives a connection to its end; from `stop` on it takes no further request.
async fn until<C>(
    mut connection: Pin<&mut C>,
    shut_down: fn(Pin<&mut C>),
    stop: impl Future<Output = ()>,
) -> hyper::Result<()>
where
    C: Future<Output = hyper::Result<()>>,
{
    tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop => {
            shut_down(connection.as_mut());
            connection.await
        }
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

// === impl Answering ===

impl HttpBody for Answering {
    type Data = bytes::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
