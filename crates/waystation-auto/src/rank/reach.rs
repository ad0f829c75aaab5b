//! Where candidates stand for somebody who weighs quality against cost in their own way: a ladder by cost, on which every
//! candidate is the best for some weight. It changes no order of the router's own, and says nothing of who is better.
//!
//! Whoever sweeps a weight over estimates, in plain money, jumps over every candidate that is thought to be no better
//! than a mix of others, and sends the prompts of one set to as many candidates as it has kinds of prompts. Where the
//! estimates are of other prompts, both lose to simply mixing two models. On the ladder, the steps are the same
//! for all prompts, so that at some weights all go to one candidate; in between, the harder ones go first.

use waystation_core::Usd;

use super::{Candidate, is_default, need};
use crate::{
    Features,
    arithmetic::{exp, log2, logistic, number},
};

/// Two weights of cost between which a sweep is taken to look, as qualities for the way from the cheapest cost to the dearest:
/// so much lower and higher than what the dearest is worth, where it is between 0.03 and 0.8 better than the worst.
const LOWEST: f64 = 0.003;
const HIGHEST: f64 = 30.0;
/// The weights at which somebody changes from one candidate to the next, and from that to the one after, are at most so
/// many octaves apart, and in a ladder of many rungs by fewer.
const STEP: f32 = 5.0;
const FEWER: f32 = 0.25;
/// Of each step so much is kept for the weights at which all prompts are one candidate's, and of the rest this share is
/// spread over prompts by their difficulty.
const PURE: f32 = 0.5;
const SWAY: f32 = 0.8;
/// The most that there is from the bottom of the ladder to its top.
const SPAN: f64 = 0.8;
/// A candidate that is thought abler by a logit is taken to be dearer by such a share, so that of two at nearly the same
/// cost the abler stands above; not beyond so many logits from the mean. Where the answer is a word, costs are known
/// better than abilities, and only those are the same that differ by no more than the last share.
const DEARER: f64 = 0.25;
const SAME: f64 = 1.005;
const APART: f32 = 2.0;
/// No step is narrower than this share of the dearest cost.
const NARROWEST: f64 = 0.000_001;
/// More candidates than this are thinned to the ablest of each of so many ranges of cost.
pub(super) const MANY: usize = 24;
const RANGES: usize = 16;
/// Who is left out stands so much below the ladder at least.
const BELOW: f64 = 0.000_2;

/// A candidate among others.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Standing {
    /// Its cost, in nano-dollars; `None` where it takes no part.
    cost: Option<f64>,
    /// What it can do at any prompt, in logits.
    able: f32,
    /// Its quality at this prompt, as estimated.
    quality: f64,
}

/// A candidate that is on the ladder, or beside it.
#[derive(Clone, Copy, Debug)]
struct Rung {
    /// Its place among the candidates.
    at: usize,
    /// Its cost, moved by what it is thought to be able to.
    cost: f64,
    /// What it can do.
    able: f32,
}

/// How far apart the rungs of a ladder are.
#[derive(Clone, Debug)]
struct Steps {
    /// From the bottom to the top, for the hardest prompt.
    span: f64,
    /// For the easiest it is so many octaves less.
    sway: f32,
    /// How far below the top each rung is, from 0 to 1.
    downs: Vec<f64>,
    /// Whether every step is within the weights that a sweep tries.
    fit: bool,
}

/// For each candidate its quality on the ladder.
///
/// An operator's word of a quality stands as it is, and so does the estimate of whoever has no price or costs nothing by
/// somebody's grace.
pub(super) fn reaches(able: &[Candidate<'_>], features: &Features) -> Vec<f64> {
    let need = need(features);
    let standing = |candidate: &Candidate<'_>| {
        let ability = &candidate.ability;
        Standing {
            cost: candidate
                .compared
                .filter(|_| is_default(candidate) && !ability.told)
                .map(nanos),
            able: candidate.general,
            quality: logistic(ability.counted() - need).into(),
        }
    };
    let all: Vec<Standing> = able.iter().map(standing).collect();
    let dearer = if features.brief { 0.0 } else { DEARER };
    ladder(&all, dearer, features.difficulty)
}

/// An amount in nano-dollars; four dollars are the most that matters.
fn nanos(cost: Usd) -> f64 {
    u32::try_from(cost.femtos() / 1_000_000)
        .unwrap_or(u32::MAX)
        .into()
}

/// The same of what counts there.
fn ladder(all: &[Standing], dearer: f64, difficulty: f32) -> Vec<f64> {
    let places = placed(all, dearer);
    let rungs = if places.len() > MANY {
        thinned(&places)
    } else {
        places.clone()
    };
    let steps = Steps::of(&rungs);
    let span = steps.span * f64::from(power(steps.sway * (difficulty - 1.0)));
    let of = |rung: &Rung| all.get(rung.at).map_or(0.0, |one| one.quality);
    let top = rungs.iter().map(of).fold(span, f64::max);
    let mut found: Vec<f64> = all.iter().map(|one| one.quality).collect();
    // Where nothing costs anything, nothing tells them apart.
    if steps.downs.iter().all(|down| *down <= 0.0) {
        return found;
    }
    let mut set = |at: usize, quality: f64| {
        found
            .iter_mut()
            .skip(at)
            .take(1)
            .for_each(|one| *one = quality);
    };
    for place in places.iter().filter(|_| places.len() > MANY) {
        let most = top - span * beside(&rungs, &steps.downs, place.cost) - BELOW;
        set(place.at, of(place).min(most));
    }
    for (rung, down) in rungs.iter().zip(&steps.downs) {
        set(rung.at, top - span * down);
    }
    found
}

/// Who takes part, by cost.
fn placed(all: &[Standing], dearer: f64) -> Vec<Rung> {
    let part = || all.iter().enumerate().filter(|(_, one)| one.cost.is_some());
    let mean = part().map(|(_, one)| one.able).sum::<f32>() / number(part().count().max(1));
    let rung = |(at, one): (usize, &Standing)| {
        let apart = (one.able - mean).clamp(-APART, APART);
        Some(Rung {
            at,
            cost: one.cost? * (1.0 + dearer * f64::from(apart)),
            able: one.able,
        })
    };
    let mut places: Vec<Rung> = part().filter_map(rung).collect();
    places.sort_by(|a, b| {
        let order = a.cost.total_cmp(&b.cost).then(a.able.total_cmp(&b.able));
        order.then(a.at.cmp(&b.at))
    });
    abler_above(places)
}

/// Of two neighbours at the same cost, the abler above: costs stay where they are, and models change places. Whoever
/// turns out to be a little cheaper than the other is then at least passed by where it is the abler.
fn abler_above(places: Vec<Rung>) -> Vec<Rung> {
    let mut sorted: Vec<Rung> = Vec::with_capacity(places.len());
    for mut place in places {
        let last = sorted.last_mut();
        if let Some(last) =
            last.filter(|last| place.cost <= last.cost * SAME && last.able > place.able)
        {
            std::mem::swap(&mut last.at, &mut place.at);
            std::mem::swap(&mut last.able, &mut place.able);
        }
        sorted.push(place);
    }
    sorted
}

/// The ablest of each range of the logarithm of cost.
fn thinned(places: &[Rung]) -> Vec<Rung> {
    #[expect(clippy::cast_possible_truncation, reason = "a logarithm needs no more")]
    let size = |rung: &Rung| log2(1.0 + rung.cost as f32);
    let low = places.first().map_or(0.0, size);
    let high = places.last().map_or(0.0, size);
    let range = |rung: &Rung| {
        let share = (size(rung) - low) / (high - low).max(f32::MIN_POSITIVE);
        (1..RANGES)
            .filter(|range| share >= number(*range) / number(RANGES))
            .count()
    };
    let mut rungs: Vec<Rung> = Vec::with_capacity(RANGES);
    for place in places {
        match rungs.last_mut() {
            Some(last) if range(last) == range(place) => {
                if place.able > last.able {
                    *last = *place;
                }
            }
            _ => rungs.push(*place),
        }
    }
    rungs
}

// === impl Steps ===

impl Steps {
    /// The widest steps with which the sweep comes past every rung.
    fn of(rungs: &[Rung]) -> Self {
        let mut octaves = STEP;
        loop {
            let steps = Self::wide(octaves, rungs);
            if steps.fit || octaves <= PURE {
                return steps;
            }
            octaves -= FEWER;
        }
    }

    /// Steps of so many octaves: each from one rung to the next is worth its price at a weight that is so much less
    /// than that of the step before.
    fn wide(octaves: f32, rungs: &[Rung]) -> Self {
        let sway = SWAY * (octaves - PURE).max(0.0);
        let less = f64::from(power(-octaves));
        let costs = |of: &Rung| of.cost;
        let range = rungs.last().map_or(0.0, costs) - rungs.first().map_or(0.0, costs);
        let narrowest = rungs.last().map_or(0.0, costs) * NARROWEST;
        let (mut up, mut worth) = (0.0, 1.0);
        let mut ups = vec![0.0; rungs.len().min(1)];
        for pair in rungs.windows(2) {
            if let [cheaper, dearer] = pair {
                up += worth * (dearer.cost - cheaper.cost).max(narrowest);
                worth *= less;
            }
            ups.push(up);
        }
        // The weights of the steps are 1, less, less² and so on, by what all steps together come to: of the second, above
        // which somebody goes to the second rung, and of the last but one, below which to the last but one.
        let unit = range / up.max(f64::MIN_POSITIVE);
        let half = f64::from(power(PURE));
        let span = SPAN.min(HIGHEST / (unit * less * half));
        let last = unit * worth / (less * less) * f64::from(power(-sway)) / half;
        Self {
            span,
            sway,
            fit: rungs.len() < 3 || span * last >= LOWEST,
            downs: ups
                .iter()
                .map(|one| (up - one) / up.max(f64::MIN_POSITIVE))
                .collect(),
        }
    }
}

/// 2 to the power of `octaves`.
fn power(octaves: f32) -> f32 {
    exp(octaves * std::f32::consts::LN_2)
}

/// How far down the ladder somebody of this cost is who is not on it: by the next cheaper rung.
fn beside(rungs: &[Rung], downs: &[f64], cost: f64) -> f64 {
    let dearer = rungs.partition_point(|rung| rung.cost <= cost);
    downs
        .get(dearer.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
