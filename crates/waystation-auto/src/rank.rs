//! The order of models for one request: who may, how good and how dear each is likely to be, and what
//! is the best of it. The arithmetic is in a fixed order, so that platforms agree.

mod able;
mod band;
mod expense;
mod level;
mod order;
mod pareto;
mod reach;

use std::{collections::HashMap, fmt, sync::Arc};

use waystation_catalog::{Catalog, Model};
use waystation_core::{
    Ask, ChatRequest, InvalidRequest, Json, ModelId, Parameter, ProviderSlug, Role, Usd,
};

use crate::{
    Abilities, Ability, Basis, Decision, Defaults, Features, Field, Learned, Overrides, Router,
    Scored, Settings, Shifts, Task, Weights,
    ability::{Compared, Prior},
    arithmetic::{log2, logistic, mixed, number},
    spelled,
    weights::Place,
};
use able::can_take;
use band::keep_band;
use expense::{Lengths, expense};
use level::lay_measures_on_levels;
use order::{Weighed, kept, steadiest_first};
use pareto::by_coding;
use reach::{MANY, reaches};

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
/// What a usual prompt needs, in logits of ability, and a hard one; and from where on a prompt is a hard one.
const USUAL: f32 = 0.0;
const USUAL_HARD: f32 = 2.5;
const HARD: f32 = 1.0;
/// What is tried is worse than the best by no more than this, and among so many.
const NEAR: f32 = 0.03;
const TRIED: usize = 4;
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
    /// How well models do on a usual prompt: a prior, to which it is added what was measured of a model by field.
    pub levels: Overrides,
    /// The share of requests, in parts per million, that try a candidate which is nearly as good as the
    /// best. What feedback says of models can be judged only where some chance was in the choice.
    pub explore_ppm: u32,
}

/// Whether a provider can be asked: where costs are told, its offers count.
pub type Usable = Arc<dyn Fn(&ProviderSlug) -> bool + Send + Sync>;

/// The embedded auto router over one catalogue.
///
/// Deterministic: the same request, pool and feedback give the same ranking.
#[derive(Clone)]
pub struct AutoRouter {
    /// What there is to choose from.
    catalog: Arc<Catalog>,
    /// What was learned of prompts.
    weights: &'static Weights,
    /// What is known of its models, looked up once.
    known: Arc<HashMap<ModelId, Known>>,
    /// What the operator wants.
    operator: Operator,
    /// What feedback taught; `None` where that is switched off.
    learned: Option<Arc<Learned>>,
    /// Whose prices count; `None` is everybody's.
    usable: Option<Usable>,
    /// Whether decisions say what qualities reach.
    reaching: bool,
}

/// What is known of a model before anything is asked.
#[derive(Clone, Debug)]
struct Known {
    /// Its place in the catalogue.
    at: usize,
    /// Its ability.
    prior: Prior,
    /// Its place in the weights, where its outcomes were learned from.
    learned: Option<usize>,
}

/// A model that may answer, and what is known of it.
struct Candidate<'a> {
    /// The model.
    model: &'a Model,
    /// What it can do at this task, and in which field that was measured.
    ability: Ability,
    field: Field,
    /// Its place in the weights, where its outcomes were learned from.
    learned: Option<usize>,
    /// What it can do at any task, with caution.
    general: f32,
    /// How far feedback moved that.
    shift: f32,
    /// What its answer is expected to cost; `None` is unknown.
    cost: Option<Usd>,
    /// What answers of the usual length cost, to compare candidates by; `None` also where nobody asks.
    compared: Option<Usd>,
}

// === impl AutoRouter ===

impl AutoRouter {
    /// Over `catalog`, as the operator wants it.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>, operator: Operator) -> Self {
        Self::knowing(
            catalog,
            operator,
            (Weights::bundled(), Abilities::bundled()),
        )
    }

    /// The same with what was learned elsewhere, or from less, in place of what this build knows: so that prompts are
    /// judged that it must not have learned from.
    #[must_use]
    pub fn knowing(
        catalog: Arc<Catalog>,
        operator: Operator,
        (weights, abilities): (&'static Weights, &'static Abilities),
    ) -> Self {
        let known = |(at, model): (usize, &Model)| {
            let name = spelled(model.id.as_str());
            let learned = weights.residual.model(&name);
            let prior = Prior::of(model, abilities);
            (model.id.clone(), Known { at, prior, learned })
        };
        Self {
            weights,
            known: Arc::new(catalog.models().enumerate().map(known).collect()),
            catalog,
            operator,
            learned: None,
            usable: None,
            reaching: false,
        }
    }

    /// With what feedback teaches.
    #[must_use]
    pub fn taught_by(mut self, learned: Arc<Learned>) -> Self {
        self.learned = Some(learned);
        self
    }

    /// With costs by the offers of providers that can be asked. Models none of whose providers can be asked
    /// cost what anybody asks.
    #[must_use]
    pub fn priced_by(mut self, usable: Usable) -> Self {
        self.usable = Some(usable);
        self
    }

    /// With what qualities reach ([`Scored::reach`]), which takes time and changes no order.
    #[must_use]
    pub const fn reaching(mut self) -> Self {
        self.reaching = true;
        self
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
        let (features, place) = Features::read(ask, chat, self.weights);
        let task = match router {
            Router::ParetoCode => (Task::CodeGeneration, 1.0),
            Router::Auto | Router::AutoBeta => (features.task, features.field_confidence),
        };
        let mut able = self.candidates(ask, settings, (task.0, task.1, features.answer), pool);
        lay_measures_on_levels(&mut able, &place);
        self.learn_of(&mut able, &place);
        if self.reaching {
            let lengths = Lengths::usual(ask.prompt_estimate, features.brief);
            let usable = self.usable.as_ref();
            let many = able.len() > MANY;
            for one in &mut able {
                // Among many, nobody is looked at so closely.
                let compared = || expense(one.model, usable, lengths);
                one.compared = if many { one.cost } else { compared() };
            }
        }
        let ranked = if router == Router::ParetoCode {
            by_coding(&mut able, settings)
        } else {
            let tier = settings.cost_tier;
            tier.into_iter()
                .for_each(|tier| keep_band(&mut able, tier.start()));
            let last = pinned(chat).filter(|_| settings.pin_model);
            self.by_utility(&able, ask, (&features, settings), last.as_ref())
        };
        Decision { features, ranked }
    }

    /// The models of the pool that the settings admit and that can take the request.
    fn candidates(
        &self,
        ask: &Ask,
        settings: &Settings,
        (task, sure, answer): (Task, f32, u64),
        pool: &[ModelId],
    ) -> Vec<Candidate<'_>> {
        let find = |id: &ModelId| {
            let known = self.known.get(id)?;
            Some((self.catalog.models().nth(known.at)?, known))
        };
        let mut able: Vec<(&Model, &Known)> = pool
            .iter()
            .filter(|id| settings.admit(id))
            .filter_map(find)
            .filter(|(model, _)| can_take(model, ask))
            .collect();
        // Tools and formats are preferences: they narrow the pool only where somebody supports them.
        for parameter in [Parameter::Tools, Parameter::ResponseFormat] {
            let takes = |model: &Model| model.parameters.takes(parameter);
            if ask.parameters.has(parameter) && able.iter().any(|(model, _)| takes(model)) {
                able.retain(|(model, _)| takes(model));
            }
        }
        let shifts = self.learned.as_ref().map(|learned| learned.shifts());
        let rows = able.iter().filter_map(|(_, known)| known.prior.row());
        let task = (task, sure, Compared::of(&rows, Field::of(task)));
        let candidate = |model| self.candidate(model, (ask, answer), task, shifts.as_deref());
        able.into_iter().map(candidate).collect()
    }

    /// Adds what was learned of single models, as far as prompts like this one were trained on.
    fn learn_of(&self, able: &mut [Candidate<'_>], place: &Place) {
        let field = able.first().map_or(Field::General, |one| one.field);
        let number = |one: &Candidate<'_>| match one.ability.basis {
            Basis::Measured(_) => one.learned,
            _ => None,
        };
        let known = able.iter_mut().filter_map(|one| Some((number(one)?, one)));
        let (numbers, known): (Vec<usize>, Vec<_>) = known.unzip();
        let moved = self.weights.residual.of(&numbers, place, field);
        for (one, moved) in known.into_iter().zip(moved) {
            one.ability.mean += moved;
        }
    }

    /// What is known of one model; the operator's word is never moved by feedback.
    fn candidate<'a>(
        &self,
        (model, known): (&'a Model, &Known),
        (ask, answer): (&Ask, u64),
        task: (Task, f32, Compared),
        shifts: Option<&Shifts>,
    ) -> Candidate<'a> {
        let prior = Some(&known.prior);
        let lengths = Lengths {
            prompt: ask.prompt_estimate,
            answer,
            most: ask.max_output,
        };
        let words = (&self.operator.abilities, &self.operator.levels);
        let mut ability = Ability::of(model, prior, task, words);
        let shift = shifts.filter(|_| ability.basis != Basis::Operator);
        let shift = shift.map_or(0.0, |shifts| shifts.of(task.0, &model.id));
        if shift.abs() > 0.0 {
            ability.mean += shift;
            ability.basis = Basis::Feedback;
        }
        let general = match ability.basis {
            Basis::Operator => ability.counted(),
            _ => known.prior.general(),
        };
        Candidate {
            general,
            cost: expense(model, self.usable.as_ref(), lengths),
            compared: None,
            field: task.2.field(Field::of(task.0)),
            model,
            ability,
            learned: known.learned,
            shift,
        }
    }

    /// Quality less cost, best first; the conversation's model is kept while it is near the top.
    ///
    /// Cost counts by its logarithm, from the cheapest candidate to the dearest: a model of twice the price
    /// must be as much better among cheap ones as among dear ones.
    fn by_utility(
        &self,
        able: &[Candidate<'_>],
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
        let need = need(features);
        let usual = if need < HARD { USUAL } else { USUAL_HARD };
        let reaches = self.reaching.then(|| reaches(able, features));
        let reach = |at: usize| reaches.as_ref().and_then(|all| all.get(at).copied());
        let mut ranked: Vec<Weighed> = able
            .iter()
            .enumerate()
            .map(|(at, candidate)| {
                let place = candidate
                    .cost
                    .map(|cost| (magnitude(cost) - low) / (high - low).max(1.0));
                let cost = weight * place.unwrap_or(1.0);
                let quality = logistic(candidate.ability.counted() - need);
                Weighed {
                    by_default: is_default(candidate),
                    usual: logistic(candidate.general - usual) - cost,
                    scored: Scored {
                        reach: reach(at).unwrap_or(quality.into()),
                        ..scored(candidate, quality, quality - cost)
                    },
                }
            })
            .collect();
        ranked.sort_by(Weighed::order);
        if tradeoff < 1.0 {
            steadiest_first(&mut ranked, weight);
        }
        let mut ranked: Vec<Scored> = ranked.into_iter().map(|one| one.scored).collect();
        let kept = kept(&ranked, last, ask.cached.is_some());
        let pinned = pinned.and_then(|id| ranked.iter().position(|scored| scored.model == *id));
        if let Some(at) = pinned.or(kept) {
            // The conversation decided it, not the order: no chance was in it, and no candidate's merit.
            let first = ranked.remove(at);
            ranked.insert(0, first);
            return ranked;
        }
        let (at, chances) = self.tried(&ranked, features.fingerprint);
        for (scored, chance) in ranked.iter_mut().zip(chances) {
            scored.propensity = chance;
        }
        if at < ranked.len() {
            let first = ranked.remove(at);
            ranked.insert(0, first);
        }
        ranked
    }

    /// Which candidate goes first, and how likely each of the foremost was to: the best, unless the operator
    /// lets the router try those that are nearly as good.
    ///
    /// The draw is a hash of the prompt's figures. It is as good as chance over many prompts, and the same
    /// prompt is always answered by the same model.
    fn tried(&self, ranked: &[Scored], fingerprint: u64) -> (usize, Vec<f32>) {
        let scores = ranked.iter().take(TRIED).map(|one| one.score);
        let best = scores.fold(f32::MIN, f32::max);
        let free = |one: &Scored| one.cost.is_none_or(|cost| cost == Usd::ZERO);
        let near = |one: &&Scored| best - one.score <= NEAR && !free(one);
        let count = ranked.iter().take(TRIED).take_while(near).count();
        if self.operator.explore_ppm == 0 || count < 2 {
            return (0, vec![1.0]);
        }
        let ppm = u64::from(self.operator.explore_ppm);
        let share = f32::from(u16::try_from(ppm / 100).unwrap_or(u16::MAX)) / 10_000.0;
        let of_each = share / number(count);
        let mut chances = vec![of_each; count];
        chances
            .iter_mut()
            .take(1)
            .for_each(|best| *best += 1.0 - share);
        let drawn = mixed(fingerprint);
        let explores = (drawn >> 40) % 1_000_000 < ppm;
        let one = usize::try_from(drawn & 0xffff_ffff).unwrap_or_default() % count;
        (if explores { one } else { 0 }, chances)
    }
}

/// What a prompt needs, in logits of ability: what was learned of it, what its task usually needs, and
/// the words that ask for care. The last two are rules: the data that was learned from has no
/// conversations and little code.
fn need(features: &Features) -> f32 {
    let learned = features.hardness + REACH * (features.difficulty - 0.5);
    learned + features.need + DEMANDED * features.demands
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
        reach: quality.into(),
        deviation: candidate.ability.deviation,
        basis: candidate.ability.basis.clone(),
        shift: candidate.shift,
        cost: candidate.cost,
        score,
        propensity: 0.0,
    }
}

/// The model that gave the last answer of the conversation, where the client says so.
fn pinned(chat: &ChatRequest) -> Option<ModelId> {
    let answers = chat
        .messages()
        .filter(|message| message.role() == Role::Assistant);
    let model = answers.last()?.get("model").and_then(Json::string)?;
    model.parse().ok()
}

/// An amount as the logarithm to base 2 of its nano-dollars.
///
/// 0 for what costs nothing, or less than one of them.
fn magnitude(cost: Usd) -> f32 {
    let nanos = usize::try_from(cost.femtos() / 1_000_000).unwrap_or(usize::MAX);
    log2(number(nanos))
}

impl fmt::Debug for AutoRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AutoRouter")
            .field("operator", &self.operator)
            .field("learned", &self.learned)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
