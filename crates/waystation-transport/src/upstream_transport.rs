//! What the gateway sends with: HTTP/1.1 straight to the upstream, or through reqwest where the
//! environment names a proxy for it. It only chooses.

use std::{fmt, pin::Pin, sync::Arc};

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use waystation_core::{HttpRequest, HttpStream, SendLimits, Transport, TransportError};

use crate::{Http1Transport, ReqwestTransport, TransportSetupError};

/// Sends straight, or through the proxy that `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`
/// name for the address.
///
/// ```
/// use waystation_transport::UpstreamTransport;
///
/// let transport = UpstreamTransport::new()?;
/// transport.sweep();
/// # Ok::<(), waystation_transport::TransportSetupError>(())
/// ```
pub struct UpstreamTransport {
    straight: Http1Transport,
    proxied: ReqwestTransport,
    /// None where the environment names none, as it mostly is.
    proxies: Option<Matcher>,
}

// === impl UpstreamTransport ===

impl UpstreamTransport {
    /// A transport without connections, with the proxies that the environment names now.
    ///
    /// # Errors
    /// [`TransportSetupError`] when TLS cannot be set up.
    pub fn new() -> Result<Self, TransportSetupError> {
        Ok(Self {
            straight: Http1Transport::new()?,
            proxied: ReqwestTransport::new()?,
            proxies: Some(Matcher::from_system()).filter(sends_any),
        })
    }

    /// Closes connections that have been idle for too long. To be called now and then.
    pub fn sweep(&self) {
        self.straight.sweep();
    }

    /// A name and password in the address are reqwest's to turn into a header.
    fn goes_straight(&self, request: &HttpRequest) -> bool {
        let authority = request.url.authority();
        let named = authority.is_some_and(|authority| authority.as_str().contains('@'));
        let proxied = |proxies: &Matcher| proxies.intercept(&request.url).is_some();
        !named && !self.proxies.as_ref().is_some_and(proxied)
    }
}

/// Whether there is an address that it has a proxy for: a name that nobody has, and no exception names.
fn sends_any(proxies: &Matcher) -> bool {
    ["http://proxied.invalid", "https://proxied.invalid"]
        .map(Uri::from_static)
        .iter()
        .any(|address| proxies.intercept(address).is_some())
}

/// As `async_trait` would write it, but for a future around the other transport's.
impl Transport for UpstreamTransport {
    fn send<'a, 'b>(
        &'a self,
        request: HttpRequest,
        limits: SendLimits,
    ) -> Pin<Box<dyn Future<Output = Result<HttpStream, TransportError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        if self.goes_straight(&request) {
            self.straight.send(request, limits)
        } else {
            self.proxied.send(request, limits)
        }
    }
}

impl fmt::Debug for UpstreamTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamTransport")
            .field("straight", &self.straight)
            .field("proxied", &self.proxied)
            .finish_non_exhaustive()
    }
}

const _: fn(Arc<UpstreamTransport>) -> Arc<dyn Transport> = |transport| transport;
