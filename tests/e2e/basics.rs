//! The plain request: shape, keys, and which members are passed on. Members that are refused are in
//! `limits`.

use http::{Method, header};
use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::{Setup, Station, ask, asking};

const KEY: &str = "a-client-key-of-good-length";

fn hello() -> ReplayTransport {
    ReplayTransport::answering(|_, _| fixtures::answer("Hello", 5, 2))
}

fn hello_streamed() -> ReplayTransport {
    ReplayTransport::answering(|_, _| fixtures::answer_stream(&["Hel", "lo"], 5, 2))
}

/// Statement 1.
#[tokio::test(start_paused = true)]
async fn a_whole_reply_has_the_shape_that_clients_expect() {
    let station = Setup::mocks().start(hello());
    let body = station.chat(ask(json!({}))).await.ok();
    assert_shape(&body);
}

fn assert_shape(body: &Value) {
    assert!(body["id"].as_str().unwrap().starts_with("gen-"), "{body}");
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["model"], fixtures::M);
    assert_eq!(body["provider"], "A");
    assert!(body["created"].as_u64().unwrap() > 1_700_000_000, "{body}");
    assert_eq!(body["choices"].as_array().unwrap().len(), 1);
    let choice = &body["choices"][0];
    assert_eq!(choice["index"], 0);
    assert_eq!(choice["finish_reason"], "stop");
    assert_eq!(choice["native_finish_reason"], "stop");
    assert_eq!(choice["message"]["role"], "assistant");
    assert_eq!(choice["message"]["content"], "Hello");
    let usage = &body["usage"];
    assert_eq!(
        (&usage["prompt_tokens"], &usage["completion_tokens"]),
        (&json!(5), &json!(2))
    );
    assert_eq!(usage["total_tokens"], 7);
    assert_eq!(usage["is_byok"], false);
}

/// Statement 2.
#[tokio::test(start_paused = true)]
async fn both_path_prefixes_answer_alike() {
    let station = Setup::mocks().start(hello());
    let request = |path: &str| Station::request(Method::POST, path, ask(json!({})).to_string());
    let got = station.whole(request("/api/v1/chat/completions")).await;
    assert_shape(&got.ok());
    let missing = station
        .whole(request("/v2/chat/completions"))
        .await
        .error(404);
    assert_eq!(missing["error_type"], "not_found");
    assert!(
        missing["message"]
            .as_str()
            .unwrap()
            .contains("/v2/chat/completions")
    );
}

/// Statement 3.
#[tokio::test(start_paused = true)]
async fn without_a_valid_key_nobody_is_served() {
    let station = Setup::mocks()
        .config(&format!("[auth]\nkeys = ['{KEY}']"))
        .start(hello());
    let with = async |name: Option<header::HeaderName>, value: &str| {
        let mut request = Station::request(
            Method::POST,
            "/v1/chat/completions",
            ask(json!({})).to_string(),
        );
        if let Some(name) = name {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        station.whole(request).await
    };
    let (bearer, x_api_key) = (
        header::AUTHORIZATION,
        header::HeaderName::from_static("x-api-key"),
    );
    for got in [
        with(None, "").await,
        with(Some(bearer.clone()), "Bearer wrong").await,
        with(Some(bearer.clone()), "Bearer ").await,
        with(Some(bearer.clone()), &format!("Bearer {KEY}x")).await,
        with(Some(bearer.clone()), &format!("Basic {KEY}")).await,
    ] {
        let error = got.error(401);
        assert_eq!(error["error_type"], "authentication");
        assert_eq!(got.header("www-authenticate"), Some("Bearer"));
        assert!(!got.text().contains(KEY));
    }
    assert_eq!(station.upstream().calls(), 0);
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let got = with(Some(bearer.clone()), &format!("{scheme} {KEY}")).await;
        assert_shape(&got.ok());
    }
    assert_shape(&with(Some(x_api_key), KEY).await.ok());
}

/// Watchers of services ask with HEAD, and a browser before it may send a key.
#[tokio::test(start_paused = true)]
async fn what_needs_no_key_needs_none_however_it_is_asked() {
    let station = Setup::mocks()
        .config(&format!("[auth]\nkeys = ['{KEY}']"))
        .start(hello());
    for path in [
        "/health",
        "/ready",
        "/v1/models",
        "/api/v1/models",
        "/v1/providers",
    ] {
        for method in [Method::GET, Method::HEAD] {
            let got = station
                .whole(Station::request(method.clone(), path, ""))
                .await;
            assert_eq!(got.status, 200, "{method} {path}");
        }
    }
    let mut asked = Station::request(Method::OPTIONS, "/v1/chat/completions", "");
    for (name, value) in [
        ("origin", "https://a.example"),
        ("access-control-request-method", "POST"),
    ] {
        asked
            .headers_mut()
            .insert(name, http::HeaderValue::from_static(value));
    }
    let error = station.whole(asked).await.error(403);
    assert!(
        error["message"].as_str().unwrap().contains("cors_origins"),
        "{error}"
    );
}

/// Statement 4.
#[tokio::test(start_paused = true)]
async fn malformed_json_and_missing_messages_are_invalid_requests() {
    let station = Setup::mocks().start(hello());
    for body in [
        "",
        "{",
        "nonsense",
        "[]",
        "\"text\"",
        "null",
        "{\"model\":\"acme/m\"",
        "{\"model\" \"x\"}",
        "{\"model\":\"acme/m\"} trailing",
        "{'model':'acme/m'}",
    ] {
        let error = station.post(body).await.error(400);
        assert_eq!(error["error_type"], "invalid_request", "{body}: {error}");
    }
    for body in [
        json!({"model": "acme/m"}),
        json!({"model": "acme/m", "messages": []}),
    ] {
        let error = station.chat(body.clone()).await.error(400);
        assert_eq!(error["error_type"], "invalid_request");
        assert_eq!(error["param"], "messages", "{body}: {error}");
    }
    assert_eq!(station.upstream().calls(), 0);
}

/// Statement 5.
#[tokio::test(start_paused = true)]
async fn an_unknown_model_is_a_400_that_echoes_it() {
    let station = Setup::mocks().start(hello());
    let error = station
        .chat(asking("acme/none", json!({})))
        .await
        .error(400);
    assert_eq!(error["error_type"], "invalid_request");
    assert_eq!(error["availability"]["code"], "model_not_found");
    assert_eq!(error["availability"]["retryable"], false);
    assert_eq!(
        error["availability"]["requested_models"],
        json!(["acme/none"])
    );
    assert!(error["availability"]["docs_url"].is_string());
    assert!(error["message"].as_str().unwrap().contains("acme/none"));
    assert_eq!(station.upstream().calls(), 0);
}

/// Statement 7.
#[tokio::test(start_paused = true)]
async fn unknown_members_are_forwarded_byte_for_byte() {
    let station = Setup::mocks().start(hello());
    let odd = r#"{ "b" :[1.50,2e3, {"a":"ü"}],"a":null }"#;
    let body = format!(
        r#"{{"model":"acme/m","messages":[{{"role":"user","content":"Hi","x_own":1}}],"safe_prompt":true,"x_odd":{odd}}}"#
    );
    station.post(body).await.ok();
    let sent = String::from_utf8(station.sent()[0].body.to_vec()).unwrap();
    assert!(sent.contains(r#""safe_prompt":true"#), "{sent}");
    assert!(sent.contains(odd), "{sent}");
    assert!(
        sent.contains(r#"{"role":"user","content":"Hi","x_own":1}"#),
        "{sent}"
    );
}

/// Statement 8.
#[tokio::test(start_paused = true)]
async fn an_unknown_provider_key_is_a_400_that_names_it() {
    let station = Setup::mocks().start(hello());
    for (key, near) in [
        ("foo", None),
        ("Require_Parameters", Some("require_parameters")),
    ] {
        let error = station
            .chat(ask(json!({"provider": {key: 1}})))
            .await
            .error(400);
        let message = error["message"].as_str().unwrap();
        assert_eq!(error["error_type"], "invalid_request");
        assert!(message.contains(key), "{message}");
        assert!(near.is_none_or(|near| message.contains(near)), "{message}");
        assert!(
            error["param"].as_str().unwrap().starts_with("provider"),
            "{error}"
        );
    }
    assert_eq!(station.upstream().calls(), 0);
}

/// Statement 9.
#[tokio::test(start_paused = true)]
async fn the_generation_id_is_in_the_header_and_in_the_body() {
    let station = Setup::mocks().start(hello());
    let got = station.chat(ask(json!({}))).await;
    assert_eq!(got.header("x-generation-id"), got.ok()["id"].as_str());
    let station = Setup::mocks().start(hello_streamed());
    let got = station.stream(ask(json!({}))).await;
    assert!(got.header("x-generation-id").is_some());
    for chunk in got.chunks() {
        assert_eq!(got.header("x-generation-id"), chunk["id"].as_str());
    }
}

/// Statement 9, for a stream that begins with a comment: the header has gone out by then.
#[tokio::test(start_paused = true)]
async fn the_generation_id_is_in_the_header_of_a_slow_stream_too() {
    let slow = fixtures::answer_stream(&["Hello"], 5, 1).delay(25_000);
    let station = Setup::mocks().start(ReplayTransport::queue([slow]));
    let got = station.stream(ask(json!({}))).await;
    assert!(got.comments() > 0);
    for chunk in got.chunks() {
        assert_eq!(got.header("x-generation-id"), chunk["id"].as_str());
    }
}

/// Statement 10.
#[tokio::test(start_paused = true)]
async fn null_is_absence() {
    let station = Setup::mocks().start(hello());
    let nulls = json!({
        "models": null, "route": null, "stream": null, "stream_options": null, "usage": null,
        "max_tokens": null, "max_completion_tokens": null, "temperature": null, "top_p": null,
        "top_k": null, "min_p": null, "top_a": null, "frequency_penalty": null,
        "presence_penalty": null, "repetition_penalty": null, "seed": null, "stop": null,
        "logit_bias": null, "logprobs": null, "top_logprobs": null, "n": null, "user": null,
        "session_id": null, "prompt_cache_key": null, "metadata": null, "trace": null, "tools": null,
        "tool_choice": null, "parallel_tool_calls": null, "response_format": null,
        "reasoning": null, "reasoning_effort": null, "include_reasoning": null, "verbosity": null,
        "modalities": null, "service_tier": null, "provider": null, "plugins": null,
        "transforms": null, "debug": null,
    });
    assert_shape(&station.chat(ask(nulls.clone())).await.ok());
    let sent = &station.bodies()[0];
    for key in nulls.as_object().unwrap().keys() {
        assert!(sent.get(key).is_none(), "{key} in {sent}");
    }
    let wishes =
        json!({"provider": {"order": null, "only": null, "sort": null, "max_price": null}});
    assert_shape(&station.chat(ask(wishes)).await.ok());
    let got = station.chat(json!({"model": null, "messages": [{"role": "user", "content": "Hi"}]}));
    assert_shape(&got.await.ok());
}

/// Statement 11.
#[tokio::test(start_paused = true)]
async fn sampling_parameters_are_passed_on_and_never_invented() {
    let station = Setup::mocks().start(hello());
    station.chat(ask(json!({}))).await.ok();
    let body = station.bodies().remove(0);
    let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["messages", "model"]);
    station
        .chat(ask(json!({"temperature": 1, "top_p": 0.5, "seed": 7})))
        .await
        .ok();
    let sent = &station.bodies()[1];
    assert_eq!(sent["temperature"], 1);
    assert_eq!((&sent["top_p"], &sent["seed"]), (&json!(0.5), &json!(7)));
}

/// Statement 13.
#[tokio::test(start_paused = true)]
async fn of_two_limits_on_output_the_newer_name_wins_and_goes_once() {
    let station = Setup::mocks().start(hello());
    for (body, limit) in [
        (json!({"max_completion_tokens": 50, "max_tokens": 60}), 50),
        (json!({"max_tokens": 60, "max_completion_tokens": 50}), 50),
        (json!({"max_tokens": 60}), 60),
        (json!({"max_completion_tokens": 70}), 70),
    ] {
        station.chat(ask(body)).await.ok();
        let sent = station.bodies().pop().unwrap();
        let limits: Vec<&Value> = ["max_tokens", "max_completion_tokens"]
            .iter()
            .filter_map(|k| sent.get(k))
            .collect();
        assert_eq!(limits, [&json!(limit)], "{sent}");
    }
}

/// Statement 14.
#[tokio::test(start_paused = true)]
async fn a_last_assistant_message_is_sent_as_prefill() {
    let station = Setup::mocks().start(hello());
    let messages = json!([
        {"role": "user", "content": "Say hello"},
        {"role": "assistant", "content": "Hel"},
    ]);
    station
        .chat(json!({"model": "acme/m", "messages": messages}))
        .await
        .ok();
    assert_eq!(station.bodies()[0]["messages"], messages);
}

/// Statement 15.
#[tokio::test(start_paused = true)]
async fn two_efforts_must_agree() {
    let station = Setup::mocks().start(hello());
    let both = |one: &str, other: &str| {
        ask(json!({"reasoning_effort": one, "reasoning": {"effort": other}}))
    };
    let error = station.chat(both("low", "high")).await.error(400);
    assert!(
        error["param"].as_str().unwrap().starts_with("reasoning"),
        "{error}"
    );
    assert_shape(&station.chat(both("low", "low")).await.ok());
}

/// Section 1.2: a `prompt` stands for one user message.
#[tokio::test(start_paused = true)]
async fn a_prompt_is_one_user_message() {
    let station = Setup::mocks().start(hello());
    station
        .chat(json!({"model": "acme/m", "prompt": "Hé\n"}))
        .await
        .ok();
    let sent = &station.bodies()[0];
    assert_eq!(
        sent["messages"],
        json!([{"role": "user", "content": "Hé\n"}])
    );
    assert!(sent.get("prompt").is_none());
}

/// Section 1.2: without model and models, the configured default serves.
#[tokio::test(start_paused = true)]
async fn without_a_model_the_default_serves() {
    let station = Setup::mocks().start(hello());
    let got = station
        .chat(json!({"messages": [{"role": "user", "content": "Hi"}]}))
        .await
        .ok();
    assert_eq!(got["model"], "acme/m");
    assert_eq!(station.bodies()[0]["model"], "m-at-a");
}

/// Section 3.1, the gateway's own members stay: nothing of routing, accounts or plugins leaves.
#[tokio::test(start_paused = true)]
async fn members_of_the_gateway_do_not_leave() {
    let station = Setup::mocks().start(hello());
    let own = json!({
        "models": ["acme/y"], "route": "fallback", "provider": {"sort": "price"}, "user": "me@home",
        "session_id": "s-1", "metadata": {"a": "b"}, "usage": {"include": true},
        "stream_options": {"include_usage": false}, "debug": {"echo_upstream_body": true},
        "transforms": [], "trace": {"trace_id": "t"}, "waystation": {"hedge": false},
    });
    station.chat(ask(own.clone())).await.ok();
    let sent = &station.bodies()[0];
    for key in own.as_object().unwrap().keys() {
        assert!(sent.get(key).is_none(), "{key} in {sent}");
    }
}

/// Section 1.6: calls, results and tools travel unchanged, and a whole reply with calls comes back.
#[tokio::test(start_paused = true)]
async fn tools_go_there_and_calls_come_back() {
    let arguments = r#"{"city":"Zürich", "n": 1.0}"#;
    let calls = json!([{"id": "call_1", "type": "function",
        "function": {"name": "weather", "arguments": arguments}}]);
    let reply = waystation_tests::completion(
        json!({"role": "assistant", "content": null, "tool_calls": calls}),
        "tool_calls",
        json!({"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}),
    );
    let station = Setup::mocks().start(ReplayTransport::queue([reply]));
    let tools = json!([{"type": "function", "function": {"name": "weather", "strict": true,
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]);
    let messages = json!([
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": null, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call_1", "content": "18 degrees"},
    ]);
    let body = json!({"model": "acme/m", "messages": messages, "tools": tools,
        "tool_choice": "auto", "parallel_tool_calls": false});
    let got = station.chat(body).await.ok();
    let choice = &got["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["content"], Value::Null);
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!(
        (&call["id"], &call["type"]),
        (&json!("call_1"), &json!("function"))
    );
    assert_eq!(
        call["function"],
        json!({"name": "weather", "arguments": arguments})
    );
    let sent = &station.bodies()[0];
    assert_eq!((&sent["tools"], &sent["messages"]), (&tools, &messages));
    assert_eq!(
        (&sent["tool_choice"], &sent["parallel_tool_calls"]),
        (&json!("auto"), &json!(false))
    );
}

/// The request's id is the client's when it is sane, and new otherwise.
#[tokio::test(start_paused = true)]
async fn requests_have_ids() {
    let station = Setup::mocks().start(hello());
    for (sent, kept) in [
        ("my-id:1.2_3", true),
        ("with space", false),
        (&"x".repeat(129), false),
    ] {
        let mut request = Station::request(Method::GET, "/health", "");
        request
            .headers_mut()
            .insert("x-request-id", sent.parse().unwrap());
        let got = station.whole(request).await;
        let id = got.header("x-request-id").unwrap();
        assert_eq!(id == sent, kept, "{sent} {id}");
        assert!(id == sent || id.starts_with("req-"));
    }
}

/// Interfaces, "Config": without client keys, no web page can spend the owner's money.
#[tokio::test(start_paused = true)]
async fn without_keys_only_this_machine_is_served() {
    let station = Setup::mocks().start(hello());
    let request = |name: header::HeaderName, value: &str| {
        let mut request = Station::request(
            Method::POST,
            "/v1/chat/completions",
            ask(json!({})).to_string(),
        );
        request.headers_mut().insert(name, value.parse().unwrap());
        request
    };
    let got = station.whole(request(header::HOST, "evil.example")).await;
    assert_eq!(got.error(403)["error_type"], "permission_denied");
    let got = station
        .whole(request(header::ORIGIN, "https://evil.example"))
        .await;
    assert_eq!(got.error(403)["error_type"], "permission_denied");
    let got = station
        .whole(request(header::CONTENT_TYPE, "text/plain"))
        .await;
    assert_eq!(got.error(415)["error_type"], "invalid_request");
    assert_eq!(station.upstream().calls(), 0);
    // Who names no host is no browser: it may ask for the health, and for nothing else.
    for (path, status) in [("/health", 200), ("/ready", 403), ("/v1/models", 403)] {
        let mut request = Station::request(Method::GET, path, "");
        request.headers_mut().remove(header::HOST);
        assert_eq!(station.whole(request).await.status, status, "{path}");
    }
    let got = station
        .whole(Station::request(Method::GET, "/health", ""))
        .await;
    got.ok();
    for host in ["localhost:1", "127.0.0.1", "[::1]:8080"] {
        assert_shape(&station.whole(request(header::HOST, host)).await.ok());
    }
}

/// Interfaces, "Environment": a request that comes back to the same gateway is a loop.
#[tokio::test(start_paused = true)]
async fn a_request_that_comes_back_is_a_508() {
    let station = Setup::mocks().start(hello());
    station.chat(ask(json!({}))).await.ok();
    let hop = station.sent()[0].headers["x-waystation-hop"].clone();
    let mut request = Station::request(
        Method::POST,
        "/v1/chat/completions",
        ask(json!({})).to_string(),
    );
    request.headers_mut().insert("x-waystation-hop", hop);
    let error = station.whole(request).await.error(508);
    assert!(
        error["message"].as_str().unwrap().contains("_BASE_URL"),
        "{error}"
    );
    assert_eq!(station.upstream().calls(), 1);
}

/// What a client sends about itself stays here: neither its key nor its cookies reach a provider.
#[tokio::test(start_paused = true)]
async fn headers_of_the_client_are_not_passed_on() {
    let station = Setup::mocks()
        .config(&format!("[auth]\nkeys = ['{KEY}']"))
        .start(hello());
    let mut request = Station::request(
        Method::POST,
        "/v1/chat/completions",
        ask(json!({})).to_string(),
    );
    for (name, value) in [
        ("authorization", format!("Bearer {KEY}")),
        ("cookie", "session=secret".to_owned()),
        ("http-referer", "https://my.app".to_owned()),
        ("x-title", "My App".to_owned()),
        ("x-forwarded-for", "10.0.0.1".to_owned()),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    station.whole(request).await.ok();
    let sent = station.sent().remove(0);
    assert_eq!(
        sent.headers[header::AUTHORIZATION],
        "Bearer key-of-a-do-not-tell"
    );
    let text = format!("{:?}", sent.headers);
    for secret in [KEY, "session=secret", "10.0.0.1"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert_eq!(sent.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(sent.url.to_string(), "http://a.mock/v1/chat/completions");
}

/// Methods and paths that are not there answer with the envelope, never with 501.
#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_a_404_and_what_cannot_be_done_a_405() {
    let station = Setup::mocks().start(ReplayTransport::queue([] as [Reply; 0]));
    for path in [
        "/",
        "/v1",
        "/v1/responses",
        "/v1/embeddings",
        "/api/v1/credits",
        "/v1/x/../y",
    ] {
        station.get(path).await.error(404);
    }
    station.get("/v1/chat/completions").await.error(405);
}
