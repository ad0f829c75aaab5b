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

    /// Numbers at once: they are hashes, or nearly.
    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
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

    #[test]
    fn the_lists_are_there() {
        assert!(words("polite").contains("thanks") && words("small").contains("i'm"));
        assert!(words("stop").contains("the") && words("nonsense").is_empty());
    }
}
