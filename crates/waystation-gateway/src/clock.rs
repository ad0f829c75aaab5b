//! The production clock: tokio's, so that a test's paused time drives everything.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use waystation_core::{Clock, Now, Tick, UnixMs};

/// Monotonic time from tokio; wall time is read once and moves with it, so that a step of the
/// system's clock cannot make a duration negative.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    start: Instant,
    /// In microseconds since 1970.
    start_unix_us: u64,
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
            start_unix_us: u64::try_from(start_unix.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Now {
        let elapsed = Instant::now().saturating_duration_since(self.start);
        // Far from the end of 64 bits for some hundred thousand years.
        let seconds = elapsed.as_secs().saturating_mul(1_000_000);
        let micros = seconds.saturating_add(elapsed.subsec_micros().into());
        Now {
            tick: Tick::from_micros(micros),
            unix: UnixMs::new(self.start_unix_us.saturating_add(micros) / 1_000),
        }
    }
}
