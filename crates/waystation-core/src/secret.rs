//! Secrets that cannot be printed.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use http::HeaderValue;

use crate::EncodeError;

/// An API key or token. `Debug` shows dots, and there is no `Display` and no `Serialize`: the only
/// ways to the text are [`Secret::expose`], which is easy to search for, and the header that carries it.
///
/// ```
/// use waystation_core::Secret;
/// assert_eq!(format!("{:?}", Secret::new("sk-1234")), "Secret(…)");
/// ```
#[derive(Clone)]
pub struct Secret(Arc<Held>);

struct Held {
    text: Box<str>,
    /// The first header that was made of it, and what stands before the text there.
    header: OnceLock<(&'static str, HeaderValue)>,
}

// === impl Secret ===

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Arc::new(Held {
            text: text.into(),
            header: OnceLock::new(),
        }))
    }

    /// The text, for the one signature that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0.text
    }

    /// The value of a header that holds the text behind `prefix` (`Bearer `), marked sensitive. The first
    /// one is remembered: a credential nearly always travels in one way.
    ///
    /// # Errors
    /// [`EncodeError::Credential`] when the text holds characters that no header can carry.
    pub fn header(&self, prefix: &'static str) -> Result<HeaderValue, EncodeError> {
        match self.0.header.get() {
            Some((known, value)) if *known == prefix => Ok(value.clone()),
            _ => {
                let text = format!("{prefix}{}", self.expose());
                let value = HeaderValue::from_str(&text);
                let mut value = value.map_err(|_| EncodeError::Credential {
                    expected: "a key of printable characters",
                })?;
                value.set_sensitive(true);
                // Whoever was first stays.
                let _ = self.0.header.set((prefix, value.clone()));
                Ok(value)
            }
        }
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
