//! Tools and the choice among them. Functions and custom tools lose their wrapper; tools of the
//! host's own go as they came.
//!
//! | of the request | becomes |
//! |---|---|
//! | `{type: function, function: {..}}` | `{type: function, ..}`, with `strict: false` and empty `parameters` where nothing is said |
//! | `{type: custom, custom: {..}}` | `{type: custom, ..}`; a grammar loses its wrapper too |
//! | `web_search`, `file_search`, `mcp`, `code_interpreter` and others | the same |
//! | `openrouter:*`, `waystation:*` | nothing: the gateway runs them |
//! | a native search, `web_search_options` | `{type: web_search}` with size, place and domains |
//! | `tool_choice` `"any"` | `"required"` |
//! | `tool_choice` of a function or custom tool | without its wrapper |
//! | `tool_choice` `allowed_tools` | without its wrapper, and so the tools in it |
//! | `parallel_tool_calls` | the same, where a tool leaves |

use waystation_core::{Json, Kind, NativeSearch, Note, ObjectWriter};

use crate::{
    array::ArrayWriter,
    demand::{Choice, Demand},
    search::{Domains, Search, write_names},
};

/// Writes the tools, which of them is to be called, and whether several may be at once.
pub(super) fn write(demand: &Demand<'_>, object: &mut ObjectWriter<'_>, notes: &mut Vec<Note>) {
    let searches = |tool: Json<'_>| {
        let kind = tool.get("type").and_then(Json::string);
        kind.is_some_and(|kind| kind.starts_with("web_search"))
    };
    let search = demand.search.filter(|_| !demand.tools().any(searches));
    let overridden = demand.overridden("tools");
    if !overridden && (search.is_some() || demand.tools().next().is_some()) {
        let mut list = ArrayWriter::open(object.key("tools"));
        for tool in demand.tools() {
            one(tool, list.next());
        }
        if let Some(search) = search {
            let takes = demand.to.endpoint.search;
            web_search(&search, takes, list.object(), notes);
        }
        list.close();
    }
    if let Some(choice) = demand.tool_choice()
        && !demand.overridden("tool_choice")
    {
        choose(&choice, object.key("tool_choice"));
    }
    if let Some(parallel) = demand.parallel()
        && !demand.overridden("parallel_tool_calls")
    {
        object.bool("parallel_tool_calls", parallel);
    }
}

/// One tool.
fn one(tool: Json<'_>, out: &mut Vec<u8>) {
    let kind = tool.get("type").and_then(Json::string);
    match kind.as_deref().unwrap_or("function") {
        "function" => function(tool.get("function").unwrap_or(tool), out),
        "custom" => match tool.get("custom") {
            Some(inner) => custom(inner, out),
            None => out.extend_from_slice(tool.bytes()),
        },
        _ => out.extend_from_slice(tool.bytes()),
    }
}

/// A function. Unsaid strictness is no strictness, as in chat completions; this dialect's own default
/// is the other.
fn function(function: Json<'_>, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    object.string("type", "function");
    let mut has = [false; 2];
    for (key, value) in function.members() {
        if key.is("type") || value.is_null() {
            continue;
        }
        has = [has[0] || key.is("parameters"), has[1] || key.is("strict")];
        object
            .escaped_key(key.escaped())
            .extend_from_slice(value.bytes());
    }
    if !has[0] {
        object.raw("parameters", br#"{"type":"object","properties":{}}"#);
    }
    if !has[1] {
        object.bool("strict", false);
    }
    object.close();
}

/// A tool whose input is free text, or text of a grammar.
fn custom(inner: Json<'_>, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    object.string("type", "custom");
    for (key, value) in inner.members().filter(|(_, value)| !value.is_null()) {
        match value.get("grammar") {
            Some(grammar) if key.is("format") => {
                let mut format = object.object("format");
                format.string("type", "grammar");
                for (key, value) in grammar.members() {
                    format
                        .escaped_key(key.escaped())
                        .extend_from_slice(value.bytes());
                }
                format.close();
            }
            _ => object
                .escaped_key(key.escaped())
                .extend_from_slice(value.bytes()),
        }
    }
    object.close();
}

/// The host's own search, sized and placed as the client wants it. Domains stand in `filters`. What
/// they are called is settled by the vendors' pages:
///
/// | a host that takes | says | source |
/// |---|---|---|
/// | both lists | `allowed_domains`, `blocked_domains` | <https://developers.openai.com/api/docs/guides/tools-web-search#domain-filtering> (2026-11) |
/// | one of two | `allowed_domains` or `excluded_domains` | <https://docs.x.ai/developers/tools/web-search> (2026-11) |
/// | where to search | `allowed_domains` | |
///
/// Where only one list can leave, that of domains to search does.
fn web_search(
    search: &Search<'_>,
    takes: Option<NativeSearch>,
    mut object: ObjectWriter<'_>,
    notes: &mut Vec<Note>,
) {
    object.string("type", "web_search");
    let allowed = search.domains(Domains::Allowed, false);
    let excluded = search.domains(Domains::Excluded, false);
    let word = match takes {
        Some(NativeSearch::Both) => Some("blocked_domains"),
        Some(NativeSearch::Either) if allowed.is_empty() => Some("excluded_domains"),
        _ => None,
    };
    let word = word.filter(|_| !excluded.is_empty());
    if !allowed.is_empty() || word.is_some() {
        let mut filters = object.object("filters");
        write_names(&mut filters, "allowed_domains", &allowed);
        if let Some(word) = word {
            write_names(&mut filters, word, &excluded);
        }
        filters.close();
    }
    if word.is_none() {
        search.is_without(Domains::Excluded, notes);
    }
    if let Some(size) = search.context_size() {
        object.raw("search_context_size", size.bytes());
    }
    search.write_location(&mut object);
    object.close();
}

/// The choice of a tool.
fn choose(choice: &Choice<'_>, out: &mut Vec<u8>) {
    let word = match choice {
        Choice::Auto => "\"auto\"",
        Choice::None => "\"none\"",
        Choice::Required => "\"required\"",
        Choice::Function(name) => {
            let mut object = ObjectWriter::open(out);
            object.string("type", "function").string("name", name);
            object.close();
            return;
        }
        Choice::Other(choice) => return other(*choice, out),
    };
    out.extend_from_slice(word.as_bytes());
}

/// A custom tool, or a list of allowed ones, without their wrappers; the host's own tools as they
/// are.
fn other(choice: Json<'_>, out: &mut Vec<u8>) {
    let inner = ["custom", "allowed_tools"]
        .into_iter()
        .find_map(|key| choice.get(key).filter(|inner| inner.kind() == Kind::Object));
    let (Some(inner), Some(kind)) = (inner, choice.get("type")) else {
        out.extend_from_slice(choice.bytes());
        return;
    };
    let mut object = ObjectWriter::open(out);
    object.raw("type", kind.bytes());
    for (key, value) in inner.members() {
        if !key.is("tools") {
            object
                .escaped_key(key.escaped())
                .extend_from_slice(value.bytes());
            continue;
        }
        let mut list = ArrayWriter::open(object.key("tools"));
        for tool in value.elements() {
            match tool.at(&["function", "name"]).and_then(Json::string) {
                Some(name) => choose(&Choice::Function(name), list.next()),
                None => list.next().extend_from_slice(tool.bytes()),
            }
        }
        list.close();
    }
    object.close();
}
