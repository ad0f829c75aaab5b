//! `waystation: {hedge: true}`: a second attempt beside a slow one. One answer, one bill for it, and
//! the loser's cost told apart.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::{Setup, Station, ask, literal};

use crate::{
    exchange::{Exchange, Seen, exchange, station},
    fault::{EVER, TOKENS, good, said},
};

/// A's first token takes a second, ten times; after that its replies are these. B's is always this.
async fn measured(then: impl IntoIterator<Item = Reply>, b: Reply) -> Station {
    let usual = vec![good('a', true).delay(1_000); 10];
    let replies = usual.into_iter().chain(then);
    let station = station(
        ReplayTransport::hosts()
            .at("a.mock", replies)
            .at("b.mock", [b]),
    );
    for _ in 0..10 {
        exchange(&station, true, json!({})).await;
    }
    station
}

fn hedged(more: Value) -> Value {
    let mut body = json!({"provider": {"only": ["A", "B"]}, "waystation": {"hedge": true}});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

fn served(got: &Exchange, letter: char) {
    let Seen::Answer { provider, text, .. } = &got.seen else {
        panic!("expected an answer, found {:?}", got.seen)
    };
    assert_eq!(*provider, letter.to_ascii_uppercase().to_string());
    assert_eq!(*text, said(letter, TOKENS));
}

fn names(got: &Exchange) -> Vec<(String, Option<String>)> {
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let list = got.record["provider_responses"].as_array().unwrap();
    let one = |r: &Value| (text(&r["provider_name"]).unwrap(), text(&r["error_type"]));
    list.iter().map(one).collect()
}

#[tokio::test(start_paused = true)]
async fn a_second_attempt_serves_when_the_first_is_slower_than_usual() {
    let slow = good('a', true).delay(EVER);
    let station = measured([slow.clone(), slow], good('b', true).delay(300)).await;
    let got = exchange(&station, true, hedged(json!({}))).await;
    served(&got, 'b');
    assert_eq!(got.asked, "ab");
    // A's usual second within the sketch's six per cent, then B's 300 ms.
    let took = got.took.as_millis();
    assert!((1_200..1_400).contains(&took), "{took}");
    assert_eq!(
        (station.upstream().open(), station.upstream().cancelled()),
        (0, 1)
    );
    // B's 1,060 tokens at 2 dollars a million; the prompt, estimated, at A's one dollar.
    assert_eq!(literal(&got.body, "cost"), "0.00212");
    let hedge: f64 = literal(&got.body, "hedge_cost").parse().unwrap();
    assert!(hedge > 0.0 && hedge < 0.0001, "{hedge}");
    assert_eq!(
        got.record["hedge_cost"],
        got.usage["cost_details"]["hedge_cost"]
    );
    let timeout = Some("timeout".to_owned());
    assert_eq!(
        names(&got),
        [("A".to_owned(), timeout), ("B".to_owned(), None)]
    );
    // Unasked for, A is waited for: until its head is late.
    let got = exchange(&station, true, json!({"provider": {"only": ["A", "B"]}})).await;
    assert_eq!(got.took.as_secs(), 60);
    assert!(got.usage["cost_details"].get("hedge_cost").is_none());
}

#[tokio::test(start_paused = true)]
async fn the_first_attempt_serves_when_it_is_there_before_the_second() {
    let station = measured([good('a', true).delay(1_500)], good('b', true).delay(5_000)).await;
    let got = exchange(&station, true, hedged(json!({}))).await;
    served(&got, 'a');
    assert_eq!(
        (got.asked.as_str(), got.took),
        ("ab", Duration::from_millis(1_500))
    );
    assert_eq!(
        (station.upstream().open(), station.upstream().cancelled()),
        (0, 1)
    );
    assert_eq!(literal(&got.body, "cost"), "0.00106");
    assert!(
        got.record["hedge_cost"].as_f64() > Some(0.0),
        "{}",
        got.record
    );
}

#[tokio::test(start_paused = true)]
async fn when_one_of_two_fails_the_other_serves_and_when_both_do_the_client_is_told() {
    let down = || fixtures::error(500, "down");
    let station = measured([down().delay(2_000)], good('b', true).delay(5_000)).await;
    let got = exchange(&station, true, hedged(json!({}))).await;
    served(&got, 'b');
    assert!(
        (5_900..6_200).contains(&got.took.as_millis()),
        "{:?}",
        got.took
    );
    assert!(
        got.record.get("hedge_cost").is_none(),
        "a failed attempt costs nothing"
    );
    let station = measured([good('a', true).delay(3_000)], down().delay(100)).await;
    let got = exchange(&station, true, hedged(json!({}))).await;
    served(&got, 'a');
    assert_eq!(got.took, Duration::from_secs(3));
    let station = measured([down().delay(3_000)], down().delay(100)).await;
    let got = exchange(&station, true, hedged(json!({}))).await;
    let kind = "provider_overloaded".to_owned();
    assert_eq!(
        got.seen,
        Seen::Error {
            status: 503,
            kind,
            in_band: false
        }
    );
    assert_eq!((got.asked.as_str(), got.failures()), ("ab", vec![500, 500]));
}

#[tokio::test(start_paused = true)]
async fn a_fast_attempt_a_whole_answer_and_a_pinned_endpoint_get_no_second_one() {
    let station = measured([good('a', true).delay(900)], good('b', true)).await;
    let got = exchange(&station, true, hedged(json!({}))).await;
    assert_eq!(got.asked, "a");
    let slow = measured([good('a', false).delay(20_000)], good('b', false)).await;
    assert_eq!(exchange(&slow, false, hedged(json!({}))).await.asked, "a");
    let pinned = json!({"provider": {"order": ["A"], "allow_fallbacks": false}});
    let station = measured([good('a', true).delay(20_000)], good('b', true)).await;
    assert_eq!(exchange(&station, true, hedged(pinned)).await.asked, "a");
    let last = Setup::mocks().config("[retries]\nmax_attempts = 1\nhedge = true");
    let slow = |_: &_, _| good('a', true).delay(20_000);
    let station = last.start(ReplayTransport::answering(slow));
    assert_eq!(exchange(&station, true, json!({})).await.asked, "a");
}

#[tokio::test(start_paused = true)]
async fn the_operator_may_wish_it_for_all_and_a_request_may_decline() {
    let setup = Setup::mocks().config("[retries]\nhedge = true");
    let slow = |request: &waystation_core::HttpRequest, _: usize| match request.url.host() {
        Some("a.mock") => good('a', true).delay(20_000),
        _ => good('b', true),
    };
    let station = setup.start(ReplayTransport::answering(slow));
    let got = exchange(&station, true, json!({})).await;
    served(&got, 'b');
    assert_eq!(
        got.took,
        Duration::from_secs(2),
        "what is not measured has two seconds"
    );
    let got = exchange(&station, true, json!({"waystation": {"hedge": false}})).await;
    served(&got, 'a');
}

#[tokio::test(start_paused = true)]
async fn second_attempts_have_a_budget() {
    let slow = |request: &waystation_core::HttpRequest, _: usize| match request.url.host() {
        Some("a.mock") => good('a', true).delay(8_000),
        _ => good('b', true).delay(50_000),
    };
    let station = station(ReplayTransport::answering(slow));
    for _ in 0..60 {
        exchange(&station, true, hedged(json!({}))).await;
        // What was measured is forgotten, so that two seconds hold again.
        sleep(Duration::from_secs(400)).await;
    }
    assert_eq!(station.upstream().calls_to("a.mock"), 60);
    assert_eq!(
        station.upstream().calls_to("b.mock"),
        15,
        "ten at once, and one of ten later"
    );
}

#[tokio::test(start_paused = true)]
async fn wishes_are_checked() {
    let station = station(ReplayTransport::answering(|_, _| good('a', false)));
    for (wish, message) in [
        (
            json!({"hedge": "yes"}),
            "waystation.hedge: expected a boolean, found \"yes\"",
        ),
        (
            json!({"hegde": true}),
            "waystation: unknown key \"hegde\"; did you mean \"hedge\"?",
        ),
    ] {
        let error = station
            .chat(ask(json!({ "waystation": wish })))
            .await
            .error(400);
        assert_eq!(error["message"], message);
    }
    station
        .chat(ask(json!({"waystation": {"continue": true}})))
        .await
        .ok();
    assert!(
        station
            .bodies()
            .iter()
            .all(|body| body.get("waystation").is_none())
    );
}
