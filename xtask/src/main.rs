//! Project tasks: `cargo xtask help` lists them. They check and build the repository; nothing here
//! is part of what is released, and nothing here fetches anything.

mod auto;
mod bench;
mod catalog;
mod ci;
mod failure;
mod fixtures;
mod fuzz;
mod layers;
mod load;
mod root;
mod tidy;

use std::process::ExitCode;

use failure::Failure;

const HELP: &str = "\
cargo xtask TASK

  bench gateway [--binary FILE] [--rounds N] [--seconds N] [--only TEXT] [--write]
                        compare the release binary with nginx, request for request; --write puts
                        the figures into docs/performance.md
  bench instructions [--check | --write]
                        count the instructions of the hottest paths with valgrind; --check fails at a
                        tenth more than benches/instructions.txt says
  catalog import DIR    read models.jsonl, providers.jsonl and aliases.jsonl from DIR into the
                        TOML source tree; fields named in a row's `pinned`, and rows of providers
                        that are already there, are kept
  catalog check         validate the source tree and hold the embedded form to it
  catalog build         make the embedded form from the source tree
  catalog stats         count what the catalogue holds
  fixtures plugins      hold the plugins to their bars over the shared cases beside the repository;
                        prints the figures
  auto train            train the auto router's weights from ../shared/autorouter/dev and own seeds;
                        with --release before, as `cargo run --release -p xtask -- auto train`
  auto words            write the words that the training prompts use, before training
  auto report           train without some sets and measure on those; writes nothing
  auto pools            the part of that report about choosing among many models
  layers                hold the dependencies to the tables of the root manifest and to deny.toml,
                        advisories apart
  tidy [--stats]        hold the sources to the house rules; --stats prints a table of sizes
  streams [--count N] [--gap MS]
                        N streams (10000) open at once through the release binary, on loopback
  soak [--minutes N] [--rate N]
                        N minutes (30) of faults through the release binary; memory must not grow
  fuzz [--seconds N] [TARGET..]
                        replay the seeds of parsers and readers, then mutate them, 5 s each
  ci                    all that must pass before a merge, in order
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.code())
        }
    }
}

fn run(words: &[&str]) -> Result<(), Failure> {
    match words {
        ["bench", "gateway", words @ ..] => bench::gateway(words),
        ["bench", "instructions", words @ ..] => bench::instructions(words),
        ["catalog", "import", from] => catalog::import(from.as_ref()),
        ["catalog", "check"] => catalog::check(),
        ["catalog", "build"] => catalog::build(),
        ["catalog", "stats"] => catalog::stats(),
        ["fixtures", "plugins"] => fixtures::plugins(),
        ["auto", "train"] => auto::train(),
        ["auto", "words"] => auto::words(),
        ["auto", "report"] => auto::report(),
        ["auto", "pools"] => auto::pools(),
        ["layers"] => layers::check(),
        ["tidy"] => tidy::check(),
        ["tidy", "--stats"] => tidy::stats(),
        ["streams" | "soak", ..] => load::run(words),
        ["fuzz", "--seconds", seconds, only @ ..] => {
            let seconds = seconds.parse().map_err(|_| {
                Failure::usage(format!("expected a number of seconds, found {seconds}"))
            })?;
            fuzz::run(seconds, only)
        }
        ["fuzz", only @ ..] => fuzz::run(5, only),
        ["ci"] => ci::run(),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(Failure::usage(format!(
            "no such task: {}\n\n{HELP}",
            other.join(" ")
        ))),
    }
}
