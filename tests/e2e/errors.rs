//! What failures say: the provider and its reason, and never a secret.

use http::{HeaderValue, Method};
use serde_json::{Value, json};
use waystation_core::Phase;
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::{Setup, Station, ask, asking, event};

fn one(reply: Reply) -> Station {
    Setup::one("price = { prompt = '1', completion = '1' }")
        .start(ReplayTransport::answering(move |_, _| reply.clone()))
}

fn alone() -> Value {
    asking("acme/one", json!({"provider": {"allow_fallbacks": false}}))
}

/// Statement 140: provider and reason.
#[tokio::test(start_paused = true)]
async fn an_error_names_the_provider_and_its_reason() {
    for (status, body, expected, reason) in [
        (
            400,
            r#"{"error":{"message":"Unsupported value: 'temperature'","type":"invalid_request_error","code":"unsupported_value"}}"#,
            400,
            "Unsupported value: 'temperature'",
        ),
        (
            422,
            r#"{"detail":[{"loc":["body","messages"],"msg":"field required"}]}"#,
            422,
            "field required",
        ),
        (
            404,
            r#"{"error":{"message":"The model `one` does not exist","code":"model_not_found"}}"#,
            404,
            "does not exist",
        ),
        (500, r#"{"error":"kaputt"}"#, 503, "kaputt"),
        (
            503,
            r#"{"error":{"message":"The engine is overloaded"}}"#,
            503,
            "The engine is overloaded",
        ),
        (
            429,
            r#"{"error":{"message":"Rate limit reached for one"}}"#,
            429,
            "Rate limit reached",
        ),
        (
            400,
            r#"{"error":{"message":"maximum context length is 10 tokens","code":"context_length_exceeded"}}"#,
            400,
            "maximum context length",
        ),
        (
            400,
            r#"{"code":"bad","error":"flat words"}"#,
            400,
            "flat words",
        ),
    ] {
        let station = one(Reply::json(status, body));
        let error = station.chat(alone()).await.error(expected);
        let message = error["message"].as_str().unwrap();
        assert!(
            message.starts_with("One: ") && message.contains(reason),
            "{message}"
        );
        assert_eq!(error["metadata"]["provider_name"], "One");
        assert_eq!(error["metadata"]["raw"], body);
        assert_eq!(error["metadata"]["previous_errors"][0]["status"], status);
    }
}

/// Statement 140: no secrets. Some hosts repeat the key that they refuse, and some repeat it in
/// replies that have nothing to do with it.
#[tokio::test(start_paused = true)]
async fn no_error_shows_a_secret() {
    const SECRET: &str = "key-of-one-do-not-tell";
    let told = format!(
        r#"{{"error":{{"message":"Incorrect API key provided: {SECRET}. See your account","code":"invalid_api_key","key":"{SECRET}"}}}}"#
    );
    for status in [400, 401, 402, 403, 404, 429, 500, 503] {
        let station = one(Reply::json(status, told.clone()));
        for body in [alone(), asking("acme/one", json!({"stream": true}))] {
            let got = station.chat(body).await;
            assert!(got.status >= 400);
            assert!(!got.text().contains(SECRET), "{status}: {}", got.text());
            assert!(!format!("{:?}", got.headers).contains(SECRET));
        }
    }
    let in_band = format!(r#"{{"error":{{"message":"{SECRET} is spent"}}}}"#);
    let station = one(Reply::sse([event(json!({"content": "Hi"}), None), in_band]));
    let got = station.stream(alone()).await;
    assert!(got.chunks().last().unwrap()["error"].is_object());
    assert!(!got.text().contains(SECRET), "{}", got.text());
    assert_eq!(
        station.sent()[0].headers["authorization"],
        format!("Bearer {SECRET}")
    );
}

/// Section 2.3: what failed on the way here says no address either.
#[tokio::test(start_paused = true)]
async fn no_error_shows_an_address() {
    for phase in [
        Phase::Socket,
        Phase::Dns,
        Phase::Connect,
        Phase::Tls,
        Phase::Send,
        Phase::Head,
    ] {
        let station = one(Reply::refuse(phase));
        let got = station.chat(alone()).await;
        let error = got.error(503);
        assert!(
            error["message"].as_str().unwrap().starts_with("One: "),
            "{error}"
        );
        assert!(!got.text().contains("one.mock"), "{}", got.text());
    }
}

/// The request log and `Debug` of everything that is kept show no key and no prompt.
#[tokio::test(start_paused = true)]
async fn debug_shows_neither_keys_nor_prompts() {
    let station = one(fixtures::answer("the secret answer", 5, 2));
    let body = asking(
        "acme/one",
        json!({"messages": [{"role": "user", "content": "a private question"}]}),
    );
    station.chat(body).await.ok();
    let shown = format!(
        "{:?} {:?} {:?}",
        station.app(),
        station.app().ledger().latest(10),
        station.app().gateway()
    );
    for secret in [
        "key-of-one-do-not-tell",
        "a private question",
        "the secret answer",
    ] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let resolved = Setup::one("").resolve().unwrap();
    assert!(!format!("{resolved:?}").contains("key-of-one-do-not-tell"));
    let sent = format!("{:?}", station.sent());
    assert!(!sent.contains("key-of-one-do-not-tell"), "{sent}");
}

/// Decisions, "Statuses, in order".
#[tokio::test(start_paused = true)]
async fn statuses_follow_from_all_attempts() {
    let with = |a: Reply, b: Reply, c: Reply| {
        Setup::mocks().start(
            ReplayTransport::hosts()
                .at("a.mock", [a])
                .at("b.mock", [b])
                .at("c.mock", [c]),
        )
    };
    let error = |status: u16| fixtures::error(status, "words");
    for (a, b, c, expected, kind) in [
        (
            error(500),
            error(503),
            Reply::refuse(Phase::Dns),
            503,
            "provider_overloaded",
        ),
        (
            error(429),
            error(429),
            error(429),
            429,
            "rate_limit_exceeded",
        ),
        (
            error(401),
            error(403),
            error(401),
            502,
            "provider_unavailable",
        ),
        (error(404), error(404), error(404), 404, "not_found"),
        (
            error(500),
            error(500),
            error(429),
            429,
            "rate_limit_exceeded",
        ),
        (
            error(429),
            error(429),
            error(500),
            502,
            "provider_unavailable",
        ),
        (
            error(429),
            error(500),
            error(401),
            502,
            "provider_unavailable",
        ),
    ] {
        let got = with(a, b, c).chat(ask(json!({}))).await;
        let error = got.error(expected);
        assert_eq!(error["error_type"], kind, "{error}");
    }
}

/// Decisions, "Ids in errors": a model that nobody here has a key for says which keys would do.
#[tokio::test(start_paused = true)]
async fn without_credentials_the_variables_are_named() {
    let station = Setup::empty()
        .env("GROQ_API_KEY", "a-groq-key")
        .start(ReplayTransport::queue([]));
    let error = station
        .chat(asking("openai/gpt-5.4", json!({})))
        .await
        .error(404);
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with("openai/gpt-5.4: "), "{message}");
    assert!(
        message.contains("none has credentials; set OPENAI_API_KEY"),
        "{message}"
    );
    assert_eq!(
        error["availability"]["excluded_by"],
        json!(["no_credentials"])
    );
    assert_eq!(error["availability"]["code"], "no_endpoints");
}

/// `POST /v1/route/explain` answers with the status and the error of the chat request itself.
#[tokio::test(start_paused = true)]
async fn explain_fails_as_the_request_would() {
    let station = Setup::mocks().start(ReplayTransport::queue([]));
    let explain = async |body: Value| {
        let request = Station::request(Method::POST, "/v1/route/explain", body.to_string());
        station.whole(request).await
    };
    let plan = explain(ask(json!({"provider": {"ignore": ["B"]}})))
        .await
        .ok();
    let tags: Vec<&Value> = plan["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| &a["endpoint"])
        .collect();
    assert_eq!(tags, ["a", "c"]);
    assert_eq!(plan["dropped"][0]["reason"], "ignore");
    let none = explain(ask(json!({"provider": {"only": ["nobody"]}}))).await;
    assert_eq!(none.status, 404);
    assert_eq!(none.json()["dropped"].as_array().unwrap().len(), 3);
    for body in [
        ask(json!({"provider": {"only": ["nobody"]}})),
        asking("acme/none", json!({})),
        ask(json!({"temperature": 9})),
    ] {
        let (explained, asked) = (explain(body.clone()).await, station.chat(body).await);
        assert_eq!(explained.status, asked.status);
        assert_eq!(explained.json()["error"], asked.json()["error"]);
    }
    assert_eq!(station.upstream().calls(), 0);
}

/// Paths that a base address with too much or too little leads to, and those of other interfaces.
#[tokio::test(start_paused = true)]
async fn a_path_that_is_not_there_names_the_one_that_was_meant() {
    let station = one(fixtures::answer("Hi", 3, 1));
    for (method, path, status, told) in [
        (
            Method::POST,
            "/chat/completions",
            404,
            "did you mean /v1/chat/completions?",
        ),
        (
            Method::POST,
            "/v1/v1/chat/completions",
            404,
            "did you mean /v1/chat/completions?",
        ),
        (
            Method::POST,
            "/v1/chat/completions/",
            404,
            "did you mean /v1/chat/completions?",
        ),
        (
            Method::POST,
            "/v1/responses",
            404,
            "asked at /v1/chat/completions",
        ),
        (Method::GET, "/metrics", 404, "admin_listen"),
        (
            Method::GET,
            "/v1/chat/completions",
            405,
            "takes POST, not GET",
        ),
        (Method::POST, "/api/v1/models", 405, "takes GET, not POST"),
    ] {
        let request = Station::request(method, path, "{}");
        let error = station.whole(request).await.error(status);
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains(told) && message.contains(path),
            "{message}"
        );
    }
}

/// A compressed body is no broken JSON, and is said to be one, with the fix.
#[tokio::test(start_paused = true)]
async fn a_compressed_body_is_a_415() {
    let station = one(fixtures::answer("Hi", 3, 1));
    for (coding, status) in [("gzip", 415), ("br", 415), ("Identity", 200)] {
        let body = ask(json!({"model": "acme/one"})).to_string();
        let mut request = Station::request(Method::POST, "/v1/chat/completions", body);
        let coding = HeaderValue::from_static(coding);
        request.headers_mut().insert("content-encoding", coding);
        let got = station.whole(request).await;
        if status == 200 {
            got.ok();
            continue;
        }
        let error = got.error(status);
        assert!(
            error["message"].as_str().unwrap().contains("uncompressed"),
            "{error}"
        );
        assert_eq!(got.header("accept-encoding"), Some("identity"));
    }
    assert_eq!(station.sent().len(), 1);
}

/// `param` is the member at fault: a body that has none is not told to have an empty one.
#[tokio::test(start_paused = true)]
async fn a_body_that_is_no_request_has_no_member_at_fault() {
    let station = one(fixtures::answer("Hi", 3, 1));
    for body in ["", "null", "[]", "{", "{}x"] {
        let error = station.post(body).await.error(400);
        assert!(error.get("param").is_none(), "{error}");
        assert!(error["metadata"].get("field").is_none(), "{error}");
    }
    let error = station.post(r#"{"model":"acme/one"}"#).await.error(400);
    assert_eq!(error["param"], "messages");
}

/// RFC 8259, section 8.1: some clients write one.
#[tokio::test(start_paused = true)]
async fn a_byte_order_mark_is_passed_over() {
    let station = one(fixtures::answer("Hi", 3, 1));
    let body = format!("\u{feff}{}", ask(json!({"model": "acme/one"})));
    station.post(body).await.ok();
    assert_eq!(station.bodies()[0]["messages"][0]["role"], "user");
    // One, and not in the middle.
    let body = format!("\u{feff}\u{feff}{}", ask(json!({"model": "acme/one"})));
    station.post(body).await.error(400);
}
