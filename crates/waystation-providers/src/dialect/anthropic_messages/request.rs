//! The request's body, member by member. What the client spelled in the wire's own words, at the top
//! or in `provider.options`, stands; the rest is made of the chat vocabulary.

use std::borrow::Cow;

use bytes::Bytes;
use waystation_core::{ChatRequest, EncodeError, Json, JsonText, Kind, Note, ObjectWriter, Target};

use super::{
    Place,
    choice::Pick,
    form::{self, Form},
    generation::Generation,
    message::Conversation,
    sampling,
    thinking::Thinking,
    tool::{self, Names},
};
use crate::{
    array::ArrayWriter,
    demand::{Demand, note},
};

/// Members that neither the client nor the provider's options can replace.
const RESERVED: &[&str] = &["model", "messages", "stream", "stream_options"];

/// Members that are written together with the gateway's own, or travel as a header.
const JOINED: &[&str] = &["system", "output_config", "anthropic_beta"];

/// Members of other hosts' vocabularies. This wire answers 400 to every member that it does not
/// know, so that what is known to be another's stays; what nobody knows yet goes through.
const OTHERS: &[&str] = &[
    "best_of",
    "chat_template_kwargs",
    "documents",
    "echo",
    "enable_thinking",
    "extra_body",
    "guided_json",
    "ignore_eos",
    "min_tokens",
    "prompt_cache_options",
    "prompt_cache_retention",
    "random_seed",
    "reasoning_format",
    "reasoning_split",
    "safe_prompt",
    "safety_identifier",
    "search_parameters",
    "store",
    "suffix",
    "thinking_budget",
];

/// A body, and what the reader of its reply must know.
#[derive(Debug)]
pub(super) struct Sent {
    /// The body.
    pub(super) body: Bytes,
    /// Names for the header `anthropic-beta`.
    pub(super) betas: Vec<String>,
    /// Names of tools that are others on the wire.
    pub(super) names: Names,
    /// The tool whose input is the answer.
    pub(super) answer: Option<String>,
}

/// Writes `chat` for its target.
///
/// # Errors
/// [`EncodeError::Unsupported`] for parts of messages that have no form on the wire.
pub(super) fn write(
    chat: &ChatRequest,
    to: &Target<'_>,
    place: &Place<'_>,
    notes: &mut Vec<Note>,
) -> Result<Sent, EncodeError> {
    let demand = Demand::of(chat, to, RESERVED, notes);
    let generation = Generation::of(to.endpoint);
    let names = Names::of(&demand);
    let form = Form::of(&demand, generation, &names, notes);
    let pick = Pick::of(&demand, generation, &form, notes);
    let thinking = Thinking::of(&demand, generation, pick.is_forced(), notes);
    let conversation = Conversation::of(chat, &names, notes)?;
    let plan = Plan {
        demand: &demand,
        names: &names,
        form: &form,
        pick: &pick,
    };
    let mut out = Vec::with_capacity(conversation.size() + 512);
    let mut object = ObjectWriter::open(&mut out);
    plan.open(place, thinking, &mut object);
    plan.system(&conversation, &mut object);
    conversation.write(object.key("messages"));
    plan.tools(&mut object, notes);
    plan.think(thinking, &mut object, notes);
    sampling::write(&demand, generation, thinking.mode, &mut object, notes);
    plan.close(object);
    if chat.get("n").and_then(Json::u64).is_some_and(|n| n > 1) {
        note(notes, "n", "left out: the wire has one choice");
    }
    let betas = betas(&demand, &conversation);
    let answer = match form {
        Form::Tool(name, _) => Some(name),
        Form::Free | Form::Schema(_) | Form::Words(_) => None,
    };
    Ok(Sent {
        body: out.into(),
        betas,
        names,
        answer,
    })
}

/// What was decided before the first byte is written.
struct Plan<'a> {
    demand: &'a Demand<'a>,
    names: &'a Names,
    form: &'a Form<'a>,
    pick: &'a Pick<'a>,
}

// === impl Plan ===

impl Plan<'_> {
    /// Model or version, and the limit on output.
    fn open(&self, place: &Place<'_>, thinking: Thinking, object: &mut ObjectWriter<'_>) {
        match place {
            Place::Host { model } => {
                object.string("model", model);
            }
            Place::Vertex { .. } if self.demand.own("anthropic_version").is_some() => {}
            Place::Vertex { .. } => {
                object.string("anthropic_version", "vertex-2023-10-16");
            }
        }
        if !self.demand.overridden("max_tokens") {
            object.number("max_tokens", thinking.limit);
        }
    }

    /// Instructions: the client's own `system`, the messages', and those that the answer's form
    /// needs.
    fn system(&self, conversation: &Conversation, object: &mut ObjectWriter<'_>) {
        let own = self.demand.own("system");
        let text = own.filter(|own| own.kind() == Kind::String);
        let mut blocks = own.map(Json::elements).unwrap_or_default().peekable();
        let words = match self.form {
            Form::Words(words) => Some(words),
            Form::Free | Form::Schema(_) | Form::Tool(..) => None,
        };
        let told = &conversation.system;
        if blocks.peek().is_none() && text.is_none() && told.is_empty() && words.is_none() {
            return;
        }
        let mut list = ArrayWriter::open(object.key("system"));
        for block in blocks {
            list.next().extend_from_slice(block.bytes());
        }
        if let Some(text) = text {
            let mut block = list.object();
            block.string("type", "text").raw("text", text.bytes());
            block.close();
        }
        if !told.is_empty() {
            list.next().extend_from_slice(told.bytes());
        }
        if let Some(words) = words {
            let mut block = list.object();
            block.string("type", "text").string("text", words);
            block.close();
        }
        list.close();
    }

    /// Tools and the choice among them.
    fn tools(&self, object: &mut ObjectWriter<'_>, notes: &mut Vec<Note>) {
        let made = tool::write(self.demand, self.names, self.pick.only.as_deref(), notes);
        if made.is_none() && !matches!(self.form, Form::Tool(..)) {
            return;
        }
        let (mut tools, remembered) = made.unwrap_or((b"[]".to_vec(), false));
        if let Form::Tool(name, wanted) = self.form {
            tools.pop();
            if tools.len() > 1 {
                tools.push(b',');
            }
            form::write_tool(name, *wanted, &mut tools);
            tools.push(b']');
        }
        self.demand.put(object, "tools", &tools);
        let mut choice = Vec::new();
        if self
            .pick
            .write(self.demand, self.names, remembered, &mut choice)
        {
            self.demand.put(object, "tool_choice", &choice);
        }
    }

    /// `thinking` and `output_config`: the client's own members, then format and effort where it has
    /// none.
    fn think(&self, thinking: Thinking, object: &mut ObjectWriter<'_>, notes: &mut Vec<Note>) {
        let mut said = Vec::new();
        if self.demand.own("thinking").is_none() && thinking.mode.write(&mut said) {
            object.raw("thinking", &said);
        }
        let own = self.demand.own("output_config");
        let own = own.filter(|own| own.kind() == Kind::Object);
        let lacks = |key: &str| own.is_none_or(|own| own.get(key).is_none());
        let formed = matches!(self.form, Form::Schema(_)) && lacks("format");
        let effort = thinking.effort.filter(|_| lacks("effort"));
        if own.is_none() && !formed && effort.is_none() {
            return;
        }
        let mut config = object.object("output_config");
        for (key, value) in own.into_iter().flat_map(Json::members) {
            config
                .escaped_key(key.escaped())
                .extend_from_slice(value.bytes());
        }
        if let Some(effort) = effort {
            config.string("effort", effort);
        }
        if formed {
            self.form.write(&mut config, notes);
        }
        config.close();
    }

    /// What remains: streaming, tier, caching, and the members that no vocabulary knows.
    fn close(&self, mut object: ObjectWriter<'_>) {
        let demand = self.demand;
        if demand.chat.stream() {
            object.bool("stream", true);
        }
        if let Some(tier) = tier(demand).filter(|_| !demand.overridden("service_tier")) {
            object.string("service_tier", tier);
        }
        if let Some(mark) = demand.chat.get("cache_control") {
            demand.put(&mut object, "cache_control", mark.bytes());
        }
        let foreign = demand.foreign().filter(|(name, _)| {
            let other = OTHERS.contains(&&**name) && !demand.overridden(name);
            !JOINED.contains(&&**name) && !other
        });
        for (name, value) in foreign {
            let key = JsonText::of(&name);
            object
                .escaped_key(key.escaped())
                .extend_from_slice(value.bytes());
        }
        object.close();
    }
}

/// The tier in the wire's words: there are two, and the better is used where it is paid for.
fn tier(demand: &Demand<'_>) -> Option<&'static str> {
    match &*demand.service_tier()? {
        "auto" | "priority" | "fast" => Some("auto"),
        "default" | "standard_only" | "standard" => Some("standard_only"),
        _ => None,
    }
}

/// The betas that the client names, and the one that files by id need.
fn betas(demand: &Demand<'_>, conversation: &Conversation) -> Vec<String> {
    const FILES: &str = "files-api-2025-04-14";
    let mut betas = Vec::new();
    if let Some(own) = demand.own("anthropic_beta") {
        let text = own.string().unwrap_or_default();
        betas.extend(text.split(',').map(|name| name.trim().to_owned()));
        let listed = own.elements().filter_map(Json::string);
        betas.extend(listed.map(Cow::into_owned));
    }
    if demand.chat.may_have_parts() && conversation.has_files() {
        betas.push(FILES.into());
    }
    betas.retain(|name| !name.is_empty());
    betas.dedup();
    betas
}
