//! HTTP/1.1 as a client, on the task of the request that asks: no task of its own, one read for
//! whatever has arrived, one write for a request. It pools connections and retries nothing that an
//! upstream may have seen. Where a proxy stands between, `ReqwestTransport` goes.

mod body;
mod connect;
pub mod desk;
mod exchange;
pub mod field;
pub mod framing;
mod head;
mod pool;
mod socket;

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Uri;
use waystation_core::{
    BodyStream, HttpRequest, HttpStream, SendLimits, Sent, Transport, TransportError,
};

use crate::TransportSetupError;
use body::ReplyBody;
use connect::Connector;
use exchange::{Exchange, Outcome};
use pool::{Key, Pool};

/// Sends over HTTP/1.1, with and without TLS.
///
/// An exchange lives on the task that sends: reading the reply needs no other task to be woken.
/// Connections are kept for the next request of the same provider on the same runtime, so a server
/// with a runtime for each core shares none between cores.
///
/// ```
/// use waystation_transport::Http1Transport;
///
/// let transport = Http1Transport::new()?;
/// assert_eq!(transport.idle(), 0);
/// # Ok::<(), waystation_transport::TransportSetupError>(())
/// ```
pub struct Http1Transport {
    connector: Connector,
    pool: Arc<Pool>,
}

/// How often a connection that was kept, and that its server had closed before the request was
/// written, is replaced by another one that was kept. After that a new one is opened.
const STALE: usize = 3;
/// A body of more bytes is written as soon as it is there: several that wait cost more memory than is won.
const SMALL: usize = 16 * 1024;

// === impl Http1Transport ===

impl Http1Transport {
    /// A transport without connections. The trust store is read when it is first needed.
    ///
    /// # Errors
    /// [`TransportSetupError`] when TLS cannot be set up.
    pub fn new() -> Result<Self, TransportSetupError> {
        Ok(Self {
            connector: Connector::system(),
            pool: Arc::default(),
        })
    }

    /// A transport that trusts what `tls` trusts. Its protocols are set to HTTP/1.1.
    #[must_use]
    pub fn with_tls(tls: rustls::ClientConfig) -> Self {
        Self {
            connector: Connector::with_tls(tls),
            pool: Arc::default(),
        }
    }

    /// Closes the connections that have been idle for too long. Called now and then; a request does the
    /// same for its own provider's.
    pub fn sweep(&self) {
        self.pool.sweep();
    }

    /// How many connections wait for a request.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.pool.len()
    }
}

/// As `async_trait` would write it, but for a future that holds nothing of the request's head.
impl Transport for Http1Transport {
    fn send<'a, 'b>(
        &'a self,
        request: HttpRequest,
        limits: SendLimits,
    ) -> Pin<Box<dyn Future<Output = Result<HttpStream, TransportError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let head = exchange::head(&request);
        let HttpRequest { url, body, .. } = request;
        match Key::of(&url, limits.pool) {
            Ok(key) => Box::pin(self.sent(key, head, body, (url, limits.connect))),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

impl Http1Transport {
    /// Sends a request, and gives the beginning of its reply.
    async fn sent(
        &self,
        key: Key,
        head: Vec<u8>,
        body: Bytes,
        (url, patience): (Uri, Duration),
    ) -> Result<HttpStream, TransportError> {
        if body.len() <= SMALL {
            // Whatever else is ready on this thread comes as far as this first. Requests are written side by
            // side then, and wake the upstream once: waking it is the dearest part of a small request
            // (docs/performance.md). One that is alone waits for nothing.
            tokio::task::yield_now().await;
        }
        for _ in 0..STALE {
            let Some(kept) = self.pool.take(&key) else {
                break;
            };
            match Exchange::new(kept, &head, &body).run().await {
                Outcome::Reply(reply) => return Ok(self.reply(reply, key)),
                // A server may close a kept connection just when it is used again.
                Outcome::Failed(error) if error.sent == Sent::Nothing => {}
                Outcome::Failed(error) => return Err(error),
            }
        }
        // On the heap: it is large, and few requests open a connection.
        let socket = Box::pin(self.connector.connect(&url, patience)).await?;
        match Exchange::new(socket, &head, &body).run().await {
            Outcome::Reply(reply) => Ok(self.reply(reply, key)),
            Outcome::Failed(error) => Err(error),
        }
    }

    fn reply(&self, reply: exchange::Begun, key: Key) -> HttpStream {
        let exchange::Begun { head, mut rest } = reply;
        let body: BodyStream = match rest.here() {
            Some(here) => {
                if rest.may_serve_again() {
                    self.pool.give(key, rest.socket);
                }
                Box::pin(body::Here::of(here))
            }
            None => Box::pin(ReplyBody::new(rest, Arc::clone(&self.pool), key)),
        };
        HttpStream { head, body }
    }
}

impl fmt::Debug for Http1Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http1Transport")
            .field("idle", &self.idle())
            .finish_non_exhaustive()
    }
}

/// How long an idle connection is kept: below the 60 s at which common load balancers close theirs.
pub(crate) const POOL_IDLE: Duration = Duration::from_secs(50);

#[cfg(test)]
mod tests;
