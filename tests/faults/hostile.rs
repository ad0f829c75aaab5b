//! Input that means harm: heads, model ids, configurations and replies of any bytes. The gateway answers
//! every one, never with a fault of its own, and asks nobody at an address that was not configured.
//! Bodies of chat requests are in `tests/e2e/limits.rs`.

use http::{HeaderName, HeaderValue, Method, Request};
use proptest::{
    prelude::*,
    sample::{Index, select},
    test_runner::TestRunner,
};
use serde_json::json;
use waystation_server::config::{self, Environment, Flags};
use waystation_sim::{ReplayTransport, fixtures};
use waystation_tests::{Setup, Station, ask, asking};

use crate::{
    exchange::{Seen, exchange, station},
    fault::{good, page},
};

/// Runs `cases` cases on one station under paused time.
fn on_a_station<S: Strategy>(
    (setup, cases): (Setup, u32),
    strategy: &S,
    check: impl Fn(&Station, &tokio::runtime::Runtime, S::Value) -> Result<(), TestCaseError>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let station = {
        let _inside = runtime.enter();
        setup.start(ReplayTransport::answering(|_, _| {
            fixtures::answer("Hi", 5, 2)
        }))
    };
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    TestRunner::new(config)
        .run(strategy, |value| check(&station, &runtime, value))
        .unwrap();
}

/// A header that the gateway looks at, with a value of any bytes that a header may hold, or one that
/// almost means something.
fn header() -> impl Strategy<Value = (HeaderName, HeaderValue)> {
    let names = vec![
        "authorization",
        "host",
        "origin",
        "content-type",
        "x-request-id",
        "x-session-id",
        "referer",
        "http-referer",
        "user-agent",
        "x-title",
        "x-openrouter-metadata",
        "x-waystation-metadata",
        "x-openrouter-cache",
        "x-openrouter-cache-ttl",
        "accept",
        "x-waystation-hop",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "access-control-request-headers",
    ];
    let any_bytes =
        proptest::collection::vec(prop_oneof![0x20_u8..0x7f, 0x80_u8..=0xff, Just(9)], 0..80);
    let almost = select(vec![
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "127.0.0.1:99999",
        "[::1",
        "localhost.evil.example",
        "null",
        "enabled",
        "application/json; charset=\"",
        "application/jsonx",
        "true",
        "-1",
        "60abc",
        "99999999999999999999",
        "http://127.0.0.1:1/",
        "a, b;c=d",
        "*",
    ]);
    let value = prop_oneof![any_bytes, almost.prop_map(|text| text.as_bytes().to_vec())];
    (select(names), value).prop_map(|(name, value)| {
        let value = HeaderValue::from_bytes(&value).unwrap_or(HeaderValue::from_static(""));
        (HeaderName::from_static(name), value)
    })
}

#[test]
fn no_head_makes_the_gateway_fail() {
    let heads = proptest::collection::vec(header(), 0..6);
    on_a_station(
        (Setup::mocks(), 1_500),
        &heads,
        |station, runtime, heads| {
            let body = ask(json!({})).to_string();
            let mut request = Station::request(Method::POST, "/v1/chat/completions", body);
            for (name, value) in heads {
                request.headers_mut().insert(name, value);
            }
            let got = runtime.block_on(station.whole(request));
            prop_assert!(
                [200, 400, 403, 415, 508].contains(&got.status),
                "{}",
                got.status
            );
            if got.status != 200 {
                prop_assert_eq!(
                    got.json()["error"]["code"].as_u64(),
                    Some(got.status.into())
                );
            }
            let id = got.header("x-request-id").unwrap_or_default();
            let sane = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
            prop_assert!(!id.is_empty() && id.bytes().all(sane), "{id:?}");
            Ok(())
        },
    );
    // Nothing of a client's head reaches a provider: the next test would not see it, so it is looked at
    // in `tests/e2e/basics.rs`.
}

#[test]
fn no_model_id_changes_where_requests_go() {
    // Gemini's wire has the model in its path: the operator's spelling alone may stand there.
    let setup = Setup::mocks().config(
        "[providers.g]\nname = 'G'\ndialect = 'gemini'\nbase_url = 'http://g.mock'\napi_key = 'k'\n\
         [[models]]\nid = 'acme/g'\n[[models.endpoints]]\nprovider = 'g'\nmodel = 'g-1'\n",
    );
    let almost = select(vec![
        "acme/m",
        "acme/g",
        "acme/g:nitro",
        "acme/g@preset/x",
        "~acme/g-latest",
        "acme/../m",
        "acme/g/../../x",
        "acme/g?key=1",
        "acme/g#x",
        "acme%2fm",
        "http://evil.example/acme/m",
        "//evil.example/m",
        "acme/g:online",
        "acme/g\r\nhost: evil",
        "acme/g\u{0}",
        "ACME/G",
        "acme/g ",
        "@evil.example/m",
        "acme\\m",
    ]);
    let id = prop_oneof![
        almost.prop_map(str::to_owned),
        "\\PC{0,40}",
        "acme/[gm][^a-z]{1,8}"
    ];
    on_a_station((setup, 1_500), &id, |station, runtime, id| {
        let before = station.upstream().calls();
        let got = runtime.block_on(station.chat(asking(&id, json!({}))));
        prop_assert!(got.status < 600 && got.status != 500, "{}", got.status);
        for sent in &station.sent()[before..] {
            let address = sent.url.to_string();
            let known = [
                "http://a.mock/v1/chat/completions",
                "http://b.mock/v1/chat/completions",
                "http://c.mock/v1/chat/completions",
                "http://g.mock/v1beta/models/g-1:generateContent",
            ];
            prop_assert!(
                known.contains(&address.as_str()),
                "{id:?} went to {address}"
            );
        }
        Ok(())
    });
}

#[test]
fn a_file_name_changes_no_address_and_is_passed_on_as_text() {
    let name = prop_oneof![
        Just("../../etc/passwd".to_owned()),
        Just("a\r\nx-injected: 1".to_owned()),
        Just("\";filename=\"b".to_owned()),
        "\\PC{0,40}",
    ];
    on_a_station((Setup::mocks(), 300), &name, |station, runtime, name| {
        let before = station.upstream().calls();
        let part = json!({"type": "file", "file": {"filename": name, "file_data": "data:text/plain;base64,SGk="}});
        let messages = json!([{"role": "user", "content": [part, {"type": "text", "text": "Hi"}]}]);
        let got = runtime.block_on(station.chat(ask(json!({ "messages": messages }))));
        prop_assert!(got.status < 500, "{}", got.text());
        for sent in &station.sent()[before..] {
            prop_assert_eq!(sent.url.to_string(), "http://a.mock/v1/chat/completions");
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&sent.body).is_ok());
            let kind = &sent.headers[http::header::CONTENT_TYPE];
            prop_assert_eq!(kind, "application/json");
        }
        Ok(())
    });
}

/// The reference configuration, as the server's own tests hold it.
const EXAMPLE: &str = include_str!("../../crates/waystation-server/src/config/tests/example.toml");

#[test]
fn no_configuration_file_makes_the_gateway_panic() {
    let patch = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..6),
        select(vec![
            "[",
            "]",
            "[[",
            "]]",
            "=",
            "\"",
            "'''",
            "${",
            "${A",
            "${file:/",
            "${:-}",
            "{ }",
            "-1",
            "1e400",
            "nan",
            "true",
            "99999999999999999999",
            "\n[server]\n",
            "\n[providers.x]\n",
            "\n[[models]]\n",
            "\u{feff}",
            "a.b.c = 1\n",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let edit = (any::<Index>(), 0_usize..16, patch);
    let config = ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let env: Environment = [("OPENAI_API_KEY", "sk-do-not-tell-this-to-anybody")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into_iter()
        .collect();
    TestRunner::new(config)
        .run(&proptest::collection::vec(edit, 1..4), |edits| {
            let mut text = EXAMPLE.as_bytes().to_vec();
            for (at, length, patch) in &edits {
                let start = at.index(text.len() + 1);
                let end = (start + length).min(text.len());
                text.splice(start..end, patch.iter().copied());
            }
            let text = String::from_utf8_lossy(&text);
            if let Err(errors) = config::from_text("w.toml", &text, &Flags::default(), &env) {
                let told = errors.to_string();
                prop_assert!(!told.is_empty() && !told.contains("do-not-tell"), "{told}");
            }
            Ok(())
        })
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_line_without_end_is_a_failed_attempt() {
    let line = format!("data: {}", "x".repeat(9 << 20));
    for streamed in [true, false] {
        let endless = page("text/event-stream", line.clone()).chunked(1 << 16);
        let upstream = ReplayTransport::hosts()
            .at("a.mock", [endless])
            .at("b.mock", [good('b', streamed)]);
        let got = exchange(&station(upstream), streamed, json!({})).await;
        assert!(
            matches!(&got.seen, Seen::Answer { provider, .. } if provider == "B"),
            "{:?}",
            got.seen
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_cannot_name_an_address() {
    let station = Setup::mocks().start(ReplayTransport::answering(|_, _| {
        fixtures::answer("Hi", 5, 2)
    }));
    for more in [
        json!({"base_url": "http://evil.example"}),
        json!({"provider": {"options": {"a": {"base_url": "http://evil.example", "model": "x"}}}}),
        json!({"api_base": "http://evil.example", "host": "evil.example"}),
    ] {
        station.chat(ask(more)).await.ok();
    }
    for sent in station.sent() {
        assert_eq!(sent.url.to_string(), "http://a.mock/v1/chat/completions");
    }
    let odd = Request::builder()
        .method(Method::POST)
        .uri("http://evil.example/v1/chat/completions")
        .header("content-type", "application/json")
        .body(ask(json!({})).to_string().into())
        .unwrap();
    assert_eq!(
        station.whole(odd).await.status,
        403,
        "an absolute target is a foreign host"
    );
}
