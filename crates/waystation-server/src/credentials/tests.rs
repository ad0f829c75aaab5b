//! Tests of the key rotation.

mod account;
mod identities;
mod renewal;

use futures_util::FutureExt as _;
use waystation_core::{Now, UnixMs};
use waystation_sim::ReplayTransport;

use std::time::Duration;

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
    let source = Source::Key(Secret::new(id));
    ProviderKey {
        limits: Limits { rpm, tpm: None },
        ..ProviderKey::new(id.parse().unwrap(), source)
    }
}

fn openai() -> ProviderSlug {
    "openai".parse().unwrap()
}

fn with(keys: Vec<ProviderKey>) -> (StaticCredentials, Arc<Stopped>) {
    let clock = Arc::new(Stopped(AtomicUsize::new(0)));
    let keyring = Keyring::from([(openai(), keys)]);
    let transport = Arc::new(ReplayTransport::queue([]));
    let credentials = StaticCredentials::new(keyring, clock.clone(), transport);
    (credentials, clock)
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
fn a_used_up_minute_says_when_it_is_over() {
    let (keys, clock) = with(vec![key("a", Some(1)), key("b", Some(1))]);
    assert!(lease(&keys, &[]).is_some());
    clock.0.store(20_000_000, Ordering::Relaxed);
    assert!(lease(&keys, &[]).is_some());
    let none = keys.lease(&openai(), &[]).now_or_never().unwrap();
    let expected = NoCredential::Resting {
        provider: "openai".into(),
        wait: Duration::from_secs(40),
        limited: true,
    };
    assert_eq!(none.unwrap_err(), expected);
}

#[test]
fn a_provider_that_needs_no_key_leases_without_a_secret() {
    let mut keyless = key("none", None);
    keyless.source = Source::Free;
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
        source: Source::Key(Secret::new("sk-very-secret")),
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
