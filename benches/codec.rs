//! The openai-chat codec: a request encoded, a whole reply and a stream decoded; and a stream of every
//! dialect, as the simulator sends it, decoded and encoded event by event, with its allocations.
//!
//! Goals: at most 1 us for each event of a stream, read from the upstream's bytes and written as a chunk
//! for the client, and at most two allocations; encoding requests at memory speed, since untouched
//! members leave as they came.

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;
use waystation_benches::{Host, Recoding, chat, codec, stream_reply, whole_reply};
use waystation_core::{Call, ChatRequest, Headers, ReplyHead};
use waystation_sim::fixtures::M;

fn encode(c: &mut Criterion) {
    let host = Host::new();
    let mut group = c.benchmark_group("encode");
    for (name, bytes) in [("1 kB", 1_000), ("100 kB", 100_000)] {
        let body = chat(M, bytes, json!({}));
        let chat = ChatRequest::parse(&body).unwrap();
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| codec().encode(&chat, &host.target()).unwrap())
        });
    }
    group.finish();
}

/// Reads a reply from its head to its end, in these pieces.
fn read(mut call: Call, head: &ReplyHead, pieces: &[Bytes]) -> usize {
    let mut events = Vec::with_capacity(64);
    call.reader.head(head).unwrap();
    for piece in pieces {
        call.reader.push(piece, &mut events).unwrap();
    }
    call.reader.finish(&mut events).unwrap();
    events.len()
}

fn decode(c: &mut Criterion) {
    let host = Host::new();
    let mut group = c.benchmark_group("decode");
    let stream = stream_reply(43);
    let single: Vec<Bytes> = stream
        .split_inclusive(|byte| *byte == b'\n')
        .collect::<Vec<_>>()
        .chunks(2)
        .map(|lines| Bytes::from(lines.concat()))
        .collect();
    for (name, streamed, kind, pieces) in [
        (
            "whole, 0.9 kB",
            false,
            "application/json",
            vec![whole_reply()],
        ),
        (
            "stream of 43 events, one read",
            true,
            "text/event-stream",
            vec![stream],
        ),
        (
            "stream of 43 events, one by one",
            true,
            "text/event-stream",
            single,
        ),
    ] {
        let chat = ChatRequest::parse(&chat(M, 1_000, json!({"stream": streamed}))).unwrap();
        let mut headers = Headers::default();
        headers.insert(http::header::CONTENT_TYPE, kind.parse().unwrap());
        let head = ReplyHead {
            status: http::StatusCode::OK,
            headers,
        };
        let bytes: usize = pieces.iter().map(Bytes::len).sum();
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(name, |b| {
            b.iter_batched(
                || codec().encode(&chat, &host.target()).unwrap(),
                |call| read(call, &head, &pieces),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// A stream of each dialect: the simulator's answer to what its own codec sends. An event is read, and
/// written as a chunk for the client.
fn dialects(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode and encode a stream of");
    for (name, _) in waystation_providers::DIALECTS {
        let stream = Recoding::of(name);
        let allocations = stream.allocations(|work| allocation_counter::measure(work).count_total);
        println!("{name}: {allocations:.2} allocations an event");
        group.throughput(Throughput::Elements(stream.events() as u64));
        group.bench_function(format!("{name}, {} events", stream.events()), |b| {
            b.iter_batched(
                || stream.call(),
                |call| stream.run(call),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, encode, decode, dialects);
criterion_main!(benches);
