//! Roles of AWS. One is assumed with keys, by a signed call, or with the token of another identity
//! provider, as Kubernetes gives its pods one in a file; that call is not signed: the token says who asks.
//!
//! Source: <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>
//! and `API_AssumeRole.html` beside it, read 2026-08.

use std::{path::PathBuf, sync::Arc, time::Duration};

use waystation_core::Secret;
use waystation_providers::sigv4::{self, Scope};

use super::{
    aws::{joined, lifetime},
    call::{Minted, World, form},
};

/// The region whose service is asked where none is named: the oldest, which knows every account.
const REGION: &str = "us-east-1";
/// What a session is called in AWS's records where nobody names it.
pub(super) const SESSION: &str = "waystation";

/// The role, and whose token it is assumed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebIdentity {
    /// The service that gives keys for the token.
    pub service: Arc<str>,
    /// `arn:aws:iam::…:role/…`.
    pub role: Arc<str>,
    /// What the session is called in AWS's records.
    pub session: Arc<str>,
    /// The file that holds the token; others replace what is in it.
    pub token_file: PathBuf,
}

/// A role that keys may assume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// `arn:aws:iam::…:role/…`.
    pub arn: String,
    /// What the session is called in AWS's records.
    pub session: String,
    /// What the role's owner wants to hear, where it does.
    pub external_id: Option<String>,
    /// How long the keys are to hold, in seconds; the role's own hour where nothing is said.
    pub seconds: Option<String>,
}

/// The service that gives keys, and the region that calls to it are signed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its address.
    pub address: String,
    /// Its region.
    pub region: String,
}

// === impl Service ===

impl Service {
    /// The service at `address`, else that of `region`.
    #[must_use]
    pub fn of(address: Option<&str>, region: Option<&str>) -> Self {
        let region = region.unwrap_or(REGION);
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        let usual = || format!("https://sts.{region}.amazonaws.com{suffix}");
        let address = address.map_or_else(usual, Into::into);
        Self {
            address: format!("{}/", address.trim_end_matches('/')),
            region: region.into(),
        }
    }
}

// === impl Role ===

impl Role {
    /// Asks for the role's keys, by a call that is signed with `keys`.
    pub(super) async fn assume(
        &self,
        keys: &Secret,
        service: &Service,
        world: World<'_>,
    ) -> Result<Minted, String> {
        let mut fields = vec![
            ("Action", "AssumeRole"),
            ("Version", "2011-06-15"),
            ("RoleArn", &self.arn),
            ("RoleSessionName", &self.session),
        ];
        let more = [
            ("ExternalId", &self.external_id),
            ("DurationSeconds", &self.seconds),
        ];
        for (name, value) in more {
            fields.extend(value.as_deref().map(|value| (name, value)));
        }
        let scope = Scope {
            region: &service.region,
            service: "sts",
            now: world.clock.now().unix,
        };
        let request = form(&service.address, &fields)?;
        let request = sigv4::sign(request, keys, scope).map_err(|error| error.to_string())?;
        given(&world.bytes(request).await?, world)
    }
}

// === impl WebIdentity ===

impl WebIdentity {
    /// Asks for keys.
    pub(super) async fn mint(&self, world: World<'_>) -> Result<Minted, String> {
        let token = tokio::fs::read_to_string(&self.token_file).await;
        let token = token.map_err(|error| {
            let path = self.token_file.display();
            format!("expected a readable file, found {path}: {error}")
        })?;
        let fields = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", &self.role),
            ("RoleSessionName", &self.session),
            ("WebIdentityToken", token.trim()),
        ];
        given(&world.form(&self.service, &fields).await?, world)
    }
}

/// The keys that the service gives.
fn given(answer: &[u8], world: World<'_>) -> Result<Minted, String> {
    let answer = String::from_utf8_lossy(answer);
    let keys = element(&answer, "Credentials").unwrap_or_default();
    let secret = joined(
        element(keys, "AccessKeyId"),
        element(keys, "SecretAccessKey"),
        element(keys, "SessionToken"),
    );
    let lasts: Duration = lifetime(element(keys, "Expiration"), world);
    Ok(Minted {
        secret: secret.ok_or("expected keys in the answer, found none")?,
        lifetime: lasts,
    })
}

/// What stands in the first element of this name. Keys need no entities.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (inside, _) = rest.split_once(&format!("</{name}>"))?;
    Some(inside.trim())
}
