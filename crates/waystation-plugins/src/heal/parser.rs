//! The repairing parser: reads what is nearly JSON, Python or JavaScript and says how sure it is.
//! Strings and words, where the guessing is, are read in [`super::text`]. It judges no schema.

use super::value::{Value, put};

/// How many levels may be open.
const MAX_DEPTH: usize = 128;

/// What kind of bracket is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Open {
    /// Braces.
    Object,
    /// Square brackets.
    List,
    /// A Python tuple.
    Tuple,
}

/// Where a string or a word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The name of a member.
    Key,
    /// The value of a member.
    Member,
    /// An element of an array.
    Item,
    /// Not in any bracket.
    Root,
}

/// What is to be said against a reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Doubts {
    /// The text breaks off inside a string, a word, a key, or behind a colon.
    pub(super) cut: bool,
    /// A member has no value, or a value no name: something was left out.
    pub(super) dropped: bool,
    /// It cannot be read as JSON at all.
    pub(super) hopeless: bool,
}

/// Reads one value of `text`.
///
/// It never goes back over more than one string, and looks ahead only as far as its fuel reaches:
/// the work is bounded by a constant times the length of the text. Each of its methods leaves
/// `at` on the boundary of a character.
#[derive(Debug)]
pub(super) struct Parser<'a> {
    /// The whole reply, or the inside of one fence.
    pub(super) text: &'a str,
    /// The byte that is read next.
    pub(super) at: usize,
    /// The brackets around it, outermost first; at most [`MAX_DEPTH`].
    pub(super) open: Vec<Open>,
    /// What is to be said against the value that was read; gathered, never taken back.
    pub(super) doubts: Doubts,
    /// Steps left for looking ahead, so that hostile texts stay linear.
    pub(super) fuel: usize,
}

// === impl Parser ===

impl<'a> Parser<'a> {
    /// Stands at byte `at` of `text`.
    pub(super) fn new(text: &'a str, at: usize) -> Self {
        Self {
            text,
            at,
            open: Vec::new(),
            doubts: Doubts::default(),
            fuel: text.len() * 8 + 4096,
        }
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The character that is next; `None` at the end.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Goes over `c` when it is next.
    pub(super) fn eat(&mut self, c: char) -> bool {
        let next = self.peek() == Some(c);
        if next {
            self.at += c.len_utf8();
        }
        next
    }

    /// Goes over one character, whatever it is: so does a loop that made no headway.
    fn skip_char(&mut self) {
        self.at += self.peek().map_or(0, char::len_utf8);
    }

    /// Goes over white space and comments.
    pub(super) fn blank(&mut self) {
        self.at += blank(self.rest());
    }

    /// Goes over everything that only separates: commas, semicolons, dots for what was left out.
    fn separators(&mut self) {
        loop {
            self.blank();
            let dots = self
                .rest()
                .strip_prefix("...")
                .or_else(|| self.rest().strip_prefix('…'));
            if let Some(rest) = dots {
                self.at = self.text.len() - rest.len();
            } else if !self.eat(',') && !self.eat(';') {
                return;
            }
        }
    }

    /// Whether such a bracket is open at any level.
    fn inside(&self, open: Open) -> bool {
        self.open.contains(&open)
    }

    /// One value; `None` where none begins.
    ///
    /// A closing bracket or a comma begins no value and is not gone over: who asked knows what it
    /// closes.
    pub(super) fn value(&mut self, place: Place) -> Option<Value> {
        self.blank();
        match self.peek()? {
            '{' => Some(self.object()),
            '[' => Some(self.list(Open::List)),
            '(' => Some(self.list(Open::Tuple)),
            ',' | '}' | ']' | ')' | ':' => None,
            c if super::text::Quote::opens(c).is_some() => Some(self.strings(place)),
            _ => self.word(place),
        }
    }

    /// An unquoted word, or what stands in the parentheses behind it: `callback({})`.
    fn word(&mut self, place: Place) -> Option<Value> {
        let name = self.rest().find(|c: char| !c.is_alphanumeric() && c != '_');
        let called = name.filter(|length| *length > 0).and_then(|length| {
            let (name, rest) = self.rest().split_at_checked(length)?;
            let starts = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
            let inner = rest.trim_start().strip_prefix('(')?;
            (starts
                && inner.trim_start().starts_with([
                    '{', '[', '"', '\'', ')', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9',
                ]))
            .then(|| self.text.len() - inner.len())
        });
        let Some(inner) = called else {
            return self.bare(place);
        };
        self.at = inner;
        self.open.push(Open::Tuple);
        let value = self.value(Place::Item);
        self.open.pop();
        self.blank();
        self.eat(')');
        value.or(Some(Value::Null))
    }

    /// Opens a bracket; `false` when there are too many.
    fn enter(&mut self, open: Open) -> bool {
        self.skip_char();
        if self.open.len() >= MAX_DEPTH {
            self.doubts.hopeless = true;
            self.at = self.text.len();
            return false;
        }
        self.open.push(open);
        true
    }

    /// An object, or what stands in braces instead of one: `{"a", "b"}` is a list, and braces
    /// around one object are nothing.
    ///
    /// Where brackets are crossed, the outer one wins: in `{"a": [{"b": 1]}` the `]` closes the array,
    /// and with it the object that was left open.
    fn object(&mut self) -> Value {
        let mut members = Vec::new();
        let mut alone = Vec::new();
        if !self.enter(Open::Object) {
            return Value::Object(members);
        }
        let mut closed = false;
        loop {
            self.separators();
            let before = self.at;
            match self.peek() {
                None => break,
                Some('}') => {
                    self.skip_char();
                    closed = true;
                    break;
                }
                Some(']') if self.outer(Open::List) => break,
                Some(')') if self.outer(Open::Tuple) => break,
                Some(']' | ')') => {
                    self.skip_char();
                    break;
                }
                Some('[') => self.stray_list(&mut members, &mut alone),
                Some('{') => {
                    let inner = self.object();
                    alone.push(inner);
                }
                Some('`') if self.rest().starts_with("```") => self.fence_mark(),
                Some(_) => self.member(&mut members, &mut alone),
            }
            if self.at == before {
                self.skip_char();
            }
        }
        self.open.pop();
        self.in_braces(members, alone, closed)
    }

    /// Whether a bracket of this kind is open around the innermost one.
    fn outer(&self, open: Open) -> bool {
        let around = self.open.len().saturating_sub(1);
        self.open.iter().take(around).any(|outer| *outer == open)
    }

    /// An array where a member should be continues the array before it.
    fn stray_list(&mut self, members: &mut [(String, Value)], alone: &mut Vec<Value>) {
        let list = self.list(Open::List);
        match (members.last_mut(), list) {
            (Some((_, Value::List(items))), Value::List(more)) => items.extend(more),
            (_, list) => alone.push(list),
        }
    }

    /// What the braces hold.
    fn in_braces(
        &mut self,
        members: Vec<(String, Value)>,
        mut alone: Vec<Value>,
        closed: bool,
    ) -> Value {
        if alone.is_empty() {
            return Value::Object(members);
        }
        if !members.is_empty() {
            self.doubts.dropped = true;
            return Value::Object(members);
        }
        match alone.len() {
            1 if alone.first().is_some_and(Value::is_container) => alone.remove(0),
            // Prose in braces, or a text that breaks off: nobody's list.
            1 => {
                self.doubts.hopeless = true;
                self.doubts.cut |= !closed;
                Value::Object(members)
            }
            _ if !closed => {
                self.doubts.hopeless = true;
                self.doubts.cut = true;
                Value::Object(members)
            }
            _ => Value::List(alone),
        }
    }

    /// One `key: value`, or a value that has no name.
    ///
    /// Between key and value `:`, `=` and `=>` are understood. A key without a value is left out, and
    /// that counts as a doubt: nothing is put in its place.
    fn member(&mut self, members: &mut Vec<(String, Value)>, alone: &mut Vec<Value>) {
        let quoted = self.peek().and_then(super::text::Quote::opens).is_some();
        let key = if quoted {
            self.string(Place::Key)
        } else {
            match self.bare(Place::Key) {
                Some(Value::Bare(word)) => word,
                _ => String::new(),
            }
        };
        self.blank();
        let mut colon = self.eat(':');
        if !colon && self.eat('=') {
            self.eat('>');
            colon = true;
        }
        if !colon && !quoted && key.is_empty() {
            return;
        }
        if colon && !quoted && key.is_empty() {
            self.doubts.hopeless = true;
        }
        let follows = self.peek().and_then(super::text::Quote::opens).is_some();
        if !(colon || quoted && follows) {
            self.doubts.cut |= self.peek().is_none();
            if quoted {
                alone.push(Value::Text(key));
            } else {
                self.unnamed(&key, members, alone);
            }
            return;
        }
        self.blank();
        match self.value(Place::Member) {
            Some(value) => put(members, key, value),
            None => {
                self.doubts.dropped = true;
                self.doubts.cut |= self.peek().is_none();
            }
        }
    }

    /// A word without quotes, colon or name: a number is an element of a set, all else is noise.
    fn unnamed(&mut self, word: &str, members: &[(String, Value)], alone: &mut Vec<Value>) {
        let number = super::value::number(word);
        match number.filter(|_| members.is_empty()) {
            Some(number) => alone.push(number),
            None => {
                self.doubts.dropped = true;
                self.doubts.hopeless |= members.is_empty();
            }
        }
    }

    /// Goes over "```json".
    /// A fence inside of brackets was written by a model that paused there; it means nothing.
    fn fence_mark(&mut self) {
        let rest = self.rest().trim_start_matches('`');
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
        self.at = self.text.len() - rest.len();
    }

    /// An array, or a tuple: one value in parentheses without a comma is that value.
    fn list(&mut self, kind: Open) -> Value {
        let mut items = Vec::new();
        if !self.enter(kind) {
            return Value::List(items);
        }
        let mut commas = false;
        loop {
            let before = self.at;
            self.separators();
            commas |= self
                .text
                .get(before..self.at)
                .is_some_and(|gap| gap.contains(','));
            let before = self.at;
            match self.peek() {
                None => break,
                Some(']') if kind == Open::List || self.outer(Open::List) => {
                    if kind == Open::List {
                        self.skip_char();
                    }
                    break;
                }
                Some(')') if kind == Open::Tuple => {
                    self.skip_char();
                    break;
                }
                Some('}') if self.outer(Open::Object) => break,
                Some('`') if self.rest().starts_with("```") => self.fence_mark(),
                _ => items.extend(self.value(Place::Item)),
            }
            if self.at == before {
                self.skip_char();
            }
        }
        self.open.pop();
        if kind == Open::Tuple && items.len() == 1 && !commas {
            return items.remove(0);
        }
        Value::List(items)
    }

    /// Whether anything of this kind is open; for those who read strings.
    pub(super) fn within(&self, open: Open) -> bool {
        self.inside(open)
    }
}

/// The length of the white space and comments that `text` starts with.
pub(super) fn blank(text: &str) -> usize {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| {
            c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}'..='\u{200d}' | '\u{2060}')
        });
        rest = if let Some(comment) = rest.strip_prefix("/*") {
            comment
                .find("*/")
                .map_or("", |end| comment.get(end + 2..).unwrap_or_default())
        } else if rest.starts_with("//") || rest.starts_with("# ") {
            rest.find('\n')
                .map_or("", |end| rest.get(end..).unwrap_or_default())
        } else {
            return text.len() - rest.len();
        };
    }
}
