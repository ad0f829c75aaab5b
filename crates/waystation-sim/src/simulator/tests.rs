//! The simulator is a function of request and seed, and its streams take plausible time.

use futures_util::StreamExt;
use proptest::prelude::*;
use waystation_core::{Json, PoolKey, SendLimits, Transport};

use super::*;
use crate::{SimTransport, strategies::any_chat_body};

const URL: &str = "https://sim.invalid/v1/chat/completions";

fn request(url: &str, body: &str) -> HttpRequest {
    HttpRequest::post_json(url, body.to_owned().into()).unwrap()
}

fn hello(stream: bool) -> HttpRequest {
    let body = r#"{"model": "m", "messages": [{"role": "user", "content": "Hello"}], "stream": "#;
    request(URL, &format!("{body}{stream}}}"))
}

proptest! {
    #[test]
    fn equal_seeds_give_equal_replies(body in any_chat_body(), seed: u64) {
        let request = request(URL, &body.to_string());
        let (one, other) = (Simulator::new(seed).handle(&request), Simulator::new(seed).handle(&request));
        prop_assert_eq!(&one.pieces, &other.pieces);
        prop_assert_eq!(one.delay, other.delay);
        prop_assert_eq!(one.head.status, 200);
        for (_, piece) in &one.pieces {
            let data = piece.strip_prefix(b"data: ").unwrap_or(piece);
            let end = matches!(data, b"[DONE]\n\n");
            prop_assert!(end || Json::parse(data).is_ok());
        }
    }

    #[test]
    fn no_body_does_harm(body in prop::collection::vec(any::<u8>(), 0..80)) {
        let request = HttpRequest::post_json(URL, body.into()).unwrap();
        let reply = Simulator::new(1).handle(&request);
        prop_assert!(Json::parse(&reply.body()).is_ok());
    }
}

#[test]
fn another_seed_says_something_else() {
    let say = |seed| Simulator::new(seed).handle(&hello(false)).body();
    let texts: std::collections::BTreeSet<_> = (0..20).map(say).collect();
    assert!(texts.len() > 1);
}

#[test]
fn unknown_paths_and_methods_are_refused_in_the_envelope() {
    let simulator = Simulator::new(7);
    let lost = simulator.handle(&request("https://sim.invalid/v1/embeddings", "{}"));
    assert_eq!(lost.head.status, 404);
    assert!(
        Json::parse(&lost.body())
            .unwrap()
            .at(&["error", "message"])
            .is_some()
    );
    let mut get = hello(false);
    get.method = Method::GET;
    assert_eq!(simulator.handle(&get).head.status, 405);
    assert!(lost.head.headers.contains_key("x-waystation-simulated"));
}

#[test]
fn a_server_may_hand_over_the_path_alone() {
    let script = "[[rule]]\nmatch = { host = \"mock.local\" }\nstatus = 503";
    let simulator = Simulator::new(7).with_script(script.parse().unwrap());
    let mut request = hello(false);
    request.url = "/v1/chat/completions".parse().unwrap();
    assert_eq!(simulator.handle(&request).head.status, 200);
    let host = "mock.local:8900".parse().unwrap();
    request.headers.insert(header::HOST, host);
    assert_eq!(simulator.handle(&request).head.status, 503);
}

#[test]
fn a_stream_starts_soon_and_goes_on_at_a_readers_pace() {
    for seed in 0..30 {
        let reply = Simulator::new(seed).handle(&hello(true));
        assert!((200..=500).contains(&reply.delay.as_millis()));
        let bytes = reply.body().len();
        assert!(bytes > 1000);
        // About 50 tokens, at 40 to 120 a second, give or take the jitter.
        let millis = reply.duration().as_millis() - reply.delay.as_millis();
        assert!((200..2_500).contains(&millis), "{millis} ms");
    }
    let whole = Simulator::new(3).handle(&hello(false));
    assert!(
        whole.delay.as_millis() > 500,
        "a whole reply comes when it is complete"
    );
}

#[tokio::test(start_paused = true)]
async fn the_transport_waits_as_long_as_the_reply_says() {
    let simulator = Simulator::new(7);
    let (delay, duration, body) = {
        let reply = simulator.handle(&hello(true));
        (reply.delay, reply.duration(), reply.body())
    };
    let transport = SimTransport::new(simulator);
    let limits = SendLimits {
        connect: std::time::Duration::from_secs(1),
        head: None,
        pool: PoolKey("any".into()),
    };
    let start = tokio::time::Instant::now();
    let mut stream = transport.send(hello(true), limits).await.unwrap();
    // Timers count whole milliseconds, so each piece may come up to one later.
    let slack = std::time::Duration::from_millis(2);
    assert!(start.elapsed() >= delay && start.elapsed() <= delay + slack);
    let mut bytes = Vec::new();
    let mut pieces = 0;
    while let Some(piece) = stream.body.next().await {
        bytes.extend_from_slice(&piece.unwrap());
        pieces += 1;
    }
    assert_eq!(bytes, body);
    let slack = std::time::Duration::from_millis(pieces + 2);
    assert!(start.elapsed() >= duration && start.elapsed() <= duration + slack);
}
