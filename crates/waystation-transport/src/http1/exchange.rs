//! One exchange up to the response's head: the request goes out while the connection is watched for an
//! answer, since a server may refuse a large body before it has read it. The body is not read here.

use std::{
    future::poll_fn,
    io::IoSlice,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http::{Method, header};
use waystation_core::{HttpRequest, Phase, ReplyHead, Sent, TransportError, write_number};

use super::{
    desk::ROOM,
    framing::{self, Framing},
    head::{Head, MAX_HEAD},
    socket::Socket,
};

/// A request on its way, and the beginning of its reply.
pub(super) struct Exchange<'a> {
    socket: Socket,
    head: &'a [u8],
    body: &'a Bytes,
    /// How much of head and body the connection has taken.
    written: usize,
    flushed: bool,
    /// Writing failed; what the server may have said before it closed is still read.
    broken: Option<std::io::Error>,
    input: BytesMut,
    /// How much of the input was gone through for the end of a head.
    seen: usize,
    /// How much of it there was when it was read as a head.
    tried: usize,
}

/// How an exchange went so far.
pub(super) enum Outcome {
    /// The head is there.
    Reply(Begun),
    /// It failed.
    Failed(TransportError),
}

/// A reply whose head is there.
pub(super) struct Begun {
    /// Status and headers.
    pub(super) head: ReplyHead,
    /// The connection, and how to read on.
    pub(super) rest: Rest,
}

/// What is needed to read a body.
pub(super) struct Rest {
    pub(super) socket: Socket,
    pub(super) framing: Framing,
    /// The connection may be used again.
    pub(super) keep: bool,
    /// What was read behind the head.
    pub(super) input: BytesMut,
}

// === impl Rest ===

impl Rest {
    /// The body, where all of it has come with the head.
    pub(super) fn here(&mut self) -> Option<Bytes> {
        let whole = match self.framing {
            Framing::Done => true,
            Framing::Length(length) => length <= self.input.len() as u64,
            Framing::Chunked(_) | Framing::UntilClose => false,
        };
        whole.then(|| self.framing.take(&mut self.input).ok())?
    }

    /// Whether another exchange may follow when the body has been read.
    pub(super) fn may_serve_again(&self) -> bool {
        self.keep && self.input.is_empty()
    }
}

/// The head of `request` as it is sent.
///
/// Nothing in it can end a line early: names, values and addresses are of types that hold no control
/// characters. Source: RFC 9112, sections 3 and 5.
pub(super) fn head(request: &HttpRequest) -> Vec<u8> {
    let HttpRequest {
        method,
        url,
        headers,
        body,
    } = request;
    let mut out = Vec::with_capacity(512);
    let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| out.extend_from_slice(part));
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    put(&[method.as_str().as_bytes(), b" "]);
    if !path.starts_with('/') {
        put(&[b"/"]);
    }
    put(&[path.as_bytes(), b" HTTP/1.1\r\n"]);
    if !headers.contains_key(header::HOST) {
        let authority = url.authority().map_or("", |authority| authority.as_str());
        put(&[b"host: ", authority.as_bytes(), b"\r\n"]);
    }
    if !headers.contains_key(header::ACCEPT) {
        put(&[b"accept: */*\r\n"]);
    }
    // Who does not say so takes any. Source: RFC 9110, section 12.5.3.
    if !headers.contains_key(header::ACCEPT_ENCODING) {
        put(&[b"accept-encoding: identity\r\n"]);
    }
    for (name, value) in headers.iter() {
        // The length is what the body says, and nothing else frames it.
        if name != header::CONTENT_LENGTH && name != header::TRANSFER_ENCODING {
            put(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
        }
    }
    let bodiless = matches!(*method, Method::GET | Method::HEAD) && body.is_empty();
    if !bodiless {
        out.extend_from_slice(b"content-length: ");
        write_number(body.len() as u64, &mut out);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

// === impl Exchange ===

impl<'a> Exchange<'a> {
    /// Nothing is sent before it runs.
    pub(super) fn new(socket: Socket, head: &'a [u8], body: &'a Bytes) -> Self {
        Self {
            socket,
            head,
            body,
            written: 0,
            flushed: false,
            broken: None,
            input: BytesMut::new(),
            seen: 0,
            tried: 0,
        }
    }

    /// Sends, and reads to the end of the head. Dropping it closes the connection.
    pub(super) async fn run(mut self) -> Outcome {
        let begun = poll_fn(|cx| self.poll(cx)).await;
        match begun {
            // What is answered before all of it was sent leaves the rest of the request in the way.
            Ok(Head {
                reply,
                framing,
                keep,
            }) => Outcome::Reply(Begun {
                head: reply,
                rest: Rest {
                    keep: keep && self.flushed,
                    socket: self.socket,
                    framing,
                    input: self.input,
                },
            }),
            Err(error) => Outcome::Failed(error),
        }
    }

    /// Sends what the connection takes, and reads what has come. An error of writing is not the last
    /// word: a server that refuses a request says why before it closes.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, TransportError>> {
        if !self.flushed
            && self.broken.is_none()
            && let Poll::Ready(Err(error)) = self.poll_send(cx)
        {
            if self.written == 0 {
                return Poll::Ready(Err(failed(Phase::Send, Sent::Nothing, &error)));
            }
            self.broken = Some(error);
        }
        loop {
            let read = match self.socket.poll_read(cx, &mut self.input, ROOM) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(read) => read,
            };
            let end = match read {
                Ok(0) => "the connection was closed before the response came".to_owned(),
                Ok(_) if !self.may_be_a_head() => continue,
                Ok(_) => match Head::take(&mut self.input) {
                    Ok(Some(head)) => return Poll::Ready(Ok(head)),
                    Ok(None) => {
                        (self.seen, self.tried) = (self.input.len(), self.input.len());
                        continue;
                    }
                    Err(error) => error.to_string(),
                },
                Err(error) => error.to_string(),
            };
            let end = self.broken.take().map_or(end, |error| error.to_string());
            return Poll::Ready(Err(TransportError {
                phase: Phase::Head,
                sent: Sent::Maybe,
                timed_out: false,
                message: end,
            }));
        }
    }

    /// Whether the input is worth being read from its beginning: where a head may end in what is new, and
    /// where it is twice as long as before, so that nonsense is known soon, and one that comes byte by byte
    /// costs no more than twice what it would in one piece.
    fn may_be_a_head(&mut self) -> bool {
        let size = self.input.len();
        let worth =
            size >= 2 * self.tried || size > MAX_HEAD || framing::may_end(&self.input, self.seen);
        self.seen = size;
        worth
    }

    /// Writes what is left of the request.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let (head, body) = (self.head, self.body);
        while self.written < head.len() + body.len() {
            let in_body = self.written.saturating_sub(head.len());
            let slices = [
                IoSlice::new(head.get(self.written..).unwrap_or_default()),
                IoSlice::new(body.get(in_body..).unwrap_or_default()),
            ];
            let slices = if self.written < head.len() {
                &slices[..]
            } else {
                &slices[1..]
            };
            match std::task::ready!(self.socket.poll_write(cx, slices)) {
                Ok(0) => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                Ok(count) => self.written += count,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        std::task::ready!(self.socket.poll_flush(cx))?;
        self.flushed = true;
        Poll::Ready(Ok(()))
    }
}

/// A failure of the connection. The system's own words name no address.
pub(super) fn failed(phase: Phase, sent: Sent, error: &std::io::Error) -> TransportError {
    TransportError {
        phase,
        sent,
        timed_out: error.kind() == std::io::ErrorKind::TimedOut,
        message: error.to_string(),
    }
}
