//! Which model the rules pick, on a small catalogue of our own.

use waystation_catalog::source::Rows;
use waystation_core::{Modality, Parameter, Ranking, RawJson, Tokens, UnixMs};

use super::*;

const MODELS: &str = r#"
[[provider]]
slug = "acme"
name = "Acme"
dialect = "openai-chat"
base_url = "https://acme.example/v1"
auth = "bearer"
"#;

/// Five models, dearer and newer in their order; the fourth takes no tools.
fn catalog() -> Arc<Catalog> {
    let mut text = MODELS.to_owned();
    for (at, price) in ["0.1", "0.5", "2", "5", "20"].iter().enumerate() {
        let tools = if at == 3 { "" } else { ", \"tools\"" };
        let input = if at == 4 { ", \"image\"" } else { "" };
        text += &format!(
            r#"
[[model]]
id = "acme/m{at}"
name = "M{at}"
created = "2026-0{}-01"
context_length = {}
input = ["text"{input}]
output = ["text"]
parameters = ["temperature"{tools}]
seen = "2026-11-01"
[[model.endpoint]]
provider = "acme"
model = "m{at}"
confidence = "high"
price = {{ prompt = "{price}", completion = "{price}" }}
"#,
            at + 1,
            100_000 + at * 100_000
        );
    }
    Arc::new(Catalog::from_rows(&Rows::from_toml(&text).unwrap()).unwrap())
}

fn pool() -> Vec<ModelId> {
    (0..5)
        .map(|at| format!("acme/m{at}").parse().unwrap())
        .collect()
}

fn ask() -> Ask {
    let mut ask = Ask::default();
    ask.input = waystation_core::Modalities::TEXT;
    ask
}

fn ranked(ask: &Ask, prompt: &str, members: &str) -> Ranking {
    let content = json_string(prompt);
    let body = format!(r#"{{"messages": [{{"role": "user", "content": {content}}}]{members}}}"#);
    decided(ask, &ChatRequest::parse(&body.into()).unwrap(), &pool())
}

/// What the router says, in the form that the gateway gets.
fn decided(ask: &Ask, chat: &ChatRequest, pool: &[ModelId]) -> Ranking {
    let router = AutoRouter::new(catalog(), Operator::default());
    let settings = router.settings(Router::Auto, chat).unwrap();
    let decision = router.decide(ask, chat, (Router::Auto, &settings), pool);
    Ranking {
        models: decision.models(),
        task: Some(decision.features.task.to_string()),
        data: Some(decision.data()),
    }
}

/// The prompt as a JSON string.
fn json_string(prompt: &str) -> String {
    RawJson::of(prompt).json().text().into_owned()
}

const HARD: &str = "Implement a lock-free queue in Rust, prove that it is correct step by step, and \
                    analyse its complexity and its edge cases.\n```rust\nstruct Queue;\n```";

#[test]
fn an_easy_prompt_and_a_hard_one_get_models_of_different_cost() {
    let easy = ranked(&ask(), "Hi, how are you?", "");
    let hard = ranked(&ask(), HARD, "");
    assert_eq!(easy.task.as_deref(), Some("chat"));
    assert_eq!(hard.task.as_deref(), Some("code:generation"));
    let place = |ranking: &Ranking| {
        pool()
            .iter()
            .position(|id| *id == ranking.models[0])
            .unwrap()
    };
    assert!(place(&easy) <= 1, "{easy:?}");
    assert!(place(&hard) >= 3, "{hard:?}");
}

#[test]
fn only_models_that_can_take_the_request_are_ranked() {
    let mut with_image = ask();
    with_image.input = with_image.input.with(Modality::Image);
    assert_eq!(ranked(&with_image, "What is this?", "").models, ["acme/m4"]);
    let mut with_tools = ask();
    with_tools.parameters = [Parameter::Tools].into_iter().collect();
    assert!(
        !ranked(&with_tools, "Book a flight", "")
            .models
            .contains(&pool()[3])
    );
    let mut long = ask();
    long.prompt_at_least = Tokens::new(450_000);
    assert_eq!(ranked(&long, "Summarise", "").models, ["acme/m4"]);
}

#[test]
fn a_pool_without_an_able_model_gives_an_empty_order() {
    let mut long = ask();
    long.prompt_at_least = Tokens::new(1_000_000);
    assert_eq!(ranked(&long, "x", "").models, [""; 0]);
}

#[test]
fn tasks_are_told_by_certain_signs() {
    let task = |prompt: &str, members: &str| ranked(&ask(), prompt, members).task.unwrap();
    assert_eq!(task("Prove that the sum is even", ""), "math");
    assert_eq!(task("Why does this segfault?", ""), "code:debugging");
    let json = r#", "response_format": {"type": "json_object"}"#;
    assert_eq!(task("List three colours", json), "extraction");
}

/// Kinds of content, tools and length are certain, whatever the words are.
#[test]
fn what_is_certain_goes_before_words() {
    let of = |change: fn(&mut Ask)| {
        let mut ask = ask();
        change(&mut ask);
        let chat = ChatRequest::parse(
            &br#"{"messages": [{"role": "user", "content": "Prove that the sum is even"}]}"#
                .as_slice()
                .into(),
        );
        Features::of(&ask, &chat.unwrap()).task
    };
    assert_eq!(of(|_| ()), Task::Math);
    assert_eq!(
        of(|ask| ask.input = ask.input.with(Modality::Image)),
        Task::Vision
    );
    assert_eq!(
        of(|ask| ask.input = ask.input.with(Modality::Audio)),
        Task::Audio
    );
    assert_eq!(
        of(|ask| ask.input = ask.input.with(Modality::Video)),
        Task::Video
    );
    assert_eq!(
        of(|ask| ask.input = ask.input.with(Modality::File)),
        Task::Document
    );
    let tools = |ask: &mut Ask| ask.parameters = [Parameter::Tools].into_iter().collect();
    assert_eq!(of(tools), Task::AgentTools);
    let long = |ask: &mut Ask| ask.prompt_at_least = Tokens::new(40_000);
    assert_eq!(of(long), Task::LongContext);
}

#[test]
fn more_reasoning_asks_for_a_stronger_model() {
    let of = |members: &str| {
        let body = format!(r#"{{"messages": [{{"role": "user", "content": "Hi"}}]{members}}}"#);
        let chat = ChatRequest::parse(&body.into()).unwrap();
        Features::of(&ask(), &chat).difficulty
    };
    assert!(of(r#", "reasoning": {"effort": "high"}"#) > of(""));
}

#[test]
fn the_order_of_the_pool_does_not_matter() {
    let chat = ChatRequest::parse(
        &br#"{"messages": [{"role": "user", "content": "Hi"}]}"#
            .as_slice()
            .into(),
    )
    .unwrap();
    let mut backwards = pool();
    backwards.reverse();
    assert_eq!(
        decided(&ask(), &chat, &pool()),
        decided(&ask(), &chat, &backwards)
    );
}

/// The places in the pool of the models that these settings leave, best first.
fn places(settings: &str, ask: &Ask) -> Vec<usize> {
    let members = format!(r#", "plugins": [{{"id": "auto-router"{settings}}}]"#);
    let ranking = ranked(ask, HARD, &members);
    let place = |id: &ModelId| pool().iter().position(|known| known == id);
    ranking.models.iter().filter_map(place).collect()
}

#[test]
fn patterns_allow_and_exclusion_wins() {
    assert_eq!(places(r#", "allowed_models": ["acme/m2"]"#, &ask()), [2]);
    let both = r#", "allowed_models": ["acme/*"], "excluded_models": ["*/m1", "*/m3", "acme/m4"]"#;
    let mut left = places(both, &ask());
    left.sort_unstable();
    assert_eq!(left, [0, 2]);
    assert!(places(r#", "excluded_models": ["*"]"#, &ask()).is_empty());
    assert_eq!(
        places(
            r#", "allowed_models": ["acme/m2"], "enabled": false"#,
            &ask()
        )
        .len(),
        5
    );
}

#[test]
fn a_band_of_costs_leaves_out_the_cheaper_too() {
    for (tier, place) in [
        ("low", 0),
        ("medium", 1),
        ("high", 2),
        ("xhigh", 3),
        ("max", 4),
    ] {
        let both = format!(r#", "cost_tier": "{tier}", "cost_quality_tradeoff": 10"#);
        assert_eq!(places(&both, &ask()), [place], "{tier}");
    }
    assert_eq!(places(r#", "cost_quality_tradeoff": 10"#, &ask())[0], 0);
    assert_eq!(places(r#", "cost_quality_tradeoff": 0"#, &ask())[0], 4);
}

#[test]
fn the_conversations_model_stays_while_it_is_near_the_top() {
    let mut again = ask();
    let order = places("", &again);
    again.sticky = Some(format!("acme/m{}|acme", order[1]).parse().unwrap());
    assert_eq!(places("", &again)[0], order[1]);
    again.sticky = Some(format!("acme/m{}|acme", order[4]).parse().unwrap());
    assert_eq!(places("", &again)[0], order[0]);
}

#[test]
fn wrong_settings_are_named() {
    for (settings, field) in [
        (r#""cost_tier": "huge""#, "cost_tier"),
        (r#""cost_quality_tradeoff": 11"#, "cost_quality_tradeoff"),
        (r#""allowed_models": "x""#, "allowed_models"),
        (r#""excluded_models": [""]"#, "excluded_models[0]"),
        (r#""pin_model": 1"#, "pin_model"),
        (r#""min_coding_score": 2"#, "min_coding_score"),
    ] {
        let text = format!("{{{settings}}}");
        let entry = RawJson::parse(&text.into()).unwrap();
        assert_eq!(Settings::read(entry.json()).unwrap_err().field, field);
    }
}

#[test]
fn the_account_names_candidates_and_where_their_quality_comes_from() {
    let data = ranked(&ask(), HARD, "").data.unwrap();
    let data = data.json();
    assert_eq!(
        data.get("task_type").and_then(Json::string).as_deref(),
        Some("code:generation")
    );
    assert!((0.0..=1.0).contains(&data.get("difficulty").and_then(Json::f64).unwrap()));
    let first = data
        .get("candidates")
        .and_then(|list| list.elements().next())
        .unwrap();
    assert!(first.get("cost_usd").and_then(Json::f64).unwrap() > 0.0);
    assert_eq!(
        first.get("basis").and_then(Json::string).as_deref(),
        Some("guessed from price and age")
    );
}

#[test]
fn what_qualities_reach_is_said_where_it_is_asked_for_and_changes_no_order() {
    let mut operator = Operator::default();
    // The operator thinks the cheapest best, but not by much.
    let line = |(pattern, quality): (&str, f32)| crate::Override {
        pattern: pattern.into(),
        task: None,
        quality,
    };
    let lines = [("*", 0.6), ("*/m0", 0.65)];
    operator.levels = Overrides::new(lines.into_iter().map(line).collect());
    let plain = by(&AutoRouter::new(catalog(), operator.clone()), HARD).ranked;
    let told = by(&AutoRouter::new(catalog(), operator).reaching(), HARD).ranked;
    let raised = |one: &Scored| one.reach > f64::from(one.quality);
    assert!(
        !plain.iter().any(raised) && told.iter().any(raised),
        "{told:?}"
    );
    let without = |mut one: Scored| {
        one.reach = one.quality.into();
        one
    };
    let told: Vec<Scored> = told.into_iter().map(without).collect();
    assert_eq!(plain, told);
}

#[test]
fn pareto_takes_the_cheapest_of_a_tier_of_coding() {
    let of = |settings: &str| {
        let body = format!(
            r#"{{"messages": [{{"role": "user", "content": "x"}}], "plugins": [{{"id": "pareto-router"{settings}}}]}}"#
        );
        let chat = ChatRequest::parse(&body.into()).unwrap();
        let router = AutoRouter::new(catalog(), Operator::default());
        let settings = router.settings(Router::ParetoCode, &chat).unwrap();
        let decision = router.decide(&ask(), &chat, (Router::ParetoCode, &settings), &pool());
        decision
            .models()
            .iter()
            .map(|id| id.slug().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(""), ["m3", "m4"]);
    assert_eq!(of(r#", "min_coding_score": 0.5"#), ["m1", "m2"]);
    assert_eq!(of(r#", "min_coding_score": 0.1"#), ["m0"]);
    assert_eq!(of(r#", "max_price": 2"#), ["m2", "m1", "m0"]);
    assert!(of(r#", "max_price": 0.01"#).is_empty());
}

/// A decision on a prompt by this router.
fn by(router: &AutoRouter, prompt: &str) -> Decision {
    let content = json_string(prompt);
    let body = format!(r#"{{"messages": [{{"role": "user", "content": {content}}}]}}"#);
    let chat = ChatRequest::parse(&body.into()).unwrap();
    let settings = router.settings(Router::Auto, &chat).unwrap();
    router.decide(&ask(), &chat, (Router::Auto, &settings), &pool())
}

#[test]
fn the_first_has_the_whole_propensity_unless_the_operator_lets_others_be_tried() {
    let plain = AutoRouter::new(catalog(), Operator::default());
    let first = by(&plain, "Hi, how are you?");
    let chances: Vec<f32> = first.ranked.iter().map(|one| one.propensity).collect();
    assert_eq!(chances, [1.0, 0.0, 0.0, 0.0, 0.0]);

    let lines = ["acme/m0", "acme/m1"].map(|id| crate::Override {
        pattern: id.into(),
        task: None,
        quality: 0.9,
    });
    let mut operator = Operator {
        abilities: Overrides::new(lines.into()),
        explore_ppm: 50_000,
        ..Operator::default()
    };
    // Without the cost the two are equal.
    let quality = br#"{"cost_quality_tradeoff": 0}"#.as_slice();
    operator.auto.options = Some(RawJson::parse(&quality.into()).unwrap());
    let exploring = AutoRouter::new(catalog(), operator);
    let (mut explored, mut all) = (0, 0);
    for at in 0..400 {
        let prompt = format!("What is the capital of country number {at}, and of the {at} others?");
        let decision = by(&exploring, &prompt);
        let sum: f32 = decision.ranked.iter().map(|one| one.propensity).sum();
        assert!((sum - 1.0).abs() < 1e-3, "{sum}");
        let chosen = &decision.ranked[0];
        assert!(chosen.propensity > 0.0);
        assert_eq!(by(&exploring, &prompt), decision);
        let near = decision.ranked.iter().filter(|one| one.propensity > 0.0);
        let near: Vec<&Scored> = near.collect();
        let best = near.iter().map(|one| one.score).fold(f32::MIN, f32::max);
        assert!(near.iter().all(|one| best - one.score <= NEAR));
        all += usize::from(near.len() > 1);
        explored += usize::from(chosen.score < best);
    }
    // A twentieth, of which half is the best again.
    assert!(
        all > 300 && explored > 0 && explored < 30,
        "{explored} of {all}"
    );
}

#[test]
fn feedback_moves_a_model_by_no_more_than_its_bound_and_never_the_operators_word() {
    let learned = Arc::new(Learned::default());
    let quality = |router: &AutoRouter, id: &str| {
        let decision = by(router, "Hi, how are you?");
        let one = decision
            .ranked
            .iter()
            .find(|one| one.model.as_str() == id)
            .unwrap();
        (one.quality, one.shift, one.basis.clone())
    };
    let plain = AutoRouter::new(catalog(), Operator::default());
    let router = plain.clone().taught_by(Arc::clone(&learned));
    assert_eq!(quality(&router, "acme/m2"), quality(&plain, "acme/m2"));
    for at in 0..2_000_u64 {
        for (id, score) in [("acme/m2", 0.0), ("acme/m3", 1.0)] {
            learned.note(
                &crate::Observation {
                    task: Task::Chat,
                    model: id.parse().unwrap(),
                    expected: 0.5,
                    score,
                    at: UnixMs::new(at * 864_000),
                },
                None,
            );
        }
    }
    let (moved, shift, basis) = quality(&router, "acme/m2");
    assert!(
        moved < quality(&plain, "acme/m2").0 && (-1.0..-0.3).contains(&shift),
        "{shift}"
    );
    assert_eq!(basis, Basis::Feedback);
    let line = crate::Override {
        pattern: "*".into(),
        task: None,
        quality: 0.7,
    };
    let operator = Operator {
        abilities: Overrides::new(vec![line]),
        ..Operator::default()
    };
    let told = AutoRouter::new(catalog(), operator).taught_by(learned);
    assert_eq!(quality(&told, "acme/m2").2, Basis::Operator);
}

#[test]
fn the_price_of_a_provider_that_cannot_be_asked_does_not_count() {
    let nobody = AutoRouter::new(catalog(), Operator::default());
    let asked = nobody
        .clone()
        .priced_by(Arc::new(|provider| provider.as_str() == "acme"));
    assert_eq!(by(&asked, "Hi").ranked, by(&nobody, "Hi").ranked);
    let none = nobody.clone().priced_by(Arc::new(|_| false));
    assert_eq!(by(&none, "Hi").ranked, by(&nobody, "Hi").ranked);
}
