//! A second reading of Cohere's wire, by `serde_json`: recorded replies as plain facts, and recorded
//! requests as the chat requests that say the same.

use serde_json::{Map, Value, json};

use super::heard::Heard;

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// What a recorded reply says, or the reason of its failure.
pub(crate) fn witness(body: &[u8], streamed: bool) -> Result<Heard, String> {
    let mut heard = Heard::default();
    if !streamed {
        let json: Value = serde_json::from_slice(body).unwrap();
        let message = &json["message"];
        heard.content = string(&message["tool_plan"]);
        for block in list(&message["content"]) {
            heard.content += &string(&block["text"]);
            heard.reasoning += &string(&block["thinking"]);
        }
        for call in list(&message["tool_calls"]) {
            let function = &call["function"];
            let names = [&call["id"], &function["name"], &function["arguments"]].map(string);
            heard.calls.push(names.into());
        }
        list(&message["citations"]).for_each(|citation| cite(citation, &mut heard));
        end(&json, &mut heard);
        return Ok(heard);
    }
    for line in std::str::from_utf8(body).unwrap().lines() {
        let data = line.strip_prefix("data:").map(str::trim);
        let Some(event) = data.and_then(|data| serde_json::from_str::<Value>(data).ok()) else {
            continue;
        };
        let message = &event["delta"]["message"];
        heard.content += &string(&message["tool_plan"]);
        heard.content += &string(&message["content"]["text"]);
        heard.reasoning += &string(&message["content"]["thinking"]);
        let function = &message["tool_calls"]["function"];
        match event["type"].as_str().unwrap() {
            "tool-call-start" => {
                let id = string(&message["tool_calls"]["id"]);
                heard.calls.push((
                    id,
                    string(&function["name"]),
                    string(&function["arguments"]),
                ));
            }
            "tool-call-delta" => {
                heard.calls.last_mut().unwrap().2 += &string(&function["arguments"]);
            }
            "citation-start" => cite(&message["citations"], &mut heard),
            "message-end" if event["delta"]["error"].is_string() => {
                return Err(string(&event["delta"]["error"]));
            }
            "message-end" => end(&event["delta"], &mut heard),
            _ => {}
        }
    }
    Ok(heard)
}

fn cite(citation: &Value, heard: &mut Heard) {
    for source in list(&citation["sources"]) {
        let told = source.get("document").or(source.get("tool_output"));
        let url = told.and_then(|told| told["url"].as_str());
        heard
            .citations
            .push(url.map_or_else(|| string(&source["id"]), str::to_owned));
    }
}

fn end(json: &Value, heard: &mut Heard) {
    let native = string(&json["finish_reason"]);
    let finish = match native.as_str() {
        "COMPLETE" | "STOP_SEQUENCE" => "stop",
        "MAX_TOKENS" => "length",
        "TOOL_CALL" => "tool_calls",
        other => panic!("{other}"),
    };
    heard.finish = (finish.into(), native);
    for call in heard.calls.iter_mut().filter(|call| call.2.is_empty()) {
        call.2 = "{}".into();
    }
    let usage = &json["usage"];
    let tokens = usage.get("tokens").or(usage.get("billed_units"));
    heard.usage = tokens.map(|tokens| {
        [
            tokens["input_tokens"].as_u64(),
            tokens["output_tokens"].as_u64(),
            usage["cached_tokens"].as_u64(),
            tokens["reasoning_tokens"].as_u64(),
        ]
    });
}

/// The chat request that says what a recorded request says.
pub(crate) fn chat_of(native: &Value) -> Value {
    let mut chat = Map::new();
    for (key, value) in native.as_object().unwrap() {
        let (key, value) = match key.as_str() {
            "model" => continue,
            "messages" => ("messages", list(value).map(message).collect()),
            "stop_sequences" => ("stop", value.clone()),
            "tool_choice" => ("tool_choice", string(value).to_lowercase().into()),
            "response_format" => {
                let schema = json!({"name": "answer", "schema": value["json_schema"]});
                (
                    key.as_str(),
                    json!({"type": "json_schema", "json_schema": schema}),
                )
            }
            other => (other, value.clone()),
        };
        chat.insert(key.into(), value);
    }
    chat.into()
}

fn message(native: &Value) -> Value {
    let mut message = native.clone();
    let thoughts = list(&native["content"]).filter(|part| part["type"] == "thinking");
    let details: Vec<Value> = thoughts
        .enumerate()
        .map(|(index, part)| {
            json!({"type": "reasoning.text", "text": part["thinking"], "format": "cohere-chat-v1", "index": index})
        })
        .collect();
    if let Some(parts) = message["content"].as_array_mut() {
        parts.retain(|part| part["type"] != "thinking");
    }
    if !details.is_empty() {
        message["reasoning_details"] = details.into();
    }
    message
}

/// A request without what clients spell in several ways that mean the same.
pub(crate) fn plain(native: &Value) -> Value {
    let mut body = native.clone();
    let members = body.as_object_mut().unwrap();
    for key in ["model", "stream"] {
        members.remove(key);
    }
    for message in body["messages"].as_array_mut().unwrap() {
        let thinks = list(&message["content"]).any(|part| part["type"] == "thinking");
        let documents = list(&message["content"]).any(|part| part["type"] == "document");
        let images = list(&message["content"]).any(|part| part["type"] == "image_url");
        if message["content"].is_array() && !thinks && !documents && !images {
            let text: String = list(&message["content"])
                .map(|part| string(&part["text"]))
                .collect();
            message["content"] = text.into();
        }
        // Clients write arguments anew.
        for call in message["tool_calls"].as_array_mut().into_iter().flatten() {
            let arguments = string(&call["function"]["arguments"]);
            call["function"]["arguments"] = serde_json::from_str(&arguments).unwrap();
        }
        let members = message.as_object_mut().unwrap();
        if members.get("tool_calls").is_some_and(Value::is_array) {
            members.retain(|key, value| key != "content" || *value != "");
        }
    }
    body
}
