//! Rows of cells: CSV by RFC 4180, and the same with other separators. Which one a file has is seen by
//! its first lines: the one that most lines have as many of. Numbers stay as they are spelled: whether
//! `1,5` is one and a half is for the reader to know.

/// Signs that part cells, most usual first.
const SEPARATORS: [char; 4] = [',', ';', '\t', '|'];

/// How many lines are looked at to find the separator.
const LOOKED_AT: usize = 20;

/// The table with ` | ` between the cells of a row, one row a line.
pub(super) fn to_rows(text: &str) -> String {
    let separator = separator(text);
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    let (mut cell, mut cells) = (String::new(), Vec::new());
    let (mut quoted, mut chars) = (false, text.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if cell.is_empty() => quoted = true,
            '\n' if !quoted => {
                cells.push(std::mem::take(&mut cell));
                end_row(&mut cells, &mut out);
            }
            c if c == separator && !quoted => cells.push(std::mem::take(&mut cell)),
            // A row stays on one line.
            '\n' => cell.push(' '),
            c => cell.push(c),
        }
    }
    cells.push(cell);
    end_row(&mut cells, &mut out);
    out
}

fn end_row(cells: &mut Vec<String>, out: &mut String) {
    if cells.iter().any(|cell| !cell.trim().is_empty()) {
        if !out.is_empty() {
            out.push('\n');
        }
        let trimmed: Vec<&str> = cells.iter().map(|cell| cell.trim()).collect();
        out.push_str(&trimmed.join(" | "));
    }
    cells.clear();
}

/// The sign that most lines have the same number of, outside of quotes; of equals, the one that
/// there is more of.
fn separator(text: &str) -> char {
    let counts = |separator: char| {
        let mut quoted = false;
        let lines = text.lines().take(LOOKED_AT).map(move |line| {
            let mut count = 0_usize;
            for c in line.chars() {
                quoted ^= c == '"';
                count += usize::from(c == separator && !quoted);
            }
            count
        });
        lines.collect::<Vec<_>>()
    };
    let score = |separator: &char| {
        let counts = counts(*separator);
        let first = counts.first().copied().unwrap_or_default();
        let alike = counts
            .iter()
            .filter(|count| **count == first && first > 0)
            .count();
        (alike, first)
    };
    // The first of equals: `max_by_key` would take the last.
    SEPARATORS
        .into_iter()
        .rev()
        .max_by_key(score)
        .unwrap_or(',')
}
