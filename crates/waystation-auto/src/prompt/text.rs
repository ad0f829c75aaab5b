//! A prompt as the features see it: in lower case, white space collapsed, without the examples
//! before it and the talk around it. What it says is not understood.

mod talk;

use talk::{without_closings, without_openings};

/// Bytes looked at, at the start and at the end: what a prompt asks for stands there.
const HEAD: usize = 6_144;
const TAIL: usize = 2_048;
/// What an example, and a question, may end in, without its colon.
const ANSWER: &[u8] = b"answer";
/// What asks for an answer without words around it, where answers are given to choose from.
const ONLY: [&str; 7] = [
    "without explanation",
    "without explaining",
    "no explanation",
    "only the letter",
    "just the letter",
    "letter only",
    "single letter",
];
/// It stands among so many bytes at the end.
const TOLD: usize = 160;
/// A question is at least so long, in bytes.
const QUESTION: usize = 12;

/// The text that features are taken of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    /// Lower case, one space where white space was, bounded in length.
    pub(crate) plain: String,
    /// How long the whole question is, in bytes of collapsed text.
    pub(crate) bytes: usize,
    /// Three backquotes in a row.
    pub(crate) fences: u16,
    /// It ends where an answer is to be filled in, or asks for nothing else.
    pub(crate) brief: bool,
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
        let whole = without_closings(plain.trim());
        let asked = question(whole);
        // Behind an example there was another end.
        let asked = if asked.len() < whole.len() {
            without_closings(asked)
        } else {
            asked
        };
        let bare = without_openings(asked);
        let bytes = bare.len() + skipped;
        Self {
            brief: is_brief(whole, asked),
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

/// The last question, where answered examples stand before it, without the `answer:` that it ends in.
///
/// What stands behind the last `answer:` is the question only where it asks, or is as long as one: people add a
/// word of thanks there too.
fn question(text: &str) -> &str {
    let (mut start, mut before, mut longest) = (0, text, 0);
    for (from, to) in marks(text) {
        let part = text.get(start..from).unwrap_or_default();
        before = if start == 0 { part } else { unanswered(part) };
        longest = longest.max(before.len());
        start = to;
    }
    let after = unanswered(text.get(start..).unwrap_or_default());
    if start == 0 {
        text
    } else if after.len() >= QUESTION && (after.contains('?') || after.len() >= longest) {
        after.trim_end()
    } else {
        before.trim_end()
    }
}

/// Whether the last `answer:` is left open, or words say that nothing but the answer is wanted.
fn is_brief(whole: &str, asked: &str) -> bool {
    let rest = marks(whole).last().and_then(|(_, to)| whole.get(to..));
    let open = rest.is_some_and(|rest| rest.trim().len() < QUESTION);
    let told = asked.get(asked.ceil_char_boundary(asked.len().saturating_sub(TOLD))..);
    open || told.is_some_and(|told| ONLY.iter().any(|words| told.contains(words)))
}

/// What follows an example's own answer, which is one word.
fn unanswered(text: &str) -> &str {
    let text = text.trim_start();
    text.split_once([' ', '\n']).map_or("", |(_, rest)| rest)
}

/// Where `answer:` begins and ends, also with one letter wrong.
fn marks(text: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    text.match_indices(':').filter_map(|(at, _)| {
        let before = text.as_bytes().get(..at).unwrap_or_default();
        let letters = before.iter().rev().take(8);
        let count = letters
            .take_while(|byte| byte.is_ascii_alphabetic())
            .count();
        let word = before.get(at - count..).unwrap_or_default();
        is_nearly(word, ANSWER).then_some((at - count, at + 1))
    })
}

/// Whether two words differ in no more than one letter: another, one more, one fewer, or two swapped.
fn is_nearly(word: &[u8], wanted: &[u8]) -> bool {
    let same = word.iter().zip(wanted).take_while(|(a, b)| a == b).count();
    let rest = |word: &'_ [u8], skipped: usize| -> Vec<u8> {
        word.get(same + skipped..).unwrap_or_default().to_vec()
    };
    if word == wanted {
        return true;
    }
    if word.len().abs_diff(wanted.len()) > 1 {
        return false;
    }
    let swapped = || {
        let pair = |of: &[u8]| Some((*of.get(same)?, *of.get(same + 1)?));
        pair(word)
            .zip(pair(wanted))
            .is_some_and(|(a, b)| a == (b.1, b.0))
            && rest(word, 2) == rest(wanted, 2)
    };
    rest(word, 1) == rest(wanted, 1)
        || rest(word, 1) == rest(wanted, 0)
        || rest(word, 0) == rest(wanted, 1)
        || swapped()
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
            "My boss and I were talking about this at lunch and we had no idea. What is the capital of France?",
            "Okay, new topic - what is the capital of France?",
            "Hey there! Hope you're having a good day. I have a quick question for you: What is the capital of France?",
            "What is the capital of France? Thanks a lot in advance!",
            "What is the capital of France? Please take your time. Thank you so much!",
            "What is the capital of France? Take all the time that you need.",
            "What is the capital of France?\n\nBest regards,\nAnn",
        ] {
            assert_eq!(plain(other), bare, "{other}");
        }
    }

    #[test]
    fn what_is_asked_for_stays() {
        for whole in [
            "please translate this sentence to german.",
            "hello! help me write a function that adds two numbers.",
            "explain this to me: x = y",
            "what should i do?",
            "which is it?\na. this one\nb. i am not sure",
            "thanks",
            "hi",
            "hey there! hope you're well. i have a quick question: reply to this message and decline politely.",
            "my father is twice as old as my son, and i am 40. how old is my son?",
            "i have this problem: my code has a deadlock, please help me find it.",
        ] {
            let asked = whole.rsplit(['!', ':']).next().unwrap_or(whole).trim();
            assert!(
                plain(whole).contains(&asked.replace('\n', " ")),
                "{whole}: {}",
                plain(whole)
            );
        }
    }

    #[test]
    fn of_examples_only_the_last_question_counts() {
        let shots = "Who is taller?\nAnswer: Ann\n\nWho is older than the mayor?\nAnswer:";
        let last = "who is older than the mayor?";
        assert_eq!(plain(shots), last);
        // A slip of the pen, or a word of thanks, does not make another question the last.
        assert_eq!(plain(&shots.replacen("Answer", "Asnwer", 1)), last);
        assert_eq!(plain(&format!("{shots}\n\nSo long!")), last);
        assert_eq!(
            plain("Who is older than the mayor?\nAnwser: take your time!"),
            last
        );
    }

    #[test]
    fn words_that_are_nearly_another_differ_in_one_letter() {
        for near in ["answer", "asnwer", "anser", "annswer", "abswer", "answe"] {
            assert!(is_nearly(near.as_bytes(), ANSWER), "{near}");
        }
        for other in ["", "are", "asnwre", "answers's", "aswner"] {
            assert!(!is_nearly(other.as_bytes(), ANSWER), "{other}");
        }
    }

    #[test]
    fn long_prompts_are_bounded_at_both_ends() {
        let text = Text::of(&format!("start {} the end", "wörd ".repeat(10_000)));
        assert!(text.plain.len() <= HEAD + TAIL + 1);
        assert!(text.plain.starts_with("start") && text.plain.ends_with("the end"));
        assert!(text.bytes > 59_000);
    }
}
