//! Connections that wait for their next request. One is never handed to another runtime than the one
//! that it was opened on, to another provider, or to another address.

use std::{
    hash::{BuildHasher as _, Hash, Hasher},
    sync::{Mutex, MutexGuard, PoisonError},
};

use http::{Uri, uri::Authority};
use rustc_hash::{FxBuildHasher, FxHashMap};
use tokio::{
    runtime::{Handle, Id},
    time::Instant,
};
use waystation_core::{Phase, PoolKey, Sent, TransportError};

use super::{POOL_IDLE, socket::Socket};

/// Idle connections, in shards by runtime: requests on different cores wait for no common lock.
///
/// How many there may be is not its affair: as many as there were requests under way at once, which
/// `max_concurrent` of the provider bounds.
pub(super) struct Pool {
    shards: [Mutex<FxHashMap<Key, Vec<Idle>>>; SHARDS],
}

/// Which connections may serve a request.
///
/// A connection is polled by the reactor of the runtime that it was opened on: used from another one it
/// would wake tasks across cores, and it would not outlive its runtime.
#[derive(Clone, Eq)]
pub(super) struct Key {
    runtime: Id,
    provider: PoolKey,
    tls: bool,
    authority: Authority,
}

/// A connection without an exchange.
struct Idle {
    socket: Socket,
    since: Instant,
}

const SHARDS: usize = 16;

// === impl Key ===

impl Key {
    /// The key of a request to `url` that is sent on the runtime of this task.
    ///
    /// # Errors
    /// [`TransportError`] when `url` is no address with a host, or there is no runtime here.
    pub(super) fn of(url: &Uri, provider: PoolKey) -> Result<Self, TransportError> {
        let wrong = |message: &str| TransportError {
            phase: Phase::Send,
            sent: Sent::Nothing,
            timed_out: false,
            message: message.to_owned(),
        };
        let authority = url.authority().cloned();
        let authority = authority.ok_or_else(|| wrong("the address names no host"))?;
        let tls = match url.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("expected an address of http or https")),
        };
        let runtime = Handle::try_current().map_err(|_| wrong("there is no runtime here"))?;
        Ok(Self {
            runtime: runtime.id(),
            provider,
            tls,
            authority,
        })
    }
}

impl PartialEq for Key {
    /// Byte by byte: an address that is spelled in two ways has connections of its own for each.
    fn eq(&self, other: &Self) -> bool {
        (self.runtime, self.tls) == (other.runtime, other.tls)
            && self.provider == other.provider
            && self.authority.as_str() == other.authority.as_str()
    }
}

impl Hash for Key {
    /// By what tells nearly all keys apart: the operator's names, which a quick hash is good enough for. The
    /// hash of an authority goes byte by byte.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.provider.hash(state);
    }
}

// === impl Pool ===

impl Pool {
    /// The connection that was used last and is still open.
    pub(super) fn take(&self, key: &Key) -> Option<Socket> {
        loop {
            let idle = self.lock(key)?.get_mut(key)?.pop()?;
            let mut socket = idle.socket;
            if idle.since.elapsed() < POOL_IDLE && socket.is_quiet() {
                return Some(socket);
            }
        }
    }

    /// Keeps a connection whose exchange is complete.
    pub(super) fn give(&self, key: Key, socket: Socket) {
        let since = Instant::now();
        let Some(mut shard) = self.lock(&key) else {
            return;
        };
        let idle = shard.entry(key).or_default();
        idle.push(Idle { socket, since });
    }

    /// Closes what has been idle for too long.
    pub(super) fn sweep(&self) {
        for shard in &self.shards {
            let mut old = Vec::new();
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, idle| {
                // Oldest first.
                let young = idle.partition_point(|idle| idle.since.elapsed() >= POOL_IDLE);
                old.extend(idle.drain(..young));
                idle.shrink_to(idle.len() * 2);
                !idle.is_empty()
            });
            drop(shard);
            drop(old);
        }
    }

    /// How many connections are idle.
    pub(super) fn len(&self) -> usize {
        let lengths = self.shards.iter().map(|shard| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.values().map(Vec::len).sum::<usize>()
        });
        lengths.sum()
    }

    /// The shard of this runtime, for as long as a look-up takes. What a panic elsewhere left is whole.
    fn lock(&self, key: &Key) -> Option<MutexGuard<'_, FxHashMap<Key, Vec<Idle>>>> {
        let hash = usize::try_from(FxBuildHasher.hash_one(key.runtime) % SHARDS as u64).ok()?;
        let shard = self.shards.get(hash)?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }
}
