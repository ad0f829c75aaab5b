//! A transport that answers from a list or a function and remembers what it was asked: the test
//! bed's upstream.
//!
//! It knows nothing of dialects: a test says which bytes come back.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderName, StatusCode};
use waystation_core::{
    BodyStream, Clock, HttpRequest, HttpStream, Phase, SendLimits, Sent, Transport, TransportError,
};

use crate::{End, SimReply, transport::deliver};

/// One scripted outcome of a send: a reply, or a failure before any head came.
///
/// ```
/// use waystation_core::Phase;
/// use waystation_sim::Reply;
///
/// let slow = Reply::sse([r#"{"choices":[]}"#, "[DONE]"]).delay(200).chunked(1);
/// let dies = Reply::sse([r#"{"choices":[]}"#]).cut_after(9);
/// let refused = Reply::refuse(Phase::Connect);
/// let limited = Reply::json(429, "{}").header("retry-after", "3");
/// ```
#[derive(Clone, Debug)]
pub struct Reply(Result<SimReply, TransportError>);

/// Answers sends from replies given beforehand and records the requests.
///
/// ```
/// use waystation_sim::{Reply, ReplayTransport};
///
/// // One after the other, whoever asks:
/// let queued = ReplayTransport::queue([Reply::json(500, "{}"), Reply::json(200, "{}")]);
/// // By host, each host with its own list:
/// let hosts = ReplayTransport::hosts()
///     .at("a.mock", [Reply::json(429, "{}")])
///     .at("b.mock", [Reply::json(200, "{}")]);
/// // By a function of the request and its number, counted from 0:
/// let function = ReplayTransport::answering(|request, nth| {
///     let status = if nth == 0 { 503 } else { 200 };
///     Reply::json(status, request.body.clone())
/// });
/// assert_eq!(queued.calls() + hosts.calls() + function.calls(), 0);
/// ```
pub struct ReplayTransport {
    source: Source,
    /// Every request, in the order in which they came.
    requests: Mutex<Vec<HttpRequest>>,
    watch: Arc<Watch>,
    /// Holds limits on the head, where there is one.
    clock: Option<Arc<dyn Clock>>,
}

/// Says the reply to a request by its number.
type Answer = dyn Fn(&HttpRequest, usize) -> Reply + Send + Sync;

/// Where replies come from.
enum Source {
    /// One list, in order.
    Queue(Mutex<VecDeque<Reply>>),
    /// A list for each host; the last entry of each stays.
    Hosts(Mutex<BTreeMap<String, VecDeque<Reply>>>),
    /// A function of the request and its number.
    Function(Box<Answer>),
}

/// Counts exchanges that were dropped before their end.
#[derive(Debug, Default)]
struct Watch {
    /// Begun, and neither finished nor dropped.
    open: AtomicUsize,
    /// Dropped before the end.
    cancelled: AtomicUsize,
}

/// Held by one exchange; dropped undone, it counts as cancelled.
struct Exchange {
    watch: Arc<Watch>,
    done: bool,
}

/// A body that tells its exchange when it is over.
struct WatchedBody {
    inner: BodyStream,
    exchange: Exchange,
    /// Pieces still to come when the body ends properly: after the last of them a reader that saw
    /// the protocol's own end may leave.
    left: Option<usize>,
}

// === impl Reply ===

impl Reply {
    /// A JSON reply. `status` beyond 100..=999 becomes 500. The body is not checked.
    #[must_use]
    pub fn json(status: u16, body: impl Into<Bytes>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self(Ok(SimReply::json(status, body)))
    }

    /// A 200 with one `data:` event for each text. `[DONE]` is not added.
    #[must_use]
    pub fn sse<T: AsRef<str>>(events: impl IntoIterator<Item = T>) -> Self {
        Self(Ok(SimReply::sse(events)))
    }

    /// A 200 with an event stream of these very bytes.
    #[must_use]
    pub fn stream(bytes: impl Into<Bytes>) -> Self {
        Self(Ok(SimReply::stream([bytes])))
    }

    /// No reply: the send fails at `phase`. Before [`Phase::Send`] nothing was sent; from there on
    /// something may have been.
    #[must_use]
    pub fn refuse(phase: Phase) -> Self {
        let sent = match phase {
            Phase::Socket | Phase::Dns | Phase::Connect | Phase::Tls => Sent::Nothing,
            Phase::Send | Phase::Head | Phase::Body => Sent::Maybe,
        };
        Self::fail(TransportError {
            phase,
            sent,
            timed_out: false,
            message: "refused by the script".into(),
        })
    }

    /// No reply: the send fails with this error.
    #[must_use]
    pub const fn fail(error: TransportError) -> Self {
        Self(Err(error))
    }

    /// Sets a header; a refusal has none. Texts that are no header are left out.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        match name.parse::<HeaderName>() {
            Ok(name) => self.map(|reply| reply.with_header(name, value)),
            Err(_) => self,
        }
    }

    /// Keeps the first `bytes` bytes of the body and then closes the connection.
    #[must_use]
    pub fn cut_after(self, bytes: usize) -> Self {
        self.map(|reply| reply.cut_after(bytes))
    }

    /// Goes silent where the body would have ended, and stays so for ever.
    #[must_use]
    pub fn stall(self) -> Self {
        self.map(SimReply::stalling)
    }

    /// Keeps the first `bytes` bytes of the body and then goes silent for ever.
    #[must_use]
    pub fn stall_after(self, bytes: usize) -> Self {
        self.map(|reply| reply.stall_after(bytes))
    }

    /// Adds `ms` milliseconds before the head.
    #[must_use]
    pub fn delay(self, ms: u64) -> Self {
        self.map(|reply| reply.delayed(ms))
    }

    /// Adds `ms` milliseconds before each piece of the body.
    #[must_use]
    pub fn gap(self, ms: u64) -> Self {
        self.map(|reply| reply.spaced(ms))
    }

    /// Cuts the body into pieces of `bytes` bytes.
    #[must_use]
    pub fn chunked(self, bytes: usize) -> Self {
        self.map(|reply| reply.chunked(bytes))
    }

    /// Changes the reply, if there is one.
    fn map(self, change: impl FnOnce(SimReply) -> SimReply) -> Self {
        Self(self.0.map(change))
    }
}

impl From<SimReply> for Reply {
    fn from(reply: SimReply) -> Self {
        Self(Ok(reply))
    }
}

// === impl ReplayTransport ===

impl ReplayTransport {
    /// One reply after the other. When none is left, sends are refused at
    /// [`Phase::Connect`] with a message that says so.
    #[must_use]
    pub fn queue(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::over(Source::Queue(Mutex::new(replies.into_iter().collect())))
    }

    /// Lists by host, filled with [`at`](Self::at). The last reply of a list repeats.
    #[must_use]
    pub fn hosts() -> Self {
        Self::over(Source::Hosts(Mutex::default()))
    }

    /// Whatever `answer` says of a request and its number, counted from 0 over all hosts.
    #[must_use]
    pub fn answering(
        answer: impl Fn(&HttpRequest, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::over(Source::Function(Box::new(answer)))
    }

    /// A transport over `source` that nobody has used yet.
    fn over(source: Source) -> Self {
        Self {
            source,
            requests: Mutex::default(),
            watch: Arc::default(),
            clock: None,
        }
    }

    /// Appends replies for `host` (without port). Turns any other transport into one by host.
    #[must_use]
    pub fn at(self, host: &str, replies: impl IntoIterator<Item = Reply>) -> Self {
        let mut this = self;
        if !matches!(this.source, Source::Hosts(_)) {
            this.source = Source::Hosts(Mutex::default());
        }
        if let Source::Hosts(hosts) = &this.source {
            locked(hosts)
                .entry(host.into())
                .or_default()
                .extend(replies);
        }
        this
    }

    /// Holds [`SendLimits::head`] by this clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Appends a reply to a queue. Does nothing to the other kinds.
    pub fn push(&self, reply: Reply) {
        if let Source::Queue(queue) = &self.source {
            locked(queue).push_back(reply);
        }
    }

    /// Every request so far, in order.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// use waystation_core::{HttpRequest, PoolKey, SendLimits, Transport};
    /// use waystation_sim::{ReplayTransport, Reply};
    ///
    /// let upstream = ReplayTransport::queue([Reply::json(200, "{}")]);
    /// let request = HttpRequest::post_json("https://a.mock/v1/x", "{\"n\":1}".into())?;
    /// let limits = SendLimits {
    ///     connect: std::time::Duration::from_secs(3),
    ///     head: None,
    ///     pool: PoolKey("a".into()),
    /// };
    /// let reply = upstream.send(request, limits).await?;
    /// assert_eq!(reply.head.status, 200);
    /// assert_eq!(upstream.requests()[0].body, "{\"n\":1}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn requests(&self) -> Vec<HttpRequest> {
        locked(&self.requests).clone()
    }

    /// How many requests came.
    #[must_use]
    pub fn calls(&self) -> usize {
        locked(&self.requests).len()
    }

    /// How many requests went to `host`.
    #[must_use]
    pub fn calls_to(&self, host: &str) -> usize {
        let requests = locked(&self.requests);
        let there = requests
            .iter()
            .filter(|request| request.url.host() == Some(host));
        there.count()
    }

    /// How many exchanges are neither finished nor dropped.
    #[must_use]
    pub fn open(&self) -> usize {
        self.watch.open.load(Ordering::SeqCst)
    }

    /// How many exchanges were dropped before their body ended: what an upstream would see as a
    /// closed connection.
    ///
    /// A reader that leaves after the last piece of a body that ends properly has cancelled nothing:
    /// it saw the protocol's own end (`[DONE]`).
    #[must_use]
    pub fn cancelled(&self) -> usize {
        self.watch.cancelled.load(Ordering::SeqCst)
    }

    /// The outcome for a request; says so when none is left.
    fn reply(&self, request: &HttpRequest, nth: usize) -> Reply {
        let none = || {
            Reply::fail(TransportError {
                phase: Phase::Connect,
                sent: Sent::Nothing,
                timed_out: false,
                message: "the script has no reply left for this request".into(),
            })
        };
        match &self.source {
            Source::Queue(queue) => locked(queue).pop_front().unwrap_or_else(none),
            Source::Hosts(hosts) => {
                let mut hosts = locked(hosts);
                let list = request.url.host().and_then(|host| hosts.get_mut(host));
                match list {
                    Some(list) if list.len() > 1 => list.pop_front(),
                    Some(list) => list.front().cloned(),
                    None => None,
                }
                .unwrap_or_else(none)
            }
            Source::Function(answer) => answer(request, nth),
        }
    }
}

#[async_trait]
impl Transport for ReplayTransport {
    async fn send(
        &self,
        request: HttpRequest,
        limits: SendLimits,
    ) -> Result<HttpStream, TransportError> {
        let nth = {
            let mut requests = locked(&self.requests);
            requests.push(request.clone());
            requests.len() - 1
        };
        let mut exchange = Exchange::begin(&self.watch);
        let reply = self.reply(&request, nth).0;
        let left = match &reply {
            Ok(reply) if reply.end == End::Clean => Some(reply.pieces.len()),
            _ => None,
        };
        let outcome = match reply {
            Ok(reply) => deliver(reply, limits.head, self.clock.as_deref()).await,
            Err(error) => Err(error),
        };
        exchange.done = outcome.is_err() || left == Some(0);
        let HttpStream { head, body: inner } = outcome?;
        let body = WatchedBody {
            inner,
            exchange,
            left,
        };
        Ok(HttpStream {
            head,
            body: Box::pin(body),
        })
    }
}

impl fmt::Debug for ReplayTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayTransport")
            .field("calls", &self.calls())
            .field("watch", &self.watch)
            .finish_non_exhaustive()
    }
}

// === impl Exchange ===

impl Exchange {
    /// Counts a further open exchange.
    fn begin(watch: &Arc<Watch>) -> Self {
        watch.open.fetch_add(1, Ordering::SeqCst);
        Self {
            watch: Arc::clone(watch),
            done: false,
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.watch.open.fetch_sub(1, Ordering::SeqCst);
        if !self.done {
            self.watch.cancelled.fetch_add(1, Ordering::SeqCst);
        }
    }
}

// === impl WatchedBody ===

impl Stream for WatchedBody {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.inner.as_mut().poll_next(cx);
        match &polled {
            Poll::Ready(Some(Ok(_))) => {
                self.left = self.left.map(|left| left.saturating_sub(1));
                self.exchange.done = self.left == Some(0);
            }
            Poll::Ready(None | Some(Err(_))) => self.exchange.done = true,
            Poll::Pending => {}
        }
        polled
    }
}

/// The lock's content; a test that panicked while holding it spoils nothing here.
#[expect(clippy::disallowed_methods, reason = "a test double")]
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
