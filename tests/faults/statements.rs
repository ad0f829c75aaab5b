//! The statements of the API contract's checklist (section 12) that speak of faults: 21 to 25, 65 to
//! 69, 90, 93 and 94, one test each, streamed and whole where both exist.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use waystation_core::Phase;
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::{Setup, Station, ask};

use crate::{
    exchange::{Exchange, Seen, exchange, station},
    fault::{
        TOKENS, cut, good, in_band, length, limited, no_finish, no_words, nothing,
        role_then_silence, said, texts,
    },
};

/// A replies so, B and C properly.
fn with_a(a: impl IntoIterator<Item = Reply>, streamed: bool) -> Station {
    let hosts = ReplayTransport::hosts().at("a.mock", a);
    let hosts = hosts.at("b.mock", [good('b', streamed)]);
    station(hosts.at("c.mock", [good('c', streamed)]))
}

fn served(letter: char) -> Seen {
    Seen::Answer {
        provider: letter.to_ascii_uppercase().to_string(),
        text: said(letter, TOKENS),
        finish: "stop".to_owned(),
    }
}

fn broke(kind: &str, tokens: usize) -> Seen {
    Seen::Broken {
        provider: "A".to_owned(),
        text: said('a', tokens),
        kind: kind.to_owned(),
    }
}

fn failed(status: u64, kind: &str) -> Seen {
    Seen::Error {
        status,
        kind: kind.to_owned(),
        in_band: false,
    }
}

#[tokio::test(start_paused = true)]
async fn statement_21_dies_before_its_first_token() {
    let boom = json!({"message": "boom", "code": 500});
    for streamed in [true, false] {
        for a in [
            Reply::refuse(Phase::Connect),
            Reply::refuse(Phase::Head),
            good('a', streamed).cut_after(0),
            good('a', streamed).cut_after(90),
            role_then_silence(streamed),
            in_band('a', streamed, &boom, 0),
        ] {
            let got = exchange(&with_a([a], streamed), streamed, json!({})).await;
            assert_eq!(
                (got.seen.clone(), got.asked.as_str()),
                (served('b'), "ab"),
                "{got:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn statement_22_dies_after_tokens() {
    let boom = json!({"message": "boom", "code": 500});
    for a in [cut(true), in_band('a', true, &boom, 41)] {
        let got = exchange(&with_a([a], true), true, json!({})).await;
        assert_eq!(got.seen, broke("provider_unavailable", 40));
        assert_eq!((got.asked.as_str(), &got.error["code"]), ("a", &json!(502)));
        assert_eq!(got.error["metadata"]["provider_name"], "A");
    }
    // A whole answer is shown when it is complete, so another one may take its place.
    let got = exchange(&with_a([cut(false)], false), false, json!({})).await;
    assert_eq!((got.seen.clone(), got.asked.as_str()), (served('b'), "ab"));
}

/// Asks, goes away after so many milliseconds, and gives what is on record.
async fn abandoned(reply: Reply, streamed: bool, after: u64) -> Value {
    let station = with_a([reply], streamed);
    let asked = async {
        let opened = station.open(ask(json!({"stream": streamed}))).await;
        let id = opened.headers()["x-generation-id"]
            .to_str()
            .expect("a text")
            .to_owned();
        (opened.rest().await, id)
    };
    let gone = timeout(Duration::from_millis(after), asked).await;
    assert!(gone.is_err(), "the client went away before the end");
    let begin = Instant::now();
    assert_eq!(
        (station.upstream().open(), station.upstream().cancelled()),
        (0, 1)
    );
    assert_eq!(
        begin.elapsed(),
        Duration::ZERO,
        "at once, not within a second"
    );
    let entries = station.app().ledger().latest(10);
    assert_eq!(entries.len(), 1);
    let record = station.record(entries[0].id.as_str()).await;
    assert_eq!(
        station.asked(),
        ["a"],
        "nobody else is asked for who went away"
    );
    record
}

#[tokio::test(start_paused = true)]
async fn statement_23_the_client_goes_away() {
    for (reply, streamed, after, some) in [
        (good('a', true).delay(60_000), true, 5_000, false),
        (good('a', true).delay(60_000), true, 30_000, false),
        (good('a', true).gap(1_000), true, 20_500, true),
        (good('a', false).delay(60_000), false, 5_000, false),
        (good('a', false).chunked(50).gap(1_000), false, 5_500, false),
    ] {
        let record = abandoned(reply, streamed, after).await;
        assert_eq!(record["cancelled"], true, "{record}");
        assert!(record["tokens_prompt"].as_u64() > Some(0), "{record}");
        assert_eq!(
            record["tokens_completion"].as_u64() > Some(0),
            some,
            "{record}"
        );
        assert!(
            record["total_cost"].as_f64() > Some(0.0),
            "never nothing: {record}"
        );
        assert_eq!(record["provider_name"], "A");
    }
}

#[tokio::test(start_paused = true)]
async fn statement_24_ends_without_a_finish_reason() {
    let got = exchange(&with_a([no_finish(true)], true), true, json!({})).await;
    assert_eq!(got.seen, broke("provider_unavailable", TOKENS));
    for (streamed, a) in [
        (
            true,
            Reply::sse([texts('a').remove(0), "[DONE]".to_owned()]),
        ),
        (false, no_finish(false)),
    ] {
        let got = exchange(&with_a([a], streamed), streamed, json!({})).await;
        assert_eq!((got.seen.clone(), got.asked.as_str()), (served('b'), "ab"));
    }
}

#[tokio::test(start_paused = true)]
async fn statement_25_no_total_timeout_and_an_idle_limit() {
    let trickle = good('a', true).gap(10_000);
    let got = exchange(&with_a([trickle], true), true, json!({})).await;
    assert_eq!(got.seen, served('a'));
    assert!(got.took > Duration::from_secs(600), "{:?}", got.took);
    let stalls = good('a', true).stall_after(length(&texts('a'), 21));
    let got = exchange(&with_a([stalls], true), true, json!({})).await;
    assert_eq!(
        (got.seen.clone(), got.took),
        (broke("timeout", 20), Duration::from_secs(60))
    );
}

#[tokio::test(start_paused = true)]
async fn statement_65_what_is_free_comes_before_what_is_paid() {
    let provider = |slug: &str, price: &str| {
        format!(
            "[providers.{slug}]\nname = '{}'\ndialect = 'openai-chat'\nbase_url = \
             'http://{slug}.mock/v1'\napi_key = 'k'\n[[models.endpoints]]\nprovider = '{slug}'\n\
             model = 'm'\nprice = {{ prompt = '{price}', completion = '{price}' }}\n",
            slug.to_uppercase()
        )
    };
    let models = "[catalog]\nbundled = false\n[[models]]\nid = 'acme/m'\n";
    let config = [models, &provider("a", "0.01"), &provider("b", "0")].concat();
    let upstream = ReplayTransport::answering(|_, _| good('b', false));
    let station = Setup::empty().config(&config).start(upstream);
    // Sorted, and drawn by price with 50 seeds: the free endpoint every time.
    for draw in 0..51 {
        let wish = if draw == 0 {
            json!({"sort": "price"})
        } else {
            json!({})
        };
        let got = station.chat(ask(json!({ "provider": wish }))).await.ok();
        assert_eq!(
            (&got["provider"], &got["usage"]["cost"]),
            (&json!("B"), &json!(0))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn statement_66_rate_limits() {
    for streamed in [true, false] {
        let station = with_a([limited(Some(30))], streamed);
        let got = exchange(&station, streamed, json!({})).await;
        assert_eq!((got.seen.clone(), got.took), (served('b'), Duration::ZERO));
        let waits = [("a.mock", 30), ("b.mock", 7), ("c.mock", 300)];
        let all = waits
            .into_iter()
            .fold(ReplayTransport::hosts(), |hosts, (host, wait)| {
                hosts.at(host, [limited(Some(wait))])
            });
        let got = exchange(&crate::exchange::station(all), streamed, json!({})).await;
        assert_eq!(got.seen, failed(429, "rate_limit_exceeded"));
        assert_eq!((got.asked.as_str(), got.retry_after), ("abc", Some(7)));
        let available = &got.error["availability"];
        assert_eq!(available["code"], "capacity_exhausted");
        assert_eq!(
            (&available["retry_after"], &available["retryable"]),
            (&json!(7), &json!(true))
        );
    }
}

/// What every upstream replies.
fn all(reply: Reply) -> Station {
    station(ReplayTransport::answering(move |_, _| reply.clone()))
}

#[tokio::test(start_paused = true)]
async fn statement_67_all_down() {
    for streamed in [true, false] {
        let got = exchange(&all(fixtures::error(502, "down")), streamed, json!({})).await;
        assert_eq!(got.seen, failed(503, "provider_overloaded"));
        assert_eq!((got.asked.as_str(), got.failures()), ("abc", vec![502; 3]));
        let available = &got.error["availability"];
        assert_eq!(available["code"], "temporarily_unavailable");
        assert_eq!(available["affected_providers"], json!(["A", "B", "C"]));
    }
}

#[tokio::test(start_paused = true)]
async fn statement_68_an_empty_200() {
    for streamed in [true, false] {
        for a in [nothing(streamed), no_words(streamed)] {
            let got = exchange(&with_a([a], streamed), streamed, json!({})).await;
            assert_eq!((got.seen.clone(), got.asked.as_str()), (served('b'), "ab"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn statement_69_a_refused_credential() {
    for streamed in [true, false] {
        let station = with_a([fixtures::error(401, "bad key")], streamed);
        let got = exchange(&station, streamed, json!({})).await;
        assert_eq!((got.seen.clone(), got.asked.as_str()), (served('b'), "ab"));
        // A's key is marked: it is left alone for five minutes.
        sleep(Duration::from_secs(200)).await;
        station.chat(ask(json!({"stream": streamed}))).await;
        assert_eq!(station.asked(), ["a", "b", "b"]);
        sleep(Duration::from_secs(101)).await;
        station.chat(ask(json!({"stream": streamed}))).await;
        assert_eq!(station.asked(), ["a", "b", "b", "a", "b"]);
        let got = exchange(&all(fixtures::error(401, "bad key")), streamed, json!({})).await;
        assert_eq!(got.seen, failed(502, "provider_unavailable"));
        assert_eq!(got.failures(), [401; 3]);
    }
}

#[tokio::test(start_paused = true)]
async fn statement_90_all_fail() {
    for streamed in [true, false] {
        let hosts = ReplayTransport::hosts()
            .at("a.mock", [fixtures::error(500, "one")])
            .at(
                "b.mock",
                [fixtures::error(429, "two"), Reply::refuse(Phase::Dns)],
            )
            .at("c.mock", [fixtures::error(404, "four")]);
        let station = station(hosts);
        let got = exchange(&station, streamed, models(&["acme/x", "acme/y"])).await;
        assert_eq!(got.seen, failed(404, "not_found"), "the last one's");
        assert_eq!(got.asked, "abbc");
        assert_eq!(got.failures(), [500, 429, 502, 404]);
    }
}

fn models(list: &[&str]) -> Value {
    json!({"model": null, "models": list})
}

#[tokio::test(start_paused = true)]
async fn statement_93_a_stream_falls_back_before_its_first_delta_only() {
    for (bytes, seen, asked) in [(60, served('c'), "abc"), (4_000, broke("", 0), "a")] {
        let dies = || good('a', true).cut_after(bytes);
        let hosts = ReplayTransport::hosts()
            .at("a.mock", [dies()])
            .at("b.mock", [dies()]);
        let station = station(hosts.at("c.mock", [good('c', true)]));
        let mut wish = models(&["acme/x", "acme/y"]);
        wish["provider"] = json!({"order": ["A", "C"]});
        let got: Exchange = exchange(&station, true, wish).await;
        match (&seen, &got.seen) {
            (Seen::Broken { .. }, Seen::Broken { text, .. }) => {
                assert!(!text.is_empty() && said('a', TOKENS).starts_with(text));
            }
            (seen, found) => assert_eq!(*seen, *found),
        }
        assert_eq!(got.asked, asked);
    }
}

#[tokio::test(start_paused = true)]
async fn statement_94_what_the_gateway_refuses_consumes_no_fallback() {
    for streamed in [true, false] {
        let station = with_a([good('a', streamed)], streamed);
        let mut body = ask(models(&["acme/x", "acme/y"]));
        (body["temperature"], body["stream"]) = (json!(9), json!(streamed));
        let error = station.chat(body).await.error(400);
        assert_eq!(
            (&error["error_type"], &error["param"]),
            (&json!("invalid_request"), &json!("temperature"))
        );
        assert_eq!(station.upstream().calls(), 0);
    }
}
