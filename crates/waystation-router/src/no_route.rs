//! Why there is no plan, in words that name what to change. The HTTP envelope is the server's.

mod advice;

use serde::{Serialize, Serializer};
use waystation_core::{Ask, Endpoint, ErrorType, ModelId, Seed, Tokens};

use crate::{
    Reason, Strategy, Trace,
    entry::Entry,
    plan::{Wanted, requested},
    rules::Question,
};

/// The most variables that a message names.
const NAMED: usize = 4;

/// Nothing can serve the request.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct NoRoute {
    /// The kind, which decides the status: 400 for what does not exist or does not fit, else 404.
    pub kind: ErrorType,
    /// `error.availability.code`; `None` where the request itself is refused.
    pub code: Option<NoRouteCode>,
    /// What happened to the endpoints, and what to change.
    pub message: String,
    /// What became of every endpoint.
    pub trace: Trace,
    /// `error.availability.excluded_by`, each once, most frequent first.
    pub excluded_by: Vec<&'static str>,
    /// The most frequent constraint, when one dropped endpoints.
    pub constraint: Option<Constraint>,
    /// The models as they were asked for.
    pub requested: Vec<String>,
    /// How the first of them was looked for.
    pub strategy: Strategy,
    /// The model that was probably meant.
    pub suggestion: Option<ModelId>,
    /// The seed of the attempt at a plan.
    pub seed: Seed,
}

/// `error.availability.constraint`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Constraint {
    /// The member of the request to relax.
    pub field: &'static str,
    /// By how much it was missed.
    pub detail: String,
}

/// `error.availability.code`. Source: API contract, section 2.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoRouteCode {
    /// No entry is a known model.
    ModelNotFound,
    /// The model is known; nobody can serve it here.
    NoEndpoints,
    /// The model has no free variant.
    FreeVariantEnded,
    /// The wish for privacy dropped the endpoints.
    PrivacyRestricted,
    /// Another wish did.
    ConstraintFiltered,
}

// === impl NoRouteCode ===

impl NoRouteCode {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ModelNotFound => "model_not_found",
            Self::NoEndpoints => "no_endpoints",
            Self::FreeVariantEnded => "free_variant_ended",
            Self::PrivacyRestricted => "privacy_restricted",
            Self::ConstraintFiltered => "constraint_filtered",
        }
    }

    /// The kind of failure, from which the status follows: 404 for what is known, 400 for what is not.
    const fn kind(self) -> ErrorType {
        match self {
            Self::ModelNotFound => ErrorType::InvalidRequest,
            _ => ErrorType::NotFound,
        }
    }
}

impl Serialize for NoRouteCode {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

// === impl NoRoute ===

impl NoRoute {
    /// Names that match no provider, where the operator is strict.
    pub(crate) fn unmatched(ask: &Ask, trace: Trace, seed: Seed) -> Box<Self> {
        let message = format!(
            "{}; strict routing refuses names that match nothing",
            trace.notes.join("; ")
        );
        Box::new(Self {
            kind: ErrorType::InvalidRequest,
            code: None,
            message,
            trace,
            excluded_by: Vec::new(),
            constraint: None,
            requested: requested(ask),
            strategy: Strategy::Direct,
            suggestion: None,
            seed,
        })
    }

    /// Draws the conclusion from what became of every endpoint.
    pub(crate) fn of(
        question: &Question<'_>,
        wanted: &Wanted<'_>,
        trace: Trace,
        seed: Seed,
    ) -> Box<Self> {
        let mut none = Self {
            kind: ErrorType::NotFound,
            code: None,
            message: String::new(),
            excluded_by: Vec::new(),
            constraint: None,
            requested: requested(question.ask),
            strategy: (wanted.entries.first()).map_or(Strategy::Direct, |(_, e)| e.strategy),
            suggestion: wanted.missing.iter().find_map(|m| m.suggestion.clone()),
            seed,
            trace,
        };
        if wanted.entries.is_empty() {
            none.all_missing(wanted);
        } else {
            none.all_dropped(question, wanted);
        }
        Box::new(none)
    }

    /// No entry stands for anything: the first entry's fault is the answer's code.
    fn all_missing(&mut self, wanted: &Wanted<'_>) {
        let code = wanted
            .missing
            .first()
            .map_or(NoRouteCode::ModelNotFound, |missing| missing.code);
        let messages: Vec<&str> = wanted.missing.iter().map(|m| m.message.as_str()).collect();
        self.message = messages.join("; ");
        self.kind = code.kind();
        self.code = Some(code);
    }

    /// There were models, and every endpoint of them was dropped.
    fn all_dropped(&mut self, question: &Question<'_>, wanted: &Wanted<'_>) {
        let counts = tally(self.trace.dropped.iter().map(|dropped| dropped.reason));
        // What dropped candidates; what was none to begin with says nothing of the request.
        let decisive: Vec<(Reason, usize)> = counts
            .iter()
            .copied()
            .filter(|(reason, _)| !reason.is_setup())
            .collect();
        let shown = if decisive.is_empty() {
            let setup = |(reason, _): &&(Reason, usize)| *reason != Reason::Variant;
            counts.iter().filter(setup).copied().collect()
        } else {
            decisive.clone()
        };
        for (reason, _) in shown {
            let word = reason.excluded_by();
            if !self.excluded_by.contains(&word) {
                self.excluded_by.push(word);
            }
        }
        let entries: Vec<String> = wanted
            .entries
            .iter()
            .map(|(at, entry)| self.about(question, *at, entry))
            .chain(wanted.missing.iter().map(|missing| missing.message.clone()))
            .collect();
        self.message = entries.join("; ");
        for name in &self.trace.unmatched {
            self.message
                .push_str(&format!("; {name:?} matches nothing"));
        }
        let code = code_of(&decisive);
        self.code = Some(code);
        self.kind = code.kind();
        if !decisive.is_empty() && decisive.iter().all(|(r, _)| *r == Reason::ContextLength) {
            self.kind = ErrorType::ContextLengthExceeded;
            self.message = too_long(question, wanted);
        }
        if code == NoRouteCode::ConstraintFiltered {
            self.constraint = self.most_frequent(&decisive);
        }
    }

    /// The constraint that dropped most endpoints, with one of them as an example.
    fn most_frequent(&self, decisive: &[(Reason, usize)]) -> Option<Constraint> {
        let constrains = |reason: Reason| !matches!(reason, Reason::Only | Reason::Ignore);
        let (reason, _) = decisive.iter().find(|(reason, _)| constrains(*reason))?;
        let example = self.trace.dropped.iter().find(|d| d.reason == *reason)?;
        Some(Constraint {
            field: reason.field(),
            detail: format!("{}|{}: {}", example.model, example.endpoint, example.detail),
        })
    }

    /// What became of one entry: `acme/fast: 3 endpoints: 2 above provider.max_price, 1 in …`.
    fn about(&self, question: &Question<'_>, at: usize, entry: &Entry<'_>) -> String {
        let spelled = self.requested.get(at).map_or("", String::as_str);
        let of_entry = |model: &ModelId| entry.targets.iter().any(|t| t.model.id == *model);
        let dropped = || {
            let of = self.trace.dropped.iter().filter(|d| of_entry(&d.model));
            of.filter(|dropped| dropped.reason != Reason::Variant)
        };
        let count = dropped().count();
        if entry.targets.is_empty() {
            return format!("{spelled}: no model satisfies the request and its restrictions");
        }
        if count == 0 {
            return format!("{spelled}: nobody serves it");
        }
        let endpoints = if count == 1 {
            "1 endpoint".to_owned()
        } else {
            format!("{count} endpoints")
        };
        if dropped().all(|dropped| dropped.reason == Reason::NoCredentials) {
            let set = variables(question, entry);
            return if count == 1 {
                format!("{spelled}: 1 endpoint, which has no credentials{set}")
            } else {
                format!("{spelled}: {endpoints}, none has credentials{set}")
            };
        }
        let counts = tally(dropped().map(|dropped| dropped.reason));
        let lacks = |(reason, _): &(Reason, usize)| *reason == Reason::NoCredentials;
        let keys = if counts.iter().any(lacks) {
            variables(question, entry)
        } else {
            String::new()
        };
        // A provider that was named and has no key needs a key, not another name.
        let decisive = counts.iter().find(|(reason, _)| !reason.is_setup());
        let relax = match decisive {
            Some((Reason::Only, _)) if !keys.is_empty() => String::new(),
            Some((reason, _)) => advice::relax(*reason, question, entry, &self.trace),
            None => String::new(),
        };
        format!(
            "{spelled}: {endpoints}: {}{relax}{keys}",
            advice::parts(dropped())
        )
    }
}

/// Reasons with their counts, most frequent first; equals in the order of the rules.
fn tally(reasons: impl Iterator<Item = Reason>) -> Vec<(Reason, usize)> {
    let mut counts: Vec<(Reason, usize)> = Vec::new();
    for reason in reasons {
        match counts.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => counts.push((reason, 1)),
        }
    }
    counts.sort_by(|(a, x), (b, y)| y.cmp(x).then(a.cmp(b)));
    counts
}

/// Providers alone: no endpoints. Privacy without another wish: restricted. Any other wish:
/// filtered.
fn code_of(decisive: &[(Reason, usize)]) -> NoRouteCode {
    let names = |reason: Reason| matches!(reason, Reason::Only | Reason::Ignore);
    if decisive.iter().all(|(reason, _)| names(*reason)) {
        NoRouteCode::NoEndpoints
    } else if decisive
        .iter()
        .all(|(reason, _)| reason.is_privacy() || names(*reason))
    {
        NoRouteCode::PrivacyRestricted
    } else {
        NoRouteCode::ConstraintFiltered
    }
}

/// `; set OPENAI_API_KEY, AZURE_OPENAI_API_KEY or OPENROUTER_API_KEY`: of the providers that the
/// request admits. Empty when it admits none.
fn variables(question: &Question<'_>, entry: &Entry<'_>) -> String {
    let mut endpoints: Vec<&Endpoint> = entry
        .targets
        .iter()
        .flat_map(|target| {
            let meant = |endpoint: &&Endpoint| {
                target.variants.mean(endpoint)
                    && !(question.world.usable)(&endpoint.provider)
                    && question.only.as_ref().is_none_or(|only| only.has(endpoint))
                    && !question.ignore.has(endpoint)
            };
            target.model.endpoints.iter().filter(meant)
        })
        .collect();
    if endpoints.is_empty() {
        return String::new();
    }
    // The maker's own first, then by trust; a general cloud identity is the last thing to set up.
    endpoints.sort_by_cached_key(|endpoint| {
        let catalog = question.world.catalog;
        let maker = catalog
            .providers_named(endpoint.model.author())
            .contains(&&endpoint.provider);
        let general = catalog
            .provider(endpoint.provider.as_str())
            .is_some_and(|provider| provider.general_identity);
        (!maker, general, endpoint.trust, endpoint.tag.clone())
    });
    let mut names: Vec<&str> = Vec::new();
    for endpoint in endpoints {
        let provider = question.world.catalog.provider(endpoint.provider.as_str());
        let name = provider.and_then(|provider| provider.key_variable.as_deref());
        match name {
            Some(name) if !names.contains(&name) => names.push(name),
            _ => {}
        }
    }
    match names.as_slice() {
        [] => "; add api_key to its provider in the config".into(),
        [one] => format!("; set {one}"),
        [first @ .., last] if names.len() <= NAMED => {
            format!("; set {} or {last}", first.join(", "))
        }
        _ => {
            let some: Vec<&str> = names.into_iter().take(NAMED).collect();
            format!("; set {} or that of another provider", some.join(", "))
        }
    }
}

/// Names the largest context there is.
fn too_long(question: &Question<'_>, wanted: &Wanted<'_>) -> String {
    let ask = question.ask;
    let largest = wanted
        .entries
        .iter()
        .flat_map(|(_, entry)| &entry.targets)
        .flat_map(|target| {
            let meant = |endpoint: &&Endpoint| target.variants.mean(endpoint);
            target.model.endpoints.iter().filter(meant)
        })
        .filter(|endpoint| (question.world.usable)(&endpoint.provider))
        .filter_map(|endpoint| endpoint.context_length)
        .max()
        .unwrap_or(Tokens::ZERO);
    let wanted = ask.max_output.map_or_else(String::new, |output| {
        format!(" and max_tokens asks for {output} more")
    });
    format!(
        "the prompt is at least about {} tokens{wanted}; the largest context is {largest}; shorten it, ask for less output, or enable the context-compression plugin",
        ask.prompt_at_least
    )
}
