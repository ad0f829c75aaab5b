//! Credentials that are left alone for a while, because the provider limited or refused them. The
//! provider's other credentials go on. Which credentials there are is not known here, and no secret.

use std::time::Duration;

use arc_swap::ArcSwap;
use waystation_core::{
    CredentialId, ErrorType, ModelId, NoCredential, ProviderSlug, Tick, UpstreamError,
};

/// The longest rest after a 429, however long its `Retry-After` is.
const LONGEST: Duration = Duration::from_secs(60);
/// The rest of a credential that the provider does not know (401).
const REFUSED: Duration = Duration::from_secs(300);
/// The rest of one that may not do what was asked (403), or whose account is empty (402).
const DENIED: Duration = Duration::from_secs(60);

/// The credentials that rest.
///
/// A limit (429 with `Retry-After`) and a denial (402, 403) hold for the model that met them, since
/// providers count and permit by model; a refusal (401) holds for every model. A request heeds only
/// what was known when it began: its own failures do not keep it from its further models. Bounded by
/// the number of credentials and models that fail within five minutes; what is over is forgotten.
///
/// The list is replaced as a whole when one fails or is served again, which is rare; everybody else reads it
/// without a lock.
#[derive(Debug, Default)]
pub(crate) struct Rests(ArcSwap<Known>);

#[derive(Clone, Debug, Default)]
struct Known {
    resting: Vec<Resting>,
    /// How many rests have begun.
    count: u64,
}

#[derive(Clone, Debug)]
struct Resting {
    provider: ProviderSlug,
    credential: CredentialId,
    /// `None` is every model.
    model: Option<ModelId>,
    rest: Rest,
    number: u64,
}

/// Until when, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rest {
    pub(crate) until: Tick,
    /// A limit, rather than a refusal.
    pub(crate) limited: bool,
}

/// What one credential of a provider is used for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use<'a> {
    pub(crate) provider: &'a ProviderSlug,
    pub(crate) credential: &'a CredentialId,
    pub(crate) model: &'a ModelId,
}

// === impl Rests ===

impl Rests {
    /// How many rests have begun by now: what a request that begins now heeds.
    pub(crate) fn known(&self) -> u64 {
        self.0.load().count
    }

    /// Forgets everything: a new configuration may have new keys.
    pub(crate) fn clear(&self) {
        self.change(|known| known.resting.clear());
    }

    /// The credentials of `provider` that are not to be used for `model` at `now`, of those that
    /// were `known`.
    pub(crate) fn of(
        &self,
        (provider, model): (&ProviderSlug, &ModelId),
        now: Tick,
        known: u64,
    ) -> Vec<(CredentialId, Rest)> {
        let holds = |resting: &&Resting| {
            resting.provider == *provider
                && resting.model.as_ref().is_none_or(|of| of == model)
                && now < resting.rest.until
                && resting.number <= known
        };
        let all = self.0.load();
        let found = all.resting.iter().filter(holds);
        found.map(|r| (r.credential.clone(), r.rest)).collect()
    }

    /// The provider took the credential: it rests no longer.
    pub(crate) fn served(&self, by: Use<'_>) {
        if self.0.load().resting.iter().any(|of| of.is_of(by)) {
            self.change(|known| known.resting.retain(|resting| !resting.is_of(by)));
        }
    }

    /// Takes notice of a failure. Most say nothing of the credential.
    pub(crate) fn failed(&self, by: Use<'_>, error: &UpstreamError, now: Tick) {
        let (time, limited) = match (error.kind, error.retry_after) {
            (ErrorType::RateLimitExceeded, Some(wait)) => (wait.min(LONGEST), true),
            (ErrorType::Authentication, _) => (REFUSED, false),
            (ErrorType::PermissionDenied | ErrorType::PaymentRequired, _) => (DENIED, false),
            _ => return,
        };
        let every = error.kind == ErrorType::Authentication;
        self.change(|known| {
            known.count += 1;
            known
                .resting
                .retain(|resting| now < resting.rest.until && !resting.is_of(by));
            known.resting.push(Resting {
                provider: by.provider.clone(),
                credential: by.credential.clone(),
                model: (!every).then(|| by.model.clone()),
                rest: Rest {
                    until: now.plus(time),
                    limited,
                },
                number: known.count,
            });
        });
    }

    /// Replaces the list by one that `change` was applied to; tried again where another was quicker.
    fn change(&self, change: impl Fn(&mut Known)) {
        self.0.rcu(|known| {
            let mut known = Known::clone(known);
            change(&mut known);
            known
        });
    }
}

// === impl Resting ===

impl Resting {
    fn is_of(&self, by: Use<'_>) -> bool {
        self.provider == *by.provider
            && self.credential == *by.credential
            && self.model.as_ref().is_none_or(|of| of == by.model)
    }
}

/// Why no credential could be had, as the failure that it comes to.
pub(crate) fn no_lease(error: &NoCredential) -> UpstreamError {
    let message = error.to_string();
    match error {
        NoCredential::Resting {
            wait,
            limited: true,
            ..
        } => {
            let mut error = UpstreamError::new(ErrorType::RateLimitExceeded, message);
            error.retry_after = Some(*wait);
            error
        }
        _ => UpstreamError::new(ErrorType::Authentication, message),
    }
}

/// The credential that can be had again first, where all that are left rest.
pub(crate) fn resting_or(
    error: NoCredential,
    resting: &[(CredentialId, Rest)],
    now: Tick,
) -> NoCredential {
    match (error, resting.iter().min_by_key(|(_, rest)| rest.until)) {
        (NoCredential::None { provider }, Some((_, rest))) => NoCredential::Resting {
            provider,
            wait: rest.until.since(now),
            limited: rest.limited,
        },
        (error, _) => error,
    }
}

#[cfg(test)]
mod tests;
