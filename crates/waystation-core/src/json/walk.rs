//! The skipping walk over a checked text: nothing is validated again.

use super::{
    Json,
    ends::EndsRef,
    words::{next_quote, next_structure},
};

/// Steps over values of a checked text.
#[derive(Clone, Debug)]
pub(super) struct Walk<'a> {
    rest: &'a [u8],
    ends: EndsRef<'a>,
}

impl<'a> Walk<'a> {
    /// Starts inside `value` when it opens with `bracket`; walks nothing otherwise.
    pub(super) fn inside(value: &'a [u8], bracket: u8, ends: EndsRef<'a>) -> Self {
        let rest = match value.split_first() {
            Some((first, rest)) if *first == bracket => rest,
            _ => &[],
        };
        Self { rest, ends }
    }

    /// One of the values, with all that is known of it.
    pub(super) const fn json(&self, text: &'a [u8]) -> Json<'a> {
        Json {
            text,
            ends: self.ends,
        }
    }

    /// The next key or value, and past the `,` or `:` before it.
    pub(super) fn value(&mut self) -> Option<&'a [u8]> {
        let start = self
            .rest
            .iter()
            .position(|b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':'))?;
        let rest = self.rest.get(start..)?;
        let end = end_of_value(rest, self.ends)?;
        let (value, rest) = rest.split_at_checked(end)?;
        self.rest = rest;
        Some(value)
    }
}

/// The length of the checked value that `text` starts with; `None` at a closing bracket.
fn end_of_value(text: &[u8], ends: EndsRef<'_>) -> Option<usize> {
    match text.first()? {
        b'"' => ends.length(text).or_else(|| end_of_string(text, 0)),
        b'{' | b'[' => {
            if let Some(end) = ends.length(text) {
                return Some(end);
            }
            let mut depth = 0_usize;
            let mut at = 0;
            loop {
                at += next_structure(text.get(at..)?)?;
                match text.get(at)? {
                    b'"' => at = end_of_string(text, at)?,
                    b'{' | b'[' => {
                        depth += 1;
                        at += 1;
                    }
                    _ => {
                        depth -= 1;
                        at += 1;
                        if depth == 0 {
                            return Some(at);
                        }
                    }
                }
            }
        }
        b'}' | b']' => None,
        _ => Some(
            text.iter()
                .position(|byte| BEHIND_SCALAR.get(usize::from(*byte)) == Some(&true))
                .unwrap_or(text.len()),
        ),
    }
}

/// What may stand right behind a number or a word. A table, since that is asked of each of their bytes.
const BEHIND_SCALAR: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_usize;
    while byte < table.len() {
        #[expect(
            clippy::indexing_slicing,
            clippy::cast_possible_truncation,
            reason = "checked by the compiler: this runs at build, and counts to 255"
        )]
        {
            table[byte] = matches!(
                byte as u8,
                b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'
            );
        }
        byte += 1;
    }
    table
};

/// The offset just behind the string that opens at `start`: behind the first quote before which an
/// even number of backslashes stands. Backslashes elsewhere are not looked at.
fn end_of_string(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += next_quote(text.get(at..)?)?;
        let before = text.get(start + 1..at)?.iter().rev();
        if before.take_while(|byte| **byte == b'\\').count() % 2 == 0 {
            return Some(at + 1);
        }
        at += 1;
    }
}
