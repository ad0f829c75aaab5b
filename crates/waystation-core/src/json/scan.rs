//! The checking pass. No recursion, no allocation: open brackets are bits.

use super::block::{BLOCK, WIDE, WideMarks, odds};

/// How many levels of arrays and objects a text may open: one bit each in a `u128`.
pub const MAX_DEPTH: u32 = 128;

/// Why a text is not one JSON value, and at which byte that shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The text is not UTF-8.
    #[error("invalid UTF-8 at byte {at}")]
    Utf8 {
        /// Offset of the first bad byte.
        at: usize,
    },
    /// More levels are open than allowed.
    #[error("nested deeper than {max} levels at byte {at}")]
    TooDeep {
        /// Offset of the bracket that is one too many.
        at: usize,
        /// The limit.
        max: u32,
    },
    /// The text ends inside a value.
    #[error("the text ends early, at byte {at}")]
    Ends {
        /// The text's length.
        at: usize,
    },
    /// Something else was expected.
    #[error("expected {expected} at byte {at}")]
    Expected {
        /// What JSON allows there.
        expected: &'static str,
        /// Offset of what was found instead.
        at: usize,
    },
}

/// What is told where the values of a text stand, while it is checked.
pub(super) trait Notes {
    /// An array or object opens at `start`.
    fn open(&mut self, start: usize);
    /// The innermost one ends before `end`.
    fn close(&mut self, end: usize);
    /// A key, a string, a number or a word stands from `start` to before `end`.
    fn leaf(&mut self, start: usize, end: usize);
}

/// Nobody wants to know.
impl Notes for () {
    #[inline]
    fn open(&mut self, _: usize) {}
    #[inline]
    fn close(&mut self, _: usize) {}
    #[inline]
    fn leaf(&mut self, _: usize, _: usize) {}
}

/// Checks that `bytes` is one JSON value and gives it back without surrounding white space. Where its
/// values are goes to `notes`.
pub(super) fn check<'a>(bytes: &'a [u8], notes: &mut impl Notes) -> Result<&'a [u8], ScanError> {
    let mut scan = Scan {
        bytes,
        notes,
        wrong: None,
    };
    if let Ok(value) = scan.whole() {
        return Ok(value);
    }
    // Strings are checked as they are walked, and elsewhere only ASCII passes. What is wrong is told as if
    // the encoding had been checked first.
    Err(match std::str::from_utf8(bytes) {
        Ok(_) => scan.wrong.unwrap_or(ScanError::Ends { at: bytes.len() }),
        Err(error) => ScanError::Utf8 {
            at: error.valid_up_to(),
        },
    })
}

/// Where the string ends whose inside begins at `start`; none where it is not one.
pub(super) fn end_of_string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut scan = Scan {
        bytes,
        notes: &mut (),
        wrong: None,
    };
    scan.closing_quote(start).ok()?.checked_sub(1)
}

/// Whether `letter` makes an escape with nothing but the backslash before it.
#[inline]
fn is_simple(letter: u8) -> bool {
    const SIMPLE: [bool; 256] = {
        let mut table = [false; 256];
        let letters = *br#""\/bfnrt"#;
        let mut at = 0;
        while at < letters.len() {
            #[expect(
                clippy::indexing_slicing,
                reason = "checked by the compiler: this runs at build"
            )]
            {
                table[letters[at] as usize] = true;
            }
            at += 1;
        }
        table
    };
    SIMPLE.get(usize::from(letter)) == Some(&true)
}

/// A text that is checked. Where in it the check has come to is handed from step to step.
struct Scan<'a, 'n, N> {
    bytes: &'a [u8],
    notes: &'n mut N,
    /// Why the text is not JSON, once that is known.
    wrong: Option<ScanError>,
}

/// The text is not JSON: [`Scan::wrong`] says why. Kept apart, since what is handed from step to step must be
/// small.
struct Wrong;

/// The arrays and objects that are open.
#[derive(Default)]
struct Levels {
    depth: u32,
    /// The innermost one is an object.
    object: bool,
    /// A bit for each of those around it, the innermost lowest: set when it is an object.
    outer: u128,
}

// === impl Levels ===

impl Levels {
    #[inline]
    fn open(&mut self, object: bool) {
        self.outer = self.outer << 1 | u128::from(self.object);
        self.object = object;
        self.depth += 1;
    }

    #[inline]
    const fn close(&mut self) {
        self.object = self.outer & 1 == 1;
        self.outer >>= 1;
        self.depth -= 1;
    }
}

// === impl Scan ===

impl<'a, N: Notes> Scan<'a, '_, N> {
    /// The text's value, without the space around it.
    fn whole(&mut self) -> Result<&'a [u8], Wrong> {
        let (start, first) = self.next(0);
        let (end, behind) = self.document(start, first)?;
        if behind < self.bytes.len() {
            return self.expected("the end of the text", behind);
        }
        Ok(self.bytes.get(start..end).unwrap_or_default())
    }

    /// The byte at `at`; behind the text one that JSON has nowhere.
    #[inline]
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or_default()
    }

    /// The first byte from `at` on that is no white space, and where it stands.
    #[inline]
    fn next(&self, mut at: usize) -> (usize, u8) {
        loop {
            match self.byte(at) {
                b' ' | b'\t' | b'\n' | b'\r' => at += 1,
                byte => return (at, byte),
            }
        }
    }

    #[cold]
    fn fails<T>(&mut self, why: ScanError) -> Result<T, Wrong> {
        self.wrong = Some(why);
        Err(Wrong)
    }

    #[cold]
    fn expected<T>(&mut self, expected: &'static str, at: usize) -> Result<T, Wrong> {
        self.fails(if at >= self.bytes.len() {
            ScanError::Ends { at }
        } else {
            ScanError::Expected { expected, at }
        })
    }

    /// Values from `at` on, where `byte` stands, until the outermost one is closed: where it ends, and where
    /// the space behind it does.
    fn document(&mut self, mut at: usize, mut byte: u8) -> Result<(usize, usize), Wrong> {
        let mut levels = Levels::default();
        'values: loop {
            if levels.object {
                (at, byte) = self.key(at, byte)?;
            }
            let mut end = match byte {
                b'"' => self.string(at)?,
                b'{' | b'[' => {
                    if levels.depth >= MAX_DEPTH {
                        let max = MAX_DEPTH;
                        return self.fails(ScanError::TooDeep { at, max });
                    }
                    levels.open(byte == b'{');
                    self.notes.open(at);
                    // In ASCII what closes stands two behind what opens.
                    let closing = byte + 2;
                    (at, byte) = self.next(at + 1);
                    if byte != closing {
                        continue;
                    }
                    at
                }
                _ => self.scalar(at, byte)?,
            };
            // What ends behind the value is closed.
            (at, byte) = self.next(end);
            while levels.depth > 0 {
                match (byte, levels.object) {
                    (b',', _) => {
                        (at, byte) = self.next(at + 1);
                        continue 'values;
                    }
                    (b'}', true) | (b']', false) => {
                        end = at + 1;
                        levels.close();
                        self.notes.close(end);
                        (at, byte) = self.next(end);
                    }
                    (_, true) => return self.expected("`,` or `}`", at),
                    (_, false) => return self.expected("`,` or `]`", at),
                }
            }
            return Ok((end, at));
        }
    }

    /// The key that begins at `at` with `byte`, and its colon; where its value begins, and with what.
    #[inline]
    fn key(&mut self, at: usize, byte: u8) -> Result<(usize, u8), Wrong> {
        if byte != b'"' {
            return self.expected("a quoted key", at);
        }
        let end = self.string(at)?;
        match self.next(end) {
            (colon, b':') => Ok(self.next(colon + 1)),
            (other, _) => self.expected("`:`", other),
        }
    }

    /// A number or a word that begins at `start` with `byte`; where it ends.
    #[inline]
    fn scalar(&mut self, start: usize, byte: u8) -> Result<usize, Wrong> {
        let end = match byte {
            b'-' | b'0'..=b'9' => self.number(start, byte)?,
            b't' => self.literal(start, b"true")?,
            b'f' => self.literal(start, b"false")?,
            b'n' => self.literal(start, b"null")?,
            _ => return self.expected("a value", start),
        };
        self.notes.leaf(start, end);
        Ok(end)
    }

    #[inline]
    fn literal(&mut self, at: usize, word: &'static [u8]) -> Result<usize, Wrong> {
        let rest = self.bytes.get(at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return self.expected("a value", at);
        }
        Ok(at + word.len())
    }

    /// The string that begins at `start`; where it ends.
    #[inline]
    fn string(&mut self, start: usize) -> Result<usize, Wrong> {
        let inside = start + 1;
        let end = match self.short(inside) {
            Some(length) => inside + length + 1,
            None => self.closing_quote(inside)?,
        };
        self.notes.leaf(start, end);
        Ok(end)
    }

    /// The length of a string, from its `inside` on, that ends within two blocks and has nothing special
    /// in it: nearly all keys and many values.
    #[inline]
    fn short(&self, inside: usize) -> Option<usize> {
        let rest = self.bytes.get(inside..)?;
        let (first, rest) = rest.split_first_chunk::<BLOCK>()?;
        let odd = odds(first);
        if odd != 0 {
            let length = odd.trailing_zeros() as usize;
            return (first.get(length) == Some(&b'"')).then_some(length);
        }
        let second = rest.first_chunk::<BLOCK>()?;
        let length = odds(second).trailing_zeros() as usize;
        (second.get(length) == Some(&b'"')).then_some(BLOCK + length)
    }

    /// From the `inside` of a string to behind its closing quote.
    #[inline(never)]
    fn closing_quote(&mut self, inside: usize) -> Result<usize, Wrong> {
        let (mut begin, mut high) = (inside, 0);
        // How far an escape reaches into the next piece.
        let mut reach = 0;
        while let Some(rest) = self.bytes.get(begin..).filter(|rest| !rest.is_empty()) {
            let marks = match rest.first_chunk::<WIDE>() {
                Some(piece) => WideMarks::of(piece),
                None => WideMarks::of_tail(rest),
            };
            high |= marks.high;
            let mut special = marks.special & u64::MAX.checked_shl(reach).unwrap_or_default();
            reach = reach.saturating_sub(64);
            while special != 0 {
                let offset = special.trailing_zeros();
                let at = begin + offset as usize;
                let behind = match self.bytes.get(at..).unwrap_or_default() {
                    [b'\\', letter, ..] if is_simple(*letter) => offset + 2,
                    [b'\\', ..] => {
                        self.escape(at + 1)?;
                        offset + 6
                    }
                    [b'"', ..] => {
                        self.utf8(inside, at, high)?;
                        return Ok(at + 1);
                    }
                    _ => return self.expected("an escaped control character", at),
                };
                special &= u64::MAX.checked_shl(behind).unwrap_or_default();
                reach = reach.max(behind.saturating_sub(64));
            }
            begin += WIDE;
        }
        let at = self.bytes.len();
        self.fails(ScanError::Ends { at })
    }

    /// Whether the string from `start` to before `end` is UTF-8, which is not asked where nothing in it,
    /// or right behind it, is beyond ASCII.
    #[inline]
    fn utf8(&mut self, start: usize, end: usize, high: u64) -> Result<(), Wrong> {
        if high == 0 {
            return Ok(());
        }
        let string = self.bytes.get(start..end).unwrap_or_default();
        match std::str::from_utf8(string) {
            Ok(_) => Ok(()),
            Err(error) => {
                let at = start + error.valid_up_to();
                self.fails(ScanError::Utf8 { at })
            }
        }
    }

    /// Checks the longer escape whose backslash stands before `at`: six bytes with it.
    fn escape(&mut self, at: usize) -> Result<(), Wrong> {
        if self.bytes.get(at) != Some(&b'u') {
            return self.expected("a JSON escape", at);
        }
        for at in at + 1..at + 5 {
            if !self.bytes.get(at).is_some_and(u8::is_ascii_hexdigit) {
                return self.expected("four hexadecimal digits", at);
            }
        }
        Ok(())
    }

    /// The number that begins at `at` with `byte`; where it ends.
    #[inline]
    fn number(&mut self, mut at: usize, byte: u8) -> Result<usize, Wrong> {
        if byte == b'-' {
            at += 1;
        }
        at = match self.byte(at) {
            b'0' => at + 1,
            _ => self.digits(at)?,
        };
        if self.byte(at) == b'.' {
            at = self.digits(at + 1)?;
        }
        if matches!(self.byte(at), b'e' | b'E') {
            at += 1;
            if matches!(self.byte(at), b'+' | b'-') {
                at += 1;
            }
            at = self.digits(at)?;
        }
        Ok(at)
    }

    #[inline]
    fn digits(&mut self, start: usize) -> Result<usize, Wrong> {
        let mut at = start;
        while self.byte(at).is_ascii_digit() {
            at += 1;
        }
        if at == start {
            return self.expected("a digit", at);
        }
        Ok(at)
    }
}
