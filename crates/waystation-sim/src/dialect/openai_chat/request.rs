//! Reads a chat completions request, as lenient and as strict as an OpenAI-like server: what is
//! not known is ignored, what is wrong is refused by name.

use std::borrow::Cow;

use http::StatusCode;
use waystation_core::{Json, Kind, Message, Role};

use crate::{
    asked::{Asked, Choice, Format, Last, Media, Tool, tokens},
    draw::{basis, fold},
    simulator::Arrival,
};

/// A request that can be answered.
pub(super) struct Question<'a> {
    /// The question itself, free of the wire.
    pub(super) asked: Asked<'a>,
    /// How many answers.
    pub(super) n: u64,
    /// A stream, and where its usage goes.
    pub(super) stream: Option<StreamUsage>,
    pub(super) shown: Shown,
    /// Log probabilities are wanted, with so many alternatives.
    pub(super) logprobs: Option<u64>,
}

/// Where a stream's usage goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamUsage {
    /// `include_usage: true`: into a chunk of its own, last.
    Own,
    /// No `stream_options` at all: onto the last finish chunk, as hosts do that lack the option.
    OnFinish,
    /// `include_usage: false`.
    Nowhere,
}

/// Where reasoning is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// In `reasoning_content`.
    Content,
    /// In `reasoning`, for those who asked with a `reasoning` object.
    Plain,
    /// Not at all; it is counted nevertheless.
    Hidden,
}

/// Why a request is not answered.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// The reply's status.
    pub(super) status: StatusCode,
    /// What was expected, then what was found.
    pub(super) message: String,
    /// `error.type`.
    pub(super) kind: &'static str,
    /// `error.param`: the offending member.
    pub(super) param: Option<String>,
    /// `error.code`.
    pub(super) code: Option<&'static str>,
}

/// The most answers to one question. Source: OpenAI's reference (2026-06).
const MAX_N: u64 = 128;

// === impl Refusal ===

impl Refusal {
    /// A 400 about `param`; about the whole request when that is empty.
    fn of(param: &str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            message: message.into(),
            kind: "invalid_request_error",
            param: (!param.is_empty()).then(|| param.into()),
            code: None,
        }
    }

    /// A 400 about a value of the wrong kind.
    fn wrong(param: &str, expected: &str, found: Json<'_>) -> Self {
        let found = found.kind();
        let message = format!("invalid type for '{param}': expected {expected}, found {found}");
        Self {
            code: Some("invalid_type"),
            ..Self::of(param, message)
        }
    }
}

/// Reads the request of `arrival` for `model`.
pub(super) fn read<'a>(
    arrival: &Arrival<'a>,
    model: Cow<'a, str>,
) -> Result<Question<'a>, Refusal> {
    let body = match &arrival.body {
        Ok(body) => Object(*body),
        Err(error) => return Err(Refusal::of("", format!("the body is not JSON: {error}"))),
    };
    if body.0.kind() != Kind::Object {
        return Err(Refusal::wrong("body", "an object", body.0));
    }
    if model.is_empty() {
        return Err(Refusal::of("model", "you must name a model"));
    }
    let messages = messages(body)?;
    let person = messages
        .iter()
        .rev()
        .find(|message| message.role() == Role::User);
    let media = person.map_or_else(Media::default, media_of);
    let (reasoning, shown) = reasoning(body)?;
    let prompt_bytes = ["messages", "tools", "response_format"]
        .iter()
        .filter_map(|key| body.get(key))
        .map(text_bytes)
        .sum();
    let n = body.whole("n")?.unwrap_or(1);
    if !(1..=MAX_N).contains(&n) {
        return Err(Refusal::of(
            "n",
            format!("expected 1 to {MAX_N}, found {n}"),
        ));
    }
    let asked = Asked {
        model,
        prompt: person
            .map(|message| message.text().into_owned())
            .unwrap_or_default(),
        last: last(&messages),
        tools: tools(body)?,
        choice: choice(body)?,
        parallel: body.flag("parallel_tool_calls")?.unwrap_or(true),
        format: format(body)?,
        limit: limit(body)?,
        stop: stop(body)?,
        reasoning,
        media,
        prompt_tokens: tokens(prompt_bytes) + media.tokens(),
        key: key(arrival.seed, body.0),
    };
    Ok(Question {
        asked,
        n,
        stream: stream(body)?,
        shown,
        logprobs: logprobs(body)?,
    })
}

/// A request's body; `null` members are absent.
#[derive(Clone, Copy)]
struct Object<'a>(Json<'a>);

// === impl Object ===

impl<'a> Object<'a> {
    /// The member called `key`, unless it is `null`.
    fn get(self, key: &str) -> Option<Json<'a>> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    /// A member that has to be a boolean.
    fn flag(self, key: &str) -> Result<Option<bool>, Refusal> {
        let value = self.get(key).map(|value| {
            let flag = value.bool();
            flag.ok_or_else(|| Refusal::wrong(key, "a boolean", value))
        });
        value.transpose()
    }

    /// A member that has to be a whole number, not below zero.
    fn whole(self, key: &str) -> Result<Option<u64>, Refusal> {
        let value = self.get(key).map(|value| {
            let number = value.u64();
            number.ok_or_else(|| Refusal::wrong(key, "a non-negative integer", value))
        });
        value.transpose()
    }

    /// The elements of a member that has to be an array; none when it is absent.
    fn list(self, key: &str) -> Result<impl Iterator<Item = Json<'a>>, Refusal> {
        let value = self.get(key);
        match value.filter(|value| value.kind() != Kind::Array) {
            Some(other) => Err(Refusal::wrong(key, "an array", other)),
            None => Ok(value.into_iter().flat_map(Json::elements)),
        }
    }
}

/// The messages, at least one, each with a role that is known.
fn messages(body: Object<'_>) -> Result<Vec<Message<'_>>, Refusal> {
    let mut messages = Vec::new();
    for (at, message) in body.list("messages")?.enumerate() {
        let param = format!("messages[{at}].role");
        let expected = "expected a role: system, developer, user, assistant, tool or function";
        let message = Message::of(message).ok_or_else(|| Refusal::of(&param, expected))?;
        messages.push(message);
    }
    if messages.is_empty() {
        let code = Some("missing_required_parameter");
        return Err(Refusal {
            code,
            ..Refusal::of("messages", "missing required parameter: 'messages'")
        });
    }
    Ok(messages)
}

/// What `message` holds beside text, counted by kind.
fn media_of(message: &Message<'_>) -> Media {
    let mut media = Media::default();
    for part in message.content().parts() {
        let counter = match &*part.kind() {
            "image_url" => &mut media.images,
            "input_audio" => &mut media.audio,
            "video_url" | "input_video" => &mut media.videos,
            "file" => &mut media.files,
            _ => continue,
        };
        *counter += 1;
    }
    media
}

/// Who spoke last. Results of several tools at the end of the conversation go together.
fn last(messages: &[Message<'_>]) -> Last {
    let is_result = |message: &Message<'_>| matches!(message.role(), Role::Tool | Role::Function);
    match messages.last().map(Message::role) {
        Some(Role::Tool | Role::Function) => {
            let results = messages
                .iter()
                .rev()
                .take_while(|message| is_result(message));
            let mut texts: Vec<String> = results.map(|m| m.text().into_owned()).collect();
            texts.reverse();
            Last::Tools(texts)
        }
        Some(Role::Assistant) => Last::Model,
        _ => Last::Person,
    }
}

/// The functions that may be called. Tools of other types are the host's own business.
fn tools(body: Object<'_>) -> Result<Vec<Tool<'_>>, Refusal> {
    let mut tools = Vec::new();
    for (at, tool) in body.list("tools")?.enumerate() {
        let Some(function) = tool.get("function") else {
            // Tools that the provider runs itself: nothing to call here.
            continue;
        };
        let Some(name) = function.get("name").and_then(Json::string) else {
            let param = format!("tools[{at}].function.name");
            return Err(Refusal::of(&param, "expected a string"));
        };
        let description = function.get("description").and_then(Json::string);
        tools.push(Tool {
            name,
            description: description.unwrap_or_default(),
            parameters: function
                .get("parameters")
                .filter(|p| p.kind() == Kind::Object),
        });
    }
    Ok(tools)
}

/// `tool_choice`. A function that is named has to be among the tools.
fn choice(body: Object<'_>) -> Result<Choice, Refusal> {
    let Some(choice) = body.get("tool_choice") else {
        return Ok(Choice::Auto);
    };
    if let Some(word) = choice.string() {
        return match &*word {
            "none" => Ok(Choice::None),
            "auto" => Ok(Choice::Auto),
            // Some hosts say `any`.
            "required" | "any" => Ok(Choice::Required),
            _ => Err(Refusal::of(
                "tool_choice",
                format!("expected none, auto, required or a function, found {word:?}"),
            )),
        };
    }
    let name = choice.at(&["function", "name"]).and_then(Json::string);
    let name =
        name.ok_or_else(|| Refusal::wrong("tool_choice", "a string or a function", choice))?;
    let known = body.list("tools")?;
    let mut known = known.filter_map(|tool| tool.at(&["function", "name"]));
    if known.any(|tool| tool.is(&name)) {
        Ok(Choice::Named(name.into_owned()))
    } else {
        let message = format!("tool choice {name:?} is not among 'tools'");
        Err(Refusal::of("tool_choice", message))
    }
}

/// `response_format`. Types that are not known mean plain text, as on hosts that ignore them.
fn format(body: Object<'_>) -> Result<Format<'_>, Refusal> {
    let Some(format) = body.get("response_format") else {
        return Ok(Format::Text);
    };
    let kind = format.get("type").and_then(Json::string);
    match kind.as_deref() {
        Some("json_object") => Ok(Format::Object),
        Some("json_schema") => {
            let schema = format.at(&["json_schema", "schema"]);
            let param = "response_format.json_schema.schema";
            let schema = schema.filter(|schema| schema.kind() == Kind::Object);
            schema
                .map(Format::Schema)
                .ok_or_else(|| Refusal::of(param, format!("missing required parameter: '{param}'")))
        }
        Some(_) => Ok(Format::Text),
        None => Err(Refusal::of("response_format.type", "expected a string")),
    }
}

/// The limit on output in tokens: the newer name counts when both are there.
fn limit(body: Object<'_>) -> Result<Option<u64>, Refusal> {
    for key in ["max_completion_tokens", "max_tokens"] {
        match body.whole(key)? {
            Some(0) => {
                return Err(Refusal::of(
                    key,
                    format!("'{key}' must be at least 1, found 0"),
                ));
            }
            Some(limit) => return Ok(Some(limit)),
            None => {}
        }
    }
    Ok(None)
}

/// `stop`: one text or several.
fn stop(body: Object<'_>) -> Result<Vec<String>, Refusal> {
    let Some(stop) = body.get("stop") else {
        return Ok(Vec::new());
    };
    let texts = || {
        stop.elements()
            .map(|text| text.string().map(Cow::into_owned))
    };
    let stops: Option<Vec<String>> = match stop.kind() {
        Kind::Array => texts().collect(),
        _ => stop.string().map(|one| vec![one.into_owned()]),
    };
    stops.ok_or_else(|| Refusal::wrong("stop", "a string or an array of strings", stop))
}

/// Whether reasoning is wanted, in any of the spellings that hosts have, and where it is shown.
fn reasoning(body: Object<'_>) -> Result<(bool, Shown), Refusal> {
    let idle = |word: Json<'_>| word.is("none") || word.is("disabled");
    if let Some(object) = body.get("reasoning") {
        let says = |key: &str| object.get(key).and_then(Json::bool);
        let off = says("enabled") == Some(false)
            || object.get("effort").is_some_and(idle)
            || object.get("max_tokens").and_then(Json::u64) == Some(0);
        let shown = if says("exclude") == Some(true) {
            Shown::Hidden
        } else {
            Shown::Plain
        };
        return Ok((!off, shown));
    }
    let effort = body.get("reasoning_effort").map(|effort| !idle(effort));
    let thinking = body
        .get("thinking")
        .and_then(|thinking| thinking.get("type"));
    let thinking = thinking.map(|kind| !idle(kind));
    let enabled = body.flag("enable_thinking")?;
    let wanted = effort.or(thinking).or(enabled).unwrap_or_default();
    Ok((wanted, Shown::Content))
}

/// Whether a stream is wanted, and where its usage goes.
fn stream(body: Object<'_>) -> Result<Option<StreamUsage>, Refusal> {
    if body.flag("stream")? != Some(true) {
        return Ok(None);
    }
    let Some(options) = body.get("stream_options") else {
        return Ok(Some(StreamUsage::OnFinish));
    };
    match Object(options).flag("include_usage")? {
        Some(true) => Ok(Some(StreamUsage::Own)),
        _ => Ok(Some(StreamUsage::Nowhere)),
    }
}

/// Whether log probabilities are wanted, and with how many alternatives (0 to 20).
fn logprobs(body: Object<'_>) -> Result<Option<u64>, Refusal> {
    let wanted = body.flag("logprobs")?.unwrap_or_default();
    let top = body.whole("top_logprobs")?.unwrap_or_default();
    if top > 20 {
        let message = format!("expected at most 20, found {top}");
        return Err(Refusal::of("top_logprobs", message));
    }
    Ok(wanted.then_some(top))
}

/// Bytes that a model would read of a value: its text, without pictures and the like.
fn text_bytes(value: Json<'_>) -> usize {
    match value.kind() {
        Kind::Array => value.elements().map(text_bytes).sum(),
        Kind::Object => {
            let blobs = ["image_url", "input_audio", "video_url", "file"];
            let told = value
                .members()
                .filter(|(key, _)| !blobs.iter().any(|blob| key.is(blob)));
            told.map(|(_, value)| text_bytes(value)).sum()
        }
        Kind::String => value.escaped().map_or(0, <[u8]>::len),
        Kind::Null | Kind::Bool | Kind::Number => value.bytes().len(),
    }
}

/// Hash of everything that decides the answer: not whether it is streamed.
fn key(seed: u64, body: Json<'_>) -> u64 {
    let decides = |key: &waystation_core::Key<'_>| !key.is("stream") && !key.is("stream_options");
    let members = body.members().filter(|(key, _)| decides(key));
    members.fold(basis(seed), |hash, (key, value)| {
        fold(fold(hash, key.escaped()), value.bytes())
    })
}
