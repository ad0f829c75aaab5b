//! Buffers for whole replies. A reply is a kilobyte or more, which an allocator looks for among all of its
//! memory, and it is written and gone within one request: each thread keeps a few and lends them again.
//! What is written into them is not known here.

use std::cell::RefCell;

use bytes::Bytes;

/// The most buffers that a thread keeps: more are under way at once only where clients read slowly.
const MOST: usize = 8;
/// One that has grown beyond this is given back to the system.
const LARGEST: usize = 32 * 1024;

thread_local! {
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer that goes back to the thread which drops it.
#[derive(Debug, Default)]
pub(crate) struct Lent(Vec<u8>);

/// What `write` appends to an empty buffer with about that much `room`.
pub(super) fn written(room: usize, write: impl FnOnce(&mut Vec<u8>)) -> Lent {
    let kept = KEPT.with_borrow_mut(Vec::pop);
    let mut buffer = Lent(kept.unwrap_or_else(|| Vec::with_capacity(room)));
    write(&mut buffer.0);
    buffer
}

// === impl Lent ===

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Lent> for Bytes {
    fn from(lent: Lent) -> Self {
        Self::from_owner(lent)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        if buffer.capacity() == 0 || buffer.capacity() > LARGEST {
            return;
        }
        buffer.clear();
        // A thread that ends keeps nothing any more.
        let _ = KEPT.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.len() < MOST {
                kept.push(buffer);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> usize {
        KEPT.with_borrow(Vec::len)
    }

    #[test]
    fn a_buffer_is_lent_again_empty_when_nobody_reads_it_any_more() {
        let one = Bytes::from(written(100, |out| out.extend_from_slice(b"one")));
        let (copy, address) = (one.clone(), one.as_ptr());
        drop(one);
        assert_eq!((kept(), &*copy), (0, &b"one"[..]));
        drop(copy);
        assert_eq!(kept(), 1);
        let two = written(100, |out| out.extend_from_slice(b"2"));
        let two = two.as_ref();
        assert_eq!((kept(), two, two.as_ptr()), (0, &b"2"[..], address));
    }

    #[test]
    fn neither_many_buffers_nor_large_ones_are_kept() {
        let many: Vec<Lent> = (0..3 * MOST)
            .map(|_| written(10, |out| out.push(b'a')))
            .collect();
        drop(many);
        assert_eq!(kept(), MOST);
        let large = written(0, |out| out.resize(2 * LARGEST, b'a'));
        assert_eq!(kept(), MOST - 1);
        drop(large);
        assert_eq!(kept(), MOST - 1);
    }
}
