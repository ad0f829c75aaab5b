//! The record of one generation: what `/v1/generation` answers from.

use std::{any::Any, fmt, sync::Arc, time::Duration};

use crate::{
    Cost, EndpointId, ErrorType, FinishReason, GenerationId, JsonText, ModelId, RawJson, Spent,
    UnixMs, Usage, Usd,
};

/// What was served, to whom, by whom, and what it cost. Holds no prompt and no answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// The generation.
    pub id: GenerationId,
    /// The upstream's own id of the reply, as it stood there.
    pub upstream_id: Option<JsonText>,
    /// The request's id.
    pub request_id: Option<Arc<str>>,
    /// The stickiness key that was sent.
    pub session_id: Option<String>,
    /// When the request came.
    pub created: UnixMs,
    /// The client key's name; `None` without keys.
    pub key: Option<Arc<str>>,
    /// The model as the client spelled it.
    pub requested: String,
    /// The model that served; `None` when none did.
    pub model: Option<ModelId>,
    /// The endpoint that served.
    pub endpoint: Option<EndpointId>,
    /// Display name of the provider that served.
    pub provider: Option<Arc<str>>,
    /// The router id (`openrouter/auto`) that picked the model.
    pub router: Option<ModelId>,
    /// What that router said of its choice: candidates, their propensities, a hash of the prompt's
    /// figures. Nothing of the prompt.
    pub choice: Option<RawJson>,
    /// What the client thought of the answer; `None` as long as it has not said.
    pub feedback: Option<Feedback>,
    /// Whether the reply was streamed.
    pub streamed: bool,
    /// Whether the client went away before the end.
    pub cancelled: bool,
    /// How the reply ended.
    pub finish: Option<FinishReason>,
    /// The same in the upstream's word.
    pub native_finish: Option<JsonText>,
    /// Token counts.
    pub usage: Usage,
    /// What it cost by the endpoint's price, in parts; `None` is unknown, never zero.
    pub cost: Option<Cost>,
    /// What it cost in all: the upstream's own figure where that is what counts, else the sum of
    /// the parts. `None` is unknown.
    pub total: Option<Usd>,
    /// What plugins and tools of the gateway consumed: fees, searches, calls.
    pub spent: Spent,
    /// What a second attempt beside the one that served cost, at least; `None` when there was none.
    pub hedge_cost: Option<Usd>,
    /// The endpoints that began the answer and broke off, before the one that ended it; empty for
    /// every answer that came from one endpoint.
    pub continued_from: Vec<EndpointId>,
    /// The part of the total that those cost; `None` when there were none.
    pub continued_cost: Option<Usd>,
    /// From the request's arrival to the first content.
    pub latency: Option<Duration>,
    /// From the first content to the end.
    pub generation_time: Option<Duration>,
    /// Every attempt, in order.
    pub attempts: Vec<AttemptRecord>,
    /// How it failed, when it did.
    pub error: Option<ErrorType>,
    /// The seed of the plan.
    pub seed: u64,
    /// The decision record, from which the plan can be made again; `None` where there was none.
    pub decision: Option<Arc<dyn Decision>>,
    /// The app's address (`HTTP-Referer`).
    pub referer: Option<String>,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
    /// Whether the reply was simulated.
    pub simulated: bool,
}

/// What a plan came from, kept as it is until somebody reads it: most never are.
///
/// A ledger that keeps many of them may know some for what they are, and write those shorter.
pub trait Decision: Any + fmt::Debug + Send + Sync {
    /// The record as JSON.
    fn told(&self) -> RawJson;
}

/// One that is written already.
impl Decision for RawJson {
    fn told(&self) -> RawJson {
        self.clone()
    }
}

/// What a client thought of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Feedback {
    /// From 0, useless, to 1, as good as can be.
    pub score: f32,
    /// The client's own word for it.
    pub label: Option<String>,
    /// When it came.
    pub at: UnixMs,
    /// Whether the router learned from it.
    pub counted: bool,
}

/// One attempt, as the record keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRecord {
    /// Display name of the provider.
    pub provider: Arc<str>,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The HTTP status; `None` when none came.
    pub status: Option<u16>,
    /// How it failed; `None` when it served.
    pub error: Option<ErrorType>,
    /// How long it took.
    pub took: Duration,
}

// === impl Entry ===

impl Entry {
    /// A record that knows only its id, its time and what was asked for.
    #[must_use]
    pub fn new(id: GenerationId, created: UnixMs, requested: String) -> Self {
        Self {
            id,
            upstream_id: None,
            request_id: None,
            session_id: None,
            created,
            key: None,
            requested,
            model: None,
            endpoint: None,
            provider: None,
            router: None,
            choice: None,
            feedback: None,
            streamed: false,
            cancelled: false,
            finish: None,
            native_finish: None,
            usage: Usage::default(),
            cost: None,
            total: None,
            spent: Spent::default(),
            hedge_cost: None,
            continued_from: Vec::new(),
            continued_cost: None,
            latency: None,
            generation_time: None,
            attempts: Vec::new(),
            error: None,
            seed: 0,
            decision: None,
            referer: None,
            user_agent: None,
            simulated: false,
        }
    }
}
