//! Where each value of a text stands, noted while the text is checked: whoever walks it later steps from
//! value to value without looking at the bytes between.
//!
//! Places count from the text's first byte, so that the notes of a part hold for a copy of it too. A text
//! of very many values is not noted, since its notes could outgrow it; it is walked by looking at it.

/// How many values are noted at most, keys among them: below a megabyte of notes.
const MOST: usize = 1 << 16;

/// One value or key.
#[derive(Clone, Copy, Debug)]
struct Note {
    start: u32,
    end: u32,
    /// The note of what follows behind the whole of it; of an open array or object, its parent's.
    next: u32,
}

/// The notes of one text, in the order of the text.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    notes: Vec<Note>,
    /// The array or object that is open while the text is checked.
    innermost: u32,
    full: bool,
}

/// Which value of an outline a view is of, where there is an outline.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place<'a> {
    outline: Option<&'a Outline>,
    at: u32,
}

/// Steps through the notes of one array or object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps<'a> {
    outline: &'a Outline,
    next: u32,
    until: u32,
    base: u32,
}

// === impl Outline ===

impl Outline {
    /// Forgets the last text, and makes room for most texts of `length` bytes.
    pub(super) fn clear(&mut self, length: usize) {
        self.notes.clear();
        self.notes.reserve((length / 16).clamp(8, 256));
        self.innermost = 0;
        self.full = false;
    }

    /// An array or object opens at `start`.
    pub(super) fn open(&mut self, start: usize) {
        let at = self.notes.len();
        let parent = self.innermost;
        self.push(start, start, parent);
        self.innermost = u32::try_from(at).unwrap_or_default();
    }

    /// The innermost one ends before `end`.
    pub(super) fn close(&mut self, end: usize) {
        let (Ok(end), Ok(next)) = (u32::try_from(end), u32::try_from(self.notes.len())) else {
            return;
        };
        if let Some(note) = self.notes.get_mut(self.innermost as usize) {
            self.innermost = note.next;
            (note.end, note.next) = (end, next);
        }
    }

    /// A key, a string, a number or a word from `start` to before `end`.
    pub(super) fn leaf(&mut self, start: usize, end: usize) {
        let next = u32::try_from(self.notes.len() + 1).unwrap_or_default();
        self.push(start, end, next);
    }

    fn push(&mut self, start: usize, end: usize, next: u32) {
        match (u32::try_from(start), u32::try_from(end)) {
            (Ok(start), Ok(end)) if self.notes.len() < MOST => {
                self.notes.push(Note { start, end, next });
            }
            _ => self.full = true,
        }
    }

    /// The value that the whole text is.
    pub(super) fn root(&self) -> Place<'_> {
        self.place(0)
    }

    /// The value of the note `at`; nowhere when the text had too many values.
    pub(super) fn place(&self, at: u32) -> Place<'_> {
        Place {
            outline: (!self.full).then_some(self),
            at,
        }
    }
}

// === impl Place ===

impl<'a> Place<'a> {
    /// The note's number, where there is one.
    pub(super) fn note(self) -> Option<u32> {
        self.outline.map(|_| self.at)
    }

    /// Steps through what stands inside.
    pub(super) fn inside(self) -> Option<Steps<'a>> {
        let outline = self.outline?;
        let note = outline.notes.get(self.at as usize)?;
        Some(Steps {
            outline,
            next: self.at + 1,
            until: note.next,
            base: note.start,
        })
    }
}

// === impl Steps ===

impl<'a> Steps<'a> {
    /// Whether any value that is left of `whole`, at whatever depth, begins with `byte`.
    pub(super) fn any_begins_with(&self, byte: u8, whole: &[u8]) -> bool {
        let notes = self
            .outline
            .notes
            .get(self.next as usize..self.until as usize);
        let begins = |note: &Note| whole.get((note.start - self.base) as usize) == Some(&byte);
        notes.is_none_or(|notes| notes.iter().any(begins))
    }

    /// The next key or value inside `whole`, and its place.
    #[inline]
    pub(super) fn step(&mut self, whole: &'a [u8]) -> Option<(&'a [u8], Place<'a>)> {
        if self.next >= self.until {
            return None;
        }
        let note = self.outline.notes.get(self.next as usize)?;
        let text = whole.get((note.start - self.base) as usize..(note.end - self.base) as usize)?;
        let place = Place {
            outline: Some(self.outline),
            at: self.next,
        };
        self.next = note.next;
        Some((text, place))
    }
}
