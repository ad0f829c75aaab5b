//! The hard filters. Contract, sections 3.1 to 3.4.

use waystation_catalog::Catalog;
use waystation_core::{
    Ask, DataPolicy, ErrorType, Now, Parameter, ParameterSet, Quantization, Seed, Tokens,
};
use waystation_router::{Dropped, HealthView, Reason, RoutingPolicy, World, plan, pool};

use crate::town::{M, Town};

#[test]
fn s43_only_restricts_to_the_named_provider() {
    assert_eq!(Town::abc().routed(r#""only": ["B"]"#), ["b"]);
}

#[test]
fn s44_only_unknown_names_leave_nothing() {
    let none = Town::abc().unrouted(r#""only": ["nobody"]"#);
    assert_eq!(none.kind, ErrorType::NotFound);
    assert_eq!(none.code.unwrap().as_str(), "no_endpoints");
    assert_eq!(none.excluded_by, ["allowed_providers"]);
    assert_eq!(none.trace.unmatched, ["nobody"]);
    assert_eq!(
        none.message,
        "acme/fast: 3 endpoints: 3 not in provider.only; provider.only may name a, b, c; \"nobody\" matches nothing"
    );
}

#[test]
fn s45_an_ignored_provider_is_never_tried() {
    assert_eq!(
        Town::abc().routed(r#""ignore": ["Provider A"], "sort": "price""#),
        ["b", "c"]
    );
}

#[test]
fn s46_ignore_wins_over_only() {
    let none = Town::abc().unrouted(r#""only": ["a"], "ignore": ["a"]"#);
    assert_eq!(none.kind, ErrorType::NotFound);
    assert_eq!(
        Town::abc().routed(r#""only": ["a", "b"], "ignore": ["a"]"#),
        ["b"]
    );
}

#[test]
fn empty_lists_say_nothing() {
    let provider = r#""only": [], "ignore": [], "order": [], "quantizations": []"#;
    assert_eq!(Town::abc().routed(provider).len(), 3);
}

#[test]
fn a_named_provider_without_credentials_is_named_with_its_variable() {
    let none = Town::abc().without("a").unrouted(r#""only": ["a"]"#);
    assert_eq!(
        none.message,
        "acme/fast: 3 endpoints: 2 not in provider.only, 1 without credentials; add api_key to its provider in the config"
    );
}

#[test]
fn the_operators_only_intersects_and_its_ignore_unites() {
    let mut town = Town::abc();
    town.policy.only = vec!["a".into(), "b".into()];
    town.policy.ignore = vec!["a".into()];
    assert_eq!(town.routed(r#""only": ["b", "c"]"#), ["b"]);
    assert_eq!(town.routed(""), ["b"]);
}

#[test]
fn s47_input_and_output_are_other_words_for_prompt_and_completion() {
    let town = Town::empty()
        .serve(M, "a", "1/2")
        .serve(M, "b", "1/2.1")
        .serve(M, "c", "1.1/2");
    for caps in [
        r#"{"input": 1, "output": 2}"#,
        r#"{"prompt": 1, "completion": 2}"#,
    ] {
        assert_eq!(town.routed(&format!(r#""max_price": {caps}"#)), ["a"]);
    }
}

#[test]
fn s48_a_price_equal_to_the_cap_passes_and_cap_zero_admits_only_free_endpoints() {
    let town = Town::abc().serve(M, "z", "0");
    assert_eq!(town.routed(r#""max_price": {"prompt": 0}"#), ["z"]);
    assert_eq!(
        town.routed(r#""max_price": {"prompt": 1}, "sort": "price""#),
        ["z", "a"]
    );
}

#[test]
fn s49_a_cap_below_all_prices_says_so_and_names_the_cheapest() {
    let none = Town::abc().unrouted(r#""max_price": {"prompt": "0.5"}"#);
    assert_eq!(none.code.unwrap().as_str(), "constraint_filtered");
    assert_eq!(none.excluded_by, ["max_price"]);
    assert_eq!(none.constraint.unwrap().field, "max_price");
    assert!(
        none.message
            .contains("the cheapest is a at prompt 1, completion 1"),
        "{}",
        none.message
    );
}

#[test]
fn s50_s51_numbers_and_strings_are_caps_and_a_sort_orders_the_affordable() {
    let town = Town::abc()
        .speed(M, "a", 10.0, 5.0)
        .speed(M, "b", 50.0, 5.0)
        .speed(M, "c", 90.0, 5.0);
    let provider = r#""max_price": {"prompt": "2.0"}, "sort": "throughput""#;
    assert_eq!(town.routed(provider), ["b", "a"]);
}

#[test]
fn s52_caps_on_requests_and_images_are_respected() {
    let town = Town::abc().serve_with(M, "d", "1", |endpoint| {
        endpoint.price.request = Some("0.01".parse().unwrap());
        endpoint.price.image = Some("0.02".parse().unwrap());
    });
    let sorted = |caps: &str| town.routed(&format!(r#""sort": "price", "max_price": {caps}"#));
    assert_eq!(sorted(r#"{"request": 0.005}"#), ["a", "b", "c"]);
    assert_eq!(
        sorted(r#"{"image": 0.02, "request": 0.01}"#),
        ["a", "d", "b", "c"]
    );
}

#[test]
fn an_unknown_price_exceeds_every_cap() {
    let town = Town::abc().serve(M, "x", "?");
    assert_eq!(
        town.routed(r#""max_price": {"request": 1}, "sort": "price""#),
        ["a", "b", "c"]
    );
}

#[test]
fn caps_hold_at_the_step_that_the_prompt_falls_in() {
    let town = Town::abc().serve_with(M, "s", "0.5", |endpoint| {
        let mut dear = endpoint.price.rates;
        dear.prompt = Some("4".parse().unwrap());
        endpoint.price.tiers.push(waystation_core::PriceTier {
            above: Tokens::new(1_000),
            rates: dear,
        });
    });
    let of = |length: usize| {
        let text = "x".repeat(length);
        town.tags(&format!(
            r#""model": "{M}", "messages": [{{"role": "user", "content": "{text}"}}], "provider": {{"sort": "price", "max_price": {{"prompt": 1}}}}"#
        ))
    };
    assert_eq!(of(100), ["s", "a"]);
    assert_eq!(of(8_000), ["a"]);
}

/// B takes every parameter, the others little.
fn of_parameters() -> Town {
    let few: ParameterSet = [Parameter::Temperature, Parameter::MaxTokens]
        .into_iter()
        .collect();
    Town::empty()
        .serve_with(M, "a", "1", move |endpoint| endpoint.parameters = Some(few))
        .serve_with(M, "b", "2", |endpoint| {
            endpoint.parameters = Some(ParameterSet::ALL)
        })
        .serve_with(M, "c", "3", move |endpoint| endpoint.parameters = Some(few))
}

#[test]
fn s54_require_parameters_keeps_only_endpoints_that_take_all_of_them() {
    let members = |parameter: &str| {
        format!(r#""model": "{M}", {parameter}, "provider": {{"require_parameters": true}}"#)
    };
    assert_eq!(
        of_parameters().tags(&members(r#""logit_bias": {"1": 1}"#)),
        ["b"]
    );
    let none = of_parameters()
        .without("b")
        .refused(&members(r#""logit_bias": {"1": 1}"#));
    assert_eq!(none.excluded_by, ["require_parameters"]);
    assert_eq!(none.code.unwrap().as_str(), "constraint_filtered");
}

#[test]
fn s55_without_it_the_parameter_alone_drops_nothing() {
    let members = format!(r#""model": "{M}", "logit_bias": {{"1": 1}}"#);
    assert_eq!(of_parameters().tags(&members).len(), 3);
}

const TOOLS: &str = r#""tools": [{"type": "function", "function": {"name": "f"}}]"#;

#[test]
fn s56_endpoints_with_tools_are_preferred_and_without_any_there_is_a_note() {
    let members = format!(r#""model": "{M}", {TOOLS}"#);
    assert_eq!(of_parameters().tags(&members), ["b"]);
    let plan = of_parameters().without("b").plan(&members);
    assert_eq!(plan.attempts.len(), 2);
    assert!(plan.trace.notes[0].starts_with("tools: no endpoint of acme/fast"));
    let mut strict = of_parameters().without("b");
    strict.policy.strict = true;
    assert_eq!(strict.refused(&members).kind, ErrorType::NotFound);
}

#[test]
fn s57_more_output_than_an_endpoint_gives_excludes_it() {
    let town = Town::abc().serve_with(M, "d", "0.1", |endpoint| {
        endpoint.max_output = Some(Tokens::new(16_384));
    });
    let members =
        format!(r#""model": "{M}", "max_tokens": 20000, "provider": {{"sort": "price"}}"#);
    assert_eq!(town.tags(&members), ["a", "b", "c"]);
    let mut clamping = town;
    clamping.policy.clamp_max_tokens = true;
    assert_eq!(clamping.tags(&members)[0], "d");
}

/// D and E take 1,000 and 2,000 tokens.
fn short() -> Town {
    Town::empty()
        .serve_with(M, "d", "1", |endpoint| {
            endpoint.context_length = Some(Tokens::new(1_000))
        })
        .serve_with(M, "e", "2", |endpoint| {
            endpoint.context_length = Some(Tokens::new(2_000))
        })
}

fn long_prompt(tokens: usize) -> String {
    let text = "x".repeat(tokens * 4);
    format!(r#""model": "{M}", "messages": [{{"role": "user", "content": "{text}"}}]"#)
}

#[test]
fn s58_a_prompt_longer_than_a_context_excludes_the_endpoint() {
    assert_eq!(short().tags(&long_prompt(1_500)), ["e"]);
    let with_output = format!(r#"{}, "max_tokens": 600"#, long_prompt(500));
    assert_eq!(short().tags(&with_output), ["e"]);
}

#[test]
fn a_prompt_longer_than_every_context_is_400_naming_the_largest() {
    let none = short().refused(&long_prompt(3_000));
    assert_eq!(none.kind, ErrorType::ContextLengthExceeded);
    assert_eq!(none.excluded_by, ["context_length"]);
    assert!(
        none.message.contains("the largest context is 2000"),
        "{}",
        none.message
    );
    assert!(none.message.contains("context-compression"));
    let mixed = short().serve(M, "f", "9");
    let members = format!(r#"{}, "provider": {{"ignore": ["f"]}}"#, long_prompt(3_000));
    assert_eq!(mixed.refused(&members).kind, ErrorType::NotFound);
}

#[test]
fn s59_fp4_means_its_family_and_an_unknown_format_only_unknown() {
    let town = Town::empty()
        .serve_with(M, "n", "1", |endpoint| {
            endpoint.quantization = Some(Quantization::Nvfp4)
        })
        .serve_with(M, "m", "2", |endpoint| {
            endpoint.quantization = Some(Quantization::Mxfp8)
        })
        .serve(M, "u", "3");
    let of = |list: &str| town.routed(&format!(r#""sort": "price", "quantizations": {list}"#));
    assert_eq!(of(r#"["fp4"]"#), ["n"]);
    assert_eq!(of(r#"["fp8", "unknown"]"#), ["m", "u"]);
    assert_eq!(
        town.unrouted(r#""quantizations": ["bf16"]"#).excluded_by,
        ["quantization"]
    );
}

#[test]
fn s60_privacy_wishes_exclude_what_does_not_promise() {
    let promise = |zdr, training, retained| DataPolicy {
        zdr: Some(zdr),
        training: Some(training),
        retained: Some(retained),
    };
    let town = Town::abc()
        .data("a", promise(true, false, true))
        .data("b", promise(false, false, false));
    assert_eq!(town.routed(r#""zdr": true"#), ["a"]);
    assert_eq!(
        town.routed(r#""data_collection": "deny", "sort": "price""#),
        ["a", "b"]
    );
    let none = town.unrouted(r#""zdr": true, "ignore": ["a"]"#);
    assert_eq!(none.code.unwrap().as_str(), "privacy_restricted");
    assert!(none.excluded_by.contains(&"data_policy:zdr"));
    let mut operator = town;
    operator.policy.zdr = true;
    assert_eq!(operator.routed(r#""zdr": false"#), ["a"]);
}

#[test]
fn content_that_an_endpoint_does_not_take_excludes_it() {
    let image = r#""messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}]}]"#;
    let members = format!(r#""model": "{M}", {image}"#);
    let taking = |kinds: &str| {
        let mut town = Town::abc();
        town.changes.models[0].input = Some(kinds.split(' ').map(|m| m.parse().unwrap()).collect());
        town
    };
    assert_eq!(taking("text").refused(&members).excluded_by, ["modality"]);
    assert_eq!(taking("text image").tags(&members).len(), 3);
}

#[test]
fn only_text_that_others_may_learn_from_is_distillable() {
    let enforced = r#""enforce_distillable_text": true"#;
    let said = |word: Option<bool>| {
        let mut town = Town::abc();
        town.changes.models[0].distillable = word;
        town
    };
    let tags = said(Some(true)).tags(&format!(r#""model": "{M}", "provider": {{{enforced}}}"#));
    assert_eq!(tags.len(), 3);
    for (word, why) in [
        (
            None,
            "no licence is known that lets other models be trained on its text",
        ),
        (
            Some(false),
            "the operator says that other models may not be trained on its text",
        ),
    ] {
        let none = said(word).unrouted(enforced);
        assert_eq!(none.excluded_by, ["distillable"]);
        assert_eq!(none.trace.dropped[0].detail.to_string(), why);
        assert!(none.to_string().contains("[[overrides]]"), "{none}");
    }
}

#[test]
fn a_licence_says_whether_text_is_distillable() {
    let catalog = Catalog::bundled().unwrap();
    let refused = |model: &str| {
        let world = World {
            catalog: &catalog,
            health: &HealthView::default(),
            now: Now::default(),
            usable: &|_| true,
            dialects: &["openai-chat".parse().unwrap()],
            policy: &RoutingPolicy::default(),
        };
        let mut ask = Ask::default();
        ask.models = vec![model.parse().unwrap()];
        ask.wishes.enforce_distillable_text = true;
        let none = plan(&ask, &world, Seed::new(1)).err()?;
        let dropped = none.trace.dropped;
        let of_it = |why: &Dropped| why.reason == Reason::Distillable;
        Some(dropped.into_iter().find(of_it).unwrap().detail.to_string())
    };
    for free in ["openai/gpt-oss-120b", "meta-llama/llama-3.3-70b-instruct"] {
        assert_eq!(refused(free), None, "{free}");
    }
    let told = refused("meta-llama/llama-3-8b-instruct").unwrap();
    assert!(
        told.contains("llama3") && told.contains("licence"),
        "{told}"
    );
    assert!(
        refused("openai/gpt-5.4")
            .unwrap()
            .contains("no licence is known")
    );
}

#[test]
fn an_endpoint_whose_dialect_is_not_built_is_dropped_and_says_so() {
    let mut town = Town::abc();
    town.changes.providers[0].dialect = Some("cohere-chat".parse().unwrap());
    let plan = town.plan(&format!(
        r#""model": "{M}", "provider": {{"sort": "price"}}"#
    ));
    assert_eq!(plan.attempts.len(), 2);
    assert_eq!(plan.trace.dropped[0].reason.as_str(), "dialect");
    assert_eq!(
        plan.trace.dropped[0].detail.to_string(),
        "cohere-chat is not built"
    );
}

#[test]
fn in_strict_mode_a_name_that_matches_nothing_is_refused() {
    let mut town = Town::abc();
    let note = "provider.ignore: 'azzure' matches no provider";
    let plan = town.plan(&format!(
        r#""model": "{M}", "provider": {{"ignore": ["azzure"]}}"#
    ));
    assert_eq!(plan.trace.notes, [note]);
    assert_eq!(plan.trace.unmatched, ["azzure"]);
    town.policy.strict = true;
    let none = town.unrouted(r#""ignore": ["azzure"]"#);
    assert_eq!(none.kind, ErrorType::InvalidRequest);
    assert!(none.message.starts_with(note), "{}", none.message);
}

#[test]
fn a_variant_that_nobody_has_is_a_name_that_matches_nothing() {
    let town = Town::abc().serve("acme/big", "b/turbo", "1");
    let notes = |names: &str| {
        town.plan(&format!(
            r#""model": "{M}", "provider": {{"ignore": [{names}]}}"#
        ))
    };
    let typo = notes(r#""b/trubo""#);
    assert_eq!(typo.trace.unmatched, ["b/trubo"]);
    assert_eq!(
        typo.trace.notes,
        ["provider.ignore: 'b/trubo' matches no endpoint"]
    );
    // Another model's variant is no typo.
    assert!(notes(r#""b/turbo", "c""#).trace.unmatched.is_empty());
}

#[test]
fn models_that_speak_are_in_the_pool_of_auto_only_where_something_is_heard() {
    let town = Town::abc().serve("acme/voice", "a", "1");
    let pooled = |members: &str, kinds: &str| {
        let mut town = town.clone();
        let voice = town.changes.models.last_mut().unwrap();
        voice.output = Some(kinds.split(' ').map(|m| m.parse().unwrap()).collect());
        let catalog = town.catalog();
        let world = World {
            catalog: &catalog,
            health: &HealthView::default(),
            now: Now::default(),
            usable: &|_| true,
            dialects: &["openai-chat".parse().unwrap()],
            policy: &RoutingPolicy::default(),
        };
        let ids = pool(&town.ask(members), &world);
        ids.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let text = r#""model": "openrouter/auto""#;
    assert_eq!(pooled(text, "text audio"), [M]);
    assert_eq!(pooled(text, "audio"), [M]);
    assert_eq!(pooled(text, "text"), [M, "acme/voice"]);
    let heard = format!(r#"{text}, "modalities": ["text", "audio"]"#);
    assert_eq!(pooled(&heard, "text audio"), ["acme/voice"]);
}
