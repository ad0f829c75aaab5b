//! AWS's identities beyond keys in the environment: a profile's keys in the shared files, a role by a
//! token in a file (`sts`), a container's, an instance's. Starts no program, signs nothing: signing is
//! the codec's, and a role that wants a signed call is not assumed.
//!
//! Source: <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html> and the
//! pages behind it, read 2026-08.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use http::{HeaderName, HeaderValue, Method};
use serde::Deserialize;
use waystation_core::Secret;

use super::{
    call::{Minted, World, request, secret_header},
    sts::WebIdentity,
};

/// How long keys are taken for good that do not say so: other tools rotate them in the files.
const LOOK_AGAIN: Duration = Duration::from_secs(300);
/// How long a session of the instance's metadata service lasts.
const SESSION_S: &str = "300";

/// Who the keys belong to.
#[derive(Clone, Debug)]
pub enum Aws {
    /// A profile of the shared files.
    Profile(Profile),
    /// A role, by the token of another identity provider.
    Role(WebIdentity),
    /// A container, by the service at this address.
    Container {
        /// The address.
        url: Arc<str>,
        /// What it wants as `Authorization`.
        token: Option<Secret>,
        /// The file that holds it; others replace what is in it.
        token_file: Option<PathBuf>,
    },
    /// An instance, by the metadata service at this address.
    Instance(Arc<str>),
}

/// A profile of the shared files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: Arc<str>,
    /// `~/.aws/credentials`.
    pub credentials: PathBuf,
    /// `~/.aws/config`.
    pub config: PathBuf,
}

/// What containers and instances answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    expiration: Option<String>,
}

/// What the files say of a profile.
#[derive(Debug, Default)]
pub struct Found {
    /// Its keys, as `id:key` or `id:key:token`.
    pub secret: Option<Secret>,
    /// Its region.
    pub region: Option<String>,
    /// What it has in place of keys.
    pub instead: Option<&'static str>,
}

/// Settings by which a profile says that its keys are to be had in a way that is not built.
const INSTEAD: &[&str] = &[
    "role_arn",
    "sso_session",
    "sso_start_url",
    "credential_process",
    "web_identity_token_file",
    "login_session",
];

// === impl Aws ===

impl Aws {
    /// Asks for keys.
    pub(super) async fn mint(&self, world: World<'_>) -> Result<Minted, String> {
        match self {
            Self::Profile(profile) => {
                let read = |path: PathBuf| async move {
                    // A file that is not there says nothing; the other one may.
                    tokio::fs::read_to_string(path).await.unwrap_or_default()
                };
                let credentials = read(profile.credentials.clone()).await;
                let config = read(profile.config.clone()).await;
                let found = profile.found(&credentials, &config);
                Ok(Minted {
                    secret: found.secret.ok_or_else(|| profile.lacks(found.instead))?,
                    lifetime: LOOK_AGAIN,
                })
            }
            Self::Role(role) => role.mint(world).await,
            Self::Container {
                url,
                token,
                token_file,
            } => {
                let mut request = request(Method::GET, url)?;
                if let Some(path) = token_file {
                    let token = tokio::fs::read_to_string(path).await.map_err(|error| {
                        format!(
                            "expected a readable file, found {}: {error}",
                            path.display()
                        )
                    })?;
                    request = secret_header(request, "authorization", token.trim())?;
                } else if let Some(token) = token {
                    request = secret_header(request, "authorization", token.expose())?;
                }
                world.json::<Answer>(request).await?.minted(world)
            }
            Self::Instance(base) => Self::of_instance(base, world).await.map_err(|reason| {
                format!("{reason}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
            }),
        }
    }

    /// The keys of the instance's role, in a session of the second version of its service.
    async fn of_instance(base: &str, world: World<'_>) -> Result<Minted, String> {
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
    fn minted(self, world: World<'_>) -> Result<Minted, String> {
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

// === impl Profile ===

impl Profile {
    /// What the two files say of this profile. Keys of the credentials file win.
    #[must_use]
    pub fn found(&self, credentials: &str, config: &str) -> Found {
        let own = section(credentials, &self.name);
        let named = if &*self.name == "default" {
            "default".to_owned()
        } else {
            format!("profile {}", self.name)
        };
        let shared = section(config, &named);
        let keys = |from: &BTreeMap<&str, &str>| {
            joined(
                from.get("aws_access_key_id").copied(),
                from.get("aws_secret_access_key").copied(),
                from.get("aws_session_token").copied(),
            )
        };
        let setting = |name: &str| shared.get(name).or_else(|| own.get(name)).copied();
        Found {
            secret: keys(&own).or_else(|| keys(&shared)),
            region: setting("region").map(Into::into),
            instead: INSTEAD.iter().find(|name| setting(name).is_some()).copied(),
        }
    }

    /// Reads the files; one that is not there says nothing.
    #[must_use]
    pub fn read(&self) -> Found {
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        self.found(&read(&self.credentials), &read(&self.config))
    }

    /// Why there are no keys, and what would help.
    #[must_use]
    pub fn lacks(&self, instead: Option<&str>) -> String {
        let (name, path) = (&self.name, self.credentials.display());
        match instead {
            Some(instead) => format!(
                "expected aws_access_key_id and aws_secret_access_key in the profile {name:?}, found \
                 {instead}, which is not supported; write short-lived keys into {path}, or set \
                 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            ),
            None => format!(
                "expected aws_access_key_id and aws_secret_access_key in the profile {name:?} of \
                 {path}, found none"
            ),
        }
    }
}

/// How long keys are good that say until when.
pub(super) fn lifetime(until: Option<&str>, world: World<'_>) -> Duration {
    let now = world.clock.now().unix.seconds();
    until.and_then(seconds).map_or(LOOK_AGAIN, |until| {
        Duration::from_secs(until.saturating_sub(now))
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

/// The settings of one section of a shared file. Lines that are indented belong to a setting above
/// them, and are passed over.
fn section<'a>(text: &'a str, name: &str) -> BTreeMap<&'a str, &'a str> {
    let mut found = BTreeMap::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with([' ', '\t', '#', ';']) {
            continue;
        }
        if let Some(head) = line.trim().strip_prefix('[') {
            let head = head.split(']').next().unwrap_or_default();
            inside = head.split_whitespace().eq(name.split_whitespace());
        } else if let (true, Some((key, value))) = (inside, line.split_once('=')) {
            found.insert(key.trim(), value.trim());
        }
    }
    found
}

/// Seconds since 1970 of a time as `2026-11-24T06:30:00Z`; fractions are cut off.
fn seconds(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let time = time.split('.').next()?;
    let mut time = time.splitn(3, ':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    if !(1970..10_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years begin in March here, so that leap days stand at their end.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(name: &str) -> Profile {
        Profile {
            name: name.into(),
            credentials: "/c".into(),
            config: "/d".into(),
        }
    }

    const CREDENTIALS: &str = "# mine\n[default]\naws_access_key_id = AK1\n\
        aws_secret_access_key=SK1\n\n[ work ]\naws_access_key_id=AK2\naws_secret_access_key=SK2=\n\
        aws_session_token = T2==\n";
    const CONFIG: &str = "[default]\nregion = eu-west-1\ns3 =\n  region = no\n\
        [profile work]\nregion=us-west-2\n[profile role]\nrole_arn = arn:aws:iam::1:role/x\n\
        [profile here]\naws_access_key_id=AK3\naws_secret_access_key=SK3\n";

    #[test]
    fn profiles_are_found_in_both_files() {
        let of = |name: &str| {
            let found = profile(name).found(CREDENTIALS, CONFIG);
            let secret = found.secret.map(|secret| secret.expose().to_owned());
            (secret, found.region, found.instead)
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(of("default"), (text("AK1:SK1"), text("eu-west-1"), None));
        assert_eq!(of("work"), (text("AK2:SK2=:T2=="), text("us-west-2"), None));
        assert_eq!(of("here").0, text("AK3:SK3"));
        assert_eq!(of("role"), (None, None, Some("role_arn")));
        assert_eq!(of("nobody"), (None, None, None));
    }

    #[test]
    fn a_profile_without_keys_says_what_it_has_instead() {
        let lacks = profile("role").lacks(Some("role_arn"));
        assert!(
            lacks.contains("role_arn, which is not supported"),
            "{lacks}"
        );
    }

    #[test]
    fn times_are_read_as_seconds() {
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("2026-08-22T09:30:00Z"), Some(1_787_391_000));
        assert_eq!(seconds("2024-02-29T23:59:59.123Z"), Some(1_709_251_199));
        for wrong in ["", "2026-08-22", "2026-13-01T00:00:00Z", "x-y-zT1:2:3Z"] {
            assert_eq!(seconds(wrong), None);
        }
    }
}
