//! A profile of AWS's shared files, and what it says of how its keys are had: as they stand there, from a
//! program, or as those of a role that another profile's keys, or a token in a file, may assume. Signs in
//! nobody: a profile that wants a browser is refused with a sentence that says so.
//!
//! Source: <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html> and the
//! pages behind it (assume role, process), read 2026-08.

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
    aws::{Answer, LOOK_AGAIN, joined},
    call::{Minted, World, address_fault},
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
const UNBUILT: [&str; 4] = [
    "sso_session",
    "sso_start_url",
    "login_session",
    "credential_source",
];

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

// === impl Profile ===

impl Profile {
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
            let (arn, source) = (
                section.setting("role_arn"),
                section.setting("source_profile"),
            );
            let token = section.setting("web_identity_token_file");
            match (arn, source, token) {
                (Some(arn), Some(source), _) => {
                    roles.push(section.role(arn));
                    if roles.len() > MOST_ROLES {
                        let told = format!(
                            "expected at most {MOST_ROLES} roles one behind the other, found more, or a \
                             circle of source_profile, at the profile {name:?}"
                        );
                        return Err(Lack::Wrong(told));
                    }
                    if source == name {
                        // It names itself where its own keys assume the role.
                        break section.keys().map(Means::Keys).ok_or(Lack::Nothing(name));
                    }
                    name = source.into();
                }
                (Some(arn), None, Some(token)) => {
                    let role = section.role(arn);
                    break Ok(Means::Token(WebIdentity {
                        service: service.address.clone().into(),
                        role: role.arn.into(),
                        session: role.session.into(),
                        token_file: token.into(),
                    }));
                }
                _ => break plain(&section, name),
            }
        };
        if let (true, Some(fault)) = (!roles.is_empty(), address_fault(&service.address)) {
            let told = format!("the token service {}: {fault}", service.address);
            return Err(Lack::Wrong(told));
        }
        roles.reverse();
        Ok(Way {
            first: first?,
            roles,
            service,
        })
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
                "expected aws_access_key_id and aws_secret_access_key, role_arn with source_profile, or \
                 credential_process in the profile {name:?}, found {instead}, which is not supported; \
                 write short-lived keys into {path}, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            ),
            Lack::Nothing(name) => format!(
                "expected aws_access_key_id and aws_secret_access_key, role_arn with source_profile, or \
                 credential_process in the profile {name:?} of {path} or {}, found none",
                self.config.display()
            ),
            Lack::Wrong(told) => told.clone(),
        }
    }
}

/// What a profile without a role to assume has.
fn plain(section: &Section<'_>, name: String) -> Result<Means, Lack> {
    let unbuilt = UNBUILT
        .into_iter()
        .find(|setting| section.setting(setting).is_some());
    let program = section.setting("credential_process");
    match (section.keys(), program, unbuilt) {
        (Some(keys), _, _) => Ok(Means::Keys(keys)),
        (None, Some(program), _) => Ok(Means::Program(program.into())),
        (None, None, Some(unbuilt)) => Err(Lack::Unbuilt(name, unbuilt)),
        (None, None, None) if section.setting("role_arn").is_some() => {
            Err(Lack::Unbuilt(name, "role_arn without source_profile"))
        }
        (None, None, None) => Err(Lack::Nothing(name)),
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
mod tests {
    use super::*;

    fn profile(name: &str) -> Profile {
        Profile {
            name: name.into(),
            credentials: "/c".into(),
            config: "/d".into(),
            service: None,
            region: None,
        }
    }

    const CREDENTIALS: &str = "# mine\n[default]\naws_access_key_id = AK1\n\
        aws_secret_access_key=SK1\n\n[ work ]\naws_access_key_id=AK2\naws_secret_access_key=SK2=\n\
        aws_session_token = T2==\n";
    const CONFIG: &str = "[default]\nregion = eu-west-1\ns3 =\n  region = no\n\
        [profile work]\nregion=us-west-2\n\
        [profile role]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = work\nexternal_id = e\n\
        region = cn-north-1\n\
        [profile outer]\nrole_arn = arn:aws:iam::2:role/y\nsource_profile = role\n\
        [profile round]\nrole_arn = r\nsource_profile = about\n\
        [profile about]\nrole_arn = r\nsource_profile = round\n\
        [profile dangling]\nrole_arn = r\nsource_profile = nobody\n\
        [profile lone]\nrole_arn = r\n\
        [profile own]\nrole_arn = r\nsource_profile = own\naws_access_key_id=AK4\n\
        aws_secret_access_key=SK4\n\
        [profile program]\ncredential_process = /bin/keys --for \"me too\"\n\
        [profile here]\naws_access_key_id=AK3\naws_secret_access_key=SK3\n\
        [profile sso]\nsso_session = s\n";

    fn way(name: &str) -> Result<Way, Lack> {
        profile(name).found(CREDENTIALS, CONFIG).way
    }

    #[test]
    fn profiles_are_found_in_both_files() {
        let of = |name: &str| {
            let found = profile(name).found(CREDENTIALS, CONFIG);
            let first = found.way.map(|way| way.first);
            let Ok(Means::Keys(secret)) = first else {
                panic!("{name}: {first:?}")
            };
            (secret.expose().to_owned(), found.region)
        };
        assert_eq!(of("default"), ("AK1:SK1".into(), Some("eu-west-1".into())));
        assert_eq!(of("work").0, "AK2:SK2=:T2==");
        assert_eq!(of("here"), ("AK3:SK3".into(), None));
        let program = way("program").unwrap().first;
        assert_eq!(program, Means::Program("/bin/keys --for \"me too\"".into()));
    }

    #[test]
    fn roles_are_assumed_from_the_keys_outwards() {
        let way = way("outer").unwrap();
        let arns: Vec<&str> = way.roles.iter().map(|role| role.arn.as_str()).collect();
        assert_eq!(arns, ["arn:aws:iam::1:role/x", "arn:aws:iam::2:role/y"]);
        assert_eq!(way.roles[0].external_id.as_deref(), Some("e"));
        assert_eq!(way.first, Means::Keys(Secret::new("AK2:SK2=:T2==")));
        assert_eq!(way.service.address, "https://sts.us-east-1.amazonaws.com/");
        let china = profile("role").found(CREDENTIALS, CONFIG);
        let service = china.way.unwrap().service;
        assert_eq!(service.address, "https://sts.cn-north-1.amazonaws.com.cn/");
        let own = profile("own").found(CREDENTIALS, CONFIG).way.unwrap();
        assert_eq!(own.first, Means::Keys(Secret::new("AK4:SK4")));
    }

    #[test]
    fn what_gives_no_keys_says_which_profile_and_what_would_help() {
        for (name, expected) in [
            (
                "nobody",
                "in the profile \"nobody\" of /c or /d, found none",
            ),
            ("dangling", "in the profile \"nobody\" of /c"),
            ("sso", "sso_session, which is not supported"),
            (
                "lone",
                "role_arn without source_profile, which is not supported",
            ),
            ("round", "a circle of source_profile"),
        ] {
            let told = profile(name).lacks(&way(name).unwrap_err());
            assert!(told.contains(expected), "{told}");
        }
    }
}
