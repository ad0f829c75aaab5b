//! `context-compression` through the gateway. Statements 120 to 124.

use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::{Setup, Station, asking};

/// `acme/small` at A with 4,000 tokens, `acme/large` at A with 16,000 and at B with 64,000,
/// `acme/claude` at an Anthropic-speaking provider.
fn setup() -> Setup {
    Setup::mocks().config(
        r#"
        [providers.d]
        name = "D"
        dialect = "anthropic-messages"
        base_url = "http://d.mock"
        api_key = "key-of-d-do-not-tell"
        [[models]]
        id = "acme/small"
        context_length = 4000
        [[models.endpoints]]
        provider = "a"
        model = "small-at-a"
        price = { prompt = "1", completion = "1" }
        [[models]]
        id = "acme/large"
        context_length = 64000
        [[models.endpoints]]
        provider = "a"
        model = "large-at-a"
        context_length = 16000
        price = { prompt = "1", completion = "1" }
        [[models.endpoints]]
        provider = "b"
        model = "large-at-b"
        price = { prompt = "2", completion = "2" }
        [[models]]
        id = "acme/claude"
        context_length = 200000
        [[models.endpoints]]
        provider = "d"
        model = "claude-at-d"
        price = { prompt = "1", completion = "1" }
        "#,
    )
}

fn station() -> Station {
    setup().start(ReplayTransport::answering(|_, _| {
        fixtures::answer("Hi", 5, 2)
    }))
}

/// About so many thousand tokens of conversation, with a system prompt and a last question.
fn talk(thousands: usize) -> Value {
    let words = "the quick brown fox jumps over the lazy dog ".repeat(11);
    let mut messages = vec![json!({"role": "system", "content": "Answer in one line."})];
    for turn in 0..thousands * 5 {
        messages.push(json!({"role": "user", "content": format!("{turn}: {words}")}));
        messages.push(json!({"role": "assistant", "content": format!("{turn}. {words}")}));
    }
    messages.push(json!({"role": "user", "content": "So what is it?"}));
    messages.into()
}

const ON: &str = "context-compression";

/// The messages that went upstream last.
fn sent(station: &Station) -> Vec<Value> {
    let bodies = station.bodies();
    bodies.last().expect("a call")["messages"]
        .as_array()
        .expect("messages")
        .clone()
}

/// Statement 120.
#[tokio::test(start_paused = true)]
async fn an_overlong_prompt_is_made_to_fit_and_the_reply_says_so() {
    let station = station();
    let messages = talk(20);
    let body = json!({"messages": messages, "plugins": [{"id": ON}], "provider": {"only": ["A"]}});
    let got = station.chat(asking("acme/large", body)).await;
    got.ok();
    let sent = sent(&station);
    let all = messages.as_array().expect("messages");
    assert_eq!(sent.first(), all.first(), "the system prompt stays");
    assert_eq!(sent.get(1), all.get(1), "the first question stays");
    assert_eq!(sent.last(), all.last(), "the last question stays");
    assert!(sent.len() < all.len());
    let cut: usize = got
        .header("x-waystation-compressed")
        .expect("a count")
        .parse()
        .expect("a number");
    assert!(
        (all.len() - sent.len()..=all.len() - sent.len() + 1).contains(&cut),
        "{cut}"
    );
    let size: usize = sent
        .iter()
        .map(|message| message["content"].as_str().map_or(0, str::len))
        .sum();
    assert!(size / 5 < 16_000, "{size} bytes");
}

/// Statement 120: the stage is recorded for those who ask for metadata.
#[tokio::test(start_paused = true)]
async fn the_stage_is_in_the_metadata() {
    let station = station();
    let body = asking(
        "acme/large",
        json!({"messages": talk(20), "plugins": [{"id": ON}], "provider": {"only": ["A"]}}),
    );
    let mut request =
        Station::request(http::Method::POST, "/v1/chat/completions", body.to_string());
    let name = http::HeaderName::from_static("x-openrouter-metadata");
    request
        .headers_mut()
        .insert(name, http::HeaderValue::from_static("enabled"));
    let got = station.whole(request).await.ok();
    let stage = &got["openrouter_metadata"]["pipeline"][0];
    assert_eq!(stage["type"], "context_compression", "{got}");
    assert_eq!(stage["data"]["engine"], "middle-out");
    assert_eq!(stage["data"]["original_count"], 202);
}

/// Statement 121.
#[tokio::test(start_paused = true)]
async fn without_the_plugin_a_large_context_is_not_compressed() {
    let station = station();
    let body = json!({"messages": talk(80)});
    let error = station.chat(asking("acme/large", body)).await.error(400);
    assert_eq!(error["error_type"], "context_length_exceeded");
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|m| m.contains("context-compression")),
        "{error}"
    );
    assert_eq!(station.upstream().calls(), 0);
}

/// Statement 122.
#[tokio::test(start_paused = true)]
async fn a_small_context_compresses_by_default_and_not_when_told_so() {
    let station = station();
    let got = station
        .chat(asking("acme/small", json!({"messages": talk(6)})))
        .await;
    got.ok();
    assert!(got.header("x-waystation-compressed").is_some());
    for no in [
        json!({"plugins": [{"id": ON, "enabled": false}]}),
        json!({"transforms": []}),
    ] {
        let calls = station.upstream().calls();
        let mut body = asking("acme/small", json!({"messages": talk(6)}));
        body.as_object_mut()
            .expect("an object")
            .extend(no.as_object().expect("an object").clone());
        let error = station.chat(body).await.error(400);
        assert_eq!(error["error_type"], "context_length_exceeded");
        assert_eq!(station.upstream().calls(), calls);
    }
}

/// A prompt that fits goes as it came, byte for byte, and nothing is said.
#[tokio::test(start_paused = true)]
async fn what_fits_is_not_touched() {
    let station = station();
    for model in ["acme/small", "acme/large"] {
        let messages = talk(1);
        let body = json!({"messages": messages, "plugins": [{"id": ON}]});
        let got = station.chat(asking(model, body)).await;
        got.ok();
        assert_eq!(Value::from(sent(&station)), messages);
        assert_eq!(got.header("x-waystation-compressed"), None);
    }
}

/// Statement 123: calls and results stay together.
#[tokio::test(start_paused = true)]
async fn tool_calls_and_their_results_are_never_parted() {
    let station = station();
    let log = "12:04 INFO the pump in hall B is stable\n".repeat(30);
    let mut messages = vec![json!({"role": "user", "content": "Why does the alarm fire?"})];
    for step in 0..60 {
        let ids: Vec<String> = (0..1 + step % 2)
            .map(|n| format!("call_{step}_{n}"))
            .collect();
        let calls = ids.iter().map(|id| {
            json!({"id": id, "type": "function", "function": {"name": "read", "arguments": "{\"n\": 1}"}})
        });
        let calls: Vec<Value> = calls.collect();
        messages.push(json!({"role": "assistant", "content": null, "tool_calls": calls}));
        for id in ids {
            messages.push(json!({"role": "tool", "tool_call_id": id, "content": log}));
        }
    }
    messages.push(json!({"role": "user", "content": "And now?"}));
    let body = json!({"messages": messages, "plugins": [{"id": ON}], "provider": {"only": ["A"]}});
    station.chat(asking("acme/large", body)).await.ok();
    let mut open: Vec<String> = Vec::new();
    for message in sent(&station) {
        if let Some(id) = message["tool_call_id"].as_str() {
            let at = open.iter().position(|call| call == id);
            open.remove(at.expect("a result has its call"));
            continue;
        }
        assert!(open.is_empty(), "{open:?} have no result");
        let calls = message["tool_calls"].as_array().into_iter().flatten();
        open.extend(calls.map(|call| call["id"].as_str().expect("an id").to_owned()));
    }
    assert!(open.is_empty());
}

/// Statement 123: beyond the provider's cap on messages both halves stay.
#[tokio::test(start_paused = true)]
async fn beyond_the_cap_on_messages_the_halves_are_kept() {
    let station = setup().start(ReplayTransport::answering(|_, _| {
        let reply = json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-at-d",
            "content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn",
            "stop_sequence": null, "usage": {"input_tokens": 5, "output_tokens": 2},
        });
        Reply::json(200, reply.to_string())
    }));
    let turn = |at: usize| {
        let role = if at.is_multiple_of(2) {
            "user"
        } else {
            "assistant"
        };
        json!({"role": role, "content": format!("turn {at}")})
    };
    let messages: Vec<Value> = (0..1501).map(turn).collect();
    let body = json!({"messages": messages, "plugins": [{"id": ON}], "max_tokens": 100});
    let got = station.chat(asking("acme/claude", body)).await;
    got.ok();
    let sent = sent(&station);
    assert!((990..=1000).contains(&sent.len()), "{}", sent.len());
    let text = |at: usize| sent[at].to_string();
    assert!(text(480).contains("turn 480") && text(sent.len() - 480).contains("turn 1021"));
    assert!(
        sent.windows(2)
            .all(|pair| pair[0]["role"] != pair[1]["role"]),
        "turns are kept"
    );
}

/// Statement 124.
#[tokio::test(start_paused = true)]
async fn transforms_are_the_older_spelling() {
    let station = station();
    let body =
        json!({"messages": talk(20), "transforms": ["middle-out"], "provider": {"only": ["A"]}});
    let got = station.chat(asking("acme/large", body)).await;
    got.ok();
    assert!(got.header("x-waystation-compressed").is_some());
}

/// A fallback to a larger endpoint sends more of the prompt, and the header speaks of what was sent.
#[tokio::test(start_paused = true)]
async fn a_fallback_compresses_anew_for_its_own_context() {
    let station = setup().start(
        ReplayTransport::hosts()
            .at("a.mock", [Reply::json(500, "{}")])
            .at("b.mock", [fixtures::answer("Hi", 5, 2)]),
    );
    let messages = talk(25);
    let body = json!({"messages": messages, "plugins": [{"id": ON}]});
    let got = station.chat(asking("acme/large", body)).await;
    got.ok();
    assert_eq!(station.asked(), ["a", "b"]);
    let bodies = station.bodies();
    let count = |at: usize| bodies[at]["messages"].as_array().map_or(0, Vec::len);
    let all = messages.as_array().map_or(0, Vec::len);
    assert!(count(0) < all);
    assert_eq!(count(1), all, "the larger one gets all of it");
    assert_eq!(got.header("x-waystation-compressed"), None);
}

/// Endpoints with half of the room that is needed go before smaller ones; the largest of all where
/// there are none.
#[tokio::test(start_paused = true)]
async fn the_endpoint_with_half_of_the_room_is_chosen() {
    let station = station();
    let asked = |thousands: usize| {
        let body = json!({"messages": talk(thousands), "plugins": [{"id": ON}]});
        asking("acme/large", body)
    };
    station.chat(asked(25)).await.ok();
    station.chat(asked(45)).await.ok();
    station.chat(asked(160)).await.ok();
    assert_eq!(station.asked(), ["a", "b", "b"]);
}

/// What cannot be made to fit is refused with what to do.
#[tokio::test(start_paused = true)]
async fn a_system_prompt_that_is_too_long_is_refused() {
    let station = station();
    let messages = json!([
        {"role": "system", "content": "the rules are these ".repeat(2_000)},
        {"role": "user", "content": "Hi"},
    ]);
    let error = station
        .chat(asking("acme/small", json!({"messages": messages})))
        .await
        .error(400);
    assert_eq!(error["error_type"], "context_length_exceeded");
    let message = error["message"].as_str().expect("a message");
    assert!(message.contains("shorten the system prompt"), "{message}");
    assert_eq!(station.upstream().calls(), 0);
}

/// The operator may compress everywhere, and may have the last word.
#[tokio::test(start_paused = true)]
async fn the_operator_decides() {
    let start = |config: &str| {
        let answer = |_: &_, _| fixtures::answer("Hi", 5, 2);
        setup()
            .config(config)
            .start(ReplayTransport::answering(answer))
    };
    let on = start("[plugins.context-compression]\nenabled = true");
    let got = on
        .chat(asking("acme/large", json!({"messages": talk(80)})))
        .await;
    got.ok();
    assert!(got.header("x-waystation-compressed").is_some());
    let off = start("[plugins.context-compression]\nprevent_overrides = true");
    let body = json!({"messages": talk(6), "plugins": [{"id": ON}]});
    off.chat(asking("acme/small", body)).await.error(400);
}

/// `"engine": "extract"` keeps what the last question asks for.
#[tokio::test(start_paused = true)]
async fn extract_keeps_what_is_asked_for() {
    let station = station();
    let mut messages = talk(20);
    messages[100]["content"] = json!(format!(
        "{} The boiler valve in hall B has the part number HX-1297C. {}",
        "the quick brown fox jumps over the lazy dog. ".repeat(5),
        "the quick brown fox jumps over the lazy dog. ".repeat(5),
    ));
    let last = messages.as_array().map_or(0, Vec::len) - 1;
    messages[last]["content"] = json!("Which part number has the boiler valve in hall B?");
    let body = |engine: &str| {
        let body = json!({"messages": messages, "plugins": [{"id": ON, "engine": engine}], "provider": {"only": ["A"]}});
        asking("acme/large", body)
    };
    station.chat(body("extract")).await.ok();
    assert!(Value::from(sent(&station)).to_string().contains("HX-1297C"));
    station.chat(body("middle-out")).await.ok();
    assert!(!Value::from(sent(&station)).to_string().contains("HX-1297C"));
    let error = station.chat(body("zip")).await.error(400);
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|m| m.contains("\"middle-out\" or \"extract\"")),
        "{error}"
    );
}

/// What `explain` says of a prompt that would be compressed is what would be done.
#[tokio::test(start_paused = true)]
async fn explain_knows_that_it_would_be_compressed() {
    let station = station();
    let body = asking("acme/small", json!({"messages": talk(6)}));
    let request = Station::request(http::Method::POST, "/v1/route/explain", body.to_string());
    let plan = station.whole(request).await.ok();
    assert_eq!(plan["attempts"].as_array().map(Vec::len), Some(1), "{plan}");
}
