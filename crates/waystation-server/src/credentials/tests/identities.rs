//! What each identity asks for, byte for byte, and what it makes of the answer.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rsa::KeyPair,
    signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use serde_json::{Value, json};
use waystation_core::HttpRequest;
use waystation_sim::{ReplayTransport, Reply};

use super::{account, renewal::Hand, *};

/// The secret that an identity gives with these answers, and what it asked.
async fn minted(
    identity: Identity,
    service: ReplayTransport,
) -> (Result<String, String>, Vec<HttpRequest>) {
    let service = Arc::new(service);
    let key = ProviderKey::new("id".parse().unwrap(), Source::Minted(identity));
    let keyring = Keyring::from([(openai(), vec![key])]);
    let keys = StaticCredentials::new(keyring, Arc::new(Hand::default()), service.clone());
    let lease = keys.lease(&openai(), &[]).await;
    let secret = lease
        .map(|lease| lease.secret.unwrap().expose().to_owned())
        .map_err(|error| error.to_string());
    (secret, service.requests())
}

fn token() -> ReplayTransport {
    let body = json!({"access_token": "ya29.fresh", "expires_in": 3599, "token_type": "Bearer"});
    ReplayTransport::queue([Reply::json(200, body.to_string())])
}

/// The members of a form.
fn form(request: &HttpRequest) -> Vec<(String, String)> {
    let body = String::from_utf8(request.body.to_vec()).unwrap();
    let plain = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'%' => {
                    let hex = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
                }
                other => other,
            });
        }
        String::from_utf8(bytes).unwrap()
    };
    let pairs = body.split('&').map(|pair| pair.split_once('=').unwrap());
    pairs
        .map(|(name, value)| (plain(name), plain(value)))
        .collect()
}

#[tokio::test]
async fn a_service_account_signs_who_it_is() {
    let file = account::file("https://oauth2.googleapis.com/token");
    let google = Google::parse(&file).unwrap();
    assert_eq!(google.project(), Some("my-project"));
    let (secret, asked) = minted(Identity::Google(google), token()).await;
    assert_eq!(secret.unwrap(), "ya29.fresh");
    assert_eq!(asked[0].url, "https://oauth2.googleapis.com/token");
    assert_eq!(
        asked[0].headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    let form = form(&asked[0]);
    assert_eq!(form[0].1, "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let (signed, signature) = form[1].1.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let read = |part: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    assert_eq!(
        read(header),
        json!({"alg": "RS256", "typ": "JWT", "kid": "0123456789abcdef"})
    );
    assert_eq!(
        read(claims),
        json!({
            "iss": "gateway@my-project.iam.gserviceaccount.com",
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            "aud": "https://oauth2.googleapis.com/token",
            "iat": 1_790_000_000,
            "exp": 1_790_003_600,
        })
    );
    let der = PrivatePkcs8KeyDer::from_pem_slice(account::PRIVATE_KEY.as_bytes()).unwrap();
    let key = KeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public().as_ref());
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    public.verify(signed.as_bytes(), &signature).unwrap();
}

#[tokio::test]
async fn a_user_who_signed_in_is_known_by_a_refresh_token() {
    let file = json!({"type": "authorized_user", "client_id": "c.apps", "client_secret": "s/1",
        "refresh_token": "1//r", "quota_project_id": "pays"});
    let google = Google::parse(&file.to_string()).unwrap();
    assert_eq!(google.project(), Some("pays"));
    let (secret, asked) = minted(Identity::Google(google), token()).await;
    assert_eq!(secret.unwrap(), "ya29.fresh");
    let form = form(&asked[0]);
    let values: Vec<&str> = form.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(values, ["refresh_token", "c.apps", "s/1", "1//r"]);
}

#[tokio::test]
async fn a_machine_of_googles_asks_its_metadata_service() {
    let machine = Google::Machine("metadata.google.internal".into());
    let (secret, asked) = minted(Identity::Google(machine), token()).await;
    assert_eq!(secret.unwrap(), "ya29.fresh");
    assert_eq!(
        asked[0].url,
        "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token"
    );
    assert_eq!(asked[0].headers["metadata-flavor"], "Google");
}

#[test]
fn a_wrong_key_file_is_told_without_its_secrets() {
    let hidden = "do-not-tell";
    let told = |file: Value| Google::parse(&file.to_string()).unwrap_err();
    let broken = Google::parse("{\"private_key\": \"do-not-tell\",").unwrap_err();
    let wrong = [
        (broken, "1:30"),
        (told(json!({"private_key": hidden})), "`type`"),
        (
            told(json!({"type": "external_account"})),
            "external_account",
        ),
        (
            told(json!({"type": "service_account", "private_key": hidden})),
            "BEGIN PRIVATE KEY",
        ),
        (
            told(json!({"type": "authorized_user", "client_secret": hidden})),
            "`refresh_token`",
        ),
        (
            told(json!({"type": "authorized_user", "token_uri": "http://evil.example/"})),
            "https://",
        ),
    ];
    for (told, expected) in wrong {
        assert!(told.contains(expected) && !told.contains(hidden), "{told}");
    }
}

#[tokio::test]
async fn an_application_asks_its_tenant() {
    let application = ("client-1", "s3cr3t~ +&=");
    let entra = Entra::new(AUTHORITY, "contoso.onmicrosoft.com", application).unwrap();
    let (secret, asked) = minted(Identity::Entra(entra), token()).await;
    assert_eq!(secret.unwrap(), "ya29.fresh");
    assert_eq!(
        asked[0].url,
        "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token"
    );
    assert_eq!(
        form(&asked[0]),
        [
            ("grant_type".into(), "client_credentials".into()),
            ("client_id".into(), "client-1".into()),
            ("client_secret".into(), "s3cr3t~ +&=".into()),
            (
                "scope".into(),
                "https://cognitiveservices.azure.com/.default".into()
            ),
        ]
    );
    assert!(Entra::new(AUTHORITY, "a/../b", application).is_err());
    assert!(Entra::new("http://login.example", "t", application).is_err());
}

/// Keys as AWS's services answer them.
fn keys() -> String {
    json!({"Code": "Success", "AccessKeyId": "ASIA1", "SecretAccessKey": "sk/1", "Token": "tok==",
        "Expiration": "2026-09-21T20:00:00Z"})
    .to_string()
}

#[tokio::test]
async fn an_instance_opens_a_session_and_asks_for_its_roles_keys() {
    let service = ReplayTransport::answering(|request, _| match request.url.path() {
        "/latest/api/token" => Reply::json(200, "session-1"),
        "/latest/meta-data/iam/security-credentials/" => Reply::json(200, "my-role\n"),
        "/latest/meta-data/iam/security-credentials/my-role" => Reply::json(200, keys()),
        other => Reply::json(404, other.to_owned()),
    });
    let instance = Aws::Instance(Instance("http://169.254.169.254".into()));
    let (secret, asked) = minted(Identity::Aws(instance), service).await;
    assert_eq!(secret.unwrap(), "ASIA1:sk/1:tok==");
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[0].method, "PUT");
    let session = &asked[2].headers["x-aws-ec2-metadata-token"];
    assert!(session == "session-1" && session.is_sensitive());
}

#[tokio::test]
async fn a_container_asks_with_the_token_that_it_was_given() {
    let service = ReplayTransport::queue([Reply::json(200, keys())]);
    let container = Aws::Container(Container {
        url: "http://169.254.170.2/v2/credentials/1".into(),
        token: Some(Secret::new("container-token")),
        token_file: None,
    });
    let (secret, asked) = minted(Identity::Aws(container), service).await;
    assert_eq!(secret.unwrap(), "ASIA1:sk/1:tok==");
    let token = &asked[0].headers["authorization"];
    assert!(token == "container-token" && token.is_sensitive());
}

#[tokio::test]
async fn a_profile_is_read_again_when_its_keys_may_have_been_replaced() {
    let name = format!("waystation-{}-aws-credentials", std::process::id());
    let path = std::env::temp_dir().join(name);
    let write = |key: &str| {
        let text = format!("[work]\naws_access_key_id=AK\naws_secret_access_key={key}\n");
        std::fs::write(&path, text).unwrap();
    };
    write("one");
    let profile = Profile::new("work", path.clone(), "/nowhere");
    let key = ProviderKey::new(
        "profile".parse().unwrap(),
        Source::Minted(Identity::Aws(Aws::Profile(Box::new(profile)))),
    );
    let clock = Arc::new(Hand::default());
    let service = Arc::new(ReplayTransport::queue([]));
    let keyring = Keyring::from([(openai(), vec![key])]);
    let keys = StaticCredentials::new(keyring, clock.clone(), service);
    let secret = async || {
        let lease = keys.lease(&openai(), &[]).await.unwrap();
        lease.secret.unwrap().expose().to_owned()
    };
    assert_eq!(secret().await, "AK:one");
    write("two");
    assert_eq!(secret().await, "AK:one");
    clock.set(250);
    keys.renew().await;
    assert_eq!(secret().await, "AK:two");
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn an_answer_that_is_no_token_is_told_without_its_text() {
    let application = ("client", "secret");
    for (status, body, expected) in [
        (200, "do-not-tell", "expected JSON"),
        (200, r#"{"access_token": ""}"#, "an empty text"),
        (
            400,
            r#"{"error": "do-not-tell it", "x": 1}"#,
            "answered 400",
        ),
        (500, "do-not-tell", "answered 500"),
        (302, "", "answered 302"),
    ] {
        let entra = Entra::new(AUTHORITY, "t", application).unwrap();
        let service = ReplayTransport::queue([Reply::json(status, body)]);
        let (secret, _) = minted(Identity::Entra(entra), service).await;
        let told = secret.unwrap_err();
        assert!(
            told.contains(expected) && !told.contains("do-not-tell"),
            "{told}"
        );
    }
}

#[test]
fn debug_of_identities_shows_no_secret() {
    let entra = Entra::new(AUTHORITY, "t", ("client", "do-not-tell")).unwrap();
    let account = Google::parse(&account::file("https://a.example/t")).unwrap();
    let user = json!({"type": "authorized_user", "client_id": "c", "client_secret": "do-not-tell",
        "refresh_token": "do-not-tell"});
    let user = Google::parse(&user.to_string()).unwrap();
    let container = Aws::Container(Container {
        url: "http://169.254.170.2/x".into(),
        token: Some(Secret::new("do-not-tell")),
        token_file: None,
    });
    let shown = format!("{entra:?} {account:?} {user:?} {container:?}");
    assert!(
        !shown.contains("do-not-tell") && !shown.contains("BEGIN"),
        "{shown}"
    );
    assert!(!shown.contains("MII"), "{shown}");
}

#[tokio::test]
async fn a_role_is_assumed_with_a_token_and_refused_without_words_of_it() {
    let file = std::env::temp_dir().join(format!("waystation-{}-web-token", std::process::id()));
    std::fs::write(&file, "eyJ.token\n").unwrap();
    let role = || WebIdentity {
        service: "https://sts.eu-west-1.amazonaws.com/".into(),
        role: "arn:aws:iam::1:role/x".into(),
        session: "waystation".into(),
        token_file: file.clone(),
    };
    let answer = "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult>\
        <SubjectFromWebIdentityToken>s</SubjectFromWebIdentityToken><Credentials>\
        <SessionToken>T==</SessionToken><SecretAccessKey>SK/+</SecretAccessKey>\
        <Expiration>2026-11-27T05:00:00Z</Expiration><AccessKeyId>AK</AccessKeyId>\
        </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
    let service = ReplayTransport::queue([Reply::json(200, answer)]);
    let (secret, asked) = minted(Identity::Aws(Aws::Role(role())), service).await;
    assert_eq!(secret.unwrap(), "AK:SK/+:T==");
    let sent = form(&asked[0]);
    let of = |name: &str| {
        sent.iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(of("Action"), Some("AssumeRoleWithWebIdentity"));
    assert_eq!(of("RoleArn"), Some("arn:aws:iam::1:role/x"));
    assert_eq!(of("WebIdentityToken"), Some("eyJ.token"));
    let refused = Reply::json(400, "<Error><Code>InvalidIdentityToken</Code></Error>");
    let service = ReplayTransport::queue([refused]);
    let (secret, _) = minted(Identity::Aws(Aws::Role(role())), service).await;
    let told = secret.unwrap_err();
    assert!(!told.contains("eyJ") && told.contains("400"), "{told}");
    std::fs::remove_file(file).unwrap();
}

/// The profile `name` of a file that says this.
fn profile(name: &str, text: &str) -> (Identity, std::path::PathBuf) {
    let file = format!("waystation-{}-aws-{name}", std::process::id());
    let path = std::env::temp_dir().join(file);
    std::fs::write(&path, text).unwrap();
    let profile = Profile {
        service: Some("https://sts.example".into()),
        region: Some("eu-west-1".into()),
        ..Profile::new(name, path.clone(), "/nowhere")
    };
    (Identity::Aws(Aws::Profile(Box::new(profile))), path)
}

#[tokio::test]
async fn a_profile_assumes_its_role_by_calls_that_its_sources_keys_sign() {
    let text = "[work]\naws_access_key_id=AK\naws_secret_access_key=do-not-tell\n\
        [inner]\nrole_arn=arn:aws:iam::1:role/x\nsource_profile=work\nexternal_id=e 1\n\
        [outer]\nrole_arn=arn:aws:iam::2:role/y\nsource_profile=inner\nduration_seconds=900\n";
    let (identity, path) = profile("outer", text);
    let answer = |id: &str| {
        let keys = format!(
            "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>{id}</AccessKeyId>\
             <SecretAccessKey>S</SecretAccessKey><SessionToken>T==</SessionToken>\
             <Expiration>2026-11-27T05:00:00Z</Expiration></Credentials></AssumeRoleResult>\
             </AssumeRoleResponse>"
        );
        Reply::json(200, keys)
    };
    let service = ReplayTransport::queue([answer("AK1"), answer("AK2")]);
    let (secret, asked) = minted(identity, service).await;
    assert_eq!(secret.unwrap(), "AK2:S:T==");
    for (request, (signer, arn, more)) in asked.iter().zip([
        ("AK/", "arn:aws:iam::1:role/x", ("ExternalId", "e 1")),
        ("AK1/", "arn:aws:iam::2:role/y", ("DurationSeconds", "900")),
    ]) {
        assert_eq!(request.url, "https://sts.example/");
        let sent = form(request);
        let has = |name: &str, value: &str| sent.contains(&(name.into(), value.into()));
        assert!(has("Action", "AssumeRole") && has("RoleArn", arn) && has(more.0, more.1));
        let signature = request.headers["authorization"].to_str().unwrap();
        assert!(
            signature.contains(&format!("Credential={signer}")),
            "{signature}"
        );
        assert!(
            signature.contains("/eu-west-1/sts/aws4_request"),
            "{signature}"
        );
        assert!(!signature.contains("do-not-tell"));
    }
    assert_eq!(asked[1].headers["x-amz-security-token"], "T==");
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn a_program_prints_keys_and_what_it_prints_else_is_not_told() {
    let good = r#"printf '{"Version": 1, "AccessKeyId": "AK", "SecretAccessKey": "S", "SessionToken": "T"}'"#;
    for (command, expected) in [
        (good, Ok("AK:S:T")),
        ("echo do-not-tell", Err("expected JSON with AccessKeyId")),
        ("echo do-not-tell >&2; exit 3", Err("exit status: 3")),
        ("/nowhere/do", Err("exit status: 127")),
    ] {
        let text = format!("[program]\ncredential_process = {command}\n");
        let (identity, path) = profile("program", &text);
        let (secret, _) = minted(identity, ReplayTransport::queue([])).await;
        match (secret, expected) {
            (Ok(secret), Ok(expected)) => assert_eq!(secret, expected),
            (Err(told), Err(expected)) => {
                assert!(
                    told.contains(expected) && !told.contains("do-not-tell"),
                    "{told}"
                );
            }
            (found, _) => panic!("{command}: {found:?}"),
        }
        std::fs::remove_file(path).unwrap();
    }
}

/// A folder of tokens with that of the session `s`, which holds until then.
fn signed_in(name: &str, until: &str) -> std::path::PathBuf {
    let folder = format!("waystation-{}-sso-{name}", std::process::id());
    let folder = std::env::temp_dir().join(folder);
    std::fs::create_dir_all(&folder).unwrap();
    let token = json!({"startUrl": "https://a.example", "region": "eu-west-1",
        "accessToken": "do-not-tell", "expiresAt": until});
    // What `printf s | sha1sum` prints.
    let file = "a0f1490a20d0211c997b44bc357e1972deab8ae3.json";
    std::fs::write(folder.join(file), token.to_string()).unwrap();
    folder
}

#[tokio::test]
async fn a_person_who_signed_in_lends_the_role_and_its_keys_are_asked_for_again_before_they_end() {
    let text = "[profile sso]\nsso_session = s\nsso_account_id = 123456789012\n\
        sso_role_name = reader+writer\n[sso-session s]\nsso_region = eu-west-1\n\
        sso_start_url = https://a.example\n";
    let config = std::env::temp_dir().join(format!("waystation-{}-sso-config", std::process::id()));
    std::fs::write(&config, text).unwrap();
    let identity = |until: &str| {
        let profile = Profile {
            tokens: signed_in("lends", until),
            ..Profile::new("sso", "/nowhere", config.clone())
        };
        Identity::Aws(Aws::Profile(Box::new(profile)))
    };
    // The clock of these tests says 2026-09-21T14:13:20Z.
    let keys = |key: &str| {
        let keys = json!({"roleCredentials": {"accessKeyId": "ASIA1", "secretAccessKey": key,
            "sessionToken": "tok==", "expiration": 1_790_003_600_000_u64}});
        Reply::json(200, keys.to_string())
    };
    let service = ReplayTransport::queue([keys("sk/1")]);
    let (secret, asked) = minted(identity("2026-09-21T20:00:00Z"), service).await;
    assert_eq!(secret.unwrap(), "ASIA1:sk/1:tok==");
    assert_eq!(
        asked[0].url,
        "https://portal.sso.eu-west-1.amazonaws.com/federation/credentials\
         ?role_name=reader%2Bwriter&account_id=123456789012"
    );
    let token = &asked[0].headers["x-amz-sso_bearer_token"];
    assert!(token == "do-not-tell" && token.is_sensitive());

    // The keys hold for an hour, and are replaced five minutes before it is over, by nobody's request.
    let service = Arc::new(ReplayTransport::queue([keys("one"), keys("two")]));
    let source = Source::Minted(identity("2026-09-21T20:00:00Z"));
    let key = ProviderKey::new("profile".parse().unwrap(), source);
    let clock = Arc::new(Hand::default());
    let keyring = Keyring::from([(openai(), vec![key])]);
    let shelf = StaticCredentials::new(keyring, clock.clone(), service.clone());
    let lent = async || {
        let lease = shelf.lease(&openai(), &[]).await.unwrap();
        lease.secret.unwrap().expose().to_owned()
    };
    assert_eq!(lent().await, "ASIA1:one:tok==");
    clock.set(3_290);
    shelf.renew().await;
    assert_eq!(service.calls(), 1);
    clock.set(3_301);
    shelf.renew().await;
    assert_eq!(
        (service.calls(), lent().await),
        (2, "ASIA1:two:tok==".into())
    );

    // What is over, refused or not there says what to do, and never the token.
    let refused = json!({"message": "Session token not found or invalid do-not-tell"});
    let queue = || ReplayTransport::queue([Reply::json(401, refused.to_string())]);
    for (until, expected) in [
        ("2026-09-21T14:00:00UTC", "found one that has run out"),
        ("2026-09-21T20:00:00UTC", "answered 401"),
    ] {
        let (secret, _) = minted(identity(until), queue()).await;
        let told = secret.unwrap_err();
        assert!(told.contains(expected), "{told}");
        assert!(told.contains("aws sso login --profile sso"), "{told}");
        assert!(!told.contains("do-not-tell"), "{told}");
    }
    let folder = signed_in("lends", "");
    std::fs::remove_dir_all(folder).unwrap();
    let gone = Box::new(Profile::new("sso", "/nowhere", config.clone()));
    let gone = Identity::Aws(Aws::Profile(gone));
    let (secret, _) = minted(gone, queue()).await;
    assert!(secret.unwrap_err().contains("found none; sign in"));
    std::fs::remove_file(config).unwrap();
}
