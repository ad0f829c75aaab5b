//! A second reading of recorded replies, by `serde_json` and as simple as can be: it takes each
//! event apart on its own and knows only the recorded hosts.

use std::collections::BTreeMap;

use serde_json::Value;
use waystation_core::{Answer, FinishReason, JsonText};

/// What a recorded reply says.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    /// The reason of a failure in band.
    pub(crate) error: Option<String>,
    streamed: bool,
    choices: BTreeMap<u64, Choice>,
    usage: Option<Value>,
    annotations: usize,
}

#[derive(Debug, Default)]
struct Choice {
    content: String,
    reasoning: String,
    refusal: String,
    calls: Vec<Call>,
    finish: Option<String>,
    native: Option<String>,
}

#[derive(Debug, Default)]
struct Call {
    id: String,
    name: String,
    arguments: String,
}

impl Witness {
    /// Reads a recorded body.
    pub(crate) fn of(body: &[u8], streamed: bool) -> Self {
        let mut witness = Self {
            streamed,
            ..Self::default()
        };
        if streamed {
            for line in std::str::from_utf8(body).unwrap().lines() {
                let data = line.strip_prefix("data:").map(str::trim);
                if let Some(data) = data.filter(|data| *data != "[DONE]") {
                    witness.chunk(&serde_json::from_str(data).unwrap(), "delta");
                }
            }
        } else {
            witness.chunk(&serde_json::from_slice(body).unwrap(), "message");
        }
        witness
    }

    fn chunk(&mut self, chunk: &Value, said: &str) {
        if chunk.get("error").is_some() {
            self.error = reason(chunk);
        }
        let usage = Some(&chunk["usage"]).filter(|usage| usage.is_object());
        let groq = Some(&chunk["x_groq"]["usage"]).filter(|usage| usage.is_object());
        if let Some(usage) = usage.or(groq) {
            self.usage = Some(usage.clone());
        }
        for key in ["citations", "search_results"] {
            let found = chunk[key].as_array().map_or(0, Vec::len);
            self.annotations = self.annotations.max(found);
        }
        for json in chunk["choices"].as_array().into_iter().flatten() {
            let choice = self
                .choices
                .entry(json["index"].as_u64().unwrap())
                .or_default();
            choice.take(json, &json[said]);
        }
    }

    /// Where the last finish reason that is needed has come: before it, nothing is complete.
    pub(crate) fn complete_at(&self, body: &[u8]) -> usize {
        let text = std::str::from_utf8(body).unwrap();
        if !self.streamed {
            return text.trim_end().len();
        }
        if self.error.is_some() {
            return 0;
        }
        let mut left: Vec<u64> = self.choices.keys().copied().collect();
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let start = at;
            at += line.len();
            let data = line.trim_end().strip_prefix("data:").map(str::trim);
            let Some(chunk) = data.and_then(|data| serde_json::from_str::<Value>(data).ok()) else {
                continue;
            };
            for choice in chunk["choices"].as_array().into_iter().flatten() {
                if choice["finish_reason"].is_string() {
                    left.retain(|index| Some(*index) != choice["index"].as_u64());
                }
            }
            if left.is_empty() {
                return start + line.trim_end().len();
            }
        }
        body.len()
    }

    /// Holds an answer against what the witness saw.
    pub(crate) fn agrees(&self, name: &str, answer: &Answer) {
        assert_eq!(answer.choices.len(), self.choices.len(), "{name}");
        for (found, (index, seen)) in answer.choices.iter().zip(&self.choices) {
            let text = |text: Option<JsonText>| {
                text.map(|text| text.decode().into_owned())
                    .unwrap_or_default()
            };
            assert_eq!(u64::from(found.index), *index, "{name}");
            assert_eq!(text(found.content()), seen.content, "{name}");
            assert_eq!(text(found.reasoning()), seen.reasoning, "{name}");
            assert_eq!(text(found.refusal()), seen.refusal, "{name}");
            assert_eq!(found.tool_calls.len(), seen.calls.len(), "{name}");
            let length = seen.native.as_deref() == Some("length");
            for (call, seen) in found.tool_calls.iter().zip(&seen.calls) {
                let json = |text: &str| serde_json::from_str::<Value>(text).ok();
                let arguments = call.arguments().decode().into_owned();
                assert_eq!(call.name.decode(), seen.name, "{name}");
                assert!(seen.id.is_empty() || call.id.decode() == seen.id, "{name}");
                assert!(!call.id.is_empty(), "{name}");
                // Only an answer that was cut short may leave arguments that are no JSON.
                let cut = length;
                assert!(cut || json(&arguments).is_some(), "{name}: {arguments}");
                if !seen.arguments.is_empty() {
                    assert_eq!(arguments, seen.arguments, "{name}");
                }
            }
            let finish = found.finish.as_ref().unwrap();
            assert_eq!(
                text(finish.native.clone()),
                seen.native.clone().unwrap(),
                "{name}"
            );
            assert_eq!(finish.reason, seen.reason(), "{name}");
        }
        self.usage_agrees(name, answer);
        if self.annotations > 0 {
            let annotations = answer.choices[0].annotations().expect(name);
            let count = annotations.json().elements().count();
            assert!(count > 0 && count <= self.annotations.max(count), "{name}");
            let first = annotations.json().elements().next().unwrap();
            assert!(first.get("type").unwrap().is("url_citation"), "{name}");
        }
    }

    fn usage_agrees(&self, name: &str, answer: &Answer) {
        let Some(seen) = &self.usage else {
            assert!(answer.usage.is_none(), "{name}");
            return;
        };
        let found = answer.usage.as_ref().expect(name);
        let count = |value: &Value| value.as_u64();
        let prompt = &seen["prompt_tokens_details"];
        let answered = &seen["completion_tokens_details"];
        let reasoning = count(&answered["reasoning_tokens"]).or(count(&seen["reasoning_tokens"]));
        // Mistral counts audio beside the prompt, and the total tells.
        let (total, prompted) = (count(&seen["total_tokens"]), count(&seen["prompt_tokens"]));
        let audio = count(&prompt["audio_tokens"]).unwrap_or(0);
        let sum = prompted.unwrap() + count(&seen["completion_tokens"]).unwrap();
        let beside = if total == Some(sum + audio) { audio } else { 0 };
        assert_eq!(found.prompt.get(), prompted.unwrap() + beside, "{name}");
        // xAI counts reasoning beside the answer.
        let apart = if name.starts_with("xai/") {
            reasoning.unwrap_or(0)
        } else {
            0
        };
        let completion = count(&seen["completion_tokens"]).unwrap() + apart;
        assert_eq!(found.completion.get(), completion, "{name}");
        assert_eq!(
            found.total.map(|total| total.get()),
            count(&seen["total_tokens"]),
            "{name}"
        );
        let cached = count(&prompt["cached_tokens"])
            .or(count(&seen["prompt_cache_hit_tokens"]))
            .or(count(&seen["cached_tokens"]))
            .or(count(&seen["num_cached_tokens"]))
            .or(count(&seen["cache_read_input_tokens"]));
        assert_eq!(found.cached.map(|tokens| tokens.get()), cached, "{name}");
        assert_eq!(
            found.reasoning.map(|tokens| tokens.get()),
            reasoning,
            "{name}"
        );
        let cost = seen["cost"]
            .as_f64()
            .or(seen["cost"]["total_cost"].as_f64());
        let charged = found
            .upstream_cost
            .map(|cost| cost.to_string().parse::<f64>().unwrap());
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(charged.zip(cost).is_none_or(|(a, b)| near(a, b)), "{name}");
        assert_eq!(charged.is_some(), cost.is_some(), "{name}");
    }
}

impl Choice {
    fn take(&mut self, json: &Value, said: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match &said["content"] {
            Value::Array(parts) => {
                for part in parts {
                    self.content += &text(&part["text"]);
                    for thought in part["thinking"].as_array().into_iter().flatten() {
                        self.reasoning += &text(&thought["text"]);
                    }
                }
            }
            other => self.content += &text(other),
        }
        let reasoning = text(&said["reasoning"]);
        self.reasoning += &if reasoning.is_empty() {
            text(&said["reasoning_content"])
        } else {
            reasoning
        };
        self.refusal += &text(&said["refusal"]);
        for (place, call) in said["tool_calls"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
        {
            let index = call["index"]
                .as_u64()
                .map_or(place, |at| usize::try_from(at).unwrap());
            if self.calls.len() <= index {
                self.calls.resize_with(index + 1, Call::default);
            }
            self.calls[index].take(call, &call["function"]);
        }
        if said["function_call"].is_object() {
            self.calls.resize_with(1, Call::default);
            self.calls[0].take(&Value::Null, &said["function_call"]);
        }
        if let Some(reason) = json["finish_reason"].as_str() {
            self.finish = Some(reason.into());
            let native = json["native_finish_reason"].as_str().unwrap_or(reason);
            self.native = Some(native.into());
        }
    }

    fn reason(&self) -> FinishReason {
        match self.finish.as_deref().unwrap() {
            _ if self.finish.as_deref() == Some("stop") && !self.calls.is_empty() => {
                FinishReason::ToolCalls
            }
            "stop" | "eos" => FinishReason::Stop,
            "length" => FinishReason::Length,
            "tool_calls" | "function_call" => FinishReason::ToolCalls,
            "content_filter" => FinishReason::ContentFilter,
            other => panic!("{other}"),
        }
    }
}

impl Call {
    fn take(&mut self, call: &Value, function: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if self.id.is_empty() {
            self.id = text(&call["id"]);
        }
        if self.name.is_empty() {
            self.name = text(&function["name"]);
        }
        self.arguments += &text(&function["arguments"]);
    }
}

/// The reason in a recorded error body.
pub(crate) fn reason(body: &Value) -> Option<String> {
    let raw = &body["error"]["metadata"]["raw"];
    let places = [
        raw,
        &body["error"]["message"],
        &body["error"],
        &body["message"],
        &body["detail"],
    ];
    places
        .iter()
        .find_map(|value| value.as_str())
        .map(|text| text.trim().to_owned())
}
