//! What is wrong is said with file, line, key and expectation.

use proptest::prelude::*;

use super::*;

/// A text of a file, and what is said about it.
const CASES: &[(&str, &str)] = &[
    (
        "x = 1",
        "w.toml:1: x: unknown key, expected one of server, auth",
    ),
    (
        "[sever]",
        "w.toml:1: sever: unknown key, did you mean `server`?",
    ),
    (
        "[server]\n\nlisten = 8080",
        "w.toml:3: server.listen: expected a string, found 8080",
    ),
    (
        "[server]\nlisten = '8080'",
        "w.toml:2: server.listen: expected host:port such as 127.0.0.1:8080, found \"8080\"",
    ),
    (
        "[server]\nmax_body_bytes = '50MB'",
        "w.toml:2: server.max_body_bytes: expected a whole number from 0 up, found a string",
    ),
    (
        "[server]\ndrain_ms = -1",
        "w.toml:2: server.drain_ms: expected a whole number from 0 up, found -1",
    ),
    (
        "[server]\nkeepalive_ms = 0",
        "w.toml:2: server.keepalive_ms: expected a number from 1 to 86400000, found 0",
    ),
    (
        "[server]\ncors_origins = [\n  'https://a.example',\n  'a.example/x'\n]",
        "w.toml:4: server.cors_origins[1]: expected an origin such as https://app.example",
    ),
    (
        "server.cors_origins = ['*']",
        "w.toml:1: server.cors_origins[0]: expected named origins",
    ),
    (
        "[auth]\nkeys = [\n  'sk-0123456789abcdef',\n  'short']",
        "w.toml:4: auth.keys[1]: expected a key of at least 16 characters, found 5",
    ),
    (
        "[catalog]\nlist = 'some'",
        "w.toml:2: catalog.list: expected one of all, available, found \"some\"",
    ),
    (
        "[routing]\nexplore = 2",
        "w.toml:2: routing.explore: expected a share from 0 to 1, found 2",
    ),
    (
        "[routing]\nmax_price = { promt = '1' }",
        "w.toml:2: routing.max_price.promt: unknown key, did you mean `prompt`?",
    ),
    (
        "[routing]\nmax_price = { prompt = '-1' }",
        "w.toml:2: routing.max_price.prompt: expected a number of dollars from 0 up",
    ),
    (
        "[aliases]\n'fast:nitro' = 'openai/gpt-5.4'",
        "w.toml:2: aliases.\"fast:nitro\": expected a name without `:`, `~` and `@`",
    ),
    (
        "[aliases]\na = 'openai/gpt-5.4'\nb = 'openai/gpt-5.4x'",
        "w.toml:3: aliases.b: no model is called \"openai/gpt-5.4x\"; did you mean",
    ),
    (
        "[catalog]\ndefault_model = 'openai/gpt-5.4x'",
        "w.toml:2: catalog.default_model: no model is called \"openai/gpt-5.4x\"; did you mean",
    ),
    (
        "[catalog]\ndefault_model = '@preset/b'\n[presets.a]\nseed = 1",
        "w.toml:2: catalog.default_model: there is no preset \"b\"",
    ),
    (
        "[presets.a]\nseed = 1\ntemperature = 9",
        "w.toml:3: presets.a.temperature: expected a number from 0 to 2, found 9",
    ),
    (
        "[presets.a]\nsystem = ['be brief']",
        "w.toml:2: presets.a.system: expected a string, found [\"be brief\"]",
    ),
    (
        "[presets.a]\nprovider = { sort = 'cheap' }",
        "w.toml:2: presets.a.provider.sort: expected price, throughput, latency or exacto",
    ),
    (
        "[presets.'Bad Name']\ntemperature = 1",
        "w.toml:1: presets.\"Bad Name\": a preset cannot hold 'B'",
    ),
    (
        "[presets.a]\nx = 1979-05-27",
        "w.toml:2: presets.a.x: expected a value that JSON has",
    ),
    (
        "[[overrides]]\nmatch = {}\nenabled = false",
        "w.toml:2: overrides[0].match: expected `model`, `provider` or both, found neither",
    ),
    (
        "[[overrides]]\nmatch = { model = 'a/*' }",
        "w.toml:1: overrides[0]: expected one of price_multiplier, price, model, speed, distillable, enabled",
    ),
    (
        "[[overrides]]\nmatch = { model = 'a/*' }\nprice_multiplier = 'cheap'",
        "w.toml:3: overrides[0].price_multiplier: expected a factor such as \"0.92\", a decimal number \
         from 0 to 18446744073, found \"cheap\"",
    ),
    (
        "[[overrides]]\nmatch = { model = 'a/*' }\nprice_multiplier = -1",
        "w.toml:3: overrides[0].price_multiplier: expected a factor",
    ),
    (
        "[[overrides]]\nmatch = { model = 'a/*' }\nprice_multiplier = '1e20'",
        "w.toml:3: overrides[0].price_multiplier: expected a factor",
    ),
    (
        "[providers.opnai]\napi_key = 'k'",
        "w.toml:1: providers.opnai: a new provider needs name, dialect and base_url, found no \
         name and no dialect and no base_url; did you mean the known provider \"openai\"?",
    ),
    (
        "[providers.mine]\nname = 'Mine'\ndialect = 'openai-cht'\nbase_url = 'http://h/v1'",
        "w.toml:3: providers.mine.dialect: unknown dialect \"openai-cht\", did you mean \"openai-chat\"?",
    ),
    (
        "[providers.mine]\nname = 'Mine'\ndialect = 'openai-chat'\nbase_url = 'h/v1'",
        "w.toml:4: providers.mine.base_url: expected an address such as https://host/v1",
    ),
    (
        "[providers.mine]\nname = 'Mine'\ndialect = 'openai-chat'\nbase_url = 'http://h/v1/chat/completions/'",
        "w.toml:4: providers.mine.base_url: expected the address that requests go below",
    ),
    (
        "[providers.groq]",
        "w.toml:1: providers.groq: expected api_key = \"${GROQ_API_KEY}\" (or auth = \"none\")",
    ),
    (
        "[providers.groq]\napi_key = ''",
        "w.toml:2: providers.groq.api_key: expected a key, found an empty string",
    ),
    (
        "[providers.openai]\napikey = 'k'",
        "w.toml:2: providers.openai.apikey: unknown key, did you mean `api_key`?",
    ),
    (
        "[[providers.openai.keys]]\nrpm = 5",
        "w.toml:1: providers.openai.keys[0]: expected the key `api_key`, found none",
    ),
    (
        "[providers.openai]\nauth = 'basic'",
        "w.toml:2: providers.openai.auth: expected one of bearer, x-api-key",
    ),
    (
        "[[models]]\nid = 'acme/fast:v2'",
        "w.toml:2: models[0].id: expected an id without `:`, which begins a suffix such as \
         `:nitro`; spell it \"acme/fast-v2\"",
    ),
    (
        "[[models]]\nid = 'acme/fast'\nsupported_parameters = ['tols']",
        "w.toml:3: models[0].supported_parameters[0]: unknown parameter \"tols\", did you mean \
         \"tools\"?",
    ),
    (
        "[[models]]\nid = 'acme/fast'\n[[models.endpoints]]\nprovider = 'opnai'",
        "w.toml:4: models[0].endpoints[0].provider: no provider is called \"opnai\"",
    ),
    (
        "[[models]]\nid = 'acme/fast'\ninput_modalities = ['smell']",
        "w.toml:3: models[0].input_modalities[0]: expected one of text, image",
    ),
    (
        "[plugins.context-compression]\nengine = 'zip'",
        "w.toml:2: plugins.context-compression.engine: expected \"middle-out\" or \"extract\", found \"zip\"",
    ),
    (
        "[plugins.wbe]",
        "w.toml:1: plugins.wbe: unknown key, did you mean `web`?",
    ),
    (
        "[plugins.web]\nexa = {}",
        "w.toml:2: plugins.web.exa.api_key: expected a key, found none",
    ),
    (
        "[plugins.web]\nmax_results = 26",
        "w.toml:2: plugins.web.max_results: expected a number from 1 to 25, found 26",
    ),
    (
        "[plugins.web]\nengine = 'exa'",
        "w.toml:2: plugins.web.engine: expected the key `exa` beside engine = \"exa\"",
    ),
    (
        "[timeouts]\nidle = 0",
        "w.toml:2: timeouts.idle: expected a number from 1 to 86400000, found 0",
    ),
    ("a = 1\na = 2", "w.toml:2: a: expected TOML: duplicate key"),
    ("[server\n", "w.toml:1: expected TOML: "),
    ("a = ", "w.toml:1: expected TOML: "),
    (
        "[catalog]\ndefault_model = '${NO_SUCH}'",
        "w.toml:2: catalog.default_model: expected the environment variable NO_SUCH to have a \
         value, found it unset",
    ),
    (
        "[catalog]\ndefault_model = '${file:/no/such/file}'",
        "w.toml:2: catalog.default_model: expected a readable file, found /no/such/file",
    ),
    (
        "[catalog]\ndefault_model = '${a-b}'",
        "w.toml:2: catalog.default_model: expected `${NAME}`, `${NAME:-default}`",
    ),
    (
        "[catalog]\ndefault_model = 'a ${b'",
        "w.toml:2: catalog.default_model: expected `}` after `${`",
    ),
];

#[test]
fn a_wrong_config_is_told_file_line_key_and_expectation() {
    for (text, expected) in CASES {
        let found = bad(text, &openai());
        assert!(
            found.lines().any(|line| line.starts_with(expected)),
            "{text}\nexpected: {expected}\nfound:    {found}"
        );
    }
}

#[test]
fn several_errors_are_told_at_once_in_the_files_order() {
    let found = bad(
        "[timeouts]\nidle = 0\n[server]\nlisten = 'x'\n[compat]\nmodels_cap = 0",
        &openai(),
    );
    let keys: Vec<_> = found
        .lines()
        .filter_map(|line| line.split(": ").nth(1))
        .collect();
    assert_eq!(
        keys,
        ["timeouts.idle", "server.listen", "compat.models_cap"]
    );
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let found = bad("catalog.default_model = '${EMPTY}'", &env([("EMPTY", "")]));
    assert!(
        found.contains("EMPTY to have a value, found it empty"),
        "{found}"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_told_with_the_flag_that_named_it() {
    let flags = Flags {
        config: Some("/no/such/waystation.toml".into()),
        ..Flags::default()
    };
    let found = resolve(&flags, &openai()).unwrap_err().to_string();
    let expected = "command line: --config: expected a readable config file, found /no/such";
    assert!(found.starts_with(expected), "{found}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_panics_the_loader(text in ".{0,200}") {
        let _ = load(&text, &openai());
    }

    #[test]
    fn no_toml_panics_the_loader(lines in prop::collection::vec(any_line(), 0..12)) {
        let _ = load(&lines.join("\n"), &openai());
    }
}

/// Lines that are nearly what a config holds, so that they reach beyond the grammar.
fn any_line() -> impl Strategy<Value = String> {
    let table = prop::sample::select(vec![
        "[server]",
        "[auth]",
        "[catalog]",
        "[routing]",
        "[aliases]",
        "[presets.a]",
        "[timeouts]",
        "[[overrides]]",
        "[providers.openai]",
        "[providers.x]",
        "[[providers.openai.keys]]",
        "[[models]]",
        "[[models.endpoints]]",
        "[plugins.web]",
        "[limits]",
        "[retries]",
    ]);
    let key = prop::sample::select(vec![
        "listen",
        "keys",
        "id",
        "price",
        "match",
        "model",
        "provider",
        "name",
        "dialect",
        "idle",
        "base_url",
        "api_key",
        "rpm",
        "engine",
        "exa",
        "max_price",
        "explore",
        "a.b",
        "\"\"",
    ]);
    let value = prop_oneof![
        Just("''".to_owned()),
        Just("[]".into()),
        Just("{}".into()),
        Just("true".into()),
        Just("nan".into()),
        Just("-0x1".into()),
        Just("0xffff_ffff_ffff_ffff_ffff".into()),
        Just("1979-05-27".into()),
        Just("{ a = [ { b = 1.5e300 } ] }".into()),
        Just("'${X:-y}'".into()),
        Just("'$${'".into()),
        Just("'${'".into()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:?}")),
        "[a-z0-9/:.~@*-]{0,12}".prop_map(|text| format!("'{text}'")),
        "[a-z0-9/:.~@*-]{0,12}".prop_map(|text| format!("['{text}']")),
    ];
    prop_oneof![
        table.prop_map(str::to_owned),
        (key, value).prop_map(|(key, value)| format!("{key} = {value}")),
    ]
}
