//! Which providers are enabled, by what, and how they are reached.

use super::*;

#[test]
fn any_known_key_of_the_environment_enables_its_provider() {
    let env = env([
        ("GROQ_API_KEY", "a"),
        ("MOONSHOT_API_KEY", "b"),
        ("UNRELATED", "c"),
    ]);
    let resolved = load("", &env).unwrap();
    assert_eq!(slugs(&resolved), ["groq", "moonshotai"]);
    let origin = &resolved.upstreams.get("groq").unwrap().origin;
    assert_eq!(origin.to_string(), "GROQ_API_KEY");
}

#[test]
fn aliases_of_a_variable_are_taken_and_the_canonical_one_first() {
    let resolved = load("", &env([("GOOGLE_API_KEY", "a")])).unwrap();
    assert_eq!(slugs(&resolved), ["google-ai-studio"]);
    let both = env([("GOOGLE_API_KEY", "a"), ("GEMINI_API_KEY", "b")]);
    let resolved = load("", &both).unwrap();
    let origin = &resolved.upstreams.get("google-ai-studio").unwrap().origin;
    assert_eq!(origin.to_string(), "GEMINI_API_KEY");
}

#[test]
fn an_empty_key_enables_nobody() {
    assert!(load("", &env([("OPENAI_API_KEY", "  ")])).is_err());
}

#[test]
fn general_identities_never_enable_a_provider_alone() {
    let env = env([
        ("OPENAI_API_KEY", "k"),
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "b"),
        ("AWS_PROFILE", "c"),
        ("AWS_REGION", "us-east-1"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/x.json"),
        ("GOOGLE_CLOUD_PROJECT", "p"),
        ("HF_TOKEN", "h"),
        ("CLOUDFLARE_API_TOKEN", "t"),
        ("CLOUDFLARE_API_KEY", "t"),
        ("CLOUDFLARE_ACCOUNT_ID", "i"),
        ("DATABRICKS_TOKEN", "d"),
    ]);
    assert_eq!(slugs(&load("", &env).unwrap()), ["openai"]);
}

#[test]
fn a_table_of_providers_is_the_whole_list() {
    let text = "[providers.groq]\napi_key = 'k'";
    assert_eq!(slugs(&good(text)), ["groq"]);
    let wide = format!("[catalog]\nproviders_from_env = true\n{text}");
    assert_eq!(slugs(&good(&wide)), ["groq", "openai"]);
}

#[test]
fn a_table_takes_its_key_from_the_environment_when_it_names_none() {
    let resolved = good("[providers.openai]\nmax_concurrent = 3");
    let openai = resolved.upstreams.get("openai").unwrap();
    assert_eq!(openai.max_concurrent, 3);
    assert_eq!(openai.origin.to_string(), "w.toml:1: providers.openai");
}

#[test]
fn addresses_are_overridden_by_file_then_environment() {
    let env = env([
        ("OPENAI_API_KEY", "k"),
        ("OPENAI_BASE_URL", "http://10.0.0.1/v1/"),
    ]);
    assert_eq!(
        base_url(&load("", &env).unwrap(), "openai"),
        "http://10.0.0.1/v1"
    );
    let text = "[providers.openai]\nbase_url = 'http://10.0.0.2/v1'";
    assert_eq!(
        base_url(&load(text, &env).unwrap(), "openai"),
        "http://10.0.0.2/v1"
    );
    assert_eq!(base_url(&good(""), "openai"), "https://api.openai.com/v1");
}

#[test]
fn azure_stays_off_with_a_warning_until_it_has_an_address() {
    let text = "[providers.openai]\n[providers.azure]\napi_key = 'k'";
    let resolved = good(text);
    assert_eq!(slugs(&resolved), ["openai"]);
    let warning = resolved.warnings.first().unwrap();
    assert!(
        warning.starts_with("azure (enabled by w.toml:2: providers.azure) stays off"),
        "{warning}"
    );
    assert!(
        warning.contains("resource") && warning.contains("base_url"),
        "{warning}"
    );

    let named = good(&format!("{text}\nresource = 'mine'"));
    assert!(base_url(&named, "azure").starts_with("https://mine.openai.azure.com"));
    for variable in ["AZURE_OPENAI_ENDPOINT", "AZURE_API_BASE"] {
        let env = env([
            ("AZURE_OPENAI_API_KEY", "k"),
            (variable, "https://x.openai.azure.com/"),
        ]);
        let resolved = load("", &env).unwrap();
        assert_eq!(base_url(&resolved, "azure"), "https://x.openai.azure.com");
    }
}

#[test]
fn a_new_provider_and_its_model_are_served_without_a_key() {
    let resolved = good(
        "[providers.my-vllm]\nname = 'My vLLM'\ndialect = 'openai-chat'\n\
         base_url = 'http://10.0.0.5:8000/v1'\n\
         data_policy = { training = false, retention = 'none', zdr = true }\n\
         timeouts = { idle = 5 }\n\
         [[models]]\nid = 'acme/fast'\ncontext_length = 131072\n\
         [[models.endpoints]]\nprovider = 'my-vllm'\ntag = 'my-vllm/turbo'\n\
         model = 'fast-70b'\nprice = { prompt = '0.10', completion = 0.4 }\nquantization = 'fp8'",
    );
    let vllm = resolved.upstreams.get("my-vllm").unwrap();
    assert_eq!(&*vllm.upstream.name, "My vLLM");
    assert_eq!(vllm.timeouts.idle.as_millis(), 5);
    assert_eq!(vllm.timeouts.whole.as_millis(), 600_000);
    let endpoint = resolved
        .catalog
        .model("acme/fast")
        .unwrap()
        .endpoint("my-vllm/turbo")
        .unwrap();
    assert_eq!(&*endpoint.upstream_model, "fast-70b");
    assert_eq!(endpoint.price.rates.completion.unwrap().to_string(), "0.4");
    assert!(endpoint.policy.denies_collection());
}

#[test]
fn several_keys_are_taken_with_names_and_limits() {
    let text = "[providers.openai]\napi_key = 'a'\n\
                [[providers.openai.keys]]\napi_key = 'b'\nrpm = 500\n\
                [[providers.openai.keys]]\nname = 'third'\napi_key = 'c'\ntpm = 9";
    let resolved = good(text);
    let ids: Vec<_> = resolved
        .keyring
        .values()
        .flatten()
        .map(|key| key.id.as_str())
        .collect();
    assert_eq!(ids, ["openai/1", "openai/2", "third"]);
    let limits: Vec<_> = resolved
        .keyring
        .values()
        .flatten()
        .map(|key| (key.limits.rpm, key.limits.tpm))
        .collect();
    assert_eq!(limits, [(None, None), (Some(500), None), (None, Some(9))]);
    assert!(resolved.warnings.is_empty(), "{:?}", resolved.warnings);
}

#[test]
fn overrides_and_aliases_reach_the_catalogue() {
    let resolved = good(
        "[aliases]\n'gpt-latest' = 'openai/gpt-5.4'\n\
         [[overrides]]\nmatch = { model = 'no/such-model' }\nprice_multiplier = '0.5'",
    );
    let latest = resolved
        .catalog
        .resolve(&"gpt-latest".parse().unwrap())
        .unwrap();
    assert_eq!(latest.id.as_str(), "openai/gpt-5.4");
    let warning = resolved.warnings.first().unwrap();
    assert!(warning.starts_with("w.toml:3: overrides[0]"), "{warning}");
}

#[test]
fn without_the_bundled_models_only_those_of_the_file_exist() {
    let resolved = good("[catalog]\nbundled = false\n[[models]]\nid = 'acme/fast'");
    let ids: Vec<_> = resolved
        .catalog
        .models()
        .map(|model| model.id.as_str())
        .collect();
    assert_eq!(ids, ["acme/fast"]);
    assert_eq!(slugs(&resolved), ["openai"]);
}
