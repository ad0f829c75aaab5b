//! A whole gateway in this process over an upstream that answers from memory. Measures nothing itself.

use std::{hint::black_box, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode, header};
use serde_json::json;
use tokio::runtime::Runtime;
use waystation_core::{
    Headers, HttpRequest, HttpStream, ReplyHead, SendLimits, Transport, TransportError,
};
use waystation_sim::ReplayTransport;
use waystation_tests::{Setup, Station};

use crate::chat;

/// Answers every request at once with the same bytes.
struct Canned {
    head: ReplyHead,
    body: Bytes,
}

#[async_trait]
impl Transport for Canned {
    async fn send(
        &self,
        request: HttpRequest,
        _: SendLimits,
    ) -> Result<HttpStream, TransportError> {
        black_box(request);
        let body = futures_util::stream::iter([Ok(self.body.clone())]);
        Ok(HttpStream {
            head: self.head.clone(),
            body: Box::pin(body),
        })
    }
}

/// One kind of request to a whole gateway in this process, ready to be sent.
pub struct Load {
    /// What it is.
    pub name: &'static str,
    station: Station,
    body: Bytes,
}

/// A gateway over an upstream that answers with `reply`, and a request of about `bytes` bytes.
///
/// # Panics
/// Never: the parts fit together.
#[must_use]
pub fn load(name: &'static str, bytes: usize, reply: Bytes, stream: bool) -> Load {
    let kind = if stream {
        "text/event-stream"
    } else {
        "application/json"
    };
    let mut headers = Headers::default();
    headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
    let canned = Canned {
        head: ReplyHead {
            status: StatusCode::OK,
            headers,
        },
        body: reply,
    };
    let setup = Setup::empty()
        .env("OPENAI_API_KEY", "sk-1")
        .env("GROQ_API_KEY", "gsk-1");
    let app = setup.app(Arc::new(canned));
    let unused = Arc::new(ReplayTransport::queue([]));
    Load {
        name,
        station: Station::new(app, unused),
        body: chat("openai/gpt-5.4", bytes, json!({"stream": stream})),
    }
}

impl Load {
    /// Asks once; the reply's size.
    ///
    /// # Panics
    /// When the answer is not 200.
    pub async fn once(&self) -> usize {
        let request = Station::request(Method::POST, "/v1/chat/completions", self.body.clone());
        let got = self.station.whole(request).await;
        assert_eq!(got.status, 200, "{}", got.text());
        got.body.len()
    }
}

/// A runtime of one thread.
///
/// # Panics
/// When the system has none.
#[must_use]
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
}
