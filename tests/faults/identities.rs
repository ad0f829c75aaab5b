//! Credentials that expire: a request that meets a refused token is served with the next one, a token
//! service that fails is one more fault, and neither the identities' secrets nor what is made of them
//! is found in anything that the gateway gives out.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use tokio::time::sleep;
use waystation_core::HttpRequest;
use waystation_server::{metrics, serve};
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::{Setup, Station, ask};

use crate::{
    fault::good,
    secrets::{Log, assert_absent, parrots},
};

#[path = "../../crates/waystation-server/src/credentials/tests/account.rs"]
mod account;

const AWS_KEY: &str = "aws/secret+key=do-not-tell-0123456789";
const AWS_SESSION: &str = "aws/session+token=do-not-tell-0123456789";
const CANARY: &str = "canary-7320-in-the-prompt";

/// A is reached with a service account, B by signature.
fn setup() -> Setup {
    let file = account::file("https://tokens.mock/token");
    Setup::mocks().config(&format!(
        "[providers.a]\nauth = 'google-oauth'\napi_key = '{file}'\n\
         [providers.b]\nauth = 'sigv4'\ndialect = 'bedrock-converse'\nregion = 'us-east-1'\n\
         api_key = 'AKIDEXAMPLE:{AWS_KEY}:{AWS_SESSION}'"
    ))
}

/// Tokens `ya29.do-not-tell-0` and so on; they hold for `lifetime` seconds.
fn token(nth: usize, lifetime: u64) -> Reply {
    let body = json!({"access_token": format!("ya29.do-not-tell-{nth}"), "expires_in": lifetime});
    Reply::json(200, body.to_string())
}

fn bearer(request: &HttpRequest) -> &str {
    request.headers["authorization"].to_str().expect("a text")
}

/// Tokens of an hour from one service, and an upstream A that takes those that `takes` says.
#[expect(clippy::disallowed_methods, reason = "a test keeps what it saw")]
fn with_tokens(takes: fn(&str) -> bool) -> Station {
    let given = Mutex::new(0);
    let upstream = ReplayTransport::answering(move |request, _| match request.url.host() {
        Some("tokens.mock") => {
            let mut given = given.lock().expect("a lock");
            *given += 1;
            token(*given - 1, 3_600)
        }
        Some("a.mock") if takes(bearer(request)) => good('a', false),
        Some("a.mock") => fixtures::error(401, "no such token"),
        _ => fixtures::error(500, "not here"),
    });
    setup().start(upstream)
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_token_is_refused_is_served_with_the_next_one() {
    let station = with_tokens(|bearer| !bearer.ends_with("-0"));
    let only = || ask(json!({"provider": {"only": ["A"]}}));
    // A token that has only just been made is not at fault.
    station.chat(only()).await.error(502);
    assert_eq!(station.asked(), ["tokens", "a"]);
    sleep(Duration::from_secs(301)).await;
    station.chat(only()).await.ok();
    assert_eq!(station.asked(), ["tokens", "a", "a", "tokens", "a"]);
    station.chat(only()).await.ok();
    assert_eq!(station.upstream().calls_to("tokens.mock"), 2);
}

#[tokio::test(start_paused = true)]
async fn tokens_are_replaced_beside_the_requests() {
    let station = with_tokens(|_| true);
    station.chat(ask(json!({}))).await.ok();
    let app = Arc::clone(station.app());
    tokio::select! {
        () = serve::renewals(&app) => unreachable!("it never ends"),
        () = sleep(Duration::from_secs(3_310)) => {}
    }
    assert_eq!(station.asked(), ["tokens", "a", "tokens"]);
    station.chat(ask(json!({}))).await.ok();
    assert_eq!(station.asked(), ["tokens", "a", "tokens", "a"]);
    let last = station.sent().pop().expect("a request");
    assert_eq!(bearer(&last), "Bearer ya29.do-not-tell-1");
}

#[tokio::test(start_paused = true)]
async fn a_token_service_that_fails_or_is_silent_leads_to_the_next_provider() {
    for silent in [false, true] {
        let upstream = ReplayTransport::answering(move |request, _| match request.url.host() {
            Some("tokens.mock") if silent => token(0, 3_600).stall(),
            Some("tokens.mock") => fixtures::error(400, "invalid_grant"),
            Some("c.mock") => good('c', false),
            _ => fixtures::error(500, "not here"),
        });
        let station = setup().start(upstream);
        let begin = tokio::time::Instant::now();
        let wish = json!({"provider": {"order": ["A", "C"]}});
        let got = station.chat(ask(wish)).await;
        assert_eq!(got.json()["provider"], "C");
        assert!(begin.elapsed() <= Duration::from_secs(11));
        let alone = json!({"provider": {"only": ["A"]}});
        station.chat(ask(alone)).await.error(502);
        assert_eq!(station.upstream().calls_to("a.mock"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_has_used_up_its_tokens_is_passed_over_for_a_minute() {
    let upstream = ReplayTransport::answering(|request, _| {
        let letter = request.url.host().and_then(|host| host.chars().next());
        good(letter.unwrap_or('x'), false)
    });
    let station = Setup::mocks()
        .config("[[providers.a.keys]]\napi_key = 'second-key'\ntpm = 10")
        .config("[[providers.a.keys]]\napi_key = 'third-key'\ntpm = 1000000")
        .start(upstream);
    let mut used = Vec::new();
    for _ in 0..9 {
        station.chat(ask(json!({}))).await.ok();
        let last = station.sent().pop().expect("a request");
        used.push(bearer(&last).trim_start_matches("Bearer ").to_owned());
    }
    let of = |key: &str| used.iter().filter(|used| *used == key).count();
    assert_eq!(of("second-key"), 1, "{used:?}");
    assert!(of("third-key") >= 3, "{used:?}");
    sleep(Duration::from_secs(61)).await;
    for _ in 0..3 {
        station.chat(ask(json!({}))).await.ok();
    }
    let again = station.sent().split_off(9);
    assert!(again.iter().any(|sent| bearer(sent) == "Bearer second-key"));
}

/// What each upstream was sent that is secret, which it repeats wherever it may.
fn sent(request: &HttpRequest) -> String {
    match request.headers.get("x-amz-security-token") {
        Some(token) => token.to_str().expect("a text").to_owned(),
        None => bearer(request).trim_start_matches("Bearer ").to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn upstreams_and_token_services_that_repeat_secrets_do_not_make_them_known() {
    let log = Log::default();
    let guard = log.begin();
    let upstream = ReplayTransport::answering(|request, nth| match request.url.host() {
        Some("tokens.mock") if nth % 3 == 0 => {
            let form = String::from_utf8_lossy(&request.body).into_owned();
            let told = json!({"error": form, "error_description": form});
            Reply::json(400, told.to_string())
        }
        Some("tokens.mock") => token(nth, 300),
        Some("c.mock") => fixtures::error(503, "down"),
        _ => {
            let replies = parrots(&sent(request));
            replies[nth % replies.len()].clone()
        }
    });
    let station = setup().start(upstream);
    let mut given = Vec::new();
    for round in 0..2 * parrots("").len() {
        let only = if round % 2 == 0 { "A" } else { "B" };
        let body = json!({"provider": {"only": [only]}, "stream": round % 4 < 2, "user": CANARY,
            "messages": [{"role": "user", "content": CANARY}]});
        let got = station.chat(ask(body)).await;
        given.push(format!("{:?}\n{}", got.headers, got.text()));
        let id = got.header("x-generation-id").unwrap_or("none").to_owned();
        given.push(station.record(&id).await.to_string());
        // Credentials that were refused rest, and tokens expire.
        sleep(Duration::from_secs(600)).await;
    }
    drop(guard);
    for host in ["tokens.mock", "a.mock", "b.mock"] {
        assert!(station.upstream().calls_to(host) > 10, "{host} was asked");
    }
    given.extend([log.text(), metrics::text(station.app())]);
    given.push(format!(
        "{:?} {:?} {:?}",
        station.app().gateway(),
        station.app().live(),
        setup().resolve()
    ));
    let asked = station.sent();
    let secrets = asked.iter().map(sent_or_signed);
    let key = account::PRIVATE_KEY.lines().nth(3).expect("a line");
    for secret in secrets.chain([
        key.into(),
        AWS_KEY.into(),
        AWS_SESSION.into(),
        CANARY.into(),
    ]) {
        assert_absent(&secret, &given);
    }
}

/// The token or the assertion that a request carried.
fn sent_or_signed(request: &HttpRequest) -> String {
    if request.url.host() != Some("tokens.mock") {
        return sent(request);
    }
    let form = String::from_utf8_lossy(&request.body).into_owned();
    let (_, assertion) = form.rsplit_once('=').expect("a form");
    assertion.to_owned()
}
