//! Laws of compression: over any conversation, with either engine, by the project's own counter.

use proptest::prelude::*;
use serde_json::{Value, json};
use waystation_core::{Json, Tokens};
use waystation_plugins::{Engine, Room, TooLong, compress, size};
use waystation_tokens::ByteBounds;

/// Words, with some that are easily torn: joined emoji, marks, other scripts.
const WORDS: &str = "([a-z]{1,9}[ .\n]|👩‍👩‍👧‍👦 |e\u{301}t\u{e9} |한국어 |これは|नमस्ते ){0,60}";

#[derive(Clone, Debug)]
enum Turn {
    User(String),
    Assistant(String),
    Tools(Vec<String>),
    Image(String),
    System(String),
    Thinking(String),
}

fn any_turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        4 => WORDS.prop_map(Turn::User),
        4 => WORDS.prop_map(Turn::Assistant),
        3 => prop::collection::vec(WORDS, 1..3).prop_map(Turn::Tools),
        1 => WORDS.prop_map(Turn::Image),
        1 => "[a-z ]{0,30}".prop_map(Turn::System),
        1 => WORDS.prop_map(Turn::Thinking),
    ]
}

fn written(turns: &[Turn]) -> Vec<Value> {
    let mut messages = Vec::new();
    for (at, turn) in turns.iter().enumerate() {
        match turn {
            Turn::User(text) => messages.push(json!({"role": "user", "content": text})),
            Turn::Assistant(text) => {
                messages.push(json!({"role": "assistant", "content": text, "x": at}))
            }
            Turn::System(text) => messages.push(json!({"role": "system", "content": text})),
            Turn::Image(text) => messages.push(json!({"role": "user", "content": [
                {"type": "text", "text": text},
                {"type": "image_url", "image_url": {"url": "https://a.b/c.png"}},
            ]})),
            Turn::Thinking(text) => messages.push(json!({"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": text},
            ]})),
            Turn::Tools(results) => {
                let id = |n: usize| format!("call_{at}_{n}");
                let calls: Vec<Value> = (0..results.len())
                    .map(|n| json!({"id": id(n), "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}))
                    .collect();
                messages.push(json!({"role": "assistant", "content": null, "tool_calls": calls}));
                for (n, result) in results.iter().enumerate() {
                    messages
                        .push(json!({"role": "tool", "tool_call_id": id(n), "content": result}));
                }
            }
        }
    }
    messages
}

fn role(message: &Value) -> &str {
    message["role"].as_str().unwrap_or_default()
}

/// Whether every result follows its call and every call has its results.
fn paired(messages: &[Value]) -> bool {
    let mut open: Vec<&str> = Vec::new();
    for message in messages.iter().filter(|message| role(message) != "system") {
        if let Some(id) = message["tool_call_id"].as_str() {
            let Some(at) = open.iter().position(|call| *call == id) else {
                return false;
            };
            open.remove(at);
            continue;
        }
        if !open.is_empty() {
            return false;
        }
        let calls = message["tool_calls"].as_array().into_iter().flatten();
        open.extend(calls.filter_map(|call| call["id"].as_str()));
    }
    open.is_empty()
}

/// Whether a message has a text that is not empty, or something else than text.
fn says_something(message: &Value) -> bool {
    let spoken = |text: &Value| text.as_str().is_some_and(|text| !text.is_empty());
    let mut parts = message["content"].as_array().into_iter().flatten();
    spoken(&message["content"])
        || !message["tool_calls"].is_null()
        || parts.any(|part| part["type"] != "text" || spoken(&part["text"]))
}

/// What a message takes by itself.
fn taken(message: &Value) -> u64 {
    let text = Value::from(vec![message.clone()]).to_string();
    Json::parse(text.as_bytes()).map_or(0, |messages| size(messages, &ByteBounds).get())
}

/// The first question and the last message are as they were where they are short for the room, and
/// keep their ends and their pictures in any case.
fn ends_stay(before: &[Value], after: &[Value], room: Room) -> Result<(), TestCaseError> {
    let spoken = |list: &[Value]| -> Vec<Value> {
        let others = list.iter().filter(|message| role(message) != "system");
        others.cloned().collect()
    };
    let (old, new) = (spoken(before), spoken(after));
    if let (Some(old), Some(new)) = (old.last(), new.last()) {
        let tokens = room.tokens.get();
        let system: u64 = before
            .iter()
            .filter(|m| role(m) == "system")
            .map(taken)
            .sum();
        if role(old) != "tool" && system + taken(old) * 2 + 64 < tokens / 2 {
            prop_assert_eq!(old, new, "the last message stays whole");
        }
        let images = |message: &Value| message.to_string().matches("image_url").count();
        prop_assert_eq!(images(old), images(new), "with its pictures");
        let end = |message: &Value| {
            let text = message["content"].as_str().unwrap_or_default();
            text.trim_end().chars().next_back()
        };
        // A result of a tool may shrink to a sign.
        if role(old) != "tool" {
            prop_assert_eq!(end(old), end(new), "and its end");
        }
    }
    let first = |list: &[Value]| list.iter().find(|m| role(m) == "user").cloned();
    if let Some(old) = first(before) {
        let system: u64 = before
            .iter()
            .filter(|m| role(m) == "system")
            .map(taken)
            .sum();
        if room.messages.is_none() && system + taken(&old) * 4 < room.tokens.get() / 4 {
            prop_assert_eq!(Some(old), first(after), "the first question stays whole");
        }
    }
    if new.first().is_some_and(|message| role(message) == "tool") {
        let before = old.first().map(role);
        prop_assert_eq!(before, Some("tool"), "no result begins a conversation");
    }
    Ok(())
}

fn holds(before: &[Value], after: &[Value], room: Room) -> Result<(), TestCaseError> {
    let of = |wanted: &str, list: &[Value]| -> Vec<Value> {
        list.iter()
            .filter(|message| role(message) == wanted)
            .cloned()
            .collect()
    };
    prop_assert_eq!(
        of("system", before),
        of("system", after),
        "the operator's words stay"
    );
    prop_assert!(paired(after), "calls and results stay together: {after:?}");
    prop_assert!(room.messages.is_none_or(|most| after.len() <= most));
    let last = |list: &[Value]| {
        list.iter()
            .rev()
            .find(|m| role(m) != "system")
            .map(|m| role(m).to_owned())
    };
    prop_assert_eq!(last(before), last(after));
    ends_stay(before, after, room)?;
    for message in after {
        prop_assert!(
            says_something(message) || before.contains(message),
            "{message}"
        );
        let same = |old: &Value| {
            let bare = |message: &Value| {
                let members = message.as_object().into_iter().flatten();
                let kept = members.filter(|(key, _)| *key != "content");
                kept.map(|(key, value)| (key.clone(), value.clone()))
                    .collect::<Vec<_>>()
            };
            bare(old) == bare(message)
        };
        prop_assert!(
            before.iter().any(same),
            "nothing but texts is changed: {message}"
        );
        let parts = message["content"].as_array().into_iter().flatten();
        for part in parts.filter(|part| part["type"] != "text") {
            let known = before
                .iter()
                .filter_map(|old| old["content"].as_array())
                .flatten();
            prop_assert!(known.into_iter().any(|old| old == part), "{part}");
        }
        let whole = !message.to_string().contains(char::REPLACEMENT_CHARACTER);
        prop_assert!(whole);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_invariants_hold(
        turns in prop::collection::vec(any_turn(), 1..24),
        share in 1_u64..110,
        most in prop::option::of(8_usize..40),
        extract in any::<bool>(),
    ) {
        let before = written(&turns);
        let text = Value::from(before.clone()).to_string();
        let messages = Json::parse(text.as_bytes()).expect("JSON");
        let whole = size(messages, &ByteBounds);
        let room = Room { tokens: Tokens::new(whole.get() * share / 100), messages: most };
        let engine = if extract { Engine::Extract } else { Engine::MiddleOut };
        match compress(messages, room, engine, &ByteBounds) {
            Ok(None) => {
                prop_assert!(whole <= room.tokens);
                prop_assert!(most.is_none_or(|most| before.len() <= most));
            }
            Ok(Some(fits)) => {
                prop_assert_eq!(Ok(Some(fits.clone())), compress(messages, room, engine, &ByteBounds));
                prop_assert!(fits.tokens_after <= room.tokens);
                prop_assert_eq!(size(fits.messages.json(), &ByteBounds), fits.tokens_after);
                let after: Vec<Value> = serde_json::from_slice(fits.messages.bytes()).expect("JSON");
                prop_assert_eq!((fits.before, fits.after), (before.len(), after.len()));
                holds(&before, &after, room)?;
                let again = compress(fits.messages.json(), room, engine, &ByteBounds);
                prop_assert_eq!(again, Ok(None), "twice is once");
            }
            Err(TooLong { least, .. }) => {
                prop_assert!(least > room.tokens || most.is_some());
            }
        }
    }
}

#[test]
fn a_cut_keeps_both_ends_and_whole_characters() {
    let long = format!("begin {} end", "👩‍👩‍👧‍👦e\u{301}한".repeat(400));
    let text = json!([{"role": "user", "content": long}]).to_string();
    let messages = Json::parse(text.as_bytes()).expect("JSON");
    let room = Room {
        tokens: Tokens::new(300),
        messages: None,
    };
    let fits = compress(messages, room, Engine::MiddleOut, &ByteBounds)
        .expect("fits")
        .expect("cut");
    let after: Vec<Value> = serde_json::from_slice(fits.messages.bytes()).expect("JSON");
    let kept = after[0]["content"].as_str().expect("text");
    assert!(
        kept.starts_with("begin ") && kept.ends_with(" end"),
        "{kept}"
    );
    let (head, tail) = kept.split_once("\n[...]\n").expect("a mark");
    assert!(long.starts_with(head) && long.ends_with(tail));
    assert!(
        !tail.starts_with(['\u{301}', '\u{200d}']) && !head.ends_with('\u{200d}'),
        "{kept}"
    );
    assert_eq!(fits.shortened, 1);
}

/// A picture cannot be cut; where the first question has one and it would be the refusal of the whole, it goes.
#[test]
fn a_first_question_that_is_too_dear_is_given_up() {
    let picture = |text: &str| {
        json!({"role": "user", "content": [
            {"type": "text", "text": text},
            {"type": "image_url", "image_url": {"url": "https://a.b/c.png"}},
        ]})
    };
    let text = json!([
        {"role": "system", "content": "Be brief."},
        picture("What is this?"),
        {"role": "assistant", "content": "A valve."},
        {"role": "user", "content": "And what for?"},
        {"role": "assistant", "content": "For the boiler."},
        picture("And this?"),
    ]);
    let text = text.to_string();
    let messages = Json::parse(text.as_bytes()).expect("JSON");
    let fit = |tokens| {
        let room = Room {
            tokens: Tokens::new(tokens),
            messages: None,
        };
        compress(messages, room, Engine::MiddleOut, &ByteBounds)
    };
    let fits = fit(1_000).expect("it fits").expect("it was too long");
    let after: Vec<Value> = serde_json::from_slice(fits.messages.bytes()).expect("JSON");
    let before: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    assert_eq!(after, [&before[..1], &before[3..]].concat());
    let refused = fit(700).expect_err("the last picture is too dear as well");
    assert!(refused.least > refused.room);
}
