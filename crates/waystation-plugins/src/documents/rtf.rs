//! RTF: its groups and control words in one pass. It keeps paragraphs, items, headings, rows of tables
//! and notes; it leaves out pictures, styles, field codes, and what is hidden or deleted.
//!
//! Text in RTF is bytes in the code page of the font at hand, or numbers of UTF-16 followed by as many
//! bytes for older readers as `\uc` says. Bytes are kept until something else comes, so that characters
//! of two bytes stay whole however they are spelled.
//!
//! Rows only say where their cells and they themselves end. Cells of inner tables are paragraphs of the
//! outer one.
//!
//! Source: Microsoft, "Rich Text Format (RTF) Specification" 1.9.1.

mod code_page;

use std::collections::BTreeMap;

use code_page::{of_charset, of_number};
use encoding_rs::{Encoding, WINDOWS_1252};
use waystation_core::{Document, ParseError};

use super::{MOST_TEXT, draft::Draft, refused};

/// How deep groups may stand in each other.
const MOST_GROUPS: usize = 10_000;

/// Groups that hold no text of the document. Source: RTF specification 1.9.1, "Destinations".
const SILENT: &[&str] = &[
    "colortbl",
    "stylesheet",
    "info",
    "pict",
    "objdata",
    "filetbl",
    "listtable",
    "revtbl",
    "sp",
    "nonesttables",
    "listtext",
    "pntext",
    "pntxta",
    "pntxtb",
    "ftnsep",
    "ftnsepc",
    "aftnsep",
    "aftnsepc",
    "xe",
    "tc",
    "rxe",
    "bkmkstart",
    "bkmkend",
    "template",
    "userprops",
    "falt",
    "panose",
];

/// Groups behind a `\*` that hold text all the same.
const SPOKEN: &[&str] = &["shpinst", "shptxt", "shprslt"];

/// Groups that interrupt a paragraph.
const ASIDE: &[&str] = &[
    "header", "headerl", "headerr", "headerf", "footer", "footerl", "footerr", "footerf",
    "footnote", "shptxt",
];

/// What a group is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// Text of the document.
    Text,
    /// The table of fonts: it says which code page each has.
    Fonts,
    /// Nothing that is read.
    Silent,
}

/// What holds within a group.
#[derive(Clone, Copy, Debug)]
struct State {
    group: Group,
    /// That of the font.
    encoding: &'static Encoding,
    /// How many characters stand for one that is written as `\u`.
    fallbacks: usize,
    hidden: bool,
    deleted: bool,
    /// It interrupts a paragraph, which goes on when it ends.
    aside: bool,
}

/// Reads an RTF file.
///
/// # Errors
/// [`ParseError`] for what is no RTF, and for more text than a document may give.
pub(super) fn read(bytes: &[u8]) -> Result<Document, ParseError> {
    let start = bytes
        .windows(5)
        .take(1024)
        .position(|five| five == b"{\\rtf");
    let body = start.and_then(|at| bytes.get(at..));
    let body =
        body.ok_or_else(|| refused("it is no RTF: it does not begin with {\\rtf".to_owned()))?;
    let mut reader = Reader::new(body);
    while reader.step() {
        if reader.draft.full() {
            return Err(refused(format!("its text is over {MOST_TEXT} bytes")));
        }
        if reader.outer.len() > MOST_GROUPS {
            return Err(refused(format!(
                "expected at most {MOST_GROUPS} groups in each other"
            )));
        }
    }
    reader.flush();
    Ok(Document {
        text: reader.draft.finish(),
        pages: None,
    })
}

/// At work on a file.
struct Reader<'a> {
    /// What is still to be read.
    rest: &'a [u8],
    draft: Draft,
    /// What holds here.
    state: State,
    /// What holds in the groups around, the innermost last.
    outer: Vec<State>,
    /// Bytes that wait for the rest of their characters.
    pending: Vec<u8>,
    /// Characters that repeat a `\u`, still to be left out.
    repeats: usize,
    /// The first half of a character of two units.
    high: Option<u16>,
    /// The code pages of fonts, by number.
    fonts: BTreeMap<i32, &'static Encoding>,
    /// The font that the table of fonts speaks of.
    font: i32,
    /// The code page of fonts that name none.
    default: &'static Encoding,
    /// The group begins with `\*`: who does not know it leaves it out.
    optional: bool,
    /// The paragraph stands in a cell.
    in_table: bool,
}

impl<'a> Reader<'a> {
    fn new(rest: &'a [u8]) -> Self {
        Self {
            rest,
            draft: Draft::default(),
            state: State {
                group: Group::Text,
                encoding: WINDOWS_1252,
                fallbacks: 1,
                hidden: false,
                deleted: false,
                aside: false,
            },
            outer: Vec::new(),
            pending: Vec::new(),
            repeats: 0,
            high: None,
            fonts: BTreeMap::new(),
            font: 0,
            default: WINDOWS_1252,
            optional: false,
            in_table: false,
        }
    }

    /// Reads one sign; no more when there is none.
    fn step(&mut self) -> bool {
        let Some((first, tail)) = self.rest.split_first() else {
            return false;
        };
        self.rest = tail;
        match first {
            b'{' => {
                self.flush();
                self.repeats = 0;
                self.outer.push(self.state);
                self.state.aside = false;
            }
            b'}' => {
                self.flush();
                self.repeats = 0;
                if self.state.aside {
                    self.draft.resume();
                }
                match self.outer.pop() {
                    Some(state) => self.state = state,
                    None => return false,
                }
            }
            b'\\' => self.control(),
            b'\r' | b'\n' => {}
            byte => self.byte(*byte),
        }
        true
    }

    /// A byte of text.
    fn byte(&mut self, byte: u8) {
        if self.repeats > 0 {
            self.repeats -= 1;
        } else if self.state.group == Group::Text {
            self.pending.push(byte);
        }
    }

    /// Whether a person who opens the file sees text that stands here.
    fn is_shown(&self) -> bool {
        self.state.group == Group::Text && !self.state.hidden && !self.state.deleted
    }

    /// Turns waiting bytes into text.
    fn flush(&mut self) {
        if !self.pending.is_empty() {
            if self.is_shown() {
                let text = self
                    .state
                    .encoding
                    .decode_without_bom_handling(&self.pending);
                self.draft.text(&text.0);
            }
            self.pending.clear();
        }
    }

    /// Text that is not written as bytes.
    fn say(&mut self, text: &str) {
        self.flush();
        if self.is_shown() {
            self.draft.text(text);
        }
    }

    /// What stands behind a backslash.
    fn control(&mut self) {
        let Some((first, tail)) = self.rest.split_first() else {
            return;
        };
        if !first.is_ascii_alphabetic() {
            self.rest = tail;
            match first {
                b'\'' => {
                    let code = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
                    if let Some(byte) = code.and_then(|two| u8::from_str_radix(two, 16).ok()) {
                        self.rest = tail.get(2..).unwrap_or_default();
                        self.byte(byte);
                    }
                }
                b'*' => self.optional = true,
                b'~' => self.say("\u{a0}"),
                b'_' => self.say("-"),
                b'\\' | b'{' | b'}' => self.byte(*first),
                b'\r' | b'\n' => self.word("par", None),
                _ => {}
            }
            return;
        }
        let letters = self
            .rest
            .iter()
            .take(32)
            .take_while(|b| b.is_ascii_alphabetic());
        let (name, tail) = self.rest.split_at(letters.count());
        let sign = usize::from(tail.first() == Some(&b'-'));
        let digits = tail
            .iter()
            .skip(sign)
            .take(10)
            .take_while(|b| b.is_ascii_digit());
        let end = match digits.count() {
            0 => 0,
            digits => sign + digits,
        };
        let (number, tail) = tail.split_at(end);
        self.rest = tail.strip_prefix(b" ").unwrap_or(tail);
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        let number = text(number).parse::<i32>().ok();
        self.word(text(name), number);
    }

    /// A control word.
    fn word(&mut self, name: &str, number: Option<i32>) {
        let optional = std::mem::take(&mut self.optional);
        if name == "bin" {
            let length = usize::try_from(number.unwrap_or(0)).unwrap_or(0);
            self.rest = self.rest.get(length..).unwrap_or_default();
            return;
        }
        if name == "u" {
            self.unicode(number.unwrap_or(0));
            return;
        }
        if self.repeats > 0 {
            self.repeats -= 1;
        }
        self.flush();
        if optional && !SPOKEN.contains(&name) || SILENT.contains(&name) {
            if matches!(name, "listtext" | "pntext" | "pn") {
                self.draft.mark("- ");
            }
            self.state.group = Group::Silent;
            return;
        }
        if self.state.group == Group::Silent {
            return;
        }
        if ASIDE.contains(&name) {
            self.draft.interrupt();
            self.state.aside = true;
            self.in_table = false;
            return;
        }
        self.format(name, number);
    }

    /// Control words that say how text is to be read.
    fn format(&mut self, name: &str, number: Option<i32>) {
        let on = number != Some(0);
        match name {
            "ansicpg" => {
                self.default = of_number(number.unwrap_or(0));
                self.state.encoding = self.default;
            }
            "mac" => {
                self.default = of_number(10_000);
                self.state.encoding = self.default;
            }
            "uc" => self.state.fallbacks = usize::try_from(number.unwrap_or(1)).unwrap_or(1),
            "fonttbl" => self.state.group = Group::Fonts,
            "f" if self.state.group == Group::Fonts => self.font = number.unwrap_or(0),
            "fcharset" => {
                let encoding = of_charset(number.unwrap_or(0)).unwrap_or(self.default);
                self.fonts.insert(self.font, encoding);
            }
            "f" => {
                let font = self.fonts.get(&number.unwrap_or(0));
                self.state.encoding = font.copied().unwrap_or(self.default);
            }
            "plain" => (self.state.hidden, self.state.deleted) = (false, false),
            "v" => self.state.hidden = on,
            "deleted" => self.state.deleted = on,
            _ if self.state.group == Group::Text => self.layout(name, number),
            _ => {}
        }
    }

    /// Control words that are text, or part it.
    fn layout(&mut self, name: &str, number: Option<i32>) {
        match name {
            "par" | "sect" | "page" => {
                if self.in_table && !self.draft.in_cell() {
                    self.open_cell();
                }
                self.draft.end_paragraph();
            }
            "pard" => self.in_table = false,
            "intbl" => self.in_table = true,
            "nestcell" | "nestrow" => {
                if !self.draft.in_cell() {
                    self.open_cell();
                }
                self.draft.end_paragraph();
            }
            "cell" => {
                if !self.draft.in_cell() {
                    self.open_cell();
                }
                self.draft.close_cell();
            }
            "row" if self.draft.in_row() => self.draft.close_row(),
            "outlinelevel" => {
                let level = number.and_then(|level| usize::try_from(level).ok());
                if let Some(level) = level.filter(|level| *level < 9) {
                    self.draft.heading(level + 1);
                }
            }
            "tab" => self.say("\t"),
            "line" | "lbr" => self.say("\n"),
            "emdash" => self.say("—"),
            "endash" => self.say("–"),
            "bullet" => self.say("•"),
            "lquote" => self.say("‘"),
            "rquote" => self.say("’"),
            "ldblquote" => self.say("“"),
            "rdblquote" => self.say("”"),
            "emspace" | "enspace" | "qmspace" => self.say(" "),
            _ => {}
        }
    }

    /// Opens the cell that the words so far stand in: RTF only says where one ends.
    fn open_cell(&mut self) {
        if !self.draft.in_row() {
            self.draft.open_row();
        }
        self.draft.open_cell_here();
    }

    /// A character by its number, in UTF-16: a half alone stands for nothing.
    fn unicode(&mut self, number: i32) {
        if self.state.group != Group::Text {
            return;
        }
        self.flush();
        self.repeats = self.state.fallbacks;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "numbers are 16 bits wide, signed"
        )]
        let unit = number as u16;
        let units = [self.high.take().unwrap_or(unit), unit];
        if (0xd800..0xdc00).contains(&unit) {
            self.high = Some(unit);
            return;
        }
        let units = if units.first() == units.last() {
            units.get(1..).unwrap_or_default()
        } else {
            &units
        };
        for c in char::decode_utf16(units.iter().copied()).flatten() {
            if self.is_shown() {
                self.draft.text(c.encode_utf8(&mut [0; 4]));
            }
        }
    }
}
