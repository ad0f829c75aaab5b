//! Strings that a schema allows and a person would find sensible.
//!
//! A known `format` decides first, then a `pattern` that is understood, then the property's name, with
//! what the prompt has for it: a place, a quotation, a name, the whole text. The result is cut or padded
//! with dots to `minLength` and `maxLength`, which count characters, not bytes. Elements of one array
//! differ by a number at the end, for the sake of `uniqueItems`.
//!
//! Examples come from what is set aside for them: `example.com` (RFC 2606), `192.0.2.0/24` (RFC 5737),
//! `2001:db8::/32` (RFC 3849).

use super::{Spot, facets::Facets, pattern};
use crate::prompt::Prompt;

/// A string for the property `at.name`.
pub(super) fn make(facets: &Facets<'_>, at: Spot<'_>, prompt: &Prompt<'_>) -> String {
    let format = facets.get("format").and_then(|format| format.string());
    if let Some(text) = format.and_then(|format| formatted(&format, at.nth)) {
        return text;
    }
    let pattern = facets.get("pattern").and_then(|pattern| pattern.string());
    let least = facets.largest_whole("minLength").unwrap_or(0);
    let most = facets.smallest_whole("maxLength").unwrap_or(u64::MAX);
    if let Some(text) = pattern.and_then(|pattern| pattern::sample(&pattern, least)) {
        return text;
    }
    let mut text = by_name(at, prompt);
    // Elements of one array differ.
    if at.nth > 0 && prompt.name(at.nth).is_none_or(|name| name != text) {
        text.push_str(&format!(" {}", at.nth + 1));
    }
    fit(text, least, most)
}

/// An example of a format; those of elements differ. Source: JSON Schema 2020-12 Validation, 7.3.
fn formatted(format: &str, nth: usize) -> Option<String> {
    let day = nth % 28 + 1;
    let small = nth % 250 + 1;
    Some(match format {
        "date-time" => format!("2026-01-{day:02}T12:00:00Z"),
        "date" => format!("2026-01-{day:02}"),
        "time" => format!("12:00:{:02}Z", nth % 60),
        "duration" => format!("P{}D", nth + 1),
        "email" | "idn-email" if nth == 0 => "ada@example.com".into(),
        "email" | "idn-email" => format!("ada{nth}@example.com"),
        "hostname" | "idn-hostname" if nth == 0 => "example.com".into(),
        "hostname" | "idn-hostname" => format!("host{nth}.example.com"),
        "ipv4" => format!("192.0.2.{small}"),
        "ipv6" => format!("2001:db8::{small:x}"),
        "uri" | "iri" | "url" if nth == 0 => "https://example.com/".into(),
        "uri" | "iri" | "url" | "uri-reference" | "iri-reference" => {
            format!("https://example.com/{nth}")
        }
        "uuid" => format!("123e4567-e89b-42d3-a456-{nth:012x}"),
        "json-pointer" => format!("/{nth}"),
        "regex" => "a+".into(),
        _ => return None,
    })
}

/// Words that names of properties hold, and what such a property gets.
const NAMED: &[(&[&str], &str)] = &[
    (&["url", "uri", "link", "href"], "https://example.com/"),
    (&["email", "mail"], "ada@example.com"),
    (&["date", "day"], "2026-01-01"),
    (&["time"], "12:00"),
    (&["currency"], "USD"),
    (&["language", "locale", "lang"], "en"),
    (&["timezone"], "UTC"),
];
/// Words in names of properties that are places.
const PLACES: &[&str] = &[
    "city",
    "location",
    "place",
    "country",
    "address",
    "destination",
    "origin",
    "region",
];
/// Words in names of properties that are names of somebody or something.
const PERSONS: &[&str] = &["name", "person", "author", "recipient", "customer"];
/// Words in names of properties that the whole prompt suits.
const WHOLE: &[&str] = &[
    "query", "question", "prompt", "text", "input", "message", "search", "content", "request",
];

/// What the property's name suggests, taken from the prompt where it can be.
fn by_name(at: Spot<'_>, prompt: &Prompt<'_>) -> String {
    let name = at.name.to_lowercase();
    let about = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let named = |fallback: &str| prompt.name(at.nth).unwrap_or_else(|| fallback.into());
    if about(PLACES) {
        return prompt.place(at.nth).unwrap_or_else(|| "Paris".into());
    }
    if let Some((_, text)) = NAMED.iter().find(|(words, _)| about(words)) {
        return (*text).into();
    }
    if let Some(quoted) = prompt.quoted() {
        return quoted.into();
    }
    if about(PERSONS) {
        return named("Ada");
    }
    let whole = prompt.text().trim();
    if about(WHOLE) && !whole.is_empty() {
        return whole.chars().take(200).collect();
    }
    match at.name {
        "" => "simulated".into(),
        name => format!("simulated {name}"),
    }
}

/// The text, brought to the wanted length in characters.
fn fit(text: String, least: u64, most: u64) -> String {
    /// No schema needs more to be tried out.
    const LONGEST: u64 = 100_000;
    let count = |text: &str| u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    let length = count(&text);
    if length > most {
        return text
            .chars()
            .take(usize::try_from(most).unwrap_or(0))
            .collect();
    }
    let least = least.min(LONGEST);
    if length < least {
        let missing = usize::try_from(least - length).unwrap_or(0);
        let filler = ".".repeat(missing);
        return text + &filler;
    }
    text
}
