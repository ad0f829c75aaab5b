//! Opening connections: look-up, TCP, TLS, all within one limit. What is sent over them is not here.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{ClientConfig, pki_types::ServerName};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower_service::Service as _;
use waystation_core::{Phase, Sent, TransportError};

use super::socket::Socket;
use crate::failure;

/// Opens connections.
pub(super) struct Connector {
    tcp: HttpConnector,
    /// Made when the first address wants it: the trust store takes milliseconds and memory.
    tls: OnceLock<TlsConnector>,
}

/// The probes of a silent connection that TCP sends.
const TCP_KEEPALIVE: Duration = Duration::from_secs(15);

// === impl Connector ===

impl Connector {
    /// Trusts what the system trusts; `SSL_CERT_FILE` is honoured.
    pub(super) fn system() -> Self {
        Self {
            tcp: tcp(),
            tls: OnceLock::new(),
        }
    }

    /// Trusts what `tls` trusts.
    pub(super) fn with_tls(mut tls: ClientConfig) -> Self {
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            tcp: tcp(),
            tls: OnceLock::from(TlsConnector::from(Arc::new(tls))),
        }
    }

    /// A connection to where `url` points.
    ///
    /// # Errors
    /// [`TransportError`]; nothing was sent.
    pub(super) async fn connect(
        &self,
        url: &Uri,
        limit: Duration,
    ) -> Result<Socket, TransportError> {
        let connecting = self.within_any_time(url);
        match timeout(limit, connecting).await {
            Ok(connected) => connected,
            Err(_) => Err(TransportError {
                phase: Phase::Connect,
                sent: Sent::Nothing,
                timed_out: true,
                message: "timed out".to_owned(),
            }),
        }
    }

    /// What the first address that wants TLS sets up. Those that come meanwhile do not wait but do it
    /// too; and what failed is tried again, since it may have been a lack of files.
    fn tls(&self) -> Result<&TlsConnector, TransportError> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls);
        }
        let tls = system_tls()?;
        Ok(self.tls.get_or_init(|| tls))
    }

    /// The look-up tries both families of addresses, as hyper's connector does it.
    async fn within_any_time(&self, url: &Uri) -> Result<Socket, TransportError> {
        let tcp = self.tcp.clone().call(url.clone()).await;
        let tcp = tcp
            .map_err(|error| failure::connecting(&error))?
            .into_inner();
        if url.scheme_str() != Some("https") {
            return Ok(Socket::Plain(tcp));
        }
        let host = url.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| tls_failed("the host is no name that a certificate can hold"))?;
        let tls = self.tls()?.connect(name, tcp).await;
        let tls = tls.map_err(|error| tls_failed(&failure::innermost(&error).to_string()))?;
        Ok(Socket::Tls(Box::new(tls)))
    }
}

/// Opens TCP connections that send small writes at once.
fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(TCP_KEEPALIVE));
    tcp
}

/// The system's trust store, and HTTP/1.1 as the only protocol: no server may choose another.
fn system_tls() -> Result<TlsConnector, TransportError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_platform_verifier());
    let config = config.map_err(|error| tls_failed(&error.to_string()))?;
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A handshake that failed before anything was sent.
fn tls_failed(message: &str) -> TransportError {
    TransportError {
        phase: Phase::Tls,
        sent: Sent::Nothing,
        timed_out: false,
        message: message.to_owned(),
    }
}
