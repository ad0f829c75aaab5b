//! A small SearXNG: its search form over a set of pages that is built in. It asks nobody, and ranks by
//! words that pages share with the query.
//!
//! Source: <https://docs.searxng.org/dev/search_api.html> and its code at 9fea4120 (2026-11-22).
//!
//! | parameter | what comes of it |
//! |---|---|
//! | `q` | words; `site:host/path` and `-site:..`, several joined with `OR` |
//! | `format` | `json`; anything else is refused with 403, as an instance does that lists no other |
//! | everything else | nothing |
//!
//! There are at most ten results. A query that fits no page finds the one that says that the search is
//! simulated, unless it names other sites.

mod page;

use http::{Method, StatusCode};
use waystation_core::ObjectWriter;

use crate::{SimReply, dialect::Dialect, prompt, simulator::Arrival};
use page::{Page, pages};

/// Where the simulator searches, for those who ask it through its transport.
pub const SEARCH: &str = "http://searxng.simulated";

/// The form.
pub(crate) struct Searxng;

/// What is looked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Query {
    /// As it came.
    text: String,
    /// Telling words, in lower case.
    words: Vec<String>,
    /// Only these sites, when there is any.
    sites: Vec<String>,
    /// None of these.
    others: Vec<String>,
}

/// The most results of one page.
const MOST: usize = 10;

// === impl Searxng ===

impl Dialect for Searxng {
    fn serves(&self, path: &str) -> bool {
        path.ends_with("/search") && !path.ends_with("/web/search")
    }

    fn answer(&self, arrival: &Arrival<'_>) -> SimReply {
        let form = match *arrival.method {
            Method::GET => arrival.query.as_bytes(),
            Method::POST => arrival.raw,
            _ => return self.error(StatusCode::METHOD_NOT_ALLOWED, "GET or POST"),
        };
        let field = |name: &str| field(form, name);
        if field("format").as_deref() != Some("json") {
            return self.error(StatusCode::FORBIDDEN, "only the format json is enabled");
        }
        match field("q").filter(|text| !text.trim().is_empty()) {
            Some(text) => {
                let query = Query::of(&text);
                SimReply::json(StatusCode::OK, write(&query, &search(&query)))
            }
            None => self.error(StatusCode::BAD_REQUEST, "No query"),
        }
    }

    fn error(&self, status: StatusCode, message: &str) -> SimReply {
        let mut out = Vec::new();
        let mut object = ObjectWriter::open(&mut out);
        object.string("error", message);
        object.close();
        SimReply::json(status, out)
    }
}

// === impl Query ===

impl Query {
    fn of(text: &str) -> Self {
        let mut query = Self {
            text: text.to_owned(),
            ..Self::default()
        };
        let mut plain = String::new();
        for word in text.split_whitespace() {
            if let Some(site) = word.strip_prefix("-site:") {
                query.others.push(site.to_lowercase());
            } else if let Some(site) = word.strip_prefix("site:") {
                query.sites.push(site.to_lowercase());
            } else if word != "OR" {
                plain.push_str(word);
                plain.push(' ');
            }
        }
        query.words = prompt::telling(&plain);
        query
    }

    /// Whether a page may be found at all.
    fn allows(&self, page: &Page) -> bool {
        let on = |site: &String| {
            let (host, path) = site.split_once('/').unwrap_or((site, ""));
            let (own, below) = page.place();
            let within = own == host || own.ends_with(&format!(".{host}"));
            within && below.starts_with(path)
        };
        (self.sites.is_empty() || self.sites.iter().any(on)) && !self.others.iter().any(on)
    }

    /// How many of the words a page has; those in its title count three times.
    fn score(&self, page: &Page) -> usize {
        let count = |text: &str| {
            let words = prompt::telling(text);
            // Scripts without spaces have no words to compare.
            let has = |wanted: &&String| {
                words.contains(*wanted) || (!wanted.is_ascii() && text.contains(&***wanted))
            };
            self.words.iter().filter(has).count()
        };
        3 * count(&page.title) + count(&page.content)
    }
}

/// The pages that fit, best first, each with its score.
fn search(query: &Query) -> Vec<(usize, &'static Page)> {
    let allowed: Vec<&Page> = pages().iter().filter(|page| query.allows(page)).collect();
    let scored = allowed.iter().map(|page| (query.score(page), *page));
    let mut found: Vec<(usize, &Page)> = scored.filter(|(score, _)| *score > 0).collect();
    // Stable: equals stay in the order of the set.
    found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    if found.is_empty() {
        found.extend(allowed.first().map(|page| (0, *page)));
    }
    found.truncate(MOST);
    found
}

/// The reply, with the members that an instance has.
fn write(query: &Query, found: &[(usize, &Page)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = ObjectWriter::open(&mut out);
    object.string("query", &query.text);
    let list = object.key("results");
    list.push(b'[');
    for (place, (score, page)) in found.iter().enumerate() {
        if place > 0 {
            list.push(b',');
        }
        let mut result = ObjectWriter::open(list);
        result
            .string("url", &page.url)
            .string("title", &page.title)
            .string("content", &page.content)
            .string("engine", "simulated")
            .raw("engines", br#"["simulated"]"#)
            .number("score", u64::try_from(*score).unwrap_or(u64::MAX))
            .string("category", "general");
        match &page.published {
            Some(date) => result.string("publishedDate", date),
            None => result.null("publishedDate"),
        };
        result.close();
    }
    list.push(b']');
    for key in [
        "answers",
        "corrections",
        "infoboxes",
        "suggestions",
        "unresponsive_engines",
    ] {
        object.raw(key, b"[]");
    }
    object.close();
    out
}

/// A field of a form.
fn field(form: &[u8], name: &str) -> Option<String> {
    let pairs = form.split(|byte| *byte == b'&');
    let mut found = pairs.filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (key, value) = pair.split_at_checked(at)?;
        (key == name.as_bytes()).then(|| decode(value.get(1..).unwrap_or_default()))
    });
    found.next_back()
}

/// Reads `a+b%26c`. What is no escape stays.
fn decode(text: &[u8]) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let escape = digit(text.get(at + 1)).zip(digit(text.get(at + 2)));
        match (byte, escape) {
            (b'%', Some((high, low))) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                at += 3;
                continue;
            }
            (b'+', _) => out.push(b' '),
            (other, _) => out.push(*other),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests;
