//! What of a request's body nobody has read when its answer is there. It is read and thrown away before the
//! answer goes out: a stream that is answered and reset while its body comes is an error to some clients,
//! curl among them, which then show nothing of the answer. It knows nothing of what is answered.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout, timeout_at},
};

/// A body on loan: what its reader leaves of it comes back.
pub(super) struct Lent<B: HttpBody + Unpin = Incoming> {
    /// The body, and the way back.
    body: Option<(B, oneshot::Sender<B>)>,
}

/// Where that comes back to. Nobody waits for it: what a route has taken elsewhere and reads still is its own.
pub(super) struct Rest<B = Incoming>(oneshot::Receiver<B>);

/// How long the next piece is waited for, and all of them together; and the most bytes of them.
const PATIENCE: (Duration, Duration, usize) = (
    Duration::from_secs(1),
    Duration::from_secs(5),
    32 * 1024 * 1024,
);

// === impl Lent ===

impl<B: HttpBody + Unpin> Lent<B> {
    /// Lends `body`.
    pub(super) fn new(body: B) -> (Self, Rest<B>) {
        let (back, rest) = oneshot::channel();
        let lent = Self {
            body: Some((body, back)),
        };
        (lent, Rest(rest))
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for Lent<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.body {
            Some((body, _)) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body
            .as_ref()
            .is_none_or(|(body, _)| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.body.as_ref();
        body.map_or_else(|| SizeHint::with_exact(0), |(body, _)| body.size_hint())
    }
}

impl<B: HttpBody + Unpin> Drop for Lent<B> {
    fn drop(&mut self) {
        if let Some((body, back)) = self.body.take()
            && !body.is_end_stream()
        {
            // Where nobody wants it back it is dropped.
            let _ = back.send(body);
        }
    }
}

// === impl Rest ===

impl<B: HttpBody<Data = Bytes> + Unpin> Rest<B> {
    /// Reads what is left to its end, or as much as it is worth.
    pub(super) async fn skip(mut self) {
        let Ok(mut body) = self.0.try_recv() else {
            return;
        };
        let (wait, all, most) = PATIENCE;
        let mut seen = 0;
        let end = Instant::now() + all;
        while seen < most && !body.is_end_stream() {
            let next = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
            let Ok(Ok(Some(Ok(frame)))) = timeout_at(end, timeout(wait, next)).await else {
                return;
            };
            seen += frame.data_ref().map_or(0, Bytes::len);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use futures_util::StreamExt as _;

    use super::*;

    /// A body of so many pieces, each after so many milliseconds.
    fn pieces(count: usize, every: u64) -> Body {
        let pieces = futures_util::stream::iter(0..count).then(move |_| async move {
            tokio::time::sleep(Duration::from_millis(every)).await;
            Ok::<Bytes, Infallible>(vec![b'x'; 1 << 20].into())
        });
        Body::from_stream(pieces)
    }

    async fn skipped(body: Body) -> u128 {
        let (lent, rest) = Lent::new(body);
        drop(lent);
        let begin = Instant::now();
        rest.skip().await;
        begin.elapsed().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_is_read_as_long_as_it_is_worth() {
        assert_eq!(skipped(Body::empty()).await, 0);
        assert_eq!(skipped(pieces(3, 500)).await, 1_500);
        assert_eq!(skipped(pieces(1_000, 10)).await, 320, "32 MiB");
        assert_eq!(skipped(pieces(3, 30_000)).await, 1_000);
        assert_eq!(skipped(pieces(1_000, 900)).await, 5_000);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_read_to_its_end_does_not_come_back() {
        let (mut lent, mut rest) = Lent::new(Body::from("whole"));
        assert!(!lent.is_end_stream());
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut lent).poll_frame(cx)).await {
            frame.unwrap();
        }
        drop(lent);
        assert!(rest.0.try_recv().is_err());
    }
}
