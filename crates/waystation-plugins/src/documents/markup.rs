//! XML as a walk over its elements, by their names without prefixes. There is no tree: depth costs
//! nothing. No entity but the five of XML itself is known, and a document type is refused: none of the
//! formats that are read here has one, and bombs are made of them.
//!
//! Prefixes are not looked up. Within one of these formats a local name has one meaning, programs
//! choose prefixes at will, and the strict and the older namespaces of Office differ in nothing that is
//! read here. Where two meanings meet (`svg:title`, `text:title`) the usual prefix decides.

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use waystation_core::ParseError;

use super::{MOST_TEXT, entity, refused};

/// An opening tag, for as long as the visitor looks at it.
#[derive(Debug)]
pub(super) struct Tag<'a> {
    start: &'a BytesStart<'a>,
}

/// Whether an element is walked through: what a visitor answers to its opening tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It is.
    In,
    /// It is not, nor does it close.
    Past,
}

/// Sees what a walk comes by.
///
/// # Laws
/// - Every `open` that answers [`Way::In`] is followed by one `close` of the same name, in order.
/// - Of what a visitor passes by it sees nothing.
/// - Text comes in pieces: a reference between two words is a piece of its own.
pub(super) trait Visitor {
    /// An element begins.
    fn open(&mut self, tag: &Tag<'_>) -> Way;
    /// An element of this name ends.
    fn close(&mut self, name: &str);
    /// Text stands between tags.
    fn text(&mut self, text: &str);
    /// Nothing more is wanted: there is too much already.
    fn full(&self) -> bool {
        false
    }
}

// === impl Tag ===

impl Tag<'_> {
    /// The element's name, without a prefix.
    pub(super) fn name(&self) -> &str {
        local(self.start.name().0)
    }

    /// Whether the element's name has this prefix.
    pub(super) fn is_of(&self, prefix: &str) -> bool {
        let name = self.start.name().0;
        name.split_once(':')
            .is_some_and(|(found, _)| found == prefix)
    }

    /// The value of the first attribute of this name, whatever its prefix.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.first(|key| local(key) == name)
    }

    /// The same among attributes that have a prefix: `r:id` beside `id`.
    pub(super) fn get_prefixed(&self, name: &str) -> Option<String> {
        self.first(|key| key.contains(':') && local(key) == name)
    }

    fn first(&self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let mut attributes = self.start.attributes();
        let mut found = attributes
            .with_checks(false)
            .filter_map(Result::ok)
            .filter(|attribute| wanted(attribute.key.0));
        let raw = found.next()?.value;
        let mut out = String::new();
        entity::decoded(&raw, &mut out);
        Some(out)
    }

    /// The same as a number.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.get(name)?.trim().parse().ok()
    }

    /// Whether the attribute says yes, as `true` or `1`.
    pub(super) fn is_set(&self, name: &str) -> bool {
        matches!(self.get(name).as_deref(), Some("true" | "1" | "on"))
    }
}

/// A name without its prefix.
fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, name)| name)
}

/// Shows `visitor` everything in `xml`. Comments, declarations and instructions are stepped over; a
/// reference to an unknown entity stands for nothing.
///
/// # Errors
/// [`ParseError`] for what is no XML, has a document type, or is more than the visitor takes.
pub(super) fn walk(xml: &str, visitor: &mut dyn Visitor) -> Result<(), ParseError> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().allow_dangling_amp = true;
    // How many elements are open in the one that is passed by.
    let mut past = 0_usize;
    loop {
        let event = reader
            .read_event()
            .map_err(|error| refused(format!("the file is damaged: {error}")))?;
        match event {
            Event::Start(_) if past > 0 => past += 1,
            Event::End(_) if past > 0 => past -= 1,
            Event::Start(start) => {
                past = usize::from(visitor.open(&Tag { start: &start }) == Way::Past);
            }
            Event::Empty(start) if past == 0 && visitor.open(&Tag { start: &start }) == Way::In => {
                visitor.close(local(start.name().0));
            }
            Event::End(end) => visitor.close(local(end.name().0)),
            Event::Text(text) if past == 0 => visitor.text(&text.xml10_content()),
            Event::CData(text) if past == 0 => visitor.text(&text.xml10_content()),
            Event::GeneralRef(name) if past == 0 => {
                if let Some(c) = entity::named(&name.into_inner()) {
                    visitor.text(c.encode_utf8(&mut [0; 4]));
                }
            }
            Event::DocType(_) => {
                return Err(refused(
                    "it declares a document type, which such files do not have".to_owned(),
                ));
            }
            Event::Eof => return Ok(()),
            _ => {}
        }
        if visitor.full() {
            return Err(refused(format!("its text is over {MOST_TEXT} bytes")));
        }
    }
}
