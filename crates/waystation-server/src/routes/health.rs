//! `GET /health` and `GET /ready`: whether the process answers, and whether it can serve.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use waystation_core::ObjectWriter;

use crate::{app::App, error};

/// Always 200 while the process answers.
pub async fn health(State(app): State<Arc<App>>) -> Response {
    let snapshot = app.gateway().snapshot();
    let mut out = Vec::new();
    let mut object = ObjectWriter::open(&mut out);
    object
        .string("status", "ok")
        .string("version", env!("CARGO_PKG_VERSION"));
    object.string("catalog", snapshot.catalog.version());
    object.close();
    error::json(http::StatusCode::OK, out)
}

/// 200 when requests can be served; the status says `simulated` when upstreams are.
pub async fn ready(State(app): State<Arc<App>>) -> Response {
    let live = app.live();
    let routes = app.gateway().snapshot().routes.len();
    let (code, status) = match (live.simulated, routes) {
        (true, _) => (http::StatusCode::OK, "simulated"),
        (false, 0) => (http::StatusCode::SERVICE_UNAVAILABLE, "no provider"),
        (false, _) => (http::StatusCode::OK, "ready"),
    };
    let mut out = Vec::new();
    let mut object = ObjectWriter::open(&mut out);
    object
        .string("status", status)
        .number("providers", u64::try_from(routes).unwrap_or(u64::MAX));
    object.close();
    error::json(code, out)
}
