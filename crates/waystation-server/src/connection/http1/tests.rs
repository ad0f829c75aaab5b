//! The pure half, heads, and the connection from outside, as bytes. They stand here, beside the files
//! that they test, since fuzzing takes `head.rs` as it is.

mod bodies;
mod heads;
mod scene;
mod writes;

use std::{
    io,
    pin::{Pin, pin},
    sync::atomic::Ordering,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{
        AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex,
    },
    task::coop,
    time::{Instant, sleep, timeout},
};

use crate::connection::Patience;
use scene::{Scene, get};

#[tokio::test(start_paused = true)]
async fn an_answer_has_a_length_and_a_date_and_the_connection_is_kept() {
    let mut scene = Scene::new();
    for _ in 0..3 {
        scene.send(&get("/")).await;
        let seen = scene.until("quick").await;
        let (head, body) = seen.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, "quick");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("\r\ncontent-length: 5\r\n"), "{head}");
        let date = head.split("\r\ndate: ").nth(1).unwrap();
        assert!(
            httpdate::parse_http_date(date.lines().next().unwrap()).is_ok(),
            "{head}"
        );
        assert!(
            !head.contains("connection:") && !head.contains("transfer-encoding"),
            "{head}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn requests_that_come_together_are_answered_in_their_order() {
    let mut scene = Scene::new();
    let post = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\none";
    let chunked =
        "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n";
    // An empty line behind a body is nothing.
    scene
        .send(&format!(
            "{post}\r\n{}{chunked}{}",
            get("/slow"),
            get("/close")
        ))
        .await;
    let seen = scene.rest().await;
    let bodies: Vec<&str> = ["one", "slow", "two", "closed"].to_vec();
    let places: Vec<_> = bodies
        .iter()
        .map(|body| seen.find(&format!("\r\n\r\n{body}")))
        .collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{seen}"
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_wants_the_connection_closed_has_it_closed() {
    for (head, line) in [
        (
            "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 200 OK",
        ),
        (
            "GET / HTTP/1.1\r\nhost: a\r\nconnection: TE, Close\r\n\r\n",
            "HTTP/1.1 200 OK",
        ),
        ("GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK"),
        // Of the route's own wish.
        ("GET /close HTTP/1.1\r\nhost: a\r\n\r\n", "HTTP/1.1 200 OK"),
    ] {
        let mut scene = Scene::new();
        let begin = Instant::now();
        scene.send(head).await;
        let seen = scene.rest().await;
        assert!(
            seen.starts_with(line) && seen.contains("\r\nconnection: close\r\n"),
            "{seen}"
        );
        assert!(begin.elapsed() < Duration::from_secs(1), "{head}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_client_may_ask_for_its_connection_to_be_kept() {
    let mut scene = Scene::new();
    for _ in 0..2 {
        scene
            .send("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
            .await;
        let seen = scene.until("quick").await;
        assert!(seen.contains("\r\nconnection: keep-alive\r\n"), "{seen}");
    }
    // It knows no chunks: what has no length ends with the connection.
    scene
        .send("GET /stream HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
        .await;
    let seen = scene.rest().await;
    assert!(seen.ends_with("\r\n\r\n0;1;2;"), "{seen}");
    assert!(
        seen.contains("connection: close") && !seen.contains("chunked"),
        "{seen}"
    );
}

#[tokio::test(start_paused = true)]
async fn answers_without_a_body_have_none() {
    for (request, line, length) in [
        ("HEAD /", "HTTP/1.1 200 OK", Some("content-length: 5")),
        ("HEAD /stream", "HTTP/1.1 200 OK", None),
        ("GET /none", "HTTP/1.1 204 No Content", None),
        ("GET /same", "HTTP/1.1 304 Not Modified", None),
    ] {
        let mut scene = Scene::new();
        scene
            .send(&format!(
                "{request} HTTP/1.1\r\nhost: a\r\n\r\n{}",
                get("/close")
            ))
            .await;
        let seen = scene.rest().await;
        let (first, second) = seen.split_once("\r\n\r\n").unwrap();
        assert!(first.starts_with(line), "{seen}");
        assert!(!first.contains("chunked"), "{seen}");
        let told = first
            .lines()
            .find(|line| line.starts_with("content-length"));
        assert_eq!(told, length, "{seen}");
        assert!(second.starts_with("HTTP/1.1 200 OK"), "{seen}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_is_not_taken_up() {
    let mut scene = Scene::new();
    scene
        .send("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n")
        .await;
    assert!(scene.until("quick").await.starts_with("HTTP/1.1 200 OK"));
}

/// Whole answers and streams: dropped at once, and what they hold with them.
#[tokio::test(start_paused = true)]
async fn an_answer_is_dropped_when_its_client_goes_away() {
    for (path, begun) in [("/slow", ""), ("/ticks", "tick")] {
        let mut scene = Scene::new();
        scene.send(&get(path)).await;
        if begun.is_empty() {
            sleep(Duration::from_secs(1)).await;
        } else {
            scene.until(begun).await;
        }
        assert_eq!(scene.alive.load(Ordering::SeqCst), 1, "{path}");
        let left = Instant::now();
        let alive = scene.alive.clone();
        scene.leave().await;
        assert_eq!(alive.load(Ordering::SeqCst), 0, "{path}");
        assert!(left.elapsed() < Duration::from_secs(1), "{path}");
    }
}

/// A client that closes its sending half alone looks like one that has gone, and is taken for that: whoever
/// would tell them apart had to write, and an upstream would work on until then. nginx (499) and hyper
/// (`half_close`, off by default) do the same. What needs no waiting is answered.
#[tokio::test(start_paused = true)]
async fn a_client_that_closes_its_sending_half_has_gone_away() {
    for (path, answered) in [("/", true), ("/slow", false), ("/ticks", true)] {
        let mut scene = Scene::new();
        let begin = Instant::now();
        scene.send(&get(path)).await;
        scene.client().shutdown().await.unwrap();
        let mut seen = Vec::new();
        scene.client().read_to_end(&mut seen).await.unwrap();
        assert_eq!(!seen.is_empty(), answered, "{path}");
        assert_eq!(scene.alive.load(Ordering::SeqCst), 0, "{path}");
        assert!(begin.elapsed() < Duration::from_secs(1), "{path}");
    }
}

/// They wait in the system's buffers, and the client with them.
#[tokio::test(start_paused = true)]
async fn requests_behind_one_that_takes_long_are_not_read_without_end() {
    let mut scene = Scene::new();
    scene.send(&get("/forever")).await;
    let flood = get("/").repeat(64);
    let mut taken = 0;
    while let Ok(sent) = timeout(
        Duration::from_secs(9),
        scene.client().write_all(flood.as_bytes()),
    )
    .await
    {
        sent.unwrap();
        taken += flood.len();
        assert!(taken < 1 << 20, "everything is read");
    }
    assert!(taken > 4_096, "what is read by the way is kept");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_told_to_stop_answers_what_is_under_way_and_ends() {
    // Nothing is under way: at once.
    for quiet in ["", &get("/")] {
        let mut scene = Scene::new();
        scene.send(quiet).await;
        if !quiet.is_empty() {
            scene.until("quick").await;
        }
        sleep(Duration::from_secs(1)).await;
        let begin = Instant::now();
        scene.stop();
        assert_eq!(scene.rest().await, "");
        assert!(begin.elapsed() < Duration::from_secs(1));
    }
    // A request is, or begins to be: its answer is the last.
    for (first, then) in [
        (get("/slow"), get("/")),
        (
            "GET /slow HTT".to_owned(),
            "P/1.1\r\nhost: a\r\n\r\n".to_owned(),
        ),
    ] {
        let mut scene = Scene::new();
        scene.send(&first).await;
        sleep(Duration::from_secs(1)).await;
        scene.stop();
        scene.send(&then).await;
        let seen = scene.rest().await;
        assert!(
            seen.contains("\r\nconnection: close\r\n") && seen.ends_with("slow"),
            "{seen}"
        );
    }
}

/// A connection whose first read has used up what its task may do in one turn.
struct Busy(DuplexStream, bool);

impl AsyncRead for Busy {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(cx, buffer);
        while self.1 && coop::has_budget_remaining() {
            let _ = pin!(coop::consume_budget()).poll(cx);
        }
        self.1 = false;
        read
    }
}

impl AsyncWrite for Busy {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_had_much_to_do_hears_all_the_same_that_it_is_to_stop() {
    let (_client, server) = duplex(4_096);
    let mut scene = Scene::over(Busy(server, true), Patience::USUAL);
    sleep(Duration::from_secs(1)).await;
    let begin = Instant::now();
    scene.stop();
    scene.leave().await;
    assert!(begin.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_stream_under_way_goes_on_when_the_connection_is_told_to_stop() {
    let mut scene = Scene::new();
    scene.send(&get("/stream")).await;
    scene.until("0;\r\n").await;
    scene.stop();
    let seen = scene.rest().await;
    assert!(seen.ends_with("2;\r\n0\r\n\r\n"), "{seen}");
}

/// Between requests, a client that has closed ends the connection, however far it came with a head.
#[tokio::test(start_paused = true)]
async fn a_client_that_closes_before_a_head_is_whole_is_told_nothing() {
    for head in ["", "GET / HTTP/1.1\r\nhost"] {
        let mut scene = Scene::new();
        scene.send(head).await;
        scene.client().shutdown().await.unwrap();
        let mut seen = Vec::new();
        scene.client().read_to_end(&mut seen).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&seen), "");
    }
}
