//! Tools of the gateway's as an endpoint sees them: functions, or the host's own tools where it has
//! them.

use async_trait::async_trait;
use waystation_core::{
    AskHints, ChatRequest, Cx, Endpoint, Json, NamedTool, ObjectWriter, PluginError, RawJson, Run,
};

use super::Tools;

/// Writes the tools for each endpoint, on the attempt's copy.
///
/// ```text
/// of the request                       to an endpoint without            to one that searches itself
/// {"type": "openrouter:web_search"}    {"type": "function", "function":  {"type": "openrouter:web_search",
///                                       {"name": "web_search", ..}}       "parameters": {"engine": "native", ..}}
/// tool_choice {"type": "openrouter:..  {"type": "function", ..}          "auto"
/// max_tool_calls: 0                    neither tool nor choice           neither
/// ```
///
/// A tool that can do nothing for the endpoint is left out, and the client has been told. What is left
/// of the list is in the order of the client's; functions of the client's are not touched.
pub(crate) struct Shown {
    tools: Tools,
    /// They may be called at all.
    allowed: bool,
}

// === impl Shown ===

impl Shown {
    /// Shows these tools; none where the request allows no call of them.
    pub(crate) fn of(tools: &Tools, chat: &ChatRequest) -> Self {
        let most = chat.get("max_tool_calls").and_then(Json::u64);
        let stops = chat.get("stop_server_tools_when").is_some();
        Self {
            tools: Tools::clone(tools),
            allowed: stops || most != Some(0),
        }
    }

    /// The entries of `tools`, and the choice among them.
    fn write(&self, chat: &ChatRequest, to: &Endpoint) -> (Vec<u8>, Option<RawJson>) {
        let choice = chat.get("tool_choice");
        let chosen = choice.and_then(|choice| choice.get("type"));
        let (mut out, mut choose) = (vec![b'['], None);
        for (at, entry) in chat.tools().enumerate() {
            let own = self.tools.iter().find(|tool| tool.at == at);
            if own.is_some_and(|own| !self.allowed || own.tool.refuses(to).is_some()) {
                continue;
            }
            if out.len() > 1 {
                out.push(b',');
            }
            let Some(named) = own else {
                out.extend_from_slice(entry.bytes());
                continue;
            };
            let is_chosen = chosen.is_some_and(|chosen| chosen.is(&named.kind));
            match named.tool.native(to) {
                Some(marker) => {
                    out.extend_from_slice(marker.bytes());
                    // Hosts have no common word for that choice.
                    choose = choose.or(is_chosen.then(|| RawJson::of("auto")));
                }
                None => {
                    write_function(named, &mut out);
                    let name =
                        serde_json::json!({"type": "function", "function": {"name": named.name}});
                    choose = choose.or(is_chosen.then(|| RawJson::of(&name)));
                }
            }
        }
        out.push(b']');
        (out, choose)
    }
}

fn write_function(named: &NamedTool, out: &mut Vec<u8>) {
    let schema = named.tool.schema();
    let mut tool = ObjectWriter::open(out);
    tool.string("type", "function");
    let mut function = tool.object("function");
    function
        .string("name", &named.name)
        .string("description", &schema.description)
        .json("parameters", &schema.parameters);
    function.close();
    tool.close();
}

#[async_trait]
impl Run for Shown {
    async fn prepare(
        &mut self,
        _: &mut ChatRequest,
        _: &mut AskHints,
        _: &mut Cx<'_>,
    ) -> Result<(), PluginError> {
        Ok(())
    }

    async fn adapt(
        &mut self,
        chat: &mut ChatRequest,
        to: &Endpoint,
        _: &mut Cx<'_>,
    ) -> Result<(), PluginError> {
        let (tools, choice) = self.write(chat, to);
        match RawJson::parse(&tools.into()) {
            Ok(tools) if tools.json().elements().next().is_some() => chat.set("tools", tools),
            _ => {
                chat.remove("tools");
                chat.remove("tool_choice");
            }
        }
        if let Some(choice) = choice {
            chat.set("tool_choice", choice);
        }
        for own in ["max_tool_calls", "stop_server_tools_when"] {
            chat.remove(own);
        }
        Ok(())
    }
}
