//! Every recorded exchange of Anthropic Messages, read and written, against a second, small reading
//! of the same bytes. The recordings lie beside the workspace (`../shared/wire`, or where
//! `WAYSTATION_SHARED` says); without them the tests say that they were skipped.
#![cfg(test)]

#[path = "support/anthropic.rs"]
mod anthropic;
#[path = "support/reply.rs"]
mod reply;
#[path = "support/target.rs"]
mod target;

use anthropic::{Case, cases, echoed};
use reply::{head, read};
use serde_json::{Value, json};
use target::{Host, chat};
use waystation_core::{Answer, AuthScheme, ChatEvent, ErrorType, Quirks, UpstreamError};

fn host(model: &str) -> Host {
    let mut host = Host::new("anthropic", model).with(Quirks::default());
    host.endpoint.dialect = "anthropic-messages".parse().unwrap();
    host.upstream.base_url = "https://api.anthropic.com".into();
    host.upstream.auth = AuthScheme::XApiKey;
    host
}

/// Reads the response of a case in pieces of `size` bytes.
fn respond(case: &Case, bytes: &[u8], size: usize) -> (Vec<ChatEvent>, Result<(), UpstreamError>) {
    let kind = case.meta["content_type"].as_str().unwrap_or_default();
    let head = head(case.status(), &[("content-type", kind)]);
    let ask = chat(r#"{"messages":[{"role":"user","content":"Hi"}]}"#);
    let reader = host("claude").encode(&ask).reader;
    read(reader, &head, bytes.chunks(size))
}

fn good() -> impl Iterator<Item = Case> {
    cases().into_iter().filter(|case| case.status() == 200)
}

#[test]
fn replies_say_what_they_say() {
    let mut count = 0;
    for case in good() {
        let (events, ended) = respond(&case, &case.response, usize::MAX);
        ended.unwrap_or_else(|error| panic!("{}: {error}", case.name));
        in_order(&case.name, &events);
        case.witness().agrees(&case.name, &Answer::of(events));
        count += 1;
    }
    println!("{count} replies read");
}

/// Start first, the end after all pieces, usage last and once; calls are counted from 0 and named
/// once.
fn in_order(name: &str, events: &[ChatEvent]) {
    let mut calls = 0;
    for (at, event) in events.iter().enumerate() {
        match event {
            ChatEvent::Start(start) => {
                assert_eq!(at, 0, "{name}");
                assert!(start.id.is_some() && start.model.is_some(), "{name}");
            }
            ChatEvent::Delta(delta) => {
                assert!(!delta.is_empty(), "{name}: empty piece");
                for call in &delta.tool_calls {
                    assert_eq!(call.id.is_some(), call.name.is_some(), "{name}");
                    if call.id.is_some() {
                        assert_eq!(call.index, calls, "{name}");
                        calls += 1;
                    }
                }
            }
            ChatEvent::Finish(_) => assert_eq!(at + 2, events.len(), "{name}"),
            ChatEvent::Usage(_) => assert_eq!(at + 1, events.len(), "{name}"),
            _ => panic!("{name}: an event of an unknown sort"),
        }
    }
}

#[test]
fn cutting_a_reply_does_not_change_it() {
    for case in cases() {
        let whole = respond(&case, &case.response, usize::MAX);
        for size in [1, 3, 64] {
            let cut = respond(&case, &case.response, size);
            assert_eq!(cut, whole, "{} by {size}", case.name);
        }
    }
}

#[test]
fn a_reply_that_breaks_off_is_never_a_clean_stop() {
    for case in good() {
        let text = String::from_utf8(case.response.clone()).unwrap();
        // The reply is complete with the last brace of its last event.
        let last = text.rfind('}').unwrap();
        let step = (last / 80).max(1);
        for at in (0..last).step_by(step).chain(last.saturating_sub(3)..last) {
            let (events, ended) = respond(&case, &case.response[..at], 4096);
            assert!(ended.is_err(), "{} cut at {at} of {last}", case.name);
            let ends = |event: &ChatEvent| matches!(event, ChatEvent::Finish(_));
            assert!(!events.iter().any(ends), "{} cut at {at}", case.name);
        }
    }
}

#[test]
fn errors_give_the_upstreams_reason() {
    let mut count = 0;
    for case in cases().iter().filter(|case| case.status() != 200) {
        let (events, ended) = respond(case, &case.response, usize::MAX);
        let error = ended.expect_err(&case.name);
        let body: Value = serde_json::from_slice(&case.response).unwrap();
        assert_eq!(error.message, body["error"]["message"].as_str().unwrap());
        assert_eq!(error.status, Some(case.status()), "{}", case.name);
        assert_eq!(error.code.as_deref(), body["error"]["type"].as_str());
        assert!(events.is_empty(), "{}", case.name);
        let expected = match case.status() {
            400 => ErrorType::ContextLengthExceeded,
            401 => ErrorType::Authentication,
            404 => ErrorType::NotFound,
            other => panic!("{}: {other}", case.name),
        };
        assert_eq!(error.kind, expected, "{}", case.name);
        count += 1;
    }
    println!("{count} errors read");
}

/// Both requests in one shape: a text is a list of one, absence is absence, and what the chat
/// vocabulary cannot say is not there.
fn plain(request: &Value) -> Value {
    let mut request = request.clone();
    let listed = |content: &Value| match content {
        Value::String(text) => json!([{"type": "text", "text": text}]),
        list => list.clone(),
    };
    if !request["system"].is_null() {
        request["system"] = listed(&request["system"]);
    }
    for message in request["messages"].as_array_mut().unwrap() {
        message["content"] = listed(&message["content"]);
        for block in message["content"].as_array_mut().unwrap() {
            let block = block.as_object_mut().unwrap();
            block.retain(|key, value| !(key == "is_error" && *value == false));
            if block["type"] == "tool_result" {
                let content = listed(&block["content"]);
                block.insert("content".into(), content);
            }
        }
    }
    for tool in request["tools"].as_array_mut().into_iter().flatten() {
        tool.as_object_mut()
            .unwrap()
            .retain(|key, _| key != "strict");
    }
    if let Some(thinking) = request["thinking"].as_object_mut() {
        thinking.remove("display");
    }
    let object = request.as_object_mut().unwrap();
    object.retain(|key, value| !value.is_null() && key != "service_tier");
    if object.get("stream") == Some(&Value::Bool(false)) {
        object.remove("stream");
    }
    request
}

#[test]
fn recorded_requests_leave_as_they_came() {
    let mut count = 0;
    for case in cases() {
        let model = case.request["model"].as_str().unwrap().to_owned();
        let call = host(&model).encode(&chat(&case.chat().to_string()));
        let sent: Value = serde_json::from_slice(&call.request.body).unwrap();
        assert_eq!(
            plain(&sent),
            plain(&case.request),
            "{} {:?}",
            case.name,
            call.notes
        );
        count += 1;
    }
    println!("{count} requests written");
}

/// Loops of which two turns in a row were recorded.
fn loops() -> Vec<(Case, Case)> {
    let mut all = cases();
    all.retain(|case| case.status() == 200);
    all.sort_by_key(|case| {
        (
            case.meta["conversation"].to_string(),
            case.meta["turn"].as_u64(),
        )
    });
    let mut pairs = Vec::new();
    let mut before: Option<Case> = None;
    for case in all {
        let follows = before.as_ref().is_some_and(|before| {
            before.meta["conversation"] == case.meta["conversation"]
                && before.meta["turn"].as_u64().map(|turn| turn + 1) == case.meta["turn"].as_u64()
        });
        let first = before.take().filter(|_| follows);
        if let Some(first) = first {
            let kept = Case {
                name: case.name.clone(),
                meta: case.meta.clone(),
                request: case.request.clone(),
                response: case.response.clone(),
            };
            pairs.push((first, kept));
        }
        before = Some(case);
    }
    pairs
}

#[test]
fn answers_that_are_echoed_make_the_recorded_next_request() {
    let mut count = 0;
    for (first, second) in loops() {
        let (events, _) = respond(&first, &first.response, usize::MAX);
        let answer = Answer::of(events);
        let mut ask = second.chat();
        // Whatever the recorded client sent for the first answer, ours sends what it was given.
        let messages = ask["messages"].as_array_mut().unwrap();
        let turn = messages
            .iter()
            .rposition(|message| message["role"] == "assistant");
        messages[turn.unwrap()] = echoed(&answer);
        let model = second.request["model"].as_str().unwrap();
        let call = host(model).encode(&chat(&ask.to_string()));
        let sent: Value = serde_json::from_slice(&call.request.body).unwrap();
        assert_eq!(plain(&sent), plain(&second.request), "{}", second.name);
        println!("{}", second.name);
        count += 1;
    }
    println!("{count} loops written");
}

#[test]
fn an_answer_goes_back_block_by_block() {
    let mut ran = 0;
    for case in good() {
        let (events, _) = respond(&case, &case.response, usize::MAX);
        let said = echoed(&Answer::of(events));
        let ask = json!({"messages": [
            {"role": "user", "content": "Hi"}, said, {"role": "user", "content": "And?"}]});
        let call = host("claude-sonnet-4-5").encode(&chat(&ask.to_string()));
        let sent: Value = serde_json::from_slice(&call.request.body).unwrap();
        let expected = case.blocks();
        // An answer without any words is no turn.
        if !expected.is_empty() {
            assert_eq!(
                sent["messages"][1]["content"],
                json!(expected),
                "{}",
                case.name
            );
        }
        let result = |block: &&Value| block["type"].as_str().unwrap().ends_with("_tool_result");
        ran += expected.iter().filter(result).count();
    }
    println!("{ran} results of the provider's tools went back");
    assert!(ran >= 10 || cases().is_empty());
}
