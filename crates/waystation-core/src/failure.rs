//! What can go wrong at the seams: encoding, the network, and what upstreams say.

use std::time::Duration;

use crate::ErrorType;

/// Why a request cannot be written in a dialect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// Something in the request has no form in this dialect.
    #[error("{field}: {reason}")]
    Unsupported {
        /// The offending member.
        field: String,
        /// What the wire cannot say.
        reason: String,
    },
    /// The upstream's address is not usable.
    #[error("{setting} is not usable: {reason}")]
    Address {
        /// Which setting.
        setting: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The credential does not fit the authentication scheme.
    #[error("the credential does not fit: expected {expected}")]
    Credential {
        /// What the scheme needs.
        expected: &'static str,
    },
}

/// An upstream's failure, translated: by status and body, in band, or by a reply that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UpstreamError {
    /// The kind, which decides status and retry.
    pub kind: ErrorType,
    /// The upstream's own reason; what clients are shown behind the provider's name.
    pub message: String,
    /// The HTTP status that came with it.
    pub status: Option<u16>,
    /// The upstream's own code (`insufficient_quota`).
    pub code: Option<String>,
    /// The body that it came in, cut to 4 KiB.
    pub raw: Option<String>,
    /// How long to wait, as the upstream wishes.
    pub retry_after: Option<Duration>,
}

// === impl UpstreamError ===

impl UpstreamError {
    /// A failure without a body: the reply broke off or was not understood.
    #[must_use]
    pub fn new(kind: ErrorType, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            status: None,
            code: None,
            raw: None,
            retry_after: None,
        }
    }

    /// The reply is not what the dialect allows.
    #[must_use]
    pub fn garbage(message: impl Into<String>) -> Self {
        Self::new(ErrorType::ProviderUnavailable, message)
    }
}

/// The network failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{phase}: {message}")]
pub struct TransportError {
    /// How far it got.
    pub phase: Phase,
    /// Whether the upstream may have acted on the request; decides whether a retry is safe.
    pub sent: Sent,
    /// A time limit ran out, rather than the connection failing.
    pub timed_out: bool,
    /// What the network said; no URL, no secret.
    pub message: String,
}

/// How far an upstream call got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Getting what a connection takes from this machine: a file, a port, memory. The upstream was not asked.
    Socket,
    /// Looking up the host.
    Dns,
    /// Opening the connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// Sending the request.
    Send,
    /// Waiting for the response's head.
    Head,
    /// Reading the response's body.
    Body,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Socket => "making a socket",
            Self::Dns => "looking up the host",
            Self::Connect => "connecting",
            Self::Tls => "the TLS handshake",
            Self::Send => "sending the request",
            Self::Head => "waiting for the response",
            Self::Body => "reading the response",
        })
    }
}

/// Whether the upstream may have seen the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sent {
    /// It has not.
    Nothing,
    /// It may have.
    Maybe,
}

/// A credential could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoCredential {
    /// None is configured, or all were excluded.
    #[error("no credential is left for {provider}")]
    None {
        /// The provider.
        provider: String,
    },
    /// All that are left rest: each was limited or refused lately.
    #[error("every credential of {provider} rests for another {} s", wait.as_secs().max(1))]
    Resting {
        /// The provider.
        provider: String,
        /// Until the first of them is to be had again.
        wait: Duration,
        /// That one was limited, rather than refused.
        limited: bool,
    },
    /// One exists but could not be refreshed.
    #[error("the credential of {provider} could not be refreshed: {reason}")]
    Refresh {
        /// The provider.
        provider: String,
        /// Why.
        reason: String,
    },
}
