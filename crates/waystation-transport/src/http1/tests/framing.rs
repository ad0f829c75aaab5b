//! What is a body, and what is none.

use proptest::prelude::*;

use bytes::BytesMut;
use http::StatusCode;

use crate::http1::framing::*;

fn announced(lines: &[(&str, &str)]) -> Result<Announced, FramingError> {
    let mut announced = Announced::default();
    for (name, value) in lines {
        match *name {
            "content-length" => announced.length(value.as_bytes())?,
            _ => announced.coding(value.as_bytes()),
        }
    }
    Ok(announced)
}

fn framing(lines: &[(&str, &str)]) -> Result<(Framing, bool), FramingError> {
    Framing::of(StatusCode::OK, announced(lines)?)
}

/// Everything out of `pieces`, and what stays behind the body.
fn read(framing: &mut Framing, pieces: &[&[u8]]) -> Result<(Vec<u8>, Vec<u8>), FramingError> {
    let (mut input, mut out) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        out.extend_from_slice(&framing.take(&mut input)?);
    }
    Ok((out, input.to_vec()))
}

fn chunked() -> Framing {
    Framing::Chunked(Chunk::Size)
}

#[test]
fn heads_that_two_readers_read_differently_are_refused() {
    for (lines, error) in [
        (
            &[("content-length", "3"), ("content-length", "4")][..],
            FramingError::Length,
        ),
        (&[("content-length", "3, 3")], FramingError::Length),
        (&[("content-length", "+3")], FramingError::Length),
        (&[("content-length", "-1")], FramingError::Length),
        (&[("content-length", "")], FramingError::Length),
        (&[("content-length", "0x10")], FramingError::Length),
        (
            &[("content-length", "99999999999999999999")],
            FramingError::Length,
        ),
        (
            &[("transfer-encoding", "gzip, chunked")],
            FramingError::Coding,
        ),
        (
            &[("transfer-encoding", "chunked, chunked")],
            FramingError::Coding,
        ),
        (&[("transfer-encoding", "identity")], FramingError::Coding),
        (&[("transfer-encoding", "xchunked")], FramingError::Coding),
        (
            &[
                ("transfer-encoding", "chunked"),
                ("transfer-encoding", "gzip"),
            ],
            FramingError::Coding,
        ),
    ] {
        assert_eq!(framing(lines), Err(error), "{lines:?}");
    }
}

#[test]
fn the_head_says_where_the_body_ends() {
    assert_eq!(framing(&[]), Ok((Framing::UntilClose, false)));
    assert_eq!(
        framing(&[("content-length", "0")]),
        Ok((Framing::Done, true))
    );
    let twice = [("content-length", "3"), ("content-length", "3")];
    assert_eq!(framing(&twice), Ok((Framing::Length(3), true)));
    assert_eq!(
        framing(&[("transfer-encoding", "Chunked")]),
        Ok((chunked(), true))
    );
    // With both, the connection is not trusted behind the body.
    let both = [("content-length", "3"), ("transfer-encoding", "chunked")];
    assert_eq!(framing(&both), Ok((chunked(), false)));
    let no_content = |lines: &[_]| Framing::of(StatusCode::NO_CONTENT, announced(lines)?);
    assert_eq!(no_content(&[]), Ok((Framing::Done, true)));
    assert_eq!(
        no_content(&[("content-length", "5")]),
        Ok((Framing::Done, false))
    );
}

#[test]
fn chunks_are_joined_and_what_follows_stays() {
    let body = b"4;name=\"x\"\r\nWiki\r\n6 \r\npedia \r\nC\r\nin \r\n\r\nchunk\r\n0\r\ntrailer: 1\r\n\r\nHTTP";
    let mut framing = chunked();
    let (data, behind) = read(&mut framing, &[body]).unwrap();
    assert_eq!(data, b"Wikipedia in \r\n\r\nchunk");
    assert_eq!(behind, b"HTTP");
    assert!(framing.is_done());
}

#[test]
fn chunks_that_are_none_are_refused() {
    for (body, error) in [
        (&b"\r\n"[..], FramingError::Size),
        (b"x\r\n", FramingError::Size),
        (b"-1\r\n", FramingError::Size),
        (b"0x1\r\n", FramingError::Size),
        (b" 1\r\n", FramingError::Size),
        (b"1 1\r\n", FramingError::Size),
        (b"11111111111111111\r\n", FramingError::Size),
        (b"1\nx\r\n", FramingError::Break),
        (b"\n", FramingError::Break),
        (b"1\r\nxy", FramingError::Break),
        (b"1\r\nx\n", FramingError::Break),
        (b"1\r\nx\rz", FramingError::Break),
        (b"0\r\n\n", FramingError::Break),
    ] {
        let read = read(&mut chunked(), &[body]);
        assert_eq!(read, Err(error), "{:?}", String::from_utf8_lossy(body));
    }
    let long = [b"1;".as_slice(), &[b'x'; MAX_LINE], b"\r\n"].concat();
    assert_eq!(read(&mut chunked(), &[&long]), Err(FramingError::Line));
    let trailers = [b"0\r\n".as_slice(), &b"a: b\r\n".repeat(MAX_LINE / 6 + 1)].concat();
    assert_eq!(read(&mut chunked(), &[&trailers]), Err(FramingError::Line));
}

proptest! {
    /// A chunked body means the same however writer and network cut it.
    #[test]
    fn cutting_changes_nothing(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..12),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut wire = Vec::new();
        for chunk in &chunks {
            wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            wire.extend_from_slice(chunk);
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b"0\r\n\r\nnext");
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect();
        cuts.extend([0, wire.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &wire[pair[0]..pair[1]]).collect();
        let mut framing = chunked();
        let (data, behind) = read(&mut framing, &pieces).unwrap();
        prop_assert_eq!(data, chunks.concat());
        prop_assert_eq!(behind, b"next");
        prop_assert!(framing.is_done());
    }

    /// No bytes make it panic, and it never gives more than it got.
    #[test]
    fn any_bytes_are_a_body_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok((data, behind)) = read(&mut chunked(), &[&bytes]) {
            prop_assert!(data.len() + behind.len() <= bytes.len());
        }
    }
}
