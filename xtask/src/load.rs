//! `streams` and `soak`: builds the release binary and starts the tool in `xtask/load` on it. What is
//! asked and judged is the tool's; it has crates that no other task needs, and is built only here.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::{ci::cargo, failure::Failure};

/// How the tool is built and run; its own words follow.
const TOOL: [&str; 9] = [
    "run",
    "--release",
    "--package",
    "xtask",
    "--features",
    "load",
    "--bin",
    "load",
    "--",
];

/// Runs the tool with these words.
pub(crate) fn run(words: &[&str]) -> Result<(), Failure> {
    cargo(&["build", "--release", "--package", "waystation-server"])?;
    cargo(&[TOOL.as_slice(), words].concat())
}

/// Runs the tool with these words on `binary`; gives what it printed.
pub(crate) fn tool(binary: &Path, words: &[&str]) -> Result<String, Failure> {
    let mut command = Command::new(env!("CARGO"));
    command.args(TOOL).arg("--binary").arg(binary).args(words);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure::new(format!("cargo cannot be started: {error}")))?;
    if !output.status.success() {
        return Err(Failure::new("the tool that loads found fault"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
