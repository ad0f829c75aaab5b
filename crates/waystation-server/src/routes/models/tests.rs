//! The lists over the real router, in process.

use std::{collections::BTreeSet, sync::Arc};

use axum::body::Body;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;
use waystation_sim::{ManualClock, Pacing, SimTransport, Simulator};

use crate::{
    app::App,
    config::{self, Environment, Flags},
    routes,
};

/// The clients' key of tests that have one.
const KEY: &str = "sk-0123456789abcdef";

/// A bundled catalogue, one live provider, and what an operator adds.
const OWN: &str = r#"
[catalog]
providers_from_env = true
[providers.my-vllm]
name = "My vLLM"
dialect = "openai-chat"
base_url = "http://10.0.0.5:8000/v1"
[[models]]
id = "acme/fast"
context_length = 131072
supported_parameters = ["temperature", "tools"]
[[models.endpoints]]
provider = "my-vllm"
model = "fast-70b"
price = { prompt = "0.10", completion = "0.40" }
quantization = "fp8"
[[models]]
id = "openai/gpt-5.4"
[[models.endpoints]]
provider = "my-vllm"
model = "no-gpt"
"#;

/// What clients demand of an endpoint row. Source: API contract, section 13.
const ENDPOINT_KEYS: [&str; 21] = [
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
    "tag",
    "supported_parameters",
    "supports_diarization",
    "supports_implicit_caching",
    "supports_tool_choice",
    "throughput_last_30m",
    "uptime_last_1d",
    "uptime_last_30m",
    "uptime_last_5m",
];

/// A gateway over simulated upstreams that answer at once. Without `simulate`, prices are real.
pub(in crate::routes) fn station(toml: &str, simulate: bool) -> Arc<App> {
    let env = Environment::from_iter([("OPENAI_API_KEY", "sk-upstream")]);
    let flags = Flags {
        simulate,
        ..Flags::default()
    };
    let resolved = config::from_text("w.toml", toml, &flags, &env).unwrap();
    let simulator = Simulator::new(1).with_pacing(Pacing::Instant);
    let transport = Arc::new(SimTransport::new(simulator));
    App::with_clock(resolved, transport, Arc::new(ManualClock::new()))
}

/// Sends a request to the data plane, with a key when `key` is not empty.
pub(in crate::routes) async fn send(
    app: &Arc<App>,
    request: http::request::Builder,
    key: &str,
    body: String,
) -> (StatusCode, Value) {
    let mut request: Request<Body> = request
        .header(header::HOST, "127.0.0.1")
        .body(Body::from(body))
        .unwrap();
    if !key.is_empty() {
        request.headers_mut().insert(
            header::AUTHORIZATION,
            format!("Bearer {key}").parse().unwrap(),
        );
    }
    let response = routes::router(app).oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

/// `GET` of a path under `/v1`.
pub(in crate::routes) async fn get_as(
    app: &Arc<App>,
    path: &str,
    key: &str,
) -> (StatusCode, Value) {
    let request = Request::get(format!("/v1{path}"));
    send(app, request, key, String::new()).await
}

async fn get(app: &Arc<App>, path: &str) -> Value {
    let (status, body) = get_as(app, path, "").await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    body
}

fn ids(list: &Value) -> Vec<&str> {
    list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_str().unwrap())
        .collect()
}

fn row<'a>(list: &'a Value, id: &str) -> &'a Value {
    let rows = list["data"].as_array().unwrap();
    rows.iter()
        .find(|row| row["id"] == id)
        .unwrap_or_else(|| panic!("{id} is not listed"))
}

fn assert_keys(value: &Value, keys: &[&str]) {
    for key in keys {
        assert!(value.get(key).is_some(), "no {key} in {value}");
    }
}

#[tokio::test]
async fn statement_127_models_have_every_key_and_prices_per_token() {
    let app = station("", true);
    let list = get(&app, "/models").await;
    assert_keys(&list, &["data", "links", "total_count"]);
    let rows = list["data"].as_array().unwrap();
    assert_eq!(list["total_count"], rows.len());
    for row in rows {
        assert_keys(
            row,
            &[
                "architecture",
                "canonical_slug",
                "context_length",
                "created",
            ],
        );
        assert_keys(
            row,
            &[
                "default_parameters",
                "id",
                "links",
                "name",
                "per_request_limits",
            ],
        );
        assert_keys(
            row,
            &[
                "pricing",
                "supported_parameters",
                "supported_voices",
                "top_provider",
            ],
        );
        assert_keys(
            &row["architecture"],
            &["input_modalities", "modality", "output_modalities"],
        );
        assert!(row["pricing"]["prompt"].is_string() && row["pricing"]["completion"].is_string());
        assert!(row["top_provider"]["is_moderated"].is_boolean());
    }
    let mini = row(&list, "openai/gpt-5.4-mini");
    assert_eq!(mini["context_length"], 1_000_000);
    assert_eq!(mini["top_provider"]["context_length"], 400_000);
    assert_eq!(mini["pricing"]["prompt"], "0.00000075");
    assert_eq!(
        row(&list, "openai/gpt-5.4")["pricing"]["overrides"][0]["min_prompt_tokens"],
        272_000
    );
    let auto = row(&list, "openrouter/auto");
    assert_eq!(
        (&auto["context_length"], &auto["available"]),
        (&Value::Null, &true.into())
    );
    assert_eq!(
        get(&app, "/models/count").await["data"]["count"],
        rows.len()
    );
}

#[tokio::test]
async fn statement_127_supported_parameters_filters_rows() {
    let app = station("", true);
    let all = get(&app, "/models").await;
    let some = get(
        &app,
        "/models?supported_parameters=tools,structured_outputs",
    )
    .await;
    let takes = |row: &Value| {
        let listed = row["supported_parameters"].as_array().unwrap();
        listed.contains(&"tools".into()) && listed.contains(&"structured_outputs".into())
    };
    let expected: Vec<&str> = all["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| takes(row))
        .map(|row| row["id"].as_str().unwrap())
        .collect();
    assert!(!expected.is_empty() && expected.len() < ids(&all).len());
    assert_eq!(ids(&some), expected);
}

#[tokio::test]
async fn every_listed_id_has_a_row_and_endpoints_of_its_own() {
    let app = station("", true);
    let list = get(&app, "/models").await;
    let seen: BTreeSet<&str> = ids(&list).into_iter().collect();
    assert_eq!(seen.len(), ids(&list).len());
    for id in [
        "cognitivecomputations/dolphin-mistral-24b-venice-edition:free",
        "~anthropic/claude-opus-latest",
    ] {
        assert!(seen.contains(id), "{id}");
    }
    for id in seen {
        assert_eq!(
            get(&app, &format!("/model/{id}")).await["data"],
            *row(&list, id)
        );
        let endpoints = get(&app, &format!("/models/{id}/endpoints")).await;
        assert_eq!(endpoints["data"]["id"], id);
    }
    let latest = row(&list, "~anthropic/claude-opus-latest");
    let target = row(&list, latest["alias_target"]["slug"].as_str().unwrap());
    assert_eq!(
        (&latest["pricing"], &latest["top_provider"]),
        (&target["pricing"], &target["top_provider"])
    );
    for spelled in [
        "OpenAI/gpt-5.4:nitro",
        "openai/gpt-5.4:beta",
        "openai/gpt-5.4:online:floor",
    ] {
        assert_eq!(
            get(&app, &format!("/model/{spelled}")).await["data"]["id"],
            "openai/gpt-5.4"
        );
    }
}

#[tokio::test]
async fn statement_128_endpoints_list_provider_tag_price_quantization_and_status() {
    let app = station(OWN, false);
    let list = get(&app, "/models/acme/fast/endpoints").await;
    assert_keys(
        &list["data"],
        &[
            "architecture",
            "created",
            "description",
            "endpoints",
            "id",
            "name",
        ],
    );
    let rows = list["data"]["endpoints"].as_array().unwrap();
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_keys(row, &ENDPOINT_KEYS);
    assert_eq!(
        (&row["provider_name"], &row["tag"]),
        (&"My vLLM".into(), &"my-vllm".into())
    );
    assert_eq!(row["pricing"]["completion"], "0.0000004");
    assert_eq!(
        (&row["quantization"], &row["status"]),
        (&"fp8".into(), &0.into())
    );
    assert_eq!(row["context_length"], 131_072);
}

#[tokio::test]
async fn models_and_providers_of_the_config_are_shown_to_a_valid_key_only() {
    let app = station(&format!("[auth]\nkeys = [\"{KEY}\"]\n{OWN}"), false);
    for key in ["", "sk-not-the-key-of-anyone"] {
        let (_, list) = get_as(&app, "/models", key).await;
        assert!(!ids(&list).contains(&"acme/fast") && ids(&list).contains(&"openai/gpt-5.4"));
        assert!(row(&list, "openai/gpt-5.4")["available"] == true);
        let (status, _) = get_as(&app, "/model/acme/fast", key).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        for path in ["/providers", "/models/openai/gpt-5.4/endpoints"] {
            let (_, body) = get_as(&app, path, key).await;
            assert!(!body.to_string().contains("my-vllm"), "{path}");
        }
    }
    let (_, list) = get_as(&app, "/models", KEY).await;
    assert_eq!(row(&list, "acme/fast")["available"], true);
    let (_, providers) = get_as(&app, "/providers", KEY).await;
    assert!(providers.to_string().contains(r#""slug":"my-vllm""#));
    let (_, endpoints) = get_as(&app, "/models/openai/gpt-5.4/endpoints", KEY).await;
    assert!(endpoints.to_string().contains("My vLLM"));
}

#[tokio::test]
async fn rows_say_whether_they_can_be_used_and_the_config_may_hide_the_rest() {
    let list = get(&station(OWN, false), "/models").await;
    assert_eq!(row(&list, "openai/gpt-5.4-mini")["available"], true);
    assert_eq!(row(&list, "x-ai/grok-4.20")["available"], false);
    assert_eq!(row(&list, "openrouter/auto")["available"], true);
    let some = get(&station("[catalog]\nlist = 'available'", false), "/models").await;
    let usable: Vec<&str> = some["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["available"] == true)
        .map(|row| row["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids(&some), usable);
    assert!(!usable.contains(&"x-ai/grok-4.20"));
}

#[tokio::test]
async fn pages_follow_each_other_by_their_links() {
    let app = station("", true);
    let all = get(&app, "/models?sort=newest").await;
    let mut path = "/models?sort=newest&limit=250".to_owned();
    let mut paged = Vec::new();
    loop {
        let page = get(&app, &path).await;
        assert_eq!(page["total_count"], all["total_count"]);
        paged.extend(ids(&page).into_iter().map(ToOwned::to_owned));
        match page["links"]["next"].as_str() {
            Some(next) => path = next.strip_prefix("/api/v1").unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(paged, ids(&all));
}

#[tokio::test]
async fn filters_and_orders_look_at_what_the_rows_show() {
    let app = station("", true);
    let cheap = get(
        &app,
        "/models?min_price=0.5&max_price=0.75&sort=pricing-high-to-low",
    )
    .await;
    let prompts: Vec<f64> = cheap["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["pricing"]["prompt"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(prompts.len() > 3 && prompts.iter().all(|price| (5e-7..=7.5e-7).contains(price)));
    let by_price = get(&app, "/models?sort=pricing-low-to-high").await;
    assert_eq!(
        by_price["data"].as_array().unwrap().last().unwrap()["pricing"]["prompt"],
        "-1"
    );
    let found = get(
        &app,
        "/models?q=Claude%20sonnet&model_authors=anthropic&providers=Amazon+Bedrock",
    )
    .await;
    assert!(ids(&found).contains(&"anthropic/claude-sonnet-4.6"));
    assert!(
        ids(&found)
            .iter()
            .all(|id| id.contains("claude") && id.contains("sonnet"))
    );
    assert_eq!(
        get(&app, "/models?output_modalities=image").await["total_count"],
        0
    );
    assert_eq!(
        get(&app, "/models?output_modalities=all&unknown=1&use_rss=true").await["total_count"],
        get(&app, "/models").await["total_count"]
    );
}

#[tokio::test]
async fn a_wrong_value_is_refused_by_the_name_of_its_key() {
    let app = station("", true);
    for query in [
        "limit=0",
        "limit=1001",
        "limit=ten",
        "offset=-1",
        "sort=cheapest",
        "category=cooking",
        "supported_parameters=tols",
        "output_modalities=smell",
        "input_modalities=smell",
        "context=1.5",
        "min_price=cheap",
        "max_price=-1",
        "min_output_price=x",
        "max_output_price=x",
        "distillable=1",
        "zdr=yes",
        "region=mars",
        "min_age_days=x",
        "max_age_days=x",
    ] {
        for path in ["/models", "/models/count"] {
            let (status, body) = get_as(&app, &format!("{path}?{query}"), "").await;
            let key = query.split('=').next().unwrap();
            let message = body["error"]["message"].as_str().unwrap();
            assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
            assert!(
                message.starts_with(&format!("{key}: expected ")),
                "{message}"
            );
        }
    }
    let (status, body) = get_as(&app, "/model/openai/gpt-54", "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(
        body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("; did you mean openai/")
    );
    let (status, _) = get_as(&app, "/model/openai/a%20b", "").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}
