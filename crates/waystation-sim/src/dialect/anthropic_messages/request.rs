//! Reads a Messages request, strict where Anthropic is: `max_tokens` has to be there, and thinking
//! has to fit in it. What is not known is ignored, what is wrong is refused by name.

use std::borrow::Cow;

use waystation_core::{Json, Kind};

use crate::{
    asked::{Asked, Choice, Format, Media, Tool},
    dialect::{
        body::{Body, Refusal, named},
        talk::{Talk, text_of},
    },
    simulator::Arrival,
};

/// The least thinking, in tokens. Source: Anthropic's reference (2026-08).
const MIN_BUDGET: u64 = 1024;

/// Reads the request of `arrival` for `model`: the question, and whether thinking is shown.
pub(super) fn read<'a>(
    arrival: &Arrival<'a>,
    model: Cow<'a, str>,
) -> Result<(Asked<'a>, bool), Refusal> {
    let body = Body::of(arrival)?;
    if model.is_empty() {
        return Err(Refusal::missing("model"));
    }
    let limit = body.limit("max_tokens")?;
    let limit = limit.ok_or_else(|| Refusal::missing("max_tokens"))?;
    body.flag("stream")?;
    let talk = messages(body)?;
    let tools = tools(body)?;
    let (choice, parallel) = choice(body, &tools)?;
    let (reasoning, shown) = thinking(body, limit)?;
    if reasoning && matches!(choice, Choice::Required | Choice::Named(_)) {
        let message = "thinking may not be enabled when tool_choice forces tool use";
        return Err(Refusal::of("tool_choice", message));
    }
    let prompt_tokens = body.tokens(&["system", "messages", "tools"]);
    let asked = Asked {
        model,
        prompt: talk.prompt,
        last: talk.last,
        tools,
        choice,
        parallel,
        search: body.list("tools")?.any(is_search),
        format: format(body)?,
        limit: Some(limit),
        stop: body.texts("stop_sequences")?,
        reasoning,
        media: talk.media,
        prompt_tokens: prompt_tokens + talk.media.tokens(),
        key: body.hash(arrival.seed, "", &["stream"]),
    };
    Ok((asked, shown))
}

/// The conversation: turns of user and assistant, at least one.
fn messages(body: Body<'_>) -> Result<Talk, Refusal> {
    let mut talk = Talk::new();
    let mut spoken = false;
    for (at, message) in body.list("messages")?.enumerate() {
        spoken = true;
        let param = |key: &str| format!("messages.{at}.{key}");
        let Some(content) = message.get("content") else {
            return Err(Refusal::missing(&param("content")));
        };
        if !matches!(content.kind(), Kind::String | Kind::Array) {
            let expected = "a string or an array";
            return Err(Refusal::wrong(&param("content"), expected, content));
        }
        let role = message.get("role").and_then(Json::string);
        match role.as_deref() {
            Some("user") => turn(content, &mut talk),
            Some("assistant") => talk.model(),
            _ => return Err(Refusal::of(&param("role"), "expected user or assistant")),
        }
    }
    if spoken {
        Ok(talk)
    } else {
        Err(Refusal::missing("messages"))
    }
}

/// One turn of the user: results of tools first, then words, where there are any.
fn turn(content: Json<'_>, talk: &mut Talk) {
    let (mut media, mut results) = (Media::default(), false);
    for block in content.elements() {
        let kind = block.get("type").and_then(Json::string);
        match kind.as_deref() {
            Some("tool_result") => {
                results = true;
                talk.result(block.get("content").map(text_of).unwrap_or_default());
            }
            Some("image") => media.images += 1,
            Some("document") => media.files += 1,
            _ => {}
        }
    }
    let text = text_of(content);
    if !results || !text.is_empty() {
        talk.person(text, media);
    }
}

/// The client's own tools. Those with another type are Anthropic's business.
fn tools(body: Body<'_>) -> Result<Vec<Tool<'_>>, Refusal> {
    let mut tools = Vec::new();
    for (at, tool) in body.list("tools")?.enumerate() {
        if tool.get("type").is_some_and(|kind| !kind.is("custom")) {
            continue;
        }
        let param = |key: &str| format!("tools.{at}.{key}");
        let Some(name) = tool.get("name").and_then(Json::string) else {
            return Err(Refusal::missing(&param("name")));
        };
        let schema = tool.get("input_schema");
        let Some(schema) = schema.filter(|schema| schema.kind() == Kind::Object) else {
            return Err(Refusal::missing(&param("input_schema")));
        };
        let description = tool.get("description").and_then(Json::string);
        tools.push(Tool {
            name,
            description: description.unwrap_or_default(),
            parameters: Some(schema),
        });
    }
    Ok(tools)
}

/// Whether a tool is Anthropic's own search, in any of its versions.
fn is_search(tool: Json<'_>) -> bool {
    let kind = tool.get("type").and_then(Json::string);
    kind.is_some_and(|kind| kind.starts_with("web_search_"))
}

/// `tool_choice`, and whether several calls at once are fine.
///
/// A tool that is named has to be declared. The choice is checked even where there are no tools, since
/// a wrong word is wrong with or without them.
fn choice(body: Body<'_>, tools: &[Tool<'_>]) -> Result<(Choice, bool), Refusal> {
    let Some(choice) = body.object("tool_choice", "tool_choice.")? else {
        return Ok((Choice::Auto, true));
    };
    let parallel = choice.flag("disable_parallel_tool_use")? != Some(true);
    let member = |key: &str| choice.get(key).and_then(Json::string);
    let choice = match member("type").as_deref() {
        Some("auto") => Choice::Auto,
        Some("any") => Choice::Required,
        Some("none") => Choice::None,
        Some("tool") => {
            let name = member("name").unwrap_or_default();
            named("tool_choice.name", &name, tools)?
        }
        _ => {
            let expected = "expected auto, any, tool or none";
            return Err(Refusal::of("tool_choice.type", expected));
        }
    };
    Ok((choice, parallel))
}

/// Whether thinking is wanted, and whether its text is shown.
///
/// A budget has to be at least 1024 and less than `max_tokens`; `adaptive` needs none. Hidden thinking
/// is made and counted all the same: its block has a signature and an empty text, which clients have
/// to send back as it is.
/// Source: <https://platform.claude.com/docs/en/build-with-claude/extended-thinking> (2026-08).
fn thinking(body: Body<'_>, limit: u64) -> Result<(bool, bool), Refusal> {
    let Some(thinking) = body.object("thinking", "thinking.")? else {
        return Ok((false, false));
    };
    let word = |key: &str| thinking.get(key).and_then(Json::string);
    let shown = word("display").as_deref() != Some("omitted");
    match word("type").as_deref() {
        Some("disabled") => Ok((false, false)),
        Some("adaptive") => Ok((true, shown)),
        Some("enabled") => {
            let key = "thinking.budget_tokens";
            let budget = thinking.whole("budget_tokens")?;
            let budget = budget.ok_or_else(|| Refusal::missing(key))?;
            if budget < MIN_BUDGET {
                let message = format!("expected at least {MIN_BUDGET}, found {budget}");
                return Err(Refusal::of(key, message));
            }
            if budget >= limit {
                let message = "`max_tokens` must be greater than `thinking.budget_tokens`";
                return Err(Refusal::of("max_tokens", message));
            }
            Ok((true, shown))
        }
        _ => {
            let expected = "expected enabled, adaptive or disabled";
            Err(Refusal::of("thinking.type", expected))
        }
    }
}

/// `output_config.format`.
fn format(body: Body<'_>) -> Result<Format<'_>, Refusal> {
    let config = body.object("output_config", "output_config.")?;
    let format = match config {
        Some(config) => config.object("format", "output_config.format.")?,
        None => None,
    };
    let Some(format) = format else {
        return Ok(Format::Text);
    };
    let schema = format.get("schema");
    let schema = schema.filter(|schema| schema.kind() == Kind::Object);
    let schema = schema.ok_or_else(|| Refusal::missing("output_config.format.schema"))?;
    Ok(Format::Schema(schema))
}
