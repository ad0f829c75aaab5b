//! The catalogue as clients list it. Filters and orders have tests of their own in the server; here
//! is what the contract promises of the routes.

use serde_json::Value;
use waystation_sim::ReplayTransport;
use waystation_tests::{Setup, Station, literal};

use super::catalogue::SEEDS;

fn bundled() -> Station {
    Setup::empty()
        .env("OPENAI_API_KEY", "an-openai-key")
        .start(ReplayTransport::queue([]))
}

/// Statement 127.
#[tokio::test(start_paused = true)]
async fn the_list_has_the_seed_models_with_prices_as_texts() {
    let station = bundled();
    for path in ["/v1/models", "/api/v1/models"] {
        let list = station.get(path).await.ok();
        let rows = list["data"].as_array().unwrap();
        assert_eq!(list["total_count"], rows.len());
        for id in SEEDS.iter().chain(&["openrouter/auto"]) {
            let row = rows
                .iter()
                .find(|row| row["id"] == *id)
                .unwrap_or_else(|| panic!("no {id}"));
            for price in ["prompt", "completion"] {
                assert!(
                    row["pricing"][price].is_string(),
                    "{id}: {}",
                    row["pricing"]
                );
            }
            assert!(
                row["supported_parameters"].is_array()
                    && row["architecture"]["input_modalities"].is_array()
            );
        }
    }
    // Prices are in dollars a token.
    let got = station.get("/v1/model/openai/gpt-5.4").await.ok();
    let prompt: f64 = got["data"]["pricing"]["prompt"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1e-7..1e-4).contains(&prompt), "{prompt}");
}

/// Source: OpenAI's API reference, "List models" and "Retrieve model": clients in typed languages demand
/// `object` and `owned_by`, and some write the slash of an id as `%2F`.
#[tokio::test(start_paused = true)]
async fn clients_of_openai_list_and_retrieve_models() {
    let station = bundled();
    let list = station.get("/v1/models").await.ok();
    assert_eq!(list["object"], "list");
    for row in list["data"].as_array().unwrap() {
        assert_eq!(row["object"], "model", "{row}");
        let owner = row["owned_by"].as_str().unwrap();
        let id = row["id"].as_str().unwrap().trim_start_matches('~');
        assert!(id.starts_with(&format!("{owner}/")), "{row}");
    }
    let listed = list["data"].as_array().unwrap().iter();
    let listed = listed.clone().find(|row| row["id"] == "openai/gpt-5.4");
    for path in [
        "/v1/models/openai/gpt-5.4",
        "/v1/models/openai%2Fgpt-5.4",
        "/api/v1/models/openai/gpt-5.4",
    ] {
        assert_eq!(Some(&station.get(path).await.ok()), listed, "{path}");
    }
    let missing = station.get("/v1/models/openai%2Fgpt-5.4x").await;
    assert_eq!(missing.status, 404);
    let body: Value = missing.json();
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains("did you mean openai/gpt-5.4"), "{message}");
}

/// Issue, "catalogue": the seed's context lengths.
#[tokio::test(start_paused = true)]
async fn seed_models_show_the_seeds_context_lengths() {
    let station = bundled();
    for (id, context) in [
        ("openai/gpt-5.4", 1_000_000),
        ("openai/gpt-5.4-mini", 1_000_000),
        ("anthropic/claude-sonnet-4.6", 1_000_000),
        ("anthropic/claude-opus-4.6", 1_000_000),
        ("google/gemini-3.1-pro-preview", 1_000_000),
        ("google/gemini-3-flash-preview", 1_000_000),
        ("google/gemini-3.1-flash-lite", 1_000_000),
        ("x-ai/grok-4.20", 256_000),
        ("qwen/qwen3.5-plus", 128_000),
        ("moonshotai/kimi-k2", 128_000),
    ] {
        let got = station.get(&format!("/v1/model/{id}")).await.ok();
        let shown = got["data"]["context_length"].as_u64().unwrap();
        assert!(
            shown == context || shown.abs_diff(context) * 20 < context,
            "{id}: {shown}"
        );
    }
    let auto = station.get("/v1/model/openrouter/auto").await.ok();
    assert_eq!(auto["data"]["context_length"], Value::Null);
    let mini = station.get("/v1/model/openai/gpt-5.4-mini").await.ok();
    assert_eq!(mini["data"]["top_provider"]["context_length"], 400_000);
}

/// Statement 127: the filter by parameter.
#[tokio::test(start_paused = true)]
async fn the_list_can_be_filtered_by_parameter() {
    let station = bundled();
    let all = station.get("/v1/models").await.ok();
    let some = station
        .get("/v1/models?supported_parameters=tools,seed")
        .await
        .ok();
    let count = |list: &Value| list["data"].as_array().unwrap().len();
    assert!(count(&some) > 10 && count(&some) < count(&all));
    for row in some["data"].as_array().unwrap() {
        let takes = row["supported_parameters"].as_array().unwrap();
        assert!(
            ["tools", "seed"]
                .iter()
                .all(|wanted| takes.iter().any(|p| p == wanted)),
            "{}",
            row["id"]
        );
    }
    let counted = station
        .get("/v1/models/count?supported_parameters=tools,seed")
        .await
        .ok();
    assert_eq!(counted["data"]["count"], count(&some));
}

/// Statement 127: no key is needed; with keys set, the operator's own models show to their holders.
#[tokio::test(start_paused = true)]
async fn the_list_needs_no_key_but_hides_private_models_without_one() {
    const KEY: &str = "a-client-key-of-good-length";
    let setup = Setup::mocks().config(&format!(
        "[auth]\nkeys = ['{KEY}']\n[catalog]\nbundled = true"
    ));
    let station = setup.start(ReplayTransport::queue([]));
    let ids = |list: &Value| -> Vec<String> {
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let public = ids(&station.get("/v1/models").await.ok());
    assert!(
        public.iter().any(|id| id == "openai/gpt-5.4") && !public.iter().any(|id| id == "acme/m")
    );
    station.get("/v1/model/acme/m").await.error(404);
    let mut request = Station::request(http::Method::GET, "/v1/models", "");
    request
        .headers_mut()
        .insert("authorization", format!("Bearer {KEY}").parse().unwrap());
    let own = ids(&station.whole(request).await.ok());
    assert!(own.iter().any(|id| id == "acme/m"));
}

/// Statement 128.
#[tokio::test(start_paused = true)]
async fn the_endpoints_of_a_model_are_listed() {
    let station = bundled();
    let got = station
        .get("/v1/models/openai/gpt-5.4/endpoints")
        .await
        .ok();
    let data = &got["data"];
    assert_eq!(data["id"], "openai/gpt-5.4");
    let endpoints = data["endpoints"].as_array().unwrap();
    assert!(endpoints.len() > 1);
    for endpoint in endpoints {
        assert!(
            endpoint["provider_name"].is_string() && endpoint["tag"].is_string(),
            "{endpoint}"
        );
        assert!(
            endpoint["pricing"]["prompt"].is_string() || endpoint["pricing"]["prompt"].is_null()
        );
        assert!(endpoint["status"].is_i64() && endpoint.get("quantization").is_some());
    }
    assert!(endpoints.iter().any(|endpoint| endpoint["tag"] == "openai"));
    let mocks = Setup::mocks().start(ReplayTransport::queue([]));
    let got = mocks.get("/api/v1/models/acme/m/endpoints").await;
    assert_eq!(got.ok()["data"]["endpoints"].as_array().unwrap().len(), 3);
    assert_eq!(literal(got.text(), "prompt"), "\"0.000001\"");
}

/// Section 4: a row is found by every spelling that a request may use.
#[tokio::test(start_paused = true)]
async fn a_row_is_found_with_suffixes_and_unknown_ones_are_404() {
    let station = bundled();
    for path in [
        "openai/gpt-5.4:nitro",
        "OpenAI/GPT-5.4",
        "openai/gpt-5.4:floor",
    ] {
        let got = station.get(&format!("/v1/model/{path}")).await.ok();
        assert_eq!(got["data"]["id"], "openai/gpt-5.4", "{path}");
    }
    let error = station.get("/v1/model/openai/gpt-5.44").await.error(404);
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("openai/gpt-5.4"),
        "{error}"
    );
    station
        .get("/v1/models/acme/none/endpoints")
        .await
        .error(404);
    station.get("/v1/models?limit=0").await.error(400);
    station.get("/v1/models?sort=nonsense").await.error(400);
}

/// Section 8: providers are listed.
#[tokio::test(start_paused = true)]
async fn providers_are_listed() {
    let got = bundled().get("/v1/providers").await.ok();
    let rows = got["data"].as_array().unwrap();
    assert!(rows.len() >= 60);
    let openai = rows.iter().find(|row| row["slug"] == "openai").unwrap();
    assert_eq!(openai["name"], "OpenAI");
    for key in [
        "privacy_policy_url",
        "terms_of_service_url",
        "status_page_url",
        "headquarters",
        "datacenters",
    ] {
        assert!(openai.get(key).is_some(), "{key}");
    }
}

/// Interfaces, `[catalog] list`: only what the present keys can serve, and each row says so.
#[tokio::test(start_paused = true)]
async fn the_list_can_be_that_of_usable_models() {
    let all = bundled().get("/v1/models").await.ok();
    let rows = all["data"].as_array().unwrap();
    let usable = rows.iter().filter(|row| row["available"] == true).count();
    assert!(usable > 0 && usable < rows.len());
    let setup = Setup::empty()
        .env("OPENAI_API_KEY", "k")
        .config("[catalog]\nlist = 'available'");
    let some = setup
        .start(ReplayTransport::queue([]))
        .get("/v1/models")
        .await
        .ok();
    assert_eq!(some["data"].as_array().unwrap().len(), usable);
}

/// Health and readiness.
#[tokio::test(start_paused = true)]
async fn health_and_readiness_answer() {
    let station = bundled();
    assert_eq!(station.get("/health").await.ok()["status"], "ok");
    assert_eq!(station.get("/ready").await.ok()["status"], "ready");
}
