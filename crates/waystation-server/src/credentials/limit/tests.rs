//! That no minute has more than its limit, and none is refused what it has room for.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

fn at(seconds: u64) -> Tick {
    Tick::from_micros(seconds * 1_000_000)
}

fn window(rpm: Option<u32>, tpm: Option<u64>) -> Window {
    Window::of(Limits { rpm, tpm }).unwrap()
}

/// Whether some minute has more than `limit` of these.
fn exceeds(times: &mut [Tick], limit: usize) -> bool {
    times.sort_unstable();
    let ends = times.iter().zip(times.iter().skip(limit));
    ends.into_iter()
        .any(|(first, over)| over.since(*first) < MINUTE)
}

/// How many of `attempts` at one moment are let in.
fn let_in(requests: &Requests, attempts: usize, now: Tick) -> usize {
    (0..attempts)
        .filter(|_| requests.admit(now).is_ok())
        .count()
}

#[test]
fn a_minute_of_tokens_is_used_up_and_comes_back_as_it_was_used() {
    let window = window(None, Some(100));
    assert_eq!(window.admit(at(0)), Ok(()));
    window.spend(Tokens::new(60), at(1));
    assert_eq!(window.admit(at(2)), Ok(()));
    window.spend(Tokens::new(60), at(10));
    assert_eq!(window.admit(at(11)), Err(at(61)));
    assert_eq!(window.admit(at(60)), Err(at(61)));
    assert_eq!(window.admit(at(61)), Ok(()));
    window.spend(Tokens::new(1_000), at(62));
    assert_eq!(window.admit(at(70)), Err(at(122)));
}

#[test]
fn requests_and_tokens_count_apart() {
    let window = window(Some(1), Some(10));
    assert_eq!(window.admit(at(0)), Ok(()));
    assert_eq!(window.admit(at(1)), Err(at(60)));
    window.spend(Tokens::new(10), at(30));
    assert_eq!(window.admit(at(60)), Err(at(90)));
    assert_eq!(window.admit(at(90)), Ok(()));
}

/// However large the limit is, it takes little memory.
#[test]
fn a_large_limit_is_exact_and_costs_no_more_than_a_small_one() {
    for limit in [TIMES, TIMES + 1, 10_000, 100_001] {
        let requests = Requests::of(u32::try_from(limit).unwrap(), TIMES);
        assert_eq!(requests.times.len(), TIMES);
        for minute in 0..2 {
            assert_eq!(let_in(&requests, limit + 9, at(minute * 60)), limit);
        }
    }
    let requests = Requests::of(u32::MAX, TIMES);
    assert_eq!(let_in(&requests, 100_000, at(0)), 100_000);
    assert!(Requests::of(0, TIMES).admit(at(0)).is_err());
}

#[test]
fn threads_that_come_together_get_as_many_as_there_are() {
    for (limit, times) in [(1, TIMES), (100, TIMES), (100, 7)] {
        let requests = Requests::of(limit, times);
        for minute in 0..20 {
            let now = at(minute * 60);
            let come = || let_in(&requests, 80, now);
            let all: usize = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(come)).collect();
                threads.into_iter().map(|one| one.join().unwrap()).sum()
            });
            assert_eq!(all, usize::try_from(limit).unwrap());
        }
    }
}

#[test]
fn threads_that_spend_together_spend_the_sum() {
    let spent = Spending::of(4_000);
    // From one second into the next round.
    for now in [at(3), at(3 + 64)] {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| spent.add(Tokens::new(1), now)));
            }
        });
        assert_eq!(spent.room_from(now), Some(now.plus(MINUTE)));
        spent.add(Tokens::new(u64::MAX), now);
        assert_eq!(spent.room_from(now.plus(MINUTE)), None);
    }
}

proptest! {
    /// Up to so many a minute they are let in as by a list of all of them.
    #[test]
    fn requests_are_as_many_as_the_minute_before_has_room_for(
        limit in 1..6_u32, pauses in proptest::collection::vec(0..40_000_000_u64, 1..80),
    ) {
        let requests = Requests::of(limit, TIMES);
        let (mut list, mut now) = (VecDeque::<Tick>::new(), Tick::from_micros(0));
        for pause in pauses {
            now = now.plus(Duration::from_micros(pause));
            list.retain(|then| now.since(*then) < MINUTE);
            let room = list.len() < usize::try_from(limit).unwrap();
            let expected = if room { Ok(()) } else { Err(list[0].plus(MINUTE)) };
            prop_assert_eq!(requests.admit(now), expected);
            if room {
                list.push_back(now);
            }
        }
    }

    /// Beyond, too, no minute has more than the limit, and after a quiet one there is room for all.
    #[test]
    fn requests_that_are_kept_together_keep_within_the_limit(
        limit in 4..40_u32, times in 1..5_usize,
        pauses in proptest::collection::vec(0..6_000_000_u64, 1..200),
    ) {
        let requests = Requests::of(limit, times);
        let most = usize::try_from(limit).unwrap();
        let (mut seen, mut now) = (Vec::new(), Tick::from_micros(0));
        for pause in pauses {
            now = now.plus(Duration::from_micros(pause));
            match requests.admit(now) {
                Ok(()) => seen.push(now),
                Err(free) => prop_assert!(free > now && free <= now.plus(MINUTE)),
            }
        }
        prop_assert!(!exceeds(&mut seen, most));
        prop_assert_eq!(let_in(&requests, most + 3, now.plus(MINUTE)), most);
    }

    /// Whoever is let in, from whatever thread, at whatever moment.
    #[test]
    fn no_minute_has_more_than_its_limit(
        limit in 1..20_u32, threads in 2..5_usize, step in 100_000..3_000_000_u64,
    ) {
        let (requests, clock) = (Requests::of(limit, TIMES), AtomicU64::new(0));
        let come = || {
            let tick = || Tick::from_micros(clock.fetch_add(step, Ordering::Relaxed));
            (0..200).map(|_| tick()).filter(|now| requests.admit(*now).is_ok()).collect()
        };
        let mut seen: Vec<Tick> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(come)).collect();
            threads.into_iter().flat_map(|one| -> Vec<Tick> { one.join().unwrap() }).collect()
        });
        prop_assert!(!seen.is_empty());
        prop_assert!(!exceeds(&mut seen, usize::try_from(limit).unwrap()));
    }

    /// Who is let in has room in the last minute; who is not had none, but for a second, and is told when.
    #[test]
    fn tokens_are_let_in_by_the_minute_before(
        limit in 1..200_u64, uses in proptest::collection::vec((0..9_000_000_u64, 0..60_u64), 1..80),
    ) {
        let spent = Spending::of(limit);
        let (mut list, mut now) = (Vec::new(), Tick::from_micros(0));
        for (pause, tokens) in uses {
            now = now.plus(Duration::from_micros(pause));
            let within = |time: Duration| -> u64 {
                let young = list.iter().filter(|(then, _)| now.since(*then) < time);
                young.map(|(_, tokens)| tokens).sum()
            };
            match spent.room_from(now) {
                None => prop_assert!(within(MINUTE) < limit),
                Some(free) => {
                    prop_assert!(within(MINUTE + Duration::from_secs(1)) >= limit);
                    prop_assert!(free > now && spent.room_from(free).is_none());
                    let before = Tick::from_micros(free.micros() - 1);
                    prop_assert_eq!(spent.room_from(before), Some(free));
                }
            }
            spent.add(Tokens::new(tokens), now);
            list.push((now, tokens));
        }
    }
}
