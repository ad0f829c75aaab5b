//! Preferred speeds: which candidates miss them. Missing one moves an endpoint back; it never drops
//! it. Source: API contract, section 3.6.

use waystation_core::{Ask, Threshold};

use crate::{Measured, Percentiles, order::Candidate};

/// The thresholds that somebody was measured for. One that nobody has figures for says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Thresholds {
    max_latency: Option<Threshold>,
    min_throughput: Option<Threshold>,
}

// === impl Thresholds ===

impl Thresholds {
    pub(crate) fn of(ask: &Ask, live: &[Candidate<'_>]) -> Self {
        let somebody = |has: fn(&Measured) -> bool| {
            live.iter()
                .any(|candidate| candidate.measured.as_deref().is_some_and(has))
        };
        let (latency, throughput) = (
            ask.wishes.preferred_max_latency,
            ask.wishes.preferred_min_throughput,
        );
        Self {
            max_latency: latency.filter(|_| somebody(|m| m.latency.is_some())),
            min_throughput: throughput.filter(|_| somebody(|m| m.throughput.is_some())),
        }
    }

    /// Whether the candidate misses any given cutoff. Without figures it does.
    pub(crate) fn misses(&self, candidate: &Candidate<'_>) -> bool {
        let measured = candidate.measured.as_deref().copied().unwrap_or_default();
        let latency = measured.latency.unwrap_or_default();
        let throughput = measured.throughput.unwrap_or_default();
        let slow = self
            .max_latency
            .is_some_and(|cutoffs| !all(cutoffs, latency, |found, cutoff| found <= cutoff));
        let thin = self
            .min_throughput
            .is_some_and(|cutoffs| !all(cutoffs, throughput, |found, cutoff| found >= cutoff));
        slow || thin
    }
}

/// Whether every given cutoff holds.
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
