//! Clients that are late, over connections in memory and under paused time.

use axum::{
    Router,
    routing::{get, post},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    task::JoinSet,
    time::{Instant, sleep},
};

use super::*;

/// A connection to a router that answers `/`, and slowly `/slow`, and reads what is sent to `/read`.
fn client(tasks: &mut JoinSet<()>) -> DuplexStream {
    let slow = || async {
        sleep(Duration::from_secs(1_000)).await;
        "slow"
    };
    let large = || async { "x".repeat(1 << 20) };
    let router = Router::new()
        .route("/", get(|| async { "quick" }))
        .route("/slow", get(slow))
        .route("/large", get(large))
        .route(
            "/read",
            post(|body: String| async move { body.len().to_string() }),
        );
    let (client, server) = duplex(4_096);
    let (stop, stopped) = watch::channel(Stage::Serving);
    tasks.spawn(async move {
        let _kept = stop;
        serve(server, router.into(), Patience::USUAL, stopped).await;
    });
    client
}

async fn send(client: &mut DuplexStream, text: &str) {
    client.write_all(text.as_bytes()).await.unwrap();
}

/// What comes until the connection ends, and after how many seconds that is.
async fn rest(mut client: DuplexStream) -> (String, u64) {
    let (begin, mut seen) = (Instant::now(), Vec::new());
    client.read_to_end(&mut seen).await.unwrap();
    (String::from_utf8(seen).unwrap(), begin.elapsed().as_secs())
}

/// Reads one reply whose body ends with `end`.
async fn reply(client: &mut DuplexStream, end: &str) -> String {
    let (mut seen, mut piece) = (Vec::new(), [0; 4_096]);
    loop {
        let read = client.read(&mut piece).await.unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&seen);
        if text.ends_with(end) {
            return text.into_owned();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_for_nothing_is_let_go() {
    let mut tasks = JoinSet::new();
    assert_eq!(rest(client(&mut tasks)).await, (String::new(), 30));
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_in_time_is_a_408() {
    let mut tasks = JoinSet::new();
    let mut late = client(&mut tasks);
    sleep(Duration::from_secs(10)).await;
    send(&mut late, "GET / HTTP/1.1\r\nhost: a\r\n").await;
    let (told, after) = rest(late).await;
    assert!(
        told.starts_with("HTTP/1.1 408 Request Timeout\r\n"),
        "{told}"
    );
    let (head, body) = told.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains(&format!("content-length: {}", body.len())),
        "{told}"
    );
    assert!(
        body.contains("\"code\":408") && body.contains("head_ms"),
        "{told}"
    );
    assert_eq!(after, 30, "its time begins with its first byte");
}

/// A header line every seven seconds: each read is soon, the head is never whole.
#[tokio::test(start_paused = true)]
async fn a_head_that_trickles_has_no_more_time_than_another() {
    let mut tasks = JoinSet::new();
    let mut late = client(&mut tasks);
    let begin = Instant::now();
    send(&mut late, "GET / HTTP/1.1\r\n").await;
    let mut lines = 0;
    while late.write_all(b"x-a: b\r\n").await.is_ok() {
        lines += 1;
        sleep(Duration::from_secs(7)).await;
    }
    assert_eq!((lines, begin.elapsed().as_secs()), (5, 35));
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_waits_for_its_next_request_only_so_long() {
    let mut tasks = JoinSet::new();
    let mut kept = client(&mut tasks);
    for _ in 0..3 {
        send(&mut kept, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(
            reply(&mut kept, "quick")
                .await
                .starts_with("HTTP/1.1 200 OK")
        );
        sleep(Duration::from_secs(119)).await;
    }
    assert_eq!(rest(kept).await, (String::new(), 1));
}

/// Neither an answer that takes long nor a body that is coming is a late head.
#[tokio::test(start_paused = true)]
async fn requests_under_way_are_not_hurried() {
    let mut tasks = JoinSet::new();
    let mut slow = client(&mut tasks);
    send(&mut slow, "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(
        reply(&mut slow, "slow")
            .await
            .starts_with("HTTP/1.1 200 OK")
    );
    send(
        &mut slow,
        "POST /read HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n",
    )
    .await;
    for _ in 0..3 {
        sleep(Duration::from_secs(100)).await;
        send(&mut slow, "x").await;
    }
    assert!(reply(&mut slow, "3").await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_let_go() {
    let mut tasks = JoinSet::new();
    let mut deaf = client(&mut tasks);
    send(&mut deaf, "GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let begin = Instant::now();
    tasks.join_next().await.unwrap().unwrap();
    assert_eq!(begin.elapsed().as_secs(), 300);
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_http_2_without_requests_is_let_go_without_a_word_of_http_1() {
    let mut tasks = JoinSet::new();
    let mut quiet = client(&mut tasks);
    send(&mut quiet, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    quiet.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    let (begin, mut seen) = (Instant::now(), Vec::new());
    quiet.read_to_end(&mut seen).await.unwrap();
    assert_eq!(begin.elapsed().as_secs(), 30);
    assert!(!String::from_utf8_lossy(&seen).contains("HTTP/1.1"));
}

/// It is told from HTTP/1.1 by what it begins with, in whatever pieces that comes.
#[tokio::test(start_paused = true)]
async fn a_request_of_http_2_is_answered() {
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // SETTINGS, none; HEADERS of stream 1, its last frame: GET / of http, at `a`.
    sent.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    sent.extend([0, 0, 6, 1, 5, 0, 0, 0, 1]);
    sent.extend([0x82, 0x86, 0x84, 0x41, 1, b'a']);
    for size in [1, 3, 30, sent.len()] {
        let mut tasks = JoinSet::new();
        let mut client = client(&mut tasks);
        for piece in sent.chunks(size) {
            client.write_all(piece).await.unwrap();
            sleep(Duration::from_millis(1)).await;
        }
        let seen = reply(&mut client, "quick").await;
        assert!(!seen.contains("HTTP/1.1"), "{seen}");
    }
}

/// What has come already is not taken for small: a client may send all of a head at once.
#[tokio::test(start_paused = true)]
async fn a_head_that_is_too_large_is_a_431_however_it_comes() {
    for (bytes, status) in [(60_000, "200"), (66_000, "431"), (100_000, "431")] {
        let (mut client, server) = duplex(1 << 20);
        let router = Router::new().route("/", get(|| async { "quick" }));
        let patience = Patience {
            max_head_bytes: 1 << 16,
            ..Patience::USUAL
        };
        let (_stop, stopped) = watch::channel(Stage::Serving);
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(server, router.into(), patience, stopped));
        let long = "y".repeat(bytes);
        send(
            &mut client,
            &format!("GET / HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n"),
        )
        .await;
        let mut line = [0; 12];
        client.read_exact(&mut line).await.unwrap();
        assert_eq!(line, *format!("HTTP/1.1 {status}").as_bytes(), "{bytes}");
    }
}
