//! Preferred speeds: which candidates miss them. Missing one moves an endpoint back; it never drops
//! it. Source: API contract, section 3.6.

use crate::order::Candidate;

/// The thresholds that somebody was measured for. One that nobody has figures for says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Thresholds {
    latency: bool,
    throughput: bool,
}

// === impl Thresholds ===

impl Thresholds {
    /// Looks through the survivors of every rule: who was dropped says nothing of those who were not.
    pub(crate) fn of(live: &[Candidate<'_>]) -> Self {
        Self {
            latency: live.iter().any(|candidate| candidate.known.fresh_latency),
            throughput: live
                .iter()
                .any(|candidate| candidate.known.fresh_throughput),
        }
    }

    /// Whether the candidate misses any given cutoff. Without figures it does.
    pub(crate) fn misses(self, candidate: &Candidate<'_>) -> bool {
        let known = &candidate.known;
        self.latency && known.slow || self.throughput && known.thin
    }
}
