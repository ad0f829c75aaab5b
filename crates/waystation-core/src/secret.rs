//! Secrets that cannot be printed.

use std::{fmt, sync::Arc};

/// An API key or token. `Debug` shows dots, and there is no `Display` and no `Serialize`: the only
/// way to the text is [`Secret::expose`], which is easy to search for.
///
/// ```
/// use waystation_core::Secret;
/// assert_eq!(format!("{:?}", Secret::new("sk-1234")), "Secret(…)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

// === impl Secret ===

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text, for the one header or signature that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
