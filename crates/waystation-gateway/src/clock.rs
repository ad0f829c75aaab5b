//! The production clock: tokio's, so that a test's paused time drives everything.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use waystation_core::{Clock, Now, Tick, UnixMs};

/// Monotonic time from tokio; wall time is read once and moves with it, so that a step of the
/// system's clock cannot make a duration negative.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    start: Instant,
    start_unix: Duration,
}

// === impl TokioClock ===

impl TokioClock {
    /// Starts at tick 0, now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that others ask"
    )]
    pub fn start() -> Self {
        let start_unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            start: Instant::now(),
            start_unix,
        }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Now {
        let elapsed = Instant::now().saturating_duration_since(self.start);
        let unix = self.start_unix.saturating_add(elapsed);
        Now {
            tick: Tick::default().plus(elapsed),
            unix: UnixMs::new(u64::try_from(unix.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}
