//! `waystation mock`: the simulator behind real sockets, for tests of other programs and of this
//! one's transport. Speaks the dialects and injects scripted faults; knows no gateway.

mod at_once;

use std::{io::Write as _, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use http::{StatusCode, Uri};
use tokio::sync::watch;
use waystation_core::HttpRequest;
use waystation_sim::{Pacing, Simulator, faults::Script};

use crate::{
    body::{self, Bounds, Room},
    config::Listen,
    connection::Patience,
    ending::Stage,
    serve::{self, ServeError},
};

/// What the mock reads of a request.
const BOUNDS: Bounds = Bounds {
    bytes: 64 * 1024 * 1024,
    wait: Duration::from_secs(60),
};
/// The most bytes of requests that it keeps at once.
const ROOM: u64 = 1 << 30;
/// Replies are the same from start to start.
const SEED: u64 = 1;

/// Why the mock could not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MockError {
    /// It cannot listen.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The script cannot be read.
    #[error("the script {path} cannot be read: {reason}")]
    Script {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Connections cannot be accepted any more.
    #[error("no connection can be accepted any more: {0}")]
    Accept(#[from] std::io::Error),
}

/// What answers requests.
struct Mock {
    simulator: Simulator,
    room: Room,
}

/// Serves until the process is stopped.
///
/// # Errors
/// [`MockError`] when the script is wrong or the address is taken.
pub async fn run(listen: &Listen, script: Option<&Path>, pacing: Pacing) -> Result<(), MockError> {
    serve::raise_open_files(0);
    let mut simulator = Simulator::new(SEED).with_pacing(pacing);
    if let Some(path) = script {
        simulator = simulator.with_script(read_script(path)?);
    }
    let listener = serve::listen(listen).await?;
    if let Ok(address) = listener.local_addr() {
        announce(address);
    }
    let (_stop, stopped) = watch::channel(Stage::Serving);
    tokio::select! {
        () = serve::serve(listener, router(simulator).into(), Patience::USUAL, stopped) => {}
        _ = serve::stop_signal() => {}
    }
    Ok(())
}

/// Answers every request at once with the same bytes, until the process is stopped. `piecemeal`
/// writes each event of a stream by itself.
///
/// # Errors
/// [`MockError`] when the address is taken.
pub async fn run_at_once(listen: &Listen, piecemeal: bool) -> Result<(), MockError> {
    let listener = serve::listen(listen).await?;
    if let Ok(address) = listener.local_addr() {
        announce(address);
    }
    tokio::select! {
        end = at_once::serve(listener, piecemeal) => end?,
        _ = serve::stop_signal() => {}
    }
    Ok(())
}

/// The mock as a router, for tests.
pub fn router(simulator: Simulator) -> Router {
    let mock = Mock {
        simulator,
        room: Room::of(ROOM),
    };
    Router::new().fallback(answer).with_state(Arc::new(mock))
}

fn read_script(path: &Path) -> Result<Script, MockError> {
    let wrong = |reason: String| MockError::Script {
        path: path.display().to_string(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    text.parse().map_err(|error| wrong(format!("{error}")))
}

fn announce(address: SocketAddr) {
    let address = serve::reachable(address);
    let text = format!(
        "waystation mock listens at http://{address}; point a base_url at http://{address}/v1\n"
    );
    // Nobody may be reading.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

async fn answer(State(mock): State<Arc<Mock>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok((body, _room)) = body::read(body, BOUNDS, &mock.room).await else {
        return status(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let path = head
        .uri
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str);
    let Ok(url) = format!("http://mock.invalid{path}").parse::<Uri>() else {
        return status(StatusCode::BAD_REQUEST);
    };
    let request = HttpRequest {
        method: head.method,
        url,
        headers: (&head.headers).into(),
        body,
    };
    let reply = mock.simulator.handle(&request);
    let reply = reply.into_stream(Pacing::Live).await;
    let mut response = Response::new(Body::from_stream(reply.body));
    *response.status_mut() = reply.head.status;
    *response.headers_mut() = reply.head.headers.into();
    response
}

fn status(code: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = code;
    response
}
