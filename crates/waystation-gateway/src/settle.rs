//! Settling: usage × price → one [`Entry`], whatever way the request ends.
//!
//! A [`Record`] is opened when a request arrives and settles exactly once. Dropping it unsettled is
//! what a client that goes away looks like: the entry then says `cancelled`, with what the upstream
//! reported or an estimate, never zero.

mod carried;
mod told;

use std::{sync::Arc, time::Duration};

use waystation_catalog::SharedEndpoint;
use waystation_core::{
    Ask, AttemptRecord, ChatEvent, ChatRequest, Cost, CredentialId, Delta, Endpoint, Entry,
    ErrorType, Finish, FinishReason, GenerationId, Now, Seed, Spent, Tick, Tokens, UnixMs, Usage,
    Usd,
};

use waystation_router::{Conversation, Outcome, ProbeGuard};

use crate::{Snapshot, calls::ToolCalls, error::AttemptReport};
use carried::Carried;
pub(crate) use told::Around;
use told::Prompt;

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Settled {
    /// Token counts, reported or estimated.
    pub usage: Usage,
    /// The parts of the cost by the endpoint's price; `None` is unknown.
    pub cost: Option<Cost>,
    /// The cost in all; `None` is unknown, never zero.
    pub total: Option<Usd>,
    /// From the first content to the end.
    pub generation_time: Option<Duration>,
    /// What a second attempt beside the one that served cost, at least; `None` when there was none.
    pub hedge: Option<Usd>,
    /// The part of the total that endpoints cost which began the answer and broke off; `None` when
    /// one endpoint gave all of it.
    pub continued: Option<Usd>,
    /// What plugins and tools of the gateway consumed beside that.
    pub spent: Spent,
}

/// One request's record while it runs.
///
/// Lives on the heap: it goes with the request from the plan to the last byte of the reply, and is too
/// large to be moved each time.
pub(crate) struct Record {
    around: Arc<Around>,
    snapshot: Arc<Snapshot>,
    id: GenerationId,
    created: UnixMs,
    seed: Seed,
    streamed: bool,
    /// Taken when the record settles. On the heap by itself: one piece as large as both costs an
    /// allocator more than two.
    entry: Option<Box<Entry>>,
    arrived: Tick,
    prompt: Prompt,
    simulated: bool,
    serving: Option<Serving>,
    usage: Option<Usage>,
    text_bytes: usize,
    first_content: Option<Tick>,
    /// Held while the attempt under way is the one probe of a failing endpoint.
    probe: Option<ProbeGuard>,
    /// The conversation that the request belongs to.
    pub(crate) conversation: Option<Conversation>,
    /// The tool calls of the answer.
    calls: ToolCalls,
    /// The parts of the answer that are there already.
    carried: Option<Box<Carried>>,
}

/// The attempt under way.
struct Serving {
    /// Where.
    endpoint: SharedEndpoint,
    /// The provider's display name.
    provider: Arc<str>,
    /// When it began, for its time to the first token.
    started: Tick,
    /// What it is made with.
    credential: CredentialId,
}

/// Bytes of text that one token is taken for where no count was reported: 4 in English prose, less
/// in code and other scripts (`waystation-tokens` has the measured figures).
pub(crate) const BYTES_PER_TOKEN: usize = 4;

// === impl Record ===

impl Record {
    /// Opens the record of a request that has just arrived.
    pub(crate) fn open(
        (entry, arrived): (Box<Entry>, Tick),
        around: &Arc<Around>,
        snapshot: &Arc<Snapshot>,
        conversation: Option<Conversation>,
    ) -> Box<Self> {
        Box::new(Self {
            around: Arc::clone(around),
            snapshot: Arc::clone(snapshot),
            id: entry.id.clone(),
            created: entry.created,
            seed: Seed::new(entry.seed),
            streamed: entry.streamed,
            entry: Some(entry),
            arrived,
            prompt: Prompt::default(),
            simulated: snapshot.settings.simulated,
            serving: None,
            usage: None,
            text_bytes: 0,
            first_content: None,
            probe: None,
            conversation,
            calls: ToolCalls::default(),
            carried: None,
        })
    }

    /// The attempts that have failed so far.
    pub(crate) fn attempts(&self) -> Vec<AttemptRecord> {
        let entry = self.entry.as_ref();
        entry
            .map(|entry| entry.attempts.clone())
            .unwrap_or_default()
    }

    /// Judges the tool calls of answers to `chat`.
    pub(crate) fn watch(&mut self, chat: &ChatRequest) {
        self.calls = ToolCalls::of(chat);
    }

    /// The gateway offers these functions beside those of the client.
    pub(crate) fn offer<'n>(&mut self, names: impl Iterator<Item = &'n str>) {
        self.calls.offer(names);
    }

    /// Puts into `ask` where the conversation was served before, as it was known when the request came.
    pub(crate) fn recall(&self, ask: &mut Ask) {
        if let Some(conversation) = &self.conversation {
            self.around.sticky.ask(conversation, ask, self.arrived);
        }
    }

    /// Changes the entry, as long as it is open.
    pub(crate) fn note(&mut self, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = &mut self.entry {
            change(entry);
        }
    }

    /// The generation's id.
    pub(crate) fn id(&self) -> GenerationId {
        self.id.clone()
    }

    /// When the request came, by the wall.
    pub(crate) const fn created(&self) -> UnixMs {
        self.created
    }

    /// The seed of its plan.
    pub(crate) const fn seed(&self) -> Seed {
        self.seed
    }

    /// When the request came, by both clocks.
    pub(crate) const fn came(&self) -> Now {
        Now {
            tick: self.arrived,
            unix: self.created,
        }
    }

    /// When the request came, by the clock that deadlines use.
    pub(crate) const fn arrived(&self) -> Tick {
        self.arrived
    }

    /// An attempt began at `started` with a credential: from there on the prompt counts.
    pub(crate) fn attempt(
        &mut self,
        endpoint: &SharedEndpoint,
        provider: &Arc<str>,
        (credential, started): (&CredentialId, Tick),
    ) {
        self.serving = Some(Serving {
            endpoint: endpoint.clone(),
            provider: Arc::clone(provider),
            started,
            credential: credential.clone(),
        });
        (self.usage, self.text_bytes, self.first_content) = (None, 0, None);
        self.calls.restart();
    }

    /// The attempts that follow probe an endpoint, or none.
    pub(crate) fn probe(&mut self, guard: Option<ProbeGuard>) {
        self.probe = guard;
    }

    /// The attempt under way has failed before anything was committed.
    pub(crate) fn attempt_failed(&mut self, report: &AttemptReport) {
        self.serving = None;
        let record = report.record();
        self.note(|entry| entry.attempts.push(record));
    }

    /// An attempt is let go because another one was faster. It is charged for the prompt, which its
    /// provider has read; of what it had thought up nothing is known.
    pub(crate) fn beaten(&mut self, endpoint: &Endpoint, provider: &Arc<str>, started: Tick) {
        let mut usage = Usage::default();
        usage.prompt = self.prompt.estimate();
        let cost = self.cost(endpoint, &usage).map(|cost| cost.total());
        let cost = if self.simulated {
            Some(Usd::ZERO)
        } else {
            cost
        };
        let attempt = AttemptRecord {
            provider: Arc::clone(provider),
            endpoint: endpoint.id.clone(),
            status: None,
            error: Some(ErrorType::Timeout),
            took: self.around.clock.now().tick.since(started),
        };
        self.note(|entry| {
            entry.attempts.push(attempt);
            entry.hedge_cost = cost.map(|cost| cost + entry.hedge_cost.unwrap_or_default());
        });
    }

    /// The attempt that was under way until `now`.
    fn attempt_of(
        &self,
        serving: &Serving,
        (status, error): (Option<u16>, Option<ErrorType>),
        now: Tick,
    ) -> AttemptRecord {
        AttemptRecord {
            provider: Arc::clone(&serving.provider),
            endpoint: serving.endpoint.id.clone(),
            status,
            error,
            took: now.since(serving.started),
        }
    }

    /// Takes notice of an event on its way to the client.
    pub(crate) fn see(&mut self, event: &ChatEvent) {
        match event {
            ChatEvent::Delta(delta) => {
                if self.first_content.is_none() && delta.is_content() {
                    self.first_content = Some(self.around.clock.now().tick);
                }
                self.text_bytes += text_bytes(delta);
                self.calls.see(delta);
            }
            ChatEvent::Start(start) => {
                self.note(|entry| entry.upstream_id.clone_from(&start.id));
            }
            ChatEvent::Finish(Finish {
                reason,
                native,
                choice,
            }) => {
                self.note(|entry| {
                    if *choice == 0 || entry.finish.is_none() {
                        (entry.finish, entry.native_finish) = (Some(*reason), native.clone());
                    }
                });
            }
            ChatEvent::Usage(usage) => self.usage = Some((**usage).clone()),
            _ => {}
        }
    }

    /// Plugins and tools of the gateway have spent so much by now. What is simulated has no fee.
    pub(crate) fn paid(&mut self, spent: Spent) {
        let simulated = self.simulated;
        self.note(|entry| {
            entry.spent = spent;
            entry.spent.fee = if simulated { Usd::ZERO } else { spent.fee };
        });
    }

    /// Takes the counts of a reply that is broken off. Where its answer was not counted yet, what came
    /// of it is known by its bytes.
    pub(crate) fn reported(&mut self, mut usage: Usage) {
        if usage.estimated {
            usage.completion = usage.completion.max(self.estimate().completion);
        }
        self.usage = Some(usage);
    }

    /// From the request's arrival to the first content, and from there to `now`.
    fn times(&self, now: Tick) -> (Option<Duration>, Option<Duration>) {
        let carried = self.carried.as_ref();
        let first = carried.map_or(self.first_content, |carried| carried.first_content);
        let latency = first.map(|first| first.since(self.arrived));
        (latency, first.map(|first| now.since(first)))
    }

    /// The reply is complete.
    pub(crate) fn complete(&mut self) -> Settled {
        self.settle(None, false)
    }

    /// The request has failed, before or after its commitment.
    pub(crate) fn fail(&mut self, kind: ErrorType) -> Settled {
        self.settle(Some(kind), false)
    }

    /// Closes the record: usage and cost as they stand, one entry to the ledger, one outcome to the
    /// health table. A record that is closed stays as it is.
    fn settle(&mut self, error: Option<ErrorType>, cancelled: bool) -> Settled {
        let Some(mut entry) = self.entry.take() else {
            return Settled {
                usage: Usage::default(),
                cost: None,
                total: None,
                ..Settled::default()
            };
        };
        let now = self.end();
        let own = self.settled(entry.finish, error.is_some());
        let finish = entry.finish.filter(|_| error.is_none() && !cancelled);
        self.measure((error, cancelled), (&own.usage, finish), now);
        self.spent(&own.usage);
        let failed = error.is_some() || entry.finish == Some(FinishReason::Error);
        let mut settled = self.with_carried(own, failed, &mut entry);
        (entry.latency, entry.generation_time) = self.times(now);
        settled.generation_time = entry.generation_time;
        settled.hedge = entry.hedge_cost;
        settled.spent = entry.spent;
        if let Some(serving) = &self.serving {
            let status = error.is_none().then_some(200);
            let attempt = self.attempt_of(serving, (status, error), now);
            entry.attempts.push(attempt);
        }
        // Where nobody went on with an answer, who began it served.
        let began = self.carried.as_ref().map(|carried| &carried.serving);
        if let Some(serving) = self.serving.as_ref().or(began) {
            entry.model = Some(serving.endpoint.model.clone());
            entry.endpoint = Some(serving.endpoint.id.clone());
            entry.provider = Some(Arc::clone(&serving.provider));
        }
        self.remember(finish, &settled.usage, now);
        entry.usage = settled.usage.clone();
        entry.cost = settled.cost;
        entry.total = settled.total;
        entry.error = error;
        entry.cancelled = cancelled;
        entry.simulated = self.simulated;
        self.around.ledger.record(&entry);
        settled
    }

    /// When the request ends, which is now. A whole reply shows its first token and its last at once: the
    /// clock is not asked a second time.
    fn end(&self) -> Tick {
        let whole = !self.streamed && self.carried.is_none();
        let read = self.first_content.filter(|_| whole);
        read.unwrap_or_else(|| self.around.clock.now().tick)
    }

    /// Tells the health table how the attempt that served ended. One that the client broke off says
    /// nothing of the endpoint's success, but its first token was measured.
    fn measure(
        &self,
        (error, cancelled): (Option<ErrorType>, bool),
        (usage, finish): (&Usage, Option<FinishReason>),
        now: Tick,
    ) {
        let Some(serving) = &self.serving else { return };
        if cancelled && self.first_content.is_none() {
            return;
        }
        let mut outcome = match error {
            Some(kind) => Outcome::failed(kind, now),
            None => Outcome::served(now),
        };
        outcome.tools = self.calls.verdict(finish);
        // A whole reply shows its first token and its last at once.
        if self.streamed {
            outcome.ttft = self.first_content.map(|first| first.since(serving.started));
        }
        if error.is_none() && !cancelled && self.streamed {
            let took = self
                .first_content
                .map(|first| now.since(first))
                .unwrap_or_default();
            outcome.tokens_per_s = Outcome::speed(usage.completion, took);
        }
        self.around.health.record(&serving.endpoint.id, outcome);
    }

    /// Remembers where the conversation was served, after a success.
    fn remember(&self, finish: Option<FinishReason>, usage: &Usage, now: Tick) {
        let well = finish.is_some_and(|finish| finish != FinishReason::Error);
        if let (Some(conversation), Some(serving), true) = (&self.conversation, &self.serving, well)
        {
            let table = &self.around.sticky;
            table.served(conversation, &serving.endpoint, usage, now);
        }
    }

    /// Usage and cost as they stand.
    ///
    /// Nothing was asked, or upstreams are simulated: the cost is zero. The reply ended in an error, or
    /// was none: likewise. Otherwise it is the upstream's own figure where that is what counts
    /// (aggregators), else usage times price; without a price it is unknown.
    fn settled(&self, finish: Option<FinishReason>, failed: bool) -> Settled {
        let Some(serving) = &self.serving else {
            return Settled {
                usage: Usage::default(),
                cost: None,
                total: Some(Usd::ZERO),
                ..Settled::default()
            };
        };
        let usage = self.counted();
        if self.simulated {
            return Settled {
                usage,
                cost: Some(Cost::default()),
                total: Some(Usd::ZERO),
                ..Settled::default()
            };
        }
        // An answer that ended in an error, the provider's or one on the way, costs nothing: API
        // contract, section 9.1, "zero-completion insurance". Its tokens are told all the same.
        if failed || finish == Some(FinishReason::Error) {
            return Settled {
                usage,
                cost: Some(Cost::default()),
                total: Some(Usd::ZERO),
                ..Settled::default()
            };
        }
        let cost = self.cost(&serving.endpoint, &usage);
        let reported = usage
            .upstream_cost
            .filter(|_| serving.endpoint.billed_by_upstream);
        Settled {
            total: reported.or_else(|| cost.map(|cost| cost.total())),
            cost,
            usage,
            ..Settled::default()
        }
    }

    /// What was consumed, where nobody counted: the prompt as it was estimated for routing, the answer
    /// by its bytes. Never zero for the prompt, which was sent.
    fn estimate(&self) -> Usage {
        let completion =
            u64::try_from(self.text_bytes.div_ceil(BYTES_PER_TOKEN)).unwrap_or(u64::MAX);
        let mut usage = Usage::default();
        let serving = self.serving.as_ref();
        usage.prompt =
            serving.map_or_else(|| self.prompt.estimate(), |serving| self.prompt_at(serving));
        usage.completion = Tokens::new(completion);
        usage.estimated = true;
        usage
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.entry.is_some() {
            self.settle(None, true);
        }
    }
}

/// Bytes of text that the model wrote: content, reasoning, refusal, arguments of calls.
fn text_bytes(delta: &Delta) -> usize {
    let text =
        |text: Option<&waystation_core::JsonText>| text.map_or(0, waystation_core::JsonText::len);
    let calls: usize = delta
        .tool_calls
        .iter()
        .map(|call| call.arguments.len())
        .sum();
    text(delta.content.as_ref())
        + text(delta.reasoning.as_ref())
        + text(delta.refusal.as_deref())
        + calls
}
