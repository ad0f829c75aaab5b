//! The checklist's statements about routing (API contract, section 12, from 29 to 92) as clients meet
//! them: over HTTP, by who was asked and what went upstream. What each is about in all its cases, the
//! router's own tests have.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, fixtures};
use waystation_tests::{Setup, Station, asking};

pub(crate) const M: &str = "acme/m";

/// Providers `a`, `b`, `c`, and model M with these endpoints: a provider, and the rest of its table.
pub(crate) fn shop(endpoints: &[(&str, &str)]) -> Setup {
    let mut config = format!("[catalog]\nbundled = false\n[[models]]\nid = \"{M}\"\n");
    for (provider, rest) in endpoints {
        config.push_str(&format!(
            "[[models.endpoints]]\nprovider = \"{provider}\"\n{rest}\n"
        ));
    }
    for slug in ["a", "b", "c"] {
        config.push_str(&format!(
            "[providers.{slug}]\nname = \"{}\"\ndialect = \"openai-chat\"\n\
             base_url = \"http://{slug}.mock/v1\"\napi_key = \"key-of-{slug}-do-not-tell\"\n",
            slug.to_uppercase()
        ));
    }
    Setup::empty().config(&config)
}

pub(crate) fn priced(dollars: &str) -> String {
    format!("price = {{ prompt = \"{dollars}\", completion = \"{dollars}\" }}")
}

/// M at A, B and C for 1, 2 and 3 dollars, and no default sort.
fn abc() -> Setup {
    let (one, two, three) = (priced("1"), priced("2"), priced("3"));
    shop(&[("a", &one), ("b", &two), ("c", &three)])
}

pub(crate) fn hello() -> ReplayTransport {
    ReplayTransport::answering(|_, _| fixtures::answer("Hello", 5, 2))
}

/// B answers 500, the others answer.
fn without_b() -> ReplayTransport {
    ReplayTransport::answering(|request, _| match request.url.host() {
        Some("b.mock") => fixtures::error(500, "down"),
        _ => fixtures::answer("Hello", 5, 2),
    })
}

/// The tags that the gateway would try for a request, in order.
pub(crate) async fn order(station: &Station, model: &str, more: Value) -> Vec<String> {
    let body = asking(model, more).to_string();
    let request = Station::request(Method::POST, "/v1/route/explain", body);
    let told = station.whole(request).await.ok();
    let attempts = told["attempts"].as_array().unwrap().iter();
    attempts
        .map(|attempt| attempt["endpoint"].as_str().unwrap().to_owned())
        .collect()
}

/// Who is asked when all are down.
async fn asked(setup: &Setup, body: Value) -> Vec<String> {
    let station = setup.start(ReplayTransport::answering(|_, _| {
        fixtures::error(500, "down")
    }));
    station.chat(body).await.error(503);
    station.asked()
}

async fn served(setup: &Setup, more: Value) -> Value {
    let station = setup.start(hello());
    station.chat(asking(M, more)).await.ok()["provider"].clone()
}

#[tokio::test(start_paused = true)]
async fn s29_a_dollar_goes_nine_times_as_often_as_three() {
    let (one, three) = (priced("1"), priced("3"));
    let station = shop(&[("a", &one), ("c", &three)]).start(hello());
    let mut cheap = 0;
    for _ in 0..2_000 {
        cheap += usize::from(order(&station, M, json!({})).await[0] == "a");
    }
    // 0.90 ± 0.02 is three standard deviations to each side.
    assert!((1_760..=1_840).contains(&cheap), "{cheap} of 2000");
}

#[tokio::test(start_paused = true)]
async fn s30_s31_an_endpoint_in_an_outage_is_last_for_thirty_seconds() {
    let station = abc().start(without_b());
    let only_b = json!({"provider": {"only": ["B"]}});
    for _ in 0..4 {
        station.chat(asking(M, only_b.clone())).await.error(503);
    }
    tokio::time::advance(Duration::from_millis(300)).await;
    for _ in 0..50 {
        assert_eq!(order(&station, M, json!({})).await[2], "b");
    }
    tokio::time::advance(Duration::from_secs(31)).await;
    let mut last = 0;
    for _ in 0..50 {
        last += usize::from(order(&station, M, json!({})).await[2] == "b");
    }
    assert!((1..50).contains(&last), "{last} of 50");
}

#[tokio::test(start_paused = true)]
async fn s32_s74_price_and_floor_are_always_cheapest_first() {
    let station = abc().start(hello());
    for _ in 0..20 {
        let sorted = order(&station, M, json!({"provider": {"sort": "price"}})).await;
        assert_eq!(sorted, ["a", "b", "c"]);
        let floor = order(&station, "acme/m:floor", json!({})).await;
        assert_eq!(floor, ["a", "b", "c"]);
    }
}

/// Statements 33, 34, 51, 61, 70, 73 and 75: what was measured orders, and is told in milliseconds.
#[tokio::test(start_paused = true)]
async fn s33_s34_s51_s61_s70_s73_s75_what_was_measured_orders_and_is_shown() {
    // B begins late and is fast then; A begins at once and is slow.
    let station = abc().start(ReplayTransport::answering(|request, _| {
        let pieces = ["word "; 80];
        let reply = fixtures::answer_stream(&pieces, 5, 80);
        match request.url.host() {
            Some("b.mock") => reply.delay(2_000).gap(5),
            Some("a.mock") => reply.delay(100).gap(50),
            _ => reply.delay(1_000).gap(20),
        }
    }));
    for provider in ["A", "B", "C"] {
        for _ in 0..3 {
            let body = asking(M, json!({"provider": {"only": [provider]}}));
            station.stream(body).await;
        }
    }
    tokio::time::advance(Duration::from_millis(300)).await;
    let by = |wish: Value| order(&station, M, json!({ "provider": wish }));
    assert_eq!(by(json!({"sort": "latency"})).await, ["a", "c", "b"]);
    assert_eq!(by(json!({"sort": "throughput"})).await, ["b", "c", "a"]);
    assert_eq!(
        order(&station, "acme/m:nitro", json!({})).await,
        ["b", "c", "a"]
    );
    let price = json!({"provider": {"sort": "price"}});
    assert_eq!(
        order(&station, "acme/m:nitro", price).await,
        ["a", "b", "c"]
    );
    let affordable = json!({"sort": "throughput", "max_price": {"input": 2, "output": 2}});
    assert_eq!(by(affordable).await, ["b", "a"]);
    // Seconds; a miss goes behind and is still tried.
    let patient = json!({"sort": "price", "preferred_max_latency": 1.5});
    assert_eq!(by(patient).await, ["a", "c", "b"]);
    let shown = station.get("/v1/models/acme/m/endpoints").await.ok();
    let endpoints = shown["data"]["endpoints"].as_array().unwrap();
    let b = endpoints.iter().find(|e| e["tag"] == "b").unwrap();
    let ms = b["latency_last_30m"]["p50"].as_f64().unwrap();
    assert!((1_800.0..2_300.0).contains(&ms), "{b}");
}

#[tokio::test(start_paused = true)]
async fn s35_s36_models_stay_apart_unless_the_partition_is_none() {
    let setup = Setup::mocks();
    let models = json!(["acme/x", "acme/y"]);
    let together =
        json!({"models": models, "provider": {"sort": {"by": "price", "partition": "none"}}});
    let body = asking("acme/x", together);
    assert_eq!(asked(&setup, body).await, ["b", "a", "b", "c"]);
    let apart = json!({"models": models, "provider": {"sort": {"by": "price"}}});
    let body = asking("acme/x", apart);
    assert_eq!(asked(&setup, body).await, ["a", "b", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn s38_s39_names_are_slugs_or_display_names_and_order_beats_sort() {
    for names in [json!(["C", "B"]), json!(["c", "b"]), json!([" C ", "B"])] {
        let body = asking(M, json!({"provider": {"order": names, "sort": "price"}}));
        assert_eq!(asked(&abc(), body).await, ["c", "b", "a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn s41_s42_without_fallbacks_one_is_asked_or_what_order_names() {
    let alone = asking(M, json!({"provider": {"allow_fallbacks": false}}));
    assert_eq!(asked(&abc(), alone).await.len(), 1);
    let unhosted = json!({"order": ["nobody", "B"], "allow_fallbacks": false});
    assert_eq!(served(&abc(), json!({ "provider": unhosted })).await, "B");
}

#[tokio::test(start_paused = true)]
async fn s53_a_base_name_means_variants_and_never_a_tier() {
    let tagged = |tag: &str, dollars: &str| format!("tag = \"{tag}\"\n{}", priced(dollars));
    let (turbo, flex, tier) = (
        tagged("a/turbo", "1"),
        tagged("a/flex", "0.1"),
        format!("service_tier = \"priority\"\n{}", priced("9")),
    );
    let station = shop(&[
        ("a", &priced("2")),
        ("a", &turbo),
        ("a", &flex),
        ("a", &tier),
    ])
    .start(hello());
    let by = |names: Value| {
        order(
            &station,
            M,
            json!({"provider": {"only": names, "sort": "price"}}),
        )
    };
    assert_eq!(by(json!(["A"])).await, ["a/turbo", "a"]);
    assert_eq!(by(json!(["A/Turbo"])).await, ["a/turbo"]);
    assert_eq!(by(json!(["a/flex"])).await, ["a/flex"]);
    // A tier that only the configuration names has the provider's slug with the tier behind it.
    assert_eq!(
        by(json!(["a/priority", "a"])).await,
        ["a/turbo", "a", "a/priority"]
    );
}

#[tokio::test(start_paused = true)]
async fn s54_s55_a_parameter_that_is_not_taken_drops_the_endpoint_or_is_left_out() {
    let few = format!("supported_parameters = [\"temperature\"]\n{}", priced("1"));
    let setup = shop(&[("a", &few), ("b", &priced("2"))]);
    let bias = |provider: Value| json!({"logit_bias": {"5": 1}, "provider": provider});
    assert_eq!(
        served(&setup, bias(json!({"require_parameters": true}))).await,
        "B"
    );
    let station = setup.start(hello());
    let body = asking(M, bias(json!({"order": ["A"]})));
    assert_eq!(station.chat(body).await.ok()["provider"], "A");
    assert!(station.bodies()[0].get("logit_bias").is_none());
    let lone = shop(&[("a", &few)]).start(hello());
    let body = asking(M, bias(json!({"require_parameters": true})));
    let error = lone.chat(body).await.error(404);
    assert_eq!(
        error["availability"]["excluded_by"],
        json!(["require_parameters"])
    );
}

#[tokio::test(start_paused = true)]
async fn s56_endpoints_with_tools_are_preferred_and_without_any_it_still_runs() {
    let none = format!("supported_parameters = [\"temperature\"]\n{}", priced("1"));
    let tools = json!({"tools": [{"type": "function", "function": {"name": "look"}}]});
    let setup = shop(&[("a", &none), ("b", &priced("5"))]);
    assert_eq!(served(&setup, tools.clone()).await, "B");
    let lone = shop(&[("a", &none)]);
    let station = lone.start(hello());
    assert_eq!(
        station.chat(asking(M, tools.clone())).await.ok()["provider"],
        "A"
    );
    assert!(station.bodies()[0].get("tools").is_none());
    let strict = lone.config("[routing]\nstrict = true").start(hello());
    strict.chat(asking(M, tools)).await.error(404);
}

#[tokio::test(start_paused = true)]
async fn s59_s60_formats_and_privacy_exclude() {
    let format =
        |format: &str, dollars: &str| format!("quantization = \"{format}\"\n{}", priced(dollars));
    let setup = shop(&[
        ("a", &format("nvfp4", "1")),
        ("b", &format("bf16", "2")),
        ("c", &priced("3")),
    ])
    .config(
        "[providers.b]\ndata_policy = { training = false, retention = \"none\" }\n\
         [providers.c]\ndata_policy = { zdr = true }",
    );
    let station = setup.start(hello());
    let by = |wish: Value| order(&station, M, json!({ "provider": wish }));
    assert_eq!(by(json!({"quantizations": ["fp4"]})).await, ["a"]);
    assert_eq!(by(json!({"quantizations": ["unknown"]})).await, ["c"]);
    assert_eq!(
        by(json!({"data_collection": "deny", "sort": "price"})).await,
        ["b", "c"]
    );
    assert_eq!(by(json!({"zdr": true})).await, ["c"]);
    let account = setup.config("[routing]\nzdr = true");
    assert_eq!(
        served(&account, json!({"provider": {"zdr": false}})).await,
        "C"
    );
    let body = asking(M, json!({"provider": {"zdr": true, "only": ["A"]}}));
    let error = station.chat(body).await.error(404);
    assert_eq!(error["availability"]["code"], "privacy_restricted");
}

#[tokio::test(start_paused = true)]
async fn s62_a_fallback_model_that_is_fast_enough_goes_first() {
    let station = Setup::mocks().start(ReplayTransport::answering(|request, _| {
        let slow = request.url.host() != Some("c.mock");
        fixtures::answer_stream(&["Hi"; 40], 5, 40).delay(if slow { 3_000 } else { 100 })
    }));
    for (model, provider) in [
        ("acme/x", "A"),
        ("acme/x", "B"),
        ("acme/y", "B"),
        ("acme/y", "C"),
    ] {
        station
            .stream(asking(model, json!({"provider": {"only": [provider]}})))
            .await;
    }
    tokio::time::advance(Duration::from_millis(300)).await;
    let wish = json!({"models": ["acme/x", "acme/y"], "provider": {"preferred_max_latency": 1}});
    assert_eq!(order(&station, "acme/x", wish).await, ["c", "a", "b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn s82_a_family_is_its_newest_model_and_never_another() {
    let station = Setup::empty().env("OPENAI_API_KEY", "sk-1").start(hello());
    let got = station
        .chat(asking("~openai/gpt-latest", json!({})))
        .await
        .ok();
    let model = got["model"].as_str().unwrap();
    assert!(
        model.starts_with("openai/gpt-") && !model.contains("latest"),
        "{model}"
    );
    let unknown = station
        .chat(asking("~openai/nothing-latest", json!({})))
        .await
        .error(400);
    assert_eq!(unknown["availability"]["code"], "model_not_found");
}

/// A model that cannot do without reasoning, served by A, and `~openai/gpt-latest` for it.
#[tokio::test(start_paused = true)]
async fn s82_no_reasoning_is_refused_by_its_name_and_little_reasoning_behind_latest() {
    let station = Setup::empty()
        .config(
            "[providers.a]\nname = \"A\"\ndialect = \"openai-chat\"\nbase_url = \"http://a.mock/v1\"\n\
             api_key = \"key-of-a-do-not-tell\"\n[[models]]\nid = \"openai/gpt-5.4\"\n\
             reasoning_mandatory = true\n[[models.endpoints]]\nprovider = \"a\"\n",
        )
        .start(hello());
    for (wish, field) in [
        (json!({"reasoning": {"effort": "none"}}), "reasoning.effort"),
        (json!({"reasoning_effort": "none"}), "reasoning_effort"),
        (
            json!({"reasoning": {"enabled": false}}),
            "reasoning.enabled",
        ),
        (
            json!({"reasoning": {"max_tokens": 0}}),
            "reasoning.max_tokens",
        ),
    ] {
        let concrete = asking("openai/gpt-5.4", wish.clone());
        let error = station.chat(concrete).await.error(400);
        assert_eq!(error["param"], field, "{error}");
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("always reasons")
        );
        station.chat(asking("~openai/gpt-latest", wish)).await.ok();
        let sent = station.bodies().pop().unwrap();
        assert_eq!(sent["reasoning_effort"], "low", "{sent}");
        assert_eq!(sent.get("reasoning"), None, "{sent}");
    }
    let row = station.get("/v1/model/openai/gpt-5.4").await.ok();
    assert_eq!(row["data"]["reasoning"]["mandatory"], true);
}

#[tokio::test(start_paused = true)]
async fn s92_four_models_are_fine_unless_the_operator_says_three() {
    let four = json!({"models": ["acme/m", "acme/x", "acme/y", "acme/none"]});
    let body = asking("acme/m", four);
    Setup::mocks().start(hello()).chat(body.clone()).await.ok();
    let capped = Setup::mocks()
        .config("[compat]\nmodels_cap = 3")
        .start(hello());
    let error = capped.chat(body).await.error(400);
    assert!(error["message"].as_str().unwrap().contains('3'), "{error}");
}

#[tokio::test(start_paused = true)]
async fn s106_the_free_router_serves_for_nothing() {
    let setup = shop(&[("a", &priced("1")), ("b", &priced("0"))]);
    let station = setup.start(hello());
    let got = station
        .chat(asking("openrouter/free", json!({})))
        .await
        .ok();
    assert_eq!((&got["model"], &got["provider"]), (&json!(M), &json!("B")));
    assert_eq!(got["usage"]["cost"], json!(0));
}
