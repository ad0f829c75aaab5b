//! Tests of the arguments.

use clap::CommandFactory as _;

use super::*;

fn parse(line: &str) -> Result<Line, clap::Error> {
    Line::try_parse_from(line.split(' '))
}

#[test]
fn the_arguments_are_consistent() {
    Line::command().debug_assert();
}

#[test]
fn without_a_command_serve_is_meant() {
    let line = parse("waystation --config a.toml --listen [::1]:1 --simulate").unwrap();
    assert!(line.command.is_none());
    assert_eq!(line.serve.source.config, Some("a.toml".into()));
    assert!(line.serve.simulate && !line.serve.insecure_open);
    let line = parse("waystation serve --admin-listen off --env-file .env").unwrap();
    let Some(Command::Serve(serve)) = line.command else {
        panic!("{line:?}");
    };
    assert_eq!(serve.admin_listen.as_deref(), Some("off"));
    assert_eq!(serve.source.flags().env_file, Some(".env".into()));
}

#[test]
fn every_promised_argument_is_taken() {
    for line in [
        "waystation",
        "waystation check --config w.toml --json",
        "waystation explain --config w.toml --health h.json --seed 7 --batch --json",
        "waystation explain --record r.json",
        "waystation models --json gpt",
        "waystation mock --listen 127.0.0.1:0 --script s.toml",
        "waystation auto --batch --models m.json",
        "waystation health --listen 127.0.0.1:8080",
    ] {
        assert!(parse(line).is_ok(), "{line}: {:?}", parse(line).err());
    }
}

#[test]
fn arguments_that_make_no_sense_exit_with_2() {
    for line in [
        "waystation --nope",
        "waystation fly",
        "waystation explain --record r.json --seed 7",
        "waystation mock --listen 8080",
    ] {
        let error = parse(line).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn every_command_shows_an_example() {
    for command in std::iter::once(&Line::command()).chain(Line::command().get_subcommands()) {
        let help = command.get_after_help().map(ToString::to_string);
        let name = command.get_name();
        assert!(
            help.is_some_and(|help| help.contains("Example:\n  ")),
            "{name}"
        );
    }
}
