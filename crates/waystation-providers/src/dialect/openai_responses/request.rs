//! The request's body, member by member. Items are written in `input`, tools in `tool`.
//!
//! | of the request | becomes |
//! |---|---|
//! | `model` | what the host calls it; on Azure the operator's deployment |
//! | `messages` | `input` |
//! | `max_tokens`, `max_completion_tokens` | `max_output_tokens` |
//! | `temperature`, `top_p` | the same |
//! | `logprobs`, `top_logprobs` | `include: ["message.output_text.logprobs"]`, `top_logprobs` |
//! | `response_format`, `verbosity` | `text.format`, `text.verbosity`; `xhigh` and `max` are `high`, with a note |
//! | `reasoning` and its kin | `reasoning.effort`; a budget becomes the nearest level |
//! | `reasoning.summary`, `.context`, `.mode` | the same, inside `reasoning` |
//! | `web_search_options` | one more tool, `web_search` |
//! | `prompt_cache_key` | the same: it helps the host, and tells it nothing |
//! | `service_tier` | the endpoint's own tier, else a word that is the host's own |
//! | `stop` `seed` `n` `logit_bias` `prediction`, penalties, `top_k` and its kin | nothing: the dialect has none |
//! | `user` `metadata` `session_id` and what only a gateway understands | nothing: they are the gateway's |
//! | members that no vocabulary knows | the same: `truncation`, `store`, `previous_response_id`, `safety_identifier` |
//! | `include` | the client's list, and what the gateway needs |
//!
//! Nothing is stored at the host unless the client says so: `store` is false, and sealed reasoning
//! comes back in the reply instead, to be sent again with the next turn. Models without reasoning
//! refuse that wish with a 400, so it goes only to endpoints that list reasoning.

use bytes::Bytes;
use waystation_core::{EncodeError, Json, Note, ObjectWriter, Parameter, ReasoningRequest};

use super::{input, tool};
use crate::{
    array::ArrayWriter,
    demand::{Demand, Form, note},
};

/// Asks for sealed reasoning, which a later turn sends back.
const SEALED: &str = "reasoning.encrypted_content";
/// Asks for log probabilities.
const LOGPROBS: &str = "message.output_text.logprobs";

/// Writes the body for a host that calls the model `model` and whose sealed reasoning is `format`.
pub(super) fn write(
    demand: &Demand<'_>,
    model: &str,
    format: &str,
    notes: &mut Vec<Note>,
) -> Result<Bytes, EncodeError> {
    let mut out = Vec::with_capacity(1 << 12);
    let mut object = ObjectWriter::open(&mut out);
    object.string("model", model);
    input::write(demand, format, object.key("input"), notes)?;
    if demand.chat.stream() {
        object.bool("stream", true);
    }
    if demand.own("store").is_none() {
        object.bool("store", false);
    }
    include(demand, &mut object);
    if let Some(limit) = demand.limit() {
        demand.put(
            &mut object,
            "max_output_tokens",
            limit.to_string().as_bytes(),
        );
    }
    demand.pass(&mut object, Parameter::Temperature, "temperature");
    demand.pass(&mut object, Parameter::TopP, "top_p");
    demand.pass(&mut object, Parameter::TopLogprobs, "top_logprobs");
    tool::write(demand, &mut object, notes);
    text(demand, &mut object, notes);
    reasoning(demand, &mut object);
    if let Some(key) = demand.chat.get("prompt_cache_key") {
        demand.put(&mut object, "prompt_cache_key", key.bytes());
    }
    if let Some(tier) = demand
        .service_tier()
        .filter(|_| !demand.overridden("service_tier"))
    {
        object.string("service_tier", &tier);
    }
    for (name, value) in demand.foreign() {
        // What stands under these names has been merged into what was written.
        if name != "include" {
            object.raw(&escaped(&name), value.bytes());
        }
    }
    object.close();
    Ok(Bytes::from(out))
}

/// A key as it stands between quotes.
fn escaped(name: &str) -> String {
    let text = waystation_core::JsonText::of(name);
    String::from_utf8_lossy(text.escaped()).into_owned()
}

/// What the reply is to hold beyond the usual: the client's own list, and what the gateway needs.
fn include(demand: &Demand<'_>, object: &mut ObjectWriter<'_>) {
    let own = demand.own("include");
    let mut wanted = Vec::new();
    // Models without reasoning refuse the wish for it.
    if demand.takes.takes(Parameter::Reasoning) {
        wanted.push(SEALED);
    }
    if demand.get(Parameter::Logprobs).and_then(Json::bool) == Some(true) {
        wanted.push(LOGPROBS);
    }
    let own = || own.into_iter().flat_map(Json::elements);
    wanted.retain(|wanted| !own().any(|known| known.is(wanted)));
    if wanted.is_empty() && own().next().is_none() {
        return;
    }
    let mut list = ArrayWriter::open(object.key("include"));
    for known in own() {
        list.next().extend_from_slice(known.bytes());
    }
    for wanted in wanted {
        string(list.next(), wanted);
    }
    list.close();
}

/// The form of the answer, and how wordy it is to be.
fn text(demand: &Demand<'_>, object: &mut ObjectWriter<'_>, notes: &mut Vec<Note>) {
    let form = demand.form(notes);
    let verbosity = demand.get(Parameter::Verbosity).and_then(Json::string);
    if demand.own("text").is_some() || (form == Form::Free && verbosity.is_none()) {
        return;
    }
    let mut text = object.object("text");
    match form {
        Form::Free => {}
        Form::Object => {
            text.raw("format", br#"{"type":"json_object"}"#);
        }
        Form::Schema(schema) => {
            let mut format = text.object("format");
            format.string("type", "json_schema");
            for (key, value) in schema.members().filter(|(_, value)| !value.is_null()) {
                format
                    .escaped_key(key.escaped())
                    .extend_from_slice(value.bytes());
            }
            format.close();
        }
    }
    match verbosity.as_deref() {
        Some("xhigh" | "max") => {
            note(notes, "verbosity", "high: the dialect has no more");
            text.string("verbosity", "high");
        }
        Some(word) => {
            text.string("verbosity", word);
        }
        None => {}
    }
    text.close();
}

/// The wish to reason. Who asks for it by the object wants to see it, so a summary is asked for too;
/// by the bare level it is not, since some hosts give summaries to verified customers only.
fn reasoning(demand: &Demand<'_>, object: &mut ObjectWriter<'_>) {
    /// Members of the object that say in the gateway's words what is written in the host's.
    const OURS: &[&str] = &["effort", "max_tokens", "exclude", "enabled"];
    let never = demand.to.upstream.quirks.reasoning == ReasoningRequest::Never;
    let Some(wish) = demand.reasoning.filter(|_| !never) else {
        return;
    };
    if demand.overridden("reasoning") {
        return;
    }
    let effort = demand.effort();
    let sent = demand.chat.get("reasoning");
    let members = || sent.into_iter().flat_map(Json::members);
    let own = || members().filter(|(key, _)| !OURS.iter().any(|ours| key.is(ours)));
    let shown = !wish.exclude && wish.wanted() == Some(true);
    let asked = sent.is_some() || demand.chat.get("include_reasoning").is_some();
    let summary = shown && asked && !own().any(|(key, _)| key.is("summary"));
    if effort.is_none() && own().next().is_none() && !summary {
        return;
    }
    let mut reasoning = object.object("reasoning");
    if let Some(effort) = effort {
        reasoning.string("effort", effort.as_str());
    }
    for (key, value) in own() {
        reasoning
            .escaped_key(key.escaped())
            .extend_from_slice(value.bytes());
    }
    if summary {
        reasoning.string("summary", "auto");
    }
    reasoning.close();
}

/// One word as a JSON string.
fn string(out: &mut Vec<u8>, word: &str) {
    out.push(b'"');
    out.extend_from_slice(word.as_bytes());
    out.push(b'"');
}
