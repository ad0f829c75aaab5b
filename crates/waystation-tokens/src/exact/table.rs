//! A vocabulary at work: its tokens by their bytes, and how many of them a piece of text comes to. Where
//! text is cut into pieces is not known here.

use std::io::Read as _;

use flate2::read::DeflateDecoder;

/// No token.
const NONE: u32 = u32::MAX;

/// Where hashing begins, and what it multiplies by: FNV-1a.
const SEED: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// Tokens by rank, which is their id: lower ones were merged first.
pub(super) struct Table {
    /// All of them, one behind the other.
    bytes: Vec<u8>,
    /// Where each begins; one more for the end.
    starts: Vec<u32>,
    /// Ranks by the hash of their bytes: open addressing, half full at most.
    slots: Vec<u32>,
    /// The length of the longest token that begins with two bytes.
    longest: Vec<u8>,
    /// For each, the longest other token that it begins with.
    shorter: Vec<u32>,
    /// The two that each was merged from; itself twice for a single byte.
    parts: Vec<(u32, u32)>,
    /// Ranks by the hash of the two that they were merged from.
    merged: Vec<u32>,
}

// === impl Table ===

impl Table {
    /// Builds the tables from what the build script has packed.
    ///
    /// Halves and heads are packed as lengths and looked up here, since what they are was dear to find
    /// out: it takes a merge of all bytes of each token.
    pub(super) fn unpacked(packed: &[u8]) -> Self {
        let mut flat = Vec::new();
        // What is embedded is whole: the build would have failed.
        let _ = DeflateDecoder::new(packed).read_to_end(&mut flat);
        let (count, rest) = flat.split_first_chunk().unwrap_or((&[0; 4], &[]));
        let count = usize::try_from(u32::from_le_bytes(*count)).unwrap_or_default();
        let lists = |at: usize| rest.get(at * count..(at + 1) * count).unwrap_or_default();
        let (lengths, shorter, halves) = (lists(0), lists(1), lists(2));
        let mut starts = Vec::with_capacity(count + 1);
        starts.push(0);
        for length in lengths {
            starts.push(starts.last().copied().unwrap_or_default() + u32::from(*length));
        }
        let slots = vec![NONE; (count * 2).next_power_of_two()];
        let mut table = Self {
            bytes: rest.get(3 * count..).unwrap_or_default().to_vec(),
            starts,
            merged: slots.clone(),
            slots,
            longest: vec![1; 1 << 16],
            shorter: Vec::new(),
            parts: Vec::new(),
        };
        (0..table.count()).for_each(|rank| table.add(rank));
        table.shorter = table
            .heads(shorter)
            .map(|(_, head, _)| head.unwrap_or(NONE))
            .collect();
        let parts = table.heads(halves).map(|(rank, head, rest)| {
            let rest = head.and_then(|_| table.rank(rest));
            head.zip(rest).unwrap_or((rank, rank))
        });
        table.parts = parts.collect();
        (0..table.count()).for_each(|rank| table.add_merge(rank));
        table
    }

    /// Each token with the one that it begins with for so many bytes, and what is behind that.
    fn heads(&self, lengths: &[u8]) -> impl Iterator<Item = (u32, Option<u32>, &[u8])> {
        (0..self.count()).zip(lengths).map(|(rank, length)| {
            let token = self.token(rank);
            let (head, rest) = token
                .split_at_checked(usize::from(*length))
                .unwrap_or_default();
            (rank, self.rank(head), rest)
        })
    }

    fn add(&mut self, rank: u32) {
        let token = self.token(rank);
        let length = u8::try_from(token.len()).unwrap_or(u8::MAX);
        let (start, hash) = (start_of(token), token.iter().copied().fold(SEED, hashed));
        if let Some(longest) = self.longest.get_mut(start) {
            *longest = (*longest).max(length);
        }
        put(&mut self.slots, hash, rank);
    }

    fn add_merge(&mut self, rank: u32) {
        let parts = self.parts(rank);
        if parts != (rank, rank) {
            put(&mut self.merged, hash_of(parts), rank);
        }
    }

    /// What two tokens become when they are merged; `None` where they stay as they are.
    fn merged(&self, pair: (u32, u32)) -> Option<u32> {
        let mut at = place(&self.merged, hash_of(pair));
        loop {
            let rank = *self.merged.get(at).filter(|rank| **rank != NONE)?;
            if self.parts(rank) == pair {
                return Some(rank);
            }
            at = (at + 1) & (self.merged.len() - 1);
        }
    }

    /// How many tokens there are.
    fn count(&self) -> u32 {
        u32::try_from(self.starts.len() - 1).unwrap_or(NONE)
    }

    /// The bytes of a token.
    fn token(&self, rank: u32) -> &[u8] {
        let place = |rank: usize| {
            self.starts
                .get(rank)
                .and_then(|at| usize::try_from(*at).ok())
        };
        let rank = usize::try_from(rank).unwrap_or(usize::MAX);
        let range = place(rank).zip(place(rank.saturating_add(1)));
        range
            .and_then(|(from, to)| self.bytes.get(from..to))
            .unwrap_or_default()
    }

    fn length(&self, rank: u32) -> usize {
        self.token(rank).len()
    }

    fn shorter(&self, rank: u32) -> Option<u32> {
        let shorter = self.shorter.get(usize::try_from(rank).ok()?)?;
        (*shorter != NONE).then_some(*shorter)
    }

    fn parts(&self, rank: u32) -> (u32, u32) {
        let at = usize::try_from(rank).unwrap_or(usize::MAX);
        self.parts.get(at).copied().unwrap_or((rank, rank))
    }

    /// The token of exactly these bytes.
    fn rank(&self, bytes: &[u8]) -> Option<u32> {
        self.rank_of(bytes, bytes.iter().copied().fold(SEED, hashed))
    }

    fn rank_of(&self, bytes: &[u8], hash: u64) -> Option<u32> {
        let mut at = place(&self.slots, hash);
        loop {
            let rank = *self.slots.get(at).filter(|rank| **rank != NONE)?;
            if self.token(rank) == bytes {
                return Some(rank);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    /// The longest token that `text` begins with; `None` for no text.
    ///
    /// Every beginning up to the longest that may be a token is hashed in one pass, then they are looked up
    /// from the longest on. Every single byte is a token, so that one is found.
    fn first(&self, text: &[u8]) -> Option<u32> {
        let most = self.longest.get(start_of(text)).copied().unwrap_or(1);
        let mut hashes = [SEED; 256];
        let mut hash = SEED;
        let head = text.get(..usize::from(most)).unwrap_or(text);
        for (byte, slot) in head.iter().copied().zip(&mut hashes) {
            hash = hashed(hash, byte);
            *slot = hash;
        }
        let hashes = hashes.get(..head.len()).unwrap_or_default();
        let mut lengths = hashes.iter().enumerate().rev();
        lengths.find_map(|(at, hash)| self.rank_of(head.get(..=at)?, *hash))
    }

    /// Whether two tokens side by side are what their bytes come to, and no merge goes across the border.
    ///
    /// Merges are undone from the latest on, on either side: two neighbours of that moment would have
    /// been merged if what they make ranks before what was undone last.
    fn stay_apart(&self, mut left: u32, mut right: u32) -> bool {
        let mut before = NONE;
        loop {
            let joined = self.merged((left, right));
            if joined.is_some_and(|joined| joined < before) {
                return false;
            }
            let (of_left, of_right) = (self.parts(left).1, self.parts(right).0);
            // A byte is its own part: then there is only the other side to undo.
            let left_first = if left > right {
                of_left != left
            } else {
                of_right == right
            };
            if left_first {
                if of_left == left {
                    return true;
                }
                (before, left) = (left, of_left);
            } else {
                if of_right == right {
                    return true;
                }
                // Of equals the left one is merged first.
                (before, right) = (right.saturating_add(1), of_right);
            }
        }
    }

    /// How many tokens a piece comes to.
    ///
    /// From left to right, always the longest token that stays apart from the one before it; where none
    /// does, the one before it gives way to a shorter one. A place that led nowhere is not come to twice,
    /// which makes it linear. Source: GitHub's blog, "So many tokens, so little time", 2024-12.
    pub(super) fn tokens(&self, piece: &[u8]) -> usize {
        if self.rank(piece).is_some() {
            return 1;
        }
        let mut taken: Vec<u32> = Vec::with_capacity(piece.len() / 3 + 1);
        let mut dead = vec![false; piece.len() + 1];
        let (mut at, mut next) = (0, self.first(piece));
        while let Some(first) = next {
            let last = taken.last().copied();
            let fits = |token: u32| {
                let free = dead.get(at + self.length(token)) == Some(&false);
                free && last.is_none_or(|last| self.stay_apart(last, token))
            };
            let mut tried = std::iter::successors(Some(first), |token| self.shorter(*token));
            if let Some(token) = tried.find(|token| fits(*token)) {
                taken.push(token);
                at += self.length(token);
                next = piece.get(at..).and_then(|rest| self.first(rest));
            } else {
                if let Some(place) = dead.get_mut(at) {
                    *place = true;
                }
                at -= taken.pop().map_or(0, |token| self.length(token));
                next = last;
            }
        }
        taken.len()
    }
}

/// A place for the first two bytes of a text.
fn start_of(text: &[u8]) -> usize {
    let byte = |at: usize| text.get(at).copied().map_or(0, usize::from);
    byte(0) << 8 | byte(1)
}

/// Where a search for a hash begins: its high bits are mixed best.
fn place(slots: &[u32], hash: u64) -> usize {
    let high = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    usize::try_from(high).unwrap_or_default() & slots.len().wrapping_sub(1)
}

/// Puts a rank into the first free place.
fn put(slots: &mut [u32], hash: u64, rank: u32) {
    let mut at = place(slots, hash);
    while slots.get(at).is_some_and(|held| *held != NONE) {
        at = (at + 1) & slots.len().wrapping_sub(1);
    }
    if let Some(slot) = slots.get_mut(at) {
        *slot = rank;
    }
}

/// The hash of two tokens.
const fn hash_of((left, right): (u32, u32)) -> u64 {
    ((left as u64) << 32 | right as u64).wrapping_mul(PRIME)
}

/// The hash of one byte more.
const fn hashed(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(PRIME)
}
