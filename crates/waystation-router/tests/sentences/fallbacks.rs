//! `allow_fallbacks`, several models, caps on them. Contract, sections 3.7 and 5.

use waystation_core::{ChatRequest, ErrorType};
use waystation_router::ask;

use crate::town::{FourBytes, M, Town, ids, with_messages};

fn two() -> Town {
    Town::abc()
        .serve("acme/big", "a", "5")
        .serve("acme/big", "b", "6")
}

#[test]
fn s40_order_without_fallbacks_tries_nothing_else() {
    let town = Town::abc();
    assert_eq!(
        town.routed(r#""order": ["b"], "allow_fallbacks": false"#),
        ["b"]
    );
    let plan = town.plan(&format!(
        r#""model": "{M}", "provider": {{"order": ["b"], "allow_fallbacks": false}}"#
    ));
    let dropped: Vec<&str> = plan
        .trace
        .dropped
        .iter()
        .map(|d| d.reason.as_str())
        .collect();
    assert_eq!(dropped, ["allow_fallbacks", "allow_fallbacks"]);
}

#[test]
fn s41_no_fallbacks_and_no_order_is_exactly_one_attempt() {
    assert_eq!(Town::abc().routed(r#""allow_fallbacks": false"#).len(), 1);
    let sorted = r#""allow_fallbacks": false, "sort": "price""#;
    assert_eq!(Town::abc().routed(sorted), ["a"]);
}

#[test]
fn no_fallbacks_keeps_one_endpoint_of_every_model_that_was_asked_for() {
    let members = format!(
        r#""models": ["{M}", "acme/big"], "provider": {{"allow_fallbacks": false, "sort": "price"}}"#
    );
    assert_eq!(ids(&two().plan(&members)), ["acme/fast|a", "acme/big|a"]);
}

#[test]
fn s42_an_unhosted_provider_in_order_is_skipped() {
    let town = Town::abc().serve("acme/big", "z", "1");
    assert_eq!(
        town.routed(r#""order": ["z", "b"], "allow_fallbacks": false"#),
        ["b"]
    );
    let none = town.unrouted(r#""order": ["z"], "allow_fallbacks": false"#);
    assert_eq!(none.excluded_by, ["allow_fallbacks"]);
}

#[test]
fn s86_models_without_model_works_and_the_first_is_primary() {
    let plan = two().plan(r#""models": ["acme/big", "acme/fast"], "provider": {"sort": "price"}"#);
    assert_eq!(ids(&plan)[0], "acme/big|a");
    assert_eq!(plan.strategy.as_str(), "direct");
    assert_eq!(plan.requested, ["acme/big", "acme/fast"]);
}

#[test]
fn s87_model_goes_before_models_and_duplicates_count_once() {
    let plan = two().plan(
        r#""model": "acme/big", "models": ["acme/fast", "acme/big", "ACME/fast"], "provider": {"sort": "price"}"#,
    );
    assert_eq!(plan.requested, ["acme/big", "acme/fast"]);
    assert_eq!(plan.attempts.len(), 5);
}

#[test]
fn s91_one_unknown_of_two_lets_the_other_serve_and_all_unknown_is_400() {
    let plan = two().plan(r#""models": ["acme/none", "acme/fast"]"#);
    assert!(ids(&plan).iter().all(|id| id.starts_with("acme/fast|")));
    assert_eq!(plan.strategy.as_str(), "fallback");
    assert!(plan.trace.notes[0].contains("there is no model \"acme/none\""));
    let none = two().refused(r#""models": ["acme/none", "acme/nought"]"#);
    assert_eq!(none.kind, ErrorType::InvalidRequest);
    assert_eq!(none.code.unwrap().as_str(), "model_not_found");
    assert_eq!(none.requested, ["acme/none", "acme/nought"]);
}

#[test]
fn s92_four_models_are_fine_by_default_and_refused_at_a_cap_of_three() {
    let mut town = two();
    let members = r#""models": ["acme/fast", "acme/big", "x/y", "x/z"]"#;
    assert!(!town.plan(members).attempts.is_empty());
    town.policy.models_cap = 3;
    let chat = ChatRequest::parse(&with_messages(members).into()).unwrap();
    let refused = ask(&chat, &FourBytes, &town.catalog(), &town.policy).unwrap_err();
    assert_eq!(refused.field, "models");
    assert!(refused.message.contains("at most 3"), "{refused}");
}

#[test]
fn a_model_that_cannot_be_served_leaves_the_next() {
    let town = two().serve("acme/solo", "s", "1").without("s");
    let plan = town.plan(r#""models": ["acme/solo", "acme/big"], "provider": {"sort": "price"}"#);
    assert_eq!(ids(&plan), ["acme/big|a", "acme/big|b"]);
    assert_eq!(plan.strategy.as_str(), "fallback");
}

#[test]
fn no_model_at_all_is_400_unless_there_is_a_default() {
    let mut town = two();
    let chat = ChatRequest::parse(&with_messages("").into()).unwrap();
    let refused = ask(&chat, &FourBytes, &town.catalog(), &town.policy).unwrap_err();
    assert_eq!(refused.field, "model");
    town.policy.default_model = Some("acme/big".into());
    assert_eq!(town.plan("").requested, ["acme/big"]);
}
