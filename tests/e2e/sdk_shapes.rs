//! Keys that strict clients refuse to do without (section 13 of the contract), on every kind of
//! reply. Absent is wrong even where `null` is right.

use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::{Setup, ask, completion, event, tool_stream};

fn has(value: &Value, keys: &[&str]) {
    for key in keys {
        assert!(value.get(key).is_some(), "no {key} in {value}");
    }
}

fn replies() -> Vec<Reply> {
    let usage = json!({"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2});
    let call =
        json!([{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
    vec![
        fixtures::answer("Hello", 5, 2),
        completion(
            json!({"role": "assistant", "content": null, "tool_calls": call}),
            "tool_calls",
            usage.clone(),
        ),
        completion(
            json!({"role": "assistant", "content": null, "refusal": "No"}),
            "stop",
            usage,
        ),
        Reply::json(
            200,
            r#"{"choices":[{"message":{"content":"bare"},"finish_reason":"stop"}]}"#,
        ),
    ]
}

/// Section 13: a completion.
#[tokio::test(start_paused = true)]
async fn a_completion_has_every_key() {
    for reply in replies() {
        let station = Setup::mocks().start(ReplayTransport::queue([reply]));
        let body = station.chat(ask(json!({}))).await.ok();
        has(
            &body,
            &[
                "choices",
                "created",
                "id",
                "model",
                "object",
                "system_fingerprint",
                "usage",
                "provider",
            ],
        );
        has(
            &body["choices"][0],
            &[
                "finish_reason",
                "index",
                "message",
                "native_finish_reason",
                "logprobs",
            ],
        );
        has(
            &body["choices"][0]["message"],
            &["role", "content", "refusal"],
        );
        has(
            &body["usage"],
            &[
                "prompt_tokens",
                "completion_tokens",
                "total_tokens",
                "cost",
                "cost_details",
            ],
        );
        assert!(body["created"].is_u64() && body["choices"][0]["index"].is_u64());
    }
}

/// Section 13: a chunk, also the one that tells of a failure.
#[tokio::test(start_paused = true)]
async fn a_chunk_has_every_key() {
    for reply in [
        fixtures::answer_stream(&["Hel", "lo"], 5, 2),
        tool_stream(),
        Reply::sse([event(json!({"content": "half"}), None)]),
        fixtures::error(500, "late").delay(20_000),
    ] {
        let station = Setup::one("").start(ReplayTransport::answering(move |_, _| reply.clone()));
        let got = station
            .stream(waystation_tests::asking("acme/one", json!({})))
            .await;
        for chunk in got.chunks() {
            has(&chunk, &["choices", "created", "id", "model", "object"]);
            for choice in chunk["choices"].as_array().unwrap() {
                has(choice, &["delta", "finish_reason", "index"]);
            }
        }
    }
}

/// What a row of `/models` must have.
const MODEL: &[&str] = &[
    "architecture",
    "canonical_slug",
    "context_length",
    "created",
    "default_parameters",
    "id",
    "links",
    "name",
    "per_request_limits",
    "pricing",
    "supported_parameters",
    "supported_voices",
    "top_provider",
];

/// What its architecture must have.
const ARCHITECTURE: &[&str] = &["input_modalities", "modality", "output_modalities"];

/// What a row of `/models/{author}/{slug}/endpoints` must have.
const ENDPOINT: &[&str] = &[
    "context_length",
    "latency_last_30m",
    "max_completion_tokens",
    "max_prompt_tokens",
    "model_id",
    "model_name",
    "name",
    "native_tools",
    "pricing",
    "provider_name",
    "quantization",
    "service_tier",
    "supported_parameters",
    "supports_diarization",
    "supports_implicit_caching",
    "supports_tool_choice",
    "tag",
    "throughput_last_30m",
    "uptime_last_1d",
    "uptime_last_30m",
    "uptime_last_5m",
];

/// Section 13: rows of `/models` and of `/endpoints`.
#[tokio::test(start_paused = true)]
async fn lists_have_every_key() {
    let station = Setup::empty()
        .env("OPENAI_API_KEY", "k")
        .start(ReplayTransport::queue([]));
    let list = station.get("/v1/models").await.ok();
    has(&list, &["data", "links", "total_count"]);
    for row in list["data"].as_array().unwrap() {
        has(row, MODEL);
        has(&row["architecture"], ARCHITECTURE);
        has(&row["pricing"], &["prompt", "completion"]);
        has(&row["top_provider"], &["is_moderated"]);
    }
    let path = "/v1/models/openai/gpt-5.4/endpoints";
    let data = station.get(path).await.ok()["data"].clone();
    has(&data, &["architecture", "created", "description"]);
    has(&data, &["endpoints", "id", "name"]);
    for endpoint in data["endpoints"].as_array().unwrap() {
        has(endpoint, ENDPOINT);
    }
}

/// OpenAI's clients look for `error.message`, `error.code`, and `error.param` at a wrong field.
#[tokio::test(start_paused = true)]
async fn errors_are_where_clients_look() {
    let station = Setup::mocks().start(ReplayTransport::queue([]));
    let got = station.chat(ask(json!({"temperature": 9}))).await;
    assert_eq!(got.header("content-type"), Some("application/json"));
    let error = got.error(400);
    has(
        &error,
        &[
            "code",
            "message",
            "param",
            "error_type",
            "http_status",
            "metadata",
        ],
    );
    assert_eq!(error["param"], "temperature");
}
