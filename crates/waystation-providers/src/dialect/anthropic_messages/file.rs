//! Images and files: what a client sends as data URL, address or id, as blocks of the wire. Data go
//! on as they came, unless the wire wants text, which is taken out of its wrapping.
//!
//! Source: <https://platform.claude.com/docs/en/build-with-claude/pdf-support> and `vision`
//! (2026-10): PDF as data, address or id; plain text as text; images as data, address or id.
//!
//! | what is sent | block | source |
//! |---|---|---|
//! | `image_url` with a data URL | `image` | `base64` |
//! | `image_url` with an address | `image` | `url` |
//! | `file_data`: a PDF | `document` | `base64` |
//! | `file_data`: an image | `image` | `base64` |
//! | `file_data`: `text/*`, JSON | `document` | `text`, taken out of its base64 or percent encoding |
//! | `file_data`: an address | `document` | `url` |
//! | `file_id` | `document` | `file`, which needs a beta |
//! | anything else | an error that names the part | |
//!
//! Whether an address can be fetched, and whether data are what they say, is the host's to find out.
//! `detail` of images has no counterpart, `filename` becomes the document's title.

use waystation_core::{Json, Kind, ObjectWriter};

use crate::data_url::DataUrl;

/// Why a file has no form.
pub(super) type Reason = &'static str;

/// Writes the block of an image, short of its end, so that a marker may follow.
pub(super) fn image(url: Json<'_>, block: &mut ObjectWriter<'_>) -> Result<(), Reason> {
    block.string("type", "image");
    let escaped = url.escaped().unwrap_or_default();
    match DataUrl::of(escaped) {
        Some(data) if data.base64 => source(&data, block),
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
            source(&url, block);
        }
        "application/pdf" if url.base64 => {
            document(block);
            source(&url, block);
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

/// The member `source` of data.
fn source(url: &DataUrl<'_>, block: &mut ObjectWriter<'_>) {
    let mut source = block.object("source");
    source.string("type", "base64");
    source.string("media_type", &url.media);
    let out = source.key("data");
    out.push(b'"');
    out.extend_from_slice(url.data);
    out.push(b'"');
    source.close();
}
