//! Conversations that stay where their prompt is cached. Contract, section 9.3, statement 135.

use std::time::Duration;

use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, fixtures};
use waystation_tests::{Setup, Station, with_usage};

/// Twelve equally priced providers of one model, all of which read caches for a tenth.
fn setup() -> Setup {
    crowd(r#"cache_read = "0.1""#)
}

fn crowd(cache: &str) -> Setup {
    let mut config = String::from("[catalog]\nbundled = false\n[[models]]\nid = \"acme/m\"\n");
    for number in 0..12 {
        let comma = if cache.is_empty() { "" } else { ", " };
        config.push_str(&format!(
            "[[models.endpoints]]\nprovider = \"p{number}\"\nmodel = \"m\"\n\
             price = {{ prompt = \"1\", completion = \"1\"{comma}{cache} }}\n"
        ));
    }
    for number in 0..12 {
        config.push_str(&format!(
            "[providers.p{number}]\nname = \"P{number}\"\ndialect = \"openai-chat\"\n\
             base_url = \"http://p{number}.mock/v1\"\napi_key = \"key-of-p{number}\"\n"
        ));
    }
    Setup::empty().config(&config)
}

fn plain() -> ReplayTransport {
    ReplayTransport::answering(|_, _| fixtures::answer("Hi", 2_000, 2))
}

fn cached() -> ReplayTransport {
    ReplayTransport::answering(|_, _| {
        with_usage(
            json!({"prompt_tokens": 2_000, "completion_tokens": 2, "total_tokens": 2_002,
                          "prompt_tokens_details": {"cached_tokens": 1_900}}),
        )
    })
}

fn body(more: Value) -> Value {
    waystation_tests::asking("acme/m", more)
}

/// Who serves `times` requests like this one.
async fn served(station: &Station, more: &Value, times: usize) -> Vec<String> {
    let mut served = Vec::new();
    for _ in 0..times {
        let reply = station.chat(body(more.clone())).await.ok();
        served.push(reply["provider"].as_str().unwrap().to_owned());
    }
    served
}

fn all_alike(served: &[String]) -> bool {
    served.iter().all(|provider| *provider == served[0])
}

#[tokio::test(start_paused = true)]
async fn s135_a_session_id_pins_the_endpoint() {
    for key in ["session_id", "prompt_cache_key"] {
        let station = setup().start(plain());
        let one = served(&station, &json!({key: "one"}), 20).await;
        assert!(all_alike(&one), "{one:?}");
        // Without a key, and without a sign of a cache, the draw goes on.
        assert!(!all_alike(&served(&station, &json!({}), 20).await));
    }
}

#[tokio::test(start_paused = true)]
async fn s135_the_header_pins_too_and_the_body_beats_it() {
    let station = setup().start(plain());
    let send = |session: &'static str, more: Value| {
        let mut request = Station::request(
            http::Method::POST,
            "/v1/chat/completions",
            body(more).to_string(),
        );
        let value = session.parse().unwrap();
        request.headers_mut().insert("x-session-id", value);
        station.whole(request)
    };
    let first = send("s", json!({})).await.ok()["provider"].clone();
    for _ in 0..10 {
        assert_eq!(send("s", json!({})).await.ok()["provider"], first);
    }
    let own = served(&station, &json!({"session_id": "other"}), 1).await;
    for _ in 0..10 {
        let reply = send("s", json!({"session_id": "other"})).await.ok();
        assert_eq!(reply["provider"], own[0].as_str());
    }
}

#[tokio::test(start_paused = true)]
async fn s135_the_pin_lasts_ten_minutes_after_the_last_success() {
    let station = setup().start(plain());
    let session = json!({"session_id": "s"});
    let first = served(&station, &session, 1).await;
    for _ in 0..5 {
        tokio::time::advance(Duration::from_secs(590)).await;
        assert_eq!(served(&station, &session, 1).await, first);
    }
    let mut seen = Vec::new();
    for _ in 0..20 {
        tokio::time::advance(Duration::from_secs(601)).await;
        seen.extend(served(&station, &session, 1).await);
    }
    assert!(!all_alike(&seen), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn s135_an_order_disables_the_pin() {
    let station = setup().start(plain());
    let session = json!({"session_id": "s"});
    let pinned = served(&station, &session, 1).await;
    let other = if pinned[0] == "P3" { "p4" } else { "p3" };
    let ordered = json!({"session_id": "s", "provider": {"order": [other]}});
    assert_eq!(served(&station, &ordered, 1).await[0].to_lowercase(), other);
}

#[tokio::test(start_paused = true)]
async fn a_pin_does_not_survive_a_filter_or_a_failure() {
    let station = setup().start(plain());
    let session = json!({"session_id": "s"});
    let pinned = served(&station, &session, 1).await[0].to_lowercase();
    let ignored = json!({"session_id": "s", "provider": {"ignore": [pinned]}});
    for other in served(&station, &ignored, 5).await {
        assert_ne!(other.to_lowercase(), pinned);
    }
    // A failure is no success: what serves in its place is pinned from then on.
    let failing = setup().start(ReplayTransport::answering(move |request, number| {
        let first = number == 0 || request.url.host() == Some("never.mock");
        if first {
            fixtures::error(500, "down")
        } else {
            fixtures::answer("Hi", 2_000, 2)
        }
    }));
    let again = served(&failing, &session, 5).await;
    assert!(all_alike(&again), "{again:?}");
    let asked = failing.asked();
    assert_ne!(asked[0], asked[1]);
}

#[tokio::test(start_paused = true)]
async fn without_a_key_an_answer_that_shows_a_cache_pins_the_conversation() {
    let station = setup().start(cached());
    let opening = json!({"messages": [{"role": "system", "content": "Be brief"},
                                      {"role": "user", "content": "Hi"}]});
    let later = json!({"messages": [{"role": "system", "content": "Be brief"},
                                    {"role": "user", "content": "Hi"},
                                    {"role": "assistant", "content": "Ho"},
                                    {"role": "user", "content": "And?"}]});
    let mut turns = served(&station, &opening, 1).await;
    turns.extend(served(&station, &later, 10).await);
    assert!(all_alike(&turns), "{turns:?}");
    let others = (0..20).map(|number| {
        json!({"messages": [
        {"role": "user", "content": format!("Conversation {number}")}]})
    });
    let mut seen = Vec::new();
    for other in others {
        seen.extend(served(&station, &other, 1).await);
    }
    assert!(!all_alike(&seen), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_is_no_cheaper_pins_nothing() {
    for cache in ["", r#"cache_read = "1""#] {
        let station = crowd(cache).start(cached());
        let served = served(&station, &json!({"session_id": "s"}), 20).await;
        assert!(!all_alike(&served), "{cache}: {served:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unnamed_conversation_leaves_when_that_costs_less() {
    // A is dear, but has most of the prompt in its cache; B is cheaper for a new prompt.
    let priced = |b: &str| {
        let config = format!(
            r#"
            [catalog]
            bundled = false
            [providers.a]
            name = "A"
            dialect = "openai-chat"
            base_url = "http://a.mock/v1"
            api_key = "key-of-a"
            [providers.b]
            name = "B"
            dialect = "openai-chat"
            base_url = "http://b.mock/v1"
            api_key = "key-of-b"
            [[models]]
            id = "acme/m"
            [[models.endpoints]]
            provider = "a"
            model = "m"
            price = {{ prompt = "4", completion = "4", cache_read = "0.4" }}
            [[models.endpoints]]
            provider = "b"
            model = "m"
            price = {{ prompt = "{b}", completion = "{b}" }}
            "#
        );
        Setup::empty().config(&config)
    };
    let words = "word ".repeat(2_000);
    let prompt = json!({"messages": [{"role": "user", "content": words}]});
    for (b, expected) in [("3", "A"), ("0.5", "B")] {
        let station = priced(b).start(cached());
        let mut first = prompt.clone();
        first["provider"] = json!({"order": ["a"]});
        assert_eq!(served(&station, &first, 1).await, ["A"]);
        let mut second = prompt.clone();
        second["provider"] = json!({"sort": "price"});
        assert_eq!(served(&station, &second, 1).await, [expected], "B at {b}");
    }
}
