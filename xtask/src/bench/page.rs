//! The figures as a table, and `docs/performance.md` with it. It measures what needs no comparison of
//! CPU: latency, start, memory.

use std::{fmt, fs, path::Path, process::Command, thread, time::Duration};

use super::{
    Compared,
    load::{Load, Timed, generator, percentile},
    median,
    stage::{self, Stage},
};
use crate::{failure::Failure, root::read};

/// The table, row by row.
pub(crate) struct Page {
    head: String,
    rows: Vec<[String; 3]>,
}

/// Streams that are held open.
const STREAMS: &str = "10000";
/// How long memory is waited for behind them, in seconds: idle connections to upstreams live for 50.
const REST: &str = "60";

/// What one connection waits is compared so often, in turn: of 1,500 requests fifteen tell the p99, and whatever
/// else runs on the machine tells some of them.
const PAIRS: usize = 7;

/// Which of a reply's times.
type Of = fn(&Timed) -> Duration;

/// What stands before and behind the figures in the document.
const BEGIN: &str = "<!-- figures: written by `cargo xtask bench gateway --write` -->";
const END: &str = "<!-- end of figures -->";

// === impl Page ===

impl Page {
    pub(crate) fn of(binary: &Path, words: &[&str]) -> Self {
        let command = ["cargo xtask bench gateway"].iter().chain(words);
        let command: Vec<&str> = command.copied().collect();
        let binary = binary
            .parent()
            .and_then(Path::file_name)
            .map(|profile| profile.to_string_lossy().into_owned());
        let head = format!(
            "`{}` on {}: {}, {} cores that others used too. Profile `{}`, load by {}. What a request costs is \
             CPU time of the process; the reference is nginx with `proxy_pass`, in turn in the same sitting, \
             medians.",
            command.join(" "),
            said("date", &["+%Y-%m-%d"]),
            cpu(),
            thread::available_parallelism().map_or(1, usize::from),
            binary.unwrap_or_default(),
            generator(),
        );
        Self {
            head,
            rows: Vec::new(),
        }
    }

    fn row(&mut self, what: &str, got: String, goal: &str) {
        eprintln!("{what}: {got}");
        self.rows.push([what.to_owned(), got, goal.to_owned()]);
    }

    /// A request's cost beside nginx's.
    pub(crate) fn compared(&mut self, compared: &Compared) {
        let ratio = compared
            .ratio()
            .map_or("nginx not installed".to_owned(), |ratio| {
                format!("{ratio:.2} x")
            });
        let nginx = compared
            .nginx
            .map_or(String::new(), |nginx| format!(" (nginx {nginx:.0} us)"));
        let got = format!("{ratio}: {:.0} us{nginx}", compared.gateway);
        let goal = format!("{:.1} x", compared.goal);
        self.rows.push([compared.name.to_owned(), got, goal]);
    }

    /// From start to listening: the median of several.
    pub(crate) fn start(&mut self, stage: &Stage) -> Result<(), Failure> {
        let mut times = vec![stage.started().as_secs_f64() * 1e3];
        for _ in 0..8 {
            times.push(stage.another()?.1.as_secs_f64() * 1e3);
        }
        let got = format!("{:.0} ms", median(&mut times).unwrap_or_default());
        self.row("start to listening", got, "60 ms");
        Ok(())
    }

    /// What the gateway adds over nginx at one connection, the median of several pairs of runs, and how long
    /// all of it takes at 1,000 requests a second.
    pub(crate) fn latency(&mut self, stage: &Stage) -> Result<(), Failure> {
        let (plain, stream) = (
            stage::chat("openai/gpt-5.4-mini", 600, false),
            stage::chat("openai/gpt-5.4-mini", 600, true),
        );
        let run = |port, body: &str, connections, rate| {
            let each = Duration::from_secs(5);
            Load {
                port,
                body,
                connections,
                each,
            }
            .paced(rate)
        };
        let (_, gateway) = stage.gateway();
        let times = |times: Vec<Timed>, of: Of| times.iter().map(of).collect::<Vec<_>>();
        let (first, whole): (Of, Of) = (|time| time.first, |time| time.whole);
        if let Some((_, nginx, _)) = stage.nginx() {
            let kinds = [
                (
                    "added over nginx, plain, one connection",
                    &plain,
                    whole,
                    "p99 0.3 ms",
                ),
                (
                    "added to the first event, one connection",
                    &stream,
                    first,
                    "",
                ),
            ];
            for (what, body, of, goal) in kinds {
                let (mut p50, mut p99) = (Vec::new(), Vec::new());
                for _ in 0..PAIRS {
                    let with = times(run(gateway, body, 1, 300)?, of);
                    let without = times(run(nginx, body, 1, 300)?, of);
                    let added =
                        |percent| percentile(&with, percent) - percentile(&without, percent);
                    p50.push(added(50));
                    p99.push(added(99));
                }
                let middle = |added: &mut Vec<f64>| median(added).unwrap_or_default();
                let (p50, p99) = (middle(&mut p50), middle(&mut p99));
                self.row(what, format!("p50 {p50:.2} ms, p99 {p99:.2} ms"), goal);
            }
        }
        let times = times(run(gateway, &plain, 16, 1_000)?, whole);
        let got = format!(
            "p50 {:.2} ms, p99 {:.2} ms",
            percentile(&times, 50),
            percentile(&times, 99)
        );
        self.row(
            "whole way at 1,000 requests a second",
            got,
            "p50 1 ms, p99 5 ms",
        );
        Ok(())
    }

    /// Resident memory of a gateway that has just started, under load of streams, and at rest after it
    /// and after large prompts.
    pub(crate) fn memory(&mut self, stage: &Stage) -> Result<(), Failure> {
        let ((running, port), _) = stage.another()?;
        thread::sleep(Duration::from_secs(1));
        let idle = running.resident()?;
        let rested = |body: &str, connections| {
            let load = Load {
                port,
                body,
                connections,
                each: Duration::from_secs(5),
            };
            let loaded = thread::scope(|scope| {
                let asking = scope.spawn(|| load.run());
                thread::sleep(Duration::from_secs(4));
                let resident = running.resident();
                asking
                    .join()
                    .map_err(|_| Failure::new("a client panicked"))??;
                resident
            })?;
            thread::sleep(Duration::from_secs(5));
            Ok::<_, Failure>((loaded, running.resident()?))
        };
        let more = |after: f64| format!("{:.0} % more", (after / idle - 1.0) * 100.0);
        let (loaded, after) = rested(&stage::chat("openai/gpt-5.4-mini", 600, true), 64)?;
        let got = format!(
            "{idle:.1} MB idle, {loaded:.1} MB under load, {after:.1} MB after it: {}",
            more(after)
        );
        let goal = "25 MB idle, 20 % more after it";
        self.row("resident memory, the ledger filled", got, goal);
        let (loaded, after) = rested(&stage::chat("openai/gpt-5.4-mini", 400_000, false), 16)?;
        let got = format!(
            "{loaded:.1} MB under load, {after:.1} MB after it: {}",
            more(after)
        );
        self.row(
            "the same after prompts of 400 kB",
            got,
            "20 % more after it",
        );
        Ok(())
    }

    /// Many streams held open at an event a second each: what they take, how late events come, and what
    /// is left of them when their upstream connections have been closed for want of use.
    pub(crate) fn streams(&mut self, binary: &Path) -> Result<(), Failure> {
        let words = [
            "streams", "--count", STREAMS, "--gap", "1000", "--rest", REST,
        ];
        let output = crate::load::tool(binary, &words)?;
        let told = |line: &str| {
            let lines = output.lines();
            let line = lines.filter_map(|said| said.strip_prefix(line)).next();
            line.map(str::trim)
                .ok_or_else(|| Failure::new(format!("the tool did not tell `{line:?}`")))
        };
        let (memory, late) = (told("resident memory")?, told("latest event")?);
        let megabytes = |when: &str| {
            let part = memory.split(", ").find(|part| part.contains(when));
            let kilobytes = part.and_then(|part| part.split(' ').next()?.parse::<f64>().ok());
            kilobytes
                .map(|kilobytes| kilobytes * 1.024 / 1e3)
                .ok_or_else(|| Failure::new(format!("the tool told no memory{when}")))
        };
        let (before, during, after) = (
            megabytes(" before")?,
            megabytes(" during")?,
            megabytes(" of rest")?,
        );
        let late = late.split(',').next().unwrap_or_default();
        let more = (after / before - 1.0) * 100.0;
        let got = format!(
            "{during:.0} MB, the latest event {late}; {REST} s later {after:.1} MB: {more:.0} % more than before"
        );
        let what = format!("{STREAMS} open streams, an event a second each");
        self.row(&what, got, "400 MB, 50 ms; 20 % more than before");
        Ok(())
    }

    /// Puts the figures into the document in place of those that are there.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = read(path)?;
        let marks = text.find(BEGIN).zip(text.find(END));
        let Some((begin, end)) = marks.filter(|(begin, end)| begin < end) else {
            return Err(Failure::at(
                path,
                format!("`{BEGIN}` and `{END}` are not there"),
            ));
        };
        let before = text.get(..begin).unwrap_or_default();
        let behind = text.get(end..).unwrap_or_default();
        let text = format!("{before}{BEGIN}\n\n{self}\n{behind}");
        fs::write(path, text).map_err(|error| Failure::at(path, error))
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}\n\n| what | measured | goal |\n|---|---|---|",
            self.head
        )?;
        for [what, got, goal] in &self.rows {
            writeln!(f, "| {what} | {got} | {goal} |")?;
        }
        Ok(())
    }
}

/// The processor, as the system calls it.
fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let name = name
        .unwrap_or_default()
        .trim_start_matches([' ', '\t', ':']);
    if name.is_empty() {
        return std::env::consts::ARCH.to_owned();
    }
    name.to_owned()
}

/// What a program prints.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or(String::new(), |output| {
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    })
}
