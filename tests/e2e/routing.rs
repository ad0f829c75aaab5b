//! The `provider` object: who may serve, who must not, and at what price. The orders themselves are
//! the router's own tests; here is what a client sees of them, and who was really asked.

use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, fixtures};
use waystation_tests::{Setup, Station, ask};

fn hello() -> ReplayTransport {
    ReplayTransport::answering(|_, _| fixtures::answer("Hello", 5, 2))
}

fn down() -> ReplayTransport {
    ReplayTransport::answering(|_, _| fixtures::error(500, "down"))
}

/// Everybody is down: who is asked, in order.
async fn asked(setup: &Setup, provider: Value) -> Vec<String> {
    let station = setup.start(down());
    station
        .chat(ask(json!({"provider": provider})))
        .await
        .error(503);
    station.asked()
}

/// Who serves, when everybody can.
async fn served(provider: Value) -> Value {
    let station = Setup::mocks().start(hello());
    station.chat(ask(json!({"provider": provider}))).await.ok()["provider"].clone()
}

/// Names as vendors have them: OpenAI and Azure, both of which serve M.
fn vendors() -> Setup {
    Setup::empty().config(
        r#"
        [routing]
        sort = "price"
        [providers.openai]
        api_key = "an-openai-key"
        base_url = "http://openai.mock/v1"
        [providers.azure]
        api_key = "an-azure-key"
        base_url = "http://azure.mock/v1"
        [[models]]
        id = "acme/m"
        [[models.endpoints]]
        provider = "openai"
        model = "m"
        price = { prompt = "1", completion = "1" }
        [[models.endpoints]]
        provider = "azure"
        model = "m"
        price = { prompt = "2", completion = "2" }
        "#,
    )
}

/// Statement 43.
#[tokio::test(start_paused = true)]
async fn s43_only_azure_means_only_azure() {
    for name in ["Azure", "azure", " AZURE "] {
        let asked = asked(&vendors(), json!({"only": [name]})).await;
        assert!(
            !asked.is_empty() && asked.iter().all(|host| host == "azure"),
            "{name}: {asked:?}"
        );
    }
    assert_eq!(served(json!({"only": ["B"]})).await, "B");
}

fn assert_no_endpoints(error: &Value) {
    assert_eq!(error["error_type"], "not_found");
    assert_eq!(error["availability"]["code"], "no_endpoints");
    assert_eq!(error["availability"]["requested_models"], json!(["acme/m"]));
    let by = error["availability"]["excluded_by"].as_array().unwrap();
    assert!(by.contains(&json!("allowed_providers")), "{error}");
}

/// Statement 44.
#[tokio::test(start_paused = true)]
async fn s44_only_an_unknown_provider_is_a_404_and_nobody_is_asked() {
    let station = Setup::mocks().start(hello());
    let got = station
        .chat(ask(json!({"provider": {"only": ["nobody-at-all"]}})))
        .await;
    assert_no_endpoints(&got.error(404));
    assert_eq!(station.upstream().calls(), 0);
}

/// Statement 45.
#[tokio::test(start_paused = true)]
async fn s45_an_ignored_provider_is_never_asked() {
    assert_eq!(served(json!({"ignore": ["A"]})).await, "B");
    let asked = asked(&Setup::mocks(), json!({"ignore": ["a"]})).await;
    assert_eq!(asked, ["b", "c"]);
}

/// Statement 46.
#[tokio::test(start_paused = true)]
async fn s46_ignore_wins_over_only() {
    assert_eq!(
        served(json!({"only": ["A", "C"], "ignore": ["A"]})).await,
        "C"
    );
    let station = Setup::mocks().start(hello());
    let got = station
        .chat(ask(json!({"provider": {"only": ["A"], "ignore": ["A"]}})))
        .await;
    assert_no_endpoints(&got.error(404));
    assert_eq!(station.upstream().calls(), 0);
}

/// Statement 47.
#[tokio::test(start_paused = true)]
async fn s47_input_and_output_are_other_words_for_prompt_and_completion() {
    for caps in [
        json!({"input": 2, "output": 2}),
        json!({"prompt": 2, "completion": 2}),
    ] {
        assert_eq!(
            asked(&Setup::mocks(), json!({"max_price": caps})).await,
            ["a", "b"]
        );
    }
    // Both caps hold: B's answers are too dear here.
    let caps = json!({"prompt": 9, "completion": 1});
    let asked = asked(&Setup::mocks(), json!({"max_price": caps})).await;
    assert!(
        !asked.is_empty() && asked.iter().all(|host| host == "a"),
        "{asked:?}"
    );
    let station = Setup::mocks().start(hello());
    let differ = ask(json!({"provider": {"max_price": {"prompt": 1, "input": 2}}}));
    let error = station.chat(differ).await.error(400);
    assert!(
        error["message"].as_str().unwrap().contains("two spellings"),
        "{error}"
    );
    let same = ask(json!({"provider": {"max_price": {"prompt": 1, "input": "1.0"}}}));
    station.chat(same).await.ok();
}

/// Statement 48.
#[tokio::test(start_paused = true)]
async fn s48_a_price_equal_to_the_cap_passes_and_cap_zero_admits_the_free() {
    assert_eq!(
        served(json!({"max_price": {"prompt": "1", "completion": "1.000"}})).await,
        "A"
    );
    let station = Setup::mocks().start(hello());
    let zero = json!({"provider": {"max_price": {"prompt": 0, "completion": 0}}});
    station.chat(ask(zero.clone())).await.error(404);
    let free = Setup::mocks().config(
        r#"
        [providers.gratis]
        name = "Gratis"
        dialect = "openai-chat"
        base_url = "http://gratis.mock/v1"
        api_key = "key-of-gratis"
        [[models]]
        id = "acme/m"
        [[models.endpoints]]
        provider = "gratis"
        model = "m"
        price = { prompt = "0", completion = "0" }
        "#,
    );
    let got = free.start(hello()).chat(ask(zero)).await.ok();
    assert_eq!(
        (&got["provider"], &got["usage"]["cost"]),
        (&json!("Gratis"), &json!(0))
    );
}

/// Statement 49.
#[tokio::test(start_paused = true)]
async fn s49_a_cap_below_all_prices_says_so() {
    let station = Setup::mocks().start(hello());
    let body = ask(json!({"provider": {"max_price": {"prompt": "0.5"}}}));
    let error = station.chat(body).await.error(404);
    assert_eq!(error["error_type"], "not_found");
    let availability = &error["availability"];
    assert_eq!(availability["code"], "constraint_filtered");
    assert_eq!(availability["excluded_by"], json!(["max_price"]));
    assert_eq!(availability["constraint"]["field"], "max_price");
    assert!(availability["constraint"]["detail"].is_string());
    // The message says what the cheapest asks.
    assert!(
        error["message"].as_str().unwrap().contains("prompt 1"),
        "{error}"
    );
    assert_eq!(station.upstream().calls(), 0);
}

/// Statement 50.
#[tokio::test(start_paused = true)]
async fn s50_caps_are_numbers_or_strings_and_nothing_else() {
    for cap in [json!(1.5), json!("1.5"), json!(1), json!("1e0"), json!(1e0)] {
        let station = Setup::mocks().start(hello());
        let body = ask(json!({"provider": {"max_price": {"prompt": cap}}}));
        assert_eq!(station.chat(body).await.ok()["provider"], "A", "{cap}");
    }
    for cap in [
        json!("abc"),
        json!(-1),
        json!("-1"),
        json!(""),
        json!([1]),
        json!(true),
        json!("NaN"),
    ] {
        let station = Setup::mocks().start(hello());
        let body = ask(json!({"provider": {"max_price": {"prompt": cap}}}));
        let error = station.chat(body).await.error(400);
        assert_eq!(
            error["param"], "provider.max_price.prompt",
            "{cap}: {error}"
        );
    }
    let station = Setup::mocks().start(hello());
    let error = station
        .chat(ask(json!({"provider": {"max_price": {"promt": 1}}})))
        .await
        .error(400);
    assert!(
        error["message"].as_str().unwrap().contains("\"prompt\""),
        "{error}"
    );
}

/// Section 3.3: an unknown price fails any cap, and is never taken for free.
#[tokio::test(start_paused = true)]
async fn an_unknown_price_fails_any_cap() {
    let station = Setup::one("").start(hello());
    let body = |more: Value| waystation_tests::asking("acme/one", more);
    let capped = json!({"provider": {"max_price": {"prompt": 1000}}});
    let error = station.chat(body(capped)).await.error(404);
    assert_eq!(error["availability"]["excluded_by"], json!(["max_price"]));
    let got = station.chat(body(json!({}))).await.ok();
    assert_eq!(got["usage"]["cost"], Value::Null);
}

/// Statements 37 and 40, as far as a client sees them: order is followed, and without fallbacks the
/// failure of the one is the answer.
#[tokio::test(start_paused = true)]
async fn s37_s40_order_is_followed_and_may_be_all_there_is() {
    assert_eq!(
        asked(&Setup::mocks(), json!({"order": ["C", "b"]})).await,
        ["c", "b", "a"]
    );
    let alone = json!({"order": ["B"], "allow_fallbacks": false});
    assert_eq!(asked(&Setup::mocks(), alone).await, ["b"]);
    assert_eq!(
        asked(&Setup::mocks(), json!({"allow_fallbacks": false})).await,
        ["a"]
    );
}

/// Decisions, "Names": a name that matches nothing is reported, and refused where routing is strict.
#[tokio::test(start_paused = true)]
async fn names_that_match_nothing_are_reported() {
    let body = || ask(json!({"provider": {"order": ["Nobody", "B"]}}));
    let got = Setup::mocks().start(hello()).chat(body()).await;
    assert_eq!(got.ok()["provider"], "B");
    assert!(
        got.header("x-waystation-warning")
            .unwrap()
            .contains("Nobody")
    );
    let station = Setup::mocks()
        .config("[routing]\nstrict = true")
        .start(hello());
    let error = station.chat(body()).await.error(400);
    assert!(
        error["message"].as_str().unwrap().contains("Nobody"),
        "{error}"
    );
}

/// Interfaces, `[routing]`: the operator's lists bound the client's.
#[tokio::test(start_paused = true)]
async fn the_operators_bounds_hold() {
    let bounded = Setup::mocks().config("[routing]\nonly = ['A', 'B']\nignore = ['A']");
    assert_eq!(
        bounded.start(hello()).chat(ask(json!({}))).await.ok()["provider"],
        "B"
    );
    let wide = ask(json!({"provider": {"only": ["A", "C"]}}));
    assert_no_endpoints(&bounded.start(hello()).chat(wide).await.error(404));
    let capped = Setup::mocks().config("[routing]\nmax_price = { prompt = '2' }");
    let dearer = ask(json!({"provider": {"order": ["C"], "max_price": {"prompt": 10}}}));
    assert_eq!(
        capped.start(hello()).chat(dearer).await.ok()["provider"],
        "A"
    );
}

/// Section 3.4: limits of endpoints are kept to. Statements 57 and 58.
#[tokio::test(start_paused = true)]
async fn s57_s58_endpoints_that_are_too_small_are_left_out() {
    let small = Setup::mocks().config(
        r#"
        [[models]]
        id = "acme/s"
        context_length = 100000
        [[models.endpoints]]
        provider = "a"
        model = "s"
        context_length = 10000
        max_output_tokens = 100
        price = { prompt = "1", completion = "1" }
        [[models.endpoints]]
        provider = "b"
        model = "s"
        price = { prompt = "2", completion = "2" }
        "#,
    );
    let who = async |more: Value| {
        let station: Station = small.start(hello());
        station
            .chat(waystation_tests::asking("acme/s", more))
            .await
            .ok()["provider"]
            .clone()
    };
    assert_eq!(who(json!({})).await, "A");
    assert_eq!(who(json!({"max_tokens": 101})).await, "B");
    let long = "word ".repeat(40_000);
    assert_eq!(
        who(json!({"messages": [{"role": "user", "content": long}]})).await,
        "B"
    );
    let station = small.start(hello());
    let longer = json!({"messages": [{"role": "user", "content": "word ".repeat(400_000)}]});
    let error = station
        .chat(waystation_tests::asking("acme/s", longer))
        .await
        .error(400);
    assert_eq!(error["error_type"], "context_length_exceeded");
    assert!(
        error["message"].as_str().unwrap().contains("100000"),
        "{error}"
    );
}
