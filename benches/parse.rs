//! `ChatRequest::parse`: one scan of the body, its members as spans, every check that needs no
//! catalogue; then what routing reads of it.
//!
//! Goals: a 1 kB body within 5 us, and 100 kB at 1 GB/s, so that a 400 kB prompt costs less than
//! half a millisecond.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;
use waystation_benches::chat;
use waystation_catalog::Catalog;
use waystation_core::ChatRequest;
use waystation_router::{RoutingPolicy, ask};
use waystation_tokens::ByteBounds;

fn parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse");
    for (name, bytes) in [("1 kB", 1_000), ("100 kB", 100_000)] {
        let body = chat("openai/gpt-5.4", bytes, json!({}));
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |b| b.iter(|| ChatRequest::parse(&body).unwrap()));
        let chat = ChatRequest::parse(&body).unwrap();
        let policy = RoutingPolicy::default();
        // Here every prompt of so many bytes fits, so that nothing is counted; `tokens` counts.
        let catalog = Catalog::empty();
        group.bench_function(format!("{name}, the routing question"), |b| {
            b.iter(|| ask(&chat, &ByteBounds, &catalog, &policy).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
