//! The ten lines of CONTRIBUTING.md that add a provider: read from the page, laid beside a model, asked
//! whole and streamed. No code knows of them.

use std::{fs, path::Path};

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;
use waystation_catalog::{Catalog, source::Rows};
use waystation_core::{Answer, ChatRequest, Headers, Lease, ReplyHead, Secret, Target, UnixMs};

/// The only thing that is missing: a model that it serves.
const MODEL: &str = r#"
[[model]]
id = "acme/fast"
name = "Acme Fast"
context_length = 32768
input = ["text"]
output = ["text"]
parameters = ["max_tokens", "tools", "tool_choice"]
[[model.endpoint]]
provider = "acme-cloud"
model = "fast-70b"
price.prompt = "0.10"
price.completion = "0.40"
confidence = "high"
"#;

fn file(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read_to_string(root.join(path)).unwrap()
}

#[test]
fn a_provider_is_ten_lines_and_no_code() {
    let page = file("CONTRIBUTING.md");
    let (_, behind) = page.split_once("```toml\n").unwrap();
    let (row, _) = behind.split_once("```").unwrap();
    assert!(row.lines().count() <= 10, "{row}");
    let text = format!("version = \"2026-11-22\"\n{row}{MODEL}");
    let catalog = Catalog::from_rows(&Rows::from_toml(&text).unwrap()).unwrap();
    let upstream = &catalog.provider("acme-cloud").unwrap().upstream;
    let endpoint = &catalog.model("acme/fast").unwrap().endpoints[0];
    let lease = Lease::new("acme".parse().unwrap(), Some(Secret::new("key-of-acme")));
    let to = Target {
        upstream,
        endpoint,
        lease: &lease,
        now: UnixMs::new(0),
    };
    let folder = "crates/waystation-providers/fixtures/openai";
    for (stream, reply) in [(false, "chat.reply.json"), (true, "stream.sse")] {
        let body = format!(
            r#"{{"messages":[{{"role":"user","content":"Hi"}}],"max_completion_tokens":9,"stream":{stream}}}"#
        );
        let chat = ChatRequest::parse(&Bytes::from(body)).unwrap();
        let codec = waystation_providers::codec(&endpoint.dialect).unwrap();
        let mut call = codec.encode(&chat, &to).unwrap();
        assert_eq!(
            call.request.url,
            "https://api.acme.example/v1/chat/completions"
        );
        assert_eq!(call.request.headers["authorization"], "Bearer key-of-acme");
        let sent: Value = serde_json::from_slice(&call.request.body).unwrap();
        assert_eq!(
            (&sent["model"], &sent["max_tokens"]),
            (&"fast-70b".into(), &9.into())
        );
        let mut events = Vec::new();
        let head = ReplyHead {
            status: StatusCode::OK,
            headers: Headers::default(),
        };
        call.reader.head(&head).unwrap();
        let reply = file(&format!("{folder}/{reply}"));
        call.reader.push(&Bytes::from(reply), &mut events).unwrap();
        call.reader.finish(&mut events).unwrap();
        let answer = Answer::of(events);
        assert_eq!(answer.choices.len(), 1);
        assert!(answer.choices[0].finish.is_some() && answer.usage.is_some());
    }
}
