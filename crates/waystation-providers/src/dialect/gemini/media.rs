//! Parts of a message that are no plain text: images, sound, video and files. Bytes leave in the
//! request; addresses leave only where the host fetches them itself. Nothing is fetched here.
//!
//! | held | AI Studio | Vertex |
//! |---|---|---|
//! | data URL in base64; sound in base64 | `inlineData` | `inlineData` |
//! | video on YouTube | `fileData` | `fileData` with its kind |
//! | video at another https address | refused | `fileData` |
//! | image or file at an https address | `fileData`, from generation 2.5 on | `fileData` |
//! | file of the host's own store | `fileData` | `fileData` |
//! | `gs://` | refused | `fileData` |
//! | `http://`, ids of other hosts' stores | refused | refused |
//!
//! What is refused names its member and what would do, so that the gateway may try another endpoint
//! and the client knows what to send. The kind of content is the data URL's own; where that is vague,
//! and for addresses, the file name's ending tells, else the part's type.
//!
//! Source: <https://ai.google.dev/gemini-api/docs/file-input-methods>,
//! <https://ai.google.dev/gemini-api/docs/video-understanding> (2026-08-22) and API contract,
//! section 1.3.

use std::borrow::Cow;

use waystation_core::{EncodeError, Json, Kind, ObjectWriter, Part, Target};

use super::{
    site::{Family, Site, host},
    unsupported,
};

/// Endings of file names, and the kinds of content that they stand for.
const ENDINGS: &[(&str, &str)] = &[
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("heif", "image/heif"),
    ("bmp", "image/bmp"),
    ("mp4", "video/mp4"),
    ("mpeg", "video/mpeg"),
    ("mpg", "video/mpeg"),
    ("mov", "video/quicktime"),
    ("webm", "video/webm"),
    ("wmv", "video/wmv"),
    ("3gp", "video/3gpp"),
    ("wav", "audio/wav"),
    ("mp3", "audio/mp3"),
    ("mpga", "audio/mpeg"),
    ("aiff", "audio/aiff"),
    ("aac", "audio/aac"),
    ("ogg", "audio/ogg"),
    ("flac", "audio/flac"),
    ("m4a", "audio/m4a"),
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("csv", "text/csv"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("xml", "text/xml"),
    ("json", "application/json"),
];

/// Writes parts for one host and one generation of models, which decide what may be an address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Media<'a> {
    site: Site<'a>,
    family: Family,
}

/// What a part holds that is not there in bytes.
struct Remote<'a> {
    url: &'a str,
    /// The kind of content when the address does not tell.
    usual: &'static str,
    field: String,
}

// === impl Media ===

impl<'a> Media<'a> {
    /// The writer for a target.
    pub(super) fn of(to: &Target<'_>, site: Site<'a>) -> Self {
        let family = Family::of(&to.endpoint.upstream_model);
        Self { site, family }
    }

    /// Writes `part`, which stands at `path`, as one part of the wire.
    ///
    /// # Errors
    /// [`EncodeError::Unsupported`], naming the member, for what the host cannot be given.
    pub(super) fn write(
        self,
        part: &Part<'_>,
        path: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        match &*part.kind() {
            "text" => {
                let mut object = ObjectWriter::open(out);
                object.raw("text", part.json().get("text").map_or(b"\"\"", Json::bytes));
                object.close();
                Ok(())
            }
            "image_url" => self.address(part, &format!("{path}.image_url"), "image/jpeg", out),
            "video_url" | "input_video" => {
                self.address(part, &format!("{path}.video_url"), "video/mp4", out)
            }
            "input_audio" => sound(part.json(), path, out),
            "file" => self.file(part.json(), path, out),
            kind => {
                let reason = format!("the host has no parts of the type {kind:?}");
                Err(unsupported(path, reason))
            }
        }
    }

    /// An image or a video: a data URL or an address. Some clients send the bare string.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn address(
        self,
        part: &Part<'_>,
        path: &str,
        usual: &'static str,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let holder = part
            .json()
            .get("image_url")
            .or_else(|| part.json().get("video_url"));
        let bare = holder.is_some_and(|holder| holder.kind() == Kind::String);
        let field = if bare {
            path.to_owned()
        } else {
            format!("{path}.url")
        };
        let url = part.url().and_then(Json::string).unwrap_or_default();
        self.url(&url, usual, field, out)
    }

    /// A file: its bytes as a data URL, or an address; an id only where it is an address, since ids
    /// of other hosts' stores mean nothing here.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn file(self, part: Json<'_>, path: &str, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let file = part.get("file");
        let string = |key: &str| file.and_then(|file| file.get(key)).and_then(Json::string);
        let name = string("filename");
        let usual = name
            .as_deref()
            .and_then(by_ending)
            .unwrap_or("application/pdf");
        if let Some(data) = string("file_data").or_else(|| string("file_url")) {
            return self.url(&data, usual, format!("{path}.file.file_data"), out);
        }
        let id = string("file_id").unwrap_or_default();
        if id.starts_with("https://") || id.starts_with("gs://") {
            return self.url(&id, usual, format!("{path}.file.file_id"), out);
        }
        let reason = "expected file_data, or the host's own address of the file as file_id";
        Err(unsupported(format!("{path}.file"), reason))
    }

    /// What a URL stands for: its own bytes, or something that the host fetches. `usual` is the kind
    /// of content when the URL does not tell, `field` the member that holds it.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn url(
        self,
        url: &str,
        usual: &'static str,
        field: String,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        if let Some(data) = url.strip_prefix("data:") {
            let Some((kind, bytes)) = data.split_once(";base64,") else {
                return Err(unsupported(field, "expected a data URL in base64"));
            };
            let kind = kind.split(';').next().unwrap_or_default();
            let vague = kind.is_empty() || kind == "application/octet-stream";
            inline(if vague { usual } else { kind }, bytes, out);
            return Ok(());
        }
        self.remote(&Remote { url, usual, field }, out)
    }

    /// Something that the host is to fetch, if it does.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn remote(self, remote: &Remote<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let url = remote.url;
        let host = host(url);
        let tube = [
            "youtube.com",
            "www.youtube.com",
            "m.youtube.com",
            "youtu.be",
        ]
        .contains(&host);
        let own = host == "generativelanguage.googleapis.com";
        let (https, bucket) = (url.starts_with("https://"), url.starts_with("gs://"));
        let refused = match self.site {
            _ if !https && !bucket => Some("expected a data URL or an https address"),
            Site::Vertex(_) => None,
            Site::Studio if bucket => {
                Some("AI Studio fetches nothing from buckets; expected a data URL")
            }
            Site::Studio if tube || own => None,
            Site::Studio if remote.usual.starts_with("video/") => {
                Some("AI Studio fetches videos from YouTube only; expected a data URL")
            }
            Site::Studio if !self.family.fetches() => {
                Some("the model is given no addresses; expected a data URL")
            }
            Site::Studio => None,
        };
        if let Some(reason) = refused {
            return Err(unsupported(remote.field.clone(), reason));
        }
        let mut object = ObjectWriter::open(out);
        let mut file = object.object("fileData");
        // A page of YouTube has no ending; AI Studio knows what it is, Vertex wants to be told.
        if !tube || self.site.is_vertex() {
            let path = url.split(['?', '#']).next().unwrap_or_default();
            let kind = if tube {
                "video/mp4"
            } else {
                by_ending(path).unwrap_or(remote.usual)
            };
            file.string("mimeType", kind);
        }
        file.string("fileUri", url);
        file.close();
        object.close();
        Ok(())
    }
}

/// Sound, which always comes in bytes: the contract allows no addresses. Formats without a name of
/// their own here are sent as `audio/` and their name, for the host to judge.
///
/// # Errors
/// [`EncodeError::Unsupported`] for an address.
fn sound(part: Json<'_>, path: &str, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let audio = part.get("input_audio");
    let string = |key: &str| {
        audio
            .and_then(|audio| audio.get(key))
            .and_then(Json::string)
    };
    let bare = || audio.and_then(Json::string);
    let data = string("data").or_else(bare).unwrap_or_default();
    if data.starts_with("https://") || data.starts_with("http://") {
        let reason = "expected sound in base64, found an address";
        return Err(unsupported(format!("{path}.input_audio.data"), reason));
    }
    let format = string("format").unwrap_or(Cow::Borrowed("wav"));
    let kind = match &*format {
        "pcm16" | "pcm24" => "audio/pcm".to_owned(),
        format => by_ending(&format!(".{format}"))
            .filter(|kind| kind.starts_with("audio/"))
            .map_or_else(|| format!("audio/{format}"), str::to_owned),
    };
    match data
        .strip_prefix("data:")
        .and_then(|data| data.split_once(";base64,"))
    {
        Some((kind, bytes)) => inline(kind, bytes, out),
        None => inline(&kind, &data, out),
    }
    Ok(())
}

/// Bytes in the request.
fn inline(kind: &str, bytes: &str, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    let mut blob = object.object("inlineData");
    blob.string("mimeType", kind).string("data", bytes);
    blob.close();
    object.close();
}

/// The kind of content that a file name's ending stands for.
fn by_ending(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    let ending = ending.to_ascii_lowercase();
    let found = ENDINGS.iter().find(|(known, _)| *known == ending);
    found.map(|(_, kind)| *kind)
}
