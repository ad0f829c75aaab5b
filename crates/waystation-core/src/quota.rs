//! A number of places that are taken and given back. Nobody waits for one here: who finds none free is told
//! so at once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A number of places, shared by clones. It takes no lock, unlike a semaphore, whose waiters need one.
///
/// ```
/// use waystation_core::Quota;
///
/// let quota = Quota::of(3);
/// let mut two = quota.take(2).ok_or("none free")?;
/// assert!(quota.take(2).is_none() && !two.grow(2));
/// assert!(two.grow(1));
/// assert_eq!((quota.taken(), quota.places()), (3, 3));
/// drop(two);
/// assert_eq!(quota.taken(), 0);
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Debug)]
pub struct Quota(Arc<Places>);

#[derive(Debug)]
struct Places {
    all: usize,
    free: AtomicUsize,
}

/// Places that are taken; dropping it gives them back.
#[derive(Debug)]
#[must_use = "the places are free again when this is dropped"]
pub struct Share {
    of: Quota,
    count: usize,
}

// === impl Quota ===

impl Quota {
    /// So many places, all of them free.
    #[must_use]
    pub fn of(places: usize) -> Self {
        Self(Arc::new(Places {
            all: places,
            free: AtomicUsize::new(places),
        }))
    }

    /// Takes `count` places; `None` where fewer are free, and then none is taken.
    pub fn take(&self, count: usize) -> Option<Share> {
        self.subtract(count).then(|| Share {
            of: self.clone(),
            count,
        })
    }

    /// How many are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.0.all - self.0.free.load(Ordering::Relaxed)
    }

    /// How many there are.
    #[must_use]
    pub fn places(&self) -> usize {
        self.0.all
    }

    fn subtract(&self, count: usize) -> bool {
        // A count orders nothing else.
        let (order, less) = (Ordering::Relaxed, |free: usize| free.checked_sub(count));
        self.0.free.fetch_update(order, order, less).is_ok()
    }
}

// === impl Share ===

impl Share {
    /// How many places it has.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Takes `more` places; `false` where fewer are free, and then it is as it was.
    pub fn grow(&mut self, more: usize) -> bool {
        let grown = self.of.subtract(more);
        if grown {
            self.count += more;
        }
        grown
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.0.free.fetch_add(self.count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is taken, grown and given back in whatever order: what is taken is what is held, and never more
        /// than there is.
        #[test]
        fn what_is_taken_is_what_is_held(
            places in 0..20_usize,
            steps in prop::collection::vec((0..3_u8, 0..8_usize), 0..60),
        ) {
            let quota = Quota::of(places);
            let mut held: Vec<Share> = Vec::new();
            for (step, count) in steps {
                let before = quota.taken();
                match (step, held.len().checked_sub(1)) {
                    (0, Some(last)) => drop(held.swap_remove(count.min(last))),
                    (1, Some(last)) => {
                        let grown = held[count.min(last)].grow(count);
                        prop_assert_eq!(grown, before + count <= places);
                    }
                    _ => {
                        let share = quota.take(count);
                        prop_assert_eq!(share.is_some(), before + count <= places);
                        held.extend(share);
                    }
                }
                let sum: usize = held.iter().map(Share::count).sum();
                prop_assert_eq!(quota.taken(), sum);
            }
            drop(held);
            prop_assert_eq!(quota.taken(), 0);
        }
    }

    #[test]
    fn threads_never_hold_more_than_there_is() {
        let quota = Quota::of(3);
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| {
                    for _ in 0..500 {
                        let Some(share) = quota.take(1) else { continue };
                        let held = now.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(held, Ordering::SeqCst);
                        now.fetch_sub(1, Ordering::SeqCst);
                        drop(share);
                    }
                });
            }
        });
        assert!(most.into_inner() <= 3);
        assert_eq!(quota.taken(), 0);
    }
}
