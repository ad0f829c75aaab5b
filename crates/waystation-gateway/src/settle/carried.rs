//! What endpoints gave of an answer before another one, or another step, went on: counted and charged
//! with what the last one gave. Who goes on is not decided here.

use waystation_core::{Cost, EndpointId, Entry, ErrorType, Tick, Tokens, Usage, Usd};

use super::{Record, Serving, Settled};

/// What endpoints gave of an answer before they broke off, and another one went on.
pub(super) struct Carried {
    /// The last of them.
    pub(super) serving: Serving,
    /// What all of them counted, or are taken for.
    usage: Usage,
    /// What they cost, in parts; `None` is unknown.
    cost: Option<Cost>,
    /// What they cost in all; `None` is unknown.
    total: Option<Usd>,
    /// When the answer began: the client's latency ends there, whoever goes on.
    pub(super) first_content: Option<Tick>,
}

// === impl Record ===

impl Record {
    /// The endpoint that serves has broken off, and another one is to go on: what it gave is kept, and
    /// counts as a stream that was broken off by the client would.
    pub(crate) fn broke_off(&mut self, kind: ErrorType) {
        if let Some((id, total)) = self.carry(Some(kind)) {
            self.note(|entry| {
                entry.continued_from.push(id);
                entry.continued_cost = total;
            });
        }
    }

    /// The endpoint that serves has ended its turn with calls of the gateway's tools: what it gave is
    /// kept, and the answer goes on in another step.
    pub(crate) fn step_done(&mut self) {
        self.carry(None);
    }

    /// Tokens and cost of what is carried; an unknown cost is `None`.
    pub(crate) fn used(&self) -> (Tokens, Option<Usd>) {
        let carried = self.carried.as_ref();
        let tokens = carried.map_or(Tokens::ZERO, |carried| carried.usage.sum());
        (tokens, carried.and_then(|carried| carried.total))
    }

    /// Carries what the endpoint that serves gave: says which one that was, and what all cost by now.
    fn carry(&mut self, error: Option<ErrorType>) -> Option<(EndpointId, Option<Usd>)> {
        let own = self.settled(None, false);
        let finish = self.entry.as_ref().and_then(|entry| entry.finish);
        let finish = finish.filter(|_| error.is_none());
        let now = self.around.clock.now().tick;
        self.measure((error, false), (&own.usage, finish), now);
        self.spent(&own.usage);
        let serving = self.serving.take()?;
        let attempt = self.attempt_of(&serving, (Some(200), error), now);
        let id = serving.endpoint.id.clone();
        let first_content = self.first_content.take();
        (self.usage, self.text_bytes) = (None, 0);
        let before = self.carried.take();
        let all = Self::together(before.as_deref(), own);
        self.note(|entry| entry.attempts.push(attempt));
        self.carried = Some(Box::new(Carried {
            serving,
            first_content: before.map_or(first_content, |before| before.first_content),
            usage: all.usage,
            cost: all.cost,
            total: all.total,
        }));
        Some((id, all.total))
    }

    /// How many attempts were made so far.
    pub(crate) fn made(&self) -> usize {
        self.entry.as_ref().map_or(0, |entry| entry.attempts.len())
    }

    /// What earlier endpoints gave, and what the last one did.
    fn together(before: Option<&Carried>, own: Settled) -> Settled {
        let Some(before) = before else { return own };
        let cost = before.cost.zip(own.cost).map(|(a, b)| Cost {
            prompt: a.prompt + b.prompt,
            completion: a.completion + b.completion,
        });
        Settled {
            usage: before.usage.and(&own.usage),
            cost,
            total: before.total.zip(own.total).map(|(a, b)| a + b),
            ..own
        }
    }

    /// What the last endpoint gave, and what those before it did. An answer that ends in an error costs
    /// nothing, whoever gave it.
    pub(super) fn with_carried(&self, own: Settled, failed: bool, entry: &mut Entry) -> Settled {
        let mut all = Self::together(self.carried.as_deref(), own);
        if self.carried.is_some() && self.serving.is_none() {
            // Nobody went on behind the last one.
            entry.continued_from.pop();
            if entry.continued_from.is_empty() {
                entry.continued_cost = None;
            }
        }
        if failed {
            (all.cost, all.total) = (Some(Cost::default()), Some(Usd::ZERO));
            entry.continued_cost = entry.continued_cost.map(|_| Usd::ZERO);
        }
        all.continued = entry.continued_cost;
        all
    }
}
