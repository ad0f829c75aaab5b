//! Every recorded exchange of the dialect, read and written, against a second, small reading of the
//! same bytes by `serde_json`. The recordings lie beside the workspace (`../shared/wire`, or where
//! `WAYSTATION_SHARED` says); without them the tests say that they were skipped.
#![cfg(test)]

#[path = "support/reply.rs"]
mod reply;
#[path = "support/target.rs"]
mod target;
#[path = "support/witness.rs"]
mod witness;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use reply::{head, read};
use serde_json::Value;
use target::{Host, chat};
use waystation_core::{
    Answer, ChatEvent, ChatRequest, FinishReason, Json, Quirks, ReasoningReplay, ReasoningRequest,
    UpstreamError,
};
use witness::Witness;

/// One recorded exchange.
struct Case {
    name: String,
    provider: String,
    meta: Value,
    request: Option<Vec<u8>>,
    response: Vec<u8>,
}

fn shared() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "says where the recordings are")]
    let named = std::env::var("WAYSTATION_SHARED").ok().map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = named.unwrap_or(beside).join("wire/dev");
    if !root.is_dir() {
        println!("skipped: there are no recordings at {}", root.display());
        return None;
    }
    Some(root)
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(of)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}

/// Every recorded exchange of this dialect.
fn cases() -> Vec<Case> {
    let Some(root) = shared() else {
        return Vec::new();
    };
    let mut cases = Vec::new();
    for folder in folders(&root).iter().flat_map(|provider| folders(provider)) {
        let meta: Value =
            serde_json::from_slice(&fs::read(folder.join("meta.json")).unwrap()).unwrap();
        if meta["protocol"] != waystation_providers::OPENAI_CHAT {
            continue;
        }
        let provider = folder.parent().unwrap().file_name().unwrap();
        let provider = provider.to_str().unwrap().to_owned();
        let case = folder.file_name().unwrap().to_str().unwrap();
        cases.push(Case {
            name: format!("{provider}/{case}"),
            provider,
            request: fs::read(folder.join("request.json")).ok(),
            response: fs::read(folder.join(meta["response_file"].as_str().unwrap())).unwrap(),
            meta,
        });
    }
    assert!(cases.len() >= 221, "found {} cases", cases.len());
    cases
}

impl Case {
    fn status(&self) -> u16 {
        u16::try_from(self.meta["status"].as_u64().unwrap()).unwrap()
    }

    fn streamed(&self) -> bool {
        self.meta["streaming"] == true
    }

    /// The request to read the reply to; the recorded one where there is one.
    fn chat(&self) -> ChatRequest {
        match &self.request {
            Some(request) => ChatRequest::parse(&Bytes::copy_from_slice(request)).ok(),
            None => None,
        }
        .unwrap_or_else(|| chat(r#"{"messages":[{"role":"user","content":"Hi"}]}"#))
    }

    fn host(&self) -> Host {
        Host::new(&self.provider, "recorded").with(quirks(&self.provider))
    }

    /// Reads the response in pieces of `size` bytes.
    fn read(&self, bytes: &[u8], size: usize) -> (Vec<ChatEvent>, Result<(), UpstreamError>) {
        let kind = self.meta["content_type"].as_str().unwrap_or_default();
        let head = head(self.status(), &[("content-type", kind)]);
        let reader = self.host().encode(&self.chat()).reader;
        read(reader, &head, bytes.chunks(size))
    }

    fn witness(&self) -> Witness {
        Witness::of(&self.response, self.streamed())
    }
}

/// How the recorded hosts spell things.
fn quirks(provider: &str) -> Quirks {
    let gateway = provider == "openrouter";
    Quirks {
        reasoning_replay: match provider {
            "openrouter" | "gpustack" | "ollama" => ReasoningReplay::Details,
            "cerebras" => ReasoningReplay::Reasoning,
            _ => ReasoningReplay::ReasoningContent,
        },
        reasoning: if gateway {
            ReasoningRequest::Object
        } else {
            ReasoningRequest::Effort
        },
        takes_reasoning_details: gateway,
        ..Quirks::default()
    }
}

#[test]
fn replies_say_what_they_say() {
    let mut read = 0;
    for case in cases().iter().filter(|case| case.status() == 200) {
        let witness = case.witness();
        let (events, ended) = case.read(&case.response, usize::MAX);
        if let Some(reason) = &witness.error {
            let error = ended.expect_err(&case.name);
            assert!(error.message.contains(reason), "{}: {error}", case.name);
            continue;
        }
        ended.unwrap_or_else(|error| panic!("{}: {error}", case.name));
        witness.agrees(&case.name, &Answer::of(events.clone()));
        in_order(&case.name, &events);
        read += 1;
    }
    println!("{read} replies read");
}

/// Start first, each choice ended once and after its pieces, usage last and once.
fn in_order(name: &str, events: &[ChatEvent]) {
    let mut ended = BTreeMap::new();
    let mut calls = BTreeMap::new();
    for (at, event) in events.iter().enumerate() {
        match event {
            ChatEvent::Start(_) => assert_eq!(at, 0, "{name}"),
            ChatEvent::Delta(delta) => {
                assert!(!ended.contains_key(&delta.choice), "{name}: late piece");
                assert!(!delta.is_empty(), "{name}: empty piece");
                for call in &delta.tool_calls {
                    let text: &mut String = calls.entry((delta.choice, call.index)).or_default();
                    let fresh = text.is_empty();
                    assert_eq!(call.id.is_some(), call.name.is_some(), "{name}");
                    assert!(fresh || call.id.is_none(), "{name}: id again");
                    assert!(call.id.as_ref().is_none_or(|id| !id.is_empty()), "{name}");
                    text.push(' ');
                    text.push_str(&call.arguments.decode());
                }
            }
            ChatEvent::Finish(finish) => {
                assert!(ended.insert(finish.choice, at).is_none(), "{name}: twice");
                let called = calls.keys().any(|(choice, _)| *choice == finish.choice);
                assert!(!called || finish.reason != FinishReason::Stop, "{name}");
            }
            ChatEvent::Usage(_) => assert_eq!(at + 1, events.len(), "{name}"),
            _ => panic!("{name}: an event of an unknown sort"),
        }
    }
}

#[test]
fn cutting_a_reply_does_not_change_it() {
    for case in cases() {
        let whole = case.read(&case.response, usize::MAX);
        for size in [1, 3, 64] {
            assert_eq!(
                case.read(&case.response, size),
                whole,
                "{} by {size}",
                case.name
            );
        }
    }
}

#[test]
fn errors_give_the_upstreams_reason() {
    for case in cases().iter().filter(|case| case.status() != 200) {
        let (events, ended) = case.read(&case.response, usize::MAX);
        let error = ended.expect_err(&case.name);
        let body: Value = serde_json::from_slice(&case.response).unwrap();
        let reason = witness::reason(&body).unwrap_or_else(|| panic!("{}", case.name));
        assert!(error.message.contains(&reason), "{}: {error}", case.name);
        assert_eq!(error.status, Some(case.status()), "{}", case.name);
        assert!(events.is_empty(), "{}", case.name);
        println!(
            "{} {} {:?} {}",
            case.name, error.kind, error.code, error.message
        );
    }
}

#[test]
fn a_reply_that_breaks_off_is_never_a_clean_stop() {
    for case in cases().iter().filter(|case| case.status() == 200) {
        let end = case.witness().complete_at(&case.response);
        let step = (case.response.len() / 80).max(1);
        for at in (0..end).step_by(step).chain(end.saturating_sub(3)..end) {
            let cut = case.response.get(..at).unwrap();
            let (events, ended) = case.read(cut, 4096);
            assert!(ended.is_err(), "{} cut at {at} of {end}", case.name);
            let finished = events
                .iter()
                .any(|event| matches!(event, ChatEvent::Finish(_)));
            assert!(!finished, "{} cut at {at}", case.name);
        }
    }
}

/// Members that do not leave as they came; each has its unit test.
const REWRITTEN: &[&str] = &[
    "model",
    "provider",
    "usage",
    "stream_options",
    "reasoning",
    "reasoning_effort",
    "service_tier",
    "max_tokens",
    "max_completion_tokens",
];

/// Requests that the gateway's own checks refuse, as the recorded hosts did.
const REFUSED: &[(&str, &str)] = &[
    ("doubleword/err400", "temperature"),
    ("openai/err400-gpt-4o-ca1e83e", "temperature"),
    (
        "openai/err400-gpt-4o-mini-c0f28bb",
        "messages[1].content[0]",
    ),
    (
        "mistral/tool-result-vision-cache-usage-mistral-medium",
        "tools[0]",
    ),
];

#[test]
fn recorded_requests_leave_as_they_came() {
    let (mut refused, mut exact) = (Vec::new(), 0);
    for case in cases() {
        let Some(request) = &case.request else {
            continue;
        };
        let chat = match ChatRequest::parse(&Bytes::copy_from_slice(request)) {
            Ok(chat) => chat,
            Err(error) => {
                refused.push(format!("{}: {error}", case.name));
                continue;
            }
        };
        let call = case.host().encode(&chat);
        let mut sent: Value = serde_json::from_slice(&call.request.body).unwrap();
        let mut recorded: Value = serde_json::from_slice(request).unwrap();
        if sent["messages"] == recorded["messages"] {
            let before = Json::parse(request).unwrap().get("messages").unwrap();
            let after = Json::parse(&call.request.body).unwrap().get("messages");
            assert_eq!(after, Some(before), "{}: not byte-exact", case.name);
            exact += 1;
        }
        assert_eq!(sent["model"], "recorded");
        if sent["stream"] == true {
            assert_eq!(
                sent["stream_options"]["include_usage"], true,
                "{}",
                case.name
            );
        }
        for limit in ["max_tokens", "max_completion_tokens"] {
            assert_eq!(sent.get(limit), recorded.get(limit), "{}", case.name);
        }
        let members = recorded.as_object_mut().unwrap();
        members.retain(|key, value| !REWRITTEN.contains(&key.as_str()) && !value.is_null());
        without_nothing(members);
        if members
            .get("tool_choice")
            .is_some_and(|choice| choice == "any")
        {
            members.insert("tool_choice".into(), "required".into());
        }
        sent.as_object_mut()
            .unwrap()
            .retain(|key, _| !REWRITTEN.contains(&key.as_str()));
        assert_eq!(sent, recorded, "{}", case.name);
    }
    for error in &refused {
        let known = REFUSED.iter().any(|(case, field)| {
            error.starts_with(case) && error.contains(&format!(": {field}: "))
        });
        assert!(known, "{error}");
    }
    println!("{exact} requests left with their messages byte-exact");
}

/// Takes out what says nothing and what hosts refuse, empty lists of tools and of calls, and what
/// the gateway does itself.
fn without_nothing(request: &mut serde_json::Map<String, Value>) {
    if let Some(tools) = request.get_mut("tools").and_then(Value::as_array_mut) {
        for tool in tools.iter_mut().filter(|tool| tool["type"].is_null()) {
            tool["type"] = "function".into();
        }
        tools.retain(|tool| !tool["type"].as_str().unwrap().starts_with("openrouter:"));
    }
    if request
        .get("tools")
        .is_some_and(|tools| *tools == Value::Array(Vec::new()))
    {
        request.remove("tools");
        request.remove("tool_choice");
    }
    for message in request["messages"].as_array_mut().unwrap() {
        let empty = Value::Array(Vec::new());
        let message = message.as_object_mut().unwrap();
        message.retain(|key, value| key == "content" || !value.is_null());
        message.retain(|key, value| key != "tool_calls" || *value != empty);
    }
}
