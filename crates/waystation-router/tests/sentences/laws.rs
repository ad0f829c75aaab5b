//! Laws of planning, over random worlds and questions.

use std::collections::BTreeSet;

use proptest::prelude::*;
use waystation_catalog::Catalog;
use waystation_core::{Ask, MaxPrice, ModelRef, Partition, SortBy, Threshold, UsdPerMTok};

use crate::town::{Town, ids};

const MODELS: [&str; 3] = ["acme/one", "acme/two", "acme/three"];
const PROVIDERS: [&str; 5] = ["p0", "p1", "p2", "p3", "p4"];

prop_compose! {
    fn any_endpoint()(
        model in 0..3_usize,
        provider in 0..5_usize,
        price in prop_oneof![Just("?".to_owned()), (0..6_u32, 0..6_u32).prop_map(|(a, b)| format!("{a}/{b}"))],
        max_output in prop::option::of(1_u64..4_000),
        speed in prop::option::of((1_u32..200, 1_u32..100)),
        outage: bool,
    ) -> (usize, usize, String, Option<u64>, Option<(u32, u32)>, bool) {
        (model, provider, price, max_output, speed, outage)
    }
}

fn any_town() -> impl Strategy<Value = Town> {
    let endpoints = prop::collection::vec(any_endpoint(), 1..12);
    let without = prop::collection::btree_set(0..5_usize, 0..3);
    (endpoints, without).prop_map(|(endpoints, without)| {
        let mut town = Town::empty();
        let mut seen = BTreeSet::new();
        for (model, provider, price, max_output, speed, outage) in endpoints {
            if !seen.insert((model, provider)) {
                continue;
            }
            let (model, tag) = (MODELS[model], PROVIDERS[provider]);
            town = town.serve_with(model, tag, &price, |endpoint| {
                endpoint.max_output = max_output.map(waystation_core::Tokens::new);
            });
            if let Some((p50, p90)) = speed {
                town = town.speed(model, tag, f64::from(p50), f64::from(p90));
            }
            if outage {
                town = town.outage(model, tag);
            }
        }
        town.without = without
            .into_iter()
            .map(|at| PROVIDERS[at].to_owned())
            .collect();
        town
    })
}

fn names() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(
        prop::sample::select(vec!["p0", "P 1", "Provider P2", "p3", "nobody"]),
        0..3,
    )
    .prop_map(|names| names.into_iter().map(str::to_owned).collect())
}

fn cap() -> impl Strategy<Value = Option<UsdPerMTok>> {
    prop::option::of((0..7_u64).prop_map(|dollars| UsdPerMTok::from_nanos(dollars * 1_000_000_000)))
}

prop_compose! {
    fn any_ask()(
        models in prop::collection::vec(0..3_usize, 1..4),
        suffix in prop::sample::select(vec!["", ":nitro", ":floor", ":exacto"]),
        order in names(),
        only in prop::option::of(names()),
        ignore in names(),
        (prompt, completion) in (cap(), cap()),
        sort in prop::option::of(prop::sample::select(vec![SortBy::Price, SortBy::Throughput, SortBy::Latency])),
        apart in prop::option::of(any::<bool>()),
        allow_fallbacks in prop::option::of(any::<bool>()),
        threshold in prop::option::of(1_u32..200),
        max_output in prop::option::of(1_u64..4_000),
    ) -> Ask {
        let mut ask = Ask::default();
        for model in models {
            let model: ModelRef = format!("{}{suffix}", MODELS[model]).parse().unwrap();
            if !ask.models.contains(&model) {
                ask.models.push(model);
            }
        }
        ask.wishes.order = order;
        ask.wishes.only = only;
        ask.wishes.ignore = ignore;
        ask.wishes.max_price = MaxPrice { prompt, completion, ..MaxPrice::default() };
        ask.wishes.sort = sort;
        ask.wishes.partition = apart.map(|apart| if apart { Partition::Model } else { Partition::None });
        ask.wishes.allow_fallbacks = allow_fallbacks;
        ask.wishes.preferred_min_throughput =
            threshold.map(|p50| Threshold { p50: Some(f64::from(p50)), ..Threshold::default() });
        ask.max_output = max_output.map(waystation_core::Tokens::new);
        ask
    }
}

/// The endpoints of a plan, in order; none where there is no plan.
fn planned(town: &Town, ask: &Ask, seed: u64) -> Vec<String> {
    town.plan_of(ask, seed)
        .map(|plan| ids(&plan))
        .unwrap_or_default()
}

fn set(town: &Town, ask: &Ask) -> BTreeSet<String> {
    planned(town, ask, 1).into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_same_arguments_give_the_same_plan(town in any_town(), ask in any_ask(), seed: u64) {
        prop_assert_eq!(planned(&town, &ask, seed), planned(&town, &ask, seed));
    }

    #[test]
    fn the_order_of_the_catalogue_never_matters(town in any_town(), ask in any_ask(), seed: u64) {
        let mut turned = town.clone();
        for model in &mut turned.changes.models {
            model.endpoints.reverse();
        }
        turned.changes.models.reverse();
        turned.changes.providers.reverse();
        prop_assert_eq!(planned(&town, &ask, seed), planned(&turned, &ask, seed));
    }

    #[test]
    fn every_endpoint_is_tried_or_dropped_exactly_once(town in any_town(), ask in any_ask(), seed: u64) {
        let (tried, trace) = match town.plan_of(&ask, seed) {
            Ok(plan) => (ids(&plan), plan.trace),
            Err(none) => (Vec::new(), none.trace),
        };
        let dropped = trace.dropped.iter().map(|d| format!("{}|{}", d.model, d.endpoint));
        let mut account: Vec<String> = tried.into_iter().chain(dropped).collect();
        account.sort();
        let wanted: Vec<&str> = ask.models.iter().filter_map(|m| m.name.as_ref()).map(|m| m.as_str()).collect();
        let catalog = town.catalog();
        let mut all: Vec<String> = catalog
            .models()
            .filter(|model| wanted.contains(&model.id.as_str()))
            .flat_map(|model| &model.endpoints)
            .map(|endpoint| endpoint.id.to_string())
            .collect();
        all.sort();
        prop_assert_eq!(account, all);
    }

    #[test]
    fn removing_a_credential_never_adds_an_endpoint(town in any_town(), mut ask in any_ask(), gone in 0..5_usize) {
        // A cut to one endpoint lets the next one take its place: that is no addition by the rule.
        ask.wishes.allow_fallbacks = None;
        let less = town.clone().without(PROVIDERS[gone]);
        prop_assert!(set(&less, &ask).is_subset(&set(&town, &ask)));
    }

    #[test]
    fn lowering_max_price_never_adds_an_endpoint(town in any_town(), mut ask in any_ask(), lower in 0..7_u64) {
        ask.wishes.allow_fallbacks = None;
        let before = set(&town, &ask);
        let lower = UsdPerMTok::from_nanos(lower * 1_000_000_000);
        let cap = ask.wishes.max_price.prompt.map_or(lower, |cap| cap.min(lower));
        ask.wishes.max_price.prompt = Some(cap);
        prop_assert!(set(&town, &ask).is_subset(&before));
    }

    #[test]
    fn ignoring_more_only_shrinks_and_beats_only(town in any_town(), mut ask in any_ask(), gone in 0..5_usize) {
        ask.wishes.allow_fallbacks = None;
        let before = set(&town, &ask);
        ask.wishes.ignore.push(PROVIDERS[gone].into());
        if let Some(only) = &mut ask.wishes.only {
            only.push(PROVIDERS[gone].into());
        }
        let after = set(&town, &ask);
        prop_assert!(after.iter().all(|id| !id.ends_with(PROVIDERS[gone])));
        prop_assert!(after.is_subset(&before));
    }

    #[test]
    fn health_and_thresholds_never_remove_anything(town in any_town(), ask in any_ask()) {
        let (mut healthy, mut easy) = (town.clone(), ask.clone());
        healthy.rows.clear();
        easy.wishes.preferred_min_throughput = None;
        let (mut free, mut free_easy) = (ask, easy);
        free.wishes.allow_fallbacks = None;
        free_easy.wishes.allow_fallbacks = None;
        prop_assert_eq!(set(&town, &free), set(&healthy, &free_easy));
    }

    #[test]
    fn order_is_respected_within_each_model(town in any_town(), mut ask in any_ask()) {
        ask.wishes.order = vec!["p3".into(), "p1".into()];
        ask.wishes.partition = None;
        let place = |id: &String| ["p3", "p1"].iter().position(|p| id.ends_with(p)).unwrap_or(2);
        let plan = planned(&town, &ask, 5);
        for pair in plan.windows(2) {
            let same = pair[0].split('|').next() == pair[1].split('|').next();
            prop_assert!(!same || place(&pair[0]) <= place(&pair[1]), "{plan:?}");
        }
    }

    #[test]
    fn adding_an_irrelevant_model_changes_nothing(town in any_town(), ask in any_ask(), seed: u64) {
        let more = town.clone().serve("other/model", "p0", "0").serve("other/model", "p9", "1");
        prop_assert_eq!(planned(&town, &ask, seed), planned(&more, &ask, seed));
    }

    #[test]
    fn no_question_panics(town in any_town(), ask in any_ask(), seed: u64) {
        let _ = town.plan_in(&Catalog::empty(), &ask, seed);
        let _ = town.plan_of(&Ask::default(), seed);
    }
}
