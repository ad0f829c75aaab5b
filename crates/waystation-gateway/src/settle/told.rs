//! Who is told of a request, and what it used: the credential that it was made with, and the counter of
//! tokens, which learns from it. Nothing is decided by it here.

use std::sync::Arc;

use waystation_core::{
    Ask, Clock, Cost, Endpoint, Ledger, Modalities, TokenCounter, Tokens, Usage,
};
use waystation_router::{HealthTable, StickyTable};

use super::{Record, Serving};

/// The prompt's size, as far as it is known before anybody counts it.
#[derive(Clone, Copy, Default)]
pub(super) struct Prompt {
    /// What it was taken for in routing.
    estimate: Tokens,
    /// The fewest tokens that it can be.
    at_least: Tokens,
    /// Bytes of its text; 0 where nobody said.
    bytes: u64,
    /// Images in it.
    images: u64,
    /// It is text alone.
    text: bool,
    /// What is counted of it says how the model counts: it is text alone, and left as it came.
    teaches: bool,
}

/// What outlives requests and is told of them. Every record has it as one: each reference of its own would
/// be counted, by all cores in one place.
pub(crate) struct Around {
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Where entries go.
    pub(crate) ledger: Arc<dyn Ledger>,
    /// How endpoints fare.
    pub(crate) health: Arc<HealthTable>,
    /// Where conversations are remembered.
    pub(crate) sticky: Arc<StickyTable>,
    /// Learns how many bytes a token of each model is.
    pub(crate) tokens: Arc<dyn TokenCounter>,
}

// === impl Prompt ===

impl Prompt {
    /// What it is taken for, whoever is asked. Never zero, since it is sent.
    pub(super) fn estimate(self) -> Tokens {
        self.estimate.max(Tokens::new(1))
    }
}

// === impl Record ===

impl Record {
    /// What the prompt is taken for where no upstream counts it: the counts that routing went by.
    ///
    /// Until [`prompt_left`](Self::prompt_left) is told, what upstreams count of it teaches nothing.
    pub(crate) fn expect_prompt(&mut self, ask: &Ask) {
        self.prompt = Prompt {
            estimate: ask.prompt_estimate,
            at_least: ask.prompt_at_least,
            bytes: ask.prompt_bytes,
            images: ask.images,
            text: ask.input == Modalities::TEXT,
            teaches: false,
        };
    }

    /// The prompt has left, `as_it_came` or changed by plugins. A count of one that was changed, or
    /// that holds more than text, does not say how many bytes a token of the model is.
    pub(crate) const fn prompt_left(&mut self, as_it_came: bool) {
        self.prompt.teaches = as_it_came && self.prompt.text;
    }

    /// What the prompt is taken for by what is known of the model that got it.
    pub(super) fn prompt_at(&self, serving: &Serving) -> Tokens {
        let prompt = self.prompt;
        if prompt.bytes == 0 {
            return prompt.estimate();
        }
        let (tokens, model) = (&self.around.tokens, &serving.endpoint.model);
        let learned = tokens.estimate_of(model, prompt.bytes);
        learned.max(prompt.at_least).max(Tokens::new(1))
    }

    /// What `usage` and the prompt's images cost at an endpoint; `None` is unknown.
    pub(super) fn cost(&self, endpoint: &Endpoint, usage: &Usage) -> Option<Cost> {
        let mut cost = endpoint.price.cost(usage)?;
        cost.prompt = cost.prompt + endpoint.price.images(self.prompt.images);
        Some(cost)
    }

    /// What was consumed, as the upstream counted it. A zero for the prompt, which was sent, or for words
    /// that came, is no count, whatever else is told: it would make a request free. Where the upstream's own
    /// figure is what it costs, nothing is free by that, and counts stay as they are told.
    pub(super) fn counted(&self) -> Usage {
        let Some(told) = &self.usage else {
            return self.estimate();
        };
        let mut usage = told.clone();
        let billed = |serving: &Serving| serving.endpoint.billed_by_upstream;
        if usage.upstream_cost.is_some() && self.serving.as_ref().is_some_and(billed) {
            return usage;
        }
        // What a prompt of more than text comes to is not known here well enough to contradict a count.
        let unsent = usage.prompt == Tokens::ZERO && (self.prompt.text || usage.is_empty());
        let silent = usage.completion == Tokens::ZERO && self.text_bytes > 0;
        if unsent || silent {
            let estimate = self.estimate();
            if unsent {
                usage.prompt = estimate.prompt;
            }
            if silent {
                usage.completion = estimate.completion;
            }
            (usage.total, usage.estimated) = (None, true);
        }
        usage
    }

    /// Tells what the attempt under way used of its credential, and how its model counts.
    pub(super) fn spent(&self, usage: &Usage) {
        let Some(serving) = &self.serving else { return };
        let endpoint = &serving.endpoint;
        let tokens = usage.prompt + usage.completion;
        // Those whose tokens per minute are limited count them.
        self.snapshot
            .credentials
            .spent(&endpoint.provider, &serving.credential, tokens);
        let counted = !usage.estimated && !self.simulated;
        if self.prompt.teaches && counted && self.carried.is_none() {
            let bytes = self.prompt.bytes;
            self.around
                .tokens
                .learn(&endpoint.model, bytes, usage.prompt);
        }
    }
}
