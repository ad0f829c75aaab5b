//! Service tiers, held against endpoints made by hand.

use waystation_catalog::{Catalog, Changes, EndpointChange, ModelChange, ProviderChange};
use waystation_core::{DialectId, Now};

use super::*;
use crate::{HealthView, RoutingPolicy};

/// An endpoint of `p` with this tag and tier.
fn endpoint(tag: &str, tier: Option<ServiceTier>) -> (Catalog, Endpoint) {
    let mut provider = ProviderChange::new("p".parse().unwrap());
    provider.name = Some("P".into());
    provider.dialect = Some("openai-chat".parse().unwrap());
    provider.base_url = Some("https://p.example/v1".into());
    let mut change = EndpointChange::new("p".parse().unwrap());
    change.tag = Some(tag.parse().unwrap());
    let mut model = ModelChange::new("acme/fast".parse().unwrap());
    model.endpoints.push(change);
    let changes = Changes {
        providers: vec![provider],
        models: vec![model],
        ..Changes::default()
    };
    let (catalog, _) = Catalog::empty().with(changes).unwrap();
    let mut endpoint = catalog.model("acme/fast").unwrap().endpoints[0].clone();
    endpoint.service_tier = tier;
    (catalog, endpoint)
}

/// A catalogue of one endpoint.
pub(crate) fn one_endpoint() -> Catalog {
    endpoint("p", None).0
}

/// Whether a tier endpoint passes for a question.
fn admitted(
    tier: Option<ServiceTier>,
    shortcut: Option<SortShortcut>,
    flex_only: bool,
    fill: impl Fn(&mut Ask),
) -> bool {
    let tag = tier.map_or_else(|| "p".to_owned(), |tier| format!("p/{tier}"));
    let (catalog, endpoint) = endpoint(&tag, tier);
    let mut ask = Ask::default();
    fill(&mut ask);
    let dialects: [DialectId; 1] = ["openai-chat".parse().unwrap()];
    let world = World {
        catalog: &catalog,
        health: &HealthView::default(),
        now: Now::default(),
        usable: &|_| true,
        dialects: &dialects,
        policy: &RoutingPolicy::default(),
    };
    let of = Of {
        variants: Variants::Plain,
        shortcut,
        flex_only,
        model: catalog.models().next().unwrap(),
    };
    match check(&Question::of(&ask, &world), &of, &endpoint) {
        Ok(()) => true,
        Err((reason, _)) => {
            assert!(
                matches!(reason, Reason::ServiceTier | Reason::Only),
                "{reason}"
            );
            false
        }
    }
}

const PRIORITY: Option<ServiceTier> = Some(ServiceTier::Priority);
const FLEX: Option<ServiceTier> = Some(ServiceTier::Flex);

#[test]
fn a_tier_endpoint_is_never_used_unless_asked_for() {
    assert!(!admitted(PRIORITY, None, false, |_| {}));
    assert!(admitted(None, None, false, |_| {}));
    assert!(admitted(PRIORITY, None, false, |ask| ask.service_tier =
        Some(ServiceTier::Fast)));
    assert!(admitted(PRIORITY, None, false, |ask| ask.service_tier =
        Some(ServiceTier::Ultrafast)));
    assert!(!admitted(FLEX, None, false, |ask| ask.service_tier = PRIORITY));
}

#[test]
fn a_base_name_does_not_admit_a_tier_and_a_full_one_does() {
    let only = |name: &'static str| move |ask: &mut Ask| ask.wishes.only = Some(vec![name.into()]);
    assert!(!admitted(PRIORITY, None, false, only("p")));
    assert!(admitted(PRIORITY, None, false, only("p/priority")));
    assert!(admitted(FLEX, None, false, |ask| ask.wishes.order =
        vec!["P/Flex".into()]));
}

#[test]
fn s84_nitro_admits_priority_unless_order_sort_or_the_default_tier_say_otherwise() {
    let nitro = Some(SortShortcut::Nitro);
    assert!(admitted(PRIORITY, nitro, false, |_| {}));
    assert!(!admitted(FLEX, nitro, false, |_| {}));
    assert!(admitted(FLEX, Some(SortShortcut::Floor), false, |_| {}));
    assert!(!admitted(PRIORITY, nitro, false, |ask| ask.wishes.order =
        vec!["p".into()]));
    assert!(!admitted(PRIORITY, nitro, false, |ask| {
        ask.wishes.sort = Some(waystation_core::SortBy::Price);
    }));
    assert!(!admitted(PRIORITY, nitro, false, |ask| {
        ask.service_tier = Some(ServiceTier::Default);
    }));
}

#[test]
fn s71_flex_stays_on_flex_endpoints_where_there_are_any() {
    let flex = |ask: &mut Ask| ask.service_tier = FLEX;
    assert!(admitted(FLEX, None, true, flex));
    assert!(!admitted(None, None, true, flex));
    assert!(admitted(None, None, false, flex));
}
