//! Statements 96 to 107 of the contract's checklist, one test each.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use waystation_core::{Ask, ChatRequest, ModelId, RankError, Ranker, Ranking};
use waystation_gateway::Snapshot;
use waystation_tests::Setup;

use crate::shelf::{EASY, HARD, answering, auto, chosen, explained, of, shelf, with};

#[tokio::test(start_paused = true)]
async fn s096_auto_answers_with_a_concrete_model_and_says_so() {
    let station = shelf("");
    for router in ["openrouter/auto", "waystation/auto", "openrouter/auto-beta"] {
        let reply = explained(&station, of(router, EASY, json!({}))).await.ok();
        let model = reply["model"].as_str().unwrap();
        assert!(model.contains('/') && !model.contains("auto"), "{model}");
        assert_eq!(reply["openrouter_metadata"]["strategy"], "auto");
        assert_eq!(reply["openrouter_metadata"]["requested"], router);
        let record = station.record(reply["id"].as_str().unwrap()).await;
        assert_eq!(record["router"], router);
    }
}

#[tokio::test(start_paused = true)]
async fn s097_an_easy_prompt_and_a_hard_one_get_models_of_different_cost() {
    let station = shelf("");
    assert_eq!(chosen(&station, auto(EASY, json!({}))).await, "acme/tiny");
    let hard = chosen(&station, auto(HARD, json!({}))).await;
    assert!(
        ["openai/gpt-5.9", "anthropic/claude-top"].contains(&hard.as_str()),
        "{hard}"
    );
}

#[tokio::test(start_paused = true)]
async fn s098_only_allowed_models_are_chosen() {
    let station = shelf("");
    for (pattern, starts) in [
        ("anthropic/*", "anthropic/"),
        ("openai/gpt-5*", "openai/gpt-5"),
        ("*/claude-*", "anthropic/claude-"),
        ("openai/gpt-5.9", "openai/gpt-5.9"),
    ] {
        for prompt in [EASY, HARD] {
            let allowed = with("auto-router", json!({"allowed_models": [pattern]}));
            let model = chosen(&station, auto(prompt, allowed)).await;
            assert!(model.starts_with(starts), "{pattern}: {model}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s099_exclusion_wins_and_nothing_left_is_404() {
    let station = shelf("");
    let both = json!({"allowed_models": ["anthropic/*"], "excluded_models": ["*/claude-mid"]});
    let model = chosen(&station, auto(EASY, with("auto-router", both))).await;
    assert_eq!(model, "anthropic/claude-top");
    let none = json!({"allowed_models": ["acme/*"], "excluded_models": ["*"]});
    let refused = station.chat(auto(EASY, with("auto-router", none))).await;
    let error = refused.error(404);
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("no model satisfies"), "{message}");
    assert_eq!(station.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn s100_only_capable_models_are_chosen() {
    let station = shelf("");
    let tools =
        json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]});
    let model = chosen(&station, auto(EASY, tools)).await;
    assert!(model.starts_with("openai/"), "{model}");
    let image = json!([{"role": "user", "content": [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
    ]}]);
    let model = chosen(&station, auto("", json!({"messages": image}))).await;
    assert!(model.starts_with("anthropic/"), "{model}");
    let long = "word ".repeat(60_000);
    assert_ne!(chosen(&station, auto(&long, json!({}))).await, "acme/tiny");
}

#[tokio::test(start_paused = true)]
async fn s101_the_price_cap_holds() {
    let station = shelf("");
    let cap = json!({"provider": {"max_price": {"prompt": 1, "completion": 1}}});
    let model = chosen(&station, auto(HARD, cap)).await;
    assert!(
        ["acme/tiny", "openai/gpt-5-small"].contains(&model.as_str()),
        "{model}"
    );
    let none = json!({"provider": {"max_price": {"prompt": 0.01}}});
    station.chat(auto(HARD, none)).await.error(404);
}

/// A ranker that always fails.
struct Broken;

#[async_trait]
impl Ranker for Broken {
    async fn rank(&self, _: &Ask, _: &ChatRequest, _: &[ModelId]) -> Result<Ranking, RankError> {
        let reason = "out of order".to_owned();
        Err(RankError { reason })
    }
}

#[tokio::test(start_paused = true)]
async fn s102_a_router_that_fails_gives_the_default_set() {
    let station = shelf("");
    let old = station.app().gateway().snapshot();
    station.app().gateway().publish(Arc::new(Snapshot {
        catalog: Arc::clone(&old.catalog),
        routes: old.routes.clone(),
        credentials: Arc::clone(&old.credentials),
        plugins: Arc::clone(&old.plugins),
        ranker: Arc::new(Broken),
        policy: old.policy.clone(),
        settings: old.settings,
    }));
    let model = chosen(&station, auto(HARD, json!({}))).await;
    assert!(model.contains('/') && model != "openrouter/auto");
}

#[tokio::test(start_paused = true)]
async fn s103_a_cost_tier_is_a_band_and_beats_the_tradeoff() {
    let station = shelf("");
    for (tier, model) in [
        ("low", "acme/tiny"),
        ("medium", "openai/gpt-5-small"),
        ("high", "anthropic/claude-mid"),
        ("xhigh", "openai/gpt-5.9"),
        ("max", "anthropic/claude-top"),
    ] {
        for tradeoff in [0, 10] {
            let settings = json!({"cost_tier": tier, "cost_quality_tradeoff": tradeoff});
            let found = chosen(&station, auto(EASY, with("auto-router", settings))).await;
            assert_eq!(found, model, "{tier}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s104_a_session_keeps_its_model_while_it_is_a_candidate() {
    let station = shelf("");
    let turn = |prompt: &str, settings: Value| {
        let mut body = auto(prompt, with("auto-router", settings));
        body["session_id"] = json!("s");
        body
    };
    let small = json!({"allowed_models": ["openai/gpt-5-small"]});
    assert_eq!(
        chosen(&station, turn(EASY, small)).await,
        "openai/gpt-5-small"
    );
    // Alone this prompt gets the cheapest; the session's model is near enough.
    assert_eq!(chosen(&station, auto(EASY, json!({}))).await, "acme/tiny");
    assert_eq!(
        chosen(&station, turn(EASY, json!({}))).await,
        "openai/gpt-5-small"
    );
    let without = json!({"excluded_models": ["openai/gpt-5-small"]});
    assert_ne!(
        chosen(&station, turn(EASY, without)).await,
        "openai/gpt-5-small"
    );
}

#[tokio::test(start_paused = true)]
async fn s105_settings_of_the_other_router_do_nothing() {
    let station = shelf("");
    let only = json!({"allowed_models": ["anthropic/claude-top"]});
    let beta = with("auto-beta-router", only.clone());
    assert_eq!(
        chosen(&station, auto(EASY, beta.clone())).await,
        "acme/tiny"
    );
    let of_beta = of("openrouter/auto-beta", EASY, beta);
    assert_eq!(chosen(&station, of_beta).await, "anthropic/claude-top");
    let of_beta = of("openrouter/auto-beta", EASY, with("auto-router", only));
    assert_eq!(chosen(&station, of_beta).await, "acme/tiny");
}

#[tokio::test(start_paused = true)]
async fn s106_free_picks_only_what_costs_nothing_and_can_do_it() {
    let station = shelf(
        "[[models]]\nid = \"acme/gift\"\ninput_modalities = [\"text\"]\n[[models.endpoints]]\nprovider = \"p\"\n\
         model = \"m\"\nprice = { prompt = \"0\", completion = \"0\" }\n",
    );
    for _ in 0..5 {
        let reply = explained(&station, of("openrouter/free", EASY, json!({})))
            .await
            .ok();
        assert_eq!(reply["model"], "acme/gift");
        assert_eq!(reply["openrouter_metadata"]["strategy"], "free");
    }
    let image = json!([{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]}]);
    let refused = of("openrouter/free", "", json!({"messages": image}));
    station.chat(refused).await.error(404);
}

#[tokio::test(start_paused = true)]
async fn s107_pareto_code_takes_the_cheapest_of_its_tier_and_says_why() {
    let station = shelf("");
    let pareto = |settings| {
        of(
            "openrouter/pareto-code",
            EASY,
            with("pareto-router", settings),
        )
    };
    for (score, model) in [
        (json!({}), "openai/gpt-5.9"),
        (json!({"min_coding_score": 0.5}), "openai/gpt-5-small"),
        (json!({"min_coding_score": 0.1}), "acme/tiny"),
        (json!({"max_price": 3}), "anthropic/claude-mid"),
    ] {
        assert_eq!(
            chosen(&station, pareto(score.clone())).await,
            model,
            "{score}"
        );
    }
    station
        .chat(pareto(json!({"max_price": 0.01})))
        .await
        .error(404);
    let reply = explained(&station, pareto(json!({}))).await.ok();
    let metadata = &reply["openrouter_metadata"];
    assert_eq!(metadata["strategy"], "pareto");
    let stage = &metadata["pipeline"][0];
    assert_eq!(stage["name"], "pareto-router");
    let first = &stage["data"]["candidates"][0];
    assert_eq!(first["model"], "openai/gpt-5.9");
    assert!(first["basis"].as_str().unwrap().contains("price"));
}

/// Auto answers with the key of a single vendor, and with that vendor's models.
#[tokio::test(start_paused = true)]
async fn auto_answers_with_a_single_key() {
    let keys = [
        ("OPENAI_API_KEY", "openai/"),
        ("DEEPSEEK_API_KEY", "deepseek/"),
    ];
    for (variable, author) in keys {
        let setup = Setup::empty().env(variable, "sk-a-key-of-sixteen-and-more");
        let station = setup.start(answering());
        let model = chosen(&station, auto(EASY, json!({}))).await;
        assert!(model.starts_with(author), "{variable}: {model}");
    }
}
