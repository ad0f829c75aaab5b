//! Sixteen bytes of a text at a time: which of them end a plain run of a string. It knows of vectors
//! and nothing of JSON but that.

use wide::{bytemuck::cast, i8x16, u8x16};

use super::words::equal;

/// How many bytes are looked at at once.
pub(super) const BLOCK: usize = 16;

/// What a block holds. Bit `n` stands for byte `n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    /// Quotes, backslashes and control characters.
    pub(super) special: u32,
    /// Bytes beyond ASCII.
    pub(super) high: u32,
}

/// How many bytes of a long string are looked at at once.
pub(super) const WIDE: usize = 4 * BLOCK;

/// What [`WIDE`] bytes hold: looked at in one go, so that no byte of a text with many escapes is looked at
/// twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WideMarks {
    /// Quotes, backslashes and control characters. Bit `n` stands for byte `n`.
    pub(super) special: u64,
    /// Bytes beyond ASCII.
    pub(super) high: u64,
}

/// All ones where a byte is not plain: a quote, a backslash, a control character, or beyond ASCII. The
/// last two are what is less than a space, signs heeded.
#[inline]
fn odd(bytes: u8x16) -> u8x16 {
    let quotes = bytes.simd_eq(u8x16::splat(b'"'));
    let backslashes = bytes.simd_eq(u8x16::splat(b'\\'));
    let signed: i8x16 = cast(bytes);
    quotes | backslashes | cast::<i8x16, u8x16>(signed.simd_lt(i8x16::splat(0x20)))
}

/// The bytes of a block that are not plain; see [`odd`].
#[inline]
pub(super) fn odds(block: &[u8; BLOCK]) -> u32 {
    odd(u8x16::new(*block)).to_bitmask()
}

// === impl WideMarks ===

impl WideMarks {
    /// Those of a whole piece.
    #[inline]
    pub(super) fn of(piece: &[u8; WIDE]) -> Self {
        let blocks: [u8x16; 4] = cast(*piece);
        let odd = blocks.map(odd);
        let [a, b, c, d] = odd;
        // Most pieces of most texts are plain.
        if ((a | b) | (c | d)).to_bitmask() == 0 {
            return Self::default();
        }
        let bits = |blocks: [u8x16; 4]| {
            let [a, b, c, d] = blocks.map(|block| u64::from(block.to_bitmask()));
            (a | b << BLOCK) | (c | d << BLOCK) << (2 * BLOCK)
        };
        let high = bits(blocks);
        Self {
            special: bits(odd) & !high,
            high,
        }
    }

    /// Those of what is left of a text, when that is less than a piece.
    pub(super) fn of_tail(tail: &[u8]) -> Self {
        let mut piece = [b' '; WIDE];
        if let Some(front) = piece.get_mut(..tail.len()) {
            front.copy_from_slice(tail);
        }
        Self::of(&piece)
    }
}

// === impl Marks ===

impl Marks {
    /// Those of a whole block.
    #[inline]
    pub(super) fn of(block: &[u8; BLOCK]) -> Self {
        let bytes = u8x16::new(*block);
        let high = bytes.to_bitmask();
        Self {
            special: odd(bytes).to_bitmask() & !high,
            high,
        }
    }

    /// Those of what is left of a text, when that is less than a block.
    pub(super) fn of_tail(tail: &[u8]) -> Self {
        let mut block = [b' '; BLOCK];
        if let Some(front) = block.get_mut(..tail.len()) {
            front.copy_from_slice(tail);
        }
        Self::of(&block)
    }
}

/// The length of the run that `text` begins with and that a JSON string holds as it is: up to a quote, a
/// backslash or a control character.
#[inline]
pub(super) fn plain_run(text: &[u8]) -> usize {
    let (blocks, tail) = text.as_chunks::<BLOCK>();
    for (number, block) in blocks.iter().enumerate() {
        let special = Marks::of(block).special;
        if special != 0 {
            return number * BLOCK + special.trailing_zeros() as usize;
        }
    }
    let special = Marks::of_tail(tail).special;
    let inside = (special.trailing_zeros() as usize).min(tail.len());
    text.len() - tail.len() + inside
}

/// Whether a backslash is in `text`.
#[inline]
pub(super) fn has_backslash(text: &[u8]) -> bool {
    if text.len() > 8 * BLOCK {
        return memchr::memchr(b'\\', text).is_some();
    }
    let inside = |block: &[u8; BLOCK]| {
        let found = u8x16::new(*block).simd_eq(u8x16::splat(b'\\'));
        found.to_bitmask() != 0
    };
    // The last block is looked at from the end, over bytes that were looked at already.
    let Some(last) = text.last_chunk::<BLOCK>() else {
        return in_words(text);
    };
    let (blocks, _) = text.as_chunks::<BLOCK>();
    inside(last) || blocks.iter().any(inside)
}

/// The same in less than a block, eight bytes at a time.
#[inline]
fn in_words(text: &[u8]) -> bool {
    const WORD: usize = size_of::<u64>();
    let inside = |word: &[u8; WORD]| equal(u64::from_le_bytes(*word), b'\\') != 0;
    match (text.first_chunk::<WORD>(), text.last_chunk::<WORD>()) {
        (Some(first), Some(last)) => inside(first) || inside(last),
        _ => text.contains(&b'\\'),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn vectors_and_bytes_see_the_same(block in prop::array::uniform16(any::<u8>())) {
            let mark = |is: fn(u8) -> bool| {
                block.iter().rev().fold(0, |marks, byte| marks << 1 | u32::from(is(*byte)))
            };
            let one_by_one = Marks {
                special: mark(|byte| byte < 0x20 || byte == b'"' || byte == b'\\'),
                high: mark(|byte| byte >= 0x80),
            };
            prop_assert_eq!(Marks::of(&block), one_by_one);
            prop_assert_eq!(odds(&block), one_by_one.special | one_by_one.high);
        }

        #[test]
        fn a_piece_is_its_blocks(text in prop::collection::vec(any::<u8>(), 0..=WIDE)) {
            let marks = WideMarks::of_tail(&text);
            for (at, byte) in text.iter().enumerate() {
                let special = *byte < 0x20 || matches!(byte, b'"' | b'\\');
                prop_assert_eq!(marks.special >> at & 1 == 1, special);
            }
            prop_assert!((text.len()..WIDE).all(|at| marks.special >> at & 1 == 0));
            prop_assert_eq!(marks.high != 0, !text.is_ascii());
        }

        #[test]
        fn runs_and_backslashes_are_found_wherever_they_are(text in r#"[a-zé]{0,40}["\\\n]{0,2}[a-z]{0,20}"#) {
            let text = text.as_bytes();
            let special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
            let run = text.iter().position(special).unwrap_or(text.len());
            prop_assert_eq!(plain_run(text), run);
            prop_assert_eq!(has_backslash(text), text.contains(&b'\\'));
        }
    }
}
