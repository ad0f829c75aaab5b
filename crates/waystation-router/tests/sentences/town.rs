//! A catalogue, a state of health and a policy made by hand, and requests put to them.

use std::collections::BTreeSet;

use waystation_catalog::{Catalog, Changes, EndpointChange, ModelChange, ProviderChange};
use waystation_core::{
    Ask, ChatRequest, DataPolicy, DialectId, Now, Price, Seed, TokenCounter, Tokens,
};
use waystation_router::{
    HealthRow, HealthView, NoRoute, Percentiles, Plan, Recent, RoutingPolicy, World, ask, plan,
    plan_in_brief,
};

/// The model of most tests.
pub(crate) const M: &str = "acme/fast";

/// A small world.
#[derive(Clone, Debug)]
pub(crate) struct Town {
    pub(crate) changes: Changes,
    pub(crate) rows: Vec<HealthRow>,
    pub(crate) policy: RoutingPolicy,
    /// Providers without a credential.
    pub(crate) without: BTreeSet<String>,
}

/// One token for every four bytes.
#[derive(Debug)]
pub(crate) struct FourBytes;

impl TokenCounter for FourBytes {
    fn bounds(&self, bytes: u64) -> (Tokens, Tokens) {
        (Tokens::new(bytes / 128), Tokens::new(bytes))
    }

    fn estimate(&self, bytes: u64) -> Tokens {
        Tokens::new(bytes / 4)
    }

    fn count_till(&self, text: &str, _: Tokens) -> Tokens {
        self.estimate(text.len() as u64)
    }
}

// === impl Town ===

impl Town {
    pub(crate) fn empty() -> Self {
        Self {
            changes: Changes::default(),
            rows: Vec::new(),
            policy: RoutingPolicy::default(),
            without: BTreeSet::new(),
        }
    }

    /// `acme/fast` at providers A, B and C, priced 1, 2 and 3: the contract's own example.
    pub(crate) fn abc() -> Self {
        Self::empty()
            .serve(M, "a", "1")
            .serve(M, "b", "2")
            .serve(M, "c", "3")
    }

    fn provider(&mut self, slug: &str) {
        let known = |change: &ProviderChange| change.slug == slug;
        if self.changes.providers.iter().any(known) {
            return;
        }
        let mut change = ProviderChange::new(slug.parse().unwrap());
        change.name = Some(format!("Provider {}", slug.to_uppercase()));
        change.dialect = Some("openai-chat".parse().unwrap());
        change.base_url = Some(format!("https://{slug}.example/v1"));
        self.changes.providers.push(change);
    }

    /// Adds an endpoint. `price` is `prompt/completion`, one number for both, or `?`.
    pub(crate) fn serve(self, model: &str, tag: &str, price: &str) -> Self {
        self.serve_with(model, tag, price, |_| {})
    }

    /// The same, with more to say of the endpoint.
    pub(crate) fn serve_with(
        mut self,
        model: &str,
        tag: &str,
        price: &str,
        change: impl Fn(&mut EndpointChange),
    ) -> Self {
        let slug = tag.split('/').next().unwrap();
        self.provider(slug);
        let mut endpoint = EndpointChange::new(slug.parse().unwrap());
        endpoint.tag = Some(tag.parse().unwrap());
        if price != "?" {
            let (prompt, completion) = price.split_once('/').unwrap_or((price, price));
            endpoint.price = Price::simple(prompt.parse().unwrap(), completion.parse().unwrap());
        }
        change(&mut endpoint);
        let id = model.parse().unwrap();
        match self.changes.models.iter_mut().find(|known| known.id == id) {
            Some(known) => known.endpoints.push(endpoint),
            None => {
                let mut new = ModelChange::new(id);
                new.endpoints.push(endpoint);
                self.changes.models.push(new);
            }
        }
        self
    }

    /// What a provider does with prompts.
    pub(crate) fn data(mut self, slug: &str, policy: DataPolicy) -> Self {
        let mut providers = self.changes.providers.iter_mut();
        providers.find(|known| known.slug == slug).unwrap().policy = Some(policy);
        self
    }

    fn row(&mut self, model: &str, tag: &str) -> &mut HealthRow {
        let (model, endpoint) = (model.parse().unwrap(), tag.parse().unwrap());
        let found = self
            .rows
            .iter()
            .position(|r| r.model == model && r.endpoint == endpoint);
        let at = found.unwrap_or_else(|| {
            self.rows.push(HealthRow::new(model, endpoint));
            self.rows.len() - 1
        });
        &mut self.rows[at]
    }

    /// Median tokens per second, and nine tenths of them.
    pub(crate) fn speed(mut self, model: &str, tag: &str, p50: f64, p90: f64) -> Self {
        self.row(model, tag).throughput_tps = Some(Percentiles {
            p50: Some(p50),
            p90: Some(p90),
            ..Percentiles::default()
        });
        self
    }

    /// Median seconds to the first token, and nine tenths of them.
    pub(crate) fn wait(mut self, model: &str, tag: &str, p50: f64, p90: f64) -> Self {
        self.row(model, tag).latency_s = Some(Percentiles {
            p50: Some(p50),
            p90: Some(p90),
            ..Percentiles::default()
        });
        self
    }

    /// An endpoint that is failing now.
    pub(crate) fn outage(mut self, model: &str, tag: &str) -> Self {
        self.row(model, tag).last_30s = Some(Recent {
            requests: 10,
            errors: 9,
        });
        self
    }

    /// A provider without a credential.
    pub(crate) fn without(mut self, slug: &str) -> Self {
        self.without.insert(slug.into());
        self
    }

    pub(crate) fn catalog(&self) -> Catalog {
        Catalog::empty().with(self.changes.clone()).unwrap().0
    }

    /// Makes a plan of a question.
    pub(crate) fn plan_of(&self, ask: &Ask, seed: u64) -> Result<Plan, Box<NoRoute>> {
        self.plan_in(&self.catalog(), ask, seed)
    }

    /// The same for somebody who does not tell of it.
    pub(crate) fn brief_plan_of(&self, ask: &Ask, seed: u64) -> Result<Plan, Box<NoRoute>> {
        let see = |world: &World<'_>| plan_in_brief(ask, world, Seed::new(seed));
        self.with_world(&self.catalog(), see)
    }

    pub(crate) fn plan_in(
        &self,
        catalog: &Catalog,
        ask: &Ask,
        seed: u64,
    ) -> Result<Plan, Box<NoRoute>> {
        self.with_world(catalog, |world| plan(ask, world, Seed::new(seed)))
    }

    fn with_world<T>(&self, catalog: &Catalog, see: impl FnOnce(&World<'_>) -> T) -> T {
        let dialects: [DialectId; 1] = ["openai-chat".parse().unwrap()];
        let world = World {
            catalog,
            health: &HealthView::fixed(self.rows.clone()),
            now: Now::default(),
            usable: &|slug| !self.without.contains(slug.as_str()),
            dialects: &dialects,
            policy: &self.policy,
        };
        see(&world)
    }

    /// The question of a request with these members, messages aside.
    pub(crate) fn ask(&self, members: &str) -> Ask {
        let body = with_messages(members);
        let chat = ChatRequest::parse(&body.into()).unwrap();
        *ask(&chat, &FourBytes, &self.catalog(), &self.policy).unwrap()
    }

    /// The plan of a request, with some seed.
    pub(crate) fn plan(&self, members: &str) -> Plan {
        self.plan_of(&self.ask(members), 7).unwrap()
    }

    /// The tags that a request is tried on, in order.
    pub(crate) fn tags(&self, members: &str) -> Vec<String> {
        tags(&self.plan(members))
    }

    /// The tags that a request for `acme/fast` is tried on, under these provider members.
    pub(crate) fn routed(&self, provider: &str) -> Vec<String> {
        self.tags(&format!(r#""model": "{M}", "provider": {{{provider}}}"#))
    }

    /// Why a request has no plan.
    pub(crate) fn refused(&self, members: &str) -> Box<NoRoute> {
        self.plan_of(&self.ask(members), 7).unwrap_err()
    }

    /// Why a request for `acme/fast` has no plan under these provider members.
    pub(crate) fn unrouted(&self, provider: &str) -> Box<NoRoute> {
        self.refused(&format!(r#""model": "{M}", "provider": {{{provider}}}"#))
    }
}

/// A body with one short message, unless it brings its own.
pub(crate) fn with_messages(members: &str) -> String {
    if members.contains("\"messages\"") {
        return format!("{{{members}}}");
    }
    let comma = if members.is_empty() { "" } else { ", " };
    format!(r#"{{"messages": [{{"role": "user", "content": "Hi"}}]{comma}{members}}}"#)
}

/// The tags of a plan, in order.
pub(crate) fn tags(plan: &Plan) -> Vec<String> {
    let tags = plan
        .attempts
        .iter()
        .map(|planned| planned.endpoint.tag.to_string());
    tags.collect()
}

/// `model|tag` of a plan, in order.
pub(crate) fn ids(plan: &Plan) -> Vec<String> {
    let ids = plan
        .attempts
        .iter()
        .map(|planned| planned.endpoint.id.to_string());
    ids.collect()
}
