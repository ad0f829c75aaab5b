//! `POST /v1/route/explain`: the plan of a chat request as JSON. Sends nothing.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::Response,
};
use http::StatusCode;
use waystation_core::RawJson;

use crate::{
    app::App,
    body, error,
    explanation::{self, Given},
};

/// Explains the plan that a chat request would get now. Nothing to try: the status and the error
/// that the chat request would get, with `dropped` filled in.
pub async fn explain(State(app): State<Arc<App>>, request: Request) -> Response {
    let bounds = app.live().config.server.body_bounds();
    let (bytes, _room) = match body::read(request.into_body(), bounds, app.room()).await {
        Ok(read) => read,
        Err(error) => return error::body(&error),
    };
    let (mut explanation, refusal) = explanation::of(&app, &bytes, &Given::default()).await;
    let Some(refusal) = refusal else {
        return error::json(StatusCode::OK, RawJson::of(&explanation).bytes().to_vec());
    };
    // The error is written where all errors are, and stands in the explanation's own object.
    explanation.error = None;
    let mut out = RawJson::of(&explanation).bytes().to_vec();
    if out.last() == Some(&b'}') {
        out.pop();
        out.extend_from_slice(b",\"error\":");
        error::write(&refusal, &mut out);
        out.push(b'}');
    }
    error::json(refusal.kind().status(), out)
}
