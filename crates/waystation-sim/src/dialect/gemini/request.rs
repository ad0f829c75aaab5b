//! Reads a `generateContent` request, in either of the two spellings that Google takes: camel case
//! and snake case. What is not known is ignored, what is wrong is refused by name.

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

/// A request that can be answered.
pub(super) struct Question<'a> {
    /// The question itself, free of the wire.
    pub(super) asked: Asked<'a>,
    /// How many candidates.
    pub(super) n: u64,
    /// Thoughts are shown.
    pub(super) shown: bool,
    /// Log probabilities are wanted, with so many alternatives.
    pub(super) logprobs: Option<u64>,
}

/// The most candidates. Source: Google's reference (2026-08).
const MAX_CANDIDATES: u64 = 8;

/// Reads the request of `arrival` for `model`.
pub(super) fn read<'a>(
    arrival: &Arrival<'a>,
    model: Cow<'a, str>,
) -> Result<Question<'a>, Refusal> {
    let body = Body::of(arrival)?;
    let talk = contents(body)?;
    let mut tools = tools(body)?;
    let choice = choice(body, &mut tools)?;
    let config = nested(body, "generationConfig", "generationConfig.")?;
    let number = |key: &str| match config {
        Some(config) => config.whole(&spelled(config, key)),
        None => Ok(None),
    };
    let n = number("candidateCount")?.unwrap_or(1);
    if !(1..=MAX_CANDIDATES).contains(&n) {
        let message = format!("expected 1 to {MAX_CANDIDATES}, found {n}");
        return Err(Refusal::of("generationConfig.candidateCount", message));
    }
    let (reasoning, shown) = thinking(config)?;
    let (mut limit, mut stop, mut probable) = (None, Vec::new(), None);
    if let Some(config) = config {
        limit = config.limit(&spelled(config, "maxOutputTokens"))?;
        stop = config.texts(&spelled(config, "stopSequences"))?;
        let wanted = config.flag(&spelled(config, "responseLogprobs"))?;
        let top = config.whole("logprobs")?.unwrap_or_default();
        probable = (wanted == Some(true)).then_some(top);
    }
    let prompt_tokens = body.tokens(&[
        "contents",
        "tools",
        &spelled(body, "systemInstruction"),
        &spelled(body, "generationConfig"),
    ]);
    let asked = Asked {
        key: body.hash(arrival.seed, &model, &[]),
        model,
        prompt: talk.prompt,
        last: talk.last,
        tools,
        choice,
        parallel: true,
        search: body.list("tools")?.any(is_search),
        format: format(config),
        limit,
        stop,
        reasoning,
        media: talk.media,
        prompt_tokens: prompt_tokens + talk.media.tokens(),
    };
    Ok(Question {
        asked,
        n,
        shown,
        logprobs: probable,
    })
}

/// The conversation, at least one content.
fn contents(body: Body<'_>) -> Result<Talk, Refusal> {
    let mut talk = Talk::new();
    let mut spoken = false;
    for (at, content) in body.list("contents")?.enumerate() {
        spoken = true;
        let role = content.get("role").and_then(Json::string);
        match role.as_deref() {
            None | Some("user" | "function") => turn(content, &mut talk),
            Some("model") => talk.model(),
            Some(found) => {
                let param = format!("contents[{at}].role");
                let message = format!("expected user or model, found {found:?}");
                return Err(Refusal::of(&param, message));
            }
        }
    }
    if spoken {
        Ok(talk)
    } else {
        Err(Refusal::of("contents", "contents is not specified"))
    }
}

/// One content of the person's: words and media, or what functions gave.
fn turn(content: Json<'_>, talk: &mut Talk) {
    let (mut text, mut media, mut results) = (String::new(), Media::default(), false);
    for part in content.get("parts").into_iter().flat_map(Json::elements) {
        if let Some(result) = member(part, "functionResponse") {
            results = true;
            talk.result(result.get("response").map(told).unwrap_or_default());
        }
        text.push_str(&part.get("text").and_then(Json::string).unwrap_or_default());
        let blob = member(part, "inlineData").or_else(|| member(part, "fileData"));
        let kind = blob.and_then(|blob| member(blob, "mimeType")?.string());
        let Some(kind) = kind else {
            continue;
        };
        let counter = match kind.split('/').next() {
            Some("image") => &mut media.images,
            Some("audio") => &mut media.audio,
            Some("video") => &mut media.videos,
            _ => &mut media.files,
        };
        *counter += 1;
    }
    if !results || !text.is_empty() {
        talk.person(text, media);
    }
}

/// What a function gave: its `output` where that is a text, else the whole object.
fn told(response: Json<'_>) -> String {
    let output = response.get("output").and_then(Json::string);
    output.unwrap_or_else(|| response.text()).into_owned()
}

/// The functions that may be called. Other tools are Google's own business.
fn tools(body: Body<'_>) -> Result<Vec<Tool<'_>>, Refusal> {
    let mut tools = Vec::new();
    for (at, tool) in body.list("tools")?.enumerate() {
        let declared = member(tool, "functionDeclarations");
        let declared = declared.into_iter().flat_map(Json::elements);
        for (place, function) in declared.enumerate() {
            let Some(name) = function.get("name").and_then(Json::string) else {
                let param = format!("tools[{at}].functionDeclarations[{place}].name");
                return Err(Refusal::missing(&param));
            };
            let description = function.get("description").and_then(Json::string);
            let schema = member(function, "parametersJsonSchema");
            let schema = schema.or_else(|| function.get("parameters"));
            tools.push(Tool {
                name,
                description: description.unwrap_or_default(),
                parameters: schema.filter(|schema| schema.kind() == Kind::Object),
            });
        }
    }
    Ok(tools)
}

/// Whether a tool is Google's own search, in any of its versions.
fn is_search(tool: Json<'_>) -> bool {
    let mut names = ["googleSearch", "googleSearchRetrieval"].into_iter();
    names.any(|name| member(tool, name).is_some())
}

/// `functionCallingConfig`; names that are allowed leave only those functions.
fn choice(body: Body<'_>, tools: &mut Vec<Tool<'_>>) -> Result<Choice, Refusal> {
    const AT: &str = "toolConfig.functionCallingConfig.";
    let config = match nested(body, "toolConfig", "toolConfig.")? {
        Some(config) => nested(config, "functionCallingConfig", AT)?,
        None => None,
    };
    let Some(config) = config else {
        return Ok(Choice::Auto);
    };
    let names = config.texts(&spelled(config, "allowedFunctionNames"))?;
    for name in &names {
        named(&format!("{AT}allowedFunctionNames"), name, tools)?;
    }
    if !names.is_empty() {
        tools.retain(|tool| names.iter().any(|name| tool.name == **name));
    }
    let mode = config.get("mode").and_then(Json::string);
    match (mode.as_deref(), &*names) {
        (Some("NONE"), _) => Ok(Choice::None),
        (Some("ANY"), [one]) => Ok(Choice::Named(one.clone())),
        (Some("ANY"), _) => Ok(Choice::Required),
        (None | Some("AUTO" | "VALIDATED" | "MODE_UNSPECIFIED"), _) => Ok(Choice::Auto),
        (Some(found), _) => {
            let message = format!("expected AUTO, ANY, NONE or VALIDATED, found {found:?}");
            Err(Refusal::of(&format!("{AT}mode"), message))
        }
    }
}

/// Whether thinking is wanted, and whether it is shown.
///
/// A `thinkingBudget` of 0 turns it off, -1 leaves the amount to the model. The level `minimal` means
/// hardly any, so that there is none unless `includeThoughts` asks to see it.
/// Source: <https://ai.google.dev/gemini-api/docs/thinking> (2026-08).
fn thinking(config: Option<Body<'_>>) -> Result<(bool, bool), Refusal> {
    let Some(config) = config else {
        return Ok((false, false));
    };
    let Some(thinking) = nested(config, "thinkingConfig", "generationConfig.thinkingConfig.")?
    else {
        return Ok((false, false));
    };
    let shown = thinking.flag(&spelled(thinking, "includeThoughts"))? == Some(true);
    let budget = thinking.get(&spelled(thinking, "thinkingBudget"));
    let level = thinking.get(&spelled(thinking, "thinkingLevel"));
    let level = level.and_then(Json::string);
    // -1 leaves the amount to the model.
    let off = budget.and_then(Json::i64) == Some(0);
    let little = level.is_some_and(|level| level.eq_ignore_ascii_case("minimal"));
    Ok((!off && (shown || !little), shown && !off))
}

/// The form of the answer: that of a schema in either dialect of schemas, or any JSON.
fn format(config: Option<Body<'_>>) -> Format<'_> {
    let Some(config) = config else {
        return Format::Text;
    };
    let schema = ["responseJsonSchema", "responseSchema"]
        .into_iter()
        .find_map(|key| config.get(&spelled(config, key)))
        .filter(|schema| schema.kind() == Kind::Object);
    let kind = config.get(&spelled(config, "responseMimeType"));
    match schema {
        Some(schema) => Format::Schema(schema),
        None if kind.is_some_and(|kind| kind.is("application/json")) => Format::Object,
        None => Format::Text,
    }
}

/// An object inside `body`, in either spelling.
fn nested<'a>(body: Body<'a>, key: &str, at: &'static str) -> Result<Option<Body<'a>>, Refusal> {
    body.object(&spelled(body, key), at)
}

/// A member in either spelling.
fn member<'a>(json: Json<'a>, key: &str) -> Option<Json<'a>> {
    json.get(key).or_else(|| json.get(&snake(key)))
}

/// The spelling of a member that `body` has; camel case when it has neither.
fn spelled(body: Body<'_>, key: &str) -> String {
    let other = snake(key);
    if body.get(key).is_none() && body.get(&other).is_some() {
        other
    } else {
        key.into()
    }
}

/// `maxOutputTokens` as `max_output_tokens`.
fn snake(key: &str) -> String {
    let mut out = String::with_capacity(key.len() + 4);
    for letter in key.chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}
