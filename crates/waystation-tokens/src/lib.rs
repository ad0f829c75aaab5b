//! Token counts for prompts: byte bounds that always hold, an average that learns from what providers
//! report, a low count by character class, and exact counts where a vocabulary is published (feature
//! `exact`). Pure: it starts no thread and reads no clock.
//!
//! ```
//! use waystation_core::{TokenCounter, Tokens};
//! use waystation_tokens::ByteBounds;
//!
//! let text = "The quick brown fox jumps over the lazy dog.";
//! let (fewest, most) = ByteBounds.bounds(text.len() as u64);
//! let likely = ByteBounds.count_till(text, Tokens::new(1_000));
//! assert_eq!(likely, Tokens::new(10));
//! assert!(fewest <= likely && likely <= most);
//! ```

mod calibration;
mod class;
mod counts;
#[cfg(feature = "exact")]
mod exact;

pub use calibration::{LEAST_X100, MOST_X100};
use class::{Class, at_most, tokens_of_run};
pub use counts::{Counts, Elsewhere};
#[cfg(feature = "exact")]
pub use exact::Vocabulary;
use waystation_core::{TokenCounter, Tokens};

/// Most bytes that one token stands for.
///
/// The longest tokens of the common byte-pair vocabularies are runs of 128 spaces: `cl100k_base`
/// and `o200k_base`, measured from their published rank files, 2025-08.
pub const MAX_BYTES_PER_TOKEN: u64 = 128;

/// Mean bytes per token of mixed prompts (prose, code, JSON), in hundredths.
///
/// Vendors say "about 4 characters of English" (OpenAI help centre, "What are tokens and how to
/// count them", read 2025-08; Google and Anthropic say the same); code, JSON and other languages
/// run at 3 to 3.6. Between the two lies 3.8.
pub const BYTES_PER_TOKEN_X100: u64 = 380;

/// Counts tokens from bytes and character classes alone.
///
/// - [`bounds`](TokenCounter::bounds) always hold for byte-level vocabularies: a token is at least
///   one byte and at most [`MAX_BYTES_PER_TOKEN`].
/// - [`estimate`](TokenCounter::estimate) is the calibrated average of [`BYTES_PER_TOKEN_X100`].
/// - [`count_till`](TokenCounter::count_till) reads the text once and counts words, numbers,
///   scripts and punctuation the way that current vocabularies cut them. Where it cannot know, it
///   counts low. It keeps to the bounds.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByteBounds;

// === impl ByteBounds ===

impl TokenCounter for ByteBounds {
    fn bounds(&self, bytes: u64) -> (Tokens, Tokens) {
        (
            Tokens::new(bytes.div_ceil(MAX_BYTES_PER_TOKEN)),
            Tokens::new(bytes),
        )
    }

    fn estimate(&self, bytes: u64) -> Tokens {
        // Hundreds first would overflow only above 180 petabytes; saturating keeps that harmless.
        Tokens::new(bytes.saturating_mul(100).div_ceil(BYTES_PER_TOKEN_X100))
    }

    fn count_till(&self, text: &str, limit: Tokens) -> Tokens {
        let mut count = 0_u64;
        let mut run: Option<(Class, u64)> = None;
        for c in text.chars() {
            let class = Class::of(c);
            run = match run {
                Some((same, length)) if same == class => Some((same, length + 1)),
                Some((before, length)) => {
                    count += tokens_of_run(before, length);
                    if count > limit.get() {
                        return Tokens::new(count);
                    }
                    Some((class, 1))
                }
                None => Some((class, 1)),
            };
        }
        if let Some((class, length)) = run {
            count += tokens_of_run(class, length);
        }
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        Tokens::new(count).max(self.bounds(bytes).0)
    }

    fn at_most(&self, json: &[u8], enough: Tokens) -> Tokens {
        Tokens::new(at_most(json, enough.get()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NO_LIMIT: Tokens = Tokens::new(u64::MAX);

    /// Texts with their true counts in `o200k_base`, rounded; ours must not be far above.
    #[test]
    fn counts_are_near_and_rather_low() {
        let prose = "Routing decides which endpoints are tried, and in what order. ".repeat(100);
        let counted = ByteBounds.count_till(&prose, NO_LIMIT).get();
        assert!((1_200..=1_400).contains(&counted), "{counted}");
        assert_eq!(ByteBounds.count_till("12345678", NO_LIMIT).get(), 3);
        assert_eq!(ByteBounds.count_till(&" ".repeat(64), NO_LIMIT).get(), 4);
        assert_eq!(ByteBounds.count_till("", NO_LIMIT), Tokens::ZERO);
        assert_eq!(ByteBounds.count_till(" ", NO_LIMIT), Tokens::new(1));
    }

    #[test]
    fn a_long_text_is_read_only_until_the_limit_is_exceeded() {
        let text = "word ".repeat(1_000);
        assert_eq!(
            ByteBounds.count_till(&text, Tokens::new(10)),
            Tokens::new(11)
        );
    }

    #[test]
    fn the_average_is_near_four_bytes() {
        assert_eq!(ByteBounds.estimate(3_800), Tokens::new(1_000));
        assert_eq!(ByteBounds.estimate(0), Tokens::ZERO);
        assert!(ByteBounds.estimate(u64::MAX) > Tokens::ZERO);
    }

    proptest! {
        #[test]
        fn every_count_lies_within_the_bounds(text in "\\PC{0,200}|[ a-z0-9\\n=]{0,300}") {
            let (fewest, most) = ByteBounds.bounds(text.len() as u64);
            let count = ByteBounds.count_till(&text, NO_LIMIT);
            prop_assert!(fewest <= count && count <= most, "{fewest} {count} {most}");
            let estimate = ByteBounds.estimate(text.len() as u64);
            prop_assert!(fewest <= estimate && estimate <= most);
        }

        #[test]
        fn nothing_counts_more_than_at_most(
            text in "\\PC{0,200}|[ a-z0-9\\n=\"\\t\u{0}é漢']{0,900}",
            enough in 0_u64..1_000,
        ) {
            let json = waystation_core::JsonText::of(&text);
            let all = ByteBounds.at_most(json.escaped(), Tokens::ZERO);
            let count = ByteBounds.count_till(&text, NO_LIMIT);
            // Who stops early knows less: another figure that nothing counts more than, and one that is enough.
            let early = ByteBounds.at_most(json.escaped(), Tokens::new(enough));
            prop_assert!(count <= all && count <= early, "{count} {all} {early}");
            prop_assert!(early == all || early.get() <= enough, "{all} {early}");
        }

        #[test]
        fn more_text_is_never_fewer_tokens(a in "[ a-z0-9.]{0,80}", b in "[ a-z0-9.]{0,80}") {
            let whole = ByteBounds.count_till(&format!("{a}{b}"), NO_LIMIT);
            prop_assert!(whole >= ByteBounds.count_till(&a, NO_LIMIT));
        }

        #[test]
        fn the_limit_never_hides_that_it_is_exceeded(text in "[ a-z0-9.]{0,200}", limit in 0_u64..60) {
            let limit = Tokens::new(limit);
            let (cut, whole) = (ByteBounds.count_till(&text, limit), ByteBounds.count_till(&text, NO_LIMIT));
            prop_assert_eq!(cut > limit, whole > limit);
        }
    }
}
