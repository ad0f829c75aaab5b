//! Replies for tests: a head, and what a reader makes of a body in pieces.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use waystation_core::{ChatEvent, Headers, Reader, ReplyHead, UpstreamError};

/// A head with these headers.
pub(crate) fn head(status: u16, headers: &[(&str, &str)]) -> ReplyHead {
    let mut map = Headers::default();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        map.insert(name, HeaderValue::from_str(value).unwrap());
    }
    ReplyHead {
        status: StatusCode::from_u16(status).unwrap(),
        headers: map,
    }
}

/// What a reader makes of a body in pieces: its events, and how it ended.
pub(crate) fn read<'a>(
    mut reader: Box<dyn Reader>,
    head: &ReplyHead,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<ChatEvent>, Result<(), UpstreamError>) {
    let mut events = Vec::new();
    let run = || {
        reader.head(head)?;
        for piece in pieces {
            reader.push(&Bytes::copy_from_slice(piece), &mut events)?;
        }
        reader.finish(&mut events)
    };
    let ended = run();
    (events, ended)
}
