//! The headers of one message, as a list: there are a handful of them, and looking through a list costs less
//! than a table that hashes. What they say is others' to know.

use std::ops::Index;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers in the order in which they came in. Of a name that is there twice, the first counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(HeaderName, HeaderValue)>);

// === impl Headers ===

impl Headers {
    /// None yet, with room for so many.
    #[must_use]
    pub fn with_room(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// Adds a header behind all others, without looking for another of its name.
    pub fn append(&mut self, name: HeaderName, value: HeaderValue) {
        self.0.push((name, value));
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

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Name and value of each, to change the value.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&HeaderName, &mut HeaderValue)> {
        self.0.iter_mut().map(|(name, value)| (&*name, value))
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

impl FromIterator<(HeaderName, HeaderValue)> for Headers {
    fn from_iter<I: IntoIterator<Item = (HeaderName, HeaderValue)>>(headers: I) -> Self {
        Self(headers.into_iter().collect())
    }
}

impl From<&HeaderMap> for Headers {
    fn from(map: &HeaderMap) -> Self {
        let pairs = map.iter();
        pairs
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

impl From<Headers> for HeaderMap {
    fn from(headers: Headers) -> Self {
        let mut map = Self::with_capacity(headers.0.len());
        for (name, value) in headers.0 {
            map.append(name, value);
        }
        map
    }
}
