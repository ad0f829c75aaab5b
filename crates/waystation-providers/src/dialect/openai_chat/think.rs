//! Reasoning between `<think>` tags at the start of the content, told apart from the answer while
//! both stream. Only pieces in which a tag may stand are unescaped; all others pass as they came.
//!
//! Only tags at the very start count: a model that writes about tags in its answer is left alone.
//! White space before the first and behind the second tag goes. A tag may be cut anywhere, so that
//! what may become one is held back until it is clear; a stream that ends there gives it out.

use waystation_core::JsonText;

/// Where in the content the stream is.
#[derive(Debug, Default)]
pub(super) struct Think {
    place: Place,
    /// The beginning of what may become a tag, and the white space before it.
    held: String,
}

/// Where in the content a piece stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Nothing but white space has come.
    #[default]
    Start,
    /// Between the tags.
    Inside,
    /// Behind the closing tag, before the first letter of the answer.
    Behind,
    /// In the answer.
    Answer,
}

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// A piece of content, told apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parted {
    pub(super) reasoning: Option<JsonText>,
    pub(super) content: Option<JsonText>,
}

// === impl Think ===

impl Think {
    /// Takes a piece of content.
    pub(super) fn part(&mut self, piece: JsonText) -> Parted {
        let plain = !piece
            .escaped()
            .iter()
            .any(|byte| matches!(byte, b'<' | b'\\'));
        match self.place {
            Place::Answer => Parted::content(piece),
            Place::Inside if plain && self.held.is_empty() => Parted::reasoning(piece),
            _ => self.parted(&piece.decode()),
        }
    }

    /// The content is complete: what was held back was no tag.
    pub(super) fn close(&mut self) -> Parted {
        let rest = std::mem::take(&mut self.held);
        match self.place {
            Place::Inside => Parted::of(&rest, ""),
            Place::Start | Place::Behind | Place::Answer => Parted::of("", &rest),
        }
    }

    /// The slow way: unescaped, with what was held back before.
    fn parted(&mut self, piece: &str) -> Parted {
        let mut text = std::mem::take(&mut self.held);
        text.push_str(piece);
        let (mut reasoning, mut content) = (String::new(), String::new());
        let mut rest = text.as_str();
        if self.place == Place::Start {
            let start = rest.trim_start();
            if let Some(inside) = start.strip_prefix(OPEN) {
                (self.place, rest) = (Place::Inside, inside);
            } else if OPEN.starts_with(start) {
                self.held = text;
                return Parted::default();
            } else {
                self.place = Place::Answer;
            }
        }
        if self.place == Place::Inside {
            if let Some((inside, behind)) = rest.split_once(CLOSE) {
                reasoning.push_str(inside);
                (self.place, rest) = (Place::Behind, behind);
            } else {
                let (sure, tag) = rest.split_at(rest.len() - begun(rest));
                self.held = tag.into();
                return Parted::of(sure, "");
            }
        }
        if self.place == Place::Behind {
            rest = rest.trim_start();
            if !rest.is_empty() {
                self.place = Place::Answer;
            }
        }
        content.push_str(rest);
        Parted::of(&reasoning, &content)
    }
}

/// How many bytes at the end of `text` may be the beginning of a closing tag.
fn begun(text: &str) -> usize {
    (1..CLOSE.len())
        .rev()
        .find(|length| {
            CLOSE
                .get(..*length)
                .is_some_and(|start| text.ends_with(start))
        })
        .unwrap_or_default()
}

// === impl Parted ===

impl Parted {
    fn of(reasoning: &str, content: &str) -> Self {
        let text = |text: &str| (!text.is_empty()).then(|| JsonText::of(text));
        Self {
            reasoning: text(reasoning),
            content: text(content),
        }
    }

    const fn content(piece: JsonText) -> Self {
        Self {
            reasoning: None,
            content: Some(piece),
        }
    }

    const fn reasoning(piece: JsonText) -> Self {
        Self {
            reasoning: Some(piece),
            content: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parted(text: &str, size: usize) -> (String, String) {
        let mut think = Think::default();
        let characters: Vec<char> = text.chars().collect();
        let (mut reasoning, mut content) = (String::new(), String::new());
        let pieces = characters
            .chunks(size)
            .map(|piece| piece.iter().collect::<String>());
        let mut parts: Vec<Parted> = pieces
            .map(|piece| think.part(JsonText::of(&piece)))
            .collect();
        parts.push(think.close());
        for part in parts {
            reasoning.extend(part.reasoning.map(|text| text.decode().into_owned()));
            content.extend(part.content.map(|text| text.decode().into_owned()));
        }
        (reasoning, content)
    }

    #[test]
    fn tags_are_found_however_they_are_cut() {
        for (text, reasoning, content) in [
            (
                "<think>a < b\n</think>\n\nso \"yes\"",
                "a < b\n",
                "so \"yes\"",
            ),
            ("\n<think></think>x", "", "x"),
            ("no <think>tag</think>", "", "no <think>tag</think>"),
            ("<thin", "", "<thin"),
            ("<think>cut </th", "cut </th", ""),
            (
                "<think>\u{e9}\u{1F600}</think>\u{e9}",
                "\u{e9}\u{1F600}",
                "\u{e9}",
            ),
            ("", "", ""),
        ] {
            for size in 1..=text.len().max(1) {
                let found = parted(text, size);
                assert_eq!(
                    found,
                    (reasoning.into(), content.into()),
                    "{text} by {size}"
                );
            }
        }
    }
}
