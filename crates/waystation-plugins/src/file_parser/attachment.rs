//! A file of a prompt: where it stands, what it is, and its text once that is known. Who reads it, and
//! when, is decided elsewhere.

use std::{borrow::Cow, collections::HashMap};

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use waystation_core::{ChatRequest, Fetched, Json};

use super::{file_parts, ocr::MOST_IMAGES};
use crate::FileKind;

/// How much of a file is decoded to see what it is, in characters of base64.
const HEAD: usize = 2048;

/// Where a file's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// In the request, or fetched by now.
    Inline(FileKind),
    /// Behind an address of the web.
    Address,
    /// Behind an id, or nowhere.
    Elsewhere,
}

/// What takes a file's place, and what an annotation says of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    /// The text.
    pub(super) text: String,
    /// Pictures that stand in it, as data URLs.
    pub(super) images: Vec<String>,
}

/// A `file` part.
#[derive(Clone, Debug)]
pub(super) struct Attachment {
    /// Which message, and which part of it.
    pub(super) place: (usize, usize),
    pub(super) source: Source,
    name: Option<String>,
    /// SHA-256 of the bytes, in hexadecimal; known once they were looked at.
    hash: String,
    /// What is sent instead.
    content: Option<Content>,
    /// The bytes, where they were fetched.
    fetched: Option<Bytes>,
}

/// The file parts of a request by their places, and what came back of files that were read, by their hashes:
/// found in one walk, since a request may have very many of both.
#[derive(Debug, Default)]
pub(super) struct Parts<'c> {
    files: HashMap<(usize, usize), Json<'c>>,
    read: HashMap<Cow<'c, str>, Json<'c>>,
}

/// Base64 as people send it: with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

// === impl Parts ===

impl<'c> Parts<'c> {
    pub(super) fn of(chat: &'c ChatRequest) -> Self {
        let mut parts = Self::default();
        let messages = chat.get("messages").into_iter().flat_map(Json::elements);
        for (message, json) in messages.enumerate() {
            let files = file_parts(json).map(|(part, json)| ((message, part), json));
            parts.files.extend(files);
            let notes = json.get("annotations").into_iter();
            for note in notes.flat_map(Json::elements) {
                let Some(file) = note.get("file") else {
                    continue;
                };
                if let Some(hash) = file.get("hash").and_then(Json::string) {
                    parts.read.entry(hash).or_insert(file);
                }
            }
        }
        parts
    }
}

// === impl Attachment ===

impl Attachment {
    /// Every file of a request.
    pub(super) fn all(chat: &ChatRequest) -> Vec<Self> {
        let mut all = Vec::new();
        if !chat.may_have_parts() {
            return all;
        }
        let messages = chat.get("messages").into_iter().flat_map(Json::elements);
        for (message, json) in messages.enumerate() {
            let parts = file_parts(json);
            all.extend(parts.map(|(part, json)| Self::of((message, part), json)));
        }
        all
    }

    fn of(place: (usize, usize), part: Json<'_>) -> Self {
        let name = part.at(&["file", "filename"]).and_then(Json::string);
        let name = name
            .map(|name| name.into_owned())
            .filter(|name| !name.trim().is_empty())
            .or_else(|| last_step(&address_of(part)?));
        let source = match data_of(part) {
            Some((media_type, data)) => {
                let head: String = data
                    .chars()
                    .filter(|c| !c.is_whitespace())
                    .take(HEAD)
                    .collect();
                let head = decoded(&head).unwrap_or_default();
                Source::Inline(FileKind::of(
                    &head,
                    name.as_deref().unwrap_or_default(),
                    &media_type,
                ))
            }
            None if address_of(part).is_some() => Source::Address,
            None => Source::Elsewhere,
        };
        Self {
            place,
            source,
            name,
            hash: String::new(),
            content: None,
            fetched: None,
        }
    }

    /// How it is called in errors and reports.
    pub(super) fn title(&self) -> String {
        self.name
            .clone()
            .unwrap_or_else(|| format!("messages[{}].content[{}]", self.place.0, self.place.1))
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(super) fn hash(&self) -> &str {
        &self.hash
    }

    /// What takes its place.
    pub(super) const fn content(&self) -> Option<&Content> {
        self.content.as_ref()
    }

    /// Whether its text is there.
    pub(super) const fn is_read(&self) -> bool {
        self.content.is_some()
    }

    /// Where it is to be fetched.
    pub(super) fn address(&self, parts: &Parts<'_>) -> Option<String> {
        address_of(self.part(parts)?)
    }

    /// It was fetched. What its server calls it counts more than its name, except where that says
    /// nothing.
    pub(super) fn arrived(&mut self, file: Fetched) {
        let said = file.media_type.split(';').next().unwrap_or_default().trim();
        let silent = matches!(said, "" | "text/plain" | "application/octet-stream");
        let name = self.name.as_deref().filter(|_| silent).unwrap_or_default();
        self.source = Source::Inline(FileKind::of(&file.bytes, name, said));
        self.fetched = Some(file.bytes);
    }

    /// The part that it is.
    fn part<'c>(&self, parts: &Parts<'c>) -> Option<Json<'c>> {
        parts.files.get(&self.place).copied()
    }

    /// Its bytes.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn bytes(&self, parts: &Parts<'_>) -> Result<Bytes, String> {
        if let Some(fetched) = &self.fetched {
            return Ok(fetched.clone());
        }
        let (_, data) = self.part(parts).and_then(data_of).unwrap_or_default();
        let data: String = data.chars().filter(|c| !c.is_whitespace()).collect();
        let bytes = decoded(&data).map(Bytes::from);
        bytes.ok_or_else(|| format!("{}: expected base64 in file_data", self.title()))
    }

    /// Takes the text from an annotation that came back, where there is one of these bytes.
    pub(super) fn recall(&mut self, parts: &Parts<'_>, bytes: &[u8]) -> bool {
        self.hash = Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let known = parts.read.get(&*self.hash);
        let Some(content) = known.and_then(|file| file.get("content")) else {
            return false;
        };
        let texts = content
            .elements()
            .filter_map(|part| part.get("text")?.string());
        let text: String = texts.collect();
        let images = content
            .elements()
            .filter_map(|part| part.at(&["image_url", "url"])?.string());
        let images = images.take(MOST_IMAGES).map(|image| image.into_owned());
        let found = !text.trim().is_empty();
        if found {
            let images = images.collect();
            self.content = Some(Content { text, images });
        }
        found
    }

    /// Keeps what was read.
    pub(super) fn keep(&mut self, content: Content) {
        let name = self
            .name
            .as_deref()
            .unwrap_or("file")
            .replace(['"', '<', '>', '\n'], "_");
        let text = content.text.trim_end();
        self.content = Some(Content {
            text: format!("<file name=\"{name}\">\n{text}\n</file>"),
            images: content.images,
        });
    }
}

/// The address of a part whose file is on the web.
fn address_of(part: Json<'_>) -> Option<String> {
    let data = part.at(&["file", "file_data"])?.string()?;
    let address = data.trim();
    let scheme = address.split_once("://")?.0.to_ascii_lowercase();
    matches!(scheme.as_str(), "http" | "https").then(|| address.to_owned())
}

/// The last step of an address's path: what a file there is called.
fn last_step(address: &str) -> Option<String> {
    let (_, rest) = address.split_once("://")?;
    let path = rest.split(['?', '#']).next()?;
    let (_, name) = path.rsplit_once('/')?;
    (!name.is_empty()).then(|| name.chars().take(100).collect())
}

/// The media type and the base64 of a part that holds its file.
fn data_of(part: Json<'_>) -> Option<(String, String)> {
    let data = part.at(&["file", "file_data"])?.string()?.into_owned();
    if let Some(rest) = data.strip_prefix("data:") {
        let (head, data) = rest.split_once(',')?;
        let media_type = head.strip_suffix(";base64")?;
        return Some((media_type.to_owned(), data.to_owned()));
    }
    // One of OpenRouter's own examples sends bare base64.
    let address = data.contains("://");
    (!address && !data.is_empty()).then(|| (String::new(), data))
}

/// The bytes that base64 spells, also in the alphabet of addresses.
fn decoded(data: &str) -> Option<Vec<u8>> {
    let data = data.replace('-', "+").replace('_', "/");
    let whole = data.trim_end_matches('=');
    // One character over is half of the next three bytes.
    let whole = if whole.len() % 4 == 1 {
        whole.get(..whole.len() - 1)?
    } else {
        whole
    };
    BASE64.decode(whole).ok()
}
