//! A file of a prompt: where it stands, what it is, and its text once that is known.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use sha2::{Digest as _, Sha256};
use waystation_core::{ChatRequest, Json};

use super::file_parts;
use crate::FileKind;

/// How much of a file is decoded to see what it is, in characters of base64.
const HEAD: usize = 2048;

/// Where a file's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// In the request.
    Inline(FileKind),
    /// Behind an address or an id.
    Elsewhere,
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
    /// What is sent instead: `content` of the annotation, a JSON array.
    text: Option<String>,
}

/// Base64 as people send it: with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

// === impl Attachment ===

impl Attachment {
    /// Every file of a request.
    pub(super) fn all(chat: &ChatRequest) -> Vec<Self> {
        let messages = chat.get("messages").into_iter().flat_map(Json::elements);
        let parts = messages.enumerate().flat_map(|(message, json)| {
            file_parts(json).map(move |(part, json)| ((message, part), json))
        });
        parts.map(|(place, part)| Self::of(place, part)).collect()
    }

    fn of(place: (usize, usize), part: Json<'_>) -> Self {
        let name = part.at(&["file", "filename"]).and_then(Json::string);
        let name = name
            .map(|name| name.into_owned())
            .filter(|name| !name.trim().is_empty());
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
            None => Source::Elsewhere,
        };
        Self {
            place,
            source,
            name,
            hash: String::new(),
            text: None,
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

    /// The text that takes its place.
    pub(super) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    pub(super) const fn is_read(&self) -> bool {
        self.text.is_some()
    }

    /// Its bytes.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn bytes(&self, chat: &ChatRequest) -> Result<Vec<u8>, String> {
        let message = chat
            .get("messages")
            .and_then(|list| list.elements().nth(self.place.0));
        let part = message.and_then(|message| message.get("content")?.elements().nth(self.place.1));
        let (_, data) = part.and_then(data_of).unwrap_or_default();
        let data: String = data.chars().filter(|c| !c.is_whitespace()).collect();
        decoded(&data).ok_or_else(|| format!("{}: expected base64 in file_data", self.title()))
    }

    /// Takes the text from an annotation that came back, where there is one of these bytes.
    pub(super) fn recall(&mut self, chat: &ChatRequest, bytes: &[u8]) -> bool {
        self.hash = Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let messages = chat
            .messages()
            .filter_map(|message| message.get("annotations"));
        let mut files = messages
            .flat_map(Json::elements)
            .filter_map(|note| note.get("file"));
        let known = files.find(|file| file.get("hash").is_some_and(|hash| hash.is(&self.hash)));
        let Some(content) = known.and_then(|file| file.get("content")) else {
            return false;
        };
        let texts = content
            .elements()
            .filter_map(|part| part.get("text")?.string());
        let text: String = texts.collect();
        let found = !text.trim().is_empty();
        if found {
            self.text = Some(text);
        }
        found
    }

    /// Keeps the text that was read.
    pub(super) fn keep(&mut self, text: &str) {
        let name = self
            .name
            .as_deref()
            .unwrap_or("file")
            .replace(['"', '<', '>', '\n'], "_");
        self.text = Some(format!(
            "<file name=\"{name}\">\n{}\n</file>",
            text.trim_end()
        ));
    }
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
