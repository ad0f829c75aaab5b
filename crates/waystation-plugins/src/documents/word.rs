//! Word documents (docx): paragraphs, headings and items by their styles, tables, notes, heads and
//! feet. What was deleted, field codes and the older copy of a drawing are left out; pictures are not
//! looked at.
//!
//! The order is that in which a person reads: heads of pages, the text, notes, feet. Numbers of items
//! are not reckoned: every item begins with `- `. Columns of a page need no care here, since text stands
//! in the file in the order of reading.
//!
//! Source: ECMA-376, part 1, section 17.

use std::collections::BTreeMap;

use waystation_core::{Document, ParseError};

use super::{
    archive::Archive,
    draft::Draft,
    markup::{Tag, Visitor, Way, walk},
    office::relations,
};

/// What a paragraph style makes of a paragraph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// A heading of this level, from 1.
    Heading(usize),
    /// An item of a list.
    Item,
}

/// Reads the document whose main part is `xml`.
///
/// # Errors
/// [`ParseError`] where a part is damaged or the text is too long.
pub(super) fn read(
    archive: &mut Archive<'_>,
    main: &str,
    xml: &str,
) -> Result<Document, ParseError> {
    let parts = relations(archive, main)?;
    let of = |kind: &str| {
        let named = parts.iter().filter(|relation| relation.kind == kind);
        named.map(|r| r.part.clone()).collect::<Vec<_>>()
    };
    let mut styles = Styles::default();
    for part in of("styles") {
        if let Some(xml) = archive.text(&part)? {
            walk(&xml, &mut styles)?;
        }
    }
    let mut body = Body {
        draft: Draft::default(),
        styles: styles.known,
        words: 0,
        properties: false,
    };
    let mut side = |kinds: &[&str], body: &mut Body| {
        for part in kinds.iter().flat_map(|kind| of(kind)) {
            if let Some(xml) = archive.text(&part)? {
                walk(&xml, body)?;
            }
        }
        Ok::<(), ParseError>(())
    };
    side(&["header"], &mut body)?;
    walk(xml, &mut body)?;
    side(&["footnotes", "endnotes", "footer"], &mut body)?;
    Ok(Document {
        text: body.draft.finish(),
        pages: None,
    })
}

/// Walks over `styles.xml`. Ids of styles are in the language of the program, names are not: the style
/// `berschrift1` is called `heading 1`.
#[derive(Default)]
struct Styles {
    known: BTreeMap<String, Style>,
    /// The style under way.
    id: Option<String>,
}

impl Visitor for Styles {
    fn open(&mut self, tag: &Tag<'_>) -> Way {
        match tag.name() {
            "style" => self.id = tag.get("styleId"),
            "name" => {
                let name = tag.get("val").unwrap_or_default().to_ascii_lowercase();
                let level = name.strip_prefix("heading ");
                let style = match level.and_then(|level| level.parse().ok()) {
                    Some(level) => Some(Style::Heading(level)),
                    None if name == "title" => Some(Style::Heading(1)),
                    None if name.starts_with("list ") && !name.starts_with("list continue") => {
                        Some(Style::Item)
                    }
                    None => None,
                };
                self.note(style);
            }
            "outlineLvl" => {
                let level = tag.number("val").filter(|level| *level < 9);
                self.note(level.map(|level| Style::Heading(level + 1)));
            }
            "numPr" => self.note(Some(Style::Item)),
            "tblStylePr" => return Way::Past,
            _ => {}
        }
        Way::In
    }

    fn close(&mut self, name: &str) {
        if name == "style" {
            self.id = None;
        }
    }

    fn text(&mut self, _: &str) {}
}

impl Styles {
    /// Keeps the first thing that is said of the style.
    fn note(&mut self, style: Option<Style>) {
        if let (Some(id), Some(style)) = (&self.id, style) {
            self.known.entry(id.clone()).or_insert(style);
        }
    }
}

/// Walks over text: that of the document, and of the parts beside it.
struct Body {
    draft: Draft,
    /// What the document's styles mean.
    styles: BTreeMap<String, Style>,
    /// How many elements that hold words are open.
    words: usize,
    /// In a paragraph's properties.
    properties: bool,
}

impl Visitor for Body {
    fn open(&mut self, tag: &Tag<'_>) -> Way {
        match tag.name() {
            // The past of the text, its fields' code, and a drawing for older programs.
            "del" | "moveFrom" | "pPrChange" | "Fallback" | "instrText" | "delText" | "rPr" => {
                return Way::Past;
            }
            // Separators of notes hold no words.
            "footnote" | "endnote" if tag.get("type").is_some() => return Way::Past,
            "t" => self.words += 1,
            "tab" if !self.properties => self.draft.text("\t"),
            "br" | "cr" => self.draft.text("\n"),
            "noBreakHyphen" => self.draft.text("-"),
            "pPr" => self.properties = true,
            "pStyle" if self.properties => {
                let id = tag.get("val").unwrap_or_default();
                match self.styles.get(&id) {
                    Some(Style::Heading(level)) => self.draft.heading(*level),
                    Some(Style::Item) => self.draft.mark("- "),
                    None => {}
                }
            }
            "outlineLvl" if self.properties => {
                if let Some(level) = tag.number("val").filter(|level| *level < 9) {
                    self.draft.heading(level + 1);
                }
            }
            "numId" if self.properties && tag.number("val") != Some(0) => self.draft.mark("- "),
            "txbxContent" => self.draft.interrupt(),
            "tr" => self.draft.open_row(),
            "tc" => self.draft.open_cell(),
            _ => {}
        }
        Way::In
    }

    fn close(&mut self, name: &str) {
        match name {
            "t" => self.words = self.words.saturating_sub(1),
            "pPr" => self.properties = false,
            "p" => self.draft.end_paragraph(),
            "txbxContent" => self.draft.resume(),
            "tc" => self.draft.close_cell(),
            "tr" => self.draft.close_row(),
            "tbl" => self.draft.end_table(),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.words > 0 {
            self.draft.text(text);
        }
    }

    fn full(&self) -> bool {
        self.draft.full()
    }
}
