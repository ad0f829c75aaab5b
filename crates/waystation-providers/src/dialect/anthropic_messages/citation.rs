//! Citations of one text block, as annotations over the characters of that block. Those of web pages
//! and of search results have an address; those of documents that the client sent have none, and
//! the contract's form has no place for them.

use bytes::Bytes;
use waystation_core::{Json, Kind, RawJson};

use crate::citation::{Citation, annotations};

/// How many citations one block may have: above any real answer, so that memory stays bounded.
const MAX: usize = 1024;

/// The citations of one block.
#[derive(Debug, Default)]
pub(super) struct Citations(Vec<Bytes>);

// === impl Citations ===

impl Citations {
    /// Takes one, which stands in `data`.
    pub(super) fn take(&mut self, citation: Json<'_>, data: &Bytes) {
        if self.0.len() < MAX {
            self.0.push(citation.slice_of(data));
        }
    }

    /// The annotations that they make for characters `from` to `to` of the answer.
    pub(super) fn annotations(&self, from: u64, to: u64) -> Option<RawJson> {
        if self.0.is_empty() {
            return None;
        }
        let parsed: Vec<Json<'_>> = self
            .0
            .iter()
            .filter_map(|citation| Json::parse(citation).ok())
            .collect();
        annotations(parsed.iter().filter_map(|citation| {
            let text = |key: &str| {
                let text = citation.get(key).filter(|text| text.kind() == Kind::String);
                text.map(Json::bytes)
            };
            Some(Citation {
                url: text("url").or_else(|| text("source"))?,
                title: text("title"),
                content: text("cited_text"),
                range: (from, to),
            })
        }))
    }
}
