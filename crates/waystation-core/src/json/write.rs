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
/// object.string("model", "acme/\"fast\"").number("n", 2).fixed(r#""logprobs":null"#);
/// object.close();
/// assert_eq!(out, br#"{"model":"acme/\"fast\"","n":2,"logprobs":null}"#);
/// ```
#[derive(Debug)]
pub struct ObjectWriter<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

/// Appends a whole number.
#[inline]
pub fn write_number(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

// === impl ObjectWriter ===

impl<'a> ObjectWriter<'a> {
    /// Writes the opening brace.
    #[inline]
    pub fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Writes `key` and its colon, and lends the buffer for the value.
    #[inline]
    pub fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.escaped_key(key.as_bytes())
    }

    /// The same for a key that is already escaped (one copied from input).
    #[inline]
    pub fn escaped_key(&mut self, key: &[u8]) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(key);
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// Members that are always the same, as they are to stand in the text.
    #[inline]
    pub fn fixed(&mut self, members: &'static str) -> &mut Self {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
        self.out.extend_from_slice(members.as_bytes());
        self
    }

    /// A string member, escaped here.
    #[inline]
    pub fn string(&mut self, key: &str, value: &str) -> &mut Self {
        let out = self.key(key);
        out.push(b'"');
        text::escape_into(value, out);
        out.push(b'"');
        self
    }

    /// A string member that needs no escapes: a name of this project's own, or of a type that has none.
    #[inline]
    pub fn plain(&mut self, key: &str, value: &str) -> &mut Self {
        debug_assert_eq!(JsonText::of(value).escaped(), value.as_bytes());
        let out = self.key(key);
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
        self
    }

    /// A string member that is escaped already.
    #[inline]
    pub fn text(&mut self, key: &str, value: &JsonText) -> &mut Self {
        let out = self.key(key);
        out.push(b'"');
        out.extend_from_slice(value.escaped());
        out.push(b'"');
        self
    }

    /// A member whose value is JSON already.
    #[inline]
    pub fn raw(&mut self, key: &str, value: &[u8]) -> &mut Self {
        self.key(key).extend_from_slice(value);
        self
    }

    /// A member whose value is JSON already.
    #[inline]
    pub fn json(&mut self, key: &str, value: &RawJson) -> &mut Self {
        self.raw(key, value.bytes())
    }

    /// A whole number.
    #[inline]
    pub fn number(&mut self, key: &str, value: u64) -> &mut Self {
        write_number(value, self.key(key));
        self
    }

    /// A boolean.
    #[inline]
    pub fn bool(&mut self, key: &str, value: bool) -> &mut Self {
        self.raw(key, if value { b"true" } else { b"false" })
    }

    /// `null`.
    #[inline]
    pub fn null(&mut self, key: &str) -> &mut Self {
        self.raw(key, b"null")
    }

    /// An object as the member's value.
    #[inline]
    pub fn object(&mut self, key: &str) -> ObjectWriter<'_> {
        ObjectWriter::open(self.key(key))
    }

    /// Lends the buffer for members that bring what stands before them, comma included: for texts that
    /// nearly always have the same ones. Some member must be there already.
    ///
    /// ```
    /// use waystation_core::{ObjectWriter, write_number};
    ///
    /// let mut out = Vec::new();
    /// let mut object = ObjectWriter::open(&mut out);
    /// object.plain("object", "count");
    /// let more = object.more();
    /// more.extend_from_slice(br#","value":"#);
    /// write_number(7, more);
    /// object.null("unit");
    /// object.close();
    /// assert_eq!(out, br#"{"object":"count","value":7,"unit":null}"#);
    /// ```
    #[inline]
    pub fn more(&mut self) -> &mut Vec<u8> {
        debug_assert!(!self.empty, "the first member has no comma before it");
        self.out
    }

    /// Writes the closing brace.
    #[inline]
    pub fn close(self) {
        self.out.push(b'}');
    }
}
