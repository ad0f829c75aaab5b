//! A second reading of the Responses wire, by `serde_json`: recorded replies as plain facts, and
//! recorded requests as the chat requests that say the same.

use serde_json::{Map, Value, json};

use super::heard::Heard;

/// What a recorded reply says, or the reason of its failure.
pub(crate) fn witness(body: &[u8], streamed: bool) -> Result<Heard, String> {
    if !streamed {
        return Ok(response(&serde_json::from_slice(body).unwrap()));
    }
    let mut heard = Heard::default();
    let (mut citations, mut seals) = (Vec::new(), Vec::new());
    let mut last = None;
    for line in std::str::from_utf8(body).unwrap().lines() {
        let data = line.strip_prefix("data:").map(str::trim);
        let Some(event) = data.and_then(|data| serde_json::from_str::<Value>(data).ok()) else {
            continue;
        };
        let delta = event["delta"].as_str().unwrap_or_default();
        match event["type"].as_str().unwrap() {
            "response.output_text.delta" => heard.content += delta,
            "response.refusal.delta" => heard.refusal += delta,
            "response.reasoning_text.delta" | "response.reasoning_summary_text.delta" => {
                heard.reasoning += delta;
            }
            "response.output_text.annotation.added" => {
                citations.push(string(&event["annotation"]["url"]));
            }
            // The same block is sealed anew in each event: the first whole item counts.
            "response.output_item.done" => {
                seals.extend(
                    event["item"]["encrypted_content"]
                        .as_str()
                        .map(str::to_owned),
                );
            }
            "error" => return Err(string(&event["error"]["message"])),
            "response.completed" | "response.incomplete" => {
                let response = response(&event["response"]);
                heard.calls.extend(response.calls.clone());
                last = Some(response);
            }
            _ => {}
        }
    }
    let last = last.unwrap();
    heard.finish = last.finish;
    if !heard.calls.is_empty() && heard.finish.0 == "stop" {
        heard.finish.0 = "tool_calls".into();
    }
    heard.citations = if citations.is_empty() {
        last.citations
    } else {
        citations
    };
    Ok(Heard {
        seals,
        usage: last.usage,
        ..heard
    })
}

/// How many responses stand in a recorded stream: fixtures of many steps hold several.
pub(crate) fn count(body: &[u8]) -> usize {
    let text = std::str::from_utf8(body).unwrap();
    text.matches("event: response.created").count()
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn response(json: &Value) -> Heard {
    let mut heard = Heard::default();
    for item in list(&json["output"]) {
        match item["type"].as_str().unwrap() {
            "message" => {
                for part in list(&item["content"]) {
                    heard.content += &string(&part["text"]);
                    heard.refusal += &string(&part["refusal"]);
                    let urls = list(&part["annotations"]).map(|one| string(&one["url"]));
                    heard.citations.extend(urls);
                }
            }
            "reasoning" => {
                for part in list(&item["summary"]).chain(list(&item["content"])) {
                    heard.reasoning += &string(&part["text"]);
                }
                let seal = string(&item["encrypted_content"]);
                heard
                    .seals
                    .extend(Some(seal).filter(|seal| !seal.is_empty()));
            }
            "function_call" | "custom_tool_call" => {
                let arguments = string(&item["arguments"]) + &string(&item["input"]);
                heard.calls.push((
                    string(&item["call_id"]),
                    string(&item["name"]),
                    if arguments.is_empty() {
                        "{}".into()
                    } else {
                        arguments
                    },
                ));
            }
            _ => {}
        }
    }
    let why = json["incomplete_details"]["reason"].as_str();
    let native = why.unwrap_or(json["status"].as_str().unwrap());
    let finish = match native {
        "max_output_tokens" => "length",
        "content_filter" => "content_filter",
        _ if !heard.calls.is_empty() => "tool_calls",
        _ => "stop",
    };
    heard.finish = (finish.into(), native.into());
    let usage = &json["usage"];
    heard.usage = usage.is_object().then(|| {
        [
            usage["input_tokens"].as_u64(),
            usage["output_tokens"].as_u64(),
            usage["input_tokens_details"]["cached_tokens"].as_u64(),
            usage["output_tokens_details"]["reasoning_tokens"].as_u64(),
        ]
    });
    heard
}

/// The chat request that says what a recorded request says; `None` where no chat request can
/// (references to stored replies, items of the host's own).
pub(crate) fn chat_of(native: &Value, format: &str) -> Option<Value> {
    let mut messages: Vec<Value> = Vec::new();
    if let Some(text) = native["instructions"]
        .as_str()
        .filter(|text| !text.is_empty())
    {
        messages.push(json!({"role": "system", "content": text}));
    }
    if let Some(text) = native["input"].as_str() {
        messages.push(json!({"role": "user", "content": text}));
    }
    for item in list(&native["input"]) {
        add(item, format, &mut messages)?;
    }
    let mut chat = Map::new();
    chat.insert("messages".into(), messages.into());
    for (key, value) in native.as_object().unwrap() {
        let (key, value) = match key.as_str() {
            "model" | "input" | "instructions" | "include" => continue,
            "previous_response_id" if value.is_null() => continue,
            "previous_response_id" | "context_management" => return None,
            "max_output_tokens" => ("max_tokens", value.clone()),
            "tools" => ("tools", list(value).map(tool).collect()),
            "reasoning" if value.get("summary").is_none() => {
                ("reasoning_effort", value["effort"].clone())
            }
            "text" => ("response_format", response_format(&value["format"])),
            other => (other, value.clone()),
        };
        chat.insert(key.into(), value);
    }
    Some(chat.into())
}

/// Adds what an item says to the messages: an assistant's items are one message.
fn add(item: &Value, format: &str, messages: &mut Vec<Value>) -> Option<()> {
    let kind = item["type"].as_str().unwrap_or("message");
    let own = matches!(kind, "reasoning" | "function_call") || item["role"] == "assistant";
    let said = own
        && messages
            .last()
            .is_some_and(|last| last["role"] == "assistant");
    if own && !said {
        messages.push(json!({"role": "assistant", "content": null}));
    }
    match kind {
        "reasoning" => {
            let last = messages.last_mut()?;
            let details = last.as_object_mut()?.entry("reasoning_details");
            let details = details.or_insert_with(|| json!([])).as_array_mut()?;
            let mut detail = |kind: &str, member: &str, text: &Value| {
                let mut one =
                    json!({"type": kind, member: text, "format": format, "index": details.len()});
                if item["id"].is_string() {
                    one["id"] = item["id"].clone();
                }
                details.push(one);
            };
            for part in list(&item["summary"]) {
                detail("reasoning.summary", "summary", &part["text"]);
            }
            for part in list(&item["content"]) {
                detail("reasoning.text", "text", &part["text"]);
            }
            if item["encrypted_content"].is_string() {
                detail("reasoning.encrypted", "data", &item["encrypted_content"]);
            }
        }
        "function_call" => {
            let last = messages.last_mut()?;
            let calls = last
                .as_object_mut()?
                .entry("tool_calls")
                .or_insert_with(|| json!([]));
            calls
                .as_array_mut()?
                .push(json!({"id": item["call_id"], "type": "function",
                "function": {"name": item["name"], "arguments": item["arguments"]}}));
        }
        "function_call_output" => {
            let output = item["output"].as_str()?;
            messages
                .push(json!({"role": "tool", "tool_call_id": item["call_id"], "content": output}));
        }
        "message" if own => messages.last_mut()?["content"] = content(&item["content"]),
        "message" => {
            messages.push(json!({"role": item["role"], "content": content(&item["content"])}));
        }
        _ => return None,
    }
    Some(())
}

fn content(native: &Value) -> Value {
    let Some(parts) = native.as_array() else {
        return native.clone();
    };
    let part = |part: &Value| match part["type"].as_str().unwrap() {
        "input_text" | "output_text" => json!({"type": "text", "text": part["text"]}),
        "input_image" => json!({"type": "image_url", "image_url": {"url": part["image_url"]}}),
        "input_file" => json!({"type": "file", "file":
            {"filename": part["filename"], "file_data": part["file_data"]}}),
        other => panic!("{other}"),
    };
    parts.iter().map(part).collect()
}

fn tool(native: &Value) -> Value {
    if native["type"] != "function" {
        return native.clone();
    }
    let mut function = native.clone();
    function.as_object_mut().unwrap().remove("type");
    json!({"type": "function", "function": function})
}

fn response_format(native: &Value) -> Value {
    if native["type"] != "json_schema" {
        return native.clone();
    }
    let mut schema = native.clone();
    schema.as_object_mut().unwrap().remove("type");
    json!({"type": "json_schema", "json_schema": schema})
}

/// A request without what clients spell in several ways that mean the same.
pub(crate) fn plain(native: &Value) -> Value {
    let mut body = native.as_object().unwrap().clone();
    let mut input: Vec<Value> = Vec::new();
    if let Some(text) = body.remove("instructions").filter(|text| *text != "") {
        input.push(json!({"role": "system", "content": text}));
    }
    match body.remove("input").unwrap() {
        Value::Array(items) => input.extend(items),
        text => input.push(json!({"role": "user", "content": text})),
    }
    body.insert("input".into(), input.into_iter().map(plain_item).collect());
    for key in [
        "model",
        "store",
        "include",
        "previous_response_id",
        "stream",
    ] {
        body.remove(key);
    }
    if let Some(tools) = body.get_mut("tools").and_then(Value::as_array_mut) {
        for tool in tools.iter_mut().filter(|tool| tool["type"] == "function") {
            let tool = tool.as_object_mut().unwrap();
            tool.entry("strict").or_insert(false.into());
            tool.retain(|_, value| !value.is_null());
        }
    }
    body.into()
}

fn plain_item(mut item: Value) -> Value {
    let members = item.as_object_mut().unwrap();
    members.retain(|_, value| !value.is_null());
    members.remove("id");
    if members.get("type").is_some_and(|kind| kind == "message") {
        members.remove("type");
    }
    let own = members.get("role").is_some_and(|role| role == "assistant");
    if let Some(Value::Array(parts)) = members.get_mut("content") {
        for part in parts.iter_mut() {
            part.as_object_mut().unwrap().remove("detail");
        }
        if own {
            let text: String = parts.iter().map(|part| string(&part["text"])).collect();
            members.insert("content".into(), text.into());
        }
    }
    item
}

/// Ids of calls without the id of the response before them.
pub(crate) fn bare_ids(text: &str) -> String {
    let mut out = String::new();
    for (at, piece) in text.split("\"resp_").enumerate() {
        match piece.split_once(':') {
            Some((_, id)) if at > 0 => {
                out.push('"');
                out.push_str(id);
            }
            _ => out.push_str(piece),
        }
    }
    out
}
