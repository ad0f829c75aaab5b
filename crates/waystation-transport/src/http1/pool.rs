//! Connections that wait for their next request. One is never handed to another runtime than the one
//! that it was opened on, to another provider, or to another address. Nobody waits for a lock here.

use std::{
    cell::Cell,
    hash::{Hash, Hasher},
    iter::once,
    sync::{
        Mutex, MutexGuard, TryLockError,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::{Uri, uri::Authority};
use rustc_hash::FxHashMap;
use tokio::{
    runtime::{Handle, Id},
    time::Instant,
};
use waystation_core::{Phase, PoolKey, Sent, TransportError};

use super::{POOL_IDLE, socket::Socket};

/// Idle connections, in shards by thread: nearly always a shard is its thread's alone.
///
/// Who finds a shard taken goes on to the next one, so what a thread gave back may lie in another's shard,
/// and tasks of a runtime of several threads move between them. All shards are looked through before
/// a connection is opened, which costs far more.
///
/// How many there may be is not its affair: as many as there were requests under way at once, which
/// `max_concurrent` of the provider bounds.
pub(super) struct Pool {
    shards: [Shard; SHARDS],
}

/// What one thread, or a few, gave back. On cache lines of its own.
#[derive(Default)]
#[repr(align(64))]
struct Shard {
    idle: Mutex<Connections>,
    /// How many lie in it. Written by who has the lock, read by everybody.
    count: AtomicUsize,
}

/// Those of a key in the order in which they were given.
type Connections = FxHashMap<Key, Vec<Idle>>;

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

const SHARDS: usize = 64;

/// The number that the next thread gets.
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Where this thread begins to look. Threads that are more than the shards share them.
    static OWN: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The number of this thread's shard.
fn own() -> usize {
    OWN.get().unwrap_or_else(|| {
        let own = THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS;
        OWN.set(Some(own));
        own
    })
}

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
    /// The connection that this thread gave back last and that is still open, else one from another thread.
    pub(super) fn take(&self, key: &Key) -> Option<Socket> {
        let (own, others) = self.own_and_others()?;
        own.take(key).or_else(|| {
            // Its own a second time: somebody else may have had it for a moment.
            others.chain([own]).find_map(|shard| shard.take(key))
        })
    }

    /// Keeps a connection whose exchange is complete. It is closed should every shard be taken at this
    /// moment, for which as many threads have to be in here as there are shards.
    pub(super) fn give(&self, key: Key, socket: Socket) {
        let Some((own, others)) = self.own_and_others() else {
            return;
        };
        for shard in once(own).chain(others) {
            if let Some(mut connections) = shard.open() {
                let since = Instant::now();
                let idle = connections.entry(key).or_default();
                idle.push(Idle { socket, since });
                return shard.counts(shard.count() + 1);
            }
        }
    }

    /// Closes what has been idle for too long; a shard that is taken at this moment is left for the next time.
    pub(super) fn sweep(&self) {
        for shard in &self.shards {
            drop(shard.old());
        }
    }

    /// How many connections are idle.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(Shard::count).sum()
    }

    /// The shard of this thread, and the others in the order in which it tries them. There always is one.
    fn own_and_others(&self) -> Option<(&Shard, impl Iterator<Item = &Shard>)> {
        let (before, from) = self.shards.split_at_checked(own())?;
        let (own, behind) = from.split_first()?;
        Some((own, behind.iter().chain(before)))
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Shard::default()),
        }
    }
}

// === impl Shard ===

impl Shard {
    /// The last connection of `key` that is still open. Those that are not are closed outside of the lock.
    fn take(&self, key: &Key) -> Option<Socket> {
        while self.count() > 0 {
            let mut connections = self.open()?;
            let idle = connections.get_mut(key)?.pop()?;
            self.counts(self.count() - 1);
            drop(connections);
            let mut socket = idle.socket;
            if idle.since.elapsed() < POOL_IDLE && socket.is_quiet() {
                return Some(socket);
            }
        }
        None
    }

    /// Takes out what has been idle for too long.
    fn old(&self) -> Vec<Idle> {
        let mut old = Vec::new();
        if let Some(mut connections) = self.open() {
            connections.retain(|_, idle| {
                // Oldest first.
                let young = idle.partition_point(|idle| idle.since.elapsed() >= POOL_IDLE);
                old.extend(idle.drain(..young));
                idle.shrink_to(idle.len() * 2);
                !idle.is_empty()
            });
            self.counts(self.count() - old.len());
        }
        old
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// To be called with the lock.
    fn counts(&self, count: usize) {
        self.count.store(count, Ordering::Relaxed);
    }

    /// What lies in it, unless somebody else has it. What a panic elsewhere left is whole.
    fn open(&self) -> Option<MutexGuard<'_, Connections>> {
        match self.idle.try_lock() {
            Ok(connections) => Some(connections),
            Err(TryLockError::Poisoned(connections)) => Some(connections.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

#[cfg(test)]
mod tests;
