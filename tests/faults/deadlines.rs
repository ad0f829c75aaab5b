//! Time: what may take long and still succeeds in one call, and which limit ends what may not.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use waystation_sim::{ReplayTransport, Reply};
use waystation_tests::{Setup, Station, ask};

use crate::{
    exchange::{Exchange, Seen, exchange, station},
    fault::{TOKENS, counts, finish, good, late, length, pieces, role, said, texts, word},
};

const MINUTE: Duration = Duration::from_secs(60);

fn answers(replies: impl IntoIterator<Item = Reply>) -> Station {
    let hosts = ReplayTransport::hosts().at("a.mock", replies);
    station(hosts.at("b.mock", [good('b', true)]))
}

fn complete(got: &Exchange) {
    let text = said('a', TOKENS);
    let (provider, finish) = ("A".to_owned(), "stop".to_owned());
    assert_eq!(
        got.seen,
        Seen::Answer {
            provider,
            text,
            finish
        },
        "{got:?}"
    );
    assert_eq!(got.asked, "a");
}

fn thinking() -> Value {
    json!({"reasoning": {"effort": "high"}})
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_of_90_seconds_takes_one_call() {
    for reply in [
        good('a', false).delay(90_000),
        late('a', false, 90, 0),
        late('a', false, 30, 2),
    ] {
        let got = exchange(&answers([reply]), false, json!({})).await;
        complete(&got);
        assert_eq!(got.took, Duration::from_secs(90));
    }
}

#[tokio::test(start_paused = true)]
async fn five_minutes_of_thinking_take_one_call_in_silence_with_pings_and_aloud() {
    let aloud = || {
        let thought = waystation_tests::event(json!({"reasoning_content": "hm "}), None);
        let words = pieces('a')
            .into_iter()
            .map(|piece| word(&piece))
            .collect::<Vec<_>>();
        let thoughts = vec![thought; 20];
        let ends = vec![finish("stop"), counts(), "[DONE]".to_owned()];
        let events = [vec![role()], thoughts, words, ends].concat();
        // 15 seconds between any two.
        Reply::sse(events).gap(15_000)
    };
    for reply in [late('a', true, 300, 0), late('a', true, 15, 19), aloud()] {
        let got = exchange(&answers([reply]), true, thinking()).await;
        complete(&got);
        assert!(got.took >= 5 * MINUTE, "{:?}", got.took);
        assert!(got.comments > 0, "{}", got.body);
    }
    let got = exchange(
        &answers([good('a', false).delay(300_000)]),
        false,
        thinking(),
    )
    .await;
    complete(&got);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_reasons_unasked_is_waited_for_while_it_gives_signs_of_life() {
    let setup = Setup::empty().env("OPENAI_API_KEY", "an-openai-key");
    let body = || {
        let mut body = ask(json!({"stream": true}));
        body["model"] = json!("openai/gpt-5.4");
        body
    };
    let alive = setup.start(ReplayTransport::queue([late('a', true, 15, 19)]));
    assert_eq!(alive.stream(body()).await.content(), said('a', TOKENS));
    let silent = setup.start(ReplayTransport::answering(|_, _| late('a', true, 300, 0)));
    let begin = Instant::now();
    let got = silent.stream(body()).await;
    assert_eq!(got.chunks()[0]["error"]["code"], 503, "{}", got.text());
    assert_eq!(begin.elapsed(), MINUTE);
    // Lowered by the operator, the limit holds.
    let strict = setup.config("[timeouts]\nfirst_token = 20000");
    let strict = strict.start(ReplayTransport::answering(|_, _| late('a', true, 15, 19)));
    let begin = Instant::now();
    let got = strict.stream(body()).await;
    assert_eq!(got.chunks()[0]["error"]["code"], 503, "{}", got.text());
    assert_eq!(begin.elapsed(), Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn ten_minutes_of_trickle_survive() {
    let got = exchange(&answers([good('a', true).gap(10_000)]), true, json!({})).await;
    complete(&got);
    assert!(got.took > 10 * MINUTE, "{:?}", got.took);
}

#[tokio::test(start_paused = true)]
async fn a_gap_beyond_the_idle_limit_ends_a_stream_and_one_just_below_does_not() {
    let stream = |gap: u64| good('a', true).gap(gap);
    complete(&exchange(&answers([stream(59_900)]), true, json!({})).await);
    let stalls = good('a', true).stall_after(length(&texts('a'), 11));
    let got = exchange(&answers([stalls]), true, json!({})).await;
    let (provider, text, kind) = ("A".to_owned(), said('a', 10), "timeout".to_owned());
    assert_eq!(
        got.seen,
        Seen::Broken {
            provider,
            text,
            kind
        }
    );
    assert_eq!(got.error["code"], 504);
    assert_eq!((got.took, got.asked.as_str()), (MINUTE, "a"));
}

/// Interfaces, `[timeouts]`: each limit is a setting, for all providers or for one.
#[tokio::test(start_paused = true)]
async fn every_limit_is_a_setting_and_a_providers_own_comes_first() {
    let slow = |_: &_, _| late('a', true, 7, 0).delay(7_000);
    for (config, took) in [
        ("[timeouts]\nfirst_byte = 5000", 5),
        ("[timeouts]\nfirst_token = 9000", 9),
        ("[timeouts]\nidle = 3000", 10),
        (
            "[timeouts]\nidle = 1000\n[providers.a.timeouts]\nidle = 4000",
            11,
        ),
    ] {
        let setup = Setup::mocks().config(config);
        let station = setup.start(ReplayTransport::answering(slow));
        let wish = json!({"provider": {"only": ["A"]}, "stream": true});
        let begin = Instant::now();
        let got = station.open(ask(wish)).await.rest().await;
        assert!(
            got.text().contains("provider_overloaded"),
            "{config}: {}",
            got.text()
        );
        assert_eq!(begin.elapsed().as_secs(), took, "{config}");
    }
    let setup = Setup::mocks().config("[timeouts]\nwhole = 4000");
    let station = setup.start(ReplayTransport::answering(|_, _| {
        good('a', false).delay(5_000)
    }));
    let wish = json!({"provider": {"only": ["A"]}});
    assert_eq!(
        station.chat(ask(wish)).await.error(503)["metadata"]["previous_errors"][0]["code"],
        504
    );
}

/// Decisions, "Deadlines": what timed out after it was sent is repeated once at most, elsewhere.
#[tokio::test(start_paused = true)]
async fn a_whole_answer_that_is_late_is_asked_for_elsewhere_once() {
    let upstream = ReplayTransport::answering(|_, _| good('a', false).delay(10_000_000));
    let got = exchange(&station(upstream), false, json!({})).await;
    assert_eq!((got.asked.as_str(), got.failures()), ("ab", vec![504, 504]));
    assert_eq!(got.took, 15 * MINUTE, "600 s, and what is left of 900 s");
    let attempts = got.record["provider_responses"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "both are accounted for");
}

/// Section 1.8: silence is bridged with comments, before the first token and after it.
#[tokio::test(start_paused = true)]
async fn comments_keep_a_waiting_client_company_and_fast_failures_keep_their_status() {
    let got = exchange(&answers([good('a', true).delay(45_000)]), true, json!({})).await;
    complete(&got);
    assert_eq!(got.comments, 3, "after 10 s, then every 15 s: {}", got.body);
    let down = || waystation_sim::fixtures::error(503, "no capacity");
    let upstream = ReplayTransport::answering(move |_, _| down().delay(3_000));
    let got = exchange(&station(upstream), true, json!({})).await;
    assert_eq!((got.failures(), got.comments), (vec![503; 3], 0));
    let kind = "provider_overloaded".to_owned();
    assert_eq!(
        got.seen,
        Seen::Error {
            status: 503,
            kind,
            in_band: false
        }
    );
}
