//! The sockets themselves, on loopback and in real time: the transport against a server, the
//! listener, and `TCP_NODELAY` on both. Everything else about replies is tested without sockets.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::timeout,
};
use waystation_core::{HttpRequest, Phase, PoolKey, SendLimits, Sent, Transport, TransportError};
use waystation_server::{
    app::App,
    connection::Patience,
    ending::Stage,
    mock,
    routes::{self, Site},
    serve,
};
use waystation_sim::{Pacing, Simulator, fixtures};
use waystation_tests::Setup;
use waystation_transport::UpstreamTransport;

/// Longer than anything here takes, on a busy machine too.
const LONG: Duration = Duration::from_secs(20);

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The mock upstream behind a socket.
async fn upstream(tasks: &mut JoinSet<()>) -> SocketAddr {
    let (listener, address) = listener().await;
    let (stop, stopped) = watch::channel(Stage::Serving);
    let router = mock::router(Simulator::new(1).with_pacing(Pacing::Instant));
    tasks.spawn(async move {
        let _kept = stop;
        serve::serve(listener, router.into(), Patience::USUAL, stopped).await;
    });
    address
}

/// A server that answers any one request with these bytes and closes.
async fn canned(tasks: &mut JoinSet<()>, reply: &'static [u8]) -> SocketAddr {
    let (listener, address) = listener().await;
    tasks.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let read = stream.read(&mut request).await.unwrap();
        assert!(read > 0);
        stream.write_all(reply).await.unwrap();
    });
    address
}

fn request(address: SocketAddr, stream: bool) -> HttpRequest {
    let body = fixtures::chat_with("m", "Say a few words", json!({"stream": stream}));
    HttpRequest::post_json(&format!("http://{address}/v1/chat/completions"), body).unwrap()
}

async fn send(request: HttpRequest) -> (u16, Vec<Result<Bytes, TransportError>>) {
    let limits = SendLimits {
        connect: Duration::from_secs(3),
        head: None,
        pool: PoolKey("mock".into()),
    };
    let sent = UpstreamTransport::new()
        .unwrap()
        .send(request, limits)
        .await;
    let reply = sent.unwrap_or_else(|error| panic!("{error}"));
    let pieces = timeout(LONG, reply.body.collect::<Vec<_>>()).await.unwrap();
    (reply.head.status.as_u16(), pieces)
}

fn text(pieces: Vec<Result<Bytes, TransportError>>) -> String {
    let pieces: Vec<Bytes> = pieces.into_iter().map(|piece| piece.unwrap()).collect();
    String::from_utf8(pieces.concat()).unwrap()
}

#[tokio::test]
async fn a_whole_reply_comes_over_a_socket() {
    let mut tasks = JoinSet::new();
    let address = upstream(&mut tasks).await;
    let (status, pieces) = send(request(address, false)).await;
    assert_eq!(status, 200);
    assert!(text(pieces).contains("\"chat.completion\""));
}

#[tokio::test]
async fn a_stream_comes_over_a_socket() {
    let mut tasks = JoinSet::new();
    let address = upstream(&mut tasks).await;
    let (status, pieces) = send(request(address, true)).await;
    assert_eq!(status, 200);
    let text = text(pieces);
    assert!(
        text.contains("chat.completion.chunk") && text.ends_with("data: [DONE]\n\n"),
        "{text}"
    );
}

#[tokio::test]
async fn a_refused_connection_sent_nothing() {
    let (listener, address) = listener().await;
    drop(listener);
    let limits = SendLimits {
        connect: Duration::from_secs(3),
        head: None,
        pool: PoolKey("gone".into()),
    };
    let error = UpstreamTransport::new()
        .unwrap()
        .send(request(address, false), limits)
        .await
        .err()
        .unwrap();
    assert_eq!((error.phase, error.sent), (Phase::Connect, Sent::Nothing));
    assert!(!error.to_string().contains("127.0.0.1"), "{error}");
}

#[tokio::test]
async fn a_connection_that_is_cut_is_an_error_of_the_body() {
    let mut tasks = JoinSet::new();
    let cut = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 1000\r\n\r\ndata: {}\n\n";
    let (status, pieces) = send(request(canned(&mut tasks, cut).await, true)).await;
    assert_eq!(status, 200);
    let error = pieces.last().unwrap().as_ref().err().unwrap();
    assert_eq!(error.phase, Phase::Body);
    let mut tasks = JoinSet::new();
    let address = canned(&mut tasks, b"").await;
    let limits = SendLimits {
        connect: Duration::from_secs(3),
        head: None,
        pool: PoolKey("silent".into()),
    };
    let error = UpstreamTransport::new()
        .unwrap()
        .send(request(address, false), limits)
        .await
        .err()
        .unwrap();
    assert_eq!(error.sent, Sent::Maybe, "{error:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let mut tasks = JoinSet::new();
    let redirect = b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let (status, _) = send(request(canned(&mut tasks, redirect).await, false)).await;
    assert_eq!(status, 307);
}

/// One gateway over real sockets on both sides: where it listens, and where its upstream does.
async fn gateway(tasks: &mut JoinSet<()>) -> (SocketAddr, SocketAddr) {
    let upstream = upstream(tasks).await;
    let setup = Setup::one("price = { prompt = '1', completion = '1' }").config(&format!(
        "[providers.one]\nbase_url = 'http://{upstream}/v1'"
    ));
    let transport = Arc::new(UpstreamTransport::new().unwrap());
    let app = App::new(setup.resolve().unwrap(), transport);
    (served(tasks, Site::of(&app)).await, upstream)
}

/// Where a site is served.
async fn served(tasks: &mut JoinSet<()>, site: Site) -> SocketAddr {
    let (listener, address) = listener().await;
    let (stop, stopped) = watch::channel(Stage::Serving);
    tasks.spawn(async move {
        let _kept = stop;
        serve::serve(listener, site, Patience::USUAL, stopped).await;
    });
    address
}

/// The lines of an answer's head, and its body, without what differs from answer to answer.
async fn told(address: SocketAddr, head: &str, body: &str) -> (Vec<String>, String) {
    let mut client = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let request = format!(
        "{head}\r\ncontent-type: application/json\r\nx-request-id: a-1\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let same = |line: &&str| !line.starts_with("date:") && !line.starts_with("x-generation-id:");
    let mut lines: Vec<String> = head.lines().filter(same).map(str::to_owned).collect();
    lines[1..].sort();
    let mut body: serde_json::Value = serde_json::from_str(body).unwrap();
    for member in ["id", "created"] {
        body.as_object_mut().unwrap().remove(member);
    }
    (lines, body.to_string())
}

/// Chat requests pass the router by: nobody may see that.
#[tokio::test]
async fn the_site_answers_what_its_router_answers() {
    let mut tasks = JoinSet::new();
    let upstream = upstream(&mut tasks).await;
    let setup = Setup::one("price = { prompt = '1', completion = '1' }").config(&format!(
        "[server]\ncors_origins = ['https://a.example']\n\
         [providers.one]\nbase_url = 'http://{upstream}/v1'"
    ));
    let transport = Arc::new(UpstreamTransport::new().unwrap());
    let app = App::new(setup.resolve().unwrap(), transport);
    let site = served(&mut tasks, Site::of(&app)).await;
    let router = served(&mut tasks, routes::router(&app).into()).await;
    let good = fixtures::chat_with("acme/one", "Say a few words", json!({}));
    let good = String::from_utf8(good.to_vec()).unwrap();
    let chat = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost";
    for (head, body, status) in [
        (chat, &*good, 200),
        (chat, "{", 400),
        (
            "POST /api/v1/chat/completions?a=b HTTP/1.1\r\nhost: localhost",
            &*good,
            200,
        ),
        (
            "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\norigin: https://a.example",
            &*good,
            200,
        ),
        (
            "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\norigin: https://b.example",
            &*good,
            403,
        ),
        (
            "POST /v1/chat/completions HTTP/1.1\r\nhost: b.example",
            &*good,
            403,
        ),
        (
            "POST /v1/chat/completions/ HTTP/1.1\r\nhost: localhost",
            &*good,
            404,
        ),
        (
            "GET /v1/chat/completions HTTP/1.1\r\nhost: localhost",
            "",
            405,
        ),
    ] {
        let answer = told(site, head, body).await;
        let begin = format!("HTTP/1.1 {status} ");
        assert!(answer.0[0].starts_with(&begin), "{head}: {answer:?}");
        assert_eq!(answer, told(router, head, body).await, "{head}");
    }
}

/// A client of bare bytes.
async fn ask(client: &mut TcpStream, stream: bool) {
    let body = fixtures::chat_with("acme/one", "Say a few words", json!({"stream": stream}));
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(&body).await.unwrap();
}

async fn read_until(client: &mut TcpStream, mark: &str) -> String {
    let mut seen = Vec::new();
    let mut piece = [0; 16_384];
    while !String::from_utf8_lossy(&seen).contains(mark) {
        let read = timeout(LONG, client.read(&mut piece))
            .await
            .unwrap()
            .unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&piece[..read]);
    }
    String::from_utf8(seen).unwrap()
}

#[tokio::test]
async fn a_client_is_answered_through_real_sockets() {
    let mut tasks = JoinSet::new();
    let (address, _) = gateway(&mut tasks).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    ask(&mut client, true).await;
    let got = read_until(&mut client, "data: [DONE]").await;
    assert!(
        got.starts_with("HTTP/1.1 200 OK") && got.contains("text/event-stream"),
        "{got}"
    );
    // The same connection serves the next request.
    ask(&mut client, false).await;
    let got = read_until(&mut client, "\"cost_details\"").await;
    assert!(
        got.starts_with("HTTP/1.1 200 OK") && got.contains("x-generation-id: gen-"),
        "{got}"
    );
}

/// Issue, "Build" 5: read back from the sockets themselves. Without it every event of a stream may
/// wait 40 ms for an acknowledgement.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn neither_side_delays_small_writes() {
    let mut tasks = JoinSet::new();
    let (address, upstream) = gateway(&mut tasks).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    ask(&mut client, false).await;
    read_until(&mut client, "\"cost_details\"").await;
    let Some(sockets) = open::sockets() else {
        return;
    };
    // The gateway's end of the client's connection, and its end of that to the upstream.
    let accepted = sockets
        .iter()
        .find(|socket| socket.local == address && socket.remote == client.local_addr().unwrap());
    assert!(
        accepted.expect("the accepted socket").nodelay,
        "accepted sockets"
    );
    let connecting: Vec<_> = sockets
        .iter()
        .filter(|socket| socket.remote == upstream)
        .collect();
    assert_eq!(connecting.len(), 1, "one connection to the upstream");
    assert!(connecting[0].nodelay, "connecting sockets");
    // The test would see a socket without the option: the client's own is one.
    let own = sockets
        .iter()
        .find(|socket| socket.remote == address && socket.local == client.local_addr().unwrap());
    assert!(!own.expect("the client's socket").nodelay);
}

/// A head with too many headers, and one that is too long, are refused; the gateway goes on.
#[tokio::test]
async fn heads_beyond_the_limits_are_refused() {
    let mut tasks = JoinSet::new();
    let (address, _) = gateway(&mut tasks).await;
    let many: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
    let long = format!("x-long: {}\r\n", "y".repeat(1 << 20));
    for (more, told) in [(many, true), (long, false)] {
        let mut client = TcpStream::connect(address).await.unwrap();
        let head = format!("GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n{more}\r\n");
        // The gateway may have answered, and closed, before the head is whole.
        let _ = client.write_all(head.as_bytes()).await;
        let mut seen = Vec::new();
        let _ = timeout(LONG, client.read_to_end(&mut seen)).await.unwrap();
        let seen = String::from_utf8_lossy(&seen);
        // Of a head that is cut off the client may see nothing but the end.
        let refused = seen.starts_with("HTTP/1.1 431 ");
        assert!(refused || (seen.is_empty() && !told), "{seen}");
    }
    let mut client = TcpStream::connect(address).await.unwrap();
    ask(&mut client, false).await;
    read_until(&mut client, "chat.completion").await;
}

/// Over TCP a connection that is closed while its client sends is reset, and what was answered is lost.
#[tokio::test]
async fn a_client_that_sends_more_than_anybody_wants_sees_its_answer() {
    let mut tasks = JoinSet::new();
    let (address, _) = gateway(&mut tasks).await;
    for (head, status) in [
        ("POST /v1/nothing HTTP/1.1\r\nhost: localhost", "404"),
        (
            "POST /v1/chat/completions HTTP/1.1\r\nhost: b.example",
            "403",
        ),
        ("POST / HTTP/1.1\r\nhost: a\r\nhost: b", "400"),
    ] {
        let mut client = TcpStream::connect(address).await.unwrap();
        let body = "y".repeat(4 << 20);
        let length = body.len();
        let text = format!(
            "{head}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        client.write_all(text.as_bytes()).await.unwrap();
        let mut seen = String::new();
        timeout(LONG, client.read_to_string(&mut seen))
            .await
            .unwrap()
            .unwrap();
        assert!(seen.starts_with(&format!("HTTP/1.1 {status} ")), "{seen}");
        assert!(seen.contains("\"error\"") && seen.ends_with('}'), "{seen}");
    }
}

/// The open sockets of this process, as the kernel tells of them.
#[cfg(target_os = "linux")]
mod open {
    use std::{fs, net::SocketAddr};

    use rustix::{
        io::Errno,
        process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open},
    };
    use socket2::SockRef;

    /// One connected TCP socket.
    #[derive(Debug)]
    pub(super) struct Open {
        pub(super) local: SocketAddr,
        pub(super) remote: SocketAddr,
        pub(super) nodelay: bool,
    }

    /// All of them; `None`, said on the output, where the kernel does not let a process look at its
    /// own descriptors (some containers).
    pub(super) fn sockets() -> Option<Vec<Open>> {
        let this = pidfd_open(getpid(), PidfdFlags::empty()).ok()?;
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc/self/fd").unwrap() {
            let path = entry.unwrap().path();
            let is_socket =
                fs::read_link(&path).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"));
            let Some(number) = path
                .file_name()
                .and_then(|name| name.to_str()?.parse().ok())
            else {
                continue;
            };
            if !is_socket {
                continue;
            }
            match pidfd_getfd(&this, number, PidfdGetfdFlags::empty()) {
                Ok(copy) => found.extend(of(&SockRef::from(&copy))),
                Err(Errno::BADF) => {}
                Err(error) => {
                    println!("skipped: this process may not look at its own sockets: {error}");
                    return None;
                }
            }
        }
        Some(found)
    }

    fn of(socket: &SockRef<'_>) -> Option<Open> {
        Some(Open {
            local: socket.local_addr().ok()?.as_socket()?,
            remote: socket.peer_addr().ok()?.as_socket()?,
            nodelay: socket.tcp_nodelay().ok()?,
        })
    }
}
