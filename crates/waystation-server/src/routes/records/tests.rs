//! Records over the real router, in process.

use std::sync::Arc;

use http::{Request, StatusCode, header};
use serde_json::{Value, json};
use waystation_core::UnixMs;

use super::iso8601;
use crate::{
    app::App,
    metrics,
    routes::models::tests::{get_as, send, station},
};

const ONE: &str = "sk-0123456789abcdef";
const TWO: &str = "sk-fedcba9876543210";

/// A model at known prices, one at none, and two client keys.
const PRICED: &str = r#"
[auth]
keys = ["sk-0123456789abcdef", "sk-fedcba9876543210"]
[catalog]
bundled = false
[providers.mock]
name = "Mock"
dialect = "openai-chat"
base_url = "http://mock/v1"
api_key = "upstream-secret"
[[models]]
id = "acme/fast"
[[models.endpoints]]
provider = "mock"
price = { prompt = "0.15", completion = "0.60" }
[[models]]
id = "acme/unpriced"
[[models.endpoints]]
provider = "mock"
"#;

async fn chat(app: &Arc<App>, key: &str, model: &str) -> Value {
    let body = json!({"model": model, "messages": [{"role": "user", "content": "hush-hush"}]});
    let request =
        Request::post("/v1/chat/completions").header(header::CONTENT_TYPE, "application/json");
    let (status, reply) = send(app, request, key, body.to_string()).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    reply
}

fn generation(reply: &Value) -> String {
    format!("/generation?id={}", reply["id"].as_str().unwrap())
}

#[tokio::test]
async fn statement_129_a_generation_says_what_the_response_said_and_at_once() {
    let app = station(PRICED, false);
    let reply = chat(&app, ONE, "acme/fast").await;
    let (status, record) = get_as(&app, &generation(&reply), ONE).await;
    assert_eq!(status, StatusCode::OK);
    let (usage, record) = (&reply["usage"], &record["data"]);
    assert!(usage["cost"].as_f64().unwrap() > 0.0);
    assert_eq!(record["total_cost"].to_string(), usage["cost"].to_string());
    assert_eq!(record["usage"], record["total_cost"]);
    assert_eq!(record["native_tokens_prompt"], usage["prompt_tokens"]);
    assert_eq!(record["tokens_completion"], usage["completion_tokens"]);
    assert_eq!(
        (&record["model"], &record["provider_name"]),
        (&"acme/fast".into(), &"Mock".into())
    );
    assert_eq!(
        (&record["streamed"], &record["cancelled"]),
        (&false.into(), &false.into())
    );
    assert_eq!(record["created_at"], "2026-01-01T00:00:00.000Z");
    assert_eq!(record["provider_responses"][0]["status"], 200);
    for key in [
        "id",
        "upstream_id",
        "request_id",
        "session_id",
        "api_type",
        "router",
        "preset_id",
    ] {
        assert!(record.get(key).is_some(), "{key}");
    }
}

#[tokio::test]
async fn statement_129_an_unknown_generation_is_404_and_none_is_400() {
    let app = station(PRICED, false);
    for id in ["gen-none", "%22", "gen-01m81pp727fjbm57prq0frw3ja"] {
        let (status, body) = get_as(&app, &format!("/generation?id={id}"), ONE).await;
        assert_eq!(
            (status, &body["error"]["error_type"]),
            (StatusCode::NOT_FOUND, &"not_found".into())
        );
    }
    for path in ["/generation", "/generation?id=", "/generation?ID=gen-1"] {
        let (status, body) = get_as(&app, path, ONE).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(
            body["error"]["message"]
                .as_str()
                .unwrap()
                .starts_with("id: expected")
        );
    }
}

#[tokio::test]
async fn a_generation_exists_for_its_own_key_only() {
    let app = station(PRICED, false);
    let reply = chat(&app, ONE, "acme/fast").await;
    let (status, _) = get_as(&app, &generation(&reply), TWO).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = get_as(&app, &generation(&reply), "").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_unknown_cost_is_null_and_never_0() {
    let app = station(PRICED, false);
    let reply = chat(&app, ONE, "acme/unpriced").await;
    let (_, record) = get_as(&app, &generation(&reply), ONE).await;
    assert_eq!(record["data"]["total_cost"], Value::Null);
    assert!(
        metrics::text(&app).contains("waystation_cost_unknown_total{model=\"acme/unpriced\"} 1\n")
    );
}

#[tokio::test]
async fn a_key_learns_what_it_has_spent_itself() {
    let app = station(PRICED, false);
    let reply = chat(&app, ONE, "acme/fast").await;
    for path in ["/key", "/auth/key"] {
        let (_, body) = get_as(&app, path, ONE).await;
        for period in ["usage", "usage_daily", "usage_weekly", "usage_monthly"] {
            assert_eq!(
                body["data"][period].to_string(),
                reply["usage"]["cost"].to_string()
            );
        }
        assert_eq!(
            (
                &body["data"]["limit"],
                &body["data"]["rate_limit"]["requests"]
            ),
            (&Value::Null, &(-1).into())
        );
        let (_, other) = get_as(&app, path, TWO).await;
        assert_eq!(other["data"]["usage"], 0);
        assert_ne!(other["data"]["label"], body["data"]["label"]);
    }
}

#[tokio::test]
async fn metrics_tell_of_requests_and_tables_but_not_of_prompts_or_keys() {
    let app = station(PRICED, false);
    chat(&app, ONE, "acme/fast").await;
    let text = metrics::text(&app);
    for line in [
        r#"waystation_requests_total{model="acme/fast",streamed="false",outcome="ok"} 1"#,
        r#"waystation_attempts_total{provider="Mock",outcome="ok"} 1"#,
        r#"waystation_table_entries{table="health"} 1"#,
        r#"waystation_table_entries{table="ledger"} 1"#,
        r#"waystation_in_flight{kind="whole"} 0"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    for secret in ["hush-hush", ONE, "upstream-secret"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[test]
fn times_are_written_as_the_calendar_has_them() {
    for (ms, text) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_399_999, "2000-02-28T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_794_299_400_125, "2026-11-10T08:30:00.125Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
    ] {
        assert_eq!(iso8601(UnixMs::new(ms)), text);
    }
}
