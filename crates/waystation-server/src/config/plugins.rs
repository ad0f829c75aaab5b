//! Completes `[plugins.*]`: options as requests spell them, and the services to ask.
//! What a plugin does with them is its own business.

use std::collections::BTreeMap;

use serde::Serialize;
use waystation_core::{PluginId, RawJson};

use super::{
    complete::Context,
    document::join,
    listen::url_fault,
    raw::{
        AutoEngine, Exact, RawAutoRouter, RawCompression, RawFileParser, RawParetoRouter,
        RawPlugins, RawService, RawWeb, WebEngine,
    },
    settings::{Fetch, PluginConfig, Service},
};

/// The largest file that is fetched unless the operator says otherwise, in bytes.
const FETCH_BYTES: u64 = 33_554_432;

/// The router whose table says what is learned.
const AUTO_ROUTER: &str = "auto-router";
/// The largest share of requests that may try another candidate than the best.
const MOST_EXPLORED: f64 = 0.05;

type Services = BTreeMap<&'static str, Service>;

/// A service's key in the file, its entry there, and where it is unless the entry says otherwise.
type Entry = (&'static str, Option<RawService>, &'static str);

/// Bounds on files that a request names by address.
pub(super) fn fetch(raw: &RawPlugins, cx: &mut Context<'_>) -> Fetch {
    let fetch = raw.file_parser.as_ref().map(|parser| &parser.fetch);
    let max_bytes = fetch.and_then(|fetch| fetch.max_bytes);
    if max_bytes == Some(0) {
        let path = "plugins.file-parser.fetch.max_bytes";
        cx.wrong(path, "expected a number from 1 up, found 0");
    }
    Fetch {
        allow_private_networks: fetch
            .and_then(|fetch| fetch.allow_private_networks)
            .unwrap_or(false),
        max_bytes: max_bytes.unwrap_or(FETCH_BYTES),
    }
}

/// Every plugin that the file speaks of.
pub(super) fn plugins(raw: RawPlugins, cx: &mut Context<'_>) -> BTreeMap<PluginId, PluginConfig> {
    let all = [
        ("web", raw.web.map(|raw| web(raw, cx))),
        (
            "file-parser",
            raw.file_parser.map(|raw| file_parser(raw, cx)),
        ),
        (
            "auto-router",
            raw.auto_router
                .map(|raw| auto_router("auto-router", raw, cx)),
        ),
        (
            "auto-beta-router",
            raw.auto_beta_router
                .map(|raw| auto_router("auto-beta-router", raw, cx)),
        ),
        (
            "pareto-router",
            raw.pareto_router.map(|raw| pareto_router(&raw, cx)),
        ),
        (
            "response-healing",
            raw.response_healing.map(|raw| PluginConfig {
                enabled: raw.enabled,
                prevent_overrides: raw.prevent_overrides,
                options: options(&[]),
                services: Services::new(),
            }),
        ),
        (
            "context-compression",
            raw.context_compression.map(|raw| compression(&raw, cx)),
        ),
    ];
    all.into_iter()
        .filter_map(|(id, plugin)| Some((id.parse().ok()?, plugin?)))
        .collect()
}

fn web(raw: RawWeb, cx: &mut Context<'_>) -> PluginConfig {
    let path = "plugins.web";
    let entries = [
        ("searxng", raw.searxng, ""),
        ("exa", raw.exa, "https://api.exa.ai"),
        ("tavily", raw.tavily, "https://api.tavily.com"),
        ("brave", raw.brave, "https://api.search.brave.com"),
    ];
    let services = services(path, entries, cx);
    let engine = raw.engine.map(|engine| match engine {
        WebEngine::Native => "native",
        WebEngine::Searxng => "searxng",
        WebEngine::Exa => "exa",
        WebEngine::Tavily => "tavily",
        WebEngine::Brave => "brave",
    });
    needs(path, engine.filter(|name| *name != "native"), &services, cx);
    for (name, service) in &services {
        if *name != "searxng" && service.api_key.is_none() {
            let path = join(path, name);
            cx.wrong(&join(&path, "api_key"), "expected a key, found none");
        }
    }
    if let Some(count) = raw.max_results.filter(|count| !(1..=25).contains(count)) {
        let message = format!("expected a number from 1 to 25, found {count}");
        cx.wrong(&join(path, "max_results"), &message);
    }
    let given = [
        ("engine", engine.map(serde_json::Value::from)),
        (
            "search_prompt",
            raw.search_prompt.map(serde_json::Value::from),
        ),
        ("max_results", raw.max_results.map(serde_json::Value::from)),
    ];
    let given = given
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)));
    PluginConfig {
        enabled: raw.enabled,
        prevent_overrides: raw.prevent_overrides,
        options: RawJson::of(&given.collect::<BTreeMap<_, _>>()),
        services,
    }
}

fn file_parser(raw: RawFileParser, cx: &mut Context<'_>) -> PluginConfig {
    let entries = [("mistral_ocr", raw.mistral_ocr, "https://api.mistral.ai")];
    PluginConfig {
        enabled: raw.enabled,
        prevent_overrides: raw.prevent_overrides,
        options: options(&[]),
        services: services("plugins.file-parser", entries, cx),
    }
}

fn compression(raw: &RawCompression, cx: &mut Context<'_>) -> PluginConfig {
    let engine = raw.engine.as_deref();
    if let Some(other) = engine.filter(|engine| !matches!(*engine, "middle-out" | "extract")) {
        let message = format!("expected \"middle-out\" or \"extract\", found {other:?}");
        cx.wrong("plugins.context-compression.engine", &message);
    }
    PluginConfig {
        enabled: raw.enabled,
        prevent_overrides: raw.prevent_overrides,
        options: options(&[("engine", engine)]),
        services: Services::new(),
    }
}

fn auto_router(id: &str, raw: RawAutoRouter, cx: &mut Context<'_>) -> PluginConfig {
    let path = format!("plugins.{id}");
    learning(id, &raw, cx);
    let entries = [("notdiamond", raw.notdiamond, "https://api.notdiamond.ai")];
    let services = services(&path, entries, cx);
    let engine = raw.engine.map(|engine| match engine {
        AutoEngine::Embedded => "embedded",
        AutoEngine::Notdiamond => "notdiamond",
    });
    needs(
        &path,
        engine.filter(|name| *name != "embedded"),
        &services,
        cx,
    );
    for (key, quality) in &raw.quality {
        let task = key.split_once(' ').map(|(_, task)| task);
        if task.is_some_and(|task| waystation_auto::Task::named(task).is_none()) {
            let message =
                format!("expected a pattern of ids, or a pattern and a task, found {key:?}");
            cx.wrong(&join(&path, "quality"), &message);
        }
        if !(0.0..=1.0).contains(quality) {
            let message = format!("expected a number from 0 to 1, found {quality}");
            cx.wrong(&join(&path, &format!("quality.{key:?}")), &message);
        }
    }
    let options = RawJson::of(&RouterOptions {
        engine,
        allowed_models: raw.allowed_models,
        excluded_models: raw.excluded_models,
        cost_tier: raw.cost_tier,
        cost_quality_tradeoff: raw.cost_quality_tradeoff,
        pin_model: raw.pin_model,
        min_coding_score: None,
        quality: (!raw.quality.is_empty()).then_some(raw.quality),
        feedback: raw.feedback,
        explore: raw.explore,
    });
    checked(&path, &options, cx);
    PluginConfig {
        enabled: raw.enabled,
        prevent_overrides: raw.prevent_overrides,
        options,
        services,
    }
}

/// Checks what the router may learn from. Its two ids share one table of abilities, so that only one place
/// says it.
fn learning(id: &str, raw: &RawAutoRouter, cx: &mut Context<'_>) {
    let path = format!("plugins.{id}");
    let given = [
        ("feedback", raw.feedback.is_some()),
        ("explore", raw.explore.is_some()),
    ];
    for (key, _) in given
        .iter()
        .filter(|(_, given)| *given && id != AUTO_ROUTER)
    {
        let message = "expected it in [plugins.auto-router], which speaks for both, found it here";
        cx.wrong(&join(&path, key), message);
    }
    if let Some(share) = raw
        .explore
        .filter(|share| !(0.0..=MOST_EXPLORED).contains(share))
    {
        let message = format!("expected a number from 0 to {MOST_EXPLORED}, found {share}");
        cx.wrong(&join(&path, "explore"), &message);
    }
}

fn pareto_router(raw: &RawParetoRouter, cx: &mut Context<'_>) -> PluginConfig {
    let options = RawJson::of(&RouterOptions {
        min_coding_score: raw.min_coding_score,
        ..RouterOptions::default()
    });
    checked("plugins.pareto-router", &options, cx);
    PluginConfig {
        enabled: raw.enabled,
        prevent_overrides: raw.prevent_overrides,
        options,
        services: Services::new(),
    }
}

/// Notes what is wrong with a router's settings.
fn checked(path: &str, options: &RawJson, cx: &mut Context<'_>) {
    if let Err(error) = waystation_auto::Settings::read(options.json()) {
        cx.wrong(&join(path, &error.field), &error.message);
    }
}

/// A router's settings as a request spells them, and the operator's abilities.
#[derive(Debug, Default, Serialize)]
struct RouterOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_models: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    excluded_models: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_tier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_quality_tradeoff: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pin_model: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_coding_score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quality: Option<BTreeMap<String, f32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explore: Option<f64>,
}

/// The services that the file names.
fn services<const N: usize>(path: &str, entries: [Entry; N], cx: &mut Context<'_>) -> Services {
    let mut all = Services::new();
    for (name, raw, default) in entries {
        let Some(raw) = raw else { continue };
        let path = join(path, name);
        let base_url = raw.base_url.unwrap_or_else(|| default.into());
        if let Some(message) = url_fault(&base_url) {
            cx.wrong(&join(&path, "base_url"), message);
        }
        let service = Service {
            api_key: raw.api_key.map(|key| key.0),
            base_url: base_url.trim_end_matches('/').to_owned(),
            zdr: raw.zdr,
            price: raw.price.map(|Exact(price)| price),
        };
        all.insert(name, service);
    }
    all
}

/// Notes an engine whose service the file does not name.
fn needs(path: &str, engine: Option<&str>, services: &Services, cx: &mut Context<'_>) {
    if let Some(engine) = engine.filter(|engine| !services.contains_key(engine)) {
        let message = format!("expected the key `{engine}` beside engine = \"{engine}\"");
        cx.wrong(&join(path, "engine"), &message);
    }
}

/// Options as a request would spell them.
fn options(members: &[(&str, Option<&str>)]) -> RawJson {
    let given: BTreeMap<&str, &str> = members
        .iter()
        .filter_map(|(key, value)| Some((*key, (*value)?)))
        .collect();
    RawJson::of(&given)
}
