//! `waystation auto`: scores prompts with the embedded auto router. Sends nothing.

use std::{
    io::{self, BufRead as _, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use waystation_auto::{Features, Scored, score};
use waystation_catalog::{Catalog, Changes, EndpointChange, ModelChange, ProviderChange};
use waystation_core::{
    Ask, ChatRequest, Clock, InvalidRequest, ModelId, Price, RawJson, Tokens, UsdPerMTok,
};
use waystation_gateway::TokioClock;
use waystation_router::{RoutingPolicy, ask};
use waystation_tokens::ByteBounds;

use super::{Refusal, Source, runtime, say};
use crate::config::Environment;

/// The answer that costs are estimated for when a prompt sets no limit.
const ANSWER: Tokens = Tokens::new(500);

/// Arguments of `auto`.
#[derive(Clone, Debug, Args)]
pub(super) struct AutoArgs {
    #[command(flatten)]
    source: Source,
    /// One prompt a line in, one answer a line out.
    #[arg(long)]
    batch: bool,
    /// The models to choose from, a JSON list of {"id", "price": {"prompt", "completion"}}; absent,
    /// the catalogue.
    #[arg(long, value_name = "FILE")]
    models: Option<PathBuf>,
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
    quality: f64,
    cost_usd: Option<Box<RawValue>>,
    score: f64,
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
    /// Taken, but the rules have no use for it.
    #[serde(default, rename = "quality_prior")]
    _quality_prior: Option<f64>,
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
    catalog: Catalog,
    pool: Vec<ModelId>,
    clock: Arc<dyn Clock>,
}

/// Runs the command.
pub(super) fn run(args: &AutoArgs, env: &Environment) -> Result<(), Refusal> {
    let catalog = match &args.models {
        Some(path) => listed(path)?,
        None => args.source.resolve_catalog(env)?.catalog,
    };
    let usable = |model: &&waystation_catalog::Model| !model.router && !model.deprecated;
    let pool = catalog
        .models()
        .filter(usable)
        .map(|model| model.id.clone());
    let pool = pool.collect();
    runtime()?.block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::start());
        let judge = Judge {
            catalog,
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
        let features = Features::of(&ask, &chat);
        let scored = score(&self.catalog, &ask, features, &self.pool);
        let took = self.clock.now().tick.since(start);
        Ok(Judged {
            id: prompt.id,
            task: features.task.to_string(),
            difficulty: f64::from(features.difficulty),
            ranked: scored.into_iter().map(|s| self.ranked(s, &ask)).collect(),
            micros: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        })
    }

    fn ranked(&self, scored: Scored, ask: &Ask) -> Ranked {
        let answer = ask.max_output.unwrap_or(ANSWER);
        let cost = |price: &Price| {
            let rates = price.at(ask.prompt_estimate);
            Some(rates.prompt?.of(ask.prompt_estimate) + rates.completion?.of(answer))
        };
        let endpoints = self.catalog.model(scored.model.as_str());
        let endpoints = endpoints.into_iter().flat_map(|model| &model.endpoints);
        let costs = endpoints
            .filter(|endpoint| endpoint.variant.is_none())
            .filter_map(|endpoint| Some((endpoint.trust, cost(&endpoint.price)?)));
        let cheapest = costs.min().map(|(_, cost)| cost.to_string());
        Ranked {
            model: scored.model,
            quality: share(scored.ability.into()),
            // Amounts of money are written digit by digit.
            cost_usd: cheapest.and_then(|text| RawValue::from_string(text).ok()),
            score: share(scored.score),
        }
    }
}

fn share(per_mille: i32) -> f64 {
    f64::from(per_mille) / 1_000.0
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

/// A catalogue of exactly the models of a file.
fn listed(path: &Path) -> Result<Catalog, Refusal> {
    let refuse = |message: String| Refusal(format!("error: {}: {message}", path.display()));
    let text = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
    let models: Vec<Pooled> = serde_json::from_slice(&text)
        .map_err(|error| refuse(format!("expected a list of {{id, price}}: {error}")))?;
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
    Ok(catalog)
}
