//! How many connections clients may have open at once, in all and from one address. It knows neither
//! sockets nor requests, and closes nothing: who has no place waits, or is told so by its owner.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use waystation_core::{Absorb, Combiner};

/// The places that there are. They are taken by who accepts connections, which may wait, and given back once a
/// connection, on the way of no request.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    all: Arc<Semaphore>,
    /// The most of one address; 0 is any number.
    each: usize,
    open: Arc<Combiner<Open, IpAddr>>,
}

/// How many connections each address has, where that is limited. An end is noted, so that the thread of a
/// connection does not wait; a beginning has to know.
#[derive(Debug, Default)]
struct Open(HashMap<IpAddr, usize>);

/// A place among all connections, of nobody yet.
pub(crate) type Place = OwnedSemaphorePermit;

/// The place of one connection, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Pass {
    _place: Place,
    counted: Option<(IpAddr, Arc<Combiner<Open, IpAddr>>)>,
}

/// Files that a process has open beside connections: listeners, its log, what its runtimes wait with.
const OWN_FILES: u64 = 64;
/// As many connections are served however few files there may be.
const FEWEST: u64 = 16;

/// The most connections of clients where `files` may be open: a request under way has one from its client
/// and one to a provider, so that half of them must be left. Source of the rule: HAProxy, which takes its
/// `maxconn` from the limit on files in the same way.
pub(crate) fn connections_within(files: u64) -> u64 {
    (files.saturating_sub(OWN_FILES) / 2).max(FEWEST)
}

// === impl Gate ===

impl Gate {
    /// Places for `all` connections, of which one address may have `each`; 0 is any number.
    pub(crate) fn of(all: u64, each: u64) -> Self {
        let all = usize::try_from(all).unwrap_or(usize::MAX);
        Self {
            all: Arc::new(Semaphore::new(all.clamp(1, Semaphore::MAX_PERMITS))),
            each: usize::try_from(each).unwrap_or(usize::MAX),
            open: Arc::default(),
        }
    }

    /// A place, where one is free.
    pub(crate) fn free(&self) -> Option<Place> {
        Arc::clone(&self.all).try_acquire_owned().ok()
    }

    /// A place, as soon as one is free. `None` never comes: the places outlive everybody.
    pub(crate) async fn place(&self) -> Option<Place> {
        Arc::clone(&self.all).acquire_owned().await.ok()
    }

    /// Gives `place` to a connection from `address`; `None` when that has as many as it may.
    pub(crate) fn admit(&self, place: Place, address: IpAddr) -> Option<Pass> {
        if self.each == 0 {
            return Some(Pass {
                _place: place,
                counted: None,
            });
        }
        // One host is one address, however it is spelled.
        let address = address.to_canonical();
        if !self.open.read(|open| open.begin(address, self.each)) {
            return None;
        }
        Some(Pass {
            _place: place,
            counted: Some((address, Arc::clone(&self.open))),
        })
    }
}

// === impl Open ===

impl Open {
    /// One more of this address, unless it has `most`.
    fn begin(&mut self, address: IpAddr, most: usize) -> bool {
        let count = self.0.entry(address).or_default();
        let free = *count < most;
        if free {
            *count += 1;
        }
        free
    }
}

impl Absorb<IpAddr> for Open {
    /// One of this address has ended.
    fn absorb(&mut self, address: &IpAddr) {
        match self.0.get_mut(address) {
            Some(count) if *count > 1 => *count -= 1,
            // Who has none is not remembered.
            _ => drop(self.0.remove(address)),
        }
    }
}

// === impl Pass ===

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some((address, open)) = &self.counted {
            open.note(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_files_are_left_for_providers() {
        assert_eq!(connections_within(1_024), 480);
        assert_eq!(connections_within(u64::MAX), (u64::MAX - 64) / 2);
        assert_eq!(connections_within(20), 16);
    }

    #[test]
    fn places_are_as_many_as_there_are_and_come_back() {
        let gate = Gate::of(2, 0);
        let home = IpAddr::from([127, 0, 0, 1]);
        let mut passes: Vec<_> = (0..2)
            .map(|_| gate.admit(gate.free().unwrap(), home).unwrap())
            .collect();
        assert!(gate.free().is_none());
        passes.pop();
        assert!(gate.free().is_some());
    }

    #[test]
    fn an_address_has_its_own_number_and_is_forgotten_with_its_last() {
        let gate = Gate::of(9, 2);
        let one = IpAddr::from([10, 0, 0, 1]);
        let same: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
        let other = IpAddr::from([10, 0, 0, 2]);
        let admit = |address| gate.admit(gate.free().unwrap(), address);
        let (first, second) = (admit(one).unwrap(), admit(same).unwrap());
        assert!(admit(one).is_none() && admit(same).is_none());
        assert!(admit(other).is_some());
        drop(first);
        let third = admit(one).unwrap();
        assert!(admit(one).is_none());
        drop((second, third));
        assert!(gate.open.read(|open| open.0.is_empty()));
        assert_eq!(gate.all.available_permits(), 9);
    }
}
