//! The wire as an unmodified client would read it.

use serde_json::{Value, json};

use crate::{
    SimReply,
    dialect::trial::{Heard, faults_work, person, place, send, success, under, with},
};

const WHOLE: &str = "https://sim.invalid/model/us.acme.m-v1%3A0/converse";
const STREAM: &str = "https://sim.invalid/model/us.acme.m-v1%3A0/converse-stream";

fn ask(prompt: &str, more: Value) -> Value {
    let body = json!({"system": [{"text": "Be brief."}],
        "messages": [{"role": "user", "content": [{"text": prompt}]}]});
    with(body, more)
}

fn weather(choice: Value) -> Value {
    let spec = json!({"name": "get_weather", "description": "Weather at a place",
        "inputSchema": {"json": place()}});
    let tools = json!([{"toolSpec": spec}, {"cachePoint": {"type": "default"}}]);
    let config = with(json!({"tools": tools}), under("toolChoice", choice));
    under("toolConfig", config)
}

fn inference(more: Value) -> Value {
    under("inferenceConfig", more)
}

/// The frames of a stream, each a piece of its own: type and payload. Checksums are looked at here
/// by the rule of the format, not by the simulator's code.
fn frames(reply: &SimReply) -> Vec<(String, Value)> {
    assert_eq!(reply.head.status, 200, "{:?}", reply.body());
    let kind = &reply.head.headers["content-type"];
    assert_eq!(kind, "application/vnd.amazon.eventstream");
    let pieces = reply.pieces.iter().map(|(_, piece)| {
        let number = |at: usize| u32::from_be_bytes(piece[at..at + 4].try_into().unwrap());
        let (total, headers) = (number(0) as usize, number(4) as usize);
        assert_eq!(total, piece.len());
        assert_eq!(number(8), crc(&piece[..8]));
        assert_eq!(number(total - 4), crc(&piece[..total - 4]));
        let head = String::from_utf8_lossy(&piece[12..12 + headers]);
        let kind = head.split(":event-type\u{7}").nth(1).unwrap();
        let kind: String = kind
            .chars()
            .skip(2)
            .take_while(|c| c.is_alphabetic())
            .collect();
        let payload = serde_json::from_slice(&piece[12 + headers..total - 4]).unwrap();
        (kind, payload)
    });
    pieces.collect()
}

/// CRC-32 of ISO-HDLC, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xEDB8_8320
            } else {
                crc >> 1
            }
        })
    };
    !bytes.iter().fold(!0, step)
}

fn counts(usage: &Value, heard: &mut Heard) {
    heard.counts(&usage["inputTokens"], &usage["outputTokens"]);
    assert_eq!(usage["totalTokens"], heard.usage.0 + heard.usage.1);
}

fn whole(body: &Value) -> Heard {
    let reply = success(&send(WHOLE, body));
    let mut heard = Heard::default();
    let message = &reply["output"]["message"];
    assert_eq!(message["role"], "assistant");
    for block in message["content"].as_array().unwrap() {
        let reasoning = &block["reasoningContent"]["reasoningText"];
        heard.thinks(&reasoning["text"]);
        assert!(reasoning.is_null() || reasoning["signature"].is_string());
        heard.says(&block["text"]);
        if let Some(tool) = block.get("toolUse") {
            assert!(tool["toolUseId"].as_str().unwrap().starts_with("tooluse_"));
            heard.calls(&tool["name"], &tool["input"].to_string());
        }
    }
    heard.finish = reply["stopReason"].as_str().unwrap().into();
    counts(&reply["usage"], &mut heard);
    heard
}

fn streamed(body: &Value) -> Heard {
    let frames = frames(&send(STREAM, body));
    let (mut heard, mut name, mut input) = (Heard::default(), Value::Null, String::new());
    for (kind, event) in &frames {
        assert!(event["p"].is_string());
        let delta = &event["delta"];
        match kind.as_str() {
            "contentBlockStart" => name = event["start"]["toolUse"]["name"].clone(),
            "contentBlockDelta" => {
                heard.says(&delta["text"]);
                heard.thinks(&delta["reasoningContent"]["text"]);
                input += delta["toolUse"]["input"].as_str().unwrap_or_default();
            }
            "contentBlockStop" if !name.is_null() => {
                heard.calls(&std::mem::take(&mut name), &std::mem::take(&mut input));
            }
            "messageStop" => heard.finish = event["stopReason"].as_str().unwrap().into(),
            "metadata" => counts(&event["usage"], &mut heard),
            _ => {}
        }
    }
    let kinds: Vec<&str> = frames.iter().map(|(kind, _)| &**kind).collect();
    assert_eq!(
        (kinds[0], kinds[kinds.len() - 1]),
        ("messageStart", "metadata")
    );
    heard
}

#[test]
fn streams_say_what_whole_replies_say() {
    let thinking = json!({"thinking": {"type": "enabled", "budget_tokens": 1024}});
    let schema = json!({"jsonSchema": {"name": "p", "schema": person().to_string()}});
    let format = json!({"textFormat": {"type": "json_schema", "structure": schema}});
    for body in [
        ask("Grüße, 世界 🌍", json!({})),
        ask("Weather in Oslo?", weather(json!({"auto": {}}))),
        ask("Think", json!({"additionalModelRequestFields": thinking})),
        ask("Ada is 36", json!({"outputConfig": format})),
        ask("A long story", inference(json!({"maxTokens": 5}))),
        ask("Hi", inference(json!({"stopSequences": [" answer"]}))),
    ] {
        let whole = whole(&body);
        assert_eq!(whole, streamed(&body), "{body}");
        assert!(whole.usage.0 > 0 && whole.usage.1 > 0);
    }
    let said = whole(&ask("Ada is 36", json!({"outputConfig": format}))).text;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert!(said["name"].is_string() && said["age"].is_u64(), "{said}");
}

#[test]
fn replies_say_why_they_ended() {
    let finish = |more: Value| whole(&ask("Hi", more)).finish;
    assert!(whole(&ask("Hi", json!({}))).text.contains("simulated"));
    assert!(whole(&ask("Hi", json!({}))).text.contains("us.acme.m-v1:0"));
    assert_eq!(finish(json!({})), "end_turn");
    assert_eq!(finish(inference(json!({"maxTokens": 2}))), "max_tokens");
    assert_eq!(
        finish(inference(json!({"stopSequences": ["a"]}))),
        "stop_sequence"
    );
    assert_eq!(finish(weather(json!({"any": {}}))), "tool_use");
}

#[test]
fn tools_are_called_and_their_results_answered() {
    let forced = weather(json!({"tool": {"name": "get_weather"}}));
    let heard = whole(&ask("Is it warm in Oslo?", forced));
    assert_eq!(
        heard.calls,
        [("get_weather".into(), json!({"city": "Oslo"}))]
    );
    for content in [
        json!([{"text": "{\"celsius\": 4}"}]),
        json!([{"json": {"celsius": 4}}]),
    ] {
        let mut body = ask("Weather in Oslo?", weather(json!({"auto": {}})));
        let messages = body["messages"].as_array_mut().unwrap();
        let call = json!({"toolUse": {"toolUseId": "t1", "name": "get_weather", "input": {}}});
        messages.push(json!({"role": "assistant", "content": [call]}));
        let result = json!({"toolResult": {"toolUseId": "t1", "content": content}});
        messages.push(json!({"role": "user", "content": [result]}));
        assert!(whole(&body).text.contains("celsius is 4"));
    }
}

#[test]
fn reasoning_is_wanted_in_each_makers_words() {
    let thinks = |fields: Value| {
        let more = json!({"additionalModelRequestFields": fields});
        !whole(&ask("Why?", more)).reasoning.is_empty()
    };
    assert!(thinks(json!({"thinking": {"type": "adaptive"}})));
    assert!(thinks(json!({"reasoning_config": {"type": "enabled"}})));
    assert!(thinks(json!({"reasoningConfig": {"type": "enabled"}})));
    assert!(thinks(json!({"reasoning_effort": "low"})));
    assert!(!thinks(json!({"thinking": {"type": "disabled"}})));
    assert!(!thinks(json!({"top_k": 3})));
}

#[test]
fn what_is_wrong_is_refused_by_name() {
    let turn = |role: &str, block: Value| json!([{"role": role, "content": [block]}]);
    let result = json!({"toolResult": {"toolUseId": "t", "content": []}});
    let schema = json!({"textFormat": {"structure": {"jsonSchema": {"schema": "{"}}}});
    for (body, named) in [
        (json!([]), "body"),
        (json!({}), "messages"),
        (
            json!({"messages": turn("queen", json!({"text": "Hi"}))}),
            "messages.0.role",
        ),
        (
            json!({"messages": turn("assistant", json!({"text": "Hi"}))}),
            "messages.0.role",
        ),
        (
            json!({"messages": [{"role": "user", "content": "Hi"}]}),
            "messages.0.content",
        ),
        (json!({"messages": turn("user", result)}), "toolConfig"),
        (ask("Hi", inference(json!({"maxTokens": 0}))), "maxTokens"),
        (
            ask("Hi", weather(json!({"tool": {"name": "x"}}))),
            "toolConfig.toolChoice",
        ),
        (
            ask("Hi", json!({"outputConfig": schema})),
            "jsonSchema.schema",
        ),
    ] {
        let reply = send(WHOLE, &body);
        assert_eq!(reply.head.status, 400, "{body}");
        let kind = reply.head.headers["x-amzn-errortype"].to_str().unwrap();
        assert!(kind.starts_with("ValidationException"));
        let error: Value = serde_json::from_slice(&reply.body()).unwrap();
        assert!(
            error["message"].as_str().unwrap().contains(named),
            "{error}"
        );
    }
    let error = faults_work(STREAM, &ask("Hi", json!({})));
    assert_eq!(error["message"], "scripted fault");
}
