//! The wish to reason, in its several spellings. Source: API contract, section 1.4.

use std::fmt;

use super::InvalidRequest;
use crate::{Json, chat::rules};

/// How much a model should think, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effort {
    /// Not at all.
    None,
    /// As little as it can.
    Minimal,
    /// Little.
    Low,
    /// The usual amount.
    Medium,
    /// Much.
    High,
    /// Very much.
    Xhigh,
    /// As much as it can.
    Max,
}

// === impl Effort ===

impl Effort {
    /// Every level, least first.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Minimal,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Xhigh,
        Self::Max,
    ];

    /// The level called `text`.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effort| effort.as_str() == text)
    }

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Xhigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The thinking budget in tokens for models that only take budgets:
    /// `clamp(max_tokens × ratio, 1024, 128000)`.
    #[must_use]
    pub const fn budget(self, max_tokens: u64) -> u64 {
        let percent = match self {
            Self::None => return 0,
            Self::Minimal => 10,
            Self::Low => 20,
            Self::Medium => 50,
            Self::High => 80,
            Self::Xhigh | Self::Max => 95,
        };
        let budget = max_tokens.saturating_mul(percent) / 100;
        if budget < 1024 {
            1024
        } else if budget > 128_000 {
            128_000
        } else {
            budget
        }
    }

    /// The level whose budget is nearest to `budget` of `max_tokens`, for models that only take
    /// levels.
    #[must_use]
    pub fn nearest(budget: u64, max_tokens: u64) -> Self {
        [
            Self::Minimal,
            Self::Low,
            Self::Medium,
            Self::High,
            Self::Xhigh,
        ]
        .into_iter()
        .min_by_key(|effort| effort.budget(max_tokens).abs_diff(budget))
        .unwrap_or(Self::Medium)
    }
}

impl fmt::Display for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a request says about reasoning, whichever spelling it used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Reasoning {
    /// The level asked for.
    pub effort: Option<Effort>,
    /// The budget asked for, in tokens.
    pub max_tokens: Option<u64>,
    /// Reasoning is not to be shown.
    pub exclude: bool,
    /// Switched on or off without a level.
    pub enabled: Option<bool>,
}

// === impl Reasoning ===

impl Reasoning {
    /// Whether thinking is wanted: a level above none, a budget above zero, or `enabled`. `None`
    /// when the request says nothing either way.
    #[must_use]
    pub fn wanted(&self) -> Option<bool> {
        match (self.enabled, self.effort, self.max_tokens) {
            (Some(false), _, _) | (_, Some(Effort::None), _) | (_, _, Some(0)) => Some(false),
            (None, None, None) => None,
            _ => Some(true),
        }
    }

    /// Reads the three spellings, which must agree.
    pub(super) fn read(
        object: Option<Json<'_>>,
        effort: Option<Json<'_>>,
        include: Option<Json<'_>>,
    ) -> Result<Option<Self>, InvalidRequest> {
        let mut reasoning = match object {
            Some(object) => Some(Self::of_object(object)?),
            None => None,
        };
        // Groq's clients say `default` where they mean that they ask for nothing.
        if let Some(text) = effort.filter(|text| !text.is("default")) {
            let effort = effort_of("reasoning_effort", text)?;
            let into = reasoning.get_or_insert_default();
            if into.effort.is_some_and(|other| other != effort) {
                let message = "differs from reasoning.effort; send one of them";
                return Err(InvalidRequest::new("reasoning_effort", message));
            }
            into.effort = Some(effort);
        }
        match (include.and_then(Json::bool), &mut reasoning) {
            (Some(true), None) => {
                reasoning = Some(Self {
                    enabled: Some(true),
                    ..Self::default()
                })
            }
            (Some(false), into) => into.get_or_insert_default().exclude = true,
            _ => {}
        }
        Ok(reasoning)
    }

    fn of_object(object: Json<'_>) -> Result<Self, InvalidRequest> {
        let mut reasoning = Self::default();
        for (key, value) in object.members().filter(|(_, value)| !value.is_null()) {
            match &*key.name() {
                "effort" => reasoning.effort = Some(effort_of("reasoning.effort", value)?),
                "max_tokens" => {
                    reasoning.max_tokens = Some(rules::whole("reasoning.max_tokens", value)?);
                }
                "exclude" => reasoning.exclude = rules::flag("reasoning.exclude", value)?,
                "enabled" => reasoning.enabled = Some(rules::flag("reasoning.enabled", value)?),
                _ => {}
            }
        }
        if reasoning.effort.is_some() && reasoning.max_tokens.is_some() {
            let message = "effort and max_tokens exclude each other; send one of them";
            return Err(InvalidRequest::new("reasoning", message));
        }
        Ok(reasoning)
    }
}

fn effort_of(field: &str, value: Json<'_>) -> Result<Effort, InvalidRequest> {
    value
        .string()
        .and_then(|text| Effort::named(&text))
        .ok_or_else(|| {
            let words = Effort::ALL.map(Effort::as_str).join(", ");
            InvalidRequest::expected(field, &format!("one of {words}"), value)
        })
}
