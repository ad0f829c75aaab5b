//! As how good candidates may pass: what is known of them is not sure, and a candidate that may be worth its price
//! must not look as if nobody would ever want it. It changes no order of the router's own.

use super::{Candidate, is_default, logistic, magnitude};
/// A dearer candidate that may be as good as the best is as good as that and so much more for each doubling of the
/// cost: nobody asks for more money for the same.
const RISE: f32 = 0.001;
/// Nobody is raised to more than this below the mix of others, so that who is known to be as good goes before.
const BELOW: f32 = 0.000_2;

/// A candidate among others.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Standing {
    /// The logarithm to base 2 of its cost; `None` where it takes no part: unknown, or somebody's grace.
    cost: Option<f32>,
    /// Its quality, as estimated.
    quality: f32,
    /// The most that it may be, as far as is known.
    most: f32,
}

/// A corner of the curve of the best mixes.
#[derive(Clone, Copy, Debug)]
struct Corner {
    cost: f32,
    quality: f32,
}

/// The most that a candidate's quality may be at a prompt of this need; nothing where its ability is not raised.
fn most(candidate: &Candidate<'_>, need: f32) -> f32 {
    let ability = &candidate.ability;
    if ability.between <= 0.0 {
        return 0.0;
    }
    let unsure = ability.deviation * ability.deviation + ability.between * ability.between;
    logistic(ability.counted() + unsure.sqrt() - need)
}

/// For each candidate its quality, raised to what the best mix of others gives for the same cost, but to no more than
/// it may be.
///
/// Cost counts by its logarithm, as in the choice itself. So the router's own tradeoff finds the same candidate best, with and
/// without: who is raised lies on the way from one of the best to the next. But who sends some prompts to one candidate and some to
/// another by a tradeoff of their own, in plain money, comes past everybody who may be worth it.
pub(super) fn reaches(able: &[Candidate<'_>], need: f32) -> Vec<f32> {
    let standing = |candidate: &Candidate<'_>| {
        let cost = candidate.cost.map(magnitude);
        Standing {
            cost: cost.filter(|_| is_default(candidate)),
            quality: logistic(candidate.ability.counted() - need),
            most: most(candidate, need),
        }
    };
    raised(&able.iter().map(standing).collect::<Vec<_>>())
}

/// The same of what counts there.
fn raised(all: &[Standing]) -> Vec<f32> {
    let corners = corners(all);
    let reach = |one: &Standing| {
        let mix = one.cost.and_then(|cost| mix(&corners, cost));
        mix.map_or(one.quality, |mix| {
            one.quality.max(one.most.min(mix - BELOW))
        })
    };
    all.iter().map(reach).collect()
}

/// The curve of the best mixes, from the cheapest to the best: each corner dearer than the last and better by less
/// for each doubling of the cost. Qualities are less what the rise gives.
fn corners(all: &[Standing]) -> Vec<Corner> {
    let mut points: Vec<Corner> = all
        .iter()
        .filter_map(|one| {
            let cost = one.cost?;
            let quality = one.quality - RISE * cost;
            Some(Corner { cost, quality })
        })
        .collect();
    points.sort_by(|a, b| {
        let order = a.cost.total_cmp(&b.cost);
        order.then(b.quality.total_cmp(&a.quality))
    });
    let mut corners: Vec<Corner> = Vec::with_capacity(points.len());
    for point in points {
        if corners
            .last()
            .is_some_and(|last| point.quality <= last.quality)
        {
            continue;
        }
        while let [.., before, last] = corners.as_slice() {
            let rise = |to: &Corner| (to.quality - before.quality, to.cost - before.cost);
            let ((up, along), (far_up, far_along)) = (rise(last), rise(&point));
            if up * far_along > far_up * along {
                break;
            }
            corners.pop();
        }
        corners.push(point);
    }
    corners
}

/// What the curve gives for a cost; beyond its end what the best of all gives, and the rise. `None` before its beginning.
fn mix(corners: &[Corner], cost: f32) -> Option<f32> {
    let dearer = corners.partition_point(|corner| corner.cost <= cost);
    let from = corners.get(dearer.checked_sub(1)?)?;
    let quality = corners.get(dearer).map_or(from.quality, |to| {
        let part = (cost - from.cost) / (to.cost - from.cost);
        from.quality + (to.quality - from.quality) * part
    });
    Some(quality + RISE * cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(cost: f32, quality: f32, most: f32) -> Standing {
        Standing {
            cost: Some(cost),
            quality,
            most,
        }
    }

    #[test]
    fn who_may_be_as_good_as_a_mix_reaches_it_and_who_may_not_stays_below() {
        let all = [
            standing(0.0, 0.4, 0.5),
            standing(4.0, 0.8, 0.9),
            standing(2.0, 0.5, 0.7),
            standing(2.0, 0.3, 0.5),
        ];
        let found = raised(&all);
        assert!((found[2] - 0.6).abs() < 1e-3, "{found:?}");
        assert!((found[3] - 0.5).abs() < 1e-6, "{found:?}");
        // The best of their cost are what they are.
        assert!((found[0] - 0.4).abs() + (found[1] - 0.8).abs() < 1e-6);
    }

    #[test]
    fn a_dearer_candidate_that_may_be_as_good_as_the_best_is_a_little_better() {
        let all = [standing(0.0, 0.8, 0.9), standing(3.0, 0.7, 0.9)];
        let found = raised(&all);
        assert!(found[1] > 0.8 && found[1] < 0.805, "{found:?}");
    }

    #[test]
    fn of_two_for_the_same_cost_the_better_goes_before() {
        let all = [standing(2.0, 0.6, 0.9), standing(2.0, 0.7, 0.9)];
        let found = raised(&all);
        assert!(
            found[0] < found[1] && (found[1] - 0.7).abs() < 1e-6,
            "{found:?}"
        );
    }

    #[test]
    fn without_a_cost_nobody_takes_part() {
        let mut all = [
            standing(1.0, 0.9, 0.9),
            standing(0.0, 0.1, 0.9),
            standing(2.0, 0.2, 0.8),
        ];
        all[0].cost = None;
        let found = raised(&all);
        assert!(
            (found[0] - 0.9).abs() < 1e-6 && found[2] < 0.21,
            "{found:?}"
        );
        assert!(raised(&[]).is_empty());
    }

    /// The law that lets the router's own choice be what it was, and another's tradeoff come past everybody.
    #[test]
    fn no_weight_of_the_logarithm_of_cost_finds_anybody_better_than_before() {
        let mut state = 7_u64;
        let mut draw = || {
            state = crate::arithmetic::mixed(state.wrapping_add(0x9e37_79b9_7f4a_7c15));
            f32::from(u16::try_from(state >> 48).unwrap()) / 65_536.0
        };
        for _ in 0..200 {
            let all: Vec<Standing> = (0..9)
                .map(|_| standing(draw() * 8.0, draw(), draw()))
                .collect();
            let found = raised(&all);
            for step in 1..40_u8 {
                let weight = RISE + f32::from(step) * 0.01;
                let best =
                    |of: &dyn Fn(usize) -> f32| (0..all.len()).map(of).fold(f32::MIN, f32::max);
                let cost = |at: usize| weight * all[at].cost.unwrap();
                let before = best(&|at| all[at].quality - cost(at));
                let now = best(&|at| found[at] - cost(at));
                assert!((now - before).abs() < 1e-5, "{now} {before} {all:?}");
            }
            for (one, found) in all.iter().zip(&found) {
                assert!(*found >= one.quality && *found <= one.quality.max(one.most));
            }
        }
    }
}
