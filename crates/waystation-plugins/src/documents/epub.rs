//! EPUB books: the chapters in the order of the spine, each a web page, read as one.
//!
//! Tables of contents, covers and other pages outside of the spine are left out, as are pictures and
//! styles. Chapters that rights management has encrypted are no text, and are refused by that name.
//!
//! Source: W3C EPUB 3.3, sections 4.2.6.3.1 (container) and 5 (packages).

use waystation_core::{Document, DocumentLimits, ParseError};

use super::{
    MOST_TEXT,
    archive::{Archive, resolved},
    html,
    markup::{Tag, Visitor, Way, walk},
    refused,
};

/// Reads the open archive.
///
/// # Errors
/// [`ParseError`] where it is encrypted or damaged, or there are too many chapters or too much text.
pub(super) fn read(
    archive: &mut Archive<'_>,
    limits: &DocumentLimits,
) -> Result<Document, ParseError> {
    let damaged = |what: &str| refused(format!("the book is damaged: {what}"));
    let container = archive.text("META-INF/container.xml")?;
    let container = container.ok_or_else(|| damaged("it has no META-INF/container.xml"))?;
    let mut root = Root(None);
    walk(&container, &mut root)?;
    let package = root.0.ok_or_else(|| damaged("it names no package"))?;
    let xml = archive.text(&package)?;
    let xml = xml.ok_or_else(|| damaged("its package is missing"))?;
    let mut book = Package::default();
    walk(&xml, &mut book)?;
    let chapters = book.spine.len();
    if u32::try_from(chapters).unwrap_or(u32::MAX) > limits.pages {
        let most = limits.pages;
        return Err(refused(format!(
            "expected at most {most} chapters, found {chapters}"
        )));
    }
    let mut text = String::new();
    for id in &book.spine {
        let item = book.items.iter().find(|(known, _)| known == id);
        let Some((_, target)) = item else { continue };
        let page = archive.text(&resolved(&package, target));
        let page = page.map_err(|error| {
            if error.reason.contains("binary") {
                return refused("it is encrypted by rights management".to_owned());
            }
            error
        })?;
        let Some(page) = page else { continue };
        let page = html::to_markdown(&page);
        if !page.is_empty() {
            if !text.is_empty() {
                text.push_str("\n\n");
            }
            text.push_str(&page);
        }
        if text.len() > MOST_TEXT {
            return Err(refused(format!("its text is over {MOST_TEXT} bytes")));
        }
    }
    Ok(Document { text, pages: None })
}

/// Walks over the container: the name of the package. Of several the first is the book.
struct Root(Option<String>);

impl Visitor for Root {
    fn open(&mut self, tag: &Tag<'_>) -> Way {
        if tag.name() == "rootfile" && self.0.is_none() {
            self.0 = tag.get("full-path");
        }
        Way::In
    }

    fn close(&mut self, _: &str) {}

    fn text(&mut self, _: &str) {}
}

/// Walks over the package: what is in the book, by id, and the order in which it is read.
#[derive(Default)]
struct Package {
    items: Vec<(String, String)>,
    spine: Vec<String>,
}

impl Visitor for Package {
    fn open(&mut self, tag: &Tag<'_>) -> Way {
        match tag.name() {
            "item" => {
                if let (Some(id), Some(target)) = (tag.get("id"), tag.get("href")) {
                    self.items.push((id, target));
                }
            }
            "itemref" => self.spine.extend(tag.get("idref")),
            _ => {}
        }
        Way::In
    }

    fn close(&mut self, _: &str) {}

    fn text(&mut self, _: &str) {}
}
