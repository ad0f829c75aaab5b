//! Words and short phrases that tell of a kind of prompt, and how often a text has them. The lists
//! are data (`data/cues.txt`); what they tell is learned.

use std::{collections::HashMap, hash::BuildHasherDefault, sync::LazyLock};

use super::words::Fnv;

/// How many cues there are.
pub(super) const CUES: usize = 65;
/// The longest phrase, in words.
const PHRASE: usize = 4;

/// The lists.
static TABLE: LazyLock<Table> = LazyLock::new(Table::bundled);

/// Phrases, with the cues that they belong to, as bits.
type Phrases = HashMap<&'static str, u128, BuildHasherDefault<Fnv>>;

/// The lists, as they are searched.
#[derive(Debug)]
struct Table {
    /// Of the cues, in their order.
    names: Vec<&'static str>,
    /// Every phrase of every list.
    phrases: Phrases,
}

/// How often each cue was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counts([u16; CUES]);

// === impl Counts ===

impl Counts {
    /// Finds the cues of a text whose words stand at `words`.
    pub(crate) fn of(text: &str, words: &[(usize, usize)]) -> Self {
        let mut counts = Self([0; CUES]);
        for (at, (start, _)) in words.iter().enumerate() {
            for (_, end) in words.iter().skip(at).take(PHRASE) {
                let phrase = text.get(*start..*end).unwrap_or_default();
                counts.add(TABLE.cues(phrase));
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
                .and_then(|cue| self.0.get_mut(cue))
            {
                *count = count.saturating_add(1);
            }
        }
    }

    /// How often the cues of these names were found, in all.
    pub(crate) fn of_names(&self, names: &[&str]) -> u16 {
        let known = TABLE.names.iter().zip(&self.0);
        let wanted = known.filter(|(name, _)| names.contains(name));
        wanted.fold(0_u16, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// All of them, in the order of the lists.
    pub(crate) const fn all(&self) -> &[u16; CUES] {
        &self.0
    }
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
        let mut table = Self {
            names: Vec::new(),
            phrases: Phrases::default(),
        };
        for (at, (name, phrases)) in lists.enumerate() {
            table.names.push(name);
            for phrase in phrases.split(',').map(str::trim) {
                *table.phrases.entry(phrase).or_default() |= 1 << at;
            }
        }
        table
    }

    /// The cues of one phrase, in the singular if not as it stands.
    fn cues(&self, phrase: &str) -> u128 {
        let known = |phrase: &str| self.phrases.get(phrase).copied();
        let singular = || phrase.strip_suffix('s').and_then(known);
        known(phrase).or_else(singular).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_as_many_as_the_features() {
        assert_eq!(TABLE.names.len(), CUES);
        const { assert!(CUES <= 128) };
        assert!(
            TABLE
                .phrases
                .keys()
                .all(|phrase| phrase.split(' ').count() <= PHRASE)
        );
    }

    #[test]
    fn phrases_and_plurals_are_found() {
        let text = "write a function that finds primes";
        let mut words = Vec::new();
        for word in text.split(' ') {
            let start = text.find(word).unwrap();
            words.push((start, start + word.len()));
        }
        let counts = Counts::of(text, &words);
        let named = |name| {
            let at = TABLE.names.iter().position(|known| *known == name);
            counts.all()[at.unwrap()]
        };
        assert_eq!(named("writecode"), 2);
        assert_eq!(named("algebra"), 1);
        assert_eq!(named("mail"), 0);
    }
}
