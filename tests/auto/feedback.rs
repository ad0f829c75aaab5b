//! Scores of answers: what is kept of them, what is refused, what they change, and how a replay judges them.

use serde_json::{Value, json};
use waystation_auto::Logged;
use waystation_core::Json;
use waystation_tests::{Station, Whole};

use crate::shelf::{EASY, HARD, auto, explained, shelf};

/// A gateway that learns, and one that explores as well.
const LEARNS: &str = "[plugins.auto-router]\nfeedback = true\n";

async fn rate(station: &Station, body: Value) -> Whole {
    rate_bytes(station, &body.to_string()).await
}

async fn rate_bytes(station: &Station, body: &str) -> Whole {
    let path = "/v1/feedback";
    let request = Station::request(http::Method::POST, path, body.to_owned());
    station.whole(request).await
}

/// The id of a generation whose model the router chose.
async fn generation(station: &Station, prompt: &str) -> String {
    let reply = station.chat(auto(prompt, json!({}))).await.ok();
    reply["id"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_score_is_kept_with_the_decision_and_its_propensity() {
    let station = shelf("");
    let id = generation(&station, EASY).await;
    let said = rate(
        &station,
        json!({"generation_id": id, "score": 0.25, "label": "too short"}),
    );
    let said = said.await.ok()["data"].clone();
    assert_eq!(said["generation_id"], id.as_str());
    assert_eq!(
        (&said["score"], &said["label"]),
        (&json!(0.25), &json!("too short"))
    );
    assert_eq!(
        (&said["model"], &said["task_type"]),
        (&json!("acme/tiny"), &json!("chat"))
    );
    assert_eq!(said["propensity"], 1.0);
    // It is off by default, and says so.
    assert_eq!(said["counted"], false);
    assert!(said["note"].as_str().unwrap().contains("feedback is off"));
    let lines = station.get("/v1/feedback").await;
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    let line: Value = serde_json::from_str(lines.text().trim()).unwrap();
    assert_eq!(line["score"], 0.25);
    assert!(line["at"].as_u64().unwrap() > 0);
    let first = &line["choice"]["candidates"][0];
    assert_eq!(
        (&first["model"], &first["propensity"]),
        (&json!("acme/tiny"), &json!(1.0))
    );
    assert_eq!(line["choice"]["features"].as_str().unwrap().len(), 16);
    assert!(!lines.text().contains("how are you"), "{}", lines.text());
}

#[tokio::test(start_paused = true)]
async fn a_wrong_score_is_refused_by_name_and_an_unknown_generation_is_404() {
    let station = shelf("");
    let id = generation(&station, EASY).await;
    for (body, word) in [
        (
            json!({"score": 1}),
            "generation_id: expected the id of a generation",
        ),
        (
            json!({"generation_id": id}),
            "score: expected a number from 0 to 1, found nothing",
        ),
        (
            json!({"generation_id": id, "score": 1.01}),
            "score: expected a number from 0 to 1, found 1.01",
        ),
        (json!({"generation_id": id, "score": -1}), "found -1"),
        (
            json!({"generation_id": id, "score": "good"}),
            "found \"good\"",
        ),
        (json!({"generation_id": id, "score": null}), "score"),
        (json!({"generation_id": 7, "score": 1}), "generation_id"),
        (
            json!({"generation_id": id, "score": 1, "label": "x".repeat(65)}),
            "label: expected 1 to 64",
        ),
        (
            json!({"generation_id": id, "score": 1, "label": ""}),
            "label",
        ),
        (
            json!({"generation_id": id, "score": 1, "lable": "a"}),
            "label",
        ),
        (json!([1]), "body"),
    ] {
        let error = rate(&station, body.clone()).await.error(400);
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(word), "{body}: {message}");
    }
    let twice = format!(r#"{{"generation_id": "{id}", "score": 1, "score": 0}}"#);
    let error = rate_bytes(&station, &twice).await.error(400);
    assert!(error["message"].as_str().unwrap().contains("found twice"));
    rate_bytes(&station, "{\"generation_id\": ")
        .await
        .error(400);
    for unknown in ["gen-1700000000-abcdefabcdefabcdefab", "nonsense", ""] {
        let body = json!({"generation_id": unknown, "score": 1});
        let status = if unknown.is_empty() { 400 } else { 404 };
        rate(&station, body).await.error(status);
    }
    assert!(station.get("/v1/feedback").await.text().is_empty());
}

#[tokio::test(start_paused = true)]
async fn another_keys_generation_cannot_be_scored() {
    let station =
        shelf("[auth]\nkeys = [\"key-of-the-first-client\", \"key-of-the-second-client\"]\n");
    let by = |key: &str, path: &str, body: String| {
        let mut request = Station::request(http::Method::POST, path, body);
        let value = format!("Bearer {key}").parse().unwrap();
        request.headers_mut().insert("authorization", value);
        request
    };
    let body = auto(EASY, json!({})).to_string();
    let asked = by("key-of-the-first-client", "/v1/chat/completions", body);
    let id = station.whole(asked).await.ok()["id"].clone();
    let score = json!({"generation_id": id, "score": 1}).to_string();
    let foreign = by("key-of-the-second-client", "/v1/feedback", score.clone());
    station.whole(foreign).await.error(404);
    let own = by("key-of-the-first-client", "/v1/feedback", score);
    station.whole(own).await.ok();
}

#[tokio::test(start_paused = true)]
async fn scores_move_the_choice_where_the_operator_wants_that_and_only_a_bit() {
    let of_tiny = |reply: &Value, key: &str| {
        let stage = &reply["openrouter_metadata"]["pipeline"][0]["data"];
        let mut all = stage["candidates"].as_array().unwrap().iter();
        let tiny = all.find(|one| one["model"] == "acme/tiny").unwrap();
        tiny[key].as_f64().unwrap_or_default()
    };
    // Each prompt is a conversation of its own: no model is kept for it.
    let prompt = |at: u32| format!("Hi number {at}, how are you?");
    for (config, moves) in [("", false), (LEARNS, true)] {
        let station = shelf(config);
        let before = explained(&station, auto(&prompt(0), json!({}))).await.ok();
        assert!(of_tiny(&before, "shift").abs() < 1e-9);
        for at in 1..60 {
            let bad = generation(&station, &prompt(at)).await;
            let said = rate(&station, json!({"generation_id": bad, "score": 0}))
                .await
                .ok();
            assert_eq!(said["data"]["counted"], moves, "{said}");
            let only = crate::shelf::with("auto-router", json!({"allowed_models": ["openai/*"]}));
            let reply = station.chat(auto(&prompt(at + 100), only)).await.ok();
            rate(&station, json!({"generation_id": reply["id"], "score": 1}))
                .await
                .ok();
        }
        let after = explained(&station, auto(&prompt(0), json!({}))).await.ok();
        let moved = of_tiny(&after, "shift");
        assert_eq!(moves, (-1.0..-0.1).contains(&moved), "{moved}");
        let (before, now) = (of_tiny(&before, "quality"), of_tiny(&after, "quality"));
        assert_eq!(moves, now < before, "{before} {now}");
        // Another task is as it was.
        let other = explained(&station, auto(HARD, json!({}))).await.ok();
        assert!(of_tiny(&other, "shift").abs() < 1e-9);
    }
}

#[tokio::test(start_paused = true)]
async fn a_generation_is_learned_from_once_and_only_when_the_router_chose_its_model() {
    let station = shelf(LEARNS);
    let id = generation(&station, EASY).await;
    let said = rate(&station, json!({"generation_id": id, "score": 1}))
        .await
        .ok();
    assert_eq!(said["data"]["counted"], true);
    let again = rate(&station, json!({"generation_id": id, "score": 0}))
        .await
        .ok();
    assert_eq!(again["data"]["counted"], false);
    assert_eq!(station.get("/v1/feedback").await.text().lines().count(), 1);
    assert!(
        station
            .get("/v1/feedback")
            .await
            .text()
            .contains("\"score\":0")
    );
    let direct = json!({"model": "acme/tiny", "messages": [{"role": "user", "content": EASY}]});
    let reply = station.chat(direct).await.ok();
    let said = rate(&station, json!({"generation_id": reply["id"], "score": 1}))
        .await
        .ok();
    assert_eq!(said["data"]["propensity"], Value::Null);
    let note = said["data"]["note"].as_str().unwrap();
    assert!(note.contains("not chosen by the auto router"), "{note}");
}

#[tokio::test(start_paused = true)]
async fn exploring_tries_near_candidates_and_records_how_likely_each_was() {
    let station = shelf(
        "[plugins.auto-router]\nexplore = 0.05\ncost_quality_tradeoff = 0\n[plugins.auto-router.quality]\n\"*\" = 0.9\n",
    );
    let mut tried = 0;
    for at in 0..300 {
        let prompt = format!("Hello number {at}, how are you and your {at} friends today?");
        let reply = explained(&station, auto(&prompt, json!({}))).await.ok();
        let data = &reply["openrouter_metadata"]["pipeline"][0]["data"];
        let candidates = data["candidates"].as_array().unwrap().iter();
        let chances = candidates.map(|one| one["propensity"].as_f64().unwrap());
        let chances: Vec<f64> = chances.collect();
        assert!(
            (chances.iter().sum::<f64>() - 1.0).abs() < 1e-3,
            "{chances:?}"
        );
        assert_eq!(data["candidates"][0]["model"], reply["model"]);
        tried += usize::from(chances[0] < 0.5);
        let score = json!({"generation_id": reply["id"], "score": 0.5});
        rate(&station, score).await.ok();
    }
    assert!((1..25).contains(&tried), "{tried}");
    // What the gateway writes is what the replay reads.
    let lines = station.get("/v1/feedback").await;
    let read = |line: &str| Logged::read(Json::parse(line.as_bytes()).unwrap()).unwrap();
    let found = waystation_auto::replay(lines.text().lines().map(read).collect());
    assert_eq!((found.records, found.without.untried), (300, 0));
    assert!((found.mean - 0.5).abs() < 1e-9 && found.without.effective > 200.0);
}

#[test]
fn what_may_be_learned_is_set_in_one_place_and_within_bounds() {
    for (config, word) in [
        (
            "[plugins.auto-router]\nexplore = 0.2\n",
            "from 0 to 0.05, found 0.2",
        ),
        (
            "[plugins.auto-beta-router]\nfeedback = true\n",
            "plugins.auto-router",
        ),
    ] {
        let refused = waystation_tests::Setup::empty().config(config).resolve();
        let message = refused.unwrap_err().to_string();
        assert!(message.contains(word), "{message}");
    }
}
