//! Counters and histograms of what the gateway did, for Prometheus. Every label has a bound: models
//! and providers of the catalogue up to a limit, and fixed vocabularies; nothing that a client
//! wrote becomes a label. It reads no clock and keeps nothing per request, and no request waits until
//! another one is counted.

mod exposition;
mod histogram;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use waystation_core::{Absorb, AttemptRecord, Combiner, Entry, ErrorType, ModelId, Tokens, Usd};
use waystation_router::MAX_ENDPOINTS;

use crate::app::App;
use exposition::{Kind, Page};
use histogram::Histogram;

/// The most models that are counted apart, and the most providers: twice the bundled catalogue and
/// more, so that only a gateway that is reloaded with ever new names comes near it.
const MAX_NAMES: usize = 1_024;
/// Where those beyond are counted.
const OTHER: &str = "other";
/// As many requests may end while the counters are taken: far more than end while they are copied.
const LEFT: usize = 4_096;
/// What served nothing.
const NONE: &str = "none";

/// What was counted since the process began.
#[derive(Debug)]
pub struct Metrics {
    counts: Combiner<Counts, Entry>,
    whole: AtomicU64,
}

/// A whole reply under way; dropping it says that it has ended.
#[derive(Debug)]
#[must_use = "the reply counts as under way while this lives"]
pub struct UnderWay {
    metrics: Arc<Metrics>,
}

#[derive(Clone, Debug, Default)]
struct Counts {
    models: BTreeMap<Arc<str>, OfModel>,
    providers: BTreeMap<Arc<str>, OfProvider>,
}

/// Under the id of the model that served, or [`NONE`].
#[derive(Clone, Debug, Default)]
struct OfModel {
    /// By whether they were streamed, and by how they ended.
    requests: Vec<((bool, Outcome), u64)>,
    prompt: u64,
    completion: u64,
    cached: u64,
    reasoning: u64,
    cost: Usd,
    /// Requests whose cost is unknown.
    unknown_costs: u64,
}

/// Under the name of the provider that served, or [`NONE`].
#[derive(Clone, Debug, Default)]
struct OfProvider {
    attempts: Vec<(Outcome, u64)>,
    first_token: Histogram,
    duration: Histogram,
}

/// How a request or an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Ok,
    Cancelled,
    Failed(ErrorType),
}

// === impl Metrics ===

impl Metrics {
    /// Counts a request that has ended, or leaves it to whoever counts the next one.
    pub fn count(&self, entry: &Entry) {
        self.counts.note(entry);
    }

    /// A whole reply begins.
    pub fn begin(self: &Arc<Self>) -> UnderWay {
        self.whole.fetch_add(1, Ordering::Relaxed);
        UnderWay {
            metrics: Arc::clone(self),
        }
    }

    /// The counters as they are now: copying them takes less time than writing them.
    fn counted(&self) -> Counts {
        self.counts.read(|counts| counts.clone())
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            counts: Combiner::with_room(LEFT),
            whole: AtomicU64::new(0),
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.metrics.whole.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Lends `note` the counters under a name, or under [`OTHER`] when there are too many names.
fn count_under<C: Default>(all: &mut BTreeMap<Arc<str>, C>, name: &str, note: impl FnOnce(&mut C)) {
    // Nearly always they are there, and then no key is made of the name.
    if let Some(known) = all.get_mut(name) {
        return note(known);
    }
    let name = if all.len() < MAX_NAMES { name } else { OTHER };
    note(all.entry(name.into()).or_default());
}

/// From arrival to the end; of what failed, the time of its attempts.
fn duration(entry: &Entry) -> Duration {
    match (entry.latency, entry.generation_time) {
        (Some(latency), generation) => latency + generation.unwrap_or_default(),
        (None, _) => entry.attempts.iter().map(|attempt| attempt.took).sum(),
    }
}

/// Everything in Prometheus's text format 0.0.4. Linear in the number of endpoints.
///
/// Source: <https://prometheus.io/docs/instrumenting/exposition_formats/> (2026-11).
#[must_use]
pub fn text(app: &App) -> String {
    let mut page = Page::default();
    let snapshot = app.gateway().snapshot();
    page.family(
        "waystation_build_info",
        Kind::Gauge,
        "The version, and the date of the catalogue.",
    );
    let labels = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("catalog", snapshot.catalog.version()),
    ];
    page.sample("", &labels, 1);
    page.family(
        "waystation_simulated",
        Kind::Gauge,
        "1 while upstreams are simulated.",
    );
    page.sample("", &[], u8::from(snapshot.settings.simulated));
    app.metrics().write(&mut page);
    write_under_way(app, &mut page);
    write_tables(app, &mut page);
    write_breakers(app, &mut page);
    page.into_text()
}

fn write_under_way(app: &App, page: &mut Page) {
    let (requests, most) = app.under_way();
    let whole = app.metrics().whole.load(Ordering::Relaxed);
    page.family("waystation_in_flight", Kind::Gauge, "Replies under way.");
    let streams = usize::try_from(whole).map_or(0, |whole| requests.saturating_sub(whole));
    page.sample("", &[("kind", "stream")], streams);
    page.sample("", &[("kind", "whole")], whole);
    page.family(
        "waystation_streams_max",
        Kind::Gauge,
        "Chat requests, streamed or whole, that may be under way at once.",
    );
    page.sample("", &[], most);
}

fn write_tables(app: &App, page: &mut Page) {
    let (entries, most) = app.ledger().size();
    let (learned, most_learned) = app.learned().size();
    let names = |counts: &mut Counts| (counts.models.len(), counts.providers.len());
    let (models, providers) = app.metrics().counts.read(names);
    let tables = [
        ("ledger", entries, most),
        ("health", app.gateway().health().len(), MAX_ENDPOINTS),
        ("feedback", learned, most_learned),
        ("metrics_models", models, MAX_NAMES),
        ("metrics_providers", providers, MAX_NAMES),
    ];
    page.family(
        "waystation_table_entries",
        Kind::Gauge,
        "Entries of tables that are bounded.",
    );
    for (table, entries, _) in tables {
        page.sample("", &[("table", table)], entries);
    }
    page.family(
        "waystation_table_limit",
        Kind::Gauge,
        "Where the oldest entries give way.",
    );
    for (table, _, most) in tables {
        page.sample("", &[("table", table)], most);
    }
}

/// The breakers of endpoints that something is known of.
fn write_breakers(app: &App, page: &mut Page) {
    let (snapshot, now) = (
        app.gateway().snapshot(),
        app.gateway().parts().clock.now().tick,
    );
    let health = app.gateway().health().view(now);
    page.family(
        "waystation_breaker_open",
        Kind::Gauge,
        "1 while an endpoint gets no requests.",
    );
    if health.is_empty() {
        return;
    }
    for endpoint in snapshot.catalog.models().flat_map(|model| &model.endpoints) {
        if let Some(measured) = health.of(&endpoint.id, now) {
            let labels = [
                ("model", endpoint.model.as_str()),
                ("endpoint", endpoint.tag.as_str()),
            ];
            page.sample("", &labels, u8::from(measured.open));
        }
    }
}

impl Metrics {
    fn write(&self, page: &mut Page) {
        let counts = self.counted();
        counts.write_requests(page);
        counts.write_money(page);
        counts.write_providers(page);
    }
}

// === impl Outcome ===

impl Outcome {
    const fn of(entry: &Entry) -> Self {
        match entry.error {
            Some(error) => Self::Failed(error),
            None if entry.cancelled => Self::Cancelled,
            None => Self::Ok,
        }
    }

    fn of_attempt(attempt: &AttemptRecord) -> Self {
        attempt.error.map_or(Self::Ok, Self::Failed)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Cancelled => "cancelled",
            Self::Failed(error) => error.as_str(),
        }
    }
}

/// One more of these: there are few kinds, and most are of the first.
fn tally<K: PartialEq>(all: &mut Vec<(K, u64)>, kind: K) {
    match all.iter_mut().find(|(known, _)| *known == kind) {
        Some((_, count)) => *count += 1,
        None => all.push((kind, 1)),
    }
}

// === impl OfModel ===

impl OfModel {
    fn count(&mut self, entry: &Entry) {
        tally(&mut self.requests, (entry.streamed, Outcome::of(entry)));
        let usage = &entry.usage;
        let count = |part: Option<Tokens>| part.unwrap_or_default().get();
        self.prompt = self.prompt.saturating_add(usage.prompt.get());
        self.completion = self.completion.saturating_add(usage.completion.get());
        self.cached = self.cached.saturating_add(count(usage.cached));
        self.reasoning = self.reasoning.saturating_add(count(usage.reasoning));
        match entry.total {
            Some(total) => self.cost = self.cost + total + entry.spent.fee,
            // What nobody served cost nothing.
            None if entry.model.is_none() => {}
            None => self.unknown_costs += 1,
        }
    }
}

// === impl Counts ===

impl Absorb<Entry> for Counts {
    fn absorb(&mut self, entry: &Entry) {
        let model = entry.model.as_ref().map_or(NONE, ModelId::as_str);
        count_under(&mut self.models, model, |of| of.count(entry));
        let provider = entry.provider.as_deref().unwrap_or(NONE);
        let (last, others) = match entry.attempts.split_last() {
            Some((last, others)) if *last.provider == *provider => (Some(last), others),
            _ => (None, &*entry.attempts),
        };
        let count = |of: &mut OfProvider, attempt| {
            tally(&mut of.attempts, Outcome::of_attempt(attempt));
        };
        for attempt in others {
            count_under(&mut self.providers, &attempt.provider, |of| {
                count(of, attempt)
            });
        }
        count_under(&mut self.providers, provider, |of| {
            // The last attempt is looked up with it: nearly always it is the only one.
            if let Some(last) = last {
                count(of, last);
            }
            of.duration.add(duration(entry));
            // A whole reply shows its first token and its last at once.
            if let Some(latency) = entry.latency.filter(|_| entry.streamed) {
                of.first_token.add(latency);
            }
        });
    }
}

impl Counts {
    fn write_requests(&self, page: &mut Page) {
        let help = "Requests by the model that served, and by how they ended.";
        page.family("waystation_requests_total", Kind::Counter, help);
        for (model, of) in &self.models {
            for ((streamed, outcome), count) in &of.requests {
                let streamed = if *streamed { "true" } else { "false" };
                let labels = [
                    ("model", &**model),
                    ("streamed", streamed),
                    ("outcome", outcome.as_str()),
                ];
                page.sample("", &labels, count);
            }
        }
        let help = "Tokens; cached ones are part of the prompt's, reasoning of the completion's.";
        page.family("waystation_tokens_total", Kind::Counter, help);
        for (model, of) in &self.models {
            let kinds = [
                ("prompt", of.prompt),
                ("completion", of.completion),
                ("cached", of.cached),
                ("reasoning", of.reasoning),
            ];
            for (kind, count) in kinds {
                page.sample("", &[("model", model), ("kind", kind)], count);
            }
        }
    }

    fn write_money(&self, page: &mut Page) {
        let help = "What requests cost in US dollars, where it is known.";
        page.family("waystation_cost_usd_total", Kind::Counter, help);
        for (model, of) in &self.models {
            page.sample("", &[("model", model)], of.cost);
        }
        let help = "Requests that were served at an unknown price.";
        page.family("waystation_cost_unknown_total", Kind::Counter, help);
        for (model, of) in &self.models {
            page.sample("", &[("model", model)], of.unknown_costs);
        }
    }

    fn write_providers(&self, page: &mut Page) {
        let help = "Attempts by provider and by how they ended.";
        page.family("waystation_attempts_total", Kind::Counter, help);
        for (provider, of) in &self.providers {
            for (outcome, count) in &of.attempts {
                let labels = [("provider", &**provider), ("outcome", outcome.as_str())];
                page.sample("", &labels, count);
            }
        }
        let help = "From a streamed request's arrival to its first content.";
        page.family(
            "waystation_time_to_first_token_seconds",
            Kind::Histogram,
            help,
        );
        for (provider, of) in &self.providers {
            of.first_token.write(("provider", provider), page);
        }
        let help = "From a request's arrival to its end.";
        page.family("waystation_request_duration_seconds", Kind::Histogram, help);
        for (provider, of) in &self.providers {
            of.duration.write(("provider", provider), page);
        }
    }
}

#[cfg(test)]
mod tests {
    use waystation_core::{AttemptRecord, GenerationId, ModelId, UnixMs};

    use super::*;

    fn entry(model: Option<&str>) -> Entry {
        let mut entry = Entry::new(GenerationId::new(1, 1), UnixMs::new(1), "x".into());
        entry.model = model.map(|model| model.parse::<ModelId>().unwrap());
        entry
    }

    fn page(metrics: &Metrics) -> String {
        let mut page = Page::default();
        metrics.write(&mut page);
        page.into_text()
    }

    #[test]
    fn a_request_is_counted_by_model_provider_and_outcome() {
        let metrics = Metrics::default();
        let mut served = entry(Some("acme/fast"));
        served.streamed = true;
        served.usage.prompt = Tokens::new(7);
        served.total = Some(Usd::from_femtos(1_500_000_000));
        served.latency = Some(Duration::from_millis(80));
        served.generation_time = Some(Duration::from_millis(170));
        served.provider = Some("B".into());
        let attempt = |provider: &str, error| AttemptRecord {
            provider: provider.into(),
            endpoint: "acme/fast|x".parse().unwrap(),
            status: None,
            error,
            took: Duration::ZERO,
        };
        served.attempts = vec![
            attempt("A", Some(ErrorType::RateLimitExceeded)),
            attempt("B", None),
        ];
        metrics.count(&served);
        let text = page(&metrics);
        for line in [
            r#"waystation_requests_total{model="acme/fast",streamed="true",outcome="ok"} 1"#,
            r#"waystation_attempts_total{provider="A",outcome="rate_limit_exceeded"} 1"#,
            r#"waystation_attempts_total{provider="B",outcome="ok"} 1"#,
            r#"waystation_tokens_total{model="acme/fast",kind="prompt"} 7"#,
            r#"waystation_cost_usd_total{model="acme/fast"} 0.0000015"#,
            r#"waystation_time_to_first_token_seconds_bucket{provider="B",le="0.1"} 1"#,
            r#"waystation_request_duration_seconds_sum{provider="B"} 0.250000"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn names_beyond_the_limit_are_counted_together() {
        let metrics = Metrics::default();
        for number in 0..=MAX_NAMES + 5 {
            metrics.count(&entry(Some(&format!("acme/m{number}"))));
        }
        assert_eq!(metrics.counted().models.len(), MAX_NAMES + 1);
        let other = r#"waystation_requests_total{model="other",streamed="false",outcome="ok"} 6"#;
        assert!(page(&metrics).lines().any(|line| line == other));
    }

    /// This thread has the counters: waiting for them would never end.
    #[test]
    fn a_request_that_ends_while_the_counters_are_taken_is_counted_later() {
        let metrics = Metrics::default();
        metrics.counts.read(|counts| {
            metrics.count(&entry(Some("acme/fast")));
            assert!(counts.models.is_empty());
        });
        let line =
            r#"waystation_requests_total{model="acme/fast",streamed="false",outcome="ok"} 1"#;
        assert!(page(&metrics).lines().any(|found| found == line));
    }

    #[test]
    fn a_whole_reply_is_under_way_until_it_is_dropped() {
        let metrics = Arc::new(Metrics::default());
        let under_way = metrics.begin();
        assert_eq!(metrics.whole.load(Ordering::Relaxed), 1);
        drop(under_way);
        assert_eq!(metrics.whole.load(Ordering::Relaxed), 0);
    }
}
