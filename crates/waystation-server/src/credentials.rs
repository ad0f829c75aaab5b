//! The credentials of providers: which exist, which one an attempt gets, and that those which expire
//! are had anew before they do.
//!
//! Keys and identities come from the resolved configuration. Nothing here reads the environment;
//! which credentials were refused is the gateway's to remember.

mod aws;
mod call;
mod entra;
mod google;
mod limit;
mod minted;
mod profile;
mod sso;
mod sts;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use futures_util::future::join_all;
use waystation_core::{
    AuthScheme, Clock, CredentialId, Credentials, Lease, NoCredential, ProviderSlug, Secret, Tick,
    Tokens, Transport,
};

pub use aws::{Aws, Container, Instance, joined};
use call::World;
pub(crate) use call::address_fault;
pub use entra::{AUTHORITY, Entra};
pub use google::{Google, ServiceAccount, User};
pub use limit::Limits;
use limit::Window;
pub use minted::Identity;
use minted::Mint;
pub use profile::{Found, Lack, Near, Profile, Way};
pub use sso::Sso;
pub use sts::{Role, Service, WebIdentity};

/// What simulated upstreams are sent in place of a key.
const SIMULATED: &str = "simulated";

/// One credential of one provider.
#[derive(Clone, Debug)]
pub struct ProviderKey {
    /// Its name, for logs and health; never the secret.
    pub id: CredentialId,
    /// Where what is sent comes from.
    pub source: Source,
    /// How it travels, where that is not as the provider's keys usually do.
    pub scheme: Option<AuthScheme>,
    /// How much it may be used.
    pub limits: Limits,
}

/// Where a credential comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The provider needs none.
    Free,
    /// A key that stays as it is.
    Key(Secret),
    /// Tokens that expire.
    Minted(Identity),
}

/// The keys of every enabled provider. A provider without keys in it has no credential.
pub type Keyring = BTreeMap<ProviderSlug, Vec<ProviderKey>>;

/// Hands out the configured credentials: each provider's in turn, passing over those that the caller
/// excludes and those whose minute is used up.
///
/// [`renew`](Self::renew) is to be called every few seconds: it replaces tokens before they expire,
/// so that a lease waits for one only on first use.
pub struct StaticCredentials {
    providers: BTreeMap<ProviderSlug, Shelf>,
    clock: Arc<dyn Clock>,
    transport: Arc<dyn Transport>,
}

struct Shelf {
    keys: Vec<Slot>,
    /// All of them are at hand, none is minted.
    fixed: bool,
    next: AtomicUsize,
}

struct Slot {
    id: CredentialId,
    ready: Ready,
    scheme: Option<AuthScheme>,
    /// What it was used for, where that is limited.
    window: Option<Box<Window>>,
}

/// A source at work.
enum Ready {
    Fixed(Option<Secret>),
    Minted(Box<Mint>),
}

/// Has a credential for everybody, since simulated upstreams check none.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimulatedCredentials;

// === impl ProviderKey ===

impl ProviderKey {
    /// A key that stays as it is, travels as usual and may be used without limit.
    #[must_use]
    pub const fn new(id: CredentialId, source: Source) -> Self {
        Self {
            id,
            source,
            scheme: None,
            limits: Limits {
                rpm: None,
                tpm: None,
            },
        }
    }
}

// === impl StaticCredentials ===

impl StaticCredentials {
    /// Takes the keys; `clock` says when minutes and tokens are over, tokens come over `transport`.
    #[must_use]
    pub fn new(keyring: Keyring, clock: Arc<dyn Clock>, transport: Arc<dyn Transport>) -> Self {
        let is_fixed = |key: &ProviderKey| !matches!(key.source, Source::Minted(_));
        let shelf = |keys: Vec<ProviderKey>| Shelf {
            fixed: keys.iter().all(is_fixed),
            keys: keys.into_iter().map(Slot::new).collect(),
            next: AtomicUsize::new(0),
        };
        Self {
            providers: keyring
                .into_iter()
                .map(|(provider, keys)| (provider, shelf(keys)))
                .collect(),
            clock,
            transport,
        }
    }

    /// Replaces the tokens that are in use and will expire soon. One that cannot be replaced is lent as
    /// long as it holds, and asked for again at a later call.
    pub async fn renew(&self) {
        let slots = self.providers.values().flat_map(|shelf| &shelf.keys);
        let mints = slots.filter_map(Slot::mint);
        // Failures have been logged, and are told to whoever leases.
        join_all(mints.map(|mint| mint.renew(self.world()))).await;
    }

    fn world(&self) -> World<'_> {
        World {
            transport: &*self.transport,
            clock: &*self.clock,
        }
    }

    fn slots<'a>(&'a self, provider: &ProviderSlug) -> impl Iterator<Item = &'a Slot> {
        let shelf = self.providers.get(provider);
        shelf.into_iter().flat_map(|shelf| &shelf.keys)
    }
}

#[async_trait]
impl Credentials for StaticCredentials {
    async fn lease(
        &self,
        provider: &ProviderSlug,
        exclude: &[CredentialId],
    ) -> Result<Lease, NoCredential> {
        let none = || NoCredential::None {
            provider: provider.to_string(),
        };
        let shelf = self.providers.get(provider).ok_or_else(none)?;
        let mut exclude = exclude.to_vec();
        let mut failed = None;
        loop {
            let now = || self.clock.now().tick;
            let (slot, credential) = match shelf.next(&exclude, now) {
                Ok(next) => next,
                Err(free) => {
                    let resting = free.map(|free| NoCredential::Resting {
                        provider: provider.to_string(),
                        wait: free.since(now()),
                        limited: true,
                    });
                    return Err(resting.or(failed).unwrap_or_else(none));
                }
            };
            let secret = match &slot.ready {
                Ready::Fixed(secret) => Ok(secret.clone()),
                // On the heap: few are minted, and every lease would be of that size.
                Ready::Minted(mint) => Box::pin(mint.lend(self.world())).await.map(Some),
            };
            match secret {
                Ok(secret) => {
                    return Ok(Lease {
                        credential,
                        secret,
                        scheme: slot.scheme,
                    });
                }
                Err(reason) => {
                    exclude.push(credential);
                    failed = Some(NoCredential::Refresh {
                        provider: provider.to_string(),
                        reason,
                    });
                }
            }
        }
    }

    fn at_hand(&self, provider: &ProviderSlug, exclude: &[CredentialId]) -> Option<Lease> {
        let shelf = self.providers.get(provider).filter(|shelf| shelf.fixed)?;
        let next = shelf.next(exclude, || self.clock.now().tick);
        let (slot, credential) = next.ok()?;
        match &slot.ready {
            Ready::Fixed(secret) => Some(Lease {
                credential,
                secret: secret.clone(),
                scheme: slot.scheme,
            }),
            Ready::Minted(_) => None,
        }
    }

    fn has(&self, provider: &ProviderSlug) -> bool {
        self.slots(provider).next().is_some()
    }

    fn refused(&self, provider: &ProviderSlug, credential: &CredentialId) {
        let now = self.clock.now().tick;
        let mut mints = self.slots(provider).filter_map(Slot::mint);
        mints.any(|mint| mint.refused(credential, now));
    }

    fn spent(&self, provider: &ProviderSlug, credential: &CredentialId, tokens: Tokens) {
        let mut slots = self.slots(provider);
        let window = slots.find_map(|slot| {
            let window = slot.window.as_ref().filter(|window| window.counts_tokens());
            window.filter(|_| slot.id() == *credential)
        });
        if let Some(window) = window {
            window.spend(tokens, self.clock.now().tick);
        }
    }
}

impl fmt::Debug for StaticCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.providers.iter().map(|(provider, shelf)| {
            let ids: Vec<_> = shelf.keys.iter().map(|slot| &slot.id).collect();
            (provider, ids)
        });
        f.debug_map().entries(names).finish()
    }
}

// === impl Shelf ===

impl Shelf {
    /// The next key in turn that may be used now, with its name; else when the first one that is not
    /// excluded may be used again.
    fn next(
        &self,
        exclude: &[CredentialId],
        now: impl Fn() -> Tick,
    ) -> Result<(&Slot, CredentialId), Option<Tick>> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let start = start.checked_rem(self.keys.len()).ok_or(None)?;
        let turn = self.keys.iter().cycle().skip(start).take(self.keys.len());
        let mut first: Option<Tick> = None;
        for slot in turn {
            let id = slot.id();
            if exclude.contains(&id) {
                continue;
            }
            match slot.admit(&now) {
                Ok(()) => return Ok((slot, id)),
                Err(free) => first = Some(first.map_or(free, |first| first.min(free))),
            }
        }
        Err(first)
    }
}

// === impl Slot ===

impl Slot {
    fn new(key: ProviderKey) -> Self {
        let ready = match key.source {
            Source::Free => Ready::Fixed(None),
            Source::Key(secret) => Ready::Fixed(Some(secret)),
            Source::Minted(identity) => {
                Ready::Minted(Box::new(Mint::new(key.id.clone(), identity)))
            }
        };
        Self {
            id: key.id,
            ready,
            scheme: key.scheme,
            window: Window::of(key.limits).map(Box::new),
        }
    }

    /// The credential as it is called now.
    fn id(&self) -> CredentialId {
        self.mint().map_or_else(|| self.id.clone(), Mint::id)
    }

    fn mint(&self) -> Option<&Mint> {
        match &self.ready {
            Ready::Fixed(_) => None,
            Ready::Minted(mint) => Some(mint),
        }
    }

    /// Counts one more lease, if that keeps within the limits; else when it would.
    fn admit(&self, now: impl Fn() -> Tick) -> Result<(), Tick> {
        self.window
            .as_ref()
            .map_or(Ok(()), |window| window.admit(now()))
    }
}

// === impl SimulatedCredentials ===

#[async_trait]
impl Credentials for SimulatedCredentials {
    async fn lease(
        &self,
        provider: &ProviderSlug,
        exclude: &[CredentialId],
    ) -> Result<Lease, NoCredential> {
        let none = || NoCredential::None {
            provider: provider.to_string(),
        };
        let credential: CredentialId = SIMULATED.parse().map_err(|_| none())?;
        if exclude.contains(&credential) {
            return Err(none());
        }
        Ok(Lease::new(credential, Some(Secret::new(SIMULATED))))
    }

    fn has(&self, _provider: &ProviderSlug) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
