//! From bytes in any encoding to text. What a file says of itself comes before what it looks like, and
//! UTF-8 before every guess: hardly any text in another encoding is valid UTF-8 by chance.
//!
//! Source: WHATWG Encoding Standard, whose encodings these are, by the names that pages use.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8};
use waystation_core::ParseError;

/// How far into a page its own word on its encoding is looked for. Source: HTML standard, "prescan a
/// byte stream" (1,024 bytes).
const PRESCAN: usize = 1024;

/// Decodes `bytes`: by byte order mark, as UTF-8, as the page itself says (`html`), or as they look.
///
/// # Errors
/// [`ParseError`] where they are no text.
pub(super) fn decode(bytes: &[u8], html: bool) -> Result<String, ParseError> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        let body = bytes.get(mark..).unwrap_or_default();
        return text_of(&encoding.decode_without_bom_handling(body).0);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text_of(text);
    }
    if bytes.contains(&0) {
        return Err(no_text());
    }
    let named = if html { said(bytes) } else { None };
    let encoding = named.unwrap_or_else(|| {
        let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
        detector.feed(bytes, true);
        detector.guess(None, Utf8Detection::Deny)
    });
    text_of(&encoding.decode_without_bom_handling(bytes).0)
}

/// The encoding that a page names in its head.
fn said(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes.get(..PRESCAN).unwrap_or(bytes);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let (_, rest) = head.split_once("charset")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let rest = rest.trim_start_matches(['"', '\'']);
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"-_:.".contains(c));
    let label = rest.get(..end.unwrap_or(rest.len()))?;
    // A page that can be read so far is not in UTF-16, whatever it says.
    Encoding::for_label(label.as_bytes())
        .filter(|encoding| encoding.is_ascii_compatible() && *encoding != UTF_8)
}

/// `text`, where it is some: of control characters and of what could not be decoded there is at most
/// one in a hundred.
fn text_of(text: &str) -> Result<String, ParseError> {
    let odd = |c: &char| {
        *c == char::REPLACEMENT_CHARACTER
            || c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}' | '\u{1b}')
    };
    let (all, bad) = (text.chars().count(), text.chars().filter(odd).count());
    if bad * 100 > all {
        return Err(no_text());
    }
    Ok(text.replace("\r\n", "\n"))
}

fn no_text() -> ParseError {
    ParseError {
        reason: "expected text in some encoding, found binary data".into(),
    }
}
