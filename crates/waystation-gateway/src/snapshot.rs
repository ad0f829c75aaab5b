//! Everything that one request sees of the configuration, captured once at its entry.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use rustc_hash::FxHashMap;
use waystation_catalog::Catalog;
use waystation_core::{
    Credentials, DialectId, ErrorType, Plugins, ProviderSlug, Quota, Ranker, Upstream,
};
use waystation_router::RoutingPolicy;

/// One consistent configuration. A reload publishes a new one; requests under way keep theirs.
///
/// What is measured (health, breakers, the ledger) is not part of it: that is keyed by endpoint id and
/// outlives every reload.
pub struct Snapshot {
    /// Models and endpoints, the operator's included.
    pub catalog: Arc<Catalog>,
    /// How to reach each enabled provider. Slugs are the operator's, so a hash for speed will do.
    pub routes: FxHashMap<ProviderSlug, Arc<Route>>,
    /// Keys.
    pub credentials: Arc<dyn Credentials>,
    /// Plugins.
    pub plugins: Arc<dyn Plugins>,
    /// The auto router.
    pub ranker: Arc<dyn Ranker>,
    /// The operator's routing defaults and bounds.
    pub policy: RoutingPolicy,
    /// The rest.
    pub settings: Settings,
}

/// How to reach one provider, and how much of it to use. The same for all of its endpoints.
pub struct Route {
    /// Address, authentication, quirks.
    pub upstream: Arc<Upstream>,
    /// The same for the dialects that the provider speaks at another address.
    pub wires: BTreeMap<DialectId, Arc<Upstream>>,
    /// Time limits.
    pub timeouts: Timeouts,
    /// One permit per request under way.
    pub permits: Quota,
}

/// What [`Route::new`] needs beyond the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteLimits {
    /// Time limits.
    pub timeouts: Timeouts,
    /// The most requests under way at once.
    pub max_concurrent: usize,
}

/// Time limits of one upstream call. Source: `interfaces`, `[timeouts]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To open a connection.
    pub connect: Duration,
    /// Streamed: to the response's head.
    pub first_byte: Duration,
    /// Streamed: to the first content, reasoning or tool delta.
    pub first_token: Duration,
    /// Streamed: the same, where reasoning is on.
    pub first_token_reasoning: Duration,
    /// Streamed: between any two reads.
    pub idle: Duration,
    /// Whole: from sending to the last byte.
    pub whole: Duration,
}

/// Bounds on trying again. Source: `interfaces`, `[retries]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Over all endpoints and models of one request.
    pub max_attempts: usize,
    /// Whole replies: all attempts together.
    pub deadline: Duration,
    /// Which failures lead to the next endpoint.
    pub fallback_on: Triggers,
    /// Whether a slow stream gets a second attempt beside it, where the request does not say.
    pub hedge: bool,
    /// Whether a text that broke off is gone on with elsewhere, where the request does not say.
    pub continued: bool,
}

/// The classes of failure that lead to the next endpoint or model; others end the request. Another
/// key of the same endpoint is tried in any case. Source: `interfaces`, `[routing] fallback_on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triggers {
    /// Every failure that another endpoint might not have.
    pub any: bool,
    /// 429.
    pub rate_limit: bool,
    /// 5xx, overload, and replies that make no sense.
    pub server_error: bool,
    /// A time limit passed.
    pub timeout: bool,
    /// No connection, or one that broke.
    pub network: bool,
    /// A refused credential or an empty account.
    pub credentials: bool,
}

/// Settings of the loop itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bounds on trying again.
    pub retries: Retries,
    /// Upstreams are simulated: replies cost nothing and say so.
    pub simulated: bool,
}

// === impl Snapshot ===

impl Snapshot {
    /// Whether endpoints of `provider` are candidates: it is enabled and has a credential, or needs
    /// none.
    #[must_use]
    pub fn is_usable(&self, provider: &ProviderSlug) -> bool {
        self.routes.contains_key(provider) && self.credentials.has(provider)
    }
}

// === impl Route ===

impl Route {
    /// A route with all of its permits free.
    #[must_use]
    pub fn new(upstream: Arc<Upstream>, limits: RouteLimits) -> Self {
        Self {
            upstream,
            wires: BTreeMap::new(),
            timeouts: limits.timeouts,
            permits: Quota::of(limits.max_concurrent),
        }
    }

    /// The provider as the codec of `dialect` reaches it.
    #[must_use]
    pub fn wire(&self, dialect: &DialectId) -> &Upstream {
        self.wires.get(dialect).unwrap_or(&self.upstream)
    }
}

// === impl Triggers ===

impl Triggers {
    /// No failure at all.
    pub const NONE: Self = Self {
        any: false,
        rate_limit: false,
        server_error: false,
        timeout: false,
        network: false,
        credentials: false,
    };
    /// Every failure, which is the default.
    pub const ANY: Self = Self {
        any: true,
        ..Self::NONE
    };

    /// Whether a failure of this kind leads on. `network` says that the connection failed.
    #[must_use]
    pub const fn cover(self, kind: ErrorType, network: bool) -> bool {
        let class = match kind {
            _ if network => self.network,
            ErrorType::RateLimitExceeded => self.rate_limit,
            ErrorType::Timeout => self.timeout,
            ErrorType::Authentication
            | ErrorType::PermissionDenied
            | ErrorType::PaymentRequired => self.credentials,
            ErrorType::Server
            | ErrorType::Unmapped
            | ErrorType::ProviderUnavailable
            | ErrorType::ProviderOverloaded => self.server_error,
            _ => false,
        };
        self.any || class
    }
}

impl Default for Timeouts {
    /// The documented defaults.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            first_byte: Duration::from_secs(60),
            first_token: Duration::from_secs(120),
            first_token_reasoning: Duration::from_secs(600),
            idle: Duration::from_secs(60),
            whole: Duration::from_secs(600),
        }
    }
}

impl Default for Retries {
    /// The documented defaults.
    fn default() -> Self {
        Self {
            max_attempts: 6,
            deadline: Duration::from_secs(900),
            fallback_on: Triggers::ANY,
            hedge: false,
            continued: false,
        }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("provider", &self.upstream.slug)
            .finish_non_exhaustive()
    }
}
