//! What an answer is expected to cost at the offers that count. Which offers a request may use is not decided here.

use waystation_catalog::Model;
use waystation_core::{Endpoint, Tokens, Usd};

use super::Usable;

/// A model that reasons writes so many times the answer.
const REASONING: u64 = 3;

/// How many tokens a cost is worked out for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    /// Of the prompt.
    pub(super) prompt: Tokens,
    /// Of the answer of a model that does not reason.
    pub(super) answer: u64,
    /// What no answer is longer than.
    pub(super) most: Option<Tokens>,
}

// === impl Lengths ===

impl Lengths {
    /// One of four pairs that stand for all: the shares of prompt and answer in the cost, in whole steps, so that the
    /// prompts of one kind are compared at the same prices. `brief` is an answer of a word.
    pub(super) const fn usual(prompt: Tokens, brief: bool) -> Self {
        let (prompt, answer) = match prompt.get() {
            _ if brief => (500, 1),
            0..200 => (40, 400),
            200..2_000 => (400, 400),
            _ => (4_000, 400),
        };
        Self {
            prompt: Tokens::new(prompt),
            answer,
            most: None,
        }
    }
}

/// The cost at the cheapest endpoint of the firmest rank, among those of providers that can be asked; where none
/// can, among all.
pub(super) fn expense(model: &Model, usable: Option<&Usable>, lengths: Lengths) -> Option<Usd> {
    let asked = |endpoint: &&Endpoint| usable.is_none_or(|usable| usable(&endpoint.provider));
    let plain = || model.endpoints.iter().filter(|one| one.variant.is_none());
    let times = if model.reasoning { REASONING } else { 1 };
    let usual = Tokens::new(lengths.answer * times);
    let answer = lengths.most.map_or(usual, |most| most.min(usual));
    let of = |endpoint: &Endpoint| {
        let rates = endpoint.price.at(lengths.prompt);
        let cost = rates.prompt?.of(lengths.prompt) + rates.completion?.of(answer);
        Some((endpoint.trust, cost))
    };
    let costs = plain().filter(asked).filter_map(of).min();
    let any = || plain().filter_map(of).min();
    let askable = plain().any(|endpoint| asked(&endpoint));
    costs
        .or_else(|| (!askable).then(any).flatten())
        .map(|(_, cost)| cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_of_about_one_length_are_compared_at_the_same_prices() {
        let pair = |prompt, brief| {
            let lengths = Lengths::usual(Tokens::new(prompt), brief);
            (lengths.prompt.get(), lengths.answer)
        };
        assert_eq!(pair(20, false), pair(150, false));
        assert_eq!(pair(900, true), pair(20, true));
        let share = |(prompt, answer): (u64, u64)| prompt * 1_000 / answer;
        assert!(share(pair(20, false)) < share(pair(300, false)));
        assert!(share(pair(300, false)) < share(pair(9_000, false)));
        assert!(share(pair(9_000, false)) < share(pair(20, true)));
    }
}
