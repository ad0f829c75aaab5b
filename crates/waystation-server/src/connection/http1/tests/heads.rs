//! What is a head, what is none, and what it is told.

use bytes::BytesMut;
use http::Method;
use proptest::prelude::*;
use tokio::time::Instant;

use super::scene::{Scene, get};
use crate::connection::{
    Patience,
    http1::head::{Head, HeadError},
};

const LARGEST: usize = 4_096;

/// The first head in `bytes`, read in one piece, and what is behind it.
fn first(bytes: &[u8]) -> Result<Option<(Head, Vec<u8>)>, HeadError> {
    let taken = Head::take(&mut bytes.into(), 0, LARGEST)?;
    Ok(taken.map(|(head, behind)| (head, behind.to_vec())))
}

/// The status that a head is refused with; 0 when it is not.
fn refused(head: &str) -> u16 {
    match first(head.as_bytes()) {
        Ok(Some(_)) => 0,
        Ok(None) => 1,
        Err(error) => error.status().as_u16(),
    }
}

#[test]
fn a_head_is_what_was_sent() {
    let sent = b"\r\nPOST /v1/x?a=b HTTP/1.1\r\nHost: a.example:80\r\nX-Empty:\r\nx-a:  b c \t\r\nx-a: \xe4\r\nContent-Length: 3\r\n\r\nabcGET";
    let (head, behind) = first(sent).unwrap().unwrap();
    assert_eq!((&head.method, head.old), (&Method::POST, false));
    assert_eq!(head.uri, "/v1/x?a=b");
    let values = |name: &str| {
        let all = head.headers.iter().filter(|(known, _)| *known == name);
        all.map(|(_, value)| value.as_bytes().to_vec())
            .collect::<Vec<_>>()
    };
    assert_eq!(values("x-a"), [b"b c".to_vec(), b"\xe4".to_vec()]);
    assert_eq!(values("x-empty"), [b""]);
    assert_eq!(head.headers.len(), 5);
    assert!(head.keep && !head.expects);
    assert_eq!((head.framing.expected(), &*behind), (3, &b"abcGET"[..]));
}

/// In whatever letters it is written, and whether it is one of those that are known at sight.
#[test]
fn names_have_one_spelling() {
    for name in [
        "host",
        "accept",
        "user-agent",
        "content-type",
        "authorization",
        "accept-encoding",
        "x-stainless-lang",
    ] {
        for spelt in [
            name.to_owned(),
            name.to_uppercase(),
            name.split('-')
                .map(|word| word[..1].to_uppercase() + &word[1..])
                .collect::<Vec<_>>()
                .join("-"),
        ] {
            let host = if name == "host" { "" } else { "host: a\r\n" };
            let head = format!("GET / HTTP/1.1\r\n{host}{spelt}: b\r\n\r\n");
            let (head, _) = first(head.as_bytes()).unwrap().unwrap();
            assert_eq!(head.headers[name], "b", "{spelt}");
        }
    }
    // Those that speak to the connection do in every spelling.
    for head in [
        "CONTENT-length: 3\r\ncontent-LENGTH: 4\r\n",
        "Transfer-ENCODING: gzip\r\n",
        "HoSt: b\r\n",
    ] {
        assert!(
            refused(&format!("GET / HTTP/1.1\r\nhost: a\r\n{head}\r\n")) >= 400,
            "{head}"
        );
    }
}

/// The target that was read last is not taken for another one.
#[test]
fn targets_are_read_each_for_itself() {
    for target in [
        "/a",
        "/a",
        "/a?b",
        "/a",
        "/a#b",
        "/a",
        "/ab",
        "/",
        "http://x/a",
        "/a",
        "*",
        "/a",
    ] {
        let method = if target == "*" { "OPTIONS" } else { "GET" };
        let head = format!("{method} {target} HTTP/1.1\r\nhost: a\r\n\r\n");
        let (head, _) = first(head.as_bytes()).unwrap().unwrap();
        let expected: http::Uri = target.parse().unwrap();
        assert_eq!(head.uri, expected, "{target}");
    }
    assert_eq!(refused("GET /a b HTTP/1.1\r\nhost: a\r\n\r\n"), 400);
}

#[test]
fn targets_have_four_forms() {
    for (head, path) in [
        ("GET http://a/b?c HTTP/1.1\r\nhost: b\r\n\r\n", Some("/b")),
        ("OPTIONS * HTTP/1.1\r\nhost: b\r\n\r\n", Some("*")),
        ("CONNECT a:80 HTTP/1.1\r\nhost: b\r\n\r\n", Some("")),
        ("GET * HTTP/1.1\r\nhost: b\r\n\r\n", None),
        ("GET a:80 HTTP/1.1\r\nhost: b\r\n\r\n", None),
        ("GET a HTTP/1.1\r\nhost: b\r\n\r\n", None),
        ("GET ?a HTTP/1.1\r\nhost: b\r\n\r\n", None),
    ] {
        match (first(head.as_bytes()), path) {
            (Ok(Some((head, _))), Some(path)) => assert_eq!(head.uri.path(), path),
            (Err(error), None) => assert_eq!(error, HeadError::Target),
            (other, _) => panic!("{head}: {other:?}"),
        }
    }
}

/// Where the body ends.
const BODIES: &[(&str, &str, u16)] = &[
    (
        "POST / HTTP/1.1",
        "content-length: 3\r\ntransfer-encoding: chunked\r\n",
        400,
    ),
    (
        "POST / HTTP/1.1",
        "transfer-encoding: chunked\r\ncontent-length: 0\r\n",
        400,
    ),
    (
        "POST / HTTP/1.1",
        "content-length: 3\r\ncontent-length: 4\r\n",
        400,
    ),
    ("POST / HTTP/1.1", "content-length: 3, 3\r\n", 400),
    ("POST / HTTP/1.1", "content-length: +3\r\n", 400),
    ("POST / HTTP/1.1", "content-length: 3x\r\n", 400),
    ("POST / HTTP/1.1", "content-length:\r\n", 400),
    (
        "POST / HTTP/1.1",
        "content-length: 99999999999999999999\r\n",
        400,
    ),
    (
        "POST / HTTP/1.1",
        "transfer-encoding: gzip, chunked\r\n",
        501,
    ),
    (
        "POST / HTTP/1.1",
        "transfer-encoding: chunked, chunked\r\n",
        501,
    ),
    (
        "POST / HTTP/1.1",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        501,
    ),
    ("POST / HTTP/1.1", "transfer-encoding: identity\r\n", 501),
    ("POST / HTTP/1.1", "transfer-encoding: xchunked\r\n", 501),
    ("POST / HTTP/1.1", "transfer-encoding: \"chunked\"\r\n", 501),
    ("POST / HTTP/1.1", "transfer-encoding:\r\n", 501),
    ("POST / HTTP/1.0", "transfer-encoding: chunked\r\n", 501),
];

/// Everything else.
const LINES: &[(&str, &str, u16)] = &[
    // Where a header ends, and what it is called.
    ("GET / HTTP/1.1", "x: a\r\n b\r\n", 400),
    ("GET / HTTP/1.1", " x: a\r\n", 400),
    ("GET / HTTP/1.1", "x : a\r\n", 400),
    ("GET / HTTP/1.1", "transfer-encoding : chunked\r\n", 400),
    ("GET / HTTP/1.1", "x\r\n", 400),
    ("GET / HTTP/1.1", ": a\r\n", 400),
    ("GET / HTTP/1.1", "x: a\nb: c\r\n", 400),
    ("GET / HTTP/1.1", "x: a\rb: c\r\n", 400),
    ("GET / HTTP/1.1", "x: a\0b\r\n", 400),
    ("GET / HTTP/1.1", "x: a\n\n", 400),
    ("GET / HTTP/1.1", "x: a\r\n\n", 400),
    ("GET / HTTP/1.1", "x: a\n\r\n", 400),
    ("GET / HTTP/1.1\nx: a", "", 400),
    ("\nGET / HTTP/1.1", "", 400),
    // Whom it is for.
    ("GET / HTTP/1.1", "host: b\r\n", 400),
    // The line itself.
    ("GET  / HTTP/1.1", "", 400),
    ("GET /\tHTTP/1.1", "", 400),
    ("GET / /b HTTP/1.1", "", 400),
    (" GET / HTTP/1.1", "", 400),
    ("G@T / HTTP/1.1", "", 400),
    ("GET /", "", 400),
    ("GET / http/1.1", "", 400),
    ("GET / HTTP/1.1 ", "", 400),
    ("GET / HTTP/1.2", "", 505),
    ("GET / HTTP/2.0", "", 505),
    ("GET / HTTP/3", "", 505),
    ("\u{16}\u{3}\u{1}", "", 400),
];

#[test]
fn heads_that_two_readers_read_differently_are_refused() {
    let host = "host: a\r\n";
    for (line, more, status) in BODIES.iter().chain(LINES) {
        let head = format!("{line}\r\n{host}{more}\r\n");
        assert_eq!(refused(&head), *status, "{head:?}");
    }
    for (hosts, status) in [
        ("", 400),
        ("host: a\r\nhost: a\r\n", 400),
        ("host: a b\r\n", 400),
        ("host: a/b\r\n", 400),
        ("host: u@a\r\n", 400),
        ("host: a, b\r\n", 400),
        ("host:\r\n", 0),
        ("host: [::1]:80\r\n", 0),
    ] {
        assert_eq!(
            refused(&format!("GET / HTTP/1.1\r\n{hosts}\r\n")),
            status,
            "{hosts}"
        );
    }
    assert_eq!(refused("GET / HTTP/1.0\r\n\r\n"), 0);
    assert_eq!(refused("GET / HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n"), 400);
    assert_eq!(
        refused("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\n"),
        0
    );
}

#[test]
fn heads_have_their_limits() {
    let head = |headers: usize, long: usize| {
        let headers: String = (1..headers).map(|n| format!("x{n}: y\r\n")).collect();
        format!(
            "GET / HTTP/1.1\r\nhost: {}\r\n{headers}\r\n",
            "a".repeat(long)
        )
    };
    assert_eq!((refused(&head(100, 1)), refused(&head(101, 1))), (0, 431));
    let fits = LARGEST - head(1, 0).len();
    assert_eq!(
        (refused(&head(1, fits)), refused(&head(1, fits + 1))),
        (0, 431)
    );
    assert_eq!(refused(&format!("GET /{}", "a".repeat(LARGEST))), 431);
}

/// The envelope, with what is wrong and what to do, and then the end.
#[tokio::test(start_paused = true)]
async fn a_refused_head_is_told_why_and_nothing_behind_it_is_a_request() {
    for (head, status, words) in [
        (
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
            "400 Bad Request",
            &["content-length", "transfer-encoding"][..],
        ),
        ("GET / HTTP/1.1\r\n\r\n", "400 Bad Request", &["host"]),
        (
            "GET / HTTP/9.9\r\nhost: a\r\n\r\n",
            "505 HTTP Version Not Supported",
            &["HTTP/1.1"],
        ),
        (
            "GET / HTTP/1.1\r\nhost: a\r\nx: a\n\r\n",
            "400 Bad Request",
            &["line feed", "CR LF"],
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n",
            "501 Not Implemented",
            &["transfer-encoding"],
        ),
        (
            "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}",
            "400 Bad Request",
            &["no HTTP/1.1 request"],
        ),
    ] {
        let mut scene = Scene::new();
        let begin = Instant::now();
        scene.send(&format!("{head}{}", get("/"))).await;
        let seen = scene.rest().await;
        assert!(
            seen.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{head:?}: {seen}"
        );
        let (told, body) = seen.split_once("\r\n\r\n").unwrap();
        assert!(
            told.contains("\r\nconnection: close") && told.contains("application/json"),
            "{seen}"
        );
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let error = &body["error"];
        assert_eq!(error["code"].to_string(), status[..3], "{seen}");
        assert_eq!(error["metadata"]["error_type"], "invalid_request", "{seen}");
        let message = error["message"].as_str().unwrap();
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
        assert_eq!(begin.elapsed().as_secs(), 0, "{head:?}");
    }
}

/// More of it than is allowed is not looked at, nor waited for.
#[tokio::test(start_paused = true)]
async fn a_head_without_an_end_is_refused_where_it_is_too_large() {
    let patience = Patience {
        max_head_bytes: LARGEST,
        ..Patience::USUAL
    };
    let mut scene = Scene::with(patience);
    let begin = Instant::now();
    scene
        .send(&format!("GET /{}", "a".repeat(LARGEST - 5)))
        .await;
    let seen = scene.rest().await;
    assert!(
        seen.starts_with("HTTP/1.1 431 ")
            && seen.contains("4096")
            && seen.contains("max_head_bytes"),
        "{seen}"
    );
    assert_eq!(begin.elapsed().as_secs(), 0);
}

proptest! {
    /// In whatever pieces it comes, a head is the same, and so is what refuses it.
    #[test]
    fn a_head_is_the_same_however_it_is_cut(
        text in prop::sample::select(vec![
            "GET / HTTP/1.1\r\nhost: a\r\n\r\nrest",
            "\r\n\r\nPOST /a?b HTTP/1.1\r\nhost: a\r\nx-long: aaaaaaaaaaaaaaaaaaaa\r\ncontent-length: 3\r\n\r\nabc",
            "GET / HTTP/1.0\r\n\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\nx: y\n\r\n",
            "GET / HTTP/1.1\n\nrest",
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\nabc",
        ]),
        change in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        cuts in prop::collection::vec(1_usize..12, 1..60),
    ) {
        let mut bytes = text.as_bytes().to_vec();
        if let Some((at, byte)) = change {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let whole = first(&bytes);
        let (mut input, mut seen, mut given) = (BytesMut::new(), 0, 0);
        let mut cut = Ok(None);
        let mut cuts = cuts.into_iter().chain(std::iter::repeat(5));
        while given < bytes.len() && matches!(cut, Ok(None)) {
            let end = bytes.len().min(given + cuts.next().unwrap());
            input.extend_from_slice(&bytes[given..end]);
            given = end;
            cut = Head::take(&mut input, seen, LARGEST);
            seen = input.len();
        }
        let told = |head: &Head| format!("{head:?}");
        match (whole, cut) {
            (Ok(None), Ok(None)) => {}
            // Which of several faults is seen first depends on the cut; one that stands in a piece of a line is
            // seen when the line is whole.
            (Err(_), Err(_) | Ok(None)) => {}
            (Ok(Some((whole, rest))), Ok(Some((head, behind)))) => {
                prop_assert_eq!(told(&whole), told(&head));
                prop_assert_eq!(rest, [&behind[..], &bytes[given..]].concat());
            }
            (whole, cut) => prop_assert!(false, "{whole:?} is not {cut:?}"),
        }
    }
}
