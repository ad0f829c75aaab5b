//! The skipping walk over a checked text: nothing is validated again.

use super::{
    Json,
    outline::{Place, Steps},
    words::{next_quote, next_structure},
};

/// Steps over values of a checked text: from note to note where it has an outline, else by looking at it.
#[derive(Clone, Debug, Default)]
pub(super) struct Walk<'a> {
    /// The whole array or object where there are notes of it, else what was not stepped over yet.
    text: &'a [u8],
    steps: Option<Steps<'a>>,
}

impl<'a> Walk<'a> {
    /// Starts inside `value` when it opens with `bracket`; walks nothing otherwise.
    #[inline]
    pub(super) fn inside(value: Json<'a>, bracket: u8) -> Self {
        match value.text.split_first() {
            Some((first, rest)) if *first == bracket => match value.place.inside() {
                Some(steps) => Self {
                    text: value.text,
                    steps: Some(steps),
                },
                None => Self {
                    text: rest,
                    steps: None,
                },
            },
            _ => Self {
                text: &[],
                steps: None,
            },
        }
    }

    /// The next value, and past the `,` before it.
    #[inline]
    pub(super) fn value(&mut self) -> Option<Json<'a>> {
        match &mut self.steps {
            Some(steps) => {
                let (text, place) = steps.step(self.text)?;
                Some(Json { text, place })
            }
            None => self.look(),
        }
    }

    /// The next member: what stands between the quotes of its key, and its value.
    #[inline]
    pub(super) fn member(&mut self) -> Option<(&'a [u8], Json<'a>)> {
        match &mut self.steps {
            Some(steps) => {
                let (key, text, place) = steps.pair(self.text)?;
                Some((key, Json { text, place }))
            }
            None => self.look_at_member(),
        }
    }

    #[inline(never)]
    fn look_at_member(&mut self) -> Option<(&'a [u8], Json<'a>)> {
        let key = self.look()?.escaped()?;
        Some((key, self.look()?))
    }

    /// The next key or value in a text without notes, and past the `,` or `:` before it.
    #[inline(never)]
    fn look(&mut self) -> Option<Json<'a>> {
        let start = self
            .text
            .iter()
            .position(|b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':'))?;
        let rest = self.text.get(start..)?;
        let (text, rest) = rest.split_at_checked(end_of_value(rest)?)?;
        self.text = rest;
        let place = Place::default();
        Some(Json { text, place })
    }
}

/// The length of the checked value that `text` starts with; `None` at a closing bracket.
fn end_of_value(text: &[u8]) -> Option<usize> {
    match text.first()? {
        b'"' => end_of_string(text, 0),
        b'{' | b'[' => {
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
