//! Writes JSON objects member by member, for bodies that are mostly copied text.

use super::{JsonText, RawJson, text};

/// Appends one JSON object to a buffer.
///
/// Keys are written as given: they are this project's own names, not input.
///
/// ```
/// use waystation_core::ObjectWriter;
///
/// let mut out = Vec::new();
/// let mut object = ObjectWriter::open(&mut out);
/// object.string("model", "acme/\"fast\"").number("n", 2);
/// object.close();
/// assert_eq!(out, br#"{"model":"acme/\"fast\"","n":2}"#);
/// ```
#[derive(Debug)]
pub struct ObjectWriter<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

/// Appends a whole number.
pub(crate) fn write_number(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

// === impl ObjectWriter ===

impl<'a> ObjectWriter<'a> {
    /// Writes the opening brace.
    pub fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Writes `key` and its colon, and lends the buffer for the value.
    pub fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.escaped_key(key.as_bytes())
    }

    /// The same for a key that is already escaped (one copied from input).
    pub fn escaped_key(&mut self, key: &[u8]) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(key);
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// A string member, escaped here.
    pub fn string(&mut self, key: &str, value: &str) -> &mut Self {
        let out = self.key(key);
        out.push(b'"');
        text::escape_into(value, out);
        out.push(b'"');
        self
    }

    /// A string member that is escaped already.
    pub fn text(&mut self, key: &str, value: &JsonText) -> &mut Self {
        let out = self.key(key);
        out.push(b'"');
        out.extend_from_slice(value.escaped());
        out.push(b'"');
        self
    }

    /// A member whose value is JSON already.
    pub fn raw(&mut self, key: &str, value: &[u8]) -> &mut Self {
        self.key(key).extend_from_slice(value);
        self
    }

    /// A member whose value is JSON already.
    pub fn json(&mut self, key: &str, value: &RawJson) -> &mut Self {
        self.raw(key, value.bytes())
    }

    /// A whole number.
    pub fn number(&mut self, key: &str, value: u64) -> &mut Self {
        write_number(value, self.key(key));
        self
    }

    /// A boolean.
    pub fn bool(&mut self, key: &str, value: bool) -> &mut Self {
        self.raw(key, if value { b"true" } else { b"false" })
    }

    /// `null`.
    pub fn null(&mut self, key: &str) -> &mut Self {
        self.raw(key, b"null")
    }

    /// An object as the member's value.
    pub fn object(&mut self, key: &str) -> ObjectWriter<'_> {
        ObjectWriter::open(self.key(key))
    }

    /// Writes the closing brace.
    pub fn close(self) {
        self.out.push(b'}');
    }
}
