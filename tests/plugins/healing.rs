//! `response-healing` through the gateway. Statements 117 to 119.

use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, fixtures};
use waystation_tests::{Setup, Station, ask, completion, event};

fn saying(text: &str) -> Station {
    let text = text.to_owned();
    Setup::mocks().start(ReplayTransport::answering(move |_, _| {
        fixtures::answer(&text, 5, 2)
    }))
}

fn healed(more: Value) -> Value {
    let mut body = json!({
        "plugins": [{"id": "response-healing"}], "response_format": {"type": "json_object"},
    });
    body.as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("an object").clone());
    ask(body)
}

/// Statement 117.
#[tokio::test(start_paused = true)]
async fn damaged_json_parses() {
    for damaged in [
        "```json\n{\"a\": [1, 2]}\n```",
        "Here you are: {\"a\": [1, 2]} Anything else?",
        "{\"a\": [1, 2,],}",
        "{a: [1, 2]}",
        "{\"a\": [1, 2]",
        "<think>{\"no\": 1}</think>{'a': (1, 2)}",
    ] {
        let content = saying(damaged).chat(healed(json!({}))).await.content();
        let value: Value =
            serde_json::from_str(&content).unwrap_or_else(|e| panic!("{e}: {content}"));
        assert_eq!(value, json!({"a": [1, 2]}), "{damaged}");
    }
}

/// Statement 117.
#[tokio::test(start_paused = true)]
async fn valid_json_is_the_same_byte_for_byte() {
    for valid in [
        "{\"a\" :\t1, \"b\":\"\\u00e9 {\"}\n",
        "[ ]",
        " {\"z\":1e5,\"z\":2}",
    ] {
        assert_eq!(saying(valid).chat(healed(json!({}))).await.content(), valid);
    }
}

/// Statement 118.
#[tokio::test(start_paused = true)]
async fn without_a_json_format_or_without_the_plugin_nothing_is_touched() {
    let damaged = "```json\n{a: 1,}\n```";
    let station = saying(damaged);
    let plain = station
        .chat(healed(json!({"response_format": {"type": "text"}})))
        .await;
    assert_eq!(plain.content(), damaged);
    let unlisted = station.chat(healed(json!({"plugins": []}))).await;
    assert_eq!(unlisted.content(), damaged);
    let off = json!({"plugins": [{"id": "response-healing", "enabled": false}]});
    assert_eq!(station.chat(healed(off)).await.content(), damaged);
}

/// Statement 118.
#[tokio::test(start_paused = true)]
async fn a_stream_is_not_touched_and_not_held_back() {
    let pieces = ["```json\n", "{a: ", "1,}", "\n```"];
    let transport =
        || ReplayTransport::answering(move |_, _| fixtures::answer_stream(&pieces, 5, 4));
    let got = Setup::mocks()
        .start(transport())
        .stream(healed(json!({})))
        .await;
    assert_eq!(got.content(), pieces.concat());
    let whole = |chunk: &&Value| chunk["choices"][0]["delta"]["content"] == pieces[1];
    assert!(
        got.chunks().iter().any(|chunk| whole(&chunk)),
        "{}",
        got.text()
    );
    // Held back only for those who ask for it.
    let opted = json!({"plugins": [{"id": "response-healing", "stream": true}]});
    let got = Setup::mocks()
        .start(transport())
        .stream(healed(opted))
        .await;
    assert_eq!(got.content(), r#"{"a": 1}"#);
    assert_eq!(got.finish().as_deref(), Some("stop"));
}

/// Statement 119.
#[tokio::test(start_paused = true)]
async fn what_the_limit_cut_off_is_not_invented() {
    let cut = "{\"a\": 1, \"b\": \"tw";
    let station = Setup::mocks().start(ReplayTransport::answering(move |_, _| {
        let message = json!({"role": "assistant", "content": cut});
        completion(
            message,
            "length",
            json!({"prompt_tokens": 1, "completion_tokens": 1}),
        )
    }));
    assert_eq!(station.chat(healed(json!({}))).await.content(), cut);
    let opted = json!({"plugins": [{"id": "response-healing", "truncated": true}]});
    let content = station.chat(healed(opted)).await.content();
    assert_eq!(content, r#"{"a": 1, "b": "tw"}"#);
}

#[tokio::test(start_paused = true)]
async fn a_schema_directs_and_forbids() {
    let format = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {
        "type": "object", "additionalProperties": false, "required": ["n", "kind"],
        "properties": {"n": {"type": "integer"}, "kind": {"enum": ["bug", "wish"]}},
    }}});
    let with = |text: &str| (saying(text), healed(json!({"response_format": format})));
    let (station, body) = with("{\"n\": \"3\", \"kind\": \"Bug\", \"more\": 1}");
    assert_eq!(
        station.chat(body).await.content(),
        r#"{"n": 3, "kind": "bug"}"#
    );
    let (station, body) = with("{\"n\": 3}");
    assert_eq!(
        station.chat(body).await.content(),
        "{\"n\": 3}",
        "nothing is made up"
    );
}

/// Tool calls are the client's affair: their arguments stay, unless the entry says otherwise.
#[tokio::test(start_paused = true)]
async fn tool_arguments_are_touched_only_when_asked_for() {
    let damaged = "{\"city\": 'Oslo',}<|call|>";
    let calls = json!([{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": damaged}}]);
    let station = Setup::mocks().start(ReplayTransport::answering(move |_, _| {
        let message = json!({"role": "assistant", "content": null, "tool_calls": calls});
        completion(
            message,
            "tool_calls",
            json!({"prompt_tokens": 1, "completion_tokens": 1}),
        )
    }));
    let tools = json!([{"type": "function", "function": {"name": "weather", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}}}}]);
    let arguments =
        |got: Value| got["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"].clone();
    let got = station.chat(healed(json!({"tools": tools}))).await.ok();
    assert_eq!(arguments(got), damaged);
    let opted =
        json!({"tools": tools, "plugins": [{"id": "response-healing", "tool_arguments": true}]});
    assert_eq!(
        arguments(station.chat(healed(opted)).await.ok()),
        r#"{"city": "Oslo"}"#
    );
}

/// Only a stage that changed something is told of, and a failure is.
#[tokio::test(start_paused = true)]
async fn the_stage_is_in_the_metadata() {
    for (text, improved) in [
        ("{a: 1}", Some(true)),
        ("{\"a\": 1}", None),
        ("no JSON", Some(false)),
    ] {
        let station = saying(text);
        let mut request = Station::request(
            http::Method::POST,
            "/v1/chat/completions",
            healed(json!({})).to_string(),
        );
        let name = http::HeaderName::from_static("x-openrouter-metadata");
        request
            .headers_mut()
            .insert(name, http::HeaderValue::from_static("enabled"));
        let got = station.whole(request).await.ok();
        let stage = &got["openrouter_metadata"]["pipeline"][0];
        match improved {
            Some(improved) => {
                assert_eq!(stage["type"], "response_healing", "{got}");
                assert_eq!(stage["data"]["improved"], improved, "{stage}");
                assert_eq!(stage["data"]["mode"], "json_object");
            }
            None => assert!(stage.is_null(), "{stage}"),
        }
    }
}

/// Reasoning goes through at once; only the content waits.
#[tokio::test(start_paused = true)]
async fn reasoning_is_not_held_back() {
    let station = Setup::mocks().start(ReplayTransport::answering(|_, _| {
        waystation_sim::Reply::sse([
            event(json!({"role": "assistant", "reasoning": "hm"}), None),
            event(json!({"content": "{a:"}), None),
            event(json!({"content": " 1}"}), None),
            event(json!({}), Some("stop")),
            "[DONE]".to_owned(),
        ])
    }));
    let opted = json!({"plugins": [{"id": "response-healing", "stream": true}]});
    let got = station.stream(healed(opted)).await;
    let chunks = got.chunks();
    let at = |key: &str| {
        let held = |chunk: &&Value| {
            chunk["choices"][0]["delta"][key]
                .as_str()
                .is_some_and(|t| !t.is_empty())
        };
        chunks.iter().position(|chunk| held(&chunk))
    };
    assert!(at("reasoning") < at("content"), "{}", got.text());
    assert_eq!(got.content(), r#"{"a": 1}"#);
}
