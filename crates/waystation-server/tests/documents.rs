//! The sandbox of the server: children of the real binary, over hostile documents where they are at
//! hand.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::body::Body;
use base64::Engine as _;
use http::Request;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use waystation_core::{DocumentJob, DocumentKind, DocumentLimits, Sandbox as _};
use waystation_gateway::TokioClock;
use waystation_plugins::{FileKind, read_document};
use waystation_server::{
    app::{App, Outside},
    config::{Environment, Flags, from_text},
    routes,
    sandbox::ChildSandbox,
};
use waystation_sim::{Pacing, SimTransport, Simulator};

fn sandbox() -> ChildSandbox {
    ChildSandbox::new(env!("CARGO_BIN_EXE_waystation").into())
}

fn job(bytes: Vec<u8>, kind: DocumentKind) -> DocumentJob {
    DocumentJob {
        bytes: bytes.into(),
        kind,
        limits: DocumentLimits {
            bytes: 1 << 26,
            pages: 500,
            time: Duration::from_secs(10),
        },
    }
}

#[tokio::test]
async fn a_child_reads_and_refuses() {
    let sandbox = sandbox();
    let page = b"<h1>Keel</h1><p>inspection".to_vec();
    let read = sandbox.parse(job(page, DocumentKind::Html)).await.unwrap();
    assert_eq!(
        (read.text.as_str(), read.pages),
        ("# Keel\n\ninspection", None)
    );
    let refused = sandbox
        .parse(job(vec![0, 1, 2], DocumentKind::Text))
        .await
        .unwrap_err();
    assert!(refused.reason.contains("binary"), "{refused}");
    let refused = sandbox
        .parse(job(b"no PDF".to_vec(), DocumentKind::Pdf))
        .await
        .unwrap_err();
    assert!(refused.reason.contains("no PDF"), "{refused}");
}

/// Many at once: each waits for its place, none is lost.
#[tokio::test]
async fn documents_wait_for_their_place() {
    let sandbox = sandbox();
    let read = |n: usize| {
        let text = format!("number {n}");
        let sandbox = &sandbox;
        async move {
            sandbox
                .parse(job(text.into_bytes(), DocumentKind::Text))
                .await
                .unwrap()
                .text
        }
    };
    let all = futures_util::future::join_all((0..20).map(read)).await;
    assert!(
        all.iter()
            .enumerate()
            .all(|(n, text)| *text == format!("number {n}"))
    );
}

/// The folder of documents beside the workspace, when it is there.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn documents() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    #[expect(clippy::disallowed_methods, reason = "a test looks for its material")]
    let folder = std::env::var("WAYSTATION_SHARED").map_or_else(|_| beside(), PathBuf::from);
    let folder = folder.join("plugins/docs/dev");
    if folder.exists() {
        return Some(folder);
    }
    println!("skipped: no {} here", folder.display());
    None
}

/// A text as phrases are looked for: without marks and white space.
fn bare(text: &str) -> String {
    let text = text
        .replace('ﬁ', "fi")
        .replace('ﬂ', "fl")
        .replace('ﬀ', "ff");
    text.chars()
        .filter(|c| !c.is_whitespace() && !"*_#|`\\\u{ad}".contains(*c))
        .collect()
}

/// Whether the expectation `line` holds of `text`.
fn holds(line: &str, text: &str) -> bool {
    if let Some(order) = line.strip_prefix("> ") {
        let (a, b) = order.split_once(" >> ").unwrap_or_default();
        return matches!((text.find(&bare(a)), text.find(&bare(b))), (Some(a), Some(b)) if a < b);
    }
    match (line.strip_prefix("! "), line.strip_prefix("~row ")) {
        (Some(not), _) => !text.contains(&bare(not)),
        (_, Some(row)) => text.contains(&bare(&row.replace(" | ", ""))),
        _ => text.contains(&bare(line)),
    }
}

/// Whether it is one, and no expectation of one.
fn is_document(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| !name.to_string_lossy().ends_with(".expected.txt"))
}

/// Every document gives its text or a refusal in time, and the next one is read all the same.
#[tokio::test]
async fn no_document_takes_the_gateway_down() {
    let Some(folder) = documents() else { return };
    let sandbox = sandbox();
    let (mut found, mut all) = (0, 0);
    let mut names: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    for path in names.iter().filter(|path| is_document(path)) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let expected =
            fs::read_to_string(path.with_file_name(format!("{name}.expected.txt"))).unwrap();
        let outcome = expected
            .lines()
            .next()
            .unwrap()
            .trim_start_matches("@outcome ")
            .to_owned();
        let bytes = fs::read(path).unwrap();
        let kind = FileKind::of(&bytes, &name, "");
        let read = match kind.sandboxed() {
            Some(kind) => sandbox.parse(job(bytes, kind)).await,
            None => read_document(&bytes, kind),
        };
        let text = read
            .as_ref()
            .map(|document| bare(&document.text))
            .unwrap_or_default();
        match outcome.as_str() {
            "ok" => assert!(read.is_ok(), "{name}: {read:?}"),
            "password" => assert!(
                read.is_err_and(|error| error.reason.contains("password")),
                "{name}"
            ),
            "no_text" => assert!(text.len() < 20, "{name}: {text}"),
            "error" | "limit" => assert!(read.is_err(), "{name}"),
            "ok_or_unsupported" => assert!(
                read.is_err_and(|error| error.reason.contains("save it as")),
                "{name}"
            ),
            "error_or_empty" | "limit_or_empty" => {
                assert!(text.len() < 2_000, "{name}: {} bytes", text.len())
            }
            _ => {}
        }
        if outcome != "ok" {
            continue;
        }
        let phrases = expected.lines().skip(1).filter(|line| !line.is_empty());
        for line in phrases.filter(|line| !line.starts_with(['#', '%', '?'])) {
            all += 1;
            let held = holds(line, &text);
            found += usize::from(held);
            if !held {
                println!("{name}: not found: {line}");
            }
        }
    }
    println!("{found} of {all} phrases");
    assert!(found * 100 >= all * 97, "{found} of {all}, expected 97 %");
    let after = sandbox
        .parse(job(b"alive".to_vec(), DocumentKind::Text))
        .await
        .unwrap();
    assert_eq!(after.text, "alive");
}

/// A gateway over simulated upstreams, with the real sandbox, and a model that takes no files.
#[expect(clippy::unwrap_used, reason = "the configuration is the test's")]
fn gateway() -> axum::Router {
    let config = r#"
        [server]
        admin_listen = "off"
        [catalog]
        bundled = false
        [providers.a]
        name = "A"
        dialect = "openai-chat"
        base_url = "http://a.mock/v1"
        api_key = "key-of-a-do-not-tell"
        [[models]]
        id = "acme/text"
        context_length = 1000000
        input_modalities = ["text"]
        [[models.endpoints]]
        provider = "a"
        model = "text-at-a"
        price = { prompt = "1", completion = "1" }
    "#;
    let flags = Flags {
        simulate: true,
        ..Flags::default()
    };
    let resolved = from_text("test.toml", config, &flags, &Environment::default()).unwrap();
    let transport = SimTransport::new(Simulator::new(1).with_pacing(Pacing::Instant));
    let outside = Outside {
        sandbox: Some(Arc::new(sandbox())),
        ..Outside::default()
    };
    let clock = Arc::new(TokioClock::start());
    routes::router(&App::composed(
        resolved,
        Arc::new(transport),
        clock,
        outside,
    ))
}

/// Asks about a file over HTTP: the status, and the body.
#[expect(clippy::unwrap_used, reason = "the request is the test's")]
async fn ask(gateway: &axum::Router, name: &str, bytes: &[u8]) -> (u16, String) {
    let data = base64::engine::general_purpose::STANDARD.encode(bytes);
    let file = serde_json::json!({"filename": name, "file_data": data});
    let body = serde_json::json!({"model": "acme/text", "messages": [{"role": "user", "content": [
        {"type": "text", "text": "What does it say?"}, {"type": "file", "file": file},
    ]}]});
    let request = Request::post("/v1/chat/completions")
        .header(http::header::HOST, "127.0.0.1:8080")
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    let reply = gateway.clone().oneshot(request).await.unwrap();
    let status = reply.status().as_u16();
    let body = reply.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// Statement 113 for everything that is read, and its other side: what is not is a 400 that names the
/// file, and the gateway answers the next request.
#[tokio::test]
async fn every_document_is_an_answer_or_a_400_over_http() {
    let Some(folder) = documents() else { return };
    let gateway = gateway();
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths.iter().filter(|path| is_document(path)) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = fs::read(path).unwrap();
        let outcome = fs::read_to_string(path.with_file_name(format!("{name}.expected.txt")));
        let outcome = outcome.unwrap();
        let outcome = outcome.lines().next().unwrap();
        let (status, body) = ask(&gateway, &name, &bytes).await;
        match outcome.trim_start_matches("@outcome ") {
            "ok" => assert_eq!(status, 200, "{name}: {body}"),
            "no_text" => assert!(
                status == 400 && body.contains("mistral-ocr"),
                "{name}: {body}"
            ),
            "password" | "error" | "limit" => assert_eq!(status, 400, "{name}"),
            // No reader has it, and no model here takes files.
            "ok_or_unsupported" => assert!(
                status == 400 && body.contains("before 2007"),
                "{name}: {body}"
            ),
            _ => assert!(status == 200 || status == 400, "{name}: {status} {body}"),
        }
        if status == 400 {
            assert!(body.contains(&name), "{name}: {body}");
        }
        if name == "docx-manual.docx" {
            assert!(
                body.contains("annotations") && body.contains("QX-7731-2"),
                "{body}"
            );
        }
    }
    let (status, body) = ask(&gateway, "alive.txt", b"alive").await;
    assert!(status == 200 && body.contains("alive.txt"), "{body}");
}
