//! A profile of AWS's shared files, and what it says of how its keys are had: as they stand there, from a
//! program, by the token of a person who signed in, or as those of a role that the keys of another profile,
//! of the environment, of the container or of the instance, or a token in a file, may assume. Signs in
//! nobody: a profile that needs a browser first says so.
//!
//! Source: <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html> and the
//! pages behind it (assume role, process, IAM Identity Center), read 2026-08 and 2026-11.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use tokio::{process::Command, time::timeout};
use waystation_core::Secret;

use super::{
    aws::{Answer, Container, Instance, LOOK_AGAIN, joined},
    call::{Minted, World, address_fault},
    sso::{self, Sso},
    sts::{Role, SESSION, Service, WebIdentity},
};

/// How many roles may stand one behind the other.
const MOST_ROLES: usize = 4;
/// The longest that a program may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest answer of a program.
const MOST_BYTES: usize = 64 << 10;

/// A profile of the shared files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: Arc<str>,
    /// `~/.aws/credentials`.
    pub credentials: PathBuf,
    /// `~/.aws/config`.
    pub config: PathBuf,
    /// The service that gives keys for roles, where it is not its region's.
    pub service: Option<Arc<str>>,
    /// The region where the profile has none.
    pub region: Option<Arc<str>>,
    /// Where the tokens of people who signed in are kept: `~/.aws/sso/cache`.
    pub tokens: PathBuf,
    /// The service that gives keys for those, where it is not its region's.
    pub portal: Option<Arc<str>>,
    /// What `credential_source` may mean here.
    pub near: Near,
}

/// The keys that are near: what `credential_source` may name, as far as the environment says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Near {
    /// `Environment`.
    pub environment: Option<Secret>,
    /// `EcsContainer`.
    pub container: Option<Container>,
    /// `Ec2InstanceMetadata`.
    pub instance: Option<Instance>,
}

/// What the files say of a profile.
#[derive(Debug)]
pub struct Found {
    /// How its keys are had.
    pub way: Result<Way, Lack>,
    /// Its region.
    pub region: Option<String>,
}

/// How keys are had: from where, and by which roles in turn.
#[derive(Debug, PartialEq, Eq)]
pub struct Way {
    first: Means,
    /// The first is assumed with the keys of `first`, the next with its keys.
    roles: Vec<Role>,
    service: Service,
}

#[derive(Debug, PartialEq, Eq)]
enum Means {
    /// Keys as they stand in the files.
    Keys(Secret),
    /// The program that prints them.
    Program(String),
    /// A role, by the token in a file.
    Token(WebIdentity),
    /// A role, by the token of a person who signed in.
    Person(Sso),
    /// The keys of the environment.
    Environment(Secret),
    /// The container's.
    Container(Container),
    /// The instance's.
    Instance(Instance),
}

/// Why a profile gives no keys.
#[derive(Debug, PartialEq, Eq)]
pub enum Lack {
    /// The profile of this name says nothing of keys.
    Nothing(String),
    /// Its keys are to be had in a way that is not built.
    Unbuilt(String, &'static str),
    /// It is wrong otherwise.
    Wrong(String),
}

/// Settings by which a profile says that its keys are to be had in a way that is not built.
const UNBUILT: [&str; 1] = ["login_session"];

/// What the two files say, one section after the other.
struct Files<'a> {
    credentials: &'a str,
    config: &'a str,
}

/// What they say of one profile.
struct Section<'a> {
    own: BTreeMap<&'a str, &'a str>,
    shared: BTreeMap<&'a str, &'a str>,
}

// === impl Files ===

impl<'a> Files<'a> {
    /// What `section`, and the session that it names, say of signing in; nothing where they do not.
    fn sign_in<'s>(&self, section: &'s Section<'a>) -> Option<sso::Settings<'s>>
    where
        'a: 's,
    {
        let session = section.setting("sso_session");
        if session.is_none() && section.setting("sso_start_url").is_none() {
            return None;
        }
        let shared = session.map(|name| self::section(self.config, &format!("sso-session {name}")));
        let either = |name: &str| {
            let of_session = shared.as_ref().and_then(|shared| shared.get(name));
            of_session.copied().or_else(|| section.setting(name))
        };
        Some(sso::Settings {
            session,
            start_url: either("sso_start_url"),
            region: either("sso_region"),
            account: section.setting("sso_account_id"),
            role: section.setting("sso_role_name"),
        })
    }

    fn section(&self, name: &str) -> Section<'a> {
        let named = if name == "default" {
            "default".to_owned()
        } else {
            format!("profile {name}")
        };
        Section {
            own: section(self.credentials, name),
            shared: section(self.config, &named),
        }
    }
}

// === impl Section ===

impl Section<'_> {
    fn setting(&self, name: &str) -> Option<&str> {
        let found = self.shared.get(name).or_else(|| self.own.get(name));
        found.copied().filter(|value| !value.is_empty())
    }

    /// Its keys; those of the credentials file win.
    fn keys(&self) -> Option<Secret> {
        [&self.own, &self.shared].into_iter().find_map(|from| {
            joined(
                from.get("aws_access_key_id").copied(),
                from.get("aws_secret_access_key").copied(),
                from.get("aws_session_token").copied(),
            )
        })
    }

    fn role(&self, arn: &str) -> Role {
        let text = |name: &str| self.setting(name).map(Into::into);
        Role {
            arn: arn.into(),
            session: text("role_session_name").unwrap_or_else(|| SESSION.into()),
            external_id: text("external_id"),
            seconds: text("duration_seconds"),
        }
    }
}

// === impl Near ===

impl Near {
    /// What `source` means, and else what is wrong with it.
    fn means(&self, source: &str) -> Result<Means, String> {
        let unset = |variables: &str| format!("expected {variables} to be set, found it unset");
        match source {
            "Environment" => self
                .environment
                .clone()
                .map(Means::Environment)
                .ok_or_else(|| unset("AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY")),
            "EcsContainer" => self.container.clone().map(Means::Container).ok_or_else(|| {
                unset(
                    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI",
                )
            }),
            "Ec2InstanceMetadata" => self.instance.clone().map(Means::Instance).ok_or_else(|| {
                "expected the instance's metadata service, found AWS_EC2_METADATA_DISABLED=true"
                    .into()
            }),
            _ => Err("expected Environment, EcsContainer or Ec2InstanceMetadata".into()),
        }
    }
}

// === impl Way ===

impl Way {
    /// Whether the keys of the environment are only there to assume a role.
    #[must_use]
    pub const fn starts_in_the_environment(&self) -> bool {
        matches!(self.first, Means::Environment(_))
    }
}

// === impl Profile ===

impl Profile {
    /// The profile `name` of these two files, where nothing else is known.
    #[must_use]
    pub fn new(name: &str, credentials: impl Into<PathBuf>, config: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            credentials: credentials.into(),
            config: config.into(),
            service: None,
            region: None,
            tokens: PathBuf::new(),
            portal: None,
            near: Near::default(),
        }
    }

    /// What the texts of the two files say of this profile.
    #[must_use]
    pub fn found(&self, credentials: &str, config: &str) -> Found {
        let files = Files {
            credentials,
            config,
        };
        let region = files.section(&self.name).setting("region").map(Into::into);
        Found {
            way: self.way(&files, region.as_deref()),
            region,
        }
    }

    /// From profile to profile until there are keys.
    fn way(&self, files: &Files<'_>, region: Option<&str>) -> Result<Way, Lack> {
        let service = Service::of(self.service.as_deref(), region.or(self.region.as_deref()));
        let mut roles = Vec::new();
        let mut name = self.name.to_string();
        let first = loop {
            let section = files.section(&name);
            let Some(arn) = section.setting("role_arn") else {
                break self.plain(files, &section, name)?;
            };
            let token = section.setting("web_identity_token_file");
            let source = section.setting("source_profile");
            if let (None, Some(token)) = (source, token) {
                let role = section.role(arn);
                break Means::Token(WebIdentity {
                    service: service.address.clone().into(),
                    role: role.arn.into(),
                    session: role.session.into(),
                    token_file: token.into(),
                });
            }
            if source.is_some() || section.setting("credential_source").is_some() {
                roles.push(section.role(arn));
            }
            if roles.len() > MOST_ROLES {
                let told = format!(
                    "expected at most {MOST_ROLES} roles one behind the other, found more, or a \
                     circle of source_profile, at the profile {name:?}"
                );
                return Err(Lack::Wrong(told));
            }
            match source {
                // It names itself where its own keys assume the role.
                Some(source) if source == name => {
                    break section.keys().map(Means::Keys).ok_or(Lack::Nothing(name))?;
                }
                Some(source) => name = source.into(),
                None => break self.plain(files, &section, name)?,
            }
        };
        let fault = |address: &str| {
            let fault = address_fault(address)?;
            Some(Lack::Wrong(format!("the service {address}: {fault}")))
        };
        let portal = match &first {
            Means::Person(person) => fault(person.service()),
            _ => None,
        };
        let assumes = (!roles.is_empty()).then(|| fault(&service.address));
        if let Some(fault) = portal.or(assumes.flatten()) {
            return Err(fault);
        }
        roles.reverse();
        Ok(Way {
            first,
            roles,
            service,
        })
    }

    /// What a profile has whose keys are not another profile's.
    fn plain(&self, files: &Files<'_>, section: &Section<'_>, name: String) -> Result<Means, Lack> {
        if let Some(source) = section.setting("credential_source") {
            return self.near.means(source).map_err(|told| {
                Lack::Wrong(format!(
                    "{told}, for credential_source = {source} of the profile {name:?}"
                ))
            });
        }
        if let Some(keys) = section.keys() {
            return Ok(Means::Keys(keys));
        }
        if let Some(session) = files.sign_in(section) {
            let person = Sso::of(&name, session, &self.tokens, self.portal.as_deref());
            return person.map(Means::Person).map_err(Lack::Wrong);
        }
        if let Some(program) = section.setting("credential_process") {
            return Ok(Means::Program(program.into()));
        }
        let unbuilt = UNBUILT
            .into_iter()
            .find(|setting| section.setting(setting).is_some());
        match unbuilt {
            Some(unbuilt) => Err(Lack::Unbuilt(name, unbuilt)),
            None if section.setting("role_arn").is_some() => {
                let alone = "role_arn without source_profile or credential_source";
                Err(Lack::Unbuilt(name, alone))
            }
            None => Err(Lack::Nothing(name)),
        }
    }

    /// Reads the files; one that is not there says nothing.
    #[must_use]
    pub fn read(&self) -> Found {
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        self.found(&read(&self.credentials), &read(&self.config))
    }

    /// Reads the files anew, since other tools replace what is in them, and asks for keys.
    pub(super) async fn mint(&self, world: World<'_>) -> Result<Minted, String> {
        let read = |path: PathBuf| async move {
            // A file that is not there says nothing; the other one may.
            tokio::fs::read_to_string(path).await.unwrap_or_default()
        };
        let credentials = read(self.credentials.clone()).await;
        let config = read(self.config.clone()).await;
        let way = self.found(&credentials, &config).way;
        let way = way.map_err(|lack| self.lacks(&lack))?;
        let mut minted = match way.first {
            Means::Keys(secret) => Minted {
                secret,
                lifetime: LOOK_AGAIN,
            },
            Means::Program(command) => program(&command, world).await?,
            Means::Token(role) => role.mint(world).await?,
            Means::Person(person) => person.mint(world).await?,
            Means::Environment(secret) => Minted {
                secret,
                lifetime: LOOK_AGAIN,
            },
            Means::Container(container) => container.mint(world).await?,
            Means::Instance(instance) => instance.mint(world).await?,
        };
        for role in &way.roles {
            minted = role.assume(&minted.secret, &way.service, world).await?;
        }
        Ok(minted)
    }

    /// Why there are no keys, and what would help.
    #[must_use]
    pub fn lacks(&self, lack: &Lack) -> String {
        let path = self.credentials.display();
        match lack {
            Lack::Unbuilt(name, instead) => format!(
                "expected aws_access_key_id and aws_secret_access_key, role_arn with source_profile, \
                 sso_session, or credential_process in the profile {name:?}, found {instead}, which is not supported; \
                 write short-lived keys into {path}, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            ),
            Lack::Nothing(name) => format!(
                "expected aws_access_key_id and aws_secret_access_key, role_arn with source_profile, \
                 sso_session, or credential_process in the profile {name:?} of {path} or {}, found none",
                self.config.display()
            ),
            Lack::Wrong(told) => told.clone(),
        }
    }
}

/// Runs a program that prints keys. What it printed is never told: it may be a secret.
async fn program(command: &str, world: World<'_>) -> Result<Minted, String> {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command);
    shell
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let ended = timeout(PATIENCE, shell.output()).await.map_err(|_| {
        let most = PATIENCE.as_secs();
        format!("credential_process: expected an end within {most} s, found it still running")
    })?;
    let ended = ended.map_err(|error| format!("credential_process did not start: {error}"))?;
    if !ended.status.success() {
        return Err(format!("credential_process failed: {}", ended.status));
    }
    if ended.stdout.len() > MOST_BYTES {
        return Err(format!(
            "credential_process printed more than {MOST_BYTES} bytes"
        ));
    }
    let answer = serde_json::from_slice::<Answer>(&ended.stdout).map_err(|error| {
        let at = error.column();
        format!(
            "credential_process: expected JSON with AccessKeyId and SecretAccessKey, found another \
             form at byte {at}"
        )
    })?;
    answer.minted(world)
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

#[cfg(test)]
mod tests;
