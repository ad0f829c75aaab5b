//! Owned pieces of JSON that share the buffer they were read from.

use std::{borrow::Cow, fmt, ops::Range};

use bytes::Bytes;
use memchr::memchr;

use super::{
    Json, ScanError,
    block::{has_backslash, plain_run},
    scan::end_of_string,
};

/// Text as it stands between the quotes of a JSON string, escapes included.
///
/// A reply's text travels from the upstream's bytes to the client's bytes in this form: it is
/// never unescaped and escaped again, and a character that an upstream cuts into two escapes
/// (`\ud83d` and `\ude00` in two events) is whole again when the pieces are joined.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct JsonText(Bytes);

// === impl JsonText ===

impl JsonText {
    /// Escapes `text`.
    ///
    /// ```
    /// use waystation_core::JsonText;
    /// assert_eq!(JsonText::of("say \"hi\"\n").escaped(), br#"say \"hi\"\n"#);
    /// ```
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut out = Vec::with_capacity(text.len());
        escape_into(text, &mut out);
        Self(out.into())
    }

    /// Text that needs no escapes: identifiers and the like. Anything else is escaped by [`of`].
    ///
    /// [`of`]: Self::of
    #[must_use]
    pub fn from_static(text: &'static str) -> Self {
        if text
            .bytes()
            .all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
        {
            return Self(Bytes::from_static(text.as_bytes()));
        }
        Self::of(text)
    }

    /// Only for bytes from inside a checked string.
    pub(super) const fn checked(inside: Bytes) -> Self {
        Self(inside)
    }

    /// The string whose inside begins at `start` of `whole`, checked and sharing its memory; `None` where
    /// none ends behind it.
    ///
    /// ```
    /// use waystation_core::JsonText;
    ///
    /// let text = JsonText::within(&r#"{"a":"b\nc"}"#.into(), 6).unwrap();
    /// assert_eq!(text.decode(), "b\nc");
    /// assert_eq!(JsonText::within(&r#"{"a":"b"#.into(), 6), None);
    /// ```
    #[must_use]
    pub fn within(whole: &Bytes, start: usize) -> Option<Self> {
        let end = end_of_string(whole, start)?;
        Some(Self(whole.slice(start..end)))
    }

    /// The escaped bytes, ready to stand between quotes.
    #[must_use]
    pub fn escaped(&self) -> &[u8] {
        &self.0
    }

    /// The escaped bytes, shared.
    #[must_use]
    pub fn shared(&self) -> Bytes {
        self.0.clone()
    }

    /// The text; lone surrogates become U+FFFD. Free when there are no escapes.
    #[must_use]
    pub fn decode(&self) -> Cow<'_, str> {
        decode(&self.0)
    }

    /// Whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Length of the escaped form in bytes: never less than the text's own length in UTF-8 for
    /// plain text, and at most twelve times it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The pieces joined. A single piece is shared, not copied.
    #[must_use]
    pub fn join(pieces: &[Self]) -> Self {
        match pieces {
            [] => Self::default(),
            [one] => one.clone(),
            many => {
                let mut out = Vec::with_capacity(many.iter().map(Self::len).sum());
                for piece in many {
                    out.extend_from_slice(&piece.0);
                }
                Self(out.into())
            }
        }
    }

    /// The text as a JSON value, quotes included.
    #[must_use]
    pub fn quoted(&self) -> RawJson {
        let mut out = Vec::with_capacity(self.0.len() + 2);
        out.push(b'"');
        out.extend_from_slice(&self.0);
        out.push(b'"');
        RawJson::checked(out.into())
    }
}

impl From<&str> for JsonText {
    fn from(text: &str) -> Self {
        Self::of(text)
    }
}

impl fmt::Debug for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.decode(), f)
    }
}

/// One JSON value as text, checked when it was made.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RawJson(Bytes);

// === impl RawJson ===

impl RawJson {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`ScanError`] when `text` is not one JSON value.
    pub fn parse(text: &Bytes) -> Result<Self, ScanError> {
        let value = Json::parse(text)?;
        Ok(value.raw(text))
    }

    /// Writes a serialisable value. Values that JSON cannot spell (maps with non-string keys)
    /// become `null`.
    #[must_use]
    pub fn of<T: serde::Serialize + ?Sized>(value: &T) -> Self {
        serde_json::to_vec(value).map_or_else(|_| Self::null(), |text| Self::checked(text.into()))
    }

    /// `null`.
    #[must_use]
    pub const fn null() -> Self {
        Self::checked(Bytes::from_static(b"null"))
    }

    /// Only for bytes that a scan has checked, or that a writer of this crate has made.
    pub(crate) const fn checked(text: Bytes) -> Self {
        Self(text)
    }

    /// The value, to look into.
    #[must_use]
    pub fn json(&self) -> Json<'_> {
        Json::plain(&self.0)
    }

    /// The value's text, shared.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.0
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.json(), f)
    }
}

/// Checked bytes as text. What has been checked is UTF-8, and finding that so again is quick.
pub(super) fn utf8(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// Whether the escaped bytes `found` spell `text`.
#[inline]
pub(super) fn same(found: &[u8], text: &str) -> bool {
    // An escape is longer than what it spells: with the same length nothing but the same bytes fits.
    if found.len() <= text.len() {
        return found == text.as_bytes();
    }
    // A longer one spells it only by an escape, and what stands before that is the same.
    let mut pairs = found.iter().zip(text.as_bytes());
    let parts = pairs.find(|(found, wanted)| found != wanted || **found == b'\\');
    match parts {
        Some((b'\\', _)) => decode(found) == text,
        _ => false,
    }
}

/// Where `part` stands in `whole`; none where it is no part of it.
#[inline]
pub(super) fn place(whole: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some(start..end)
}

/// `part` as a slice of `whole`, sharing memory when it lies inside.
pub(super) fn shared(whole: &Bytes, part: &[u8]) -> Bytes {
    match place(whole, part) {
        Some(place) => whole.slice(place),
        None => Bytes::copy_from_slice(part),
    }
}

/// Unescapes the inside of a checked string.
pub(super) fn decode(escaped: &[u8]) -> Cow<'_, str> {
    if has_backslash(escaped) {
        Cow::Owned(unescape(escaped))
    } else {
        utf8(escaped)
    }
}

/// The same as bytes, which need not be looked at once more to be text.
#[inline]
pub(super) fn decode_bytes(escaped: &[u8]) -> Cow<'_, [u8]> {
    if has_backslash(escaped) {
        Cow::Owned(unescape(escaped).into_bytes())
    } else {
        Cow::Borrowed(escaped)
    }
}

/// The same where there are escapes.
#[inline(never)]
fn unescape(escaped: &[u8]) -> String {
    let mut out = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some(at) = memchr(b'\\', rest) {
        let (plain, tail) = rest.split_at(at);
        out.extend_from_slice(plain);
        let (character, used) = escape(tail);
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        rest = tail.get(used..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    match String::from_utf8(out) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}

/// The character that the escape at the start of `text` spells, and its length.
fn escape(text: &[u8]) -> (char, usize) {
    let simple = |character| (character, 2);
    match text.get(1) {
        Some(b'n') => simple('\n'),
        Some(b't') => simple('\t'),
        Some(b'r') => simple('\r'),
        Some(b'b') => simple('\u{8}'),
        Some(b'f') => simple('\u{c}'),
        Some(b'u') => unicode_escape(text),
        Some(other) => simple(char::from(*other)),
        None => (char::REPLACEMENT_CHARACTER, 1),
    }
}

fn unicode_escape(text: &[u8]) -> (char, usize) {
    let Some(first) = hex4(text.get(2..6)) else {
        return (char::REPLACEMENT_CHARACTER, text.len());
    };
    if let Some(character) = char::from_u32(first) {
        return (character, 6);
    }
    let second = (text.get(6..8) == Some(b"\\u"))
        .then(|| hex4(text.get(8..12)))
        .flatten();
    match second {
        Some(low @ 0xDC00..=0xDFFF) if first < 0xDC00 => {
            let code = 0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00);
            (
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
                12,
            )
        }
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}

fn hex4(digits: Option<&[u8]>) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits?).ok()?, 16).ok()
}

/// Appends `text`, escaped for the inside of a JSON string.
pub(super) fn escape_into(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    out.reserve(rest.len());
    loop {
        let (run, tail) = rest.split_at(plain_run(rest));
        out.extend_from_slice(run);
        let Some((special, tail)) = tail.split_first() else {
            break;
        };
        escape_one(*special, out);
        rest = tail;
    }
}

fn escape_one(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        other => {
            out.extend_from_slice(b"\\u00");
            for nibble in [other >> 4, other & 15] {
                let digit = b"0123456789abcdef".get(usize::from(nibble));
                out.push(digit.copied().unwrap_or(b'0'));
            }
        }
    }
}
