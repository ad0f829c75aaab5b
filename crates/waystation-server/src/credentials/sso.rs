//! Keys for a role by the token that `aws sso login` keeps in a file. Signs in nobody and replaces no
//! token: the program that keeps the file does both, and it is read again whenever keys are due.
//!
//! Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-sso-credentials.html> and
//! <https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html>,
//! read 2026-11; the name of the file is the one that botocore 1.44 (`SSOTokenLoader`) gives it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use http::Method;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde::Deserialize;
use waystation_core::UnixMs;

use super::{
    aws::joined,
    call::{Minted, World, encoded, request, secret_header},
};

/// A role of an account, and where the token stands that gives its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sso {
    /// The profile that says so.
    pub(super) profile: String,
    account: String,
    role: String,
    /// The service that gives keys for the token.
    service: String,
    /// The file of the token.
    token: PathBuf,
}

/// What a profile says of signing in, its session's section included.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settings<'a> {
    /// `sso_session`.
    pub(super) session: Option<&'a str>,
    /// `sso_start_url`.
    pub(super) start_url: Option<&'a str>,
    /// `sso_region`.
    pub(super) region: Option<&'a str>,
    /// `sso_account_id`.
    pub(super) account: Option<&'a str>,
    /// `sso_role_name`.
    pub(super) role: Option<&'a str>,
}

/// The file of a token.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    access_token: String,
    expires_at: String,
}

/// What the service answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    role_credentials: Given,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    /// In milliseconds since 1970.
    expiration: u64,
}

// === impl Sso ===

impl Sso {
    /// The role that `profile` means. Tokens are kept in `cache`; the service is the one at `address`,
    /// else its region's.
    ///
    /// # Errors
    /// The setting that is missing or wrong, in a sentence that names the profile.
    pub(super) fn of(
        profile: &str,
        said: Settings<'_>,
        cache: &Path,
        address: Option<&str>,
    ) -> Result<Self, String> {
        let lacks = |setting: &str| {
            let of = said.session.map_or_else(String::new, |session| {
                format!(" or in the section [sso-session {session}]")
            });
            format!("expected {setting} in the profile {profile:?}{of}, found none")
        };
        let account = said.account.ok_or_else(|| lacks("sso_account_id"))?;
        let role = said.role.ok_or_else(|| lacks("sso_role_name"))?;
        let region = said.region.ok_or_else(|| lacks("sso_region"))?;
        let key = said.session.or(said.start_url);
        let key = key.ok_or_else(|| lacks("sso_start_url"))?;
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !region.bytes().all(legal) {
            return Err(format!(
                "expected sso_region such as us-east-1 in the profile {profile:?}, found {region:?}"
            ));
        }
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        let usual = || format!("https://portal.sso.{region}.amazonaws.com{suffix}");
        Ok(Self {
            profile: profile.into(),
            account: account.into(),
            role: role.into(),
            service: address.map_or_else(usual, |at| at.trim_end_matches('/').into()),
            token: cache.join(format!("{}.json", name(key))),
        })
    }

    /// The address of the service.
    pub(super) fn service(&self) -> &str {
        &self.service
    }

    /// Asks for the role's keys.
    pub(super) async fn mint(&self, world: World<'_>) -> Result<Minted, String> {
        let now = world.clock.now().unix;
        let token = self.token(now).await?;
        let fields = [("role_name", &*self.role), ("account_id", &*self.account)];
        let url = format!(
            "{}/federation/credentials?{}",
            self.service,
            encoded(&fields)
        );
        let request = request(Method::GET, &url)?;
        let request = secret_header(request, "x-amz-sso_bearer_token", &token)?;
        let answer = world.json::<Answer>(request).await;
        let keys = answer.map_err(|told| self.again(&told))?.role_credentials;
        let secret = joined(
            Some(&keys.access_key_id),
            Some(&keys.secret_access_key),
            keys.session_token.as_deref(),
        );
        Ok(Minted {
            secret: secret.ok_or("expected keys, found an empty text")?,
            lifetime: Duration::from_millis(keys.expiration.saturating_sub(now.get())),
        })
    }

    /// The token in the file, where it still holds.
    async fn token(&self, now: UnixMs) -> Result<String, String> {
        let path = self.token.display();
        let kept = tokio::fs::read(&self.token).await;
        let kept =
            kept.map_err(|_| self.again(&format!("expected a token at {path}, found none")))?;
        let kept = serde_json::from_slice::<Kept>(&kept)
            .map_err(|_| self.again(&format!("expected accessToken and expiresAt at {path}")))?;
        // Older programs write `UTC` for `Z`.
        let until = UnixMs::from_rfc3339(&kept.expires_at.replace("UTC", "Z"));
        if until.is_some_and(|until| until <= now) {
            let told = format!("expected a token that holds at {path}, found one that has run out");
            return Err(self.again(&told));
        }
        Ok(kept.access_token)
    }

    /// What is wrong, and what helps.
    fn again(&self, told: &str) -> String {
        let profile = &self.profile;
        format!("{told}; sign in for the profile {profile:?}: aws sso login --profile {profile}")
    }
}

/// What the file of a session, or of a start address, is called.
fn name(key: &str) -> String {
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    let bytes = digest.as_ref().iter();
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: Settings<'_> = Settings {
        session: Some("my-sso"),
        start_url: Some("https://acme.awsapps.example/start"),
        region: Some("eu-west-1"),
        account: Some("123456789012"),
        role: Some("reader"),
    };

    #[test]
    fn the_file_is_called_as_the_vendors_program_calls_it() {
        // As `printf my-sso | sha1sum` prints it.
        assert_eq!(name("my-sso"), "0ad374308c5a4e22f723adf10145eafad7c4031c");
        let of = |said| Sso::of("dev", said, Path::new("/c"), None).unwrap();
        let named = of(SAID);
        assert!(named.token.ends_with(format!("{}.json", name("my-sso"))));
        assert_eq!(named.service, "https://portal.sso.eu-west-1.amazonaws.com");
        let older = of(Settings {
            session: None,
            region: Some("cn-north-1"),
            ..SAID
        });
        let file = format!("{}.json", name("https://acme.awsapps.example/start"));
        assert!(older.token.ends_with(file));
        assert_eq!(
            older.service,
            "https://portal.sso.cn-north-1.amazonaws.com.cn"
        );
    }

    #[test]
    fn what_is_missing_is_named_with_the_profile() {
        let told = |said| Sso::of("dev", said, Path::new("/c"), None).unwrap_err();
        for (said, expected) in [
            (
                Settings {
                    account: None,
                    ..SAID
                },
                "expected sso_account_id",
            ),
            (Settings { role: None, ..SAID }, "expected sso_role_name"),
            (
                Settings {
                    region: None,
                    ..SAID
                },
                "[sso-session my-sso]",
            ),
            (
                Settings {
                    session: None,
                    start_url: None,
                    ..SAID
                },
                "expected sso_start_url",
            ),
            (
                Settings {
                    region: Some("x/y"),
                    ..SAID
                },
                "found \"x/y\"",
            ),
        ] {
            let told = told(said);
            assert!(
                told.contains(expected) && told.contains("\"dev\""),
                "{told}"
            );
        }
    }
}
