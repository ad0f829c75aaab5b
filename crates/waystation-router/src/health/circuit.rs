//! Whether an attempt may start: the breakers that are not closed, as atomics that any number of requests
//! read. When a breaker opens and closes is decided elsewhere.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use rustc_hash::FxHashMap;
use waystation_core::{EndpointId, Tick};

use super::breaker::FIRST;

/// Whether an attempt may start.
#[derive(Debug)]
pub enum Admit {
    /// It may.
    Go,
    /// It may, as the only probe of an endpoint that was failing. Keep the guard until the outcome
    /// is recorded.
    Probe(ProbeGuard),
    /// Not before this time.
    Skip(Tick),
}

/// Holds the one probe of an endpoint. Dropped without an outcome being recorded (the client went
/// away), it lets the next caller probe.
#[derive(Debug)]
pub struct ProbeGuard(Arc<Circuit>);

/// The circuits that are not closed: nearly always none. Copied when one opens or closes.
#[derive(Debug, Default)]
pub(super) struct Circuits(ArcSwap<FxHashMap<EndpointId, Arc<Circuit>>>);

/// The circuit of one endpoint.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    /// Until when it is open, in microseconds; [`CLOSED`] when it is not. Once this is over it is half open.
    until: AtomicU64,
    /// A guard is out. Only its drop ends that, whatever is recorded meanwhile, so that there is
    /// never a second one.
    probing: AtomicBool,
}

/// No rest ends at the beginning of time.
const CLOSED: u64 = 0;

// === impl Circuits ===

impl Circuits {
    /// The circuit of `endpoint`; `None` when it is closed.
    pub(super) fn of(&self, endpoint: &EndpointId) -> Option<Arc<Circuit>> {
        let open = self.0.load();
        if open.is_empty() {
            return None;
        }
        open.get(endpoint).cloned()
    }

    /// Opens the circuit until then, closes it with `None`. One caller at a time.
    pub(super) fn turn(&self, endpoint: &EndpointId, circuit: &Arc<Circuit>, until: Option<Tick>) {
        circuit
            .until
            .store(until.map_or(CLOSED, Tick::micros), Ordering::Release);
        let open = self.0.load();
        if open.contains_key(endpoint) == until.is_some() {
            return;
        }
        let mut turned = FxHashMap::clone(&open);
        match until {
            Some(_) => turned.insert(endpoint.clone(), Arc::clone(circuit)),
            None => turned.remove(endpoint),
        };
        self.0.store(Arc::new(turned));
    }
}

// === impl Circuit ===

impl Circuit {
    /// Whether an attempt may start; taking the probe is part of the answer.
    pub(super) fn admit(self: &Arc<Self>, now: Tick) -> Admit {
        if let Some(answer) = self.settled(now) {
            return answer;
        }
        if self.probing.swap(true, Ordering::AcqRel) {
            return Admit::Skip(now.plus(FIRST));
        }
        let guard = ProbeGuard(Arc::clone(self));
        // Whoever had the probe before has told how it ended before the guard was dropped, which may
        // have been since the first look.
        self.settled(now).unwrap_or(Admit::Probe(guard))
    }

    /// The answer where it is not half open.
    fn settled(&self, now: Tick) -> Option<Admit> {
        match self.until.load(Ordering::Acquire) {
            CLOSED => Some(Admit::Go),
            until if now.micros() < until => Some(Admit::Skip(Tick::from_micros(until))),
            _ => None,
        }
    }
}

// === impl ProbeGuard ===

impl Drop for ProbeGuard {
    fn drop(&mut self) {
        self.0.probing.store(false, Ordering::Release);
    }
}
