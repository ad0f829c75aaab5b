//! Requests of HTTP/1.1, as the server reads them, one behind the other. A law that is broken here is one
//! request that two readers take for two.

use bytes::BytesMut;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

use super::request_head::Head;

/// What a connection brought.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    /// The requests that were read to their ends: their heads, and their bodies.
    requests: Vec<(String, Vec<u8>)>,
    /// What came last is no request.
    broken: bool,
    /// How many bytes the requests took.
    taken: usize,
}

/// What could follow on a connection that is kept.
const NEXT: &[u8] = b"GET /next HTTP/1.1\r\nhost: b\r\n\r\n";
/// The largest head.
const LARGEST: usize = 2048;

/// Holds the reader to its laws. The first byte says how the input is cut.
pub(super) fn held(input: &[u8]) -> Result<(), String> {
    let [pieces, input @ ..] = input else {
        return Ok(());
    };
    let whole = read(input, usize::MAX)?;
    for size in [1, 3, usize::from(pieces % 97) + 1] {
        let cut = read(input, size)?;
        // A fault may be seen later, when its line is whole: no request is seen before it.
        if cut.requests != whole.requests
            || cut.taken != whole.taken
            || (cut.broken && !whole.broken)
        {
            return Err(format!("by {size}: {cut:?}\nis not {whole:?}"));
        }
    }
    let own = input.get(..whole.taken).unwrap_or_default();
    let followed = read(&[own, NEXT].concat(), usize::MAX)?;
    let (next, before) = followed.requests.split_last().ok_or("nothing was read")?;
    if before != whole.requests || followed.broken || !next.0.contains("/next") {
        return Err(format!(
            "what follows changes it: {followed:?}\nis not {whole:?}"
        ));
    }
    Ok(())
}

/// Reads `input` in pieces of `size` bytes.
fn read(input: &[u8], size: usize) -> Result<Read, String> {
    let (mut buffer, mut seen, mut given) = (BytesMut::new(), 0, 0);
    let mut read = Read::default();
    let mut under_way: Option<(Head, Vec<u8>)> = None;
    for piece in input.chunks(size) {
        buffer.extend_from_slice(piece);
        given += piece.len();
        loop {
            let Some((head, body)) = &mut under_way else {
                let before = buffer.clone();
                match Head::take(&mut buffer, seen, LARGEST) {
                    Ok(Some((head, behind))) => {
                        let own = before.len() - behind.len();
                        told_once(&head, before.get(..own).unwrap_or_default())?;
                        (buffer, seen) = (behind.as_ref().into(), 0);
                        under_way = Some((head, Vec::new()));
                        continue;
                    }
                    Ok(None) => seen = buffer.len(),
                    Err(error) if error.status().as_u16() >= 400 => {
                        read.broken = true;
                        return Ok(read);
                    }
                    Err(error) => return Err(format!("refused with a success: {error:?}")),
                }
                break;
            };
            match head.framing.take(&mut buffer) {
                Ok(more) => body.extend_from_slice(&more),
                Err(_) => {
                    read.broken = true;
                    return Ok(read);
                }
            }
            if !head.framing.is_done() {
                // Bytes that are to come and bytes that nobody wanted are never there at once.
                if head.framing.expected() > 0 && !buffer.is_empty() {
                    return Err(format!("bytes are left in the middle of a body: {read:?}"));
                }
                break;
            }
            let told = format!(
                "{:?} {:?}",
                (&head.method, &head.uri, &head.headers),
                (head.old, head.keep, head.expects)
            );
            read.requests.push((told, std::mem::take(body)));
            read.taken = given - buffer.len();
            under_way = None;
        }
    }
    Ok(read)
}

/// A reader that is lenient where ours is strict, who takes every line feed for a line's end and white
/// space around names for nothing, sees the same headers and the same length of the body.
fn told_once(head: &Head, bytes: &[u8]) -> Result<(), String> {
    let text = bytes.trim_ascii_start();
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let wrong = |why: &str| Err(format!("{why}: {:?}", String::from_utf8_lossy(bytes)));
    lines.next();
    let (mut found, mut lengths, mut codings) = (0, Vec::new(), 0);
    for line in lines.filter(|line| !line.is_empty()) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return wrong("a line without a name");
        };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let name = name.trim_ascii().to_ascii_lowercase();
        found += 1;
        if name == CONTENT_LENGTH.as_str().as_bytes() {
            lengths.push(String::from_utf8_lossy(value).into_owned());
        } else if name == TRANSFER_ENCODING.as_str().as_bytes() {
            codings += 1;
            if !value.eq_ignore_ascii_case(b"chunked") {
                return wrong("a coding that is not chunked");
            }
        }
    }
    if found != head.headers.len() {
        return wrong("headers that others see");
    }
    let lengths: Result<Vec<u64>, _> = lengths.iter().map(|length| length.parse()).collect();
    let Ok(lengths) = lengths else {
        return wrong("a length that is no number");
    };
    let expected = head.framing.expected();
    match (codings, &*lengths) {
        (0, lengths) if lengths.iter().all(|length| *length == expected) => Ok(()),
        (1, []) if !head.framing.is_done() => Ok(()),
        _ => wrong("a body that others see elsewhere"),
    }
}
