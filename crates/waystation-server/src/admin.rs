//! The admin listener: metrics and health, never on the data plane. Without a management key it
//! shows nothing else, wherever it listens.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::get,
};
use http::{HeaderValue, StatusCode, header};
use waystation_core::ErrorType;

use crate::{app::App, error, metrics, routes::health};

/// Every route of the admin listener.
pub fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/metrics", get(prometheus))
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .fallback(not_found)
        .with_state(Arc::clone(app))
}

async fn not_found(request: Request) -> Response {
    let message = format!(
        "there is no {} {}; the admin listener has /metrics, /health and /ready",
        request.method(),
        request.uri().path()
    );
    error::plain(ErrorType::NotFound, &message)
}

/// Prometheus text format 0.0.4.
async fn prometheus(State(app): State<Arc<App>>) -> Response {
    let mut response = Response::new(axum::body::Body::from(metrics::text(&app)));
    *response.status_mut() = StatusCode::OK;
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    response
}
