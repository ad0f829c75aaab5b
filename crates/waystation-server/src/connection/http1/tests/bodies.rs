//! Bodies of requests: how they come, what becomes of those that nobody wants, and what is no body.

use std::{
    collections::HashSet,
    future::{Future as _, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use bytes::BytesMut;
use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, sleep, timeout},
};

use super::scene::{Scene, get};
use crate::{
    body::{self, Bounds, Room, Source as _},
    connection::http1::body::{Arriving, Inlet},
};

fn post(path: &str, more: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: a\r\n{more}\r\n")
}

#[tokio::test(start_paused = true)]
async fn a_body_may_come_with_its_head_or_behind_it() {
    let length = post("/echo", "content-length: 9\r\n");
    let chunked = post("/echo", "transfer-encoding: Chunked\r\n");
    for (pieces, body) in [
        (vec![&*length, "123456789"], "123456789"),
        (vec![&*length, "1234", "56789"], "123456789"),
        (
            vec![
                &*chunked,
                "4\r\n1234\r\n5;a=b\r\n56789\r\n0\r\nx: y\r\n\r\n",
            ],
            "123456789",
        ),
        (
            vec![
                &*chunked,
                "4\r",
                "\n12",
                "34\r\n",
                "5\r\n56789",
                "\r\n0\r\n",
                "\r",
                "\n",
            ],
            "123456789",
        ),
        (vec![&*chunked, "0\r\n\r\n"], ""),
    ] {
        for together in [false, true] {
            let mut scene = Scene::new();
            if together {
                scene.send(&pieces.concat()).await;
            } else {
                for piece in &pieces {
                    scene.send(piece).await;
                    sleep(Duration::from_secs(1)).await;
                }
            }
            let seen = scene.until(&format!("\r\n\r\n{body}")).await;
            assert!(
                seen.starts_with("HTTP/1.1 200 OK\r\n"),
                "{pieces:?}: {seen}"
            );
            // Nothing is left behind it.
            scene.send(&get("/close")).await;
            let seen = scene.rest().await;
            assert!(
                seen.starts_with("HTTP/1.1 200 OK") && seen.ends_with("\r\n\r\nclosed"),
                "{pieces:?}: {seen}"
            );
        }
    }
}

/// Of a megabyte and more, by whichever route reads it, and in whatever framing.
#[tokio::test(start_paused = true)]
async fn a_large_body_is_read_whole() {
    for size in [16 << 10, 400_000, (4 << 20) + 1] {
        for path in ["/read", "/echo"] {
            for chunked in [false, true] {
                let mut scene = Scene::new();
                let body: Vec<u8> = (0..size)
                    .map(|at| b'a' + u8::try_from(at % 23).unwrap())
                    .collect();
                let framing = if chunked {
                    "transfer-encoding: chunked\r\n".to_owned()
                } else {
                    format!("content-length: {size}\r\n")
                };
                let mut sent = post(path, &framing).into_bytes();
                if chunked {
                    for piece in body.chunks(100_000) {
                        sent.extend(format!("{:x}\r\n", piece.len()).into_bytes());
                        sent.extend(piece);
                        sent.extend(b"\r\n");
                    }
                    sent.extend(b"0\r\n\r\n");
                } else {
                    sent.extend(&body);
                }
                scene.client().write_all(&sent).await.unwrap();
                if path == "/read" {
                    scene.until(&format!("{size} read")).await;
                } else {
                    let mut seen = Vec::new();
                    while !seen.ends_with(&body) {
                        assert!(scene.client().read_buf(&mut seen).await.unwrap() > 0);
                    }
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_may_be_given_back_while_it_comes() {
    let mut scene = Scene::new();
    scene
        .send(&post("/begin", "transfer-encoding: chunked\r\n"))
        .await;
    scene.until("\r\n\r\n").await;
    for piece in ["one", "two", "three"] {
        scene
            .send(&format!("{:x}\r\n{piece}\r\n", piece.len()))
            .await;
        scene.until(&format!("{piece}\r\n")).await;
    }
    scene.send("0\r\n\r\n").await;
    assert_eq!(scene.rest().await, "0\r\n\r\n");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_waits_for_a_word_gets_it_when_its_body_is_wanted() {
    let expects = "expect: 100-Continue\r\ncontent-length: 5\r\n";
    let mut scene = Scene::new();
    scene.send(&post("/echo", expects)).await;
    assert_eq!(
        scene.until("\r\n\r\n").await,
        "HTTP/1.1 100 Continue\r\n\r\n"
    );
    scene.send("12345").await;
    let seen = scene.until("12345").await;
    assert!(
        seen.starts_with("HTTP/1.1 200 OK\r\n") && !seen.contains("connection: close"),
        "{seen}"
    );
    // One that did not wait needs none.
    scene.send(&(post("/echo", expects) + "54321")).await;
    assert!(
        scene
            .until("54321")
            .await
            .starts_with("HTTP/1.1 200 OK\r\n")
    );
    // A body that is not wanted never comes, and nobody may take it for a request.
    scene.send(&post("/ignore", expects)).await;
    let seen = scene.until("ignored").await;
    assert!(
        seen.starts_with("HTTP/1.1 200 OK\r\n") && seen.contains("connection: close"),
        "{seen}"
    );
    // HTTP/1.0 does not know the word.
    let mut scene = Scene::new();
    scene
        .send("POST /echo HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        .await;
    sleep(Duration::from_secs(1)).await;
    scene.send("ab").await;
    assert!(scene.rest().await.starts_with("HTTP/1.0 200 OK\r\n"));
}

#[tokio::test(start_paused = true)]
async fn a_short_body_that_nobody_wants_is_skipped() {
    let mut scene = Scene::new();
    scene
        .send(&post("/ignore", "content-length: 60000\r\n"))
        .await;
    scene.until("ignored").await;
    // It looks like a request and is none.
    let mut body = get("/slow").repeat(60_000 / get("/slow").len());
    body.extend(std::iter::repeat_n('x', 60_000 - body.len()));
    scene.send(&body).await;
    scene.send(&get("/")).await;
    assert!(
        scene
            .until("quick")
            .await
            .starts_with("HTTP/1.1 200 OK\r\n")
    );
    // It has as long as a head has.
    scene
        .send(&post("/ignore", "content-length: 60000\r\n"))
        .await;
    scene.until("ignored").await;
    let begin = Instant::now();
    assert_eq!(scene.rest().await, "");
    assert_eq!(begin.elapsed().as_secs(), 30);
}

/// A client that is cut off while it sends would not see the answer.
#[tokio::test(start_paused = true)]
async fn a_long_body_that_nobody_wants_ends_the_connection_behind_the_answer() {
    for framing in [
        "content-length: 4000000\r\n",
        "transfer-encoding: chunked\r\n",
    ] {
        let mut scene = Scene::new();
        scene.send(&post("/ignore", framing)).await;
        for _ in 0..400 {
            scene.send(&"y".repeat(10_000)).await;
        }
        let seen = scene.rest().await;
        assert!(
            seen.contains("\r\nconnection: close\r\n") && seen.ends_with("ignored"),
            "{seen}"
        );
    }
    // Not for ever.
    let mut scene = Scene::new();
    scene
        .send(&post("/ignore", "content-length: 4000000\r\n"))
        .await;
    let begin = Instant::now();
    while scene.client().write_all(b"y").await.is_ok() {
        sleep(Duration::from_secs(1)).await;
    }
    assert!(begin.elapsed() < Duration::from_secs(8));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_body_is_an_error_and_nothing_behind_it_is_a_request() {
    for body in [
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "x\r\n",
        "-1\r\n",
        "0x5\r\nhello\r\n",
        "5 5\r\nhello\r\n",
        " 5\r\nhello\r\n",
        "5\r\r\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n",
        "11111111111111111\r\nhello\r\n",
        "0\r\nx: y\n\r\n",
        "0\r\n\n",
    ] {
        for path in ["/echo", "/read"] {
            let mut scene = Scene::new();
            let head = post(path, "transfer-encoding: chunked\r\n");
            scene.send(&format!("{head}{body}{}", get("/"))).await;
            let seen = scene.rest().await;
            assert!(
                seen.starts_with("HTTP/1.1 400 ") && !seen.contains("quick"),
                "{body:?}: {seen}"
            );
            assert_eq!(seen.matches("HTTP/1.1").count(), 1, "{body:?}: {seen}");
            assert!(
                seen.contains("\r\nconnection: close\r\n"),
                "{body:?}: {seen}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_an_error() {
    for framing in ["content-length: 9\r\n", "transfer-encoding: chunked\r\n"] {
        let mut scene = Scene::new();
        scene.send(&(post("/read", framing) + "5\r\nabc")).await;
        sleep(Duration::from_secs(1)).await;
        scene.client().shutdown().await.unwrap();
        let seen = scene.rest().await;
        assert!(
            seen.starts_with("HTTP/1.1 400 ") && seen.contains("ended early"),
            "{seen}"
        );
    }
}

/// As the chat route reads: into one piece, at the place where it stays.
#[tokio::test(start_paused = true)]
async fn a_body_is_read_into_the_room_that_its_reader_has_made() {
    let (size, inlet) = (1_000_000, Arc::new(Inlet::default()));
    let body = Arriving::coming(Arc::clone(&inlet), Some(size as u64));
    let bounds = Bounds {
        bytes: 8 << 20,
        wait: Duration::from_secs(30),
    };
    let room = Room::of(1 << 30);
    let mut reading = pin!(body::read(body, bounds, &room));
    let (mut sent, mut places) = (Vec::new(), HashSet::new());
    let read = poll_fn(|cx| {
        loop {
            if let Poll::Ready(read) = reading.as_mut().poll(cx) {
                return Poll::Ready(read);
            }
            let mut flow = inlet.look(cx).unwrap();
            assert!(flow.is_wanted(cx));
            if sent.len() == size {
                flow.end(Ok(()));
            } else {
                let piece = vec![b'a' + u8::try_from(sent.len() % 23).unwrap(); 50_000];
                flow.give(&piece[..25_000]);
                assert!(flow.room().capacity() - flow.room().len() >= 25_000);
                flow.room().extend_from_slice(&piece[25_000..]);
                flow.came(25_000);
                places.insert(flow.room().as_ptr().addr());
                sent.extend(piece);
            }
            flow.fed(cx);
        }
    });
    let (bytes, _) = read.await.unwrap();
    assert_eq!(bytes, sent);
    places.insert(bytes.as_ptr().addr());
    assert_eq!(places.len(), 1, "it was moved");
}

/// How often a task was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Woken {
    fn times(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A route has taken the body elsewhere, and looks while the connection does, or the other way round.
#[test]
fn who_finds_the_body_taken_looks_again() {
    let inlet = Arc::new(Inlet::default());
    let mut body = Arriving::coming(Arc::clone(&inlet), None);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let cx = &mut Context::from_waker(&waker);
    let mut to = BytesMut::new();
    let mut flow = inlet.look(cx).unwrap();
    flow.give(b"abc");
    assert!(body.poll_more(cx, &mut to).is_pending());
    assert_eq!(woken.times(), 1);
    assert!(inlet.look(cx).is_none());
    assert_eq!(woken.times(), 2);
    drop(flow);
    assert_eq!(body.poll_more(cx, &mut to), Poll::Ready(Ok(3)));
    assert_eq!((&*to, woken.times()), (&b"abc"[..], 2));
}

/// Wherever the two meet, nobody is left waiting.
#[test]
fn a_body_may_be_read_in_another_thread() {
    let alone = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
    };
    let inlet = Arc::new(Inlet::default());
    let body = Arriving::coming(Arc::clone(&inlet), None);
    let bounds = Bounds {
        bytes: 8 << 20,
        wait: Duration::from_secs(30),
    };
    let room = Room::of(1 << 30);
    let read = move || alone().block_on(body::read(body, bounds, &room));
    let reading = std::thread::spawn(read);
    let mut pieces = (0..20_000_u32).map(u32::to_be_bytes);
    let fed = poll_fn(|cx| {
        loop {
            let Some(mut flow) = inlet.look(cx) else {
                return Poll::Pending;
            };
            if !flow.is_wanted(cx) {
                return Poll::Pending;
            }
            let piece = pieces.next();
            match &piece {
                Some(piece) => flow.give(piece),
                None => flow.end(Ok(())),
            }
            flow.fed(cx);
            if piece.is_none() {
                return Poll::Ready(());
            }
        }
    });
    let fed = alone().block_on(async { timeout(Duration::from_secs(60), fed).await });
    assert!(fed.is_ok(), "the connection was not woken");
    let (read, _) = reading.join().unwrap().unwrap();
    let sent: Vec<u8> = (0..20_000_u32).flat_map(u32::to_be_bytes).collect();
    assert!(read == sent);
}

/// How a body comes: its pieces, and whether in chunks.
fn coming() -> impl Strategy<Value = (Vec<Vec<u8>>, bool, usize)> {
    let piece = proptest::collection::vec(any::<u8>(), 1..40_000);
    (
        proptest::collection::vec(piece, 0..6),
        any::<bool>(),
        1_usize..20_000,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// In whatever pieces a body comes, its route sees the same, and the next request is the next.
    #[test]
    fn a_body_is_what_was_sent((pieces, chunked, cut) in coming()) {
        let body = pieces.concat();
        let mut sent = if chunked {
            post("/echo", "transfer-encoding: chunked\r\n").into_bytes()
        } else {
            post("/echo", &format!("content-length: {}\r\n", body.len())).into_bytes()
        };
        for piece in &pieces {
            if chunked {
                sent.extend(format!("{:X}\r\n", piece.len()).into_bytes());
            }
            sent.extend(piece);
            if chunked {
                sent.extend(b"\r\n");
            }
        }
        if chunked {
            sent.extend(b"0\r\n\r\n");
        }
        sent.extend(get("/close").into_bytes());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let seen = runtime.block_on(async {
            let mut scene = Scene::new();
            for piece in sent.chunks(cut) {
                scene.client().write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            let mut seen = Vec::new();
            scene.client().read_to_end(&mut seen).await.unwrap();
            seen
        });
        let end = seen.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        prop_assert_eq!(&seen[end..end + body.len()], &body[..]);
        prop_assert!(seen[end + body.len()..].starts_with(b"HTTP/1.1 200 OK\r\n"));
        prop_assert!(seen.ends_with(b"\r\n\r\nclosed"));
    }
}

/// One of twice as much as may be is refused before it comes; where the client waits for a word, any
/// that is too large.
#[tokio::test(start_paused = true)]
async fn a_body_that_is_announced_too_large_is_not_waited_for() {
    let limit = 8_usize << 20;
    let mut scene = Scene::new();
    let begin = Instant::now();
    let length = format!("content-length: {}\r\n", 2 * limit + 1);
    scene.send(&post("/read", &length)).await;
    let seen = scene.until("max_body_bytes").await;
    assert!(seen.starts_with("HTTP/1.1 400 "), "{seen}");
    assert!(begin.elapsed() < Duration::from_secs(1));

    let bounds = Bounds {
        bytes: limit,
        wait: Duration::from_secs(30),
    };
    let room = Room::of(1 << 30);
    for (more, held_back, refused) in [(1, true, true), (0, true, false), (1, false, false)] {
        let length = (limit + more) as u64;
        let body = Arriving::coming(Arc::default(), Some(length)).held_back(held_back);
        let begin = Instant::now();
        let read = body::read(body, bounds, &room).await;
        let at_once = begin.elapsed() < Duration::from_secs(1);
        assert!(read.is_err());
        assert_eq!(at_once, refused, "{more} {held_back}");
    }
}
