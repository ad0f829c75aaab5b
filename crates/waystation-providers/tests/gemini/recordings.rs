//! The recorded exchanges.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};
use waystation_core::{ChatEvent, ChatRequest, UpstreamError};

use crate::{
    convert,
    heard::{Heard, in_order, message},
    recorded::{Case, cases},
    reply::{head, read},
    studio,
    target::Host,
    vertex, witness,
};

/// Every recorded exchange.
fn all() -> Vec<Case> {
    cases("gemini-generate-content", 58)
}

/// The host that a case was recorded from.
fn host(case: &Case) -> Host {
    let path = case.meta["path"].as_str().unwrap();
    let (_, model) = path.rsplit_once('/').unwrap();
    let model = model.split(':').next().unwrap();
    if case.provider != "vertex" {
        return studio(model);
    }
    let mut host = vertex(model);
    let segments: Vec<&str> = path.split('/').collect();
    host.upstream.settings.api_version = Some(segments[1].into());
    host.upstream.settings.project = Some(segments[3].into());
    host.upstream.settings.region = Some(segments[5].into());
    host
}

/// The request that a case answers, as a client of the gateway makes it.
fn chat(case: &Case) -> ChatRequest {
    let chat = match &case.request {
        Some(native) => convert::chat(native, case.streamed()),
        None => json!({"messages": [{"role": "user", "content": "Hi"}], "stream": true}),
    };
    ChatRequest::parse(&Bytes::from(chat.to_string()))
        .unwrap_or_else(|error| panic!("{}: {error}", case.name))
}

/// Reads a case's response in pieces of `size` bytes.
fn events(case: &Case, bytes: &[u8], size: usize) -> (Vec<ChatEvent>, Result<(), UpstreamError>) {
    let kind = case.meta["content_type"].as_str().unwrap_or_default();
    let head = head(case.status(), &[("content-type", kind)]);
    read(
        host(case).encode(&chat(case)).reader,
        &head,
        bytes.chunks(size),
    )
}

#[test]
fn replies_say_what_they_say() {
    let mut read = 0;
    for case in all().iter().filter(|case| case.status() == 200) {
        let (events, ended) = events(case, &case.response, usize::MAX);
        ended.unwrap_or_else(|error| panic!("{}: {error}", case.name));
        in_order(&case.name, &events);
        let (mut found, expected) = (Heard::of(&events), witness::heard(&case.response));
        for (call, known) in found.calls.iter_mut().zip(&expected.calls) {
            assert!(!call.0.is_empty(), "{}", case.name);
            if known.0.is_empty() {
                call.0.clear();
            }
            let json = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
            assert_eq!(json(&call.2), json(&known.2), "{}", case.name);
            call.2.clone_from(&known.2);
        }
        let counted = case.meta["tool_call_count"].as_u64();
        assert!(
            counted.is_none_or(|count| count == found.calls.len() as u64),
            "{}",
            case.name
        );
        assert_eq!(found, expected, "{}", case.name);
        read += 1;
    }
    println!("{read} replies read");
}

#[test]
fn citations_point_at_what_they_cite() {
    let mut located = 0;
    for case in all().iter().filter(|case| case.status() == 200) {
        let (events, _) = events(case, &case.response, usize::MAX);
        let content: Vec<char> = Heard::of(&events).content.chars().collect();
        let annotations = events.iter().filter_map(|event| match event {
            ChatEvent::Delta(delta) => delta.annotations.as_ref(),
            _ => None,
        });
        let supports: Vec<String> = witness::chunks(&case.response)
            .iter()
            .flat_map(|chunk| {
                chunk["candidates"][0]["groundingMetadata"]["groundingSupports"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default()
            })
            .map(|support| support["segment"]["text"].as_str().unwrap().to_owned())
            .collect();
        for list in annotations {
            let list: Vec<Value> = serde_json::from_slice(list.bytes()).unwrap();
            for one in list {
                let index = |key: &str| {
                    usize::try_from(one["url_citation"][key].as_u64().unwrap()).unwrap()
                };
                let (start, end) = (index("start_index"), index("end_index"));
                if end > 0 {
                    let cited: String = content[start..end].iter().collect();
                    assert!(supports.contains(&cited), "{}: {cited:?}", case.name);
                    located += 1;
                }
            }
        }
    }
    println!("{located} citations located");
}

#[test]
fn cutting_a_reply_does_not_change_it() {
    for case in all() {
        let whole = events(&case, &case.response, usize::MAX);
        for size in [1, 3, 64] {
            assert_eq!(
                events(&case, &case.response, size),
                whole,
                "{} by {size}",
                case.name
            );
        }
    }
}

#[test]
fn errors_give_the_upstreams_reason() {
    let mut kinds = BTreeMap::new();
    for case in all().iter().filter(|case| case.status() != 200) {
        let (events, ended) = events(case, &case.response, usize::MAX);
        let error = ended.expect_err(&case.name);
        let body: Value = serde_json::from_slice(&case.response).unwrap();
        assert_eq!(
            error.message,
            body["error"]["message"].as_str().unwrap(),
            "{}",
            case.name
        );
        assert_eq!(error.status, Some(case.status()), "{}", case.name);
        assert_eq!(
            error.code.as_deref(),
            body["error"]["status"].as_str(),
            "{}",
            case.name
        );
        assert!(events.is_empty(), "{}", case.name);
        kinds.insert(case.name.clone(), error.kind.as_str());
    }
    let found: Vec<&str> = kinds.values().copied().collect();
    let expected = [
        "authentication",
        "not_found",
        "rate_limit_exceeded",
        "invalid_request",
    ];
    assert!(kinds.is_empty() || found == expected, "{kinds:?}");
}

#[test]
fn a_reply_that_breaks_off_is_never_a_clean_stop() {
    for case in all().iter().filter(|case| case.status() == 200) {
        let end = witness::complete_at(&case.response);
        let step = (end / 80).max(1);
        for at in (0..end).step_by(step).chain(end.saturating_sub(3)..end) {
            let (events, ended) = events(case, &case.response[..at], 4096);
            assert!(ended.is_err(), "{} cut at {at} of {end}", case.name);
            let finished = events
                .iter()
                .any(|event| matches!(event, ChatEvent::Finish(_)));
            assert!(!finished, "{} cut at {at}", case.name);
        }
    }
}

#[test]
fn recorded_requests_leave_as_their_clients_sent_them() {
    let mut sent = 0;
    for case in all() {
        let Some(native) = &case.request else {
            continue;
        };
        let call = host(&case).encode(&chat(&case));
        let path = case.meta["path"].as_str().unwrap();
        assert_eq!(call.request.url.path(), path, "{}", case.name);
        let query = case.streamed().then_some("alt=sse");
        assert_eq!(call.request.url.query(), query, "{}", case.name);
        let found: Value = serde_json::from_slice(&call.request.body).unwrap();
        let found = convert::spelled(&found);
        let expected = expected(&case.name, native);
        assert_eq!(
            convert::difference(&found, &expected, ""),
            None,
            "{}",
            case.name
        );
        sent += 1;
    }
    println!("{sent} requests written");
}

/// A recorded request in one spelling, without what its client said otherwise.
fn expected(name: &str, native: &Value) -> Value {
    let mut native = convert::spelled(native);
    // Recorded clients sent nothing in the place of a choice that is not to be shown.
    let thinking = native.pointer_mut("/generationConfig/thinkingConfig");
    if let Some(thinking) = thinking.and_then(Value::as_object_mut)
        && thinking.contains_key("thinkingLevel")
    {
        assert_eq!(thinking["includeThoughts"], true, "{name}");
    }
    let schema = native
        .pointer("/generationConfig/responseJsonSchema")
        .is_some();
    if schema {
        native["generationConfig"]["responseMimeType"] = "application/json".into();
    }
    native
}

#[test]
fn conversations_go_on_as_their_clients_went_on() {
    let all = all();
    let mut turns = 0;
    for case in &all {
        let Some(native) = &case.request else {
            continue;
        };
        let next = all.iter().find(|next| {
            next.provider == case.provider
                && next.meta["conversation"] == case.meta["conversation"]
                && next.meta["turn"].as_u64() == case.meta["turn"].as_u64().map(|turn| turn + 1)
        });
        let Some(later) = next.and_then(|next| next.request.as_ref()) else {
            continue;
        };
        let next = next.unwrap();
        let (first, second) = (convert::spelled(native), convert::spelled(later));
        let before = first["contents"].as_array().unwrap().len();
        let contents = second["contents"].as_array().unwrap();
        if contents.len() <= before || contents[..before] != *first["contents"].as_array().unwrap()
        {
            println!("{}: its next turn is another conversation", case.name);
            continue;
        }
        let (events, ended) = events(case, &case.response, usize::MAX);
        ended.unwrap();
        let answer = message(&events);
        let mut chat = convert::chat(later, next.streamed());
        let messages = chat["messages"].as_array_mut().unwrap();
        let place = messages.len() - (contents.len() - before);
        let ids: Vec<Value> = answer["tool_calls"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|call| call["id"].clone())
            .collect();
        messages[place] = answer;
        for (message, id) in messages[place + 1..]
            .iter_mut()
            .filter(|message| message["role"] == "tool")
            .zip(ids)
        {
            message["tool_call_id"] = id;
        }
        let chat = ChatRequest::parse(&Bytes::from(chat.to_string())).unwrap();
        let call = host(next).encode(&chat);
        let sent: Value = serde_json::from_slice(&call.request.body).unwrap();
        let (sent, recorded) = (convert::spelled(&sent), expected(&next.name, later));
        let (sent, recorded) = (convert::without_ids(&sent), convert::without_ids(&recorded));
        assert_eq!(
            convert::difference(&sent, &recorded, ""),
            None,
            "{}",
            next.name
        );
        turns += 1;
    }
    assert!(all.is_empty() || turns >= 10, "{turns} turns");
    println!("{turns} turns go on");
}
