//! The seam to wires: pure translation, no IO, no clock.

use std::fmt;

use bytes::Bytes;

use crate::{
    ChatEvent, ChatRequest, EncodeError, HttpRequest, ReplyHead, Target, UpstreamError, Usage,
};

/// Pure translation to and from one upstream wire dialect.
///
/// # Laws
/// - `encode` is deterministic: equal arguments give equal calls.
/// - What `encode` cannot say on the wire it refuses ([`EncodeError`]) or notes; it never drops a
///   message.
pub trait Codec: fmt::Debug + Send + Sync {
    /// Writes `chat` for `to`, and makes the reader of its reply.
    ///
    /// # Errors
    /// [`EncodeError`] when the request has no form in this dialect, or the target is unusable.
    fn encode(&self, chat: &ChatRequest, to: &Target<'_>) -> Result<Call, EncodeError>;
}

/// One upstream call: what to send, and the reader that remembers what was sent.
pub struct Call {
    /// What to send.
    pub request: HttpRequest,
    /// Reads the reply.
    pub reader: Box<dyn Reader>,
    /// What was changed on the way, for metadata.
    pub notes: Vec<Note>,
}

/// Something that encoding changed: a schema turned into a tool, a parameter left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The member that it is about.
    pub field: String,
    /// What happened to it.
    pub what: String,
}

/// Reads one reply, streamed or whole, success or error, from bytes cut anywhere.
///
/// # Laws
/// - Cutting: any partition of the same bytes into `push` calls gives the same events.
/// - Folding: a whole reply is the fold of its events, so that streamed equals whole.
/// - Ending: `finish` without a finish reason having been read is an error, never a silent stop.
/// - After an error the reader is spent.
pub trait Reader: Send {
    /// Takes the response's status and headers; called once, first.
    ///
    /// # Errors
    /// An [`UpstreamError`] only when the head alone decides (a content type that cannot be a
    /// reply). An error *status* is kept until `finish`, so that the body's reason is read.
    fn head(&mut self, head: &ReplyHead) -> Result<(), UpstreamError>;

    /// Takes the next bytes of the body.
    ///
    /// # Errors
    /// [`UpstreamError`] for an error in band, or for bytes that the dialect does not allow.
    fn push(&mut self, bytes: &Bytes, out: &mut Vec<ChatEvent>) -> Result<(), UpstreamError>;

    /// The body is complete.
    ///
    /// # Errors
    /// [`UpstreamError`] for an error status, or a reply that breaks off.
    fn finish(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), UpstreamError>;

    /// The counts that the upstream has reported by now, for a reply that is broken off before its
    /// end. `None` where it reports them at the end only. [`Usage::estimated`] says that the prompt
    /// was counted and the answer was not yet: what is known of that may be more.
    fn reported(&self) -> Option<Usage> {
        None
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("request", &self.request)
            .field("notes", &self.notes)
            .finish()
    }
}

const _: fn(&dyn Codec, &mut dyn Reader) = |_, _| {};
