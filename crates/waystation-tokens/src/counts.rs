//! The counter of a gateway: bounds for all, estimates that learn, exact counts where a vocabulary is
//! published.

use std::fmt;

use waystation_core::{ModelId, TokenCounter, Tokens};

#[cfg(feature = "exact")]
use crate::exact::Vocabulary;
use crate::{ByteBounds, calibration::Calibration};

/// Does work somewhere else, so that nobody waits for it.
pub type Elsewhere = Box<dyn Fn(Box<dyn FnOnce() + Send>) + Send + Sync>;

/// Counts like [`ByteBounds`], and better where more is known of a model.
///
/// - [`estimate_of`](TokenCounter::estimate_of) uses the model's own bytes per token, as far as they
///   were [learned](TokenCounter::learn), between 1 and 12.
/// - [`exact_till`](TokenCounter::exact_till) counts with the model's vocabulary (feature `exact`). The
///   first call for a vocabulary has it loaded elsewhere, and is answered by `None`, as are all until
///   it is there: nothing is loaded before, and nobody waits.
///
/// ```
/// use waystation_core::{ModelId, TokenCounter, Tokens};
/// use waystation_tokens::Counts;
///
/// let counts = Counts::new(Box::new(|load| load()));
/// let model: ModelId = "acme/fast".parse()?;
/// assert_eq!(counts.estimate_of(&model, 3_800), Tokens::new(1_000));
/// counts.learn(&model, 2_000, Tokens::new(1_000));
/// assert_eq!(counts.estimate_of(&model, 3_800), Tokens::new(1_900));
/// # Ok::<(), waystation_core::ParseModelError>(())
/// ```
pub struct Counts {
    calibration: Calibration,
    #[cfg_attr(
        not(feature = "exact"),
        expect(dead_code, reason = "without vocabularies there is nothing to load")
    )]
    elsewhere: Elsewhere,
}

// === impl Counts ===

impl Counts {
    /// Has learned nothing yet. `elsewhere` is where vocabularies are loaded: a thread.
    #[must_use]
    pub fn new(elsewhere: Elsewhere) -> Self {
        Self {
            calibration: Calibration::default(),
            elsewhere,
        }
    }
}

impl TokenCounter for Counts {
    fn bounds(&self, bytes: u64) -> (Tokens, Tokens) {
        ByteBounds.bounds(bytes)
    }

    fn estimate(&self, bytes: u64) -> Tokens {
        ByteBounds.estimate(bytes)
    }

    fn count_till(&self, text: &str, limit: Tokens) -> Tokens {
        ByteBounds.count_till(text, limit)
    }

    fn at_most(&self, json: &[u8], enough: Tokens) -> Tokens {
        ByteBounds.at_most(json, enough)
    }

    fn estimate_of(&self, model: &ModelId, bytes: u64) -> Tokens {
        let per_token = self.calibration.of(model).max(1);
        let (fewest, most) = self.bounds(bytes);
        let estimate = Tokens::new(bytes.saturating_mul(100).div_ceil(per_token));
        estimate.clamp(fewest, most)
    }

    fn learn(&self, model: &ModelId, bytes: u64, tokens: Tokens) {
        self.calibration.learn(model, bytes, tokens);
    }

    #[cfg(feature = "exact")]
    fn exact_till(
        &self,
        model: &ModelId,
        family: &str,
        text: &str,
        limit: Tokens,
    ) -> Option<Tokens> {
        let vocabulary = Vocabulary::of(model, family)?;
        let count = vocabulary.count_till(text, limit);
        if count.is_none() && vocabulary.is_wanted() {
            (self.elsewhere)(Box::new(move || vocabulary.load()));
        }
        count
    }
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counts").finish_non_exhaustive()
    }
}
