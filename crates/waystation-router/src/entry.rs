//! The wanted models, looked up: each entry of the question becomes the models that it stands for.
//! It filters no endpoint.

use smallvec::{SmallVec, smallvec};
use waystation_catalog::Model;
use waystation_core::{Ask, Endpoint, Modalities, Modality, ModelId, ModelRef, SortShortcut};

use crate::{
    NoRouteCode, Strategy, World,
    draw::{Dice, below},
    rules::{Of, Question, check},
};

/// The router ids that are answered here. Others are ordinary rows of whoever serves them. Source:
/// API contract, section 6.
const AUTO: [&str; 4] = [
    "openrouter/auto",
    "waystation/auto",
    "openrouter/auto-beta",
    "waystation/auto-beta",
];
const PARETO: [&str; 2] = ["openrouter/pareto-code", "waystation/pareto-code"];
const FREE: [&str; 2] = ["openrouter/free", "waystation/free"];
/// The static variant of endpoints that cost nothing.
const FREE_VARIANT: &str = "free";
/// An old variant that is the row itself today. Source: API contract, section 4.2.
const BETA_VARIANT: &str = "beta";

/// One entry of the question.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    /// How its models were found.
    pub(crate) strategy: Strategy,
    /// Its suffix, which holds for its own endpoints alone.
    pub(crate) shortcut: Option<SortShortcut>,
    /// Its models, most wanted first. Empty when a router has nobody to offer.
    pub(crate) targets: Targets<'a>,
}

/// The models of an entry: nearly always one, which is held without an allocation.
pub(crate) type Targets<'a> = SmallVec<[Target<'a>; 1]>;

/// One model that an entry stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    /// The model.
    pub(crate) model: &'a Model,
    /// Which of its rows are meant.
    pub(crate) variants: Variants<'a>,
}

/// Which of a model's endpoints an entry means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variants<'a> {
    /// Those of the plain row.
    Plain,
    /// Those of this static variant.
    One(&'a str),
    /// Those that cost nothing, of the plain row or of `free`.
    Free,
}

/// An entry that stands for nothing.
#[derive(Debug)]
pub(crate) struct Missing {
    /// What clients switch on.
    pub(crate) code: NoRouteCode,
    /// What there is instead.
    pub(crate) message: String,
    /// What was probably meant.
    pub(crate) suggestion: Option<ModelId>,
}

// === impl Variants ===

impl Variants<'_> {
    /// Whether `endpoint` is meant.
    pub(crate) fn mean(self, endpoint: &Endpoint) -> bool {
        let variant = endpoint.variant.as_deref();
        match self {
            Self::Plain => variant.is_none(),
            Self::One(wanted) => variant == Some(wanted),
            Self::Free => is_free(endpoint),
        }
    }
}

/// Whether an endpoint is one that `openrouter/free` may pick: known to cost nothing.
fn is_free(endpoint: &Endpoint) -> bool {
    let row = matches!(endpoint.variant.as_deref(), None | Some(FREE_VARIANT));
    row && endpoint.service_tier.is_none() && endpoint.price.is_free()
}

/// Looks one entry up. `rng` orders what has no order of its own.
pub(crate) fn resolve<'a>(
    reference: &ModelRef,
    ask: &Ask,
    world: &World<'a>,
    rng: &mut Dice,
) -> Result<Entry<'a>, Box<Missing>> {
    let Some(name) = &reference.name else {
        return Err(unknown(reference, world));
    };
    let entry = |strategy, targets| {
        Ok(Entry {
            strategy,
            shortcut: reference.sort,
            targets,
        })
    };
    if reference.latest {
        return match world.catalog.latest(name.as_str()) {
            Some(model) => entry(Strategy::Latest, smallvec![Target::plain(model)]),
            None => Err(unknown(reference, world)),
        };
    }
    match name.as_str() {
        id if AUTO.contains(&id) => entry(Strategy::Auto, auto(name, ask, world)),
        id if PARETO.contains(&id) => entry(Strategy::Pareto, auto(name, ask, world)),
        id if FREE.contains(&id) => entry(Strategy::Free, free(name, world, rng)),
        _ => entry(Strategy::Direct, smallvec![direct(reference, name, world)?]),
    }
}

/// One row by id, permanent id or alias, perhaps with a static variant. A variant that the row does
/// not have is an error, never the plain row: the client wanted another price or another model.
fn direct<'a>(
    reference: &ModelRef,
    name: &ModelId,
    world: &World<'a>,
) -> Result<Target<'a>, Box<Missing>> {
    if let Some((model, variant)) = world.catalog.find(name) {
        let variants = variant.map_or(Variants::Plain, Variants::One);
        return Ok(Target { model, variants });
    }
    if world.policy.bare_ids && name.author().is_empty() {
        return bare(reference, name, world);
    }
    let Some((model, variant)) = name
        .variant()
        .and_then(|variant| Some((world.catalog.resolve(&name.base())?, variant)))
    else {
        return Err(unknown(reference, world));
    };
    match variant {
        BETA_VARIANT => Ok(Target::plain(model)),
        FREE_VARIANT => Err(Box::new(Missing {
            code: NoRouteCode::FreeVariantEnded,
            message: format!("{} is not offered as :free; ask for {}", model.id, model.id),
            suggestion: Some(model.id.clone()),
        })),
        _ => {
            let known = model.variants();
            let known = if known.is_empty() {
                "it has none".to_owned()
            } else {
                format!("it has :{}", known.join(", :"))
            };
            Err(Box::new(Missing {
                code: NoRouteCode::ModelNotFound,
                message: format!(
                    "there is no variant :{variant} of {} ({known}); routing suffixes are :nitro, :floor, :exacto, :online",
                    model.id
                ),
                suggestion: Some(model.id.clone()),
            }))
        }
    }
}

/// An id without its author: the one model that has this slug, by its id or by an alias. Two that
/// have it are named, and neither is taken. Source: API contract, section 4.1.
fn bare<'a>(
    reference: &ModelRef,
    name: &ModelId,
    world: &World<'a>,
) -> Result<Target<'a>, Box<Missing>> {
    let (slug, catalog) = (name.base(), world.catalog);
    let has = |id: &ModelId| !id.author().is_empty() && id.slug() == slug.as_str();
    let rows = catalog.models().map(|model| &model.id).filter(|id| has(id));
    let others = catalog.aliases().filter(|(alias, _)| has(alias));
    let mut known: Vec<&ModelId> = rows.chain(others.map(|(_, target)| target)).collect();
    known.sort_unstable();
    known.dedup();
    let full = |id: &ModelId| match name.variant() {
        Some(variant) => format!("{id}:{variant}").parse(),
        None => Ok(id.clone()),
    };
    match known.as_slice() {
        [one] => match full(one) {
            Ok(id) => direct(reference, &id, world),
            Err(_) => Err(unknown(reference, world)),
        },
        [] => Err(unknown(reference, world)),
        [first, ..] => {
            let ids: Vec<&str> = known.iter().map(|id| id.as_str()).collect();
            Err(Box::new(Missing {
                code: NoRouteCode::ModelNotFound,
                message: format!(
                    "{:?} has no author and may mean {}; name one in full",
                    name.as_str(),
                    ids.join(" or ")
                ),
                suggestion: Some((*first).clone()),
            }))
        }
    }
}

/// The ranked models, then the row of the id itself, where somebody serves it. A ranking without
/// models says that none may answer: then that row may not either.
fn auto<'a>(name: &ModelId, ask: &Ask, world: &World<'a>) -> Targets<'a> {
    let ranking = ask.ranking.as_ref();
    let nobody = ranking.is_some_and(|ranking| ranking.models.is_empty());
    let ranked = ranking.into_iter().flat_map(|ranking| &ranking.models);
    ranked
        .filter_map(|id| world.catalog.resolve(id))
        .filter(|model| !model.router)
        .map(Target::plain)
        .chain(own_row(name, world).filter(|_| !nobody))
        .collect()
}

/// Every model that somebody usable serves for nothing, in an order that the seed decides, then the
/// row of the id itself.
fn free<'a>(name: &ModelId, world: &World<'a>, rng: &mut Dice) -> Targets<'a> {
    let serves = |endpoint: &Endpoint| is_free(endpoint) && (world.usable)(&endpoint.provider);
    let mut targets: Targets<'_> = world
        .catalog
        .models()
        .filter(|model| !model.router && model.endpoints.iter().any(serves))
        .map(|model| Target {
            model,
            variants: Variants::Free,
        })
        .collect();
    // Models come by id, so the shuffle depends on the seed alone. Fisher and Yates, 1938.
    for last in (1..targets.len()).rev() {
        let other = below(rng, last + 1);
        targets.swap(last, other);
    }
    targets.extend(own_row(name, world));
    targets
}

/// The row that somebody else's router of that name has, as a last resort. What that router then
/// chooses is unknown here.
fn own_row<'a>(name: &ModelId, world: &World<'a>) -> Option<Target<'a>> {
    world.catalog.model(name.as_str()).map(Target::plain)
}

/// No row of that name, with the one that was probably meant.
fn unknown(reference: &ModelRef, world: &World<'_>) -> Box<Missing> {
    let spelled = reference.name.as_ref().map_or("", |name| name.as_str());
    let suggestion = world.catalog.suggest(spelled).cloned();
    let hint = suggestion.as_ref().map_or_else(String::new, |id| {
        format!("; did you mean {:?}?", id.as_str())
    });
    Box::new(Missing {
        code: NoRouteCode::ModelNotFound,
        message: format!("there is no model {:?}{hint}", reference.to_string()),
        suggestion,
    })
}

// === impl Target ===

impl<'a> Target<'a> {
    /// The plain row of `model`.
    fn plain(model: &'a Model) -> Self {
        Self {
            model,
            variants: Variants::Plain,
        }
    }
}

/// A model that speaks is for conversations that are heard: asked in text for text, some of them refuse,
/// and others that do not speak answer for less.
fn speaks_as_asked(question: &Question<'_>, model: &Model) -> bool {
    let heard = |kinds: Modalities| kinds.has(Modality::Audio);
    !heard(model.output) || heard(question.ask.output) || heard(question.input)
}

/// The models that an auto router may choose among: those with at least one endpoint that passes every
/// rule of the question, credentials and codec included; models that speak only where audio is asked with
/// or asked for. Sorted by id. Takes time in proportion to the
/// endpoints of the catalogue.
#[must_use]
pub fn pool(ask: &Ask, world: &World<'_>) -> Vec<ModelId> {
    let question = Question::of(ask, world);
    let serves = |model: &Model| {
        let of = Of {
            variants: Variants::Plain,
            shortcut: None,
            flex_only: false,
            model,
        };
        let fits = |endpoint: &Endpoint| check(&question, &of, endpoint).is_ok();
        model.endpoints.iter().any(fits)
    };
    let eligible = |model: &&Model| {
        !model.router && !model.deprecated && speaks_as_asked(&question, model) && serves(model)
    };
    let models = world.catalog.models().filter(eligible);
    models.map(|model| model.id.clone()).collect()
}
