//! What may not leave: prompts that want zero retention reach no search service that does not promise
//! it.

use serde_json::{Value, json};
use waystation_sim::fixtures;
use waystation_tests::{Station, ask};

use super::{SEARXNG, annotations, forms, pages, searching, with};

/// Endpoints of the mocks that promise everything.
const KEEPS_NOTHING: &str =
    "[providers.a]\ndata_policy = { training = false, retention = \"none\", zdr = true }\n";

fn station(web: &str) -> Station {
    let config = format!("{web}{KEEPS_NOTHING}");
    with(&config, pages(2), fixtures::answer("Hi", 5, 2))
}

fn wishes() -> [Value; 2] {
    [json!({"zdr": true}), json!({"data_collection": "deny"})]
}

#[tokio::test(start_paused = true)]
async fn a_service_that_promises_nothing_sees_no_private_prompt() {
    for wish in wishes() {
        let station = station(SEARXNG);
        for entry in [
            json!({"id": "web"}),
            json!({"id": "web", "engine": "searxng"}),
        ] {
            let body = ask(json!({"plugins": [entry], "provider": wish}));
            let error = station.chat(body).await.error(400);
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("declare `zdr = true`"), "{message}");
        }
        assert_eq!(station.upstream().calls(), 0);
        // Without the wish it goes there.
        station.chat(searching(json!({}))).await.ok();
        assert_eq!(forms(&station).len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_promises_it_is_asked() {
    let declared = SEARXNG.replace("mock\" }", "mock\", zdr = true }");
    for wish in wishes() {
        let station = station(&declared);
        let body = ask(json!({"plugins": [{"id": "web"}], "provider": wish}));
        assert_eq!(annotations(&station.chat(body).await).len(), 2);
    }
}

/// Of several, the first that may see it is asked.
#[tokio::test(start_paused = true)]
async fn a_compliant_service_takes_the_place_of_another() {
    let two = format!(
        "{SEARXNG}brave = {{ api_key = \"k\", base_url = \"http://brave.mock\", zdr = true }}\n"
    );
    let station = station(&two);
    let body = ask(json!({"plugins": [{"id": "web"}], "provider": {"zdr": true}}));
    station.chat(body).await.ok();
    assert_eq!(station.asked(), ["brave", "a"]);
}

/// The operator's own demand counts as the request's.
#[tokio::test(start_paused = true)]
async fn the_operators_demand_counts_for_everybody() {
    for demand in ["zdr = true", "data_collection = \"deny\""] {
        let station = station(&format!("[routing]\n{demand}\n{SEARXNG}"));
        station.chat(searching(json!({}))).await.error(400);
        assert_eq!(station.upstream().calls(), 0);
    }
}
