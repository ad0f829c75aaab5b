//! `plan()`: the filters, the order and the draw over the endpoints of one model.
//!
//! Goals: at most 2 us over 10 endpoints, at most 10 us over 60. The trace of reasons is part of it.

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use waystation_benches::chat;
use waystation_catalog::Catalog;
use waystation_core::{Ask, ChatRequest, DialectId, Now, Seed};
use waystation_router::{HealthView, RoutingPolicy, World, ask, plan};
use waystation_sim::fixtures::{M, Shelf};
use waystation_tokens::ByteBounds;

fn shelf(endpoints: usize) -> Catalog {
    let shelf = (0..endpoints).fold(Shelf::new(), |shelf, at| {
        shelf.endpoint(
            M,
            &format!("p{at:02}"),
            &format!("{}.{:02}", 1 + at % 7, at),
        )
    });
    shelf.catalog()
}

fn question(catalog: &Catalog, model: &str, more: Value) -> Ask {
    let chat = ChatRequest::parse(&chat(model, 1_000, more)).unwrap();
    ask(&chat, &ByteBounds, catalog, &RoutingPolicy::default()).unwrap()
}

fn plans(c: &mut Criterion) {
    let dialects: Vec<DialectId> = waystation_providers::DIALECTS
        .iter()
        .map(|(id, _)| id.parse().unwrap())
        .collect();
    let policy = RoutingPolicy::default();
    let health = HealthView::default();
    let mut measure = |name: String, catalog: &Catalog, ask: &Ask| {
        let world = World {
            catalog,
            health: &health,
            now: Now::default(),
            usable: &|_| true,
            dialects: &dialects,
            policy: &policy,
        };
        let mut seed = 0_u64;
        c.bench_function(&name, |b| {
            b.iter(|| {
                seed += 1;
                plan(ask, &world, Seed::new(seed)).unwrap()
            });
        });
    };
    for count in [1, 10, 60] {
        let catalog = shelf(count);
        let draw = question(&catalog, M, json!({}));
        measure(format!("plan/draw/{count}"), &catalog, &draw);
        let wishes = json!({"provider": {"sort": "price", "ignore": ["p00x"], "max_price": {"prompt": 100}}});
        let sorted = question(&catalog, M, wishes);
        measure(format!("plan/sort price, cap/{count}"), &catalog, &sorted);
    }
    let bundled = Catalog::bundled().unwrap();
    let seed_model = question(&bundled, "openai/gpt-5.4", json!({}));
    measure(
        "plan/whole catalogue, openai/gpt-5.4".into(),
        &bundled,
        &seed_model,
    );
}

criterion_group!(benches, plans);
criterion_main!(benches);
