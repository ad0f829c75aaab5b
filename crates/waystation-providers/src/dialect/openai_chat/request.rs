//! The request's body: members as they came, except the few that a host wants otherwise. One pass,
//! one buffer, no tree. Messages are rewritten in `message`, the wish to reason in `reasoning`.
//!
//! The rule for members that nobody knows is to forward them: a parameter that a host brings out
//! tomorrow works tomorrow. The rule for members of the routing vocabulary is the endpoint's list;
//! a parameter that is not on it is left out, as the contract wants it (section 1.1).

use std::borrow::Cow;

use bytes::Bytes;
use waystation_core::{
    ChatRequest, Json, Kind, MaxTokensName, Note, ObjectWriter, Parameter, ParameterSet, Prefill,
    ServiceTier, Target,
};

use super::{
    message, note, reasoning,
    search::{self, Form},
};
use crate::{array::ArrayWriter, search::Search};

/// Writes `chat` for the host, which calls the model `model`.
pub(super) fn write(
    chat: &ChatRequest,
    to: &Target<'_>,
    model: &str,
    notes: &mut Vec<Note>,
) -> Bytes {
    let plan = Plan::of(chat, to, notes);
    let mut out = Vec::with_capacity(chat.size() + model.len() + 128);
    let mut object = ObjectWriter::open(&mut out);
    if chat.get("model").is_none() {
        object.string("model", model);
    }
    for (name, key, value) in chat.named() {
        if plan.overridden(&name) {
            continue;
        }
        if name == "model" {
            object.string("model", model);
        } else {
            plan.member(&mut object, key, &name, value);
        }
    }
    plan.close(object, notes);
    out.into()
}

/// What is decided before the first byte is written.
struct Plan<'a> {
    chat: &'a ChatRequest,
    to: &'a Target<'a>,
    takes: ParameterSet,
    /// The members for this provider alone.
    options: Option<Json<'a>>,
    /// Whether any tool leaves; without one, what speaks of tools stays.
    tools: bool,
    /// Whether `response_format` leaves.
    format: bool,
    /// The host's own search, and how it is asked for.
    search: Option<(Search<'a>, Form)>,
    /// How the host is asked to go on from the last message, where it is the assistant's.
    prefill: Prefill,
}

// === impl Plan ===

impl<'a> Plan<'a> {
    /// Looks at what decides over several members at once.
    fn of(chat: &'a ChatRequest, to: &'a Target<'a>, notes: &mut Vec<Note>) -> Self {
        let takes = to.endpoint.parameters;
        let options = chat
            .get("provider")
            .and_then(|provider| provider.get("options"))
            .and_then(|options| options.get(to.endpoint.provider.as_str()))
            .filter(|options| options.kind() == Kind::Object);
        for (key, _) in options.into_iter().flat_map(Json::members) {
            if is_reserved(&key.name()) {
                let field = format!("provider.options.{}.{}", to.endpoint.provider, key.name());
                note(notes, &field, "left out: the gateway sets this member");
            }
        }
        let search = Search::of(chat, takes);
        let formed = search.and_then(|search| Some((search, search::form(&search, to)?)));
        if let (Some(search), None) = (search, formed) {
            search.is_left_out(notes);
        }
        let tools = takes.takes(Parameter::Tools) && chat.tools().any(|tool| !is_server_tool(tool));
        let format = takes_format(chat, takes);
        if !format && chat.get("response_format").is_some() {
            note(
                notes,
                "response_format",
                "left out: the endpoint has no such formats",
            );
        }
        Self {
            chat,
            to,
            takes,
            options,
            tools,
            format,
            search: formed,
            prefill: if chat.has_prefill() {
                to.upstream.quirks.prefill_of(&to.endpoint.model)
            } else {
                Prefill::Unknown
            },
        }
    }

    /// Whether the provider's own options say something else in the place of `name`.
    fn overridden(&self, name: &str) -> bool {
        self.options
            .is_some_and(|options| options.get(name).is_some())
            && !is_reserved(name)
    }

    /// Whether `name` is in the body already: sent by the client for this very host, or an option.
    fn has(&self, name: &str) -> bool {
        self.overridden(name) || (!is_held_back(name) && self.chat.get(name).is_some())
    }

    /// Writes one member of the request, or leaves it out.
    fn member(&self, object: &mut ObjectWriter<'_>, key: &[u8], name: &str, value: Json<'_>) {
        let mut as_it_came = || object.escaped_key(key).extend_from_slice(value.bytes());
        match name {
            "messages" => {
                let quirks = &self.to.upstream.quirks;
                let mark = match self.prefill {
                    Prefill::Prefix => Some("prefix"),
                    Prefill::Partial => Some("partial"),
                    _ => None,
                };
                let as_it_is = mark.is_none() && self.chat.is_plain_talk();
                let rewritten = if as_it_is {
                    None
                } else {
                    message::rewritten(value, quirks, mark)
                };
                let text = rewritten.as_deref().unwrap_or(value.bytes());
                object.escaped_key(key).extend_from_slice(text);
            }
            "max_tokens" | "max_completion_tokens" => self.limit(object, name, value),
            "tools" if self.adds_tool() => {}
            "tools" if self.tools => {
                write_tools(object.escaped_key(key), value, self.is_gateway());
            }
            // A search that a tool asks for says this too.
            "web_search_options" if self.rewrites_search() => {}
            "tool_choice" if self.tools => self.tool_choice(object, value),
            "parallel_tool_calls" if self.tools => as_it_came(),
            "response_format" if self.format => as_it_came(),
            "cache_control" | "image_config" if self.is_gateway() => as_it_came(),
            "service_tier" if self.passes_tier(value) => as_it_came(),
            _ if is_held_back(name) => {}
            _ => match Parameter::named(name) {
                Some(parameter) if !self.takes.takes(parameter) => {}
                _ => as_it_came(),
            },
        }
    }

    /// Whether the host is itself a gateway of this dialect family.
    const fn is_gateway(&self) -> bool {
        self.to.upstream.quirks.takes_reasoning_details
    }

    /// Whether the client's word for a tier leaves: to gateways, and where it is a host's own word,
    /// which routing does not know. Known tiers are endpoints, and those name theirs themselves.
    fn passes_tier(&self, word: Json<'_>) -> bool {
        let known = |word: Cow<'_, str>| word.parse::<ServiceTier>().is_ok();
        let own = !word.string().is_some_and(known);
        self.is_gateway() || (own && self.to.endpoint.service_tier.is_none())
    }

    /// Exactly one limit on output leaves, under the name that the host knows.
    fn limit(&self, object: &mut ObjectWriter<'_>, name: &str, value: Json<'_>) {
        let loses = name == "max_tokens" && self.chat.get("max_completion_tokens").is_some();
        let replaced = self.overridden("max_tokens") || self.overridden("max_completion_tokens");
        if loses || replaced || !self.takes.takes(Parameter::MaxTokens) {
            return;
        }
        let spelled = match self.to.upstream.quirks.max_tokens {
            MaxTokensName::AsSent => name,
            MaxTokensName::MaxTokens => "max_tokens",
            MaxTokensName::MaxCompletionTokens => "max_completion_tokens",
        };
        object.raw(spelled, value.bytes());
    }

    /// The choice of a tool, unless it chooses one that does not leave.
    fn tool_choice(&self, object: &mut ObjectWriter<'_>, value: Json<'_>) {
        let choice = value;
        if is_server_tool(choice) {
            return;
        }
        if choice.is("required") || choice.is("any") {
            let word = if self.to.upstream.quirks.tool_choice_any {
                "any"
            } else {
                "required"
            };
            object.string("tool_choice", word);
        } else {
            object.raw("tool_choice", value.bytes());
        }
    }

    /// Whether the wish for a search is said otherwise than it came.
    fn rewrites_search(&self) -> bool {
        self.search.is_some_and(|(wish, form)| match form {
            Form::Members { .. } => wish.tool.is_some(),
            Form::Switch | Form::Tool => true,
            Form::Untouched | Form::Responses => false,
        })
    }

    /// Whether the search is one more tool.
    const fn adds_tool(&self) -> bool {
        matches!(self.search, Some((_, Form::Tool | Form::Untouched)))
    }

    /// The wish for the host's own search, where `web_search_options` is not said as it came.
    fn search(&self, object: &mut ObjectWriter<'_>, notes: &mut Vec<Note>) {
        let Some((wish, form)) = &self.search else {
            return;
        };
        if self.rewrites_search() {
            search::write(wish, *form, object, |name| self.has(name), notes);
        }
        if self.adds_tool() && !self.overridden("tools") {
            let client = self.chat.get("tools").filter(|_| self.tools);
            let out = object.key("tools");
            let mut tools = Vec::new();
            if let Some(client) = client {
                write_tools(&mut tools, client, self.is_gateway());
            }
            let tools = Json::parse(&tools).ok();
            let mut list = ArrayWriter::open(out);
            for tool in tools.into_iter().flat_map(Json::elements) {
                list.next().extend_from_slice(tool.bytes());
            }
            search::write_tool(wish, *form, &mut list, notes);
            list.close();
        }
    }

    /// Writes what stands behind the client's members, and the end.
    fn close(&self, mut object: ObjectWriter<'_>, notes: &mut Vec<Note>) {
        self.search(&mut object, notes);
        let quirks = &self.to.upstream.quirks;
        if self.chat.stream() && !quirks.no_stream_options {
            object.raw("stream_options", br#"{"include_usage":true}"#);
        }
        let written = self.is_gateway() && self.chat.get("service_tier").is_some();
        if let Some(tier) = self.to.endpoint.service_tier
            && !written
            && !self.overridden("service_tier")
        {
            object.string("service_tier", tier.as_str());
        }
        if self.takes.takes(Parameter::Reasoning) {
            let taken = |name: &str| self.has(name);
            reasoning::write(self.chat, self.to, &mut object, taken);
        }
        if self.prefill == Prefill::ContinueFinalMessage && !self.has("continue_final_message") {
            object
                .bool("continue_final_message", true)
                .bool("add_generation_prompt", false);
        }
        for (key, value) in self.options.into_iter().flat_map(Json::members) {
            if !is_reserved(&key.name()) {
                object
                    .escaped_key(key.escaped())
                    .extend_from_slice(value.bytes());
            }
        }
        object.close();
    }
}

/// Members that the gateway answers for: a provider's options cannot replace them.
fn is_reserved(name: &str) -> bool {
    matches!(name, "model" | "messages" | "stream" | "stream_options")
}

/// Members that never leave as they came: the gateway's own, and those written elsewhere.
fn is_held_back(name: &str) -> bool {
    matches!(
        name,
        "models"
            | "route"
            | "provider"
            | "plugins"
            | "preset"
            | "prompt"
            | "transforms"
            | "session_id"
            | "usage"
            | "stream_options"
            | "debug"
            | "waystation"
            | "trace"
            | "metadata"
            | "user"
            | "max_tool_calls"
            | "stop_server_tools_when"
            | "deferred_tools"
            | "structured_outputs"
            | "reasoning"
            | "reasoning_effort"
            | "include_reasoning"
            | "tools"
            | "tool_choice"
            | "parallel_tool_calls"
            | "response_format"
            | "cache_control"
            | "image_config"
            | "service_tier"
    )
}

/// Whether the endpoint can do the format that is asked for. A schema needs more than JSON does.
fn takes_format(chat: &ChatRequest, takes: ParameterSet) -> bool {
    let kind = chat
        .get("response_format")
        .and_then(|format| format.get("type"));
    match kind {
        Some(kind) if kind.is("json_schema") => takes.takes(Parameter::StructuredOutputs),
        _ => takes.takes(Parameter::ResponseFormat),
    }
}

/// Whether a tool, or a choice of one, names a tool that the gateway runs itself.
fn is_server_tool(tool: Json<'_>) -> bool {
    tool.get("type")
        .and_then(Json::string)
        .is_some_and(|kind| kind.starts_with("openrouter:") || kind.starts_with("waystation:"))
}

/// The tools that leave. Byte-exact when all do as they are: without a cache marker, which only
/// gateways and Anthropic understand, and with a type, which Mistral's clients leave out.
fn write_tools(out: &mut Vec<u8>, tools: Json<'_>, gateway: bool) {
    let marked = |tool: Json<'_>| !gateway && tool.get("cache_control").is_some();
    let fit = |tool: Json<'_>| tool.get("type").is_some() && !marked(tool);
    let list = || tools.elements();
    if list().all(|tool| fit(tool) && !is_server_tool(tool)) {
        out.extend_from_slice(tools.bytes());
        return;
    }
    out.push(b'[');
    for (place, tool) in list().filter(|tool| !is_server_tool(*tool)).enumerate() {
        if place > 0 {
            out.push(b',');
        }
        if fit(tool) {
            out.extend_from_slice(tool.bytes());
            continue;
        }
        let mut object = ObjectWriter::open(out);
        if tool.get("type").is_none() {
            object.string("type", "function");
        }
        for (key, value) in tool.members() {
            if gateway || !key.is("cache_control") {
                object
                    .escaped_key(key.escaped())
                    .extend_from_slice(value.bytes());
            }
        }
        object.close();
    }
    out.push(b']');
}
