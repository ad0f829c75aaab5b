//! The binary itself: what it prints, and how it exits. No network.

#![expect(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

const REQUEST: &str =
    r#"{"model": "openai/gpt-5.4", "messages": [{"role": "user", "content": "Hi"}]}"#;

/// An empty directory of one test's own.
fn room(name: &str) -> PathBuf {
    let room = std::env::temp_dir().join(format!("waystation-cli-{}-{name}", std::process::id()));
    fs::create_dir_all(&room).unwrap();
    room
}

fn waystation(room: &PathBuf, env: &[(&str, &str)], args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_waystation"))
        .args(args)
        .env_clear()
        .envs(env.iter().copied())
        .current_dir(room)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn check_prints_the_result_without_secrets() {
    let room = room("check");
    fs::write(
        room.join("waystation.toml"),
        "[auth]\nkeys = ['sk-client-0123456789']\n[providers.openai]\napi_key = 'sk-provider'\n",
    )
    .unwrap();
    for args in [&["check"][..], &["check", "--json"]] {
        let output = waystation(&room, &[], args, "");
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        let text = out(&output);
        assert!(
            text.contains("(hidden)") && text.contains("api.openai.com"),
            "{text}"
        );
        assert!(
            !text.contains("sk-client") && !text.contains("sk-provider"),
            "{text}"
        );
    }
    fs::remove_dir_all(room).unwrap();
}

#[test]
fn a_wrong_file_is_refused_with_1_and_a_wrong_flag_with_2() {
    let room = room("wrong");
    fs::write(room.join("w.toml"), "[server]\nlisen = 'x'\n").unwrap();
    let output = waystation(&room, &[], &["check", "--config", "w.toml"], "");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        err(&output),
        "error: w.toml:2: server.lisen: unknown key, did you mean `listen`?\n"
    );
    let output = waystation(&room, &[], &["check", "--cfg", "w.toml"], "");
    assert_eq!(output.status.code(), Some(2));
    fs::remove_dir_all(room).unwrap();
}

#[test]
fn models_are_listed_and_filtered() {
    let room = room("models");
    let output = waystation(&room, &[], &["models", "openai/gpt-5.4*"], "");
    let text = out(&output);
    assert!(
        text.lines().count() >= 3 && text.contains("openai/gpt-5.4-mini"),
        "{text}"
    );
    let output = waystation(&room, &[], &["models", "--json", "kimi-k2"], "");
    let listed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(listed[0]["id"], "moonshotai/kimi-k2");
    let output = waystation(&room, &[], &["models", "no-such-model"], "");
    assert_eq!(output.status.code(), Some(1));
    fs::remove_dir_all(room).unwrap();
}

#[test]
fn explain_prints_the_same_plan_for_the_same_seed() {
    let room = room("explain");
    let env = [("OPENROUTER_API_KEY", "k"), ("OPENAI_API_KEY", "k")];
    let args = ["explain", "--seed", "7"];
    let first = waystation(&room, &env, &args, REQUEST);
    assert_eq!(first.status.code(), Some(0), "{}", err(&first));
    assert_eq!(out(&first), out(&waystation(&room, &env, &args, REQUEST)));
    let plan: serde_json::Value = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!(plan["strategy"], "direct");
    assert_eq!(plan["seed"], 7);
    assert_eq!(plan["attempts"][0]["provider"], "OpenAI");
    assert!(
        plan["dropped"]
            .as_array()
            .unwrap()
            .iter()
            .any(|d| d["reason"] == "no_credentials")
    );
    fs::remove_dir_all(room).unwrap();
}

#[test]
fn a_request_that_nobody_can_serve_is_explained_and_refused() {
    let room = room("nobody");
    let env = [("GROQ_API_KEY", "k")];
    let output = waystation(&room, &env, &["explain", "--seed", "7"], REQUEST);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("OPENAI_API_KEY"), "{}", err(&output));
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["attempts"], serde_json::json!([]));
    assert_eq!(plan["error"]["code"], 404);
    fs::remove_dir_all(room).unwrap();
}

#[test]
fn a_batch_answers_every_line_in_order_and_exits_with_0() {
    let room = room("batch");
    let env = [("OPENAI_API_KEY", "k")];
    let input = format!("{REQUEST}\n\n{{\"model\": 1}}\n{REQUEST}");
    let output = waystation(&room, &env, &["explain", "--batch", "--seed", "1"], &input);
    assert_eq!(output.status.code(), Some(0));
    let text = out(&output);
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let failed: Vec<bool> = lines
        .iter()
        .map(|line| line.get("error").is_some())
        .collect();
    assert_eq!(failed, [false, true, false]);
    fs::remove_dir_all(room).unwrap();
}

#[test]
fn health_says_why_nobody_answers() {
    let room = room("health");
    let output = waystation(&room, &[], &["health", "--listen", "127.0.0.1:1"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).starts_with("error: 127.0.0.1:1: "),
        "{}",
        err(&output)
    );
    fs::remove_dir_all(room).unwrap();
}

#[test]
fn a_gateway_without_a_provider_names_the_variables_that_it_looked_for() {
    let room = room("none");
    let env = [("WAYSTATION_API_KEY", "sk-0123456789abcdef")];
    let output = waystation(&room, &env, &["serve", "--listen", "127.0.0.1:0"], "");
    assert_eq!(output.status.code(), Some(1));
    let text = err(&output);
    assert!(
        text.contains("OPENAI_API_KEY") && text.contains("--simulate"),
        "{text}"
    );
    fs::remove_dir_all(room).unwrap();
}

#[test]
fn auto_scores_prompts_line_by_line_over_a_pool_of_its_own() {
    let room = room("auto");
    let pool = r#"[{"id": "a/small", "price": {"prompt": "0.1", "completion": "0.4"}},
                   {"id": "b/large", "quality_prior": 0.9, "price": {"prompt": "3", "completion": "15"}}]"#;
    fs::write(room.join("pool.json"), pool).unwrap();
    let input = "{\"id\": 1, \"prompt\": \"Hi\"}\n{\"id\": \"x\"}\n";
    let args = ["auto", "--batch", "--models", "pool.json"];
    let output = waystation(&room, &[], &args, input);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let text = out(&output);
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["id"], 1);
    assert_eq!(lines[0]["ranked"].as_array().unwrap().len(), 2);
    assert!(lines[0]["difficulty"].as_f64().unwrap() <= 1.0);
    let figure = |model: &str, name: &str| {
        let mut ranked = lines[0]["ranked"].as_array().unwrap().iter();
        let one = ranked.find(|one| one["model"] == model).unwrap();
        one[name].as_f64().unwrap()
    };
    // By quality who costs more stands higher, and the best estimate is at the top.
    let (small, large) = (figure("a/small", "quality"), figure("b/large", "quality"));
    let best = figure("a/small", "estimate").max(figure("b/large", "estimate"));
    assert!(0.0 <= small && small < large && large <= 1.0 && best > 0.0);
    assert!(large >= best, "{large} {best}");
    assert_eq!(lines[1]["id"], "x");
    assert!(
        lines[1]["error"]
            .as_str()
            .unwrap()
            .contains("`prompt` or `messages`")
    );
    fs::remove_dir_all(room).unwrap();
}

/// A decision record makes one plan whatever the seed of the day, by itself or in the answer of
/// `GET /v1/generation?id=…&record=true`.
#[test]
fn explain_makes_a_plan_again_from_its_record() {
    let room = room("record");
    let env = [
        ("OPENAI_API_KEY", "sk-openai"),
        ("OPENROUTER_API_KEY", "sk-openrouter"),
    ];
    let record = r#"{"seed": "18446744073709551615", "tick_us": 5, "unix_ms": 6,
        "sticky": "openai/gpt-5.4|openrouter", "health": [{"model": "openai/gpt-5.4",
        "endpoint": "openai", "last_30s": {"requests": 9, "errors": 9}}]}"#;
    fs::write(room.join("record.json"), record).unwrap();
    let answer = format!(r#"{{"data": {{"id": "gen-1", "decision_record": {record}}}}}"#);
    fs::write(room.join("answer.json"), answer).unwrap();
    let explained = |file: &str| {
        let output = waystation(&room, &env, &["explain", "--record", file], REQUEST);
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        out(&output)
    };
    let first = explained("record.json");
    assert_eq!(first, explained("record.json"));
    assert_eq!(first, explained("answer.json"));
    assert!(
        first.contains("\"sticky\"") && first.contains("\"outage\""),
        "{first}"
    );
    assert!(first.contains("18446744073709551615"), "{first}");
    fs::write(
        room.join("other.json"),
        r#"{"seed": 1, "catalog": "1999-01-01"}"#,
    )
    .unwrap();
    let refused = waystation(&room, &env, &["explain", "--record", "other.json"], REQUEST);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        err(&refused).contains("expected a record of catalogue"),
        "{}",
        err(&refused)
    );
}
