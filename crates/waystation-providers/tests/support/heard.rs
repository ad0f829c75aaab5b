//! What a decoded reply comes to, in plain strings and numbers, and the assistant message that a
//! client makes of it for the next turn.

use serde_json::{Value, json};
use waystation_core::{Answer, ChatEvent, Delta, FinishReason, JsonText, RawJson};

/// A decoded reply. A witness of the recorded bytes makes another one, to be equal.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Heard {
    /// Visible text.
    pub(crate) content: String,
    /// Reasoning text.
    pub(crate) reasoning: String,
    /// Refusal text.
    pub(crate) refusal: String,
    /// Seals and signatures of reasoning, in order.
    pub(crate) seals: Vec<String>,
    /// Id, name and arguments of each call.
    pub(crate) calls: Vec<(String, String, String)>,
    /// Addresses of the citations.
    pub(crate) citations: Vec<String>,
    /// How it ended: normalised, and in the upstream's word.
    pub(crate) finish: (String, String),
    /// Prompt, completion, cached and reasoning tokens.
    pub(crate) usage: Option<[Option<u64>; 4]>,
}

fn text(text: Option<JsonText>) -> String {
    text.map(|text| text.decode().into_owned())
        .unwrap_or_default()
}

fn list(list: Option<RawJson>) -> Vec<Value> {
    let list = list.map(|list| serde_json::from_slice(list.bytes()).unwrap());
    list.unwrap_or_default()
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

impl Heard {
    /// What events come to.
    pub(crate) fn of(events: &[ChatEvent]) -> Self {
        let answer = Answer::of(events.iter().cloned());
        assert_eq!(answer.choices.len(), 1, "{answer:?}");
        let choice = &answer.choices[0];
        let finish = choice.finish.as_ref().unwrap();
        let seals = list(choice.reasoning_details()).into_iter();
        let seals = seals.filter_map(|one| string(&one["data"]).or(string(&one["signature"])));
        let citations = list(choice.annotations()).into_iter();
        let count = |tokens: waystation_core::Tokens| tokens.get();
        Self {
            content: text(choice.content()),
            reasoning: text(choice.reasoning()),
            refusal: text(choice.refusal()),
            seals: seals.collect(),
            calls: choice
                .tool_calls
                .iter()
                .map(|call| {
                    let text = |text: &JsonText| text.decode().into_owned();
                    (text(&call.id), text(&call.name), text(&call.arguments()))
                })
                .collect(),
            citations: citations
                .map(|one| {
                    assert_eq!(one["type"], "url_citation");
                    string(&one["url_citation"]["url"]).unwrap()
                })
                .collect(),
            finish: (finish.reason.as_str().into(), text(finish.native.clone())),
            usage: answer.usage.map(|usage| {
                [
                    Some(count(usage.prompt)),
                    Some(count(usage.completion)),
                    usage.cached.map(count),
                    usage.reasoning.map(count),
                ]
            }),
        }
    }
}

/// The message that a client keeps of a reply: pieces of reasoning one behind the other, as they
/// came.
pub(crate) fn message(events: &[ChatEvent]) -> Value {
    let heard = Heard::of(events);
    let details: Vec<Value> = events
        .iter()
        .filter_map(|event| match event {
            ChatEvent::Delta(Delta {
                reasoning_details, ..
            }) => reasoning_details.clone(),
            _ => None,
        })
        .flat_map(|details| list(Some(details)))
        .collect();
    let calls: Vec<Value> = heard
        .calls
        .iter()
        .map(|(id, name, arguments)| {
            json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
        })
        .collect();
    let mut message = json!({"role": "assistant", "content": heard.content});
    if heard.content.is_empty() && !calls.is_empty() {
        message["content"] = Value::Null;
    }
    if !heard.reasoning.is_empty() {
        message["reasoning"] = heard.reasoning.into();
    }
    if !details.is_empty() {
        message["reasoning_details"] = details.into();
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    message
}

/// Start first, the choice ended once and after its pieces, usage last and once; ids and names of
/// calls once, indices counted from 0.
pub(crate) fn in_order(name: &str, events: &[ChatEvent]) {
    let (mut ended, mut calls) = (false, Vec::new());
    for (at, event) in events.iter().enumerate() {
        match event {
            ChatEvent::Start(_) => assert_eq!(at, 0, "{name}"),
            ChatEvent::Delta(delta) => {
                assert!(!ended, "{name}: late piece");
                assert!(!delta.is_empty(), "{name}: empty piece");
                for call in &delta.tool_calls {
                    let fresh = !calls.contains(&call.index);
                    assert_eq!(call.id.is_some(), fresh, "{name}");
                    assert_eq!(call.name.is_some(), fresh, "{name}");
                    if fresh {
                        assert_eq!(call.index as usize, calls.len(), "{name}");
                        calls.push(call.index);
                    }
                }
            }
            ChatEvent::Finish(finish) => {
                assert!(!std::mem::replace(&mut ended, true), "{name}: twice");
                let stopped = finish.reason == FinishReason::Stop;
                assert!(calls.is_empty() || !stopped, "{name}");
            }
            ChatEvent::Usage(_) => assert_eq!(at + 1, events.len(), "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(ended, "{name}");
}
