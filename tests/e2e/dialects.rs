//! What wires are held to beyond reading: blocks of reasoning that go back byte for byte, the
//! provider's own search of the web with its citations, what an upstream had counted when the client
//! went away, and what is told of the bodies that were sent.

use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, Reply};
use waystation_tests::{Setup, Station, ask, asking};

/// One model at one host of a dialect that can do everything.
fn one(dialect: &str) -> Setup {
    Setup::empty().config(&format!(
        r#"
        [catalog]
        bundled = false
        [providers.one]
        name = "One"
        dialect = "{dialect}"
        base_url = "http://one.mock"
        api_key = "key-of-one-do-not-tell"
        [[models]]
        id = "acme/one"
        context_length = 200000
        max_output_tokens = 8192
        supported_parameters = ["max_tokens", "temperature", "tools", "tool_choice", "reasoning", "web_search_options"]
        [[models.endpoints]]
        provider = "one"
        model = "{}"
        price = {{ prompt = "1", completion = "2" }}
        "#,
        match dialect {
            "gemini" => "gemini-3.1-pro-preview",
            "anthropic-messages" => "claude-sonnet-4-5",
            _ => "gpt-5.4",
        }
    ))
}

/// A seal with everything in it that a careless copy would change.
const SEAL: &str = r#"EpwB/+==\u00e9\/\n"#;

/// A tool turn of each format: what the upstream says first, and the bytes of it that have to be in
/// the next request.
fn tool_turns() -> [(&'static str, String, String); 3] {
    let anthropic = format!(
        r#"{{"type":"message","id":"m","model":"c","content":[{{"type":"thinking","thinking":"A \u2603 in\tit","signature":"{SEAL}"}},{{"type":"redacted_thinking","data":"{SEAL}"}},{{"type":"tool_use","id":"toolu_1","name":"now","input":{{"z":1}}}}],"stop_reason":"tool_use","usage":{{"input_tokens":3,"output_tokens":4}}}}"#
    );
    let gemini = format!(
        r#"{{"responseId":"r","candidates":[{{"content":{{"parts":[{{"functionCall":{{"name":"now","args":{{"z":1}},"id":"c1"}},"thoughtSignature":"{SEAL}"}}]}},"finishReason":"STOP"}}],"usageMetadata":{{"promptTokenCount":3,"candidatesTokenCount":4}}}}"#
    );
    let responses = format!(
        r#"{{"id":"resp","status":"completed","output":[{{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"{SEAL}"}},{{"type":"function_call","call_id":"call_1","name":"now","arguments":"{{\"z\":1}}"}}],"usage":{{"input_tokens":3,"output_tokens":4}}}}"#
    );
    [
        (
            "anthropic-messages",
            anthropic,
            format!(
                r#"{{"type":"thinking","thinking":"A \u2603 in\tit","signature":"{SEAL}"}},{{"type":"redacted_thinking","data":"{SEAL}"}},{{"type":"tool_use""#
            ),
        ),
        ("gemini", gemini, format!(r#""thoughtSignature":"{SEAL}""#)),
        (
            "openai-responses",
            responses,
            format!(
                r#"{{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"{SEAL}"}},{{"type":"function_call""#
            ),
        ),
    ]
}

/// Statement 136.
#[tokio::test(start_paused = true)]
async fn reasoning_details_go_back_byte_for_byte_over_a_tool_turn() {
    for (dialect, first, expected) in tool_turns() {
        let again = Reply::json(200, first.clone());
        let station = one(dialect).start(ReplayTransport::queue([Reply::json(200, first), again]));
        let tools = json!([{"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}]);
        let body = asking(
            "acme/one",
            json!({"tools": tools, "max_tokens": 4096, "reasoning": {"max_tokens": 2000}}),
        );
        let got = station.post(body.to_string()).await;
        // What a client does that knows nothing of the blocks: it sends back the text that it got.
        let message = got.ok()["choices"][0]["message"].clone();
        assert_eq!(
            message["tool_calls"][0]["function"]["name"], "now",
            "{dialect}"
        );
        let text = got.text();
        let details = text.split_once("\"reasoning_details\":").unwrap().1;
        let details = &details[..=details.find("}]").unwrap() + 1];
        let call = message["tool_calls"][0].to_string();
        let id = &message["tool_calls"][0]["id"];
        let next = format!(
            r#"{{"model":"acme/one","tools":{tools},"max_tokens":4096,"reasoning":{{"max_tokens":2000}},"messages":[{{"role":"user","content":"Hi"}},{{"role":"assistant","content":null,"tool_calls":[{call}],"reasoning_details":{details}}},{{"role":"tool","tool_call_id":{id},"content":"noon"}}]}}"#
        );
        station.post(next).await.ok();
        let sent = station.sent().pop().unwrap();
        let sent = String::from_utf8(sent.body.to_vec()).unwrap();
        assert!(
            sent.contains(&expected),
            "{dialect}: {expected} is not in {sent}"
        );
    }
}

/// Replies to a search: whole, and what the tool and the citation look like.
fn searches() -> [(&'static str, Reply, Reply); 3] {
    let anthropic = json!({"type": "message", "id": "m", "content": [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "rain"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [
            {"type": "web_search_result", "url": "https://a.example", "title": "A", "encrypted_content": "E+="}]},
        {"type": "text", "text": "It rains.", "citations": [{"type": "web_search_result_location",
            "url": "https://a.example", "title": "A", "cited_text": "rain", "encrypted_index": "x"}]}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 4, "server_tool_use": {"web_search_requests": 1}}});
    let gemini = json!({"candidates": [{"content": {"parts": [{"text": "It rains."}]}, "finishReason": "STOP",
        "groundingMetadata": {"webSearchQueries": ["rain"], "groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}],
            "groundingSupports": [{"segment": {"startIndex": 0, "endIndex": 9, "text": "It rains."}, "groundingChunkIndices": [0]}]}}],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4}});
    let responses = json!({"id": "r", "status": "completed", "output": [
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "rain"}},
        {"type": "message", "content": [{"type": "output_text", "text": "It rains.", "annotations": [
            {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 9}]}]}],
        "usage": {"input_tokens": 3, "output_tokens": 4}});
    let whole = |reply: &Value| Reply::json(200, reply.to_string());
    let streams = [
        Reply::sse([
            json!({"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 3, "output_tokens": 1}}}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation":
                anthropic["content"][2]["citations"][0]}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "It rains."}}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": anthropic["usage"]}),
            json!({"type": "message_stop"}),
        ].map(|event| event.to_string())),
        Reply::sse([gemini.to_string()]),
        Reply::sse([
            json!({"type": "response.output_item.done", "output_index": 0, "item": responses["output"][0]}),
            json!({"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "It rains."}),
            json!({"type": "response.output_text.annotation.added", "output_index": 1, "content_index": 0,
                "annotation": responses["output"][1]["content"][0]["annotations"][0]}),
            json!({"type": "response.completed", "response": responses}),
        ].map(|event| event.to_string())),
    ];
    let [a, g, r] = streams;
    [
        ("anthropic-messages", whole(&anthropic), a),
        ("gemini", whole(&gemini), g),
        ("openai-responses", whole(&responses), r),
    ]
}

/// API contract, section 7.1: the provider's own search, its citations whole and in deltas, and its
/// own count of searches.
#[tokio::test(start_paused = true)]
async fn a_native_search_is_the_hosts_own_tool_and_its_sources_are_cited() {
    let cited = json!([{"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A",
        "start_index": 0, "end_index": 9}}]);
    let plain = |list: &Value| {
        let mut list = list.clone();
        for entry in list.as_array_mut().unwrap() {
            entry["url_citation"]
                .as_object_mut()
                .unwrap()
                .remove("content");
        }
        list
    };
    let tools = json!([{"type": "openrouter:web_search", "parameters": {"engine": "native"}}]);
    for (dialect, whole, stream) in searches() {
        let station = one(dialect).start(ReplayTransport::queue([whole, stream]));
        let body = asking("acme/one", json!({"tools": tools}));
        let got = station.chat(body.clone()).await.ok();
        let message = &got["choices"][0]["message"];
        assert_eq!(message["content"], "It rains.", "{dialect}");
        assert_eq!(message.get("tool_calls"), None, "{dialect}");
        assert_eq!(plain(&message["annotations"]), cited, "{dialect}");
        let counted = &got["usage"]["server_tool_use"]["web_search_requests"];
        assert_eq!(*counted, 1, "{dialect}");
        let streamed = station.stream(body).await;
        assert_eq!(streamed.content(), "It rains.", "{dialect}");
        let chunks = streamed.chunks();
        let told: Vec<Value> = chunks
            .iter()
            .filter_map(|chunk| chunk["choices"][0]["delta"].get("annotations").map(&plain))
            .collect();
        assert_eq!(told, std::slice::from_ref(&cited), "{dialect}");
        assert_eq!(
            streamed.usage()["server_tool_use"]["web_search_requests"],
            1,
            "{dialect}"
        );
        let sent = station.bodies()[0]["tools"].to_string();
        let own = ["web_search_20250305", "googleSearch", "\"web_search\""];
        assert!(
            own.iter().any(|own| sent.contains(own)),
            "{dialect}: {sent}"
        );
        assert!(!sent.contains("openrouter:"), "{dialect}: {sent}");
    }
}

/// Statement 23, and the decision on usage when a request is cancelled: the prompt is what the upstream
/// has counted, cache and all; the answer, which it has not, is known by its bytes.
#[tokio::test(start_paused = true)]
async fn a_cancelled_stream_keeps_the_prompt_that_was_counted() {
    let text = "word ".repeat(100);
    let events = [
        json!({"type": "message_start", "message": {"id": "m", "usage":
            {"input_tokens": 1000, "cache_read_input_tokens": 500, "output_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
        json!({"type": "ping"}),
    ]
    .map(|event| event.to_string());
    let stream = Reply::sse(events).chunked(64).gap(100);
    let station = one("anthropic-messages").start(ReplayTransport::queue([stream]));
    let mut opened = station
        .open(asking("acme/one", json!({"stream": true})))
        .await;
    let id = opened.headers()["x-generation-id"]
        .to_str()
        .unwrap()
        .to_owned();
    opened.until("word").await;
    drop(opened);
    tokio::task::yield_now().await;
    let record = station.record(&id).await;
    assert_eq!(record["cancelled"], true);
    assert_eq!(record["tokens_prompt"], 1500, "{record}");
    let answer = record["tokens_completion"].as_u64().unwrap();
    assert!((80..200).contains(&answer), "{record}");
}

/// Statement 27.
#[tokio::test(start_paused = true)]
async fn the_bodies_that_were_sent_are_shown_before_anything_else() {
    let tried = Setup::mocks().start(ReplayTransport::queue([
        Reply::json(503, r#"{"error":{"message":"full"}}"#),
        waystation_sim::fixtures::answer_stream(&["Hello"], 5, 2),
    ]));
    let wish = json!({"temperature": 0.5, "debug": {"echo_upstream_body": true}});
    let got = tried.stream(ask(wish.clone())).await;
    let chunks = got.chunks();
    for (at, name) in ["m-at-a", "m-at-b"].iter().enumerate() {
        let echo = &chunks[at]["debug"]["echo_upstream_body"];
        assert_eq!(chunks[at]["choices"], json!([]));
        assert_eq!(
            (&echo["model"], &echo["temperature"]),
            (&json!(name), &json!(0.5))
        );
        assert_eq!(*echo, tried.bodies()[at]);
        assert_eq!(chunks[at]["id"], chunks[2]["id"]);
    }
    assert_eq!(chunks[2]["choices"][0]["delta"]["role"], "assistant");
    assert!(
        chunks
            .iter()
            .skip(2)
            .all(|chunk| chunk.get("debug").is_none())
    );
    assert!(!got.text().contains("do-not-tell"));
    assert_eq!(got.content(), "Hello");
    // A whole reply has no place for it, and who does not ask gets none.
    let whole = Setup::mocks().start(ReplayTransport::queue([
        waystation_sim::fixtures::answer("Hello", 5, 2),
        waystation_sim::fixtures::answer_stream(&["Hello"], 5, 2),
    ]));
    assert_eq!(whole.chat(ask(wish)).await.ok().get("debug"), None);
    let plain = whole.stream(ask(json!({}))).await;
    assert!(
        plain
            .chunks()
            .iter()
            .all(|chunk| chunk.get("debug").is_none())
    );
}

/// A gateway with one model whose two hosts differ in what they take.
fn differing(first: &str, second: &str) -> Station {
    let hosts: String = [("a", first, "1"), ("b", second, "2")]
        .iter()
        .map(|(slug, takes, price)| {
            format!(
                r#"
                [[models.endpoints]]
                provider = "{slug}"
                model = "m-at-{slug}"
                price = {{ prompt = "{price}", completion = "{price}" }}
                supported_parameters = [{takes}]
                "#
            )
        })
        .collect();
    Setup::empty()
        .config(&format!(
            r#"
            [catalog]
            bundled = false
            [routing]
            sort = "price"
            [providers.a]
            name = "A"
            dialect = "openai-chat"
            base_url = "http://a.mock/v1"
            api_key = "key-of-a-do-not-tell"
            [providers.b]
            name = "B"
            dialect = "openai-chat"
            base_url = "http://b.mock/v1"
            api_key = "key-of-b-do-not-tell"
            [[models]]
            id = "acme/m"
            {hosts}
            "#
        ))
        .start(ReplayTransport::answering(|_, _| {
            waystation_sim::fixtures::answer("Hello", 5, 2)
        }))
}

/// Statement 55.
#[tokio::test(start_paused = true)]
async fn a_parameter_that_the_endpoint_lacks_is_not_in_its_body() {
    let station = differing(
        r#""max_tokens", "temperature""#,
        r#""max_tokens", "temperature", "logit_bias""#,
    );
    station
        .chat(ask(
            json!({"logit_bias": {"1": 1}, "temperature": 0.5, "max_tokens": 9}),
        ))
        .await
        .ok();
    let body = &station.bodies()[0];
    assert_eq!(station.asked(), ["a"]);
    assert_eq!(body.get("logit_bias"), None);
    assert_eq!(
        (&body["temperature"], &body["max_tokens"]),
        (&json!(0.5), &json!(9))
    );
}

/// Statement 56.
#[tokio::test(start_paused = true)]
async fn endpoints_with_tools_are_preferred_and_none_is_no_refusal() {
    let tools = json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]});
    let station = differing(r#""max_tokens""#, r#""max_tokens", "tools", "tool_choice""#);
    station.chat(ask(tools.clone())).await.ok();
    assert_eq!(station.asked(), ["b"]);
    assert!(station.bodies()[0]["tools"].is_array());
    let neither = differing(r#""max_tokens""#, r#""max_tokens""#);
    neither.chat(ask(tools)).await.ok();
    assert_eq!(neither.asked(), ["a"]);
    assert_eq!(neither.bodies()[0].get("tools"), None);
}
