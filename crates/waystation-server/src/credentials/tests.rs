//! Tests of the key rotation.

use futures_util::FutureExt as _;
use waystation_core::{Now, UnixMs};

use super::*;

struct Stopped(AtomicUsize);

impl Clock for Stopped {
    fn now(&self) -> Now {
        let micros = self.0.load(Ordering::Relaxed) as u64;
        Now {
            tick: Tick::from_micros(micros),
            unix: UnixMs::default(),
        }
    }
}

fn key(id: &str, rpm: Option<u32>) -> ProviderKey {
    ProviderKey {
        id: id.parse().unwrap(),
        secret: Some(Secret::new(id)),
        rpm,
    }
}

fn openai() -> ProviderSlug {
    "openai".parse().unwrap()
}

fn with(keys: Vec<ProviderKey>) -> (StaticCredentials, Arc<Stopped>) {
    let clock = Arc::new(Stopped(AtomicUsize::new(0)));
    let keyring = Keyring::from([(openai(), keys)]);
    (StaticCredentials::new(keyring, clock.clone()), clock)
}

fn lease(from: &StaticCredentials, exclude: &[&str]) -> Option<String> {
    let exclude: Vec<CredentialId> = exclude.iter().map(|id| id.parse().unwrap()).collect();
    let lease = from.lease(&openai(), &exclude).now_or_never().unwrap();
    lease.ok().map(|lease| lease.credential.to_string())
}

#[test]
fn keys_are_used_in_turn() {
    let (keys, _) = with(vec![key("a", None), key("b", None), key("c", None)]);
    let used: Vec<_> = (0..4).filter_map(|_| lease(&keys, &[])).collect();
    assert_eq!(used, ["a", "b", "c", "a"]);
}

#[test]
fn excluded_keys_are_passed_over() {
    let (keys, _) = with(vec![key("a", None), key("b", None)]);
    for _ in 0..4 {
        assert_eq!(lease(&keys, &["a"]).as_deref(), Some("b"));
    }
    assert_eq!(lease(&keys, &["a", "b"]), None);
}

#[test]
fn a_key_rests_when_its_minute_is_used_up() {
    let (keys, clock) = with(vec![key("a", Some(2))]);
    assert!(lease(&keys, &[]).is_some() && lease(&keys, &[]).is_some());
    assert_eq!(lease(&keys, &[]), None);
    clock.0.store(60_000_000, Ordering::Relaxed);
    assert!(lease(&keys, &[]).is_some());
}

#[test]
fn a_limited_key_rests_as_long_as_it_is_told_and_the_others_go_on() {
    let (keys, clock) = with(vec![key("a", None), key("b", None)]);
    let report = |outcome| keys.report(&openai(), &"a".parse().unwrap(), outcome);
    report(LeaseOutcome::Limited(Duration::from_secs(20)));
    for _ in 0..4 {
        assert_eq!(lease(&keys, &[]).as_deref(), Some("b"));
    }
    assert!(keys.has(&openai()));
    clock.0.store(20_000_000, Ordering::Relaxed);
    assert_eq!(lease(&keys, &["b"]).as_deref(), Some("a"));
    // However long the provider says, it is asked again after a minute.
    report(LeaseOutcome::Limited(Duration::from_secs(86_400)));
    clock.0.store(79_000_000, Ordering::Relaxed);
    assert_eq!(lease(&keys, &["b"]), None);
    clock.0.store(80_000_000, Ordering::Relaxed);
    assert_eq!(lease(&keys, &["b"]).as_deref(), Some("a"));
}

#[test]
fn a_refused_key_rests_for_five_minutes_and_a_denied_one_for_one() {
    for (outcome, seconds) in [(LeaseOutcome::Refused, 300), (LeaseOutcome::Denied, 60)] {
        let (keys, clock) = with(vec![key("a", None)]);
        keys.report(&openai(), &"a".parse().unwrap(), outcome);
        clock.0.store(seconds * 1_000_000 - 1, Ordering::Relaxed);
        let none = keys.lease(&openai(), &[]).now_or_never().unwrap();
        let wait = Duration::from_micros(1);
        let expected = NoCredential::Resting {
            provider: "openai".into(),
            wait,
            limited: false,
        };
        assert_eq!(none.unwrap_err(), expected);
        clock.0.store(seconds * 1_000_000, Ordering::Relaxed);
        assert!(lease(&keys, &[]).is_some());
    }
}

#[test]
fn a_key_that_serves_rests_no_longer() {
    let (keys, _) = with(vec![key("a", None)]);
    let a = "a".parse().unwrap();
    keys.report(&openai(), &a, LeaseOutcome::Refused);
    keys.report(&openai(), &a, LeaseOutcome::Served);
    assert!(lease(&keys, &[]).is_some());
}

#[test]
fn a_provider_that_needs_no_key_leases_without_a_secret() {
    let mut keyless = key("none", None);
    keyless.secret = None;
    let (keys, _) = with(vec![keyless]);
    assert!(keys.has(&openai()));
    let lease = keys.lease(&openai(), &[]).now_or_never().unwrap().unwrap();
    assert_eq!(lease.secret, None);
}

#[test]
fn an_unknown_or_keyless_entry_has_nothing() {
    let (keys, _) = with(Vec::new());
    assert!(!keys.has(&openai()) && lease(&keys, &[]).is_none());
    assert!(!keys.has(&"groq".parse().unwrap()));
}

#[test]
fn debug_shows_names_only() {
    let (keys, _) = with(vec![ProviderKey {
        secret: Some(Secret::new("sk-very-secret")),
        ..key("main", None)
    }]);
    assert_eq!(format!("{keys:?}"), r#"{"openai": ["main"]}"#);
}

#[test]
fn simulation_has_a_credential_for_everybody() {
    let provider = openai();
    let lease = SimulatedCredentials.lease(&provider, &[]);
    let lease = lease.now_or_never().unwrap().unwrap();
    assert!(SimulatedCredentials.has(&openai()));
    assert_eq!(lease.secret.unwrap().expose(), "simulated");
}
