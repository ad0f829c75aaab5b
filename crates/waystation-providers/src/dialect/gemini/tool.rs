//! Tools and the choice among them. A function's schema leaves as the client wrote it, as
//! `parametersJsonSchema`; native tools leave under the wire's own names; tools that the gateway
//! runs itself do not leave.
//!
//! The older `parameters` takes a subset of OpenAPI, where a keyword too many is a 400; nothing has
//! to be taken out of a schema for `parametersJsonSchema`.
//!
//! | `tool_choice` | `functionCallingConfig` |
//! |---|---|
//! | `none`, `auto`, `required` | mode `NONE`, `AUTO`, `ANY` |
//! | one function | mode `ANY` with its name as the only one allowed |
//! | `allowed_tools`, required | mode `ANY` with the names |
//! | `allowed_tools`, auto | mode `VALIDATED` with the names: `AUTO` takes none |
//!
//! `parallel_tool_calls` and `strict` have no word on this wire and stay.
//!
//! The wish for a native search becomes `googleSearch`. Before the third generation it excludes
//! functions, and gives way to them; on AI Studio the third wants to be told that both may be used.

use std::borrow::Cow;

use waystation_core::{ChatRequest, Json, Kind, Note, ObjectWriter, Parameter, Target};

use super::{
    note,
    site::{Family, Site},
};
use crate::search::{Domains, Search, write_names};

/// The types of native tools, as clients spell them, and the wire's names.
/// Source: <https://ai.google.dev/api/caching#Tool> (2026-08-22).
const NATIVE: &[(&str, &str)] = &[
    ("google_search", "googleSearch"),
    ("web_search", "googleSearch"),
    ("web_search_preview", "googleSearch"),
    ("google_search_retrieval", "googleSearchRetrieval"),
    ("enterprise_web_search", "enterpriseWebSearch"),
    ("google_maps", "googleMaps"),
    ("url_context", "urlContext"),
    ("code_execution", "codeExecution"),
    ("code_interpreter", "codeExecution"),
    ("file_search", "fileSearch"),
    ("computer_use", "computerUse"),
    ("retrieval", "retrieval"),
];

/// What was written of a request's tools.
#[derive(Debug, Default)]
pub(super) struct Tools {
    /// The `tools` array; empty when no tool leaves.
    pub(super) list: Vec<u8>,
    /// The `functionCallingConfig`, when there is a choice to state.
    pub(super) choice: Option<Vec<u8>>,
    /// Whether any function leaves.
    pub(super) functions: bool,
    /// Whether a native tool leaves: its sources come back as citations.
    pub(super) native: bool,
    /// Whether the host must be told that its own tools may be used beside functions.
    pub(super) mixed: bool,
}

/// The tools of a request, as far as the endpoint takes them. One that the host does not have is left
/// out with a note; the gateway's own (`openrouter:*`, `waystation:*`) without, since the gateway
/// runs them. The wish for a search without such a tool makes one.
pub(super) fn tools(
    chat: &ChatRequest,
    to: &Target<'_>,
    site: Site<'_>,
    notes: &mut Vec<Note>,
) -> Tools {
    let takes = to.endpoint.parameters;
    let mut written = Tools::default();
    let mut list = Vec::new();
    let open = |list: &mut Vec<u8>| list.push(if list.is_empty() { b'[' } else { b',' });
    if takes.takes(Parameter::Tools) {
        let declarations = declarations(chat);
        if !declarations.is_empty() {
            open(&mut list);
            let mut tool = ObjectWriter::open(&mut list);
            tool.raw("functionDeclarations", &declarations);
            tool.close();
            written.functions = true;
        }
        for (at, tool) in chat
            .tools()
            .enumerate()
            .filter(|(_, tool)| !is_function(*tool))
        {
            let kind = tool.get("type").and_then(Json::string).unwrap_or_default();
            if let Some(name) = native(&kind) {
                open(&mut list);
                write_native(name, &kind, tool, &mut list);
                written.native = true;
            } else if !kind.starts_with("openrouter:") && !kind.starts_with("waystation:") {
                let what = format!("left out: the host has no tool of the type {kind:?}");
                note(notes, &format!("tools[{at}]"), what);
            }
        }
    }
    let third = Family::of(&to.endpoint.upstream_model).is_third();
    if let Some(search) = Search::of(chat, takes).filter(|_| !written.native) {
        if written.functions && !third {
            let what = "left out the native web search: before Gemini 3 it excludes functions";
            note(notes, "tools", what);
        } else {
            open(&mut list);
            search_tool(&search, site, &mut list, notes);
            written.native = true;
        }
    }
    written.mixed = written.native && written.functions && third && !site.is_vertex();
    if !list.is_empty() {
        list.push(b']');
    }
    written.list = list;
    if written.functions {
        written.choice = choice(chat);
    }
    written
}

/// The host's own search. Vertex can leave domains out; nobody can be told which to search.
fn search_tool(search: &Search<'_>, site: Site<'_>, list: &mut Vec<u8>, notes: &mut Vec<Note>) {
    let mut object = ObjectWriter::open(list);
    let mut options = object.object("googleSearch");
    search.is_without(Domains::Allowed, notes);
    if site.is_vertex() {
        let excluded = search.domains(Domains::Excluded, false);
        write_names(&mut options, "excludeDomains", &excluded);
    } else {
        search.is_without(Domains::Excluded, notes);
    }
    options.close();
    object.close();
}

/// Whether a tool is a function of the client's. Some clients leave the type out; a tool without a
/// type and without a function is none.
fn is_function(tool: Json<'_>) -> bool {
    tool.get("type").map_or_else(
        || tool.get("function").is_some(),
        |kind| kind.is("function"),
    )
}

/// The wire's name for a native tool.
fn native(kind: &str) -> Option<&'static str> {
    let found = NATIVE
        .iter()
        .find(|(known, name)| kind == *known || kind == *name);
    found.map(|(_, name)| *name)
}

/// A native tool, with its options: those beside its type, or in a member of its name.
fn write_native(name: &str, kind: &str, tool: Json<'_>, list: &mut Vec<u8>) {
    let held = tool.get(kind).or_else(|| tool.get(name));
    let held = held.filter(|held| held.kind() == Kind::Object);
    let mut object = ObjectWriter::open(list);
    let mut options = object.object(name);
    for (key, value) in held.into_iter().flat_map(Json::members) {
        options
            .escaped_key(key.escaped())
            .extend_from_slice(value.bytes());
    }
    options.close();
    object.close();
}

/// The declarations of the client's functions, an array; empty when there is none. The older
/// `functions` beside the messages are declarations too.
fn declarations(chat: &ChatRequest) -> Vec<u8> {
    let functions = chat.tools().filter(|tool| is_function(*tool));
    let functions = functions.filter_map(|tool| tool.get("function"));
    let older = chat.get("functions").into_iter().flat_map(Json::elements);
    let mut out = Vec::new();
    for function in functions.chain(older) {
        out.push(if out.is_empty() { b'[' } else { b',' });
        let mut object = ObjectWriter::open(&mut out);
        for (key, value) in function.members().filter(|(_, value)| !value.is_null()) {
            let name = match &*key.name() {
                "name" => "name",
                "description" => "description",
                "parameters" => "parametersJsonSchema",
                _ => continue,
            };
            object.raw(name, value.bytes());
        }
        object.close();
    }
    if !out.is_empty() {
        out.push(b']');
    }
    out
}

/// The `functionCallingConfig` that a choice comes to; `None` when nothing is chosen, or when the
/// choice is a tool of the host's own, which needs no choosing.
fn choice(chat: &ChatRequest) -> Option<Vec<u8>> {
    let choice = chat
        .get("tool_choice")
        .or_else(|| chat.get("function_call"))?;
    let name = |holder: Json<'_>| -> Option<String> {
        let name = holder
            .at(&["function", "name"])
            .or_else(|| holder.get("name"))?;
        name.string().map(Cow::into_owned)
    };
    let (mode, names) = match choice.kind() {
        Kind::String if choice.is("none") => ("NONE", Vec::new()),
        Kind::String if choice.is("auto") => ("AUTO", Vec::new()),
        Kind::String => ("ANY", Vec::new()),
        _ if choice
            .get("type")
            .is_some_and(|kind| kind.is("allowed_tools")) =>
        {
            let holder = choice.get("allowed_tools").unwrap_or(choice);
            let required = holder.get("mode").is_some_and(|mode| mode.is("required"));
            let tools = holder.get("tools").into_iter().flat_map(Json::elements);
            // `AUTO` takes no list; `VALIDATED` is a choice between the list and plain words.
            (
                if required { "ANY" } else { "VALIDATED" },
                tools.filter_map(name).collect(),
            )
        }
        _ => ("ANY", vec![name(choice)?]),
    };
    let mut out = Vec::new();
    let mut object = ObjectWriter::open(&mut out);
    object.string("mode", mode);
    if !names.is_empty() {
        let list = object.key("allowedFunctionNames");
        for (place, name) in names.iter().enumerate() {
            list.push(if place == 0 { b'[' } else { b',' });
            list.extend_from_slice(waystation_core::JsonText::of(name).quoted().bytes());
        }
        list.push(b']');
    }
    object.close();
    Some(out)
}
