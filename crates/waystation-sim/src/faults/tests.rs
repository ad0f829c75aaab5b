//! Scripts are read strictly and act on the requests that they name.

use http::StatusCode;
use waystation_core::{HttpRequest, Json};

use super::*;
use crate::{End, Pacing, SimReply, Simulator};

/// The script in the module's documentation.
fn documented() -> Script {
    let text = include_str!("../faults.rs");
    let inside = text.split("```toml").nth(1).unwrap();
    let lines = inside.split("```").next().unwrap().lines();
    let script: Vec<&str> = lines.map(|line| line.trim_start_matches("//!")).collect();
    script.join("\n").parse().unwrap()
}

fn ask(simulator: &Simulator, host: &str, model: &str, stream: bool) -> SimReply {
    let body = format!(
        r#"{{"model": "{model}", "stream": {stream}, "messages": [{{"role": "user", "content": "Hi"}}]}}"#
    );
    let url = format!("https://{host}/v1/chat/completions");
    simulator.handle(&HttpRequest::post_json(&url, body.into()).unwrap())
}

fn scripted(script: &str) -> Simulator {
    Simulator::new(7)
        .with_pacing(Pacing::Instant)
        .with_script(script.parse().unwrap())
}

#[test]
fn the_documented_script_does_what_it_says() {
    let simulator = Simulator::new(7)
        .with_pacing(Pacing::Instant)
        .with_script(documented());
    for _ in 0..2 {
        let limited = ask(&simulator, "a", "gpt-5.4", false);
        assert_eq!(limited.head.status, 429);
        assert_eq!(limited.head.headers["retry-after"], "3");
        let body = limited.body();
        let error = Json::parse(&body).unwrap().get("error").unwrap();
        assert!(error.get("code").unwrap().is("rate_limit_exceeded"));
    }
    assert_eq!(ask(&simulator, "a", "gpt-5.4", false).head.status, 200);

    let ends: Vec<End> = (0..6)
        .map(|_| ask(&simulator, "a", "m", true).end)
        .collect();
    assert_eq!(ends[2], End::Cut);
    assert_eq!(ends[5], End::Cut);
    assert_eq!(ends[0], End::Clean);

    let slow = ask(&simulator, "slow.example", "m", true);
    assert_eq!(slow.delay.as_millis(), 1500);
    let event = |nth: usize| slow.pieces[nth].1.strip_prefix(b"data: ").unwrap();
    assert!(Json::parse(event(0)).is_ok() && Json::parse(event(1)).is_err());
    assert!(slow.pieces.iter().all(|(gap, _)| gap.as_millis() == 100));

    let silent = (0..200).filter(|_| ask(&simulator, "a", "m", false).end == End::Stall);
    assert!((5..40).contains(&silent.count()));
}

#[test]
fn streams_and_whole_replies_end_early_each_in_its_way() {
    let cut = scripted("[[rule]]\ncut_after_events = 2");
    let stream = ask(&cut, "a", "m", true);
    assert_eq!((stream.pieces.len(), stream.end), (2, End::Cut));
    let whole = ask(&cut, "a", "m", false);
    assert_eq!(whole.end, End::Cut);
    assert!(Json::parse(&whole.body()).is_err() && !whole.body().is_empty());

    let stalled = ask(
        &scripted("[[rule]]\nstall_after_events = 0"),
        "a",
        "m",
        true,
    );
    assert_eq!((stalled.pieces.len(), stalled.end), (0, End::Stall));
    let silent = ask(&scripted("[[rule]]\nsilent = true"), "a", "m", false);
    assert_eq!(
        (silent.head.status, silent.end),
        (StatusCode::OK, End::Stall)
    );
    assert!(silent.body().is_empty());

    let garbage = ask(&scripted("[[rule]]\nmalformed_event = 1"), "a", "m", false);
    assert!(Json::parse(&garbage.body()).is_err());
    assert_eq!(garbage.end, End::Clean);
}

#[test]
fn bodies_are_sent_as_written() {
    let page = ask(
        &scripted("[[rule]]\nstatus = 502\nbody = '<h1>bad'"),
        "a",
        "m",
        true,
    );
    assert_eq!(page.head.status, 502);
    assert_eq!(page.body(), "<h1>bad");
    assert_eq!(
        page.head.headers["content-type"],
        "text/plain; charset=utf-8"
    );

    let json = r#"{"rules": [{"status": 529, "body": {"error": {"type": "overloaded"}}}]}"#;
    let table = ask(&scripted(json), "a", "m", false);
    assert_eq!(table.body(), r#"{"error":{"type":"overloaded"}}"#);

    let created = ask(&scripted("[[rule]]\nstatus = 201"), "a", "m", false);
    assert_eq!(created.head.status, 201);
    assert!(
        Json::parse(&created.body())
            .unwrap()
            .get("choices")
            .is_some()
    );
}

#[test]
fn the_script_in_the_readme_is_a_script() {
    let readme = include_str!("../../README.md");
    let script = readme.split("```toml").nth(1).unwrap();
    let script: Script = script.split("```").next().unwrap().parse().unwrap();
    assert_eq!(script.len(), 4);
}

#[test]
fn the_first_rule_that_holds_acts() {
    let simulator = scripted(
        "[[rule]]\nmatch = { nth = [2, 3] }\nstatus = 500\n[[rule]]\nmatch = { first = 3 }\nstatus = 503",
    );
    let statuses: Vec<u16> = (0..5)
        .map(|_| ask(&simulator, "a", "m", false).head.status.as_u16())
        .collect();
    // The second rule counts only what the first one let through.
    assert_eq!(statuses, [503, 500, 500, 503, 503]);
}

#[test]
fn wrong_scripts_say_what_is_wrong() {
    for (script, wanted) in [
        ("[[rule]]\nstauts = 500", "unknown field `stauts`"),
        (
            "[[rule]]\nmatch = { nht = 1 }\nstatus = 500",
            "unknown field `nht`",
        ),
        ("[[rule]]\nmatch = { nth = 1 }", "rule 1: does nothing"),
        (
            "[[rule]]\nstatus = 700",
            "rule 1: status: expected 200 to 599",
        ),
        (
            "[[rule]]\nsilent = true\ncut_after_events = 1",
            "exclude each other",
        ),
        ("[[rule]]\nmalformed_event = 0", "events count from 1"),
        (
            "[[rule]]\nstatus = 500\n[[rule]]\nmatch = { every = 0 }\nstatus = 500",
            "rule 2: match",
        ),
        (
            "[[rule]]\nmatch = { percent = 101 }\nstatus = 500",
            "match.percent",
        ),
        ("{\"rules\": [{}", "not a script: EOF"),
        ("rule = 1", "not a script"),
    ] {
        let error = script.parse::<Script>().unwrap_err().to_string();
        assert!(error.contains(wanted), "{script}: {error}");
    }
    assert!("".parse::<Script>().unwrap().is_empty());
}
