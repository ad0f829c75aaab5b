//! `waystation auto`: scores prompts with the embedded auto router. Sends nothing.

mod replay;

use std::{
    io::{self, BufRead as _, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use waystation_auto::{AutoRouter, Operator, Override, Overrides, Router, Scored};
use waystation_catalog::{Catalog, Changes, EndpointChange, ModelChange, ProviderChange};
use waystation_core::{ChatRequest, Clock, InvalidRequest, ModelId, Price, RawJson, UsdPerMTok};
use waystation_gateway::TokioClock;
use waystation_router::{RoutingPolicy, ask};
use waystation_tokens::ByteBounds;

use super::{Refusal, Source, runtime, say};
use crate::config::Environment;

/// Arguments of `auto`.
#[derive(Clone, Debug, Args)]
pub(super) struct AutoArgs {
    #[command(flatten)]
    source: Source,
    /// One prompt a line in, one answer a line out.
    #[arg(long)]
    batch: bool,
    /// The models to choose from, a JSON list of {"id", "quality_prior"?, "price": {"prompt",
    /// "completion"}}; absent, the catalogue.
    #[arg(long, value_name = "FILE")]
    models: Option<PathBuf>,
    /// Scored records, one a line, as GET /v1/feedback gives them: judges whether [plugins.auto-router]
    /// feedback would have made decisions better, without asking anybody.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["batch", "models"])]
    replay: Option<PathBuf>,
}

/// One prompt.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Prompt<'a> {
    #[serde(default, borrow)]
    id: Option<&'a RawValue>,
    #[serde(default)]
    prompt: Option<String>,
    #[serde(default, borrow)]
    messages: Option<&'a RawValue>,
}

/// What is said about one prompt.
#[derive(Debug, Serialize)]
struct Judged<'a> {
    id: Option<&'a RawValue>,
    task: String,
    difficulty: f64,
    ranked: Vec<Ranked>,
    micros: u64,
}

/// One model, as it is printed.
#[derive(Debug, Serialize)]
struct Ranked {
    model: ModelId,
    /// To weigh against a cost in one's own way: a place on a ladder by cost, on which every model is the best for some
    /// weight. It says nothing of who is better; the estimate does.
    quality: f64,
    /// What the router itself weighs.
    estimate: f64,
    cost_usd: Option<Box<RawValue>>,
    score: f64,
    /// Where the quality comes from.
    basis: String,
}

/// A prompt that could not be judged.
#[derive(Debug, Serialize)]
struct Failed {
    id: Option<Box<RawValue>>,
    error: String,
}

/// One model of `--models`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pooled {
    id: ModelId,
    /// How well it does on a usual prompt, from 0 to 1.
    #[serde(default)]
    quality_prior: Option<f32>,
    price: PooledPrice,
}

/// USD per million tokens, as decimal strings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PooledPrice {
    prompt: UsdPerMTok,
    completion: UsdPerMTok,
}

/// What prompts are scored over.
struct Judge {
    catalog: Arc<Catalog>,
    router: AutoRouter,
    pool: Vec<ModelId>,
    clock: Arc<dyn Clock>,
}

/// Runs the command.
pub(super) fn run(args: &AutoArgs, env: &Environment) -> Result<(), Refusal> {
    if let Some(path) = &args.replay {
        return replay::run(path);
    }
    let (catalog, operator) = match &args.models {
        Some(path) => listed(path)?,
        None => {
            let resolved = args.source.resolve_catalog(env)?;
            let operator = crate::auto_router::operator(&resolved.config);
            (resolved.catalog, operator)
        }
    };
    let usable = |model: &&waystation_catalog::Model| !model.router && !model.deprecated;
    let pool = catalog
        .models()
        .filter(usable)
        .map(|model| model.id.clone());
    let pool = pool.collect();
    runtime()?.block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::start());
        let catalog = Arc::new(catalog);
        let router = AutoRouter::new(Arc::clone(&catalog), operator).reaching();
        let judge = Judge {
            catalog,
            router,
            pool,
            clock,
        };
        if args.batch {
            judge.batch()
        } else {
            judge.one()
        }
    })
}

// === impl Judge ===

impl Judge {
    /// Standard input is one prompt: an object, or plain text.
    fn one(&self) -> Result<(), Refusal> {
        let mut text = String::new();
        io::stdin().lock().read_to_string(&mut text)?;
        let plain = Prompt {
            id: None,
            prompt: Some(text.clone()),
            messages: None,
        };
        let prompt = if text.trim_start().starts_with('{') {
            serde_json::from_str(&text)?
        } else {
            plain
        };
        let judged = self.judge(&prompt)?;
        say(&format!("{}\n", serde_json::to_string_pretty(&judged)?));
        Ok(())
    }

    /// Every line has its own answer; a wrong one does not end the batch.
    fn batch(&self) -> Result<(), Refusal> {
        for line in io::stdin().lock().lines() {
            let line = line?;
            if line.trim().is_empty() {
                continue;
            }
            let answer = match serde_json::from_str::<Prompt<'_>>(&line) {
                Ok(prompt) => match self.judge(&prompt) {
                    Ok(judged) => serde_json::to_string(&judged)?,
                    Err(error) => failed(prompt.id, &error.to_string())?,
                },
                Err(error) => failed(None, &format!("expected {{id, prompt}}: {error}"))?,
            };
            say(&format!("{answer}\n"));
        }
        Ok(())
    }

    fn judge<'a>(&self, prompt: &Prompt<'a>) -> Result<Judged<'a>, InvalidRequest> {
        let chat = chat(prompt)?;
        let start = self.clock.now().tick;
        let policy = RoutingPolicy::default();
        let ask = ask(&chat, &ByteBounds, &self.catalog, &policy)?;
        let settings = self.router.settings(Router::Auto, &chat)?;
        let auto = (Router::Auto, &settings);
        let decision = self.router.decide(&ask, &chat, auto, &self.pool);
        let took = self.clock.now().tick.since(start);
        Ok(Judged {
            id: prompt.id,
            task: decision.features.task.to_string(),
            difficulty: decision.features.difficulty.into(),
            ranked: decision.ranked.into_iter().map(ranked).collect(),
            micros: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        })
    }
}

fn ranked(scored: Scored) -> Ranked {
    let cost = scored.cost.map(|cost| cost.to_string());
    Ranked {
        quality: scored.reach,
        estimate: scored.quality.into(),
        // Amounts of money are written digit by digit.
        cost_usd: cost.and_then(|text| RawValue::from_string(text).ok()),
        score: scored.score.into(),
        basis: scored.basis.to_string(),
        model: scored.model,
    }
}

fn failed(id: Option<&RawValue>, error: &str) -> serde_json::Result<String> {
    serde_json::to_string(&Failed {
        id: id.map(ToOwned::to_owned),
        error: error.into(),
    })
}

/// The chat request that a prompt would be.
fn chat(prompt: &Prompt<'_>) -> Result<ChatRequest, InvalidRequest> {
    let messages = match (&prompt.prompt, prompt.messages) {
        (Some(text), None) => {
            let content = RawJson::of(text);
            let content = String::from_utf8_lossy(content.bytes());
            format!(r#"[{{"role": "user", "content": {content}}}]"#)
        }
        (None, Some(messages)) => messages.get().to_owned(),
        _ => {
            let message = "expected `prompt` or `messages`, found both or neither";
            return Err(InvalidRequest::new("prompt", message));
        }
    };
    let body = format!(r#"{{"model": "openrouter/auto", "messages": {messages}}}"#);
    ChatRequest::parse(&Bytes::from(body))
}

/// A catalogue of exactly the models of a file, and the qualities that it gives them.
fn listed(path: &Path) -> Result<(Catalog, Operator), Refusal> {
    let refuse = |message: String| Refusal(format!("error: {}: {message}", path.display()));
    let text = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
    let models: Vec<Pooled> = serde_json::from_slice(&text)
        .map_err(|error| refuse(format!("expected a list of {{id, price}}: {error}")))?;
    let prior = |pooled: &Pooled| {
        let quality = pooled.quality_prior?;
        let pattern = pooled.id.to_string();
        Some(Override {
            pattern,
            task: None,
            quality,
        })
    };
    let mut operator = Operator::default();
    operator.levels = Overrides::new(models.iter().filter_map(prior).collect());
    let slug: waystation_core::ProviderSlug = "listed".parse()?;
    let mut provider = ProviderChange::new(slug.clone());
    provider.name = Some("Listed".into());
    provider.dialect = Some("openai-chat".parse()?);
    provider.base_url = Some("http://listed.invalid".into());
    let model = |pooled: Pooled| {
        let mut endpoint = EndpointChange::new(slug.clone());
        endpoint.price = Price::simple(pooled.price.prompt, pooled.price.completion);
        let mut model = ModelChange::new(pooled.id);
        model.endpoints.push(endpoint);
        model
    };
    let changes = Changes {
        providers: vec![provider],
        models: models.into_iter().map(model).collect(),
        ..Changes::default()
    };
    let (catalog, _) = Catalog::empty()
        .with(changes)
        .map_err(|error| refuse(error.to_string()))?;
    Ok((catalog, operator))
}
