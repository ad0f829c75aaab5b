//! The data plane's routes: `/v1/*`, the same under `/api/v1/*`, health and readiness. What is not
//! built answers 404 with the envelope, never 501: some clients retry a 5xx for minutes.

pub mod chat;
pub mod explain;
pub mod feedback;
pub mod health;
pub mod models;
pub mod records;

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    middleware,
    response::Response,
    routing::{get, post},
};
use http::Method;
use waystation_core::ErrorType;

use crate::{app::App, error, rim};

/// Every route of the data plane.
pub fn router(app: &Arc<App>) -> Router {
    Router::new()
        .nest("/v1", api())
        .nest("/api/v1", api())
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(app), rim::rim))
        .with_state(Arc::clone(app))
}

fn api() -> Router<Arc<App>> {
    Router::new()
        .route("/chat/completions", post(chat::completions))
        .route("/route/explain", post(explain::explain))
        .route("/models", get(models::list))
        .route("/models/count", get(models::count))
        .route("/models/user", get(models::list))
        .route("/models/{author}/{slug}/endpoints", get(models::endpoints))
        .route("/model/{author}/{slug}", get(models::one))
        .route("/providers", get(models::providers))
        .route("/generation", get(records::generation))
        .route("/feedback", get(feedback::list).post(feedback::give))
        .route("/key", get(records::key))
        .route("/auth/key", get(records::key))
}

pub(crate) async fn not_found(request: Request) -> Response {
    let message = format!("there is no {} {}", request.method(), request.uri().path());
    error::plain(ErrorType::NotFound, &message)
}

async fn wrong_method(method: Method, request: Request) -> Response {
    let message = format!("{method} is not what {} takes", request.uri().path());
    error::plain_status(
        http::StatusCode::METHOD_NOT_ALLOWED,
        ErrorType::InvalidRequest,
        &message,
    )
}
