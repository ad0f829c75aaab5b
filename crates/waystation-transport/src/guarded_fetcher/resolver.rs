//! Looks names up for connections, and lets only permitted addresses through. It knows neither ports
//! nor schemes.

use std::{fmt, future::Future, io, net::SocketAddr, pin::Pin, sync::Arc};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::Permits;

/// What a lookup gives, some time.
pub(super) type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Turns a name into addresses.
pub(super) trait Lookup: Send + Sync + 'static {
    /// The addresses of `name`.
    fn lookup(&self, name: String) -> Found;
}

/// Looks names up as the system does.
#[derive(Debug)]
pub(super) struct SystemLookup;

/// A resolver whose answers were checked.
pub(super) struct Resolver {
    permits: Permits,
    lookup: Arc<dyn Lookup>,
}

/// A name has an address that may not be connected to.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to an address that is not public")]
pub(super) struct NotPublic;

impl Lookup for SystemLookup {
    fn lookup(&self, name: String) -> Found {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
    }
}

// === impl Resolver ===

impl Resolver {
    /// Answers with what `lookup` finds, where `permits` has nothing against any of it.
    pub(super) fn new(permits: Permits, lookup: impl Lookup) -> Self {
        Self {
            permits,
            lookup: Arc::new(lookup),
        }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (permits, found) = (self.permits, self.lookup.lookup(name.as_str().to_owned()));
        Box::pin(async move {
            let found = found.await?;
            // One such address among public ones is a trick, and no reason to pick another.
            if found.iter().any(|address| !(permits.address)(address.ip())) {
                return Err(NotPublic.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}
