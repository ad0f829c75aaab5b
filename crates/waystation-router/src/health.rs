//! What endpoints did lately: rolling windows of outcomes and speeds, and the breakers. The table is
//! written by whoever makes attempts; plans read an immutable view. It reads no clock: every call
//! says when it happens.

mod breaker;
mod file;
mod prior;
mod row;
mod sketch;
mod window;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use rustc_hash::FxHashMap;
use waystation_core::{EndpointId, ErrorType, Tick, Tokens};

pub use breaker::{Admit, ProbeGuard};
pub use file::HealthFileError;
pub use prior::Prior;
pub use row::{HealthRow, Measured, Percentiles, Recent};

use breaker::Breaker;
use row::Row;
use window::{Recently, Speeds};

/// The most endpoints that are remembered; beyond it the one that was quiet for longest goes.
pub const MAX_ENDPOINTS: usize = 4096;
/// How old a published view may be.
const STALE: Duration = Duration::from_millis(250);
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
/// whatever the traffic. Writers take one small mutex when an attempt ends; [`view`](Self::view)
/// rebuilds its snapshot at most four times a second.
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
#[derive(Debug, Default)]
pub struct HealthTable {
    /// By endpoint; the lock is held for look-ups only. Ids are the catalogue's, never a client's, so a
    /// hash for speed will do, here and in views.
    cells: RwLock<FxHashMap<EndpointId, Arc<Mutex<Cell>>>>,
    /// The latest snapshot.
    published: RwLock<Arc<HealthView>>,
    /// What is expected of endpoints that nothing was measured of.
    priors: RwLock<Arc<FxHashMap<EndpointId, Prior>>>,
}

/// A snapshot of the table, read without locks. Windows in it are evaluated at the moment of the
/// question, so that an outage ends by itself.
#[derive(Clone, Debug, Default)]
pub struct HealthView {
    rows: FxHashMap<EndpointId, Row>,
    /// What stands in for rows that are not there. Empty in a view from a file.
    priors: Arc<FxHashMap<EndpointId, Prior>>,
    /// When it was taken; `None` for one that never ages (from a file, or empty).
    taken: Option<Tick>,
}

/// What is remembered of one endpoint: a fixed size, whatever the traffic.
#[derive(Debug, Default)]
pub(crate) struct Cell {
    /// Outcomes of the last 30 seconds.
    recently: Recently,
    /// Seconds to the first token.
    latency: Speeds,
    /// Tokens per second after it.
    throughput: Speeds,
    /// Answers that called tools, and those of them whose calls could not be made.
    tools: Recent,
    /// The circuit.
    breaker: Breaker,
    /// When the last attempt ended.
    last: Tick,
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
        let cell = self.cell(endpoint, outcome.at);
        let mut cell = lock(&cell);
        cell.last = cell.last.max(outcome.at);
        if let Some(healthy) = outcome.healthy() {
            cell.recently.add(outcome.at, healthy);
            cell.breaker.ended(healthy, outcome.at);
        }
        if let Some(ttft) = outcome.ttft {
            cell.latency.add(outcome.at, ttft.as_secs_f64());
        }
        if let Some(speed) = outcome.tokens_per_s.filter(|speed| speed.is_finite()) {
            cell.throughput.add(outcome.at, speed);
        }
        if let Some(good) = outcome.tools {
            cell.tools.add_fading(good);
        }
    }

    /// States what is expected of endpoints before anything is measured, in place of what was stated
    /// before: figures of a catalogue, where it has them.
    pub fn set_priors(&self, priors: impl IntoIterator<Item = (EndpointId, Prior)>) {
        let priors = Arc::new(priors.into_iter().collect());
        *write(&self.priors) = priors;
        *write(&self.published) = Arc::default();
    }

    /// After how long 95 of 100 first tokens of this endpoint were there, over the last five minutes;
    /// `None` with fewer than eight measured.
    #[must_use]
    pub fn first_token_tail(&self, endpoint: &EndpointId, now: Tick) -> Option<Duration> {
        let cell = read(&self.cells).get(endpoint).cloned()?;
        let seconds = lock(&cell).latency.tail(now)?;
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// Whether an attempt may start now: yes; yes, as the one probe of a broken endpoint; or not
    /// before some time. Of any number of callers only one gets the probe.
    #[must_use]
    pub fn admit(&self, endpoint: &EndpointId, now: Tick) -> Admit {
        let known = read(&self.cells).get(endpoint).cloned();
        let Some(cell) = known else {
            return Admit::Go;
        };
        let decision = lock(&cell).breaker.admit(now);
        decision.into_admit(&cell)
    }

    /// The snapshot for plans made now, at most 250 ms old.
    #[must_use]
    pub fn view(&self, now: Tick) -> Arc<HealthView> {
        let published = Arc::clone(&read(&self.published));
        if published
            .taken
            .is_some_and(|taken| now.since(taken) < STALE)
        {
            return published;
        }
        let fresh = Arc::new(self.snapshot(now));
        *write(&self.published) = Arc::clone(&fresh);
        fresh
    }

    /// How many endpoints are remembered, for metrics.
    #[must_use]
    pub fn len(&self) -> usize {
        read(&self.cells).len()
    }

    /// Whether no endpoint is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads every cell, each under its own mutex for about a microsecond.
    fn snapshot(&self, now: Tick) -> HealthView {
        let cells = read(&self.cells);
        let rows = cells
            .iter()
            .map(|(id, cell)| (id.clone(), Row::of(&lock(cell), now)));
        HealthView {
            rows: rows.collect(),
            priors: Arc::clone(&read(&self.priors)),
            taken: Some(now),
        }
    }

    /// The cell of an endpoint; a new one takes the place of the quietest when the table is full.
    fn cell(&self, endpoint: &EndpointId, now: Tick) -> Arc<Mutex<Cell>> {
        if let Some(cell) = read(&self.cells).get(endpoint) {
            return Arc::clone(cell);
        }
        let mut cells = write(&self.cells);
        if cells.len() >= MAX_ENDPOINTS && !cells.contains_key(endpoint) {
            let quietest = cells
                .iter()
                .max_by_key(|(id, cell)| (now.since(lock(cell).last), (*id).clone()))
                .map(|(id, _)| id.clone());
            if let Some(quietest) = quietest {
                cells.remove(&quietest);
            }
        }
        Arc::clone(cells.entry(endpoint.clone()).or_default())
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
}

/// Locks a cell.
pub(crate) fn lock(cell: &Mutex<Cell>) -> MutexGuard<'_, Cell> {
    // A cell holds counters only: one that a panic left half-written is still usable.
    cell.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks for reading; what a panic left behind is still counters.
fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// Locks for writing, likewise.
fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
