//! The checking pass. No recursion, no allocation: open brackets are bits.

use memchr::memchr2;

use super::{outline::Outline, words::short_run};

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
        outline,
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
    outline: Option<&'n mut Outline>,
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
        let bit = 1_u128 << self.depth;
        self.objects = if object {
            self.objects | bit
        } else {
            self.objects & !bit
        };
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
        self.leaf(start);
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
