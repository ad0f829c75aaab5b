//! Counting tokens: low by classes of characters, exactly by a vocabulary, and what the routing question
//! of a 400 kB prompt costs where its bytes settle that it fits, and where they do not.
//!
//! Goals: the low count at 100 MB/s; the exact one at 5 MB/s on any input, hostile ones included, and
//! linear (both sizes at one speed); the question without a count below 0.5 ms.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;
use waystation_benches::chat;
use waystation_catalog::Catalog;
use waystation_core::{ChatRequest, TokenCounter, Tokens};
use waystation_router::{RoutingPolicy, ask};
use waystation_tokens::{ByteBounds, Vocabulary};

const NO_LIMIT: Tokens = Tokens::new(u64::MAX);

/// Prose, and texts that are made to be slow.
const TEXTS: [(&str, &str); 6] = [
    (
        "prose",
        "Routing decides which endpoints are tried, and in what order. 12345! ",
    ),
    ("one letter", "a"),
    ("spaces", " "),
    ("tabs and spaces", "\t "),
    ("mixed case", "aA"),
    ("emoji", "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}"),
];

fn counts(c: &mut Criterion) {
    Vocabulary::O200k.load();
    let mut group = c.benchmark_group("tokens");
    group.sample_size(10);
    for (name, word) in TEXTS {
        for kilobytes in [40, 400] {
            let text = word.repeat(kilobytes * 1_000 / word.len());
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_function(format!("low/{name}/{kilobytes} kB"), |b| {
                b.iter(|| ByteBounds.count_till(&text, NO_LIMIT));
            });
            group.bench_function(format!("exact/{name}/{kilobytes} kB"), |b| {
                b.iter(|| Vocabulary::O200k.count_till(&text, NO_LIMIT));
            });
        }
    }
    group.finish();
}

fn questions(c: &mut Criterion) {
    let (catalog, policy) = (Catalog::bundled().unwrap(), RoutingPolicy::default());
    let mut group = c.benchmark_group("tokens/question of 400 kB");
    for (name, model) in [
        ("it fits", "google/gemini-2.5-pro"),
        ("it is counted", "openai/gpt-4o"),
    ] {
        let chat = ChatRequest::parse(&chat(model, 400_000, json!({}))).unwrap();
        group.bench_function(name, |b| {
            b.iter(|| ask(&chat, &ByteBounds, &catalog, &policy).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, counts, questions);
criterion_main!(benches);
