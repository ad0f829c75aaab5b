//! [`Transport`] over reqwest: HTTP/1.1 and HTTP/2, rustls with ring, proxies and the system's trust
//! store. Follows no redirect, keeps no cookie, decodes no compression (replies are asked for plain).

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use http::{HeaderMap, HeaderValue, header};
use reqwest::{Client, redirect};
use waystation_core::{HttpRequest, HttpStream, ReplyHead, SendLimits, Transport, TransportError};

use crate::{failure, http1::POOL_IDLE};

/// Sends with reqwest. `HTTPS_PROXY`, `NO_PROXY` and `SSL_CERT_FILE` are honoured.
///
/// Connections are pooled per host. The time to connect is a property of a client, so there is one
/// client for each distinct limit: nearly always one.
pub struct ReqwestTransport {
    clients: ArcSwap<HashMap<Duration, Client>>,
}

/// The HTTP client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client could not be set up: {0}")]
pub struct TransportSetupError(String);

// === impl TransportSetupError ===

impl TransportSetupError {
    /// What the client said of itself.
    pub(crate) fn of(error: &reqwest::Error) -> Self {
        Self(failure::setup(error).to_string())
    }
}

// === impl ReqwestTransport ===

impl ReqwestTransport {
    /// A transport without connections.
    ///
    /// # Errors
    /// [`TransportSetupError`] when TLS cannot be set up (no usable trust store).
    pub fn new() -> Result<Self, TransportSetupError> {
        // A second call finds the provider installed, which is what is wanted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            clients: ArcSwap::from_pointee(HashMap::new()),
        })
    }

    /// The client with this limit on connecting, made when it is new. No lock once it exists.
    fn client(&self, connect: Duration) -> Result<Client, TransportError> {
        if let Some(client) = self.clients.load().get(&connect) {
            return Ok(client.clone());
        }
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(connect)
            .tcp_nodelay(true)
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(usize::MAX)
            .http2_keep_alive_interval(Duration::from_secs(30))
            .referer(false)
            .build()
            .map_err(|error| failure::setup(&error))?;
        self.clients.rcu(|clients| {
            let mut clients = HashMap::clone(clients);
            clients.entry(connect).or_insert_with(|| client.clone());
            clients
        });
        Ok(client)
    }

    /// Sets a client up ahead of the first request: the trust store is read once, here.
    ///
    /// # Errors
    /// [`TransportSetupError`] when TLS cannot be set up.
    pub fn warm(&self, connect: Duration) -> Result<(), TransportSetupError> {
        self.client(connect)
            .map(drop)
            .map_err(|error| TransportSetupError(error.to_string()))
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(
        &self,
        request: HttpRequest,
        limits: SendLimits,
    ) -> Result<HttpStream, TransportError> {
        let client = self.client(limits.connect)?;
        let HttpRequest {
            method,
            url,
            headers,
            body,
        } = request;
        let mut headers = HeaderMap::from(headers);
        let plain = HeaderValue::from_static("identity");
        headers.entry(header::ACCEPT_ENCODING).or_insert(plain);
        let response = client
            .request(method, url.to_string())
            .headers(headers)
            .body(body)
            .send()
            .await
            .map_err(|error| failure::of(&error, failure::Stage::Head))?;
        let head = ReplyHead {
            status: response.status(),
            headers: response.headers().into(),
        };
        let body = response
            .bytes_stream()
            .map_err(|error| failure::of(&error, failure::Stage::Body));
        Ok(HttpStream {
            head,
            body: Box::pin(body),
        })
    }
}

impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits: Vec<Duration> = self.clients.load().keys().copied().collect();
        f.debug_struct("ReqwestTransport")
            .field("connect_limits", &limits)
            .finish()
    }
}

const _: fn(Arc<ReqwestTransport>) -> Arc<dyn Transport> = |transport| transport;
