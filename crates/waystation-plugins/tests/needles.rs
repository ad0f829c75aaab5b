//! How many facts middle-out keeps, beside the rule that its name comes from: over conversations that are
//! made here, of several kinds, sizes and languages. What must hold of each one is in `compression.rs`.

use serde_json::{Value, json};
use waystation_core::{Json, TokenCounter, Tokens};
use waystation_plugins::{Engine, Room, compress};

/// Four bytes a token.
#[derive(Debug)]
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

/// Chance from a seed: the generator of Knuth's MMIX.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % bound
    }

    fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }
}

/// Words of four languages, and what stands between them.
const WORDS: [(&str, &str); 4] = [
    (
        "the inspector measured the pump early and found nothing then went back to the store",
        " ",
    ),
    (
        "Der Prüfer hat die Pumpe am Morgen gemessen und nichts gefunden danach ging er zurück",
        " ",
    ),
    (
        "検査員は 朝に ポンプを 測り 何も 見つけず 倉庫へ 戻った",
        "",
    ),
    (
        "قام المفتش بقياس المضخة في الصباح ولم يجد شيئا ثم عاد إلى المخزن",
        " ",
    ),
];

/// What a conversation is made of.
#[derive(Clone, Copy, Debug)]
enum Mix {
    Chat,
    Tools,
    Both,
    /// Both, and now and then a message that is ten times as long.
    Uneven,
}

/// A conversation in the making.
struct Talk {
    chance: Chance,
    language: usize,
    mix: Mix,
    messages: Vec<Value>,
    /// Facts that were said, each a name and a value.
    facts: Vec<(String, String)>,
}

impl Talk {
    fn text(&mut self, low: usize, high: usize) -> String {
        let (words, between) = WORDS.get(self.language).copied().unwrap_or_default();
        let words: Vec<&str> = words.split(' ').collect();
        let long = matches!(self.mix, Mix::Uneven) && self.chance.below(7) == 0;
        let count = self.chance.between(low, high) * if long { 10 } else { 1 };
        let mut sentences: Vec<String> = (0..count)
            .map(|_| {
                let length = self.chance.between(4, 12);
                let said: Vec<&str> = (0..length)
                    .map(|_| {
                        words
                            .get(self.chance.below(words.len()))
                            .copied()
                            .unwrap_or_default()
                    })
                    .collect();
                said.join(between) + ". "
            })
            .collect();
        if self.chance.below(3) == 0 {
            let fact = (
                format!("valve {}", self.facts.len()),
                format!("K-{}", self.chance.between(10_000, 99_999)),
            );
            let at = self.chance.below(sentences.len() + 1);
            sentences.insert(at, format!("{}: {}. ", fact.0, fact.1));
            self.facts.push(fact);
        }
        sentences.concat()
    }

    fn say(&mut self, role: &str, low: usize, high: usize) {
        let text = self.text(low, high);
        self.messages.push(json!({"role": role, "content": text}));
    }

    fn tools(&mut self, step: usize) {
        let ids: Vec<String> = (0..self.chance.between(1, 3))
            .map(|n| format!("call_{step}_{n}"))
            .collect();
        let call = |id: &String| json!({"id": id, "type": "function", "function": {"name": "read", "arguments": "{\"n\": 1}"}});
        let calls: Vec<Value> = ids.iter().map(call).collect();
        self.messages
            .push(json!({"role": "assistant", "content": null, "tool_calls": calls}));
        for id in ids {
            let text = self.text(1, 12);
            self.messages
                .push(json!({"role": "tool", "tool_call_id": id, "content": text}));
        }
    }
}

fn talk(seed: usize, mix: Mix) -> Talk {
    let mut chance = Chance(seed as u64);
    let language = chance.below(WORDS.len());
    let mut talk = Talk {
        chance,
        language,
        mix,
        messages: Vec::new(),
        facts: Vec::new(),
    };
    talk.messages
        .push(json!({"role": "system", "content": "Answer in one line."}));
    talk.say("user", 1, 4);
    for step in 0..talk.chance.between(8, 60) {
        let chats = match mix {
            Mix::Chat => true,
            Mix::Tools => false,
            Mix::Both | Mix::Uneven => talk.chance.below(2) == 0,
        };
        if chats {
            talk.say("assistant", 1, 6);
            talk.say("user", 1, 4);
        } else {
            talk.tools(step);
        }
    }
    if talk
        .messages
        .last()
        .is_some_and(|message| message["role"] == "tool")
    {
        talk.say("assistant", 1, 3);
    }
    talk.messages
        .push(json!({"role": "user", "content": "What now?"}));
    talk
}

fn size(messages: &[Value]) -> u64 {
    let bytes = Value::from(messages.to_vec()).to_string();
    Json::parse(bytes.as_bytes()).map_or(0, |json| waystation_plugins::size(json, &FourBytes).get())
}

/// The rule as it is documented: messages go from the middle, whatever they are, until the rest fits.
fn plain_rule(messages: &[Value], room: u64) -> Vec<Value> {
    let one = |message: &Value| (size(std::slice::from_ref(message)), message.clone());
    let mut left: Vec<(u64, Value)> = messages.iter().map(one).collect();
    while left.iter().map(|(size, _)| size).sum::<u64>() > room && left.len() > 2 {
        left.remove(left.len() / 2);
    }
    left.into_iter().map(|(_, message)| message).collect()
}

/// How many facts are still said, name and value within 300 bytes of each other.
fn kept(facts: &[(String, String)], messages: &[Value]) -> usize {
    let said = |message: &Value| message["content"].as_str().unwrap_or_default().to_owned();
    let said: Vec<String> = messages.iter().map(said).collect();
    let near = |text: &String, (name, value): &(String, String)| {
        text.find(value).is_some_and(|at| {
            let from = text.floor_char_boundary(at.saturating_sub(300));
            text[from..at].contains(&format!("{name}:"))
        })
    };
    facts
        .iter()
        .filter(|fact| said.iter().any(|text| near(text, fact)))
        .count()
}

/// Middle-out keeps more than the plain rule, which also tears calls from their results.
#[test]
fn more_facts_stay_than_by_dropping_from_the_middle_alone() {
    let (mut all, mut ours, mut plain) = (0, 0, 0);
    for mix in [Mix::Chat, Mix::Tools, Mix::Both, Mix::Uneven] {
        let before = (all, ours, plain);
        for seed in 0..20 {
            let mut talk = talk(seed, mix);
            let room = size(&talk.messages) * talk.chance.between(15, 90) as u64 / 100;
            let text = Value::from(talk.messages.clone()).to_string();
            let json = Json::parse(text.as_bytes()).expect("JSON");
            let limits = Room {
                tokens: Tokens::new(room),
                messages: None,
            };
            let fits = compress(json, limits, Engine::MiddleOut, &FourBytes)
                .expect("it fits")
                .expect("it was too long");
            let after: Vec<Value> = serde_json::from_slice(fits.messages.bytes()).expect("JSON");
            all += talk.facts.len();
            ours += kept(&talk.facts, &after);
            plain += kept(&talk.facts, &plain_rule(&talk.messages, room));
        }
        let (facts, ours, plain) = (all - before.0, ours - before.1, plain - before.2);
        println!("{mix:?}: {ours} of {facts} facts stay, {plain} by the plain rule");
        assert!(ours >= plain, "{mix:?}: {ours} and {plain} of {facts}");
    }
    assert!(ours > plain && all > 1_500, "{ours} and {plain} of {all}");
}
