//! How many bytes a token of each model stands for, learned from what providers report. It knows no
//! text and no vocabulary.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use arc_swap::ArcSwap;
use waystation_core::{ModelId, Tokens};

use crate::BYTES_PER_TOKEN_X100;

/// The fewest bytes per token that are believed, in hundredths: text of rare scripts.
pub const LEAST_X100: u32 = 100;
/// The most bytes per token that are believed, in hundredths: long runs of one character.
pub const MOST_X100: u32 = 1_200;
/// Shorter prompts teach nothing: what providers put around them outweighs them.
const SHORTEST: u64 = 1_000;
/// Models that are remembered; those that come later are estimated like all.
const MODELS: usize = 4_096;
/// The share that a new report has in what is known, as a divisor.
const WEIGHT: i64 = 8;

/// What was learned, by model. Shared and bounded; nobody waits for it: the table is replaced when a model is
/// reported for the first time, and shares what it knows of the others with the one before.
#[derive(Default)]
pub(crate) struct Calibration(ArcSwap<Factors>);

type Factors = HashMap<ModelId, Arc<AtomicU32>>;

// === impl Calibration ===

impl Calibration {
    /// Bytes per token of `model`, in hundredths.
    pub(crate) fn of(&self, model: &ModelId) -> u64 {
        let known = self.0.load();
        known.get(model).map_or(BYTES_PER_TOKEN_X100, |cell| {
            cell.load(Ordering::Relaxed).into()
        })
    }

    /// Takes notice of one report. What is far off moves the factor no further than its bounds.
    pub(crate) fn learn(&self, model: &ModelId, bytes: u64, tokens: Tokens) {
        if bytes < SHORTEST || tokens == Tokens::ZERO {
            return;
        }
        let found = bytes.saturating_mul(100) / tokens.get();
        let found = u32::try_from(found).unwrap_or(MOST_X100);
        let found = found.clamp(LEAST_X100, MOST_X100);
        let known = self.0.load();
        let Some(cell) = known.get(model) else {
            return self.begin(model, found);
        };
        // Of two reports at the same moment one may be lost, which does no harm.
        let (known, found) = (i64::from(cell.load(Ordering::Relaxed)), i64::from(found));
        let step = found - known;
        // Rounded away from zero, so that it arrives.
        let step = (step + step.signum() * (WEIGHT - 1)) / WEIGHT;
        let next = u32::try_from(known + step).unwrap_or(LEAST_X100);
        cell.store(next.clamp(LEAST_X100, MOST_X100), Ordering::Relaxed);
    }

    /// Remembers a model, unless there are too many. Linear in how many are known, once a model.
    fn begin(&self, model: &ModelId, found: u32) {
        self.0.rcu(|known| {
            if known.len() >= MODELS || known.contains_key(model) {
                return Arc::clone(known);
            }
            let mut more = Factors::clone(known);
            more.insert(model.clone(), Arc::new(AtomicU32::new(found)));
            Arc::new(more)
        });
    }
}

impl fmt::Debug for Calibration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calibration").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(number: usize) -> ModelId {
        format!("acme/m{number}").parse().unwrap()
    }

    #[test]
    fn models_that_threads_report_together_are_all_remembered() {
        let learned = Calibration::default();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let learned = &learned;
                scope.spawn(move || {
                    for number in 0..100 {
                        learned.learn(&model(thread * 100 + number), 4_000, Tokens::new(2_000));
                    }
                });
            }
        });
        assert!((0..400).all(|number| learned.of(&model(number)) == 200));
        assert_eq!(learned.of(&model(400)), BYTES_PER_TOKEN_X100);
    }

    /// What is known of one model goes on while another one is met.
    #[test]
    fn a_known_model_learns_on_when_others_come() {
        let learned = Calibration::default();
        for round in 0..60 {
            learned.learn(&model(0), 6_000, Tokens::new(2_000));
            learned.learn(&model(round + 1), 4_000, Tokens::new(2_000));
        }
        assert_eq!(learned.of(&model(0)), 300);
        for number in 0..MODELS + 5 {
            learned.learn(&model(number), 4_000, Tokens::new(2_000));
        }
        assert_eq!(learned.0.load().len(), MODELS);
    }
}
