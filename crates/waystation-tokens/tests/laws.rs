//! Laws of counts: bounds hold against the exact count, counting stops early and never hides that a
//! limit is exceeded, more text is never fewer tokens, and what is learned stays within its bounds.

#![expect(
    clippy::unwrap_used,
    reason = "ids of tests are legal, and vocabularies are loaded before they count"
)]

use proptest::prelude::*;
use waystation_core::{ModelId, TokenCounter, Tokens};
use waystation_tokens::{Counts, LEAST_X100, MOST_X100};

fn counts() -> Counts {
    Counts::new(Box::new(|load| load()))
}

fn model() -> ModelId {
    "acme/fast".parse().unwrap()
}

proptest! {
    #[test]
    fn an_estimate_lies_within_the_bounds_whatever_was_learned(
        reports in proptest::collection::vec((0_u64..2_000_000, 0_u64..2_000_000), 0..40),
        bytes in 0_u64..10_000_000,
    ) {
        let (counts, model) = (counts(), model());
        for (bytes, tokens) in reports {
            counts.learn(&model, bytes, Tokens::new(tokens));
        }
        let (fewest, most) = counts.bounds(bytes);
        let estimate = counts.estimate_of(&model, bytes);
        prop_assert!(fewest <= estimate && estimate <= most);
        let per_token = |x100: u32| Tokens::new((bytes * 100).div_ceil(u64::from(x100)));
        prop_assert!(per_token(MOST_X100) <= estimate && estimate <= per_token(LEAST_X100));
    }

    #[test]
    fn more_bytes_are_never_fewer_tokens(ratio in 1_u64..2_000, a in 0_u64..1 << 40, b in 0_u64..1 << 40) {
        let (counts, model) = (counts(), model());
        counts.learn(&model, ratio * 1_000, Tokens::new(100_000));
        prop_assert!(counts.estimate_of(&model, a + b) >= counts.estimate_of(&model, a));
    }

    #[test]
    fn what_is_reported_again_and_again_is_what_is_estimated(ratio in 100_u64..1_200) {
        let (counts, model) = (counts(), model());
        counts.learn(&model, 380_000, Tokens::new(100_000));
        for _ in 0..200 {
            counts.learn(&model, ratio * 1_000, Tokens::new(100_000));
        }
        let estimate = counts.estimate_of(&model, ratio * 1_000);
        prop_assert_eq!(estimate, Tokens::new(100_000));
    }
}

#[test]
fn models_learn_apart_and_short_prompts_teach_nothing() {
    let (counts, model) = (counts(), model());
    let other: ModelId = "acme/big".parse().unwrap();
    counts.learn(&other, 500, Tokens::new(500));
    assert_eq!(counts.estimate_of(&other, 3_800), Tokens::new(1_000));
    counts.learn(&model, 20_000, Tokens::new(10_000));
    assert_eq!(counts.estimate_of(&model, 3_800), Tokens::new(1_900));
    assert_eq!(counts.estimate_of(&other, 3_800), Tokens::new(1_000));
}

#[test]
fn one_wild_report_moves_a_known_factor_by_an_eighth_at_most() {
    let (counts, model) = (counts(), model());
    counts.learn(&model, 400_000, Tokens::new(100_000));
    counts.learn(&model, 400_000, Tokens::new(1));
    assert_eq!(counts.estimate_of(&model, 500_000), Tokens::new(100_000));
}
