//! Server-sent events from bytes cut anywhere. Knows lines and fields; does not know JSON, `[DONE]`
//! or any provider.
//!
//! Source: WHATWG HTML, section 9.2.6 "Interpreting an event stream" (2026-08-22), with two
//! differences: an event that ends with the stream instead of a blank line is given out by
//! [`SseParser::finish`], since several hosts end that way, and `id` and `retry` are ignored.

use std::ops::Range;

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::{memchr, memchr2};

/// The largest event, in bytes, that a parser accepts unless it is told otherwise: 8 MiB, above any
/// image that hosts send in one piece.
pub const MAX_EVENT_BYTES: usize = 8 << 20;

/// One event: its name and its data.
///
/// ```
/// use waystation_providers::SseParser;
///
/// let mut parser = SseParser::default();
/// parser.push(&"event: error\ndata: one\ndata: two\n\n".into());
/// let event = parser.next_event()?.unwrap();
/// assert_eq!((event.name.unwrap(), event.data), ("error".into(), "one\ntwo".into()));
/// # Ok::<(), waystation_providers::SseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SseEvent {
    /// The `event` field, when there was one.
    pub name: Option<Bytes>,
    /// The `data` fields, joined by line feeds. Shares the memory of the pushed bytes when the
    /// event has one data line that lies in one of them.
    pub data: Bytes,
}

/// Cuts a byte stream into events.
///
/// # Laws
/// - Cutting: any partition of the same bytes gives the same events.
/// - Lines end in LF, CRLF or CR; comments, a byte order mark and unknown fields never reach data.
///
/// ```
/// use waystation_providers::SseParser;
///
/// let mut parser = SseParser::default();
/// parser.push(&": hello\r\ndata: {\"a\":".into());
/// assert!(parser.next_event()?.is_none());
/// parser.push(&"1}\r\n\r\n".into());
/// assert_eq!(parser.next_event()?.unwrap().data, "{\"a\":1}");
/// assert!(parser.next_event()?.is_none());
/// # Ok::<(), waystation_providers::SseError>(())
/// ```
#[derive(Debug)]
pub struct SseParser {
    /// What was pushed and not looked at yet.
    ahead: Bytes,
    /// The beginning of a line whose end has not come yet.
    line: BytesMut,
    name: Option<Bytes>,
    data: Data,
    /// The last line ended in CR: an LF that comes next belongs to it.
    after_cr: bool,
    /// No line has ended yet: the first may open with a byte order mark.
    first_line: bool,
    limit: usize,
}

/// The data lines of the event that is being read.
#[derive(Debug, Default)]
enum Data {
    #[default]
    None,
    One(Bytes),
    Many(BytesMut),
}

/// An event grew beyond the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected events of at most {limit} bytes, found a longer one")]
pub struct SseError {
    /// The limit, in bytes.
    pub limit: usize,
}

// === impl SseParser ===

impl Default for SseParser {
    fn default() -> Self {
        Self::with_limit(MAX_EVENT_BYTES)
    }
}

impl SseParser {
    /// A parser that refuses events of more than `limit` bytes, so that a host which never ends a
    /// line cannot fill the memory.
    ///
    /// ```
    /// use waystation_providers::SseParser;
    ///
    /// let mut parser = SseParser::with_limit(4);
    /// parser.push(&"data: endless".into());
    /// assert_eq!(parser.next_event().unwrap_err().limit, 4);
    /// ```
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self {
            ahead: Bytes::new(),
            line: BytesMut::new(),
            name: None,
            data: Data::None,
            after_cr: false,
            first_line: true,
            limit,
        }
    }

    /// Takes the next bytes. Ask [`next_event`](Self::next_event) for what they complete before
    /// pushing more: bytes that were not looked at yet are copied behind.
    pub fn push(&mut self, bytes: &Bytes) {
        if self.ahead.is_empty() {
            self.ahead = bytes.clone();
        } else {
            let mut joined = BytesMut::with_capacity(self.ahead.len() + bytes.len());
            joined.extend_from_slice(&self.ahead);
            joined.extend_from_slice(bytes);
            self.ahead = joined.freeze();
        }
    }

    /// The next complete event, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`SseError`] when an event is larger than the limit; the parser is spent then.
    pub fn next_event(&mut self) -> Result<Option<SseEvent>, SseError> {
        // Lines are looked at where they lie; only what an event keeps shares the memory.
        let mut ahead = std::mem::take(&mut self.ahead);
        let mut at = 0;
        loop {
            if self.after_cr && at < ahead.len() {
                self.after_cr = false;
                at += usize::from(ahead.get(at) == Some(&b'\n'));
            }
            let rest = ahead.get(at..).unwrap_or_default();
            let Some(length) = memchr2(b'\n', b'\r', rest) else {
                self.within(self.line.len() + rest.len())?;
                self.line.extend_from_slice(rest);
                return Ok(None);
            };
            let tail = at..at + length;
            self.after_cr = rest.get(length) == Some(&b'\r');
            at = tail.end + 1;
            if self.line(&ahead, tail)?
                && let Some(event) = self.take()
            {
                ahead.advance(at);
                self.ahead = ahead;
                return Ok(Some(event));
            }
        }
    }

    /// The stream is over: what stands there without a blank line behind it. A line that was cut in
    /// the middle is given out too; whoever reads the data sees that it is no whole value.
    ///
    /// ```
    /// use waystation_providers::SseParser;
    ///
    /// let mut parser = SseParser::default();
    /// parser.push(&"data: last words".into());
    /// assert!(parser.next_event()?.is_none());
    /// assert_eq!(parser.finish()?.unwrap().data, "last words");
    /// # Ok::<(), waystation_providers::SseError>(())
    /// ```
    ///
    /// # Errors
    /// [`SseError`] when that is larger than the limit.
    pub fn finish(&mut self) -> Result<Option<SseEvent>, SseError> {
        if !self.line.is_empty() {
            self.line(&Bytes::new(), 0..0)?;
        }
        Ok(self.take())
    }

    /// Takes the line that ends in `tail` of `whole`; says whether it is blank.
    fn line(&mut self, whole: &Bytes, tail: Range<usize>) -> Result<bool, SseError> {
        self.within(self.line.len() + tail.len())?;
        if self.line.is_empty() {
            return self.plain_line(whole, tail);
        }
        self.line
            .extend_from_slice(whole.get(tail).unwrap_or_default());
        let joined = self.line.split().freeze();
        let all = 0..joined.len();
        self.plain_line(&joined, all)
    }

    /// The same of a line that lies in one piece.
    fn plain_line(&mut self, whole: &Bytes, mut line: Range<usize>) -> Result<bool, SseError> {
        let mut text = whole.get(line.clone()).unwrap_or_default();
        if std::mem::take(&mut self.first_line)
            && let Some(rest) = text.strip_prefix(b"\xEF\xBB\xBF")
        {
            line.start += text.len() - rest.len();
            text = rest;
        }
        if text.is_empty() {
            return Ok(true);
        }
        let colon = memchr(b':', text).unwrap_or(text.len());
        let (name, value) = text.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = line.end - value.strip_prefix(b" ").unwrap_or(value).len()..line.end;
        match name {
            b"data" => self.data_line(whole.slice(value))?,
            b"event" => self.name = Some(whole.slice(value)),
            _ => {}
        }
        Ok(false)
    }

    /// Takes one `data` field. The first is kept as a slice; only a second one makes a copy.
    fn data_line(&mut self, value: Bytes) -> Result<(), SseError> {
        let mut joined = match std::mem::take(&mut self.data) {
            Data::None => {
                self.data = Data::One(value);
                return Ok(());
            }
            Data::One(first) => BytesMut::from(&*first),
            Data::Many(lines) => lines,
        };
        self.within(joined.len() + value.len() + 1)?;
        joined.extend_from_slice(b"\n");
        joined.extend_from_slice(&value);
        self.data = Data::Many(joined);
        Ok(())
    }

    /// The event that was read so far; one without data is none.
    fn take(&mut self) -> Option<SseEvent> {
        let name = self.name.take();
        let data = match std::mem::take(&mut self.data) {
            Data::None => return None,
            Data::One(line) => line,
            Data::Many(lines) => lines.freeze(),
        };
        Some(SseEvent { name, data })
    }

    /// Refuses what would grow beyond the limit.
    const fn within(&self, size: usize) -> Result<(), SseError> {
        if size > self.limit {
            return Err(SseError { limit: self.limit });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
