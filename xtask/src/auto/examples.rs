//! The labelled prompts that are trained on: who answered them well. It reads; what is learned from
//! them is decided elsewhere.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;
use serde::Deserialize;

use crate::{failure::Failure, root};

/// Where the data is, from the root of the workspace.
pub(crate) const FOLDER: &str = "../shared/autorouter/dev";

/// One prompt and how models did on it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Example {
    pub(crate) source: String,
    pub(crate) bench: String,
    pub(crate) subject: String,
    pub(crate) split: String,
    pub(crate) prompt: String,
    /// By model: 1 is right, 0 is wrong, or anything between.
    pub(crate) scores: BTreeMap<String, f32>,
    /// What each answer cost, in dollars, where that was recorded.
    #[serde(default)]
    pub(crate) cost: BTreeMap<String, f64>,
}

// === impl Example ===

impl Example {
    /// Whether the letters of its subject add up to an odd number: half of the subjects.
    pub(crate) fn odd(&self) -> bool {
        self.subject.bytes().map(u32::from).sum::<u32>() % 2 == 1
    }
}

/// Reads every file of the folder, by name, so that the order is always the same.
pub(crate) fn read(folder: &Path) -> Result<Vec<Example>, Failure> {
    let mut examples = Vec::new();
    for path in root::files(folder, "gz")? {
        let file = File::open(&path).map_err(|error| Failure::at(&path, error))?;
        for line in BufReader::new(GzDecoder::new(file)).lines() {
            let line = line.map_err(|error| Failure::at(&path, error))?;
            let example = serde_json::from_str(&line).map_err(|error| Failure::at(&path, error))?;
            examples.push(example);
        }
    }
    Ok(examples)
}

/// The folder of the data.
pub(crate) fn folder() -> PathBuf {
    root::root().join(FOLDER)
}
