//! Images and files: what a client sends as data URL, address or id, as blocks of the wire. Data go
//! on as they came, unless the wire wants text, which is taken out of its wrapping.
//!
//! Source: <https://platform.claude.com/docs/en/build-with-claude/pdf-support> and `vision`
//! (2026-10): PDF as data, address or id; plain text as text; images as data, address or id.

use std::borrow::Cow;

use waystation_core::{Json, Kind, ObjectWriter};

/// A data URL, its data still as they stand in the JSON.
struct DataUrl<'a> {
    /// `image/png`, in lower case, without parameters.
    media: String,
    /// The data are base64, not percent encoding.
    base64: bool,
    data: &'a [u8],
}

/// Why a file has no form.
pub(super) type Reason = &'static str;

/// Writes the block of an image, short of its end, so that a marker may follow.
pub(super) fn image(url: Json<'_>, block: &mut ObjectWriter<'_>) -> Result<(), Reason> {
    block.string("type", "image");
    let escaped = url.escaped().unwrap_or_default();
    match DataUrl::of(escaped) {
        Some(data) if data.base64 => data.source(block),
        Some(_) => return Err("expected an image in base64"),
        None => address(url, block),
    }
    Ok(())
}

/// Writes the block of a file, short of its end.
pub(super) fn file(file: Json<'_>, block: &mut ObjectWriter<'_>) -> Result<(), Reason> {
    let string = |key: &str| file.get(key).filter(|text| text.kind() == Kind::String);
    let document = |block: &mut ObjectWriter<'_>| {
        block.string("type", "document");
        if let Some(name) = string("filename") {
            block.raw("title", name.bytes());
        }
    };
    if let Some(id) = string("file_id") {
        document(block);
        let mut source = block.object("source");
        source.string("type", "file").raw("file_id", id.bytes());
        source.close();
        return Ok(());
    }
    let Some(data) = string("file_data").or_else(|| string("url")) else {
        return Err("expected file_data or file_id, found neither");
    };
    let Some(url) = DataUrl::of(data.escaped().unwrap_or_default()) else {
        if !data.string().is_some_and(|url| url.starts_with("http")) {
            return Err("expected a data URL or an https address");
        }
        document(block);
        address(data, block);
        return Ok(());
    };
    match &*url.media {
        media if media.starts_with("image/") && url.base64 => {
            block.string("type", "image");
            url.source(block);
        }
        "application/pdf" if url.base64 => {
            document(block);
            url.source(block);
        }
        media if media.starts_with("text/") || media == "application/json" => {
            let text = url.text().ok_or("expected text in UTF-8")?;
            document(block);
            let mut source = block.object("source");
            source.string("type", "text");
            source.string("media_type", "text/plain");
            source.string("data", &text);
            source.close();
        }
        _ => return Err("expected a PDF, a text or an image; the wire takes no other files"),
    }
    Ok(())
}

/// The member `source` of something that the host is to fetch.
fn address(url: Json<'_>, block: &mut ObjectWriter<'_>) {
    let mut source = block.object("source");
    source.string("type", "url").raw("url", url.bytes());
    source.close();
}

// === impl DataUrl ===

impl<'a> DataUrl<'a> {
    /// Takes a data URL apart, as it stands between its quotes.
    fn of(escaped: &'a [u8]) -> Option<Self> {
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

    /// The member `source`.
    fn source(&self, block: &mut ObjectWriter<'_>) {
        let mut source = block.object("source");
        source.string("type", "base64");
        source.string("media_type", &self.media);
        let out = source.key("data");
        out.push(b'"');
        out.extend_from_slice(self.data);
        out.push(b'"');
        source.close();
    }

    /// The text in it.
    fn text(&self) -> Option<String> {
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
fn unwrapped(data: &[u8]) -> Option<Vec<u8>> {
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
