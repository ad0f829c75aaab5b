//! PowerPoint decks (pptx): slide by slide, the text of its shapes and tables, then the speaker's
//! notes. Slides that are not shown are left out; charts and pictures are not looked at.
//!
//! Slides come in the order of the deck, whatever their parts are called; shapes in the order in which
//! they are drawn, which programs keep as the order of reading. A slide keeps its number when one
//! before it is left out, so that people and models speak of the same slide.
//!
//! Source: ECMA-376, part 1, sections 19 and 21.

use waystation_core::{Document, DocumentLimits, ParseError};

use super::{
    archive::Archive,
    draft::Draft,
    markup::{Tag, Visitor, Way, walk},
    office::{Relation, relations},
    refused,
};

/// Reads the deck whose main part is `xml`.
///
/// # Errors
/// [`ParseError`] where a part is damaged, or there are too many slides or too much text.
pub(super) fn read(
    archive: &mut Archive<'_>,
    main: &str,
    xml: &str,
    limits: &DocumentLimits,
) -> Result<Document, ParseError> {
    let mut order = Order(Vec::new());
    walk(xml, &mut order)?;
    let count = u32::try_from(order.0.len()).unwrap_or(u32::MAX);
    if count > limits.pages {
        let most = limits.pages;
        return Err(refused(format!(
            "expected at most {most} slides, found {count}"
        )));
    }
    let parts = relations(archive, main)?;
    let mut slide = Slide::default();
    for (at, id) in order.0.iter().enumerate() {
        let Some(part) = part_of(&parts, |relation| relation.id == *id) else {
            continue;
        };
        let Some(xml) = archive.text(part)? else {
            continue;
        };
        slide.number = at + 1;
        walk(&xml, &mut slide)?;
        if std::mem::take(&mut slide.hidden) {
            continue;
        }
        let beside = relations(archive, part)?;
        let notes = part_of(&beside, |relation| relation.kind == "notesSlide");
        let notes = notes.map(|part| archive.text(part)).transpose()?.flatten();
        if let Some(xml) = notes {
            (slide.number, slide.notes) = (0, true);
            walk(&xml, &mut slide)?;
            slide.notes = false;
        }
    }
    Ok(Document {
        text: slide.draft.finish(),
        pages: Some(count),
    })
}

/// The name of the part behind the first relation that is wanted.
fn part_of(relations: &[Relation], wanted: impl Fn(&Relation) -> bool) -> Option<&str> {
    let found = relations.iter().find(|relation| wanted(relation));
    found.map(|relation| relation.part.as_str())
}

/// Walks over the deck: the slides in their order, by id of relation.
struct Order(Vec<String>);

impl Visitor for Order {
    fn open(&mut self, tag: &Tag<'_>) -> Way {
        if tag.name() == "sldId" {
            // Two attributes are called `id`; the relation's has a prefix and letters.
            self.0.extend(tag.get_prefixed("id"));
        }
        Way::In
    }

    fn close(&mut self, _: &str) {}

    fn text(&mut self, _: &str) {}
}

/// Walks over a slide or its notes.
#[derive(Default)]
struct Slide {
    draft: Draft,
    /// Which slide it is; 0 once that is said.
    number: usize,
    notes: bool,
    hidden: bool,
    words: usize,
    /// The shape holds the title.
    title: bool,
}

impl Visitor for Slide {
    fn open(&mut self, tag: &Tag<'_>) -> Way {
        match tag.name() {
            "sld" if tag.get("show").as_deref() == Some("0") => {
                self.hidden = true;
                return Way::Past;
            }
            // Numbers and dates that the program fills in.
            "fld" | "Fallback" => return Way::Past,
            "sp" => self.title = false,
            "ph" => {
                let kind = tag.get("type").unwrap_or_default();
                self.title = matches!(kind.as_str(), "title" | "ctrTitle") && !self.notes;
            }
            "t" => self.words += 1,
            "br" => self.draft.text("\n"),
            "tr" => {
                self.say_number();
                self.draft.open_row();
            }
            "tc" => self.draft.open_cell(),
            "p" => {
                self.say_number();
                if self.notes {
                    self.draft.mark("Notes: ");
                } else if self.title {
                    self.draft.heading(3);
                }
            }
            _ => {}
        }
        Way::In
    }

    fn close(&mut self, name: &str) {
        match name {
            "t" => self.words = self.words.saturating_sub(1),
            "p" => self.draft.end_paragraph(),
            "tc" => self.draft.close_cell(),
            "tr" => self.draft.close_row(),
            "tbl" => self.draft.end_table(),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.words > 0 {
            self.draft.text(text);
        }
    }

    fn full(&self) -> bool {
        self.draft.full()
    }
}

impl Slide {
    /// The slide's number, ahead of its first text.
    fn say_number(&mut self) {
        if self.number > 0 {
            self.draft.heading(2);
            self.draft.text(&format!("Slide {}", self.number));
            self.draft.end_paragraph();
            self.number = 0;
        }
    }
}
