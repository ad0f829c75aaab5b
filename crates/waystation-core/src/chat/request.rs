//! A chat request as spans over its body.
//!
//! The body is scanned once and cut into its top-level members. Each member is held against its
//! rule then, and typed again, cheaply, whenever somebody looks. What nobody replaced is written as
//! it came, byte for byte, unknown members included.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;

use super::{InvalidRequest, Message, ProviderPreferences, Reasoning, rules};
use crate::{
    ErrorType, Json, Kind, Modalities, Modality, Outline, Parameter, ParameterSet, RawJson, Role,
    ScanError, Tokens,
};

/// A chat request that has passed every check that needs no catalogue.
///
/// Cloning is cheap: copies share their members until one of them changes, and members share the body's
/// memory.
///
/// ```
/// use waystation_core::ChatRequest;
///
/// let body = br#"{"model": "openai/gpt-5.4", "messages": [{"role": "user", "content": "Hi"}], "x": 1}"#;
/// let chat = ChatRequest::parse(&body.as_slice().into())?;
/// assert_eq!(chat.model().as_deref(), Some("openai/gpt-5.4"));
/// assert_eq!(chat.get("x").and_then(|x| x.u64()), Some(1));
/// # Ok::<(), waystation_core::InvalidRequest>(())
/// ```
#[derive(Clone, Debug)]
pub struct ChatRequest {
    /// Shared until one of the copies changes.
    members: Arc<Vec<Member>>,
    /// Where the values of the body stand that it came in.
    outline: Arc<Outline>,
    /// Which names there may be: most that are asked for are not there.
    names: Names,
    /// Some value inside `messages` may be a list.
    lists: bool,
}

/// A set of names that may hold more than were put into it, and never fewer.
#[derive(Clone, Copy, Debug, Default)]
struct Names(u64);

#[derive(Clone, Debug)]
struct Member {
    /// The key as it stood between its quotes.
    key: Bytes,
    /// The value's text.
    value: RawJson,
    /// The value's note in the outline; none when it was replaced.
    note: Option<u32>,
}

// === impl ChatRequest ===

impl ChatRequest {
    /// Cuts and checks a body.
    ///
    /// `null` in a member that the gateway knows is absence: the member is left out.
    ///
    /// # Errors
    /// [`InvalidRequest`] naming the offending member and what it should be.
    pub fn parse(body: &Bytes) -> Result<Self, InvalidRequest> {
        let mut outline = Outline::default();
        let json = Json::outlined(body, &mut outline).map_err(not_json)?;
        if json.kind() != Kind::Object {
            return Err(InvalidRequest::expected("", "a JSON object", json));
        }
        rules::unique_keys("", json, &FIELD_NAMES)?;
        let mut members = Vec::with_capacity(14);
        let (mut names, mut lists) = (Names::default(), false);
        for (key, value) in json.members() {
            if let Some((name, rule)) = rules::FIELDS.iter().find(|(name, _)| key.is(name)) {
                if value.is_null() {
                    continue;
                }
                rules::check(name, value, *rule)?;
                lists |= *name == "messages" && value.may_hold(b'[');
                names.add(name);
            } else {
                names.add(&key.name());
            }
            let key = key.shared(body);
            members.push(Member {
                key,
                value: value.raw(body),
                note: value.note(),
            });
        }
        let mut chat = Self {
            members: Arc::new(members),
            outline: Arc::new(outline),
            names,
            lists,
        };
        chat.adopt_prompt()?;
        chat.check_together()?;
        Ok(chat)
    }

    /// A text-completion style `prompt` becomes one user message.
    fn adopt_prompt(&mut self) -> Result<(), InvalidRequest> {
        if self.get("messages").is_some() {
            return Ok(());
        }
        let Some(prompt) = self.get("prompt") else {
            return Err(InvalidRequest::new(
                "messages",
                "is missing; expected an array of messages",
            ));
        };
        if prompt.kind() != Kind::String {
            return Err(InvalidRequest::expected("prompt", "a string", prompt));
        }
        let mut text = br#"[{"role":"user","content":"#.to_vec();
        text.extend_from_slice(prompt.bytes());
        text.extend_from_slice(b"}]");
        self.remove("prompt");
        self.set("messages", RawJson::checked(text.into()));
        Ok(())
    }

    /// The checks that look at more than one member.
    fn check_together(&self) -> Result<(), InvalidRequest> {
        ProviderPreferences::of(self)?;
        self.read_reasoning()?;
        let bool = |key| self.get(key).and_then(Json::bool).unwrap_or_default();
        if self.get("top_logprobs").is_some() && !bool("logprobs") {
            return Err(InvalidRequest::new(
                "top_logprobs",
                "needs \"logprobs\": true",
            ));
        }
        Ok(())
    }

    /// The first member called `key`.
    #[inline]
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Json<'_>> {
        if self.names.may_have(key) {
            self.find(key)
        } else {
            None
        }
    }

    fn find(&self, key: &str) -> Option<Json<'_>> {
        self.members
            .iter()
            .find(|member| member.is(key))
            .map(|member| match member.note {
                Some(note) => member.value.json().noted(&self.outline, note),
                None => member.value.json(),
            })
    }

    /// Every member in order: its key, escaped as it came, and its value.
    pub fn members(&self) -> impl Iterator<Item = (&[u8], &RawJson)> {
        self.members
            .iter()
            .map(|member| (&*member.key, &member.value))
    }

    /// Replaces the member called `key`, or appends it.
    pub fn set(&mut self, key: &'static str, value: RawJson) {
        self.names.add(key);
        self.lists |= key == "messages";
        let members = Arc::make_mut(&mut self.members);
        match members.iter_mut().find(|member| member.is(key)) {
            Some(member) => (member.value, member.note) = (value, None),
            None => members.push(Member {
                key: Bytes::from_static(key.as_bytes()),
                value,
                note: None,
            }),
        }
    }

    /// Takes the member called `key` out.
    pub fn remove(&mut self, key: &str) {
        if self.names.may_have(key) {
            Arc::make_mut(&mut self.members).retain(|member| !member.is(key));
        }
    }

    /// The request as one JSON object: clean members as they came, replaced ones as they are now.
    #[must_use]
    pub fn to_json(&self) -> RawJson {
        let size = self
            .members
            .iter()
            .map(|m| m.key.len() + m.value.bytes().len() + 4)
            .sum();
        let mut out = Vec::with_capacity(size);
        let mut object = crate::ObjectWriter::open(&mut out);
        for (key, value) in self.members() {
            object.escaped_key(key).extend_from_slice(value.bytes());
        }
        object.close();
        RawJson::checked(out.into())
    }

    fn text(&self, key: &str) -> Option<Cow<'_, str>> {
        self.get(key)?.string()
    }

    /// `model`, as the client spelled it.
    #[must_use]
    pub fn model(&self) -> Option<Cow<'_, str>> {
        self.text("model")
    }

    /// `models`, as the client spelled them.
    pub fn models(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.get("models")
            .into_iter()
            .flat_map(Json::elements)
            .filter_map(Json::string)
    }

    /// Whether the reply is to be streamed.
    #[must_use]
    pub fn stream(&self) -> bool {
        self.get("stream").and_then(Json::bool).unwrap_or_default()
    }

    /// The limit on output; `max_completion_tokens` when both names were sent.
    #[must_use]
    pub fn max_output(&self) -> Option<Tokens> {
        let value = self
            .get("max_completion_tokens")
            .or_else(|| self.get("max_tokens"))?;
        value.u64().map(Tokens::new)
    }

    /// The messages.
    pub fn messages(&self) -> impl Iterator<Item = Message<'_>> {
        self.each_message().filter_map(Message::of)
    }

    /// Whether the content of some message may be a list of parts. `false` is certain: every content is
    /// a text then, as nearly always, and nobody needs to look for files or images among the messages.
    #[inline]
    #[must_use]
    pub const fn may_have_parts(&self) -> bool {
        self.lists
    }

    /// The same, for what does not ask who speaks.
    fn each_message(&self) -> impl Iterator<Item = Json<'_>> {
        self.get("messages").into_iter().flat_map(Json::elements)
    }

    /// The tools, each as it came.
    #[inline]
    pub fn tools(&self) -> impl Iterator<Item = Json<'_>> {
        self.get("tools").into_iter().flat_map(Json::elements)
    }

    /// What the request says about reasoning; `None` when nothing.
    #[must_use]
    pub fn reasoning(&self) -> Option<Reasoning> {
        self.read_reasoning().ok().flatten()
    }

    fn read_reasoning(&self) -> Result<Option<Reasoning>, InvalidRequest> {
        let (object, effort) = (self.get("reasoning"), self.get("reasoning_effort"));
        Reasoning::read(object, effort, self.get("include_reasoning"))
    }

    /// The stickiness key in the body: `session_id`, else `prompt_cache_key`.
    #[must_use]
    pub fn session(&self) -> Option<Cow<'_, str>> {
        self.text("session_id")
            .or_else(|| self.text("prompt_cache_key"))
    }

    /// The parameters of the routing vocabulary that were sent. A `json_schema` format counts as
    /// `structured_outputs` too.
    #[must_use]
    pub fn parameters(&self) -> ParameterSet {
        let sent = self.members.iter();
        let mut set: ParameterSet = sent.filter_map(Member::parameter).collect();
        let format = self
            .get("response_format")
            .and_then(|format| format.get("type"));
        if format.is_some_and(|kind| kind.is("json_schema")) {
            set = set.with(Parameter::StructuredOutputs);
        }
        if self.tools().next().is_none() {
            // An empty list of tools asks for nothing.
            set = set.without(Parameter::Tools);
        }
        set
    }

    /// Whether the answer is to be JSON.
    #[must_use]
    pub fn wants_json(&self) -> bool {
        let kind = self
            .get("response_format")
            .and_then(|format| format.get("type"));
        kind.is_some_and(|kind| kind.is("json_object") || kind.is("json_schema"))
    }

    /// Kinds of input among the message parts; text always.
    #[must_use]
    pub fn input_modalities(&self) -> Modalities {
        let mut found = Modalities::TEXT;
        let contents = self.each_message().filter_map(|json| json.get("content"));
        for kind in contents
            .flat_map(Json::elements)
            .filter_map(|part| part.get("type"))
        {
            found = match kind.string().as_deref() {
                Some("image_url") => found.with(Modality::Image),
                Some("input_audio") => found.with(Modality::Audio),
                Some("video_url" | "input_video") => found.with(Modality::Video),
                Some("file") => found.with(Modality::File),
                _ => found,
            };
        }
        found
    }

    /// Kinds of output asked for; text when nothing is said.
    #[must_use]
    pub fn output_modalities(&self) -> Modalities {
        let Some(list) = self.get("modalities") else {
            return Modalities::TEXT;
        };
        list.elements()
            .filter_map(|m| m.string().and_then(|m| m.parse().ok()))
            .collect()
    }

    /// Bytes of text that the model will read: message texts, tool calls and tool definitions.
    /// Images, audio and files are not text and do not count.
    #[must_use]
    pub fn prompt_bytes(&self) -> u64 {
        let mut bytes = 0;
        for message in self.each_message() {
            for (key, value) in message.members() {
                bytes += match value.kind() {
                    Kind::Array if key.is("content") => value
                        .elements()
                        .filter_map(|part| part.get("text").or_else(|| part.get("content")))
                        .map(|text| text.bytes().len())
                        .sum(),
                    _ => value.bytes().len(),
                };
            }
        }
        let tools = self.get("tools").map_or(0, |tools| tools.bytes().len());
        let format = self
            .get("response_format")
            .map_or(0, |format| format.bytes().len());
        u64::try_from(bytes + tools + format).unwrap_or(u64::MAX)
    }

    /// Whether the conversation ends with words of the assistant that the model is to continue.
    #[must_use]
    pub fn has_prefill(&self) -> bool {
        let last = self.each_message().last().and_then(Message::of);
        last.is_some_and(|message| {
            message.role() == Role::Assistant && message.tool_calls().next().is_none()
        })
    }
}

// === going on from given words ===

impl ChatRequest {
    /// The same request with `text` as words of the assistant that the answer is to go on from:
    /// behind a prefill of the client's own, else as a further message. `None` when the client's own is
    /// not plain text.
    ///
    /// ```
    /// use waystation_core::ChatRequest;
    ///
    /// let body = br#"{"messages": [{"role": "user", "content": "Count"}]}"#;
    /// let chat = ChatRequest::parse(&body.as_slice().into())?;
    /// let on = chat.going_on_from("1, 2,").unwrap().going_on_from(" 3").unwrap();
    /// assert_eq!(on.messages().count(), 2);
    /// assert_eq!(on.messages().last().unwrap().text(), "1, 2, 3");
    /// # Ok::<(), waystation_core::InvalidRequest>(())
    /// ```
    #[must_use]
    pub fn going_on_from(&self, text: &str) -> Option<Self> {
        let messages = self.get("messages")?;
        let count = messages.elements().count();
        let kept = if self.has_prefill() { count - 1 } else { count };
        let mut out = Vec::with_capacity(messages.bytes().len() + text.len() + 64);
        for message in messages.elements().take(kept) {
            out.push(if out.is_empty() { b'[' } else { b',' });
            out.extend_from_slice(message.bytes());
        }
        out.push(if out.is_empty() { b'[' } else { b',' });
        let mut object = crate::ObjectWriter::open(&mut out);
        match messages.elements().nth(kept) {
            None => {
                object.string("role", "assistant").string("content", text);
            }
            Some(own) => {
                let begun = own
                    .get("content")
                    .filter(|content| content.kind() == Kind::String)?;
                let whole = format!("{}{text}", begun.string()?);
                for (key, value) in own.members() {
                    if key.is("content") {
                        object.string("content", &whole);
                    } else {
                        let out = object.escaped_key(key.escaped());
                        out.extend_from_slice(value.bytes());
                    }
                }
            }
        }
        object.close();
        out.push(b']');
        let mut chat = self.clone();
        chat.set("messages", RawJson::checked(out.into()));
        Some(chat)
    }
}

// === impl Member ===

impl Member {
    #[inline]
    fn is(&self, key: &str) -> bool {
        crate::json::spells(&self.key, key)
    }

    /// The parameter that the member is.
    fn parameter(&self) -> Option<Parameter> {
        let plain = Parameter::of_bytes(&self.key);
        plain.or_else(|| match self.key.contains(&b'\\') {
            true => Parameter::named(&crate::json::spelled(&self.key)),
            false => None,
        })
    }
}

// === impl Names ===

impl Names {
    fn add(&mut self, name: &str) {
        self.0 |= Self::bit(name);
    }

    #[inline]
    const fn may_have(self, name: &str) -> bool {
        self.0 & Self::bit(name) != 0
    }

    /// One of 64, by the length and the ends of the name. The factors keep those that most requests have
    /// apart from those that are asked for.
    #[inline]
    const fn bit(name: &str) -> u64 {
        let name = name.as_bytes();
        let place = match (name.first(), name.last()) {
            (Some(first), Some(last)) => {
                (*first as usize) + (*last as usize) * 30 + name.len() * 26
            }
            _ => 0,
        };
        1 << (place % 64)
    }
}

/// The names alone, for the check on case.
const FIELD_NAMES: [&str; rules::FIELDS.len()] = {
    let mut names = [""; rules::FIELDS.len()];
    let mut at = 0;
    while at < names.len() {
        #[expect(
            clippy::indexing_slicing,
            reason = "checked by the compiler: this runs at build"
        )]
        {
            names[at] = rules::FIELDS[at].0;
        }
        at += 1;
    }
    names
};

fn not_json(error: ScanError) -> InvalidRequest {
    InvalidRequest {
        kind: ErrorType::InvalidRequest,
        field: String::new(),
        message: format!("the body is not JSON: {error}"),
    }
}

#[cfg(test)]
mod tests;
