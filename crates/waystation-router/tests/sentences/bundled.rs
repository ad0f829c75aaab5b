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

/// The tags of `model` under these provider members, everybody having keys.
fn tags(catalog: &Catalog, model: &str, change: impl Fn(&mut Ask)) -> Vec<String> {
    let mut ask = Ask::default();
    ask.models = vec![model.parse().unwrap()];
    change(&mut ask);
    let world = World {
        catalog,
        health: &HealthView::default(),
        now: Now::default(),
        usable: &|_| true,
        dialects: &dialects(catalog),
        policy: &RoutingPolicy::default(),
    };
    let plan = plan(&ask, &world, Seed::new(1)).unwrap();
    let tags = plan
        .attempts
        .iter()
        .map(|p| p.endpoint.provider.to_string());
    tags.collect()
}

/// Display names as people write them, a model that the vendor serves, and the slugs that are meant.
const VENDORS: [(&str, &str, &[&str]); 7] = [
    ("OpenAI", "openai/gpt-5.4", &["openai"]),
    ("Anthropic", "anthropic/claude-sonnet-4.6", &["anthropic"]),
    (
        "Google",
        "google/gemini-3.1-pro-preview",
        &["google-ai-studio", "google-vertex"],
    ),
    ("xAI", "x-ai/grok-4.20", &["xai"]),
    ("Qwen", "qwen/qwen3.5-plus", &["alibaba"]),
    ("Moonshot", "moonshotai/kimi-k2", &["moonshotai"]),
    ("Azure", "openai/gpt-5.4", &["azure"]),
];

fn meant(slugs: &[&str], provider: &str) -> bool {
    slugs.iter().any(|slug| provider.starts_with(slug))
}

#[test]
fn the_vendors_names_match_in_order() {
    let catalog = Catalog::bundled().unwrap();
    for (name, model, slugs) in VENDORS {
        let tags = tags(&catalog, model, |ask| ask.wishes.order = vec![name.into()]);
        assert!(meant(slugs, &tags[0]), "{name}: {tags:?}");
    }
}

#[test]
fn the_vendors_names_match_in_only() {
    let catalog = Catalog::bundled().unwrap();
    for (name, model, slugs) in VENDORS {
        let tags = tags(&catalog, model, |ask| {
            ask.wishes.only = Some(vec![name.into()]);
        });
        assert!(tags.iter().all(|tag| meant(slugs, tag)), "{name}: {tags:?}");
    }
}

#[test]
fn the_vendors_names_match_in_ignore() {
    let catalog = Catalog::bundled().unwrap();
    for (name, model, slugs) in VENDORS {
        let tags = tags(&catalog, model, |ask| ask.wishes.ignore = vec![name.into()]);
        assert!(
            !tags.iter().any(|tag| meant(slugs, tag)),
            "{name}: {tags:?}"
        );
    }
}
