//! Decision records as bytes: their members in order, and figures as counts of millionths where they
//! are such. What a decision is, is the router's.
//!
//! Few are ever read, and every request leaves one. So nothing is put into words here: names are two or
//! three bytes, as everywhere in a segment, and a figure is three or four where its text would be ten.

use std::{any::Any, sync::Arc};

use waystation_core::{Decision, RawJson};
use waystation_router::{DecisionRecord, HealthRow, Percentiles, PluginHints, PromptSize, Recent};

use super::{Pack, Reader, Writer, pack_members};

/// What a plan came from is kept as its members; another sort of decision as the JSON that it tells.
///
/// A flag says which of the two follows.
impl Pack for Arc<dyn Decision> {
    fn pack(&self, to: &mut Writer<'_>) {
        let decision: &dyn Any = &**self;
        let known = decision.downcast_ref::<DecisionRecord>();
        known.is_some().pack(to);
        match known {
            Some(record) => record.pack(to),
            None => self.told().pack(to),
        }
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Self> {
        Some(match bool::unpack(from)? {
            true => Arc::new(DecisionRecord::unpack(from)?),
            false => Arc::new(RawJson::unpack(from)?),
        })
    }
}

/// Measured figures are rounded to the millionth, and count those; others are their bits. The lowest
/// bit tells them apart.
///
/// What is read equals what was written to the bit, so that a plan can be made again from its record.
impl Pack for f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what is no such number becomes another one, and is found out"
    )]
    fn pack(&self, to: &mut Writer<'_>) {
        // What is below zero becomes zero, and is no such figure.
        let millionths = (self * MILLION + 0.5) as u64;
        if millionths < LARGEST && figure(millionths).to_bits() == self.to_bits() {
            to.word(millionths << 1);
        } else {
            to.number((u128::from(self.to_bits()) << 1) | 1);
        }
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Self> {
        let number = from.number()?;
        let value = u64::try_from(number >> 1).ok()?;
        Some(match number & 1 {
            0 => figure(value),
            _ => Self::from_bits(value),
        })
    }
}

const MILLION: f64 = 1e6;
/// Whole numbers are exact below it.
const LARGEST: u64 = 1 << 53;

/// So many millionths.
#[expect(clippy::cast_precision_loss, reason = "there are fewer than `LARGEST`")]
fn figure(millionths: u64) -> f64 {
    millionths as f64 / MILLION
}

pack_members! {
    Percentiles => p50 p75 p90 p99;
    Recent => requests errors;
    HealthRow => model endpoint latency_s throughput_tps last_30s tool_calls latency_estimate_s
        throughput_estimate_tps open;
    PromptSize => at_least estimate;
    PluginHints => input handled compressible compressible_up_to;
    DecisionRecord = Self::default() => catalog seed tick_us unix_ms explore_ppm sticky cached
        ranking task prompt hints health;
}
