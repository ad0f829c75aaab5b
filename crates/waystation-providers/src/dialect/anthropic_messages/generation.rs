//! What a Claude model takes by its generation: which way to think, which effort, which sampling.
//! Catalogue rows say which parameters there are, not which values and combinations are refused;
//! that is the same wherever the model is hosted, and it goes by the version in its name.
//!
//! | version | thinking | effort | sampling | a tool can be forced |
//! |---|---|---|---|---|
//! | below 4.6 | a budget | Opus 4.5 alone | yes; from 4.1 not both temperature and top_p | yes |
//! | 4.6 | adaptive; a budget too | low to max | yes, as before | yes |
//! | 4.7, 4.8 | adaptive, its text on demand | low to max, xhigh | none | yes |
//! | 5 | the same, and on unless switched off | the same | none | yes |
//! | from 5.5 | the same, always on | the same | none | no |
//!
//! Source: <https://platform.claude.com/docs/en/build-with-claude/thinking> and `effort`, and the
//! pages of each model (2026-10). Other models are taken to be like those below 4.6.

use waystation_core::{Effort, Endpoint};

/// The generation of one model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialect) struct Generation {
    /// Major and minor version; `None` for models that are not Claude.
    version: Option<(u64, u64)>,
    /// It is Opus 4.5.
    opus: bool,
}

// === impl Generation ===

impl Generation {
    /// The generation by the model's id, else by what the host calls it.
    pub(in crate::dialect) fn of(endpoint: &Endpoint) -> Self {
        let known = Self::named(endpoint.model.as_str());
        if known.version.is_some() {
            return known;
        }
        Self::named(&endpoint.upstream_model)
    }

    /// Reads `claude-opus-4.5`, `claude-3-7-sonnet@20250219`, `us.anthropic.claude-sonnet-5`. A
    /// Claude without a version, `claude-sonnet-latest`, is of the newest that thinks when asked.
    fn named(name: &str) -> Self {
        const CLAUDE: &[u8] = b"claude";
        let found = (name.as_bytes().iter().enumerate())
            .filter(|(_, letter)| matches!(letter, b'c' | b'C'))
            .filter_map(|(at, _)| name.as_bytes().get(at..)?.split_at_checked(CLAUDE.len()))
            .find(|(word, _)| word.eq_ignore_ascii_case(CLAUDE));
        let Some((_, name)) = found else {
            return Self {
                version: None,
                opus: false,
            };
        };
        let words = || name.split(|byte| !byte.is_ascii_alphanumeric());
        let mut numbers = words()
            .skip_while(|word| !is_version(word))
            .take_while(|word| is_version(word))
            .map(|word| {
                word.iter()
                    .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
            });
        let version = match (numbers.next(), numbers.next()) {
            (Some(major), minor) => (major, minor.unwrap_or(0)),
            (None, _) => (5, 0),
        };
        Self {
            version: Some(version),
            // Asked of one version alone.
            opus: version == (4, 5) && words().any(|word| word.eq_ignore_ascii_case(b"opus")),
        }
    }

    fn since(self, version: (u64, u64)) -> bool {
        self.version.is_some_and(|found| found >= version)
    }

    /// Whether the model decides itself how much to think.
    pub(in crate::dialect) fn is_adaptive(self) -> bool {
        self.since((4, 6))
    }

    /// Whether thinking can be given a budget in tokens.
    pub(in crate::dialect) fn takes_budget(self) -> bool {
        !self.since((4, 7))
    }

    /// Whether the text of thinking comes only when it is asked for.
    pub(in crate::dialect) fn hides_thinking(self) -> bool {
        self.since((4, 7))
    }

    /// Whether the model thinks unless it is told not to.
    pub(in crate::dialect) fn thinks_unasked(self) -> bool {
        self.since((5, 0))
    }

    /// Whether temperature and its kin are taken.
    pub(in crate::dialect) fn takes_sampling(self) -> bool {
        !self.since((4, 7))
    }

    /// Whether temperature and `top_p` exclude each other.
    pub(in crate::dialect) fn takes_one_sampling(self) -> bool {
        self.since((4, 1))
    }

    /// Whether a tool can be forced.
    pub(in crate::dialect) fn takes_forced_tools(self) -> bool {
        !self.since((5, 5))
    }

    /// The nearest effort that the model knows; `None` where it knows none. Other models than Claude
    /// get the word as it is.
    pub(in crate::dialect) fn effort(self, wished: Effort) -> Option<&'static str> {
        let known = match wished {
            Effort::None | Effort::Minimal | Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::High => "high",
            Effort::Xhigh if self.since((4, 6)) && !self.since((4, 7)) => "max",
            Effort::Xhigh | Effort::Max if self.version == Some((4, 5)) => "high",
            Effort::Xhigh => "xhigh",
            Effort::Max => "max",
        };
        let has = match self.version {
            Some((4, 5)) => self.opus,
            Some(version) => version >= (4, 6),
            None => true,
        };
        has.then_some(known)
    }
}

/// Whether a word of a name is a part of a version: dates are longer.
fn is_version(word: &[u8]) -> bool {
    (1..=2).contains(&word.len()) && word.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_versions() {
        for (name, expected) in [
            ("anthropic/claude-opus-4.5", Some((4, 5))),
            ("claude-3-7-sonnet@20250219", Some((3, 7))),
            ("claude-3-5-sonnet-v2@20241022", Some((3, 5))),
            ("claude-sonnet-4-20250514", Some((4, 0))),
            ("us.anthropic.claude-sonnet-5", Some((5, 0))),
            ("anthropic/claude-haiku-5.5:nitro", Some((5, 5))),
            ("claude-mythos-preview", Some((5, 0))),
            ("MiniMax-M2", None),
        ] {
            assert_eq!(Generation::named(name).version, expected, "{name}");
        }
    }

    #[test]
    fn efforts_are_the_nearest_that_there_are() {
        let effort = |name: &str, effort| Generation::named(name).effort(effort);
        assert_eq!(effort("claude-sonnet-4-5", Effort::High), None);
        assert_eq!(effort("claude-opus-4-5", Effort::Max), Some("high"));
        assert_eq!(effort("claude-opus-4-6", Effort::Xhigh), Some("max"));
        assert_eq!(effort("claude-opus-4-8", Effort::Xhigh), Some("xhigh"));
        assert_eq!(effort("claude-sonnet-5", Effort::Minimal), Some("low"));
    }
}
