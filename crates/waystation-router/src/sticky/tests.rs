//! What a conversation is known by, how long, and which answers count.

use proptest::prelude::*;
use waystation_core::Price;

use super::*;

fn chat(members: &str) -> ChatRequest {
    let body = format!(
        r#"{{"messages": [{{"role": "system", "content": "Be brief"}},
                          {{"role": "user", "content": "Hi"}}]{members}}}"#
    );
    ChatRequest::parse(&body.into()).unwrap()
}

fn conversation(members: &str, header: Option<&str>) -> Conversation {
    Conversation::of(&chat(members), header, ("key-1", "acme/fast")).unwrap()
}

/// How long the conversation of `chat` is remembered.
fn kept(chat: &ChatRequest) -> Duration {
    idle(chat, Messages::of(chat).cached_for)
}

fn at(seconds: u64) -> Tick {
    Tick::from_micros(seconds * 1_000_000)
}

/// An endpoint that reads a prompt for 1 and its cache for `read`.
fn endpoint(read: Option<&str>) -> Endpoint {
    let catalog = crate::rules::tests::one_endpoint();
    let model = catalog.models().next().unwrap();
    let mut endpoint = model.endpoints[0].clone();
    let one = "1".parse().unwrap();
    endpoint.price = Price::simple(one, one);
    endpoint.price.rates.cache_read = read.map(|read| read.parse().unwrap());
    endpoint
}

fn usage(cached: Option<u64>) -> Usage {
    let mut usage = Usage::default();
    usage.prompt = Tokens::new(1_000);
    usage.cached = cached.map(Tokens::new);
    usage
}

#[test]
fn the_body_names_the_session_before_the_header_before_the_cache_key() {
    let all = r#", "session_id": "a", "prompt_cache_key": "c""#;
    assert_eq!(
        conversation(all, Some("b")),
        conversation(r#", "session_id": "a""#, None)
    );
    let key = r#", "prompt_cache_key": "c""#;
    assert_eq!(conversation(key, Some("b")), conversation("", Some("b")));
    assert_ne!(conversation(key, None), conversation("", None));
}

#[test]
fn without_a_name_the_opening_tells_and_later_turns_do_not() {
    let turn = |more: &str, system: &str| {
        let body = format!(
            r#"{{"messages": [{{"role": "developer", "content": "{system}"}},
                              {{"role": "user", "content": "Hi"}}{more}]}}"#
        );
        let chat = ChatRequest::parse(&body.into()).unwrap();
        Conversation::of(&chat, None, ("", "acme/fast")).unwrap()
    };
    let later = r#", {"role": "assistant", "content": "Ho"}, {"role": "user", "content": "And?"}"#;
    assert_eq!(turn("", "x"), turn(later, "x"));
    assert_ne!(turn("", "x"), turn("", "y"));
}

#[test]
fn clients_and_models_are_apart() {
    let of = |client, model| Conversation::of(&chat(""), Some("s"), (client, model)).unwrap();
    assert_ne!(of("key-1", "a/b"), of("key-2", "a/b"));
    assert_ne!(of("key-1", "a/b"), of("key-1", "a/c"));
}

#[test]
fn ten_minutes_of_idleness_end_it_and_every_success_renews_it() {
    let (table, session) = (StickyTable::default(), conversation("", Some("s")));
    let one = endpoint(Some("0.1"));
    table.served(&session, &one, &usage(None), at(0));
    table.served(&session, &one, &usage(None), at(500));
    assert!(table.recall(&session, at(1_099)).is_some());
    assert_eq!(table.recall(&session, at(1_100)), None);
}

#[test]
fn a_prompt_that_is_cached_for_an_hour_is_remembered_for_an_hour() {
    let (table, one) = (StickyTable::default(), endpoint(Some("0.1")));
    let hour = conversation(
        r#", "cache_control": {"type": "ephemeral", "ttl": "1h"}"#,
        Some("s"),
    );
    table.served(&hour, &one, &usage(None), at(0));
    assert!(table.recall(&hour, at(3_599)).is_some());
    let part = r#"{"messages": [{"role": "user", "content": [{"type": "text", "text": "x",
        "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}]}"#;
    let part = ChatRequest::parse(&part.into()).unwrap();
    assert_eq!(kept(&part), Duration::from_secs(3_600));
    assert_eq!(kept(&chat("")), IDLE);
}

#[test]
fn without_a_name_only_an_answer_that_shows_cache_usage_counts() {
    let (table, unnamed) = (StickyTable::default(), conversation("", None));
    let one = endpoint(Some("0.1"));
    table.served(&unnamed, &one, &usage(None), at(0));
    table.served(&unnamed, &one, &usage(Some(0)), at(0));
    assert!(table.is_empty());
    table.served(&unnamed, &one, &usage(Some(900)), at(0));
    let stuck = table.recall(&unnamed, at(1)).unwrap();
    assert_eq!(
        (stuck.endpoint, stuck.cached),
        (one.id, Some(Tokens::new(900)))
    );
}

#[test]
fn an_endpoint_whose_cache_is_no_cheaper_does_not_count() {
    let (table, session) = (StickyTable::default(), conversation("", Some("s")));
    for read in [None, Some("1"), Some("2")] {
        table.served(&session, &endpoint(read), &usage(Some(900)), at(0));
    }
    assert!(table.is_empty());
}

#[test]
fn memory_is_bounded_and_a_conversation_that_goes_on_stays() {
    let (table, id) = (StickyTable::default(), "acme/fast|a".parse().unwrap());
    let numbered = |number: usize| Conversation {
        key: number as u64,
        named: true,
        idle: IDLE,
    };
    for number in 1..5 * HALF {
        table.remember(&numbered(number), &id, None, at(0));
        if number % 1_000 == 0 {
            table.remember(&numbered(0), &id, None, at(0));
        }
    }
    assert!(table.len() <= 2 * HALF);
    assert!(table.recall(&numbered(0), at(1)).is_some());
    assert_eq!(table.recall(&numbered(1), at(1)), None);
}

proptest! {
    #[test]
    fn no_request_panics(ttl in ".{0,6}", text in ".{0,10}") {
        let members = serde_json::json!({
            "messages": [{"role": "user", "content": text}],
            "cache_control": {"type": "ephemeral", "ttl": ttl},
        });
        if let Ok(chat) = ChatRequest::parse(&members.to_string().into()) {
            prop_assert!(kept(&chat) >= IDLE && kept(&chat) <= LONGEST);
        }
    }
}
