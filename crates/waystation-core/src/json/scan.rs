//! The checking pass and the skipping walk. No recursion, no allocation: open brackets are bits.

use memchr::{memchr, memchr2};

use super::{
    Json,
    ends::{EndsRef, Notes},
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

/// Checks that `bytes` is one JSON value and gives it back without surrounding white space. Where the
/// long values are goes to `notes`.
pub(super) fn check<'a>(
    bytes: &'a [u8],
    max_depth: u32,
    notes: Option<&mut Notes>,
) -> Result<&'a [u8], ScanError> {
    if let Err(error) = std::str::from_utf8(bytes) {
        return Err(ScanError::Utf8 {
            at: error.valid_up_to(),
        });
    }
    let mut scan = Scan {
        bytes,
        at: 0,
        depth: 0,
        objects: 0,
        max_depth: max_depth.min(MAX_DEPTH),
        notes,
    };
    scan.space();
    let start = scan.at;
    scan.document()?;
    let end = scan.at;
    scan.space();
    if scan.at < bytes.len() {
        return Err(ScanError::Expected {
            expected: "the end of the text",
            at: scan.at,
        });
    }
    Ok(bytes.get(start..end).unwrap_or_default())
}

struct Scan<'a, 'n> {
    bytes: &'a [u8],
    at: usize,
    depth: u32,
    /// Bit `n` is set when level `n` is an object.
    objects: u128,
    max_depth: u32,
    notes: Option<&'n mut Notes>,
}

impl Scan<'_, '_> {
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
            Some(b't') => self.literal(b"true").map(|()| false),
            Some(b'f') => self.literal(b"false").map(|()| false),
            Some(b'n') => self.literal(b"null").map(|()| false),
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| false),
            _ => self.expected("a value"),
        }
    }

    fn open(&mut self, object: bool) -> Result<(), ScanError> {
        if self.depth >= self.max_depth {
            return Err(ScanError::TooDeep {
                at: self.at,
                max: self.max_depth,
            });
        }
        let bit = 1_u128 << self.depth;
        self.objects = if object {
            self.objects | bit
        } else {
            self.objects & !bit
        };
        if let Some(notes) = &mut self.notes {
            notes.open(self.at);
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    /// After a value: closes what ends here; `true` when nothing is open any more.
    fn close(&mut self) -> Result<bool, ScanError> {
        while self.depth > 0 {
            self.space();
            let object = self.objects >> (self.depth - 1) & 1 == 1;
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
                    if let Some(notes) = &mut self.notes {
                        notes.close(self.at);
                    }
                }
                (_, true) => return self.expected("`,` or `}`"),
                (_, false) => return self.expected("`,` or `]`"),
            }
        }
        Ok(true)
    }

    fn key(&mut self) -> Result<(), ScanError> {
        if self.peek() != Some(b'"') {
            return self.expected("a quoted key");
        }
        self.string()?;
        self.space();
        if self.peek() != Some(b':') {
            return self.expected("`:`");
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

    fn string(&mut self) -> Result<(), ScanError> {
        let start = self.at;
        self.closing_quote()?;
        if let Some(notes) = &mut self.notes {
            notes.string(start, self.at);
        }
        Ok(())
    }

    fn closing_quote(&mut self) -> Result<(), ScanError> {
        self.at += 1;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            if let Some(run) = short_run(rest) {
                self.at += run;
                match rest.get(run) {
                    Some(b'"') => {
                        self.at += 1;
                        return Ok(());
                    }
                    Some(b'\\') => {
                        self.at += 1;
                        self.escape()?;
                        continue;
                    }
                    _ => return self.expected("an escaped control character"),
                }
            }
            let Some(run) = memchr2(b'"', b'\\', rest) else {
                return Err(ScanError::Ends {
                    at: self.bytes.len(),
                });
            };
            let plain = rest.get(..run).unwrap_or_default();
            // A fold without an early exit, so that the compiler makes vector code of it.
            if plain.iter().fold(false, |bad, byte| bad | (*byte < 0x20)) {
                let offset = plain
                    .iter()
                    .position(|byte| *byte < 0x20)
                    .unwrap_or_default();
                let at = self.at + offset;
                return Err(ScanError::Expected {
                    expected: "an escaped control character",
                    at,
                });
            }
            self.at += run + 1;
            if rest.get(run) == Some(&b'"') {
                return Ok(());
            }
            self.escape()?;
        }
    }

    fn escape(&mut self) -> Result<(), ScanError> {
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                for step in 1..=4 {
                    if !self
                        .bytes
                        .get(self.at + step)
                        .is_some_and(u8::is_ascii_hexdigit)
                    {
                        self.at += step;
                        return self.expected("four hexadecimal digits");
                    }
                }
                self.at += 5;
            }
            _ => return self.expected("a JSON escape"),
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

/// Steps over values of a checked text.
#[derive(Clone, Debug)]
pub(super) struct Walk<'a> {
    rest: &'a [u8],
    ends: EndsRef<'a>,
}

impl<'a> Walk<'a> {
    /// Starts inside `value` when it opens with `bracket`; walks nothing otherwise.
    pub(super) fn inside(value: &'a [u8], bracket: u8, ends: EndsRef<'a>) -> Self {
        let rest = match value.split_first() {
            Some((first, rest)) if *first == bracket => rest,
            _ => &[],
        };
        Self { rest, ends }
    }

    /// One of the values, with all that is known of it.
    pub(super) const fn json(&self, text: &'a [u8]) -> Json<'a> {
        Json {
            text,
            ends: self.ends,
        }
    }

    /// The next key or value, and past the `,` or `:` before it.
    pub(super) fn value(&mut self) -> Option<&'a [u8]> {
        let start = self
            .rest
            .iter()
            .position(|b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':'))?;
        let rest = self.rest.get(start..)?;
        let end = end_of_value(rest, self.ends)?;
        let (value, rest) = rest.split_at_checked(end)?;
        self.rest = rest;
        Some(value)
    }
}

/// The length of the checked value that `text` starts with; `None` at a closing bracket.
fn end_of_value(text: &[u8], ends: EndsRef<'_>) -> Option<usize> {
    match text.first()? {
        b'"' => ends.length(text).or_else(|| end_of_string(text, 0)),
        b'{' | b'[' => {
            if let Some(end) = ends.length(text) {
                return Some(end);
            }
            let mut depth = 0_usize;
            let mut at = 0;
            loop {
                at += next_structure(text.get(at..)?)?;
                match text.get(at)? {
                    b'"' => at = end_of_string(text, at)?,
                    b'{' | b'[' => {
                        depth += 1;
                        at += 1;
                    }
                    _ => {
                        depth -= 1;
                        at += 1;
                        if depth == 0 {
                            return Some(at);
                        }
                    }
                }
            }
        }
        b'}' | b']' => None,
        _ => Some(
            text.iter()
                .position(|b| matches!(b, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'))
                .unwrap_or(text.len()),
        ),
    }
}

/// The offset just behind the string that opens at `start`: behind the first quote before which an
/// even number of backslashes stands. Backslashes elsewhere are not looked at.
fn end_of_string(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += next_quote(text.get(at..)?)?;
        let before = text.get(start + 1..at)?.iter().rev();
        if before.take_while(|byte| **byte == b'\\').count() % 2 == 0 {
            return Some(at + 1);
        }
        at += 1;
    }
}

/// Most keys and many values are so short that calling for the vector search costs more than the search:
/// so many words are looked through first.
const WORDS: usize = 4;
const WORD: usize = size_of::<u64>();
const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = ONES << 7;

/// Marks the bytes of `word` that are `byte` with their highest bit. Right up to the first of them,
/// which is all that anybody asks for. Source: Hacker's Delight, section 6-1.
const fn equal(word: u64, byte: u8) -> u64 {
    let differs = word ^ (ONES * byte as u64);
    differs.wrapping_sub(ONES) & !differs & HIGHS
}

/// Marks control characters likewise.
const fn control(word: u64) -> u64 {
    word.wrapping_sub(ONES * 0x20) & !word & HIGHS
}

/// The first byte, among those that are looked through first, that `marks` marks.
fn among_first(text: &[u8], marks: impl Fn(u64) -> u64) -> Option<usize> {
    for (number, bytes) in text.chunks_exact(WORD).take(WORDS).enumerate() {
        let marked = marks(u64::from_le_bytes(bytes.try_into().ok()?));
        if marked != 0 {
            return Some(number * WORD + (marked.trailing_zeros() / 8) as usize);
        }
    }
    None
}

/// The length of the plain run that `text` starts with, when it is short: up to a quote, a backslash or
/// a control character.
fn short_run(text: &[u8]) -> Option<usize> {
    among_first(text, |word| {
        equal(word, b'"') | equal(word, b'\\') | control(word)
    })
}

/// The offset of the first quote or bracket.
fn next_structure(text: &[u8]) -> Option<usize> {
    // A bit sets `[` and `]` apart from `{` and `}`, and from quotes nothing that JSON has outside of
    // strings.
    const BRACE: u64 = ONES * 0x20;
    let marks = |word: u64| {
        let braced = word | BRACE;
        equal(word, b'"') | equal(braced, b'{') | equal(braced, b'}')
    };
    let is_structure = |byte: &u8| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']');
    let mut at = 0;
    while let Some(bytes) = text.get(at..).and_then(|rest| rest.first_chunk::<WORD>()) {
        let marked = marks(u64::from_le_bytes(*bytes));
        if marked != 0 {
            return Some(at + (marked.trailing_zeros() / 8) as usize);
        }
        at += WORD;
    }
    let rest = text.get(at..)?;
    rest.iter().position(is_structure).map(|found| at + found)
}

/// The offset of the first quote.
fn next_quote(text: &[u8]) -> Option<usize> {
    if let Some(at) = among_first(text, |word| equal(word, b'"')) {
        return Some(at);
    }
    let seen = (text.len() / WORD).min(WORDS) * WORD;
    memchr(b'"', text.get(seen..)?).map(|at| seen + at)
}
