//! Secrets stay inside: after runs of faults whose upstreams repeat what they were sent, neither a
//! configured key nor a canary in the prompt is found in anything that the gateway gave out: bodies,
//! headers, records, metrics, explanations, log lines, `Debug` output.

#![expect(clippy::disallowed_methods, reason = "a test keeps what it saw")]

use std::{
    io,
    sync::{Arc, Mutex},
};

use http::{Method, Request, header};
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use waystation_core::HttpRequest;
use waystation_server::{log_line::JsonLines, metrics};
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::{Setup, Station, ask};

use crate::fault::{finish, good, page, role, word};

/// With the characters that encoders like to escape.
const KEY_OF_A: &str = "sk-a/key+of=a/do-not-tell";
const SECOND_KEY_OF_A: &str = "sk-a/second+key=do-not-tell";
const KEY_OF_B: &str = "key-of-b-do-not-tell";
const CLIENT_KEY: &str = "client-key-do-not-tell-0001";
const CANARY: &str = "canary-7319-in-the-prompt";

/// Everything that was logged.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

fn setup() -> Setup {
    Setup::mocks().config(&format!(
        "[auth]\nkeys = ['{CLIENT_KEY}']\n[providers.a]\napi_key = '{KEY_OF_A}'\n\
         [[providers.a.keys]]\napi_key = '{SECOND_KEY_OF_A}'"
    ))
}

/// The key and the body that came with a request, as upstreams see them.
fn sent(request: &HttpRequest) -> (String, String) {
    let key = request.headers["authorization"].to_str().expect("a text");
    let key = key.trim_start_matches("Bearer ").to_owned();
    (key, String::from_utf8_lossy(&request.body).into_owned())
}

/// Replies that repeat `text` wherever an upstream may: what is wrong with the request.
pub(crate) fn parrots(text: &str) -> Vec<Reply> {
    let message = format!("no, {text} is wrong");
    let error = json!({"message": message, "type": text, "code": text, "param": text});
    let quoted = json!({"error": {"message": "Provider returned error", "code": 400,
        "metadata": {"raw": json!({"error": {"message": message}}).to_string(), "provider_name": text}}});
    let detail = json!({"detail": [{"loc": ["body", text], "msg": message}]});
    let plain = json!({ "error": error }).to_string();
    let mut replies = vec![
        Reply::json(400, detail.to_string()),
        Reply::json(400, quoted.to_string()),
        Reply::json(200, plain.clone()),
        Reply::json(200, json!({"text": text}).to_string()),
        Reply::json(200, format!("{plain} {text}")),
        page("text/html", format!("<html>{message}</html>")),
        page("text/plain", message.clone()),
        Reply::stream(format!("data: {plain}\n\n")),
        Reply::stream(format!("event: error\ndata: {plain}\n\n")),
        Reply::sse([role(), word("a0 "), plain.clone()]),
        Reply::sse([role(), word("a0 "), finish("error"), text.to_owned()]).cut_after(400),
    ];
    for status in [400, 401, 402, 403, 404, 413, 429, 500, 502, 503, 529] {
        replies.push(Reply::json(status, plain.clone()).header("www-authenticate", text));
        replies.push(Reply::json(
            status,
            plain.replace('/', "\\/").replace('+', "\\u002B"),
        ));
        replies.push(Reply::json(status, message.clone()).chunked(3));
    }
    replies
}

/// Asks as a client with its key does, streamed and whole, for every reply that A may give; gives
/// back all that came out.
async fn run(parrot: fn(&HttpRequest) -> String) -> (Station, Vec<String>) {
    let upstream = ReplayTransport::answering(move |request, nth| match request.url.host() {
        Some("b.mock") if nth % 2 == 0 => good('b', false),
        Some("a.mock" | "b.mock") => {
            let replies = parrots(&parrot(request));
            replies[nth / 2 % replies.len()].clone()
        }
        _ => fixtures::error(401, &sent(request).0),
    });
    let station = setup().start(upstream);
    let mut given = Vec::new();
    for round in 0..3 * parrots("").len() {
        let only = if round % 3 == 0 {
            json!(["A", "B"])
        } else {
            json!(["A"])
        };
        let body = ask(
            json!({"provider": {"only": only}, "stream": round % 2 == 0, "user": CANARY,
            "messages": [{"role": "user", "content": CANARY}]}),
        );
        let body = body.to_string();
        for path in ["/v1/chat/completions", "/v1/route/explain"] {
            let request = with_key(Method::POST, path, &body, CLIENT_KEY);
            let got = station.whole(request).await;
            given.push(format!("{:?}\n{}", got.headers, got.text()));
            let id = got.header("x-generation-id").unwrap_or("none").to_owned();
            let path = format!("/v1/generation?id={id}");
            let record = station
                .whole(with_key(Method::GET, &path, "", CLIENT_KEY))
                .await;
            given.push(format!("record: {:?}\n{}", record.headers, record.text()));
        }
        // Keys that were refused or limited rest; the next round begins when they do not.
        tokio::time::sleep(std::time::Duration::from_secs(600)).await;
    }
    for (path, key) in [
        ("/v1/models", CLIENT_KEY),
        ("/v1/providers", CLIENT_KEY),
        ("/v1/models/acme/m/endpoints", CLIENT_KEY),
        ("/v1/key", CLIENT_KEY),
        ("/v1/key", "a-wrong-key-do-not-tell"),
        ("/health", CLIENT_KEY),
        ("/ready", CLIENT_KEY),
    ] {
        let got = station.whole(with_key(Method::GET, path, "", key)).await;
        given.push(format!("{:?}\n{}", got.headers, got.text()));
    }
    (station, given)
}

fn with_key(method: Method, path: &str, body: &str, key: &str) -> Request<axum::body::Body> {
    let mut request = Station::request(method, path, body.to_owned());
    let value = format!("Bearer {key}").parse().expect("a header");
    request.headers_mut().insert(header::AUTHORIZATION, value);
    request
}

/// A key as it is, and as JSON strings may spell it.
fn spellings(secret: &str) -> [String; 3] {
    let slashes = secret.replace('/', "\\/");
    let escaped = slashes.replace('+', "\\u002B");
    [secret.to_owned(), slashes, escaped]
}

pub(crate) fn assert_absent(secret: &str, texts: &[String]) {
    for text in texts {
        // A body within a string of a body is escaped once more.
        let plain = text.replace("\\\\", "\\");
        for spelling in spellings(secret) {
            assert!(
                !text.contains(&spelling) && !plain.contains(&spelling),
                "{secret} in {text}"
            );
        }
    }
}

// === impl Log ===

impl Log {
    /// Logs everything at every level, in this thread, until the guard is dropped.
    pub(crate) fn begin(&self) -> tracing::subscriber::DefaultGuard {
        let log = tracing_subscriber::fmt()
            .event_format(JsonLines)
            .with_max_level(LevelFilter::TRACE);
        tracing::subscriber::set_default(log.with_writer(self.clone()).finish())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("a lock")).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("a lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn upstreams_that_repeat_the_key_do_not_make_it_known() {
    let log = Log::default();
    let guard = log.begin();
    let (station, mut given) = run(|request| sent(request).0).await;
    drop(guard);
    assert!(
        station.asked().iter().any(|host| host == "b"),
        "B was asked too"
    );
    assert!(
        given.iter().any(|text| text.contains("[credential]")),
        "errors are told"
    );
    let lines = log.text();
    assert!(lines.lines().count() >= 100, "a line a request: {lines}");
    given.extend([lines, metrics::text(station.app())].map(|text| {
        assert!(!text.is_empty());
        text
    }));
    given.push(format!(
        "{:?} {:?}",
        station.app().gateway(),
        station.app().live()
    ));
    given.push(format!("{:?}", setup().resolve()));
    for secret in [KEY_OF_A, SECOND_KEY_OF_A, KEY_OF_B, CLIENT_KEY, CANARY] {
        assert_absent(secret, &given);
    }
    assert_absent("a-wrong-key-do-not-tell", &given);
}

/// What an upstream says of the prompt is told to the client, who wrote it, and to nobody else.
#[tokio::test(start_paused = true)]
async fn a_prompt_that_upstreams_repeat_is_in_no_log_record_or_metric() {
    let log = Log::default();
    let guard = log.begin();
    let (station, given) = run(|request| {
        let body: Value = serde_json::from_str(&sent(request).1).expect("JSON");
        body["messages"][0]["content"]
            .as_str()
            .expect("a text")
            .to_owned()
    })
    .await;
    drop(guard);
    let told = given
        .iter()
        .any(|text| !text.starts_with("record: ") && text.contains(CANARY));
    assert!(told, "the client learns the reason");
    let mut kept: Vec<String> = given
        .into_iter()
        .filter(|text| text.starts_with("record: "))
        .collect();
    kept.extend([log.text(), metrics::text(station.app())]);
    assert_absent(CANARY, &kept);
}
