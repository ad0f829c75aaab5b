//! AWS's identities beyond keys in the environment: a profile of the shared files (`profile`), a role by a
//! token in a file (`sts`), a container's, an instance's.
//!
//! Source: <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html> and the
//! pages behind it, read 2026-08.

use std::{path::PathBuf, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, Method};
use serde::Deserialize;
use waystation_core::{Secret, UnixMs};

use super::{
    call::{Minted, World, request, secret_header},
    profile::Profile,
    sts::WebIdentity,
};

/// How long keys are taken for good that do not say so: other tools rotate them in the files.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(300);
/// How long a session of the instance's metadata service lasts.
const SESSION_S: &str = "300";

/// Who the keys belong to.
#[derive(Clone, Debug)]
pub enum Aws {
    /// A profile of the shared files.
    Profile(Box<Profile>),
    /// A role, by the token of another identity provider.
    Role(WebIdentity),
    /// A container.
    Container(Container),
    /// An instance.
    Instance(Instance),
}

/// The service that gives a container its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its address.
    pub url: Arc<str>,
    /// What it wants as `Authorization`.
    pub token: Option<Secret>,
    /// The file that holds it; others replace what is in it.
    pub token_file: Option<PathBuf>,
}

/// The metadata service of an instance, by its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance(pub Arc<str>);

/// What containers, instances and programs answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Answer {
    access_key_id: String,
    secret_access_key: String,
    #[serde(alias = "SessionToken")]
    token: Option<String>,
    expiration: Option<String>,
}

// === impl Aws ===

impl Aws {
    /// Asks for keys.
    pub(super) async fn mint(&self, world: World<'_>) -> Result<Minted, String> {
        match self {
            Self::Profile(profile) => profile.mint(world).await,
            Self::Role(role) => role.mint(world).await,
            Self::Container(container) => container.mint(world).await,
            Self::Instance(instance) => instance.mint(world).await,
        }
    }
}

// === impl Container ===

impl Container {
    /// Asks for keys.
    pub(super) async fn mint(&self, world: World<'_>) -> Result<Minted, String> {
        let mut request = request(Method::GET, &self.url)?;
        if let Some(path) = &self.token_file {
            let token = tokio::fs::read_to_string(path).await.map_err(|error| {
                let path = path.display();
                format!("expected a readable file, found {path}: {error}")
            })?;
            request = secret_header(request, "authorization", token.trim())?;
        } else if let Some(token) = &self.token {
            request = secret_header(request, "authorization", token.expose())?;
        }
        world.json::<Answer>(request).await?.minted(world)
    }
}

// === impl Instance ===

impl Instance {
    /// Asks for keys.
    pub(super) async fn mint(&self, world: World<'_>) -> Result<Minted, String> {
        Self::of_role(&self.0, world).await.map_err(|reason| {
            format!("{reason}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
        })
    }

    /// The keys of the instance's role, in a session of the second version of its service.
    async fn of_role(base: &str, world: World<'_>) -> Result<Minted, String> {
        let mut open = request(Method::PUT, &format!("{base}/latest/api/token"))?;
        let lasts = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
        open.headers
            .insert(lasts, HeaderValue::from_static(SESSION_S));
        let session = world.bytes(open).await?;
        let session = String::from_utf8_lossy(&session).trim().to_owned();
        let get = |path: &str| {
            let request = request(Method::GET, &format!("{base}/latest/meta-data/iam/{path}"))?;
            secret_header(request, "x-aws-ec2-metadata-token", &session)
        };
        let roles = world.bytes(get("security-credentials/")?).await?;
        let roles = String::from_utf8_lossy(&roles);
        let role = roles.lines().next().unwrap_or_default().trim();
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
        if role.is_empty() || !role.bytes().all(legal) {
            return Err("expected an instance with a role, found none".into());
        }
        let keys = get(&format!("security-credentials/{role}"))?;
        world.json::<Answer>(keys).await?.minted(world)
    }
}

// === impl Answer ===

impl Answer {
    pub(super) fn minted(self, world: World<'_>) -> Result<Minted, String> {
        let secret = joined(
            Some(&self.access_key_id),
            Some(&self.secret_access_key),
            self.token.as_deref(),
        );
        Ok(Minted {
            secret: secret.ok_or("expected keys, found an empty text")?,
            lifetime: lifetime(self.expiration.as_deref(), world),
        })
    }
}

/// How long keys are good that say until when.
pub(super) fn lifetime(until: Option<&str>, world: World<'_>) -> Duration {
    let now = world.clock.now().unix.get();
    let until = until.and_then(UnixMs::from_rfc3339);
    until.map_or(LOOK_AGAIN, |until| {
        Duration::from_millis(until.get().saturating_sub(now))
    })
}

/// Keys as the codec takes them.
#[must_use]
pub fn joined(id: Option<&str>, key: Option<&str>, token: Option<&str>) -> Option<Secret> {
    let said = |text: &&str| !text.is_empty();
    let (id, key) = (id.filter(said)?, key.filter(said)?);
    let token = token.filter(said);
    let token = token.map_or_else(String::new, |token| format!(":{token}"));
    Some(Secret::new(&format!("{id}:{key}{token}")))
}
