//! The running gateway's state: the composed parts, and the live configuration beside them.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use http::HeaderValue;
use waystation_auto::Learned;
use waystation_core::{
    Clock, Credentials, Document, DocumentJob, Fetcher, ParseError, Quota, Sandbox, Share, SortBy,
    Transport, Trust, UnixMs,
};
use waystation_gateway::{
    Codecs, Gateway, MemoryLedger, Parts, Route, RouteLimits, Settings, Snapshot, TokioClock,
    Triggers,
};
use waystation_router::RoutingPolicy;
use waystation_tokens::Counts;
use waystation_transport::GuardedFetcher;

use crate::{
    auth::ClientKeys,
    auto_router,
    body::Room,
    chance,
    config::{self, Config, EnabledProvider, FallbackOn, MinTrust, Resolved, Sort},
    credentials::{SimulatedCredentials, StaticCredentials},
    ending::End,
    metrics::Metrics,
    plugins, rim, sandbox,
    telemetry::Telemetry,
};

/// How many generations the ledger keeps.
const LEDGER_ENTRIES: usize = 10_000;

/// Everything that routes share.
pub struct App {
    gateway: Gateway,
    ledger: Arc<MemoryLedger>,
    metrics: Arc<Metrics>,
    live: ArcSwap<Live>,
    places: Quota,
    room: Room,
    end: End,
    instance: HeaderValue,
    outside: Outside,
    learned: Arc<Learned>,
}

/// What plugins may use of the world outside, beside the network.
#[derive(Clone, Default)]
pub struct Outside {
    /// Reads foreign files. Without one they go only to models that take files.
    pub sandbox: Option<Arc<dyn Sandbox>>,
    /// Fetches files by address. Without one they, too, go only to models that take files.
    pub fetcher: Option<Arc<dyn Fetcher>>,
}

/// What a reload replaces.
#[derive(Debug)]
pub struct Live {
    /// Settings.
    pub config: Config,
    /// The clients' keys.
    pub keys: ClientKeys,
    /// Upstreams are simulated.
    pub simulated: bool,
    /// The providers' credentials; `None` while upstreams are simulated.
    pub credentials: Option<Arc<StaticCredentials>>,
}

/// Stands where there is no sandbox.
#[derive(Debug)]
struct NoDocuments;

// === impl App ===

impl App {
    /// Composes the gateway over `transport`.
    #[must_use]
    pub fn new(resolved: Resolved, transport: Arc<dyn Transport>) -> Arc<Self> {
        let clock = Arc::new(TokioClock::start());
        let fetcher = GuardedFetcher::new()
            .inspect_err(|error| tracing::warn!("files by address are not fetched: {error}"))
            .ok();
        let outside = Outside {
            sandbox: sandbox::of_this_program(),
            fetcher: fetcher.map(|fetcher| Arc::new(fetcher) as Arc<dyn Fetcher>),
        };
        Self::composed(resolved, transport, clock, outside)
    }

    /// The same with a clock of the caller's, and without anything outside.
    #[must_use]
    pub fn with_clock(
        resolved: Resolved,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        Self::composed(resolved, transport, clock, Outside::default())
    }

    /// The same with a sandbox and a fetcher of the caller's.
    #[must_use]
    pub fn composed(
        resolved: Resolved,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        outside: Outside,
    ) -> Arc<Self> {
        let sandbox = outside.sandbox.clone();
        let instance = HeaderValue::from_str(&format!("{:016x}", chance::draw()))
            .unwrap_or_else(|_| HeaderValue::from_static("0"));
        let ledger = Arc::new(MemoryLedger::new(LEDGER_ENTRIES));
        let metrics = Arc::new(Metrics::default());
        let parts = Parts {
            codecs: codecs(resolved.simulated),
            transport,
            clock: Arc::clone(&clock),
            hop: Some((rim::HOP.clone(), instance.clone())),
            ledger: Arc::new(Telemetry::new(Arc::clone(&ledger), Arc::clone(&metrics))),
            tokens: Arc::new(Counts::new(Box::new(elsewhere))),
            sandbox: sandbox.unwrap_or_else(|| Arc::new(NoDocuments)),
            chance: Arc::new(chance::draw),
        };
        let max_streams = usize::try_from(resolved.config.server.max_streams).unwrap_or(usize::MAX);
        let room = Room::of(resolved.config.server.max_buffered_bytes);
        let world = (clock, Arc::clone(&parts.transport));
        let learned = Arc::new(Learned::default());
        let (live, snapshot) = split(resolved, world, &outside, &learned);
        Arc::new(Self {
            gateway: Gateway::new(parts, Arc::new(snapshot)),
            ledger,
            metrics,
            live: ArcSwap::from_pointee(live),
            places: Quota::of(max_streams),
            room,
            end: End::default(),
            instance,
            outside,
            learned,
        })
    }

    /// Publishes a new configuration; listeners and the number of streams stay as they were.
    pub fn reload(&self, resolved: Resolved) {
        let parts = self.gateway.parts();
        let world = (Arc::clone(&parts.clock), Arc::clone(&parts.transport));
        let (live, snapshot) = split(resolved, world, &self.outside, &self.learned);
        self.live.store(Arc::new(live));
        self.gateway.publish(Arc::new(snapshot));
    }

    /// Replaces tokens of providers that expire soon. To be called every few seconds.
    pub async fn renew_credentials(&self) {
        let live = self.live();
        if let Some(credentials) = &live.credentials {
            credentials.renew().await;
        }
    }

    /// The gateway.
    #[must_use]
    pub const fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// The records.
    #[must_use]
    pub fn ledger(&self) -> &MemoryLedger {
        &self.ledger
    }

    /// What the auto router learned from feedback.
    #[must_use]
    pub const fn learned(&self) -> &Arc<Learned> {
        &self.learned
    }

    /// What is counted.
    #[must_use]
    pub const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// How many chat requests are under way, and at most.
    #[must_use]
    pub fn under_way(&self) -> (usize, usize) {
        (self.places.taken(), self.places.places())
    }

    /// The memory for bodies of requests.
    #[must_use]
    pub const fn room(&self) -> &Room {
        &self.room
    }

    /// Whether what is under way has to end.
    #[must_use]
    pub const fn end(&self) -> &End {
        &self.end
    }

    /// The configuration of requests that begin now.
    #[must_use]
    pub fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// The wall time.
    #[must_use]
    pub fn now(&self) -> UnixMs {
        self.gateway.parts().clock.now().unix
    }

    /// A random number.
    #[must_use]
    pub fn chance(&self) -> u64 {
        (self.gateway.parts().chance)()
    }

    /// This process's name in the hop header.
    #[must_use]
    pub const fn instance(&self) -> &HeaderValue {
        &self.instance
    }

    /// A place for one more chat request, or `None` when all are taken.
    #[must_use]
    pub fn admit(&self) -> Option<Share> {
        self.places.take(1)
    }
}

/// The wires to route to: those that have a codec and, while simulating, that the simulator speaks.
fn codecs(simulated: bool) -> Codecs {
    let spoken = |id: &str| !simulated || waystation_sim::dialects().any(|spoken| spoken == id);
    let table = waystation_providers::DIALECTS
        .iter()
        .filter(|(id, _)| spoken(id));
    let table: Vec<(&str, &'static dyn waystation_core::Codec)> = table.copied().collect();
    Codecs::of(&table)
}

/// Does work in a thread of its own: loading a vocabulary holds nobody up.
fn elsewhere(work: Box<dyn FnOnce() + Send>) {
    let thread = std::thread::Builder::new().name("vocabulary".into());
    if let Err(error) = thread.spawn(work) {
        tracing::warn!(%error, "no thread for a vocabulary: counts stay estimates");
    }
}

/// The two halves of a configuration: what routes look at, and what the gateway works with.
fn split(
    resolved: Resolved,
    (clock, transport): (Arc<dyn Clock>, Arc<dyn Transport>),
    outside: &Outside,
    learned: &Arc<Learned>,
) -> (Live, Snapshot) {
    let credentials = resolved.credentials(clock, Arc::clone(&transport));
    let Resolved {
        config,
        catalog,
        upstreams,
        simulated,
        ..
    } = resolved;
    let routes = upstreams
        .into_iter()
        .map(|(slug, provider)| (slug, Arc::new(route(provider))));
    let catalog = Arc::new(catalog);
    let keys: Arc<dyn Credentials> = match &credentials {
        Some(credentials) => Arc::clone(credentials) as Arc<dyn Credentials>,
        None => Arc::new(SimulatedCredentials),
    };
    let network = (!simulated).then_some(transport);
    let ranker = auto_router::ranker(
        &config,
        Arc::clone(&catalog),
        Arc::clone(&keys),
        learned,
        network,
    );
    let snapshot = Snapshot {
        catalog,
        routes: routes.collect(),
        credentials: keys,
        plugins: Arc::new(plugins::registry(&config, outside, simulated)),
        ranker,
        policy: policy(&config),
        settings: Settings {
            retries: waystation_gateway::Retries {
                max_attempts: config.retries.max_attempts,
                deadline: config.retries.deadline,
                fallback_on: triggers(&config.routing.fallback_on),
                hedge: config.retries.hedge,
                continued: config.retries.continue_,
            },
            simulated,
        },
    };
    let keys = config
        .auth
        .keys
        .iter()
        .map(|key| (Arc::clone(&key.name), key.secret.clone()));
    let keys = ClientKeys::new(keys.collect());
    (
        Live {
            config,
            keys,
            simulated,
            credentials,
        },
        snapshot,
    )
}

fn route(provider: EnabledProvider) -> Route {
    let config::Timeouts {
        connect,
        first_byte,
        first_token,
        first_token_reasoning,
        idle,
        whole,
    } = provider.timeouts;
    let timeouts = waystation_gateway::Timeouts {
        connect,
        first_byte,
        first_token,
        first_token_reasoning,
        idle,
        whole,
    };
    let limits = RouteLimits {
        timeouts,
        max_concurrent: provider.max_concurrent,
    };
    let mut route = Route::new(provider.upstream, limits);
    route.wires = provider.wires;
    route
}

/// The failures that lead to the next endpoint, as the gateway takes them.
fn triggers(classes: &[FallbackOn]) -> Triggers {
    let has = |class| classes.contains(&class);
    Triggers {
        any: has(FallbackOn::Any),
        rate_limit: has(FallbackOn::RateLimit),
        server_error: has(FallbackOn::ServerError),
        timeout: has(FallbackOn::Timeout),
        network: has(FallbackOn::Network),
        credentials: has(FallbackOn::Credentials),
    }
}

/// The operator's routing settings as the router takes them.
fn policy(config: &Config) -> RoutingPolicy {
    let routing = &config.routing;
    let sort = routing.sort.map(|sort| match sort {
        Sort::Price => SortBy::Price,
        Sort::Throughput => SortBy::Throughput,
        Sort::Latency => SortBy::Latency,
        Sort::Exacto => SortBy::Exacto,
    });
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share between 0 and 1 in parts per million fits"
    )]
    let explore_ppm = (routing.explore.clamp(0.0, 1.0) * 1_000_000.0) as u32;
    RoutingPolicy {
        sort,
        only: routing.only.clone(),
        ignore: routing.ignore.clone(),
        deny_data_collection: routing.deny_data_collection,
        zdr: routing.zdr,
        max_price: routing.max_price,
        strict: routing.strict,
        min_trust: (config.catalog.min_trust == MinTrust::Firm).then_some(Trust::Firm),
        models_cap: config.compat.models_cap,
        explore_ppm,
        clamp_max_tokens: routing.clamp_max_tokens,
        default_model: config.catalog.default_model.clone(),
        bare_ids: config.catalog.bare_ids,
        byok_first: routing.byok_first,
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside")
            .field("sandbox", &self.sandbox.is_some())
            .field("fetcher", &self.fetcher.is_some())
            .finish()
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("live", &self.live())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Sandbox for NoDocuments {
    async fn parse(&self, _: DocumentJob) -> Result<Document, ParseError> {
        Err(ParseError {
            reason: "there is no sandbox here to read it in".into(),
        })
    }
}
