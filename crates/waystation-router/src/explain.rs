//! A plan, or why there is none, as JSON. Source: `interfaces`, "Explain: the plan as JSON".

use serde::Serialize;
use waystation_catalog::Catalog;
use waystation_core::{InvalidRequest, ModelId, Tag, UsdPerMTok};

use crate::{Constraint, Dropped, NoRoute, NoRouteCode, Plan, Planned, Strategy, Whys};

/// What `waystation explain` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The models as they were asked for.
    pub requested: Vec<String>,
    /// How the first model was found, or looked for in vain; `null` where the request was refused before
    /// anything was.
    pub strategy: Option<Strategy>,
    /// The seed.
    pub seed: u64,
    /// What would be tried, in order.
    pub attempts: Vec<ExplainedAttempt>,
    /// What would not.
    pub dropped: Vec<Dropped>,
    /// What the client should know.
    pub notes: Vec<String>,
    /// Why there is no plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ExplainedError>,
}

/// One endpoint that would be tried.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedAttempt {
    /// The model as the reply would name it.
    pub model: ModelId,
    /// The provider's display name.
    pub provider: String,
    /// The endpoint's tag.
    pub endpoint: Tag,
    /// What the provider calls the model.
    pub upstream_model: String,
    /// What it charges below every step.
    pub price: ExplainedPrice,
    /// Why it stands here.
    pub why: Whys,
}

/// Dollars per million tokens; `null` is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedPrice {
    /// Of the prompt.
    pub prompt: Option<UsdPerMTok>,
    /// Of the answer.
    pub completion: Option<UsdPerMTok>,
}

/// Why there is no plan: what the chat request would be answered.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedError {
    /// The HTTP status.
    pub code: u16,
    /// The published error type.
    pub error_type: &'static str,
    /// The message.
    pub message: String,
    /// `error.availability`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability: Option<ExplainedAvailability>,
}

/// `error.availability`. Source: API contract, section 2.4.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedAvailability {
    /// Its code.
    pub code: NoRouteCode,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// The models as they were asked for.
    pub requested_models: Vec<String>,
    /// What dropped the endpoints.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excluded_by: Vec<&'static str>,
    /// The most frequent constraint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constraint: Option<Constraint>,
}

/// Puts a plan, or why there is none, into words. The catalogue gives the providers' names.
///
/// ```
/// use waystation_catalog::Catalog;
/// use waystation_core::{Ask, Seed};
/// use waystation_router::{HealthView, RoutingPolicy, World, explain, plan};
///
/// let (catalog, mut ask) = (Catalog::empty(), Ask::default());
/// ask.models = vec!["acme/none".parse()?];
/// let (health, policy) = (HealthView::default(), RoutingPolicy::default());
/// let world = World {
///     catalog: &catalog,
///     health: &health,
///     now: Default::default(),
///     usable: &|_| true,
///     dialects: &[],
///     policy: &policy,
/// };
/// let explained = explain(&plan(&ask, &world, Seed::new(1)), &catalog);
/// assert_eq!(explained.error.map(|error| error.code), Some(400));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn explain(result: &Result<Plan, Box<NoRoute>>, catalog: &Catalog) -> Explanation {
    match result {
        Ok(plan) => Explanation {
            requested: plan.requested.clone(),
            strategy: Some(plan.strategy),
            seed: plan.seed.get(),
            attempts: plan.attempts.iter().map(|p| attempt(p, catalog)).collect(),
            dropped: plan.trace.dropped.clone(),
            notes: plan.trace.notes.clone(),
            error: None,
        },
        Err(none) => Explanation {
            requested: none.requested.clone(),
            strategy: Some(none.strategy),
            seed: none.seed.get(),
            attempts: Vec::new(),
            dropped: none.trace.dropped.clone(),
            notes: none.trace.notes.clone(),
            error: Some(error(none)),
        },
    }
}

// === impl Explanation ===

impl Explanation {
    /// The line of a request that is refused before it is a question.
    #[must_use]
    pub fn refused(refused: &InvalidRequest, seed: u64) -> Self {
        Self {
            requested: Vec::new(),
            strategy: None,
            seed,
            attempts: Vec::new(),
            dropped: Vec::new(),
            notes: Vec::new(),
            error: Some(ExplainedError {
                code: refused.kind.status().as_u16(),
                error_type: refused.kind.as_str(),
                message: refused.to_string(),
                availability: None,
            }),
        }
    }
}

/// One endpoint, with its provider's name from the catalogue.
fn attempt(planned: &Planned, catalog: &Catalog) -> ExplainedAttempt {
    let endpoint = &planned.endpoint;
    let slug = endpoint.provider.as_str();
    let name = catalog
        .provider(slug)
        .map_or(slug, |provider| &*provider.upstream.name);
    ExplainedAttempt {
        model: planned.model.clone(),
        provider: name.to_owned(),
        endpoint: endpoint.tag.clone(),
        upstream_model: endpoint.upstream_model.to_string(),
        price: ExplainedPrice {
            prompt: endpoint.price.rates.prompt,
            completion: endpoint.price.rates.completion,
        },
        why: planned.why,
    }
}

/// The body that the chat request would get. Nothing here changes by waiting.
fn error(none: &NoRoute) -> ExplainedError {
    ExplainedError {
        code: none.kind.status().as_u16(),
        error_type: none.kind.as_str(),
        message: none.message.clone(),
        availability: none.code.map(|code| ExplainedAvailability {
            code,
            retryable: false,
            requested_models: none.requested.clone(),
            excluded_by: none.excluded_by.clone(),
            constraint: none.constraint.clone(),
        }),
    }
}
