//! Streams: their shape, their end, and what happens when an upstream dies, stalls or trickles.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::{Event, Setup, Station, Streamed, ask, event, tool_stream};

const USAGE: &str =
    r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}"#;

fn answering(pieces: &'static [&'static str]) -> Station {
    let stream = move |_: &_, _| fixtures::answer_stream(pieces, 5, 2);
    Setup::mocks().start(ReplayTransport::answering(stream))
}

fn hosts(a: Reply, b: Reply) -> Station {
    Setup::mocks().start(ReplayTransport::hosts().at("a.mock", [a]).at("b.mock", [b]))
}

fn good() -> Reply {
    fixtures::answer_stream(&["From ", "B"], 5, 2)
}

/// The bytes of a stream up to and with its `count`-th event.
fn events(texts: &[String], count: usize) -> usize {
    texts
        .iter()
        .take(count)
        .map(|text| text.len() + "data: \n\n".len())
        .sum()
}

/// Statement 16.
#[tokio::test(start_paused = true)]
async fn deltas_add_up_to_the_content_and_done_is_last() {
    let station = answering(&["Hel", "lo, ", "wörld", "\n\u{1F30D}"]);
    let got = station.stream(ask(json!({}))).await;
    assert_eq!(got.header("content-type"), Some("text/event-stream"));
    assert_eq!(got.content(), "Hello, wörld\n\u{1F30D}");
    assert_eq!(got.finish().as_deref(), Some("stop"));
    assert!(got.text().ends_with("data: [DONE]\n\n"));
    let chunks = got.chunks();
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    for chunk in &chunks {
        assert_eq!(chunk["object"], "chat.completion.chunk");
        for choice in chunk["choices"].as_array().unwrap() {
            assert!(choice.get("finish_reason").is_some() && choice.get("delta").is_some());
        }
    }
    let finish: Vec<&Value> = chunks
        .iter()
        .filter(|c| c["choices"][0]["finish_reason"].is_string())
        .collect();
    assert_eq!(finish.len(), 1);
    assert_eq!(finish[0]["choices"][0]["native_finish_reason"], "stop");
}

/// Statement 16, for any cut of the upstream's bytes.
#[tokio::test(start_paused = true)]
async fn the_cut_of_the_network_does_not_show() {
    for size in [1, 2, 3, 7, 64, 4096] {
        let stream =
            fixtures::answer_stream(&["Grüße ", "\u{1F30D}", "\\\"quoted\\\""], 5, 2).chunked(size);
        let station = Setup::mocks().start(ReplayTransport::queue([stream]));
        let got = station.stream(ask(json!({}))).await;
        assert_eq!(
            got.content(),
            "Grüße \u{1F30D}\\\"quoted\\\"",
            "pieces of {size}"
        );
        assert_eq!(got.usage()["total_tokens"], 7);
    }
}

fn assert_one_usage(got: &Streamed) {
    let chunks = got.chunks();
    let with: Vec<usize> = (0..chunks.len())
        .filter(|at| chunks[*at].get("usage").is_some_and(|u| !u.is_null()))
        .collect();
    assert_eq!(with, [chunks.len() - 1], "{}", got.text());
    let last = chunks.last().unwrap();
    assert_eq!(last["choices"], json!([]));
    let usage = &last["usage"];
    assert_eq!(
        (&usage["prompt_tokens"], &usage["completion_tokens"]),
        (&json!(5), &json!(2))
    );
    assert!(usage["cost"].is_number(), "{usage}");
}

/// Statement 17.
#[tokio::test(start_paused = true)]
async fn one_chunk_bears_the_usage_and_it_is_the_last() {
    assert_one_usage(&answering(&["Hello"]).stream(ask(json!({}))).await);
    // Hosts that send the counts with the finish, or on every chunk, are put in order.
    let early = Reply::sse([
        r#"{"id":"1","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}}"#,
        r#"{"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}"#,
        "[DONE]",
    ]);
    let station = Setup::mocks().start(ReplayTransport::queue([early]));
    assert_one_usage(&station.stream(ask(json!({}))).await);
}

/// Statement 18.
#[tokio::test(start_paused = true)]
async fn usage_comes_whatever_include_usage_says() {
    for options in [
        json!({"include_usage": false}),
        json!({"include_usage": true}),
        json!({}),
        Value::Null,
    ] {
        let station = answering(&["Hello"]);
        let got = station
            .stream(ask(json!({"stream_options": options})))
            .await;
        assert_one_usage(&got);
        assert_eq!(
            station.bodies()[0]["stream_options"],
            json!({"include_usage": true})
        );
    }
}

/// Statement 19.
#[tokio::test(start_paused = true)]
async fn a_slow_provider_is_bridged_with_comments() {
    let slow = fixtures::answer_stream(&["Hello"], 5, 2).delay(41_000);
    let station = Setup::mocks().start(ReplayTransport::queue([slow]));
    let begin = Instant::now();
    let mut opened = station.open(ask(json!({"stream": true}))).await;
    assert_eq!(opened.status(), 200);
    let first = opened.frame().await.unwrap();
    assert_eq!(
        begin.elapsed(),
        Duration::from_secs(10),
        "keepalive_first_ms"
    );
    assert!(first.starts_with(b":"), "{first:?}");
    opened.frame().await.unwrap();
    assert_eq!(
        begin.elapsed(),
        Duration::from_secs(25),
        "keepalive_ms later"
    );
    let got = opened.rest().await;
    assert_eq!(got.content(), "Hello");
    assert_eq!(got.comments(), 1);
    // No comment inside of the stream's data, and none after the first data here.
    let first_data = got
        .events
        .iter()
        .position(|event| matches!(event, Event::Chunk(_)))
        .unwrap();
    assert_eq!(first_data, 1);
}

/// Section 1.8: silence in the midst of a stream is bridged as well.
#[tokio::test(start_paused = true)]
async fn a_pause_in_the_midst_is_bridged_too() {
    let slow = fixtures::answer_stream(&["Hel", "lo"], 5, 2).gap(40_000);
    let station = Setup::mocks().start(ReplayTransport::queue([slow]));
    let got = station.stream(ask(json!({}))).await;
    assert_eq!(got.content(), "Hello");
    let first = got
        .events
        .iter()
        .position(|event| matches!(event, Event::Chunk(_)))
        .unwrap();
    assert!(
        got.events[first..]
            .iter()
            .any(|event| matches!(event, Event::Comment(_))),
        "{}",
        got.text()
    );
}

/// Section 1.8, "commit trade-off": a failure before the first comment keeps its own status.
#[tokio::test(start_paused = true)]
async fn a_fast_failure_keeps_its_status() {
    let down = ReplayTransport::answering(|_, _| fixtures::error(503, "no capacity").delay(500));
    let station = Setup::mocks().start(down);
    let mut body = ask(json!({}));
    body["stream"] = json!(true);
    station.chat(body).await.error(503);
}

/// Section 1.8: after a comment a failure is told in band, with a choice, and the stream ends.
#[tokio::test(start_paused = true)]
async fn a_late_failure_is_told_in_band() {
    let down = ReplayTransport::answering(|_, _| fixtures::error(503, "no capacity").delay(15_000));
    let station = Setup::mocks().start(down);
    let got = station.stream(ask(json!({}))).await;
    assert!(got.comments() > 0);
    let chunks = got.chunks();
    let last = chunks.last().unwrap();
    assert_eq!(last["error"]["code"], 503);
    assert!(
        last["error"]["message"]
            .as_str()
            .unwrap()
            .contains("no capacity")
    );
    assert_eq!(last["choices"][0]["finish_reason"], "error");
    assert_eq!(got.header("x-generation-id"), last["id"].as_str());
}

/// Statement 20.
#[tokio::test(start_paused = true)]
async fn tool_calls_stream_with_an_index_and_name_themselves_once() {
    for size in [1, 5, 4096] {
        let station = Setup::mocks().start(ReplayTransport::queue([tool_stream().chunked(size)]));
        let got = station
            .stream(ask(json!({"tools": [
            {"type": "function", "function": {"name": "weather"}},
            {"type": "function", "function": {"name": "time"}}]})))
            .await;
        let chunks = got.chunks();
        let deltas: Vec<&Value> = chunks
            .iter()
            .filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].as_array())
            .flatten()
            .collect();
        for (index, (id, name, arguments)) in [
            ("call_a", "weather", json!({"city": "Zürich"})),
            ("call_b", "time", json!({"zone": "CET"})),
        ]
        .into_iter()
        .enumerate()
        {
            let own: Vec<&&Value> = deltas
                .iter()
                .filter(|call| call["index"] == index)
                .collect();
            let ids: Vec<&Value> = own.iter().filter_map(|call| call.get("id")).collect();
            let names: Vec<&Value> = own
                .iter()
                .filter_map(|call| call["function"].get("name"))
                .collect();
            assert_eq!((ids, names), (vec![&json!(id)], vec![&json!(name)]));
            assert_eq!(own[0]["type"], "function");
            let text: String = own
                .iter()
                .map(|call| call["function"]["arguments"].as_str().unwrap())
                .collect();
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), arguments);
        }
        assert!(deltas.iter().all(|call| call["index"].is_u64()));
        assert_eq!(got.finish().as_deref(), Some("tool_calls"));
    }
}

/// Statement 21.
#[tokio::test(start_paused = true)]
async fn a_provider_that_dies_before_its_first_token_is_not_seen() {
    let role = event(json!({"role": "assistant", "content": ""}), None);
    let reset = || fixtures::answer_stream(&["From A"], 5, 2);
    for (a, why) in [
        (reset().cut_after(0), "headers alone"),
        (reset().cut_after(20), "half a role chunk"),
        (
            reset().cut_after(events(std::slice::from_ref(&role), 1) + 30),
            "a role chunk",
        ),
        (Reply::sse([role.as_str()]), "a role chunk and a proper end"),
        (
            Reply::sse([r#"{"error":{"message":"overloaded","code":529}}"#]),
            "an error in band",
        ),
        (
            Reply::sse([role.as_str(), r#"{"error":{"message":"boom"}}"#]),
            "a role, then an error",
        ),
        (Reply::stream(""), "nothing at all"),
        (Reply::stream("<html>bad gateway</html>"), "a page"),
    ] {
        let station = hosts(a, good());
        let got = station.stream(ask(json!({}))).await;
        assert_eq!(got.content(), "From B", "{why}");
        let chunks = got.chunks();
        assert!(chunks.iter().all(|chunk| chunk["provider"] == "B"), "{why}");
        assert!(
            chunks.iter().all(|chunk| chunk.get("error").is_none()),
            "{why}"
        );
        assert_eq!(station.asked(), ["a", "b"], "{why}");
        let roles = chunks
            .iter()
            .filter(|c| c["choices"][0]["delta"].get("role").is_some());
        assert_eq!(roles.count(), 1, "{why}");
    }
}

fn assert_broke(got: &Streamed, text: &str, kind: &str) {
    assert_eq!(got.content(), text);
    let chunks = got.chunks();
    let last = chunks.last().unwrap();
    let error = &last["error"];
    assert!(error["code"].as_u64().unwrap() >= 400, "{last}");
    assert_eq!(error["metadata"]["error_type"], kind, "{last}");
    assert_eq!(error["metadata"]["provider_name"], "A");
    assert!(
        error["message"].as_str().unwrap().starts_with("A: "),
        "{last}"
    );
    assert_eq!(last["choices"][0]["finish_reason"], "error");
    assert_eq!(last["choices"][0]["delta"]["content"], "");
    assert!(!got.text().contains("From B"));
}

/// Statement 22.
#[tokio::test(start_paused = true)]
async fn a_provider_that_dies_after_its_first_token_ends_the_stream_with_an_error() {
    let texts: Vec<String> = ["One ", "two ", "three"]
        .iter()
        .map(|text| event(json!({"content": text}), None))
        .collect();
    for (a, why) in [
        (
            Reply::sse(&texts).cut_after(events(&texts, 2)),
            "cut between events",
        ),
        (
            Reply::sse(&texts).cut_after(events(&texts, 2) + 20),
            "cut in an event",
        ),
        (
            Reply::sse([
                &texts[0],
                &texts[1],
                &r#"{"error":{"message":"boom","code":500}}"#.to_owned(),
            ]),
            "an error in band",
        ),
    ] {
        let station = hosts(a, good());
        let got = station.stream(ask(json!({}))).await;
        assert_eq!(got.status, 200, "{why}");
        assert_broke(&got, "One two ", "provider_unavailable");
        assert_eq!(station.asked(), ["a"], "{why}");
    }
}

/// Statement 24.
#[tokio::test(start_paused = true)]
async fn an_end_without_a_finish_reason_is_an_error_and_never_a_silent_stop() {
    let text = event(json!({"content": "Half a"}), None);
    for a in [
        Reply::sse([text.as_str()]),
        Reply::sse([text.as_str(), "[DONE]"]),
        Reply::sse([text.as_str(), USAGE, "[DONE]"]),
    ] {
        let station = hosts(a, good());
        let got = station.stream(ask(json!({}))).await;
        assert_broke(&got, "Half a", "provider_unavailable");
    }
    let nothing = Reply::sse([USAGE, "[DONE]"]);
    assert_eq!(
        hosts(nothing, good())
            .stream(ask(json!({})))
            .await
            .content(),
        "From B"
    );
}

/// Statement 25: ten minutes of trickle survive.
#[tokio::test(start_paused = true)]
async fn a_trickle_of_ten_minutes_survives() {
    let words: Vec<String> = (0..30).map(|n| format!("{n} ")).collect();
    let pieces: Vec<&str> = words.iter().map(String::as_str).collect();
    let slow = fixtures::answer_stream(&pieces, 5, 30).gap(30_000);
    let station = Setup::mocks().start(ReplayTransport::queue([slow]));
    let begin = Instant::now();
    let got = station.stream(ask(json!({}))).await;
    assert_eq!(got.content(), words.concat());
    assert!(
        begin.elapsed() > Duration::from_secs(900),
        "{:?}",
        begin.elapsed()
    );
}

/// Statement 25: a gap beyond the limit is an error of type timeout.
#[tokio::test(start_paused = true)]
async fn a_gap_beyond_the_limit_is_a_timeout() {
    let texts = [
        event(json!({"content": "One "}), None),
        event(json!({"content": "two"}), None),
    ];
    let stalls = Reply::sse(&texts).stall_after(events(&texts, 1));
    let station = hosts(stalls, good());
    let begin = Instant::now();
    let got = station.stream(ask(json!({}))).await;
    assert_broke(&got, "One ", "timeout");
    assert_eq!(begin.elapsed(), Duration::from_secs(60));
    assert_eq!(station.upstream().open(), 0, "the upstream is let go");
}

/// Statement 25: comments of the upstream keep a stream alive.
#[tokio::test(start_paused = true)]
async fn an_upstreams_comments_restart_the_idle_limit() {
    let mut bytes = Vec::new();
    let pad = |text: &str| format!("{text:<64}");
    bytes.extend(
        pad(&format!(
            "data: {}\n\n",
            r#"{"choices":[{"delta":{"content":"a"}}]}"#
        ))
        .into_bytes(),
    );
    for _ in 0..4 {
        bytes.extend(pad(": ping\n\n").into_bytes());
    }
    let end = r#"data: {"choices":[{"delta":{"content":"b"},"finish_reason":"stop"}]}"#;
    bytes.extend(format!("\n\n{end}\n\ndata: [DONE]\n\n").into_bytes());
    let slow = Reply::stream(bytes).chunked(64).gap(50_000);
    let station = Setup::mocks().start(ReplayTransport::queue([slow]));
    assert_eq!(station.stream(ask(json!({}))).await.content(), "ab");
}

/// Statement 26.
#[tokio::test(start_paused = true)]
async fn an_upstreams_comments_are_never_relayed() {
    let text = event(json!({"content": "Hi"}), Some("stop"));
    let bytes = format!(
        ": UPSTREAM PROCESSING\n\n:\n\ndata: {text}\n\n: bye\n\n: data: {{}}\n\ndata: [DONE]\n\n"
    );
    for size in [1, 4096] {
        let station = Setup::mocks().start(ReplayTransport::queue([
            Reply::stream(bytes.clone()).chunked(size)
        ]));
        let got = station.stream(ask(json!({}))).await;
        assert_eq!(got.content(), "Hi");
        assert_eq!(got.comments(), 0, "{}", got.text());
        assert!(!got.text().contains("PROCESSING") && !got.text().contains("bye"));
    }
}

/// Statement 28.
#[tokio::test(start_paused = true)]
async fn id_model_and_created_are_the_same_on_all_chunks() {
    let drifting = Reply::sse([
        r#"{"id":"x1","model":"m1","created":1,"choices":[{"index":0,"delta":{"content":"a"}}]}"#,
        r#"{"id":"x2","model":"m2","created":2,"choices":[{"index":0,"delta":{"content":"b"}}]}"#,
        r#"{"id":"x3","model":"m3","created":3,"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        USAGE,
        "[DONE]",
    ]);
    let station = Setup::mocks().start(ReplayTransport::queue([drifting]));
    let chunks = station.stream(ask(json!({}))).await.chunks();
    for key in ["id", "model", "created", "provider", "object"] {
        assert!(
            chunks.iter().all(|chunk| chunk[key] == chunks[0][key]),
            "{key}"
        );
    }
    assert_eq!(chunks[0]["model"], "acme/m");
    assert!(chunks[0]["id"].as_str().unwrap().starts_with("gen-"));
}

/// Section 1.4: reasoning streams in fields of its own.
#[tokio::test(start_paused = true)]
async fn reasoning_streams_beside_the_content() {
    let stream = || {
        Reply::sse([
            event(
                json!({"role": "assistant", "reasoning_content": "Let me "}),
                None,
            ),
            event(json!({"reasoning_content": "think"}), None),
            event(json!({"content": "42"}), None),
            event(json!({}), Some("stop")),
            USAGE.to_owned(),
            "[DONE]".to_owned(),
        ])
    };
    let station = Setup::mocks().start(ReplayTransport::queue([stream(), stream()]));
    let got = station.stream(ask(json!({}))).await;
    let chunks = got.chunks();
    let thought: String = chunks
        .iter()
        .filter_map(|c| c["choices"][0]["delta"]["reasoning"].as_str())
        .collect();
    assert_eq!(
        (thought.as_str(), got.content().as_str()),
        ("Let me think", "42")
    );
    let got = station
        .stream(ask(json!({"reasoning": {"exclude": true}})))
        .await;
    assert_eq!(got.content(), "42");
    assert!(!got.text().contains("think"), "{}", got.text());
}

/// Interfaces, `max_streams`: beyond it requests are refused with a hint, streamed or whole, and places
/// come back.
#[tokio::test(start_paused = true)]
async fn streams_have_places_and_give_them_back() {
    let stalling = |_: &_, _| fixtures::answer_stream(&["Hi"], 5, 2).gap(1_000);
    let setup = Setup::mocks().config("[server]\nmax_streams = 1");
    let station = setup.start(ReplayTransport::answering(stalling));
    let body = ask(json!({"stream": true}));
    let first = station.open(body.clone()).await;
    let refused = station.chat(body.clone()).await;
    assert_eq!(refused.error(503)["error_type"], "provider_overloaded");
    assert_eq!(refused.header("retry-after"), Some("1"));
    let refused = station.chat(ask(json!({}))).await;
    assert_eq!(refused.error(503)["error_type"], "provider_overloaded");
    drop(first);
    assert_eq!(station.stream(body).await.content(), "Hi");
}

/// `n` choices stream side by side, each with its own role and finish.
#[tokio::test(start_paused = true)]
async fn several_choices_stream_side_by_side() {
    let piece = |index: u64, delta: Value, finish: Value| {
        json!({"id": "1", "choices": [{"index": index, "delta": delta, "finish_reason": finish}]})
            .to_string()
    };
    let stream = Reply::sse([
        piece(0, json!({"content": "a"}), Value::Null),
        piece(1, json!({"content": "b"}), Value::Null),
        piece(1, json!({}), json!("length")),
        piece(0, json!({}), json!("stop")),
        USAGE.to_owned(),
        "[DONE]".to_owned(),
    ]);
    let station = Setup::mocks().start(ReplayTransport::queue([stream]));
    let chunks = station.stream(ask(json!({"n": 2}))).await.chunks();
    for (index, text, finish) in [(0, "a", "stop"), (1, "b", "length")] {
        let own: Vec<&Value> = chunks
            .iter()
            .map(|c| &c["choices"][0])
            .filter(|c| c["index"] == index)
            .collect();
        let said: String = own
            .iter()
            .filter_map(|c| c["delta"]["content"].as_str())
            .collect();
        let ended: Vec<&str> = own
            .iter()
            .filter_map(|c| c["finish_reason"].as_str())
            .collect();
        assert_eq!((said.as_str(), ended), (text, vec![finish]));
        assert_eq!(own[0]["delta"]["role"], "assistant");
    }
}
