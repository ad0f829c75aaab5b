//! The hosted judge, against a fake of it: what it is told, what its word is worth, and when it is not
//! asked at all.

use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::Station;

use crate::shelf::{EASY, auto, explained, shelf_over, with};

const ENGINE: &str = "[plugins.auto-router]\nengine = \"notdiamond\"\n\
    notdiamond = { api_key = \"key-of-the-judge\", base_url = \"http://judge.mock\" }\n";

/// A station whose judge answers so.
fn judged(more: &str, verdict: impl Fn() -> Reply + Send + Sync + 'static) -> Station {
    let upstream = ReplayTransport::answering(move |request, _| match request.url.host() {
        Some("judge.mock") => verdict(),
        _ => fixtures::answer("Hi", 20, 2),
    });
    shelf_over(&format!("{ENGINE}{more}"), upstream)
}

fn choosing(provider: &str, model: &str) -> Reply {
    let body = json!({"providers": [{"provider": provider, "model": model}], "session_id": "s"});
    Reply::json(200, body.to_string())
}

/// The reply's model, and what metadata says of the judge.
async fn outcome(station: &Station, more: Value) -> (String, Value) {
    let reply = explained(station, auto(EASY, more)).await.ok();
    let stage = &reply["openrouter_metadata"]["pipeline"][0];
    (
        reply["model"].as_str().unwrap().to_owned(),
        stage["data"]["judge"].clone(),
    )
}

#[tokio::test(start_paused = true)]
async fn the_judges_choice_goes_first_and_it_is_told_only_candidates() {
    for verdict in [("openai", "gpt-5.9"), ("openai", "openai/gpt-5.9")] {
        let station = judged("", move || choosing(verdict.0, verdict.1));
        let settings = with("auto-router", json!({"excluded_models": ["*/claude-top"]}));
        let (model, judge) = outcome(&station, settings).await;
        assert_eq!(model, "openai/gpt-5.9");
        assert_eq!(
            judge,
            json!({"engine": "notdiamond", "model": "openai/gpt-5.9"})
        );
        let sent = station.sent();
        assert_eq!(
            sent[0].url,
            "http://judge.mock/v2/modelRouter/modelSelect?type=openrouter"
        );
        assert_eq!(sent[0].headers["authorization"], "Bearer key-of-the-judge");
        let body: Value = serde_json::from_slice(&sent[0].body).unwrap();
        let candidates = body["llm_providers"].as_array().unwrap();
        assert_eq!(candidates.len(), 4);
        assert!(
            candidates
                .iter()
                .all(|one| one["model"] != "anthropic/claude-top")
        );
        assert_eq!(body["messages"][0]["content"], EASY);
        assert_eq!(body["hash_content"], true);
    }
}

#[tokio::test(start_paused = true)]
async fn a_judge_that_is_no_help_leaves_the_embedded_order() {
    let verdicts: [fn() -> Reply; 5] = [
        || choosing("nobody", "nothing"),
        || Reply::json(200, "no JSON"),
        || Reply::json(503, "{}"),
        || choosing("openai", "gpt-5.9").delay(600),
        || choosing("openai", "gpt-5.9").stall(),
    ];
    for verdict in verdicts {
        let station = judged("", verdict);
        let (model, judge) = outcome(&station, json!({})).await;
        assert_eq!(model, "acme/tiny");
        assert!(judge["failed"].is_string(), "{judge}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_to_it_where_data_must_not_be_kept() {
    let policy =
        "[providers.p]\ndata_policy = { training = false, retention = \"none\", zdr = true }\n";
    for wish in [json!({"zdr": true}), json!({"data_collection": "deny"})] {
        let station = judged(policy, || choosing("openai", "gpt-5.9"));
        let (model, judge) = outcome(&station, json!({"provider": wish})).await;
        assert_eq!((model.as_str(), judge), ("acme/tiny", Value::Null));
        assert_eq!(station.asked(), ["p"]);
    }
    for key in ["zdr = true", "data_collection = \"deny\""] {
        let station = judged(&format!("{policy}[routing]\n{key}\n"), || {
            choosing("openai", "gpt-5.9")
        });
        outcome(&station, json!({})).await;
        assert_eq!(station.asked(), ["p"]);
    }
}
