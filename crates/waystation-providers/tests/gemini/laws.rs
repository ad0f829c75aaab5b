//! Laws that hold for every input: cutting changes nothing, the three forms of a reply come to the
//! same, nothing that breaks off ends well, encoding is a function, and no bytes make a reader
//! panic.

use proptest::prelude::*;
use serde_json::{Value, json};
use waystation_core::{Answer, ChatEvent};

use crate::{
    heard::message,
    reply::{head, read},
    studio,
    target::chat,
};

/// Texts with everything that is awkward in JSON and in UTF-8.
const TEXT: &str = "[a-z{}\\[\\],:\"\\\\\u{e9}\u{1F600}\n ]{0,6}";

/// One part of an answer.
fn part() -> impl Strategy<Value = Value> {
    let signed = (any::<bool>(), "[A-Z+/=]{1,4}");
    let held = prop_oneof![
        TEXT.prop_map(|text| json!({"text": text})),
        TEXT.prop_map(|text| json!({"text": text, "thought": true})),
        ("[a-z]{1,2}", TEXT).prop_map(|(name, text)| json!({"functionCall": {"name": name, "args": {"a": text, "b": [1.50, null]}}})),
        ("[a-z]{1,2}", "[a-z]{1,3}").prop_map(|(name, id)| json!({"functionCall": {"name": name, "id": id}})),
        TEXT.prop_map(|text| json!({"executableCode": {"code": text}})),
        Just(json!({"inlineData": {"mimeType": "image/png", "data": "QUJD"}})),
    ];
    (held, signed).prop_map(|(mut part, (is_signed, signature))| {
        if is_signed {
            part["thoughtSignature"] = signature.into();
        }
        part
    })
}

fn parts() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(part(), 0..8)
}

/// Chunks of these parts, one each, with an end.
fn chunks(parts: &[Value]) -> Vec<Value> {
    let chunk = |part: &Value| json!({"responseId": "r", "candidates": [{"content": {"parts": [part]}}], "usageMetadata": {"promptTokenCount": 1}});
    let mut chunks: Vec<Value> = parts.iter().map(chunk).collect();
    chunks.push(json!({"responseId": "r", "candidates": [{"finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 2, "candidatesTokenCount": 3}}));
    chunks
}

fn events(chunks: &[Value]) -> String {
    chunks
        .iter()
        .map(|chunk| format!("data: {chunk}\r\n\r\n"))
        .collect()
}

/// What bytes come to, in pieces of these lengths, in turn.
fn said(body: &[u8], cuts: &[usize]) -> (Vec<ChatEvent>, bool) {
    let ask = chat(r#"{"messages":[{"role":"user","content":"Hi"}],"stream":true}"#);
    let (mut rest, mut pieces) = (body, Vec::new());
    for length in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, behind) = rest.split_at((*length).min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    let reader = studio("gemini-3-flash-preview").encode(&ask).reader;
    let (events, ended) = read(reader, &head(200, &[]), pieces);
    (events, ended.is_ok())
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1_usize..40, 1..8)
}

proptest! {
    #[test]
    fn cutting_a_stream_does_not_change_it(parts in parts(), cuts in cuts()) {
        let chunks = chunks(&parts);
        let pretty = serde_json::to_string_pretty(&chunks).unwrap();
        for body in [events(&chunks), Value::Array(chunks).to_string(), pretty] {
            let whole = said(body.as_bytes(), &[usize::MAX]);
            prop_assert!(whole.1);
            prop_assert_eq!(said(body.as_bytes(), &cuts), whole);
        }
    }

    #[test]
    fn all_forms_of_a_reply_come_to_the_same(parts in parts()) {
        let streamed = said(events(&chunks(&parts)).as_bytes(), &[usize::MAX]);
        let array = said(Value::Array(chunks(&parts)).to_string().as_bytes(), &[usize::MAX]);
        prop_assert_eq!(&streamed, &array);
        let mut whole = chunks(&[]).remove(0);
        whole["candidates"][0]["content"] = json!({"parts": parts});
        let whole = said(whole.to_string().as_bytes(), &[usize::MAX]);
        let (one, other) = (Answer::of(streamed.0), Answer::of(whole.0));
        let choices = one.choices.iter().zip(&other.choices);
        for (one, other) in choices {
            prop_assert_eq!(one.content().unwrap_or_default(), other.content().unwrap_or_default());
            prop_assert_eq!(one.reasoning(), other.reasoning());
            prop_assert_eq!(one.reasoning_details(), other.reasoning_details());
            prop_assert_eq!(one.images(), other.images());
            prop_assert_eq!(&one.tool_calls, &other.tool_calls);
            prop_assert_eq!(&one.finish, &other.finish);
        }
        prop_assert_eq!(one.usage, other.usage);
    }

    #[test]
    fn signed_parts_go_back_as_they_came(parts in parts()) {
        let body = json!({"responseId": "r", "candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}).to_string();
        let (found, ended) = said(body.as_bytes(), &[usize::MAX]);
        prop_assert!(ended);
        let next = json!({"messages": [{"role": "user", "content": "Hi"}, message(&found)]});
        let call = studio("gemini-2.5-flash").encode(&chat(&next.to_string()));
        let sent: Value = serde_json::from_slice(&call.request.body).unwrap();
        let back: Vec<Value> = sent["contents"][1]["parts"].as_array().cloned().unwrap_or_default();
        // Two calls under one id share a signature: no host gives an id twice.
        let ids: Vec<&str> = parts.iter().filter_map(|part| part["functionCall"]["id"].as_str()).collect();
        let twice = ids.iter().enumerate().any(|(at, id)| ids[..at].contains(id));
        for part in parts.iter().filter(|part| part["thoughtSignature"].is_string() && part["inlineData"].is_null()) {
            let mut part = part.clone();
            if part["functionCall"].is_object() && part["functionCall"]["args"].is_null() {
                part["functionCall"]["args"] = json!({});
            }
            prop_assert!(twice || back.contains(&part), "{part} not in {back:?}");
        }
    }

    #[test]
    fn a_stream_that_is_cut_short_never_ends_well(parts in parts(), at in 0_usize..1000) {
        let chunks = chunks(&parts);
        let stream = events(&chunks);
        let end = stream.find("finishReason").unwrap();
        for (body, end) in [(stream, end), (Value::Array(chunks.clone()).to_string(), Value::Array(chunks).to_string().len())] {
            let (events, ended) = said(&body.as_bytes()[..end * at / 1000], &[7]);
            prop_assert!(!ended);
            let finished = events.iter().any(|event| matches!(event, ChatEvent::Finish(_)));
            prop_assert!(!finished);
        }
    }

    #[test]
    fn no_body_makes_a_reader_panic(status in 200_u16..600, text in "[{}\\[\\]\":,a-z0-9<> \n]{0,80}") {
        let ask = chat(r#"{"messages":[{"role":"user","content":"Hi"}]}"#);
        for body in [
            text.clone(), format!("{{\"error\":{text}}}"), format!("[{text}]"), format!("data: {text}\n\n"),
            format!("{{\"candidates\":[{text}]}}"),
            format!("{{\"candidates\":[{{\"content\":{{\"parts\":[{text}]}},\"groundingMetadata\":{text}}}]}}"),
        ] {
            let reader = studio("gemini-3-flash-preview").encode(&ask).reader;
            let _ = read(reader, &head(status, &[]), [body.as_bytes()]);
        }
    }

    #[test]
    fn encoding_is_a_function(text in TEXT, id in "[a-z0-9_-]{1,12}", mark in "text-[0-9]{1,2}-[0-9]{1,2}", model in prop::sample::select(vec!["gemini-2.0-flash", "gemini-2.5-pro", "gemini-3-flash-preview"])) {
        let ask = chat(&json!({
            "messages": [
                {"role": "developer", "content": text},
                {"role": "user", "content": text, "name": text},
                {"role": "assistant", "content": text, "reasoning": text, "reasoning_details": [
                    {"type": "reasoning.encrypted", "format": "google-gemini-v1", "id": mark, "data": text},
                    {"type": "reasoning.encrypted", "format": "google-gemini-v1", "id": id, "data": text},
                ], "tool_calls": [{"id": id, "type": "function", "function": {"name": "f", "arguments": text}}]},
                {"role": "tool", "tool_call_id": id, "content": text},
            ],
            "reasoning_effort": "high", "ownMember": text, "stream": true,
        }).to_string());
        let body = studio(model).encode(&ask).request.body;
        prop_assert_eq!(&body, &studio(model).encode(&ask).request.body);
        let sent: Value = serde_json::from_slice(&body).unwrap();
        prop_assert_eq!(&sent["ownMember"], &json!(text));
        let texts = sent["contents"][1]["parts"].as_array().unwrap();
        let said: String = texts.iter().filter_map(|part| part["text"].as_str()).collect();
        prop_assert_eq!(&said, &text);
        prop_assert_eq!(texts.last().unwrap()["thoughtSignature"].as_str(), Some(text.as_str()));
        prop_assert_eq!(&sent["contents"][2]["parts"][0]["functionResponse"]["name"], &json!("f"));
    }
}
