//! The checking pass. No recursion, no allocation: open brackets are bits.

use super::{
    block::{BLOCK, Marks, WIDE, WideMarks},
    outline::Outline,
};

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

/// Checks that `bytes` is one JSON value and gives it back without surrounding white space. Where its
/// values are goes to `outline`.
pub(super) fn check<'a>(
    bytes: &'a [u8],
    max_depth: u32,
    outline: Option<&mut Outline>,
) -> Result<&'a [u8], ScanError> {
    let mut scan = Scan {
        bytes,
        at: 0,
        depth: 0,
        objects: 0,
        max_depth: max_depth.min(MAX_DEPTH),
        outline,
    };
    // Strings are checked as they are walked, and elsewhere only ASCII passes. What is wrong is told as if
    // the encoding had been checked first.
    scan.whole()
        .map_err(|error| match std::str::from_utf8(bytes) {
            Ok(_) => error,
            Err(error) => ScanError::Utf8 {
                at: error.valid_up_to(),
            },
        })
}

/// Where the string ends whose inside begins at `start`; none where it is not one.
pub(super) fn end_of_string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut scan = Scan {
        bytes,
        at: start,
        depth: 0,
        objects: 0,
        max_depth: 0,
        outline: None,
    };
    scan.closing_quote().ok()?;
    scan.at.checked_sub(1)
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

struct Scan<'a, 'n> {
    bytes: &'a [u8],
    at: usize,
    depth: u32,
    /// A bit for each open level, the innermost lowest: set when it is an object.
    objects: u128,
    max_depth: u32,
    outline: Option<&'n mut Outline>,
}

impl<'a> Scan<'a, '_> {
    /// The text's value, without the space around it.
    fn whole(&mut self) -> Result<&'a [u8], ScanError> {
        self.space();
        let start = self.at;
        self.document()?;
        let end = self.at;
        self.space();
        if self.at < self.bytes.len() {
            return self.expected("the end of the text");
        }
        Ok(self.bytes.get(start..end).unwrap_or_default())
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expected<T>(&self, expected: &'static str) -> Result<T, ScanError> {
        if self.at >= self.bytes.len() {
            return Err(ScanError::Ends { at: self.at });
        }
        Err(ScanError::Expected {
            expected,
            at: self.at,
        })
    }

    /// Values until the outermost one is closed.
    fn document(&mut self) -> Result<(), ScanError> {
        loop {
            self.space();
            let opened = self.value()?;
            if opened {
                continue;
            }
            if self.close()? {
                return Ok(());
            }
        }
    }

    /// One value; `true` when it opened a level that still wants a value.
    fn value(&mut self) -> Result<bool, ScanError> {
        match self.peek() {
            Some(b'{') => {
                self.open(true)?;
                self.space();
                if self.peek() == Some(b'}') {
                    return Ok(false);
                }
                self.key()?;
                Ok(true)
            }
            Some(b'[') => {
                self.open(false)?;
                self.space();
                Ok(self.peek() != Some(b']'))
            }
            Some(b'"') => self.string().map(|()| false),
            _ => self.scalar().map(|()| false),
        }
    }

    /// A number or a word.
    fn scalar(&mut self) -> Result<(), ScanError> {
        let start = self.at;
        match self.peek() {
            Some(b't') => self.literal(b"true")?,
            Some(b'f') => self.literal(b"false")?,
            Some(b'n') => self.literal(b"null")?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => return self.expected("a value"),
        }
        self.leaf(start);
        Ok(())
    }

    /// Notes what stands from `start` to here.
    fn leaf(&mut self, start: usize) {
        if let Some(outline) = &mut self.outline {
            outline.leaf(start, self.at);
        }
    }

    fn open(&mut self, object: bool) -> Result<(), ScanError> {
        if self.depth >= self.max_depth {
            return Err(ScanError::TooDeep {
                at: self.at,
                max: self.max_depth,
            });
        }
        self.objects = self.objects << 1 | u128::from(object);
        if let Some(outline) = &mut self.outline {
            outline.open(self.at);
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    /// After a value: closes what ends here; `true` when nothing is open any more.
    fn close(&mut self) -> Result<bool, ScanError> {
        while self.depth > 0 {
            self.space();
            let object = self.objects & 1 == 1;
            match (self.peek(), object) {
                (Some(b','), true) => {
                    self.at += 1;
                    self.space();
                    self.key()?;
                    return Ok(false);
                }
                (Some(b','), false) => {
                    self.at += 1;
                    return Ok(false);
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.at += 1;
                    self.depth -= 1;
                    self.objects >>= 1;
                    if let Some(outline) = &mut self.outline {
                        outline.close(self.at);
                    }
                }
                (_, true) => return self.expected("`,` or `}`"),
                (_, false) => return self.expected("`,` or `]`"),
            }
        }
        Ok(true)
    }

    #[inline]
    fn key(&mut self) -> Result<(), ScanError> {
        if self.peek() != Some(b'"') {
            return self.expected("a quoted key");
        }
        self.string()?;
        if self.peek() != Some(b':') {
            self.space();
            if self.peek() != Some(b':') {
                return self.expected("`:`");
            }
        }
        self.at += 1;
        Ok(())
    }

    fn literal(&mut self, word: &'static [u8]) -> Result<(), ScanError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return self.expected("a value");
        }
        self.at += word.len();
        Ok(())
    }

    #[inline]
    fn string(&mut self) -> Result<(), ScanError> {
        let start = self.at;
        self.at += 1;
        if let Some(length) = self.short() {
            self.at += length + 1;
        } else {
            self.closing_quote()?;
        }
        self.leaf(start);
        Ok(())
    }

    /// The length of what is left of a string that ends within two blocks and has nothing special in it:
    /// nearly all keys and many values.
    #[inline]
    fn short(&self) -> Option<usize> {
        let rest = self.bytes.get(self.at..)?;
        let (first, rest) = rest.split_first_chunk::<BLOCK>()?;
        let marks = Marks::of(first);
        if marks.special | marks.high != 0 {
            let length = marks.special.trailing_zeros() as usize;
            return (marks.high == 0 && first.get(length) == Some(&b'"')).then_some(length);
        }
        let second = rest.first_chunk::<BLOCK>()?;
        let marks = Marks::of(second);
        let length = marks.special.trailing_zeros() as usize;
        (marks.high == 0 && second.get(length) == Some(&b'"')).then_some(BLOCK + length)
    }

    /// From the inside of a string to behind its closing quote.
    #[inline(never)]
    fn closing_quote(&mut self) -> Result<(), ScanError> {
        let (start, mut begin, mut high) = (self.at, self.at, 0);
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
                        self.at = at + 1;
                        return self.utf8(start, at, high);
                    }
                    _ => {
                        self.at = at;
                        return self.expected("an escaped control character");
                    }
                };
                special &= u64::MAX.checked_shl(behind).unwrap_or_default();
                reach = reach.max(behind.saturating_sub(64));
            }
            begin += WIDE;
        }
        Err(ScanError::Ends {
            at: self.bytes.len(),
        })
    }

    /// Whether the string from `start` to before `end` is UTF-8, which is not asked where nothing in it,
    /// or right behind it, is beyond ASCII.
    #[inline]
    fn utf8(&self, start: usize, end: usize, high: u32) -> Result<(), ScanError> {
        if high == 0 {
            return Ok(());
        }
        let string = self.bytes.get(start..end).unwrap_or_default();
        match std::str::from_utf8(string) {
            Ok(_) => Ok(()),
            Err(error) => Err(ScanError::Utf8 {
                at: start + error.valid_up_to(),
            }),
        }
    }

    /// Checks the longer escape whose backslash stands before `at`: six bytes with it.
    fn escape(&mut self, at: usize) -> Result<(), ScanError> {
        if self.bytes.get(at) != Some(&b'u') {
            self.at = at;
            return self.expected("a JSON escape");
        }
        for at in at + 1..at + 5 {
            if !self.bytes.get(at).is_some_and(u8::is_ascii_hexdigit) {
                self.at = at;
                return self.expected("four hexadecimal digits");
            }
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), ScanError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), ScanError> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start {
            self.expected("a digit")
        } else {
            Ok(())
        }
    }
}
