//! The conversations of a table: sets of slots, and the numbers of the endpoints that slots tell. It is
//! made when the first conversation is to be remembered.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwapOption;
use rustc_hash::FxHashMap;
use waystation_core::{EndpointId, Tick};

use super::{
    Conversation, Stuck,
    slot::{Kept, Slot},
};
use crate::MAX_ENDPOINTS;

/// How many sets of slots there are, as a power of two.
const SETS_LOG2: u32 = 13;
/// How many conversations of one set are remembered.
pub(super) const WAYS: usize = 8;

/// Conversations, and the endpoints that they stick to. Copied, with the same sets, when an endpoint comes
/// that was not there; so numbers stay, and words that tell one mean the same endpoint in every copy.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    sets: Arc<Sets>,
    endpoints: Vec<EndpointId>,
    /// Where each is in that list.
    numbers: FxHashMap<EndpointId, u16>,
}

/// Every conversation has one set, by its key; there it may be in any slot. A set is made when it is first
/// used, and stays.
struct Sets(Box<[ArcSwapOption<Set>]>);

type Set = [Slot; WAYS];

// === impl Memory ===

impl Memory {
    /// Where the conversation was served, unless that is too long ago.
    pub(super) fn recall(&self, key: u64, now: Tick) -> Option<Stuck> {
        let kept = self.sets.read(key)?;
        if !kept.lasts(now) {
            return None;
        }
        Some(Stuck {
            endpoint: self.endpoints.get(usize::from(kept.endpoint))?.clone(),
            cached: kept.cached,
        })
    }

    /// Remembers it from `now` on; not (`false`) where its endpoint has no number.
    pub(super) fn remember(&self, conversation: &Conversation, stuck: &Stuck, now: Tick) -> bool {
        let Some(number) = self.numbers.get(&stuck.endpoint) else {
            return false;
        };
        let (key, idle) = (conversation.key, conversation.idle);
        let kept = Kept::new(*number, stuck.cached, (now, idle));
        self.sets.write(key, &kept, now);
        true
    }

    /// The same with a number for this endpoint; where all are given, a memory that has no other.
    pub(super) fn with(mut self, endpoint: &EndpointId) -> Self {
        if self.numbers.contains_key(endpoint) {
            return self;
        }
        if self.endpoints.len() >= MAX_ENDPOINTS {
            self = Self::default();
        }
        if let Ok(number) = u16::try_from(self.endpoints.len()) {
            self.endpoints.push(endpoint.clone());
            self.numbers.insert(endpoint.clone(), number);
        }
        self
    }

    /// How many conversations are in it, those included that are about to be forgotten.
    pub(super) fn len(&self) -> usize {
        let taken = |set: &Arc<Set>| set.iter().filter(|slot| slot.is_taken()).count();
        let sets = self.sets.0.iter();
        sets.map(|set| set.load().as_ref().map_or(0, taken)).sum()
    }
}

// === impl Sets ===

impl Sets {
    fn read(&self, key: u64) -> Option<Kept> {
        let set = self.0.get(set_of(key))?.load();
        set.as_ref()?.iter().find_map(|slot| slot.read(key))
    }

    fn write(&self, key: u64, kept: &Kept, now: Tick) {
        let Some(place) = self.0.get(set_of(key)) else {
            return;
        };
        let mut set = place.load();
        if set.is_none() {
            place.compare_and_swap(&set, Some(Arc::default()));
            set = place.load();
        }
        let set = set.iter().flat_map(|set| set.iter());
        let mut own = set.clone().filter(|slot| slot.read(key).is_some());
        if let Some(slot) = own.next() {
            slot.write(key, kept);
            // Two requests of one conversation that ended at once may have taken a slot each.
            own.for_each(Slot::clear);
        } else if let Some(slot) = set.min_by_key(|slot| slot.worth(now)) {
            slot.write(key, kept);
        }
    }
}

impl Default for Sets {
    fn default() -> Self {
        Self(
            (0..1 << SETS_LOG2)
                .map(|_| ArcSwapOption::empty())
                .collect(),
        )
    }
}

impl fmt::Debug for Sets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sets").finish_non_exhaustive()
    }
}

/// The set of a conversation: the upper bits of its key, spread.
pub(super) fn set_of(key: u64) -> usize {
    let spread = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(spread >> (u64::BITS - SETS_LOG2)).unwrap_or_default()
}
