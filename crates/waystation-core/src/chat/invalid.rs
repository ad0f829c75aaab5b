//! What is wrong with a request, in words that name the field and the fix.

use crate::{ErrorType, Json, nearest};

/// A request that is refused before anything is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", self.prefix())]
pub struct InvalidRequest {
    /// The kind; 400 unless it says otherwise.
    pub kind: ErrorType,
    /// Path of the offending member (`messages[2].content`), empty for the body itself.
    pub field: String,
    /// What was expected and what was found.
    pub message: String,
}

// === impl InvalidRequest ===

impl InvalidRequest {
    /// A plain 400.
    #[must_use]
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind: ErrorType::InvalidRequest,
            field: field.into(),
            message: message.into(),
        }
    }

    /// `expected`, but something else stands there.
    #[must_use]
    pub fn expected(field: impl Into<String>, expected: &str, found: Json<'_>) -> Self {
        let text = found.text();
        let shown = match text.char_indices().nth(40) {
            Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or_default()),
            None => text.into_owned(),
        };
        Self::new(field, format!("expected {expected}, found {shown}"))
    }

    /// A key that does not exist, with the nearest that does.
    #[must_use]
    pub fn unknown_key<'a>(
        field: impl Into<String>,
        found: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        let hint = match nearest(found, known.iter().copied()) {
            Some(name) => format!("did you mean {name:?}?"),
            None => format!("known keys are {}", known.join(", ")),
        };
        Self::new(field, format!("unknown key {found:?}; {hint}"))
    }

    fn prefix(&self) -> String {
        if self.field.is_empty() {
            String::new()
        } else {
            format!("{}: ", self.field)
        }
    }
}
