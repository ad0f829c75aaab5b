//! What leaves for Anthropic Messages: addresses and headers, then the body, one thing at a time.
#![cfg(test)]

#[path = "support/target.rs"]
mod target;

use serde_json::{Value, json};
use target::{Host, chat};
use waystation_core::{
    AuthScheme, EncodeError, Lease, Parameter, ParameterSet, Quirks, Secret, ServiceTier, Tokens,
};

/// A host of `model`, of which the catalogue knows nothing but its name.
fn host(model: &str) -> Host {
    let mut host = Host::new("anthropic", model).with(Quirks::default());
    host.endpoint.dialect = "anthropic-messages".parse().unwrap();
    host.upstream.base_url = "https://api.anthropic.com".into();
    host.upstream.auth = AuthScheme::XApiKey;
    host
}

fn haiku() -> Host {
    host("claude-haiku-4-5")
}

/// The body and what was noted about it, as `field: what`.
fn encoded(host: &Host, request: &Value) -> (Value, Vec<String>) {
    let call = host.encode(&chat(&request.to_string()));
    let notes = call.notes.iter();
    let notes = notes.map(|note| format!("{}: {}", note.field, note.what));
    let body = serde_json::from_slice(&call.request.body).unwrap();
    (body, notes.collect())
}

/// The body for one user message and these members.
fn body(host: &Host, members: &Value) -> Value {
    let mut request = json!({"messages": [{"role": "user", "content": "Hi"}]});
    for (key, value) in members.as_object().unwrap() {
        request[key] = value.clone();
    }
    encoded(host, &request).0
}

/// The body's messages, or its system blocks, for these.
fn messages(messages: &Value) -> Value {
    encoded(&haiku(), &json!({ "messages": messages })).0["messages"].clone()
}

fn user(content: &Value) -> Value {
    json!([{"role": "user", "content": content}])
}

#[test]
fn requests_go_to_the_messages_address_with_version_and_key() {
    for (base, expected) in [
        (
            "https://api.anthropic.com",
            "https://api.anthropic.com/v1/messages",
        ),
        (
            "https://api.anthropic.com/v1/",
            "https://api.anthropic.com/v1/messages",
        ),
        (
            "https://x.services.ai.azure.com/anthropic",
            "https://x.services.ai.azure.com/anthropic/v1/messages",
        ),
    ] {
        let mut host = haiku();
        host.upstream.base_url = base.into();
        let call = host.encode(&chat(r#"{"prompt":"Hi","stream":true}"#));
        let headers = &call.request.headers;
        assert_eq!(call.request.url, expected);
        assert_eq!(headers["anthropic-version"], "2023-06-01");
        assert_eq!(headers["accept"], "text/event-stream");
        assert_eq!(headers["x-api-key"], "sk-test-0123456789");
        assert!(headers["x-api-key"].is_sensitive());
        assert!(headers.get("anthropic-beta").is_none());
    }
}

#[test]
fn vertex_has_the_model_in_the_address_and_the_version_in_the_body() {
    let mut host = host("claude-opus-4-5@20251101");
    host.upstream.base_url = "https://us-east5-aiplatform.googleapis.com".into();
    host.upstream.auth = AuthScheme::GoogleOauth;
    host.lease = Lease {
        secret: Some(Secret::new("ya29.token")),
        ..host.lease
    };
    let failed = host.try_encode(&chat(r#"{"prompt":"Hi"}"#)).unwrap_err();
    assert!(
        matches!(
            failed,
            EncodeError::Address {
                setting: "project",
                ..
            }
        ),
        "{failed}"
    );
    host.upstream.settings.project = Some("acme/1".into());
    host.upstream.settings.region = Some("us-east5".into());
    let place = "https://us-east5-aiplatform.googleapis.com/v1/projects/acme%2F1/locations/us-east5/publishers/anthropic/models/claude-opus-4-5@20251101";
    for (stream, verb) in [(false, "rawPredict"), (true, "streamRawPredict")] {
        let ask = json!({"prompt": "Hi", "stream": stream});
        let call = host.encode(&chat(&ask.to_string()));
        assert_eq!(call.request.url.to_string(), format!("{place}:{verb}"));
        assert_eq!(call.request.headers["authorization"], "Bearer ya29.token");
        assert!(call.request.headers.get("anthropic-version").is_none());
        let body: Value = serde_json::from_slice(&call.request.body).unwrap();
        assert_eq!(body["anthropic_version"], "vertex-2023-10-16");
        assert!(body.get("model").is_none());
    }
}

#[test]
fn azure_gets_the_deployment() {
    let mut host = host("claude-sonnet-4-6");
    let deployments = &mut host.upstream.settings.deployments;
    deployments.insert("acme/fast".into(), "prod".into());
    assert_eq!(body(&host, &json!({}))["model"], "prod");
}

#[test]
fn betas_are_a_header() {
    for (members, expected) in [
        (json!({"anthropic_beta": "a-1, b-2"}), "a-1,b-2"),
        (
            json!({"provider": {"options": {"anthropic": {"anthropic_beta": ["c-3"]}}}}),
            "c-3",
        ),
        (
            json!({"messages": user(&json!([{"type": "file", "file": {"file_id": "file_1"}}]))}),
            "files-api-2025-04-14",
        ),
    ] {
        let mut request = json!({"messages": [{"role": "user", "content": "Hi"}]});
        for (key, value) in members.as_object().unwrap() {
            request[key] = value.clone();
        }
        let call = haiku().encode(&chat(&request.to_string()));
        assert_eq!(call.request.headers["anthropic-beta"], expected);
        let body: Value = serde_json::from_slice(&call.request.body).unwrap();
        assert!(body.get("anthropic_beta").is_none());
    }
}

#[test]
fn instructions_stand_apart_wherever_they_are() {
    let mark = json!({"type": "ephemeral", "ttl": "1h"});
    let (sent, _) = encoded(
        &haiku(),
        &json!({"messages": [
            {"role": "system", "content": [{"type": "text", "text": "a", "cache_control": mark}]},
            {"role": "user", "content": "Hi"},
            {"role": "developer", "content": "b", "cache_control": mark},
        ]}),
    );
    assert_eq!(
        sent["system"],
        json!([
            {"type": "text", "text": "a", "cache_control": mark},
            {"type": "text", "text": "b", "cache_control": mark},
        ])
    );
    assert_eq!(
        sent["messages"],
        user(&json!([{"type": "text", "text": "Hi"}]))
    );
    let (alone, notes) = encoded(
        &haiku(),
        &json!({"messages": [{"role": "system", "content": "a"}]}),
    );
    assert_eq!(
        alone["messages"],
        user(&json!([{"type": "text", "text": "a"}]))
    );
    assert!(alone.get("system").is_none() && notes[0].starts_with("messages: "));
}

#[test]
fn turns_alternate_and_results_come_first() {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{\"a\":1.50}"}});
    let (sent, _) = encoded(
        &haiku(),
        &json!({
            "messages": [
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": ""},
                {"role": "user", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": " \n"}], "name": "Ann"},
                {"role": "assistant", "content": "c", "tool_calls": [call("1"), call("functions.f:2")]},
                {"role": "user", "content": "d"},
                {"role": "tool", "tool_call_id": "1", "content": "ok", "cache_control": {"type": "ephemeral"}},
                {"role": "tool", "tool_call_id": "functions.f:2", "content": [
                    {"type": "text", "text": "bad"}, {"type": "image_url", "image_url": {"url": "https://e.com/a.png"}},
                ], "is_error": true},
            ],
            "tools": [{"type": "function", "function": {"name": "f"}}],
        }),
    );
    let text = |text: &str| json!({"type": "text", "text": text});
    let used = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {"a": 1.5}});
    assert_eq!(
        sent["messages"],
        json!([
            {"role": "user", "content": [text("a"), text("Ann: b")]},
            {"role": "assistant", "content": [text("c"), used("1"), used("functions_2Ef_3A2")]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "1", "content": "ok", "cache_control": {"type": "ephemeral"}},
                {"type": "tool_result", "tool_use_id": "functions_2Ef_3A2", "is_error": true, "content": [
                    text("bad"), {"type": "image", "source": {"type": "url", "url": "https://e.com/a.png"}},
                ]},
                text("d"),
            ]},
        ])
    );
}

#[test]
fn texts_and_arguments_are_byte_exact() {
    let text = r#"{"messages":[{"role":"user","content":"\u00e9\/ \ud83d\ude00"},
        {"role":"assistant","tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{\"b\" : 1e3,\"a\":12479678939117453000}"}}]},
        {"role":"tool","tool_call_id":"t","content":"x"}]}"#;
    let sent = haiku().encode(&chat(text)).request.body;
    let sent = String::from_utf8_lossy(&sent);
    assert!(sent.contains(r#""text":"\u00e9\/ \ud83d\ude00""#), "{sent}");
    assert!(
        sent.contains(r#""input":{"b" : 1e3,"a":12479678939117453000}"#),
        "{sent}"
    );
}

#[test]
fn broken_arguments_are_wrapped() {
    let call =
        |arguments: &str| json!({"id": "t", "function": {"name": "f", "arguments": arguments}});
    for (arguments, expected, noted) in [
        ("", json!({}), false),
        ("{\"a\":", json!({"arguments": "{\"a\":"}), true),
        ("[1]", json!({"arguments": "[1]"}), true),
    ] {
        let (sent, notes) = encoded(
            &haiku(),
            &json!({
                "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": [call(arguments)]},
                    {"role": "tool", "tool_call_id": "t", "content": "x"}],
                "tools": [{"type": "function", "function": {"name": "f"}}],
            }),
        );
        assert_eq!(sent["messages"][1]["content"][0]["input"], expected);
        assert_eq!(!notes.is_empty(), noted, "{notes:?}");
    }
}

#[test]
fn words_to_be_continued_lose_their_last_space() {
    let sent = messages(
        &json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "{ \n"}]),
    );
    assert_eq!(sent[1]["content"][0]["text"], "{");
}

#[test]
fn images_and_files_become_blocks() {
    let sent = messages(&user(&json!([
        {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,QUJD", "detail": "high"}, "cache_control": {"type": "ephemeral"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"}},
        {"type": "file", "file": {"file_data": "https://e.com/a.pdf"}},
        {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,aGk="}},
        {"type": "file", "file": {"file_id": "file_1"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}},
    ])));
    assert_eq!(
        sent[0]["content"],
        json!([
            {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "QUJD"}, "cache_control": {"type": "ephemeral"}},
            {"type": "document", "title": "a.pdf", "source": {"type": "base64", "media_type": "application/pdf", "data": "QUJD"}},
            {"type": "document", "source": {"type": "url", "url": "https://e.com/a.pdf"}},
            {"type": "document", "title": "a.txt", "source": {"type": "text", "media_type": "text/plain", "data": "hi"}},
            {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}},
        ])
    );
}

#[test]
fn what_has_no_form_is_refused_by_name() {
    for part in [
        json!({"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}}),
        json!({"type": "video_url", "video_url": {"url": "https://e.com/a.mp4"}}),
        json!({"type": "file", "file": {"file_data": "data:application/zip;base64,QUJD"}}),
        json!({"type": "file", "file": {"file_data": "QUJD"}}),
    ] {
        let ask = json!({"messages": user(&json!([{"type": "text", "text": "a"}, part]))});
        match haiku().try_encode(&chat(&ask.to_string())) {
            Err(EncodeError::Unsupported { field, .. }) => {
                assert_eq!(field, "messages[0].content[1]");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn only_thinking_that_can_go_back_does() {
    let detail = |format: &str, signature: Option<&str>| json!({"type": "reasoning.text", "text": "t", "format": format, "signature": signature, "index": 0});
    let sent = messages(&json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b", "reasoning": "r", "reasoning_details": [
            detail("google-gemini-v1", Some("s")), detail("anthropic-claude-v1", None),
            {"type": "reasoning.encrypted", "data": "X=", "format": "anthropic-claude-v1", "index": 1},
            {"type": "reasoning.text", "text": "", "signature": "s/", "format": "anthropic-claude-v1", "index": 2},
        ]},
        {"role": "user", "content": "c"},
    ]));
    assert_eq!(
        sent[1]["content"],
        json!([
            {"type": "redacted_thinking", "data": "X="},
            {"type": "thinking", "thinking": "", "signature": "s/"},
            {"type": "text", "text": "b"},
        ])
    );
}

#[test]
fn tools_are_written_in_the_wires_words() {
    let sent = body(
        &haiku(),
        &json!({"tools": [
        {"type": "function", "function": {"name": "a.b", "description": "d", "strict": true, "parameters": {"properties": {}}}, "cache_control": {"type": "ephemeral"}, "defer_loading": true},
        {"type": "function", "function": {"name": "a_b", "parameters": null}},
        {"type": "openrouter:web_search"},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
    ], "tool_choice": {"type": "function", "function": {"name": "a.b"}}, "parallel_tool_calls": false}),
    );
    assert_eq!(
        sent["tools"],
        json!([
            {"name": "a_b_", "description": "d", "input_schema": {"type": "object", "properties": {}}, "cache_control": {"type": "ephemeral"}, "defer_loading": true},
            {"name": "a_b", "input_schema": {"type": "object"}},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
        ])
    );
    assert_eq!(
        sent["tool_choice"],
        json!({"type": "tool", "name": "a_b_", "disable_parallel_tool_use": true})
    );
}

#[test]
fn choices_of_a_tool_are_spelled_out() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "g"}}]);
    for (choice, expected) in [
        (json!("auto"), json!({"type": "auto"})),
        (json!("none"), json!({"type": "none"})),
        (json!("required"), json!({"type": "any"})),
        (
            json!({"type": "function", "function": {"name": "f"}}),
            json!({"type": "tool", "name": "f"}),
        ),
        (json!({"type": "any"}), json!({"type": "any"})),
        (json!({"type": "openrouter:web_search"}), Value::Null),
    ] {
        let sent = body(&haiku(), &json!({"tools": tools, "tool_choice": choice}));
        assert_eq!(sent["tool_choice"], expected);
    }
    let one = body(
        &haiku(),
        &json!({"tools": tools, "parallel_tool_calls": false}),
    );
    assert_eq!(
        one["tool_choice"],
        json!({"type": "auto", "disable_parallel_tool_use": true})
    );
    let allowed = json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "g"}}]}});
    let some = body(&haiku(), &json!({"tools": tools, "tool_choice": allowed}));
    assert_eq!(some["tool_choice"], json!({"type": "any"}));
    assert_eq!(
        some["tools"],
        json!([{"name": "g", "input_schema": {"type": "object"}}])
    );
    assert!(
        body(&haiku(), &json!({"tool_choice": "required"}))
            .get("tool_choice")
            .is_none()
    );
    let newest = body(
        &host("claude-sonnet-5-5"),
        &json!({"tools": tools, "tool_choice": "required"}),
    );
    assert_eq!(newest["tool_choice"], json!({"type": "auto"}));
}

#[test]
fn tools_of_earlier_turns_are_remembered() {
    let (sent, notes) = encoded(
        &haiku(),
        &json!({"messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "tool_calls": [{"id": "t", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "t", "content": "x"},
        ]}),
    );
    assert_eq!(
        sent["tools"],
        json!([{"name": "f", "input_schema": {"type": "object"}}])
    );
    assert_eq!(sent["tool_choice"], json!({"type": "none"}));
    assert!(notes[0].starts_with("tools: "));
}

#[test]
fn functions_of_the_older_kind_are_calls_too() {
    let sent = messages(&json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{\"a\":1}"}},
        {"role": "function", "name": "f", "content": "x"},
    ]));
    assert_eq!(
        sent[1]["content"],
        json!([{"type": "tool_use", "id": "function_1", "name": "f", "input": {"a": 1}}])
    );
    assert_eq!(
        sent[2]["content"],
        json!([{"type": "tool_result", "tool_use_id": "function_1", "content": "x"}])
    );
}

#[test]
fn the_limit_on_output_is_always_there() {
    let mut host = haiku();
    let limit = |host: &Host, members: Value| body(host, &members)["max_tokens"].as_u64().unwrap();
    assert_eq!(limit(&host, json!({})), 4096);
    assert_eq!(
        limit(&host, json!({"max_tokens": 9, "max_completion_tokens": 7})),
        7
    );
    host.endpoint.max_output = Some(Tokens::new(64_000));
    assert_eq!(limit(&host, json!({})), 64_000);
    host.endpoint.context_length = Some(Tokens::new(30_000));
    let long = json!({"messages": user(&json!("x".repeat(20_000)))});
    let room = limit(&host, long);
    assert!((4096..=20_000).contains(&room), "{room}");
    let own = json!({"provider": {"options": {"anthropic": {"max_tokens": 5}}}});
    assert_eq!(limit(&host, own), 5);
}

#[test]
fn budgets_fit_below_the_limit() {
    let think = |members: Value| {
        let mut request = json!({"messages": [{"role": "user", "content": "Hi"}]});
        for (key, value) in members.as_object().unwrap() {
            request[key] = value.clone();
        }
        let (sent, notes) = encoded(&haiku(), &request);
        (
            sent["max_tokens"].clone(),
            sent["thinking"]["budget_tokens"].clone(),
            notes.len(),
        )
    };
    let high = json!({"effort": "high"});
    assert_eq!(
        think(json!({"reasoning": high, "max_tokens": 10_000})),
        (json!(10_000), json!(8000), 0)
    );
    assert_eq!(
        think(json!({"reasoning": {"max_tokens": 3000}, "max_tokens": 2000})),
        (json!(2000), json!(1999), 1)
    );
    assert_eq!(
        think(json!({"reasoning": high, "max_tokens": 1000})),
        (json!(1000), Value::Null, 1)
    );
    assert_eq!(
        think(json!({"reasoning": {"max_tokens": 10}, "max_tokens": 2000})),
        (json!(2000), json!(1024), 0)
    );
    assert_eq!(
        think(json!({"reasoning": {"max_tokens": 9000}})),
        (json!(13_096), json!(9000), 0)
    );
    assert_eq!(
        think(json!({"reasoning": {"effort": "none"}})),
        (json!(4096), Value::Null, 0)
    );
}

/// What `model` is told for each wish: `thinking` and the effort.
fn told(model: &str, wishes: &[(Value, Value, Value)]) {
    for (wish, thinking, effort) in wishes {
        let sent = body(&host(model), wish);
        assert_eq!(&sent["thinking"], thinking, "{model} {wish}");
        assert_eq!(&sent["output_config"]["effort"], effort, "{model} {wish}");
    }
}

fn budget() -> Value {
    json!({"type": "enabled", "budget_tokens": 2048})
}

#[test]
fn models_with_budgets_get_budgets() {
    let wish = json!({"reasoning": {"max_tokens": 2048}, "verbosity": "max"});
    told(
        "claude-opus-4-5",
        &[(wish.clone(), budget(), json!("high"))],
    );
    told("claude-sonnet-4-5", &[(wish, budget(), Value::Null)]);
    let wish = json!({"reasoning": {"max_tokens": 2048}});
    told("MiniMax-M2", &[(wish, budget(), Value::Null)]);
}

#[test]
fn models_that_adapt_get_an_effort() {
    let adaptive = || json!({"type": "adaptive"});
    let none = || Value::Null;
    told(
        "claude-sonnet-4-6",
        &[
            (
                json!({"reasoning": {"effort": "high"}}),
                adaptive(),
                json!("high"),
            ),
            (json!({"reasoning": {"enabled": true}}), adaptive(), none()),
            (json!({"reasoning": {"max_tokens": 2048}}), budget(), none()),
            (json!({"reasoning": {"enabled": false}}), none(), none()),
        ],
    );
    let shown = || json!({"type": "adaptive", "display": "summarized"});
    let own = json!({"thinking": {"type": "adaptive"}, "reasoning_effort": "high"});
    let most = json!({"reasoning": {"max_tokens": 2048}, "max_tokens": 4096});
    told(
        "claude-opus-4-8",
        &[
            (
                json!({"reasoning_effort": "xhigh", "verbosity": "low"}),
                shown(),
                json!("low"),
            ),
            (most, shown(), json!("medium")),
            (own, adaptive(), json!("high")),
        ],
    );
    let off = json!({"type": "disabled"});
    let hidden = json!({"reasoning": {"effort": "low", "exclude": true}});
    told(
        "claude-sonnet-5",
        &[
            (hidden, adaptive(), json!("low")),
            (json!({"reasoning": {"enabled": false}}), off, none()),
            (json!({}), none(), none()),
        ],
    );
}

#[test]
fn thinking_gives_way_to_what_it_excludes() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let asked = json!({"reasoning": {"max_tokens": 2048}, "tools": tools, "tool_choice": "required", "max_tokens": 4000});
    assert!(body(&haiku(), &asked).get("thinking").is_none());
    let call = json!({"role": "assistant", "tool_calls": [{"id": "t", "function": {"name": "f", "arguments": "{}"}}]});
    let result = json!({"role": "tool", "tool_call_id": "t", "content": "x"});
    for (rest, thinks) in [
        (json!([]), false),
        (json!([{"role": "user", "content": "b"}]), true),
    ] {
        let mut turns = vec![
            json!({"role": "user", "content": "a"}),
            call.clone(),
            result.clone(),
        ];
        turns.extend(rest.as_array().unwrap().clone());
        let (sent, notes) = encoded(
            &haiku(),
            &json!({"messages": turns, "tools": tools, "reasoning": {"max_tokens": 2048}}),
        );
        assert_eq!(sent.get("thinking").is_some(), thinks);
        assert_eq!(notes.is_empty(), thinks, "{notes:?}");
    }
}

#[test]
fn sampling_stays_within_what_is_taken() {
    let all = json!({"temperature": 1.5, "top_p": 0.9, "top_k": 40, "seed": 7, "min_p": 0.1, "n": 2, "stop": ["a", " "], "logit_bias": {"1": 1}});
    let members = |sent: &Value| {
        let kept = ["temperature", "top_p", "top_k", "stop_sequences"].map(|key| sent[key].clone());
        assert!(
            ["seed", "min_p", "n", "logit_bias", "stop"]
                .iter()
                .all(|key| sent.get(*key).is_none())
        );
        kept
    };
    let null = Value::Null;
    let kept = members(&body(&host("claude-3-haiku"), &all));
    assert_eq!(kept, [json!(1), json!(0.9), json!(40), json!(["a"])]);
    let kept = members(&body(&haiku(), &all));
    assert_eq!(kept, [json!(1), null.clone(), json!(40), json!(["a"])]);
    let kept = members(&body(&host("claude-opus-4-8"), &all));
    assert_eq!(
        kept,
        [null.clone(), null.clone(), null.clone(), json!(["a"])]
    );
    let mut thinking = all;
    thinking["reasoning"] = json!({"enabled": true});
    thinking["temperature"] = json!(1.0);
    let kept = members(&body(&host("claude-sonnet-4-6"), &thinking));
    assert_eq!(kept, [json!(1.0), null.clone(), null, json!(["a"])]);
    let mut bare = haiku();
    bare.endpoint.parameters = ParameterSet::EMPTY.with(Parameter::MaxTokens);
    let sent = body(
        &bare,
        &json!({"temperature": 0.5, "stop": "a", "reasoning": {"enabled": true}, "max_tokens": 5}),
    );
    assert_eq!(sent.as_object().unwrap().len(), 3, "{sent}");
}

#[test]
fn a_schema_is_asked_for_as_the_endpoint_can() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}});
    let format = json!({"type": "json_schema", "json_schema": {"name": "out", "strict": true, "schema": schema}});
    let ask = json!({"messages": [{"role": "user", "content": "Hi"}], "response_format": format});
    let (native, notes) = encoded(&haiku(), &ask);
    assert_eq!(
        native["output_config"]["format"],
        json!({"type": "json_schema", "schema": {
            "type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": false,
        }})
    );
    assert!(notes[0].contains("limits"));
    let mut bare = haiku();
    bare.endpoint.parameters = ParameterSet::ALL.without(Parameter::StructuredOutputs);
    let (tool, notes) = encoded(&bare, &ask);
    assert_eq!(
        tool["tools"],
        json!([{"name": "out", "description": "Gives the answer.", "input_schema": schema}])
    );
    assert_eq!(tool["tool_choice"], json!({"type": "tool", "name": "out"}));
    assert_eq!(
        notes,
        ["response_format: became a tool that must be called"]
    );
    let mut more = ask.clone();
    more["tools"] = json!([{"type": "function", "function": {"name": "out"}}]);
    let (both, _) = encoded(&bare, &more);
    assert_eq!(both["tools"][1]["name"], "out_");
    assert_eq!(both["tool_choice"], json!({"type": "any"}));
    let mut thinking = ask.clone();
    thinking["reasoning"] = json!({"enabled": true});
    let (told, notes) = encoded(&bare, &thinking);
    assert!(
        told["system"][0]["text"]
            .as_str()
            .unwrap()
            .contains("JSON Schema")
            && told.get("tools").is_none()
    );
    assert_eq!(notes[0], "response_format: became an instruction");
    let (object, _) = encoded(
        &bare,
        &json!({"messages": ask["messages"], "response_format": {"type": "json_object"}}),
    );
    assert!(
        object["system"][0]["text"]
            .as_str()
            .unwrap()
            .contains("JSON object")
    );
}

#[test]
fn tiers_have_two_words() {
    for (tier, word) in [
        (ServiceTier::Priority, json!("auto")),
        (ServiceTier::Default, json!("standard_only")),
        (ServiceTier::Flex, Value::Null),
    ] {
        let mut host = haiku();
        host.endpoint.service_tier = Some(tier);
        assert_eq!(body(&host, &json!({}))["service_tier"], word);
    }
    let own = body(&haiku(), &json!({"service_tier": "standard_only"}));
    assert_eq!(own["service_tier"], "standard_only");
}

#[test]
fn members_of_the_wire_itself_go_through_and_options_win() {
    let sent = body(
        &haiku(),
        &json!({
            "context_management": {"edits": []}, "tomorrow": [1], "store": true, "safe_prompt": true, "user": "me",
            "metadata": {"a": "b"}, "cache_control": {"type": "ephemeral"}, "system": "first", "stop_sequences": ["x"], "stop": "y",
            "output_config": {"effort": "low"}, "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "string"}}},
            "temperature": 0.5,
            "provider": {"options": {"anthropic": {"metadata": {"user_id": "u"}, "temperature": 0.1, "model": "no"}, "other": {"a": 1}}},
        }),
    );
    assert_eq!(
        sent,
        json!({
            "model": "claude-haiku-4-5", "max_tokens": 4096, "messages": user(&json!([{"type": "text", "text": "Hi"}])),
            "context_management": {"edits": []}, "tomorrow": [1], "cache_control": {"type": "ephemeral"},
            "system": [{"type": "text", "text": "first"}], "stop_sequences": ["x"],
            "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "string"}}},
            "metadata": {"user_id": "u"}, "temperature": 0.1,
        })
    );
}
