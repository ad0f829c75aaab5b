//! Counts, times and chance: the quantities that every layer takes as arguments instead of reading
//! a clock or a random source.

mod date;

use std::{fmt, ops::Add, time::Duration};

use serde::{Deserialize, Serialize};

pub use date::{Date, ParseDateError};

/// A number of tokens.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Tokens(u64);

// === impl Tokens ===

impl Tokens {
    /// No tokens.
    pub const ZERO: Self = Self(0);

    /// From a count.
    #[must_use]
    pub const fn new(count: u64) -> Self {
        Self(count)
    }

    /// The count.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The difference, or none when `other` is larger.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for Tokens {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A point on a monotonic clock, in microseconds since the process began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tick(u64);

// === impl Tick ===

impl Tick {
    /// From microseconds.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// In microseconds.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero when it is not after.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The tick `after` later.
    #[must_use]
    pub fn plus(self, after: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(after.as_micros()).unwrap_or(u64::MAX)),
        )
    }
}

/// Wall time in milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMs(u64);

// === impl UnixMs ===

impl UnixMs {
    /// From milliseconds.
    #[must_use]
    pub const fn new(ms: u64) -> Self {
        Self(ms)
    }

    /// In milliseconds.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// In whole seconds, as `created` fields have it.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// Its day, in UTC.
    #[must_use]
    pub fn date(self) -> Date {
        Date::of_seconds(self.seconds())
    }
}

/// Both clocks, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// For durations.
    pub tick: Tick,
    /// For records.
    pub unix: UnixMs,
}

/// By when something must have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(Tick);

// === impl Deadline ===

impl Deadline {
    /// At `tick`.
    #[must_use]
    pub const fn at(tick: Tick) -> Self {
        Self(tick)
    }

    /// `within` from `now`.
    #[must_use]
    pub fn after(now: Tick, within: Duration) -> Self {
        Self(now.plus(within))
    }

    /// What is left of it; zero when it has passed.
    #[must_use]
    pub const fn left(self, now: Tick) -> Duration {
        self.0.since(now)
    }
}

/// Where the draws of one plan start. The same seed gives the same plan, on every platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Seed(u64);

// === impl Seed ===

impl Seed {
    /// From a number.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}
