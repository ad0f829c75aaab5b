//! What a plan is made in: the catalogue, the health of endpoints, the operator's bounds. Plain
//! data and two questions; nothing here acts.

use std::fmt;

use waystation_catalog::Catalog;
use waystation_core::{DialectId, MaxPrice, Now, ProviderSlug, SortBy, Trust};

use crate::HealthView;

/// Everything beside the question that a plan depends on.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Models and endpoints.
    pub catalog: &'a Catalog,
    /// How endpoints fared lately.
    pub health: &'a HealthView,
    /// When the plan is made.
    pub now: Now,
    /// Whether a provider has a credential, or needs none. Must answer alike for one plan.
    pub usable: &'a dyn Fn(&ProviderSlug) -> bool,
    /// The dialects that have a codec.
    pub dialects: &'a [DialectId],
    /// The operator's defaults and bounds.
    pub policy: &'a RoutingPolicy,
}

/// The operator's routing defaults and bounds (`[routing]`, `[compat]`, `[catalog] min_trust`). A
/// client's `only` intersects with these, its `ignore` unites with them, of two price caps the
/// lower holds.
#[derive(Clone, Debug, PartialEq)]
pub struct RoutingPolicy {
    /// What to sort by when the request says nothing; `None` is the weighted draw.
    pub sort: Option<SortBy>,
    /// The only providers to use; empty is no restriction.
    pub only: Vec<String>,
    /// Providers not to use.
    pub ignore: Vec<String>,
    /// Every request is taken to say `data_collection: "deny"`.
    pub deny_data_collection: bool,
    /// Every request is taken to say `zdr: true`.
    pub zdr: bool,
    /// Caps on every request.
    pub max_price: MaxPrice,
    /// Provider names that match nothing are refused with 400, and tools that no endpoint of a
    /// model supports drop the model.
    pub strict: bool,
    /// Rows less trusted than this are dropped.
    pub min_trust: Option<Trust>,
    /// The most entries that `models` may have.
    pub models_cap: usize,
    /// Of a million plans sorted by speed, how many start at an unmeasured endpoint. 0 is off, and
    /// what `explain` uses.
    pub explore_ppm: u32,
    /// A limit on output that an endpoint does not reach is lowered instead of dropping it.
    pub clamp_max_tokens: bool,
    /// The model of requests that name none.
    pub default_model: Option<String>,
    /// An id without an author stands for the one model of that slug, where there is but one.
    pub bare_ids: bool,
    /// Endpoints that the operator's own keys reach go before those of aggregators, whatever else
    /// orders them, within each model.
    pub byok_first: bool,
}

// === impl World ===

impl fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now)
            .field("dialects", &self.dialects)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

// === impl RoutingPolicy ===

impl Default for RoutingPolicy {
    /// No bounds; at most 16 models, as the API contract, section 5, has it; no exploring.
    fn default() -> Self {
        Self {
            sort: None,
            only: Vec::new(),
            ignore: Vec::new(),
            deny_data_collection: false,
            zdr: false,
            max_price: MaxPrice::default(),
            strict: false,
            min_trust: None,
            models_cap: 16,
            explore_ppm: 0,
            clamp_max_tokens: false,
            default_model: None,
            bare_ids: false,
            byok_first: false,
        }
    }
}
