//! What the operator's own settings do: which failures lead on, whose keys go first, bare ids, limits
//! that are lowered, tiers, and keys that rest.

use std::time::Duration;

use serde_json::{Value, json};
use waystation_core::Phase;
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::{Setup, ask, asking};

/// A at fault, B well; the classes that lead on.
async fn asked(classes: &str, fault: Reply) -> Vec<String> {
    let setup = Setup::mocks().config(&format!("[routing]\nfallback_on = {classes}\n"));
    let station = setup.start(
        ReplayTransport::hosts()
            .at(&fixtures::host("a"), [fault])
            .at(&fixtures::host("b"), [fixtures::answer("From B", 5, 2)]),
    );
    let _ = station.chat(ask(json!({}))).await;
    station.asked()
}

/// Makes the reply of a failing upstream.
type Fault = fn() -> Reply;

#[tokio::test(start_paused = true)]
async fn s95_fallback_on_says_which_failures_lead_on() {
    let faults: [(&str, Fault); 5] = [
        ("rate_limit", || {
            fixtures::error(429, "limited").header("retry-after", "90")
        }),
        ("server_error", || fixtures::error(500, "down")),
        ("network", || Reply::refuse(Phase::Connect)),
        ("credentials", || fixtures::error(401, "who are you")),
        ("timeout", || fixtures::answer("late", 5, 2).delay(700_000)),
    ];
    for (class, fault) in faults {
        assert_eq!(
            asked(&format!("[\"{class}\"]"), fault()).await,
            ["a", "b"],
            "{class}"
        );
        assert_eq!(asked("[\"any\"]", fault()).await, ["a", "b"], "{class}");
        assert_eq!(asked("[]", fault()).await, ["a"], "{class}");
        let others: Vec<&str> = faults
            .iter()
            .map(|(other, _)| *other)
            .filter(|other| *other != class)
            .collect();
        assert_eq!(
            asked(&json!(others).to_string(), fault()).await,
            ["a"],
            "{class}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s95_a_second_key_is_tried_whatever_leads_on() {
    let setup = Setup::mocks().config(
        "[routing]\nfallback_on = []\n[[providers.a.keys]]\napi_key = 'the-second-key-of-a'",
    );
    let station = setup.start(ReplayTransport::answering(|_, _| {
        fixtures::error(401, "no")
    }));
    station.chat(ask(json!({}))).await.error(502);
    assert_eq!(station.asked(), ["a", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_bare_id_is_served_where_it_is_allowed_and_clear() {
    let hello = || ReplayTransport::answering(|_, _| fixtures::answer("Hi", 5, 2));
    let allowed = Setup::mocks()
        .config("[catalog]\nbare_ids = true\n")
        .start(hello());
    let got = allowed.chat(asking("m", json!({}))).await.ok();
    assert_eq!(got["model"], "acme/m");
    let got = allowed.chat(asking("m:floor", json!({}))).await.ok();
    assert_eq!(got["model"], "acme/m");
    let strict = Setup::mocks().start(hello());
    let error = strict.chat(asking("m", json!({}))).await.error(400);
    assert_eq!(error["availability"]["code"], "model_not_found");
    let twice = Setup::mocks().config(
        "[catalog]\nbare_ids = true\n[[models]]\nid = 'other/m'\n[[models.endpoints]]\n\
         provider = 'a'\nmodel = 'm'\n",
    );
    let error = twice
        .start(hello())
        .chat(asking("m", json!({})))
        .await
        .error(400);
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("acme/m or other/m"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_limit_on_output_is_lowered_to_the_endpoints_own_where_the_operator_wishes_so() {
    let station = Setup::mocks()
        .config("[routing]\nclamp_max_tokens = true\n")
        .start(ReplayTransport::answering(|_, _| {
            fixtures::answer("Hi", 5, 2)
        }));
    station.chat(ask(json!({"max_tokens": 20_000}))).await.ok();
    let sent = &station.bodies()[0];
    let limit = sent
        .get("max_tokens")
        .or_else(|| sent.get("max_completion_tokens"));
    assert_eq!(limit, Some(&json!(16_384)));
}

#[tokio::test(start_paused = true)]
async fn a_limit_on_output_is_lowered_to_what_the_prompt_leaves_of_the_context() {
    let station = Setup::mocks()
        .config(
            "[routing]\nclamp_max_tokens = true\n[[models]]\nid = 'acme/tight'\ncontext_length = 8000\n\
             [[models.endpoints]]\nprovider = 'a'\nmodel = 'tight'\n",
        )
        .start(ReplayTransport::answering(|_, _| fixtures::answer("Hi", 5, 2)));
    let text = "word ".repeat(4_000);
    let body = json!({"messages": [{"role": "user", "content": text}], "max_tokens": 6_000});
    station.chat(asking("acme/tight", body)).await.ok();
    let sent = station.bodies()[0]["max_tokens"].as_u64().unwrap();
    // The prompt is about 5,000 tokens.
    assert!((1_000..3_500).contains(&sent), "{sent}");
    // A limit that fits stays as it is, and so does every limit where the operator does not say so.
    let body = json!({"max_tokens": 600});
    station.chat(asking("acme/tight", body)).await.ok();
    assert_eq!(station.bodies()[1]["max_tokens"], 600);
}

/// M at A and, as tiers of it, `a/flex` at half the price and `a/priority` at the double. Nothing is
/// explored, which in one of forty requests would start at the other endpoint.
fn tiers() -> Setup {
    Setup::mocks().config(
        r#"
        [routing]
        explore = 0
        [[models]]
        id = "acme/t"
        [[models.endpoints]]
        provider = "a"
        model = "t"
        price = { prompt = "1", completion = "1" }
        [[models.endpoints]]
        provider = "a"
        tag = "a/flex"
        model = "t"
        price = { prompt = "0.5", completion = "0.5" }
        [[models.endpoints]]
        provider = "a"
        tag = "a/priority"
        model = "t"
        price = { prompt = "2", completion = "2" }
        "#,
    )
}

/// The `service_tier` of every call, for a request for which all of them fail.
async fn tier_calls(model: &str, more: Value) -> Vec<Value> {
    let station = tiers().start(ReplayTransport::answering(|_, _| {
        fixtures::error(500, "down")
    }));
    station.chat(asking(model, more)).await.error(503);
    station
        .bodies()
        .iter()
        .map(|body| body["service_tier"].clone())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn s71_flex_never_lands_on_a_default_endpoint_and_priority_falls_back() {
    let (flex, priority, none) = (json!("flex"), json!("priority"), Value::Null);
    let of = |tier: &str| tier_calls("acme/t", json!({"service_tier": tier}));
    // A lone endpoint gets a second chance.
    assert_eq!(of("flex").await, [flex.clone(), flex.clone()]);
    assert_eq!(of("priority").await, [priority.clone(), none.clone()]);
    assert_eq!(of("fast").await, [priority.clone(), none.clone()]);
    assert_eq!(
        tier_calls("acme/t", json!({})).await,
        [none.clone(), none.clone()]
    );
    let only = json!({"provider": {"only": ["a/flex"]}});
    assert_eq!(tier_calls("acme/t", only).await, [flex.clone(), flex]);
}

#[tokio::test(start_paused = true)]
async fn s84_suffixes_admit_their_tier_unless_they_are_overruled() {
    let (flex, priority, none) = (json!("flex"), json!("priority"), Value::Null);
    let floor = tier_calls("acme/t:floor", json!({})).await;
    assert_eq!(floor, [flex, none.clone()]);
    let nitro = tier_calls("acme/t:nitro", json!({})).await;
    assert_eq!(nitro, [none.clone(), priority]);
    for overruled in [
        json!({"service_tier": "default"}),
        json!({"provider": {"order": ["a"]}}),
        json!({"provider": {"sort": "throughput"}}),
    ] {
        let calls = tier_calls("acme/t:nitro", overruled.clone()).await;
        let default = calls.iter().all(|tier| tier.is_null() || tier == "default");
        assert!(default, "{overruled}: {calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_limited_rests_and_the_providers_other_key_goes_on() {
    let setup = Setup::mocks().config("[[providers.a.keys]]\napi_key = 'the-second-key-of-a'");
    let station = setup.start(ReplayTransport::answering(|request, _| {
        if request.headers["authorization"] == "Bearer the-second-key-of-a" {
            fixtures::answer("From A", 5, 2)
        } else {
            fixtures::error(429, "spent").header("retry-after", "40")
        }
    }));
    let keys = |station: &waystation_tests::Station| {
        let second = |r: &waystation_core::HttpRequest| {
            r.headers["authorization"] == "Bearer the-second-key-of-a"
        };
        station.sent().iter().map(second).collect::<Vec<bool>>()
    };
    for _ in 0..6 {
        assert_eq!(station.chat(ask(json!({}))).await.content(), "From A");
    }
    let used = keys(&station);
    assert_eq!(
        used.iter().filter(|second| !**second).count(),
        1,
        "{used:?}"
    );
    assert!(station.asked().iter().all(|host| host == "a"));
    // After the rest it is asked again.
    tokio::time::advance(Duration::from_secs(41)).await;
    for _ in 0..2 {
        station.chat(ask(json!({}))).await.ok();
    }
    assert_eq!(keys(&station).iter().filter(|second| !**second).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn s69_a_refused_key_is_not_asked_again_for_five_minutes() {
    let station = Setup::mocks().start(ReplayTransport::answering(|request, _| {
        if request.url.host() == Some("a.mock") {
            fixtures::error(401, "who are you")
        } else {
            fixtures::answer("From B", 5, 2)
        }
    }));
    for _ in 0..3 {
        assert_eq!(station.chat(ask(json!({}))).await.content(), "From B");
    }
    assert_eq!(station.asked(), ["a", "b", "b", "b"]);
    tokio::time::advance(Duration::from_secs(301)).await;
    station.chat(ask(json!({}))).await.ok();
    assert_eq!(station.asked()[4..], ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn when_every_key_rests_the_client_gets_429_and_the_time() {
    let limited = || fixtures::error(429, "limited").header("retry-after", "30");
    let station = Setup::mocks().start(ReplayTransport::answering(move |_, _| limited()));
    station.chat(ask(json!({}))).await.error(429);
    tokio::time::advance(Duration::from_secs(10)).await;
    let calls = station.sent().len();
    let got = station.chat(ask(json!({}))).await;
    assert_eq!(got.error(429)["availability"]["code"], "capacity_exhausted");
    assert_eq!(got.header("retry-after"), Some("20"));
    assert_eq!(station.sent().len(), calls, "nobody is asked");
}

#[tokio::test(start_paused = true)]
async fn own_keys_go_before_aggregators_where_the_operator_wishes_so() {
    let config = |first: bool| {
        Setup::empty()
            .config(&format!("[routing]\nbyok_first = {first}\n"))
            .env("OPENAI_API_KEY", "sk-openai")
            .env("OPENROUTER_API_KEY", "sk-openrouter")
            .env("OPENAI_BASE_URL", "http://openai.mock/v1")
            .env("OPENROUTER_BASE_URL", "http://openrouter.mock/v1")
    };
    let body = asking(
        "openai/gpt-5.4",
        json!({"provider": {"order": ["openrouter", "openai"]}}),
    );
    for (first, expected) in [(false, "openrouter"), (true, "openai")] {
        let station = config(first).start(ReplayTransport::answering(|_, _| {
            fixtures::answer("Hi", 5, 2)
        }));
        station.chat(body.clone()).await.ok();
        assert_eq!(station.asked(), [expected], "byok_first = {first}");
    }
}
