//! What can be counted in a prompt: lengths, shares of kinds of signs, answer options, cues. One pass
//! over a bounded text; nothing here knows what the figures are good for.

use super::{
    cues::{CUES, Counts},
    text::Text,
};
use crate::arithmetic::{log2, number, saturated};

/// Figures that are no cues.
pub(super) const MEASURES: usize = 35;
/// How many figures a prompt has.
pub const FEATURES: usize = MEASURES + CUES;

/// Cues of prompts that ask for care.
const DEMANDING: [&str; 4] = ["steps", "prove", "design", "testing"];

/// A prompt in figures.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figures {
    /// One figure a feature, none of them far from 0..10.
    pub(crate) values: [f32; FEATURES],
    /// How many words ask for care, saturated.
    pub(crate) demands: f32,
    /// Code stands in the prompt: fences, or signs that prose does not have.
    pub(crate) has_code: bool,
    /// Answers to choose from stand in the prompt, three or more.
    pub(crate) has_options: bool,
    /// A letter or a word is asked for, out of those that are given.
    pub(crate) brief: bool,
}

/// What the signs of a text come to.
#[derive(Debug, Default)]
struct Signs {
    /// `+ * = ^ < > /`.
    operators: usize,
    /// Opening round, and both kinds of other brackets.
    braces: usize,
    /// Backslashes, and dollars that begin a formula.
    latex: u16,
    /// Question marks.
    questions: u16,
    /// Bytes outside ASCII.
    foreign: usize,
    /// Commas.
    commas: usize,
    /// Ends of sentences.
    sentences: u16,
    /// Double quotes.
    quotes: u16,
    /// Runs of underscores, and underscores that stand alone: something to fill in.
    blanks: u16,
    /// Pairs of signs that programs have and prose has not.
    syntax: u16,
    /// Percent signs.
    percents: u16,
    /// Amounts of money.
    dollars: u16,
    /// Upright bars: tables, and parts of one question.
    bars: u16,
}

/// What its words come to.
#[derive(Debug, Default)]
struct Words {
    /// Where they stand.
    places: Vec<(usize, usize)>,
    /// Their lengths in all, in bytes.
    letters: usize,
    /// Words of at least eight bytes.
    long: usize,
    /// Words of at least eleven bytes.
    longest: usize,
    /// Different words, roughly.
    distinct: usize,
    /// Words that begin with a digit.
    numbers: u16,
    /// Numbers behind a decimal point.
    decimals: u16,
    /// The largest number, of at most nine digits.
    largest: f32,
    /// Numbered parts: a word before 1, and the same word before 2, and so on.
    parts: u16,
}

/// The answers that a prompt offers: `A. .. B. ..`.
#[derive(Debug, Default)]
struct Options {
    /// How many there are.
    count: u16,
    /// Where the first begins.
    start: Option<usize>,
    /// The length of the longest, in bytes.
    longest: usize,
    /// And of the shortest.
    shortest: usize,
    /// Those that begin with a digit.
    numeric: u16,
    /// Distinct words among all of their words; 1 without options.
    variety: f32,
    /// How many are marked by a full stop, and how many by two brackets: signs that are no part of the question.
    dotted: usize,
    bracketed: usize,
}

// === impl Figures ===

impl Figures {
    /// Counts. Takes time in proportion to the bounded text.
    pub(crate) fn of(text: &Text) -> Self {
        let plain = text.plain.as_str();
        let (words, signs) = (Words::of(plain), Signs::of(plain));
        let options = Options::of(plain, &words);
        let cues = Counts::of(plain, &words.places);
        let mut values = [0.0; FEATURES];
        let counted = (&words, cues.stop);
        let measures = measures(text, counted, &signs, &options);
        let counts = cues.all().iter().map(|count| saturated(*count));
        for (value, figure) in values.iter_mut().zip(measures.into_iter().chain(counts)) {
            *value = figure;
        }
        let has_code = text.fences > 0 || (signs.syntax > 3 && signs.braces > 3);
        Self {
            values,
            demands: saturated(cues.of_names(&DEMANDING)),
            has_code,
            has_options: options.count > 2,
            brief: text.brief && (options.count > 1 || signs.blanks > 0),
        }
    }
}

/// The figures that are no cues, in the order that the weights know: sizes as logarithms to base 2 (of
/// the question, its words, and of what stands before the options), shares of words and of bytes,
/// and counts that saturate.
///
/// None of them depends on letter case or on how much white space there is.
fn measures(
    text: &Text,
    (words, stop): (&Words, usize),
    signs: &Signs,
    options: &Options,
) -> [f32; MEASURES] {
    let length = text.plain.len();
    let stem = options.start.unwrap_or(length);
    let in_stem = words.places.iter().filter(|(at, _)| *at < stem).count();
    let count = words.places.len().max(1);
    let of_words = |part: usize| number(part) / number(count);
    let of_bytes = |part: usize| number(part * 20) / number(length.max(20));
    let sentences = usize::from(signs.sentences).saturating_sub(options.dotted);
    let sentences = number(sentences.max(1));
    let braces = signs.braces.saturating_sub(options.bracketed);
    let offered = f32::from(options.count.max(1));
    [
        log2(number(text.bytes + 1)),
        log2(number(count)),
        log2(number(stem + 1)),
        log2(number(in_stem + 1)),
        of_words(usize::from(words.numbers)),
        (number(words.letters) / number(count)).min(16.0),
        of_words(words.distinct),
        of_words(words.long),
        of_words(words.longest),
        of_words(stop),
        of_bytes(signs.operators).min(4.0),
        of_bytes(braces).min(4.0),
        saturated(signs.latex),
        saturated(signs.questions),
        f32::from(options.count.min(10)) / 4.0,
        log2(number((length - stem.min(length)) + 1) / offered),
        f32::from(options.numeric) / offered,
        log2(number(options.longest - options.shortest + 1)),
        log2(words.largest + 1.0).min(24.0) / 3.0,
        saturated(words.numbers),
        saturated(words.decimals),
        of_bytes(signs.foreign).min(4.0),
        of_words(signs.commas),
        log2(sentences),
        log2(number(in_stem + 1) / sentences),
        saturated(signs.quotes),
        saturated(signs.blanks),
        saturated(text.fences),
        saturated(signs.syntax),
        saturated(signs.percents),
        saturated(signs.dollars),
        number(length - stem.min(length)) / number(length.max(1)),
        options.variety,
        f32::from(words.parts.min(4)) / 4.0,
        saturated(signs.bars),
    ]
}

// === impl Signs ===

impl Signs {
    /// One pass over the bytes.
    fn of(text: &str) -> Self {
        let mut signs = Self::default();
        let (mut earlier, mut before, mut run) = (b' ', b' ', 0_u16);
        let add = |count: &mut u16| *count = count.saturating_add(1);
        for sign in text.bytes() {
            if is_blank(earlier, before, sign) {
                add(&mut signs.blanks);
            }
            run = if sign == before { run + 1 } else { 0 };
            match sign {
                b'+' | b'*' | b'=' | b'^' | b'<' | b'>' | b'/' => signs.operators += 1,
                b'{' | b'}' | b'[' | b']' | b'(' => signs.braces += 1,
                b'\\' => add(&mut signs.latex),
                b'?' => add(&mut signs.questions),
                b',' => signs.commas += 1,
                b'"' => add(&mut signs.quotes),
                b'%' => add(&mut signs.percents),
                b'|' => add(&mut signs.bars),
                b'_' if run == 1 => add(&mut signs.blanks),
                b' ' if matches!(before, b'.' | b'!' | b'?') => add(&mut signs.sentences),
                0x80.. => signs.foreign += 1,
                _ => {}
            }
            match (before, sign) {
                (b'$', b'0'..=b'9') => add(&mut signs.dollars),
                (b'$', b'\\' | b'a'..=b'z' | b'(') => add(&mut signs.latex),
                (b'(', b')') | (b'-', b'>') | (b':', b':') | (b'=', b'=') => add(&mut signs.syntax),
                (b';', _) | (b'_', b'a'..=b'z') => add(&mut signs.syntax),
                (b'{', b' ') | (b' ', b'{') | (b'=', b'>') => add(&mut signs.syntax),
                _ => {}
            }
            (earlier, before) = (before, sign);
            run = run.min(8);
        }
        if matches!(before, b'.' | b'!' | b'?') {
            add(&mut signs.sentences);
        }
        if is_blank(earlier, before, b' ') {
            add(&mut signs.blanks);
        }
        signs
    }
}

/// Whether the middle one of three signs is an underscore that stands where a word would.
const fn is_blank(before: u8, sign: u8, after: u8) -> bool {
    sign == b'_'
        && matches!(before, b' ' | b'"' | b'\'')
        && matches!(
            after,
            b' ' | b'.' | b',' | b';' | b':' | b'?' | b'!' | b'"' | b'\''
        )
}

// === impl Words ===

impl Words {
    /// One pass over the bytes: a word is letters and digits, with some signs within.
    fn of(text: &str) -> Self {
        let mut words = Self::default();
        let (mut start, mut seen) = (None, [0_u64; 16]);
        let within = |sign: u8| matches!(sign, b'\'' | b'-' | b'/' | b'+' | b'#' | b'&');
        for (at, sign) in text.bytes().chain([b' ']).enumerate() {
            let letter = sign.is_ascii_alphanumeric() || sign >= 0x80;
            match start {
                None if letter => start = Some(at),
                Some(from) if !letter && !within(sign) => {
                    words.add(text, (from, at), &mut seen);
                    start = None;
                }
                _ => {}
            }
        }
        words.distinct = distinct(&seen);
        words.parts = parts(text, &words.places);
        words
    }

    /// Takes one word in.
    fn add(&mut self, text: &str, (from, to): (usize, usize), seen: &mut [u64; 16]) {
        let word = text.get(from..to).unwrap_or_default();
        let word = word.trim_end_matches(['\'', '-', '/', '&']);
        self.places.push((from, from + word.len()));
        self.letters += word.len();
        if word.starts_with(|first: char| first.is_ascii_digit()) {
            self.number(text, word, from);
            return;
        }
        self.long += usize::from(word.len() >= 8);
        self.longest += usize::from(word.len() >= 11);
        note(word, seen);
    }

    /// Takes one number in.
    fn number(&mut self, text: &str, word: &str, from: usize) {
        self.numbers = self.numbers.saturating_add(1);
        let digits = word.bytes().take_while(u8::is_ascii_digit).take(9);
        let value = digits.fold(0.0, |value, digit| value * 10.0 + f32::from(digit - b'0'));
        self.largest = self.largest.max(value);
        let before = text.get(..from).unwrap_or_default().as_bytes();
        if let [.., b'0'..=b'9', b'.'] = before {
            self.decimals = self.decimals.saturating_add(1);
        }
    }
}

/// Notes a word among those seen, roughly: each sets one bit of 1,024.
fn note(word: &str, seen: &mut [u64; 16]) {
    let hash = word.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let bit = (hash ^ (hash >> 15)) % 1_024;
    if let Some(bits) = usize::try_from(bit / 64)
        .ok()
        .and_then(|at| seen.get_mut(at))
    {
        *bits |= 1 << (bit % 64);
    }
}

/// How many words were noted.
fn distinct(seen: &[u64; 16]) -> usize {
    let bits = seen.iter().map(|bits| bits.count_ones()).sum::<u32>();
    usize::try_from(bits).unwrap_or_default()
}

/// How many parts are numbered: `statement 1 .. statement 2 ..`.
fn parts(text: &str, places: &[(usize, usize)]) -> u16 {
    let word = |place: &(usize, usize)| text.get(place.0..place.1).unwrap_or_default();
    let (mut named, mut found) = ("", 0_u16);
    for (one, two) in places.iter().zip(places.iter().skip(1)) {
        let (one, two) = (word(one), word(two));
        let next = two.parse() == Ok(found + 1);
        if next && (found == 0 || one == named) && one.starts_with(|c: char| c.is_ascii_lowercase())
        {
            (named, found) = (one, found + 1);
        }
    }
    if found > 1 { found } else { 0 }
}

// === impl Options ===

impl Options {
    /// Options are single letters in their order, each before a full stop, a bracket or a colon,
    /// wherever they stand. One letter between two others may be missing, or written twice: a slip.
    fn of(text: &str, words: &Words) -> Self {
        let mut options = Self::default();
        let mut wanted = b'a';
        let (mut last, mut found) = (None, 0);
        let byte = |at: usize| text.as_bytes().get(at).copied().unwrap_or_default();
        for (from, to) in &words.places {
            let (letter, after) = (byte(*from), byte(*to));
            let twice = to - from == 2 && byte(from + 1) == letter;
            let next = (wanted..=wanted + 1).contains(&letter);
            if !(to - from == 1 || twice) || !next || letter > b'z' {
                continue;
            }
            match after {
                b'.' => options.dotted += usize::from(byte(to + 1) == b' '),
                b')' => options.bracketed += usize::from(byte(from.wrapping_sub(1)) == b'('),
                b':' => {}
                _ => continue,
            }
            if let Some(before) = last {
                options.close(text, before, *from);
            }
            options.start = options.start.or(Some(*from));
            last = Some(to + 1);
            options.count += u16::from(letter + 1 - wanted);
            wanted = letter + 1;
            found += 1;
        }
        match last {
            Some(before) if found > 1 => options.close(text, before, text.len()),
            _ => options = Self::default(),
        }
        options.variety = options
            .start
            .map_or(1.0, |start| variety(text, start, words));
        options
    }

    /// Takes in one option, which ends where the next begins.
    fn close(&mut self, text: &str, from: usize, to: usize) {
        let option = text.get(from..to).unwrap_or_default().trim();
        let first = option.trim_start_matches(['-', '$', '(']).bytes().next();
        self.numeric += u16::from(first.is_some_and(|first| first.is_ascii_digit()));
        let length = option.len();
        self.longest = self.longest.max(length);
        self.shortest = if self.shortest == 0 {
            length
        } else {
            self.shortest.min(length)
        };
    }
}

/// Distinct words from `start` on among all of them, single letters apart.
fn variety(text: &str, start: usize, words: &Words) -> f32 {
    let mut seen = [0; 16];
    let places = words.places.iter();
    let offered = places.filter(|(from, to)| *from >= start && to - from > 1);
    let mut count = 0;
    for (from, to) in offered {
        note(text.get(*from..*to).unwrap_or_default(), &mut seen);
        count += 1;
    }
    number(distinct(&seen)) / number(count.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(prompt: &str) -> Figures {
        Figures::of(&Text::of(prompt))
    }

    #[test]
    fn options_are_found_in_every_spelling() {
        for prompt in [
            "Which is red?\nA. blood\nB. grass\nC. snow",
            "which is red? (a) blood (b) grass (c) snow",
            "Which is red?\nA) blood\nB) grass\n\nC) snow",
        ] {
            let found = figures(prompt).values[14];
            assert!((found - 0.75).abs() < 1e-6, "{prompt}: {found}");
        }
        assert!(figures("Give me a. that is all").values[14].abs() < 1e-6);
    }

    #[test]
    fn every_prompt_has_figures_in_bounds() {
        let long = "x".repeat(100_000);
        let signs = "{}".repeat(9_000);
        for prompt in [
            "",
            " ",
            "?",
            "ß",
            "\u{0}",
            "a.",
            "$$$$",
            &long,
            &signs,
            "___ __ _",
            "9".repeat(60).as_str(),
        ] {
            for (at, value) in figures(prompt).values.into_iter().enumerate() {
                assert!(
                    value.is_finite() && (-1.0..=32.0).contains(&value),
                    "{at}: {value} of {prompt:.9}"
                );
            }
        }
    }

    #[test]
    fn a_blank_is_an_underscore_where_a_word_would_stand_or_a_run_of_them() {
        let blanks = |prompt: &str| figures(prompt).values[26];
        for prompt in [
            "She left because _ was tired.",
            "_ was tired",
            "it was a _",
            "tides are ____ twice a day",
            "they call it \"_\".",
        ] {
            assert!((blanks(prompt) - 0.5).abs() < 1e-6, "{prompt}");
        }
        for prompt in [
            "a snake_case name",
            "x_1 + x_{2}",
            "\\sum_{i} a",
            "self._x = y",
        ] {
            assert!(blanks(prompt) < 1e-6, "{prompt}");
        }
    }

    #[test]
    fn code_is_told_by_its_signs() {
        assert!(figures("```\nx\n```").has_code);
        assert!(figures("fn main() { let x = a_b(); println!(); foo::bar(); [1][2] }").has_code);
        assert!(!figures("What is (in short) the capital of Peru?").has_code);
    }
}
