//! A bounded ledger in memory: the latest generations by id, and running sums by key. Not durable.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use waystation_core::{Entry, GenerationId, Ledger, UnixMs, Usd};

/// Keeps the latest entries and forgets the oldest. Sums by key are kept beside them and outlive the
/// entries that they came from.
///
/// ```
/// use waystation_core::{Entry, GenerationId, Ledger, UnixMs};
/// use waystation_gateway::MemoryLedger;
///
/// let ledger = MemoryLedger::new(10_000);
/// let id = GenerationId::new(1_794_299_400_125, 7);
/// ledger.record(Entry::new(id.clone(), UnixMs::new(1_794_299_400_125), "acme/fast".into()));
/// assert_eq!(ledger.get(&id).map(|entry| entry.requested.clone()).as_deref(), Some("acme/fast"));
/// assert_eq!(ledger.size(), (1, 10_000));
/// ```
#[derive(Debug)]
pub struct MemoryLedger {
    capacity: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<GenerationId, Arc<Entry>>,
    order: VecDeque<GenerationId>,
    /// By key name; `None` is "no key". Bounded by the number of configured keys.
    keys: HashMap<Option<Arc<str>>, KeyUsage>,
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
    day: u64,
    week: u64,
    month: u64,
}

const DAY_MS: u64 = 86_400_000;

// === impl MemoryLedger ===

impl MemoryLedger {
    /// Keeps at most `capacity` entries; a capacity of 0 keeps sums only.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            inner: Mutex::default(),
        }
    }

    /// One short mutex for the whole table; nothing slow happens under it.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The data is whole after every statement, so a panic elsewhere does not spoil it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entry with this id.
    #[must_use]
    pub fn get(&self, id: &GenerationId) -> Option<Arc<Entry>> {
        self.lock().entries.get(id).cloned()
    }

    /// The latest entries, at most `count`, newest first.
    #[must_use]
    pub fn latest(&self, count: usize) -> Vec<Arc<Entry>> {
        let inner = self.lock();
        let ids = inner.order.iter().rev().take(count);
        ids.filter_map(|id| inner.entries.get(id).cloned())
            .collect()
    }

    /// What `key` has spent, as of `now`.
    #[must_use]
    pub fn usage(&self, key: Option<&Arc<str>>, now: UnixMs) -> KeyUsage {
        let mut usage = self
            .lock()
            .keys
            .get(&key.cloned())
            .copied()
            .unwrap_or_default();
        usage.turn(now);
        usage
    }

    /// How many entries are kept, and at most.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.lock().entries.len(), self.capacity)
    }
}

impl Ledger for MemoryLedger {
    fn record(&self, entry: Entry) {
        let mut inner = self.lock();
        let sums = inner.keys.entry(entry.key.clone()).or_default();
        sums.add(
            entry.total.unwrap_or_default() + entry.spent.fee,
            entry.created,
        );
        if self.capacity == 0 {
            return;
        }
        let id = entry.id.clone();
        if inner.entries.insert(id.clone(), Arc::new(entry)).is_none() {
            inner.order.push_back(id);
        }
        while inner.order.len() > self.capacity {
            if let Some(oldest) = inner.order.pop_front() {
                inner.entries.remove(&oldest);
            }
        }
    }
}

// === impl KeyUsage ===

impl KeyUsage {
    /// Adds one generation to every period that it falls in.
    fn add(&mut self, cost: Usd, at: UnixMs) {
        self.turn(at);
        self.total = self.total + cost;
        self.daily = self.daily + cost;
        self.weekly = self.weekly + cost;
        self.monthly = self.monthly + cost;
        self.requests += 1;
    }

    /// Starts the periods anew that have ended by `now`.
    fn turn(&mut self, now: UnixMs) {
        let day = now.get() / DAY_MS;
        // 1970-01-01 was a Thursday: three days earlier, a Monday.
        let week = (day + 3) / 7;
        let month = month_of(day);
        if self.day != day {
            (self.day, self.daily) = (day, Usd::ZERO);
        }
        if self.week != week {
            (self.week, self.weekly) = (week, Usd::ZERO);
        }
        if self.month != month {
            (self.month, self.monthly) = (month, Usd::ZERO);
        }
    }
}

/// Months since year 0 of the proleptic Gregorian calendar, for a day since 1970-01-01.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
const fn month_of(day: u64) -> u64 {
    let z = day + 719_468;
    let era = z / 146_097;
    let doe = z - era * 146_097;
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    (yoe + era * 400) * 12 + mp
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64, at: u64) -> Entry {
        let mut entry = Entry::new(
            GenerationId::new(at, number.into()),
            UnixMs::new(at),
            String::new(),
        );
        entry.total = Some(Usd::from_femtos(1));
        entry
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let ledger = MemoryLedger::new(2);
        let ids: Vec<_> = (0..3)
            .map(|n| entry(n, n))
            .map(|e| {
                let id = e.id.clone();
                ledger.record(e);
                id
            })
            .collect();
        assert!(ledger.get(&ids[0]).is_none());
        assert!(ledger.get(&ids[1]).is_some() && ledger.get(&ids[2]).is_some());
        assert_eq!(
            ledger.usage(None, UnixMs::new(2)).total,
            Usd::from_femtos(3)
        );
    }

    #[test]
    fn periods_turn_at_midnight_monday_and_the_first() {
        let ledger = MemoryLedger::new(1);
        // 2026-11-30 is a Monday; 2026-12-01 a Tuesday.
        let monday = 20_787 * DAY_MS;
        ledger.record(entry(1, monday - 1));
        ledger.record(entry(2, monday));
        let at = |ms| ledger.usage(None, UnixMs::new(ms));
        assert_eq!(
            (at(monday).daily, at(monday).weekly, at(monday).monthly),
            (
                Usd::from_femtos(1),
                Usd::from_femtos(1),
                Usd::from_femtos(2)
            )
        );
        assert_eq!(at(monday + DAY_MS).monthly, Usd::ZERO);
    }
}
