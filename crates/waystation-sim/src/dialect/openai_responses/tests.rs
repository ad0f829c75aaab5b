//! The wire as an unmodified client would read it.

use serde_json::{Value, json};

use crate::dialect::trial::{Heard, events, faults_work, person, place, send, success, with};

const URL: &str = "https://sim.invalid/v1/responses";

fn ask(prompt: &str, more: Value) -> Value {
    let body = json!({"model": "acme-1", "store": false,
        "input": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": prompt}]});
    with(body, more)
}

fn weather() -> Value {
    json!([{"type": "function", "name": "get_weather", "description": "Weather at a place",
        "parameters": place(), "strict": false}, {"type": "web_search"}])
}

/// What a finished response says.
fn heard(response: &Value) -> Heard {
    let mut heard = Heard::default();
    for item in response["output"].as_array().unwrap() {
        assert!(item["id"].is_string());
        match item["type"].as_str().unwrap() {
            "reasoning" => heard.thinks(&item["summary"][0]["text"]),
            "message" => heard.says(&item["content"][0]["text"]),
            "function_call" => {
                assert!(item["call_id"].as_str().unwrap().starts_with("call_"));
                heard.calls(&item["name"], item["arguments"].as_str().unwrap());
            }
            other => panic!("{other}"),
        }
    }
    heard.finish = response["status"].as_str().unwrap().into();
    let usage = &response["usage"];
    heard.counts(&usage["input_tokens"], &usage["output_tokens"]);
    heard
}

fn whole(body: &Value) -> Heard {
    heard(&success(&send(URL, body)))
}

/// What the deltas of the same request say, and what its end says, which is the same.
fn streamed(body: &Value) -> Heard {
    let mut body = body.clone();
    body["stream"] = json!(true);
    let events = events(&send(URL, &body));
    let (mut heard, mut arguments) = (Heard::default(), String::new());
    for (nth, (name, event)) in events.iter().enumerate() {
        assert_eq!(
            (&event["type"], &event["sequence_number"]),
            (&json!(name), &json!(nth))
        );
        match name.as_str() {
            "response.output_text.delta" => heard.says(&event["delta"]),
            "response.reasoning_summary_text.delta" => heard.thinks(&event["delta"]),
            "response.function_call_arguments.delta" => {
                arguments += event["delta"].as_str().unwrap();
            }
            "response.output_item.done" if event["item"]["type"] == "function_call" => {
                heard.calls(&event["item"]["name"], &std::mem::take(&mut arguments));
            }
            _ => {}
        }
    }
    let end = &events.last().unwrap().1["response"];
    heard.finish = end["status"].as_str().unwrap().into();
    let usage = &end["usage"];
    heard.counts(&usage["input_tokens"], &usage["output_tokens"]);
    assert_eq!(heard, super::tests::heard(end));
    heard
}

#[test]
fn streams_say_what_whole_replies_say() {
    let schema = json!({"format": {"type": "json_schema", "name": "p", "schema": person()}});
    for body in [
        ask("Grüße, 世界 🌍", json!({})),
        ask("Weather in Oslo?", json!({"tools": weather()})),
        ask(
            "Think",
            json!({"reasoning": {"effort": "high", "summary": "auto"}}),
        ),
        ask("Ada is 36", json!({"text": schema})),
        ask("A long story", json!({"max_output_tokens": 5})),
        ask(
            "Weather in Oslo?",
            json!({"tools": weather(), "max_output_tokens": 4}),
        ),
        ask(
            "Why?",
            json!({"reasoning": {"summary": "auto"}, "max_output_tokens": 3}),
        ),
        json!({"model": "acme-1", "input": "Hi"}),
    ] {
        let whole = whole(&body);
        assert_eq!(whole, streamed(&body), "{body}");
        assert!(whole.usage.0 > 0 && whole.usage.1 > 0);
    }
}

#[test]
fn a_response_has_its_members_and_says_that_it_is_simulated() {
    let reply = success(&send(
        URL,
        &ask("What is this?", json!({"temperature": 0.5})),
    ));
    assert_eq!(
        (&reply["object"], &reply["model"]),
        (&json!("response"), &json!("acme-1"))
    );
    assert_eq!(
        (&reply["temperature"], &reply["store"]),
        (&json!(0.5), &json!(false))
    );
    assert!(heard(&reply).text.contains("simulated"));
    let cut = success(&send(URL, &ask("Hi", json!({"max_output_tokens": 2}))));
    assert_eq!(cut["incomplete_details"]["reason"], "max_output_tokens");
}

#[test]
fn tools_are_called_and_their_results_answered() {
    let tools =
        json!({"tools": weather(), "tool_choice": {"type": "function", "name": "get_weather"}});
    let heard = whole(&ask("Is it warm in Oslo?", tools));
    assert_eq!(
        heard.calls,
        [("get_weather".into(), json!({"city": "Oslo"}))]
    );
    assert!(
        whole(&ask(
            "Weather?",
            json!({"tools": weather(), "tool_choice": "none"})
        ))
        .calls
        .is_empty()
    );
    let mut body = ask(
        "Weather in Oslo?",
        json!({"tools": weather(), "tool_choice": "required"}),
    );
    let items = body["input"].as_array_mut().unwrap();
    items.push(
        json!({"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": "{}"}),
    );
    items.push(
        json!({"type": "function_call_output", "call_id": "c1", "output": "{\"celsius\": 4}"}),
    );
    assert!(whole(&body).text.contains("celsius is 4"));
}

#[test]
fn reasoning_is_shown_and_sealed_as_asked() {
    let asked = |more: Value| success(&send(URL, &ask("Why?", more)))["output"][0].clone();
    let sealed =
        json!({"reasoning": {"effort": "low"}, "include": ["reasoning.encrypted_content"]});
    let item = asked(sealed);
    assert!(item["encrypted_content"].is_string() && item["summary"] == json!([]));
    let item = asked(json!({"reasoning": {"summary": "auto"}}));
    assert!(item["summary"][0]["text"].is_string() && item.get("encrypted_content").is_none());
    assert_eq!(
        asked(json!({"reasoning": {"effort": "none"}}))["type"],
        "message"
    );
}

#[test]
fn logprobs_cover_the_text() {
    let more = json!({"include": ["message.output_text.logprobs"], "top_logprobs": 2});
    let reply = success(&send(URL, &ask("Hi", more)));
    let part = &reply["output"][0]["content"][0];
    let tokens = part["logprobs"].as_array().unwrap().iter();
    let text: String = tokens.map(|one| one["token"].as_str().unwrap()).collect();
    assert_eq!(part["text"], text);
}

#[test]
fn what_is_wrong_is_refused_by_name() {
    for (body, param) in [
        (json!([]), "body"),
        (json!({"input": "Hi"}), "model"),
        (json!({"model": "m"}), "input"),
        (json!({"model": "m", "input": 3}), "input"),
        (
            json!({"model": "m", "input": [{"role": "queen"}]}),
            "input[0].role",
        ),
        (
            ask("Hi", json!({"max_output_tokens": 0})),
            "max_output_tokens",
        ),
        (
            ask("Hi", json!({"tools": [{"type": "function"}]})),
            "tools[0].name",
        ),
        (
            ask(
                "Hi",
                json!({"tool_choice": {"type": "function", "name": "x"}}),
            ),
            "tool_choice",
        ),
        (
            ask("Hi", json!({"text": {"format": {"type": "json_schema"}}})),
            "text.format.name",
        ),
        (
            ask("Hi", json!({"previous_response_id": "resp_1"})),
            "previous_response_id",
        ),
    ] {
        let reply = send(URL, &body);
        let status = if param == "previous_response_id" {
            404
        } else {
            400
        };
        assert_eq!(reply.head.status, status, "{body}");
        let error: Value = serde_json::from_slice(&reply.body()).unwrap();
        assert_eq!(error["error"]["param"], param, "{body}");
    }
    let error = faults_work(URL, &ask("Hi", json!({"stream": true})));
    assert_eq!(error["error"]["code"], "rate_limit_exceeded");
}
