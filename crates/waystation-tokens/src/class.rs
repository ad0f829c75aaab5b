//! Classes of characters, and how many tokens a run of one class comes to. It knows no vocabulary:
//! the figures are typical ones of vocabularies with 100,000 to 260,000 entries.

/// What a character counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Letters of the Latin script.
    Latin,
    /// Decimal digits.
    Digit,
    /// Spaces and tabs.
    Space,
    /// Line ends.
    Line,
    /// Chinese, Japanese and Korean characters.
    Ideograph,
    /// Letters of other alphabets.
    Letter,
    /// Everything else: punctuation, symbols, emoji, control characters.
    Other,
}

// === impl Class ===

impl Class {
    pub(crate) fn of(c: char) -> Self {
        match c {
            'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\'' => Self::Latin,
            '0'..='9' => Self::Digit,
            ' ' | '\t' => Self::Space,
            '\n' | '\r' => Self::Line,
            '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{20000}'..='\u{3ffff}' => {
                Self::Ideograph
            }
            c if c.is_alphabetic() => Self::Letter,
            _ => Self::Other,
        }
    }
}

/// The tokens of a run of `length` characters of one class, rather too few than too many.
///
/// Words of up to twelve letters are mostly one token with the space before them; longer ones, and
/// letters without words in them, are cut about every four. Digits are cut in threes. Runs of
/// white space and of punctuation are merged.
pub(crate) const fn tokens_of_run(class: Class, length: u64) -> u64 {
    match class {
        Class::Latin => 1 + length.saturating_sub(12).div_ceil(4),
        Class::Digit => length.div_ceil(3),
        Class::Space if length == 1 => 0,
        Class::Space | Class::Line => length.div_ceil(16),
        Class::Ideograph => (length * 3).div_ceil(5),
        Class::Letter => length.div_ceil(5),
        Class::Other => 1 + (length - 1) / 8,
    }
}
