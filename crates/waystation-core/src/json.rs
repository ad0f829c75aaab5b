//! JSON as a view over bytes: checked once, then walked without copying.
//!
//! [`Json::parse`] is the only door: one iterative pass that checks syntax, UTF-8 and nesting
//! depth. Whatever is inside a checked value is itself checked, so members and elements are found
//! by skipping, never by validating again. Nothing here builds a tree; a caller that wants one
//! uses `serde_json` on [`Json::bytes`].

mod block;
mod outline;
mod scan;
mod text;
mod walk;
mod words;
mod write;

pub use outline::Outline;
pub use scan::{MAX_DEPTH, ScanError};
pub use text::{JsonText, RawJson};
pub use write::{ObjectWriter, write_number};

use std::{
    borrow::Cow,
    fmt,
    hash::{Hash, Hasher},
};

use bytes::Bytes;

/// A checked JSON value, borrowed from the bytes that it was found in.
///
/// ```
/// use waystation_core::Json;
///
/// let value = Json::parse(br#"{"a": [1, "two"], "b": null}"#)?;
/// let list = value.get("a").expect("present");
/// assert_eq!(list.elements().nth(1).and_then(|two| two.string()).as_deref(), Some("two"));
/// # Ok::<(), waystation_core::ScanError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Json<'a> {
    text: &'a [u8],
    /// Where it stands in the outline of its text, if that was noted.
    place: outline::Place<'a>,
}

/// The six kinds of JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number, of any size: its text is kept.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        })
    }
}

// === impl Json ===

impl<'a> Json<'a> {
    /// Checks `bytes` as one JSON value, at most [`MAX_DEPTH`] levels deep.
    ///
    /// # Errors
    /// [`ScanError`] with the byte offset where the text stops being JSON.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ScanError> {
        scan::check(bytes, &mut ()).map(Self::plain)
    }

    /// Checks `bytes` as [`parse`](Self::parse) does and notes in `outline` where its values are: for a
    /// text that is walked more than once, and for texts that come one after the other, since an outline
    /// keeps its memory.
    ///
    /// # Errors
    /// [`ScanError`] with the byte offset where the text stops being JSON.
    ///
    /// ```
    /// use waystation_core::{Json, Outline};
    ///
    /// let mut outline = Outline::default();
    /// for (event, delta) in [(r#"{"delta": "a"}"#, "a"), (r#"{"delta": "b"}"#, "b")] {
    ///     let event = Json::outlined(event.as_bytes(), &mut outline)?;
    ///     assert!(event.get("delta").is_some_and(|found| found.is(delta)));
    /// }
    /// # Ok::<(), waystation_core::ScanError>(())
    /// ```
    pub fn outlined(bytes: &'a [u8], outline: &'a mut Outline) -> Result<Self, ScanError> {
        outline.clear(bytes.len());
        let text = scan::check(bytes, outline)?;
        let place = outline.root();
        Ok(Self { text, place })
    }

    /// How many notes the value takes in the outline of its text, where that has one.
    pub(crate) fn notes(self) -> Option<u32> {
        self.place.span()
    }

    /// The checked value that `text` is, which `outline` has under the number `note`.
    #[inline]
    pub(crate) fn part(text: &'a [u8], outline: &'a Outline, note: Option<u32>) -> Self {
        let place = note.map_or_else(outline::Place::default, |note| outline.place(note));
        Self { text, place }
    }

    /// Where in `whole`, which it was parsed from, the value stands.
    #[inline]
    pub(crate) fn place_in(self, whole: &[u8]) -> std::ops::Range<usize> {
        text::place(whole, self.text).unwrap_or_default()
    }

    /// Whether a value inside this one, however deep, may open with `bracket`: `false` is certain. Known
    /// from the outline; without one everything may be.
    pub(crate) fn may_hold(self, bracket: u8) -> bool {
        let inside = self.place.inside();
        inside.is_none_or(|steps| steps.any_begins_with(bracket, self.text))
    }

    /// A checked text of which nothing more is known.
    fn plain(text: &'a [u8]) -> Self {
        Self {
            text,
            place: outline::Place::default(),
        }
    }

    /// The value's own bytes, without surrounding white space.
    #[must_use]
    #[inline]
    pub const fn bytes(self) -> &'a [u8] {
        self.text
    }

    /// The value's text.
    #[must_use]
    pub fn text(self) -> Cow<'a, str> {
        text::utf8(self.text)
    }

    /// Which of the six kinds the value is.
    #[must_use]
    #[inline]
    pub fn kind(self) -> Kind {
        match self.text.first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// Whether the value is `null`.
    #[must_use]
    #[inline]
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The members of an object in their order; nothing for any other kind.
    #[must_use]
    #[inline]
    pub fn members(self) -> Members<'a> {
        Members(walk::Walk::inside(self, b'{'))
    }

    /// The elements of an array in their order; nothing for any other kind.
    #[must_use]
    #[inline]
    pub fn elements(self) -> Elements<'a> {
        Elements(walk::Walk::inside(self, b'['))
    }

    /// The first member called `key`. Linear in the object's size.
    #[must_use]
    #[inline]
    pub fn get(self, key: &str) -> Option<Self> {
        self.members()
            .find(|(found, _)| found.is(key))
            .map(|(_, value)| value)
    }

    /// The member at the end of a path of keys.
    #[must_use]
    pub fn at(self, path: &[&str]) -> Option<Self> {
        path.iter().try_fold(self, |value, key| value.get(key))
    }

    /// What stands between the quotes of a string, escapes as they are.
    #[must_use]
    #[inline]
    pub fn escaped(self) -> Option<&'a [u8]> {
        self.text.strip_prefix(b"\"")?.strip_suffix(b"\"")
    }

    /// The string that the value spells; lone surrogates become U+FFFD.
    #[must_use]
    pub fn string(self) -> Option<Cow<'a, str>> {
        self.escaped().map(text::decode)
    }

    /// The same in bytes: to be compared with words, which is all that many strings are for.
    #[must_use]
    #[inline]
    pub fn spelled(self) -> Option<Cow<'a, [u8]>> {
        self.escaped().map(text::decode_bytes)
    }

    /// Whether the value is a string that holds more than white space. Most begin with more.
    #[must_use]
    pub fn has_words(self) -> bool {
        match self.escaped() {
            Some([first, ..]) if first.is_ascii_graphic() && *first != b'\\' => true,
            Some(escaped) => !text::decode(escaped).trim().is_empty(),
            None => false,
        }
    }

    /// Whether the value is the string `text`, compared without decoding plain strings.
    #[must_use]
    #[inline]
    pub fn is(self, text: &str) -> bool {
        self.escaped().is_some_and(|found| text::same(found, text))
    }

    /// A number that is a whole, non-negative 64-bit integer (`3` and `3.0`, not `3.5`).
    #[must_use]
    #[inline]
    pub fn u64(self) -> Option<u64> {
        // Nothing but a number is digits.
        digits(self.text).or_else(|| digits(self.text.strip_suffix(b".0")?))
    }

    /// A number that is a whole 64-bit integer.
    #[must_use]
    pub fn i64(self) -> Option<i64> {
        if self.kind() != Kind::Number {
            return None;
        }
        let whole = self.text.strip_suffix(b".0").unwrap_or(self.text);
        match whole.strip_prefix(b"-") {
            Some(below) => 0_i64.checked_sub_unsigned(digits(below)?),
            None => digits(whole)?.try_into().ok(),
        }
    }

    /// A number, as a float.
    #[must_use]
    pub fn f64(self) -> Option<f64> {
        if self.kind() != Kind::Number {
            return None;
        }
        short_decimal(self.text).or_else(|| std::str::from_utf8(self.text).ok()?.parse().ok())
    }

    /// A boolean.
    #[must_use]
    #[inline]
    pub fn bool(self) -> Option<bool> {
        match self.text {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
    }

    /// The part of `whole` that this value stands in, sharing its memory.
    ///
    /// `whole` must be the buffer that the value was parsed from; from any other buffer the bytes
    /// are copied.
    #[must_use]
    pub fn slice_of(self, whole: &Bytes) -> Bytes {
        text::shared(whole, self.text)
    }

    /// The value as an owned [`RawJson`] that shares the memory of `whole`.
    #[must_use]
    pub fn raw(self, whole: &Bytes) -> RawJson {
        RawJson::checked(self.slice_of(whole))
    }

    /// A string value as an owned [`JsonText`] that shares the memory of `whole`.
    #[must_use]
    pub fn json_text(self, whole: &Bytes) -> Option<JsonText> {
        self.escaped()
            .map(|inside| JsonText::checked(text::shared(whole, inside)))
    }
}

impl PartialEq for Json<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Json<'_> {}

impl Hash for Json<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.text))
    }
}

/// A member's name, as it stands between its quotes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key<'a>(&'a [u8]);

impl<'a> Key<'a> {
    /// Whether the key spells `name`.
    #[must_use]
    #[inline]
    pub fn is(self, name: &str) -> bool {
        text::same(self.0, name)
    }

    /// The key's escaped bytes, without quotes.
    #[must_use]
    #[inline]
    pub const fn escaped(self) -> &'a [u8] {
        self.0
    }

    /// Where in `whole`, which it was parsed from, the key stands.
    #[inline]
    pub(crate) fn place_in(self, whole: &[u8]) -> std::ops::Range<usize> {
        text::place(whole, self.0).unwrap_or_default()
    }

    /// What the key spells, in bytes: to be compared with names, which is all that most keys are for.
    #[must_use]
    #[inline]
    pub fn spelled(self) -> Cow<'a, [u8]> {
        text::decode_bytes(self.0)
    }

    /// The key, decoded.
    #[must_use]
    pub fn name(self) -> Cow<'a, str> {
        text::decode(self.0)
    }
}

impl fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.name(), f)
    }
}

/// Walks the members of an object.
#[derive(Clone, Debug)]
pub struct Members<'a>(walk::Walk<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (Key<'a>, Json<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (key, value) = self.0.member()?;
        Some((Key(key), value))
    }
}

/// Walks the elements of an array; by default of an empty one.
#[derive(Clone, Debug, Default)]
pub struct Elements<'a>(walk::Walk<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = Json<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.value()
    }
}

/// The number that `text` spells, where it is digits and nothing else, and fits.
#[inline]
fn digits(text: &[u8]) -> Option<u64> {
    /// So many digits always fit.
    const FIT: usize = 19;
    if text.is_empty() {
        return None;
    }
    let (first, more) = text.split_at(text.len().min(FIT));
    let digit = |byte: &u8| u64::from(byte.wrapping_sub(b'0'));
    let mut number = 0_u64;
    for byte in first {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number * 10 + digit(byte);
    }
    more.iter().try_fold(number, |number, byte| {
        let digit = Some(digit(byte)).filter(|_| byte.is_ascii_digit())?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// The number that a short text of digits spells, with a point or without. Exact: mantissa and power of ten
/// are floats themselves, and a quotient of two floats is the float that is nearest.
/// Source: W. Clinger, How to Read Floating Point Numbers Accurately (1990).
fn short_decimal(text: &[u8]) -> Option<f64> {
    const TENS: [f64; 16] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ];
    if text.len() >= TENS.len() {
        return None;
    }
    let (mut mantissa, mut point) = (0_u64, text.len());
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => mantissa = mantissa * 10 + u64::from(byte - b'0'),
            b'.' => point = at + 1,
            _ => return None,
        }
    }
    Some(mantissa as f64 / TENS.get(text.len() - point)?)
}

/// Whether the escaped inside of a checked string spells `text`.
#[inline]
pub(crate) fn spells(escaped: &[u8], text: &str) -> bool {
    text::same(escaped, text)
}

/// What the escaped inside of a checked string spells.
pub(crate) fn spelled(escaped: &[u8]) -> Cow<'_, str> {
    text::decode(escaped)
}

#[cfg(test)]
mod tests;
