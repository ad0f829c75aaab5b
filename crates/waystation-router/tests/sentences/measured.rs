//! What is measured, and what is learnt from it: speeds, expectations, tool calls. Contract, section
//! 3.5; decisions, "Measured speed and the cold start".

use std::time::Duration;

use waystation_core::{EndpointId, Now, Seed, Tick, UnixMs};
use waystation_router::{
    HealthRow, HealthTable, Outcome, Prior, Recent, RoutingPolicy, World, plan,
};

use crate::town::{M, Town, tags};

/// Two endpoints that nothing is known of, at one price. The tag of the slow one goes first in ties.
fn two_unknown() -> Town {
    Town::empty().serve(M, "a", "1").serve(M, "b", "1")
}

/// How often the faster endpoint is asked first in each hundred of `requests`, per cent, when every
/// answer is measured. One request a second; the slow endpoint gives 20 tokens a second, the faster
/// one 100.
fn found(seed: u64, requests: u64) -> Vec<u64> {
    let (town, table) = (two_unknown(), HealthTable::default());
    let catalog = town.catalog();
    let ask = town.ask(&format!(r#""model": "{M}:nitro""#));
    let policy = RoutingPolicy {
        explore_ppm: 50_000,
        ..RoutingPolicy::default()
    };
    let dialects = ["openai-chat".parse().unwrap()];
    let mut first = Vec::new();
    for number in 0..requests {
        let tick = Tick::from_micros(number * 1_000_000);
        let world = World {
            catalog: &catalog,
            health: &table.view(tick),
            now: Now {
                tick,
                unix: UnixMs::default(),
            },
            usable: &|_| true,
            dialects: &dialects,
            policy: &policy,
        };
        let draw = seed
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(number);
        let plan = plan(&ask, &world, Seed::new(draw)).unwrap();
        let endpoint = &plan.attempts[0].endpoint;
        let fast = endpoint.tag == "b";
        let mut outcome = Outcome::served(tick);
        outcome.ttft = Some(Duration::from_millis(300));
        outcome.tokens_per_s = Some(if fast { 100.0 } else { 20.0 });
        table.record(&endpoint.id, outcome);
        first.push(fast);
    }
    let share = |hundred: &[bool]| hundred.iter().filter(|fast| **fast).count() as u64;
    first.chunks(100).map(share).collect()
}

#[test]
fn nitro_finds_the_faster_of_two_unknown_endpoints_within_a_hundred_requests() {
    let runs: Vec<Vec<u64>> = (0..60).map(|seed| found(seed, 200)).collect();
    // After a hundred requests nearly every run has found it, and gives it more than nine in ten.
    let good = runs.iter().filter(|shares| shares[1] > 90).count();
    assert!(good >= 57, "{good} of 60 runs");
    let total: u64 = runs.iter().map(|shares| shares[1]).sum();
    assert!(total > 90 * 60, "{total} of {}", 100 * 60);
}

#[test]
fn without_exploring_the_unmeasured_one_would_starve() {
    let mut town = two_unknown().speed(M, "a", 20.0, 10.0);
    assert_eq!(town.tags(&format!(r#""model": "{M}:nitro""#)), ["a", "b"]);
    town.policy.explore_ppm = 1_000_000;
    assert_eq!(town.tags(&format!(r#""model": "{M}:nitro""#)), ["b", "a"]);
}

#[test]
fn what_the_catalogue_expects_stands_in_until_something_is_measured() {
    let (town, table) = (two_unknown(), HealthTable::default());
    let id = |tag: &str| format!("{M}|{tag}").parse::<EndpointId>().unwrap();
    let expected = |tps: f64| Prior {
        latency_s: None,
        throughput_tps: Some(tps),
    };
    table.set_priors([(id("a"), expected(30.0)), (id("b"), expected(60.0))]);
    let first = |table: &HealthTable, seconds: u64| {
        let tick = Tick::from_micros(seconds * 1_000_000);
        let catalog = town.catalog();
        let world = World {
            catalog: &catalog,
            health: &table.view(tick),
            now: Now {
                tick,
                unix: UnixMs::default(),
            },
            usable: &|_| true,
            dialects: &["openai-chat".parse().unwrap()],
            policy: &RoutingPolicy::default(),
        };
        let ask = town.ask(&format!(r#""model": "{M}:nitro""#));
        tags(&plan(&ask, &world, Seed::new(1)).unwrap())[0].clone()
    };
    assert_eq!(first(&table, 1), "b");
    // What is measured counts for more, and what was measured a day ago no longer.
    let mut outcome = Outcome::served(Tick::from_micros(2_000_000));
    outcome.tokens_per_s = Some(90.0);
    table.record(&id("a"), outcome);
    assert_eq!(first(&table, 3), "a");
    assert_eq!(first(&table, 3_600), "a");
    assert_eq!(first(&table, 90_000), "b");
}

/// A, B and C, equally priced, with so many answers that called tools, of which so many failed.
fn called(counts: [(u32, u32); 3]) -> Town {
    let mut town = Town::empty();
    for tag in ["a", "b", "c"] {
        town = town.serve(M, tag, "1");
    }
    for (tag, (requests, errors)) in ["a", "b", "c"].into_iter().zip(counts) {
        let mut row = HealthRow::new(M.parse().unwrap(), tag.parse().unwrap());
        row.tool_calls = Some(Recent { requests, errors });
        town.rows.push(row);
    }
    town
}

const TOOLS: &str = r#""tools": [{"type": "function", "function": {"name": "look"}}]"#;

/// The tags that come last over many seeds, each once.
fn last(town: &Town, members: &str) -> Vec<String> {
    let ask = town.ask(members);
    let last = |seed| tags(&town.plan_of(&ask, seed).unwrap()).pop().unwrap();
    let mut last: Vec<String> = (0..60).map(last).collect();
    last.sort();
    last.dedup();
    last
}

#[test]
fn s72_with_tools_and_enough_samples_the_bad_endpoint_goes_last() {
    let town = called([(50, 1), (50, 20), (40, 0)]);
    let with_tools = format!(r#""model": "{M}", {TOOLS}"#);
    assert_eq!(last(&town, &with_tools), ["b"]);
    // Neither without tools, nor with too few samples, nor for a difference that chance explains.
    assert_eq!(last(&town, &format!(r#""model": "{M}""#)), ["a", "b", "c"]);
    let few = called([(19, 0), (19, 19), (19, 0)]);
    assert_eq!(last(&few, &with_tools), ["a", "b", "c"]);
    let alike = called([(50, 2), (50, 4), (50, 3)]);
    assert_eq!(last(&alike, &with_tools), ["a", "b", "c"]);
}

#[test]
fn s72_an_explicit_sort_and_floor_and_the_operators_sort_switch_it_off() {
    let mut town = called([(50, 50), (50, 0), (50, 0)]);
    for members in [
        format!(r#""model": "{M}", {TOOLS}, "provider": {{"sort": "price"}}"#),
        format!(r#""model": "{M}:floor", {TOOLS}"#),
    ] {
        assert_eq!(town.tags(&members), ["a", "b", "c"]);
    }
    town.policy.sort = Some(waystation_core::SortBy::Price);
    assert_eq!(
        town.tags(&format!(r#""model": "{M}", {TOOLS}"#)),
        ["a", "b", "c"]
    );
}

#[test]
fn exacto_sorts_by_quality_where_it_is_known_and_draws_where_it_is_not() {
    let town = called([(50, 10), (50, 0), (400, 20)]);
    for members in [
        format!(r#""model": "{M}:exacto""#),
        format!(r#""model": "{M}", "provider": {{"sort": "exacto"}}"#),
    ] {
        assert_eq!(town.tags(&members), ["b", "c", "a"]);
        assert_eq!(last(&called([(0, 0); 3]), &members), ["a", "b", "c"]);
    }
    let plan = called([(0, 0); 3]).plan(&format!(r#""model": "{M}:exacto""#));
    let why: Vec<String> = plan.attempts[0]
        .why
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(why, [":exacto", "sort:exacto", "unmeasured", "draw"]);
}
