//! PDF as markdown, by a foreign reader that may loop, panic or run out of memory on hostile files: it
//! belongs into a process that can be stopped. Nothing here limits it but the size of the file.

use unpdf::{Error, ParseOptions, RenderOptions, parse_bytes_with_options, render::to_markdown};
use waystation_core::{Document, DocumentLimits, ParseError};

/// Reads the text of a PDF as markdown.
///
/// What stands before the header (mail heads, HTTP heads) is left out. Pages are read one after the
/// other in this thread. A file without a text layer gives empty text: that it needs OCR is the
/// caller's to say.
///
/// Run it where it can do no harm: see the module's head.
///
/// ```
/// use std::time::Duration;
/// use waystation_core::DocumentLimits;
/// use waystation_plugins::read_pdf;
///
/// let limits = DocumentLimits { bytes: 1 << 20, pages: 100, time: Duration::from_secs(10) };
/// assert!(read_pdf(b"no PDF at all", &limits).is_err());
/// ```
///
/// # Errors
/// [`ParseError`] for what is no PDF, is encrypted, damaged beyond reading, or over the limits.
pub fn read_pdf(bytes: &[u8], limits: &DocumentLimits) -> Result<Document, ParseError> {
    let refused = |reason: String| ParseError { reason };
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if length > limits.bytes {
        let reason = format!("expected at most {} bytes, found {length}", limits.bytes);
        return Err(refused(reason));
    }
    let header = bytes.windows(5).position(|window| window == b"%PDF-");
    let body = header.and_then(|at| bytes.get(at..));
    let body = body.ok_or_else(|| refused("it is no PDF: there is no %PDF header".into()))?;
    let options = ParseOptions::new().lenient().sequential();
    let read = parse_bytes_with_options(body, options).map_err(|error| {
        refused(match error {
            Error::Encrypted | Error::InvalidPassword => {
                "it is encrypted with a password; send it without".into()
            }
            other => format!("the PDF is damaged: {other}"),
        })
    })?;
    let pages = read.page_count();
    if pages > limits.pages {
        let reason = format!("expected at most {} pages, found {pages}", limits.pages);
        return Err(refused(reason));
    }
    let text = to_markdown(&read, &RenderOptions::default())
        .map_err(|error| refused(format!("the PDF is damaged: {error}")))?;
    Ok(Document {
        text: text.trim().to_owned(),
        pages: Some(pages),
    })
}
