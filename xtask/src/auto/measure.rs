//! How good an order of prompts is for sending them to a strong or a weak model. The definitions are
//! those of RouteLLM (arXiv 2406.18665), with every cut of the order and ties shared out.

use super::perturbation::Dice;

/// Samples that an interval is taken from.
const SAMPLES: usize = 200;

/// The average share of the gap between the two models that the order recovers; 0.5 is chance.
pub(crate) fn apgr(gains: &[f32], scores: &[f32]) -> f64 {
    let mut order: Vec<usize> = (0..gains.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let total: f64 = gains.iter().copied().map(f64::from).sum();
    let count = f64::from(u32::try_from(gains.len()).unwrap_or(u32::MAX));
    let (mut area, mut sum, mut at) = (0.0, 0.0, 0);
    while at < order.len() {
        let mut end = at;
        let mut gain = 0.0;
        while end < order.len() && scores[order[end]].total_cmp(&scores[order[at]]).is_eq() {
            gain += f64::from(gains[order[end]]);
            end += 1;
        }
        let ties = f64::from(u32::try_from(end - at).unwrap_or(u32::MAX));
        area += ties * (sum + gain / 2.0);
        sum += gain;
        at = end;
    }
    area / count / total
}

/// Where 95 of 100 samples of as many prompts, drawn with replacement, have that share (the bootstrap).
pub(crate) fn interval(gains: &[f32], scores: &[f32]) -> (f64, f64) {
    sampled(gains.len(), |drawn| apgr_of(drawn, gains, scores))
}

/// Where they have the share of one order less that of another, both over the same prompts.
pub(crate) fn lead(gains: &[f32], scores: &[f32], others: &[f32]) -> (f64, f64) {
    let of = |drawn: &[usize], scores: &[f32]| apgr_of(drawn, gains, scores);
    sampled(gains.len(), |drawn| of(drawn, scores) - of(drawn, others))
}

fn apgr_of(drawn: &[usize], gains: &[f32], scores: &[f32]) -> f64 {
    let drawn = drawn.iter().map(|at| (gains[*at], scores[*at]));
    let (gains, scores): (Vec<f32>, Vec<f32>) = drawn.unzip();
    apgr(&gains, &scores)
}

fn sampled(count: usize, figure: impl Fn(&[usize]) -> f64) -> (f64, f64) {
    let mut dice = Dice::new(11);
    let mut found: Vec<f64> = (0..SAMPLES)
        .map(|_| {
            let drawn: Vec<usize> = (0..count).map(|_| dice.below(count)).collect();
            figure(&drawn)
        })
        .collect();
    found.sort_by(f64::total_cmp);
    (found[SAMPLES / 40], found[SAMPLES - 1 - SAMPLES / 40])
}

/// The share of prompts on the same side of the middle before and after.
pub(crate) fn unchanged(before: &[f32], after: &[f32]) -> f64 {
    let mut sorted = before.to_vec();
    sorted.sort_by(f32::total_cmp);
    let middle = sorted[sorted.len() / 2];
    let same = before
        .iter()
        .zip(after)
        .filter(|(a, b)| (**a > middle) == (**b > middle));
    let count = u32::try_from(same.count()).unwrap_or_default();
    f64::from(count) / f64::from(u32::try_from(before.len()).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_a_half_and_the_best_order_is_more() {
        let gains = [1.0, 0.0, 0.0, 1.0];
        assert!((apgr(&gains, &[0.0; 4]) - 0.5).abs() < 1e-9);
        assert!(apgr(&gains, &[1.0, 0.0, 0.0, 1.0]) > 0.7);
        assert!(apgr(&gains, &[0.0, 1.0, 1.0, 0.0]) < 0.3);
        let many: Vec<f32> = (0..400_u16).map(|at| f32::from(at % 3 % 2)).collect();
        let (low, high) = interval(&many, &[0.0; 400]);
        assert!((low - 0.5).abs() < 1e-9 && (high - 0.5).abs() < 1e-9);
        let (low, high) = interval(&many, &many);
        assert!(low > 0.7 && low < high && high < 1.0, "{low} {high}");
        let (least, most) = lead(&many, &many, &[0.0; 400]);
        assert!((least + 0.5 - low).abs() < 1e-9 && (most + 0.5 - high).abs() < 1e-9);
        let (least, most) = lead(&many, &many, &many);
        assert!(least.abs() < 1e-9 && most.abs() < 1e-9);
        assert!((unchanged(&[1.0, 2.0, 3.0], &[1.0, 2.0, 0.0]) - 2.0 / 3.0).abs() < 1e-9);
    }
}
