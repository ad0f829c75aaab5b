//! Entries as bytes: numbers as short as they are, texts once in a segment. What is kept of one request
//! is a few hundred bytes then, and nothing of it lies among the memory of the requests that follow.
//! Which entries are kept is the ledger's.
//!
//! # The form
//!
//! An entry is its members in a fixed order, without names: only this process reads what it wrote.
//!
//! | what | bytes |
//! |---|---|
//! | a number | itself, below 240; else 239 and the count of its bytes in one, and those, the lowest first |
//! | an optional value | 0, or 1 and the value |
//! | a list | its length and its members |
//! | a text | twice its length, then its UTF-8; or, where the segment holds it already, twice the place where that begins, and 1 |
//! | JSON | its pieces, each as a text: it is cut behind every comma. An empty text ends it |
//! | a decision | its members (`decision.rs`), or JSON |
//!
//! So ids of models, endpoints and providers, clients' names, and the members of JSON that are as they
//! were in the one before cost two or three bytes each. Ids, times and counts are what is left.
//!
//! # Laws
//!
//! What is read at the place where an entry was written equals it, whatever was written before and
//! after it. Reading anywhere else gives an entry or nothing, and never panics.

mod decision;

use std::{str::FromStr, sync::Arc, time::Duration};

use bytes::Bytes;
use waystation_core::{
    AttemptRecord, Cost, EndpointId, Entry, ErrorType, FinishReason, GenerationId, JsonText,
    Modality, ModelId, RawJson, Spent, Tag, Tokens, UnixMs, Usage, Usd,
};

/// Where the texts of a segment begin, by their hash. A text that displaces another one makes later
/// copies longer, never wrong.
#[derive(Debug)]
pub(super) struct Texts(Box<[u32]>);

/// Writes at the end of a segment.
pub(super) struct Writer<'a> {
    /// All of the segment: texts are referred to by their place in it.
    bytes: &'a mut Vec<u8>,
    texts: &'a mut Texts,
}

/// Reads from a place in a segment.
pub(super) struct Reader<'a> {
    /// All of the segment.
    segment: &'a [u8],
    /// What is read next.
    at: usize,
}

/// What can be written, and read back equal.
trait Pack: Sized {
    /// Appends the value.
    fn pack(&self, to: &mut Writer<'_>);
    /// Reads one, and goes on behind it. `None` when the bytes are not what `pack` writes.
    fn unpack(from: &mut Reader<'_>) -> Option<Self>;
}

/// Places of texts that are remembered: more than the texts of a segment that come again.
const PLACES: usize = 2048;
/// Shorter texts are not worth a reference.
const SHORTEST: usize = 4;
/// Numbers below it are one byte. One above it says how many bytes of a number follow, sixteen at most.
const SMALL: u8 = 240;

/// Appends `entry` to the segment `bytes`, whose texts are `texts`.
pub(super) fn write(entry: &Entry, bytes: &mut Vec<u8>, texts: &mut Texts) {
    entry.pack(&mut Writer { bytes, texts });
}

/// The entry at `at`; `None` when there is none.
pub(super) fn read(segment: &[u8], at: usize) -> Option<Entry> {
    Entry::unpack(&mut Reader { segment, at })
}

/// A hash of all of a text.
pub(super) fn hash(text: &[u8]) -> u64 {
    let (words, rest) = text.as_chunks::<8>();
    let sum = words.iter().fold(text.len() as u64, |sum, word| {
        mix(sum, u64::from_le_bytes(*word))
    });
    // The last word over again, with what follows it: one step where its bytes would take several.
    let sum = match text.last_chunk::<8>() {
        Some(last) if !rest.is_empty() => mix(sum, u64::from_le_bytes(*last)),
        Some(_) => sum,
        None => rest
            .iter()
            .fold(sum, |sum, byte| mix(sum, u64::from(*byte))),
    };
    folded(sum)
}

/// A hash of a text's length, beginning, middle and end: texts that it takes for one another share a
/// place among [`Texts`], and are compared. For short ones it is a hash of all.
fn sketch(text: &[u8]) -> u64 {
    let word = |at: usize| {
        let from = text.get(at..).and_then(<[u8]>::first_chunk::<8>);
        from.map_or(0, |word| u64::from_le_bytes(*word))
    };
    let half = |half: Option<&[u8; 4]>| half.map_or(0, |half| u32::from_le_bytes(*half).into());
    let length = text.len() as u64;
    folded(match text.len().checked_sub(8) {
        Some(last) => mix(mix(mix(length, word(0)), word(last / 2)), word(last)),
        None => mix(
            mix(length, half(text.first_chunk())),
            half(text.last_chunk()),
        ),
    })
}

/// One more word of a hash: the multiplier of Fx, a hash for short keys: `rustc-hash`, 2018.
const fn mix(sum: u64, word: u64) -> u64 {
    (sum.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95)
}

/// The end of a hash: the low bits of a product know the low bits of its factors alone.
const fn folded(sum: u64) -> u64 {
    sum ^ (sum >> 32)
}

// === impl Texts ===

impl Texts {
    /// Of a segment that is empty.
    pub(super) fn new() -> Self {
        Self(vec![0; PLACES].into())
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.0.fill(0);
    }
}

// === impl Writer ===

impl Writer<'_> {
    /// A number of any size: zero, which most members of most entries are, is one byte.
    fn number(&mut self, number: u128) {
        match u64::try_from(number) {
            Ok(word) => self.word(word),
            Err(_) => self.wide(number.to_le_bytes(), number.leading_zeros()),
        }
    }

    /// A number that is no longer than a word, as nearly all are.
    fn word(&mut self, word: u64) {
        match u8::try_from(word) {
            Ok(small @ ..SMALL) => self.bytes.push(small),
            _ => self.wide(word.to_le_bytes(), word.leading_zeros()),
        }
    }

    /// How many bytes it has without its `zeros`, and those.
    fn wide<const N: usize>(&mut self, number: [u8; N], zeros: u32) {
        let [zeros, ..] = (zeros / 8).to_le_bytes();
        let [all, ..] = N.to_le_bytes();
        self.bytes.push(SMALL - 1 + all.saturating_sub(zeros));
        // All are written and the zeros taken back, since copies of one length are one step.
        self.bytes.extend_from_slice(&number);
        let end = self.bytes.len().saturating_sub(zeros.into());
        self.bytes.truncate(end);
    }

    /// A text, or where the segment has it already: a number whose lowest bit tells them apart.
    fn text(&mut self, text: &[u8]) {
        let place = usize::try_from(sketch(text) % PLACES as u64).unwrap_or_default();
        if let (Some(known), SHORTEST..) = (self.texts.0.get_mut(place), text.len()) {
            let there = usize::try_from(*known).unwrap_or_default();
            // 0 is no place: what begins a segment is an id, which never comes again.
            if there > 0 && is_at(self.bytes, there, text) {
                return self.word(((there as u64) << 1) | 1);
            }
            *known = u32::try_from(self.bytes.len()).unwrap_or_default();
        }
        self.word((text.len() as u64) << 1);
        self.bytes.extend_from_slice(text);
    }
}

/// Whether the text that is `there` in the segment is this one.
fn is_at(segment: &[u8], there: usize, text: &[u8]) -> bool {
    let mut reader = Reader { segment, at: there };
    match u8::try_from(text.len() << 1) {
        // Nearly always its length is one byte.
        Ok(twice @ ..SMALL) => {
            reader.take(1) == Some(&[twice]) && reader.take(text.len()) == Some(text)
        }
        _ => reader.literal() == Some(text),
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    /// One byte; `None` at the end.
    fn byte(&mut self) -> Option<u8> {
        let byte = self.segment.get(self.at).copied();
        self.at += 1;
        byte
    }

    /// A number of at most 128 bits.
    fn number(&mut self) -> Option<u128> {
        let first = self.byte()?;
        let Some(more) = first.checked_sub(SMALL) else {
            return Some(first.into());
        };
        let bytes = self.take(usize::from(more) + 1)?;
        let number = bytes.iter().rev();
        Some(number.fold(0, |number, byte| (number << 8) | u128::from(*byte)))
    }

    /// A number that counts something in memory.
    fn size(&mut self) -> Option<usize> {
        self.number()?.try_into().ok()
    }

    /// A text that is here, and no reference.
    fn literal(&mut self) -> Option<&'a [u8]> {
        match self.size()? {
            size if size & 1 == 0 => self.take(size >> 1),
            _ => None,
        }
    }

    /// A text, here or where it was first. References lead to texts, never to references.
    fn text(&mut self) -> Option<&'a [u8]> {
        match self.size()? {
            size if size & 1 == 0 => self.take(size >> 1),
            there => Reader {
                segment: self.segment,
                at: there >> 1,
            }
            .literal(),
        }
    }

    /// So many bytes.
    fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        let taken = self.segment.get(self.at..self.at.checked_add(size)?)?;
        self.at += size;
        Some(taken)
    }

    /// What a text spells.
    fn parsed<T: FromStr>(&mut self) -> Option<T> {
        std::str::from_utf8(self.text()?).ok()?.parse().ok()
    }
}

// === impl Pack ===

/// Numbers, and what is made of one, by the writer of their size.
macro_rules! pack_number {
    ($($name:ty: $write:ident $out:expr, $back:expr;)*) => {$(
        impl Pack for $name {
            fn pack(&self, to: &mut Writer<'_>) {
                to.$write(($out)(self));
            }

            fn unpack(from: &mut Reader<'_>) -> Option<Self> {
                let back: fn(u128) -> Option<Self> = $back;
                back(from.number()?)
            }
        }
    )*};
}

impl Pack for bool {
    fn pack(&self, to: &mut Writer<'_>) {
        to.bytes.push(u8::from(*self));
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Self> {
        Some(from.number()? == 1)
    }
}

pack_number! {
    u16: word |number: &Self| u64::from(*number), |number| number.try_into().ok();
    u32: word |number: &Self| u64::from(*number), |number| number.try_into().ok();
    u64: word |number: &Self| *number, |number| number.try_into().ok();
    usize: word |number: &Self| *number as u64, |number| number.try_into().ok();
    Usd: number |amount: &Self| amount.femtos(), |number| Some(Self::from_femtos(number));
    Tokens: word |count: &Self| count.get(), |number| number.try_into().ok().map(Self::new);
    UnixMs: word |at: &Self| at.get(), |number| number.try_into().ok().map(Self::new);
    Duration: number |took: &Self| took.as_nanos(), |nanos| nanos.try_into().ok().map(Self::from_nanos);
    FinishReason: word |reason: &Self| *reason as u64, |number| FINISHES.get(usize::try_from(number).ok()?).copied();
}

/// In the order of their numbers.
const FINISHES: [FinishReason; 5] = [
    FinishReason::Stop,
    FinishReason::Length,
    FinishReason::ToolCalls,
    FinishReason::ContentFilter,
    FinishReason::Error,
];

/// Texts, and names that have checked theirs.
macro_rules! pack_text {
    ($($name:ty: $out:expr;)*) => {$(
        impl Pack for $name {
            fn pack(&self, to: &mut Writer<'_>) {
                let out: fn(&Self) -> &str = $out;
                to.text(out(self).as_bytes());
            }

            fn unpack(from: &mut Reader<'_>) -> Option<Self> {
                from.parsed()
            }
        }
    )*};
}

pack_text! {
    String: |text| text;
    ErrorType: |kind| kind.as_str();
    GenerationId: |id| id.as_str();
    ModelId: |id| id.as_str();
    EndpointId: |id| id.as_str();
    Tag: |tag| tag.as_str();
    Modality: |kind| kind.as_str();
}

impl Pack for Arc<str> {
    fn pack(&self, to: &mut Writer<'_>) {
        to.text(self.as_bytes());
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Self> {
        std::str::from_utf8(from.text()?).ok().map(Into::into)
    }
}

/// With its escapes.
impl Pack for JsonText {
    fn pack(&self, to: &mut Writer<'_>) {
        to.text(self.escaped());
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Self> {
        let quoted = [from.text()?, b"\""].concat();
        Self::within(&Bytes::from(quoted), 0)
    }
}

/// In pieces: most members of one are those of the one before.
impl Pack for RawJson {
    fn pack(&self, to: &mut Writer<'_>) {
        let mut rest: &[u8] = self.bytes();
        while let Some(comma) = memchr::memchr(b',', rest) {
            let (piece, others) = rest.split_at(comma + 1);
            to.text(piece);
            rest = others;
        }
        // JSON does not end in a comma: no piece is empty but the end.
        to.text(rest);
        to.text(b"");
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Self> {
        let mut text = Vec::new();
        loop {
            match from.text()? {
                [] => break,
                piece => text.extend_from_slice(piece),
            }
        }
        Self::parse(&Bytes::from(text)).ok()
    }
}

impl<T: Pack> Pack for Option<T> {
    fn pack(&self, to: &mut Writer<'_>) {
        self.is_some().pack(to);
        if let Some(value) = self {
            value.pack(to);
        }
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Self> {
        Some(match bool::unpack(from)? {
            true => Some(T::unpack(from)?),
            false => None,
        })
    }
}

impl<T: Pack> Pack for Vec<T> {
    fn pack(&self, to: &mut Writer<'_>) {
        self.len().pack(to);
        self.iter().for_each(|value| value.pack(to));
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Self> {
        (0..from.size()?).map(|_| T::unpack(from)).collect()
    }
}

/// Values of these members, in this order. Types to which members may be added are filled from an
/// empty one.
macro_rules! pack_members {
    ($($name:ty $(= $empty:expr)? => $($member:ident)*;)*) => {$(
        impl Pack for $name {
            fn pack(&self, to: &mut Writer<'_>) {
                $(self.$member.pack(to);)*
            }

            fn unpack(from: &mut Reader<'_>) -> Option<Self> {
                pack_members!(@unpack from $($empty;)? $($member)*)
            }
        }
    )*};
    (@unpack $from:ident $empty:expr; $($member:ident)*) => {{
        let mut whole = $empty;
        $(whole.$member = Pack::unpack($from)?;)*
        Some(whole)
    }};
    (@unpack $from:ident $($member:ident)*) => {
        Some(Self { $($member: Pack::unpack($from)?,)* })
    };
}

use pack_members;

pack_members! {
    Cost => prompt completion;
    Spent => fee searches tool_calls_requested tool_calls_executed;
    AttemptRecord => provider endpoint status error took;
    Usage = Self::default() => prompt completion total cached cache_write cache_write_1h
        prompt_audio prompt_video reasoning completion_audio completion_image accepted_prediction
        rejected_prediction web_searches upstream_cost estimated;
    Entry = Self::new(GenerationId::new(0, 0), UnixMs::new(0), String::new()) => id upstream_id
        request_id session_id created key requested model endpoint provider router choice
        streamed cancelled finish native_finish usage cost total spent hedge_cost continued_from
        continued_cost latency generation_time attempts error seed decision referer user_agent
        simulated;
}

#[cfg(test)]
mod tests;
