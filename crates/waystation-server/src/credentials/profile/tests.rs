//! Profiles of two short files: what each is found to say.

use super::*;

fn profile(name: &str) -> Profile {
    Profile::new(name, "/c", "/d")
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
    [profile sso]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n\
    [sso-session s]\nsso_region = eu-west-1\nsso_start_url = https://a.example\n\
    [profile asks]\nlogin_session = s\n\
    [profile half]\nsso_start_url = https://a.example\nsso_region = eu-west-1\n\
    [profile near]\nrole_arn = r\ncredential_source = Environment\n\
    [profile odd]\nrole_arn = r\ncredential_source = Elsewhere\n\
    [profile above]\nrole_arn = r2\nsource_profile = near\n";

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
fn roles_are_assumed_with_what_is_near() {
    let mut above = profile("above");
    let secret = Secret::new("AK5:SK5");
    above.near.environment = Some(secret.clone());
    let way = above.found(CREDENTIALS, CONFIG).way.unwrap();
    assert!(way.starts_in_the_environment());
    assert_eq!(way.first, Means::Environment(secret));
    let arns: Vec<&str> = way.roles.iter().map(|role| role.arn.as_str()).collect();
    assert_eq!(arns, ["r", "r2"]);
    let near = Near {
        environment: None,
        container: Some(Container {
            url: "http://169.254.170.2/x".into(),
            token: None,
            token_file: None,
        }),
        instance: Some(Instance("http://169.254.169.254".into())),
    };
    assert!(matches!(
        near.means("EcsContainer"),
        Ok(Means::Container(_))
    ));
    assert!(matches!(
        near.means("Ec2InstanceMetadata"),
        Ok(Means::Instance(_))
    ));
    for source in ["EcsContainer", "Ec2InstanceMetadata"] {
        assert!(Near::default().means(source).is_err());
    }
}

#[test]
fn a_person_who_signed_in_is_known_by_the_session_of_the_profile() {
    let way = way("sso").unwrap();
    assert!(matches!(&way.first, Means::Person(person) if person.profile == "sso"));
    let mut plain = profile("sso");
    plain.portal = Some("http://portal.example".into());
    let told = plain.found(CREDENTIALS, CONFIG).way.unwrap_err();
    assert!(plain.lacks(&told).contains("https://"));
}

#[test]
fn what_gives_no_keys_says_which_profile_and_what_would_help() {
    for (name, expected) in [
        (
            "nobody",
            "in the profile \"nobody\" of /c or /d, found none",
        ),
        ("dangling", "in the profile \"nobody\" of /c"),
        ("asks", "in the profile \"asks\", found login_session"),
        ("half", "expected sso_account_id in the profile \"half\""),
        (
            "lone",
            "role_arn without source_profile or credential_source, which is not supported",
        ),
        ("round", "a circle of source_profile"),
        (
            "near",
            "expected AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY",
        ),
        (
            "above",
            "for credential_source = Environment of the profile \"near\"",
        ),
        (
            "odd",
            "expected Environment, EcsContainer or Ec2InstanceMetadata",
        ),
    ] {
        let told = profile(name).lacks(&way(name).unwrap_err());
        assert!(told.contains(expected), "{told}");
    }
}
