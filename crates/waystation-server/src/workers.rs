//! A runtime for each core, each on a thread of its own: a connection stays with the one that it was
//! given to, and so does what its requests open upstream. No task of a request moves between cores,
//! and none wakes one on another. What is served is the caller's.

use std::{
    io::{self, IoSlice},
    net::{SocketAddr, TcpStream as StdStream},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    thread::{Builder, JoinHandle},
    time::Duration,
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

use crate::{
    connection::Patience,
    ending::Stage,
    gate::{Gate, Pass},
    log_writer,
    routes::Site,
    serve,
};

/// Connections that wait for a worker to take them. When so many do, accepting waits, and the system
/// keeps those that come then.
const WAITING: usize = 1_024;

/// How long nothing is accepted when the system has no file left for it.
const PAUSE: Duration = Duration::from_millis(100);
/// What is said of the listener is said so often at most.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// No place is left.
const CROWDED: &str =
    "as many connections are open as [server] max_connections allows: others wait";

/// What was said of the listener, and when.
#[derive(Default)]
struct Told(Option<Instant>);

/// The threads that serve.
#[derive(Debug)]
pub(crate) struct Workers {
    doors: Vec<Door>,
    threads: Vec<JoinHandle<()>>,
    /// Ends when every thread has served its last request.
    busy: mpsc::Receiver<()>,
    /// Says that what is still open is to be cut off.
    cut: watch::Sender<bool>,
}

/// The way to one of them.
#[derive(Debug)]
struct Door {
    connections: mpsc::Sender<(StdStream, Pass)>,
    open: Arc<AtomicUsize>,
}

/// The other end: a listener of connections that somebody else has accepted.
struct Handed {
    connections: mpsc::Receiver<(StdStream, Pass)>,
    open: Arc<AtomicUsize>,
}

/// A connection that counts as open while it lives.
struct Counted {
    stream: TcpStream,
    open: Arc<AtomicUsize>,
    _pass: Pass,
}

// === impl Told ===

impl Told {
    /// Says it, unless something was said a moment ago: these things come in numbers.
    fn once(&mut self, message: &str) {
        let now = Instant::now();
        if self.0.is_none_or(|last| now - last >= TELL_EVERY) {
            self.0 = Some(now);
            tracing::warn!("{message}");
        }
    }
}

/// Whether the next connection may be had all the same. Source: `accept(2)`, "Error handling".
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

// === impl Workers ===

impl Workers {
    /// Starts a thread for each core.
    ///
    /// # Errors
    /// What the system says when a thread or its runtime cannot be had.
    pub(crate) fn start(
        site: &Site,
        patience: Patience,
        stopped: &watch::Receiver<Stage>,
    ) -> io::Result<Self> {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let (idle, busy) = mpsc::channel(1);
        let (cut, cutting) = watch::channel(false);
        let (mut doors, mut threads) = (Vec::new(), Vec::new());
        for number in 0..count {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .on_thread_park(log_writer::release)
                .build()?;
            let (sender, connections) = mpsc::channel(WAITING);
            let open = Arc::new(AtomicUsize::new(0));
            let handed = Handed {
                connections,
                open: Arc::clone(&open),
            };
            let (site, stopped) = (site.clone(), stopped.clone());
            let (idle, mut cutting) = (idle.clone(), cutting.clone());
            let work = move || {
                let _until_done = idle;
                log_writer::keep();
                runtime.block_on(async {
                    tokio::select! {
                        () = serve::serve_on(handed, site, patience, stopped) => {}
                        _ = cutting.wait_for(|cut| *cut) => {}
                    }
                });
                log_writer::end();
            };
            let name = format!("worker-{number}");
            threads.push(Builder::new().name(name).spawn(work)?);
            doors.push(Door {
                connections: sender,
                open,
            });
        }
        Ok(Self {
            doors,
            threads,
            busy,
            cut,
        })
    }

    /// Accepts connections that `gate` has places for, and hands each to the worker that has fewest. Those
    /// that come while there is no place wait in the system's queue. Ends never.
    pub(crate) async fn feed(&self, listener: TcpListener, gate: Gate) {
        let mut told = Told::default();
        loop {
            let place = match gate.free() {
                Some(place) => Some(place),
                None => {
                    told.once(CROWDED);
                    gate.place().await
                }
            };
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Of this connection alone, or of the files that are open: then some have to be closed.
                    if !is_of_one_connection(&error) {
                        told.once(&format!("no connection can be taken: {error}"));
                        sleep(PAUSE).await;
                    }
                    continue;
                }
            };
            let Some(pass) = place.and_then(|place| gate.admit(place, peer.ip())) else {
                told.once("an address has as many connections as [server] max_connections_per_address gives it");
                continue;
            };
            serve::no_delay(&stream);
            let fewest = self
                .doors
                .iter()
                .min_by_key(|door| door.open.load(Ordering::Relaxed));
            // A connection that cannot be moved, or that comes when its worker has stopped, is closed.
            if let (Some(door), Ok(stream)) = (fewest, stream.into_std()) {
                door.open.fetch_add(1, Ordering::Relaxed);
                let _ = door.connections.send((stream, pass)).await;
            }
        }
    }

    /// Waits until every worker has served its last request: they must have been told to stop.
    pub(crate) async fn drained(&mut self) {
        while self.busy.recv().await.is_some() {}
    }

    /// Cuts off what is still open, and waits until it is closed and settled.
    pub(crate) fn end(self) {
        // Threads that are gone have nothing open.
        let _ = self.cut.send(true);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a worker panicked");
            }
        }
    }
}

// === impl Handed ===

impl Listener for Handed {
    type Io = Counted;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Counted, SocketAddr) {
        loop {
            let Some((stream, pass)) = self.connections.recv().await else {
                // Nobody accepts any more. Being told to stop is another matter.
                return std::future::pending().await;
            };
            let counted = TcpStream::from_std(stream).map(|stream| Counted {
                stream,
                open: Arc::clone(&self.open),
                _pass: pass,
            });
            match counted.and_then(|counted| Ok((counted.stream.peer_addr()?, counted))) {
                Ok((peer, counted)) => return (counted, peer),
                // It was closed in between.
                Err(error) => tracing::debug!(%error, "a connection could not be taken over"),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

// === impl Counted ===

impl Drop for Counted {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
