//! `plan()`: the filters, the order and the draw, over one model and over many.
//!
//! Goals: at most 2 us over 10 endpoints, 10 us over 60, 30 us over 16 models with 96 endpoints in one
//! list (`partition: none`). The trace of reasons is part of it. Prints the allocations of one plan
//! before criterion's own figures.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use waystation_benches::chat;
use waystation_catalog::Catalog;
use waystation_core::{Ask, ChatRequest, DialectId, Now, Seed};
use waystation_router::{HealthRow, HealthView, Percentiles, RoutingPolicy, World, ask, plan};
use waystation_sim::fixtures::Shelf;
use waystation_tokens::ByteBounds;

fn model(at: usize) -> String {
    format!("acme/m{at:02}")
}

fn shelf(models: usize, endpoints: usize) -> Catalog {
    let rows = (0..models).flat_map(|m| (0..endpoints).map(move |at| (m, at)));
    let shelf = rows.fold(Shelf::new(), |shelf, (m, at)| {
        let price = format!("{}.{:02}", 1 + (at + m) % 7, at);
        shelf.endpoint(&model(m), &format!("p{at:02}"), &price)
    });
    shelf.catalog()
}

/// Every endpoint of the shelf was measured.
fn measured(models: usize, endpoints: usize) -> HealthView {
    let rows = (0..models).flat_map(|m| (0..endpoints).map(move |at| (m, at)));
    HealthView::fixed(rows.map(|(m, at)| {
        let tag = format!("p{at:02}").parse().unwrap();
        let mut row = HealthRow::new(model(m).parse().unwrap(), tag);
        let spread = |p50: usize| Percentiles {
            p50: Some(p50 as f64),
            ..Percentiles::default()
        };
        row.throughput_tps = Some(spread((at * 7 + m) % 50));
        row.latency_s = Some(spread((at * 3 + m) % 9));
        row
    }))
}

fn question(catalog: &Catalog, model: &str, more: Value) -> Ask {
    let chat = ChatRequest::parse(&chat(model, 1_000, more)).unwrap();
    *ask(&chat, &ByteBounds, catalog, &RoutingPolicy::default()).unwrap()
}

fn plans(c: &mut Criterion) {
    let dialects: Vec<DialectId> = waystation_providers::DIALECTS
        .iter()
        .map(|(id, _)| id.parse().unwrap())
        .collect();
    let policy = RoutingPolicy::default();
    let unmeasured = HealthView::default();
    let mut measure = |name: String, catalog: &Catalog, health: &HealthView, ask: &Ask| {
        let world = World {
            catalog,
            health,
            now: Now::default(),
            usable: &|_| true,
            dialects: &dialects,
            policy: &policy,
        };
        let counted = allocation_counter::measure(|| {
            black_box(plan(ask, &world, Seed::new(1))).unwrap();
        });
        println!("{name}: {} allocations", counted.count_total);
        let mut seed = 0_u64;
        c.bench_function(&name, |b| {
            b.iter(|| {
                seed += 1;
                plan(ask, &world, Seed::new(seed)).unwrap()
            });
        });
    };
    for count in [1, 10, 60] {
        let catalog = shelf(1, count);
        let draw = question(&catalog, &model(0), json!({}));
        measure(format!("plan/draw/{count}"), &catalog, &unmeasured, &draw);
        let known = measured(1, count);
        measure(
            format!("plan/draw, measured/{count}"),
            &catalog,
            &known,
            &draw,
        );
        let wishes = json!({"provider": {"sort": "price", "ignore": ["p00x"], "max_price": {"prompt": 100}}});
        let sorted = question(&catalog, &model(0), wishes);
        measure(
            format!("plan/sort price, cap/{count}"),
            &catalog,
            &unmeasured,
            &sorted,
        );
    }
    let catalog = shelf(16, 6);
    let others: Vec<String> = (1..16).map(model).collect();
    for by in ["price", "throughput"] {
        let more = json!({"models": others, "provider": {"sort": {"by": by, "partition": "none"}}});
        let together = question(&catalog, &model(0), more);
        measure(
            format!("plan/16 models by {by}/96"),
            &catalog,
            &measured(16, 6),
            &together,
        );
    }
    let bundled = Catalog::bundled().unwrap();
    let seed_model = question(&bundled, "openai/gpt-5.4", json!({}));
    let name = "plan/whole catalogue, openai/gpt-5.4";
    measure(name.into(), &bundled, &unmeasured, &seed_model);
}

criterion_group!(benches, plans);
criterion_main!(benches);
