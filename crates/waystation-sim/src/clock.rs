//! Clocks for tests: one that only moves when told, one that follows the runtime's (pausable) time.
//!
//! Neither reads the wall clock.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use waystation_core::{Clock, Now, Tick, UnixMs};

/// Where the wall time of test clocks starts: 2026-01-01T00:00:00Z, in milliseconds since 1970.
pub const TEST_EPOCH_MS: u64 = 1_767_225_600_000;

/// A clock that only moves when told. Both of its times start at a fixed point, so that records
/// made under it are the same in every run.
///
/// ```
/// use std::time::Duration;
/// use waystation_core::Clock;
/// use waystation_sim::ManualClock;
///
/// let clock = ManualClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_millis(30));
/// assert_eq!(clock.now().tick.since(before.tick), Duration::from_millis(30));
/// assert_eq!(clock.now().unix.get() - before.unix.get(), 30);
/// ```
#[derive(Debug)]
pub struct ManualClock {
    /// How far the clock was moved, in microseconds.
    micros: AtomicU64,
    /// The wall time at tick 0, in milliseconds since 1970.
    epoch: u64,
}

// === impl ManualClock ===

impl ManualClock {
    /// A clock at tick 0 and [`TEST_EPOCH_MS`].
    #[must_use]
    pub const fn new() -> Self {
        Self::at(UnixMs::new(TEST_EPOCH_MS))
    }

    /// A clock at tick 0 and `unix`.
    #[must_use]
    pub const fn at(unix: UnixMs) -> Self {
        Self {
            micros: AtomicU64::new(0),
            epoch: unix.get(),
        }
    }

    /// Moves both times on by `step`; microseconds count.
    ///
    /// A deadline passes without anybody waiting for it:
    ///
    /// ```
    /// use std::time::Duration;
    /// use waystation_core::{Clock, Deadline};
    /// use waystation_sim::ManualClock;
    ///
    /// let clock = ManualClock::new();
    /// let deadline = Deadline::after(clock.now().tick, Duration::from_secs(60));
    /// clock.advance(Duration::from_secs(61));
    /// assert!(deadline.left(clock.now().tick).is_zero());
    /// ```
    pub fn advance(&self, step: Duration) {
        let step = u64::try_from(step.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(step, Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Now {
        now(self.micros.load(Ordering::SeqCst), self.epoch)
    }
}

/// A clock that follows tokio's time, which tests pause: after `tokio::time::advance`, or when the
/// paused runtime jumps to the next timer, this clock has moved too.
///
/// ```
/// use std::time::Duration;
/// use waystation_core::Clock;
/// use waystation_sim::TokioClock;
///
/// let runtime = tokio::runtime::Builder::new_current_thread()
///     .enable_time()
///     .start_paused(true)
///     .build()?;
/// let passed = runtime.block_on(async {
///     let clock = TokioClock::new();
///     tokio::time::sleep(Duration::from_secs(3600)).await;
///     clock.now().tick.micros()
/// });
/// assert_eq!(passed, 3_600_000_000);
/// # Ok::<(), std::io::Error>(())
/// ```
#[cfg(feature = "paced")]
#[derive(Debug)]
pub struct TokioClock {
    /// The runtime's time at tick 0.
    start: tokio::time::Instant,
    epoch: u64,
}

#[cfg(feature = "paced")]
impl TokioClock {
    /// A clock at tick 0 and [`TEST_EPOCH_MS`].
    #[must_use]
    pub fn new() -> Self {
        Self {
            start: tokio::time::Instant::now(),
            epoch: TEST_EPOCH_MS,
        }
    }
}

#[cfg(feature = "paced")]
impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "paced")]
impl Clock for TokioClock {
    fn now(&self) -> Now {
        let since = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        now(since, self.epoch)
    }
}

/// Both times, `micros` after the start.
const fn now(micros: u64, epoch: u64) -> Now {
    Now {
        tick: Tick::from_micros(micros),
        unix: UnixMs::new(epoch.saturating_add(micros / 1000)),
    }
}
