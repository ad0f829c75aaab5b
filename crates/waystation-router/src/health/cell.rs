//! What is kept of every endpoint, and how an outcome changes it. Who may look at it, and when, is the
//! table's to say.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use waystation_core::{Absorb, EndpointId, Tick};

use super::{
    HealthView, MAX_ENDPOINTS, Outcome, Prior, Recent,
    breaker::Breaker,
    circuit::{Circuit, Circuits},
    row::Row,
    window::{Recently, Speeds},
};

/// An attempt at an endpoint has ended.
pub(super) type Event = (EndpointId, Outcome);

/// Everything that was measured.
#[derive(Debug, Default)]
pub(super) struct Cells {
    /// Ids are the catalogue's, never a client's, so a hash for speed will do, here and in views.
    cells: FxHashMap<EndpointId, Box<Cell>>,
    /// What is expected of endpoints that nothing was measured of.
    pub(super) priors: Arc<FxHashMap<EndpointId, Prior>>,
    /// Where requests see the breakers.
    pub(super) circuits: Arc<Circuits>,
}

/// What is remembered of one endpoint: a fixed size, whatever the traffic.
#[derive(Debug, Default)]
pub(super) struct Cell {
    /// Outcomes of the last 30 seconds.
    pub(super) recently: Recently,
    /// Seconds to the first token.
    pub(super) latency: Speeds,
    /// Tokens per second after it.
    pub(super) throughput: Speeds,
    /// Answers that called tools, and those of them whose calls could not be made.
    pub(super) tools: Recent,
    pub(super) breaker: Breaker,
    /// From the first time that the breaker opened.
    circuit: Option<Arc<Circuit>>,
    /// When the last attempt ended.
    last: Tick,
}

// === impl Cells ===

impl Absorb<Event> for Cells {
    fn absorb(&mut self, (endpoint, outcome): &Event) {
        if let Some(cell) = self.cells.get_mut(endpoint) {
            return cell.absorb(outcome, endpoint, &self.circuits);
        }
        self.make_room(outcome.at);
        let cell = self.cells.entry(endpoint.clone()).or_default();
        cell.absorb(outcome, endpoint, &self.circuits);
    }
}

impl Cells {
    /// How many endpoints are remembered.
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// Seconds after which nearly every first token of this endpoint was there.
    pub(super) fn tail(&self, endpoint: &EndpointId, now: Tick) -> Option<f64> {
        self.cells.get(endpoint)?.latency.lately(now).tail()
    }

    /// A snapshot.
    pub(super) fn view(&self, now: Tick) -> HealthView {
        let rows = self.cells.iter();
        HealthView {
            rows: rows
                .map(|(id, cell)| (id.clone(), Row::of(cell, now)))
                .collect(),
            priors: Arc::clone(&self.priors),
            taken: Some(now),
        }
    }

    /// Forgets the endpoint that was quiet for longest, when there is no room for one more.
    fn make_room(&mut self, now: Tick) {
        if self.cells.len() < MAX_ENDPOINTS {
            return;
        }
        let quietest = self
            .cells
            .iter()
            .max_by_key(|(id, cell)| (now.since(cell.last), *id))
            .map(|(id, _)| id.clone());
        if let Some(quietest) = quietest
            && let Some(cell) = self.cells.remove(&quietest)
            && let Some(circuit) = cell.circuit
        {
            self.circuits.turn(&quietest, &circuit, None);
        }
    }
}

// === impl Cell ===

impl Cell {
    fn absorb(&mut self, outcome: &Outcome, endpoint: &EndpointId, circuits: &Circuits) {
        self.last = self.last.max(outcome.at);
        if let Some(healthy) = outcome.healthy() {
            self.recently.add(outcome.at, healthy);
            let before = self.breaker.open_until();
            self.breaker.ended(healthy, outcome.at);
            let after = self.breaker.open_until();
            if before != after {
                circuits.turn(endpoint, self.circuit.get_or_insert_default(), after);
            }
        }
        if let Some(ttft) = outcome.ttft {
            self.latency.add(outcome.at, ttft.as_secs_f64());
        }
        if let Some(speed) = outcome.tokens_per_s.filter(|speed| speed.is_finite()) {
            self.throughput.add(outcome.at, speed);
        }
        if let Some(good) = outcome.tools {
            self.tools.add_fading(good);
        }
    }
}
