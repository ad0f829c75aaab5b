//! The request's body, member by member. Messages are written in `turn`, tools in `tool`.
//!
//! | of the request | becomes |
//! |---|---|
//! | `messages` | `system` and `messages` |
//! | `max_tokens`, `temperature`, `top_p`, `stop` | `inferenceConfig` |
//! | `top_k` | `additionalModelRequestFields`, for Claude as `top_k`, for Nova as `inferenceConfig.topK` |
//! | `reasoning` and its kin | the same place: `thinking` and `output_config` of Claude, `reasoningConfig` of Nova, `reasoning_effort` of OpenAI's |
//! | `response_format` with a schema | `outputConfig.textFormat`, the schema as text |
//! | `response_format: json_object` | an instruction, with a note: the wire has schemas only |
//! | `service_tier` | `serviceTier.type` |
//! | `web_search_options` | the system tool `nova_grounding`, for Nova |
//! | `guardrailConfig`, `requestMetadata`, `performanceConfig` and others of Converse | the same |
//! | other members that no vocabulary knows | `additionalModelRequestFields` |
//! | `seed` `n` `logprobs` `logit_bias` `parallel_tool_calls`, penalties | nothing: the wire has none |
//!
//! What Claude's generations exclude (sampling beside thinking, thinking beside a forced tool, both
//! kinds of sampling) is decided as for Anthropic's own wire, with the same notes.

use bytes::Bytes;
use waystation_core::{
    Effort, EncodeError, Json, JsonText, Kind, Note, ObjectWriter, Parameter, ReasoningRequest,
};

use super::{model::Family, tool, turn::Conversation};
use crate::{
    array::ArrayWriter,
    demand::{Demand, Form, note},
    dialect::anthropic_messages::{generation::Generation, thinking::Thinking},
};

/// Members of Converse itself that a client or an operator may say in its own words.
const OWN: &[&str] = &[
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
    "inferenceConfig",
    "toolConfig",
    "outputConfig",
    "serviceTier",
];

/// Members that only the models of some makers take.
const MORE: &str = "additionalModelRequestFields";

/// Writes the body.
///
/// # Errors
/// [`EncodeError::Unsupported`] for content that the wire cannot say.
pub(super) fn write(
    demand: &Demand<'_>,
    family: Family,
    notes: &mut Vec<Note>,
) -> Result<Bytes, EncodeError> {
    let form = demand.form(notes);
    let told = match form {
        Form::Object => form.instruction(),
        Form::Free | Form::Schema(_) => None,
    };
    if told.is_some() {
        note(
            notes,
            "response_format",
            "made an instruction: the wire has schemas only",
        );
    }
    let talk = Conversation::of(demand, family, told.as_deref(), notes)?;
    let tools = tool::Tools::of(demand, family, notes);
    let thinking = (family == Family::Claude).then(|| {
        let generation = Generation::of(demand.to.endpoint);
        Thinking::of(demand, generation, tools.is_forced(), notes)
    });
    let mut out = Vec::with_capacity(1 << 12);
    let mut object = ObjectWriter::open(&mut out);
    object.raw("messages", &talk.messages());
    if !talk.system.is_empty() {
        let mut list = ArrayWriter::open(object.key("system"));
        list.next().extend_from_slice(&talk.system);
        list.close();
    }
    inference(demand, thinking, &mut object, notes);
    if demand.own("toolConfig").is_none() {
        tools.write(&talk.names, &mut object, notes);
    }
    if let Form::Schema(schema) = form
        && demand.own("outputConfig").is_none()
    {
        output(schema, object.object("outputConfig"));
    }
    if let Some(tier) = demand
        .service_tier()
        .filter(|_| demand.own("serviceTier").is_none())
    {
        let mut inner = object.object("serviceTier");
        inner.string("type", &tier);
        inner.close();
    }
    more(demand, family, thinking, &mut object);
    for (name, value) in demand.foreign().filter(|(name, _)| OWN.contains(&&**name)) {
        object.raw(&name, value.bytes());
    }
    object.close();
    Ok(Bytes::from(out))
}

/// Limit, sampling and stop sequences. What thinking or the model's generation excludes is left out,
/// with a note.
fn inference(
    demand: &Demand<'_>,
    thinking: Option<Thinking>,
    object: &mut ObjectWriter<'_>,
    notes: &mut Vec<Note>,
) {
    if demand.own("inferenceConfig").is_some() {
        return;
    }
    let thinks = thinking.is_some_and(|thinking| thinking.mode.is_on());
    let generation = Generation::of(demand.to.endpoint);
    let mut inner = Vec::new();
    let mut config = ObjectWriter::open(&mut inner);
    let limit = thinking.filter(|_| thinks).map(|thinking| thinking.limit);
    if let Some(limit) = limit.or_else(|| demand.limit()) {
        config.number("maxTokens", limit);
    }
    let names = [
        (Parameter::Temperature, "temperature"),
        (Parameter::TopP, "topP"),
    ];
    for (parameter, name) in names {
        let Some(value) = demand.get(parameter) else {
            continue;
        };
        let both = parameter == Parameter::TopP && demand.get(Parameter::Temperature).is_some();
        let what = if thinks {
            "left out: it excludes reasoning"
        } else if !generation.takes_sampling() {
            "left out: the model takes no sampling parameters"
        } else if both && generation.takes_one_sampling() {
            "left out: the model takes it or the temperature, not both"
        } else {
            config.raw(name, value.bytes());
            continue;
        };
        note(notes, parameter.as_str(), what);
    }
    if let Some(stop) = demand.get(Parameter::Stop) {
        let mut list = ArrayWriter::open(config.key("stopSequences"));
        let one = (stop.kind() == Kind::String).then_some(stop);
        for text in one.into_iter().chain(stop.elements()) {
            list.next().extend_from_slice(text.bytes());
        }
        list.close();
    }
    config.close();
    if inner.len() > 2 {
        object.raw("inferenceConfig", &inner);
    }
}

/// The schema of the answer, as text inside the text.
fn output(named: Json<'_>, mut object: ObjectWriter<'_>) {
    let mut format = object.object("textFormat");
    format.string("type", "json_schema");
    let mut structure = format.object("structure");
    let mut inner = structure.object("jsonSchema");
    for key in ["name", "description"] {
        if let Some(text) = named.get(key).filter(|text| !text.is_null()) {
            inner.raw(key, text.bytes());
        }
    }
    let schema = named.get("schema").map(|schema| schema.text());
    inner.string("schema", schema.as_deref().unwrap_or("{}"));
    inner.close();
    structure.close();
    format.close();
    object.close();
}

/// What only some makers take: the wish to reason, `top_k`, and members that no vocabulary knows.
fn more(
    demand: &Demand<'_>,
    family: Family,
    thinking: Option<Thinking>,
    object: &mut ObjectWriter<'_>,
) {
    let own = demand.own(MORE);
    let foreign = || {
        let unknown = demand.foreign();
        unknown.filter(|(name, _)| !OWN.contains(&&**name) && name != MORE)
    };
    let said = |name: &str| {
        own.is_some_and(|own| own.get(name).is_some()) || foreign().any(|(known, _)| known == name)
    };
    let mut inner = Vec::new();
    let mut fields = ObjectWriter::open(&mut inner);
    match family {
        Family::Claude => claude(demand, thinking, &mut fields, said),
        Family::Nova => nova(demand, &mut fields, said),
        Family::OpenAi => {
            let effort = demand.effort().filter(|_| !said("reasoning_effort"));
            if let Some(effort) = effort.filter(|effort| *effort != Effort::None) {
                fields.string("reasoning_effort", effort.as_str());
            }
        }
        Family::Other => {}
    }
    for (key, value) in own.into_iter().flat_map(Json::members) {
        fields
            .escaped_key(key.escaped())
            .extend_from_slice(value.bytes());
    }
    for (name, value) in foreign() {
        let key = JsonText::of(&name);
        fields
            .escaped_key(key.escaped())
            .extend_from_slice(value.bytes());
    }
    fields.close();
    if inner.len() > 2 {
        object.raw(MORE, &inner);
    }
}

/// What Claude takes, as at Anthropic.
fn claude(
    demand: &Demand<'_>,
    thinking: Option<Thinking>,
    fields: &mut ObjectWriter<'_>,
    said: impl Fn(&str) -> bool,
) {
    let never = demand.to.upstream.quirks.reasoning == ReasoningRequest::Never;
    let Some(thinking) = thinking.filter(|_| !never) else {
        return;
    };
    let mut mode = Vec::new();
    if !said("thinking") && !said("reasoning_config") && thinking.mode.write(&mut mode) {
        fields.raw("thinking", &mode);
    }
    if let Some(effort) = thinking.effort.filter(|_| !said("output_config")) {
        let mut config = fields.object("output_config");
        config.string("effort", effort);
        config.close();
    }
    let sampled = Generation::of(demand.to.endpoint).takes_sampling() && !thinking.mode.is_on();
    let most = demand
        .get(Parameter::TopK)
        .filter(|most| most.u64() != Some(0));
    if let Some(most) = most.filter(|_| sampled && !said("top_k")) {
        fields.raw("top_k", most.bytes());
    }
}

/// What Nova takes: `topK`, and a level of reasoning.
fn nova(demand: &Demand<'_>, fields: &mut ObjectWriter<'_>, said: impl Fn(&str) -> bool) {
    let most = demand
        .get(Parameter::TopK)
        .filter(|most| most.u64() != Some(0));
    if let Some(most) = most.filter(|_| !said("inferenceConfig")) {
        let mut config = fields.object("inferenceConfig");
        config.raw("topK", most.bytes());
        config.close();
    }
    let effort = demand.effort().filter(|_| !said("reasoningConfig"));
    let level = match effort {
        None | Some(Effort::None) => return,
        Some(Effort::Minimal | Effort::Low) => "low",
        Some(Effort::Medium) => "medium",
        Some(Effort::High | Effort::Xhigh | Effort::Max) => "high",
    };
    let mut config = fields.object("reasoningConfig");
    config
        .string("type", "enabled")
        .string("maxReasoningEffort", level);
    config.close();
}
