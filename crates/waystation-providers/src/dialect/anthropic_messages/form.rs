//! The form that the answer is to have: `output_config.format` where the endpoint has structured
//! output, else a tool that must be called and whose input is the answer, else words. What is not
//! the wire's own is noted, since it promises less.
//!
//! | asked for | the endpoint has structured output | it has tools | neither, or the model thinks |
//! |---|---|---|---|
//! | `json_schema` | `output_config.format` | a forced tool | words, with the schema in them |
//! | `json_object` | words | words | words |
//! | `text` | nothing | nothing | nothing |
//! | other forms | left out, noted | left out, noted | left out, noted |
//!
//! A forced tool excludes thinking, and models from 5.5 on cannot be forced; both get words. A schema
//! in words is not enforced by anybody: a plugin that heals answers may mend what comes.

use waystation_core::{Json, Kind, Note, ObjectWriter, Parameter};

use super::{
    generation::Generation,
    schema,
    tool::{Names, input_schema},
};
use crate::demand::{Demand, note};

/// How the form is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form<'a> {
    /// It is not.
    Free,
    /// `output_config.format`.
    Schema(Json<'a>),
    /// A tool of this name, with this `json_schema`.
    Tool(String, Json<'a>),
    /// An instruction.
    Words(String),
}

/// What asks for JSON without a schema.
const JSON: &str = "Answer with one JSON object and nothing else: no prose, no code fence.";

// === impl Form ===

impl<'a> Form<'a> {
    /// Decides for one request.
    pub(super) fn of(
        demand: &Demand<'a>,
        generation: Generation,
        names: &Names,
        notes: &mut Vec<Note>,
    ) -> Self {
        let Some(format) = demand.chat.get("response_format") else {
            return Self::Free;
        };
        let kind = format.get("type").and_then(Json::string);
        let wanted = format.get("json_schema");
        let schema = wanted.and_then(|wanted| wanted.get("schema"));
        let schema = schema.filter(|schema| schema.kind() == Kind::Object);
        match (kind.as_deref(), wanted.zip(schema)) {
            (Some("text"), _) => Self::Free,
            (Some("json_schema"), Some((_, schema)))
                if demand.takes.takes(Parameter::StructuredOutputs) =>
            {
                Self::Schema(schema)
            }
            (Some("json_schema"), Some((wanted, schema))) => {
                emulated(demand, generation, names, (wanted, schema), notes)
            }
            (Some("json_object" | "json_schema"), _) => {
                note(notes, "response_format", "became an instruction");
                Self::Words(JSON.into())
            }
            _ => {
                note(
                    notes,
                    "response_format",
                    "left out: the wire has no such form",
                );
                Self::Free
            }
        }
    }

    /// Writes `output_config.format`, and notes limits of the schema that the wire refuses.
    pub(super) fn write(&self, object: &mut ObjectWriter<'_>, notes: &mut Vec<Note>) {
        let Self::Schema(json) = self else {
            return;
        };
        let mut format = object.object("format");
        format.string("type", "json_schema");
        let dropped = schema::write(*json, format.key("schema"));
        format.close();
        if dropped {
            let what =
                "its limits on numbers, lengths and counts were left out: the wire refuses them";
            note(notes, "response_format.json_schema.schema", what);
        }
    }
}

/// What stands for structured output where there is none: a forced tool, unless the model cannot be
/// forced or thinks, which excludes it; then words.
fn emulated<'a>(
    demand: &Demand<'a>,
    generation: Generation,
    names: &Names,
    (wanted, schema): (Json<'a>, Json<'a>),
    notes: &mut Vec<Note>,
) -> Form<'a> {
    let thinks = demand.reasoning.and_then(|wish| wish.wanted()) == Some(true);
    let tools = demand.takes.takes(Parameter::Tools) && generation.takes_forced_tools();
    if !tools || thinks {
        note(notes, "response_format", "became an instruction");
        let schema = schema.text();
        return Form::Words(format!(
            "{JSON} It must be valid against this JSON Schema: {schema}"
        ));
    }
    note(
        notes,
        "response_format",
        "became a tool that must be called",
    );
    let called = wanted.get("name").and_then(Json::string);
    let called = called.filter(|name| !name.is_empty());
    Form::Tool(names.unused(called.as_deref().unwrap_or("answer")), wanted)
}

/// The tool whose input is the answer.
pub(super) fn write_tool(name: &str, wanted: Json<'_>, out: &mut Vec<u8>) {
    let said = wanted.get("description").and_then(|text| text.string());
    let said = said.map(|text| format!("Gives the answer. {text}"));
    let mut object = ObjectWriter::open(out);
    object.string("name", name);
    object.string(
        "description",
        said.as_deref().unwrap_or("Gives the answer."),
    );
    input_schema(wanted.get("schema"), object.key("input_schema"));
    object.close();
}
