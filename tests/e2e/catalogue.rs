//! The bundled catalogue at work: seed models reach the right provider with the right key, and every
//! provider row is asked at the right address.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use serde_json::json;
use waystation_catalog::{Catalog, Changes, EndpointChange, Provider, ProviderChange};
use waystation_core::{
    AuthScheme, ChatRequest, DialectId, Endpoint, HttpRequest, Lease, ModelId, Secret, Target,
    UnixMs, Upstream,
};
use waystation_gateway::Codecs;
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::{Setup, asking};

/// The ten concrete seed ids.
pub(crate) const SEEDS: &[&str] = &[
    "openai/gpt-5.4",
    "openai/gpt-5.4-mini",
    "anthropic/claude-sonnet-4.6",
    "anthropic/claude-opus-4.6",
    "google/gemini-3.1-pro-preview",
    "google/gemini-3-flash-preview",
    "google/gemini-3.1-flash-lite",
    "x-ai/grok-4.20",
    "qwen/qwen3.5-plus",
    "moonshotai/kimi-k2",
];

fn hello() -> ReplayTransport {
    ReplayTransport::answering(|_, _| fixtures::answer("Hello", 5, 2))
}

/// The request that leaves when `model` is asked for with this key alone.
async fn sent(variable: &str, model: &str) -> (HttpRequest, String, String) {
    let station = Setup::empty().env(variable, "the-only-key").start(hello());
    let got = station.chat(asking(model, json!({}))).await.ok();
    assert_eq!(got["model"], model);
    let upstream = station.bodies()[0]["model"].as_str().unwrap().to_owned();
    (
        station.sent().remove(0),
        got["provider"].as_str().unwrap().to_owned(),
        upstream,
    )
}

/// Statement 6, for the ids whose vendor speaks openai-chat: the vendor's key alone serves them.
#[tokio::test(start_paused = true)]
async fn the_vendors_key_alone_serves_its_seed_models() {
    for (variable, model, provider, url, upstream) in [
        (
            "OPENAI_API_KEY",
            "openai/gpt-5.4",
            "OpenAI",
            "https://api.openai.com/v1/chat/completions",
            "gpt-5.4",
        ),
        (
            "OPENAI_API_KEY",
            "openai/gpt-5.4-mini",
            "OpenAI",
            "https://api.openai.com/v1/chat/completions",
            "gpt-5.4-mini",
        ),
        (
            "XAI_API_KEY",
            "x-ai/grok-4.20",
            "xAI",
            "https://api.x.ai/v1/chat/completions",
            "grok-4.20",
        ),
        (
            "DASHSCOPE_API_KEY",
            "qwen/qwen3.5-plus",
            "Alibaba",
            "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions",
            "qwen3.5-plus",
        ),
        (
            "MOONSHOT_API_KEY",
            "moonshotai/kimi-k2",
            "Moonshot AI",
            "https://api.moonshot.ai/v1/chat/completions",
            "kimi-k2",
        ),
    ] {
        let (request, by, named) = sent(variable, model).await;
        assert_eq!(
            (by.as_str(), request.url.to_string().as_str()),
            (provider, url),
            "{model}"
        );
        assert_eq!(
            request.headers["authorization"], "Bearer the-only-key",
            "{model}"
        );
        assert!(named.starts_with(upstream), "{model}: {named}");
    }
}

/// An answer in the language of the host that is asked.
fn native(request: &HttpRequest) -> Reply {
    let body = match request.url.host() {
        Some("api.anthropic.com") => json!({"type": "message", "id": "m", "content":
            [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn",
            "usage": {"input_tokens": 5, "output_tokens": 2}}),
        Some("generativelanguage.googleapis.com") => json!({"candidates": [{"content":
            {"role": "model", "parts": [{"text": "Hello"}]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2}}),
        _ => return fixtures::answer("Hello", 5, 2),
    };
    Reply::json(200, body.to_string())
}

/// Statement 6, for the ids whose vendor has a language of its own.
#[tokio::test(start_paused = true)]
async fn seed_models_with_a_wire_of_their_own_are_asked_on_it() {
    let messages = "https://api.anthropic.com/v1/messages";
    let google = "https://generativelanguage.googleapis.com/v1beta/models/";
    let generate = |model: &str| format!("{google}{model}:generateContent");
    for (variable, model, url, header) in [
        (
            "ANTHROPIC_API_KEY",
            "anthropic/claude-sonnet-4.6",
            messages.to_owned(),
            "x-api-key",
        ),
        (
            "ANTHROPIC_API_KEY",
            "anthropic/claude-opus-4.6",
            messages.to_owned(),
            "x-api-key",
        ),
        (
            "GEMINI_API_KEY",
            "google/gemini-3.1-pro-preview",
            generate("gemini-3.1-pro-preview"),
            "x-goog-api-key",
        ),
        (
            "GEMINI_API_KEY",
            "google/gemini-3-flash-preview",
            generate("gemini-3-flash-preview"),
            "x-goog-api-key",
        ),
        (
            "GEMINI_API_KEY",
            "google/gemini-3.1-flash-lite",
            generate("gemini-3.1-flash-lite"),
            "x-goog-api-key",
        ),
    ] {
        let setup = Setup::empty().env(variable, "the-only-key");
        let station = setup.start(ReplayTransport::answering(|request, _| native(request)));
        let got = station.chat(asking(model, json!({}))).await;
        assert_eq!(got.content(), "Hello", "{model}");
        assert_eq!(got.ok()["model"], model);
        let sent = station.sent().remove(0);
        assert!(
            sent.url
                .to_string()
                .starts_with(url.trim_end_matches(":generateContent")),
            "{}",
            sent.url
        );
        assert_eq!(sent.headers[header], "the-only-key", "{model}");
        let body = &station.bodies()[0];
        let own = if header == "x-api-key" {
            "messages"
        } else {
            "contents"
        };
        assert!(body[own].is_array(), "{model}: {body}");
    }
}

/// Statement 6 and the eleventh id: the auto router reaches whoever's key is there, on their wire.
#[tokio::test(start_paused = true)]
async fn the_auto_router_reaches_the_adapter_of_whoever_can_serve() {
    for (variable, host) in [
        ("ANTHROPIC_API_KEY", "api.anthropic.com"),
        ("GEMINI_API_KEY", "generativelanguage.googleapis.com"),
        ("OPENAI_API_KEY", "api.openai.com"),
        ("XAI_API_KEY", "api.x.ai"),
        ("DASHSCOPE_API_KEY", "dashscope-intl.aliyuncs.com"),
        ("MOONSHOT_API_KEY", "api.moonshot.ai"),
    ] {
        let setup = Setup::empty().env(variable, "the-only-key");
        let station = setup.start(ReplayTransport::answering(|request, _| native(request)));
        let got = station.chat(asking("openrouter/auto", json!({}))).await;
        assert_eq!(got.content(), "Hello", "{variable}");
        assert_eq!(station.sent()[0].url.host(), Some(host), "{variable}");
    }
}

/// Statement 6: `OPENROUTER_API_KEY` alone serves every seed model.
#[tokio::test(start_paused = true)]
async fn the_aggregators_key_alone_serves_every_seed_model() {
    for model in SEEDS {
        let (request, by, named) = sent("OPENROUTER_API_KEY", model).await;
        assert_eq!(by, "OpenRouter");
        assert_eq!(
            request.url.to_string(),
            "https://openrouter.ai/api/v1/chat/completions"
        );
        // Some ids are dated there.
        assert!(named.starts_with(model), "{model}: {named}");
    }
}

/// Decisions, "Names": each name of the seed mission matches in order, only and ignore.
#[tokio::test(start_paused = true)]
async fn the_names_of_the_mission_match() {
    for (name, variable, model) in [
        ("OpenAI", "OPENAI_API_KEY", "openai/gpt-5.4"),
        ("xAI", "XAI_API_KEY", "x-ai/grok-4.20"),
        ("Qwen", "DASHSCOPE_API_KEY", "qwen/qwen3.5-plus"),
        ("Moonshot", "MOONSHOT_API_KEY", "moonshotai/kimi-k2"),
    ] {
        let setup = Setup::empty()
            .env(variable, "the-only-key")
            .env("OPENROUTER_API_KEY", "another-key");
        let who = async |list: &str| {
            let station = setup.start(hello());
            let got = station
                .chat(asking(model, json!({"provider": {list: [name]}})))
                .await;
            assert_eq!(got.header("x-waystation-warning"), None, "{name} in {list}");
            got.ok()["provider"].as_str().unwrap().to_owned()
        };
        let own = who("only").await;
        assert_ne!(own, "OpenRouter", "{name}");
        assert_eq!(who("order").await, own);
        assert_eq!(who("ignore").await, "OpenRouter");
    }
}

/// Decisions, "Candidates": trust is a rank. The vendor comes before the aggregator.
#[tokio::test(start_paused = true)]
async fn an_aggregator_is_asked_last() {
    let setup = Setup::empty()
        .env("OPENAI_API_KEY", "k1")
        .env("OPENROUTER_API_KEY", "k2");
    for _ in 0..5 {
        let station = setup.start(ReplayTransport::answering(|_, _| {
            fixtures::error(500, "down")
        }));
        station
            .chat(asking("openai/gpt-5.4", json!({})))
            .await
            .error(503);
        let hosts: Vec<String> = station
            .sent()
            .iter()
            .map(|r| r.url.host().unwrap().to_owned())
            .collect();
        assert_eq!(hosts.first().map(String::as_str), Some("api.openai.com"));
        assert_eq!(hosts.last().map(String::as_str), Some("openrouter.ai"));
    }
}

/// Azure: path, header and deployment.
#[tokio::test(start_paused = true)]
async fn azure_is_asked_by_deployment_with_its_own_header() {
    for (extra, url) in [
        (
            "",
            "https://my-resource.openai.azure.com/openai/v1/chat/completions",
        ),
        (
            "api_version = '2024-10-21'",
            "https://my-resource.openai.azure.com/openai/deployments/prod-54/chat/completions?api-version=2024-10-21",
        ),
    ] {
        let setup = Setup::empty().config(&format!(
            "[providers.azure]\napi_key = 'an-azure-key'\nresource = 'my-resource'\n{extra}\n\
             deployments = {{ \"openai/gpt-5.4\" = 'prod-54' }}"
        ));
        let station = setup.start(hello());
        station.chat(asking("openai/gpt-5.4", json!({}))).await.ok();
        let request = station.sent().remove(0);
        assert_eq!(request.url.to_string(), url);
        assert_eq!(request.headers["api-key"], "an-azure-key");
        assert!(request.headers.get("authorization").is_none());
        assert_eq!(station.bodies()[0]["model"], "prod-54");
    }
}

/// Sample values for what addresses have in braces.
fn sample(provider: &Provider) -> ProviderChange {
    let mut change = ProviderChange::new(provider.upstream.slug.clone());
    // Only where a row asks for them: with a project, a Google address is Vertex AI's.
    let asks = |name: &str| provider.env_settings.contains_key(name);
    let google = asks("project");
    if asks("region") || asks("location") {
        change.settings.region = Some(if google { "us-central1" } else { "us-east-1" }.to_owned());
    }
    change.settings.project = google.then(|| "my-project".to_owned());
    for name in [
        "resource",
        "account_id",
        "workspace",
        "workspace_id",
        "host",
        "account",
        "endpoint",
        "deployment",
        "gateway",
    ] {
        change
            .settings
            .values
            .insert(name.to_owned(), format!("my-{}", name.replace('_', "-")));
    }
    change
}

/// The header that carries the credential.
fn credential(request: &HttpRequest) -> String {
    let names = request.headers.iter().filter(|(_, value)| {
        value.as_bytes().ends_with(b"SECRET") || value.as_bytes().starts_with(b"AWS4-")
    });
    let shown = names.map(|(name, value)| {
        let value = value.to_str().expect("text");
        if value == "SECRET" {
            name.to_string()
        } else if let Some((scheme, _)) = value.split_once(" Credential=") {
            format!("{name}: {scheme}")
        } else {
            format!("{name}: {}", value.trim_end_matches(" SECRET"))
        }
    });
    let shown: Vec<String> = shown.collect();
    if shown.is_empty() {
        "no credential".to_owned()
    } else {
        shown.join(", ")
    }
}

/// The line of one row on one wire.
fn line(codecs: &Codecs, upstream: &Upstream, dialect: &DialectId, endpoint: &Endpoint) -> String {
    let slug = &upstream.slug;
    let Some(codec) = codecs.get(dialect) else {
        return format!(
            "{slug}  {dialect}  {}  {}",
            upstream.base_url,
            scheme(upstream.auth)
        );
    };
    // A signature needs the key's id as well.
    let secret = Secret::new(match upstream.auth {
        AuthScheme::Sigv4 => "ID:SECRET",
        _ => "SECRET",
    });
    let lease = Lease::new("key".parse().unwrap(), Some(secret));
    let target = Target {
        upstream,
        endpoint,
        lease: &lease,
        now: UnixMs::new(1_767_225_600_000),
    };
    let call = |stream: bool| {
        let body = asking(endpoint.model.as_str(), json!({"stream": stream})).to_string();
        let chat = ChatRequest::parse(&body.into()).unwrap();
        codec.encode(&chat, &target).map(|call| call.request)
    };
    match (call(false), call(true)) {
        (Ok(plain), Ok(streamed)) => {
            assert_eq!(credential(&plain), credential(&streamed), "{slug}");
            let url = if plain.url == streamed.url {
                "the same".to_owned()
            } else {
                streamed.url.to_string()
            };
            format!(
                "{slug}  {dialect}  {}  {url}  {}",
                plain.url,
                credential(&plain)
            )
        }
        (Err(error), _) | (_, Err(error)) => {
            format!("{slug}  {dialect}  {}  cannot: {error}", upstream.base_url)
        }
    }
}

fn scheme(auth: AuthScheme) -> &'static str {
    match auth {
        AuthScheme::Bearer => "authorization: Bearer",
        AuthScheme::XApiKey => "x-api-key",
        AuthScheme::ApiKey => "api-key",
        AuthScheme::XGoogApiKey => "x-goog-api-key",
        AuthScheme::Sigv4 => "signature v4",
        AuthScheme::GoogleOauth => "authorization: Bearer (OAuth)",
        AuthScheme::None => "no credential",
    }
}

/// Every row of the catalogue with its addresses, as requests really leave: `slug  dialect  URL of a
/// plain request  URL of a streamed one  header of the credential`; for wires without a codec the
/// base URL and the scheme. Braces are filled with sample values.
fn addresses() -> String {
    let catalog = Catalog::bundled().unwrap();
    let changes = Changes {
        providers: catalog.providers().map(sample).collect(),
        ..Changes::default()
    };
    let (catalog, _) = catalog.with(changes).unwrap();
    let codecs = Codecs::of(waystation_providers::DIALECTS);
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for provider in catalog.providers() {
        let own = lines.entry(provider.upstream.slug.to_string()).or_default();
        let others = provider
            .wires
            .iter()
            .filter(|(dialect, _)| **dialect != provider.dialect);
        let first = (&provider.dialect, &provider.upstream);
        for (dialect, upstream) in std::iter::once(first).chain(others) {
            let endpoint = served(&catalog, provider, dialect);
            own.push(line(&codecs, upstream, dialect, &endpoint));
        }
    }
    lines
        .into_values()
        .flatten()
        .fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{line}");
            text
        })
}

/// An endpoint of a provider: one of this wire where there is one, else any.
fn served(catalog: &Catalog, provider: &Provider, dialect: &DialectId) -> Endpoint {
    let own = || {
        let all = catalog.models().flat_map(|model| &model.endpoints);
        all.filter(|endpoint| endpoint.provider == provider.upstream.slug)
    };
    own()
        .find(|endpoint| endpoint.dialect == *dialect)
        .or_else(|| own().next())
        .cloned()
        .unwrap_or_else(|| stand_in(catalog, provider))
}

/// An endpoint of a provider that serves no model of the catalogue.
fn stand_in(catalog: &Catalog, provider: &Provider) -> Endpoint {
    let id: ModelId = "acme/stand-in".parse().unwrap();
    let mut model = waystation_catalog::ModelChange::new(id.clone());
    let mut endpoint = EndpointChange::new(provider.upstream.slug.clone());
    endpoint.model = Some("stand-in".into());
    model.endpoints.push(endpoint);
    let changes = Changes {
        models: vec![model],
        ..Changes::default()
    };
    let (catalog, _) = catalog.with(changes).unwrap();
    catalog.model(id.as_str()).unwrap().endpoints[0].clone()
}

/// Decisions, "Dialects of rows": the addresses that a person has read. `WAYSTATION_BLESS=1` rewrites
/// them; read the difference before it is committed.
#[test]
fn every_provider_is_asked_at_the_address_that_was_read() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/urls.txt");
    let now = addresses();
    if std::env::var_os("WAYSTATION_BLESS").is_some() {
        std::fs::write(&file, &now).unwrap();
    }
    let read = std::fs::read_to_string(&file).unwrap_or_default();
    let changed: Vec<&str> = now
        .lines()
        .filter(|line| !read.lines().any(|known| known == *line))
        .collect();
    assert!(
        read == now,
        "addresses changed; read them, then WAYSTATION_BLESS=1:\n{}",
        changed.join("\n")
    );
}
