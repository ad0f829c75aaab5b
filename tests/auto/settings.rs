//! The plugin's settings: what is refused, what the operator says, and what it knows better.

use serde_json::json;

use crate::shelf::{EASY, auto, chosen, explained, shelf, with};

#[tokio::test(start_paused = true)]
async fn a_wrong_setting_is_refused_before_anything_is_sent() {
    let station = shelf("");
    for (settings, word) in [
        (json!({"cost_tier": "huge"}), "cost_tier"),
        (
            json!({"cost_quality_tradeoff": 11}),
            "cost_quality_tradeoff",
        ),
        (json!({"allowed_models": "x"}), "allowed_models"),
        (json!({"excluded_models": vec!["a/b"; 1_025]}), "1024"),
        (
            json!({"allowed_models": ["x".repeat(1_025)]}),
            "allowed_models[0]",
        ),
    ] {
        let error = station
            .chat(auto(EASY, with("auto-router", settings)))
            .await
            .error(400);
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(word), "{word}: {message}");
    }
    assert!(station.sent().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_operators_settings_hold_and_may_be_the_last_word() {
    let operator = "[plugins.auto-router]\nallowed_models = [\"anthropic/*\"]\n";
    let station = shelf(operator);
    assert_eq!(
        chosen(&station, auto(EASY, json!({}))).await,
        "anthropic/claude-mid"
    );
    let request = || with("auto-router", json!({"allowed_models": ["acme/*"]}));
    assert_eq!(chosen(&station, auto(EASY, request())).await, "acme/tiny");
    let station = shelf(&format!("{operator}prevent_overrides = true\n"));
    assert_eq!(
        chosen(&station, auto(EASY, request())).await,
        "anthropic/claude-mid"
    );
}

#[tokio::test(start_paused = true)]
async fn the_operators_qualities_count_and_are_named() {
    let station = shelf(
        "[plugins.auto-router]\ncost_quality_tradeoff = 0\n[plugins.auto-router.quality]\n\
         \"acme/*\" = 0.99\n\"openai/*\" = 0.1\n\"anthropic/*\" = 0.1\n",
    );
    let reply = explained(&station, auto(crate::shelf::HARD, json!({})))
        .await
        .ok();
    assert_eq!(reply["model"], "acme/tiny");
    let stage = &reply["openrouter_metadata"]["pipeline"][0];
    assert_eq!(stage["name"], "auto-router");
    assert_eq!(stage["data"]["task_type"], "code:generation");
    assert_eq!(stage["data"]["candidates"][0]["basis"], "operator");
}
