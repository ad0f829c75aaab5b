//! Records and money: what a generation cost, to the last digit, and what the ledger says of it,
//! also when the client went away.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::{Setup, Station, ask, asking, event, literal, with_usage};

const PRICED: &str = "price = { prompt = '1', completion = '4' }";

fn one(price: &str, usage: &Value) -> Station {
    let usage = usage.clone();
    Setup::one(price).start(ReplayTransport::answering(move |_, _| {
        with_usage(usage.clone())
    }))
}

/// The cost of a usage at a price, as it is written; the same in the reply, in a stream, and in the
/// record.
async fn cost(price: &str, usage: Value) -> String {
    let station = one(price, &usage);
    let got = station.chat(asking("acme/one", json!({}))).await;
    let body = got.ok();
    let cost = literal(got.text(), "cost").to_owned();
    let id = body["id"].as_str().unwrap();
    let record = station.get(&format!("/v1/generation?id={id}")).await;
    assert_eq!(literal(record.text(), "total_cost"), cost);
    assert_eq!(literal(got.text(), "upstream_inference_cost"), cost);
    cost
}

fn tokens(prompt: u64, completion: u64) -> Value {
    json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion})
}

/// Statement 130.
#[tokio::test(start_paused = true)]
async fn cost_is_tokens_times_price_to_the_last_digit() {
    for (price, usage, expected) in [
        (PRICED, tokens(1000, 100), "0.0014"),
        (PRICED, tokens(1, 1), "0.000005"),
        // Sums that binary floating point gets wrong.
        (
            "price = { prompt = '0.1', completion = '0.2' }",
            tokens(1, 1),
            "0.0000003",
        ),
        (
            "price = { prompt = '0.15', completion = '0.6' }",
            tokens(333, 777),
            "0.00051615",
        ),
        (
            "price = { prompt = '1.10', completion = '3.30' }",
            tokens(3, 3),
            "0.0000132",
        ),
        (
            "price = { prompt = '0.000000001', completion = '0' }",
            tokens(1, 1),
            "0.000000000000001",
        ),
        (
            "price = { prompt = '75', completion = '150' }",
            tokens(123_456_789, 987_654_321),
            "157407.407325",
        ),
        (
            "price = { prompt = '0', completion = '0' }",
            tokens(5, 5),
            "0",
        ),
        (
            "price = { prompt = '1', completion = '1', request = '0.005' }",
            tokens(1, 1),
            "0.005002",
        ),
    ] {
        assert_eq!(cost(price, usage).await, expected, "{price}");
    }
}

/// Statement 130: cached, written, audio and reasoning tokens at their own rates, each once.
#[tokio::test(start_paused = true)]
async fn every_kind_of_token_has_its_own_rate() {
    let price = "price = { prompt = '3', completion = '15', cache_read = '0.3', cache_write = '3.75', \
                 audio = '10', reasoning = '20' }";
    let usage = |prompt: Value, completion: Value| {
        let mut usage = tokens(1000, 500);
        usage["prompt_tokens_details"] = prompt;
        usage["completion_tokens_details"] = completion;
        usage
    };
    for (prompt, completion, expected) in [
        // 600 x 3 + 400 x 0.3 + 500 x 15
        (json!({"cached_tokens": 400}), json!({}), "0.00942"),
        // 500 x 3 + 400 x 0.3 + 100 x 3.75 + 500 x 15
        (
            json!({"cached_tokens": 400, "cache_write_tokens": 100}),
            json!({}),
            "0.009495",
        ),
        // 900 x 3 + 100 x 10 + 500 x 15
        (json!({"audio_tokens": 100}), json!({}), "0.0112"),
        // 1000 x 3 + 300 x 15 + 200 x 20
        (json!({}), json!({"reasoning_tokens": 200}), "0.0115"),
    ] {
        assert_eq!(
            cost(price, usage(prompt.clone(), completion)).await,
            expected,
            "{prompt}"
        );
    }
    // Without rates of their own they are what they are made of.
    let usage = usage(
        json!({"cached_tokens": 400}),
        json!({"reasoning_tokens": 200}),
    );
    assert_eq!(
        cost("price = { prompt = '3', completion = '15' }", usage).await,
        "0.0105"
    );
}

/// Statement 130: above a step the whole request is billed at the step's rates (decisions, "Money").
#[tokio::test(start_paused = true)]
async fn beyond_a_step_the_whole_request_is_billed_at_its_rates() {
    let setup = Setup::empty()
        .env("GEMINI_API_KEY", "k")
        .env("OPENROUTER_API_KEY", "k");
    let resolved = setup.resolve().unwrap();
    let tiered = resolved
        .catalog
        .models()
        .flat_map(|model| &model.endpoints)
        .find(|endpoint| {
            let plain = endpoint.variant.is_none() && endpoint.service_tier.is_none();
            let simple = endpoint.price.request.is_none() && endpoint.dialect == *"openai-chat";
            plain
                && simple
                && endpoint.price.tiers.len() == 1
                && endpoint.provider == *"openrouter"
                && endpoint.context_length.is_some_and(|c| c.get() > 300_000)
        });
    let endpoint = tiered.expect("an endpoint with one step").clone();
    let step = endpoint.price.tiers[0].above.get();
    for prompt in [step, step + 1] {
        let station = setup.start(ReplayTransport::answering(move |_, _| {
            with_usage(tokens(prompt, 10))
        }));
        let body = asking(
            endpoint.model.as_str(),
            json!({"provider": {"only": ["openrouter"]}}),
        );
        let got = station.chat(body).await;
        got.ok();
        let rates = endpoint.price.at(waystation_core::Tokens::new(prompt));
        let count = waystation_core::Tokens::new;
        let expected =
            rates.prompt.unwrap().of(count(prompt)) + rates.completion.unwrap().of(count(10));
        assert_eq!(
            literal(got.text(), "cost"),
            expected.to_string(),
            "{prompt}"
        );
    }
    let below = endpoint.price.at(waystation_core::Tokens::new(step));
    let above = endpoint.price.at(waystation_core::Tokens::new(step + 1));
    assert_ne!(below.prompt, above.prompt, "the step changes something");
}

/// Decisions, "Candidates": aggregators bill what they say that they billed.
#[tokio::test(start_paused = true)]
async fn an_aggregator_bills_what_it_reports() {
    let mut usage = tokens(1000, 100);
    usage["cost"] = json!(0.001_234_5);
    let station = Setup::empty()
        .env("OPENROUTER_API_KEY", "an-openrouter-key")
        .start(ReplayTransport::answering(move |_, _| {
            with_usage(usage.clone())
        }));
    let got = station.chat(asking("openai/gpt-5.4", json!({}))).await;
    assert_eq!(got.ok()["provider"], "OpenRouter");
    assert_eq!(literal(got.text(), "cost"), "0.0012345");
    // Elsewhere a reported cost is not what counts.
    let mut usage = tokens(1000, 100);
    usage["cost"] = json!(99);
    assert_eq!(cost(PRICED, usage).await, "0.0014");
}

/// Decisions, "Money": what is not known is null, and never 0.
#[tokio::test(start_paused = true)]
async fn an_unknown_price_makes_an_unknown_cost() {
    assert_eq!(cost("", tokens(1000, 100)).await, "null");
    assert_eq!(
        cost("price = { prompt = '1' }", tokens(1000, 100)).await,
        "null"
    );
    let station = one("", &tokens(1000, 100));
    let got = station.chat(asking("acme/one", json!({}))).await.ok();
    assert_eq!(
        got["usage"]["cost_details"]["upstream_inference_prompt_cost"],
        Value::Null
    );
}

/// Statement 130, parts: they add up.
#[tokio::test(start_paused = true)]
async fn the_parts_of_the_cost_are_told() {
    let station = one(PRICED, &tokens(1000, 100));
    let got = station.chat(asking("acme/one", json!({}))).await;
    assert_eq!(
        literal(got.text(), "upstream_inference_prompt_cost"),
        "0.001"
    );
    assert_eq!(
        literal(got.text(), "upstream_inference_completions_cost"),
        "0.0004"
    );
}

/// Statement 131.
#[tokio::test(start_paused = true)]
async fn a_reply_that_ended_in_an_error_or_never_was_one_costs_nothing() {
    let finish_error = Reply::sse([
        event(json!({"content": "Half"}), None),
        event(json!({}), Some("error")),
        r#"{"choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}"#.to_owned(),
        "[DONE]".to_owned(),
    ]);
    let station = Setup::one(PRICED).start(ReplayTransport::queue([finish_error]));
    let got = station.stream(asking("acme/one", json!({}))).await;
    assert_eq!(got.usage()["cost"], 0, "{}", got.text());
    let record = station.record(got.header("x-generation-id").unwrap()).await;
    assert_eq!(record["total_cost"], 0);
    let station = Setup::one(PRICED).start(ReplayTransport::answering(|_, _| {
        fixtures::error(400, "no")
    }));
    let got = station.chat(asking("acme/one", json!({}))).await;
    got.error(400);
    let record = station.record(got.header("x-generation-id").unwrap()).await;
    assert_eq!(
        (&record["total_cost"], &record["tokens_completion"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(record["error_type"], "invalid_request");
}

/// Statement 129.
#[tokio::test(start_paused = true)]
async fn a_generation_is_on_record_at_once_with_the_same_figures() {
    let stream = fixtures::answer_stream(&["Hel", "lo"], 1000, 100)
        .delay(300)
        .gap(10);
    let station = Setup::one(PRICED).start(ReplayTransport::queue([
        stream,
        fixtures::answer("Hello", 1000, 100),
    ]));
    let streamed = station
        .stream(asking("acme/one", json!({"session_id": "s-1"})))
        .await;
    let (id, usage) = (
        streamed.chunks()[0]["id"].as_str().unwrap().to_owned(),
        streamed.usage(),
    );
    let record = station.record(&id).await;
    assert_eq!(record["id"], id.as_str());
    assert_eq!(record["total_cost"], usage["cost"]);
    assert_eq!(
        (&record["tokens_prompt"], &record["tokens_completion"]),
        (&json!(1000), &json!(100))
    );
    assert_eq!(record["native_tokens_prompt"], 1000);
    assert_eq!(
        (&record["model"], &record["provider_name"]),
        (&json!("acme/one"), &json!("One"))
    );
    assert_eq!(
        (&record["streamed"], &record["cancelled"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        (&record["finish_reason"], &record["session_id"]),
        (&json!("stop"), &json!("s-1"))
    );
    assert_eq!(record["upstream_id"], "chatcmpl-mock");
    assert!(record["latency"].as_u64().unwrap() >= 300, "{record}");
    let whole = station.chat(asking("acme/one", json!({}))).await.ok();
    let record = station.record(whole["id"].as_str().unwrap()).await;
    assert_eq!(
        (&record["total_cost"], &record["streamed"]),
        (&whole["usage"]["cost"], &json!(false))
    );
    station
        .get("/v1/generation?id=gen-nothing")
        .await
        .error(404);
    station
        .get("/v1/generation?id=gen-01kdvdna00cr355dbeeb7dd1xp")
        .await
        .error(404);
    station.get("/v1/generation").await.error(400);
}

/// Statement 129, with keys: another key's generation does not exist.
#[tokio::test(start_paused = true)]
async fn a_record_is_its_own_keys_alone() {
    const KEYS: [&str; 2] = ["the-first-client-key", "the-second-client-key"];
    let setup = Setup::one(PRICED).config(&format!("[auth]\nkeys = {KEYS:?}"));
    let station = setup.start(ReplayTransport::answering(|_, _| {
        fixtures::answer("Hi", 1000, 100)
    }));
    let send = async |method: http::Method, path: &str, body: String, key: &str| {
        let mut request = Station::request(method, path, body);
        request
            .headers_mut()
            .insert("authorization", format!("Bearer {key}").parse().unwrap());
        station.whole(request).await
    };
    let chat = asking("acme/one", json!({})).to_string();
    let got = send(http::Method::POST, "/v1/chat/completions", chat, KEYS[0])
        .await
        .ok();
    let path = format!("/v1/generation?id={}", got["id"].as_str().unwrap());
    send(http::Method::GET, &path, String::new(), KEYS[0])
        .await
        .ok();
    send(http::Method::GET, &path, String::new(), KEYS[1])
        .await
        .error(404);
    station.get(&path).await.error(401);
    // Statement 132, the part without limits.
    for path in ["/v1/key", "/v1/auth/key", "/api/v1/auth/key"] {
        let first = send(http::Method::GET, path, String::new(), KEYS[0]).await;
        assert_eq!(literal(first.text(), "usage"), "0.0014");
        let second = send(http::Method::GET, path, String::new(), KEYS[1])
            .await
            .ok();
        assert_eq!(
            (&second["data"]["usage"], &second["data"]["limit"]),
            (&json!(0), &Value::Null)
        );
        station.get(path).await.error(401);
    }
}

/// Waits, in the runtime's time, until the record of `id` is there.
async fn settled(station: &Station, id: &str) -> Value {
    sleep(Duration::from_millis(1)).await;
    station.record(id).await
}

/// Statement 23: the client drops the stream.
#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_closes_the_upstream_and_pays_for_what_it_got() {
    let stream =
        fixtures::answer_stream(&["Once upon a time ", "there was ", "a gateway"], 1000, 100)
            .gap(1_000);
    let station = Setup::one(PRICED).start(ReplayTransport::queue([stream]));
    let mut opened = station
        .open(asking("acme/one", json!({"stream": true})))
        .await;
    let id = opened.headers()["x-generation-id"]
        .to_str()
        .unwrap()
        .to_owned();
    opened.until("there was").await;
    assert_eq!(
        (station.upstream().open(), station.upstream().cancelled()),
        (1, 0)
    );
    drop(opened);
    assert_eq!(
        (station.upstream().open(), station.upstream().cancelled()),
        (0, 1)
    );
    let record = settled(&station, &id).await;
    assert_eq!(record["cancelled"], true);
    assert!(record["tokens_prompt"].as_u64().unwrap() > 0, "{record}");
    assert!(
        record["tokens_completion"].as_u64().unwrap() > 0,
        "{record}"
    );
    assert!(record["total_cost"].as_f64().unwrap() > 0.0, "{record}");
}

/// Statement 23: usage that the upstream had reported by then is what counts.
#[tokio::test(start_paused = true)]
async fn what_the_upstream_reported_before_a_cancel_counts() {
    let chunk = |text: &str, completion: u64| {
        json!({"id": "1", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}],
            "usage": tokens(1000, completion)})
        .to_string()
    };
    let stream = Reply::sse([chunk("a", 10), chunk("b", 20), chunk("c", 30)])
        .chunked(200)
        .gap(1_000);
    let station = Setup::one(PRICED).start(ReplayTransport::queue([stream]));
    let mut opened = station
        .open(asking("acme/one", json!({"stream": true})))
        .await;
    let id = opened.headers()["x-generation-id"]
        .to_str()
        .unwrap()
        .to_owned();
    opened.until("\"b\"").await;
    drop(opened);
    let record = settled(&station, &id).await;
    assert_eq!(record["cancelled"], true);
    assert_eq!(
        (&record["tokens_prompt"], &record["tokens_completion"]),
        (&json!(1000), &json!(20)),
        "{record}"
    );
}

/// Statement 23: the whole request's future is dropped, as a server does when the connection closes;
/// before the head, and while the body is on its way. Streamed or whole, upstream always ends.
#[tokio::test(start_paused = true)]
async fn a_whole_request_that_is_dropped_is_cancelled_upstream() {
    for (reply, stream) in [
        (fixtures::answer("Hello", 1000, 100).delay(60_000), false),
        (
            fixtures::answer("Hello", 1000, 100).chunked(20).gap(5_000),
            false,
        ),
        (
            fixtures::answer_stream(&["Hello"], 1000, 100).delay(60_000),
            true,
        ),
    ] {
        let station = Setup::one(PRICED).start(ReplayTransport::queue([reply]));
        let body = asking("acme/one", json!({"stream": stream}));
        let gone = timeout(Duration::from_secs(7), station.chat(body)).await;
        assert!(gone.is_err());
        assert_eq!(
            (station.upstream().open(), station.upstream().cancelled()),
            (0, 1)
        );
        let (kept, _) = station.app().ledger().size();
        assert_eq!(kept, 1, "it is on record");
        let key = station.get("/v1/key").await.ok();
        assert!(
            key["data"]["usage"].as_f64().unwrap() > 0.0,
            "the prompt was sent: {key}"
        );
    }
}

/// Statement 23, section 10.13: an upstream that ends the connection without a count is estimated,
/// and a success without usage is never free.
#[tokio::test(start_paused = true)]
async fn without_a_count_usage_is_estimated() {
    let silent = Reply::sse([
        event(json!({"content": "twelve letters and more"}), None),
        event(json!({}), Some("stop")),
        "[DONE]".to_owned(),
    ]);
    let station = Setup::one(PRICED).start(ReplayTransport::queue([silent]));
    let got = station.stream(asking("acme/one", json!({}))).await;
    let usage = got.usage();
    assert!(usage["prompt_tokens"].as_u64().unwrap() > 0, "{usage}");
    assert!(usage["completion_tokens"].as_u64().unwrap() > 2, "{usage}");
    assert!(usage["cost"].as_f64().unwrap() > 0.0, "{usage}");
    assert_eq!(usage["estimated"], true);
}

/// Fees by the piece: the request's, and each image's, beside the tokens.
#[tokio::test(start_paused = true)]
async fn images_and_requests_are_charged_by_the_piece() {
    let price = "price = { prompt = '1', completion = '4', request = '0.01', image = '0.002' }";
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aaaa"}});
    let said = json!({"type": "text", "text": "What is it?"});
    for (content, expected) in [
        (json!("What is it?"), "0.0114"),
        (json!([said, image]), "0.0134"),
        (json!([image, image, said, image]), "0.0174"),
    ] {
        let station = one(price, &tokens(1000, 100));
        let more = json!({"messages": [{"role": "user", "content": content}]});
        let got = station.chat(asking("acme/one", more.clone())).await;
        got.ok();
        assert_eq!(literal(got.text(), "cost"), expected);
        assert_eq!(
            literal(got.text(), "upstream_inference_completions_cost"),
            "0.0004"
        );
        let usage = station.stream(asking("acme/one", more)).await.usage();
        assert_eq!(usage["cost"].to_string(), expected);
    }
}

/// A zero is no count of a prompt that was sent, nor of words that came: it would make them free.
#[tokio::test(start_paused = true)]
async fn a_zero_that_cannot_be_is_estimated() {
    for (counts, prompt, completion) in [
        (tokens(0, 0), None, None),
        (tokens(0, 70), None, Some(70)),
        (tokens(900, 0), Some(900), None),
        (json!({"completion_tokens": 70}), None, Some(70)),
        (
            json!({"prompt_tokens": "900", "completion_tokens": 70}),
            None,
            Some(70),
        ),
    ] {
        let station = one(PRICED, &counts);
        let got = station.chat(asking("acme/one", json!({}))).await;
        let usage = got.ok()["usage"].clone();
        for (name, told) in [("prompt_tokens", prompt), ("completion_tokens", completion)] {
            let count = usage[name].as_u64().unwrap();
            assert!(
                told.map_or(count > 0, |told| count == told),
                "{counts}: {usage}"
            );
        }
        let sum = ["prompt_tokens", "completion_tokens"].map(|name| usage[name].as_u64().unwrap());
        assert_eq!(usage["total_tokens"], sum[0] + sum[1]);
        assert_eq!(usage["estimated"], true, "{counts}: {usage}");
        assert!(usage["cost"].as_f64().unwrap() > 0.0, "{counts}: {usage}");
    }
    // Nothing but a tool's call, and counted: as it is told.
    let station = one(PRICED, &tokens(900, 70));
    let usage = station.chat(asking("acme/one", json!({}))).await.ok()["usage"].clone();
    assert!(usage.get("estimated").is_none(), "{usage}");
}

/// Decisions, "Usage on cancel": what is not reported is estimated as this model counted before.
#[tokio::test(start_paused = true)]
async fn an_estimate_learns_from_what_the_model_reported() {
    let silent = || {
        Reply::sse([
            event(json!({"content": "Hi"}), None),
            event(json!({}), Some("stop")),
            "[DONE]".to_owned(),
        ])
    };
    let replies = [silent(), fixtures::answer("Hi", 2_000, 1), silent()];
    let station = Setup::one(PRICED).start(ReplayTransport::queue(replies));
    let prompt = json!({"messages": [{"role": "user", "content": "word ".repeat(2_000)}]});
    let estimated = async || {
        let got = station.stream(asking("acme/one", prompt.clone())).await;
        assert_eq!(got.usage()["estimated"], true);
        got.usage()["prompt_tokens"].as_u64().unwrap()
    };
    let before = estimated().await;
    assert!(
        (2_600..2_700).contains(&before),
        "3.8 bytes a token: {before}"
    );
    station.chat(asking("acme/one", prompt.clone())).await.ok();
    // Bytes per token are kept in hundredths.
    let after = estimated().await;
    assert!((1_990..=2_010).contains(&after), "{after}");
}

/// Decisions, "Records": the ledger is bounded; every attempt is on record.
#[tokio::test(start_paused = true)]
async fn failed_attempts_are_on_record() {
    let station = Setup::mocks().start(
        ReplayTransport::hosts()
            .at("a.mock", [fixtures::error(500, "x")])
            .at("b.mock", [fixtures::answer("Hi", 1, 1)]),
    );
    let got = station.chat(ask(json!({}))).await.ok();
    let record = station.record(got["id"].as_str().unwrap()).await;
    let attempts = record["provider_responses"].as_array().unwrap();
    let seen: Vec<(&Value, &Value)> = attempts
        .iter()
        .map(|a| (&a["provider_name"], &a["status"]))
        .collect();
    assert_eq!(
        seen,
        [(&json!("A"), &json!(500)), (&json!("B"), &json!(200))]
    );
}
