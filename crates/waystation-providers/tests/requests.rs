//! What leaves: bodies, addresses and headers, one deviation at a time.
#![cfg(test)]

#[path = "support/target.rs"]
mod target;

use serde_json::{Value, json};
use target::{Host, chat};
use waystation_core::{
    AuthScheme, ChatPath, MaxTokensName, Parameter, ParameterSet, Quirks, ReasoningReplay,
    ReasoningRequest, ServiceTier,
};

const MESSAGES: &str = r#""messages": [{"role": "user",  "content": "Hi"}]"#;

/// The body that `host` gets for messages and `members`.
fn body(host: &Host, members: &str) -> Value {
    let chat = chat(&format!("{{{MESSAGES},{members}}}"));
    serde_json::from_slice(&host.encode(&chat).request.body).unwrap()
}

fn plain(members: &str) -> Value {
    body(&Host::new("acme", "fast-70b"), members)
}

fn with(quirks: Quirks) -> Host {
    Host::new("acme", "fast-70b").with(quirks)
}

/// The messages that `host` gets for these.
fn messages(host: &Host, messages: &Value) -> Value {
    let chat = chat(&json!({ "messages": messages }).to_string());
    let body: Value = serde_json::from_slice(&host.encode(&chat).request.body).unwrap();
    body["messages"].clone()
}

fn quirks(set: impl FnOnce(&mut Quirks)) -> Quirks {
    let mut quirks = Quirks::default();
    set(&mut quirks);
    quirks
}

#[test]
fn clean_members_leave_byte_for_byte() {
    let text = r#"{"model":"acme/fast:nitro",  "messages": [ {"role":"user","content":"\u00e9\/"} ],"x_own":{"a" : [1, 2.50,1e3]},"temperature":0.70,"seed":12479678939117453000}"#;
    let call = Host::new("acme", "fast-70b").encode(&chat(text));
    let expected = r#"{"model":"fast-70b","messages":[ {"role":"user","content":"\u00e9\/"} ],"x_own":{"a" : [1, 2.50,1e3]},"temperature":0.70,"seed":12479678939117453000}"#;
    assert_eq!(String::from_utf8_lossy(&call.request.body), expected);
    assert!(call.notes.is_empty());
}

#[test]
fn what_only_the_gateway_understands_stays() {
    let sent = plain(
        r#""model":"a/b","models":["c/d"],"route":"fallback","provider":{"sort":"price"},"plugins":[],
        "preset":"x","transforms":[],"session_id":"s","usage":{"include":true},"debug":{},"trace":{},
        "waystation":{},"user":"me","metadata":{"a":"b"},"max_tool_calls":3,"structured_outputs":true,
        "stop_server_tools_when":[{"type":"step_count_is","step_count":2}],"service_tier":"flex",
        "image_config":{},"cache_control":{"type":"ephemeral"},"prompt":"old""#,
    );
    assert_eq!(
        sent,
        json!({"model": "fast-70b", "messages": [{"role": "user", "content": "Hi"}]})
    );
}

#[test]
fn a_key_with_escapes_is_the_same_key() {
    let sent = plain(r#""mod\u0065l":"a/b","us\u0065r":"me""#);
    assert_eq!(sent["model"], "fast-70b");
    assert!(sent.get("user").is_none());
}

#[test]
fn streams_ask_for_usage_unless_the_host_refuses() {
    let sent = plain(r#""stream":true,"stream_options":{"include_usage":false,"x":1}"#);
    assert_eq!(sent["stream_options"], json!({"include_usage": true}));
    let sent = body(
        &with(quirks(|q| q.no_stream_options = true)),
        r#""stream":true"#,
    );
    assert!(sent.get("stream_options").is_none() && sent["stream"] == true);
    assert!(plain(r#""stream":false"#).get("stream_options").is_none());
}

#[test]
fn exactly_one_limit_leaves_under_the_hosts_name() {
    let both = r#""max_tokens":5,"max_completion_tokens":7"#;
    let limits = |sent: Value| {
        (
            sent.get("max_tokens").cloned(),
            sent.get("max_completion_tokens").cloned(),
        )
    };
    let seven = Some(json!(7));
    assert_eq!(limits(plain(both)), (None, seven.clone()));
    let old = with(quirks(|q| q.max_tokens = MaxTokensName::MaxTokens));
    assert_eq!(limits(body(&old, both)), (seven.clone(), None));
    let new = with(quirks(|q| {
        q.max_tokens = MaxTokensName::MaxCompletionTokens
    }));
    assert_eq!(limits(body(&new, r#""max_tokens":7"#)), (None, seven));
    assert_eq!(limits(plain(r#""max_tokens":5"#)), (Some(json!(5)), None));
}

#[test]
fn parameters_that_the_endpoint_lacks_are_left_out() {
    let mut host = Host::new("acme", "m");
    host.endpoint.parameters = [Parameter::Temperature].into_iter().collect();
    let members = r#""temperature":1,"top_p":0.5,"max_tokens":5,"seed":1,"logprobs":true,"reasoning_effort":"low",
        "tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"auto","parallel_tool_calls":true,
        "response_format":{"type":"json_object"},"own":1"#;
    let sent = body(&host, members);
    let keys: Vec<&String> = sent.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["messages", "model", "own", "temperature"]);
}

#[test]
fn a_schema_needs_an_endpoint_that_knows_schemas() {
    let mut host = Host::new("acme", "m");
    let format =
        r#""response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{}}}"#;
    assert!(body(&host, format).get("response_format").is_some());
    host.endpoint.parameters = ParameterSet::ALL.without(Parameter::StructuredOutputs);
    let call = host.encode(&chat(&format!("{{{MESSAGES},{format}}}")));
    assert_eq!(call.notes[0].field, "response_format");
    assert!(
        body(&host, r#""response_format":{"type":"json_object"}"#)
            .get("response_format")
            .is_some()
    );
}

#[test]
fn tools_of_the_gateway_stay_and_so_does_what_speaks_of_them() {
    let function = json!({"type": "function", "function": {"name": "f"}});
    let tools = r#""tools":[{"type":"openrouter:web_search"},{"type":"function","function":{"name":"f"},"cache_control":{"type":"ephemeral"}}],"tool_choice":"auto""#;
    let sent = plain(tools);
    assert_eq!(
        (&sent["tools"], &sent["tool_choice"]),
        (&json!([function]), &json!("auto"))
    );
    let sent = plain(
        r#""tools":[{"type":"waystation:fetch"}],"tool_choice":"required","parallel_tool_calls":true"#,
    );
    assert_eq!(sent.as_object().unwrap().len(), 2);
    let sent = plain(r#""tools":[],"tool_choice":"auto""#);
    assert_eq!(sent.as_object().unwrap().len(), 2);
}

#[test]
fn a_tool_without_a_type_is_a_function() {
    let sent = plain(r#""tools":[{"function":{"name":"f"}}]"#);
    assert_eq!(
        sent["tools"],
        json!([{"type": "function", "function": {"name": "f"}}])
    );
}

#[test]
fn a_forced_choice_is_spelled_as_the_host_spells_it() {
    let tools = r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"#;
    let any = with(quirks(|q| q.tool_choice_any = true));
    assert_eq!(
        body(&any, &format!("{tools}\"required\""))["tool_choice"],
        "any"
    );
    assert_eq!(plain(&format!("{tools}\"any\""))["tool_choice"], "required");
    let named = r#"{"type":"function","function":{"name":"f"}}"#;
    assert_eq!(
        body(&any, &format!("{tools}{named}"))["tool_choice"]["type"],
        "function"
    );
    let server = plain(&format!(r#"{tools}{{"type":"openrouter:web_search"}}"#));
    assert!(server.get("tool_choice").is_none());
}

/// The reasoning members that a host with this spelling gets.
fn reasoning(spelling: ReasoningRequest, members: &str) -> Value {
    let mut sent = body(&with(quirks(|q| q.reasoning = spelling)), members);
    let members = sent.as_object_mut().unwrap();
    members.retain(|key, _| !["model", "messages", "max_tokens"].contains(&key.as_str()));
    sent
}

#[test]
fn the_wish_to_reason_is_spelled_once() {
    use ReasoningRequest as R;
    let high = r#""reasoning":{"effort":"high","exclude":true},"reasoning_effort":"high","include_reasoning":false"#;
    let budget = r#""max_tokens":4000,"reasoning":{"max_tokens":2000}"#;
    let off = r#""reasoning":{"enabled":false}"#;
    let on = r#""include_reasoning":true"#;
    for (spelling, members, expected) in [
        (R::Effort, high, json!({"reasoning_effort": "high"})),
        (R::Effort, budget, json!({"reasoning_effort": "medium"})),
        (R::Effort, off, json!({"reasoning_effort": "none"})),
        (R::Effort, on, json!({"reasoning_effort": "medium"})),
        (R::Effort, r#""include_reasoning":false"#, json!({})),
        (
            R::Object,
            high,
            json!({"reasoning": {"effort": "high", "exclude": true}}),
        ),
        (
            R::Object,
            r#""reasoning_effort":"low""#,
            json!({"reasoning": {"effort": "low"}}),
        ),
        (
            R::Object,
            r#""reasoning":{"effort":"low","summary":"auto"}"#,
            json!({"reasoning": {"effort": "low", "summary": "auto"}}),
        ),
        (R::EnableThinking, off, json!({"enable_thinking": false})),
        (R::EnableThinking, on, json!({"enable_thinking": true})),
        (
            R::EnableThinking,
            budget,
            json!({"enable_thinking": true, "thinking_budget": 2000}),
        ),
        (
            R::EnableThinking,
            r#""max_tokens":10000,"reasoning_effort":"high""#,
            json!({"enable_thinking": true, "thinking_budget": 8000}),
        ),
        (
            R::EnableThinking,
            r#""enable_thinking":false,"reasoning_effort":"high""#,
            json!({"enable_thinking": false, "thinking_budget": 26214}),
        ),
        (R::Thinking, high, json!({"thinking": {"type": "enabled"}})),
        (R::Thinking, off, json!({"thinking": {"type": "disabled"}})),
        (R::Never, high, json!({})),
    ] {
        assert_eq!(
            reasoning(spelling, members),
            expected,
            "{spelling:?} {members}"
        );
    }
}

#[test]
fn options_of_the_matched_provider_alone_are_merged_in() {
    let members = r#""temperature":1,"max_tokens":9,"reasoning_effort":"low","provider":{"options":{
        "acme":{"safe_prompt":true,"temperature":0.5,"max_completion_tokens":3,"reasoning_effort":"high","model":"evil","messages":[],"stream":true},
        "other":{"raw_mode":true}}}"#;
    let sent = plain(members);
    let expected = json!({
        "model": "fast-70b", "messages": [{"role": "user", "content": "Hi"}], "safe_prompt": true,
        "temperature": 0.5, "max_completion_tokens": 3, "reasoning_effort": "high",
    });
    assert_eq!(sent, expected);
    let call = Host::new("acme", "m").encode(&chat(&format!("{{{MESSAGES},{members}}}")));
    assert_eq!(call.notes.len(), 3);
    let twice = String::from_utf8_lossy(&call.request.body)
        .matches("temperature")
        .count();
    assert_eq!(twice, 1);
}

#[test]
fn a_tier_endpoint_asks_for_its_tier() {
    let mut host = Host::new("acme", "m");
    host.endpoint.service_tier = Some(ServiceTier::Flex);
    assert_eq!(
        body(&host, r#""service_tier":"priority""#)["service_tier"],
        "flex"
    );
    assert!(
        plain(r#""service_tier":"flex""#)
            .get("service_tier")
            .is_none()
    );
    let own = plain(r#""service_tier":"on_demand""#);
    assert_eq!(own["service_tier"], "on_demand");
}

#[test]
fn a_gateway_gets_what_gateways_understand() {
    let host = with(quirks(|q| {
        q.takes_reasoning_details = true;
        q.reasoning_replay = ReasoningReplay::Details;
    }));
    let sent = body(
        &host,
        r#""service_tier":"flex","cache_control":{"type":"ephemeral"},"image_config":{"a":1}"#,
    );
    assert_eq!(sent["service_tier"], "flex");
    assert!(sent.get("cache_control").is_some() && sent.get("image_config").is_some());
    let history = json!([
        {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
        {"role": "assistant", "content": "b", "reasoning": "r", "reasoning_details": [{"type": "x"}], "annotations": [{}]},
    ]);
    assert_eq!(messages(&host, &history), history);
}

#[test]
fn messages_lose_only_what_hosts_refuse() {
    let host = with(quirks(|q| q.no_developer_role = true));
    let history = json!([
        {"role": "developer", "content": "d"},
        {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, {"type": "file", "file": {"file_id": "x"}}]},
        {"role": "assistant", "content": "b", "tool_calls": [], "refusal": null, "annotations": [], "images": [{}], "model": "a/b",
         "reasoning": "r", "reasoning_content": "r", "reasoning_details": [{"type": "x"}], "prefix": true, "own": null},
    ]);
    let expected = json!([
        {"role": "system", "content": "d"},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "file", "file": {"file_id": "x"}}]},
        {"role": "assistant", "content": "b", "prefix": true, "own": null},
    ]);
    assert_eq!(messages(&host, &history), expected);
}

#[test]
fn earlier_reasoning_goes_back_under_the_hosts_name() {
    let host = with(quirks(|q| {
        q.reasoning_replay = ReasoningReplay::ReasoningContent
    }));
    let said = |members: Value| {
        let mut message = json!({"role": "assistant", "content": "b"});
        message
            .as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        messages(&host, &json!([message]))[0].clone()
    };
    let expected = json!({"role": "assistant", "content": "b", "reasoning_content": "r\n\"é"});
    assert_eq!(said(json!({"reasoning": "r\n\"é"})), expected);
    assert_eq!(
        said(json!({"reasoning_content": "r\n\"é", "reasoning": "no"})),
        expected
    );
    let details =
        json!({"reasoning_details": [{"text": "r\n"}, {"data": "x"}, {"summary": "\"é"}]});
    assert_eq!(said(details), expected);
    let plain = with(quirks(|q| q.reasoning_replay = ReasoningReplay::Reasoning));
    let back = messages(&plain, &json!([expected]));
    assert_eq!(back[0]["reasoning"], "r\n\"é");
}

#[test]
fn foreign_tool_ids_are_mapped_alike_everywhere() {
    let host = with(quirks(|q| q.nine_char_tool_ids = true));
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let history = json!([
        {"role": "assistant", "content": null, "tool_calls": [call("call_long_1"), call("abcDEF123"), call("call_long_2")]},
        {"role": "tool", "tool_call_id": "call_long_1", "content": "1"},
        {"role": "tool", "tool_call_id": "abcDEF123", "content": "2"},
        {"role": "tool", "tool_call_id": "call_long_2", "content": "3"},
    ]);
    let sent = messages(&host, &history);
    let ids: Vec<&str> = (0..3)
        .map(|at| sent[0]["tool_calls"][at]["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids[1], "abcDEF123");
    for (at, id) in ids.iter().enumerate() {
        assert!(
            id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            "{id}"
        );
        assert_eq!(sent[at + 1]["tool_call_id"], *id);
    }
    assert_ne!(ids[0], ids[2]);
    assert_eq!(messages(&host, &history), sent);
}

#[test]
fn azure_addresses_name_the_deployment() {
    let mut host = with(quirks(|q| q.chat_path = ChatPath::Azure));
    host.upstream.base_url = "https://my.openai.azure.com/".into();
    host.upstream.auth = AuthScheme::ApiKey;
    let ask = chat(&format!("{{{MESSAGES}}}"));
    let call = host.encode(&ask);
    assert_eq!(
        call.request.url,
        "https://my.openai.azure.com/openai/v1/chat/completions"
    );
    assert!(call.request.headers["api-key"].is_sensitive());
    host.upstream.settings.api_version = Some("2024-10-21".into());
    let deployments = [("acme/fast".to_owned(), "prod 54/../x".to_owned())];
    host.upstream.settings.deployments = deployments.into_iter().collect();
    let call = host.encode(&ask);
    let expected = "https://my.openai.azure.com/openai/deployments/prod%2054%2F..%2Fx/chat/completions?api-version=2024-10-21";
    assert_eq!(call.request.url, expected);
    let sent: Value = serde_json::from_slice(&call.request.body).unwrap();
    assert_eq!(sent["model"], "prod 54/../x");
}

#[test]
fn credentials_travel_as_the_scheme_says() {
    let ask = chat(&format!("{{{MESSAGES},\"stream\":true}}"));
    let mut host = Host::new("acme", "m");
    for (scheme, header, value) in [
        (
            AuthScheme::Bearer,
            "authorization",
            "Bearer sk-test-0123456789",
        ),
        (AuthScheme::XApiKey, "x-api-key", "sk-test-0123456789"),
        (
            AuthScheme::XGoogApiKey,
            "x-goog-api-key",
            "sk-test-0123456789",
        ),
    ] {
        host.upstream.auth = scheme;
        let request = host.encode(&ask).request;
        assert_eq!(request.headers[header], value);
        assert!(!format!("{request:?}").contains("sk-test"));
        assert_eq!(request.headers["accept"], "text/event-stream");
    }
    host.upstream.auth = AuthScheme::Sigv4;
    assert!(host.try_encode(&ask).is_err());
    host.upstream.auth = AuthScheme::None;
    assert!(
        !host
            .encode(&ask)
            .request
            .headers
            .contains_key("authorization")
    );
    host.upstream.base_url = "not an address".into();
    assert!(host.try_encode(&ask).is_err());
}
