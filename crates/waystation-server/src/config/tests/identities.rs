//! Cloud identities: found for a table that names no key, never enough to enable a provider alone.

use waystation_core::AuthScheme;

use super::*;
use crate::credentials::{Aws, Google, Identity, ProviderKey, Source};

const VERTEX: &str = "[providers.google-vertex]";
const BEDROCK: &str = "[providers.amazon-bedrock]\nregion = 'us-east-1'";
const AZURE: &str = "[providers.azure]\nresource = 'mine'";

fn keys<'a>(resolved: &'a Resolved, slug: &str) -> &'a [ProviderKey] {
    resolved.keyring.get(slug).map_or(&[], Vec::as_slice)
}

/// The one key of the one provider of this table.
fn key(text: &str, env: &Environment) -> ProviderKey {
    let resolved = load(text, env).unwrap();
    let mut keys = resolved.keyring.values().flatten();
    let key = keys.next().unwrap().clone();
    assert!(keys.next().is_none());
    key
}

fn exposed(key: &ProviderKey) -> &str {
    match &key.source {
        Source::Key(secret) => secret.expose(),
        other => panic!("{other:?}"),
    }
}

/// A user's file, as signing in leaves it.
fn user() -> String {
    r#"{"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r",
        "quota_project_id": "pays"}"#
        .into()
}

#[test]
fn a_key_file_is_named_by_its_variable_and_knows_the_project() {
    let path = file("adc.json", &user());
    let path_text = path.display().to_string();
    let env = env([
        ("GOOGLE_APPLICATION_CREDENTIALS", path_text.as_str()),
        ("GOOGLE_CLOUD_LOCATION", "us-central1"),
    ]);
    let resolved = load(VERTEX, &env).unwrap();
    let key = &keys(&resolved, "google-vertex")[0];
    assert!(
        matches!(
            &key.source,
            Source::Minted(Identity::Google(Google::User(_)))
        ),
        "{key:?}"
    );
    let vertex = resolved.upstreams.get("google-vertex").unwrap();
    assert_eq!(vertex.upstream.settings.project.as_deref(), Some("pays"));
    let own = format!("{VERTEX}\nproject = 'mine'");
    let resolved = load(&own, &env).unwrap();
    let vertex = resolved.upstreams.get("google-vertex").unwrap();
    assert_eq!(vertex.upstream.settings.project.as_deref(), Some("mine"));
    fs::remove_file(path).unwrap();
    let gone = bad(VERTEX, &env);
    assert!(
        gone.starts_with("environment: GOOGLE_APPLICATION_CREDENTIALS: expected the path"),
        "{gone}"
    );
}

#[test]
fn a_key_may_stand_in_the_file_or_in_its_variable_as_a_whole() {
    let env = env([
        ("VERTEXAI_CREDENTIALS", &user()),
        ("GOOGLE_CLOUD_LOCATION", "global"),
    ]);
    assert!(matches!(key(VERTEX, &env).source, Source::Minted(_)));
    let text = format!(
        "{VERTEX}\nlocation = 'global'\napi_key = '{}'",
        user().replace('\n', " ")
    );
    assert!(matches!(key(&text, &openai()).source, Source::Minted(_)));
    let token = format!("{VERTEX}\nlocation = 'global'\nproject = 'p'\napi_key = 'ya29.ready'");
    assert_eq!(exposed(&key(&token, &openai())), "ya29.ready");
    let wrong = format!("{VERTEX}\napi_key = '{{\"type\": \"sk-super-secret\"'");
    let told = bad(&wrong, &openai());
    assert!(
        !told.contains("super-secret") && told.contains("JSON key"),
        "{told}"
    );
}

#[test]
fn default_credentials_are_the_users_file_then_the_machine_with_a_warning() {
    let folder = std::env::temp_dir().join(format!("waystation-{}-gcloud", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("application_default_credentials.json");
    fs::write(&path, user()).unwrap();
    let folder_text = folder.display().to_string();
    let here = env([
        ("CLOUDSDK_CONFIG", folder_text.as_str()),
        ("GOOGLE_CLOUD_LOCATION", "global"),
    ]);
    let user = key(VERTEX, &here);
    assert_eq!(user.id.as_str(), "application-default");
    fs::remove_dir_all(folder).unwrap();
    let text = format!("{VERTEX}\nproject = 'p'");
    let resolved = load(&text, &here).unwrap();
    let machine = &keys(&resolved, "google-vertex")[0];
    assert!(matches!(
        &machine.source,
        Source::Minted(Identity::Google(Google::Machine(_)))
    ));
    let warning = &resolved.warnings[0];
    assert!(
        warning.contains("GOOGLE_APPLICATION_CREDENTIALS"),
        "{warning}"
    );
}

#[test]
fn a_cloud_api_key_travels_as_one() {
    let env = env([
        ("GOOGLE_CLOUD_API_KEY", "AIza"),
        ("GOOGLE_CLOUD_LOCATION", "global"),
    ]);
    let key = key(&format!("{VERTEX}\nproject = 'p'"), &env);
    assert_eq!(exposed(&key), "AIza");
    assert_eq!(key.scheme, Some(AuthScheme::XGoogApiKey));
}

#[test]
fn keys_of_aws_sign_and_those_of_its_model_service_travel_as_they_are() {
    let all = env([
        ("AWS_ACCESS_KEY_ID", "AK"),
        ("AWS_SECRET_ACCESS_KEY", "SK"),
        ("AWS_SESSION_TOKEN", "T"),
        ("AWS_BEARER_TOKEN_BEDROCK", "ABSK1"),
    ]);
    let bearer = key(BEDROCK, &all);
    assert_eq!(exposed(&bearer), "ABSK1");
    assert_eq!(bearer.scheme, Some(AuthScheme::Bearer));
    let signs = key(&format!("{BEDROCK}\nauth = 'sigv4'"), &all);
    assert_eq!(exposed(&signs), "AK:SK:T");
    let pair = env([("AWS_ACCESS_KEY_ID", "AK"), ("AWS_SECRET_ACCESS_KEY", "SK")]);
    let signs = key(BEDROCK, &pair);
    assert_eq!(exposed(&signs), "AK:SK");
    assert_eq!(signs.scheme, Some(AuthScheme::Sigv4));
    let half = bad(BEDROCK, &env([("AWS_ACCESS_KEY_ID", "AK")]));
    assert_eq!(
        half,
        "environment: AWS_ACCESS_KEY_ID: expected AWS_SECRET_ACCESS_KEY beside it, found it unset"
    );
    for (written, scheme) in [("AK:SK", AuthScheme::Sigv4), ("ABSK2", AuthScheme::Bearer)] {
        let key = key(&format!("{BEDROCK}\napi_key = '{written}'"), &openai());
        assert_eq!((exposed(&key), key.scheme), (written, Some(scheme)));
    }
}

#[test]
fn the_bearer_key_of_the_model_service_enables_it_alone() {
    let env = env([
        ("AWS_BEARER_TOKEN_BEDROCK", "ABSK1"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AK"),
    ]);
    let resolved = load("", &env).unwrap();
    assert_eq!(slugs(&resolved), ["amazon-bedrock"]);
    assert!(base_url(&resolved, "amazon-bedrock").contains("eu-west-1"));
    let key = &keys(&resolved, "amazon-bedrock")[0];
    assert_eq!(
        (exposed(key), key.scheme),
        ("ABSK1", Some(AuthScheme::Bearer))
    );
}

#[test]
fn a_profile_gives_keys_and_region() {
    let credentials = file(
        "aws",
        "[work]\naws_access_key_id = AK\naws_secret_access_key = SK\n[sso]\nsso_session = x\n",
    );
    let config = file(
        "aws-config",
        "[profile work]\nregion = ap-south-1\n[profile login]\nlogin_session = x\n\
         [profile near]\nrole_arn = r\ncredential_source = Environment\n",
    );
    let (credentials_text, config_text) = (
        credentials.display().to_string(),
        config.display().to_string(),
    );
    let of = |profile: &'static str| {
        env([
            ("AWS_SHARED_CREDENTIALS_FILE", credentials_text.as_str()),
            ("AWS_CONFIG_FILE", config_text.as_str()),
            ("AWS_PROFILE", profile),
        ])
    };
    let table = "[providers.amazon-bedrock]";
    let resolved = load(table, &of("work")).unwrap();
    assert!(base_url(&resolved, "amazon-bedrock").contains("ap-south-1"));
    let found = &keys(&resolved, "amazon-bedrock")[0];
    assert!(matches!(
        &found.source,
        Source::Minted(Identity::Aws(Aws::Profile(_)))
    ));
    for (profile, expected) in [
        ("sso", "expected sso_account_id in the profile \"sso\""),
        ("login", "login_session, which is not supported"),
        (
            "near",
            "expected AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY",
        ),
    ] {
        let told = bad(table, &of(profile));
        assert!(told.starts_with("environment: AWS_PROFILE: "), "{told}");
        assert!(told.contains(expected), "{told}");
    }
    // Keys of the environment win, but where the profile wants them for a role.
    for (profile, id) in [("work", "AWS_ACCESS_KEY_ID"), ("near", "profile")] {
        let env = env([
            ("AWS_SHARED_CREDENTIALS_FILE", credentials_text.as_str()),
            ("AWS_CONFIG_FILE", config_text.as_str()),
            ("AWS_PROFILE", profile),
            ("AWS_ACCESS_KEY_ID", "AK9"),
            ("AWS_SECRET_ACCESS_KEY", "SK9"),
        ]);
        assert_eq!(key(BEDROCK, &env).id.as_str(), id);
    }
    let told = bad(table, &of("nobody"));
    assert!(
        told.starts_with("environment: AWS_PROFILE: expected aws_access_key_id"),
        "{told}"
    );
    fs::remove_file(credentials).unwrap();
    fs::remove_file(config).unwrap();
}

#[test]
fn containers_and_instances_are_asked_where_nothing_else_is_found() {
    let container = env([("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/1")]);
    assert_eq!(key(BEDROCK, &container).id.as_str(), "container");
    let resolved = load(BEDROCK, &Environment::default()).unwrap();
    assert_eq!(keys(&resolved, "amazon-bedrock")[0].id.as_str(), "instance");
    assert!(resolved.warnings[0].contains("AWS_PROFILE"));
    let off = bad(BEDROCK, &env([("AWS_EC2_METADATA_DISABLED", "true")]));
    assert!(off.contains("AWS_BEARER_TOKEN_BEDROCK"), "{off}");
    let evil = env([("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://evil.example/")]);
    assert!(bad(BEDROCK, &evil).contains("https://"));
}

#[test]
fn a_role_is_assumed_with_the_token_of_a_file() {
    let token = ("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/token");
    let role = ("AWS_ROLE_ARN", "arn:aws:iam::1:role/x");
    let found = key(BEDROCK, &env([token, role, ("AWS_REGION", "eu-west-1")]));
    assert_eq!(found.id.as_str(), "role");
    let Source::Minted(Identity::Aws(Aws::Role(assumed))) = &found.source else {
        panic!("expected a role, found {found:?}")
    };
    assert_eq!(&*assumed.service, "https://sts.eu-west-1.amazonaws.com/");
    assert_eq!(&*assumed.session, "waystation");
    assert_eq!(
        bad(BEDROCK, &env([token])),
        "environment: AWS_WEB_IDENTITY_TOKEN_FILE: expected AWS_ROLE_ARN beside it, found it unset"
    );
    let plain = env([token, role, ("AWS_ENDPOINT_URL_STS", "http://sts.example")]);
    assert!(bad(BEDROCK, &plain).starts_with("environment: AWS_ENDPOINT_URL_STS: expected"));
}

#[test]
fn an_application_of_entra_serves_where_there_is_no_key() {
    let application = [
        ("AZURE_TENANT_ID", "contoso.example"),
        ("AZURE_CLIENT_ID", "app"),
        ("AZURE_CLIENT_SECRET", "a secret"),
    ];
    let entra = key(AZURE, &env(application));
    assert!(matches!(&entra.source, Source::Minted(Identity::Entra(_))));
    assert_eq!(entra.scheme, Some(AuthScheme::Bearer));
    assert!(
        load("", &env(application)).is_err(),
        "it enables nobody alone"
    );
    let [tenant, client, secret] = application;
    let both = env([tenant, client, secret, ("AZURE_OPENAI_API_KEY", "k")]);
    assert_eq!(exposed(&key(AZURE, &both)), "k");
    let bearer = format!("{AZURE}\nauth = 'bearer'");
    assert!(matches!(&key(&bearer, &both).source, Source::Minted(_)));
    let token = key(AZURE, &env([("AZURE_AD_TOKEN", "eyJ")]));
    assert_eq!(
        (exposed(&token), token.scheme),
        ("eyJ", Some(AuthScheme::Bearer))
    );
    assert_eq!(
        bad(AZURE, &env([client, secret])),
        "environment: AZURE_CLIENT_SECRET: expected AZURE_TENANT_ID beside it, found it unset"
    );
    let wrong = env([("AZURE_TENANT_ID", "a/../b"), client, secret]);
    assert!(bad(AZURE, &wrong).starts_with("environment: AZURE_TENANT_ID: expected a tenant's"));
}
