//! Citations beside the answer, as Perplexity and xAI send them: `search_results` or `citations` at
//! the top of every chunk. They become `url_citation` annotations, once, when the reply is complete.
//! Source: API contract, section 7.

use bytes::Bytes;
use waystation_core::{Json, Kind, ObjectWriter, RawJson};

use super::field::{Chunk, first};

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
        self.results = list(chunk.search_results).or_else(|| self.results.take());
        self.addresses = list(chunk.citations).or_else(|| self.addresses.take());
    }

    /// The annotations that they make; indices are 0, since hosts do not say where they belong.
    pub(super) fn annotations(&mut self) -> Option<RawJson> {
        let list = self.results.take().or_else(|| self.addresses.take())?;
        let mut out = Vec::new();
        for entry in list.json().elements() {
            let address = match entry.kind() {
                Kind::String => Some(entry),
                _ => entry.get("url"),
            };
            let Some(address) = address.filter(|address| address.kind() == Kind::String) else {
                continue;
            };
            out.push(if out.is_empty() { b'[' } else { b',' });
            write(address, entry, &mut out);
        }
        if out.is_empty() {
            return None;
        }
        out.push(b']');
        RawJson::parse(&Bytes::from(out)).ok()
    }
}

/// One annotation, in the form of the contract: address and title always, an excerpt if there is one.
fn write(address: Json<'_>, entry: Json<'_>, out: &mut Vec<u8>) {
    let text = |key: &str| entry.get(key).filter(|text| text.kind() == Kind::String);
    let mut object = ObjectWriter::open(out);
    object.string("type", "url_citation");
    let mut citation = object.object("url_citation");
    citation.raw("url", address.bytes());
    citation.raw("title", text("title").map_or(b"\"\"", Json::bytes));
    if let Some(snippet) = text("snippet") {
        citation.raw("content", snippet.bytes());
    }
    citation.number("start_index", 0).number("end_index", 0);
    citation.close();
    object.close();
}
