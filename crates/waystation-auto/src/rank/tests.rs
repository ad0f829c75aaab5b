//! Which model the rules pick, on a small catalogue of our own.

use waystation_catalog::source::Rows;
use waystation_core::{Modality, Parameter};

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
    let chat = ChatRequest::parse(&body.into()).unwrap();
    Rules::new(catalog()).rank(ask, &chat, &pool()).unwrap()
}

/// The prompt as a JSON string.
fn json_string(prompt: &str) -> String {
    waystation_core::RawJson::of(prompt)
        .json()
        .text()
        .into_owned()
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
fn a_pool_without_an_able_model_is_an_error_that_says_so() {
    let mut long = ask();
    long.prompt_at_least = Tokens::new(1_000_000);
    let chat = ChatRequest::parse(
        &br#"{"messages": [{"role": "user", "content": "x"}]}"#
            .as_slice()
            .into(),
    );
    let refused = Rules::new(catalog())
        .rank(&long, &chat.unwrap(), &pool())
        .unwrap_err();
    assert_eq!(refused.reason, "none of 5 models can take the request");
}

#[test]
fn tasks_are_told_by_certain_signs() {
    let task = |prompt: &str, members: &str| ranked(&ask(), prompt, members).task.unwrap();
    assert_eq!(task("Prove that the sum is even", ""), "math");
    assert_eq!(task("Why does this segfault?", ""), "code:debugging");
    let json = r#", "response_format": {"type": "json_object"}"#;
    assert_eq!(task("List three colours", json), "extraction");
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
    let rules = Rules::new(catalog());
    let mut backwards = pool();
    backwards.reverse();
    assert_eq!(
        rules.rank(&ask(), &chat, &pool()).unwrap(),
        rules.rank(&ask(), &chat, &backwards).unwrap()
    );
}
