//! How many bytes a token of each model stands for, learned from what providers report. It knows no
//! text and no vocabulary.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU32, Ordering},
    },
};

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

/// What was learned, by model. Shared and bounded; reading takes a lock that is only ever held for a
/// look-up.
#[derive(Default)]
pub(crate) struct Calibration(RwLock<HashMap<ModelId, Arc<AtomicU32>>>);

// === impl Calibration ===

impl Calibration {
    /// Bytes per token of `model`, in hundredths.
    pub(crate) fn of(&self, model: &ModelId) -> u64 {
        self.cell(model).map_or(BYTES_PER_TOKEN_X100, |cell| {
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
        let Some(cell) = self.cell(model) else {
            let mut models = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if models.len() < MODELS {
                models.insert(model.clone(), Arc::new(AtomicU32::new(found)));
            }
            return;
        };
        // Of two reports at the same moment one may be lost, which does no harm.
        let (known, found) = (i64::from(cell.load(Ordering::Relaxed)), i64::from(found));
        let step = found - known;
        // Rounded away from zero, so that it arrives.
        let step = (step + step.signum() * (WEIGHT - 1)) / WEIGHT;
        let next = u32::try_from(known + step).unwrap_or(LEAST_X100);
        cell.store(next.clamp(LEAST_X100, MOST_X100), Ordering::Relaxed);
    }

    fn cell(&self, model: &ModelId) -> Option<Arc<AtomicU32>> {
        let models = self.0.read().unwrap_or_else(PoisonError::into_inner);
        models.get(model).cloned()
    }
}

impl fmt::Debug for Calibration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calibration").finish_non_exhaustive()
    }
}
