//! One part of a message as one block. Texts go on as they stand between their quotes; parts of
//! Anthropic's own types go on as they came.

use waystation_core::{EncodeError, Json, ObjectWriter, Part};

use super::file;

/// A part on its way out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    /// The part.
    pub(super) part: Part<'a>,
    /// Its message's place and its own, for errors.
    pub(super) place: (usize, usize),
    /// A cache marker that its message has for its last block.
    pub(super) mark: Option<Json<'a>>,
    /// Whose words these are.
    pub(super) name: Option<Json<'a>>,
}

// === impl Piece ===

impl Piece<'_> {
    /// Writes the block. Parts without a word in them make none: the wire refuses those.
    ///
    /// # Errors
    /// [`EncodeError::Unsupported`], with the part's path, for what has no form on the wire.
    pub(super) fn write(&self, list: &mut Blocks) -> Result<(), EncodeError> {
        let json = self.part.json();
        let kind = self.part.kind();
        let mark = marker(json).or(self.mark.map(Marker::Sent));
        let unsupported = |reason: &str| {
            let (message, part) = self.place;
            EncodeError::Unsupported {
                field: format!("messages[{message}].content[{part}]"),
                reason: reason.into(),
            }
        };
        match &*kind {
            "text" | "refusal" => {
                let said = json.get(&kind);
                text(said, self.name, mark, list);
                return Ok(());
            }
            "input_audio" => return Err(unsupported("the wire takes no audio")),
            "video_url" | "input_video" => return Err(unsupported("the wire takes no video")),
            // Thoughts of another host: without a signature they are nobody's.
            "thinking" if json.get("signature").is_none() => return Ok(()),
            "image_url" | "file" => {}
            _ => {
                list.next().extend_from_slice(json.bytes());
                return Ok(());
            }
        }
        // A refusal leaves nothing behind.
        let mut out = Vec::new();
        let mut block = ObjectWriter::open(&mut out);
        let written = match self.part.url() {
            Some(url) if kind == "image_url" => file::image(url, &mut block),
            _ => file::file(json.get("file").unwrap_or(json), &mut block),
        };
        written.map_err(unsupported)?;
        write_mark(mark, &mut block);
        block.close();
        list.next().extend_from_slice(&out);
        Ok(())
    }
}

/// Blocks of one turn, as JSON with commas between them: several messages may add to one turn, and
/// none of them knows whether it is the first.
#[derive(Debug, Default)]
pub(super) struct Blocks(Vec<u8>);

// === impl Blocks ===

impl Blocks {
    /// Lends the buffer for the next block.
    pub(super) fn next(&mut self) -> &mut Vec<u8> {
        if !self.0.is_empty() {
            self.0.push(b',');
        }
        &mut self.0
    }

    /// Whether there are none.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The blocks, with commas between them.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What marks the end of a stretch to be cached.
#[derive(Clone, Copy, Debug)]
pub(super) enum Marker<'a> {
    /// `cache_control`, as it was sent.
    Sent(Json<'a>),
    /// Another vocabulary's marker, which says when, not for how long.
    Plain,
}

/// The marker of a part or a message.
pub(super) fn marker(json: Json<'_>) -> Option<Marker<'_>> {
    let sent = json.get("cache_control").filter(|mark| !mark.is_null());
    let other = json.get("prompt_cache_breakpoint");
    let plain = other.filter(|mark| !mark.is_null()).map(|_| Marker::Plain);
    sent.map(Marker::Sent).or(plain)
}

/// Writes a marker, if there is one.
pub(super) fn write_mark(mark: Option<Marker<'_>>, block: &mut ObjectWriter<'_>) {
    match mark {
        Some(Marker::Sent(mark)) => {
            block.raw("cache_control", mark.bytes());
        }
        Some(Marker::Plain) => {
            block.raw("cache_control", br#"{"type":"ephemeral"}"#);
        }
        None => {}
    }
}

/// Writes a text block, unless there is nothing to read in it; a speaker's name stands in front, for
/// the wire has no place for it.
pub(super) fn text(
    said: Option<Json<'_>>,
    name: Option<Json<'_>>,
    mark: Option<Marker<'_>>,
    list: &mut Blocks,
) {
    let Some(said) = said.filter(|said| !is_blank(*said)) else {
        return;
    };
    let out = list.next();
    out.reserve(said.bytes().len() + 64);
    let mut block = ObjectWriter::open(out);
    block.fixed(r#""type":"text""#);
    let out = block.key("text");
    out.push(b'"');
    if let Some(name) = name.and_then(Json::escaped) {
        out.extend_from_slice(name);
        out.extend_from_slice(b": ");
    }
    out.extend_from_slice(said.escaped().unwrap_or_default());
    out.push(b'"');
    write_mark(mark, &mut block);
    block.close();
}

/// Whether a text holds white space at most.
pub(super) fn is_blank(text: Json<'_>) -> bool {
    !text.has_words()
}
