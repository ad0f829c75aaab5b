//! The ledger: what is kept, what is forgotten, and what it takes.

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
            ledger.record(&e);
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
    ledger.record(&entry(1, monday - 1));
    ledger.record(&entry(2, monday));
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

/// A generation counts in the day in which it began, whenever it is settled: one of yesterday neither starts today
/// anew nor is it lost from the month.
#[test]
fn what_began_yesterday_does_not_undo_today() {
    let ledger = MemoryLedger::new(1);
    let midnight = 20_788 * DAY_MS;
    for at in [midnight, midnight - 1, midnight + 1] {
        ledger.record(&entry(at, at));
    }
    let usage = ledger.usage(None, UnixMs::new(midnight + 2));
    assert_eq!(usage.requests, 3);
    // 2026-12-01: the month is new as well, the week is not.
    let sums = (usage.daily, usage.weekly, usage.monthly, usage.total);
    assert_eq!(
        sums,
        (
            Usd::from_femtos(2),
            Usd::from_femtos(3),
            Usd::from_femtos(2),
            Usd::from_femtos(3)
        )
    );
}

/// What is forgotten leaves nothing behind, however many entries come.
#[test]
fn a_full_ledger_does_not_grow() {
    let ledger = MemoryLedger::new(1_000);
    let mut sizes = Vec::new();
    for number in 0..20_000_u64 {
        let mut entry = entry(number, number);
        entry.user_agent = Some("a client/1.0".repeat(1 + usize::try_from(number % 7).unwrap()));
        entry.upstream_id = Some(waystation_core::JsonText::of(&format!(
            "chatcmpl-{number:032}"
        )));
        ledger.record(&entry);
        if number % 1_000 == 999 {
            sizes.push(ledger.bytes());
        }
    }
    assert_eq!(ledger.size(), (1_000, 1_000));
    assert!(sizes.iter().all(|size| *size <= 8 * ALLOCATED), "{sizes:?}");
    let ids: Vec<_> = ledger
        .latest(1_000)
        .into_iter()
        .map(|entry| entry.id)
        .collect();
    let expected: Vec<_> = (19_000..20_000).rev().map(|n| entry(n, n).id).collect();
    assert_eq!(ids, expected);
    let asked = ledger.get(&entry(19_500, 19_500).id).unwrap();
    assert_eq!(
        asked.upstream_id.unwrap().decode(),
        format!("chatcmpl-{:032}", 19_500)
    );
}

#[test]
fn a_ledger_of_nothing_keeps_sums_alone() {
    let ledger = MemoryLedger::new(0);
    let one = entry(1, 1);
    let id = one.id.clone();
    ledger.record(&one);
    assert!(ledger.get(&id).is_none() && ledger.latest(1).is_empty());
    assert_eq!((ledger.size(), ledger.bytes()), ((0, 0), 0));
    assert_eq!(ledger.usage(None, UnixMs::new(1)).requests, 1);
}

#[test]
fn a_score_stays_with_its_entry_and_is_forgotten_with_it() {
    let ledger = MemoryLedger::new(2);
    (0..2).for_each(|number| ledger.record(&entry(number, number)));
    let id = entry(0, 0).id;
    let feedback = |score| Feedback {
        score,
        label: Some("fine".into()),
        at: UnixMs::new(9),
        counted: false,
    };
    assert!(ledger.rate(&id, feedback(0.5)) && ledger.rate(&id, feedback(1.0)));
    assert_eq!(ledger.get(&id).unwrap().feedback, Some(feedback(1.0)));
    assert_eq!(ledger.get(&entry(1, 1).id).unwrap().feedback, None);
    ledger.record(&entry(2, 2));
    assert!(ledger.get(&id).is_none() && !ledger.rate(&id, feedback(0.0)));
    assert!(ledger.kept.read(|kept| kept.scores.is_empty()));
}
