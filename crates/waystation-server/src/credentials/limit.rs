//! How much one key is used in a minute: requests and tokens, each against its limit. Nobody waits here
//! for anybody: all of it is atomic numbers. Which key is used in place of one that is used up is not decided
//! here.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use waystation_core::{Tick, Tokens};

/// The window over which both count.
const MINUTE: Duration = Duration::from_secs(60);
/// Requests are kept one by one up to this many a minute, and together beyond.
const TIMES: usize = 4_096;
/// A minute's seconds, and some more.
const SECONDS: usize = 64;

/// What one key may be used for in a minute; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests: never more in any minute. Beyond 4,096 some that come one after the other are forgotten
    /// together, a minute after the last of them.
    pub rpm: Option<u32>,
    /// Tokens of prompts and answers. They are known when an answer is complete, so that requests
    /// that run at the same time may exceed this; the key then rests until the minute has room.
    pub tpm: Option<u64>,
}

/// What the last minute held of one key that has limits.
#[derive(Debug)]
pub(super) struct Window {
    requests: Option<Requests>,
    tokens: Option<Spending>,
}

/// When requests began.
///
/// Each [`Times`] has a number of requests that it may hold, all of them together as many as the limit, and
/// is emptied only when its last one is a minute old. So whatever runs at the same time, no minute has more
/// than the limit. They are filled in turn, so that the one behind the one being filled is the oldest.
#[derive(Debug)]
struct Requests {
    times: Box<[AtomicU64]>,
    /// The one being filled.
    at: AtomicUsize,
    limit: usize,
}

/// The latest of some requests and how many they are, in one number: 48 bits of microseconds, nine years,
/// above 16 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Times {
    last: Tick,
    count: u16,
}

/// The tokens that were used up in each second, in a ring.
#[derive(Debug)]
struct Spending {
    seconds: [AtomicU64; SECONDS],
    limit: u64,
}

/// The tokens of one second, in one number: which round of the ring, in 24 bits, above 40 bits of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Second {
    round: u64,
    tokens: u64,
}

// === impl Window ===

impl Window {
    /// A window where there is a limit.
    pub(super) fn of(limits: Limits) -> Option<Self> {
        let window = Self {
            requests: limits.rpm.map(|rpm| Requests::of(rpm, TIMES)),
            tokens: limits.tpm.map(Spending::of),
        };
        (limits != Limits::default()).then_some(window)
    }

    /// Counts one more request, if that keeps within the limits; else when it would.
    pub(super) fn admit(&self, now: Tick) -> Result<(), Tick> {
        if let Some(free) = self.tokens.as_ref().and_then(|spent| spent.room_from(now)) {
            return Err(free);
        }
        match &self.requests {
            Some(requests) => requests.admit(now),
            None => Ok(()),
        }
    }

    /// Whether tokens count.
    pub(super) const fn counts_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// Counts tokens that were used.
    pub(super) fn spend(&self, tokens: Tokens, now: Tick) {
        if let Some(spent) = &self.tokens {
            spent.add(tokens, now);
        }
    }
}

// === impl Requests ===

impl Requests {
    /// At most `rpm`, kept in at most so many times.
    fn of(rpm: u32, times: usize) -> Self {
        let limit = usize::try_from(rpm).unwrap_or(usize::MAX);
        Self {
            times: (0..limit.min(times)).map(|_| AtomicU64::new(0)).collect(),
            at: AtomicUsize::new(0),
            limit,
        }
    }

    /// Counts one more, or says when the oldest are a minute old.
    fn admit(&self, now: Tick) -> Result<(), Tick> {
        loop {
            let at = self.at.load(Ordering::Acquire);
            let Some((place, most)) = self.place(at) else {
                return Err(now.plus(MINUTE));
            };
            let held = place.load(Ordering::Acquire);
            if let Some(more) = Times::of(held).and_one(now, most) {
                let held = place.compare_exchange(
                    held,
                    more.packed(),
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                );
                if held.is_ok() {
                    return Ok(());
                }
                // Somebody else was counted.
                continue;
            }
            let next = (at + 1) % self.times.len();
            let oldest = self
                .times
                .get(next)
                .map_or(held, |oldest| oldest.load(Ordering::Acquire));
            let oldest = Times::of(oldest);
            if oldest.is_over(now) {
                // Where that fails somebody else has gone on.
                let _ = self
                    .at
                    .compare_exchange(at, next, Ordering::AcqRel, Ordering::Relaxed);
            } else if self.at.load(Ordering::Acquire) == at {
                return Err(oldest.last.plus(MINUTE));
            }
        }
    }

    /// One of the times, and the most requests that it may hold.
    fn place(&self, at: usize) -> Option<(&AtomicU64, u16)> {
        let most = self.limit.checked_div(self.times.len())?;
        let rest = self.limit.checked_rem(self.times.len())?;
        let most = u16::try_from(most + usize::from(at < rest));
        // So many are 4 million a second, and can as well be all.
        Some((self.times.get(at)?, most.unwrap_or(u16::MAX)))
    }
}

// === impl Times ===

impl Times {
    const fn of(packed: u64) -> Self {
        Self {
            last: Tick::from_micros(packed >> 16),
            count: (packed & 0xffff) as u16,
        }
    }

    const fn packed(self) -> u64 {
        self.last.micros() << 16 | self.count as u64
    }

    /// Whether they are all a minute old, or none.
    fn is_over(self, now: Tick) -> bool {
        self.count == 0 || now.since(self.last) >= MINUTE
    }

    /// With one more, of `most`.
    fn and_one(self, now: Tick, most: u16) -> Option<Self> {
        if self.is_over(now) {
            return Some(Self {
                last: now,
                count: 1,
            });
        }
        (self.count < most).then(|| Self {
            // Whoever read the clock earlier may come later.
            last: self.last.max(now),
            count: self.count + 1,
        })
    }
}

// === impl Spending ===

impl Spending {
    fn of(limit: u64) -> Self {
        Self {
            seconds: std::array::from_fn(|_| AtomicU64::new(0)),
            limit,
        }
    }

    /// Counts them with those of the second that ends next.
    fn add(&self, tokens: Tokens, now: Tick) {
        let second = now.micros().div_ceil(1_000_000);
        let (Some(place), round) = self.place(second) else {
            return;
        };
        // The function has always something to put.
        let _ = place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            Some(Second::of(held).and(tokens.get(), round).packed())
        });
    }

    /// When there are fewer tokens in the window than the limit; `None` is now.
    fn room_from(&self, now: Tick) -> Option<Tick> {
        let latest = now.micros().div_ceil(1_000_000);
        // The first that is not a minute old.
        let first = (now.micros() / 1_000_000 + 1).saturating_sub(MINUTE.as_secs());
        let mut sum = 0_u64;
        for second in (first..=latest).rev() {
            let (place, round) = self.place(second);
            let held = place.map(|place| Second::of(place.load(Ordering::Relaxed)));
            let Some(held) = held.filter(|held| held.round == round && held.tokens > 0) else {
                continue;
            };
            sum = sum.saturating_add(held.tokens);
            if sum >= self.limit {
                return Some(Tick::from_micros(second * 1_000_000).plus(MINUTE));
            }
        }
        None
    }

    /// Where a second is, and in which round.
    fn place(&self, second: u64) -> (Option<&AtomicU64>, u64) {
        let count = SECONDS as u64;
        let at = usize::try_from(second % count).unwrap_or_default();
        (self.seconds.get(at), (second / count) & Second::ROUNDS)
    }
}

// === impl Second ===

impl Second {
    const ROUNDS: u64 = (1 << 24) - 1;
    const TOKENS: u64 = (1 << 40) - 1;

    const fn of(packed: u64) -> Self {
        Self {
            round: packed >> 40,
            tokens: packed & Self::TOKENS,
        }
    }

    const fn packed(self) -> u64 {
        self.round << 40 | self.tokens
    }

    /// With more tokens. Those that come a round late count with the later ones.
    fn and(self, tokens: u64, round: u64) -> Self {
        let before = if self.round < round { 0 } else { self.tokens };
        Self {
            round: self.round.max(round),
            tokens: before.saturating_add(tokens).min(Self::TOKENS),
        }
    }
}

#[cfg(test)]
mod tests;
