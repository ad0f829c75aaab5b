//! `waystation auto --replay FILE`: what past scores say of switching feedback on. It reads a file and prints
//! JSON; it changes nothing.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
};

use serde::Serialize;
use waystation_auto::{Estimate, Logged};
use waystation_core::Json;

use crate::cli::{Refusal, say};

/// What is printed.
#[derive(Debug, Serialize)]
struct Report {
    /// Records that could be used, and why the others could not.
    records: usize,
    skipped: BTreeMap<&'static str, usize>,
    /// The mean score of the decisions as they were made.
    logged_mean: f64,
    without_feedback: Policy,
    with_feedback: Policy,
    differing_choices: usize,
    /// What feedback gives more, self-normalised and centred, and its standard error.
    gain: f64,
    gain_standard_error: f64,
    verdict: &'static str,
}

/// One way of choosing.
#[derive(Debug, Serialize)]
struct Policy {
    ips: f64,
    ips_standard_error: f64,
    ips_clipped: f64,
    self_normalised: Option<f64>,
    effective_records: f64,
    matched: usize,
    never_tried: usize,
}

/// Runs the command.
pub(super) fn run(path: &Path) -> Result<(), Refusal> {
    let refuse = |message: String| Refusal(format!("error: {}: {message}", path.display()));
    let file = File::open(path).map_err(|error| refuse(error.to_string()))?;
    let (mut records, mut skipped) = (Vec::new(), BTreeMap::new());
    for (at, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|error| refuse(error.to_string()))?;
        if line.trim().is_empty() {
            continue;
        }
        let json = Json::parse(line.as_bytes());
        let json = json.map_err(|error| refuse(format!("line {}: {error}", at + 1)))?;
        match Logged::read(json) {
            Ok(logged) => records.push(logged),
            Err(reason) => *skipped.entry(reason).or_default() += 1,
        }
    }
    let found = waystation_auto::replay(records);
    let report = Report {
        records: found.records,
        skipped,
        logged_mean: digits(found.mean),
        without_feedback: policy(found.without),
        with_feedback: policy(found.with),
        differing_choices: found.differing,
        gain: digits(found.gain.0),
        gain_standard_error: digits(found.gain.1),
        verdict: found.verdict.words(),
    };
    say(&format!("{}\n", serde_json::to_string_pretty(&report)?));
    Ok(())
}

fn policy(estimate: Estimate) -> Policy {
    Policy {
        ips: digits(estimate.ips),
        ips_standard_error: digits(estimate.error),
        ips_clipped: digits(estimate.clipped),
        self_normalised: estimate.normalised.map(digits),
        effective_records: digits(estimate.effective),
        matched: estimate.matched,
        never_tried: estimate.untried,
    }
}

/// Four digits: more would say nothing.
fn digits(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}
