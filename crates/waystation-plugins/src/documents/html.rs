//! A web page as markdown: one pass over its tags, without a tree, so that neither depth nor damage
//! costs anything. It keeps headings, lists, rows of tables and preformatted text; links and marks
//! become their text.

use super::entity;

/// Elements whose content is no text of the page.
const SILENT: &[&str] = &[
    "script", "style", "template", "noscript", "iframe", "svg", "math", "object",
];

/// Elements that begin and end a paragraph.
const BLOCKS: &[&str] = &[
    "p",
    "div",
    "section",
    "article",
    "main",
    "header",
    "footer",
    "nav",
    "aside",
    "ul",
    "ol",
    "dl",
    "table",
    "blockquote",
    "figure",
    "figcaption",
    "form",
    "fieldset",
    "address",
    "details",
    "hr",
    "body",
    "title",
    "caption",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "pre",
];

/// Elements without an end.
const VOID: &[&str] = &[
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track",
    "wbr",
];

/// How far quotes in a tag are followed, in bytes, so that pages full of broken ones stay linear.
const LONGEST_TAG: usize = 4096;

/// A tag.
struct Tag<'a> {
    /// Its name in small letters.
    name: String,
    closing: bool,
    /// Everything behind the name.
    attributes: &'a str,
}

/// The markdown that has been written.
#[derive(Default)]
struct Page {
    out: String,
    /// Line breaks that are due before the next word.
    breaks: usize,
    /// A space is due before the next word.
    space: bool,
    /// What the next word begins with: a heading's or an item's mark.
    mark: &'static str,
    /// A cell of the row has been written.
    cells: usize,
    /// How many tables are open: those in cells are part of the cell.
    tables: usize,
    /// How many `pre` are open.
    preformatted: usize,
}

/// The text of a page.
pub(super) fn to_markdown(text: &str) -> String {
    let mut page = Page::default();
    let mut rest = text;
    // The element whose content is skipped, and how many of its name are open in it.
    let mut hidden: Option<(String, usize)> = None;
    while let Some(at) = rest.find('<') {
        let (words, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
        if hidden.is_none() {
            page.words(words);
        }
        let Some((tag, behind)) = tag(tail) else {
            rest = not_a_tag(tail, hidden.is_none().then_some(&mut page));
            continue;
        };
        rest = behind;
        if let Some((name, open)) = &mut hidden {
            if *name == tag.name {
                *open = if tag.closing { *open - 1 } else { *open + 1 };
                if *open == 0 {
                    hidden = None;
                }
            }
            continue;
        }
        if !tag.closing && SILENT.contains(&tag.name.as_str()) {
            rest = behind_element(behind, &tag.name);
        } else if !tag.closing && is_hidden(&tag) {
            hidden = Some((tag.name, 1));
        } else {
            page.tag(&tag);
        }
    }
    if hidden.is_none() {
        page.words(rest);
    }
    page.out.trim().to_owned()
}

/// Goes over a comment, a declaration, or a `<` that is only that.
fn not_a_tag<'a>(tail: &'a str, page: Option<&mut Page>) -> &'a str {
    let after = |mark: &str| tail.split_once(mark).map_or("", |(_, rest)| rest);
    if tail.starts_with("<!--") {
        return after("-->");
    }
    if tail.starts_with("<!") || tail.starts_with("<?") {
        return after(">");
    }
    if let Some(page) = page {
        page.words("<");
    }
    tail.get(1..).unwrap_or_default()
}

/// The tag that `text` starts with, and what follows it.
fn tag(text: &str) -> Option<(Tag<'_>, &str)> {
    let inside = text.strip_prefix('<')?;
    let (closing, inside) = match inside.strip_prefix('/') {
        Some(inside) => (true, inside),
        None => (false, inside),
    };
    let name = inside.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != ':');
    let (name, rest) = inside.split_at_checked(name.unwrap_or(inside.len()))?;
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let mut quote = None;
    let mut near = rest.char_indices().take_while(|(at, _)| *at < LONGEST_TAG);
    let end = near.find(|(_, c)| match (quote, c) {
        (Some(open), c) if open == *c => {
            quote = None;
            false
        }
        (None, '"' | '\'') => {
            quote = Some(*c);
            false
        }
        (None, '>') => true,
        _ => false,
    });
    // A quote that never ends is none, and one that is very long holds no `>`.
    let end = end.map(|(at, _)| at).or_else(|| rest.find('>'));
    let (attributes, rest) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
    let tag = Tag {
        name: name.to_ascii_lowercase(),
        closing,
        attributes,
    };
    Some((tag, rest.get(1..).unwrap_or_default()))
}

/// What follows the end of a silent element.
fn behind_element<'a>(text: &'a str, name: &str) -> &'a str {
    let mut rest = text;
    while let Some((_, tail)) = rest.split_once("</") {
        let named = tail
            .get(..name.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(name));
        if named {
            return tail.split_once('>').map_or("", |(_, rest)| rest);
        }
        rest = tail;
    }
    ""
}

/// Whether an element is not shown.
fn is_hidden(tag: &Tag<'_>) -> bool {
    if VOID.contains(&tag.name.as_str()) || tag.attributes.ends_with('/') {
        return false;
    }
    let plain: String = tag
        .attributes
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    let mut words = tag.attributes.split_ascii_whitespace();
    plain.to_ascii_lowercase().contains("display:none")
        || words.any(|word| word.eq_ignore_ascii_case("hidden"))
}

// === impl Page ===

impl Page {
    /// Text between tags.
    fn words(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let mut decoded = String::with_capacity(text.len());
        entity::decoded(text, &mut decoded);
        if self.preformatted > 0 {
            self.begin();
            self.out.push_str(&decoded);
            return;
        }
        self.space |= decoded.starts_with(char::is_whitespace);
        for word in decoded.split_whitespace() {
            self.begin();
            self.out.push_str(word);
            self.space = true;
        }
        self.space = decoded.ends_with(char::is_whitespace) && self.space;
    }

    /// Writes what is due before a word.
    fn begin(&mut self) {
        if self.breaks > 0 {
            if !self.out.is_empty() {
                self.out.truncate(self.out.trim_end_matches(' ').len());
                let there = self.out.len() - self.out.trim_end_matches('\n').len();
                self.out
                    .extend(std::iter::repeat_n('\n', self.breaks.saturating_sub(there)));
            }
        } else if self.space && !self.out.is_empty() && !self.out.ends_with(['\n', ' ']) {
            self.out.push(' ');
        }
        self.out.push_str(std::mem::take(&mut self.mark));
        (self.breaks, self.space) = (0, false);
    }

    fn due(&mut self, breaks: usize) {
        self.breaks = self.breaks.max(breaks);
    }

    /// A tag of a table.
    fn table(&mut self, tag: &Tag<'_>) {
        let opening = !tag.closing;
        if tag.name == "table" {
            self.tables = if opening {
                self.tables + 1
            } else {
                self.tables.saturating_sub(1)
            };
        }
        if self.cells > 0 && self.tables > usize::from(tag.name != "table" || opening) {
            self.space = true;
            return;
        }
        match tag.name.as_str() {
            "table" => {
                self.due(2);
                self.cells = 0;
            }
            "tr" => {
                self.due(1);
                self.cells = 0;
            }
            _ if opening => {
                if self.cells > 0 {
                    self.space = true;
                    self.begin();
                    self.out.push_str("| ");
                }
                self.cells += 1;
            }
            _ => {}
        }
    }

    fn tag(&mut self, tag: &Tag<'_>) {
        let opening = !tag.closing;
        match tag.name.as_str() {
            "br" => self.due(1),
            "table" | "tr" | "td" | "th" => self.table(tag),
            // Paragraphs within a cell do not end its row.
            "p" | "div" if self.cells > 0 => self.space = true,
            "li" | "dt" | "dd" => {
                self.due(1);
                self.mark = if opening && tag.name == "li" {
                    "- "
                } else {
                    ""
                };
            }
            "option" => self.due(1),
            "img" if opening => {
                if let Some(text) = attribute(tag.attributes, "alt") {
                    self.words(text);
                }
            }
            name if BLOCKS.contains(&name) => {
                // A paragraph in an item is the item.
                if opening && heading(name).is_empty() && !self.mark.is_empty() {
                    return;
                }
                self.due(2);
                self.mark = if opening { heading(name) } else { "" };
                if name == "pre" {
                    self.preformatted = if opening {
                        self.preformatted + 1
                    } else {
                        self.preformatted.saturating_sub(1)
                    };
                }
            }
            _ => {}
        }
    }
}

fn heading(name: &str) -> &'static str {
    match name {
        "h1" => "# ",
        "h2" => "## ",
        "h3" => "### ",
        "h4" => "#### ",
        "h5" => "##### ",
        "h6" => "###### ",
        _ => "",
    }
}

/// The value of an attribute in quotes.
fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    let at = attributes.to_ascii_lowercase().find(&format!("{name}="))?;
    let value = attributes.get(at + name.len() + 1..)?;
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    value.get(1..)?.split(quote).next()
}
