//! How long simulated replies take: decided by host and model, never by a clock.
//!
//! Only says durations; [`SimReply`](crate::SimReply) waits for them.
//!
//! An event takes as long as its bytes, four to a token, give or take 30 % by its place in the stream;
//! events without text come at once. A whole reply takes what its stream would take without the jitter.

use std::time::Duration;

use crate::draw::{Draw, basis, fold};

/// Whether simulated replies take the time that a real one might.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Pacing {
    /// No waiting at all: for tests, and for measuring everything else.
    Instant,
    /// 200 to 500 ms to the first token, then 40 to 120 tokens a second. Each pair of host and
    /// model has a pace of its own, so that a gateway that measures speed sees differences.
    #[default]
    Live,
}

/// The pace of one host and model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tempo {
    /// Until the first token.
    first: Duration,
    /// Microseconds a token.
    token: u64,
    /// Where the jitter of single tokens starts.
    jitter: u64,
}

// === impl Tempo ===

impl Tempo {
    /// No time at all.
    const NONE: Self = Self {
        first: Duration::ZERO,
        token: 0,
        jitter: 0,
    };

    /// The pace of `model` at `host`.
    pub(crate) fn of(pacing: Pacing, seed: u64, host: &str, model: &str) -> Self {
        if pacing == Pacing::Instant {
            return Self::NONE;
        }
        let hash = fold(fold(basis(seed), host.as_bytes()), model.as_bytes());
        let mut draw = Draw::new(hash);
        Self {
            first: Duration::from_millis(draw.within(200, 500)),
            token: 1_000_000 / draw.within(40, 120),
            jitter: draw.next(),
        }
    }

    /// Until the first token.
    pub(crate) const fn first(self) -> Duration {
        self.first
    }

    /// How long `bytes` bytes of text take, without jitter.
    pub(crate) fn text(self, bytes: usize) -> Duration {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        Duration::from_micros(bytes.saturating_mul(self.token) / 4)
    }

    /// The same for the `nth` piece of a reply, 30 % faster or slower by its place.
    pub(crate) fn piece(self, bytes: usize, nth: usize) -> Duration {
        let nth = u64::try_from(nth).unwrap_or(u64::MAX);
        let percent = Draw::new(self.jitter ^ nth).within(70, 130);
        let micros = u64::try_from(self.text(bytes).as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(micros.saturating_mul(percent) / 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pace_is_plausible_and_some_differ() {
        let of = |host: &str| Tempo::of(Pacing::Live, 7, host, "m");
        let hosts: Vec<_> = (0..50).map(|n| of(&format!("h{n}"))).collect();
        for tempo in &hosts {
            assert!((200..=500).contains(&tempo.first.as_millis()), "{tempo:?}");
            assert!((8_333..=25_000).contains(&tempo.token), "{tempo:?}");
        }
        assert_eq!(of("h1"), of("h1"));
        assert_ne!(hosts[0], hosts[1]);
        assert_eq!(Tempo::of(Pacing::Instant, 7, "h", "m"), Tempo::NONE);
    }
}
