//! A body that is collected up to a limit. One that comes in one piece is never copied.

use bytes::{Bytes, BytesMut};

/// Bytes of one body, collected.
#[derive(Debug, Default)]
pub(crate) struct Body {
    only: Bytes,
    joined: BytesMut,
}

// === impl Body ===

impl Body {
    /// Takes the next piece, up to `limit` bytes in all; `false` when something was left out.
    pub(crate) fn push(&mut self, bytes: &Bytes, limit: usize) -> bool {
        let room = limit.saturating_sub(self.only.len() + self.joined.len());
        let fits = bytes.len() <= room;
        let piece = bytes.slice(..bytes.len().min(room));
        if self.only.is_empty() && self.joined.is_empty() {
            self.only = piece;
        } else {
            if self.joined.is_empty() {
                self.joined
                    .extend_from_slice(&std::mem::take(&mut self.only));
            }
            self.joined.extend_from_slice(&piece);
        }
        fits
    }

    /// What was collected.
    pub(crate) fn take(&mut self) -> Bytes {
        if self.joined.is_empty() {
            std::mem::take(&mut self.only)
        } else {
            self.joined.split().freeze()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_up_to_the_limit() {
        let mut body = Body::default();
        assert!(body.push(&"abc".into(), 5));
        assert!(!body.push(&"def".into(), 5));
        assert!(!body.push(&"g".into(), 5));
        assert_eq!(body.take(), "abcde");
    }
}
