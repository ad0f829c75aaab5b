//! `waystation serve`: listeners, signals, reloads. Composes the gateway and lets it run.

use std::{
    io,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::serve::{Listener, ListenerExt as _};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::{JoinError, JoinSet},
    time::{MissedTickBehavior, interval, timeout},
};
use waystation_core::Transport;
use waystation_sim::{SimTransport, Simulator};
use waystation_transport::UpstreamTransport;

use crate::{
    admin,
    app::App,
    banner,
    config::{self, Environment, Flags, Listen, Resolved},
    connection::{self, Patience},
    ending::Stage,
    gate::{self, Gate},
    routes::Site,
    workers::Workers,
};

/// What `serve` starts from.
#[derive(Debug)]
pub struct Start {
    /// The resolved configuration.
    pub resolved: Resolved,
    /// The command line, for reloads.
    pub flags: Flags,
    /// The captured environment, for reloads.
    pub environment: Environment,
}

/// Why the gateway could not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// An address cannot be listened at.
    #[error("cannot listen at {listen}: {reason}")]
    Listen {
        /// The address.
        listen: String,
        /// What the system said.
        reason: io::Error,
    },
    /// The HTTP client could not be set up.
    #[error(transparent)]
    Transport(#[from] waystation_transport::TransportSetupError),
    /// The threads that serve cannot be had.
    #[error("cannot start the threads that serve: {0}")]
    Workers(io::Error),
    /// Signals cannot be waited for.
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
}

/// How often the config file is looked at for changes.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often tokens are looked at for their expiry.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// How often upstream connections that nobody uses are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// How long the clients of streams that do not end in time have to take the last word.
const LAST_WORD: Duration = Duration::from_secs(1);
/// Seed of the simulator: replies are the same from start to start.
const SIMULATION_SEED: u64 = 1;

/// Serves until SIGTERM or SIGINT, then lets streams finish.
///
/// # Errors
/// [`ServeError`] when the gateway cannot start.
pub async fn run(start: Start) -> Result<(), ServeError> {
    let Start {
        resolved,
        flags,
        environment,
    } = start;
    let server = resolved.config.server.clone();
    let (file, simulated) = (resolved.file.clone(), resolved.simulated);
    for warning in &resolved.warnings {
        tracing::warn!("{warning}");
    }
    let files = raise_open_files(server.max_streams);
    let connections = match server.max_connections {
        0 => gate::connections_within(files),
        connections => connections,
    };
    let gate = Gate::of(connections, server.max_connections_per_address);
    let (transport, upstreams) = transport(simulated)?;
    let facts = banner::Facts::of(&resolved);
    let app = App::new(resolved, transport);
    let listener = listen(&server.listen).await?;
    let admin_listener = match &server.admin_listen {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let (stop, stopped) = watch::channel(Stage::Serving);
    let mut tasks = JoinSet::new();
    if let Some(listener) = admin_listener {
        let site = admin::router(&app).into();
        tasks.spawn(serve(listener, site, server.patience(), stopped.clone()));
    }
    let address = listener.local_addr().ok();
    let mut workers = Workers::start(&Site::of(&app), server.patience(), &stopped)
        .map_err(ServeError::Workers)?;
    banner::print(&facts, &app, address);
    let reloading = reloads(Arc::clone(&app), flags, environment, file);
    tokio::select! {
        end = stop_signal() => end.map_err(ServeError::Signals)?,
        () = reloading => {}
        () = renewals(&app) => {}
        () = workers.feed(listener, gate) => {}
        () = sweeps(upstreams) => {}
    }
    tracing::info!(
        "stopping: no new connections, open streams have {:?}",
        server.drain
    );
    // Receivers that are gone have stopped already.
    let _ = stop.send(Stage::Draining);
    let mut drained = Box::pin(async {
        while tasks.join_next().await.is_some() {}
        workers.drained().await;
    });
    if timeout(server.drain, &mut drained).await.is_err() {
        tracing::warn!(
            "streams were still open after {:?}: they end now",
            server.drain
        );
        app.end().come();
        let _ = stop.send(Stage::Ending);
        // Who does not listen is cut off.
        let _ = timeout(LAST_WORD, &mut drained).await;
    }
    drop(drained);
    workers.end();
    Ok(())
}

/// Lets this process open as many files as the system allows: a request under way holds two, one
/// towards the client and one towards a provider. Says so when `requests` at once would not fit. The
/// result is how many it may open.
pub(crate) fn raise_open_files(requests: u64) -> u64 {
    let limit = rlimit::increase_nofile_limit(u64::MAX).or_else(|error| {
        tracing::warn!(%error, "the limit on open files could not be raised");
        rlimit::Resource::NOFILE.get_soft()
    });
    let limit = limit.unwrap_or(u64::MAX);
    if limit < requests.saturating_mul(2) {
        tracing::warn!(
            "this process may open {limit} files: enough for about {} requests at once, not for the {requests} \
             of [server] max_streams",
            limit / 2
        );
    }
    limit
}

/// The real network, or the simulator in its place: while simulating no socket is opened towards
/// anyone.
fn transport(simulated: bool) -> Result<(Arc<dyn Transport>, Option<Upstreams>), ServeError> {
    if simulated {
        let simulator = Simulator::new(SIMULATION_SEED);
        return Ok((Arc::new(SimTransport::new(simulator)), None));
    }
    let upstreams = Arc::new(UpstreamTransport::new()?);
    Ok((
        Arc::clone(&upstreams) as Arc<dyn Transport>,
        Some(upstreams),
    ))
}

/// The real network.
type Upstreams = Arc<UpstreamTransport>;

/// Closes connections to upstreams that nobody has used for a while. Ends never.
async fn sweeps(upstreams: Option<Upstreams>) {
    let Some(upstreams) = upstreams else {
        return std::future::pending().await;
    };
    let mut sweep = interval(SWEEP_EVERY);
    loop {
        sweep.tick().await;
        upstreams.sweep();
    }
}

/// Binds a listener.
///
/// # Errors
/// [`ServeError::Listen`] with the address and the reason.
pub async fn listen(address: &Listen) -> Result<TcpListener, ServeError> {
    let text = address.to_string();
    let bound = TcpListener::bind(&text).await;
    bound.map_err(|reason| ServeError::Listen {
        listen: text,
        reason,
    })
}

/// Serves one listener until told to stop, then until its last request is answered.
pub async fn serve(
    listener: TcpListener,
    site: Site,
    patience: Patience,
    stopped: watch::Receiver<Stage>,
) {
    let listener = listener.tap_io(|stream| no_delay(stream));
    serve_on(listener, site, patience, stopped).await;
}

/// The same for connections from anywhere.
pub(crate) async fn serve_on<L>(
    mut listener: L,
    site: Site,
    patience: Patience,
    mut stopped: watch::Receiver<Stage>,
) where
    L: Listener,
{
    let mut connections = JoinSet::new();
    let until = stopped.clone();
    let mut stop = pin!(async move {
        // A sender that is gone has nothing more to say.
        let _ = stopped.changed().await;
    });
    loop {
        tokio::select! {
            (io, _) = listener.accept() => {
                connections.spawn(connection::serve(io, site.clone(), patience, until.clone()));
            }
            Some(ended) = connections.join_next() => report(ended),
            () = &mut stop => break,
        }
    }
    drop(listener);
    while let Some(ended) = connections.join_next().await {
        report(ended);
    }
}

/// A panic ends its own connection, and is told.
fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection failed");
    }
}

/// Sends small writes at once: without it a stream's events wait for the client's acknowledgements
/// (Nagle), 40 ms each.
pub(crate) fn no_delay(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
}

pub(crate) async fn stop_signal() -> io::Result<()> {
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Reloads on SIGHUP and when the file changes. Ends never.
async fn reloads(app: Arc<App>, flags: Flags, env: Environment, file: Option<std::path::PathBuf>) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        tracing::warn!("SIGHUP cannot be waited for: the configuration is not reloaded");
        return std::future::pending().await;
    };
    let changed = || {
        file.as_ref()
            .and_then(|file| std::fs::metadata(file).ok()?.modified().ok())
    };
    let mut seen: Option<SystemTime> = changed();
    let mut look = interval(LOOK_EVERY);
    loop {
        tokio::select! {
            _ = hangup.recv() => {}
            _ = look.tick() => {
                let now = changed();
                if now == seen || now.is_none() {
                    continue;
                }
            }
        }
        seen = changed();
        reload(&app, &flags, &env);
    }
}

/// Replaces tokens of providers before they expire, beside the requests that use them. Ends never.
pub async fn renewals(app: &App) {
    let mut look = interval(RENEW_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        app.renew_credentials().await;
    }
}

/// Publishes the configuration as it is now; one that is wrong changes nothing.
fn reload(app: &App, flags: &Flags, env: &Environment) {
    match config::resolve(flags, env) {
        Ok(resolved) if resolved.simulated != app.live().simulated => {
            tracing::error!(
                "the configuration now wants another kind of upstream: restart for that"
            );
        }
        Ok(resolved) => {
            for warning in &resolved.warnings {
                tracing::warn!("{warning}");
            }
            app.reload(resolved);
            tracing::info!("the configuration was reloaded");
        }
        Err(errors) => tracing::error!("the configuration stays as it was: {errors}"),
    }
}

/// The address that a client on this machine reaches a listener at.
#[must_use]
pub fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => ([127, 0, 0, 1], v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
            (std::net::Ipv6Addr::LOCALHOST, v6.port()).into()
        }
        other => other,
    }
}
