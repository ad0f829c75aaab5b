//! A connection of HTTP/2: hyper's, since it is rare here and long to write. It is watched, so that
//! nobody is waited for without end. How it is told from HTTP/1.1 is not known here.

mod rest;
mod watched;

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rest::Lent;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};
use watched::{Requests, Watched};

use super::{Patience, SMALL};
use crate::{
    ending::{Ear, Stage},
    routes::Site,
};

/// A response's body that counts as a request under way while it lives.
struct Answering {
    body: Body,
    ear: Ear,
    _request: watched::Request,
}

/// Serves `io`, of which `beginning` has been read, until it is closed, or until the gateway takes no more
/// requests and its last one is answered.
pub(super) async fn serve<Io>(
    (io, beginning): (Io, BytesMut),
    site: Site,
    patience: Patience,
    mut stage: watch::Receiver<Stage>,
) where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let requests = Arc::new(Requests::default());
    let io = Watched::new(io, beginning, patience, Arc::clone(&requests));
    let heard = stage.clone();
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let (under_way, mut ear) = (requests.begin(), Ear::of(heard.clone()));
        let (head, body) = request.into_parts();
        let (body, rest) = Lent::new(body);
        let mut answer = site.answer(Request::from_parts(head, Body::new(body)).into());
        async move {
            let answer = poll_fn(|cx| {
                ear.listen(cx);
                answer.as_mut().poll(cx)
            });
            let response = Response::from(answer.await);
            rest.skip().await;
            let small = |size| size <= SMALL;
            if response.size_hint().exact().is_some_and(small) {
                tokio::task::yield_now().await;
            }
            Ok::<Response<Answering>, Infallible>(response.map(|body| Answering {
                body,
                ear,
                _request: under_way,
            }))
        }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .max_header_list_size(u32::try_from(patience.max_head_bytes).unwrap_or(u32::MAX))
        .serve_connection(TokioIo::new(io), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        // A sender that is gone has nothing more to say.
        _ = stage.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}

// === impl Answering ===

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.ear.listen(cx);
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
