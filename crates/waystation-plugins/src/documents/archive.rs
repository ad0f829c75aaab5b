//! Zip archives, as far as Office, OpenDocument and EPUB files use them: stored and deflated parts,
//! found by the directory at the end. A part is inflated only when it is asked for, within limits that
//! hold for all of them together; nothing is ever written anywhere.
//!
//! Not here: writing, other methods of packing, encryption, archives in several files. What a part is
//! called is only a key to find it by, so that a name such as `../../etc/passwd` leads nowhere.
//!
//! Source: PKWARE, "APPNOTE.TXT - .ZIP File Format Specification" 6.3.10, sections 4.3 and 4.4.

use std::{collections::BTreeMap, io::Read as _};

use flate2::read::DeflateDecoder;
use waystation_core::ParseError;

use super::{ENCRYPTED, encoding, refused};

/// The most bytes that one part may hold.
///
/// The text of a document of a thousand pages is some 10 MiB of XML; what is larger is a bomb, or
/// would give more text than a document may.
const MOST_PART: usize = 48 * 1024 * 1024;

/// The most bytes that all parts that are read may hold.
const MOST_PARTS: usize = 96 * 1024 * 1024;

/// The most entries in the directory.
const MOST_ENTRIES: usize = 20_000;

/// How far from the end the directory's own end may begin: its size, and the longest comment.
const TAIL: usize = 22 + 65_535;

/// An open archive.
///
/// # Laws
/// - Opening costs one pass over the directory; nothing is inflated.
/// - All parts together give at most [`MOST_PARTS`] bytes, whatever they claim: their own word on
///   their size is never believed.
#[derive(Debug)]
pub(super) struct Archive<'a> {
    bytes: &'a [u8],
    entries: BTreeMap<String, Entry>,
    /// How many more bytes may be inflated.
    room: usize,
}

/// Where a part stands, as the directory says. Nothing of it is trusted: every offset is checked when
/// it is used.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Offset of its own header.
    header: usize,
    /// Its bytes in the archive.
    packed: usize,
    /// How it is packed: 0 stored, 8 deflated.
    method: usize,
    /// It needs a password.
    encrypted: bool,
}

// === impl Archive ===

impl<'a> Archive<'a> {
    /// Reads the directory.
    ///
    /// It is found from the end, over a comment of any length; what stands before the archive (the head
    /// of a self-extracting one) is stepped over. Of two parts with one name the first counts.
    ///
    /// # Errors
    /// [`ParseError`] where there is none, or it holds too much.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let from = bytes.len().saturating_sub(TAIL);
        let tail = bytes.get(from..).unwrap_or_default();
        let end = tail.windows(4).rposition(|four| four == b"PK\x05\x06");
        let end = end.ok_or_else(damaged)? + from;
        let size = number(bytes, end + 12, 4).ok_or_else(damaged)?;
        let offset = number(bytes, end + 16, 4).ok_or_else(damaged)?;
        // What stands before the archive shifts every offset; 64-bit directories say no offset here.
        let start = end.checked_sub(size);
        let shift = start
            .and_then(|start| start.checked_sub(offset))
            .unwrap_or(0);
        let mut at = match start {
            Some(start) if number(bytes, start, 4) == Some(0x0201_4b50) => start,
            _ => directory_64(bytes, end).ok_or_else(damaged)?,
        };
        let mut entries = BTreeMap::new();
        while number(bytes, at, 4) == Some(0x0201_4b50) {
            if entries.len() >= MOST_ENTRIES {
                return Err(refused(format!(
                    "expected an archive of at most {MOST_ENTRIES} parts"
                )));
            }
            let (name, mut entry, next) = entry(bytes, at).ok_or_else(damaged)?;
            entry.header += shift;
            entries.entry(name).or_insert(entry);
            at = next;
        }
        Ok(Self {
            bytes,
            entries,
            room: MOST_PARTS,
        })
    }

    /// Whether there is such a part.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(&plain(name))
    }

    /// A part's bytes; `None` where there is no such part.
    ///
    /// # Errors
    /// [`ParseError`] where it is damaged, encrypted, or over the limits.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<Vec<u8>>, ParseError> {
        let Some(entry) = self.entries.get(&plain(name)) else {
            return Ok(None);
        };
        if entry.encrypted {
            return Err(refused(ENCRYPTED.to_owned()));
        }
        let packed = entry.bytes(self.bytes).ok_or_else(damaged)?;
        let most = MOST_PART.min(self.room);
        let mut out = Vec::new();
        let mut reader: Box<dyn std::io::Read + '_> = match entry.method {
            0 => Box::new(packed),
            8 => Box::new(DeflateDecoder::new(packed)),
            other => {
                return Err(refused(format!(
                    "a part is packed by method {other}; expected deflate"
                )));
            }
        };
        let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        let read = reader.by_ref().take(limit).read_to_end(&mut out);
        read.map_err(|_| damaged())?;
        if out.len() > most {
            return Err(refused(format!(
                "unpacked it is too large: expected at most {MOST_PART} bytes in a part and {MOST_PARTS} in all"
            )));
        }
        self.room -= out.len();
        Ok(Some(out))
    }

    /// A part as text, in whichever encoding.
    ///
    /// # Errors
    /// As [`part`](Self::part), and where it is no text.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, ParseError> {
        let part = self.part(name)?;
        part.map(|bytes| match String::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(other) => encoding::decode(other.as_bytes(), false),
        })
        .transpose()
    }
}

// === impl Entry ===

impl Entry {
    /// The packed bytes.
    fn bytes(self, archive: &[u8]) -> Option<&[u8]> {
        let name = number(archive, self.header + 26, 2)?;
        let extra = number(archive, self.header + 28, 2)?;
        let from = self.header.checked_add(30 + name + extra)?;
        archive.get(from..from.checked_add(self.packed)?)
    }
}

/// Reads the directory's entry at `at`: its name, where it stands, and where the next one begins.
fn entry(bytes: &[u8], at: usize) -> Option<(String, Entry, usize)> {
    let (name, extra) = (number(bytes, at + 28, 2)?, number(bytes, at + 30, 2)?);
    let comment = number(bytes, at + 32, 2)?;
    let from = at + 46;
    let text = String::from_utf8_lossy(bytes.get(from..from + name)?);
    let mut entry = Entry {
        header: number(bytes, at + 42, 4)?,
        packed: number(bytes, at + 20, 4)?,
        method: number(bytes, at + 10, 2)?,
        encrypted: number(bytes, at + 8, 2)? & 1 == 1,
    };
    let whole = number(bytes, at + 24, 4)?;
    long_form(
        bytes.get(from + name..from + name + extra)?,
        whole,
        &mut entry,
    );
    Some((plain(&text), entry, from + name + extra + comment))
}

/// Takes the sizes that did not fit into 32 bits from the extra field with the id 1. They stand there
/// in a fixed order, each only where the short field says that it is not here.
fn long_form(mut extra: &[u8], whole: usize, entry: &mut Entry) -> Option<()> {
    const NOT_HERE: usize = 0xffff_ffff;
    while extra.len() >= 4 {
        let (id, size) = (number(extra, 0, 2)?, number(extra, 2, 2)?);
        if id == 1 {
            let mut at = 4 + if whole == NOT_HERE { 8 } else { 0 };
            for field in [&mut entry.packed, &mut entry.header] {
                if *field == NOT_HERE {
                    *field = number(extra, at, 8)?;
                    at += 8;
                }
            }
        }
        extra = extra.get(4 + size..)?;
    }
    None
}

/// Where a 64-bit directory begins: its end stands before the short one.
fn directory_64(bytes: &[u8], end: usize) -> Option<usize> {
    let locator = end.checked_sub(20)?;
    (number(bytes, locator, 4)? == 0x0706_4b50).then_some(())?;
    let record = number(bytes, locator + 8, 8)?;
    (number(bytes, record, 4)? == 0x0606_4b50).then_some(())?;
    number(bytes, record.checked_add(48)?, 8)
}

/// The little-endian number of `size` bytes at `at`.
fn number(bytes: &[u8], at: usize, size: usize) -> Option<usize> {
    let field = bytes.get(at..at.checked_add(size)?)?;
    let value = field
        .iter()
        .rev()
        .fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    usize::try_from(value).ok()
}

/// Names are compared without case, with either slash.
fn plain(name: &str) -> String {
    name.trim_start_matches('/')
        .replace('\\', "/")
        .to_ascii_lowercase()
}

fn damaged() -> ParseError {
    refused("the file is damaged: its archive is cut off or broken".to_owned())
}

/// The name of the part that `target`, written in the part `from`, points to: relative to its folder,
/// or to the whole archive behind a leading slash. Steps out of the archive stay in it.
pub(super) fn resolved(from: &str, target: &str) -> String {
    let target = target.split(['#', '?']).next().unwrap_or_default();
    let target = unescaped(target);
    let mut steps: Vec<&str> = Vec::new();
    if !target.starts_with('/') {
        steps.extend(from.split('/'));
        steps.pop();
    }
    for step in target.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step),
        }
    }
    steps.join("/")
}

/// `text` with `%20` and the like resolved.
fn unescaped(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = (*first == b'%').then(|| tail.get(..2)).flatten();
        let code = code.and_then(|two| std::str::from_utf8(two).ok());
        match code.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
