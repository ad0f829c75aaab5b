//! The account of a plan: every endpoint in one place, reasons in words, JSON as promised.
//! `interfaces`, "Explain: the plan as JSON".

use waystation_core::{ErrorType, Quantization, Tokens};
use waystation_router::{Explanation, explain};

use crate::town::{M, Town};

fn json(town: &Town, members: &str) -> serde_json::Value {
    let result = town.plan_of(&town.ask(members), 7);
    serde_json::to_value(explain(&result, &town.catalog())).unwrap()
}

#[test]
fn a_plan_is_explained_as_promised() {
    let town = Town::abc();
    let members = format!(
        r#""models": ["{M}", "acme/none"], "provider": {{"sort": "price", "ignore": ["c"], "order": ["foo"]}}"#
    );
    let explained = json(&town, &members);
    assert_eq!(explained["requested"], serde_json::json!([M, "acme/none"]));
    assert_eq!(
        (&explained["strategy"], &explained["seed"]),
        (&"direct".into(), &7.into())
    );
    let attempt = serde_json::json!({
        "model": M, "provider": "Provider A", "endpoint": "a", "upstream_model": "fast",
        "price": {"prompt": "1", "completion": "1"}, "why": ["unlisted"]
    });
    assert_eq!(explained["attempts"][0], attempt);
    let dropped = serde_json::json!({
        "model": M, "endpoint": "c", "reason": "ignore", "detail": "named in provider.ignore"
    });
    assert_eq!(explained["dropped"], serde_json::json!([dropped]));
    assert_eq!(
        explained["notes"][1],
        "provider.order: 'foo' matches no provider"
    );
}

#[test]
fn the_lack_of_a_plan_is_explained_with_the_error_of_the_request() {
    let explained = json(
        &Town::abc(),
        &format!(r#""model": "{M}", "provider": {{"max_price": {{"prompt": 0.5}}}}"#),
    );
    assert_eq!(explained["attempts"], serde_json::json!([]));
    assert_eq!(explained["dropped"].as_array().unwrap().len(), 3);
    assert_eq!(explained["error"]["code"], 404);
    let availability = &explained["error"]["availability"];
    assert_eq!(availability["code"], "constraint_filtered");
    assert_eq!(
        availability["excluded_by"],
        serde_json::json!(["max_price"])
    );
}

#[test]
fn a_request_that_is_refused_has_a_line_too() {
    let refused = waystation_core::InvalidRequest::new("model", "is missing");
    let line = serde_json::to_value(Explanation::refused(&refused, 3)).unwrap();
    assert_eq!(line["error"]["error_type"], "invalid_request");
    assert_eq!(line["attempts"], serde_json::json!([]));
}

#[test]
fn a_mixed_refusal_counts_its_reasons() {
    let none = Town::abc().unrouted(r#""max_price": {"prompt": 1.5}, "ignore": ["a"]"#);
    assert_eq!(none.kind, ErrorType::NotFound);
    assert_eq!(
        none.message,
        "acme/fast: 3 endpoints: 2 above max_price.prompt 1.5, 1 in provider.ignore; the cheapest is b at prompt 2, completion 2"
    );
    assert_eq!(none.excluded_by, ["max_price", "ignore"]);
}

#[test]
fn a_refusal_says_by_how_much_and_what_to_relax() {
    let town = Town::abc().serve_with(M, "d", "0.5", |endpoint| {
        endpoint.max_output = Some(Tokens::new(100));
        endpoint.quantization = Some(Quantization::Fp8);
    });
    let refused = |members: &str| {
        town.refused(&format!(r#""model": "{M}", {members}"#))
            .message
    };
    for (members, expected) in [
        (
            r#""provider": {"max_price": {"completion": 0.2}}"#,
            "4 endpoints: 4 above max_price.completion 0.2; the cheapest is d at prompt 0.5, completion 0.5",
        ),
        (
            r#""max_tokens": 101, "provider": {"only": ["d"]}"#,
            "4 endpoints: 3 not in provider.only, 1 with less output than max_tokens 101; provider.only may name a, b, c",
        ),
        (
            r#""provider": {"quantizations": ["int4"]}"#,
            "4 endpoints: 4 not in provider.quantizations; provider.quantizations may have fp8, unknown",
        ),
        (
            r#""provider": {"zdr": true}"#,
            "4 endpoints: 4 without zero data retention; leave out provider.zdr to admit them",
        ),
        (
            r#""provider": {"only": ["nobody"]}"#,
            "4 endpoints: 4 not in provider.only; provider.only may name a, b, c, d; \"nobody\" matches nothing",
        ),
    ] {
        assert_eq!(refused(members), format!("{M}: {expected}"));
    }
}

#[test]
fn an_unknown_price_is_null_and_never_zero() {
    let explained = json(
        &Town::empty().serve(M, "x", "?"),
        &format!(r#""model": "{M}""#),
    );
    assert!(explained["attempts"][0]["price"]["prompt"].is_null());
}
