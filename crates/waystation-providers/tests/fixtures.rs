//! Walks `fixtures/<slug>/`: one folder a host, each with what a client sends, what the host is sent,
//! what it answers whole and streamed, and what that comes to. `WAYSTATION_BLESS=1` rewrites what
//! is expected (`chat.request.json`, `chat.response.json`, `stream.events.json`); read the
//! difference before committing it. `target.json` says what the catalogue says of the host.
#![cfg(test)]

#[path = "support/frame.rs"]
mod frame;
#[path = "support/reply.rs"]
mod reply;
#[path = "support/target.rs"]
mod target;

use std::{
    fs,
    path::{Path, PathBuf},
};

use frame::frame;
use reply::{head, read};
use serde_json::{Map, Value, json};
use target::{Host, chat};
use waystation_core::{
    Answer, AnswerChoice, ChatEvent, ErrorType, Finish, JsonText, RawJson, Retry, Tokens,
    UpstreamError, Usage,
};

/// One folder.
struct Fixture {
    folder: PathBuf,
    host: Host,
}

fn fixtures() -> Vec<Fixture> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut folders: Vec<PathBuf> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    folders.into_iter().map(Fixture::of).collect()
}

impl Fixture {
    fn of(folder: PathBuf) -> Self {
        let slug = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let target: Value =
            serde_json::from_slice(&fs::read(folder.join("target.json")).unwrap()).unwrap();
        let mut host = Host::new(&slug, target["model"].as_str().unwrap());
        if let Some(id) = target["id"].as_str() {
            host.endpoint.model = id.parse().unwrap();
        }
        host.endpoint.dialect = target["dialect"].as_str().unwrap().parse().unwrap();
        host.upstream.base_url = target["base_url"].as_str().unwrap().into();
        host.upstream.auth = serde_json::from_value(target["auth"].clone()).unwrap();
        let quirks = serde_json::from_value(target["quirks"].clone()).unwrap();
        let host = host.with(quirks);
        Self { folder, host }
    }

    fn file(&self, name: &str) -> String {
        let path = self.folder.join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Holds `found` against a file, or writes it there when blessing.
    fn expect(&self, name: &str, found: &str) {
        let bless = std::env::var_os("WAYSTATION_BLESS").is_some();
        let path = self.folder.join(name);
        if bless {
            fs::write(&path, found).unwrap();
        }
        assert_eq!(found, self.file(name), "{}", path.display());
    }

    /// The stream: `stream.sse`, or frames of AWS made of `stream.jsonl`, one event a line.
    fn stream(&self) -> (Vec<u8>, &'static str) {
        if self.folder.join("stream.sse").exists() {
            return (self.file("stream.sse").into(), "text/event-stream");
        }
        let lines = self.file("stream.jsonl");
        let frames = lines.lines().flat_map(|line| {
            let (name, payload) = line.split_once(' ').unwrap();
            let headers = [(":message-type", "event"), (":event-type", name)];
            frame(&headers, payload)
        });
        (frames.collect(), "application/vnd.amazon.eventstream")
    }

    fn hear(&self, size: usize) -> (Vec<ChatEvent>, Option<UpstreamError>) {
        let reader = self.host.encode(&chat(&self.file("chat.json"))).reader;
        let (bytes, kind) = self.stream();
        let head = head(200, &[("content-type", kind)]);
        let (events, ended) = read(reader, &head, bytes.chunks(size));
        (events, ended.err())
    }

    fn read(&self, status: u16, body: &str) -> (Vec<ChatEvent>, Option<UpstreamError>) {
        let reader = self.host.encode(&chat(&self.file("chat.json"))).reader;
        let (events, ended) = read(reader, &head(status, &[]), [body.as_bytes()]);
        (events, ended.err())
    }
}

#[test]
fn hosts_are_sent_what_they_take() {
    for fixture in fixtures() {
        let ask = chat(&fixture.file("chat.json"));
        let call = fixture.host.encode(&ask);
        assert_eq!(call.request.body, fixture.host.encode(&ask).request.body);
        let body = String::from_utf8(call.request.body.to_vec()).unwrap();
        fixture.expect("chat.request.json", &format!("{body}\n"));
    }
}

#[test]
fn whole_replies_are_read() {
    for fixture in fixtures() {
        let (events, failed) = fixture.read(200, &fixture.file("chat.reply.json"));
        assert_eq!(failed, None);
        fixture.expect("chat.response.json", &pretty(&answer(&Answer::of(events))));
    }
}

#[test]
fn streams_are_read_and_fold_to_the_whole_reply() {
    for fixture in fixtures() {
        let (events, failed) = fixture.hear(usize::MAX);
        assert_eq!(failed, None);
        let listed: Vec<Value> = events.iter().map(event).collect();
        fixture.expect("stream.events.json", &pretty(&Value::Array(listed)));
        for size in [1, 3, 7, 64] {
            assert_eq!(fixture.hear(size).0, events, "pieces of {size}");
        }
        let (whole, _) = fixture.read(200, &fixture.file("chat.reply.json"));
        assert_eq!(answer(&Answer::of(events)), answer(&Answer::of(whole)));
    }
}

#[test]
fn a_limit_on_the_rate_sends_the_request_elsewhere() {
    for fixture in fixtures() {
        let body = fixture.file("error.429.json");
        let (events, failed) = fixture.read(429, &body);
        let failed = failed.unwrap();
        assert!(events.is_empty());
        assert_eq!(failed.kind, ErrorType::RateLimitExceeded);
        assert_eq!(failed.kind.retry(), Retry::Elsewhere);
        assert_eq!(failed.status, Some(429));
        let reason = failed.message.rsplit(": ").next().unwrap();
        assert!(body.contains(reason), "{reason}");
    }
}

#[test]
fn every_folder_says_where_it_comes_from() {
    for fixture in fixtures() {
        assert!(fixture.file("SOURCE.md").contains("https://"));
    }
}

fn pretty(value: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(value).unwrap())
}

/// Members that are there.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let there = members
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(there.collect::<Map<_, _>>())
}

fn text(text: Option<&JsonText>) -> Option<Value> {
    text.map(|text| text.decode().into())
}

fn raw(raw: Option<&RawJson>) -> Option<Value> {
    raw.map(|raw| serde_json::from_slice(raw.bytes()).unwrap())
}

fn event(event: &ChatEvent) -> Value {
    match event {
        ChatEvent::Start(start) => json!({"start": object([
            ("id", text(start.id.as_ref())),
            ("model", text(start.model.as_ref())),
            ("created", start.created.map(Into::into)),
            ("system_fingerprint", text(start.system_fingerprint.as_ref())),
            ("service_tier", text(start.service_tier.as_ref())),
        ])}),
        ChatEvent::Delta(delta) => {
            let call = |call: &waystation_core::ToolCallDelta| {
                object([
                    ("index", Some(call.index.into())),
                    ("id", text(call.id.as_ref())),
                    ("name", text(call.name.as_ref())),
                    ("arguments", text(Some(&call.arguments))),
                ])
            };
            let calls: Vec<Value> = delta.tool_calls.iter().map(call).collect();
            json!({"delta": object([
                ("choice", Some(delta.choice.into())),
                ("content", text(delta.content.as_ref())),
                ("reasoning", text(delta.reasoning.as_ref())),
                ("reasoning_details", raw(delta.reasoning_details.as_ref())),
                ("refusal", text(delta.refusal.as_deref())),
                ("tool_calls", (!calls.is_empty()).then_some(calls.into())),
                ("annotations", raw(delta.annotations.as_deref())),
                ("logprobs", raw(delta.logprobs.as_deref())),
            ])})
        }
        ChatEvent::Finish(found) => json!({ "finish": finish(found) }),
        ChatEvent::Usage(found) => json!({ "usage": usage(found) }),
        other => panic!("{other:?}"),
    }
}

fn finish(finish: &Finish) -> Value {
    object([
        ("choice", Some(finish.choice.into())),
        ("reason", Some(finish.reason.as_str().into())),
        ("native", text(finish.native.as_ref())),
    ])
}

fn usage(usage: &Usage) -> Value {
    let count = |tokens: Option<Tokens>| tokens.map(|tokens| tokens.get().into());
    object([
        ("prompt", count(Some(usage.prompt))),
        ("completion", count(Some(usage.completion))),
        ("total", count(usage.total)),
        ("cached", count(usage.cached)),
        ("cache_write", count(usage.cache_write)),
        ("reasoning", count(usage.reasoning)),
        (
            "upstream_cost",
            usage.upstream_cost.map(|cost| cost.to_string().into()),
        ),
    ])
}

fn answer(answer: &Answer) -> Value {
    let choices: Vec<Value> = answer.choices.iter().map(choice).collect();
    object([
        ("choices", Some(choices.into())),
        ("usage", answer.usage.as_ref().map(usage)),
    ])
}

fn choice(choice: &AnswerChoice) -> Value {
    let call = |call: &waystation_core::AnswerToolCall| json!({"id": call.id.decode(), "name": call.name.decode(), "arguments": call.arguments().decode()});
    let calls: Vec<Value> = choice.tool_calls.iter().map(call).collect();
    object([
        ("content", text(choice.content().as_ref())),
        ("reasoning", text(choice.reasoning().as_ref())),
        (
            "reasoning_details",
            raw(choice.reasoning_details().as_ref()),
        ),
        ("refusal", text(choice.refusal().as_ref())),
        ("tool_calls", (!calls.is_empty()).then_some(calls.into())),
        ("annotations", raw(choice.annotations().as_ref())),
        ("finish", choice.finish.as_ref().map(finish)),
    ])
}
