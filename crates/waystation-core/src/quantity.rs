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

    /// Reads `2026-11-24T06:30:00.5Z`, or with an offset such as `+01:00`; to the millisecond. `None`
    /// for what is no time, or lies before 1970. Source: RFC 3339.
    ///
    /// ```
    /// use waystation_core::UnixMs;
    ///
    /// let at = UnixMs::from_rfc3339("2026-08-22T11:30:00.25+02:00");
    /// assert_eq!(at, Some(UnixMs::new(1_787_391_000_250)));
    /// ```
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let (date, time) = text.split_once('T')?;
        let (time, offset) = match time.strip_suffix('Z') {
            Some(time) => (time, 0),
            None => {
                let (time, zone) = time.split_at_checked(time.rfind(['+', '-'])?)?;
                let west = zone.starts_with('-');
                let minutes = i64::try_from(clock(zone.get(1..)?)? / 60_000).ok()?;
                (time, if west { -minutes } else { minutes })
            }
        };
        let midnight = i64::try_from(date.parse::<Date>().ok()?.seconds()?).ok()? * 1_000;
        let at = midnight + i64::try_from(clock(time)?).ok()? - offset * 60_000;
        u64::try_from(at).ok().map(Self)
    }

    /// Its day, in UTC.
    #[must_use]
    pub fn date(self) -> Date {
        Date::of_seconds(self.seconds())
    }
}

/// The milliseconds since midnight of `06:30:00.5`, or of `06:30`.
fn clock(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = whole.splitn(3, ':').map(|part| {
        let two = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        two.then(|| part.parse::<u64>().ok()).flatten()
    });
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) || minute > 59 || hour > 24 {
        return None;
    }
    let ms: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some(((hour * 60 + minute) * 60 + second) * 1_000 + ms)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_read_to_the_millisecond() {
        let read = |text| UnixMs::from_rfc3339(text).map(UnixMs::get);
        assert_eq!(read("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(read("2026-08-22T09:30:00Z"), Some(1_787_391_000_000));
        assert_eq!(read("2026-08-22T09:30:00+00:00"), Some(1_787_391_000_000));
        assert_eq!(read("2026-08-22T04:00:00-05:30"), Some(1_787_391_000_000));
        assert_eq!(read("2024-02-29T23:59:59.123456Z"), Some(1_709_251_199_123));
        for wrong in [
            "",
            "2026-08-22",
            "2026-13-01T00:00:00Z",
            "2026-08-22T09:30:00",
            "2026-08-22T9:30:00Z",
            "2026-08-22T09:30:00.xZ",
            "2026-08-22T09:70:00Z",
            "1969-12-31T23:59:59Z",
            "x-y-zT1:2:3Z",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_time_is_read_as_it_is_written(ms in 0_u64..253_402_300_800_000) {
            let at = UnixMs::new(ms);
            let (second, rest) = (ms / 1_000 % 86_400, ms % 1_000);
            let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
            let text = format!("{}T{hour:02}:{minute:02}:{second:02}.{rest:03}Z", at.date());
            prop_assert_eq!(UnixMs::from_rfc3339(&text), Some(at));
        }
    }
}
