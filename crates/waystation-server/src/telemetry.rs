//! What becomes of every request's record: it is counted, told in one log line, and kept in the
//! ledger. Prompts, bodies and tool arguments are in no record and therefore in no log.

use std::{borrow::Cow, sync::Arc, time::Duration};

use tracing::Level;
use waystation_core::{
    EndpointId, Entry, ErrorType, FinishReason, Ledger, ModelId, ModelRef, ObjectWriter, Usd,
    write_number,
};
use waystation_gateway::MemoryLedger;

use crate::{log_line, metrics::Metrics};

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
/// telemetry.record(&entry);
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
    fn record(&self, entry: &Entry) {
        self.metrics.count(entry);
        log(entry);
        self.ledger.record(entry);
    }
}

/// One line a request. Absent fields are unknown.
///
/// The log of a gateway that serves is written in one pass, and any other is told by an event: the same
/// fields, in the same order.
fn log(entry: &Entry) {
    if log_line::is_the_log() {
        // Named, since a filter may ask for fields.
        let wanted = tracing::event_enabled!(
            Level::INFO,
            message,
            generation,
            request,
            key,
            requested,
            model,
            endpoint,
            router,
            attempts,
            streamed,
            prompt_tokens,
            completion_tokens,
            cost,
            seed,
            finish,
            error,
            cancelled,
            simulated,
            latency_ms,
            generation_ms
        );
        if wanted {
            log_line::write(Level::INFO, |line| write(entry, line));
        }
    } else {
        tell(entry);
    }
}

/// The model that the client wants, where it is a model's name: anything else that it wrote as one is
/// not logged.
fn requested(entry: &Entry) -> Option<Cow<'_, str>> {
    let served = entry.model.as_ref().map(|model| model.as_str());
    if let Some(same) = served.filter(|served| *served == &*entry.requested) {
        return Some(Cow::Borrowed(same));
    }
    let parsed = entry.requested.parse::<ModelRef>().ok();
    parsed.map(|model| Cow::Owned(model.to_string()))
}

/// What the request cost in all.
fn cost(entry: &Entry) -> Option<Usd> {
    entry.total.map(|total| total + entry.spent.fee)
}

fn ms(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// As an event.
fn tell(entry: &Entry) {
    tracing::info!(
        generation = entry.id.as_str(),
        request = entry.request_id.as_deref(),
        key = entry.key.as_deref(),
        requested = requested(entry).as_deref(),
        model = entry.model.as_ref().map(|model| model.as_str()),
        endpoint = entry.endpoint.as_ref().map(|endpoint| endpoint.as_str()),
        router = entry.router.as_ref().map(|router| router.as_str()),
        attempts = entry.attempts.len(),
        streamed = entry.streamed,
        prompt_tokens = entry.usage.prompt.get(),
        completion_tokens = entry.usage.completion.get(),
        cost = cost(entry).map(|cost| cost.to_string()),
        seed = entry.seed,
        finish = entry.finish.map(FinishReason::as_str),
        error = entry.error.map(ErrorType::as_str),
        cancelled = entry.cancelled,
        simulated = entry.simulated,
        latency_ms = entry.latency.map(ms),
        generation_ms = entry.generation_time.map(ms),
        "request"
    );
}

/// As the members of a line. Each brings what stands before its value.
fn write(entry: &Entry, line: &mut ObjectWriter<'_>) {
    let out = line.more();
    let before = r#","message":"request","generation":""#;
    plain(out, before, Some(entry.id.as_str()));
    // A client or an operator wrote these.
    for (name, written) in [("request", &entry.request_id), ("key", &entry.key)] {
        if let Some(written) = written {
            line.string(name, written);
        }
    }
    let out = line.more();
    let model = entry.model.as_ref().map(ModelId::as_str);
    plain(out, r#","requested":""#, requested(entry).as_deref());
    plain(out, r#","model":""#, model);
    let endpoint = entry.endpoint.as_ref().map(EndpointId::as_str);
    plain(out, r#","endpoint":""#, endpoint);
    let router = entry.router.as_ref().map(ModelId::as_str);
    plain(out, r#","router":""#, router);
    number(out, r#","attempts":"#, entry.attempts.len() as u64);
    flag(out, r#","streamed":"#, entry.streamed);
    number(out, r#","prompt_tokens":"#, entry.usage.prompt.get());
    number(
        out,
        r#","completion_tokens":"#,
        entry.usage.completion.get(),
    );
    if let Some(cost) = cost(entry) {
        out.extend_from_slice(br#","cost":""#);
        cost.write(out);
        out.push(b'"');
    }
    number(out, r#","seed":"#, entry.seed);
    plain(
        out,
        r#","finish":""#,
        entry.finish.map(FinishReason::as_str),
    );
    plain(out, r#","error":""#, entry.error.map(ErrorType::as_str));
    flag(out, r#","cancelled":"#, entry.cancelled);
    flag(out, r#","simulated":"#, entry.simulated);
    if let Some(took) = entry.latency {
        number(out, r#","latency_ms":"#, ms(took));
    }
    if let Some(took) = entry.generation_time {
        number(out, r#","generation_ms":"#, ms(took));
    }
    plain(out, r#","target":""#, Some(module_path!()));
}

/// A name that holds nothing to escape: the grammars of ids let no quote and no backslash in.
fn plain(out: &mut Vec<u8>, before: &str, name: Option<&str>) {
    if let Some(name) = name {
        out.extend_from_slice(before.as_bytes());
        out.extend_from_slice(name.as_bytes());
        out.push(b'"');
    }
}

fn number(out: &mut Vec<u8>, before: &str, count: u64) {
    out.extend_from_slice(before.as_bytes());
    write_number(count, out);
}

fn flag(out: &mut Vec<u8>, before: &str, set: bool) {
    out.extend_from_slice(before.as_bytes());
    let word: &[u8] = if set { b"true" } else { b"false" };
    out.extend_from_slice(word);
}

#[cfg(test)]
mod tests;
