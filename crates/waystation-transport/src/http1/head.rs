//! The head of a response out of the bytes that have arrived. Pure, and fuzzed (`xtask/src/fuzz`). Values
//! stay in the memory that they came in.

use std::mem::MaybeUninit;

use bytes::BytesMut;
use http::{HeaderName, HeaderValue, StatusCode, header};
use waystation_core::{Headers, ReplyHead};

use super::{
    field,
    framing::{Announced, Framing, FramingError},
};

/// A head, and how to read what follows.
#[derive(Debug)]
pub(super) struct Head {
    /// Status and headers.
    pub(super) reply: ReplyHead,
    /// Where the body ends.
    pub(super) framing: Framing,
    /// The connection may be used again behind the body.
    pub(super) keep: bool,
}

/// Where the values of headers stand.
type Places = [(usize, usize); MAX_HEADERS];

/// What the headers say to the connection.
#[derive(Default)]
struct Said {
    announced: Announced,
    close: bool,
}

/// Why bytes are no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeadError {
    /// They are no HTTP/1 response.
    #[error("the answer is no HTTP/1.1 response: {0}")]
    Syntax(#[from] httparse::Error),
    /// It is larger than [`MAX_HEAD`], or has more than [`MAX_HEADERS`] headers.
    #[error("the response's head is too large")]
    TooLarge,
    /// The body's end cannot be told.
    #[error("{0}")]
    Framing(#[from] FramingError),
    /// The server wants to speak something else, which nobody asked for.
    #[error("the answer switches protocols")]
    Switch,
}

/// The largest head, in bytes.
pub(super) const MAX_HEAD: usize = 128 * 1024;
/// The most headers.
pub(super) const MAX_HEADERS: usize = 128;

// === impl Head ===

impl Head {
    /// Takes the head out of `input`; `None` when it is not complete. Heads that only announce one
    /// (100, 103) are skipped.
    ///
    /// # Errors
    /// [`HeadError`] when it is none.
    pub(super) fn take(input: &mut BytesMut) -> Result<Option<Self>, HeadError> {
        let mut values = [(0, 0); MAX_HEADERS];
        while let Some((mut head, size)) = Self::first(input, &mut values)? {
            let text = input.split_to(size).freeze();
            for ((_, value), (start, end)) in head.reply.headers.iter_mut().zip(&values) {
                *value = HeaderValue::from_maybe_shared(text.slice(*start..*end))
                    .map_err(|_| httparse::Error::HeaderValue)?;
            }
            match head.reply.status.as_u16() {
                101 => return Err(HeadError::Switch),
                100..=199 => {}
                _ => return Ok(Some(head)),
            }
        }
        if input.len() > MAX_HEAD {
            return Err(HeadError::TooLarge);
        }
        Ok(None)
    }

    /// The head at the front, without the values of its headers, and its size in bytes; `None` when it is not
    /// complete.
    fn first(input: &[u8], values: &mut Places) -> Result<Option<(Self, usize)>, HeadError> {
        let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            input,
            &mut headers,
        );
        let parsed = parsed.map_err(|error| match error {
            httparse::Error::TooManyHeaders => HeadError::TooLarge,
            error => HeadError::Syntax(error),
        })?;
        let httparse::Status::Complete(size) = parsed else {
            return Ok(None);
        };
        let status = response
            .code
            .and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.ok_or(HeadError::Syntax(httparse::Error::Status))?;
        let mut headers = Headers::with_room(response.headers.len());
        let mut said = Said::default();
        for (found, place) in response.headers.iter().zip(values) {
            let name = field::name(found.name.as_bytes())?;
            said.header(&name, found.value)?;
            headers.append(name, const { HeaderValue::from_static("") });
            let start = found.value.as_ptr().addr() - input.as_ptr().addr();
            *place = (start, start + found.value.len());
        }
        let old = response.version == Some(0);
        if old && said.announced.is_coded() {
            // HTTP/1.0 has no chunks: whoever sends some does not know what it says.
            return Err(FramingError::Coding.into());
        }
        let (framing, keep) = Framing::of(status, said.announced)?;
        let head = Self {
            reply: ReplyHead { status, headers },
            framing,
            keep: keep && !old && !said.close,
        };
        Ok(Some((head, size)))
    }
}

// === impl Said ===

impl Said {
    /// Takes one header down.
    fn header(&mut self, name: &HeaderName, value: &[u8]) -> Result<(), FramingError> {
        if *name == header::CONTENT_LENGTH {
            self.announced.length(value)?;
        } else if *name == header::TRANSFER_ENCODING {
            self.announced.coding(value);
        } else if *name == header::CONNECTION {
            let mut options = value.split(|&byte| byte == b',');
            self.close |= options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"));
        }
        Ok(())
    }
}
