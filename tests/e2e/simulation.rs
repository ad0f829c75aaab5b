//! Simulation: only when nobody could mistake it for the real thing, and with every mark.

use std::sync::Arc;

use serde_json::{Value, json};
use waystation_server::{app::App, config::Flags};
use waystation_sim::{Pacing, ReplayTransport, SimTransport, Simulator};
use waystation_tests::{Setup, Station, asking};

const MODEL: &str = "openai/gpt-5.4";

/// A simulated gateway, as `serve` composes it, without the waiting.
fn simulated(setup: &Setup) -> Station {
    let resolved = setup.resolve().unwrap();
    assert!(resolved.simulated);
    let transport = SimTransport::new(Simulator::new(1).with_pacing(Pacing::Instant));
    Station::new(
        App::new(resolved, Arc::new(transport)),
        Arc::new(ReplayTransport::queue([])),
    )
}

fn simulates(setup: &Setup) -> bool {
    setup.resolve().is_ok_and(|resolved| resolved.simulated)
}

/// Interfaces, "Simulation is never an accident": all four conditions hold.
#[test]
fn with_nothing_configured_it_simulates() {
    assert!(simulates(&Setup::empty()));
    // A wider identity is no provider.
    assert!(simulates(
        &Setup::empty()
            .env("AWS_ACCESS_KEY_ID", "a")
            .env("AWS_SECRET_ACCESS_KEY", "b")
            .env("HF_TOKEN", "c")
    ));
}

/// Interfaces: each condition alone is enough not to, and without a provider it does not start.
#[test]
fn a_file_a_provider_a_client_key_or_an_open_listener_ends_it() {
    let file = Setup::empty().config("[server]\nlisten = '127.0.0.1:0'");
    let provider = Setup::empty().env("OPENAI_API_KEY", "sk-1");
    let keyless = Setup::empty().env("OLLAMA_BASE_URL", "http://127.0.0.1:11434/v1");
    let keys = Setup::empty().env("WAYSTATION_API_KEY", "a-client-key-of-good-length");
    let open = Setup::empty().flags(|flags| {
        flags.listen = Some("0.0.0.0:8080".into());
        flags.insecure_open = true;
    });
    for setup in [&file, &provider, &keyless, &keys, &open] {
        assert!(!simulates(setup), "{setup:?}");
    }
    assert!(provider.resolve().is_ok() && keyless.resolve().is_ok());
    for setup in [file, keys, open] {
        let refused = setup.resolve().unwrap_err().to_string();
        assert!(
            refused.contains("OPENAI_API_KEY") && refused.contains("--simulate"),
            "{refused}"
        );
        assert!(simulates(
            &setup.flags(|flags: &mut Flags| flags.simulate = true)
        ));
    }
}

/// Interfaces: header, provider name, cost 0, `/ready`.
#[tokio::test(start_paused = true)]
async fn a_simulated_reply_has_every_mark() {
    let station = simulated(&Setup::empty());
    let got = station.chat(asking(MODEL, json!({}))).await;
    let body = got.ok();
    assert_eq!(got.header("x-waystation-simulated"), Some("true"));
    assert!(
        body["provider"].as_str().unwrap().ends_with("(simulated)"),
        "{body}"
    );
    assert_eq!(body["usage"]["cost"], 0);
    assert!(body["usage"]["completion_tokens"].as_u64().unwrap() > 0);
    assert_eq!(body["model"], MODEL);
    let streamed = station.stream(asking(MODEL, json!({}))).await;
    assert_eq!(streamed.header("x-waystation-simulated"), Some("true"));
    assert!(
        streamed
            .chunks()
            .iter()
            .all(|c| c["provider"].as_str().unwrap().ends_with("(simulated)"))
    );
    assert_eq!(streamed.usage()["cost"], 0);
    assert!(!streamed.content().is_empty());
    assert_eq!(station.get("/ready").await.ok()["status"], "simulated");
    let record = station.record(body["id"].as_str().unwrap()).await;
    assert_eq!(
        (&record["simulated"], &record["total_cost"]),
        (&json!(true), &json!(0))
    );
}

/// A real gateway bears none of them.
#[tokio::test(start_paused = true)]
async fn a_real_reply_has_none() {
    let setup = Setup::empty().env("OPENAI_API_KEY", "sk-1");
    let station = setup.start(ReplayTransport::answering(|_, _| {
        waystation_sim::fixtures::answer("Hi", 1, 1)
    }));
    let got = station.chat(asking(MODEL, json!({}))).await;
    assert_eq!(got.ok()["provider"], "OpenAI");
    assert_eq!(got.header("x-waystation-simulated"), None);
    assert_eq!(station.get("/ready").await.ok()["status"], "ready");
}

/// The whole catalogue is served, as far as there are codecs: each seed model answers.
#[tokio::test(start_paused = true)]
async fn every_seed_model_answers() {
    let station = simulated(&Setup::empty());
    for model in super::catalogue::SEEDS {
        let got = station.chat(asking(model, json!({}))).await.ok();
        assert_eq!(got["model"], *model);
        assert!(
            !got["choices"][0]["message"]["content"]
                .as_str()
                .unwrap()
                .is_empty(),
            "{model}"
        );
    }
    let auto = station
        .chat(asking("openrouter/auto", json!({})))
        .await
        .ok();
    assert_ne!(auto["model"], "openrouter/auto", "a concrete model serves");
}

/// Tools and JSON modes are answered sensibly.
#[tokio::test(start_paused = true)]
async fn tools_and_schemas_are_answered_sensibly() {
    let station = simulated(&Setup::empty());
    let messages = json!([{"role": "user", "content": "What is the weather in Paris?"}]);
    let tools = json!([{"type": "function", "function": {"name": "get_weather", "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]);
    let body = asking(
        MODEL,
        json!({"messages": messages, "tools": tools, "tool_choice": "required"}),
    );
    let got = station.chat(body.clone()).await.ok();
    let call = &got["choices"][0]["message"]["tool_calls"][0]["function"];
    assert_eq!(call["name"], "get_weather");
    let arguments: Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
    assert!(arguments["city"].is_string());
    assert_eq!(
        station.stream(body).await.finish().as_deref(),
        Some("tool_calls")
    );
    let schema = json!({"type": "json_schema", "json_schema": {"name": "w", "strict": true, "schema": {
        "type": "object", "additionalProperties": false, "required": ["city", "degrees"],
        "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}}}}});
    let got = station
        .chat(asking(
            MODEL,
            json!({"messages": messages, "response_format": schema}),
        ))
        .await;
    let said: Value = serde_json::from_str(&got.content()).unwrap();
    assert!(
        said["city"].is_string() && said["degrees"].is_i64(),
        "{said}"
    );
}
