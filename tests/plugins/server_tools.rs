//! Tools that the gateway runs: `openrouter:web_search`, `openrouter:datetime`, their loop and its
//! limits. Contract, sections 1.2 and 7.7.

mod limits;

use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::{Setup, Station, Whole, ask, completion, event, literal};

const SEARXNG: &str =
    "[plugins.web]\nsearxng = { base_url = \"http://search.mock\", price = \"0.005\" }\n";

fn pages(from: usize) -> Reply {
    let page = |n: usize| json!({"url": format!("https://{n}.example/page"), "title": format!("Page {n}"), "content": format!("Says {n}.")});
    let results: Vec<Value> = (from..from + 3).map(page).collect();
    Reply::json(200, json!({"results": results}).to_string())
}

fn usage(prompt: u64, completion: u64) -> Value {
    json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion})
}

/// A turn that calls these functions, each with its arguments.
fn calls(calls: &[(&str, &str)]) -> Reply {
    completion(calling(calls), "tool_calls", usage(100, 10))
}

fn calling(calls: &[(&str, &str)]) -> Value {
    let call = |(at, (name, arguments)): (usize, &(&str, &str))| json!({"id": format!("call_{at}"), "type": "function", "function": {"name": name, "arguments": arguments}});
    let calls: Vec<Value> = calls.iter().enumerate().map(call).collect();
    json!({"role": "assistant", "content": null, "tool_calls": calls})
}

fn says(text: &str) -> Reply {
    completion(
        json!({"role": "assistant", "content": text}),
        "stop",
        usage(200, 20),
    )
}

/// A gateway whose model answers with these turns.
fn station(turns: impl IntoIterator<Item = Reply>) -> Station {
    let upstream = ReplayTransport::hosts()
        .at("search.mock", [pages(1), pages(4)])
        .at("a.mock", turns);
    Setup::mocks().config(SEARXNG).start(upstream)
}

fn with(tools: Value, more: Value) -> Value {
    let mut body = ask(json!({"tools": tools}));
    let more = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(more);
    body
}

fn search() -> Value {
    json!([{"type": "openrouter:web_search"}])
}

fn prompts(station: &Station) -> Vec<Value> {
    let sent = station.sent();
    let chats = sent
        .iter()
        .filter(|r| r.url.path().ends_with("/chat/completions"));
    chats
        .map(|request| serde_json::from_slice(&request.body).unwrap())
        .collect()
}

async fn with_metadata(station: &Station, body: Value) -> Whole {
    let mut request =
        Station::request(http::Method::POST, "/v1/chat/completions", body.to_string());
    let enabled = http::HeaderValue::from_static("enabled");
    request
        .headers_mut()
        .insert("x-openrouter-metadata", enabled);
    station.whole(request).await
}

#[tokio::test(start_paused = true)]
async fn the_model_searches_and_the_client_sees_one_answer() {
    let text = "See [4.example](https://4.example/page).";
    let turns = [
        calls(&[("web_search", r#"{"query": "first"}"#)]),
        calls(&[("web_search", r#"{"query": "second"}"#)]),
        says(text),
    ];
    let station = station(turns);
    let got = with_metadata(&station, with(search(), json!({}))).await;
    let body = got.ok();
    let message = &body["choices"][0]["message"];
    assert_eq!(message["content"], text);
    assert_eq!(message["tool_calls"], Value::Null);
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    let prompts = prompts(&station);
    assert_eq!(prompts.len(), 3);
    // The model is shown a function, and gets its own call and the result back.
    let function = &prompts[0]["tools"][0];
    assert_eq!(
        (&function["type"], &function["function"]["name"]),
        (&json!("function"), &json!("web_search"))
    );
    let messages = prompts[1]["messages"].as_array().unwrap();
    assert_eq!(
        messages[1]["tool_calls"][0]["function"]["arguments"],
        r#"{"query": "first"}"#
    );
    assert_eq!(messages[2]["role"], "tool");
    assert_eq!(messages[2]["tool_call_id"], "call_0");
    let result = messages[2]["content"].as_str().unwrap();
    assert!(
        result.contains("https://1.example/page") && result.contains("Says 3."),
        "{result}"
    );
    assert_eq!(prompts[2]["messages"].as_array().map(Vec::len), Some(5));
    // All results are annotated, the cited one with its place.
    let notes = message["annotations"].as_array().unwrap();
    assert_eq!(notes.len(), 6);
    assert_eq!(notes[0]["url_citation"]["url"], "https://4.example/page");
    assert_eq!(
        (
            &notes[0]["url_citation"]["start_index"],
            &notes[0]["url_citation"]["end_index"]
        ),
        (&json!(4), &json!(39))
    );
    // Every step counts, and the fees beside.
    let usage = &body["usage"];
    assert_eq!(
        (&usage["prompt_tokens"], &usage["completion_tokens"]),
        (&json!(400), &json!(40))
    );
    let details =
        json!({"tool_calls_requested": 2, "tool_calls_executed": 2, "web_search_requests": 2});
    assert_eq!(usage["server_tool_use_details"], details);
    assert_eq!(usage["server_tool_use"]["web_search_requests"], 2);
    assert_eq!(literal(got.text(), "cost"), "0.01044");
    let stage = &body["openrouter_metadata"]["pipeline"][0];
    assert_eq!(
        (&stage["type"], &stage["data"]["steps"]),
        (&json!("server_tools"), &json!(2))
    );
    assert_eq!(stage["summary"], "ran 2 in 2 steps: web_search");
    assert!(stage["duration_ms"].is_u64(), "time stands apart");
    let record = station
        .get(&format!(
            "/v1/generation?id={}",
            body["id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(literal(record.text(), "total_cost"), "0.01044");
}

/// A stream of the same: text of all turns, no calls of the gateway's tools, one end, one usage.
#[tokio::test(start_paused = true)]
async fn a_stream_is_one_answer_too() {
    let piece = |delta: Value| event(delta, None);
    let call = |name: &str, arguments: &str| {
        json!({"tool_calls": [{"index": 0, "id": "call_0", "type": "function",
            "function": {"name": name, "arguments": arguments}}]})
    };
    let more = |arguments: &str| json!({"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]});
    let counted = json!({"id": "x", "choices": [], "usage": usage(100, 10)}).to_string();
    let first = Reply::sse([
        piece(json!({"role": "assistant", "content": "I look. "})),
        piece(call("web_search", "{\"que")),
        piece(more("ry\": \"tea\"}")),
        event(json!({}), Some("tool_calls")),
        counted.clone(),
        "[DONE]".into(),
    ]);
    let second = Reply::sse([
        piece(json!({"role": "assistant", "content": "See https://1."})),
        piece(json!({"content": "example/page"})),
        event(json!({}), Some("stop")),
        counted,
        "[DONE]".into(),
    ]);
    let station = station([first, second]);
    let got = station.stream(with(search(), json!({}))).await;
    assert_eq!(got.content(), "I look. See https://1.example/page");
    let choices: Vec<Value> = got
        .chunks()
        .iter()
        .map(|c| c["choices"][0].clone())
        .collect();
    assert!(
        choices
            .iter()
            .all(|choice| choice["delta"]["tool_calls"].is_null())
    );
    let ends: Vec<&Value> = choices
        .iter()
        .filter(|choice| choice["finish_reason"].is_string())
        .collect();
    assert_eq!((ends.len(), &ends[0]["finish_reason"]), (1, &json!("stop")));
    let roles = choices
        .iter()
        .filter(|choice| choice["delta"]["role"].is_string());
    assert_eq!(roles.count(), 1);
    let noted = choices
        .iter()
        .find(|choice| choice["delta"]["annotations"].is_array());
    let cited = &noted.unwrap()["delta"]["annotations"][0]["url_citation"];
    assert_eq!(
        (&cited["start_index"], &cited["end_index"]),
        (&json!(12), &json!(34))
    );
    assert_eq!(got.usage()["prompt_tokens"], 200);
    assert_eq!(got.usage()["server_tool_use"]["web_search_requests"], 1);
    let sent = prompts(&station)[1]["messages"].clone();
    assert_eq!(sent[1]["content"], "I look. ");
    assert_eq!(
        sent[1]["tool_calls"][0]["function"]["arguments"],
        "{\"query\": \"tea\"}"
    );
}

/// Contract, section 7.7: a function of the client's ends the loop.
#[tokio::test(start_paused = true)]
async fn a_function_of_the_clients_ends_the_loop() {
    let mine =
        json!({"type": "function", "function": {"name": "pay", "parameters": {"type": "object"}}});
    let tools = json!([mine, {"type": "openrouter:web_search"}]);
    let turns = [
        calls(&[("web_search", r#"{"query": "price"}"#)]),
        calls(&[
            ("web_search", r#"{"query": "more"}"#),
            ("pay", r#"{"usd": 3}"#),
        ]),
    ];
    let station = station(turns);
    let got = station.chat(with(tools, json!({}))).await.ok();
    let choice = &got["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    let calls = choice["message"]["tool_calls"].as_array().unwrap();
    assert_eq!(calls.len(), 1, "only the client's own call is shown");
    assert_eq!(
        (&calls[0]["index"], &calls[0]["function"]["name"]),
        (&json!(0), &json!("pay"))
    );
    assert_eq!(calls[0]["function"]["arguments"], r#"{"usd": 3}"#);
    assert_eq!(prompts(&station).len(), 2);
    assert_eq!(got["usage"]["server_tool_use"]["web_search_requests"], 1);
}

#[tokio::test(start_paused = true)]
async fn datetime_tells_the_time_in_its_zone() {
    let tools = json!([{"type": "waystation:datetime", "parameters": {"timezone": "Asia/Tokyo"}}]);
    let turns = [
        calls(&[
            ("datetime", "{}"),
            ("datetime", r#"{"timezone": "UTC"}"#),
            ("datetime", r#"{"timezone": "Mars"}"#),
        ]),
        says("Late."),
    ];
    let station = station(turns);
    assert_eq!(
        station.chat(with(tools, json!({}))).await.content(),
        "Late."
    );
    let messages = prompts(&station)[1]["messages"].clone();
    let told = |at: usize| -> Value {
        serde_json::from_str(messages[at]["content"].as_str().unwrap()).unwrap()
    };
    assert_eq!(
        told(2),
        json!({"datetime": "2026-01-01T09:00:00+09:00", "timezone": "Asia/Tokyo"})
    );
    assert_eq!(told(3)["datetime"], "2026-01-01T00:00:00+00:00");
    assert!(
        messages[4]["content"]
            .as_str()
            .unwrap()
            .contains("expected a name of the IANA")
    );
}

/// The next step is asked of the endpoint that served, and of the others when it fails.
#[tokio::test(start_paused = true)]
async fn a_step_falls_back_like_any_request() {
    let upstream = ReplayTransport::hosts()
        .at("search.mock", [pages(1)])
        .at(
            "a.mock",
            [
                calls(&[("web_search", r#"{"query": "q"}"#)]),
                fixtures::error(500, "down"),
            ],
        )
        .at("b.mock", [says("Hi")]);
    let station = Setup::mocks().config(SEARXNG).start(upstream);
    let got = station.chat(with(search(), json!({}))).await;
    assert_eq!(got.ok()["provider"], "B");
    assert_eq!(station.asked(), ["a", "search", "a", "b"]);
}

/// Model and provider are those who gave the answer, also where that was not who called the tool.
#[tokio::test(start_paused = true)]
async fn a_step_that_another_model_takes_names_that_one() {
    let down = || fixtures::error(503, "down");
    let gateway = |first: Reply, last: Reply| {
        let upstream = ReplayTransport::hosts()
            .at("search.mock", [pages(1)])
            .at("a.mock", [first, down()])
            .at("b.mock", [down(), down()])
            .at("c.mock", [last]);
        Setup::mocks().config(SEARXNG).start(upstream)
    };
    let models = || with(search(), json!({"model": "acme/x", "models": ["acme/y"]}));
    let called = calling(&[("web_search", r#"{"query": "q"}"#)]);
    let whole = gateway(
        completion(called.clone(), "tool_calls", usage(1, 1)),
        says("Hi"),
    );
    let got = whole.chat(models()).await.ok();
    assert_eq!(whole.asked(), ["a", "search", "a", "b", "b", "c"]);
    assert_eq!(
        (&got["model"], &got["provider"]),
        (&json!("acme/y"), &json!("C"))
    );
    let streamed = |delta: Value, finish: &str| {
        Reply::sse([
            event(delta, None),
            event(json!({}), Some(finish)),
            "[DONE]".into(),
        ])
    };
    let mut call = called;
    call["content"] = json!("I look. ");
    call["tool_calls"][0]["index"] = json!(0);
    let stream = gateway(
        streamed(call, "tool_calls"),
        streamed(json!({"content": "Hi"}), "stop"),
    );
    let got = stream.stream(models()).await;
    let said = |text: &str| {
        let chunks = got.chunks();
        let mut found = chunks
            .iter()
            .filter(|chunk| chunk["choices"][0]["delta"]["content"] == text);
        let chunk = found.next().unwrap().clone();
        (chunk["model"].clone(), chunk["provider"].clone())
    };
    assert_eq!(said("I look. "), (json!("acme/x"), json!("A")));
    assert_eq!(said("Hi"), (json!("acme/y"), json!("C")));
}

/// When nobody goes on, the failure is told as any other.
#[tokio::test(start_paused = true)]
async fn a_step_that_nobody_takes_fails_the_answer() {
    let all = |first: Reply| {
        ReplayTransport::hosts()
            .at("search.mock", [pages(1)])
            .at("a.mock", [first, fixtures::error(500, "down")])
            .at("b.mock", [fixtures::error(500, "down")])
            .at("c.mock", [fixtures::error(500, "down")])
    };
    let first = calls(&[("web_search", r#"{"query": "q"}"#)]);
    let station = Setup::mocks().config(SEARXNG).start(all(first));
    let error = station.chat(with(search(), json!({}))).await.error(503);
    assert!(
        error["message"].as_str().unwrap().contains("down"),
        "{error}"
    );
    assert_eq!(station.upstream().open(), 0);
}

/// OpenAI's own spelling is the gateway's tool where it can search; its lists are its own.
#[tokio::test(start_paused = true)]
async fn search_tools_in_openais_spelling_are_hoisted() {
    let tools = json!([{"type": "web_search_preview", "search_context_size": "low",
        "filters": {"allowed_domains": ["2.example"]}}]);
    let turns = [calls(&[("web_search", r#"{"query": "q"}"#)]), says("Hi")];
    let station = station(turns);
    let got = station.chat(with(tools, json!({}))).await.ok();
    let notes = got["choices"][0]["message"]["annotations"]
        .as_array()
        .unwrap();
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0]["url_citation"]["url"], "https://2.example/page");
}

/// A forced choice is forced once.
#[tokio::test(start_paused = true)]
async fn a_choice_of_the_tool_forces_it_once() {
    let turns = [calls(&[("web_search", r#"{"query": "q"}"#)]), says("Hi")];
    let station = station(turns);
    let choice = json!({"tool_choice": {"type": "openrouter:web_search"}});
    station.chat(with(search(), choice)).await.ok();
    let prompts = prompts(&station);
    let forced = json!({"type": "function", "function": {"name": "web_search"}});
    assert_eq!(prompts[0]["tool_choice"], forced);
    assert_eq!(prompts[1]["tool_choice"], "auto");
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_is_not_there_is_refused_with_those_that_are() {
    let station = station([]);
    let error = station
        .chat(with(json!([{"type": "openrouter:bash"}]), json!({})))
        .await
        .error(400);
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("openrouter:web_search") && message.contains("openrouter:datetime"),
        "{message}"
    );
    assert_eq!(error["param"], "tools[0].type");
    assert_eq!(station.upstream().calls(), 0);
}

/// Signatures of reasoning go back to the host with the call that they belong to.
#[tokio::test(start_paused = true)]
async fn reasoning_goes_back_with_its_step_and_is_told_apart() {
    let block = |text: &str| json!([{"type": "reasoning.text", "text": text, "signature": text, "index": 0, "format": "unknown"}]);
    let mut first = calling(&[("web_search", r#"{"query": "q"}"#)]);
    first["reasoning_details"] = block("one");
    let second = json!({"role": "assistant", "content": "Hi", "reasoning_details": block("two")});
    let turns = [
        completion(first, "tool_calls", usage(1, 1)),
        completion(second, "stop", usage(1, 1)),
    ];
    let got = station(turns).chat(with(search(), json!({}))).await.ok();
    let details = &got["choices"][0]["message"]["reasoning_details"];
    let told: Vec<_> = details
        .as_array()
        .unwrap()
        .iter()
        .map(|d| (d["text"].clone(), d["index"].clone()))
        .collect();
    assert_eq!(told, [(json!("one"), json!(0)), (json!("two"), json!(1))]);
}
