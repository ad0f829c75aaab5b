//! `streams` and `soak`: builds the release binary and starts the tool in `xtask/load` on it. What is
//! asked and judged is the tool's; it has crates that no other task needs, and is built only here.

use crate::{ci::cargo, failure::Failure};

/// Runs the tool with these words.
pub(crate) fn run(words: &[&str]) -> Result<(), Failure> {
    cargo(&["build", "--release", "--package", "waystation-server"])?;
    let tool = [
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
    cargo(&[tool.as_slice(), words].concat())
}
