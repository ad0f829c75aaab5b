//! The wire as an unmodified client would read it.

use serde_json::{Value, json};

use crate::dialect::trial::{Heard, events, faults_work, person, place, send, success, with};

const URL: &str = "https://sim.invalid/v2/chat";

fn ask(prompt: &str, more: Value) -> Value {
    let body = json!({"model": "command-1", "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": prompt}]}]});
    with(body, more)
}

fn weather() -> Value {
    json!([{"type": "function", "function": {"name": "get_weather",
        "description": "Weather at a place", "parameters": place()}}])
}

/// Takes what both forms end with.
fn end(said: &Value, heard: &mut Heard) {
    heard.finish = said["finish_reason"].as_str().unwrap().into();
    let tokens = &said["usage"]["tokens"];
    heard.counts(&tokens["input_tokens"], &tokens["output_tokens"]);
}

/// The plan counts as text here.
fn whole(body: &Value) -> Heard {
    let reply = success(&send(URL, body));
    let (mut heard, message) = (Heard::default(), &reply["message"]);
    heard.says(&message["tool_plan"]);
    for part in message["content"].as_array().into_iter().flatten() {
        heard.thinks(&part["thinking"]);
        heard.says(&part["text"]);
    }
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        assert!(call["id"].as_str().unwrap().starts_with("get_weather_"));
        let function = &call["function"];
        heard.calls(&function["name"], function["arguments"].as_str().unwrap());
    }
    end(&reply, &mut heard);
    heard
}

fn streamed(body: &Value) -> Heard {
    let mut body = body.clone();
    body["stream"] = json!(true);
    let mut events = events(&send(URL, &body));
    assert_eq!(events.pop(), Some((String::new(), json!("[DONE]"))));
    let (mut heard, mut name, mut arguments) = (Heard::default(), Value::Null, String::new());
    for (kind, event) in &events {
        assert_eq!(event["type"], *kind);
        let message = &event["delta"]["message"];
        let function = &message["tool_calls"]["function"];
        match kind.as_str() {
            "tool-plan-delta" => heard.says(&message["tool_plan"]),
            "content-delta" => {
                heard.thinks(&message["content"]["thinking"]);
                heard.says(&message["content"]["text"]);
            }
            "tool-call-start" => name = function["name"].clone(),
            "tool-call-delta" => arguments += function["arguments"].as_str().unwrap(),
            "tool-call-end" => heard.calls(&name, &std::mem::take(&mut arguments)),
            "message-end" => end(&event["delta"], &mut heard),
            _ => {}
        }
    }
    assert_eq!(events[0].0, "message-start");
    heard
}

#[test]
fn streams_say_what_whole_replies_say() {
    let thinking = json!({"type": "enabled", "token_budget": 100});
    let schema = json!({"type": "json_object", "json_schema": person()});
    for body in [
        ask("Grüße, 世界 🌍", json!({})),
        ask("Weather in Oslo?", json!({"tools": weather()})),
        ask(
            "Weather in Oslo?",
            json!({"tools": weather(), "thinking": thinking}),
        ),
        ask("Think", json!({"thinking": thinking})),
        ask("Ada is 36", json!({"response_format": schema})),
        ask("A long story", json!({"max_tokens": 5})),
        ask(
            "Weather in Oslo?",
            json!({"tools": weather(), "max_tokens": 12}),
        ),
        ask("Hi", json!({"stop_sequences": [" answer"]})),
    ] {
        let whole = whole(&body);
        assert_eq!(whole, streamed(&body), "{body}");
        assert!(whole.usage.0 > 0 && whole.usage.1 > 0);
    }
}

#[test]
fn replies_say_why_they_ended() {
    let finish = |prompt: &str, more: Value| whole(&ask(prompt, more)).finish;
    assert!(whole(&ask("Hi", json!({}))).text.contains("simulated"));
    assert_eq!(finish("Hi", json!({})), "COMPLETE");
    assert_eq!(finish("Hi", json!({"max_tokens": 2})), "MAX_TOKENS");
    assert_eq!(
        finish("Hi", json!({"stop_sequences": ["a"]})),
        "STOP_SEQUENCE"
    );
    assert_eq!(finish("Weather?", json!({"tools": weather()})), "TOOL_CALL");
}

#[test]
fn tools_are_called_and_their_results_answered() {
    let required = json!({"tools": weather(), "tool_choice": "REQUIRED"});
    let heard = whole(&ask("Is it warm in Oslo?", required));
    assert_eq!(
        heard.calls,
        [("get_weather".into(), json!({"city": "Oslo"}))]
    );
    assert!(heard.text.contains("simulated"), "the plan");
    let none = json!({"tools": weather(), "tool_choice": "NONE"});
    assert!(whole(&ask("Weather?", none)).calls.is_empty());
    let document = json!([{"type": "document", "document": {"data": {"celsius": 4}}}]);
    for content in [json!("{\"celsius\": 4}"), document] {
        let mut body = ask("Weather in Oslo?", json!({"tools": weather()}));
        let messages = body["messages"].as_array_mut().unwrap();
        messages.push(json!({"role": "assistant", "tool_calls": []}));
        messages.push(json!({"role": "tool", "tool_call_id": "c1", "content": content}));
        assert!(whole(&body).text.contains("celsius is 4"));
    }
}

#[test]
fn what_is_wrong_is_refused_by_name() {
    for (body, named) in [
        (json!([]), "body"),
        (json!({"messages": []}), "model"),
        (json!({"model": "m"}), "messages"),
        (
            ask("Hi", json!({"messages": [{"role": "queen"}]})),
            "messages[0].role",
        ),
        (
            ask("Hi", json!({"messages": [{"role": "tool"}]})),
            "messages[0].tool_call_id",
        ),
        (ask("Hi", json!({"max_tokens": 0})), "max_tokens"),
        (ask("Hi", json!({"tools": [{}]})), "tools[0].function.name"),
        (ask("Hi", json!({"tool_choice": "AUTO"})), "tool_choice"),
        (
            ask("Hi", json!({"response_format": {"type": "xml"}})),
            "response_format.type",
        ),
        (ask("Hi", json!({"thinking": {}})), "thinking.type"),
    ] {
        let reply = send(URL, &body);
        assert_eq!(reply.head.status, 400, "{body}");
        let error: Value = serde_json::from_slice(&reply.body()).unwrap();
        assert!(error["id"].is_string());
        assert!(
            error["message"].as_str().unwrap().contains(named),
            "{error}"
        );
    }
    let error = faults_work(URL, &ask("Hi", json!({"stream": true})));
    assert_eq!(error["message"], "scripted fault");
}
