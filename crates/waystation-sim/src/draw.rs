//! Chance without a random source: hashes and draws that depend on their arguments alone.
//!
//! Integer arithmetic only, so that every platform gives the same replies. Not for secrets.

/// A stream of numbers that its start decides (splitmix64).
///
/// Source: Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014.
#[derive(Clone, Debug)]
pub(crate) struct Draw(u64);

// === impl Draw ===

impl Draw {
    /// Starts at `seed`.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, any of 2^64.
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from `from` up to and with `to`; `from` when the range is empty.
    pub(crate) const fn within(&mut self, from: u64, to: u64) -> u64 {
        if to <= from {
            return from;
        }
        from + self.next() % (to - from + 1)
    }

    /// One of `choices`.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> Option<&'a T> {
        let at = usize::try_from(self.next() % u64::try_from(choices.len().max(1)).ok()?).ok()?;
        choices.get(at).copied()
    }
}

/// Folds `bytes` into `hash` (FNV-1a). Fields are kept apart by a closing byte that UTF-8 lacks.
pub(crate) fn fold(hash: u64, bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3);
    step(bytes.iter().copied().fold(hash, step), 0xFF)
}

/// The start of a hash: FNV's offset basis, moved by the seed.
pub(crate) const fn basis(seed: u64) -> u64 {
    Draw::new(seed ^ 0xCBF2_9CE4_8422_2325).next()
}
