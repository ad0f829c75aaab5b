//! Load from outside: the release binary over real sockets, `waystation mock` behind it, HTTP/2 clients
//! before it. Everything is on loopback and bounded; `cargo xtask streams` and `cargo xtask soak` start
//! it. It measures and judges; it changes nothing.

#![expect(
    clippy::disallowed_methods,
    reason = "a tool from outside: it tells how long things took, and its tasks are the clients"
)]

mod client;
mod soak;
mod station;
mod streams;

use std::{process::ExitCode, time::Duration};

/// What went wrong, for a person.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

const HELP: &str = "\
load [--binary FILE] streams [--count N] [--gap MS] [--rest SECONDS]
                                             N streams (10000) open at once, an event each every MS
                                             milliseconds (1000); SECONDS (3) of rest behind them
load [--binary FILE] soak [--minutes N] [--rate N]
                                             N minutes (30) of faults at N requests a second (200);
                                             memory must not grow
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut binary = "target/release/waystation";
    if let ["--binary", file, ..] = words.as_slice() {
        binary = file;
        words.drain(..2);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = runtime.map_err(Failure::from).and_then(|runtime| {
        let number = |text: &str| text.parse::<u32>().map_err(Failure::from);
        match words.as_slice() {
            ["streams", options @ ..] => {
                let (mut count, mut gap, mut rest) = (10_000, 1_000, 3);
                for option in options.chunks(2) {
                    match option {
                        ["--count", given] => count = number(given)?,
                        ["--gap", given] => gap = number(given)?,
                        ["--rest", given] => rest = number(given)?,
                        _ => return Err(HELP.into()),
                    }
                }
                runtime.block_on(streams::run(
                    binary,
                    count,
                    (
                        Duration::from_millis(gap.into()),
                        Duration::from_secs(rest.into()),
                    ),
                ))
            }
            ["soak", options @ ..] => {
                let (mut minutes, mut rate) = (30, 200);
                for option in options.chunks(2) {
                    match option {
                        ["--minutes", given] => minutes = number(given)?,
                        ["--rate", given] => rate = number(given)?,
                        _ => return Err(HELP.into()),
                    }
                }
                let time = Duration::from_secs(60) * minutes;
                runtime.block_on(soak::run(binary, time, rate))
            }
            _ => Err(HELP.into()),
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(1)
        }
    }
}
