//! The whole round of an embedder: a chat body comes in as bytes, its question crosses to the process
//! that routes, the plan comes back, attempts are made, and their outcomes change the next plan.
//! Run it with `cargo run -p waystation-router --example embed`.
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::{error::Error, time::Duration};

use waystation_catalog::Catalog;
use waystation_core::{
    Ask, ChatRequest, DialectId, ErrorType, Now, Seed, Tick, TokenCounter, Tokens, UnixMs,
};
use waystation_router::{
    Admit, HealthTable, Outcome, Plan, RoutingPolicy, World, ask, explain, plan,
};

const BODY: &str = r#"{
    "model": "acme/fast", "models": ["acme/big"],
    "messages": [{"role": "user", "content": "Hi"}],
    "provider": {"max_price": {"prompt": 5}, "ignore": ["Gamma"]}
}"#;

/// Four bytes a token; `waystation-tokens` counts better.
struct FourBytes;

impl TokenCounter for FourBytes {
    fn bounds(&self, bytes: u64) -> (Tokens, Tokens) {
        (Tokens::new(bytes / 128), Tokens::new(bytes))
    }

    fn estimate(&self, bytes: u64) -> Tokens {
        Tokens::new(bytes / 4)
    }

    fn count_till(&self, text: &str, _: Tokens) -> Tokens {
        self.estimate(text.len() as u64)
    }
}

/// The process that routes: it keeps the catalogue and the health of endpoints.
struct Routing {
    catalog: Catalog,
    health: HealthTable,
    policy: RoutingPolicy,
    dialects: Vec<DialectId>,
}

impl Routing {
    /// A question as JSON in, a plan as JSON out.
    fn answer(&self, question: &str, now: Now, seed: Seed) -> Result<String, Box<dyn Error>> {
        let question: Ask = serde_json::from_str(question)?;
        let health = self.health.view(now.tick);
        let world = World {
            catalog: &self.catalog,
            health: &health,
            now,
            // Whoever you have a key of.
            usable: &|provider| *provider != "delta",
            dialects: &self.dialects,
            policy: &self.policy,
        };
        let planned = plan(&question, &world, seed);
        println!(
            "{}",
            serde_json::to_string(&explain(&planned, &self.catalog))?
        );
        Ok(serde_json::to_string(&planned?)?)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let routing = Routing {
        catalog: Catalog::sketch([
            ("acme/fast", "alpha", "1", "3"),
            ("acme/fast", "beta", "2", "6"),
            ("acme/fast", "gamma", "0.5", "1"),
            ("acme/big", "beta", "4", "12"),
            ("acme/big", "delta", "3", "9"),
        ])?,
        health: HealthTable::default(),
        policy: RoutingPolicy::default(),
        dialects: vec!["openai-chat".parse()?],
    };
    let chat = ChatRequest::parse(&BODY.to_owned().into())?;
    let question = ask(&chat, &FourBytes, &routing.catalog, &routing.policy)?;
    let question = serde_json::to_string(&question)?;
    for second in 1..=6 {
        let tick = Tick::from_micros(second * 1_000_000);
        let unix = UnixMs::new(1_800_000_000_000 + second * 1_000);
        let now = Now { tick, unix };
        let answer = routing.answer(&question, now, Seed::new(second))?;
        let plan: Plan = serde_json::from_str(&answer)?;
        for planned in &plan.attempts {
            // A breaker that is open says until when; a guard is held while its probe is out.
            let admitted = routing.health.admit(&planned.endpoint.id, tick);
            if matches!(admitted, Admit::Skip(_)) {
                continue;
            }
            // Here the call would be made. Alpha is down today.
            let outcome = if planned.endpoint.provider == "alpha" {
                Outcome::failed(ErrorType::ProviderUnavailable, tick)
            } else {
                Outcome {
                    ttft: Some(Duration::from_millis(300)),
                    ..Outcome::served(tick)
                }
            };
            routing.health.record(&planned.endpoint.id, outcome);
            if outcome.result.is_ok() {
                println!("second {second}: served by {}", planned.endpoint.id);
                break;
            }
        }
    }
    Ok(())
}
