//! What carries over from turn to turn.

use serde_json::json;

use crate::shelf::{EASY, HARD, auto, chosen, shelf, with};

#[tokio::test(start_paused = true)]
async fn a_pinned_model_is_that_of_the_last_answer_while_it_is_eligible() {
    let station = shelf("");
    let messages = json!([
        {"role": "user", "content": HARD},
        {"role": "assistant", "content": "fn main() {}", "model": "anthropic/claude-top"},
        {"role": "user", "content": "How was your day, and what is your favourite colour?"},
    ]);
    let body = |settings| {
        let mut body = auto("", with("auto-router", settings));
        body["messages"] = messages.clone();
        body
    };
    let pinned = json!({"pin_model": true});
    assert_eq!(chosen(&station, body(pinned)).await, "anthropic/claude-top");
    assert_ne!(
        chosen(&station, body(json!({}))).await,
        "anthropic/claude-top"
    );
    let excluded = json!({"pin_model": true, "excluded_models": ["*/claude-top"]});
    assert_ne!(
        chosen(&station, body(excluded)).await,
        "anthropic/claude-top"
    );
}

#[tokio::test(start_paused = true)]
async fn a_fallback_takes_over_when_the_first_choice_fails() {
    use waystation_sim::{ReplayTransport, Reply, fixtures};
    let failing = ReplayTransport::answering(|_, number| match number {
        0 => Reply::json(500, r#"{"error": {"message": "down"}}"#.to_owned()),
        _ => fixtures::answer("Hi", 20, 2),
    });
    let station = crate::shelf::shelf_over("", failing);
    let model = chosen(&station, auto(EASY, json!({}))).await;
    assert_eq!(model, "openai/gpt-5-small");
    assert_eq!(station.sent().len(), 2);
}
