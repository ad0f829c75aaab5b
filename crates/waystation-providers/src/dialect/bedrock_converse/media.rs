//! Images, documents, video and sound as blocks: their data as they came, or their place in S3. Nothing is
//! fetched, here or by the host.
//!
//! | of a part | becomes |
//! |---|---|
//! | a data URL in base64 | `source.bytes`, the data untouched |
//! | `s3://bucket/key` | `source.s3Location`; the format by the end of the name |
//! | an https address | an error that names the part: the host fetches none |
//! | the media type, or the `format` of sound | `format`, by the tables below |
//! | `filename` | `name` of a document, made fit and unlike the others |
//! | `file_id` | an error: the wire keeps no files |
//!
//! Formats are those of the API reference of `ImageBlock`, `DocumentBlock` and `VideoBlock`
//! (2026-08-22), and of `AudioBlock` in the service model of botocore 1.44 (2026-11). What a model takes
//! of them is its own affair.

use waystation_core::{Json, Kind, ObjectWriter};

use crate::data_url::DataUrl;

/// What a block is, and the formats that the wire knows, by the media type or the end of the name.
struct Sort {
    block: &'static str,
    formats: &'static [(&'static str, &'static str)],
}

const IMAGE: Sort = Sort {
    block: "image",
    formats: &[
        ("image/png", "png"),
        ("image/jpeg", "jpeg"),
        ("image/gif", "gif"),
        ("image/webp", "webp"),
        (".png", "png"),
        (".jpg", "jpeg"),
        (".jpeg", "jpeg"),
        (".gif", "gif"),
        (".webp", "webp"),
    ],
};

const DOCUMENT: Sort = Sort {
    block: "document",
    formats: &[
        ("application/pdf", "pdf"),
        ("text/csv", "csv"),
        ("text/html", "html"),
        ("text/markdown", "md"),
        ("text/plain", "txt"),
        ("application/json", "txt"),
        ("application/msword", "doc"),
        (
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "docx",
        ),
        ("application/vnd.ms-excel", "xls"),
        (
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "xlsx",
        ),
        (".pdf", "pdf"),
        (".csv", "csv"),
        (".html", "html"),
        (".md", "md"),
        (".txt", "txt"),
        (".doc", "doc"),
        (".docx", "docx"),
        (".xls", "xls"),
        (".xlsx", "xlsx"),
    ],
};

const VIDEO: Sort = Sort {
    block: "video",
    formats: &[
        ("video/mp4", "mp4"),
        ("video/quicktime", "mov"),
        ("video/x-matroska", "mkv"),
        ("video/webm", "webm"),
        ("video/x-flv", "flv"),
        ("video/mpeg", "mpeg"),
        ("video/x-ms-wmv", "wmv"),
        ("video/3gpp", "three_gp"),
        (".mp4", "mp4"),
        (".mov", "mov"),
        (".mkv", "mkv"),
        (".webm", "webm"),
        (".mpeg", "mpeg"),
        (".mpg", "mpg"),
    ],
};

const AUDIO: Sort = Sort {
    block: "audio",
    formats: &[
        ("audio/mpeg", "mp3"),
        ("audio/mp3", "mp3"),
        ("audio/wav", "wav"),
        ("audio/x-wav", "wav"),
        ("audio/wave", "wav"),
        ("audio/ogg", "ogg"),
        ("audio/opus", "opus"),
        ("audio/flac", "flac"),
        ("audio/aac", "aac"),
        ("audio/x-aac", "x-aac"),
        ("audio/mp4", "m4a"),
        ("audio/webm", "webm"),
        ("audio/x-matroska", "mka"),
        ("audio/pcm", "pcm"),
        (".mp3", "mp3"),
        (".wav", "wav"),
        (".ogg", "ogg"),
        (".opus", "opus"),
        (".flac", "flac"),
        (".aac", "aac"),
        (".m4a", "m4a"),
        (".mp4", "mp4"),
        (".webm", "webm"),
        (".mka", "mka"),
        (".mkv", "mkv"),
        (".mpga", "mpga"),
        (".mpeg", "mpeg"),
        (".pcm", "pcm"),
    ],
};

/// Writes an image. The error says what was expected.
pub(super) fn image(url: Json<'_>, object: &mut ObjectWriter<'_>) -> Result<(), &'static str> {
    place(&IMAGE, url, None, object)
}

/// Writes a video.
pub(super) fn video(url: Json<'_>, object: &mut ObjectWriter<'_>) -> Result<(), &'static str> {
    place(&VIDEO, url, None, object)
}

/// Writes sound: bare data in base64 with its `format`, a data URL, or a place.
pub(super) fn audio(sound: Json<'_>, object: &mut ObjectWriter<'_>) -> Result<(), &'static str> {
    let string = |key: &str| sound.get(key).filter(|text| text.kind() == Kind::String);
    let data = string("data").ok_or("expected input_audio.data as a text")?;
    let text = data.string().unwrap_or_default();
    if text.contains(':') {
        return place(&AUDIO, data, None, object);
    }
    let named = string("format").and_then(Json::string);
    let named = named.map_or_else(|| ".wav".to_owned(), |format| format!(".{format}"));
    let format = AUDIO.formats.iter().find(|(known, _)| *known == named);
    let (_, format) =
        format.ok_or("expected input_audio.format as wav, mp3, flac, ogg, aac or m4a")?;
    let mut block = object.object(AUDIO.block);
    block.string("format", format);
    let mut source = block.object("source");
    source.raw("bytes", data.bytes());
    source.close();
    block.close();
    Ok(())
}

/// Writes a file: a document, or an image, video or sound that was sent as a file. `taken` are the names
/// of documents so far, which must differ; whether this is one is given back.
pub(super) fn file(
    file: Json<'_>,
    taken: &mut Vec<String>,
    object: &mut ObjectWriter<'_>,
) -> Result<bool, &'static str> {
    let string = |key: &str| file.get(key).filter(|text| text.kind() == Kind::String);
    let Some(data) = string("file_data").or_else(|| string("url")) else {
        return Err("expected file_data, found none: the wire keeps no files");
    };
    let media = DataUrl::of(data.escaped().unwrap_or_default()).map(|url| url.media);
    let is = |kind: &str| {
        media
            .as_deref()
            .is_some_and(|media| media.starts_with(kind))
    };
    if is("image/") {
        return image(data, object).map(|()| false);
    }
    if is("video/") {
        return video(data, object).map(|()| false);
    }
    if is("audio/") {
        return place(&AUDIO, data, None, object).map(|()| false);
    }
    let name = string("filename").and_then(Json::string);
    let name = document_name(name.as_deref().unwrap_or_default(), taken);
    place(&DOCUMENT, data, Some(&name), object)?;
    taken.push(name);
    Ok(true)
}

/// Writes a block of this sort.
fn place(
    sort: &Sort,
    url: Json<'_>,
    name: Option<&str>,
    object: &mut ObjectWriter<'_>,
) -> Result<(), &'static str> {
    let format = |word: &str| {
        let known = sort
            .formats
            .iter()
            .find(|(known, _)| match known.strip_prefix('.') {
                Some(_) => word.to_ascii_lowercase().ends_with(known),
                None => word == *known,
            });
        known.map(|(_, format)| *format)
    };
    let address = url.string().unwrap_or_default();
    let data = DataUrl::of(url.escaped().unwrap_or_default());
    let found = match &data {
        Some(data) if !data.base64 => return Err("expected data in base64"),
        Some(data) => format(&data.media),
        None if address.starts_with("s3://") => format(&address),
        None => return Err("expected a data URL or a place in S3: the host fetches no addresses"),
    };
    let Some(format) = found else {
        return Err(
            "expected a format that Bedrock knows: png, jpeg, gif, webp; pdf, csv, doc, \
                    docx, xls, xlsx, html, txt, md; mp4, mov, mkv, webm, flv, mpeg, wmv, 3gp; \
                    mp3, wav, flac, ogg, opus, aac, m4a, pcm",
        );
    };
    let mut block = object.object(sort.block);
    block.string("format", format);
    if let Some(name) = name {
        block.string("name", name);
    }
    let mut source = block.object("source");
    match data {
        Some(data) => {
            let out = source.key("bytes");
            out.push(b'"');
            out.extend_from_slice(data.data);
            out.push(b'"');
        }
        None => {
            let mut location = source.object("s3Location");
            location.raw("uri", url.bytes());
            location.close();
        }
    }
    source.close();
    block.close();
    Ok(())
}

/// A name that the wire takes: letters, digits, single spaces, dashes, brackets; and none of
/// `taken`. The ending is left out, since the format says it.
fn document_name(name: &str, taken: &[String]) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let mut clean = String::with_capacity(stem.len());
    for c in stem.chars().take(180) {
        let c = match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '(' | ')' | '[' | ']' => c,
            _ => ' ',
        };
        if c != ' ' || !clean.ends_with(' ') {
            clean.push(c);
        }
    }
    let clean = clean.trim();
    let clean = if clean.is_empty() { "document" } else { clean };
    let free = |name: &String| !taken.contains(name);
    let numbered = (2..).map(|number| format!("{clean} {number}"));
    let mut names = std::iter::once(clean.to_owned()).chain(numbered);
    names.find(free).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_fit() {
        let taken = vec!["a b".to_owned(), "a b 2".to_owned()];
        assert_eq!(document_name("a__b.pdf", &taken), "a b 3");
        assert_eq!(document_name("Ünïté (1).v2.docx", &[]), "n t (1) v2");
        assert_eq!(document_name("", &[]), "document");
    }
}
