//! `bench`: the release binary beside a proxy that does nothing, in one sitting. It starts both, and
//! the mock upstream behind them, asks through them in turn, and compares what a request costs. The
//! parts alone are measured by the criterion benches, not here.

mod instructions;
mod load;
mod page;
mod process;
mod stage;

use std::{path::PathBuf, time::Duration};

use crate::{failure::Failure, root::root};
use load::{Load, Measured};
use page::Page;
use process::Running;
use stage::Stage;

pub(crate) use instructions::run as instructions;

/// What is asked, and what it may cost.
struct Scenario {
    name: &'static str,
    model: &'static str,
    stream: bool,
    /// Bytes of the prompt, about.
    prompt: usize,
    /// They are a picture's, in base64.
    picture: bool,
    /// The upstream writes each event by itself.
    piecemeal: bool,
    /// The most that a request may cost, in what it costs nginx.
    goal: f64,
}

const fn scenario(name: &'static str, stream: bool, goal: f64) -> Scenario {
    Scenario {
        name,
        model: "openai/gpt-5.4-mini",
        stream,
        prompt: 600,
        picture: false,
        piecemeal: false,
        goal,
    }
}

const SCENARIOS: [Scenario; 8] = [
    scenario("plain", false, 2.2),
    scenario("stream of 43 events, one write", true, 3.5),
    Scenario {
        model: "bench/pieces",
        piecemeal: true,
        ..scenario("stream of 43 events, 43 writes", true, 3.5)
    },
    Scenario {
        prompt: 400_000,
        ..scenario("plain, prompt of 400 kB", false, 3.0)
    },
    Scenario {
        // Its context is large enough.
        model: "bench/pieces",
        piecemeal: true,
        prompt: 4_000_000,
        ..scenario("plain, prompt of 4 MB", false, 3.0)
    },
    Scenario {
        prompt: 4_000_000,
        picture: true,
        ..scenario("plain, picture of 4 MB", false, 3.0)
    },
    Scenario {
        model: "anthropic/claude-sonnet-4.5",
        ..scenario("plain, translated to anthropic-messages", false, 2.6)
    },
    Scenario {
        model: "anthropic/claude-sonnet-4.5",
        ..scenario("stream, translated to anthropic-messages", true, 3.5)
    },
];

/// What the command line asked for.
struct Wish {
    binary: PathBuf,
    rounds: usize,
    each: Duration,
    /// Only scenarios whose names hold this.
    only: String,
    /// Write the figures into `docs/performance.md`.
    write: bool,
}

/// What one scenario cost on both sides, in microseconds of CPU for each request, and in requests a
/// second.
struct Compared {
    name: &'static str,
    goal: f64,
    gateway: f64,
    nginx: Option<f64>,
}

/// `bench gateway [--binary FILE] [--rounds N] [--seconds N] [--only TEXT] [--write]`.
pub(crate) fn gateway(words: &[&str]) -> Result<(), Failure> {
    let wish = Wish::of(words)?;
    let stage = Stage::set(&wish.binary)?;
    let mut page = Page::of(&wish.binary, words);
    page.start(&stage)?;
    for scenario in SCENARIOS
        .iter()
        .filter(|scenario| scenario.name.contains(&wish.only))
    {
        page.compared(&compare(scenario, &stage, &wish)?);
    }
    if wish.only.is_empty() {
        page.latency(&stage)?;
        page.memory(&stage)?;
        page.streams(&wish.binary)?;
    }
    print!("{page}");
    if wish.write {
        page.write(&root().join("docs/performance.md"))?;
    }
    Ok(())
}

/// Alternates runs through the proxy and through the gateway; the figure is the median.
fn compare(scenario: &Scenario, stage: &Stage, wish: &Wish) -> Result<Compared, Failure> {
    let body = if scenario.picture {
        stage::picture(scenario.model, scenario.prompt)
    } else {
        stage::chat(scenario.model, scenario.prompt, scenario.stream)
    };
    let (mut gateway, mut nginx) = (Vec::new(), Vec::new());
    for _ in 0..wish.rounds {
        if let Some((running, plain, pieces)) = stage.nginx() {
            let port = if scenario.piecemeal { pieces } else { plain };
            nginx.push(cost(running, port, &body, wish.each)?);
        }
        let (running, port) = stage.gateway();
        gateway.push(cost(running, port, &body, wish.each)?);
    }
    let compared = Compared {
        name: scenario.name,
        goal: scenario.goal,
        gateway: median(&mut gateway).unwrap_or_default(),
        nginx: median(&mut nginx),
    };
    eprintln!("{}: {}", compared.name, compared.told());
    Ok(compared)
}

/// Microseconds of CPU time for each request, at 16 connections.
fn cost(running: &Running, port: u16, body: &str, each: Duration) -> Result<f64, Failure> {
    let load = Load {
        port,
        body,
        connections: 16,
        each,
    };
    // Connections are opened, and tables filled, before it counts.
    Load {
        each: Duration::from_millis(300),
        ..load
    }
    .run()?;
    let before = running.cpu()?;
    let Measured { requests, .. } = load.run()?;
    let spent = running.cpu()?.saturating_sub(before);
    if requests == 0 {
        return Err(Failure::new("no request was answered"));
    }
    Ok(spent.as_secs_f64() * 1e6 / requests as f64)
}

/// The middle one.
fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

// === impl Compared ===

impl Compared {
    fn ratio(&self) -> Option<f64> {
        self.nginx.map(|nginx| self.gateway / nginx)
    }

    fn told(&self) -> String {
        let gateway = format!("{:.1} us of CPU a request", self.gateway);
        match (self.nginx, self.ratio()) {
            (Some(nginx), Some(ratio)) => format!(
                "{gateway}, nginx {nginx:.1} us: {ratio:.2} x (goal {:.1} x)",
                self.goal
            ),
            _ => format!("{gateway}; nginx is not installed"),
        }
    }
}

// === impl Wish ===

impl Wish {
    fn of(words: &[&str]) -> Result<Self, Failure> {
        let mut wish = Self {
            binary: root().join("target/release/waystation"),
            rounds: 3,
            each: Duration::from_secs(3),
            only: String::new(),
            write: false,
        };
        let mut words = words.iter();
        let wrong = |what: &str| Failure::usage(format!("bench gateway: {what}"));
        while let Some(word) = words.next() {
            if *word == "--write" {
                wish.write = true;
                continue;
            }
            let value = words
                .next()
                .ok_or_else(|| wrong(&format!("{word} wants a value")))?;
            let number = || {
                value
                    .parse()
                    .map_err(|_| wrong(&format!("{word}: expected a number")))
            };
            match *word {
                "--binary" => wish.binary = PathBuf::from(value),
                "--rounds" => wish.rounds = usize::try_from(number()?).unwrap_or(1).max(1),
                "--seconds" => wish.each = Duration::from_secs(number()?),
                "--only" => wish.only = (*value).to_owned(),
                other => return Err(wrong(&format!("no such option: {other}"))),
            }
        }
        if !wish.binary.exists() {
            let binary = wish.binary.display();
            return Err(Failure::new(format!(
                "{binary} is not there: `cargo build --release`, or name one with --binary"
            )));
        }
        Ok(wish)
    }
}
