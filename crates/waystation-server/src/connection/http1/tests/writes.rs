//! What leaves the connection together, and what leaves at once.

#![expect(clippy::disallowed_methods, reason = "a test keeps what it saw")]

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    time::{Instant, sleep},
};

use super::scene::{Scene, get};
use crate::connection::Patience;

/// A connection that says what was written to it, and when.
#[derive(Clone)]
struct Told(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// What the client sends, a piece for each read.
    sent: VecDeque<&'static [u8]>,
    writes: Vec<(u64, String)>,
    /// How many reads there were.
    reads: usize,
}

struct Line(Told, Instant);

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.0.lock().unwrap();
        state.reads += 1;
        match state.sent.pop_front() {
            Some(piece) => buffer.put_slice(piece),
            None => return Poll::Pending,
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let after = self.1.elapsed().as_secs();
        self.0.0.lock().unwrap().writes.push((after, text));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
        self.poll_write(cx, &all)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What is written within ten seconds where this is sent: when, and what.
async fn written(sent: &[&'static str]) -> Vec<(u64, String)> {
    let told = Told(Arc::default());
    told.0.lock().unwrap().sent = sent.iter().map(|text| text.as_bytes()).collect();
    let _scene = Scene::over(Line(told.clone(), Instant::now()), Patience::USUAL);
    sleep(Duration::from_secs(10)).await;
    std::mem::take(&mut told.0.lock().unwrap().writes)
}

#[tokio::test(start_paused = true)]
async fn a_small_answer_leaves_in_one_write() {
    for head in [
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        assert_eq!(written(&[head]).await.len(), 1, "{head}");
    }
}

#[tokio::test(start_paused = true)]
async fn pieces_of_a_stream_leave_as_they_are_ready() {
    let writes = written(&["GET /stream HTTP/1.1\r\nhost: a\r\n\r\n"]).await;
    let [(0, head), rest @ ..] = &*writes else {
        panic!("{writes:?}")
    };
    assert!(
        head.contains("\r\ntransfer-encoding: chunked\r\n") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    let expected = [
        (1, "2\r\n0;\r\n"),
        (2, "2\r\n1;\r\n"),
        (3, "2\r\n2;\r\n0\r\n\r\n"),
    ];
    assert_eq!(rest, expected.map(|(after, text)| (after, text.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn pieces_that_are_ready_together_leave_together() {
    let writes = written(&["GET /together HTTP/1.1\r\nhost: a\r\n\r\n"]).await;
    let [(_, text)] = &*writes else {
        panic!("{writes:?}")
    };
    assert!(
        text.ends_with("\r\n\r\n1\r\na\r\n2\r\nbc\r\n1\r\nd\r\n0\r\n\r\n"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_large_answer_is_not_cut_up() {
    let writes = written(&["GET /large HTTP/1.1\r\nhost: a\r\n\r\n"]).await;
    let [(_, text)] = &*writes else {
        panic!("{} writes", writes.len())
    };
    assert!(text.ends_with(&"x".repeat(1 << 20)));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fails_has_no_end() {
    let mut scene = Scene::new();
    scene.send(&get("/broken")).await;
    let seen = scene.rest().await;
    assert!(seen.ends_with("\r\n\r\n1\r\na\r\n"), "{seen}");
}

/// What the body is counts, not what a route says of it.
#[tokio::test(start_paused = true)]
async fn the_length_is_the_bodys_own() {
    let mut scene = Scene::new();
    scene.send(&get("/short")).await;
    let seen = scene.until("four").await;
    assert!(
        seen.contains("\r\ncontent-length: 4\r\n") && !seen.contains(": 9"),
        "{seen}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_may_be_slow_as_long_as_it_takes_something() {
    let mut scene = Scene::new();
    scene.send(&get("/large")).await;
    let begin = Instant::now();
    let mut seen = Vec::new();
    while !seen.ends_with(b"xx") || seen.len() < 1 << 20 {
        let read = scene.client().read_buf(&mut seen).await.unwrap();
        assert!(read > 0);
        sleep(Duration::from_secs(100)).await;
    }
    let long = Duration::from_secs(20_000);
    assert!(begin.elapsed() > long, "each wait was within its limit");
}

/// The next piece is asked for when the last has been taken.
#[tokio::test(start_paused = true)]
async fn a_stream_waits_for_its_client() {
    let mut scene = Scene::new();
    scene.send(&get("/endless")).await;
    sleep(Duration::from_secs(100)).await;
    let made = scene.alive.load(Ordering::SeqCst);
    assert!((1..=3).contains(&made), "{made} pieces of 16 kB");
    let mut seen = Vec::new();
    while seen.len() < 1 << 20 {
        scene.client().read_buf(&mut seen).await.unwrap();
    }
    let made = scene.alive.load(Ordering::SeqCst);
    assert!((64..=68).contains(&made), "{made} pieces of 16 kB");
}
