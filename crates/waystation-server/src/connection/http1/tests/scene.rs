//! A connection in memory, and routes that show what a connection can do wrong.

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::State,
    routing::{get as on_get, post},
};
use bytes::Bytes;
use futures_util::stream;
use http::{Response, StatusCode, header};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex},
    sync::watch,
    task::JoinSet,
    time::sleep,
};

use crate::{
    connection::{Patience, serve},
    ending::Stage,
};

/// A client, and its connection.
pub(super) struct Scene {
    client: Option<DuplexStream>,
    stop: watch::Sender<Stage>,
    tasks: JoinSet<()>,
    /// Answers under way that say so.
    pub(super) alive: Arc<AtomicUsize>,
}

/// An answer under way.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(alive))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A head that asks for `path`.
pub(super) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::with(Patience::USUAL)
    }

    pub(super) fn with(patience: Patience) -> Self {
        let (client, server) = duplex(4_096);
        let mut scene = Self::over(server, patience);
        scene.client = Some(client);
        scene
    }

    /// Of a connection whose other end the test holds.
    pub(super) fn over<Io>(io: Io, patience: Patience) -> Self
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (stop, stopped) = watch::channel(Stage::Serving);
        let alive = Arc::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(io, routes(&alive).into(), patience, stopped));
        Self {
            client: None,
            stop,
            tasks,
            alive,
        }
    }

    pub(super) fn client(&mut self) -> &mut DuplexStream {
        self.client.as_mut().unwrap()
    }

    pub(super) async fn send(&mut self, text: &str) {
        self.client().write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads until `end`.
    pub(super) async fn until(&mut self, end: &str) -> String {
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).ends_with(end) {
            let read = self.client().read_buf(&mut seen).await.unwrap();
            assert!(read > 0, "{}", String::from_utf8_lossy(&seen));
        }
        String::from_utf8(seen).unwrap()
    }

    /// Reads until the connection ends, and waits for that.
    pub(super) async fn rest(&mut self) -> String {
        let mut seen = Vec::new();
        self.client().read_to_end(&mut seen).await.unwrap();
        self.leave().await;
        String::from_utf8(seen).unwrap()
    }

    /// The client closes; waits for the connection's end.
    pub(super) async fn leave(&mut self) {
        self.client = None;
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
    }

    pub(super) fn stop(&self) {
        self.stop.send(Stage::Draining).unwrap();
    }
}

fn routes(alive: &Arc<AtomicUsize>) -> Router {
    let pieces = |pieces: Vec<io::Result<&'static str>>| Body::from_stream(stream::iter(pieces));
    Router::new()
        .route("/", on_get(|| async { "quick" }))
        .route("/slow", on_get(slow))
        .route(
            "/forever",
            on_get(|| async { sleep(Duration::from_secs(10_000)).await }),
        )
        .route(
            "/close",
            on_get(|| async { ([(header::CONNECTION, "close")], "closed") }),
        )
        .route("/none", on_get(|| async { StatusCode::NO_CONTENT }))
        .route("/same", on_get(|| async { StatusCode::NOT_MODIFIED }))
        .route("/stream", on_get(|| async { Body::from_stream(seconds()) }))
        .route("/ticks", on_get(ticks))
        .route("/endless", on_get(endless))
        .route(
            "/together",
            on_get(move || async move { pieces(vec![Ok("a"), Ok("bc"), Ok("d")]) }),
        )
        .route(
            "/broken",
            on_get(move || async move { pieces(vec![Ok("a"), Err(io::ErrorKind::Other.into())]) }),
        )
        .route("/large", on_get(|| async { vec![b'x'; 1 << 20] }))
        .route(
            "/short",
            on_get(|| async {
                Response::builder()
                    .header("content-length", "9")
                    .body(Body::from("four"))
                    .unwrap()
            }),
        )
        .route(
            "/echo",
            post(|body: Body| async {
                to_bytes(body, 1 << 30)
                    .await
                    .map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
            }),
        )
        .route("/read", post(read))
        .route("/ignore", post(|| async { "ignored" }))
        .route("/begin", post(begin))
        .with_state(Arc::clone(alive))
}

/// Ten seconds.
async fn slow(State(alive): State<Arc<AtomicUsize>>) -> &'static str {
    let _alive = Alive::new(&alive);
    sleep(Duration::from_secs(10)).await;
    "slow"
}

/// Three pieces, each behind a second.
fn seconds() -> impl futures_core::Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(0, |count| async move {
        if count == 3 {
            return None;
        }
        sleep(Duration::from_secs(1)).await;
        Some((Ok(format!("{count};").into()), count + 1))
    })
}

/// A piece every hour.
async fn ticks(State(alive): State<Arc<AtomicUsize>>) -> Body {
    let alive = Alive::new(&alive);
    Body::from_stream(stream::unfold((true, alive), |(first, alive)| async move {
        if !first {
            sleep(Duration::from_secs(3_600)).await;
        }
        Some((Ok::<_, Infallible>("tick"), (false, alive)))
    }))
}

/// Pieces of 16 kB, as many as are asked for, and counted.
async fn endless(State(made): State<Arc<AtomicUsize>>) -> Body {
    Body::from_stream(stream::repeat_with(move || {
        made.fetch_add(1, Ordering::SeqCst);
        Ok::<_, Infallible>(vec![b'x'; 16 << 10])
    }))
}

/// As the gateway's own routes read.
async fn read(body: Body) -> (StatusCode, String) {
    let bounds = crate::body::Bounds {
        bytes: 8 << 20,
        wait: Duration::from_secs(30),
    };
    match crate::body::read(body, bounds, &crate::body::Room::of(1 << 30)).await {
        Ok((bytes, _)) => (StatusCode::OK, format!("{} read", bytes.len())),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()),
    }
}

/// Answers when the first piece has come, and gives the body back as it comes.
async fn begin(body: Body) -> Body {
    body
}
