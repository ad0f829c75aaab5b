//! The order of the survivors: `order`, an explicit sort, a suffix, or the default draw. It removes
//! nothing.

mod front;
mod known;
mod rank;

use smallvec::{SmallVec, smallvec};
use waystation_catalog::Model;
use waystation_core::{Endpoint, Partition, ServiceTier, SortBy, SortShortcut, Tag};

use crate::{
    Whys,
    draw::{Dice, by_weight, inverse_square},
    quality::{Calls, Quality},
    rules::Question,
    shortcut::{in_force, sort_of},
    threshold::Thresholds,
};

pub(crate) use known::Known;

use rank::{Rank, Standing, rank};

/// An endpoint that passed every rule.
#[derive(Debug)]
pub(crate) struct Candidate<'a> {
    /// Which entry of the question it serves.
    pub(crate) entry: usize,
    /// Which model, counted over all entries.
    pub(crate) model_at: usize,
    /// The model.
    pub(crate) model: &'a Model,
    /// The endpoint's place among the model's.
    pub(crate) place: usize,
    /// The endpoint.
    pub(crate) endpoint: &'a Endpoint,
    /// The suffix of its entry.
    pub(crate) shortcut: Option<SortShortcut>,
    /// Its place in `order`.
    pub(crate) listed: Option<usize>,
    /// How it fared lately.
    pub(crate) known: Known,
    /// What orders it by price, where that was looked at; `None` is unknown.
    pub(crate) price: Option<u128>,
    /// Its place among equals is drawn.
    pub(crate) drawn: bool,
    /// Why it stands where it stands, filled in as that is decided.
    pub(crate) why: Whys,
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
    /// The same, where quality was to be sorted by and too little is known of it.
    Unknown { shortcut: Option<SortShortcut> },
}

/// The candidates in the order in which they are tried. They stay where they are; this is a list of
/// them, which is on the heap only where there are more than a few: most plans have one endpoint or two
/// that somebody has a key for.
pub(crate) type Ordered<'c, 'a> = SmallVec<[&'c mut Candidate<'a>; 4]>;

/// Puts `live` in order and notes why.
pub(crate) fn arrange<'c, 'a>(
    question: &Question<'_>,
    live: &'c mut [Candidate<'a>],
    rng: &mut Dice,
) -> Ordered<'c, 'a> {
    let ask = question.ask;
    let apart = ask.wishes.partition != Some(Partition::None);
    let common = if apart {
        None
    } else {
        Some(over_all(question, live))
    };
    let slow = Thresholds::of(live);
    let quality = Quality::of(question, live, apart);
    let ranked = |candidate: &'c mut Candidate<'a>| {
        let method =
            common.unwrap_or_else(|| method_of(question, candidate.shortcut, is_flex(candidate)));
        let standing = Standing {
            misses: slow.misses(candidate),
            calls: quality.calls(candidate),
            apart,
        };
        let method = method.known(standing.calls);
        (rank(question, method, candidate, standing), candidate)
    };
    let mut ordered = match live {
        // One alone has its reasons, and nobody to be compared with.
        [one] => smallvec![ranked(one).1],
        many => {
            let mut ranked: Vec<_> = many.iter_mut().map(ranked).collect();
            // Before the draw, so that it does not depend on the catalogue's order.
            ranked.sort_by(|(a, x), (b, y)| a.cmp(b).then_with(|| tie(x).cmp(&tie(y))));
            draw(ranked, rng)
        }
    };
    front::stick(question, apart, &mut ordered);
    front::explore(question, &mut ordered, rng);
    ordered
}

/// Ties are broken by tag, then by model.
fn tie<'c>(candidate: &'c Candidate<'_>) -> (&'c Tag, usize) {
    (&candidate.endpoint.tag, candidate.model_at)
}

/// The method for an entry with this suffix. An explicit `order` beats an explicit `sort`, that a
/// suffix, that a service tier, that the operator's default. A wish for flex where there is none
/// routes as if it were not there. Source: API contract, section 9.4.
fn method_of(question: &Question<'_>, shortcut: Option<SortShortcut>, flex: bool) -> Method {
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
        (Some(ServiceTier::Flex), _) if flex => Method::Tiered {
            tier: ServiceTier::Flex,
            by: SortBy::Price,
        },
        (Some(tier), _) if has_own_order(tier) => Method::Tiered {
            tier,
            by: SortBy::Throughput,
        },
        (_, Some(by)) => Method::Sorted { by, shortcut: None },
        _ => Method::Draw,
    }
}

/// Whether a wish for this tier orders endpoints by itself, whoever offers it.
const fn has_own_order(tier: ServiceTier) -> bool {
    use ServiceTier::{Auto, Default, Flex};
    !matches!(tier, Auto | Default | Flex)
}

/// Whether the endpoint sells flex, and says so.
fn is_flex(candidate: &Candidate<'_>) -> bool {
    candidate.endpoint.service_tier == Some(ServiceTier::Flex)
}

impl Method {
    /// Quality is sorted by only where enough is known of it; until then the default holds. Source:
    /// API contract, section 3.5.
    const fn known(self, calls: Calls) -> Self {
        match (self, calls) {
            (
                Self::Sorted {
                    by: SortBy::Exacto,
                    shortcut,
                },
                Calls::Untold,
            ) => Self::Unknown { shortcut },
            (method, _) => method,
        }
    }
}

/// The one method for a list over all models: that of the entries, where they agree.
fn over_all(question: &Question<'_>, live: &[Candidate<'_>]) -> Method {
    let mut suffixes = live.iter().map(|candidate| candidate.shortcut);
    let first = suffixes.next().flatten();
    method_of(
        question,
        first.filter(|first| suffixes.all(|other| other == Some(*first))),
        live.iter().any(is_flex),
    )
}

/// Draws among neighbours of one rank, where that is the method. Others of one rank are ties, which
/// stay as they are.
fn draw<'c, 'a>(ranked: Vec<(Rank, &'c mut Candidate<'a>)>, rng: &mut Dice) -> Ordered<'c, 'a> {
    let mut ordered = Ordered::with_capacity(ranked.len());
    let mut group: Vec<(f64, &mut Candidate<'_>)> = Vec::new();
    let mut rest = ranked.into_iter().peekable();
    while let Some((rank, first)) = rest.next() {
        // One that has its rank to itself needs no draw.
        let alone = rest.peek().is_none_or(|(next, _)| *next != rank);
        if alone || !first.drawn {
            ordered.push(first);
            continue;
        }
        // Neighbours of one rank are of one class: all of them have a price above zero, or none.
        let weight =
            |candidate: &Candidate<'_>| inverse_square(candidate.price.unwrap_or_default());
        group.push((weight(first), first));
        while let Some((_, next)) = rest.next_if(|(next, _)| *next == rank) {
            group.push((weight(next), next));
        }
        by_weight(&mut group, &mut ordered, rng);
    }
    ordered
}
