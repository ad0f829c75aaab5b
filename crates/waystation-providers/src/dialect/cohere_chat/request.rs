//! The request's body, member by member. Messages are written in `message`.
//!
//! | of the request | becomes |
//! |---|---|
//! | `temperature`, `seed`, penalties, `logprobs` | the same |
//! | `top_p`, `top_k`, `stop` | `p` (0.99 at most, with a note), `k`, `stop_sequences` |
//! | `max_tokens`, `max_completion_tokens` | `max_tokens` |
//! | `response_format` with a schema | `{type: json_object, json_schema}`; beside tools an instruction, with a note |
//! | `response_format: json_object` | the same; beside tools an instruction, with a note |
//! | `tools` | functions alone; others are left out, with a note |
//! | `strict` of every function | `strict_tools` |
//! | `tool_choice` `"required"`, `"none"` | `REQUIRED`, `NONE` |
//! | `tool_choice` of a function | that function alone leaves, and `REQUIRED`, with a note |
//! | `parallel_tool_calls` | nothing: the dialect cannot say it |
//! | `reasoning` and its kin | `thinking`, with a `token_budget` where a level or a budget was asked for |
//! | `n` `logit_bias` `prediction` `verbosity` `service_tier` `top_logprobs` | nothing: the dialect has none |
//! | members that no vocabulary knows | the same: `documents`, `citation_options`, `safety_mode`, `priority` |

use bytes::Bytes;
use waystation_core::{EncodeError, Json, JsonText, Kind, Note, ObjectWriter, Parameter};

use super::message;
use crate::{
    array::ArrayWriter,
    demand::{Choice, Demand, Form, note},
};

/// Writes the body.
pub(super) fn write(demand: &Demand<'_>, notes: &mut Vec<Note>) -> Result<Bytes, EncodeError> {
    let mut out = Vec::with_capacity(1 << 12);
    let mut object = ObjectWriter::open(&mut out);
    object.string("model", &demand.to.endpoint.upstream_model);
    let form = demand.form(notes);
    let tools = demand.tools().any(is_function);
    let told = if tools { form.instruction() } else { None };
    if told.is_some() {
        let what = "made an instruction: the dialect has no formats beside tools";
        note(notes, "response_format", what);
    }
    message::write(demand, told.as_deref(), object.key("messages"))?;
    object.bool("stream", demand.chat.stream());
    if let Some(limit) = demand.limit() {
        demand.put(&mut object, "max_tokens", limit.to_string().as_bytes());
    }
    sampling(demand, &mut object, notes);
    if told.is_none() && !demand.overridden("response_format") {
        format(form, &mut object);
    }
    write_tools(demand, &mut object, notes);
    thinking(demand, &mut object);
    for (name, value) in demand.foreign() {
        let key = JsonText::of(&name);
        object
            .escaped_key(key.escaped())
            .extend_from_slice(value.bytes());
    }
    object.close();
    Ok(Bytes::from(out))
}

/// Parameters of sampling, under Cohere's names.
fn sampling(demand: &Demand<'_>, object: &mut ObjectWriter<'_>, notes: &mut Vec<Note>) {
    /// The largest share that Cohere takes.
    const MOST: f64 = 0.99;
    for (parameter, name) in [
        (Parameter::Temperature, "temperature"),
        (Parameter::TopK, "k"),
        (Parameter::FrequencyPenalty, "frequency_penalty"),
        (Parameter::PresencePenalty, "presence_penalty"),
        (Parameter::Seed, "seed"),
        (Parameter::Logprobs, "logprobs"),
    ] {
        demand.pass(object, parameter, name);
    }
    if let Some(share) = demand.get(Parameter::TopP) {
        if share.f64().is_some_and(|share| share > MOST) {
            note(notes, "top_p", "0.99: the dialect takes no more");
            demand.put(object, "p", b"0.99");
        } else {
            demand.put(object, "p", share.bytes());
        }
    }
    if let Some(stop) = demand.get(Parameter::Stop)
        && demand.own("stop_sequences").is_none()
    {
        let out = object.key("stop_sequences");
        if stop.kind() == Kind::Array {
            out.extend_from_slice(stop.bytes());
        } else {
            let mut list = ArrayWriter::open(out);
            list.next().extend_from_slice(stop.bytes());
            list.close();
        }
    }
}

/// The form of the answer.
fn format(form: Form<'_>, object: &mut ObjectWriter<'_>) {
    if form == Form::Free {
        return;
    }
    let mut format = object.object("response_format");
    format.string("type", "json_object");
    if let Some(schema) = form.schema() {
        format.raw("json_schema", schema.bytes());
    }
    format.close();
}

/// The tools, and which of them is to be called.
fn write_tools(demand: &Demand<'_>, object: &mut ObjectWriter<'_>, notes: &mut Vec<Note>) {
    let choice = demand.tool_choice();
    let forced = |tool: &Json<'_>| match &choice {
        Some(Choice::Function(name)) => tool
            .at(&["function", "name"])
            .is_some_and(|found| found.is(name)),
        _ => true,
    };
    if let Some(search) = demand.search {
        search.is_left_out(notes);
    }
    if demand.tools().any(|tool| !is_function(tool)) {
        let what = "left out those that are no functions: the dialect has none";
        note(notes, "tools", what);
    }
    let functions = || {
        demand
            .tools()
            .filter(|tool| is_function(*tool))
            .filter(forced)
    };
    if functions().next().is_none() {
        return;
    }
    if !demand.overridden("tools") {
        let mut list = ArrayWriter::open(object.key("tools"));
        for tool in functions() {
            function(tool.get("function").unwrap_or(tool), list.object());
        }
        list.close();
    }
    let strict = |tool: Json<'_>| tool.at(&["function", "strict"]).and_then(Json::bool);
    if functions().all(|tool| strict(tool) == Some(true)) {
        demand.put(object, "strict_tools", b"true");
    }
    match choice {
        Some(Choice::Required) => demand.put(object, "tool_choice", b"\"REQUIRED\""),
        Some(Choice::None) => demand.put(object, "tool_choice", b"\"NONE\""),
        Some(Choice::Function(_)) => {
            let what = "the forced function is the only tool that leaves, and one is required";
            note(notes, "tool_choice", what);
            demand.put(object, "tool_choice", b"\"REQUIRED\"");
        }
        Some(Choice::Auto | Choice::Other(_)) | None => {}
    }
}

/// Whether a tool is a function; unsaid, it is.
fn is_function(tool: Json<'_>) -> bool {
    tool.get("function").is_some() || tool.get("type").is_some_and(|kind| kind.is("function"))
}

/// One function.
fn function(function: Json<'_>, mut object: ObjectWriter<'_>) {
    object.string("type", "function");
    let mut inner = object.object("function");
    for key in ["name", "description"] {
        if let Some(text) = function.get(key).filter(|text| !text.is_null()) {
            inner.raw(key, text.bytes());
        }
    }
    let parameters = function.get("parameters").filter(|some| !some.is_null());
    let none = br#"{"type":"object","properties":{}}"#;
    inner.raw("parameters", parameters.map_or(none, Json::bytes));
    inner.close();
    object.close();
}

/// The wish to reason: on or off, with a budget where the client says how much.
fn thinking(demand: &Demand<'_>, object: &mut ObjectWriter<'_>) {
    let Some(wish) = demand
        .reasoning
        .filter(|_| demand.own("thinking").is_none())
    else {
        return;
    };
    let Some(wanted) = wish.wanted() else {
        return;
    };
    let mut thinking = object.object("thinking");
    thinking.string("type", if wanted { "enabled" } else { "disabled" });
    let said = wish.effort.is_some() || wish.max_tokens.is_some();
    if let Some(budget) = demand.budget().filter(|_| wanted && said) {
        thinking.number("token_budget", budget);
    }
    thinking.close();
}
