//! The circuit breaker of one endpoint: closed, open for a while, then half open for one probe at a
//! time. It reads no clock and sends nothing.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use waystation_core::Tick;

use super::{Cell, lock};

/// Failures in a row, with no success between, that open the circuit.
const FAILURES: u32 = 5;
/// How long it stays open the first time.
const FIRST: Duration = Duration::from_secs(5);
/// The longest time it stays open; each failed probe doubles it up to here.
const LONGEST: Duration = Duration::from_secs(60);

/// The state of one endpoint's circuit. Default: closed.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// In a row, since the last success.
    failures: u32,
    /// `None` is closed.
    open: Option<Open>,
    /// A guard is out. Only its drop ends that, whatever is recorded meanwhile, so that there is
    /// never a second one.
    probing: bool,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    /// From then on one probe may go.
    until: Tick,
    /// How long this rest is.
    rest: Duration,
}

/// What [`Breaker::admit`] decided, without the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Go,
    Probe,
    Skip(Tick),
}

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
pub struct ProbeGuard(Arc<Mutex<Cell>>);

// === impl Breaker ===

impl Breaker {
    /// Whether an attempt may start; taking the probe is part of the answer.
    pub(crate) fn admit(&mut self, now: Tick) -> Decision {
        match self.open {
            None => Decision::Go,
            Some(open) if now < open.until => Decision::Skip(open.until),
            Some(_) if self.probing => Decision::Skip(now.plus(FIRST)),
            Some(_) => {
                self.probing = true;
                Decision::Probe
            }
        }
    }

    /// An attempt ended, and says something of the endpoint's health.
    pub(crate) fn ended(&mut self, healthy: bool, now: Tick) {
        if healthy {
            self.failures = 0;
            self.open = None;
            return;
        }
        self.failures = self.failures.saturating_add(1);
        self.open = match self.open {
            None if self.failures < FAILURES => None,
            None => Some(Open::from(now, FIRST)),
            // An attempt that began before the circuit opened must not lengthen the rest.
            Some(open) if now < open.until => Some(open),
            Some(open) => Some(Open::from(now, (open.rest * 2).min(LONGEST))),
        };
    }

    /// Until when no attempt is admitted; `None` when the circuit is closed.
    pub(crate) fn open_until(&self) -> Option<Tick> {
        self.open.map(|open| open.until)
    }
}

impl Open {
    fn from(now: Tick, rest: Duration) -> Self {
        Self {
            until: now.plus(rest),
            rest,
        }
    }
}

// === impl Decision ===

impl Decision {
    /// The same with the guard that a probe holds.
    pub(crate) fn into_admit(self, cell: &Arc<Mutex<Cell>>) -> Admit {
        match self {
            Self::Go => Admit::Go,
            Self::Probe => Admit::Probe(ProbeGuard(Arc::clone(cell))),
            Self::Skip(until) => Admit::Skip(until),
        }
    }
}

// === impl ProbeGuard ===

impl Drop for ProbeGuard {
    fn drop(&mut self) {
        lock(&self.0).breaker.probing = false;
    }
}
