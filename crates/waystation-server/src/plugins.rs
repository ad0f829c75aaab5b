//! The plugins that this gateway has, as the configuration wants them, and what replies say of what
//! they did. What they do is theirs.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue};
use waystation_auto::{Router, RouterSettings};
use waystation_core::{FetchLimits, Headers, Json, ObjectWriter, RawJson, StageReport};
use waystation_plugins::{
    ContextCompression, Defaults, FileParser, OcrService, Registry, ResponseHealing, SearchService,
    SearchWire, Web, WebSearch,
};

use crate::{
    app::Outside,
    config::{Config, Service},
};

/// What a client should know of its answer.
const WARNING: HeaderName = HeaderName::from_static("x-waystation-warning");
/// How many messages were taken out or shortened so that the prompt fits.
const COMPRESSED: HeaderName = HeaderName::from_static("x-waystation-compressed");

/// How long fetching one file may take, redirects and all.
const FETCH_TIME: Duration = Duration::from_secs(20);

/// The search services that an operator may configure, most wanted first: what is free comes before
/// what is not.
const SERVICES: [(&str, SearchWire); 4] = [
    ("searxng", SearchWire::Searxng),
    ("exa", SearchWire::Exa),
    ("tavily", SearchWire::Tavily),
    ("brave", SearchWire::Brave),
];

/// Every plugin of this build, with the operator's options. Foreign files are read where there is a
/// sandbox, and files by address where there is a fetcher. While upstreams are simulated, every search
/// service is too, and nothing is fetched.
#[must_use]
pub fn registry(config: &Config, outside: &Outside, simulated: bool) -> Registry {
    let compression = ContextCompression {
        everywhere: settings(config, "context-compression").enabled,
    };
    let search = Arc::new(web_search(config, simulated));
    Registry::default()
        .with_search(Arc::clone(&search))
        .with(
            Arc::new(compression),
            on_by_itself(config, "context-compression"),
        )
        .with(
            Arc::new(file_parser(config, outside, simulated)),
            on_by_itself(config, "file-parser"),
        )
        .with(
            Arc::new(ResponseHealing),
            settings(config, "response-healing"),
        )
        .with(Arc::new(Web { search }), web_settings(config, simulated))
        .with(router(Router::Auto), settings(config, "auto-router"))
        .with(
            router(Router::AutoBeta),
            settings(config, "auto-beta-router"),
        )
        .with(
            router(Router::ParetoCode),
            settings(config, "pareto-router"),
        )
}

/// The plugin that checks a router's settings.
fn router(router: Router) -> Arc<RouterSettings> {
    Arc::new(RouterSettings(router))
}

/// Who reads files, and fetches them.
fn file_parser(config: &Config, outside: &Outside, simulated: bool) -> FileParser {
    let limits = FetchLimits {
        bytes: config.fetch.max_bytes,
        time: FETCH_TIME,
        private: config.fetch.allow_private_networks,
    };
    let fetcher = outside.fetcher.as_ref().filter(|_| !simulated);
    let parser = config.plugins.get("file-parser");
    let ocr = parser.and_then(|parser| parser.services.get("mistral_ocr"));
    FileParser {
        sandboxed: outside.sandbox.is_some(),
        fetch: fetcher.map(|fetcher| (Arc::clone(fetcher), limits)),
        ocr: ocr.filter(|_| !simulated).map(|service| OcrService {
            base_url: service.base_url.clone(),
            api_key: service.api_key.clone(),
            zdr: service.zdr,
            price: service.price,
        }),
        private: wants_privacy(config),
    }
}

/// Every prompt is to be treated as if it wanted no data kept.
const fn wants_privacy(config: &Config) -> bool {
    config.routing.zdr || config.routing.deny_data_collection
}

/// Who may be asked to search.
fn web_search(config: &Config, simulated: bool) -> WebSearch {
    let none = BTreeMap::new();
    let web = config.plugins.get("web");
    let configured = web.map_or(&none, |web| &web.services);
    let service = |(name, wire): (&'static str, SearchWire)| {
        if simulated {
            return Some(simulated_service(name));
        }
        configured
            .get(name)
            .map(|service| search_service(name, wire, service))
    };
    WebSearch {
        services: SERVICES.into_iter().filter_map(service).collect(),
        private: wants_privacy(config),
    }
}

fn search_service(name: &'static str, wire: SearchWire, service: &Service) -> SearchService {
    SearchService {
        name,
        wire,
        base_url: service.base_url.clone(),
        api_key: service.api_key.clone(),
        zdr: service.zdr,
        price: service.price,
    }
}

/// Whatever it is called, it is the simulator's: nothing leaves the process.
fn simulated_service(name: &'static str) -> SearchService {
    SearchService {
        name,
        wire: SearchWire::Searxng,
        base_url: waystation_sim::SEARCH.into(),
        api_key: None,
        zdr: true,
        price: None,
    }
}

/// Simulated providers have no search of their own, so the simulated service searches for all.
fn web_settings(config: &Config, simulated: bool) -> Defaults {
    let mut settings = settings(config, "web");
    if simulated {
        let options = settings.options.as_ref().map(RawJson::json);
        let mut out = Vec::new();
        let mut object = ObjectWriter::open(&mut out);
        object.string("engine", "searxng");
        for (key, value) in options.into_iter().flat_map(Json::members) {
            if !key.is("engine") {
                object
                    .escaped_key(key.escaped())
                    .extend_from_slice(value.bytes());
            }
        }
        object.close();
        settings.options = RawJson::parse(&out.into()).ok();
    }
    settings
}

/// What the configuration says of a plugin.
fn settings(config: &Config, id: &str) -> Defaults {
    let plugin = config.plugins.get(id);
    plugin.map_or_else(Defaults::default, |plugin| Defaults {
        enabled: plugin.enabled,
        prevent_overrides: plugin.prevent_overrides,
        options: Some(plugin.options.clone()),
    })
}

/// The same for a plugin that looks by itself whether there is something to do: files in the prompt,
/// a small endpoint. It is off only where the operator has the last word and says no.
fn on_by_itself(config: &Config, id: &str) -> Defaults {
    let mut settings = settings(config, id);
    settings.enabled |= !settings.prevent_overrides;
    settings
}

/// Tells a client what it should know of its answer, beside what else it is told.
pub fn warn(notes: &[String], headers: &mut Headers) {
    if notes.is_empty() {
        return;
    }
    let printable = |c: &char| matches!(c, ' '..='~');
    let warning: String = notes.join("; ").chars().filter(printable).collect();
    if let Ok(warning) = HeaderValue::from_str(&warning) {
        headers.append(WARNING, warning);
    }
}

/// Says in the headers what plugins changed where a client should know of it.
///
/// Source: API contract, section 7.4: what is cut is always told; 7.1: a search that was not made is no
/// silence.
pub fn mark(stages: &[StageReport], headers: &mut Headers) {
    let failed = |stage: &&StageReport| {
        let data = stage.data.as_ref();
        data.is_some_and(|data| data.json().get("failed").and_then(Json::bool) == Some(true))
    };
    let failed = stages.iter().filter(failed);
    let told = failed.map(|stage| format!("{}: {}", stage.plugin, stage.summary));
    warn(&told.collect::<Vec<_>>(), headers);
    let mut stages = stages.iter().rev();
    let cut = stages.find(|stage| stage.plugin == "context-compression");
    let Some(data) = cut.and_then(|stage| stage.data.as_ref()) else {
        return;
    };
    let count = |key: &str| {
        let figure = data.json().get(key).and_then(Json::u64);
        figure.unwrap_or_default()
    };
    let removed = count("original_count").saturating_sub(count("compressed_count"));
    headers.insert(
        COMPRESSED,
        HeaderValue::from(removed + count("shortened_count")),
    );
}
