//! Packing: every entry comes back as it was, whatever is in it.

use proptest::prelude::*;
use waystation_router::DecisionRecord;

use super::*;

/// A decision that has something to say in every member.
fn decision() -> DecisionRecord {
    serde_json::from_value(serde_json::json!({
        "catalog": "2026-11-10",
        "seed": "18446744073709551615",
        "tick_us": 7,
        "unix_ms": 1_795_745_676_787_u64,
        "explore_ppm": 20_000,
        "sticky": "acme/fast|one",
        "cached": 900,
        "ranking": ["acme/fast", "acme/slow"],
        "task": "chat",
        "prompt": {"at_least": 1, "estimate": 2},
        "hints": {
            "input": ["file"],
            "handled": ["image", "audio"],
            "compressible": true,
            "compressible_up_to": 8_192,
        },
        "health": [{
            "model": "acme/fast",
            "endpoint": "one",
            "latency_s": {"p50": 0.25, "p75": 0.5, "p90": 1.0, "p99": 2.000_001},
            "throughput_tps": {"p50": 80.1, "p75": 70.2, "p90": 60.3, "p99": 1e-7},
            "last_30s": {"requests": 10, "errors": 3},
            "tool_calls": {"requests": 5, "errors": 1},
            "latency_estimate_s": 0.3,
            "throughput_estimate_tps": 1e300,
            "open": true,
        }],
    }))
    .unwrap()
}

/// An entry that has something to say in every member.
fn full() -> Entry {
    let text = |text: &str| Some(text.to_owned());
    let mut entry = Entry::new(
        GenerationId::new(1_795_745_676_787, 7),
        UnixMs::new(1_795_745_676_787),
        "gpt-latest".into(),
    );
    entry.upstream_id = Some(JsonText::of("chatcmpl-1 \"\n\u{1f980}"));
    entry.request_id = Some("req-15e798ad5c0666df".into());
    entry.session_id = text("a session \u{1f980}");
    entry.key = Some("key-1".into());
    entry.model = "acme/fast".parse().ok();
    entry.endpoint = "acme/fast|one".parse().ok();
    entry.provider = Some("One".into());
    entry.router = "openrouter/auto".parse().ok();
    entry.choice = RawJson::parse(&Bytes::from_static(
        br#"{"task_type":"chat","candidates":[]}"#,
    ))
    .ok();
    (entry.streamed, entry.cancelled, entry.simulated) = (true, true, true);
    entry.finish = Some(FinishReason::ContentFilter);
    entry.native_finish = Some(JsonText::of("SAFETY"));
    let count = |count| Some(Tokens::new(count));
    let usage = &mut entry.usage;
    (usage.prompt, usage.completion) = (Tokens::new(300), Tokens::new(u64::MAX));
    (usage.total, usage.cached) = (count(1), count(2));
    (usage.cache_write, usage.cache_write_1h) = (count(3), count(4));
    (usage.prompt_audio, usage.prompt_video) = (count(5), count(6));
    (usage.reasoning, usage.completion_audio) = (count(7), count(8));
    (usage.completion_image, usage.accepted_prediction) = (count(9), count(10));
    (usage.rejected_prediction, usage.web_searches) = (count(11), Some(12));
    (usage.upstream_cost, usage.estimated) = (Some(Usd::from_femtos(13)), true);
    entry.cost = Some(Cost {
        prompt: Usd::from_femtos(u128::MAX),
        completion: Usd::from_femtos(1),
    });
    entry.total = Some(Usd::from_femtos(127));
    entry.spent = Spent {
        fee: Usd::from_femtos(128),
        searches: 1,
        tool_calls_requested: 2,
        tool_calls_executed: 3,
    };
    entry.hedge_cost = Some(Usd::from_femtos(129));
    entry.continued_from = vec!["acme/fast|two".parse().unwrap()];
    entry.continued_cost = Some(Usd::from_femtos(130));
    entry.latency = Some(Duration::from_nanos(1));
    entry.generation_time = Some(Duration::from_secs(3_600));
    let attempt = AttemptRecord {
        provider: "One".into(),
        endpoint: "acme/fast|one".parse().unwrap(),
        status: Some(503),
        error: Some(ErrorType::ProviderOverloaded),
        took: Duration::from_millis(20),
    };
    entry.attempts = vec![attempt.clone(), attempt];
    entry.error = Some(ErrorType::Timeout);
    entry.seed = u64::MAX;
    entry.decision = Some(Arc::new(decision()));
    entry.referer = text("https://example.org");
    entry.user_agent = text("");
    entry
}

/// All of it comes back; what is added to an entry and not packed fails here.
#[test]
fn every_member_of_an_entry_is_kept() {
    let entry = full();
    let told = format!("{entry:?}");
    // What a client thinks of an answer comes later: the ledger keeps it beside the packed entries.
    let told = told.replace("feedback: None", "feedback: later");
    for empty in [": None", ": []", ": false"] {
        assert!(
            !told.contains(empty),
            "the test has no value for a member: {told}"
        );
    }
    let (mut segment, mut texts) = (Vec::new(), Texts::new());
    write(&entry, &mut segment, &mut texts);
    let second = segment.len();
    write(&entry, &mut segment, &mut texts);
    for at in [0, second] {
        let again = format!("{:?}", read(&segment, at).unwrap());
        assert_eq!(again.replace("feedback: None", "feedback: later"), told);
    }
    assert!(
        segment.len() - second < second * 2 / 3,
        "texts are there once: {second} and {}",
        segment.len() - second
    );
    let empty = Entry::new(GenerationId::new(1, 1), UnixMs::new(1), String::new());
    let at = segment.len();
    write(&empty, &mut segment, &mut texts);
    let read = read(&segment, at).unwrap();
    assert_eq!(format!("{read:?}"), format!("{empty:?}"));
}

#[test]
fn every_reason_and_every_error_is_kept() {
    let (mut bytes, mut texts) = (Vec::new(), Texts::new());
    for reason in FINISHES {
        for kind in ErrorType::ALL {
            let at = bytes.len();
            let mut to = Writer {
                bytes: &mut bytes,
                texts: &mut texts,
            };
            reason.pack(&mut to);
            kind.pack(&mut to);
            let mut from = Reader {
                segment: &bytes,
                at,
            };
            assert_eq!(FinishReason::unpack(&mut from), Some(reason));
            assert_eq!(ErrorType::unpack(&mut from), Some(kind));
        }
    }
}

/// Nobody but the router makes decisions today; one of another sort is kept as it tells itself.
#[test]
fn a_decision_of_another_sort_is_kept_as_json() {
    let told = br#"{"catalog":"2026-11-10","health":[{"model":"a,b"},{"model":"a,b"}]}"#;
    let mut entry = Entry::new(GenerationId::new(1, 1), UnixMs::new(1), String::new());
    let told = RawJson::parse(&Bytes::from_static(told)).unwrap();
    entry.decision = Some(Arc::new(told.clone()));
    let (mut segment, mut texts) = (Vec::new(), Texts::new());
    write(&entry, &mut segment, &mut texts);
    let again = read(&segment, 0).unwrap();
    assert_eq!(again.decision.unwrap().told().bytes(), told.bytes());
}

proptest! {
    /// To the bit, whether they count millionths or not.
    #[test]
    fn figures_come_back(any in any::<u64>(), millionths in any::<u32>()) {
        let figures = [f64::from_bits(any), f64::from(millionths) / 1e6, f64::NAN, -0.0, 0.1];
        for figure in figures {
            let (mut bytes, mut texts) = (Vec::new(), Texts::new());
            figure.pack(&mut Writer { bytes: &mut bytes, texts: &mut texts });
            let again = f64::unpack(&mut Reader { segment: &bytes, at: 0 });
            prop_assert_eq!(again.map(f64::to_bits), Some(figure.to_bits()));
        }
    }

    /// Whatever the texts are, and however often they displace one another.
    #[test]
    fn texts_and_numbers_come_back(
        texts in prop::collection::vec((".{0,12}", any::<u128>()), 0..200),
    ) {
        let (mut bytes, mut known) = (Vec::new(), Texts::new());
        let mut places = Vec::new();
        for (text, number) in &texts {
            places.push(bytes.len());
            let mut to = Writer { bytes: &mut bytes, texts: &mut known };
            text.pack(&mut to);
            to.number(*number);
        }
        for (at, (text, number)) in places.into_iter().zip(&texts) {
            let mut from = Reader { segment: &bytes, at };
            prop_assert_eq!(String::unpack(&mut from), Some(text.clone()));
            prop_assert_eq!(from.number(), Some(*number));
        }
    }

    /// Bytes that nobody wrote are nothing, and no panic.
    #[test]
    fn other_bytes_are_no_entry(bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0_usize..500) {
        let _ = read(&bytes, at);
    }
}
