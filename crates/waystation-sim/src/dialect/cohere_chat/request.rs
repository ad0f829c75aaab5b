//! Reads a request of Cohere's chat. What is not known is ignored, what is wrong is refused by name.

use std::borrow::Cow;

use waystation_core::{Json, Kind};

use crate::{
    asked::{Asked, Choice, Format, Media, Tool},
    dialect::{
        body::{Body, Refusal},
        talk::{Talk, text_of},
    },
    simulator::Arrival,
};

/// Reads the request of `arrival` for `model`.
pub(super) fn read<'a>(arrival: &Arrival<'a>, model: Cow<'a, str>) -> Result<Asked<'a>, Refusal> {
    let body = Body::of(arrival)?;
    if model.is_empty() {
        return Err(Refusal::missing("model"));
    }
    body.flag("stream")?;
    let talk = messages(body)?;
    let tools = tools(body)?;
    let prompt_tokens = body.tokens(&["messages", "tools", "documents", "response_format"]);
    Ok(Asked {
        model,
        prompt: talk.prompt,
        last: talk.last,
        choice: choice(body, &tools)?,
        tools,
        parallel: true,
        search: false,
        format: format(body)?,
        limit: body.limit("max_tokens")?,
        stop: body.texts("stop_sequences")?,
        reasoning: thinking(body)?,
        media: talk.media,
        prompt_tokens: prompt_tokens + talk.media.tokens(),
        key: body.hash(arrival.seed, "", &["stream"]),
    })
}

/// The conversation, at least one message.
fn messages(body: Body<'_>) -> Result<Talk, Refusal> {
    let mut talk = Talk::new();
    let mut spoken = false;
    for (at, message) in body.list("messages")?.enumerate() {
        spoken = true;
        let content = message.get("content");
        let role = message.get("role").and_then(Json::string);
        match role.as_deref() {
            Some("user") => talk.person(content.map(text_of).unwrap_or_default(), media(content)),
            Some("assistant") => talk.model(),
            Some("system" | "developer") => talk.operator(),
            Some("tool") => {
                if message.get("tool_call_id").is_none() {
                    let param = format!("messages[{at}].tool_call_id");
                    return Err(Refusal::missing(&param));
                }
                talk.result(content.map(told).unwrap_or_default());
            }
            _ => {
                let expected = "expected a role: user, assistant, system or tool";
                return Err(Refusal::of(&format!("messages[{at}].role"), expected));
            }
        }
    }
    if spoken {
        Ok(talk)
    } else {
        Err(Refusal::missing("messages"))
    }
}

/// What a tool gave: its text, or the data of its documents.
fn told(content: Json<'_>) -> String {
    let text = text_of(content);
    if !text.is_empty() {
        return text;
    }
    let documents = content
        .elements()
        .filter_map(|part| part.at(&["document", "data"]));
    let told: Vec<Cow<'_, str>> = documents
        .map(|data| data.string().unwrap_or_else(|| data.text()))
        .collect();
    told.join(" ")
}

/// What a message holds beside text.
fn media(content: Option<Json<'_>>) -> Media {
    let mut media = Media::default();
    for part in content.into_iter().flat_map(Json::elements) {
        if part.get("type").is_some_and(|kind| kind.is("image_url")) {
            media.images += 1;
        }
    }
    media
}

/// The functions that may be called.
fn tools(body: Body<'_>) -> Result<Vec<Tool<'_>>, Refusal> {
    let mut tools = Vec::new();
    for (at, tool) in body.list("tools")?.enumerate() {
        let member = |key: &str| tool.at(&["function", key]);
        let Some(name) = member("name").and_then(Json::string) else {
            return Err(Refusal::missing(&format!("tools[{at}].function.name")));
        };
        let description = member("description").and_then(Json::string);
        tools.push(Tool {
            name,
            description: description.unwrap_or_default(),
            parameters: member("parameters").filter(|schema| schema.kind() == Kind::Object),
        });
    }
    Ok(tools)
}

/// `tool_choice`.
fn choice(body: Body<'_>, tools: &[Tool<'_>]) -> Result<Choice, Refusal> {
    let Some(choice) = body.get("tool_choice") else {
        return Ok(Choice::Auto);
    };
    match choice.string().as_deref() {
        Some("NONE") => Ok(Choice::None),
        Some("REQUIRED") if tools.is_empty() => {
            let message = "REQUIRED needs 'tools', found none";
            Err(Refusal::of("tool_choice", message))
        }
        Some("REQUIRED") => Ok(Choice::Required),
        _ => Err(Refusal::of("tool_choice", "expected REQUIRED or NONE")),
    }
}

/// `response_format`: JSON, of a schema where there is one.
fn format(body: Body<'_>) -> Result<Format<'_>, Refusal> {
    let Some(format) = body.object("response_format", "response_format.")? else {
        return Ok(Format::Text);
    };
    let kind = format.get("type").and_then(Json::string);
    let schema = format.get("json_schema").or_else(|| format.get("schema"));
    let schema = schema.filter(|schema| schema.kind() == Kind::Object);
    match (kind.as_deref(), schema) {
        (Some("text"), _) => Ok(Format::Text),
        (Some("json_object"), Some(schema)) => Ok(Format::Schema(schema)),
        (Some("json_object"), None) => Ok(Format::Object),
        _ => {
            let expected = "expected text or json_object";
            Err(Refusal::of("response_format.type", expected))
        }
    }
}

/// Whether thinking is wanted.
fn thinking(body: Body<'_>) -> Result<bool, Refusal> {
    let Some(thinking) = body.object("thinking", "thinking.")? else {
        return Ok(false);
    };
    match thinking.get("type").and_then(Json::string).as_deref() {
        Some("enabled") => Ok(thinking.whole("token_budget")? != Some(0)),
        Some("disabled") => Ok(false),
        _ => {
            let expected = "expected enabled or disabled";
            Err(Refusal::of("thinking.type", expected))
        }
    }
}
