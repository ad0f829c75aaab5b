//! `file-parser` through the gateway: files behind addresses. The guard itself is tested with the
//! transport; here the web is a list.

#![expect(clippy::disallowed_methods, reason = "a test keeps what it saw")]

use std::sync::{Arc, atomic::Ordering};

use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, fixtures};
use waystation_tests::Station;

use crate::scene::{InProcess, Web, asked_about, parts, pdf, with};

const ADDRESS: &str = "https://files.test/papers/keel.pdf?version=2";

fn web() -> Arc<Web> {
    Web::of(vec![
        (ADDRESS, "application/pdf", pdf("Keel inspection")),
        (
            "https://files.test/table",
            "text/csv; charset=utf-8",
            b"a;b\n1;2\n".to_vec(),
        ),
        ("https://files.test/x.bin", "", b"\x7fELF".to_vec()),
    ])
}

fn station(config: &str, web: &Arc<Web>) -> (Station, Arc<InProcess>) {
    let answer = |_: &_, _| fixtures::answer("Read.", 5, 2);
    let web = Arc::clone(web);
    with(ReplayTransport::answering(answer), config, Some(web))
}

fn at(address: &str) -> Value {
    json!({ "file_data": address })
}

/// Statement 113, for an address in the place of a data URL.
#[tokio::test(start_paused = true)]
async fn a_file_by_address_reaches_a_text_model_as_text() {
    let web = web();
    let (station, _) = station("", &web);
    let got = station
        .chat(asked_about("acme/text", &at(ADDRESS), json!({})))
        .await
        .ok();
    let sent = parts(&station)[1].clone();
    let text = sent["text"].as_str().expect("text");
    assert!(
        text.starts_with("<file name=\"keel.pdf\">") && text.contains("Keel inspection"),
        "{text}"
    );
    let note = &got["choices"][0]["message"]["annotations"][0]["file"];
    assert_eq!(note["name"], "keel.pdf");
    assert_eq!(note["hash"].as_str().map(str::len), Some(64));
    let asked = web.asked.lock().expect("no panic");
    let (_, limits) = asked.first().expect("one");
    assert_eq!((limits.bytes, limits.private), (33_554_432, false));
}

/// Statement 114: it is fetched again, since only its bytes tell whether it is the same, and not read.
#[tokio::test(start_paused = true)]
async fn annotations_that_come_back_are_used_for_the_same_bytes() {
    let web = web();
    let (station, sandbox) = station("", &web);
    let mut body = asked_about("acme/text", &at(ADDRESS), json!({}));
    let got = station.chat(body.clone()).await.ok();
    let turns = body["messages"].as_array_mut().expect("messages");
    turns.push(got["choices"][0]["message"].clone());
    turns.push(json!({"role": "user", "content": "And then?"}));
    station.chat(body).await.ok();
    assert_eq!(sandbox.0.load(Ordering::Relaxed), 1, "read once");
}

/// What its server calls it decides where its name does not say.
#[tokio::test(start_paused = true)]
async fn a_file_is_what_its_server_calls_it() {
    let web = web();
    let (station, _) = station("", &web);
    station
        .chat(asked_about(
            "acme/text",
            &at("https://files.test/table"),
            json!({}),
        ))
        .await
        .ok();
    assert_eq!(
        parts(&station)[1]["text"],
        "<file name=\"table\">\na | b\n1 | 2\n</file>"
    );
}

/// Statement 115: an endpoint that takes files gets the address, unless an engine is named.
#[tokio::test(start_paused = true)]
async fn a_model_that_takes_files_gets_the_address() {
    let web = web();
    let (station, _) = station("", &web);
    let body = asked_about("acme/reader", &at(ADDRESS), json!({}));
    station.chat(body.clone()).await.ok();
    assert_eq!(parts(&station)[1], body["messages"][0]["content"][1]);
    assert!(web.asked.lock().expect("no panic").is_empty());
    let own = json!({"plugins": [{"id": "file-parser", "pdf": {"engine": "cloudflare-ai"}}]});
    station
        .chat(asked_about("acme/reader", &at(ADDRESS), own))
        .await
        .ok();
    assert_eq!(parts(&station)[1]["type"], "text");
    assert_eq!(web.asked.lock().expect("no panic").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_fetched_or_read_is_a_400_that_names_the_file() {
    let web = web();
    let (station, _) = station("", &web);
    for (address, name, why) in [
        ("https://files.test/no/such.pdf", "such.pdf", "answered 404"),
        ("https://files.test/x.bin", "x.bin", "a program"),
    ] {
        let body = asked_about("acme/text", &at(address), json!({}));
        let error = station.chat(body).await.error(400);
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains(name) && message.contains(why), "{message}");
    }
    let many: Vec<Value> = (0..17)
        .map(|n| json!({"type": "file", "file": at(&format!("https://files.test/{n}"))}))
        .collect();
    let body = json!({"model": "acme/text", "messages": [{"role": "user", "content": many}]});
    let error = station.chat(body).await.error(400);
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|m| m.contains("at most 16 files")),
        "{error}"
    );
    assert_eq!(station.upstream().calls(), 0);
}

/// The operator's bounds are the fetcher's.
#[tokio::test(start_paused = true)]
async fn the_operator_sets_the_bounds() {
    let web = web();
    let config =
        "[plugins.file-parser]\nfetch = { allow_private_networks = true, max_bytes = 1234 }";
    let (station, _) = station(config, &web);
    station
        .chat(asked_about("acme/text", &at(ADDRESS), json!({})))
        .await
        .ok();
    let asked = web.asked.lock().expect("no panic");
    let (_, limits) = asked.first().expect("one");
    assert_eq!((limits.bytes, limits.private), (1234, true));
}

/// Without a fetcher a file by address needs a model that takes files.
#[tokio::test(start_paused = true)]
async fn without_a_fetcher_a_text_model_is_no_candidate() {
    let answer = |_: &_, _| fixtures::answer("Read.", 5, 2);
    let (station, _) = with(ReplayTransport::answering(answer), "", None);
    station
        .chat(asked_about("acme/text", &at(ADDRESS), json!({})))
        .await
        .error(404);
    station
        .chat(asked_about("acme/reader", &at(ADDRESS), json!({})))
        .await
        .ok();
}
