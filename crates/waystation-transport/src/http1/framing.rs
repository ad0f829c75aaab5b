//! Where the body of a message of HTTP/1.1 ends, and what of the bytes that arrive belongs to it: for
//! replies of upstreams here, and for requests of clients in the server. Pure; strict where doubt would
//! let one message be read as two.
//!
//! Source: RFC 9112, sections 6 and 7.

use bytes::{Buf as _, Bytes, BytesMut};
use http::StatusCode;

/// How the rest of a body is told from what follows.
#[derive(Debug, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// In chunks; this is the state between reads.
    Chunked(Chunk),
    /// Everything until the connection is closed.
    UntilClose,
    /// Nothing is left.
    Done,
}

/// Where in a chunked body the next byte stands.
#[derive(Debug, PartialEq, Eq)]
pub enum Chunk {
    /// In the line that tells a chunk's size.
    Size,
    /// In a chunk of which so many bytes are left.
    Data(u64),
    /// In the line break behind a chunk.
    Break,
    /// In the lines behind the last chunk, of which so many bytes have been read.
    Trailers(usize),
}

/// What a head says of its body, taken down header by header.
#[derive(Clone, Copy, Debug, Default)]
pub struct Announced {
    length: Option<u64>,
    coding: Option<Coding>,
}

/// What `transfer-encoding` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    /// `chunked`, once and alone.
    Chunked,
    /// Anything else.
    Other,
}

/// Why bytes are no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// `content-length` is no number, or there are two different ones.
    #[error("content-length is not one number")]
    Length,
    /// `transfer-encoding` does not end in `chunked` alone.
    #[error("transfer-encoding is not `chunked`")]
    Coding,
    /// A request says in two ways how long its body is.
    #[error("content-length and transfer-encoding are both there")]
    Both,
    /// A chunk's size is no hexadecimal number, or too large.
    #[error("a chunk's size is not a number")]
    Size,
    /// Something else stands where a line ends.
    #[error("a chunk does not end where it says")]
    Break,
    /// The lines behind the last chunk, or one that tells a size, never end.
    #[error("a line between chunks is too long")]
    Line,
}

/// The longest line between chunks, and the most trailers, in bytes.
pub const MAX_LINE: usize = 8 * 1024;

/// Whether a head may end in `input`, of which `seen` bytes were gone through before. Quick, so that a head
/// which comes in small pieces is not read from its beginning with each.
#[must_use]
pub fn may_end(input: &[u8], seen: usize) -> bool {
    let fresh = input.get(seen.saturating_sub(3)..).unwrap_or(input);
    fresh.windows(2).any(|two| two == b"\n\n") || fresh.windows(3).any(|three| three == b"\n\r\n")
}

// === impl Framing ===

impl Framing {
    /// How the body of a reply is framed whose head announced this, and whether the connection may be used
    /// again behind it as far as that tells.
    ///
    /// # Errors
    /// [`FramingError`] when two readers could see two different bodies.
    pub fn of(status: StatusCode, announced: Announced) -> Result<(Self, bool), FramingError> {
        let Announced { length, coding } = announced;
        if matches!(status.as_u16(), 100..=199 | 204 | 304) {
            // Nothing may follow such a head. Where something was announced, it is not waited for.
            let nothing = coding.is_none() && length.is_none_or(|length| length == 0);
            return Ok((Self::Done, nothing));
        }
        match coding {
            // With both, the coding counts, and nothing is trusted behind it.
            Some(Coding::Chunked) => return Ok((Self::Chunked(Chunk::Size), length.is_none())),
            Some(Coding::Other) => return Err(FramingError::Coding),
            None => {}
        }
        Ok(match length {
            Some(0) => (Self::Done, true),
            Some(length) => (Self::Length(length), true),
            None => (Self::UntilClose, false),
        })
    }

    /// How the body of a request is framed whose head announced this. Without a word of it there is none.
    ///
    /// # Errors
    /// [`FramingError`] when two readers could see two different bodies.
    pub fn of_request(announced: Announced) -> Result<Self, FramingError> {
        match (announced.coding, announced.length) {
            (Some(_), Some(_)) => Err(FramingError::Both),
            (Some(Coding::Other), None) => Err(FramingError::Coding),
            (Some(Coding::Chunked), None) => Ok(Self::Chunked(Chunk::Size)),
            (None, None | Some(0)) => Ok(Self::Done),
            (None, Some(length)) => Ok(Self::Length(length)),
        }
    }

    /// Whether the body is complete.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// How many bytes are known to be still to come, at least.
    #[must_use]
    pub const fn expected(&self) -> u64 {
        match self {
            Self::Length(left) | Self::Chunked(Chunk::Data(left)) => *left,
            _ => 0,
        }
    }

    /// Takes the body's bytes out of `input`, and the framing between them. What is behind the body
    /// stays. Empty when there are none yet, or no more.
    ///
    /// # Errors
    /// [`FramingError`] when the chunks are not well formed.
    pub fn take(&mut self, input: &mut BytesMut) -> Result<Bytes, FramingError> {
        match self {
            Self::Done => Ok(Bytes::new()),
            Self::UntilClose => Ok(input.split().freeze()),
            Self::Length(left) => {
                let data = split(input, left);
                if *left == 0 {
                    *self = Self::Done;
                }
                Ok(data)
            }
            Self::Chunked(chunk) => {
                let (data, done) = chunk.take(input)?;
                if done {
                    *self = Self::Done;
                }
                Ok(data)
            }
        }
    }
}

// === impl Announced ===

impl Announced {
    /// A `content-length`. Several are one when they are the same.
    ///
    /// # Errors
    /// [`FramingError::Length`] when it is no number, or another one than before.
    pub fn length(&mut self, digits: &[u8]) -> Result<(), FramingError> {
        if digits.is_empty() {
            return Err(FramingError::Length);
        }
        let mut length = 0_u64;
        for digit in digits {
            let digit = char::from(*digit)
                .to_digit(10)
                .ok_or(FramingError::Length)?;
            let more = length.checked_mul(10).ok_or(FramingError::Length)?;
            length = more.checked_add(digit.into()).ok_or(FramingError::Length)?;
        }
        if self.length.is_some_and(|found| found != length) {
            return Err(FramingError::Length);
        }
        self.length = Some(length);
        Ok(())
    }

    /// A `transfer-encoding`.
    pub fn coding(&mut self, value: &[u8]) {
        let alone = self.coding.is_none() && value.eq_ignore_ascii_case(b"chunked");
        self.coding = Some(if alone {
            Coding::Chunked
        } else {
            Coding::Other
        });
    }

    /// Whether there is a `transfer-encoding`.
    #[must_use]
    pub const fn is_coded(&self) -> bool {
        self.coding.is_some()
    }
}

// === impl Chunk ===

impl Chunk {
    /// The data of all chunks in `input`, and whether the last one was among them. A lone piece is not
    /// copied; several are, into one.
    fn take(&mut self, input: &mut BytesMut) -> Result<(Bytes, bool), FramingError> {
        let (mut first, mut joined) = (Bytes::new(), BytesMut::new());
        loop {
            match self {
                Self::Size => match size(input)? {
                    None => break,
                    Some(0) => *self = Self::Trailers(0),
                    Some(size) => *self = Self::Data(size),
                },
                Self::Data(left) => {
                    let piece = split(input, left);
                    let whole = *left == 0;
                    if joined.is_empty() && first.is_empty() {
                        first = piece;
                    } else {
                        if joined.is_empty() {
                            joined.reserve(first.len() + piece.len() + input.len());
                            joined.extend_from_slice(&first);
                        }
                        joined.extend_from_slice(&piece);
                    }
                    if !whole {
                        break;
                    }
                    *self = Self::Break;
                }
                Self::Break => match input.get(..2) {
                    Some(b"\r\n") => {
                        input.advance(2);
                        *self = Self::Size;
                    }
                    Some(_) => return Err(FramingError::Break),
                    None if input.first().is_some_and(|&byte| byte != b'\r') => {
                        return Err(FramingError::Break);
                    }
                    None => break,
                },
                Self::Trailers(read) => {
                    let Some(line) = line(input)? else { break };
                    *read += line.len();
                    if *read > MAX_LINE {
                        return Err(FramingError::Line);
                    }
                    if line == b"\r\n"[..] {
                        return Ok((data(first, joined), true));
                    }
                }
            }
        }
        Ok((data(first, joined), false))
    }
}

/// What was taken: the one piece, or all of them.
fn data(first: Bytes, joined: BytesMut) -> Bytes {
    if joined.is_empty() {
        first
    } else {
        joined.freeze()
    }
}

/// At most `left` bytes from the front.
fn split(input: &mut BytesMut, left: &mut u64) -> Bytes {
    let count = usize::try_from(*left)
        .unwrap_or(usize::MAX)
        .min(input.len());
    *left -= count as u64;
    input.split_to(count).freeze()
}

/// The size that the next line tells; `None` when the line is not complete. Extensions are skipped.
fn size(input: &mut BytesMut) -> Result<Option<u64>, FramingError> {
    let Some(line) = line(input)? else {
        return Ok(None);
    };
    let text = line.strip_suffix(b"\r\n").ok_or(FramingError::Break)?;
    if text
        .iter()
        .any(|byte| byte.is_ascii_control() && *byte != b'\t')
    {
        // A bare carriage return among them: it ends a line for some.
        return Err(FramingError::Size);
    }
    let text = text.split(|&byte| byte == b';').next().unwrap_or_default();
    let text = text.trim_ascii_end();
    if text.is_empty() || text.len() > 16 {
        return Err(FramingError::Size);
    }
    let mut size = 0_u64;
    for &byte in text {
        let digit = char::from(byte).to_digit(16).ok_or(FramingError::Size)?;
        size = (size << 4) | u64::from(digit);
    }
    Ok(Some(size))
}

/// The next line with its end; `None` when it is not complete.
fn line(input: &mut BytesMut) -> Result<Option<BytesMut>, FramingError> {
    let within = input.get(..MAX_LINE).unwrap_or(input);
    match within.iter().position(|&byte| byte == b'\n') {
        // A bare line feed ends no line for others: who takes it for one sees other chunks.
        Some(0) => Err(FramingError::Break),
        Some(end) if within.get(end - 1) != Some(&b'\r') => Err(FramingError::Break),
        Some(end) => Ok(Some(input.split_to(end + 1))),
        None if within.len() == MAX_LINE => Err(FramingError::Line),
        None => Ok(None),
    }
}
