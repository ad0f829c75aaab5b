//! Fetches files that users name by address, without becoming their way into the operator's network.
//!
//! An address is checked in every spelling, when it is written, when its name has been looked up for the
//! connection, and again at every redirect. What a name resolved to a moment ago is never relied on: the
//! very addresses that are connected to have been checked. It has no part in requests to upstreams, which
//! the operator alone addresses.

mod ranges;
mod resolver;
#[cfg(test)]
mod tests;

use std::{error::Error as _, fmt, net::IpAddr, time::Duration};

use async_trait::async_trait;
use bytes::BytesMut;
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, LOCATION},
    redirect,
};
use waystation_core::{FetchError, FetchLimits, Fetched, Fetcher};

use self::resolver::{Lookup, NotPublic, Resolver, SystemLookup};
use crate::TransportSetupError;

/// The most redirects that are followed.
const MOST_REDIRECTS: usize = 3;

/// How long opening one connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// Fetches with reqwest, each file over connections of its own.
///
/// Public addresses only, on the ports 80 and 443, unless the limits of a fetch allow private networks.
/// Of an address, the user's name and password are left out; proxies and credentials of the environment
/// are not used. At most three redirects are followed, each checked like the first address, and none from
/// `https` to `http`.
pub struct GuardedFetcher {
    guarded: Client,
    private: Client,
    permits: Permits,
}

/// What may be connected to where private networks are not allowed.
#[derive(Clone, Copy)]
struct Permits {
    address: fn(IpAddr) -> bool,
    port: fn(u16) -> bool,
}

// === impl GuardedFetcher ===

impl GuardedFetcher {
    /// A fetcher that looks names up as the system does.
    ///
    /// # Errors
    /// [`TransportSetupError`] when TLS cannot be set up (no usable trust store).
    pub fn new() -> Result<Self, TransportSetupError> {
        let web = Permits {
            address: ranges::is_public,
            port: |port| matches!(port, 80 | 443),
        };
        Self::over(web, SystemLookup)
    }

    /// The same with another idea of what is public, and other names: for tests, whose servers are not.
    fn over(permits: Permits, lookup: impl Lookup) -> Result<Self, TransportSetupError> {
        // A second call finds the provider installed, which is what is wanted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let guarded = client().dns_resolver(Resolver::new(permits, lookup));
        let ready = |client: reqwest::ClientBuilder| {
            client
                .build()
                .map_err(|error| TransportSetupError::of(&error))
        };
        Ok(Self {
            guarded: ready(guarded)?,
            private: ready(client())?,
            permits,
        })
    }

    /// From address to address until there is a file.
    async fn walk(&self, address: &str, limits: FetchLimits) -> Result<Fetched, FetchError> {
        let mut url = Url::parse(address.trim()).map_err(|_| refused(EXPECTED))?;
        for _ in 0..=MOST_REDIRECTS {
            self.check(&mut url, limits)?;
            let client = if limits.private {
                &self.private
            } else {
                &self.guarded
            };
            let asked = client.get(url.clone()).header(ACCEPT_ENCODING, "identity");
            let reply = asked.send().await.map_err(|error| told(&error))?;
            match next(&url, &reply)? {
                Some(next) => url = next,
                None => return received(reply, limits).await,
            }
        }
        Err(refused(&format!(
            "it leads on through more than {MOST_REDIRECTS} redirects"
        )))
    }

    /// Refuses what may not be asked for, and leaves out who asks.
    fn check(&self, url: &mut Url, limits: FetchLimits) -> Result<(), FetchError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused(EXPECTED));
        }
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| refused(EXPECTED))?;
        // The parser of addresses turns every spelling of a number (decimal, octal, hexadecimal, wide
        // digits, fewer parts) into the usual one.
        let literal: Option<IpAddr> = host
            .trim_matches(['[', ']'])
            .trim_end_matches('.')
            .parse()
            .ok();
        if !limits.private {
            if literal.is_some_and(|address| !(self.permits.address)(address)) {
                return Err(refused(NOT_PUBLIC));
            }
            if let Some(port) = url.port().filter(|port| !(self.permits.port)(*port)) {
                return Err(refused(&format!(
                    "port {port} is none of the web's; expected 80 or 443"
                )));
            }
        }
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Ok(())
    }
}

const EXPECTED: &str = "expected an address such as https://example.com/file.pdf";

const NOT_PUBLIC: &str =
    "its address is none of the public network; private ones need `allow_private_networks`";

/// What both clients have in common.
fn client() -> reqwest::ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT)
        .pool_max_idle_per_host(0)
        .user_agent("waystation")
}

/// Where a reply leads on to; `None` where it is the file.
fn next(url: &Url, reply: &Response) -> Result<Option<Url>, FetchError> {
    let status = reply.status();
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return match status {
            StatusCode::OK => Ok(None),
            other => Err(refused(&format!("its server answered {}", other.as_u16()))),
        };
    }
    let to = text(reply.headers(), LOCATION);
    let to = url.join(&to).ok().filter(|_| !to.is_empty());
    let to = to.ok_or_else(|| refused("it leads on to no address"))?;
    if url.scheme() == "https" && to.scheme() != "https" {
        return Err(refused("it leads on from https to another scheme"));
    }
    Ok(Some(to))
}

/// Takes the file in, as far as it may be long.
async fn received(mut reply: Response, limits: FetchLimits) -> Result<Fetched, FetchError> {
    let too_long = || refused(&format!("expected at most {} bytes", limits.bytes));
    if reply
        .content_length()
        .is_some_and(|length| length > limits.bytes)
    {
        return Err(too_long());
    }
    let packed = text(reply.headers(), CONTENT_ENCODING);
    if !matches!(packed.as_str(), "" | "identity") {
        return Err(refused("its server sends it packed, though asked not to"));
    }
    let media_type = text(reply.headers(), CONTENT_TYPE);
    let mut bytes = BytesMut::new();
    while let Some(piece) = reply.chunk().await.map_err(|error| told(&error))? {
        bytes.extend_from_slice(&piece);
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limits.bytes {
            return Err(too_long());
        }
    }
    Ok(Fetched {
        bytes: bytes.freeze(),
        media_type,
    })
}

/// A header's text; empty where it has none.
fn text(headers: &HeaderMap, name: reqwest::header::HeaderName) -> String {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

/// What may be said of a failure: not where it was.
fn told(error: &reqwest::Error) -> FetchError {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.downcast_ref::<NotPublic>().is_some() {
            return refused(NOT_PUBLIC);
        }
        cause = inner.source();
    }
    refused(if error.is_connect() {
        "no connection to its server could be made"
    } else {
        "the connection to its server broke off"
    })
}

fn refused(reason: &str) -> FetchError {
    FetchError {
        reason: reason.to_owned(),
    }
}

#[async_trait]
impl Fetcher for GuardedFetcher {
    async fn fetch(&self, address: &str, limits: FetchLimits) -> Result<Fetched, FetchError> {
        let walk = self.walk(address, limits);
        let fetched = tokio::time::timeout(limits.time, walk).await;
        fetched.unwrap_or_else(|_| {
            let seconds = limits.time.as_secs();
            Err(refused(&format!("it takes longer than {seconds} s")))
        })
    }
}

impl fmt::Debug for GuardedFetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedFetcher").finish_non_exhaustive()
    }
}
