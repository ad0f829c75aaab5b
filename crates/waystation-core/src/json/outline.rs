//! Where each value of a text stands, noted while the text is checked: whoever walks it later steps from
//! value to value without looking at the bytes between.
//!
//! Places count from the text's first byte, so that the notes of a part hold for a copy of it too. A text
//! of very many values is not noted, since its notes could outgrow it; it is walked by looking at it.

use super::scan::Notes;

/// Beyond so many values, keys among them, no more room for notes is made: they take about a megabyte then.
const MOST: usize = 1 << 16;

/// One value or key.
#[derive(Clone, Copy, Debug)]
struct Note {
    start: u32,
    end: u32,
    /// How many notes the whole of it takes, its own and those of what is inside; of an array or object
    /// that is still open, the number of its parent's.
    span: u32,
}

/// The notes of one text, in the order of the text.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    notes: Vec<Note>,
    /// The array or object that is open while the text is checked.
    innermost: u32,
    full: bool,
}

/// The notes from a value's own one on; none where nothing is noted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place<'a>(&'a [Note]);

/// Steps through the notes of one array or object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps<'a> {
    /// What was not stepped over yet.
    notes: &'a [Note],
    base: u32,
}

// === impl Outline ===

impl Outline {
    /// Forgets the last text, and makes room for most texts of `length` bytes.
    pub(super) fn clear(&mut self, length: usize) {
        self.notes.clear();
        self.notes.reserve((length / 12).clamp(8, 256));
        self.innermost = 0;
        self.full = u32::try_from(length).is_err();
    }

    /// Notes a value or key, as long as there are few enough of them.
    #[inline]
    fn push(&mut self, note: Note) {
        if self.notes.len() == self.notes.capacity() && !self.grows() {
            return;
        }
        self.notes.push(note);
    }

    /// Makes room for more notes; `false` where there are too many.
    #[cold]
    fn grows(&mut self) -> bool {
        self.full |= self.notes.len() >= MOST;
        self.notes.reserve(if self.full { 0 } else { 1 });
        !self.full
    }

    fn count(&self) -> u32 {
        place(self.notes.len())
    }

    /// The value that the whole text is.
    pub(super) fn root(&self) -> Place<'_> {
        self.place(0)
    }

    /// The value of the note `at`; nowhere when the text had too many values, or is too long.
    pub(super) fn place(&self, at: u32) -> Place<'_> {
        if self.full {
            return Place::default();
        }
        Place(self.notes.get(at as usize..).unwrap_or_default())
    }
}

impl Notes for Outline {
    #[inline]
    fn open(&mut self, start: usize) {
        let (at, parent) = (self.count(), self.innermost);
        self.push(Note {
            start: place(start),
            end: 0,
            span: parent,
        });
        self.innermost = at;
    }

    #[inline]
    fn close(&mut self, end: usize) {
        let (at, count) = (self.innermost, self.count());
        if let Some(note) = self.notes.get_mut(at as usize) {
            self.innermost = note.span;
            (note.end, note.span) = (place(end), count - at);
        }
    }

    #[inline]
    fn leaf(&mut self, start: usize, end: usize) {
        self.push(Note {
            start: place(start),
            end: place(end),
            span: 1,
        });
    }
}

/// A place in a text, or among notes. Texts whose places would not fit have no outline.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what comes out wrong is not looked at"
)]
const fn place(at: usize) -> u32 {
    at as u32
}

// === impl Place ===

impl<'a> Place<'a> {
    /// How many notes the value takes; none where it has none.
    #[inline]
    pub(super) fn span(self) -> Option<u32> {
        self.0.first().map(|note| note.span)
    }

    /// Steps through what stands inside.
    #[inline]
    pub(super) fn inside(self) -> Option<Steps<'a>> {
        let note = self.0.first()?;
        Some(Steps {
            notes: self.0.get(1..note.span as usize)?,
            base: note.start,
        })
    }
}

// === impl Steps ===

impl<'a> Steps<'a> {
    /// Whether any value that is left of `whole`, at whatever depth, begins with `byte`.
    pub(super) fn any_begins_with(&self, byte: u8, whole: &[u8]) -> bool {
        let begins = |note: &Note| whole.get(self.range(note, 0).start) == Some(&byte);
        self.notes.iter().any(begins)
    }

    /// The next value inside `whole`, and its place.
    #[inline]
    pub(super) fn step(&mut self, whole: &'a [u8]) -> Option<(&'a [u8], Place<'a>)> {
        let note = self.notes.first()?;
        let text = whole.get(self.range(note, 0))?;
        let place = Place(self.notes);
        self.notes = self.notes.get(note.span as usize..).unwrap_or_default();
        Some((text, place))
    }

    /// The next member of the object `whole`: what stands between the quotes of its key, its value, and
    /// the value's place.
    #[inline]
    pub(super) fn pair(&mut self, whole: &'a [u8]) -> Option<(&'a [u8], &'a [u8], Place<'a>)> {
        let (key, notes) = self.notes.split_first()?;
        let note = notes.first()?;
        let key = whole.get(self.range(key, 1))?;
        let text = whole.get(self.range(note, 0))?;
        self.notes = notes.get(note.span as usize..).unwrap_or_default();
        Some((key, text, Place(notes)))
    }

    /// Where the noted value stands in the array or object, without so many bytes at both its ends.
    #[inline]
    fn range(&self, note: &Note, without: u32) -> std::ops::Range<usize> {
        let start = (note.start + without).wrapping_sub(self.base);
        let end = (note.end - without).wrapping_sub(self.base);
        start as usize..end as usize
    }
}
