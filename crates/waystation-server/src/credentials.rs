//! The keys of providers: which exist, and which one an attempt gets.
//!
//! Keys come from the resolved configuration and live in memory. A key that was limited or refused
//! rests for a while, and the provider's other keys go on. Nothing here reads files or the
//! environment, fetches cloud tokens, or watches for expiry.

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
    Clock, CredentialId, Credentials, Lease, LeaseOutcome, NoCredential, ProviderSlug, Secret, Tick,
};

/// What simulated upstreams are sent in place of a key.
const SIMULATED: &str = "simulated";

/// The window over which `rpm` counts.
const MINUTE: Duration = Duration::from_secs(60);

/// The longest rest of a key that was limited, however long the provider's `Retry-After` is: limits
/// are often those of one model, and the key has others to serve.
const LONGEST_LIMIT: Duration = Duration::from_secs(60);
/// The rest of a key that the provider does not know (401). A reload ends every rest.
const REFUSED: Duration = Duration::from_secs(300);
/// The rest of a key that may not do what was asked (403), or whose account is empty (402).
const DENIED: Duration = Duration::from_secs(60);

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

/// Hands out configured keys: each provider's in turn, passing over those that the caller excludes,
/// those whose `rpm` is used up, and those that rest: up to 60 s after a 429 with `Retry-After`, 300 s
/// after a 401, 60 s after a 402 or 403, or until one of their requests is served.
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
    rest: Mutex<Option<Rest>>,
}

/// A key is not to be used for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rest {
    until: Tick,
    /// It was limited, rather than refused.
    limited: bool,
}

/// Has a credential for everybody, since simulated upstreams check none.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimulatedCredentials;

// === impl StaticCredentials ===

impl StaticCredentials {
    /// Takes the keys; `clock` says how long they have been resting.
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
        shelf.lease(exclude, now).map_err(|rest| match rest {
            Some(Rest { until, limited }) => NoCredential::Resting {
                provider: provider.to_string(),
                wait: until.since(now),
                limited,
            },
            None => none(),
        })
    }

    fn has(&self, provider: &ProviderSlug) -> bool {
        self.providers
            .get(provider)
            .is_some_and(|shelf| !shelf.keys.is_empty())
    }

    fn report(&self, provider: &ProviderSlug, credential: &CredentialId, outcome: LeaseOutcome) {
        let keys = self.providers.get(provider).map(|shelf| &shelf.keys);
        let slot = keys.and_then(|keys| keys.iter().find(|slot| slot.key.id == *credential));
        if let Some(slot) = slot {
            slot.take(outcome, self.clock.now().tick);
        }
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
    /// The next key in turn that may be used now; else the rest that ends first, if any key that is
    /// not excluded has one.
    fn lease(&self, exclude: &[CredentialId], now: Tick) -> Result<Lease, Option<Rest>> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let start = start.checked_rem(self.keys.len()).ok_or(None)?;
        let turn = self.keys.iter().cycle().skip(start).take(self.keys.len());
        let mut first: Option<Rest> = None;
        for slot in turn.filter(|slot| !exclude.contains(&slot.key.id)) {
            match slot.admits(now) {
                Ok(()) => {
                    return Ok(Lease {
                        credential: slot.key.id.clone(),
                        secret: slot.key.secret.clone(),
                    });
                }
                Err(rest) if first.is_none_or(|first| rest.until < first.until) => {
                    first = Some(rest);
                }
                Err(_) => {}
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
            rest: Mutex::default(),
        }
    }

    /// Whether one more lease keeps within `rpm`, and the key does not rest; counts it when so.
    fn admits(&self, now: Tick) -> Result<(), Rest> {
        if let Some(rest) = *lock(&self.rest)
            && now < rest.until
        {
            return Err(rest);
        }
        let Some(rpm) = self.key.rpm else {
            return Ok(());
        };
        let mut recent = lock(&self.recent);
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
        let oldest = recent.front().copied().unwrap_or(now);
        Err(Rest {
            until: oldest.plus(MINUTE),
            limited: true,
        })
    }

    /// Lets the key rest, or wakes it.
    fn take(&self, outcome: LeaseOutcome, now: Tick) {
        let rest = |time: Duration, limited| {
            let until = now.plus(time);
            Some(Rest { until, limited })
        };
        *lock(&self.rest) = match outcome {
            LeaseOutcome::Served => None,
            LeaseOutcome::Limited(wait) => rest(wait.min(LONGEST_LIMIT), true),
            LeaseOutcome::Refused => rest(REFUSED, false),
            LeaseOutcome::Denied => rest(DENIED, false),
        };
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What is locked here is whole after every statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
