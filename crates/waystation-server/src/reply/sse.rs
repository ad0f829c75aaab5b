//! A streamed reply as a body of server-sent events, with keep-alive comments while there is nothing
//! to say. Pull-driven: what is not read is not fetched, and a body that is dropped closes the
//! upstream connection.

use std::{convert::Infallible, fmt, pin::Pin, time::Duration};

use bytes::Bytes;
use futures_core::Stream;
use tokio::time::sleep;
use waystation_core::{ChunkHead, ChunkWriter, ErrorType, GenerationId, LastChunk, UnixMs};
use waystation_gateway::{Batch, GatewayError, Reply, Settled};

use super::{METADATA, Metadata, metadata, write_usage};
use crate::{
    ending::{End, SHUTTING_DOWN},
    error,
};

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
    pub reply: Pin<Box<dyn Future<Output = Result<Box<Reply>, GatewayError>> + Send>>,
}

enum State {
    /// The status is committed, the reply is not.
    Waiting(Waiting),
    Open(Box<Open>),
    Done,
}

struct Open {
    reply: Box<Reply>,
    writer: ChunkWriter,
    metadata: Option<Metadata>,
    /// How many takeovers the writer knows of.
    takeovers: usize,
}

/// What goes with a stream to its end.
#[derive(Debug)]
pub struct Held<T> {
    /// Dropped with the body: the place of this stream among all streams.
    pub place: T,
    /// The client's wish for metadata.
    pub metadata: Option<Metadata>,
    /// When it comes, the stream ends with a word.
    pub end: End,
}

/// A comment that clients skip. Never sent as data.
const COMMENT: &[u8] = b": WAYSTATION PROCESSING\n\n";
/// What a chunk of a few words takes, in bytes: a frame that has to grow is moved each time.
const CHUNK: usize = 272;

/// The body of a reply that is committed, or still awaited after its first comment was due.
pub fn body<T: Send + 'static>(
    reply: Result<Box<Reply>, Waiting>,
    every: Duration,
    held: Held<T>,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    let (state, first) = match reply {
        Ok(reply) => (State::open(reply, held.metadata.clone()), None),
        Err(waiting) => (State::Waiting(waiting), Some(Bytes::from_static(COMMENT))),
    };
    let start = (state, first, held);
    futures_util::stream::unfold(start, move |(state, first, held)| async move {
        if let Some(comment) = first {
            return Some((Ok(comment), (state, None, held)));
        }
        let until = (every, &held.end);
        let (frame, state) = state.step(until, held.metadata.as_ref()).await?;
        Some((Ok(frame), (state, None, held)))
    })
}

/// What every chunk of this reply says first.
fn head(reply: &Reply) -> ChunkHead<'_> {
    ChunkHead {
        id: &reply.id,
        provider: &reply.provider,
        model: reply.model.as_str(),
        created: reply.created,
    }
}

fn last<'a>(
    settled: &Settled,
    metadata: Option<&'a [u8]>,
) -> LastChunk<'a, impl FnOnce(&mut Vec<u8>)> {
    LastChunk {
        usage: |out: &mut Vec<u8>| write_usage(settled, out),
        metadata: metadata.map(|value| (METADATA, value)),
    }
}

// === impl State ===

impl State {
    fn open(reply: Box<Reply>, metadata: Option<Metadata>) -> Self {
        let writer = ChunkWriter::new(&head(&reply));
        Self::Open(Box::new(Open {
            reply,
            writer,
            metadata,
            takeovers: 0,
        }))
    }

    /// The next frame: everything that one read brought.
    async fn step(
        self,
        (every, end): (Duration, &End),
        metadata: Option<&Metadata>,
    ) -> Option<(Bytes, Self)> {
        let mut state = self;
        loop {
            state = match state {
                Self::Done => return None,
                Self::Waiting(mut waiting) => tokio::select! {
                    biased;
                    () = end.reached() => return Some((waiting.last_word(), Self::Done)),
                    reply = &mut waiting.reply => match reply {
                        Ok(reply) => Self::open(reply, metadata.cloned()),
                        Err(error) => {
                            let metadata = metadata.and_then(|wanted| wanted.failed(&error));
                            let told = waiting.failure(&error, metadata.as_deref());
                            return Some((told, Self::Done));
                        }
                    },
                    () = sleep(every) => {
                        return Some((Bytes::from_static(COMMENT), Self::Waiting(waiting)));
                    }
                },
                Self::Open(mut open) => tokio::select! {
                    biased;
                    () = end.reached() => {
                        let kind = ErrorType::ProviderOverloaded;
                        let last = open.reply.end(kind, SHUTTING_DOWN);
                        return Some((open.frame(&last).0, Self::Done));
                    }
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
        let events = match batch {
            Batch::Events(events) => events.len(),
            Batch::Done(_) | Batch::Failed { .. } => 1,
        };
        let mut out = Vec::with_capacity(events.max(2) * CHUNK);
        for body in std::mem::take(&mut self.reply.echoes) {
            self.writer.echo(&body, &mut out);
        }
        let takeovers = self.reply.takeovers;
        if self.takeovers != takeovers {
            self.takeovers = takeovers;
            self.writer.goes_on(&head(&self.reply));
        }
        match batch {
            Batch::Events(events) => {
                for event in events {
                    self.writer.event(event, &mut out);
                }
                return (out.into(), true);
            }
            Batch::Done(settled) => {
                let metadata = self.metadata(settled);
                self.writer
                    .usage(last(settled, metadata.as_deref()), &mut out);
            }
            Batch::Failed {
                kind,
                message,
                settled,
            } => {
                let error = error::inline(*kind, message, &self.reply.provider);
                let metadata = self.metadata(settled);
                let metadata = metadata.filter(|_| kind.status().as_u16() != 500);
                let last = last(settled, metadata.as_deref());
                self.writer.failure(&error, last, &mut out);
            }
        }
        out.extend_from_slice(ChunkWriter::DONE);
        (out.into(), false)
    }

    fn metadata(&self, settled: &Settled) -> Option<Vec<u8>> {
        match &self.metadata {
            Some(wanted) => Some(wanted.served(&self.reply, settled)),
            // An answer with a seam says so, whether metadata is wished for or not.
            None => metadata::seams(&self.reply),
        }
    }
}

// === impl Waiting ===

impl Waiting {
    /// A failure after the first comment: the status is 200 already, so it is told in band.
    fn failure(&self, error: &GatewayError, metadata: Option<&[u8]>) -> Bytes {
        Self::only(&error::chunk(error, self.named(), metadata))
    }

    /// The gateway ends first.
    fn last_word(&self) -> Bytes {
        Self::only(&error::last_chunk(self.named()))
    }

    fn named(&self) -> (&GenerationId, &str, UnixMs) {
        (&self.id, self.model.as_str(), self.created)
    }

    /// A stream of one chunk.
    fn only(chunk: &[u8]) -> Bytes {
        let mut out = b"data: ".to_vec();
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\n\n");
        out.extend_from_slice(ChunkWriter::DONE);
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
