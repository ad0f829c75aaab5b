//! The plugins' plain functions: `heal`, `compress`, and a document read.
//!
//! Goals: 100 KiB of damaged JSON mended within 10 ms, with and without a schema; a prompt of 200,000
//! tokens made to fit half of it within 50 ms, by either engine. A table of 1 MiB, the largest file
//! that is read in the gateway's own process, is read within 50 ms.

use std::fmt::Write as _;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};
use waystation_core::{Json, Tokens};
use waystation_plugins::{Engine, FileKind, Outcome, Room, compress, heal, read_document, size};
use waystation_tokens::ByteBounds;

/// An answer of about so many bytes, as a careless model writes it: fenced, single quotes, bare keys,
/// comments, commas too many and too few, and its end missing.
fn damaged(bytes: usize) -> String {
    let mut text = String::from("Here you are:\n```json\n{items: [");
    while text.len() < bytes {
        let at = text.len();
        write!(
            text,
            "{{'id': {at}, name: \"number {at}\", tags: ['a' 'b',], ok: True, // fine\n}},"
        )
        .unwrap();
    }
    text
}

fn healing(c: &mut Criterion) {
    let mut group = c.benchmark_group("heal");
    let text = damaged(100 * 1024);
    let schema = json!({"type": "object", "required": ["items"], "properties": {"items": {
        "type": "array", "items": {"type": "object", "properties": {
            "id": {"type": "integer"}, "name": {"type": "string"}, "ok": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string"}}}}}}});
    let schema = schema.to_string();
    let schema = Json::parse(schema.as_bytes()).unwrap();
    let whole = format!("{text}]}}\n```");
    let valid = serde_json::to_string_pretty(&json!({ "items": [whole] })).unwrap();
    assert_eq!(heal(&text, None).outcome, Outcome::Mended);
    assert_eq!(heal(&whole, Some(schema)).outcome, Outcome::Mended);
    assert_eq!(heal(&valid, None).outcome, Outcome::Untouched);
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("100 KiB, damaged and broken off", |b| {
        b.iter(|| heal(&text, None));
    });
    group.bench_function("100 KiB, damaged, with a schema", |b| {
        b.iter(|| heal(&whole, Some(schema)));
    });
    group.bench_function("100 KiB, valid", |b| b.iter(|| heal(&valid, None)));
    group.finish();
}

/// A conversation of about so many tokens by the project's own counter.
fn talk(tokens: u64) -> String {
    let mut messages = vec![json!({"role": "system", "content": "Answer in one line."})];
    loop {
        let at = messages.len();
        let words = format!("Turn {at} is about the pump in hall {}. ", at % 7).repeat(40);
        let role = if at % 2 == 1 { "user" } else { "assistant" };
        messages.push(json!({"role": role, "content": words}));
        if at % 50 == 0 {
            let text = Value::from(messages.clone()).to_string();
            if size(Json::parse(text.as_bytes()).unwrap(), &ByteBounds) >= Tokens::new(tokens) {
                messages.push(json!({"role": "user", "content": "Which hall is it in turn 77?"}));
                return Value::from(messages).to_string();
            }
        }
    }
}

fn compression(c: &mut Criterion) {
    let mut group = c.benchmark_group("compress");
    let text = talk(200_000);
    let messages = Json::parse(text.as_bytes()).unwrap();
    let room = Room {
        tokens: Tokens::new(100_000),
        messages: None,
    };
    for (name, engine) in [
        ("200k tokens, middle-out", Engine::MiddleOut),
        ("200k tokens, extract", Engine::Extract),
    ] {
        assert!(
            compress(messages, room, engine, &ByteBounds)
                .unwrap()
                .is_some()
        );
        group.bench_function(name, |b| {
            b.iter(|| compress(messages, room, engine, &ByteBounds).unwrap());
        });
    }
    group.finish();
}

fn reading(c: &mut Criterion) {
    let row = "2026-01-03;\"Mirela Voss\";4318,75;buoy\n";
    let table = row.repeat(1024 * 1024 / row.len()).into_bytes();
    let mut group = c.benchmark_group("read");
    group.throughput(Throughput::Bytes(table.len() as u64));
    group.bench_function("1 MiB, a table", |b| {
        b.iter_batched(
            || FileKind::of(&table, "a.csv", ""),
            |kind| read_document(&table, kind).unwrap(),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, healing, compression, reading);
criterion_main!(benches);
