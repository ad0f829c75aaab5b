//! The order of models for one request: who may, how good and how dear each is likely to be, and what
//! is the best of it. The arithmetic is in a fixed order, so that platforms agree.

use std::sync::Arc;

use waystation_catalog::{Catalog, Model};
use waystation_core::{
    Ask, ChatRequest, InvalidRequest, Json, ModelId, ObjectWriter, Parameter, Price, RawJson, Role,
    Tokens, Usd,
};

use crate::{
    Ability, Basis, Defaults, Features, Overrides, Router, Settings, Task,
    arithmetic::{log2, logistic, number},
};

/// The most models that a ranking names: far more than are ever tried.
const RANKED: usize = 24;
/// How many of them metadata tells of.
const SHOWN: usize = 5;
/// How far difficulty moves the need, in logits, from the easiest prompt to the hardest.
const REACH: f32 = 4.0;
/// How far words that ask for care move it.
const DEMANDED: f32 = 2.0;
/// What cost counts against quality when the request does not say, from 0 to 10. Source: API contract,
/// section 6.
const TRADEOFF: u8 = 9;
/// Quality that the dearest model must have more than the cheapest, as the tradeoff nears 10.
const COST_WEIGHT: f32 = 0.5;
/// The same at a tradeoff of 10, where quality no longer counts.
const COST_ALONE: f32 = 100.0;
/// The conversation's model stays though another is better by so much, and by so much more with its
/// prompt in a cache.
const KEPT: f32 = 0.05;
const CACHED: f32 = 0.05;
/// It also stays while it is among so many.
const TOP: usize = 3;
/// A model that reasons writes so many times the answer.
const REASONING: u64 = 3;
/// The width of a band of costs, in percent.
const BAND: usize = 20;
/// From this score on the first tier of coding is meant. Source: API contract, section 6.
const CODES_WELL: f64 = 0.66;
/// From this one the second, below it the third.
const CODES: f64 = 0.33;
/// The best of a tier and so many of the same.
const OF_TIER: usize = 3;

/// What the operator says about the routers.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Operator {
    /// Settings of `openrouter/auto`.
    pub auto: Defaults,
    /// Of `openrouter/auto-beta`.
    pub auto_beta: Defaults,
    /// Of `openrouter/pareto-code`.
    pub pareto: Defaults,
    /// Abilities.
    pub abilities: Overrides,
}

/// The embedded auto router over one catalogue.
///
/// Deterministic: the same request and pool give the same ranking.
#[derive(Clone, Debug)]
pub struct AutoRouter {
    /// What there is to choose from.
    catalog: Arc<Catalog>,
    /// What the operator wants.
    operator: Operator,
}

/// One model, scored.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Scored {
    /// The model.
    pub model: ModelId,
    /// How well it is likely to do, from 0 to 1, with caution. It orders models; it is no probability.
    pub quality: f32,
    /// How unsure its ability is, in logits.
    pub deviation: f32,
    /// Where the ability comes from.
    pub basis: Basis,
    /// What the answer is expected to cost at the catalogue's price; `None` is unknown.
    pub cost: Option<Usd>,
    /// Quality less cost as they are weighed for this request; higher is better.
    pub score: f32,
}

/// What a request was judged to be and who should answer it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Decision {
    /// The prompt.
    pub features: Features,
    /// The models that may answer, best first.
    pub ranked: Vec<Scored>,
}

/// A model that may answer, and what is known of it.
struct Candidate<'a> {
    /// The model.
    model: &'a Model,
    /// What it can do at this task.
    ability: Ability,
    /// What its answer is expected to cost; `None` is unknown.
    cost: Option<Usd>,
}

// === impl AutoRouter ===

impl AutoRouter {
    /// Over `catalog`, as the operator wants it.
    #[must_use]
    pub const fn new(catalog: Arc<Catalog>, operator: Operator) -> Self {
        Self { catalog, operator }
    }

    /// The settings of a request for `router`.
    ///
    /// # Errors
    /// [`InvalidRequest`] naming the member that makes no sense.
    pub fn settings(&self, router: Router, chat: &ChatRequest) -> Result<Settings, InvalidRequest> {
        let defaults = match router {
            Router::Auto => &self.operator.auto,
            Router::AutoBeta => &self.operator.auto_beta,
            Router::ParetoCode => &self.operator.pareto,
        };
        Settings::of(router, chat, defaults)
    }

    /// Judges a request and orders `pool` for it. An empty order says that no model may answer.
    ///
    /// `ask.sticky` names the endpoint that answered the conversation before, and `ask.cached` says that it
    /// has the prompt in its cache: its model stays while it is near the top. Takes time in proportion to the
    /// prompt, and to the pool.
    #[must_use]
    pub fn decide(
        &self,
        ask: &Ask,
        chat: &ChatRequest,
        (router, settings): (Router, &Settings),
        pool: &[ModelId],
    ) -> Decision {
        let features = Features::of(ask, chat);
        let task = match router {
            Router::ParetoCode => (Task::CodeGeneration, 1.0),
            Router::Auto | Router::AutoBeta => (features.task, features.confidence),
        };
        let mut able = self.candidates(ask, settings, task, pool);
        let ranked = if router == Router::ParetoCode {
            by_coding(&mut able, settings)
        } else {
            let tier = settings.cost_tier;
            tier.into_iter()
                .for_each(|tier| keep_band(&mut able, tier.start()));
            let last = pinned(chat).filter(|_| settings.pin_model);
            self.by_utility(able, ask, (&features, settings), last.as_ref())
        };
        Decision { features, ranked }
    }

    /// The models of the pool that the settings admit and that can take the request.
    fn candidates(
        &self,
        ask: &Ask,
        settings: &Settings,
        task: (Task, f32),
        pool: &[ModelId],
    ) -> Vec<Candidate<'_>> {
        let mut able: Vec<&Model> = pool
            .iter()
            .filter(|id| settings.admit(id))
            .filter_map(|id| self.catalog.model(id.as_str()))
            .filter(|model| can_take(model, ask))
            .collect();
        // Tools and formats are preferences: they narrow the pool only where somebody supports them.
        for parameter in [Parameter::Tools, Parameter::ResponseFormat] {
            let takes = |model: &Model| model.parameters.takes(parameter);
            if ask.parameters.has(parameter) && able.iter().any(|model| takes(model)) {
                able.retain(|model| takes(model));
            }
        }
        let candidate = |model| Candidate {
            model,
            ability: Ability::of(model, task, &self.operator.abilities),
            cost: cost(model, ask, task.0),
        };
        able.into_iter().map(candidate).collect()
    }

    /// Quality less cost, best first; the conversation's model is kept while it is near the top.
    ///
    /// Cost counts by its logarithm, from the cheapest candidate to the dearest: a model of twice the price
    /// must be as much better among cheap ones as among dear ones.
    fn by_utility(
        &self,
        able: Vec<Candidate<'_>>,
        ask: &Ask,
        (features, settings): (&Features, &Settings),
        pinned: Option<&ModelId>,
    ) -> Vec<Scored> {
        let costs = able
            .iter()
            .filter_map(|candidate| candidate.cost)
            .map(magnitude);
        let (low, high) = costs.fold((f32::MAX, 0.0_f32), |(low, high), cost| {
            (low.min(cost), high.max(cost))
        });
        let tradeoff = f32::from(settings.tradeoff.unwrap_or(TRADEOFF)) / 10.0;
        // A band of costs is a choice already: within it only quality counts, and little the cost.
        let weight = match settings.cost_tier {
            Some(_) => 0.05,
            None if tradeoff >= 1.0 => COST_ALONE,
            None => tradeoff * tradeoff * COST_WEIGHT,
        };
        let served = ask.sticky.as_ref().map(|endpoint| endpoint.as_str());
        let last = served.and_then(|id| id.split('|').next());
        let mut ranked: Vec<(bool, Scored)> = able
            .into_iter()
            .map(|candidate| {
                let quality = logistic(candidate.ability.counted() - need(features));
                let place = candidate
                    .cost
                    .map(|cost| (magnitude(cost) - low) / (high - low).max(1.0));
                let score = quality - weight * place.unwrap_or(1.0);
                (is_default(&candidate), scored(&candidate, quality, score))
            })
            .collect();
        ranked.sort_by(|(a_default, a), (b_default, b)| {
            let order = b_default.cmp(a_default).then(b.score.total_cmp(&a.score));
            order.then_with(|| a.model.cmp(&b.model))
        });
        let mut ranked: Vec<Scored> = ranked.into_iter().map(|(_, scored)| scored).collect();
        let kept = kept(&ranked, last, ask.cached.is_some());
        let pinned = pinned.and_then(|id| ranked.iter().position(|scored| scored.model == *id));
        if let Some(at) = pinned.or(kept) {
            let first = ranked.remove(at);
            ranked.insert(0, first);
        }
        ranked
    }
}

/// Where the conversation's model stands, if it may stay: among the first few, or not much worse than
/// the first.
fn kept(ranked: &[Scored], last: Option<&str>, cached: bool) -> Option<usize> {
    let near = KEPT + if cached { CACHED } else { 0.0 };
    let best = ranked.first()?.score;
    let at = ranked
        .iter()
        .position(|scored| Some(scored.model.as_str()) == last)?;
    let score = ranked.get(at)?.score;
    (at < TOP || best - score <= near).then_some(at)
}

/// What a prompt needs, in logits of ability: what was learned of it, what its task usually needs, and
/// the words that ask for care. The last two are rules: the data that was learned from has no
/// conversations and little code.
fn need(features: &Features) -> f32 {
    let learned = features.hardness + REACH * (features.difficulty - 0.5);
    learned + features.task.need() + DEMANDED * features.demands
}

/// Whether a model is one of those that come first: its price is known, and it does not cost nothing
/// by somebody's grace. Free offers end without notice; an operator's own models may be free.
fn is_default(candidate: &Candidate<'_>) -> bool {
    let own = candidate.model.as_of.is_empty();
    candidate.cost.is_some_and(|cost| own || cost > Usd::ZERO)
}

/// A candidate as others see it.
fn scored(candidate: &Candidate<'_>, quality: f32, score: f32) -> Scored {
    Scored {
        model: candidate.model.id.clone(),
        quality,
        deviation: candidate.ability.deviation,
        basis: candidate.ability.basis.clone(),
        cost: candidate.cost,
        score,
    }
}

/// Leaves the candidates of one fifth of the costs, or the nearest when there is none in it.
///
/// Candidates are placed by their order, not by their amounts: a fifth of the models, whatever they cost.
/// Those of unknown price are the dearest.
fn keep_band(able: &mut Vec<Candidate<'_>>, start: usize) {
    let key = |candidate: &Candidate<'_>| {
        (
            candidate.cost.is_none(),
            candidate.cost,
            candidate.model.id.clone(),
        )
    };
    able.sort_by_cached_key(key);
    let count = able.len().max(1);
    // The middle of the band and of each candidate's share of the list, in tenths of a percent.
    let distance = |at: usize| ((2 * at + 1) * 500 / count).abs_diff(start * 10 + BAND * 5);
    let nearest = (0..able.len()).map(distance).min().unwrap_or_default();
    let mut at = 0;
    able.retain(|_| {
        let kept = distance(at) <= nearest.max(BAND * 5);
        at += 1;
        kept
    });
}

/// The cheapest of the tier of coding that is asked for, and a few more of it.
///
/// A cap on the price takes the place of the tiers: then the ablest within it come first, and nobody when
/// there is none. Source: API contract, section 6.
fn by_coding(able: &mut Vec<Candidate<'_>>, settings: &Settings) -> Vec<Scored> {
    let price = |candidate: &Candidate<'_>| price_of(candidate.model, settings.weighted_price);
    able.sort_by(|a, b| {
        b.ability
            .counted()
            .total_cmp(&a.ability.counted())
            .then_with(|| a.model.id.cmp(&b.model.id))
    });
    if let Some(cap) = settings.max_price {
        able.retain(|candidate| price(candidate).is_some_and(|price| price <= cap));
        able.truncate(OF_TIER);
    } else {
        keep_tier(able, settings.min_coding_score.unwrap_or(1.0));
        let dear = |candidate: &Candidate<'_>| price(candidate).unwrap_or(f64::MAX);
        able.sort_by(|a, b| {
            dear(a)
                .total_cmp(&dear(b))
                .then_with(|| a.model.id.cmp(&b.model.id))
        });
        able.truncate(OF_TIER);
    }
    let one = |candidate: &Candidate<'_>| {
        let quality = logistic(candidate.ability.counted());
        scored(candidate, quality, quality)
    };
    able.iter().map(one).collect()
}

/// Leaves one third of the candidates, which come best first; with fewer than three, the nearest one.
fn keep_tier(able: &mut Vec<Candidate<'_>>, wanted: f64) {
    let third = able.len().div_ceil(3);
    let skipped = if wanted >= CODES_WELL {
        0
    } else if wanted >= CODES {
        1
    } else {
        2
    };
    let start = (skipped * third).min(able.len().saturating_sub(1));
    able.drain(..start);
    able.truncate(third);
}

/// USD per million tokens of the prompt, or of prompt and completion as they are usually weighed.
fn price_of(model: &Model, weighted: bool) -> Option<f64> {
    let rates = model
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.variant.is_none());
    let dollars = |price: waystation_core::UsdPerMTok| price.to_string().parse::<f64>().ok();
    let one = |price: &Price| {
        let prompt = dollars(price.rates.prompt?)?;
        let completion = dollars(price.rates.completion?)?;
        Some(if weighted {
            (3.0 * prompt + completion) / 4.0
        } else {
            prompt
        })
    };
    rates
        .filter_map(|endpoint| one(&endpoint.price))
        .min_by(f64::total_cmp)
}

/// The model that gave the last answer of the conversation, where the client says so.
fn pinned(chat: &ChatRequest) -> Option<ModelId> {
    let answers = chat
        .messages()
        .filter(|message| message.role() == Role::Assistant);
    let model = answers.last()?.get("model").and_then(Json::string)?;
    model.parse().ok()
}

/// What the answer is expected to cost at the cheapest endpoint of the firmest rank.
fn cost(model: &Model, ask: &Ask, task: Task) -> Option<Usd> {
    let times = if model.reasoning { REASONING } else { 1 };
    let usual = Tokens::new(task.answer() * times);
    let answer = ask.max_output.map_or(usual, |most| most.min(usual));
    let of = |price: &Price| {
        let rates = price.at(ask.prompt_estimate);
        Some(rates.prompt?.of(ask.prompt_estimate) + rates.completion?.of(answer))
    };
    let plain = model
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.variant.is_none());
    let costs = plain.filter_map(|endpoint| Some((endpoint.trust, of(&endpoint.price)?)));
    costs.min().map(|(_, cost)| cost)
}

/// An amount as the logarithm to base 2 of its nano-dollars.
///
/// 0 for what costs nothing, or less than one of them.
fn magnitude(cost: Usd) -> f32 {
    let nanos = usize::try_from(cost.femtos() / 1_000_000).unwrap_or(usize::MAX);
    log2(number(nanos))
}

/// Whether the model takes the kinds of content and the size of the request.
///
/// The pool of a gateway has been through this already, endpoint by endpoint; a pool that was given by hand
/// has not.
fn can_take(model: &Model, ask: &Ask) -> bool {
    let fits = |limit: Option<Tokens>, wanted| limit.is_none_or(|limit| wanted <= limit);
    let size = ask.prompt_at_least + ask.max_output.unwrap_or_default();
    let needed = ask
        .input
        .iter()
        .filter(|kind| !ask.hints.handled.has(*kind));
    model.input.covers(needed.collect())
        && model.output.covers(ask.output)
        && (ask.hints.compressible || fits(model.context_length, size))
        && fits(model.max_output, ask.max_output.unwrap_or_default())
}

// === impl Decision ===

impl Decision {
    /// The models, as many as are worth naming.
    #[must_use]
    pub fn models(&self) -> Vec<ModelId> {
        self.ranked
            .iter()
            .take(RANKED)
            .map(|scored| scored.model.clone())
            .collect()
    }

    /// What metadata says of it: task, difficulty, and the first candidates with what spoke for them.
    #[must_use]
    pub fn data(&self) -> RawJson {
        let mut out = Vec::with_capacity(512);
        let mut object = ObjectWriter::open(&mut out);
        object
            .string("task_type", self.features.task.as_str())
            .raw("difficulty", decimal(self.features.difficulty).as_bytes())
            .number(
                "eligible",
                u64::try_from(self.ranked.len()).unwrap_or(u64::MAX),
            );
        let list = object.key("candidates");
        list.push(b'[');
        for (at, scored) in self.ranked.iter().take(SHOWN).enumerate() {
            if at > 0 {
                list.push(b',');
            }
            scored.write(list);
        }
        list.push(b']');
        object.close();
        RawJson::parse(&out.into()).unwrap_or_else(|_| RawJson::of(&()))
    }
}

// === impl Scored ===

impl Scored {
    /// Writes it as an object.
    fn write(&self, out: &mut Vec<u8>) {
        let mut one = ObjectWriter::open(out);
        one.string("model", self.model.as_str())
            .raw("quality", decimal(self.quality).as_bytes())
            .raw("score", decimal(self.score).as_bytes());
        match self.cost {
            Some(cost) => one.raw("cost_usd", cost.to_string().as_bytes()),
            None => one.null("cost_usd"),
        };
        one.string("basis", &self.basis.to_string());
        one.close();
    }
}

/// Four digits: the fifth would say nothing.
fn decimal(value: f32) -> String {
    format!("{value:.4}")
}

#[cfg(test)]
mod tests;
