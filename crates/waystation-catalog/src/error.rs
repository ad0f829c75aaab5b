//! Why a catalogue cannot be made, and what deserves a warning. Where a row is at fault, the error
//! names it; which line of which file that is, is the reader's to say.

use std::{fmt, io};

use waystation_core::{ModelId, ParseModelError, ParseMoneyError, ParseNameError};

/// Why a catalogue cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The embedded form is not gzip.
    #[error("the embedded catalogue cannot be unpacked: {0}")]
    Unpack(#[source] io::Error),
    /// The embedded form is not what this version writes.
    #[error("the catalogue's JSON cannot be read: {0}")]
    Json(#[source] serde_json::Error),
    /// A file of the source tree cannot be read.
    #[error("the catalogue's TOML cannot be read: {0}")]
    Toml(#[source] Box<toml::de::Error>),
    /// A row or a change is wrong.
    #[error("{at}: {why}")]
    Row {
        /// Which: a path such as `models[0].endpoints[1].provider`, or a row by its id.
        at: String,
        /// What is wrong with it.
        #[source]
        why: RowError,
    },
}

/// What is wrong with a row or a change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowError {
    /// Not a name.
    #[error(transparent)]
    Name(#[from] ParseNameError),
    /// Not a model id.
    #[error(transparent)]
    Model(#[from] ParseModelError),
    /// Not an amount of money.
    #[error(transparent)]
    Money(#[from] ParseMoneyError),
    /// A price from 1000 USD per million tokens up, which no vendor asks: a slip of the unit.
    #[error("expected a price below 1000 USD per million tokens, found {found}")]
    Dear {
        /// The price.
        found: String,
    },
    /// A limit of zero tokens.
    #[error("expected a number of tokens from 1 up, found 0")]
    Zero,
    /// A value that is not one of a vocabulary.
    #[error("expected {expected}, found {found:?}")]
    Unknown {
        /// What may stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A field that must be there.
    #[error("`{field}` is required: {reason}")]
    Missing {
        /// The field.
        field: &'static str,
        /// Why it must be there.
        reason: &'static str,
    },
    /// Two rows of one name.
    #[error("{name:?} is there twice")]
    Twice {
        /// The name.
        name: String,
    },
    /// A provider that no row defines.
    #[error("no provider is called {found:?}{}", Near(nearest.as_deref()))]
    NoProvider {
        /// The name.
        found: String,
        /// The nearest known one.
        nearest: Option<String>,
    },
    /// An alias of a model that is not there.
    #[error("no model is called {found:?}{}", Near(nearest.as_deref()))]
    NoModel {
        /// The name.
        found: String,
        /// The nearest known one.
        nearest: Option<String>,
    },
    /// A private id with a colon, which clients would read as a suffix.
    #[error("a model id of your own cannot hold `:`, which starts a suffix; write {proposal:?}")]
    Colon {
        /// A spelling without.
        proposal: String,
    },
    /// An override that selects by nothing.
    #[error("expected `match` to name a model or a provider, found neither")]
    NoMatch,
}

/// Something in a change that has no effect, or more than may be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Which change: a path such as `overrides[2]`.
    pub at: String,
    /// What is odd about it.
    pub message: String,
}

struct Near<'a>(Option<&'a str>);

impl fmt::Display for Near<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, "; did you mean {name:?}?"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

// === impl RowError ===

impl RowError {
    pub(crate) fn at(self, at: impl Into<String>) -> CatalogError {
        CatalogError::Row {
            at: at.into(),
            why: self,
        }
    }

    pub(crate) fn colon(id: &ModelId) -> Self {
        Self::Colon {
            proposal: id.as_str().replace(':', "-"),
        }
    }
}

// === impl CatalogError ===

impl CatalogError {
    /// Which row or change is at fault, where one is.
    #[must_use]
    pub fn at(&self) -> Option<&str> {
        match self {
            Self::Row { at, .. } => Some(at),
            Self::Unpack(_) | Self::Json(_) | Self::Toml(_) => None,
        }
    }
}
