//! What replies come to: the odd shapes that hosts stream, one at a time.
#![cfg(test)]

#[path = "support/reply.rs"]
mod reply;
#[path = "support/target.rs"]
mod target;

use reply::{head, read};
use target::{Host, chat};
use waystation_core::{
    Answer, AnswerChoice, ChatEvent, ErrorType, FinishReason, Quirks, Tokens, UpstreamError,
};

type Ended = Result<(), UpstreamError>;

/// Reads `body`, which came with status 200 and this content type.
fn typed(kind: &str, quirks: Quirks, body: &str) -> (Vec<ChatEvent>, Ended) {
    let ask = chat(r#"{"messages":[{"role":"user","content":"Hi"}],"stream":true}"#);
    let call = Host::new("acme", "m").with(quirks).encode(&ask);
    read(
        call.reader,
        &head(200, &[("content-type", kind)]),
        [body.as_bytes()],
    )
}

/// Reads a stream of these chunks.
fn stream(chunks: &[&str]) -> (Vec<ChatEvent>, Ended) {
    let body: String = chunks
        .iter()
        .map(|chunk| format!("data: {chunk}\n\n"))
        .collect();
    typed("text/event-stream", Quirks::default(), &body)
}

/// The events of a stream of deltas of one choice that ends with `reason`.
fn deltas(deltas: &[&str], reason: &str) -> Vec<ChatEvent> {
    let mut chunks: Vec<String> = deltas
        .iter()
        .map(|delta| format!(r#"{{"id":"r1","choices":[{{"index":0,"delta":{delta}}}]}}"#))
        .collect();
    chunks.push(format!(
        r#"{{"choices":[{{"index":0,"delta":{{}},"finish_reason":"{reason}"}}]}}"#
    ));
    let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    let (events, ended) = stream(&chunks);
    ended.unwrap();
    events
}

fn first(events: Vec<ChatEvent>) -> AnswerChoice {
    Answer::of(events).choices.swap_remove(0)
}

fn text(text: Option<waystation_core::JsonText>) -> String {
    text.map(|text| text.decode().into_owned())
        .unwrap_or_default()
}

/// Calls as (id, name, arguments).
fn calls(choice: &AnswerChoice) -> Vec<(String, String, String)> {
    let of = |call: &waystation_core::AnswerToolCall| {
        let text = |text: &waystation_core::JsonText| text.decode().into_owned();
        (text(&call.id), text(&call.name), text(&call.arguments()))
    };
    choice.tool_calls.iter().map(of).collect()
}

fn call(id: &str, name: &str, arguments: &str) -> (String, String, String) {
    (id.into(), name.into(), arguments.into())
}

#[test]
fn an_empty_id_does_not_overwrite_one() {
    let choice = first(deltas(
        &[
            r#"{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]}"#,
            r#"{"tool_calls":[{"index":0,"id":"","function":{"arguments":"{\"a\":"}}]}"#,
            r#"{"tool_calls":[{"index":0,"id":"","function":{"name":"","arguments":"1}"}}]}"#,
        ],
        "tool_calls",
    ));
    assert_eq!(calls(&choice), [call("c1", "f", r#"{"a":1}"#)]);
}

#[test]
fn calls_are_told_apart_without_honest_indices() {
    let whole = |index: &str, id: &str| {
        format!(r#"{{{index}"id":"{id}","function":{{"name":"f","arguments":"{{}}"}}}}"#)
    };
    for (index, ids) in [
        (r#""index":0,"#, ["a", "b"]),
        ("", ["a", "b"]),
        (r#""index":0,"#, ["", ""]),
        ("", ["", ""]),
    ] {
        let [one, two] = ids.map(|id| whole(index, id));
        let together = first(deltas(
            &[&format!(r#"{{"tool_calls":[{one},{two}]}}"#)],
            "stop",
        ));
        let apart = [one, two].map(|call| format!(r#"{{"tool_calls":[{call}]}}"#));
        let apart = first(deltas(&[&apart[0], &apart[1]], "stop"));
        assert_eq!(calls(&together), calls(&apart));
        assert_eq!(together.tool_calls.len(), 2, "{index} {ids:?}");
        let [(one, ..), (two, ..)] = &calls(&together)[..] else {
            panic!()
        };
        assert!(one != two && !one.is_empty() && !two.is_empty());
        assert_eq!(together.finish.unwrap().reason, FinishReason::ToolCalls);
    }
}

#[test]
fn repeated_names_and_late_names_make_one_call() {
    let choice = first(deltas(
        &[
            r#"{"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":"{\"a\""}}]}"#,
            r#"{"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":":1}"}}]}"#,
            r#"{"tool_calls":[{"index":1,"id":"c2","function":{"arguments":"{"}}]}"#,
            r#"{"tool_calls":[{"index":1,"function":{"name":"g","arguments":"}"}}]}"#,
        ],
        "tool_calls",
    ));
    assert_eq!(
        calls(&choice),
        [call("c1", "f", r#"{"a":1}"#), call("c2", "g", "{}")]
    );
}

#[test]
fn a_call_without_arguments_gets_an_empty_object() {
    let events = deltas(
        &[r#"{"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":""}}]}"#],
        "tool_calls",
    );
    let streamed: String = events
        .iter()
        .filter_map(|event| match event {
            ChatEvent::Delta(delta) => Some(delta.tool_calls[0].arguments.decode().into_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(streamed, "{}");
}

#[test]
fn the_old_function_call_and_object_arguments_are_calls() {
    let choice = first(deltas(
        &[
            r#"{"function_call":{"name":"f","arguments":""}}"#,
            r#"{"function_call":{"arguments":"{\"a\":"}}"#,
            r#"{"function_call":{"arguments":"1}"}}"#,
        ],
        "function_call",
    ));
    assert_eq!(calls(&choice)[0].2, r#"{"a":1}"#);
    assert_eq!(choice.finish.unwrap().reason, FinishReason::ToolCalls);
    let choice = first(deltas(
        &[r#"{"tool_calls":[{"id":"c","function":{"name":"f","arguments":{"a": "\n"}}}]}"#],
        "tool_calls",
    ));
    assert_eq!(calls(&choice), [call("c", "f", r#"{"a": "\n"}"#)]);
}

#[test]
fn content_lists_and_both_names_of_reasoning_are_told_apart() {
    let choice = first(deltas(
        &[
            r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}"#,
            r#"{"content":[{"type":"thinking","thinking":"m"},{"type":"text","text":"so"},{"type":"reference","reference_ids":[1]}]}"#,
            r#"{"content":" be it","reasoning":"!","reasoning_content":"!"}"#,
        ],
        "stop",
    ));
    assert_eq!(
        (text(choice.content()), text(choice.reasoning())),
        ("so be it".into(), "hmm!".into())
    );
}

#[test]
fn think_tags_are_reasoning_where_the_host_is_known_for_them() {
    let quirks = Quirks {
        think_tags: true,
        ..Quirks::default()
    };
    let body = r#"{"choices":[{"message":{"content":"<think>\u00e9</think>\n\nyes"},"finish_reason":"stop"}]}"#;
    let (events, ended) = typed("application/json", quirks, body);
    ended.unwrap();
    let choice = first(events);
    assert_eq!(
        (text(choice.content()), text(choice.reasoning())),
        ("yes".into(), "é".into())
    );
}

#[test]
fn the_choices_of_a_stream_may_interleave() {
    let (events, ended) = stream(&[
        r#"{"choices":[{"index":1,"delta":{"content":"b"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{},"finish_reason":"length"}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        "[DONE]",
    ]);
    ended.unwrap();
    let answer = Answer::of(events);
    let told: Vec<_> = answer
        .choices
        .iter()
        .map(|choice| {
            (
                text(choice.content()),
                choice.finish.as_ref().unwrap().reason,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("a".into(), FinishReason::Stop),
            ("b".into(), FinishReason::Length)
        ]
    );
}

#[test]
fn one_unfinished_choice_is_a_broken_stream() {
    let (events, ended) = stream(&[
        r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"},{"index":1,"delta":{"content":"b"}}]}"#,
        "[DONE]",
    ]);
    assert_eq!(ended.unwrap_err().kind, ErrorType::ProviderUnavailable);
    assert!(
        !events
            .iter()
            .any(|event| matches!(event, ChatEvent::Finish(_)))
    );
}

#[test]
fn counts_replace_each_other_and_come_last() {
    let (events, ended) = stream(&[
        r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1}}"#,
        r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}],"x_groq":{"usage":{"prompt_tokens":9,"completion_tokens":2}}}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3}}"#,
        r#"{"choices":[],"usage":null}"#,
    ]);
    ended.unwrap();
    let Some(ChatEvent::Usage(usage)) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!(usage.completion, Tokens::new(3));
    assert_eq!(
        events
            .iter()
            .filter(|event| matches!(event, ChatEvent::Usage(_)))
            .count(),
        1
    );
}

#[test]
fn the_preamble_of_azure_is_no_reply() {
    let (events, ended) = stream(&[
        r#"{"id":"","model":"","choices":[],"prompt_filter_results":[{}]}"#,
        r#"{"id":"c1","model":"gpt","created":5,"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null}}]}"#,
        r#"{"id":"c1","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop","content_filter_results":{}}]}"#,
    ]);
    ended.unwrap();
    let answer = Answer::of(events);
    assert_eq!(
        (text(answer.start.id), answer.start.created),
        ("c1".into(), Some(5))
    );
    let filtered =
        r#"{"choices":[{"index":0,"finish_reason":"content_filter","content_filter_results":{}}]}"#;
    let (events, ended) = typed("application/json", Quirks::default(), filtered);
    ended.unwrap();
    assert_eq!(
        first(events).finish.unwrap().reason,
        FinishReason::ContentFilter
    );
}

#[test]
fn an_empty_answer_is_an_empty_string_and_a_call_has_none() {
    let empty = deltas(&[r#"{"role":"assistant","content":""}"#], "stop");
    assert_eq!(text(first(empty.clone()).content()), "");
    assert!(first(empty).content().is_some());
    let called = deltas(
        &[r#"{"content":"","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]}"#],
        "tool_calls",
    );
    assert!(first(called).content().is_none());
}

#[test]
fn citations_become_annotations_once() {
    let chunk = |finish: &str| {
        format!(
            r#"{{"citations":["https://a.b"],"search_results":[{{"title":"T \"q\"","url":"https://a.b","snippet":"s"}}],"choices":[{{"index":0,"message":{{"content":"all"}},"delta":{{"content":"x"}},"finish_reason":{finish}}}]}}"#
        )
    };
    let (events, ended) = stream(&[&chunk("null"), &chunk("\"stop\"")]);
    ended.unwrap();
    let choice = first(events);
    let expected = r#"[{"type":"url_citation","url_citation":{"url":"https://a.b","title":"T \"q\"","content":"s","start_index":0,"end_index":0}}]"#;
    assert_eq!(choice.annotations().unwrap().bytes(), expected);
    assert_eq!(text(choice.content()), "xx");
}

#[test]
fn a_line_that_is_no_json_is_skipped() {
    let (events, ended) = stream(&[
        r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"conte"#,
        r#"{"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"stop"}]}"#,
    ]);
    ended.unwrap();
    assert_eq!(text(first(events).content()), "ab");
}

#[test]
fn failures_in_band_are_failures() {
    for (body, kind, reason) in [
        (
            "event: error\ndata: {\"error\":{\"message\":\"bad call\",\"status_code\":400}}\n\n",
            ErrorType::InvalidRequest,
            "bad call",
        ),
        (
            "data: {\"error\":{\"code\":502,\"message\":\"gone\"},\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}]}\n\n",
            ErrorType::ProviderUnavailable,
            "gone",
        ),
        (
            "data: {\"choices\":[{\"delta\":{},\"error\":{\"code\":429,\"message\":\"slow\"}}]}\n\n",
            ErrorType::RateLimitExceeded,
            "slow",
        ),
        (
            "data: {\"object\":\"error\",\"message\":\"vllm says no\",\"code\":400}\n\n",
            ErrorType::InvalidRequest,
            "vllm says no",
        ),
        (
            "data: {\"error\":\"text\"}\n\n",
            ErrorType::ProviderUnavailable,
            "text",
        ),
    ] {
        let start = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
        let (events, ended) = typed(
            "text/event-stream",
            Quirks::default(),
            &format!("{start}{body}"),
        );
        let error = ended.unwrap_err();
        assert_eq!(
            (error.kind, error.message.contains(reason)),
            (kind, true),
            "{error:?}"
        );
        assert!(events.iter().any(ChatEvent::is_content));
    }
}

#[test]
fn the_body_decides_when_the_head_is_wrong() {
    let whole = r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}"#;
    let streamed = format!("data: {}\n\n", whole.replace("message", "delta"));
    for (kind, body) in [
        ("text/event-stream", whole),
        ("application/json", &streamed),
        ("", &format!("\n {whole}")),
        ("text/plain", &format!(": hi\n\n{streamed}")),
    ] {
        let (events, ended) = typed(kind, Quirks::default(), body);
        ended.unwrap();
        assert_eq!(text(first(events).content()), "a", "{kind}");
    }
}

#[test]
fn a_reply_that_is_none_is_refused() {
    for (kind, body, reason) in [
        ("application/json", "", "empty body"),
        ("text/event-stream", "", "empty body"),
        ("application/json", "<html></html>", "HTML"),
        ("application/json", r#"{"id":"x"}"#, "expected choices"),
        ("application/json", r#"{"choices":[]}"#, "expected choices"),
        (
            "application/json",
            r#"{"choices":[{"message":{"content":"a"}"#,
            "expected a reply in JSON",
        ),
        (
            "application/json",
            r#"{"choices":[{"message":{"content":"a"}}]}"#,
            "without a finish reason",
        ),
        ("application/json", r#"{"detail":"try later"}"#, "try later"),
        ("text/event-stream", ": ping\n\n", "without a finish reason"),
        (
            "text/event-stream",
            "data: [DONE]\n\n",
            "without a finish reason",
        ),
    ] {
        let (events, ended) = typed(kind, Quirks::default(), body);
        let error = ended.expect_err(body);
        assert!(error.message.contains(reason), "{body}: {error}");
        assert_eq!(error.kind, ErrorType::ProviderUnavailable, "{body}");
        assert!(
            !events
                .iter()
                .any(|event| matches!(event, ChatEvent::Finish(_)))
        );
    }
}

#[test]
fn reasoning_that_is_not_wanted_is_not_given_out() {
    let ask = chat(r#"{"messages":[{"role":"user","content":"Hi"}],"reasoning":{"exclude":true}}"#);
    let call = Host::new("acme", "m").encode(&ask);
    let body = r#"{"choices":[{"message":{"content":"a","reasoning":"r","reasoning_details":[{"type":"reasoning.text"}]},"finish_reason":"stop"}]}"#;
    let (events, ended) = read(call.reader, &head(200, &[]), [body.as_bytes()]);
    ended.unwrap();
    let choice = first(events);
    assert!(choice.reasoning().is_none() && choice.reasoning_details().is_none());
}

#[test]
fn an_error_status_gives_its_reason_and_never_the_credential() {
    let ask = chat(r#"{"messages":[{"role":"user","content":"Hi"}]}"#);
    let call = Host::new("acme", "m").encode(&ask);
    let body = br#"{"error":{"message":"key sk-test-0123456789 is over its rate","code":"rate_limit_exceeded"}}"#;
    let head = head(
        429,
        &[("retry-after", "7"), ("content-type", "application/json")],
    );
    let (events, ended) = read(call.reader, &head, body.chunks(5));
    let error = ended.unwrap_err();
    assert!(events.is_empty());
    assert_eq!(error.message, "key [credential] is over its rate");
    assert_eq!(error.retry_after.unwrap().as_secs(), 7);
    assert!(!format!("{error:?}").contains("0123456789"));
}
