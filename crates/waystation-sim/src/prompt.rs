//! What can be picked out of a prompt: its words, names, numbers and quotations. Crude on purpose:
//! enough to call the tool that a prompt speaks of with arguments that look right.

/// A prompt, cut into words.
pub(crate) struct Prompt<'a> {
    text: &'a str,
    /// Lower case, without punctuation.
    words: Vec<String>,
}

/// Words that say nothing about what a tool is for.
const IDLE: &[&str] = &[
    "and", "any", "are", "call", "can", "current", "data", "for", "from", "function", "get",
    "given", "has", "have", "how", "into", "list", "make", "new", "not", "one", "return",
    "returns", "run", "set", "some", "that", "the", "them", "then", "there", "this", "tool", "use",
    "used", "user", "value", "what", "when", "where", "which", "will", "with", "you", "your",
];

// === impl Prompt ===

impl<'a> Prompt<'a> {
    /// Cuts `text`.
    pub(crate) fn of(text: &'a str) -> Self {
        let words = words(text).collect();
        Self { text, words }
    }

    /// The whole text.
    pub(crate) const fn text(&self) -> &'a str {
        self.text
    }

    /// Whether a word of `about` (a name or a description) stands in the prompt, idle words aside.
    /// A plural is its singular.
    pub(crate) fn speaks_of(&self, about: &str) -> bool {
        let telling = words(about).filter(|word| word.len() > 2 && !IDLE.contains(&&**word));
        let stem = |word: &str| word.strip_suffix('s').unwrap_or(word).to_owned();
        telling.map(|word| stem(&word)).any(|told| {
            let mut words = self.words.iter();
            words.any(|word| stem(word) == told)
        })
    }

    /// Whether `text` stands in the prompt, in whole words, whatever the case.
    pub(crate) fn holds(&self, text: &str) -> bool {
        let wanted: Vec<String> = words(text).collect();
        !wanted.is_empty()
            && self
                .words
                .windows(wanted.len())
                .any(|found| found == wanted)
    }

    /// The `nth` (from 0) capitalised name that does not begin a sentence: `New York`.
    pub(crate) fn name(&self, nth: usize) -> Option<String> {
        let name = self.names().into_iter().nth(nth);
        name.map(|(_, name)| name)
    }

    /// The `nth` name that is a place by the word before it (`in Oslo`), else the `nth` name.
    pub(crate) fn place(&self, nth: usize) -> Option<String> {
        const BEFORE: &[&str] = &["at", "for", "from", "in", "near", "of", "to"];
        let names = self.names().into_iter();
        let mut places = names.filter(|(before, _)| BEFORE.contains(before));
        let place = places.nth(nth).map(|(_, name)| name);
        place.or_else(|| self.name(nth))
    }

    /// Every name, and the word before it.
    fn names(&self) -> Vec<(&'a str, String)> {
        let mut names: Vec<(&str, String)> = Vec::new();
        let (mut begins, mut goes_on, mut before) = (true, false, "");
        for word in self.text.split_whitespace() {
            let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
            let capital = bare.chars().next().is_some_and(char::is_uppercase);
            if capital && !begins && bare != "I" {
                match names.last_mut().filter(|_| goes_on) {
                    Some((_, name)) => {
                        name.push(' ');
                        name.push_str(bare);
                    }
                    None => names.push((before, bare.into())),
                }
                goes_on = word.ends_with(bare);
            } else {
                goes_on = false;
            }
            begins = word.ends_with(['.', '!', '?', ':']);
            before = bare;
        }
        names
    }

    /// The first quotation.
    pub(crate) fn quoted(&self) -> Option<&'a str> {
        let (_, after) = self.text.split_once('"')?;
        let (inside, _) = after.split_once('"')?;
        (!inside.is_empty()).then_some(inside)
    }

    /// The whole numbers, in order.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = i64> {
        self.words.iter().filter_map(|word| word.parse().ok())
    }
}

/// The telling words of a text, each as its singular.
pub(crate) fn telling(text: &str) -> Vec<String> {
    let telling = words(text).filter(|word| word.chars().count() > 1 && !IDLE.contains(&&**word));
    let stem = |word: String| match word.strip_suffix('s') {
        Some(stem) if stem.len() > 2 => stem.to_owned(),
        _ => word,
    };
    telling.map(stem).collect()
}

/// The words of a text in lower case: cut at everything that is no letter or digit, and where
/// `camelCase` goes on.
fn words(text: &str) -> impl Iterator<Item = String> {
    let chunks = text.split(|c: char| !c.is_alphanumeric());
    chunks.flat_map(humps).map(str::to_lowercase)
}

/// `getWeatherNow` as `get`, `Weather`, `Now`.
fn humps(chunk: &str) -> impl Iterator<Item = &str> {
    let mut rest = chunk;
    std::iter::from_fn(move || {
        let mut small = false;
        let end = rest
            .char_indices()
            .find(|(_, character)| {
                let hump = small && character.is_uppercase();
                small = character.is_lowercase();
                hump
            })
            .map_or(rest.len(), |(at, _)| at);
        let (hump, after) = rest.split_at(end);
        rest = after;
        (!hump.is_empty()).then_some(hump)
    })
}

#[cfg(test)]
mod tests {
    use super::Prompt;

    #[test]
    fn names_numbers_and_quotations_are_found() {
        let prompt = Prompt::of("Book 2 rooms in New York, then in Oslo. Say \"hi there\" to Ada.");
        assert_eq!(prompt.name(0).as_deref(), Some("New York"));
        assert_eq!(prompt.name(1).as_deref(), Some("Oslo"));
        assert_eq!(prompt.name(2).as_deref(), Some("Ada"));
        assert_eq!(prompt.quoted(), Some("hi there"));
        assert_eq!(
            Prompt::of("I met Ada in Oslo").place(0).as_deref(),
            Some("Oslo")
        );
        assert_eq!(Prompt::of("Look up Oslo").place(0).as_deref(), Some("Oslo"));
        assert_eq!(prompt.numbers().collect::<Vec<_>>(), [2]);
        assert!(prompt.holds("new york") && !prompt.holds("york new"));
    }

    #[test]
    fn tools_are_spoken_of_by_their_telling_words() {
        let prompt = Prompt::of("What's the weather in Paris?");
        assert!(prompt.speaks_of("get_weather") && prompt.speaks_of("getWeatherNow"));
        assert!(!prompt.speaks_of("get_the_time") && !prompt.speaks_of(""));
        assert!(Prompt::of("Show my orders").speaks_of("Looks up an order"));
    }
}
