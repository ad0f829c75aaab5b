//! What a ladder of made-up candidates gives to who sweeps over it. Nothing about prompts.

use super::*;

fn standing(cost: f64, able: f32) -> Standing {
    Standing {
        cost: Some(cost),
        able,
        quality: logistic(able).into(),
    }
}

/// Numbers from 0 to 1 that look like chance.
fn draws() -> impl FnMut() -> f32 {
    let mut state = 7_u64;
    move || {
        state = crate::arithmetic::mixed(state.wrapping_add(0x9e37_79b9_7f4a_7c15));
        f32::from(u16::try_from(state >> 48).unwrap()) / 65_536.0
    }
}

/// Candidates at costs over three powers of ten, whose abilities have nothing to do with them.
fn pool(size: usize, draw: &mut impl FnMut() -> f32) -> Vec<Standing> {
    let cost = |draw: f32| f64::from(exp(draw * 7.0)) * 10_000.0;
    (0..size)
        .map(|_| standing(cost(draw()), draw() * 4.0 - 2.0))
        .collect()
}

/// Who is best where cost counts so much.
fn best(found: &[f64], all: &[Standing], weight: f64) -> usize {
    let worth = |at: &usize| found[*at] - weight * all[*at].cost.unwrap();
    (0..found.len())
        .max_by(|a, b| worth(a).total_cmp(&worth(b)))
        .unwrap()
}

/// The weights that a sweep tries: from 2^-8 to 2^10 of what would make the dearest worth its price, where it is so much
/// better than the worst.
fn weights(all: &[Standing], spread: f64) -> Vec<f64> {
    let costs = || all.iter().filter_map(|one| one.cost);
    let range = costs().fold(f64::MIN, f64::max) - costs().fold(f64::MAX, f64::min);
    let power = |half: i32| f64::from(half).mul_add(0.5, 0.0).exp2();
    let some = (-16..21).map(|half| spread / range * power(half));
    std::iter::once(0.0).chain(some).collect()
}

/// Whatever is thought of the candidates, and whatever is true of them.
#[test]
fn everybody_has_all_prompts_at_some_weight_however_hard_they_are() {
    let mut draw = draws();
    for trial in 0..120 {
        let mut all = pool(2 + trial % 11, &mut draw);
        // Costs that are known: no ability moves them, and no two are the same.
        all.sort_by(|a, b| a.cost.unwrap().total_cmp(&b.cost.unwrap()));
        for at in 1..all.len() {
            let before = all[at - 1].cost.unwrap();
            all[at].cost = all[at].cost.map(|cost| cost.max(before * 1.02));
        }
        let prompts: Vec<Vec<f64>> = [0.05, 0.3, 0.5, 0.8, 0.95]
            .map(|difficulty| ladder(&all, 0.0, difficulty))
            .into();
        for spread in [0.05, 0.2, 0.5] {
            let sweep = weights(&all, spread);
            let cheapest = 0;
            for one in (0..all.len()).filter(|one| *one != cheapest) {
                let has_all = |weight: &f64| {
                    let mut of_each = prompts.iter().map(|found| best(found, &all, *weight));
                    of_each.all(|best| best == one)
                };
                assert!(sweep.iter().any(has_all), "{one} of {all:?}, {spread}");
            }
        }
    }
}

#[test]
fn between_two_candidates_the_harder_prompt_goes_to_the_dearer_first() {
    let all = [standing(1_000.0, 0.0), standing(9_000.0, 1.0)];
    let (easy, hard) = (ladder(&all, 0.2, 0.2), ladder(&all, 0.2, 0.8));
    let gain = |found: &[f64]| found[1] - found[0];
    assert!(gain(&hard) > 2.0 * gain(&easy), "{easy:?} {hard:?}");
}

#[test]
fn qualities_are_from_0_to_1_and_the_dearest_has_the_best_estimate() {
    let mut draw = draws();
    for size in [1, 2, 3, 12, 24, 25, 300] {
        let all = pool(size, &mut draw);
        for difficulty in [0.0, 0.5, 1.0] {
            let found = ladder(&all, DEARER, difficulty);
            assert_eq!(found.len(), size);
            assert!(
                found.iter().all(|one| (-0.001..=1.0).contains(one)),
                "{found:?}"
            );
        }
    }
    let all = [standing(5.0, 1.0), standing(1.0, -1.0)];
    let found = ladder(&all, DEARER, 0.1);
    assert!((found[0] - all[0].quality).abs() < 1e-9, "{found:?}");
}

#[test]
fn of_two_at_the_same_cost_the_abler_stands_above() {
    for dearer in [DEARER, 0.0] {
        let all = [
            standing(1.0, 0.0),
            standing(100.0, 0.9),
            standing(100.2, 0.4),
            standing(400.0, 0.0),
        ];
        let found = ladder(&all, dearer, 0.5);
        assert!(found[1] > found[2] && found[2] > found[0], "{found:?}");
    }
}

/// A catalogue has more candidates than a sweep has weights.
#[test]
fn of_many_the_ablest_of_their_costs_make_the_ladder_and_nobody_stands_above_it() {
    let mut draw = draws();
    let all = pool(200, &mut draw);
    let found = ladder(&all, DEARER, 0.5);
    let places = placed(&all, DEARER);
    let rungs = thinned(&places);
    assert!((8..=RANGES).contains(&rungs.len()), "{}", rungs.len());
    let visited: std::collections::BTreeSet<usize> = weights(&all, 0.3)
        .iter()
        .map(|weight| best(&found, &all, *weight))
        .collect();
    let on_it = |at: &usize| rungs.iter().any(|rung| rung.at == *at);
    assert!(
        visited.iter().all(on_it) && visited.len() > 5,
        "{visited:?}"
    );
    for (one, found) in all.iter().zip(&found) {
        let rung = rungs.iter().any(|rung| all[rung.at] == *one);
        assert!(rung || *found <= one.quality);
    }
}

#[test]
fn without_a_cost_nobody_takes_part_and_where_all_is_free_estimates_stand() {
    let mut all = [standing(1.0, 0.9), standing(3.0, 0.1), standing(2.0, 0.2)];
    all[0].cost = None;
    let found = ladder(&all, DEARER, 0.5);
    assert!((found[0] - all[0].quality).abs() < 1e-9, "{found:?}");
    assert!(found[1] > found[2]);
    let free = [standing(0.0, 0.9), standing(0.0, 0.1)];
    let found = ladder(&free, DEARER, 0.5);
    assert!((found[0] - free[0].quality).abs() + (found[1] - free[1].quality).abs() < 1e-9);
    assert!(ladder(&[], DEARER, 0.5).is_empty());
}
