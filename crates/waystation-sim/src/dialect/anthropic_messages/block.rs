//! The blocks of a message's content: whole, as they begin, and in pieces.
//!
//! Knows nothing of places: the index of a block is counted where the stream is written. What a block
//! says whole is what its deltas say together, which is how clients join them; `input` is an object
//! when whole and JSON text in pieces, and a call without arguments has no piece but the empty one.
//! What a search found begins whole, and has no pieces.
//! Source: <https://platform.claude.com/docs/en/build-with-claude/streaming> (2026-08).

use waystation_core::ObjectWriter;

use crate::{
    dialect::answer::{array, object},
    mind::{self, Called},
    search::Source,
};

/// One block.
pub(super) enum Block<'a> {
    /// Thinking, with its signature.
    Thinking(&'a str, String),
    /// Words.
    Text(&'a str),
    /// A search that the host runs, with its id and its query.
    Search(String, &'a str),
    /// What it found, with the search's id and what seals the pages.
    Found(String, &'a [Source], String),
    /// Words that cite a source, with what seals the place in it.
    Cited(&'a str, &'a Source, String),
    /// A call, with its id.
    ToolUse(String, &'a Called),
}

// === impl Block ===

impl Block<'_> {
    /// The block whole.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        self.filled(true, out);
    }

    /// The block as it begins: empty.
    pub(super) fn begin(&self, out: &mut Vec<u8>) {
        self.filled(false, out);
    }

    /// The block's deltas, and the bytes of text that each brings. Thinking ends with its
    /// signature; the first piece of a call's input is always empty.
    pub(super) fn deltas(&self) -> Vec<(usize, Vec<u8>)> {
        let delta = |kind: &str, key: &str, piece: &str| {
            let mut out = Vec::new();
            object(&mut out, |delta| {
                delta.string("type", kind).string(key, piece);
            });
            (piece.len(), out)
        };
        match self {
            Self::Thinking(text, signature) => {
                let pieces = mind::pieces(text);
                let pieces = pieces.map(|piece| delta("thinking_delta", "thinking", piece));
                let (_, sealed) = delta("signature_delta", "signature", signature);
                pieces.chain([(0, sealed)]).collect()
            }
            Self::Text(text) => {
                let pieces = mind::pieces(text);
                pieces
                    .map(|piece| delta("text_delta", "text", piece))
                    .collect()
            }
            Self::Search(_, query) => {
                let mut input = Vec::new();
                object(&mut input, |input| {
                    input.string("query", query);
                });
                let input = String::from_utf8(input).unwrap_or_default();
                let pieces = std::iter::once("").chain(mind::pieces(&input));
                pieces
                    .map(|piece| (0, delta("input_json_delta", "partial_json", piece).1))
                    .collect()
            }
            Self::Found(..) => Vec::new(),
            Self::Cited(text, source, seal) => {
                let mut cites = Vec::new();
                object(&mut cites, |delta| {
                    delta.string("type", "citations_delta");
                    citation(source, seal, delta.key("citation"));
                });
                let pieces = mind::pieces(text);
                let pieces = pieces.map(|piece| delta("text_delta", "text", piece));
                std::iter::once((0, cites)).chain(pieces).collect()
            }
            Self::ToolUse(_, call) => {
                let input = match &*call.arguments {
                    "{}" => "",
                    input => input,
                };
                let pieces = std::iter::once("").chain(mind::pieces(input));
                pieces
                    .map(|piece| delta("input_json_delta", "partial_json", piece))
                    .collect()
            }
        }
    }

    fn filled(&self, full: bool, out: &mut Vec<u8>) {
        let if_full = |text| if full { text } else { "" };
        object(out, |block| match self {
            Self::Thinking(text, signature) => {
                block
                    .string("type", "thinking")
                    .string("thinking", if_full(text))
                    .string("signature", if_full(signature));
            }
            Self::Text(text) => {
                block.string("type", "text").string("text", if_full(text));
            }
            Self::Search(id, query) => {
                block
                    .string("type", "server_tool_use")
                    .string("id", id)
                    .string("name", "web_search");
                let mut input = block.object("input");
                if full {
                    input.string("query", query);
                }
                input.close();
            }
            Self::Found(id, sources, seal) => {
                block
                    .string("type", "web_search_tool_result")
                    .string("tool_use_id", id);
                array(block.key("content"), *sources, |source, out| {
                    object(out, |result| page(source, seal, result));
                });
            }
            Self::Cited(text, source, seal) => {
                array(block.key("citations"), full.then_some(()), |(), out| {
                    citation(source, seal, out);
                });
                block.string("type", "text").string("text", if_full(text));
            }
            Self::ToolUse(id, call) => {
                let input = if full { &*call.arguments } else { "{}" };
                block
                    .string("type", "tool_use")
                    .string("id", id)
                    .string("name", &call.name)
                    .raw("input", input.as_bytes());
            }
        });
    }
}

/// One page that a search found.
fn page(source: &Source, seal: &str, result: &mut ObjectWriter<'_>) {
    result
        .string("type", "web_search_result")
        .string("title", &source.title)
        .string("url", &source.url)
        .string("encrypted_content", seal)
        .null("page_age");
}

/// One citation.
fn citation(source: &Source, seal: &str, out: &mut Vec<u8>) {
    object(out, |citation| {
        citation
            .string("type", "web_search_result_location")
            .string("cited_text", &source.excerpt)
            .string("url", &source.url)
            .string("title", &source.title)
            .string("encrypted_index", seal);
    });
}
