//! Reads a Responses request: items of input, flat tools, the answer's form in `text`. What is not
//! known is ignored, what is wrong is refused by name.

use std::borrow::Cow;

use http::StatusCode;
use waystation_core::{Json, Kind};

use super::Shape;
use crate::{
    asked::{Asked, Choice, Format, Media, Tool},
    dialect::{
        body::{Body, Refusal, named},
        talk::{Talk, text_of},
    },
    simulator::Arrival,
};

/// A request that can be answered.
pub(super) struct Question<'a> {
    /// The question itself, free of the wire.
    pub(super) asked: Asked<'a>,
    /// What the wire wants to know of it.
    pub(super) shape: Shape<'a>,
}

/// Reads the request of `arrival` for `model`.
pub(super) fn read<'a>(
    arrival: &Arrival<'a>,
    model: Cow<'a, str>,
) -> Result<Question<'a>, Refusal> {
    let body = Body::of(arrival)?;
    if model.is_empty() {
        return Err(Refusal::missing("model"));
    }
    forgotten(body)?;
    let talk = input(body)?;
    let (tools, choice) = tools(body)?;
    let reasoning = body.object("reasoning", "reasoning.")?;
    let effort = reasoning.and_then(|reasoning| reasoning.get("effort"));
    let included = |what: &str| -> Result<bool, Refusal> {
        Ok(body.list("include")?.any(|included| included.is(what)))
    };
    let top = body.whole("top_logprobs")?.unwrap_or_default();
    if top > 20 {
        let message = format!("expected at most 20, found {top}");
        return Err(Refusal::of("top_logprobs", message));
    }
    let prompt_tokens = body.tokens(&["input", "instructions", "tools", "text"]);
    let shape = Shape {
        body: body.json(),
        stream: body.flag("stream")? == Some(true),
        summary: reasoning.is_some_and(|reasoning| reasoning.get("summary").is_some()),
        sealed: included("reasoning.encrypted_content")?,
        logprobs: included("message.output_text.logprobs")?.then_some(top),
    };
    let asked = Asked {
        model,
        prompt: talk.prompt,
        last: talk.last,
        tools,
        choice,
        parallel: body.flag("parallel_tool_calls")?.unwrap_or(true),
        search: body.list("tools")?.any(is_search),
        format: format(body)?,
        limit: body.limit("max_output_tokens")?,
        stop: Vec::new(),
        reasoning: reasoning.is_some() && !effort.is_some_and(|effort| effort.is("none")),
        media: talk.media,
        prompt_tokens: prompt_tokens + talk.media.tokens(),
        key: body.hash(arrival.seed, "", &["stream", "stream_options"]),
    };
    Ok(Question { asked, shape })
}

/// Nothing is kept, so that there is nothing to go on from.
fn forgotten(body: Body<'_>) -> Result<(), Refusal> {
    let Some(id) = body.get("previous_response_id") else {
        return Ok(());
    };
    let id = id.string().unwrap_or_default();
    let message = format!("previous response with id '{id}' not found");
    Err(Refusal {
        status: StatusCode::NOT_FOUND,
        code: Some("previous_response_not_found"),
        ..Refusal::of("previous_response_id", message)
    })
}

/// The conversation: a text, or items.
fn input(body: Body<'_>) -> Result<Talk, Refusal> {
    let Some(input) = body.get("input") else {
        return Err(Refusal::missing("input"));
    };
    let mut talk = Talk::new();
    if let Some(text) = input.string() {
        talk.person(text.into_owned(), Media::default());
        return Ok(talk);
    }
    if input.kind() != Kind::Array {
        return Err(Refusal::wrong("input", "a string or an array", input));
    }
    for (at, item) in input.elements().enumerate() {
        take(item, at, &mut talk)?;
    }
    Ok(talk)
}

/// One item of the input.
fn take(item: Json<'_>, at: usize, talk: &mut Talk) -> Result<(), Refusal> {
    let word = |key: &str| item.get(key).and_then(Json::string).unwrap_or_default();
    match &*word("type") {
        "" | "message" => {
            let content = item.get("content");
            match &*word("role") {
                "user" => talk.person(content.map(text_of).unwrap_or_default(), media(content)),
                "assistant" => talk.model(),
                "system" | "developer" => talk.operator(),
                found => {
                    let param = format!("input[{at}].role");
                    let expected = "expected a role: user, assistant, system or developer";
                    return Err(Refusal::of(&param, format!("{expected}, found {found:?}")));
                }
            }
        }
        "function_call_output" | "custom_tool_call_output" => {
            if item.get("call_id").is_none() {
                return Err(Refusal::missing(&format!("input[{at}].call_id")));
            }
            talk.result(item.get("output").map(text_of).unwrap_or_default());
        }
        // Calls, thoughts, and what the host itself did.
        _ => talk.model(),
    }
    Ok(())
}

/// What a message holds beside text.
fn media(content: Option<Json<'_>>) -> Media {
    let mut media = Media::default();
    for part in content.into_iter().flat_map(Json::elements) {
        let kind = part.get("type").and_then(Json::string);
        match kind.as_deref() {
            Some("input_image") => media.images += 1,
            Some("input_audio") => media.audio += 1,
            Some("input_file") => media.files += 1,
            _ => {}
        }
    }
    media
}

/// The functions that may be called, and the choice among them. Tools of other types are the host's
/// own business.
fn tools(body: Body<'_>) -> Result<(Vec<Tool<'_>>, Choice), Refusal> {
    let mut tools = Vec::new();
    for (at, tool) in body.list("tools")?.enumerate() {
        if !tool.get("type").is_some_and(|kind| kind.is("function")) {
            continue;
        }
        let Some(name) = tool.get("name").and_then(Json::string) else {
            return Err(Refusal::missing(&format!("tools[{at}].name")));
        };
        let description = tool.get("description").and_then(Json::string);
        let parameters = tool.get("parameters");
        tools.push(Tool {
            name,
            description: description.unwrap_or_default(),
            parameters: parameters.filter(|schema| schema.kind() == Kind::Object),
        });
    }
    let choice = choice(body, &mut tools)?;
    Ok((tools, choice))
}

/// Whether a tool is the host's own search, in any of its versions.
fn is_search(tool: Json<'_>) -> bool {
    let kind = tool.get("type").and_then(Json::string);
    kind.is_some_and(|kind| kind.starts_with("web_search"))
}

/// `tool_choice`; a list of allowed tools leaves only those.
fn choice(body: Body<'_>, tools: &mut Vec<Tool<'_>>) -> Result<Choice, Refusal> {
    let Some(choice) = body.get("tool_choice") else {
        return Ok(Choice::Auto);
    };
    let member = |key: &str| choice.get(key).and_then(Json::string);
    let word = choice.string().or_else(|| member("type"));
    match word.as_deref() {
        Some("none") => Ok(Choice::None),
        Some("auto") => Ok(Choice::Auto),
        Some("required") => Ok(Choice::Required),
        Some("function") if choice.kind() == Kind::Object => {
            named("tool_choice", &member("name").unwrap_or_default(), tools)
        }
        Some("allowed_tools") => {
            let allowed = choice.get("tools").into_iter().flat_map(Json::elements);
            let allowed: Vec<_> = allowed.filter_map(|tool| tool.get("name")).collect();
            tools.retain(|tool| allowed.iter().any(|name| name.is(&tool.name)));
            let required = member("mode").as_deref() == Some("required");
            Ok(if required {
                Choice::Required
            } else {
                Choice::Auto
            })
        }
        // A tool that the host runs itself.
        Some(_) if choice.kind() == Kind::Object => Ok(Choice::Auto),
        Some(word) => {
            let expected = "expected none, auto, required or a tool";
            let message = format!("{expected}, found {word:?}");
            Err(Refusal::of("tool_choice", message))
        }
        None => Err(Refusal::wrong("tool_choice", "a string or a tool", choice)),
    }
}

/// `text.format`.
fn format(body: Body<'_>) -> Result<Format<'_>, Refusal> {
    let text = body.object("text", "text.")?;
    let Some(format) = text.and_then(|text| text.get("format")) else {
        return Ok(Format::Text);
    };
    let kind = format.get("type").and_then(Json::string);
    match kind.as_deref() {
        Some("text") => Ok(Format::Text),
        Some("json_object") => Ok(Format::Object),
        Some("json_schema") => {
            if format.get("name").is_none() {
                return Err(Refusal::missing("text.format.name"));
            }
            let schema = format.get("schema");
            let schema = schema.filter(|schema| schema.kind() == Kind::Object);
            let schema = schema.ok_or_else(|| Refusal::missing("text.format.schema"))?;
            Ok(Format::Schema(schema))
        }
        _ => {
            let expected = "expected text, json_object or json_schema";
            Err(Refusal::of("text.format.type", expected))
        }
    }
}
