//! Where in a reply JSON may stand: behind the model's thinking, in fences, among prose. It only
//! finds places; whether there is JSON is the parser's to say.

/// How many places are looked at.
///
/// A reply of nothing but braces would otherwise be read from each of them.
const MOST: usize = 16;

/// A reply without what is certainly not the answer: byte order mark, thinking, control tokens.
///
/// Thinking is cut off behind its last closing tag, and only where something that may be JSON
/// follows: a model that thinks behind its answer keeps the answer. Control tokens are cut off at
/// the end only.
pub(super) fn answer(text: &str) -> &str {
    let mut rest = text.trim_start_matches('\u{feff}').trim();
    for tag in ["think", "thinking", "reasoning", "thought"] {
        let close = format!("</{tag}>");
        if let Some((_, after)) = rest.rsplit_once(close.as_str())
            && after.contains(['{', '['])
        {
            rest = after.trim();
        }
    }
    while let Some(head) = rest.strip_suffix("|>").and_then(|head| head.rfind("<|")) {
        rest = rest.get(..head).unwrap_or_default().trim_end();
    }
    rest
}

/// The insides of code fences, in order. A fence that is not closed reaches to the end.
///
/// A fence counts as closed where three marks begin a line: a fence inside a string of the JSON
/// does not end it. At most 16 are looked at.
pub(super) fn fences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("```").filter(|_| found.len() < MOST) {
        let inside = rest.get(at..).unwrap_or_default().trim_start_matches('`');
        let word = inside
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(inside.len());
        let inside = inside.get(word..).unwrap_or_default();
        // A fence inside a string of the JSON does not begin a line.
        let close = inside.match_indices("```").find(|(at, _)| {
            let line = inside.get(..*at).unwrap_or_default();
            line.rsplit('\n')
                .next()
                .is_some_and(|head| head.trim().is_empty())
        });
        match close {
            Some((end, _)) => {
                found.push(inside.get(..end).unwrap_or_default().trim());
                rest = inside
                    .get(end..)
                    .unwrap_or_default()
                    .trim_start_matches('`');
            }
            None => {
                found.push(inside.trim());
                break;
            }
        }
    }
    found
}

/// Bytes at which an object or an array may begin, from `from` on.
///
/// Brackets in prose are found too; the parser calls those hopeless, and the search goes on one
/// byte behind them.
pub(super) fn opener(text: &str, from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    rest.find(['{', '[']).map(|at| from + at)
}

/// A reply in which every quote is escaped, or is an entity, as it was before that was done to it.
///
/// Only where the first thing behind the brackets is `\"` or `&quot;`: a text in which some quote is
/// escaped is no such reply. Entities are taken back in the order that keeps `&amp;lt;` as `&lt;`.
pub(super) fn unescaped(text: &str) -> Option<String> {
    let body = text
        .strip_prefix(['{', '['])?
        .trim_start()
        .trim_start_matches(['{', '[']);
    let body = body.trim_start();
    if body.starts_with("\\\"") {
        let mut out = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match (c, c == '\\') {
                (_, true) => match chars.next() {
                    Some('n') => out.push('\n'),
                    Some('t') => out.push('\t'),
                    Some(next) => out.push(next),
                    None => {}
                },
                (c, false) => out.push(c),
            }
        }
        return Some(out);
    }
    body.starts_with("&quot;").then(|| {
        let text = text.replace("&quot;", "\"").replace("&#39;", "'");
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&")
    })
}

/// How many places are looked at in one reply.
pub(super) const fn most() -> usize {
    MOST
}
