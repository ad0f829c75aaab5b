//! `POST /v1/feedback`: what a client thought of an answer, kept beside the decision that chose its model;
//! `GET /v1/feedback`: the records that have a score, one a line, for `waystation auto --replay`. What a
//! score teaches is `waystation-auto`'s.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use http::{HeaderValue, header};
use waystation_auto::{Counted, Logged};
use waystation_core::{
    Entry, ErrorType, Feedback, GenerationId, InvalidRequest, Json, Kind, ObjectWriter, RawJson,
};

use super::models::{data, text};
use crate::{app::App, auth::Caller, auto_router, body, error};

/// The longest label, in characters.
const LABEL: usize = 64;
/// The members of a body.
const MEMBERS: [&str; 3] = ["generation_id", "score", "label"];

/// What a client says of one answer.
#[derive(Debug)]
struct Said {
    generation: String,
    score: f32,
    label: Option<String>,
}

/// Takes a score from 0 to 1 for one generation of the caller's own.
///
/// A later score replaces the earlier on the record; the router learns from the first one only, and only
/// where the operator wants that.
pub async fn give(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let live = app.live();
    let bounds = live.config.server.body_bounds();
    let (bytes, _room) = match body::read(request.into_body(), bounds, app.room()).await {
        Ok(read) => read,
        Err(error) => return error::body(&error),
    };
    let said = match read(&bytes) {
        Ok(said) => said,
        Err(error) => return error::response(&error.into()),
    };
    let id = said.generation.parse::<GenerationId>().ok();
    let entry = id.and_then(|id| app.ledger().get(&id));
    let Some(entry) = entry.filter(|entry| entry.key == caller.key) else {
        let id: String = said.generation.chars().take(100).collect();
        let message = format!(
            "generation_id: there is no generation {id:?}; the latest ones are kept in memory"
        );
        return error::plain(ErrorType::NotFound, &message);
    };
    let mut feedback = Feedback {
        score: said.score,
        label: said.label,
        at: app.now(),
        counted: false,
    };
    let before = entry
        .feedback
        .as_ref()
        .is_some_and(|earlier| earlier.counted);
    let note = if before {
        "the router learned from the earlier score of this generation"
    } else if auto_router::counts_feedback(&live.config) {
        match learn(&app, &entry, &feedback) {
            Ok(()) => "",
            Err(reason) => reason,
        }
    } else {
        "the router does not learn: [plugins.auto-router] feedback is off"
    };
    feedback.counted = before || note.is_empty();
    // One that the ledger forgot meanwhile is as good as rated: nobody can ask for it any more.
    app.ledger().rate(&entry.id, feedback.clone());
    data(|out| {
        let mut object = ObjectWriter::open(out);
        write(&entry, &feedback, &mut object);
        object.bool("counted", note.is_empty());
        text(
            &mut object,
            "note",
            Some(note).filter(|note| !note.is_empty()),
        );
        object.close();
    })
}

/// The caller's records that have a score, oldest first, a JSON object a line. No prompt and no answer is in
/// them.
pub async fn list(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Response {
    let mut out = Vec::new();
    let mut entries = app.ledger().latest(usize::MAX);
    entries.reverse();
    for entry in entries.iter().filter(|entry| entry.key == caller.key) {
        if let Some(feedback) = &entry.feedback {
            line(entry, feedback, &mut out);
        }
    }
    let mut response = Response::new(Body::from(out));
    let lines = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, lines);
    response
}

/// Lets the router learn from a score.
///
/// # Errors
/// Why there is nothing to learn, for the client.
fn learn(app: &App, entry: &Entry, feedback: &Feedback) -> Result<(), &'static str> {
    let mut out = Vec::new();
    line(entry, feedback, &mut out);
    let record = Json::parse(&out).map_err(|_| "its record cannot be read")?;
    let seen = Logged::read(record)?.observation();
    let seen = seen.ok_or("no candidate is on record")?;
    match app.learned().note(&seen, entry.key.as_ref()) {
        Counted::Yes => Ok(()),
        Counted::TooMany => Err("this key's scores of today are used up"),
        Counted::Full => Err("the table of tasks and models is full"),
    }
}

/// One record as the replay reads it.
fn line(entry: &Entry, feedback: &Feedback, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    write(entry, feedback, &mut object);
    object.number("at", feedback.at.get());
    match &entry.choice {
        Some(choice) => object.json("choice", choice),
        None => object.null("choice"),
    };
    object.close();
    out.push(b'\n');
}

/// What is known of the answer and of what was thought of it.
fn write(entry: &Entry, feedback: &Feedback, object: &mut ObjectWriter<'_>) {
    object
        .string("generation_id", entry.id.as_str())
        .json("score", &RawJson::of(&feedback.score));
    text(object, "label", feedback.label.as_deref());
    let model = entry.model.as_ref().map(|model| model.as_str());
    text(object, "model", model);
    let router = entry.router.as_ref().map(|router| router.as_str());
    text(object, "router", router);
    let choice = entry.choice.as_ref().map(RawJson::json);
    let task = choice.and_then(|choice| choice.get("task_type")?.string());
    text(object, "task_type", task.as_deref());
    let mut candidates = choice
        .and_then(|choice| choice.get("candidates"))
        .into_iter()
        .flat_map(Json::elements);
    let served = candidates.find(|one| {
        let named = one.get("model").and_then(Json::string);
        named.as_deref() == model
    });
    match served.and_then(|one| one.get("propensity")) {
        Some(propensity) => object.raw("propensity", propensity.bytes()),
        None => object.null("propensity"),
    };
}

/// Reads a body.
///
/// # Errors
/// [`InvalidRequest`] naming the member that makes no sense.
fn read(bytes: &[u8]) -> Result<Said, InvalidRequest> {
    let json =
        Json::parse(bytes).map_err(|error| InvalidRequest::new("body", error.to_string()))?;
    let example = r#"an object such as {"generation_id": "gen-…", "score": 0.8}"#;
    if json.kind() != Kind::Object {
        return Err(InvalidRequest::expected("body", example, json));
    }
    let mut seen = BTreeSet::new();
    for (key, _) in json.members() {
        let name = key.name().into_owned();
        if !MEMBERS.contains(&&*name) {
            return Err(InvalidRequest::unknown_key(name.clone(), &name, MEMBERS));
        }
        if !seen.insert(name.clone()) {
            return Err(InvalidRequest::new(name, "expected once, found twice"));
        }
    }
    let member = |name: &'static str, what: &str| {
        let missing = || InvalidRequest::new(name, format!("expected {what}, found nothing"));
        json.get(name).ok_or_else(missing)
    };
    let what = "the id of a generation, as replies and X-Generation-Id have it";
    let generation = member("generation_id", what)?;
    let id = generation.string().filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| InvalidRequest::expected("generation_id", what, generation))?;
    let what = "a number from 0 to 1";
    let given = member("score", what)?;
    let score = given.f64().filter(|score| (0.0..=1.0).contains(score));
    let score = score.ok_or_else(|| InvalidRequest::expected("score", what, given))?;
    let label = json.get("label").filter(|label| !label.is_null());
    let label = label.map(|label| {
        let text = label.string();
        let text = text.filter(|text| !text.is_empty() && text.chars().count() <= LABEL);
        let text = text.filter(|text| !text.chars().any(char::is_control));
        let what = "1 to 64 printable characters";
        text.ok_or_else(|| InvalidRequest::expected("label", what, label))
    });
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a score needs no more digits"
    )]
    Ok(Said {
        generation: id.into_owned(),
        score: score as f32,
        label: label.transpose()?.map(std::borrow::Cow::into_owned),
    })
}
