//! Values that are right: defaults, interpolation, exact numbers.

use super::*;

#[test]
fn an_empty_file_gives_the_documented_defaults() {
    let config = good("").config;
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(
        config.server.admin_listen.as_ref().unwrap().to_string(),
        "127.0.0.1:8081"
    );
    assert_eq!(config.server.max_body_bytes, 52_428_800);
    assert_eq!(config.server.drain.as_millis(), 30_000);
    assert_eq!(config.server.keepalive_first.as_millis(), 10_000);
    assert_eq!(config.server.keepalive.as_millis(), 15_000);
    let server = &config.server;
    let waits = [server.head, server.idle, server.body, server.write];
    assert_eq!(
        waits.map(|wait| wait.as_millis()),
        [30_000, 120_000, 30_000, 300_000]
    );
    assert_eq!(config.server.max_head_bytes, 417_792);
    assert_eq!(config.server.max_streams, 20_000);
    assert_eq!(config.server.max_buffered_bytes, 1_073_741_824);
    assert_eq!(config.timeouts.connect.as_millis(), 3_000);
    assert_eq!(config.timeouts.first_byte.as_millis(), 60_000);
    assert_eq!(config.timeouts.first_token.as_millis(), 120_000);
    assert_eq!(config.timeouts.first_token_reasoning.as_millis(), 600_000);
    assert_eq!(config.timeouts.idle.as_millis(), 60_000);
    assert_eq!(config.timeouts.whole.as_millis(), 600_000);
    assert_eq!(config.retries.max_attempts, 6);
    assert_eq!(config.retries.deadline.as_millis(), 900_000);
    assert!(!config.retries.hedge && !config.retries.continue_);
    assert_eq!(config.limits.max_concurrent, 256);
    assert_eq!(config.compat.models_cap, 16);
    assert_eq!(config.routing.fallback_on, [FallbackOn::Any]);
    assert!(config.catalog.bundled && !config.catalog.bare_ids);
}

#[test]
fn strings_are_interpolated_wherever_they_stand() {
    let env = env([("OPENAI_API_KEY", "k"), ("A", "one"), ("B", "two")]);
    let resolved = load(
        "[presets.p]\nsystem = '${A}-${B} ${C:-three} ${D:-} $${E} $5'\nstop = ['${A}']",
        &env,
    )
    .unwrap();
    let body = resolved.config.presets.get("p").unwrap().json();
    let system = body.get("system").and_then(|text| text.string()).unwrap();
    assert_eq!(system, "one-two three  ${E} $5");
    assert_eq!(
        body.get("stop")
            .unwrap()
            .elements()
            .next()
            .unwrap()
            .string()
            .unwrap(),
        "one"
    );
}

#[test]
fn numbers_of_presets_keep_their_digits() {
    let text = "[presets.p]\nprovider = { max_price = { prompt = 0.10 } }\nseed = 1_000\nx = 0x1F";
    let resolved = good(text);
    let body = resolved.config.presets.get("p").unwrap();
    let text = String::from_utf8(body.bytes().to_vec()).unwrap();
    assert_eq!(
        text,
        r#"{"provider":{"max_price":{"prompt":0.10}},"seed":1000,"x":31}"#
    );
}

#[test]
fn prices_are_read_exactly_from_strings_and_numbers() {
    let max = good("[routing]\nmax_price = { input = '0.000000001', completion = 0.1 }")
        .config
        .routing
        .max_price;
    assert_eq!(max.prompt.unwrap().nanos(), 1);
    assert_eq!(max.completion.unwrap().nanos(), 100_000_000);
}

#[test]
fn the_whole_reference_example_is_accepted() {
    let env = env([
        ("WAYSTATION_API_KEY", KEY),
        ("OPENAI_API_KEY", "a"),
        ("OPENAI_API_KEY_2", "b"),
        ("AZURE_OPENAI_API_KEY", "c"),
        ("EXA_API_KEY", "d"),
        ("TAVILY_API_KEY", "e"),
        ("BRAVE_API_KEY", "f"),
        ("MISTRAL_API_KEY", "g"),
        ("NOTDIAMOND_API_KEY", "h"),
    ]);
    let resolved = load(include_str!("example.toml"), &env).unwrap();
    assert_eq!(slugs(&resolved), ["azure", "my-vllm", "openai"]);
    assert_eq!(resolved.config.plugins.len(), 5);
    assert_eq!(
        resolved.config.auth.keys.len(),
        1,
        "the variable and the file name one key"
    );
}

#[test]
fn what_this_version_does_not_act_on_warns() {
    let resolved =
        good("[retries]\ncontinue = true\n[shared_state]\nurl = 'x'\n[catalog]\nbare_ids = true");
    assert_eq!(
        resolved.warnings,
        ["w.toml:4: shared_state.url: taken, but without effect in this version"]
    );
}

#[test]
fn what_is_printed_can_be_read_again() {
    let text = "[server]\nlisten = '127.0.0.1:0'\n[presets.p]\ntemperature = 0.5";
    let printed = toml::to_string(&good(text).config).unwrap();
    assert!(printed.contains("listen = \"127.0.0.1:0\""), "{printed}");
    assert!(printed.contains("temperature = 0.5"), "{printed}");
}

#[test]
fn guard_rails_that_name_nobody_warn_and_are_errors_where_the_operator_is_strict() {
    let text = "[routing]\nonly = ['OpenAI', 'azur']\nignore = ['zzz/turbo']";
    assert_eq!(
        good(text).warnings,
        [
            "w.toml:2: routing.only[1]: \"azur\" matches no provider; did you mean \"azure\"?",
            "w.toml:3: routing.ignore[0]: \"zzz/turbo\" matches no provider",
        ]
    );
    let strict = bad(&format!("{text}\nstrict = true"), &openai());
    assert!(
        strict.contains("routing.only[1]: \"azur\" matches no provider"),
        "{strict}"
    );
    assert!(strict.contains("routing.ignore[0]"), "{strict}");
}

/// What a request could not use, or not as it is meant, is told when the file is read.
#[test]
fn names_of_models_and_members_that_lead_nowhere_warn() {
    let text = "[presets.a]\ntemprature = 1\nmodels = ['openai/gpt-5.4', 'openai/gpt-5.4x', '~no/such-latest']\n\
                own_member = { a = 1 }\n[presets.b]\nmodel = '@preset/c'\n[presets.good]\n\
                model = 'openrouter/auto'\nuser = 'x'\nmodels = ['openai/gpt-oss-20b:free:nitro']\n\
                [[models]]\nid = 'acme/idle'\n[[models]]\nid = 'openai/gpt-5.4'";
    assert_eq!(
        good(text).warnings,
        [
            "w.toml:3: presets.a.models[1]: no model is called \"openai/gpt-5.4x\"; did you mean \"openai/gpt-5.4\"?",
            "w.toml:3: presets.a.models[2]: no model is called \"~no/such-latest\"",
            "w.toml:2: presets.a.temprature: goes to providers as it is; did you mean `temperature`?",
            "w.toml:6: presets.b.model: there is no preset \"c\"",
            "w.toml:11: models[0]: has no endpoint: nobody serves it; add [[models.endpoints]]",
        ]
    );
}
