//! The table, its windows and its breakers, under a clock of our own.

use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;

fn at(seconds: u64) -> Tick {
    Tick::from_micros(seconds * 1_000_000)
}

fn id(text: &str) -> EndpointId {
    text.parse().unwrap()
}

fn down(seconds: u64) -> Outcome {
    Outcome::failed(ErrorType::ProviderUnavailable, at(seconds))
}

#[test]
fn an_outage_needs_three_attempts_and_ends_after_thirty_seconds() {
    let (table, one) = (HealthTable::default(), id("acme/fast|a"));
    table.record(&one, down(100));
    table.record(&one, down(100));
    let outage = |now| table.view(at(now)).of(&one, at(now)).unwrap().outage();
    assert!(!outage(100));
    table.record(&one, down(101));
    assert!(outage(102) && outage(129));
    assert!(!outage(131));
}

#[test]
fn an_outage_expires_in_a_view_that_is_kept() {
    let (table, one) = (HealthTable::default(), id("acme/fast|a"));
    (0..4).for_each(|_| table.record(&one, down(100)));
    let view = table.view(at(100));
    assert!(view.of(&one, at(110)).unwrap().outage());
    assert!(!view.of(&one, at(140)).unwrap().outage());
}

#[test]
fn a_limit_on_one_key_is_no_outage() {
    let (table, one) = (HealthTable::default(), id("acme/fast|a"));
    for _ in 0..20 {
        table.record(&one, Outcome::failed(ErrorType::RateLimitExceeded, at(5)));
        table.record(&one, Outcome::failed(ErrorType::Authentication, at(5)));
    }
    assert!(!table.view(at(6)).of(&one, at(6)).unwrap().outage());
    assert!(matches!(table.admit(&one, at(6)), Admit::Go));
}

#[test]
fn latency_and_throughput_are_separate_and_the_slow_tail_is_p90() {
    let (table, one) = (HealthTable::default(), id("acme/fast|a"));
    for speed in 1..=100_u32 {
        let mut outcome = Outcome::served(at(60));
        outcome.tokens_per_s = Some(f64::from(speed));
        table.record(&one, outcome);
    }
    let measured = table.view(at(61)).of(&one, at(61)).unwrap();
    let throughput = measured.throughput.unwrap();
    assert!((throughput.p50.unwrap() - 50.0).abs() < 4.0);
    assert!((throughput.p90.unwrap() - 10.0).abs() < 1.0);
    assert_eq!(measured.latency, None);
}

#[test]
fn beyond_five_minutes_a_decayed_mean_stands_in_for_a_day() {
    let (table, one) = (HealthTable::default(), id("acme/fast|a"));
    let mut outcome = Outcome::served(at(60));
    outcome.ttft = Some(Duration::from_millis(400));
    table.record(&one, outcome);
    let later = |now| table.view(at(now)).of(&one, at(now)).unwrap();
    assert!(later(120).latency.is_some());
    let measured = later(60 + 600);
    assert_eq!(
        (measured.latency, measured.median_latency()),
        (None, Some(0.4))
    );
    assert_eq!(later(60 + 90_000).median_latency(), None);
}

#[test]
fn a_breaker_opens_probes_one_at_a_time_and_closes() {
    let (table, one) = (HealthTable::default(), id("acme/fast|a"));
    assert!(matches!(table.admit(&one, at(0)), Admit::Go));
    (0..5).for_each(|_| table.record(&one, down(10)));
    assert!(matches!(table.admit(&one, at(11)), Admit::Skip(until) if until == at(15)));
    let Admit::Probe(guard) = table.admit(&one, at(15)) else {
        panic!("the rest is over");
    };
    assert!(matches!(table.admit(&one, at(15)), Admit::Skip(_)));
    drop(guard);
    let Admit::Probe(guard) = table.admit(&one, at(15)) else {
        panic!("an abandoned probe frees its place");
    };
    table.record(&one, down(16));
    drop(guard);
    assert!(matches!(table.admit(&one, at(25)), Admit::Skip(until) if until == at(26)));
    assert!(matches!(table.admit(&one, at(26)), Admit::Probe(_)));
    table.record(&one, Outcome::served(at(27)));
    assert!(matches!(table.admit(&one, at(27)), Admit::Go));
}

/// This thread has the cells meanwhile: waiting for them would never end.
#[test]
fn no_request_waits_for_who_is_at_the_table() {
    let (table, one) = (HealthTable::default(), id("acme/fast|a"));
    table.set_priors([(one.clone(), Prior::default())]);
    table.cells.read(|_| {
        assert!(table.view(at(1)).of(&one, at(1)).is_some());
        assert!(matches!(table.admit(&one, at(1)), Admit::Go));
    });
    (0..5).for_each(|_| table.record(&one, down(10)));
    let before = table.view(at(10));
    table.cells.read(|_| {
        assert!(matches!(table.admit(&one, at(11)), Admit::Skip(_)));
        let Admit::Probe(guard) = table.admit(&one, at(15)) else {
            panic!("the rest is over");
        };
        table.record(&one, Outcome::served(at(16)));
        drop(guard);
        assert!(Arc::ptr_eq(&before, &table.view(at(17))));
        assert_eq!(table.first_token_tail(&one, at(17)), None);
    });
    // What was left lying is taken in by whoever asks next.
    assert!(matches!(table.admit(&one, at(17)), Admit::Go));
    assert!(!table.view(at(17)).of(&one, at(17)).unwrap().open);
}

#[test]
fn priors_count_at_once_and_take_nothing_away() {
    let (table, one) = (HealthTable::default(), id("acme/fast|a"));
    let fast = |tps| Prior {
        latency_s: None,
        throughput_tps: Some(tps),
    };
    let mut outcome = Outcome::served(at(1));
    outcome.ttft = Some(Duration::from_millis(400));
    table.record(&one, outcome);
    for tps in [80.0, 90.0] {
        table.set_priors([(one.clone(), fast(tps))]);
        let measured = table.view(at(1)).of(&one, at(1)).unwrap();
        assert_eq!(measured.median_throughput(), Some(tps));
        assert!(measured.latency.is_some());
    }
    table.set_priors([(one.clone(), fast(100.0))]);
    // Nobody can build a new view: the older rows stand behind the new figures.
    let measured = table
        .cells
        .read(|_| table.view(at(1)).of(&one, at(1)).unwrap());
    assert_eq!(measured.median_throughput(), Some(100.0));
    assert!(measured.latency.is_some());
}

#[test]
fn the_tail_of_first_tokens_needs_eight_of_them() {
    let (table, one) = (HealthTable::default(), id("acme/fast|a"));
    for number in 1..=8 {
        assert_eq!(table.first_token_tail(&one, at(number)), None);
        let mut outcome = Outcome::served(at(number));
        outcome.ttft = Some(Duration::from_millis(400));
        table.record(&one, outcome);
    }
    // At once, however young the view is that plans are made by.
    let tail = table.first_token_tail(&one, at(8)).unwrap();
    assert!(tail.as_secs_f64() > 0.37 && tail.as_secs_f64() < 0.43);
    // Who finds the table taken is told what the view says.
    let _ = table.view(at(9));
    let meanwhile = table.cells.read(|_| table.first_token_tail(&one, at(9)));
    assert_eq!(meanwhile, Some(tail));
    assert_eq!(table.first_token_tail(&one, at(600)), None);
}

#[test]
fn of_all_who_find_a_view_stale_one_builds_the_next() {
    let table = HealthTable::default();
    for number in 0..200 {
        table.record(&id(&format!("acme/m{number}|a")), Outcome::served(at(0)));
    }
    for now in (1..100).map(at) {
        let (older, start) = (table.published.load_full(), std::sync::Barrier::new(4));
        let found: Vec<Arc<HealthView>> = std::thread::scope(|scope| {
            let look = || {
                start.wait();
                table.view(now)
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(look)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        let newer = table.view(now);
        assert!(!Arc::ptr_eq(&older, &newer));
        assert!(found.iter().any(|view| Arc::ptr_eq(view, &newer)));
        for view in found {
            assert!(Arc::ptr_eq(&view, &older) || Arc::ptr_eq(&view, &newer));
        }
    }
}

/// Threads ask at the same moment, again and again; one of them gets the probe, and tells how it ended.
#[test]
fn of_any_number_of_threads_one_probes() {
    const THREADS: usize = 2;
    const ROUNDS: usize = 5_000;
    let (table, one) = (HealthTable::default(), id("acme/fast|a"));
    (0..5).for_each(|_| table.record(&one, down(0)));
    let (come, answered) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // Waits until everybody is as far: awake for a moment, so that two go on at once.
    let meet = |count: &AtomicUsize, round: usize| {
        count.fetch_add(1, Ordering::SeqCst);
        let mut turns = 0;
        while count.load(Ordering::SeqCst) < round * THREADS {
            turns += 1;
            if turns % 1_000 == 0 {
                std::thread::yield_now();
            }
            std::hint::spin_loop();
        }
    };
    let ask = || {
        let mut probes = 0;
        for round in 1..=ROUNDS {
            // Every rest is over.
            let now = round as u64 * 100;
            meet(&come, round);
            let admitted = table.admit(&one, at(now));
            meet(&answered, round);
            if let Admit::Probe(guard) = admitted {
                probes += 1;
                table.record(&one, down(now));
                drop(guard);
            }
        }
        probes
    };
    let probes = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(ask)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum::<usize>()
    });
    assert_eq!(probes, ROUNDS);
    let Admit::Probe(guard) = table.admit(&one, at(1_000_000)) else {
        panic!("the rest is over, and no guard is out");
    };
    table.record(&one, Outcome::served(at(1_000_000)));
    drop(guard);
    assert!(matches!(table.admit(&one, at(1_000_000)), Admit::Go));
    assert!(table.circuits.of(&one).is_none());
}

#[test]
fn an_endpoint_that_is_forgotten_has_no_breaker() {
    let (table, one) = (HealthTable::default(), id("acme/fast|a"));
    (0..5).for_each(|_| table.record(&one, down(10)));
    assert!(matches!(table.admit(&one, at(11)), Admit::Skip(_)));
    for number in 0..MAX_ENDPOINTS {
        table.record(&id(&format!("acme/m{number}|a")), Outcome::served(at(11)));
    }
    assert!(matches!(table.admit(&one, at(11)), Admit::Go));
}

#[test]
fn memory_is_bounded_and_the_quietest_endpoint_goes_first() {
    let table = HealthTable::default();
    for number in 0..MAX_ENDPOINTS + 10 {
        let outcome = Outcome::served(Tick::from_micros(number as u64));
        table.record(&id(&format!("acme/m{number}|a")), outcome);
    }
    assert_eq!(table.len(), MAX_ENDPOINTS);
    let view = table.view(at(1));
    assert_eq!(view.of(&id("acme/m0|a"), at(1)), None);
    assert!(view.of(&id("acme/m4000|a"), at(1)).is_some());
}

#[test]
fn a_health_file_with_a_wrong_figure_names_its_row() {
    let refused = |text: &str| {
        HealthView::from_json(text.as_bytes())
            .unwrap_err()
            .to_string()
    };
    let row = |rest: &str| format!(r#"[{{"model": "a/b", "endpoint": "c", {rest}}}]"#);
    let negative = refused(&row(r#""latency_s": {"p50": -1}"#));
    assert!(
        negative.starts_with("row 0 (a/b, c): latency_s"),
        "{negative}"
    );
    assert!(refused(&row(r#""latency": {}"#)).contains("unknown field"));
    assert!(refused("{").contains("expected an array"));
}

proptest! {
    /// A breaker that closes while a probe is out, and opens again, does not let a second one go.
    #[test]
    fn two_probes_are_never_out_at_once(steps in prop::collection::vec((0_u8..6, 0_u64..20), 1..60)) {
        let (table, one) = (HealthTable::default(), id("acme/fast|a"));
        let (mut now, mut out) = (0, Vec::new());
        for (step, wait) in steps {
            now += wait;
            match step {
                4 => table.record(&one, Outcome::served(at(now))),
                5 => (0..5).for_each(|_| table.record(&one, down(now))),
                0 | 1 => table.record(&one, down(now)),
                2 => drop(out.pop()),
                _ => if let Admit::Probe(guard) = table.admit(&one, at(now)) {
                    prop_assert!(out.is_empty());
                    out.push(guard);
                },
            }
        }
    }
}
