//! The whole gateway in one thread, from the request's bytes at the router to the last byte of the
//! reply, over an upstream that answers at once and from memory: what is left is the gateway's own
//! work (rim, parse, plan over the whole catalogue, encode, decode, settle, write). No sockets.
//!
//! Goals: 30 us plain and 90 us for a stream of 43 events (twice and three times what nginx spends
//! with sockets, in `docs/performance.md`), p99 within 0.3 ms. Prints p50, p99 and allocations of a
//! request after criterion's own figures.

use std::{hint::black_box, time::Instant};

use criterion::{Criterion, criterion_group};
use waystation_benches::{Load, load, runtime, stream_reply, whole_reply};

fn loads() -> [Load; 3] {
    [
        load("plain, 1 kB", 1_000, whole_reply(), false),
        load("stream of 43 events", 1_000, stream_reply(43), true),
        load("plain, 400 kB prompt", 400_000, whole_reply(), false),
    ]
}

fn overhead(c: &mut Criterion) {
    let runtime = runtime();
    let _inside = runtime.enter();
    for load in loads() {
        c.bench_function(&format!("overhead/{}", load.name), |b| {
            b.iter(|| runtime.block_on(load.once()));
        });
    }
}

/// How many requests the spread is taken from.
const REQUESTS: usize = 2_000;

/// Prints what criterion does not: the spread, and allocations.
#[expect(
    clippy::disallowed_methods,
    reason = "a bench measures with the clock itself"
)]
fn spread() {
    let runtime = runtime();
    let _inside = runtime.enter();
    for load in loads() {
        let mut micros: Vec<f64> = (0..REQUESTS)
            .map(|_| {
                let begin = Instant::now();
                black_box(runtime.block_on(load.once()));
                begin.elapsed().as_secs_f64() * 1e6
            })
            .collect();
        micros.sort_by(f64::total_cmp);
        let at = |percent: usize| micros[(micros.len() - 1) * percent / 100];
        let allocated = allocation_counter::measure(|| {
            black_box(runtime.block_on(load.once()));
        });
        println!(
            "overhead/{:<24} p50 {:>8.1} us   p99 {:>8.1} us   {:>5} allocations, {:>8} bytes",
            load.name,
            at(50),
            at(99),
            allocated.count_total,
            allocated.bytes_total,
        );
    }
}

criterion_group!(benches, overhead);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    // `--test` only asks whether benches run.
    if !std::env::args().any(|argument| argument == "--test") {
        spread();
    }
}
