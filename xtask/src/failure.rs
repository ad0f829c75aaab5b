//! Why a task stopped. Tasks explain themselves in text; nothing matches on it.

use std::{fmt, path::Path};

/// A message and an exit code: 1 for what is wrong in the repository, 2 for a wrong command line.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            code: 1,
        }
    }

    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            code: 2,
        }
    }

    /// What went wrong with a file.
    pub(crate) fn at(path: &Path, why: impl fmt::Display) -> Self {
        Self::new(format!("{}: {why}", path.display()))
    }

    /// A list of findings, or success when it is empty.
    pub(crate) fn of(what: &str, findings: &[String]) -> Result<(), Self> {
        if findings.is_empty() {
            return Ok(());
        }
        let lines = findings.join("\n");
        Err(Self::new(format!(
            "{lines}\n{what}: {} to mend",
            findings.len()
        )))
    }

    pub(crate) const fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
