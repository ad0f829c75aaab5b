//! The order of models for one request. What a model can do is guessed from its price tier and its
//! age; nothing is learned and nothing is measured. Integers only, so that platforms agree.

use std::sync::Arc;

use async_trait::async_trait;
use waystation_catalog::{Catalog, Model};
use waystation_core::{
    Ask, ChatRequest, ModelId, Parameter, RankError, Ranker, Ranking, Tokens, Trust,
};

use crate::{Features, Task};

/// The most models that a ranking names: far more than are ever tried.
const RANKED: usize = 24;

/// The rules-only auto router over one catalogue.
///
/// Deterministic: the same request and pool give the same ranking.
#[derive(Clone, Debug)]
pub struct Rules {
    catalog: Arc<Catalog>,
}

/// One model, scored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scored {
    /// The model.
    pub model: ModelId,
    /// The guess at what it can do, from 0 to 1,000: its place in the pool by price, counted three
    /// times, and by age.
    pub ability: u16,
    /// Its place in the pool by price, from 0 (cheapest) to 1,000.
    pub cost: u16,
    /// Higher is better.
    pub score: i32,
}

// === impl Rules ===

impl Rules {
    /// Over `catalog`.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>) -> Self {
        Self { catalog }
    }

    /// Orders `pool` for a request, best first.
    ///
    /// # Errors
    /// [`RankError`] when no model of the pool can take the request.
    pub fn rank(
        &self,
        ask: &Ask,
        chat: &ChatRequest,
        pool: &[ModelId],
    ) -> Result<Ranking, RankError> {
        let features = Features::of(ask, chat);
        let scored = score(&self.catalog, ask, features, pool);
        if scored.is_empty() {
            let reason = format!("none of {} models can take the request", pool.len());
            return Err(RankError { reason });
        }
        Ok(Ranking {
            models: scored.into_iter().take(RANKED).map(|s| s.model).collect(),
            task: Some(features.task.to_string()),
        })
    }
}

#[async_trait]
impl Ranker for Rules {
    async fn rank(
        &self,
        ask: &Ask,
        chat: &ChatRequest,
        pool: &[ModelId],
    ) -> Result<Ranking, RankError> {
        Self::rank(self, ask, chat, pool)
    }
}

/// Scores the models of `pool` that can take the request, best first. Models of unknown price come
/// last: no rule can place them.
#[must_use]
pub fn score(catalog: &Catalog, ask: &Ask, features: Features, pool: &[ModelId]) -> Vec<Scored> {
    let mut able: Vec<&Model> = pool
        .iter()
        .filter_map(|id| catalog.model(id.as_str()))
        .filter(|model| can_take(model, ask))
        .collect();
    // Tools and formats are preferences: they narrow the pool only where somebody supports them.
    for parameter in [Parameter::Tools, Parameter::ResponseFormat] {
        let takes = |model: &Model| model.parameters.takes(parameter);
        if ask.parameters.has(parameter) && able.iter().any(|model| takes(model)) {
            able.retain(|model| takes(model));
        }
    }
    let mut prices: Vec<u128> = able.iter().filter_map(|model| price(model)).collect();
    let mut ages: Vec<u64> = able.iter().filter_map(|model| model.created).collect();
    prices.sort_unstable();
    ages.sort_unstable();
    let mut scored: Vec<Scored> = able
        .into_iter()
        .map(|model| {
            let cost = price(model).map(|price| place(&prices, &price));
            let age = model.created.map_or(0, |created| place(&ages, &created));
            scored(model, features, cost, age)
        })
        .collect();
    scored.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| a.model.cmp(&b.model)));
    scored
}

/// Among the models that are able enough, the cheaper the better; among the others, the abler the
/// better, behind all of those.
fn scored(model: &Model, features: Features, cost: Option<u16>, recency: u16) -> Scored {
    #[expect(clippy::cast_possible_truncation, reason = "between 0 and 1,000")]
    let needed = (features.difficulty * 1_000.0) as i32;
    let known = cost.is_some();
    let cost = cost.unwrap_or_default();
    let bonus = if features.task == Task::Math && model.reasoning {
        100
    } else {
        0
    };
    let ability = ((cost * 3 + recency) / 4 + bonus).min(1_000);
    let score = if !known {
        -2_000
    } else if i32::from(ability) >= needed {
        1_000 - i32::from(cost) + i32::from(recency) / 4
    } else {
        i32::from(ability) - needed - 1
    };
    Scored {
        model: model.id.clone(),
        ability,
        cost,
        score,
    }
}

/// Whether the model takes the kinds of content and the size of the request.
fn can_take(model: &Model, ask: &Ask) -> bool {
    let fits = |limit: Option<Tokens>, wanted| limit.is_none_or(|limit| wanted <= limit);
    let size = ask.prompt_at_least + ask.max_output.unwrap_or_default();
    let needed = ask
        .input
        .iter()
        .filter(|kind| !ask.hints.handled.has(*kind));
    model.input.covers(needed.collect())
        && model.output.covers(ask.output)
        && fits(model.context_length, size)
        && fits(model.max_output, ask.max_output.unwrap_or_default())
}

/// The price of its cheapest endpoint among those of the firmest rank: a reseller's offer or a trial
/// says little of what a model is worth.
fn price(model: &Model) -> Option<u128> {
    let priced = model
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.variant.is_none());
    priced
        .filter_map(|endpoint| Some((endpoint.trust, endpoint.price.rates.blended_x4()?)))
        .min_by_key(|(trust, price): &(Trust, u128)| (*trust, *price))
        .map(|(_, price)| price)
}

/// Where `value` stands in `sorted`, from 0 to 1,000.
fn place<T: Ord>(sorted: &[T], value: &T) -> u16 {
    let below = sorted.partition_point(|other| other < value);
    let last = sorted.len().saturating_sub(1).max(1);
    u16::try_from((below * 1_000 / last).min(1_000)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
