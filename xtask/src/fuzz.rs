//! `fuzz`: replays the seeds of every reader and parser, then mutates them for a while. It runs on
//! stable and finds what is near the seeds; `cargo fuzz` in `fuzz/` runs the same targets under
//! libFuzzer, on nightly, and goes further. An input that breaks something is written beside the
//! seeds, where the next run finds it first.

mod mutate;
#[expect(unreachable_pub, reason = "the targets in fuzz/ use it too")]
mod target;

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use crate::{failure::Failure, root::root};
use mutate::{Dice, mutate};

/// Runs targets (all when `only` is empty) for so many seconds each, as many at once as there are
/// processors.
#[expect(clippy::disallowed_methods, reason = "threads of one task")]
pub(crate) fn run(seconds: u64, only: &[&str]) -> Result<(), Failure> {
    let known = target::names();
    if let Some(wrong) = only.iter().find(|name| !known.contains(name)) {
        let names = known.join(", ");
        return Err(Failure::usage(format!(
            "no such target: {wrong}; there are {names}"
        )));
    }
    let wanted = |name: &&&str| only.is_empty() || only.contains(*name);
    let queue: Vec<&str> = known.iter().filter(wanted).copied().rev().collect();
    let queue = Mutex::new(queue);
    let findings = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(name) = next(&queue) {
                    if let Err(failure) = fuzz(name, Duration::from_secs(seconds)) {
                        let mut findings = findings.lock().unwrap_or_else(|e| e.into_inner());
                        findings.push(format!("{name}: {failure}"));
                    }
                }
            });
        }
    });
    let findings = findings.into_inner().unwrap_or_else(|e| e.into_inner());
    Failure::of("fuzz", &findings)
}

#[expect(clippy::disallowed_methods, reason = "threads of one task")]
fn next<'a>(queue: &Mutex<Vec<&'a str>>) -> Option<&'a str> {
    queue.lock().unwrap_or_else(|e| e.into_inner()).pop()
}

/// One target: its seeds as they are, then changed until the time is up.
#[expect(
    clippy::disallowed_methods,
    reason = "a task that runs for a time reads the clock"
)]
fn fuzz(name: &str, time: Duration) -> Result<(), Failure> {
    let seeds = seeds(name)?;
    for seed in &seeds {
        hold(name, seed)?;
    }
    let end = Instant::now() + time;
    let mut dice = Dice::new(0x5EED);
    let mut runs = 0_u64;
    while Instant::now() < end {
        hold(name, &mutate(&seeds, &mut dice))?;
        runs += 1;
    }
    println!("fuzz: {name}: {} seeds, {runs} mutations", seeds.len());
    Ok(())
}

/// Runs one input; one that breaks a law or panics is kept.
fn hold(name: &str, input: &[u8]) -> Result<(), Failure> {
    let ran = catch_unwind(AssertUnwindSafe(|| target::run(name, input)));
    let why = match ran {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(law)) => law,
        Err(_) => "it panicked".to_owned(),
    };
    let folder = folder(name);
    let sum = input.iter().fold(0_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u32::from(*byte))
    });
    let path = folder.join(format!("found-{sum:08x}"));
    fs::create_dir_all(&folder).map_err(|error| Failure::at(&folder, error))?;
    fs::write(&path, input).map_err(|error| Failure::at(&path, error))?;
    Err(Failure::at(&path, why))
}

fn folder(name: &str) -> PathBuf {
    root().join("fuzz/seeds").join(name)
}

/// What mutation starts from: the files in the target's own folder, and, for dialects, the fixtures of
/// hosts that speak it.
fn seeds(name: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let mut seeds = Vec::new();
    let own = folder(name);
    for path in files(&own)? {
        seeds.push(read(&path)?);
    }
    let fixtures = root().join("crates/waystation-providers/fixtures");
    for host in files(&fixtures)? {
        let target = read(&host.join("target.json"))?;
        let target: serde_json::Value =
            serde_json::from_slice(&target).map_err(|error| Failure::at(&host, error))?;
        if target.get("dialect").and_then(serde_json::Value::as_str) != Some(name) {
            continue;
        }
        for (file, how) in [
            ("stream.sse", 0),
            ("stream.jsonl", 0),
            ("chat.reply.json", 1),
            ("error.429.json", 2),
        ] {
            let path = host.join(file);
            if path.exists() {
                let mut seed = vec![how, 6];
                seed.extend(read(&path)?);
                seeds.push(seed);
            }
        }
    }
    if seeds.is_empty() {
        return Err(Failure::at(&own, "expected seeds, found none"));
    }
    Ok(seeds)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::at(path, error))
}

/// What is in a folder, in order; nothing when there is no such folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).map_err(|error| Failure::at(folder, error))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(|error| Failure::at(folder, error))?.path());
    }
    paths.sort();
    Ok(paths)
}
