//! Replies of HTTP/1.1, as the transport reads them: heads, bodies, and what is behind them. A law that
//! is broken here is one reply that two readers take for two.

use bytes::BytesMut;
use http::header;

use super::head::Head;

/// A reply, read as far as it goes.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    /// Status and headers, once they are there.
    head: Option<String>,
    body: Vec<u8>,
    end: End,
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    /// More is to come.
    Open,
    /// It is none.
    Broken,
    /// It is complete; this many bytes belong to something else.
    Done { keep: bool, behind: usize },
}

/// What could follow on a connection that is kept.
const NEXT: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n0";

/// Holds the reader to its laws. The first byte says how the input is cut.
pub(super) fn held(input: &[u8]) -> Result<(), String> {
    let [pieces, input @ ..] = input else {
        return Ok(());
    };
    let whole = read(input, usize::MAX)?;
    for size in [1, 3, usize::from(pieces % 97) + 1] {
        let cut = read(input, size)?;
        // How much of a body was given out before it turned out to be broken depends on the cut.
        let broken = cut.end == End::Broken && whole.end == End::Broken && cut.head == whole.head;
        if cut != whole && !broken {
            return Err(format!("by {size}: {cut:?}\nis not {whole:?}"));
        }
    }
    let End::Done { keep, behind } = whole.end else {
        return Ok(());
    };
    let own = input.get(..input.len() - behind).unwrap_or_default();
    for next in [&b""[..], b"\r\n", NEXT] {
        let followed = read(&[own, next].concat(), usize::MAX)?;
        let behind = next.len();
        let expected = Read {
            head: whole.head.clone(),
            body: whole.body.clone(),
            end: End::Done { keep, behind },
        };
        if followed != expected {
            return Err(format!(
                "what follows changes it: {followed:?}\nis not {expected:?}"
            ));
        }
    }
    Ok(())
}

/// Reads `input` in pieces of `size` bytes.
fn read(input: &[u8], size: usize) -> Result<Read, String> {
    let (mut buffer, mut head) = (BytesMut::new(), None::<Head>);
    let mut read = Read {
        head: None,
        body: Vec::new(),
        end: End::Open,
    };
    let mut given = 0;
    for piece in input.chunks(size) {
        buffer.extend_from_slice(piece);
        given += piece.len();
        if head.is_none() {
            match Head::take(&mut buffer) {
                Ok(found) => head = found,
                Err(_) => {
                    read.end = End::Broken;
                    return Ok(read);
                }
            }
        }
        let Some(head) = &mut head else { continue };
        read.head.get_or_insert_with(|| format!("{:?}", head.reply));
        match head.framing.take(&mut buffer) {
            Ok(body) => read.body.extend_from_slice(&body),
            Err(_) => {
                read.end = End::Broken;
                return Ok(read);
            }
        }
        // Bytes that are to come and bytes that nobody wanted are never there at once.
        if head.framing.expected() > 0 && !buffer.is_empty() {
            return Err(format!("bytes are left in the middle of a body: {read:?}"));
        }
        if head.framing.is_done() {
            let behind = input.len() - given + buffer.len();
            let keep = head.keep;
            read.end = End::Done { keep, behind };
            return framed(head, &read).map(|()| read);
        }
    }
    Ok(read)
}

/// A complete body is as long as its head says; a head that says it twice ends the connection.
fn framed(head: &Head, read: &Read) -> Result<(), String> {
    let headers = &head.reply.headers;
    let chunked = headers.contains_key(header::TRANSFER_ENCODING);
    let length = headers.get(header::CONTENT_LENGTH);
    if head.keep && chunked && length.is_some() {
        return Err(format!("kept behind two framings: {read:?}"));
    }
    if head.keep && !chunked && length.is_none() && !bodiless(head) {
        return Err(format!("kept behind a body without an end: {read:?}"));
    }
    if let (Some(length), false, false) = (length, chunked, bodiless(head))
        && length.as_bytes() != read.body.len().to_string().as_bytes()
        && length.as_bytes().first() != Some(&b'0')
    {
        return Err(format!("not as long as it says: {read:?}"));
    }
    Ok(())
}

fn bodiless(head: &Head) -> bool {
    matches!(head.reply.status.as_u16(), 204 | 304)
}
