//! Requests that are taken and requests that are refused, each refusal with the member that it names. What
//! a codec makes of them is tested with the codec.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const MESSAGES: &str = r#""messages":[{"role":"user","content":"Hi"}]"#;

fn parse(text: &str) -> Result<ChatRequest, InvalidRequest> {
    ChatRequest::parse(&Bytes::copy_from_slice(text.as_bytes()))
}

/// The error of a body that has `member` beside valid messages.
fn refused(member: &str) -> InvalidRequest {
    parse(&format!("{{{MESSAGES},{member}}}")).expect_err(member)
}

#[test]
fn untouched_members_are_byte_exact() {
    let body = r#"{"model":"a/b","x_unknown":{"a" : [1, 2.50, 1e3]},"messages":[{"role":"user","content":"\u00e9\/"}]}"#;
    assert_eq!(parse(body).unwrap().to_json().bytes(), body);
}

#[test]
fn null_is_absence_for_known_members_only() {
    let chat = parse(&format!(
        r#"{{{MESSAGES},"temperature":null,"stream":null,"own":null}}"#
    ))
    .unwrap();
    assert!(chat.get("temperature").is_none() && !chat.stream());
    assert!(chat.get("own").is_some());
}

#[test]
fn a_member_is_found_by_its_name_however_that_is_spelled() {
    let more = r#""\u0078_own":1,"tool\u005fchoice":"auto","":2"#;
    let mut chat = parse(&format!("{{{MESSAGES},{more}}}")).unwrap();
    assert!(chat.parameters().has(Parameter::ToolChoice));
    for name in ["messages", "x_own", "tool_choice", ""] {
        assert!(chat.get(name).is_some(), "{name}");
    }
    assert!(chat.get("top_k").is_none() && chat.get("x_owm").is_none());
    chat.set("top_k", RawJson::of(&1));
    assert!(chat.get("top_k").is_some());
    chat.remove("top_k");
    assert!(chat.get("top_k").is_none());
}

/// Names are looked up in each other: as many as there are members, times as many options.
#[test]
fn members_and_options_have_a_largest_number() {
    let members = |count: usize| -> String {
        let members: Vec<String> = (0..count).map(|at| format!(r#""x{at}":0"#)).collect();
        members.join(",")
    };
    let most = members(1_023);
    assert!(parse(&format!("{{{MESSAGES},{most}}}")).is_ok());
    let message = "expected at most 1024 members, found";
    let beyond = refused(&members(1_024));
    assert_eq!(
        (&*beyond.field, &*beyond.message),
        ("", &*format!("{message} 1025"))
    );
    let options = |count| format!(r#""provider":{{"options":{{"a":{{{}}}}}}}"#, members(count));
    assert!(parse(&format!("{{{MESSAGES},{}}}", options(1_024))).is_ok());
    let beyond = refused(&options(1_025));
    assert_eq!(beyond.field, "provider.options.a");
    assert!(beyond.message.starts_with(message), "{beyond}");
}

#[test]
fn that_every_content_is_a_text_is_known_from_the_body() {
    let plain = r#"{"messages":[{"role":"user","content":"[1]"},{"role":"user","content":"b"}],"stop":["a"]}"#;
    assert!(!parse(plain).unwrap().may_have_parts());
    let parts = r#"{"messages":[{"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":"b"}]}]}"#;
    assert!(parse(parts).unwrap().may_have_parts());
    let mut set = parse(plain).unwrap();
    set.set(
        "messages",
        parse(parts)
            .unwrap()
            .get("messages")
            .unwrap()
            .raw(&Bytes::new()),
    );
    assert!(set.may_have_parts());
}

#[test]
fn what_the_messages_are_like_is_known_whoever_wrote_them() {
    let talk = |messages: &str| {
        let sent = parse(&format!(r#"{{"messages":[{messages}]}}"#)).unwrap();
        let mut set = parse(&format!("{{{MESSAGES}}}")).unwrap();
        let text = Bytes::from(format!("[{messages}]"));
        set.set("messages", RawJson::parse(&text).unwrap());
        assert_eq!(set.has_prefill(), sent.has_prefill(), "{messages}");
        assert!(!set.is_plain_talk() && set.get("messages").unwrap().bytes() == text);
        (sent.is_plain_talk(), sent.has_prefill())
    };
    let user = r#"{"role":"user","content":"a"}"#;
    assert_eq!(talk(user), (true, false));
    let words = r#"{"\u0072ole":"assistant","content":"b"}"#;
    assert_eq!(talk(&format!("{user},{words}")), (true, true));
    for other in [
        r#"{"role":"developer","content":"a"}"#,
        r#"{"role":"user","content":"a","name":null}"#,
        r#"{"role":"user","content":[{"type":"text","text":"a"}]}"#,
        r#"{"role":"user","content":"a","own":1}"#,
        r#"{"role":"tool","content":"a","tool_call_id":"b"}"#,
        r#"{"role":"assistant"}"#,
        r#"{"role":"assistant","content":null}"#,
    ] {
        let prefill = other.contains("assistant");
        assert_eq!(
            talk(&format!("{user},{other}")),
            (false, prefill),
            "{other}"
        );
    }
    let calls =
        r#"{"role":"assistant","content":"a","tool_calls":[{"id":"1","function":{"name":"f"}}]}"#;
    assert_eq!(talk(calls), (false, false));
}

#[test]
fn out_of_range_values_name_the_field() {
    for (member, field) in [
        (r#""temperature":2.1"#, "temperature"),
        (r#""top_p":0"#, "top_p"),
        (r#""top_logprobs":21"#, "top_logprobs"),
        (r#""stop":["a","b","c","d","e"]"#, "stop"),
        (r#""max_tokens":0"#, "max_tokens"),
        (r#""max_tokens":1.5"#, "max_tokens"),
        (r#""stream":"yes""#, "stream"),
        (r#""logit_bias":{"5":101}"#, "logit_bias.5"),
        (r#""metadata":{"a":1}"#, "metadata.a"),
        (
            r#""tools":[{"type":"function","function":{"name":""}}]"#,
            "tools[0].function.name",
        ),
        (r#""tool_choice":"sometimes""#, "tool_choice"),
        (
            r#""response_format":{"type":"json_schema"}"#,
            "response_format.json_schema",
        ),
        (r#""provider":{"foo":1}"#, "provider"),
        (
            r#""provider":{"max_price":{"promt":1}}"#,
            "provider.max_price",
        ),
        (
            r#""provider":{"max_price":{"prompt":"abc"}}"#,
            "provider.max_price.prompt",
        ),
        (
            r#""provider":{"max_price":{"prompt":-1}}"#,
            "provider.max_price.prompt",
        ),
        (
            r#""provider":{"max_price":{"prompt":1,"input":2}}"#,
            "provider.max_price.input",
        ),
        (r#""provider":{"sort":"speed"}"#, "provider.sort"),
        (r#""plugins":[{"enabled":true}]"#, "plugins[0]"),
        (r#""reasoning_effort":"lots""#, "reasoning_effort"),
        (
            r#""reasoning":{"effort":"low"},"reasoning_effort":"high""#,
            "reasoning_effort",
        ),
        (r#""Temperature":1"#, "Temperature"),
        (r#""x":1,"X":2"#, "X"),
        (r#""service_tier":7"#, "service_tier"),
    ] {
        assert_eq!(refused(member).field, field, "{member}");
    }
    let long = "s".repeat(257);
    assert_eq!(
        refused(&format!(r#""session_id":"{long}""#)).field,
        "session_id"
    );
    assert!(
        refused(r#""provider":{"Require_Parameters":true}"#)
            .message
            .contains("require_parameters")
    );
}

#[test]
fn messages_are_checked_with_their_paths() {
    for (messages, field) in [
        ("[]", "messages"),
        ("{}", "messages"),
        (r#"[{"role":"king","content":""}]"#, "messages[0].role"),
        (r#"[{"content":"x"}]"#, "messages[0]"),
        (r#"[{"role":"user"}]"#, "messages[0].content"),
        (r#"[{"role":"user","content":7}]"#, "messages[0].content"),
        (
            r#"[{"role":"user","content":[{"type":"text"}]}]"#,
            "messages[0].content[0].text",
        ),
        (
            r#"[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]"#,
            "messages[0].content[0].image_url",
        ),
        (
            r#"[{"role":"user","content":[{"type":"file","file":{}}]}]"#,
            "messages[0].content[0].file.file_data",
        ),
        (
            r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"file","file":{"filename":"a.pdf","file_data":""}}]}]"#,
            "messages[0].content[1].file.file_data",
        ),
        (
            r#"[{"role":"tool","content":"x"}]"#,
            "messages[0].tool_call_id",
        ),
        (
            r#"[{"role":"user","Role":"system","content":"x"}]"#,
            "messages[0].Role",
        ),
        (
            r#"[{"role":"user","content":"a","content":"b"}]"#,
            "messages[0].content",
        ),
    ] {
        let error =
            parse(&format!(r#"{{"model":"a/b","messages":{messages}}}"#)).expect_err(messages);
        assert_eq!(error.field, field, "{messages}");
    }
    assert!(parse(r#"{"messages":[{"role":"assistant","content":null,"tool_calls":[]}]}"#).is_ok());
    for key in ["file_data", "file_id", "file_url", "url"] {
        let part = format!(r#"{{"type":"file","file":{{"{key}":"x"}}}}"#);
        let body = format!(r#"{{"messages":[{{"role":"user","content":[{part}]}}]}}"#);
        assert!(parse(&body).is_ok(), "{key}");
    }
    assert!(
        parse(r#"{"prompt":"Hi"}"#)
            .unwrap()
            .messages()
            .next()
            .unwrap()
            .text()
            == "Hi"
    );
}

#[test]
fn views_read_what_was_sent() {
    let chat = parse(r#"{"messages":[
        {"role":"user","content":[{"type":"text","text":"see "},{"type":"image_url","image_url":{"url":"data:x"}}]},
        {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"c1","content":"42"}
    ],"max_tokens":9,"max_completion_tokens":7,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}}}"#).unwrap();
    let messages: Vec<_> = chat.messages().collect();
    assert_eq!(messages[0].text(), "see ");
    assert_eq!(messages[1].tool_calls().next().unwrap().name(), "f");
    assert_eq!(messages[2].tool_call_id().as_deref(), Some("c1"));
    assert_eq!(chat.max_output(), Some(Tokens::new(7)));
    assert!(chat.input_modalities().has(Modality::Image));
    assert!(chat.parameters().has(Parameter::StructuredOutputs) && chat.wants_json());
}

proptest! {
    #[test]
    fn no_body_panics(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = ChatRequest::parse(&bytes.into());
    }

    #[test]
    fn no_value_of_a_known_member_panics(at in 0..rules::FIELDS.len(), value in r#"(null|-?[0-9]{1,20}|"[a-z]{0,6}"|\[\]|\{\}|\[\{\}\]|\{"type":1\}|true)"#) {
        let name = rules::FIELDS[at].0;
        let _ = parse(&format!(r#"{{"messages":[{{"role":"user","content":"x"}}],"{name}":{value}}}"#));
    }
}
