//! The seam to the network: the only place where bytes leave the process.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri};

use crate::{
    Deadline, EncodeError, Headers, ProviderSlug, Secret, TransportError, base_url::absolute,
};

/// Sends requests.
///
/// # Laws
/// - `send` returns as soon as the response's head is there; the body comes as it arrives.
/// - Dropping the future or the stream closes the upstream connection's exchange at once.
/// - No redirect is followed: a redirect could carry a credential elsewhere.
/// - Errors name neither URL nor secret.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends `request` and waits for the head of its response.
    ///
    /// # Errors
    /// [`TransportError`], which says how far it got and whether the upstream may have acted.
    async fn send(
        &self,
        request: HttpRequest,
        limits: SendLimits,
    ) -> Result<HttpStream, TransportError>;
}

/// Time limits of one send, and the connection pool that it may use.
#[derive(Clone, Debug)]
pub struct SendLimits {
    /// The longest time to open a connection.
    pub connect: Duration,
    /// By when the response's head must be there; `None` leaves that to the caller.
    pub head: Option<Deadline>,
    /// Which connections may be shared.
    pub pool: PoolKey,
}

/// Which connections may be shared: those of one provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PoolKey(pub Arc<str>);

impl From<&ProviderSlug> for PoolKey {
    fn from(provider: &ProviderSlug) -> Self {
        Self(provider.clone().into())
    }
}

/// A request to an upstream, complete.
#[derive(Clone)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// Absolute address.
    pub url: Uri,
    /// Headers; secret ones are marked sensitive.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
}

/// Status and headers of a response.
#[derive(Clone, Debug)]
pub struct ReplyHead {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: Headers,
}

/// The body of a response as it arrives.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

/// A response whose body is still arriving.
pub struct HttpStream {
    /// Status and headers.
    pub head: ReplyHead,
    /// The body.
    pub body: BodyStream,
}

// === impl HttpRequest ===

impl HttpRequest {
    /// The absolute address that `text` is.
    ///
    /// # Errors
    /// [`EncodeError::Address`] when `text` is no absolute address.
    pub fn address(text: &str) -> Result<Uri, EncodeError> {
        absolute(text)
    }

    /// A POST of JSON to `url`.
    ///
    /// # Errors
    /// [`EncodeError::Address`] when `url` is no absolute address.
    pub fn post_json(url: &str, body: Bytes) -> Result<Self, EncodeError> {
        Ok(Self::post_json_to(absolute(url)?, body))
    }

    /// The same to an address that was read before, such as [`BaseUrl::at`](crate::BaseUrl::at) gives.
    #[must_use]
    pub fn post_json_to(url: Uri, body: Bytes) -> Self {
        let mut headers = Headers::with_room(6);
        let json = const { HeaderValue::from_static("application/json") };
        headers.append(http::header::CONTENT_TYPE, json);
        Self {
            method: Method::POST,
            url,
            headers,
            body,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    /// Adds a header that holds a secret behind `prefix` (`Bearer `), marked sensitive.
    ///
    /// # Errors
    /// [`EncodeError::Credential`] when the secret holds characters that no header can carry.
    pub fn secret(
        mut self,
        name: HeaderName,
        prefix: &'static str,
        secret: &Secret,
    ) -> Result<Self, EncodeError> {
        self.headers.insert(name, secret.header(prefix)?);
        Ok(self)
    }
}

impl fmt::Debug for HttpRequest {
    /// Without the body, which may hold a prompt; sensitive headers show as such.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

impl fmt::Debug for HttpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpStream")
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

const _: fn(&dyn Transport) = |_| {};
