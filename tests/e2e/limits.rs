//! Bad input: whatever a client sends, it gets a 4xx that names the field, and the gateway goes on.

use std::{fs, path::Path};

use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, fixtures};
use waystation_tests::{Setup, Station, ask, hostile};

fn station() -> Station {
    Setup::mocks().start(ReplayTransport::answering(|_, _| {
        fixtures::answer("Hello", 5, 2)
    }))
}

/// The error of a body that must be refused, with the field that it blames.
async fn refused(station: &Station, body: String) -> (String, String) {
    let got = station.post(body.clone()).await;
    let error = got.error(400);
    assert_eq!(error["error_type"], "invalid_request", "{body}: {error}");
    assert_eq!(station.upstream().calls(), 0, "{body} was sent upstream");
    let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
    (text("param"), text("message"))
}

/// Statement 12.
#[tokio::test(start_paused = true)]
async fn values_out_of_range_are_named() {
    let station = station();
    let long = "x".repeat(257);
    let pairs: Value = (0..17)
        .map(|n| (n.to_string(), json!("v")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    for (field, value) in [
        ("temperature", json!(2.1)),
        ("temperature", json!(-0.1)),
        ("top_p", json!(0)),
        ("top_p", json!(1.01)),
        ("top_k", json!(-1)),
        ("min_p", json!(1.5)),
        ("top_a", json!(-1)),
        ("frequency_penalty", json!(2.5)),
        ("presence_penalty", json!(-2.5)),
        ("repetition_penalty", json!(0)),
        ("repetition_penalty", json!(2.5)),
        ("max_tokens", json!(0)),
        ("max_completion_tokens", json!(-5)),
        ("n", json!(0)),
        ("stop", json!(["a", "b", "c", "d", "e"])),
        ("session_id", json!(long)),
        ("metadata", pairs),
        ("max_tool_calls", json!(31)),
        ("verbosity", json!("loud")),
        ("route", json!("price")),
        ("model", json!(long)),
    ] {
        let (param, message) = refused(&station, ask(json!({field: value})).to_string()).await;
        assert_eq!(param, field, "{message}");
        assert!(message.contains("expected"), "{message}");
    }
    let body = ask(json!({"logprobs": true, "top_logprobs": 21}));
    assert_eq!(refused(&station, body.to_string()).await.0, "top_logprobs");
    let body = ask(json!({"top_logprobs": 3}));
    assert_eq!(refused(&station, body.to_string()).await.0, "top_logprobs");
    let body = ask(json!({"logit_bias": {"5": 101}}));
    assert_eq!(refused(&station, body.to_string()).await.0, "logit_bias.5");
}

/// Statement 12, the other side: what is just in range is served.
#[tokio::test(start_paused = true)]
async fn values_at_the_edge_are_served() {
    let station = station();
    for more in [
        json!({"temperature": 0}),
        json!({"temperature": 2}),
        json!({"top_p": 1}),
        json!({"logprobs": true, "top_logprobs": 20}),
        json!({"stop": ["a", "b", "c", "d"]}),
        json!({"session_id": "x".repeat(256)}),
        json!({"logit_bias": {"5": -100}}),
        json!({"max_tokens": 1}),
        json!({"frequency_penalty": -2}),
        json!({"seed": -1}),
    ] {
        station.chat(ask(more.clone())).await.ok();
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_types_are_named() {
    let station = station();
    for (more, field) in [
        (json!({"model": 5}), "model"),
        (json!({"models": "acme/m"}), "models"),
        (json!({"models": ["acme/m", 5]}), "models[1]"),
        (json!({"messages": {}}), "messages"),
        (json!({"messages": "Hi"}), "messages"),
        (json!({"messages": [5]}), "messages[0]"),
        (json!({"messages": [{"content": "Hi"}]}), "messages[0]"),
        (
            json!({"messages": [{"role": "boss", "content": "Hi"}]}),
            "messages[0].role",
        ),
        (
            json!({"messages": [{"role": "user", "content": 5}]}),
            "messages[0].content",
        ),
        (
            json!({"messages": [{"role": "user", "content": [5]}]}),
            "messages[0].content[0]",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"text": "x"}]}]}),
            "messages[0].content[0]",
        ),
        (json!({"stream": "yes"}), "stream"),
        (json!({"temperature": "1"}), "temperature"),
        (json!({"max_tokens": 1.5}), "max_tokens"),
        (json!({"seed": "x"}), "seed"),
        (json!({"tools": {}}), "tools"),
        (json!({"tools": [1]}), "tools[0]"),
        (json!({"tool_choice": 1}), "tool_choice"),
        (json!({"response_format": "json"}), "response_format"),
        (
            json!({"response_format": {"type": "yaml"}}),
            "response_format.type",
        ),
        (
            json!({"response_format": {"type": "json_schema"}}),
            "response_format.json_schema",
        ),
        (json!({"provider": []}), "provider"),
        (json!({"provider": {"order": "A"}}), "provider.order"),
        (json!({"provider": {"sort": "best"}}), "provider.sort"),
        (json!({"provider": {"only": [1]}}), "provider.only[0]"),
        (
            json!({"provider": {"allow_fallbacks": "no"}}),
            "provider.allow_fallbacks",
        ),
        (
            json!({"provider": {"quantizations": ["fp5"]}}),
            "provider.quantizations[0]",
        ),
        (
            json!({"provider": {"data_collection": "maybe"}}),
            "provider.data_collection",
        ),
        (json!({"plugins": [{"enabled": true}]}), "plugins[0]"),
        (json!({"plugins": "web"}), "plugins"),
        (json!({"reasoning": "high"}), "reasoning"),
        (json!({"stop": 5}), "stop"),
        (json!({"metadata": {"a": 1}}), "metadata.a"),
    ] {
        let (param, message) = refused(&station, ask(more.clone()).to_string()).await;
        assert_eq!(param, field, "{more}: {message}");
    }
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_there_twice_or_differ_by_case_are_refused() {
    let station = station();
    let message = r#"{"role":"user","content":"Hi"}"#;
    let head = format!(r#""model":"acme/m","messages":[{message}]"#);
    for (body, field) in [
        (format!(r#"{{{head},"model":"acme/x"}}"#), "model"),
        (format!(r#"{{{head},"MODEL":"acme/x"}}"#), "MODEL"),
        (format!(r#"{{{head},"\u006dodel":"acme/x"}}"#), "model"),
        (format!(r#"{{{head},"Temperature":1}}"#), "Temperature"),
        (format!(r#"{{{head},"x":1,"X":1}}"#), "X"),
        (r#"{"model":"acme/m","messages":[{"role":"user","content":"a","content":"b"}]}"#.into(), "messages[0].content"),
        (r#"{"model":"acme/m","messages":[{"role":"user","Content":"a","content":"b"}]}"#.into(), "messages[0].Content"),
        (r#"{"model":"acme/m","messages":[{"role":"user","content":[{"type":"text","text":"a","text":"b"}]}]}"#.into(), "messages[0].content[0].text"),
        (format!(r#"{{{head},"tools":[{{"type":"function","type":"x","function":{{"name":"f"}}}}]}}"#), "tools[0].type"),
        (format!(r#"{{{head},"provider":{{"order":["A"],"order":["B"]}}}}"#), "provider.order"),
        (format!(r#"{{{head},"provider":{{"Order":["A"]}}}}"#), "provider.Order"),
        (format!(r#"{{{head},"provider":{{"max_price":{{"prompt":1,"Prompt":2}}}}}}"#), "provider.max_price.Prompt"),
        (format!(r#"{{{head},"plugins":[{{"id":"web","ID":"x"}}]}}"#), "plugins[0].ID"),
    ] {
        let (param, message) = refused(&station, body.clone()).await;
        assert_eq!(param, field, "{body}: {message}");
    }
    // Inside schemas, arguments and metadata keys are the client's own affair.
    let free = format!(
        r#"{{{head},"tools":[{{"type":"function","function":{{"name":"f","parameters":{{"a":1,"A":2,"a":3}}}}}}]}}"#
    );
    station.post(free).await.ok();
}

#[tokio::test(start_paused = true)]
async fn deep_nesting_is_refused_and_not_followed() {
    let station = station();
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        for depth in [129_usize, 100_000] {
            let middle = if open == "[" { "" } else { "1" };
            let deep = format!("{}{middle}{}", open.repeat(depth), close.repeat(depth));
            let body = format!(
                r#"{{"model":"acme/m","messages":[{{"role":"user","content":"Hi"}}],"x":{deep}}}"#
            );
            let (_, message) = refused(&station, body).await;
            assert!(
                message.contains("deep") || message.contains("nest"),
                "{message}"
            );
            let open_only = format!(r#"{{"x":{}"#, open.repeat(depth));
            refused(&station, open_only).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_utf8_are_refused() {
    let station = station();
    for bytes in [
        &b"\xff\xfe"[..],
        b"\xc3\x28",
        b"\xed\xa0\x80",
        b"\xf5\x80\x80\x80",
        b"\xe2\x82",
    ] {
        let mut body = br#"{"model":"acme/m","messages":[{"role":"user","content":""#.to_vec();
        body.extend_from_slice(bytes);
        body.extend_from_slice(br#""}]}"#);
        let error = station.post(body).await.error(400);
        assert_eq!(error["error_type"], "invalid_request");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("UTF-8"), "{message}");
    }
    assert_eq!(station.upstream().calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_byte_beyond_the_limit_is_a_413_and_the_limit_itself_is_not() {
    let setup = Setup::mocks().config("[server]\nmax_body_bytes = 1024");
    let station = setup.start(ReplayTransport::answering(|_, _| {
        fixtures::answer("Hello", 5, 2)
    }));
    let empty = ask(json!({"x": ""})).to_string().len();
    for (size, status) in [(1024, 200), (1025, 413), (100_000, 413)] {
        let body = ask(json!({"x": "y".repeat(size - empty)})).to_string();
        assert_eq!(body.len(), size);
        let got = station.post(body).await;
        assert_eq!(got.status, status, "{size}: {}", got.text());
        if status == 413 {
            let error = got.error(413);
            assert_eq!(error["error_type"], "payload_too_large");
            assert!(
                error["message"].as_str().unwrap().contains("1024"),
                "{error}"
            );
        }
    }
    assert_eq!(station.upstream().calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn names_and_numbers_beyond_all_measure_are_refused() {
    let station = station();
    for (more, field) in [
        (r#""temperature":1e400"#, "temperature"),
        (r#""max_tokens":1e3"#, "max_tokens"),
        (r#""seed":99999999999999999999999"#, "seed"),
        (
            r#""provider":{"max_price":{"prompt":-1e999}}"#,
            "provider.max_price.prompt",
        ),
    ] {
        let body =
            format!(r#"{{"model":"acme/m","messages":[{{"role":"user","content":"Hi"}}],{more}}}"#);
        let (param, message) = refused(&station, body).await;
        assert_eq!(param, field, "{message}");
    }
    for model in [
        "acme", "acme/", "/m", "acme/m/m", "acme /m", "acme/m?x", "acme/..", "", "a/b\u{0}",
    ] {
        let got = station
            .chat(waystation_tests::asking(model, json!({})))
            .await;
        let error = got.error(400);
        assert!(error["error_type"] == "invalid_request", "{model}: {error}");
    }
    assert_eq!(station.upstream().calls(), 0);
    // A cap is one however high it is, and one finer than prices are is cut off.
    for (cap, status) in [
        ("1e999", 200),
        ("\"1e-30\"", 404),
        ("1.0000000000000002", 200),
    ] {
        let body = format!(
            r#"{{"model":"acme/m","messages":[{{"role":"user","content":"Hi"}}],"provider":{{"max_price":{{"prompt":{cap}}}}}}}"#
        );
        assert_eq!(station.post(body).await.status, status, "{cap}");
    }
}

#[tokio::test(start_paused = true)]
async fn models_have_a_cap_that_the_operator_sets() {
    let models = |count: usize| json!({"models": (0..count).map(|n| format!("acme/m{n}")).collect::<Vec<_>>()});
    let default = station();
    let (field, message) = refused(&default, ask(models(17)).to_string()).await;
    assert_eq!(field, "models");
    assert!(message.contains("16"), "{message}");
    let strict = Setup::mocks().config("[compat]\nmodels_cap = 3");
    let strict = strict.start(ReplayTransport::answering(|_, _| {
        fixtures::answer("Hello", 5, 2)
    }));
    let (field, message) = refused(&strict, ask(models(4)).to_string()).await;
    assert_eq!(field, "models");
    assert!(message.contains('3'), "{message}");
    strict.chat(ask(models(3))).await.ok();
}

/// A body that uses most of what there is, to be mutated.
fn seed() -> String {
    json!({
        "model": "acme/m", "models": ["acme/x", "acme/y"], "route": "fallback", "stream": true,
        "messages": [
            {"role": "system", "content": "Be brief"},
            {"role": "user", "name": "me", "content": [
                {"type": "text", "text": "Hä?", "cache_control": {"type": "ephemeral"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}},
            ]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "42"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
        "temperature": 0.5, "max_tokens": 10, "stop": ["a"], "logit_bias": {"1": 1}, "seed": 1,
        "reasoning": {"effort": "low", "exclude": true}, "metadata": {"k": "v"},
        "provider": {"order": ["A", "b"], "ignore": ["C"], "sort": {"by": "price", "partition": "none"},
            "max_price": {"prompt": "5", "completion": 7.5}, "preferred_max_latency": {"p50": 1},
            "quantizations": ["fp8", "unknown"], "options": {"a": {"x": 1}}},
        "plugins": [], "usage": {"include": true}, "user": "u", "session_id": "s",
    })
    .to_string()
}

/// What replaces a piece of the body.
fn patch() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..6),
        proptest::sample::select(vec![
            "null",
            "[]",
            "{}",
            "\"\"",
            "0",
            "-1",
            "1e999",
            "true",
            "\\",
            "\"",
            ",",
            ":",
            "}",
            "]",
            "[[[[",
            "{\"a\":",
            "\\ud800",
            "\u{0}",
            "acme/y",
            "\"acme/none\"",
            "99999999999999999999",
            "\u{feff}",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ]
}

/// Whatever becomes of a body, the gateway answers it, and never with a fault of its own.
#[test]
fn no_mutation_of_a_body_makes_the_gateway_fail() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let runtime = runtime.unwrap();
    let upstream = |_: &_, _| fixtures::answer_stream(&["Hi"], 1, 1);
    let station = {
        let _inside = runtime.enter();
        Setup::mocks().start(ReplayTransport::answering(upstream))
    };
    let config = ProptestConfig {
        cases: 3000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let edit = (any::<prop::sample::Index>(), 0_usize..12, patch());
    let checked = TestRunner::new(config).run(&proptest::collection::vec(edit, 1..4), |edits| {
        let mut body = seed().into_bytes();
        for (at, length, patch) in &edits {
            let start = at.index(body.len() + 1);
            let end = (start + length).min(body.len());
            body.splice(start..end, patch.iter().copied());
        }
        let got = runtime.block_on(station.post(body.clone()));
        prop_assert!(
            got.status < 500,
            "{}: {}",
            got.status,
            String::from_utf8_lossy(&body)
        );
        if got.status != 200 {
            prop_assert_eq!(
                got.json()["error"]["code"].as_u64(),
                Some(got.status.into())
            );
        }
        Ok(())
    });
    checked.unwrap();
}

/// The seeds of the fuzz targets that need the whole gateway; `cargo fuzz` in `fuzz/` goes on from them.
/// Whether an input of any bytes is dealt with as it must be.
type Law = fn(&[u8]) -> Result<(), String>;

/// What the laws are of, and those.
const HOSTILE: [(&str, Law); 2] = [("headers", hostile::headers), ("config", hostile::config)];

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
    let files = fs::read_dir(folder.join(name)).unwrap();
    files
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .collect()
}

#[test]
fn heads_and_configurations_of_the_fuzz_seeds_hold_their_laws() {
    for (name, law) in HOSTILE {
        let seeds = seeds(name);
        assert!(seeds.len() > 1, "{name}");
        for seed in seeds {
            law(&seed).unwrap_or_else(|why| panic!("{name}: {why}"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn changed_heads_and_configurations_hold_their_laws(
        which: prop::sample::Index,
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, any::<u8>()), 1..12),
    ) {
        for (name, law) in HOSTILE {
            let seeds = seeds(name);
            let mut bytes = which.get(&seeds).clone();
            for (place, change, byte) in &changes {
                let at = place.index(bytes.len() + 1);
                match change {
                    0 => bytes.insert(at, *byte),
                    1 if at < bytes.len() => bytes[at] = *byte,
                    _ => bytes.truncate(at.max(bytes.len() / 2)),
                }
            }
            prop_assert_eq!(law(&bytes), Ok(()), "{}", name);
        }
    }
}
