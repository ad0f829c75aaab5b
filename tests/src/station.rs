//! A running gateway as its clients see it, and as its upstreams do.

use std::{fmt, sync::Arc};

use axum::{Router, body::Body};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use waystation_core::HttpRequest;
use waystation_server::{app::App, routes};
use waystation_sim::{ReplayTransport, fixtures};

use crate::{Streamed, Whole};

/// One gateway in this process.
pub struct Station {
    app: Arc<App>,
    router: Router,
    upstream: Arc<ReplayTransport>,
}

/// A reply whose body is read step by step.
pub struct Opened {
    response: Response<Body>,
}

/// A chat body that asks M.
#[must_use]
pub fn ask(more: Value) -> Value {
    asking(fixtures::M, more)
}

/// A chat body that asks `model`, with further members.
///
/// # Panics
/// When `more` is no object.
#[must_use]
pub fn asking(model: &str, more: Value) -> Value {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]});
    let Value::Object(more) = more else {
        panic!("expected an object, found {more}")
    };
    body.as_object_mut().expect("an object").extend(more);
    body
}

// === impl Station ===

impl Station {
    /// A station over this gateway.
    #[must_use]
    pub fn new(app: Arc<App>, upstream: Arc<ReplayTransport>) -> Self {
        let router = routes::router(&app);
        Self {
            app,
            router,
            upstream,
        }
    }

    /// The gateway itself.
    #[must_use]
    pub const fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// The scripted upstreams.
    #[must_use]
    pub fn upstream(&self) -> &ReplayTransport {
        &self.upstream
    }

    /// Everything that went upstream.
    #[must_use]
    pub fn sent(&self) -> Vec<HttpRequest> {
        self.upstream.requests()
    }

    /// The bodies that went upstream, parsed.
    ///
    /// # Panics
    /// When one is no JSON.
    #[must_use]
    pub fn bodies(&self) -> Vec<Value> {
        let requests = self.sent();
        let bodies = requests.iter().map(|r| serde_json::from_slice(&r.body));
        bodies.map(|body| body.expect("JSON")).collect()
    }

    /// The hosts that were asked, in order, without `.mock`.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        let requests = self.sent();
        let hosts = requests.iter().filter_map(|request| request.url.host());
        hosts
            .map(|host| host.trim_end_matches(".mock").to_owned())
            .collect()
    }

    /// Sends any request; the body is not read.
    ///
    /// # Panics
    /// Never: the router answers everything.
    pub async fn send(&self, request: Request<Body>) -> Response<Body> {
        let answered = self.router.clone().oneshot(request).await;
        answered.unwrap_or_else(|never| match never {})
    }

    /// A request as a client on this machine sends it.
    ///
    /// # Panics
    /// When the path is none.
    #[must_use]
    pub fn request(method: Method, path: &str, body: impl Into<Bytes>) -> Request<Body> {
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "127.0.0.1:8080")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.into()))
            .expect("a path")
    }

    /// Sends `request` and reads the reply to its end.
    pub async fn whole(&self, request: Request<Body>) -> Whole {
        Whole::read(self.send(request).await).await
    }

    /// `POST /v1/chat/completions` with these very bytes.
    pub async fn post(&self, body: impl Into<Bytes>) -> Whole {
        self.whole(Self::request(Method::POST, "/v1/chat/completions", body))
            .await
    }

    /// `POST /v1/chat/completions`, a whole reply.
    pub async fn chat(&self, body: Value) -> Whole {
        self.post(body.to_string()).await
    }

    /// The same with `stream: true`, read to its end.
    ///
    /// # Panics
    /// When the body is no object.
    pub async fn stream(&self, mut body: Value) -> Streamed {
        body["stream"] = json!(true);
        self.open(body).await.rest().await
    }

    /// The same as `body` says it, read as the test pleases.
    pub async fn open(&self, body: Value) -> Opened {
        let request = Self::request(Method::POST, "/v1/chat/completions", body.to_string());
        Opened {
            response: self.send(request).await,
        }
    }

    /// `GET` of a path.
    pub async fn get(&self, path: &str) -> Whole {
        self.whole(Self::request(Method::GET, path, Bytes::new()))
            .await
    }

    /// The record of a generation: `data` of `GET /v1/generation`.
    ///
    /// # Panics
    /// When there is none.
    pub async fn record(&self, id: &str) -> Value {
        let got = self.get(&format!("/v1/generation?id={id}")).await;
        assert_eq!(got.status, 200, "{}", got.text());
        got.json()["data"].clone()
    }
}

impl fmt::Debug for Station {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Station")
            .field("upstream", &self.upstream)
            .finish_non_exhaustive()
    }
}

// === impl Opened ===

impl Opened {
    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The next frame of the body; `None` at its end.
    ///
    /// # Panics
    /// When the body breaks: ours never does.
    pub async fn frame(&mut self) -> Option<Bytes> {
        let frame = self.response.body_mut().frame().await?;
        Some(
            frame
                .expect("a body that does not break")
                .into_data()
                .unwrap_or_default(),
        )
    }

    /// Reads frames until one holds `text`, and gives all of them.
    ///
    /// # Panics
    /// When the body ends before.
    pub async fn until(&mut self, text: &str) -> String {
        let mut seen = String::new();
        while !seen.contains(text) {
            let frame = self.frame().await;
            let frame = frame.unwrap_or_else(|| panic!("no {text:?} in {seen:?}"));
            seen.push_str(&String::from_utf8_lossy(&frame));
        }
        seen
    }

    /// Reads to the end, as a stream.
    pub async fn rest(self) -> Streamed {
        Streamed::read(self.response).await
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
