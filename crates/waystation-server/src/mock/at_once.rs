//! A mock that answers every request at once with the same bytes, for measuring what stands in front
//! of it. It reads as much HTTP as that takes, a head and a body of known length, and simulates
//! nothing.

use std::{io, sync::Arc};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use waystation_sim::{CannedReply, CannedWire};

/// The largest head that is read, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// What is written for each kind of request: every element in a write of its own.
struct Answers {
    chat: [Vec<Bytes>; 2],
    messages: [Vec<Bytes>; 2],
}

/// One request, as far as it decides the answer.
struct Asked {
    wire: CannedWire,
    stream: bool,
}

/// Answers until it is dropped.
///
/// # Errors
/// What the system says when connections cannot be accepted any more.
pub(super) async fn serve(listener: TcpListener, piecemeal: bool) -> io::Result<()> {
    let answers = Arc::new(Answers::new(piecemeal));
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answers = Arc::clone(&answers);
        connections.spawn(async move {
            // A peer that goes away needs no answer.
            let _ = talk(stream, &answers).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Answers the requests of one connection, one after the other.
async fn talk(mut stream: TcpStream, answers: &Answers) -> io::Result<()> {
    let mut buffer = BytesMut::with_capacity(16 * 1024);
    while let Some(asked) = request(&mut stream, &mut buffer).await? {
        for piece in answers.of(&asked) {
            stream.write_all(piece).await?;
        }
    }
    Ok(())
}

/// Reads one request; `None` when the peer is done.
async fn request(stream: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<Option<Asked>> {
    let end = loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            break end + 4;
        }
        if buffer.len() > MAX_HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = buffer.split_to(end);
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let length: usize = length.unwrap_or(0);
    while buffer.len() < length {
        buffer.reserve(length - buffer.len());
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    let body = buffer.split_to(length);
    let path = head.split(' ').nth(1).unwrap_or_default();
    let wire = if path.ends_with("/messages") {
        CannedWire::Messages
    } else {
        CannedWire::Chat
    };
    let stream = find(&body, b"\"stream\":true").is_some();
    Ok(Some(Asked { wire, stream }))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|found| found == what)
}

// === impl Answers ===

impl Answers {
    fn new(piecemeal: bool) -> Self {
        let of =
            |wire| [false, true].map(|stream| written(&CannedReply::of(wire, stream), piecemeal));
        Self {
            chat: of(CannedWire::Chat),
            messages: of(CannedWire::Messages),
        }
    }

    fn of(&self, asked: &Asked) -> &[Bytes] {
        let [whole, stream] = match asked.wire {
            CannedWire::Chat => &self.chat,
            CannedWire::Messages => &self.messages,
        };
        if asked.stream { stream } else { whole }
    }
}

/// The reply with its head, in one write, or with a write for each event.
fn written(reply: &CannedReply, piecemeal: bool) -> Vec<Bytes> {
    if !reply.stream {
        let body = reply.body();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        return vec![[head.as_bytes(), &body].concat().into()];
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: \
                chunked\r\n\r\n";
    let chunk = |piece: &Bytes| {
        let size = format!("{:x}\r\n", piece.len());
        [size.as_bytes(), piece, b"\r\n"].concat()
    };
    let mut writes = vec![head.as_bytes().to_vec()];
    writes.extend(reply.pieces.iter().map(chunk));
    if let Some(last) = writes.last_mut() {
        last.extend_from_slice(b"0\r\n\r\n");
    }
    if piecemeal {
        return writes.into_iter().map(Bytes::from).collect();
    }
    vec![writes.concat().into()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_request_after_request_on_one_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            for (body, last) in [("{}", "}}"), (r#"{"stream":true}"#, "0\r\n\r\n")] {
                let request = format!(
                    "POST /v1/chat/completions HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut reply = String::new();
                while !reply.ends_with(last) {
                    let mut buffer = [0; 4096];
                    let count = stream.read(&mut buffer).await.unwrap();
                    assert!(count > 0, "{reply}");
                    reply.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
                }
                assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
            }
        };
        tokio::select! {
            () = client => {}
            end = serve(listener, true) => panic!("{end:?}"),
        }
    }
}
