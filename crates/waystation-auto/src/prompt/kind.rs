//! Kinds of prompts whose length means different things, told by figures alone. What each kind is worth to
//! the difficulty is a rule of the weights.

use super::features::{FEATURES, MEASURES};
use crate::arithmetic::{log2, saturated};

/// Places of figures: measures first.
const BYTES: usize = 0;
const OPERATORS: usize = 10;
const BRACES: usize = 11;
const LATEX: usize = 12;
const OPTIONS: usize = 14;
const OPTION_BYTES: usize = 15;
const NUMERIC: usize = 16;
const NUMBERS: usize = 19;
const SENTENCES: usize = 23;
const BLANKS: usize = 26;
const FENCES: usize = 27;
const SYNTAX: usize = 28;
const VARIETY: usize = 32;
/// Then cues.
const HOW_MANY: usize = MEASURES + 2;
const PROVE: usize = MEASURES + 5;
const CHANCE: usize = MEASURES + 6;
const ALGEBRA: usize = MEASURES + 7;
const CODE: usize = MEASURES + 31;

/// A prompt with a blank is short below so many bits of its length, and two options are below so many each.
const SHORT: f32 = 10.0;
const SHORT_OPTION: f32 = 5.0;

/// More than five options, as that figure has them.
const MANY: f32 = 1.3;

/// Options combine the same words where at most so many of their words are different: a sixth surely, two
/// fifths no more.
const COMBINED: f32 = 0.17;
const VARIED: f32 = 0.4;

/// A story has so many bits more of length than of quantities, usually.
const LONGER: f32 = 5.4;

/// Kinds of prompts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A story with numbers, to be gone through step by step; no answers to choose from.
    Story,
    /// Code that is shown.
    Code,
    /// Formulas in TeX, or mathematics in words; no answers to choose from.
    Formulas,
    /// A sentence or two with a blank, or two short answers, one of which fits.
    Cloze,
    /// A question with three to five answers to choose from.
    Choice,
    /// A question with more answers than examinations have, so that a guess is worth little.
    ManyChoices,
    /// Anything else.
    Open,
}

// === impl Kind ===

impl Kind {
    /// Of a prompt's figures. Where the text says that it is about code, signs of code are no formulas; two answers
    /// to choose from are often none, but names before a colon.
    pub(crate) fn of(figures: &[f32; FEATURES]) -> Self {
        let figure = |at: usize| figures.get(at).copied().unwrap_or_default();
        let chosen = figure(OPTIONS) > 0.6;
        let code = is_code(figure);
        match figure(LATEX) > 0.0 {
            _ if figure(OPTIONS) > MANY => Self::ManyChoices,
            _ if chosen => Self::Choice,
            true if code && figure(CODE) >= saturated(2) => Self::Code,
            true => Self::Formulas,
            false if code => Self::Code,
            false if is_cloze(figure) => Self::Cloze,
            false if is_story(figure) => Self::Story,
            false if is_mathematics(figure) => Self::Formulas,
            false => Self::Open,
        }
    }

    /// How long a prompt of the kind is, in bits: of a story, the middle of that and of how many quantities are in it. Each
    /// says how many steps there are.
    pub(crate) fn length(self, figures: &[f32; FEATURES]) -> f32 {
        let figure = |at: usize| figures.get(at).copied().unwrap_or_default();
        match self {
            Self::Story => {
                // One more than there are, from how the count is saturated.
                let quantities = 1.0 / (1.0 - figure(NUMBERS)).max(1e-3);
                (figure(BYTES) + log2(quantities) + LONGER) / 2.0
            }
            _ => figure(BYTES),
        }
    }

    /// How far the answers of a choice combine the same few words, from 0 to 1: `true, false`, `rises, falls`.
    /// Numbers have few words too, and combine nothing.
    pub(crate) fn combined(self, figures: &[f32; FEATURES]) -> f32 {
        let figure = |at: usize| figures.get(at).copied().unwrap_or_default();
        let alike = ((VARIED - figure(VARIETY)) / (VARIED - COMBINED)).clamp(0.0, 1.0);
        match self {
            Self::Choice => alike * (1.0 - figure(NUMERIC)).max(0.0),
            _ => 0.0,
        }
    }
}

/// Fences, or brackets among the signs of programs, or some such sign where code is spoken of.
fn is_code(figure: impl Fn(usize) -> f32) -> bool {
    figure(FENCES) > 0.0
        || (figure(SYNTAX) >= saturated(2) && figure(BRACES) > 0.2)
        || (figure(SYNTAX) >= saturated(1) && figure(CODE) >= saturated(3))
}

/// Something to fill in, or two answers of a word or two.
fn is_cloze(figure: impl Fn(usize) -> f32) -> bool {
    let two = figure(OPTIONS) > 0.0 && figure(OPTION_BYTES) < SHORT_OPTION;
    figure(BYTES) < SHORT && (two || figure(BLANKS) > 0.0)
}

/// Two sentences with two numbers, or with one where a number is asked for.
fn is_story(figure: impl Fn(usize) -> f32) -> bool {
    let counted = figure(NUMBERS) >= saturated(1) && figure(HOW_MANY) > 0.0;
    figure(SENTENCES) >= 1.0 && (counted || figure(NUMBERS) >= saturated(2))
}

/// Words of mathematics beside a number or an operator.
fn is_mathematics(figure: impl Fn(usize) -> f32) -> bool {
    [ALGEBRA, PROVE, CHANCE]
        .into_iter()
        .any(|cue| figure(cue) > 0.0)
        && (figure(NUMBERS) > 0.0 || figure(OPERATORS) > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::{cue_names, figures};

    #[test]
    fn the_cues_are_those_of_their_names() {
        for (at, name) in [
            (HOW_MANY, "howmany"),
            (PROVE, "prove"),
            (CHANCE, "chance"),
            (ALGEBRA, "algebra"),
            (CODE, "code"),
        ] {
            assert_eq!(cue_names()[at - MEASURES], name);
        }
    }

    #[test]
    fn kinds_are_told_by_signs_and_words() {
        for (prompt, kind) in [
            (
                "Ann has 12 apples. She gives away 5. How many are left?",
                Kind::Story,
            ),
            (
                "Ann bakes 2 cakes every day. How many does she bake in June?",
                Kind::Story,
            ),
            (
                "def f(x):\n    y = [x]; z = {}\n    return g(y, z)\nassert f([1]) == ??",
                Kind::Code,
            ),
            (
                "Here is a Python function. What does this function return? def f(x): return x.split('\\n') == []",
                Kind::Code,
            ),
            (
                "Find $\\frac{a}{b}$ when $a = 3$ and $b = 4$. Simplify.",
                Kind::Formulas,
            ),
            (
                "What is the sum of all primes between 10 and 50?",
                Kind::Formulas,
            ),
            (
                "Ann has 12 apples. She eats 5. How many are left?\nA. 7\nB. 8\nC. 9",
                Kind::Choice,
            ),
            (
                "The trophy did not fit in the suitcase because _ was too large.",
                Kind::Cloze,
            ),
            (
                "Ann was late and Tom was early, so _ waited.\nOption 1: Ann\nOption 2: Tom",
                Kind::Cloze,
            ),
            ("Which is heavier?\nA) iron\nB) wood", Kind::Cloze),
            (
                "Tides are ____ twice a day.\nA. high\nB. hot\nC. red\nD. old",
                Kind::Choice,
            ),
            (
                "Which sum is even?\nA. 1+2\nB. 2+3\nC. 3+4\nD. 4+5\nE. 5+6\nF. 7+7",
                Kind::ManyChoices,
            ),
            ("Write a short poem about the rain.", Kind::Open),
        ] {
            assert_eq!(Kind::of(&figures(prompt)), kind, "{prompt}");
        }
    }

    #[test]
    fn answers_that_combine_the_same_words_are_told_from_others() {
        let of = |prompt: &str| {
            let figures = figures(prompt);
            Kind::of(&figures).combined(&figures)
        };
        for (options, wanted) in [
            ("A. Yes, yes\nB. Yes, no\nC. No, yes\nD. No, no", 0.65),
            (
                "A. Both rise\nB. Both fall\nC. Zinc does, iron never\nD. One of them melts",
                0.0,
            ),
            (
                "A. Prices rise and wages fall\nB. Prices fall and wages rise\nC. Prices and wages rise\nD. Prices and wages fall",
                0.5,
            ),
            ("A. Iron\nB. Zinc\nC. Copper\nD. Lead", 0.0),
            ("A. 12\nB. 14\nC. 14\nD. 12", 0.0),
            ("A. Yes\nB. No", 0.0),
        ] {
            let found = of(&format!(
                "Claim 1: zinc is a metal. Claim 2: iron rusts.\n{options}"
            ));
            assert!((found - wanted).abs() < 0.1, "{options}: {found}");
        }
    }
}
