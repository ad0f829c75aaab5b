//! Reasoning blocks as they travel in messages: `reasoning_details`, made of what an upstream sent,
//! and taken apart again when a client sends them back. What a block is worth to an upstream is the
//! dialect's to know. Source: API contract, section 1.4.

use std::borrow::Cow;

use bytes::Bytes;
use waystation_core::{Json, JsonText, Kind, ObjectWriter, RawJson};

use crate::ran;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thought {
    /// `reasoning.text`: the thinking itself.
    Text,
    /// `reasoning.summary`: words about it.
    Summary,
    /// `reasoning.encrypted`: sealed, for its maker alone.
    Encrypted,
    /// `reasoning.server_tool_call`: a step of a tool that its maker ran. [`Step`](crate::ran::Step)
    /// writes these.
    Ran,
}

/// A block, or a piece of one that is streamed. Pieces of one block have one index.
#[derive(Clone, Debug)]
pub(crate) struct Piece<'a> {
    /// What it holds.
    pub(crate) thought: Thought,
    /// The text or the data.
    pub(crate) text: Option<&'a JsonText>,
    /// The maker's seal on a text.
    pub(crate) signature: Option<&'a JsonText>,
    /// The id that the upstream gave.
    pub(crate) id: Option<&'a JsonText>,
    /// Whose it is: only an upstream of the same format takes it back.
    pub(crate) format: &'a str,
    /// Its place among the blocks of the reply.
    pub(crate) index: u32,
    /// How many characters of the content stand before it.
    pub(crate) offset: u64,
}

/// A block that a client sends back, made whole of its pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block<'a> {
    /// What it holds.
    pub(crate) thought: Thought,
    /// The text or the data, as it stands between the quotes.
    pub(crate) text: Cow<'a, [u8]>,
    /// The seal, with its quotes.
    pub(crate) signature: Option<Json<'a>>,
    /// The id, with its quotes.
    pub(crate) id: Option<Json<'a>>,
    /// Whose it is, with its quotes.
    pub(crate) format: Option<Json<'a>>,
    /// The detail that it came in, or the first of them.
    pub(crate) detail: Json<'a>,
    index: Option<u64>,
    /// How many characters of the content stand before it, when it was said.
    offset: usize,
}

/// What a model said and thought, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woven<'w, 'a> {
    /// Words, at least one character.
    Words(&'w str),
    /// A block.
    Block(&'w Block<'a>),
}

// === impl Thought ===

impl Thought {
    const ALL: [Self; 4] = [Self::Text, Self::Summary, Self::Encrypted, Self::Ran];

    /// The type on the wire, and the member that holds the text.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Text => ("reasoning.text", "text"),
            Self::Summary => ("reasoning.summary", "summary"),
            Self::Encrypted => ("reasoning.encrypted", "data"),
            Self::Ran => (ran::TYPE, "arguments"),
        }
    }
}

// === impl Piece ===

impl Piece<'_> {
    /// The piece as `reasoning_details`: an array of one.
    pub(crate) fn details(&self) -> Option<RawJson> {
        let (kind, member) = self.thought.words();
        let size = self.text.map_or(0, JsonText::len) + self.signature.map_or(0, JsonText::len);
        let mut out = Vec::with_capacity(size + 128);
        out.push(b'[');
        let mut object = ObjectWriter::open(&mut out);
        object.string("type", kind);
        if let Some(text) = self.text {
            object.text(member, text);
        }
        if let Some(signature) = self.signature {
            object.text("signature", signature);
        }
        if let Some(id) = self.id {
            object.text("id", id);
        }
        object.string("format", self.format);
        object.number("index", u64::from(self.index));
        if self.offset > 0 {
            object.number("offset", self.offset);
        }
        object.close();
        out.push(b']');
        RawJson::parse(&Bytes::from(out)).ok()
    }
}

// === impl Block ===

impl<'a> Block<'a> {
    /// The blocks of a message whose format is `format`, in their order, pieces joined. Blocks of
    /// other formats are passed by: their maker alone can read them.
    pub(crate) fn all(message: Json<'a>, format: &str) -> Vec<Self> {
        Self::any_of(message, &[format])
    }

    /// The same for several formats.
    pub(crate) fn any_of(message: Json<'a>, formats: &[&str]) -> Vec<Self> {
        let details = message.get("reasoning_details");
        let mut blocks: Vec<Self> = Vec::new();
        let ours = |detail: &Json<'a>| {
            let found = detail.get("format");
            found.is_some_and(|found| formats.iter().any(|format| found.is(format)))
        };
        for detail in details.into_iter().flat_map(Json::elements).filter(ours) {
            let Some(block) = Self::of(detail) else {
                continue;
            };
            match blocks.last_mut() {
                Some(last) if last.continued_by(&block) => last.join(&block),
                _ => blocks.push(block),
            }
        }
        blocks
    }

    fn of(detail: Json<'a>) -> Option<Self> {
        let kind = detail.get("type")?;
        let thought = Thought::ALL
            .into_iter()
            .find(|thought| kind.is(thought.words().0))?;
        let string = |key: &str| detail.get(key).filter(|text| text.kind() == Kind::String);
        let text = string(thought.words().1).and_then(Json::escaped);
        Some(Self {
            thought,
            text: Cow::Borrowed(text.unwrap_or_default()),
            signature: string("signature"),
            id: string("id"),
            format: string("format"),
            detail,
            index: detail.get("index").and_then(Json::u64),
            offset: detail
                .get("offset")
                .and_then(Json::u64)
                .and_then(|offset| usize::try_from(offset).ok())
                .unwrap_or_default(),
        })
    }

    /// Whether `next` is a piece of the same block. Sealed blocks come in one piece.
    fn continued_by(&self, next: &Self) -> bool {
        self.thought == next.thought
            && matches!(self.thought, Thought::Text | Thought::Summary)
            && self.index.is_some()
            && self.index == next.index
            && self.id == next.id
            && self.format == next.format
    }

    fn join(&mut self, next: &Self) {
        if !next.text.is_empty() {
            self.text.to_mut().extend_from_slice(&next.text);
        }
        self.signature = next.signature.or(self.signature);
    }
}

/// Puts blocks where they stood in `text`: behind as many characters as they say, in their order. A
/// block that says nothing follows the one before; what is said of a longer text means its end.
pub(crate) fn weave<'w, 'a>(text: &'w str, blocks: &'w [Block<'a>]) -> Vec<Woven<'w, 'a>> {
    let mut woven = Vec::with_capacity(blocks.len() + 1);
    let (mut rest, mut at) = (text, 0);
    for block in blocks {
        let ahead = block.offset.saturating_sub(at);
        if ahead > 0 && !rest.is_empty() {
            let cut = rest.char_indices().nth(ahead).map(|(cut, _)| cut);
            let (words, behind) = rest.split_at(cut.unwrap_or(rest.len()));
            woven.push(Woven::Words(words));
            (rest, at) = (behind, block.offset);
        }
        woven.push(Woven::Block(block));
    }
    if !rest.is_empty() {
        woven.push(Woven::Words(rest));
    }
    woven
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_back_as_blocks() {
        let text = JsonText::of;
        let piece = |thought, said: &JsonText, index| {
            let piece = Piece {
                thought,
                text: Some(said),
                signature: None,
                id: None,
                format: "acme-v1",
                index,
                offset: 0,
            };
            piece.details().unwrap()
        };
        let pieces = [
            piece(Thought::Summary, &text("a\n"), 0),
            piece(Thought::Summary, &text("\"b\""), 0),
            piece(Thought::Summary, &text("c"), 1),
            piece(Thought::Encrypted, &text("X="), 2),
        ];
        let list: Vec<String> = pieces
            .iter()
            .flat_map(|piece| piece.json().elements().map(|one| one.text().into_owned()))
            .collect();
        let message = format!(
            r#"{{"reasoning_details":[{},{{"type":"reasoning.text","text":"no","format":"other"}}]}}"#,
            list.join(",")
        );
        let blocks = Block::all(Json::parse(message.as_bytes()).unwrap(), "acme-v1");
        let found: Vec<(Thought, &[u8])> = blocks
            .iter()
            .map(|block| (block.thought, &*block.text))
            .collect();
        assert_eq!(
            found,
            [
                (Thought::Summary, br#"a\n\"b\""#.as_slice()),
                (Thought::Summary, b"c"),
                (Thought::Encrypted, b"X="),
            ]
        );
    }

    #[test]
    fn blocks_go_back_to_where_they_stood() {
        let message = br#"{"reasoning_details":[
            {"type":"reasoning.text","text":"a","signature":"s","format":"a","index":0},
            {"type":"reasoning.server_tool_call","arguments":"{}","format":"a","index":1,"offset":2},
            {"type":"reasoning.text","text":"b","signature":"s","format":"a","index":2},
            {"type":"reasoning.text","text":"c","signature":"s","format":"a","index":3,"offset":99}]}"#;
        let blocks = Block::all(Json::parse(message).unwrap(), "a");
        let shown = |text: &str| -> Vec<String> {
            let woven = weave(text, &blocks);
            let show = |one: &Woven<'_, '_>| match one {
                Woven::Words(words) => (*words).to_owned(),
                Woven::Block(block) => format!("[{}]", String::from_utf8_lossy(&block.text)),
            };
            woven.iter().map(show).collect()
        };
        assert_eq!(shown("日本go"), ["[a]", "日本", "[{}]", "[b]", "go", "[c]"]);
        assert_eq!(shown(""), ["[a]", "[{}]", "[b]", "[c]"]);
        assert_eq!(shown("x"), ["[a]", "x", "[{}]", "[b]", "[c]"]);
    }

    #[test]
    fn a_seal_that_comes_apart_belongs_to_its_text() {
        let message = br#"{"reasoning_details":[
            {"type":"reasoning.text","text":"hm","format":"a","index":0},
            {"type":"reasoning.text","signature":"s1","format":"a","index":0},
            {"type":"reasoning.text","signature":"s2","format":"a","index":1}]}"#;
        let blocks = Block::all(Json::parse(message).unwrap(), "a");
        let seals: Vec<_> = blocks
            .iter()
            .filter_map(|block| block.signature?.string())
            .collect();
        assert_eq!(seals, ["s1", "s2"]);
        assert_eq!(&*blocks[0].text, b"hm");
    }
}
