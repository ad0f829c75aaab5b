//! A soak: streams, whole answers, large and wrong bodies, clients that go away, at an upstream that
//! limits, fails, cuts, stalls, babbles and falls silent. No reply may be malformed, and memory must not
//! grow once tables are full.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};

use crate::{
    Failure,
    client::{Client, Ended},
    station::Station,
};

/// Clients at work.
const CLIENTS: u32 = 32;
/// What fills the ledger, whose 10,000 records are memory that is meant to be held.
const FILLED: u64 = 12_000;
/// How often memory is looked at.
const LOOK: Duration = Duration::from_secs(5);
/// More is growth, in MiB a minute.
const MOST: f64 = 0.1;
/// No reply takes longer.
const LIMIT: Duration = Duration::from_secs(60);

/// What A does wrong; B is well.
const FAULTS: &str = "
[[rule]]
match = { model = 'a', percent = 4 }
status = 429
retry_after = 1
[[rule]]
match = { model = 'a', percent = 4 }
status = 500
[[rule]]
match = { model = 'a', percent = 4 }
cut_after_events = 5
[[rule]]
match = { model = 'a', percent = 2 }
stall_after_events = 5
[[rule]]
match = { model = 'a', percent = 4 }
malformed_event = 3
[[rule]]
match = { model = 'a', percent = 2 }
silent = true
[[rule]]
match = { model = 'a', percent = 10 }
delay_ms = 200
gap_ms = 5
";
const LIMITS: &str =
    "[timeouts]\nfirst_byte = 1000\nfirst_token = 1500\nidle = 1000\nwhole = 2000\n";

/// How requests ended, counted.
#[derive(Default)]
struct Counts {
    ended: Mutex<BTreeMap<String, u64>>,
    all: AtomicU64,
}

/// Runs for `time`, with `rate` requests a second at most: each client begins one in its turn, unless
/// its last one is still under way.
pub(crate) async fn run(binary: &str, time: Duration, rate: u32) -> Result<(), Failure> {
    let pace = Duration::from_secs(1) * CLIENTS / rate.max(1);
    let station = Station::start(binary, FAULTS, LIMITS).await?;
    let counts = Arc::new(Counts::default());
    let (begin, mut clients) = (Instant::now(), JoinSet::new());
    for number in 0..CLIENTS {
        let (authority, counts) = (station.authority.clone(), Arc::clone(&counts));
        clients.spawn(client(
            authority,
            number.into(),
            (begin + time, pace),
            counts,
        ));
    }
    let mut look = interval(LOOK);
    let (mut full, mut seen) = (None, Vec::new());
    while begin.elapsed() < time {
        look.tick().await;
        let held = station.held()?;
        if counts.all.load(Ordering::Relaxed) < FILLED {
            continue;
        }
        let since = *full.get_or_insert_with(Instant::now);
        let at = Instant::now().duration_since(since).as_secs_f64() / 60.0;
        seen.push((at, held.kib as f64 / 1024.0));
    }
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    report(&counts, begin.elapsed(), &seen)
}

/// One client, until it is time.
async fn client(
    authority: String,
    number: u64,
    (until, pace): (Instant, Duration),
    counts: Arc<Counts>,
) -> Result<(), Failure> {
    let connection = Client::open(&authority).await?;
    let large = "word ".repeat(40_000);
    let mut turn = number;
    let mut paced = interval(pace);
    paced.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while Instant::now() < until {
        paced.tick().await;
        turn += 1;
        let what = match turn % 20 {
            0 => {
                counts
                    .of(
                        "wrong body",
                        connection.chat("{\"messages\":[{}]}".into()).await?,
                    )
                    .await?
            }
            1 => {
                counts
                    .of(
                        "large body",
                        connection.chat(body(turn, false, &large)).await?,
                    )
                    .await?
            }
            2 | 3 => {
                let mut reply = connection.chat(body(turn, true, "Tell me a story")).await?;
                timeout(LIMIT, reply.piece()).await??;
                "a client went away".to_owned()
            }
            kind => {
                let streamed = kind % 2 == 0;
                let name = if streamed { "stream" } else { "whole" };
                let reply = connection
                    .chat(body(turn, streamed, "Say something"))
                    .await?;
                counts.of(name, reply).await?
            }
        };
        counts.add(what);
    }
    Ok(())
}

fn body(seed: u64, stream: bool, text: &str) -> String {
    format!(
        r#"{{"model":"acme/load","stream":{stream},"seed":{seed},"max_tokens":60,"messages":[{{"role":"user","content":"{text}"}}]}}"#
    )
}

// === impl Counts ===

impl Counts {
    /// How a reply to this kind of request ended.
    async fn of(&self, kind: &str, reply: crate::client::Opened) -> Result<String, Failure> {
        let ended = timeout(LIMIT, reply.ended()).await??;
        Ok(match ended {
            Ended::Malformed => format!("MALFORMED {kind}"),
            ended => format!("{kind}: {ended:?}"),
        })
    }

    fn add(&self, what: String) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        *ended.entry(what).or_default() += 1;
        self.all.fetch_add(1, Ordering::Relaxed);
    }
}

/// Least squares: MiB a minute.
fn slope(seen: &[(f64, f64)]) -> f64 {
    let count = seen.len() as f64;
    let mean = |part: fn(&(f64, f64)) -> f64| seen.iter().map(part).sum::<f64>() / count;
    let (x, y) = (mean(|seen| seen.0), mean(|seen| seen.1));
    let both: f64 = seen.iter().map(|(a, b)| (a - x) * (b - y)).sum();
    let square: f64 = seen.iter().map(|(a, _)| (a - x).powi(2)).sum();
    both / square
}

fn report(counts: &Counts, took: Duration, seen: &[(f64, f64)]) -> Result<(), Failure> {
    let ended = counts.ended.lock().unwrap_or_else(PoisonError::into_inner);
    for (what, count) in &*ended {
        println!("{count:>9}  {what}");
    }
    println!(
        "{:>9}  in {} s",
        counts.all.load(Ordering::Relaxed),
        took.as_secs()
    );
    let malformed: Vec<&String> = ended
        .keys()
        .filter(|what| what.starts_with("MALFORMED"))
        .collect();
    let (Some(first), Some(last), true) = (seen.first(), seen.last(), seen.len() > 5) else {
        return Err("too short: the tables were not full before the end".into());
    };
    let growth = slope(seen);
    println!(
        "memory once tables were full: {:.1} MiB, at the end {:.1} MiB, over {:.1} minutes {growth:+.3} MiB a minute",
        first.1, last.1, last.0
    );
    for minute in 0..=last.0 as usize {
        let of_it = seen.iter().filter(|seen| seen.0 as usize == minute);
        let (count, sum) = of_it.fold((0_u32, 0.0), |(n, sum), seen| (n + 1, sum + seen.1));
        println!("minute {minute}: {:.2} MiB", sum / f64::from(count));
    }
    if !malformed.is_empty() {
        return Err(format!("malformed replies: {malformed:?}").into());
    }
    if growth > MOST {
        return Err(format!("memory grows by more than {MOST} MiB a minute").into());
    }
    Ok(())
}
