//! Which tool is to be called, and whether several may be at once.
//!
//! | the client says | the wire says |
//! |---|---|
//! | nothing | nothing, unless calls must come one at a time |
//! | `auto`, `none` | `auto`, `none` |
//! | `required`, `any` | `any` |
//! | a function | `tool` with its name |
//! | `allowed_tools` | `auto` or `any`, and the other functions are not there |
//! | a choice of the wire's own | the same |
//! | a tool that the gateway runs | nothing |
//!
//! Where a tool stands for the form of the answer, it must be called: alone, or, beside tools of the
//! client, one of them or it. Where tools are there for earlier turns' sake, none may be called.

use waystation_core::{Json, Kind, Note, ObjectWriter};

use super::{form::Form, generation::Generation, tool::Names};
use crate::demand::{Choice, Demand, note};

/// The choice of a tool, with what it leaves of the tools.
#[derive(Debug)]
pub(super) struct Pick<'a> {
    /// What the client chose; `None` when it says nothing, or chose what the gateway runs.
    choice: Option<Choice<'a>>,
    /// A tool that the answer's form needs.
    answer: Option<&'a str>,
    /// The functions that may be called, when not all may.
    pub(super) only: Option<Vec<String>>,
}

// === impl Pick ===

impl<'a> Pick<'a> {
    /// What the client says. A model that cannot be forced is asked instead, with a note.
    pub(super) fn of(
        demand: &Demand<'a>,
        generation: Generation,
        form: &'a Form<'_>,
        notes: &mut Vec<Note>,
    ) -> Self {
        let mut choice = demand.tool_choice();
        let mut only = None;
        if let Some(Choice::Other(other)) = &choice
            && let Some(allowed) = other.get("allowed_tools")
        {
            only = Some(names(allowed));
            let required = allowed.get("mode").is_some_and(|mode| mode.is("required"));
            choice = Some(if required {
                Choice::Required
            } else {
                Choice::Auto
            });
        }
        let forced = matches!(choice, Some(Choice::Required | Choice::Function(_)));
        if forced && !generation.takes_forced_tools() {
            note(
                notes,
                "tool_choice",
                "left to the model, which cannot be forced",
            );
            choice = Some(Choice::Auto);
        }
        let answer = match form {
            Form::Tool(name, _) => Some(name.as_str()),
            Form::Free | Form::Schema(_) | Form::Words(_) => None,
        };
        Self {
            choice,
            answer,
            only,
        }
    }

    /// Whether some tool must be called.
    pub(super) fn is_forced(&self) -> bool {
        let forced = match &self.choice {
            Some(Choice::Required | Choice::Function(_)) => true,
            Some(Choice::Other(other)) => {
                let kind = other.get("type");
                kind.is_some_and(|kind| kind.is("any") || kind.is("tool"))
            }
            Some(Choice::Auto | Choice::None) | None => false,
        };
        forced || self.answer.is_some()
    }

    /// Writes `tool_choice`, if there is anything to say. `remembered` says that the tools are there
    /// for the sake of earlier turns alone.
    pub(super) fn write(
        &self,
        demand: &Demand<'_>,
        names: &Names,
        remembered: bool,
        out: &mut Vec<u8>,
    ) -> bool {
        let one = demand.parallel() == Some(false);
        let (kind, name) = match (&self.choice, self.answer) {
            // Some tool: a real one, or the one that is the answer.
            (None | Some(Choice::Auto | Choice::Required), Some(_))
                if demand.tools().next().is_some() || demand.search.is_some() =>
            {
                ("any", None)
            }
            (Some(Choice::Function(name)), _) => ("tool", Some(names.sent(name))),
            (_, Some(answer)) => ("tool", Some(answer)),
            _ if remembered => ("none", None),
            (Some(Choice::Other(other)), None) => {
                out.extend_from_slice(other.bytes());
                return true;
            }
            (Some(Choice::Required), None) => ("any", None),
            (Some(Choice::None), None) => ("none", None),
            (Some(Choice::Auto), None) => ("auto", None),
            (None, None) if one => ("auto", None),
            (None, None) => return false,
        };
        let mut object = ObjectWriter::open(out);
        object.string("type", kind);
        if let Some(name) = name {
            object.string("name", name);
        }
        if one && kind != "none" {
            object.bool("disable_parallel_tool_use", true);
        }
        object.close();
        true
    }
}

/// The functions in a list of allowed tools.
fn names(allowed: Json<'_>) -> Vec<String> {
    let tools = allowed.get("tools").into_iter().flat_map(Json::elements);
    let name = |tool: Json<'_>| {
        let name = tool.at(&["function", "name"]).or_else(|| tool.get("name"));
        let name = name.filter(|name| name.kind() == Kind::String)?;
        Some(name.string()?.into_owned())
    };
    tools.filter_map(name).collect()
}
