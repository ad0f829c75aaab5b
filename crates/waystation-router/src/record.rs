//! A decision record: everything beside request, configuration and catalogue that a plan came from, so
//! that it can be made again bit for bit. It holds no prompt. Where records are kept is the caller's.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use waystation_core::{
    Ask, AskHints, Decision, EndpointId, Modalities, Modality, ModelId, Now, Ranking, RawJson,
    Seed, Tick, Tokens, UnixMs,
};

use crate::{HealthRow, HealthView, Plan, Reason, World};

/// What a plan came from.
///
/// Cheap to make, since one is made for every plan: names are shared with the catalogue, and it is put
/// into JSON ([`Decision::told`]) when somebody reads it. Source: `interfaces`, "explain"; `house`, section 3.2.
///
/// ```
/// use waystation_catalog::Catalog;
/// use waystation_core::{Ask, Seed};
/// use waystation_router::{DecisionRecord, HealthView, RoutingPolicy, World, plan};
///
/// let (catalog, mut ask) = (Catalog::bundled()?, Ask::default());
/// ask.models = vec!["openai/gpt-5.4".parse()?];
/// let (health, policy) = (HealthView::default(), RoutingPolicy::default());
/// let dialects = ["openai-chat".parse()?];
/// let world = World {
///     catalog: &catalog,
///     health: &health,
///     now: Default::default(),
///     usable: &|_| true,
///     dialects: &dialects,
///     policy: &policy,
/// };
/// let plan = plan(&ask, &world, Seed::new(7))?;
/// let record = DecisionRecord::of(&ask, &world, &plan);
/// assert_eq!(record.seed().get(), 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct DecisionRecord {
    /// Version of the catalogue.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "as_option",
        deserialize_with = "shared"
    )]
    pub catalog: Option<Arc<str>>,
    /// The seed: a text, since it may be above what a JavaScript number holds. A number is read too.
    #[serde(serialize_with = "as_text", deserialize_with = "number")]
    pub seed: u64,
    /// When the plan was made, in microseconds of the process's monotonic clock.
    pub tick_us: u64,
    /// When the plan was made, in milliseconds since 1970.
    pub unix_ms: u64,
    /// How many of a million plans sorted by speed started at an unmeasured endpoint.
    pub explore_ppm: u32,
    /// The endpoint that had served the conversation before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sticky: Option<EndpointId>,
    /// How many tokens of the prompt it had in its cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached: Option<u64>,
    /// The auto router's order of models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranking: Option<Vec<ModelId>>,
    /// The task that the auto router took the prompt for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The prompt's size when the plan was made, which plugins may have changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<PromptSize>,
    /// What plugins asked of the endpoint.
    #[serde(skip_serializing_if = "PluginHints::is_empty")]
    pub hints: PluginHints,
    /// Health of the candidates, in the schema of `--health`.
    pub health: Vec<HealthRow>,
}

/// The size of a prompt, in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptSize {
    /// The fewest that it can be.
    pub at_least: u64,
    /// As estimated.
    pub estimate: u64,
}

/// What plugins asked of the endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginHints {
    /// Kinds of input that must be taken natively.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub input: Vec<Modality>,
    /// Kinds of input that a plugin takes care of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub handled: Vec<Modality>,
    /// The prompt may be compressed.
    pub compressible: bool,
    /// Endpoints with a context of at most so many tokens compress by themselves.
    #[serde(skip_serializing_if = "is_zero")]
    pub compressible_up_to: u64,
}

// === impl DecisionRecord ===

impl DecisionRecord {
    /// The record of a plan that `ask` got in `world`.
    #[must_use]
    pub fn of(ask: &Ask, world: &World<'_>, plan: &Plan) -> Self {
        let (health, now) = (world.health, world.now.tick);
        // Those that a cut took were ranked as well.
        let cut = plan.trace.dropped.iter();
        let cut = cut.filter(|dropped| dropped.reason == Reason::AllowFallbacks);
        let cut = cut.filter_map(|dropped| health.row(&dropped.model, &dropped.endpoint, now));
        let tried = plan.attempts.iter().filter_map(|planned| {
            let endpoint = &planned.endpoint;
            health.row_of(&endpoint.id, (&endpoint.model, &endpoint.tag), now)
        });
        // Rows are large: a list of one begins with room for one, not for four.
        let most = plan.attempts.len() * usize::from(!health.is_empty());
        let mut rows = Vec::with_capacity(most);
        rows.extend(tried.chain(cut));
        Self {
            catalog: Some(world.catalog.shared_version()),
            seed: plan.seed.get(),
            tick_us: world.now.tick.micros(),
            unix_ms: world.now.unix.get(),
            explore_ppm: world.policy.explore_ppm,
            sticky: ask.sticky.clone(),
            cached: ask.cached.map(Tokens::get),
            ranking: ask.ranking.as_ref().map(|ranking| ranking.models.clone()),
            task: ask
                .ranking
                .as_ref()
                .and_then(|ranking| ranking.task.clone()),
            prompt: Some(PromptSize {
                at_least: ask.prompt_at_least.get(),
                estimate: ask.prompt_estimate.get(),
            }),
            hints: PluginHints::of(&ask.hints),
            health: rows,
        }
    }

    /// The seed.
    #[must_use]
    pub const fn seed(&self) -> Seed {
        Seed::new(self.seed)
    }

    /// The time.
    #[must_use]
    pub const fn now(&self) -> Now {
        Now {
            tick: Tick::from_micros(self.tick_us),
            unix: UnixMs::new(self.unix_ms),
        }
    }

    /// The health of the candidates.
    #[must_use]
    pub fn view(&self) -> HealthView {
        HealthView::fixed(self.health.iter().cloned())
    }

    /// Puts what the record knows of the question in place of what `ask` says.
    pub fn fill(&self, ask: &mut Ask) {
        ask.sticky = self.sticky.clone();
        ask.cached = self.cached.map(Tokens::new);
        ask.ranking = self.ranking.as_ref().map(|models| Ranking {
            models: models.clone(),
            task: self.task.clone(),
            data: None,
        });
        if let Some(size) = self.prompt {
            ask.prompt_at_least = Tokens::new(size.at_least);
            ask.prompt_estimate = Tokens::new(size.estimate);
        }
        ask.hints.input = self.hints.input.iter().copied().collect();
        ask.hints.handled = self.hints.handled.iter().copied().collect();
        ask.hints.compressible = self.hints.compressible;
        ask.hints.compressible_up_to = Tokens::new(self.hints.compressible_up_to);
    }
}

/// In the schema that `explain --record` reads.
impl Decision for DecisionRecord {
    fn told(&self) -> RawJson {
        RawJson::of(self)
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde lends the field that it asks about"
)]
const fn is_zero(tokens: &u64) -> bool {
    *tokens == 0
}

// === impl PluginHints ===

impl PluginHints {
    fn of(hints: &AskHints) -> Self {
        let kinds = |kinds: Modalities| match kinds {
            // Nearly always.
            Modalities::NONE => Vec::new(),
            some => some.iter().collect(),
        };
        Self {
            input: kinds(hints.input),
            handled: kinds(hints.handled),
            compressible: hints.compressible,
            compressible_up_to: hints.compressible_up_to.get(),
        }
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A shared text as one that is not.
#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn as_option<S: Serializer>(text: &Option<Arc<str>>, to: S) -> Result<S::Ok, S::Error> {
    text.as_deref().serialize(to)
}

/// A text that is shared from then on.
fn shared<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Arc<str>>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(Into::into))
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
fn as_text<S: Serializer>(seed: &u64, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(seed)
}

fn number<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a whole number from 0 up, or its text")]
    enum Spelled {
        Number(u64),
        Text(String),
    }
    match Spelled::deserialize(from)? {
        Spelled::Number(number) => Ok(number),
        Spelled::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}
