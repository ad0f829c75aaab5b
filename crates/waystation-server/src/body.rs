//! Request bodies, read whole within a limit of their own and one for all that are under way.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use hyper::body::Body as HttpBody;
use tokio::time::{Instant, sleep_until};
use waystation_core::{Quota, Share};

/// Why a body could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// More bytes than allowed.
    #[error("the body is larger than {limit} bytes; see [server] max_body_bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The bodies of other requests fill the memory that there is for them.
    #[error("too many bytes of request bodies are under way; see [server] max_buffered_bytes")]
    Full,
    /// The client sends too slowly.
    #[error("the body did not come in time; see [server] body_ms")]
    Slow,
    /// The client stopped sending.
    #[error(
        "the body ended early, or its chunks are not well formed: send all of it, as RFC 9112 has it"
    )]
    Broken,
}

/// The memory for bodies of requests under way.
#[derive(Clone, Debug)]
pub struct Room(Quota);

/// What one body takes of it, given back when it is dropped.
#[derive(Debug, Default)]
pub struct Taken(Option<Share>);

/// What one body may cost.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The most bytes.
    pub bytes: usize,
    /// The longest wait for the next ones; in all a body has as long, and a second more for every
    /// [`SLOWEST`] bytes that have come.
    pub wait: Duration,
}

/// Where a body comes from.
pub(crate) trait Source {
    /// All of it, where all of it has come with the head.
    fn whole(&mut self) -> Option<Bytes>;

    /// As many bytes it says that it has, at least.
    fn announced(&self) -> u64;

    /// Whether nothing of it is sent before somebody wants it.
    fn is_held_back(&self) -> bool {
        false
    }

    /// Appends what has come to `to`, into the room that is there where that is possible, and says how
    /// much it was. 0 is the end.
    ///
    /// While it is pending what `to` held may be elsewhere: it is there again when it is ready, if the
    /// same is given.
    ///
    /// # Errors
    /// [`BodyError::Broken`] when no more will come, though it should.
    fn poll_more(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut BytesMut,
    ) -> Poll<Result<usize, BodyError>>;
}

/// Bytes a second. Source of the rule: Apache's `mod_reqtimeout`, `MinRate`, 500 there.
pub const SLOWEST: u64 = 1024;

/// Room is counted in pieces of this many bytes.
const PIECE: usize = 1024;

/// How many bytes a body may have memory for before they have come.
const GREAT: usize = 1024 * 1024;

/// How much of a body that is too large is still read, and thrown away, before it is refused: a
/// client that is cut off while it sends never sees the reason.
const PATIENCE: usize = 2;

// === impl Bounds ===

impl Bounds {
    /// Until when the next bytes must come, where `seen` have come since `begin`, the latest at `last`.
    fn deadline(self, (begin, last): (Instant, Instant), seen: usize) -> Instant {
        let more = seen as u64 * 1_000 / SLOWEST;
        (begin + self.wait + Duration::from_millis(more)).min(last + self.wait)
    }
}

// === impl Room ===

impl Room {
    /// Room for this many bytes.
    #[must_use]
    pub fn of(bytes: u64) -> Self {
        let pieces = usize::try_from(bytes).unwrap_or(usize::MAX) / PIECE;
        Self(Quota::of(pieces.max(1)))
    }

    /// Makes what is taken enough for `bytes` bytes.
    fn take(&self, taken: &mut Taken, bytes: usize) -> Result<(), BodyError> {
        let pieces = bytes.div_ceil(PIECE);
        let enough = match &mut taken.0 {
            Some(held) => held.grow(pieces.saturating_sub(held.count())),
            none => {
                *none = self.0.take(pieces);
                none.is_some()
            }
        };
        if enough { Ok(()) } else { Err(BodyError::Full) }
    }
}

// === impl Body ===

impl Source for Body {
    fn whole(&mut self) -> Option<Bytes> {
        None
    }

    fn announced(&self) -> u64 {
        self.size_hint().lower()
    }

    fn poll_more(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut BytesMut,
    ) -> Poll<Result<usize, BodyError>> {
        while let Some(frame) = ready!(Pin::new(&mut *self).poll_frame(cx)) {
            let frame = frame.map_err(|_| BodyError::Broken)?;
            if let Ok(data) = frame.into_data()
                && !data.is_empty()
            {
                to.extend_from_slice(&data);
                return Poll::Ready(Ok(data.len()));
            }
        }
        Poll::Ready(Ok(0))
    }
}

/// Reads a body within `bounds`. One that came with its head costs nothing but its room; another is read
/// into one piece of the size that it says it has. What it takes of the room is to be kept as long as the
/// body is.
///
/// # Errors
/// [`BodyError`] when it is larger, breaks off, comes too slowly, or finds no room.
pub(crate) async fn read<S: Source>(
    mut body: S,
    bounds: Bounds,
    room: &Room,
) -> Result<(Bytes, Taken), BodyError> {
    let Some(whole) = body.whole() else {
        // On the heap: its alarm is large, and few need it.
        return Box::pin(coming(body, bounds, room)).await;
    };
    if whole.len() > bounds.bytes {
        return Err(BodyError::TooLarge {
            limit: bounds.bytes,
        });
    }
    let mut taken = Taken::default();
    room.take(&mut taken, whole.len())?;
    Ok((whole, taken))
}

/// Reads a body that is still to come.
async fn coming<S: Source>(
    mut body: S,
    bounds: Bounds,
    room: &Room,
) -> Result<(Bytes, Taken), BodyError> {
    let limit = bounds.bytes;
    let begin = Instant::now();
    let mut last = begin;
    let mut alarm = pin!(sleep_until(begin + bounds.wait));
    let mut taken = Taken::default();
    let mut read = BytesMut::new();
    let mut seen = 0_usize;
    let announced = usize::try_from(body.announced()).unwrap_or(usize::MAX);
    let patience = if body.is_held_back() { 1 } else { PATIENCE };
    if announced > limit.saturating_mul(patience) {
        return Err(BodyError::TooLarge { limit });
    }
    loop {
        if seen < announced && seen <= limit && read.len() == read.capacity() {
            // At once what it says it is, so that nothing is moved while it grows.
            let left = announced.min(limit).saturating_sub(seen);
            let more = left.min(GREAT.max(seen));
            read.reserve(more);
        }
        let came = loop {
            tokio::select! {
                biased;
                came = poll_fn(|cx| body.poll_more(cx, &mut read)) => break came?,
                () = &mut alarm => {
                    let deadline = bounds.deadline((begin, last), seen);
                    if deadline <= Instant::now() {
                        return Err(BodyError::Slow);
                    }
                    alarm.as_mut().reset(deadline);
                }
            }
        };
        if came == 0 {
            break;
        }
        last = Instant::now();
        seen = seen.saturating_add(came);
        if seen > limit.saturating_mul(PATIENCE) {
            return Err(BodyError::TooLarge { limit });
        }
        if seen > limit {
            (read, taken) = (BytesMut::new(), Taken::default());
            continue;
        }
        room.take(&mut taken, seen)?;
    }
    if seen > limit {
        return Err(BodyError::TooLarge { limit });
    }
    Ok((read.freeze(), taken))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures_util::StreamExt as _;

    use super::*;

    fn pieces(sizes: &[usize]) -> Body {
        let pieces: Vec<Result<Bytes, std::convert::Infallible>> = sizes
            .iter()
            .map(|size| Ok(vec![b'x'; *size].into()))
            .collect();
        Body::from_stream(futures_util::stream::iter(pieces))
    }

    const fn bounds(bytes: usize) -> Bounds {
        Bounds {
            bytes,
            wait: Duration::from_secs(30),
        }
    }

    async fn read_10(sizes: &[usize]) -> Result<usize, BodyError> {
        let read = read(pieces(sizes), bounds(10), &Room::of(1 << 20)).await;
        read.map(|(bytes, _)| bytes.len())
    }

    #[tokio::test]
    async fn the_limit_is_exact() {
        let too_large = Err(BodyError::TooLarge { limit: 10 });
        assert_eq!(read_10(&[4, 6]).await, Ok(10));
        assert_eq!(read_10(&[11]).await, too_large);
        assert_eq!(read_10(&[6, 5]).await, too_large);
        assert_eq!(read_10(&[30]).await, too_large);
        assert_eq!(read_10(&[]).await, Ok(0));
    }

    #[tokio::test]
    async fn bodies_share_their_room_and_give_it_back() {
        let room = Room::of(4 * 1024);
        let one = read(pieces(&[1000, 2000]), bounds(9_000), &room)
            .await
            .unwrap();
        let full = read(pieces(&[1024, 1024]), bounds(9_000), &room).await;
        assert_eq!(full.map(|_| ()), Err(BodyError::Full));
        read(pieces(&[1024]), bounds(9_000), &room).await.unwrap();
        drop(one);
        read(pieces(&[4096]), bounds(9_000), &room).await.unwrap();
    }

    /// The time until `sizes`, each after so many seconds, are refused; `None` where they are read.
    async fn refused_after(sizes: &[(u64, usize)]) -> Option<u64> {
        let begin = Instant::now();
        let pieces = sizes.to_vec();
        let pieces = futures_util::stream::iter(pieces).then(|(seconds, size)| async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok::<Bytes, std::convert::Infallible>(vec![b'x'; size].into())
        });
        let read = read(
            Body::from_stream(pieces),
            bounds(1 << 20),
            &Room::of(1 << 20),
        )
        .await;
        match read {
            Ok(_) => None,
            Err(error) => {
                assert_eq!(error, BodyError::Slow);
                Some(begin.elapsed().as_secs())
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_comes_too_slowly_is_refused() {
        assert_eq!(refused_after(&[(31, 1)]).await, Some(30));
        assert_eq!(refused_after(&[(29, 100_000), (31, 1)]).await, Some(59));
        // A byte now and then is no progress.
        let trickle: Vec<_> = (0..100).map(|_| (5, 1)).collect();
        assert_eq!(refused_after(&trickle).await, Some(30));
        let steady: Vec<_> = (0..100).map(|_| (5, 8_192)).collect();
        assert_eq!(refused_after(&steady).await, None);
    }
}
