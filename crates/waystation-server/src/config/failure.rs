//! What is wrong with a configuration, and where: file, line, key, what was expected.
//! Nothing here decides what is wrong.

use std::{fmt, sync::Arc};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where it is.
    pub place: Place,
    /// What was expected, then what was found.
    pub message: String,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Place {
    /// The file, `environment` or `command line`; `None` when no single one is to blame.
    pub file: Option<Arc<str>>,
    /// The line in it, from 1.
    pub line: Option<u32>,
    /// The key, such as `providers.azure.base_url`, the variable or the flag.
    pub key: Option<String>,
}

/// Everything that is wrong, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(Vec<ConfigError>);

// === impl Place ===

impl Place {
    /// A variable of the environment.
    #[must_use]
    pub fn variable(name: &str) -> Self {
        Self {
            file: Some("environment".into()),
            line: None,
            key: Some(name.into()),
        }
    }

    /// A flag of the command line.
    #[must_use]
    pub fn flag(name: &str) -> Self {
        Self {
            file: Some("command line".into()),
            line: None,
            key: Some(name.into()),
        }
    }

    /// The same place with what is wrong there.
    #[must_use]
    pub fn error(self, message: impl Into<String>) -> ConfigError {
        ConfigError {
            place: self,
            message: message.into(),
        }
    }
}

impl fmt::Display for Place {
    /// `waystation.toml:12: providers.azure.base_url`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            f.write_str(file)?;
        }
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(key) = &self.key {
            let gap = if self.file.is_some() { ": " } else { "" };
            write!(f, "{gap}{key}")?;
        }
        Ok(())
    }
}

// === impl ConfigError ===

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place != Place::default() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)
    }
}

// === impl ConfigErrors ===

impl ConfigErrors {
    /// Every error; at least one.
    #[must_use]
    pub fn all(&self) -> &[ConfigError] {
        &self.0
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, error) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

/// Collects errors, so that one run reports them all.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<ConfigError>);

// === impl Problems ===

impl Problems {
    /// Notes `error`.
    pub(super) fn note(&mut self, error: ConfigError) {
        self.0.push(error);
    }

    /// Whether nothing was noted.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `value`, unless something was noted.
    pub(super) fn finish<T>(self, value: T) -> Result<T, ConfigErrors> {
        if self.0.is_empty() {
            return Ok(value);
        }
        Err(self.refuse())
    }

    /// What was noted, in the order of the file.
    pub(super) fn refuse(mut self) -> ConfigErrors {
        self.0.sort_by_key(|error| error.place.line);
        ConfigErrors(self.0)
    }
}
