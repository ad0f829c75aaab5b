//! `file-parser` through the gateway: PDFs. Statements 113 to 116, and 126 as far as it goes.
//!
//! The sandbox is this process, as an embedder may have it; the child process that the server has is
//! tested with the server.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::{Setup, Station};

use crate::scene::{MODELS, answering, asked, pdf, station};

/// The part that stands where the file stood, of the latest call.
fn sent(station: &Station) -> Value {
    station.bodies().last().expect("a call")["messages"][0]["content"][1].clone()
}

/// Statement 113.
#[tokio::test(start_paused = true)]
async fn a_pdf_on_a_text_model_reaches_it_as_text() {
    let (station, sandbox) = answering();
    let got = station
        .chat(asked("acme/text", &pdf("Keel inspection"), json!({})))
        .await
        .ok();
    let text = sent(&station)["text"].as_str().expect("text").to_owned();
    assert!(text.contains("Keel inspection"), "{text}");
    let note = &got["choices"][0]["message"]["annotations"][0]["file"];
    assert_eq!(note["name"], "keel.pdf");
    assert_eq!(note["hash"].as_str().map(str::len), Some(64));
    assert_eq!(note["content"][0]["text"], text);
    assert_eq!(sandbox.0.load(Ordering::Relaxed), 1);
}

/// Statement 114.
#[tokio::test(start_paused = true)]
async fn sending_the_annotations_back_skips_the_parser() {
    let (station, sandbox) = answering();
    let first = asked("acme/text", &pdf("Keel inspection"), json!({}));
    let got = station.chat(first.clone()).await.ok();
    let mut second = first;
    let turns = second["messages"].as_array_mut().expect("messages");
    turns.push(got["choices"][0]["message"].clone());
    turns.push(json!({"role": "user", "content": "And then?"}));
    station.chat(second).await.ok();
    assert_eq!(sandbox.0.load(Ordering::Relaxed), 1, "read once");
    assert!(
        sent(&station)["text"]
            .as_str()
            .is_some_and(|text| text.contains("Keel inspection"))
    );
}

/// Statement 115.
#[tokio::test(start_paused = true)]
async fn a_pdf_on_a_model_that_takes_files_is_forwarded_untouched() {
    let (station, sandbox) = answering();
    let body = asked("acme/reader", &pdf("Keel inspection"), json!({}));
    let got = station.chat(body.clone()).await.ok();
    assert_eq!(sent(&station), body["messages"][0]["content"][1]);
    assert_eq!(got["choices"][0]["message"].get("annotations"), None);
    assert_eq!(sandbox.0.load(Ordering::Relaxed), 0);
    // Unless an engine is set: statement 116, the alias.
    for engine in ["pdf-text", "cloudflare-ai"] {
        let entry = json!({"plugins": [{"id": "file-parser", "pdf": {"engine": engine}}]});
        station
            .chat(asked("acme/reader", &pdf("Keel inspection"), entry))
            .await
            .ok();
        assert_eq!(sent(&station)["type"], "text");
    }
}

/// A fallback redoes what depends on the endpoint, and only that: the file is read for the endpoint
/// that takes none, once, and goes as it came to the one that does.
#[tokio::test(start_paused = true)]
async fn a_fallback_redoes_only_what_depends_on_the_endpoint() {
    let (station, sandbox) = station(
        ReplayTransport::hosts()
            .at("a.mock", [Reply::json(500, "{}")])
            .at("b.mock", [fixtures::answer("Read.", 5, 2)]),
    );
    let more = json!({"models": ["acme/reader"]});
    let got = station
        .chat(asked("acme/text", &pdf("Keel inspection"), more))
        .await
        .ok();
    assert_eq!(sandbox.0.load(Ordering::Relaxed), 1);
    assert_eq!(station.asked().last().map(String::as_str), Some("b"));
    assert_eq!(sent(&station)["type"], "file");
    assert_eq!(got["choices"][0]["message"].get("annotations"), None);
}

#[tokio::test(start_paused = true)]
async fn what_has_no_text_or_is_damaged_is_never_an_empty_success() {
    let (station, _) = answering();
    for (bytes, reason) in [
        (pdf(""), "no text layer"),
        (b"%PDF-1.4 garbage".to_vec(), "damaged"),
    ] {
        let error = station
            .chat(asked("acme/text", &bytes, json!({})))
            .await
            .error(400);
        let message = error["message"].as_str().expect("a message");
        assert!(
            message.contains("keel.pdf") && message.contains(reason),
            "{message}"
        );
    }
    assert_eq!(station.upstream().calls(), 0);
}

/// Statement 116: what was read is not lost with the providers.
#[tokio::test(start_paused = true)]
async fn when_every_provider_fails_the_error_keeps_the_annotations() {
    let (station, sandbox) = station(ReplayTransport::answering(|_, _| {
        fixtures::error(500, "down")
    }));
    let body = asked("acme/text", &pdf("Keel inspection"), json!({}));
    let error = station.chat(body.clone()).await.error(503);
    let notes = error["metadata"]["file_annotations"].clone();
    assert_eq!(notes[0]["file"]["name"], "keel.pdf", "{error}");
    let mut again = body;
    let turns = again["messages"].as_array_mut().expect("messages");
    turns.push(json!({"role": "assistant", "content": "", "annotations": notes}));
    turns.push(json!({"role": "user", "content": "Once more, please."}));
    station.chat(again).await.error(503);
    assert_eq!(sandbox.0.load(Ordering::Relaxed), 1, "read once");
}

/// An Office file with a password is wrapped in an older format, and no model can read it.
#[tokio::test(start_paused = true)]
async fn an_office_file_with_a_password_is_a_400_that_says_so() {
    let (station, _) = answering();
    let name = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes);
    let bytes: Vec<u8> = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        .iter()
        .copied()
        .chain(name)
        .collect();
    for model in ["acme/text", "acme/reader"] {
        let error = station
            .chat(asked(model, &bytes, json!({})))
            .await
            .error(400);
        let message = error["message"].as_str().expect("a message");
        assert!(
            message.contains("keel.pdf") && message.contains("password"),
            "{message}"
        );
    }
    assert_eq!(station.upstream().calls(), 0);
}

/// Without a sandbox a PDF needs a model that takes files.
#[tokio::test(start_paused = true)]
async fn without_a_sandbox_a_text_model_is_no_candidate() {
    let answer = |_: &_, _| fixtures::answer("Read.", 5, 2);
    let station = Setup::mocks()
        .config(MODELS)
        .start(ReplayTransport::answering(answer));
    station
        .chat(asked("acme/text", &pdf("x"), json!({})))
        .await
        .error(404);
    station
        .chat(asked("acme/reader", &pdf("x"), json!({})))
        .await
        .ok();
}
