//! Why a chat request was not answered, joined from every layer. Says nothing of HTTP: the server's
//! `error.rs` is the only place that writes the envelope.

use std::{sync::Arc, time::Duration};

use waystation_core::{
    AttemptRecord, EndpointId, ErrorType, InvalidRequest, ModelId, PluginError, RawJson, Run, Sent,
    UpstreamError,
};
use waystation_router::{NoRoute, Plan};

/// Why a chat request was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// The request itself is refused.
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    /// Nothing can serve it.
    #[error("{}", .0.message)]
    NoRoute(Box<NoRoute>),
    /// A plugin ended it.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// Every attempt failed.
    #[error(transparent)]
    Attempts(Box<AttemptsFailed>),
}

/// Every attempt failed; the kind follows from all of them.
///
/// `attempts` has each of them with its own reason, so that a client can be told all of it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct AttemptsFailed {
    /// The kind that the client sees.
    pub kind: ErrorType,
    /// The availability code, where all attempts failed alike (API contract, section 2.4).
    pub availability: Option<&'static str>,
    /// `<provider>: <reason>` of the last attempt.
    pub message: String,
    /// The models that were asked for.
    pub requested: Vec<String>,
    /// The shortest wait that any upstream asked for.
    pub retry_after: Option<Duration>,
    /// Every attempt, in order.
    pub attempts: Vec<AttemptReport>,
    /// The plan that was carried out, where it is known.
    pub plan: Option<Box<Plan>>,
    /// Annotations of files that were read, a JSON array: sent again, they are not read twice.
    pub file_annotations: Option<RawJson>,
}

/// One failed attempt, with all that may be told of it.
#[derive(Clone, Debug)]
pub struct AttemptReport {
    /// Display name of the provider.
    pub provider: Arc<str>,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The model.
    pub model: ModelId,
    /// What went wrong.
    pub error: UpstreamError,
    /// Whether the upstream may have acted on the request.
    pub sent: Sent,
    /// It was the connection that failed.
    pub network: bool,
    /// It was a plugin that failed: the upstream was not asked.
    pub plugin: Option<Box<PluginError>>,
    /// How long it took.
    pub took: Duration,
}

// === impl GatewayError ===

impl GatewayError {
    /// The same, of this plan.
    pub(crate) fn of_plan(mut self, plan: Plan) -> Self {
        if let Self::Attempts(failed) = &mut self {
            failed.plan = Some(Box::new(plan));
        }
        self
    }

    /// The same, with what plugins made that a client may send again.
    pub(crate) fn with_salvage(mut self, runs: &[Box<dyn Run>]) -> Self {
        if let Self::Attempts(failed) = &mut self {
            failed.file_annotations = runs.iter().find_map(|run| run.salvage());
        }
        self
    }

    /// The kind, which decides the status.
    #[must_use]
    pub fn kind(&self) -> ErrorType {
        match self {
            Self::Invalid(error) => error.kind,
            Self::NoRoute(error) => error.kind,
            Self::Plugin(error) => error.kind,
            Self::Attempts(error) => error.kind,
        }
    }
}

// === impl AttemptsFailed ===

impl AttemptsFailed {
    /// Draws the conclusion from a non-empty list of failures.
    ///
    /// All limited: 429. All down, late or unreachable: 503. All refused our credential: 502. All
    /// unknown upstream: 404. Otherwise the last one's own kind. Source: `decisions`, "Statuses".
    #[must_use]
    pub fn of(requested: Vec<String>, attempts: Vec<AttemptReport>) -> Self {
        let all = |test: fn(ErrorType) -> bool| attempts.iter().all(|a| test(a.error.kind));
        let last = attempts.last();
        let (kind, availability) = if attempts.is_empty() {
            (
                ErrorType::ProviderOverloaded,
                Some("temporarily_unavailable"),
            )
        } else if all(|kind| kind == ErrorType::RateLimitExceeded) {
            (ErrorType::RateLimitExceeded, Some("capacity_exhausted"))
        } else if all(is_outage) {
            (
                ErrorType::ProviderOverloaded,
                Some("temporarily_unavailable"),
            )
        } else if all(is_credential) {
            (ErrorType::ProviderUnavailable, None)
        } else if all(|kind| kind == ErrorType::NotFound) {
            (ErrorType::NotFound, Some("model_unavailable_upstream"))
        } else {
            (
                last.map_or(ErrorType::Unmapped, |a| client_kind(a.error.kind)),
                None,
            )
        };
        let message = last.map_or_else(
            || "no attempt could be made in time".to_owned(),
            |a| format!("{}: {}", a.provider, told(&a.error)),
        );
        let retry_after = attempts.iter().filter_map(|a| a.error.retry_after).min();
        Self {
            kind,
            availability,
            message,
            requested,
            retry_after,
            attempts,
            plan: None,
            file_annotations: None,
        }
    }
}

impl AttemptsFailed {
    /// Whether the last upstream's body may be shown: not when it speaks of our credential.
    #[must_use]
    pub fn tells_raw(&self) -> bool {
        self.attempts
            .last()
            .is_some_and(|last| !is_credential(last.error.kind))
    }
}

impl AttemptReport {
    /// It speaks of the gateway's credential, and not of a limit.
    pub(crate) const fn is_refusal(&self) -> bool {
        is_credential(self.error.kind)
    }

    /// What a client may be told of it.
    #[must_use]
    pub fn told(&self) -> &str {
        told(&self.error)
    }

    /// The attempt as the record keeps it.
    #[must_use]
    pub fn record(&self) -> AttemptRecord {
        AttemptRecord {
            provider: Arc::clone(&self.provider),
            endpoint: self.endpoint.clone(),
            status: self.error.status,
            error: Some(self.error.kind),
            took: self.took,
        }
    }
}

/// What a client may be told: never the text of a refused credential, which may quote the key.
fn told(error: &UpstreamError) -> &str {
    if is_credential(error.kind) && error.kind != ErrorType::PaymentRequired {
        return "the provider refused the gateway's credential";
    }
    &error.message
}

/// The provider's word about *our* credential is never the client's 401.
const fn client_kind(kind: ErrorType) -> ErrorType {
    if is_credential(kind) {
        ErrorType::ProviderUnavailable
    } else {
        kind
    }
}

/// Whether the failure speaks of the gateway's own credential.
const fn is_credential(kind: ErrorType) -> bool {
    matches!(
        kind,
        ErrorType::Authentication | ErrorType::PermissionDenied | ErrorType::PaymentRequired
    )
}

/// Whether the provider is to blame, whatever the request.
const fn is_outage(kind: ErrorType) -> bool {
    matches!(
        kind,
        ErrorType::Server
            | ErrorType::Unmapped
            | ErrorType::ProviderUnavailable
            | ErrorType::ProviderOverloaded
            | ErrorType::Timeout
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(kinds: &[ErrorType]) -> AttemptsFailed {
        let report = |kind: &ErrorType| AttemptReport {
            provider: "Acme".into(),
            endpoint: "a/b|acme".parse().unwrap(),
            model: "a/b".parse().unwrap(),
            error: UpstreamError::new(*kind, format!("reason {kind}")),
            sent: Sent::Maybe,
            network: false,
            plugin: None,
            took: Duration::ZERO,
        };
        AttemptsFailed::of(Vec::new(), kinds.iter().map(report).collect())
    }

    #[test]
    fn like_failures_have_their_own_status_and_mixed_ones_the_last() {
        use ErrorType as E;
        for (kinds, kind) in [
            (
                vec![E::RateLimitExceeded, E::RateLimitExceeded],
                E::RateLimitExceeded,
            ),
            (
                vec![E::Timeout, E::ProviderOverloaded, E::Server],
                E::ProviderOverloaded,
            ),
            (
                vec![E::Authentication, E::PermissionDenied],
                E::ProviderUnavailable,
            ),
            (vec![E::NotFound], E::NotFound),
            (vec![E::Server, E::InvalidRequest], E::InvalidRequest),
            (vec![E::Server, E::Authentication], E::ProviderUnavailable),
        ] {
            assert_eq!(failed(&kinds).kind, kind, "{kinds:?}");
        }
        assert_eq!(
            failed(&[E::InvalidRequest]).message,
            "Acme: reason invalid_request"
        );
        assert!(!failed(&[E::Authentication]).message.contains("reason"));
    }
}
