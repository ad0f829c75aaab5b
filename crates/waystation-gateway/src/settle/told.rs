//! Who is told what a request used: the credential that it was made with, and the counter of tokens,
//! which learns from it. Nothing is decided by it here.

use std::sync::Arc;

use waystation_core::{Ask, Credentials, Modalities, TokenCounter, Tokens, Usage};

use super::{Record, Serving};

/// The prompt's size, as far as it is known before anybody counts it.
#[derive(Clone, Copy, Default)]
pub(super) struct Prompt {
    estimate: Tokens,
    at_least: Tokens,
    bytes: u64,
    /// What is counted of it says how the model counts: it is text alone, and leaves as it came.
    teaches: bool,
}

/// Those who are told.
pub(super) struct Told {
    credentials: Arc<dyn Credentials>,
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

    /// What the prompt is taken for where no upstream counts it. `plain` says that no plugin changes it.
    pub(crate) fn expect_prompt(&mut self, ask: &Ask, plain: bool) {
        self.prompt = Prompt {
            estimate: ask.prompt_estimate,
            at_least: ask.prompt_at_least,
            bytes: ask.prompt_bytes,
            teaches: plain && ask.input == Modalities::TEXT,
        };
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
