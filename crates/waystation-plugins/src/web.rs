//! `web`: a search before the answer, and citations in it. Who searches is in `web/search.rs`, what
//! services are asked in `web/engine.rs`; here is when, and what is said of it.

mod citation;
mod domain;
mod engine;
mod prompt;
mod search;
pub(crate) mod wanted;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use waystation_core::{
    AskHints, ChatRequest, Cx, Endpoint, ErrorType, Json, Options, OutputStage, Plugin,
    PluginError, PluginId, RawJson, Run, Spent, StageReport, Usd,
};

use crate::calendar;
pub(crate) use citation::Citations;
pub use domain::Domains;
pub use engine::{SearchHit, SearchQuery, SearchReply, SearchService, SearchWire};
pub(crate) use prompt::write_hits;
pub use search::WebSearch;
pub(crate) use search::{Engine, Seeker};
use wanted::Wanted;

const ID: &str = "web";

/// The plugin `web`.
///
/// Searches once for a request: with the last words of the person, and not before an attempt needs
/// it, unless the entry says `"required": true`. Endpoints that search by themselves do so where no
/// engine is named; for others a service of the operator's is asked, and the results stand behind the
/// question. A service that fails costs the request nothing but the results, and metadata says so;
/// with `required` it ends the request. The answer has `url_citation` annotations, with offsets in
/// characters (Unicode scalar values).
///
/// | member | default | meaning |
/// |---|---|---|
/// | `engine` | the endpoint's own search, else the first service | `native`, `searxng`, `exa`, `tavily`, `brave` |
/// | `max_results` | 5 | 1 to 25 |
/// | `search_prompt` | states the date, asks to use and to cite | takes the place of all of it |
/// | `include_domains`, `exclude_domains` | none | `example.com`, `*.example.com`, `example.com/blog` |
/// | `required` | false | no answer without results |
/// | `mode`, `max_uses`, `user_location` | none | for engines that know them |
///
/// ```
/// use std::collections::BTreeMap;
/// use waystation_core::{ChatRequest, Options, Plugin, RawJson};
/// use waystation_plugins::Web;
///
/// let body = br#"{"messages": [{"role": "user", "content": "Who won the cup yesterday?"}]}"#;
/// let chat = ChatRequest::parse(&body.as_slice().into())?;
/// let web = Web::default();
/// let entry = |members| Options { entry: RawJson::of(&BTreeMap::from(members)) };
/// let plain = entry([("id", "web")]);
/// assert!(web.begin(&chat, &plain)?.is_some()); // an endpoint may search by itself
/// let exa = entry([("engine", "exa")]);
/// assert!(web.begin(&chat, &exa).is_err_and(|error| error.message.contains("[plugins.web]")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: API contract, section 7.1, 2026-11-22.
#[derive(Clone, Debug, Default)]
pub struct Web {
    /// The services that may be asked.
    pub search: Arc<WebSearch>,
}

/// At work on one request.
struct Searching {
    seeker: Seeker,
    /// What is asked of a service.
    question: String,
    /// What results are introduced with, where the entry says it.
    introduction: Option<String>,
    required: bool,
    found: Option<Found>,
    /// Results stand in the prompt.
    shown: bool,
}

/// How the one search went.
struct Found {
    service: &'static str,
    hits: Result<Vec<SearchHit>, String>,
    spent: Spent,
    took: Duration,
}

// === impl Web ===

impl Plugin for Web {
    fn id(&self) -> PluginId {
        PluginId::from_static(ID)
    }

    fn begin(
        &self,
        chat: &ChatRequest,
        options: &Options,
    ) -> Result<Option<Box<dyn Run>>, PluginError> {
        let entry = options.entry.json();
        let invalid = |message| refusal(ErrorType::InvalidRequest, message);
        let mut wanted = Wanted::read(entry, wanted::OF_PLUGIN).map_err(invalid)?;
        let introduction = wanted::text(entry, "search_prompt").map_err(invalid)?;
        let required = wanted::flag(entry, "required").map_err(invalid)?;
        native_options(chat, &mut wanted);
        let seeker = self.search.seeker(chat, wanted).map_err(invalid)?;
        Ok(prompt::question(chat).map(|question| -> Box<dyn Run> {
            Box::new(Searching {
                seeker,
                question,
                introduction,
                required,
                found: None,
                shown: false,
            })
        }))
    }
}

/// What `web_search_options` say of a search of the provider's own, where the entry is silent.
fn native_options(chat: &ChatRequest, wanted: &mut Wanted) {
    let Some(options) = chat.get("web_search_options") else {
        return;
    };
    let size = options.get("search_context_size").and_then(Json::string);
    let size = size.map(std::borrow::Cow::into_owned);
    wanted.size = wanted.size.take().or(size);
    let location = options.get("user_location").filter(|l| !l.is_null());
    let location = location
        .and_then(|location| RawJson::parse(&bytes::Bytes::copy_from_slice(location.bytes())).ok());
    wanted.location = wanted.location.take().or(location);
}

fn refusal(kind: ErrorType, message: String) -> PluginError {
    PluginError {
        kind,
        plugin: PluginId::from_static(ID),
        message,
    }
}

// === impl Searching ===

#[async_trait]
impl Run for Searching {
    async fn prepare(
        &mut self,
        _: &mut ChatRequest,
        _: &mut AskHints,
        _: &mut Cx<'_>,
    ) -> Result<(), PluginError> {
        Ok(())
    }

    fn refuses(&self, to: &Endpoint) -> Option<PluginError> {
        let engine = self.seeker.engine(to);
        let message = engine.err()?;
        Some(refusal(ErrorType::InvalidRequest, message))
    }

    async fn adapt(
        &mut self,
        chat: &mut ChatRequest,
        to: &Endpoint,
        cx: &mut Cx<'_>,
    ) -> Result<(), PluginError> {
        self.shown = false;
        let engine = self.seeker.engine(to);
        let engine = engine.map_err(|reason| refusal(ErrorType::InvalidRequest, reason))?;
        let service = match engine {
            Engine::Native if !self.has_results() => {
                chat.remove("web_search_options");
                prompt::add_tool(chat, &self.seeker.wanted.marker());
                cx.stage(native_report());
                return Ok(());
            }
            Engine::Native => None,
            Engine::Service(service) => Some(service.clone()),
        };
        let introduction = match &self.introduction {
            Some(text) => text.clone(),
            None => prompt::introduction(&calendar::date(cx.clock.now().unix)),
        };
        if let (None, Some(service)) = (&self.found, service) {
            self.search(&service, cx).await;
        }
        let Some(found) = &self.found else {
            return Ok(());
        };
        if let (Err(reason), true) = (&found.hits, self.required) {
            let message = format!("{reason}, and the entry says \"required\": true");
            return Err(refusal(ErrorType::ProviderUnavailable, message));
        }
        cx.stage(found.report());
        if let Ok(hits) = &found.hits
            && !hits.is_empty()
        {
            prompt::inject(chat, &prompt::list(&introduction, hits));
            self.shown = true;
        }
        Ok(())
    }

    fn spent(&self) -> Spent {
        self.found
            .as_ref()
            .map(|found| found.spent)
            .unwrap_or_default()
    }

    fn looks_last(&self) -> bool {
        true
    }

    fn output(&mut self) -> Option<Box<dyn OutputStage>> {
        let hits = self.found.as_ref()?.hits.as_ref().ok()?;
        self.shown.then(|| -> Box<dyn OutputStage> {
            Box::new(Citations::of(Arc::new(Mutex::new(hits.clone()))))
        })
    }
}

impl Searching {
    /// Whether a service has been asked, and has answered.
    fn has_results(&self) -> bool {
        self.found.as_ref().is_some_and(|found| found.hits.is_ok())
    }

    /// Searches, and keeps what was found for the attempts to come.
    async fn search(&mut self, service: &SearchService, cx: &Cx<'_>) -> &Found {
        let started = cx.clock.now().tick;
        let (hits, spent) = self.seeker.ask(service, &self.question, cx).await;
        self.found.insert(Found {
            service: service.name,
            hits,
            spent,
            took: cx.clock.now().tick.since(started),
        })
    }
}

// === impl Found ===

impl Found {
    fn report(&self) -> StageReport {
        let service = self.service;
        let (summary, data) = match &self.hits {
            Ok(hits) => (
                format!("searched with {service}, {} results", hits.len()),
                serde_json::json!({"engine": service, "results": hits.len()}),
            ),
            Err(reason) => (
                format!("went on without results: {reason}"),
                serde_json::json!({"engine": service, "results": 0, "failed": true}),
            ),
        };
        StageReport {
            plugin: PluginId::from_static(ID),
            summary,
            data: Some(RawJson::of(&data)),
            fee: self.spent.fee,
            took: self.took,
        }
    }
}

fn native_report() -> StageReport {
    StageReport {
        plugin: PluginId::from_static(ID),
        summary: "the provider searches itself".into(),
        data: Some(RawJson::of(&serde_json::json!({"engine": "native"}))),
        fee: Usd::ZERO,
        took: Duration::ZERO,
    }
}
