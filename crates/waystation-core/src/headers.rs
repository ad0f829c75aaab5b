//! The headers of one request, as a list: there are a handful of them, and each is written once. What they
//! say is others' to know.

use std::ops::Index;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers in the order in which they came in, no name twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(HeaderName, HeaderValue)>);

// === impl Headers ===

impl Headers {
    /// None yet, with room for as many as requests to upstreams have.
    #[must_use]
    pub fn with_room() -> Self {
        Self(Vec::with_capacity(6))
    }

    /// Sets the header `name`.
    pub fn insert(&mut self, name: HeaderName, value: HeaderValue) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
    }

    /// The header `name`, in lower case as header names are.
    ///
    /// ```
    /// use http::{HeaderValue, header};
    /// use waystation_core::Headers;
    ///
    /// let mut headers = Headers::default();
    /// headers.insert(header::ACCEPT, HeaderValue::from_static("text/plain"));
    /// headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    /// assert_eq!(headers.get("accept").unwrap(), "*/*");
    /// assert_eq!((headers.iter().count(), headers.get(header::HOST)), (1, None));
    /// ```
    #[must_use]
    pub fn get(&self, name: impl AsRef<str>) -> Option<&HeaderValue> {
        let mut found = self.0.iter();
        let found = found.find(|(known, _)| known.as_str() == name.as_ref());
        found.map(|(_, value)| value)
    }

    /// Whether the header `name` is set.
    #[must_use]
    pub fn contains_key(&self, name: impl AsRef<str>) -> bool {
        self.get(name).is_some()
    }

    /// Takes the header `name` out.
    pub fn remove(&mut self, name: impl AsRef<str>) {
        self.0.retain(|(known, _)| known.as_str() != name.as_ref());
    }

    /// Takes all of them out.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Name and value of each.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

impl<N: AsRef<str>> Index<N> for Headers {
    type Output = HeaderValue;

    /// The header `name`; an empty one where it is not set.
    fn index(&self, name: N) -> &HeaderValue {
        static NONE: HeaderValue = HeaderValue::from_static("");
        self.get(name).unwrap_or(&NONE)
    }
}

impl From<HeaderMap> for Headers {
    /// Of headers that are there several times the last stays.
    fn from(map: HeaderMap) -> Self {
        let mut headers = Self::default();
        for (name, value) in &map {
            headers.insert(name.clone(), value.clone());
        }
        headers
    }
}

impl From<Headers> for HeaderMap {
    fn from(headers: Headers) -> Self {
        headers.0.into_iter().collect()
    }
}
