//! AWS's event-stream frames, as Bedrock writes them: events with JSON in them. Exceptions are not
//! written.
//!
//! Source: <https://smithy.io/2.0/aws/amazon-eventstream.html> (2026-08). A frame is the length of
//! all, the length of its headers, the CRC-32 of both, the headers, the payload and the CRC-32 of
//! everything before; numbers are big-endian.

use waystation_core::ObjectWriter;

use crate::dialect::answer::object;

/// What Bedrock pads payloads with, so that their lengths tell nothing of what is in them.
const PADDING: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// The type of a header whose value is text.
const TEXT: u8 = 7;

/// One event whose payload is the object that `write` fills; `chance` decides the padding.
pub(super) fn event(kind: &str, chance: u64, write: &dyn Fn(&mut ObjectWriter<'_>)) -> Vec<u8> {
    let mut payload = Vec::new();
    object(&mut payload, |object| {
        write(object);
        let length = usize::try_from(chance % 61).unwrap_or_default();
        let padding = PADDING.get(..length + 1).unwrap_or(PADDING);
        object.string("p", padding);
    });
    let headers = [
        (":event-type", kind),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ];
    frame(&headers, &payload)
}

/// One frame. Names and values are the project's own, and short.
fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut head = Vec::new();
    for (name, value) in headers {
        head.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        head.extend_from_slice(name.as_bytes());
        head.push(TEXT);
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        head.extend_from_slice(&length.to_be_bytes());
        head.extend_from_slice(value.as_bytes());
    }
    // Two lengths and a checksum before, a checksum behind.
    let total = 12 + head.len() + payload.len() + 4;
    let mut out = Vec::with_capacity(total);
    for length in [total, head.len()] {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_be_bytes());
    }
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::event;

    #[test]
    fn a_frame_is_one_that_bedrock_has_sent() {
        // A `messageStart` of Nova 2 Lite, 2026-08: with the padding between `{` and the role.
        let frame = event("messageStart", 55, &|object| {
            object.string("role", "assistant");
        });
        let prelude = [0, 0, 0, 0xB5, 0, 0, 0, 0x52, 0x38, 0x60, 0x68, 0xD5];
        assert_eq!(frame[..12], prelude);
        assert_eq!(frame.len(), 0xB5);
        assert_eq!(&frame[12..27], b"\x0b:event-type\x07\x00\x0c");
    }
}
