//! Every recorded exchange of OpenAI Responses, read and written, against a second, small reading of
//! the same bytes by `serde_json`.
#![cfg(test)]

#[path = "support/heard.rs"]
mod heard;
#[path = "support/recorded.rs"]
mod recorded;
#[path = "support/reply.rs"]
mod reply;
#[path = "support/responses.rs"]
mod responses;
#[path = "support/target.rs"]
mod target;

use std::collections::BTreeMap;

use heard::{Heard, in_order, message};
use recorded::Case;
use reply::{head, read};
use serde_json::{Value, json};
use target::{Host, chat};
use waystation_core::{ChatEvent, ChatPath, Quirks, UpstreamError};
use waystation_providers::OPENAI_RESPONSES;

fn cases() -> Vec<Case> {
    recorded::cases("openai-responses", 74)
}

fn host(provider: &str) -> Host {
    let slug = if provider == "bedrock-mantle" {
        "amazon-bedrock"
    } else {
        provider
    };
    let mut host = Host::new(slug, "recorded");
    host.endpoint.dialect = OPENAI_RESPONSES.parse().unwrap();
    host
}

/// How the blocks of a host are marked.
fn mark(provider: &str) -> String {
    let slug = host(provider).upstream.slug;
    let word = slug.as_str().rsplit('-').next().unwrap().to_owned();
    format!("{word}-responses-v1")
}

/// Reads a response in pieces of `size` bytes.
fn hear(case: &Case, bytes: &[u8], size: usize) -> (Vec<ChatEvent>, Result<(), UpstreamError>) {
    let ask = json!({"messages": [{"role": "user", "content": "Hi"}], "stream": case.streamed()});
    let kind = case.meta["content_type"].as_str().unwrap_or_default();
    let head = head(case.status(), &[("content-type", kind)]);
    let reader = host(&case.provider).encode(&chat(&ask.to_string())).reader;
    read(reader, &head, bytes.chunks(size))
}

#[test]
fn replies_say_what_they_say() {
    for case in cases().iter().filter(|case| case.status() == 200) {
        let (events, ended) = hear(case, &case.response, usize::MAX);
        match responses::witness(&case.response, case.streamed()) {
            Err(reason) => {
                let error = ended.expect_err(&case.name);
                assert!(error.message.contains(&reason), "{}: {error}", case.name);
            }
            Ok(expected) => {
                ended.unwrap_or_else(|error| panic!("{}: {error}", case.name));
                assert_eq!(Heard::of(&events), expected, "{}", case.name);
                in_order(&case.name, &events);
            }
        }
    }
}

#[test]
fn a_stream_says_what_its_last_event_repeats() {
    for case in cases().iter().filter(|case| case.streamed()) {
        if responses::count(&case.response) > 1 {
            continue;
        }
        let text = std::str::from_utf8(&case.response).unwrap();
        let last = text
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("data: {"));
        let last: Value = serde_json::from_str(&format!("{{{}", last.unwrap())).unwrap();
        let whole = last["response"].to_string();
        let (events, ended) = hear(case, &case.response, usize::MAX);
        let ask = chat(r#"{"messages":[{"role":"user","content":"Hi"}]}"#);
        let reader = host(&case.provider).encode(&ask).reader;
        let (repeated, told) = read(reader, &head(200, &[]), [whole.as_bytes()]);
        assert_eq!(ended.is_ok(), told.is_ok(), "{}", case.name);
        if ended.is_ok() {
            let (mut streamed, whole) = (Heard::of(&events), Heard::of(&repeated));
            // The same block is sealed anew in each event.
            assert_eq!(streamed.seals.len(), whole.seals.len());
            streamed.seals.clone_from(&whole.seals);
            // One host gives citations while it streams and none in the end, another the reverse.
            if streamed.citations.is_empty() != whole.citations.is_empty() {
                streamed.citations.clone_from(&whole.citations);
            }
            assert_eq!(streamed, whole, "{}", case.name);
        }
    }
}

#[test]
fn cutting_a_reply_does_not_change_it() {
    for case in cases() {
        let whole = hear(&case, &case.response, usize::MAX);
        for size in [1, 3, 64] {
            let cut = hear(&case, &case.response, size);
            assert_eq!(cut, whole, "{} by {size}", case.name);
        }
    }
}

#[test]
fn a_reply_that_breaks_off_is_never_a_clean_stop() {
    for case in cases().iter().filter(|case| case.status() == 200) {
        let text = std::str::from_utf8(&case.response).unwrap();
        // Two recordings are several responses, one behind the other: any of them may be the last.
        let end = match text.find("\"type\":\"response.completed\"") {
            Some(at) => at,
            None => text.rfind("response.incomplete").unwrap_or(0),
        };
        let end = text[end..]
            .find('\n')
            .map_or(text.trim_end().len(), |line| end + line);
        let step = (end / 60).max(1);
        for at in (0..end).step_by(step).chain(end.saturating_sub(3)..end) {
            let (events, ended) = hear(case, &case.response[..at], 4096);
            assert!(ended.is_err(), "{} cut at {at} of {end}", case.name);
            let finished = events
                .iter()
                .any(|event| matches!(event, ChatEvent::Finish(_)));
            assert!(!finished, "{} cut at {at}", case.name);
        }
    }
}

#[test]
fn errors_give_the_upstreams_reason() {
    for case in cases().iter().filter(|case| case.status() != 200) {
        let (events, ended) = hear(case, &case.response, 7);
        let error = ended.expect_err(&case.name);
        let body: Value = serde_json::from_slice(&case.response).unwrap();
        let reason = body["error"]["message"].as_str().or(body["error"].as_str());
        assert!(
            error.message.contains(reason.unwrap().trim()),
            "{}: {error}",
            case.name
        );
        assert_eq!(error.status, Some(case.status()));
        assert!(events.is_empty());
        println!("{} {:?} {:?}", case.name, error.kind, error.code);
    }
}

#[test]
fn requests_say_what_recorded_clients_say() {
    for case in cases() {
        let Some((native, ask)) = case.request.as_ref().and_then(|native| {
            Some((
                native.clone(),
                responses::chat_of(native, &mark(&case.provider))?,
            ))
        }) else {
            continue;
        };
        let Ok(ask) = waystation_core::ChatRequest::parse(&ask.to_string().into()) else {
            assert!(case.status() == 400, "{}", case.name);
            continue;
        };
        let call = host(&case.provider).encode(&ask);
        let sent: Value = serde_json::from_slice(&call.request.body).unwrap();
        assert_eq!(
            sent["store"],
            native.get("store").cloned().unwrap_or(false.into())
        );
        assert_eq!(
            responses::plain(&sent),
            responses::plain(&native),
            "{}",
            case.name
        );
    }
}

/// The second turn of each recorded loop, made of what was decoded of the first.
#[test]
fn a_decoded_answer_goes_back_as_the_recorded_client_sent_it() {
    let cases = cases();
    let turn = |case: &Case| {
        let conversation = case.meta["conversation"].as_str().unwrap().to_owned();
        (
            case.provider.clone(),
            conversation,
            case.meta["turn"].as_u64().unwrap(),
        )
    };
    let by_turn: BTreeMap<_, &Case> = cases.iter().map(|case| (turn(case), case)).collect();
    let mut compared = 0;
    for ((provider, conversation, turn), next) in &by_turn {
        let before = by_turn.get(&(provider.clone(), conversation.clone(), turn - 1));
        let (Some(before), Some(native)) = (before, &next.request) else {
            continue;
        };
        if before.status() != 200 {
            continue;
        }
        let (events, ended) = hear(before, &before.response, 64);
        ended.unwrap();
        let Some(mut ask) = responses::chat_of(native, &mark(provider)) else {
            continue;
        };
        let messages = ask["messages"].as_array_mut().unwrap();
        let last = messages
            .iter()
            .rposition(|one| one["role"] == "assistant")
            .unwrap();
        messages[last] = message(&events);
        let sent = host(provider).encode(&chat(&ask.to_string())).request.body;
        let sent: Value = serde_json::from_slice(&sent).unwrap();
        let (mut sent, mut native) = (responses::plain(&sent), responses::plain(native));
        // One recorded client makes ids unique by the response's id; the host gave them bare.
        for body in [&mut sent, &mut native] {
            let text = body.to_string();
            *body = serde_json::from_str(&responses::bare_ids(&text)).unwrap();
        }
        assert_eq!(sent["input"], native["input"], "{}", next.name);
        compared += 1;
        println!("{}", next.name);
    }
    assert!(compared >= 8 || cases.is_empty(), "{compared} loops");
}

#[test]
fn reasoning_of_another_host_stays() {
    let ask = json!({"messages": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": null,
         "reasoning_details": [
            {"type": "reasoning.encrypted", "data": "sealed", "id": "rs_1", "format": "openai-responses-v1", "index": 0},
            {"type": "reasoning.text", "text": "hm", "signature": "s", "format": "anthropic-claude-v1", "index": 0}],
         "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "ok"}]}]});
    let ask = chat(&ask.to_string());
    let sent =
        |host: &Host| -> Value { serde_json::from_slice(&host.encode(&ask).request.body).unwrap() };
    let same = sent(&host("openai"));
    let sealed =
        json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed"});
    assert_eq!(same["input"][1], sealed);
    assert_eq!(same["input"][2]["arguments"], "{}");
    assert_eq!(
        same["input"][3]["output"],
        json!([{"type": "input_text", "text": "ok"}])
    );
    let quirks = Quirks {
        chat_path: ChatPath::Azure,
        ..Quirks::default()
    };
    let mut azure = host("azure").with(quirks);
    azure.endpoint.model = "openai/gpt-5".parse().unwrap();
    azure.upstream.base_url = "https://r.openai.azure.com".into();
    assert_eq!(sent(&azure)["input"][1]["type"], "function_call");
    let call = azure.encode(&ask);
    assert_eq!(
        call.request.url,
        "https://r.openai.azure.com/openai/v1/responses"
    );
}

/// The body that a request with these members leaves as.
fn sent(members: &Value) -> Value {
    let mut ask = json!({"messages": [{"role": "user", "content": "Hi"}]});
    let members = members.as_object().unwrap().clone();
    ask.as_object_mut().unwrap().extend(members);
    let body = host("openai").encode(&chat(&ask.to_string())).request.body;
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn tools_lose_their_wrappers() {
    let function = json!({"type": "function", "function": {"name": "f", "strict": true}});
    let custom = json!({"type": "custom", "custom": {"name": "sql", "format":
        {"type": "grammar", "grammar": {"syntax": "regex", "definition": "S.*"}}}});
    let own = json!({"type": "file_search", "vector_store_ids": ["v"]});
    let ours = json!({"type": "openrouter:datetime"});
    let body = sent(
        &json!({"tools": [function, custom, own, ours], "parallel_tool_calls": false,
        "web_search_options": {"search_context_size": "low",
            "user_location": {"type": "approximate", "approximate": {"city": "Oslo"}}}}),
    );
    let expected = json!([
        {"type": "function", "name": "f", "strict": true, "parameters": {"type": "object", "properties": {}}},
        {"type": "custom", "name": "sql", "format": {"type": "grammar", "syntax": "regex", "definition": "S.*"}},
        own,
        {"type": "web_search", "search_context_size": "low",
         "user_location": {"type": "approximate", "city": "Oslo"}}]);
    assert_eq!(body["tools"], expected);
    assert_eq!(body["parallel_tool_calls"], false);
    for (choice, expected) in [
        (json!("any"), json!("required")),
        (json!("none"), json!("none")),
        (
            json!({"type": "function", "function": {"name": "f"}}),
            json!({"type": "function", "name": "f"}),
        ),
        (
            json!({"type": "custom", "custom": {"name": "sql"}}),
            json!({"type": "custom", "name": "sql"}),
        ),
        (
            json!({"type": "file_search"}),
            json!({"type": "file_search"}),
        ),
        (json!({"type": "openrouter:datetime"}), Value::Null),
        (
            json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [function]}}),
            json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}),
        ),
    ] {
        let body = sent(&json!({"tools": [function, custom, own], "tool_choice": choice}));
        assert_eq!(body["tool_choice"], expected, "{choice}");
    }
}

#[test]
fn parameters_are_spelled_as_the_dialect_spells_them() {
    let body = sent(&json!({
        "max_tokens": 9, "seed": 1, "stop": "x", "n": 2, "user": "u", "logprobs": true, "top_logprobs": 3,
        "verbosity": "low", "reasoning": {"max_tokens": 4000, "context": "auto"}, "truncation": "auto",
        "response_format": {"type": "json_schema", "json_schema":
            {"name": "a", "schema": {"type": "object"}, "strict": true}},
        "include": ["file_search_call.results"], "prompt_cache_key": "k",
        "provider": {"options": {"openai": {"temperature": 0.5, "model": "no"}, "azure": {"x": 1}}}}));
    let mut expected = json!({
        "model": "recorded", "input": [{"role": "user", "content": "Hi"}], "store": false,
        "include": ["file_search_call.results", "reasoning.encrypted_content", "message.output_text.logprobs"],
        "max_output_tokens": 9, "top_logprobs": 3, "prompt_cache_key": "k", "truncation": "auto",
        "text": {"verbosity": "low", "format":
            {"type": "json_schema", "name": "a", "schema": {"type": "object"}, "strict": true}},
        "reasoning": {"effort": "xhigh", "context": "auto", "summary": "auto"}, "temperature": 0.5});
    // The budget is all of the answer and more: the level nearest to it is a matter of the ratios.
    expected["reasoning"]["effort"] = body["reasoning"]["effort"].clone();
    assert_eq!(body, expected);
    let hidden = sent(&json!({"reasoning": {"effort": "high", "exclude": true}}));
    assert_eq!(hidden["reasoning"], json!({"effort": "high"}));
}

#[test]
fn parts_of_messages_have_their_form_or_are_refused() {
    let part = |part: Value| {
        sent(&json!({"messages": [{"role": "user", "name": "Ada", "content": [part]}]}))
    };
    let file = part(json!({"type": "file", "file": {"file_data": "https://a.example/b.pdf"}}));
    assert_eq!(
        file["input"][0]["content"],
        json!([
        {"type": "input_text", "text": "Ada: "},
        {"type": "input_file", "file_url": "https://a.example/b.pdf"}])
    );
    let ask = chat(
        r#"{"messages":[{"role":"user","content":[{"type":"video_url","video_url":{"url":"https://a.example/v"}}]}]}"#,
    );
    let refused = host("openai").try_encode(&ask).unwrap_err().to_string();
    assert!(refused.starts_with("messages[0].content[0]: "), "{refused}");
}

#[test]
fn custom_calls_come_back_as_what_they_were() {
    let body = sent(&json!({
        "tools": [{"type": "custom", "custom": {"name": "sql"}}],
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "one", "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "sql", "arguments": "SELECT 1"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "1"}]}));
    let expected = json!([
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "one"},
        {"type": "custom_tool_call", "call_id": "c", "name": "sql", "input": "SELECT 1"},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "1"}]);
    assert_eq!(body["input"], expected);
}
