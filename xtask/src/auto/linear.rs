//! Fits linear heads: hardness by least squares with a penalty, tasks by logistic regression over
//! shuffled rows.

use waystation_auto::row;

use super::{network::small, perturbation::Dice};

/// Ridge regression of `wanted` on `inputs`; the last weight is the constant. The penalty is per row.
pub(crate) fn ridge(inputs: &[&[f32]], wanted: &[f32], penalty: f64) -> Vec<f32> {
    let width = inputs[0].len() + 1;
    let mut table = vec![vec![0.0_f64; width + 1]; width];
    for (input, wanted) in inputs.iter().zip(wanted) {
        let whole: Vec<f64> = input.iter().copied().chain([1.0]).map(f64::from).collect();
        for (line, value) in table.iter_mut().zip(&whole) {
            for (cell, other) in line.iter_mut().zip(&whole) {
                *cell += value * other;
            }
            line[width] += value * f64::from(*wanted);
        }
    }
    for (at, line) in table.iter_mut().enumerate().take(width - 1) {
        line[at] += penalty * f64::from(small(inputs.len()));
    }
    solve(&mut table)
}

/// Gauss's elimination; the table is positive definite, so that no pivot is nothing.
fn solve(table: &mut [Vec<f64>]) -> Vec<f32> {
    let width = table.len();
    for at in 0..width {
        let pivot = table[at].clone();
        for line in table.iter_mut().skip(at + 1) {
            let factor = line[at] / pivot[at];
            for (cell, above) in line.iter_mut().zip(&pivot).skip(at) {
                *cell -= factor * above;
            }
        }
    }
    let mut solved = vec![0.0_f64; width];
    for at in (0..width).rev() {
        let known: f64 = (at + 1..width)
            .map(|other| table[at][other] * solved[other])
            .sum();
        solved[at] = (table[at][width] - known) / table[at][at];
    }
    #[expect(clippy::cast_possible_truncation, reason = "weights are stored as f32")]
    solved.into_iter().map(|weight| weight as f32).collect()
}

/// Logistic regression over several classes.
pub(crate) fn classes(rows: &[(&[f32], usize, f32)], classes: usize, seed: u64) -> Vec<Vec<f32>> {
    const EPOCHS: usize = 60;
    const DECAY: f32 = 0.000_3;
    let width = rows[0].0.len();
    let mut heads = vec![vec![0.0_f32; width + 1]; classes];
    let mut dice = Dice::new(seed);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    for epoch in 0..EPOCHS {
        for last in (1..order.len()).rev() {
            order.swap(last, dice.below(last + 1));
        }
        let rate = 0.05 / (1.0 + small(epoch) * 0.15);
        for at in &order {
            let (input, class, weight) = rows[*at];
            let logits: Vec<f32> = heads.iter().map(|head| row(head, input)).collect();
            let most = logits.iter().copied().fold(f32::MIN, f32::max);
            let powers: Vec<f32> = logits.iter().map(|logit| (logit - most).exp()).collect();
            let all: f32 = powers.iter().sum();
            for (place, head) in heads.iter_mut().enumerate() {
                let wanted = if place == class { 1.0 } else { 0.0 };
                let error = (powers[place] / all - wanted) * weight * rate;
                for (weight, value) in head.iter_mut().zip(input) {
                    *weight -= error * value + DECAY * rate * *weight;
                }
                head[width] -= error;
            }
        }
    }
    heads
}
