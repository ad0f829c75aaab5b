//! The keys of providers: which exist, and which one an attempt gets.
//!
//! Keys come from the resolved configuration and live in memory. Nothing here reads files or the
//! environment, fetches cloud tokens, or watches for expiry; which keys were refused is the gateway's
//! to remember.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use waystation_core::{
    Clock, CredentialId, Credentials, Lease, NoCredential, ProviderSlug, Secret, Tick,
};

/// What simulated upstreams are sent in place of a key.
const SIMULATED: &str = "simulated";

/// The window over which `rpm` counts.
const MINUTE: Duration = Duration::from_secs(60);

/// One key of one provider.
#[derive(Clone, Debug)]
pub struct ProviderKey {
    /// Its name, for logs and health; never the secret.
    pub id: CredentialId,
    /// The key itself; `None` where the provider needs none.
    pub secret: Option<Secret>,
    /// Leases per minute; `None` is no limit.
    pub rpm: Option<u32>,
}

/// The keys of every enabled provider. A provider without keys in it has no credential.
pub type Keyring = BTreeMap<ProviderSlug, Vec<ProviderKey>>;

/// Hands out configured keys: each provider's in turn, passing over those that the caller excludes
/// and those whose `rpm` is used up.
pub struct StaticCredentials {
    providers: BTreeMap<ProviderSlug, Shelf>,
    clock: Arc<dyn Clock>,
}

struct Shelf {
    keys: Vec<Slot>,
    next: AtomicUsize,
}

struct Slot {
    key: ProviderKey,
    /// When the latest leases began, oldest first; at most `rpm` of them.
    recent: Mutex<VecDeque<Tick>>,
}

/// Has a credential for everybody, since simulated upstreams check none.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimulatedCredentials;

// === impl StaticCredentials ===

impl StaticCredentials {
    /// Takes the keys; `clock` says when their minutes are over.
    #[must_use]
    pub fn new(keyring: Keyring, clock: Arc<dyn Clock>) -> Self {
        let shelf = |keys: Vec<ProviderKey>| Shelf {
            keys: keys.into_iter().map(Slot::new).collect(),
            next: AtomicUsize::new(0),
        };
        Self {
            providers: keyring
                .into_iter()
                .map(|(provider, keys)| (provider, shelf(keys)))
                .collect(),
            clock,
        }
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
        let now = self.clock.now().tick;
        let shelf = self.providers.get(provider).ok_or_else(none)?;
        shelf.lease(exclude, now).map_err(|free| match free {
            Some(free) => NoCredential::Resting {
                provider: provider.to_string(),
                wait: free.since(now),
                limited: true,
            },
            None => none(),
        })
    }

    fn has(&self, provider: &ProviderSlug) -> bool {
        self.providers
            .get(provider)
            .is_some_and(|shelf| !shelf.keys.is_empty())
    }
}

impl fmt::Debug for StaticCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.providers.iter().map(|(provider, shelf)| {
            let ids: Vec<_> = shelf.keys.iter().map(|slot| &slot.key.id).collect();
            (provider, ids)
        });
        f.debug_map().entries(names).finish()
    }
}

// === impl Shelf ===

impl Shelf {
    /// The next key in turn that may be used now; else when the first one that is not excluded may be
    /// used again.
    fn lease(&self, exclude: &[CredentialId], now: Tick) -> Result<Lease, Option<Tick>> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let start = start.checked_rem(self.keys.len()).ok_or(None)?;
        let turn = self.keys.iter().cycle().skip(start).take(self.keys.len());
        let mut first: Option<Tick> = None;
        for slot in turn.filter(|slot| !exclude.contains(&slot.key.id)) {
            match slot.admits(now) {
                Ok(()) => {
                    return Ok(Lease {
                        credential: slot.key.id.clone(),
                        secret: slot.key.secret.clone(),
                    });
                }
                Err(free) => first = Some(first.map_or(free, |first| first.min(free))),
            }
        }
        Err(first)
    }
}

// === impl Slot ===

impl Slot {
    fn new(key: ProviderKey) -> Self {
        Self {
            key,
            recent: Mutex::default(),
        }
    }

    /// Counts one more lease, if that keeps within `rpm`; else when it would.
    fn admits(&self, now: Tick) -> Result<(), Tick> {
        let Some(rpm) = self.key.rpm else {
            return Ok(());
        };
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        while recent
            .front()
            .is_some_and(|then| now.since(*then) >= MINUTE)
        {
            recent.pop_front();
        }
        if recent.len() < usize::try_from(rpm).unwrap_or(usize::MAX) {
            recent.push_back(now);
            return Ok(());
        }
        Err(recent.front().copied().unwrap_or(now).plus(MINUTE))
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
        Ok(Lease {
            credential,
            secret: Some(Secret::new(SIMULATED)),
        })
    }

    fn has(&self, _provider: &ProviderSlug) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
