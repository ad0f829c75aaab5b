//! The body of a request, as its route reads it. What came with the head is there at once; the rest is
//! read by the connection, which owns the socket and runs in the same task, into the buffer that the
//! reader lends it: nobody waits for another task, and a large body is not moved from hand to hand.

use std::{
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, TryLockError},
    task::{Context, Poll, Waker, ready},
};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::body::{BodyError, Source};

/// A request's body.
#[derive(Debug)]
pub(crate) struct Arriving {
    /// Whole, or what has come of it and nobody has taken.
    here: Bytes,
    /// Where more comes from.
    coming: Option<Coming>,
}

#[derive(Debug)]
struct Coming {
    inlet: Arc<Inlet>,
    /// How many bytes are still to come, where the head told it.
    left: Option<u64>,
    /// The client waits for a word before it sends them.
    held_back: bool,
}

/// Where the connection puts what comes. Nobody waits for the lock: both sides run in one task, and where a
/// route takes the body elsewhere, who finds it taken [looks again](Inlet::look).
#[derive(Debug, Default)]
pub(super) struct Inlet(Mutex<Flow>);

/// What is between the connection and the body.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// What the reader has lent, and what has come since.
    buffer: BytesMut,
    /// How much of it has come.
    came: usize,
    /// The reader waits for more.
    wanted: bool,
    end: Option<Result<(), BodyError>>,
    reader: Option<Waker>,
    connection: Option<Waker>,
}

// === impl Arriving ===

impl Arriving {
    /// A body that is there.
    pub(super) const fn whole(here: Bytes) -> Self {
        Self { here, coming: None }
    }

    /// A body that comes through `inlet`, of so many bytes if that is known.
    pub(super) const fn coming(inlet: Arc<Inlet>, left: Option<u64>) -> Self {
        Self {
            here: Bytes::new(),
            coming: Some(Coming {
                inlet,
                left,
                held_back: false,
            }),
        }
    }

    /// The same, of a client that sends it when it is told to.
    pub(super) const fn held_back(mut self, held_back: bool) -> Self {
        if let Some(coming) = &mut self.coming {
            coming.held_back = held_back;
        }
        self
    }
}

impl Source for Arriving {
    fn whole(&mut self) -> Option<Bytes> {
        if self.coming.is_some() {
            return None;
        }
        Some(mem::take(&mut self.here))
    }

    fn announced(&self) -> u64 {
        self.size_hint().lower()
    }

    fn is_held_back(&self) -> bool {
        self.coming.as_ref().is_some_and(|coming| coming.held_back)
    }

    fn poll_more(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut BytesMut,
    ) -> Poll<Result<usize, BodyError>> {
        let Some(coming) = &mut self.coming else {
            let here = mem::take(&mut self.here);
            to.extend_from_slice(&here);
            return Poll::Ready(Ok(here.len()));
        };
        let Some(mut flow) = coming.inlet.look(cx) else {
            return Poll::Pending;
        };
        let came = ready!(flow.poll_take(cx, to))?;
        if let Some(left) = &mut coming.left {
            *left = left.saturating_sub(came as u64);
        }
        Poll::Ready(Ok(came))
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut to = BytesMut::new();
        Poll::Ready(match ready!(self.get_mut().poll_more(cx, &mut to)) {
            Ok(0) => None,
            Ok(_) => Some(Ok(Frame::data(to.freeze()))),
            Err(error) => Some(Err(error)),
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.coming {
            Some(coming) => coming.left == Some(0),
            None => self.here.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.coming {
            None => SizeHint::with_exact(self.here.len() as u64),
            Some(coming) => coming.left.map_or_else(SizeHint::new, SizeHint::with_exact),
        }
    }
}

// === impl Inlet ===

impl Inlet {
    /// What is between the two, for as long as it takes to look. `None` while the other side looks, in another
    /// thread: then the task has been woken, and is to be pending once. What a panic left is whole.
    pub(super) fn look(&self, cx: &Context<'_>) -> Option<MutexGuard<'_, Flow>> {
        match self.0.try_lock() {
            Ok(flow) => Some(flow),
            Err(TryLockError::Poisoned(flow)) => Some(flow.into_inner()),
            Err(TryLockError::WouldBlock) => {
                cx.waker().wake_by_ref();
                None
            }
        }
    }
}

// === impl Flow ===

impl Flow {
    /// The reader's side: takes what has come, or lends `to` and waits.
    fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut BytesMut,
    ) -> Poll<Result<usize, BodyError>> {
        let came = mem::take(&mut self.came);
        if came > 0 {
            if to.is_empty() {
                mem::swap(to, &mut self.buffer);
            } else {
                to.extend_from_slice(&self.buffer);
            }
            self.buffer = BytesMut::new();
            return Poll::Ready(Ok(came));
        }
        if let Some(end) = self.end.clone() {
            if to.is_empty() {
                mem::swap(to, &mut self.buffer);
            }
            return Poll::Ready(end.map(|()| 0));
        }
        if self.buffer.is_empty() && self.buffer.capacity() < to.capacity() {
            mem::swap(to, &mut self.buffer);
        }
        self.wanted = true;
        keep(&mut self.reader, cx);
        // Whoever reads elsewhere than in the connection's task has to say so.
        if let Some(connection) = &self.connection
            && !connection.will_wake(cx.waker())
        {
            connection.wake_by_ref();
        }
        Poll::Pending
    }

    /// The connection's side: whether the reader waits. If it does not, the connection is woken when it
    /// does.
    pub(super) fn is_wanted(&mut self, cx: &Context<'_>) -> bool {
        keep(&mut self.connection, cx);
        self.wanted
    }

    /// Bytes of the body that came together with something else.
    pub(super) fn give(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.came += bytes.len();
    }

    /// Where bytes of the body may be read into, as many as the reader has made room for.
    pub(super) const fn room(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// So many have been.
    pub(super) const fn came(&mut self, count: usize) {
        self.came += count;
    }

    /// Nothing more comes.
    pub(super) fn end(&mut self, end: Result<(), BodyError>) {
        self.end = Some(end);
    }

    /// The reader has something to take.
    pub(super) fn fed(&mut self, cx: &Context<'_>) {
        self.wanted = false;
        // In the connection's own task it is asked again at once.
        if let Some(reader) = self.reader.take()
            && !reader.will_wake(cx.waker())
        {
            reader.wake();
        }
    }
}

fn keep(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        _ => *slot = Some(cx.waker().clone()),
    }
}
