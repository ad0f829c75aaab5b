//! Unquoted words and sentences, whose ends have to be guessed. What a word means is decided later,
//! by who asks: see [`Value::Bare`].

use super::{
    parser::{Open, Parser, Place, blank},
    value::{Value, literal},
};

// === impl Parser ===

impl Parser<'_> {
    /// An unquoted word or sentence, up to where the next member or element begins.
    ///
    /// A word that reaches to the end of the text may have lost its end, and counts as cut, unless it
    /// is a literal or a number.
    pub(super) fn bare(&mut self, place: Place) -> Option<Value> {
        let start = self.at;
        let (end, next) = self
            .bare_end(place, true)
            .or_else(|| self.bare_end(place, false))?;
        let text = self.text.get(start..end)?.trim();
        self.at = next;
        let whole = literal(text).is_some() || super::value::number(text).is_some();
        if next == self.text.len() && place != Place::Root && !whole {
            self.doubts.cut = true;
        }
        (!text.is_empty()).then(|| Value::Bare(text.to_owned()))
    }

    /// Where the word ends, and where to go on. `None` when brackets were followed (`nest`) and
    /// one stayed open.
    ///
    /// What ends a word depends on where it stands: a colon ends a key, a comma ends an element, and in
    /// a value the comma is text unless a key stands behind it. `{a: one, two, b: 3}` is read as
    /// `{"a": "one, two", "b": 3}`. Comments, fences and control tokens end every word.
    fn bare_end(&mut self, place: Place, nest: bool) -> Option<(usize, usize)> {
        let (text, mut depth) = (self.rest(), 0_usize);
        let start = self.at;
        let mut before = ' ';
        for (offset, c) in text.char_indices() {
            let at = start + offset;
            let after = at + c.len_utf8();
            let rest = text.get(offset..).unwrap_or_default();
            match c {
                '{' | '[' | '(' if nest && place != Place::Key => depth += 1,
                '}' | ']' | ')' if depth > 0 => depth -= 1,
                '}' | ']' => return Some((at, at)),
                ')' if self.within(Open::Tuple) => return Some((at, at)),
                _ if depth > 0 => {}
                ':' | '=' if place == Place::Key => return Some((at, at)),
                ',' | ';' if place != Place::Member => return Some((at, at)),
                ',' | ';' if self.key_follows(after) => return Some((at, at)),
                '\n' if place != Place::Member || self.line_ends(after) => return Some((at, at)),
                '"' | '”' | '“' => {
                    if let Some(next) = self.quote_in_word(at, after, place, before) {
                        return Some((at, next));
                    }
                }
                '/' if rest.starts_with("/*") => return Some((at, at)),
                '/' if rest.starts_with("//") && before.is_whitespace() => return Some((at, at)),
                '#' if rest.starts_with("# ") && before.is_whitespace() => return Some((at, at)),
                '`' if rest.starts_with("```") => return Some((at, at)),
                '<' if rest.starts_with("<|") => return Some((at, at)),
                _ => {}
            }
            before = c;
        }
        (depth == 0).then_some((self.text.len(), self.text.len()))
    }

    /// What a quote in an unquoted word means: its end (with where to go on), or nothing.
    fn quote_in_word(
        &mut self,
        at: usize,
        after: usize,
        place: Place,
        before: char,
    ) -> Option<usize> {
        let rest = self.text.get(after..).unwrap_or_default();
        let item = place == Place::Item && rest.trim_start().starts_with([',', ']']);
        if item || self.ends(after, place) {
            return Some(after);
        }
        let apart = before.is_whitespace();
        (apart && (place == Place::Item || self.key_follows(at))).then_some(at)
    }

    /// Whether the line that begins at `at` belongs to something else than the word before it.
    fn line_ends(&mut self, at: usize) -> bool {
        let rest = self.text.get(at..).unwrap_or_default();
        let next = rest.get(blank(rest)..).unwrap_or_default();
        next.is_empty() || next.starts_with(['}', ']', '`']) || self.key_follows(at)
    }
}

/// A word without quotes, marks and spaces around it, in small letters, `_`, `-` and space alike.
pub(super) fn plain(word: &str) -> String {
    let trimmed = word.trim_matches(|c: char| c.is_whitespace() || "\"'`*.".contains(c));
    let small = trimmed.to_lowercase();
    small
        .chars()
        .map(|c| if matches!(c, '_' | '-') { ' ' } else { c })
        .collect()
}

/// The words of a text in small letters, one space between them.
pub(super) fn words(text: &str) -> String {
    let small = text.to_lowercase();
    let words = small.split(|c: char| !c.is_alphanumeric() && c != '_');
    words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
