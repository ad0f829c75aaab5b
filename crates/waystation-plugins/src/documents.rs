//! Documents as text: what a file is, told by its bytes first, and what stands in it. Nothing here
//! keeps state or opens anything. Text, pages and tables are read in one pass; what is packed, or needs
//! a foreign reader, belongs into a sandbox.

#[cfg(feature = "documents")]
mod archive;
#[cfg(feature = "documents")]
mod date;
#[cfg(feature = "documents")]
mod draft;
mod encoding;
mod entity;
#[cfg(feature = "documents")]
mod epub;
#[cfg(feature = "documents")]
mod foreign;
mod html;
#[cfg(feature = "documents")]
mod markup;
#[cfg(feature = "documents")]
mod office;
#[cfg(feature = "documents")]
mod open_document;
#[cfg(feature = "documents")]
mod pdf;
#[cfg(feature = "documents")]
mod rtf;
#[cfg(feature = "documents")]
mod sheets;
#[cfg(feature = "documents")]
mod slides;
mod table;
#[cfg(feature = "documents")]
mod word;

#[cfg(feature = "documents")]
pub use foreign::read_foreign;
use waystation_core::{Document, DocumentKind, ParseError};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Plain text of any sort: prose, markdown, JSON, source code.
    Text,
    /// A web page.
    Html,
    /// Rows of cells, separated by commas, semicolons, tabs or bars.
    Table,
    /// PDF: read in a sandbox.
    Pdf,
    /// An archive of parts, as Office, OpenDocument and EPUB files are: read in a sandbox.
    Archive,
    /// RTF: read in a sandbox.
    Rtf,
    /// A format that nothing here reads; the word is its name.
    Foreign(&'static str),
}

/// The most text that one document may give, in bytes.
pub const MOST_TEXT: usize = 16 * 1024 * 1024;

/// How far into a file a PDF's header may stand. Source: ISO 32000, annex H, note 13 of the viewers'
/// tolerances (1,024 bytes).
const PDF_HEADER: usize = 1024;

/// What is said of files that need a password.
pub(crate) const ENCRYPTED: &str = "it is encrypted with a password; send it without";

/// How old Office files begin, and new ones that are encrypted.
const OLD_OFFICE: &[u8] = b"\xd0\xcf\x11\xe0";

/// First bytes that tell a format.
const MAGIC: &[(&[u8], &str)] = &[
    (
        OLD_OFFICE,
        "a file of an Office before 2007 (.doc, .xls, .ppt): save it as .docx, .xlsx, .pptx or PDF",
    ),
    (b"\x1f\x8b", "gzip"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"RIFF", "sound or an image"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
];

// === impl FileKind ===

impl FileKind {
    /// What `bytes` are, whatever they are called; the name and the media type decide among texts.
    ///
    /// ```
    /// use waystation_plugins::FileKind;
    ///
    /// assert_eq!(FileKind::of(b"%PDF-1.7 ...", "letter.txt", ""), FileKind::Pdf);
    /// assert_eq!(FileKind::of(b"a;b\n1;2\n", "table.CSV", ""), FileKind::Table);
    /// assert_eq!(FileKind::of(b"<!DOCTYPE html><p>Hi", "", ""), FileKind::Html);
    /// ```
    #[must_use]
    pub fn of(bytes: &[u8], name: &str, media_type: &str) -> Self {
        let head = bytes.get(..PDF_HEADER).unwrap_or(bytes);
        if head.windows(5).any(|window| window == b"%PDF-") {
            return Self::Pdf;
        }
        if bytes.starts_with(b"PK\x03\x04") {
            return Self::Archive;
        }
        if bytes.starts_with(b"{\\rtf") {
            return Self::Rtf;
        }
        if let Some((_, format)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
            return Self::Foreign(format);
        }
        let text = String::from_utf8_lossy(head)
            .trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t'])
            .to_ascii_lowercase();
        if text.starts_with("<!doctype html") || text.starts_with("<html") {
            return Self::Html;
        }
        let ending = name
            .rsplit_once('.')
            .map_or("", |(_, ending)| ending)
            .to_ascii_lowercase();
        let media_type = media_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        match (ending.as_str(), media_type.as_str()) {
            ("html" | "htm" | "xhtml", _) | ("", "text/html" | "application/xhtml+xml") => {
                Self::Html
            }
            ("csv" | "tsv" | "tab", _) | ("", "text/csv" | "text/tab-separated-values") => {
                Self::Table
            }
            _ => Self::Text,
        }
    }

    /// The kind that a sandbox is told, where one has to read it: what is packed may be a bomb, and the
    /// reader of PDF is not ours. `None` for what [`read_document`] reads, and for what nothing does.
    ///
    /// ```
    /// use waystation_core::DocumentKind;
    /// use waystation_plugins::FileKind;
    ///
    /// assert_eq!(FileKind::of(b"PK\x03\x04", "a.odt", "").sandboxed(), Some(DocumentKind::Archive));
    /// assert_eq!(FileKind::of(b"a,b", "a.csv", "").sandboxed(), None);
    /// ```
    #[must_use]
    pub const fn sandboxed(self) -> Option<DocumentKind> {
        match self {
            Self::Pdf => Some(DocumentKind::Pdf),
            Self::Archive => Some(DocumentKind::Archive),
            Self::Rtf => Some(DocumentKind::Rtf),
            Self::Text | Self::Html | Self::Table | Self::Foreign(_) => None,
        }
    }

    /// The kind that a sandbox is told of what [`read_document`] reads too: a sandbox is the place for
    /// texts that are so large that others would have to wait.
    #[must_use]
    pub const fn plain(self) -> Option<DocumentKind> {
        match self {
            Self::Text => Some(DocumentKind::Text),
            Self::Html => Some(DocumentKind::Html),
            Self::Table => Some(DocumentKind::Table),
            Self::Pdf | Self::Archive | Self::Rtf | Self::Foreign(_) => None,
        }
    }
}

/// Reads a text file, a web page or a table as text: in UTF-8, pages as markdown without scripts and
/// styles, tables with ` | ` between cells. The encoding is the one that the file names (byte order
/// mark, `meta charset`), UTF-8 where that is valid, and else the likeliest one.
///
/// ```
/// use waystation_plugins::{FileKind, read_document};
///
/// let page = b"<h1>Notes</h1><script>x()</script><ul><li>one<li>two &amp; three</ul>";
/// let read = read_document(page, FileKind::Html)?;
/// assert_eq!(read.text, "# Notes\n\n- one\n- two & three");
/// # Ok::<(), waystation_core::ParseError>(())
/// ```
///
/// # Errors
/// [`ParseError`] for bytes that are no text, for more than [`MOST_TEXT`] bytes of it, and for kinds
/// that are not read here.
pub fn read_document(bytes: &[u8], kind: FileKind) -> Result<Document, ParseError> {
    match kind {
        FileKind::Pdf | FileKind::Archive | FileKind::Rtf => {
            return Err(refused("it is read only in a sandbox".into()));
        }
        FileKind::Foreign(_) if is_encrypted_office(bytes) => {
            return Err(refused(ENCRYPTED.into()));
        }
        FileKind::Foreign(format) => {
            return Err(refused(format!(
                "it is {format}; expected text, HTML, CSV, PDF, RTF, Office, OpenDocument or EPUB"
            )));
        }
        FileKind::Text | FileKind::Html | FileKind::Table => {}
    }
    if bytes.len() > MOST_TEXT {
        return Err(refused(format!(
            "expected at most {MOST_TEXT} bytes, found {}",
            bytes.len()
        )));
    }
    let text = encoding::decode(bytes, kind == FileKind::Html)?;
    let text = match kind {
        FileKind::Html => html::to_markdown(&text),
        FileKind::Table => table::to_rows(&text),
        _ => text,
    };
    if text.trim().is_empty() {
        return Err(refused("it holds no text".into()));
    }
    Ok(Document { text, pages: None })
}

/// Whether an Office file of today is wrapped up with a password: the wrapping is an old one, and the name of
/// its content stands there in UTF-16.
pub(crate) fn is_encrypted_office(bytes: &[u8]) -> bool {
    let name: Vec<u8> = "EncryptedPackage"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    bytes.starts_with(OLD_OFFICE) && bytes.windows(name.len()).any(|window| window == name)
}

fn refused(reason: String) -> ParseError {
    ParseError { reason }
}

#[cfg(test)]
mod tests;
