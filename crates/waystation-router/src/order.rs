//! The order of the survivors: `order`, an explicit sort, a suffix, or the default draw. It removes
//! nothing.

use waystation_catalog::Model;
use waystation_core::{Ask, Endpoint, Partition, ServiceTier, SortBy, SortShortcut, Tag, Trust};

use crate::{
    Measured, Why,
    draw::{Dice, below, by_inverse_square, evenly},
    rules::Question,
    shortcut::{in_force, same, sort_of},
    threshold::Thresholds,
};

/// An endpoint that passed every rule.
#[derive(Debug)]
pub(crate) struct Candidate<'a> {
    /// Which entry of the question it serves.
    pub(crate) entry: usize,
    /// Which model, counted over all entries.
    pub(crate) model_at: usize,
    /// The model.
    pub(crate) model: &'a Model,
    /// The endpoint.
    pub(crate) endpoint: &'a Endpoint,
    /// The suffix of its entry.
    pub(crate) shortcut: Option<SortShortcut>,
    /// Its place in `order`.
    pub(crate) listed: Option<usize>,
    /// How it fared lately.
    pub(crate) measured: Option<Measured>,
    /// Its place among equals is drawn.
    pub(crate) drawn: bool,
    /// Why it stands where it stands, filled in as that is decided.
    pub(crate) why: Vec<Why>,
}

/// How one candidate is ordered among its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    /// `order`; the rest is sorted.
    Listed { rest: SortBy },
    /// By one metric.
    Sorted {
        by: SortBy,
        shortcut: Option<SortShortcut>,
    },
    /// By what the service tier asks for.
    Tiered { tier: ServiceTier, by: SortBy },
    /// The default: weighted draw.
    Draw,
}

/// What is compared, most significant first. Smaller goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Rank {
    /// Missing a threshold; or, with `order`, the model.
    first: u64,
    /// The model; or, with `order`, the place in it.
    second: u64,
    /// The class within a model: outage, trust, price known or not; or the tier.
    third: u64,
    /// What a sort compares.
    metric: Metric,
}

/// A metric as a number that sorts: absent ones last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Metric {
    absent: bool,
    value: u128,
}

/// Puts `live` in order and notes why.
pub(crate) fn arrange<'a>(
    question: &Question<'_>,
    live: Vec<Candidate<'a>>,
    rng: &mut Dice,
) -> Vec<Candidate<'a>> {
    let ask = question.ask;
    let apart = ask.wishes.partition != Some(Partition::None);
    let common = if apart {
        None
    } else {
        Some(over_all(question, &live))
    };
    let slow = Thresholds::of(ask, &live);
    let mut ranked: Vec<(Rank, Candidate<'a>)> = live
        .into_iter()
        .map(|mut candidate| {
            let method = common.unwrap_or_else(|| method_of(question, candidate.shortcut));
            let misses = slow.misses(&candidate);
            let rank = rank(question, method, &mut candidate, misses, apart);
            (rank, candidate)
        })
        .collect();
    // Before the draw, so that it does not depend on the catalogue's order.
    ranked.sort_by(|(a, x), (b, y)| a.cmp(b).then_with(|| tie(x).cmp(&tie(y))));
    let mut ordered = draw(question, ranked, rng);
    stick(ask, apart, &mut ordered);
    explore(question, &mut ordered, rng);
    ordered
}

/// Ties are broken by tag, then by model.
fn tie<'c>(candidate: &'c Candidate<'_>) -> (&'c Tag, usize) {
    (&candidate.endpoint.tag, candidate.model_at)
}

/// The method for an entry with this suffix. An explicit `order` beats an explicit `sort`, that a
/// suffix, that a service tier, that the operator's default.
fn method_of(question: &Question<'_>, shortcut: Option<SortShortcut>) -> Method {
    let (ask, policy) = (question.ask, question.world.policy);
    if !question.order.is_empty() {
        let rest = ask.wishes.sort.unwrap_or(SortBy::Price);
        return Method::Listed { rest };
    }
    if let Some(by) = ask.wishes.sort {
        return Method::Sorted { by, shortcut: None };
    }
    if let Some(shortcut) = in_force(shortcut, ask) {
        return Method::Sorted {
            by: sort_of(shortcut),
            shortcut: Some(shortcut),
        };
    }
    match (ask.service_tier, policy.sort) {
        (Some(ServiceTier::Flex), _) => Method::Tiered {
            tier: ServiceTier::Flex,
            by: SortBy::Price,
        },
        (Some(tier), _) if !matches!(tier, ServiceTier::Auto | ServiceTier::Default) => {
            Method::Tiered {
                tier,
                by: SortBy::Throughput,
            }
        }
        (_, Some(by)) => Method::Sorted { by, shortcut: None },
        _ => Method::Draw,
    }
}

/// The one method for a list over all models: that of the entries, where they agree.
fn over_all(question: &Question<'_>, live: &[Candidate<'_>]) -> Method {
    let mut suffixes = live.iter().map(|candidate| candidate.shortcut);
    let first = suffixes.next().flatten();
    method_of(
        question,
        first.filter(|first| suffixes.all(|other| other == Some(*first))),
    )
}

/// Where `candidate` stands: (meets the thresholds, model unless the partition is `none`, metric);
/// with `order`, which is stronger than thresholds, (model, place in it). Source: `interfaces`.
fn rank(
    question: &Question<'_>,
    method: Method,
    candidate: &mut Candidate<'_>,
    misses: bool,
    apart: bool,
) -> Rank {
    let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let model = if apart { wide(candidate.model_at) } else { 0 };
    let miss = u64::from(misses);
    if let Method::Listed { rest } = method {
        // `order` is stronger than the thresholds, which rearrange only the rest.
        let (second, third, by) = match candidate.listed {
            Some(place) => (wide(place), 0, SortBy::Price),
            None => (u64::MAX, miss, rest),
        };
        candidate.why.push(match candidate.listed {
            Some(place) => Why::Order(place),
            None => Why::Unlisted,
        });
        if misses && candidate.listed.is_none() {
            candidate.why.push(Why::Threshold);
        }
        let metric = metric(question, by, candidate);
        return Rank {
            first: model,
            second,
            third,
            metric,
        };
    }
    let (third, metric) = match method {
        Method::Sorted { by, shortcut } => {
            candidate.why.extend(shortcut.map(Why::Shortcut));
            candidate.why.push(Why::Sort(by));
            (0, metric(question, by, candidate))
        }
        Method::Tiered { tier, by } => {
            (tier_rank(tier, candidate), metric(question, by, candidate))
        }
        Method::Draw | Method::Listed { .. } => {
            candidate.drawn = true;
            (draw_class(question, candidate), Metric::default())
        }
    };
    if misses {
        candidate.why.push(Why::Threshold);
    }
    Rank {
        first: miss,
        second: model,
        third,
        metric,
    }
}

/// The metric of a sort, and a note where it is absent.
fn metric(question: &Question<'_>, by: SortBy, candidate: &mut Candidate<'_>) -> Metric {
    let measured = candidate.measured;
    let (value, absent) = match by {
        SortBy::Price => (price(question, candidate.endpoint), Why::PriceUnknown),
        // Positive floats sort as their bits do; the fastest goes first.
        SortBy::Throughput => {
            let speed = measured.and_then(|m| m.median_throughput());
            let value = speed.map(|speed| u128::from(u64::MAX - speed.max(0.0).to_bits()));
            (value, Why::Unmeasured)
        }
        SortBy::Latency => {
            let wait = measured.and_then(|m| m.median_latency());
            let value = wait.map(|wait| u128::from(wait.max(0.0).to_bits()));
            (value, Why::Unmeasured)
        }
        // Tool-call quality is not measured yet: every endpoint is as good as the next.
        SortBy::Exacto => (None, Why::Unmeasured),
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
fn price(question: &Question<'_>, endpoint: &Endpoint) -> Option<u128> {
    endpoint.price.at(question.ask.prompt_estimate).blended_x4()
}

/// The tier asked for first; behind `ultrafast`, `priority` before the default.
fn tier_rank(asked: ServiceTier, candidate: &mut Candidate<'_>) -> u64 {
    match candidate.endpoint.service_tier {
        Some(tier) if same(tier, asked) => {
            candidate.why.push(Why::Tier(tier));
            0
        }
        Some(tier) if same(tier, ServiceTier::Priority) => 1,
        _ => 2,
    }
}

/// The class of the default draw: stable before failing, firm before less firm, free before priced
/// before unknown. Only equals are drawn among. `only` sets trust aside.
fn draw_class(question: &Question<'_>, candidate: &mut Candidate<'_>) -> u64 {
    let outage = candidate.measured.is_some_and(|m| m.outage());
    let trusted = question.only.is_some();
    let trust = match candidate.endpoint.trust {
        _ if trusted => 0,
        Trust::Firm => 0,
        Trust::Maker => 1,
        Trust::Low => 2,
        Trust::Aggregator => 3,
    };
    let (class, why) = match price(question, candidate.endpoint) {
        Some(0) => (0, Why::Free),
        Some(_) => (1, Why::Draw),
        None => (2, Why::PriceUnknown),
    };
    if outage {
        candidate.why.push(Why::Outage);
    }
    if trust > 0 {
        candidate.why.push(Why::Trust(candidate.endpoint.trust));
    }
    candidate.why.push(why);
    u64::from(outage) << 8 | trust << 4 | class
}

/// Draws among neighbours of one rank, where that is the method. Others of one rank are ties, which
/// stay as they are.
fn draw<'a>(
    question: &Question<'_>,
    ranked: Vec<(Rank, Candidate<'a>)>,
    rng: &mut Dice,
) -> Vec<Candidate<'a>> {
    let mut ordered = Vec::with_capacity(ranked.len());
    let mut rest = ranked.into_iter().peekable();
    while let Some((rank, first)) = rest.next() {
        let mut group = vec![Some(first)];
        while let Some((_, next)) = rest.next_if(|(next, _)| *next == rank) {
            group.push(Some(next));
        }
        let drawn = |candidate: &Option<Candidate<'_>>| candidate.as_ref().is_some_and(|c| c.drawn);
        if group.len() == 1 || !group.iter().all(drawn) {
            ordered.extend(group.into_iter().flatten());
            continue;
        }
        let known = |candidate: &Option<Candidate<'_>>| {
            price(question, candidate.as_ref()?.endpoint).filter(|price| *price > 0)
        };
        let order = match group.iter().map(known).collect::<Option<Vec<u128>>>() {
            Some(prices) => by_inverse_square(&prices, rng),
            None => evenly(group.len(), rng),
        };
        ordered.extend(order.into_iter().filter_map(|at| group.get_mut(at)?.take()));
    }
    ordered
}

/// The endpoint that served this conversation before goes first in its entry, while it works and no
/// `order` is given. Source: API contract, section 9.3.
fn stick(ask: &Ask, apart: bool, ordered: &mut Vec<Candidate<'_>>) {
    let Some(sticky) = ask.sticky.as_ref().filter(|_| ask.wishes.order.is_empty()) else {
        return;
    };
    let works = |candidate: &Candidate<'_>| !candidate.measured.is_some_and(|m| m.outage());
    let Some(at) = ordered
        .iter()
        .position(|candidate| candidate.endpoint.id == *sticky && works(candidate))
    else {
        return;
    };
    let mut candidate = ordered.remove(at);
    let of_entry = ordered
        .iter()
        .position(|other| other.entry == candidate.entry);
    let front = if apart {
        of_entry.map_or(at, |front| front.min(at))
    } else {
        0
    };
    candidate.why.insert(0, Why::Sticky);
    ordered.insert(front, candidate);
}

/// By draw, some plans sorted by speed start at an endpoint that was not measured lately, so that
/// it can show how fast it is.
fn explore(question: &Question<'_>, ordered: &mut Vec<Candidate<'_>>, rng: &mut Dice) {
    let share = usize::try_from(question.world.policy.explore_ppm).unwrap_or_default();
    let Some(first) = ordered.first().filter(|_| share > 0) else {
        return;
    };
    let fresh: fn(&Measured) -> bool = match first.why.iter().find_map(Why::speed) {
        Some(SortBy::Throughput) => |measured| measured.throughput.is_some(),
        Some(SortBy::Latency) => |measured| measured.latency.is_some(),
        _ => return,
    };
    let entry = first.entry;
    let unmeasured: Vec<usize> = ordered
        .iter()
        .enumerate()
        .filter(|(_, c)| c.entry == entry && !c.measured.as_ref().is_some_and(fresh))
        .map(|(at, _)| at)
        .collect();
    if below(rng, 1_000_000) >= share {
        return;
    }
    if let Some(at) = unmeasured.get(below(rng, unmeasured.len().max(1))) {
        let mut candidate = ordered.remove(*at);
        candidate.why.insert(0, Why::Explore);
        ordered.insert(0, candidate);
    }
}
