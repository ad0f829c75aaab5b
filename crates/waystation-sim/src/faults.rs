//! Scripted faults: which requests go wrong, and how.
//!
//! A script is TOML or JSON: a list of rules, tried in order; the first whose `match` holds acts.
//! Times are milliseconds. Nothing here knows a dialect; events are pieces of a stream.
//!
//! ```toml
//! [[rule]]                                     # the first two requests for any gpt model
//! match = { model = "gpt-*", first = 2 }
//! status = 429
//! retry_after = 3                              # seconds, as the header has it
//!
//! [[rule]]                                     # every third stream dies after five events
//! match = { stream = true, every = 3 }
//! cut_after_events = 5
//!
//! [[rule]]                                     # one host is slow, and its second event is garbage
//! match = { host = "slow.example", path = "*/chat/completions" }
//! delay_ms = 1500
//! gap_ms = 100
//! malformed_event = 2
//!
//! [[rule]]                                     # a tenth of the rest: headers, then nothing
//! match = { percent = 10 }
//! silent = true
//! ```
//!
//! # Which rule acts
//!
//! A request is held against the rules from the top. A rule whose `model`, `path`, `host` and `stream`
//! fit counts it, and then `nth`, `first`, `every` and `percent` decide by that count; all that are
//! present must hold. The first rule that takes the request acts, and those behind it neither act nor
//! count. So a rule without `match` at the end catches the rest, and one at the top hides all others.
//!
//! Counts belong to a simulator and start at 1; `percent` draws from the seed, the rule's place and the
//! count, so that a run can be repeated.
//!
//! # In which order a rule acts
//!
//! `status` or `body` replace the reply; an event is malformed; the reply is cut, stalled or silenced;
//! `retry-after` is added; gaps and the delay come last. A rule with `status = 200` and nothing else
//! leaves the answer as it is.

mod apply;
mod pattern;

use serde::Deserialize;

pub(crate) use apply::Fault;

use crate::draw::{Draw, basis, fold};
use pattern::matches;

/// Rules that make requests go wrong. The same in TOML and JSON; see the module for an example.
///
/// ```
/// use waystation_sim::faults::Script;
///
/// let script: Script = r#"
///     [[rule]]
///     match = { nth = [1, 3] }
///     status = 503
/// "#.parse()?;
/// assert_eq!(script.len(), 1);
/// let error = "[[rule]]\nstatus = 99".parse::<Script>().unwrap_err();
/// assert_eq!(error.to_string(), "rule 1: status: expected 200 to 599, found 99");
/// # Ok::<(), waystation_sim::faults::ScriptError>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    #[serde(default, rename = "rule", alias = "rules")]
    rules: Vec<Rule>,
}

/// Which requests, and what happens to them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    #[serde(default, rename = "match")]
    when: Match,
    /// The reply's status; without a body, an error in the dialect's envelope.
    status: Option<u16>,
    /// The reply's body: a text as it is, anything else as JSON.
    body: Option<serde_json::Value>,
    /// The header `retry-after`, in seconds.
    retry_after: Option<u64>,
    /// Before the head.
    #[serde(default)]
    delay_ms: u64,
    /// Before each event.
    #[serde(default)]
    gap_ms: u64,
    /// The connection closes after this many events; in a whole reply, in the body's midst.
    cut_after_events: Option<usize>,
    /// Nothing comes after this many events; in a whole reply, after half the body.
    stall_after_events: Option<usize>,
    /// This event, counted from 1, is not JSON; in a whole reply, the body.
    malformed_event: Option<usize>,
    /// Headers, then nothing.
    #[serde(default)]
    silent: bool,
}

/// Which requests a rule is for. Absent keys match all; all present ones must hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Match {
    /// The upstream's name of the model, `*` for any text.
    model: Option<String>,
    /// The path, `*` for any text.
    path: Option<String>,
    /// The host, `*` for any text.
    host: Option<String>,
    /// Streams only, or whole replies only.
    stream: Option<bool>,
    /// The nth of the requests for which the keys above hold, counted from 1; or a list of such.
    nth: Option<Nth>,
    /// The first so many of them.
    first: Option<u64>,
    /// Each so-manieth of them.
    every: Option<u64>,
    /// So many of a hundred, drawn from the simulator's seed and the request's number.
    percent: Option<u64>,
}

/// One number or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Nth {
    /// `nth = 2`.
    One(u64),
    /// `nth = [2, 5]`.
    Many(Vec<u64>),
}

/// Why a text is no script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// It is neither TOML nor JSON, or has keys that no rule has.
    #[error("not a script: {0}")]
    Syntax(String),
    /// A rule makes no sense.
    #[error("rule {rule}: {message}")]
    Rule {
        /// Which, counted from 1.
        rule: usize,
        /// What was expected, then what was found.
        message: String,
    },
}

/// What a rule's `match` looks at.
pub(crate) struct Seen<'a> {
    /// The path, without query.
    pub(crate) path: &'a str,
    /// The host, without port.
    pub(crate) host: &'a str,
    /// The model as the upstream calls it; empty when none was named.
    pub(crate) model: &'a str,
    /// Whether a stream was asked for.
    pub(crate) stream: bool,
}

// === impl Script ===

impl Script {
    /// No rules.
    pub const EMPTY: Self = Self { rules: Vec::new() };

    /// How many rules there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What happens to a request. `count` counts a request for the rule of that number and says
    /// which it is, from 1. Only rules up to the one that acts count it.
    pub(crate) fn fault(
        &self,
        seen: &Seen<'_>,
        seed: u64,
        count: impl Fn(usize) -> u64,
    ) -> Option<Fault<'_>> {
        let mut rules = self.rules.iter().enumerate();
        let acting = rules
            .find(|(at, rule)| rule.when.is_about(seen) && rule.when.takes(count(*at), *at, seed));
        acting.map(|(_, rule)| Fault::of(rule))
    }

    /// Holds every rule against its own limits; the first that fails is named.
    fn check(self) -> Result<Self, ScriptError> {
        for (at, rule) in self.rules.iter().enumerate() {
            rule.check().map_err(|message| ScriptError::Rule {
                rule: at + 1,
                message,
            })?;
        }
        Ok(self)
    }
}

impl std::str::FromStr for Script {
    type Err = ScriptError;

    /// Reads JSON when the text begins with `{`, else TOML.
    ///
    /// ```
    /// use waystation_sim::faults::Script;
    ///
    /// let json = r#"{"rules": [{"match": {"every": 2}, "status": 500}]}"#;
    /// assert_eq!(json.parse::<Script>()?.len(), 1);
    /// let typo = "[[rule]]\nstauts = 500".parse::<Script>().unwrap_err().to_string();
    /// assert!(typo.contains("unknown field `stauts`"));
    /// # Ok::<(), waystation_sim::faults::ScriptError>(())
    /// ```
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let script: Self = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| ScriptError::Syntax(error.to_string()))?
        } else {
            toml::from_str(text)
                .map_err(|error| ScriptError::Syntax(error.to_string().trim_end().into()))?
        };
        script.check()
    }
}

// === impl Rule ===

impl Rule {
    /// What is wrong with the rule, if anything: values out of range, endings that exclude each
    /// other, nothing to do.
    fn check(&self) -> Result<(), String> {
        if let Some(status) = self.status.filter(|status| !(200..600).contains(status)) {
            return Err(format!("status: expected 200 to 599, found {status}"));
        }
        if self.malformed_event == Some(0) {
            return Err("malformed_event: events count from 1, found 0".into());
        }
        let endings = [
            ("cut_after_events", self.cut_after_events.is_some()),
            ("stall_after_events", self.stall_after_events.is_some()),
            ("silent", self.silent),
        ];
        let endings: Vec<_> = endings.iter().filter(|(_, set)| *set).collect();
        if let [(one, _), (other, _), ..] = &*endings {
            return Err(format!("{one} and {other} exclude each other; keep one"));
        }
        let acts = self.status.is_some()
            || self.body.is_some()
            || self.retry_after.is_some()
            || self.malformed_event.is_some()
            || self.delay_ms > 0
            || self.gap_ms > 0
            || !endings.is_empty();
        if !acts {
            let known = "status, body, retry_after, delay_ms, gap_ms, cut_after_events, \
                         stall_after_events, malformed_event, silent";
            return Err(format!("does nothing; expected at least one of {known}"));
        }
        self.when.check()
    }
}

// === impl Match ===

impl Match {
    /// What is wrong with the match, if anything.
    fn check(&self) -> Result<(), String> {
        let nth: &[u64] = match &self.nth {
            Some(Nth::One(nth)) => std::slice::from_ref(nth),
            Some(Nth::Many(list)) => list,
            None => &[],
        };
        if nth.contains(&0) || self.every == Some(0) {
            return Err("match.nth and match.every: requests count from 1, found 0".into());
        }
        match self.percent {
            Some(percent @ 101..) => {
                Err(format!("match.percent: expected 0 to 100, found {percent}"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the request itself fits, apart from its number.
    fn is_about(&self, seen: &Seen<'_>) -> bool {
        let fits = |pattern: &Option<String>, text: &str| {
            pattern
                .as_ref()
                .is_none_or(|pattern| matches(pattern, text))
        };
        fits(&self.model, seen.model)
            && fits(&self.path, seen.path)
            && fits(&self.host, seen.host)
            && self.stream.is_none_or(|stream| stream == seen.stream)
    }

    /// Whether the rule acts on the `nth` request that fits it, counted from 1.
    fn takes(&self, nth: u64, rule: usize, seed: u64) -> bool {
        let listed = match &self.nth {
            Some(Nth::One(one)) => nth == *one,
            Some(Nth::Many(list)) => list.contains(&nth),
            None => true,
        };
        let drawn = self.percent.is_none_or(|percent| {
            let place = fold(fold(basis(seed), &rule.to_le_bytes()), &nth.to_le_bytes());
            Draw::new(place).next() % 100 < percent
        });
        listed
            && drawn
            && self.first.is_none_or(|first| nth <= first)
            && self.every.is_none_or(|every| nth.is_multiple_of(every))
    }
}

#[cfg(test)]
mod tests;
