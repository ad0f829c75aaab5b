//! Replies that no recording shows, whole, as events and as an array.

use serde_json::{Value, json};
use waystation_core::{
    Answer, ChatEvent, ChatRequest, ErrorType, FinishReason, Tokens, UpstreamError,
};

use crate::{
    heard::{Heard, message},
    reply::{head, read},
    studio,
    target::chat,
};

/// A request that is streamed.
fn ask() -> ChatRequest {
    chat(r#"{"messages":[{"role":"user","content":"Hi"}],"stream":true}"#)
}

/// What a body comes to, read at once and byte by byte.
fn said(ask: &ChatRequest, status: u16, body: &str) -> (Vec<ChatEvent>, Result<(), UpstreamError>) {
    let read = |size: usize| {
        let reader = studio("gemini-3-flash-preview").encode(ask).reader;
        read(reader, &head(status, &[]), body.as_bytes().chunks(size))
    };
    let whole = read(usize::MAX);
    assert_eq!(read(1), whole);
    whole
}

/// One candidate of these parts.
fn candidate(parts: Value, members: Value) -> Value {
    let mut candidate = serde_json::Map::from_iter([(
        "content".to_owned(),
        Value::from_iter([("role", "model".into()), ("parts", parts)]),
    )]);
    if let Value::Object(members) = members {
        candidate.extend(members);
    }
    json!({"candidates": [candidate], "responseId": "r"})
}

fn stop() -> Value {
    json!({"finishReason": "STOP"})
}

/// Chunks as events.
fn events(chunks: &[Value]) -> String {
    chunks
        .iter()
        .map(|chunk| format!("data: {chunk}\r\n\r\n"))
        .collect()
}

/// Reads chunks in all forms, which must come to the same, and gives their fold.
fn fold(chunks: &[Value]) -> Answer {
    let (found, ended) = said(&ask(), 200, &events(chunks));
    assert_eq!(ended, Ok(()));
    let array = Value::Array(chunks.to_vec()).to_string();
    assert_eq!(said(&ask(), 200, &format!("\u{feff}{array}\n")).0, found);
    Answer::of(found)
}

#[test]
fn a_refused_prompt_ends_with_the_filter() {
    let feedback = json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT", "blockReasonMessage": "No."}, "usageMetadata": {"promptTokenCount": 4, "totalTokenCount": 4}});
    let answer = fold(std::slice::from_ref(&feedback));
    let choice = &answer.choices[0];
    let finish = choice.finish.as_ref().unwrap();
    assert_eq!(finish.reason, FinishReason::ContentFilter);
    assert_eq!(
        finish.native.as_ref().unwrap().decode(),
        "PROHIBITED_CONTENT"
    );
    assert_eq!(choice.refusal().unwrap().decode(), "No.");
    assert_eq!(answer.usage.unwrap().prompt, Tokens::new(4));
    let (whole, ended) = said(&ask(), 200, &feedback.to_string());
    assert_eq!(ended, Ok(()));
    assert_eq!(Answer::of(whole).choices[0].finish, choice.finish);
}

#[test]
fn candidates_are_told_apart_and_end_once() {
    let piece = |index: u64, text: &str, end: Value| {
        let mut chunk = candidate(json!([{"text": text}]), end);
        chunk["candidates"][0]["index"] = index.into();
        chunk
    };
    let both = json!({"candidates": [
        {"content": {"parts": [{"text": "a"}]}}, {"index": 1, "content": {"parts": [{"text": "b"}]}},
    ]});
    let answer = fold(&[
        both,
        piece(1, "B", json!({"finishReason": "MAX_TOKENS"})),
        piece(0, "A", stop()),
        piece(0, "!", json!({"finishReason": "SAFETY"})),
    ]);
    let shown: Vec<(String, FinishReason)> = answer
        .choices
        .iter()
        .map(|choice| {
            (
                choice.content().unwrap().decode().into_owned(),
                choice.finish.as_ref().unwrap().reason,
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("aA!".to_owned(), FinishReason::ContentFilter),
            ("bB".to_owned(), FinishReason::Length)
        ]
    );
}

#[test]
fn images_and_sound_come_as_such() {
    let parts = json!([
        {"text": "See: "},
        {"inlineData": {"mimeType": "image/png", "data": "QUJD"}, "thoughtSignature": "S"},
        {"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "REVG"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "R0hJ"}},
    ]);
    let answer = fold(&[candidate(parts, stop())]);
    let choice = &answer.choices[0];
    let images = r#"[{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}}]"#;
    assert_eq!(choice.images().unwrap().bytes(), images);
    assert_eq!(choice.audio().unwrap().bytes(), r#"{"data":"REVG"}"#);
    let details = choice.reasoning_details().unwrap();
    let details: Value = serde_json::from_slice(details.bytes()).unwrap();
    assert_eq!(
        (&details[0]["id"], &details[0]["data"]),
        (&json!("image-0"), &json!("S"))
    );
}

#[test]
fn what_comes_back_signed_goes_out_signed() {
    let parts = json!([
        {"text": "hm", "thought": true, "thoughtSignature": "T+/="},
        {"toolCall": {"toolType": "FILE_SEARCH", "id": "q"}, "thoughtSignature": "Q"},
        {"toolResponse": {"toolType": "FILE_SEARCH", "id": "q", "response": {"a": "\u{e9} \"x\""}}, "thoughtSignature": "R"},
        {"text": "Zwölf", "thoughtSignature": "W"},
        {"text": " Boxkämpfer"},
        {"text": "", "thoughtSignature": "E"},
        {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "F"},
        {"functionCall": {"name": "f", "args": {"a": 2}}},
    ]);
    let chunks: Vec<Value> = parts
        .as_array()
        .unwrap()
        .iter()
        .map(|part| candidate(json!([part]), json!({})))
        .collect();
    let end = [chunks, vec![candidate(json!([{"text": ""}]), stop())]].concat();
    for body in [events(&end), candidate(parts.clone(), stop()).to_string()] {
        let (found, ended) = said(&ask(), 200, &body);
        assert_eq!(ended, Ok(()));
        let next = json!({"messages": [{"role": "user", "content": "Hi"}, message(&found)]});
        let call = studio("gemini-3-flash-preview").encode(&chat(&next.to_string()));
        let sent: Value = serde_json::from_slice(&call.request.body).unwrap();
        assert_eq!(sent["contents"][1]["parts"], parts);
    }
}

#[test]
fn hiding_reasoning_does_not_lose_signatures() {
    let ask = chat(
        r#"{"messages":[{"role":"user","content":"Hi"}],"stream":true,"reasoning":{"effort":"low","exclude":true}}"#,
    );
    let parts = json!([{"text": "secret", "thought": true}, {"functionCall": {"name": "f", "id": "1"}, "thoughtSignature": "F"}]);
    let (found, ended) = said(&ask, 200, &events(&[candidate(parts, stop())]));
    assert_eq!(ended, Ok(()));
    let heard = Heard::of(&found);
    assert_eq!(
        (heard.reasoning, heard.seals),
        (String::new(), vec!["F".to_owned()])
    );
}

#[test]
fn made_ids_are_the_same_for_the_same_reply_and_differ_between_turns() {
    let ids = |ask: &ChatRequest, id: Option<&str>| {
        let mut chunk = candidate(
            json!([{"functionCall": {"name": "f"}}, {"functionCall": {"name": "f"}}]),
            stop(),
        );
        chunk["responseId"] = id.into();
        let (found, _) = said(ask, 200, &chunk.to_string());
        let calls = Heard::of(&found).calls;
        [calls[0].0.clone(), calls[1].0.clone()]
    };
    let later =
        chat(r#"{"messages":[{"role":"user","content":"Hi"},{"role":"user","content":"Hi"}]}"#);
    let all = [
        ids(&ask(), Some("a")),
        ids(&ask(), Some("b")),
        ids(&ask(), None),
        ids(&later, None),
    ];
    assert_eq!(all[0], ids(&ask(), Some("a")));
    let different: std::collections::BTreeSet<&String> = all.iter().flatten().collect();
    assert_eq!(different.len(), 8);
}

#[test]
fn errors_in_band_are_failures_in_every_form() {
    let error = json!({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}});
    let begun = candidate(json!([{"text": "Half"}]), json!({}));
    let array = json!([begun, error]).to_string();
    for body in [
        error.to_string(),
        json!([error]).to_string(),
        events(&[begun.clone(), error.clone()]),
        events(&[begun, json!([error])]),
        array,
    ] {
        let (found, ended) = said(&ask(), 200, &body);
        let failed = ended.unwrap_err();
        assert_eq!(
            (failed.kind, failed.status),
            (ErrorType::ProviderOverloaded, Some(503)),
            "{body}"
        );
        assert_eq!(
            (&*failed.message, failed.code.as_deref()),
            ("The model is overloaded.", Some("UNAVAILABLE"))
        );
        assert!(
            !found
                .iter()
                .any(|event| matches!(event, ChatEvent::Finish(_)))
        );
    }
}

#[test]
fn an_error_status_gives_its_reason_and_never_the_credential() {
    let body = r#"[{"error":{"code":429,"message":"Quota exceeded for sk-test-0123456789","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"31.5s"}]}}]"#;
    let failed = said(&ask(), 429, body).1.unwrap_err();
    assert_eq!(failed.kind, ErrorType::RateLimitExceeded);
    assert_eq!(failed.retry_after.unwrap().as_millis(), 31_500);
    assert!(!format!("{failed:?}").contains("0123456789"), "{failed:?}");
}

#[test]
fn replies_that_are_none_are_refused() {
    let begun = candidate(json!([{"text": "Half"}]), json!({}));
    let ended = candidate(json!([{"text": "Whole"}]), stop());
    for (body, reason) in [
        (String::new(), "empty body"),
        ("<html></html>".into(), "page of HTML"),
        ("{\"candidates\":".into(), "something else or a part of it"),
        ("{}".into(), "expected candidates"),
        (json!({"candidates": []}).to_string(), "expected candidates"),
        (begun.to_string(), "without a finish reason"),
        (
            events(std::slice::from_ref(&begun)),
            "without a finish reason",
        ),
        (format!("[{begun}]"), "without a finish reason"),
        (format!("[{ended}"), "without a finish reason"),
        (
            format!("{}data: {{\"cand", events(std::slice::from_ref(&ended))),
            "without a finish reason",
        ),
        ("data: {}\r\n\r\n".into(), "without a finish reason"),
    ] {
        let failed = said(&ask(), 200, &body).1.unwrap_err();
        assert!(
            failed.message.contains(reason),
            "{body}: {}",
            failed.message
        );
        assert_eq!(failed.kind, ErrorType::ProviderUnavailable);
    }
}

#[test]
fn a_whole_reply_that_calls_is_whole() {
    let silent = candidate(
        json!([{"functionCall": {"name": "f", "args": {}}}]),
        json!({"finishReason": ""}),
    );
    let (found, ended) = said(&ask(), 200, &silent.to_string());
    assert_eq!(ended, Ok(()));
    let answer = Answer::of(found);
    let finish = answer.choices[0].finish.as_ref().unwrap();
    assert_eq!(
        (finish.reason, finish.native.as_ref()),
        (FinishReason::ToolCalls, None)
    );
    assert!(said(&ask(), 200, &events(&[silent])).1.is_err());
}

#[test]
fn nonsense_between_chunks_is_passed_by() {
    let whole = candidate(
        json!([{"text": "Hi"}, 7, {"new": {}}, {"functionCall": 3}, {"functionCall": {}}]),
        stop(),
    );
    let body = format!(
        ": hello\r\ndata: no json\r\n\r\ndata: {{\"usageMetadata\":{{\"trafficType\":\"X\"}}}}\r\n\r\n{}",
        events(&[whole])
    );
    let (found, ended) = said(&ask(), 200, &body);
    assert_eq!(ended, Ok(()));
    let heard = Heard::of(&found);
    assert_eq!(
        (&*heard.content, heard.calls.len(), heard.usage),
        ("Hi", 0, None)
    );
}
