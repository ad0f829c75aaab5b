//! The gateway ends while answers are under way: whoever waits for one is told, whatever it has seen and
//! whichever protocol it speaks.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use waystation_core::{Entry, ErrorType};
use waystation_server::{
    connection::{Patience, serve},
    ending::Stage,
    routes::Site,
};
use waystation_sim::{ReplayTransport, Reply};
use waystation_tests::{Setup, Station, asking, event};

/// Paused time goes on when everybody waits.
const SOON: Duration = Duration::from_millis(1);

/// One client of a gateway whose upstream gives this reply, and how it is told that it ends.
struct Scene {
    client: DuplexStream,
    station: Station,
    stage: watch::Sender<Stage>,
    _tasks: JoinSet<()>,
}

impl Scene {
    fn of(reply: Reply) -> Self {
        let station = Setup::one("price = { prompt = '1', completion = '1' }")
            .start(ReplayTransport::queue([reply]));
        let (client, server) = duplex(1 << 16);
        let (stage, heard) = watch::channel(Stage::Serving);
        let mut tasks = JoinSet::new();
        let site = Site::of(station.app());
        tasks.spawn(serve(server, site, Patience::USUAL, heard));
        Self {
            client,
            station,
            stage,
            _tasks: tasks,
        }
    }

    /// Asks, as the first request of the connection.
    async fn ask(&mut self, streamed: bool) {
        let body = asking("acme/one", json!({"stream": streamed})).to_string();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.client.write_all(head.as_bytes()).await.unwrap();
    }

    /// What comes when the gateway has drained for five seconds and ends; nothing of it may take time.
    async fn end(mut self) -> (String, Entry) {
        self.stage.send(Stage::Draining).unwrap();
        sleep(Duration::from_secs(5)).await;
        let begin = Instant::now();
        self.station.app().end().come();
        self.stage.send(Stage::Ending).unwrap();
        let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
        // A client of HTTP/2 that does not acknowledge is waited for.
        while let Ok(Ok(count @ 1..)) = timeout(SOON, self.client.read(&mut piece)).await {
            seen.extend_from_slice(&piece[..count]);
        }
        assert!(begin.elapsed() <= SOON);
        assert_eq!(self.station.upstream().open(), 0, "upstream is let go");
        let entries = self.station.app().ledger().latest(1);
        let entry = Entry::clone(&entries[0]);
        (String::from_utf8_lossy(&seen).into_owned(), entry)
    }
}

fn error_of(text: &str) -> Value {
    let chunk: Value = serde_json::from_str(text).unwrap();
    assert_eq!(chunk["error"]["code"], 503, "{chunk}");
    let message = chunk["error"]["message"].as_str().unwrap();
    assert!(message.contains("shutting down"), "{chunk}");
    chunk
}

/// The data of the last event before `[DONE]`.
fn last(seen: &str) -> &str {
    let (before, after) = seen.split_once("data: [DONE]\n\n").unwrap();
    assert!(after.ends_with("0\r\n\r\n"), "the body is complete: {seen}");
    let at = before.rfind("data: ").unwrap();
    before[at + "data: ".len()..].trim_end()
}

fn stalled() -> Reply {
    Reply::sse([event(json!({"content": "Hel"}), None)]).stall()
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_open_ends_with_an_error_and_is_settled_as_failed() {
    let mut scene = Scene::of(stalled());
    scene.ask(true).await;
    sleep(Duration::from_secs(1)).await;
    let (seen, entry) = scene.end().await;
    assert!(
        seen.starts_with("HTTP/1.1 200 OK") && seen.contains("Hel"),
        "{seen}"
    );
    let chunk = error_of(last(&seen));
    assert_eq!(chunk["choices"][0]["finish_reason"], "error");
    assert!(
        chunk["usage"]["prompt_tokens"].as_u64().unwrap() > 0,
        "{chunk}"
    );
    assert_eq!(
        (entry.error, entry.cancelled),
        (Some(ErrorType::ProviderOverloaded), false)
    );
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_has_only_seen_a_comment_is_told_in_band() {
    let mut scene = Scene::of(stalled().delay(50_000));
    scene.ask(true).await;
    sleep(Duration::from_secs(11)).await;
    let (seen, entry) = scene.end().await;
    assert!(seen.contains(": WAYSTATION PROCESSING"), "{seen}");
    let chunk = error_of(last(&seen));
    assert_eq!(chunk["choices"][0]["finish_reason"], "error");
    assert!(entry.cancelled);
}

#[tokio::test(start_paused = true)]
async fn who_has_seen_nothing_gets_a_503() {
    for streamed in [true, false] {
        let mut scene = Scene::of(stalled().delay(50_000));
        scene.ask(streamed).await;
        sleep(Duration::from_secs(1)).await;
        let (seen, _) = scene.end().await;
        let (head, body) = seen.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 503 "), "{seen}");
        assert!(head.contains("\r\nretry-after: 1"), "{seen}");
        error_of(body);
    }
}

/// A frame of HTTP/2. Source: RFC 9113, section 4.1.
fn frame(kind: u8, flags: u8, stream: u32, text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap().to_be_bytes();
    let mut out = length[1..].to_vec();
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(text);
    out
}

#[tokio::test(start_paused = true)]
async fn streams_of_http2_are_told_alike() {
    for delay in [0, 50_000] {
        let mut scene = Scene::of(stalled().delay(delay));
        let mut fields = b"\x83\x86".to_vec();
        for (name, value) in [
            (":path", "/v1/chat/completions"),
            (":authority", "localhost"),
            ("content-type", "application/json"),
        ] {
            fields.push(0);
            for text in [name, value] {
                fields.push(u8::try_from(text.len()).unwrap());
                fields.extend(text.bytes());
            }
        }
        let body = asking("acme/one", json!({"stream": true})).to_string();
        let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        sent.extend(frame(4, 0, 0, b""));
        sent.extend(frame(1, 4, 1, &fields));
        sent.extend(frame(0, 1, 1, body.as_bytes()));
        scene.client.write_all(&sent).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        let (seen, _) = scene.end().await;
        assert!(seen.contains("shutting down"), "{seen}");
        assert_eq!(seen.contains("data: [DONE]"), delay == 0, "{seen}");
    }
}
