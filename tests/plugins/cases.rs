//! The shared sets of cases, where they are at hand: repairs of JSON, and conversations to compress.
//! Bars are those of the project's issue on plugins; figures are printed.

use std::{collections::BTreeMap, fs};

use serde_json::Value;
use waystation_core::{Json, TokenCounter, Tokens};
use waystation_plugins::{Engine, Outcome, Room, compress, heal};
use waystation_tests::shared;

/// Lines of JSON; those that spell what no Rust string can hold are left out.
fn lines(part: &str) -> Vec<(String, Value)> {
    let Some(path) = shared(part) else {
        return Vec::new();
    };
    let text = fs::read_to_string(path).expect("a file of cases");
    let read = |line: &str| Some((line.to_owned(), serde_json::from_str(line).ok()?));
    text.lines().filter_map(read).collect()
}

/// JSON values, numbers by value.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let held = |(key, a): (&String, &Value)| b.get(key).is_some_and(|b| same(a, b));
            a.len() == b.len() && a.iter().all(held)
        }
        _ => a == b,
    }
}

#[test]
fn repairs_of_json_reach_their_bars() {
    let mut tally: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (_, case) in lines("plugins/json-repair/dev.jsonl") {
        let text = |key: &str| case[key].as_str().unwrap_or_default();
        let group = match (text("cls"), text("tier")) {
            ("own noharm", _) => "unharmed".to_owned(),
            (_, "schema") => format!(
                "schema {}",
                text("source").split(':').next().unwrap_or_default()
            ),
            (_, tier) => tier.to_owned(),
        };
        let schema = Some(&case["schema"])
            .filter(|schema| !schema.is_null())
            .map(Value::to_string);
        let schema = schema
            .as_deref()
            .map(|schema| Json::parse(schema.as_bytes()).expect("a schema"));
        let healed = heal(text("input"), schema);
        let good = match (healed.outcome, case["repairable"].as_bool()) {
            (Outcome::Failed, repairable) => {
                repairable == Some(false) && healed.text == text("input")
            }
            (_, Some(false)) => false,
            (outcome, _) => {
                let value: Value = serde_json::from_str(&healed.text).expect("JSON");
                let unharmed = group != "unharmed" || outcome == Outcome::Untouched;
                unharmed && same(&value, &case["expected"])
            }
        };
        let entry = tally.entry(group).or_default();
        *entry = (entry.0 + usize::from(good), entry.1 + 1);
    }
    for (group, (good, all)) in &tally {
        println!("{group}: {good} of {all}");
    }
    for (group, percent) in [
        ("core", 95),
        ("schema own", 85),
        ("schema json_repair", 85),
        ("schema baml", 60),
        ("negative", 92),
        ("unharmed", 100),
    ] {
        if let Some((good, all)) = tally.get(group) {
            assert!(
                good * 100 >= all * percent,
                "{group}: {good} of {all}, expected {percent} %"
            );
        }
    }
}

/// The counter of record of the set: four bytes a token.
struct FourBytes;

impl TokenCounter for FourBytes {
    fn bounds(&self, bytes: u64) -> (Tokens, Tokens) {
        (Tokens::new(bytes / 128), Tokens::new(bytes))
    }

    fn estimate(&self, bytes: u64) -> Tokens {
        Tokens::new(bytes.div_ceil(4))
    }

    fn count_till(&self, text: &str, _: Tokens) -> Tokens {
        self.estimate(text.len() as u64)
    }
}

/// All text of a message.
fn said(message: &Value) -> String {
    let part = |part: &Value| {
        let text = ["text", "thinking", "content"]
            .iter()
            .find_map(|key| part[key].as_str());
        text.unwrap_or_default().to_owned()
    };
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(part).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

fn survives(needle: &Value, messages: &[Value]) -> bool {
    let (key, value) = (
        needle["key"].as_str().expect("a key"),
        needle["value"].as_str().expect("a value"),
    );
    messages.iter().map(said).any(|text| {
        text.match_indices(value).any(|(at, _)| {
            let near = |from: usize, to: usize| {
                let (from, to) = (text.floor_char_boundary(from), text.floor_char_boundary(to));
                text[from..to].contains(key)
            };
            near(at.saturating_sub(300), (at + 300).min(text.len()))
        })
    })
}

/// The least that stays of so many facts: for middle-out what the set's own middle-out keeps, which tears
/// calls from their results, as a number (14, 2 and 71) and as a share (of 42, 21 and 96); and what is
/// promised of extract.
fn reaches_its_bar(engine: Engine, group: &str, kept: usize, all: usize) -> bool {
    let no_less = |least: usize, of: usize| kept >= least && kept * of >= least * all;
    match (engine, group) {
        (Engine::Extract, "asked for in the same words") => kept * 100 >= all * 80,
        (Engine::MiddleOut, "asked for in the same words") => no_less(14, 42),
        (Engine::MiddleOut, "asked for in other words") => no_less(2, 21),
        (Engine::MiddleOut, _) => no_less(71, 96),
        (Engine::Extract, _) => true,
    }
}

#[test]
fn compression_keeps_its_invariants_over_the_cases() {
    for engine in [Engine::MiddleOut, Engine::Extract] {
        let mut tally: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for (line, case) in lines("plugins/compression/dev.jsonl") {
            let id = case["id"].as_str().expect("an id");
            let json = Json::parse(line.as_bytes()).expect("JSON");
            let messages = json.at(&["request", "messages"]).expect("messages");
            let room = Room {
                tokens: Tokens::new(case["limit_tokens"].as_u64().expect("a limit")),
                messages: case["max_messages"]
                    .as_u64()
                    .and_then(|most| usize::try_from(most).ok()),
            };
            let before: Vec<Value> = serde_json::from_slice(messages.bytes()).expect("JSON");
            let after: Vec<Value> = match compress(messages, room, engine, &FourBytes) {
                Ok(None) => before.clone(),
                Ok(Some(fits)) => {
                    assert!(fits.tokens_after <= room.tokens, "{id}");
                    let again = compress(fits.messages.json(), room, engine, &FourBytes);
                    assert_eq!(again, Ok(None), "{id}: twice is once");
                    serde_json::from_slice(fits.messages.bytes()).expect("JSON")
                }
                Err(_) => {
                    assert_eq!(case["expect"], "error_or_fit", "{id}");
                    continue;
                }
            };
            assert!(room.messages.is_none_or(|most| after.len() <= most), "{id}");
            let system = |list: &[Value]| -> Vec<Value> {
                list.iter()
                    .filter(|message| message["role"] == "system")
                    .cloned()
                    .collect()
            };
            assert_eq!(system(&before), system(&after), "{id}");
            let end = |list: &[Value]| {
                let text = list.last().map(said).unwrap_or_default();
                text.chars().rev().take(40).collect::<String>()
            };
            assert_eq!(end(&before), end(&after), "{id}");
            assert!(case["expect"] != "noop" || before == after, "{id}");
            for needle in case["needles"].as_array().into_iter().flatten() {
                let group = match (needle["queried"] == true, needle["asked"] == "paraphrase") {
                    (true, false) => "asked for in the same words",
                    (true, true) => "asked for in other words",
                    (false, _) => "not asked for",
                };
                let (kept, all) = tally.entry(group).or_default();
                *kept += usize::from(survives(needle, &after));
                *all += 1;
            }
        }
        for (group, (kept, all)) in &tally {
            println!("{engine:?}: {kept} of {all} {group}");
            assert!(
                reaches_its_bar(engine, group, *kept, *all),
                "{engine:?}: {kept} of {all} {group}"
            );
        }
    }
}
