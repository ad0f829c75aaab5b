//! `POST /v1/route/explain`: the plan of a chat request as JSON. Sends nothing.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::Response,
};
use http::StatusCode;
use waystation_core::{ErrorType, RawJson};

use crate::{
    app::App,
    body, error,
    explanation::{self, Given},
};

/// Explains the plan that a chat request would get now. Nothing to try: the status and the error
/// that the chat request would get, with `dropped` filled in.
pub async fn explain(State(app): State<Arc<App>>, request: Request) -> Response {
    let limit = usize::try_from(app.live().config.server.max_body_bytes).unwrap_or(usize::MAX);
    let bytes = match body::read(request.into_body(), limit).await {
        Ok(bytes) => bytes,
        Err(error) => return error::plain(ErrorType::PayloadTooLarge, &error.to_string()),
    };
    let explanation = explanation::of(&app, &bytes, &Given::default()).await;
    let code = explanation.error.as_ref().map_or(200, |error| error.code);
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::OK);
    error::json(status, RawJson::of(&explanation).bytes().to_vec())
}
