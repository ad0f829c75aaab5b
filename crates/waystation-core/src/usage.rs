//! What one reply consumed, as its provider counted it.

use crate::{Tokens, Usd};

/// Native token counts of one reply. One immutable value feeds the client, the cost and the record.
///
/// Subsets are subsets: `cached` and `cache_write` lie inside `prompt`, `reasoning` inside
/// `completion` (a wire that reports them apart is added up by its codec).
/// Source: API contract, section 1.7.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub prompt: Tokens,
    /// Tokens of the answer, reasoning included.
    pub completion: Tokens,
    /// What the upstream called the total, when it gave one.
    pub total: Option<Tokens>,
    /// Prompt tokens read from a cache.
    pub cached: Option<Tokens>,
    /// Prompt tokens written to a cache that lives five minutes.
    pub cache_write: Option<Tokens>,
    /// Prompt tokens written to a cache that lives an hour (inside `cache_write`).
    pub cache_write_1h: Option<Tokens>,
    /// Prompt tokens of audio.
    pub prompt_audio: Option<Tokens>,
    /// Prompt tokens of video.
    pub prompt_video: Option<Tokens>,
    /// Answer tokens spent on reasoning.
    pub reasoning: Option<Tokens>,
    /// Answer tokens of audio.
    pub completion_audio: Option<Tokens>,
    /// Answer tokens of images.
    pub completion_image: Option<Tokens>,
    /// Predicted tokens that were used.
    pub accepted_prediction: Option<Tokens>,
    /// Predicted tokens that were not.
    pub rejected_prediction: Option<Tokens>,
    /// Searches that the provider ran.
    pub web_searches: Option<u64>,
    /// What the upstream says it charges (aggregators do).
    pub upstream_cost: Option<Usd>,
    /// The counts are the gateway's estimate, not the provider's word.
    pub estimated: bool,
}

// === impl Usage ===

impl Usage {
    /// Prompt and completion together.
    #[must_use]
    pub fn sum(&self) -> Tokens {
        self.prompt + self.completion
    }

    /// The total as the upstream gave it, else the sum.
    #[must_use]
    pub fn total_tokens(&self) -> Tokens {
        self.total.unwrap_or_else(|| self.sum())
    }

    /// Whether nothing at all was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sum() == Tokens::ZERO
    }
}
