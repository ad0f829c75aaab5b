//! The examples that users know, sent as they are written: every request and every suffix of the
//! published overview but the plugins, whose tests are elsewhere. Elided messages are filled in.

use serde_json::{Value, json};
use waystation_core::HttpRequest;
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::{Setup, Station};

/// OpenAI, Azure and Anthropic have keys, over the bundled catalogue.
fn setup() -> Setup {
    Setup::empty().config(
        r#"
        [providers.openai]
        api_key = "sk-openai"
        base_url = "http://openai.mock/v1"
        [providers.azure]
        api_key = "azure-key"
        base_url = "http://azure.mock"
        [providers.anthropic]
        api_key = "sk-ant"
        base_url = "http://anthropic.mock"
        [catalog]
        default_model = "openai/gpt-5.4"
        "#,
    )
}

/// Everybody serves, in their own dialect, but those who are `down`.
fn serving(down: &'static [&'static str]) -> ReplayTransport {
    ReplayTransport::answering(move |request: &HttpRequest, _| {
        let host = request
            .url
            .host()
            .unwrap_or_default()
            .trim_end_matches(".mock")
            .to_owned();
        if down.contains(&host.as_str()) {
            return fixtures::error(500, "down");
        }
        if host == "anthropic" {
            let body = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "c",
                              "content": [{"type": "text", "text": "Hi"}],
                              "stop_reason": "end_turn",
                              "usage": {"input_tokens": 5, "output_tokens": 2}});
            return Reply::json(200, body.to_string());
        }
        fixtures::answer("Hi", 5, 2)
    })
}

/// The block with its elided messages filled in.
fn filled(block: &str) -> String {
    let messages = r#"[{"role": "user", "content": "Your prompt here"}]"#;
    let text = block.replace("[...]", messages);
    let mut body: Value = serde_json::from_str(&text).unwrap();
    if body.get("messages").is_none() {
        body["messages"] = serde_json::from_str(messages).unwrap();
    }
    body.to_string()
}

async fn served(station: &Station, block: &str) -> Value {
    station.post(filled(block)).await.ok()
}

#[tokio::test(start_paused = true)]
async fn the_auto_router_chooses_a_concrete_model() {
    let station = setup().start(serving(&[]));
    // client.chat.completions.create(model="openrouter/auto", messages=[...])
    let block = r#"{"model": "openrouter/auto",
                    "messages": [{"role": "user", "content": "Your prompt here"}]}"#;
    let got = served(&station, block).await;
    let model = got["model"].as_str().unwrap();
    assert!(model.contains('/') && model != "openrouter/auto", "{model}");
    let record = station.record(got["id"].as_str().unwrap()).await;
    assert_eq!(record["router"], "openrouter/auto");
}

const PROVIDER: &str = r#"{
"model": "openai/gpt-5.4",
"messages": [...],
"provider": {
"sort": "price",
"order": ["OpenAI", "Azure"],
"only": ["OpenAI"],
"ignore": ["Azure"],
"max_price": {"input": 5, "output": 15}
}
}"#;

#[tokio::test(start_paused = true)]
async fn the_provider_block_means_openai_alone() {
    let station = setup().start(serving(&[]));
    let got = served(&station, PROVIDER).await;
    assert_eq!(
        (&got["model"], &got["provider"]),
        (&json!("openai/gpt-5.4"), &json!("OpenAI"))
    );
    assert_eq!(station.asked(), ["openai"]);
    // Nobody else, even when OpenAI is down.
    let station = setup().start(serving(&["openai"]));
    station.post(filled(PROVIDER)).await.error(503);
    assert!(station.asked().iter().all(|host| host == "openai"));
    // The same without OpenAI, and without a price that it keeps.
    let without = PROVIDER.replace(r#""only": ["OpenAI"]"#, r#""only": ["Azure"]"#);
    let none = setup().start(serving(&[])).post(filled(&without)).await;
    assert_eq!(none.error(404)["availability"]["code"], "no_endpoints");
    let cheap = PROVIDER.replace(r#""input": 5"#, r#""input": 0.01"#);
    let none = setup().start(serving(&[])).post(filled(&cheap)).await;
    assert_eq!(
        none.error(404)["availability"]["constraint"]["field"],
        "max_price"
    );
}

#[tokio::test(start_paused = true)]
async fn the_python_block_asks_openai_and_then_azure() {
    // extra_body is merged into the body by the client.
    let block = r#"{"model": "openai/gpt-5.4", "messages": [...],
        "provider": {"sort": "throughput", "order": ["OpenAI", "Azure"]}}"#;
    let station = setup().start(serving(&[]));
    assert_eq!(served(&station, block).await["provider"], "OpenAI");
    let station = setup().start(serving(&["openai"]));
    let got = served(&station, block).await;
    assert_eq!(station.asked(), ["openai", "azure"]);
    assert!(
        got["provider"].as_str().unwrap().contains("Azure"),
        "{}",
        got["provider"]
    );
}

#[tokio::test(start_paused = true)]
async fn every_member_of_the_provider_block_does_its_work_alone() {
    let alone = |member: &str| {
        format!(r#"{{"model": "openai/gpt-5.4", "messages": [...], "provider": {{{member}}}}}"#)
    };
    for (member, first) in [
        (r#""order": ["OpenAI", "Azure"]"#, "openai"),
        (r#""order": ["Azure", "OpenAI"]"#, "azure"),
        (r#""only": ["OpenAI"]"#, "openai"),
        (r#""only": ["Azure"]"#, "azure"),
        (r#""ignore": ["Azure"]"#, "openai"),
        (r#""ignore": ["OpenAI"]"#, "azure"),
    ] {
        let station = setup().start(serving(&[]));
        served(&station, &alone(member)).await;
        assert_eq!(station.asked()[0], first, "{member}");
    }
    for sort in ["price", "latency", "throughput"] {
        let station = setup().start(serving(&[]));
        served(&station, &alone(&format!(r#""sort": "{sort}""#))).await;
    }
    let station = setup().start(serving(&[]));
    served(
        &station,
        &alone(r#""max_price": {"input": 5, "output": 15}"#),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_fallback_block_leads_to_the_second_model() {
    let block = r#"{
"model": "anthropic/claude-opus-4.6",
"models": ["anthropic/claude-opus-4.6", "openai/gpt-5.4"],
"route": "fallback"
}"#;
    let station = setup().start(serving(&[]));
    assert_eq!(
        served(&station, block).await["model"],
        "anthropic/claude-opus-4.6"
    );
    // Azure serves both models; only Claude fails there, as at Anthropic.
    let station = setup().start(ReplayTransport::answering(|request: &HttpRequest, _| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let claude = body.contains("claude") || request.url.path().contains("claude");
        if claude {
            fixtures::error(500, "down")
        } else {
            fixtures::answer("Hi", 5, 2)
        }
    }));
    assert_eq!(served(&station, block).await["model"], "openai/gpt-5.4");
    assert!(station.asked().contains(&"anthropic".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn both_suffixes_are_accepted_on_the_examples_models() {
    for (id, model) in [
        ("openai/gpt-5.4:nitro", "openai/gpt-5.4"),
        (
            "anthropic/claude-sonnet-4.6:floor",
            "anthropic/claude-sonnet-4.6",
        ),
    ] {
        let station = setup().start(serving(&[]));
        let got = served(
            &station,
            &format!(r#"{{"model": "{id}", "messages": [...]}}"#),
        )
        .await;
        assert_eq!(got["model"], model);
    }
}

/// Decisions, "Names": on every id that `/v1/models` lists, private models, aliases, `~latest`,
/// presets and `openrouter/auto` included.
#[tokio::test(start_paused = true)]
async fn nitro_and_floor_are_accepted_on_every_id_that_is_listed() {
    let station = Setup::empty()
        .config(
            r#"
            [providers.openrouter]
            api_key = "sk-openrouter"
            base_url = "http://openrouter.mock/v1"
            [providers.own]
            name = "Own"
            dialect = "openai-chat"
            base_url = "http://own.mock/v1"
            api_key = "key-of-own"
            [[models]]
            id = "acme/private"
            [[models.endpoints]]
            provider = "own"
            model = "private"
            [aliases]
            "my-alias" = "acme/private"
            [presets.careful]
            model = "acme/private"
            temperature = 0.1
            "#,
        )
        .start(ReplayTransport::hosts());
    let listed = station.get("/v1/models").await.ok();
    let listed = listed["data"].as_array().unwrap().iter();
    let mut ids: Vec<String> = listed
        .map(|row| row["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(ids.len() > 300, "{}", ids.len());
    assert!(ids.iter().any(|id| id == "openrouter/auto"));
    assert!(ids.iter().any(|id| id == "acme/private"));
    assert!(
        ids.iter().any(|id| id.starts_with('~')),
        "families are listed"
    );
    ids.push("my-alias".into());
    let app = station.app();
    for id in ids {
        for suffix in ["nitro", "floor"] {
            let spelled = format!("{id}:{suffix}");
            let body = json!({"model": spelled, "messages": [{"role": "user", "content": "Hi"}]});
            let body = body.to_string().into();
            let given = waystation_server::explanation::Given::default();
            let (told, _) = waystation_server::explanation::of(app, &body, &given).await;
            // Others than OpenRouter may be the only ones to serve it: that is a 404, and no typo.
            let code = told.error.map(|error| error.code);
            assert!(code.is_none() || code == Some(404), "{spelled}: {code:?}");
        }
    }
    for model in [
        "@preset/careful:nitro",
        "@preset/careful:floor",
        "acme/private:nitro@preset/careful",
        "acme/private@preset/careful:floor",
    ] {
        let body = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]});
        let (told, _) = waystation_server::explanation::of(
            app,
            &body.to_string().into(),
            &waystation_server::explanation::Given::default(),
        )
        .await;
        assert!(told.error.is_none(), "{model}: {:?}", told.error);
        let why = told.attempts[0].why[0].to_string();
        assert!(model.contains(&why), "{model}: {why}");
    }
}
