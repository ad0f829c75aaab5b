//! The auto router's whole decision: the prompt read and counted, the networks, abilities and costs of every
//! model of the catalogue, the order, and what metadata says of it.
//!
//! Goals: p50 below 150 us for a prompt of 2 kB, p99 below 1 ms for one of 8,000 tokens. Prints both
//! percentiles of single decisions before criterion's own figures.

use std::{hint::black_box, sync::Arc, time::Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::json;
use waystation_auto::{AutoRouter, Operator, Router, Settings};
use waystation_catalog::Catalog;
use waystation_core::{Ask, ChatRequest, ModelId};
use waystation_router::{RoutingPolicy, ask};
use waystation_tokens::ByteBounds;

/// Single decisions that percentiles are taken of.
const SINGLE: usize = 4_000;

/// What is decided on, over and over.
struct Case {
    router: AutoRouter,
    pool: Vec<ModelId>,
    settings: Settings,
    ask: Ask,
    chat: ChatRequest,
}

impl Case {
    /// A prompt of about so many bytes: words, numbers, a bit of code, another question in each sentence.
    fn of(bytes: usize) -> Self {
        let mut prompt = String::from("Explain step by step why the following holds.\n");
        let mut at = 0;
        while prompt.len() < bytes {
            prompt += &format!(
                "Line {at}: the committee compared {} proposals, and `f({at})` returned {:.2} for the river model; ",
                at * 7 % 31,
                f64::from(at) * 1.7
            );
            at += 1;
        }
        let catalog = Arc::new(Catalog::bundled().unwrap());
        let usable = catalog
            .models()
            .filter(|model| !model.router && !model.deprecated);
        let pool = usable.map(|model| model.id.clone()).collect();
        let body =
            json!({"model": "openrouter/auto", "messages": [{"role": "user", "content": prompt}]});
        let chat = ChatRequest::parse(&body.to_string().into()).unwrap();
        let ask = ask(&chat, &ByteBounds, &catalog, &RoutingPolicy::default()).unwrap();
        let router = AutoRouter::new(catalog, Operator::default());
        let settings = router.settings(Router::Auto, &chat).unwrap();
        Self {
            router,
            pool,
            settings,
            ask: *ask,
            chat,
        }
    }

    fn decide(&self) -> usize {
        let auto = (Router::Auto, &self.settings);
        let decision = self.router.decide(&self.ask, &self.chat, auto, &self.pool);
        black_box(decision.models()).len() + black_box(decision.data()).bytes().len()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a bench measures with the clock itself"
)]
fn decisions(c: &mut Criterion) {
    for (name, bytes) in [("2 kB", 2_000), ("8,000 tokens", 32_000)] {
        let case = Case::of(bytes);
        let one = || {
            let start = Instant::now();
            black_box(case.decide());
            start.elapsed()
        };
        let mut took: Vec<_> = (0..SINGLE).map(|_| one()).collect();
        took.sort();
        let at = |share: usize| took[SINGLE * share / 100].as_secs_f64() * 1e6;
        println!(
            "auto/{name:<13} {} models   p50 {:>7.1} us   p99 {:>7.1} us",
            case.pool.len(),
            at(50),
            at(99)
        );
        c.bench_function(&format!("auto/{name}"), |b| b.iter(|| case.decide()));
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30);
    targets = decisions
}
criterion_main!(benches);
