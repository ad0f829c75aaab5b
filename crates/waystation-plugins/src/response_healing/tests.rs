//! Tests of the plugin over events, without a gateway.

use bytes::Bytes;
use proptest::prelude::*;
use waystation_core::Answer;

use super::*;

/// The answer after the stage of a run that this request and this entry get; `None` without one.
fn through(
    request: &str,
    entry: &str,
    events: Vec<ChatEvent>,
) -> Option<(Answer, Option<StageReport>)> {
    let body = format!(
        r#"{{"model": "a/b", "messages": [{{"role": "user", "content": "Hi"}}], {request}}}"#
    );
    let chat = ChatRequest::parse(&body.into()).unwrap();
    let entry = RawJson::parse(&Bytes::copy_from_slice(entry.as_bytes())).unwrap();
    let mut run = ResponseHealing.begin(&chat, &Options { entry }).unwrap()?;
    let mut stage = run.output().unwrap();
    let mut out = Vec::new();
    for event in events {
        stage.event(event, &mut out).unwrap();
    }
    stage.finish(&mut out).unwrap();
    Some((Answer::of(out), stage.report()))
}

fn said(text: &str, reason: FinishReason) -> Vec<ChatEvent> {
    let pieces = text.chars().collect::<Vec<_>>();
    let pieces = pieces
        .chunks(3)
        .map(|piece| JsonText::of(&piece.iter().collect::<String>()));
    let mut events: Vec<ChatEvent> = pieces.map(|piece| ChatEvent::text(0, piece)).collect();
    events.push(ChatEvent::Finish(Finish {
        choice: 0,
        reason,
        native: None,
    }));
    events.push(ChatEvent::Usage(Box::default()));
    events
}

fn content(answer: &Answer) -> String {
    answer.choices[0].content().unwrap().decode().into_owned()
}

const JSON: &str = r#""response_format": {"type": "json_object"}"#;
const DAMAGED: &str = "```json\n{a: 1,}\n```";

#[test]
fn a_whole_reply_is_repaired_and_reported() {
    let (answer, report) = through(JSON, "{}", said(DAMAGED, FinishReason::Stop)).unwrap();
    assert_eq!(content(&answer), r#"{"a": 1}"#);
    assert!(answer.usage.is_some() && answer.choices[0].finish.is_some());
    let data = report.unwrap().data.unwrap();
    assert_eq!(data.json().get("improved").and_then(Json::bool), Some(true));
}

#[test]
fn what_is_valid_is_not_touched_and_not_reported() {
    let text = "{\"b\":\t1,\"a\" : [ ] }";
    let (answer, report) = through(JSON, "{}", said(text, FinishReason::Stop)).unwrap();
    assert_eq!(content(&answer), text);
    assert_eq!(report, None);
}

#[test]
fn without_a_json_format_or_in_a_stream_nothing_is_done() {
    assert!(through(r#""x": 1"#, "{}", vec![]).is_none());
    let stream = format!(r#"{JSON}, "stream": true"#);
    assert!(through(&stream, "{}", vec![]).is_none());
    let opted = r#"{"stream": true}"#;
    let (answer, _) = through(&stream, opted, said(DAMAGED, FinishReason::Stop)).unwrap();
    assert_eq!(content(&answer), r#"{"a": 1}"#);
}

#[test]
fn what_the_limit_cut_off_is_left_alone_unless_asked_for() {
    let text = r#"{"a": 1, "b": "two"#;
    let (answer, report) = through(JSON, "{}", said(text, FinishReason::Length)).unwrap();
    assert_eq!((content(&answer).as_str(), report), (text, None));
    let opted = r#"{"truncated": true}"#;
    let (answer, _) = through(JSON, opted, said(text, FinishReason::Length)).unwrap();
    assert_eq!(content(&answer), r#"{"a": 1, "b": "two"}"#);
}

#[test]
fn a_failure_leaves_the_text_and_says_so() {
    let format = r#""response_format": {"type": "json_schema", "json_schema": {"name": "n",
        "schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}}}"#;
    let (answer, report) = through(format, "{}", said("{n: many}", FinishReason::Stop)).unwrap();
    assert_eq!(content(&answer), "{n: many}");
    assert!(report.unwrap().summary.contains("could not be repaired"));
    let (answer, _) = through(format, "{}", said("{n: '7'}", FinishReason::Stop)).unwrap();
    assert_eq!(content(&answer), r#"{"n": 7}"#);
}

#[test]
fn tool_arguments_are_repaired_where_the_entry_says_so() {
    let tools = r#""tools": [{"type": "function", "function": {"name": "f", "parameters":
        {"type": "object", "properties": {"n": {"type": "integer"}}}}}]"#;
    let call = |arguments: &str, id: Option<&str>| {
        let mut delta = Delta::of(0);
        delta.tool_calls.push(ToolCallDelta {
            index: 0,
            id: id.map(JsonText::of),
            name: id.map(|_| JsonText::of("f")),
            arguments: JsonText::of(arguments),
        });
        ChatEvent::Delta(delta)
    };
    let mut events = vec![call("{n: ", Some("c1")), call("'4',}<|call|>", None)];
    events.extend(said("", FinishReason::ToolCalls));
    assert!(through(tools, "{}", events.clone()).is_none());
    let (answer, _) = through(tools, r#"{"tool_arguments": true}"#, events).unwrap();
    let call = &answer.choices[0].tool_calls[0];
    assert_eq!(call.arguments().decode(), r#"{"n": 4}"#);
    assert_eq!(
        (call.id.decode(), call.name.decode()),
        ("c1".into(), "f".into())
    );
}

#[test]
fn an_option_of_the_wrong_kind_is_named() {
    let body =
        format!(r#"{{"model": "a/b", "messages": [{{"role": "user", "content": "Hi"}}], {JSON}}}"#);
    let chat = ChatRequest::parse(&body.into()).unwrap();
    let entry = RawJson::of(&serde_json::json!({"stream": "yes"}));
    let refused = ResponseHealing
        .begin(&chat, &Options { entry })
        .err()
        .unwrap();
    assert!(
        refused.message.contains("stream: expected true or false"),
        "{refused}"
    );
}

proptest! {
    /// However a reply is cut into events, it comes out the same.
    #[test]
    fn pieces_do_not_matter(text in "[\\[\\]{}\":,a1 \\\\]{0,40}", size in 1_usize..9) {
        let chars: Vec<char> = text.chars().collect();
        let mut pieces: Vec<ChatEvent> = chars.chunks(size)
            .map(|piece| ChatEvent::text(0, JsonText::of(&piece.iter().collect::<String>())))
            .collect();
        pieces.extend(said("", FinishReason::Stop));
        let whole = said(&text, FinishReason::Stop);
        let one = through(JSON, "{}", pieces).unwrap().0;
        let other = through(JSON, "{}", whole).unwrap().0;
        prop_assert_eq!(one.choices[0].content(), other.choices[0].content());
    }
}
