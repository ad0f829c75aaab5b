//! Draws: the default order of endpoints, weighted by the inverse square of the price. Integers and
//! plain float arithmetic only, so that a seed gives the same order on every platform.

use rand_core::Rng;
use rand_pcg::Pcg64Mcg;

/// Where the chance of one plan comes from: the same seed gives the same numbers everywhere.
pub(crate) type Dice = Pcg64Mcg;

/// What a price weighs in a draw: 1 / price². Prices are in any one unit; 0 weighs as 1 does.
pub(crate) fn inverse_square(price: u128) -> f64 {
    // Most prices are within 64 bits, which are several times as fast to convert.
    let price = match u64::try_from(price) {
        Ok(price) => price.max(1) as f64,
        Err(_) => price as f64,
    };
    1.0 / (price * price)
}

/// Moves `from` to the end of `to` by repeated draws without replacement, each by weight. Quadratic
/// in their number; `from` is empty afterwards and may be filled again.
///
/// Source: API contract, section 3.5: at prices 1 and 3, the cheaper is nine times as likely first.
pub(crate) fn by_weight<T>(from: &mut Vec<(f64, T)>, to: &mut impl Extend<T>, rng: &mut Dice) {
    let sum = |left: &[(f64, T)]| left.iter().map(|(weight, _)| weight).sum::<f64>();
    let mut total = sum(from);
    while from.len() > 1 {
        let mut mark = unit(rng) * total;
        let chosen = from.iter().position(|(weight, _)| {
            mark -= weight;
            mark < 0.0
        });
        // Rounding may leave the mark at the very end: then it is the last one.
        let (weight, item) = from.remove(chosen.unwrap_or(from.len() - 1));
        to.extend([item]);
        // What is left of a sum of very unequal weights may be all rounding: it is counted anew.
        total -= weight;
        if total < weight {
            total = sum(from);
        }
    }
    to.extend(from.pop().map(|(_, item)| item));
}

/// A number from 0 to below `end`.
pub(crate) fn below(rng: &mut Dice, end: usize) -> usize {
    // Multiply and shift (Lemire, 2019); the bias is below 2^-32 for the few items that there are.
    let end = u128::try_from(end).unwrap_or(1);
    usize::try_from((u128::from(rng.next_u64()) * end) >> 64).unwrap_or_default()
}

/// A number from 0 to below 1, with 53 random bits.
fn unit(rng: &mut Dice) -> f64 {
    const STEP: f64 = 1.0 / 9_007_199_254_740_992.0;
    (rng.next_u64() >> 11) as f64 * STEP
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng;

    use super::*;

    fn by_inverse_square(prices: &[u128], rng: &mut Dice) -> Vec<usize> {
        let weights = prices.iter().map(|price| inverse_square(*price));
        let mut from = weights.zip(0..).collect();
        let mut to = Vec::new();
        by_weight(&mut from, &mut to, rng);
        assert!(from.is_empty());
        to
    }

    #[test]
    fn prices_one_and_three_are_first_nine_to_one() {
        let first_is_cheap = |seed: &u64| {
            let mut rng = Pcg64Mcg::seed_from_u64(*seed);
            by_inverse_square(&[1_000, 3_000], &mut rng).first() == Some(&0)
        };
        let share = (0..10_000_u64).filter(first_is_cheap).count();
        assert!((8_900..=9_100).contains(&share), "{share}");
    }

    #[test]
    fn orders_are_permutations_whatever_the_prices() {
        let prices = [u128::MAX, 1, 5, 5, u128::from(u64::MAX) * 4];
        for seed in 0..200 {
            let mut rng = Pcg64Mcg::seed_from_u64(seed);
            let mut order = by_inverse_square(&prices, &mut rng);
            order.sort_unstable();
            assert_eq!(order, [0, 1, 2, 3, 4]);
            assert!(below(&mut rng, 7) < 7);
        }
    }

    #[test]
    fn equals_are_drawn_evenly() {
        let first = |seed: u64| by_inverse_square(&[1; 4], &mut Pcg64Mcg::seed_from_u64(seed))[0];
        let share = (0..8_000).filter(|seed| first(*seed) == 2).count();
        assert!((1_850..=2_150).contains(&share), "{share}");
    }
}
