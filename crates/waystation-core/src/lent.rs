//! Memory for large bodies, lent again. A body of some hundred kilobytes is more than an allocator keeps
//! at hand: it gives such memory back to the system when it is free, and the next request has it mapped and
//! zeroed anew, page by page. Each thread keeps what was used a moment ago. What the bytes mean is not
//! known here.

use std::{cell::RefCell, mem};

use bytes::{Bytes, BytesMut};

/// What a thread keeps.
#[derive(Debug, Default)]
struct Kept {
    buffers: Vec<Vec<u8>>,
    /// Their capacities together, in bytes.
    size: usize,
    /// The fewest that were there at any time since [`release`]: nobody has needed these.
    unused: usize,
}

/// A buffer that goes back to the thread which drops it.
enum Lent {
    Written(Vec<u8>),
    Read(BytesMut),
}

thread_local! {
    static KEPT: RefCell<Kept> = const {
        RefCell::new(Kept { buffers: Vec::new(), size: 0, unused: 0 })
    };
}

/// Smaller buffers are the allocator's, in bytes; larger ones are multiples of it, so that they fit again.
const LARGE: usize = 64 * 1024;
/// A larger buffer is not kept, in bytes.
const LARGEST: usize = 8 * 1024 * 1024;
/// The most that a thread keeps, in bytes.
const MOST: usize = 16 * 1024 * 1024;

/// An empty buffer with room for `size` bytes, or more where they are many.
///
/// ```
/// use waystation_core::lent;
///
/// let mut out = lent::room(100_000);
/// out.resize(100_000, b'x');
/// assert_eq!(lent::bytes(out).len(), 100_000);
/// ```
#[must_use]
pub fn room(size: usize) -> Vec<u8> {
    if size < LARGE {
        return Vec::with_capacity(size);
    }
    let size = size.checked_next_multiple_of(LARGE).unwrap_or(size);
    let kept = KEPT.with_borrow_mut(|kept| kept.take(size));
    kept.unwrap_or_else(|| Vec::with_capacity(size))
}

/// The same to be read into.
#[must_use]
pub fn room_to_read(size: usize) -> BytesMut {
    if size < LARGE {
        return BytesMut::with_capacity(size);
    }
    // Nobody else has it: it becomes what it was, and nothing is copied.
    BytesMut::from(Bytes::from(room(size)))
}

/// What was written, for as many readers as there are. When the last is gone, the memory is lent again.
#[must_use]
pub fn bytes(written: Vec<u8>) -> Bytes {
    if written.capacity() < LARGE {
        return written.into();
    }
    Bytes::from_owner(Lent::Written(written))
}

/// The same of what was read.
#[must_use]
pub fn bytes_read(read: BytesMut) -> Bytes {
    if read.capacity() < LARGE {
        return read.freeze();
    }
    Bytes::from_owner(Lent::Read(read))
}

/// Gives to the system what this thread has kept and nobody has needed since this was called before. To be
/// called now and then, a second apart or more.
///
/// ```
/// # use waystation_core::lent;
/// drop(lent::bytes(lent::room(1 << 20)));
/// lent::release();
/// lent::release();
/// ```
pub fn release() {
    KEPT.with_borrow_mut(Kept::release);
}

// === impl Kept ===

impl Kept {
    /// One that is large enough, and not much larger.
    fn take(&mut self, size: usize) -> Option<Vec<u8>> {
        let fits = |kept: &Vec<u8>| (size..=size.saturating_mul(2)).contains(&kept.capacity());
        let place = self.buffers.iter().rposition(fits)?;
        let buffer = self.buffers.swap_remove(place);
        self.size = self.size.saturating_sub(buffer.capacity());
        self.unused = self.unused.min(self.buffers.len());
        Some(buffer)
    }

    fn give(&mut self, buffer: Vec<u8>) {
        let size = buffer.capacity();
        if (LARGE..=LARGEST).contains(&size) && self.size.saturating_add(size) <= MOST {
            self.size += size;
            self.buffers.push(buffer);
        }
    }

    fn release(&mut self) {
        let unused = self.unused.min(self.buffers.len());
        for buffer in self.buffers.drain(..unused) {
            self.size = self.size.saturating_sub(buffer.capacity());
        }
        if self.buffers.is_empty() {
            self.buffers = Vec::new();
        }
        self.unused = self.buffers.len();
    }
}

// === impl Lent ===

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Written(buffer) => buffer,
            Self::Read(buffer) => buffer,
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // Empty first: what is moved from one type to the other is not copied then.
        let buffer = match self {
            Self::Written(buffer) => {
                buffer.clear();
                mem::take(buffer)
            }
            Self::Read(buffer) => {
                buffer.clear();
                mem::take(buffer).into()
            }
        };
        // A thread that ends keeps nothing any more.
        let _ = KEPT.try_with(|kept| kept.borrow_mut().give(buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> usize {
        KEPT.with_borrow(|kept| kept.buffers.len())
    }

    #[test]
    fn a_large_buffer_is_lent_again_when_nobody_reads_it_any_more() {
        let mut written = room(400_000);
        written.resize(400_000, b'a');
        let address = written.as_ptr();
        let one = bytes(written);
        let two = one.slice(7..9);
        drop(one);
        assert_eq!((kept(), &*two), (0, &b"aa"[..]));
        drop(two);
        assert_eq!(kept(), 1);
        let mut read = room_to_read(390_000);
        assert_eq!((kept(), read.as_ptr(), read.len()), (0, address, 0));
        read.extend_from_slice(&[b'b'; 390_000]);
        assert_eq!(read.as_ptr(), address);
        let read = bytes_read(read);
        assert!(read.iter().all(|byte| *byte == b'b') && read.len() == 390_000);
        drop(read);
        assert_eq!(kept(), 1);
        let again = room(400_000);
        assert_eq!(again.as_ptr(), address);
    }

    #[test]
    fn small_buffers_huge_ones_and_too_many_are_not_kept() {
        drop((bytes(room(1_000)), bytes_read(room_to_read(1_000))));
        drop(bytes(room(LARGEST + 1)));
        assert_eq!(kept(), 0);
        let many: Vec<Bytes> = (0..40).map(|_| bytes(room(1 << 20))).collect();
        drop(many);
        assert_eq!(kept(), MOST >> 20);
        // One of another size stands in the way of none.
        assert!(room(100_000).capacity() < 1 << 20);
        assert_eq!(kept(), MOST >> 20);
    }

    #[test]
    fn what_nobody_needs_between_two_releases_is_given_back() {
        let lend = |count: usize| {
            let many: Vec<Bytes> = (0..count).map(|_| bytes(room(100_000))).collect();
            drop(many);
        };
        lend(5);
        release();
        assert_eq!(kept(), 5, "they were in use a moment ago");
        lend(2);
        release();
        assert_eq!(kept(), 2);
        release();
        assert_eq!((kept(), KEPT.with_borrow(|kept| kept.size)), (0, 0));
    }
}
