//! Tests of the guard: spellings, names that change, redirects, sizes. Servers are on loopback, which
//! counts as public here where a test needs one: 127.0.0.1 does, 127.0.0.2 does not.

use std::{
    io,
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{resolver::Found, *};

const LIMITS: FetchLimits = FetchLimits {
    bytes: 1000,
    time: Duration::from_secs(5),
    private: false,
};

/// Every name is these addresses, one lookup after the other.
struct Names(Vec<&'static str>, AtomicUsize);

impl Names {
    fn of(names: &[&'static str]) -> Self {
        Self(names.to_vec(), AtomicUsize::new(0))
    }
}

impl Lookup for Names {
    fn lookup(&self, _: String) -> Found {
        let at = self.1.fetch_add(1, Ordering::Relaxed);
        let found = self.0.get(at).or(self.0.last()).copied().unwrap();
        Box::pin(async move {
            let read = |part: &str| format!("{part}:0").parse::<SocketAddr>();
            let all = found.split(' ').map(read).collect::<Result<_, _>>();
            all.map_err(io::Error::other)
        })
    }
}

/// 127.0.0.1 is the world.
fn small_world(names: &[&'static str]) -> GuardedFetcher {
    let permits = Permits {
        address: |address| address.to_string() == "127.0.0.1",
        port: |port| port != 22,
    };
    GuardedFetcher::over(permits, Names::of(names)).unwrap()
}

/// A server that answers its requests with `replies`, one after the other; what it was asked comes back.
async fn server(replies: Vec<String>) -> (u16, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    #[expect(clippy::disallowed_methods, reason = "a test's server is a task")]
    let asked = tokio::spawn(async move {
        let mut asked = Vec::new();
        for reply in replies {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if socket.read(&mut byte).await.unwrap() == 0 {
                    break;
                }
                head.extend_from_slice(&byte);
            }
            asked.push(String::from_utf8(head).unwrap());
            let _ = socket.write_all(reply.as_bytes()).await;
        }
        asked
    });
    (port, asked)
}

fn ok(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn moved(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
}

async fn refusal(fetcher: &GuardedFetcher, address: &str) -> String {
    fetcher.fetch(address, LIMITS).await.unwrap_err().reason
}

#[tokio::test]
async fn no_spelling_of_a_private_address_is_fetched() {
    let fetcher = GuardedFetcher::new().unwrap();
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.0.1.",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.01",
        "017700000001",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "%31%32%37.0.0.1",
        "user:password@127.0.0.1",
        "example.com@127.0.0.1",
        "0",
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "169.254.169.254",
        "172.31.0.1",
        "192.168.1.1",
        "192.0.0.8",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[2001::1]",
        "[fe80::1]",
        "[fc00::1]",
        "[fd12:3456::1]",
        "[ff02::1]",
        "localhost",
    ] {
        let reason = refusal(&fetcher, &format!("http://{host}/secret")).await;
        assert_eq!(reason, NOT_PUBLIC, "{host}");
    }
}

#[tokio::test]
async fn only_addresses_of_the_web_are_fetched() {
    let fetcher = GuardedFetcher::new().unwrap();
    for address in [
        "file:///etc/passwd",
        "ftp://example.com/a",
        "gopher://example.com",
        "data:text/plain,x",
        "//example.com/a",
        "a.pdf",
        "http://",
        "",
    ] {
        assert_eq!(refusal(&fetcher, address).await, EXPECTED, "{address}");
    }
    let reason = refusal(&fetcher, "http://8.8.8.8:22/").await;
    assert!(reason.contains("port 22"), "{reason}");
}

#[test]
fn public_addresses_are_public() {
    for public in [
        "1.1.1.1",
        "8.8.8.8",
        "100.128.0.1",
        "172.32.0.1",
        "2606:4700::1111",
        "2a00:1450::1",
    ] {
        assert!(ranges::is_public(public.parse().unwrap()), "{public}");
    }
}

#[tokio::test]
async fn a_file_is_fetched_and_nothing_of_ours_goes_along() {
    let (port, asked) = server(vec![moved("/b.csv"), ok("a,b")]).await;
    let fetcher = small_world(&["127.0.0.1"]);
    let address = format!("http://me:secret@files.test:{port}/a.csv");
    let got = fetcher.fetch(&address, LIMITS).await.unwrap();
    assert_eq!(
        (&got.bytes[..], got.media_type.as_str()),
        (&b"a,b"[..], "text/csv")
    );
    for head in asked.await.unwrap() {
        let head = head.to_ascii_lowercase();
        assert!(
            !head.contains("authorization") && !head.contains("cookie"),
            "{head}"
        );
        assert!(head.contains("accept-encoding: identity"), "{head}");
    }
}

#[tokio::test]
async fn a_name_is_checked_when_it_is_connected_to() {
    // The second lookup, for the redirect, gives another address than the first.
    let (port, _asked) = server(vec![moved("http://files.test:1/")]).await;
    let fetcher = small_world(&["127.0.0.1", "127.0.0.2"]);
    let reason = refusal(&fetcher, &format!("http://files.test:{port}/")).await;
    assert_eq!(reason, NOT_PUBLIC);
    // One private address among public ones is enough.
    let fetcher = small_world(&["127.0.0.1 127.0.0.2"]);
    assert_eq!(refusal(&fetcher, "http://files.test/").await, NOT_PUBLIC);
}

#[tokio::test]
async fn every_redirect_is_checked_and_they_end() {
    for (to, why) in [
        ("http://127.0.0.2/", NOT_PUBLIC),
        ("http://[::ffff:127.0.0.1]/", NOT_PUBLIC),
        ("http://files.test:22/", "port 22"),
        ("file:///etc/passwd", "expected an address"),
        ("", "no address"),
    ] {
        let (port, _asked) = server(vec![moved(to)]).await;
        let fetcher = small_world(&["127.0.0.1"]);
        let reason = refusal(&fetcher, &format!("http://127.0.0.1:{port}/")).await;
        assert!(reason.contains(why), "{to}: {reason}");
    }
    let (port, _asked) = server(vec![moved("/again"); 5]).await;
    let reason = refusal(
        &small_world(&["127.0.0.1"]),
        &format!("http://127.0.0.1:{port}/"),
    )
    .await;
    assert!(reason.contains("more than 3 redirects"), "{reason}");
}

#[tokio::test]
async fn what_is_too_long_packed_or_not_there_is_refused() {
    let long = "x".repeat(2000);
    for (reply, why) in [
        (ok(&long), "at most 1000 bytes"),
        (
            format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{long}"),
            "at most 1000 bytes",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx".into(),
            "packed",
        ),
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into(),
            "answered 404",
        ),
        (
            "HTTP/1.1 206 Partial\r\nContent-Length: 0\r\n\r\n".into(),
            "answered 206",
        ),
        ("no HTTP at all".into(), "broke off"),
    ] {
        let (port, _asked) = server(vec![reply]).await;
        let fetcher = small_world(&["127.0.0.1"]);
        let reason = refusal(&fetcher, &format!("http://127.0.0.1:{port}/")).await;
        assert!(reason.contains(why), "{reason}");
        assert!(!reason.contains("127.0.0.1"), "{reason}");
    }
}

#[tokio::test]
async fn private_networks_are_fetched_where_they_are_allowed() {
    let (port, _asked) = server(vec![ok("inside")]).await;
    let fetcher = GuardedFetcher::new().unwrap();
    let limits = FetchLimits {
        private: true,
        ..LIMITS
    };
    let address = format!("http://localhost:{port}/a");
    assert_eq!(
        fetcher.fetch(&address, limits).await.unwrap().bytes,
        "inside"
    );
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let limits = FetchLimits {
        time: Duration::from_millis(50),
        ..LIMITS
    };
    let fetcher = small_world(&["127.0.0.1"]);
    let got = fetcher
        .fetch(&format!("http://127.0.0.1:{port}/"), limits)
        .await;
    assert!(got.unwrap_err().reason.contains("longer than"));
}
