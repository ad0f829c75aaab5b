//! The wire as an unmodified client would read it.

use serde_json::{Value, json};
use waystation_core::HttpRequest;

use crate::{Pacing, SimReply, Simulator};

const URL: &str = "https://sim.invalid/v1/chat/completions";

fn send(url: &str, body: &Value) -> SimReply {
    let request = HttpRequest::post_json(url, body.to_string().into()).unwrap();
    Simulator::new(7)
        .with_pacing(Pacing::Instant)
        .handle(&request)
}

fn whole(body: &Value) -> Value {
    let reply = send(URL, body);
    assert_eq!(reply.head.status, 200, "{:?}", reply.body());
    waystation_core::Json::parse(&reply.body()).unwrap();
    serde_json::from_slice(&reply.body()).unwrap()
}

/// The chunks of the same request, streamed.
fn streamed(body: &Value, options: Option<Value>) -> Vec<Value> {
    let mut body = body.clone();
    body["stream"] = json!(true);
    if let Some(options) = options {
        body["stream_options"] = options;
    }
    let reply = send(URL, &body);
    assert!(reply.is_stream());
    let mut events: Vec<String> = Vec::new();
    for (_, piece) in &reply.pieces {
        let text = std::str::from_utf8(piece).unwrap();
        let data = text.strip_prefix("data: ").unwrap();
        events.push(data.strip_suffix("\n\n").unwrap().into());
    }
    assert_eq!(events.pop().as_deref(), Some("[DONE]"));
    let chunks = events.iter().map(|event| serde_json::from_str(event));
    chunks.map(Result::unwrap).collect()
}

/// A message put together from the chunks of choice `index`.
fn folded(chunks: &[Value], index: u64) -> Value {
    let mut message = json!({"content": "", "reasoning": "", "calls": [], "finish": null});
    let choices = chunks.iter().flat_map(|c| c["choices"].as_array().unwrap());
    for choice in choices.filter(|choice| choice["index"] == index) {
        let delta = &choice["delta"];
        let reasoning = delta.get("reasoning").or(delta.get("reasoning_content"));
        for (key, piece) in [("content", delta.get("content")), ("reasoning", reasoning)] {
            let piece = piece.and_then(Value::as_str).unwrap_or_default();
            message[key] = json!(message[key].as_str().unwrap().to_owned() + piece);
        }
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let calls = message["calls"].as_array_mut().unwrap();
            let at = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
            if at == calls.len() {
                assert!(call["id"].is_string() && call["type"] == "function");
                calls.push(json!([call["function"]["name"], ""]));
            } else {
                assert!(call.get("id").is_none() && call["function"].get("name").is_none());
            }
            let piece = call["function"]["arguments"].as_str().unwrap();
            calls[at][1] = json!(calls[at][1].as_str().unwrap().to_owned() + piece);
        }
        if !choice["finish_reason"].is_null() {
            assert!(message["finish"].is_null(), "two finish chunks");
            message["finish"] = choice["finish_reason"].clone();
        }
    }
    message
}

fn ask(content: &str) -> Value {
    json!({"model": "acme-1", "messages": [{"role": "user", "content": content}]})
}

fn weather() -> Value {
    json!([{"type": "function", "function": {
        "name": "get_time", "description": "Tells the time of day in a zone",
        "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]},
    }}, {"type": "function", "function": {
        "name": "get_weather", "description": "Weather at a place",
        "parameters": {"type": "object", "properties": {
            "city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]},
        }, "required": ["city", "unit"]},
    }}])
}

#[test]
fn a_whole_reply_has_every_member_and_says_that_it_is_simulated() {
    let reply = whole(&ask("What is a waystation?"));
    assert_eq!(reply["object"], "chat.completion");
    assert_eq!(reply["model"], "acme-1");
    let choice = &reply["choices"][0];
    assert_eq!(
        (&choice["index"], &choice["finish_reason"]),
        (&json!(0), &json!("stop"))
    );
    let text = choice["message"]["content"].as_str().unwrap();
    assert!(
        text.contains("simulated") && text.contains("What is a waystation?"),
        "{text}"
    );
    let usage = &reply["usage"];
    let sum =
        usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], sum);
    assert_eq!(usage["completion_tokens"], text.len().div_ceil(4));
    assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 0);
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 0);
}

#[test]
fn a_stream_says_what_the_whole_reply_says() {
    let mut tools = ask("What's the weather in New York, in Fahrenheit?");
    tools["tools"] = weather();
    let mut thinking = ask("Think about it");
    thinking["reasoning_effort"] = json!("high");
    let mut schema = ask("A person named Ada");
    schema["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "p",
        "schema": {"type": "object", "properties": {"name": {"type": "string"}}}}});
    let mut twice = ask("Twice");
    twice["n"] = json!(2);
    for body in [ask("Grüße, 世界 🌍"), tools, thinking, schema, twice] {
        let reply = whole(&body);
        let chunks = streamed(&body, Some(json!({"include_usage": true})));
        for choice in reply["choices"].as_array().unwrap() {
            let message = &choice["message"];
            let folded = folded(&chunks, choice["index"].as_u64().unwrap());
            assert_eq!(
                folded["content"],
                message["content"].as_str().unwrap_or_default()
            );
            let thoughts = message["reasoning_content"].as_str().unwrap_or_default();
            assert_eq!(folded["reasoning"], thoughts);
            assert_eq!(folded["finish"], choice["finish_reason"]);
            let calls: Vec<Value> = message["tool_calls"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|call| json!([call["function"]["name"], call["function"]["arguments"]]))
                .collect();
            assert_eq!(folded["calls"], json!(calls));
        }
        let last = chunks.last().unwrap();
        assert_eq!(
            (&last["choices"], &last["usage"]),
            (&json!([]), &reply["usage"])
        );
        for chunk in &chunks {
            assert_eq!(chunk["object"], "chat.completion.chunk");
            for key in ["id", "model", "created"] {
                assert_eq!(chunk[key], reply[key]);
            }
        }
    }
}

#[test]
fn usage_in_streams_goes_where_it_was_asked_for() {
    let with_usage = |options| {
        let chunks = streamed(&ask("Hi"), options);
        let carry = |chunk: &&Value| chunk["usage"].is_object();
        let carrying: Vec<Value> = chunks.iter().filter(carry).cloned().collect();
        let nulls = chunks
            .iter()
            .filter(|c| c.get("usage").is_some_and(Value::is_null))
            .count();
        (carrying, nulls)
    };
    let (own, nulls) = with_usage(Some(json!({"include_usage": true})));
    assert!(own.len() == 1 && own[0]["choices"] == json!([]) && nulls > 3);
    let (on_finish, nulls) = with_usage(None);
    assert_eq!((on_finish.len(), nulls), (1, 0));
    assert_eq!(on_finish[0]["choices"][0]["finish_reason"], "stop");
    assert!(
        with_usage(Some(json!({"include_usage": false})))
            .0
            .is_empty()
    );
}

#[test]
fn tools_are_called_when_spoken_of_or_demanded() {
    let called = |prompt: &str, choice: Value| -> Vec<(String, Value)> {
        let mut body = ask(prompt);
        body["tools"] = weather();
        body["tool_choice"] = choice;
        let reply = whole(&body);
        let calls = reply["choices"][0]["message"]["tool_calls"]
            .as_array()
            .cloned();
        let calls = calls.unwrap_or_default();
        let finish = if calls.is_empty() {
            "stop"
        } else {
            "tool_calls"
        };
        assert_eq!(reply["choices"][0]["finish_reason"], finish);
        calls
            .iter()
            .map(|call| {
                let arguments = call["function"]["arguments"].as_str().unwrap();
                let name = call["function"]["name"].as_str().unwrap();
                (name.to_owned(), serde_json::from_str(arguments).unwrap())
            })
            .collect()
    };
    let auto = called("Weather in New York, in fahrenheit?", json!("auto"));
    let there = json!({"city": "New York", "unit": "fahrenheit"});
    assert_eq!(auto, [("get_weather".into(), there)]);
    assert!(called("Hello there", json!("auto")).is_empty());
    assert!(called("Weather?", json!("none")).is_empty());
    assert_eq!(called("Hello there", json!("required")).len(), 1);
    assert_eq!(
        called(
            "Hello",
            json!({"type": "function", "function": {"name": "get_weather"}})
        )[0]
        .0,
        "get_weather"
    );
    let both = called("The time and the weather in Oslo", json!("auto"));
    assert_eq!(both.len(), 2);
}

#[test]
fn a_tool_result_is_answered_in_words_with_the_result_in_them() {
    let mut body = ask("Weather in Oslo?");
    body["tools"] = weather();
    body["tool_choice"] = json!("required");
    let call = json!({"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}});
    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": null, "tool_calls": [call]}));
    messages.push(json!({"role": "tool", "tool_call_id": "c1", "content": "{\"sky\": \"clear\", \"celsius\": 4}"}));
    let reply = whole(&body);
    let text = reply["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(text.contains("sky is clear and celsius is 4"), "{text}");
}

#[test]
fn limits_and_stops_are_kept() {
    for limit in [1, 5, 12] {
        let mut body = ask("Tell me a long story");
        body["max_tokens"] = json!(limit);
        body["reasoning_effort"] = json!("low");
        let reply = whole(&body);
        assert_eq!(reply["choices"][0]["finish_reason"], "length");
        assert!(reply["usage"]["completion_tokens"].as_u64().unwrap() <= limit);
        let chunks = streamed(&body, None);
        assert_eq!(folded(&chunks, 0)["finish"], "length");
    }
    let mut body = ask("Hi");
    body["stop"] = json!(["nowhere to be found", " answer"]);
    let reply = whole(&body);
    assert_eq!(
        reply["choices"][0]["message"]["content"],
        "This is a simulated"
    );
    assert_eq!(reply["choices"][0]["finish_reason"], "stop");
}

#[test]
fn json_mode_gives_json() {
    let mut body = ask("Describe Ada");
    body["response_format"] = json!({"type": "json_object"});
    let reply = whole(&body);
    let text = reply["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(serde_json::from_str::<Value>(text).unwrap().is_object());
}

#[test]
fn reasoning_stands_where_it_was_asked_for() {
    let asked = |key: &str, value: Value| {
        let mut body = ask("Why?");
        body[key] = value;
        let reply = whole(&body);
        let message = &reply["choices"][0]["message"];
        let tokens = reply["usage"]["completion_tokens_details"]["reasoning_tokens"].as_u64();
        let shown = ["reasoning", "reasoning_content"].map(|key| message[key].is_string());
        (shown, tokens.unwrap() > 0)
    };
    assert_eq!(
        asked("reasoning_effort", json!("low")),
        ([false, true], true)
    );
    assert_eq!(asked("enable_thinking", json!(true)), ([false, true], true));
    assert_eq!(
        asked("thinking", json!({"type": "enabled"})),
        ([false, true], true)
    );
    assert_eq!(
        asked("reasoning", json!({"effort": "high"})),
        ([true, false], true)
    );
    assert_eq!(
        asked("reasoning", json!({"exclude": true})),
        ([false, false], true)
    );
    for off in [
        ("reasoning_effort", json!("none")),
        ("reasoning", json!({"enabled": false})),
        ("enable_thinking", json!(false)),
        ("thinking", json!({"type": "disabled"})),
    ] {
        assert_eq!(asked(off.0, off.1), ([false, false], false));
    }
}

#[test]
fn logprobs_cover_the_text() {
    let mut body = ask("Hi");
    body["logprobs"] = json!(true);
    body["top_logprobs"] = json!(2);
    let reply = whole(&body);
    let choice = &reply["choices"][0];
    let list = choice["logprobs"]["content"].as_array().unwrap();
    let text: String = list
        .iter()
        .map(|one| one["token"].as_str().unwrap())
        .collect();
    assert_eq!(choice["message"]["content"], text);
    assert!(
        list.iter()
            .all(|one| one["logprob"].as_f64().unwrap() < 0.0)
    );
    assert!(
        list.iter()
            .all(|one| one["top_logprobs"].as_array().unwrap().len() == 2)
    );
    let chunks = streamed(&body, None);
    assert_eq!(chunks[1]["choices"][0]["logprobs"]["content"][0], list[0]);
}

#[test]
fn pictures_are_mentioned_and_counted() {
    let picture = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}});
    let words = json!({"type": "text", "text": "What is this?"});
    let tokens = |parts: Value| {
        let reply = whole(&json!({"model": "m", "messages": [{"role": "user", "content": parts}]}));
        let text = reply["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .to_owned();
        (text, reply["usage"]["prompt_tokens"].as_u64().unwrap())
    };
    let (_, plain) = tokens(json!([words]));
    let (text, more) = tokens(json!([words, picture]));
    assert!(text.contains("1 image"), "{text}");
    assert!(more >= plain + 85);
}

#[test]
fn azure_paths_name_the_model_when_the_body_does_not() {
    let body = json!({"messages": [{"role": "user", "content": "Hi"}]});
    let url =
        "https://r.invalid/openai/deployments/prod-54/chat/completions?api-version=2024-10-21";
    let reply: Value = serde_json::from_slice(&send(url, &body).body()).unwrap();
    assert_eq!(reply["model"], "prod-54");
    let url = "https://r.invalid/openai/v1/chat/completions";
    assert_eq!(send(url, &ask("Hi")).head.status, 200);
}

#[test]
fn what_is_wrong_is_refused_by_name() {
    let with = |key: &str, value: Value| {
        let mut body = ask("Hi");
        body[key] = value;
        body
    };
    for (body, status, param) in [
        (json!([]), 400, json!("body")),
        (json!({"messages": []}), 400, json!("model")),
        (json!({"model": "m"}), 400, json!("messages")),
        (with("messages", json!("Hi")), 400, json!("messages")),
        (
            with("messages", json!([{"role": "queen"}])),
            400,
            json!("messages[0].role"),
        ),
        (with("stream", json!("yes")), 400, json!("stream")),
        (with("max_tokens", json!(0)), 400, json!("max_tokens")),
        (with("n", json!(1000)), 400, json!("n")),
        (with("stop", json!(3)), 400, json!("stop")),
        (
            with("tools", json!([{"function": {}}])),
            400,
            json!("tools[0].function.name"),
        ),
        (
            with("tool_choice", json!("perhaps")),
            400,
            json!("tool_choice"),
        ),
        (
            with("response_format", json!({"type": "json_schema"})),
            400,
            json!("response_format.json_schema.schema"),
        ),
        (with("top_logprobs", json!(21)), 400, json!("top_logprobs")),
    ] {
        let reply = send(URL, &body);
        assert_eq!(reply.head.status, status, "{body}");
        let error: Value = serde_json::from_slice(&reply.body()).unwrap();
        assert_eq!(error["error"]["param"], param, "{body}");
        assert!(error["error"]["message"].is_string() && error["error"]["type"].is_string());
    }
}
