//! Recorded exchanges of Anthropic Messages: what they say by a second, small reading with
//! `serde_json`, and what a client of the chat vocabulary would have sent for them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};
use waystation_core::{Answer, FinishReason};

/// One recorded exchange.
pub(crate) struct Case {
    /// Its folder's name.
    pub(crate) name: String,
    /// What is known of it.
    pub(crate) meta: Value,
    /// What was sent.
    pub(crate) request: Value,
    /// What came back.
    pub(crate) response: Vec<u8>,
}

/// Where the recordings are; `None`, and a word about it, when they are not there.
fn shared() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "says where the recordings are")]
    let named = std::env::var("WAYSTATION_SHARED").ok().map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = named.unwrap_or(beside).join("wire/dev");
    if !root.is_dir() {
        println!("skipped: there are no recordings at {}", root.display());
        return None;
    }
    Some(root)
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

/// Every recorded exchange of this dialect.
pub(crate) fn cases() -> Vec<Case> {
    let Some(root) = shared() else {
        return Vec::new();
    };
    let read =
        |path: PathBuf| fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut cases = Vec::new();
    for folder in folders(&root).iter().flat_map(|provider| folders(provider)) {
        let meta: Value = serde_json::from_slice(&read(folder.join("meta.json"))).unwrap();
        if meta["protocol"] != waystation_providers::ANTHROPIC_MESSAGES {
            continue;
        }
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        cases.push(Case {
            name,
            request: serde_json::from_slice(&read(folder.join("request.json"))).unwrap(),
            response: read(folder.join(meta["response_file"].as_str().unwrap())),
            meta,
        });
    }
    assert!(cases.len() >= 42, "found {} cases", cases.len());
    cases
}

impl Case {
    /// The status.
    pub(crate) fn status(&self) -> u16 {
        u16::try_from(self.meta["status"].as_u64().unwrap()).unwrap()
    }

    /// Whether the reply was streamed.
    pub(crate) fn streamed(&self) -> bool {
        self.meta["streaming"] == true
    }

    /// What the reply says.
    pub(crate) fn witness(&self) -> Witness {
        Witness::of(&self.message())
    }

    /// The blocks of the reply as they are to be sent back: texts that stand side by side are one,
    /// without their citations, and blank ones are none; a tool's call has no `caller`.
    pub(crate) fn blocks(&self) -> Vec<Value> {
        let mut blocks: Vec<Value> = Vec::new();
        for mut block in self.message()["content"].as_array().unwrap().clone() {
            block.as_object_mut().unwrap().remove("citations");
            if block["type"] == "tool_use" {
                // That the model itself calls goes without saying.
                block.as_object_mut().unwrap().remove("caller");
            }
            match blocks.last_mut() {
                Some(last) if last["type"] == "text" && block["type"] == "text" => {
                    let both = [&last["text"], &block["text"]].map(|text| text.as_str().unwrap());
                    last["text"] = both.concat().into();
                }
                _ => blocks.push(block),
            }
        }
        blocks.retain(|block| {
            let text = block["text"].as_str();
            text.is_none_or(|text| !text.trim().is_empty())
        });
        blocks
    }

    /// The reply as one message: as it is, or put together from its events.
    fn message(&self) -> Value {
        if !self.streamed() {
            return serde_json::from_slice(&self.response).unwrap();
        }
        let text = std::str::from_utf8(&self.response).unwrap();
        let mut message = Value::Null;
        let mut partial: BTreeMap<u64, String> = BTreeMap::new();
        for data in text.lines().filter_map(|line| line.strip_prefix("data:")) {
            let event: Value = serde_json::from_str(data).unwrap();
            let index = event["index"].as_u64().unwrap_or(0);
            let at = usize::try_from(index).unwrap();
            match event["type"].as_str().unwrap() {
                "message_start" => message = event["message"].clone(),
                "content_block_start" => {
                    let list = message["content"].as_array_mut().unwrap();
                    list.push(event["content_block"].clone());
                }
                "content_block_delta" => {
                    let delta = &event["delta"];
                    let block = &mut message["content"][at];
                    if let Some(text) = delta["partial_json"].as_str() {
                        *partial.entry(index).or_default() += text;
                    }
                    if delta["citation"].is_object() {
                        let cited = block["citations"].as_array_mut().unwrap();
                        cited.push(delta["citation"].clone());
                    }
                    for key in ["text", "thinking", "signature"] {
                        if let Some(text) = delta[key].as_str() {
                            let before = block[key].as_str().unwrap_or_default();
                            block[key] = format!("{before}{text}").into();
                        }
                    }
                }
                "content_block_stop" => {
                    if let Some(text) = partial.remove(&index).filter(|text| !text.is_empty()) {
                        let input = serde_json::from_str(&text).unwrap_or(Value::String(text));
                        message["content"][at]["input"] = input;
                    }
                }
                "message_delta" => {
                    let both = [("", &event["delta"]), ("usage", &event["usage"])];
                    for (into, from) in both {
                        let target = match into {
                            "" => &mut message,
                            key => &mut message[key],
                        };
                        for (key, value) in from.as_object().into_iter().flatten() {
                            target[key] = value.clone();
                        }
                    }
                }
                _ => {}
            }
        }
        message
    }

    /// The request as a client of the chat vocabulary would have sent it. Parts and tools of
    /// Anthropic's own types stay as they are, as such a client would send them too.
    pub(crate) fn chat(&self) -> Value {
        let mut chat = self.request.as_object().unwrap().clone();
        let mut messages = Vec::new();
        match chat.remove("system") {
            None => {}
            Some(system) => messages.push(json!({"role": "system", "content": system})),
        }
        for message in chat["messages"].as_array().unwrap().clone() {
            spoken(&message, &mut messages);
        }
        chat.insert("messages".into(), messages.into());
        for (native, own) in [("stop_sequences", "stop")] {
            if let Some(value) = chat.remove(native) {
                chat.insert(own.into(), value);
            }
        }
        if let Some(tools) = chat.get_mut("tools") {
            tools.as_array_mut().unwrap().iter_mut().for_each(tool);
        }
        if let Some(choice) = chat.remove("tool_choice") {
            let word = match choice["type"].as_str().unwrap() {
                "any" => json!("required"),
                "tool" => json!({"type": "function", "function": {"name": choice["name"]}}),
                word => json!(word),
            };
            chat.insert("tool_choice".into(), word);
            if choice["disable_parallel_tool_use"] == true {
                chat.insert("parallel_tool_calls".into(), false.into());
            }
        }
        if let Some(thinking) = chat.remove("thinking") {
            let budget = thinking["budget_tokens"].clone();
            chat.insert("reasoning".into(), json!({"max_tokens": budget}));
        }
        if let Some(config) = chat.remove("output_config") {
            let schema = json!({"name": "answer", "schema": config["format"]["schema"]});
            let format = json!({"type": "json_schema", "json_schema": schema});
            chat.insert("response_format".into(), format);
        }
        Value::Object(chat)
    }
}

/// One native message as messages of the chat vocabulary.
fn spoken(message: &Value, out: &mut Vec<Value>) {
    let Some(blocks) = message["content"].as_array() else {
        out.push(message.clone());
        return;
    };
    let (mut parts, mut calls, mut details) = (Vec::new(), Vec::new(), Vec::new());
    // Thinking between the provider's own tools has its place only among their blocks.
    let between = blocks
        .iter()
        .any(|block| block["type"] == "server_tool_use");
    for block in blocks {
        match block["type"].as_str().unwrap() {
            "tool_result" => out.push(json!({
                "role": "tool", "tool_call_id": block["tool_use_id"],
                "content": block.get("content").unwrap_or(&json!("")), "is_error": block["is_error"],
            })),
            "tool_use" => calls.push(json!({
                "id": block["id"], "type": "function",
                "function": {"name": block["name"], "arguments": block["input"].to_string()},
            })),
            "thinking" if !between => details.push(json!({
                "type": "reasoning.text", "text": block["thinking"],
                "signature": block["signature"], "format": "anthropic-claude-v1", "index": details.len(),
            })),
            "image" => parts.push(image(block)),
            _ => parts.push(block.clone()),
        }
    }
    let mut made = Map::new();
    made.insert("role".into(), message["role"].clone());
    made.insert("content".into(), parts.clone().into());
    if !calls.is_empty() {
        made.insert("tool_calls".into(), calls.clone().into());
    }
    if !details.is_empty() {
        made.insert("reasoning_details".into(), details.into());
    }
    if !parts.is_empty() || !calls.is_empty() {
        out.push(Value::Object(made));
    }
}

/// An image as a part of the chat vocabulary.
fn image(block: &Value) -> Value {
    let source = &block["source"];
    let url = match source["type"].as_str().unwrap() {
        "url" => source["url"].as_str().unwrap().to_owned(),
        _ => format!(
            "data:{};base64,{}",
            source["media_type"].as_str().unwrap(),
            source["data"].as_str().unwrap()
        ),
    };
    let mut part = json!({"type": "image_url", "image_url": {"url": url}});
    if let Some(mark) = block.get("cache_control") {
        part["cache_control"] = mark.clone();
    }
    part
}

/// A native tool as one of the chat vocabulary.
fn tool(tool: &mut Value) {
    if tool.get("input_schema").is_none() {
        return;
    }
    let native = tool.as_object().unwrap().clone();
    let mut function = json!({"name": native["name"], "parameters": native["input_schema"]});
    let mut made = json!({"type": "function"});
    for (key, value) in native {
        match key.as_str() {
            "name" | "input_schema" => {}
            "description" | "strict" => function[key] = value,
            _ => made[key] = value,
        }
    }
    made["function"] = function;
    *tool = made;
}

/// What a reply says.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    /// Its text.
    pub(crate) text: String,
    /// Thinking blocks: text or data, and signature.
    pub(crate) thoughts: Vec<(String, Option<String>)>,
    /// Id, name and input of each call.
    pub(crate) calls: Vec<(String, String, Value)>,
    /// Addresses that are cited, with what of the text cites them.
    cited: Vec<(String, String)>,
    stop: String,
    usage: Value,
}

impl Witness {
    fn of(message: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut seen = Self {
            stop: text(&message["stop_reason"]),
            usage: message["usage"].clone(),
            ..Self::default()
        };
        for block in message["content"].as_array().into_iter().flatten() {
            match block["type"].as_str().unwrap() {
                "text" => {
                    seen.text += &text(&block["text"]);
                    for citation in block["citations"].as_array().into_iter().flatten() {
                        if let Some(url) = citation["url"].as_str() {
                            seen.cited.push((url.into(), text(&block["text"])));
                        }
                    }
                }
                "thinking" => seen
                    .thoughts
                    .push((text(&block["thinking"]), Some(text(&block["signature"])))),
                "redacted_thinking" => seen.thoughts.push((text(&block["data"]), None)),
                "tool_use" => seen.calls.push((
                    text(&block["id"]),
                    text(&block["name"]),
                    block["input"].clone(),
                )),
                _ => {}
            }
        }
        seen
    }

    /// Holds what was read against what is there.
    pub(crate) fn agrees(&self, name: &str, answer: &Answer) {
        let choice = &answer.choices[0];
        let text = |text: Option<waystation_core::JsonText>| {
            text.map(|text| text.decode().into_owned())
                .unwrap_or_default()
        };
        assert_eq!(answer.choices.len(), 1, "{name}");
        assert_eq!(text(choice.content()), self.text, "{name}");
        let calls: Vec<(String, String, Value)> = choice
            .tool_calls
            .iter()
            .map(|call| {
                let arguments = serde_json::from_str(&call.arguments().decode());
                let (id, called) = (call.id.decode().into(), call.name.decode().into());
                (id, called, arguments.expect(name))
            })
            .collect();
        assert_eq!(calls, self.calls, "{name}");
        let thinking: String = self
            .thoughts
            .iter()
            .filter(|(_, signature)| signature.is_some())
            .map(|(text, _)| text.as_str())
            .collect();
        assert_eq!(text(choice.reasoning()), thinking, "{name}");
        assert_eq!(details(answer), self.thoughts, "{name}");
        let finish = choice.finish.as_ref().expect(name);
        assert_eq!(
            finish.native.as_ref().unwrap().decode(),
            self.stop,
            "{name}"
        );
        let reason = match &*self.stop {
            "tool_use" => FinishReason::ToolCalls,
            "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
            "end_turn" | "stop_sequence" | "pause_turn" => FinishReason::Stop,
            other => panic!("{name}: {other}"),
        };
        assert_eq!(finish.reason, reason, "{name}");
        self.cites(name, answer);
        self.counts(name, answer);
    }

    fn cites(&self, name: &str, answer: &Answer) {
        let found = answer.choices[0].annotations();
        let found: Value = found.map_or(json!([]), |list| {
            serde_json::from_slice(list.bytes()).unwrap()
        });
        let letters: Vec<char> = self.text.chars().collect();
        let at = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
        let found: Vec<(String, String)> = found
            .as_array()
            .unwrap()
            .iter()
            .map(|annotation| {
                assert_eq!(annotation["type"], "url_citation", "{name}");
                let cited = &annotation["url_citation"];
                let range = at(&cited["start_index"])..at(&cited["end_index"]);
                let url = cited["url"].as_str().unwrap().to_owned();
                (url, letters[range].iter().collect())
            })
            .collect();
        assert_eq!(found, self.cited, "{name}");
    }

    fn counts(&self, name: &str, answer: &Answer) {
        let usage = answer.usage.as_ref().expect(name);
        let count = |value: &Value| value.as_u64();
        let seen = &self.usage;
        let (input, read, written) = (
            count(&seen["input_tokens"]),
            count(&seen["cache_read_input_tokens"]),
            count(&seen["cache_creation_input_tokens"]),
        );
        let prompt: u64 = [input, read, written].into_iter().flatten().sum();
        assert_eq!(usage.prompt.get(), prompt, "{name}");
        assert_eq!(
            usage.completion.get(),
            count(&seen["output_tokens"]).unwrap(),
            "{name}"
        );
        assert_eq!(usage.cached.map(|tokens| tokens.get()), read, "{name}");
        assert_eq!(
            usage.cache_write.map(|tokens| tokens.get()),
            written,
            "{name}"
        );
        let thinking = count(&seen["output_tokens_details"]["thinking_tokens"]);
        assert_eq!(
            usage.reasoning.map(|tokens| tokens.get()),
            thinking,
            "{name}"
        );
        let searches = count(&seen["server_tool_use"]["web_search_requests"]);
        assert_eq!(usage.web_searches, searches, "{name}");
    }
}

/// The reasoning details of an answer, pieces put together: text or data, and signature.
fn details(answer: &Answer) -> Vec<(String, Option<String>)> {
    let Some(list) = answer.choices[0].reasoning_details() else {
        return Vec::new();
    };
    let list: Value = serde_json::from_slice(list.bytes()).unwrap();
    let mut found: BTreeMap<u64, (String, Option<String>)> = BTreeMap::new();
    for detail in list.as_array().unwrap() {
        assert_eq!(detail["format"], "anthropic-claude-v1");
        if detail["type"] == "reasoning.server_tool_call" {
            continue;
        }
        let entry = found.entry(detail["index"].as_u64().unwrap()).or_default();
        match detail["type"].as_str().unwrap() {
            "reasoning.text" => {
                entry.0 += detail["text"].as_str().unwrap();
                let signature = detail["signature"].as_str().map(str::to_owned);
                entry.1 = signature.or(entry.1.take());
            }
            "reasoning.encrypted" => entry.0 = detail["data"].as_str().unwrap().into(),
            other => panic!("{other}"),
        }
    }
    found.into_values().collect()
}

/// An answer as the message that a client sends back.
pub(crate) fn echoed(answer: &Answer) -> Value {
    let choice = &answer.choices[0];
    let calls: Vec<Value> = choice
        .tool_calls
        .iter()
        .map(|call| {
            json!({"id": call.id.decode(), "type": "function", "function": {
                "name": call.name.decode(), "arguments": call.arguments().decode(),
            }})
        })
        .collect();
    let text = choice.content().map(|text| text.decode().into_owned());
    let mut message = json!({"role": "assistant", "content": text});
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    if let Some(details) = choice.reasoning_details() {
        message["reasoning_details"] = serde_json::from_slice(details.bytes()).unwrap();
    }
    message
}
