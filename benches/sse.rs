//! The parser of server-sent events, over bytes as networks cut them.
//!
//! Goals: 1 GB/s in reads of 16 kB, and time linear in the bytes however they are cut: single bytes
//! at 20 MB/s or more.

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use waystation_benches::stream_reply;
use waystation_providers::SseParser;

fn parse(pieces: &[Bytes]) -> usize {
    let mut parser = SseParser::default();
    let mut events = 0;
    for piece in pieces {
        parser.push(piece);
        while let Some(event) = parser.next_event().unwrap() {
            events += usize::from(!event.data.is_empty());
        }
    }
    events + usize::from(parser.finish().unwrap().is_some())
}

fn sse(c: &mut Criterion) {
    let stream = stream_reply(1_000);
    let mut group = c.benchmark_group("sse");
    group.throughput(Throughput::Bytes(stream.len() as u64));
    for (name, size) in [
        ("16 kB", 16 << 10),
        ("1400 bytes", 1_400),
        ("64 bytes", 64),
        ("1 byte", 1),
    ] {
        let pieces: Vec<Bytes> = (0..stream.len())
            .step_by(size)
            .map(|at| stream.slice(at..stream.len().min(at + size)))
            .collect();
        assert_eq!(parse(&pieces), 1_001);
        group.bench_function(format!("reads of {name}"), |b| b.iter(|| parse(&pieces)));
    }
    group.finish();
}

criterion_group!(benches, sse);
criterion_main!(benches);
