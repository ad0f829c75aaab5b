//! `ci`: the stages that must pass before a merge, in the order that fails soonest. Each is a command
//! that a person can run alone; nothing here knows what a stage checks.

use std::{path::Path, process::Command, time::Instant};

use crate::{
    failure::Failure,
    layers::{metadata, tables},
    root::root,
    tidy,
};

/// The target on which the pure crates must build too.
const WASM: &str = "wasm32-unknown-unknown";

/// Runs every stage; stops at the first that fails.
pub(crate) fn run() -> Result<(), Failure> {
    stage("fmt", || cargo(&["fmt", "--all", "--check"]))?;
    stage("layers", crate::layers::check)?;
    stage("tidy", tidy::check)?;
    stage("catalog", crate::catalog::check)?;
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "--deny",
        "warnings",
    ];
    stage("clippy", || cargo(&clippy))?;
    stage("test", || cargo(&["test", "--workspace", "--locked"]))?;
    stage("fuzz", || crate::fuzz::run(5, &[]))?;
    stage("doc", || {
        cargo(&["doc", "--workspace", "--no-deps", "--locked"])
    })?;
    stage("wasm", wasm)?;
    println!("ci: ok");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a task tells how long it took")]
fn stage(name: &str, run: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    println!("== {name}");
    let begin = Instant::now();
    run().map_err(|failure| Failure::new(format!("{failure}\nci: stage {name} failed")))?;
    println!("== {name}: {} s", begin.elapsed().as_secs());
    Ok(())
}

/// Runs cargo in the repository.
pub(crate) fn cargo(arguments: &[&str]) -> Result<(), Failure> {
    let status = Command::new(env!("CARGO"))
        .args(arguments)
        .env("RUSTDOCFLAGS", "--deny warnings")
        .current_dir(root())
        .status()
        .map_err(Failure::new)?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "`cargo {}` failed",
        arguments.join(" ")
    )))
}

/// Checks the pure crates for the browser, where its standard library is installed.
fn wasm() -> Result<(), Failure> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output();
    let sysroot = output.map_err(Failure::new)?.stdout;
    let sysroot = String::from_utf8_lossy(&sysroot);
    if !Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(WASM)
        .is_dir()
    {
        println!("skipped: the target {WASM} is not installed");
        return Ok(());
    }
    let tables = tables(&metadata()?)?;
    for name in &tables.pure.crates {
        cargo(&["check", "--locked", "--target", WASM, "--package", name])?;
    }
    Ok(())
}
