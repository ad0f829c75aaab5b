//! Tokens come on first use, are replaced before they expire and when they are refused, and are asked
//! for once at a time. The clock is moved by hand.

use std::{pin::pin, sync::atomic::AtomicU64};

use waystation_core::{HttpRequest, HttpStream, Now, SendLimits, TransportError, UnixMs};
use waystation_sim::{ReplayTransport, Reply};

use super::*;

/// Moved by hand, in seconds.
#[derive(Default)]
pub(super) struct Hand(AtomicU64);

impl Hand {
    pub(super) fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn now(&self) -> Now {
        let seconds = self.0.load(Ordering::Relaxed);
        Now {
            tick: Tick::from_micros(seconds * 1_000_000),
            unix: UnixMs::new((1_790_000_000 + seconds) * 1_000),
        }
    }
}

/// One provider with one identity, and the service that gives it tokens.
struct Bench {
    keys: StaticCredentials,
    clock: Arc<Hand>,
    service: Arc<ReplayTransport>,
}

/// Lets others run before it sends.
struct Slow(Arc<ReplayTransport>);

#[async_trait]
impl Transport for Slow {
    async fn send(
        &self,
        request: HttpRequest,
        limits: SendLimits,
    ) -> Result<HttpStream, TransportError> {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        self.0.send(request, limits).await
    }
}

fn entra() -> Identity {
    let application = ("the-client", "the secret +&=");
    Identity::Entra(Entra::new(AUTHORITY, "my-tenant", application).unwrap())
}

fn bench(service: ReplayTransport) -> Bench {
    let clock = Arc::new(Hand::default());
    let service = Arc::new(service);
    let key = ProviderKey::new("app".parse().unwrap(), Source::Minted(entra()));
    let keyring = Keyring::from([(openai(), vec![key])]);
    let keys = StaticCredentials::new(keyring, clock.clone(), service.clone());
    Bench {
        keys,
        clock,
        service,
    }
}

/// Tokens called `t0`, `t1` and so on, which hold for an hour.
fn tokens() -> ReplayTransport {
    ReplayTransport::answering(|_, nth| {
        let token =
            format!(r#"{{"access_token": "t{nth}", "token_type": "Bearer", "expires_in": 3600}}"#);
        Reply::json(200, token)
    })
}

impl Bench {
    async fn lease(&self) -> Result<(String, String), NoCredential> {
        let lease = self.keys.lease(&openai(), &[]).await?;
        let secret = lease.secret.unwrap().expose().to_owned();
        Ok((lease.credential.to_string(), secret))
    }

    async fn token(&self) -> String {
        self.lease().await.unwrap().1
    }
}

#[tokio::test]
async fn a_token_is_asked_for_on_first_use_and_then_lent() {
    let bench = bench(tokens());
    bench.keys.renew().await;
    assert_eq!(bench.service.calls(), 0, "nobody has used it");
    for _ in 0..3 {
        assert_eq!(bench.token().await, "t0");
    }
    assert_eq!(bench.service.calls(), 1);
}

#[tokio::test]
async fn requests_that_come_together_ask_for_one_token() {
    let bench = bench(tokens());
    let slow = Slow(bench.service.clone());
    let keys = [ProviderKey::new(
        "app".parse().unwrap(),
        Source::Minted(entra()),
    )];
    let keyring = Keyring::from([(openai(), keys.into())]);
    let keys = StaticCredentials::new(keyring, bench.clock.clone(), Arc::new(slow));
    let bench = Bench { keys, ..bench };
    let leases = join_all((0..50).map(|_| bench.token())).await;
    assert!(leases.iter().all(|token| token == "t0"));
    assert_eq!(bench.service.calls(), 1);
}

#[tokio::test]
async fn a_token_is_replaced_before_it_expires_and_no_lease_waits() {
    let bench = bench(tokens());
    assert_eq!(bench.token().await, "t0");
    bench.clock.set(3_299);
    bench.keys.renew().await;
    assert_eq!(
        bench.service.calls(),
        1,
        "five minutes before is soon enough"
    );
    bench.clock.set(3_300);
    assert_eq!(bench.token().await, "t0", "the old one still holds");
    bench.keys.renew().await;
    assert_eq!(bench.lease().await.unwrap(), ("app".into(), "t1".into()));
    assert_eq!(bench.service.calls(), 2);
}

#[tokio::test]
async fn nobody_waits_while_a_token_is_replaced_that_still_holds() {
    let bench = bench(tokens());
    assert_eq!(bench.token().await, "t0");
    let slow = Arc::new(Slow(bench.service.clone()));
    let keys = StaticCredentials {
        transport: slow,
        ..bench.keys
    };
    bench.clock.set(3_300);
    let mut renewal = pin!(keys.renew());
    assert!(renewal.as_mut().now_or_never().is_none());
    let lease = keys.lease(&openai(), &[]).now_or_never();
    let lease = lease.expect("it did not wait").unwrap();
    assert_eq!(lease.secret.unwrap().expose(), "t0");
    renewal.await;
    assert_eq!(bench.service.calls(), 2);
}

#[tokio::test]
async fn an_expired_token_is_never_lent() {
    let bench = bench(tokens());
    assert_eq!(bench.token().await, "t0");
    bench.clock.set(3_600);
    assert_eq!(bench.token().await, "t1");
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_has_another_name() {
    let bench = bench(tokens());
    let (first, token) = bench.lease().await.unwrap();
    assert_eq!(token, "t0");
    bench.clock.set(600);
    let first = first.parse().unwrap();
    bench.keys.refused(&openai(), &first);
    let lease = bench.keys.lease(&openai(), &[first]).await.unwrap();
    assert_eq!(lease.credential.as_str(), "app@1");
    assert_eq!(lease.secret.unwrap().expose(), "t1");
}

#[tokio::test]
async fn a_fresh_token_that_is_refused_is_not_replaced_again_and_again() {
    let bench = bench(tokens());
    for _ in 0..5 {
        let (name, token) = bench.lease().await.unwrap();
        assert_eq!((name.as_str(), token.as_str()), ("app", "t0"));
        bench.keys.refused(&openai(), &"app".parse().unwrap());
    }
    assert_eq!(bench.service.calls(), 1);
}

#[tokio::test]
async fn a_failing_service_is_left_alone_for_a_while_and_the_old_token_used_as_long_as_it_holds() {
    let bench = bench(ReplayTransport::answering(|_, nth| match nth {
        0 => Reply::json(200, r#"{"access_token": "t0", "expires_in": 3600}"#),
        _ => Reply::json(
            401,
            r#"{"error": "invalid_client", "error_codes": [7000215], "error_description": "the secret +&= is wrong"}"#,
        ),
    }));
    assert_eq!(bench.token().await, "t0");
    bench.clock.set(3_400);
    for _ in 0..3 {
        bench.keys.renew().await;
        assert_eq!(bench.token().await, "t0");
    }
    assert_eq!(bench.service.calls(), 2);
    bench.clock.set(3_700);
    let told = bench.lease().await.unwrap_err().to_string();
    assert_eq!(
        told,
        "the credential of openai could not be refreshed: login.microsoftonline.com answered 401: \
         invalid_client (7000215); look at AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
    );
    bench.lease().await.unwrap_err();
    assert_eq!(bench.service.calls(), 3);
}

#[tokio::test]
async fn a_provider_whose_identity_fails_uses_its_other_key() {
    let clock = Arc::new(Hand::default());
    let service = Arc::new(ReplayTransport::queue([]));
    let minted = ProviderKey::new("app".parse().unwrap(), Source::Minted(entra()));
    let keyring = Keyring::from([(openai(), vec![minted, key("plain", None)])]);
    let keys = StaticCredentials::new(keyring, clock, service);
    for _ in 0..4 {
        assert_eq!(lease(&keys, &[]).as_deref(), Some("plain"));
    }
}
