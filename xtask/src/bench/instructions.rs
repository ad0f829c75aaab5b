//! Instruction counts of the hottest paths, by valgrind: they hardly change from run to run, so that a
//! regression shows on a busy machine too. The counts that hold are in `benches/instructions.txt`; what
//! the paths are is the bench's affair.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    failure::Failure,
    root::{read, root},
};

/// The bench, as cargo knows it.
const BENCH: [&str; 5] = [
    "bench",
    "--package",
    "waystation-benches",
    "--bench",
    "instructions",
];
/// How often a path is walked: in the second run so much more often than in the first. What a start
/// costs is in both.
const TIMES: [u64; 2] = [5, 25];
/// The most that a path may cost, in percent of what it cost.
const MOST: u64 = 110;

/// `bench instructions [--check | --write]`.
pub(crate) fn run(words: &[&str]) -> Result<(), Failure> {
    let (check, write) = match words {
        [] => (false, false),
        ["--check"] => (true, false),
        ["--write"] => (false, true),
        _ => {
            return Err(Failure::usage(
                "bench instructions: expected --check or --write",
            ));
        }
    };
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("bench instructions: left out, valgrind is not installed");
        return Ok(());
    }
    let binary = build()?;
    let names = said(Command::new(&binary).arg("list"))?;
    let kept_at = root().join("benches/instructions.txt");
    let kept = kept(&kept_at)?;
    let (mut lines, mut findings) = (String::new(), Vec::new());
    for name in names.lines() {
        let [few, many] = TIMES.map(|times| count(&binary, name, times));
        let each = many?.saturating_sub(few?) / (TIMES[1] - TIMES[0]);
        lines.push_str(&format!("{name} {each}\n"));
        let before = kept.get(name).copied();
        let told = before.map_or("new".to_owned(), |before| {
            format!("{:+.1} %", (each as f64 / before as f64 - 1.0) * 100.0)
        });
        println!("{name:<28} {each:>10} instructions   {told}");
        if before.is_none_or(|before| each > before * MOST / 100) {
            findings.push(format!("{name}: {each} instructions, {}", limit(before)));
        }
    }
    if write {
        fs::write(&kept_at, lines).map_err(|error| Failure::at(&kept_at, error))?;
    }
    if check {
        return Failure::of("bench instructions", &findings);
    }
    Ok(())
}

fn limit(before: Option<u64>) -> String {
    match before {
        Some(before) => format!(
            "more than {} (benches/instructions.txt, and a tenth)",
            before * MOST / 100
        ),
        None => {
            "not in benches/instructions.txt: `cargo xtask bench instructions --write`".to_owned()
        }
    }
}

fn kept(path: &Path) -> Result<BTreeMap<String, u64>, Failure> {
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let text = read(path)?;
    let lines = text.lines().map(|line| {
        let (name, count) = line.rsplit_once(' ')?;
        Some((name.to_owned(), count.parse().ok()?))
    });
    let lines: Option<BTreeMap<String, u64>> = lines.collect();
    lines.ok_or_else(|| Failure::at(path, "expected lines of a name and a number"))
}

/// Builds the bench; where it stands.
fn build() -> Result<PathBuf, Failure> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(BENCH)
        .args(["--locked", "--no-run", "--message-format", "json"]);
    let messages = said(cargo.current_dir(root()))?;
    let found = messages.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let named = message.get("target")?.get("name")? == "instructions";
        let binary = message.get("executable")?.as_str()?;
        named.then(|| PathBuf::from(binary))
    });
    found.ok_or_else(|| Failure::new("cargo does not say where the bench is"))
}

/// Instructions of a run that walks `path` so often.
fn count(binary: &Path, path: &str, times: u64) -> Result<u64, Failure> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args([
        "--tool=cachegrind",
        "--cache-sim=no",
        "--cachegrind-out-file=/dev/null",
    ]);
    let output = valgrind
        .arg(binary)
        .args([path, &times.to_string()])
        .output()
        .map_err(Failure::new)?;
    let text = String::from_utf8_lossy(&output.stderr);
    let refs = text.lines().find_map(|line| line.split_once("refs:"));
    let digits = refs.map(|(_, count)| count.replace([',', ' '], ""));
    digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| Failure::new(format!("valgrind says: {text}")))
}

/// What a program prints.
fn said(command: &mut Command) -> Result<String, Failure> {
    let output = command.output().map_err(Failure::new)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Failure::new(String::from_utf8_lossy(&output.stderr)))
}
