//! The table, its windows and its breakers, under a clock of our own.

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
    #[test]
    fn two_probes_are_never_out_at_once(steps in prop::collection::vec((0_u8..4, 0_u64..20), 1..60)) {
        let (table, one) = (HealthTable::default(), id("acme/fast|a"));
        let (mut now, mut out) = (0, Vec::new());
        for (step, wait) in steps {
            now += wait;
            match step {
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
