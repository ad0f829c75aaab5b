//! `POST /v1/chat/completions`: bytes in, a reply out. What happens between is the gateway's.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use http::{HeaderName, HeaderValue, header};
use tokio::time::timeout;
use waystation_core::{ChatRequest, GenerationId, Headers, Share};
use waystation_gateway::{Batch, Caller, GatewayError, Reply};

use crate::{
    app::App,
    auth,
    body::{self, Source},
    error,
    head::firsts,
    message::{Answer, Asked, Content},
    plugins, preset,
    reply::{self, Held, Metadata, Waiting},
    rim::RequestId,
};

const SIMULATED: HeaderName = HeaderName::from_static("x-waystation-simulated");
static SESSION: HeaderName = HeaderName::from_static("x-session-id");
static REFERER: HeaderName = HeaderName::from_static("http-referer");

/// A request's place among all requests, and its body's share of the memory for bodies.
type Place = (Share, body::Taken);

/// Answers a chat request that came through the router.
pub async fn completions(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<auth::Caller>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    request: Request,
) -> Response {
    answer(app, (caller, request_id), request.into())
        .await
        .into()
}

/// Answers a chat request of somebody who may ask. What is waited for holds nothing of the head.
pub(crate) fn answer<B>(
    app: Arc<App>,
    (caller, request_id): (auth::Caller, Arc<str>),
    asked: Asked<B>,
) -> impl Future<Output = Answer> + Send + use<B>
where
    B: Source + Send,
{
    let Asked { headers, body, .. } = asked;
    let metadata = Metadata::wanted(&headers, || app.gateway().snapshot());
    let mut caller = caller_of(&headers, caller, request_id);
    drop(headers);
    async move {
        let (chat, place) = match receive(&app, body).await {
            Ok(received) => received,
            Err(refusal) => return (*refusal).into(),
        };
        let (id, now) = app.gateway().arrival();
        (caller.generation, caller.arrived) = (Some(id.clone()), Some(now));
        let notes = Arc::clone(&caller.notes);
        // On the heap, both: they are large, and what they stand in is moved from layer to layer.
        let answer = if chat.stream() {
            let end = app.end().clone();
            let held = Held {
                place,
                metadata,
                end,
            };
            let streamed = Box::pin(streamed(&app, chat, caller, (id.clone(), held)));
            app.end().before(streamed).await
        } else {
            let whole = Box::pin(whole(&app, chat, caller, metadata));
            let answer = app.end().before(whole).await;
            drop(place);
            answer
        };
        let mut answer = answer.unwrap_or_else(|| error::shutting_down().into());
        // On every answer, a failure's too: its record is found by it.
        answer.ids.generation = Some(id);
        // On failures too: a misspelt guard rail must be seen.
        plugins::warn(
            notes.get().map(Vec::as_slice).unwrap_or_default(),
            &mut answer.headers,
        );
        answer
    }
}

/// Reads a body, and what it asks for; or the answer that it gets in place of its reply.
async fn receive<B>(app: &App, body: B) -> Result<(ChatRequest, Place), Box<Response>>
where
    B: Source,
{
    let live = app.live();
    // Before the body is read: what cannot be served is not to cost memory.
    let Some(place) = app.admit() else {
        return Err(Box::new(error::too_many_requests()));
    };
    let read = body::read(body, live.config.server.body_bounds(), app.room()).await;
    let (bytes, room) = read.map_err(|error| Box::new(error::body(&error)))?;
    let parsed = ChatRequest::parse(&bytes);
    let chat = parsed.and_then(|chat| preset::apply(chat, &live.config.presets));
    let chat = chat.map_err(|error| Box::new(error::response(&error.into())))?;
    Ok((chat, (place, room)))
}

fn caller_of(headers: &Headers, caller: auth::Caller, request_id: Arc<str>) -> Caller {
    // What a header may say is ASCII: bytes are characters.
    let text = |value: Option<&HeaderValue>| {
        let value = value?.to_str().ok()?;
        Some(value.get(..512).unwrap_or(value).to_owned())
    };
    let wanted = [&SESSION, &REFERER, &header::REFERER, &header::USER_AGENT];
    let [session, referer, usual_referer, user_agent] = firsts(headers, wanted);
    Caller {
        key: caller.key,
        request_id: Some(request_id),
        session_id: text(session).filter(|id| id.len() <= 256),
        referer: text(referer).or_else(|| text(usual_referer)),
        user_agent: text(user_agent),
        ..Caller::default()
    }
}

/// A streamed reply. Until the first comment is due the status is still open, so that a fast failure
/// keeps its own; after that a failure is told in band.
async fn streamed(
    app: &Arc<App>,
    chat: ChatRequest,
    caller: Caller,
    (id, held): (GenerationId, Held<Place>),
) -> Answer {
    let live = app.live();
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
        Ok(Err(error)) => return refused(&error, held.metadata.as_ref()),
        Err(_) => Err(waiting),
    };
    let mut headers = Headers::default();
    headers.append(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    match &reply {
        Ok(reply) => mark(reply, &mut headers),
        Err(_) if live.simulated => headers.insert(SIMULATED, HeaderValue::from_static("true")),
        Err(_) => {}
    }
    let events = reply::sse_body(reply, keepalive.1, held);
    let events = Content::Coming(Body::from_stream(events));
    Answer {
        headers,
        ..Answer::of("text/event-stream", events)
    }
}

/// A whole reply, folded from the same events.
async fn whole(
    app: &Arc<App>,
    chat: ChatRequest,
    caller: Caller,
    metadata: Option<Metadata>,
) -> Answer {
    let _under_way = app.metrics().begin();
    let mut reply = match app.gateway().chat(chat, caller).await {
        Ok(reply) => reply,
        Err(error) => return refused(&error, metadata.as_ref()),
    };
    let mut folded = waystation_core::Answer::default();
    loop {
        match reply.next().await {
            Batch::Events(events) => events.into_iter().for_each(|event| folded.absorb(event)),
            Batch::Done(settled) => {
                let text = reply::completion(&reply, &folded, &settled, metadata.as_ref());
                let mut answer = Answer::of("application/json", Content::Whole(text));
                mark(&reply, &mut answer.headers);
                return answer;
            }
            Batch::Failed { kind, message, .. } => {
                let mut answer = Answer::from(error::plain(kind, &message));
                mark(&reply, &mut answer.headers);
                return answer;
            }
        }
    }
}

/// The headers that every reply has.
fn mark(reply: &Reply, headers: &mut Headers) {
    if reply.simulated {
        headers.insert(SIMULATED, HeaderValue::from_static("true"));
    }
    plugins::mark(&reply.stages, headers);
}

/// A failure before anything was shown.
fn refused(error: &GatewayError, metadata: Option<&Metadata>) -> Answer {
    let metadata = metadata.and_then(|wanted| wanted.failed(error));
    error::response_with(error, metadata.as_deref()).into()
}
