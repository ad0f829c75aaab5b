//! The one door to the readers that belong into a sandbox: what kind a file is was seen by its bytes
//! before, and is not asked again here. Nothing here is async or keeps state: who stops a reader that
//! takes too long is whoever started it.

use waystation_core::{Document, DocumentKind, DocumentLimits, ParseError};

use super::{FileKind, office, pdf, read_document, refused, rtf};

/// Reads a PDF as markdown; a Word, Excel, PowerPoint, OpenDocument, EPUB or RTF file as markdown with
/// ` | ` between the cells of a row; and what [`read_document`] reads.
///
/// A PDF without a text layer, and a file without words, give empty text: what to do then is the
/// caller's to say. `pages` counts pages of a PDF and slides of a deck.
///
/// Archives are unpacked within limits, nothing is expanded, and all but PDF is read in one pass by
/// safe code. The reader of PDF is foreign: on hostile files it may loop, panic or run out of memory.
/// Run this where that does no harm.
///
/// ```
/// use std::time::Duration;
/// use waystation_core::{DocumentKind, DocumentLimits};
/// use waystation_plugins::read_foreign;
///
/// let limits = DocumentLimits { bytes: 1 << 20, pages: 100, time: Duration::from_secs(10) };
/// let letter = br"{\rtf1\ansi Dear {\b Mirela},\par the keel is \'64one.}";
/// let read = read_foreign(letter, DocumentKind::Rtf, &limits)?;
/// assert_eq!(read.text, "Dear Mirela,\n\nthe keel is done.");
/// assert!(read_foreign(b"no PDF at all", DocumentKind::Pdf, &limits).is_err());
/// # Ok::<(), waystation_core::ParseError>(())
/// ```
///
/// # Errors
/// [`ParseError`] for what is not of this kind, is encrypted, damaged beyond reading, or over the
/// limits.
pub fn read_foreign(
    bytes: &[u8],
    kind: DocumentKind,
    limits: &DocumentLimits,
) -> Result<Document, ParseError> {
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if length > limits.bytes {
        let most = limits.bytes;
        return Err(refused(format!(
            "expected at most {most} bytes, found {length}"
        )));
    }
    match kind {
        DocumentKind::Pdf => pdf::read(bytes, limits),
        DocumentKind::Archive => office::read(bytes, limits),
        DocumentKind::Rtf => rtf::read(bytes),
        DocumentKind::Html => read_document(bytes, FileKind::Html),
        DocumentKind::Table => read_document(bytes, FileKind::Table),
        _ => read_document(bytes, FileKind::Text),
    }
}

#[cfg(test)]
mod tests;
