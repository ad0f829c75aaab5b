//! Exact counts, by the published vocabularies (feature `exact`).

#![cfg(feature = "exact")]
#![expect(
    clippy::unwrap_used,
    reason = "ids of tests are legal, and vocabularies are loaded before they count"
)]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use proptest::prelude::*;
use waystation_core::{ModelId, TokenCounter, Tokens};
use waystation_tokens::{ByteBounds, Counts, Vocabulary};

const NO_LIMIT: Tokens = Tokens::new(u64::MAX);
const BOTH: [Vocabulary; 2] = [Vocabulary::Cl100k, Vocabulary::O200k];

fn exact(vocabulary: Vocabulary, text: &str) -> u64 {
    vocabulary.load();
    vocabulary.count_till(text, NO_LIMIT).unwrap().get()
}

fn model(id: &str) -> ModelId {
    id.parse().unwrap()
}

/// Counts that the authors of the vocabularies print. Source: OpenAI cookbook, "How to count tokens with
/// tiktoken", read 2026-08.
#[test]
fn known_texts_have_their_known_counts() {
    for (text, older, newer) in [
        ("", 0, 0),
        ("hello world", 2, 2),
        ("tiktoken is great!", 6, 6),
        ("antidisestablishmentarianism", 6, 6),
        ("2 + 2 = 4", 7, 7),
        ("お誕生日おめでとう", 9, 8),
    ] {
        assert_eq!(exact(Vocabulary::Cl100k, text), older, "{text}");
        assert_eq!(exact(Vocabulary::O200k, text), newer, "{text}");
    }
}

#[test]
fn models_have_the_vocabulary_that_they_were_made_with() {
    for (id, vocabulary) in [
        ("openai/gpt-3.5-turbo-0613", Vocabulary::Cl100k),
        ("openai/gpt-4", Vocabulary::Cl100k),
        ("openai/gpt-4-turbo", Vocabulary::Cl100k),
        ("openai/gpt-4o-mini", Vocabulary::O200k),
        ("openai/gpt-4.1", Vocabulary::O200k),
        ("openai/gpt-5.4", Vocabulary::O200k),
        ("openai/gpt-oss-20b:free", Vocabulary::O200k),
        ("openai/o3", Vocabulary::O200k),
    ] {
        assert_eq!(Vocabulary::of(&model(id), "GPT"), Some(vocabulary), "{id}");
    }
    assert_eq!(Vocabulary::of(&model("acme/fast"), "Claude"), None);
}

/// Each test runs in a process of its own, so that nothing is loaded at its start.
#[test]
fn the_first_question_has_it_loaded_elsewhere_and_waits_for_nothing() {
    if Vocabulary::O200k.is_loaded() {
        println!("skipped: another test of this process has loaded the vocabulary");
        return;
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    let asked = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&asked);
    let counts = Counts::new(Box::new(move |load| {
        seen.fetch_add(1, Ordering::Relaxed);
        sender.send(load).unwrap();
    }));
    let count = |text: &str| counts.exact_till(&model("openai/gpt-5.4"), "GPT", text, NO_LIMIT);
    let other = counts.exact_till(&model("acme/fast"), "Claude", "hello", NO_LIMIT);
    assert_eq!((other, asked.load(Ordering::Relaxed)), (None, 0));
    for _ in 0..3 {
        assert_eq!(count("hello world"), None);
    }
    assert!(!Vocabulary::O200k.is_loaded());
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    receiver.recv().unwrap()();
    assert_eq!(count("hello world"), Some(Tokens::new(2)));
}

/// The low count may be above the exact one by little, and is below it by less than a half, for all
/// that people send.
#[test]
fn the_low_count_is_near_the_exact_one() {
    let texts = [
        "Routing decides which endpoints are tried, and in what order. ".repeat(50),
        "fn main() {\n    let x = vec![1, 2, 3];\n    println!(\"{x:?}\");\n}\n".repeat(50),
        r#"{"id": 1234567, "name": "Widget", "tags": ["a", "b"], "price": 12.50}"#.repeat(50),
        "今天天气很好，我们去公园散步吧。".repeat(50),
        "Ένα γρήγορο καφέ αλεπού πηδάει πάνω από το τεμπέλικο σκυλί. ".repeat(50),
    ];
    for text in texts {
        let low = ByteBounds.count_till(&text, NO_LIMIT).get();
        let exact = exact(Vocabulary::O200k, &text);
        println!("{low} of {exact}: {:.40}", text.replace('\n', " "));
        assert!(
            low * 100 <= exact * 115 && low * 100 >= exact * 50,
            "{low} of {exact}: {text:.40}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bounds_hold_against_the_exact_count(text in "\\PC{0,200}|[ a-z0-9\\n=]{0,300}|[ \\t\\n]{0,300}|a{0,300}") {
        let (fewest, most) = ByteBounds.bounds(text.len() as u64);
        for vocabulary in BOTH {
            let count = Tokens::new(exact(vocabulary, &text));
            prop_assert!(fewest <= count && count <= most, "{fewest} {count} {most}");
        }
    }

    #[test]
    fn counting_stops_early_and_never_hides_that_the_limit_is_exceeded(
        word in "[a-z]{1,8}",
        repeats in 1_usize..6_000,
        limit in 0_u64..6_000,
    ) {
        let text = format!("{word} ").repeat(repeats);
        for vocabulary in BOTH {
            let whole = exact(vocabulary, &text);
            let cut = vocabulary.count_till(&text, Tokens::new(limit)).unwrap().get();
            prop_assert_eq!(cut > limit, whole > limit);
            prop_assert!(cut <= whole);
            // No more than one piece is counted in vain.
            prop_assert!(cut <= limit + 20_000);
        }
    }

    #[test]
    fn words_after_words_are_never_fewer_tokens(a in "[a-z ]{0,200}", b in "( [a-z]{1,10}){0,20}") {
        for vocabulary in BOTH {
            let longer = format!("{a}{b}");
            prop_assert!(exact(vocabulary, &longer) >= exact(vocabulary, a.trim_end()));
        }
    }
}

/// The counts are those of the published tokenizers, as another implementation has them.
fn same_counts(text: &str) -> Result<(), TestCaseError> {
    let theirs = [bpe_openai::cl100k_base(), bpe_openai::o200k_base()];
    for (vocabulary, theirs) in BOTH.into_iter().zip(theirs) {
        let count = u64::try_from(theirs.count(text)).unwrap();
        prop_assert_eq!(
            exact(vocabulary, text),
            count,
            "{:?}: {:?}",
            vocabulary,
            text
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn counts_are_those_of_another_implementation(
        text in "\\PC{0,120}|[ a-zA-Z0-9\\n=.']{0,200}|[ \\t\\n\\r\u{a0}\u{3000}]{0,60}[a-z]|(ab|a|aab|ba){0,80}\
            |[\u{4e00}-\u{9fff}ぁ-ん가-힣]{0,80}|([A-Z][a-z]{0,6}'(s|LL|d|ſ) ?){0,20}|[\u{1f300}-\u{1faff}\u{200d}\u{fe0f}]{0,40}\
            |([{}\\[\\]\",:/]|[a-z_]{1,9}|[0-9]{1,9}| ){0,80}",
    ) {
        same_counts(&text)?;
    }
}

#[test]
fn long_runs_are_counted_like_anything_else() {
    for text in [
        "a".repeat(60_000),
        "ab".repeat(15_000),
        " ".repeat(30_000),
        "\n \t".repeat(5_000),
        "今".repeat(8_000),
        "👩‍👩‍👧‍👦".repeat(2_000),
        "AbstractSingletonProxyFactoryBean".repeat(3_000),
        "=".repeat(20_000),
        "0123456789".repeat(3_000),
    ] {
        same_counts(&text).unwrap();
    }
}
