//! Where the long values of a checked text end, noted while it is checked: whoever walks the text later
//! steps over a prompt of hundreds of kilobytes without looking at it.
//!
//! Places are addresses in memory, so that a note holds for every slice of the buffer that it was made
//! of, and for no other. A value without a note is stepped over by looking at it.

use std::sync::Arc;

/// Values shorter than this are looked at faster than they are looked up.
const LONG: usize = 64;

/// One value: where it begins, and the place behind it.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    end: usize,
}

/// The long values of one text, in the order of their beginnings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ends(Option<Arc<[Span]>>);

/// The same, lent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EndsRef<'a>(Option<&'a Arc<[Span]>>);

/// Takes the notes while a text is checked.
#[derive(Debug, Default)]
pub(super) struct Notes {
    spans: Vec<Span>,
    /// Which spans are of arrays and objects that are still open, the innermost last.
    open: Vec<usize>,
}

// === impl Ends ===

impl Ends {
    pub(super) const fn lend(&self) -> EndsRef<'_> {
        EndsRef(self.0.as_ref())
    }
}

// === impl EndsRef ===

impl EndsRef<'_> {
    /// The length of the value that `text` begins with, where it is noted.
    pub(super) fn length(self, text: &[u8]) -> Option<usize> {
        let spans = self.0?;
        let at = text.as_ptr() as usize;
        let found = spans.binary_search_by_key(&at, |span| span.start).ok()?;
        let length = spans.get(found)?.end.checked_sub(at)?;
        (length <= text.len()).then_some(length)
    }
}

// === impl Notes ===

impl Notes {
    /// An array or object opens at `start`.
    pub(super) fn open(&mut self, start: usize) {
        self.open.push(self.spans.len());
        self.spans.push(Span { start, end: start });
    }

    /// The innermost one ends before `end`.
    pub(super) fn close(&mut self, end: usize) {
        let Some(at) = self.open.pop() else { return };
        // A short one holds nothing long, so that it is the last.
        match self.spans.get_mut(at) {
            Some(span) if end - span.start >= LONG => span.end = end,
            _ => self.spans.truncate(at),
        }
    }

    /// A string from `start` to before `end`.
    pub(super) fn string(&mut self, start: usize, end: usize) {
        if end - start >= LONG {
            self.spans.push(Span { start, end });
        }
    }

    /// The notes of the text in `memory`, in which they were places.
    pub(super) fn of(self, memory: &[u8]) -> Ends {
        let base = memory.as_ptr() as usize;
        let place = |span: Span| Span {
            start: base + span.start,
            end: base + span.end,
        };
        let any = !self.spans.is_empty();
        Ends(any.then(|| self.spans.into_iter().map(place).collect()))
    }
}
