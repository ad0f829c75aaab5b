//! A search of the web that a simulated host runs itself: what was looked for, what was found, and
//! which words of the answer cite it. How a wire tells of it is each wire's own, and so is how it is
//! asked for; nothing is searched, and every source says so.
//!
//! The query is the start of the prompt; the two sources stand on names that nobody can own
//! (<https://www.rfc-editor.org/rfc/rfc2606>, section 3). Each has a sentence in the words of the
//! answer. A citation is where that sentence stands in what is left of the words: one that a stop
//! text or the limit broke off cites nothing, so that positions are sound whatever was cut.
//!
//! A search runs where the person spoke last and no tool is called or forbidden. JSON of a schema
//! has no room for the sentences: there the search ran, and nothing cites it.

use std::ops::Range;

use waystation_core::ObjectWriter;

use crate::{
    asked::{Asked, Choice, Last},
    mind::excerpt,
    prompt::telling,
};

/// A search that was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Search {
    /// What was looked for.
    pub(crate) query: String,
    /// What was found.
    pub(crate) sources: [Source; 2],
}

/// One page that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// The name of its host.
    pub(crate) host: &'static str,
    /// Its address.
    pub(crate) url: String,
    /// What it is called.
    pub(crate) title: String,
    /// What it says.
    pub(crate) excerpt: String,
    /// The words of the answer that cite it.
    sentence: String,
}

/// Words of an answer that cite a source.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cited<'a> {
    /// The source.
    pub(crate) source: &'a Source,
    /// Its place among the sources.
    pub(crate) nth: u64,
    /// Which bytes of the text they are.
    pub(crate) bytes: Range<usize>,
    /// Which characters of the text they are: Unicode scalar values.
    pub(crate) characters: Range<u64>,
}

// === impl Search ===

impl Search {
    /// The search that comes with the answer to `asked`, if one is to run.
    pub(crate) fn of(asked: &Asked<'_>) -> Option<Self> {
        let forbidden = asked.choice == Choice::None || asked.last != Last::Person;
        if !asked.search || forbidden || asked.prompt.trim().is_empty() {
            return None;
        }
        let query = excerpt(&asked.prompt);
        let words = telling(&query).into_iter().filter(|word| word.is_ascii());
        let mut slug = words.take(6).collect::<Vec<_>>().join("-");
        if slug.is_empty() {
            slug.push_str("simulated");
        }
        let source = |host: &'static str, place: &str| Source {
            host,
            url: format!("https://{host}/{slug}"),
            title: format!("A simulated page of {host}"),
            excerpt: format!("No page was read: {host} stands for a source."),
            sentence: format!("{host} is the {place} source of a simulated search."),
        };
        let sources = [
            source("example.com", "first"),
            source("example.org", "second"),
        ];
        Some(Self { query, sources })
    }

    /// The sentences that cite the sources, each with a space behind it.
    pub(crate) fn sentences(&self) -> String {
        let sentences = self.sources.iter().map(|source| &*source.sentence);
        sentences.flat_map(|sentence| [sentence, " "]).collect()
    }

    /// Where `text` cites a source, in the order of the text. The last place counts: before it, the
    /// prompt is quoted, which may hold the sentence too.
    pub(crate) fn cited(&self, text: &str) -> Vec<Cited<'_>> {
        let characters = |end: usize| {
            let before = text.get(..end).unwrap_or_default();
            u64::try_from(before.chars().count()).unwrap_or(u64::MAX)
        };
        let sources = (0..).zip(&self.sources);
        let mut cited: Vec<_> = sources
            .filter_map(|(nth, source)| {
                let start = text.rfind(&*source.sentence)?;
                let end = start + source.sentence.len();
                Some(Cited {
                    source,
                    nth,
                    bytes: start..end,
                    characters: characters(start)..characters(end),
                })
            })
            .collect();
        cited.sort_by_key(|cited| cited.bytes.start);
        cited
    }

    /// Cuts `text` for wires whose citations are of whole blocks: each run of words, and the source
    /// that it cites. The runs together are the text.
    pub(crate) fn runs<'a>(&'a self, text: &'a str) -> Vec<(&'a str, Option<&'a Source>)> {
        let (mut runs, mut at) = (Vec::new(), 0);
        let slice = |range: Range<usize>| text.get(range).unwrap_or_default();
        for Cited { source, bytes, .. } in self.cited(text) {
            runs.push((slice(at..bytes.start), None));
            at = bytes.end;
            runs.push((slice(bytes), Some(source)));
        }
        runs.push((slice(at..text.len()), None));
        runs.retain(|(run, source)| source.is_some() || !run.is_empty());
        runs
    }
}

// === impl Source ===

impl Source {
    /// Writes it as an entry of a list, its address and what it says under the host's names for them.
    pub(crate) fn write(&self, address: &str, says: &str, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::open(out);
        object
            .string("title", &self.title)
            .string(address, &self.url)
            .string(says, &self.excerpt);
        object.close();
    }
}

// === impl Cited ===

impl Cited<'_> {
    /// Writes the members that OpenAI's wires have for a citation, beside its type.
    pub(crate) fn write(&self, object: &mut ObjectWriter<'_>) {
        object
            .number("start_index", self.characters.start)
            .number("end_index", self.characters.end)
            .string("title", &self.source.title)
            .string("url", &self.source.url);
    }
}

#[cfg(test)]
mod tests;
