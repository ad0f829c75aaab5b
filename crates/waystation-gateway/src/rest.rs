//! Credentials that are left alone for a while, because the provider limited or refused them. The
//! provider's other credentials go on. Which credentials there are is not known here, and no secret.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

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
#[derive(Debug, Default)]
pub(crate) struct Rests(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    resting: Vec<Resting>,
    /// How many rests have begun.
    count: u64,
}

#[derive(Debug)]
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
        self.lock().count
    }

    /// Forgets everything: a new configuration may have new keys.
    pub(crate) fn clear(&self) {
        self.lock().resting.clear();
    }

    /// The credentials of `provider` that are not to be used for `model` at `now`, of those that
    /// were `known`.
    pub(crate) fn of(
        &self,
        (provider, model): (&ProviderSlug, &ModelId),
        now: Tick,
        known: u64,
    ) -> Vec<(CredentialId, Rest)> {
        let inner = self.lock();
        let holds = |resting: &&Resting| {
            resting.provider == *provider
                && resting.model.as_ref().is_none_or(|of| of == model)
                && now < resting.rest.until
                && resting.number <= known
        };
        let found = inner.resting.iter().filter(holds);
        found.map(|r| (r.credential.clone(), r.rest)).collect()
    }

    /// The provider took the credential: it rests no longer.
    pub(crate) fn served(&self, by: Use<'_>) {
        let mut inner = self.lock();
        if !inner.resting.is_empty() {
            inner.resting.retain(|resting| !resting.is_of(by));
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
        let mut inner = self.lock();
        inner.count += 1;
        let number = inner.count;
        inner
            .resting
            .retain(|resting| now < resting.rest.until && !resting.is_of(by));
        inner.resting.push(Resting {
            provider: by.provider.clone(),
            credential: by.credential.clone(),
            model: (!every).then(|| by.model.clone()),
            rest: Rest {
                until: now.plus(time),
                limited,
            },
            number,
        });
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The list is whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
mod tests {
    use super::*;

    fn at(seconds: u64) -> Tick {
        Tick::from_micros(seconds * 1_000_000)
    }

    fn error(kind: ErrorType, wait: Option<u64>) -> UpstreamError {
        let mut error = UpstreamError::new(kind, "no");
        error.retry_after = wait.map(Duration::from_secs);
        error
    }

    /// Which of the keys of `p` rest for `a/b` and for `a/c`, a moment before and at `end`.
    fn resting(error: &UpstreamError, end: u64) -> [Vec<String>; 4] {
        let (provider, credential) = ("p".parse().unwrap(), "key-1".parse().unwrap());
        let models = ["a/b", "a/c"].map(|model| model.parse::<ModelId>().unwrap());
        let rests = Rests::default();
        let by = Use {
            provider: &provider,
            credential: &credential,
            model: &models[0],
        };
        rests.failed(by, error, at(100));
        let ids = |model, now| {
            let found = rests.of((&provider, model), now, rests.known());
            found.iter().map(|(id, _)| id.to_string()).collect()
        };
        let before = Tick::from_micros(at(100 + end).micros() - 1);
        let [one, other] = &models;
        [
            ids(one, before),
            ids(other, before),
            ids(one, at(100 + end)),
            ids(other, at(100 + end)),
        ]
    }

    #[test]
    fn a_limit_rests_for_its_model_as_long_as_it_says_and_a_minute_at_most() {
        let limited = |wait| error(ErrorType::RateLimitExceeded, Some(wait));
        let one = |end: [Vec<String>; 4]| end.map(|ids| ids.len());
        assert_eq!(one(resting(&limited(20), 20)), [1, 0, 0, 0]);
        assert_eq!(one(resting(&limited(86_400), 60)), [1, 0, 0, 0]);
        let unsaid = error(ErrorType::RateLimitExceeded, None);
        assert_eq!(one(resting(&unsaid, 1)), [0, 0, 0, 0]);
    }

    #[test]
    fn a_refusal_rests_for_every_model_and_a_denial_for_its_own() {
        let one = |end: [Vec<String>; 4]| end.map(|ids| ids.len());
        let of = |kind, end| one(resting(&error(kind, None), end));
        assert_eq!(of(ErrorType::Authentication, 300), [1, 1, 0, 0]);
        assert_eq!(of(ErrorType::PermissionDenied, 60), [1, 0, 0, 0]);
        assert_eq!(of(ErrorType::PaymentRequired, 60), [1, 0, 0, 0]);
        assert_eq!(of(ErrorType::ProviderUnavailable, 1), [0, 0, 0, 0]);
    }

    #[test]
    fn a_request_heeds_what_was_known_when_it_began_and_a_success_ends_it() {
        let (provider, credential) = ("p".parse().unwrap(), "key-1".parse().unwrap());
        let model = "a/b".parse().unwrap();
        let rests = Rests::default();
        let by = Use {
            provider: &provider,
            credential: &credential,
            model: &model,
        };
        let began = rests.known();
        rests.failed(by, &error(ErrorType::Authentication, None), at(1));
        assert_eq!(rests.of((&provider, &model), at(1), began), []);
        assert_eq!(rests.of((&provider, &model), at(1), rests.known()).len(), 1);
        rests.served(by);
        assert_eq!(rests.of((&provider, &model), at(1), rests.known()), []);
    }
}
