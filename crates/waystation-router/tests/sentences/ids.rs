//! Model ids and their suffixes, aliases, families, variants, routers. Contract, sections 4 and 6.

use waystation_catalog::{Catalog, source::Rows};
use waystation_core::{ChatRequest, ErrorType, Ranking};
use waystation_router::ask;

use crate::town::{FourBytes, M, Town, ids, tags, with_messages};

/// Two models in rows, with a free variant, a family, a canonical id and the auto router's row.
const ROWS: &str = r#"
[[provider]]
slug = "maker"
name = "Maker"
dialect = "openai-chat"
base_url = "https://maker.example/v1"
auth = "bearer"
env = ["MAKER_API_KEY"]
[[provider]]
slug = "other"
name = "Other"
dialect = "openai-chat"
base_url = "https://other.example/v1"
auth = "bearer"
env = ["OTHER_API_KEY"]
[[model]]
id = "maker/big-2"
canonical_slug = "maker/big-2-20260101"
name = "Big 2"
input = ["text"]
output = ["text"]
parameters = ["temperature", "tools"]
seen = "2026-11-01"
[[model.endpoint]]
provider = "maker"
model = "big-2"
confidence = "high"
price = { prompt = "2", completion = "8" }
[[model.endpoint]]
provider = "other"
model = "big-2"
confidence = "low"
price = { prompt = "1", completion = "4" }
[[model.endpoint]]
provider = "other"
variant = "free"
model = "big-2-free"
confidence = "high"
price = { prompt = "0", completion = "0" }
[[model]]
id = "maker/small-1"
name = "Small 1"
input = ["text"]
output = ["text"]
parameters = ["temperature"]
seen = "2026-11-01"
[[model.endpoint]]
provider = "maker"
model = "small-1"
confidence = "high"
price = { prompt = "0.1", completion = "0.4" }
[[model.endpoint]]
provider = "maker"
variant = "free"
model = "small-1-free"
confidence = "high"
price = { prompt = "0", completion = "0" }
[[model]]
id = "openrouter/auto"
name = "Auto"
input = ["text"]
output = ["text"]
parameters = ["temperature", "tools"]
router = true
seen = "2026-11-01"
[[model.endpoint]]
provider = "other"
model = "openrouter/auto"
confidence = "high"
[[latest]]
name = "maker/big-latest"
target = "maker/big-2"
[[alias]]
name = "maker/big-two"
target = "maker/big-2"
"#;

fn rows() -> Catalog {
    Catalog::from_rows(&Rows::from_toml(ROWS).unwrap()).unwrap()
}

/// `model|tag` and the model of the reply, in order, for a request put to the rows.
fn routed(members: &str) -> Vec<(String, String)> {
    let town = Town::empty();
    let plan = town.plan_in(&rows(), &town.ask(members), 3).unwrap();
    let pair = |p: &waystation_router::Planned| (p.endpoint.id.to_string(), p.model.to_string());
    plan.attempts.iter().map(pair).collect()
}

fn models(model: &str) -> Vec<(String, String)> {
    routed(&format!(r#""model": "{model}""#))
}

#[test]
fn s73_s74_nitro_is_sort_throughput_and_floor_is_sort_price() {
    let town = Town::abc()
        .speed(M, "c", 90.0, 5.0)
        .speed(M, "b", 50.0, 5.0);
    let of = |model: &str| town.tags(&format!(r#""model": "{model}""#));
    assert_eq!(
        of("acme/fast:nitro"),
        town.routed(r#""sort": "throughput""#)
    );
    assert_eq!(of("acme/fast:floor"), town.routed(r#""sort": "price""#));
    assert_eq!(of("acme/fast:nitro"), ["c", "b", "a"]);
}

#[test]
fn s75_an_explicit_sort_beats_the_suffix() {
    let town = Town::abc().speed(M, "c", 90.0, 5.0);
    let members = r#""model": "acme/fast:nitro", "provider": {"sort": "price"}"#;
    assert_eq!(town.tags(members), ["a", "b", "c"]);
    let operator = |town: &mut Town| town.policy.sort = Some(waystation_core::SortBy::Price);
    let mut town = town;
    operator(&mut town);
    assert_eq!(town.tags(r#""model": "acme/fast:nitro""#)[0], "c");
    assert_eq!(town.tags(r#""model": "acme/fast""#), ["a", "b", "c"]);
}

#[test]
fn s76_a_suffix_belongs_to_its_own_entry() {
    let town = Town::abc()
        .speed(M, "c", 90.0, 5.0)
        .serve("acme/big", "a", "9")
        .serve("acme/big", "b", "1")
        .speed("acme/big", "a", 90.0, 5.0);
    let plan = town.plan(r#""models": ["acme/fast:nitro", "acme/big:floor"]"#);
    assert_eq!(tags(&plan), ["c", "a", "b", "b", "a"]);
    assert_eq!(plan.attempts[0].model, "acme/fast");
}

#[test]
fn s77_an_unknown_suffix_is_400_model_not_found() {
    let none = Town::abc().refused(r#""model": "acme/fast:zzz""#);
    assert_eq!(none.kind, ErrorType::InvalidRequest);
    assert_eq!(none.code.unwrap().as_str(), "model_not_found");
    assert!(
        none.message
            .starts_with("there is no variant :zzz of acme/fast"),
        "{}",
        none.message
    );
    assert_eq!(none.suggestion.unwrap(), "acme/fast");
}

#[test]
fn s79_a_static_variant_enters_only_by_its_suffix_and_the_reply_keeps_it() {
    let free = models("maker/big-2:free");
    assert_eq!(
        free,
        [("maker/big-2|other/free".into(), "maker/big-2:free".into())]
    );
    assert!(
        models("maker/big-2")
            .iter()
            .all(|(id, _)| !id.contains("free"))
    );
    assert_eq!(models("maker/big-2:free:floor").len(), 1);
    let town = Town::abc();
    let none = town.refused(r#""model": "acme/fast:free""#);
    assert_eq!(
        (none.kind, none.code.unwrap().as_str()),
        (ErrorType::NotFound, "free_variant_ended")
    );
}

#[test]
fn s80_two_sorting_suffixes_are_400() {
    let body = with_messages(r#""model": "acme/fast:nitro:floor""#);
    let chat = ChatRequest::parse(&body.into()).unwrap();
    let refused = {
        let town = Town::abc();
        ask(&chat, &FourBytes, &town.catalog(), &town.policy)
    }
    .unwrap_err();
    assert_eq!(
        (refused.kind, refused.field.as_str()),
        (ErrorType::InvalidRequest, "model")
    );
}

#[test]
fn s81_aliases_and_canonical_ids_are_served_under_the_id() {
    for spelling in [
        "maker/big-two",
        "maker/big-2-20260101",
        "MAKER/Big-2",
        "maker/big-2:beta",
    ] {
        let first = &models(spelling)[0];
        assert_eq!(first.1, "maker/big-2", "{spelling}");
    }
}

#[test]
fn a_family_stands_for_its_newest_model_and_never_for_another() {
    let town = Town::empty();
    let of = |model: &str| town.plan_in(&rows(), &town.ask(&format!(r#""model": "{model}""#)), 3);
    let plan = of("~maker/big-latest:floor").unwrap();
    assert_eq!(plan.strategy.as_str(), "latest");
    assert_eq!(
        plan.attempts[0].endpoint.id.to_string(),
        "maker/big-2|other"
    );
    assert_eq!(
        of("~maker/small-latest").unwrap_err().kind,
        ErrorType::InvalidRequest
    );
}

#[test]
fn trust_is_a_rank_by_default_and_a_filter_only_by_the_operators_wish() {
    assert_eq!(models("maker/big-2")[0].0, "maker/big-2|maker");
    let sorted = routed(r#""model": "maker/big-2", "provider": {"sort": "price"}"#);
    assert_eq!(sorted[0].0, "maker/big-2|other");
    let mut town = Town::empty();
    town.policy.min_trust = Some(waystation_core::Trust::Firm);
    let plan = town
        .plan_in(&rows(), &town.ask(r#""model": "maker/big-2:floor""#), 3)
        .unwrap();
    assert_eq!(ids(&plan), ["maker/big-2|maker"]);
}

#[test]
fn auto_tries_the_ranked_models_and_last_the_row_of_its_own_id() {
    let town = Town::empty();
    let mut ask = town.ask(r#""model": "openrouter/auto""#);
    ask.ranking = Some(Ranking {
        models: vec![
            "maker/small-1".parse().unwrap(),
            "maker/big-2".parse().unwrap(),
        ],
        ..Ranking::default()
    });
    let plan = town.plan_in(&rows(), &ask, 3).unwrap();
    assert_eq!(plan.strategy.as_str(), "auto");
    assert_eq!(ids(&plan)[0], "maker/small-1|maker");
    assert_eq!(ids(&plan).last().unwrap(), "openrouter/auto|other");
}

#[test]
fn s100_auto_with_tools_keeps_only_models_that_take_them() {
    let town = Town::empty();
    let mut ask = town.ask(
        r#""model": "openrouter/auto:floor", "tools": [{"type": "function", "function": {"name": "f"}}]"#,
    );
    ask.ranking = Some(Ranking {
        models: vec![
            "maker/small-1".parse().unwrap(),
            "maker/big-2".parse().unwrap(),
        ],
        ..Ranking::default()
    });
    let plan = town.plan_in(&rows(), &ask, 3).unwrap();
    assert!(ids(&plan).iter().all(|id| !id.starts_with("maker/small-1")));
}

#[test]
fn s106_the_free_router_picks_only_capable_models_that_cost_nothing() {
    let town = Town::empty();
    let mut first = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let ask = town.ask(r#""model": "openrouter/free""#);
        let plan = town.plan_in(&rows(), &ask, seed).unwrap();
        assert!(
            plan.attempts
                .iter()
                .all(|planned| planned.endpoint.price.is_free())
        );
        assert_eq!(plan.strategy.as_str(), "free");
        first.insert(plan.attempts[0].model.to_string());
    }
    assert_eq!(
        first.into_iter().collect::<Vec<_>>(),
        ["maker/big-2:free", "maker/small-1:free"]
    );
    let tools = r#""model": "openrouter/free:nitro", "tools": [{"type": "function", "function": {"name": "f"}}]"#;
    let plan = town.plan_in(&rows(), &town.ask(tools), 1).unwrap();
    assert_eq!(plan.attempts[0].model, "maker/big-2:free");
}

#[test]
fn nitro_and_floor_are_accepted_on_every_id() {
    let town = Town::empty();
    let catalog = rows();
    for model in catalog.models() {
        for suffix in ["nitro", "floor", "nitro:online"] {
            let ask = town.ask(&format!(r#""model": "{}:{suffix}""#, model.id));
            assert!(
                town.plan_in(&catalog, &ask, 1).is_ok(),
                "{}:{suffix}",
                model.id
            );
        }
    }
}

#[test]
fn s5_an_unknown_model_is_400_with_a_suggestion() {
    let none = Town::abc().refused(r#""model": "acme/fats""#);
    assert_eq!(none.kind, ErrorType::InvalidRequest);
    assert_eq!(none.code.unwrap().as_str(), "model_not_found");
    assert_eq!(none.suggestion.as_ref().unwrap().as_str(), "acme/fast");
    assert!(
        none.message.contains("did you mean \"acme/fast\"?"),
        "{}",
        none.message
    );
}

#[test]
fn a_model_without_credentials_names_the_variables_to_set() {
    let mut town = Town::empty().without("maker").without("other");
    town.policy.strict = true;
    let none = town
        .plan_in(&rows(), &town.ask(r#""model": "maker/big-2""#), 1)
        .unwrap_err();
    assert_eq!(none.kind, ErrorType::NotFound);
    assert_eq!(none.excluded_by, ["no_credentials"]);
    assert_eq!(
        none.message,
        "maker/big-2: 2 endpoints, none has credentials; set MAKER_API_KEY or OTHER_API_KEY"
    );
}

#[test]
fn an_id_without_its_author_stands_for_the_one_model_of_that_slug() {
    let mut town = Town::empty();
    town.policy.bare_ids = true;
    let catalog = rows();
    let models = |model: &str| {
        let ask = town.ask(&format!(r#""model": "{model}""#));
        let plan = town.plan_in(&catalog, &ask, 3)?;
        Ok::<_, Box<waystation_router::NoRoute>>(plan.attempts[0].model.to_string())
    };
    assert_eq!(models("big-2").unwrap(), "maker/big-2");
    // By an alias, with a suffix, with a static variant.
    assert_eq!(models("big-two").unwrap(), "maker/big-2");
    assert_eq!(models("Big-2:floor").unwrap(), "maker/big-2");
    assert_eq!(models("big-2:free").unwrap(), "maker/big-2:free");
    assert_eq!(
        models("huge-9").unwrap_err().kind,
        ErrorType::InvalidRequest
    );
}

#[test]
fn an_id_without_its_author_that_may_mean_two_models_names_both() {
    let mut town = Town::empty()
        .serve("acme/fast", "a", "1")
        .serve("other/fast", "a", "1");
    town.policy.bare_ids = true;
    let none = town.refused(r#""model": "fast""#);
    assert_eq!(none.kind, ErrorType::InvalidRequest);
    assert!(
        none.message.contains("acme/fast or other/fast"),
        "{}",
        none.message
    );
    town.policy.bare_ids = false;
    assert!(!town.refused(r#""model": "fast""#).message.contains(" or "));
}
