//! The wish for a search of the web that the provider runs itself, apart from any dialect: which
//! tool it is there and how its options are spelled is each dialect's to know.
//!
//! The wish is a tool of the type `openrouter:web_search` (or `waystation:web_search`) whose
//! `parameters.engine` is `native`; with another engine the gateway searches and no tool leaves.
//! `web_search_options` of chat completions is the same wish, at endpoints that list it. Said both
//! ways, it is one. Source: API contract, sections 7.1 and 7.7.

use std::borrow::Cow;

use waystation_core::{
    ChatRequest, Json, JsonText, Kind, Note, ObjectWriter, Parameter, ParameterSet,
};

use crate::{array::ArrayWriter, demand::note};

/// The member that notes are about.
const FIELD: &str = "tools";

/// A search that the provider is to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search<'a> {
    /// The tool's `parameters`.
    parameters: Option<Json<'a>>,
    /// `web_search_options`.
    options: Option<Json<'a>>,
    /// The tool itself.
    pub(crate) tool: Option<Json<'a>>,
}

/// Which addresses are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Domains {
    /// These alone.
    Allowed,
    /// All but these.
    Excluded,
}

// === impl Search ===

impl<'a> Search<'a> {
    /// The wish of `chat`, if there is one. Options without a tool count where the endpoint lists
    /// them.
    pub(crate) fn of(chat: &'a ChatRequest, takes: ParameterSet) -> Option<Self> {
        let tool = chat.tools().find(|tool| is_native(*tool));
        let options = chat
            .get("web_search_options")
            .filter(|options| options.kind() == Kind::Object);
        let listed = takes.takes(Parameter::WebSearchOptions);
        if tool.is_none() && (options.is_none() || !listed) {
            return None;
        }
        Some(Self {
            parameters: tool.and_then(|tool| tool.get("parameters")),
            options,
            tool,
        })
    }

    /// A parameter of the tool, else of the options.
    fn get(&self, key: &str) -> Option<Json<'a>> {
        let either = [self.parameters, self.options];
        let mut found = either.into_iter().flatten().filter_map(|one| one.get(key));
        found.find(|value| !value.is_null())
    }

    /// How often the model may search.
    pub(crate) fn max_uses(&self) -> Option<u64> {
        self.get("max_uses").and_then(Json::u64)
    }

    /// How many results are wanted.
    pub(crate) fn max_results(&self) -> Option<u64> {
        self.get("max_results").and_then(Json::u64)
    }

    /// How much of what is found the model is shown: `low`, `medium`, `high`.
    pub(crate) fn context_size(&self) -> Option<Json<'a>> {
        self.get("search_context_size")
    }

    /// Names of hosts, as searches want them: no scheme, no wildcard in front. `paths` says whether
    /// what stands behind the host may stay.
    pub(crate) fn domains(&self, which: Domains, paths: bool) -> Vec<String> {
        let key = match which {
            Domains::Allowed => "allowed_domains",
            Domains::Excluded => "excluded_domains",
        };
        let list = self.get(key).into_iter().flat_map(Json::elements);
        let names = list.filter_map(Json::string).map(|name| {
            let name = name.trim();
            let name = name.split_once("://").map_or(name, |(_, behind)| behind);
            let name = name
                .strip_prefix("*.")
                .unwrap_or(name)
                .trim_end_matches('/');
            let host = name.split('/').next().unwrap_or(name);
            if paths { name } else { host }.to_owned()
        });
        names.filter(|name| !name.is_empty()).collect()
    }

    /// Where the client is: `city`, `region`, `country`, `timezone`, whatever of them was said.
    fn location(&self) -> Option<Json<'a>> {
        let said = self.get("user_location")?;
        let inner = said.get("approximate").unwrap_or(said);
        Some(inner).filter(|place| place.kind() == Kind::Object)
    }

    /// Writes `user_location` as most wires have it: its members beside its type.
    pub(crate) fn write_location(&self, object: &mut ObjectWriter<'_>) {
        if let Some(place) = self.location() {
            let mut location = object.object("user_location");
            location.string("type", "approximate");
            members_of(place, &mut location);
            location.close();
        }
    }

    /// Writes `web_search_options`, as chat completions have them: the members of the place stand in
    /// an object of their own.
    pub(crate) fn write_options(&self, object: &mut ObjectWriter<'_>) {
        let mut options = object.object("web_search_options");
        if let Some(size) = self.context_size() {
            options.raw("search_context_size", size.bytes());
        }
        if let Some(place) = self.location() {
            let mut location = options.object("user_location");
            location.string("type", "approximate");
            let mut inner = location.object("approximate");
            members_of(place, &mut inner);
            inner.close();
            location.close();
        }
        options.close();
    }

    /// Says that the search does not happen: the wire has none.
    pub(crate) fn is_left_out(&self, notes: &mut Vec<Note>) {
        if self.tool.is_some() {
            note(
                notes,
                FIELD,
                "left out the native web search: the host has none",
            );
        }
    }

    /// Says that one side of the wish has no word on the wire.
    pub(crate) fn is_without(&self, what: Domains, notes: &mut Vec<Note>) {
        let (key, said) = match what {
            Domains::Allowed => ("allowed_domains", self.domains(what, false)),
            Domains::Excluded => ("excluded_domains", self.domains(what, false)),
        };
        if !said.is_empty() {
            let what = format!("left out {key}: the host's own search does not take them here");
            note(notes, FIELD, what);
        }
    }
}

/// Writes a list of names; nothing when it is empty.
pub(crate) fn write_names(object: &mut ObjectWriter<'_>, key: &str, names: &[String]) {
    if names.is_empty() {
        return;
    }
    let mut list = ArrayWriter::open(object.key(key));
    for name in names {
        list.next()
            .extend_from_slice(JsonText::of(name).quoted().bytes());
    }
    list.close();
}

/// Whether a tool asks for the provider's own search.
fn is_native(tool: Json<'_>) -> bool {
    let kind = tool.get("type").and_then(Json::string);
    let kind = kind.unwrap_or(Cow::Borrowed(""));
    let named = kind.strip_prefix("openrouter:");
    let named = named.or_else(|| kind.strip_prefix("waystation:"));
    let engine = tool.at(&["parameters", "engine"]);
    named == Some("web_search") && engine.is_some_and(|engine| engine.is("native"))
}

/// The members of a place.
fn members_of(place: Json<'_>, object: &mut ObjectWriter<'_>) {
    for (key, value) in place.members() {
        if !key.is("type") && !value.is_null() {
            object
                .escaped_key(key.escaped())
                .extend_from_slice(value.bytes());
        }
    }
}
