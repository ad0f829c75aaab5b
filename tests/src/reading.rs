//! A second reading of openai-chat bodies, apart from the gateway's codecs: plain JSON values, no
//! code in common. What a recorded body says, and what the gateway's own reply says, must agree.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// What a body says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Visible text by choice; choices without any are left out.
    pub text: BTreeMap<u64, String>,
    /// Tool calls by choice and place: name, and arguments as JSON where they are.
    pub calls: BTreeMap<(u64, u64), (String, Value)>,
    /// Finish reasons by choice.
    pub finish: BTreeMap<u64, String>,
    /// Prompt and completion tokens, as a client is to see them.
    pub tokens: Option<(u64, u64)>,
    /// An error in band.
    pub error: Option<Value>,
    /// Arguments while they come in pieces.
    pieces: BTreeMap<(u64, u64), (String, String)>,
}

/// The upstream's own words of an error body, as far as they can be found.
#[must_use]
pub fn reason(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let value = value.get(0).unwrap_or(&value);
    let error = value.get("error").unwrap_or(value);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(found) = text(error).or_else(|| text(&error["detail"])) {
        return Some(found);
    }
    let Some(raw) = error["metadata"]["raw"].as_str() else {
        return text(&error["message"]);
    };
    // An aggregator tells the maker's error as a text within its own.
    let inner: Option<Value> = serde_json::from_str(raw).ok();
    let inner = inner.and_then(|inner| text(&inner["error"]["message"]));
    inner.or_else(|| Some(raw.to_owned()))
}

/// The gateway's word for a provider's finish reason.
fn finish(native: &str) -> &str {
    match native {
        "stop" | "eos" | "end_turn" | "stop_sequence" => "stop",
        "length" | "max_tokens" | "model_length" => "length",
        "tool_calls" | "function_call" | "tool_use" => "tool_calls",
        other => other,
    }
}

/// Visible text: a string, or the text parts of a list.
fn visible(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let seen = parts.iter().filter(|part| part["type"] != "thinking");
            seen.filter_map(|part| part["text"].as_str()).collect()
        }
        _ => String::new(),
    }
}

/// Prompt and completion tokens. Some hosts count reasoning, or audio input, beside the figures that
/// a client adds up; the total tells.
fn tokens(usage: &Value) -> Option<(u64, u64)> {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let prompt = usage["prompt_tokens"].as_u64()?;
    let completion = usage["completion_tokens"].as_u64()?;
    let reasoning = number(&usage["completion_tokens_details"]["reasoning_tokens"]);
    let audio = number(&usage["prompt_tokens_details"]["audio_tokens"]);
    let total = number(&usage["total_tokens"]);
    let beside = reasoning > 0 && total == prompt + completion + reasoning;
    let audio_beside = audio > 0 && total == prompt + audio + completion;
    Some((
        prompt + if audio_beside { audio } else { 0 },
        completion + if beside { reasoning } else { 0 },
    ))
}

// === impl Reading ===

impl Reading {
    /// Reads a body: one JSON object, or a stream of events.
    ///
    /// # Panics
    /// When it is neither.
    #[must_use]
    pub fn of(body: &[u8], streaming: bool) -> Self {
        let mut reading = Self::default();
        let text = std::str::from_utf8(body).expect("UTF-8");
        if streaming {
            for line in text.replace("\r\n", "\n").split('\n') {
                let data = line
                    .strip_prefix("data:")
                    .map(str::trim)
                    .unwrap_or_default();
                if !data.is_empty() && data != "[DONE]" {
                    reading.take(&serde_json::from_str(data).expect("JSON"), "delta");
                }
            }
        } else {
            reading.take(&serde_json::from_str(text).expect("JSON"), "message");
        }
        reading.close();
        reading
    }

    fn take(&mut self, chunk: &Value, part: &str) {
        if chunk["error"].is_object() || chunk["error"].is_string() {
            self.error = Some(chunk["error"].clone());
        }
        let usage = [&chunk["usage"], &chunk["x_groq"]["usage"]];
        if let Some(found) = usage.into_iter().find_map(tokens) {
            self.tokens = Some(found);
        }
        for choice in chunk["choices"].as_array().into_iter().flatten() {
            let index = choice["index"].as_u64().unwrap_or_default();
            let piece = &choice[part];
            self.text
                .entry(index)
                .or_default()
                .push_str(&visible(&piece["content"]));
            let calls = piece["tool_calls"].as_array().cloned().unwrap_or_default();
            // The older form: one function, as the first call.
            let older = piece.get("function_call").filter(|call| call.is_object());
            let older = older.map(|function| json!({"function": function}));
            for (place, call) in calls.iter().chain(&older).enumerate() {
                let place = call["index"].as_u64().unwrap_or(place as u64);
                let entry = self.pieces.entry((index, place)).or_default();
                let function = &call["function"];
                if entry.0.is_empty() {
                    entry.0 = function["name"].as_str().unwrap_or_default().to_owned();
                }
                entry
                    .1
                    .push_str(function["arguments"].as_str().unwrap_or_default());
            }
            if let Some(native) = choice["finish_reason"].as_str() {
                self.finish.insert(index, finish(native).to_owned());
            }
        }
    }

    /// Joins what came in pieces. A choice that calls tools finished by that, whatever it says.
    fn close(&mut self) {
        self.text.retain(|_, text| !text.is_empty());
        for (at, (name, text)) in std::mem::take(&mut self.pieces) {
            let text = if text.is_empty() { "{}" } else { &text };
            let arguments = serde_json::from_str(text).unwrap_or_else(|_| text.into());
            self.calls.insert(at, (name, arguments));
            if let Some(finish) = self
                .finish
                .get_mut(&at.0)
                .filter(|finish| *finish == "stop")
            {
                *finish = "tool_calls".to_owned();
            }
        }
    }
}
