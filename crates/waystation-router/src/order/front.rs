//! Who goes first after all: the endpoint that has this conversation in its cache, or one that is to
//! be measured. It changes no other place.

use waystation_core::{SortBy, Tokens};

use super::{Candidate, Known, Ordered};
use crate::{
    Why,
    draw::{Dice, below},
    rules::Question,
};

/// The endpoint that served this conversation before goes first in its entry, while it works and no
/// `order` is given. Source: API contract, section 9.3.
pub(super) fn stick(question: &Question<'_>, apart: bool, ordered: &mut Ordered<'_, '_>) {
    let ask = question.ask;
    let Some(sticky) = ask.sticky.as_ref().filter(|_| ask.wishes.order.is_empty()) else {
        return;
    };
    let found = ordered
        .iter()
        .position(|candidate| candidate.endpoint.id == *sticky && !candidate.known.outage);
    let Some((at, entry)) = found.and_then(|at| Some((at, ordered.get(at)?.entry))) else {
        return;
    };
    let front = if apart {
        let of_entry = ordered.iter().position(|other| other.entry == entry);
        of_entry.map_or(at, |front| front.min(at))
    } else {
        0
    };
    if front < at
        && let (Some(first), Some(stays)) = (ordered.get(front), ordered.get(at))
        && saves(question, stays, first)
    {
        return;
    }
    let candidate = ordered.remove(at);
    candidate.why.push_front(Why::Sticky);
    ordered.insert(front, candidate);
}

/// Whether going from `stays` to `other` costs less, although the prompt has to be read anew there.
/// A conversation that the client itself named stays in any case.
///
/// An answer is taken to be a third as long as its prompt, which is what the one number that orders
/// endpoints by price assumes.
fn saves(question: &Question<'_>, stays: &Candidate<'_>, other: &Candidate<'_>) -> bool {
    let ask = question.ask;
    let Some(cached) = ask.cached else {
        return false;
    };
    let prompt = ask.prompt_estimate;
    let answer = Tokens::new(prompt.get() / 3);
    let cost = |candidate: &Candidate<'_>, cached: Tokens| {
        let rates = candidate.endpoint.price.at(prompt);
        let (input, output) = (rates.prompt?, rates.completion?);
        let read = rates.cache_read.unwrap_or(input).of(cached);
        Some(read + input.of(prompt.less(cached)) + output.of(answer))
    };
    match (cost(stays, cached.min(prompt)), cost(other, Tokens::ZERO)) {
        (Some(stay), Some(go)) => go < stay,
        _ => false,
    }
}

/// By draw, some plans sorted by speed start at an endpoint that was not measured lately, so that
/// it can show how fast it is. A conversation that stays where it is is left there.
pub(super) fn explore(question: &Question<'_>, ordered: &mut Ordered<'_, '_>, rng: &mut Dice) {
    let share = usize::try_from(question.world.policy.explore_ppm).unwrap_or_default();
    let Some(first) = ordered.first().filter(|_| share > 0) else {
        return;
    };
    // Nor is one of the tier that was asked for passed over.
    let stays = |why: &Why| matches!(why, Why::Sticky | Why::Tier(_));
    let fresh: fn(&Known) -> bool = match first.why.iter().find_map(|why| why.speed()) {
        _ if first.why.iter().any(stays) => return,
        Some(SortBy::Throughput) => |known| known.fresh_throughput,
        Some(SortBy::Latency) => |known| known.fresh_latency,
        _ => return,
    };
    let entry = first.entry;
    let unmeasured: Vec<usize> = ordered
        .iter()
        .enumerate()
        .filter(|(_, c)| c.entry == entry && !fresh(&c.known))
        .map(|(at, _)| at)
        .collect();
    if below(rng, 1_000_000) >= share {
        return;
    }
    if let Some(at) = unmeasured.get(below(rng, unmeasured.len().max(1))) {
        let candidate = ordered.remove(*at);
        candidate.why.push_front(Why::Explore);
        ordered.insert(0, candidate);
    }
}
