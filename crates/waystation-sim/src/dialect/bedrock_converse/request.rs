//! Reads a Converse request, strict where Bedrock is: the user begins, and whoever speaks of tools
//! defines them. What is not known is ignored, what is wrong is refused by name.

use std::borrow::Cow;

use waystation_core::{Json, Kind};

use crate::{
    asked::{Asked, Choice, Format, Media, Tool},
    dialect::{
        body::{Body, Refusal, named},
        talk::Talk,
    },
    simulator::Arrival,
};

/// Where the schema of the answer stands, as text.
const SCHEMA: [&str; 5] = [
    "outputConfig",
    "textFormat",
    "structure",
    "jsonSchema",
    "schema",
];

/// The text of the answer's schema; `None` when there is none.
pub(super) fn schema(arrival: &Arrival<'_>) -> Option<String> {
    let schema = arrival.body.as_ref().ok()?.at(&SCHEMA)?;
    schema.string().map(Cow::into_owned)
}

/// Reads the request of `arrival` for `model`, whose answer is to have this schema.
pub(super) fn read<'a>(
    arrival: &Arrival<'a>,
    model: Cow<'a, str>,
    schema: Option<&'a str>,
) -> Result<Asked<'a>, Refusal> {
    let body = Body::of(arrival)?;
    if model.is_empty() {
        return Err(Refusal::missing("modelId"));
    }
    let (talk, uses) = messages(body)?;
    let config = body.object("toolConfig", "toolConfig.")?;
    if uses && config.is_none() {
        let message = "must be defined when using toolUse and toolResult content blocks";
        return Err(Refusal::of("toolConfig", message));
    }
    let (tools, choice) = match config {
        Some(config) => tools(config)?,
        None => (Vec::new(), Choice::Auto),
    };
    let inference = body.object("inferenceConfig", "inferenceConfig.")?;
    let (mut limit, mut stop) = (None, Vec::new());
    if let Some(inference) = inference {
        limit = inference.limit("maxTokens")?;
        stop = inference.texts("stopSequences")?;
    }
    let prompt_tokens = body.tokens(&["system", "messages", "toolConfig", "outputConfig"]);
    Ok(Asked {
        key: body.hash(arrival.seed, &model, &[]),
        model,
        prompt: talk.prompt,
        last: talk.last,
        tools,
        choice,
        parallel: true,
        search: config.is_some_and(searches),
        format: format(schema)?,
        limit,
        stop,
        reasoning: reasoning(body)?,
        media: talk.media,
        prompt_tokens: prompt_tokens + talk.media.tokens(),
    })
}

/// Whether a system tool is the host's own search.
fn searches(config: Body<'_>) -> bool {
    let tools = config.get("tools").into_iter().flat_map(Json::elements);
    let mut names = tools.filter_map(|tool| tool.at(&["systemTool", "name"]));
    names.any(|name| name.is("nova_grounding"))
}

/// The conversation, and whether it speaks of tools. The user begins.
fn messages(body: Body<'_>) -> Result<(Talk, bool), Refusal> {
    let mut talk = Talk::new();
    let (mut spoken, mut uses) = (false, false);
    for (at, message) in body.list("messages")?.enumerate() {
        let param = |key: &str| format!("messages.{at}.{key}");
        let content = message.get("content");
        let Some(content) = content.filter(|content| content.kind() == Kind::Array) else {
            return Err(Refusal::of(
                &param("content"),
                "expected an array of blocks",
            ));
        };
        uses |= content
            .elements()
            .any(|block| block.get("toolUse").is_some() || block.get("toolResult").is_some());
        let role = message.get("role").and_then(Json::string);
        match role.as_deref() {
            Some("user") => turn(content, &mut talk),
            Some("assistant") if spoken => talk.model(),
            Some("assistant") => {
                let message = "a conversation must start with a user message";
                return Err(Refusal::of(&param("role"), message));
            }
            _ => return Err(Refusal::of(&param("role"), "expected user or assistant")),
        }
        spoken = true;
    }
    if spoken {
        Ok((talk, uses))
    } else {
        Err(Refusal::missing("messages"))
    }
}

/// One turn of the user: results of tools first, then words, where there are any.
fn turn(content: Json<'_>, talk: &mut Talk) {
    let (mut text, mut media, mut results) = (String::new(), Media::default(), false);
    for block in content.elements() {
        if let Some(result) = block.get("toolResult") {
            results = true;
            talk.result(told(result));
        }
        text.push_str(&block.get("text").and_then(Json::string).unwrap_or_default());
        let count = |key: &str| u64::from(block.get(key).is_some());
        media.images += count("image");
        media.videos += count("video");
        media.audio += count("audio");
        media.files += count("document");
    }
    if !results || !text.is_empty() {
        talk.person(text, media);
    }
}

/// What a tool gave: texts, or JSON.
fn told(result: Json<'_>) -> String {
    let blocks = result.get("content").into_iter().flat_map(Json::elements);
    let told: Vec<Cow<'_, str>> = blocks
        .filter_map(|block| {
            let text = block.get("text").and_then(Json::string);
            text.or_else(|| block.get("json").map(Json::text))
        })
        .collect();
    told.join(" ")
}

/// The tools and the choice among them. Amazon's own tools and marks for the cache are passed by.
fn tools(config: Body<'_>) -> Result<(Vec<Tool<'_>>, Choice), Refusal> {
    let mut tools = Vec::new();
    for (at, tool) in config.list("tools")?.enumerate() {
        let Some(spec) = tool.get("toolSpec") else {
            continue;
        };
        let Some(name) = spec.get("name").and_then(Json::string) else {
            let param = format!("toolConfig.tools.{at}.toolSpec.name");
            return Err(Refusal::missing(&param));
        };
        let description = spec.get("description").and_then(Json::string);
        let schema = spec.at(&["inputSchema", "json"]);
        tools.push(Tool {
            name,
            description: description.unwrap_or_default(),
            parameters: schema.filter(|schema| schema.kind() == Kind::Object),
        });
    }
    let param = "toolConfig.toolChoice";
    let choice = match config.object("toolChoice", "toolConfig.toolChoice.")? {
        None => Choice::Auto,
        Some(choice) if choice.get("auto").is_some() => Choice::Auto,
        Some(choice) if choice.get("any").is_some() => Choice::Required,
        Some(choice) => {
            let name = choice.get("tool").and_then(|tool| tool.get("name"));
            let Some(name) = name.and_then(Json::string) else {
                return Err(Refusal::of(param, "expected auto, any or a tool"));
            };
            named(param, &name, &tools)?
        }
    };
    Ok((tools, choice))
}

/// The form of the answer.
fn format(schema: Option<&str>) -> Result<Format<'_>, Refusal> {
    let Some(schema) = schema else {
        return Ok(Format::Text);
    };
    let json = Json::parse(schema.as_bytes()).ok();
    let json = json.filter(|json| json.kind() == Kind::Object);
    let expected = "expected the text of a JSON schema";
    json.map(Format::Schema)
        .ok_or_else(|| Refusal::of(&SCHEMA.join("."), expected))
}

/// Whether reasoning is wanted, in the words of the models' makers.
fn reasoning(body: Body<'_>) -> Result<bool, Refusal> {
    const AT: &str = "additionalModelRequestFields.";
    let Some(fields) = body.object("additionalModelRequestFields", AT)? else {
        return Ok(false);
    };
    let effort = fields.get("reasoning_effort");
    if let Some(effort) = effort {
        return Ok(!effort.is("none"));
    }
    let kinds = ["thinking", "reasoning_config", "reasoningConfig"];
    let mut kinds = kinds
        .into_iter()
        .filter_map(|key| fields.get(key)?.get("type"));
    Ok(kinds.any(|kind| !kind.is("disabled")))
}
