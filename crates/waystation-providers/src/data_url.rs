//! Data URLs, taken apart as they stand between the quotes of a JSON string, and base64 both ways.
//! Fetches nothing, and does not look into what the data are.
//!
//! Source: RFC 2397 and RFC 4648, section 4. Lenient in what is read: media types in capitals, slashes
//! that a writer of JSON escaped, the other alphabet, missing padding; `image/jpg` is `image/jpeg`, and
//! data without a type, or `application/x-pdf`, are a PDF, which is what clients mean by them.

use std::borrow::Cow;

/// A data URL, its data still as they stand in the JSON.
pub(crate) struct DataUrl<'a> {
    /// `image/png`, in lower case, without parameters.
    pub(crate) media: String,
    /// The data are base64, not percent encoding.
    pub(crate) base64: bool,
    /// The data.
    pub(crate) data: &'a [u8],
}

// === impl DataUrl ===

impl<'a> DataUrl<'a> {
    /// Takes a data URL apart, as it stands between its quotes.
    pub(crate) fn of(escaped: &'a [u8]) -> Option<Self> {
        let (scheme, rest) = escaped.split_at_checked(5)?;
        if !scheme.eq_ignore_ascii_case(b"data:") {
            return None;
        }
        let comma = rest.iter().position(|byte| *byte == b',')?;
        let (head, data) = rest.split_at(comma);
        // Some writers of JSON escape the slash.
        let head = String::from_utf8_lossy(head).replace("\\/", "/");
        let head = head.to_ascii_lowercase();
        let mut words = head.split(';').map(str::trim);
        let media = match words.next() {
            Some("image/jpg") => "image/jpeg",
            Some("" | "application/x-pdf") | None => "application/pdf",
            Some(media) => media,
        };
        Some(Self {
            media: media.to_owned(),
            base64: words.any(|word| word == "base64"),
            data: data.get(1..).unwrap_or_default(),
        })
    }

    /// The text in it.
    pub(crate) fn text(&self) -> Option<String> {
        let bytes = if self.base64 {
            unwrapped(self.data)?
        } else {
            unescaped(self.data)
        };
        String::from_utf8(bytes).ok()
    }
}

/// The bytes that base64 stands for; `None` when it is none. Both alphabets, with padding or
/// without; escapes of JSON are passed by.
pub(crate) fn unwrapped(data: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(data.len() / 4 * 3);
    let (mut held, mut bits) = (0_u32, 0_u32);
    for byte in data
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b'\\' | b'='))
    {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        held = held << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from(held >> bits & 0xFF).ok()?);
        }
    }
    Some(out)
}

/// Bytes as base64, padded.
pub(crate) fn wrapped(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let held = (0..3).fold(0_usize, |held, at| {
            held << 8 | three.get(at).copied().map_or(0, usize::from)
        });
        for digit in 0..4 {
            let value = held >> (18 - 6 * digit) & 63;
            let letter = DIGITS.get(value).copied().map_or('=', char::from);
            out.push(if digit > three.len() { '=' } else { letter });
        }
    }
    out
}

/// The bytes that percent encoding stands for.
fn unescaped(data: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(data);
    let mut pieces = text.split('%');
    let mut out: Vec<u8> = pieces.next().unwrap_or_default().into();
    for piece in pieces {
        let byte = piece
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let rest: Cow<'_, str> = match (byte, piece.get(2..)) {
            (Some(byte), Some(rest)) => {
                out.push(byte);
                Cow::Borrowed(rest)
            }
            _ => Cow::Owned(format!("%{piece}")),
        };
        out.extend_from_slice(rest.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_urls_come_apart() {
        let url = DataUrl::of(br"data:image\/jpg;base64,aGk\/").unwrap();
        assert_eq!((&*url.media, url.base64), ("image/jpeg", true));
        assert_eq!(url.data, br"aGk\/");
        assert!(DataUrl::of(b"https://example.com/,").is_none());
    }

    #[test]
    fn base64_goes_both_ways() {
        for (bytes, text) in [
            ("", ""),
            ("a", "YQ=="),
            ("ab", "YWI="),
            ("abc", "YWJj"),
            ("\u{ff}?>", "w78/Pg=="),
        ] {
            assert_eq!(wrapped(bytes.as_bytes()), text);
            assert_eq!(unwrapped(text.as_bytes()).unwrap(), bytes.as_bytes());
        }
    }

    #[test]
    fn texts_are_unwrapped() {
        let text = |url: &str| DataUrl::of(url.as_bytes()).unwrap().text();
        assert_eq!(
            text("data:text/plain;base64,aMOpIQ==").as_deref(),
            Some("hé!")
        );
        assert_eq!(text("data:text/plain,a%20b%2").as_deref(), Some("a b%2"));
        assert_eq!(text("data:text/plain;base64,*"), None);
    }
}
