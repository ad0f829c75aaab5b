//! Every recorded exchange of Cohere chat, read and written, against a second, small reading of the
//! same bytes by `serde_json`.
#![cfg(test)]

#[path = "support/cohere.rs"]
mod cohere;
#[path = "support/heard.rs"]
mod heard;
#[path = "support/recorded.rs"]
mod recorded;
#[path = "support/reply.rs"]
mod reply;
#[path = "support/target.rs"]
mod target;

use std::collections::BTreeMap;

use heard::{Heard, in_order, message};
use recorded::Case;
use reply::{head, read};
use serde_json::{Value, json};
use target::{Host, chat};
use waystation_core::{ChatEvent, ErrorType, Quirks, UpstreamError};
use waystation_providers::COHERE_CHAT;

fn cases() -> Vec<Case> {
    recorded::cases("cohere-v2-chat", 19)
}

fn host() -> Host {
    let mut host = Host::new("cohere", "recorded").with(Quirks::default());
    host.upstream.base_url = "https://api.cohere.com/".into();
    host.endpoint.dialect = COHERE_CHAT.parse().unwrap();
    host
}

/// The body that a request leaves as.
fn sent(ask: &Value) -> Value {
    let call = host().encode(&chat(&ask.to_string()));
    assert_eq!(call.request.url, "https://api.cohere.com/v2/chat");
    serde_json::from_slice(&call.request.body).unwrap()
}

/// Reads a response in pieces of `size` bytes.
fn hear(case: &Case, bytes: &[u8], size: usize) -> (Vec<ChatEvent>, Result<(), UpstreamError>) {
    let ask = json!({"messages": [{"role": "user", "content": "Hi"}], "stream": case.streamed()});
    let kind = case.meta["content_type"].as_str().unwrap_or_default();
    let head = head(case.status(), &[("content-type", kind)]);
    let reader = host().encode(&chat(&ask.to_string())).reader;
    read(reader, &head, bytes.chunks(size))
}

#[test]
fn replies_say_what_they_say() {
    for case in cases().iter().filter(|case| case.status() == 200) {
        let (events, ended) = hear(case, &case.response, usize::MAX);
        match cohere::witness(&case.response, case.streamed()) {
            Err(reason) => {
                let error = ended.expect_err(&case.name);
                assert!(error.message.contains(&reason), "{}: {error}", case.name);
                assert_eq!(error.code.as_deref(), Some("INVALID_TOOL_GENERATION"));
            }
            Ok(expected) => {
                ended.unwrap_or_else(|error| panic!("{}: {error}", case.name));
                assert_eq!(Heard::of(&events), expected, "{}", case.name);
                in_order(&case.name, &events);
            }
        }
    }
}

#[test]
fn cutting_a_reply_does_not_change_it() {
    for case in cases() {
        let whole = hear(&case, &case.response, usize::MAX);
        for size in [1, 3, 64] {
            let cut = hear(&case, &case.response, size);
            assert_eq!(cut, whole, "{} by {size}", case.name);
        }
    }
}

#[test]
fn a_reply_that_breaks_off_is_never_a_clean_stop() {
    for case in cases().iter().filter(|case| case.status() == 200) {
        let text = std::str::from_utf8(&case.response).unwrap().trim_end();
        let end = text.trim_end_matches("data: [DONE]").trim_end().len();
        let step = (end / 80).max(1);
        for at in (0..end).step_by(step).chain(end.saturating_sub(3)..end) {
            let (events, ended) = hear(case, &case.response[..at], 4096);
            assert!(ended.is_err(), "{} cut at {at} of {end}", case.name);
            let finished = events
                .iter()
                .any(|event| matches!(event, ChatEvent::Finish(_)));
            assert!(!finished, "{} cut at {at}", case.name);
        }
    }
}

#[test]
fn errors_give_the_upstreams_reason() {
    for case in cases().iter().filter(|case| case.status() != 200) {
        let (events, ended) = hear(case, &case.response, 7);
        let error = ended.expect_err(&case.name);
        let body: Value = serde_json::from_slice(&case.response).unwrap();
        let reason = body["message"].as_str().unwrap().trim();
        assert!(error.message.contains(reason), "{}: {error}", case.name);
        assert!(events.is_empty());
        let kind = match case.status() {
            401 => ErrorType::Authentication,
            404 => ErrorType::NotFound,
            _ => ErrorType::ContextLengthExceeded,
        };
        assert_eq!(error.kind, kind, "{}", case.name);
    }
}

#[test]
fn requests_say_what_recorded_clients_say() {
    for case in cases() {
        let Some(native) = &case.request else {
            continue;
        };
        let found = sent(&cohere::chat_of(native));
        assert_eq!(
            cohere::plain(&found),
            cohere::plain(native),
            "{}",
            case.name
        );
    }
}

/// The second turn of each recorded loop, made of what was decoded of the first.
#[test]
fn a_decoded_answer_goes_back_as_the_recorded_client_sent_it() {
    let cases = cases();
    let turn = |case: &Case| {
        let conversation = case.meta["conversation"].as_str().unwrap();
        let conversation = format!("{}/{conversation}", case.provider);
        (conversation, case.meta["turn"].as_u64().unwrap())
    };
    let by_turn: BTreeMap<_, &Case> = cases.iter().map(|case| (turn(case), case)).collect();
    let mut compared = 0;
    for ((conversation, turn), next) in &by_turn {
        let before = by_turn.get(&(conversation.clone(), turn - 1));
        let (Some(before), Some(native)) = (before, &next.request) else {
            continue;
        };
        let (events, ended) = hear(before, &before.response, 64);
        ended.unwrap();
        let mut ask = cohere::chat_of(native);
        let messages = ask["messages"].as_array_mut().unwrap();
        let last = messages
            .iter()
            .rposition(|one| one["role"] == "assistant")
            .unwrap();
        messages[last] = message(&events);
        let (mut found, native) = (cohere::plain(&sent(&ask)), cohere::plain(native));
        // The recorded client drops the plan and the thinking; Cohere asks for both.
        let own = found["messages"][last].as_object_mut().unwrap();
        let heard = Heard::of(&events);
        assert_eq!(own.remove("tool_plan").is_some(), !heard.content.is_empty());
        let thoughts = own.remove("content").unwrap_or_default();
        assert_eq!(!thoughts.is_null(), !heard.reasoning.is_empty());
        if !thoughts.is_null() {
            assert_eq!(
                thoughts,
                json!([{"type": "thinking", "thinking": heard.reasoning}])
            );
        }
        assert_eq!(found["messages"], native["messages"], "{}", next.name);
        compared += 1;
    }
    assert!(compared >= 2 || cases.is_empty(), "{compared} loops");
}

#[test]
fn a_schema_beside_tools_is_an_instruction() {
    let ask = json!({
        "messages": [{"role": "user", "name": "Ada", "content": "Hi"}],
        "tools": [
            {"type": "function", "function": {"name": "f", "strict": true}},
            {"type": "function", "function": {"name": "g", "strict": true}},
            {"type": "web_search"}],
        "tool_choice": {"type": "function", "function": {"name": "g"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
        "top_p": 1, "top_k": 5, "stop": "x", "n": 2, "reasoning": {"effort": "low"}, "max_tokens": 10000,
        "safety_mode": "OFF"});
    let call = host().encode(&chat(&ask.to_string()));
    let body: Value = serde_json::from_slice(&call.request.body).unwrap();
    let function = json!({"name": "g", "parameters": {"type": "object", "properties": {}}});
    let told = body["messages"][0]["content"].as_str().unwrap();
    assert!(told.ends_with(r#"{"type":"object"}"#), "{told}");
    let expected = json!({
        "model": "recorded", "stream": false, "max_tokens": 10000, "p": 0.99, "k": 5, "stop_sequences": ["x"],
        "messages": [{"role": "system", "content": told}, {"role": "user", "content": "Ada: Hi"}],
        "tools": [{"type": "function", "function": function}], "tool_choice": "REQUIRED",
        "strict_tools": true, "thinking": {"type": "enabled", "token_budget": 2000},
        "safety_mode": "OFF"});
    assert_eq!(body, expected);
    let fields: Vec<&str> = call.notes.iter().map(|note| &*note.field).collect();
    assert_eq!(fields, ["response_format", "top_p", "tools", "tool_choice"]);
}

#[test]
fn the_clients_own_words_are_said_once() {
    let body = json!({"messages": [{"role": "user", "content": "Hi"}], "top_p": 0.5, "p": 0.6, "stop": "x",
        "stop_sequences": ["y"], "reasoning_effort": "low", "thinking": {"type": "disabled"}});
    let call = host().encode(&chat(&body.to_string()));
    let text = std::str::from_utf8(&call.request.body).unwrap();
    for member in [
        "\"p\":0.6",
        "\"stop_sequences\":[\"y\"]",
        "\"thinking\":{\"type\":\"disabled\"}",
    ] {
        assert!(text.contains(member), "{text}");
        let key = member.split_once(':').unwrap().0;
        assert_eq!(text.matches(key).count(), 1, "{text}");
    }
}

#[test]
fn images_of_results_follow_them() {
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}});
    let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": ""}});
    let body = sent(&json!({"messages": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Looking.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": [image]},
        {"role": "assistant", "content": "Seen."}]}));
    let expected = json!([
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "tool_plan": "Looking.", "tool_calls":
            [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "(an image, shown below)"}]},
        {"role": "user", "content": [{"type": "text", "text": "Images that the tools returned:"}, image]},
        {"role": "assistant", "content": "Seen."}]);
    assert_eq!(body["messages"], expected);
    let file = json!({"messages": [{"role": "user", "content":
        [{"type": "file", "file": {"file_data": "https://a.example/b.pdf"}}]}]});
    let refused = host()
        .try_encode(&chat(&file.to_string()))
        .unwrap_err()
        .to_string();
    assert!(refused.starts_with("messages[0].content[0]: "), "{refused}");
}
