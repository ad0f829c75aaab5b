//! Messages, their parts, and tools, as views over the request's own bytes.

mod talk;

use std::borrow::Cow;

use crate::{Json, Kind};

pub(super) use talk::{Talk, check_tools};

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
    content: Option<Json<'a>>,
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
        let escaped = json.escaped()?;
        // An escape, which nobody writes there, makes it longer than it is called.
        Self::named(escaped).or_else(|| match crate::json::spelled(escaped) {
            Cow::Borrowed(_) => None,
            Cow::Owned(name) => Self::named(name.as_bytes()),
        })
    }

    #[inline]
    fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"system" => Self::System,
            b"developer" => Self::Developer,
            b"user" => Self::User,
            b"assistant" => Self::Assistant,
            b"tool" => Self::Tool,
            b"function" => Self::Function,
            _ => return None,
        })
    }
}

// === impl Message ===

impl<'a> Message<'a> {
    /// Reads a message that has passed the checks; `None` for a value that has not.
    #[must_use]
    pub fn of(json: Json<'a>) -> Option<Self> {
        let (mut role, mut content) = (None, None);
        for (key, value) in json.members() {
            let slot = match key.escaped() {
                b"role" => &mut role,
                b"content" => &mut content,
                _ if key.is("role") => &mut role,
                _ if key.is("content") => &mut content,
                _ => continue,
            };
            // The first of a name counts, as everywhere.
            *slot = slot.or(Some(value));
        }
        let role = Role::read(role?)?;
        Some(Self {
            json,
            role,
            content,
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
        match self.content {
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
