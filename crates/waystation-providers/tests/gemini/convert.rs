//! Recorded native requests as a client of the gateway would make them, and both sides of the
//! comparison brought into one spelling: the recorded clients differ in theirs.

use serde_json::{Map, Value, json};

/// The chat request that says what a recorded request says.
pub(crate) fn chat(native: &Value, streamed: bool) -> Value {
    let native = spelled(native);
    let mut messages = Vec::new();
    if let Some(parts) = native["systemInstruction"]["parts"].as_array() {
        let texts: Vec<Value> = parts
            .iter()
            .map(|part| json!({"type": "text", "text": part["text"]}))
            .collect();
        messages.push(json!({"role": "system", "content": texts}));
    }
    for (at, content) in native["contents"].as_array().unwrap().iter().enumerate() {
        messages.extend(of_content(content, at));
    }
    let mut chat = json!({"messages": messages, "stream": streamed});
    for key in ["safetySettings", "cachedContent", "modelArmorConfig"] {
        if !native[key].is_null() {
            chat[key] = native[key].clone();
        }
    }
    tools(&native, &mut chat);
    config(&native["generationConfig"], &mut chat);
    chat
}

/// The messages that one content makes.
fn of_content(content: &Value, at: usize) -> Vec<Value> {
    let parts = content["parts"].as_array().unwrap();
    if content["role"] == "model" {
        return vec![answer(parts, at)];
    }
    if parts
        .iter()
        .any(|part| part["functionResponse"].is_object())
    {
        return parts
            .iter()
            .map(|part| result(&part["functionResponse"], at))
            .collect();
    }
    let list: Vec<Value> = parts.iter().map(part).collect();
    vec![json!({"role": "user", "content": list})]
}

fn answer(parts: &[Value], at: usize) -> Value {
    let (mut text, mut calls, mut details) = (String::new(), Vec::new(), Vec::new());
    for (place, part) in parts.iter().enumerate() {
        let call = &part["functionCall"];
        let id = call["id"]
            .as_str()
            .map_or_else(|| made(at, place), str::to_owned);
        if call.is_object() {
            calls.push(json!({"id": id, "type": "function", "function": {"name": call["name"], "arguments": call["args"].to_string()}}));
        }
        let start = text.len();
        text.push_str(part["text"].as_str().unwrap_or_default());
        let id = if call.is_object() {
            id
        } else {
            format!("text-{start}-{}", text.len())
        };
        if part["thoughtSignature"].is_string() {
            details.push(json!({"type": "reasoning.encrypted", "format": "google-gemini-v1", "id": id, "data": part["thoughtSignature"]}));
        }
    }
    let mut message = json!({"role": "assistant", "content": text, "reasoning_details": details});
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    message
}

/// An id that the gateway would have made.
fn made(content: usize, part: usize) -> String {
    format!("gcall_{:016x}_{part}", content * 100)
}

/// A result answers the call in the content before it.
fn result(response: &Value, at: usize) -> Value {
    let id = response["id"]
        .as_str()
        .map_or_else(|| made(at - 1, 0), str::to_owned);
    let mut content = vec![json!({"type": "text", "text": response["response"].to_string()})];
    let media = response["parts"].as_array().into_iter().flatten();
    content.extend(media.map(part));
    json!({"role": "tool", "tool_call_id": id, "content": content})
}

/// One part of the person's.
fn part(part: &Value) -> Value {
    let blob = &part["inlineData"];
    let file = &part["fileData"];
    if let Some(text) = part["text"].as_str() {
        return json!({"type": "text", "text": text});
    }
    let kind = blob["mimeType"]
        .as_str()
        .or_else(|| file["mimeType"].as_str())
        .unwrap();
    let url = match (file["fileUri"].as_str(), blob["data"].as_str()) {
        (Some(url), _) => url.to_owned(),
        (None, data) => format!("data:{kind};base64,{}", data.unwrap()),
    };
    match kind.split('/').next().unwrap() {
        "image" => json!({"type": "image_url", "image_url": {"url": url}}),
        "video" => json!({"type": "video_url", "video_url": {"url": url}}),
        _ => {
            let ending = match kind {
                "audio/mpeg" => "mpga",
                "text/plain" => "txt",
                kind => kind.split('/').nth(1).unwrap(),
            };
            let name = format!("a.{ending}");
            json!({"type": "file", "file": {"file_data": url, "filename": name}})
        }
    }
}

fn tools(native: &Value, chat: &mut Value) {
    let mut list = Vec::new();
    for tool in native["tools"].as_array().into_iter().flatten() {
        for (kind, held) in tool.as_object().unwrap() {
            if kind == "functionDeclarations" {
                list.extend(held.as_array().unwrap().iter().map(|function| {
                    json!({"type": "function", "function": {
                        "name": function["name"], "description": function["description"],
                        "parameters": function["parametersJsonSchema"],
                    }})
                }));
            } else {
                list.push(json!({"type": kind, kind: held}));
            }
        }
    }
    if !list.is_empty() {
        chat["tools"] = list.into();
    }
    match native["toolConfig"]["functionCallingConfig"]["mode"].as_str() {
        Some("AUTO") => chat["tool_choice"] = "auto".into(),
        _ if native["toolConfig"].is_object() => chat["toolConfig"] = native["toolConfig"].clone(),
        _ => {}
    }
}

fn config(config: &Value, chat: &mut Value) {
    let renamed = [
        ("temperature", "temperature"),
        ("maxOutputTokens", "max_tokens"),
        ("stopSequences", "stop"),
        ("candidateCount", "n"),
        ("responseLogprobs", "logprobs"),
        ("logprobs", "top_logprobs"),
    ];
    for (from, to) in renamed {
        if !config[from].is_null() {
            chat[to] = config[from].clone();
        }
    }
    if let Some(kinds) = config["responseModalities"].as_array() {
        let kinds = kinds
            .iter()
            .map(|kind| kind.as_str().unwrap().to_lowercase());
        chat["modalities"] = kinds.collect();
    }
    if config["responseJsonSchema"].is_object() {
        let schema = json!({"name": "answer", "schema": config["responseJsonSchema"]});
        chat["response_format"] = json!({"type": "json_schema", "json_schema": schema});
    } else if config["responseMimeType"] == "application/json" {
        chat["response_format"] = json!({"type": "json_object"});
    }
    let thinking = &config["thinkingConfig"];
    if let Some(level) = thinking["thinkingLevel"].as_str() {
        chat["reasoning"] = json!({"effort": level});
    } else if thinking["thinkingBudget"] == 0 {
        chat["reasoning"] = json!({"enabled": false});
    } else if thinking.is_object() {
        chat["reasoning"] = json!({"enabled": true});
    }
}

/// Members whose insides are the client's.
const OPAQUE: &[&str] = &[
    "args",
    "response",
    "modelArmorConfig",
    "fileSearch",
    "safetySettings",
];

/// A native request in one spelling: names in camel case, schemas as JSON Schema, signatures and
/// data in the standard alphabet, nothing that says nothing.
pub(crate) fn spelled(native: &Value) -> Value {
    match native {
        Value::Array(list) => list.iter().map(spelled).collect(),
        Value::Object(members) => {
            let mut object: Map<String, Value> = members
                .iter()
                .filter_map(|(key, value)| member(key, value))
                .collect();
            if object.get("role").is_some_and(|role| {
                object.contains_key("parts") && *role != "user" && *role != "model"
            }) {
                object.remove("role");
            }
            Value::Object(object)
        }
        other => other.clone(),
    }
}

fn member(key: &str, value: &Value) -> Option<(String, Value)> {
    let camel: String = key
        .split('_')
        .enumerate()
        .map(|(at, word)| match word.get(..1) {
            Some(first) if at > 0 => first.to_uppercase() + &word[1..],
            _ => word.to_owned(),
        })
        .collect();
    if value.is_null() || (camel == "thought" && *value == false) {
        return None;
    }
    let (name, value) = match &*camel {
        "parameters" | "parametersJsonSchema" => ("parametersJsonSchema", schema(value)),
        "responseSchema" | "responseJsonSchema" => ("responseJsonSchema", schema(value)),
        "thoughtSignature" | "data" => {
            let text = value.as_str().unwrap().replace('-', "+").replace('_', "/");
            (&*camel, text.into())
        }
        "description" if *value == "" => return None,
        name if OPAQUE.contains(&name) => (name, value.clone()),
        "systemInstruction" => {
            let mut value = spelled(value);
            value.as_object_mut().unwrap().remove("role");
            ("systemInstruction", value)
        }
        "tools" => {
            // The order of tools means nothing.
            let mut list: Vec<Value> = spelled(value).as_array().unwrap().clone();
            list.sort_by_key(Value::to_string);
            ("tools", list.into())
        }
        "generationConfig" if value.as_object().is_some_and(Map::is_empty) => return None,
        name => (name, spelled(value)),
    };
    Some((name.to_owned(), value))
}

/// A schema with its types in lower case, as JSON Schema has them.
fn schema(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| match value.as_str() {
                Some(kind) if key == "type" => (key.clone(), kind.to_lowercase().into()),
                _ => (key.clone(), schema(value)),
            })
            .collect(),
        Value::Array(list) => list.iter().map(schema).collect(),
        other => other.clone(),
    }
}

/// A request without the ids of calls: recorded clients leave those out that the host gave, and
/// make others.
pub(crate) fn without_ids(native: &Value) -> Value {
    let mut native = native.clone();
    let contents = native["contents"].as_array_mut().into_iter().flatten();
    for part in contents.flat_map(|content| content["parts"].as_array_mut().unwrap()) {
        for kind in ["functionCall", "functionResponse"] {
            if let Some(object) = part.get_mut(kind).and_then(Value::as_object_mut) {
                object.remove("id");
            }
        }
    }
    native
}

/// The first place where two values differ.
pub(crate) fn difference(left: &Value, right: &Value, path: &str) -> Option<String> {
    match (left, right) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: std::collections::BTreeSet<&String> =
                one.keys().chain(other.keys()).collect();
            keys.into_iter()
                .find_map(|key| difference(&left[key], &right[key], &format!("{path}.{key}")))
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let pairs = one.iter().zip(other).enumerate();
            pairs
                .into_iter()
                .find_map(|(at, (one, other))| difference(one, other, &format!("{path}[{at}]")))
        }
        _ if left == right => None,
        _ => Some(format!("{path}: {left:.400} instead of {right:.400}")),
    }
}
