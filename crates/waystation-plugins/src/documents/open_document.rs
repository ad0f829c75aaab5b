//! OpenDocument files (odt, ods, odp): paragraphs, headings, items, tables with their values as shown,
//! slides with their notes. Sheets that are not shown, comments and tracked changes are left out;
//! charts and pictures are not looked at.
//!
//! All three kinds are one language, so that one walk reads them all. Cells say how often they stand
//! beside each other, and a sheet is always filled up to its last row: what is empty costs nothing here,
//! and what is not is written a bounded number of times.
//!
//! Source: OASIS OpenDocument 1.3, part 3.

use std::collections::BTreeSet;

use waystation_core::{Document, DocumentLimits, ParseError};

use super::{
    ENCRYPTED,
    archive::Archive,
    draft::Draft,
    markup::{Tag, Visitor, Way, walk},
    refused,
};

/// How often a cell or row that is told to stand many times is written.
const MOST_COPIES: usize = 64;

/// Reads the open archive.
///
/// # Errors
/// [`ParseError`] where it is encrypted or damaged, or there are too many slides or too much text.
pub(super) fn read(
    archive: &mut Archive<'_>,
    limits: &DocumentLimits,
) -> Result<Document, ParseError> {
    let manifest = archive.text("META-INF/manifest.xml")?.unwrap_or_default();
    if manifest.contains("encryption-data") {
        return Err(refused(ENCRYPTED.to_owned()));
    }
    let content = archive
        .text("content.xml")?
        .ok_or_else(|| refused("the file is damaged: it has no content.xml".to_owned()))?;
    let mut body = Body::default();
    if let Some(styles) = archive.text("styles.xml")? {
        let mut margins = Margins {
            body: &mut body,
            open: 0,
        };
        walk(&styles, &mut margins)?;
    }
    walk(&content, &mut body)?;
    let pages = u32::try_from(body.slides).unwrap_or(u32::MAX);
    if pages > limits.pages {
        let most = limits.pages;
        return Err(refused(format!(
            "expected at most {most} slides, found {pages}"
        )));
    }
    Ok(Document {
        text: body.draft.finish(),
        pages: (pages > 0).then_some(pages),
    })
}

/// Walks over the heads and feet of pages in `styles.xml`.
struct Margins<'a> {
    body: &'a mut Body,
    /// How many of them are open.
    open: usize,
}

impl Visitor for Margins<'_> {
    fn open(&mut self, tag: &Tag<'_>) -> Way {
        let margin = matches!(tag.name(), "header" | "footer");
        self.open += usize::from(margin);
        if self.open > 0 && !margin {
            return self.body.open(tag);
        }
        Way::In
    }

    fn close(&mut self, name: &str) {
        if matches!(name, "header" | "footer") {
            self.open = self.open.saturating_sub(1);
        } else if self.open > 0 {
            self.body.close(name);
        }
    }

    fn text(&mut self, text: &str) {
        if self.open > 0 {
            self.body.text(text);
        }
    }

    fn full(&self) -> bool {
        self.body.full()
    }
}

/// Walks over `content.xml`.
#[derive(Default)]
struct Body {
    /// What was read.
    draft: Draft,
    /// How many paragraphs are open: words stand only in them.
    paragraphs: usize,
    /// How many items of lists are open.
    items: usize,
    /// How many slides came by.
    slides: usize,
    /// It is a workbook: its tables are sheets with names.
    sheets: bool,
    /// In the speaker's notes.
    notes: bool,
    /// The style whose properties come by, and the styles of tables that are not shown.
    style: String,
    unseen: BTreeSet<String>,
    /// For each open cell, how often it stands there, and what takes the place of its text.
    cells: Vec<(usize, Option<String>)>,
    /// How often the row stands there.
    row_copies: usize,
}

impl Visitor for Body {
    fn open(&mut self, tag: &Tag<'_>) -> Way {
        match tag.name() {
            "annotation" | "tracked-changes" | "page-number" | "page-count" | "ruby-text"
            | "forms" | "date-time" | "note-citation" => return Way::Past,
            "title" | "desc" if tag.is_of("svg") => return Way::Past,
            "spreadsheet" => self.sheets = true,
            "style" => self.style = tag.get("name").unwrap_or_default(),
            "table-properties" if tag.get("display").as_deref() == Some("false") => {
                self.unseen.insert(std::mem::take(&mut self.style));
            }
            "p" => self.paragraph(),
            "h" => {
                self.paragraph();
                self.draft.heading(tag.number("outline-level").unwrap_or(1));
            }
            "s" => {
                let spaces = tag.number("c").unwrap_or(1).min(MOST_COPIES);
                self.draft.text(&" ".repeat(spaces));
            }
            "tab" => self.draft.text("\t"),
            "line-break" => self.draft.text("\n"),
            "list-item" => self.items += 1,
            "note-body" | "text-box" | "custom-shape" => self.draft.interrupt(),
            "page" => {
                self.slides += 1;
                self.say(2, &format!("Slide {}", self.slides));
            }
            "notes" => self.notes = true,
            "table" => return self.table(tag),
            "table-row" => {
                self.row_copies = tag.number("number-rows-repeated").unwrap_or(1);
                self.draft.open_row();
            }
            "table-cell" | "covered-table-cell" => self.cell(tag),
            _ => {}
        }
        Way::In
    }

    fn close(&mut self, name: &str) {
        match name {
            "p" | "h" => {
                self.draft.end_paragraph();
                self.paragraphs = self.paragraphs.saturating_sub(1);
            }
            "list-item" => self.items = self.items.saturating_sub(1),
            "note-body" | "text-box" | "custom-shape" => self.draft.resume(),
            "notes" => self.notes = false,
            "table" => self.draft.end_table(),
            "table-row" => self.draft.close_rows(self.row_copies.clamp(1, MOST_COPIES)),
            "table-cell" | "covered-table-cell" => {
                let (copies, value) = self.cells.pop().unwrap_or((1, None));
                self.draft.close_cells(copies.clamp(1, MOST_COPIES), value);
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.paragraphs > 0 {
            self.draft.text(text);
        }
    }

    fn full(&self) -> bool {
        self.draft.full()
    }
}

impl Body {
    /// A paragraph begins, as an item or a note where it is one.
    fn paragraph(&mut self) {
        self.paragraphs += 1;
        if self.notes {
            self.draft.mark("Notes: ");
        } else if self.items > 0 {
            self.draft.mark("- ");
        }
    }

    /// A heading of our own.
    fn say(&mut self, level: usize, text: &str) {
        self.draft.end_paragraph();
        self.draft.heading(level);
        self.draft.text(text);
        self.draft.end_paragraph();
    }

    /// A table, or a sheet of a workbook: that has a name.
    fn table(&mut self, tag: &Tag<'_>) -> Way {
        let style = tag.get("style-name").unwrap_or_default();
        if self.unseen.contains(&style) {
            return Way::Past;
        }
        let name = tag.get("name").unwrap_or_default();
        if !name.is_empty() && !self.draft.in_row() && self.sheets {
            self.say(2, &name);
        }
        Way::In
    }

    /// A cell begins.
    fn cell(&mut self, tag: &Tag<'_>) {
        // What a date shows depends on where it was written; its value does not.
        let date = tag.get("value-type").as_deref() == Some("date");
        let value = date.then(|| tag.get("date-value")).flatten();
        let value = value.map(|value| value.trim_end_matches("T00:00:00").replace('T', " "));
        let copies = tag.number("number-columns-repeated").unwrap_or(1);
        self.cells.push((copies, value));
        self.draft.open_cell();
    }
}
