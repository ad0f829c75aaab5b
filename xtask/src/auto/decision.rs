//! Whether whole decisions, the models that are chosen, stay when prompts are perturbed. It decides over the bundled
//! catalogue as a gateway with every credential would; it trains nothing.

use std::{collections::BTreeMap, sync::Arc};

use waystation_auto::{AutoRouter, Operator, Router};
use waystation_catalog::Catalog;
use waystation_core::{ChatRequest, ModelId, RawJson};
use waystation_router::{RoutingPolicy, ask};
use waystation_tokens::ByteBounds;

use super::perturbation::{Dice, KINDS, perturbed};
use crate::failure::Failure;

/// Tradeoffs between cost and quality that are asked for; 9 is the default.
pub(crate) const TRADEOFFS: [u8; 4] = [2, 5, 7, 9];

/// Decides over the catalogue of this build.
pub(crate) struct Chooser {
    catalog: Arc<Catalog>,
    router: AutoRouter,
    pool: Vec<ModelId>,
}

/// How steady the choices of one tradeoff are.
#[derive(Debug)]
pub(crate) struct Steadiness {
    /// The share of unchanged choices, by perturbation in the order of [`KINDS`].
    pub(crate) unchanged: Vec<f64>,
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

    /// The model that is put first.
    fn first(&self, prompt: &str, tradeoff: u8) -> Result<Option<ModelId>, Failure> {
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
        Ok(decision.ranked.into_iter().next().map(|first| first.model))
    }

    /// How steady it chooses for these prompts.
    pub(crate) fn steadiness(&self, prompts: &[&str], tradeoff: u8) -> Result<Steadiness, Failure> {
        let mut dice = Dice::new(2);
        let mut same = vec![0_u32; KINDS.len()];
        let mut chosen = BTreeMap::<Option<ModelId>, u32>::new();
        for prompt in prompts {
            let first = self.first(prompt, tradeoff)?;
            for (same, kind) in same.iter_mut().zip(KINDS) {
                let changed = self.first(&perturbed(prompt, kind, &mut dice), tradeoff)?;
                *same += u32::from(changed == first);
            }
            *chosen.entry(first).or_default() += 1;
        }
        let all = f64::from(u32::try_from(prompts.len().max(1)).unwrap_or(u32::MAX));
        let share = |count: u32| f64::from(count) / all;
        Ok(Steadiness {
            unchanged: same.into_iter().map(share).collect(),
            models: chosen.len(),
            commonest: share(chosen.into_values().max().unwrap_or_default()),
        })
    }
}

#[cfg(test)]
mod tests {
    use waystation_auto::{Weights, figures};

    use super::*;
    use crate::auto::measure::unchanged;

    /// Over the prompts that were written for this project. They are short, so that a chatty prefix which is not told
    /// from the question weighs more than on benchmarks.
    #[test]
    fn most_prompts_stay_on_their_side_of_the_middle_when_they_are_perturbed() {
        let lines = include_str!("seeds.txt")
            .lines()
            .filter(|line| !line.starts_with('#'));
        let prompts: Vec<&str> = lines
            .filter_map(|line| Some(line.split_once(": ")?.1))
            .collect();
        let weights = Weights::bundled();
        let difficulty = |prompt: &str| weights.difficulty(&figures(prompt));
        let before: Vec<f32> = prompts.iter().map(|prompt| difficulty(prompt)).collect();
        let mut dice = Dice::new(5);
        for kind in KINDS {
            let changed = prompts
                .iter()
                .map(|prompt| perturbed(prompt, kind, &mut dice));
            let after: Vec<f32> = changed.map(|prompt| difficulty(&prompt)).collect();
            let bar = match kind {
                "prefix" => 0.75,
                "suffix" => 0.85,
                _ => 0.90,
            };
            let found = unchanged(&before, &after);
            assert!(found >= bar, "{kind}: {found}");
        }
    }

    /// Among hundreds of models, several are as good as the best; a slip of the pen changes which of them is chosen. What
    /// is asked of the estimate of difficulty is more, and is held by the test below.
    #[test]
    fn the_chosen_model_mostly_stays_when_a_prompt_is_perturbed() {
        let chooser = Chooser::new().unwrap();
        let lines = include_str!("seeds.txt")
            .lines()
            .filter(|line| !line.starts_with('#'));
        let prompts: Vec<String> = lines
            .filter_map(|line| Some(line.split_once(": ")?.1.replace("\\n", "\n")))
            .collect();
        let prompts: Vec<&str> = prompts.iter().step_by(4).map(String::as_str).collect();
        let found = chooser.steadiness(&prompts, 5).unwrap();
        assert!(found.models > 1 && found.commonest < 0.9, "{found:?}");
        for (kind, unchanged) in KINDS.iter().zip(&found.unchanged) {
            let bar = match *kind {
                "typos" | "prefix" => 0.70,
                _ => 0.85,
            };
            assert!(*unchanged >= bar, "{kind}: {found:?}");
        }
    }
}
