//! What every transport promises, held against servers of scripted bytes on loopback. Runs in real
//! time and waits for nothing but bytes.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what fails in a test's own server or client fails the test"
)]

use std::{
    future::Future as _,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, future::join_all};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Builder,
    sync::Barrier,
    task::{JoinSet, coop},
    time::timeout,
};
use waystation_core::{
    HttpRequest, HttpStream, Phase, PoolKey, SendLimits, Sent, Transport, TransportError,
};
use waystation_transport::{Http1Transport, ReqwestTransport, UpstreamTransport};

/// Longer than anything here takes, on a busy machine too.
const LONG: Duration = Duration::from_secs(20);

fn transports() -> [(&'static str, Arc<dyn Transport>); 3] {
    [
        ("reqwest", Arc::new(ReqwestTransport::new().unwrap())),
        ("http1", Arc::new(Http1Transport::new().unwrap())),
        ("upstream", Arc::new(UpstreamTransport::new().unwrap())),
    ]
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A server that answers the requests of its only connection with these bytes, one after the other,
/// and closes.
async fn server(tasks: &mut JoinSet<()>, replies: Vec<&'static [u8]>) -> SocketAddr {
    let (listener, address) = listen().await;
    tasks.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for reply in replies {
            if !request(&mut stream).await {
                return;
            }
            stream.write_all(reply).await.unwrap();
        }
    });
    address
}

/// Reads one request; false when the client is gone.
async fn request(stream: &mut TcpStream) -> bool {
    let mut seen = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&seen).to_ascii_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return true;
            }
        }
        let Ok(count @ 1..) = stream.read(&mut piece).await else {
            return false;
        };
        seen.extend_from_slice(&piece[..count]);
    }
}

fn to(address: SocketAddr, body: impl Into<Bytes>) -> HttpRequest {
    let url = format!("http://{address}/v1/chat/completions?x=1");
    HttpRequest::post_json(&url, body.into()).unwrap()
}

fn limits() -> SendLimits {
    SendLimits {
        connect: Duration::from_secs(10),
        head: None,
        pool: PoolKey("mock".into()),
    }
}

async fn send(by: &dyn Transport, request: HttpRequest) -> Result<HttpStream, TransportError> {
    timeout(LONG, by.send(request, limits())).await.unwrap()
}

async fn rest(reply: HttpStream) -> Result<Vec<u8>, TransportError> {
    let pieces = timeout(LONG, reply.body.collect::<Vec<_>>()).await.unwrap();
    let pieces: Result<Vec<Bytes>, _> = pieces.into_iter().collect();
    pieces.map(|pieces| pieces.concat())
}

async fn get(by: &dyn Transport, request: HttpRequest) -> (u16, Result<Vec<u8>, TransportError>) {
    let reply = send(by, request).await.unwrap();
    (reply.head.status.as_u16(), rest(reply).await)
}

#[tokio::test]
async fn a_body_is_read_however_it_is_framed() {
    for (name, by) in transports() {
        for reply in [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"[..],
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\nhello",
            b"HTTP/1.0 200 OK\r\n\r\nhello",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        ] {
            let mut tasks = JoinSet::new();
            let address = server(&mut tasks, vec![reply]).await;
            let (status, body) = get(&*by, to(address, "{}")).await;
            let shown = String::from_utf8_lossy(reply);
            assert_eq!((status, body.unwrap()), (200, b"hello".to_vec()), "{name} {shown}");
        }
    }
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_one() {
    const REPLY: &[u8] = b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 2\r\n\r\n{}";
    for (name, by) in transports() {
        let (listener, address) = listen().await;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            assert!(request(&mut stream).await);
            for byte in REPLY {
                stream.write_all(&[*byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let (status, body) = get(&*by, to(address, "{}")).await;
        assert_eq!((status, body.unwrap()), (200, b"{}".to_vec()), "{name}");
    }
}

#[tokio::test]
async fn what_is_no_reply_is_an_error_after_something_was_sent() {
    for (name, by) in transports() {
        for reply in [
            &b""[..],
            b"garbage\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
            b"HTTP/1.1 200 OK\r\ncontent-",
        ] {
            let mut tasks = JoinSet::new();
            let address = server(&mut tasks, vec![reply]).await;
            let error = send(&*by, to(address, "{}")).await.unwrap_err();
            assert_eq!(
                (error.phase, error.sent),
                (Phase::Head, Sent::Maybe),
                "{name} {error}"
            );
            assert!(!error.to_string().contains("127.0.0.1"), "{name} {error}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_cut_or_garbled_is_an_error_of_the_body() {
    for (name, by) in transports() {
        for reply in [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello"[..],
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nx\r\n",
        ] {
            let mut tasks = JoinSet::new();
            let address = server(&mut tasks, vec![reply]).await;
            let (status, body) = get(&*by, to(address, "{}")).await;
            let error = body.unwrap_err();
            assert_eq!((status, error.phase), (200, Phase::Body), "{name} {error}");
        }
    }
}

#[tokio::test]
async fn a_refused_connection_sent_nothing() {
    for (name, by) in transports() {
        let (listener, address) = listen().await;
        drop(listener);
        let error = send(&*by, to(address, "{}")).await.unwrap_err();
        assert_eq!(
            (error.phase, error.sent),
            (Phase::Connect, Sent::Nothing),
            "{name}"
        );
        assert!(!error.to_string().contains("127.0.0.1"), "{name} {error}");
    }
}

#[tokio::test]
async fn a_name_that_nobody_has_sent_nothing() {
    for (name, by) in transports() {
        let request = HttpRequest::post_json("http://nobody.invalid/v1", "{}".into()).unwrap();
        let error = send(&*by, request).await.unwrap_err();
        assert_eq!(
            (error.phase, error.sent),
            (Phase::Dns, Sent::Nothing),
            "{name} {error}"
        );
    }
}

/// Who says nothing of codings may be answered in any.
#[tokio::test]
async fn replies_are_asked_for_uncompressed() {
    for (name, by) in transports() {
        let (listener, address) = listen().await;
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut seen, mut piece) = (String::new(), [0; 4096]);
            while !seen.ends_with("\r\n\r\n{}") {
                let count = stream.read(&mut piece).await.unwrap();
                seen.push_str(std::str::from_utf8(&piece[..count]).unwrap());
            }
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .await
                .unwrap();
            seen.to_ascii_lowercase()
        };
        let (seen, _) = tokio::join!(serve, get(&*by, to(address, "{}")));
        let asked = seen.matches("accept-encoding: identity\r\n").count();
        assert_eq!(
            (asked, seen.matches("accept-encoding").count()),
            (1, 1),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for (name, by) in transports() {
        let mut tasks = JoinSet::new();
        let reply = b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        let address = server(&mut tasks, vec![reply]).await;
        assert_eq!(get(&*by, to(address, "{}")).await.0, 307, "{name}");
    }
}

#[tokio::test]
async fn a_connection_serves_the_next_request_of_its_provider() {
    const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    const CHUNKS: &[u8] =
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    for (name, by) in transports() {
        let mut tasks = JoinSet::new();
        // It accepts once: a second connection would never be answered.
        let address = server(&mut tasks, vec![REPLY, CHUNKS, REPLY]).await;
        for _ in 0..3 {
            let (status, body) = get(&*by, to(address, "{}")).await;
            assert_eq!((status, body.unwrap()), (200, b"{}".to_vec()), "{name}");
        }
    }
}

/// The tasks of such a runtime move between its threads, and others send on it too.
#[test]
fn a_connection_serves_again_whichever_thread_gave_it_back() {
    const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    const CHUNKS: &[u8] =
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    const AT_ONCE: usize = 8;
    let mut runtime = Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    let by = Http1Transport::new().unwrap();
    let (listener, address) = runtime.block_on(listen());
    let opened = Arc::new(AtomicUsize::new(0));
    let (counted, all) = (Arc::clone(&opened), Arc::new(Barrier::new(AT_ONCE)));
    let _server = runtime.spawn(async move {
        let mut tasks = JoinSet::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
            let all = Arc::clone(&all);
            tasks.spawn(async move {
                for reply in [REPLY, CHUNKS].into_iter().cycle() {
                    assert!(request(&mut stream).await);
                    // Nobody is answered before all have asked: none can do with another's connection.
                    all.wait().await;
                    stream.write_all(reply).await.unwrap();
                }
            });
        }
    });
    for _ in 0..20 {
        let wave = async {
            let asked = (0..AT_ONCE).map(|_| get(&by, to(address, "{}")));
            for (status, body) in join_all(asked).await {
                assert_eq!((status, body.unwrap()), (200, b"{}".to_vec()));
            }
        };
        std::thread::scope(|threads| {
            let sent = threads.spawn(|| runtime.block_on(wave));
            sent.join().unwrap();
        });
    }
    assert_eq!(opened.load(Ordering::Relaxed), AT_ONCE);
    assert_eq!(by.idle(), AT_ONCE);
}

#[tokio::test]
async fn a_request_is_written_when_all_that_is_ready_has_run() {
    const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    let by = Http1Transport::new().unwrap();
    let (listener, address) = listen().await;
    let ask = || get(&by, to(address, "{}"));
    let (_, stream) = tokio::join!(ask(), async {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(request(&mut stream).await);
        stream.write_all(REPLY).await.unwrap();
        stream.into_std().unwrap()
    });
    // The connection is kept and the request small: it could be written at once.
    let ((status, _), ()) = tokio::join!(ask(), async {
        let nothing = stream.peek(&mut [0]).map_err(|error| error.kind());
        assert_eq!(nothing, Err(std::io::ErrorKind::WouldBlock));
        let mut stream = TcpStream::from_std(stream).unwrap();
        assert!(request(&mut stream).await);
        stream.write_all(REPLY).await.unwrap();
    });
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_kept_connection_that_its_server_has_closed_is_replaced() {
    const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    for (name, by) in transports() {
        let (listener, address) = listen().await;
        let mut tasks = JoinSet::new();
        let (closed, mut is_closed) = tokio::sync::mpsc::channel(2);
        tasks.spawn(async move {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().await.unwrap();
                assert!(request(&mut stream).await);
                stream.write_all(REPLY).await.unwrap();
                stream.shutdown().await.unwrap();
                // Until the client has closed its end too, or reads on.
                drop(stream);
                closed.send(()).await.unwrap();
            }
        });
        assert_eq!(get(&*by, to(address, "{}")).await.0, 200, "{name}");
        is_closed.recv().await.unwrap();
        // The news has to reach this end: a read on the way would tell.
        settle().await;
        assert_eq!(get(&*by, to(address, "{}")).await.0, 200, "{name}");
    }
}

/// A task that has done much in its turn is told by tokio that nothing has come; what is kept is looked
/// at all the same. reqwest asks a task of its own.
#[tokio::test]
async fn a_task_that_had_much_to_do_takes_no_connection_that_is_closed() {
    const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    let by = Http1Transport::new().unwrap();
    let (listener, address) = listen().await;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(request(&mut stream).await);
            stream.write_all(REPLY).await.unwrap();
        }
    });
    assert_eq!(get(&by, to(address, "{}")).await.0, 200);
    settle().await;
    // Too large to wait for others: it is sent in the turn that is spent.
    let large = to(address, vec![b'x'; 32 << 10]);
    let spent = std::future::poll_fn(|cx| {
        while coop::has_budget_remaining() {
            let _ = pin!(coop::consume_budget()).poll(cx);
        }
        std::task::Poll::Ready(())
    });
    spent.await;
    let reply = by.send(large, limits()).await;
    assert_eq!(reply.unwrap().head.status, 200);
}

/// Lets the reactor see what has arrived.
async fn settle() {
    let (listener, address) = listen().await;
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (mut client, (mut server, _)) = (client.unwrap(), server.unwrap());
    for _ in 0..100 {
        client.write_all(b"x").await.unwrap();
        server.read_exact(&mut [0]).await.unwrap();
    }
}

#[tokio::test]
async fn what_nobody_asked_for_is_not_the_next_reply() {
    const TWO: &[u8] =
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n2";
    const ONE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n3";
    for (name, by) in transports() {
        let (listener, address) = listen().await;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            for reply in [TWO, ONE] {
                let (mut stream, _) = listener.accept().await.unwrap();
                assert!(request(&mut stream).await);
                stream.write_all(reply).await.unwrap();
                // It stays open as long as the client likes.
                request(&mut stream).await;
            }
        });
        assert_eq!(
            get(&*by, to(address, "{}")).await.1.unwrap(),
            b"1",
            "{name}"
        );
        assert_eq!(
            get(&*by, to(address, "{}")).await.1.unwrap(),
            b"3",
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_dropped_closes_the_connection() {
    for (name, by) in transports() {
        let (listener, address) = listen().await;
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(request(&mut stream).await);
            stream.write_all(head).await.unwrap();
            // The end of the connection, or its reset.
            assert!(!request(&mut stream).await);
        };
        let ask = async {
            let mut reply = send(&*by, to(address, "{}")).await.unwrap();
            assert_eq!(reply.body.next().await.unwrap().unwrap(), "hello", "{name}");
        };
        timeout(LONG, async { tokio::join!(serve, ask) })
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn an_answer_to_half_a_request_is_read() {
    for (name, by) in transports() {
        let (listener, address) = listen().await;
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut piece = [0; 100];
            assert!(stream.read(&mut piece).await.unwrap() > 0);
            let reply = b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\n{}";
            stream.write_all(reply).await.unwrap();
            // What is left of the request is read, so that the answer is not reset.
            let mut piece = vec![0; 65_536];
            while stream.read(&mut piece).await.is_ok_and(|count| count > 0) {}
        };
        let ask = async {
            // More than the sockets hold: the request cannot be complete when the answer comes.
            let (status, _) = get(&*by, to(address, vec![b'x'; 32 << 20])).await;
            assert_eq!(status, 413, "{name}");
            drop(by);
        };
        timeout(LONG, async { tokio::join!(serve, ask) })
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn pieces_come_as_they_arrive() {
    for (name, by) in transports() {
        let (listener, address) = listen().await;
        let (next, mut wanted) = tokio::sync::mpsc::channel(1);
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(request(&mut stream).await);
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            stream.write_all(head).await.unwrap();
            for _ in 0..3 {
                stream.write_all(b"3\r\nabc\r\n").await.unwrap();
                // Nothing more is written before this has been read.
                wanted.recv().await.unwrap();
            }
            stream.write_all(b"0\r\n\r\n").await.unwrap();
        };
        let ask = async {
            let mut reply = send(&*by, to(address, "{}")).await.unwrap();
            for _ in 0..3 {
                assert_eq!(reply.body.next().await.unwrap().unwrap(), "abc", "{name}");
                next.send(()).await.unwrap();
            }
            assert!(reply.body.next().await.is_none(), "{name}");
        };
        timeout(LONG, async { tokio::join!(serve, ask) })
            .await
            .unwrap();
    }
}
