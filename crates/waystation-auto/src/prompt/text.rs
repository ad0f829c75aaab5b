//! A prompt as the features see it: in lower case, white space collapsed, without the examples
//! before it and the courtesies around it. What it says is not understood.

use std::sync::LazyLock;

use super::words::{WordSet, words};

/// Bytes looked at, at the start and at the end: what a prompt asks for stands there.
const HEAD: usize = 6_144;
const TAIL: usize = 2_048;
/// What an example, and a question, may end in.
const ANSWER: &str = "answer:";
/// The longest courtesy, in words, and how many there may be on one side.
const COURTESY_WORDS: usize = 26;
const COURTESIES: usize = 4;
/// No courtesy is longer, in bytes.
const BOUND: usize = 200;

/// Words that greet, ask or thank: a courtesy has one of them. And the small words that courtesies are
/// made of beside those.
static COURTEOUS: LazyLock<[WordSet; 2]> = LazyLock::new(|| ["polite", "small"].map(words));

/// The text that features are taken of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    /// Lower case, one space where white space was, bounded in length.
    pub(crate) plain: String,
    /// How long the whole question is, in bytes of collapsed text.
    pub(crate) bytes: usize,
    /// Three backquotes in a row.
    pub(crate) fences: u16,
}

// === impl Text ===

impl Text {
    /// Reads a prompt. Takes time in proportion to its length, most of it for the bounded ends.
    pub(crate) fn of(prompt: &str) -> Self {
        let (head, tail) = ends(prompt);
        let mut plain = String::with_capacity(head.len() + tail.len() + 1);
        collapse(head, &mut plain);
        if !tail.is_empty() {
            plain.push(' ');
            collapse(tail, &mut plain);
        }
        let skipped = prompt.len() - head.len() - tail.len();
        let fences = u16::try_from(plain.matches("```").count()).unwrap_or(u16::MAX);
        let asked = question(without_thanks(plain.trim()));
        let bare = without_greetings(without_thanks(asked));
        let bytes = bare.len() + skipped;
        Self {
            plain: bare.replace('\n', " "),
            bytes,
            fences,
        }
    }
}

/// The start and the end of a long text; a short one is all start.
fn ends(text: &str) -> (&str, &str) {
    if text.len() <= HEAD + TAIL {
        return (text, "");
    }
    let head = text.get(..text.floor_char_boundary(HEAD));
    let tail = text.get(text.ceil_char_boundary(text.len() - TAIL)..);
    (head.unwrap_or_default(), tail.unwrap_or_default())
}

/// Appends `text` in lower case, every run of white space as one space, or as the end of a line where
/// it has one.
fn collapse(text: &str, to: &mut String) {
    let mut space = None;
    for symbol in text.chars() {
        if symbol == '\n' {
            space = Some('\n');
        } else if symbol.is_whitespace() {
            space = space.or(Some(' '));
        } else {
            to.extend(space.take());
            to.push(symbol.to_ascii_lowercase());
        }
    }
}

/// The last question, where answered examples stand before it.
fn question(text: &str) -> &str {
    let open = text.strip_suffix(ANSWER).unwrap_or(text).trim_end();
    match open.rfind(ANSWER) {
        Some(at) => {
            let rest = open.get(at + ANSWER.len()..).unwrap_or_default();
            // The example's own answer is one word.
            let rest = rest.trim_start();
            let rest = rest.split_once([' ', '\n']).map_or(rest, |(_, rest)| rest);
            if rest.len() < 12 { open } else { rest }
        }
        None => open,
    }
}

/// The text without sentences at its start that only greet and ask.
///
/// A text that is nothing but a greeting stays: there is no rest.
fn without_greetings(text: &str) -> &str {
    let mut rest = text;
    for _ in 0..COURTESIES {
        match first_sentence(rest) {
            Some((first, more)) if is_courtesy(first, 80) => rest = more.trim_start(),
            _ => break,
        }
    }
    rest
}

/// The text without an end that only asks and thanks: whole sentences, or from a polite word on.
fn without_thanks(text: &str) -> &str {
    let mut rest = text;
    for _ in 0..COURTESIES {
        match last_sentence(rest) {
            Some((more, last)) if is_courtesy(last, 80) => rest = more.trim_end(),
            _ => break,
        }
    }
    let start = rest.ceil_char_boundary(rest.len().saturating_sub(BOUND));
    let tail = rest.get(start..).unwrap_or_default();
    let [polite, _] = &*COURTEOUS;
    let starts = tail.match_indices([' ', '\n']).map(|(at, _)| at + 1);
    for at in starts {
        let thanks = tail.get(at..).unwrap_or_default();
        let word = thanks
            .split(|symbol: char| !symbol.is_alphanumeric())
            .next();
        if word.is_some_and(|word| polite.contains(word)) && is_courtesy(thanks, 90) {
            return rest.get(..start + at).unwrap_or(rest).trim_end();
        }
    }
    rest
}

/// Signs after which a greeting may end.
const fn ends_sentence(symbol: char) -> bool {
    matches!(symbol, '.' | '!' | '?' | ':' | ';' | ')' | '-' | ',')
}

/// The first sentence and the rest, where there is a rest. A line's end ends a sentence too.
fn first_sentence(text: &str) -> Option<(&str, &str)> {
    let bounded = text.get(..text.floor_char_boundary(BOUND))?;
    let mut before = ' ';
    for (at, symbol) in bounded.char_indices() {
        if symbol == '\n' || (symbol == ' ' && ends_sentence(before)) {
            return text.split_at_checked(at);
        }
        before = symbol;
    }
    None
}

/// Everything before the last sentence, and that sentence.
fn last_sentence(text: &str) -> Option<(&str, &str)> {
    let start = text.ceil_char_boundary(text.len().saturating_sub(BOUND));
    let bounded = text.get(start..)?;
    let mut after = ' ';
    for (at, symbol) in bounded.char_indices().rev() {
        if symbol == '\n'
            || (matches!(symbol, '.' | '!' | '?' | ':')
                && after == ' '
                && start + at + 1 < text.len())
        {
            return text.split_at_checked(start + at + 1);
        }
        after = symbol;
    }
    None
}

/// Whether a sentence says nothing but courtesies: one polite word, and of all the words at least
/// `percent` of a hundred polite or small.
fn is_courtesy(sentence: &str, percent: usize) -> bool {
    let bare = |word: &str| -> bool { word.chars().any(char::is_alphanumeric) };
    let words = sentence
        .split(|symbol: char| !(symbol.is_alphanumeric() || symbol == '\''))
        .filter(|word| bare(word));
    let [polite, small] = &*COURTEOUS;
    let (mut all, mut greets, mut fills) = (0_usize, 0_usize, 0_usize);
    for word in words {
        all += 1;
        if polite.contains(word) {
            greets += 1;
        } else if small.contains(word) {
            fills += 1;
        }
    }
    greets > 0 && all <= COURTESY_WORDS && (greets + fills) * 100 >= all * percent
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(prompt: &str) -> String {
        Text::of(prompt).plain
    }

    #[test]
    fn courtesies_case_and_white_space_change_nothing() {
        let bare = plain("What is the capital of France?");
        for other in [
            "what is the capital of france?",
            "  What is \n\n the capital  of France?\n",
            "Hi there! I hope you are doing well. What is the capital of France?",
            "Hey, could you help me with this question: What is the capital of France?",
            "What is the capital of France? Thanks a lot in advance!",
            "What is the capital of France? Please take your time. Thank you so much!",
        ] {
            assert_eq!(plain(other), bare, "{other}");
        }
    }

    #[test]
    fn what_is_asked_for_stays() {
        for whole in [
            "please translate this sentence to german.",
            "hello! help me write a function that adds two numbers.",
            "thanks",
            "hi",
        ] {
            assert!(
                plain(whole).contains(whole.rsplit("! ").next().unwrap_or(whole)),
                "{whole}"
            );
        }
    }

    #[test]
    fn of_examples_only_the_last_question_counts() {
        let shots = "Who is taller?\nAnswer: Ann\n\nWho is older than the mayor?\nAnswer:";
        assert_eq!(plain(shots), "who is older than the mayor?");
    }

    #[test]
    fn long_prompts_are_bounded_at_both_ends() {
        let text = Text::of(&format!("start {} the end", "wörd ".repeat(10_000)));
        assert!(text.plain.len() <= HEAD + TAIL + 1);
        assert!(text.plain.starts_with("start") && text.plain.ends_with("the end"));
        assert!(text.bytes > 59_000);
    }
}
