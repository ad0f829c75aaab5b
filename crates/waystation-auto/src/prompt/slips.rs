//! Words that are not spelt as they should be: which word of the lists one is nearly. Words that are in use are
//! never taken for others (`data/known.txt`).
//!
//! The method is that of symmetric deletion (Garbe, 2012): two words that differ in one letter have a rest in common
//! when the right letter of each is left out, so that a few lookups find what would else need a comparison with
//! every word.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasherDefault, Hasher as _},
};

use super::words::Fnv;

/// Words are looked up from so many letters on, and to so many.
const SHORTEST: usize = 3;
const LONGEST: usize = 16;

/// What misspelt words are found by.
#[derive(Debug)]
pub(super) struct Slips {
    /// Words in use.
    known: HashSet<&'static str, BuildHasherDefault<Fnv>>,
    /// Words of the lists, and what is left of each without one of its letters, as hashes, with the word's number. Two
    /// words that differ in one letter, or in the order of two, have such a rest in common.
    rests: HashMap<u64, u16, BuildHasherDefault<Fnv>>,
}

// === impl Slips ===

impl Slips {
    /// For words with their numbers; where two have a rest in common, the lower number has it.
    pub(super) fn of(numbers: &HashMap<&'static str, u16, BuildHasherDefault<Fnv>>) -> Self {
        let known = include_str!("../../data/known.txt").lines();
        let known = known.filter(|line| !line.starts_with('#'));
        let mut rests = HashMap::default();
        let mut all: Vec<(&str, u16)> = numbers.iter().map(|(word, at)| (*word, *at)).collect();
        all.sort_unstable_by_key(|(_, at)| *at);
        for (word, at) in all {
            if !is_looked_up(word) {
                continue;
            }
            rests.entry(hash(word, None)).or_insert(at);
            for left_out in 0..word.len() {
                rests.entry(hash(word, Some(left_out))).or_insert(at);
            }
        }
        Self {
            known: known.flat_map(str::split_whitespace).collect(),
            rests,
        }
    }

    /// Whether a word may be a slip: nobody uses it so.
    pub(super) fn is_strange(&self, word: &str) -> bool {
        is_looked_up(word) && !self.known.contains(word)
    }

    /// The number of the word that is meant, the lowest where it may be several; 0 is none.
    pub(super) fn meant(&self, word: &str) -> u16 {
        let find = |left_out| self.rests.get(&hash(word, left_out)).copied();
        let rests = (0..word.len()).filter_map(|at| find(Some(at)));
        find(None)
            .into_iter()
            .chain(rests)
            .min()
            .unwrap_or_default()
    }
}

/// Whether a word is all letters, and not too short to be told from others.
fn is_looked_up(word: &str) -> bool {
    (SHORTEST..=LONGEST).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// The hash of a word without one of its letters.
fn hash(word: &str, left_out: Option<usize>) -> u64 {
    let mut hasher = Fnv::default();
    let (before, after) = left_out
        .and_then(|at| word.as_bytes().split_at_checked(at))
        .unwrap_or((word.as_bytes(), &[]));
    hasher.write(before);
    hasher.write(after.get(1..).unwrap_or_default());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_with_one_slip_is_the_one_that_is_meant() {
        let numbers = [("probability", 1), ("therefore", 2), ("the", 3)];
        let slips = Slips::of(&numbers.into_iter().collect());
        for (word, meant) in [
            ("probabiilty", 1),
            ("probabilty", 1),
            ("probabillity", 1),
            ("prpbability", 1),
            ("therefor", 2),
            ("teh", 3),
            ("xylophone", 0),
            ("qq", 0),
        ] {
            assert_eq!(slips.meant(word), meant, "{word}");
        }
        assert!(slips.is_strange("probabilty") && !slips.is_strange("water"));
        assert!(!slips.is_strange("x2y") && !slips.is_strange("wörter"));
    }
}
