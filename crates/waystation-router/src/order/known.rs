//! What is known of how an endpoint fared, as far as an order may ask: read once for every candidate. It
//! compares nobody with anybody.

use waystation_core::{Endpoint, Threshold};

use crate::{Measured, Percentiles, Recent, rules::Question};

/// What an order may ask of one candidate.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    /// Median seconds to the first token, of five minutes, a day or the catalogue.
    pub(crate) latency: Option<f64>,
    /// Median tokens per second, likewise.
    pub(crate) throughput: Option<f64>,
    /// The last five minutes have seconds to the first token.
    pub(crate) fresh_latency: bool,
    /// The last five minutes have tokens per second.
    pub(crate) fresh_throughput: bool,
    /// It misses `preferred_max_latency`; without figures it does.
    pub(crate) slow: bool,
    /// It misses `preferred_min_throughput`, likewise.
    pub(crate) thin: bool,
    /// Failing now.
    pub(crate) outage: bool,
    /// Answers that called tools.
    pub(crate) tools: Recent,
}

// === impl Known ===

impl Known {
    /// What the health of the world says of `endpoint`.
    pub(crate) fn of(question: &Question<'_>, endpoint: &Endpoint) -> Self {
        let (world, wishes) = (question.world, &question.ask.wishes);
        if world.health.is_empty() {
            return Self::default();
        }
        let found = world.health.of(&endpoint.id, world.now.tick);
        let measured = found.unwrap_or_default();
        Self {
            latency: measured.median_latency(),
            throughput: measured.median_throughput(),
            fresh_latency: measured.latency.is_some(),
            fresh_throughput: measured.throughput.is_some(),
            slow: slow(wishes.preferred_max_latency, &measured),
            thin: thin(wishes.preferred_min_throughput, &measured),
            outage: measured.outage(),
            tools: measured.tools,
        }
    }
}

/// Seconds to the first token, held against what is preferred.
fn slow(wish: Option<Threshold>, measured: &Measured) -> bool {
    let found = measured.latency.unwrap_or_default();
    wish.is_some_and(|cutoffs| !all(cutoffs, found, |found, cutoff| found <= cutoff))
}

/// Tokens per second, likewise.
fn thin(wish: Option<Threshold>, measured: &Measured) -> bool {
    let found = measured.throughput.unwrap_or_default();
    wish.is_some_and(|cutoffs| !all(cutoffs, found, |found, cutoff| found >= cutoff))
}

/// Whether every given cutoff holds. Source: API contract, section 3.6.
fn all(cutoffs: Threshold, found: Percentiles, holds: fn(f64, f64) -> bool) -> bool {
    [
        (cutoffs.p50, found.p50),
        (cutoffs.p75, found.p75),
        (cutoffs.p90, found.p90),
        (cutoffs.p99, found.p99),
    ]
    .into_iter()
    .all(|(cutoff, found)| {
        cutoff.is_none_or(|cutoff| found.is_some_and(|found| holds(found, cutoff)))
    })
}
