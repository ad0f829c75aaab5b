//! What is remembered of one conversation, in three words that any number of threads write and read at once.
//! It knows numbers only: which endpoint has which, and where a slot lies, is its table's to know.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use waystation_core::{Tick, Tokens};

/// One conversation, or none.
///
/// Each word is written and read whole, but not the three together: who reads while others write may get
/// words of different conversations, or of different times. So the words are sealed: `seal` is made of
/// the other two and of the key, and words that do not belong together do not give it (they would by
/// chance, once in 2^64 times). The idea is that of Hyatt and Mann, "A lock-less transposition table
/// implementation for parallel search", ICGA Journal 2002.
#[derive(Debug, Default)]
pub(super) struct Slot {
    seal: AtomicU64,
    /// See [`Kept::what`].
    what: AtomicU64,
    /// See [`Kept::when`]; 0 in a slot that is empty.
    when: AtomicU64,
}

/// What a slot says of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// The number of the endpoint that served it.
    pub(super) endpoint: u16,
    /// Up to 2^48 - 2 of them.
    pub(super) cached: Option<Tokens>,
    /// From then on it is remembered, in milliseconds. 48 bits of them last for 8,900 years.
    from: u64,
    /// As long as this, in seconds.
    idle: u16,
}

/// Bits of the larger part of a word.
const WIDE: u32 = 48;
const WIDE_MASK: u64 = (1 << WIDE) - 1;

// === impl Slot ===

impl Slot {
    /// What it says of the conversation `key`, if that is the one it holds.
    pub(super) fn read(&self, key: u64) -> Option<Kept> {
        let (what, when) = (
            self.what.load(Ordering::Acquire),
            self.when.load(Ordering::Acquire),
        );
        let sealed = self.seal.load(Ordering::Acquire) == seal(key, what, when);
        (sealed && when != 0).then(|| Kept::of(what, when))
    }

    /// Holds the conversation `key` from now on.
    pub(super) fn write(&self, key: u64, kept: &Kept) {
        let (what, when) = (kept.what(), kept.when());
        self.seal.store(seal(key, what, when), Ordering::Release);
        self.what.store(what, Ordering::Release);
        self.when.store(when, Ordering::Release);
    }

    /// Holds nothing any more.
    pub(super) fn clear(&self) {
        self.when.store(0, Ordering::Release);
    }

    /// Whether it holds a conversation.
    pub(super) fn is_taken(&self) -> bool {
        self.when.load(Ordering::Acquire) != 0
    }

    /// Those whose time is over come before those that were not heard of for longest.
    pub(super) fn worth(&self, now: Tick) -> impl Ord + use<> {
        let when = self.when.load(Ordering::Acquire);
        (Kept::of(0, when).lasts(now), when)
    }
}

/// The word that holds the other two and the key together.
fn seal(key: u64, what: u64, when: u64) -> u64 {
    // Odd numbers, so that different words stay different. They spread what differs in a few bits over
    // all of them: without, a count in one word might make good for a time in the other.
    let spread = |word: u64, by: u64| word.wrapping_mul(by).rotate_left(32).wrapping_mul(by);
    key ^ spread(what, 0x9e37_79b9_7f4a_7c15) ^ spread(when, 0xc2b2_ae3d_27d4_eb4f)
}

// === impl Kept ===

impl Kept {
    /// To be remembered from `now` on, for whole seconds up to 18 hours.
    pub(super) fn new(
        endpoint: u16,
        cached: Option<Tokens>,
        (now, idle): (Tick, Duration),
    ) -> Self {
        Self {
            endpoint,
            cached,
            from: (now.micros() / 1_000) & WIDE_MASK,
            idle: u16::try_from(idle.as_secs()).unwrap_or(u16::MAX),
        }
    }

    /// Whether it is still remembered.
    pub(super) fn lasts(&self, now: Tick) -> bool {
        let since = (now.micros() / 1_000).saturating_sub(self.from);
        since < u64::from(self.idle) * 1_000
    }

    fn of(what: u64, when: u64) -> Self {
        let narrow = |word: u64| u16::try_from(word >> WIDE).unwrap_or_default();
        Self {
            endpoint: narrow(what),
            cached: (what & WIDE_MASK).checked_sub(1).map(Tokens::new),
            from: when >> u16::BITS,
            idle: u16::try_from(when & u64::from(u16::MAX)).unwrap_or_default(),
        }
    }

    /// The endpoint above, below it one more than what was cached, and 0 where that is not told.
    fn what(&self) -> u64 {
        let cached = self
            .cached
            .map_or(0, |cached| cached.get().saturating_add(1));
        (u64::from(self.endpoint) << WIDE) | cached.min(WIDE_MASK)
    }

    /// The beginning above, so that of two words the smaller is the older; below it how long it lasts.
    fn when(&self) -> u64 {
        (self.from << u16::BITS) | u64::from(self.idle)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Words that differ in few bits, and often in none: the hardest for a seal.
    fn near() -> impl Strategy<Value = (u64, Kept)> {
        let cached = prop::option::of((0..4_u64).prop_map(Tokens::new));
        (0..4_u64, 0..2_u16, cached, 0..4_u64, 600..604_u16).prop_map(
            |(key, endpoint, cached, from, idle)| {
                let kept = Kept {
                    endpoint,
                    cached,
                    from,
                    idle,
                };
                (key, kept)
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        /// Whichever words of three writers a reader gets, it takes them for one conversation only
        /// where they say what one of them wrote.
        #[test]
        fn words_that_do_not_belong_together_are_not_taken(
            writers in prop::array::uniform3(near()), key in 0..4_u64,
        ) {
            let [seal_of, what_of, when_of] = writers;
            let slot = Slot::default();
            slot.write(seal_of.0, &seal_of.1);
            slot.what.store(what_of.1.what(), Ordering::Relaxed);
            slot.when.store(when_of.1.when(), Ordering::Relaxed);
            let (of, kept) = seal_of;
            let whole = of == key && kept.what() == what_of.1.what() && kept.when() == when_of.1.when();
            prop_assert_eq!(slot.read(key), whole.then_some(kept));
        }

        #[test]
        fn what_is_written_is_read(
            key: u64, endpoint: u16, cached in prop::option::of(0..(1_u64 << 48) - 1), micros: u64, idle: u16,
        ) {
            let now = Tick::from_micros(micros);
            let idle = Duration::from_secs(u64::from(idle.max(1)));
            let kept = Kept::new(endpoint, cached.map(Tokens::new), (now, idle));
            let slot = Slot::default();
            prop_assert_eq!(slot.read(key), None);
            slot.write(key, &kept);
            prop_assert_eq!(slot.read(key), Some(kept));
            prop_assert_eq!(slot.read(key ^ 1), None);
            slot.clear();
            prop_assert_eq!(slot.read(key), None);
        }
    }

    #[test]
    fn more_than_there_is_room_for_is_cut() {
        let ages = (Tick::default(), Duration::from_secs(1_000_000));
        let slot = Slot::default();
        slot.write(1, &Kept::new(7, Some(Tokens::new(u64::MAX)), ages));
        let kept = slot.read(1).unwrap();
        assert_eq!((kept.endpoint, kept.idle), (7, u16::MAX));
        assert_eq!(kept.cached, Some(Tokens::new((1 << 48) - 2)));
    }
}
