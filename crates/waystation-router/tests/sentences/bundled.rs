//! The bundled catalogue, planned over: what people meet first.

use waystation_catalog::Catalog;
use waystation_core::{Ask, DialectId, ErrorType, Now, Seed};
use waystation_router::{HealthView, NoRoute, Plan, RoutingPolicy, World, plan};

/// Every dialect of any row.
fn dialects(catalog: &Catalog) -> Vec<DialectId> {
    let endpoints = catalog.models().flat_map(|model| &model.endpoints);
    endpoints.map(|endpoint| endpoint.dialect.clone()).collect()
}

/// The plan for `model` where `usable` providers have keys.
fn routed(
    catalog: &Catalog,
    model: &str,
    usable: &dyn Fn(&str) -> bool,
) -> Result<Plan, Box<NoRoute>> {
    let mut ask = Ask::default();
    ask.models = vec![model.parse().unwrap()];
    let world = World {
        catalog,
        health: &HealthView::default(),
        now: Now::default(),
        usable: &|slug| usable(slug.as_str()),
        dialects: &dialects(catalog),
        policy: &RoutingPolicy::default(),
    };
    plan(&ask, &world, Seed::new(1))
}

#[test]
fn without_any_key_the_message_names_the_variables_to_set() {
    let catalog = Catalog::bundled().unwrap();
    let none = routed(&catalog, "openai/gpt-5.4", &|_| false).unwrap_err();
    assert_eq!(none.kind, ErrorType::NotFound);
    assert_eq!(none.excluded_by, ["no_credentials"]);
    assert!(
        none.message.starts_with("openai/gpt-5.4: "),
        "{}",
        none.message
    );
    assert!(
        none.message
            .contains("none has credentials; set OPENAI_API_KEY"),
        "{}",
        none.message
    );
}

#[test]
fn a_bare_id_and_a_foreign_one_get_the_right_one_as_suggestion() {
    let catalog = Catalog::bundled().unwrap();
    for (wrong, right) in [
        ("gpt-5.4", "openai/gpt-5.4"),
        (
            "vertex_ai/gemini-3.1-pro-preview",
            "google/gemini-3.1-pro-preview",
        ),
    ] {
        let none = routed(&catalog, wrong, &|_| true).unwrap_err();
        assert_eq!(none.kind, ErrorType::InvalidRequest);
        assert_eq!(none.suggestion.unwrap(), right);
    }
}

#[test]
fn the_makers_firm_endpoint_goes_before_resellers_and_aggregators() {
    let catalog = Catalog::bundled().unwrap();
    for model in [
        "openai/gpt-5.4",
        "anthropic/claude-sonnet-4.6",
        "moonshotai/kimi-k2",
    ] {
        let plan = routed(&catalog, model, &|_| true).unwrap();
        let trusts: Vec<_> = plan.attempts.iter().map(|p| p.endpoint.trust).collect();
        assert!(trusts.is_sorted(), "{model}: {trusts:?}");
    }
}

#[test]
fn nitro_and_floor_are_accepted_on_every_model_that_is_listed() {
    let catalog = Catalog::bundled().unwrap();
    let latest = catalog
        .latest_aliases()
        .map(|(alias, _)| format!("~{alias}"));
    let ids = catalog
        .models()
        .map(|model| model.id.to_string())
        .chain(latest);
    for id in ids {
        for suffix in ["nitro", "floor"] {
            let result = routed(&catalog, &format!("{id}:{suffix}"), &|_| true);
            let served = result.is_ok();
            let only_variants = catalog.model(&id).is_some_and(|model| {
                model
                    .endpoints
                    .iter()
                    .all(|endpoint| endpoint.variant.is_some())
            });
            assert!(
                served || only_variants,
                "{id}:{suffix}: {}",
                result.unwrap_err()
            );
        }
    }
}
