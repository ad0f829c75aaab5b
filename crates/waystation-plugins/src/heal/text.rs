//! Strings, whose ends have to be guessed: a quote ends a string when what stands behind it could
//! follow a string there. Unquoted words are [`super::word`]'s; it reads no brackets.

use super::{
    parser::{Open, Parser, Place, blank},
    value::{Value, literal},
};

/// The longest key that is looked ahead for, in bytes.
const LONGEST_KEY: usize = 200;

/// A pair of quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quote {
    /// The marks that may close it, the usual one first. Models open with one kind and close with
    /// another: `“b"` is a string too.
    closers: &'static [char],
}

// === impl Quote ===

impl Quote {
    /// The quotes that `c` opens.
    pub(super) fn opens(c: char) -> Option<Self> {
        let closers: &'static [char] = match c {
            '"' => &['"'],
            '“' | '„' | '”' => &['”', '"'],
            '\'' => &['\''],
            '‘' | '’' => &['’', '\''],
            '`' => &['`', '´', '\''],
            _ => return None,
        };
        Some(Self { closers })
    }

    /// Whether `c` may end what these quotes began. That it does is [`Parser::ends`]' to say.
    fn closes(self, c: char) -> bool {
        self.closers.contains(&c)
    }
}

// === impl Parser ===

impl Parser<'_> {
    /// A string, and those that are added to it with `+`.
    pub(super) fn strings(&mut self, place: Place) -> Value {
        let mut text = self.string(place);
        loop {
            let before = self.at;
            self.blank();
            if self.eat('+') {
                self.blank();
                if self.peek().and_then(Quote::opens).is_some() {
                    text.push_str(&self.string(place));
                    continue;
                }
            }
            self.at = before;
            return Value::Text(text);
        }
    }

    /// A string, from its opening quote to behind the one that ends it.
    pub(super) fn string(&mut self, place: Place) -> String {
        let Some(opener) = self.peek() else {
            return String::new();
        };
        let Some(quote) = Quote::opens(opener) else {
            return String::new();
        };
        if let Some(text) = self.triple(opener) {
            return text;
        }
        self.eat(opener);
        let start = self.at;
        let mut out = String::new();
        // The last quote inside: what stood before it, and where it is.
        let mut inner: Option<(usize, usize)> = None;
        loop {
            let rest = self.rest();
            let Some(run) = rest.find(|c| c == '\\' || quote.closes(c)) else {
                return self.unclosed(start, place);
            };
            out.push_str(rest.get(..run).unwrap_or_default());
            self.at += run;
            let Some(c) = self.peek() else { break };
            if c == '\\' {
                self.escape(&mut out);
                continue;
            }
            let after = self.at + c.len_utf8();
            if self.ends(after, place) {
                self.drop_layout(start, &mut out);
                self.at = after;
                break;
            }
            if place == Place::Member
                && let Some(end) = self.end_before_key(after, inner, &out)
            {
                out.truncate(end);
                out.truncate(out.trim_end().len());
                break;
            }
            inner = Some((out.len(), self.at));
            out.push(c);
            self.at = after;
        }
        out
    }

    /// A Python string in three quotes.
    fn triple(&mut self, quote: char) -> Option<String> {
        let mark = match quote {
            '"' => "\"\"\"",
            '\'' => "'''",
            _ => return None,
        };
        let inside = self.rest().strip_prefix(mark)?;
        let (text, rest) = inside.split_once(mark)?;
        let next = rest.get(blank(rest)..).unwrap_or_default();
        if !next.is_empty() && !next.starts_with([',', '}', ']', ':', ')']) {
            return None;
        }
        self.at = self.text.len() - rest.len();
        Some(text.to_owned())
    }

    /// A line break right before the closing quote is layout, not text.
    fn drop_layout(&self, start: usize, out: &mut String) {
        let raw = self.text.get(start..self.at).unwrap_or_default();
        let space = raw.get(raw.trim_end().len()..).unwrap_or_default();
        if space.contains('\n') {
            out.truncate(out.len().saturating_sub(space.len()));
        }
    }

    /// One escape, at its backslash. What JSON does not know stays as it is.
    fn escape(&mut self, out: &mut String) {
        self.eat('\\');
        let Some(c) = self.peek() else {
            self.doubts.cut = true;
            return;
        };
        self.eat(c);
        match c {
            '"' | '\\' | '/' | '\'' | '`' | '\n' => out.push(c),
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'u' => self.unicode(out),
            other => out.extend(['\\', other]),
        }
    }

    /// The code point of an escape, behind its `\u`: a pair of surrogates is one character, half a
    /// pair is U+FFFD, and what has no four digits stays as it is.
    fn unicode(&mut self, out: &mut String) {
        let hex = |text: &str| u32::from_str_radix(text.get(..4)?, 16).ok();
        let rest = self.rest();
        let Some(first) = hex(rest) else {
            out.push_str("\\u");
            return;
        };
        self.at += 4;
        let low = rest
            .get(4..)
            .and_then(|rest| rest.strip_prefix("\\u"))
            .and_then(hex);
        match (first, low) {
            (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
                self.at += 6;
                let code = 0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00);
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            _ => out.push(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)),
        }
    }

    /// Where the string should have ended when the quote before `after` turns out to close a key:
    /// `"a": "b, "c": 1` ends before its comma. Gives the length of what is the string's, and
    /// goes back to there.
    fn end_before_key(
        &mut self,
        after: usize,
        inner: Option<(usize, usize)>,
        out: &str,
    ) -> Option<usize> {
        let (length, at) = inner?;
        let colon = self.text.get(after..)?;
        if !colon.get(blank(colon)..)?.starts_with(':') {
            return None;
        }
        let raw = self.text.get(..at)?;
        let (trimmed, kept) = (raw.trim_end(), out.get(..length)?.trim_end());
        let space = raw.get(trimmed.len()..)?;
        if let Some(text) = kept.strip_suffix(',').filter(|_| trimmed.ends_with(',')) {
            self.at = trimmed.len() - 1;
            return Some(text.len());
        }
        if space.contains('\n') {
            self.at = trimmed.len();
            return Some(kept.len());
        }
        None
    }

    /// The text ended before the string did.
    fn unclosed(&mut self, start: usize, place: Place) -> String {
        let raw = self.text.get(start..).unwrap_or_default();
        if place == Place::Key {
            let end = raw.find(':').unwrap_or(raw.len());
            self.doubts.cut |= end == raw.len();
            return self.decoded(start, start + end);
        }
        let Some(end) = self.closers_at_end(raw) else {
            self.doubts.cut = true;
            return self.decoded(start, self.text.len());
        };
        let text = raw.get(..end).unwrap_or_default();
        // `"first, b: true}`: only where the value is no prose.
        let split = text
            .char_indices()
            .filter(|(_, c)| *c == ',')
            .find(|(at, _)| {
                let rest = text.get(at + 1..).unwrap_or_default().trim_start();
                let value = rest.split_once(':').filter(|(key, _)| is_word(key.trim()));
                value.is_some_and(|(_, value)| is_plain(value.trim()))
            });
        let end = split
            .filter(|_| place == Place::Member)
            .map_or(end, |(at, _)| at);
        self.decoded(start, start + end)
    }

    /// Where the brackets begin that end `raw`, when they close what is open, innermost first.
    fn closers_at_end(&self, raw: &str) -> Option<usize> {
        let closers: Vec<char> = self.open.iter().rev().map(|open| closer(*open)).collect();
        let whole = raw.trim_end().trim_end_matches("```").trim_end();
        (1..=closers.len()).rev().find_map(|count| {
            let mut rest = whole;
            for c in closers.get(..count)?.iter().rev() {
                rest = rest.strip_suffix(*c)?.trim_end();
            }
            Some(rest.len())
        })
    }

    /// The text between two bytes, unescaped. Stands at the second then.
    fn decoded(&mut self, start: usize, end: usize) -> String {
        let mut out = String::new();
        self.at = start;
        while self.at < end {
            let rest = self.text.get(self.at..end).unwrap_or_default();
            let run = rest.find('\\').unwrap_or(rest.len());
            out.push_str(rest.get(..run).unwrap_or_default());
            self.at += run;
            if self.at < end {
                self.escape(&mut out);
            } else if run == 0 {
                break;
            }
        }
        self.at = end.max(self.at);
        out
    }

    /// Whether a string may end right before `after`: whether what follows could follow a string.
    pub(super) fn ends(&mut self, after: usize, place: Place) -> bool {
        let (mut at, mut depth) = (after, self.open.len());
        loop {
            let rest = self.text.get(at..).unwrap_or_default();
            let gap = blank(rest);
            self.fuel = self.fuel.saturating_sub(gap + 16);
            if self.fuel == 0 {
                return true;
            }
            let line = rest.get(..gap).is_some_and(|gap| gap.contains('\n'));
            at += gap;
            let rest = rest.get(gap..).unwrap_or_default();
            let Some(c) = rest.chars().next() else {
                return true;
            };
            let top = depth
                .checked_sub(1)
                .and_then(|top| self.open.get(top))
                .copied();
            let Some(top) = top else {
                return self.ends_root(rest, place);
            };
            if c == closer(top) {
                if place == Place::Key && depth == self.open.len() && top == Open::Object {
                    return true;
                }
                (depth, at) = (depth - 1, at + 1);
                continue;
            }
            let outer = self.open.get(..depth).unwrap_or_default();
            let popped = depth < self.open.len();
            if matches!(c, '}' | ']' | ')') {
                if !popped || outer.iter().any(|open| closer(*open) == c) {
                    return outer.iter().any(|open| closer(*open) == c);
                }
                // One bracket too many, behind one that fits.
                at += 1;
                continue;
            }
            return match place {
                Place::Key if !popped => self.ends_key(at, c, gap),
                _ => self.ends_value(at, c, (gap > 0, line), (top, popped)),
            };
        }
    }

    /// Behind the outermost bracket.
    fn ends_root(&self, rest: &str, place: Place) -> bool {
        if place == Place::Root {
            return !rest.contains(['"', '\'', '”']) || rest.starts_with('}');
        }
        let Some(more) = rest.strip_prefix(',') else {
            return true;
        };
        let next = more.get(blank(more)..).unwrap_or_default();
        next.is_empty() || next.starts_with(['{', '['])
    }

    /// Behind a key there is a colon, an equals sign, or, where the colon was forgotten, the quote of
    /// its value; a comma only where the braces hold a set.
    fn ends_key(&mut self, at: usize, c: char, gap: usize) -> bool {
        match c {
            ':' | '=' => true,
            ',' => self.item_follows(at + 1),
            _ => gap > 0 && Quote::opens(c).is_some(),
        }
    }

    /// Behind a value there is a comma with a key (in an array: an element) behind it, a fence, a
    /// control token, or the next key where the comma was forgotten. `apart` and `line` say whether
    /// space or a line break came before; `popped` that brackets were closed on the way.
    fn ends_value(
        &mut self,
        at: usize,
        c: char,
        (apart, line): (bool, bool),
        (top, popped): (Open, bool),
    ) -> bool {
        let rest = self.text.get(at..).unwrap_or_default();
        let object = top == Open::Object;
        match c {
            ',' if object => {
                let more = rest.get(1..).unwrap_or_default();
                self.key_follows(at + 1) || popped && more.trim_start().starts_with('[')
            }
            ',' => self.item_follows(at + 1),
            ';' if object => self.key_follows(at + 1),
            '+' => {
                let more = rest.get(1..).unwrap_or_default();
                let next = more.get(blank(more)..).unwrap_or_default();
                next.chars().next().and_then(Quote::opens).is_some()
            }
            '`' if rest.starts_with("```") => true,
            '<' => rest.starts_with("<|") || rest.starts_with("</"),
            '{' | '[' => !object || popped && c == '[',
            _ if Quote::opens(c).is_some() && object => self.key_follows(at),
            _ if Quote::opens(c).is_some() => apart,
            _ if object && line && self.key_follows(at) => true,
            _ => apart && word_then_delimiter(rest),
        }
    }

    /// Whether a key, or the end of the object, begins at `at`.
    pub(super) fn key_follows(&mut self, at: usize) -> bool {
        let rest = self.text.get(at..).unwrap_or_default();
        let rest = rest.get(blank(rest)..).unwrap_or_default();
        let Some(c) = rest.chars().next() else {
            return true;
        };
        if matches!(c, '}' | ']') || rest.starts_with("...") || rest.starts_with("```") {
            return true;
        }
        let near = rest
            .char_indices()
            .take_while(|(at, _)| *at < LONGEST_KEY)
            .last();
        let near = near
            .and_then(|(at, c)| rest.get(..at + c.len_utf8()))
            .unwrap_or(rest);
        let behind = match Quote::opens(c) {
            Some(quote) => {
                let inside = near.get(c.len_utf8()..).unwrap_or_default();
                inside.find(|c| quote.closes(c)).and_then(|end| {
                    let rest = inside.get(end..)?;
                    rest.get(rest.chars().next()?.len_utf8()..)
                })
            }
            None => {
                let end = near.find(|c: char| !is_word_char(c)).unwrap_or(near.len());
                let rest = near.get(end..).filter(|_| end > 0);
                rest.map(|rest| rest.strip_prefix('"').unwrap_or(rest))
            }
        };
        self.fuel = self
            .fuel
            .saturating_sub(near.len() - behind.map_or(0, str::len));
        let next = behind.map(str::trim_start).unwrap_or_default();
        next.starts_with(':') && !next.starts_with("://") || next.starts_with('=')
    }

    /// Whether an element, or the end of the array, begins at `at`.
    ///
    /// Prose behind a comma is no element unless a quote closes it soon: the comma was text then.
    fn item_follows(&mut self, at: usize) -> bool {
        let rest = self.text.get(at..).unwrap_or_default();
        let rest = rest.get(blank(rest)..).unwrap_or_default();
        let Some(c) = rest.chars().next() else {
            return true;
        };
        if Quote::opens(c).is_some() || matches!(c, ']' | '}' | '{' | '[' | '(' | '-' | '.' | ',') {
            return true;
        }
        if c.is_ascii_digit() || rest.starts_with("```") || word_then_delimiter(rest) {
            return true;
        }
        let end = rest.find([',', ']', '\n', '"']).unwrap_or(rest.len());
        self.fuel = self.fuel.saturating_sub(end);
        !rest.get(end..).unwrap_or_default().starts_with('"')
    }
}

/// The bracket that closes this kind.
const fn closer(open: Open) -> char {
    match open {
        Open::Object => '}',
        Open::List => ']',
        Open::Tuple => ')',
    }
}

/// Whether `c` may stand in an unquoted key or word.
fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '-' | '.')
}

/// Whether `text` could be an unquoted key.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_word_char)
}

/// Whether `text` is a number, a literal or something in brackets.
fn is_plain(text: &str) -> bool {
    literal(text).is_some()
        || super::value::number(text).is_some()
        || (text.starts_with('[') && text.ends_with(']'))
}

/// A literal or a number, with something behind it that ends it.
fn word_then_delimiter(rest: &str) -> bool {
    let end = rest
        .find(|c: char| !is_word_char(c) && c != '+')
        .unwrap_or(rest.len());
    let (word, rest) = rest.split_at_checked(end).unwrap_or_default();
    let rest = rest.trim_start();
    let delimited = rest.is_empty() || rest.starts_with([',', '}', ']', ')', '"']);
    delimited && (literal(word).is_some() || super::value::number(word).is_some())
}
