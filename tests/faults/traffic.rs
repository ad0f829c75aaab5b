//! Many requests: a dead provider costs few attempts and comes back, failed attempts are not billed,
//! metrics agree with the records, and a busy provider is passed over rather than queued for.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use waystation_core::Phase;
use waystation_server::metrics;
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::{Setup, Station, ask, literal};

use crate::{
    exchange::{Exchange, Seen, exchange, station},
    fault::{TOKENS, comments, cut, good, limited, no_finish, nothing, page, said},
};

fn provider(got: &Exchange) -> &str {
    match &got.seen {
        Seen::Answer { provider, .. } => provider,
        other => panic!("expected an answer, found {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_provider_is_asked_a_few_times_and_then_left_alone() {
    let hosts = ReplayTransport::hosts().at("a.mock", [fixtures::error(503, "dead")]);
    let station = station(hosts.at("b.mock", [good('b', false)]));
    for _ in 0..15 {
        let got = exchange(&station, false, json!({})).await;
        assert_eq!(provider(&got), "B");
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(
        station.upstream().calls_to("a.mock"),
        5,
        "then its circuit is open"
    );
    assert_eq!(station.upstream().calls_to("b.mock"), 15);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_recovers_is_probed_by_one_request_and_used_again() {
    let dead = vec![fixtures::error(503, "dead"); 6];
    let replies = dead.into_iter().chain([good('a', false)]);
    let hosts = ReplayTransport::hosts().at("a.mock", replies);
    let station = station(hosts.at("b.mock", [good('b', false)]));
    for _ in 0..5 {
        exchange(&station, false, json!({})).await;
    }
    // Rests 5 s, then one probe, which fails; rests 10 s, then one probe, which succeeds.
    for (rest, asked) in [(4, 5), (2, 6), (8, 6), (3, 7), (0, 8)] {
        sleep(Duration::from_secs(rest)).await;
        exchange(&station, false, json!({})).await;
        assert_eq!(
            station.upstream().calls_to("a.mock"),
            asked,
            "after {rest} s more"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_answer_is_billed() {
    for streamed in [true, false] {
        let hosts = ReplayTransport::hosts().at("a.mock", [nothing(streamed)]);
        let hosts = hosts.at("b.mock", [fixtures::error(500, "down")]);
        let station = station(hosts.at("c.mock", [good('c', streamed)]));
        let got = exchange(&station, streamed, json!({})).await;
        assert_eq!((provider(&got), got.asked.as_str()), ("C", "abc"));
        // 1,060 tokens at 3 dollars a million.
        assert_eq!(literal(&got.body, "cost"), "0.00318");
        let responses = got.record["provider_responses"].as_array().unwrap();
        let who: Vec<&Value> = responses.iter().map(|r| &r["provider_name"]).collect();
        assert_eq!(who, ["A", "B", "C"]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_order_is_kept_and_without_fallbacks_nobody_else_is_asked() {
    let hosts = ReplayTransport::hosts().at("c.mock", [fixtures::error(503, "down")]);
    let hosts = hosts
        .at("b.mock", [limited(Some(3))])
        .at("a.mock", [good('a', true)]);
    let station = station(hosts);
    let pinned = json!({"provider": {"order": ["C", "B"], "allow_fallbacks": false}});
    let got = exchange(&station, true, pinned).await;
    assert_eq!((got.asked.as_str(), got.failures()), ("cb", vec![503, 429]));
    assert_eq!(got.error["code"], 429, "the last one's");
    let first = json!({"provider": {"order": ["C", "B"]}});
    let got = exchange(&station, true, first).await;
    assert!(
        got.asked.starts_with('c') && got.asked.ends_with('a'),
        "{}",
        got.asked
    );
}

/// Decisions, "Statuses", and statement 69: a refused key is left alone while others serve. With
/// nobody else, asking again costs less than refusing everybody for minutes.
#[tokio::test(start_paused = true)]
async fn a_refused_key_is_tried_again_when_there_is_no_other() {
    for status in [401, 402, 403] {
        let replies = [fixtures::error(status, "no"), good('a', false)];
        let station = station(ReplayTransport::hosts().at("a.mock", replies));
        let only = json!({"provider": {"only": ["A"]}});
        let got = exchange(&station, false, only.clone()).await;
        assert_eq!(got.error["code"], 502);
        let got = exchange(&station, false, only.clone()).await;
        assert_eq!((provider(&got), got.asked.as_str()), ("A", "a"));
    }
}

/// A limit that is known is told without asking, until its time is up.
#[tokio::test(start_paused = true)]
async fn a_known_limit_is_told_at_once_and_a_short_one_waited_out() {
    let replies = [limited(Some(30)), good('a', false)];
    let station = station(ReplayTransport::hosts().at("a.mock", replies));
    let only = json!({"provider": {"only": ["A"]}});
    for (later, retry_after, asked) in [(0, Some(30), "a"), (10, Some(20), ""), (17, None, "a")] {
        sleep(Duration::from_secs(later)).await;
        let got = exchange(&station, false, only.clone()).await;
        assert_eq!(
            (got.retry_after, got.asked.as_str()),
            (retry_after, asked),
            "{got:?}"
        );
        assert!(got.took <= Duration::from_millis(3_600), "{:?}", got.took);
    }
}

/// A server may close a kept connection just when it is used again: the last endpoint that is left is
/// asked once more then, and the others lead on as ever.
#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_at_the_last_endpoint_is_tried_once_more() {
    for streamed in [true, false] {
        for phase in [Phase::Send, Phase::Head] {
            let hosts = ReplayTransport::hosts().at("a.mock", [fixtures::error(500, "down")]);
            let replies = [Reply::refuse(phase), good('b', streamed)];
            let station = station(hosts.at("b.mock", replies));
            let two = json!({"provider": {"only": ["A", "B"]}});
            let got = exchange(&station, streamed, two).await;
            assert_eq!((provider(&got), got.asked.as_str()), ("B", "abb"));
        }
    }
}

/// The value of a sample.
fn sample(page: &str, name: &str) -> u64 {
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().expect("a number"))
}

#[tokio::test(start_paused = true)]
async fn metrics_agree_with_the_records() {
    let faults: [fn(bool) -> Reply; 8] = [
        |streamed| good('a', streamed),
        cut,
        no_finish,
        nothing,
        comments,
        |_| limited(Some(1)),
        |_| fixtures::error(500, "down"),
        |_| page("text/html", "<html>"),
    ];
    let upstream = ReplayTransport::answering(move |request, nth| {
        let streamed = request
            .body
            .windows(13)
            .any(|window| window == b"\"stream\":true");
        match request.url.host() {
            Some("b.mock") => fixtures::error(400, "not here"),
            _ => faults[nth * 5 % faults.len()](streamed),
        }
    });
    let station = station(upstream);
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    let mut count = |name: String, more: u64| *counted.entry(name).or_default() += more;
    for round in 0..40 {
        let streamed = round % 2 == 0;
        let only = json!({"provider": {"only": ["A", "B"]}});
        let got = exchange(&station, streamed, only).await;
        let record = &got.record;
        let model = if record["provider_name"].is_null() {
            "none"
        } else {
            "acme/m"
        };
        let outcome = record["error_type"].as_str().unwrap_or("ok");
        let labels = format!("model=\"{model}\",streamed=\"{streamed}\",outcome=\"{outcome}\"");
        count(format!("waystation_requests_total{{{labels}}}"), 1);
        for kind in ["prompt", "completion"] {
            let tokens = record[format!("tokens_{kind}")].as_u64().unwrap();
            let name = format!("waystation_tokens_total{{model=\"{model}\",kind=\"{kind}\"}}");
            count(name, tokens);
        }
        for attempt in record["provider_responses"].as_array().unwrap() {
            let outcome = attempt["error_type"].as_str().unwrap_or("ok");
            let who = attempt["provider_name"].as_str().unwrap();
            let labels = format!("provider=\"{who}\",outcome=\"{outcome}\"");
            count(format!("waystation_attempts_total{{{labels}}}"), 1);
        }
    }
    let page = metrics::text(station.app());
    for (name, value) in &counted {
        assert_eq!(sample(&page, name), *value, "{name}\n{page}");
    }
    let requests = |page: &str| -> u64 {
        let lines = page
            .lines()
            .filter(|line| line.starts_with("waystation_requests_total{"));
        lines
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum()
    };
    assert_eq!(requests(&page), 40);
    assert!(counted.len() > 8, "many ways to end: {counted:?}");
}

fn asks(station: &Station, count: usize, more: &Value) -> impl Future<Output = Vec<u16>> {
    let one = |_| async { station.chat(ask(more.clone())).await.status };
    join_all((0..count).map(one))
}

#[tokio::test(start_paused = true)]
async fn a_busy_provider_is_passed_over_and_when_all_are_busy_the_client_is_told_so() {
    let setup = Setup::mocks()
        .config("[providers.a]\nmax_concurrent = 4\n[providers.b]\nmax_concurrent = 4");
    let slow = |request: &waystation_core::HttpRequest, _: usize| {
        let letter = request.url.host().and_then(|host| host.chars().next());
        good(letter.unwrap_or('x'), false).delay(5_000)
    };
    let station = setup.start(ReplayTransport::answering(slow));
    let two = json!({"provider": {"only": ["A", "B"]}});
    let mut statuses = asks(&station, 10, &two).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 200, 503, 503]);
    assert_eq!(station.upstream().calls_to("a.mock"), 4);
    assert_eq!(station.upstream().calls_to("b.mock"), 4);
    let got = station.chat(ask(json!({}))).await;
    assert_eq!(got.content(), said('a', TOKENS), "places come back");
}

/// The limit is the operator's: that it is reached says nothing of the provider.
#[tokio::test(start_paused = true)]
async fn a_busy_provider_is_asked_again_as_soon_as_it_has_a_place() {
    let setup = Setup::mocks().config("[providers.a]\nmax_concurrent = 1\n");
    let slow = good('a', false).delay(60_000);
    let hosts = ReplayTransport::hosts().at("a.mock", [slow, good('a', false)]);
    let station = setup.start(hosts.at("b.mock", [good('b', false)]));
    let any = json!({});
    let gone = timeout(Duration::from_secs(1), station.chat(ask(any.clone())));
    // More than failures that open a circuit.
    let (gone, others) = tokio::join!(gone, asks(&station, 15, &any));
    assert!(gone.is_err(), "its client has left");
    assert_eq!(others, [200; 15]);
    assert_eq!(station.upstream().calls_to("b.mock"), 15);
    let got = station.chat(ask(any)).await;
    assert_eq!(got.content(), said('a', TOKENS));
}

/// Where this machine can open no connection, no upstream is to blame: a kept one of another may still serve, the client
/// is told whose fault it is, and everybody is asked again with the next request.
#[tokio::test(start_paused = true)]
async fn what_the_gateway_itself_lacks_opens_no_circuit() {
    let hosts = ReplayTransport::hosts().at("a.mock", [Reply::refuse(Phase::Socket)]);
    let station = station(hosts.at("b.mock", [good('b', false)]));
    for number in 1..=15 {
        let got = exchange(&station, false, json!({})).await;
        assert_eq!(provider(&got), "B");
        assert_eq!(station.upstream().calls_to("a.mock"), number);
    }
    let alone = json!({"provider": {"only": ["A"]}});
    let got = station.chat(ask(alone)).await;
    let error = got.error(503);
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("making a socket"), "{error}");
    let codes = error["metadata"]["previous_errors"].as_array().unwrap();
    assert!(codes.iter().all(|failed| failed["code"] == 503), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_reload_under_load_loses_no_request() {
    let slow = |request: &waystation_core::HttpRequest, nth: usize| {
        let letter = request.url.host().and_then(|host| host.chars().next());
        let streamed = String::from_utf8_lossy(&request.body).contains("\"stream\":true");
        good(letter.unwrap_or('x'), streamed).gap(10 + nth as u64 % 40)
    };
    let station = Setup::mocks().start(ReplayTransport::answering(slow));
    // Three configurations in turn: as it was, A at another address, and without A.
    let moved = Setup::mocks().config("[providers.a]\nbase_url = 'http://z.mock/v1'\n");
    let without = Setup::mocks().config("[routing]\nignore = ['A']\n");
    let configs = [Setup::mocks(), moved, without].map(|setup| setup.resolve().unwrap());
    let one = |number: u64| {
        let station = &station;
        async move {
            sleep(Duration::from_millis(number * 7)).await;
            let got = exchange_of(station, number.is_multiple_of(2)).await;
            let letter = got.chars().next().unwrap();
            assert!(
                "azb".contains(letter) && got == said(letter, TOKENS),
                "{got}"
            );
            letter
        }
    };
    let reloads = async {
        for turn in 0..60 {
            sleep(Duration::from_millis(50)).await;
            station.app().reload(configs[turn % configs.len()].clone());
        }
    };
    let (mut served, ()) = tokio::join!(join_all((0..400).map(one)), reloads);
    assert_eq!(served.len(), 400);
    served.sort_unstable();
    served.dedup();
    assert_eq!(served, ['a', 'b', 'z'], "every configuration served");
    let (under_way, _) = station.app().under_way();
    assert_eq!((under_way, station.upstream().open()), (0, 0));
}

/// The text of one answer, streamed or whole.
async fn exchange_of(station: &Station, streamed: bool) -> String {
    if streamed {
        station.stream(ask(json!({}))).await.content()
    } else {
        station.chat(ask(json!({}))).await.content()
    }
}

/// Bodies share a bounded memory: beyond it 503 with a hint, and a body's share comes back with the end
/// of its request.
#[tokio::test(start_paused = true)]
async fn bodies_beyond_the_memory_for_them_are_refused_before_they_are_kept() {
    let setup = Setup::mocks().config("[server]\nmax_buffered_bytes = 65536\n");
    let slow = |_: &_, _| good('a', true).gap(100);
    let station = setup.start(ReplayTransport::answering(slow));
    let body = |size: usize, stream: bool| {
        let messages = json!([{"role": "user", "content": "x".repeat(size)}]);
        ask(json!({"messages": messages, "stream": stream}))
    };
    let open = station.open(body(40_000, true)).await;
    let refused = station.chat(body(40_000, false)).await;
    assert_eq!(refused.error(503)["error_type"], "provider_overloaded");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(station.open(body(10_000, true)).await.status(), 200);
    drop(open);
    assert_eq!(station.open(body(40_000, true)).await.status(), 200);
}

/// What a client does not read is not fetched, and holds up nobody else.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_holds_up_nobody() {
    let answer = |_: &_, _| good('a', true).gap(5);
    let station = Setup::mocks().start(ReplayTransport::answering(answer));
    let mut idle = Vec::new();
    for _ in 0..50 {
        idle.push(station.open(ask(json!({"stream": true}))).await);
    }
    let begin = tokio::time::Instant::now();
    let got = station.stream(ask(json!({}))).await;
    assert_eq!(got.content(), said('a', TOKENS));
    assert!(
        begin.elapsed() < Duration::from_secs(1),
        "{:?}",
        begin.elapsed()
    );
    for open in idle {
        assert_eq!(open.rest().await.content(), said('a', TOKENS));
    }
}
