//! A bounded ledger in memory: the latest generations by id, and running sums by key. Not durable.

mod packed;

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::Arc,
};

use rustc_hash::FxHashMap;
use waystation_core::{Absorb, Combiner, Entry, Feedback, GenerationId, Ledger, UnixMs, Usd};

/// Keeps the latest entries and forgets the oldest. Sums by key are kept beside them and outlive the
/// entries that they came from.
///
/// ```
/// use waystation_core::{Entry, GenerationId, Ledger, UnixMs};
/// use waystation_gateway::MemoryLedger;
///
/// let ledger = MemoryLedger::new(10_000);
/// let id = GenerationId::new(1_794_299_400_125, 7);
/// ledger.record(&Entry::new(id.clone(), UnixMs::new(1_794_299_400_125), "acme/fast".into()));
/// assert_eq!(ledger.get(&id).map(|entry| entry.requested.clone()).as_deref(), Some("acme/fast"));
/// assert_eq!(ledger.size(), (1, 10_000));
/// ```
///
/// Entries are kept as bytes in segments that are used again when all of their entries are forgotten:
/// 10,000 take a few megabytes, and a ledger that is full allocates nothing. One that is asked for is
/// made anew. A look-up goes through the hashes of all ids, some microseconds. Whoever records waits for
/// nobody, and whoever asks sees all that was recorded before.
pub struct MemoryLedger {
    capacity: usize,
    kept: Combiner<Kept, Entry>,
}

/// What is remembered. Every segment holds an entry that is kept, but for the spare ones; every place
/// lies in one of them.
struct Kept {
    /// As many entries at most.
    capacity: usize,
    /// Where entries are, the oldest first.
    places: VecDeque<Place>,
    /// The oldest first; entries are written to the last.
    segments: VecDeque<Vec<u8>>,
    /// The number of the first segment: they are numbered from the beginning.
    first: u64,
    /// The texts of the last segment.
    texts: packed::Texts,
    /// Segments that nobody uses.
    spare: Vec<Vec<u8>>,
    /// What clients thought of answers, by the hashes of their ids: it comes when the entry is written already.
    /// Forgotten with the entries.
    scores: HashMap<u64, Feedback>,
    /// By key name; `None` is "no key". Bounded by the number of configured keys.
    keys: FxHashMap<Option<Arc<str>>, KeyUsage>,
}

/// Where an entry is.
#[derive(Clone, Copy)]
struct Place {
    /// Of its id.
    hash: u64,
    /// The number of its segment.
    segment: u64,
    /// Where in the segment it begins.
    at: usize,
}

/// What one key has spent, in calendar periods of UTC (weeks begin on Monday).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyUsage {
    /// In all, since the process began.
    pub total: Usd,
    /// Today.
    pub daily: Usd,
    /// This week.
    pub weekly: Usd,
    /// This month.
    pub monthly: Usd,
    /// Generations.
    pub requests: u64,
    /// The periods that the sums are of.
    current: Periods,
}

/// The calendar periods that a time falls in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Periods {
    /// Days since 1970.
    day: u64,
    /// Weeks since the one of 1970-01-01.
    week: u64,
    month: (i32, u8),
}

const DAY_MS: u64 = 86_400_000;
/// A segment takes no further entry when it holds so many bytes.
const SEGMENT: usize = 56 * 1024;
/// What is allocated for one: room for the last entry beyond them.
const ALLOCATED: usize = 64 * 1024;
/// As many entries as a segment holds at least, when they are of the usual length.
const IN_ONE: usize = 200;
/// More segments than these are not allocated before they are needed.
const MOST_AT_ONCE: usize = 1024;
/// Entries that may come while somebody reads all of them, which takes some milliseconds.
const ROOM: usize = 4096;

// === impl MemoryLedger ===

impl MemoryLedger {
    /// Keeps at most `capacity` entries; a capacity of 0 keeps sums only.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        // All at the beginning, and side by side: among the memory of requests they would keep its pages
        // from being given back.
        let segments = 0..capacity.div_ceil(IN_ONE).min(MOST_AT_ONCE);
        let kept = Kept {
            capacity,
            places: VecDeque::with_capacity(capacity.saturating_add(1)),
            segments: VecDeque::new(),
            first: 0,
            texts: packed::Texts::new(),
            spare: segments.map(|_| taken()).collect(),
            scores: HashMap::new(),
            keys: FxHashMap::default(),
        };
        Self {
            capacity,
            kept: Combiner::new(kept, ROOM),
        }
    }

    /// The entry with this id.
    #[must_use]
    pub fn get(&self, id: &GenerationId) -> Option<Entry> {
        let hash = packed::hash(id.as_str().as_bytes());
        self.kept.read(|kept| {
            let same = kept.places.iter().rev().filter(|place| place.hash == hash);
            same.filter_map(|place| kept.entry(place))
                .find(|entry| entry.id == *id)
        })
    }

    /// The latest entries, at most `count`, newest first.
    #[must_use]
    pub fn latest(&self, count: usize) -> Vec<Entry> {
        self.kept.read(|kept| {
            let places = kept.places.iter().rev().take(count);
            places.filter_map(|place| kept.entry(place)).collect()
        })
    }

    /// Puts `feedback` on the record with this id, in place of what was there.
    ///
    /// `false` where there is no such record.
    pub fn rate(&self, id: &GenerationId, feedback: Feedback) -> bool {
        let hash = packed::hash(id.as_str().as_bytes());
        self.kept.read(|kept| {
            let known = kept.places.iter().any(|place| place.hash == hash);
            if known {
                kept.scores.insert(hash, feedback);
            }
            known
        })
    }

    /// What `key` has spent, as of `now`.
    #[must_use]
    pub fn usage(&self, key: Option<&Arc<str>>, now: UnixMs) -> KeyUsage {
        let usage = self.kept.read(|kept| kept.keys.get(&key.cloned()).copied());
        let mut usage = usage.unwrap_or_default();
        usage.turn(now);
        usage
    }

    /// How many entries are kept, and at most.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.kept.read(|kept| kept.places.len()), self.capacity)
    }

    /// How many bytes the entries that are kept take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.kept
            .read(|kept| kept.segments.iter().map(Vec::capacity).sum())
    }
}

impl fmt::Debug for MemoryLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLedger")
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

impl Ledger for MemoryLedger {
    fn record(&self, entry: &Entry) {
        self.kept.note(entry);
    }
}

/// An empty segment whose pages are there already: what the ledger takes it takes when it begins, so that
/// memory does not creep up with the first requests, and none of them waits for a page.
fn taken() -> Vec<u8> {
    // Zeros would be promised by the system, and given when they are touched.
    let mut segment = vec![1; ALLOCATED];
    // What is written to be forgotten would not be written.
    std::hint::black_box(&mut segment).clear();
    segment
}

// === impl Kept ===

impl Absorb<Entry> for Kept {
    fn absorb(&mut self, entry: &Entry) {
        let cost = entry.total.unwrap_or_default() + entry.spent.fee;
        // Nearly always the key is known, and then nothing is made of it.
        if let Some(sums) = self.keys.get_mut(&entry.key) {
            sums.add(cost, entry.created);
        } else {
            let sums = self.keys.entry(entry.key.clone()).or_default();
            sums.add(cost, entry.created);
        }
        if self.capacity > 0 {
            self.keep(entry);
        }
    }
}

impl Kept {
    /// What is at a place, made anew.
    fn entry(&self, place: &Place) -> Option<Entry> {
        let number = usize::try_from(place.segment.checked_sub(self.first)?).ok()?;
        let mut entry = packed::read(self.segments.get(number)?, place.at)?;
        entry.feedback = self.scores.get(&place.hash).cloned();
        Some(entry)
    }

    /// Writes an entry, and forgets what is beyond the capacity.
    fn keep(&mut self, entry: &Entry) {
        if self
            .segments
            .back()
            .is_none_or(|last| last.len() >= SEGMENT)
        {
            let spare = self.spare.pop();
            let next = spare.unwrap_or_else(|| Vec::with_capacity(ALLOCATED));
            self.segments.push_back(next);
            self.texts.clear();
        }
        let segment = self.first + self.segments.len().saturating_sub(1) as u64;
        let Some(last) = self.segments.back_mut() else {
            return;
        };
        let place = Place {
            hash: packed::hash(entry.id.as_str().as_bytes()),
            segment,
            at: last.len(),
        };
        packed::write(entry, last, &mut self.texts);
        self.places.push_back(place);
        while self.places.len() > self.capacity {
            let forgotten = self.places.pop_front();
            forgotten.map(|place| self.scores.remove(&place.hash));
        }
        let oldest = self.places.front().map_or(segment, |place| place.segment);
        while self.first < oldest {
            self.first += 1;
            if let Some(mut segment) = self.segments.pop_front() {
                // One that an entry of unusual length has blown up is given back.
                if segment.capacity() <= 2 * ALLOCATED {
                    segment.clear();
                    self.spare.push(segment);
                }
            }
        }
    }
}

// === impl KeyUsage ===

impl KeyUsage {
    /// Adds one generation to every period that it falls in. One that began in a period that is over, and was
    /// settled later than others of the next, is none of the current one's.
    fn add(&mut self, cost: Usd, at: UnixMs) {
        self.turn(at);
        let of = match self.current {
            // Nearly always.
            current if current.day == at.get() / DAY_MS => current,
            _ => Periods::of(at),
        };
        let add = |sum: &mut Usd, counts: bool| {
            if counts {
                *sum = *sum + cost;
            }
        };
        add(&mut self.total, true);
        add(&mut self.daily, self.current.day == of.day);
        add(&mut self.weekly, self.current.week == of.week);
        add(&mut self.monthly, self.current.month == of.month);
        self.requests += 1;
    }

    /// Starts the periods anew that have ended by `now`.
    fn turn(&mut self, now: UnixMs) {
        // Within a day nothing ends.
        if now.get() / DAY_MS <= self.current.day {
            return;
        }
        let next = Periods::of(now);
        self.daily = Usd::ZERO;
        if self.current.week != next.week {
            self.weekly = Usd::ZERO;
        }
        if self.current.month != next.month {
            self.monthly = Usd::ZERO;
        }
        self.current = next;
    }
}

impl Periods {
    fn of(at: UnixMs) -> Self {
        let (day, date) = (at.get() / DAY_MS, at.date());
        Self {
            day,
            // 1970-01-01 was a Thursday: three days earlier, a Monday.
            week: (day + 3) / 7,
            month: (date.year(), date.month()),
        }
    }
}

impl Default for Periods {
    /// The first of them, with which time begins.
    fn default() -> Self {
        Self::of(UnixMs::new(0))
    }
}

#[cfg(test)]
mod tests;
