//! `POST /v1/chat/completions`: bytes in, a reply out. What happens between is the gateway's.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio::time::timeout;
use waystation_core::{Answer, ChatRequest, ErrorType, GenerationId};
use waystation_gateway::{Batch, Caller, Reply};

use crate::{
    app::App,
    auth, body, error, preset,
    reply::{self, Waiting},
    rim::RequestId,
};

const GENERATION_ID: HeaderName = HeaderName::from_static("x-generation-id");
const SIMULATED: HeaderName = HeaderName::from_static("x-waystation-simulated");
const WARNING: HeaderName = HeaderName::from_static("x-waystation-warning");

/// Answers a chat request.
pub async fn completions(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<auth::Caller>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    request: Request,
) -> Response {
    let live = app.live();
    let (head, body) = request.into_parts();
    let limit = usize::try_from(live.config.server.max_body_bytes).unwrap_or(usize::MAX);
    let bytes = match body::read(body, limit).await {
        Ok(bytes) => bytes,
        Err(error) => return error::plain(ErrorType::PayloadTooLarge, &error.to_string()),
    };
    let parsed = ChatRequest::parse(&bytes);
    let chat = match parsed.and_then(|chat| preset::apply(chat, &live.config.presets)) {
        Ok(chat) => chat,
        Err(error) => return error::response(&error.into()),
    };
    let id = app.gateway().generation_id();
    let mut caller = caller_of(&head.headers, caller, request_id);
    caller.generation = Some(id.clone());
    let mut response = if chat.stream() {
        streamed(&app, chat, caller, id.clone()).await
    } else {
        whole(&app, chat, caller).await
    };
    // On every answer, a failure's too: its record is found by it.
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(GENERATION_ID, id);
    }
    response
}

fn caller_of(headers: &HeaderMap, caller: auth::Caller, request_id: Arc<str>) -> Caller {
    let text = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        Some(value.chars().take(512).collect::<String>())
    };
    Caller {
        generation: None,
        key: caller.key,
        request_id: Some(request_id),
        session_id: text("x-session-id").filter(|id| id.len() <= 256),
        referer: text("http-referer").or_else(|| text("referer")),
        user_agent: text("user-agent"),
    }
}

/// A streamed reply. Until the first comment is due the status is still open, so that a fast failure
/// keeps its own; after that a failure is told in band.
async fn streamed(
    app: &Arc<App>,
    chat: ChatRequest,
    caller: Caller,
    id: GenerationId,
) -> Response {
    let live = app.live();
    let Some(stream) = app.admit_stream() else {
        return error::too_many_streams();
    };
    let keepalive = (
        live.config.server.keepalive_first,
        live.config.server.keepalive,
    );
    let station = Arc::clone(app);
    let asked = chat.model().or_else(|| chat.models().next());
    let mut waiting = Waiting {
        id,
        model: asked.unwrap_or_default().into_owned(),
        created: app.now(),
        reply: Box::pin(async move { station.gateway().chat(chat, caller).await }),
    };
    let reply = match timeout(keepalive.0, &mut waiting.reply).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(error)) => return error::response(&error),
        Err(_) => Err(waiting),
    };
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    let events = HeaderValue::from_static("text/event-stream");
    headers.insert(header::CONTENT_TYPE, events);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    match &reply {
        Ok(reply) => mark(reply, headers),
        Err(_) if live.simulated => {
            headers.insert(SIMULATED, HeaderValue::from_static("true"));
        }
        Err(_) => {}
    }
    let events = reply::sse_body(reply, keepalive.1, stream);
    *response.body_mut() = Body::from_stream(events);
    response
}

/// A whole reply, folded from the same events.
async fn whole(app: &Arc<App>, chat: ChatRequest, caller: Caller) -> Response {
    let _under_way = app.metrics().begin();
    let mut reply = match app.gateway().chat(chat, caller).await {
        Ok(reply) => reply,
        Err(error) => return error::response(&error),
    };
    let mut answer = Answer::default();
    loop {
        match reply.next().await {
            Batch::Events(events) => events.into_iter().for_each(|event| answer.absorb(event)),
            Batch::Done(settled) => {
                let text = reply::completion(&reply, &answer, &settled);
                let mut response = Response::new(Body::from(text));
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(header::CONTENT_TYPE, json);
                mark(&reply, response.headers_mut());
                return response;
            }
            Batch::Failed { kind, message, .. } => {
                let mut response = error::plain(kind, &message);
                mark(&reply, response.headers_mut());
                return response;
            }
        }
    }
}

/// The headers that every reply has.
fn mark(reply: &Reply, headers: &mut HeaderMap) {
    if reply.simulated {
        headers.insert(SIMULATED, HeaderValue::from_static("true"));
    }
    if !reply.warnings.is_empty() {
        let warning: String = reply
            .warnings
            .join("; ")
            .chars()
            .filter(char::is_ascii)
            .collect();
        if let Ok(warning) = HeaderValue::from_str(&warning) {
            headers.insert(WARNING, warning);
        }
    }
}
