//! Many streams open at once: all of them have shown their first words before any ends, a tenth of the
//! clients do not read until then, and whole answers are asked for meanwhile. How late events are counts
//! from when all are open, and holds the mock's and the clients' own lateness too.

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
    station::{Held, Station},
};

/// Streams on one connection.
const ON_ONE: u32 = 100;
/// Requests that are being opened at the same time.
const OPENING: usize = 2_500;
/// Nothing takes longer.
const LIMIT: Duration = Duration::from_secs(300);
/// The most memory that the gateway may take, in KiB.
const MOST_KIB: u64 = 400_000;
/// Open files of a process beside one for each stream.
const OTHER_FILES: u64 = 300;
/// What is asked: its answer has some forty events.
const ASKED: &str = "Write an essay of 2000 words about everything";

/// How a stream went.
struct Went {
    ended: Ended,
    /// How much later than due its latest event came, from when all streams were open.
    late: Duration,
}

/// Opens `count` streams with an event every `gap`, and holds them; looks again `rest` after the last ended.
pub(crate) async fn run(
    binary: &str,
    count: u32,
    (gap, rest): (Duration, Duration),
) -> Result<(), Failure> {
    enough_files(u64::from(count))?;
    let script = format!(
        "[[rule]]\nmatch = {{ stream = true }}\ngap_ms = {}\n",
        gap.as_millis()
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
            streams.spawn(stream(client.clone(), (number, gap), parts));
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
    let mut ended = Vec::new();
    while let Some(went) = timeout(LIMIT, streams.join_next()).await? {
        ended.push(went??);
    }
    println!("streams open at once        {count}");
    println!("until all had shown words   {:.1} s", opened.as_secs_f64());
    println!("slowest of 50 whole answers {} ms", slowest.as_millis());
    let complete = print_ended(ended);
    let after = station.held()?;
    tokio::time::sleep(rest).await;
    let rested = station.held()?;
    println!(
        "open files                  {} before, {} during, {} after, {} after {} s of rest",
        before.files,
        during.files,
        after.files,
        rested.files,
        rest.as_secs()
    );
    println!(
        "resident memory             {} KiB before, {} during, {} after, {} after {} s of rest",
        before.kib,
        during.kib,
        after.kib,
        rested.kib,
        rest.as_secs()
    );
    println!(
        "a stream                    {:.1} KiB",
        (during.kib - before.kib) as f64 / f64::from(count)
    );
    judged((complete, all), during)
}

/// Says how the streams went; gives how many were complete.
fn print_ended(ended: Vec<Went>) -> usize {
    let complete = ended.iter().filter(|went| went.ended == Ended::Answer);
    let complete = complete.count();
    let mut late: Vec<Duration> = ended.into_iter().map(|went| went.late).collect();
    late.sort_unstable();
    println!("complete in the end         {complete}");
    println!(
        "latest event                {} ms late, of 99 in 100 streams {} ms",
        late.last().map_or(0, Duration::as_millis),
        late.get(late.len() * 99 / 100)
            .map_or(0, Duration::as_millis)
    );
    complete
}

/// What may not be, whatever the machine.
fn judged((complete, all): (usize, usize), during: Held) -> Result<(), Failure> {
    if complete != all {
        return Err(format!("{} streams were not complete", all - complete).into());
    }
    if during.files < all {
        let message = "the first streams had ended before the last were open: try a larger --gap";
        return Err(message.into());
    }
    if during.kib > MOST_KIB {
        return Err(format!("more than {MOST_KIB} KiB").into());
    }
    Ok(())
}

/// Gateway and mock hold a file for each stream, and raise their limit as far as they may.
fn enough_files(count: u64) -> Result<(), Failure> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let hard = line.and_then(|line| line.split_whitespace().nth(4)?.parse::<u64>().ok());
    let needed = count + OTHER_FILES;
    match hard {
        Some(hard) if hard < needed => Err(format!(
            "{count} streams need {needed} open files a process, and {hard} are allowed here: raise the hard limit \
             (`ulimit -Hn {needed}` as root, `LimitNOFILE=` of a unit, `--ulimit nofile={needed}` of a container), or \
             ask for fewer with --count"
        )
        .into()),
        _ => Ok(()),
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
    (number, gap): (u32, Duration),
    (opening, open, barrier): (Arc<Semaphore>, Arc<AtomicUsize>, Arc<Barrier>),
) -> Result<Went, Failure> {
    let turn = opening.acquire().await?;
    let mut reply = client.chat(body(true)).await?;
    if !number.is_multiple_of(10) {
        reply.piece().await?;
    }
    drop(turn);
    open.fetch_add(1, Ordering::Relaxed);
    barrier.wait().await;
    let reads = !number.is_multiple_of(10);
    let (mut late, mut last) = (Duration::ZERO, None::<Instant>);
    let ended = reply
        .ended_after(|piece| {
            let now = Instant::now();
            // What ends a stream waits for the upstream's own end, some events behind the last words.
            let ends = String::from_utf8_lossy(piece).contains(r#""finish_reason":""#);
            if let (Some(last), true, false) = (last, reads, ends) {
                late = late.max(now.duration_since(last).saturating_sub(gap));
            }
            last = (!ends).then_some(now);
        })
        .await?;
    Ok(Went { ended, late })
}

fn body(stream: bool) -> String {
    format!(
        r#"{{"model":"acme/load","stream":{stream},"max_tokens":400,"messages":[{{"role":"user","content":"{ASKED}"}}]}}"#
    )
}
