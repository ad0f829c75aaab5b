//! The process's environment: the only place of the project that reads it.
//!
//! It is captured once and handed on as a value, so that tests and embedders bring their own. What
//! a variable means is decided elsewhere, `${…}` apart.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use super::failure::{ConfigError, Place};

/// Variables of the environment, and those of an `--env-file`. `Debug` shows names only.
///
/// ```
/// use waystation_server::config::Environment;
///
/// let env = Environment::from_iter([("OPENAI_API_KEY", "sk-1"), ("EMPTY", "")]);
/// assert_eq!(env.get("OPENAI_API_KEY"), Some("sk-1"));
/// assert_eq!(env.get("EMPTY"), None);
/// assert_eq!(format!("{env:?}"), r#"{"EMPTY", "OPENAI_API_KEY"}"#);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

/// What stands for one `${…}`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expanded {
    /// The text.
    pub(super) text: String,
    /// It came from outside of the config file and may be a secret.
    pub(super) foreign: bool,
}

// === impl Environment ===

impl Environment {
    /// The process's variables as they are now. Those that are no UTF-8 are left out.
    #[must_use]
    pub fn capture() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of `name`; an empty one counts as unset.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// The first of `names` that is set, with its value.
    pub fn first<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Option<(&'a str, &str)> {
        names
            .into_iter()
            .find_map(|name| self.get(name).map(|value| (name, value)))
    }

    /// The filter of logs: `WAYSTATION_LOG`, else `RUST_LOG`.
    #[must_use]
    pub fn log_filter(&self) -> Option<&str> {
        self.first(["WAYSTATION_LOG", "RUST_LOG"])
            .map(|(_, filter)| filter)
    }

    /// Adds the variables of a file of `KEY=VALUE` lines; those that are set already stay.
    ///
    /// Empty lines and lines that begin with `#` are passed over, a leading `export ` is allowed,
    /// and a value may stand in single or double quotes, which are taken off. Nothing is expanded.
    ///
    /// # Errors
    /// [`ConfigError`] when the file cannot be read or a line is not `KEY=VALUE`.
    pub fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let file = path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|error| Place::flag("--env-file").error(unreadable(path, &error)))?;
        for (line, at) in text.lines().zip(1..) {
            let place = || Place {
                file: Some(file.as_str().into()),
                line: Some(at),
                key: None,
            };
            if let Some((name, value)) = assignment(line).map_err(|found| place().error(found))? {
                self.0.entry(name.into()).or_insert_with(|| value.into());
            }
        }
        Ok(())
    }

    /// The text of `${reference}`: `NAME`, `NAME:-default` or `file:/path`.
    pub(super) fn expand(&self, reference: &str) -> Result<Expanded, String> {
        if let Some(path) = reference.strip_prefix("file:") {
            let path = Path::new(path);
            let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
            let text = text.trim_end_matches(['\r', '\n']).to_owned();
            if text.is_empty() {
                let path = path.display();
                return Err(format!("expected a text in the file {path}, found nothing"));
            }
            return Ok(Expanded {
                text,
                foreign: true,
            });
        }
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (reference, None),
        };
        if !is_name(name) {
            return Err(format!(
                "expected `${{NAME}}`, `${{NAME:-default}}` or `${{file:/path}}`, found `${{{reference}}}`"
            ));
        }
        match (self.get(name), default) {
            (Some(value), _) => Ok(Expanded {
                text: value.into(),
                foreign: true,
            }),
            (None, Some(default)) => Ok(Expanded {
                text: default.into(),
                foreign: false,
            }),
            (None, None) => Err(format!(
                "expected the environment variable {name} to have a value, found it {}; set it, \
                 or write `${{{name}:-default}}`",
                if self.0.contains_key(name) {
                    "empty"
                } else {
                    "unset"
                }
            )),
        }
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let owned = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        Self(owned.collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Splits one line of an env file; `None` for a line that says nothing.
fn assignment(line: &str) -> Result<Option<(&str, &str)>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = line.strip_prefix("export ").unwrap_or(line);
    // What stands on a wrong line may be a secret and is not repeated.
    let (name, value) = line
        .split_once('=')
        .ok_or("expected KEY=VALUE, found a line without `=`")?;
    let name = name.trim();
    if !is_name(name) {
        return Err("expected KEY=VALUE, where KEY is letters, digits and `_`".into());
    }
    let value = value.trim();
    let quoted = ['"', '\''].iter().find_map(|quote| {
        let inner = value.strip_prefix(*quote)?.strip_suffix(*quote)?;
        Some(inner)
    });
    Ok(Some((name, quoted.unwrap_or(value))))
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!(
        "expected a readable file, found {}: {error}",
        path.display()
    )
}
