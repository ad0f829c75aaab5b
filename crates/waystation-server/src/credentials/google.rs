//! Google's identities: a service account's key, a user's refresh token, the machine's own. Which of
//! them there is, is found in `config`.
//!
//! Sources: <https://google.aip.dev/auth/4112> (service accounts), `/4113` (users), `/4115` (the
//! metadata service), read 2026-08.

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderName, HeaderValue, Method};
use ring::{rand::SystemRandom, rsa::KeyPair, signature::RSA_PKCS1_SHA256};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use serde::Deserialize;
use waystation_core::Secret;

use super::call::{Minted, World, address_fault, request};

/// Where tokens come from, when a file does not say.
const TOKENS: &str = "https://oauth2.googleapis.com/token";
/// What tokens are for.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// How long an assertion holds, in seconds: the most that is allowed.
const ASSERTION: u64 = 3_600;

/// Who asks for a token.
#[derive(Clone, Debug)]
pub enum Google {
    /// A key of its own.
    ServiceAccount(ServiceAccount),
    /// A user who has signed in on this machine.
    User(User),
    /// The machine itself, by its metadata service at this host.
    Machine(Arc<str>),
}

/// A service account's key.
#[derive(Clone)]
pub struct ServiceAccount {
    email: Arc<str>,
    key_id: Option<Arc<str>>,
    key: Arc<KeyPair>,
    token_uri: Arc<str>,
    /// The project that it belongs to.
    pub project: Option<Arc<str>>,
}

/// A user's refresh token.
#[derive(Clone, Debug)]
pub struct User {
    client_id: Arc<str>,
    client_secret: Secret,
    refresh_token: Secret,
    token_uri: Arc<str>,
    /// The project that is charged.
    pub project: Option<Arc<str>>,
}

/// A credential file as it stands. It holds secrets and is not shown.
#[derive(Deserialize)]
struct File {
    #[serde(rename = "type", default)]
    kind: String,
    client_email: Option<String>,
    private_key: Option<String>,
    private_key_id: Option<String>,
    token_uri: Option<String>,
    project_id: Option<String>,
    quota_project_id: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    refresh_token: Option<String>,
}

/// What an assertion claims. Source: RFC 7523, section 3.
#[derive(serde::Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

// === impl Google ===

impl Google {
    /// Reads a credential file.
    ///
    /// # Errors
    /// What was expected, without a word of the file's secrets.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            format!("expected a JSON key, which breaks off or goes wrong at {line}:{column}")
        })?;
        let token_uri = file.token_uri.as_deref().unwrap_or(TOKENS);
        if let Some(fault) = address_fault(token_uri) {
            return Err(format!("token_uri: {fault}"));
        }
        match file.kind.as_str() {
            "service_account" => ServiceAccount::of(&file, token_uri).map(Self::ServiceAccount),
            "authorized_user" => User::of(&file, token_uri).map(Self::User),
            "" => Err("expected a key with a `type`, found none".into()),
            other => {
                let shown: String = other.chars().take(40).collect();
                Err(format!(
                    "expected a key of type service_account or authorized_user, found {shown:?}"
                ))
            }
        }
    }

    /// The project that the file names.
    #[must_use]
    pub fn project(&self) -> Option<&str> {
        match self {
            Self::ServiceAccount(account) => account.project.as_deref(),
            Self::User(user) => user.project.as_deref(),
            Self::Machine(_) => None,
        }
    }

    /// Asks for a token.
    pub(super) async fn mint(&self, world: World<'_>) -> Result<Minted, String> {
        match self {
            Self::ServiceAccount(account) => {
                let assertion = account.assertion(world.clock.now().unix.seconds())?;
                let fields = [
                    ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                    ("assertion", assertion.as_str()),
                ];
                let minted = world.grant(&account.token_uri, &fields).await;
                minted.map_err(|reason| format!("service account {}: {reason}", account.email))
            }
            Self::User(user) => {
                let fields = [
                    ("grant_type", "refresh_token"),
                    ("client_id", &*user.client_id),
                    ("client_secret", user.client_secret.expose()),
                    ("refresh_token", user.refresh_token.expose()),
                ];
                let minted = world.grant(&user.token_uri, &fields).await;
                minted.map_err(|reason| {
                    format!("{reason}; sign in again with gcloud auth application-default login")
                })
            }
            Self::Machine(host) => {
                let path = "computeMetadata/v1/instance/service-accounts/default/token";
                let mut request = request(Method::GET, &format!("http://{host}/{path}"))?;
                let flavor = HeaderName::from_static("metadata-flavor");
                let google = HeaderValue::from_bytes(b"Google").map_err(|_| "no header")?;
                request.headers.insert(flavor, google);
                let minted = world.granted(request).await;
                minted.map_err(|reason| {
                    format!(
                        "{reason}; set GOOGLE_APPLICATION_CREDENTIALS to the path of a JSON key"
                    )
                })
            }
        }
    }
}

// === impl ServiceAccount ===

impl ServiceAccount {
    fn of(file: &File, token_uri: &str) -> Result<Self, String> {
        let pem = wanted(file.private_key.as_deref(), "private_key")?;
        let unfit = || "private_key: expected an RSA key in PEM (BEGIN PRIVATE KEY)".to_owned();
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| unfit())?;
        let key = KeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| unfit())?;
        Ok(Self {
            email: wanted(file.client_email.as_deref(), "client_email")?.into(),
            key_id: file.private_key_id.as_deref().map(Into::into),
            key: Arc::new(key),
            token_uri: token_uri.into(),
            project: file.project_id.as_deref().map(Into::into),
        })
    }

    /// The signed word of the account that it is itself, at `now` in seconds since 1970.
    fn assertion(&self, now: u64) -> Result<String, String> {
        let unsigned = || "the assertion could not be signed".to_owned();
        let header =
            serde_json::json!({"alg": "RS256", "typ": "JWT", "kid": self.key_id.as_deref()});
        let claims = Claims {
            iss: &self.email,
            scope: SCOPE,
            aud: &self.token_uri,
            iat: now,
            exp: now + ASSERTION,
        };
        let claims = serde_json::to_string(&claims).map_err(|_| unsigned())?;
        let mut text = URL_SAFE_NO_PAD.encode(header.to_string());
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut text);
        let mut signature = vec![0; self.key.public().modulus_len()];
        let chance = SystemRandom::new();
        self.key
            .sign(&RSA_PKCS1_SHA256, &chance, text.as_bytes(), &mut signature)
            .map_err(|_| unsigned())?;
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        Ok(text)
    }
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServiceAccount").field(&self.email).finish()
    }
}

// === impl User ===

impl User {
    fn of(file: &File, token_uri: &str) -> Result<Self, String> {
        let secret = wanted(file.client_secret.as_deref(), "client_secret")?;
        let token = wanted(file.refresh_token.as_deref(), "refresh_token")?;
        Ok(Self {
            client_id: wanted(file.client_id.as_deref(), "client_id")?.into(),
            client_secret: Secret::new(secret),
            refresh_token: Secret::new(token),
            token_uri: token_uri.into(),
            project: file.quota_project_id.as_deref().map(Into::into),
        })
    }
}

/// A member that must be there.
fn wanted<'a>(text: Option<&'a str>, name: &str) -> Result<&'a str, String> {
    text.filter(|text| !text.is_empty())
        .ok_or_else(|| format!("expected a key with `{name}`, found none"))
}
