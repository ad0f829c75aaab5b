//! Sets of words, and the hash that finds them. Which words those are is data (`data/words.txt`).

use std::{
    collections::HashSet,
    hash::{BuildHasherDefault, Hasher},
};

/// Words of one list.
pub(super) type WordSet = HashSet<&'static str, BuildHasherDefault<Fnv>>;

/// The hash of Fowler, Noll and Vo: quick for short words, the same on every platform. The lists are
/// fixed, so nobody can choose what collides in them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fnv(u64);

/// The list of this name; empty when there is none.
pub(super) fn words(name: &str) -> WordSet {
    let lines = include_str!("../../data/words.txt").lines();
    let mut lists = lines.filter_map(|line| line.split_once(':'));
    let list = lists.find(|(known, _)| *known == name);
    let words = list.into_iter().flat_map(|(_, words)| words.split(','));
    words.map(str::trim).collect()
}

// === impl Fnv ===

impl Default for Fnv {
    /// The offset basis of 64 bits.
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    /// The high bits are the better ones: some of them are folded onto the low.
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    /// Numbers at once. Both halves of the product count: of a number whose low bits are zeros, as those of single
    /// words among phrases are, the lower half tells nothing where tables look first.
    fn write_u64(&mut self, number: u64) {
        let whole = u128::from(self.0 ^ number) * 0x9e37_79b9_7f4a_7c15;
        let half = |of: u128| u64::try_from(of & u128::from(u64::MAX)).unwrap_or_default();
        self.0 = half(whole) ^ half(whole >> 64);
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table looks at the low bits of a hash first, and single words are told by the highest of a number.
    #[test]
    fn numbers_that_differ_in_high_bits_only_differ_in_the_low_bits_of_their_hash() {
        let low = |number: u64| {
            let mut hasher = Fnv::default();
            hasher.write_u64(number << 48);
            hasher.finish() & 0x7ff
        };
        let different: HashSet<u64> = (1..=1_000).map(low).collect();
        // Of 1,000 in 2,048 places by chance 790 are different.
        assert!(different.len() > 700, "{}", different.len());
    }

    #[test]
    fn the_lists_are_there() {
        assert!(words("polite").contains("thanks") && words("small").contains("i'm"));
        assert!(words("stop").contains("the") && words("nonsense").is_empty());
    }
}
