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

    /// These counts and `other`'s together: what an answer consumed that two endpoints gave.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let sum = |a: Option<Tokens>, b: Option<Tokens>| match (a, b) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
        Self {
            prompt: self.prompt + other.prompt,
            completion: self.completion + other.completion,
            total: None,
            cached: sum(self.cached, other.cached),
            cache_write: sum(self.cache_write, other.cache_write),
            cache_write_1h: sum(self.cache_write_1h, other.cache_write_1h),
            prompt_audio: sum(self.prompt_audio, other.prompt_audio),
            prompt_video: sum(self.prompt_video, other.prompt_video),
            reasoning: sum(self.reasoning, other.reasoning),
            completion_audio: sum(self.completion_audio, other.completion_audio),
            completion_image: sum(self.completion_image, other.completion_image),
            accepted_prediction: sum(self.accepted_prediction, other.accepted_prediction),
            rejected_prediction: sum(self.rejected_prediction, other.rejected_prediction),
            web_searches: match (self.web_searches, other.web_searches) {
                (Some(a), Some(b)) => Some(a + b),
                (a, b) => a.or(b),
            },
            // Each was charged by its own provider.
            upstream_cost: None,
            estimated: self.estimated || other.estimated,
        }
    }
}
