//! The hottest paths, each walked as often as it is told to: `instructions PATH TIMES`, or
//! `instructions list`. It measures nothing itself: `cargo xtask bench instructions` runs it under
//! valgrind and holds the counts to `instructions.txt`.
//!
//! Goals: those of the benches that measure the same in time.

use std::hint::black_box;

use bytes::Bytes;
use http::{StatusCode, header};
use serde_json::json;
use waystation_benches::{
    Host, Load, Recoding, chat, codec, load, runtime, stream_reply, whole_reply,
};
use waystation_catalog::Catalog;
use waystation_core::{ChatRequest, DialectId, Headers, Now, ReplyHead, Seed};
use waystation_router::{HealthView, RoutingPolicy, World, ask, plan};
use waystation_sim::fixtures::M;
use waystation_tokens::ByteBounds;

type Path = fn(u64);

const PATHS: [(&str, Path); 12] = [
    ("parse", parse),
    ("plan", planned),
    ("encode", encode),
    ("decode-stream", decode),
    ("stream-openai-chat", |times| recoded("openai-chat", times)),
    ("stream-openai-responses", |times| {
        recoded("openai-responses", times)
    }),
    ("stream-anthropic-messages", |times| {
        recoded("anthropic-messages", times)
    }),
    ("stream-gemini", |times| recoded("gemini", times)),
    ("stream-bedrock-converse", |times| {
        recoded("bedrock-converse", times)
    }),
    ("stream-cohere-chat", |times| recoded("cohere-chat", times)),
    ("whole-plain", whole_plain),
    ("whole-stream", whole_stream),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["list"] => PATHS.iter().for_each(|(name, _)| println!("{name}")),
        [name, times] if !name.starts_with('-') => {
            let known = PATHS.iter().find(|(known, _)| *known == name);
            known.unwrap().1(times.parse().unwrap());
        }
        // `cargo bench` and `cargo test` only ask whether it runs.
        _ => PATHS.iter().for_each(|(_, path)| path(1)),
    }
}

fn parse(times: u64) {
    let body = chat("openai/gpt-5.4", 1_000, json!({}));
    for _ in 0..times {
        black_box(ChatRequest::parse(black_box(&body)).unwrap());
    }
}

/// The routing question and its plan, over the bundled catalogue.
fn planned(times: u64) {
    let parse = |id: &&str| id.parse().unwrap();
    let dialects = waystation_providers::DIALECTS.iter().map(|(id, _)| id);
    let dialects: Vec<DialectId> = dialects.map(parse).collect();
    let (policy, health) = (RoutingPolicy::default(), HealthView::default());
    let catalog = Catalog::bundled().unwrap();
    let world = World {
        catalog: &catalog,
        health: &health,
        now: Now::default(),
        usable: &|_| true,
        dialects: &dialects,
        policy: &policy,
    };
    let body = chat("openai/gpt-5.4", 1_000, json!({}));
    let chat = ChatRequest::parse(&body).unwrap();
    for seed in 0..times {
        let ask = ask(black_box(&chat), &ByteBounds, &catalog, &policy).unwrap();
        black_box(plan(&ask, &world, Seed::new(seed)).unwrap());
    }
}

fn encode(times: u64) {
    let (host, body) = (Host::new(), chat(M, 1_000, json!({})));
    let chat = ChatRequest::parse(&body).unwrap();
    for _ in 0..times {
        black_box(codec().encode(black_box(&chat), &host.target()).unwrap());
    }
}

fn decode(times: u64) {
    let host = Host::new();
    let body = chat(M, 1_000, json!({"stream": true}));
    let chat = ChatRequest::parse(&body).unwrap();
    let mut headers = Headers::default();
    headers.insert(header::CONTENT_TYPE, "text/event-stream".parse().unwrap());
    let status = StatusCode::OK;
    let head = ReplyHead { status, headers };
    let stream: Bytes = stream_reply(43);
    for _ in 0..times {
        let mut call = codec().encode(&chat, &host.target()).unwrap();
        let mut events = Vec::new();
        call.reader.head(&head).unwrap();
        call.reader.push(black_box(&stream), &mut events).unwrap();
        call.reader.finish(&mut events).unwrap();
        black_box(events);
    }
}

/// A stream of this dialect, read and written again; what encoding the request costs is in it.
fn recoded(dialect: &str, times: u64) {
    let stream = Recoding::of(dialect);
    for _ in 0..times {
        black_box(stream.run(black_box(&stream).call()));
    }
}

fn whole(reply: Bytes, stream: bool, times: u64) {
    let runtime = runtime();
    let _inside = runtime.enter();
    let load: Load = load("whole", 1_000, reply, stream);
    for _ in 0..times {
        black_box(runtime.block_on(load.once()));
    }
}

fn whole_plain(times: u64) {
    whole(whole_reply(), false, times);
}

fn whole_stream(times: u64) {
    whole(stream_reply(43), true, times);
}
