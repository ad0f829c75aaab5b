//! A chat request as spans over its body.
//!
//! The body is scanned once and cut into its top-level members. Each member is held against its
//! rule then, and typed again, cheaply, whenever somebody looks. What nobody replaced is written as
//! it came, byte for byte, unknown members included.

mod continuation;
mod member;

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;

use super::{
    InvalidRequest, Message, ProviderPreferences, Reasoning, ToolCall,
    message::Talk,
    rules::{self, Rule},
};
use crate::{
    Elements, ErrorType, Json, Kind, Modalities, Modality, Outline, Parameter, ParameterSet,
    RawJson, ScanError, Tokens,
};
use member::{Cut, Member, NameSet, Sent, Value};

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
    /// What came. Copies share it for good.
    sent: Arc<Sent>,
    /// The members, where some are others than came. Shared until one of the copies changes.
    changed: Option<Arc<Vec<Member>>>,
    /// Which names may be among the members. Most that are asked for are not there.
    names: NameSet,
    /// `model`, as text: it is asked for again and again.
    model: Option<Arc<str>>,
    /// What the messages are like.
    talk: Talk,
}

// === impl ChatRequest ===

impl ChatRequest {
    /// Cuts and checks a body.
    ///
    /// `null` in a member that the gateway knows is absence: the member is left out. A byte order mark
    /// before the text is passed over, as RFC 8259 (section 8.1) lets readers do: some clients write one.
    ///
    /// # Errors
    /// [`InvalidRequest`] naming the offending member and what it should be.
    pub fn parse(body: &Bytes) -> Result<Self, InvalidRequest> {
        let marked = body.strip_prefix(BYTE_ORDER_MARK);
        let unmarked = marked.map(|text| body.slice_ref(text));
        let body = unmarked.as_ref().unwrap_or(body);
        let mut outline = Outline::default();
        let json = Json::outlined(body, &mut outline).map_err(not_json)?;
        if json.kind() != Kind::Object {
            return Err(InvalidRequest::expected("", "a JSON object", json));
        }
        let Cut {
            members,
            names,
            plain,
        } = Cut::of(json, body);
        if !plain {
            rules::unique_keys("", json, rules::NAMES.all())?;
        }
        rules::few_members("", members.len())?;
        let sent = Sent {
            body: body.clone(),
            outline,
            members,
        };
        let mut talk = Talk::default();
        for member in &sent.members {
            let Some(field) = member.field else {
                continue;
            };
            let value = sent.value(member);
            match field.rule() {
                Rule::Messages => talk = Talk::check(field.name(), value)?,
                rule => rules::check(field.name(), value, rule)?,
            }
        }
        let mut chat = Self {
            sent: Arc::new(sent),
            changed: None,
            names,
            model: None,
            talk,
        };
        chat.model = chat.text(MODEL).map(Arc::from);
        chat.adopt_prompt()?;
        chat.check_together()?;
        Ok(chat)
    }

    /// Whether the gateway knows a top-level member of this name. Others go to providers as they are.
    #[must_use]
    pub fn knows(name: &str) -> bool {
        rules::NAMES.all().contains(&name)
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
        if self.get("provider").is_some() {
            ProviderPreferences::of(self)?;
        }
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
    #[must_use]
    #[inline]
    pub fn get(&self, key: &str) -> Option<Json<'_>> {
        if !self.names.may_have(key.as_bytes()) {
            return None;
        }
        self.find(key)
    }

    fn find(&self, key: &str) -> Option<Json<'_>> {
        let mut members = self.list().iter();
        let member = members.find(|member| self.sent.is(member, key))?;
        Some(self.sent.value(member))
    }

    /// The members as they are now.
    #[inline]
    fn list(&self) -> &[Member] {
        match &self.changed {
            Some(changed) => changed,
            None => &self.sent.members,
        }
    }

    /// The same, to be changed.
    fn list_mut(&mut self) -> &mut Vec<Member> {
        let sent = &self.sent;
        let changed = self
            .changed
            .get_or_insert_with(|| Arc::new(sent.members.clone()));
        Arc::make_mut(changed)
    }

    /// The elements of the member called `key`; nothing where it is no array.
    #[inline]
    fn elements(&self, key: &str) -> Elements<'_> {
        self.get(key).map(Json::elements).unwrap_or_default()
    }

    /// Every member in order: its key, escaped as it came, and its value.
    pub fn members(&self) -> impl Iterator<Item = (&[u8], Json<'_>)> {
        let members = self.list().iter();
        members.map(|member| (self.sent.key(member), self.sent.value(member)))
    }

    /// The same, with what each key spells in front.
    pub fn named(&self) -> impl Iterator<Item = (Cow<'_, str>, &[u8], Json<'_>)> {
        let sent = &*self.sent;
        let members = self.list().iter();
        members.map(|member| (sent.name(member), sent.key(member), sent.value(member)))
    }

    /// Replaces the member called `key`, or appends it.
    pub fn set(&mut self, key: &'static str, value: RawJson) {
        let sent = Arc::clone(&self.sent);
        let members = self.list_mut();
        match members.iter_mut().find(|member| sent.is(member, key)) {
            Some(member) => member.value = Value::Set(value),
            None => {
                members.push(Member::made(key, value));
                self.names.add(key.as_bytes());
            }
        }
        match key {
            MESSAGES => self.talk = self.get(MESSAGES).map(Talk::of).unwrap_or_default(),
            MODEL => self.model = self.text(MODEL).map(Arc::from),
            _ => {}
        }
    }

    /// Takes the member called `key` out.
    pub fn remove(&mut self, key: &str) {
        if !self.names.may_have(key.as_bytes()) {
            return;
        }
        let sent = Arc::clone(&self.sent);
        self.list_mut().retain(|member| !sent.is(member, key));
        match key {
            MESSAGES => self.talk = Talk::default(),
            MODEL => self.model = None,
            _ => {}
        }
    }

    /// The request as one JSON object: clean members as they came, replaced ones as they are now.
    #[must_use]
    pub fn to_json(&self) -> RawJson {
        let size = self.size();
        let mut out = Vec::with_capacity(size);
        let mut object = crate::ObjectWriter::open(&mut out);
        for (key, value) in self.members() {
            object.escaped_key(key).extend_from_slice(value.bytes());
        }
        object.close();
        RawJson::checked(out.into())
    }

    /// How many bytes the request takes as JSON, more or less: no fewer than its members have.
    #[must_use]
    pub fn size(&self) -> usize {
        if self.changed.is_none() {
            return self.sent.body.len();
        }
        let size = |(key, value): (&[u8], Json<'_>)| key.len() + value.bytes().len() + 4;
        self.members().map(size).sum()
    }

    fn text(&self, key: &str) -> Option<Cow<'_, str>> {
        self.get(key)?.string()
    }

    /// `model`, as the client spelled it.
    #[must_use]
    pub fn model(&self) -> Option<Cow<'_, str>> {
        self.model.as_deref().map(Cow::Borrowed)
    }

    /// `models`, as the client spelled them.
    pub fn models(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.elements("models").filter_map(Json::string)
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
        self.talk.lists
    }

    /// Whether every message is known to be a text and a role other than `developer`, and nothing else: what
    /// every host takes as it is. `false` says nothing.
    ///
    /// ```
    /// use waystation_core::ChatRequest;
    ///
    /// let body = br#"{"messages": [{"role": "user", "content": "Hi"}]}"#;
    /// assert!(ChatRequest::parse(&body.as_slice().into())?.is_plain_talk());
    /// let body = br#"{"messages": [{"role": "user", "content": "Hi", "cache_control": {}}]}"#;
    /// assert!(!ChatRequest::parse(&body.as_slice().into())?.is_plain_talk());
    /// # Ok::<(), waystation_core::InvalidRequest>(())
    /// ```
    #[inline]
    #[must_use]
    pub const fn is_plain_talk(&self) -> bool {
        self.talk.plain
    }

    /// The same, for what does not ask who speaks.
    fn each_message(&self) -> Elements<'_> {
        self.elements(MESSAGES)
    }

    /// The tool calls of all messages.
    pub fn tool_calls(&self) -> impl Iterator<Item = ToolCall<'_>> {
        let messages = if self.talk.plain {
            Elements::default()
        } else {
            self.each_message()
        };
        messages.flat_map(ToolCall::all)
    }

    /// The members that the gateway does not know: what a key spells, and its value.
    pub fn unknown(&self) -> impl Iterator<Item = (Cow<'_, str>, Json<'_>)> {
        let sent = &*self.sent;
        let unknown = self.list().iter().filter(|member| member.field.is_none());
        unknown.map(|member| (sent.name(member), sent.value(member)))
    }

    /// The first member called `key` that the gateway does not know.
    #[must_use]
    pub fn get_unknown(&self, key: &str) -> Option<Json<'_>> {
        if !self.names.may_have(key.as_bytes()) {
            return None;
        }
        let mut unknown = self.list().iter().filter(|member| member.field.is_none());
        let member = unknown.find(|member| self.sent.is(member, key))?;
        Some(self.sent.value(member))
    }

    /// The tools, each as it came.
    #[inline]
    pub fn tools(&self) -> impl Iterator<Item = Json<'_>> {
        self.elements("tools")
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
        let mut set: ParameterSet = self
            .list()
            .iter()
            .filter_map(|member| member.field?.parameter())
            .collect();
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
    #[inline]
    #[must_use]
    pub const fn has_prefill(&self) -> bool {
        self.talk.prefill
    }
}

/// What some clients write before a text. Source: RFC 3629, section 6.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The member that names the model.
const MODEL: &str = "model";

/// The member that holds the messages.
const MESSAGES: &str = "messages";

fn not_json(error: ScanError) -> InvalidRequest {
    InvalidRequest {
        kind: ErrorType::InvalidRequest,
        field: String::new(),
        message: format!("the body is not JSON: {error}"),
    }
}

#[cfg(test)]
mod tests;
