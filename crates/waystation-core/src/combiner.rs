//! State that every request writes to and few read, where no writer waits for another. It knows nothing
//! of what the state is.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError, TryLockError},
};

use crossbeam_queue::ArrayQueue;

/// State that takes events in.
pub trait Absorb<E> {
    /// Takes in one event. Called for each event once, in the order in which a thread noted them.
    fn absorb(&mut self, event: &E);
}

/// State behind a lock that its writers do not wait for: whoever finds it taken leaves the event in a queue,
/// and whoever takes it next, to write or to read, absorbs that first. So a reader sees every event
/// that was noted before it asked, a writer nearly always does its own work, and nothing runs
/// in the background. The idea is that of flat combining (Hendler, Incze, Shavit, Tzafrir, SPAA 2010).
///
/// ```
/// use waystation_core::{Absorb, Combiner};
///
/// #[derive(Default)]
/// struct Sum(u64);
/// impl Absorb<u64> for Sum {
///     fn absorb(&mut self, event: &u64) {
///         self.0 += event;
///     }
/// }
///
/// let sum = Combiner::<Sum, u64>::with_room(64);
/// std::thread::scope(|threads| {
///     for _ in 0..4 {
///         threads.spawn(|| (1..=100).for_each(|n| sum.note(&n)));
///     }
/// });
/// assert_eq!(sum.read(|sum| sum.0), 20_200);
/// ```
pub struct Combiner<S, E> {
    state: Mutex<S>,
    /// What came while the state was taken. Boxed, so that room for it costs next to nothing.
    left: ArrayQueue<Box<E>>,
}

// === impl Combiner ===

impl<S: Absorb<E>, E: Clone> Combiner<S, E> {
    /// Takes in events that come while `state` is taken, as many as `room` (at least one) at a time.
    ///
    /// A writer waits only when so many lie there and somebody still holds the state: choose it well above
    /// what comes in the time that the longest read takes.
    pub fn new(state: S, room: usize) -> Self {
        Self {
            state: Mutex::new(state),
            left: ArrayQueue::new(room.max(1)),
        }
    }

    /// The same with a state that holds nothing.
    #[must_use]
    pub fn with_room(room: usize) -> Self
    where
        S: Default,
    {
        Self::new(S::default(), room)
    }

    /// Notes an event. It is copied only where the state is taken.
    pub fn note(&self, event: &E) {
        if let Some(mut state) = self.try_lock() {
            return self.absorb(&mut state, event);
        }
        if self.left.push(Box::new(event.clone())).is_err() {
            let mut state = self.lock();
            self.absorb(&mut state, event);
        }
    }

    /// Lends the state with every event in it that was noted before. Waits for whoever has it; writers do not
    /// wait for this, and leave what they note. So it may take a while, but not long.
    pub fn read<T>(&self, look: impl FnOnce(&mut S) -> T) -> T {
        let mut state = self.lock();
        self.catch_up(&mut state);
        look(&mut state)
    }

    /// The same, without waiting: `None` while somebody else has it.
    pub fn try_read<T>(&self, look: impl FnOnce(&mut S) -> T) -> Option<T> {
        let mut state = self.try_lock()?;
        self.catch_up(&mut state);
        Some(look(&mut state))
    }

    fn absorb(&self, state: &mut S, event: &E) {
        self.catch_up(state);
        state.absorb(event);
    }

    /// Takes in what was left, at most as much as there is room for: others may go on leaving.
    fn catch_up(&self, state: &mut S) {
        for _ in 0..self.left.capacity() {
            let Some(event) = self.left.pop() else { return };
            state.absorb(&event);
        }
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, S>> {
        match self.state.try_lock() {
            Ok(state) => Some(state),
            // What an event that panicked has half written is for the state to bear.
            Err(TryLockError::Poisoned(state)) => Some(state.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "who reads, which no request does, or has no room left to leave an event in"
    )]
    fn lock(&self) -> MutexGuard<'_, S> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Absorb<E> + Default, E: Clone> Default for Combiner<S, E> {
    /// With room for 1,024 events.
    fn default() -> Self {
        Self::with_room(1024)
    }
}

impl<S, E> fmt::Debug for Combiner<S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Combiner")
            .field("left", &self.left.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use proptest::prelude::*;

    use super::*;

    /// Every event in the order in which it was taken in.
    #[derive(Default)]
    struct Heard(Vec<(usize, u32)>);

    impl Absorb<(usize, u32)> for Heard {
        fn absorb(&mut self, event: &(usize, u32)) {
            self.0.push(*event);
        }
    }

    type Log = Combiner<Heard, (usize, u32)>;

    /// A writer that meets a reader comes back at once, and the next reader sees what it noted, in order.
    #[test]
    fn a_writer_does_not_wait_for_a_reader() {
        let log = Log::with_room(4);
        log.note(&(0, 1));
        log.read(|heard| {
            // This thread has the state: waiting for it would never end.
            log.note(&(0, 2));
            log.note(&(0, 3));
            assert!(log.try_read(|_| ()).is_none());
            assert_eq!(heard.0, [(0, 1)]);
        });
        log.note(&(0, 4));
        let heard = log.read(|heard| heard.0.clone());
        assert_eq!(heard, [(0, 1), (0, 2), (0, 3), (0, 4)]);
    }

    /// With no room left a writer waits, since nothing may be lost.
    #[test]
    fn nothing_is_lost_when_there_is_no_room() {
        let log = Log::with_room(1);
        let (waiting, begun) = mpsc::channel();
        std::thread::scope(|threads| {
            log.read(|heard| {
                log.note(&(0, 1));
                threads.spawn(|| {
                    waiting.send(()).unwrap();
                    log.note(&(1, 1));
                });
                begun.recv().unwrap();
                assert!(heard.0.is_empty());
            });
        });
        assert_eq!(log.read(|heard| heard.0.clone()), [(0, 1), (1, 1)]);
    }

    #[test]
    fn a_state_that_panicked_goes_on() {
        let log = Log::default();
        let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            log.read(|_| panic!("on purpose"));
        }));
        assert!(broken.is_err());
        log.note(&(0, 1));
        assert_eq!(log.read(|heard| heard.0.len()), 1);
    }

    proptest! {
        /// Whatever the room and the number of threads, every event is taken in once, and those of one thread in
        /// their order, with readers in between.
        #[test]
        fn every_event_counts_once_and_in_order(
            room in 1..8_usize, threads in 1..5_usize, events in 1..200_u32,
        ) {
            let log = Log::with_room(room);
            std::thread::scope(|scope| {
                for thread in 0..threads {
                    let log = &log;
                    scope.spawn(move || (0..events).for_each(|n| log.note(&(thread, n))));
                }
                for _ in 0..20 {
                    log.read(|heard| heard.0.len());
                }
            });
            let heard = log.read(|heard| heard.0.clone());
            for thread in 0..threads {
                let own: Vec<u32> = heard.iter().filter(|of| of.0 == thread).map(|of| of.1).collect();
                prop_assert_eq!(own, (0..events).collect::<Vec<_>>());
            }
        }
    }
}
