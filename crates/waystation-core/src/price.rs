//! What an endpoint charges, and what a usage costs there: exact to the last digit.

use serde::{Deserialize, Serialize};

use crate::{Tokens, Usage, Usd, UsdPerMTok};

/// The charges of one endpoint. `None` is *unknown*, which is never zero: a cost that needs an
/// unknown price is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Price {
    /// Charges per token, below every step.
    pub rates: Rates,
    /// Steps by prompt size, ascending; the whole request is billed at the last step that its
    /// prompt exceeds.
    pub tiers: Vec<PriceTier>,
    /// Flat fee per request.
    pub request: Option<Usd>,
    /// Fee per input image, beside its tokens ([`images`](Self::images)).
    pub image: Option<Usd>,
    /// Fee per search that the provider runs.
    pub web_search: Option<Usd>,
}

/// Charges per token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Rates {
    /// Prompt tokens.
    pub prompt: Option<UsdPerMTok>,
    /// Answer tokens.
    pub completion: Option<UsdPerMTok>,
    /// Prompt tokens read from a cache; absent, they are billed as prompt tokens.
    pub cache_read: Option<UsdPerMTok>,
    /// Prompt tokens written to a five-minute cache; absent, billed as prompt tokens.
    pub cache_write: Option<UsdPerMTok>,
    /// Prompt tokens written to a one-hour cache; absent, billed as `cache_write`.
    pub cache_write_1h: Option<UsdPerMTok>,
    /// Prompt tokens of audio; absent, billed as prompt tokens.
    pub audio: Option<UsdPerMTok>,
    /// Reasoning tokens; absent, billed as answer tokens.
    pub reasoning: Option<UsdPerMTok>,
}

/// One step of a price by prompt size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceTier {
    /// The step holds for prompts of more tokens than this.
    pub above: Tokens,
    /// Its charges; absent ones are those below every step.
    pub rates: Rates,
}

/// A cost and its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Cost {
    /// Prompt tokens of every kind, and fees per request, search and image.
    pub prompt: Usd,
    /// Answer tokens of every kind.
    pub completion: Usd,
}

// === impl Cost ===

impl Cost {
    /// Both parts.
    #[must_use]
    pub fn total(&self) -> Usd {
        self.prompt + self.completion
    }
}

// === impl Price ===

impl Price {
    /// A price of prompt and completion alone.
    #[must_use]
    pub fn simple(prompt: UsdPerMTok, completion: UsdPerMTok) -> Self {
        Self {
            rates: Rates {
                prompt: Some(prompt),
                completion: Some(completion),
                ..Rates::default()
            },
            ..Self::default()
        }
    }

    /// The charges that hold for a prompt of this size.
    #[must_use]
    pub fn at(&self, prompt: Tokens) -> Rates {
        let step = self.tiers.iter().rev().find(|tier| prompt > tier.above);
        step.map_or(self.rates, |tier| tier.rates.over(self.rates))
    }

    /// What `usage` costs here; `None` when a price that it needs is unknown.
    ///
    /// Cost = Σ tokens × price over disjoint kinds of tokens, plus fees. Additive within one step.
    /// Source: API contract, section 9.1 and statement 130.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> Option<Cost> {
        let rates = self.at(usage.prompt);
        let count = |part: Option<Tokens>| part.unwrap_or_default();
        let prompt = rates.prompt?;
        let write_1h = count(usage.cache_write_1h);
        let write_5m = count(usage.cache_write).less(write_1h);
        let (cached, audio) = (count(usage.cached), count(usage.prompt_audio));
        let plain = usage
            .prompt
            .less(cached)
            .less(write_5m)
            .less(write_1h)
            .less(audio);
        let write_price = rates.cache_write.unwrap_or(prompt);
        let mut input = prompt.of(plain)
            + rates.cache_read.unwrap_or(prompt).of(cached)
            + write_price.of(write_5m)
            + rates.cache_write_1h.unwrap_or(write_price).of(write_1h)
            + rates.audio.unwrap_or(prompt).of(audio)
            + self.request.unwrap_or_default();
        if let Some(searches) = usage.web_searches {
            input = input + self.web_search.unwrap_or_default().times(searches);
        }
        let completion = rates.completion?;
        let reasoning = count(usage.reasoning);
        let output = completion.of(usage.completion.less(reasoning))
            + rates.reasoning.unwrap_or(completion).of(reasoning);
        Some(Cost {
            prompt: input,
            completion: output,
        })
    }

    /// What so many input images cost here beside their tokens; an unknown fee is none, as of searches.
    #[must_use]
    pub fn images(&self, count: u64) -> Usd {
        self.image.unwrap_or_default().times(count)
    }

    /// Whether every charge that a plain request meets is known to be zero.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.rates.prompt == Some(UsdPerMTok::ZERO)
            && self.rates.completion == Some(UsdPerMTok::ZERO)
            && self.request.unwrap_or_default() == Usd::ZERO
    }
}

// === impl Rates ===

impl Rates {
    /// These charges, with `base` where they say nothing.
    #[must_use]
    pub fn over(self, base: Self) -> Self {
        // Every field is named, so that a new one cannot be forgotten.
        let Self {
            prompt,
            completion,
            cache_read,
            cache_write,
            cache_write_1h,
            audio,
            reasoning,
        } = self;
        Self {
            prompt: prompt.or(base.prompt),
            completion: completion.or(base.completion),
            cache_read: cache_read.or(base.cache_read),
            cache_write: cache_write.or(base.cache_write),
            cache_write_1h: cache_write_1h.or(base.cache_write_1h),
            audio: audio.or(base.audio),
            reasoning: reasoning.or(base.reasoning),
        }
    }

    /// The one number that orders endpoints by price: (3 × prompt + 1 × completion) / 4, in
    /// nano-dollars per million tokens, times four so that it stays whole. `None` when unknown.
    #[must_use]
    pub fn blended_x4(&self) -> Option<u128> {
        Some(3 * u128::from(self.prompt?.nanos()) + u128::from(self.completion?.nanos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(text: &str) -> UsdPerMTok {
        text.parse().unwrap()
    }

    #[test]
    fn every_kind_of_token_is_billed_once() {
        let mut at = Price::simple(price("3"), price("15"));
        at.rates.cache_read = Some(price("0.3"));
        at.rates.cache_write = Some(price("3.75"));
        let usage = Usage {
            prompt: Tokens::new(1_000),
            cached: Some(Tokens::new(600)),
            cache_write: Some(Tokens::new(100)),
            completion: Tokens::new(10),
            reasoning: Some(Tokens::new(4)),
            ..Usage::default()
        };
        let cost = at.cost(&usage).unwrap();
        // 300 x 3 + 600 x 0.3 + 100 x 3.75 = 1455 per million; 10 x 15 = 150 per million.
        assert_eq!(cost.prompt.to_string(), "0.001455");
        assert_eq!(cost.total().to_string(), "0.001605");
    }

    #[test]
    fn a_step_bills_the_whole_request() {
        let mut at = Price::simple(price("2"), price("12"));
        let rates = Rates {
            prompt: Some(price("4")),
            ..Rates::default()
        };
        at.tiers.push(PriceTier {
            above: Tokens::new(200_000),
            rates,
        });
        let of = |prompt| Usage {
            prompt: Tokens::new(prompt),
            ..Usage::default()
        };
        assert_eq!(at.cost(&of(200_000)).unwrap().total().to_string(), "0.4");
        assert_eq!(
            at.cost(&of(200_001)).unwrap().total().to_string(),
            "0.800004"
        );
    }

    #[test]
    fn an_unknown_price_gives_an_unknown_cost() {
        assert_eq!(Price::default().cost(&Usage::default()), None);
    }
}
