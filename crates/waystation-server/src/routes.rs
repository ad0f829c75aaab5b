//! The data plane's routes: `/v1/*`, the same under `/api/v1/*`, health and readiness. What is not
//! built answers 404 with the envelope, never 501: some clients retry a 5xx for minutes.

pub mod chat;
pub mod explain;
pub mod feedback;
pub mod health;
pub mod models;
mod paths;
pub mod records;

use std::{pin::Pin, sync::Arc};

use axum::{
    BoxError, Router,
    body::Body,
    extract::Request,
    middleware,
    response::Response,
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::Method;
use hyper::body::Body as HttpBody;
use tower::Service as _;
use waystation_core::ErrorType;

use crate::{
    app::App,
    body::Source,
    error,
    message::{Answer, Asked},
    rim,
};

/// What stands before every path of the interface.
const PREFIXES: [&str; 2] = ["/v1", "/api/v1"];
/// Where chat requests go.
const CHAT: &str = "/chat/completions";

/// What a connection's requests are answered by: the router, and without its layers what nearly all
/// of them want.
#[derive(Clone, Debug)]
pub struct Site {
    router: Router,
    app: Option<Arc<App>>,
}

/// An answer under way.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

// === impl Site ===

impl Site {
    /// The data plane.
    #[must_use]
    pub fn of(app: &Arc<App>) -> Self {
        Self {
            router: router(app),
            app: Some(Arc::clone(app)),
        }
    }

    /// Answers one request. The router would answer the same.
    ///
    /// On the heap, each with what it needs and no more: what stands around an answer is moved.
    pub(crate) fn answer<B>(&self, asked: Asked<B>) -> Answering
    where
        B: Source + HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        match &self.app {
            Some(app) if is_chat(&asked) => chat(Arc::clone(app), asked),
            _ => {
                let request = http::Request::from(asked).map(Body::new);
                let answer = self.router.clone().call(request);
                Box::pin(answer.map(|answer| answer.unwrap_or_else(|never| match never {}).into()))
            }
        }
    }
}

impl From<Router> for Site {
    /// A site that has nothing but its router.
    fn from(router: Router) -> Self {
        Self { router, app: None }
    }
}

/// Answers a chat request as the router would, the rim included.
fn chat<B>(app: Arc<App>, asked: Asked<B>) -> Answering
where
    B: Source + Send + 'static,
{
    let (entrance, admitted) = rim::Entrance::of(&app, &asked);
    match admitted {
        Ok(caller) => {
            let who = (caller, Arc::clone(&entrance.id));
            let answer = chat::answer(app, who, asked);
            Box::pin(answer.map(|answer| entrance.mark(answer)))
        }
        Err(refusal) => Box::pin(std::future::ready(entrance.mark((*refusal).into()))),
    }
}

fn is_chat<B>(asked: &Asked<B>) -> bool {
    let path = asked.uri.path();
    let below = |prefix: &str| path.strip_prefix(prefix) == Some(CHAT);
    asked.method == Method::POST && PREFIXES.into_iter().any(below)
}

/// Every route of the data plane.
pub fn router(app: &Arc<App>) -> Router {
    Router::new()
        .nest(PREFIXES[0], api())
        .nest(PREFIXES[1], api())
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(app), rim::rim))
        .with_state(Arc::clone(app))
}

fn api() -> Router<Arc<App>> {
    Router::new()
        .route(CHAT, post(chat::completions))
        .route("/route/explain", post(explain::explain))
        .route("/models", get(models::list))
        .route("/models/count", get(models::count))
        .route("/models/user", get(models::list))
        .route("/models/{id}", get(models::retrieve_by_id))
        .route("/models/{author}/{slug}", get(models::retrieve))
        .route("/models/{author}/{slug}/endpoints", get(models::endpoints))
        .route("/model/{author}/{slug}", get(models::one))
        .route("/providers", get(models::providers))
        .route("/generation", get(records::generation))
        .route("/feedback", get(feedback::list).post(feedback::give))
        .route("/key", get(records::key))
        .route("/auth/key", get(records::key))
}

async fn not_found(request: Request) -> Response {
    let path = request.uri().path();
    let meant = paths::meant(path).unwrap_or_default();
    let message = format!("there is no {} {path}{meant}", request.method());
    error::plain(ErrorType::NotFound, &message)
}

async fn wrong_method(method: Method, request: Request) -> Response {
    let path = request.uri().path();
    let message = format!("{path} takes {}, not {method}", paths::takes(path));
    error::plain_status(
        http::StatusCode::METHOD_NOT_ALLOWED,
        ErrorType::InvalidRequest,
        &message,
    )
}
