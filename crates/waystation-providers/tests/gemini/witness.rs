//! A second reading of recorded replies, by `serde_json` and as simple as can be.

use serde_json::{Map, Value};

use crate::heard::Heard;

/// The chunks of a recorded body, in whichever of its three forms.
pub(crate) fn chunks(body: &[u8]) -> Vec<Value> {
    match serde_json::from_slice(body) {
        Ok(Value::Array(chunks)) => chunks,
        Ok(whole) => vec![whole],
        Err(_) => std::str::from_utf8(body)
            .unwrap()
            .lines()
            .filter_map(|line| line.strip_prefix("data:"))
            .map(|data| serde_json::from_str(data).unwrap())
            .collect(),
    }
}

/// What a recorded reply says. Ids that the host did not give are empty.
pub(crate) fn heard(body: &[u8]) -> Heard {
    let mut heard = Heard::default();
    let (mut usage, mut finish, mut message) = (Map::new(), Value::Null, Value::Null);
    let mut open: Option<Map<String, Value>> = None;
    for chunk in chunks(body) {
        if let Some(counts) = chunk["usageMetadata"].as_object() {
            usage.extend(counts.clone());
        }
        if chunk["promptFeedback"]["blockReason"].is_string() {
            finish = chunk["promptFeedback"]["blockReason"].clone();
            message = chunk["promptFeedback"]["blockReasonMessage"].clone();
        }
        let candidate = &chunk["candidates"][0];
        for part in candidate["content"]["parts"]
            .as_array()
            .into_iter()
            .flatten()
        {
            part_of(part, &mut heard, &mut open);
        }
        if !candidate["finishReason"].is_null() {
            finish = candidate["finishReason"].clone();
            message = candidate["finishMessage"].clone();
        }
        heard
            .citations
            .extend(citations(&candidate["groundingMetadata"]));
    }
    if finish == 1 {
        finish = "STOP".into();
    }
    let native = finish.as_str().unwrap_or_default().to_owned();
    let reason = match (&*native, heard.calls.is_empty()) {
        ("STOP", true) => "stop",
        ("STOP" | "", false) => "tool_calls",
        ("MAX_TOKENS", _) => "length",
        ("UNEXPECTED_TOOL_CALL" | "MALFORMED_FUNCTION_CALL", _) => "error",
        _ => "content_filter",
    };
    if reason == "content_filter" {
        heard.refusal = message.as_str().unwrap_or_default().to_owned();
    }
    heard.finish = (reason.into(), native);
    let count = |key: &str| usage.get(key).and_then(Value::as_u64);
    let sum = |one: &str, other: &str| Some(count(one).unwrap_or(0) + count(other).unwrap_or(0));
    if usage.contains_key("promptTokenCount") {
        heard.usage = Some([
            sum("promptTokenCount", "toolUsePromptTokenCount"),
            sum("candidatesTokenCount", "thoughtsTokenCount"),
            count("cachedContentTokenCount"),
            count("thoughtsTokenCount"),
        ]);
    }
    heard
}

fn part_of(part: &Value, heard: &mut Heard, open: &mut Option<Map<String, Value>>) {
    if let Some(signature) = part["thoughtSignature"].as_str() {
        heard.seals.push(signature.to_owned());
    }
    let text = part["text"].as_str().unwrap_or_default();
    if part["thought"] == true {
        heard.reasoning.push_str(text);
    } else {
        heard.content.push_str(text);
    }
    let Some(call) = part["functionCall"].as_object() else {
        return;
    };
    let string = |key: &str| {
        call.get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    if call.contains_key("name") {
        let args = call
            .get("args")
            .cloned()
            .unwrap_or_else(|| Map::new().into());
        heard
            .calls
            .push((string("id"), string("name"), args.to_string()));
        *open = call.get("willContinue").map(|_| Map::new());
        return;
    }
    let mut arguments = open.take().unwrap();
    for piece in call
        .get("partialArgs")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let path = piece["jsonPath"]
            .as_str()
            .unwrap()
            .strip_prefix("$.")
            .unwrap();
        let before = arguments
            .get(path)
            .and_then(Value::as_str)
            .unwrap_or_default();
        let text = format!("{before}{}", piece["stringValue"].as_str().unwrap());
        arguments.insert(path.to_owned(), text.into());
    }
    heard.calls.last_mut().unwrap().2 = Value::Object(arguments.clone()).to_string();
    if call.get("willContinue").is_some() {
        *open = Some(arguments);
    }
}

fn citations(grounding: &Value) -> Vec<String> {
    let chunks = grounding["groundingChunks"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let address = |chunk: &Value| {
        let address = chunk["web"]["uri"].as_str();
        let address = address.or_else(|| chunk["retrievedContext"]["fileSearchStore"].as_str());
        address.unwrap().to_owned()
    };
    let supports = grounding["groundingSupports"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let indices: Vec<u64> = supports
        .iter()
        .flat_map(|support| {
            support["groundingChunkIndices"]
                .as_array()
                .cloned()
                .unwrap()
        })
        .map(|index| index.as_u64().unwrap())
        .collect();
    let unnamed = (0..chunks.len() as u64).filter(|index| !indices.contains(index));
    let all = indices.iter().copied().chain(unnamed);
    all.map(|index| address(&chunks[usize::try_from(index).unwrap()]))
        .collect()
}

/// Where the last finish reason has come: before it, nothing is complete. An array is complete with
/// its closing bracket.
pub(crate) fn complete_at(body: &[u8]) -> usize {
    let text = body.trim_ascii_end();
    if matches!(text.first(), Some(b'{' | b'[')) {
        return text.len();
    }
    let last = text
        .windows(14)
        .rposition(|window| window == b"\"finishReason\"");
    let from = last.unwrap();
    let end = text[from..].iter().position(|byte| *byte == b'\n');
    end.map_or(text.len(), |end| from + end - 1)
}
