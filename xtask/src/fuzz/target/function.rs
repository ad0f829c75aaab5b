//! The plain functions of the plugins, and what they are held to.

use std::time::Duration;

use waystation_core::{DocumentKind, DocumentLimits, Json, Tokens};
use waystation_plugins::{
    Engine, FileKind, MOST_TEXT, Outcome, Room, compress, heal, read_document, read_foreign,
};
use waystation_tokens::ByteBounds;

/// A schema that asks for most of what schemas can ask for.
const SCHEMA: &[u8] = br##"{"type": "object", "additionalProperties": false, "required": ["a"],
    "$defs": {"n": {"type": ["integer", "null"], "minimum": 0}},
    "properties": {"a": {"$ref": "#/$defs/n"}, "kind": {"enum": ["bug", "wish"]},
    "list": {"type": "array", "items": {"anyOf": [{"type": "string", "maxLength": 9}, {"type": "boolean"}]}}}}"##;

/// Healing: what is mended is JSON, and needs no mending again; what is not is the same.
pub(super) fn healed(input: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(input);
    for schema in [None, Json::parse(SCHEMA).ok()] {
        let healed = heal(&text, schema);
        if healed.outcome != Outcome::Mended {
            if healed.text != text {
                return Err(format!("not mended, and changed: {healed:?}"));
            }
            continue;
        }
        let again = heal(&healed.text, schema);
        if again.outcome != Outcome::Untouched {
            return Err(format!("mended twice: {healed:?}, then {again:?}"));
        }
    }
    Ok(())
}

/// Compression: what comes of a list of messages fits, and is left alone the second time.
pub(super) fn compressed(input: &[u8]) -> Result<(), String> {
    let Ok(messages) = Json::parse(input) else {
        return Ok(());
    };
    for (engine, tokens) in [(Engine::MiddleOut, 60), (Engine::Extract, 90)] {
        let room = Room {
            tokens: Tokens::new(tokens),
            messages: Some(9),
        };
        let Ok(Some(fits)) = compress(messages, room, engine, &ByteBounds) else {
            continue;
        };
        let again = compress(fits.messages.json(), room, engine, &ByteBounds);
        if fits.tokens_after > room.tokens || again != Ok(None) {
            return Err(format!("{fits:?}, then {again:?}"));
        }
    }
    Ok(())
}

/// Reading: an answer or a refusal, whatever the file is called.
pub(super) fn read(input: &[u8]) -> Result<(), String> {
    for name in ["a.txt", "a.html", "a.csv"] {
        let kind = FileKind::of(input, name, "");
        let Ok(read) = read_document(input, kind) else {
            continue;
        };
        if read.text.trim().is_empty() {
            return Err(format!("an empty success: {name}"));
        }
    }
    Ok(())
}

/// What reading one document may take.
const LIMITS: DocumentLimits = DocumentLimits {
    bytes: 1 << 20,
    pages: 100,
    time: Duration::from_secs(10),
};

/// An RTF file: text within its limit, or a refusal.
pub(super) fn rtf(input: &[u8]) -> Result<(), String> {
    foreign(input, DocumentKind::Rtf)
}

/// An archive, as it is; and one that is packed here of parts, for no mutation finds checksums: a line
/// that begins with a NUL is the name of a part, what follows is its content.
pub(super) fn office(input: &[u8]) -> Result<(), String> {
    foreign(input, DocumentKind::Archive)?;
    foreign(&packed(input), DocumentKind::Archive)
}

fn foreign(input: &[u8], kind: DocumentKind) -> Result<(), String> {
    match read_foreign(input, kind, &LIMITS) {
        Ok(read) if read.text.len() > MOST_TEXT => {
            Err(format!("{} bytes of text", read.text.len()))
        }
        Err(why) if why.to_string().is_empty() => Err("refused without a word".into()),
        _ => Ok(()),
    }
}

/// Parts as a ZIP archive in which nothing is compressed. Source: PKWARE's APPNOTE 6.3.9, section 4.3.
fn packed(input: &[u8]) -> Vec<u8> {
    let (mut out, mut directory, mut count) = (Vec::new(), Vec::new(), 0_u16);
    for part in input.split(|byte| *byte == 0).skip(1) {
        let line = part.iter().position(|byte| *byte == b'\n');
        let (name, content) = part.split_at(line.unwrap_or(part.len()));
        let content = content.get(1..).unwrap_or_default();
        let (Ok(named), Ok(size)) = (u16::try_from(name.len()), u32::try_from(content.len()))
        else {
            continue;
        };
        let at = u32::try_from(out.len()).unwrap_or(u32::MAX);
        let mut entry = Vec::new();
        // Version, flags, method, time and date, the checksum, both sizes, the lengths of names.
        entry.extend_from_slice(&[20, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        entry.extend_from_slice(&crc32fast::hash(content).to_le_bytes());
        entry.extend_from_slice(&size.to_le_bytes());
        entry.extend_from_slice(&size.to_le_bytes());
        entry.extend_from_slice(&named.to_le_bytes());
        entry.extend_from_slice(&[0, 0]);
        out.extend_from_slice(b"PK\x03\x04");
        out.extend_from_slice(&entry);
        out.extend_from_slice(name);
        out.extend_from_slice(content);
        directory.extend_from_slice(b"PK\x01\x02\x14\x00");
        directory.extend_from_slice(&entry);
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&at.to_le_bytes());
        directory.extend_from_slice(name);
        count = count.saturating_add(1);
    }
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    let (begin, size) = (length(&out), length(&directory));
    out.extend_from_slice(&directory);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&size);
    out.extend_from_slice(&begin);
    out.extend_from_slice(&[0, 0]);
    out
}
