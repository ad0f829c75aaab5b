//! Searches that look at eight bytes at a time, for texts so dense or so short that calling for a vector
//! search would cost more than the search.

use memchr::memchr;

/// Most keys and many values are so short that calling for the vector search costs more than the search:
/// so many words are looked through first.
const WORDS: usize = 4;
const WORD: usize = size_of::<u64>();
const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = ONES << 7;

/// Marks the bytes of `word` that are `byte` with their highest bit. Right up to the first of them,
/// which is all that anybody asks for. Source: Hacker's Delight, section 6-1.
pub(super) const fn equal(word: u64, byte: u8) -> u64 {
    let differs = word ^ (ONES * byte as u64);
    differs.wrapping_sub(ONES) & !differs & HIGHS
}

/// The first byte, among those that are looked through first, that `marks` marks.
fn among_first(text: &[u8], marks: impl Fn(u64) -> u64) -> Option<usize> {
    for (number, bytes) in text.chunks_exact(WORD).take(WORDS).enumerate() {
        let marked = marks(u64::from_le_bytes(bytes.try_into().ok()?));
        if marked != 0 {
            return Some(number * WORD + (marked.trailing_zeros() / 8) as usize);
        }
    }
    None
}

/// The offset of the first quote or bracket.
pub(super) fn next_structure(text: &[u8]) -> Option<usize> {
    // A bit sets `[` and `]` apart from `{` and `}`, and from quotes nothing that JSON has outside of
    // strings.
    const BRACE: u64 = ONES * 0x20;
    let marks = |word: u64| {
        let braced = word | BRACE;
        equal(word, b'"') | equal(braced, b'{') | equal(braced, b'}')
    };
    let is_structure = |byte: &u8| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']');
    let mut at = 0;
    while let Some(bytes) = text.get(at..).and_then(|rest| rest.first_chunk::<WORD>()) {
        let marked = marks(u64::from_le_bytes(*bytes));
        if marked != 0 {
            return Some(at + (marked.trailing_zeros() / 8) as usize);
        }
        at += WORD;
    }
    let rest = text.get(at..)?;
    rest.iter().position(is_structure).map(|found| at + found)
}

/// The offset of the first quote.
pub(super) fn next_quote(text: &[u8]) -> Option<usize> {
    if let Some(at) = among_first(text, |word| equal(word, b'"')) {
        return Some(at);
    }
    let seen = (text.len() / WORD).min(WORDS) * WORD;
    memchr(b'"', text.get(seen..)?).map(|at| seen + at)
}
