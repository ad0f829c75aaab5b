//! Tools that the gateway runs itself: which ones a request asks for, and under which names the model
//! knows them. When they are called, and how often, is the gateway's affair.

mod datetime;
mod search;

use std::sync::Arc;

use waystation_core::{ChatRequest, InvalidRequest, Json, NamedTool, ServerTool};

use crate::web::WebSearch;
use datetime::DateTime;
use search::SearchTool;

/// The tools that requests may ask for, behind `openrouter:` or `waystation:`.
///
/// Source: API contract, section 7.7, 2026-11-22.
const KNOWN: [&str; 2] = ["web_search", "datetime"];

/// The prefixes of the gateway's own tools.
const PREFIXES: [&str; 2] = ["openrouter:", "waystation:"];

/// Search tools as OpenAI spells them. They are the gateway's where it can search; else they go to the
/// host as they came, which may know them.
const HOISTED: [&str; 2] = ["web_search", "web_search_preview"];

/// What one entry of `tools` asks of the gateway.
struct Asked<'a> {
    /// `web_search`, `datetime`.
    name: &'a str,
    /// The parameters.
    parameters: Option<Json<'a>>,
    /// OpenAI's spelling.
    hoisted: bool,
}

/// The tools of `chat` that the gateway runs.
///
/// # Errors
/// [`InvalidRequest`] for a tool that does not exist, that is there twice, or whose parameters make no
/// sense.
pub(crate) fn tools(
    chat: &ChatRequest,
    search: &Arc<WebSearch>,
) -> Result<Vec<NamedTool>, InvalidRequest> {
    let mut tools: Vec<NamedTool> = Vec::new();
    for (at, entry) in chat.tools().enumerate() {
        let field = format!("tools[{at}]");
        let kind = entry.get("type").and_then(Json::string).unwrap_or_default();
        let Some(asked) = asked(&kind, entry, &field)? else {
            continue;
        };
        let wrong = |message: String| InvalidRequest::new(format!("{field}.parameters"), message);
        let tool: Box<dyn ServerTool> = match asked.name {
            "datetime" => Box::new(DateTime::read(asked.parameters).map_err(wrong)?),
            _ if asked.hoisted && search.services.is_empty() => continue,
            _ => {
                let forced = is_forced(chat, &kind);
                let tool = SearchTool::read(&asked, chat, (search, forced));
                Box::new(tool.map_err(wrong)?)
            }
        };
        let name = free_name(chat, asked.name);
        if tools.iter().any(|other| other.name == name) {
            let message = "is there twice; send it once";
            return Err(InvalidRequest::new(field, message));
        }
        tools.push(NamedTool {
            at,
            name,
            kind: kind.into_owned(),
            tool,
        });
    }
    Ok(tools)
}

/// What an entry asks of the gateway; `None` for the client's functions and the host's own tools.
fn asked<'a>(
    kind: &'a str,
    entry: Json<'a>,
    field: &str,
) -> Result<Option<Asked<'a>>, InvalidRequest> {
    if HOISTED.contains(&kind) {
        return Ok(Some(Asked {
            name: "web_search",
            parameters: Some(entry),
            hoisted: true,
        }));
    }
    let own = PREFIXES.iter().find_map(|prefix| kind.strip_prefix(prefix));
    let Some(name) = own else { return Ok(None) };
    if !KNOWN.contains(&name) {
        let known = KNOWN.map(|name| format!("openrouter:{name}")).join(", ");
        let message = format!("this gateway has no tool {kind:?}; it has {known}");
        return Err(InvalidRequest::new(format!("{field}.type"), message));
    }
    let parameters = entry.get("parameters").filter(|p| !p.is_null());
    Ok(Some(Asked {
        name,
        parameters,
        hoisted: false,
    }))
}

/// Whether `tool_choice` names the tool of this type.
fn is_forced(chat: &ChatRequest, kind: &str) -> bool {
    let choice = chat
        .get("tool_choice")
        .and_then(|choice| choice.get("type"));
    choice.is_some_and(|choice| choice.is(kind))
}

/// A name that no function of the client's has.
fn free_name(chat: &ChatRequest, name: &str) -> String {
    let taken = |name: &str| {
        let mut names = chat.tools().filter_map(|t| t.at(&["function", "name"]));
        names.any(|other| other.is(name))
    };
    let mut free = name.to_owned();
    while taken(&free) {
        free.insert_str(0, "gateway_");
    }
    free
}

#[cfg(test)]
mod tests;
