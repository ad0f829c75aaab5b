//! PDF as markdown, by a foreign reader that may loop, panic or run out of memory on hostile files: it
//! belongs into a process that can be stopped. Nothing here limits it but the number of pages.

use unpdf::{Error, ParseOptions, RenderOptions, parse_bytes_with_options, render::to_markdown};
use waystation_core::{Document, DocumentLimits, ParseError};

use super::{ENCRYPTED, refused};

/// Reads the text of a PDF as markdown.
///
/// What stands before the header (mail heads, HTTP heads) is left out. Pages are read one after the
/// other in this thread. A file without a text layer gives empty text.
///
/// # Errors
/// [`ParseError`] for what is no PDF, is encrypted, damaged beyond reading, or has too many pages.
pub(super) fn read(bytes: &[u8], limits: &DocumentLimits) -> Result<Document, ParseError> {
    let header = bytes.windows(5).position(|window| window == b"%PDF-");
    let body = header.and_then(|at| bytes.get(at..));
    let body = body.ok_or_else(|| refused("it is no PDF: there is no %PDF header".into()))?;
    let options = ParseOptions::new().lenient().sequential();
    let read = parse_bytes_with_options(body, options).map_err(|error| {
        refused(match error {
            Error::Encrypted | Error::InvalidPassword => ENCRYPTED.into(),
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
