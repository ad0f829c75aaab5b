//! The wire as an unmodified client would read it.

use serde_json::{Value, json};

use crate::dialect::trial::{Heard, events, faults_work, person, place, send, success, with};

const URL: &str = "https://sim.invalid/v1/messages";

fn ask(prompt: &str, more: Value) -> Value {
    let body = json!({"model": "claude-1", "max_tokens": 4096,
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": prompt}]}]});
    with(body, more)
}

fn weather() -> Value {
    json!([{"name": "get_weather", "description": "Weather at a place", "input_schema": place()},
        {"type": "web_search_20250305", "name": "web_search"}])
}

/// Takes one block of content in.
fn take(block: &Value, heard: &mut Heard) {
    match block["type"].as_str().unwrap() {
        "thinking" => {
            assert!(!block["signature"].as_str().unwrap().is_empty());
            heard.thinks(&block["thinking"]);
        }
        "text" => heard.says(&block["text"]),
        "tool_use" => {
            assert!(block["id"].as_str().unwrap().starts_with("toolu_"));
            heard.calls(&block["name"], &block["input"].to_string());
        }
        other => panic!("{other}"),
    }
}

fn whole(body: &Value) -> Heard {
    let reply = success(&send(URL, body));
    let mut heard = Heard::default();
    for block in reply["content"].as_array().unwrap() {
        take(block, &mut heard);
    }
    heard.finish = reply["stop_reason"].as_str().unwrap().into();
    let usage = &reply["usage"];
    heard.counts(&usage["input_tokens"], &usage["output_tokens"]);
    heard
}

fn streamed(body: &Value) -> Heard {
    let mut body = body.clone();
    body["stream"] = json!(true);
    let events = events(&send(URL, &body));
    let (mut heard, mut block, mut input) = (Heard::default(), Value::Null, String::new());
    for (name, event) in &events {
        assert_eq!(event["type"], *name);
        match name.as_str() {
            "content_block_start" => block = event["content_block"].clone(),
            "content_block_delta" => {
                let delta = &event["delta"];
                let (key, text) = match delta["type"].as_str().unwrap() {
                    "text_delta" => ("text", &delta["text"]),
                    "thinking_delta" => ("thinking", &delta["thinking"]),
                    "signature_delta" => ("signature", &delta["signature"]),
                    _ => {
                        input += delta["partial_json"].as_str().unwrap();
                        continue;
                    }
                };
                block[key] =
                    json!(block[key].as_str().unwrap().to_owned() + text.as_str().unwrap());
            }
            "content_block_stop" => {
                if !input.is_empty() {
                    block["input"] = serde_json::from_str(&std::mem::take(&mut input)).unwrap();
                }
                take(&block, &mut heard);
            }
            "message_delta" => {
                heard.finish = event["delta"]["stop_reason"].as_str().unwrap().into();
                let usage = &event["usage"];
                heard.counts(&usage["input_tokens"], &usage["output_tokens"]);
            }
            _ => {}
        }
    }
    assert_eq!(
        (&*events[0].0, &*events.last().unwrap().0),
        ("message_start", "message_stop")
    );
    heard
}

#[test]
fn streams_say_what_whole_replies_say() {
    let schema = json!({"format": {"type": "json_schema", "schema": person()}});
    let thinking = json!({"type": "enabled", "budget_tokens": 1024});
    for body in [
        ask("Grüße, 世界 🌍", json!({})),
        ask("Weather in Oslo?", json!({"tools": weather()})),
        ask("Think", json!({"thinking": thinking})),
        ask(
            "Think",
            json!({"thinking": {"type": "adaptive", "display": "omitted"}}),
        ),
        ask("Ada is 36", json!({"output_config": schema})),
        ask("A long story", json!({"max_tokens": 5})),
        ask(
            "Weather in Oslo?",
            json!({"tools": weather(), "max_tokens": 4}),
        ),
        ask("Hi", json!({"stop_sequences": [" answer"]})),
    ] {
        let whole = whole(&body);
        assert_eq!(whole, streamed(&body), "{body}");
        assert!(whole.usage.0 > 0 && whole.usage.1 > 0);
    }
}

#[test]
fn a_message_says_why_it_ended() {
    assert!(whole(&ask("Hi", json!({}))).text.contains("simulated"));
    assert_eq!(whole(&ask("Hi", json!({}))).finish, "end_turn");
    assert_eq!(
        whole(&ask("Hi", json!({"max_tokens": 2}))).finish,
        "max_tokens"
    );
    let stopped = success(&send(
        URL,
        &ask("Hi", json!({"stop_sequences": ["x", " answer"]})),
    ));
    assert_eq!(stopped["stop_reason"], "stop_sequence");
    assert_eq!(stopped["stop_sequence"], " answer");
    let thinking = json!({"thinking": {"type": "adaptive"}});
    let reply = success(&send(URL, &ask("Why?", thinking)));
    assert!(reply["usage"]["output_tokens_details"]["thinking_tokens"].as_u64() > Some(0));
}

#[test]
fn tools_are_called_and_their_results_answered() {
    let forced =
        json!({"tools": weather(), "tool_choice": {"type": "tool", "name": "get_weather"}});
    let heard = whole(&ask("Is it warm in Oslo?", forced));
    assert_eq!(
        heard.calls,
        [("get_weather".into(), json!({"city": "Oslo"}))]
    );
    assert_eq!(heard.finish, "tool_use");
    let none = json!({"tools": weather(), "tool_choice": {"type": "none"}});
    assert!(whole(&ask("Weather?", none)).calls.is_empty());
    let mut body = ask(
        "Weather in Oslo?",
        json!({"tools": weather(), "tool_choice": {"type": "any"}}),
    );
    let messages = body["messages"].as_array_mut().unwrap();
    let call = json!({"type": "tool_use", "id": "t1", "name": "get_weather", "input": {}});
    messages.push(json!({"role": "assistant", "content": [call]}));
    let result = json!({"type": "tool_result", "tool_use_id": "t1", "content": "{\"celsius\": 4}"});
    messages.push(json!({"role": "user", "content": [result]}));
    assert!(whole(&body).text.contains("celsius is 4"));
}

#[test]
fn vertex_names_the_model_in_its_address() {
    let mut body = ask("Hi", json!({"anthropic_version": "vertex-2023-10-16"}));
    body.as_object_mut().unwrap().remove("model");
    let at =
        "https://v.invalid/v1/projects/p/locations/global/publishers/anthropic/models/claude@1";
    assert_eq!(
        success(&send(&format!("{at}:rawPredict"), &body))["model"],
        "claude@1"
    );
    let stream = events(&send(&format!("{at}:streamRawPredict"), &body));
    assert_eq!(stream[0].1["message"]["model"], "claude@1");
}

#[test]
fn what_is_wrong_is_refused_by_name() {
    let thinking = |budget: u64| json!({"thinking": {"type": "enabled", "budget_tokens": budget}});
    let roles = json!({"messages": [{"role": "system", "content": "Hi"}]});
    for (body, named) in [
        (json!([]), "body"),
        (json!({"max_tokens": 1, "messages": []}), "model"),
        (json!({"model": "m", "messages": []}), "max_tokens"),
        (ask("Hi", json!({"messages": []})), "messages"),
        (ask("Hi", roles), "messages.0.role"),
        (
            ask("Hi", json!({"messages": [{"role": "user"}]})),
            "messages.0.content",
        ),
        (ask("Hi", json!({"max_tokens": 0})), "max_tokens"),
        (ask("Hi", thinking(8)), "thinking.budget_tokens"),
        (ask("Hi", thinking(9000)), "max_tokens"),
        (
            ask("Hi", json!({"tools": [{"name": "x"}]})),
            "tools.0.input_schema",
        ),
        (
            ask("Hi", json!({"tool_choice": {"type": "tool", "name": "x"}})),
            "tool_choice.name",
        ),
        (
            ask("Hi", json!({"output_config": {"format": {}}})),
            "output_config.format.schema",
        ),
    ] {
        let reply = send(URL, &body);
        assert_eq!(reply.head.status, 400, "{body}");
        let error: Value = serde_json::from_slice(&reply.body()).unwrap();
        assert_eq!(error["error"]["type"], "invalid_request_error");
        assert!(
            error["error"]["message"].as_str().unwrap().contains(named),
            "{error}"
        );
    }
    let error = faults_work(URL, &ask("Hi", json!({"stream": true})));
    assert_eq!(
        (&error["type"], &error["error"]["type"]),
        (&json!("error"), &json!("rate_limit_error"))
    );
}
