//! Searches that the provider runs itself: who gets them, and who is asked where it cannot.

use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::{Setup, Station, Whole, ask, asking};

use super::{SEARXNG, forms, pages, stage, with_metadata};

/// A model that N serves with a search of its own that takes no lists, and A without.
const SEARCHES: &str = r#"
[catalog]
bundled = false
[routing]
sort = "price"
[providers.n]
name = "N"
dialect = "anthropic-messages"
base_url = "http://n.mock"
api_key = "key-of-n-do-not-tell"
[providers.a]
name = "A"
dialect = "openai-chat"
base_url = "http://a.mock/v1"
api_key = "key-of-a-do-not-tell"
[[models]]
id = "acme/m"
[[models.endpoints]]
provider = "n"
supported_parameters = ["tools", "tool_choice", "web_search_options", "max_tokens"]
price = { prompt = "1", completion = "1" }
[[models.endpoints]]
provider = "a"
price = { prompt = "2", completion = "2" }
"#;

fn said() -> Reply {
    let body = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {"input_tokens": 10, "output_tokens": 2, "server_tool_use": {"web_search_requests": 3}}});
    Reply::json(200, body.to_string())
}

fn station(more: &str, native: Reply) -> Station {
    let upstream = ReplayTransport::hosts()
        .at("search.mock", [pages(2)])
        .at("n.mock", [native])
        .at("a.mock", [fixtures::answer("Hi", 5, 2)]);
    Setup::empty().config(SEARCHES).config(more).start(upstream)
}

fn web(more: Value) -> Value {
    let mut entry = json!({"id": "web"});
    let more = more.as_object().unwrap().clone();
    entry.as_object_mut().unwrap().extend(more);
    ask(json!({"plugins": [entry]}))
}

/// The tools that the host got.
fn tools(station: &Station) -> Vec<Value> {
    let sent = station.sent();
    let body: Value = serde_json::from_slice(&sent.last().unwrap().body).unwrap();
    body["tools"].as_array().cloned().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_searches_is_asked_to_and_nobody_else() {
    let station = station(SEARXNG, said());
    let body = web(json!({"max_uses": 2}));
    let got = with_metadata(&station, body).await;
    assert_eq!(got.content(), "Hi");
    assert_eq!(station.asked(), ["n"]);
    let tools = tools(&station);
    assert!(
        tools[0]["type"]
            .as_str()
            .unwrap()
            .starts_with("web_search_"),
        "{tools:?}"
    );
    assert_eq!(tools[0]["max_uses"], 2);
    assert_eq!(stage(&got)["data"], json!({"engine": "native"}));
    // The provider's own count.
    assert_eq!(
        got.ok()["usage"]["server_tool_use"]["web_search_requests"],
        3
    );
    assert_eq!(
        got.ok()["choices"][0]["message"]["annotations"],
        Value::Null
    );
}

/// What depends on the endpoint is redone for the next one, and only that.
#[tokio::test(start_paused = true)]
async fn a_fallback_searches_where_the_next_endpoint_does_not() {
    let station = station(SEARXNG, fixtures::error(500, "down"));
    let got = with_metadata(&station, web(json!({}))).await;
    assert_eq!(station.asked(), ["n", "search", "a"]);
    let first: Value = serde_json::from_slice(&station.sent()[0].body).unwrap();
    assert!(
        !first.to_string().contains("1.example"),
        "no results beside the host's own search"
    );
    assert_eq!(stage(&got)["data"]["engine"], "searxng");
    let second: Value = serde_json::from_slice(&station.sent()[2].body).unwrap();
    assert!(second["messages"].to_string().contains("1.example") && second["tools"].is_null());
}

/// Without a service, endpoints that do not search are not tried; without any that do, 400.
#[tokio::test(start_paused = true)]
async fn endpoints_that_cannot_search_are_passed_over() {
    let down = station("", fixtures::error(500, "down"));
    down.chat(web(json!({}))).await.error(503);
    assert!(
        !down.asked().contains(&"a".to_owned()),
        "{:?}",
        down.asked()
    );
    let only = json!({"plugins": [{"id": "web", "engine": "native"}], "provider": {"only": ["a"]}});
    let station = station(SEARXNG, said());
    let error = station.chat(ask(only)).await.error(400);
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("has no search of its own"), "{message}");
    assert_eq!(station.upstream().calls(), 0);
}

/// Contract, section 7.1: where native search takes no lists, another engine does; forced, it is a 400.
#[tokio::test(start_paused = true)]
async fn lists_that_the_provider_cannot_take_lead_to_another_engine() {
    let listed = |more: Value| {
        let mut entry = json!({"include_domains": ["1.example"]});
        let more = more.as_object().unwrap().clone();
        entry.as_object_mut().unwrap().extend(more);
        web(entry)
    };
    let with = station(SEARXNG, said());
    with.chat(listed(json!({}))).await.ok();
    assert_eq!(with.asked(), ["search", "n"]);
    for (more, entry) in [(SEARXNG, json!({"engine": "native"})), ("", json!({}))] {
        let station = station(more, said());
        let error = station.chat(listed(entry)).await.error(400);
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains("without lists of domains") || message.contains("web_unavailable"),
            "{message}"
        );
        assert_eq!(station.upstream().calls(), 0);
    }
}

/// The server tool is the host's own where it has one.
#[tokio::test(start_paused = true)]
async fn the_tool_is_the_hosts_own_where_it_has_one() {
    let station = station(SEARXNG, said());
    let body =
        ask(json!({"tools": [{"type": "openrouter:web_search", "parameters": {"max_uses": 1}}]}));
    station.chat(body).await.ok();
    let tools = tools(&station);
    assert_eq!(tools.len(), 1);
    assert!(
        tools[0]["type"]
            .as_str()
            .unwrap()
            .starts_with("web_search_"),
        "{tools:?}"
    );
    assert_eq!(forms(&station).len(), 0);
}

/// Bundled models by their makers' keys alone: no search service is needed.
#[tokio::test(start_paused = true)]
async fn a_makers_key_alone_is_enough() {
    let run = async |variable: &str, model: &str, reply: Reply| -> (Whole, String) {
        let setup = Setup::empty().env(variable, "key-do-not-tell");
        let station = setup.start(ReplayTransport::queue([reply]));
        let got = station
            .chat(asking(&format!("{model}:online"), json!({})))
            .await;
        let sent = station.sent();
        (got, String::from_utf8(sent[0].body.to_vec()).unwrap())
    };
    let (got, sent) = run("ANTHROPIC_API_KEY", "anthropic/claude-sonnet-4.6", said()).await;
    assert_eq!(got.content(), "Hi");
    assert!(sent.contains("\"web_search_"), "{sent}");
    let gemini = json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}});
    let gemini = Reply::json(200, gemini.to_string());
    let (got, sent) = run("GEMINI_API_KEY", "google/gemini-2.5-flash", gemini).await;
    assert_eq!(got.content(), "Hi");
    assert!(sent.contains("\"googleSearch\""), "{sent}");
    let responses = json!({"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m",
        "output": [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "Hi", "annotations": []}]}],
        "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}});
    let (got, sent) = run(
        "OPENAI_API_KEY",
        "openai/gpt-5.4",
        Reply::json(200, responses.to_string()),
    )
    .await;
    assert_eq!(got.content(), "Hi");
    assert!(sent.contains("{\"type\":\"web_search\""), "{sent}");
}
