//! Citations beside the answer: `search_results`, `web_search` (Z.ai) or `citations` at the top of
//! chunks, as Perplexity and xAI send them, or the results of searches that the host ran itself
//! (Groq's `executed_tools`). They become `url_citation` annotations, once, when the reply is complete.
//! Source: API contract, section 7.

use bytes::Bytes;
use waystation_core::{Json, Kind, RawJson};

use super::field::{Chunk, first};
use crate::citation::{Citation, annotations};

/// The latest lists that were seen. Hosts repeat them in every chunk, and they may grow; a list of
/// results tells more than a list of addresses and wins.
#[derive(Debug, Default)]
pub(super) struct Citations {
    results: Option<RawJson>,
    addresses: Option<RawJson>,
}

// === impl Citations ===

impl Citations {
    /// Takes the lists of one chunk; later ones replace earlier ones.
    pub(super) fn take(&mut self, chunk: &Chunk<'_>, data: &Bytes) {
        let list = |list: Option<Json<'_>>| first(list).and(list).map(|list| list.raw(data));
        let results = list(chunk.search_results).or_else(|| list(chunk.web_search));
        self.results = results.or_else(|| self.results.take());
        self.addresses = list(chunk.citations).or_else(|| self.addresses.take());
    }

    /// The annotations that they make; indices are 0, since hosts do not say where they belong.
    pub(super) fn annotations(&mut self) -> Option<RawJson> {
        let list = self.results.take().or_else(|| self.addresses.take())?;
        of_list(&list)
    }
}

/// The annotations that a list of results makes.
pub(super) fn of_list(list: &RawJson) -> Option<RawJson> {
    annotations(list.json().elements().filter_map(citation))
}

/// One citation: an address, or an entry with an address and perhaps title and excerpt.
fn citation(entry: Json<'_>) -> Option<Citation<'_>> {
    let text = |key: &str| entry.get(key).filter(|text| text.kind() == Kind::String);
    let address = match entry.kind() {
        Kind::String => entry,
        _ => text("url").or_else(|| text("link"))?,
    };
    Some(Citation {
        url: address.bytes(),
        title: text("title").map(Json::bytes),
        content: text("snippet").or_else(|| text("content")).map(Json::bytes),
        range: (0, 0),
    })
}
