//! The provider's own search of the web: how each wire is asked for it, what comes back as citations
//! and counts, and that its steps go back as they came.
#![cfg(test)]

#[path = "support/heard.rs"]
mod heard;
#[path = "support/recorded.rs"]
mod recorded;
#[path = "support/reply.rs"]
mod reply;
#[path = "support/target.rs"]
mod target;

use heard::{in_order, message};
use recorded::cases;
use reply::{head, read};
use serde_json::{Value, json};
use target::{Host, chat};
use waystation_core::{
    Answer, AuthScheme, Call, NativeSearch, Parameter, ParameterSet, Quirks, WebSearchRequest,
};

/// A host of a dialect, with its usual quirks.
fn host(dialect: &str, model: &str) -> Host {
    let mut host = Host::new("acme", model);
    host.endpoint.dialect = dialect.parse().unwrap();
    host
}

/// The wish with everything in it.
fn wish() -> Value {
    json!({"type": "openrouter:web_search", "parameters": {
        "engine": "native", "max_results": 4, "max_uses": 3, "search_context_size": "low",
        "allowed_domains": ["https://*.example.org/blog/", "*.acme.com"], "excluded_domains": ["bad.example"],
        "user_location": {"type": "approximate", "city": "Oslo", "country": "NO", "region": null}}})
}

/// The wish without these members.
fn without(keys: &[&str]) -> Value {
    let mut wish = wish();
    let parameters = wish["parameters"].as_object_mut().unwrap();
    parameters.retain(|key, _| !keys.contains(&key.as_str()));
    wish
}

fn ask(host: &Host, tools: &[Value]) -> Call {
    let ask = json!({"messages": [{"role": "user", "content": "News?"}], "tools": tools});
    host.encode(&chat(&ask.to_string()))
}

fn body(call: &Call) -> Value {
    serde_json::from_slice(&call.request.body).unwrap()
}

/// What the notes are about, in one line each.
fn notes(call: &Call) -> Vec<String> {
    let note = |note: &waystation_core::Note| format!("{}: {}", note.field, note.what);
    call.notes.iter().map(note).collect()
}

fn function(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}})
}

#[test]
fn anthropic_gets_its_own_tool() {
    let host = host("anthropic-messages", "claude-sonnet-4-5");
    let call = ask(&host, &[wish()]);
    let place = json!({"type": "approximate", "city": "Oslo", "country": "NO"});
    let expected = json!([{"type": "web_search_20250305", "name": "web_search", "max_uses": 3,
        "allowed_domains": ["example.org/blog", "acme.com"], "user_location": place}]);
    assert_eq!(body(&call)["tools"], expected);
    assert_eq!(body(&call).get("tool_choice"), None);
    assert_eq!(notes(&call).len(), 1, "{:?}", notes(&call));
    let call = ask(
        &host,
        &[without(&["allowed_domains", "user_location", "max_uses"])],
    );
    let expected = json!([{"type": "web_search_20250305", "name": "web_search",
        "blocked_domains": ["bad.example"]}]);
    assert_eq!(body(&call)["tools"], expected);
}

#[test]
fn a_function_of_the_clients_may_have_the_name_of_anthropics_tool() {
    let host = host("anthropic-messages", "claude-sonnet-4-5");
    let mut call = ask(&host, &[function("web_search"), wish()]);
    let sent = body(&call);
    let names: Vec<&str> = sent["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["web_search_", "web_search"]);
    let reply = json!({"type": "message", "content": [
        {"type": "tool_use", "id": "toolu_1", "name": "web_search_", "input": {}}],
        "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1}});
    let mut events = Vec::new();
    call.reader.head(&head(200, &[])).unwrap();
    call.reader
        .push(&reply.to_string().into(), &mut events)
        .unwrap();
    call.reader.finish(&mut events).unwrap();
    let answer = Answer::of(events);
    assert_eq!(answer.choices[0].tool_calls[0].name.decode(), "web_search");
}

#[test]
fn an_answer_of_a_form_may_be_searched_for_first() {
    let mut host = host("anthropic-messages", "claude-3-5-haiku");
    host.endpoint.parameters = ParameterSet::ALL.without(Parameter::StructuredOutputs);
    let ask = json!({"messages": [{"role": "user", "content": "News?"}], "tools": [wish()],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}});
    let sent = body(&host.encode(&chat(&ask.to_string())));
    if sent["tools"].as_array().unwrap().len() > 1 {
        assert_eq!(sent["tool_choice"]["type"], "any");
    }
}

#[test]
fn responses_get_a_web_search() {
    let mut host = host("openai-responses", "gpt-5.4");
    let place = json!({"type": "approximate", "city": "Oslo", "country": "NO"});
    let call = ask(&host, &[wish(), function("f")]);
    let expected = json!({"type": "web_search", "filters": {"allowed_domains": ["example.org", "acme.com"]},
        "search_context_size": "low", "user_location": place});
    assert_eq!(body(&call)["tools"][1], expected);
    let excluding = without(&["allowed_domains", "search_context_size", "user_location"]);
    let call = ask(&host, std::slice::from_ref(&excluding));
    assert_eq!(body(&call)["tools"], json!([{"type": "web_search"}]));
    assert_eq!(notes(&call).len(), 1);
    let both = without(&["search_context_size", "user_location"]);
    let allowed = json!(["example.org", "acme.com"]);
    for (takes, tool, filters, noted) in [
        (
            NativeSearch::Either,
            &excluding,
            json!({"excluded_domains": ["bad.example"]}),
            0,
        ),
        (
            NativeSearch::Either,
            &both,
            json!({"allowed_domains": allowed}),
            1,
        ),
        (
            NativeSearch::Both,
            &excluding,
            json!({"blocked_domains": ["bad.example"]}),
            0,
        ),
        (
            NativeSearch::Both,
            &both,
            json!({"allowed_domains": allowed, "blocked_domains": ["bad.example"]}),
            0,
        ),
    ] {
        host.endpoint.search = Some(takes);
        let call = ask(&host, std::slice::from_ref(tool));
        let expected = json!([{"type": "web_search", "filters": filters}]);
        assert_eq!(body(&call)["tools"], expected, "{takes:?}");
        assert_eq!(notes(&call).len(), noted, "{takes:?}");
    }
}

#[test]
fn chat_completions_that_search_elsewhere_send_the_request_there() {
    let quirks = Quirks {
        web_search: WebSearchRequest::Responses,
        ..Quirks::default()
    };
    let mut host = host("openai-chat", "gpt-5.4").with(quirks);
    host.endpoint.parameters = ParameterSet::ALL.without(Parameter::WebSearchOptions);
    let mut call = ask(&host, &[wish()]);
    assert_eq!(call.request.url, "https://api.example.com/v1/responses");
    assert_eq!(body(&call)["tools"][0]["type"], "web_search");
    let reply = json!({"status": "completed", "output": [
        {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "news"}},
        {"type": "web_search_call", "id": "ws_2", "action": {"type": "open_page", "url": "https://a.example"}},
        {"type": "message", "content": [{"type": "output_text", "text": "It rains.", "annotations": [
            {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 9}]}]}],
        "usage": {"input_tokens": 3, "output_tokens": 4}});
    let mut events = Vec::new();
    call.reader.head(&head(200, &[])).unwrap();
    call.reader
        .push(&reply.to_string().into(), &mut events)
        .unwrap();
    call.reader.finish(&mut events).unwrap();
    let answer = Answer::of(events);
    assert_eq!(answer.usage.as_ref().unwrap().web_searches, Some(1));
    let cited = answer.choices[0].annotations().unwrap();
    assert!(cited.json().text().contains("https://a.example"));
    // Without a search the request stays where it was.
    assert!(
        ask(&host, &[function("f")])
            .request
            .url
            .path()
            .ends_with("/chat/completions")
    );
}

#[test]
fn chat_completions_ask_as_each_host_wants_it() {
    let sent = |quirk, tool: &Value| {
        let quirks = Quirks {
            web_search: quirk,
            ..Quirks::default()
        };
        let call = ask(
            &host("openai-chat", "sonar").with(quirks),
            std::slice::from_ref(tool),
        );
        (body(&call), notes(&call).len())
    };
    let options = json!({"search_context_size": "low", "user_location": {"type": "approximate",
        "approximate": {"city": "Oslo", "country": "NO"}}});
    let (body, noted) = sent(WebSearchRequest::Options, &wish());
    assert_eq!(
        (&body["web_search_options"], noted, body.get("tools")),
        (&options, 2, None)
    );
    let (body, noted) = sent(WebSearchRequest::DomainFilter, &wish());
    assert_eq!((&body["web_search_options"], noted), (&options, 1));
    assert_eq!(
        body["search_domain_filter"],
        json!(["example.org/blog", "acme.com"])
    );
    let (body, _) = sent(
        WebSearchRequest::DomainFilter,
        &without(&["allowed_domains"]),
    );
    assert_eq!(body["search_domain_filter"], json!(["-bad.example"]));
    let (body, _) = sent(WebSearchRequest::EnableSearch, &wish());
    assert_eq!(
        (&body["enable_search"], body.get("tools")),
        (&json!(true), None)
    );
    let (body, _) = sent(WebSearchRequest::Tool, &wish());
    let tool = &body["tools"][0];
    assert_eq!(
        (&tool["type"], &tool["web_search"]["count"]),
        (&json!("web_search"), &json!(4))
    );
}

#[test]
fn another_gateway_gets_the_tool_as_it_came() {
    let quirks = Quirks {
        takes_reasoning_details: true,
        ..Quirks::default()
    };
    let mut other = wish();
    other["type"] = "waystation:web_search".into();
    let call = ask(
        &host("openai-chat", "acme/fast").with(quirks),
        &[function("f"), other],
    );
    // Which engine is the other gateway's choice.
    assert_eq!(
        body(&call)["tools"],
        json!([function("f"), without(&["engine"])])
    );
    assert!(notes(&call).is_empty());
}

#[test]
fn gemini_searches_with_google() {
    let studio = host("gemini", "gemini-3.1-pro-preview");
    let call = ask(&studio, &[wish(), function("f")]);
    let sent = body(&call);
    assert_eq!(sent["tools"][1], json!({"googleSearch": {}}));
    assert_eq!(sent["toolConfig"]["includeServerSideToolInvocations"], true);
    assert_eq!(notes(&call).len(), 2);
    let mut vertex = host("gemini", "gemini-3.1-pro-preview");
    vertex.upstream.auth = AuthScheme::GoogleOauth;
    vertex.upstream.settings.project = Some("p".into());
    let sent = body(&ask(&vertex, &[wish()]));
    assert_eq!(
        sent["tools"],
        json!([{"googleSearch": {"excludeDomains": ["bad.example"]}}])
    );
    assert_eq!(sent.get("toolConfig"), None);
    // Before the third generation a search beside functions is refused.
    let call = ask(&host("gemini", "gemini-2.5-pro"), &[wish(), function("f")]);
    assert_eq!(body(&call)["tools"].as_array().unwrap().len(), 1);
    assert_eq!(notes(&call).len(), 1);
}

#[test]
fn wires_without_a_search_say_so() {
    let mut bare = host("openai-chat", "llama");
    bare.endpoint.parameters = ParameterSet::ALL.without(Parameter::WebSearchOptions);
    for host in [
        bare,
        host("cohere-chat", "command-a"),
        host("bedrock-converse", "anthropic.claude-sonnet-4-5"),
    ] {
        let call = ask(&host, &[wish(), function("f")]);
        let sent = body(&call).to_string();
        assert!(!sent.contains("search"), "{sent}");
        assert!(
            notes(&call).iter().any(|note| note.contains("has none")),
            "{:?}",
            notes(&call)
        );
    }
    let sent = body(&ask(
        &host("bedrock-converse", "us.amazon.nova-2-lite-v1:0"),
        &[wish()],
    ));
    assert_eq!(
        sent["toolConfig"]["tools"],
        json!([{"systemTool": {"name": "nova_grounding"}}])
    );
}

#[test]
fn a_search_of_the_gateways_own_does_not_leave() {
    let mut exa = wish();
    exa["parameters"]["engine"] = "exa".into();
    let plain = json!({"type": "openrouter:web_search"});
    for dialect in [
        "openai-chat",
        "openai-responses",
        "anthropic-messages",
        "gemini",
        "cohere-chat",
    ] {
        let call = ask(&host(dialect, "some-model"), &[exa.clone(), plain.clone()]);
        assert_eq!(body(&call).get("tools"), None, "{dialect}");
        assert!(notes(&call).is_empty(), "{dialect}");
    }
}

/// Everything that the provider's tools did in a recorded response, in its order.
fn steps(response: &Value) -> Vec<Value> {
    let output = response["output"].as_array().cloned().unwrap_or_default();
    let kind = |item: &Value| item["type"].as_str().unwrap_or_default().to_owned();
    let known = [
        "message",
        "reasoning",
        "function_call",
        "custom_tool_call",
        "image_generation_call",
    ];
    output
        .into_iter()
        .filter(|item| !known.contains(&&*kind(item)))
        .collect()
}

#[test]
fn steps_of_the_hosts_tools_go_back_as_the_items_that_they_were() {
    let mut ran = 0;
    for case in cases("openai-responses", 74) {
        if case.status() != 200 || case.streamed() {
            continue;
        }
        let recorded: Value = serde_json::from_slice(&case.response).unwrap();
        let host = host("openai-responses", "gpt-5.4");
        let reader = host
            .encode(&chat(r#"{"messages":[{"role":"user","content":"Hi"}]}"#))
            .reader;
        let (events, _) = read(reader, &head(200, &[]), [&*case.response]);
        in_order(&case.name, &events);
        let said = message(&events);
        let ask = json!({"messages": [{"role": "user", "content": "Hi"}, said, {"role": "user", "content": "And?"}]});
        let sent = body(&host.encode(&chat(&ask.to_string())));
        let sent = json!({"output": sent["input"].as_array().unwrap().iter()
            .filter(|item| item["role"].is_null() && item["type"] != "function_call_output").collect::<Vec<_>>()});
        assert_eq!(steps(&sent), steps(&recorded), "{}", case.name);
        ran += steps(&recorded).len();
    }
    println!("{ran} steps went back");
    assert!(ran >= 10 || cases("openai-responses", 74).is_empty());
}

#[test]
fn recorded_clients_ask_for_the_same_tool() {
    let mut asked = 0;
    for case in cases("openai-responses", 74) {
        let tools = case
            .request
            .as_ref()
            .map(|request| request["tools"].clone());
        let tools = tools.unwrap_or_default();
        for tool in tools.as_array().into_iter().flatten() {
            if tool["type"] == "web_search" {
                let call = ask(
                    &host("openai-responses", "m"),
                    &[without(&["search_context_size"])],
                );
                let sent = body(&call)["tools"][0]["type"].clone();
                assert_eq!(sent, tool["type"], "{} {}", case.provider, case.name);
                asked += 1;
            }
        }
    }
    println!("{asked} recorded searches");
    assert!(asked >= 5 || cases("openai-responses", 74).is_empty());
}

#[test]
fn what_a_host_has_found_by_its_own_tools_is_cited() {
    let found = json!({"title": "A", "url": "https://a.example", "content": "rain", "score": 0.9});
    let linked =
        json!([{"title": "A", "link": "https://a.example", "content": "rain", "refer": "1"}]);
    let searched = json!([{"index": 0, "type": "search", "search_results": {"results": [found]}}]);
    for (message, top) in [
        (
            json!({"content": "It rains.", "executed_tools": searched}),
            Value::Null,
        ),
        (json!({"content": "It rains."}), linked),
    ] {
        let reply =
            json!({"choices": [{"message": message, "finish_reason": "stop"}], "web_search": top});
        let call = ask(&host("openai-chat", "compound"), &[]);
        let (events, ended) = read(call.reader, &head(200, &[]), [reply.to_string().as_bytes()]);
        ended.unwrap();
        let answer = Answer::of(events);
        let cited: Value =
            serde_json::from_slice(answer.choices[0].annotations().unwrap().bytes()).unwrap();
        let expected = json!({"url": "https://a.example", "title": "A", "content": "rain", "start_index": 0, "end_index": 0});
        assert_eq!(cited[0]["url_citation"], expected, "{reply}");
    }
}
