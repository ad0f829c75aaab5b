//! Where an answer has its facts from: grounding and citation metadata as `url_citation`
//! annotations. The wire counts bytes of a part, the contract characters of the content; one is
//! turned into the other where the text is known, and is 0 where it is not. Characters are Unicode
//! scalar values.
//!
//! The wire names its sources once (`groundingChunks`) and says for parts of the answer which of them
//! stand behind it (`groundingSupports`); an annotation is one such pair. Its excerpt is the source's
//! own text where there is one, else the words of the answer. Addresses of web sources are redirects
//! of the host's and stay what they are: resolving them would be a request that nobody asked for.
//!
//! Source: API contract, section 7.1; <https://ai.google.dev/gemini-api/docs/google-search> (2026-08-22).

use waystation_core::{Json, Kind, RawJson};

use crate::citation::{self, Citation};

/// The annotations that a candidate's metadata make over its visible `text`; empty when the text
/// was not kept.
pub(super) fn annotations(
    grounding: Option<&RawJson>,
    citations: Option<&RawJson>,
    text: &str,
) -> Option<RawJson> {
    let mut found = Vec::new();
    if let Some(grounding) = grounding {
        of_grounding(grounding.json(), text, &mut found);
    }
    let sources = citations.map(RawJson::json).and_then(|found| {
        let sources = found.get("citationSources");
        sources.or_else(|| found.get("citations"))
    });
    for source in sources.into_iter().flat_map(Json::elements) {
        if let Some(url) = string(source, "uri") {
            found.push(Citation {
                url,
                title: string(source, "title"),
                content: None,
                range: place(source, None, text),
            });
        }
    }
    citation::annotations(found)
}

/// How many searches the metadata tell of: the queries that the host made up for the prompt. `None`
/// when it does not list any.
pub(super) fn searches(grounding: Json<'_>) -> Option<u64> {
    let queries = grounding.get("webSearchQueries")?.elements().count();
    u64::try_from(queries).ok()
}

/// What a grounding chunk refers to: a page, a place on a map, or a document of a store, which may
/// have no address but the store's name.
fn source(chunk: Json<'_>) -> Option<Citation<'_>> {
    let mut kinds = ["web", "retrievedContext", "maps"].into_iter();
    let holder = kinds.find_map(|kind| chunk.get(kind))?;
    Some(Citation {
        url: string(holder, "uri").or_else(|| string(holder, "fileSearchStore"))?,
        title: string(holder, "title"),
        content: string(holder, "text"),
        range: (0, 0),
    })
}

/// One annotation for each part of the answer and each source behind it; then the sources that no
/// part names.
fn of_grounding<'a>(grounding: Json<'a>, text: &str, out: &mut Vec<Citation<'a>>) {
    let list = |key: &str| grounding.get(key).into_iter().flat_map(Json::elements);
    let sources: Vec<Option<Citation<'a>>> = list("groundingChunks").map(source).collect();
    let mut named = vec![false; sources.len()];
    for support in list("groundingSupports") {
        let Some(segment) = support.get("segment") else {
            continue;
        };
        let said = segment.get("text");
        let range = place(segment, said, text);
        let said = string(segment, "text");
        let indices = support.get("groundingChunkIndices").into_iter();
        for index in indices.flat_map(Json::elements).filter_map(Json::u64) {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            let Some(Some(source)) = sources.get(index) else {
                continue;
            };
            if let Some(named) = named.get_mut(index) {
                *named = true;
            }
            let content = source.content.or(said);
            out.push(Citation {
                content,
                range,
                ..*source
            });
        }
    }
    let unnamed = sources.into_iter().zip(named).filter(|(_, named)| !named);
    out.extend(unnamed.filter_map(|(source, _)| source));
}

/// Where a segment stands, in characters of `text`: at the bytes that it names when these say what
/// it says, else where its words are found, else nowhere, which is 0 to 0.
fn place(segment: Json<'_>, said: Option<Json<'_>>, text: &str) -> (u64, u64) {
    let bytes = |key: &str| {
        let count = segment.get(key).and_then(Json::u64).unwrap_or_default();
        usize::try_from(count).unwrap_or(usize::MAX)
    };
    let (start, end) = (bytes("startIndex"), bytes("endIndex"));
    let words = said.and_then(Json::string);
    let there = text
        .get(start..end)
        .is_some_and(|found| words.as_ref().is_none_or(|words| **words == *found));
    let span = if there {
        Some((start, end))
    } else {
        let words = words.filter(|words| !words.is_empty());
        words.and_then(|words| text.find(&*words).map(|at| (at, at + words.len())))
    };
    let Some((start, end)) = span else {
        return (0, 0);
    };
    let characters = |end: usize| {
        let before = text.get(..end).unwrap_or_default();
        u64::try_from(before.chars().count()).unwrap_or(u64::MAX)
    };
    (characters(start), characters(end))
}

/// A member that is a string, in its quotes.
fn string<'a>(holder: Json<'a>, key: &str) -> Option<&'a [u8]> {
    let value = holder.get(key).filter(|value| value.kind() == Kind::String);
    value.map(Json::bytes)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn raw(text: &str) -> RawJson {
        RawJson::parse(&Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    fn shown(found: Option<&RawJson>) -> Vec<(String, u64, u64)> {
        let citation = |entry: Json<'_>| {
            let citation = entry.get("url_citation").unwrap();
            let index = |key: &str| citation.get(key).unwrap().u64().unwrap();
            let url = citation.get("url").unwrap().string().unwrap().into_owned();
            (url, index("start_index"), index("end_index"))
        };
        found.unwrap().json().elements().map(citation).collect()
    }

    #[test]
    fn bytes_become_characters() {
        let grounding = raw(
            r#"{"groundingChunks":[{"web":{"uri":"u0","title":"a.b"}},{"web":{"uri":"u1"}},{"maps":{}},{"retrievedContext":{"fileSearchStore":"stores/x","text":"t"}}],
            "groundingSupports":[{"segment":{"startIndex":6,"endIndex":12,"text":"東京"},"groundingChunkIndices":[1,3,9]},
            {"segment":{"startIndex":1,"endIndex":2,"text":"é"},"groundingChunkIndices":[1]}]}"#,
        );
        let found = annotations(Some(&grounding), None, "日本東京é");
        let expected = [("u1", 2, 4), ("stores/x", 2, 4), ("u1", 4, 5), ("u0", 0, 0)];
        assert_eq!(
            shown(found.as_ref()),
            expected.map(|(url, start, end)| (url.to_owned(), start, end))
        );
        let unknown = annotations(Some(&grounding), None, "");
        assert!(
            shown(unknown.as_ref())
                .iter()
                .all(|(_, start, end)| (*start, *end) == (0, 0))
        );
    }

    #[test]
    fn sources_of_recited_text_are_named() {
        let citations = raw(
            r#"{"citationSources":[{"startIndex":1,"endIndex":3,"uri":"https://a.b"},{"license":"mit"}]}"#,
        );
        let found = annotations(None, Some(&citations), "abcd");
        assert_eq!(shown(found.as_ref()), [("https://a.b".to_owned(), 1, 3)]);
        assert_eq!(annotations(None, None, "abcd"), None);
    }
}
