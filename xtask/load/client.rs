//! A client that keeps many requests on one HTTP/2 connection: a gateway that may open so many files
//! can then have almost as many streams towards providers. It reads replies, and judges their form.

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::Failure;

/// One connection.
#[derive(Clone)]
pub(crate) struct Client {
    send: SendRequest<Full<Bytes>>,
    authority: String,
}

/// A reply whose head is there.
pub(crate) struct Opened(Response<Incoming>);

/// How a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ended {
    /// A complete answer.
    Answer,
    /// A stream that told of a failure and ended as it should.
    Broken,
    /// An error with this status and an envelope.
    Refused(u16),
    /// Anything that no client should ever see.
    Malformed,
}

// === impl Client ===

impl Client {
    /// Opens a connection to `authority`.
    pub(crate) async fn open(authority: &str) -> Result<Self, Failure> {
        let socket = TcpStream::connect(authority).await?;
        socket.set_nodelay(true)?;
        let (send, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await?;
        tokio::spawn(connection);
        Ok(Self {
            send,
            authority: authority.to_owned(),
        })
    }

    /// Asks for a chat completion.
    pub(crate) async fn chat(&self, body: String) -> Result<Opened, Failure> {
        let request = Request::post(format!("http://{}/v1/chat/completions", self.authority))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body.into()))?;
        Ok(Opened(self.send.clone().send_request(request).await?))
    }
}

// === impl Opened ===

impl Opened {
    /// The next piece of the body; `None` at its end.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            match self.0.body_mut().frame().await {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(data) = frame?.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// Reads to the end, and says how it ended.
    pub(crate) async fn ended(self) -> Result<Ended, Failure> {
        self.ended_after(|_| {}).await
    }

    /// The same, and calls `came` for every piece.
    pub(crate) async fn ended_after(
        mut self,
        mut came: impl FnMut(&[u8]),
    ) -> Result<Ended, Failure> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece().await? {
            came(&piece);
            body.extend_from_slice(&piece);
        }
        let text = String::from_utf8_lossy(&body);
        let streamed = self.0.headers().get(header::CONTENT_TYPE);
        let streamed = streamed.is_some_and(|kind| kind.as_bytes() == b"text/event-stream");
        let status = self.0.status();
        Ok(match (status == StatusCode::OK, streamed) {
            (true, true) if !text.ends_with("data: [DONE]\n\n") => Ended::Malformed,
            (true, true) if text.contains("\"finish_reason\":\"error\"") => Ended::Broken,
            (true, true) if text.contains("\"usage\":{") => Ended::Answer,
            (true, false) if text.contains("\"finish_reason\":\"") => Ended::Answer,
            (false, _) if text.starts_with("{\"error\":{\"code\":") => {
                Ended::Refused(status.as_u16())
            }
            _ => Ended::Malformed,
        })
    }
}
