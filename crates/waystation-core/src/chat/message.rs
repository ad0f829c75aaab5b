//! Messages, their parts, and tools, as views over the request's own bytes.

use std::borrow::Cow;

use super::{
    InvalidRequest,
    names::Names,
    rules::{self, Rule},
};
use crate::{Json, Kind};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The operator's instructions.
    System,
    /// The operator's instructions, newer word.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool's result.
    Tool,
    /// A function's result, the older form of `tool`.
    Function,
}

/// One message. Unknown members stay reachable through [`Message::json`].
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    json: Json<'a>,
    role: Role,
}

/// What a message holds.
#[derive(Clone, Debug)]
pub enum Content<'a> {
    /// Nothing, or `null`.
    Absent,
    /// A string.
    Text(Json<'a>),
    /// A list of parts.
    Parts(crate::json::Elements<'a>),
}

/// One part of a message's content.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a>(Json<'a>);

/// One tool call of an assistant message.
#[derive(Clone, Copy, Debug)]
pub struct ToolCall<'a>(Json<'a>);

// === impl Role ===

impl Role {
    const ALL: [(&'static str, Self); 6] = [
        ("system", Self::System),
        ("developer", Self::Developer),
        ("user", Self::User),
        ("assistant", Self::Assistant),
        ("tool", Self::Tool),
        ("function", Self::Function),
    ];

    fn read(json: Json<'_>) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(name, _)| json.is(name))
            .map(|(_, role)| role)
    }
}

// === impl Message ===

impl<'a> Message<'a> {
    /// Reads a message that has passed the checks; `None` for a value that has not.
    #[must_use]
    pub fn of(json: Json<'a>) -> Option<Self> {
        Some(Self {
            json,
            role: Role::read(json.get("role")?)?,
        })
    }

    /// The whole message.
    #[must_use]
    pub const fn json(&self) -> Json<'a> {
        self.json
    }

    /// Who speaks.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// What it holds.
    #[must_use]
    pub fn content(&self) -> Content<'a> {
        match self.json.get("content") {
            Some(content) if content.kind() == Kind::String => Content::Text(content),
            Some(content) if content.kind() == Kind::Array => Content::Parts(content.elements()),
            _ => Content::Absent,
        }
    }

    /// All text of the message, parts joined by nothing. Borrowed when it is one plain string.
    #[must_use]
    pub fn text(&self) -> Cow<'a, str> {
        match self.content() {
            Content::Absent => Cow::Borrowed(""),
            Content::Text(text) => text.string().unwrap_or_default(),
            Content::Parts(parts) => {
                Cow::Owned(parts.map(Part).filter_map(|part| part.text()).collect())
            }
        }
    }

    /// The tool calls of an assistant message.
    pub fn tool_calls(&self) -> impl Iterator<Item = ToolCall<'a>> + use<'a> {
        ToolCall::all(self.json)
    }

    /// Which call a tool message answers.
    #[must_use]
    pub fn tool_call_id(&self) -> Option<Cow<'a, str>> {
        self.json.get("tool_call_id")?.string()
    }

    /// A member that is neither absent nor `null`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Json<'a>> {
        self.json.get(key).filter(|value| !value.is_null())
    }
}

// === impl Content ===

impl<'a> Content<'a> {
    /// The parts of a list; nothing for a string.
    pub fn parts(self) -> impl Iterator<Item = Part<'a>> {
        match self {
            Self::Parts(parts) => Some(parts),
            Self::Absent | Self::Text(_) => None,
        }
        .into_iter()
        .flatten()
        .map(Part)
    }
}

// === impl Part ===

impl<'a> Part<'a> {
    /// The whole part.
    #[must_use]
    pub const fn json(&self) -> Json<'a> {
        self.0
    }

    /// The part's `type`.
    #[must_use]
    pub fn kind(&self) -> Cow<'a, str> {
        self.0
            .get("type")
            .and_then(Json::string)
            .unwrap_or_default()
    }

    /// The text of a `text` part.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'a, str>> {
        self.0.get("type").filter(|kind| kind.is("text"))?;
        self.0.get("text")?.string()
    }

    /// The address in an `image_url`, `video_url` or `input_video` part: https or a data URL.
    #[must_use]
    pub fn url(&self) -> Option<Json<'a>> {
        let holder = self
            .0
            .get("image_url")
            .or_else(|| self.0.get("video_url"))?;
        if holder.kind() == Kind::String {
            Some(holder)
        } else {
            holder.get("url")
        }
    }
}

// === impl ToolCall ===

impl<'a> ToolCall<'a> {
    /// Those of a message.
    pub(super) fn all(message: Json<'a>) -> impl Iterator<Item = Self> + use<'a> {
        let calls = message.get("tool_calls").map(Json::elements);
        calls.unwrap_or_default().map(Self)
    }

    /// The whole call.
    #[must_use]
    pub const fn json(&self) -> Json<'a> {
        self.0
    }

    /// The call's id.
    #[must_use]
    pub fn id(&self) -> Cow<'a, str> {
        self.0.get("id").and_then(Json::string).unwrap_or_default()
    }

    /// The function's name.
    #[must_use]
    pub fn name(&self) -> Cow<'a, str> {
        self.0
            .at(&["function", "name"])
            .and_then(Json::string)
            .unwrap_or_default()
    }

    /// The arguments: JSON text inside a string.
    #[must_use]
    pub fn arguments(&self) -> Cow<'a, str> {
        self.0
            .at(&["function", "arguments"])
            .and_then(Json::string)
            .unwrap_or_default()
    }
}

static MESSAGE_NAMES: Names<13> = Names::of([
    "role",
    "content",
    "name",
    "tool_calls",
    "tool_call_id",
    "refusal",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "annotations",
    "images",
    "audio",
    "model",
]);
const PART_KEYS: &[&str] = &[
    "type",
    "text",
    "image_url",
    "input_audio",
    "video_url",
    "file",
    "cache_control",
];
const TOOL_KEYS: &[&str] = &["type", "function", "parameters", "cache_control"];

pub(super) fn check_messages(field: &str, value: Json<'_>) -> Result<(), InvalidRequest> {
    if value.kind() != Kind::Array {
        return Err(InvalidRequest::expected(
            field,
            "an array of messages",
            value,
        ));
    }
    if value.elements().next().is_none() {
        return Err(InvalidRequest::new(
            field,
            "expected at least one message, found none",
        ));
    }
    for (at, message) in value.elements().enumerate() {
        // Nearly always nothing is wrong: where it stands is written when something is.
        if check_message("", message).is_err() {
            check_message(&format!("{field}[{at}]"), message)?;
        }
    }
    Ok(())
}

fn check_message(path: &str, message: Json<'_>) -> Result<(), InvalidRequest> {
    rules::check(path, message, Rule::Object)?;
    let said = Said::of(message);
    if !said.plain {
        rules::unique_keys(path, message, MESSAGE_NAMES.all())?;
    }
    let roles = || Role::ALL.map(|(name, _)| name).join(", ");
    let Some(role) = said.role else {
        return Err(InvalidRequest::new(
            path,
            format!("expected a role: one of {}", roles()),
        ));
    };
    let Some(role) = Role::read(role) else {
        let expected = format!("one of {}", roles());
        return Err(InvalidRequest::expected(
            format!("{path}.role"),
            &expected,
            role,
        ));
    };
    let content = said.content.filter(|content| !content.is_null());
    match content.map(|content| (content, content.kind())) {
        Some((_, Kind::String)) => {}
        Some((list, Kind::Array)) => check_parts(&format!("{path}.content"), list)?,
        Some((found, _)) => {
            let expected = "a string or an array of parts";
            return Err(InvalidRequest::expected(
                format!("{path}.content"),
                expected,
                found,
            ));
        }
        None if role == Role::Assistant => {}
        None => return Err(InvalidRequest::new(format!("{path}.content"), "is missing")),
    }
    if role == Role::Tool {
        let id = said.tool_call_id.filter(|id| id.kind() == Kind::String);
        if id.is_none() {
            let message = "expected the id of the tool call that this answers";
            return Err(InvalidRequest::new(format!("{path}.tool_call_id"), message));
        }
    }
    match said.tool_calls.filter(|calls| !calls.is_null()) {
        Some(calls) => check_tool_calls(&format!("{path}.tool_calls"), calls),
        None => Ok(()),
    }
}

/// The members of a message that are checked, found in one walk.
#[derive(Default)]
struct Said<'a> {
    role: Option<Json<'a>>,
    content: Option<Json<'a>>,
    tool_call_id: Option<Json<'a>>,
    tool_calls: Option<Json<'a>>,
    /// No key is unknown or there twice.
    plain: bool,
}

impl<'a> Said<'a> {
    fn of(message: Json<'a>) -> Self {
        let (mut said, mut seen) = (Self::default(), 0_u32);
        said.plain = true;
        for (key, value) in message.members() {
            let Some(number) = MESSAGE_NAMES.find(key) else {
                said.plain = false;
                continue;
            };
            said.plain &= seen >> number & 1 == 0;
            seen |= 1 << number;
            let slot = match MESSAGE_NAMES.all().get(number) {
                Some(&"role") => &mut said.role,
                Some(&"content") => &mut said.content,
                Some(&"tool_call_id") => &mut said.tool_call_id,
                Some(&"tool_calls") => &mut said.tool_calls,
                _ => continue,
            };
            *slot = Some(value);
        }
        said
    }
}

fn check_tool_calls(path: &str, calls: Json<'_>) -> Result<(), InvalidRequest> {
    rules::check(path, calls, Rule::Objects)?;
    for (at, call) in calls.elements().enumerate() {
        let path = format!("{path}[{at}]");
        rules::unique_keys(&path, call, &["id", "type", "function", "index"])?;
        let Some(function) = call.get("function") else {
            continue;
        };
        rules::check(&format!("{path}.function"), function, Rule::Object)?;
        let name = function
            .get("name")
            .filter(|name| name.kind() == Kind::String);
        if name.is_none() {
            return Err(InvalidRequest::new(
                format!("{path}.function.name"),
                "expected a string",
            ));
        }
        if let Some(arguments) = function.get("arguments").filter(|text| !text.is_null()) {
            let path = format!("{path}.function.arguments");
            rules::check(&path, arguments, Rule::Text(usize::MAX))?;
        }
    }
    Ok(())
}

fn check_parts(path: &str, parts: Json<'_>) -> Result<(), InvalidRequest> {
    for (at, part) in parts.elements().enumerate() {
        let path = format!("{path}[{at}]");
        rules::check(&path, part, Rule::Object)?;
        rules::unique_keys(&path, part, PART_KEYS)?;
        let Some(kind) = part.get("type").and_then(Json::string) else {
            let known = "text, image_url, input_audio, video_url, file";
            return Err(InvalidRequest::new(
                path,
                format!("expected a type such as {known}"),
            ));
        };
        let (key, inner) = match &*kind {
            "text" => ("text", None),
            "image_url" => ("image_url", Some("url")),
            "video_url" | "input_video" => ("video_url", Some("url")),
            "input_audio" => ("input_audio", Some("data")),
            "file" => ("file", None),
            // Parts of a provider's own are for that provider to judge.
            _ => continue,
        };
        let held = part.get(key).filter(|held| !held.is_null());
        let legal = match (held, inner) {
            (Some(held), None) if key == "text" => held.kind() == Kind::String,
            (Some(held), None) => held.kind() == Kind::Object,
            // Mistral's clients send the bare string.
            (Some(held), Some(_)) if held.kind() == Kind::String => key != "video_url",
            (Some(held), Some(inner)) => held.get(inner).is_some_and(|v| v.kind() == Kind::String),
            (None, _) => false,
        };
        if !legal {
            let expected = match inner {
                Some(inner) => format!("expected an object with a string {inner:?}"),
                None if key == "text" => "expected a string".into(),
                None => "expected an object".into(),
            };
            return Err(InvalidRequest::new(format!("{path}.{key}"), expected));
        }
    }
    Ok(())
}

pub(super) fn check_tools(field: &str, value: Json<'_>) -> Result<(), InvalidRequest> {
    rules::check(field, value, Rule::Objects)?;
    for (at, tool) in value.elements().enumerate() {
        let path = format!("{field}[{at}]");
        rules::unique_keys(&path, tool, TOOL_KEYS)?;
        match tool.get("type") {
            Some(kind) if kind.is("function") => {}
            Some(kind) if kind.kind() == Kind::String => continue,
            // Mistral's clients leave the type out.
            None if tool.get("function").is_some() => {}
            _ => {
                let message = "expected a type such as \"function\"";
                return Err(InvalidRequest::new(path, message));
            }
        }
        let name = tool
            .at(&["function", "name"])
            .and_then(Json::string)
            .unwrap_or_default();
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        if name.is_empty() || name.len() > 64 || !name.chars().all(legal) {
            let message =
                format!("expected 1 to 64 letters, digits, underscores or dashes, found {name:?}");
            return Err(InvalidRequest::new(
                format!("{path}.function.name"),
                message,
            ));
        }
    }
    Ok(())
}
