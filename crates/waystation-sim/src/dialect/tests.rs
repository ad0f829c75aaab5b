//! Laws of every wire: no body does harm, equal requests get equal replies, each address is served
//! by one wire alone, and the table's names are those of the wires.

mod search;

use serde_json::{Value, json};

use super::{
    DIALECTS,
    trial::{person, place, send, with},
};
use crate::SimReply;

/// A request with a bit of everything for each wire: where it goes whole and streamed.
fn samples() -> [(&'static str, [&'static str; 2], Value); 6] {
    const GEMINI: [&str; 2] = [
        "https://sim.invalid/v1beta/models/gemini-3-flash:generateContent",
        "https://sim.invalid/v1beta/models/gemini-3-flash:streamGenerateContent?alt=sse",
    ];
    const BEDROCK: [&str; 2] = [
        "https://sim.invalid/model/a.b%3A0/converse",
        "https://sim.invalid/model/a.b%3A0/converse-stream",
    ];
    let (chat, responses) = (
        "https://sim.invalid/v1/chat/completions",
        "https://sim.invalid/v1/responses",
    );
    let (messages, cohere) = (
        "https://sim.invalid/v1/messages",
        "https://sim.invalid/v2/chat",
    );
    [
        ("openai-chat", [chat; 2], openai_chat()),
        ("openai-responses", [responses; 2], openai_responses()),
        ("anthropic-messages", [messages; 2], anthropic_messages()),
        ("gemini", GEMINI, gemini()),
        ("cohere-chat", [cohere; 2], cohere_chat()),
        ("bedrock-converse", BEDROCK, bedrock_converse()),
    ]
}

/// A conversation and tools as chat completions have them, and Cohere too.
fn chatting() -> Value {
    let function = json!({"name": "f", "description": "d", "parameters": place()});
    let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let picture = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}});
    let words = json!({"type": "text", "text": "Weather in Oslo?"});
    json!({"model": "m", "max_tokens": 90, "tools": [{"type": "function", "function": function}],
        "messages": [{"role": "system", "content": "s"},
            {"role": "user", "content": [words, picture]},
            {"role": "assistant", "content": null, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "{\"a\": 1}"}]})
}

fn openai_chat() -> Value {
    let schema = json!({"name": "p", "schema": person()});
    let more = json!({"tool_choice": "auto", "stop": ["x"], "n": 2, "logprobs": true,
        "top_logprobs": 1, "reasoning": {"effort": "low", "exclude": false},
        "response_format": {"type": "json_schema", "json_schema": schema}});
    with(chatting(), more)
}

fn cohere_chat() -> Value {
    let more = json!({"tool_choice": "REQUIRED", "stop_sequences": ["x"],
        "thinking": {"type": "enabled", "token_budget": 9},
        "response_format": {"type": "json_object", "json_schema": person()}});
    with(chatting(), more)
}

fn openai_responses() -> Value {
    let words = json!({"type": "input_text", "text": "Weather?"});
    let picture = json!({"type": "input_image", "image_url": "x"});
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let result = json!({"type": "function_call_output", "call_id": "c", "output": [words]});
    json!({"model": "m", "instructions": "i", "max_output_tokens": 90, "top_logprobs": 1,
        "input": [{"role": "developer", "content": "s"},
            {"type": "message", "role": "user", "content": [words, picture]}, call, result],
        "tools": [{"type": "function", "name": "f", "parameters": place()}],
        "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"name": "f"}]},
        "text": {"format": {"type": "json_schema", "name": "p", "schema": person()}},
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"]})
}

fn anthropic_messages() -> Value {
    let words = json!({"type": "text", "text": "Weather?"});
    let picture = json!({"type": "image", "source": {}});
    let call = json!({"type": "tool_use", "id": "c", "name": "f", "input": {}});
    let result = json!({"type": "tool_result", "tool_use_id": "c", "content": [words]});
    json!({"model": "m", "max_tokens": 2000, "system": [words], "stop_sequences": ["x"],
        "messages": [{"role": "user", "content": [words, picture]},
            {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}],
        "tools": [{"name": "f", "input_schema": place()}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
        "thinking": {"type": "enabled", "budget_tokens": 1024, "display": "omitted"},
        "output_config": {"format": {"type": "json_schema", "schema": person()}}})
}

fn gemini() -> Value {
    let words = json!({"text": "Weather?"});
    let picture = json!({"inlineData": {"mimeType": "image/png", "data": ""}});
    let call = json!({"functionCall": {"name": "f", "args": {}}});
    let result = json!({"functionResponse": {"name": "f", "response": {"output": "r"}}});
    json!({"systemInstruction": {"parts": [words]}, "contents": [
            {"role": "user", "parts": [words, picture]}, {"role": "model", "parts": [call]},
            {"role": "user", "parts": [result]}],
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": place()}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {"candidateCount": 2, "maxOutputTokens": 90, "stopSequences": ["x"],
            "responseJsonSchema": person(), "responseMimeType": "application/json",
            "logprobs": 1, "responseLogprobs": true,
            "thinkingConfig": {"includeThoughts": true, "thinkingBudget": -1}}})
}

fn bedrock_converse() -> Value {
    let words = json!({"text": "Weather?"});
    let picture = json!({"image": {"format": "png", "source": {}}});
    let call = json!({"toolUse": {"toolUseId": "c", "name": "f", "input": {}}});
    let result = json!({"toolResult": {"toolUseId": "c", "content": [{"json": {"a": 1}}]}});
    let schema = json!({"jsonSchema": {"schema": person().to_string()}});
    let spec = json!({"name": "f", "inputSchema": {"json": place()}});
    json!({"system": [words], "messages": [{"role": "user", "content": [words, picture]},
            {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}],
        "inferenceConfig": {"maxTokens": 90, "stopSequences": ["x"]},
        "toolConfig": {"tools": [{"toolSpec": spec}], "toolChoice": {"tool": {"name": "f"}}},
        "outputConfig": {"textFormat": {"structure": schema}},
        "additionalModelRequestFields": {"thinking": {"type": "enabled"}}})
}

/// Every place in `value`, as a JSON pointer.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                places(value, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(list) => {
            for (nth, value) in list.iter().enumerate() {
                places(value, &format!("{at}/{nth}"), found);
            }
        }
        _ => {}
    }
}

/// Sends `body`; the reply is an answer or a refusal, in JSON or a stream.
fn sent(url: &str, body: &Value) -> SimReply {
    let reply = send(url, body);
    assert!(matches!(reply.head.status.as_u16(), 200 | 400), "{body}");
    if !reply.is_stream() {
        let whole: Value = serde_json::from_slice(&reply.body()).unwrap();
        assert!(whole.is_object(), "{body}");
    }
    reply
}

#[test]
fn equal_requests_get_equal_replies() {
    for (id, urls, mut body) in samples() {
        for (url, stream) in urls.into_iter().zip([false, true]) {
            if urls[0] == urls[1] {
                body["stream"] = json!(stream);
            }
            let (one, other) = (sent(url, &body), sent(url, &body));
            assert_eq!(
                (one.head.status.as_u16(), one.is_stream()),
                (200, stream),
                "{id}"
            );
            assert_eq!(one.pieces, other.pieces, "{id}");
            assert_eq!(one.head.headers, other.head.headers, "{id}");
        }
    }
}

#[test]
fn nothing_in_any_place_does_harm() {
    let junk = [
        json!(null),
        json!(-1),
        json!(""),
        json!([]),
        json!({}),
        json!([{}]),
    ];
    for (_, [url, _], body) in samples() {
        let mut found = Vec::new();
        places(&body, "", &mut found);
        for place in found {
            for junk in &junk {
                let mut broken = body.clone();
                *broken.pointer_mut(&place).unwrap() = junk.clone();
                sent(url, &broken);
            }
        }
    }
}

#[test]
fn each_wire_has_addresses_of_its_own() {
    let ids: Vec<&str> = DIALECTS.iter().map(|(id, _)| *id).collect();
    let sampled: Vec<&str> = samples().iter().map(|(id, ..)| *id).collect();
    assert_eq!(ids, sampled);
    for (id, urls, _) in samples() {
        for url in urls {
            let uri: http::Uri = url.parse().unwrap();
            let serving = DIALECTS.iter().filter(|(_, wire)| wire.serves(uri.path()));
            let serving: Vec<&str> = serving.map(|(id, _)| *id).collect();
            assert_eq!(serving, [id], "{url}");
        }
    }
}
