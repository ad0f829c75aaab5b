//! Laws that hold for every input: cutting changes nothing, encoding is a function, and no bytes
//! make a reader or a parser panic.
#![cfg(test)]

#[path = "support/reply.rs"]
mod reply;
#[path = "support/target.rs"]
mod target;

use bytes::Bytes;
use proptest::prelude::*;
use reply::{head, read};
use target::{Host, chat};
use waystation_core::{Answer, ChatEvent, Quirks, ReasoningReplay, ReasoningRequest};
use waystation_providers::{SseEvent, SseParser};

/// Where to cut: the lengths of the pieces, in turn.
fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1_usize..40, 1..8)
}

/// `bytes` in pieces of these lengths, over and over.
fn cut<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut rest = bytes;
    let mut pieces = Vec::new();
    for length in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, behind) = rest.split_at((*length).min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

/// Bytes that look like an event stream, line ends, marks and half characters included.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"data:".to_vec()),
        Just(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}".to_vec()),
        Just(b"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}".to_vec()),
        Just(b"data: [DONE]".to_vec()),
        Just(b"event: error".to_vec()),
        Just(b": comment".to_vec()),
        Just(b"\xEF\xBB\xBF".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\n\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\r".to_vec()),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn events(pieces: &[&[u8]]) -> Vec<SseEvent> {
    let mut parser = SseParser::default();
    let mut found = Vec::new();
    for piece in pieces {
        parser.push(&Bytes::copy_from_slice(piece));
        while let Some(event) = parser.next_event().unwrap() {
            found.push(event);
        }
    }
    found.extend(parser.finish().unwrap());
    found
}

/// One delta of a stream, as hosts send them.
fn delta() -> impl Strategy<Value = String> {
    let text = "[a-z<>/\"\\\\\u{e9}\u{1F600}\n ]{0,6}"
        .prop_map(|text| serde_json::to_string(&text).unwrap());
    let call = (0_u32..3, "[a-z]{0,2}", "[fg]?", text.clone());
    prop_oneof![
        text.clone().prop_map(|text| format!(r#"{{"content":{text}}}"#)),
        text.clone().prop_map(|text| format!(r#"{{"reasoning":{text},"content":null}}"#)),
        text.clone().prop_map(|text| format!(r#"{{"content":[{{"type":"text","text":{text}}},{{"thinking":{text}}}]}}"#)),
        call.prop_map(|(index, id, name, text)| format!(
            r#"{{"tool_calls":[{{"index":{index},"id":"{id}","function":{{"name":"{name}","arguments":{text}}}}}]}}"#
        )),
        Just(r#"{"content":"<think>"}"#.to_owned()),
        Just(r#"{"content":"</think>"}"#.to_owned()),
        Just("{}".to_owned()),
    ]
}

/// A stream that ends well.
fn stream() -> impl Strategy<Value = String> {
    (prop::collection::vec((0_u32..2, delta()), 0..12), any::<bool>()).prop_map(|(deltas, done)| {
        let mut body: String = deltas
            .iter()
            .map(|(choice, delta)| format!("data: {{\"id\":\"r\",\"choices\":[{{\"index\":{choice},\"delta\":{delta}}}]}}\r\n\r\n"))
            .collect();
        body += "data: {\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"},{\"index\":1,\"finish_reason\":\"length\"}]}\n\n";
        body + if done { "data: [DONE]\n\n" } else { "" }
    })
}

fn host(think_tags: bool) -> Host {
    let quirks = Quirks {
        think_tags,
        ..Quirks::default()
    };
    Host::new("acme", "m").with(quirks)
}

fn streamed(think_tags: bool, pieces: &[&[u8]]) -> (Vec<ChatEvent>, bool) {
    let ask = chat(r#"{"messages":[{"role":"user","content":"Hi"}],"stream":true}"#);
    let reader = host(think_tags).encode(&ask).reader;
    let head = head(200, &[("content-type", "text/event-stream")]);
    let (events, ended) = read(reader, &head, pieces.iter().copied());
    (events, ended.is_ok())
}

proptest! {
    #[test]
    fn cutting_bytes_does_not_change_events(bytes in lines(), cuts in cuts()) {
        prop_assert_eq!(events(&cut(&bytes, &cuts)), events(&[&bytes]));
    }

    #[test]
    fn cutting_a_stream_does_not_change_it(body in stream(), cuts in cuts(), tags: bool) {
        let whole = streamed(tags, &[body.as_bytes()]);
        prop_assert!(whole.1);
        prop_assert_eq!(streamed(tags, &cut(body.as_bytes(), &cuts)), whole);
    }

    #[test]
    fn cutting_anything_does_not_change_it(bytes in lines(), cuts in cuts(), tags: bool) {
        prop_assert_eq!(streamed(tags, &cut(&bytes, &cuts)), streamed(tags, &[&bytes]));
    }

    #[test]
    fn every_call_of_a_stream_is_complete(body in stream()) {
        let answer = Answer::of(streamed(false, &[body.as_bytes()]).0);
        for call in answer.choices.iter().flat_map(|choice| &choice.tool_calls) {
            prop_assert!(!call.id.is_empty());
            prop_assert!(!call.arguments().decode().trim().is_empty());
        }
    }

    #[test]
    fn a_stream_that_is_cut_short_never_ends_well(body in stream(), at in 0_usize..1000) {
        let end = body.find("\"finish_reason\"").unwrap();
        let cut = end * at / 1000;
        let (events, ended) = streamed(false, &[&body.as_bytes()[..cut]]);
        prop_assert!(!ended);
        let finished = events.iter().any(|event| matches!(event, ChatEvent::Finish(_)));
        prop_assert!(!finished);
    }

    #[test]
    fn no_body_makes_a_reader_panic(status in 200_u16..600, text in "[{}\\[\\]\":,a-z0-9<> \n]{0,80}") {
        let ask = chat(r#"{"messages":[{"role":"user","content":"Hi"}]}"#);
        for body in [text.clone(), format!("{{\"error\":{text}}}"), format!("{{\"choices\":[{text}]}}"), format!("data: {text}\n\n")] {
            let reader = host(true).encode(&ask).reader;
            let _ = read(reader, &head(status, &[]), [body.as_bytes()]);
        }
    }

    #[test]
    fn encoding_is_a_function(
        text in "[a-z\"\\\\\u{e9}]{0,8}", id in "[a-z0-9]{1,12}", nine: bool, developer: bool,
        replay in prop::sample::select(vec![ReasoningReplay::Drop, ReasoningReplay::ReasoningContent, ReasoningReplay::Reasoning, ReasoningReplay::Details]),
        wish in prop::sample::select(vec![ReasoningRequest::Effort, ReasoningRequest::Object, ReasoningRequest::EnableThinking, ReasoningRequest::Thinking]),
    ) {
        let ask = chat(&serde_json::json!({
            "messages": [
                {"role": "developer", "content": text},
                {"role": "assistant", "content": null, "reasoning": text, "tool_calls": [{"id": id, "type": "function", "function": {"name": "f", "arguments": text}}]},
                {"role": "tool", "tool_call_id": id, "content": text},
            ],
            "reasoning_effort": "high", "own": text, "stream": true,
        }).to_string());
        let quirks = Quirks {
            nine_char_tool_ids: nine,
            no_developer_role: developer,
            reasoning_replay: replay,
            reasoning: wish,
            ..Quirks::default()
        };
        let host = Host::new("acme", "m").with(quirks);
        let body = host.encode(&ask).request.body;
        prop_assert_eq!(&body, &host.encode(&ask).request.body);
        let sent: serde_json::Value = serde_json::from_slice(&body).unwrap();
        prop_assert_eq!(&sent["own"], &serde_json::json!(text));
        prop_assert_eq!(&sent["messages"][1]["tool_calls"][0]["id"], &sent["messages"][2]["tool_call_id"]);
        prop_assert_eq!(&sent["messages"][2]["content"], &serde_json::json!(text));
    }
}
