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
    // What stands before a string is a quote.
    let mut sum = Sum::default();
    let Some(first) = json.first() else {
        return sum.tokens();
    };
    sum.add(&[b'"', *first]);
    let mut rest = json;
    while let Some(piece) = rest.first_chunk::<PIECE>() {
        let unseen = u64::try_from(rest.len()).unwrap_or(u64::MAX);
        let most = sum.tokens().saturating_add(unseen);
        if most <= enough {
            return most;
        }
        sum.add(piece);
        rest = rest.get(PIECE - 1..).unwrap_or_default();
    }
    sum.add(rest);
    sum.tokens()
}

/// Pairs of bytes that are counted at once: their sums stay within a byte, which is what makes the
/// vectors wide, and no vector is left half full.
const PAIRS: usize = 240;
const PIECE: usize = PAIRS + 1;

/// What [`at_most`] has counted.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    /// Characters, but for letters behind letters and single spaces.
    counted: u64,
    letters: u64,
}

impl Sum {
    /// Counts the bytes of `piece` behind its first: at most [`PAIRS`]. Folds without branches, so that the
    /// compiler makes vector code of them where it knows how many there are.
    #[inline(always)]
    fn add(&mut self, piece: &[u8]) {
        let letter = |byte: u8| u8::from((byte | 0x20).wrapping_sub(b'a') < 26);
        let counts = |before: u8, byte: u8| {
            let inside = letter(before) & letter(byte);
            let single = u8::from(byte == b' ') & u8::from(before != b' ');
            let rest = u8::from(byte & 0xc0 == 0x80);
            1 - (inside | single | rest)
        };
        let bytes = piece.get(1..).unwrap_or_default();
        let pairs = piece.iter().zip(bytes);
        let counted: u8 = pairs.map(|(before, byte)| counts(*before, *byte)).sum();
        let letters: u8 = bytes.iter().map(|byte| letter(*byte)).sum();
        self.counted += u64::from(counted);
        self.letters += u64::from(letters);
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
