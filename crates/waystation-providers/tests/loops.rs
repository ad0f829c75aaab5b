//! Conversations of the chat wire that went on: the answer that was decoded, put back as a client puts it
//! back, makes the request that the recorded client sent next. The other wires' loops stand with their
//! recordings.
#![cfg(test)]

#[path = "support/heard.rs"]
mod heard;
#[path = "support/recorded.rs"]
mod recorded;
#[path = "support/reply.rs"]
mod reply;
#[path = "support/target.rs"]
mod target;

use std::collections::BTreeMap;

use heard::{in_order, message};
use recorded::{Case, cases};
use reply::{head, read};
use serde_json::{Value, json};
use target::{Host, chat};
use waystation_core::{Quirks, ReasoningReplay};

/// How a recorded host wants earlier reasoning back, as its row in the catalogue says.
fn host(case: &Case) -> Host {
    let quirks = Quirks {
        reasoning_replay: match &*case.provider {
            "openrouter" | "gpustack" | "ollama" => ReasoningReplay::Details,
            "cerebras" => ReasoningReplay::Reasoning,
            "groq" | "openai" | "azure" | "together" => ReasoningReplay::Drop,
            _ => ReasoningReplay::ReasoningContent,
        },
        takes_reasoning_details: case.provider == "openrouter",
        ..Quirks::default()
    };
    Host::new(&case.provider, "recorded").with(quirks)
}

/// The message as a client keeps it.
fn kept(case: &Case) -> Option<Value> {
    let ask = json!({"messages": [{"role": "user", "content": "Hi"}], "stream": case.streamed()});
    let kind = case.meta["content_type"].as_str().unwrap_or_default();
    let head = head(case.status(), &[("content-type", kind)]);
    let reader = host(case).encode(&chat(&ask.to_string())).reader;
    let (events, ended) = read(reader, &head, case.response.chunks(64));
    ended.ok()?;
    in_order(&case.name, &events);
    Some(message(&events))
}

/// What a message means: arguments as values, reasoning under one name, blocks of it put together; without
/// what says nothing.
fn meaning(message: &Value) -> Value {
    let mut message = message.clone();
    let members = message.as_object_mut().unwrap();
    if let Some(thought) = members.remove("reasoning_content") {
        members.insert("reasoning".into(), thought);
    }
    for call in members
        .get_mut("tool_calls")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let arguments = call["function"]["arguments"].as_str().unwrap();
        call["function"]["arguments"] = serde_json::from_str(arguments).unwrap();
        // A list has places of its own.
        call.as_object_mut().unwrap().remove("index");
        // This client names calls itself that a host gave no name.
        if call["id"]
            .as_str()
            .is_some_and(|id| id.starts_with("pyd_ai_"))
        {
            call.as_object_mut().unwrap().remove("id");
        }
    }
    if let Some(details) = members.remove("reasoning_details") {
        let mut blocks: BTreeMap<u64, Value> = BTreeMap::new();
        for piece in details.as_array().unwrap() {
            let block = blocks.entry(piece["index"].as_u64().unwrap_or_default());
            let block = block.or_insert_with(|| json!({"text": ""}));
            for (key, value) in piece.as_object().unwrap() {
                block[key] = match (key.as_str(), block[key].as_str(), value.as_str()) {
                    ("text", Some(before), Some(more)) => format!("{before}{more}").into(),
                    _ => value.clone(),
                };
            }
        }
        // The blocks say what the text says.
        members.remove("reasoning");
        members.insert("reasoning_details".into(), blocks.into_values().collect());
    }
    members.retain(|key, value| {
        let nothing = value.is_null() || *value == json!([]) || *value == "" || *value == false;
        key == "role" || !nothing
    });
    message
}

#[test]
fn a_decoded_answer_goes_back_as_the_recorded_client_sent_it() {
    let cases = cases("openai-chat", 221);
    let key = |case: &Case| {
        let conversation = case.meta["conversation"].as_str()?;
        let turn = case.meta["turn"].as_u64()?;
        Some((format!("{}/{conversation}", case.provider), turn))
    };
    let turns: BTreeMap<_, &Case> = cases
        .iter()
        .filter_map(|case| Some((key(case)?, case)))
        .collect();
    let mut compared = 0;
    for ((conversation, turn), next) in &turns {
        let before = turns.get(&(conversation.clone(), turn - 1));
        let Some((before, native)) = before.zip(next.request.as_ref()) else {
            continue;
        };
        let Some(kept) = kept(before) else {
            println!("{}: nothing was answered", before.name);
            continue;
        };
        // The answer stands where the conversation had ended.
        let asked = before
            .request
            .as_ref()
            .map(|ask| ask["messages"].as_array().unwrap().len());
        let mut ask = native.clone();
        let messages = ask["messages"].as_array_mut().unwrap();
        let at = asked.unwrap_or(messages.len());
        if messages
            .get(at)
            .is_none_or(|message| message["role"] != "assistant")
        {
            println!("{}: another conversation", next.name);
            continue;
        }
        let recorded = std::mem::replace(&mut messages[at], kept);
        let sent = host(next).encode(&chat(&ask.to_string())).request.body;
        let sent: Value = serde_json::from_slice(&sent).unwrap();
        let (mut found, expected) = (meaning(&sent["messages"][at]), meaning(&recorded));
        let calls = found.get_mut("tool_calls").and_then(Value::as_array_mut);
        for (place, call) in calls.into_iter().flatten().enumerate() {
            if expected["tool_calls"][place].get("id").is_none() {
                call.as_object_mut().unwrap().remove("id");
            }
        }
        assert_eq!(found, expected, "{}", next.name);
        compared += 1;
    }
    println!("{compared} loops");
    assert!(compared >= 27 || cases.is_empty(), "{compared} loops");
}
