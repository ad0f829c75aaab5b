//! Reads a chat completions request, as lenient and as strict as an OpenAI-like server: what is
//! not known is ignored, what is wrong is refused by name.

use std::borrow::Cow;

use waystation_core::{Json, Kind, Message, Role};

use crate::{
    asked::{Asked, Choice, Format, Last, Media, Tool},
    dialect::body::{Body, Refusal},
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
    pub(super) sources: Sources,
}

/// Where a host tells of what its search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sources {
    /// In the message, by the words that cite it.
    Annotations,
    /// Beside the choices, in `web_search`, once.
    Linked,
    /// Beside the choices of every chunk, in `citations` and `search_results`.
    Repeated,
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

/// The most answers to one question. Source: OpenAI's reference (2026-06).
const MAX_N: u64 = 128;

/// Reads the request of `arrival` for `model`.
pub(super) fn read<'a>(
    arrival: &Arrival<'a>,
    model: Cow<'a, str>,
) -> Result<Question<'a>, Refusal> {
    let body = Body::of(arrival)?;
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
    let prompt_tokens = body.tokens(&["messages", "tools", "response_format"]);
    let n = body.whole("n")?.unwrap_or(1);
    if !(1..=MAX_N).contains(&n) {
        return Err(Refusal::of(
            "n",
            format!("expected 1 to {MAX_N}, found {n}"),
        ));
    }
    let sources = sources(body, &model)?;
    let asked = Asked {
        model,
        prompt: person
            .map(|message| message.text().into_owned())
            .unwrap_or_default(),
        last: last(&messages),
        tools: tools(body)?,
        choice: choice(body)?,
        parallel: body.flag("parallel_tool_calls")?.unwrap_or(true),
        search: searches(body)? || sources == Sources::Repeated,
        format: format(body)?,
        limit: limit(body)?,
        stop: body.texts("stop")?,
        reasoning,
        media,
        prompt_tokens: prompt_tokens + media.tokens(),
        key: body.hash(arrival.seed, "", &["stream", "stream_options"]),
    };
    Ok(Question {
        asked,
        n,
        stream: stream(body)?,
        shown,
        logprobs: logprobs(body)?,
        sources,
    })
}

/// The messages, at least one, each with a role that is known.
fn messages(body: Body<'_>) -> Result<Vec<Message<'_>>, Refusal> {
    let mut messages = Vec::new();
    for (at, message) in body.list("messages")?.enumerate() {
        let param = format!("messages[{at}].role");
        let expected = "expected a role: system, developer, user, assistant, tool or function";
        let message = Message::of(message).ok_or_else(|| Refusal::of(&param, expected))?;
        messages.push(message);
    }
    if messages.is_empty() {
        return Err(Refusal::missing("messages"));
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
fn tools(body: Body<'_>) -> Result<Vec<Tool<'_>>, Refusal> {
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

/// Whether the host's own search is asked for, in any of the spellings that hosts have.
fn searches(body: Body<'_>) -> Result<bool, Refusal> {
    let options = body.object("web_search_options", "web_search_options.")?;
    let switched = body.flag("enable_search")? == Some(true);
    let named = body.list("tools")?.any(is_search);
    Ok(options.is_some() || switched || named)
}

/// Which kind of host is acted out: one kind has its options in a member of the tool, one serves models
/// that search whatever they are asked.
fn sources(body: Body<'_>, model: &str) -> Result<Sources, Refusal> {
    if model.starts_with("sonar") {
        return Ok(Sources::Repeated);
    }
    let mut tools = body.list("tools")?;
    let linked = tools.any(|tool| is_search(tool) && tool.get("web_search").is_some());
    Ok(if linked {
        Sources::Linked
    } else {
        Sources::Annotations
    })
}

/// Whether a tool is a search that the host runs; gateways put a name in front.
fn is_search(tool: Json<'_>) -> bool {
    let kind = tool.get("type").and_then(Json::string);
    kind.is_some_and(|kind| kind.rsplit(':').next() == Some("web_search"))
}

/// `tool_choice`. A function that is named has to be among the tools.
fn choice(body: Body<'_>) -> Result<Choice, Refusal> {
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
fn format(body: Body<'_>) -> Result<Format<'_>, Refusal> {
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
                .ok_or_else(|| Refusal::missing(param))
        }
        Some(_) => Ok(Format::Text),
        None => Err(Refusal::of("response_format.type", "expected a string")),
    }
}

/// The limit on output in tokens: the newer name counts when both are there.
fn limit(body: Body<'_>) -> Result<Option<u64>, Refusal> {
    let newer = body.limit("max_completion_tokens")?;
    Ok(newer.or(body.limit("max_tokens")?))
}

/// Whether reasoning is wanted, in any of the spellings that hosts have, and where it is shown.
fn reasoning(body: Body<'_>) -> Result<(bool, Shown), Refusal> {
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
fn stream(body: Body<'_>) -> Result<Option<StreamUsage>, Refusal> {
    if body.flag("stream")? != Some(true) {
        return Ok(None);
    }
    let Some(options) = body.object("stream_options", "stream_options.")? else {
        return Ok(Some(StreamUsage::OnFinish));
    };
    match options.flag("include_usage")? {
        Some(true) => Ok(Some(StreamUsage::Own)),
        _ => Ok(Some(StreamUsage::Nowhere)),
    }
}

/// Whether log probabilities are wanted, and with how many alternatives (0 to 20).
fn logprobs(body: Body<'_>) -> Result<Option<u64>, Refusal> {
    let wanted = body.flag("logprobs")?.unwrap_or_default();
    let top = body.whole("top_logprobs")?.unwrap_or_default();
    if top > 20 {
        let message = format!("expected at most 20, found {top}");
        return Err(Refusal::of("top_logprobs", message));
    }
    Ok(wanted.then_some(top))
}
