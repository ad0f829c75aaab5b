//! The talk around a question: greetings, thanks, and sentences that only say how the question came up. It
//! is told by its words (`data/words.txt`), not by phrases; what is asked is left alone.
//!
//! Why it matters: people put the same question in more words or fewer, and length and the share of small words are
//! among the figures that tell most of a prompt.

use std::{collections::HashMap, hash::BuildHasherDefault, sync::LazyLock};

use super::super::words::{Fnv, words};

/// The longest sentence of talk, in words, and how many there may be on one side.
const WORDS: usize = 30;
const SENTENCES: usize = 5;
/// No sentence of talk is longer, in bytes.
const BOUND: usize = 240;
/// What is left must be as long, in bytes.
const LEFT: usize = 8;
/// Signs that end a whole sentence.
const HARD: [char; 5] = ['.', '!', '?', ':', ';'];
/// Words that thank or ask when they stand alone at the end.
const THANKS: [&str; 5] = ["thanks", "thx", "ty", "cheers", "please"];
/// Talk about a question has one word in so many that is about something, at most.
const ABOUT: usize = 6;

/// What each word of talk is.
static CLASSES: LazyLock<HashMap<&'static str, Class, BuildHasherDefault<Fnv>>> =
    LazyLock::new(|| {
        let of = |(names, class): (&[&str], Class)| -> Vec<(&'static str, Class)> {
            let listed = names.iter().flat_map(|name| words(name));
            listed.map(|word| (word, class)).collect()
        };
        // Of a word in several lists, the last counts.
        let lists: [(&[&str], Class); 4] = [
            (&["small", "talk"], Class::Filling),
            (&["meta"], Class::Meta),
            (&["person"], Class::Person),
            (&["polite"], Class::Polite),
        ];
        lists.into_iter().flat_map(of).collect()
    });

/// A kind of words of talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// They greet, ask or thank.
    Polite,
    /// They say who talks to whom.
    Person,
    /// They are about the question, not about what it is about.
    Meta,
    /// Everything else that people say around a question.
    Filling,
}

/// The words of one sentence, counted by list.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    all: usize,
    polite: usize,
    person: usize,
    meta: usize,
    /// In none of the lists.
    about: usize,
}

/// On which side of the question a sentence stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

/// The text without sentences at its start that only greet, ask, or tell how the question came up.
///
/// A text that is nothing but a greeting stays: there is no rest.
pub(super) fn without_openings(text: &str) -> &str {
    let mut rest = text;
    for _ in 0..SENTENCES {
        let Some((_, more)) = opening(rest).filter(|(_, more)| more.trim().len() >= LEFT) else {
            break;
        };
        rest = more.trim_start();
    }
    rest
}

/// The first sentence, or so many of its parts from the start, where that is talk; and the rest.
///
/// Parts that are about nothing go with those that are talk: `so, here is one for you`.
fn opening(text: &str) -> Option<(&str, &str)> {
    let (mut start, mut cut) = (0, None);
    for (first, more) in starts(text) {
        let part = first.get(start..).unwrap_or_default();
        let talk = is_talk(part, Side::Before);
        if !talk && !Counts::of(part).is_filling() {
            break;
        }
        start = first.len();
        let ends = first.ends_with(HARD) || more.starts_with('\n');
        if talk || (ends && cut.is_some()) {
            cut = Some((first, more));
        }
        if ends {
            break;
        }
    }
    cut
}

/// The text without an end that only asks and thanks: whole sentences, or from a polite word on.
pub(super) fn without_closings(text: &str) -> &str {
    let mut rest = text;
    for _ in 0..SENTENCES {
        let thanks = |last: &str, first: bool| {
            let (line, name) = last.trim().split_once('\n').unwrap_or((last, ""));
            // A name may stand under a greeting.
            let signed = !name.is_empty() && Counts::of(last).is_signature();
            signed || (first && is_talk(line, Side::After))
        };
        let mut ends = last_sentences(rest).enumerate();
        let cut =
            ends.find(|(at, (more, last))| thanks(last, *at == 0) && more.trim().len() >= LEFT);
        match cut {
            Some((_, (more, _))) => rest = more.trim_end(),
            None => break,
        }
    }
    let start = rest.ceil_char_boundary(rest.len().saturating_sub(BOUND));
    let tail = rest.get(start..).unwrap_or_default();
    let starts = tail.match_indices([' ', '\n']).map(|(at, _)| at + 1);
    for at in starts {
        let thanks = tail.get(at..).unwrap_or_default();
        let mut letters = thanks.split(|symbol: char| !symbol.is_alphanumeric());
        let word = letters.next().unwrap_or_default();
        let polite = CLASSES.get(word) == Some(&Class::Polite);
        if !polite {
            continue;
        }
        let one = !thanks.trim_end_matches(ends_part).contains(HARD);
        let counts = Counts::of(thanks);
        // A single word at the end may be part of what is asked, such as `sure`.
        let enough = counts.all > 1 || THANKS.contains(&word);
        if one && enough && counts.is_courtesy(90) {
            return rest.get(..start + at).unwrap_or(rest).trim_end();
        }
    }
    rest
}

/// Signs after which a part of a sentence may end.
const fn ends_part(symbol: char) -> bool {
    matches!(symbol, '.' | '!' | '?' | ':' | ';' | ')' | '-' | ',')
}

/// The starts that may be parts of a sentence, each with the rest, the shortest first. A line's end ends one too.
fn starts(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let bounded = text
        .get(..text.floor_char_boundary(BOUND))
        .unwrap_or_default();
    let mut before = ' ';
    bounded.char_indices().filter_map(move |(at, symbol)| {
        let end = symbol == '\n' || (symbol == ' ' && ends_part(before));
        before = symbol;
        end.then(|| text.split_at_checked(at)).flatten()
    })
}

/// Everything before the last sentence, and that sentence; then the same with the one before it, so that a name
/// under a greeting goes with it.
fn last_sentences(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let start = text.ceil_char_boundary(text.len().saturating_sub(BOUND));
    let bounded = text.get(start..).unwrap_or_default();
    let mut after = ' ';
    let ends = bounded
        .char_indices()
        .rev()
        .filter_map(move |(at, symbol)| {
            let sign = matches!(symbol, '.' | '!' | '?' | ':') && after == ' ';
            let cut = start + at + 1;
            let end = symbol == '\n' || (sign && cut < text.len() && !is_letter(text, start + at));
            after = symbol;
            end.then(|| text.split_at_checked(cut)).flatten()
        });
    ends.take(2)
}

/// Whether what ends here is a single letter, as the answers to choose from have it.
fn is_letter(text: &str, at: usize) -> bool {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    matches!(before, [letter] | [.., b' ' | b'\n' | b'(', letter] if letter.is_ascii_alphabetic())
}

/// Whether a sentence says nothing of what is asked.
///
/// A question is talk only where it is polite and about nothing: `could you help me?`. Before the question, talk has a
/// word about the question itself; behind it, one about the people. Signs of formulas and of code are never talk.
fn is_talk(sentence: &str, side: Side) -> bool {
    if sentence.contains(['`', '{', '}', '=', '<', '>', '\\', '$', '_', '|']) {
        return false;
    }
    // An answer to choose says what it says.
    if let [_, b'.' | b')', ..] | [b'(', _, b')', ..] = sentence.trim_start().as_bytes() {
        return false;
    }
    let counts = Counts::of(sentence);
    if counts.all == 0 || counts.all > WORDS {
        return false;
    }
    let asks = sentence.trim_end().ends_with('?');
    let told = match side {
        _ if asks => counts.about == 0 && counts.polite > 0,
        Side::Before => counts.meta > 0 && counts.about * ABOUT <= counts.all,
        Side::After => counts.about == 0 && counts.person > 0 && counts.all >= 4,
    };
    told || counts.is_courtesy(80)
}

// === impl Counts ===

impl Counts {
    /// Counts the words; where too many are about something for talk, not all of them.
    fn of(sentence: &str) -> Self {
        let mut counts = Self::default();
        let words = sentence.split(|symbol: char| !(symbol.is_alphanumeric() || symbol == '\''));
        for word in words.filter(|word| !word.is_empty() && *word != "'") {
            counts.all += 1;
            match CLASSES.get(word) {
                Some(Class::Polite) => counts.polite += 1,
                Some(Class::Person) => counts.person += 1,
                Some(Class::Meta) => counts.meta += 1,
                Some(Class::Filling) => {}
                None => counts.about += 1,
            }
            if counts.about * ABOUT > WORDS + ABOUT || counts.all > WORDS {
                counts.all = counts.all.max(WORDS + 1);
                break;
            }
        }
        counts
    }

    /// One polite word, and of all the words at least `percent` of a hundred of the lists.
    const fn is_courtesy(self, percent: usize) -> bool {
        let listed = self.all - self.about;
        self.polite > 0 && self.all <= WORDS && listed * 100 >= self.all * percent
    }

    /// Nothing is said that is about anything.
    const fn is_filling(self) -> bool {
        self.about == 0
    }

    /// A polite word or more, and one that is in no list.
    const fn is_signature(self) -> bool {
        self.polite > 0 && self.about <= 1 && self.all <= 5
    }
}
