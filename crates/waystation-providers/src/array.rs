//! Writes JSON arrays element by element, beside [`ObjectWriter`] of core. Checks nothing.

use waystation_core::ObjectWriter;

/// Appends one JSON array to a buffer.
#[derive(Debug)]
pub(crate) struct ArrayWriter<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

// === impl ArrayWriter ===

impl<'a> ArrayWriter<'a> {
    /// Writes the opening bracket.
    pub(crate) fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'[');
        Self { out, empty: true }
    }

    /// Lends the buffer for the next element.
    pub(crate) fn next(&mut self) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
        self.out
    }

    /// The next element as an object.
    pub(crate) fn object(&mut self) -> ObjectWriter<'_> {
        ObjectWriter::open(self.next())
    }

    /// Whether nothing was written yet.
    pub(crate) const fn is_empty(&self) -> bool {
        self.empty
    }

    /// Writes the closing bracket.
    pub(crate) fn close(self) {
        self.out.push(b']');
    }
}
