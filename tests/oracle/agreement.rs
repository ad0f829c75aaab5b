//! Both engines over ten thousand random worlds.

use waystation_router::{NoRoute, Plan};

use crate::{
    straight::{Answer, answer},
    world::Case,
};

const WORLDS: u64 = 10_000;

/// `model|tag` with the reason of what is not tried, as the first engine tells it.
fn told(result: &Result<Plan, Box<NoRoute>>) -> Vec<(String, &'static str)> {
    let trace = match result {
        Ok(plan) => &plan.trace,
        Err(none) => &none.trace,
    };
    let dropped = trace.dropped.iter();
    let mut told: Vec<_> = dropped
        .map(|d| (format!("{}|{}", d.model, d.endpoint), d.reason.as_str()))
        .collect();
    told.sort();
    told
}

fn ids(plan: &Plan) -> Vec<String> {
    plan.attempts
        .iter()
        .map(|planned| planned.endpoint.id.to_string())
        .collect()
}

/// Whether `ids` are the groups, each in some order.
fn are_groups(ids: &[String], groups: &[Vec<String>]) -> bool {
    let mut rest = ids;
    for group in groups {
        let Some((own, others)) = rest.split_at_checked(group.len()) else {
            return false;
        };
        let (mut own, mut group) = (own.to_vec(), group.clone());
        own.sort();
        group.sort();
        if own != group {
            return false;
        }
        rest = others;
    }
    rest.is_empty()
}

#[test]
fn ten_thousand_random_worlds_are_planned_alike() {
    let (mut plans, mut drawn, mut refusals) = (0, 0, std::collections::BTreeSet::new());
    for number in 0..WORLDS {
        let case = Case::of(number);
        let result = case.planned(number);
        let (expected, dropped) = answer(&case);
        let found = result.as_ref().map(ids);
        let agrees = match (&expected, &found) {
            (Answer::Tried(groups), Ok(ids)) => {
                plans += 1;
                drawn += usize::from(groups.iter().any(|group| group.len() > 1));
                are_groups(ids, groups) && told(&result) == dropped
            }
            (Answer::OneOfEach(groups), Ok(ids)) => {
                plans += 1;
                // In which order a lot puts two entries of one group is the lot's to say.
                let each = groups
                    .iter()
                    .all(|group| ids.iter().filter(|id| group.contains(id)).count() == 1);
                ids.len() == groups.len() && each
            }
            (Answer::Refused(status, code), Err(none)) => {
                refusals.insert((*status, *code));
                let own = none.code.map(|code| code.as_str());
                let same = (none.kind.status().as_u16(), own) == (*status, *code);
                // A request that is refused for its names is not held against endpoints.
                same && (code.is_none() || told(&result) == dropped)
            }
            _ => false,
        };
        assert!(
            agrees,
            "world {number}\nexpected {expected:?}\n   found {found:?}\nexpected {dropped:?}\n   \
             found {:?}\n{case:#?}",
            told(&result)
        );
    }
    // The worlds must be worth it: most have a plan, many draw lots, every refusal comes up.
    assert!(
        plans > 6_000 && drawn > 1_500,
        "{plans} plans, {drawn} drawn"
    );
    assert!(refusals.len() >= 5, "{refusals:?}");
}

#[test]
fn the_second_engine_knows_the_contracts_own_example() {
    // A at 1, B at 2 in outage, C at 3: A or C first, then the other, then B.
    let mut case = Case::of(0);
    let endpoint = |provider: usize, price: u64, recent| crate::world::Endpoint {
        provider,
        tag: case.providers[provider].slug.clone(),
        price: Some((price, price)),
        recent,
        ..crate::world::Endpoint::default()
    };
    let endpoints = vec![
        endpoint(0, 1_000, None),
        endpoint(1, 2_000, Some((10, 9))),
        endpoint(2, 3_000, None),
    ];
    case.models = vec![endpoints];
    case.policy = crate::world::Policy::default();
    case.providers
        .iter_mut()
        .for_each(|provider| provider.key = true);
    case.body = serde_json::json!({"model": "acme/m0", "provider": {},
                                   "messages": [{"role": "user", "content": "Hi"}]});
    let ids = |tags: &[&str]| {
        tags.iter()
            .map(|tag| format!("acme/m0|{tag}"))
            .collect::<Vec<_>>()
    };
    let expected = Answer::Tried(vec![ids(&["alpha", "gamma-cloud"]), ids(&["beta"])]);
    assert_eq!(answer(&case).0, expected);
    let plan = case.planned(3).unwrap();
    assert_eq!(ids_last(&plan), "acme/m0|beta");
}

fn ids_last(plan: &Plan) -> String {
    ids(plan).pop().unwrap()
}
