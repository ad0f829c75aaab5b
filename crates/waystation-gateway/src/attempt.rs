//! One attempt at one endpoint, up to its first content.
//!
//! `Attempt -> Committed` is a type state: [`Attempt::first`] consumes the attempt, and only a
//! [`Failed`] leads to a next one. Once a [`Committed`] exists, no other provider's text can follow.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderName, HeaderValue, header};
use tokio::time::{Instant, timeout, timeout_at};
use waystation_core::{
    BodyStream, Call, ChatEvent, ChatRequest, Codec, EncodeError, Endpoint, ErrorType,
    FinishReason, HttpStream, Lease, Note, Now, Phase, PluginError, PoolKey, Reader, ReplyHead,
    SendLimits, Sent, Share, Target, Transport, TransportError, UpstreamError, Usage,
};

use crate::{Route, Timeouts, echo::Echo};

/// Everything that one attempt needs.
pub(crate) struct Attempt<'a> {
    /// The network.
    pub(crate) transport: &'a dyn Transport,
    /// The header that makes a loop visible.
    pub(crate) hop: Option<&'a (HeaderName, HeaderValue)>,
    /// The wire.
    pub(crate) codec: &'static dyn Codec,
    /// Address, quirks and time limits.
    pub(crate) route: &'a Route,
    /// Which model there, under which name, with which abilities.
    pub(crate) endpoint: &'a Endpoint,
    /// The credential.
    pub(crate) lease: &'a Lease,
    /// Keeps what is sent, where the client asks to see it.
    pub(crate) echo: &'a Echo,
    /// The model can reason before it answers, and the reply is streamed.
    pub(crate) thinks: bool,
    /// Wall time goes to codecs that sign.
    pub(crate) now: Now,
    /// Whole replies: what is left of the request's deadline.
    pub(crate) left: Duration,
    /// This attempt's place among the provider's requests; given back when the reply ends.
    pub(crate) permit: Share,
}

/// An attempt that has shown content, or a whole reply that is complete.
pub(crate) struct Committed {
    /// Events that have been read but not given on.
    pub(crate) events: Vec<ChatEvent>,
    /// The rest of the reply; `None` when it is complete.
    pub(crate) rest: Option<Rest>,
    /// What encoding changed.
    pub(crate) notes: Vec<Note>,
}

/// An attempt under way.
pub(crate) type First<'f> = Pin<Box<dyn Future<Output = Result<Committed, Failed>> + Send + 'f>>;

/// The part of a streamed reply that is still arriving.
pub(crate) struct Rest {
    /// Dropping it closes the exchange upstream.
    body: BodyStream,
    /// Remembers what was read before the commitment.
    reader: Box<dyn Reader>,
    /// The longest silence.
    idle: Duration,
    /// When the last byte came: kept here so that a caller who stops waiting and asks again (to send
    /// a keep-alive comment) does not start the idle limit anew.
    last: Instant,
    /// How the reply broke off, where that was read together with its first content.
    broken: Option<UpstreamError>,
    /// Given back when the reply ends or is dropped.
    _permit: Share,
}

/// An attempt that failed before anything was committed.
#[derive(Debug)]
pub(crate) struct Failed {
    /// What went wrong, with the upstream's own reason.
    pub(crate) error: UpstreamError,
    /// Whether the upstream may have acted on the request.
    pub(crate) sent: Sent,
    /// It was the connection that failed.
    pub(crate) network: bool,
    /// It was the gateway's own affair: a limit of the operator, or what its machine lacks. The upstream was
    /// not asked, so this says nothing of it.
    pub(crate) ours: bool,
    /// It was a plugin that failed: the upstream was not asked.
    pub(crate) plugin: Option<Box<PluginError>>,
}

// === impl Attempt ===

impl<'a> Attempt<'a> {
    /// Sends `chat` and reads until there is something to show: the first content of a streamed
    /// reply, the end of a whole one. The request is written at once; what is waited for is on the heap,
    /// and holds nothing of it.
    ///
    /// A whole reply is read to its end before it is committed, so that one that breaks off at its last
    /// byte can still be had elsewhere.
    ///
    /// # Errors
    /// [`Failed`] for a request that the wire cannot say, a network failure, a deadline that passed, an
    /// error status, an error in band, or a reply with nothing in it.
    pub(crate) fn first(self, chat: &ChatRequest) -> First<'a> {
        let (sending, reading, notes) = match self.send(chat) {
            Ok(sent) => sent,
            Err(failed) => return Box::pin(std::future::ready(Err(failed))),
        };
        let (permit, timeouts) = (self.permit, self.route.timeouts);
        if chat.stream() {
            let patience = Patience::of(chat, self.thinks, timeouts);
            let limits = (timeouts, patience);
            return Box::pin(reading.streamed(sending, limits, permit, notes));
        }
        let limit = timeouts.whole.min(self.left);
        Box::pin(async move {
            let read = timeout(limit, reading.whole(sending)).await;
            let events = read.map_err(|_| Failed::late("the whole reply", limit))??;
            drop(permit);
            Committed::of(events, None, notes)
        })
    }

    /// Writes the request and begins to send it, with what reads its reply and what encoding changed.
    fn send(&self, chat: &ChatRequest) -> Result<(Sending<'a>, Reading, Vec<Note>), Failed> {
        let Call {
            mut request,
            reader,
            notes,
        } = self.encode(chat)?;
        if let Some((name, value)) = self.hop {
            request.headers.insert(name.clone(), value.clone());
        }
        self.echo.keep(&request.body, self.lease.secret.as_ref());
        let limits = SendLimits {
            connect: self.route.timeouts.connect,
            head: None,
            pool: PoolKey::from(&self.endpoint.provider),
        };
        let reading = Reading {
            reader,
            events: Vec::new(),
        };
        Ok((self.transport.send(request, limits), reading, notes))
    }

    /// Writes the request. What has no form in the dialect is the request's fault; an address or a
    /// credential that cannot be used is the provider's.
    fn encode(&self, chat: &ChatRequest) -> Result<Call, Failed> {
        let (endpoint, lease) = (self.endpoint, self.lease);
        let upstream = self.route.wire(&endpoint.dialect);
        let target = Target {
            upstream,
            endpoint,
            lease,
            now: self.now.unix,
        };
        self.codec.encode(chat, &target).map_err(|error| {
            let kind = match &error {
                EncodeError::Unsupported { .. } => ErrorType::InvalidRequest,
                _ => ErrorType::ProviderUnavailable,
            };
            Failed {
                error: UpstreamError::new(kind, error.to_string()),
                sent: Sent::Nothing,
                network: false,
                ours: false,
                plugin: None,
            }
        })
    }
}

// === impl Committed ===

impl Committed {
    /// What was read of a reply that has shown content, or is complete.
    fn of(events: Vec<ChatEvent>, rest: Option<Rest>, notes: Vec<Note>) -> Result<Self, Failed> {
        if rest.is_none() {
            check_not_empty(&events)?;
        }
        Ok(Self {
            events,
            rest,
            notes,
        })
    }
}

/// A whole reply without a word, without a call and without a count is no answer (API contract,
/// section 9.1: an empty 200 is a failed attempt). One that a filter ended, or that spent its
/// tokens on nothing visible, is.
fn check_not_empty(events: &[ChatEvent]) -> Result<(), Failed> {
    let mut completion = 0;
    for event in events {
        match event {
            ChatEvent::Delta(delta) if delta.is_content() => return Ok(()),
            ChatEvent::Finish(finish) if finish.reason != FinishReason::Stop => return Ok(()),
            ChatEvent::Usage(usage) => completion = Usage::clone(usage).completion.get(),
            _ => {}
        }
    }
    if completion > 0 {
        return Ok(());
    }
    Err(Failed::of(UpstreamError::garbage(
        "the provider answered with nothing",
    )))
}

// === reading ===

/// A reply that is not committed yet.
struct Reading {
    reader: Box<dyn Reader>,
    /// What has been read: lifecycle events wait here for the first content.
    events: Vec<ChatEvent>,
}

/// How long a stream's first token is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Patience {
    /// From sending to the first content.
    first_token: Duration,
    /// Between any two reads until then.
    silence: Duration,
}

/// The send under way.
type Sending<'a> = Pin<Box<dyn Future<Output = Result<HttpStream, TransportError>> + Send + 'a>>;

/// How long the body of a failure is waited for.
const REFUSAL: Duration = Duration::from_secs(5);

impl Reading {
    /// Reads to the end.
    async fn whole(mut self, sending: Sending<'_>) -> Result<Vec<ChatEvent>, Failed> {
        let HttpStream { head, mut body } = sending.await?;
        self.begin(&head)?;
        if !head.status.is_success() {
            return Err(self.refused(&head, &mut body).await);
        }
        while let Some(bytes) = body.next().await {
            self.take(&bytes?, &head)?;
        }
        self.end(&head)?;
        Ok(self.events)
    }

    fn begin(&mut self, head: &ReplyHead) -> Result<(), Failed> {
        if head.status.is_success()
            && let Some(coding) = coding(head)
        {
            let message = format!("the provider answered {coding}");
            return Err(Failed::of(stamp(UpstreamError::garbage(message), head)));
        }
        let begun = self.reader.head(head);
        begun.map_err(|error| Failed::of(stamp(error, head)))
    }

    fn take(&mut self, bytes: &Bytes, head: &ReplyHead) -> Result<(), Failed> {
        let read = self.reader.push(bytes, &mut self.events);
        read.map_err(|error| Failed::of(stamp(error, head)))
    }

    fn end(&mut self, head: &ReplyHead) -> Result<(), Failed> {
        let end = self.reader.finish(&mut self.events);
        end.map_err(|error| Failed::of(stamp(error, head)))
    }

    /// The failure that a head announces. Its status says enough to go on with: a body that does
    /// not come soon, or not in one piece, is not waited for.
    async fn refused(mut self, head: &ReplyHead, body: &mut BodyStream) -> Failed {
        let read = async {
            while let Some(Ok(bytes)) = body.next().await {
                self.take(&bytes, head)?;
            }
            Ok(())
        };
        let coding = coding(head);
        let read = match coding {
            // Its status is what can be read of it.
            Some(_) => Ok(()),
            None => timeout(REFUSAL, read).await.unwrap_or(Ok(())),
        };
        match read.and_then(|()| self.end(head)) {
            Err(mut failed) => {
                if let Some(coding) = coding {
                    failed.error.message += &format!(" (it answered {coding})");
                }
                failed
            }
            // No reader takes such a status for a reply; were there one, this would still hold.
            Ok(()) => Failed::of(stamp(UpstreamError::garbage("the provider failed"), head)),
        }
    }

    /// Reads to the first content, or to the end where none comes.
    ///
    /// Three limits hold: on the head, on the first content from the start, and on silence between two
    /// reads.
    async fn streamed(
        mut self,
        sending: Sending<'_>,
        (timeouts, patience): (Timeouts, Patience),
        permit: Share,
        notes: Vec<Note>,
    ) -> Result<Committed, Failed> {
        let started = now();
        let reply = match timeout(timeouts.first_byte, sending).await {
            Ok(reply) => reply?,
            Err(_) => return Err(Failed::late("the response's head", timeouts.first_byte)),
        };
        let HttpStream { head, mut body } = reply;
        self.begin(&head)?;
        if !head.status.is_success() {
            return Err(self.refused(&head, &mut body).await);
        }
        loop {
            let spent = now().saturating_duration_since(started);
            let left = patience.first_token.saturating_sub(spent);
            let limit = left.min(patience.silence);
            let what = if left < patience.silence {
                "the first token"
            } else {
                "the next byte"
            };
            let next = timeout(limit, body.next()).await;
            let Some(bytes) = next.map_err(|_| Failed::late(what, limit))? else {
                self.end(&head)?;
                return Committed::of(self.events, None, notes);
            };
            let taken = self.take(&bytes?, &head);
            if self.events.iter().any(ChatEvent::is_content) {
                let idle = timeouts.idle;
                // Content commits, whatever came behind it in the same read: how a reply ends does not
                // depend on how the network cuts it.
                let broken = taken.err().map(|failed| failed.error);
                let rest = Rest {
                    body,
                    reader: self.reader,
                    idle,
                    last: now(),
                    broken,
                    _permit: permit,
                };
                return Committed::of(self.events, Some(rest), notes);
            }
            taken?;
        }
    }
}

/// What is said of a body that nobody here can read: it is packed, though the request asks for it plain.
fn coding(head: &ReplyHead) -> Option<String> {
    let coding = head.headers.get(header::CONTENT_ENCODING)?.to_str();
    let coding = coding.unwrap_or("unknown").trim();
    let told: String = coding.chars().take(40).collect();
    let plain = coding.is_empty() || coding.eq_ignore_ascii_case("identity");
    (!plain).then(|| format!("with content-encoding {told}, which was not asked for"))
}

/// Tokio's clock, which a test may pause.
fn now() -> Instant {
    Instant::now()
}

/// The HTTP status that an upstream's error came with.
fn stamp(mut error: UpstreamError, head: &ReplyHead) -> UpstreamError {
    error.status.get_or_insert(head.status.as_u16());
    error
}

// === impl Patience ===

impl Patience {
    /// Reasoning comes before the first token and may take minutes: with pings or reasoning deltas on
    /// the way, or in silence. Where the request asks for it, both are waited for. Where it says nothing
    /// and the model can reason, only a sign of life makes the wait longer. Limits that the operator
    /// has set below the defaults hold all the same, save that on the first token of reasoning that
    /// was asked for, which has a setting of its own.
    fn of(chat: &ChatRequest, thinks: bool, timeouts: Timeouts) -> Self {
        let asked = chat.reasoning().and_then(|reasoning| reasoning.wanted());
        let usual = Timeouts::default();
        let lowered = timeouts.first_token < usual.first_token;
        let first_token = match asked {
            Some(true) => timeouts.first_token_reasoning,
            None if thinks && !lowered => timeouts.first_token_reasoning,
            _ => timeouts.first_token,
        };
        let silence = match asked {
            Some(true) if timeouts.idle >= usual.idle => first_token,
            _ => timeouts.idle,
        };
        Self {
            first_token,
            silence,
        }
    }
}

// === impl Rest ===

impl Rest {
    /// The next events; `Ok(false)` when the reply is complete. Cancel safe.
    pub(crate) async fn next(&mut self, out: &mut Vec<ChatEvent>) -> Result<bool, UpstreamError> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        let next = timeout_at(self.last + self.idle, self.body.next()).await;
        self.last = now();
        match next {
            Err(_) => Err(Failed::late("the next byte", self.idle).error),
            Ok(None) => self.reader.finish(out).map(|()| false),
            Ok(Some(Err(error))) => Err(Failed::from(error).error),
            Ok(Some(Ok(bytes))) => self.push(&bytes, out),
        }
    }

    /// What the upstream has counted so far.
    pub(crate) fn reported(&self) -> Option<Usage> {
        self.reader.reported()
    }

    /// Reads what arrived; one read gives one batch.
    fn push(&mut self, bytes: &Bytes, out: &mut Vec<ChatEvent>) -> Result<bool, UpstreamError> {
        self.reader.push(bytes, out).map(|()| true)
    }
}

// === impl Failed ===

impl Failed {
    /// A failure after the request may have arrived.
    pub(crate) const fn of(error: UpstreamError) -> Self {
        Self {
            error,
            sent: Sent::Maybe,
            network: false,
            ours: false,
            plugin: None,
        }
    }

    /// `what` did not come in time. What was sent may have been acted upon.
    fn late(what: &str, limit: Duration) -> Self {
        let message = format!("{what} did not come within {} ms", limit.as_millis());
        Self::of(UpstreamError::new(ErrorType::Timeout, message))
    }

    /// The provider has as many requests under way as it may.
    pub(crate) fn busy(route: &Arc<Route>) -> Self {
        let message = format!("{} has reached max_concurrent", route.upstream.slug);
        let mut error = UpstreamError::new(ErrorType::ProviderOverloaded, message);
        // Other requests end all the time; a client that waits a moment is likely to find room.
        error.retry_after = Some(Duration::from_secs(1));
        Self {
            error,
            sent: Sent::Nothing,
            network: false,
            ours: true,
            plugin: None,
        }
    }
}

impl From<PluginError> for Failed {
    /// Nothing was sent. The kind is the plugin's word on the request: that it speaks of a service which
    /// is down does not make the endpoint one.
    fn from(error: PluginError) -> Self {
        Self {
            error: UpstreamError::new(error.kind, error.to_string()),
            sent: Sent::Nothing,
            network: false,
            ours: false,
            plugin: Some(Box::new(error)),
        }
    }
}

impl From<TransportError> for Failed {
    fn from(error: TransportError) -> Self {
        let ours = error.phase == Phase::Socket;
        let kind = match error.timed_out {
            true => ErrorType::Timeout,
            false if ours => ErrorType::ProviderOverloaded,
            false => ErrorType::ProviderUnavailable,
        };
        Self {
            error: UpstreamError::new(kind, error.to_string()),
            sent: error.sent,
            network: !error.timed_out,
            ours,
            plugin: None,
        }
    }
}
