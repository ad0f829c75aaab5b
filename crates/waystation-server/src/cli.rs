//! The command line: which command was asked for, and its exit code. The commands are in files of
//! their own, and what they do is mostly elsewhere.

mod auto;
mod check;
mod explain;
mod health;
mod models;

use std::{
    fmt,
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use waystation_sim::Pacing;

use crate::{
    config::{self, Environment, Flags, Listen, Resolved},
    log_line::JsonLines,
    log_writer::Lines,
    mock, sandbox,
    serve::{self, Start},
};

/// What the log shows unless `WAYSTATION_LOG` or `RUST_LOG` says otherwise.
const LOG_FILTER: &str = "info";

/// A self-hosted, OpenAI-compatible gateway to language models.
#[derive(Debug, Parser)]
#[command(
    name = "waystation",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Example:\n  OPENAI_API_KEY=sk-... waystation\n\nWithout a command, `serve` is meant."
)]
struct Line {
    #[command(flatten)]
    serve: ServeArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the gateway.
    #[command(
        after_help = "Example:\n  waystation serve --config waystation.toml --listen 127.0.0.1:8080"
    )]
    Serve(ServeArgs),
    /// Validates the configuration and prints it with secrets hidden.
    #[command(after_help = "Example:\n  waystation check --config waystation.toml")]
    Check(check::CheckArgs),
    /// Prints the routing plan of a chat request from standard input; sends nothing.
    #[command(
        after_help = "Example:\n  echo '{\"model\": \"openai/gpt-5.4\", \"messages\": [{\"role\": \
                      \"user\", \"content\": \"Hi\"}]}' | waystation explain --seed 7"
    )]
    Explain(explain::ExplainArgs),
    /// Lists the catalogue: id, context, prices, providers.
    #[command(after_help = "Example:\n  waystation models 'anthropic/*'")]
    Models(models::ModelsArgs),
    /// Runs a scripted upstream that speaks the dialects and injects faults.
    #[command(
        after_help = "Example:\n  waystation mock --listen 127.0.0.1:9000 --script faults.toml"
    )]
    Mock(MockArgs),
    /// Scores prompts with the embedded auto router; sends nothing.
    #[command(
        after_help = "Example:\n  echo 'Prove that there are infinitely many primes' | waystation auto"
    )]
    Auto(auto::AutoArgs),
    /// Exits with 0 when a running gateway answers.
    #[command(after_help = "Example:\n  waystation health --listen 127.0.0.1:8080")]
    Health(health::HealthArgs),
    /// Reads one document for the gateway that started this process.
    #[command(
        name = "__parse",
        hide = true,
        after_help = "Example:\n  waystation __parse < job\n\nA job is what the gateway writes into the pipe: nobody types it."
    )]
    Parse,
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Default, Args)]
struct Source {
    /// The config file; ./waystation.toml is read when it is there.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A file of KEY=VALUE lines, added to the environment.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, Args)]
struct ServeArgs {
    #[command(flatten)]
    source: Source,
    /// Address of the API, host:port.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Address of metrics and management, host:port or "off".
    #[arg(long, value_name = "ADDR")]
    admin_listen: Option<String>,
    /// Simulate every upstream: nothing leaves this machine and nothing costs.
    #[arg(long)]
    simulate: bool,
    /// Let everybody who can reach the gateway use it without a key.
    #[arg(long)]
    insecure_open: bool,
}

#[derive(Clone, Debug, Args)]
struct MockArgs {
    /// Address to listen at, host:port.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9000")]
    listen: Listen,
    /// Replies and faults to play; without it every request succeeds.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Answer every request at once with the same bytes: for measuring what stands in front.
    #[arg(long, conflicts_with = "script")]
    at_once: bool,
    /// With --at-once: write each event of a stream by itself.
    #[arg(long, requires = "at_once")]
    piecemeal: bool,
    /// Answer at once, instead of at the pace of a real model. Faults of the script still take theirs.
    #[arg(long)]
    instant: bool,
}

/// Runs the command that the process's arguments name.
///
/// Exits with 0 for success, 1 for a refusal, whose reason is printed to standard error, and 2 for
/// arguments that make no sense.
#[must_use]
pub fn run() -> ExitCode {
    let line = Line::parse();
    let env = Environment::capture();
    let result = match line.command.unwrap_or(Command::Serve(line.serve)) {
        Command::Serve(args) => serve(&args, env),
        Command::Check(args) => check::run(&args, &env),
        Command::Explain(args) => explain::run(&args, &env),
        Command::Models(args) => models::run(&args, &env),
        Command::Mock(args) => mock(&args, &env),
        Command::Auto(args) => auto::run(&args, &env),
        Command::Health(args) => health::run(&args, &env),
        Command::Parse => sandbox::run().map_err(Refusal::from),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => {
            // Nobody may be reading.
            let _ = writeln!(io::stderr().lock(), "{refusal}");
            ExitCode::from(1)
        }
    }
}

/// Why a command did not do what it was asked to: what standard error shows.
#[derive(Debug)]
struct Refusal(String);

// === impl Refusal ===

impl<E: std::error::Error> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(format!(
            "error: {}",
            error.to_string().replace('\n', "\n       ")
        ))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Source ===

impl Source {
    fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            env_file: self.env_file.clone(),
            ..Flags::default()
        }
    }

    /// What `serve` would start with.
    fn resolve(&self, env: &Environment) -> Result<Resolved, Refusal> {
        Ok(config::resolve(&self.flags(), env)?)
    }

    /// The same for commands that need no provider: one that is missing is not refused.
    fn resolve_catalog(&self, env: &Environment) -> Result<Resolved, Refusal> {
        let flags = Flags {
            simulate: true,
            ..self.flags()
        };
        Ok(config::resolve(&flags, env)?)
    }
}

fn serve(args: &ServeArgs, environment: Environment) -> Result<(), Refusal> {
    let flags = Flags {
        listen: args.listen.clone(),
        admin_listen: args.admin_listen.clone(),
        simulate: args.simulate,
        insecure_open: args.insecure_open,
        ..args.source.flags()
    };
    let resolved = config::resolve(&flags, &environment)?;
    log(&environment)?;
    let start = Start {
        resolved,
        flags,
        environment,
    };
    // What serves has threads of its own: this one accepts, reloads and answers the operator.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(serve::run(start))?)
}

fn mock(args: &MockArgs, env: &Environment) -> Result<(), Refusal> {
    log(env)?;
    if args.at_once {
        return Ok(runtime()?.block_on(mock::run_at_once(&args.listen, args.piecemeal))?);
    }
    let pacing = if args.instant {
        Pacing::Instant
    } else {
        Pacing::Live
    };
    let running = mock::run(&args.listen, args.script.as_deref(), pacing);
    Ok(runtime()?.block_on(running)?)
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

/// Starts the log on standard error: lines for a person at a terminal, JSON for everybody else.
fn log(env: &Environment) -> Result<(), Refusal> {
    let filter = env.log_filter().unwrap_or(LOG_FILTER);
    let filter = EnvFilter::builder().parse(filter).map_err(|error| {
        Refusal(format!(
            "error: environment: WAYSTATION_LOG: expected a log filter such as info: {error}"
        ))
    })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Lines);
    if io::stderr().is_terminal() {
        log.init();
    } else {
        log.event_format(JsonLines).init();
    }
    Ok(())
}

/// Prints to standard output; that nobody reads it is no failure.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests;
