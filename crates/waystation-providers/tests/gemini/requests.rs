//! What leaves beside the messages, member by member.

use serde_json::{Value, json};
use waystation_core::{AuthScheme, EncodeError, Parameter, ParameterSet, ServiceTier};

use crate::{
    studio,
    target::{Host, chat},
    vertex,
};

/// The body that a request makes.
pub(crate) fn body(host: &Host, request: &Value) -> Value {
    let call = host.encode(&chat(&request.to_string()));
    serde_json::from_slice(&call.request.body).unwrap()
}

/// What is wrong with a request.
pub(crate) fn refusal(host: &Host, request: &Value) -> String {
    let refused = host.try_encode(&chat(&request.to_string()));
    refused.unwrap_err().to_string()
}

/// A request of one message, with these members beside it.
fn with(members: Value) -> Value {
    let mut request = chat_of(json!([{"role": "user", "content": "Hi"}]));
    if let (Value::Object(request), Value::Object(members)) = (&mut request, members) {
        request.extend(members);
    }
    request
}

/// A request of these messages.
fn chat_of(messages: Value) -> Value {
    Value::from_iter([("messages", messages)])
}

/// The `generationConfig` that members come to.
fn config(host: &Host, members: Value) -> Value {
    body(host, &with(members))["generationConfig"].clone()
}

/// A model that takes budgets and no signatures.
pub(crate) fn flash() -> Host {
    studio("gemini-2.5-flash")
}

/// A model that takes levels and wants signatures.
pub(crate) fn third() -> Host {
    studio("gemini-3-flash-preview")
}

#[test]
fn addresses_and_credentials_are_those_of_the_host() {
    let url = |host: &Host, stream: bool| {
        let request = host
            .encode(&chat(&with(json!({"stream": stream})).to_string()))
            .request;
        (request.url.to_string(), request.headers)
    };
    let mut host = studio("gemini-3-flash-preview");
    let (found, headers) = url(&host, true);
    assert_eq!(
        found,
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-3-flash-preview:streamGenerateContent?alt=sse"
    );
    assert_eq!(headers["x-goog-api-key"], "sk-test-0123456789");
    assert!(headers["x-goog-api-key"].is_sensitive() && !headers.contains_key("authorization"));
    host.upstream.base_url = "http://127.0.0.1:8900/case/a/".into();
    host.endpoint.upstream_model = "models/../x?y".into();
    assert_eq!(
        url(&host, false).0,
        "http://127.0.0.1:8900/case/a/v1beta/models/..%2Fx%3Fy:generateContent"
    );

    let mut host = vertex("gemini-2.5-flash");
    let (found, headers) = url(&host, false);
    assert_eq!(
        found,
        "https://us-central1-aiplatform.googleapis.com/v1/projects/some-project/locations/us-central1/publishers/google/models/gemini-2.5-flash:generateContent"
    );
    assert_eq!(headers["authorization"], "Bearer sk-test-0123456789");
    host.upstream.settings.region = None;
    assert!(url(&host, false).0.contains("/locations/global/"));
    host.upstream.settings.project = None;
    let refused = host.try_encode(&chat(&with(json!({})).to_string()));
    assert!(
        matches!(
            refused,
            Err(EncodeError::Address {
                setting: "project",
                ..
            })
        ),
        "{refused:?}"
    );
    host.upstream.auth = AuthScheme::XGoogApiKey;
    assert_eq!(
        url(&host, false).0,
        "https://us-central1-aiplatform.googleapis.com/v1/publishers/google/models/gemini-2.5-flash:generateContent"
    );
}

fn function(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "strict": true, "parameters": {"type": "object", "$defs": {}}}})
}

#[test]
fn tools_leave_as_declarations_and_native_tools() {
    let mut tools = json!([
        function("f"),
        {"function": {"name": "g", "description": "d"}},
        {"type": "web_search"},
        {"type": "file_search", "file_search": {"fileSearchStoreNames": ["s"]}},
        {"type": "openrouter:web_search"},
        {"type": "strange"},
    ]);
    let call = third().encode(&chat(&with(json!({"tools": tools})).to_string()));
    let sent: Value = serde_json::from_slice(&call.request.body).unwrap();
    assert_eq!(
        sent["tools"],
        json!([
            {"functionDeclarations": [
                {"name": "f", "parametersJsonSchema": {"type": "object", "$defs": {}}},
                {"name": "g", "description": "d"},
            ]},
            {"googleSearch": {}},
            {"fileSearch": {"fileSearchStoreNames": ["s"]}},
        ])
    );
    assert_eq!(call.notes[0].field, "tools[5]");
    assert_eq!(call.notes.len(), 1);
    let mut host = third();
    host.endpoint.parameters = ParameterSet::ALL.without(Parameter::Tools);
    tools.as_array_mut().unwrap().truncate(3);
    let sent = body(&host, &with(json!({"tools": tools, "tool_choice": "auto"})));
    assert!(sent.get("tools").is_none() && sent.get("toolConfig").is_none());
    let searched = body(&third(), &with(json!({"web_search_options": {}})));
    assert_eq!(searched["tools"], json!([{"googleSearch": {}}]));
}

#[test]
fn every_choice_of_a_tool_has_its_mode() {
    let allowed = |mode: &str| json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [function("f")]}});
    for (choice, expected) in [
        (json!("none"), json!({"mode": "NONE"})),
        (json!("auto"), json!({"mode": "AUTO"})),
        (json!("required"), json!({"mode": "ANY"})),
        (json!("any"), json!({"mode": "ANY"})),
        (
            json!({"type": "function", "function": {"name": "f"}}),
            json!({"mode": "ANY", "allowedFunctionNames": ["f"]}),
        ),
        (
            allowed("required"),
            json!({"mode": "ANY", "allowedFunctionNames": ["f"]}),
        ),
        (
            allowed("auto"),
            json!({"mode": "VALIDATED", "allowedFunctionNames": ["f"]}),
        ),
    ] {
        let sent = body(
            &flash(),
            &with(json!({"tools": [function("f")], "tool_choice": choice})),
        );
        assert_eq!(
            sent["toolConfig"],
            json!({"functionCallingConfig": expected}),
            "{choice}"
        );
    }
    let older = body(
        &flash(),
        &with(json!({"functions": [{"name": "h"}], "function_call": {"name": "h"}})),
    );
    assert_eq!(older["tools"][0]["functionDeclarations"][0]["name"], "h");
    assert_eq!(
        older["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"],
        json!(["h"])
    );
}

#[test]
fn parameters_have_their_names_here_or_stay() {
    let all = json!({
        "temperature": 0.70, "top_p": 0.9, "top_k": 40, "frequency_penalty": 1, "presence_penalty": -1,
        "max_tokens": 5, "max_completion_tokens": 6, "stop": ["a", "b"], "seed": -3, "n": 2,
        "logprobs": true, "top_logprobs": 3, "modalities": ["text", "image"],
        "audio": {"voice": "Kore", "format": "wav"}, "image_config": {"aspectRatio": "1:1"},
        "min_p": 0.1, "top_a": 0.1, "repetition_penalty": 1.1, "logit_bias": {"1": 1}, "verbosity": "low",
        "user": "u", "metadata": {"a": "b"}, "parallel_tool_calls": false, "store": true, "prediction": {},
    });
    let mut host = flash();
    let mut sent = body(&host, &with(all.clone()));
    let config = sent["generationConfig"].take();
    assert_eq!(
        config,
        json!({
            "temperature": 0.7, "topP": 0.9, "topK": 40, "frequencyPenalty": 1, "presencePenalty": -1,
            "maxOutputTokens": 6, "stopSequences": ["a", "b"], "seed": -3, "candidateCount": 2,
            "responseLogprobs": true, "logprobs": 3, "responseModalities": ["TEXT", "IMAGE"],
            "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
            "imageConfig": {"aspectRatio": "1:1"},
        })
    );
    let left: Vec<&String> = sent.as_object().unwrap().keys().collect();
    assert_eq!(left, ["contents", "generationConfig"]);
    host.endpoint.parameters = ParameterSet::EMPTY.with(Parameter::TopP);
    let config = body(&host, &with(all))["generationConfig"].clone();
    assert_eq!(config["topP"], 0.9);
    assert!(config.get("temperature").is_none() && config.get("maxOutputTokens").is_none());
    assert!(config.get("seed").is_none() && config.get("stopSequences").is_none());
    let config = self::config(
        &flash(),
        json!({"seed": 12_479_678_939_117_453_000_u64, "logprobs": false, "stop": "x"}),
    );
    assert_eq!(
        config,
        json!({"seed": 12_479_678_939_117_453_000_u64 & 0x7fff_ffff, "stopSequences": ["x"]})
    );
}

#[test]
fn formats_leave_as_types_and_schemas() {
    let schema = json!({"type": "json_schema", "json_schema": {"name": "s", "strict": true, "schema": {"type": "object"}}});
    let expected =
        json!({"responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}});
    assert_eq!(
        config(&flash(), json!({"response_format": schema})),
        expected
    );
    let object = config(
        &flash(),
        json!({"response_format": {"type": "json_object"}}),
    );
    assert_eq!(object, json!({"responseMimeType": "application/json"}));
    assert_eq!(
        config(&flash(), json!({"response_format": {"type": "text"}})),
        Value::Null
    );
    assert_eq!(
        config(
            &third(),
            json!({"response_format": schema, "tools": [function("f")]})
        ),
        expected
    );
    let sent = body(
        &flash(),
        &with(json!({"response_format": schema, "tools": [function("f")]})),
    );
    assert!(sent.get("generationConfig").is_none());
    let words = sent["systemInstruction"]["parts"][0]["text"]
        .as_str()
        .unwrap();
    assert!(words.ends_with("{\"type\":\"object\"}"), "{words}");
    let mut host = flash();
    host.endpoint.parameters = ParameterSet::EMPTY;
    let call = host.encode(&chat(&with(json!({"response_format": schema})).to_string()));
    assert_eq!(call.notes[0].field, "response_format");
}

#[test]
fn the_wish_to_reason_is_in_the_models_measure() {
    let thinking =
        |model: &str, wish: Value| config(&studio(model), with(wish))["thinkingConfig"].clone();
    for (model, wish, expected) in [
        (
            "gemini-3-flash-preview",
            json!({"reasoning": {"effort": "xhigh"}}),
            json!({"thinkingLevel": "high", "includeThoughts": true}),
        ),
        (
            "gemini-3-flash-preview",
            json!({"reasoning": {"max_tokens": 2000}}),
            json!({"thinkingBudget": 2000, "includeThoughts": true}),
        ),
        (
            "gemini-3-flash-preview",
            json!({"reasoning_effort": "none"}),
            json!({"thinkingLevel": "minimal"}),
        ),
        (
            "gemini-3.1-pro-preview",
            json!({"reasoning_effort": "minimal"}),
            json!({"thinkingLevel": "low", "includeThoughts": true}),
        ),
        (
            "gemini-2.5-flash",
            json!({"reasoning": {"effort": "medium"}, "max_tokens": 10_000}),
            json!({"thinkingBudget": 5000, "includeThoughts": true}),
        ),
        (
            "gemini-2.5-flash",
            json!({"reasoning": {"effort": "high", "exclude": true}}),
            json!({"thinkingBudget": 24_576, "includeThoughts": false}),
        ),
        (
            "gemini-2.5-flash",
            json!({"reasoning": {"enabled": false}}),
            json!({"thinkingBudget": 0}),
        ),
        (
            "gemini-2.5-flash",
            json!({"reasoning": {"enabled": true}}),
            json!({"includeThoughts": true}),
        ),
        (
            "gemini-2.5-flash-lite",
            json!({"include_reasoning": true}),
            json!({"thinkingBudget": -1, "includeThoughts": true}),
        ),
        (
            "gemini-2.5-flash",
            json!({"include_reasoning": false}),
            Value::Null,
        ),
        ("gemini-2.5-flash", json!({}), Value::Null),
    ] {
        assert_eq!(thinking(model, wish.clone()), expected, "{model} {wish}");
    }
}

#[test]
fn a_wish_that_the_model_cannot_have_is_refused_or_stays() {
    let refused = refusal(
        &studio("gemini-2.5-pro"),
        &with(json!({"reasoning": {"effort": "none"}})),
    );
    assert!(
        refused.starts_with("reasoning.effort: gemini-2.5-pro always reasons"),
        "{refused}"
    );
    let mut host = flash();
    host.endpoint.parameters = ParameterSet::EMPTY;
    assert_eq!(
        config(&host, json!({"reasoning_effort": "low"})),
        Value::Null
    );
}

#[test]
fn members_for_this_host_alone_go_through() {
    let request = with(json!({
        "safetySettings": [], "cachedContent": "c", "thinking_config": {"thinkingBudget": 1}, "mediaResolution": "LOW",
        "temperature": 1, "tools": [function("f")], "tool_choice": "auto",
        "provider": {"options": {
            "google-ai-studio": {"labels": {"a": "b"}, "contents": [], "generationConfig": {"temperature": 0, "topK": 1}, "toolConfig": {"includeServerSideToolInvocations": true}},
            "other": {"x": 1},
        }},
        "contents": "mine",
    }));
    let call = flash().encode(&chat(&request.to_string()));
    let sent: Value = serde_json::from_slice(&call.request.body).unwrap();
    assert_eq!(
        sent["generationConfig"],
        json!({"temperature": 0, "thinking_config": {"thinkingBudget": 1}, "mediaResolution": "LOW", "topK": 1})
    );
    assert_eq!(
        (
            &sent["safetySettings"],
            &sent["cachedContent"],
            &sent["labels"]
        ),
        (&json!([]), &json!("c"), &json!({"a": "b"}))
    );
    assert_eq!(
        sent["toolConfig"],
        json!({"functionCallingConfig": {"mode": "AUTO"}, "includeServerSideToolInvocations": true})
    );
    assert_eq!(sent["contents"].as_array().unwrap().len(), 1);
    assert!(sent.get("x").is_none() && sent.get("provider").is_none());
    assert_eq!(
        call.notes[0].field,
        "provider.options.google-ai-studio.contents"
    );
}

#[test]
fn tiers_go_into_the_body_or_a_header() {
    let mut host = third();
    assert!(
        body(&host, &with(json!({"service_tier": "flex"})))
            .get("serviceTier")
            .is_none()
    );
    assert_eq!(
        body(&host, &with(json!({"service_tier": "standard"})))["serviceTier"],
        "standard"
    );
    host.endpoint.service_tier = Some(ServiceTier::Fast);
    assert_eq!(body(&host, &with(json!({})))["serviceTier"], "priority");
    let mut host = vertex("gemini-3-flash-preview");
    host.endpoint.service_tier = Some(ServiceTier::Flex);
    let call = host.encode(&chat(&with(json!({})).to_string()));
    assert_eq!(
        call.request.headers["x-vertex-ai-llm-shared-request-type"],
        "flex"
    );
    assert!(!String::from_utf8_lossy(&call.request.body).contains("serviceTier"));
}

#[test]
fn nothing_takes_the_place_of_the_contents() {
    let body = r#"{"messages":[{"role":"user","content":"Hi"}],"\u0063ontents":[],"Con_tents":[],"odd \" key\n":1}"#;
    let call = flash().encode(&chat(body));
    let sent = String::from_utf8(call.request.body.to_vec()).unwrap();
    assert_eq!(
        sent,
        r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"odd \" key\n":1}"#
    );
}
