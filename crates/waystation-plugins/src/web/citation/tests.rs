//! Where citations are found, with offsets that a client can cut by.

use proptest::prelude::*;

use super::*;

fn hits() -> Vec<SearchHit> {
    ["https://a.example/x", "https://b.example/wiki/T_(tea)?q=1"]
        .map(|url| SearchHit {
            url: url.into(),
            title: "T".into(),
            ..SearchHit::default()
        })
        .into()
}

/// The cited pieces of a text.
fn pieces(text: &str) -> Vec<(usize, String)> {
    let of = |cited: Cited| {
        let piece = text.chars().skip(cited.start).take(cited.end - cited.start);
        (cited.hit, piece.collect())
    };
    cited(text, &hits()).into_iter().map(of).collect()
}

#[test]
fn links_and_bare_addresses_are_found() {
    for (text, expected) in [
        (
            "So [a](https://a.example/x).",
            vec![(0, "[a](https://a.example/x)")],
        ),
        (
            "茶は🍵 [日本](https://a.example/x)。",
            vec![(0, "[日本](https://a.example/x)")],
        ),
        (
            "see https://a.example/x, or",
            vec![(0, "https://a.example/x")],
        ),
        (
            "(http://www.a.example/x/)",
            vec![(0, "http://www.a.example/x/")],
        ),
        (
            "https://a.example/x?utm_source=me.",
            vec![(0, "https://a.example/x?utm_source=me")],
        ),
        (
            "出典https://a.example/x。",
            vec![(0, "https://a.example/x")],
        ),
        (
            "[t](https://b.example/wiki/T_(tea)?q=1 \"Tea\") [a](<https://a.example/x>)",
            vec![
                (1, "[t](https://b.example/wiki/T_(tea)?q=1 \"Tea\")"),
                (0, "[a](<https://a.example/x>)"),
            ],
        ),
        (
            "[https://a.example/x](https://a.example/x)",
            vec![(0, "[https://a.example/x](https://a.example/x)")],
        ),
        (
            "[x [y] z](https://a.example/x)",
            vec![(0, "[x [y] z](https://a.example/x)")],
        ),
        ("](https://a.example/x)", vec![(0, "https://a.example/x")]),
        ("https://a.example/xy http https:// http://", vec![]),
    ] {
        let expected: Vec<(usize, String)> = expected
            .into_iter()
            .map(|(hit, text)| (hit, text.to_owned()))
            .collect();
        assert_eq!(pieces(text), expected, "{text}");
    }
}

#[test]
fn every_result_is_annotated_and_those_without_a_place_at_zero() {
    let notes =
        Citations::of(Arc::new(Mutex::new(hits()))).annotations("x [a](https://a.example/x)");
    let expected = concat!(
        r#"[{"type":"url_citation","url_citation":{"url":"https://a.example/x","title":"T","start_index":2,"end_index":26}},"#,
        r#"{"type":"url_citation","url_citation":{"url":"https://b.example/wiki/T_(tea)?q=1","title":"T","start_index":0,"end_index":0}}]"#
    );
    assert_eq!(notes.unwrap().json().text(), expected);
}

#[test]
fn a_character_in_two_escapes_counts_once() {
    let mut stage = Citations::of(Arc::new(Mutex::new(hits())));
    let mut out = Vec::new();
    let piece = |text: &'static str| {
        let quoted = format!("\"{text}\"");
        let whole = bytes::Bytes::from(quoted);
        let text = waystation_core::Json::parse(&whole)
            .unwrap()
            .json_text(&whole)
            .unwrap();
        ChatEvent::text(0, text)
    };
    for text in [r"\ud83c", r"\udf75 https://", r"a.example/x"] {
        stage.event(piece(text), &mut out).unwrap();
    }
    let finish = waystation_core::Finish {
        choice: 0,
        reason: waystation_core::FinishReason::Stop,
        native: None,
    };
    stage.event(ChatEvent::Finish(finish), &mut out).unwrap();
    let Some(ChatEvent::Delta(delta)) = out.get(3) else {
        panic!("{out:?}")
    };
    let notes = delta.annotations.as_ref().unwrap();
    let first = notes.json().elements().next().unwrap();
    let index = |key| first.at(&["url_citation", key]).unwrap().u64().unwrap();
    assert_eq!((index("start_index"), index("end_index")), (2, 21));
}

proptest! {
    /// Any text is safe, offsets lie in it, in order, and cut out what cites.
    #[test]
    fn offsets_cut_out_what_cites(parts in prop::collection::vec(prop_oneof![
        Just("https://a.example/x".to_owned()),
        Just("[".to_owned()), Just("](".to_owned()), Just(")".to_owned()), Just("<".to_owned()),
        Just("(https://b.example/wiki/T_(tea)?q=1)".to_owned()),
        ".{0,8}", "[茶🍵é ]{0,4}",
    ], 0..12)) {
        let text = parts.concat();
        let length = text.chars().count();
        let mut last = 0;
        for cited in cited(&text, &hits()) {
            prop_assert!(cited.start >= last && cited.end > cited.start && cited.end <= length);
            let piece: String = text.chars().skip(cited.start).take(cited.end - cited.start).collect();
            prop_assert!(piece.contains("a.example") || piece.contains("b.example"));
            last = cited.end;
        }
    }
}
