//! An answer as bytes: its head, and its body in the framing that the client understands. What is ready
//! at once goes out at once; nothing waits for what comes behind it.
//!
//! Source: RFC 9112, sections 6, 7 and 9; RFC 9110, sections 6.6.1 and 8.6.

use std::{
    cell::RefCell,
    mem,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{StatusCode, header};
use hyper::body::Body as _;
use tokio::time::Instant;

use super::line::Unsent;
use crate::message::{Answer, Content};

/// How the client wants to be answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// It speaks HTTP/1.0.
    pub(super) old: bool,
    /// It asked for the head alone.
    pub(super) bodiless: bool,
    /// The connection is kept behind the answer.
    pub(super) keep: bool,
}

/// An answer on its way.
pub(super) struct Reply {
    body: Content,
    framing: Framing,
    /// The connection is kept.
    pub(super) keep: bool,
}

/// How the client knows where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// So many bytes are still to be written.
    Length(u64),
    Chunked,
    /// By the end of the connection.
    UntilClose,
    /// Everything is written.
    Done,
}

/// An answer that cannot be written to its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Broken;

/// The line `date`, and until when it is true.
#[derive(Default)]
struct Date {
    line: String,
    until: Option<Instant>,
}

thread_local! {
    static DATE: RefCell<Date> = RefCell::default();
}

/// A larger piece of a body is written from where it is.
const COPIED: usize = 8 * 1024;
/// When so much is to be written, it is, whatever else is ready.
const ENOUGH: usize = 16 * 1024;

// === impl Manner ===

impl Manner {
    /// Of an answer that ends the connection.
    pub(super) const LAST: Self = Self {
        old: false,
        bodiless: false,
        keep: false,
    };
}

// === impl Reply ===

impl Reply {
    /// Writes the head of `answer` into `out`.
    pub(super) fn begin(answer: Answer, manner: Manner, now: Instant, out: &mut Vec<u8>) -> Self {
        let exact = answer.body.size();
        let nothing = matches!(answer.status.as_u16(), 100..=199 | 204 | 304);
        let mut keep = manner.keep;
        out.reserve(1024);
        status(answer.status, manner.old, out);
        let mut length = None;
        for (name, value) in answer.headers.iter() {
            if *name == header::CONNECTION {
                keep &= !value.as_bytes().eq_ignore_ascii_case(b"close");
            } else if *name == header::CONTENT_LENGTH {
                length = Some(value);
            } else if *name != header::TRANSFER_ENCODING && *name != header::DATE {
                line(name.as_str(), value.as_bytes(), out);
            }
        }
        if let Some(kind) = answer.kind {
            line("content-type", kind.as_bytes(), out);
        }
        for (name, id) in answer.ids.iter() {
            line(name.as_str(), id.as_bytes(), out);
        }
        let framing = match exact {
            _ if nothing || manner.bodiless => {
                // What the body would be like is told to those who ask for the head alone.
                if let (Some(length), false) = (length, nothing) {
                    line("content-length", length.as_bytes(), out);
                }
                Framing::Done
            }
            Some(length) => {
                let mut digits = itoa::Buffer::new();
                line("content-length", digits.format(length).as_bytes(), out);
                Framing::Length(length)
            }
            None if manner.old => Framing::UntilClose,
            None => {
                out.extend_from_slice(b"transfer-encoding: chunked\r\n");
                Framing::Chunked
            }
        };
        keep &= framing != Framing::UntilClose;
        if !keep {
            out.extend_from_slice(b"connection: close\r\n");
        } else if manner.old {
            out.extend_from_slice(b"connection: keep-alive\r\n");
        }
        date(now, out);
        out.extend_from_slice(b"\r\n");
        let framing = match framing {
            Framing::Length(0) => Framing::Done,
            framing => framing,
        };
        Self {
            body: answer.body,
            framing,
            keep,
        }
    }

    /// Whether all of it has been handed out.
    pub(super) fn is_done(&self) -> bool {
        self.framing == Framing::Done
    }

    /// Puts what is ready of the body into `out`.
    pub(super) fn gather(&mut self, cx: &mut Context<'_>, out: &mut Unsent) -> Result<(), Broken> {
        while !self.is_done() && out.sheet.len() < ENOUGH && out.large.is_empty() {
            let body = match &mut self.body {
                Content::Whole(text) => {
                    let text = mem::take(text);
                    self.piece(text, out)?;
                    continue;
                }
                Content::Coming(body) => body,
            };
            let frame = match Pin::new(body).poll_frame(cx) {
                Poll::Pending => break,
                Poll::Ready(frame) => frame,
            };
            match frame {
                Some(Ok(frame)) => {
                    // Trailers are for those who ask for them; nobody here has any.
                    if let Ok(data) = frame.into_data()
                        && !data.is_empty()
                    {
                        self.piece(data, out)?;
                    }
                }
                Some(Err(_)) => return Err(Broken),
                None => {
                    match self.framing {
                        Framing::Chunked => out.sheet.extend_from_slice(b"0\r\n\r\n"),
                        Framing::Length(_) => return Err(Broken),
                        Framing::UntilClose | Framing::Done => {}
                    }
                    self.framing = Framing::Done;
                }
            }
        }
        Ok(())
    }

    /// Puts one piece of the body into `out`.
    fn piece(
        &mut self,
        data: impl AsRef<[u8]> + Into<Bytes>,
        out: &mut Unsent,
    ) -> Result<(), Broken> {
        let length = data.as_ref().len();
        let mut behind: &[u8] = b"";
        match &mut self.framing {
            Framing::Length(left) => {
                *left = left.checked_sub(length as u64).ok_or(Broken)?;
                if *left == 0 {
                    self.framing = Framing::Done;
                }
            }
            Framing::Chunked => {
                size(length, &mut out.sheet);
                behind = b"\r\n";
            }
            Framing::UntilClose | Framing::Done => {}
        }
        if length > COPIED {
            out.large = data.into();
            out.behind = behind;
        } else {
            out.sheet.extend_from_slice(data.as_ref());
            out.sheet.extend_from_slice(behind);
        }
        Ok(())
    }
}

fn status(status: StatusCode, old: bool, out: &mut Vec<u8>) {
    if status == StatusCode::OK && !old {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    let version: &[u8] = if old { b"HTTP/1.0 " } else { b"HTTP/1.1 " };
    out.extend_from_slice(version);
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    let reason = status.canonical_reason().unwrap_or_default();
    out.extend_from_slice(reason.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Nothing in a line can end it early: names and values are of types that hold no control characters.
fn line(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// The line that tells a chunk's size.
fn size(size: usize, out: &mut Vec<u8>) {
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        let digit = (size >> (place * 4)) & 15;
        out.push(b"0123456789abcdef".get(digit).copied().unwrap_or(b'0'));
    }
    out.extend_from_slice(b"\r\n");
}

/// The line `date`, made once a second.
#[expect(
    clippy::disallowed_methods,
    reason = "what a message says of the wall clock's time is the wall clock's, whatever a test makes of time"
)]
fn date(now: Instant, out: &mut Vec<u8>) {
    DATE.with_borrow_mut(|date| {
        if date.until.is_none_or(|until| until <= now) {
            let time = SystemTime::now();
            let into = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            let into = Duration::from_nanos(into.subsec_nanos().into());
            date.line = format!("date: {}\r\n", httpdate::fmt_http_date(time));
            date.until = Some(now + Duration::from_secs(1).saturating_sub(into));
        }
        out.extend_from_slice(date.line.as_bytes());
    });
}
