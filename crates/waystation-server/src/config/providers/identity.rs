//! Cloud identities: which of them the environment and the usual files of this machine hold, for a
//! provider whose table names no key. Asks nobody for a token: that is `credentials`'s.

use std::path::{Path, PathBuf};

use waystation_core::{AuthScheme, Secret};

use crate::{
    config::{complete::Context, environment::Environment, failure::Place},
    credentials::{
        AUTHORITY, Aws, Container, Entra, Google, Identity, Instance, Lack, Near, Profile, Service,
        Source, WebIdentity, address_fault, joined,
    },
};

/// The service that knows the identity of a machine of Google's.
const GOOGLE_MACHINE: &str = "metadata.google.internal";
/// The service that knows the role of an instance of AWS.
const AWS_INSTANCE: &str = "http://169.254.169.254";
/// Where containers of AWS find theirs, when only a path is named.
const AWS_CONTAINER: &str = "http://169.254.170.2";
/// The addresses at which AWS serves containers without TLS.
const AWS_LOCAL: &[&str] = &[
    "http://169.254.170.2/",
    "http://169.254.170.23/",
    "http://[fd00:ec2::23]/",
    "http://127.0.0.1:",
    "http://localhost:",
    "https://",
];

/// An identity that was found, and what its file says of settings.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) source: Source,
    pub(super) scheme: Option<AuthScheme>,
    pub(super) region: Option<String>,
    pub(super) project: Option<String>,
}

/// Something is wrong, and has been noted.
#[derive(Debug)]
pub(super) struct Noted;

// === impl Found ===

impl Found {
    pub(super) fn new(name: &str, source: Source) -> Self {
        Self {
            name: name.into(),
            source,
            scheme: None,
            region: None,
            project: None,
        }
    }

    fn google(name: &str, google: Google) -> Self {
        let project = google.project().map(Into::into);
        Self {
            project,
            ..Self::new(name, Source::Minted(Identity::Google(google)))
        }
    }

    /// It signs, whatever a wire's keys usually do.
    fn aws(name: &str, source: Source) -> Self {
        Self {
            scheme: Some(AuthScheme::Sigv4),
            ..Self::new(name, source)
        }
    }
}

/// The key that a variable holds, or the file that it names.
pub(super) fn google_key(name: &str, value: &str, cx: &mut Context<'_>) -> Result<Found, Noted> {
    let read = if value.starts_with('{') {
        Google::parse(value)
    } else {
        google_file(Path::new(value))
    };
    read.map(|google| Found::google(name, google))
        .map_err(|message| {
            cx.wrong_at(Place::variable(name), &message);
            Noted
        })
}

/// The application default credentials that no variable names: the user's own, else the machine's.
pub(super) fn google_default(path: &str, cx: &mut Context<'_>) -> Result<Found, Noted> {
    let folder = match cx.env.get("CLOUDSDK_CONFIG") {
        Some(folder) => Some(PathBuf::from(folder)),
        None => home(cx.env).map(|home| home.join(".config/gcloud")),
    };
    let file = folder.map(|folder| folder.join("application_default_credentials.json"));
    if let Some(file) = file.filter(|file| file.is_file()) {
        return match google_file(&file) {
            Ok(google) => Ok(Found::google("application-default", google)),
            Err(message) => {
                let message = format!("{}: {message}", file.display());
                cx.wrong(path, &message);
                Err(Noted)
            }
        };
    }
    let host = cx.env.get("GCE_METADATA_HOST").unwrap_or(GOOGLE_MACHINE);
    let place = cx.places.of(path);
    cx.warnings.push(format!(
        "{place}: no key is named (GOOGLE_APPLICATION_CREDENTIALS) or found: tokens are asked of the \
         machine's metadata service at {host}"
    ));
    Ok(Found::google("machine", Google::Machine(host.into())))
}

fn google_file(path: &Path) -> Result<Google, String> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let path = path.display();
        format!("expected the path of a readable JSON key, found {path}: {error}")
    })?;
    Google::parse(&text)
}

/// AWS's standard chain: the environment, the profile with its roles and programs, a role by a token in
/// a file, the container, the instance. Keys of the environment that a named profile wants for its role
/// are used for that alone: nothing else could mean `credential_source = Environment`.
pub(super) fn aws(path: &str, cx: &mut Context<'_>) -> Result<Found, Noted> {
    let container = aws_container(cx.env);
    let near = Near {
        environment: aws_keys(cx)?,
        container: container.clone().unwrap_or_default(),
        instance: aws_instance(cx.env),
    };
    let named = cx.env.first(["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]);
    let profile = aws_profile(cx.env, near.clone());
    if let Some(secret) = near.environment {
        let profile = profile.filter(|_| named.is_some());
        let way = profile.as_ref().and_then(|profile| profile.read().way.ok());
        if way.is_none_or(|way| !way.starts_in_the_environment()) {
            return Ok(Found::aws("AWS_ACCESS_KEY_ID", Source::Key(secret)));
        }
        return aws_of_profile(profile, cx)?.ok_or(Noted);
    }
    if let Some(found) = aws_of_profile(profile, cx)? {
        return Ok(found);
    }
    if let Some(found) = aws_role(cx)? {
        return Ok(found);
    }
    let minted = |name: &str, aws: Aws| Found::aws(name, Source::Minted(Identity::Aws(aws)));
    let container = container.map_err(|(variable, message)| {
        cx.wrong_at(Place::variable(variable), message);
        Noted
    })?;
    if let Some(container) = container {
        return Ok(minted("container", Aws::Container(container)));
    }
    let Some(instance) = near.instance else {
        let message = "expected api_key, AWS_BEARER_TOKEN_BEDROCK, AWS_ACCESS_KEY_ID with \
                       AWS_SECRET_ACCESS_KEY, or a profile (AWS_PROFILE), found none";
        cx.wrong(path, message);
        return Err(Noted);
    };
    let (place, base) = (cx.places.of(path), &instance.0);
    cx.warnings.push(format!(
        "{place}: no keys are named (AWS_ACCESS_KEY_ID, AWS_PROFILE) or found: they are asked of the \
         instance's metadata service at {base}"
    ));
    Ok(minted("instance", Aws::Instance(instance)))
}

/// The keys in the environment.
fn aws_keys(cx: &mut Context<'_>) -> Result<Option<Secret>, Noted> {
    let env = cx.env;
    let (id, key) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
    let pair = (env.get(id), env.get(key));
    if let (Some(_), None) | (None, Some(_)) = pair {
        let (set, unset) = if pair.0.is_some() {
            (id, key)
        } else {
            (key, id)
        };
        let message = format!("expected {unset} beside it, found it unset");
        cx.wrong_at(Place::variable(set), &message);
        return Err(Noted);
    }
    Ok(joined(pair.0, pair.1, env.get("AWS_SESSION_TOKEN")))
}

/// The metadata service of the instance, unless it is not to be asked.
fn aws_instance(env: &Environment) -> Option<Instance> {
    let base = env.get("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    let base = base.unwrap_or(AWS_INSTANCE).trim_end_matches('/');
    let asked = env.get("AWS_EC2_METADATA_DISABLED") != Some("true");
    asked.then(|| Instance(base.into()))
}

/// The profile that is named, or the default one, where there can be files.
fn aws_profile(env: &Environment, near: Near) -> Option<Profile> {
    let named = env.first(["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]);
    let file = |variable: &str, usual: &str| {
        let usual = || home(env).map(|home| home.join(usual));
        env.get(variable).map(PathBuf::from).or_else(usual)
    };
    let credentials = file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")?;
    let config = file("AWS_CONFIG_FILE", ".aws/config")?;
    let name = named.map_or("default", |(_, name)| name);
    let region = env.first(["AWS_REGION", "AWS_DEFAULT_REGION"]);
    Some(Profile {
        service: env.get("AWS_ENDPOINT_URL_STS").map(Into::into),
        region: region.map(|(_, region)| region.into()),
        tokens: home(env).unwrap_or_default().join(".aws/sso/cache"),
        portal: env.get("AWS_ENDPOINT_URL_SSO").map(Into::into),
        near,
        ..Profile::new(name, credentials, config)
    })
}

/// The identity of the profile; none where nobody named it and it has no keys.
fn aws_of_profile(profile: Option<Profile>, cx: &mut Context<'_>) -> Result<Option<Found>, Noted> {
    let Some(profile) = profile else {
        return Ok(None);
    };
    let named = cx.env.first(["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]);
    let found = profile.read();
    match found.way {
        Ok(_) => {}
        Err(Lack::Nothing(name)) if named.is_none() && *name == *profile.name => return Ok(None),
        Err(lack) => {
            let variable = named.map_or("AWS_PROFILE", |(variable, _)| variable);
            cx.wrong_at(Place::variable(variable), &profile.lacks(&lack));
            return Err(Noted);
        }
    }
    let source = Source::Minted(Identity::Aws(Aws::Profile(Box::new(profile))));
    Ok(Some(Found {
        region: found.region,
        ..Found::aws("profile", source)
    }))
}

/// The role that a token in a file may assume, where its variables are set.
fn aws_role(cx: &mut Context<'_>) -> Result<Option<Found>, Noted> {
    let (env, name) = (cx.env, "AWS_WEB_IDENTITY_TOKEN_FILE");
    let Some(token_file) = env.get(name) else {
        return Ok(None);
    };
    let Some(role) = env.get("AWS_ROLE_ARN") else {
        let message = "expected AWS_ROLE_ARN beside it, found it unset";
        cx.wrong_at(Place::variable(name), message);
        return Err(Noted);
    };
    let region = env.first(["AWS_REGION", "AWS_DEFAULT_REGION"]);
    let address = env.get("AWS_ENDPOINT_URL_STS");
    let service = Service::of(address, region.map(|(_, region)| region)).address;
    if let Some(fault) = address_fault(&service) {
        let at = match env.get("AWS_ENDPOINT_URL_STS") {
            Some(_) => "AWS_ENDPOINT_URL_STS",
            None => region.map_or(name, |(variable, _)| variable),
        };
        cx.wrong_at(Place::variable(at), fault);
        return Err(Noted);
    }
    let aws = Aws::Role(WebIdentity {
        service: service.into(),
        role: role.into(),
        session: env
            .get("AWS_ROLE_SESSION_NAME")
            .unwrap_or("waystation")
            .into(),
        token_file: token_file.into(),
    });
    let source = Source::Minted(Identity::Aws(aws));
    Ok(Some(Found::aws("role", source)))
}

/// The container's service, where its variables are set; else which of them is wrong, and how.
fn aws_container(env: &Environment) -> Result<Option<Container>, (&'static str, &'static str)> {
    let relative = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
    let full = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
    let url = match (env.get(relative), env.get(full)) {
        (Some(path), _) if path.starts_with('/') => format!("{AWS_CONTAINER}{path}"),
        (Some(_), _) => return Err((relative, "expected a path that begins with `/`")),
        (None, Some(url)) if AWS_LOCAL.iter().any(|known| url.starts_with(known)) => url.into(),
        (None, Some(_)) => {
            let message = "expected an address with https://, or one of this machine";
            return Err((full, message));
        }
        (None, None) => return Ok(None),
    };
    let token = env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    let file = env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    Ok(Some(Container {
        url: url.into(),
        token: token.map(Secret::new),
        token_file: file.map(Into::into),
    }))
}

/// An application of Microsoft Entra, where its variables are set.
pub(super) fn entra(cx: &mut Context<'_>) -> Result<Option<Found>, Noted> {
    let env = cx.env;
    let name = "AZURE_CLIENT_SECRET";
    let Some(secret) = env.get(name) else {
        return Ok(None);
    };
    let mut wrong = |place: &str, message: &str| {
        cx.wrong_at(Place::variable(place), message);
        Noted
    };
    let unset = |variable: &str| format!("expected {variable} beside it, found it unset");
    let tenant = env
        .get("AZURE_TENANT_ID")
        .ok_or_else(|| wrong(name, &unset("AZURE_TENANT_ID")))?;
    let client = env
        .get("AZURE_CLIENT_ID")
        .ok_or_else(|| wrong(name, &unset("AZURE_CLIENT_ID")))?;
    let authority = env.get("AZURE_AUTHORITY_HOST").unwrap_or(AUTHORITY);
    let entra = Entra::new(authority, tenant, (client, secret)).map_err(|message| {
        let at = if message.contains("tenant") {
            "AZURE_TENANT_ID"
        } else {
            "AZURE_AUTHORITY_HOST"
        };
        wrong(at, &message)
    })?;
    Ok(Some(Found {
        scheme: Some(AuthScheme::Bearer),
        ..Found::new("AZURE_CLIENT_ID", Source::Minted(Identity::Entra(entra)))
    }))
}

fn home(env: &Environment) -> Option<PathBuf> {
    env.get("HOME").map(PathBuf::from)
}
