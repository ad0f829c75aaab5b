//! A streamed reply as a body of server-sent events, with keep-alive comments while there is nothing
//! to say. Pull-driven: what is not read is not fetched, and a body that is dropped closes the
//! upstream connection.

use std::{convert::Infallible, fmt, pin::Pin, time::Duration};

use bytes::Bytes;
use futures_core::Stream;
use tokio::time::sleep;
use waystation_core::{GenerationId, UnixMs};
use waystation_gateway::{Batch, GatewayError, Reply};

use super::chunk::{ChunkWriter, DONE};
use crate::error;

/// A request that has not been committed yet, and what its stream says of itself should it fail
/// after the first comment.
pub struct Waiting {
    /// The generation that the header has named already.
    pub id: GenerationId,
    /// The model as it was asked for.
    pub model: String,
    /// When the request came.
    pub created: UnixMs,
    /// The reply to be.
    pub reply: Pin<Box<dyn Future<Output = Result<Reply, GatewayError>> + Send>>,
}

enum State {
    /// The status is committed, the reply is not.
    Waiting(Waiting),
    Open(Box<Open>),
    Done,
}

struct Open {
    reply: Reply,
    writer: ChunkWriter,
}

/// A comment that clients skip. Never sent as data.
const COMMENT: &[u8] = b": WAYSTATION PROCESSING\n\n";

/// The body of a reply that is committed, or still awaited after its first comment was due.
///
/// `held` is dropped with the body: the place of this stream among all streams.
pub fn body<T: Send + 'static>(
    reply: Result<Reply, Waiting>,
    every: Duration,
    held: T,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    let (state, first) = match reply {
        Ok(reply) => (State::open(reply), None),
        Err(waiting) => (State::Waiting(waiting), Some(Bytes::from_static(COMMENT))),
    };
    let start = (state, first, held);
    futures_util::stream::unfold(start, move |(state, first, held)| async move {
        if let Some(comment) = first {
            return Some((Ok(comment), (state, None, held)));
        }
        let (frame, state) = state.step(every).await?;
        Some((Ok(frame), (state, None, held)))
    })
}

// === impl State ===

impl State {
    fn open(reply: Reply) -> Self {
        let writer = ChunkWriter::new(&reply);
        Self::Open(Box::new(Open { reply, writer }))
    }

    /// The next frame: everything that one read brought.
    async fn step(self, every: Duration) -> Option<(Bytes, Self)> {
        let mut state = self;
        loop {
            state = match state {
                Self::Done => return None,
                Self::Waiting(mut waiting) => tokio::select! {
                    reply = &mut waiting.reply => match reply {
                        Ok(reply) => Self::open(reply),
                        Err(error) => return Some((waiting.failure(&error), Self::Done)),
                    },
                    () = sleep(every) => {
                        return Some((Bytes::from_static(COMMENT), Self::Waiting(waiting)));
                    }
                },
                Self::Open(mut open) => tokio::select! {
                    biased;
                    batch = open.reply.next() => {
                        let (frame, more) = open.frame(&batch);
                        let next = if more { Self::Open(open) } else { Self::Done };
                        if !frame.is_empty() {
                            return Some((frame, next));
                        }
                        next
                    }
                    () = sleep(every) => {
                        return Some((Bytes::from_static(COMMENT), Self::Open(open)));
                    }
                },
            };
        }
    }
}

// === impl Open ===

impl Open {
    /// One batch as bytes, and whether there is more to come.
    fn frame(&mut self, batch: &Batch) -> (Bytes, bool) {
        let mut out = Vec::with_capacity(512);
        match batch {
            Batch::Events(events) => {
                for event in events {
                    self.writer.event(event, &mut out);
                }
                return (out.into(), true);
            }
            Batch::Done(settled) => self.writer.usage(settled, &mut out),
            Batch::Failed {
                kind,
                message,
                settled,
            } => {
                let error = error::inline(*kind, message, &self.reply.provider);
                self.writer.failure(&error, settled, &mut out);
            }
        }
        out.extend_from_slice(DONE);
        (out.into(), false)
    }
}

// === impl Waiting ===

impl Waiting {
    /// A failure after the first comment: the status is 200 already, so it is told in band.
    fn failure(&self, error: &GatewayError) -> Bytes {
        let mut out = b"data: ".to_vec();
        out.extend_from_slice(&error::chunk(error, (&self.id, &self.model, self.created)));
        out.extend_from_slice(b"\n\n");
        out.extend_from_slice(DONE);
        out.into()
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
