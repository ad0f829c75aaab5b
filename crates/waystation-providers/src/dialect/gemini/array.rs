//! The elements of a JSON array from bytes cut anywhere: the form of a stream that was not asked
//! to come as events. Finds where elements begin and end; whether they are JSON is for the reader.
//!
//! Every byte is looked at once, whatever the cuts. Only brackets, braces and quotes outside of
//! strings matter, so that an element is complete with its last brace, long before the array is: a
//! host that streams in this form is read as it speaks.

use bytes::{Bytes, BytesMut};

/// Cuts the bytes of one JSON array into its elements.
#[derive(Debug)]
pub(super) struct ArraySplitter {
    /// What was pushed and belongs to no element that was given out.
    pending: BytesMut,
    /// How much of that was looked at.
    seen: usize,
    /// Open brackets and braces, the array's own included.
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// Where the element that is being read starts.
    start: Option<usize>,
    /// The array's own end has come; what stands behind it is nothing.
    closed: bool,
    limit: usize,
}

/// An element grew beyond the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected elements of at most {limit} bytes, found a longer one")]
pub(super) struct ElementTooLong {
    /// The limit, in bytes.
    pub(super) limit: usize,
}

// === impl ArraySplitter ===

impl ArraySplitter {
    /// A splitter that refuses elements of more than `limit` bytes.
    pub(super) fn with_limit(limit: usize) -> Self {
        Self {
            pending: BytesMut::new(),
            seen: 0,
            depth: 0,
            in_string: false,
            escaped: false,
            start: None,
            closed: false,
            limit,
        }
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: &Bytes) {
        if !self.closed {
            self.pending.extend_from_slice(bytes);
        }
    }

    /// Whether the array has come to its end.
    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// The next complete element, or `None` when more bytes are needed. Elements that are neither
    /// objects nor arrays are passed by: no chunk is one.
    pub(super) fn next_element(&mut self) -> Result<Option<Bytes>, ElementTooLong> {
        while let Some(byte) = self.pending.get(self.seen).copied() {
            let at = self.seen;
            self.seen += 1;
            if self.in_string {
                self.in_string = self.escaped || byte != b'"';
                self.escaped = !self.escaped && byte == b'\\';
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => {
                    if self.depth == 1 {
                        self.start = Some(at);
                    }
                    self.depth += 1;
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        self.closed = true;
                        self.pending.clear();
                        self.seen = 0;
                        return Ok(None);
                    }
                    if let Some(start) = self.start.take_if(|_| self.depth == 1) {
                        return Ok(Some(self.take(start)));
                    }
                }
                _ => {}
            }
        }
        match self.start {
            Some(start) if self.seen - start > self.limit => {
                Err(ElementTooLong { limit: self.limit })
            }
            Some(_) => Ok(None),
            None => {
                self.pending.clear();
                self.seen = 0;
                Ok(None)
            }
        }
    }

    /// The element from `start` to what was looked at last.
    fn take(&mut self, start: usize) -> Bytes {
        let mut whole = self.pending.split_to(self.seen).freeze();
        self.seen = 0;
        whole.split_off(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(pieces: &[&'static str]) -> (Vec<String>, bool) {
        let mut splitter = ArraySplitter::with_limit(64);
        let mut found = Vec::new();
        for piece in pieces {
            splitter.push(&Bytes::from_static(piece.as_bytes()));
            while let Some(element) = splitter.next_element().unwrap() {
                found.push(String::from_utf8(element.to_vec()).unwrap());
            }
        }
        (found, splitter.is_closed())
    }

    #[test]
    fn elements_come_whole_from_any_cut() {
        let text = "[{\"a\": \"]}\\\"\"},\r\n {\"b\": [1, {}]}]\n";
        let expected = vec![
            r#"{"a": "]}\""}"#.to_owned(),
            r#"{"b": [1, {}]}"#.to_owned(),
        ];
        assert_eq!(elements(&[text]), (expected.clone(), true));
        for at in 0..text.len() {
            let (one, two) = text.split_at(at);
            assert_eq!(elements(&[one, two]), (expected.clone(), true), "{at}");
        }
        assert_eq!(elements(&["[{}, {\"a\":"]), (vec!["{}".to_owned()], false));
        assert_eq!(elements(&["[{},"]), (vec!["{}".to_owned()], false));
    }

    #[test]
    fn an_element_without_end_is_refused() {
        let mut splitter = ArraySplitter::with_limit(4);
        splitter.push(&Bytes::from_static(b"[{\"aaaaaa"));
        assert_eq!(splitter.next_element().unwrap_err().limit, 4);
    }
}
