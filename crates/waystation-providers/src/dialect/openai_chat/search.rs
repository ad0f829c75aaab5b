//! The host's own search of the web, asked for as the host wants it. Chat completions have no one
//! spelling for it; hosts that search on their Responses API only are sent there by the codec.
//!
//! | `Quirks::web_search` | what leaves |
//! |---|---|
//! | `options` | `web_search_options` with size and place, where the endpoint lists it |
//! | `domain_filter` | the same, and `search_domain_filter`: domains to search, or, with `-` in front, to leave out |
//! | `responses` | the whole request, to the Responses API |
//! | `enable_search` | `enable_search: true` |
//! | `tool` | a tool of the type `web_search` with its options in a member of that name |
//!
//! Checked against the vendors' pages: a switch with no domains and no sources in the reply
//! (<https://docs.qwencloud.com/developer-guides/text-generation/web-search>, 2026-11), a list of up to 20
//! domains in one direction (<https://docs.perplexity.ai/guides/search-domain-filters>, 2026-11), and a
//! tool whose engine is `search-prime`, and whose `search_domain_filter` is one domain
//! (<https://docs.z.ai/api-reference/tools/web-search>, 2026-11).
//!
//! A host that is a gateway itself gets the tool as the client wrote it. What a spelling cannot say
//! is left out with a note.

use waystation_core::{Json, Note, ObjectWriter, Parameter, Target, WebSearchRequest};

use crate::{
    array::ArrayWriter,
    search::{Domains, Search, write_names},
};

/// How a wish for a search leaves.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// As members of the body.
    Members { domains: bool },
    /// As a switch.
    Switch,
    /// As a tool of the host's.
    Tool,
    /// As it came.
    Untouched,
    /// To the Responses API.
    Responses,
}

/// How the wish `search` leaves for a host; `None` when it has no search.
pub(super) fn form(search: &Search<'_>, to: &Target<'_>) -> Option<Form> {
    let quirks = &to.upstream.quirks;
    let listed = to.endpoint.parameters.takes(Parameter::WebSearchOptions);
    match quirks.web_search {
        _ if quirks.takes_reasoning_details && search.tool.is_some() => Some(Form::Untouched),
        WebSearchRequest::DomainFilter => Some(Form::Members { domains: true }),
        WebSearchRequest::EnableSearch => Some(Form::Switch),
        WebSearchRequest::Tool => Some(Form::Tool),
        WebSearchRequest::Responses if search.tool.is_some() => Some(Form::Responses),
        WebSearchRequest::Options | WebSearchRequest::Responses => {
            listed.then_some(Form::Members { domains: false })
        }
    }
}

/// Writes the wish beside the messages. `has` says which members the client wrote itself.
pub(super) fn write(
    search: &Search<'_>,
    form: Form,
    object: &mut ObjectWriter<'_>,
    has: impl Fn(&str) -> bool,
    notes: &mut Vec<Note>,
) {
    let allowed = search.domains(Domains::Allowed, true);
    match form {
        Form::Members { domains } => {
            search.write_options(object);
            if has("search_domain_filter") {
                return;
            }
            if !domains {
                search.is_without(Domains::Allowed, notes);
                search.is_without(Domains::Excluded, notes);
            } else if allowed.is_empty() {
                let excluded = search.domains(Domains::Excluded, true);
                let excluded: Vec<_> = excluded.iter().map(|name| format!("-{name}")).collect();
                write_names(object, "search_domain_filter", &excluded);
            } else {
                write_names(object, "search_domain_filter", &allowed);
                search.is_without(Domains::Excluded, notes);
            }
        }
        Form::Switch => {
            if !has("enable_search") {
                object.bool("enable_search", true);
            }
            search.is_without(Domains::Allowed, notes);
            search.is_without(Domains::Excluded, notes);
        }
        Form::Tool | Form::Untouched | Form::Responses => {}
    }
}

/// Writes the wish as one more tool.
pub(super) fn write_tool(
    search: &Search<'_>,
    form: Form,
    list: &mut ArrayWriter<'_>,
    notes: &mut Vec<Note>,
) {
    match (form, search.tool) {
        (Form::Untouched, Some(tool)) => untouched(tool, list.object()),
        (Form::Tool, _) => {
            let mut object = list.object();
            object.string("type", "web_search");
            let mut options = object.object("web_search");
            options.bool("enable", true).bool("search_result", true);
            options.string("search_engine", "search-prime");
            if let Some(count) = search.max_results() {
                options.number("count", count);
            }
            if let [only] = &*search.domains(Domains::Allowed, false) {
                options.string("search_domain_filter", only);
            } else {
                search.is_without(Domains::Allowed, notes);
            }
            search.is_without(Domains::Excluded, notes);
            options.close();
            object.close();
        }
        _ => {}
    }
}

/// The tool for another gateway of this family, which knows it by the elder of its names, and which
/// chooses its engine itself: that it is to search is all that `native` says here.
fn untouched(tool: Json<'_>, mut object: ObjectWriter<'_>) {
    for (key, value) in tool.members() {
        if key.is("type") {
            object.string("type", "openrouter:web_search");
        } else if key.is("parameters") {
            let mut parameters = object.object("parameters");
            for (key, value) in value.members().filter(|(key, _)| !key.is("engine")) {
                parameters
                    .escaped_key(key.escaped())
                    .extend_from_slice(value.bytes());
            }
            parameters.close();
        } else {
            object
                .escaped_key(key.escaped())
                .extend_from_slice(value.bytes());
        }
    }
    object.close();
}
