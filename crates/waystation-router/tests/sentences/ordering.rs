//! Default balancing, sorts, `order`, thresholds, partitions. Contract, section 3.5 and 3.6.

use waystation_catalog::{Catalog, source::Rows};
use waystation_router::RoutingPolicy;

use crate::town::{M, Town, ids, tags};

const OTHER: &str = "acme/big";

/// How often each tag is first over many seeds, per cent.
fn first_share(town: &Town, tag: &str, seeds: u64) -> u64 {
    let ask = town.ask(&format!(r#""model": "{M}""#));
    let catalog = town.catalog();
    let first = |seed: &u64| tags(&town.plan_in(&catalog, &ask, *seed).unwrap())[0] == tag;
    (0..seeds).filter(first).count() as u64 * 1_000 / seeds
}

#[test]
fn s29_by_default_a_third_of_the_price_is_nine_times_as_likely_first() {
    let town = Town::empty().serve(M, "a", "1").serve(M, "c", "3");
    let share = first_share(&town, "a", 10_000);
    assert!((880..=920).contains(&share), "{share} in 1000");
}

#[test]
fn s30_an_endpoint_in_outage_is_always_last_by_default() {
    let town = Town::abc().outage(M, "b");
    let ask = town.ask(&format!(r#""model": "{M}""#));
    for seed in 0..200 {
        let plan = town.plan_of(&ask, seed).unwrap();
        assert_eq!(tags(&plan)[2], "b");
    }
}

#[test]
fn s31_after_the_outage_it_is_eligible_again() {
    assert!(first_share(&Town::abc(), "b", 2_000) > 100);
}

#[test]
fn s32_sort_price_is_always_cheapest_first() {
    let town = Town::abc().outage(M, "a");
    let ask = town.ask(&format!(
        r#""model": "{M}", "provider": {{"sort": "price"}}"#
    ));
    for seed in 0..50 {
        assert_eq!(tags(&town.plan_of(&ask, seed).unwrap()), ["a", "b", "c"]);
    }
}

#[test]
fn s33_s34_sorts_by_speed_put_the_best_median_first_and_the_unmeasured_last() {
    let town = Town::abc()
        .speed(M, "b", 50.0, 10.0)
        .speed(M, "c", 90.0, 5.0)
        .wait(M, "a", 2.0, 3.0)
        .wait(M, "b", 0.5, 9.0);
    assert_eq!(town.routed(r#""sort": "throughput""#), ["c", "b", "a"]);
    assert_eq!(town.routed(r#""sort": "latency""#), ["b", "a", "c"]);
    assert_eq!(
        Town::abc().routed(r#""sort": "throughput""#),
        ["a", "b", "c"]
    );
}

/// Two models, the second one cheaper.
fn two() -> Town {
    Town::abc()
        .serve(OTHER, "a", "0.5")
        .serve(OTHER, "d", "2.5")
}

#[test]
fn s35_partition_none_sorts_over_all_models() {
    let members = format!(
        r#""models": ["{M}", "{OTHER}"], "provider": {{"sort": {{"by": "price", "partition": "none"}}}}"#
    );
    let expected = [
        "acme/big|a",
        "acme/fast|a",
        "acme/fast|b",
        "acme/big|d",
        "acme/fast|c",
    ];
    assert_eq!(ids(&two().plan(&members)), expected);
}

#[test]
fn s36_without_partition_the_first_models_endpoints_go_first() {
    let members =
        format!(r#""models": ["{M}", "{OTHER}"], "provider": {{"sort": {{"by": "price"}}}}"#);
    assert_eq!(two().tags(&members), ["a", "b", "c", "a", "d"]);
}

#[test]
fn s88_route_sort_is_partition_none_and_route_fallback_is_the_default() {
    let of = |route: &str| {
        let members = format!(
            r#""models": ["{M}", "{OTHER}"], "route": "{route}", "provider": {{"sort": "price"}}"#
        );
        ids(&two().plan(&members))
    };
    assert_eq!(of("sort")[0], "acme/big|a");
    assert_eq!(of("fallback")[0], "acme/fast|a");
}

#[test]
fn s37_order_is_followed_though_dearer_and_the_rest_comes_behind() {
    assert_eq!(
        Town::abc().routed(r#""order": ["c", "b"]"#),
        ["c", "b", "a"]
    );
    assert_eq!(
        Town::abc().routed(r#""order": ["nobody", "b"]"#),
        ["b", "a", "c"]
    );
}

#[test]
fn s38_display_names_and_slugs_mean_the_same() {
    let town = Town::abc();
    let by_name = town.routed(r#""order": ["Provider C", "provider_b"]"#);
    assert_eq!(by_name, town.routed(r#""order": ["c", "b"]"#));
}

#[test]
fn s39_order_wins_over_sort_which_is_for_the_rest() {
    let town = Town::abc()
        .speed(M, "a", 10.0, 5.0)
        .speed(M, "b", 90.0, 5.0);
    let provider = r#""order": ["c"], "sort": "throughput""#;
    assert_eq!(town.routed(provider), ["c", "b", "a"]);
}

#[test]
fn s53_a_base_name_means_all_variants_by_price_and_a_full_name_one() {
    let town = Town::abc()
        .serve(M, "b/turbo", "1.5")
        .serve(M, "b/slow", "9");
    assert_eq!(
        town.routed(r#""order": ["b"], "sort": "price""#),
        ["b/turbo", "b", "b/slow", "a", "c"]
    );
    assert_eq!(town.routed(r#""only": ["B/Turbo"]"#), ["b/turbo"]);
    assert_eq!(
        town.routed(r#""ignore": ["b/slow"], "sort": "price""#),
        ["a", "b/turbo", "b", "c"]
    );
}

#[test]
fn s61_missing_a_threshold_moves_back_and_never_drops() {
    let town = Town::abc()
        .speed(M, "a", 20.0, 5.0)
        .speed(M, "c", 90.0, 60.0);
    let provider = r#""sort": "price", "preferred_min_throughput": 50"#;
    assert_eq!(town.routed(provider), ["c", "a", "b"]);
    let nobody = r#""sort": "price", "preferred_min_throughput": 5000"#;
    assert_eq!(town.routed(nobody), ["a", "b", "c"]);
    let no_data = r#""sort": "price", "preferred_max_latency": 1"#;
    assert_eq!(town.routed(no_data), ["a", "b", "c"]);
}

#[test]
fn s62_a_second_model_that_meets_the_threshold_goes_before_a_first_that_does_not() {
    let town = two().speed(M, "a", 20.0, 5.0).speed(OTHER, "d", 90.0, 60.0);
    let members = format!(
        r#""models": ["{M}", "{OTHER}"], "provider": {{"sort": "price", "preferred_min_throughput": 50}}"#
    );
    let plan = town.plan(&members);
    assert_eq!(ids(&plan)[0], "acme/big|d");
    assert_eq!(plan.strategy.as_str(), "fallback");
}

#[test]
fn s63_s64_latency_is_in_seconds_and_p90_is_the_slow_tail() {
    let town = Town::abc()
        .wait(M, "a", 0.4, 3.0)
        .wait(M, "b", 0.6, 0.9)
        .speed(M, "a", 90.0, 10.0)
        .speed(M, "b", 60.0, 55.0);
    let sorted = |more: &str| town.routed(&format!(r#""sort": "price", {more}"#))[0].clone();
    assert_eq!(sorted(r#""preferred_max_latency": {"p50": 1}"#), "a");
    assert_eq!(
        sorted(r#""preferred_max_latency": {"p50": 1, "p90": 1}"#),
        "b"
    );
    assert_eq!(sorted(r#""preferred_min_throughput": {"p90": 50}"#), "b");
    assert_eq!(sorted(r#""preferred_min_throughput": {"p50": 50}"#), "a");
}

#[test]
fn thresholds_do_not_move_what_order_names() {
    let town = Town::abc()
        .speed(M, "a", 90.0, 60.0)
        .speed(M, "c", 1.0, 1.0);
    let provider = r#""order": ["c"], "preferred_min_throughput": 50"#;
    assert_eq!(town.routed(provider), ["c", "a", "b"]);
}

#[test]
fn s65_a_free_endpoint_goes_before_paid_ones_and_an_unknown_price_last() {
    let town = Town::abc().serve(M, "x", "?").serve(M, "z", "0");
    let ask = town.ask(&format!(r#""model": "{M}""#));
    for seed in 0..50 {
        let plan = tags(&town.plan_of(&ask, seed).unwrap());
        assert_eq!((plan[0].as_str(), plan[4].as_str()), ("z", "x"));
    }
    assert_eq!(town.routed(r#""sort": "price""#), ["z", "a", "b", "c", "x"]);
}

#[test]
fn ties_are_broken_by_tag() {
    let town = Town::empty()
        .serve(M, "b", "1")
        .serve(M, "c", "1")
        .serve(M, "a", "1");
    assert_eq!(town.routed(r#""sort": "price""#), ["a", "b", "c"]);
}

#[test]
fn the_price_compared_is_three_parts_prompt_and_one_part_completion() {
    let town = Town::empty()
        .serve(M, "a", "1/9")
        .serve(M, "b", "2/5")
        .serve(M, "c", "1/8.9");
    assert_eq!(town.routed(r#""sort": "price""#), ["b", "c", "a"]);
}

#[test]
fn exploring_starts_some_plans_at_an_unmeasured_endpoint() {
    let mut town = Town::abc().speed(M, "a", 50.0, 40.0);
    town.policy.explore_ppm = 50_000;
    let ask = town.ask(&format!(r#""model": "{M}:nitro""#));
    let explored = |seed: &u64| {
        let plan = town.plan_of(&ask, *seed).unwrap();
        plan.attempts[0].why[0].to_string() == "explore"
    };
    let count = (0..2_000).filter(explored).count();
    assert!((60..=140).contains(&count), "{count}");
}

#[test]
fn a_sticky_endpoint_goes_first_while_it_works_and_no_order_is_given() {
    let sticky = |town: &Town, provider: &str| {
        let mut ask = town.ask(&format!(r#""model": "{M}", "provider": {{{provider}}}"#));
        ask.sticky = Some("acme/fast|c".parse().unwrap());
        tags(&town.plan_of(&ask, 1).unwrap())[0].clone()
    };
    assert_eq!(sticky(&Town::abc(), ""), "c");
    assert_eq!(sticky(&Town::abc(), r#""order": ["a"]"#), "a");
    assert_eq!(
        sticky(&Town::abc(), r#""sort": "price", "ignore": ["c"]"#),
        "a"
    );
    assert_ne!(sticky(&Town::abc().outage(M, "c"), ""), "c");
}

#[test]
fn a_conversation_that_stays_is_not_explored_away() {
    let mut town = Town::abc().speed(M, "a", 50.0, 40.0);
    town.policy.explore_ppm = 1_000_000;
    let mut ask = town.ask(&format!(r#""model": "{M}:nitro""#));
    ask.sticky = Some("acme/fast|a".parse().unwrap());
    for seed in 0..20 {
        assert_eq!(tags(&town.plan_of(&ask, seed).unwrap())[0], "a");
    }
}

/// Two models at their maker and at a cheaper aggregator.
const HUB: &str = r#"
[[provider]]
slug = "hub"
name = "Hub"
dialect = "openai-chat"
base_url = "https://hub.example/v1"
auth = "bearer"
env = ["HUB_API_KEY"]
aggregator = true
[[provider]]
slug = "own"
name = "Own"
dialect = "openai-chat"
base_url = "https://own.example/v1"
auth = "bearer"
env = ["OWN_API_KEY"]
[[model]]
id = "acme/fast"
name = "Fast"
input = ["text"]
output = ["text"]
parameters = ["temperature"]
seen = "2026-11-01"
[[model.endpoint]]
provider = "hub"
model = "fast"
confidence = "high"
price = { prompt = "1", completion = "1" }
[[model.endpoint]]
provider = "own"
model = "fast"
confidence = "high"
price = { prompt = "2", completion = "2" }
[[model]]
id = "acme/big"
name = "Big"
input = ["text"]
output = ["text"]
parameters = ["temperature"]
seen = "2026-11-01"
[[model.endpoint]]
provider = "hub"
model = "big"
confidence = "high"
price = { prompt = "0.5", completion = "0.5" }
[[model.endpoint]]
provider = "own"
model = "big"
confidence = "high"
price = { prompt = "3", completion = "3" }
"#;

/// The tags of a plan over those rows.
fn at_hub(policy: RoutingPolicy, members: &str) -> Vec<String> {
    let catalog = Catalog::from_rows(&Rows::from_toml(HUB).unwrap()).unwrap();
    let mut town = Town::empty();
    town.policy = policy;
    tags(&town.plan_in(&catalog, &town.ask(members), 7).unwrap())
}

#[test]
fn flex_that_nobody_sells_is_no_wish_and_where_somebody_does_it_is_sorted_by_price() {
    let town = Town::abc();
    let first = |seed: u64| {
        let ask = town.ask(&format!(r#""model": "{M}", "service_tier": "flex""#));
        tags(&town.plan_of(&ask, seed).unwrap())[0].clone()
    };
    let dear = (0..200).filter(|seed| first(*seed) != "a").count();
    assert!(
        (10..=70).contains(&dear),
        "{dear} of 200 started elsewhere: a draw"
    );
    let town = town.serve(M, "c/flex", "2").serve(M, "b/flex", "1");
    let plan = town.plan(&format!(r#""model": "{M}", "service_tier": "flex""#));
    assert_eq!(tags(&plan), ["b/flex", "c/flex"]);
    let why: Vec<String> = plan.attempts[0]
        .why
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(why, ["tier:flex", "sort:price"]);
}

#[test]
fn trust_orders_what_a_service_tier_sorts() {
    // Neither sells the tier; the aggregator is cheaper, and still goes behind.
    let flex = format!(r#""model": "{M}", "service_tier": "flex""#);
    assert_eq!(at_hub(RoutingPolicy::default(), &flex), ["own", "hub"]);
    let floor = format!(r#""model": "{M}:floor""#);
    assert_eq!(at_hub(RoutingPolicy::default(), &floor), ["hub", "own"]);
}

#[test]
fn own_keys_go_before_aggregators_within_each_model_where_the_operator_wishes_so() {
    let policy = RoutingPolicy {
        byok_first: true,
        ..RoutingPolicy::default()
    };
    for wish in [r#""sort": "price""#, r#""order": ["hub"]"#] {
        let members = format!(r#""models": ["{M}", "{OTHER}"], "provider": {{{wish}}}"#);
        let tags = at_hub(policy.clone(), &members);
        assert_eq!(tags, ["own", "hub", "own", "hub"], "{wish}");
    }
}
