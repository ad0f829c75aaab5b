//! `url_citation` annotations, as every dialect gives them out. Source: API contract, section 7.1.

use bytes::Bytes;
use waystation_core::{JsonText, RawJson};

use crate::array::ArrayWriter;

/// One source that the answer cites. Texts stand in their quotes, as the upstream wrote them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Citation<'a> {
    /// Where it is.
    pub(crate) url: &'a [u8],
    /// What it is called; empty when nobody says.
    pub(crate) title: Option<&'a [u8]>,
    /// What it says.
    pub(crate) content: Option<&'a [u8]>,
    /// Which characters of the content cite it; 0 and 0 when nobody says.
    pub(crate) range: (u64, u64),
}

/// How many characters a text has: what the positions of citations count.
pub(crate) fn characters(text: &JsonText) -> u64 {
    let escaped = text.escaped();
    let count = if memchr::memchr(b'\\', escaped).is_none() {
        if escaped.is_ascii() {
            return u64::try_from(escaped.len()).unwrap_or(u64::MAX);
        }
        escaped.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
    } else {
        text.decode().chars().count()
    };
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The citations as annotations; `None` when there are none.
pub(crate) fn annotations<'a>(
    citations: impl IntoIterator<Item = Citation<'a>>,
) -> Option<RawJson> {
    let mut out = Vec::new();
    let mut list = ArrayWriter::open(&mut out);
    for citation in citations {
        let mut object = list.object();
        object.string("type", "url_citation");
        let mut inner = object.object("url_citation");
        inner.raw("url", citation.url);
        inner.raw("title", citation.title.unwrap_or(b"\"\""));
        if let Some(content) = citation.content {
            inner.raw("content", content);
        }
        inner
            .number("start_index", citation.range.0)
            .number("end_index", citation.range.1);
        inner.close();
        object.close();
    }
    let none = list.is_empty();
    list.close();
    RawJson::parse(&Bytes::from(out)).ok().filter(|_| !none)
}
