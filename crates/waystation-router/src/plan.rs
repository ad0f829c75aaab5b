//! The plan: which endpoints to try, and in what order. It sends nothing, and reads no clock, no
//! environment and no chance of its own.

use std::fmt;

use rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use waystation_catalog::{Model, SharedEndpoint};
use waystation_core::{Ask, Endpoint, ModelId, ModelRef, Seed, ServiceTier, Tag};

use crate::{
    NoRoute, Reason, Trace, Whys, World,
    draw::Dice,
    entry::{Entry, Missing, Target, resolve},
    order::{Candidate, Known, Ordered, arrange},
    prefer::{prefer_parameters, prefer_room},
    rules::{Of, Question, check},
};

/// What to try, in order. Another process may receive it as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The endpoints, first the first; never empty, none twice.
    pub attempts: Vec<Planned>,
    /// What became of the others.
    pub trace: Trace,
    /// The seed that the plan can be made again from.
    pub seed: Seed,
    /// How the first model was found.
    pub strategy: Strategy,
    /// The models as they were asked for.
    pub requested: Vec<String>,
}

/// One endpoint of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// The endpoint.
    #[serde(with = "shared")]
    pub endpoint: SharedEndpoint,
    /// The model as replies name it: its id, with a static variant, without routing suffixes.
    pub model: ModelId,
    /// Which of the requested entries it serves, from 0.
    pub entry: usize,
    /// Why it stands here.
    pub why: Whys,
}

/// How the first model of a plan was found. Source: API contract, section 2.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Strategy {
    /// As asked for.
    Direct,
    /// Another entry of `models` than the first.
    Fallback,
    /// By the auto router.
    Auto,
    /// The cheapest of those that code well enough.
    Pareto,
    /// Among those that cost nothing.
    Free,
    /// The newest of a family.
    Latest,
}

// === impl Strategy ===

impl Strategy {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fallback => "fallback",
            Self::Auto => "auto",
            Self::Pareto => "pareto",
            Self::Free => "free",
            Self::Latest => "latest",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Shared endpoints as what they are.
mod shared {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use waystation_catalog::SharedEndpoint;
    use waystation_core::Endpoint;

    pub(super) fn serialize<S: Serializer>(one: &SharedEndpoint, to: S) -> Result<S::Ok, S::Error> {
        Endpoint::serialize(one, to)
    }

    pub(super) fn deserialize<'de, D>(from: D) -> Result<SharedEndpoint, D::Error>
    where
        D: Deserializer<'de>,
    {
        Endpoint::deserialize(from).map(Into::into)
    }
}

/// The entries of a question, looked up, and those that stand for nothing.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'a> {
    /// With their place in the question.
    pub(crate) entries: SmallVec<[(usize, Entry<'a>); 1]>,
    /// Those that stand for nothing.
    pub(crate) missing: Vec<Missing>,
}

// === impl Wanted ===

impl Wanted<'_> {
    /// Whether all entries together stand for one model.
    fn has_one_target(&self) -> bool {
        let mut targets = self.entries.iter().flat_map(|(_, entry)| &entry.targets);
        targets.next().is_some() && targets.next().is_none()
    }
}

/// Chooses which endpoints to try, and in what order.
///
/// Pure: the same arguments give the same plan, whatever the order of the catalogue, so that a
/// decision can be made again from its record.
///
/// # Errors
/// [`NoRoute`] when no endpoint is left: it says why, for every one of them.
pub fn plan(ask: &Ask, world: &World<'_>, seed: Seed) -> Result<Plan, Box<NoRoute>> {
    decide(ask, world, (seed, false))
}

/// The same plan for somebody who carries it out and does not tell of it: where one model is wanted, the
/// endpoints of it that a rule drops are counted, not listed. Most are of providers that nobody has a key
/// for, and naming them costs more than the plan.
///
/// What both have in common is everything but [`Trace::dropped`] and [`Trace::others`]; what
/// [`Trace::not_tried`] counts is the same. A cut, which may be asked about later, is listed in both.
///
/// # Errors
/// [`NoRoute`] as of [`plan`], with the whole account.
pub fn plan_in_brief(ask: &Ask, world: &World<'_>, seed: Seed) -> Result<Plan, Box<NoRoute>> {
    decide(ask, world, (seed, true))
}

/// The plan, with the account of all that are not tried or `brief`.
fn decide(ask: &Ask, world: &World<'_>, (seed, brief): (Seed, bool)) -> Result<Plan, Box<NoRoute>> {
    let mut rng = Dice::seed_from_u64(seed.get());
    let mut question = Question::of(ask, world);
    let mut trace = Trace::default();
    let wanted = look_up(ask, world, &mut trace, &mut rng);
    // What two models have in common is told apart by name.
    question.brief = brief && wanted.has_one_target();
    note_unmatched(&question, &wanted, &mut trace);
    if world.policy.strict && !trace.unmatched.is_empty() {
        return Err(NoRoute::unmatched(ask, trace, seed));
    }
    let mut live = survivors(&question, &wanted, &mut trace);
    let routers: Vec<usize> = routers(&wanted);
    let group = |candidate: &Candidate<'_>| {
        // A router's models stand for each other; other models do not, and one that two entries
        // bring in is one.
        if routers.contains(&candidate.entry) {
            usize::MAX - candidate.entry
        } else {
            std::ptr::from_ref(candidate.model).addr()
        }
    };
    prefer_parameters(&question, &mut live, &mut trace, group);
    prefer_room(&question, &mut live, &mut trace, group);
    let mut live = arrange(&question, &mut live, &mut rng);
    cut_to_allowed_fallbacks(ask, &mut live, &mut trace);
    settle(&live, wanted.entries.len(), &mut trace);
    let Some(first) = live.first() else {
        if question.brief {
            return plan(ask, world, seed);
        }
        return Err(NoRoute::of(&question, &wanted, trace, seed));
    };
    let strategy = strategy(first, &wanted);
    let mut attempts = Vec::with_capacity(live.len());
    attempts.extend(live.iter().map(|candidate| planned(candidate)));
    Ok(Plan {
        attempts,
        strategy,
        trace,
        seed,
        requested: requested(ask),
    })
}

/// The models as they were asked for.
pub(crate) fn requested(ask: &Ask) -> Vec<String> {
    let spelled = |model: &ModelRef| match model {
        // Nearly all.
        ModelRef {
            latest: false,
            name: Some(name),
            sort: None,
            online: false,
            preset: None,
        } => name.as_str().to_owned(),
        other => other.to_string(),
    };
    ask.models.iter().map(spelled).collect()
}

/// Every entry, looked up. One that stands for nothing is noted and does not stop the others.
fn look_up<'a>(ask: &Ask, world: &World<'a>, trace: &mut Trace, rng: &mut Dice) -> Wanted<'a> {
    let mut wanted = Wanted::default();
    for (at, reference) in ask.models.iter().enumerate() {
        match resolve(reference, ask, world, rng) {
            Ok(entry) => wanted.entries.push((at, entry)),
            Err(missing) => {
                trace.notes.push(format!("models: {}", missing.message));
                wanted.missing.push(*missing);
            }
        }
    }
    wanted
}

/// Typos in guard rails must be seen: names that match nothing are noted.
fn note_unmatched(question: &Question<'_>, wanted: &Wanted<'_>, trace: &mut Trace) {
    let endpoints = wanted
        .entries
        .iter()
        .flat_map(|(_, entry)| &entry.targets)
        .flat_map(|target| &target.model.endpoints);
    let lists = [
        ("order", Some(&question.order)),
        ("only", question.only.as_ref()),
        ("ignore", Some(&question.ignore)),
    ];
    for (list, names) in lists {
        for (name, what) in names
            .into_iter()
            .flat_map(|names| names.unmatched(&endpoints, question.world.catalog))
        {
            trace
                .notes
                .push(format!("provider.{list}: '{name}' matches no {what}"));
            if !trace.unmatched.iter().any(|known| known == name) {
                trace.unmatched.push(name.to_owned());
            }
        }
    }
}

/// Candidates that most questions have no more of.
const FEW: usize = 4;

/// Every endpoint of the wanted models that passes every rule, each once.
fn survivors<'a>(
    question: &Question<'_>,
    wanted: &Wanted<'a>,
    trace: &mut Trace,
) -> Vec<Candidate<'a>> {
    let targets = || wanted.entries.iter().flat_map(|(_, entry)| &entry.targets);
    let most: usize = targets().map(|target| target.model.endpoints.len()).sum();
    // Each is either tried or dropped, and most are of providers that nobody has a key for.
    let mut live: Vec<Candidate<'a>> = Vec::with_capacity(most.min(FEW));
    if !question.brief {
        trace.dropped.reserve(most);
    }
    let alone = wanted.has_one_target();
    let mut seen: Vec<&Model> = Vec::new();
    let mut model_at = 0;
    for (at, entry) in &wanted.entries {
        for target in &entry.targets {
            let again = seen.iter().any(|other| std::ptr::eq(*other, target.model));
            if !alone {
                seen.push(target.model);
            }
            let of = Of {
                variants: target.variants,
                shortcut: entry.shortcut,
                flex_only: flex_only(question, target),
                model: target.model,
            };
            for (place, endpoint) in target.model.endpoints.iter().enumerate() {
                // A model that two entries mean is tried once, where it comes first.
                let known = |other: &Candidate<'_>| std::ptr::eq(other.endpoint, endpoint);
                if again && live.iter().any(known) {
                    continue;
                }
                match check(question, &of, endpoint) {
                    Ok(()) => live.push(candidate(
                        question,
                        (place, endpoint),
                        entry,
                        (*at, model_at, target),
                    )),
                    Err(_) if question.brief => trace.others += 1,
                    Err((reason, detail)) => trace.drop_endpoint(endpoint, reason, detail),
                }
            }
            model_at += 1;
        }
    }
    live
}

/// A survivor, with what its order will depend on.
fn candidate<'a>(
    question: &Question<'_>,
    (place, endpoint): (usize, &'a Endpoint),
    entry: &Entry<'a>,
    (at, model_at, target): (usize, usize, &Target<'a>),
) -> Candidate<'a> {
    Candidate {
        entry: at,
        model_at,
        model: target.model,
        place,
        endpoint,
        shortcut: entry.shortcut,
        listed: question.order.position(endpoint),
        known: Known::of(question, endpoint),
        price: None,
        drawn: false,
        why: Whys::default(),
    }
}

/// Whether flex was asked for and somebody usable offers it for this model.
fn flex_only(question: &Question<'_>, target: &Target<'_>) -> bool {
    question.ask.service_tier == Some(ServiceTier::Flex)
        && target.model.endpoints.iter().any(|endpoint| {
            endpoint.service_tier == Some(ServiceTier::Flex)
                && target.variants.mean(endpoint)
                && (question.world.usable)(&endpoint.provider)
        })
}

/// The entries whose models were chosen by a router.
fn routers(wanted: &Wanted<'_>) -> Vec<usize> {
    let chosen = |entry: &Entry<'_>| {
        matches!(
            entry.strategy,
            Strategy::Auto | Strategy::Pareto | Strategy::Free
        )
    };
    let routers = wanted.entries.iter().filter(|(_, entry)| chosen(entry));
    routers.map(|(at, _)| *at).collect()
}

/// `allow_fallbacks: false` keeps what `order` names, all of it; without `order`, one endpoint of
/// every entry that was asked for. Source: API contract, section 3.7.
fn cut_to_allowed_fallbacks(ask: &Ask, live: &mut Ordered<'_, '_>, trace: &mut Trace) {
    if ask.wishes.allow_fallbacks != Some(false) {
        return;
    }
    let mut served: Vec<usize> = Vec::new();
    live.retain(|candidate| {
        let (stays, detail) = if ask.wishes.order.is_empty() {
            let first = !served.contains(&candidate.entry);
            served.push(candidate.entry);
            (first, "another endpoint goes first")
        } else {
            (candidate.listed.is_some(), "not named in provider.order")
        };
        if !stays {
            trace.drop_endpoint(candidate.endpoint, Reason::AllowFallbacks, detail.into());
        }
        stays
    });
}

/// Leaves every endpoint in one place: not dropped when another entry brought it in, and dropped
/// once when two entries left it out. By model and tag, so that the account does not depend on the
/// catalogue's order.
fn settle(live: &Ordered<'_, '_>, entries: usize, trace: &mut Trace) {
    let tried = |model: &ModelId, tag: &Tag| {
        live.iter()
            .any(|c| c.endpoint.tag == *tag && c.endpoint.model == *model)
    };
    // Within one entry no endpoint comes twice.
    if entries > 1 {
        let dropped = &mut trace.dropped;
        dropped.retain(|dropped| !tried(&dropped.model, &dropped.endpoint));
    }
    trace
        .dropped
        .sort_by(|a, b| (&a.model, &a.endpoint).cmp(&(&b.model, &b.endpoint)));
    trace
        .dropped
        .dedup_by(|b, a| a.model == b.model && a.endpoint == b.endpoint);
}

/// The strategy of the first endpoint's entry; another entry than the first is a fallback.
fn strategy(first: &Candidate<'_>, wanted: &Wanted<'_>) -> Strategy {
    let of_entry =
        |(at, entry): &(usize, Entry<'_>)| (*at == first.entry).then_some(entry.strategy);
    match wanted.entries.iter().find_map(of_entry) {
        Some(strategy) if first.entry == 0 => strategy,
        _ => Strategy::Fallback,
    }
}

/// What callers see of a candidate: the endpoint itself, owned, so that a plan outlives its world.
fn planned(candidate: &Candidate<'_>) -> Planned {
    let endpoint = candidate.endpoint;
    let model = match &endpoint.variant {
        // A variant is legal in an id, as it was in the catalogue's own.
        Some(variant) => format!("{}:{variant}", endpoint.model)
            .parse()
            .unwrap_or_else(|_| endpoint.model.clone()),
        None => endpoint.model.clone(),
    };
    let shared = candidate.model.endpoints.shared(candidate.place);
    Planned {
        endpoint: shared.unwrap_or_else(|| endpoint.clone().into()),
        model,
        entry: candidate.entry,
        why: candidate.why,
    }
}
