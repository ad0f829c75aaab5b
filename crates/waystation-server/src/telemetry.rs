//! What becomes of every request's record: it is counted, told in one log line, and kept in the
//! ledger. Prompts, bodies and tool arguments are in no record and therefore in no log.

use std::sync::Arc;

use waystation_core::{Entry, Ledger, ModelRef};
use waystation_gateway::MemoryLedger;

use crate::metrics::Metrics;

/// The ledger that the gateway is given.
///
/// ```
/// use std::sync::Arc;
/// use waystation_core::{Entry, GenerationId, Ledger as _, UnixMs};
/// use waystation_gateway::MemoryLedger;
/// use waystation_server::{metrics::Metrics, telemetry::Telemetry};
///
/// let ledger = Arc::new(MemoryLedger::new(10));
/// let telemetry = Telemetry::new(Arc::clone(&ledger), Arc::new(Metrics::default()));
/// let entry = Entry::new(GenerationId::new(1, 2), UnixMs::new(1), "acme/fast".into());
/// let id = entry.id.clone();
/// telemetry.record(entry);
/// assert!(ledger.get(&id).is_some());
/// ```
#[derive(Debug)]
pub struct Telemetry {
    ledger: Arc<MemoryLedger>,
    metrics: Arc<Metrics>,
}

// === impl Telemetry ===

impl Telemetry {
    /// Counts in `metrics` what it hands on to `ledger`.
    #[must_use]
    pub const fn new(ledger: Arc<MemoryLedger>, metrics: Arc<Metrics>) -> Self {
        Self { ledger, metrics }
    }
}

impl Ledger for Telemetry {
    fn record(&self, entry: Entry) {
        self.metrics.count(&entry);
        log(&entry);
        self.ledger.record(entry);
    }
}

/// One line a request. Absent fields are unknown.
fn log(entry: &Entry) {
    let ms = |took: std::time::Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    // What the client wrote as its model is logged only where it is a model's name.
    let served = entry.model.as_ref().map(|model| model.as_str());
    let same = served.filter(|served| *served == &*entry.requested);
    let parsed = match same {
        Some(_) => None,
        None => entry.requested.parse::<ModelRef>().ok(),
    };
    let parsed = parsed.map(|model| model.to_string());
    let requested = same.or(parsed.as_deref());
    tracing::info!(
        generation = entry.id.as_str(),
        request = entry.request_id.as_deref(),
        key = entry.key.as_deref(),
        requested,
        model = served,
        endpoint = entry.endpoint.as_ref().map(|endpoint| endpoint.as_str()),
        router = entry.router.as_ref().map(|router| router.as_str()),
        attempts = entry.attempts.len(),
        streamed = entry.streamed,
        prompt_tokens = entry.usage.prompt.get(),
        completion_tokens = entry.usage.completion.get(),
        cost = entry
            .total
            .map(|total| (total + entry.spent.fee).to_string()),
        seed = entry.seed,
        finish = entry.finish.map(waystation_core::FinishReason::as_str),
        error = entry.error.map(waystation_core::ErrorType::as_str),
        cancelled = entry.cancelled,
        simulated = entry.simulated,
        latency_ms = entry.latency.map(ms),
        generation_ms = entry.generation_time.map(ms),
        "request"
    );
}
