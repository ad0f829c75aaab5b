//! `file-parser` through the gateway: text formats. Statements 113 and 114 for what is no PDF.

use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, fixtures};
use waystation_tests::{Setup, Station, ask, asking};

fn station() -> Station {
    Setup::mocks().start(ReplayTransport::answering(|_, _| {
        fixtures::answer("Read.", 5, 2)
    }))
}

/// `a;b / 1,5;x "y"` as a data URL.
const TABLE: &str = "data:text/csv;base64,YTtiCjEsNTsieCAiInkiIiIK";

fn with_file(name: &str, data: &str) -> Value {
    json!([{"role": "user", "content": [
        {"type": "text", "text": "What is in it?"},
        {"type": "file", "file": {"filename": name, "file_data": data}},
    ]}])
}

/// The parts of the last user message that went upstream.
fn sent(station: &Station) -> Vec<Value> {
    let bodies = station.bodies();
    let messages = bodies.last().expect("a call")["messages"]
        .as_array()
        .expect("messages");
    messages.last().expect("one")["content"]
        .as_array()
        .expect("parts")
        .clone()
}

/// Statement 113, for text formats: the text reaches the model, and the reply has an annotation.
#[tokio::test(start_paused = true)]
async fn a_file_reaches_a_text_model_as_text() {
    let station = station();
    let got = station
        .chat(ask(json!({"messages": with_file("t.csv", TABLE)})))
        .await
        .ok();
    let parts = sent(&station);
    assert_eq!(parts[0]["text"], "What is in it?");
    let text = "<file name=\"t.csv\">\na | b\n1,5 | x \"y\"\n</file>";
    assert_eq!(parts[1], json!({"type": "text", "text": text}));
    let note = &got["choices"][0]["message"]["annotations"][0];
    assert_eq!(note["type"], "file", "{got}");
    assert_eq!(note["file"]["name"], "t.csv");
    assert_eq!(note["file"]["hash"].as_str().map(str::len), Some(64));
    assert_eq!(
        note["file"]["content"],
        json!([{"type": "text", "text": text}])
    );
}

/// None of them is looked for among the others.
#[tokio::test(start_paused = true)]
async fn thousands_of_files_are_read_one_by_one() {
    let file = json!({"type": "file", "file": {"filename": "a", "file_data": "data:text/csv;base64,YTtiCg=="}});
    let station = station();
    let messages = json!([{"role": "user", "content": vec![file; 9_000]}]);
    station.chat(ask(json!({"messages": messages}))).await.ok();
    let parts = sent(&station);
    let read = json!({"type": "text", "text": "<file name=\"a\">\na | b\n</file>"});
    assert_eq!((parts.len(), parts.last()), (9_000, Some(&read)));
}

#[tokio::test(start_paused = true)]
async fn a_stream_has_the_annotation_in_a_delta() {
    let station = Setup::mocks().start(ReplayTransport::answering(|_, _| {
        fixtures::answer_stream(&["Re", "ad."], 5, 2)
    }));
    let got = station
        .stream(ask(json!({"messages": with_file("t.csv", TABLE)})))
        .await;
    let held = |chunk: &Value| chunk["choices"][0]["delta"]["annotations"][0]["type"] == "file";
    assert_eq!(
        got.chunks().iter().filter(|chunk| held(chunk)).count(),
        1,
        "{}",
        got.text()
    );
    assert_eq!(got.content(), "Read.");
}

/// Statement 114: an annotation that came back takes the place of reading the same bytes again.
#[tokio::test(start_paused = true)]
async fn annotations_that_come_back_are_used() {
    let station = station();
    let first = station
        .chat(ask(json!({"messages": with_file("t.csv", TABLE)})))
        .await
        .ok();
    let mut note = first["choices"][0]["message"]["annotations"][0].clone();
    note["file"]["content"][0]["text"] = json!("as it was read before");
    let mut messages = with_file("t.csv", TABLE);
    let turns = messages.as_array_mut().expect("messages");
    turns.push(json!({"role": "assistant", "content": "Read.", "annotations": [note]}));
    turns.push(json!({"role": "user", "content": "And now?"}));
    station.chat(ask(json!({"messages": messages}))).await.ok();
    let bodies = station.bodies();
    let sent = &bodies.last().expect("a call")["messages"];
    assert_eq!(sent[0]["content"][1]["text"], "as it was read before");
    assert_eq!(
        sent[1].get("annotations"),
        None,
        "they are the gateway's, not the model's"
    );
    // Of other bytes it is no account.
    let mut other = messages.clone();
    other[0]["content"][1]["file"]["file_data"] = json!("data:text/plain;base64,b3RoZXI=");
    station.chat(ask(json!({"messages": other}))).await.ok();
    let bodies = station.bodies();
    let text = bodies.last().expect("a call")["messages"][0]["content"][1]["text"].clone();
    assert_eq!(text, "<file name=\"t.csv\">\nother\n</file>");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_a_400_that_names_the_file() {
    let station = station();
    for (data, reason) in [
        ("data:text/plain;base64,!!!!", "expected base64"),
        ("data:text/plain;base64,AAECAwQFBgcICQ==", "binary"),
        ("data:text/plain;base64,ICAg", "no text"),
    ] {
        let error = station
            .chat(ask(json!({"messages": with_file("notes.txt", data)})))
            .await
            .error(400);
        let message = error["message"].as_str().expect("a message");
        assert!(
            message.contains("notes.txt") && message.contains(reason),
            "{message}"
        );
    }
    assert_eq!(station.upstream().calls(), 0);
}

/// What no text model can be given is a 400 with what to do; a model that takes files gets it as it is.
#[tokio::test(start_paused = true)]
async fn an_old_office_file_is_a_400_that_names_the_format_and_the_fix() {
    let (station, _) = crate::scene::answering();
    let old = "data:application/msword;base64,0M8R4KGxGuEAAAAAAAAAAAAAAAAAAAAA";
    for name in ["letter.doc", "table.xls", "deck.ppt"] {
        let messages = with_file(name, old);
        let body = json!({"messages": messages});
        let error = station.chat(asking("acme/text", body)).await.error(400);
        let message = error["message"].as_str().expect("a message");
        for part in [name, "before 2007", ".docx", ".xlsx", ".pptx", "PDF"] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(error["error_type"], "invalid_request");
    }
    assert_eq!(station.upstream().calls(), 0);
    let body = json!({"messages": with_file("letter.doc", old)});
    station.chat(asking("acme/reader", body)).await.ok();
    assert_eq!(sent(&station)[1]["file"]["file_data"], old);
}

/// Files that are not read here need a model that takes files.
#[tokio::test(start_paused = true)]
async fn what_is_not_read_here_goes_only_where_files_are_taken() {
    let native = r#"
        [[models]]
        id = "acme/reader"
        context_length = 128000
        input_modalities = ["text", "file"]
        [[models.endpoints]]
        provider = "a"
        model = "reader-at-a"
        price = { prompt = "1", completion = "1" }
        [[models]]
        id = "acme/text"
        context_length = 128000
        input_modalities = ["text"]
        [[models.endpoints]]
        provider = "a"
        model = "text-at-a"
        price = { prompt = "1", completion = "1" }
    "#;
    let answer = |_: &_, _| fixtures::answer("Read.", 5, 2);
    let station = Setup::mocks()
        .config(native)
        .start(ReplayTransport::answering(answer));
    for data in [
        "https://example.com/a.pdf",
        "data:application/zip;base64,UEsDBAAAAAA=",
    ] {
        let messages = with_file("a.docx", data);
        station
            .chat(asking("acme/text", json!({"messages": messages})))
            .await
            .error(404);
        let got = station
            .chat(asking("acme/reader", json!({"messages": messages})))
            .await;
        got.ok();
        assert_eq!(sent(&station)[1], messages[0]["content"][1], "untouched");
    }
    // Text is read here for them as well: not every one of them takes tables.
    station
        .chat(asking(
            "acme/reader",
            json!({"messages": with_file("t.csv", TABLE)}),
        ))
        .await
        .ok();
    assert_eq!(sent(&station)[1]["type"], "text");
}

/// Compression sees the text that files add: the order of the plugins. Statement 126 in part.
#[tokio::test(start_paused = true)]
async fn a_long_file_is_compressed_after_it_was_read() {
    let small = r#"
        [[models]]
        id = "acme/small"
        context_length = 4000
        [[models.endpoints]]
        provider = "a"
        model = "small-at-a"
        price = { prompt = "1", completion = "1" }
    "#;
    let answer = |_: &_, _| fixtures::answer("{read: true}", 5, 2);
    let station = Setup::mocks()
        .config(small)
        .start(ReplayTransport::answering(answer));
    // "word word ..." 24,000 bytes.
    let data = format!(
        "data:text/plain;base64,{}",
        "d29yZCB3b3JkIHdvcmQg".repeat(1600)
    );
    let body = json!({
        "messages": with_file("long.txt", &data), "response_format": {"type": "json_object"},
        "plugins": [{"id": "response-healing"}, {"id": "context-compression"}, {"id": "file-parser"}],
    });
    let got = station.chat(asking("acme/small", body)).await;
    assert_eq!(got.content(), r#"{"read": true}"#);
    assert_eq!(got.header("x-waystation-compressed"), Some("1"));
    let text = sent(&station)[1]["text"].as_str().expect("text").to_owned();
    assert!(
        text.starts_with("<file name=\"long.txt\">") && text.ends_with("</file>"),
        "{text}"
    );
    assert!(text.len() < 16_000, "{}", text.len());
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_not_there_is_refused_with_what_to_do() {
    let station = station();
    let entry = json!([{"id": "file-parser", "pdf": {"engine": "mistral-ocr"}}]);
    let body = json!({"messages": with_file("t.csv", TABLE), "plugins": entry});
    let error = station.chat(ask(body)).await.error(400);
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|m| m.contains("cloudflare-ai")),
        "{error}"
    );
}
