//! From one endpoint to the next, and from one model to the next: what triggers it, who is asked,
//! what is billed, and what is told when nobody can.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use waystation_core::Phase;
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::{Setup, Station, ask, asking, completion, literal};

fn hosts(lists: Vec<(&str, Vec<Reply>)>) -> Station {
    let transport = lists
        .into_iter()
        .fold(ReplayTransport::hosts(), |transport, (host, replies)| {
            transport.at(&fixtures::host(host), replies)
        });
    Setup::mocks().start(transport)
}

/// X everywhere fails like this, Y works: X is at A and B, Y at B (cheaper) and C.
fn x_fails(reply: Reply) -> Station {
    Setup::mocks().start(ReplayTransport::answering(move |request, _| {
        if request
            .body
            .windows(6)
            .any(|window| window == b"x-at-a" || window == b"x-at-b")
        {
            reply.clone()
        } else {
            fixtures::answer("From Y", 1000, 100)
        }
    }))
}

fn models(list: &[&str]) -> Value {
    json!({"models": list, "messages": [{"role": "user", "content": "Hi"}]})
}

fn previous(error: &Value) -> Vec<(String, u64)> {
    let list = error["metadata"]["previous_errors"].as_array().unwrap();
    let one = |e: &Value| {
        (
            e["provider_name"].as_str().unwrap().to_owned(),
            e["status"].as_u64().unwrap(),
        )
    };
    list.iter().map(one).collect()
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

/// Statement 66.
#[tokio::test(start_paused = true)]
async fn s66_falls_back_when_the_first_provider_is_rate_limited() {
    let limited = fixtures::error(429, "slow down").header("retry-after", "30");
    let station = hosts(vec![
        ("a", vec![limited]),
        ("b", vec![fixtures::answer("From B", 5, 2)]),
    ]);
    let begin = Instant::now();
    let got = station.chat(ask(json!({}))).await;
    assert_eq!(
        (got.content().as_str(), &got.ok()["provider"]),
        ("From B", &json!("B"))
    );
    assert_eq!(begin.elapsed(), Duration::ZERO, "nobody waits");
    assert_eq!(station.asked(), ["a", "b"]);
}

/// Statement 66, the end of it.
#[tokio::test(start_paused = true)]
async fn s66_when_all_are_rate_limited_the_shortest_wait_is_told() {
    let limited = |wait: &str| fixtures::error(429, "slow down").header("retry-after", wait);
    let station = hosts(vec![
        ("a", vec![limited("30")]),
        ("b", vec![limited("7")]),
        ("c", vec![fixtures::error(429, "later")]),
    ]);
    let got = station.chat(ask(json!({}))).await;
    let error = got.error(429);
    assert_eq!(error["error_type"], "rate_limit_exceeded");
    assert_eq!(error["availability"]["code"], "capacity_exhausted");
    assert_eq!(error["availability"]["retryable"], true);
    assert_eq!(error["availability"]["retry_after"], 7);
    assert_eq!(
        error["availability"]["affected_providers"],
        json!(["A", "B", "C"])
    );
    assert_eq!(got.header("retry-after"), Some("7"));
}

/// Statement 67.
#[tokio::test(start_paused = true)]
async fn s67_when_all_are_down_every_attempt_is_listed() {
    let station = hosts(vec![
        ("a", vec![fixtures::error(500, "one")]),
        ("b", vec![Reply::refuse(Phase::Connect)]),
        ("c", vec![fixtures::error(529, "three")]),
    ]);
    let error = station.chat(ask(json!({}))).await.error(503);
    assert_eq!(error["error_type"], "provider_overloaded");
    assert_eq!(error["availability"]["code"], "temporarily_unavailable");
    assert_eq!(error["availability"]["retryable"], true);
    let attempts = previous(&error);
    let who: Vec<&str> = attempts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(who, ["A", "B", "C"]);
    assert_eq!((attempts[0].1, attempts[2].1), (500, 529));
    assert!(
        error["message"].as_str().unwrap().starts_with("C: "),
        "{error}"
    );
}

/// Statement 68.
#[tokio::test(start_paused = true)]
async fn s68_an_empty_answer_is_a_failed_attempt() {
    let empty = json!({"prompt_tokens": 5, "completion_tokens": 0, "total_tokens": 5});
    let message = |content: Value| json!({"role": "assistant", "content": content});
    for a in [
        completion(message(json!("")), "stop", empty.clone()),
        completion(message(Value::Null), "stop", empty.clone()),
        Reply::json(200, ""),
        Reply::json(200, "{}"),
        Reply::json(200, r#"{"choices":[]}"#),
        Reply::json(200, "<html>"),
        Reply::json(200, r#"{"choices":[{"message":{"content":"cut of"#),
    ] {
        let station = hosts(vec![
            ("a", vec![a]),
            ("b", vec![fixtures::answer("From B", 5, 2)]),
        ]);
        assert_eq!(station.chat(ask(json!({}))).await.content(), "From B");
        assert_eq!(station.asked(), ["a", "b"]);
    }
    let silent = fixtures::answer_stream(&[], 5, 0);
    let station = hosts(vec![
        ("a", vec![silent]),
        ("b", vec![fixtures::answer_stream(&["From B"], 5, 2)]),
    ]);
    assert_eq!(station.stream(ask(json!({}))).await.content(), "From B");
}

/// Statement 69.
#[tokio::test(start_paused = true)]
async fn s69_a_refused_credential_is_never_the_clients_401() {
    for status in [401, 402, 403] {
        let refused = fixtures::error(status, "bad key key-of-a-do-not-tell");
        let station = hosts(vec![
            ("a", vec![refused]),
            ("b", vec![fixtures::answer("From B", 5, 2)]),
        ]);
        assert_eq!(
            station.chat(ask(json!({}))).await.content(),
            "From B",
            "{status}"
        );
        // The key is marked: the next request does not begin there again.
        assert_eq!(station.chat(ask(json!({}))).await.content(), "From B");
        assert_eq!(station.asked(), ["a", "b", "b"], "{status}");
    }
    let all =
        ReplayTransport::answering(|_, _| fixtures::error(401, "bad key key-of-a-do-not-tell"));
    let station = Setup::mocks().start(all);
    let got = station.chat(ask(json!({}))).await;
    let error = got.error(502);
    assert_eq!(error["error_type"], "provider_unavailable");
    assert!(error["message"].as_str().unwrap().contains('C'), "{error}");
    assert!(!got.text().contains("do-not-tell"), "{}", got.text());
}

/// Section 3.9: keys of one provider stand in for each other.
#[tokio::test(start_paused = true)]
async fn a_second_key_of_the_same_provider_is_tried_first() {
    let setup = Setup::mocks().config("[[providers.a.keys]]\napi_key = 'the-second-key-of-a'");
    let transport = ReplayTransport::answering(|request, _| {
        if request.headers["authorization"] == "Bearer the-second-key-of-a" {
            fixtures::answer("From A after all", 5, 2)
        } else {
            fixtures::error(429, "this key is spent")
        }
    });
    let station = setup.start(transport);
    assert_eq!(
        station.chat(ask(json!({}))).await.content(),
        "From A after all"
    );
    assert!(station.asked().iter().all(|host| host == "a"));
}

/// Statement 85.
#[tokio::test(start_paused = true)]
async fn s85_the_next_model_serves_when_the_first_fails() {
    for reply in [
        fixtures::error(500, "down"),
        fixtures::error(429, "limited"),
        Reply::refuse(Phase::Connect),
        fixtures::error(404, "no such model"),
        fixtures::error(401, "bad key"),
    ] {
        let station = x_fails(reply);
        let got = station.chat(models(&["acme/x", "acme/y"])).await;
        assert_eq!(got.content(), "From Y");
        let body = got.ok();
        assert_eq!(
            (&body["model"], &body["provider"]),
            (&json!("acme/y"), &json!("B"))
        );
        // 1,100 tokens at half a dollar a million: Y's price at B, not X's.
        assert_eq!(literal(got.text(), "cost"), "0.00055");
        assert_eq!(station.asked(), ["a", "b", "b"]);
    }
}

/// Statement 85: an upstream that does not answer in time. What was sent is repeated once at most.
#[tokio::test(start_paused = true)]
async fn s85_a_timeout_leads_to_the_next_model() {
    let setup = Setup::mocks().config("[timeouts]\nwhole = 5000\nfirst_byte = 5000");
    let slow = |stream: bool| {
        move |request: &waystation_core::HttpRequest, _: usize| match request.url.host() {
            Some("a.mock") => fixtures::answer("late", 5, 2).delay(60_000),
            _ if stream => fixtures::answer_stream(&["From Y"], 5, 2),
            _ => fixtures::answer("From Y", 5, 2),
        }
    };
    let mut body = models(&["acme/x", "acme/y"]);
    body["provider"] = json!({"ignore": ["C"]});
    let station = setup.start(ReplayTransport::answering(slow(false)));
    let begin = Instant::now();
    assert_eq!(station.chat(body.clone()).await.content(), "From Y");
    assert_eq!(begin.elapsed(), Duration::from_secs(5));
    assert_eq!(station.upstream().cancelled(), 1, "the late one is let go");
    let station = setup.start(ReplayTransport::answering(slow(true)));
    assert_eq!(station.stream(body).await.content(), "From Y");
}

/// Decisions, "Deadlines": a whole reply that timed out is retried at most once.
#[tokio::test(start_paused = true)]
async fn work_that_may_have_been_done_is_repeated_once_at_most() {
    let setup = Setup::mocks().config("[timeouts]\nwhole = 5000");
    let station = setup.start(ReplayTransport::answering(|_, _| {
        fixtures::answer("late", 5, 2).delay(60_000)
    }));
    let error = station.chat(ask(json!({}))).await.error(503);
    assert_eq!(station.asked(), ["a", "b"]);
    assert_eq!(previous(&error).len(), 2);
    let record = Setup::mocks();
    let patient = record.start(ReplayTransport::answering(|_, _| {
        fixtures::answer("slow", 5, 2).delay(90_000)
    }));
    assert_eq!(patient.chat(ask(json!({}))).await.content(), "slow");
    assert_eq!(
        patient.upstream().calls(),
        1,
        "90 s are no timeout with the defaults"
    );
}

/// Statement 86.
#[tokio::test(start_paused = true)]
async fn s86_models_alone_are_enough_and_the_first_is_primary() {
    let station = x_fails(fixtures::error(500, "down"));
    assert_eq!(
        station.chat(models(&["acme/y", "acme/x"])).await.ok()["model"],
        "acme/y"
    );
    assert_eq!(station.asked(), ["b"]);
    let station = Setup::mocks().start(ReplayTransport::answering(|_, _| {
        fixtures::answer("Hi", 1, 1)
    }));
    assert_eq!(
        station.chat(models(&[])).await.ok()["model"],
        "acme/m",
        "an empty list is absent"
    );
}

/// Statement 87.
#[tokio::test(start_paused = true)]
async fn s87_the_model_comes_before_models_and_each_once() {
    let station = Setup::mocks().start(ReplayTransport::answering(|_, _| {
        fixtures::error(500, "down")
    }));
    let mut body = models(&["acme/y", "acme/x", "acme/y"]);
    body["model"] = json!("acme/x");
    let error = station.chat(body).await.error(503);
    let asked: Vec<Value> = station
        .bodies()
        .iter()
        .map(|body| body["model"].clone())
        .collect();
    assert_eq!(asked, ["x-at-a", "x-at-b", "y-at-b", "y-at-c"]);
    assert_eq!(
        error["availability"]["requested_models"],
        json!(["acme/x", "acme/y"])
    );
}

/// Statement 88.
#[tokio::test(start_paused = true)]
async fn s88_route_fallback_changes_nothing_and_route_sort_is_partition_none() {
    let first = async |more: Value| {
        let mut body = models(&["acme/x", "acme/y"]);
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let station = Setup::mocks().start(ReplayTransport::answering(|_, _| {
            fixtures::answer("Hi", 1, 1)
        }));
        station.chat(body).await.ok()["model"].clone()
    };
    assert_eq!(first(json!({})).await, "acme/x");
    assert_eq!(first(json!({"route": "fallback"})).await, "acme/x");
    // Over both models the cheapest is Y at B.
    let sort = json!({"sort": "price"});
    assert_eq!(
        first(json!({"route": "sort", "provider": sort})).await,
        "acme/y"
    );
    let none = json!({"sort": {"by": "price", "partition": "none"}});
    assert_eq!(first(json!({"provider": none})).await, "acme/y");
}

/// Statement 89.
#[tokio::test(start_paused = true)]
async fn s89_overflow_and_refusal_lead_to_the_next_model_and_not_to_the_next_endpoint() {
    let coded = |status: u16, code: &str, message: &str| {
        let error =
            json!({"error": {"message": message, "code": code, "type": "invalid_request_error"}});
        Reply::json(status, error.to_string())
    };
    for reply in [
        coded(
            400,
            "context_length_exceeded",
            "This model's maximum context length is 8192 tokens",
        ),
        coded(
            400,
            "content_policy_violation",
            "Your request was rejected by the safety system",
        ),
        coded(400, "content_filter", "The response was filtered"),
    ] {
        let station = x_fails(reply);
        assert_eq!(
            station.chat(models(&["acme/x", "acme/y"])).await.content(),
            "From Y"
        );
        assert_eq!(station.asked(), ["a", "b"], "one attempt at X, one at Y");
    }
}

/// Statement 89: the gateway's own estimate says that the prompt cannot fit X.
#[tokio::test(start_paused = true)]
async fn s89_a_prompt_too_long_for_the_first_model_goes_to_the_second() {
    let setup = Setup::mocks().config(
        "[[models]]\nid = 'acme/tiny'\ncontext_length = 100\n[[models.endpoints]]\nprovider = 'a'\nmodel = 'tiny'\nprice = { prompt = '0', completion = '0' }",
    );
    let station = setup.start(ReplayTransport::answering(|_, _| {
        fixtures::answer("Hi", 1, 1)
    }));
    let mut body = models(&["acme/tiny", "acme/y"]);
    body["messages"][0]["content"] = json!("many words ".repeat(500));
    assert_eq!(station.chat(body).await.ok()["model"], "acme/y");
    assert_eq!(station.upstream().calls(), 1);
}

/// Statement 90.
#[tokio::test(start_paused = true)]
async fn s90_when_all_models_fail_the_last_error_is_told_and_all_are_listed() {
    let station = hosts(vec![
        ("a", vec![fixtures::error(500, "one")]),
        (
            "b",
            vec![fixtures::error(429, "two"), fixtures::error(500, "three")],
        ),
        (
            "c",
            vec![fixtures::error(400, "four: temperature is not for me")],
        ),
    ]);
    let error = station.chat(models(&["acme/x", "acme/y"])).await.error(400);
    assert_eq!(error["error_type"], "invalid_request");
    assert_eq!(error["metadata"]["provider_name"], "C");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("four: temperature"),
        "{error}"
    );
    let attempts = previous(&error);
    let statuses: Vec<u64> = attempts.iter().map(|(_, status)| *status).collect();
    assert_eq!(statuses, [500, 429, 500, 400]);
    let of: Vec<&Value> = error["metadata"]["previous_errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["model"])
        .collect();
    assert_eq!(of, ["acme/x", "acme/x", "acme/y", "acme/y"]);
}

/// Statement 91.
#[tokio::test(start_paused = true)]
async fn s91_unknown_entries_are_passed_over_and_all_unknown_is_a_400() {
    let station = x_fails(fixtures::error(500, "down"));
    let error = station
        .chat(models(&["acme/none", "acme/nobody"]))
        .await
        .error(400);
    assert_eq!(error["availability"]["code"], "model_not_found");
    assert_eq!(
        error["availability"]["requested_models"],
        json!(["acme/none", "acme/nobody"])
    );
    let got = station.chat(models(&["acme/none", "acme/y"])).await;
    assert_eq!(got.ok()["model"], "acme/y");
    assert!(
        got.header("x-waystation-warning")
            .unwrap()
            .contains("acme/none"),
        "{got:?}"
    );
}

/// Statement 94.
#[tokio::test(start_paused = true)]
async fn s94_a_request_that_the_gateway_refuses_consumes_no_fallback() {
    let station = x_fails(fixtures::error(500, "down"));
    let mut body = models(&["acme/x", "acme/y"]);
    body["temperature"] = json!(9);
    station.chat(body).await.error(400);
    assert_eq!(station.upstream().calls(), 0);
}

/// Statement 93.
#[tokio::test(start_paused = true)]
async fn s93_a_stream_falls_back_to_the_next_model_before_its_first_delta_only() {
    let setup = Setup::mocks();
    let dies = |bytes: usize| {
        move |request: &waystation_core::HttpRequest, _: usize| match request.url.host() {
            Some("c.mock") => fixtures::answer_stream(&["From Y"], 5, 2),
            _ => fixtures::answer_stream(&["From ", "X"], 5, 2).cut_after(bytes),
        }
    };
    let mut body = models(&["acme/x", "acme/y"]);
    body["provider"] = json!({"order": ["C"]});
    let station = setup.start(ReplayTransport::answering(dies(10)));
    let got = station.stream(body.clone()).await;
    assert_eq!(got.content(), "From Y");
    assert_eq!(got.chunks()[0]["model"], "acme/y");
    let station = setup.start(ReplayTransport::answering(dies(400)));
    body["provider"] = json!({});
    let got = station.stream(body).await;
    assert_eq!(got.content(), "From ");
    assert_eq!(
        got.chunks().last().unwrap()["choices"][0]["finish_reason"],
        "error"
    );
}

/// Interfaces, `[retries]`: attempts have a number and a time.
#[tokio::test(start_paused = true)]
async fn attempts_are_bounded() {
    let down = || ReplayTransport::answering(|_, _| fixtures::error(500, "down").delay(10_000));
    let station = Setup::mocks()
        .config("[retries]\nmax_attempts = 2")
        .start(down());
    station.chat(ask(json!({}))).await.error(503);
    assert_eq!(station.asked(), names(&["a", "b"]));
    let station = Setup::mocks()
        .config("[retries]\ndeadline = 15000")
        .start(down());
    let begin = Instant::now();
    station.chat(ask(json!({}))).await.error(503);
    assert_eq!(begin.elapsed(), Duration::from_secs(15));
}

/// A lone endpoint is asked again after a fault, once; with `allow_fallbacks: false` it is not.
#[tokio::test(start_paused = true)]
async fn a_lone_endpoint_gets_a_second_chance() {
    let queue =
        || ReplayTransport::queue([fixtures::error(500, "hiccup"), fixtures::answer("Hi", 1, 1)]);
    let setup = Setup::one("price = { prompt = '1', completion = '1' }");
    assert_eq!(
        setup
            .start(queue())
            .chat(asking("acme/one", json!({})))
            .await
            .content(),
        "Hi"
    );
    let alone = asking("acme/one", json!({"provider": {"allow_fallbacks": false}}));
    let station = setup.start(queue());
    station.chat(alone).await.error(503);
    assert_eq!(station.upstream().calls(), 1);
}
