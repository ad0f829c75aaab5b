//! The circuit breaker of one endpoint, as whoever notes outcomes keeps it: closed, or open until some time.
//! Who is admitted meanwhile is its circuit's to say. It reads no clock.

use std::time::Duration;

use waystation_core::Tick;

/// Failures in a row, with no success between, that open the circuit.
const FAILURES: u32 = 5;
/// How long it stays open the first time.
pub(super) const FIRST: Duration = Duration::from_secs(5);
/// The longest time it stays open; each failed probe doubles it up to here.
const LONGEST: Duration = Duration::from_secs(60);

/// The state of one endpoint's circuit. Default: closed.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// In a row, since the last success.
    failures: u32,
    /// `None` is closed.
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    /// From then on one probe may go.
    until: Tick,
    /// How long this rest is.
    rest: Duration,
}

// === impl Breaker ===

impl Breaker {
    /// An attempt ended, and says something of the endpoint's health.
    pub(super) fn ended(&mut self, healthy: bool, now: Tick) {
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
    pub(super) fn open_until(&self) -> Option<Tick> {
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
