//! Laws of planning, over random worlds and questions.

use std::collections::BTreeSet;

use proptest::prelude::*;
use waystation_catalog::Catalog;
use waystation_core::{Ask, MaxPrice, ModelRef, Now, Partition, SortBy, Threshold, UsdPerMTok};
use waystation_router::{DecisionRecord, HealthView, Why, World};

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
    fn a_plan_in_brief_is_the_same_plan_with_those_counted_that_it_does_not_name(town in any_town(), ask in any_ask(), seed: u64) {
        match (town.plan_of(&ask, seed), town.brief_plan_of(&ask, seed)) {
            (Ok(whole), Ok(mut brief)) => {
                prop_assert_eq!(whole.trace.not_tried(), brief.trace.not_tried());
                prop_assert!(brief.trace.dropped.iter().all(|one| whole.trace.dropped.contains(one)));
                (brief.trace.dropped, brief.trace.others) = (whole.trace.dropped.clone(), 0);
                prop_assert_eq!(whole, brief);
            }
            (Err(whole), Err(brief)) => prop_assert_eq!(whole.to_string(), brief.to_string()),
            (whole, brief) => prop_assert!(false, "{whole:?} {brief:?}"),
        }
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
    fn nothing_that_a_filter_forbids_is_tried_and_nothing_twice(town in any_town(), ask in any_ask(), seed: u64) {
        let Ok(plan) = town.plan_of(&ask, seed) else { return Ok(()) };
        let mut seen = BTreeSet::new();
        for planned in &plan.attempts {
            let endpoint = &planned.endpoint;
            prop_assert!(seen.insert(endpoint.id.to_string()), "{} twice", endpoint.id);
            prop_assert!(!town.without.contains(endpoint.provider.as_str()));
            if let (Some(wanted), Some(limit)) = (ask.max_output, endpoint.max_output) {
                prop_assert!(wanted <= limit);
            }
            let caps = ask.wishes.max_price;
            for (cap, price) in [
                (caps.prompt, endpoint.price.rates.prompt),
                (caps.completion, endpoint.price.rates.completion),
            ] {
                prop_assert!(cap.is_none_or(|cap| price.is_some_and(|price| price <= cap)));
            }
            let named = |names: &[String]| {
                let mut names = names.iter().map(|name| name.to_lowercase().replace(' ', ""));
                names.any(|name| name.trim_start_matches("provider") == endpoint.provider.as_str())
            };
            prop_assert!(!named(&ask.wishes.ignore));
            let only = ask.wishes.only.as_deref().unwrap_or_default();
            prop_assert!(only.is_empty() || named(only));
        }
    }

    #[test]
    fn a_sort_is_monotone_within_each_model(town in any_town(), mut ask in any_ask(), seed: u64) {
        ask.wishes.order.clear();
        ask.wishes.preferred_min_throughput = None;
        ask.wishes.partition = None;
        ask.wishes.sort = Some(SortBy::Price);
        let Ok(plan) = town.plan_of(&ask, seed) else { return Ok(()) };
        let price = |p: &waystation_router::Planned| {
            let price = p.endpoint.price.at(ask.prompt_estimate).blended_x4();
            (price.is_none(), price)
        };
        for pair in plan.attempts.windows(2) {
            prop_assert!(pair[0].entry != pair[1].entry || price(&pair[0]) <= price(&pair[1]));
        }
    }

    #[test]
    fn another_process_can_ask_and_be_answered(town in any_town(), ask in any_ask(), seed: u64) {
        let sent = serde_json::to_string(&ask).unwrap();
        let received: Ask = serde_json::from_str(&sent).unwrap();
        prop_assert_eq!(&received, &ask);
        let Ok(plan) = town.plan_of(&received, seed) else { return Ok(()) };
        let answer = serde_json::to_string(&plan).unwrap();
        let back: waystation_router::Plan = serde_json::from_str(&answer).unwrap();
        prop_assert_eq!(back, plan);
    }

    #[test]
    fn a_plan_is_made_again_from_its_record(town in any_town(), ask in any_ask(), seed: u64) {
        let Ok(plan) = town.plan_of(&ask, seed) else { return Ok(()) };
        let catalog = town.catalog();
        let health = HealthView::fixed(town.rows.clone());
        let dialects = ["openai-chat".parse().unwrap()];
        let world = World {
            catalog: &catalog,
            health: &health,
            now: Now::default(),
            usable: &|slug| !town.without.contains(slug.as_str()),
            dialects: &dialects,
            policy: &town.policy,
        };
        let text = serde_json::to_string(&DecisionRecord::of(&ask, &world, &plan)).unwrap();
        let record: DecisionRecord = serde_json::from_str(&text).unwrap();
        let mut again = ask;
        record.fill(&mut again);
        let view = record.view();
        let world = World { health: &view, now: record.now(), ..world };
        let replayed = waystation_router::plan(&again, &world, record.seed()).unwrap();
        prop_assert_eq!(replayed, plan);
    }

    #[test]
    fn every_reason_for_a_place_reads_back(place: u16, at in 0..25_usize) {
        use waystation_core::{ServiceTier, SortShortcut, Trust};
        let all = [
            Why::Order(place), Why::Unlisted, Why::Draw, Why::Free, Why::PriceUnknown,
            Why::Unmeasured, Why::Outage, Why::ToolErrors, Why::Shared, Why::Threshold,
            Why::Sticky, Why::Explore, Why::Sort(SortBy::Price), Why::Sort(SortBy::Throughput),
            Why::Sort(SortBy::Latency), Why::Sort(SortBy::Exacto), Why::Shortcut(SortShortcut::Nitro),
            Why::Shortcut(SortShortcut::Floor), Why::Shortcut(SortShortcut::Exacto),
            Why::Trust(Trust::Maker), Why::Trust(Trust::Low), Why::Trust(Trust::Aggregator),
            Why::Tier(ServiceTier::Flex), Why::Tier(ServiceTier::Priority),
            Why::Tier(ServiceTier::Ultrafast),
        ];
        prop_assert_eq!(all[at].to_string().parse::<Why>().unwrap(), all[at]);
        prop_assert!("sort:beauty".parse::<Why>().is_err());
    }

    #[test]
    fn no_question_panics(town in any_town(), ask in any_ask(), seed: u64) {
        let _ = town.plan_in(&Catalog::empty(), &ask, seed);
        let _ = town.plan_of(&Ask::default(), seed);
    }
}

/// The draw holds what it promises: over many seeds the first choices among prices 1, 2, 3 and 5 are
/// spread as 1/price², within what chance allows (χ² with 3 degrees of freedom, one in ten thousand).
#[test]
fn first_choices_are_spread_by_the_inverse_square_of_the_price() {
    const SEEDS: u64 = 40_000;
    let prices = [1.0, 2.0, 3.0, 5.0_f64];
    let mut town = Town::empty();
    for (at, price) in prices.iter().enumerate() {
        town = town.serve(MODELS[0], PROVIDERS[at], &price.to_string());
    }
    let (catalog, mut ask) = (town.catalog(), Ask::default());
    ask.models = vec![MODELS[0].parse().unwrap()];
    let mut counts = [0.0; 4];
    for seed in 0..SEEDS {
        let plan = town.plan_in(&catalog, &ask, seed).unwrap();
        let first = plan.attempts[0].endpoint.tag.as_str();
        counts[PROVIDERS.iter().position(|p| *p == first).unwrap()] += 1.0;
    }
    let weights: f64 = prices.iter().map(|price| 1.0 / (price * price)).sum();
    let chi: f64 = prices
        .iter()
        .zip(counts)
        .map(|(price, count)| {
            let expected = SEEDS as f64 / (price * price) / weights;
            (count - expected) * (count - expected) / expected
        })
        .sum();
    assert!(chi < 21.1, "χ² = {chi}, {counts:?}");
}
