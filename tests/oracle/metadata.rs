//! `openrouter_metadata`. Contract, section 2.6, statement 133.

use http::Method;
use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, fixtures};
use waystation_tests::{Event, Setup, Station, Streamed, Whole, ask};

const HEADER: &str = "x-openrouter-metadata";

async fn asked(station: &Station, header: (&str, &str), body: Value) -> Whole {
    let mut request = Station::request(Method::POST, "/v1/chat/completions", body.to_string());
    let name: http::HeaderName = header.0.parse().unwrap();
    request
        .headers_mut()
        .insert(name, header.1.parse().unwrap());
    station.whole(request).await
}

fn down_then_up() -> Station {
    Setup::mocks().start(
        ReplayTransport::hosts()
            .at(
                &fixtures::host("a"),
                [fixtures::error(503, "down for repairs")],
            )
            .at(&fixtures::host("b"), [fixtures::answer("Hi", 5, 2)]),
    )
}

#[tokio::test(start_paused = true)]
async fn s133_a_whole_reply_tells_how_it_was_routed() {
    let got = asked(&down_then_up(), (HEADER, "enabled"), ask(json!({})))
        .await
        .ok();
    let told = &got["openrouter_metadata"];
    assert_eq!(told["requested"], "acme/m");
    assert_eq!(told["strategy"], "direct");
    assert!(told["region"].is_null());
    assert_eq!(told["attempt"], 2);
    assert_eq!(told["is_byok"], false);
    assert_eq!(told["endpoints"]["total"], 3);
    let available = told["endpoints"]["available"].as_array().unwrap();
    let selected: Vec<_> = available.iter().map(|one| &one["selected"]).collect();
    assert_eq!(selected, [false, true, false]);
    assert_eq!(
        (&available[1]["provider"], &available[1]["model"]),
        (&json!("B"), &json!("acme/m"))
    );
    let statuses = told["attempts"].as_array().unwrap().iter();
    let statuses = statuses.map(|one| (one["provider"].as_str(), one["status"].as_u64()));
    let statuses: Vec<_> = statuses.collect();
    assert_eq!(statuses, [(Some("A"), Some(503)), (Some("B"), Some(200))]);
    let summary = told["summary"].as_str().unwrap();
    assert!(summary.contains("selected=B (sort:price)"), "{summary}");
    assert!(
        summary.contains("failed=A (provider_overloaded)"),
        "{summary}"
    );
}

#[tokio::test(start_paused = true)]
async fn s133_the_header_has_aliases_and_case_is_of_no_matter() {
    for (name, value, told) in [
        (HEADER, "ENABLED", true),
        ("x-openrouter-experimental-metadata", "enabled", true),
        ("x-waystation-metadata", "Enabled", true),
        (HEADER, "disabled", false),
        (HEADER, "true", false),
        ("x-other", "enabled", false),
    ] {
        let got = asked(&down_then_up(), (name, value), ask(json!({})))
            .await
            .ok();
        assert_eq!(
            got.get("openrouter_metadata").is_some(),
            told,
            "{name}: {value}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s133_a_stream_tells_it_on_the_last_chunk_before_done() {
    let streamed = |header: Option<&'static str>| async move {
        let station = Setup::mocks().start(ReplayTransport::hosts().at(
            &fixtures::host("a"),
            [fixtures::answer_stream(&["Hi"], 5, 2)],
        ));
        let body = ask(json!({"stream": true})).to_string();
        let mut request = Station::request(Method::POST, "/v1/chat/completions", body);
        if let Some(value) = header {
            request.headers_mut().insert(HEADER, value.parse().unwrap());
        }
        let got = station.whole(request).await;
        events(&got)
    };
    let chunks = streamed(Some("enabled")).await;
    let (last, before) = chunks.split_last().unwrap();
    assert_eq!(last["openrouter_metadata"]["attempt"], 1);
    assert!(last["usage"].is_object() && last["choices"].as_array().unwrap().is_empty());
    assert!(
        before
            .iter()
            .all(|chunk| chunk.get("openrouter_metadata").is_none())
    );
    let without = streamed(None).await;
    assert!(
        without
            .iter()
            .all(|chunk| chunk.get("openrouter_metadata").is_none())
    );
}

fn events(got: &Whole) -> Vec<Value> {
    let lines = got
        .text()
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    lines
        .filter(|line| *line != "[DONE]")
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn s133_a_404_tells_that_nothing_was_submitted() {
    let station = Setup::mocks().start(ReplayTransport::hosts());
    let body = ask(json!({"provider": {"only": ["nobody"]}}));
    let got = asked(&station, (HEADER, "enabled"), body.clone()).await;
    assert_eq!(
        got.error(404)["availability"]["excluded_by"],
        json!(["allowed_providers"])
    );
    let told = &got.json()["openrouter_metadata"];
    assert_eq!(
        (&told["attempt"], &told["requested"]),
        (&json!(0), &json!("acme/m"))
    );
    assert_eq!(told["endpoints"], json!({"total": 3, "available": []}));
    assert_eq!(told["params"]["unmatched_providers"], json!(["nobody"]));
    assert!(station.sent().is_empty());
    assert!(
        station
            .chat(body)
            .await
            .json()
            .get("openrouter_metadata")
            .is_none()
    );
}

#[tokio::test(start_paused = true)]
async fn s133_when_all_fail_the_attempts_are_told_and_nothing_is_selected() {
    let station = Setup::mocks().start(ReplayTransport::answering(|_, _| {
        fixtures::error(500, "down")
    }));
    let got = asked(&station, (HEADER, "enabled"), ask(json!({}))).await;
    got.error(503);
    let told = &got.json()["openrouter_metadata"];
    assert_eq!(told["attempt"], 3);
    let available = told["endpoints"]["available"].as_array().unwrap();
    assert!(available.iter().all(|one| one["selected"] == false));
}

#[tokio::test(start_paused = true)]
async fn s133_a_fault_of_the_gateway_and_a_refused_request_tell_nothing() {
    // An upstream failure of no known kind, alone and beside another, is the client's 500.
    let station = Setup::mocks().start(ReplayTransport::hosts());
    let refused = asked(&station, (HEADER, "enabled"), json!({"model": "acme/m"})).await;
    refused.error(400);
    assert!(refused.json().get("openrouter_metadata").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_fallback_says_so() {
    let station = Setup::mocks().start(
        ReplayTransport::hosts()
            .at(&fixtures::host("a"), [fixtures::error(500, "down")])
            .at(
                &fixtures::host("b"),
                [fixtures::error(500, "down"), fixtures::answer("Y", 5, 2)],
            ),
    );
    let body = json!({"models": ["acme/x", "acme/y"],
                      "messages": [{"role": "user", "content": "Hi"}]});
    let got = asked(&station, (HEADER, "enabled"), body).await.ok();
    let told = &got["openrouter_metadata"];
    assert_eq!(
        (&told["strategy"], &told["requested"]),
        (&json!("fallback"), &json!("acme/x"))
    );
    assert_eq!(got["model"], "acme/y");
}

#[tokio::test(start_paused = true)]
async fn names_that_match_nothing_are_told_on_failures_and_on_slow_streams_too() {
    let station = Setup::mocks().start(ReplayTransport::answering(|_, _| {
        fixtures::error(500, "down")
    }));
    let body = |more: Value| {
        let mut body = ask(json!({"provider": {"ignore": ["opneai", "c/trubo"]}}));
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        body
    };
    let got = station.chat(body(json!({}))).await;
    let warning = got.header("x-waystation-warning").unwrap();
    assert!(
        warning.contains("'opneai' matches no provider"),
        "{warning}"
    );
    assert!(
        warning.contains("'c/trubo' matches no endpoint"),
        "{warning}"
    );
    let only = ask(json!({"provider": {"only": ["nobody"]}}));
    let got = station.chat(only).await;
    assert!(
        got.header("x-waystation-warning")
            .unwrap()
            .contains("'nobody'")
    );
    let slow = Setup::mocks().start(ReplayTransport::answering(|_, _| {
        fixtures::answer_stream(&["Hi"], 5, 2).delay(30_000)
    }));
    let got: Streamed = slow.stream(body(json!({}))).await;
    assert!(matches!(got.events[0], Event::Comment(_)));
    assert!(
        got.header("x-waystation-warning")
            .unwrap()
            .contains("'opneai'")
    );
}
