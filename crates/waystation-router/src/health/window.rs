//! Windows over time: outcomes of the last 30 seconds by the second, and speeds of the last five
//! minutes by the minute, with a mean that outlives them. Fixed size; old slots are overwritten.

use waystation_core::Tick;

use super::sketch::{Distribution, Sketch};

/// Outcomes count for this many seconds. Source: API contract, section 3.5.
pub(super) const RECENT_S: u64 = 30;
const SLOTS: usize = 32;
/// Speeds count for this many minutes. Source: API contract, section 3.6.
const MINUTES: u64 = 5;
/// The decayed mean counts for this long after its last sample, in seconds.
const LONG_S: u64 = 24 * 60 * 60;
/// Each sample moves the decayed mean by this share of the difference.
const DECAY: f64 = 1.0 / 16.0;

/// Outcomes by the second.
#[derive(Clone, Debug, Default)]
pub(super) struct Recently([Second; SLOTS]);

/// The outcomes of one second.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Second {
    /// Which second of the clock.
    pub(super) second: u64,
    /// Attempts.
    pub(super) requests: u32,
    /// Those that failed.
    pub(super) errors: u32,
}

/// Speeds by the minute.
#[derive(Clone, Debug, Default)]
pub(super) struct Speeds {
    minutes: [(u64, Sketch); 5],
    mean: Option<(f64, Tick)>,
}

// === impl Recently ===

impl Recently {
    /// Counts one attempt in its second.
    pub(super) fn add(&mut self, at: Tick, healthy: bool) {
        let second = seconds(at);
        let slot = usize::try_from(second).unwrap_or_default() % SLOTS;
        let Some(slot) = self.0.get_mut(slot) else {
            return;
        };
        if slot.second != second {
            *slot = Second {
                second,
                ..Second::default()
            };
        }
        slot.requests = slot.requests.saturating_add(1);
        slot.errors = slot.errors.saturating_add(u32::from(!healthy));
    }

    /// The seconds that still count.
    pub(super) fn live(&self, now: Tick) -> Vec<Second> {
        let live = |slot: &&Second| slot.requests > 0 && counts(slot.second, now);
        self.0.iter().filter(live).copied().collect()
    }
}

/// Whether what happened in `second` is part of the last 30 seconds.
pub(super) fn counts(second: u64, now: Tick) -> bool {
    seconds(now).saturating_sub(second) < RECENT_S
}

/// Whole seconds of the monotonic clock.
fn seconds(at: Tick) -> u64 {
    at.micros() / 1_000_000
}

// === impl Speeds ===

impl Speeds {
    /// Counts one measurement in its slice of the window, and in the estimate of the day.
    pub(super) fn add(&mut self, at: Tick, value: f64) {
        let minute = seconds(at) / 60;
        let slot = usize::try_from(minute % MINUTES).unwrap_or_default();
        if let Some((of, sketch)) = self.minutes.get_mut(slot) {
            if *of != minute {
                *of = minute;
                sketch.clear();
            }
            sketch.add(value);
        }
        let mean = self
            .estimate(at)
            .map_or(value, |mean| mean + (value - mean) * DECAY);
        self.mean = Some((mean, at));
    }

    /// The distribution over the last five minutes.
    pub(super) fn lately(&self, now: Tick) -> Distribution {
        let minute = seconds(now) / 60;
        let live = |(of, _): &&(u64, Sketch)| minute.saturating_sub(*of) < MINUTES;
        let live = self.minutes.iter().filter(live);
        live.map(|(_, sketch)| sketch).collect()
    }

    /// The decayed mean, while it is not older than a day.
    pub(super) fn estimate(&self, now: Tick) -> Option<f64> {
        let (mean, at) = self.mean?;
        (now.since(at).as_secs() < LONG_S).then_some(mean)
    }
}
