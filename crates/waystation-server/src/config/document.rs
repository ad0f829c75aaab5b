//! A TOML text as a tree whose strings are interpolated and whose keys know their lines.
//!
//! Knows TOML and `${…}`, and nothing of which keys exist: that is `raw`, read through `shape`.

use std::{collections::HashMap, ops::Range, sync::Arc};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    environment::Environment,
    failure::{ConfigError, Place},
};

/// One value. Numbers keep their text, so that money never becomes a float.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    /// A string, interpolated.
    Text(String),
    /// A whole number in decimal.
    Integer(String),
    /// Any other number, as JSON would write it.
    Float(String),
    /// `true` or `false`.
    Bool(bool),
    /// A date or time: no key takes one.
    Datetime(String),
    /// An array.
    List(Vec<Self>),
    /// A table, in the order of the file's keys.
    Table(Vec<(String, Self)>),
}

/// A whole file.
#[derive(Debug)]
pub(super) struct Document {
    /// Its values.
    pub(super) root: Tree,
    /// Its lines.
    pub(super) places: Places,
}

/// Where each key of a file stands, and which texts in it must not be shown.
#[derive(Debug, Default)]
pub(super) struct Places {
    file: Arc<str>,
    lines: HashMap<String, u32>,
    /// Texts that came from outside of the file, with what stands for them there.
    foreign: Vec<(String, String)>,
}

/// The longest foreign text that is left readable in a message: too short to be a secret.
const SHORT: usize = 3;

// === impl Document ===

impl Document {
    /// Reads `text`, the content of `file`.
    pub(super) fn parse(file: &str, text: &str, env: &Environment) -> Result<Self, ConfigError> {
        let lines = Lines::of(text);
        let table = DeTable::parse(text).map_err(|error| syntax(file, text, &lines, &error))?;
        let mut reader = Reader {
            env,
            lines,
            places: Places {
                file: file.into(),
                ..Places::default()
            },
        };
        let root = reader.table("", table.get_ref())?;
        Ok(Self {
            root,
            places: reader.places,
        })
    }
}

/// An error of the TOML grammar itself.
fn syntax(file: &str, text: &str, lines: &Lines, error: &toml::de::Error) -> ConfigError {
    let span = error.span().unwrap_or_default();
    // A duplicate key is the one grammar error whose span is a key.
    let key = text
        .get(span.clone())
        .filter(|_| error.message().contains("key"))
        .map(str::trim)
        .filter(|key| !key.is_empty() && !key.contains('\n'));
    let place = Place {
        file: Some(file.into()),
        line: Some(lines.at(span.start)),
        key: key.map(Into::into),
    };
    place.error(format!("expected TOML: {}", error.message()))
}

// === impl Places ===

impl Places {
    /// The place of the key at `path`, or of the nearest table around it that the file has.
    pub(super) fn of(&self, path: &str) -> Place {
        let mut around = path;
        let line = loop {
            if let Some(line) = self.lines.get(around) {
                break Some(*line);
            }
            match around.rfind(['.', '[']) {
                Some(end) => around = around.get(..end).unwrap_or_default(),
                None => break None,
            }
        };
        Place {
            file: Some(self.file.clone()),
            line,
            key: Some(path.into()),
        }
    }

    /// An error at `path` of the file.
    pub(super) fn error(&self, path: &str, message: &str) -> ConfigError {
        self.of(path).error(self.hidden(message))
    }

    /// `message` with the texts that came from outside of the file as the file has them.
    pub(super) fn hidden(&self, message: &str) -> String {
        let mut message = message.to_owned();
        for (value, name) in &self.foreign {
            message = message.replace(value, name);
        }
        message
    }
}

/// Joins the path of a table and a key in it.
pub(super) fn join(path: &str, key: &str) -> String {
    let plain = !key.is_empty()
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    match (path.is_empty(), plain) {
        (true, true) => key.into(),
        (true, false) => format!("{key:?}"),
        (false, true) => format!("{path}.{key}"),
        (false, false) => format!("{path}.{key:?}"),
    }
}

/// The path of the element at `place` of the list at `path`.
pub(super) fn element(path: &str, place: usize) -> String {
    format!("{path}[{place}]")
}

struct Reader<'a> {
    env: &'a Environment,
    lines: Lines,
    places: Places,
}

// === impl Reader ===

impl Reader<'_> {
    fn table(&mut self, path: &str, table: &DeTable<'_>) -> Result<Tree, ConfigError> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut members = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let path = join(path, key.get_ref());
            self.places
                .lines
                .insert(path.clone(), self.lines.at(key.span().start));
            members.push((key.get_ref().to_string(), self.value(&path, value)?));
        }
        Ok(Tree::Table(members))
    }

    fn value(&mut self, path: &str, value: &Spanned<DeValue<'_>>) -> Result<Tree, ConfigError> {
        Ok(match value.get_ref() {
            DeValue::String(text) => Tree::Text(self.interpolate(path, text, &value.span())?),
            DeValue::Integer(number) => {
                let digits = number.as_str().replace('_', "");
                let whole = i128::from_str_radix(&digits, number.radix());
                let whole = whole.map_err(|_| {
                    self.places
                        .error(path, &format!("expected a number, found {digits}"))
                })?;
                Tree::Integer(whole.to_string())
            }
            DeValue::Float(number) => {
                let digits = number.as_str().replace('_', "");
                Tree::Float(digits.trim_start_matches('+').into())
            }
            DeValue::Boolean(yes) => Tree::Bool(*yes),
            DeValue::Datetime(time) => Tree::Datetime(time.to_string()),
            DeValue::Array(values) => {
                let mut list = Vec::with_capacity(values.len());
                for (place, value) in values.iter().enumerate() {
                    let path = element(path, place);
                    let line = self.lines.at(value.span().start);
                    self.places.lines.insert(path.clone(), line);
                    list.push(self.value(&path, value)?);
                }
                Tree::List(list)
            }
            DeValue::Table(table) => self.table(path, table)?,
        })
    }

    /// Replaces every `${…}` of `text`.
    fn interpolate(
        &mut self,
        path: &str,
        text: &str,
        span: &Range<usize>,
    ) -> Result<String, ConfigError> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            if out.ends_with('$') {
                out.push('{');
                rest = after;
                continue;
            }
            let Some((name, tail)) = after.split_once('}') else {
                let message = "expected `}` after `${` (write `$${` for the two characters alone)";
                return Err(self.at(path, span, message));
            };
            let found = match self.env.expand(name) {
                Ok(found) => found,
                Err(message) => return Err(self.at(path, span, &message)),
            };
            if found.foreign && found.text.len() > SHORT {
                let shown = format!("${{{name}}}");
                self.places.foreign.push((found.text.clone(), shown));
            }
            out.push_str(&found.text);
            rest = tail;
        }
        out.push_str(rest);
        Ok(out)
    }

    /// An error on the line of the value itself, which may be below its key's.
    fn at(&self, path: &str, span: &Range<usize>, message: &str) -> ConfigError {
        let mut error = self.places.error(path, message);
        error.place.line = Some(self.lines.at(span.start));
        error
    }
}

/// Where lines begin.
struct Lines(Vec<usize>);

// === impl Lines ===

impl Lines {
    fn of(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(breaks.map(|(at, _)| at).collect())
    }

    /// The line of the byte at `at`, from 1.
    fn at(&self, at: usize) -> u32 {
        let before = self.0.partition_point(|line_break| *line_break < at);
        u32::try_from(before).map_or(u32::MAX, |line| line.saturating_add(1))
    }
}
