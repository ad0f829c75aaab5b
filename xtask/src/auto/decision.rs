//! Whether whole decisions, the models that are chosen, stay when prompts are perturbed. It decides over the bundled
//! catalogue as a gateway with every credential would; it trains nothing.

use std::{collections::BTreeMap, sync::Arc};

use waystation_auto::{AutoRouter, Operator, Router, Task};
use waystation_catalog::Catalog;
use waystation_core::{ChatRequest, ModelId, RawJson};
use waystation_router::{RoutingPolicy, ask};
use waystation_tokens::ByteBounds;

use super::perturbation::{Dice, FOREIGN, KINDS, perturbed};
use crate::failure::Failure;

/// Tradeoffs between cost and quality that are asked for; 9 is the default.
pub(crate) const TRADEOFFS: [u8; 4] = [2, 5, 7, 9];

/// Decides over the catalogue of this build.
pub(crate) struct Chooser {
    catalog: Arc<Catalog>,
    router: AutoRouter,
    pool: Vec<ModelId>,
}

/// A decision, as far as it is held against another.
struct Outcome {
    first: Option<ModelId>,
    task: Task,
    difficulty: f32,
}

/// Shares of unchanged decisions under one perturbation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unchanged {
    /// Of the model that is put first.
    pub(crate) first: f64,
    /// Of the task.
    pub(crate) task: f64,
    /// Of the side of the middle that the difficulty is on.
    pub(crate) side: f64,
}

/// How steady the decisions of one tradeoff are.
#[derive(Debug)]
pub(crate) struct Steadiness {
    /// By perturbation.
    pub(crate) unchanged: Vec<(&'static str, Unchanged)>,
    /// How many models are chosen at all.
    pub(crate) models: usize,
    /// The share of the model that is chosen most often: so much is unchanged by chance at least.
    pub(crate) commonest: f64,
}

// === impl Chooser ===

impl Chooser {
    pub(crate) fn new() -> Result<Self, Failure> {
        let catalog = Catalog::bundled().map_err(|error| Failure::new(error.to_string()))?;
        let usable = catalog
            .models()
            .filter(|model| !model.router && !model.deprecated);
        let pool = usable.map(|model| model.id.clone()).collect();
        let catalog = Arc::new(catalog);
        let router = AutoRouter::new(Arc::clone(&catalog), Operator::default());
        Ok(Self {
            catalog,
            router,
            pool,
        })
    }

    /// What is decided.
    fn outcome(&self, prompt: &str, tradeoff: u8) -> Result<Outcome, Failure> {
        let content = RawJson::of(prompt);
        let content = String::from_utf8_lossy(content.bytes());
        let body = format!(
            r#"{{"model": "openrouter/auto", "messages": [{{"role": "user", "content": {content}}}], "plugins": [{{"id": "auto-router", "cost_quality_tradeoff": {tradeoff}}}]}}"#
        );
        let wrong = |error: waystation_core::InvalidRequest| Failure::new(error.to_string());
        let chat = ChatRequest::parse(&body.into()).map_err(wrong)?;
        let ask =
            ask(&chat, &ByteBounds, &self.catalog, &RoutingPolicy::default()).map_err(wrong)?;
        let settings = self.router.settings(Router::Auto, &chat).map_err(wrong)?;
        let decision = self
            .router
            .decide(&ask, &chat, (Router::Auto, &settings), &self.pool);
        Ok(Outcome {
            first: decision.ranked.into_iter().next().map(|first| first.model),
            task: decision.features.task,
            difficulty: decision.features.difficulty,
        })
    }

    /// How steady it decides for these prompts, under what was trained on and what was not.
    pub(crate) fn steadiness(&self, prompts: &[&str], tradeoff: u8) -> Result<Steadiness, Failure> {
        let mut dice = Dice::new(2);
        let outcomes = prompts.iter().map(|prompt| self.outcome(prompt, tradeoff));
        let outcomes = outcomes.collect::<Result<Vec<Outcome>, Failure>>()?;
        let mut difficulties: Vec<f32> = outcomes.iter().map(|one| one.difficulty).collect();
        difficulties.sort_by(f32::total_cmp);
        let middle = difficulties
            .get(prompts.len() / 2)
            .copied()
            .unwrap_or_default();
        let one = 1.0 / f64::from(u32::try_from(prompts.len().max(1)).unwrap_or(u32::MAX));
        let mut unchanged = Vec::new();
        for kind in KINDS.into_iter().chain(FOREIGN) {
            let mut same = Unchanged::default();
            for (prompt, before) in prompts.iter().zip(&outcomes) {
                let after = self.outcome(&perturbed(prompt, kind, &mut dice), tradeoff)?;
                let share = |same: bool| if same { one } else { 0.0 };
                same.first += share(after.first == before.first);
                same.task += share(after.task == before.task);
                same.side += share((after.difficulty > middle) == (before.difficulty > middle));
            }
            unchanged.push((kind, same));
        }
        let mut chosen = BTreeMap::<Option<ModelId>, f64>::new();
        for outcome in outcomes {
            *chosen.entry(outcome.first).or_default() += one;
        }
        Ok(Steadiness {
            unchanged,
            models: chosen.len(),
            commonest: chosen.into_values().fold(0.0, f64::max),
        })
    }
}

#[cfg(test)]
mod tests {
    use waystation_auto::{Weights, figures};

    use super::*;
    use crate::auto::measure::unchanged;

    /// The prompts that were written for this project.
    fn seeds() -> Vec<String> {
        let lines = include_str!("seeds.txt").lines();
        let lines = lines.filter(|line| !line.starts_with('#'));
        let prompts = lines.filter_map(|line| Some(line.split_once(": ")?.1));
        prompts.map(|prompt| prompt.replace("\\n", "\n")).collect()
    }

    #[test]
    fn most_prompts_stay_on_their_side_of_the_middle_when_they_are_perturbed() {
        let prompts = seeds();
        let weights = Weights::bundled();
        let difficulty = |prompt: &str| weights.difficulty(&figures(prompt));
        let before: Vec<f32> = prompts.iter().map(|prompt| difficulty(prompt)).collect();
        let mut dice = Dice::new(5);
        for kind in KINDS.into_iter().chain(FOREIGN) {
            let changed = prompts
                .iter()
                .map(|prompt| perturbed(prompt, kind, &mut dice));
            let after: Vec<f32> = changed.map(|prompt| difficulty(&prompt)).collect();
            let found = unchanged(&before, &after);
            assert!(found >= 0.90, "{kind}: {found}");
        }
    }

    /// By perturbations that were trained on, and by others that were not.
    #[test]
    fn nine_decisions_in_ten_stay_when_a_prompt_is_perturbed() {
        let chooser = Chooser::new().unwrap();
        let prompts = seeds();
        let prompts: Vec<&str> = prompts.iter().step_by(4).map(String::as_str).collect();
        let found = chooser.steadiness(&prompts, 9).unwrap();
        assert!(found.models > 1 && found.commonest < 0.9, "{found:?}");
        for (kind, unchanged) in &found.unchanged {
            assert!(unchanged.first >= 0.90, "{kind}: {unchanged:?}");
            assert!(unchanged.task >= 0.90, "{kind}: {unchanged:?}");
        }
    }
}
