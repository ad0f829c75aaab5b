//! The request's body: contents first, then what is said beside them. Contents are written in
//! `content`, tools in `tool`, the configuration in `config`.
//!
//! The rule for members that nobody knows is to forward them, into `generationConfig` those that
//! the wire has there. The rule for members of the chat vocabulary is that they have their place in
//! this wire or stay: the host answers 400 to names that it does not know.
//!
//! | member of the body | from |
//! |---|---|
//! | `contents` | messages |
//! | `systemInstruction` | system and developer messages, and what can only be said in words |
//! | `tools`, `toolConfig` | `tools`, `tool_choice`, `web_search_options` |
//! | `generationConfig` | sampling, limits, format, reasoning |
//! | `serviceTier` | the endpoint's tier, on AI Studio |
//! | `safetySettings`, `cachedContent`, `labels` and all others | the same member of the request, or an option of the provider |
//!
//! Three sources may speak of one member: what is written here, then the client's own member of that
//! name, then `provider.options[slug]`. The last word stands, whichever spelling it has; into
//! `generationConfig` and `toolConfig` they are merged member by member, so that an option for one
//! thing does not take the others away.

use bytes::Bytes;
use waystation_core::{
    ChatRequest, EncodeError, Json, JsonText, Kind, Note, ObjectWriter, Parameter, ServiceTier,
    Target,
};

use super::{
    config, content,
    draft::{Draft, same},
    note,
    site::Site,
    tool::{self, Tools},
};

/// A body, and what the reader of its reply must know of it.
#[derive(Debug)]
pub(super) struct Written {
    /// The body.
    pub(super) body: Bytes,
    /// Whether the host may search: its answer's sources are to be found in the text.
    pub(super) searches: bool,
}

/// Members of the chat vocabulary that have another place in this wire, or none: those that only a
/// gateway understands, those written elsewhere, and those of other makers' hosts.
const HELD_BACK: &[&str] = &[
    "model",
    "models",
    "messages",
    "prompt",
    "stream",
    "stream_options",
    "route",
    "provider",
    "plugins",
    "preset",
    "transforms",
    "session_id",
    "usage",
    "debug",
    "waystation",
    "trace",
    "metadata",
    "user",
    "max_tool_calls",
    "stop_server_tools_when",
    "deferred_tools",
    "n",
    "modalities",
    "audio",
    "image_config",
    "functions",
    "function_call",
    "cache_control",
    "service_tier",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "x_search_filter",
    "extra_body",
    "extra_headers",
    "enable_thinking",
    "thinking",
    "thinking_budget",
    "safe_prompt",
    "random_seed",
];

/// Members that the wire has in `generationConfig`. A client that writes one beside its messages
/// means this host and finds it there.
const IN_CONFIG: &[&str] = &[
    "thinkingConfig",
    "speechConfig",
    "mediaResolution",
    "imageConfig",
    "responseSchema",
    "responseJsonSchema",
    "responseMimeType",
    "responseModalities",
    "candidateCount",
    "stopSequences",
    "maxOutputTokens",
    "audioTimestamp",
    "routingConfig",
    "modelConfig",
    "enableEnhancedCivicAnswers",
    "enableAffectiveDialog",
];

/// Writes `chat` for the host. Contents, which may hold megabytes of images, are written once and in
/// place; everything else is small and is put together beside them.
///
/// # Errors
/// [`EncodeError::Unsupported`] for what the wire cannot say.
pub(super) fn write(
    chat: &ChatRequest,
    to: &Target<'_>,
    site: Site<'_>,
    notes: &mut Vec<Note>,
) -> Result<Written, EncodeError> {
    let size: usize = chat
        .get("messages")
        .map_or(0, |messages| messages.bytes().len());
    let mut out = Vec::with_capacity(size + size / 8 + 1024);
    let mut object = ObjectWriter::open(&mut out);
    let mut system = content::write(chat, to, site, object.key("contents"), notes)?;
    let tools = tool::tools(chat, to, site, notes);
    let mut draft = Draft::default();
    let mut words = Vec::new();
    let parts = (&mut words, &mut *notes);
    let config = config::config(chat, to, tools.functions, parts)?;
    system.extend(words.iter().map(|words| JsonText::of(words).quoted()));
    if !system.is_empty() {
        draft.set("systemInstruction", instruction(&system));
    }
    let mut searches = tools.native;
    put_tools(&mut draft, tools);
    if !config.is_empty() {
        draft.set("generationConfig", config.json());
    }
    if let Some(tier) = tier(chat, to, site) {
        draft.text("serviceTier", &tier);
    }
    for (name, _, value) in chat.named() {
        let known = HELD_BACK.contains(&&*name) || Parameter::named(&name).is_some();
        if !known && !is_reserved(&name) {
            put(&mut draft, &name, value);
        }
    }
    let provider = to.endpoint.provider.as_str();
    let options = chat
        .get("provider")
        .and_then(|provider| provider.get("options"));
    let options = options.and_then(|options| options.get(provider));
    for (key, value) in options.into_iter().flat_map(Json::members) {
        let name = key.name();
        if is_reserved(&name) {
            let field = format!("provider.options.{provider}.{name}");
            note(notes, &field, "left out: the gateway sets this member");
        } else {
            searches |= name == "tools";
            put(&mut draft, &name, value);
        }
    }
    draft.write(&mut object);
    object.close();
    Ok(Written {
        body: out.into(),
        searches,
    })
}

/// Members that the gateway answers for: nothing replaces them.
fn is_reserved(name: &str) -> bool {
    same(name, "contents") || same(name, "model")
}

/// Puts a member that the client wrote for this very host where the host wants it: into the
/// configuration, merged into what is there, or beside the contents.
fn put(draft: &mut Draft, name: &str, value: Json<'_>) {
    let is_in_config = IN_CONFIG.iter().any(|known| same(known, name));
    if is_in_config {
        let mut member = Draft::default();
        member.set(name, value.bytes());
        if let Ok(object) = Json::parse(&member.json()) {
            draft.merge_at("generationConfig", object);
        }
    } else if same(name, "generationConfig") || same(name, "toolConfig") {
        draft.merge_at(name, value);
    } else {
        draft.set(name, value.bytes());
    }
}

/// Puts tools and the choice among them.
fn put_tools(draft: &mut Draft, tools: Tools) {
    if !tools.list.is_empty() {
        draft.set("tools", tools.list);
    }
    let mut config = Draft::default();
    if let Some(choice) = tools.choice {
        config.set("functionCallingConfig", choice);
    }
    if tools.mixed {
        config.set("includeServerSideToolInvocations", b"true".to_vec());
    }
    if !config.is_empty() {
        draft.set("toolConfig", config.json());
    }
}

/// The instruction that texts make, each a part of its own. It has no role: hosts pass by the one
/// that some clients send.
fn instruction(texts: &[waystation_core::RawJson]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = ObjectWriter::open(&mut out);
    let parts = object.key("parts");
    for (place, text) in texts.iter().enumerate() {
        parts.push(if place == 0 { b'[' } else { b',' });
        let mut part = ObjectWriter::open(parts);
        part.json("text", text);
        part.close();
    }
    parts.push(b']');
    object.close();
    out
}

/// The tier that AI Studio is asked for: the endpoint's own, else the client's word when it is one
/// that routing does not know.
fn tier(chat: &ChatRequest, to: &Target<'_>, site: Site<'_>) -> Option<String> {
    if site.is_vertex() {
        return None;
    }
    match to.endpoint.service_tier {
        Some(ServiceTier::Flex) => return Some("flex".to_owned()),
        Some(ServiceTier::Priority | ServiceTier::Fast) => return Some("priority".to_owned()),
        Some(_) => return None,
        None => {}
    }
    let word = chat
        .get("service_tier")
        .filter(|word| word.kind() == Kind::String)?
        .string()?;
    word.parse::<ServiceTier>()
        .is_err()
        .then(|| word.into_owned())
}
