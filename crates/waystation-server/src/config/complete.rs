//! Fills in every default, checks every range, and lays command line and environment over the
//! file. Providers, models and plugins have files of their own.

use std::{collections::BTreeMap, ops::RangeInclusive, path::PathBuf, time::Duration};

use waystation_core::{MaxPrice, ModelId, ModelRef, PresetSlug, RawJson};

use super::{
    document::{Places, element, join},
    environment::Environment,
    failure::{Place, Problems},
    listen::Listen,
    plugins,
    raw::{
        Collection, Exact, JsonTable, RawAuth, RawCatalog, RawConfig, RawMaxPrice, RawRetries,
        RawRouting, RawSecret, RawServer, RawTimeouts,
    },
    settings::{
        Auth, CatalogRules, ClientKey, Compat, Config, FallbackOn, Limits, Listing, MinTrust,
        Retries, Routing, Server, Timeouts,
    },
};

/// The shortest client key, in characters.
const SHORTEST_KEY: usize = 16;
/// The longest time that any setting may have: a day.
const DAY_MS: u64 = 86_400_000;

/// What the command line says about the configuration. The default says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--config`: the file to read, which must exist.
    pub config: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<String>,
    /// `--admin-listen`.
    pub admin_listen: Option<String>,
    /// `--env-file`: more variables.
    pub env_file: Option<PathBuf>,
    /// `--simulate`: simulated upstreams, whatever is configured.
    pub simulate: bool,
    /// `--insecure-open`: no keys on a listener that others can reach.
    pub insecure_open: bool,
}

/// What a value of the file is completed with.
pub(super) struct Context<'a> {
    pub(super) places: &'a Places,
    pub(super) env: &'a Environment,
    pub(super) flags: &'a Flags,
    pub(super) problems: Problems,
    pub(super) warnings: Vec<String>,
    /// Models of the file, by their place in it, that it gives no endpoint.
    pub(super) models_without_endpoints: Vec<(usize, ModelId)>,
}

// === impl Context ===

impl Context<'_> {
    /// Notes an error at `path` of the file.
    pub(super) fn wrong(&mut self, path: &str, message: &str) {
        self.problems.note(self.places.error(path, message));
    }

    /// Notes an error at a place that need not be in the file.
    pub(super) fn wrong_at(&mut self, place: Place, message: &str) {
        self.problems.note(place.error(self.places.hidden(message)));
    }

    /// The number at `path`, or its default; one outside of `range` is noted.
    fn number(
        &mut self,
        path: &str,
        found: Option<u64>,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> u64 {
        let number = found.unwrap_or(default);
        if !range.contains(&number) {
            let (low, high) = (range.start(), range.end());
            let message = if *high == u64::MAX {
                format!("expected a number from {low} up, found {number}")
            } else {
                format!("expected a number from {low} to {high}, found {number}")
            };
            self.wrong(path, &message);
        }
        number
    }

    /// A count from 1 up that fits memory.
    pub(super) fn count(&mut self, path: &str, found: Option<u64>, default: u64) -> usize {
        let number = self.number(path, found, default, 1..=u64::from(u32::MAX));
        usize::try_from(number).unwrap_or(usize::MAX)
    }

    /// A time in milliseconds, from `least` to a day.
    fn millis(&mut self, path: &str, found: Option<u64>, default: u64, least: u64) -> Duration {
        Duration::from_millis(self.number(path, found, default, least..=DAY_MS))
    }

    /// The time limits at `path`; absent ones are those of `base`.
    pub(super) fn timeouts(&mut self, path: &str, raw: &RawTimeouts, base: Timeouts) -> Timeouts {
        let mut limit = |key: &str, found: Option<u64>, base: Duration| {
            let base = u64::try_from(base.as_millis()).unwrap_or(DAY_MS);
            self.millis(&join(path, key), found, base, 1)
        };
        Timeouts {
            connect: limit("connect", raw.connect, base.connect),
            first_byte: limit("first_byte", raw.first_byte, base.first_byte),
            first_token: limit("first_token", raw.first_token, base.first_token),
            first_token_reasoning: limit(
                "first_token_reasoning",
                raw.first_token_reasoning,
                // A limit on first tokens that is set above the default holds for reasoning too.
                base.first_token_reasoning
                    .max(Duration::from_millis(raw.first_token.unwrap_or_default())),
            ),
            idle: limit("idle", raw.idle, base.idle),
            whole: limit("whole", raw.whole, base.whole),
        }
    }

    /// A wish that may stand on the command line, in the environment or in the file, in this order.
    fn listen(
        &mut self,
        flag: (&str, Option<&str>),
        variable: &str,
        key: (&str, Option<&str>),
        default: &str,
    ) -> Option<Listen> {
        let (text, place) = match (flag.1, self.env.get(variable), key.1) {
            (Some(text), ..) => (text, Place::flag(flag.0)),
            (None, Some(text), _) => (text, Place::variable(variable)),
            (None, None, Some(text)) => (text, self.places.of(key.0)),
            (None, None, None) => (default, Place::default()),
        };
        if text == "off" && key.0.ends_with("admin_listen") {
            return None;
        }
        match text.parse() {
            Ok(listen) => Some(listen),
            Err(error) => {
                self.wrong_at(place, &format!("{error}"));
                None
            }
        }
    }
}

/// The time limits that hold where nothing else is said. Source: `[timeouts]` of the reference.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(3),
    first_byte: Duration::from_secs(60),
    first_token: Duration::from_secs(120),
    first_token_reasoning: Duration::from_secs(600),
    idle: Duration::from_secs(60),
    whole: Duration::from_secs(600),
};

/// Completes everything but providers and models. What is wrong is noted in `cx`, and the value
/// returned then only serves to look for more.
pub(super) fn config(raw: &mut RawConfig, cx: &mut Context<'_>) -> Config {
    let reserved = reserved(raw);
    for path in reserved {
        let place = cx.places.of(path);
        cx.warnings.push(format!(
            "{place}: taken, but without effect in this version"
        ));
    }
    let auth = auth(std::mem::take(&mut raw.auth), cx);
    let server = server(std::mem::take(&mut raw.server), !auth.keys.is_empty(), cx);
    Config {
        auth,
        server,
        catalog: catalog(&mut raw.catalog, cx),
        routing: routing(std::mem::take(&mut raw.routing), cx),
        compat: Compat {
            models_cap: cx.count("compat.models_cap", raw.compat.models_cap, 16),
        },
        aliases: aliases(std::mem::take(&mut raw.aliases), cx),
        presets: presets(std::mem::take(&mut raw.presets), cx),
        timeouts: cx.timeouts("timeouts", &raw.timeouts, TIMEOUTS),
        retries: retries(&raw.retries, cx),
        limits: Limits {
            max_concurrent: cx.count("limits.max_concurrent", raw.limits.max_concurrent, 256),
        },
        fetch: plugins::fetch(&raw.plugins, cx),
        plugins: plugins::plugins(std::mem::take(&mut raw.plugins), cx),
    }
}

/// The keys of the file that later versions will act on, and this one does not.
fn reserved(raw: &RawConfig) -> impl Iterator<Item = &'static str> + use<> {
    let keys = [
        ("auth.management_keys", raw.auth.management_keys.is_some()),
        ("ledger.url", raw.ledger.url.is_some()),
        ("shared_state.url", raw.shared_state.url.is_some()),
    ];
    keys.into_iter()
        .filter_map(|(path, written)| written.then_some(path))
}

fn server(raw: RawServer, keyed: bool, cx: &mut Context<'_>) -> Server {
    let flags = cx.flags;
    let listen = cx.listen(
        ("--listen", flags.listen.as_deref()),
        "WAYSTATION_LISTEN",
        ("server.listen", raw.listen.as_deref()),
        "127.0.0.1:8080",
    );
    let admin_listen = cx.listen(
        ("--admin-listen", flags.admin_listen.as_deref()),
        "WAYSTATION_ADMIN_LISTEN",
        ("server.admin_listen", raw.admin_listen.as_deref()),
        "127.0.0.1:8081",
    );
    if listen.is_some() && listen == admin_listen && listen.as_ref().is_some_and(|l| l.port() != 0)
    {
        let message = "expected an address other than that of `listen`; \"off\" turns it off";
        cx.wrong("server.admin_listen", message);
    }
    let cors_origins = cors_origins(raw.cors_origins, keyed, cx);
    let keepalive = ("server.keepalive_first_ms", "server.keepalive_ms");
    let connections = (
        "server.max_connections",
        "server.max_connections_per_address",
    );
    let any = 0..=u64::from(u32::MAX);
    Server {
        // An address that is wrong has been noted; the default only takes its place.
        listen: listen.unwrap_or_else(Listen::default_data_plane),
        admin_listen,
        max_body_bytes: cx.number(
            "server.max_body_bytes",
            raw.max_body_bytes,
            52_428_800,
            1..=u64::from(u32::MAX),
        ),
        drain: cx.millis("server.drain_ms", raw.drain_ms, 30_000, 0),
        keepalive_first: cx.millis(keepalive.0, raw.keepalive_first_ms, 10_000, 1),
        keepalive: cx.millis(keepalive.1, raw.keepalive_ms, 15_000, 1),
        head: cx.millis("server.head_ms", raw.head_ms, 30_000, 1),
        idle: cx.millis("server.idle_ms", raw.idle_ms, 120_000, 1),
        body: cx.millis("server.body_ms", raw.body_ms, 30_000, 1),
        write: cx.millis("server.write_ms", raw.write_ms, 300_000, 1),
        max_head_bytes: cx.number(
            "server.max_head_bytes",
            raw.max_head_bytes,
            417_792,
            8_192..=16_777_216,
        ),
        max_streams: cx.number(
            "server.max_streams",
            raw.max_streams,
            20_000,
            1..=u64::from(u32::MAX),
        ),
        max_connections: cx.number(connections.0, raw.max_connections, 0, any.clone()),
        max_connections_per_address: cx.number(
            connections.1,
            raw.max_connections_per_address,
            0,
            any,
        ),
        max_buffered_bytes: cx.number(
            "server.max_buffered_bytes",
            raw.max_buffered_bytes,
            1 << 30,
            1024..=u64::MAX,
        ),
        cors_origins,
    }
}

fn cors_origins(raw: Option<Vec<String>>, keyed: bool, cx: &mut Context<'_>) -> Vec<String> {
    let origins = raw.unwrap_or_default();
    for (place, origin) in origins.iter().enumerate() {
        if let Some(message) = origin_fault(origin, keyed) {
            cx.wrong(&element("server.cors_origins", place), message);
        }
    }
    origins
}

fn origin_fault(origin: &str, keyed: bool) -> Option<&'static str> {
    if origin == "*" {
        let message = "expected named origins: \"*\" without client keys would let every web page \
                       spend your money";
        return (!keyed).then_some(message);
    }
    let host = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', ' ', '*']) => None,
        _ => Some("expected an origin such as https://app.example (scheme and host, no path)"),
    }
}

fn auth(raw: RawAuth, cx: &mut Context<'_>) -> Auth {
    let management = raw.management_keys.unwrap_or_default();
    let mut keys = checked_keys("auth.keys", raw.keys.unwrap_or_default(), cx);
    for variable in ["WAYSTATION_API_KEYS", "WAYSTATION_API_KEY"] {
        let list = cx.env.get(variable).unwrap_or_default();
        for text in list.split(',').map(str::trim).filter(|key| !key.is_empty()) {
            if let Some(message) = key_fault(text) {
                cx.wrong_at(Place::variable(variable), &message);
            }
            keys.push(RawSecret::new(text));
        }
    }
    let management = checked_keys("auth.management_keys", management, cx);
    Auth {
        keys: named(keys),
        management_keys: named(management),
        insecure_open: cx.flags.insecure_open,
    }
}

fn checked_keys(path: &str, keys: Vec<RawSecret>, cx: &mut Context<'_>) -> Vec<RawSecret> {
    for (place, key) in keys.iter().enumerate() {
        if let Some(message) = key_fault(key.0.expose()) {
            cx.wrong(&element(path, place), &message);
        }
    }
    keys
}

fn key_fault(key: &str) -> Option<String> {
    let length = key.chars().count();
    if length < SHORTEST_KEY {
        return Some(format!(
            "expected a key of at least {SHORTEST_KEY} characters, found {length}"
        ));
    }
    let printable = key.bytes().all(|b| b.is_ascii_graphic());
    (!printable).then(|| "expected a key of printable ASCII characters without spaces".into())
}

fn named(keys: Vec<RawSecret>) -> Vec<ClientKey> {
    let mut all: Vec<ClientKey> = Vec::with_capacity(keys.len());
    for RawSecret(secret) in keys {
        if !all.iter().any(|known| known.secret == secret) {
            let name = format!("key-{}", all.len() + 1).into();
            all.push(ClientKey { name, secret });
        }
    }
    all
}

fn catalog(raw: &mut RawCatalog, cx: &mut Context<'_>) -> CatalogRules {
    let default_model = raw.default_model.take();
    if let Some(Err(error)) = default_model.as_deref().map(str::parse::<ModelRef>) {
        cx.wrong("catalog.default_model", &error.to_string());
    }
    CatalogRules {
        bundled: raw.bundled.unwrap_or(true),
        default_model,
        list: raw.list.unwrap_or(Listing::All),
        min_trust: raw.min_trust.unwrap_or(MinTrust::Any),
        bare_ids: raw.bare_ids.unwrap_or(false),
        providers_from_env: raw.providers_from_env.unwrap_or(false),
    }
}

fn routing(raw: RawRouting, cx: &mut Context<'_>) -> Routing {
    let explore = raw.explore.unwrap_or(0.05);
    if !(0.0..=1.0).contains(&explore) {
        let message = format!("expected a share from 0 to 1, found {explore}");
        cx.wrong("routing.explore", &message);
    }
    Routing {
        sort: raw.sort,
        only: raw.only.unwrap_or_default(),
        ignore: raw.ignore.unwrap_or_default(),
        deny_data_collection: raw.data_collection == Some(Collection::Deny),
        zdr: raw.zdr.unwrap_or(false),
        max_price: max_price(&raw.max_price, cx),
        strict: raw.strict.unwrap_or(false),
        explore,
        fallback_on: raw.fallback_on.unwrap_or_else(|| vec![FallbackOn::Any]),
        clamp_max_tokens: raw.clamp_max_tokens.unwrap_or(false),
        byok_first: raw.byok_first.unwrap_or(false),
    }
}

fn max_price(raw: &RawMaxPrice, cx: &mut Context<'_>) -> MaxPrice {
    let pairs = [
        (
            "input",
            "prompt",
            raw.input.is_some() && raw.prompt.is_some(),
        ),
        (
            "output",
            "completion",
            raw.output.is_some() && raw.completion.is_some(),
        ),
    ];
    for (one, other, both) in pairs {
        if both {
            let path = join("routing.max_price", one);
            cx.wrong(&path, &format!("expected it or `{other}`, found both"));
        }
    }
    MaxPrice {
        prompt: raw.prompt.or(raw.input).map(|Exact(price)| price),
        completion: raw.completion.or(raw.output).map(|Exact(price)| price),
        request: raw.request.map(|Exact(price)| price),
        image: raw.image.map(|Exact(price)| price),
        audio: raw.audio.map(|Exact(price)| price),
    }
}

fn retries(raw: &RawRetries, cx: &mut Context<'_>) -> Retries {
    Retries {
        max_attempts: cx.count("retries.max_attempts", raw.max_attempts, 6),
        deadline: cx.millis("retries.deadline", raw.deadline, 900_000, 1),
        hedge: raw.hedge.unwrap_or(false),
        continue_: raw.continue_.unwrap_or(false),
    }
}

fn aliases(raw: BTreeMap<String, String>, cx: &mut Context<'_>) -> BTreeMap<ModelId, ModelId> {
    let mut all = BTreeMap::new();
    for (name, target) in raw {
        let path = join("aliases", &name);
        match (alias_name(&name), alias_target(&target)) {
            (Ok(name), Ok(target)) => {
                all.insert(name, target);
            }
            (Err(message), _) | (_, Err(message)) => cx.wrong(&path, &message),
        }
    }
    all
}

fn alias_name(name: &str) -> Result<ModelId, String> {
    if name.contains([':', '~', '@']) {
        let plain = name.split([':', '@']).next().unwrap_or_default();
        let plain = plain.trim_start_matches('~');
        return Err(format!(
            "expected a name without `:`, `~` and `@`, which requests add, such as {plain:?}"
        ));
    }
    name.parse().map_err(|error| format!("{error}"))
}

fn alias_target(target: &str) -> Result<ModelId, String> {
    let read: ModelRef = target.parse().map_err(|error| format!("{error}"))?;
    match read {
        ModelRef {
            latest: false,
            name: Some(id),
            sort: None,
            online: false,
            preset: None,
        } => Ok(id),
        _ => Err(format!(
            "expected a model id without routing suffix, `~` and `@preset`, found {target:?}"
        )),
    }
}

fn presets(
    raw: BTreeMap<PresetSlug, JsonTable>,
    cx: &mut Context<'_>,
) -> BTreeMap<PresetSlug, RawJson> {
    let mut all = BTreeMap::new();
    for (name, JsonTable(text)) in raw {
        match RawJson::parse(&text.into()) {
            Ok(body) => {
                all.insert(name, body);
            }
            Err(error) => {
                let path = join("presets", name.as_str());
                cx.wrong(&path, &format!("expected a partial chat body: {error}"));
            }
        }
    }
    all
}
