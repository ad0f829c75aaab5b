//! `file-parser` through the gateway: PDFs. Statements 113 to 116, and 126 as far as it goes.
//!
//! The sandbox is this process, as an embedder may have it; the child process that the server has is
//! tested with the server.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use serde_json::{Value, json};
use waystation_core::{Document, DocumentJob, ParseError, Sandbox};
use waystation_plugins::read_foreign;
use waystation_server::app::{App, Outside};
use waystation_sim::{ReplayTransport, Reply, TokioClock, fixtures};
use waystation_tests::{Setup, Station, asking};

/// Reads PDFs in this process, and counts them.
#[derive(Debug, Default)]
struct InProcess(AtomicUsize);

#[async_trait]
impl Sandbox for InProcess {
    async fn parse(&self, job: DocumentJob) -> Result<Document, ParseError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        read_foreign(&job.bytes, job.kind, &job.limits)
    }
}

const MODELS: &str = r#"
    [[models]]
    id = "acme/text"
    context_length = 128000
    input_modalities = ["text"]
    [[models.endpoints]]
    provider = "a"
    model = "text-at-a"
    price = { prompt = "1", completion = "1" }
    [[models]]
    id = "acme/reader"
    context_length = 128000
    input_modalities = ["text", "file"]
    [[models.endpoints]]
    provider = "b"
    model = "reader-at-b"
    price = { prompt = "1", completion = "1" }
"#;

fn station(upstream: ReplayTransport) -> (Station, Arc<InProcess>) {
    let resolved = Setup::mocks()
        .config(MODELS)
        .resolve()
        .expect("a configuration");
    let (upstream, sandbox) = (Arc::new(upstream), Arc::new(InProcess::default()));
    let transport = Arc::<ReplayTransport>::clone(&upstream);
    let clock = Arc::new(TokioClock::new());
    let held = Arc::<InProcess>::clone(&sandbox);
    let outside = Outside {
        sandbox: Some(held),
        ..Outside::default()
    };
    let app = App::composed(resolved, transport, clock, outside);
    (Station::new(app, upstream), sandbox)
}

fn answering() -> (Station, Arc<InProcess>) {
    station(ReplayTransport::answering(|_, _| {
        fixtures::answer("Read.", 5, 2)
    }))
}

/// A PDF of one page with this text, without compression.
fn pdf(text: &str) -> Vec<u8> {
    let content = format!("BT /F1 24 Tf 72 700 Td ({text}) Tj ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R \
         /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!(
            "<< /Length {} >>\nstream\n{content}\nendstream",
            content.len()
        ),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut file = b"%PDF-1.4\n".to_vec();
    let mut places = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        places.push(file.len());
        file.extend(format!("{} 0 obj\n{object}\nendobj\n", at + 1).bytes());
    }
    let table = file.len();
    file.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    for place in places {
        file.extend(format!("{place:010} 00000 n \n").bytes());
    }
    file.extend(format!("trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n").bytes());
    file
}

fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let word = three
            .iter()
            .fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - three.len()));
        for place in 0..4 {
            let sign = SIGNS[(word >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= three.len() {
                char::from(sign)
            } else {
                '='
            });
        }
    }
    out
}

fn asked(model: &str, bytes: &[u8], more: Value) -> Value {
    let data = format!("data:application/pdf;base64,{}", base64(bytes));
    let mut body = json!({"messages": [{"role": "user", "content": [
        {"type": "text", "text": "What does it say?"},
        {"type": "file", "file": {"filename": "keel.pdf", "file_data": data}},
    ]}]});
    body.as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("an object").clone());
    asking(model, body)
}

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
