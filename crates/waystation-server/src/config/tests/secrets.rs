//! Secrets are read from many places and shown in none.

use waystation_core::Credentials as _;

use super::*;

const SECRET: &str = "sk-super-secret-0123456789";

fn text() -> String {
    format!(
        "[auth]\nkeys = ['{SECRET}-client']\nmanagement_keys = ['{SECRET}-admin']\n\
         [providers.openai]\napi_key = '{SECRET}-1'\n\
         [[providers.openai.keys]]\napi_key = '${{OTHER}}'\n\
         [plugins.web]\nengine = 'exa'\nexa = {{ api_key = '{SECRET}-exa' }}"
    )
}

fn hidden() -> Environment {
    env([
        ("OTHER", "sk-super-secret-from-elsewhere"),
        ("WAYSTATION_API_KEY", "sk-super-secret-env-key"),
    ])
}

#[test]
fn nothing_that_is_printed_shows_a_secret() {
    let resolved = load(&text(), &hidden()).unwrap();
    let debugged = format!(
        "{resolved:?} {:?} {:?}",
        hidden(),
        resolved
            .credentials(stopped(), transport())
            .unwrap()
            .has(&"openai".parse().unwrap())
    );
    let printed = toml::to_string(&resolved.config).unwrap();
    let json = serde_json::to_string(&resolved.config).unwrap();
    for shown in [debugged, printed, json] {
        assert!(!shown.contains("super-secret"), "{shown}");
    }
}

#[test]
fn a_secret_in_a_wrong_place_is_not_repeated() {
    for wrong in [
        "[server]\nlisten = '${OTHER}'",
        "[providers.openai]\ndialect = '${OTHER}'",
        "[providers.openai]\nauth = '${OTHER}'",
        "[catalog]\nlist = '${OTHER}'",
        "[limits]\nmax_concurrent = '${OTHER}'",
        "[[models]]\nid = 'a/b'\nsupported_parameters = ['${OTHER}']",
        "[[overrides]]\nmatch = { model = 'a/*' }\nprice_multiplier = '${OTHER}'",
    ] {
        let found = bad(wrong, &hidden());
        assert!(!found.contains("super-secret"), "{found}");
    }
}

#[test]
fn secrets_of_files_lose_their_last_line_break() {
    let path = file("secret", "sk-from-a-file\n");
    let text = format!(
        "[providers.openai]\napi_key = '${{file:{}}}'",
        path.display()
    );
    let resolved = good(&text);
    fs::remove_file(path).unwrap();
    let key = resolved.keyring.values().flatten().next().unwrap();
    let crate::credentials::Source::Key(secret) = &key.source else {
        panic!("{key:?}");
    };
    assert_eq!(secret.expose(), "sk-from-a-file");
}

#[test]
fn an_env_file_adds_variables_and_replaces_none() {
    let path = file(
        "env",
        "# keys\n\nexport GROQ_API_KEY=\"gsk quoted\"\nOPENAI_API_KEY=other\nMOONSHOT_API_KEY='m'\n",
    );
    let mut env = openai();
    env.add_file(&path).unwrap();
    fs::remove_file(path).unwrap();
    assert_eq!(env.get("GROQ_API_KEY"), Some("gsk quoted"));
    assert_eq!(env.get("MOONSHOT_API_KEY"), Some("m"));
    assert_eq!(env.get("OPENAI_API_KEY"), Some("sk-from-the-environment"));
}

#[test]
fn a_wrong_line_of_an_env_file_is_told_without_its_text() {
    let path = file("bad-env", "A=1\nsk-super-secret\n");
    let flags = Flags {
        env_file: Some(path.clone()),
        ..Flags::default()
    };
    let found = resolve(&flags, &Environment::default())
        .unwrap_err()
        .to_string();
    fs::remove_file(&path).unwrap();
    assert_eq!(
        found,
        format!(
            "{}:2: expected KEY=VALUE, found a line without `=`",
            path.display()
        )
    );
}

fn transport() -> std::sync::Arc<dyn waystation_core::Transport> {
    std::sync::Arc::new(waystation_sim::ReplayTransport::queue([]))
}

fn stopped() -> std::sync::Arc<dyn waystation_core::Clock> {
    struct Stopped;
    impl waystation_core::Clock for Stopped {
        fn now(&self) -> waystation_core::Now {
            waystation_core::Now {
                tick: Default::default(),
                unix: Default::default(),
            }
        }
    }
    std::sync::Arc::new(Stopped)
}
