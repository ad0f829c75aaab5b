//! A second reading of Converse's wire, by `serde_json`: recorded replies as plain facts, and
//! recorded requests as the chat requests that say the same. Frames are taken apart without looking
//! at their checksums.

use serde_json::{Map, Value, json};

use super::heard::Heard;

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Arguments without white space, which replies in one piece have and streams have not.
pub(crate) fn compact(mut heard: Heard) -> Heard {
    for call in &mut heard.calls {
        let arguments: Value = serde_json::from_str(&call.2).unwrap();
        call.2 = arguments.to_string();
    }
    heard
}

/// Where each frame of a recorded stream ends.
pub(crate) fn ends(body: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 0;
    while at < body.len() {
        at += u32::from_be_bytes(body[at..at + 4].try_into().unwrap()) as usize;
        ends.push(at);
    }
    ends
}

/// The payloads of a recorded stream, each with the type of its event.
fn payloads(body: &[u8]) -> Vec<(String, Value)> {
    let mut start = 0;
    let mut found = Vec::new();
    for end in ends(body) {
        let frame = &body[start..end];
        let headers = u32::from_be_bytes(frame[4..8].try_into().unwrap()) as usize;
        let text = String::from_utf8_lossy(&frame[12..12 + headers]).into_owned();
        let (_, after) = text.split_once(":event-type").unwrap();
        let name = after[1..]
            .chars()
            .skip(2)
            .take_while(char::is_ascii_alphabetic);
        let payload = serde_json::from_slice(&frame[12 + headers..frame.len() - 4]).unwrap();
        found.push((name.collect(), payload));
        start = end;
    }
    found
}

/// What a recorded reply says.
pub(crate) fn witness(body: &[u8], streamed: bool) -> Heard {
    let mut heard = Heard::default();
    if !streamed {
        let json: Value = serde_json::from_slice(body).unwrap();
        for block in list(&json["output"]["message"]["content"]) {
            heard.content += &string(&block["text"]);
            think(&block["reasoningContent"]["reasoningText"], &mut heard);
            think(&block["reasoningContent"], &mut heard);
            if block["toolUse"].is_object() {
                let tool = &block["toolUse"];
                let id = string(&tool["toolUseId"]);
                heard
                    .calls
                    .push((id, string(&tool["name"]), tool["input"].to_string()));
            }
            for part in list(&block["citationsContent"]["content"]) {
                heard.content += &string(&part["text"]);
            }
            list(&block["citationsContent"]["citations"]).for_each(|one| cite(one, &mut heard));
        }
        end(&json["stopReason"], &json["usage"], &mut heard);
        return heard;
    }
    let mut stopped = Value::Null;
    let mut server = false;
    for (name, payload) in payloads(body) {
        let delta = &payload["delta"];
        match name.as_str() {
            "contentBlockStart" => {
                let tool = &payload["start"]["toolUse"];
                server = tool["type"] == "server_tool_use";
                if tool.is_object() && !server {
                    let id = string(&tool["toolUseId"]);
                    heard.calls.push((id, string(&tool["name"]), String::new()));
                }
            }
            "contentBlockDelta" => {
                heard.content += &string(&delta["text"]);
                think(&delta["reasoningContent"], &mut heard);
                if delta["citation"].is_object() {
                    cite(&delta["citation"], &mut heard);
                }
                if delta["toolUse"].is_object() && !server {
                    heard.calls.last_mut().unwrap().2 += &string(&delta["toolUse"]["input"]);
                }
            }
            "messageStop" => stopped = payload["stopReason"].clone(),
            "metadata" => end(&stopped, &payload["usage"], &mut heard),
            _ => {}
        }
    }
    heard
}

fn think(json: &Value, heard: &mut Heard) {
    heard.reasoning += &string(&json["text"]);
    let seals = [&json["signature"], &json["redactedContent"]];
    heard.seals.extend(
        seals
            .into_iter()
            .filter_map(|seal| seal.as_str().map(str::to_owned)),
    );
}

fn cite(json: &Value, heard: &mut Heard) {
    let url = json["source"].as_str().or(json["title"].as_str());
    heard.citations.push(url.unwrap().to_owned());
}

fn end(native: &Value, usage: &Value, heard: &mut Heard) {
    let native = string(native);
    let finish = match native.as_str() {
        "end_turn" | "stop_sequence" => "stop",
        "max_tokens" => "length",
        "tool_use" => "tool_calls",
        "guardrail_intervened" | "content_filtered" => "content_filter",
        other => panic!("{other}"),
    };
    heard.finish = (finish.into(), native);
    let count = |key: &str| usage[key].as_u64();
    let cache = ["cacheReadInputTokens", "cacheWriteInputTokens"];
    let beside: u64 = cache.into_iter().filter_map(count).sum();
    let prompt = count("inputTokens").map(|plain| plain + beside);
    heard.usage = Some([prompt, count("outputTokens"), count(cache[0]), None]);
}

/// The chat request that says what a recorded request says.
pub(crate) fn chat_of(native: &Value) -> Value {
    let mut messages: Vec<Value> = Vec::new();
    if let Some(blocks) = native["system"]
        .as_array()
        .filter(|blocks| !blocks.is_empty())
    {
        messages.push(json!({"role": "system", "content": parts(blocks)}));
    }
    for message in list(&native["messages"]) {
        let blocks: Vec<Value> = list(&message["content"]).cloned().collect();
        if message["role"] == "assistant" {
            messages.push(assistant(&blocks));
            continue;
        }
        let (results, others): (Vec<Value>, Vec<Value>) = blocks
            .into_iter()
            .partition(|block| block["toolResult"].is_object());
        for result in &results {
            let result = &result["toolResult"];
            let content: Vec<Value> = list(&result["content"]).cloned().collect();
            messages.push(json!({"role": "tool", "tool_call_id": result["toolUseId"],
                "content": parts(&content)}));
        }
        if !others.is_empty() {
            messages.push(json!({"role": "user", "content": parts(&others)}));
        }
    }
    let mut chat = Map::new();
    chat.insert("messages".into(), messages.into());
    let config = &native["inferenceConfig"];
    let names = [
        ("maxTokens", "max_tokens"),
        ("temperature", "temperature"),
        ("topP", "top_p"),
        ("stopSequences", "stop"),
    ];
    for (from, to) in names {
        if !config[from].is_null() {
            chat.insert(to.into(), config[from].clone());
        }
    }
    if let Some(tools) = native["toolConfig"]["tools"].as_array() {
        chat.insert("tools".into(), tools.iter().map(tool).collect());
        let choice = match &native["toolConfig"]["toolChoice"] {
            choice if choice["auto"].is_object() => json!("auto"),
            choice if choice["any"].is_object() => json!("required"),
            choice if choice["tool"].is_object() => {
                json!({"type": "function", "function": {"name": choice["tool"]["name"]}})
            }
            _ => Value::Null,
        };
        chat.insert("tool_choice".into(), choice);
    }
    let schema = &native["outputConfig"]["textFormat"]["structure"]["jsonSchema"];
    if schema.is_object() {
        let mut schema = schema.clone();
        schema["schema"] = serde_json::from_str(schema["schema"].as_str().unwrap()).unwrap();
        let format = json!({"type": "json_schema", "json_schema": schema});
        chat.insert("response_format".into(), format);
    }
    for key in [
        "additionalModelRequestFields",
        "guardrailConfig",
        "serviceTier",
    ] {
        if !native[key].is_null() {
            chat.insert(key.into(), native[key].clone());
        }
    }
    chat.into()
}

fn parts(blocks: &[Value]) -> Value {
    let mut parts: Vec<Value> = Vec::new();
    for block in blocks {
        let (kind, inner) = block.as_object().unwrap().iter().next().unwrap();
        let data = |media: &str| {
            let bytes = inner["source"]["bytes"].as_str().unwrap();
            format!(
                "data:{media}/{};base64,{bytes}",
                inner["format"].as_str().unwrap()
            )
        };
        parts.push(match kind.as_str() {
            "text" => json!({"type": "text", "text": inner}),
            "cachePoint" => {
                parts.last_mut().unwrap()["cache_control"] = json!({"type": "ephemeral"});
                continue;
            }
            "image" => json!({"type": "image_url", "image_url": {"url": data("image")}}),
            "document" if inner["source"]["bytes"].is_string() => {
                json!({"type": "file", "file": {"filename": inner["name"], "file_data": data("application")}})
            }
            "video" => json!({"type": "video_url", "video_url":
                {"url": inner["source"]["s3Location"]["uri"]}}),
            other => json!({"type": other, other: inner}),
        });
    }
    parts.into()
}

fn assistant(blocks: &[Value]) -> Value {
    let (mut text, mut calls, mut details) = (String::new(), Vec::new(), Vec::new());
    for block in blocks {
        text += &string(&block["text"]);
        let reasoning = &block["reasoningContent"]["reasoningText"];
        if reasoning.is_object() {
            details.push(json!({"type": "reasoning.text", "text": reasoning["text"],
                "signature": reasoning["signature"], "format": "anthropic-claude-v1", "index": 0}));
        }
        if block["toolUse"].is_object() {
            let tool = &block["toolUse"];
            calls.push(
                json!({"id": tool["toolUseId"], "type": "function", "function":
                {"name": tool["name"], "arguments": tool["input"].to_string()}}),
            );
        }
    }
    let mut message = json!({"role": "assistant", "content": text});
    if !details.is_empty() {
        message["reasoning_details"] = details.into();
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    message
}

fn tool(native: &Value) -> Value {
    let spec = &native["toolSpec"];
    if !spec.is_object() {
        let mut own = native.clone();
        own["type"] = "system_tool".into();
        return own;
    }
    let mut function = json!({"name": spec["name"], "parameters": spec["inputSchema"]["json"]});
    if spec["description"].is_string() {
        function["description"] = spec["description"].clone();
    }
    json!({"type": "function", "function": function})
}

/// A request without what clients spell in several ways that mean the same.
pub(crate) fn plain(native: &Value) -> Value {
    let mut body = native.clone();
    if let Some(stop) = body["inferenceConfig"].as_object_mut() {
        stop.retain(|key, value| key != "stopSequences" || *value != json!([]));
    }
    let members = body.as_object_mut().unwrap();
    members.retain(|_, value| *value != json!({}) && *value != json!([]) && !value.is_null());
    let mut turns: Vec<Value> = Vec::new();
    for message in list(&native["messages"]) {
        let blocks: Vec<Value> = list(&message["content"])
            .cloned()
            .map(plain_block)
            .collect();
        match turns
            .last_mut()
            .filter(|turn| turn["role"] == message["role"])
        {
            Some(turn) => turn["content"].as_array_mut().unwrap().extend(blocks),
            None => turns.push(json!({"role": message["role"], "content": blocks})),
        }
    }
    body["messages"] = turns.into();
    for tool in body["toolConfig"]["tools"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        tool.as_object_mut().unwrap().remove("type");
    }
    if body["toolConfig"]["tools"].is_null() {
        body.as_object_mut().unwrap().remove("toolConfig");
    }
    let schema = &mut body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"];
    if let Some(text) = schema.as_str() {
        *schema = serde_json::from_str(text).unwrap();
    }
    body
}

fn plain_block(mut block: Value) -> Value {
    if let Some(result) = block["toolResult"].as_object_mut() {
        result.remove("status");
    }
    if let Some(tool) = block["toolUse"].as_object_mut() {
        tool.remove("type");
    }
    block
        .as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    block
}
