//! What a catalogue expects of an endpoint before anything was measured of it. It says how to stand in
//! for measurements; where the figures come from is the caller's.

use waystation_catalog::Speed;

use super::Measured;

/// Expected speeds of one endpoint. The default expects nothing.
///
/// They are compared like measured medians where neither the last five minutes nor the last day has
/// any. They meet no threshold, and an endpoint that has nothing else is still explored.
///
/// ```
/// use waystation_core::{EndpointId, Tick};
/// use waystation_router::{HealthTable, Prior};
///
/// let (table, endpoint): (_, EndpointId) = (HealthTable::default(), "acme/fast|a".parse()?);
/// let prior = Prior { latency_s: None, throughput_tps: Some(80.0) };
/// table.set_priors([(endpoint.clone(), prior)]);
/// let now = Tick::default();
/// let measured = table.view(now).of(&endpoint, now).ok_or("nothing is known")?;
/// assert_eq!(measured.median_throughput(), Some(80.0));
/// assert_eq!(measured.throughput, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Prior {
    /// Seconds to the first token.
    pub latency_s: Option<f64>,
    /// Answer tokens per second.
    pub throughput_tps: Option<f64>,
}

impl From<Speed> for Prior {
    fn from(said: Speed) -> Self {
        Self {
            latency_s: said.latency_s,
            throughput_tps: said.throughput_tps,
        }
    }
}

// === impl Prior ===

impl Prior {
    /// `measured`, with these figures where it has no estimate of its own.
    pub(super) fn behind(&self, measured: Measured) -> Measured {
        Measured {
            latency_estimate: measured.latency_estimate.or(self.latency_s),
            throughput_estimate: measured.throughput_estimate.or(self.throughput_tps),
            ..measured
        }
    }
}
