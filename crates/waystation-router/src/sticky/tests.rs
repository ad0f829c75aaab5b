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

/// A conversation by its key alone.
fn keyed(key: u64) -> Conversation {
    Conversation {
        key,
        named: true,
        idle: IDLE,
    }
}

fn id(number: u64) -> EndpointId {
    format!("acme/m{number}|a").parse().unwrap()
}

#[test]
fn memory_is_bounded_and_a_conversation_that_goes_on_stays() {
    let (table, one) = (StickyTable::default(), id(1));
    let ms = |number| Tick::from_micros(number * 1_000);
    for number in 1..160_000 {
        table.remember(&keyed(number), &one, None, ms(number));
        if number % 1_000 == 0 {
            table.remember(&keyed(0), &one, None, ms(number));
        }
    }
    assert!(table.len() <= 65_536);
    assert!(table.recall(&keyed(0), ms(160_000)).is_some());
    assert_eq!(table.recall(&keyed(1), ms(160_000)), None);
}

#[test]
fn a_table_that_nobody_uses_takes_no_memory() {
    let table = StickyTable::default();
    assert_eq!(table.recall(&keyed(1), at(1)), None);
    assert!(table.is_empty() && table.0.load().is_none());
}

#[test]
fn in_a_full_set_the_ended_one_goes_before_the_quietest() {
    let set = memory::set_of(0);
    let mut keys = (0..).filter(|key| memory::set_of(*key) == set).map(keyed);
    let table = StickyTable::default();
    let mut long = keys.next().unwrap();
    long.idle = LONGEST;
    table.remember(&long, &id(0), None, at(0));
    let others: Vec<Conversation> = keys.by_ref().take(memory::WAYS + 1).collect();
    for (number, other) in (1..).zip(&others[..memory::WAYS - 1]) {
        table.remember(other, &id(number), None, at(number));
    }
    let known = |now| {
        let known = |other| table.recall(other, now).is_some();
        (known(&long), others.iter().map(known).collect::<Vec<_>>())
    };
    // The first of the others has ended, and the long one has not.
    table.remember(&others[7], &id(8), None, at(601));
    assert!(table.recall(&long, at(601)).is_some() && table.len() == memory::WAYS);
    let now = at(602);
    assert_eq!(
        known(now).1,
        [false, false, true, true, true, true, true, true, false]
    );
    // The second has, too, and then nobody.
    table.remember(&others[8], &id(9), None, now);
    table.remember(&others[0], &id(1), None, now);
    assert_eq!(
        known(now),
        (
            false,
            vec![true, false, true, true, true, true, true, true, true]
        )
    );
}

#[test]
fn endpoints_beyond_what_can_be_told_apart_begin_anew() {
    let table = StickyTable::default();
    let most = crate::MAX_ENDPOINTS as u64;
    for number in 0..most {
        table.remember(&keyed(number % 100), &id(number), None, at(0));
    }
    let stuck = |key| table.recall(&keyed(key), at(1)).map(|stuck| stuck.endpoint);
    assert_eq!(stuck((most - 1) % 100), Some(id(most - 1)));
    table.remember(&keyed(100), &id(most), None, at(0));
    assert_eq!(
        (stuck(0), stuck(100), table.len()),
        (None, Some(id(most)), 1)
    );
}

/// Threads write a few conversations of one set over and over, so that nearly every read meets a write.
/// What comes back tells whose it is, and when it was written.
#[test]
fn nothing_is_recalled_that_nobody_remembered() {
    const ROUNDS: u64 = 10_000;
    let set = memory::set_of(0);
    let keys = (0..).filter(|key| memory::set_of(*key) == set);
    let keys: Vec<u64> = keys.take(memory::WAYS + 2).collect();
    let (table, ids) = (StickyTable::default(), (0..7).map(id).collect::<Vec<_>>());
    let stuck = |key: u64, round: u64| Stuck {
        endpoint: ids[usize::try_from((key + round) % 7).unwrap()].clone(),
        cached: Some(Tokens::new(round * 1_000_000 + key % 1_000_000)),
    };
    let found = std::sync::atomic::AtomicU64::new(0);
    let hammer = |thread: u64| {
        for round in 0..ROUNDS {
            let key = keys[usize::try_from(round * 7 + thread).unwrap() % keys.len()];
            let Stuck { endpoint, cached } = stuck(key, round);
            table.remember(&keyed(key), &endpoint, cached, at(round));
            for key in &keys {
                // Early enough for whatever was written to last, and late enough for some to have ended.
                for now in [0, round + 300] {
                    let Some(back) = table.recall(&keyed(*key), at(now)) else {
                        continue;
                    };
                    found.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let written = back.cached.unwrap().get() / 1_000_000;
                    assert_eq!(back, stuck(*key, written), "torn");
                    assert!(now < written + 600, "{now} is too late for {written}");
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || hammer(thread));
        }
    });
    assert!(found.into_inner() > ROUNDS);
}

/// A step of the law below.
#[derive(Clone, Debug)]
enum Step {
    Remember(u64, u64, Option<u64>, u64),
    Recall(u64),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let cached = prop::option::of(0..1_u64 << 47);
    prop_oneof![
        (0..40_u64, 0..9_u64, cached, 10..=720_u64).prop_map(|(key, endpoint, cached, minutes)| {
            Step::Remember(key, endpoint, cached, minutes)
        }),
        (0..40_u64).prop_map(Step::Recall),
        (0..20_000_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What was remembered last is recalled, to the millisecond, until its time is over.
    #[test]
    fn a_conversation_sticks_to_its_last_endpoint_until_its_time_is_over(
        start in 0..1_u64 << 52, steps in prop::collection::vec(step(), 1..200),
    ) {
        let (table, mut last) = (StickyTable::default(), std::collections::HashMap::new());
        let mut ms = start / 1_000;
        for step in steps {
            let now = Tick::from_micros(ms * 1_000);
            match step {
                Step::Remember(key, endpoint, cached, minutes) => {
                    let mut conversation = keyed(key);
                    conversation.idle = Duration::from_secs(minutes * 60);
                    let cached = cached.map(Tokens::new);
                    table.remember(&conversation, &id(endpoint), cached, now);
                    let until = now.plus(conversation.idle);
                    last.insert(key, (Stuck { endpoint: id(endpoint), cached }, until));
                }
                Step::Recall(key) => {
                    let known = last.get(&key).filter(|(_, until)| now < *until);
                    let known = known.map(|(stuck, _)| stuck.clone());
                    prop_assert_eq!(table.recall(&keyed(key), now), known);
                }
                Step::Wait(seconds) => ms += seconds * 100,
            }
        }
        for (key, (stuck, until)) in last {
            let ended = until.micros();
            let recall = |micros| table.recall(&keyed(key), Tick::from_micros(micros));
            prop_assert_eq!(recall(ended), None);
            prop_assert_eq!(recall(ended - 1_000), Some(stuck));
        }
    }

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
