//! Random worlds and requests as plain facts: what both engines are given. It decides nothing, and
//! knows how to hand the facts to the first engine.

use serde_json::{Value, json};
use waystation_catalog::{Catalog, Changes, EndpointChange, ModelChange, ProviderChange};
use waystation_core::{
    Ask, ChatRequest, DataPolicy, Now, Parameter, ParameterSet, Price, Seed, Tokens, Usd,
    UsdPerMTok,
};
use waystation_router::{
    HealthRow, HealthView, NoRoute, Percentiles, Plan, Recent, RoutingPolicy, World as Given, ask,
    plan,
};
use waystation_tokens::ByteBounds;

/// Parameters that endpoints differ in.
pub(crate) const PARAMETERS: [&str; 7] = [
    "temperature",
    "seed",
    "stop",
    "max_tokens",
    "tools",
    "response_format",
    "verbosity",
];

/// A world, and a request put to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Case {
    pub(crate) providers: Vec<Provider>,
    /// `acme/m0` and so on; each with its endpoints.
    pub(crate) models: Vec<Vec<Endpoint>>,
    pub(crate) policy: Policy,
    pub(crate) body: Value,
    /// Size of the prompt in tokens.
    pub(crate) prompt: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Provider {
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) key: bool,
    /// Training, kept, zero retention.
    pub(crate) data: [Option<bool>; 3],
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoint {
    pub(crate) provider: usize,
    pub(crate) tag: String,
    /// Prompt and completion, in thousandths of a dollar per million tokens.
    pub(crate) price: Option<(u64, u64)>,
    /// Above so many tokens of prompt, both prices are these.
    pub(crate) step: Option<(u64, (u64, u64))>,
    /// Per request, in thousandths of a dollar.
    pub(crate) fee: Option<u64>,
    pub(crate) context: Option<u64>,
    pub(crate) output: Option<u64>,
    pub(crate) quantization: Option<&'static str>,
    pub(crate) parameters: Vec<&'static str>,
    /// Median and slow tail, seconds.
    pub(crate) wait: Option<(u64, u64)>,
    /// Median and slow tail, tokens per second.
    pub(crate) speed: Option<(u64, u64)>,
    /// Requests and errors of the last 30 seconds.
    pub(crate) recent: Option<(u32, u32)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    pub(crate) sort: Option<&'static str>,
    pub(crate) only: Vec<String>,
    pub(crate) ignore: Vec<String>,
    pub(crate) deny: bool,
    pub(crate) zdr: bool,
    /// Cap on the prompt's price, in thousandths.
    pub(crate) cap: Option<u64>,
    pub(crate) strict: bool,
}

/// Chance: a splitmix64.
pub(crate) struct Chance(pub(crate) u64);

// === impl Chance ===

impl Chance {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len() as u64) as usize]
    }

    fn maybe<T>(&mut self, times: u64, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.one_in(times).then(|| make(self))
    }

    /// `None`, no or yes.
    fn told(&mut self) -> Option<bool> {
        [None, Some(false), Some(true)][self.below(3) as usize]
    }

    fn provider(&mut self, number: usize) -> Provider {
        let names = [
            "Alpha",
            "Beta.AI",
            "Gamma Cloud",
            "delta_x",
            "Ep-Silon",
            "Zeta",
        ];
        let slugs = [
            "alpha",
            "beta",
            "gamma-cloud",
            "delta",
            "epsilon",
            "zeta.io",
        ];
        Provider {
            slug: slugs[number].into(),
            name: names[number].into(),
            key: !self.one_in(6),
            data: [self.told(), self.told(), self.told()],
        }
    }

    fn price(&mut self) -> (u64, u64) {
        (self.below(7) * 500, self.below(7) * 500)
    }

    fn endpoint(&mut self, provider: usize, slug: &str) -> Endpoint {
        let variants = ["", "", "", "", "/turbo", "/us-east", "/flex", "/priority"];
        let variant = self.pick(&variants);
        let parameters = PARAMETERS.iter().filter(|_| !self.one_in(4));
        let parameters = parameters.copied().collect();
        let formats = ["fp4", "nvfp4", "fp8", "mxfp8", "bf16", "unknown"];
        Endpoint {
            provider,
            tag: format!("{slug}{variant}"),
            price: (!self.one_in(6)).then(|| self.price()),
            step: self.maybe(5, |c| (c.below(3) * 1_000, c.price())),
            fee: self.maybe(5, |c| c.below(3) * 10),
            context: self.maybe(3, |c| 1_000 + c.below(8) * 1_000),
            output: self.maybe(3, |c| 500 + c.below(8) * 500),
            quantization: self.maybe(2, |c| c.pick(&formats)),
            parameters,
            wait: self.maybe(2, |c| (1 + c.below(5), 3 + c.below(9))),
            speed: self.maybe(2, |c| (10 + c.below(9) * 10, 1 + c.below(50))),
            recent: self.maybe(3, |c| {
                let requests = c.below(12) as u32;
                (requests, c.below(u64::from(requests) + 1) as u32)
            }),
        }
    }

    /// A provider's name as people spell it, now and then one that means nobody.
    fn name(&mut self, providers: &[Provider]) -> String {
        let one = &providers[self.below(providers.len() as u64) as usize];
        match self.below(9) {
            0 => "nobody".into(),
            1 => one.name.clone(),
            2 => one.name.to_uppercase().replace(' ', "-"),
            3 => format!(" {} ", one.slug),
            4 => one.slug.replace('-', "_"),
            5 => format!("{}/turbo", one.slug),
            6 => format!("{}/FLEX", one.slug),
            7 => format!("{}/us_east", one.name),
            _ => one.slug.clone(),
        }
    }

    fn names(&mut self, providers: &[Provider]) -> Vec<String> {
        let count = self.below(4);
        (0..count).map(|_| self.name(providers)).collect()
    }
}

// === impl Case ===

impl Case {
    /// The case of a number.
    pub(crate) fn of(number: u64) -> Self {
        let mut chance = Chance(number.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let chance = &mut chance;
        let providers: Vec<Provider> = (0..6).map(|at| chance.provider(at)).collect();
        let mut models = Vec::new();
        for _ in 0..1 + chance.below(3) {
            let mut endpoints: Vec<Endpoint> = Vec::new();
            for _ in 0..3 + chance.below(12) {
                let provider = chance.below(6) as usize;
                let endpoint = chance.endpoint(provider, &providers[provider].slug);
                if endpoints.iter().all(|known| known.tag != endpoint.tag) {
                    endpoints.push(endpoint);
                }
            }
            models.push(endpoints);
        }
        let sorts = ["price", "throughput", "latency", "exacto"];
        let policy = Policy {
            sort: chance.maybe(8, |c| c.pick(&sorts)),
            only: chance
                .maybe(20, |c| c.names(&providers))
                .unwrap_or_default(),
            ignore: chance.maybe(8, |c| c.names(&providers)).unwrap_or_default(),
            deny: chance.one_in(25),
            zdr: chance.one_in(25),
            cap: chance.maybe(20, |c| c.below(7) * 500),
            strict: chance.one_in(20),
        };
        let body = body(chance, models.len() as u64, &providers);
        Self {
            prompt: chance.below(5) * 700,
            providers,
            models,
            policy,
            body,
        }
    }

    /// What the first engine makes of it.
    pub(crate) fn planned(&self, seed: u64) -> Result<Plan, Box<NoRoute>> {
        let catalog = self.catalog();
        let dialects = ["openai-chat".parse().unwrap()];
        let usable = |slug: &waystation_core::ProviderSlug| {
            self.providers.iter().any(|p| p.key && *slug == *p.slug)
        };
        let policy = self.routing();
        let given = Given {
            catalog: &catalog,
            health: &HealthView::fixed(self.rows()),
            now: Now::default(),
            usable: &usable,
            dialects: &dialects,
            policy: &policy,
        };
        plan(&self.ask(&policy), &given, Seed::new(seed))
    }

    fn ask(&self, policy: &RoutingPolicy) -> Ask {
        let chat = ChatRequest::parse(&self.body.to_string().into()).unwrap();
        let mut asked = ask(&chat, &ByteBounds, &Catalog::empty(), policy).unwrap();
        asked.prompt_at_least = Tokens::new(self.prompt);
        asked.prompt_estimate = Tokens::new(self.prompt);
        *asked
    }

    fn catalog(&self) -> Catalog {
        let mut changes = Changes::default();
        for provider in &self.providers {
            let mut change = ProviderChange::new(provider.slug.parse().unwrap());
            change.name = Some(provider.name.clone());
            change.dialect = Some("openai-chat".parse().unwrap());
            change.base_url = Some("https://somewhere.example/v1".into());
            let [training, retained, zdr] = provider.data;
            change.policy = Some(DataPolicy {
                training,
                retained,
                zdr,
            });
            changes.providers.push(change);
        }
        for (number, endpoints) in self.models.iter().enumerate() {
            let mut model = ModelChange::new(format!("acme/m{number}").parse().unwrap());
            for endpoint in endpoints {
                model.endpoints.push(self.change(endpoint));
            }
            changes.models.push(model);
        }
        Catalog::empty().with(changes).unwrap().0
    }

    fn change(&self, endpoint: &Endpoint) -> EndpointChange {
        let slug = &self.providers[endpoint.provider].slug;
        let mut change = EndpointChange::new(slug.parse().unwrap());
        change.tag = Some(endpoint.tag.parse().unwrap());
        change.price = price(endpoint);
        change.context_length = endpoint.context.map(Tokens::new);
        change.max_output = endpoint.output.map(Tokens::new);
        change.quantization = endpoint.quantization.map(|format| format.parse().unwrap());
        let parameters = endpoint.parameters.iter();
        let parameters = parameters.map(|name| Parameter::named(name).unwrap());
        change.parameters = Some(parameters.collect::<ParameterSet>());
        change
    }

    fn rows(&self) -> Vec<HealthRow> {
        let mut rows = Vec::new();
        for (number, endpoints) in self.models.iter().enumerate() {
            for endpoint in endpoints {
                let model = format!("acme/m{number}").parse().unwrap();
                let mut row = HealthRow::new(model, endpoint.tag.parse().unwrap());
                let spread = |(p50, p90): (u64, u64)| Percentiles {
                    p50: Some(p50 as f64),
                    p90: Some(p90 as f64),
                    ..Percentiles::default()
                };
                row.latency_s = endpoint.wait.map(spread);
                row.throughput_tps = endpoint.speed.map(spread);
                row.last_30s = endpoint
                    .recent
                    .map(|(requests, errors)| Recent { requests, errors });
                rows.push(row);
            }
        }
        rows
    }

    fn routing(&self) -> RoutingPolicy {
        use waystation_core::SortBy;
        let mut policy = RoutingPolicy {
            sort: self.policy.sort.map(|sort| match sort {
                "price" => SortBy::Price,
                "throughput" => SortBy::Throughput,
                "latency" => SortBy::Latency,
                _ => SortBy::Exacto,
            }),
            only: self.policy.only.clone(),
            ignore: self.policy.ignore.clone(),
            deny_data_collection: self.policy.deny,
            zdr: self.policy.zdr,
            strict: self.policy.strict,
            ..RoutingPolicy::default()
        };
        policy.max_price.prompt = self.policy.cap.map(dollars);
        policy
    }
}

fn dollars(thousandths: u64) -> UsdPerMTok {
    UsdPerMTok::from_nanos(thousandths * 1_000_000)
}

fn price(endpoint: &Endpoint) -> Price {
    let Some((prompt, completion)) = endpoint.price else {
        return Price::default();
    };
    let mut price = Price::simple(dollars(prompt), dollars(completion));
    if let Some((above, (prompt, completion))) = endpoint.step {
        let rates = Price::simple(dollars(prompt), dollars(completion)).rates;
        let above = Tokens::new(above);
        price
            .tiers
            .push(waystation_core::PriceTier { above, rates });
    }
    let fee = |thousandths| format!("0.{thousandths:03}").parse::<Usd>().unwrap();
    price.request = endpoint.fee.map(fee);
    price
}

/// A request: any mixture of what the contract knows.
fn body(chance: &mut Chance, models: u64, providers: &[Provider]) -> Value {
    let mut body = json!({"messages": [{"role": "user", "content": "Hi"}]});
    let suffixes = ["", "", "", "", "", "", "", ":nitro", ":floor", ":exacto"];
    let mut entries = Vec::new();
    for _ in 0..1 + chance.below(3) {
        let number = chance.below(models * 4 + 1) / 4;
        let suffix = chance.pick(&suffixes);
        let name = if number == models {
            "none".into()
        } else {
            format!("m{number}")
        };
        entries.push(format!("acme/{name}{suffix}"));
    }
    body["model"] = json!(entries[0]);
    if entries.len() > 1 {
        body["models"] = json!(entries[1..]);
    }
    let mut provider = json!({});
    if chance.one_in(6) {
        provider["order"] = json!(chance.names(providers));
    }
    if chance.one_in(9) {
        provider["only"] = json!(chance.names(providers));
    }
    if chance.one_in(4) {
        provider["ignore"] = json!(chance.names(providers));
    }
    let sorts = ["price", "throughput", "latency", "exacto"];
    match chance.below(12) {
        0 | 1 => provider["sort"] = json!(chance.pick(&sorts)),
        2 => provider["sort"] = json!({"by": chance.pick(&sorts), "partition": "none"}),
        3 => provider["sort"] = json!({"by": chance.pick(&sorts), "partition": "model"}),
        _ => {}
    }
    for (key, times) in [
        ("require_parameters", 9),
        ("zdr", 12),
        ("allow_fallbacks", 6),
    ] {
        if chance.one_in(times) {
            provider[key] = json!(chance.one_in(2));
        }
    }
    if chance.one_in(8) {
        provider["data_collection"] = json!(chance.pick(&["allow", "deny"]));
    }
    if chance.one_in(10) {
        let formats = ["fp4", "fp8", "bf16", "unknown", "nvfp4"];
        provider["quantizations"] = json!([chance.pick(&formats), chance.pick(&formats)]);
    }
    if chance.one_in(5) {
        provider["max_price"] = caps(chance);
    }
    if chance.one_in(4) {
        provider["preferred_min_throughput"] = cutoffs(chance, 10);
    }
    if chance.one_in(4) {
        provider["preferred_max_latency"] = cutoffs(chance, 1);
    }
    body["provider"] = provider;
    parameters(chance, &mut body);
    body
}

/// What is asked of the model itself.
fn parameters(chance: &mut Chance, body: &mut Value) {
    if chance.one_in(3) {
        body["max_tokens"] = json!(1 + chance.below(5) * 900);
    }
    for (key, value, times) in [
        ("temperature", json!(0.5), 3),
        ("seed", json!(1), 4),
        ("stop", json!("x"), 4),
        (
            "tools",
            json!([{"type": "function", "function": {"name": "look"}}]),
            4,
        ),
        ("response_format", json!({"type": "json_object"}), 5),
        ("verbosity", json!("low"), 6),
    ] {
        if chance.one_in(times) {
            body[key] = value;
        }
    }
    if chance.one_in(5) {
        body["service_tier"] = json!(chance.pick(&["auto", "default", "flex", "priority", "fast"]));
    }
}

fn caps(chance: &mut Chance) -> Value {
    let mut caps = json!({});
    let (prompt, completion) = (chance.below(7) * 500, chance.below(7) * 500);
    let names = chance.pick(&[&["prompt", "completion"][..], &["input", "output"][..]]);
    let spell = |thousandths: u64, text: bool| {
        let dollars = format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000);
        if text {
            json!(dollars)
        } else {
            serde_json::from_str(&dollars).unwrap()
        }
    };
    if chance.one_in(2) {
        caps[names[0]] = spell(prompt, chance.one_in(2));
    }
    if chance.one_in(2) {
        caps[names[1]] = spell(completion, chance.one_in(2));
    }
    if chance.one_in(4) {
        caps["request"] = spell(chance.below(3) * 10, chance.one_in(2));
    }
    caps
}

/// A number for the median, or an object of median and slow tail.
fn cutoffs(chance: &mut Chance, unit: u64) -> Value {
    let (p50, p90) = ((1 + chance.below(9)) * unit, (1 + chance.below(9)) * unit);
    match chance.below(3) {
        0 => json!(p50),
        1 => json!({"p90": p90}),
        _ => json!({"p50": p50, "p90": p90}),
    }
}
