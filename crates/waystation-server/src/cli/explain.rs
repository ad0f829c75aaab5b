//! `waystation explain`: the routing plan of chat requests from standard input. Sends nothing.

use std::{
    io::{self, BufRead as _, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use clap::Args;
use waystation_core::{
    HttpRequest, HttpStream, Json, Phase, Seed, SendLimits, Sent, Transport, TransportError,
};
use waystation_router::{DecisionRecord, HealthView};

use super::{Refusal, Source, runtime, say};
use crate::{
    app::App,
    config::Environment,
    explanation::{self, Given},
};

/// Arguments of `explain`.
#[derive(Clone, Debug, Args)]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    source: Source,
    /// Health of endpoints, in place of live statistics.
    #[arg(long, value_name = "FILE")]
    health: Option<PathBuf>,
    /// The seed of draws, which makes a plan reproducible.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// A decision record to make the same plan from again.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["health", "seed"])]
    record: Option<PathBuf>,
    /// One request a line in, one plan a line out.
    #[arg(long)]
    batch: bool,
    /// Print JSON, which is what is printed in any case.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &ExplainArgs, env: &Environment) -> Result<(), Refusal> {
    let resolved = args.source.resolve(env)?;
    let given = given(args, resolved.catalog.version())?;
    runtime()?.block_on(async {
        let app = App::new(resolved, Arc::new(Silent));
        if args.batch {
            batch(&app, &given).await
        } else {
            one(&app, &given).await
        }
    })
}

async fn one(app: &App, given: &Given) -> Result<(), Refusal> {
    let mut body = Vec::new();
    io::stdin().lock().read_to_end(&mut body)?;
    let (explanation, _) = explanation::of(app, &body.into(), given).await;
    say(&format!(
        "{}\n",
        serde_json::to_string_pretty(&explanation)?
    ));
    match explanation.error {
        Some(error) => Err(Refusal(format!("error: {}", error.message))),
        None => Ok(()),
    }
}

/// Every line has its own plan; a request without one does not end the batch.
async fn batch(app: &App, given: &Given) -> Result<(), Refusal> {
    for line in io::stdin().lock().split(b'\n') {
        let line = Bytes::from(line?);
        if line.trim_ascii().is_empty() {
            continue;
        }
        let (explanation, _) = explanation::of(app, &line, given).await;
        say(&format!("{}\n", serde_json::to_string(&explanation)?));
    }
    Ok(())
}

/// What the files and the seed say.
fn given(args: &ExplainArgs, version: &str) -> Result<Given, Refusal> {
    if let Some(path) = &args.record {
        let record = record(&read(path)?)
            .map_err(|error| refuse(path, &format!("expected a decision record: {error}")))?;
        if let Some(other) = record.catalog.as_deref().filter(|other| *other != version) {
            let message = format!("expected a record of catalogue {version}, found one of {other}");
            return Err(refuse(path, &message));
        }
        return Ok(Given {
            record: Some(record),
            ..Given::default()
        });
    }
    let health = args.health.as_deref().map(|path| {
        HealthView::from_json(&read(path)?).map_err(|error| refuse(path, &error.to_string()))
    });
    Ok(Given {
        seed: args.seed.map(Seed::new),
        // Without a file nothing is measured, since `explain` has served nothing: what the catalogue
        // expects counts, as it does in a gateway that has just started.
        health: health.transpose()?,
        ..Given::default()
    })
}

/// A decision record by itself, or in the answer of `GET /v1/generation?id=…&record=true`.
fn record(text: &[u8]) -> Result<DecisionRecord, serde_json::Error> {
    let answer = Json::parse(text).ok();
    let inside = answer.and_then(|json| json.at(&["data", "decision_record"]));
    serde_json::from_slice(inside.map_or(text, Json::bytes))
}

fn read(path: &Path) -> Result<Vec<u8>, Refusal> {
    std::fs::read(path).map_err(|error| refuse(path, &error.to_string()))
}

fn refuse(path: &Path, message: &str) -> Refusal {
    Refusal(format!("error: {}: {message}", path.display()))
}

/// A network that carries nothing.
struct Silent;

// === impl Silent ===

#[async_trait]
impl Transport for Silent {
    async fn send(&self, _: HttpRequest, _: SendLimits) -> Result<HttpStream, TransportError> {
        Err(TransportError {
            phase: Phase::Connect,
            sent: Sent::Nothing,
            timed_out: false,
            message: "explain sends nothing".into(),
        })
    }
}
