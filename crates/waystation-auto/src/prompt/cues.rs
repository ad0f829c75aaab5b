//! Words and short phrases that tell of a kind of prompt, and how often a text has them. The lists
//! are data (`data/cues.txt`); what they tell is learned.

use std::{
    collections::{HashMap, HashSet},
    hash::BuildHasherDefault,
    sync::LazyLock,
};

use super::{
    slips::Slips,
    words::{Fnv, words},
};

/// How many cues there are.
pub(super) const CUES: usize = 65;
/// The longest phrase, in words.
const PHRASE: usize = 4;
/// Words of one prompt that are looked up as misspelt ones, at most: what is not prose is full of them.
const MISSPELT: usize = 96;

/// The lists.
static TABLE: LazyLock<Table> = LazyLock::new(Table::bundled);

/// A map by our own hash.
type Map<K, V> = HashMap<K, V, BuildHasherDefault<Fnv>>;

/// A phrase as the numbers of its words, 0 where it is shorter.
type Phrase = [u16; PHRASE];

/// The lists, as they are searched.
#[derive(Debug)]
struct Table {
    /// Of the cues, in their order.
    names: Vec<&'static str>,
    /// The number of every word of a phrase, and of every stop word; from 1 on.
    numbers: Map<&'static str, u16>,
    /// How many of them, the first, are stop words.
    stop: u16,
    /// Every phrase of every list, with the cues that it belongs to, as bits.
    phrases: Map<u64, u128>,
    /// The first words of longer phrases.
    begin: HashSet<u16, BuildHasherDefault<Fnv>>,
    /// Words that are nearly one of those.
    slips: Slips,
}

/// How often each cue was found, and the stop words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    cues: [u16; CUES],
    /// Words that tell running text.
    pub(crate) stop: usize,
}

/// A word of a text as the table numbers it; 0 is none.
#[derive(Clone, Copy, Debug, Default)]
struct Numbered {
    /// The word itself, or what it is nearly.
    own: u16,
    /// What it is the plural of.
    singular: u16,
}

// === impl Counts ===

impl Counts {
    /// Finds the cues of a text whose words stand at `places`.
    pub(crate) fn of(text: &str, places: &[(usize, usize)]) -> Self {
        let mut counts = Self {
            cues: [0; CUES],
            stop: 0,
        };
        let mut misspelt = MISSPELT;
        let word = |(from, to): &(usize, usize)| text.get(*from..*to).unwrap_or_default();
        let numbered: Vec<Numbered> = places
            .iter()
            .map(|place| TABLE.number(word(place), &mut misspelt))
            .collect();
        for (at, first) in numbered.iter().enumerate() {
            counts.stop += usize::from((1..=TABLE.stop).contains(&first.own));
            if first.own == 0 && first.singular == 0 {
                continue;
            }
            let mut phrase = Phrase::default();
            let longest = if TABLE.begin.contains(&first.own) {
                PHRASE
            } else {
                1
            };
            for (place, one) in numbered.iter().skip(at).take(longest).enumerate() {
                // A phrase may end in a plural that is not listed.
                let found = [one.own, one.singular].into_iter().filter(|one| *one > 0);
                let cues = found.map(|last| {
                    let mut whole = phrase;
                    whole
                        .iter_mut()
                        .skip(place)
                        .take(1)
                        .for_each(|to| *to = last);
                    TABLE
                        .phrases
                        .get(&packed(whole))
                        .copied()
                        .unwrap_or_default()
                });
                counts.add(cues.into_iter().find(|cues| *cues > 0).unwrap_or_default());
                if one.own == 0 {
                    break;
                }
                phrase
                    .iter_mut()
                    .skip(place)
                    .take(1)
                    .for_each(|to| *to = one.own);
            }
        }
        counts
    }

    /// Counts the cues of one phrase, each a bit.
    fn add(&mut self, mut cues: u128) {
        while cues != 0 {
            let cue = cues.trailing_zeros();
            cues &= cues - 1;
            if let Some(count) = usize::try_from(cue)
                .ok()
                .and_then(|cue| self.cues.get_mut(cue))
            {
                *count = count.saturating_add(1);
            }
        }
    }

    /// How often the cues of these names were found, in all.
    pub(crate) fn of_names(&self, names: &[&str]) -> u16 {
        let known = TABLE.names.iter().zip(&self.cues);
        let wanted = known.filter(|(name, _)| names.contains(name));
        wanted.fold(0_u16, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// All of them, in the order of the lists.
    pub(crate) const fn all(&self) -> &[u16; CUES] {
        &self.cues
    }
}

/// A phrase as one number.
fn packed(phrase: Phrase) -> u64 {
    let numbers = phrase.into_iter().map(u64::from);
    numbers.fold(0, |whole, number| (whole << 16) | number)
}

/// The names of the cues, in the order of the lists.
#[must_use]
pub fn cue_names() -> &'static [&'static str] {
    &TABLE.names
}

// === impl Table ===

impl Table {
    /// Reads the lists of this build.
    fn bundled() -> Self {
        let text = include_str!("../../data/cues.txt");
        let lists = text.lines().filter(|line| !line.starts_with('#'));
        let lists = lists.filter_map(|line| line.split_once(':'));
        let mut numbers = Map::default();
        let number = |numbers: &mut Map<&'static str, u16>, word| {
            let next = u16::try_from(numbers.len() + 1).unwrap_or(u16::MAX);
            *numbers.entry(word).or_insert(next)
        };
        let mut stop: Vec<&str> = words("stop").into_iter().collect();
        // The order of a set is not the same everywhere.
        stop.sort_unstable();
        for word in stop {
            number(&mut numbers, word);
        }
        let stop = u16::try_from(numbers.len()).unwrap_or_default();
        let (mut names, mut phrases, mut begin) = (Vec::new(), Map::default(), HashSet::default());
        for (at, (name, list)) in lists.enumerate() {
            names.push(name);
            for text in list.split(',').map(str::trim) {
                let mut phrase = Phrase::default();
                for (to, word) in phrase.iter_mut().zip(text.split(' ')) {
                    *to = number(&mut numbers, word);
                }
                if let [first, second, ..] = phrase
                    && second > 0
                {
                    begin.insert(first);
                }
                *phrases.entry(packed(phrase)).or_default() |= 1 << at;
            }
        }
        Self {
            slips: Slips::of(&numbers),
            names,
            numbers,
            stop,
            phrases,
            begin,
        }
    }

    /// The number of a word, of its singular, or else of the word that it is nearly; `left` says how many may
    /// still be looked up so.
    ///
    /// Most words of a prompt are in use and in no list: two lookups. Only words that nobody uses cost more.
    fn number(&self, word: &str, left: &mut usize) -> Numbered {
        let known = |word: &str| self.numbers.get(word).copied().unwrap_or_default();
        let (own, singular) = (known(word), word.strip_suffix('s').map_or(0, known));
        if own > 0 || singular > 0 || *left == 0 || !self.slips.is_strange(word) {
            return Numbered { own, singular };
        }
        *left -= 1;
        let one = word.strip_suffix('s');
        Numbered {
            own: self.slips.meant(word),
            singular: one.map_or(0, |one| self.slips.meant(one)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often the cue of a name is found.
    fn named(text: &str, name: &str) -> u16 {
        let mut places = Vec::new();
        let mut start = 0;
        for word in text.split(' ') {
            places.push((start, start + word.len()));
            start += word.len() + 1;
        }
        let counts = Counts::of(text, &places);
        let at = TABLE.names.iter().position(|known| *known == name);
        counts.all()[at.unwrap()]
    }

    #[test]
    fn the_lists_are_as_many_as_the_features() {
        assert_eq!(TABLE.names.len(), CUES);
        const { assert!(CUES <= 128) };
        let text = include_str!("../../data/cues.txt");
        let phrases = text.lines().filter(|line| !line.starts_with('#'));
        let phrases = phrases.flat_map(|line| line.split_once(':').unwrap().1.split(','));
        for phrase in phrases {
            assert!(phrase.trim().split(' ').count() <= PHRASE, "{phrase}");
        }
    }

    #[test]
    fn phrases_and_plurals_are_found() {
        let text = "write a function that finds primes";
        assert_eq!(named(text, "writecode"), 2);
        assert_eq!(named(text, "algebra"), 1);
        assert_eq!(named(text, "mail"), 0);
    }

    #[test]
    fn a_slip_of_the_pen_changes_no_cue() {
        for text in [
            "write a functoin that finds primes",
            "wrte a function that finds primess",
            "write a function thst finds pimes",
        ] {
            assert_eq!(named(text, "writecode"), 2, "{text}");
            assert_eq!(named(text, "algebra"), 1, "{text}");
        }
        // A word that is known is meant.
        assert_eq!(named("the price of a crime", "algebra"), 0);
    }
}
