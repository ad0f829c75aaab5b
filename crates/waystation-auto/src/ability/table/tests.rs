//! What the rows of this build say, and how they are found. How abilities are made of them is not tested here.

use super::*;

fn row(id: &str) -> Option<&'static Row> {
    Abilities::bundled().row(id)
}

#[test]
fn rows_are_found_with_and_without_a_date() {
    for name in [
        "gpt-4o-2024-08-06",
        "gpt-4o",
        "claude-3-5-sonnet-20241022",
        "gpt-4-1106-preview",
        "claude-opus-4-6",
    ] {
        assert!(BUNDLED.0.contains_key(name), "{name}");
    }
    assert_eq!(undated("gpt-4o-2024-08-06"), "gpt-4o");
    assert_eq!(undated("claude-3-5-sonnet-20241022"), "claude-3-5-sonnet");
    assert_eq!(undated("o1-mini"), "o1-mini");
    assert_eq!(undated("llama-3-70b"), "llama-3-70b");
    assert_eq!(spelled("acme/Fast_1.5:free"), "fast-1-5");
}

#[test]
fn every_line_of_the_files_is_a_row_with_its_source_and_date() {
    let text = [
        include_str!("../../../data/measured.txt"),
        include_str!("../../../data/abilities.txt"),
        include_str!("../../../data/published.txt"),
    ];
    let all = text.into_iter().flat_map(lines).count();
    assert!(all > 150, "{all}");
    for line in text.into_iter().flat_map(lines) {
        let id = line.split('|').next().unwrap().trim();
        let row = row(&format!("any/{id}")).unwrap_or_else(|| panic!("{line}"));
        assert!(row.source.contains(", 202"), "{line}");
        let general = row.logits[&Field::General.column()];
        assert!((-2.0..5.0).contains(&general), "{line}: {general}");
    }
}

#[test]
fn what_a_model_did_at_one_host_does_not_stand_for_the_model() {
    let rows = "big | 2.00 - - 2.00 - | 0.20 | here, 2026-01-01\nbig@host | 1.00 - 1.00 - - | 0.30 | here, 2026-01-01";
    let known = Abilities::with_outcomes(rows);
    assert!((known.row("acme/big").unwrap().general() - 2.0).abs() < 1e-6);
    assert!(
        row("meta-llama/llama-3.1-70b-instruct")
            .unwrap()
            .knows(Field::Knowledge)
    );
}

#[test]
fn what_is_published_of_a_release_is_not_said_of_an_earlier_one() {
    assert!(row("mistralai/devstral-small-2512").is_some());
    assert_eq!(
        row("anthropic/claude-opus-4.7-fast"),
        row("anthropic/claude-opus-4.7")
    );
    assert!(row("mistralai/devstral-small-2505").is_none());
    assert!(row("anthropic/claude-opus-4.5-20251101").is_some());
}

#[test]
fn published_shares_keep_their_order_on_the_one_scale() {
    let general = |name: &str| {
        row(name)
            .unwrap()
            .ability(Field::Reasoning, 1.0, Compared::Both)
            .mean
    };
    let order = [
        "llama-3.1-8b-instruct",
        "gpt-4.1",
        "claude-sonnet-4",
        "gpt-5",
        "claude-opus-4.7",
    ];
    for pair in order.windows(2) {
        assert!(general(pair[0]) < general(pair[1]), "{pair:?}");
    }
}

#[test]
fn candidates_are_compared_where_all_of_them_were_measured() {
    let rows = |names: &[&str]| -> Vec<&'static Row> {
        names.iter().map(|name| row(name).unwrap()).collect()
    };
    let of = |names: &[&str], field| Compared::of(&rows(names).into_iter(), field);
    let (one, other) = ("gpt-4-1106-preview", "mixtral-8x7b-instruct");
    assert_eq!(of(&[one, other], Field::Knowledge), Compared::Own);
    assert_eq!(of(&[one, "yi-34b-chat"], Field::Knowledge), Compared::Near);
    assert_eq!(
        of(&[one, "gpt-4o-2024-08-06"], Field::Knowledge),
        Compared::Both
    );
    assert_eq!(of(&[one, other], Field::Code), Compared::Both);
    let gap = |compared| {
        let mean = |name| {
            row(name)
                .unwrap()
                .ability(Field::Knowledge, 1.0, compared)
                .mean
        };
        mean(one) - mean("yi-34b-chat")
    };
    assert!(gap(Compared::Near) > gap(Compared::Both));
}
