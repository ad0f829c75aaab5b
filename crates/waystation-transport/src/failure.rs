//! What the network said, as a [`TransportError`]: which phase, and whether the upstream may have
//! acted. Messages name neither URL nor secret.

use std::{
    error::Error,
    io,
    net::{Ipv4Addr, UdpSocket},
};

use waystation_core::{Phase, Sent, TransportError};

/// What was being done when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Sending, or waiting for the head.
    Head,
    /// Reading the body.
    Body,
}

/// The client itself could not be made.
pub(crate) fn setup(error: &reqwest::Error) -> TransportError {
    let message = innermost(error).to_string();
    TransportError {
        phase: Phase::Tls,
        sent: Sent::Nothing,
        timed_out: false,
        message,
    }
}

/// Reads a failure of reqwest: how far the call got, and whether the upstream may have acted.
///
/// reqwest tells connecting apart from the rest; what it does not tell (name lookup, TLS) is read off
/// the chain of causes.
pub(crate) fn of(error: &reqwest::Error, stage: Stage) -> TransportError {
    if stage == Stage::Head
        && error.is_connect()
        && let Some(lack) = lack(error)
    {
        return lacking(lack);
    }
    let phase = match stage {
        Stage::Body => Phase::Body,
        Stage::Head if error.is_connect() => connect_phase(error),
        Stage::Head if error.is_builder() => Phase::Send,
        Stage::Head => Phase::Head,
    };
    let sent = match phase {
        Phase::Socket | Phase::Dns | Phase::Connect | Phase::Tls => Sent::Nothing,
        Phase::Send | Phase::Head | Phase::Body => Sent::Maybe,
    };
    let timed_out = error.is_timeout() || io_kind(error) == Some(io::ErrorKind::TimedOut);
    TransportError {
        phase,
        sent,
        timed_out,
        message: told(error),
    }
}

/// A connection could not be opened; nothing was sent.
pub(crate) fn connecting(error: &(dyn Error + 'static)) -> TransportError {
    if let Some(lack) = lack(error) {
        return lacking(lack);
    }
    TransportError {
        phase: connect_phase(error),
        sent: Sent::Nothing,
        timed_out: io_kind(error) == Some(io::ErrorKind::TimedOut),
        message: innermost(error).to_string(),
    }
}

/// This machine did not have what a connection takes.
fn lacking(lack: &str) -> TransportError {
    TransportError {
        phase: Phase::Socket,
        sent: Sent::Nothing,
        timed_out: false,
        message: lack.to_owned(),
    }
}

/// What this process or its machine has run out of, where that is why no connection could be opened.
fn lack(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let lack = error.downcast_ref::<io::Error>().and_then(lack_of);
        if lack.is_some() {
            return lack;
        }
        cause = error.source();
    }
    if connect_phase(error) != Phase::Dns {
        return None;
    }
    // A look-up that can open no file says that nobody has the name. Whether one can be had tells.
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
    socket.err().as_ref().and_then(lack_of)
}

/// What the system lacks, by its own word. Source: errno(3); these two numbers are the same on every Unix.
fn lack_of(error: &io::Error) -> Option<&'static str> {
    const TOO_MANY_IN_SYSTEM: i32 = 23;
    const TOO_MANY_IN_PROCESS: i32 = 24;
    const NO_BUFFERS: i32 = if cfg!(target_os = "linux") { 105 } else { 55 };
    match (error.raw_os_error()?, error.kind()) {
        (TOO_MANY_IN_PROCESS, _) => Some(
            "the gateway has no open file left; raise its limit of open files, or lower [server] max_connections",
        ),
        (TOO_MANY_IN_SYSTEM, _) => Some("the gateway's machine has no open file left"),
        (_, io::ErrorKind::AddrNotAvailable) => {
            Some("the gateway's machine has no local address or port left for it")
        }
        (NO_BUFFERS, _) | (_, io::ErrorKind::OutOfMemory) => {
            Some("the gateway's machine has no memory left for it")
        }
        _ => None,
    }
}

/// Which part of connecting failed. Falls back to the connection itself.
fn connect_phase(error: &(dyn Error + 'static)) -> Phase {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<rustls::Error>().is_some() {
            return Phase::Tls;
        }
        // An io error may carry the TLS error inside, where `source` does not lead.
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if inner.is_some_and(|inner| inner.downcast_ref::<rustls::Error>().is_some()) {
            return Phase::Tls;
        }
        if error.to_string().starts_with("dns error") {
            return Phase::Dns;
        }
        cause = error.source();
    }
    Phase::Connect
}

/// The kind of the system's own error, where one is among the causes.
fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}

/// The innermost cause: the outer layers repeat the URL.
pub(crate) fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut cause: &(dyn Error + 'static) = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause
}

/// What may be said of it: the innermost cause, unless that is the layer that knows the address.
fn told(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "timed out".to_owned();
    }
    let inner = innermost(error);
    // reqwest's own layer prints the URL, which may hold a deployment name or a key.
    if inner.downcast_ref::<reqwest::Error>().is_some() {
        return "the connection failed".to_owned();
    }
    inner.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A failure that others stand around, as connecting tells it.
    #[derive(Debug, thiserror::Error)]
    #[error("tcp open error")]
    struct Around(#[source] io::Error);

    #[test]
    fn what_this_machine_lacks_is_not_the_upstream() {
        let of = |number| connecting(&Around(io::Error::from_raw_os_error(number)));
        for number in [23, 24] {
            let error = of(number);
            assert_eq!((error.phase, error.sent), (Phase::Socket, Sent::Nothing));
            assert!(error.message.contains("open file"), "{error}");
        }
        for kind in [io::ErrorKind::AddrNotAvailable, io::ErrorKind::OutOfMemory] {
            let number = (1..200).find(|n| io::Error::from_raw_os_error(*n).kind() == kind);
            let error = of(number.unwrap());
            assert_eq!(error.phase, Phase::Socket, "{kind}");
        }
        for kind in [
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::HostUnreachable,
        ] {
            let number = (1..200).find(|n| io::Error::from_raw_os_error(*n).kind() == kind);
            let error = of(number.unwrap());
            assert_eq!(error.phase, Phase::Connect, "{kind}");
        }
    }
}
