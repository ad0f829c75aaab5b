//! AWS event-stream frames from bytes cut anywhere. Checks lengths and both checksums; knows headers
//! and payloads, no JSON, no exceptions and no provider.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html> and
//! `application/vnd.amazon.eventstream` as Bedrock sends it (2026-08-22). Numbers are big-endian.
//!
//! | bytes | of a frame |
//! |---|---|
//! | 4 | its total length, these bytes included |
//! | 4 | the length of its headers |
//! | 4 | the CRC-32 of the eight bytes before |
//! | as told | headers, one behind the other |
//! | the rest but four | payload, which Bedrock fills with JSON |
//! | 4 | the CRC-32 of everything before |
//!
//! | bytes | of a header |
//! |---|---|
//! | 1 | the length of its name |
//! | as told | its name, with the colon in front that the protocol's own have |
//! | 1 | its kind: 0 true, 1 false, 2 to 5 whole numbers, 6 bytes, 7 text, 8 a time, 9 an id |
//! | by kind | its value; behind a length of two bytes for bytes and text |
//!
//! The first checksum stands alone so that a length can be trusted before anybody waits for that many
//! bytes: a flipped bit would otherwise be a frame of gigabytes whose end never comes.
//!
//! | header | Bedrock says with it |
//! |---|---|
//! | `:message-type` | `event`, `exception`, `error` |
//! | `:event-type` | the name of an event: `messageStart`, `contentBlockDelta`, `metadata` |
//! | `:exception-type` | the name of an exception, whose payload is `{"message"}` |
//! | `:error-code`, `:error-message` | an error of the transport, which has no payload |
//! | `:content-type` | `application/json`; not read |

use bytes::{Buf, Bytes, BytesMut};

/// The largest frame, in bytes, that a parser accepts: 16 MiB, the most that the protocol allows.
pub const MAX_FRAME_BYTES: usize = 16 << 20;

/// Bytes before the headers: two lengths and their checksum.
const PRELUDE: usize = 12;
/// Bytes behind the payload: the checksum of the frame.
const TRAILER: usize = 4;

/// One frame: its headers and its payload, which share the memory of the pushed bytes where the
/// frame lies in one of them.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Frame {
    /// As they stand on the wire: most frames are asked for two of them, so none is taken apart before.
    headers: Bytes,
    /// What the frame carries, at most [`MAX_FRAME_BYTES`] less 16; may be empty.
    pub payload: Bytes,
}

/// Cuts a byte stream into frames.
///
/// # Laws
/// - Cutting: any partition of the same bytes gives the same frames.
/// - A frame whose checksums do not hold is an error; nothing of it is given out.
///
/// ```
/// use waystation_providers::FrameParser;
///
/// // A frame without headers whose payload is `{}`.
/// let bytes = [
///     0, 0, 0, 18, 0, 0, 0, 0, 0x7f, 0x02, 0x1b, 0x8b, b'{', b'}', 0x2f, 0x92, 0x61, 0xfa,
/// ];
/// let mut parser = FrameParser::default();
/// for byte in bytes {
///     assert!(parser.next_frame()?.is_none());
///     parser.push(&vec![byte].into());
/// }
/// assert_eq!(parser.next_frame()?.unwrap().payload, "{}");
/// parser.finish()?;
/// # Ok::<(), waystation_providers::FrameError>(())
/// ```
#[derive(Debug, Default)]
pub struct FrameParser {
    /// What was pushed and not given out yet.
    ahead: Bytes,
    /// The beginning of a frame whose end has not come yet.
    begun: BytesMut,
}

/// Why bytes are no frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The lengths do not fit each other or the limit.
    #[error(
        "expected a frame of at most {MAX_FRAME_BYTES} bytes around its headers, found {total} bytes with {headers} of headers"
    )]
    Length {
        /// Length of the frame, in bytes.
        total: usize,
        /// Length of its headers, in bytes.
        headers: usize,
    },
    /// A checksum does not hold.
    #[error("expected the checksum {expected:08x} of a frame, found {found:08x}")]
    Checksum {
        /// What the frame says.
        expected: u32,
        /// What its bytes come to.
        found: u32,
    },
    /// The stream ends inside a frame.
    #[error("expected the rest of a frame, found the end of the stream")]
    Cut,
}

// === impl FrameParser ===

impl FrameParser {
    /// Takes the next bytes. Ask [`next_frame`](Self::next_frame) for what they complete before
    /// pushing more: bytes that were not looked at yet are copied behind.
    pub fn push(&mut self, bytes: &Bytes) {
        if self.ahead.is_empty() && self.begun.is_empty() {
            self.ahead = bytes.clone();
            return;
        }
        self.begun
            .extend_from_slice(&std::mem::take(&mut self.ahead));
        self.begun.extend_from_slice(bytes);
    }

    /// The next complete frame, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`FrameError`] when the bytes are no frame; the parser is spent then.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.ahead.is_empty() {
            let Some(total) = length(&self.begun)? else {
                return Ok(None);
            };
            if self.begun.len() < total {
                self.begun.reserve(total - self.begun.len());
                return Ok(None);
            }
            // Everything that was copied is given out from one buffer, frame by frame.
            self.ahead = self.begun.split().freeze();
        }
        match length(&self.ahead)? {
            Some(total) if total <= self.ahead.len() => {
                let frame = self.ahead.split_to(total);
                Frame::read(&frame).map(Some)
            }
            _ => {
                self.begun
                    .extend_from_slice(&std::mem::take(&mut self.ahead));
                Ok(None)
            }
        }
    }

    /// The stream is over.
    ///
    /// # Errors
    /// [`FrameError::Cut`] when it ends inside a frame.
    pub fn finish(&self) -> Result<(), FrameError> {
        if self.ahead.is_empty() && self.begun.is_empty() {
            return Ok(());
        }
        Err(FrameError::Cut)
    }
}

/// The length of the frame that `bytes` start with, in bytes and with its checksums; `None` until its
/// prelude is there.
///
/// # Errors
/// [`FrameError::Checksum`] of the prelude, whose numbers say nothing then, and
/// [`FrameError::Length`] when they contradict each other or are beyond the limit.
fn length(bytes: &[u8]) -> Result<Option<usize>, FrameError> {
    let Some(mut prelude) = bytes.get(..PRELUDE) else {
        return Ok(None);
    };
    let found = crc32fast::hash(prelude.get(..PRELUDE - 4).unwrap_or_default());
    let mut number = || prelude.get_u32();
    let (total, headers, expected) = (number(), number(), number());
    if expected != found {
        return Err(FrameError::Checksum { expected, found });
    }
    let size = |number| usize::try_from(number).unwrap_or(usize::MAX);
    let (total, headers) = (size(total), size(headers));
    let least = headers.saturating_add(PRELUDE + TRAILER);
    if total < least || total > MAX_FRAME_BYTES {
        return Err(FrameError::Length { total, headers });
    }
    Ok(Some(total))
}

// === impl Frame ===

impl Frame {
    /// Takes a whole frame apart, whose prelude was checked.
    fn read(bytes: &Bytes) -> Result<Self, FrameError> {
        let end = bytes.len().saturating_sub(TRAILER);
        let (before, mut trailer) = bytes.split_at(end);
        let found = crc32fast::hash(before);
        let expected = trailer.get_u32();
        if expected != found {
            return Err(FrameError::Checksum { expected, found });
        }
        let mut prelude = before.get(4..).unwrap_or_default();
        let headers = usize::try_from(prelude.get_u32()).unwrap_or(usize::MAX);
        let split = PRELUDE.saturating_add(headers).min(end);
        Ok(Self {
            headers: bytes.slice(PRELUDE.min(split)..split),
            payload: bytes.slice(split..end),
        })
    }

    /// The header `name`, if there is one and it is text. Names are compared byte for byte; of two of
    /// one name the first counts. Headers of other kinds are passed by, by their length; one of a kind
    /// that nobody knows ends the walk, since its length is not known either.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use waystation_providers::{Frame, FrameParser};
    ///
    /// assert_eq!(Frame::default().header(":event-type"), None);
    ///
    /// // How Bedrock fails in the middle of a stream.
    /// let bytes = b"\x00\x00\x00,\x00\x00\x00\x1a\x9cq\xe4\x16\x0d:message-type\x07\x00\x09exception{}\xd3\x91\xbel";
    /// let mut parser = FrameParser::default();
    /// parser.push(&Bytes::from_static(bytes));
    /// let frame = parser.next_frame()?.unwrap();
    /// assert_eq!(frame.header(":message-type"), Some("exception"));
    /// assert_eq!(frame.payload, "{}");
    ///
    /// // One bit of the payload is another: the checksum tells, and nothing is given out.
    /// let mut harmed = bytes.to_vec();
    /// let place = harmed.len() - 5;
    /// harmed[place] ^= 1;
    /// let mut parser = FrameParser::default();
    /// parser.push(&Bytes::from(harmed));
    /// assert!(parser.next_frame().is_err());
    /// # Ok::<(), waystation_providers::FrameError>(())
    /// ```
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.value(name)?).ok()
    }

    /// The bytes of the same header, sharing the frame's memory.
    pub(crate) fn shared_header(&self, name: &str) -> Option<Bytes> {
        self.value(name).map(|value| self.headers.slice_ref(value))
    }

    /// What the first header of this name holds.
    fn value(&self, name: &str) -> Option<&[u8]> {
        let mut rest: &[u8] = &self.headers;
        while let Some((found, value, behind)) = header(rest) {
            if found == name.as_bytes() {
                return value;
            }
            rest = behind;
        }
        None
    }
}

/// A header's name, its value if that is text or bytes, and what stands behind it.
type Header<'a> = (&'a [u8], Option<&'a [u8]>, &'a [u8]);

/// Reads the header that `bytes` start with; `None` at their end, and when the header is cut or of a
/// kind that the protocol does not have.
fn header(bytes: &[u8]) -> Option<Header<'_>> {
    let (length, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    let (kind, rest) = rest.split_first()?;
    let fixed = match kind {
        // True and false.
        0 | 1 => 0,
        // Numbers of one, two, four and eight bytes, and times.
        2 => 1,
        3 => 2,
        4 => 4,
        5 | 8 => 8,
        // An id of sixteen bytes.
        9 => 16,
        // Bytes and text, with a length of their own.
        6 | 7 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (value, rest) = rest.split_at_checked(length)?;
            return Some((name, Some(value), rest));
        }
        _ => return None,
    };
    let (_, rest) = rest.split_at_checked(fixed)?;
    Some((name, None, rest))
}

#[cfg(test)]
mod tests;
