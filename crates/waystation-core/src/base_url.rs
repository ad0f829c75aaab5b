//! The address below which one upstream answers, and whole addresses below it. What stands below is each
//! dialect's to say.

use std::{fmt, ops::Deref, sync::OnceLock};

use http::Uri;

use crate::EncodeError;

/// Scheme, host and path prefix of an upstream.
///
/// It remembers the first address that was made of it, since a host has one for nearly all of its
/// requests.
#[derive(Clone)]
pub struct BaseUrl {
    text: String,
    made: OnceLock<(&'static str, Uri)>,
}

// === impl BaseUrl ===

impl BaseUrl {
    /// The address at `path`. A trailing slash of the base is nothing.
    ///
    /// ```
    /// use waystation_core::BaseUrl;
    ///
    /// let base = BaseUrl::from("https://api.example.com/v1/");
    /// assert_eq!(base.at("/chat")?.to_string(), "https://api.example.com/v1/chat");
    /// assert!(BaseUrl::from("example").at("/chat").is_err());
    /// # Ok::<(), waystation_core::EncodeError>(())
    /// ```
    ///
    /// # Errors
    /// [`EncodeError::Address`] when that is no absolute address.
    pub fn at(&self, path: &'static str) -> Result<Uri, EncodeError> {
        match self.made.get() {
            Some((known, address)) if *known == path => Ok(address.clone()),
            _ => {
                let text = format!("{}{path}", self.text.trim_end_matches('/'));
                let address = absolute(&text)?;
                // Whoever was first stays.
                let _ = self.made.set((path, address.clone()));
                Ok(address)
            }
        }
    }
}

/// The absolute address that `text` is.
///
/// # Errors
/// [`EncodeError::Address`] when it is none.
pub(crate) fn absolute(text: &str) -> Result<Uri, EncodeError> {
    let address = |reason: String| EncodeError::Address {
        setting: "base_url",
        reason,
    };
    let url: Uri = text.parse().map_err(|error| address(format!("{error}")))?;
    if url.scheme().is_none() || url.host().is_none_or(str::is_empty) {
        return Err(address(
            "expected scheme and host, as in https://api.example.com".into(),
        ));
    }
    Ok(url)
}

impl Deref for BaseUrl {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl From<String> for BaseUrl {
    fn from(text: String) -> Self {
        Self {
            text,
            made: OnceLock::new(),
        }
    }
}

impl From<&str> for BaseUrl {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// By what was said; what was made of it follows from that.
impl PartialEq for BaseUrl {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for BaseUrl {}

impl PartialEq<str> for BaseUrl {
    fn eq(&self, other: &str) -> bool {
        self.text == other
    }
}

impl PartialEq<&str> for BaseUrl {
    fn eq(&self, other: &&str) -> bool {
        self.text == *other
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}
