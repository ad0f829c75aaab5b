//! Who is told what a request used: the credential that it was made with, and the counter of tokens,
//! which learns from it. Nothing is decided by it here.

use std::sync::Arc;

use waystation_core::{Ask, Credentials, Modalities, TokenCounter, Tokens, Usage};

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
    /// It is text alone.
    text: bool,
    /// What is counted of it says how the model counts: it is text alone, and left as it came.
    teaches: bool,
}

/// Those who are told.
pub(super) struct Told {
    /// Those whose tokens per minute are limited count them.
    credentials: Arc<dyn Credentials>,
    /// Learns how many bytes a token of each model is.
    tokens: Arc<dyn TokenCounter>,
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
    /// What is used is told to `credentials`, and what providers count to `tokens`.
    pub(crate) fn tell(
        &mut self,
        credentials: Arc<dyn Credentials>,
        tokens: Arc<dyn TokenCounter>,
    ) {
        self.told = Some(Told {
            credentials,
            tokens,
        });
    }

    /// What the prompt is taken for where no upstream counts it: the counts that routing went by.
    ///
    /// Until [`prompt_left`](Self::prompt_left) is told, what upstreams count of it teaches nothing.
    pub(crate) fn expect_prompt(&mut self, ask: &Ask) {
        self.prompt = Prompt {
            estimate: ask.prompt_estimate,
            at_least: ask.prompt_at_least,
            bytes: ask.prompt_bytes,
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
        match &self.told {
            Some(told) if prompt.bytes > 0 => {
                let learned = told
                    .tokens
                    .estimate_of(&serving.endpoint.model, prompt.bytes);
                learned.max(prompt.at_least).max(Tokens::new(1))
            }
            _ => prompt.estimate(),
        }
    }

    /// Tells what the attempt under way used of its credential, and how its model counts.
    pub(super) fn spent(&self, usage: &Usage) {
        let (Some(told), Some(serving)) = (&self.told, &self.serving) else {
            return;
        };
        let endpoint = &serving.endpoint;
        let tokens = usage.prompt + usage.completion;
        told.credentials
            .spent(&endpoint.provider, &serving.credential, tokens);
        let counted = !usage.estimated && !self.simulated;
        if self.prompt.teaches && counted && self.carried.is_none() {
            let bytes = self.prompt.bytes;
            told.tokens.learn(&endpoint.model, bytes, usage.prompt);
        }
    }
}
