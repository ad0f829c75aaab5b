//! Engines with a key, what they cost, and the simulated one.

use std::sync::Arc;

use serde_json::{Value, json};
use waystation_server::app::App;
use waystation_sim::{Pacing, ReplayTransport, Reply, SimTransport, Simulator, fixtures};
use waystation_tests::{Setup, Station, ask, asking, literal};

use super::{annotations, searching, stage, with_metadata};

/// All engines of the operator's, at hosts of their own.
const ALL: &str = r#"
[plugins.web]
engine = "tavily"
searxng = { base_url = "http://search.mock" }
exa = { api_key = "key-of-exa", base_url = "http://exa.mock" }
tavily = { api_key = "key-of-tavily", base_url = "http://tavily.mock", price = "0.008" }
brave = { api_key = "key-of-brave", base_url = "http://brave.mock" }
"#;

fn station() -> Station {
    let hit = json!({"url": "https://1.example/", "title": "One", "content": "Words.",
        "highlights": ["Words."], "description": "Words."});
    let exa = json!({"results": [hit], "costDollars": {"total": 0.007}});
    let brave = json!({"web": {"results": [hit]}});
    let reply = |body: Value| [Reply::json(200, body.to_string())];
    let upstream = ReplayTransport::hosts()
        .at("exa.mock", reply(exa))
        .at("tavily.mock", reply(json!({"results": [hit]})))
        .at("brave.mock", reply(brave))
        .at("a.mock", [fixtures::answer("Hi", 999, 1)]);
    Setup::mocks().config(ALL).start(upstream)
}

#[tokio::test(start_paused = true)]
async fn each_engine_is_asked_in_its_own_words_with_its_own_key() {
    for (engine, header, key) in [
        ("exa", "x-api-key", "key-of-exa"),
        ("tavily", "authorization", "Bearer key-of-tavily"),
        ("brave", "x-subscription-token", "key-of-brave"),
    ] {
        let station = station();
        let got = with_metadata(&station, searching(json!({"engine": engine}))).await;
        let notes = annotations(&got);
        assert_eq!(notes[0]["url_citation"]["title"], "One", "{engine}");
        assert_eq!(notes[0]["url_citation"]["content"], "Words.");
        assert_eq!(stage(&got)["data"]["engine"], engine);
        let request = &station.sent()[0];
        assert_eq!(request.url.host(), Some(&*format!("{engine}.mock")));
        assert_eq!(request.headers[header], key);
    }
}

/// The operator's engine is the default; a request may name another.
#[tokio::test(start_paused = true)]
async fn the_operators_engine_is_the_default() {
    let station = station();
    station.chat(searching(json!({}))).await.ok();
    assert_eq!(station.asked(), ["tavily", "a"]);
}

/// A fee is apart from the model's price, and both are in the cost. Contract, section 9.1.
#[tokio::test(start_paused = true)]
async fn fees_are_accounted_apart() {
    for (engine, fee, cost) in [
        // What the service says counts, else what the operator says; unknown is not charged.
        ("exa", "0.007", "0.008"),
        ("tavily", "0.008", "0.009"),
        ("brave", "0", "0.001"),
    ] {
        let station = station();
        let got = with_metadata(&station, searching(json!({"engine": engine}))).await;
        assert_eq!(literal(got.text(), "cost"), cost, "{engine}");
        assert_eq!(literal(got.text(), "upstream_inference_cost"), "0.001");
        assert_eq!(literal(got.text(), "cost_usd"), fee);
        let fees = got.ok()["usage"]["cost_details"]["plugin_fees"].clone();
        assert_eq!(fees.is_null(), fee == "0");
        let id = got.ok()["id"].as_str().unwrap().to_owned();
        let record = station.get(&format!("/v1/generation?id={id}")).await;
        assert_eq!(literal(record.text(), "total_cost"), cost);
    }
}

/// What was paid for a search is not forgotten when every provider fails.
#[tokio::test(start_paused = true)]
async fn a_search_is_paid_for_even_if_nobody_answers() {
    let found = json!({"results": [], "costDollars": {"total": 0.007}});
    let upstream = ReplayTransport::hosts()
        .at("exa.mock", [Reply::json(200, found.to_string())])
        .at("a.mock", [fixtures::error(400, "no")]);
    let station = Setup::one("price = { prompt = \"1\", completion = \"1\" }")
        .config(&ALL.replace("tavily\"\nsearxng", "exa\"\nsearxng"))
        .start(upstream.at("one.mock", [fixtures::error(400, "no")]));
    let body = asking("acme/one", json!({"plugins": [{"id": "web"}]}));
    let refused = station.chat(body).await;
    refused.error(400);
    let id = refused.header("x-generation-id").unwrap();
    let record = station.get(&format!("/v1/generation?id={id}")).await;
    assert_eq!(literal(record.text(), "total_cost"), "0.007");
}

fn simulated(setup: &Setup) -> Station {
    let setup = setup.clone().flags(|flags| flags.simulate = true);
    let transport = SimTransport::new(Simulator::new(1).with_pacing(Pacing::Instant));
    let app = App::new(setup.resolve().unwrap(), Arc::new(transport));
    Station::new(app, Arc::new(ReplayTransport::queue([])))
}

/// The specification's block, word for word.
const BLOCK: &str = r#"[
    {"id": "web"},
    {"id": "file-parser"},
    {"id": "response-healing"},
    {"id": "context-compression"}
]"#;

/// Issue "Plugins": the specification's block with all four ids works under `--simulate`.
#[tokio::test(start_paused = true)]
async fn the_specifications_block_answers_with_an_annotation_while_simulated() {
    let plugins: Value = serde_json::from_str(BLOCK).unwrap();
    for model in [
        "openai/gpt-5.4",
        "anthropic/claude-sonnet-4.6",
        "google/gemini-2.5-flash",
    ] {
        let station = simulated(&Setup::empty());
        for prompt in ["What is the meaning of life?", "Xyzzy"] {
            let messages = json!([{"role": "user", "content": prompt}]);
            let body = asking(model, json!({"plugins": plugins, "messages": messages}));
            let got = station.chat(body.clone()).await;
            let notes = annotations(&got);
            let cited = &notes[0]["url_citation"];
            assert!(cited["end_index"].as_u64() > Some(0), "{model}: {cited}");
            let text = got.content();
            assert!(super::pointed_at(&text, &notes[0]).contains(cited["url"].as_str().unwrap()));
            assert_eq!(got.ok()["usage"]["cost"], 0);
            let streamed = station.stream(body).await;
            let chunks = streamed.chunks();
            let noted = chunks
                .iter()
                .find(|c| c["choices"][0]["delta"]["annotations"].is_array());
            assert!(noted.is_some(), "{model}");
        }
    }
}

/// Simulation opens no socket: whatever engine is named or configured, the simulator searches.
#[tokio::test(start_paused = true)]
async fn while_simulating_every_engine_is_the_simulated_one() {
    let station =
        simulated(&Setup::empty().config(&format!("[server]\nlisten = \"127.0.0.1:0\"\n{ALL}")));
    for engine in ["exa", "brave", "searxng"] {
        let weather = json!([{"role": "user", "content": "How is the weather in Oslo?"}]);
        let plugins = json!([{"id": "web", "engine": engine}]);
        let body = asking(
            "openai/gpt-5.4",
            json!({"plugins": plugins, "messages": weather}),
        );
        let got = station.chat(body).await;
        let url = &annotations(&got)[0]["url_citation"]["url"];
        assert_eq!(url, "https://www.weather.example/oslo", "{engine}");
    }
}

/// An upstream without anything to say still gets a plain question.
#[tokio::test(start_paused = true)]
async fn a_prompt_without_words_is_not_searched_for() {
    let station = station();
    let image = json!([{"role": "user", "content": [{"type": "image_url",
        "image_url": {"url": "https://x.example/a.png"}}]}]);
    station
        .chat(ask(json!({"messages": image, "plugins": [{"id": "web"}]})))
        .await
        .ok();
    assert_eq!(station.asked(), ["a"]);
}
