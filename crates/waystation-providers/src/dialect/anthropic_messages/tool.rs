//! Definitions of tools, and the names and ids that tools and calls have on the wire. Which tool is
//! to be called is `choice`'s.

use std::collections::HashSet;

use waystation_core::{Json, JsonText, Kind, Note, ObjectWriter};

use crate::{
    array::ArrayWriter,
    demand::{Demand, note},
    search::{Domains, Search, write_names},
};

/// The host's own search, in the version that every model of the wire with tools takes, and the
/// name that it must have.
const SEARCH: (&str, &str) = ("web_search_20250305", "web_search");

/// The longest name of a tool.
const MAX_NAME: usize = 128;

/// Names of tools that the wire refuses, and what they are called on it: the same in every request
/// that has the same tools, and none of them the name of another tool. The wire takes letters,
/// digits, `_` and `-`; clients that join names of servers and tools send dots and colons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// What the client calls a tool, and what the wire is told.
    odd: Vec<(String, String)>,
    /// Names that are taken on the wire.
    used: HashSet<String>,
}

// === impl Names ===

impl Names {
    /// Finds the names in the tools and in the calls of earlier turns.
    pub(super) fn of(demand: &Demand<'_>) -> Self {
        if speaks_of_none(demand) {
            return Self::default();
        }
        let tools = demand.tools().filter_map(|tool| {
            let named = tool.at(&["function", "name"]).or_else(|| tool.get("name"));
            Some(named?.string()?.into_owned())
        });
        let calls = demand.chat.tool_calls();
        let calls = calls.map(|call| call.name().into_owned());
        let mut names = Self::default();
        let mut odd = Vec::new();
        let searches = demand.search.is_some();
        if searches {
            names.used.insert(SEARCH.1.into());
        }
        for name in tools.chain(calls) {
            if is_fit(&name, MAX_NAME) && !(searches && name == SEARCH.1) {
                names.used.insert(name);
            } else if !odd.contains(&name) {
                odd.push(name);
            }
        }
        for name in odd {
            let sent = names.unused(&name);
            names.used.insert(sent.clone());
            names.odd.push((name, sent));
        }
        names
    }

    /// What a tool is called on the wire.
    pub(super) fn sent<'a>(&'a self, name: &'a str) -> &'a str {
        let odd = self.odd.iter().find(|(odd, _)| odd == name);
        odd.map_or(name, |(_, sent)| sent)
    }

    /// What the client calls a tool that the model calls `sent`.
    pub(super) fn original(&self, sent: &JsonText) -> JsonText {
        if self.odd.is_empty() {
            return sent.clone();
        }
        let name = sent.decode();
        let odd = self.odd.iter().find(|(_, sent)| *sent == name);
        odd.map_or_else(|| sent.clone(), |(odd, _)| JsonText::of(odd))
    }

    /// A name like `wish` that the wire takes and no tool has.
    pub(super) fn unused(&self, wish: &str) -> String {
        let fit = |c: char| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        };
        let mut name: String = wish.chars().map(fit).take(MAX_NAME / 2).collect();
        if name.is_empty() {
            name.push('_');
        }
        while self.used.contains(&name) {
            name.push('_');
        }
        name
    }
}

/// Whether a name or an id is one that the wire takes.
fn is_fit(name: &str, max: usize) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=max).contains(&name.len()) && name.bytes().all(legal)
}

/// Writes the id of a call, in a call or in its result. What the wire refuses in another host's id
/// is spelled out, in both alike: `functions.f:0` is `functions_2Ef_3A0`.
pub(super) fn write_id(object: &mut ObjectWriter<'_>, key: &str, id: &str) {
    if is_fit(id, usize::MAX) {
        object.string(key, id);
        return;
    }
    let mut fit = String::from(if id.is_empty() { "toolu" } else { "" });
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') {
            fit.push(char::from(byte));
        } else {
            fit.push_str(&format!("_{byte:02X}"));
        }
    }
    object.string(key, &fit);
}

/// The tools that leave: the client's, and those that earlier turns called though nobody defines
/// them any more, since the wire refuses calls of tools that it does not know. `None` when there are
/// none; the flag says that all of them are only remembered.
pub(super) fn write(
    demand: &Demand<'_>,
    names: &Names,
    only: Option<&[String]>,
    notes: &mut Vec<Note>,
) -> Option<(Vec<u8>, bool)> {
    if speaks_of_none(demand) {
        return None;
    }
    let mut out = Vec::new();
    let mut list = ArrayWriter::open(&mut out);
    for tool in demand.tools() {
        let name = tool.at(&["function", "name"]).and_then(Json::string);
        if let Some(only) = only
            && name
                .as_ref()
                .is_some_and(|name| !only.iter().any(|one| one == &**name))
        {
            continue;
        }
        match (name, tool.get("type").and_then(Json::string).as_deref()) {
            (Some(name), None | Some("function")) => {
                function(tool, names.sent(&name), list.next());
            }
            (_, Some("custom")) if tool.get("custom").is_some() => {
                note(
                    notes,
                    "tools",
                    "left out: tools without a schema, which the wire does not have",
                );
            }
            _ => list.next().extend_from_slice(tool.bytes()),
        }
    }
    let remembered = list.is_empty();
    if remembered {
        remember(demand, names, &mut list, notes);
    }
    let searches = demand.search.filter(|_| !has_search(demand));
    if let Some(search) = searches {
        search_tool(&search, list.object(), notes);
    }
    let none = list.is_empty();
    list.close();
    (!none).then_some((out, remembered && searches.is_none()))
}

/// Whether neither the request nor its messages speak of tools, as most do not.
fn speaks_of_none(demand: &Demand<'_>) -> bool {
    demand.search.is_none() && demand.chat.is_plain_talk() && demand.tools().next().is_none()
}

/// Whether the client asks for the host's own search in the wire's words.
fn has_search(demand: &Demand<'_>) -> bool {
    demand.tools().any(|tool| {
        let name = tool.get("name").filter(|_| tool.get("function").is_none());
        name.is_some_and(|name| name.is(SEARCH.1))
    })
}

/// The host's own search. It takes a list of domains to search or one to leave out, not both; how
/// many results there are it decides itself.
fn search_tool(search: &Search<'_>, mut object: ObjectWriter<'_>, notes: &mut Vec<Note>) {
    object.string("type", SEARCH.0).string("name", SEARCH.1);
    if let Some(uses) = search.max_uses() {
        object.number("max_uses", uses);
    }
    let allowed = search.domains(Domains::Allowed, true);
    if allowed.is_empty() {
        let excluded = search.domains(Domains::Excluded, true);
        write_names(&mut object, "blocked_domains", &excluded);
    } else {
        write_names(&mut object, "allowed_domains", &allowed);
        search.is_without(Domains::Excluded, notes);
    }
    search.write_location(&mut object);
    object.close();
}

/// One function. Its strictness stays; members beside it that are the wire's own (`cache_control`,
/// `defer_loading`) go along.
fn function(tool: Json<'_>, name: &str, out: &mut Vec<u8>) {
    let get = |key: &str| {
        let found = tool.at(&["function", key]);
        found.filter(|value| !value.is_null())
    };
    let mut object = ObjectWriter::open(out);
    object.string("name", name);
    if let Some(description) = get("description") {
        object.raw("description", description.bytes());
    }
    input_schema(get("parameters"), object.key("input_schema"));
    for (key, value) in tool.members() {
        if !matches!(&*key.name(), "type" | "function" | "strict") && !value.is_null() {
            object
                .escaped_key(key.escaped())
                .extend_from_slice(value.bytes());
        }
    }
    object.close();
}

/// The schema of the arguments, which must be one of an object.
pub(super) fn input_schema(parameters: Option<Json<'_>>, out: &mut Vec<u8>) {
    let schema = parameters.filter(|schema| schema.kind() == Kind::Object);
    if let Some(schema) = schema
        && schema.get("type").is_some_and(|kind| !kind.is_null())
    {
        out.extend_from_slice(schema.bytes());
        return;
    }
    let mut object = ObjectWriter::open(out);
    object.string("type", "object");
    let members = schema.into_iter().flat_map(Json::members);
    for (key, value) in members.filter(|(key, _)| !key.is("type")) {
        object
            .escaped_key(key.escaped())
            .extend_from_slice(value.bytes());
    }
    object.close();
}

/// Definitions of the tools that earlier turns called.
fn remember(demand: &Demand<'_>, names: &Names, list: &mut ArrayWriter<'_>, notes: &mut Vec<Note>) {
    let mut known = HashSet::new();
    for call in demand.chat.tool_calls() {
        let name = call.name();
        if known.insert(name.clone().into_owned()) {
            let mut object = list.object();
            object.string("name", names.sent(&name));
            object.raw("input_schema", br#"{"type":"object"}"#);
            object.close();
        }
    }
    if !known.is_empty() {
        note(
            notes,
            "tools",
            "made of the calls of earlier turns, which nobody defines",
        );
    }
}
