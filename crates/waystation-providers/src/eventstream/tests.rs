//! Frames, whole and broken. The recordings of Bedrock are read in the crate's tests.

use bytes::{BufMut, Bytes, BytesMut};

use super::*;

/// Writes a frame.
fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut named = Vec::new();
    // A header that is no text stands before the others.
    named.extend_from_slice(b"\x01n\x04\0\0\0\x07");
    for (name, value) in headers {
        named.push(u8::try_from(name.len()).unwrap());
        named.extend_from_slice(name.as_bytes());
        named.push(7);
        named.put_u16(u16::try_from(value.len()).unwrap());
        named.extend_from_slice(value.as_bytes());
    }
    let mut out = Vec::new();
    out.put_u32(u32::try_from(PRELUDE + named.len() + payload.len() + TRAILER).unwrap());
    out.put_u32(u32::try_from(named.len()).unwrap());
    out.put_u32(crc32fast::hash(&out));
    out.extend_from_slice(&named);
    out.extend_from_slice(payload);
    out.put_u32(crc32fast::hash(&out));
    out
}

fn parse(pieces: &[&[u8]]) -> Result<Vec<Frame>, FrameError> {
    let mut parser = FrameParser::default();
    let mut found = Vec::new();
    for piece in pieces {
        parser.push(&Bytes::copy_from_slice(piece));
        while let Some(frame) = parser.next_frame()? {
            found.push(frame);
        }
    }
    parser.finish()?;
    Ok(found)
}

#[test]
fn frames_come_out_whole_however_they_are_cut() {
    let mut bytes = frame(&[(":event-type", "messageStart")], b"{\"a\":1}");
    bytes.extend(frame(
        &[(":event-type", "x"), (":message-type", "event")],
        b"",
    ));
    let whole = parse(&[&bytes]).unwrap();
    assert_eq!(whole.len(), 2);
    assert_eq!(whole[0].header(":event-type"), Some("messageStart"));
    assert_eq!(whole[0].header("n"), None);
    assert_eq!(whole[0].payload, "{\"a\":1}");
    assert_eq!(whole[1].header(":message-type"), Some("event"));
    for size in 1..bytes.len() {
        let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
        assert_eq!(parse(&pieces).unwrap(), whole, "pieces of {size}");
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let bytes = frame(&[(":event-type", "x")], b"payload");
    for at in 0..bytes.len() * 8 {
        let mut broken = bytes.clone();
        broken[at / 8] ^= 1 << (at % 8);
        assert!(parse(&[&broken]).is_err(), "bit {at}");
    }
}

#[test]
fn a_stream_that_ends_inside_a_frame_is_cut() {
    let bytes = frame(&[], b"payload");
    for end in 1..bytes.len() {
        assert_eq!(parse(&[&bytes[..end]]), Err(FrameError::Cut), "{end}");
    }
}

#[test]
fn lengths_that_cannot_be_are_refused() {
    for (total, headers) in [(15_u32, 0_u32), (20, 8), (16 << 20 | 1, 0)] {
        let mut bytes = BytesMut::new();
        bytes.put_u32(total);
        bytes.put_u32(headers);
        bytes.put_u32(crc32fast::hash(&bytes));
        let found = parse(&[&bytes]).unwrap_err();
        assert!(matches!(found, FrameError::Length { .. }), "{found}");
    }
}
