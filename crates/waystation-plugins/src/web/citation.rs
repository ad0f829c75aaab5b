//! `url_citation` annotations: where an answer cites a result, in characters. What an upstream
//! annotates itself goes by untouched.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use waystation_core::{
    ChatEvent, Delta, JsonText, ObjectWriter, OutputStage, PluginError, RawJson,
};

use super::{SearchHit, domain::identity};

/// Annotates an answer with the results that it was given.
///
/// The annotations come in one piece before a choice ends, in streams as in whole replies: one for
/// each place where a result is cited, and one without a place (0 to 0) for each that is not.
#[derive(Debug)]
pub(crate) struct Citations {
    /// The results; a tool of the gateway's may add to them until the answer ends.
    hits: Arc<Mutex<Vec<SearchHit>>>,
    /// The text of each choice so far.
    texts: BTreeMap<u32, Vec<JsonText>>,
}

/// A place in a text where a result is cited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cited {
    /// Which result.
    hit: usize,
    /// From where on, in characters.
    start: usize,
    /// Up to where, exclusive.
    end: usize,
}

/// A link in a text, in bytes.
///
/// ```text
/// See [the page](https://a.example/x "Title").
///     ^ start    ^ url               next^  ^ end
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Link<'a> {
    url: &'a str,
    start: usize,
    end: usize,
    /// Where its address ends.
    next: usize,
}

// === impl Citations ===

impl Citations {
    /// Looks for citations of `hits`.
    pub(crate) const fn of(hits: Arc<Mutex<Vec<SearchHit>>>) -> Self {
        Self {
            hits,
            texts: BTreeMap::new(),
        }
    }

    /// The annotations of a text.
    #[expect(
        clippy::disallowed_methods,
        reason = "one request's own: it runs in one task, and finds it free"
    )]
    fn annotations(&self, text: &str) -> Option<RawJson> {
        let hits = self.hits.lock().unwrap_or_else(PoisonError::into_inner);
        let cited = cited(text, &hits);
        let elsewhere = (0..hits.len()).filter(|hit| cited.iter().all(|c| c.hit != *hit));
        let unplaced = elsewhere.map(|hit| Cited {
            hit,
            start: 0,
            end: 0,
        });
        let mut out = vec![b'['];
        for Cited { hit, start, end } in cited.iter().copied().chain(unplaced) {
            let Some(hit) = hits.get(hit) else {
                continue;
            };
            if out.len() > 1 {
                out.push(b',');
            }
            let mut note = ObjectWriter::open(&mut out);
            note.string("type", "url_citation");
            let mut citation = note.object("url_citation");
            citation.string("url", &hit.url).string("title", &hit.title);
            if !hit.content.is_empty() {
                citation.string("content", &hit.content);
            }
            citation
                .number("start_index", wide(start))
                .number("end_index", wide(end));
            citation.close();
            note.close();
        }
        out.push(b']');
        (out.len() > 2)
            .then(|| RawJson::parse(&out.into()).ok())
            .flatten()
    }
}

impl OutputStage for Citations {
    fn event(&mut self, event: ChatEvent, out: &mut Vec<ChatEvent>) -> Result<(), PluginError> {
        match &event {
            ChatEvent::Delta(Delta {
                choice,
                content: Some(content),
                ..
            }) => self.texts.entry(*choice).or_default().push(content.clone()),
            ChatEvent::Finish(finish) => {
                let pieces = self.texts.remove(&finish.choice).unwrap_or_default();
                // Joined first: an upstream may cut a character into two escapes.
                let text = JsonText::join(&pieces);
                let mut delta = Delta::of(finish.choice);
                delta.annotations = self.annotations(&text.decode()).map(Box::new);
                if delta.annotations.is_some() {
                    out.push(ChatEvent::Delta(delta));
                }
            }
            _ => {}
        }
        out.push(event);
        Ok(())
    }

    fn finish(&mut self, _: &mut Vec<ChatEvent>) -> Result<(), PluginError> {
        Ok(())
    }
}

/// Where `text` cites `hits`, in order. A markdown link counts from its bracket to its parenthesis, a
/// bare address by itself.
fn cited(text: &str, hits: &[SearchHit]) -> Vec<Cited> {
    let identities: Vec<String> = hits.iter().map(|hit| identity(&hit.url)).collect();
    let mut found = Vec::new();
    let (mut bytes, mut characters) = (0, 0);
    for link in links(text) {
        let wanted = identity(link.url);
        let Some(hit) = identities.iter().position(|known| *known == wanted) else {
            continue;
        };
        let count = |from: usize, to: usize| text.get(from..to).map_or(0, |t| t.chars().count());
        characters += count(bytes, link.start);
        let length = count(link.start, link.end);
        found.push(Cited {
            hit,
            start: characters,
            end: characters + length,
        });
        (bytes, characters) = (link.end, characters + length);
    }
    found
}

/// The links of a text, in order, none within another.
fn links(text: &str) -> Vec<Link<'_>> {
    let mut links: Vec<Link<'_>> = Vec::new();
    let mut from = 0;
    while let Some(link) = next_link(text, from) {
        from = link.next;
        // A link whose name is its address: the whole takes the place of the name.
        while links.last().is_some_and(|last| last.end > link.start) {
            links.pop();
        }
        links.push(link);
    }
    links
}

/// The first link whose address begins at `from` or behind it.
fn next_link(text: &str, from: usize) -> Option<Link<'_>> {
    let mut at = from;
    loop {
        at += text.get(at..)?.find("http")?;
        let rest = text.get(at..)?;
        let scheme = ["https://", "http://"]
            .into_iter()
            .find(|scheme| rest.starts_with(scheme));
        match scheme {
            Some(scheme) if rest.len() > scheme.len() => break,
            _ => at += 4,
        }
    }
    let rest = text.get(at..)?;
    let before = text.get(..at).unwrap_or_default();
    if before.ends_with("](") || before.ends_with("](<") {
        let url = target(rest);
        let after = rest.get(url.len()..).unwrap_or_default();
        let closing = after.find(')').filter(|close| {
            // Nothing but a bracket and a title may stand between.
            let between = after
                .get(..*close)
                .unwrap_or_default()
                .trim_matches('>')
                .trim();
            between.is_empty() || between.starts_with(['"', '\''])
        });
        let opening = label(before.strip_suffix('<').unwrap_or(before));
        if let (Some(closing), Some(start)) = (closing, opening) {
            let next = at + url.len();
            let end = next + closing + 1;
            return Some(Link {
                url,
                start,
                end,
                next,
            });
        }
    }
    let url = bare(rest);
    Some(Link {
        url,
        start: at,
        end: at + url.len(),
        next: at + url.len(),
    })
}

/// The address in a markdown link: up to the parenthesis that closes it.
fn target(text: &str) -> &str {
    let mut depth = 0_u32;
    let end = text.char_indices().find(|(_, character)| match character {
        '(' => {
            depth += 1;
            false
        }
        ')' if depth > 0 => {
            depth -= 1;
            false
        }
        ')' | '>' | '"' => true,
        c => c.is_whitespace(),
    });
    text.get(..end.map_or(text.len(), |(at, _)| at))
        .unwrap_or_default()
}

/// An address that stands by itself, without the punctuation behind it.
fn bare(text: &str) -> &str {
    let ends = |c: char| {
        c.is_whitespace() || matches!(c, '<' | '>' | '"' | '`' | '|' | '\\') || !c.is_ascii()
    };
    let end = text.find(ends).unwrap_or(text.len());
    let end = text.find("](").map_or(end, |named| named.min(end));
    let mut url = text.get(..end).unwrap_or_default();
    loop {
        let open = |opening: char, closing: char| {
            url.matches(closing).count() > url.matches(opening).count()
        };
        let cut = match url.chars().last() {
            Some('.' | ',' | ';' | ':' | '!' | '?' | '\'' | '*' | '_' | '~') => true,
            Some(')') => open('(', ')'),
            Some(']') => open('[', ']'),
            Some('}') => open('{', '}'),
            _ => false,
        };
        if !cut {
            return url;
        }
        url = url.get(..url.len() - 1).unwrap_or_default();
    }
}

/// Where the name of a link begins whose `](` ends `before`. Names are short: a bracket that is far
/// away opens something else.
fn label(before: &str) -> Option<usize> {
    const LONGEST: usize = 1_000;
    let closing = before.len().checked_sub(2)?;
    let mut depth = 0_u32;
    let name = before.get(..closing)?;
    for (at, byte) in name.bytes().enumerate().rev().take(LONGEST) {
        match byte {
            b']' => depth += 1,
            b'[' if depth == 0 => return Some(at),
            b'[' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
