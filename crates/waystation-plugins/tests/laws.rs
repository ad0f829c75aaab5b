//! Laws of the repair of JSON: over any text, over valid JSON, over JSON that was damaged.

use proptest::prelude::*;
use serde_json::{Map, Value};
use waystation_core::Json;
use waystation_plugins::{Outcome, heal};

/// JSON objects of modest size; keys and texts without what a damage below would touch.
fn any_container() -> impl Strategy<Value = Value> {
    let text = "[a-zA-Z][a-zA-Z ]{0,8}[a-z]";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i32>().prop_map(Value::from),
        text.prop_map(Value::String),
    ];
    let tree = leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            members(inner),
        ]
    });
    members(tree)
}

fn members(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let pairs = prop::collection::vec(("[a-z]{1,6}", value), 1..4);
    pairs.prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>()))
}

fn keys(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| keys(item, into)),
        Value::Object(members) => {
            for (key, value) in members {
                into.push(key.clone());
                keys(value, into);
            }
        }
        _ => {}
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// Text that is nearly JSON.
const NEARLY: &str = "(\\{\"?[a-c]\"?[:=] ?[\"'\\[{]?[a-c1, ]{0,6}[\"'\\]}]?,?){0,6}";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Any text at all: no panic; what is mended is JSON; what is not is the same.
    #[test]
    fn any_text_is_mended_to_json_or_left_alone(
        text in prop_oneof!["\\PC{0,60}", "[\\[\\]{}()\"'`:,.\\\\/*# \\na1-]{0,60}", NEARLY],
    ) {
        let healed = heal(&text, None);
        match healed.outcome {
            Outcome::Mended => prop_assert!(Json::parse(healed.text.as_bytes()).is_ok(), "{}", healed.text),
            Outcome::Untouched | Outcome::Failed => prop_assert_eq!(&*healed.text, text.as_str()),
        }
    }

    /// What was mended needs no mending.
    #[test]
    fn mending_twice_is_mending_once(text in "[\\[\\]{}\"':,a-c1 \\n]{0,60}") {
        let once = heal(&text, None);
        prop_assume!(once.outcome == Outcome::Mended);
        let once = once.text.into_owned();
        let twice = heal(&once, None);
        prop_assert_eq!(twice.outcome, Outcome::Untouched);
        prop_assert_eq!(&*twice.text, once.as_str());
    }

    /// Every key of the result stands in the text.
    #[test]
    fn no_key_is_invented(text in prop_oneof!["[\\[\\]{}\"':,a-c1 \\n]{0,60}", NEARLY]) {
        let healed = heal(&text, None);
        prop_assume!(healed.outcome == Outcome::Mended);
        let mut found = Vec::new();
        keys(&parsed(&healed.text), &mut found);
        for key in found {
            prop_assert!(text.contains(&key), "{key:?} is not in {text:?}");
        }
    }

    /// Valid JSON comes back byte for byte, however it is laid out.
    #[test]
    fn valid_json_is_the_same_byte_for_byte(value in any_container(), pretty in any::<bool>()) {
        let write = if pretty { serde_json::to_string_pretty } else { serde_json::to_string };
        let text = write(&value).expect("JSON");
        let healed = heal(&text, None);
        prop_assert_eq!(healed.outcome, Outcome::Untouched);
        prop_assert_eq!(&*healed.text, text.as_str());
    }

    /// Wrapping and light damage do not change what was said.
    #[test]
    fn the_usual_damage_is_undone(value in any_container(), damage in 0_usize..9) {
        let text = serde_json::to_string(&value).expect("JSON");
        let body = text.strip_suffix('}').expect("an object");
        let damaged = match damage {
            0 => format!("```json\n{text}\n```"),
            1 => format!("Sure, here it is:\n\n{text}\n\nAnything else?"),
            2 => format!("<think>maybe {{\"x\": 1}}</think>\n{text}"),
            3 => format!("{body},}}"),
            4 => body.to_owned(),
            5 => format!("{text}}}"),
            6 => text.replace('"', "'"),
            7 => format!("{text}<|im_end|>"),
            _ => format!("// the answer\n{text} /* end */"),
        };
        let healed = heal(&damaged, None);
        prop_assert_eq!(healed.outcome, Outcome::Mended, "{}", damaged);
        prop_assert_eq!(parsed(&healed.text), value, "{}", damaged);
    }

    /// A schema never makes a required member appear.
    #[test]
    fn a_missing_member_is_a_failure(value in any_container()) {
        let schema = br#"{"type": "object", "required": ["Missing member"]}"#;
        let schema = Json::parse(schema).expect("JSON");
        let text = serde_json::to_string(&value).expect("JSON");
        prop_assert_eq!(heal(&text, Some(schema)).outcome, Outcome::Failed);
    }
}

/// Texts that make guessing dear.
#[test]
fn hostile_texts_end() {
    let size = 20_000;
    for text in [
        "[".repeat(size),
        "{\"a\":".repeat(size),
        "{\"".repeat(size),
        "\"".repeat(size),
        format!("{{\"a\": \"{}", "\" x ".repeat(size)),
        format!("[{}", "\"a\" ".repeat(size)),
        format!("{{\"a\": {}", "b, ".repeat(size)),
        "```".repeat(size),
        "{a".repeat(size),
        "a,".repeat(size),
        "(".repeat(size),
        "/*".repeat(size),
        "{ // ".repeat(size),
        "\\".repeat(size),
        "<think>".repeat(size),
        "[1,".repeat(size),
    ] {
        let healed = heal(&text, None);
        if healed.outcome == Outcome::Mended {
            assert!(Json::parse(healed.text.as_bytes()).is_ok());
        }
    }
}

/// Of two objects the first is whole, and only its number is not what the schema asks for: it is converted as in a
/// reply that holds nothing else.
#[test]
fn what_is_valid_beside_what_is_damaged_is_held_to_the_schema_too() {
    let schema =
        r#"{"type": "object", "properties": {"list": {"items": {"type": ["string", "boolean"]}}}}"#;
    let schema = Json::parse(schema.as_bytes()).unwrap();
    let healed = heal(
        "{\"list\": [true,1,\"x\"]}\n{\"list\": [true,]}{",
        Some(schema),
    );
    assert_eq!(healed.outcome, Outcome::Mended);
    assert_eq!(
        heal(&healed.text, Some(schema)).outcome,
        Outcome::Untouched,
        "{healed:?}"
    );
}
