//! What replies of Anthropic Messages come to: odd shapes one at a time, failures, and laws that
//! hold for every stream.
#![cfg(test)]

#[path = "support/reply.rs"]
mod reply;
#[path = "support/target.rs"]
mod target;

use std::time::Duration;

use proptest::prelude::*;
use reply::{head, read};
use serde_json::{Value, json};
use target::{Host, chat};
use waystation_core::{
    Answer, ChatEvent, ErrorType, FinishReason, Parameter, ParameterSet, Quirks, UpstreamError,
};

type Read = (Vec<ChatEvent>, Result<(), UpstreamError>);

fn host() -> Host {
    let mut host = Host::new("anthropic", "claude-haiku-4-5").with(Quirks::default());
    host.endpoint.dialect = "anthropic-messages".parse().unwrap();
    host.endpoint.parameters = ParameterSet::ALL.without(Parameter::StructuredOutputs);
    host
}

/// Reads `body`, which answers a request with these members.
fn answered(members: &Value, status: u16, headers: &[(&str, &str)], pieces: &[&[u8]]) -> Read {
    let mut ask = json!({"messages": [{"role": "user", "content": "Hi"}], "stream": true});
    for (key, value) in members.as_object().unwrap() {
        ask[key] = value.clone();
    }
    let reader = host().encode(&chat(&ask.to_string())).reader;
    read(reader, &head(status, headers), pieces.iter().copied())
}

fn event(event: &Value) -> String {
    format!(
        "event: {}\ndata: {event}\n\n",
        event["type"].as_str().unwrap()
    )
}

/// A stream of these blocks, each a start and its deltas, that ends with `stop`.
fn stream(blocks: &[(Value, Vec<Value>)], stop: &str) -> String {
    let usage = json!({"input_tokens": 3, "output_tokens": 1});
    let message = json!({"id": "m", "model": "c", "content": [], "usage": usage});
    let mut body = event(&json!({"type": "message_start", "message": message}));
    for (index, (start, deltas)) in blocks.iter().enumerate() {
        body +=
            &event(&json!({"type": "content_block_start", "index": index, "content_block": start}));
        for delta in deltas {
            body += &event(&json!({"type": "content_block_delta", "index": index, "delta": delta}));
        }
        body += &event(&json!({"type": "content_block_stop", "index": index}));
    }
    let delta = json!({"stop_reason": stop, "stop_sequence": null});
    body +=
        &event(&json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 9}}));
    body + &event(&json!({"type": "message_stop"}))
}

/// The same as a whole reply.
fn whole(content: &Value, stop: &str) -> String {
    json!({"type": "message", "id": "m", "model": "c", "content": content, "stop_reason": stop,
        "usage": {"input_tokens": 3, "output_tokens": 9}})
    .to_string()
}

fn streamed(body: &str) -> Read {
    let head = [("content-type", "text/event-stream")];
    answered(&json!({}), 200, &head, &[body.as_bytes()])
}

fn answer(read: Read) -> Answer {
    read.1.unwrap();
    Answer::of(read.0)
}

fn partial(text: &str) -> Value {
    json!({"type": "input_json_delta", "partial_json": text})
}

fn content(answer: &Answer) -> Option<String> {
    let text = answer.choices[0].content()?;
    Some(text.decode().into_owned())
}

#[test]
fn tools_without_arguments_get_an_empty_object() {
    let start = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
    let given = json!({"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}});
    let body = stream(
        &[
            (json!({"type": "text", "text": ""}), vec![]),
            (start("a"), vec![]),
            (start("b"), vec![partial("")]),
            (given, vec![]),
            (
                start("d"),
                vec![partial(""), partial("{\"x\":"), partial("1}")],
            ),
        ],
        "tool_use",
    );
    let answer = answer(streamed(&body));
    let calls = &answer.choices[0].tool_calls;
    let arguments: Vec<String> = calls
        .iter()
        .map(|call| call.arguments().decode().into())
        .collect();
    assert_eq!(arguments, ["{}", "{}", "{\"a\":1}", "{\"x\":1}"]);
    let places: Vec<u32> = calls.iter().map(|call| call.index).collect();
    assert_eq!(places, [0, 1, 2, 3]);
    assert_eq!(content(&answer), None);
}

#[test]
fn nothing_at_all_is_an_empty_answer() {
    let text = content(&answer(streamed(&stream(&[], "end_turn"))));
    assert_eq!(text.as_deref(), Some(""));
    let reply = whole(&json!([]), "end_turn");
    let read = answered(&json!({}), 200, &[], &[reply.as_bytes()]);
    assert_eq!(content(&answer(read)).as_deref(), Some(""));
}

#[test]
fn ends_are_told_apart() {
    for (word, reason) in [
        ("end_turn", FinishReason::Stop),
        ("stop_sequence", FinishReason::Stop),
        ("pause_turn", FinishReason::Stop),
        ("max_tokens", FinishReason::Length),
        ("model_context_window_exceeded", FinishReason::Length),
        ("refusal", FinishReason::ContentFilter),
    ] {
        let answer = answer(streamed(&stream(&[], word)));
        let finish = answer.choices[0].finish.clone().unwrap();
        assert_eq!(
            (finish.reason, &*finish.native.unwrap().decode()),
            (reason, word)
        );
    }
}

#[test]
fn a_refusal_says_why() {
    let details = json!({"type": "refusal", "category": "cyber", "explanation": "Not that."});
    let mut reply: Value = serde_json::from_str(&whole(&json!([]), "refusal")).unwrap();
    reply["stop_details"] = details;
    let read = answered(&json!({}), 200, &[], &[reply.to_string().as_bytes()]);
    let refusal = answer(read).choices[0].refusal().unwrap();
    assert_eq!(refusal.decode(), "Not that.");
}

#[test]
fn hidden_reasoning_stays_hidden() {
    let thinking = json!({"type": "thinking", "thinking": "hm", "signature": "s"});
    let sealed = json!({"type": "redacted_thinking", "data": "X"});
    let reply = whole(
        &json!([thinking, sealed, {"type": "text", "text": "a"}]),
        "end_turn",
    );
    for (exclude, blocks) in [(false, 2), (true, 0)] {
        let asked = json!({"reasoning": {"exclude": exclude}});
        let answer = answer(answered(&asked, 200, &[], &[reply.as_bytes()]));
        let details = answer.choices[0].reasoning_details();
        let found = details.map_or(0, |list| list.json().elements().count());
        assert_eq!(found, blocks);
        assert_eq!(answer.choices[0].reasoning().is_some(), !exclude);
    }
}

#[test]
fn a_tool_that_stands_for_the_form_becomes_content() {
    let schema = json!({"name": "out", "schema": {"type": "object"}});
    let asked = json!({"response_format": {"type": "json_schema", "json_schema": schema}});
    let start = json!({"type": "tool_use", "id": "a", "name": "out", "input": {}});
    let body = stream(
        &[(
            start,
            vec![partial(""), partial("{\"a\":"), partial("\"\\n\"}")],
        )],
        "tool_use",
    );
    let given = json!([{"type": "tool_use", "id": "a", "name": "out", "input": {"a": "\n"}}]);
    for reply in [body, whole(&given, "tool_use")] {
        let answer = answer(answered(&asked, 200, &[], &[reply.as_bytes()]));
        assert_eq!(content(&answer).as_deref(), Some("{\"a\":\"\\n\"}"));
        assert!(answer.choices[0].tool_calls.is_empty());
        let finish = answer.choices[0].finish.as_ref().unwrap();
        assert_eq!(finish.reason, FinishReason::Stop);
    }
}

#[test]
fn odd_names_come_back_as_the_client_has_them() {
    let asked = json!({"tools": [{"type": "function", "function": {"name": "fs.read"}}]});
    let reply = whole(
        &json!([{"type": "tool_use", "id": "a", "name": "fs_read", "input": {}}]),
        "tool_use",
    );
    let answer = answer(answered(&asked, 200, &[], &[reply.as_bytes()]));
    assert_eq!(answer.choices[0].tool_calls[0].name.decode(), "fs.read");
}

#[test]
fn citations_cover_their_text() {
    let cited = json!({"type": "web_search_result_location", "url": "https://e.com", "title": "E", "cited_text": "q", "encrypted_index": "x"});
    let document = json!({"type": "page_location", "cited_text": "q", "document_index": 0});
    let delta = |citation: &Value| json!({"type": "citations_delta", "citation": citation});
    let text = |text: &str| json!({"type": "text_delta", "text": text});
    let empty = json!({"type": "text", "text": "", "citations": []});
    let body = stream(
        &[
            (json!({"type": "text", "text": ""}), vec![text("é\n")]),
            (empty, vec![delta(&cited), delta(&document), text("😀b")]),
        ],
        "end_turn",
    );
    let reply = whole(
        &json!([{"type": "text", "text": "é\n"}, {"type": "text", "text": "😀b", "citations": [cited, document]}]),
        "end_turn",
    );
    for body in [body, reply] {
        let answer = answer(streamed_or_whole(&body));
        let list: Value =
            serde_json::from_slice(answer.choices[0].annotations().unwrap().bytes()).unwrap();
        assert_eq!(
            list,
            json!([{"type": "url_citation", "url_citation": {
                "url": "https://e.com", "title": "E", "content": "q", "start_index": 2, "end_index": 4,
            }}])
        );
    }
}

fn streamed_or_whole(body: &str) -> Read {
    answered(&json!({}), 200, &[], &[body.as_bytes()])
}

#[test]
fn failures_in_band_are_failures() {
    let start = stream(&[], "end_turn");
    let start = start.split_once("event: message_delta").unwrap().0;
    for (error, kind, reason) in [
        (
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
            ErrorType::ProviderOverloaded,
            "Overloaded",
        ),
        (
            json!({"type": "error", "error": {"type": "api_error", "message": "Oh"}}),
            ErrorType::ProviderUnavailable,
            "Oh",
        ),
        (
            json!({"type": "error", "error": {"code": 429, "message": "Quota", "status": "RESOURCE_EXHAUSTED"}}),
            ErrorType::RateLimitExceeded,
            "Quota",
        ),
    ] {
        let failed = streamed(&format!("{start}{}", event(&error)))
            .1
            .unwrap_err();
        assert_eq!((failed.kind, &*failed.message), (kind, reason));
    }
}

#[test]
fn failures_are_told_by_status_and_words() {
    const INVALID: &str = "invalid_request_error";
    const LONG: &str = "input length and `max_tokens` exceed context limit: 1 + 2 > 2";
    const MOST: &str = "max_tokens: 9 > 8, which is the maximum allowed number of output tokens";
    const TOO_LONG: &str = "prompt is too long: 3 tokens > 2 maximum";
    for (status, word, message, kind) in [
        (400, INVALID, TOO_LONG, ErrorType::ContextLengthExceeded),
        (400, INVALID, LONG, ErrorType::ContextLengthExceeded),
        (400, INVALID, MOST, ErrorType::MaxTokensExceeded),
        (
            400,
            INVALID,
            "Your credit balance is too low",
            ErrorType::PaymentRequired,
        ),
        (400, INVALID, "messages: no", ErrorType::InvalidRequest),
        (
            401,
            "authentication_error",
            "invalid x-api-key",
            ErrorType::Authentication,
        ),
        (403, "permission_error", "no", ErrorType::PermissionDenied),
        (404, "not_found_error", "model: x", ErrorType::NotFound),
        (413, "request_too_large", "big", ErrorType::PayloadTooLarge),
        (
            429,
            "rate_limit_error",
            "slow",
            ErrorType::RateLimitExceeded,
        ),
        (
            500,
            "api_error",
            "Internal server error",
            ErrorType::ProviderUnavailable,
        ),
        (
            529,
            "overloaded_error",
            "Overloaded",
            ErrorType::ProviderOverloaded,
        ),
    ] {
        let body = json!({"type": "error", "error": {"type": word, "message": message}});
        let body = body.to_string();
        let headers = [("retry-after", "7")];
        let (events, ended) = answered(&json!({}), status, &headers, &[body.as_bytes()]);
        let failed = ended.unwrap_err();
        assert_eq!((failed.kind, &*failed.message), (kind, message));
        assert_eq!(failed.retry_after, Some(Duration::from_secs(7)));
        assert!(events.is_empty());
    }
}

#[test]
fn what_is_unknown_is_passed_by() {
    let mut body = stream(
        &[(
            json!({"type": "hologram", "x": 1}),
            vec![json!({"type": "hologram_delta", "y": 2})],
        )],
        "end_turn",
    );
    body.insert_str(0, &event(&json!({"type": "ping"})));
    body.insert_str(0, "data: no json\n\n: comment\n\n");
    body += &event(&json!({"type": "tomorrow", "index": 4}));
    let answer = answer(streamed(&body));
    assert_eq!(content(&answer).as_deref(), Some(""));
    assert_eq!(answer.usage.unwrap().completion.get(), 9);
}

#[test]
fn an_end_without_a_reason_is_none() {
    let body = event(&json!({"type": "message_start", "message": {"content": []}}))
        + &event(&json!({"type": "message_stop"}));
    assert!(streamed(&body).1.is_err());
    let reply = json!({"type": "message", "content": [], "stop_reason": null}).to_string();
    assert!(streamed_or_whole(&reply).1.is_err());
    assert!(streamed_or_whole("{}").1.is_err());
}

/// Texts with everything in them that is cut apart badly.
fn text() -> impl Strategy<Value = String> {
    "[a-z\"\\\\\u{e9}\u{1F600}\n{}]{0,6}"
}

/// One block: how it starts, its deltas, and how it stands in a whole reply.
fn block() -> impl Strategy<Value = (Value, Vec<Value>, Value)> {
    let pieces = || prop::collection::vec(text(), 0..4);
    let said = pieces().prop_map(|pieces| {
        let deltas = pieces
            .iter()
            .map(|text| json!({"type": "text_delta", "text": text}));
        (
            json!({"type": "text", "text": ""}),
            deltas.collect(),
            json!({"type": "text", "text": pieces.concat()}),
        )
    });
    let thought = (pieces(), "[a-zA-Z0-9+/]{1,9}").prop_map(|(pieces, signature)| {
        let deltas = pieces
            .iter()
            .map(|text| json!({"type": "thinking_delta", "thinking": text}));
        let last = json!({"type": "signature_delta", "signature": signature});
        let deltas = deltas.chain([last]).collect();
        let start = json!({"type": "thinking", "thinking": "", "signature": ""});
        (
            start,
            deltas,
            json!({"type": "thinking", "thinking": pieces.concat(), "signature": signature}),
        )
    });
    let called = (text(), prop::collection::vec(1_usize..9, 1..4)).prop_map(|(value, cuts)| {
        let input = json!({ "a": value }).to_string();
        let letters: Vec<char> = input.chars().collect();
        let mut deltas = vec![partial("")];
        let mut rest = letters.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, behind) = rest.split_at((*cut).min(rest.len()));
            deltas.push(partial(&piece.iter().collect::<String>()));
            rest = behind;
        }
        let start = json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}});
        (
            start,
            deltas,
            json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": value}}),
        )
    });
    let run = Just((
        json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
        vec![partial(""), partial("{\"q\":1}")],
        json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": 1}}),
    ));
    prop_oneof![said, thought, called, run]
}

/// What an answer says, details put together.
fn gist(answer: &Answer) -> Value {
    let choice = &answer.choices[0];
    let text =
        |text: Option<waystation_core::JsonText>| text.map(|text| text.decode().into_owned());
    let calls: Vec<Value> = choice
        .tool_calls
        .iter()
        .map(|call| {
            let arguments: Value = serde_json::from_str(&call.arguments().decode()).unwrap();
            json!([call.id.decode(), call.name.decode(), arguments])
        })
        .collect();
    let seals: Vec<String> = choice
        .reasoning_details()
        .into_iter()
        .flat_map(|list| {
            let list: Vec<Value> = serde_json::from_slice(list.bytes()).unwrap();
            list.into_iter()
                .filter_map(|detail| Some(detail["signature"].as_str()?.to_owned()))
        })
        .collect();
    json!([
        text(choice.content()).unwrap_or_default(),
        text(choice.reasoning()).unwrap_or_default(),
        calls,
        seals,
        choice.finish.as_ref().unwrap().reason.as_str(),
        answer.usage.as_ref().unwrap().sum().get()
    ])
}

proptest! {
    #[test]
    fn cutting_a_stream_does_not_change_it(blocks in prop::collection::vec(block(), 0..5), cuts in prop::collection::vec(1_usize..40, 1..6)) {
        let blocks: Vec<(Value, Vec<Value>)> = blocks.into_iter().map(|(start, deltas, _)| (start, deltas)).collect();
        let body = stream(&blocks, "end_turn");
        let mut pieces = Vec::new();
        let mut rest = body.as_bytes();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, behind) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = behind;
        }
        prop_assert_eq!(answered(&json!({}), 200, &[], &pieces), streamed_or_whole(&body));
    }

    #[test]
    fn a_stream_folds_to_the_whole_reply(blocks in prop::collection::vec(block(), 0..5)) {
        let content: Vec<Value> = blocks.iter().map(|(_, _, whole)| whole.clone()).collect();
        let blocks: Vec<(Value, Vec<Value>)> = blocks.into_iter().map(|(start, deltas, _)| (start, deltas)).collect();
        let streamed = answer(streamed_or_whole(&stream(&blocks, "end_turn")));
        let whole = answer(streamed_or_whole(&whole(&content.into(), "end_turn")));
        prop_assert_eq!(gist(&streamed), gist(&whole));
    }

    #[test]
    fn a_stream_that_is_cut_short_never_ends_well(blocks in prop::collection::vec(block(), 0..3), at in 0_usize..1000) {
        let blocks: Vec<(Value, Vec<Value>)> = blocks.into_iter().map(|(start, deltas, _)| (start, deltas)).collect();
        let body = stream(&blocks, "end_turn");
        let end = body.rfind("\"message_stop\"").unwrap() * at / 1000;
        let (events, ended) = answered(&json!({}), 200, &[], &[&body.as_bytes()[..end]]);
        prop_assert!(ended.is_err());
        let ends = |event: &ChatEvent| matches!(event, ChatEvent::Finish(_));
        prop_assert!(!events.iter().any(ends));
    }

    #[test]
    fn no_body_makes_a_reader_panic(status in 200_u16..600, text in "[{}\\[\\]\":,a-z0-9<> \n]{0,60}") {
        for body in [
            text.clone(), format!("{{\"content\":[{text}],\"stop_reason\":\"x\"}}"), format!("data: {text}\n\n"),
            format!("data: {{\"type\":\"content_block_start\",\"content_block\":{{\"type\":\"tool_use\",\"input\":{text}}}}}\n\n"),
            format!("data: {{\"type\":\"message_delta\",\"delta\":{{{text}}},\"usage\":{text}}}\n\n"),
        ] {
            let _ = answered(&json!({}), status, &[], &[body.as_bytes()]);
        }
    }

    #[test]
    fn encoding_is_a_function_and_never_drops_a_text(texts in prop::collection::vec((0_usize..4, "[a-z\"\\\\\u{e9}]{1,8}"), 1..8), id in "[a-z0-9.:/]{1,12}") {
        let messages: Vec<Value> = texts.iter().map(|(role, text)| match role {
            0 => json!({"role": "system", "content": text}),
            1 => json!({"role": "user", "content": [{"type": "text", "text": text}]}),
            2 => json!({"role": "assistant", "content": text, "tool_calls": [{"id": id, "function": {"name": "f", "arguments": text}}]}),
            _ => json!({"role": "tool", "tool_call_id": id, "content": text}),
        }).collect();
        let ask = chat(&json!({"messages": messages, "reasoning_effort": "high"}).to_string());
        let sent = host().encode(&ask).request.body;
        prop_assert_eq!(&sent, &host().encode(&ask).request.body);
        let body: Value = serde_json::from_slice(&sent).unwrap();
        let text = body.to_string();
        for (_, said) in &texts {
            let escaped = json!(said).to_string();
            prop_assert!(text.contains(escaped.trim_matches('"')), "{} in {}", escaped, text);
        }
        let roles: Vec<&str> = body["messages"].as_array().unwrap().iter().map(|turn| turn["role"].as_str().unwrap()).collect();
        prop_assert!(roles.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
