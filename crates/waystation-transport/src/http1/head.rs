//! The head of a response out of the bytes that have arrived. Pure, and fuzzed (`xtask/src/fuzz`).

use std::mem::MaybeUninit;

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use waystation_core::ReplyHead;

use super::framing::{Framing, FramingError};

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
        while let Some((head, size)) = Self::first(input)? {
            let _ = input.split_to(size);
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

    /// The head at the front, and its size in bytes; `None` when it is not complete.
    fn first(input: &[u8]) -> Result<Option<(Self, usize)>, HeadError> {
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
        let mut map = HeaderMap::with_capacity(response.headers.len());
        for found in response.headers.iter() {
            let name = HeaderName::from_bytes(found.name.as_bytes())
                .map_err(|_| HeadError::Syntax(httparse::Error::HeaderName))?;
            let value = HeaderValue::from_bytes(found.value)
                .map_err(|_| HeadError::Syntax(httparse::Error::HeaderValue))?;
            map.append(name, value);
        }
        let old = response.version == Some(0);
        if old && map.contains_key(header::TRANSFER_ENCODING) {
            // HTTP/1.0 has no chunks: whoever sends some does not know what it says.
            return Err(FramingError::Coding.into());
        }
        let (framing, keep) = Framing::of(status, &map)?;
        let keep = keep && !old && !closes(&map);
        let reply = ReplyHead {
            status,
            headers: map,
        };
        Ok(Some((
            Self {
                reply,
                framing,
                keep,
            },
            size,
        )))
    }
}

/// `connection` names `close`.
fn closes(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONNECTION).iter().any(|value| {
        let mut options = value.as_bytes().split(|&byte| byte == b',');
        options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
    })
}
