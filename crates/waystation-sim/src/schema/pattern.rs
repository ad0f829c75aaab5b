//! Texts that fit a simple regular expression: literals, classes, groups, alternatives and counted
//! repetition. Anything else (look-around, back references) gives nothing.
//!
//! Each repetition is made as often as it has to be, and of alternatives the first is taken, so that the
//! text is about the shortest. Where `minLength` asks for more, a second reading gives all that is
//! missing to the first repetition without an upper end.
//!
//! Source of the syntax: ECMA-262, section 22.2 (2025), as JSON Schema's `pattern` uses it.

use std::{iter::Peekable, str::Chars};

/// The shortest text that fits `pattern`, with open-ended repetitions drawn out till it has `least`
/// characters. `None` when the pattern is not understood.
pub(super) fn sample(pattern: &str, least: u64) -> Option<String> {
    let least = usize::try_from(least).ok()?.min(LONGEST);
    let text = Reader::read(pattern, 0)?;
    if text.chars().count() >= least {
        return Some(text);
    }
    // The first open-ended repetition takes up the slack.
    let missing = least - text.chars().count();
    Some(Reader::read(pattern, missing).unwrap_or(text))
}

/// The longest text made.
const LONGEST: usize = 10_000;

/// Reads a pattern from left to right and makes the text as it goes. Holds no tree: what has been
/// read is written at once, so that a long pattern costs no more than its length.
struct Reader<'p> {
    rest: Peekable<Chars<'p>>,
    /// Further repetitions that the first open-ended one is to make.
    slack: usize,
    made: usize,
}

// === impl Reader ===

impl<'p> Reader<'p> {
    /// Reads the whole pattern; a rest that belongs to nothing (`a)`) means that it was not understood.
    fn read(pattern: &'p str, slack: usize) -> Option<String> {
        let mut reader = Self {
            rest: pattern.chars().peekable(),
            slack,
            made: 0,
        };
        let text = reader.alternatives(0)?;
        reader.rest.next().is_none().then_some(text)
    }

    /// `a|b|c`: the first.
    fn alternatives(&mut self, depth: usize) -> Option<String> {
        if depth > 16 {
            return None;
        }
        let first = self.sequence(depth)?;
        while self.rest.next_if_eq(&'|').is_some() {
            let slack = std::mem::take(&mut self.slack);
            self.sequence(depth)?;
            self.slack = slack;
        }
        Some(first)
    }

    /// Atoms up to the next `|`, `)` or the end, each with its repetition. Anchors and word
    /// boundaries stand for no text.
    fn sequence(&mut self, depth: usize) -> Option<String> {
        let mut text = String::new();
        while let Some(next) = self.rest.peek().copied() {
            if matches!(next, '|' | ')') {
                break;
            }
            self.rest.next();
            let atom = match next {
                '^' | '$' => continue,
                '(' => self.group(depth)?,
                '[' => self.class()?.to_string(),
                '.' => "a".into(),
                '\\' => match self.rest.next()? {
                    'b' | 'B' => continue,
                    escaped => escape(escaped)?.to_string(),
                },
                '*' | '+' | '?' | '{' => return None,
                literal => literal.to_string(),
            };
            let times = self.times()?;
            self.made += atom.len().saturating_mul(times);
            if self.made > LONGEST {
                return None;
            }
            text.push_str(&atom.repeat(times));
        }
        Some(text)
    }

    /// `(…)`, `(?:…)` and `(?<name>…)`, after the opening parenthesis. Look-around is not understood.
    fn group(&mut self, depth: usize) -> Option<String> {
        if self.rest.next_if_eq(&'?').is_some() {
            match self.rest.next()? {
                ':' => {}
                '<' => {
                    let named = self.rest.next_if(|c| c.is_alphabetic() || *c == '_');
                    named?;
                    while self.rest.next()? != '>' {}
                }
                _ => return None,
            }
        }
        let text = self.alternatives(depth + 1)?;
        self.rest.next_if_eq(&')')?;
        Some(text)
    }

    /// `[a-z_]`: its first character; of `[^...]`, one that is not listed.
    fn class(&mut self) -> Option<char> {
        let negated = self.rest.next_if_eq(&'^').is_some();
        let mut ranges: Vec<(char, char)> = Vec::new();
        loop {
            let low = match self.rest.next()? {
                ']' => break,
                '\\' => {
                    let escaped = self.rest.next()?;
                    if matches!(escaped, 'd' | 'w' | 's') {
                        let wide = match escaped {
                            'd' => ('0', '9'),
                            'w' => ('a', 'z'),
                            _ => (' ', ' '),
                        };
                        ranges.push(wide);
                        continue;
                    }
                    escape(escaped)?
                }
                low => low,
            };
            let mut ahead = self.rest.clone();
            let ranged = ahead.next() == Some('-') && ahead.peek().is_some_and(|c| *c != ']');
            let high = if ranged {
                self.rest.next();
                match self.rest.next()? {
                    '\\' => escape(self.rest.next()?)?,
                    high => high,
                }
            } else {
                low
            };
            ranges.push((low, high));
        }
        if !negated {
            return ranges.first().map(|(low, _)| *low);
        }
        let listed = |c: &char| ranges.iter().any(|(low, high)| (low..=high).contains(&c));
        ('a'..='z')
            .chain('0'..='9')
            .chain('A'..='Z')
            .chain(['-', '_', '.', ' '])
            .find(|c| !listed(c))
    }

    /// How often the atom just read stands there.
    fn times(&mut self) -> Option<usize> {
        let (least, open) = match self.rest.peek() {
            Some('*') => (0, true),
            Some('+') => (1, true),
            Some('?') => (0, false),
            Some('{') => {
                self.rest.next();
                return self.counted();
            }
            _ => return Some(1),
        };
        self.rest.next();
        self.rest.next_if_eq(&'?');
        Some(least + self.slack_for(open, usize::MAX))
    }

    /// `{2}`, `{2,}`, `{2,5}`, after the brace.
    fn counted(&mut self) -> Option<usize> {
        let least = self.count()?;
        let most = match self.rest.next()? {
            '}' => least,
            ',' if self.rest.next_if_eq(&'}').is_some() => usize::MAX,
            ',' => {
                let most = self.count()?;
                self.rest.next_if_eq(&'}')?;
                most
            }
            _ => return None,
        };
        self.rest.next_if_eq(&'?');
        let more = self.slack_for(most > least, most.saturating_sub(least));
        Some(least + more)
    }

    /// The number at this place, at most [`LONGEST`].
    fn count(&mut self) -> Option<usize> {
        let mut digits = String::new();
        while let Some(digit) = self.rest.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        digits.parse().ok().filter(|count| *count <= LONGEST)
    }

    /// What a repetition takes of the slack: nothing when it is fixed, at most `most`.
    fn slack_for(&mut self, open: bool, most: usize) -> usize {
        let taken = if open { self.slack.min(most) } else { 0 };
        self.slack -= taken;
        taken
    }
}

/// What `\x` stands for.
fn escape(escaped: char) -> Option<char> {
    match escaped {
        'd' => Some('0'),
        'w' | 'S' | 'D' => Some('a'),
        'W' => Some('-'),
        's' => Some(' '),
        'n' => Some('\n'),
        't' => Some('\t'),
        'r' => Some('\r'),
        other if !other.is_alphanumeric() => Some(other),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::sample;

    #[test]
    fn simple_patterns_are_met() {
        for (pattern, least, text) in [
            (r"^\d{4}-\d{2}$", 0, "0000-00"),
            ("^[A-Z]{3}$", 0, "AAA"),
            ("^(red|green)+!?$", 0, "red"),
            (r"^[a-z][a-z0-9_\-]*$", 5, "aaaaa"),
            (r"^\+?[1-9]\d{1,14}$", 6, "100000"),
            ("(?:ab){2,}c", 0, "ababc"),
            (r"[^a\]]", 0, "b"),
            ("", 0, ""),
        ] {
            assert_eq!(sample(pattern, least).as_deref(), Some(text), "{pattern}");
        }
    }

    #[test]
    fn what_is_not_understood_gives_nothing() {
        for pattern in [
            "(?=a)b",
            r"(a)\1",
            "a{2",
            "[a",
            "(a",
            "a)",
            "*",
            "a{99999999}",
            r"\p{L}",
        ] {
            assert_eq!(sample(pattern, 0), None, "{pattern}");
        }
        assert_eq!(sample(&"(".repeat(50_000), 0), None);
        assert_eq!(sample("((((a{999}){999}){999}){999})", 0), None);
    }
}
