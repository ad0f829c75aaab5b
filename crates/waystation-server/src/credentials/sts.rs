//! A role of AWS, assumed with the token of another identity provider, as Kubernetes gives its pods one
//! in a file. The call is not signed: the token says who asks.
//!
//! Source: <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>,
//! read 2026-08.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::{
    aws::{joined, lifetime},
    call::{Minted, World},
};

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
        let answer = world.form(&self.service, &fields).await?;
        let answer = String::from_utf8_lossy(&answer);
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
}

/// What stands in the first element of this name. Keys need no entities.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (inside, _) = rest.split_once(&format!("</{name}>"))?;
    Some(inside.trim())
}
