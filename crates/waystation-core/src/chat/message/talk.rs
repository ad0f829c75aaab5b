//! What messages and tools may hold, and what the messages of a conversation are like, which is seen while
//! that is checked. What they say is not read here.

use super::{Message, Role};
use crate::{
    Json, Kind,
    chat::{
        InvalidRequest,
        names::Names,
        rules::{self, Rule},
    },
};

/// The first five are those of [`Said`].
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

/// What the messages of a conversation are like, seen while they are checked.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::chat) struct Talk {
    /// Some value in them may be a list.
    pub(in crate::chat) lists: bool,
    /// Each is a role, a text and nothing else, and none a developer's.
    pub(in crate::chat) plain: bool,
    /// The last one is the assistant's, and calls no tool.
    pub(in crate::chat) prefill: bool,
}

// === impl Talk ===

impl Talk {
    /// Holds messages against their rules.
    pub(in crate::chat) fn check(field: &str, value: Json<'_>) -> Result<Self, InvalidRequest> {
        if value.kind() != Kind::Array {
            return Err(InvalidRequest::expected(
                field,
                "an array of messages",
                value,
            ));
        }
        let mut talk = Self {
            plain: true,
            ..Self::default()
        };
        if value.elements().next().is_none() {
            return Err(InvalidRequest::new(
                field,
                "expected at least one message, found none",
            ));
        }
        for (at, message) in value.elements().enumerate() {
            let mut said = Said::default();
            said.read(message);
            // Nearly always nothing is wrong: where it stands is written when something is.
            let role = match check_message("", message, &said) {
                Ok(role) => role,
                Err(_) => check_message(&format!("{field}[{at}]"), message, &said)?,
            };
            talk.plain &= said.is_plain(role);
            talk.prefill = role == Role::Assistant && !said.calls();
        }
        talk.lists = !talk.plain && value.may_hold(b'[');
        Ok(talk)
    }

    /// What is known of messages that were not checked.
    pub(in crate::chat) fn of(messages: Json<'_>) -> Self {
        let last = messages.elements().last().and_then(Message::of);
        Self {
            lists: messages.may_hold(b'['),
            plain: false,
            prefill: last.is_some_and(|message| {
                message.role() == Role::Assistant && message.tool_calls().next().is_none()
            }),
        }
    }
}

/// Holds one message, of which `said` was found, against its rules. Who speaks.
fn check_message(path: &str, message: Json<'_>, said: &Said<'_>) -> Result<Role, InvalidRequest> {
    rules::check(path, message, Rule::Object)?;
    if said.odd {
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
    if let Some(calls) = said.tool_calls.filter(|calls| !calls.is_null()) {
        check_tool_calls(&format!("{path}.tool_calls"), calls)?;
    }
    Ok(role)
}

/// The members of a message that are checked, found in one walk.
#[derive(Default)]
struct Said<'a> {
    role: Option<Json<'a>>,
    content: Option<Json<'a>>,
    tool_call_id: Option<Json<'a>>,
    tool_calls: Option<Json<'a>>,
    /// A bit for each of [`MESSAGE_NAMES`] that is there.
    seen: u32,
    /// A key is unknown or there twice.
    odd: bool,
}

impl<'a> Said<'a> {
    /// Reads a message into what was nothing.
    fn read(&mut self, message: Json<'a>) {
        for (key, value) in message.members() {
            let number = match key.escaped() {
                b"role" => Self::ROLE,
                b"content" => Self::CONTENT,
                _ => match MESSAGE_NAMES.find(key) {
                    Some(number) => number,
                    None => {
                        self.odd = true;
                        continue;
                    }
                },
            };
            self.odd |= self.seen >> number & 1 == 1;
            self.seen |= 1 << number;
            match number {
                Self::ROLE => self.role = Some(value),
                Self::CONTENT => self.content = Some(value),
                Self::CALLS => self.tool_calls = Some(value),
                Self::CALL_ID => self.tool_call_id = Some(value),
                _ => {}
            }
        }
    }

    /// Their numbers among [`MESSAGE_NAMES`].
    const ROLE: usize = 0;
    const CONTENT: usize = 1;
    const CALLS: usize = 3;
    const CALL_ID: usize = 4;

    /// Whether nothing is there but a text and a role that every host knows.
    fn is_plain(&self, role: Role) -> bool {
        const BOTH: u32 = 1 << Said::ROLE | 1 << Said::CONTENT;
        let text = self
            .content
            .is_some_and(|content| content.kind() == Kind::String);
        !self.odd && self.seen == BOTH && text && role != Role::Developer
    }

    /// Whether tools are called.
    fn calls(&self) -> bool {
        let mut calls = self.tool_calls.map(Json::elements).unwrap_or_default();
        calls.next().is_some()
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
        if key == "file" && !held.is_some_and(has_content) {
            let message =
                "expected a data URL or an address of the file (or its file_id), found none";
            return Err(InvalidRequest::new(
                format!("{path}.file.file_data"),
                message,
            ));
        }
    }
    Ok(())
}

/// Whether a part says where its file is. What is said is for those who read it to judge.
fn has_content(file: Json<'_>) -> bool {
    let said = |key: &&str| {
        file.get(key)
            .and_then(Json::string)
            .is_some_and(|said| !said.is_empty())
    };
    ["file_data", "file_id", "file_url", "url"].iter().any(said)
}

pub(in crate::chat) fn check_tools(field: &str, value: Json<'_>) -> Result<(), InvalidRequest> {
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
