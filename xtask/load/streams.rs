//! Many streams open at once: all of them have shown their first words before any ends, a tenth of the
//! clients do not read until the end, and whole answers are asked for meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::{Barrier, Semaphore},
    task::JoinSet,
    time::timeout,
};

use crate::{
    Failure,
    client::{Client, Ended},
    station::Station,
};

/// Streams on one connection.
const ON_ONE: u32 = 100;
/// Requests that are being opened at the same time.
const OPENING: usize = 2_500;
/// A stream shows some words and then nothing for so long, in milliseconds.
const GAP_MS: u64 = 45_000;
/// Nothing takes longer.
const LIMIT: Duration = Duration::from_secs(300);

/// Opens `count` streams and holds them.
pub(crate) async fn run(binary: &str, count: u32) -> Result<(), Failure> {
    let script = format!(
        "[[rule]]\nmatch = {{ stream = true }}\ngap_ms = {}\n",
        GAP_MS / 8
    );
    let config =
        "[timeouts]\nconnect = 30000\nfirst_byte = 120000\nfirst_token = 120000\nidle = 120000\n";
    let station = Station::start(binary, &script, config).await?;
    let before = station.held()?;
    let (begin, opening) = (Instant::now(), Arc::new(Semaphore::new(OPENING)));
    let all = usize::try_from(count)?;
    let (open, barrier) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(Barrier::new(all + 1)),
    );
    let mut streams = JoinSet::new();
    for first in (0..count).step_by(usize::try_from(ON_ONE)?) {
        let client = Client::open(&station.authority).await?;
        for number in first..count.min(first + ON_ONE) {
            let parts = (
                Arc::clone(&opening),
                Arc::clone(&open),
                Arc::clone(&barrier),
            );
            streams.spawn(stream(client.clone(), number, parts));
        }
    }
    timeout(LIMIT, barrier.wait()).await.map_err(|_| {
        format!(
            "only {} of {count} streams showed words in time",
            open.load(Ordering::Relaxed)
        )
    })?;
    let opened = begin.elapsed();
    let during = station.held()?;
    let slowest = whole_answers(&station).await?;
    let mut complete = 0;
    while let Some(ended) = timeout(LIMIT, streams.join_next()).await? {
        complete += usize::from(ended?? == Ended::Answer);
    }
    let after = station.held()?;
    println!("streams open at once        {count}");
    println!("until all had shown words   {:.1} s", opened.as_secs_f64());
    println!("complete in the end         {complete}");
    println!("slowest of 50 whole answers {} ms", slowest.as_millis());
    println!(
        "open files                  {} before, {} during, {} after",
        before.files, during.files, after.files
    );
    println!(
        "resident memory             {} KiB before, {} during, {} after",
        before.kib, during.kib, after.kib
    );
    println!(
        "a stream                    {:.1} KiB",
        (during.kib - before.kib) as f64 / f64::from(count)
    );
    if complete == all {
        Ok(())
    } else {
        Err(format!("{} streams were not complete", all - complete).into())
    }
}

/// Fifty whole answers, one after another: how long the slowest took.
async fn whole_answers(station: &Station) -> Result<Duration, Failure> {
    let client = Client::open(&station.authority).await?;
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let asked = Instant::now();
        let ended = client.chat(body(false)).await?.ended().await?;
        if ended != Ended::Answer {
            return Err(format!("a whole answer beside the streams: {ended:?}").into());
        }
        slowest = slowest.max(asked.elapsed());
    }
    Ok(slowest)
}

/// One stream: its first words, then a wait for all others, then the rest. Every tenth client has read
/// nothing but the head until then.
async fn stream(
    client: Client,
    number: u32,
    (opening, open, barrier): (Arc<Semaphore>, Arc<AtomicUsize>, Arc<Barrier>),
) -> Result<Ended, Failure> {
    let turn = opening.acquire().await?;
    let mut reply = client.chat(body(true)).await?;
    if !number.is_multiple_of(10) {
        reply.piece().await?;
    }
    drop(turn);
    open.fetch_add(1, Ordering::Relaxed);
    barrier.wait().await;
    reply.ended().await
}

fn body(stream: bool) -> String {
    format!(
        r#"{{"model":"acme/load","stream":{stream},"max_tokens":40,"messages":[{{"role":"user","content":"Say something"}}]}}"#
    )
}
