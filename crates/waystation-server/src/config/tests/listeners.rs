//! Who may reach the gateway, whom it must not ask, and when it simulates by itself.

use super::*;

const OPEN: &str = "[server]\nlisten = '0.0.0.0:8080'";

#[test]
fn an_open_listener_without_keys_is_refused_with_a_way_to_make_one() {
    let found = bad(OPEN, &openai());
    assert!(
        found.contains("expected client keys, since others can reach 0.0.0.0:8080"),
        "{found}"
    );
    assert!(
        found.contains("export WAYSTATION_API_KEY=sk-$(openssl rand -hex 24)"),
        "{found}"
    );
}

#[test]
fn insecure_open_is_the_only_way_round() {
    let flags = Flags {
        insecure_open: true,
        ..Flags::default()
    };
    let resolved = from_text("w.toml", OPEN, &flags, &openai()).unwrap();
    assert!(resolved.config.auth.insecure_open);
}

#[test]
fn an_open_listener_with_keys_is_fine() {
    let with_file = format!("{OPEN}\n[auth]\nkeys = ['{KEY}']");
    assert_eq!(good(&with_file).config.auth.keys.len(), 1);
    let two = format!("{KEY}, {KEY}-2");
    let env = env([("OPENAI_API_KEY", "k"), ("WAYSTATION_API_KEYS", &two)]);
    let keys = load(OPEN, &env).unwrap().config.auth.keys;
    let names: Vec<_> = keys.iter().map(|key| &*key.name).collect();
    assert_eq!(names, ["key-1", "key-2"]);
}

#[test]
fn a_short_key_of_the_environment_is_refused_by_the_variables_name() {
    let env = env([("OPENAI_API_KEY", "k"), ("WAYSTATION_API_KEY", "short")]);
    let expected = "environment: WAYSTATION_API_KEY: expected a key of at least 16 characters";
    assert!(bad("", &env).starts_with(expected));
}

#[test]
fn command_line_goes_before_environment_before_file() {
    let text = "[server]\nlisten = '127.0.0.1:1'\nadmin_listen = '127.0.0.1:2'";
    let env = env([
        ("OPENAI_API_KEY", "k"),
        ("WAYSTATION_LISTEN", "127.0.0.1:3"),
        ("WAYSTATION_ADMIN_LISTEN", "off"),
    ]);
    let server = load(text, &env).unwrap().config.server;
    assert_eq!((server.listen.port(), server.admin_listen), (3, None));
    let flags = Flags {
        listen: Some("127.0.0.1:4".into()),
        admin_listen: Some("127.0.0.1:5".into()),
        ..Flags::default()
    };
    let server = from_text("w.toml", text, &flags, &env)
        .unwrap()
        .config
        .server;
    assert_eq!(server.listen.port(), 4);
    assert_eq!(server.admin_listen.unwrap().port(), 5);
}

#[test]
fn both_listeners_at_one_address_are_refused() {
    let found = bad("[server]\nadmin_listen = '127.0.0.1:8080'", &openai());
    assert!(
        found.starts_with("w.toml:2: server.admin_listen: expected an address other"),
        "{found}"
    );
}

#[test]
fn an_address_that_is_the_gateways_own_is_refused_by_its_variable_or_key() {
    let looped = env([
        ("OPENAI_API_KEY", "k"),
        ("OPENAI_BASE_URL", "http://localhost:8080/v1"),
    ]);
    let found = bad("", &looped);
    assert!(
        found.starts_with("environment: OPENAI_BASE_URL: expected the address of openai"),
        "{found}"
    );
    let text = "[providers.openai]\napi_key = 'k'\nbase_url = 'http://127.0.0.1:8081/v1'";
    let found = bad(text, &openai());
    assert!(
        found.starts_with("w.toml:3: providers.openai.base_url: expected"),
        "{found}"
    );
    assert!(found.contains("own listener 127.0.0.1:8081"), "{found}");
}

#[test]
fn a_provider_whose_usual_address_is_the_gateways_own_is_refused_by_the_key_that_is_missing() {
    for slug in ["llama-cpp", "llamafile"] {
        let found = bad(&format!("[providers.{slug}]"), &Environment::default());
        let expected =
            format!("w.toml:1: providers.{slug}.base_url: expected the address of {slug}");
        assert!(found.starts_with(&expected), "{found}");
        assert!(found.contains("own listener 127.0.0.1:8080"), "{found}");
    }
    let keyed = env([("LLAMA_CPP_API_KEY", "k")]);
    let found = bad("", &keyed);
    assert!(
        found.starts_with("environment: LLAMA_CPP_BASE_URL: expected the address"),
        "{found}"
    );
    let elsewhere = "[server]\nlisten = '127.0.0.1:9090'\n[providers.llama-cpp]";
    load(elsewhere, &Environment::default()).unwrap();
    let stated = "[providers.llama-cpp]\nbase_url = 'http://127.0.0.1:9999/v1'";
    load(stated, &Environment::default()).unwrap();
}

/// Nothing that speaks against simulating.
const ALONE: Situation = Situation {
    has_file: false,
    has_provider: false,
    has_client_keys: false,
    on_loopback: true,
};

#[test]
fn simulation_starts_by_itself_when_all_four_conditions_hold() {
    assert!(simulates_by_itself(ALONE));
    let resolved = from_text("", "", &Flags::default(), &Environment::default()).unwrap();
    assert!(resolved.simulated);
    let openai = resolved.upstreams.get("openai").unwrap();
    assert_eq!(&*openai.upstream.name, "OpenAI (simulated)");
}

#[test]
fn a_config_file_prevents_simulation() {
    assert!(!simulates_by_itself(Situation {
        has_file: true,
        ..ALONE
    }));
    let found = bad("", &Environment::default());
    assert!(
        found.starts_with("expected a usable provider, found none: set one of "),
        "{found}"
    );
    assert!(
        found.contains("OPENAI_API_KEY") && found.contains("--simulate"),
        "{found}"
    );
}

#[test]
fn a_configured_provider_prevents_simulation() {
    assert!(!simulates_by_itself(Situation {
        has_provider: true,
        ..ALONE
    }));
    let keyless = env([("OLLAMA_BASE_URL", "http://127.0.0.1:11434/v1")]);
    let resolved = from_text("", "", &Flags::default(), &keyless).unwrap();
    assert!(!resolved.simulated);
    // One that cannot be reached was meant to be real all the same.
    let azure = env([("AZURE_OPENAI_API_KEY", "k")]);
    let found = from_text("", "", &Flags::default(), &azure)
        .unwrap_err()
        .to_string();
    assert!(
        found.contains("azure (enabled by AZURE_OPENAI_API_KEY) stays off"),
        "{found}"
    );
}

#[test]
fn client_keys_prevent_simulation() {
    assert!(!simulates_by_itself(Situation {
        has_client_keys: true,
        ..ALONE
    }));
    let keyed = env([("WAYSTATION_API_KEY", KEY)]);
    assert!(from_text("", "", &Flags::default(), &keyed).is_err());
}

#[test]
fn a_listener_that_others_reach_prevents_simulation() {
    assert!(!simulates_by_itself(Situation {
        on_loopback: false,
        ..ALONE
    }));
    let flags = Flags {
        listen: Some("0.0.0.0:8080".into()),
        insecure_open: true,
        ..Flags::default()
    };
    assert!(from_text("", "", &flags, &Environment::default()).is_err());
}

#[test]
fn simulate_always_simulates() {
    let flags = Flags {
        simulate: true,
        ..Flags::default()
    };
    let text = format!("[auth]\nkeys = ['{KEY}']");
    let resolved = from_text("w.toml", &text, &flags, &openai()).unwrap();
    assert!(resolved.simulated);
    let names = resolved.upstreams.values().map(|enabled| &enabled.upstream);
    for upstream in names {
        assert!(upstream.name.ends_with("(simulated)"), "{}", upstream.name);
        assert!(
            !upstream.base_url.contains(['{', '}']),
            "{}",
            upstream.base_url
        );
    }
}
