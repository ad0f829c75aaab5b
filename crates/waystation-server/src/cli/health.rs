//! `waystation health`: asks a running gateway whether it is alive, for container health checks.
//! Speaks just enough HTTP for that.

use std::time::Duration;

use clap::Args;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{Refusal, Source, runtime, say};
use crate::config::{Environment, Listen};

/// How long the gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Arguments of `health`.
#[derive(Clone, Debug, Args)]
pub(super) struct HealthArgs {
    #[command(flatten)]
    source: Source,
    /// Where the gateway listens; absent, as its configuration says.
    #[arg(long, value_name = "ADDR")]
    listen: Option<Listen>,
}

/// Runs the command.
pub(super) fn run(args: &HealthArgs, env: &Environment) -> Result<(), Refusal> {
    let listen = match &args.listen {
        Some(listen) => listen.clone(),
        None => args.source.resolve_catalog(env)?.config.server.listen,
    };
    let authority = listen.reachable().to_string();
    let answer = runtime()?.block_on(async { timeout(PATIENCE, ask(&authority)).await });
    let refuse = |reason: String| Refusal(format!("error: {authority}: {reason}"));
    let status = answer
        .map_err(|_| refuse(format!("no answer within {} s", PATIENCE.as_secs())))?
        .map_err(|error| refuse(error.to_string()))?;
    if status.split(' ').nth(1) != Some("200") {
        return Err(refuse(format!("expected HTTP 200, found {status:?}")));
    }
    say("ok\n");
    Ok(())
}

/// The status line of `GET /health`.
async fn ask(authority: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(authority).await?;
    let request = format!("GET /health HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    stream.take(1024).read_to_end(&mut head).await?;
    let head = String::from_utf8_lossy(&head);
    Ok(head.lines().next().unwrap_or_default().to_owned())
}
