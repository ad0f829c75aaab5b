//! Tools and the choice among them.
//!
//! | of the request | becomes |
//! |---|---|
//! | functions | `toolSpec`; a blank description, which the wire refuses, is left out |
//! | tools with `toolSpec`, `systemTool` or `cachePoint` | the same: they are written for Converse |
//! | other tools | nothing, with a note |
//! | `cache_control` of a tool | a `cachePoint` behind it, for Claude |
//! | `tool_choice` `"auto"`, `"required"` | `{auto: {}}`, `{any: {}}` |
//! | `tool_choice` of a function | `{tool: {name}}` |
//! | `tool_choice` `"none"` | no tools; where earlier turns called some, they stay, with a note |
//! | no tools, but earlier calls | tools of those names, with a note: the wire wants them there |

use std::collections::BTreeSet;

use waystation_core::{Json, Note, ObjectWriter};

use super::model::Family;
use crate::{
    array::ArrayWriter,
    demand::{Choice, Demand, note},
    search::Domains,
};

/// The tools of one request.
pub(super) struct Tools<'a> {
    tools: Vec<Json<'a>>,
    choice: Option<Choice<'a>>,
    family: Family,
    /// The host is to search the web.
    searches: bool,
}

// === impl Tools ===

impl<'a> Tools<'a> {
    /// The functions that leave, and tools that the client wrote for Converse itself. Others have no
    /// form, which is noted.
    pub(super) fn of(demand: &Demand<'a>, family: Family, notes: &mut Vec<Note>) -> Self {
        let (tools, others): (Vec<Json<'a>>, Vec<Json<'a>>) = demand
            .tools()
            .partition(|tool| is_function(*tool) || is_native(*tool));
        if !others.is_empty() {
            let what = "left out those that are no functions: the wire has none";
            note(notes, "tools", what);
        }
        let searches = demand.search.is_some() && family == Family::Nova;
        if let Some(search) = demand.search {
            if searches {
                search.is_without(Domains::Allowed, notes);
                search.is_without(Domains::Excluded, notes);
            } else {
                search.is_left_out(notes);
            }
        }
        Self {
            tools,
            choice: demand.tool_choice(),
            family,
            searches,
        }
    }

    /// Whether a tool has to be called.
    pub(super) const fn is_forced(&self) -> bool {
        matches!(self.choice, Some(Choice::Required | Choice::Function(_)))
    }

    /// Writes `toolConfig`. `names` are of the tools that earlier turns called: where they did, the
    /// wire wants tools to be there.
    pub(super) fn write(
        &self,
        names: &BTreeSet<String>,
        object: &mut ObjectWriter<'_>,
        notes: &mut Vec<Note>,
    ) {
        let none = self.choice == Some(Choice::None);
        let empty = self.tools.is_empty() && !self.searches;
        if names.is_empty() && (empty || none) {
            return;
        }
        let mut config = object.object("toolConfig");
        let mut list = ArrayWriter::open(config.key("tools"));
        for tool in &self.tools {
            if is_native(*tool) {
                list.next().extend_from_slice(tool.bytes());
                continue;
            }
            spec(tool.get("function").unwrap_or(*tool), list.object());
            if self.family == Family::Claude && tool.get("cache_control").is_some() {
                list.next()
                    .extend_from_slice(br#"{"cachePoint":{"type":"default"}}"#);
            }
        }
        if self.searches {
            list.next()
                .extend_from_slice(br#"{"systemTool":{"name":"nova_grounding"}}"#);
        }
        if empty {
            let what = "added those that earlier turns called: the wire wants them there";
            note(notes, "tools", what);
            for name in names {
                bare(name, list.object());
            }
        }
        list.close();
        match &self.choice {
            Some(Choice::Auto) => {
                config.raw("toolChoice", br#"{"auto":{}}"#);
            }
            Some(Choice::Required) => {
                config.raw("toolChoice", br#"{"any":{}}"#);
            }
            Some(Choice::Function(name)) => {
                let mut choice = config.object("toolChoice");
                let mut tool = choice.object("tool");
                tool.string("name", name);
                tool.close();
                choice.close();
            }
            Some(Choice::None) => {
                note(
                    notes,
                    "tool_choice",
                    "left out: the wire cannot forbid tools",
                );
            }
            Some(Choice::Other(_)) | None => {}
        }
        config.close();
    }
}

/// Whether a tool is a function; unsaid, it is.
fn is_function(tool: Json<'_>) -> bool {
    tool.get("function").is_some() || tool.get("type").is_some_and(|kind| kind.is("function"))
}

/// Whether a tool is written for Converse itself.
fn is_native(tool: Json<'_>) -> bool {
    ["toolSpec", "systemTool", "cachePoint"]
        .into_iter()
        .any(|key| tool.get(key).is_some())
}

/// One function.
fn spec(function: Json<'_>, mut object: ObjectWriter<'_>) {
    let mut spec = object.object("toolSpec");
    for key in ["name", "description"] {
        let text = function.get(key);
        if let Some(text) = text.filter(|text| text.escaped().is_some_and(|text| !text.is_empty()))
        {
            spec.raw(key, text.bytes());
        }
    }
    let parameters = function.get("parameters").filter(|some| !some.is_null());
    let mut schema = spec.object("inputSchema");
    let none = br#"{"type":"object","properties":{}}"#;
    schema.raw("json", parameters.map_or(none, Json::bytes));
    schema.close();
    spec.close();
    object.close();
}

/// A function of which nothing but the name is known.
fn bare(name: &str, mut object: ObjectWriter<'_>) {
    let mut spec = object.object("toolSpec");
    spec.string("name", name);
    spec.raw("inputSchema", br#"{"json":{"type":"object"}}"#);
    spec.close();
    object.close();
}
