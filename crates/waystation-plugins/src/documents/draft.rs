//! A document as it is written down: paragraphs, headings, items of lists, rows of tables, one after
//! the other. Tables within cells become part of the cell.
//!
//! The form is that of markdown as models read it best: `# ` before headings, `- ` before items,
//! ` | ` between cells, one row a line, an empty line between blocks. Rows have no frame of dashes:
//! they cost tokens and say nothing. Signs that mean something in markdown stay as they are.

use super::MOST_TEXT;

/// What the last block was: items and rows stand close together, everything else apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Block {
    #[default]
    None,
    Paragraph,
    Item,
    Row,
}

/// A text in the making.
///
/// Readers say what begins and ends; what does not match (a cell that ends without having begun) does
/// no harm. Empty paragraphs, rows and trailing cells leave no trace.
#[derive(Debug, Default)]
pub(super) struct Draft {
    out: String,
    last: Block,
    /// The paragraph under way, and what it begins with.
    line: String,
    mark: String,
    /// Rows and cells under way, the innermost last.
    rows: Vec<Vec<String>>,
    cells: Vec<String>,
    /// Paragraphs that another one interrupts.
    interrupted: Vec<(String, String)>,
    /// Bytes taken so far.
    taken: usize,
}

// === impl Draft ===

impl Draft {
    /// More words of the paragraph.
    pub(super) fn text(&mut self, text: &str) {
        self.taken += text.len();
        if !self.full() {
            self.line.push_str(text);
        }
    }

    /// Whether it took more than a document may give.
    pub(super) const fn full(&self) -> bool {
        self.taken > MOST_TEXT
    }

    /// The paragraph begins with this: `# `, `- `.
    pub(super) fn mark(&mut self, mark: &str) {
        mark.clone_into(&mut self.mark);
    }

    /// The mark of a heading of this level, from 1.
    pub(super) fn heading(&mut self, level: usize) {
        self.mark = format!("{} ", "#".repeat(level.clamp(1, 6)));
    }

    /// The paragraph ends.
    pub(super) fn end_paragraph(&mut self) {
        let line = std::mem::take(&mut self.line);
        let mark = std::mem::take(&mut self.mark);
        let line = line.trim_matches(['\n', '\r', ' ', '\t']);
        if line.is_empty() {
            return;
        }
        if let Some(cell) = self.cells.last_mut() {
            if !cell.is_empty() {
                cell.push(' ');
            }
            // A row stays on one line.
            cell.extend(line.chars().map(|c| if c == '\n' { ' ' } else { c }));
            return;
        }
        let block = if mark.starts_with('-') {
            Block::Item
        } else {
            Block::Paragraph
        };
        self.begin(block);
        self.out.push_str(&mark);
        self.out.push_str(line);
    }

    /// Another paragraph begins in the midst of this one: a note, a box. It stands before the one that
    /// it interrupts, which stays whole.
    pub(super) fn interrupt(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.interrupted
            .push((line, std::mem::take(&mut self.mark)));
    }

    /// The interrupted paragraph goes on.
    pub(super) fn resume(&mut self) {
        self.end_paragraph();
        (self.line, self.mark) = self.interrupted.pop().unwrap_or_default();
    }

    /// A row begins.
    pub(super) fn open_row(&mut self) {
        self.rows.push(Vec::new());
    }

    /// A cell begins.
    pub(super) fn open_cell(&mut self) {
        self.end_paragraph();
        self.cells.push(String::new());
    }

    /// A cell begins, and the paragraph under way is its first. For formats that only say where a cell
    /// ends.
    pub(super) fn open_cell_here(&mut self) {
        self.cells.push(String::new());
    }

    /// The cell ends.
    pub(super) fn close_cell(&mut self) {
        self.close_cells(1, None);
    }

    /// The cell ends, and stands there `copies` times, with `value` for what was said in it. Copies count
    /// as text taken, so that a small file cannot ask for a large one.
    pub(super) fn close_cells(&mut self, copies: usize, value: Option<String>) {
        self.end_paragraph();
        let said = self.cells.pop().unwrap_or_default();
        let cell = value.unwrap_or(said);
        for _ in 1..copies {
            self.taken += cell.len();
            self.cell(cell.clone());
        }
        self.cell(cell);
    }

    /// A whole cell of the row under way.
    pub(super) fn cell(&mut self, cell: String) {
        self.taken += 3;
        if let Some(row) = self.rows.last_mut()
            && self.taken <= MOST_TEXT
        {
            row.push(cell);
        }
    }

    /// The row ends.
    pub(super) fn close_row(&mut self) {
        self.close_rows(1);
    }

    /// The row ends, and stands there `copies` times.
    pub(super) fn close_rows(&mut self, copies: usize) {
        let row = self.rows.pop().unwrap_or_default();
        let used = row.iter().rposition(|cell| !cell.is_empty());
        let row = row
            .get(..used.map_or(0, |last| last + 1))
            .unwrap_or_default();
        if let Some(cell) = self.cells.last_mut() {
            for inner in row.iter().filter(|inner| !inner.is_empty()) {
                if !cell.is_empty() {
                    cell.push(' ');
                }
                cell.push_str(inner);
            }
            return;
        }
        let line = row.join(" | ");
        if line.is_empty() {
            return;
        }
        for copy in 0..copies {
            self.taken += if copy > 0 { line.len() } else { 0 };
            if self.full() {
                return;
            }
            self.begin(Block::Row);
            self.out.push_str(&line);
        }
    }

    /// Whether a row is open.
    pub(super) fn in_row(&self) -> bool {
        !self.rows.is_empty()
    }

    /// Whether a cell is open.
    pub(super) fn in_cell(&self) -> bool {
        !self.cells.is_empty()
    }

    /// A table ends: what follows stands apart.
    pub(super) fn end_table(&mut self) {
        if self.cells.is_empty() && self.last == Block::Row {
            self.last = Block::Paragraph;
        }
    }

    /// Writes the space before a block: a line break between items and between rows, else an empty line.
    fn begin(&mut self, block: Block) {
        let close = block == self.last && matches!(block, Block::Item | Block::Row);
        if !self.out.is_empty() {
            self.out.push_str(if close { "\n" } else { "\n\n" });
        }
        self.last = block;
    }

    /// All of it, with what was left open closed.
    pub(super) fn finish(mut self) -> String {
        self.end_paragraph();
        while self.in_cell() || self.in_row() {
            if self.in_cell() {
                self.close_cell();
            } else {
                self.close_row();
            }
        }
        self.out
    }
}
