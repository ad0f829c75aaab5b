//! Where one candidate stands among its neighbours, as numbers that compare. It draws nothing and
//! moves nothing.

use waystation_core::{ServiceTier, SortBy, SortShortcut, Trust};

use super::{Candidate, Method};
use crate::{Why, quality::Calls, rules::Question, shortcut::same};

/// What is compared, most significant first. Smaller goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Rank {
    /// Threshold, model, aggregator, class; with `order`: model, aggregator, place, threshold.
    keys: [u64; 4],
    /// What a sort compares.
    metric: Metric,
}

/// A metric as a number that sorts: absent ones last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Metric {
    absent: bool,
    value: u128,
}

/// What is known of a candidate beside itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// It misses a preferred speed.
    pub(super) misses: bool,
    /// How its tool calls fare.
    pub(super) calls: Calls,
    /// Models stay apart.
    pub(super) apart: bool,
}

/// Where `candidate` stands: (meets the thresholds, model unless the partition is `none`, metric);
/// with `order`, which is stronger than thresholds, (model, place in it). Source: `interfaces`.
pub(super) fn rank(
    question: &Question<'_>,
    method: Method,
    candidate: &mut Candidate<'_>,
    standing: Standing,
) -> Rank {
    let model = if standing.apart {
        wide(candidate.model_at)
    } else {
        0
    };
    let shared = shared(question, candidate);
    let miss = u64::from(standing.misses);
    if let Method::Listed { rest } = method {
        // `order` is stronger than the thresholds, which rearrange only the rest.
        let (place, miss, by) = match candidate.listed {
            Some(place) => (wide(place), 0, SortBy::Price),
            None => (u64::MAX, miss, rest),
        };
        candidate.why.push(match candidate.listed {
            Some(place) => Why::Order(u16::try_from(place).unwrap_or(u16::MAX)),
            None => Why::Unlisted,
        });
        if miss > 0 {
            candidate.why.push(Why::Threshold);
        }
        return Rank {
            keys: [model, shared, place, miss],
            metric: metric(question, by, candidate, standing.calls),
        };
    }
    let (class, metric) = match method {
        Method::Sorted { by, shortcut } => {
            note_shortcut(candidate, shortcut);
            candidate.why.push(Why::Sort(by));
            (0, metric(question, by, candidate, standing.calls))
        }
        Method::Tiered { tier, by } => {
            let class = tier_rank(tier, candidate) << 4 | trust(question, candidate);
            candidate.why.push(Why::Sort(by));
            (class, metric(question, by, candidate, standing.calls))
        }
        Method::Unknown { shortcut } => {
            note_shortcut(candidate, shortcut);
            candidate.why.push(Why::Sort(SortBy::Exacto));
            candidate.why.push(Why::Unmeasured);
            (
                draw_class(question, candidate, standing.calls),
                Metric::default(),
            )
        }
        Method::Draw | Method::Listed { .. } => (
            draw_class(question, candidate, standing.calls),
            Metric::default(),
        ),
    };
    if standing.misses {
        candidate.why.push(Why::Threshold);
    }
    Rank {
        keys: [miss, model, shared, class],
        metric,
    }
}

/// The suffix, where it was one that sorts.
fn note_shortcut(candidate: &mut Candidate<'_>, shortcut: Option<SortShortcut>) {
    if let Some(shortcut) = shortcut {
        candidate.why.push(Why::Shortcut(shortcut));
    }
}

/// A place as a key of a rank.
fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Where the operator wishes it, aggregators go behind what the operator's own keys reach. Source:
/// API contract, section 3.8.
fn shared(question: &Question<'_>, candidate: &mut Candidate<'_>) -> u64 {
    let behind = question.world.policy.byok_first && candidate.endpoint.trust == Trust::Aggregator;
    if behind {
        candidate.why.push(Why::Shared);
    }
    u64::from(behind)
}

/// The metric of a sort, and a note where it is absent.
fn metric(
    question: &Question<'_>,
    by: SortBy,
    candidate: &mut Candidate<'_>,
    calls: Calls,
) -> Metric {
    let (value, absent) = match by {
        SortBy::Price => (price(question, candidate), Why::PriceUnknown),
        // Positive floats sort as their bits do; the fastest goes first.
        SortBy::Throughput => {
            let speed = candidate.known.throughput;
            let value = speed.map(|speed| u128::from(u64::MAX - speed.max(0.0).to_bits()));
            (value, Why::Unmeasured)
        }
        SortBy::Latency => {
            let wait = candidate.known.latency;
            let value = wait.map(|wait| u128::from(wait.max(0.0).to_bits()));
            (value, Why::Unmeasured)
        }
        SortBy::Exacto => match calls {
            Calls::Rated { failing_ppm, .. } => (Some(failing_ppm.into()), Why::Unmeasured),
            Calls::Unrated | Calls::Untold => (None, Why::Unmeasured),
        },
    };
    if value.is_none() {
        candidate.why.push(absent);
    }
    Metric {
        absent: value.is_none(),
        value: value.unwrap_or_default(),
    }
}

/// (3 × prompt + 1 × completion) / 4 at the step that the estimated prompt falls in, times four.
fn price(question: &Question<'_>, candidate: &mut Candidate<'_>) -> Option<u128> {
    let price = &candidate.endpoint.price;
    candidate.price = if price.tiers.is_empty() {
        price.rates.blended_x4()
    } else {
        price.at(question.ask.prompt_estimate).blended_x4()
    };
    candidate.price
}

/// The tier asked for first; behind `ultrafast`, `priority` before the default.
fn tier_rank(asked: ServiceTier, candidate: &mut Candidate<'_>) -> u64 {
    match candidate.endpoint.service_tier {
        Some(tier) if same(tier, asked) => {
            candidate.why.push(Why::Tier(tier));
            0
        }
        Some(tier) if asked == ServiceTier::Ultrafast && same(tier, ServiceTier::Priority) => 1,
        _ => 2,
    }
}

/// Firm rows before less firm ones. `only` sets trust aside: the client has named whom to trust.
fn trust(question: &Question<'_>, candidate: &mut Candidate<'_>) -> u64 {
    let rank = match candidate.endpoint.trust {
        _ if question.only.is_some() => 0,
        Trust::Firm => 0,
        Trust::Maker => 1,
        Trust::Low => 2,
        Trust::Aggregator => 3,
    };
    if rank > 0 {
        candidate.why.push(Why::Trust(candidate.endpoint.trust));
    }
    rank
}

/// The class of the default draw: stable before failing, reliable with tools before unreliable, firm
/// before less firm, free before priced before unknown. Only equals are drawn among.
fn draw_class(question: &Question<'_>, candidate: &mut Candidate<'_>, calls: Calls) -> u64 {
    candidate.drawn = true;
    let outage = candidate.known.outage;
    if outage {
        candidate.why.push(Why::Outage);
    }
    let poor = matches!(calls, Calls::Rated { poor: true, .. });
    if poor {
        candidate.why.push(Why::ToolErrors);
    }
    let trust = trust(question, candidate);
    let (class, why) = match price(question, candidate) {
        Some(0) => (0, Why::Free),
        Some(_) => (1, Why::Draw),
        None => (2, Why::PriceUnknown),
    };
    candidate.why.push(why);
    u64::from(outage) << 12 | u64::from(poor) << 8 | trust << 4 | class
}
