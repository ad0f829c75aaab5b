//! The registry: which plugins there are, what the operator says about them, and the runs that one
//! request gets. It runs nothing itself; the gateway does.

use std::{borrow::Cow, sync::Arc};

use waystation_core::{
    ChatRequest, InvalidRequest, Json, NamedTool, ObjectWriter, Options, Plugin, PluginError,
    PluginId, Plugins, RawJson, Run, nearest,
};

use crate::{
    KNOWN, WebSearch, server_tool,
    wish::{Wish, wishes},
};

/// All plugins of one gateway.
///
/// A request's entry is laid over the operator's member by member, unless the operator prevents
/// that. Runs prepare in this order: plugins that judge the prompt, `file-parser`, `web`, plugins
/// without a place of their own, `context-compression`, `response-healing`; compression must see
/// the text that files and searches add. Source: API contract, section 7.0.
///
/// ```
/// use std::sync::Arc;
/// use waystation_core::{ChatRequest, Plugins};
/// use waystation_plugins::{ContextCompression, Defaults, Registry};
///
/// let on = Defaults { enabled: true, ..Defaults::default() };
/// let registry = Registry::default().with(Arc::new(ContextCompression::default()), on);
/// let runs = |plugins: &str| {
///     let body = format!(r#"{{"messages": [{{"role": "user", "content": "Hi"}}], "plugins": {plugins}}}"#);
///     ChatRequest::parse(&body.into()).and_then(|chat| registry.begin(&chat)).map(|runs| runs.len())
/// };
/// assert_eq!(runs("[]")?, 1);
/// assert_eq!(runs(r#"[{"id": "context-compression", "enabled": false}]"#)?, 0);
/// assert_eq!(runs(r#"[{"id": "web", "enabled": false}]"#)?, 1); // nothing would run anyhow
/// assert!(runs(r#"[{"id": "web"}]"#).is_err()); // this registry does not have it
/// # Ok::<(), waystation_core::InvalidRequest>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Registry {
    /// In the order in which they run.
    plugins: Vec<Registered>,
    /// Who searches for the tool of that name.
    search: Arc<WebSearch>,
}

/// A plugin and what the operator says about it.
#[derive(Clone, Debug)]
struct Registered {
    /// What requests name it by.
    id: PluginId,
    /// The plugin, shared by all requests.
    plugin: Arc<dyn Plugin>,
    /// What holds for requests that do not speak of it.
    defaults: Defaults,
    /// Its options for those: written once, since nearly all requests are such.
    options: Options,
}

/// What the operator says about one plugin (`[plugins.<id>]`). The default: off unless asked for,
/// no options, requests may override.
///
/// With `prevent_overrides`, `enabled` alone decides: a request can neither turn the plugin on nor off,
/// nor change an option, and is not refused for trying.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// Whether it runs for requests that do not speak of it.
    pub enabled: bool,
    /// Whether what a request says about it is ignored.
    pub prevent_overrides: bool,
    /// The operator's options, a JSON object.
    pub options: Option<RawJson>,
}

// === impl Registry ===

impl Registry {
    /// Adds a plugin; one with the same id is replaced.
    #[must_use]
    pub fn with(mut self, plugin: Arc<dyn Plugin>, defaults: Defaults) -> Self {
        let id = plugin.id();
        let base = defaults.options.as_ref().map(RawJson::json);
        let options = Options {
            entry: overlay(&id, base, None),
        };
        self.plugins.retain(|other| other.id != id);
        self.plugins.push(Registered {
            id,
            plugin,
            defaults,
            options,
        });
        let order = |one: &Registered, other: &Registered| one.order().cmp(&other.order());
        self.plugins.sort_by(order);
        self
    }

    /// Sets who searches for the tool `openrouter:web_search`.
    #[must_use]
    pub fn with_search(mut self, search: Arc<WebSearch>) -> Self {
        self.search = search;
        self
    }

    /// The ids of the plugins that this build has.
    ///
    /// In the order of the alphabet, not in the order in which they run.
    pub fn ids(&self) -> impl Iterator<Item = &PluginId> {
        let mut ids: Vec<&PluginId> = self.plugins.iter().map(|plugin| &plugin.id).collect();
        ids.sort_unstable();
        ids.into_iter()
    }

    /// Refuses a wish for a plugin that is not there. Turning off what is known but not built is
    /// granted: nothing would run.
    fn check(&self, wish: &Wish<'_>) -> Result<(), InvalidRequest> {
        let wanted = |registered: &Registered| *registered.id.as_str() == *wish.id;
        if self.plugins.iter().any(wanted) {
            return Ok(());
        }
        let built = || self.ids().map(PluginId::as_str);
        if !KNOWN.contains(&&*wish.id) {
            let known: Vec<&str> = KNOWN
                .iter()
                .copied()
                .chain(built().filter(|id| !KNOWN.contains(id)))
                .collect();
            let hint = nearest(&wish.id, known.iter().copied())
                .map_or_else(String::new, |name| format!("; did you mean {name:?}?"));
            let message = format!(
                "unknown plugin {:?}; known ids are {}{hint}",
                wish.id,
                known.join(", ")
            );
            return Err(InvalidRequest::new(format!("{}.id", wish.field), message));
        }
        if !wish.enabled {
            return Ok(());
        }
        let here: Vec<&str> = built().collect();
        let here = if here.is_empty() {
            "it has none".to_owned()
        } else {
            format!("it has {}", here.join(", "))
        };
        let message = format!(
            "this build does not have the plugin {:?} ({here}); leave it out",
            wish.id
        );
        Err(InvalidRequest::new(wish.field.clone(), message))
    }
}

// === impl Registered ===

impl Registered {
    /// What it is sorted by among the others.
    fn order(&self) -> (u8, &PluginId) {
        (place(self.id.as_str()), &self.id)
    }

    /// The options for one request, or `None` when the plugin is off for it.
    fn options(&self, wish: Option<&Wish<'_>>) -> Option<Cow<'_, Options>> {
        let wish = wish.filter(|_| !self.defaults.prevent_overrides);
        if !wish.map_or(self.defaults.enabled, |wish| wish.enabled) {
            return None;
        }
        let Some(entry) = wish.and_then(|wish| wish.entry) else {
            return Some(Cow::Borrowed(&self.options));
        };
        let base = self.defaults.options.as_ref().map(RawJson::json);
        Some(Cow::Owned(Options {
            entry: overlay(&self.id, base, Some(entry)),
        }))
    }
}

impl Plugins for Registry {
    fn begin(&self, chat: &ChatRequest) -> Result<Vec<Box<dyn Run>>, InvalidRequest> {
        let wishes = wishes(chat)?;
        wishes.iter().try_for_each(|wish| self.check(wish))?;
        let mut runs = Vec::new();
        for registered in &self.plugins {
            let wish = wishes.iter().find(|wish| wish.id == registered.id.as_str());
            let Some(options) = registered.options(wish) else {
                continue;
            };
            match registered.plugin.begin(chat, &options) {
                Ok(run) => runs.extend(run),
                Err(error) => return Err(refused(&error, wish)),
            }
        }
        Ok(runs)
    }

    fn tools(&self, chat: &ChatRequest) -> Result<Vec<NamedTool>, InvalidRequest> {
        server_tool::tools(chat, &self.search)
    }
}

/// Where a plugin stands in the pipeline.
///
/// Lower runs earlier; plugins in the same place run in the order of their ids.
fn place(id: &str) -> u8 {
    match id {
        "moderation" | "armor" | "alignment" => 0,
        "file-parser" => 1,
        "web" | "web-fetch" => 2,
        "context-compression" => 4,
        "response-healing" => 5,
        _ => 3,
    }
}

/// The members of `base`, with those of `entry` in their place where both have them.
///
/// Members are replaced whole, not merged: a list in the entry takes the place of the operator's
/// list. The id is written first, once. `{"a": 1, "b": [2]}` under `{"b": [3]}` gives
/// `{"id": .., "a": 1, "b": [3]}`.
fn overlay(id: &PluginId, base: Option<Json<'_>>, entry: Option<Json<'_>>) -> RawJson {
    let mut out = Vec::new();
    let mut object = ObjectWriter::open(&mut out);
    object.string("id", id.as_str());
    let stands = |key: waystation_core::Key<'_>, object: Option<Json<'_>>| {
        object.is_some_and(|object| object.get(&key.name()).is_some())
    };
    for (key, value) in base.into_iter().flat_map(Json::members) {
        if !key.is("id") && !stands(key, entry) {
            object
                .escaped_key(key.escaped())
                .extend_from_slice(value.bytes());
        }
    }
    for (key, value) in entry.into_iter().flat_map(Json::members) {
        if !key.is("id") {
            object
                .escaped_key(key.escaped())
                .extend_from_slice(value.bytes());
        }
    }
    object.close();
    RawJson::parse(&out.into()).unwrap_or_else(|_| RawJson::of(&()))
}

/// A plugin's refusal, as the member that asked for the plugin.
fn refused(error: &PluginError, wish: Option<&Wish<'_>>) -> InvalidRequest {
    InvalidRequest {
        kind: error.kind,
        field: wish.map_or_else(|| "plugins".into(), |wish| wish.field.clone()),
        message: error.to_string(),
    }
}

#[cfg(test)]
mod tests;
