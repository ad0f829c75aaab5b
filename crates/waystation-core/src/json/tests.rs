//! Texts that are JSON and texts that are not, walked and written again. What requests mean is not here.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

#[test]
fn what_serde_json_refuses_is_refused() {
    for bad in [
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":}",
        "{\"a\" 1}",
        "{a:1}",
        "01",
        "1.",
        "-",
        "1e",
        "tru",
        "\"a",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\u{1}\"",
        "[1 2]",
        "{} {}",
        "nul",
        "[}",
        "{]",
        "{\"a\":1,}",
    ] {
        assert!(Json::parse(bad.as_bytes()).is_err(), "{bad:?} passed");
        assert!(
            serde_json::from_str::<serde_json::Value>(bad).is_err(),
            "{bad:?} is fine by serde"
        );
    }
    assert_eq!(Json::parse(b"\"\xff\""), Err(ScanError::Utf8 { at: 1 }));
}

#[test]
fn depth_is_limited_without_recursion() {
    let nest = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(Json::parse(nest(128).as_bytes()).is_ok());
    assert_eq!(
        Json::parse(nest(129).as_bytes()),
        Err(ScanError::TooDeep { at: 128, max: 128 })
    );
    assert!(Json::parse(nest(2_000_000).as_bytes()).is_err());
}

#[test]
fn a_text_of_very_many_values_is_walked_without_notes() {
    let text = format!("[{}[1]]", "{\"a\":[]},".repeat(40_000));
    let mut outline = Outline::default();
    let value = Json::outlined(text.as_bytes(), &mut outline).unwrap();
    assert_eq!((value.notes(), value.elements().count()), (None, 40_001));
    assert_eq!(value.elements().last().unwrap().bytes(), b"[1]");
    let value = Json::outlined(b"[1, [2]]", &mut outline).unwrap();
    assert_eq!((value.notes(), value.elements().count()), (Some(4), 2));
}

#[test]
fn values_share_the_buffer_they_came_from() {
    let body = Bytes::from_static(br#" {"k": "text", "n": [1]} "#);
    let value = Json::parse(&body).unwrap();
    let text = value.get("k").unwrap().json_text(&body).unwrap();
    assert_eq!(text.escaped(), b"text");
    assert_eq!(text.shared().as_ptr(), body[8..].as_ptr());
    assert_eq!(value.get("n").unwrap().raw(&body).bytes(), "[1]");
}

#[test]
fn surrogates_cut_in_two_are_whole_when_joined() {
    let [one, two] = [r#""\ud83d""#, r#""\ude00""#].map(|text| {
        let body = Bytes::from_static(text.as_bytes());
        Json::parse(&body).unwrap().json_text(&body).unwrap()
    });
    assert_eq!(one.decode(), "\u{fffd}");
    assert_eq!(JsonText::join(&[one, two]).decode(), "😀");
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>()
            .prop_filter("finite", |n| n.is_finite())
            .prop_map(Into::into),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec((".*", inner), 0..6)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The view, turned back into a tree.
fn tree(value: Json<'_>) -> serde_json::Value {
    match value.kind() {
        Kind::Array => value.elements().map(tree).collect(),
        Kind::Object => serde_json::Value::Object(
            value
                .members()
                .map(|(key, value)| (key.name().into_owned(), tree(value)))
                .collect(),
        ),
        Kind::String => value.string().unwrap().into_owned().into(),
        _ => serde_json::from_slice(value.bytes()).unwrap(),
    }
}

proptest! {
    #[test]
    fn the_view_sees_what_serde_sees(value in any_json(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let view = Json::parse(text.as_bytes()).unwrap();
        // Read back, since printing and reading a float need not give the same one.
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(tree(view), value);
    }

    #[test]
    fn an_outlined_text_is_walked_like_any_other(
        values in prop::collection::vec(any_json(), 1..4),
        long in "[a-z\"\\\\ ]{0,200}",
        pretty: bool,
    ) {
        // One outline for all texts: nothing of the last one may be left in it.
        let mut outline = Outline::default();
        for value in values {
            let value = serde_json::json!([value, long, [value, {"a": long, "b": [long, value]}], long]);
            let text = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) };
            // Not at the beginning of its memory: places must be those of the text itself.
            let mut whole = b"   ".to_vec();
            whole.extend(text.unwrap());
            let plain = tree(Json::parse(&whole).unwrap());
            let outlined = Json::outlined(&whole, &mut outline).unwrap();
            prop_assert_eq!(&tree(outlined), &plain);
            // A part in other memory.
            let part = outlined.elements().nth(2).unwrap();
            let before: u32 = outlined.elements().take(2).filter_map(Json::notes).sum();
            let (note, copy) = (1 + before, part.bytes().to_vec());
            let copied = Json::part(&copy, &outline, Some(note));
            prop_assert_eq!(tree(copied), plain[2].clone());
        }
    }

    #[test]
    fn decimals_are_the_nearest_floats(text in "(0|[1-9][0-9]{0,17})([.][0-9]{1,17})?") {
        let ours = Json::parse(text.as_bytes()).unwrap().f64().unwrap();
        prop_assert_eq!(ours.to_bits(), text.parse::<f64>().unwrap().to_bits());
    }

    #[test]
    fn whole_numbers_are_read_as_far_as_they_fit(text in "(0|[1-9][0-9]{0,21})") {
        let read = |text: &str| Json::parse(text.as_bytes()).unwrap().u64();
        prop_assert_eq!(read(&text), text.parse().ok());
        prop_assert_eq!(read(&format!("{text}.0")), text.parse().ok());
        prop_assert_eq!(read(&format!("\"{text}\"")), None);
    }

    #[test]
    fn no_input_panics_and_acceptance_agrees_with_serde(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let ours = Json::parse(&bytes).is_ok();
        let theirs = serde_json::from_slice::<Box<serde_json::value::RawValue>>(&bytes).is_ok();
        prop_assert_eq!(ours, theirs);
    }

    /// Wherever the bad byte stands, in a string or outside, before or behind what else is wrong.
    #[test]
    fn what_is_not_utf8_is_told_before_what_is_not_json(
        text in r#"(\["[a-zé漢"\\\\]{0,40}",? ?){0,3}[\[\]{}:]{0,3}"#,
        bad in 0x80_u8..,
        place: prop::sample::Index,
    ) {
        let mut bytes = text.into_bytes();
        bytes.insert(place.index(bytes.len() + 1), bad);
        if let Err(error) = std::str::from_utf8(&bytes) {
            let at = error.valid_up_to();
            prop_assert_eq!(Json::parse(&bytes), Err(ScanError::Utf8 { at }));
        }
    }

    #[test]
    fn near_json_agrees_with_serde(text in r#"[\[\]{}",:0-9a-e.\\u \-truefalsn]{0,24}"#) {
        let ours = Json::parse(text.as_bytes()).is_ok();
        let theirs = serde_json::from_str::<Box<serde_json::value::RawValue>>(&text).is_ok();
        prop_assert_eq!(ours, theirs, "{}", text);
    }

    /// Strings around and above the length at which another search takes over.
    #[test]
    fn long_strings_agree_with_serde(inside in r#"([a-zé ]{0,40}(\\\\|\\"|\\n|\\u00e9|"|\\|\x01|\t)?){0,8}"#) {
        let text = format!("[\"{inside}\", 1, {{\"{inside}\": \"{inside}\"}}]");
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        match Json::parse(text.as_bytes()) {
            Ok(ours) => prop_assert_eq!(tree(ours), theirs.unwrap()),
            Err(_) => prop_assert!(theirs.is_err(), "{}", text),
        }
    }

    #[test]
    fn text_survives_escaping(text in ".*") {
        let escaped = JsonText::of(&text);
        prop_assert_eq!(escaped.decode(), text.as_str());
        let quoted = escaped.quoted();
        let back: String = serde_json::from_slice(quoted.bytes()).unwrap();
        prop_assert_eq!(back, text);
    }
}
