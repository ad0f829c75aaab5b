//! Excel workbooks (xlsx): sheet by sheet, row by row, the values as they were last reckoned. Dates
//! are dates and not days since 1900; sheets that are hidden are left out; charts are not looked at.
//!
//! Numbers are written with all their digits and not as their format rounds them: a model reckons with
//! what stands there. Formulas are not run: a workbook that no program has reckoned has no values, and
//! its cells are empty.
//!
//! Source: ECMA-376, part 1, section 18.

use waystation_core::{Document, ParseError};

use super::{
    archive::Archive,
    date,
    draft::Draft,
    markup::{Tag, Visitor, Way, walk},
    office::relations,
};

/// How many empty cells are written between two that hold something: rows that use a far column
/// are no reason for thousands of bars.
const MOST_GAP: usize = 32;

/// Reads the workbook whose main part is `xml`.
///
/// # Errors
/// [`ParseError`] where a part is damaged or the text is too long.
pub(super) fn read(
    archive: &mut Archive<'_>,
    main: &str,
    xml: &str,
) -> Result<Document, ParseError> {
    let mut book = Book::default();
    walk(xml, &mut book)?;
    let parts = relations(archive, main)?;
    let (mut strings, mut styles) = (Strings::default(), Styles::default());
    for relation in &parts {
        let visitor: &mut dyn Visitor = match relation.kind.as_str() {
            "sharedStrings" => &mut strings,
            "styles" => &mut styles,
            _ => continue,
        };
        if let Some(xml) = archive.text(&relation.part)? {
            walk(&xml, visitor)?;
        }
    }
    let mut sheet = Sheet {
        draft: Draft::default(),
        strings: strings.all,
        dates: styles.dates(),
        from_1904: book.from_1904,
        cell: Cell::default(),
        column: 0,
        inside: None,
    };
    for (name, id) in &book.sheets {
        let part = parts.iter().find(|relation| relation.id == *id);
        let xml = part.map(|part| archive.text(&part.part)).transpose()?;
        let Some(xml) = xml.flatten() else { continue };
        sheet.draft.heading(2);
        sheet.draft.text(name);
        sheet.draft.end_paragraph();
        walk(&xml, &mut sheet)?;
        sheet.draft.end_table();
    }
    Ok(Document {
        text: sheet.draft.finish(),
        pages: None,
    })
}

/// The sheets that are shown, in their order: name and id of relation.
#[derive(Default)]
struct Book {
    sheets: Vec<(String, String)>,
    from_1904: bool,
}

impl Visitor for Book {
    fn open(&mut self, tag: &Tag<'_>) -> Way {
        match tag.name() {
            "workbookPr" => self.from_1904 = tag.is_set("date1904"),
            "sheet" => {
                let state = tag.get("state").unwrap_or_default();
                if !matches!(state.as_str(), "hidden" | "veryHidden")
                    && let (Some(name), Some(id)) = (tag.get("name"), tag.get_prefixed("id"))
                {
                    self.sheets.push((name, id));
                }
            }
            _ => {}
        }
        Way::In
    }

    fn close(&mut self, _: &str) {}

    fn text(&mut self, _: &str) {}
}

/// Walks over the strings that cells share.
#[derive(Default)]
struct Strings {
    all: Vec<String>,
    words: bool,
}

impl Visitor for Strings {
    fn open(&mut self, tag: &Tag<'_>) -> Way {
        match tag.name() {
            "si" => self.all.push(String::new()),
            "t" => self.words = true,
            // How it is pronounced.
            "rPh" => return Way::Past,
            _ => {}
        }
        Way::In
    }

    fn close(&mut self, name: &str) {
        self.words &= name != "t";
    }

    fn text(&mut self, text: &str) {
        if let Some(last) = self.all.last_mut().filter(|_| self.words) {
            last.push_str(text);
        }
    }
}

/// Walks over the formats of cells.
#[derive(Default)]
struct Styles {
    /// Formats of this file that are dates or times.
    formats: Vec<(usize, bool)>,
    /// The format of each style, in order.
    cells: Vec<usize>,
    in_cells: bool,
}

impl Visitor for Styles {
    fn open(&mut self, tag: &Tag<'_>) -> Way {
        match tag.name() {
            "numFmt" => {
                let code = tag.get("formatCode").unwrap_or_default();
                if let Some(id) = tag.number("numFmtId") {
                    self.formats.push((id, date::is_format(&code)));
                }
            }
            "cellXfs" => self.in_cells = true,
            "xf" if self.in_cells => self.cells.push(tag.number("numFmtId").unwrap_or(0)),
            _ => {}
        }
        Way::In
    }

    fn close(&mut self, name: &str) {
        self.in_cells &= name != "cellXfs";
    }

    fn text(&mut self, _: &str) {}
}

impl Styles {
    /// For each style, whether numbers in it are dates: by the file's own formats, and else by the ones
    /// that are built in and have numbers only.
    fn dates(&self) -> Vec<bool> {
        let is_date = |id: &usize| {
            let own = self.formats.iter().find(|(known, _)| known == id);
            // Built in. Source: ECMA-376, part 1, 18.8.30.
            own.map_or(
                matches!(id, 14..=22 | 27..=36 | 45..=47 | 50..=58),
                |(_, date)| *date,
            )
        };
        self.cells.iter().map(is_date).collect()
    }
}

/// The cell under way.
#[derive(Debug, Default)]
struct Cell {
    /// What its value is: `s` for a shared string, `b`, `e`, `str`, `inlineStr`; a number where nothing
    /// is said.
    kind: String,
    /// Which style it has, by place.
    style: usize,
    /// As it stands in the file.
    value: String,
}

/// Walks over a sheet.
struct Sheet {
    draft: Draft,
    strings: Vec<String>,
    dates: Vec<bool>,
    from_1904: bool,
    cell: Cell,
    /// The column of the next cell, from 0.
    column: usize,
    /// The element whose text is the cell's.
    inside: Option<&'static str>,
}

impl Visitor for Sheet {
    fn open(&mut self, tag: &Tag<'_>) -> Way {
        match tag.name() {
            "row" => {
                self.column = 0;
                self.draft.open_row();
            }
            "c" => {
                let column = tag.get("r").and_then(|place| column(&place));
                let gap = column.map_or(0, |column| column.saturating_sub(self.column));
                for _ in 0..gap.min(MOST_GAP) {
                    self.draft.cell(String::new());
                }
                self.column = column.unwrap_or(self.column);
                self.cell = Cell {
                    kind: tag.get("t").unwrap_or_default(),
                    style: tag.number("s").unwrap_or(0),
                    value: String::new(),
                };
            }
            "v" => self.inside = Some("v"),
            "t" => self.inside = Some("t"),
            "f" | "rPh" | "headerFooter" | "dataValidations" | "conditionalFormatting" => {
                return Way::Past;
            }
            _ => {}
        }
        Way::In
    }

    fn close(&mut self, name: &str) {
        match name {
            "row" => self.draft.close_row(),
            "c" => {
                let value = self.shown();
                self.draft.open_cell();
                self.draft.text(&value);
                self.draft.close_cell();
                self.column += 1;
            }
            name if self.inside == Some(name) => self.inside = None,
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.inside.is_some() {
            self.cell.value.push_str(text);
        }
    }

    fn full(&self) -> bool {
        self.draft.full()
    }
}

impl Sheet {
    /// The cell as a reader sees it.
    fn shown(&mut self) -> String {
        let value = std::mem::take(&mut self.cell.value);
        match self.cell.kind.as_str() {
            "s" => {
                let at = value.trim().parse::<usize>().ok();
                at.and_then(|at| self.strings.get(at).cloned())
                    .unwrap_or_default()
            }
            "b" => if value.trim() == "1" { "TRUE" } else { "FALSE" }.to_owned(),
            "" | "n" if self.dates.get(self.cell.style) == Some(&true) => {
                date::from_serial(&value, self.from_1904).unwrap_or(value)
            }
            _ => value,
        }
    }
}

/// The column of a place such as `AB12`, from 0.
fn column(place: &str) -> Option<usize> {
    let letters = place.bytes().take_while(u8::is_ascii_alphabetic).take(4);
    let number = letters.fold(0, |number, letter| {
        number * 26 + usize::from(letter.to_ascii_uppercase() - b'A') + 1
    });
    number.checked_sub(1)
}
