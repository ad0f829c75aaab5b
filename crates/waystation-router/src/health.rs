//! What endpoints did lately: rolling windows of outcomes and speeds, and the breakers. The table is
//! written by whoever makes attempts; plans read an immutable view. It reads no clock: every call
//! says when it happens.

mod breaker;
mod cell;
mod circuit;
mod file;
mod prior;
mod row;
mod sketch;
mod window;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use rustc_hash::FxHashMap;
use waystation_core::{Combiner, EndpointId, ErrorType, Tick, Tokens};

pub use circuit::{Admit, ProbeGuard};
pub use file::HealthFileError;
pub use prior::Prior;
pub use row::{HealthRow, Measured, Percentiles, Recent};

use cell::{Cells, Event};
use circuit::Circuits;
use row::Row;

/// The most endpoints that are remembered; beyond it the one that was quiet for longest goes.
pub const MAX_ENDPOINTS: usize = 4096;
/// How old a published view may be.
const STALE: Duration = Duration::from_millis(250);
/// How many outcomes may wait for whoever is at the table. A view of 700 endpoints is built in half a
/// millisecond, in which as many come only at two million attempts a second; they take 80 kB.
const ROOM: usize = 1024;
/// Answers with fewer tokens say nothing of throughput: the first token dominates them.
const FEWEST_TOKENS: u64 = 32;

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Served, or the way in which it failed.
    pub result: Result<(), ErrorType>,
    /// From sending to the first content, reasoning or tool delta.
    pub ttft: Option<Duration>,
    /// Answer tokens per second after the first; see [`Outcome::speed`].
    pub tokens_per_s: Option<f64>,
    /// The answer called tools, and every call was one that could be made; `None` when it called
    /// none.
    pub tools: Option<bool>,
    /// When it ended.
    pub at: Tick,
}

/// The health of every endpoint that was tried lately.
///
/// Memory is bounded: at most [`MAX_ENDPOINTS`] endpoints of a fixed size (about 4 kB) each,
/// whatever the traffic.
///
/// No request waits for another one here. Whoever ends an attempt takes its outcome in, or leaves it in
/// a queue where somebody else is at it ([`Combiner`]; only with 1,024 in it would one wait);
/// [`view`](Self::view) is rebuilt at most four times a second, by one caller while the others go on with
/// the older one; [`admit`](Self::admit) reads atomics.
///
/// ```
/// use waystation_core::{EndpointId, ErrorType, Tick};
/// use waystation_router::{Admit, HealthTable, Outcome};
///
/// let (table, endpoint): (_, EndpointId) = (HealthTable::default(), "acme/fast|a".parse()?);
/// let at = |seconds: u64| Tick::from_micros(seconds * 1_000_000);
/// for _ in 0..5 {
///     table.record(&endpoint, Outcome::failed(ErrorType::ProviderUnavailable, at(10)));
/// }
/// // The breaker is open for five seconds; then one attempt may probe.
/// assert!(matches!(table.admit(&endpoint, at(11)), Admit::Skip(_)));
/// let Admit::Probe(guard) = table.admit(&endpoint, at(15)) else { panic!("no probe") };
/// table.record(&endpoint, Outcome::served(at(16)));
/// drop(guard);
/// assert!(matches!(table.admit(&endpoint, at(16)), Admit::Go));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct HealthTable {
    /// Everything that was measured, with the priors.
    cells: Combiner<Cells, Event>,
    /// The latest snapshot; stored by who has the cells.
    published: ArcSwap<HealthView>,
    /// The breakers that are not closed; changed by who has the cells.
    circuits: Arc<Circuits>,
}

/// A snapshot of the table, read without locks. Windows in it are evaluated at the moment of the
/// question, so that an outage ends by itself.
#[derive(Clone, Debug, Default)]
pub struct HealthView {
    rows: FxHashMap<EndpointId, Row>,
    /// What stands in for rows that are not there. Empty in a view from a file.
    priors: Arc<FxHashMap<EndpointId, Prior>>,
    /// When it was taken; `None` for one that was not taken from a table, or no longer counts there.
    taken: Option<Tick>,
}

// === impl Outcome ===

impl Outcome {
    /// A served request.
    #[must_use]
    pub const fn served(at: Tick) -> Self {
        Self {
            result: Ok(()),
            ttft: None,
            tokens_per_s: None,
            tools: None,
            at,
        }
    }

    /// A failed attempt.
    #[must_use]
    pub const fn failed(kind: ErrorType, at: Tick) -> Self {
        Self {
            result: Err(kind),
            ttft: None,
            tokens_per_s: None,
            tools: None,
            at,
        }
    }

    /// Tokens per second of an answer that took `took` after its first token; `None` for answers
    /// too short to tell, so that they do not distort the estimate.
    ///
    /// ```
    /// use std::time::Duration;
    /// use waystation_core::Tokens;
    /// use waystation_router::Outcome;
    ///
    /// assert_eq!(Outcome::speed(Tokens::new(100), Duration::from_secs(2)), Some(50.0));
    /// assert_eq!(Outcome::speed(Tokens::new(3), Duration::from_millis(1)), None);
    /// ```
    #[must_use]
    pub fn speed(tokens: Tokens, took: Duration) -> Option<f64> {
        let tokens = u32::try_from(tokens.get()).ok()?;
        if u64::from(tokens) < FEWEST_TOKENS || took < Duration::from_millis(1) {
            return None;
        }
        Some(f64::from(tokens) / took.as_secs_f64())
    }

    /// Whether the endpoint is to blame: `None` says nothing about its health, such as a limit or a
    /// refusal that concerns one credential.
    fn healthy(&self) -> Option<bool> {
        match self.result {
            Ok(()) => Some(true),
            Err(
                ErrorType::Server
                | ErrorType::Unmapped
                | ErrorType::ProviderUnavailable
                | ErrorType::ProviderOverloaded
                | ErrorType::Timeout,
            ) => Some(false),
            Err(
                ErrorType::RateLimitExceeded
                | ErrorType::Authentication
                | ErrorType::PaymentRequired
                | ErrorType::PermissionDenied,
            ) => None,
            // The request was to blame: the endpoint answered as it should.
            Err(_) => Some(true),
        }
    }
}

// === impl HealthTable ===

impl HealthTable {
    /// Notes how an attempt ended.
    pub fn record(&self, endpoint: &EndpointId, outcome: Outcome) {
        self.cells.note(&(endpoint.clone(), outcome));
    }

    /// States what is expected of endpoints before anything is measured, in place of what was stated
    /// before: figures of a catalogue, where it has them. Views have it from now on. It waits for
    /// whoever is at the table, so it is for whoever loads a catalogue, not for requests.
    pub fn set_priors(&self, priors: impl IntoIterator<Item = (EndpointId, Prior)>) {
        let priors = Arc::new(priors.into_iter().collect());
        self.cells.read(|cells| {
            cells.priors = Arc::clone(&priors);
            // Who finds the cells taken until the next view is built plans by this one.
            let rows = self.published.load().rows.clone();
            self.published.store(Arc::new(HealthView {
                rows,
                priors,
                taken: None,
            }));
        });
    }

    /// After how long 95 of 100 first tokens of this endpoint were there, over the last five minutes;
    /// `None` with fewer than eight measured. While somebody else is at the table, as the last
    /// [`view`](Self::view) has it.
    #[must_use]
    pub fn first_token_tail(&self, endpoint: &EndpointId, now: Tick) -> Option<Duration> {
        let seconds = match self.cells.try_read(|cells| cells.tail(endpoint, now)) {
            Some(tail) => tail?,
            None => self.published.load().rows.get(endpoint)?.tail()?,
        };
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// Whether an attempt may start now: yes; yes, as the one probe of a broken endpoint; or not
    /// before some time. Of any number of callers only one gets the probe.
    #[must_use]
    pub fn admit(&self, endpoint: &EndpointId, now: Tick) -> Admit {
        let Some(circuit) = self.circuits.of(endpoint) else {
            return Admit::Go;
        };
        // The outcome that closes it may have been left in the queue.
        self.cells.try_read(|_| ());
        circuit.admit(now)
    }

    /// The snapshot for plans made now, at most 250 ms old, and the time that somebody else takes to
    /// build the next one.
    #[must_use]
    pub fn view(&self, now: Tick) -> Arc<HealthView> {
        let published = self.published.load_full();
        if published.is_fresh(now) {
            return published;
        }
        let fresh = self.cells.try_read(|cells| self.publish(cells, now));
        fresh.unwrap_or(published)
    }

    /// How many endpoints are remembered, for metrics: it waits for whoever is at the table.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cells.read(|cells| cells.len())
    }

    /// Whether no endpoint is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Publishes a view of the cells, unless somebody did since the caller looked.
    fn publish(&self, cells: &Cells, now: Tick) -> Arc<HealthView> {
        let published = self.published.load_full();
        if published.is_fresh(now) {
            return published;
        }
        let fresh = Arc::new(cells.view(now));
        self.published.store(Arc::clone(&fresh));
        fresh
    }
}

impl Default for HealthTable {
    fn default() -> Self {
        let cells = Cells::default();
        let circuits = Arc::clone(&cells.circuits);
        Self {
            cells: Combiner::new(cells, ROOM),
            published: ArcSwap::default(),
            circuits,
        }
    }
}

// === impl HealthView ===

impl HealthView {
    /// What is known of `endpoint` at `now`; `None` when nothing.
    #[must_use]
    pub fn of(&self, endpoint: &EndpointId, now: Tick) -> Option<Measured> {
        if self.is_empty() {
            return None;
        }
        let measured = self.rows.get(endpoint).map(|row| row.at(now));
        match self.priors.get(endpoint) {
            Some(prior) => Some(prior.behind(measured.unwrap_or_default())),
            None => measured,
        }
    }

    /// Whether nothing is known of any endpoint.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.priors.is_empty()
    }

    /// Whether a table may still hand it out.
    fn is_fresh(&self, now: Tick) -> bool {
        self.taken.is_some_and(|taken| now.since(taken) < STALE)
    }
}

#[cfg(test)]
mod tests;
