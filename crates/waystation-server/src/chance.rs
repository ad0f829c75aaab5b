//! Random numbers for seeds and ids. No secrets: who sees some of a thread's numbers can work out others.

use std::{
    cell::Cell,
    hash::{BuildHasher as _, RandomState},
};

/// Steps through all numbers by an odd stride, and mixes each. Source: Steele, Lea and Flood, "Fast
/// splittable pseudorandom number generators", 2014; the mixing is their variant 13 (Stafford).
#[derive(Clone, Copy, Debug)]
struct Series {
    at: u64,
    /// Odd, so that no number comes again before all have come.
    stride: u64,
}

thread_local! {
    /// A series of each thread's own: nothing is shared among cores, and no two threads walk alike.
    static SERIES: Cell<Series> = Cell::new(Series::begin());
}

/// The next number of this thread.
pub(crate) fn draw() -> u64 {
    SERIES.with(|series| {
        let mut next = series.get();
        let number = next.draw();
        series.set(next);
        number
    })
}

// === impl Series ===

impl Series {
    /// One that nobody has seen: the standard library's keys for hashes come from the system.
    fn begin() -> Self {
        let keys = RandomState::new();
        Self {
            at: keys.hash_one(0),
            stride: keys.hash_one(1) | 1,
        }
    }

    fn draw(&mut self) -> u64 {
        self.at = self.at.wrapping_add(self.stride);
        let mixed = (self.at ^ (self.at >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn numbers_are_those_of_the_published_generator() {
        // By its authors' stride, from 1234567: Vigna's splitmix64.c, as others have checked it.
        let mut series = Series {
            at: 1_234_567,
            stride: 0x9e37_79b9_7f4a_7c15,
        };
        let first = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(first.map(|_| series.draw()), first);
    }

    #[test]
    fn no_number_comes_twice_in_any_thread() {
        let thread = || std::thread::spawn(|| (0..10_000).map(|_| draw()).collect::<Vec<_>>());
        let threads = [thread(), thread(), thread()];
        let drawn = threads.map(|thread| thread.join().unwrap());
        let all: HashSet<u64> = drawn.iter().flatten().copied().collect();
        assert_eq!(all.len(), 30_000);
        // Each bit is set in about half of them.
        for bit in 0..64 {
            let set = all.iter().filter(|number| *number >> bit & 1 == 1).count();
            assert!((14_500..15_500).contains(&set), "bit {bit}: {set}");
        }
    }
}
