//! Classes of characters, and how many tokens a run of one class comes to. It knows no vocabulary:
//! the figures are typical ones of vocabularies with 100,000 to 260,000 entries.

use wide::u8x16;

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
    /// The class of a character.
    pub(crate) fn of(c: char) -> Self {
        let ascii = usize::try_from(u32::from(c)).ok();
        match ascii.and_then(|c| ASCII.get(c)) {
            Some(class) => *class,
            None => Self::looked_at(c),
        }
    }

    /// The class of a character beyond the first 128.
    fn looked_at(c: char) -> Self {
        match c {
            '\u{c0}'..='\u{24f}' => Self::Latin,
            '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{20000}'..='\u{3ffff}' => {
                Self::Ideograph
            }
            c if c.is_alphabetic() => Self::Letter,
            _ => Self::Other,
        }
    }

    /// The class of one of the first 128.
    const fn of_ascii(byte: u8) -> Self {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'\'' => Self::Latin,
            b'0'..=b'9' => Self::Digit,
            b' ' | b'\t' => Self::Space,
            b'\n' | b'\r' => Self::Line,
            _ => Self::Other,
        }
    }
}

/// The classes of the first 128 characters: nearly all of most prompts.
const ASCII: [Class; 128] = {
    let mut classes = [Class::Other; 128];
    let mut byte = 0;
    while byte < 128 {
        #[expect(
            clippy::indexing_slicing,
            reason = "checked by the compiler: this runs at build"
        )]
        {
            classes[byte as usize] = Class::of_ascii(byte);
        }
        byte += 1;
    }
    classes
};

/// No fewer tokens than [`tokens_of_run`] makes of the text that `json` spells.
///
/// Every word counts one and a quarter of its letters, every space behind a space, and every other
/// character. An escape counts at least its backslash, as what it spells does at most. What is not looked at
/// any more, because even so it all comes to `enough` at most, counts its bytes.
///
/// Ordinary English comes to about twice its tokens, and text without words to its bytes. It is meant
/// for the question whether a long prompt can come near a limit at all. Where it can,
/// the text is counted.
pub(crate) fn at_most(json: &[u8], enough: u64) -> u64 {
    let mut sum = Sum::default();
    let Some(first) = json.first() else {
        return sum.tokens();
    };
    // What stands before a string is a quote.
    sum.one_by_one(&[b'"', *first]);
    let (vectors, _) = json.as_chunks::<LANES>();
    let behind = json.get(1..).unwrap_or_default();
    let (nexts, _) = behind.as_chunks::<LANES>();
    let mut unseen = json.len();
    for (vectors, nexts) in vectors.chunks(MOST).zip(nexts.chunks(MOST)) {
        let rest = u64::try_from(unseen).unwrap_or(u64::MAX);
        let most = sum.tokens().saturating_add(rest);
        if most <= enough {
            return most;
        }
        sum.many(vectors, nexts);
        unseen -= nexts.len() * LANES;
    }
    sum.one_by_one(json.get(nexts.len() * LANES..).unwrap_or_default());
    sum.tokens()
}

/// Bytes of a vector.
const LANES: usize = 16;
/// Vectors whose sums stay within the bytes of one.
const MOST: usize = 255;

/// What [`at_most`] has counted.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    /// Characters, but for letters behind letters and single spaces.
    counted: u64,
    letters: u64,
}

impl Sum {
    /// Counts the bytes of `text` behind its first.
    fn one_by_one(&mut self, text: &[u8]) {
        let letter = |byte: &u8| byte.is_ascii_alphabetic();
        for (before, byte) in text.iter().zip(text.iter().skip(1)) {
            let inside = letter(before) && letter(byte);
            let single = *byte == b' ' && *before != b' ';
            let rest = byte & 0xc0 == 0x80;
            self.counted += u64::from(!(inside || single || rest));
            self.letters += u64::from(letter(byte));
        }
    }

    /// The same of the bytes of `nexts`, where those of `vectors` stand before them.
    fn many(&mut self, vectors: &[[u8; LANES]], nexts: &[[u8; LANES]]) {
        let all = u8x16::splat;
        // Where a lane is one, so are all its bits: taking it away adds one.
        let letter = |bytes: u8x16| {
            let place = (bytes | all(0x20)) - all(b'a');
            place.min(all(25)).simd_eq(place)
        };
        let space = |bytes: u8x16| bytes.simd_eq(all(b' '));
        let (mut others, mut letters) = (all(0), all(0));
        for (vector, next) in vectors.iter().zip(nexts) {
            let (before, bytes) = (u8x16::new(*vector), u8x16::new(*next));
            let is_letter = letter(bytes);
            let inside = letter(before) & is_letter;
            let single = space(bytes) & !space(before);
            let rest = (bytes & all(0xc0)).simd_eq(all(0x80));
            others -= inside | single | rest;
            letters -= is_letter;
        }
        let sum = |lanes: u8x16| lanes.to_array().into_iter().map(u64::from).sum::<u64>();
        let seen = u64::try_from(nexts.len().min(vectors.len()) * LANES).unwrap_or_default();
        self.counted += seen - sum(others);
        self.letters += sum(letters);
    }

    const fn tokens(self) -> u64 {
        self.counted + self.letters / 4 + 1
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn vectors_count_what_bytes_one_by_one_come_to(
            text in "[ a-zA-Z0-9{\\[@`\\\\\"é漢]{0,60}", times in 0_usize..200,
        ) {
            let text = text.repeat(times).into_bytes();
            let mut sum = Sum::default();
            sum.one_by_one(&[b"\"".as_slice(), &text].concat());
            prop_assert_eq!(at_most(&text, 0), sum.tokens());
        }
    }
}
